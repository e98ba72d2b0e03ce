//! A session carried by polls: what waits for the next one, the one that waits, and what is posted.

use super::{Asked, Over, Pace, Refused};
use crate::wire::engine::Revision;
use crate::wire::engine::payload::{self, Manner};
use dialect::{Request, Response, Turn};
use model::{LinkId, Unit};
use std::borrow::Cow;

/// What is told by polls.
pub(super) struct Waiting {
    /// Packets, one after the other.
    bytes: Vec<u8>,
    /// What each is, and where it ends. BOUND: `waiting_bytes`, which counts each.
    ends: Vec<(Unit, usize)>,
    /// The poll that waits.
    asked: Option<LinkId>,
    manner: Manner,
}

/// What a packet counts beside its bytes.
const ENTRY: usize = 16;

impl Waiting {
    pub(super) fn new(manner: Manner) -> Self {
        Self { bytes: Vec::new(), ends: Vec::new(), asked: None, manner }
    }

    pub(super) fn push(&mut self, unit: Unit, packet: &[u8]) {
        self.bytes.extend_from_slice(packet);
        self.ends.push((unit, self.bytes.len()));
    }

    /// What waits, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.len() + ENTRY * self.ends.len()
    }

    pub(super) fn packets(&self) -> impl Iterator<Item = (Unit, &[u8])> + Clone {
        let starts = std::iter::once(0).chain(self.ends.iter().map(|(_, end)| *end));
        self.ends
            .iter()
            .zip(starts)
            .map(|(&(unit, end), start)| (unit, self.bytes.get(start..end).unwrap_or_default()))
    }

    /// A poll has come.
    pub(super) fn ask(&mut self, link: Option<LinkId>, manner: Manner) {
        (self.asked, self.manner) = (link, manner);
    }

    pub(super) fn is_asked(&self) -> bool {
        self.asked.is_some()
    }

    pub(super) fn is_asked_by(&self, link: LinkId) -> bool {
        self.asked == Some(link)
    }

    /// Answers the poll that waits, if there is something to be told.
    pub(super) fn flush(&mut self, turn: &mut Turn) {
        self.answer(None, turn);
    }

    /// The same, with this cookie.
    pub(super) fn answer(&mut self, cookie: Option<String>, turn: &mut Turn) {
        let Some(link) = self.asked.filter(|_| !self.ends.is_empty()) else { return };
        self.asked = None;
        let mut body = Vec::new();
        let unit = payload::write(self.packets(), self.manner, &mut body);
        (self.bytes, self.ends) = (Vec::new(), Vec::new());
        let content = match (self.manner.jsonp, unit) {
            (Some(_), _) => "text/javascript; charset=UTF-8",
            (None, Unit::Text) => "text/plain; charset=UTF-8",
            (None, Unit::Binary) => "application/octet-stream",
        };
        let mut response = Response::new(200, content).with("Cache-Control", "no-store");
        response.headers.extend(cookie.map(|cookie| ("Set-Cookie", cookie.into())));
        turn.on_link(link, |turn| turn.respond(response, |out| out.extend_from_slice(&body)));
    }

    /// Answers the poll that waits with this packet, and what has waited before it.
    pub(super) fn answer_with(&mut self, packet: &str, turn: &mut Turn) {
        if self.asked.is_some() {
            self.push(Unit::Text, packet.as_bytes());
            self.flush(turn);
        }
    }
}

/// How a request wants to be answered.
pub(super) fn manner(request: &Request<'_>, revision: Revision) -> Manner {
    let jsonp = request.parameter("j").map(|j| {
        let digits: String = j.chars().filter(char::is_ascii_digit).take(9).collect();
        digits.parse().unwrap_or(0)
    });
    Manner { revision, as_text: request.parameter("b64").is_some_and(|b64| !b64.is_empty()), jsonp }
}

/// Packets were posted.
///
/// # Errors
/// The session ends. The request has been answered.
pub(super) fn posted<'a>(
    request: &Request<'a>,
    manner: Manner,
    pace: &Pace,
    turn: &mut Turn,
) -> Result<Asked<'a>, Over> {
    let is_binary = request.header("content-type").is_some_and(|t| t.starts_with("application/octet-stream"));
    if request.body.len() > pace.max_payload {
        let words = format!("the payload is longer than {} bytes", pace.max_payload);
        turn.respond(Response::new(413, "text/plain"), |out| out.extend_from_slice(words.as_bytes()));
        return Ok(Asked::Nothing);
    }
    if is_binary && manner.revision == Revision::Four {
        Refused::BadRequest.answer(false, turn);
        return Err(Over::Error);
    }
    let response = Response::new(200, "text/html").with("Cache-Control", "no-store");
    turn.respond(response, |out| out.extend_from_slice(b"ok"));
    Ok(Asked::Posted(body(request).ok_or(Over::Error)?, is_binary))
}

/// The payload that a request posts. `None`: it is a form that has none.
pub(in crate::talk) fn body<'a>(request: &Request<'a>) -> Option<Cow<'a, [u8]>> {
    match request.parameter("j") {
        Some(_) => Some(Cow::Owned(payload::posted(request.body)?.into_bytes())),
        None => Some(Cow::Borrowed(request.body)),
    }
}
