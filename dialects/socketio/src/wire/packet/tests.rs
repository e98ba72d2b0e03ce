//! Packets, in tables and by chance.

use super::*;
use crate::wire::engine::Revision::{Four, Three};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_assert_eq, prop_oneof, proptest};

fn packet(kind: Kind) -> Packet<'static> {
    Packet { kind, attachments: 0, namespace: "/", query: None, ack: None, data: None }
}

fn reads(text: &str, revision: Revision) -> Result<Packet<'_>, Malformed> {
    read(text, revision, &Limits::default())
}

#[test]
fn packets_are_read() {
    let connect = packet(Kind::Connect);
    let event = packet(Kind::Event);
    let table = [
        ("0", Four, connect),
        ("0{\"token\":1}", Four, Packet { data: Some("{\"token\":1}"), ..connect }),
        ("0/admin,", Four, Packet { namespace: "/admin", ..connect }),
        ("0/admin", Four, Packet { namespace: "/admin", ..connect }),
        ("0/admin,{}", Four, Packet { namespace: "/admin", data: Some("{}"), ..connect }),
        ("0/a?t=1&u=/?,", Four, Packet { namespace: "/a?t=1&u=/?", ..connect }),
        ("0/a?t=1&u=/?,", Three, Packet { namespace: "/a", query: Some("t=1&u=/?"), ..connect }),
        ("0/?", Three, Packet { query: Some(""), ..connect }),
        ("1/admin", Four, Packet { namespace: "/admin", ..packet(Kind::Disconnect) }),
        ("2", Four, event),
        ("212", Four, Packet { ack: Some(12), ..event }),
        ("2[\"a\", 1.0 ]", Four, Packet { data: Some("[\"a\", 1.0 ]"), ..event }),
        ("2/x,007 [5]\n", Three, Packet { namespace: "/x", ack: Some(7), data: Some("[5]"), ..event }),
        ("29007199254740991[5]", Four, Packet { ack: Some(ACK_MAX), data: Some("[5]"), ..event }),
        ("31[]", Four, Packet { ack: Some(1), data: Some("[]"), ..packet(Kind::Ack) }),
        (
            "510-/x,3[\"a\"]",
            Four,
            Packet {
                attachments: 10,
                namespace: "/x",
                ack: Some(3),
                data: Some("[\"a\"]"),
                ..packet(Kind::BinaryEvent)
            },
        ),
        (
            "61-0[]",
            Four,
            Packet { attachments: 1, ack: Some(0), data: Some("[]"), ..packet(Kind::BinaryAck) },
        ),
    ];
    for (text, revision, expected) in table {
        assert_eq!(reads(text, revision), Ok(expected), "{text}");
    }
}

#[test]
fn what_is_wrong_is_said() {
    let table = [
        ("", "the packet is empty; it begins with a type, 0 to 6"),
        ("7", "the packet's type is none of 0 to 6"),
        ("ü", "the packet's type is none of 0 to 6"),
        ("4{}", "only a server sends CONNECT_ERROR"),
        ("5[]", "a binary packet begins with its number of attachments and `-`"),
        ("50-[\"a\"]", "a binary packet announces no attachment; it needs at least one"),
        ("611-[]", "the packet has more than 10 attachments"),
        ("6999999999999999999999-[]", "the packet has more than 10 attachments"),
        ("29007199254740992[1]", "the id for the acknowledgement is no whole number up to 9007199254740991"),
        (
            "299999999999999999999[1]",
            "the id for the acknowledgement is no whole number up to 9007199254740991",
        ),
        ("2[1", "the data is no JSON: EOF while parsing a list at line 1 column 2"),
        ("2[\"a\"]]", "the data is no JSON: trailing characters at line 1 column 6"),
        ("0[]", "CONNECT carries an object, or nothing"),
        ("1{}", "DISCONNECT carries nothing"),
        ("2{}", "EVENT carries an array that begins with the event's name"),
        ("3{}", "ACK carries an array"),
        ("2[]", "an event's array begins with its name, a string or a number"),
        ("2[{}]", "an event's array begins with its name, a string or a number"),
        ("2[\"connect\"]", "`connect` is no event that a client may send"),
        ("51-[\"\\u0063onnect\"]", "`connect` is no event that a client may send"),
    ];
    for (text, expected) in table {
        assert_eq!(reads(text, Four).unwrap_err().to_string(), expected, "{text}");
    }
    for name in RESERVED {
        assert_eq!(reads(&format!("2[\"{name}\",1]"), Three), Err(Malformed::Reserved(name)));
        assert!(reads(&format!("3[\"{name}\"]"), Four).is_ok(), "an answer has no name");
    }
}

#[test]
fn bounds_are_kept() {
    let nested = |n: usize| format!("3{}{}", "[".repeat(n), "]".repeat(n));
    assert!(reads(&nested(json::DEPTH_MAX), Four).is_ok());
    assert_eq!(reads(&nested(json::DEPTH_MAX + 1), Four), Err(Malformed::Deep));
    assert_eq!(reads(&nested(400_000), Four), Err(Malformed::Deep));
    let limits = Limits { attachments: 255, bytes: 0, namespace: 3 };
    assert_eq!(read("2/abc,[1]", Four, &limits), Err(Malformed::Namespace(3)));
    assert_eq!(read("2/ab?cd", Four, &limits), Err(Malformed::Namespace(3)));
    assert_eq!(read("2/ab?cd", Three, &limits).map(|p| p.query), Ok(Some("cd")));
    assert_eq!(read("5255-[1]", Four, &limits).map(|p| p.attachments), Ok(255));
    assert_eq!(read("5256-[1]", Four, &limits), Err(Malformed::TooManyAttachments(255)));
}

#[test]
fn servers_packets_are_as_captured() {
    let text = |write: &dyn Fn(&mut Vec<u8>)| {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    };
    let connected = |nsp, revision, pid| {
        text(&|out| {
            Head::connect(nsp).write(out);
            connected(revision, "s1", pid, out);
        })
    };
    assert_eq!(connected("/", Four, None), "0{\"sid\":\"s1\"}");
    assert_eq!(connected("/admin", Four, Some("p1")), "0/admin,{\"sid\":\"s1\",\"pid\":\"p1\"}");
    assert_eq!(connected("/", Three, Some("p1")), "0");
    assert_eq!(connected("/admin", Three, None), "0/admin,");
    let error = |nsp, style, message, data| {
        text(&|out| {
            Head::connect_error(nsp).write(out);
            connect_error(style, message, data, out);
        })
    };
    let invalid = "Invalid namespace";
    assert_eq!(error("/nope", Style::Object, invalid, None), "4/nope,{\"message\":\"Invalid namespace\"}");
    assert_eq!(error("/a?a=1", Style::Object, invalid, None), "4/a?a=1,{\"message\":\"Invalid namespace\"}");
    assert_eq!(error("/nope", Style::Bare, invalid, None), "4/nope,\"Invalid namespace\"");
    let data = Some("{\"content\":\"please retry\"}");
    assert_eq!(
        error("/", Style::Object, "not authorized", data),
        "4{\"message\":\"not authorized\",\"data\":{\"content\":\"please retry\"}}"
    );
    assert_eq!(error("/", Style::Bare, "not authorized", data), "4{\"content\":\"please retry\"}");
    assert_eq!(text(&|out| Head::disconnect("/").write(out)), "1");
    assert_eq!(text(&|out| Head::disconnect("/admin").write(out)), "1/admin,");
    assert_eq!(text(&|out| Head::event("/admin", None, 0).write(out)), "2/admin,");
    assert_eq!(text(&|out| Head::event("/", Some(0), 2).write(out)), "52-0");
    assert_eq!(text(&|out| Head::ack("/", 12, 0).write(out)), "312");
    assert_eq!(text(&|out| Head::ack("/", 7, 1).write(out)), "61-7");
}

/// A packet as a client could write it, in parts.
fn parts() -> impl Strategy<Value = (Kind, u8, String, Option<String>, Option<u64>, Option<String>)> {
    let kind = prop_oneof![
        Just((Kind::Connect, 0)),
        Just((Kind::Disconnect, 0)),
        Just((Kind::Event, 0)),
        Just((Kind::Ack, 0)),
        (1..=10_u8).prop_map(|n| (Kind::BinaryEvent, n)),
        (1..=10_u8).prop_map(|n| (Kind::BinaryAck, n)),
    ];
    let rest = (any::<String>(), vec(any::<String>(), 0..4));
    (kind, "/[^,?]{0,20}", option::of("[^,]{0,20}"), option::of(0..=ACK_MAX), option::of(rest)).prop_map(
        |((kind, attachments), namespace, query, ack, rest)| {
            let data = rest.and_then(|(first, values)| {
                let raw: Vec<String> = values.iter().map(|v| serde_json::to_string(v).unwrap()).collect();
                let raw = raw.iter().map(String::as_str);
                let mut out = Vec::new();
                match kind {
                    Kind::Connect => json::string(&first, &mut out),
                    Kind::Disconnect | Kind::ConnectError => return None,
                    Kind::Event | Kind::BinaryEvent => arguments::write_event(&first, raw, &mut out),
                    Kind::Ack | Kind::BinaryAck => arguments::write(raw, &mut out),
                }
                let text = String::from_utf8(out).unwrap();
                Some(if kind == Kind::Connect { format!("{{\"a\":{text}}}") } else { text })
            });
            (kind, attachments, namespace, query, ack, data)
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_is_read((kind, attachments, namespace, query, ack, data) in parts()) {
        let packet = Packet {
            kind,
            attachments,
            namespace: &namespace,
            query: query.as_deref(),
            ack,
            data: data.as_deref(),
        };
        let mut out = Vec::new();
        packet.write(&mut out);
        let text = String::from_utf8(out).unwrap();
        prop_assert_eq!(reads(&text, Three), Ok(packet));
    }

    #[test]
    fn nothing_panics(text in any::<String>(), near in r#"[0-7]{0,3}-?(/[a-c?]{0,3},)?[0-9]{0,2}[\[\]{},:"\\ a1ü]{0,20}"#) {
        for text in [&text, &near] {
            for revision in [Three, Four] {
                if let Ok(packet) = reads(text, revision) {
                    assert!(packet.data.is_none_or(|data| json::check(data.as_bytes()).is_ok()));
                    let mut out = Vec::new();
                    packet.write(&mut out);
                    assert_eq!(reads(std::str::from_utf8(&out).unwrap(), revision), Ok(packet));
                }
            }
        }
    }
}
