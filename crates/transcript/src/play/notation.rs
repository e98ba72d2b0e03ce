//! How what goes over the wire is written in a play: text as it is, bytes in hex, requests and responses on a line.

/// Frames written so are binary.
const HEX: &str = "0x";
/// How the record separator is shown, which separates packets in some protocols, and cannot be seen.
const SEPARATOR: &str = "\u{1e}";
/// Its sign.
const SIGN: &str = "␞";

/// What is said: text, or bytes written as `0x` and pairs of hex digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Text(String),
    Bytes(Vec<u8>),
}

impl Said {
    pub(crate) fn read(words: &str) -> Self {
        let digits = words.strip_prefix(HEX).filter(|d| !d.is_empty() && d.len().is_multiple_of(2));
        let pair = |pair: &[u8]| {
            let pair = std::str::from_utf8(pair).ok()?;
            u8::from_str_radix(pair, 16).ok().filter(|_| !pair.starts_with('+'))
        };
        match digits.and_then(|d| d.as_bytes().chunks(2).map(pair).collect()) {
            Some(bytes) => Self::Bytes(bytes),
            None => Self::Text(words.replace(SIGN, SEPARATOR)),
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }
}

/// Bytes in hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().map(|b| format!("{b:02x}"));
    HEX.to_owned() + &digits.collect::<String>()
}

/// Text on one line: line breaks as `\n` and `\r`, separators of records as their sign.
pub(crate) fn line(text: &str) -> String {
    text.replace('\r', "\\r").replace('\n', "\\n").replace(SEPARATOR, SIGN)
}

/// A piece of a stream, without the line breaks at its end.
pub(crate) fn piece(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => line(text.trim_end_matches('\n')),
        Err(_) => hex(bytes),
    }
}

/// A header line, as `[Name: value]` has it.
pub(crate) type Header = (String, String);

/// Takes `[Name: value]` groups from the front of `rest`; what is no such group, as a JSON array, is let be.
pub(crate) fn headers(mut rest: &str) -> (Vec<Header>, &str) {
    let mut found = Vec::new();
    while let Some((name, value, after)) = header(rest) {
        found.push((name.to_owned(), value.to_owned()));
        rest = after;
    }
    (found, rest)
}

fn header(text: &str) -> Option<(&str, &str, &str)> {
    let (inside, after) = text.strip_prefix('[')?.split_once(']')?;
    let (name, value) = inside.split_once(": ")?;
    let is_token = name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)) && !name.is_empty();
    let after = if after.is_empty() { after } else { after.strip_prefix(' ')? };
    is_token.then_some((name, value, after))
}

/// `METHOD /target [Header: value] body`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    pub(crate) target: &'a str,
    pub(crate) headers: Vec<Header>,
    pub(crate) body: &'a str,
}

impl<'a> Request<'a> {
    pub(crate) fn parse(line: &'a str) -> Option<Self> {
        let (method, rest) = line.split_once(' ')?;
        let (target, rest) =
            if rest.starts_with('[') { ("/", rest) } else { rest.split_once(' ').unwrap_or((rest, "")) };
        let (headers, body) = headers(rest);
        let upper = !method.is_empty() && method.bytes().all(|b| b.is_ascii_uppercase());
        (upper && target.starts_with('/')).then_some(Self { method, target, headers, body })
    }

    pub(crate) fn asks_for_websocket(&self) -> bool {
        self.headers.iter().any(|(n, v)| n.eq_ignore_ascii_case("upgrade") && v == "websocket")
    }
}

/// A response, as far as a line of a play may ask for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<Header>,
    pub(crate) body: String,
}

impl Response {
    /// `status [Header: value] body`, with the headers that `expected` names, in its order.
    pub(crate) fn shown(&self, expected: &str) -> String {
        let mut shown = self.status.to_string();
        let (wanted, _) = headers(expected.split_once(' ').map_or("", |(_, rest)| rest));
        for (name, _) in &wanted {
            if let Some((_, value)) = self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)) {
                shown += &format!(" [{name}: {value}]");
            }
        }
        if !self.body.is_empty() {
            shown.push(' ');
            shown += &self.body;
        }
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_bytes_and_all_else_text() {
        assert_eq!(Said::read("0x00fF"), Said::Bytes(vec![0, 255]));
        assert_eq!(hex(&[0, 255]), "0x00ff");
        for text in ["", "0x", "0x0", "0xgg", "0x+1", "00", "hi"] {
            assert_eq!(Said::read(text), Said::Text(text.into()));
        }
    }

    #[test]
    fn separators_of_records_are_seen_and_said() {
        assert_eq!(line("4a\u{1e}4b\n"), "4a␞4b\\n");
        assert_eq!(Said::read("4a␞4b"), Said::Text("4a\u{1e}4b".into()));
        assert_eq!(piece("4a\u{1e}4b".as_bytes()), "4a␞4b");
    }

    #[test]
    fn requests_have_headers_before_the_body() {
        let r = Request::parse("POST /c/x [X-Event: 你 好] [Content-Type: a/b; c=d] [5]").unwrap();
        assert_eq!((r.method, r.target, r.body), ("POST", "/c/x", "[5]"));
        assert_eq!(r.headers[0], ("X-Event".into(), "你 好".into()));
        assert_eq!(r.headers.len(), 2);
        assert_eq!(Request::parse("POST /c/x [\"a: b\"]").unwrap().body, "[\"a: b\"]");
        assert!(Request::parse("GET /c [Upgrade: websocket]").unwrap().asks_for_websocket());
        assert_eq!(Request::parse("GET [A: b]").unwrap().target, "/");
        for wrong in ["GET", "get /c", "GET c", "{\"a\":1} /c"] {
            assert_eq!(Request::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn responses_show_the_headers_that_are_asked_for() {
        let headers = vec![("WWW-Authenticate".into(), "Bearer".into()), ("Age".into(), "1".into())];
        let r = Response { status: 401, headers, body: "{}".into() };
        assert_eq!(r.shown("401 {}"), "401 {}");
        assert_eq!(r.shown("401 [www-authenticate: …] [X: y] {}"), "401 [www-authenticate: Bearer] {}");
    }
}
