//! The watchtower dialect's commands out of a stream: `wire::device::Decoder`.
//!
//! An input is four bytes that say how small the bound of a body is and where to cut, then what a device sends. Holds
//! that what is heard written again is what came, but for line ends between commands.

use crate::bound::bounded;
use crate::cuts::Case;
use std::hint::black_box;
use watchtower_dialect::wire::device::{Command, Decoder, Fault, Next};

pub(crate) const WORDS: &[&str] = &[
    "R",
    "K",
    "\r\n",
    "J\u{1}\0\0\0\u{5}\0\0\0",
    "L\u{1}\0\0\0\u{5}\0\0\0",
    "M\u{1}\0\0\0\u{5}\0\0\0\u{2}\0\0\0hi",
    "M\u{1}\0\0\0\u{5}\0\0\0\0\0\0\u{1}",
    "r\0",
    "r\u{3}abc",
    "T\u{1}\0\0\u{0}0123456789abcdef0123456789abcdef",
];

/// What was heard: commands written again, and whether it ended in a fault.
#[derive(PartialEq, Eq, Debug)]
struct Heard {
    commands: Vec<Vec<u8>>,
    fault: Option<Fault>,
    waiting: usize,
}

pub(crate) fn check(input: &[u8]) {
    let Some(case) = Case::read(input) else { return };
    let bound = if case.has(0) { 4 } else { 64 << 10 };
    let stops = |n: usize| case.has(1) && n.is_multiple_of(2);
    let whole = hear(&[case.sent], bound, stops);
    for way in case.ways() {
        assert_eq!(hear(&way, bound, stops), whole, "in {} pieces", way.len());
        bounded(case.sent.len(), || {
            black_box(read(&way, bound, stops, |command| {
                black_box(command);
            }))
            .ok();
        });
    }
    same_again(&case, &whole);
}

/// Reads pieces as a conversation would: it goes on after each stop.
fn read(
    pieces: &[&[u8]],
    bound: usize,
    stops: impl Fn(usize) -> bool,
    mut hear: impl FnMut(Command<'_>),
) -> Result<usize, Fault> {
    let (mut decoder, mut heard, mut arrived) = (Decoder::default(), 0, 0);
    for piece in pieces {
        let mut piece = *piece;
        arrived += piece.len();
        loop {
            let before = heard;
            decoder.feed(piece, bound, |command| {
                heard += 1;
                hear(command);
                if stops(heard) { Next::Stop } else { Next::Go }
            })?;
            assert!(decoder.waiting() <= arrived, "{} wait of {arrived}", decoder.waiting());
            if heard == before {
                break;
            }
            piece = b"";
        }
        assert!(decoder.waiting() < 13 + bound.max(300), "half a command is shorter than a command");
    }
    Ok(decoder.waiting())
}

fn hear(pieces: &[&[u8]], bound: usize, stops: impl Fn(usize) -> bool) -> Heard {
    let mut commands = Vec::new();
    let read = read(pieces, bound, stops, |command| commands.push(written(&command)));
    Heard { commands, fault: read.err(), waiting: read.unwrap_or(0) }
}

/// A command as bytes.
pub(crate) fn written(command: &Command<'_>) -> Vec<u8> {
    let about =
        |letter: &[u8], id: u32, channel: u32| [letter, &id.to_le_bytes(), &channel.to_le_bytes()].concat();
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes();
    match command {
        Command::Register => b"R".to_vec(),
        Command::KeepAlive => b"K".to_vec(),
        Command::RegisterWith { secret } => [&[b'r', length(secret)[0]], *secret].concat(),
        Command::Resume { id, token } => [&b"T"[..], &id.to_le_bytes(), token].concat(),
        Command::Join { id, channel } => about(b"J", *id, *channel),
        Command::Leave { id, channel } => about(b"L", *id, *channel),
        Command::Message { id, channel, body } => {
            [&about(b"M", *id, *channel)[..], &length(body), body].concat()
        }
    }
}

/// What was heard, written again, is what came, but for line ends between commands.
fn same_again(case: &Case<'_>, whole: &Heard) {
    let mut rest = case.sent;
    let blank = |rest: &[u8]| rest.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
    for command in &whole.commands {
        rest = &rest[blank(rest)..];
        assert!(rest.starts_with(command), "{} is not {}", rest.escape_ascii(), command.escape_ascii());
        rest = &rest[command.len()..];
    }
    rest = &rest[blank(rest)..];
    assert!(whole.fault.is_some() || rest.len() == whole.waiting, "{} are left", rest.len());
    assert!(whole.fault.is_none() || !rest.is_empty(), "nothing is no fault");
}
