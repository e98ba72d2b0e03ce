//! Whatever a stranger sends: nothing panics, and what leaves is JSON.

use model::{ChannelName, Kind, Message, Parts, Payload, Position, Publisher, SessionId};
use proptest::prelude::{Just, Strategy, any, prop_assert, prop_oneof, proptest};
use rooms_dialect::map::{self, Ask};
use rooms_dialect::wire;

/// Text that is nearly a packet, more often than chance would have it.
fn nearly() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("{"),
        Just("}"),
        Just("["),
        Just("]"),
        Just(","),
        Just(":"),
        Just("\"event\""),
        Just("\"payload\""),
        Just("\"subscribe\""),
        Just("\"chat\""),
        Just("\""),
        Just("\\"),
        Just("\\ud800"),
        Just("5"),
        Just("null"),
        Just(" "),
        Just("ü"),
        Just("\u{0}"),
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![Just(Kind::Text), Just(Kind::Bytes)]
}

proptest! {
    #[test]
    fn any_text_is_read_or_ignored(text in prop_oneof![nearly(), any::<String>()]) {
        if let Some(Ask::Publish(room, draft)) = map::ask(&text) {
            prop_assert!(!room.is_empty());
            prop_assert!(serde_json::from_slice::<&serde_json::value::RawValue>(&draft.payload.bytes).is_ok());
            prop_assert!(draft.verbatim.is_some_and(|v| v.bytes == text.as_bytes()));
        }
        prop_assert!(wire::rooms(&text).iter().all(|room| !room.is_empty()));
    }

    #[test]
    fn a_packet_is_read_as_it_was_written(event in ".+", payload in any::<Vec<u8>>(), name in any::<Option<String>>()) {
        let payload = Payload::bytes(payload.into());
        let mut out = Vec::new();
        wire::foreign(&event, name.as_deref(), |out| dialect::json::payload_as_json(&payload, out), &mut out);
        let text = std::str::from_utf8(&out).unwrap();
        let packet = wire::packet(text).unwrap();
        prop_assert!(packet.event == event);
        prop_assert!(packet.payload.is_some());
    }

    #[test]
    fn foreign_messages_are_always_json(
        channel in any::<Option<String>>(), event in any::<Option<String>>(), bytes in any::<Vec<u8>>(), kind in kind(),
    ) {
        let message = Message {
vhost: model::VHostName::root(),
            channel: channel.and_then(|c| ChannelName::new(&c).ok()),
            event: event.map(Into::into),
            payload: Payload { kind, bytes: bytes.into() },
            verbatim: None,
            publisher: Publisher { session: SessionId { shard: 0, slot: 0, generation: 0 }, name: None, address: None },
            position: Position::default(),
            recoverable: false,
            time_ms: 0,
        };
        let mut parts = Parts::default();
        (map::ROOMS.encode)(&message, &mut parts);
        for (_, unit) in parts.iter() {
            prop_assert!(serde_json::from_slice::<serde_json::Value>(unit).is_ok());
        }
    }
}
