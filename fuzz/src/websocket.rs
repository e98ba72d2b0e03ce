//! `carrier::websocket::Decoder`, at both ends: messages out of frames.
//!
//! Holds that cuts make no difference, that memory follows what arrived, that a fault is final, and that what was
//! heard, written as a frame, is heard again.

use crate::bound::bounded;
use crate::cuts::Case;
use carrier::websocket::{self, Decoder, Fault, Item, Opcode, Role};
use model::Limits;

pub(crate) const WORDS: &[&str] = &[
    "\u{1}", "\u{0}", "ü", "€", "😀", "\u{2}", "\u{7f}", "\u{7e}", "\u{3}", "hello", "\u{8}", "\u{9}",
    "\u{a}",
];

/// What was heard, as its frame would have it.
#[derive(PartialEq, Eq, Debug)]
struct Said {
    opcode: Opcode,
    payload: Vec<u8>,
}

/// All that a connection said.
#[derive(PartialEq, Eq, Debug)]
struct Heard {
    said: Vec<Said>,
    fault: Option<Fault>,
    is_idle: bool,
}

pub(crate) fn check(input: &[u8]) {
    let Some(case) = Case::read(input) else { return };
    let role = if case.has(0) { Role::Client } else { Role::Server };
    let d = Limits::default();
    let limits = Limits {
        message_bytes: if case.has(1) { 200 } else { d.message_bytes },
        fragments: if case.has(2) { 3 } else { d.fragments },
        ..d
    };
    let ways = case.ways();
    let whole = hear(role, &ways[0], &limits);
    for way in &ways {
        assert_eq!(hear(role, way, &limits), whole, "in {} pieces", way.len());
        let mut buffers: Vec<Vec<u8>> = way.iter().map(|piece| piece.to_vec()).collect();
        bounded(case.sent.len(), || {
            read(role, &mut buffers, &limits, |_| {});
        });
    }
    whole.said.iter().for_each(|said| same_again(role, said));
}

fn hear(role: Role, pieces: &[&[u8]], limits: &Limits) -> Heard {
    let mut buffers: Vec<Vec<u8>> = pieces.iter().map(|piece| piece.to_vec()).collect();
    let mut said = Vec::new();
    let (fault, is_idle) = read(role, &mut buffers, limits, |item| said.push(write_down(item)));
    let fits = |s: &Said| s.payload.len() <= if s.opcode.is_control() { 125 } else { limits.message_bytes };
    assert!(said.iter().all(fits), "longer than it may be: {said:?}");
    Heard { said, fault, is_idle }
}

/// Reads pieces as a shard would. Says how it ended, and whether nothing was incomplete then.
fn read(
    role: Role,
    pieces: &mut [Vec<u8>],
    limits: &Limits,
    mut deal: impl FnMut(Item<'_>),
) -> (Option<Fault>, bool) {
    let mut decoder = Decoder::new(role);
    let (mut arrived, mut calls, mut items) = (0, 0, 0);
    let count = pieces.len();
    for input in pieces {
        arrived += input.len();
        let mut at = 0;
        loop {
            calls += 1;
            let before = at;
            let more = match decoder.next(input, &mut at, limits) {
                Ok(Some(item)) => {
                    deal(item);
                    true
                }
                Ok(None) => false,
                Err(fault) => return (Some(over(&mut decoder, fault, limits)), true),
            };
            let held = 256 + (2 * arrived).min(limits.message_bytes + 250);
            assert!(decoder.held_bytes() <= held, "{} held of {arrived}", decoder.held_bytes());
            if !more {
                break;
            }
            items += 1;
            assert!(at > before, "an item is made of bytes");
        }
        assert_eq!(at, input.len(), "all is taken when more is needed");
    }
    assert!(calls <= count + items, "{calls} calls for {count} pieces and {items} items");
    (None, decoder.is_idle())
}

/// A fault is for good, whatever follows.
fn over(decoder: &mut Decoder, fault: Fault, limits: &Limits) -> Fault {
    assert!([1002, 1007, 1008, 1009].contains(&fault.code), "{fault:?}");
    let mut more = b"\x82\x01a\x82\x81aaaaa".to_vec();
    let mut at = 0;
    assert_eq!(decoder.next(&mut more, &mut at, limits), Ok(None), "a fault ends it");
    assert_eq!((at, decoder.held_bytes(), decoder.is_idle()), (more.len(), 0, true));
    fault
}

fn write_down(item: Item<'_>) -> Said {
    let (opcode, payload) = match item {
        Item::Text(text) => (Opcode::Text, text.as_bytes().to_vec()),
        // Compression is not agreed to here, so nothing compressed comes.
        Item::Binary(bytes) | Item::Deflated(_, bytes) => (Opcode::Binary, bytes.to_vec()),
        Item::Ping(bytes) => (Opcode::Ping, bytes.to_vec()),
        Item::Pong(bytes) => (Opcode::Pong, bytes.to_vec()),
        Item::Close(None) => (Opcode::Close, Vec::new()),
        Item::Close(Some((code, reason))) => {
            (Opcode::Close, [code.to_be_bytes().as_slice(), reason.as_bytes()].concat())
        }
    };
    Said { opcode, payload }
}

/// Writes what was heard as the other end would, and reads it.
fn same_again(role: Role, said: &Said) {
    let mut raw = Vec::new();
    match (role, said.payload.split_first_chunk()) {
        (Role::Server, _) => websocket::masked(&mut raw, said.opcode, &said.payload, [7, 0, 255, 3]),
        (Role::Client, Some((code, reason))) if said.opcode == Opcode::Close => {
            let reason = String::from_utf8_lossy(reason);
            websocket::close(&mut raw, u16::from_be_bytes(*code), &reason);
        }
        (Role::Client, _) => websocket::frame(&mut raw, said.opcode, &said.payload),
    }
    let again = hear(role, &[&raw], &Limits::default());
    assert_eq!(again.fault, None);
    assert!(again.said.iter().eq([said]), "{again:?} is not {said:?}");
}
