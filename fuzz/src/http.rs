//! The http dialect: what a request asks for, and how a message it publishes looks to listeners of every style.
//!
//! An input is a request as people write it down: `METHOD /path?query`, header lines, an empty line, the body.

use crate::bound::bounded;
use dialect::{Header, Request, json};
use http_dialect::Settings;
use http_dialect::map::{self, Ask, Style};
use http_dialect::wire::{self, Id, Problem, Target};
use model::{ChannelName, Draft, Kind, Message, Parts, Position, Publisher, SessionId};
use serde_json::Value;

pub(crate) const WORDS: &[&str] = &[
    "GET /c/a\n",
    "POST /c/a\n",
    "/c/",
    ",",
    "%2C",
    "%2F",
    "%",
    "%ff",
    "?",
    "&",
    "=",
    "since=1-2",
    "envelope=1",
    "token=",
    "\n",
    "\n\n",
    "Accept: text/event-stream\n",
    "Last-Event-ID: 1-2\n",
    "Content-Type: application/json\n",
    "Content-Type: text/plain\n",
    "Content-Type: application/octet-stream\n",
    "X-Event: tick\n",
    "Authorization: Bearer x\n",
    "18446744073709551615",
    "\"",
    "{\"a\":[1]}",
    "\r",
    "\u{0}",
    "ü",
    "+",
];

const STYLES: [Style; 5] = [Style::Lines, Style::Payloads, Style::Envelopes, Style::Mixed, Style::Socket];

pub(crate) fn check(input: &[u8]) {
    let Some(written) = Written::read(input) else { return };
    let settings = Settings::default();
    for wants_websocket in [false, true] {
        let request = written.request(wants_websocket);
        bounded(input.len(), || drop(map::ask(&request, &settings)));
        drop(request.token());
        match map::ask(&request, &settings) {
            Err(problem) => refused(&problem),
            Ok(Ask::Health | Ask::List) => {}
            Ok(Ask::Publish(channels, draft)) => {
                named(&channels, &settings);
                published(&channels, draft, request.body.len());
            }
            Ok(Ask::Listen(listen)) => {
                named(&listen.channels, &settings);
                assert!(listen.since.is_none() || listen.channels.len() == 1);
                assert_eq!(listen.style == Style::Socket, wants_websocket);
            }
        }
    }
    for header in &written.headers {
        let id = std::str::from_utf8(header.value).ok().and_then(Id::parse);
        assert_eq!(id, id.and_then(|id| Id::parse(&id.to_string())));
    }
}

/// A request, taken apart.
pub(crate) struct Written<'a> {
    method: &'a str,
    path: &'a str,
    query: &'a str,
    headers: Vec<Header<'a>>,
    body: &'a [u8],
}

impl<'a> Written<'a> {
    /// `None` for what no carrier lets through.
    pub(crate) fn read(input: &'a [u8]) -> Option<Self> {
        let (line, mut rest) = line(input)?;
        let (method, target) = std::str::from_utf8(line).ok()?.split_once(' ')?;
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let clean = |text: &str| !text.bytes().any(|b| b <= b' ' || b == 0x7f);
        if !path.starts_with('/') || !clean(target) {
            return None;
        }
        let mut headers = Vec::new();
        loop {
            let (line, after) = self::line(rest)?;
            rest = after;
            if line.is_empty() {
                return Some(Self { method, path, query, headers, body: rest });
            }
            let colon = line.iter().position(|b| *b == b':')?;
            let (name, value) = line.split_at_checked(colon)?;
            let value = value.get(1..)?.trim_ascii();
            if value.iter().any(|b| *b < b' ' && *b != b'\t' || *b == 0x7f) {
                return None;
            }
            headers.push(Header { name: std::str::from_utf8(name).ok()?, value });
        }
    }

    pub(crate) fn request(&'a self, wants_websocket: bool) -> Request<'a> {
        let Self { method, path, query, ref headers, body } = *self;
        Request { method, path, query, headers, body, wants_websocket }
    }
}

/// The first line, and what follows it.
fn line(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = text.iter().position(|b| *b == b'\n')?;
    let (line, after) = text.split_at_checked(end)?;
    Some((line, after.get(1..)?))
}

/// Names are valid, each is there once, there are not too many, and a path made of them names them again.
fn named(channels: &[String], settings: &Settings) {
    assert!((1..=settings.channels_per_request).contains(&channels.len()));
    assert!(channels.iter().all(|name| ChannelName::check(name).is_ok()), "{channels:?}");
    let escaped = |name: &String| name.bytes().map(|b| format!("%{b:02x}")).collect::<String>();
    let path = format!("/c/{}", channels.iter().map(escaped).collect::<Vec<_>>().join(","));
    let again = wire::target(&path, settings.channels_per_request);
    assert_eq!(again, Ok(Target::Named(channels.to_vec())), "{path}");
}

/// An answer for a client that did something wrong; its body is JSON.
fn refused(problem: &Problem) {
    assert!((400..500).contains(&problem.status), "{problem:?}");
    let mut body = Vec::new();
    problem.write(|_| {}, &mut body);
    let value: Value = serde_json::from_slice(&body).unwrap_or_default();
    assert_eq!(value.get("status"), Some(&Value::from(problem.status)));
    assert!(!problem.header.is_some_and(|(_, value)| value.contains(['\r', '\n'])));
}

/// What listeners of every style hear of it.
fn published(channels: &[String], draft: Draft, body: usize) {
    assert!(draft.payload.bytes.len() <= body);
    let is_json = draft.payload.kind == Kind::Json;
    assert!(!is_json || json::check(&draft.payload.bytes).is_ok());
    assert!(draft.event.as_ref().is_none_or(|e| !e.is_empty() && !e.contains(char::is_control)));
    let message = Message {
        vhost: model::VHostName::root(),
        channel: channels.first().and_then(|name| ChannelName::new(name).ok()),
        event: draft.event,
        payload: draft.payload,
        verbatim: None,
        publisher: Publisher {
            session: SessionId { shard: 0, slot: 0, generation: 0 },
            name: None,
            address: None,
        },
        position: Position { epoch: 1, offset: 2 },
        recoverable: true,
        time_ms: 0,
    };
    for style in STYLES {
        let mut parts = Parts::default();
        (style.form().encode)(&message, &mut parts);
        let units: Vec<Vec<u8>> = parts.iter().map(|(_, unit)| unit.to_vec()).collect();
        assert_eq!(units.len(), 1);
        heard(style, &units.concat(), &message);
    }
}

fn heard(style: Style, unit: &[u8], message: &Message) {
    let text = String::from_utf8_lossy(unit);
    match style {
        Style::Socket => assert_eq!(unit, message.payload.bytes),
        Style::Lines => {
            assert_eq!((text.matches('\n').count(), text.ends_with('\n')), (1, true), "{text:?}");
            assert!(!text.contains('\r'));
            envelope(&text, message);
        }
        Style::Envelopes | Style::Mixed => envelope(&data(&text, message), message),
        Style::Payloads => {
            let data = data(&text, message);
            match (message.payload.kind, std::str::from_utf8(&message.payload.bytes)) {
                (Kind::Json | Kind::Text, Ok(said)) => {
                    assert_eq!(data, said.replace("\r\n", "\n").replace('\r', "\n"));
                }
                (Kind::Bytes, _) | (_, Err(_)) => assert!(data.is_ascii() && !data.contains('\n')),
            }
        }
    }
}

/// The object around a payload is JSON and says where the payload belongs.
fn envelope(text: &str, message: &Message) {
    // The object makes a payload one level deeper than it may be by itself.
    assert!(matches!(json::check(text.as_bytes()), Ok(()) | Err(json::Flaw::Depth)), "{text}");
    // A whole parser has bounds of its own, for numbers and for depth.
    let Ok(value) = serde_json::from_str::<Value>(text) else { return };
    let channel = message.channel.as_ref().map(|c| Value::from(c.as_str()));
    assert_eq!(value.get("channel"), channel.as_ref());
    assert_eq!(value.get("event"), message.event.as_deref().map(Value::from).as_ref());
    assert_eq!(value.get("position"), Some(&Value::from("1-2")).filter(|_| value.get("position").is_some()));
}

/// The data of the only event in `text`, as a browser finds it (WHATWG HTML §9.2).
fn data(text: &str, message: &Message) -> String {
    assert!(!text.contains('\r') && text.ends_with("\n\n"), "{text:?}");
    assert_eq!(text.matches("\n\n").count(), 1, "{text:?}");
    let fields = |key: &'static str| text.lines().filter_map(move |line| line.strip_prefix(key));
    let is_binary = fields("event: ").any(|name| name == "binary");
    assert!(is_binary || fields("event: ").eq(message.event.as_deref()));
    fields("data: ").collect::<Vec<_>>().join("\n")
}
