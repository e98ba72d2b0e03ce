//! What a peer says, one unit at a time, as carriers hand it to conversations. Borrowed from the read buffer.

use crate::percent;
use std::borrow::Cow;

/// One unit on the wire.
#[derive(Clone, Copy, Debug)]
pub enum Frame<'a> {
    /// An HTTP request with its whole body.
    Request(Request<'a>),
    /// A WebSocket text message.
    Text(&'a str),
    /// A WebSocket binary message.
    Binary(&'a [u8]),
    /// Bytes of a TCP stream, cut anywhere: the conversation keeps what is incomplete.
    Stream(&'a [u8]),
    /// A message of several frames (ZeroMQ).
    Multipart(&'a [&'a [u8]]),
    /// A datagram.
    Datagram(&'a [u8]),
}

/// A header line. Names are compared without regard to case.
#[derive(Clone, Copy, Debug)]
pub struct Header<'a> {
    /// As it was written.
    pub name: &'a str,
    /// Without the white space around it.
    pub value: &'a [u8],
}

/// An HTTP request that the carrier has found to be well-formed.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// `GET`, `POST`, …
    pub method: &'a str,
    /// The path as it was written, percent signs and all, without the query.
    pub path: &'a str,
    /// What follows the first `?`, without it; empty when there is none.
    pub query: &'a str,
    /// The header lines, in order.
    pub headers: &'a [Header<'a>],
    /// The whole body.
    pub body: &'a [u8],
    /// Whether it is a valid request to become a WebSocket (RFC 6455 §4.2.1).
    pub wants_websocket: bool,
}

impl<'a> Request<'a> {
    /// The value of the first header of that name, if it is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a str> {
        let header = self.headers.iter().find(|h| h.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(header.value).ok()
    }

    /// The value of the first query parameter of that name, decoded. `None` when it is absent or not UTF-8.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<Cow<'a, str>> {
        percent::query_value(self.query, name)
    }

    /// The token the peer presents: `Authorization: Bearer …`, else `?token=…`.
    #[must_use]
    pub fn token(&self) -> Option<Cow<'a, str>> {
        let bearer = self.header("authorization").and_then(|v| {
            let (scheme, token) = v.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| Cow::Borrowed(token.trim()))
        });
        bearer.or_else(|| self.parameter("token"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request<'a>(query: &'a str, headers: &'a [Header<'a>]) -> Request<'a> {
        Request { method: "GET", path: "/", query, headers, body: b"", wants_websocket: false }
    }

    #[test]
    fn parameters_are_decoded() {
        let r = request("a=1&b%20c=x+y%2Bz&d&a=2", &[]);
        assert_eq!(r.parameter("a").as_deref(), Some("1"));
        assert_eq!(r.parameter("b c").as_deref(), Some("x y+z"));
        assert_eq!(r.parameter("d").as_deref(), Some(""));
        assert_eq!(r.parameter("e"), None);
    }

    #[test]
    fn tokens_come_by_header_or_query() {
        let headers = [Header { name: "Authorization", value: b"bearer abc" }];
        assert_eq!(request("token=def", &headers).token().as_deref(), Some("abc"));
        assert_eq!(request("token=def", &[]).token().as_deref(), Some("def"));
        let basic = [Header { name: "authorization", value: b"Basic eDp5" }];
        assert_eq!(request("", &basic).token(), None);
    }
}
