//! An Engine.IO session: by polls or WebSocket, from one to the other, with its heartbeats.
//!
//! Knows packets and links. Does not know what the messages in them mean. `specs`: Engine.IO protocol, revisions 3
//! and 4, as SPEC.md has them.

mod change;
pub(super) mod poll;
mod refusal;

pub use refusal::Refused;

use crate::wire::engine::payload::Manner;
use crate::wire::engine::{self, Malformed, Open, Packet, Revision};
use change::Probe;
use dialect::{Request, Turn};
use model::{LinkId, Time, Unit};
use poll::Waiting;
use std::borrow::Cow;
use std::time::Duration;

/// What all sessions have in common.
#[derive(Clone, Debug)]
pub struct Pace {
    /// Between two pings of the server (4), or of the client (3).
    pub ping_interval: Duration,
    /// How long the answer to a ping may take.
    pub ping_timeout: Duration,
    /// How long a change to WebSocket may take.
    pub upgrade_timeout: Duration,
    /// The longest payload or message, in bytes.
    pub max_payload: usize,
    /// What may wait for a poll, in bytes.
    pub waiting_bytes: usize,
    /// Whether clients of revision 3 are served.
    pub allow_three: bool,
}

/// A close frame without a code. RFC 6455 §7.1.5.
pub(super) const NO_CODE: u16 = 1005;

/// Milliseconds that a timer of a server which is not overloaded may be late.
const LATE: u64 = 100;

/// What the session is carried by.
enum Transport {
    Polling(Box<Waiting>),
    WebSocket(LinkId),
}

/// What the layer above is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Up<'a> {
    /// A message of text.
    Text(&'a str),
    /// A message of bytes.
    Binary(Cow<'a, [u8]>),
}

/// The session is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Over {
    /// The client said so.
    Said,
    /// It spoke nonsense, or out of turn.
    Error,
    /// It was silent for too long.
    Silent,
    /// More was said to it than it has asked for.
    Slow,
    /// It spoke too much at once.
    TooLong,
    /// The layer above wants it to end.
    Told,
}

/// An Engine.IO session.
pub struct Engine {
    revision: Revision,
    /// It cannot read bytes.
    as_text: bool,
    transport: Transport,
    probe: Option<Box<Probe>>,
    /// When the next ping is due, or the answer to it, or the client's.
    beat: Time,
    /// A ping has not been answered.
    pinged: bool,
    /// Its client has opened another session to come back to it, and may have begun to change that one's carrier.
    adopts: bool,
}

/// What becomes of a request for a session.
#[derive(Debug)]
pub enum Asked<'a> {
    /// Nothing for the layer above.
    Nothing,
    /// Messages, and whether they came in a form that is none.
    Posted(Cow<'a, [u8]>, bool),
}

impl Engine {
    /// Opens a session for who asks for one: by a poll, or by a WebSocket, which is accepted.
    ///
    /// # Errors
    /// The answer to who cannot have one; [`Refused::answer`] gives it.
    pub fn open(request: &Request<'_>, sid: &str, pace: &Pace, turn: &mut Turn) -> Result<Self, Refused> {
        let is_websocket = transport(request)?;
        if request.method != "GET" {
            return Err(Refused::BadMethod);
        }
        if is_websocket && !request.wants_websocket {
            return Err(Refused::BadRequest);
        }
        let revision = revision(request).filter(|r| pace.allow_three || *r == Revision::Four);
        let revision = revision.ok_or(Refused::BadVersion)?;
        let manner = poll::manner(request, revision);
        let beat = match revision {
            Revision::Three => turn.now.time + pace.ping_interval + pace.ping_timeout,
            Revision::Four => turn.now.time + pace.ping_interval,
        };
        let mut engine = Self {
            revision,
            as_text: manner.as_text,
            transport: Transport::Polling(Box::new(Waiting::new(manner))),
            probe: None,
            beat,
            pinged: false,
            adopts: false,
        };
        let told = Open {
            sid,
            may_upgrade: !is_websocket,
            ping_interval: millis(pace.ping_interval),
            ping_timeout: millis(pace.ping_timeout),
            max_payload: pace.max_payload,
        };
        let mut packet = Vec::new();
        engine::open(&told, &mut packet);
        match turn.link {
            Some(link) if is_websocket => {
                turn.accept_websocket(None);
                turn.text(|out| out.extend_from_slice(&packet));
                engine.transport = Transport::WebSocket(link);
            }
            _ => {
                if let Transport::Polling(waiting) = &mut engine.transport {
                    waiting.push(Unit::Text, &packet);
                    waiting.ask(turn.link, manner);
                }
            }
        }
        Ok(engine)
    }

    /// A session whose client has come back, by this WebSocket or by polls.
    #[must_use]
    pub fn back(websocket: Option<LinkId>, pace: &Pace, now: Time) -> Self {
        let manner = Manner { revision: Revision::Four, as_text: false, jsonp: None };
        let transport = match websocket {
            Some(link) => Transport::WebSocket(link),
            None => Transport::Polling(Box::new(Waiting::new(manner))),
        };
        let beat = now + pace.ping_interval;
        let revision = Revision::Four;
        Self { revision, as_text: false, transport, probe: None, beat, pinged: false, adopts: true }
    }

    /// What carries it is given up: a poll that waits is told so.
    pub fn leave(&mut self, turn: &mut Turn) {
        match &mut self.transport {
            Transport::Polling(waiting) => waiting.answer_with("1", turn),
            Transport::WebSocket(link) => turn.on_link(*link, |turn| turn.drop_link(Some(NO_CODE))),
        }
        if let Some(probe) = self.probe.take() {
            turn.on_link(probe.link, |turn| turn.drop_link(None));
        }
    }

    /// The session's client asks elsewhere from now on: a poll that waits is answered, so that it does.
    pub fn release(&mut self, turn: &mut Turn) {
        if let Transport::Polling(waiting) = &mut self.transport {
            waiting.answer_with("6", turn);
        }
    }

    /// The WebSocket that carried it has been away, and is another link now.
    pub fn regain(&mut self, link: Option<LinkId>) {
        if let (Transport::WebSocket(own), Some(link)) = (&mut self.transport, link) {
            *own = link;
        }
    }

    /// Whether a ping has not been answered yet.
    #[must_use]
    pub fn is_pinged(&self) -> bool {
        self.pinged
    }

    /// Whether this link is one of its own: what carries it, or may.
    #[must_use]
    pub fn has(&self, link: Option<LinkId>) -> bool {
        link.is_some() && (link == self.websocket() || link == self.probe.as_ref().map(|p| p.link))
    }

    /// Which revision is spoken.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// Whether it cannot be told bytes but in digits.
    #[must_use]
    pub fn as_text(&self) -> bool {
        self.as_text
    }

    /// The WebSocket that carries it.
    #[must_use]
    pub fn websocket(&self) -> Option<LinkId> {
        if let Transport::WebSocket(link) = self.transport { Some(link) } else { None }
    }

    /// A request for this session. The body of a POST is given back for [`Engine::hear`].
    ///
    /// # Errors
    /// The session ends. The request has been answered.
    pub fn asked<'a>(
        &mut self,
        request: &Request<'a>,
        pace: &Pace,
        turn: &mut Turn,
    ) -> Result<Asked<'a>, Over> {
        let is_websocket = match transport(request) {
            Ok(is_websocket) => is_websocket,
            Err(refused) => return Ok(refuse(refused, request, turn)),
        };
        // Who names no revision, or another, does not speak to this session.
        if revision(request) != Some(self.revision) {
            return Ok(refuse(Refused::BadRequest, request, turn));
        }
        if is_websocket {
            self.probe(request, pace, turn);
            return Ok(Asked::Nothing);
        }
        let manner = poll::manner(request, self.revision);
        let Transport::Polling(waiting) = &mut self.transport else {
            return Ok(refuse(Refused::BadRequest, request, turn));
        };
        match request.method {
            "GET" => {
                if waiting.is_asked() {
                    // Two polls at once: the first is told the end.
                    waiting.answer_with("1", turn);
                    Refused::BadRequest.answer(false, turn);
                    return Err(Over::Error);
                }
                waiting.ask(turn.link, manner);
                Ok(Asked::Nothing)
            }
            "POST" => poll::posted(request, manner, pace, turn),
            _ => {
                turn.respond(dialect::Response::new(500, "text/plain"), |_| {});
                Ok(Asked::Nothing)
            }
        }
    }

    /// A message on a WebSocket. `None`: it was not for the layer above.
    ///
    /// # Errors
    /// The session ends.
    pub fn spoken<'a>(
        &mut self,
        message: Result<&'a str, &'a [u8]>,
        pace: &Pace,
        turn: &mut Turn,
    ) -> Result<Option<Up<'a>>, Over> {
        let length = message.map_or_else(<[u8]>::len, str::len);
        if length > pace.max_payload {
            return Err(Over::TooLong);
        }
        let packet = match message {
            Ok(text) => Packet::of_text(text, self.revision),
            Err(bytes) => Packet::of_bytes(bytes, self.revision),
        };
        if turn.link != self.websocket() {
            self.probed(packet.ok().as_ref(), pace, turn);
            return Ok(None);
        }
        self.hear(packet, pace, turn)
    }

    /// Hears a packet. `None`: it was not for the layer above.
    ///
    /// # Errors
    /// The session ends.
    pub fn hear<'a>(
        &mut self,
        packet: Result<Packet<'a>, Malformed>,
        pace: &Pace,
        turn: &mut Turn,
    ) -> Result<Option<Up<'a>>, Over> {
        let packet = packet.map_err(|Malformed| Over::Error)?;
        let now = turn.now.time;
        match (self.revision, &packet) {
            // Whoever says anything is there.
            (Revision::Three, _) => self.beat = now + pace.ping_interval + pace.ping_timeout,
            (Revision::Four, Packet::Pong(_)) => (self.pinged, self.beat) = (false, now + pace.ping_interval),
            (Revision::Four, _) if self.pinged => self.beat = now + pace.ping_timeout,
            (Revision::Four, _) => {}
        }
        match packet {
            Packet::Text(text) => Ok(Some(Up::Text(text))),
            Packet::Binary(bytes) => Ok(Some(Up::Binary(bytes))),
            Packet::Close => Err(Over::Said),
            Packet::Ping(_) if self.revision == Revision::Three => {
                self.say(Unit::Text, b"3", pace, turn)?;
                Ok(None)
            }
            Packet::Pong(_) if self.revision == Revision::Four => Ok(None),
            Packet::Ping(_) | Packet::Pong(_) => Err(Over::Error),
            Packet::Open | Packet::Upgrade | Packet::Noop => Ok(None),
        }
    }

    /// Says a packet: one of text with the digit that says its kind, one of bytes without.
    ///
    /// # Errors
    /// Too much waits for the next poll.
    pub fn say(&mut self, unit: Unit, packet: &[u8], pace: &Pace, turn: &mut Turn) -> Result<(), Over> {
        match &mut self.transport {
            Transport::WebSocket(link) => {
                let link = *link;
                turn.on_link(link, |turn| self.write(unit, packet, turn));
            }
            Transport::Polling(waiting) => {
                waiting.push(unit, packet);
                if waiting.bytes() > pace.waiting_bytes {
                    return Err(Over::Slow);
                }
            }
        }
        Ok(())
    }

    fn write(&self, unit: Unit, packet: &[u8], turn: &mut Turn) {
        match unit {
            Unit::Text => turn.text(|out| out.extend_from_slice(packet)),
            Unit::Binary if engine::is_digits(self.revision, self.as_text) => {
                turn.text(|out| engine::binary(self.revision, true, packet, out));
            }
            Unit::Binary => turn.binary(|out| engine::binary(self.revision, false, packet, out)),
        }
    }

    /// Answers the poll that has opened the session. `cookie`: a `Set-Cookie` that it is answered with.
    pub fn greet(&mut self, cookie: Option<String>, turn: &mut Turn) {
        if let Transport::Polling(waiting) = &mut self.transport {
            waiting.answer(cookie, turn);
        }
    }

    /// Answers the poll that waits, if there is something to be told. To be called at the end of each turn.
    pub fn flush(&mut self, turn: &mut Turn) {
        if let Transport::Polling(waiting) = &mut self.transport {
            waiting.flush(turn);
        }
    }

    /// A link has gone. `true`: the session was carried by it.
    pub fn lost(&mut self, link: LinkId) -> bool {
        if self.probe.as_ref().is_some_and(|p| p.link == link) {
            self.probe = None;
        }
        match &self.transport {
            Transport::WebSocket(own) => *own == link,
            Transport::Polling(waiting) => waiting.is_asked_by(link),
        }
    }

    /// What the time has brought.
    ///
    /// # Errors
    /// The session ends.
    pub fn tick(&mut self, pace: &Pace, turn: &mut Turn) -> Result<(), Over> {
        let now = turn.now.time;
        if let Some(probe) = self.probe.as_ref() {
            if probe.until <= now {
                turn.on_link(probe.link, |turn| turn.drop_link(None));
                self.probe = None;
            } else if probe.nudge.is_some_and(|at| at <= now) {
                self.nudge(turn);
            }
        }
        if now < self.beat {
            return Ok(());
        }
        if self.revision == Revision::Three || self.pinged {
            return Err(Over::Silent);
        }
        // What the clock was late is not given to the client, unless it was so by much.
        let due = Time(self.beat.0.max(now.0.saturating_sub(LATE)));
        (self.pinged, self.beat) = (true, due + pace.ping_timeout);
        self.say(Unit::Text, b"2", pace, turn)
    }

    /// When the time brings something.
    #[must_use]
    pub fn wake_at(&self) -> Time {
        let probe = self.probe.as_ref().map(|p| p.nudge.unwrap_or(p.until).min(p.until));
        probe.map_or(self.beat, |at| at.min(self.beat))
    }

    /// The session ends: a poll that waits is told so, or that it was the last one. `true`: there is none, and the next
    /// is to be told.
    pub fn end(&mut self, how: Over, turn: &mut Turn) -> bool {
        let Transport::Polling(waiting) = &mut self.transport else { return false };
        match how {
            Over::Said => waiting.answer_with("6", turn),
            Over::Error | Over::Silent | Over::Slow | Over::TooLong => waiting.answer_with("1", turn),
            Over::Told => {
                waiting.push(Unit::Text, b"1");
                waiting.flush(turn);
                return self.is_telling();
            }
        }
        false
    }

    /// Whether something waits for a poll.
    #[must_use]
    pub fn is_telling(&self) -> bool {
        if let Transport::Polling(waiting) = &self.transport { waiting.bytes() > 0 } else { false }
    }
}

fn refuse<'a>(refused: Refused, request: &Request<'_>, turn: &mut Turn) -> Asked<'a> {
    refused.answer(request.wants_websocket, turn);
    Asked::Nothing
}

/// Whether a WebSocket is asked for, or polls.
///
/// # Errors
/// Neither.
pub(crate) fn transport(request: &Request<'_>) -> Result<bool, Refused> {
    match request.parameter("transport").as_deref() {
        Some("websocket") => Ok(true),
        Some("polling") => Ok(false),
        Some(_) | None => Err(Refused::UnknownTransport),
    }
}

/// The revision that a request names. `None`: none that there is. 2 was as 3 is.
fn revision(request: &Request<'_>) -> Option<Revision> {
    match request.parameter("EIO").as_deref() {
        Some("4") => Some(Revision::Four),
        Some("3" | "2") => Some(Revision::Three),
        Some(_) | None => None,
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
