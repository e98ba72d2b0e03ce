//! A conversation alone, and what it asks for in words. Knows no hub; the tests play its part.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails so, in its helpers too")]
#![allow(dead_code, reason = "each test uses a part")]

use dialect::{Command, Conversation, Effect, Event, Frame, Header, Opening, Request, Road, Turn};
use model::{LinkId, Now, SessionId, Time, Unit, VHostName};
use socketio_dialect::Client;
use socketio_dialect::talk::engine::Pace;
use socketio_dialect::talk::peer::Terms;
use socketio_dialect::talk::sid::Key;
use std::sync::Arc;
use std::time::Duration;

/// The session that every conversation here is.
pub(crate) const SESSION: SessionId = SessionId { shard: 0, slot: 1, generation: 2 };

/// The pace that the reference was measured with.
pub(crate) fn pace() -> Pace {
    Pace {
        ping_interval: Duration::from_secs(25),
        ping_timeout: Duration::from_secs(20),
        upgrade_timeout: Duration::from_secs(10),
        max_payload: 1000,
        waiting_bytes: 500,
        allow_three: true,
    }
}

pub(crate) fn terms(pace: Pace) -> Arc<Terms> {
    let (key, cookie, client) = (Key::new([7; 32]), Some("io".into()), Client::default());
    Arc::new(Terms { path: "/socket.io", pace, key, recovery: None, cookie, client })
}

/// How sessions are opened here.
pub(crate) fn opening() -> Opening {
    Opening { session: SESSION, vhost: VHostName::root(), road: Road::Http }
}

pub(crate) fn link(number: u32) -> LinkId {
    LinkId { slot: number, generation: 0 }
}

/// A conversation, and when it is.
pub(crate) struct Stage {
    talk: Box<dyn Conversation>,
    turn: Turn,
    now: Time,
    sid: String,
    /// The cookie that came with the last answer.
    pub(crate) cookie: Option<String>,
}

impl Stage {
    pub(crate) fn new(talk: Box<dyn Conversation>, terms: &Terms) -> Self {
        Self { talk, turn: Turn::default(), now: Time(0), sid: terms.key.sid(SESSION), cookie: None }
    }

    /// `GET EIO=4&transport=polling`, on a link; `SID` in it is the session's id. A WebSocket asks to be one.
    pub(crate) fn ask(&mut self, number: u32, line: &str, body: &str) -> Vec<String> {
        let (method, query) = line.split_once(' ').unwrap();
        let query = query.replace("SID", &self.sid);
        let octets = [Header { name: "Content-Type", value: b"application/octet-stream" }];
        let wants_websocket = query.contains("transport=websocket");
        let headers = if body.starts_with("0x") { &octets[..] } else { &[] };
        let bytes = said(body).unwrap_or_else(String::into_bytes);
        let path = "/socket.io/";
        let request = Request { method, path, query: &query, headers, body: &bytes, wants_websocket };
        self.begin(Some(number));
        self.talk.on_frame(Frame::Request(request), &mut self.turn);
        self.wanted()
    }

    /// A WebSocket message: text, or bytes as `0x…`.
    pub(crate) fn say(&mut self, number: u32, words: &str) -> Vec<String> {
        self.begin(Some(number));
        match said(words) {
            Ok(bytes) => self.talk.on_frame(Frame::Binary(&bytes), &mut self.turn),
            Err(text) => self.talk.on_frame(Frame::Text(&text), &mut self.turn),
        }
        self.wanted()
    }

    pub(crate) fn tell(&mut self, event: Event<'_>) -> Vec<String> {
        self.begin(None);
        self.talk.on_event(event, &mut self.turn);
        self.wanted()
    }

    /// The same about a link.
    pub(crate) fn tell_on(&mut self, number: u32, event: Event<'_>) -> Vec<String> {
        self.begin(Some(number));
        self.talk.on_event(event, &mut self.turn);
        self.wanted()
    }

    /// Tells something of a branch, or of whatever else `about` sets.
    pub(crate) fn tell_of(&mut self, about: impl FnOnce(&mut Turn), event: Event<'_>) -> Vec<String> {
        self.begin(None);
        about(&mut self.turn);
        self.talk.on_event(event, &mut self.turn);
        self.wanted()
    }

    /// Lets so many milliseconds pass, and tells the time when it is asked for.
    pub(crate) fn pass(&mut self, ms: u64) -> Vec<String> {
        let end = Time(self.now.0 + ms);
        let mut wanted = Vec::new();
        while let Some(at) = self.talk.wake_at().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.begin(None);
            self.talk.on_tick(&mut self.turn);
            wanted.extend(self.wanted());
            // Nobody tells the time to a session that has ended.
            if wanted.last().is_some_and(|w| w.starts_with("closed")) {
                break;
            }
            if self.talk.wake_at() == Some(at) {
                panic!("asks for the same moment again: {at:?}");
            }
        }
        self.now = end;
        wanted
    }

    fn begin(&mut self, number: Option<u32>) {
        self.turn.reset(Now { time: self.now, wall_ms: 0 }, number.map(link));
    }

    #[allow(clippy::wildcard_enum_match_arm, reason = "what a test does not name it shows as it is")]
    fn wanted(&mut self) -> Vec<String> {
        let (sid, set) = (&self.sid, &mut self.cookie);
        let (effects, words) = self.turn.take();
        let at = |link: Option<LinkId>| link.map_or("-".to_owned(), |l| l.slot.to_string());
        let within =
            |branch: Option<SessionId>| branch.map_or_else(String::new, |b| format!("in {}: ", b.slot));
        let show = |effect| match effect {
            Effect::Send { link, unit: Unit::Text, words: span } => {
                format!("{}< {}", at(link), words.text(span).replace(sid, "<sid>"))
            }
            Effect::Send { link, unit: Unit::Binary, words: span } => {
                format!("{}< {}", at(link), hex(words.bytes(span)))
            }
            Effect::Respond { link, response, body } => {
                let cookie = response.headers.iter().find(|(name, _)| *name == "Set-Cookie");
                *set = cookie.map(|(_, value)| value.replace(sid, "<sid>"));
                let body = match std::str::from_utf8(words.bytes(body)) {
                    Ok(text) => text.replace(sid, "<sid>").replace('\u{1e}', "␞"),
                    Err(_) => hex(words.bytes(body)),
                };
                format!("{}: {} {body}", at(link), response.status)
            }
            Effect::AcceptWebSocket { link, .. } => format!("{}: 101", at(link)),
            Effect::Drop { link, .. } => format!("{}: dropped", at(link)),
            Effect::Close { reason, code } => {
                format!("closed {reason:?}{}", code.map(|c| format!(" {c}")).unwrap_or_default())
            }
            Effect::Command { branch, command, .. } => {
                within(branch)
                    + &match command {
                        Command::Authenticate { .. } => "authenticate".to_owned(),
                        Command::Join { channel, .. } => format!("join {}", words.text(channel)),
                        Command::Branch { vhost } => format!("branch {}", words.text(vhost)),
                        other => format!("{other:?}"),
                    }
            }
            Effect::Part { branch } => within(branch) + "part",
            Effect::Hold => "hold".to_owned(),
            Effect::Resume => "resume".to_owned(),
            Effect::HandOver(_) => "hand over".to_owned(),
            Effect::Outlive(_) => "outlive".to_owned(),
            Effect::Hear { branch, .. } => within(branch) + "hear",
            other => format!("{other:?}"),
        };
        effects.map(show).collect()
    }
}

/// Bytes written as `0x…`, or text.
fn said(words: &str) -> Result<Vec<u8>, String> {
    let Some(digits) = words.strip_prefix("0x") else { return Err(words.replace('␞', "\u{1e}")) };
    let pair = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    Ok((0..digits.len()).step_by(2).map(pair).collect())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold("0x".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}
