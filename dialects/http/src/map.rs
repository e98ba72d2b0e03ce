//! Requests into what is asked of the hub, and what the hub tells into answers: the one bilingual file.

use crate::settings::Settings;
use crate::wire::{self, Id, Line, Media, Problem, SentEvent, Target};
use bytes::Bytes;
use dialect::{Request, Response, json};
use model::{ChannelName, CloseReason, Draft, Form, Kind, Message, Parts, Payload, Position, Refusal, Unit};
use std::fmt::Display;

/// What a request asks for.
#[derive(Debug)]
pub enum Ask {
    /// Whether the server is well.
    Health,
    /// The channels there are.
    List,
    /// To say this to each of these channels, in order.
    Publish(Vec<String>, Draft),
    /// To hear these channels.
    Listen(Listen),
}

/// What somebody wants to hear, and how.
#[derive(Debug)]
pub struct Listen {
    /// Where, each channel once.
    pub channels: Vec<String>,
    /// How.
    pub style: Style,
    /// From which position on; only with a single channel.
    pub since: Option<Position>,
}

/// How a listener hears.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Style {
    /// NDJSON: an object to a line.
    Lines,
    /// Server-sent events of one channel, whose data is the payload.
    Payloads,
    /// Server-sent events of one channel, whose data is the object of NDJSON.
    Envelopes,
    /// The same of several channels: without ids, since one id cannot say where several channels stand.
    Mixed,
    /// A WebSocket, whose messages are payloads both ways.
    Socket,
}

static LINES: Form = Form { name: "http lines", encode: &encode_line, verbatim: None };
static PAYLOADS: Form = Form { name: "http event payloads", encode: &encode_payload, verbatim: None };
static ENVELOPES: Form = Form { name: "http event envelopes", encode: &encode_envelope, verbatim: None };
static MIXED: Form = Form { name: "http mixed envelopes", encode: &encode_mixed, verbatim: None };
static SOCKET: Form = Form { name: "http socket", encode: &encode_socket, verbatim: None };

impl Style {
    /// The form of messages in this style.
    #[must_use]
    pub fn form(self) -> &'static Form {
        match self {
            Self::Lines => &LINES,
            Self::Payloads => &PAYLOADS,
            Self::Envelopes => &ENVELOPES,
            Self::Mixed => &MIXED,
            Self::Socket => &SOCKET,
        }
    }

    /// The head of the stream; `None` for a WebSocket. Nobody between is to store it or to wait for more of it.
    #[must_use]
    pub fn head(self) -> Option<Response> {
        let media = match self {
            Self::Lines => "application/x-ndjson",
            Self::Payloads | Self::Envelopes | Self::Mixed => "text/event-stream",
            Self::Socket => return None,
        };
        Some(Response::new(200, media).with("Cache-Control", "no-store").with("X-Accel-Buffering", "no"))
    }

    /// What goes out before all messages, if anything does.
    #[must_use]
    pub fn opening(self) -> Option<fn(u32, &mut Vec<u8>)> {
        match self {
            Self::Payloads | Self::Envelopes | Self::Mixed => Some(wire::opening),
            Self::Lines | Self::Socket => None,
        }
    }

    /// The sign of life; a WebSocket has its pings. SPEC [LIFE-1].
    #[must_use]
    pub fn heartbeat(self) -> Option<&'static str> {
        match self {
            Self::Lines => Some("\n"),
            Self::Payloads | Self::Envelopes | Self::Mixed => Some(":\n\n"),
            Self::Socket => None,
        }
    }

    /// The news that messages are missing; a WebSocket of payloads has no words for it. SPEC [GAP-1].
    #[must_use]
    pub fn missed(self, count: Option<u64>) -> Option<Vec<u8>> {
        let mut object = Vec::new();
        wire::missed(count, &mut object);
        match self {
            Self::Lines => {
                object.push(b'\n');
                Some(object)
            }
            Self::Payloads | Self::Envelopes | Self::Mixed => {
                let data = std::str::from_utf8(&object).unwrap_or_default();
                let mut out = Vec::new();
                wire::sent_event(&SentEvent { id: None, event: Some("gap"), data }, &mut out);
                Some(out)
            }
            Self::Socket => None,
        }
    }
}

/// Reads a request.
///
/// # Errors
/// The answer to a request that asks for nothing we have.
pub fn ask(request: &Request<'_>, settings: &Settings) -> Result<Ask, Problem> {
    let target = wire::target(request.path, settings.channels_per_request)?;
    match (target, request.method) {
        (Target::Health, "GET" | "HEAD") => Ok(Ask::Health),
        (Target::Index, "GET" | "HEAD") => Ok(Ask::List),
        (Target::Named(channels), "POST") => {
            check(&channels)?;
            Ok(Ask::Publish(channels, draft(request)?))
        }
        (Target::Named(channels), "GET") => {
            check(&channels)?;
            listen(request, channels).map(Ask::Listen)
        }
        (Target::Health | Target::Index, _) => Err(not_allowed("GET, HEAD, OPTIONS")),
        (Target::Named(_), _) => Err(not_allowed("GET, POST, OPTIONS")),
    }
}

/// SPEC [URL-5].
fn not_allowed(allow: &'static str) -> Problem {
    Problem::new(405, format!("this resource knows {allow}")).with("Allow", allow)
}

/// Finds bad names before anything is done for good ones. SPEC [URL-4].
fn check(channels: &[String]) -> Result<(), Problem> {
    channels.iter().try_for_each(|c| ChannelName::check(c)).map_err(|e| Problem::new(400, e.to_string()))
}

fn listen(request: &Request<'_>, channels: Vec<String>) -> Result<Listen, Problem> {
    let events = wire::accepts_events(request.header("accept"));
    let envelope = request.parameter("envelope").as_deref() == Some("1");
    let style = match (request.wants_websocket, events, channels.len() > 1) {
        (true, _, _) => Style::Socket,
        (false, false, _) => Style::Lines,
        (false, true, true) => Style::Mixed,
        (false, true, false) if envelope => Style::Envelopes,
        (false, true, false) => Style::Payloads,
    };
    let since = since(request, channels.len())?;
    Ok(Listen { channels, style, since })
}

/// Where to begin. The header is a browser's and newer than the URL it opened first; one that is not ours is
/// ignored, since an error would keep the browser from ever coming back. SPEC [SINCE-1].
fn since(request: &Request<'_>, channels: usize) -> Result<Option<Position>, Problem> {
    let position = |id: Id| Position { epoch: id.epoch, offset: id.offset };
    let last = request.header("last-event-id").and_then(Id::parse).filter(|_| channels == 1);
    if let Some(id) = last {
        return Ok(Some(position(id)));
    }
    let Some(text) = request.parameter("since") else { return Ok(None) };
    if channels > 1 {
        return Err(Problem::new(400, "`since` is a position in one channel, and several are named"));
    }
    let id =
        Id::parse(&text).ok_or_else(|| Problem::new(400, "`since` is not of the form <epoch>-<offset>"))?;
    Ok(Some(position(id)))
}

/// The body, and what the headers say about it, as a draft.
fn draft(request: &Request<'_>) -> Result<Draft, Problem> {
    let payload = payload(request.body, wire::media(request.header("content-type")))?;
    let value = request.headers.iter().find(|h| h.name.eq_ignore_ascii_case("x-event")).map(|h| h.value);
    let event = value.map(wire::event_name).transpose()?.flatten();
    Ok(Draft { event: event.map(Into::into), ..Draft::new(payload) })
}

/// SPEC [PUB-2], [PUB-3].
fn payload(body: &[u8], media: Media) -> Result<Payload, Problem> {
    match media {
        Media::Json => match json::check(body) {
            Ok(()) => Ok(json_payload(body)),
            Err(flaw) => Err(Problem::new(400, format!("the body is not JSON: {flaw}"))),
        },
        Media::Text => match std::str::from_utf8(body) {
            Ok(text) => Ok(Payload::text(Bytes::copy_from_slice(text.as_bytes()))),
            Err(e) => {
                Err(Problem::new(400, format!("the body is not text: not UTF-8 at byte {}", e.valid_up_to())))
            }
        },
        Media::Octets => Ok(Payload::bytes(Bytes::copy_from_slice(body))),
        Media::Unsaid => Ok(match std::str::from_utf8(body) {
            Ok(text) => text_payload(text),
            Err(_) => Payload::bytes(Bytes::copy_from_slice(body)),
        }),
    }
}

/// Text of which nobody has said whether it is JSON: it is, if it parses. SPEC [WS-2].
#[must_use]
pub fn text_payload(text: &str) -> Payload {
    match json::check(text.as_bytes()) {
        Ok(()) => json_payload(text.as_bytes()),
        Err(_) => Payload::text(Bytes::copy_from_slice(text.as_bytes())),
    }
}

/// JSON that has been checked, as it was written but for the white space around it.
fn json_payload(text: &[u8]) -> Payload {
    Payload::json(Bytes::copy_from_slice(text.trim_ascii()))
}

/// The event by which streams know what is for everybody. SPEC [ALL-1].
const EVERYBODY: &str = "broadcast";

fn event(message: &Message) -> Option<&str> {
    if message.channel.is_none() { Some(EVERYBODY) } else { message.event.as_deref() }
}

fn position(message: &Message) -> Option<Id> {
    let Position { epoch, offset } = message.position;
    (message.recoverable && message.channel.is_some()).then_some(Id { epoch, offset })
}

fn write_line(message: &Message, out: &mut Vec<u8>) {
    let name = message.publisher.name();
    let publisher: &dyn Display = match &name {
        Some(name) => name,
        None => &message.publisher.session,
    };
    let line = Line {
        channel: message.channel.as_ref().map(ChannelName::as_str),
        event: event(message),
        publisher,
        position: position(message),
        time: message.time_ms,
    };
    wire::line(&line, |out| json::payload_as_json(&message.payload, out), out);
}

fn encode_line(message: &Message, parts: &mut Parts) {
    parts.add(Unit::Text, |out| {
        write_line(message, out);
        out.push(b'\n');
    });
}

fn encode_envelope(message: &Message, parts: &mut Parts) {
    envelope(message, position(message), parts);
}

fn encode_mixed(message: &Message, parts: &mut Parts) {
    envelope(message, None, parts);
}

fn envelope(message: &Message, id: Option<Id>, parts: &mut Parts) {
    let mut line = Vec::new();
    write_line(message, &mut line);
    // Text or not is settled once for the whole program: a payload of kind JSON or text is UTF-8.
    let data = String::from_utf8_lossy(&line);
    let event = SentEvent { id, event: event(message), data: &data };
    parts.add(Unit::Text, |out| wire::sent_event(&event, out));
}

/// SPEC [SSE-4]: bytes have no other way through an event stream than base64, and are marked by the event's name.
fn encode_payload(message: &Message, parts: &mut Parts) {
    let (id, bytes) = (position(message), &message.payload.bytes);
    let mut encoded = Vec::new();
    let (name, data) = match (message.payload.kind, std::str::from_utf8(bytes)) {
        (Kind::Json | Kind::Text, Ok(text)) => (event(message), text),
        (Kind::Bytes, _) | (_, Err(_)) => {
            json::base64(bytes, &mut encoded);
            (Some("binary"), std::str::from_utf8(&encoded).unwrap_or_default())
        }
    };
    parts.add(Unit::Text, |out| wire::sent_event(&SentEvent { id, event: name, data }, out));
}

/// SPEC [WS-3].
fn encode_socket(message: &Message, parts: &mut Parts) {
    let unit = match message.payload.kind {
        Kind::Json | Kind::Text => Unit::Text,
        Kind::Bytes => Unit::Binary,
    };
    parts.add(unit, |out| out.extend_from_slice(&message.payload.bytes));
}

/// Whether a client has shown a token: without one, 401 tells it that a token would help.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shown {
    /// It has.
    Token,
    /// It has not.
    Nothing,
}

/// The answer to a request that policy refuses; `about` is the channel in question. SPEC [NO-1].
#[must_use]
pub fn refused(refusal: &Refusal, about: Option<&str>, shown: Shown) -> Problem {
    let detail = about.map_or_else(|| refusal.to_string(), |channel| format!("{channel}: {refusal}"));
    let problem = |status| Problem::new(status, detail);
    match refusal {
        Refusal::BadToken | Refusal::InvalidToken(_) => problem(401).with("WWW-Authenticate", "Bearer"),
        Refusal::NotGranted { .. } | Refusal::Assigned => match shown {
            Shown::Token => problem(403),
            Shown::Nothing => problem(401).with("WWW-Authenticate", "Bearer"),
        },
        Refusal::BadName(_) | Refusal::BadHook(_) => problem(400),
        Refusal::TooManyChannels { .. } | Refusal::TooManyBranches { .. } | Refusal::NotMember => {
            problem(403)
        }
        Refusal::UnknownPrincipal | Refusal::UnknownVHost => problem(404),
        Refusal::NotJoined | Refusal::HasJoined => problem(409),
        Refusal::TooBig { .. } => problem(413),
        Refusal::TooFast => problem(429).with("Retry-After", "1"),
        Refusal::Busy
        | Refusal::Draining
        | Refusal::TooManyEnrolments { .. }
        | Refusal::TooManySessions { .. }
        | Refusal::TooManyHooks { .. } => problem(503).with("Retry-After", "1"),
    }
}

/// How a WebSocket ends whose message was refused: it carries payloads only, so the close frame is all there is to
/// say it with. SPEC [WS-4].
#[must_use]
pub fn refused_on_socket(refusal: &Refusal) -> (CloseReason, u16) {
    match refusal {
        Refusal::NotGranted { .. }
        | Refusal::Assigned
        | Refusal::BadToken
        | Refusal::InvalidToken(_)
        | Refusal::BadName(_)
        | Refusal::TooManyChannels { .. }
        | Refusal::TooManyBranches { .. }
        | Refusal::UnknownVHost
        | Refusal::NotJoined
        | Refusal::NotMember
        | Refusal::UnknownPrincipal
        | Refusal::HasJoined
        | Refusal::BadHook(_) => (CloseReason::Unauthorized, 1008),
        Refusal::TooBig { .. } => (CloseReason::TooBig, 1009),
        Refusal::TooFast => (CloseReason::Fault, 1008),
        Refusal::Busy
        | Refusal::TooManyEnrolments { .. }
        | Refusal::TooManySessions { .. }
        | Refusal::TooManyHooks { .. } => (CloseReason::TimedOut, 1013),
        Refusal::Draining => (CloseReason::Draining, 1001),
    }
}
