//! Attachments: what comes in which order, what stands for them, and how they are carried.

use super::*;
use crate::wire::engine::Revision::Four;
use proptest::collection::vec;
use proptest::prelude::{any, prop_assert_eq, proptest};

const FIRST: &str = r#"{"_placeholder":true,"num":0}"#;

/// Text, or bytes.
#[derive(Clone, Copy)]
enum Frame<'a> {
    T(&'a str),
    B(&'a [u8]),
}
use Frame::{B, T};

/// What is heard of frames: whole packets, or what is wrong with the last.
fn hear(frames: &[Frame<'_>], limits: &Limits) -> Result<Vec<Whole>, Malformed> {
    let mut reader = Reader::new();
    let mut heard = Vec::new();
    for frame in frames {
        match frame {
            T(text) => assert!(reader.text(text, Four, limits)?.is_none_or(|p| !p.kind.is_binary())),
            B(bytes) => heard.extend(reader.bytes(bytes, limits)?),
        }
    }
    assert!(!reader.is_waiting());
    Ok(heard)
}

#[test]
fn attachments_are_collected() {
    let text = format!("52-/x,7[\"e\",{FIRST},{{\"a\":[{{\"num\":1.0,\"_placeholder\":true,\"x\":{{}}}}]}}]");
    let heard = hear(&[T("2[1]"), T(&text), B(&[1, 2]), B(&[]), T("2[1]")], &Limits::default()).unwrap();
    let [whole] = &heard[..] else { panic!("{heard:?}") };
    assert_eq!(whole.attachments, [Bytes::from_static(&[1, 2]), Bytes::new()]);
    assert_eq!((whole.kind, &*whole.namespace, whole.ack), (Kind::BinaryEvent, "/x", Some(7)));
    let mut out = Vec::new();
    whole.packet().write(&mut out);
    assert_eq!(String::from_utf8(out).unwrap(), text);
}

#[test]
fn order_is_kept() {
    let limits = Limits { attachments: 2, bytes: 10, namespace: 9 };
    let wants = |count: u8| format!("6{count}-[]");
    let (one, two) = (wants(1), wants(2));
    assert_eq!(hear(&[B(b"x")], &limits), Err(Malformed::BytesInstead));
    assert_eq!(hear(&[T(&one), B(b"x"), B(b"x")], &limits), Err(Malformed::BytesInstead));
    assert_eq!(hear(&[T(&two), B(b"x"), T("2[1]")], &limits), Err(Malformed::TextInstead));
    assert_eq!(hear(&[T(&two), T(&two)], &limits), Err(Malformed::TextInstead));
    // A refusal is for good: nothing of it is left.
    let mut reader = Reader::new();
    assert!(reader.text(&two, Four, &limits).is_ok() && reader.is_waiting());
    assert!(reader.text("2[1]", Four, &limits).is_err() && !reader.is_waiting());
}

#[test]
fn bytes_are_bounded_as_often_as_they_are_used() {
    let limits = Limits { attachments: 3, bytes: 10, namespace: 9 };
    let long = Err(Malformed::TooLongAttachments(10));
    assert!(hear(&[T("62-[]"), B(&[0; 6]), B(&[0; 4])], &limits).is_ok());
    assert_eq!(hear(&[T("62-[]"), B(&[0; 6]), B(&[0; 5])], &limits), long);
    // As in the reference one attachment may stand in several places, and one in none.
    let twice = format!("61-[{FIRST},{FIRST}]");
    assert!(hear(&[T(&twice), B(&[0; 5])], &limits).is_ok());
    assert_eq!(hear(&[T(&twice), B(&[0; 6])], &limits), long);
}

#[test]
fn placeholders_stand_for_what_is_there() {
    let limits = Limits::default();
    let with = |object: &str| hear(&[T(&format!("62-[[{object}]]")), B(b"a"), B(b"b")], &limits);
    for fine in [
        r#"{"_placeholder":true,"num":1}"#,
        r#"{"num":9,"_\u0070laceholder":true,"num":1e0}"#,
        r#"{"_placeholder":true,"num":-0}"#,
        // None at all.
        r#"{"_placeholder":1,"num":9}"#,
        r#"{"_placeholder":"true","num":9}"#,
        r#"{"_placeholder":true,"_placeholder":false,"num":9}"#,
        r#"{"_placeholder":true,"_placeholder":[true],"num":9}"#,
        r#"["_placeholder",true,"num",9]"#,
        r#""{\"_placeholder\":true,\"num\":9}""#,
        // What is in a placeholder goes with it.
        r#"{"_placeholder":true,"num":0,"x":{"_placeholder":true,"num":9}}"#,
    ] {
        assert!(with(fine).is_ok(), "{fine}");
    }
    for wrong in [
        r#"{"_placeholder":true,"num":2}"#,
        r#"{"_\u0070laceholder":true,"num":2}"#,
        r#"{"_placeholder":true,"num":-1}"#,
        r#"{"_placeholder":true,"num":0.5}"#,
        r#"{"_placeholder":true,"num":"0"}"#,
        r#"{"_placeholder":true,"num":1e400}"#,
        r#"{"_placeholder":true,"num":0,"num":null}"#,
        r#"{"_placeholder":true,"num":0,"num":[]}"#,
        r#"{"_placeholder":true}"#,
        r#"{"a":{"_placeholder":true},"num":0}"#,
    ] {
        assert_eq!(with(wrong), Err(Malformed::Placeholder), "{wrong}");
    }
    // Without attachments it is an object like any other.
    assert!(packet::read(r#"2["e",{"_placeholder":true,"num":9}]"#, Four, &limits).is_ok());
}

#[test]
fn bytes_cross_into_json() {
    let crossed = |raw: &str, attachments: &[&[u8]]| {
        let mut out = Vec::new();
        as_json(raw, attachments, &mut out);
        String::from_utf8(out).unwrap()
    };
    let both: [&[u8]; 2] = [&[0xff, 0], b""];
    let raw = r#"[1, {"_placeholder":true,"num":1}, {"a": {"num":0,"_placeholder":true} } ]"#;
    assert_eq!(crossed(raw, &both), r#"[1, {"$binary":""}, {"a": {"$binary":"/wA="} } ]"#);
    assert_eq!(crossed(FIRST, &both), r#"{"$binary":"/wA="}"#);
    assert_eq!(crossed(FIRST, &[]), FIRST);
    assert_eq!(crossed("5", &both), "5");
    assert_eq!(sole(FIRST, &both), Some(&both[0]));
    assert_eq!(sole("[1]", &both), None);
    assert_eq!(sole(&format!("[{FIRST}]"), &both), None);
    assert_eq!(sole(FIRST, &[] as &[&[u8]]), None);
    let mut out = Vec::new();
    write_placeholder(0, &mut out);
    assert_eq!(out, FIRST.as_bytes());
}

#[test]
fn what_is_packed_is_bounded() {
    let limits = Limits { attachments: 2, bytes: 10, namespace: 9 };
    let packed = |list: &str, lengths: &[usize]| {
        let attachments: Vec<Bytes> = lengths.iter().map(|n| vec![7; *n].into()).collect();
        pack(list, &attachments).unwrap()
    };
    let list = format!("[\"e\",{FIRST}]");
    assert!(unpack(&packed(&list, &[6, 4]), &limits).is_some());
    assert!(unpack(&packed(&format!("[{FIRST},{FIRST}]"), &[6]), &limits).is_none(), "12 bytes written out");
    assert!(unpack(&packed("[]", &[6, 5]), &limits).is_none());
    assert!(unpack(&packed("[]", &[1, 1, 1]), &limits).is_none());
    assert!(unpack(&packed(r#"[{"_placeholder":true,"num":1}]"#, &[6]), &limits).is_none());
    assert!(unpack(&packed(&format!("[{}{}]", "[".repeat(128), "]".repeat(128)), &[]), &limits).is_none());
    for not_a_list in ["", "{}", "[1", " [1]"] {
        assert!(unpack(&packed(not_a_list, &[]), &limits).is_none(), "{not_a_list}");
    }
    let whole = packed(&list, &[6, 4]);
    for end in 0..whole.len() {
        assert!(unpack(&whole.slice(..end), &limits).is_none(), "{end}");
    }
    assert!(unpack(&Bytes::from_static(&[1, 0xff, 0xff, 0xff, 0xff, b'[', b']']), &limits).is_none());
    assert!(pack("[]", &vec![Bytes::new(); 256]).is_none());
}

proptest! {
    #[test]
    fn what_is_packed_is_unpacked(parts in vec(vec(any::<u8>(), 0..20), 0..11), text in any::<String>()) {
        let mut list = Vec::new();
        let attachments: Vec<Bytes> = parts.into_iter().map(Bytes::from).collect();
        crate::wire::arguments::write_event(&text, vec![FIRST; attachments.len().min(1)], &mut list);
        let arguments = String::from_utf8(list).unwrap();
        let packed = pack(&arguments, &attachments).unwrap();
        prop_assert_eq!(
            unpack(&packed, &Limits::default()),
            Some(Packed { arguments: &arguments, attachments })
        );
    }

    #[test]
    fn nothing_panics(bytes in vec(any::<u8>(), 0..60), near in r#"[\[\]{},:"ntrue_placehodrm01]{0,60}"#) {
        let bytes = Bytes::from(bytes);
        if let Some(Packed { arguments, attachments }) = unpack(&bytes, &Limits::default()) {
            assert!(attachments.len() + arguments.len() <= bytes.len());
        }
        as_json(&near, &[&bytes], &mut Vec::new());
        assert!(sole(&near, &[&bytes]).is_none_or(|_| near.starts_with('{')));
    }
}
