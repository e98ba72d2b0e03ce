//! A peer: an Engine.IO session and the layer above it, as one conversation.
//!
//! Brings requests to their sessions and the layer above to its words. Does not know what the layer says.

use crate::talk::engine::{Asked, Engine, Over, Pace, Refused, Up};
use crate::talk::sid::Key;
use crate::wire::engine::Revision;
use crate::wire::engine::payload;
use dialect::{Conversation, Event, Frame, Opening, Request, Response, Turn};
use model::{CloseReason, LinkId, SessionId, Time, Unit};
use std::sync::Arc;
use std::time::Duration;

/// What speaks by an Engine.IO session. Where it says nothing about something, nothing comes of it.
pub trait Layer: Send {
    /// The session is open: for this request.
    ///
    /// # Errors
    /// The session ends.
    fn opened(&mut self, request: &Request<'_>, line: &mut Line<'_>, turn: &mut Turn) -> Result<(), Over> {
        let _ = (request, line, turn);
        Ok(())
    }

    /// The client has said something.
    ///
    /// # Errors
    /// The session ends.
    fn heard(&mut self, up: &Up<'_>, line: &mut Line<'_>, turn: &mut Turn) -> Result<(), Over>;

    /// The hub has told something.
    ///
    /// # Errors
    /// The session ends.
    fn told(&mut self, event: Event<'_>, line: &mut Line<'_>, turn: &mut Turn) -> Result<(), Over> {
        let _ = (event, line, turn);
        Ok(())
    }

    /// The session is carried by a WebSocket from now on. So it is from the beginning, if it was never otherwise.
    fn changed(&mut self, line: &mut Line<'_>, turn: &mut Turn) {
        let _ = (line, turn);
    }

    /// The moment of [`Layer::wake_at`] has come.
    ///
    /// # Errors
    /// The session ends.
    fn tick(&mut self, line: &mut Line<'_>, turn: &mut Turn) -> Result<(), Over> {
        let _ = (line, turn);
        Ok(())
    }

    /// When it is to be told the time.
    fn wake_at(&self) -> Option<Time> {
        None
    }

    /// Somebody else ends the session. Last words may be said.
    fn closing(&mut self, reason: CloseReason, line: &mut Line<'_>, turn: &mut Turn) {
        let _ = (reason, line, turn);
    }
}

/// A session, for the layer above.
pub struct Line<'a> {
    engine: &'a mut Engine,
    pace: &'a Pace,
    /// Which session it is.
    pub session: SessionId,
}

impl Line<'_> {
    /// Which revision the client speaks.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.engine.revision()
    }

    /// Whether it cannot be told bytes but in digits.
    #[must_use]
    pub fn as_text(&self) -> bool {
        self.engine.as_text()
    }

    /// The WebSocket that carries it, if one does.
    #[must_use]
    pub fn websocket(&self) -> Option<LinkId> {
        self.engine.websocket()
    }

    /// Says a packet: one of text with the digit `4` before it, one of bytes as they are.
    ///
    /// # Errors
    /// Too much waits.
    pub fn say(&mut self, unit: Unit, packet: &[u8], turn: &mut Turn) -> Result<(), Over> {
        self.engine.say(unit, packet, self.pace, turn)
    }
}

/// What all peers of a dialect have in common.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Where they ask, without the slash at the end.
    pub path: &'static str,
    /// Of their sessions.
    pub pace: Pace,
    /// What their ids are sealed with.
    pub key: Key,
}

impl Terms {
    /// Whether a request is for a peer.
    #[must_use]
    pub fn is_ours(&self, request: &Request<'_>) -> bool {
        request.path.strip_prefix(self.path).is_some_and(|rest| matches!(rest, "" | "/"))
    }
}

/// How long a session that is to end waits for a poll to say so.
const LAST_POLL: Duration = Duration::from_secs(30);

/// A close frame without a code. RFC 6455 §7.1.5.
const NO_CODE: u16 = 1005;

enum State {
    /// Nothing has been asked yet.
    New,
    /// A request is on its way to its session, or has been refused. `true`: it wants to be a WebSocket.
    Passing(bool),
    Open(Engine),
    /// Its next poll is told that it has ended.
    Ending(Engine, Time),
}

/// A conversation by Engine.IO.
pub struct Peer<L> {
    terms: Arc<Terms>,
    session: SessionId,
    state: State,
    layer: L,
}

impl<L: Layer> Peer<L> {
    /// A peer that has not asked for anything yet.
    #[must_use]
    pub fn new(terms: Arc<Terms>, opening: &Opening, layer: L) -> Self {
        Self { terms, session: opening.session, state: State::New, layer }
    }

    /// Lets the layer do something; sees to what comes of it.
    fn with(
        &mut self,
        turn: &mut Turn,
        act: impl FnOnce(&mut L, &mut Line<'_>, &mut Turn) -> Result<(), Over>,
    ) {
        let State::Open(engine) = &mut self.state else { return };
        let before = engine.websocket();
        let mut line = Line { engine, pace: &self.terms.pace, session: self.session };
        let result = act(&mut self.layer, &mut line, turn);
        if line.websocket() != before && result.is_ok() {
            self.layer.changed(&mut line, turn);
        }
        match result {
            Ok(()) => engine.flush(turn),
            Err(over) => self.end(over, turn),
        }
    }

    /// The session is over.
    fn end(&mut self, over: Over, turn: &mut Turn) {
        let state = std::mem::replace(&mut self.state, State::Passing(false));
        let State::Open(mut engine) = state else { return };
        if engine.end(over, turn) {
            self.state = State::Ending(engine, turn.now.time + LAST_POLL);
            return;
        }
        // The reference closes a WebSocket without saying why.
        match over {
            Over::Said | Over::Told => turn.close_with(CloseReason::Done, NO_CODE),
            Over::Error => turn.close_with(CloseReason::Fault, NO_CODE),
            Over::Silent => turn.close_with(CloseReason::Silent, NO_CODE),
            Over::Slow => turn.close(CloseReason::SlowConsumer),
            Over::TooLong => turn.close(CloseReason::TooBig),
        }
    }

    /// A request: for a new session, for this one, or for another.
    fn request(&mut self, request: &Request<'_>, turn: &mut Turn) {
        match &mut self.state {
            State::New => self.first(request, turn),
            State::Open(_) => {
                self.with(turn, |layer, line, turn| {
                    if let Err(over) = line.engine.tick(line.pace, turn) {
                        // It was over before the request came, though nobody had looked.
                        Refused::UnknownSession.answer(request.wants_websocket, turn);
                        return Err(over);
                    }
                    let Asked::Posted(body, is_binary) = line.engine.asked(request, line.pace, turn)? else {
                        return Ok(());
                    };
                    let revision = line.revision();
                    let pieces = payload::cut(&body, is_binary, revision).map_err(|_| Over::Error)?;
                    for piece in pieces {
                        let up = line.engine.hear(piece.packet(revision), line.pace, turn)?;
                        up.map_or(Ok(()), |up| layer.heard(&up, line, turn))?;
                    }
                    Ok(())
                });
            }
            State::Ending(engine, _) => {
                let said = engine.asked(request, &self.terms.pace, turn).map(drop);
                engine.flush(turn);
                if said.is_err() || !engine.is_telling() {
                    turn.close(CloseReason::Done);
                }
            }
            State::Passing(_) => Refused::UnknownSession.answer(request.wants_websocket, turn),
        }
    }

    fn first(&mut self, request: &Request<'_>, turn: &mut Turn) {
        self.state = State::Passing(request.wants_websocket);
        if !self.terms.is_ours(request) {
            // There is nothing here, but the server is well.
            return turn.respond(Response::new(200, "text/plain"), |_| {});
        }
        if let Some(sid) = request.parameter("sid").filter(|sid| !sid.is_empty()) {
            return match (crate::talk::engine::transport(request), self.terms.key.session(&sid)) {
                (Err(refused), _) => refused.answer(request.wants_websocket, turn),
                (Ok(_), Some(session)) => turn.hand_over(session),
                (Ok(_), None) => Refused::UnknownSession.answer(request.wants_websocket, turn),
            };
        }
        let sid = self.terms.key.sid(self.session);
        match Engine::open(request, &sid, &self.terms.pace, turn) {
            Err(refused) => refused.answer(request.wants_websocket, turn),
            Ok(engine) => {
                turn.outlive_links(true);
                let is_websocket = engine.websocket().is_some();
                self.state = State::Open(engine);
                self.with(turn, |layer, line, turn| {
                    if is_websocket {
                        layer.changed(line, turn);
                    }
                    layer.opened(request, line, turn)
                });
            }
        }
    }
}

impl<L: Layer> Conversation for Peer<L> {
    fn on_frame(&mut self, frame: Frame<'_>, turn: &mut Turn) {
        let message = match frame {
            Frame::Request(request) => return self.request(&request, turn),
            Frame::Text(text) => Ok(text),
            Frame::Binary(bytes) => Err(bytes),
            // Not roads that lead here.
            Frame::Stream(_) | Frame::Multipart(_) | Frame::Datagram(_) => return,
        };
        self.with(turn, |layer, line, turn| {
            let up = line.engine.spoken(message, line.pace, turn)?;
            up.map_or(Ok(()), |up| layer.heard(&up, line, turn))
        });
    }

    fn on_event(&mut self, event: Event<'_>, turn: &mut Turn) {
        match (event, &mut self.state) {
            (Event::NoSuchSession(_), State::Passing(wants_websocket)) => {
                Refused::UnknownSession.answer(*wants_websocket, turn);
            }
            (Event::LinkLost(link), State::Open(engine)) => {
                if engine.lost(link) {
                    self.state = State::Passing(false);
                    turn.close(CloseReason::Gone);
                }
            }
            _ => self.with(turn, |layer, line, turn| layer.told(event, line, turn)),
        }
    }

    fn on_tick(&mut self, turn: &mut Turn) {
        if let State::Ending(_, until) = &self.state {
            if *until <= turn.now.time {
                turn.close(CloseReason::Done);
            }
            return;
        }
        self.with(turn, |layer, line, turn| {
            line.engine.tick(line.pace, turn)?;
            if layer.wake_at().is_some_and(|at| at <= turn.now.time) {
                layer.tick(line, turn)?;
            }
            Ok(())
        });
    }

    fn wake_at(&self) -> Option<Time> {
        match &self.state {
            State::Open(engine) => {
                let own = engine.wake_at();
                Some(self.layer.wake_at().map_or(own, |at| at.min(own)))
            }
            State::Ending(_, until) => Some(*until),
            State::New | State::Passing(_) => None,
        }
    }

    fn on_close(&mut self, reason: CloseReason, turn: &mut Turn) {
        // Somebody else ends it, as when the server stops.
        if let State::Open(engine) = &mut self.state {
            let mut line = Line { engine, pace: &self.terms.pace, session: self.session };
            self.layer.closing(reason, &mut line, turn);
            engine.end(Over::Told, turn);
        }
    }
}
