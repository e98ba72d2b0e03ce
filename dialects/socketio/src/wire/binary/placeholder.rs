//! Placeholders: objects with `"_placeholder":true` that stand for the attachment `"num"`. Finds them at any depth, and
//! replaces them. Knows no packets.

use crate::wire::tokens::{Sort, Token, Tokens, unquote};
use dialect::json;
use std::io::Write;

/// Where a placeholder stands.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(in crate::wire) struct Place {
    /// Bytes before it.
    pub(in crate::wire) start: usize,
    /// Bytes up to its end.
    pub(in crate::wire) end: usize,
    /// Its `num`, when that is a whole number.
    pub(in crate::wire) number: Option<usize>,
}

/// An array or object that has not ended.
struct Open {
    start: usize,
    is_object: bool,
    /// The key of the value that comes.
    key: Option<Key>,
    says_so: bool,
    number: Option<usize>,
    /// How many places had been found before it.
    before: usize,
}

#[derive(Clone, Copy)]
enum Key {
    Placeholder,
    Num,
    Other,
}

impl Open {
    fn new(token: &Token<'_>, before: usize) -> Self {
        let is_object = token.raw == "{";
        Self { start: token.start, is_object, key: None, says_so: false, number: None, before }
    }

    /// Hears a string, a number or a word, or that something opens. As in JavaScript the last of equal keys counts.
    fn hear(&mut self, raw: &str) {
        match self.key {
            None if self.is_object => self.key = Some(key(raw)),
            Some(Key::Placeholder) => self.says_so = raw == "true",
            Some(Key::Num) => self.number = whole(raw),
            Some(Key::Other) | None => {}
        }
    }
}

fn key(raw: &str) -> Key {
    match &*unquote(raw) {
        "_placeholder" => Key::Placeholder,
        "num" => Key::Num,
        _ => Key::Other,
    }
}

/// A whole number, however it is written; it counts no more than attachments.
fn whole(raw: &str) -> Option<usize> {
    let number: f64 = raw.parse().ok()?;
    (0..=u8::MAX).find(|n| f64::from(*n) == number).map(usize::from)
}

/// All placeholders of a JSON text that has been checked, in order. What stands in a placeholder is none.
pub(in crate::wire) fn places(json: &str) -> Vec<Place> {
    let mut found: Vec<Place> = Vec::new();
    let mut open: Vec<Open> = Vec::new();
    for token in Tokens::new(json) {
        match token.sort {
            Sort::Open => {
                if let Some(around) = open.last_mut() {
                    around.hear(token.raw);
                }
                open.push(Open::new(&token, found.len()));
            }
            Sort::Close => {
                if let Some(Open { says_so: true, start, number, before, .. }) = open.pop() {
                    found.truncate(before);
                    found.push(Place { start, end: token.end(), number });
                }
            }
            Sort::Comma => {
                if let Some(around) = open.last_mut() {
                    around.key = None;
                }
            }
            Sort::Colon => {}
            Sort::Text | Sort::Bare => {
                if let Some(around) = open.last_mut() {
                    around.hear(token.raw);
                }
            }
        }
    }
    found
}

/// Writes JSON text with each placeholder replaced by `{"$binary":"<base64>"}`, for whoever has no attachments.
/// Without attachments, it is written as it is: then what looks like a placeholder is none.
pub fn as_json(raw: &str, attachments: &[impl AsRef<[u8]>], out: &mut Vec<u8>) {
    let mut done = 0;
    let places = if attachments.is_empty() { Vec::new() } else { places(raw) };
    for place in places {
        let Some(attachment) = place.number.and_then(|n| attachments.get(n)) else { continue };
        out.extend_from_slice(raw.as_bytes().get(done..place.start).unwrap_or_default());
        out.extend_from_slice(b"{\"$binary\":\"");
        json::base64(attachment.as_ref(), out);
        out.extend_from_slice(b"\"}");
        done = place.end;
    }
    out.extend_from_slice(raw.as_bytes().get(done..).unwrap_or_default());
}

/// Of a JSON value that is a placeholder and nothing else: the attachment that it stands for.
#[must_use]
pub fn sole<'a, T>(raw: &str, attachments: &'a [T]) -> Option<&'a T> {
    if attachments.is_empty() {
        return None;
    }
    match &*places(raw) {
        [place] if place.start == 0 && place.end == raw.len() => attachments.get(place.number?),
        _ => None,
    }
}

/// Writes the placeholder for an attachment.
pub fn write_placeholder(number: usize, out: &mut Vec<u8>) {
    // INVARIANT: writing to a Vec cannot fail.
    let _infallible = write!(out, "{{\"_placeholder\":true,\"num\":{number}}}").is_ok();
}
