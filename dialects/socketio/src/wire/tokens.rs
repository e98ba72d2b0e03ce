//! The tokens of JSON text that somebody has checked, one after the other, without recursion and without copies.
//! Of text that nobody has checked the tokens mean nothing, but there is an end to them. Knows no packets.

use serde::Deserializer;
use serde::de::{Error, Visitor};
use std::borrow::Cow;
use std::fmt;

/// What a token is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sort {
    /// `[` or `{`.
    Open,
    /// `]` or `}`.
    Close,
    /// `,`.
    Comma,
    /// `:`.
    Colon,
    /// A string, with its quotes.
    Text,
    /// A number, `true`, `false` or `null`.
    Bare,
}

/// A token, and where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'a> {
    pub(super) sort: Sort,
    /// As it is written.
    pub(super) raw: &'a str,
    /// Bytes before it.
    pub(super) start: usize,
}

impl Token<'_> {
    /// Bytes up to its end.
    pub(super) fn end(&self) -> usize {
        self.start + self.raw.len()
    }
}

/// The tokens of a text, in order.
#[derive(Clone, Debug)]
pub(super) struct Tokens<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// Goes on at this byte, which is the end of a value.
    pub(super) fn skip_to(&mut self, at: usize) {
        self.at = at;
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let bytes = self.text.as_bytes();
        let rest = bytes.get(self.at..)?;
        let start = self.at + rest.iter().position(|b| !is_space(*b))?;
        let rest = bytes.get(start..)?;
        let (sort, length) = match rest.first()? {
            b'[' | b'{' => (Sort::Open, 1),
            b']' | b'}' => (Sort::Close, 1),
            b',' => (Sort::Comma, 1),
            b':' => (Sort::Colon, 1),
            b'"' => (Sort::Text, quoted(rest)),
            _ => (Sort::Bare, rest.iter().position(|b| ends_bare(*b)).unwrap_or(rest.len())),
        };
        self.at = start + length;
        Some(Token { sort, raw: self.text.get(start..self.at)?, start })
    }
}

fn is_space(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\n' | b'\r')
}

fn ends_bare(b: u8) -> bool {
    is_space(b) || matches!(b, b'[' | b']' | b'{' | b'}' | b',' | b':' | b'"')
}

/// Bytes of the string that stands first, quotes and all.
fn quoted(bytes: &[u8]) -> usize {
    let mut at = 1;
    while let Some(found) = bytes.get(at..).and_then(|r| r.iter().position(|b| matches!(b, b'"' | b'\\'))) {
        at += found;
        if bytes.get(at) == Some(&b'"') {
            return at + 1;
        }
        at += 2;
    }
    bytes.len()
}

/// What a string token says. Half of a surrogate pair, which JSON can write and nobody can say, becomes U+FFFD.
pub(super) fn unquote(raw: &str) -> Cow<'_, str> {
    let plain = raw.strip_prefix('"').and_then(|r| r.strip_suffix('"')).filter(|r| !r.contains('\\'));
    match plain {
        Some(plain) => Cow::Borrowed(plain),
        None => serde_json::Deserializer::from_str(raw).deserialize_bytes(Lossy).unwrap_or_default(),
    }
}

struct Lossy;

impl Visitor<'_> for Lossy {
    type Value = Cow<'static, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
        Ok(Cow::Owned(String::from_utf8_lossy(bytes).into_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, proptest};

    fn sorts(text: &str) -> Vec<(Sort, &str)> {
        Tokens::new(text).map(|t| (t.sort, t.raw)).collect()
    }

    #[test]
    fn tokens_are_found() {
        let expected = [
            (Sort::Open, "{"),
            (Sort::Text, r#""a\"]""#),
            (Sort::Colon, ":"),
            (Sort::Open, "["),
            (Sort::Bare, "-1.5e3"),
            (Sort::Comma, ","),
            (Sort::Text, r#""\\""#),
            (Sort::Comma, ","),
            (Sort::Bare, "null"),
            (Sort::Close, "]"),
            (Sort::Close, "}"),
        ];
        assert_eq!(sorts(r#" {"a\"]" :[-1.5e3, "\\",null ]}"#), expected);
        assert_eq!(sorts(""), []);
    }

    #[test]
    fn strings_are_unquoted() {
        for (raw, said) in [
            (r#""plain ü""#, "plain ü"),
            (r#""\n\u0041\ud83d\ude00\/""#, "\nA😀/"),
            (r#""a\ud800b""#, "a\u{fffd}\u{fffd}\u{fffd}b"),
            (r#""""#, ""),
        ] {
            assert_eq!(unquote(raw), said);
        }
    }

    proptest! {
        #[test]
        fn there_is_an_end(text in any::<String>(), json in r#"[\[\]{},:"\\ a1ü]{0,40}"#) {
            for text in [&text, &json] {
                let mut last = 0;
                for token in Tokens::new(text) {
                    assert!(token.start >= last && !token.raw.is_empty());
                    last = token.end();
                }
                unquote(text);
            }
        }
    }
}
