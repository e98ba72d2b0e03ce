//! Events through the hub, from text to msgpack and from msgpack to text: what is heard is what was said.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails so, in its helpers too")]

use bytes::Bytes;
use dialect::json;
use model::{ChannelName, Draft, Message, Parts, Payload, Position, Publisher, SessionId, Unit};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_assert_eq, prop_oneof, proptest};
use serde_json::Value;
use socketio_dialect::map::{self, Profile, Way};
use socketio_dialect::wire::arguments;
use socketio_dialect::wire::binary::{Reader, Whole};
use socketio_dialect::wire::engine::Revision::Four;
use socketio_dialect::wire::msgpack;
use socketio_dialect::wire::packet::{Head, Limits};

/// What is said in a room, as everybody there hears it.
fn message(draft: Draft) -> Message {
    let session = SessionId { shard: 0, slot: 0, generation: 0 };
    Message {
        vhost: model::VHostName::root(),
        channel: Some(ChannelName::new("chat").unwrap()),
        event: draft.event,
        payload: draft.payload,
        verbatim: draft.verbatim,
        publisher: Publisher { session, name: None, address: None },
        position: Position::default(),
        recoverable: false,
        time_ms: 0,
    }
}

/// What a client in msgpack hears.
fn in_msgpack(message: &Message, offsets: bool) -> Whole {
    let mut parts = Parts::default();
    map::encode_msgpack(message, "/", Profile::Broker, offsets, &mut parts);
    let units: Vec<_> = parts.iter().collect();
    let [(Unit::Binary, bytes)] = units[..] else { panic!("{units:?}") };
    msgpack::read(bytes, Four, &Limits::default()).unwrap()
}

/// What a client in text hears, attachments and all.
fn in_text(message: &Message, offsets: bool) -> Whole {
    let mut parts = Parts::default();
    map::encode(message, "/", Profile::Broker, Way { revision: Four, as_text: false, offsets }, &mut parts);
    let mut reader = Reader::new();
    let mut heard = None;
    for (unit, bytes) in parts.iter() {
        assert!(heard.is_none(), "nothing follows a packet");
        heard = match unit {
            Unit::Text => {
                let text = std::str::from_utf8(bytes).unwrap().strip_prefix('4').unwrap();
                let packet = reader.text(text, Four, &Limits::default()).unwrap();
                packet.map(|p| Whole {
                    kind: p.kind,
                    namespace: p.namespace.to_owned(),
                    query: None,
                    ack: p.ack,
                    data: p.data.map(str::to_owned),
                    attachments: Vec::new(),
                })
            }
            Unit::Binary => reader.bytes(bytes, &Limits::default()).unwrap(),
        };
    }
    heard.unwrap()
}

/// What a client says, as the hub carries it.
fn said(event: &str, attachments: &[Bytes]) -> Message {
    let payload = arguments::event(event).unwrap().arguments.last().unwrap_or("null");
    message(map::draft(event, payload, attachments).unwrap())
}

/// JSON values with placeholders, each for an attachment of its own, in the order in which they stand.
#[derive(Clone, Debug)]
enum Node {
    Leaf(String),
    Attachment(Vec<u8>),
    Array(Vec<Self>),
    Object(Vec<(String, Self)>),
}

fn node() -> impl Strategy<Value = Node> {
    let number = prop_oneof![
        any::<i64>().prop_map(|n| n.to_string()),
        any::<u64>().prop_map(|n| n.to_string()),
        any::<f64>().prop_map(|f| Value::from(if f.fract() == 0.0 { 0.5 } else { f }).to_string()),
    ];
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|b| b.to_string()),
        number,
        any::<String>().prop_map(|text| quoted(&text)),
    ];
    let leaf =
        prop_oneof![4 => leaf.prop_map(Node::Leaf), 1 => vec(any::<u8>(), 0..20).prop_map(Node::Attachment)];
    leaf.prop_recursive(4, 24, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Node::Array),
            vec((any::<String>(), inner), 0..6).prop_map(Node::Object),
        ]
    })
}

fn quoted(text: &str) -> String {
    let mut out = Vec::new();
    json::string(text, &mut out);
    String::from_utf8(out).unwrap()
}

impl Node {
    fn write(&self, attachments: &mut Vec<Bytes>, out: &mut String) {
        match self {
            Self::Leaf(text) => out.push_str(text),
            // More than a packet may have are nothing.
            Self::Attachment(_) if attachments.len() == 10 => out.push_str("null"),
            Self::Attachment(bytes) => {
                out.push_str(&format!("{{\"_placeholder\":true,\"num\":{}}}", attachments.len()));
                attachments.push(bytes.clone().into());
            }
            Self::Array(nodes) => {
                out.push('[');
                for (at, node) in nodes.iter().enumerate() {
                    out.push_str(if at == 0 { "" } else { "," });
                    node.write(attachments, out);
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (at, (key, node)) in members.iter().enumerate() {
                    out.push_str(if at == 0 { "" } else { "," });
                    out.push_str(&quoted(key));
                    out.push(':');
                    node.write(attachments, out);
                }
                out.push('}');
            }
        }
    }
}

proptest! {
    /// An event in text, heard in msgpack, said again by who heard it, heard in text: it is the same event.
    #[test]
    fn an_event_goes_from_parser_to_parser(nodes in vec(node(), 0..4)) {
        let (mut event, mut attachments) = ("[\"e\"".to_owned(), Vec::new());
        for node in &nodes {
            event.push(',');
            node.write(&mut attachments, &mut event);
        }
        event.push(']');

        let first = in_msgpack(&said(&event, &attachments), false);
        prop_assert_eq!(first.data.as_deref(), Some(&*event));
        prop_assert_eq!(&first.attachments, &attachments);
        let again = said(&first.data.unwrap(), &first.attachments);
        let heard = in_text(&again, false);
        prop_assert_eq!((heard.data.as_deref(), &heard.attachments), (Some(&*event), &attachments));
        prop_assert_eq!(again.payload.bytes.clone(), said(&event, &attachments).payload.bytes);
        // Where it stands is added to both alike.
        prop_assert_eq!(in_msgpack(&again, true), in_text(&again, true));
        // The other way round: what is said in msgpack is what it would have been in text.
        let mut packed = Vec::new();
        msgpack::write(&Head::event("/", None, attachments.len()).with(&event), &attachments, &mut packed);
        let whole = msgpack::read(&packed, Four, &Limits::default()).unwrap();
        prop_assert_eq!(in_text(&said(&whole.data.unwrap(), &whole.attachments), false), heard);
    }

    /// What another dialect says is one event, whichever parser hears it.
    #[test]
    fn a_foreign_message_is_one_event(text in any::<String>(), bytes in vec(any::<u8>(), 0..50), name in any::<bool>()) {
        for payload in [Payload::text(text.into_bytes().into()), Payload::bytes(bytes.into()), Payload::json("[1,{}]".into())] {
            let event = name.then(|| "tick".into());
            let message = message(Draft { event, ..Draft::new(payload) });
            for offsets in [false, true] {
 prop_assert_eq!(in_msgpack(&message, offsets), in_text(&message, offsets));
 }
        }
    }
}

#[test]
fn what_looks_like_an_attachment_and_is_none_stays_what_it_is() {
    let event = r#"["e",{"_placeholder":true,"num":0}]"#;
    let heard = in_msgpack(&said(event, &[]), false);
    assert_eq!((heard.data.as_deref(), heard.attachments.len()), (Some(event), 0));
}

#[test]
fn one_attachment_in_two_places_is_two_in_msgpack() {
    let event = r#"["e",{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]"#;
    let heard = in_msgpack(&said(event, &[Bytes::from_static(b"x")]), false);
    assert_eq!(heard.attachments, [Bytes::from_static(b"x"), Bytes::from_static(b"x")]);
}
