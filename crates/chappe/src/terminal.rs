//! What may go to a terminal: text of others without its control characters, and colours only where they are
//! seen and wanted. Knows nothing of messages.

use std::borrow::Cow;
use std::fmt::Write;

/// Text in which nothing can move the cursor, colour the screen, end the line or turn the reading direction.
///
/// What could is written as JSON would escape it, so JSON stays the same JSON.
pub(crate) fn harmless(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // All of them are in the first plane: four digits. Writing to a string cannot fail.
            c if is_harmful(c) => {
                write!(out, "\\u{:04x}", u32::from(c)).ok();
            }
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// Control characters (C0, DEL, C1), what ends lines or paragraphs, and what changes the direction of writing.
fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Colours, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Paint {
    coloured: bool,
}

/// What is painted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Of less interest.
    Dim,
    /// Where.
    Place,
    /// What kind of thing.
    Kind,
}

impl Paint {
    /// Colours when it is a terminal that shows them and nobody has asked for none (`NO_COLOR`, `TERM=dumb`).
    pub(crate) fn new(is_terminal: bool) -> Self {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|v| v == "dumb");
        Self { coloured: is_terminal && !unwanted && !dumb }
    }

    /// No colours.
    #[cfg(test)]
    pub(crate) fn plain() -> Self {
        Self { coloured: false }
    }

    /// Appends words in a tone.
    pub(crate) fn add(self, out: &mut String, tone: Tone, words: &str) {
        if !self.coloured {
            out.push_str(words);
            return;
        }
        let code = match tone {
            Tone::Dim => "2",
            Tone::Place => "36",
            Tone::Kind => "33",
        };
        // Writing to a string cannot fail.
        write!(out, "\x1b[{code}m{words}\x1b[0m").ok();
    }
}

/// Digits in groups of three.
pub(crate) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_acts_comes_through() {
        assert_eq!(harmless("plain ü 你好 👩‍👩‍👧"), "plain ü 你好 👩‍👩‍👧");
        assert_eq!(harmless("a\x1b[31mb\n\tc\r"), "a\\u001b[31mb\\n\\tc\\r");
        assert_eq!(harmless("\u{9b}2J \u{7f} \u{202e}x"), "\\u009b2J \\u007f \\u202ex");
        let all: String = (0..0x3000).filter_map(char::from_u32).collect();
        let left = harmless(&all);
        assert!(!left.chars().any(|c| is_harmful(c) || c.is_control()));
    }

    #[test]
    fn json_stays_the_same_json() {
        let text = "{\"a\":\"\u{9b}\u{202e}\u{7f}\"}";
        let (was, is): (serde_json::Value, serde_json::Value) =
            (serde_json::from_str(text).unwrap(), serde_json::from_str(&harmless(text)).unwrap());
        assert_eq!(was, is);
        assert_ne!(harmless(text), text);
    }

    #[test]
    fn groups_of_three() {
        for (n, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (12_345_678, "12,345,678")] {
            assert_eq!(grouped(n), text);
        }
    }
}
