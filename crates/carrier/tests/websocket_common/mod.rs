//! Frames as they may and may not be, and a reader that writes down what it heard.

#![allow(dead_code, reason = "each test file uses a part of it")]

use carrier::websocket::{Decoder, Item, Role};
use model::Limits;
use proptest::sample::Index;

/// `FIN` and text, binary, continuation; close, ping, pong.
pub(crate) const TEXT: u8 = 0x81;
pub(crate) const BINARY: u8 = 0x82;
pub(crate) const LAST: u8 = 0x80;
pub(crate) const CLOSE: u8 = 0x88;
pub(crate) const PING: u8 = 0x89;
pub(crate) const PONG: u8 = 0x8A;
/// The first fragment of a text, of bytes, and one in the middle.
pub(crate) const TEXT_BEGINS: u8 = 0x01;
pub(crate) const BINARY_BEGINS: u8 = 0x02;
pub(crate) const MIDDLE: u8 = 0x00;

/// A frame for a decoder of this role, its first byte given, its length in the shortest form.
pub(crate) fn to(role: Role, first: u8, payload: &[u8]) -> Vec<u8> {
    let length = payload.len();
    let (short, long) = match length {
        0..126 => (u8::try_from(length).unwrap_or_default(), Vec::new()),
        126..65_536 => (126, u16::try_from(length).unwrap_or_default().to_be_bytes().to_vec()),
        _ => (127, u64::try_from(length).unwrap_or_default().to_be_bytes().to_vec()),
    };
    let key = [0x37, 0xfa, 0x21, 0x3d];
    match role {
        Role::Client => [&[first, short], long.as_slice(), payload].concat(),
        Role::Server => {
            let masked: Vec<u8> = payload.iter().zip(key.iter().cycle()).map(|(b, k)| b ^ k).collect();
            [&[first, short | 0x80], long.as_slice(), &key, &masked].concat()
        }
    }
}

/// A frame for a server.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    to(Role::Server, first, payload)
}

/// Frames for a server, one after the other.
pub(crate) fn frames(frames: &[(u8, &[u8])]) -> Vec<u8> {
    frames.iter().flat_map(|(first, payload)| frame(*first, payload)).collect()
}

pub(crate) fn write_down(item: Item<'_>) -> String {
    let lossy = |bytes: &[u8]| bytes.escape_ascii().to_string();
    match item {
        Item::Text(text) => format!("text {text}"),
        Item::Binary(bytes) => format!("binary {}", lossy(bytes)),
        Item::Deflated(unit, bytes) => format!("deflated {unit:?} {}", lossy(bytes)),
        Item::Ping(bytes) => format!("ping {}", lossy(bytes)),
        Item::Pong(bytes) => format!("pong {}", lossy(bytes)),
        Item::Close(None) => "close".to_owned(),
        Item::Close(Some((code, reason))) => format!("close {code} {reason}"),
    }
}

/// Reads pieces as a shard would: what was heard, then the code and detail of a fault, or `…` when something
/// is incomplete. Watches that memory follows what arrived and stays within the limits.
pub(crate) fn read<'a>(role: Role, pieces: impl Iterator<Item = &'a [u8]>, limits: &Limits) -> Vec<String> {
    let mut decoder = Decoder::new(role);
    let mut heard = Vec::new();
    let mut arrived = 0;
    for piece in pieces {
        arrived += piece.len();
        let mut input = piece.to_vec();
        let mut at = 0;
        loop {
            let next = decoder.next(&mut input, &mut at, limits).map(|item| item.map(write_down));
            assert!(decoder.held_bytes() <= 256 + (2 * arrived).min(limits.message_bytes + 250));
            match next {
                Ok(Some(item)) => heard.push(item),
                Ok(None) => break,
                Err(fault) => {
                    heard.push(format!("{} {}", fault.code, fault.detail));
                    at = 0;
                    assert_eq!(decoder.next(&mut input, &mut at, limits), Ok(None), "a fault ends it");
                    assert_eq!((at, decoder.held_bytes()), (input.len(), 0));
                    return heard;
                }
            }
        }
        assert_eq!(at, input.len(), "all input is taken when more is needed");
    }
    heard.extend((!decoder.is_idle()).then(|| "…".to_owned()));
    heard
}

/// Reads it whole, and in pieces of many sizes, which must make no difference.
pub(crate) fn read_every_way(role: Role, raw: &[u8], limits: &Limits) -> Vec<String> {
    let whole = read(role, std::iter::once(raw), limits);
    for step in (1..raw.len().min(20)).chain([61, 127, 1000]) {
        assert_eq!(read(role, raw.chunks(step), limits), whole, "in pieces of {step}");
    }
    if raw.len() < 400 {
        for cut in 0..raw.len() {
            let (front, back) = raw.split_at(cut);
            assert_eq!(read(role, [front, back].into_iter(), limits), whole, "cut at {cut}");
        }
    }
    whole
}

/// The pieces between these places.
pub(crate) fn pieces<'a>(raw: &'a [u8], cuts: &[Index]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(raw.len() + 1)).collect();
    cuts.sort_unstable();
    let ends = cuts.iter().copied().chain([raw.len()]);
    let starts = std::iter::once(0).chain(cuts.iter().copied());
    starts.zip(ends).map(|(start, end)| &raw[start..end]).collect()
}
