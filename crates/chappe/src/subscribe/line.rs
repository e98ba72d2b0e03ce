//! How a message is printed: as a line for people, or as the line that came. Knows the objects of
//! `dialects/http/SPEC.md`, GET-2 and GAP-1, and nothing of the connection.

use crate::terminal::{Paint, Tone, harmless};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};

/// The channel that a broadcast shows in place of one.
const EVERYBODY: &str = "*";
/// The widest column of channels.
const WIDTH_MAX: usize = 24;

/// A line of the server.
pub(super) enum Heard<'a> {
    Message(Message<'a>),
    /// Messages that are missing, if it is known how many.
    Missed(Option<u64>),
}

/// What a message says of itself.
#[derive(Deserialize)]
pub(super) struct Message<'a> {
    #[serde(borrow)]
    channel: Option<Cow<'a, str>>,
    #[serde(borrow)]
    event: Option<Cow<'a, str>>,
    #[serde(borrow)]
    payload: &'a RawValue,
    #[serde(borrow)]
    publisher: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) position: Option<Cow<'a, str>>,
    #[serde(default)]
    time: u64,
}

#[derive(Deserialize)]
struct Missed {
    missed: serde_json::Value,
}

/// Reads a line; `None`: it is neither.
pub(super) fn read(text: &str) -> Option<Heard<'_>> {
    if let Ok(message) = serde_json::from_str(text) {
        return Some(Heard::Message(message));
    }
    let missed: Missed = serde_json::from_str(text).ok()?;
    Some(Heard::Missed(missed.missed.as_u64()))
}

/// Prints messages one way or the other.
pub(super) struct Printer {
    pretty: bool,
    /// Whether a terminal shows what is printed.
    seen: bool,
    paint: Paint,
    /// Characters of the column of channels.
    width: usize,
}

impl Printer {
    pub(super) fn new(pretty: bool, channels: &[&str]) -> Self {
        let seen = io::stdout().is_terminal();
        let width = channels.iter().map(|c| harmless(c).chars().count()).max().unwrap_or(0).min(WIDTH_MAX);
        Self { pretty, seen, paint: Paint::new(seen), width }
    }

    /// Prints a message, which came as `line`.
    pub(super) fn message(&self, message: &Message<'_>, line: &str, out: &mut impl Write) -> io::Result<()> {
        if self.pretty { out.write_all(self.pretty(message).as_bytes()) } else { self.line(line, out) }
    }

    /// Prints that messages are missing: programs are told where. People are told beside the output.
    pub(super) fn missed(&self, line: &str, out: &mut impl Write) -> io::Result<()> {
        if self.pretty { Ok(()) } else { self.line(line, out) }
    }

    fn line(&self, line: &str, out: &mut impl Write) -> io::Result<()> {
        let line = if self.seen { harmless(line) } else { Cow::Borrowed(line) };
        out.write_all(line.as_bytes())?;
        out.write_all(b"\n")
    }

    fn pretty(&self, message: &Message<'_>) -> String {
        let (mut out, paint) = (String::new(), self.paint);
        paint.add(&mut out, Tone::Dim, &clock(message.time));
        let channel = harmless(message.channel.as_deref().unwrap_or(EVERYBODY));
        out.push(' ');
        paint.add(&mut out, Tone::Place, &format!("{channel:<width$}", width = self.width));
        if let Some(publisher) = &message.publisher {
            out.push(' ');
            paint.add(&mut out, Tone::Dim, &format!("<{}>", harmless(publisher)));
        }
        if let Some(event) = &message.event {
            out.push(' ');
            paint.add(&mut out, Tone::Kind, &format!("[{}]", harmless(event)));
        }
        out.push(' ');
        let raw = message.payload.get();
        // A string is shown as its text, anything else as the JSON it is.
        match serde_json::from_str::<String>(raw) {
            Ok(text) => out.push_str(&harmless(&text)),
            Err(_) => out.push_str(&harmless(raw)),
        }
        out.push('\n');
        out
    }
}

/// The time of day (UTC) of milliseconds since 1970.
fn clock(ms: u64) -> String {
    let (seconds, ms) = (ms / 1000 % 86_400, ms % 1000);
    format!("{:02}:{:02}:{:02}.{ms:03}Z", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pretty(line: &str) -> String {
        let printer = Printer { pretty: true, seen: false, paint: Paint::plain(), width: 4 };
        let Some(Heard::Message(message)) = read(line) else { panic!("{line}") };
        let mut out = Vec::new();
        printer.message(&message, line, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn for_people() {
        let line = r#"{"channel":"a","event":"tick","payload":{"a": 1},"publisher":"joe","position":"1-2","time":1795205517114}"#;
        assert_eq!(pretty(line), "20:11:57.114Z a    <joe> [tick] {\"a\": 1}\n");
        assert_eq!(
            pretty(r#"{"event":"broadcast","payload":null,"publisher":"0-1-4","time":0}"#),
            "00:00:00.000Z *    <0-1-4> [broadcast] null\n"
        );
    }

    #[test]
    fn nothing_acts_on_the_terminal() {
        let line = r#"{"channel":"a\u001b[2J","event":"b\n","payload":"c\u001b]0;\u0007\nd","publisher":"e\r","time":0}"#;
        let expected = "00:00:00.000Z a\\u001b[2J <e\\r> [b\\n] c\\u001b]0;\\u0007\\nd\n";
        assert_eq!(pretty(line), expected);
        let nested = "{\"channel\":\"a\",\"payload\":[\"\u{9b}2J\"],\"time\":0}";
        assert!(pretty(nested).ends_with("[\"\\u009b2J\"]\n"));
    }

    #[test]
    fn in_a_pipe_the_line_is_what_came() {
        let line = "{\"channel\":\"a\",\"payload\":\"\u{9b}\",\"time\":0}";
        let Some(Heard::Message(message)) = read(line) else { panic!() };
        for (seen, expected) in [(false, line.to_owned()), (true, line.replace('\u{9b}', "\\u009b"))] {
            let printer = Printer { pretty: false, seen, paint: Paint::plain(), width: 4 };
            let mut out = Vec::new();
            printer.message(&message, line, &mut out).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), format!("{expected}\n"));
        }
    }

    #[test]
    fn gaps_and_nonsense() {
        assert!(matches!(read(r#"{"missed":3}"#), Some(Heard::Missed(Some(3)))));
        assert!(matches!(read(r#"{"missed":null}"#), Some(Heard::Missed(None))));
        for line in ["<html>", "{}", "5", "{\"payload\":", "[]"] {
            assert!(read(line).is_none(), "{line}");
        }
    }
}
