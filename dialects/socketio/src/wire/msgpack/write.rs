//! Packets into msgpack, from JSON text that has been checked and the attachments that its placeholders stand for.
//! Does not recurse, whatever nests. Knows no frames.

use crate::wire::binary::{Place, places};
use crate::wire::packet::{Kind, Packet};
use crate::wire::tokens::{Sort, Tokens, unquote};
use bytes::Bytes;

/// Writes a packet as one binary message. Without attachments, what looks like a placeholder is none.
pub fn write(packet: &Packet<'_>, attachments: &[Bytes], out: &mut Vec<u8>) {
    let members = 2 + u8::from(packet.data.is_some()) + u8::from(packet.ack.is_some());
    out.push(0x80 | members);
    text("type", out);
    out.push(match packet.kind {
        Kind::Connect => 0,
        Kind::Disconnect => 1,
        Kind::Event | Kind::BinaryEvent => 2,
        Kind::Ack | Kind::BinaryAck => 3,
        Kind::ConnectError => 4,
    });
    text("nsp", out);
    let whole = packet.query.map(|query| format!("{}?{query}", packet.namespace));
    text(whole.as_deref().unwrap_or(packet.namespace), out);
    if let Some(data) = packet.data {
        text("data", out);
        value(data, attachments, out);
    }
    if let Some(id) = packet.ack {
        text("id", out);
        unsigned(id, out);
    }
}

/// What stands in JSON text, with attachments in the place of their placeholders.
#[derive(Clone, Copy)]
enum Step<'a> {
    Open { is_object: bool },
    Close,
    Comma,
    Text(&'a str),
    Bare(&'a str),
    Attachment(&'a Bytes),
}

#[derive(Clone)]
struct Steps<'a> {
    tokens: Tokens<'a>,
    places: std::slice::Iter<'a, Place>,
    attachments: &'a [Bytes],
}

impl<'a> Iterator for Steps<'a> {
    type Item = Step<'a>;

    fn next(&mut self) -> Option<Step<'a>> {
        let token = self.tokens.find(|token| token.sort != Sort::Colon)?;
        Some(match token.sort {
            Sort::Open => {
                if let Some(place) = self.places.as_slice().first().filter(|p| p.start == token.start) {
                    self.places.next();
                    if let Some(attachment) = place.number.and_then(|n| self.attachments.get(n)) {
                        self.tokens.skip_to(place.end);
                        return Some(Step::Attachment(attachment));
                    }
                }
                Step::Open { is_object: token.raw == "{" }
            }
            Sort::Close => Step::Close,
            Sort::Comma => Step::Comma,
            Sort::Text => Step::Text(token.raw),
            Sort::Bare | Sort::Colon => Step::Bare(token.raw),
        })
    }
}

fn value(json: &str, attachments: &[Bytes], out: &mut Vec<u8>) {
    let places = if attachments.is_empty() { Vec::new() } else { places(json) };
    let steps = Steps { tokens: Tokens::new(json), places: places.iter(), attachments };
    let mut counts = counts(steps.clone()).into_iter();
    for step in steps {
        match step {
            Step::Open { is_object } => {
                let count = counts.next().unwrap_or_default();
                let codes = if is_object { [0x80, 0xde, 0xdf] } else { [0x90, 0xdc, 0xdd] };
                head(count, codes, out);
            }
            Step::Close | Step::Comma => {}
            Step::Text(raw) => text(&unquote(raw), out),
            Step::Bare(raw) => bare(raw, out),
            Step::Attachment(bytes) => {
                length(bytes.len(), [0xc4, 0xc5, 0xc6], out);
                out.extend_from_slice(bytes);
            }
        }
    }
}

/// How many values each array and object has, in the order in which they open.
fn counts(steps: Steps<'_>) -> Vec<u32> {
    let mut counts: Vec<u32> = Vec::new();
    // Places in `counts`, and whether something has been seen in it.
    let mut open: Vec<usize> = Vec::new();
    let mut is_empty = false;
    for step in steps {
        // What comes first in an array or object makes its count 1; then commas count.
        if std::mem::take(&mut is_empty) && !matches!(step, Step::Close) {
            add(&mut counts, &open);
        }
        match step {
            Step::Open { .. } => {
                open.push(counts.len());
                counts.push(0);
                is_empty = true;
            }
            Step::Close => drop(open.pop()),
            Step::Comma => add(&mut counts, &open),
            Step::Text(_) | Step::Bare(_) | Step::Attachment(_) => {}
        }
    }
    counts
}

fn add(counts: &mut [u32], open: &[usize]) {
    if let Some(count) = open.last().and_then(|at| counts.get_mut(*at)) {
        *count = count.saturating_add(1);
    }
}

/// The head of an array or a map: short, or with two or four bytes for its count.
fn head(count: u32, [short, two, four]: [u8; 3], out: &mut Vec<u8>) {
    match (u8::try_from(count), u16::try_from(count)) {
        (Ok(count @ 0..=15), _) => out.push(short | count),
        (_, Ok(count)) => {
            out.push(two);
            out.extend_from_slice(&count.to_be_bytes());
        }
        (_, Err(_)) => {
            out.push(four);
            out.extend_from_slice(&count.to_be_bytes());
        }
    }
}

/// A length in one, two or four bytes.
fn length(length: usize, [one, two, four]: [u8; 3], out: &mut Vec<u8>) {
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(length), _) => out.extend_from_slice(&[one, length]),
        (_, Ok(length)) => {
            out.push(two);
            out.extend_from_slice(&length.to_be_bytes());
        }
        (_, Err(_)) => {
            out.push(four);
            // INVARIANT: no message is so long.
            out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
        }
    }
}

fn text(text: &str, out: &mut Vec<u8>) {
    match u8::try_from(text.len()) {
        Ok(length @ 0..=31) => out.push(0xa0 | length),
        Ok(_) | Err(_) => length(text.len(), [0xd9, 0xda, 0xdb], out),
    }
    out.extend_from_slice(text.as_bytes());
}

fn bare(raw: &str, out: &mut Vec<u8>) {
    match raw {
        "null" => out.push(0xc0),
        "false" => out.push(0xc2),
        "true" => out.push(0xc3),
        _ => number(raw, out),
    }
}

/// A number as short as it can be, and a float if it is no integer of 64 bits.
fn number(raw: &str, out: &mut Vec<u8>) {
    if let Ok(n) = raw.parse() {
        unsigned(n, out);
    } else if let Ok(n) = raw.parse() {
        signed(n, out);
    } else {
        out.push(0xcb);
        out.extend_from_slice(&raw.parse().unwrap_or(f64::NAN).to_be_bytes());
    }
}

fn unsigned(n: u64, out: &mut Vec<u8>) {
    match (u8::try_from(n), u16::try_from(n), u32::try_from(n)) {
        (Ok(n @ 0..=0x7f), ..) => out.push(n),
        (Ok(n), ..) => out.extend_from_slice(&[0xcc, n]),
        (_, Ok(n), _) => coded(0xcd, &n.to_be_bytes(), out),
        (.., Ok(n)) => coded(0xce, &n.to_be_bytes(), out),
        (.., Err(_)) => coded(0xcf, &n.to_be_bytes(), out),
    }
}

/// A number that [`unsigned`] cannot write: below zero, or `-0`.
fn signed(n: i64, out: &mut Vec<u8>) {
    match (i8::try_from(n), i16::try_from(n), i32::try_from(n)) {
        (Ok(n @ -32..=0), ..) => out.extend_from_slice(&n.to_be_bytes()),
        (Ok(n), ..) => coded(0xd0, &n.to_be_bytes(), out),
        (_, Ok(n), _) => coded(0xd1, &n.to_be_bytes(), out),
        (.., Ok(n)) => coded(0xd2, &n.to_be_bytes(), out),
        (.., Err(_)) => coded(0xd3, &n.to_be_bytes(), out),
    }
}

fn coded(code: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(code);
    out.extend_from_slice(bytes);
}
