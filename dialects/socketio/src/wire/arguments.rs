//! What the array of an event or an acknowledgement holds, as slices of the text that came, and arrays out of such
//! slices. Nothing is parsed into values and nothing is written again. Knows neither packets nor attachments.

use super::tokens::{Sort, Token, Tokens, unquote};
use dialect::json;
use std::borrow::Cow;

/// The values of an array, each as it is written, without white space around it.
#[derive(Clone, Debug)]
pub struct Values<'a> {
    text: &'a str,
    tokens: Tokens<'a>,
}

/// The values of a JSON array that has been checked; none of anything else.
#[must_use]
pub fn values(array: &str) -> Values<'_> {
    let mut tokens = Tokens::new(array);
    match tokens.next() {
        Some(Token { raw: "[", .. }) => Values { text: array, tokens },
        Some(_) | None => Values { text: "", tokens: Tokens::new("") },
    }
}

impl<'a> Iterator for Values<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let first = self.tokens.find(|token| token.sort != Sort::Comma)?;
        let mut end = first.end();
        match first.sort {
            Sort::Open => {
                let mut depth = 1_usize;
                while depth > 0 {
                    let token = self.tokens.next()?;
                    match token.sort {
                        Sort::Open => depth += 1,
                        Sort::Close => depth -= 1,
                        Sort::Comma | Sort::Colon | Sort::Text | Sort::Bare => {}
                    }
                    end = token.end();
                }
            }
            Sort::Close => {
                // Nothing behind the array's end is its own.
                self.tokens = Tokens::new("");
                return None;
            }
            Sort::Comma | Sort::Colon | Sort::Text | Sort::Bare => {}
        }
        self.text.get(first.start..end)
    }
}

/// What an event says.
#[derive(Clone, Debug)]
pub struct Event<'a> {
    /// Its name; of a number the number's text.
    pub name: Cow<'a, str>,
    /// The name as it is written: a JSON string or number.
    pub raw_name: &'a str,
    /// What follows the name.
    pub arguments: Values<'a>,
}

/// Reads an event's array, which has been checked. `None`: the first element is no name (neither a string nor a
/// number), or there is none.
#[must_use]
pub fn event(array: &str) -> Option<Event<'_>> {
    let mut arguments = values(array);
    let raw_name = arguments.next()?;
    let name = match raw_name.as_bytes().first()? {
        b'"' => unquote(raw_name),
        b'-' | b'0'..=b'9' => Cow::Borrowed(raw_name),
        _ => return None,
    };
    Some(Event { name, raw_name, arguments })
}

/// What a raw argument says when it is a JSON string; `None` when it is something else.
#[must_use]
pub fn text(raw: &str) -> Option<Cow<'_, str>> {
    raw.starts_with('"').then(|| unquote(raw))
}

/// Writes a JSON array of values that are JSON already.
pub fn write<'a>(values: impl IntoIterator<Item = &'a str>, out: &mut Vec<u8>) {
    out.push(b'[');
    rest(values, true, out);
}

/// Writes the array of an event: its name, then values that are JSON already.
pub fn write_event<'a>(name: &str, values: impl IntoIterator<Item = &'a str>, out: &mut Vec<u8>) {
    out.push(b'[');
    json::string(name, out);
    rest(values, false, out);
}

fn rest<'a>(values: impl IntoIterator<Item = &'a str>, mut first: bool, out: &mut Vec<u8>) {
    for value in values {
        if !first {
            out.push(b',');
        }
        first = false;
        out.extend_from_slice(value.as_bytes());
    }
    out.push(b']');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::{any, proptest};

    fn split(array: &str) -> Vec<&str> {
        values(array).collect()
    }

    #[test]
    fn values_are_as_written() {
        assert_eq!(
            split(r#"["a", [1,[2]] ,{"b":"]"},1e400,-0 , null]"#),
            [r#""a""#, "[1,[2]]", r#"{"b":"]"}"#, "1e400", "-0", "null"]
        );
        for none in ["[]", " [ ] ", "{}", "{\"a\":1}", "\"x\"", "1", "", "[[1"] {
            assert_eq!(split(none), [""; 0], "{none}");
        }
        assert_eq!(split("[1]2,[3]"), ["1"]);
    }

    #[test]
    fn events_have_names() {
        let named = |array| event(array).map(|e| (e.name.into_owned(), e.raw_name, e.arguments.count()));
        assert_eq!(named(r#"["a\u0062",1,2]"#), Some(("ab".to_owned(), r#""a\u0062""#, 2)));
        assert_eq!(named("[-1.50,2]"), Some(("-1.50".to_owned(), "-1.50", 1)));
        for none in ["[]", "[null]", "[true]", "[[\"a\"]]", "[{}]", "{}", ""] {
            assert!(event(none).is_none(), "{none}");
        }
        assert_eq!(text(r#""\n""#).as_deref(), Some("\n"));
        assert_eq!(text("5"), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(name in any::<String>(), texts in vec(any::<String>(), 0..5)) {
            let raw: Vec<String> = texts.iter().map(|t| serde_json::to_string(t).unwrap_or_default()).collect();
            let mut out = Vec::new();
            write_event(&name, raw.iter().map(String::as_str), &mut out);
            let out = String::from_utf8(out).unwrap();
            let event = event(&out).unwrap();
            assert_eq!(event.name, name);
            assert!(event.arguments.clone().eq(raw.iter().map(String::as_str)));
            assert!(event.arguments.map(|raw| text(raw).unwrap_or_default()).eq(texts));
            let mut array = Vec::new();
            write(raw.iter().map(String::as_str), &mut array);
            let array = String::from_utf8(array).unwrap();
            assert!(values(&array).eq(raw.iter().map(String::as_str)));
        }
    }
}
