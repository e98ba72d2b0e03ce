//! `carrier::http1::Decoder`: requests out of bytes.
//!
//! Holds that cuts make no difference, that work and memory follow the input, that a refusal is final, and that a
//! request written again in the plainest way is the same request.

use crate::bound::bounded;
use crate::cuts::Case;
use carrier::http1::{Decoder, Manner, Progress, Refused};
use dialect::Request;
use model::Limits;

pub(crate) const WORDS: &[&str] = &[
    "\r\n",
    "\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\n",
    "POST ",
    "HEAD ",
    " HTTP/1.0\r\n",
    "Host: a\r\n",
    "Content-Length: 5\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Expect: 100-continue\r\n",
    "Connection: close\r\n",
    "Upgrade: websocket\r\nConnection: Upgrade\r\n",
    "Sec-WebSocket-Version: 13\r\n",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
    "Origin: http://a\r\n",
    "http://a",
    "0\r\n\r\n",
    "3\r\nabc\r\n",
    "5;x=y\r\n",
    "ffffffffffffffff",
];

/// What a conversation would see of a request.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Seen {
    words: [String; 3],
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    wants_websocket: bool,
    manner: String,
}

/// All that a connection said.
#[derive(Default, PartialEq, Eq, Debug)]
struct Heard {
    requests: Vec<Seen>,
    refused: Option<(u16, &'static str)>,
    /// Whether a head has begun, whether a body has.
    at_the_end: (bool, bool),
}

pub(crate) fn check(input: &[u8]) {
    let Some(case) = Case::read(input) else { return };
    let limits = limits(&case);
    let ways = case.ways();
    let whole = hear(&ways[0], &limits);
    for way in &ways {
        assert_eq!(hear(way, &limits), whole, "in {} pieces", way.len());
        bounded(case.sent.len(), || drop(read(way, &limits, |_, _| {})));
    }
    whole.requests.iter().for_each(|request| same_again(request, &limits));
}

fn limits(case: &Case<'_>) -> Limits {
    let d = Limits::default();
    Limits {
        message_bytes: if case.has(0) { 64 } else { d.message_bytes },
        head_bytes: if case.has(1) { 128 } else { d.head_bytes },
        head_lines: if case.has(2) { 3 } else { d.head_lines },
        ..d
    }
}

fn hear(pieces: &[&[u8]], limits: &Limits) -> Heard {
    let mut requests = Vec::new();
    let end = read(pieces, limits, |request, manner| {
        assert!(request.body.len() <= limits.message_bytes, "{} bytes of body", request.body.len());
        assert!(request.headers.len() <= limits.head_lines, "{} header lines", request.headers.len());
        requests.push(seen(request, manner));
    });
    Heard { requests, ..end }
}

/// Reads pieces as a shard would. Says all but the requests, which `deal` is told.
fn read(pieces: &[&[u8]], limits: &Limits, mut deal: impl FnMut(&Request<'_>, &Manner<'_>)) -> Heard {
    let mut decoder = Decoder::default();
    let (mut arrived, mut calls, mut answered) = (0, 0, 0);
    for piece in pieces {
        arrived += piece.len();
        let mut input = *piece;
        loop {
            let before = input.len();
            calls += 1;
            let progress = decoder.next(&mut input, limits, &mut deal);
            assert!(input.len() <= before, "input does not grow");
            let held = (2 * arrived + 64).min(limits.head_bytes + limits.message_bytes);
            assert!(decoder.held_bytes() <= held, "{} held of {arrived}", decoder.held_bytes());
            match progress {
                Ok(Progress::NeedMore) => break,
                Ok(Progress::Continue) => answered += 1,
                Ok(Progress::Complete) => {
                    assert!(input.len() < before, "a request is made of bytes");
                    answered += 1;
                }
                Err(refused) => return over(&mut decoder, refused, limits),
            }
        }
        assert!(input.is_empty(), "all is taken when more is needed");
    }
    // Work: a call for each piece, and one more for each thing said.
    assert!(calls <= pieces.len() + answered, "{calls} calls for {} pieces", pieces.len());
    Heard { at_the_end: (!decoder.is_idle(), decoder.in_body()), ..Heard::default() }
}

/// A refusal is for good, whatever follows.
fn over(decoder: &mut Decoder, refused: Refused, limits: &Limits) -> Heard {
    assert!([400, 413, 417, 426, 431, 501, 505].contains(&refused.status), "{refused:?}");
    let mut more: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut dealt = false;
    assert_eq!(decoder.next(&mut more, limits, |_, _| dealt = true), Err(refused));
    assert!(!dealt && decoder.held_bytes() == 0);
    Heard { refused: Some((refused.status, refused.detail)), ..Heard::default() }
}

fn seen(request: &Request<'_>, manner: &Manner<'_>) -> Seen {
    assert!(request.path.starts_with('/'), "{:?}", request.path);
    assert!(request.headers.iter().all(|h| !h.value.iter().any(|b| matches!(b, b'\r' | b'\n' | 0))));
    Seen {
        words: [request.method, request.path, request.query].map(str::to_owned),
        headers: request.headers.iter().map(|h| (h.name.to_owned(), h.value.to_vec())).collect(),
        body: request.body.to_vec(),
        wants_websocket: request.wants_websocket,
        manner: format!("{manner:?}"),
    }
}

/// Writes a request in the plainest way and reads it: but for its framing it must be the same.
fn same_again(request: &Seen, limits: &Limits) {
    let [method, path, query] = &request.words;
    let framing = |name: &str| {
        ["content-length", "transfer-encoding", "expect"].iter().any(|f| name.eq_ignore_ascii_case(f))
    };
    let http10 = request.manner.contains("http10: true");
    let mut raw = format!("{method} {path}?{query} HTTP/1.{}\r\n", u8::from(!http10)).into_bytes();
    let kept: Vec<_> = request.headers.iter().filter(|(name, _)| !framing(name)).cloned().collect();
    for (name, value) in &kept {
        raw.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
    }
    raw.extend(format!("Content-Length: {}\r\n\r\n", request.body.len()).bytes());
    raw.extend(&request.body);
    // What it is written in may be longer than it was.
    let limits = Limits { head_bytes: 1 << 20, head_lines: limits.head_lines + 1, ..limits.clone() };
    let again = hear(&[&raw], &limits);
    assert_eq!(again.refused, None, "{}", raw.escape_ascii());
    assert_eq!(again.requests.len(), 1, "{}", raw.escape_ascii());
    for second in again.requests {
        let headers: Vec<_> = second.headers.into_iter().filter(|(name, _)| !framing(name)).collect();
        assert_eq!((&second.words, &headers), (&request.words, &kept));
        assert_eq!((&second.body, second.wants_websocket), (&request.body, request.wants_websocket));
    }
}
