//! What is wrong with a request, as its sender wants to read it: a line of text, or JSON.

use dialect::json;
use std::borrow::Cow;

/// In the words of the document.
pub const BAD_SECRET: &str = "invalid or missing secret key";
/// In the words of the document.
pub const BAD_SENDER: &str = "invalid or missing sender";
/// In the words of the document.
pub const BAD_RECEIVER: &str = "one or more of the receivers have not joined the channel";
/// In the words of the document.
pub const BAD_CALLBACK: &str = "invalid callback URL";
/// In the words of the document.
pub const UNJOINED: &str = "tried to send to unjoined channel";

/// An answer that says what is wrong.
#[derive(Debug, PartialEq, Eq)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// A sentence, without line breaks.
    pub detail: Cow<'static, str>,
    /// The header line that goes with the status, if one does.
    pub header: Option<(&'static str, &'static str)>,
}

impl Problem {
    /// A problem without a further header line, but for 401, which has one of its own (RFC 9110 §15.5.2).
    #[must_use]
    pub fn new(status: u16, detail: impl Into<Cow<'static, str>>) -> Self {
        let header = (status == 401).then_some(("WWW-Authenticate", "Bearer"));
        Self { status, detail: detail.into(), header }
    }

    /// Sets the header line.
    #[must_use]
    pub fn with(self, name: &'static str, value: &'static str) -> Self {
        Self { header: Some((name, value)), ..self }
    }

    /// Writes the body. SPEC [ERR-1].
    pub fn write(&self, style: Style, out: &mut Vec<u8>) {
        match style {
            Style::Text => {
                // What a peer wrote may be part of it, and stays on the line.
                out.extend(self.detail.bytes().map(|b| if b.is_ascii_control() { b' ' } else { b }));
            }
            Style::Json => {
                out.extend_from_slice(b"{\"error\":");
                json::string(&self.detail, out);
                out.push(b'}');
            }
        }
        out.push(b'\n');
    }
}

/// How a problem is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Style {
    /// A line of text.
    #[default]
    Text,
    /// `{"error":"…"}`.
    Json,
}

impl Style {
    /// What an `Accept` prefers (RFC 9110 §12.5.1); text where it has no preference.
    #[must_use]
    pub fn preferred(accept: Option<&str>) -> Self {
        let Some(accept) = accept else { return Self::Text };
        let (json, text) = (Liking::of("application/json", accept), Liking::of("text/plain", accept));
        if json.weight > 0 && json > text { Self::Json } else { Self::Text }
    }

    /// As a `Content-Type`.
    #[must_use]
    pub fn media(self) -> &'static str {
        match self {
            Self::Text => "text/plain; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
        }
    }
}

/// How much an `Accept` likes a type: by weight, then by how exactly it is named, then by how early.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
struct Liking {
    /// In thousandths.
    weight: u16,
    exactness: u8,
    earliness: usize,
}

impl Liking {
    /// The most exact range decides its weight.
    fn of(media: &str, accept: &str) -> Self {
        let major = media.split('/').next().unwrap_or_default();
        let ranges = accept.split(',').enumerate().filter_map(|(place, range)| {
            let mut parts = range.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default();
            let exactness = match name {
                "*/*" => 1,
                _ if name.strip_suffix("/*").is_some_and(|m| m.eq_ignore_ascii_case(major)) => 2,
                _ if name.eq_ignore_ascii_case(media) => 3,
                _ => return None,
            };
            let q = parts.find_map(|p| p.strip_prefix("q=").or_else(|| p.strip_prefix("Q=")));
            // A wildcard has no place: it names nobody before anybody.
            let earliness = if exactness == 1 { 0 } else { usize::MAX - place };
            Some(Self { weight: q.map_or(1000, weight), exactness, earliness })
        });
        ranges.max_by_key(|l| l.exactness).unwrap_or_default()
    }
}

/// RFC 9110 §12.4.2; what is no weight counts as none.
fn weight(q: &str) -> u16 {
    let (whole, part) = q.split_once('.').unwrap_or((q, ""));
    let digits = part.len() <= 3 && part.bytes().all(|b| b.is_ascii_digit());
    match (whole, digits) {
        ("1", _) => 1000,
        ("0", true) => format!("{part:0<3}").parse().unwrap_or(0),
        (_, _) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_for_those_who_prefer_it() {
        for (accept, json) in [
            ("", false),
            ("*/*", false),
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("application/json, */*", true),
            ("application/json, */*;q=0.5", true),
            ("application/json, text/plain, */*", true),
            ("text/plain, application/json", false),
            ("text/*, application/json", true),
            ("text/plain;q=0.5, application/json;q=0.4", false),
            ("text/plain;q=0.25, application/json;q=0.3", true),
            ("application/json;q=0", false),
            ("application/*", true),
            ("text/html, */*", false),
            ("application/json;q=0, */*", false),
            ("text/plain;q=0, */*", true),
            ("application/json;q=junk", false),
        ] {
            assert_eq!(Style::preferred(Some(accept)) == Style::Json, json, "{accept}");
        }
        assert_eq!(Style::preferred(None), Style::Text);
    }

    #[test]
    fn problems_are_a_line() {
        let written = |style| {
            let mut out = Vec::new();
            Problem::new(400, "no \"x\"\r\ny").write(style, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(written(Style::Text), "no \"x\"  y\n");
        assert_eq!(written(Style::Json), "{\"error\":\"no \\\"x\\\"\\r\\ny\"}\n");
    }
}
