//! The rooms dialect's packets: JSON out of text.
//!
//! Holds that it finds in a packet what another JSON parser finds, that names are never empty, and that a packet
//! written again is the same packet.

use crate::bound::bounded;
use dialect::json;
use rooms_dialect::map::{self, Ask};
use rooms_dialect::wire;
use serde_json::Value;

pub(crate) const WORDS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "\"event\"",
    "\"payload\"",
    "\"subscribe\"",
    "\"unsubscribe\"",
    "\"broadcast\"",
    "\"chat\"",
    "\\u0065",
    "\\ud800",
    "\\ud83d\\ude00",
    "-1",
    "1e5",
    "null",
    "true",
    " ",
    "ü",
    "\u{0}",
    "{\"event\":\"subscribe\",\"payload\":[\"a\"]}",
    "[[[[[[[[",
];

pub(crate) fn check(input: &[u8]) {
    // What is not text ends the connection before a dialect hears of it.
    let Ok(text) = std::str::from_utf8(input) else { return };
    bounded(text.len(), || {
        drop(map::ask(text));
        drop(wire::rooms(text));
    });
    as_others_read_it(text);
    assert!(wire::rooms(text).iter().all(|room| !room.is_empty()));
    if let Some(packet) = wire::packet(text) {
        assert!(!packet.event.is_empty());
        let payload = packet.payload.unwrap_or("null");
        assert!(json::check(payload.as_bytes()).is_ok(), "{payload}");
        let mut out = Vec::new();
        wire::foreign(&packet.event, None, |out| out.extend_from_slice(payload.as_bytes()), &mut out);
        let again = String::from_utf8_lossy(&out);
        let again = wire::packet(&again).map(|p| (p.event.into_owned(), p.payload.map(str::to_owned)));
        assert_eq!(again, Some((packet.event.into_owned(), Some(payload.to_owned()))));
    }
    match map::ask(text) {
        Some(Ask::Publish(room, draft)) => {
            assert!(!room.is_empty());
            crossing(text, &draft);
        }
        Some(Ask::Broadcast(draft)) => crossing(text, &draft),
        Some(Ask::Join(rooms) | Ask::Leave(rooms)) => assert!(rooms.iter().all(|room| !room.is_empty())),
        None => {}
    }
}

/// A message is relayed unaltered to rooms, and is JSON to everybody else.
fn crossing(text: &str, draft: &model::Draft) {
    assert!(draft.verbatim.as_ref().is_some_and(|v| v.bytes == text.as_bytes()));
    assert!(json::check(&draft.payload.bytes).is_ok(), "{:?}", draft.payload);
}

/// What a whole JSON parser makes of it; where that one has a bound of its own, it is not asked.
fn as_others_read_it(text: &str) {
    let Ok(value) = serde_json::from_str::<Value>(text) else { return };
    let event = match value.get("event") {
        Some(Value::String(event)) if !event.is_empty() => Some(event.clone()),
        Some(Value::Number(number)) if number.is_i64() || number.is_u64() => Some(number.to_string()),
        // A number too large for it loses the digits that are the name.
        Some(Value::Number(_)) => return,
        Some(Value::String(_) | Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) | None => {
            None
        }
    };
    let packet = wire::packet(text);
    assert_eq!(packet.as_ref().map(|p| p.event.as_ref()), event.as_deref());
    if let Some(packet) = packet {
        let payload = packet.payload.map(|p| serde_json::from_str(p).unwrap_or_default());
        assert_eq!(payload.as_ref(), value.get("payload"));
    }
}
