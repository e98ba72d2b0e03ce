//! The watchtower dialect's datagrams: `wire::device::datagram`, and what a seal proves.
//!
//! An input is a datagram. Holds that a datagram is one command exactly when a stream of the same bytes is, that written
//! again it is the same, and that a seal holds for what was sealed and nothing else.

use crate::bound::bounded;
use crate::device_tcp::written;
use std::hint::black_box;
use watchtower_dialect::wire::device::{self, Datagram, Decoder, Next};
use watchtower_dialect::wire::seal;

pub(crate) const WORDS: &[&str] = &[
    "C\0\0\0\0\0\0\0\0",
    "S\u{1}\0\0\0\0\0\0\0ABCDEFGHIJKLMNOP",
    "R",
    "K",
    "\n",
    "J\u{1}\0\0\0\u{5}\0\0\0",
    "M\u{1}\0\0\0\u{5}\0\0\0\u{2}\0\0\0hi",
    "r\u{3}abc",
];

const BOUND: usize = 1024;
const TOKEN: &[u8] = b"0123456789abcdef0123456789abcdef";

pub(crate) fn check(input: &[u8]) {
    bounded(input.len(), || {
        black_box(device::datagram(input, BOUND)).ok();
    });
    let Ok(found) = device::datagram(input, BOUND) else { return };
    let mut rest = input;
    if let Some(cookie) = found.cookie {
        rest = rest.strip_prefix(&[&b"C"[..], cookie].concat()[..]).unwrap_or_default();
    }
    if let Some(s) = found.seal {
        let head = [&b"S"[..], &s.counter.to_le_bytes(), s.code].concat();
        rest = rest.strip_prefix(&head[..]).unwrap_or_default();
        assert_eq!(rest, s.sealed, "the seal is over all that follows it");
        sealed(s.counter, s.sealed);
    }
    as_a_stream(&found, rest);
}

/// What is left is heard as a stream of the same bytes would be.
fn as_a_stream(found: &Datagram<'_>, rest: &[u8]) {
    let mut heard = Vec::new();
    let mut decoder = Decoder::default();
    let fed = decoder.feed(rest, BOUND, |command| {
        heard.push(written(&command));
        Next::Go
    });
    assert!(fed.is_ok() && decoder.waiting() == 0, "{}", rest.escape_ascii());
    let expected: Vec<_> = found.command.iter().map(written).collect();
    assert_eq!(heard, expected);
}

/// A seal holds for its number and words, and for no other.
fn sealed(counter: u64, words: &[u8]) {
    let code = seal::code(counter, words, TOKEN);
    let holds = |counter, sealed: &[u8], token: &[u8]| {
        seal::is_sealed(&device::Seal { counter, code: &code, sealed }, token)
    };
    assert!(holds(counter, words, TOKEN));
    assert!(!holds(counter ^ 1, words, TOKEN) && !holds(counter, words, b"another"));
    assert!(!holds(counter, &[words, b"\n"].concat(), TOKEN));
}
