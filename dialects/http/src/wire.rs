//! Paths, header values, bodies, NDJSON lines and server-sent events, read and written by pure functions.
//!
//! Uses the words of HTTP and its companions and refuses to know what becomes of a request.

use dialect::{json, percent};
use std::fmt;
use std::io::Write;

/// Whether a path belongs to this dialect. SPEC [URL-1].
#[must_use]
pub fn is_ours(path: &str) -> bool {
    matches!(path, "/c" | "/healthz" | "/readyz") || path.starts_with("/c/")
}

/// What a path names.
#[derive(Debug, PartialEq, Eq)]
pub enum Target {
    /// `/healthz` and `/readyz`.
    Health,
    /// `/c`.
    Index,
    /// `/c/a,b`: these names, each once, in the order of their first mention. None is empty.
    Named(Vec<String>),
}

/// Reads a path as it was written: split at commas first, decoded after, so that `%2C` is a comma in a name and
/// slashes belong to names. SPEC [URL-2], [URL-3], [URL-4].
///
/// # Errors
/// The answer to a path that names nothing, or more than `max` names.
pub fn target(path: &str, max: usize) -> Result<Target, Problem> {
    match path {
        "/healthz" | "/readyz" => return Ok(Target::Health),
        "/c" => return Ok(Target::Index),
        _ => {}
    }
    let list = path.strip_prefix("/c/").ok_or_else(|| Problem::new(404, "there is nothing here"))?;
    let mut names: Vec<String> = Vec::new();
    for written in list.split(',') {
        let name = percent::decode(written)
            .ok_or_else(|| Problem::new(400, format!("`{written}` is not percent-encoded UTF-8")))?;
        if name.is_empty() {
            return Err(Problem::new(404, "a channel name is missing in the path"));
        }
        if names.iter().any(|n| *n == name) {
            continue;
        }
        if names.len() >= max {
            return Err(Problem::new(400, format!("one request may name {max} channels")));
        }
        names.push(name.into_owned());
    }
    Ok(Target::Named(names))
}

/// How the sender of a body wants it read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Media {
    /// It is JSON, or the request is wrong.
    Json,
    /// It is UTF-8 text, or the request is wrong.
    Text,
    /// It is anything.
    Octets,
    /// The sender has not said, or it is curl saying what it always says.
    Unsaid,
}

/// Reads a `Content-Type`. SPEC [PUB-2].
#[must_use]
pub fn media(content_type: Option<&str>) -> Media {
    let Some(value) = content_type else { return Media::Unsaid };
    let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match &*essence {
        "" | "application/x-www-form-urlencoded" => Media::Unsaid,
        "application/json" => Media::Json,
        _ if essence.ends_with("+json") => Media::Json,
        _ if essence.starts_with("text/") => Media::Text,
        _ => Media::Octets,
    }
}

/// Whether an `Accept` asks for server-sent events by name; `*/*` does not. SPEC [SSE-1].
#[must_use]
pub fn accepts_events(accept: Option<&str>) -> bool {
    accept.is_some_and(|value| {
        let mut ranges = value.split(',').filter_map(|range| range.split(';').next());
        ranges.any(|range| range.trim().eq_ignore_ascii_case("text/event-stream"))
    })
}

/// The longest name of an event, in bytes.
pub const EVENT_NAME_MAX: usize = 255;

/// Reads an `X-Event`: UTF-8, without control characters; nothing is no event. SPEC [PUB-4].
///
/// # Errors
/// The answer to a value that is no name.
pub fn event_name(value: &[u8]) -> Result<Option<&str>, Problem> {
    if value.len() > EVENT_NAME_MAX {
        return Err(Problem::new(400, format!("X-Event is longer than {EVENT_NAME_MAX} bytes")));
    }
    let name = std::str::from_utf8(value).map_err(|_| Problem::new(400, "X-Event is not UTF-8"))?;
    if name.chars().any(char::is_control) {
        return Err(Problem::new(400, "X-Event contains a control character"));
    }
    Ok((!name.is_empty()).then_some(name))
}

/// Where a stream stood, as `id` and `position` show it: `<epoch>-<offset>`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Id {
    /// Which life of the channel.
    pub epoch: u64,
    /// Which message in it.
    pub offset: u64,
}

impl Id {
    /// Reads what [`Id`]'s `Display` wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (epoch, offset) = text.split_once('-')?;
        Some(Self { epoch: epoch.parse().ok()?, offset: offset.parse().ok()? })
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch, self.offset)
    }
}

/// An answer that says what is wrong (RFC 9457).
#[derive(Debug, PartialEq, Eq)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// A sentence about this occurrence.
    pub detail: String,
    /// The header line that goes with the status, if one does.
    pub header: Option<(&'static str, &'static str)>,
}

impl Problem {
    /// A problem without a further header line.
    #[must_use]
    pub fn new(status: u16, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), header: None }
    }

    /// Adds the header line.
    #[must_use]
    pub fn with(self, name: &'static str, value: &'static str) -> Self {
        Self { header: Some((name, value)), ..self }
    }

    /// Writes the body; `more` may add members, each with a comma before it.
    pub fn write(&self, more: impl FnOnce(&mut Vec<u8>), out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"type\":\"about:blank\",\"title\":");
        json::string(title(self.status), out);
        number(",\"status\":", self.status, out);
        out.extend_from_slice(b",\"detail\":");
        json::string(&self.detail, out);
        more(out);
        out.push(b'}');
    }
}

/// The phrase for a status (RFC 9110 §15), of those that this dialect answers with.
fn title(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        410 => "Gone",
        413 => "Content Too Large",
        429 => "Too Many Requests",
        503 => "Service Unavailable",
        _ => "Internal Server Error",
    }
}

/// Writes the answer to a question about health. SPEC [OPS-1].
pub fn healthy(out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"status\":\"ok\"}");
}

/// Writes the counts by name: `{"a":1,"b":2}`.
pub fn counts<'a>(counts: impl Iterator<Item = (&'a str, u32)>, out: &mut Vec<u8>) {
    out.push(b'{');
    for (i, (name, count)) in counts.enumerate() {
        if i > 0 {
            out.push(b',');
        }
        json::string(name, out);
        number(":", count, out);
    }
    out.push(b'}');
}

/// Writes `before` and a number after it.
pub fn number(before: &str, n: impl fmt::Display, out: &mut Vec<u8>) {
    // Writing to a vector cannot fail.
    write!(out, "{before}{n}").ok();
}

/// Writes a row of the list of channels. SPEC [LIST-1].
pub fn row(name: &str, members: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"channel\":");
    json::string(name, out);
    number(",\"members\":", members, out);
    out.push(b'}');
}

/// What a line says beside the payload; what is absent is left out. SPEC [GET-2].
pub struct Line<'a> {
    /// Where; not said when it is for everybody.
    pub channel: Option<&'a str>,
    /// The event's name.
    pub event: Option<&'a str>,
    /// Who.
    pub publisher: &'a dyn fmt::Display,
    /// The place one may come back to.
    pub position: Option<Id>,
    /// Milliseconds since 1970.
    pub time: u64,
}

/// Writes an object of NDJSON without its line break. `payload` writes JSON, in which line breaks are white space
/// and become blanks. SPEC [GET-3].
pub fn line(line: &Line<'_>, payload: impl FnOnce(&mut Vec<u8>), out: &mut Vec<u8>) {
    out.push(b'{');
    if let Some(channel) = line.channel {
        out.extend_from_slice(b"\"channel\":");
        json::string(channel, out);
        out.push(b',');
    }
    if let Some(event) = line.event {
        out.extend_from_slice(b"\"event\":");
        json::string(event, out);
        out.push(b',');
    }
    out.extend_from_slice(b"\"payload\":");
    let start = out.len();
    payload(out);
    out.iter_mut().skip(start).filter(|b| matches!(b, b'\n' | b'\r')).for_each(|b| *b = b' ');
    out.extend_from_slice(b",\"publisher\":");
    json::string(&line.publisher.to_string(), out);
    if let Some(id) = line.position {
        number(",\"position\":\"", id, out);
        out.push(b'"');
    }
    number(",\"time\":", line.time, out);
    out.push(b'}');
}

/// Writes the object that says how many messages are missing; `null` when nobody knows. SPEC [GAP-1].
pub fn missed(count: Option<u64>, out: &mut Vec<u8>) {
    match count {
        Some(count) => number("{\"missed\":", count, out),
        None => out.extend_from_slice(b"{\"missed\":null"),
    }
    out.push(b'}');
}

/// Writes how a stream of server-sent events begins: after which time to come back, and a comment, so that
/// whatever stands between sees bytes at once. SPEC [SSE-2].
pub fn opening(retry_ms: u32, out: &mut Vec<u8>) {
    number("retry: ", retry_ms, out);
    out.extend_from_slice(b"\n: open\n\n");
}

/// A server-sent event (WHATWG HTML §9.2).
#[derive(Debug)]
pub struct SentEvent<'a> {
    /// What the browser sends back as `Last-Event-ID`.
    pub id: Option<Id>,
    /// Its name; line breaks in it become blanks, since they would end it.
    pub event: Option<&'a str>,
    /// Its data, line by line.
    pub data: &'a str,
}

/// Writes a server-sent event. SPEC [SSE-3].
pub fn sent_event(event: &SentEvent<'_>, out: &mut Vec<u8>) {
    if let Some(id) = event.id {
        number("id: ", id, out);
        out.push(b'\n');
    }
    if let Some(name) = event.event {
        out.extend_from_slice(b"event: ");
        out.extend(name.bytes().map(|b| if matches!(b, b'\n' | b'\r') { b' ' } else { b }));
        out.push(b'\n');
    }
    let mut rest = event.data;
    loop {
        // CRLF, LF and CR each end a line, and reach the browser as LF.
        let (line, tail) = match rest.split_once(['\r', '\n']) {
            Some((line, tail)) if rest.as_bytes().get(line.len()) == Some(&b'\r') => {
                (line, Some(tail.strip_prefix('\n').unwrap_or(tail)))
            }
            Some((line, tail)) => (line, Some(tail)),
            None => (rest, None),
        };
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(line.as_bytes());
        out.push(b'\n');
        let Some(tail) = tail else { break };
        rest = tail;
    }
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn paths_are_split_before_they_are_decoded() {
        let named = |path| match target(path, 3) {
            Ok(Target::Named(names)) => Ok(names.join("|")),
            Ok(other) => Ok(format!("{other:?}")),
            Err(problem) => Err(problem.status),
        };
        for (path, expected) in [
            ("/c/chat", Ok("chat")),
            ("/c/garden/sprinklers", Ok("garden/sprinklers")),
            ("/c/a,b,a", Ok("a|b")),
            ("/c/a%2Cb", Ok("a,b")),
            ("/c/a%2cb,c", Ok("a,b|c")),
            ("/c/%E4%BD%A0", Ok("你")),
            ("/c/a+b", Ok("a+b")),
            ("/c//", Ok("/")),
            ("/c", Ok("Index")),
            ("/healthz", Ok("Health")),
            ("/readyz", Ok("Health")),
            ("/c/", Err(404)),
            ("/c/a,", Err(404)),
            ("/c/,", Err(404)),
            ("/c/100%", Err(400)),
            ("/c/%ff", Err(400)),
            ("/c/a,b,c,d", Err(400)),
            ("/d", Err(404)),
            ("", Err(404)),
        ] {
            assert_eq!(named(path).as_deref(), expected.as_deref(), "{path}");
        }
        assert!(["/c", "/c/", "/c/x", "/healthz", "/readyz"].into_iter().all(is_ours));
        assert!(!["/", "/cc", "/C/x", "/healthz/", "/channels"].into_iter().any(is_ours));
    }

    #[test]
    fn media_types() {
        for (value, expected) in [
            (None, Media::Unsaid),
            (Some(""), Media::Unsaid),
            (Some("application/x-www-form-urlencoded"), Media::Unsaid),
            (Some("Application/JSON; charset=utf-8"), Media::Json),
            (Some("application/cloudevents+json"), Media::Json),
            (Some("text/plain"), Media::Text),
            (Some("text/html ;x"), Media::Text),
            (Some("application/octet-stream"), Media::Octets),
            (Some("image/png"), Media::Octets),
            (Some("nonsense"), Media::Octets),
        ] {
            assert_eq!(media(value), expected, "{value:?}");
        }
        assert!(accepts_events(Some("text/html, Text/Event-Stream;q=0.5")));
        assert!(!accepts_events(Some("*/*")));
        assert!(!accepts_events(None));
    }

    #[test]
    fn event_names() {
        assert_eq!(event_name("tick ü".as_bytes()), Ok(Some("tick ü")));
        assert_eq!(event_name(b""), Ok(None));
        for bad in [&b"\xff"[..], b"a\tb", "a\u{85}".as_bytes(), &[b'x'; 256]] {
            assert_eq!(event_name(bad).unwrap_err().status, 400);
        }
    }

    #[test]
    fn ids_are_read_as_they_were_written() {
        let id = Id { epoch: u64::MAX, offset: 1 };
        assert_eq!(Id::parse(&id.to_string()), Some(id));
        for bad in ["", "-", "1", "1-", "-1", "1-2-3", "1--2", "a-b", "18446744073709551616-1", " 1-2"] {
            assert_eq!(Id::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn lines_have_one_line_break_at_most_and_leave_out_what_is_absent() {
        let full = Line {
            channel: Some("a\"b"),
            event: Some("e"),
            publisher: &"joe",
            position: Some(Id { epoch: 7, offset: 9 }),
            time: 5,
        };
        assert_eq!(
            written(|out| line(&full, |out| out.extend_from_slice(b"[1,\r\n2]"), out)),
            r#"{"channel":"a\"b","event":"e","payload":[1,  2],"publisher":"joe","position":"7-9","time":5}"#
        );
        let bare = Line { channel: None, event: None, publisher: &"0-1-2", position: None, time: 5 };
        assert_eq!(
            written(|out| line(&bare, |out| out.extend_from_slice(b"1"), out)),
            r#"{"payload":1,"publisher":"0-1-2","time":5}"#
        );
    }

    #[test]
    fn sent_events_cannot_be_broken_by_their_content() {
        let event = |id, event, data| written(|out| sent_event(&SentEvent { id, event, data }, out));
        assert_eq!(event(None, None, ""), "data: \n\n");
        assert_eq!(event(None, None, "a\nb\r\nc\rd\n"), "data: a\ndata: b\ndata: c\ndata: d\ndata: \n\n");
        assert_eq!(
            event(Some(Id { epoch: 1, offset: 2 }), Some("x\ndata: y\r"), "z"),
            "id: 1-2\nevent: x data: y \ndata: z\n\n"
        );
        assert_eq!(written(|out| opening(2000, out)), "retry: 2000\n: open\n\n");
    }

    #[test]
    fn problems_are_what_rfc_9457_says() {
        assert_eq!(
            written(|out| Problem::new(404, "no \"x\"").write(|_| (), out)),
            r#"{"type":"about:blank","title":"Not Found","status":404,"detail":"no \"x\""}"#
        );
    }
}
