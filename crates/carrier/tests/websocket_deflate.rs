//! permessage-deflate: what is agreed to, which frames may be compressed, and that what was compressed comes out again,
//! whole or not at all.

#![allow(clippy::unwrap_used, reason = "in a test that is how it fails")]

mod websocket_common;

use carrier::websocket::{
    AT_ONCE, Agreed, Decoder, Deflater, Inflater, Item, LONGEST_DEFLATED, Opcode, Role,
};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use model::{Limits, Unit};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use websocket_common::{
    BINARY, BINARY_BEGINS, CLOSE, LAST, MIDDLE, PING, PONG, TEXT, TEXT_BEGINS, frame, frames, pieces, to,
    write_down,
};

/// The bit that says a message is compressed.
const DEFLATED: u8 = 0x40;
/// RFC 7692 §7.2.3.1: `Hello`.
const HELLO: &[u8] = b"\xf2\x48\xcd\xc9\xc9\x07\x00";

fn agree(lines: &[&str]) -> Option<String> {
    Agreed::to(lines.iter().map(|l| l.as_bytes())).map(Agreed::answer)
}

#[test]
fn offers() {
    let answer = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    let with = |bits: u8| Some(format!("{answer}; server_max_window_bits={bits}"));
    for (offer, expected) in [
        ("permessage-deflate", Some(answer.to_owned())),
        ("PerMessage-Deflate", Some(answer.to_owned())),
        // As Chromium, Firefox, ws and websockets offer it.
        ("permessage-deflate; client_max_window_bits", Some(answer.to_owned())),
        ("permessage-deflate;server_no_context_takeover;client_no_context_takeover", Some(answer.to_owned())),
        ("permessage-deflate; server_max_window_bits=12; client_max_window_bits=12", with(12)),
        (" permessage-deflate ;\tserver_max_window_bits = \"15\" ", with(15)),
        (r#"permessage-deflate; server_max_window_bits="1\2""#, with(12)),
        ("permessage-deflate; server_max_window_bits=9", with(9)),
        ("permessage-deflate; server_max_window_bits=11", with(9)),
        ("permessage-deflate; server_max_window_bits=14", with(12)),
        ("permessage-deflate; client_max_window_bits=8", Some(answer.to_owned())),
        // Others before and after it.
        ("x-webkit-deflate-frame, permessage-deflate", Some(answer.to_owned())),
        ("mux; max=4, , permessage-deflate; server_max_window_bits=10, permessage-deflate", with(9)),
        ("permessage-deflate; server_max_window_bits=8, permessage-deflate", Some(answer.to_owned())),
        ("permessage-deflate; new=1, permessage-deflate; server_max_window_bits=13", with(12)),
        ("permessage-deflate, permessage-deflate; server_max_window_bits=9", Some(answer.to_owned())),
    ] {
        assert_eq!(agree(&[offer]), expected, "{offer}");
    }
    assert_eq!(
        agree(&["a; b=c", "permessage-deflate"]).as_deref(),
        Some(answer),
        "several lines are one list"
    );
    assert_eq!(agree(&[]), None);
}

#[test]
fn offers_that_are_declined() {
    for offer in [
        "",
        " , ,",
        "deflate-stream",
        "permessage-deflate2",
        "permessage-bzip2; client_max_window_bits",
        "permessage-deflate; unknown",
        "permessage-deflate; server_max_window_bits",
        "permessage-deflate; server_max_window_bits=8",
        "permessage-deflate; server_max_window_bits=7",
        "permessage-deflate; server_max_window_bits=16",
        "permessage-deflate; server_max_window_bits=09",
        "permessage-deflate; server_max_window_bits=+9",
        "permessage-deflate; server_max_window_bits=015",
        "permessage-deflate; server_max_window_bits=1x",
        "permessage-deflate; server_max_window_bits=999",
        "permessage-deflate; client_max_window_bits=7",
        "permessage-deflate; client_max_window_bits=16",
        "permessage-deflate; server_no_context_takeover=1",
        "permessage-deflate; client_no_context_takeover=yes",
        "permessage-deflate; client_max_window_bits; client_max_window_bits",
        "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
        "permessage-deflate; server_max_window_bits=10; server_max_window_bits=10",
        // What breaks the grammar declines all.
        "permessage-deflate;",
        "permessage-deflate; ;",
        "permessage-deflate; =9",
        "permessage-deflate; server_max_window_bits=",
        "permessage-deflate; server_max_window_bits=\"\"",
        "permessage-deflate; server_max_window_bits=\"9",
        "permessage-deflate; server_max_window_bits=\"9 \"",
        "permessage-deflate; server_max_window_bits=\"9\\",
        "permessage-deflate client_max_window_bits",
        "permessage-deflate, (comment)",
        "; permessage-deflate",
        "permessage-deflate, \u{e9}",
    ] {
        assert_eq!(agree(&[offer]), None, "{offer}");
    }
    assert_eq!(Agreed::to([&b"permessage-deflate; x=\xff"[..]].into_iter()), None);
}

/// Reads pieces as a shard would, where compression was agreed to.
fn read<'a>(role: Role, pieces: impl Iterator<Item = &'a [u8]>, limits: &Limits) -> Vec<String> {
    let agreed = Agreed::to(std::iter::once(&b"permessage-deflate"[..]));
    let mut decoder = Decoder::new(role).agreeing(agreed);
    let mut inflater = Inflater::default();
    let mut heard = Vec::new();
    let mut arrived = 0;
    for piece in pieces {
        arrived += piece.len();
        let mut input = piece.to_vec();
        let mut at = 0;
        loop {
            let item = decoder.next(&mut input, &mut at, limits);
            let item = item.and_then(|i| i.map(|i| inflater.open(i, limits.message_bytes)).transpose());
            let item = item.map(|item| item.map(write_down));
            assert!(decoder.held_bytes() <= 256 + 2 * arrived, "no more is held than what came");
            match item {
                Ok(Some(item)) => heard.push(item),
                Ok(None) => break,
                Err(fault) => {
                    heard.push(format!("{} {}", fault.code, fault.detail));
                    return heard;
                }
            }
        }
    }
    heard.extend((!decoder.is_idle()).then(|| "…".to_owned()));
    heard
}

fn check(name: &str, raw: &[u8], expected: &[&str]) {
    let limits = Limits::default();
    assert_eq!(read(Role::Server, std::iter::once(raw), &limits), expected, "{name}");
    for step in [1, 2, 3, 7] {
        assert_eq!(read(Role::Server, raw.chunks(step), &limits), expected, "{name}, in pieces of {step}");
    }
}

const NONE: &str = "1007 a compressed message that is none";
const BIT: &str = "1002 a reserved bit without an extension";
const ELSEWHERE: &str = "1002 the bit for compression where no message begins";

#[test]
fn the_bit_stands_where_a_message_begins() {
    check("text", &frame(TEXT | DEFLATED, HELLO), &["text Hello"]);
    check("bytes", &frame(BINARY | DEFLATED, HELLO), &["binary Hello"]);
    check("none", &frame(TEXT, b"plain"), &["text plain"]);
    let (front, back) = HELLO.split_at(3);
    let first = (TEXT_BEGINS | DEFLATED, front);
    check("in two", &frames(&[first, (LAST, back)]), &["text Hello"]);
    check(
        "a ping between",
        &frames(&[first, (PING, b"p"), (MIDDLE, b""), (LAST, back)]),
        &["ping p", "text Hello"],
    );
    check("bytes in two", &frames(&[(BINARY_BEGINS | DEFLATED, front), (LAST, back)]), &["binary Hello"]);
    check("of fragments", &frames(&[first, (LAST | DEFLATED, back)]), &[ELSEWHERE]);
    check("in the middle", &frames(&[first, (MIDDLE | DEFLATED, b""), (LAST, back)]), &[ELSEWHERE]);
    check("only later", &frames(&[(TEXT_BEGINS, b"a"), (LAST | DEFLATED, HELLO)]), &[ELSEWHERE]);
    for control in [PING, PONG, CLOSE] {
        check("of a control frame", &frame(control | DEFLATED, b""), &[ELSEWHERE]);
    }
    for other in [0x20, 0x10, 0x60, 0x50, 0x70] {
        check("other bits", &frame(TEXT | other, HELLO), &[BIT]);
    }
    let without = websocket_common::read_every_way;
    assert_eq!(without(Role::Server, &frame(TEXT | DEFLATED, HELLO), &Limits::default()), [BIT]);
}

/// The examples of RFC 7692 §7.2.3, and what they must not be.
#[test]
fn blocks() {
    let text = |payload: &[u8]| frame(TEXT | DEFLATED, payload);
    check("not compressed", &text(b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"), &["text Hello"]);
    check("a last block", &text(b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), &["text Hello"]);
    check("two blocks", &text(b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"), &["text Hello"]);
    check("of nothing", &text(b"\x00"), &["text "]);
    check("of nothing, as zlib says it", &text(b"\x02\x00"), &["text "]);
    check("no block at all", &text(b""), &[NONE]);
    check(
        "leaning on the message before",
        &[text(HELLO), text(b"\xf2\x00\x11\x00\x00")].concat(),
        &["text Hello", NONE],
    );
    for end in 1..HELLO.len() {
        check("cut", &text(&HELLO[..end]), &[NONE]);
    }
    check("a last block that is not followed", &text(b"\xf3\x48\xcd\xc9\xc9\x07\x00"), &[NONE]);
    check("a stored block that is cut", &text(b"\x00\x0a\x00\xf5\xff\x48\x65"), &[NONE]);
    check("a reserved kind of block", &text(b"\x07"), &[NONE]);
    check("too far back", &text(b"\x63\x00\x82\x00\x00"), &[NONE]);
    check("with its unsent end", &text(b"\xf2\x48\xcd\xc9\xc9\x07\x00\x00\x00\xff\xff"), &[NONE]);
}

/// A last block of nothing is two bytes, and costs a beginning: a message of a million of them would hold up everybody.
#[test]
fn last_blocks_are_counted() {
    let of = |blocks: usize| frame(TEXT | DEFLATED, &[b"\x03\x00".repeat(blocks), b"\x00".to_vec()].concat());
    check("a few", &of(16), &["text "]);
    check("too many", &of(17), &[NONE]);
    check("a great many", &of(30_000), &[NONE]);
}

/// The payload of a message, compressed by whoever.
fn deflated(bytes: &[u8], level: u32, window_bits: u8) -> Vec<u8> {
    let mut compress = Compress::new_with_window_bits(Compression::new(level), false, window_bits);
    let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 8 + 1000);
    compress.compress_vec(bytes, &mut out, FlushCompress::Sync).unwrap();
    assert!(out.ends_with(&[0, 0, 0xff, 0xff]));
    out.truncate(out.len() - 4);
    out
}

#[test]
fn text_must_be_text() {
    for bad in [&b"\xff"[..], b"caf\xc3", b"\xed\xa0\x80"] {
        let payload = deflated(bad, 6, 15);
        check("text", &frame(TEXT | DEFLATED, &payload), &["1007 text that is not UTF-8"]);
        let raw = frames(&[(TEXT_BEGINS | DEFLATED, &payload[..2]), (LAST, &payload[2..])]);
        check("text in two", &raw, &["1007 text that is not UTF-8"]);
        check("bytes", &frame(BINARY | DEFLATED, &payload), &[&format!("binary {}", bad.escape_ascii())]);
    }
    let text = "κόσμε ".repeat(100);
    let payload = deflated(text.as_bytes(), 9, 9);
    check("long", &frame(TEXT | DEFLATED, &payload), &[&format!("text {text}")]);
}

#[test]
fn a_message_grows_to_its_bound_and_not_beyond() {
    let limits = Limits { message_bytes: 100_000, ..Limits::default() };
    for level in [0, 1, 9] {
        for (bytes, passes) in [(99_999, true), (100_000, true), (100_001, false), (50_000_000, false)] {
            let raw = frame(BINARY | DEFLATED, &deflated(&vec![b'a'; bytes], level, 15));
            let heard = read(Role::Server, raw.chunks(50_000), &limits);
            assert_eq!(heard.len(), 1);
            let expected = if passes { "binary aaa" } else { "1009 the message is too large" };
            assert!(heard[0].starts_with(expected), "{bytes} at {level}: {:.60}", heard[0]);
        }
    }
    // What is received is bounded too: blocks of nothing could go on for ever.
    let raw = frame(BINARY_BEGINS | DEFLATED, &[0; 100_000]);
    let more = frame(MIDDLE, &[0; 20_000]);
    let heard = read(Role::Server, [raw.as_slice(), &more].into_iter(), &limits);
    assert_eq!(heard, ["1009 the message is too large"]);
}

/// What may be said to a peer whose window is small never refers back further.
#[test]
fn windows_are_kept() {
    let mut deflater = Deflater::default();
    for asked in 9..=15 {
        // The longest that is compressed; its end is as its beginning.
        let length = if asked == 15 { 100_000 } else { 1 << asked };
        let mut words: Vec<u8> = (0..length).map(|n| u8::try_from(n % 251 * n / 251 % 13).unwrap()).collect();
        let (front, back) = words.split_at_mut(length / 2);
        back[length / 2 - 100..].copy_from_slice(&front[..100]);
        let mut out = Vec::new();
        assert!(deflater.frame(&mut out, Opcode::Binary, &words, asked), "{asked} bits");
        words.push(0);
        let mut beyond = Vec::new();
        assert_eq!(deflater.frame(&mut beyond, Opcode::Binary, &words, asked), asked == 15);
        words.pop();
        let payload = [&out[4..], &[0, 0, 0xff, 0xff]].concat();
        let mut inflate = Decompress::new_with_window_bits(false, asked);
        // In small pieces: then only what the window holds can be referred to.
        let mut all = Vec::new();
        let mut piece = [0; 64];
        while all.len() < words.len() {
            let (read, written) = (inflate.total_in(), inflate.total_out());
            let rest = &payload[usize::try_from(read).unwrap()..];
            let status = inflate.decompress(rest, &mut piece, FlushDecompress::None);
            assert!(matches!(status, Ok(Status::Ok)), "{asked} bits, after {}: {status:?}", all.len());
            all.extend_from_slice(&piece[..usize::try_from(inflate.total_out() - written).unwrap()]);
        }
        assert!(all == words, "{asked} bits");
    }
}

#[test]
fn what_is_long_goes_out_as_it_is() {
    let mut deflater = Deflater::default();
    for (bytes, is_deflated) in [(LONGEST_DEFLATED, true), (LONGEST_DEFLATED + 1, false), (2 << 20, false)] {
        let (mut out, mut plain) = (Vec::new(), Vec::new());
        let payload = vec![b'a'; bytes];
        assert_eq!(deflater.frame(&mut out, Opcode::Binary, &payload, 15), is_deflated, "{bytes}");
        carrier::websocket::frame(&mut plain, Opcode::Binary, &payload);
        assert!(is_deflated != (out == plain));
    }
}

/// What takes several slices stays where it can be looked at again; what does not, and what is not compressed, does not.
#[test]
fn a_long_message_is_kept() {
    let limits = Limits::default();
    let agreed = Agreed::to(std::iter::once(&b"permessage-deflate"[..]));
    for (first, bytes, is_long) in [
        (BINARY | DEFLATED, AT_ONCE, false),
        (BINARY | DEFLATED, AT_ONCE + 1, true),
        (BINARY, AT_ONCE + 1, false),
    ] {
        for step in [bytes + 20, 1000] {
            let raw = [frame(first, &vec![7; bytes]), frame(PING, b"p")].concat();
            let mut decoder = Decoder::new(Role::Server).agreeing(agreed);
            for piece in raw.chunks(step) {
                let (mut input, mut at) = (piece.to_vec(), 0);
                while let Some(item) = decoder.next(&mut input, &mut at, &limits).unwrap() {
                    let whole = matches!(item, Item::Deflated(..) | Item::Binary(_));
                    if whole && is_long {
                        assert_eq!(decoder.long(), Some((Unit::Binary, vec![7; bytes].as_slice())));
                        assert!(decoder.is_idle());
                    } else {
                        assert_eq!(decoder.long(), None, "{bytes} in pieces of {step}");
                    }
                }
            }
            assert_eq!(decoder.held_bytes(), 0, "what was kept is given back");
        }
    }
    let mut decoder = Decoder::new(Role::Server).agreeing(agreed);
    let mut input = frame(TEXT | DEFLATED, &vec![7; AT_ONCE + 1]);
    assert!(decoder.next(&mut input, &mut 0, &limits).unwrap().is_some());
    decoder.tidy();
    assert_eq!((decoder.long(), decoder.held_bytes()), (None, 0));
}

#[test]
fn what_would_not_be_shorter_goes_out_as_it_is() {
    let mut deflater = Deflater::default();
    let noise: Vec<u8> =
        (0..5_000_u64).map(|n| (n.wrapping_mul(n).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as u8).collect();
    for payload in [&b"short and short and short"[..], &noise[..130], &noise] {
        let (mut out, mut plain) = (Vec::new(), Vec::new());
        assert!(!deflater.frame(&mut out, Opcode::Binary, payload, 15));
        carrier::websocket::frame(&mut plain, Opcode::Binary, payload);
        assert!(out == plain);
    }
}

proptest! {
    /// Whatever a server says, its client hears; one compressor and one inflater serve all messages.
    #[test]
    fn what_a_server_compresses_is_read(
        texts in vec("(\\PC{0,40}|[ab]{0,20}|\\{\"event\":\"[a-c]{1,9}\",\"payload\":\"[a-z ]{0,2000}\"\\})", 0..6),
        bits in 9..=15_u8,
        cuts in vec(any::<Index>(), 0..12),
    ) {
        let mut deflater = Deflater::default();
        let mut raw = Vec::new();
        for text in &texts {
            deflater.frame(&mut raw, Opcode::Text, text.as_bytes(), bits);
        }
        let expected: Vec<String> = texts.iter().map(|text| format!("text {text}")).collect();
        prop_assert_eq!(read(Role::Client, pieces(&raw, &cuts).into_iter(), &Limits::default()), expected);
    }

    /// Whatever a client compresses, however it is cut into fragments and packets, is heard.
    #[test]
    fn what_a_client_compresses_is_read(
        text in "(\\PC{0,200}|[ab]{0,5000})",
        is_text in any::<bool>(),
        level in 0..=9_u32,
        bits in 9..=15_u8,
        fragments in vec(any::<Index>(), 0..6),
        cuts in vec(any::<Index>(), 0..12),
    ) {
        let payload = deflated(text.as_bytes(), level, bits);
        let payloads = pieces(&payload, &fragments);
        let mut raw = Vec::new();
        for (number, payload) in payloads.iter().enumerate() {
            let begins = DEFLATED | if is_text { TEXT_BEGINS } else { BINARY_BEGINS };
            let opcode = if number > 0 { MIDDLE } else { begins };
            let fin = if number + 1 == payloads.len() { LAST } else { 0 };
            raw.extend(to(Role::Server, opcode | fin, payload));
            raw.extend((fin == 0).then(|| frame(PING, b"p")).into_iter().flatten());
        }
        let mut expected = vec!["ping p".to_owned(); payloads.len() - 1];
        let bytes = text.as_bytes().escape_ascii().to_string();
        expected.push(if is_text { format!("text {text}") } else { format!("binary {bytes}") });
        prop_assert_eq!(read(Role::Server, pieces(&raw, &cuts).into_iter(), &Limits::default()), expected);
    }

    /// A message may be inflated in slices, however they are cut.
    #[test]
    fn slices_make_no_difference(
        text in "(\\PC{0,200}|[ab]{0,5000})",
        level in 0..=9_u32,
        nonsense in vec(any::<u8>(), 0..20),
        cuts in vec(any::<Index>(), 0..12),
        bound in 0..6000_usize,
    ) {
        let payload = [deflated(text.as_bytes(), level, 15), nonsense].concat();
        let mut whole = Inflater::default();
        let mut sliced = Inflater::default();
        for _ in 0..2 {
            sliced.begin();
            let slices = pieces(&payload, &cuts);
            let added = slices.into_iter().try_for_each(|slice| sliced.add(slice, bound));
            let opened = added.and_then(|()| sliced.end(Unit::Text, bound));
            prop_assert_eq!(opened, whole.open(Item::Deflated(Unit::Text, &payload), bound));
        }
    }

    /// Nonsense is refused or read, alike however it comes, and never grows beyond its bound.
    #[test]
    fn nonsense_is_survived(
        payload in vec(any::<u8>(), 0..200),
        cuts in vec(any::<Index>(), 0..6),
    ) {
        let limits = Limits { message_bytes: 500, ..Limits::default() };
        let raw = frame(BINARY | DEFLATED, &payload);
        let whole = read(Role::Server, std::iter::once(raw.as_slice()), &limits);
        prop_assert_eq!(whole.len(), 1);
        prop_assert_eq!(&read(Role::Server, pieces(&raw, &cuts).into_iter(), &limits), &whole);
    }
}
