//! Responses into bytes (RFC 9112 §4 and §7.1, RFC 9457 for errors).
//!
//! Holds plain functions that append to the pending bytes of a link. Whatever a header value holds, it stays
//! one line. Refuses to know which request is answered.

/// How the end of a response's body will be known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Length {
    /// By `Content-Length`.
    Known(usize),
    /// By the last chunk; in HTTP/1.0, which has no chunks, by the end of the connection.
    Chunked,
    /// By the end of the connection.
    UntilClose,
    /// There is no body and nothing is said of one: 101, 204, 304.
    None,
}

impl Length {
    /// What may be said of the body of such a response (RFC 9110 §8.6, RFC 9112 §6.1).
    fn allowed(self, status: u16, http10: bool) -> Self {
        if matches!(status, 100..=199 | 204 | 304) {
            Self::None
        } else if http10 && self == Self::Chunked {
            Self::UntilClose
        } else {
            self
        }
    }
}

/// A status line, header lines, the framing of the body and the end of the head.
///
/// Framing is written here alone: `Content-Length` and `Transfer-Encoding` among `headers` are left out, as
/// are names that are no tokens, and control characters in values.
pub fn head<'a>(
    out: &mut Vec<u8>,
    status: u16,
    http10: bool,
    headers: impl Iterator<Item = (&'a str, &'a str)>,
    length: Length,
    close: bool,
) {
    out.extend_from_slice(b"HTTP/1.1 ");
    number(out, usize::from(status), 10);
    out.push(b' ');
    out.extend_from_slice(reason(status).as_bytes());
    out.extend_from_slice(b"\r\n");
    for (name, value) in headers {
        if is_token(name) && !is_framing(name) {
            line(out, name, value);
        }
    }
    let length = length.allowed(status, http10);
    match length {
        Length::Known(length) => {
            out.extend_from_slice(b"Content-Length: ");
            number(out, length, 10);
            out.extend_from_slice(b"\r\n");
        }
        Length::Chunked => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
        Length::UntilClose | Length::None => {}
    }
    if close || length == Length::UntilClose {
        out.extend_from_slice(b"Connection: close\r\n");
    } else if http10 {
        out.extend_from_slice(b"Connection: keep-alive\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

/// A chunk of a body (RFC 9112 §7.1). Nothing at all for no bytes, since an empty chunk would be the last.
pub fn chunk(out: &mut Vec<u8>, bytes: &[u8]) {
    if !bytes.is_empty() {
        number(out, bytes.len(), 16);
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(bytes);
        out.extend_from_slice(b"\r\n");
    }
}

/// The end of a body of chunks.
pub fn last_chunk(out: &mut Vec<u8>) {
    out.extend_from_slice(b"0\r\n\r\n");
}

/// A whole response that says what is wrong, to people and programs alike (RFC 9457), with these header lines.
///
/// A 426 says by itself what to upgrade to (RFC 9110 §15.5.22, RFC 6455 §4.4).
pub fn problem<'a>(
    out: &mut Vec<u8>,
    status: u16,
    detail: &str,
    headers: impl Iterator<Item = (&'a str, &'a str)>,
    close: bool,
) {
    let mut body = Vec::with_capacity(96 + detail.len());
    body.extend_from_slice(br#"{"type":"about:blank","title":"#);
    json_text(&mut body, reason(status));
    body.extend_from_slice(br#","status":"#);
    number(&mut body, usize::from(status), 10);
    body.extend_from_slice(br#","detail":"#);
    json_text(&mut body, detail);
    body.push(b'}');
    let upgrade: &[_] = if status == 426 {
        &[("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")]
    } else {
        &[]
    };
    let own = [("Content-Type", "application/problem+json")].into_iter().chain(upgrade.iter().copied());
    head(out, status, false, own.chain(headers), Length::Known(body.len()), close);
    out.extend_from_slice(&body);
}

fn line(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend(value.bytes().filter(|byte| !byte.is_ascii_control()));
    out.extend_from_slice(b"\r\n");
}

/// RFC 9110 §5.6.2.
fn is_token(name: &str) -> bool {
    let is_tchar = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(is_tchar)
}

fn is_framing(name: &str) -> bool {
    name.eq_ignore_ascii_case("content-length") || name.eq_ignore_ascii_case("transfer-encoding")
}

/// A number in base 10 or 16.
fn number(out: &mut Vec<u8>, mut number: usize, base: usize) {
    let mut digits = [0; 20];
    let mut unused = digits.len();
    for slot in digits.iter_mut().rev() {
        *slot = b"0123456789abcdef".get(number % base).copied().unwrap_or_default();
        number /= base;
        unused -= 1;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(unused..).unwrap_or_default());
}

/// A JSON string (RFC 8259 §7).
fn json_text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            0..0x20 => {
                out.extend_from_slice(if byte < 0x10 { b"\\u000" } else { b"\\u00" });
                number(out, usize::from(byte), 16);
            }
            byte => out.push(byte),
        }
    }
    out.push(b'"');
}

/// The phrase of a status line (RFC 9110 §15); empty for a status without one.
#[must_use]
pub fn reason(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        101 => "Switching Protocols",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        425 => "Too Early",
        426 => "Upgrade Required",
        428 => "Precondition Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        507 => "Insufficient Storage",
        _ => "",
    }
}
