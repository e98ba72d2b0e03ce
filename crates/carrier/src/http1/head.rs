//! The head of a request: where it ends, what it says, and everything about it that is refused.
//!
//! Lines are found here, strictly; their grammar is httparse's; what the lines mean together is decided here
//! again. Refuses to know how bytes arrive and what a body holds.

use super::{BARE_LF, BODY_TOO_LARGE, Manner, Refused, bad, target};
use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use dialect::{Header, Request};
use model::Limits;
use std::mem::MaybeUninit;

/// Header lines that are read at most, whatever the limits say: they are sorted on the stack.
const MOST_LINES: usize = 256;

/// How the key of a WebSocket is read. Small clients make it up of any characters, so its unused bits may be
/// set.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

const TOO_MANY_LINES: Refused = Refused { status: 431, detail: "too many header lines" };

/// How far the search for the end of a head has come, so that no byte is searched twice.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scan {
    /// Bytes that were searched.
    seen: usize,
    /// Where the line that is not ended begins.
    line: usize,
    /// Lines that ended, the request line among them.
    lines: usize,
    /// One empty line before the request was forgiven (RFC 9112 §2.2).
    forgiven: bool,
}

impl Scan {
    /// Where the head that begins `bytes` ends, after its empty line (RFC 9112 §2.1). Call again with more
    /// bytes.
    pub(super) fn end_of_head(&mut self, bytes: &[u8], limits: &Limits) -> Result<Option<usize>, Refused> {
        let bytes = bytes.get(..limits.head_bytes).unwrap_or(bytes);
        if bytes.first().is_some_and(|first| !first.is_ascii_graphic() && !b"\r\n ".contains(first)) {
            return Err(bad("this is not HTTP; perhaps it is TLS"));
        }
        while let Some(line) = self.next_line(bytes)? {
            match line.first() {
                None if self.lines > 0 => return Ok(Some(self.line)),
                None if self.forgiven => return Err(bad("empty lines before the request")),
                None => self.forgiven = true,
                Some(b' ' | b'\t') if self.lines > 0 => return Err(bad("a folded header line")),
                Some(_) => self.lines += 1,
            }
            if self.lines > limits.head_lines.saturating_add(1) {
                return Err(TOO_MANY_LINES);
            }
        }
        if bytes.len() >= limits.head_bytes {
            return Err(Refused { status: 431, detail: "the head is too large" });
        }
        Ok(None)
    }

    /// The next line that has ended, without its end.
    fn next_line<'a>(&mut self, bytes: &'a [u8]) -> Result<Option<&'a [u8]>, Refused> {
        let unseen = bytes.get(self.seen..).unwrap_or_default();
        let Some(length) = unseen.iter().position(|byte| *byte == b'\n') else {
            self.seen = bytes.len();
            return Ok(None);
        };
        let end = self.seen + length;
        let line = bytes.get(self.line..end).unwrap_or_default();
        self.seen = end + 1;
        self.line = self.seen;
        line.strip_suffix(b"\r").map(Some).ok_or(BARE_LF)
    }
}

/// How the end of a body is known (RFC 9112 §6.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Framing {
    /// By its length; 0 when there is none.
    Known(usize),
    /// By its last chunk.
    Chunked,
}

/// A head that was found to be well-formed.
pub(super) struct Head<'a> {
    method: &'a str,
    path: &'a str,
    query: &'a str,
    headers: Vec<Header<'a>>,
    manner: Manner<'a>,
    pub(super) framing: Framing,
    /// The peer asks for `100 Continue` before it sends its body.
    pub(super) awaits_continue: bool,
}

impl<'a> Head<'a> {
    /// Reads a whole head, from its first byte to its empty line.
    pub(super) fn parse(bytes: &'a [u8], limits: &Limits) -> Result<Self, Refused> {
        let mut lines = [const { MaybeUninit::uninit() }; MOST_LINES];
        let mut parsed = httparse::Request::new(&mut []);
        match parsed.parse_with_uninit_headers(bytes, &mut lines) {
            Ok(httparse::Status::Complete(length)) if length == bytes.len() => {}
            Ok(_) => return Err(bad("a head that ends in two places")),
            Err(error) => return Err(explain(error, bytes)),
        }
        let (Some(method), Some(target), Some(version)) = (parsed.method, parsed.path, parsed.version) else {
            return Err(bad("a malformed request line"));
        };
        let headers: Vec<_> =
            parsed.headers.iter().map(|line| Header { name: line.name, value: line.value }).collect();
        let http10 = version == 0;
        let target = target::parse(method, target)?;
        let lines = Lines::sort(&headers)?;
        let host = lines.host(http10)?;
        let framing = lines.framing(http10, limits)?;
        let manner = Manner {
            keep_alive: !lines.close && (lines.keep_alive || !http10),
            http10,
            is_head: method == "HEAD",
            websocket_key: if method == "GET" && !http10 { lines.websocket_key(framing)? } else { None },
            host: target.authority.unwrap_or(host),
            origin: lines.origin()?,
        };
        let awaits_continue = lines.awaits_continue()? && !http10 && framing != Framing::Known(0);
        let (path, query) = (target.path, target.query);
        Ok(Self { method, path, query, headers, manner, framing, awaits_continue })
    }

    /// Hands it over with its body.
    pub(super) fn deal(&self, body: &[u8], deal: impl FnOnce(&Request<'_>, &Manner<'_>)) {
        let request = Request {
            method: self.method,
            path: self.path,
            query: self.query,
            headers: &self.headers,
            body,
            wants_websocket: self.manner.websocket_key.is_some(),
        };
        deal(&request, &self.manner);
    }
}

/// What httparse did not like, in the words of this server.
fn explain(error: httparse::Error, head: &[u8]) -> Refused {
    match error {
        httparse::Error::HeaderName => bad("a malformed header name, or white space before its colon"),
        httparse::Error::HeaderValue => bad("a control character in a header"),
        httparse::Error::TooManyHeaders => TOO_MANY_LINES,
        httparse::Error::Version if is_other_version(head) => {
            Refused { status: 505, detail: "neither HTTP/1.1 nor HTTP/1.0" }
        }
        httparse::Error::NewLine
        | httparse::Error::Status
        | httparse::Error::Token
        | httparse::Error::Version => bad("a malformed request line"),
    }
}

/// Whether the request line is of three words of which the last names a version (RFC 9112 §2.3).
fn is_other_version(head: &[u8]) -> bool {
    let head = head.strip_prefix(b"\r\n").unwrap_or(head);
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let mut words = line.split(|byte| *byte == b' ').skip(2);
    match (words.next(), words.next()) {
        (Some([b'H', b'T', b'T', b'P', b'/', major, b'.', minor]), None) => {
            major.is_ascii_digit() && minor.is_ascii_digit()
        }
        _ => false,
    }
}

/// The header lines that decide how a request is read, each seen at most as often as it may be.
#[derive(Default)]
struct Lines<'a> {
    host: Option<&'a [u8]>,
    length: Option<&'a [u8]>,
    coding: Option<&'a [u8]>,
    expect: Option<&'a [u8]>,
    origin: Option<&'a [u8]>,
    key: Option<&'a [u8]>,
    version: Option<&'a [u8]>,
    close: bool,
    keep_alive: bool,
    asks: Asks,
}

/// The two lines that together ask for a WebSocket (RFC 6455 §4.2.1).
#[derive(Default)]
struct Asks {
    connection: bool,
    upgrade: bool,
}

impl<'a> Lines<'a> {
    fn sort(headers: &[Header<'a>]) -> Result<Self, Refused> {
        let mut lines = Self::default();
        for Header { name, value } in headers {
            let is = |other: &str| name.eq_ignore_ascii_case(other);
            // The slot of a line that may come once, and what is said of a second one.
            let (slot, detail) = if is("host") {
                (&mut lines.host, "more than one Host")
            } else if is("content-length") {
                (&mut lines.length, "more than one Content-Length")
            } else if is("transfer-encoding") {
                (&mut lines.coding, "more than one Transfer-Encoding")
            } else if is("expect") {
                (&mut lines.expect, "more than one Expect")
            } else if is("origin") {
                (&mut lines.origin, "more than one Origin")
            } else if is("sec-websocket-key") {
                (&mut lines.key, "more than one Sec-WebSocket-Key")
            } else if is("sec-websocket-version") {
                (&mut lines.version, "more than one Sec-WebSocket-Version")
            } else {
                if is("connection") {
                    lines.close |= has_token(value, "close");
                    lines.keep_alive |= has_token(value, "keep-alive");
                    lines.asks.connection |= has_token(value, "upgrade");
                } else if is("upgrade") {
                    lines.asks.upgrade |= has_token(value, "websocket");
                }
                continue;
            };
            if slot.replace(value).is_some() {
                return Err(bad(detail));
            }
        }
        Ok(lines)
    }

    /// RFC 9112 §3.2: every request of HTTP/1.1 says whom it asks, once.
    fn host(&self, http10: bool) -> Result<&'a str, Refused> {
        match self.host {
            Some(host) => target::host(host).ok_or(bad("an invalid Host")),
            None if http10 => Ok(""),
            None => Err(bad("no Host")),
        }
    }

    /// RFC 9112 §6.3. What it lets a server guess is refused: smuggling lives on guesses.
    fn framing(&self, http10: bool, limits: &Limits) -> Result<Framing, Refused> {
        match (self.length, self.coding) {
            (None, None) => Ok(Framing::Known(0)),
            (Some(_), Some(_)) => Err(bad("both Content-Length and Transfer-Encoding")),
            (Some(length), None) => match content_length(length)? {
                length if length > limits.message_bytes => Err(BODY_TOO_LARGE),
                length => Ok(Framing::Known(length)),
            },
            (None, Some(_)) if http10 => Err(bad("Transfer-Encoding in HTTP/1.0")),
            (None, Some(coding)) if coding.eq_ignore_ascii_case(b"chunked") => Ok(Framing::Chunked),
            (None, Some(_)) => Err(Refused { status: 501, detail: "a Transfer-Encoding other than chunked" }),
        }
    }

    /// RFC 9110 §10.1.1.
    fn awaits_continue(&self) -> Result<bool, Refused> {
        match self.expect {
            None => Ok(false),
            Some(expect) if expect.eq_ignore_ascii_case(b"100-continue") => Ok(true),
            Some(_) => Err(Refused { status: 417, detail: "an Expect other than 100-continue" }),
        }
    }

    /// An origin that cannot be read must not pass for none: only browsers send it, and it is checked.
    fn origin(&self) -> Result<Option<&'a str>, Refused> {
        let Some(origin) = self.origin else { return Ok(None) };
        let text = std::str::from_utf8(origin).ok().filter(|text| text.bytes().all(|b| b.is_ascii_graphic()));
        text.map(Some).ok_or(bad("an invalid Origin"))
    }

    /// RFC 6455 §4.2.1 and §4.2.2. `None`: it does not ask to be a WebSocket.
    fn websocket_key(&self, framing: Framing) -> Result<Option<&'a str>, Refused> {
        if !(self.asks.connection && self.asks.upgrade) {
            return Ok(None);
        }
        if framing != Framing::Known(0) {
            return Err(bad("an upgrade with a body"));
        }
        if self.version != Some(b"13") {
            return Err(Refused { status: 426, detail: "the WebSocket version is not 13" });
        }
        let key = self.key.and_then(|key| std::str::from_utf8(key).ok());
        let is_valid = |key: &&str| BASE64.decode_slice(key, &mut [0; 18]) == Ok(16);
        key.filter(is_valid).map(Some).ok_or(bad("no Sec-WebSocket-Key of 16 bytes in base64"))
    }
}

/// RFC 9110 §8.6: digits and nothing else.
fn content_length(value: &[u8]) -> Result<usize, Refused> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(bad("an invalid Content-Length"));
    }
    let digits = std::str::from_utf8(value).unwrap_or_default();
    digits.parse().map_err(|_| bad("an invalid Content-Length"))
}

/// Whether a comma-separated list holds a token (RFC 9110 §5.6.1).
fn has_token(list: &[u8], token: &str) -> bool {
    list.split(|byte| *byte == b',').any(|item| item.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
}
