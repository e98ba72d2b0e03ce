//! What is written is read again, however it is fragmented, interrupted and cut; and nonsense is survived.

mod websocket_common;

use carrier::websocket::{self, Decoder, Item, Opcode, Role};
use model::Limits;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use websocket_common::{BINARY_BEGINS, LAST, MIDDLE, TEXT_BEGINS, pieces, read, to, write_down};

#[derive(Clone, Debug)]
enum Said {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
}

impl Said {
    fn item(&self) -> Item<'_> {
        match self {
            Self::Text(text) => Item::Text(text),
            Self::Binary(bytes) => Item::Binary(bytes),
            Self::Ping(bytes) => Item::Ping(bytes),
            Self::Pong(bytes) => Item::Pong(bytes),
        }
    }

    fn parts(&self) -> (Opcode, &[u8]) {
        match self {
            Self::Text(text) => (Opcode::Text, text.as_bytes()),
            Self::Binary(bytes) => (Opcode::Binary, bytes),
            Self::Ping(bytes) => (Opcode::Ping, bytes),
            Self::Pong(bytes) => (Opcode::Pong, bytes),
        }
    }
}

fn said() -> impl Strategy<Value = Said> {
    prop_oneof![
        "\\PC{0,80}".prop_map(Said::Text),
        "[a-z]{0,300}".prop_map(Said::Text),
        vec(any::<u8>(), 0..300).prop_map(Said::Binary),
        (65_530..65_550_usize).prop_map(|length| Said::Binary(vec![7; length])),
        vec(any::<u8>(), 0..=125).prop_map(Said::Ping),
        vec(any::<u8>(), 0..=125).prop_map(Said::Pong),
    ]
}

/// Any byte, and these more often.
fn often(bytes: &'static [u8]) -> impl Strategy<Value = u8> {
    prop_oneof![any::<u8>(), prop::sample::select(bytes)]
}

proptest! {
    #[test]
    fn written_is_read(
        said in vec(said(), 0..6),
        key in any::<[u8; 4]>(),
        cuts in vec(any::<Index>(), 0..12),
    ) {
        let mut from_client = Vec::new();
        let mut from_server = Vec::new();
        for said in &said {
            let (opcode, payload) = said.parts();
            websocket::masked(&mut from_client, opcode, payload, key);
            websocket::frame(&mut from_server, opcode, payload);
        }
        let expected: Vec<String> = said.iter().map(|said| write_down(said.item())).collect();
        let limits = Limits::default();
        prop_assert_eq!(&read(Role::Server, pieces(&from_client, &cuts).into_iter(), &limits), &expected);
        prop_assert_eq!(&read(Role::Client, pieces(&from_server, &cuts).into_iter(), &limits), &expected);
    }

    /// Messages in fragments that are cut anywhere, even within a character, with pings between them.
    #[test]
    fn fragments_are_joined(
        text in "\\PC{0,60}",
        is_text in any::<bool>(),
        fragments in vec(any::<Index>(), 0..6),
        pings in vec(any::<bool>(), 7),
        cuts in vec(any::<Index>(), 0..12),
        role in prop::sample::select(vec![Role::Server, Role::Client]),
    ) {
        let payloads = pieces(text.as_bytes(), &fragments);
        let mut raw = Vec::new();
        let mut expected = Vec::new();
        for (number, (payload, ping)) in payloads.iter().zip(&pings).enumerate() {
            let opcode = if number > 0 { MIDDLE } else if is_text { TEXT_BEGINS } else { BINARY_BEGINS };
            let fin = if number + 1 == payloads.len() { LAST } else { 0 };
            if *ping && number > 0 {
                raw.extend(to(role, websocket_common::PING, b"p"));
                expected.push("ping p".to_owned());
            }
            raw.extend(to(role, opcode | fin, payload));
        }
        expected.push(write_down(if is_text { Item::Text(&text) } else { Item::Binary(text.as_bytes()) }));
        prop_assert_eq!(read(role, pieces(&raw, &cuts).into_iter(), &Limits::default()), expected);
    }

    /// Text that comes byte by byte fails exactly where the standard library says it cannot be text any more.
    #[test]
    fn bad_text_fails_where_it_is_bad(
        bytes in vec(often(b"a\x80\xbf\xc3\xe0\xe2\xed\xf0\xf4"), 1..12),
    ) {
        let mut raw = to(Role::Client, TEXT_BEGINS, &bytes);
        let header = raw.len() - bytes.len();
        let is_hopeless =
            |text: &[u8]| std::str::from_utf8(text).is_err_and(|error| error.error_len().is_some());
        let bad = (1..=bytes.len()).find(|length| is_hopeless(&bytes[..*length]));
        raw.truncate(header + bad.unwrap_or(bytes.len()));
        let limits = Limits::default();
        let heard = read(Role::Client, raw.chunks(1), &limits);
        prop_assert_eq!(&heard, &[if bad.is_some() { "1007 text that is not UTF-8" } else { "…" }]);
        if bad.is_some() {
            raw.pop();
            prop_assert_eq!(&read(Role::Client, raw.chunks(1), &limits), &["…"]);
        }
    }

    /// Arbitrary bytes never panic, and are read alike however they are cut.
    #[test]
    fn nonsense_is_survived(
        raw in vec(often(b"\x00\x01\x02\x80\x81\x82\x88\x89\x8a"), 0..300),
        cuts in vec(any::<Index>(), 0..6),
        role in prop::sample::select(vec![Role::Server, Role::Client]),
    ) {
        let limits = Limits { message_bytes: 40, fragments: 4, ..Limits::default() };
        let whole = read(role, std::iter::once(raw.as_slice()), &limits);
        let in_pieces = read(role, pieces(&raw, &cuts).into_iter(), &limits);
        prop_assert_eq!(whole, in_pieces);
    }
}

#[test]
fn a_whole_message_is_borrowed_in_place() {
    let mut raw = Vec::new();
    websocket::masked(&mut raw, Opcode::Text, b"hello there, reader", [9, 8, 7, 6]);
    let range = raw.as_ptr_range();
    let mut decoder = Decoder::new(Role::Server);
    let mut at = 0;
    let item = decoder.next(&mut raw, &mut at, &Limits::default());
    let Ok(Some(Item::Text(text))) = item else { panic!("{item:?}") };
    assert_eq!(text, "hello there, reader");
    assert!(range.contains(&text.as_ptr()));
    assert!(decoder.held_bytes() == 0 && decoder.is_idle());
}

#[test]
fn what_was_lent_is_dropped() {
    let limits = Limits::default();
    let mut decoder = Decoder::new(Role::Client);
    let mut raw = Vec::new();
    websocket::frame(&mut raw, Opcode::Binary, &[1; 1000]);
    let (front, back) = raw.split_at_mut(500);
    let mut at = 0;
    assert_eq!(decoder.next(front, &mut at, &limits), Ok(None));
    assert!(!decoder.is_idle());
    at = 0;
    assert_eq!(decoder.next(back, &mut at, &limits), Ok(Some(Item::Binary(&[1; 1000]))));
    assert!(decoder.is_idle());
    assert!(decoder.held_bytes() <= 256 + 1000, "not a byte beyond the message");
    assert_eq!(decoder.next(back, &mut at, &limits), Ok(None));
    assert_eq!(decoder.held_bytes(), 0);
    assert_eq!(size_of::<Decoder>(), 16);
}

#[test]
fn an_announced_length_costs_nothing() {
    let mut decoder = Decoder::new(Role::Client);
    let mut raw = vec![0x82, 127, 0, 0, 0, 0, 0, 0x10, 0, 0, 1, 2, 3];
    let mut at = 0;
    assert_eq!(decoder.next(&mut raw, &mut at, &Limits::default()), Ok(None));
    assert!(decoder.held_bytes() <= 256);
}

#[test]
fn closes_and_keys() {
    let mut raw = Vec::new();
    websocket::close(&mut raw, 1001, &"é".repeat(100));
    let heard = read(Role::Client, std::iter::once(raw.as_slice()), &Limits::default());
    assert_eq!(heard, [format!("close 1001 {}", "é".repeat(61))]);
    // RFC 6455 §1.3.
    assert_eq!(websocket::accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}
