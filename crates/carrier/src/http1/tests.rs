//! What holds for every request and every cut, what is kept meanwhile, and the responses.

#![allow(clippy::indexing_slicing, reason = "no peer reaches a test")]

use super::response::{self, Length};
use super::*;
use proptest::prelude::*;
use proptest::sample::Index;

/// Reads pieces as a shard would; says what was dealt, how it ended, and how often `100 Continue` was asked
/// for.
fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>, limits: &Limits) -> (Vec<String>, Option<Refused>, u32) {
    let mut decoder = Decoder::default();
    let mut dealt = Vec::new();
    let mut continues = 0;
    let mut arrived = 0;
    for piece in pieces {
        arrived += piece.len();
        let mut input = piece;
        loop {
            let progress = decoder.next(&mut input, limits, |request, manner| {
                dealt.push(format!("{request:?} {manner:?}"));
            });
            assert!(decoder.held_bytes() <= limits.head_bytes + limits.message_bytes);
            assert!(decoder.held_bytes() <= 2 * arrived);
            match progress {
                Ok(Progress::Complete) => {}
                Ok(Progress::Continue) => continues += 1,
                Ok(Progress::NeedMore) => break,
                Err(refused) => return (dealt, Some(refused), continues),
            }
        }
    }
    (dealt, None, continues)
}

/// The pieces between these places.
fn pieces<'a>(raw: &'a [u8], cuts: &[Index]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(raw.len() + 1)).collect();
    cuts.sort_unstable();
    let mut from = 0;
    let mut pieces = Vec::new();
    for cut in cuts.into_iter().chain([raw.len()]) {
        pieces.push(&raw[from..cut]);
        from = cut;
    }
    pieces
}

fn small_limits() -> Limits {
    Limits { head_bytes: 200, head_lines: 6, message_bytes: 100, ..Limits::default() }
}

/// A valid request, and its path and body.
fn request() -> impl Strategy<Value = (Vec<u8>, String, Vec<u8>)> {
    let path = "/[a-zA-Z0-9/_.%-]{0,20}";
    let headers = proptest::collection::vec(("X-[a-zA-Z0-9]{1,8}", "[ -~]{0,20}"), 0..4);
    let body = proptest::collection::vec(any::<u8>(), 0..80);
    (path, headers, body, 0..3_u8, 1..30_usize).prop_map(|(path, headers, body, framing, size)| {
        let mut raw = format!("POST {path} HTTP/1.1\r\nHost: a\r\n").into_bytes();
        for (name, value) in headers {
            raw.extend(format!("{name}: {value}\r\n").bytes());
        }
        match framing {
            0 => {
                raw.extend(b"\r\n");
                return (raw, path, Vec::new());
            }
            1 => {
                raw.extend(format!("content-length:{}\r\n\r\n", body.len()).bytes());
                raw.extend(&body);
            }
            _ => {
                raw.extend(b"Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n");
                body.chunks(size).for_each(|bytes| response::chunk(&mut raw, bytes));
                response::last_chunk(&mut raw);
            }
        }
        (raw, path, body)
    })
}

/// A byte that matters to somebody.
fn damaging() -> impl Strategy<Value = u8> {
    prop::sample::select(b"\r\n\0 \t:;,0a\x7f\xff".as_slice())
}

proptest! {
    #[test]
    fn cuts_change_nothing(
        requests in proptest::collection::vec(request(), 0..5),
        cuts in proptest::collection::vec(any::<Index>(), 0..12),
    ) {
        let raw: Vec<u8> = requests.iter().flat_map(|(raw, ..)| raw.clone()).collect();
        let (dealt, refused, _) = read(pieces(&raw, &cuts).into_iter(), &small_limits());
        prop_assert_eq!(refused, None);
        prop_assert_eq!(dealt.len(), requests.len());
        for (line, (_, path, body)) in dealt.iter().zip(&requests) {
            let path = format!("path: {path:?}");
            let body = format!("body: {body:?}");
            prop_assert!(line.contains(&path) && line.contains(&body), "{}", line);
        }
    }

    /// Damaged requests are read alike however they are cut: nobody's meaning depends on timing.
    #[test]
    fn damage_is_found_alike(
        requests in proptest::collection::vec(request(), 1..4),
        damage in proptest::collection::vec((any::<Index>(), damaging()), 0..4),
        cuts in proptest::collection::vec(any::<Index>(), 0..12),
    ) {
        let mut raw: Vec<u8> = requests.iter().flat_map(|(raw, ..)| raw.clone()).collect();
        for (place, byte) in damage {
            let place = place.index(raw.len());
            raw[place] = byte;
        }
        let limits = small_limits();
        let (dealt, refused, _) = read(std::iter::once(raw.as_slice()), &limits);
        let (dealt_in_pieces, refused_in_pieces, _) = read(pieces(&raw, &cuts).into_iter(), &limits);
        prop_assert_eq!(dealt, dealt_in_pieces);
        prop_assert_eq!(refused, refused_in_pieces);
    }

    #[test]
    fn nonsense_is_survived(
        raw in proptest::collection::vec(any::<u8>(), 0..600),
        cuts in proptest::collection::vec(any::<Index>(), 0..6),
    ) {
        read(pieces(&raw, &cuts).into_iter(), &small_limits());
        let mut raw_body = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        raw_body.extend(raw);
        read(pieces(&raw_body, &cuts).into_iter(), &small_limits());
    }
}

#[test]
fn an_announced_length_costs_nothing() {
    let limits = Limits::default();
    let mut decoder = Decoder::default();
    let mut input: &[u8] = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n\r\nx";
    let arrived = input.len();
    assert_eq!(decoder.next(&mut input, &limits, |_, _| ()), Ok(Progress::NeedMore));
    assert!(decoder.in_body() && decoder.held_bytes() <= 2 * arrived);
}

#[test]
fn continue_is_asked_for_once_and_only_in_need() {
    let limits = Limits::default();
    let raw = b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi";
    let head = raw.len() - 2;
    let of = |pieces: &[&[u8]]| read(pieces.iter().copied(), &limits).2;
    assert_eq!(of(&[raw]), 0, "the body is there");
    assert_eq!(of(&[&raw[..=head], &raw[head + 1..]]), 0, "the body has begun");
    assert_eq!(of(&[&raw[..head], &raw[head..=head], &raw[head + 1..]]), 1);
    let old = b"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    assert_eq!(of(&[old]), 0, "HTTP/1.0 does not know it");
    let empty = b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n";
    assert_eq!(of(&[empty]), 0, "no body will come");
}

#[test]
fn an_idle_decoder_is_a_pointer() {
    assert_eq!(size_of::<Decoder>(), 8);
    let limits = Limits::default();
    let mut decoder = Decoder::default();
    assert!(decoder.is_idle());
    assert_eq!(decoder.next(&mut b"G".as_slice(), &limits, |_, _| ()), Ok(Progress::NeedMore));
    assert!(!decoder.is_idle() && !decoder.in_body());
    let mut rest = b"ET / HTTP/1.1\r\nHost: a\r\n\r\n".as_slice();
    assert_eq!(decoder.next(&mut rest, &limits, |_, _| ()), Ok(Progress::Complete));
    assert!(decoder.is_idle());
}

fn written(status: u16, http10: bool, headers: &[(&str, &str)], length: Length, close: bool) -> String {
    let mut out = Vec::new();
    response::head(&mut out, status, http10, headers.iter().copied(), length, close);
    String::from_utf8(out).unwrap()
}

#[test]
fn heads_of_responses() {
    let known = written(200, false, &[("A", "b")], Length::Known(1234), false);
    assert_eq!(known, "HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 1234\r\n\r\n");
    let chunked = written(200, false, &[], Length::Chunked, true);
    assert_eq!(chunked, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n");
    let old = written(200, true, &[], Length::Chunked, false);
    assert_eq!(old, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", "HTTP/1.0 knows no chunks");
    let kept = written(200, true, &[], Length::Known(0), false);
    assert_eq!(kept, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n");
    for (status, length) in [(204, Length::Known(0)), (304, Length::Chunked), (101, Length::UntilClose)] {
        let head = written(status, false, &[], length, false);
        assert_eq!(head, format!("HTTP/1.1 {status} {}\r\n\r\n", response::reason(status)));
    }
    assert_eq!(written(299, false, &[], Length::None, false), "HTTP/1.1 299 \r\n\r\n");
}

#[test]
fn headers_cannot_be_injected() {
    let headers = [
        ("A", "b\r\nSet-Cookie: c\0\x7f"),
        ("B\r\nC", "d"),
        ("", "e"),
        ("content-length", "99"),
        ("Transfer-encoding", "chunked"),
    ];
    let head = written(200, false, &headers, Length::Known(0), false);
    assert_eq!(head, "HTTP/1.1 200 OK\r\nA: bSet-Cookie: c\r\nContent-Length: 0\r\n\r\n");
}

#[test]
fn chunks_and_problems() {
    let mut out = Vec::new();
    response::chunk(&mut out, &[b'x'; 0x1a]);
    response::chunk(&mut out, b"");
    response::last_chunk(&mut out);
    assert_eq!(out, [b"1a\r\n".as_slice(), &[b'x'; 0x1a], b"\r\n0\r\n\r\n"].concat());

    let mut out = Vec::new();
    response::problem(&mut out, 426, "a \"b\" \\ \n\x01\x1f é", std::iter::empty(), true);
    let body = r#"{"type":"about:blank","title":"Upgrade Required","status":426,"detail":"a \"b\" \\ \n\u0001\u001f é"}"#;
    let head = format!(
        "HTTP/1.1 426 Upgrade Required\r\nContent-Type: application/problem+json\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    assert_eq!(String::from_utf8(out).unwrap(), head + body);
}
