//! The packets of ioTower: one JSON object to a WebSocket message, read and written by pure functions.
//!
//! Uses the protocol's words (event, payload, room) and refuses to know what becomes of a packet. What it reads
//! comes from strangers: nothing here panics, recurses without bound, or allocates by a number that a peer wrote.

use dialect::json;
use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::io::Write;

/// Dumont's words to whoever comes in.
pub const QUOTE: &str = "Yes, I'm old. Old enough to remember the MCP when he was just a chess program. \
                         He started small, and he'll end small.";

/// An object with an event, the only thing a client says.
#[derive(Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// What it is about: a reserved word, or a room. Never empty.
    pub event: Cow<'a, str>,
    /// The JSON text of the member `payload`, if there is one; a part of the frame.
    pub payload: Option<&'a str>,
}

/// Reads a frame. `None` for what the tower ignores: no JSON, no object, no event. SPEC [IN-1], [IN-2], [IN-3].
///
/// PERF: one pass; nothing is allocated unless the event is written with escapes.
#[must_use]
pub fn packet(frame: &str) -> Option<Packet<'_>> {
    if json::is_deep(frame) {
        return None;
    }
    let object: Object<'_> = serde_json::from_str(frame).ok()?;
    let event = name(object.event?)?;
    Some(Packet { event, payload: object.payload.map(RawValue::get) })
}

/// The rooms that the payload of `subscribe` or `unsubscribe` names: the elements of an array, or the values of an
/// object, that can be names. SPEC [SUB-1], [SUB-4].
#[must_use]
pub fn rooms(payload: &str) -> Vec<Cow<'_, str>> {
    let Ok(List(values)) = serde_json::from_str(payload) else { return Vec::new() };
    values.into_iter().filter_map(name).collect()
}

/// A name as JSON may say it: a string, or an integer, which stands for its digits. Not the empty string.
fn name(value: &RawValue) -> Option<Cow<'_, str>> {
    let text = value.get();
    let name = match text.as_bytes().first()? {
        b'"' if text.contains('\\') => Cow::Owned(serde_json::from_str(text).ok()?),
        b'"' => Cow::Borrowed(text.strip_prefix('"')?.strip_suffix('"')?),
        b'-' | b'0'..=b'9' if !text.contains(['.', 'e', 'E']) => Cow::Borrowed(text),
        _ => return None,
    };
    (!name.is_empty()).then_some(name)
}

/// The members of a packet that matter, unread. Of several with one key the last counts, as in PHP.
#[derive(Default)]
struct Object<'a> {
    event: Option<&'a RawValue>,
    payload: Option<&'a RawValue>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_map(ObjectVisitor)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut object = Object::default();
        while let Some(key) = members.next_key()? {
            match key {
                Key::Event => object.event = Some(members.next_value()?),
                Key::Payload => object.payload = Some(members.next_value()?),
                Key::Other => {
                    members.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(object)
    }
}

enum Key {
    Event,
    Payload,
    Other,
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_identifier(KeyVisitor)
    }
}

struct KeyVisitor;

impl Visitor<'_> for KeyVisitor {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Key, E> {
        Ok(match key {
            "event" => Key::Event,
            "payload" => Key::Payload,
            _ => Key::Other,
        })
    }
}

/// The elements of an array or the values of an object, unread.
struct List<'a>(Vec<&'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for List<'a> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_any(ListVisitor)
    }
}

struct ListVisitor;

impl<'de> Visitor<'de> for ListVisitor {
    type Value = List<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array or an object")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = elements.next_element()? {
            values.push(value);
        }
        Ok(List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut values = Vec::new();
        while let Some((IgnoredAny, value)) = members.next_entry()? {
            values.push(value);
        }
        Ok(List(values))
    }
}

/// Writes the greeting, with the blank after the colon that the original has. SPEC [WS-2].
pub fn greeting(out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"msg\": ");
    json::string(QUOTE, out);
    out.push(b'}');
}

/// Writes the answer to a room of `subscribe`. SPEC [SUB-2].
pub fn subscribed(room: &str, out: &mut Vec<u8>) {
    msg(format_args!("Subscribed to {room}"), out);
}

/// Writes the answer to a room of `unsubscribe`, in the words of the original. SPEC [UNS-1].
pub fn unsubscribed(room: &str, out: &mut Vec<u8>) {
    msg(format_args!("Unsubscribed to {room}"), out);
}

/// Writes that something was not done, and why. SPEC [NO-1].
pub fn refused(why: &impl fmt::Display, out: &mut Vec<u8>) {
    msg(format_args!("Refused: {why}"), out);
}

/// Writes that messages were lost on the way to this client. SPEC [OUT-3].
pub fn missed(count: u64, out: &mut Vec<u8>) {
    msg(format_args!("Missed {count} messages"), out);
}

/// A word of the tower to one client: no `event`, so that clients that know no such words ignore it.
fn msg(text: fmt::Arguments<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"msg\":");
    json::string(&text.to_string(), out);
    out.push(b'}');
}

/// Writes a packet as a client would have: `{"event":…,"payload":…}`, with `"name":…` after it when there is one.
/// SPEC [OUT-2].
pub fn foreign(event: &str, name: Option<&str>, payload: impl FnOnce(&mut Vec<u8>), out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"event\":");
    json::string(event, out);
    out.extend_from_slice(b",\"payload\":");
    payload(out);
    if let Some(name) = name {
        out.extend_from_slice(b",\"name\":");
        json::string(name, out);
    }
    out.push(b'}');
}

/// Writes the body of the answer to an upgrade that is refused (RFC 9457). SPEC [WS-4].
pub fn problem(status: u16, title: &str, detail: &impl fmt::Display, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"type\":\"about:blank\",\"title\":");
    json::string(title, out);
    out.extend_from_slice(b",\"status\":");
    // Writing to a vector cannot fail.
    write!(out, "{status}").ok();
    out.extend_from_slice(b",\"detail\":");
    json::string(&detail.to_string(), out);
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(frame: &str) -> Option<(String, Option<String>)> {
        packet(frame).map(|p| (p.event.into_owned(), p.payload.map(str::to_owned)))
    }

    #[test]
    fn packets_are_found() {
        for (frame, event, payload) in [
            (r#"{"event":"chat","payload":"hi"}"#, "chat", Some(r#""hi""#)),
            (r#" { "payload" : [ 1 , 2.50 ] , "event" : "chat" } "#, "chat", Some("[ 1 , 2.50 ]")),
            (r#"{"event":"chat"}"#, "chat", None),
            (r#"{"event":"chat","payload":null}"#, "chat", Some("null")),
            (r#"{"event":"c\u0068at \"x\""}"#, "chat \"x\"", None),
            (r#"{"\u0065vent":"chat","p\u0061yload":1}"#, "chat", Some("1")),
            (r#"{"event":"你好"}"#, "你好", None),
            // Integers stand for their digits, as they did in PHP.
            (r#"{"event":5}"#, "5", None),
            (r#"{"event":-5}"#, "-5", None),
            (r#"{"event":123456789012345678901234567890}"#, "123456789012345678901234567890", None),
            // Of several members with one key the last counts.
            (r#"{"event":"a","payload":1,"event":"b","payload":2}"#, "b", Some("2")),
            (r#"{"event":null,"event":"b"}"#, "b", None),
            (r#"{"x":{"event":"inner"},"event":"outer","y":[[{}]]}"#, "outer", None),
            (r#"{"event":"a","payload":"\ud800"}"#, "a", Some(r#""\ud800""#)),
            (r#"{"event":"a","payload":1e999999}"#, "a", Some("1e999999")),
            (r#"{"event":"a\u0000b"}"#, "a\0b", None),
        ] {
            assert_eq!(read(frame), Some((event.to_owned(), payload.map(str::to_owned))), "{frame}");
        }
    }

    #[test]
    fn what_is_no_packet_is_ignored() {
        let deep = format!(r#"{{"event":"a","payload":{}{}}}"#, "[".repeat(500), "]".repeat(500));
        let open = "[".repeat(1 << 20);
        for frame in [
            "",
            " ",
            "hello",
            "5",
            "null",
            "\"event\"",
            r#"["event","a"]"#,
            r#"[{"event":"a"}]"#,
            "{}",
            r#"{"payload":1}"#,
            r#"{"Event":"a"}"#,
            r#"{"event":""}"#,
            r#"{"event":null}"#,
            r#"{"event":true}"#,
            r#"{"event":1.0}"#,
            r#"{"event":1e3}"#,
            r#"{"event":["a"]}"#,
            r#"{"event":{"a":1}}"#,
            r#"{"event":"a","event":null}"#,
            r#"{"event":"\ud800"}"#,
            r#"{"\ud800":1,"event":"a"}"#,
            r#"{"event":"a"} x"#,
            r#"{"event":"a"}{"event":"a"}"#,
            r#"{"event":"a",}"#,
            r#"{event:"a"}"#,
            r#"{"event":'a'}"#,
            r#"{"event":01}"#,
            "{\"event\":\"a\u{0}\"}",
            "\u{feff}{\"event\":\"a\"}",
            &deep,
            &open,
        ] {
            assert_eq!(read(frame), None, "{}", frame.get(..40).unwrap_or(frame));
        }
    }

    #[test]
    fn a_plain_packet_is_borrowed() {
        let packet = packet(r#"{"event":"chat","payload":"hi"}"#).unwrap();
        assert!(matches!(packet.event, Cow::Borrowed(_)));
    }

    #[test]
    fn rooms_are_strings_and_integers() {
        for (payload, expected) in [
            (r#"["chat","b\u0061r",5,-1]"#, vec!["chat", "bar", "5", "-1"]),
            (r#"["", null, true, 1.5, [], ["x"], {"a":"b"}, "ok", "\ud800"]"#, vec!["ok"]),
            (r#"{"a":"x","b":7,"c":null}"#, vec!["x", "7"]),
            ("[]", vec![]),
            ("\"chat\"", vec![]),
            ("5", vec![]),
            ("null", vec![]),
        ] {
            assert_eq!(rooms(payload), expected, "{payload}");
        }
    }

    #[test]
    fn words_of_the_tower() {
        let written = |write: &dyn Fn(&mut Vec<u8>)| {
            let mut out = Vec::new();
            write(&mut out);
            String::from_utf8(out).unwrap()
        };
        let greeting = written(&greeting);
        assert!(greeting.starts_with(r#"{"msg": "Yes, I'm old. Old enough to remember the MCP when "#));
        assert!(greeting.ends_with(r#"a chess program. He started small, and he'll end small."}"#));
        assert_eq!(written(&|out| subscribed("a\"b", out)), r#"{"msg":"Subscribed to a\"b"}"#);
        assert_eq!(written(&|out| unsubscribed("chat", out)), r#"{"msg":"Unsubscribed to chat"}"#);
        assert_eq!(written(&|out| missed(3, out)), r#"{"msg":"Missed 3 messages"}"#);
        let payload = |out: &mut Vec<u8>| out.extend_from_slice(b"[1]");
        assert_eq!(written(&|out| foreign("chat", None, payload, out)), r#"{"event":"chat","payload":[1]}"#);
        assert_eq!(
            written(&|out| foreign("chat", Some("tick"), payload, out)),
            r#"{"event":"chat","payload":[1],"name":"tick"}"#
        );
    }
}
