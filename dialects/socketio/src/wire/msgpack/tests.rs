//! Packets in msgpack: what socket.io-msgpack-parser 3.0.2 writes, what is refused, and both ways by chance.

use super::*;
use crate::wire::binary::Whole;
use crate::wire::engine::Revision::{Four, Three};
use crate::wire::packet::{Kind, Limits, Malformed};
use bytes::Bytes;
use dialect::json::{self, DEPTH_MAX};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_assert_eq, prop_oneof, proptest};
use proptest::sample::select;
use serde_json::Value;

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn reads(bytes: &[u8]) -> Result<Whole, Malformed> {
    read(bytes, Four, &Limits::default())
}

/// `{type,nsp:"/",data}` of data in msgpack.
fn carrying(kind: u8, data: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x83\xa4type".to_vec();
    bytes.push(kind);
    bytes.extend_from_slice(b"\xa3nsp\xa1/\xa4data");
    bytes.extend_from_slice(data);
    bytes
}

fn written(whole: &Whole) -> Vec<u8> {
    let mut out = Vec::new();
    write(&whole.packet(), &whole.attachments, &mut out);
    out
}

/// As the parser wrote them, and the same packets as text.
const GOLDEN: [(&str, &str); 12] = [
    ("82a47479706500a36e7370a12f", "0"),
    (
        "83a47479706500a36e7370a62f61646d696ea46461746181a5746f6b656ea4c3bc220a",
        "0/admin,{\"token\":\"ü\\\"\\n\"}",
    ),
    ("82a47479706501a36e7370a12f", "1"),
    (
        "83a47479706502a36e7370a12fa4646174619aa2686901ffcb3ff8000000000000c3c2c0a1789080",
        "2[\"hi\",1,-1,1.5,true,false,null,\"x\",[],{}]",
    ),
    ("84a47479706502a46461746191a26869a76f7074696f6e7381a8636f6d7072657373c3a36e7370a12f", "2[\"hi\"]"),
    (
        "84a47479706502a36e7370a12fa46461746193a26869d4000082a161d40000a16201a26964d40000",
        "2[\"hi\",null,{\"b\":1}]",
    ),
    ("84a47479706502a36e7370a12fa46461746191a26869a269640c", "212[\"hi\"]"),
    ("84a47479706503a36e7370a12fa4646174619101a26964cd012c", "3300[1]"),
    (
        "83a47479706502a36e7370a12fa46461746193a26869c40301020381a16191c401ff",
        "52-[\"hi\",{\"_placeholder\":true,\"num\":0},{\"a\":[{\"_placeholder\":true,\"num\":1}]}]",
    ),
    (
        "83a47479706502a36e7370a12fa46461746192a26869c708000102030405060708",
        "51-[\"hi\",{\"_placeholder\":true,\"num\":0}]",
    ),
    (
        "83a47479706502a36e7370a12fa46461746192a26869d7000000018bcfe5687b",
        "2[\"hi\",\"2023-11-14T22:13:20.123Z\"]",
    ),
    (
        "83a47479706502a36e7370a12fa46461746192a26869d700ffffffffffffffff",
        "2[\"hi\",\"1969-12-31T23:59:59.999Z\"]",
    ),
];

#[test]
fn packets_of_the_reference_are_read() {
    for (bytes, text) in GOLDEN {
        let whole = reads(&hex(bytes)).unwrap();
        let mut out = Vec::new();
        whole.packet().write(&mut out);
        assert_eq!(String::from_utf8(out).unwrap(), text);
        assert!(is_likely(&hex(bytes)));
        assert_eq!(reads(&written(&whole)), Ok(whole));
    }
    let whole = reads(&hex(GOLDEN[8].0)).unwrap();
    assert_eq!(whole.attachments, [Bytes::from_static(&[1, 2, 3]), Bytes::from_static(&[255])]);
    // Byte by byte what the parser writes, where it makes the same choices.
    for place in [0, 1, 2, 3, 6, 8] {
        assert_eq!(written(&reads(&hex(GOLDEN[place].0)).unwrap()), hex(GOLDEN[place].0), "{place}");
    }
}

/// The parser's own bytes for the ends of all ranges.
#[test]
fn numbers_are_as_the_reference_writes_them() {
    let numbers = "7fcc80ccffcd0100cdffffce00010000ceffffffffcf0000000100000000cf001fffffffffffff\
                   e0d0dfd080d1ff7fd18000d2ffff7fffd280000000d3ffffffff7fffffffd3ffe0000000000001cb3fb999999999999a";
    let list = "[\"n\",127,128,255,256,65535,65536,4294967295,4294967296,9007199254740991,-32,-33,-128,-129,-32768,\
                -32769,-2147483648,-2147483649,-9007199254740991,0.1]";
    let bytes = carrying(2, &hex(&format!("dc0014a16e{numbers}")));
    let whole = reads(&bytes).unwrap();
    assert_eq!(whole.data.as_deref(), Some(list));
    assert_eq!(written(&whole), bytes);
}

#[test]
fn numbers_and_strings_that_json_cannot_say() {
    let data = |value: &str| {
        let whole = reads(&carrying(3, &hex(&format!("91{value}")))).unwrap();
        whole.data.unwrap().trim_matches(['[', ']']).to_owned()
    };
    assert_eq!(data("cb7ff8000000000000"), "null", "NaN");
    assert_eq!(data("cb7ff0000000000000"), "null", "infinity");
    assert_eq!(data("cb8000000000000000"), "0", "-0");
    assert_eq!(data("cb4014000000000000"), "5", "5.0");
    assert_eq!(data("ca3fc00000"), "1.5", "of 32 bits");
    assert_eq!(data("cb7e37e43c8800759c"), "1e+300");
    assert_eq!(data("cfffffffffffffffff"), "18446744073709551615");
    assert_eq!(data("a3eda0bd"), "\"\u{fffd}\u{fffd}\u{fffd}\"", "half of a pair");
    assert_eq!(data("d7007fffffffffffffff"), "null", "no date");
    assert_eq!(data("d6ff65540e0a"), "\"2023-11-15T00:17:14.000Z\"", "a timestamp");
    assert_eq!(data("d7ff1d53530065540e0a"), "\"2023-11-15T00:17:14.123Z\"");
    assert_eq!(data("c70cff00000000ffffffffffffffff"), "\"1969-12-31T23:59:59.000Z\"");
    assert_eq!(data("c7090dcb4278bcfe5687b000"), "\"2023-11-14T22:13:20.123Z\"", "msgpack-lite's date");
    assert_eq!(data("c7090dcb7ff8000000000000"), "null", "msgpack-lite's no date");
    assert_eq!(data("8305c0ffc0a0c0"), "{\"5\":null,\"-1\":null,\"\":null}", "keys that are numbers");
}

#[test]
fn what_is_wrong_is_said() {
    let table: [(&[u8], &str); 24] = [
        (b"", "it ends in the middle"),
        (b"\x05", "it is no map"),
        (b"\x82\xa4type", "it ends in the middle"),
        (b"\xdf\xff\xff\xff\xff", "it ends in the middle"),
        (b"\x81\x05\x05", "a key of the packet is no string"),
        (b"\x82\xa4type\x05\xa3nsp\xa1/", "`type` is none of 0 to 4"),
        (b"\x82\xa4type\xa10\xa3nsp\xa1/", "`type` is none of 0 to 4"),
        (b"\x82\xa4type\x04\xa3nsp\xa1/", "only a server sends CONNECT_ERROR"),
        (b"\x81\xa3nsp\xa1/", "`type` is missing"),
        (b"\x81\xa4type\x00", "`nsp` is missing"),
        (b"\x82\xa4type\x00\xa3nsp\xc0", "`nsp` is no string"),
        (b"\x82\xa4type\x00\xa3nsp\xa1\xff", "`nsp` is not UTF-8"),
        (b"\x82\xa4type\x00\xa3nsp\xa0", "it begins with `/`"),
        (b"\x82\xa4type\x00\xa3nsp\xa2a/", "it begins with `/`"),
        (b"\x82\xa4type\x00\xa3nsp\xa3/a,", "has no comma"),
        (b"\x82\xa4type\x00\xa3nsp\xa1/\x00", "something follows the map"),
        (b"\x83\xa4type\x02\xa3nsp\xa1/\xa2id\xff", "the id for the acknowledgement"),
        (b"\x83\xa4type\x02\xa3nsp\xa1/\xa2id\xcb\x43\x40\0\0\0\0\0\0", "the id for the acknowledgement"),
        (b"\x82\xa4type\x02\xa3nsp\xa1/", "EVENT carries an array"),
        (b"\x83\xa4type\x00\xa3nsp\xa1/\xa4data\x90", "CONNECT carries an object"),
        (b"\x83\xa4type\x00\xa3nsp\xa1/\xa4data\xc0", "CONNECT carries an object"),
        (b"\x83\xa4type\x00\xa3nsp\xa1/\xa4data\x81\xa1a\xc4\x00", "a CONNECT has no attachments"),
        (b"\x83\xa4type\x01\xa3nsp\xa1/\xa4data\x80", "DISCONNECT carries nothing"),
        (b"\x82\xa4type\x00\xa1x\xc1", "0xc1 means nothing"),
    ];
    for (bytes, expected) in table {
        let said = reads(bytes).unwrap_err().to_string();
        assert!(said.contains(expected), "{said}");
    }
    let list = |data: &[u8]| reads(&carrying(2, data)).unwrap_err();
    assert_eq!(list(b"\x91\xa7connect"), Malformed::Reserved("connect"));
    assert_eq!(list(b"\x90"), Malformed::Name);
    assert_eq!(list(b"\x92\xa1a\x81\xc0\xc0").to_string().find("a key"), Some(22));
    assert!(list(b"\x92\xa1a\xd4\x07a").to_string().contains("an extension"));
    assert!(
        list(b"\x92\xa1a\xc7\x08\x0d\x42\x78\xbc\xfe\x56\x87\xb0\x00").to_string().contains("an extension")
    );
    let beside = b"\x93\xa1a\x81\xac_placeholder\xc3\xc4\x01x";
    assert!(list(beside).to_string().contains("beside attachments"));
    assert!(reads(&carrying(2, b"\x92\xa1a\x81\xac_placeholder\xc3")).is_ok(), "nothing to confuse it with");
}

#[test]
fn bounds_are_kept() {
    let deep = |n: usize| carrying(3, &[vec![0x91; n - 1], vec![0x90]].concat());
    let whole = reads(&deep(DEPTH_MAX)).unwrap();
    assert!(json::check(whole.data.as_deref().unwrap().as_bytes()).is_ok());
    assert_eq!(reads(&written(&whole)), Ok(whole));
    assert_eq!(reads(&deep(DEPTH_MAX + 1)), Err(Malformed::Deep));
    assert_eq!(reads(&deep(500_000)), Err(Malformed::Deep));
    // What is skipped may be as deep as it likes.
    let skipped =
        [&b"\x83\xa4type\x00\xa3nsp\xa1/\xa1x"[..], &[0x81; 1][..], b"\xa1k", &vec![0x91; 500_000], b"\xc0"];
    assert!(reads(&skipped.concat()).is_ok());
    let attached = |n: u8, each: u8| {
        let mut data = vec![0x90 + n];
        (0..n).for_each(|_| data.extend([&[0xc4, each][..], &vec![0; usize::from(each)]].concat()));
        read(&carrying(3, &data), Four, &Limits { bytes: 100, ..Limits::default() })
            .map(|w| w.attachments.len())
    };
    assert_eq!(attached(10, 10), Ok(10));
    assert_eq!(attached(11, 1), Err(Malformed::TooManyAttachments(10)));
    assert_eq!(attached(10, 11), Err(Malformed::TooLongAttachments(100)));
    let named = b"\x82\xa4type\x00\xa3nsp\xa6/a?b=c";
    assert_eq!(read(named, Three, &Limits::default()).map(|w| w.query), Ok(Some("b=c".to_owned())));
    assert_eq!(reads(named).map(|w| w.namespace), Ok("/a?b=c".to_owned()));
}

#[test]
fn attachments_stand_where_their_placeholders_stood() {
    let place = |n: usize| format!("{{\"num\":{n}, \"_placeholder\":true}}");
    let whole = Whole {
        kind: Kind::BinaryAck,
        namespace: "/".to_owned(),
        query: None,
        ack: Some(1),
        data: Some(format!("[{},{{\"a\":{},\"b\":[ ]}},{},\"x\"]", place(1), place(0), place(1))),
        attachments: vec![Bytes::from_static(b"zero"), Bytes::from_static(b"one")],
    };
    let expected = b"\x84\xa4type\x03\xa3nsp\xa1/\xa4data\x94\xc4\x03one\x82\xa1a\xc4\x04zero\xa1b\x90\xc4\x03one\xa1x\xa2id\x01";
    assert_eq!(written(&whole), expected);
    assert_eq!(reads(expected).map(|w| w.attachments.len()), Ok(3));
    // Without attachments there are no placeholders.
    let plain = Whole { kind: Kind::Ack, attachments: Vec::new(), ..whole };
    assert_eq!(reads(&written(&plain)).map(|w| w.data.map(|d| d.contains("_placeholder"))), Ok(Some(true)));
}

/// notepack.io's and msgpack-lite's types of the same.
#[test]
fn buffers_of_all_sorts_are_bytes() {
    for value in [
        &b"\xc4\x02ab"[..],
        b"\xc7\x02\x00ab",
        b"\xd5\x00ab",
        b"\xd5\x12ab",
        b"\xc7\x02\x12ab",
        b"\xc7\x02\x1aab",
    ] {
        let whole = reads(&carrying(3, &[b"\x91", value].concat())).unwrap();
        assert_eq!(whole.attachments, [Bytes::from_static(b"ab")]);
        assert_eq!(whole.kind, Kind::BinaryAck);
    }
}

/// JSON values, but whole floats, which lose their fraction.
fn value() -> impl Strategy<Value = Value> {
    let float = any::<f64>().prop_map(|f| Value::from(if f.fract() == 0.0 { 0.5 } else { f }));
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i16>().prop_map(Value::from),
        float,
        any::<String>().prop_map(Value::from),
        select(&[31_usize, 32, 255, 256]).prop_map(|n| Value::from("x".repeat(n))),
    ];
    leaf.prop_recursive(4, 64, 20, |inner| {
        let members = vec((any::<String>(), inner.clone()), 0..20);
        prop_oneof![
            vec(inner, 0..20).prop_map(Value::from),
            members.prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// A value as this crate writes it.
fn text(value: &Value) -> String {
    let string = |text: &str| {
        let mut out = Vec::new();
        json::string(text, &mut out);
        String::from_utf8(out).unwrap()
    };
    let list = |parts: Vec<String>| parts.join(",");
    match value {
        Value::String(said) => string(said),
        Value::Array(values) => format!("[{}]", list(values.iter().map(text).collect())),
        Value::Object(members) => {
            let member = |(key, value): (&String, &Value)| format!("{}:{}", string(key), text(value));
            format!("{{{}}}", list(members.iter().map(member).collect()))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

fn answer(data: String) -> Whole {
    let namespace = "/x".to_owned();
    Whole { kind: Kind::Ack, namespace, query: None, ack: Some(5), data: Some(data), attachments: Vec::new() }
}

#[test]
fn many_values_are_counted() {
    for count in [0, 1, 15, 16, 17, 65_535, 65_536] {
        for one in ["1", "\"\"", "[]", "{}", "[1,[2,3],{\"a\":{}}]"] {
            let list = format!("[{}]", vec![one; count].join(","));
            let object = format!("[{{{}}}]", vec![format!("\"a\":{one}"); count].join(","));
            for data in [list, object, format!("[\"{}\"]", "x".repeat(count))] {
                let whole = answer(data);
                assert_eq!(reads(&written(&whole)), Ok(whole));
            }
        }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(value in value()) {
        let whole = answer(format!("[{}]", text(&value)));
        prop_assert_eq!(reads(&written(&whole)), Ok(whole));
    }

    #[test]
    fn nothing_panics(bytes in vec(any::<u8>(), 0..80)) {
        for bytes in [bytes.clone(), carrying(2, &bytes), carrying(3, &bytes)] {
            if let Ok(whole) = reads(&bytes) {
                prop_assert_eq!(reads(&written(&whole)), Ok(whole));
            }
        }
    }
}
