//! Percent-decoding of paths and queries (RFC 3986 §2.1), for every dialect that is addressed by URL.

use std::borrow::Cow;

/// Decodes `%XX`. `None` when an escape is broken or the result is not UTF-8.
///
/// ```
/// use dialect::percent;
/// assert_eq!(percent::decode("a%2Cb").as_deref(), Some("a,b"));
/// assert_eq!(percent::decode("100%"), None);
/// ```
#[must_use]
pub fn decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(b) = bytes.next() {
        if b == b'%' {
            let digits = (hex(bytes.next()?)?, hex(bytes.next()?)?);
            out.push(digits.0 << 4 | digits.1);
        } else {
            out.push(b);
        }
    }
    String::from_utf8(out).ok().map(Cow::Owned)
}

/// As [`decode`], with `+` for a blank, as in the value of a query parameter.
#[must_use]
pub fn decode_form(text: &str) -> Option<Cow<'_, str>> {
    if text.contains('+') {
        decode(&text.replace('+', " ")).map(|t| Cow::Owned(t.into_owned()))
    } else {
        decode(text)
    }
}

/// The value of the first parameter of that name in a query, decoded. `None` when it is absent or not UTF-8.
#[must_use]
pub fn query_value<'a>(query: &'a str, name: &str) -> Option<Cow<'a, str>> {
    query.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(key).as_deref() == Some(name)).then(|| decode_form(value))?
    })
}

fn hex(b: u8) -> Option<u8> {
    char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok())
}
