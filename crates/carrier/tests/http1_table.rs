//! Raw bytes and what they must be read as, however they are cut: whole, byte by byte, at every place, at
//! random.
//!
//! A request is written `METHOD path?query host body`, with `close`, `1.0`, `head`, `ws`, `origin=` behind it
//! where they apply. A refusal is its status and detail. `…` is an incomplete head, `…body` an incomplete
//! body.

use carrier::http1::{Decoder, Manner, Progress};
use dialect::Request;
use model::Limits;

type Row<'a> = (&'a str, &'a [u8], &'a [&'a str]);

/// A request whose first two lines are as they should be, up to what is asked for.
macro_rules! get {
    ($rest:literal) => {
        concat!("GET / HTTP/1.1\r\nHost: a\r\n", $rest).as_bytes()
    };
}

macro_rules! post {
    ($rest:literal) => {
        concat!("POST / HTTP/1.1\r\nHost: a\r\n", $rest).as_bytes()
    };
}

fn write_down(request: &Request<'_>, manner: &Manner<'_>) -> String {
    let body = String::from_utf8_lossy(request.body);
    let mut line = format!("{} {}?{} {} {body}", request.method, request.path, request.query, manner.host);
    assert_eq!(request.wants_websocket, manner.websocket_key.is_some());
    let marks = [(!manner.keep_alive, " close"), (manner.http10, " 1.0"), (manner.is_head, " head")];
    line.extend(marks.iter().filter(|(on, _)| *on).map(|(_, mark)| *mark));
    line.extend(request.wants_websocket.then_some(" ws"));
    line.extend(manner.origin.map(|origin| format!(" origin={origin}")));
    line
}

fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>, limits: &Limits) -> Vec<String> {
    let mut decoder = Decoder::default();
    let mut seen = Vec::new();
    for mut input in pieces {
        loop {
            let mut dealt = None;
            let progress = decoder.next(&mut input, limits, |r, m| dealt = Some(write_down(r, m)));
            assert_eq!(dealt.is_some(), progress == Ok(Progress::Complete));
            seen.extend(dealt);
            match progress {
                Ok(Progress::Complete | Progress::Continue) => {}
                Ok(Progress::NeedMore) => {
                    assert!(input.is_empty(), "all input is taken when more is needed");
                    break;
                }
                Err(refused) => {
                    assert_eq!(decoder.next(&mut input, limits, |_, _| ()), Err(refused), "it stays refused");
                    seen.push(format!("{} {}", refused.status, refused.detail));
                    return seen;
                }
            }
        }
    }
    match (decoder.is_idle(), decoder.in_body()) {
        (true, false) => {}
        (false, false) => seen.push("…".to_owned()),
        (_, true) => seen.push("…body".to_owned()),
    }
    seen
}

fn check_within(limits: &Limits, rows: &[Row<'_>]) {
    for (name, raw, expected) in rows {
        assert_eq!(read(std::iter::once(*raw), limits), *expected, "{name}, whole");
        assert_eq!(read(raw.chunks(1), limits), *expected, "{name}, byte by byte");
        for cut in 0..raw.len() {
            let (front, back) = raw.split_at(cut);
            assert_eq!(read([front, back].into_iter(), limits), *expected, "{name}, cut at {cut}");
        }
        for step in [2, 3, 5, 7, 11, 13, 29, 61] {
            assert_eq!(read(raw.chunks(step), limits), *expected, "{name}, in pieces of {step}");
        }
    }
}

fn check(rows: &[Row<'_>]) {
    check_within(&Limits::default(), rows);
}

const BAD_LINE: &str = "400 a malformed request line";
const BAD_NAME: &str = "400 a malformed header name, or white space before its colon";
const BAD_VALUE: &str = "400 a control character in a header";
const BAD_HOST: &str = "400 an invalid Host";
const BAD_LENGTH: &str = "400 an invalid Content-Length";
const BAD_SIZE: &str = "400 a malformed chunk size";
const BAD_TARGET: &str = "400 a request target that is not a path";
const BARE_LF: &str = "400 a line feed without a carriage return";
const FOLDED: &str = "400 a folded header line";
const LONELY_CR: &str = "400 a carriage return without a line feed";
const NOT_HTTP: &str = "400 this is not HTTP; perhaps it is TLS";
const OTHER_CODING: &str = "501 a Transfer-Encoding other than chunked";
const OTHER_VERSION: &str = "505 neither HTTP/1.1 nor HTTP/1.0";

#[test]
fn request_lines() {
    check(&[
        ("plain", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", &["GET /? a "]),
        ("query", b"GET /c/x?a=1?b HTTP/1.1\r\nHost: a\r\n\r\n", &["GET /c/x?a=1?b a "]),
        ("escapes stay", b"GET /a%2Fb//c HTTP/1.1\r\nHost: a\r\n\r\n", &["GET /a%2Fb//c? a "]),
        ("as curl sends it", "GET /c/зал HTTP/1.1\r\nHost: a\r\n\r\n".as_bytes(), &["GET /c/зал? a "]),
        ("not UTF-8", b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n", &[BAD_LINE]),
        ("HEAD", b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", &["HEAD /? a  head"]),
        ("any method", b"PURGE / HTTP/1.1\r\nHost: a\r\n\r\n", &["PURGE /? a "]),
        ("method with a bad byte", b"GE(T / HTTP/1.1\r\nHost: a\r\n\r\n", &[BAD_LINE]),
        ("one empty line", b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", &["GET /? a "]),
        ("two empty lines", b"\r\n\r\nGET / HTTP/1.1\r\n", &["400 empty lines before the request"]),
        ("a bare LF first", b"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", &[BARE_LF]),
        ("a CR that stays alone", b"\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", &[BAD_LINE]),
        ("a space first", b" GET / HTTP/1.1\r\nHost: a\r\n\r\n", &[BAD_LINE]),
        ("two spaces", b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", &[BAD_LINE]),
        ("a tab", b"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", &[BAD_LINE]),
        ("a space behind", b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", &[BAD_LINE]),
        ("a space in the target", b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", &[BAD_LINE]),
        ("NUL in the target", b"GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", &[BAD_LINE]),
        ("HTTP/0.9", b"GET /\r\n\r\n", &[BAD_LINE]),
        ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &[OTHER_VERSION]),
        ("HTTP/1.2", b"GET / HTTP/1.2\r\nHost: a\r\n\r\n", &[OTHER_VERSION]),
        ("HTTP/0.9 by name", b"\r\nGET / HTTP/0.9\r\n\r\n", &[OTHER_VERSION]),
        ("HTTP/1.10", b"GET / HTTP/1.10\r\nHost: a\r\n\r\n", &[BAD_LINE]),
        ("lower case", b"GET / http/1.1\r\nHost: a\r\n\r\n", &[BAD_LINE]),
        ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", &[NOT_HTTP]),
        ("nothing", b"", &[]),
        ("half a head", get!(""), &["…"]),
    ]);
}

#[test]
fn targets() {
    check(&[
        ("absolute", b"GET http://b:81/x?y HTTP/1.1\r\nHost: a\r\n\r\n", &["GET /x?y b:81 "]),
        ("absolute, no path", b"GET HTTP://b HTTP/1.1\r\nHost: a\r\n\r\n", &["GET /? b "]),
        ("absolute, only a query", b"GET https://b?q HTTP/1.1\r\nHost: a\r\n\r\n", &["GET /?q b "]),
        ("absolute, no Host", b"GET http://b/ HTTP/1.1\r\n\r\n", &["400 no Host"]),
        (
            "absolute, a user",
            b"GET http://u@b/ HTTP/1.1\r\nHost: a\r\n\r\n",
            &["400 an invalid host in the request target"],
        ),
        (
            "absolute, no host in it",
            b"GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n",
            &["400 an invalid host in the request target"],
        ),
        ("another scheme", b"GET ws://b/ HTTP/1.1\r\nHost: a\r\n\r\n", &[BAD_TARGET]),
        ("a star", b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", &[BAD_TARGET]),
        ("no slash", b"GET x HTTP/1.1\r\nHost: a\r\n\r\n", &[BAD_TARGET]),
        ("a fragment", b"GET /#x HTTP/1.1\r\nHost: a\r\n\r\n", &["400 a fragment in the request target"]),
        ("CONNECT", b"CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\n", &["501 CONNECT: this is not a proxy"]),
    ]);
}

#[test]
fn header_lines() {
    check(&[
        ("white space around", b"GET / HTTP/1.1\r\nHost: \t a \t\r\n\r\n", &["GET /? a "]),
        ("a bare LF", b"GET / HTTP/1.1\r\nHost: a\n\r\n", &[BARE_LF]),
        ("a bare LF at the end", get!("\n"), &[BARE_LF]),
        ("a bare LF in the request line", b"GET / HTTP/1.1\nHost: a\r\n\r\n", &[BARE_LF]),
        ("a bare CR", b"GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", &[BAD_VALUE]),
        ("CR CR LF", b"GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", &[BAD_VALUE]),
        ("NUL", get!("X: b\0c\r\n\r\n"), &[BAD_VALUE]),
        ("DEL", get!("X: b\x7fc\r\n\r\n"), &[BAD_VALUE]),
        ("ESC", get!("X: b\x1bc\r\n\r\n"), &[BAD_VALUE]),
        ("other bytes", b"GET / HTTP/1.1\r\nHost: a\r\nX: \xff\tc\r\n\r\n", &["GET /? a "]),
        ("folded", get!("X: b\r\n c\r\n\r\n"), &[FOLDED]),
        ("folded by a tab", get!("X: b\r\n\tc\r\n\r\n"), &[FOLDED]),
        ("folded at once", b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", &[FOLDED]),
        ("folded and empty", get!(" \r\n\r\n"), &[FOLDED]),
        ("a space before the colon", b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", &[BAD_NAME]),
        ("a tab before the colon", b"GET / HTTP/1.1\r\nHost\t: a\r\n\r\n", &[BAD_NAME]),
        ("no colon", b"GET / HTTP/1.1\r\nHost\r\n\r\n", &[BAD_NAME]),
        ("no name", get!(": b\r\n\r\n"), &[BAD_NAME]),
        ("a bad name", get!("X[]: b\r\n\r\n"), &[BAD_NAME]),
        ("a name beyond ASCII", b"GET / HTTP/1.1\r\nHost: a\r\nX\xc3\xa4: b\r\n\r\n", &[BAD_NAME]),
    ]);
}

#[test]
fn hosts_and_origins() {
    let origin = &["GET /? a  origin=https://b.example:1"];
    check(&[
        ("none", b"GET / HTTP/1.1\r\n\r\n", &["400 no Host"]),
        ("none in 1.0", b"GET / HTTP/1.0\r\n\r\n", &["GET /?   close 1.0"]),
        ("two", get!("Host: b\r\n\r\n"), &["400 more than one Host"]),
        ("the same twice", get!("host: a\r\n\r\n"), &["400 more than one Host"]),
        ("two in 1.0", b"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", &["400 more than one Host"]),
        ("empty", b"GET / HTTP/1.1\r\nHost:\r\n\r\n", &[BAD_HOST]),
        ("a path in it", b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", &[BAD_HOST]),
        ("a user in it", b"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", &[BAD_HOST]),
        ("a list", b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", &[BAD_HOST]),
        ("beyond ASCII", b"GET / HTTP/1.1\r\nHost: \xc3\xa4\r\n\r\n", &[BAD_HOST]),
        ("a port", b"GET / HTTP/1.1\r\nHost: a.b-c_d:6889\r\n\r\n", &["GET /? a.b-c_d:6889 "]),
        ("an empty port", b"GET / HTTP/1.1\r\nHost: a:\r\n\r\n", &["GET /? a: "]),
        ("a port of letters", b"GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", &[BAD_HOST]),
        ("two ports", b"GET / HTTP/1.1\r\nHost: a:1:2\r\n\r\n", &[BAD_HOST]),
        ("IPv6", b"GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", &["GET /? [::1]:80 "]),
        ("IPv6 without brackets", b"GET / HTTP/1.1\r\nHost: ::1\r\n\r\n", &[BAD_HOST]),
        ("IPv6, unclosed", b"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", &[BAD_HOST]),
        ("IPv6 and more", b"GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n", &[BAD_HOST]),
        ("origin", get!("Origin: https://b.example:1\r\n\r\n"), origin),
        ("two origins", get!("Origin: b\r\nOrigin: c\r\n\r\n"), &["400 more than one Origin"]),
        (
            "an unreadable origin",
            b"GET / HTTP/1.1\r\nHost: a\r\nOrigin: \xff\r\n\r\n",
            &["400 an invalid Origin"],
        ),
    ]);
}

#[test]
fn lengths() {
    let hello = &["POST /? a hello"];
    check(&[
        ("a body", post!("Content-Length: 5\r\n\r\nhello"), hello),
        ("zeros before", post!("Content-Length: 005\r\n\r\nhello"), hello),
        ("of nothing", post!("Content-Length: 0\r\n\r\n"), &["POST /? a "]),
        ("cut", post!("Content-Length: 5\r\n\r\nhell"), &["…body"]),
        ("of a GET", get!("Content-Length: 2\r\n\r\nhi"), &["GET /? a hi"]),
        (
            "a request in it",
            post!(
                "Content-Length: 18\r\n\r\nGET /x HTTP/1.1\r\n\n\
                 GET / HTTP/1.1\r\nHost: b\r\n\r\n"
            ),
            &["POST /? a GET /x HTTP/1.1\r\n\n", "GET /? b "],
        ),
        ("empty", post!("Content-Length:\r\n\r\n"), &[BAD_LENGTH]),
        ("a sign", post!("Content-Length: +5\r\n\r\nhello"), &[BAD_LENGTH]),
        ("negative", post!("Content-Length: -5\r\n\r\n"), &[BAD_LENGTH]),
        ("a space in it", post!("Content-Length: 5 0\r\n\r\n"), &[BAD_LENGTH]),
        ("a list", post!("Content-Length: 5, 5\r\n\r\nhello"), &[BAD_LENGTH]),
        ("hexadecimal", post!("Content-Length: 0x5\r\n\r\nhello"), &[BAD_LENGTH]),
        ("a fraction", post!("Content-Length: 5.0\r\n\r\nhello"), &[BAD_LENGTH]),
        ("overflow", post!("Content-Length: 18446744073709551621\r\n\r\nhello"), &[BAD_LENGTH]),
        (
            "too large",
            post!("Content-Length: 9999999999999999999\r\n\r\nhello"),
            &["413 the body is too large"],
        ),
        (
            "twice the same",
            post!("Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"),
            &["400 more than one Content-Length"],
        ),
        (
            "two that differ",
            post!("Content-Length: 5\r\ncontent-length: 6\r\n\r\nhello"),
            &["400 more than one Content-Length"],
        ),
        (
            "and a coding",
            post!("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            &["400 both Content-Length and Transfer-Encoding"],
        ),
        (
            "and a coding, the other way round",
            post!("Transfer-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello"),
            &["400 both Content-Length and Transfer-Encoding"],
        ),
    ]);
}

#[test]
fn codings() {
    check(&[
        ("gzip", post!("Transfer-Encoding: gzip\r\n\r\n"), &[OTHER_CODING]),
        ("a list", post!("Transfer-Encoding: gzip, chunked\r\n\r\n"), &[OTHER_CODING]),
        ("twice in a list", post!("Transfer-Encoding: chunked, chunked\r\n\r\n"), &[OTHER_CODING]),
        ("identity", post!("Transfer-Encoding: identity\r\n\r\n"), &[OTHER_CODING]),
        ("a parameter", post!("Transfer-Encoding: chunked;q=1\r\n\r\n"), &[OTHER_CODING]),
        ("quoted", post!("Transfer-Encoding: \"chunked\"\r\n\r\n"), &[OTHER_CODING]),
        ("empty", post!("Transfer-Encoding:\r\n\r\n"), &[OTHER_CODING]),
        ("a vertical tab", post!("Transfer-Encoding: \x0bchunked\r\n\r\n"), &[BAD_VALUE]),
        ("a space before the colon", post!("Transfer-Encoding : chunked\r\n\r\n"), &[BAD_NAME]),
        ("a line that is folded", post!("Transfer-Encoding:\r\n chunked\r\n\r\n"), &[FOLDED]),
        (
            "two",
            post!("Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n"),
            &["400 more than one Transfer-Encoding"],
        ),
        (
            "in HTTP/1.0",
            b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            &["400 Transfer-Encoding in HTTP/1.0"],
        ),
    ]);
}

/// A table of chunked bodies: each is put behind the same head, and followed by another request.
#[test]
fn chunks() {
    let control = "400 a control character in a chunk extension or trailer";
    let longer = "400 a chunk that is longer than its size";
    let rows: &[(&str, &[u8], &str)] = &[
        ("nothing", b"0\r\n\r\n", ""),
        ("one", b"5\r\nhello\r\n0\r\n\r\n", "hello"),
        ("two", b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", "hello"),
        ("hexadecimal", b"A\r\n0123456789\r\n0b\r\n0123456789a\r\n000\r\n\r\n", "01234567890123456789a"),
        ("line ends inside", b"4\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n"),
        ("an extension", b"5;a=b;c=\"d\"\r\nhello\r\n0;x\r\n\r\n", "hello"),
        ("trailers", b"5\r\nhello\r\n0\r\nA: b\r\nHost: c\r\n\r\n", "hello"),
        ("a bare LF behind the size", b"5\nhello\r\n0\r\n\r\n", BARE_LF),
        ("a bare LF behind the data", b"5\r\nhello\n0\r\n\r\n", longer),
        ("a bare LF in an extension", b"5;a\nhello\r\n0\r\n\r\n", BARE_LF),
        ("a bare LF in a trailer", b"0\r\na: b\n\r\n", BARE_LF),
        ("a bare LF at the end", b"0\r\n\n", BARE_LF),
        ("a bare CR behind the size", b"5\rhello\r\n0\r\n\r\n", LONELY_CR),
        ("a bare CR in an extension", b"5;a\rb\r\nhello\r\n0\r\n\r\n", LONELY_CR),
        ("a bare CR in a trailer", b"0\r\na: b\rc\r\n\r\n", LONELY_CR),
        ("a bare CR at the end", b"0\r\n\rx", LONELY_CR),
        ("longer than said", b"4\r\nhello\r\n0\r\n\r\n", longer),
        ("shorter than said", b"6\r\nhello\r\n0\r\n\r\n", longer),
        ("no size", b"\r\nhello\r\n0\r\n\r\n", BAD_SIZE),
        ("only an extension", b";a\r\n\r\n", BAD_SIZE),
        ("a sign", b"+5\r\nhello\r\n0\r\n\r\n", BAD_SIZE),
        ("0x", b"0x5\r\nhello\r\n0\r\n\r\n", BAD_SIZE),
        ("a space before", b" 5\r\nhello\r\n0\r\n\r\n", BAD_SIZE),
        ("a space behind", b"5 \r\nhello\r\n0\r\n\r\n", BAD_SIZE),
        ("an underscore", b"1_0\r\nhello\r\n0\r\n\r\n", BAD_SIZE),
        ("NUL in an extension", b"5;\0\r\nhello\r\n0\r\n\r\n", control),
        ("NUL in a trailer", b"0\r\na: \0\r\n\r\n", control),
        ("a folded trailer", b"0\r\na: b\r\n c\r\n\r\n", "400 a folded trailer line"),
        ("too large", b"FFFFFFFFFFFFFFFF\r\nhello", "413 the body is too large"),
        ("wraps around", b"10000000000000005\r\nhello", "400 a chunk size of too many digits"),
        ("endless zeros", b"00000000000000000", "400 a chunk size of too many digits"),
    ];
    for (name, body, expected) in rows {
        let raw =
            [post!("Transfer-Encoding: Chunked\r\n\r\n"), *body, b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n"]
                .concat();
        let refused = expected.starts_with("400 ") || expected.starts_with("413 ");
        let expected = if refused {
            vec![(*expected).to_owned()]
        } else {
            vec![format!("POST /? a {expected}"), "GET /next? a ".to_owned()]
        };
        let limits = Limits::default();
        for step in [1, 2, 3, 5, 7, 64, raw.len()] {
            assert_eq!(read(raw.chunks(step), &limits), expected, "{name}, in pieces of {step}");
        }
        for cut in 0..raw.len() {
            let (front, back) = raw.split_at(cut);
            assert_eq!(read([front, back].into_iter(), &limits), expected, "{name}, cut at {cut}");
        }
    }
}

#[test]
fn connections_and_expectations() {
    check(&[
        ("close", get!("Connection: Close\r\n\r\n"), &["GET /? a  close"]),
        ("close in a list", get!("Connection: x, close\r\n\r\n"), &["GET /? a  close"]),
        ("1.0", b"GET / HTTP/1.0\r\nHost: a\r\n\r\n", &["GET /? a  close 1.0"]),
        ("1.0, kept", b"GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n", &["GET /? a  1.0"]),
        (
            "close wins",
            b"GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n",
            &["GET /? a  close 1.0"],
        ),
        ("like close", get!("Connection: closed\r\n\r\n"), &["GET /? a "]),
        (
            "expects to continue",
            post!("Expect: 100-Continue\r\nContent-Length: 2\r\n\r\nhi"),
            &["POST /? a hi"],
        ),
        (
            "expects more",
            post!("Expect: a-miracle\r\nContent-Length: 2\r\n\r\nhi"),
            &["417 an Expect other than 100-continue"],
        ),
        (
            "expects twice",
            post!("Expect: 100-continue\r\nExpect: 100-continue\r\n\r\n"),
            &["400 more than one Expect"],
        ),
        (
            "pipelined",
            b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n\
              POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx\r\n\
              POST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\ny\r\n0\r\n\r\n\
              GET /4 HTTP/1.1\r\nHost: a\r\n\r\n",
            &["GET /1? a ", "POST /2? a x", "POST /3? a y", "GET /4? a "],
        ),
        (
            "pipelined, then nonsense",
            b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2\r\n\r\nGET /3 HTTP/1.1\r\nHost: a\r\n\r\n",
            &["GET /1? a ", BAD_LINE],
        ),
    ]);
}

/// The header lines of a handshake, put behind a request line.
fn handshake(line: &str, lines: &[&str]) -> Vec<String> {
    let raw = format!("{line}\r\nHost: a\r\n{}\r\n\r\n", lines.join("\r\n"));
    let limits = Limits::default();
    let whole = read(std::iter::once(raw.as_bytes()), &limits);
    assert_eq!(read(raw.as_bytes().chunks(1), &limits), whole);
    whole
}

#[test]
fn handshakes() {
    let (connection, upgrade) = ("Connection: keep-alive, Upgrade", "Upgrade: foo, WebSocket");
    let (version, key) = ("Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==");
    let get = "GET /x HTTP/1.1";
    let bad_key = "400 no Sec-WebSocket-Key of 16 bytes in base64";
    let bad_version = "426 the WebSocket version is not 13";
    let plain = "GET /x? a ";
    let rows: &[(&str, &[&str], &str)] = &[
        (get, &[connection, upgrade, version, key], "GET /x? a  ws"),
        (
            get,
            &[connection, upgrade, version, "Sec-WebSocket-Key: abcdefghijklmnopqrstuv=="],
            "GET /x? a  ws",
        ),
        (get, &[connection, upgrade, version, key, "Content-Length: 0"], "GET /x? a  ws"),
        (get, &[upgrade, version, key], plain),
        (get, &[connection, version, key], plain),
        (get, &["Connection: Upgrade", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"], plain),
        (get, &["Connection: upgrades", upgrade, version, key], plain),
        ("POST /x HTTP/1.1", &[connection, upgrade, version, key], "POST /x? a "),
        ("GET /x HTTP/1.0", &[connection, upgrade, version, key], "GET /x? a  1.0"),
        (get, &[connection, upgrade, version, key, "Content-Length: 4"], "400 an upgrade with a body"),
        (
            get,
            &[connection, upgrade, version, key, "Transfer-Encoding: chunked"],
            "400 an upgrade with a body",
        ),
        (get, &[connection, upgrade, key], bad_version),
        (get, &[connection, upgrade, key, "Sec-WebSocket-Version: 8"], bad_version),
        (get, &[connection, upgrade, key, "Sec-WebSocket-Version: 13, 8"], bad_version),
        (get, &[connection, upgrade, key, version, version], "400 more than one Sec-WebSocket-Version"),
        (get, &[connection, upgrade, version, key, key], "400 more than one Sec-WebSocket-Key"),
        (get, &[connection, upgrade, version], bad_key),
        (get, &[connection, upgrade, version, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ"], bad_key),
        (get, &[connection, upgrade, version, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j"], bad_key),
        (get, &[connection, upgrade, version, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ!!"], bad_key),
        (get, &[connection, upgrade, version, "Sec-WebSocket-Key:"], bad_key),
    ];
    for (line, lines, expected) in rows {
        assert_eq!(handshake(line, lines), [*expected], "{line} {lines:?}");
    }
}

#[test]
fn limits_of_heads() {
    let limits = Limits { head_bytes: 42, head_lines: 2, ..Limits::default() };
    let large = "431 the head is too large";
    let line = "GET /56789012345678901234567890123456789012345678";
    check_within(
        &limits,
        &[
            ("two lines", get!("X: b\r\n\r\n"), &["GET /? a "]),
            ("three lines", get!("X: b\r\nY: c\r\n\r\n"), &["431 too many header lines"]),
            ("41 bytes", get!("X: 345678901\r\n\r\n"), &["GET /? a "]),
            ("42 bytes", get!("X: 3456789012\r\n\r\n"), &["GET /? a "]),
            ("43 bytes", get!("X: 34567890123\r\n\r\n"), &[large]),
            ("an endless target", line.as_bytes(), &[large]),
            ("a fault beyond", format!("{line}\n").as_bytes(), &[large]),
            ("a fault before", format!("GET /\n{line}").as_bytes(), &[BARE_LF]),
        ],
    );
}

#[test]
fn limits_of_bodies() {
    let limits = Limits { head_bytes: 64, message_bytes: 4, ..Limits::default() };
    let large = "413 the body is too large";
    let talk = "431 too many chunk extensions or trailers";
    let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let (less, more) = ("x".repeat(63), "x".repeat(65));
    check_within(
        &limits,
        &[
            ("4 bytes", post!("Content-Length: 4\r\n\r\nbody"), &["POST /? a body"]),
            ("5 bytes", post!("Content-Length: 5\r\n\r\n"), &[large]),
            (
                "4 in chunks",
                format!("{chunked}1\r\nb\r\n3\r\nody\r\n0\r\n\r\n").as_bytes(),
                &["POST /? a body"],
            ),
            ("5 in chunks", format!("{chunked}1\r\nb\r\n4\r\nodyx\r\n0\r\n\r\n").as_bytes(), &[large]),
            ("an extension", format!("{chunked}0;{less}\r\n\r\n").as_bytes(), &["POST /? a "]),
            ("a long extension", format!("{chunked}1;{more}\r\nb").as_bytes(), &[talk]),
            ("two extensions", format!("{chunked}1;{less}\r\nb\r\n1;xx\r\nb").as_bytes(), &[talk]),
            ("a trailer", format!("{chunked}0\r\n{less}\r\n\r\n").as_bytes(), &["POST /? a "]),
            ("trailers", format!("{chunked}0\r\n{less}\r\nxx\r\n\r\n").as_bytes(), &[talk]),
        ],
    );
}
