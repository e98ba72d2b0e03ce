//! Engine.IO's payloads: packets out of the body of a post, in each encoding, and payloads out of packets.
//!
//! Holds that packets written again, in every way that a poll may want them, are read as the same packets.

use crate::bound::bounded;
use model::Unit;
use socketio_dialect::wire::engine::payload::{Manner, PACKETS, Piece, cut, posted, write};
use socketio_dialect::wire::engine::{Packet, Revision};
use std::hint::black_box;

pub(crate) const WORDS: &[&str] = &[
    "\u{1e}",
    "\u{1e}b",
    "0:",
    "1:2",
    "2:4é",
    "3:4😀",
    "6:b4AQID",
    "10:b4",
    ":",
    "b4",
    "bAQID",
    "=",
    "d=",
    "\\n",
    "\\\\n",
    "%5C",
    "%1E",
    "+",
    "&",
    "\u{0}",
    "\u{1}",
    "\u{2}",
    "\u{4}",
    "4",
    "2probe",
    "99999999999:",
];

/// The byte that says that what follows it are a message's bytes, in revision 3.
const MESSAGE: u8 = 4;

pub(crate) fn check(input: &[u8]) {
    let Some((flags, body)) = input.split_first() else { return };
    let revision = if flags & 1 == 1 { Revision::Three } else { Revision::Four };
    let is_binary = flags & 2 == 2;
    bounded(input.len(), || {
        black_box(cut(body, is_binary, revision).is_ok());
        black_box(posted(body));
    });
    if let Some(form) = posted(body) {
        assert!(form.len() <= body.len(), "a form says no more than it has");
    }
    let Ok(pieces) = cut(body, is_binary, revision) else { return };
    assert!(pieces.len() <= PACKETS, "there are no more packets than may be");
    if revision == Revision::Four {
        let again: Vec<_> = pieces.iter().map(text).collect();
        assert!(again.join("\u{1e}").as_bytes() == body, "nothing is left out");
    }
    let Some(said) = pieces.iter().map(said).collect::<Option<Vec<_>>>() else { return };
    for as_text in [false, true] {
        let manner = Manner { revision, as_text, jsonp: None };
        let mut out = Vec::new();
        let unit = write(said.iter().copied(), manner, &mut out);
        if said.iter().all(|(_, bytes)| bytes.is_empty()) {
            // Nothing, and nothing but one empty packet, look alike.
            continue;
        }
        let again = cut(&out, unit == Unit::Binary, revision);
        let again = again.as_ref().map(|again| packets(again, revision));
        assert!(again == Ok(packets(&pieces, revision)), "written again, they are the same");
    }
}

fn text<'a>(piece: &Piece<'a>) -> &'a str {
    match piece {
        Piece::Text(text) => text,
        Piece::Bytes(_) => "",
    }
}

/// The packet as a server says it. `None`: none that a server would.
fn said<'a>(piece: &Piece<'a>) -> Option<(Unit, &'a [u8])> {
    match piece {
        Piece::Text(text) => Some((Unit::Text, text.as_bytes())),
        Piece::Bytes([MESSAGE, bytes @ ..]) => Some((Unit::Binary, bytes)),
        Piece::Bytes(_) => None,
    }
}

fn packets<'a>(pieces: &[Piece<'a>], revision: Revision) -> Vec<Option<Packet<'a>>> {
    pieces.iter().map(|piece| piece.packet(revision).ok()).collect()
}
