//! JSON as every dialect needs it: what counts as JSON, and how a payload of any kind is written as JSON.
//!
//! The rules of crossing stand here once, so that a message looks the same to all dialects that have only JSON.
//! Knows nothing of the objects that single dialects put around a payload.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::{Kind, Payload};
use serde_json::value::RawValue;
use std::fmt;

/// How deep arrays and objects may stand in each other. What is deeper is no JSON to us, so that no reader
/// further on, ours or a peer's, runs out of stack.
pub const DEPTH_MAX: usize = 128;

/// Why some bytes are no JSON text. Says where.
#[derive(Debug)]
pub enum Flaw {
    /// They are not UTF-8 from this byte on.
    Encoding(usize),
    /// They break the grammar.
    Grammar(serde_json::Error),
    /// They nest deeper than [`DEPTH_MAX`].
    Depth,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encoding(at) => write!(f, "not UTF-8 at byte {at}"),
            Self::Grammar(error) => error.fmt(f),
            Self::Depth => write!(f, "nested deeper than {DEPTH_MAX} levels"),
        }
    }
}

impl std::error::Error for Flaw {}

/// Checks that `bytes` are one JSON text (RFC 8259), with or without white space around it.
///
/// # Errors
/// Says what is wrong with them, and where.
///
/// ```
/// use dialect::json;
/// assert!(json::check(br#" {"a":[1]} "#).is_ok());
/// assert_eq!(json::check(b"[1,\n2,]").unwrap_err().to_string(), "expected value at line 2 column 3");
/// ```
pub fn check(bytes: &[u8]) -> Result<(), Flaw> {
    let text = std::str::from_utf8(bytes).map_err(|e| Flaw::Encoding(e.valid_up_to()))?;
    if is_deep(text) {
        return Err(Flaw::Depth);
    }
    serde_json::from_str::<&RawValue>(text).map(|_| ()).map_err(Flaw::Grammar)
}

/// Whether `text`, taken as JSON, nests deeper than [`DEPTH_MAX`].
///
/// PERF: most text is too short for it, nearly all other has fewer brackets than that, and counting them is one
/// vectorised pass.
#[must_use]
pub fn is_deep(text: &str) -> bool {
    // What is opened must be closed, or it is no JSON anyway.
    text.len() > 2 * DEPTH_MAX && brackets(text) > DEPTH_MAX && depth(text) > DEPTH_MAX
}

/// How many brackets open in `text`, in strings and out of them.
fn brackets(text: &str) -> usize {
    // `[` and `{` differ in one bit. Sums of 255 fit a byte, so that sixteen are counted at once.
    let opening = |b: &u8| u8::from(b | 0x20 == b'{');
    text.as_bytes().chunks(255).map(|chunk| usize::from(chunk.iter().map(opening).sum::<u8>())).sum()
}

fn depth(text: &str) -> usize {
    let (mut now, mut most) = (0_usize, 0);
    let (mut quoted, mut escaped) = (false, false);
    for b in text.bytes() {
        if escaped {
            escaped = false;
            continue;
        }
        match b {
            b'\\' => escaped = quoted,
            b'"' => quoted = !quoted,
            b'[' | b'{' if !quoted => {
                now += 1;
                most = most.max(now);
            }
            b']' | b'}' if !quoted => now = now.saturating_sub(1),
            _ => {}
        }
    }
    most
}

/// Writes a payload as one JSON value: JSON as it is, text as a string; bytes as the JSON or the text they are,
/// else as `{"$binary":"<base64>"}`.
pub fn payload_as_json(payload: &Payload, out: &mut Vec<u8>) {
    let bytes = &payload.bytes;
    match payload.kind {
        Kind::Json => out.extend_from_slice(bytes),
        Kind::Text => match std::str::from_utf8(bytes) {
            Ok(text) => string(text, out),
            Err(_) => binary(bytes, out),
        },
        Kind::Bytes => match std::str::from_utf8(bytes) {
            Ok(_) if check(bytes).is_ok() => out.extend_from_slice(bytes),
            Ok(text) => string(text, out),
            Err(_) => binary(bytes, out),
        },
    }
}

fn binary(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"$binary\":\"");
    base64(bytes, out);
    out.extend_from_slice(b"\"}");
}

/// Writes bytes in base64 (RFC 4648 §4, with padding).
pub fn base64(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(STANDARD.encode(bytes).as_bytes());
}

/// Writes `text` as a JSON string, quotes and all, escaping what must be escaped and nothing else.
pub fn string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|&b| b < 0x20 || b == b'"' || b == b'\\') {
        let (clean, tail) = rest.split_at(at);
        out.extend_from_slice(clean);
        let Some((&b, tail)) = tail.split_first() else { break };
        escape(b, out);
        rest = tail;
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

fn escape(b: u8, out: &mut Vec<u8>) {
    let short = match b {
        b'"' => b'"',
        b'\\' => b'\\',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        _ => {
            let digit = |d: u8| if d < 10 { b'0' + d } else { b'a' + (d - 10) };
            return out.extend_from_slice(&[b'\\', b'u', b'0', b'0', digit(b >> 4), digit(b & 15)]);
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn as_json(payload: &Payload) -> String {
        let mut out = Vec::new();
        payload_as_json(payload, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn payloads_cross_into_json() {
        let of = |kind, bytes: &'static [u8]| as_json(&Payload { kind, bytes: Bytes::from_static(bytes) });
        assert_eq!(of(Kind::Json, b"{ \"a\":1.0 }"), "{ \"a\":1.0 }");
        assert_eq!(of(Kind::Text, b"5"), "\"5\"");
        assert_eq!(of(Kind::Bytes, b"5"), "5");
        assert_eq!(of(Kind::Bytes, b"five"), "\"five\"");
        assert_eq!(of(Kind::Bytes, b""), "\"\"");
        assert_eq!(of(Kind::Bytes, b"\xff\x00"), "{\"$binary\":\"/wA=\"}");
    }

    #[test]
    fn strings_are_read_back_as_they_were() {
        let all: String = (0..0x250).filter_map(char::from_u32).collect();
        for text in ["", "plain", "\"\\/\u{0}\u{1f}\u{7f}", "ü 你好 \u{2028}", &all] {
            let mut out = Vec::new();
            string(text, &mut out);
            assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        }
    }

    #[test]
    fn depth_is_counted_outside_of_strings() {
        let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(check(nested(DEPTH_MAX).as_bytes()).is_ok());
        assert!(matches!(check(nested(DEPTH_MAX + 1).as_bytes()), Err(Flaw::Depth)));
        let wide = format!("[{}[]]", "[],".repeat(1000));
        assert!(check(wide.as_bytes()).is_ok());
        let quoted = format!("\"{}\\\"{}\"", "[".repeat(200), "{".repeat(200));
        assert!(check(quoted.as_bytes()).is_ok());
    }

    #[test]
    fn flaws_say_where() {
        let says = |bytes: &[u8]| check(bytes).unwrap_err().to_string();
        assert_eq!(says(b"\"a\xff\""), "not UTF-8 at byte 2");
        assert_eq!(says(b"{\"a\":1,\n\"b\":}"), "expected value at line 2 column 5");
        assert_eq!(says(b""), "EOF while parsing a value at line 1 column 0");
        assert_eq!(says(b"1 2"), "trailing characters at line 1 column 3");
    }
}
