//! Whatever a stranger sends: nothing panics, lines stay lines, and what leaves as JSON is JSON.

use dialect::{Header, Request};
use http_dialect::map::{self, Style};
use http_dialect::{Settings, wire};
use model::{ChannelName, Kind, Message, Parts, Payload, Position, Publisher, SessionId};
use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};

fn message() -> impl Strategy<Value = Message> {
    let kind = prop_oneof![Just(Kind::Text), Just(Kind::Bytes)];
    let parts = (any::<Option<String>>(), any::<Option<String>>(), any::<Vec<u8>>(), kind, any::<bool>());
    parts.prop_map(|(channel, event, bytes, kind, recoverable)| Message {
        vhost: model::VHostName::root(),
        channel: channel.and_then(|c| ChannelName::new(&c).ok()),
        event: event.map(Into::into),
        payload: Payload { kind, bytes: bytes.into() },
        verbatim: None,
        publisher: Publisher {
            session: SessionId { shard: 0, slot: 0, generation: 0 },
            name: None,
            address: None,
        },
        position: Position { epoch: 1, offset: 2 },
        recoverable,
        time_ms: 0,
    })
}

fn encode(style: Style, message: &Message) -> Vec<u8> {
    let mut parts = Parts::default();
    (style.form().encode)(message, &mut parts);
    parts.iter().flat_map(|(_, unit)| unit.to_vec()).collect()
}

/// The data of the only event in `text`, as a browser finds it.
fn data(text: &str) -> Option<String> {
    let (event, rest) = text.split_once("\n\n")?;
    let lines: Vec<&str> = event.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
    rest.is_empty().then(|| lines.join("\n"))
}

proptest! {
    #[test]
    fn any_request_is_read_or_answered(
        path in "/c/[ -~]*", query in "[ -~]*", method in prop_oneof![Just("GET"), Just("POST")],
        kind in prop_oneof![Just("application/json"), Just("text/plain"), Just("x/y"), Just("")],
        body in any::<Vec<u8>>(), event in any::<Vec<u8>>(),
    ) {
        let headers = [
            Header { name: "Content-Type", value: kind.as_bytes() },
            Header { name: "X-Event", value: &event },
            Header { name: "Last-Event-ID", value: &body },
        ];
        let request = Request {
            method, path: &path, query: &query, headers: &headers, body: &body, wants_websocket: false,
        };
        if let Err(problem) = map::ask(&request, &Settings::default()) {
            prop_assert!((400..500).contains(&problem.status));
        }
    }

    #[test]
    fn lines_are_single_lines_of_json(message in message()) {
        let line = encode(Style::Lines, &message);
        prop_assert_eq!(line.iter().filter(|&&b| b == b'\n').count(), 1);
        prop_assert!(serde_json::from_slice::<serde_json::Value>(&line).is_ok());
    }

    #[test]
    fn envelopes_are_single_events_of_json(message in message()) {
        for style in [Style::Envelopes, Style::Mixed] {
            let event = String::from_utf8(encode(style, &message)).unwrap();
            let data = data(&event).unwrap();
            prop_assert!(serde_json::from_str::<serde_json::Value>(&data).is_ok());
        }
    }

    #[test]
    fn payloads_are_single_events_with_all_their_lines(message in message()) {
        let event = String::from_utf8(encode(Style::Payloads, &message)).unwrap();
        let data = data(&event).unwrap();
        if let (Kind::Text, Ok(text)) = (message.payload.kind, std::str::from_utf8(&message.payload.bytes)) {
            prop_assert_eq!(data, text.replace("\r\n", "\n").replace('\r', "\n"));
        }
    }

    #[test]
    fn ids_survive(epoch in any::<u64>(), offset in any::<u64>(), noise in any::<String>()) {
        let id = wire::Id { epoch, offset };
        prop_assert_eq!(wire::Id::parse(&id.to_string()), Some(id));
        prop_assert!(wire::Id::parse(&noise).is_none_or(|id| noise.contains(&id.offset.to_string())));
    }
}
