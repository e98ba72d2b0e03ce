//! How an event becomes one line: bounded, without anything that a terminal or a reader of lines would obey.

use crate::config::LogFormat;
use serde_json::{Map, Value};
use std::fmt::{self, Debug, Write};
use tracing::field::{Field, Visit};
use tracing::{Event, Level};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};

/// BOUND: bytes of one value; what is beyond is cut off.
const VALUE: usize = 8 << 10;
/// Bytes of a message that name its kind.
const GIST: usize = 120;

/// What an event says.
#[derive(Debug, Default)]
pub(super) struct Said {
    message: String,
    fields: Vec<(&'static str, Value)>,
}

impl Said {
    pub(super) fn of(event: &Event<'_>) -> Self {
        let mut said = Self::default();
        event.record(&mut said);
        said
    }

    /// That so many events like this one were left out.
    pub(super) fn suppressed(n: u64, gist: &str) -> Self {
        Self {
            message: format!("suppressed {n} more"),
            fields: vec![("suppressed", n.into()), ("like", gist.into())],
        }
    }

    /// The beginning of the message.
    pub(super) fn gist(&self) -> String {
        let end = self.message.floor_char_boundary(GIST);
        self.message.get(..end).unwrap_or_default().to_owned()
    }

    /// The line, with its end.
    pub(super) fn line(&self, format: LogFormat, level: Level, target: &str, colours: bool) -> String {
        let mut line = match format {
            LogFormat::Text => self.text(level, target, colours),
            LogFormat::Json => self.json(level, target),
        };
        line.push('\n');
        line
    }

    fn text(&self, level: Level, target: &str, colours: bool) -> String {
        let (colour, plain) = if colours { (colour(level), "\x1b[0m") } else { ("", "") };
        let mut rest = format!("{target}: {}", self.message);
        for (name, value) in &self.fields {
            // Writing to a string cannot fail.
            let _infallible = match value {
                Value::String(text) if !is_plain(text) => write!(rest, " {name}={text:?}"),
                Value::String(text) => write!(rest, " {name}={text}"),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                    write!(rest, " {name}={value}")
                }
            };
        }
        let rest = escape(&rest, |c, out| write!(out, "{}", c.escape_default()));
        format!("{} {colour}{level:>5}{plain} {rest}", time())
    }

    fn json(&self, level: Level, target: &str) -> String {
        let mut all = Map::new();
        all.insert("time".into(), time().into());
        all.insert("level".into(), level.as_str().to_lowercase().into());
        all.insert("target".into(), target.into());
        all.insert("message".into(), self.message.as_str().into());
        let fields = self.fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        all.insert("fields".into(), Value::Object(fields.collect()));
        // What is left to escape stands in strings.
        escape(&Value::Object(all).to_string(), |c, out| {
            c.encode_utf16(&mut [0; 2]).iter().try_for_each(|unit| write!(out, "\\u{unit:04x}"))
        })
    }

    fn put(&mut self, field: &Field, value: Value) {
        self.fields.push((field.name(), value));
    }
}

impl Visit for Said {
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let mut short = Short::default();
        // It ends where the bound is.
        let _cut = short.write_str(value);
        match field.name() {
            "message" => self.message = short.0,
            _ => self.put(field, short.0.into()),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let mut short = Short::default();
        // It ends where the bound is.
        let _cut = write!(short, "{value:?}");
        match field.name() {
            "message" => self.message = short.0,
            _ => self.put(field, short.0.into()),
        }
    }
}

/// Text up to [`VALUE`] bytes.
#[derive(Default)]
struct Short(String);

impl Write for Short {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        let end = s.floor_char_boundary(VALUE.saturating_sub(self.0.len()));
        self.0.push_str(s.get(..end).unwrap_or_default());
        if end < s.len() {
            self.0.push('…');
            return Err(fmt::Error);
        }
        Ok(())
    }
}

/// Whether it can stand without quotes, and be taken for nothing else.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./:[]+*".contains(&b))
}

/// Replaces what is no letter to be seen: controls of terminals and of writing directions, ends of lines, and what
/// has no width.
fn escape(text: &str, write: impl Fn(char, &mut String) -> fmt::Result) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let is_format = matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}');
        if c.is_control() || is_format {
            // Writing to a string cannot fail.
            let _infallible = write(c, &mut out);
        } else {
            out.push(c);
        }
    }
    out
}

fn colour(level: Level) -> &'static str {
    match level {
        Level::ERROR => "\x1b[31m",
        Level::WARN => "\x1b[33m",
        Level::INFO => "\x1b[32m",
        Level::DEBUG => "\x1b[34m",
        Level::TRACE => "\x1b[35m",
    }
}

fn time() -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _infallible = SystemTime.format_time(&mut Writer::new(&mut text));
    text
}
