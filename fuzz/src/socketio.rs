//! Socket.IO's packets: out of text and binary frames in any order, and out of msgpack.
//!
//! Holds that what is read is sound (JSON of its kind's shape, placeholders for what is there), that another reader of
//! JSON finds the same in it, and that it is the same again through every form there is.

use crate::bound::{bounded, bounded_beside};
use bytes::Bytes;
use dialect::json;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use socketio_dialect::wire::arguments;
use socketio_dialect::wire::binary::{Packed, Reader, Whole, as_json, pack, unpack};
use socketio_dialect::wire::engine::Revision;
use socketio_dialect::wire::msgpack;
use socketio_dialect::wire::packet::{Kind, Limits, Malformed, Packet};
use std::hint::black_box;

pub(crate) const PACKET_WORDS: &[&str] = &[
    "\u{1e}",
    "\u{1e}b",
    "\u{1e}51-",
    "\u{1e}62-",
    "\u{1e}2[\"a\",",
    "0/admin,",
    "1/admin",
    "?token=1,",
    "/",
    "-",
    ",",
    "[",
    "]",
    "{\"_placeholder\":true,\"num\":0}",
    "{\"num\":1,\"_placeholder\":true}",
    "\"_\\u0070laceholder\"",
    "\"num\":",
    "true",
    "1e0",
    "9007199254740991",
    "\"connect\"",
    "\"newListener\"",
    "\\ud800",
    "\\\"",
    "1e400",
    "-0",
    "null",
    " ",
    "ü",
    "[[[[[[[[",
    "{\"a\":{\"a\":",
];

pub(crate) const MSGPACK_WORDS: &[&str] = &[
    // Of bytes above 0x7f what UTF-8 makes of them stands in for many; the corpus has the rest.
    "type",
    "nsp",
    "data",
    "id",
    "/",
    "connect",
    "_placeholder",
    "\u{0}",
    "\u{1}",
    "\u{2}",
    "\u{3}",
    "\u{7f}",
    "ü",
    "你",
    "😀",
];

const SMALL: Limits = Limits { attachments: 2, bytes: 6, namespace: 4 };
const LARGE: Limits = Limits { attachments: 10, bytes: 60_000, namespace: 255 };

/// Frames, and the packets in them up to the first that is none.
fn hear(input: &[u8], mut each: impl FnMut(Whole, Revision, &Limits)) -> Result<(), Malformed> {
    let Some((flags, frames)) = input.split_first() else { return Ok(()) };
    let revision = if flags & 1 == 1 { Revision::Three } else { Revision::Four };
    let limits = if flags & 2 == 2 { &SMALL } else { &LARGE };
    let mut reader = Reader::new();
    for frame in frames.split(|byte| *byte == 0x1e) {
        if let Some(bytes) = frame.strip_prefix(b"b") {
            if let Some(whole) = reader.bytes(bytes, limits)? {
                each(whole, revision, limits);
            }
        } else if let Ok(text) = std::str::from_utf8(frame)
            && let Some(packet) = reader.text(text, revision, limits)?
        {
            each(alone(&packet), revision, limits);
        }
    }
    Ok(())
}

/// A packet without attachments, as one that had some would be.
fn alone(packet: &Packet<'_>) -> Whole {
    assert!(packet.attachments == 0 && !packet.kind.is_binary());
    Whole {
        kind: packet.kind,
        namespace: packet.namespace.to_owned(),
        query: packet.query.map(str::to_owned),
        ack: packet.ack,
        data: packet.data.map(str::to_owned),
        attachments: Vec::new(),
    }
}

/// Text frames and binary frames.
pub(crate) fn packet(input: &[u8]) {
    bounded_beside(LARGE.bytes, input.len(), || {
        let heard = hear(input, |whole, _, _| drop(black_box(whole)));
        drop(black_box(heard));
    });
    let heard = hear(input, |whole, revision, limits| {
        sound(&whole, limits);
        assert_eq!(as_text(&whole, revision, limits), Ok(whole.clone()));
        carried(&whole, limits);
        through_msgpack(&whole, revision, limits);
    });
    if let Err(why) = heard {
        assert!(!why.to_string().is_empty());
    }
}

/// One binary message.
pub(crate) fn msgpack(input: &[u8]) {
    for revision in [Revision::Three, Revision::Four] {
        for limits in [&SMALL, &LARGE] {
            bounded(input.len(), || drop(black_box(msgpack::read(input, revision, limits))));
            let Ok(whole) = msgpack::read(input, revision, limits) else { continue };
            sound(&whole, limits);
            assert!(msgpack::is_likely(input));
            assert_eq!(as_text(&whole, revision, limits), Ok(whole.clone()));
            assert_eq!(msgpack::read(&as_msgpack(&whole), revision, limits), Ok(whole.clone()));
            carried(&whole, limits);
        }
    }
}

/// What holds for each packet, whatever it came in.
fn sound(whole: &Whole, limits: &Limits) {
    assert!(whole.kind.is_binary() != whole.attachments.is_empty());
    assert!(whole.attachments.len() <= usize::from(limits.attachments));
    assert!(whole.attachments.iter().map(Bytes::len).sum::<usize>() <= limits.bytes);
    assert!(whole.namespace.starts_with('/') && whole.namespace.len() <= limits.namespace);
    assert!(whole.ack.is_none_or(|id| id < 1 << 53));
    let Some(data) = &whole.data else { return };
    assert!(json::check(data.as_bytes()).is_ok(), "{data}");
    match whole.kind {
        Kind::Connect => assert!(data.starts_with('{')),
        Kind::Event | Kind::BinaryEvent => event(data),
        Kind::Ack | Kind::BinaryAck => {
            assert_eq!(others_list(data), arguments::values(data).collect::<Vec<_>>());
        }
        Kind::Disconnect | Kind::ConnectError => assert!(data.is_empty(), "it carries nothing"),
    }
}

/// The values of an array as `serde_json` finds them.
fn others_list(data: &str) -> Vec<&str> {
    let list: Vec<&RawValue> = serde_json::from_str(data).unwrap_or_default();
    list.into_iter().map(RawValue::get).collect()
}

fn event(data: &str) {
    let event = arguments::event(data);
    assert!(event.is_some(), "an event has a name: {data}");
    let Some(event) = event else { return };
    let list = others_list(data);
    assert_eq!(list.first().copied(), Some(event.raw_name));
    assert_eq!(list.get(1..), Some(&event.arguments.clone().collect::<Vec<_>>()[..]));
    // Half of a surrogate pair is nobody's string.
    match serde_json::from_str::<Value>(event.raw_name) {
        Ok(Value::String(name)) => assert_eq!(event.name, name),
        Ok(value) => assert!(value.is_number() && event.name == event.raw_name),
        Err(_) => {}
    }
}

fn as_text(whole: &Whole, revision: Revision, limits: &Limits) -> Result<Whole, Malformed> {
    let mut out = Vec::new();
    whole.packet().write(&mut out);
    let mut reader = Reader::new();
    let text = String::from_utf8_lossy(&out);
    if let Some(packet) = reader.text(&text, revision, limits)? {
        return Ok(alone(&packet));
    }
    let mut again = None;
    for attachment in &whole.attachments {
        assert!(again.is_none() && reader.is_waiting());
        again = reader.bytes(attachment, limits)?;
    }
    again.ok_or(Malformed::Empty)
}

fn as_msgpack(whole: &Whole) -> Vec<u8> {
    let mut out = Vec::new();
    msgpack::write(&whole.packet(), &whole.attachments, &mut out);
    out
}

/// What is carried through the hub comes out as it was, and is for others what it was for us.
fn carried(whole: &Whole, limits: &Limits) {
    let Some(list) = whole.data.as_deref().filter(|data| data.starts_with('[')) else { return };
    let attachments = whole.attachments.clone();
    let packed = pack(list, &attachments).unwrap_or_default();
    assert_eq!(unpack(&packed, limits), Some(Packed { arguments: list, attachments }));
    let mut crossed = Vec::new();
    bounded_beside(4 * limits.bytes, list.len(), || as_json(list, &whole.attachments, &mut crossed));
    assert!(json::check(&crossed).is_ok());
    // Numbers beyond floats, and halves of surrogate pairs, are JSON and no values.
    let (Ok(mut meant), Ok(crossed)) =
        (serde_json::from_str(list), serde_json::from_slice::<Value>(&crossed))
    else {
        return;
    };
    if !whole.attachments.is_empty() {
        replace(&mut meant, &whole.attachments);
    }
    assert_eq!(meant, crossed);
}

/// Placeholders replaced in values, as a client would do it.
fn replace(value: &mut Value, attachments: &[Bytes]) {
    match value {
        Value::Object(members) if members.get("_placeholder") == Some(&Value::Bool(true)) => {
            let number = members.get("num").and_then(Value::as_f64).unwrap_or(-1.0);
            let found = attachments.iter().zip(0_u8..).find(|(_, n)| f64::from(*n) == number);
            assert!(found.is_some(), "there is attachment {number}");
            let mut encoded = Vec::new();
            json::base64(found.map(|(bytes, _)| &**bytes).unwrap_or_default(), &mut encoded);
            *value = json!({ "$binary": String::from_utf8_lossy(&encoded) });
        }
        Value::Object(members) => members.values_mut().for_each(|value| replace(value, attachments)),
        Value::Array(values) => values.iter_mut().for_each(|value| replace(value, attachments)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Numbers lose what JavaScript's numbers have not; what has lost it is the same for good.
fn through_msgpack(whole: &Whole, revision: Revision, limits: &Limits) {
    let mut bytes = Vec::new();
    bounded_beside(4 * LARGE.bytes, whole.data.as_deref().map_or(0, str::len), || bytes = as_msgpack(whole));
    let again = msgpack::read(&bytes, revision, limits);
    if let Ok(again) = &again {
        assert_eq!(msgpack::read(&as_msgpack(again), revision, limits).as_ref(), Ok(again));
        return;
    }
    // There, an event or answer has data; a number beyond floats is no name; an attachment that stands in two places
    // is two; and what is nearly a placeholder is refused beside attachments.
    let data = whole.data.as_deref();
    let named = data.is_none_or(|data| !data.starts_with("[\""));
    let bare = data.is_none() && matches!(whole.kind, Kind::Event | Kind::Ack);
    let is_event = matches!(whole.kind, Kind::Event | Kind::BinaryEvent);
    assert!(bare || (is_event && named) || !whole.attachments.is_empty(), "{again:?}: {whole:?}");
}
