//! `carrier::websocket` where compression was agreed to: offers, compressed messages, and what is compressed in answer.
//!
//! Holds that cuts make no difference, of frames and of what is inflated; that memory stays within the bound of a message;
//! that another reader of DEFLATE reads the same; and that what was heard, compressed again, is heard again by both.

use crate::bound::bounded_beside;
use crate::cuts::Case;
use carrier::websocket::{
    self, Agreed, Decoder, Deflater, Fault, Inflater, Item, Opcode, Role, WORTH_DEFLATING,
};
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};
use model::{Limits, Unit};

pub(crate) const WORDS: &[&str] = &[
    "permessage-deflate",
    "; ",
    ", ",
    "=",
    "\"",
    "server_max_window_bits=9",
    "client_max_window_bits",
    "server_no_context_takeover",
    "client_no_context_takeover",
    "12",
    "15",
    "8",
    "\n",
    // A compressed `Hello`, blocks of nothing: stored, fixed, the last; frames of a client's.
    "\u{0}\u{0}\u{0}",
    "\u{2}\u{0}",
    "\u{3}\u{0}",
    "A",
    "\u{1}",
    "\u{7f}",
    "\u{7e}",
];

/// Longer messages are refused here, so that small inputs meet the bound.
const MESSAGE: usize = 60_000;

/// What an inflater may hold: its tables and window; the message, and half of it while that grows.
const INFLATER: usize = (96 << 10) + 2 * MESSAGE;

/// What was heard, and what came of it if it was compressed.
#[derive(PartialEq, Eq, Debug)]
enum Said {
    Message(Unit, Vec<u8>),
    Deflated { unit: Unit, payload: Vec<u8>, inflated: Result<Vec<u8>, Fault> },
    Control,
}

#[derive(PartialEq, Eq, Debug)]
struct Heard {
    said: Vec<Said>,
    fault: Option<Fault>,
    is_idle: bool,
}

/// One end of a connection.
#[derive(Clone, Copy)]
struct End<'a> {
    role: Role,
    agreed: Option<Agreed>,
    limits: &'a Limits,
}

pub(crate) fn check(input: &[u8]) {
    let Some(case) = Case::read(input) else { return };
    // The first line is what the peer offers, the rest its frames.
    let line = case.sent.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let agreed = Agreed::to(std::iter::once(line));
    agreed.into_iter().for_each(is_agreed_again);
    let d = Limits::default();
    let limits = Limits {
        message_bytes: if case.has(1) { 200 } else { MESSAGE },
        fragments: if case.has(2) { 3 } else { d.fragments },
        ..d
    };
    let role = if case.has(0) { Role::Client } else { Role::Server };
    let end = End { role, agreed, limits: &limits };
    let after = (line.len() + 1).min(case.sent.len());
    let ways: Vec<Vec<&[u8]>> = case.ways().into_iter().map(|way| without(way, after)).collect();
    let whole = end.hear(&ways[0]);
    for way in &ways {
        assert_eq!(end.hear(way), whole, "in {} pieces", way.len());
        let mut buffers: Vec<Vec<u8>> = way.iter().map(|piece| piece.to_vec()).collect();
        bounded_beside(INFLATER, case.sent.len(), || {
            end.read(&mut buffers, |_, _| {});
        });
    }
    let mut deflater = Deflater::default();
    for said in &whole.said {
        match said {
            Said::Control => {}
            Said::Message(unit, message) => end.same_again(&mut deflater, *unit, message),
            Said::Deflated { unit, payload, inflated } => {
                in_slices(&case, *unit, payload, inflated, &limits);
                if let Ok(message) = inflated {
                    assert!(elsewhere(payload).as_ref() == Some(message), "another reader reads the same");
                    end.same_again(&mut deflater, *unit, message);
                }
            }
        }
    }
}

/// Pieces without their first bytes.
fn without(way: Vec<&[u8]>, mut bytes: usize) -> Vec<&[u8]> {
    let mut rest = Vec::new();
    for piece in way {
        let (gone, stays) = piece.split_at(bytes.min(piece.len()));
        bytes -= gone.len();
        rest.push(stays);
    }
    rest
}

/// What is answered to an offer is an offer of the same, and there are few answers.
fn is_agreed_again(agreed: Agreed) {
    let answer = agreed.answer();
    let again = Agreed::to(std::iter::once(answer.as_bytes()));
    assert_eq!(again, Some(agreed), "{answer}");
    assert!([9, 12, 15].contains(&agreed.window_bits()), "{answer}");
}

impl End<'_> {
    fn hear(self, pieces: &[&[u8]]) -> Heard {
        let mut buffers: Vec<Vec<u8>> = pieces.iter().map(|piece| piece.to_vec()).collect();
        let mut said = Vec::new();
        let (fault, is_idle) = self.read(&mut buffers, |item, inflated| {
            said.push(match (item, inflated) {
                (Item::Deflated(unit, payload), Some(inflated)) => {
                    Said::Deflated { unit, payload: payload.to_vec(), inflated: inflated.map(bytes) }
                }
                (Item::Text(_), _) => Said::Message(Unit::Text, bytes(item)),
                (Item::Binary(_), _) => Said::Message(Unit::Binary, bytes(item)),
                (Item::Deflated(..) | Item::Ping(_) | Item::Pong(_) | Item::Close(_), _) => Said::Control,
            });
        });
        Heard { said, fault, is_idle }
    }

    /// Reads pieces as a shard would. Says how it ended, and whether nothing was incomplete then.
    fn read(
        self,
        pieces: &mut [Vec<u8>],
        mut deal: impl FnMut(Item<'_>, Option<Result<Item<'_>, Fault>>),
    ) -> (Option<Fault>, bool) {
        let mut decoder = Decoder::new(self.role).agreeing(self.agreed);
        let mut inflater = Inflater::default();
        for input in pieces {
            let mut at = 0;
            loop {
                let item = match decoder.next(input, &mut at, self.limits) {
                    Ok(Some(item)) => item,
                    Ok(None) => break,
                    Err(fault) => return (Some(self.over(&mut decoder, fault)), true),
                };
                if !matches!(item, Item::Deflated(..)) {
                    deal(item, None);
                    continue;
                }
                assert!(self.agreed.is_some(), "nothing is compressed without an agreement");
                let opened = inflater.open(item, self.limits.message_bytes);
                let fault = opened.err();
                deal(item, Some(opened));
                assert!(inflater.inflated() <= self.limits.message_bytes + 1, "no further than it may be");
                inflater.tidy();
                if let Some(fault) = fault {
                    assert!([1007, 1009].contains(&fault.code), "{fault:?}");
                    return (Some(fault), decoder.is_idle());
                }
            }
            assert_eq!(at, input.len(), "all is taken when more is needed");
        }
        (None, decoder.is_idle())
    }

    /// A fault is for good, whatever follows.
    fn over(self, decoder: &mut Decoder, fault: Fault) -> Fault {
        assert!([1002, 1007, 1008, 1009].contains(&fault.code), "{fault:?}");
        let mut more = b"\xc2\x01\x00\xc2\x81aaaaa".to_vec();
        let mut at = 0;
        assert_eq!(decoder.next(&mut more, &mut at, self.limits), Ok(None), "a fault ends it");
        assert_eq!((at, decoder.held_bytes(), decoder.is_idle()), (more.len(), 0, true));
        fault
    }

    /// Compresses a message as a server, and reads it as its client.
    fn same_again(self, deflater: &mut Deflater, unit: Unit, message: &[u8]) {
        let Some(agreed) = self.agreed else { return };
        let opcode = match unit {
            Unit::Text => Opcode::Text,
            Unit::Binary => Opcode::Binary,
        };
        let (mut raw, mut plain) = (Vec::new(), Vec::new());
        let is_deflated = deflater.frame(&mut raw, opcode, message, agreed.window_bits());
        websocket::frame(&mut plain, opcode, message);
        assert_eq!(is_deflated, raw != plain);
        assert!(raw.len() <= plain.len(), "what would be longer goes out as it is");
        let most = if agreed.window_bits() < 15 { 1 << agreed.window_bits() } else { MESSAGE };
        assert!(!is_deflated || (WORTH_DEFLATING..=most).contains(&message.len()));
        let limits = Limits::default();
        let client = End { role: Role::Client, agreed: self.agreed, limits: &limits };
        let heard = client.hear(&[&raw]);
        assert_eq!((heard.fault, heard.is_idle), (None, true));
        let is_the_same = match heard.said.as_slice() {
            [Said::Message(again, bytes)] => !is_deflated && *again == unit && bytes == message,
            [Said::Deflated { unit: again, payload, inflated }] => {
                assert!(elsewhere(payload).as_deref() == Some(message), "another reader reads it");
                is_deflated && *again == unit && inflated.as_deref() == Ok(message)
            }
            [] | [Said::Control] | [_, _, ..] => false,
        };
        assert!(is_the_same, "it is heard again: {:?}", heard.said);
    }
}

fn bytes(item: Item<'_>) -> Vec<u8> {
    match item {
        Item::Text(text) => text.as_bytes().to_vec(),
        Item::Binary(bytes) | Item::Deflated(_, bytes) | Item::Ping(bytes) | Item::Pong(bytes) => {
            bytes.to_vec()
        }
        Item::Close(_) => Vec::new(),
    }
}

/// However a message is cut into slices, the same comes of it.
fn in_slices(case: &Case<'_>, unit: Unit, payload: &[u8], whole: &Result<Vec<u8>, Fault>, limits: &Limits) {
    let bound = limits.message_bytes;
    for slices in case.cut(payload) {
        let mut inflater = Inflater::default();
        inflater.begin();
        let added = slices.into_iter().try_for_each(|slice| inflater.add(slice, bound));
        let opened = added.and_then(|()| inflater.end(unit, bound)).map(bytes);
        // Of a message that is broken and too long, either is seen first.
        let same = opened == *whole || (opened.is_err() && whole.is_err());
        assert!(same, "in slices: {:?}, whole: {:?}", opened.as_ref().err(), whole.as_ref().err());
    }
}

/// What another reader of DEFLATE (RFC 1951) makes of a message's payload (RFC 7692 §7.2.2), whose last blocks may be
/// followed by others. `None`: it is no compressed message.
fn elsewhere(payload: &[u8]) -> Option<Vec<u8>> {
    // Its unsent end, and a last block, to prove that a block ends there.
    let all = [payload, &[0, 0, 0xff, 0xff, 3, 0]].concat();
    let mut rest = all.as_slice();
    let mut message = Vec::new();
    while !rest.is_empty() {
        let mut out = vec![0; MESSAGE + 1];
        let mut state = DecompressorOxide::new();
        let (status, read, written) =
            decompress(&mut state, rest, &mut out, 0, TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF);
        if status != TINFLStatus::Done {
            return None;
        }
        message.extend_from_slice(&out[..written]);
        rest = &rest[read..];
    }
    Some(message)
}
