//! A peer: an Engine.IO session and the layer above it, as one conversation.
//!
//! Brings requests to their sessions and the layer above to its words. Does not know what the layer says.

use crate::client::Client;
use crate::talk::engine::{Asked, Engine, NO_CODE, Over, Pace, Refused, Up, poll};
use crate::talk::layer::{Layer, Line};
use crate::talk::recovery::{Recovery, Returning, Wait};
use crate::talk::sid::Key;
use crate::wire::engine::payload;
use crate::wire::engine::{Packet, Revision};
use dialect::{Conversation, Event, Frame, Opening, Request, Response, Turn};
use model::{CloseReason, LinkId, SessionId, Time};
use std::sync::Arc;
use std::time::Duration;

/// What all peers of a dialect have in common.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Where they ask, without the slash at the end.
    pub path: &'static str,
    /// Of their sessions.
    pub pace: Pace,
    /// What their ids are sealed with.
    pub key: Key,
    /// How they wait for clients of revision 4 to come back, if they do.
    pub recovery: Option<Recovery>,
    /// The name of the cookie that has a session's id.
    pub cookie: Option<Box<str>>,
    /// The files of the client library that are served.
    pub client: Client,
}

impl Terms {
    /// Whether a request is for a peer.
    #[must_use]
    pub fn is_ours(&self, request: &Request<'_>) -> bool {
        request.path.strip_prefix(self.path).is_some_and(|rest| matches!(rest, "" | "/"))
    }

    /// The name of the client library's file that a request is for.
    #[must_use]
    pub fn file<'a>(&self, request: &Request<'a>) -> Option<&'a str> {
        let name = request.path.strip_prefix(self.path)?.strip_prefix('/')?;
        Some(name).filter(|name| self.client.has(name))
    }

    /// The cookie of a session, as the reference sets it.
    fn cookie(&self, sid: &str) -> Option<String> {
        self.cookie.as_ref().map(|name| format!("{name}={sid}; Path=/; HttpOnly; SameSite=Lax"))
    }
}

/// How long a session that is to end waits for a poll to say so.
const LAST_POLL: Duration = Duration::from_secs(30);

enum State {
    /// Nothing has been asked yet.
    New,
    /// A request is on its way to its session, or has been refused. `true`: it wants to be a WebSocket.
    Passing(bool),
    Open(Engine),
    /// Its next poll is told that it has ended.
    Ending(Engine, Time),
    /// It has no links, and waits until then for its client to come back.
    Away {
        until: Time,
        _counted: Wait,
    },
    /// Its client has come back to another session: what it asks here goes there, until it has asked nothing for long.
    Moved(Box<Engine>, SessionId, Time),
}

/// A conversation by Engine.IO.
pub struct Peer<L> {
    terms: Arc<Terms>,
    session: SessionId,
    state: State,
    /// What is to be known when its client comes back, if it may.
    returning: Option<Box<Returning>>,
    layer: L,
}

impl<L: Layer> Peer<L> {
    /// A peer that has not asked for anything yet.
    #[must_use]
    pub fn new(terms: Arc<Terms>, opening: &Opening, layer: L) -> Self {
        Self { terms, session: opening.session, state: State::New, returning: None, layer }
    }

    /// Lets the layer do something; sees to what comes of it.
    fn with(
        &mut self,
        turn: &mut Turn,
        act: impl FnOnce(&mut L, &mut Line<'_>, &mut Turn) -> Result<(), Over>,
    ) {
        let State::Open(engine) = &mut self.state else { return };
        let (before, was_pinged) = (engine.websocket(), engine.is_pinged());
        let has = self.returning.as_ref().map_or(turn.mark, |r| r.has);
        let offsets = self.terms.recovery.is_some() && engine.revision() == Revision::Four;
        let mut line = Line { engine, pace: &self.terms.pace, session: self.session, has, offsets };
        let result = act(&mut self.layer, &mut line, turn);
        if line.websocket() != before && result.is_ok() {
            self.layer.changed(&mut line, turn);
        }
        if let Some(returning) = &mut self.returning {
            match (was_pinged, engine.is_pinged()) {
                (false, true) => returning.pinged = turn.mark,
                // What it has been told before the ping came before it.
                (true, false) => returning.has = returning.pinged,
                (false, false) | (true, true) => {}
            }
        }
        match result {
            Ok(()) => {
                engine.flush(turn);
                self.see_to_return(turn);
            }
            Err(over) => self.end(over, turn),
        }
    }

    /// Sees to it that what the client hears is kept, if it may come back for it.
    fn see_to_return(&mut self, turn: &mut Turn) {
        let State::Open(engine) = &self.state else { return };
        let Some(recovery) = &self.terms.recovery else { return };
        let may_return = engine.revision() == Revision::Four && self.layer.may_return();
        if may_return && self.returning.is_none() {
            let Pace { ping_interval, ping_timeout, .. } = self.terms.pace;
            turn.recoverable(Some(ping_interval + ping_timeout + recovery.patience));
            self.returning = Some(Box::new(Returning { has: turn.mark, ..Returning::default() }));
        } else if !may_return && self.returning.is_some() {
            turn.recoverable(None);
            self.returning = None;
        }
    }

    /// The session's links are gone, or of no use. `true`: it waits for its client to come back.
    fn goes_away(&mut self, turn: &mut Turn) -> bool {
        let (State::Open(engine), Some(_), Some(recovery)) =
            (&mut self.state, &self.returning, &self.terms.recovery)
        else {
            return false;
        };
        let Some(wait) = recovery.wait() else { return false };
        engine.leave(turn);
        self.state = State::Away { until: turn.now.time + recovery.patience, _counted: wait };
        true
    }

    /// The client has come back, by another road. `false`: nothing was kept for it.
    fn comes_back(&mut self, websocket: Option<LinkId>, turn: &mut Turn) -> bool {
        match &mut self.state {
            // It was back before anybody had noticed that it was gone.
            State::Open(engine) if self.returning.is_some() => engine.leave(turn),
            State::Away { .. } => {}
            State::Open(_) | State::Ending(..) | State::New | State::Passing(_) | State::Moved(..) => {
                return false;
            }
        }
        self.layer.begins_to_return();
        self.state = State::Open(Engine::back(websocket, &self.terms.pace, turn.now.time));
        // It is told what it has missed first.
        turn.hear_events();
        true
    }

    /// What the client says is for the session that it comes back to: gives it the link.
    fn moves(&mut self, to: SessionId, turn: &mut Turn) {
        let engine = match std::mem::replace(&mut self.state, State::Passing(false)) {
            State::Open(mut engine) => {
                engine.release(turn);
                Box::new(engine)
            }
            State::Moved(engine, ..) => engine,
            State::New | State::Passing(_) | State::Ending(..) | State::Away { .. } => return,
        };
        self.state = State::Moved(engine, to, self.patience(turn.now.time));
        turn.hand_over(to);
    }

    /// Until when a client that has come back may ask by the id of the session that it opened to do so.
    fn patience(&self, now: Time) -> Time {
        now + self.terms.pace.ping_interval + self.terms.pace.ping_timeout
    }

    /// The session is over.
    fn end(&mut self, over: Over, turn: &mut Turn) {
        if let (Over::Said, State::Open(engine)) = (over, &mut self.state) {
            engine.release(turn);
        }
        if matches!(over, Over::Said | Over::Silent) && self.goes_away(turn) {
            return;
        }
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
        if let Some(by) = self.asked_by_another(request) {
            if self.returned(request) != Some(self.session) || self.is_moved() {
                return Refused::UnknownSession.answer(request.wants_websocket, turn);
            }
            if !self.comes_back(None, turn) {
                Refused::UnknownSession.answer(request.wants_websocket, turn);
                // It begins anew when it tries again.
                return turn.close(CloseReason::Done);
            }
            if let Some(returning) = &mut self.returning {
                returning.by = Some(by);
            }
        }
        match &mut self.state {
            State::New => self.first(request, turn),
            State::Open(_) => {
                let to = if self.returning.is_none() { self.returned(request) } else { None };
                if let Some(to) = to.filter(|to| *to != self.session) {
                    return self.moves(to, turn);
                }
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
            State::Moved(_, to, _) => {
                let to = *to;
                self.moves(to, turn);
            }
            State::Away { .. } => Refused::UnknownSession.answer(request.wants_websocket, turn),
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

    /// The session by whose id a request asks, if it is neither this one's nor that of the client's return.
    fn asked_by_another(&self, request: &Request<'_>) -> Option<SessionId> {
        self.terms.recovery.as_ref()?;
        let by = self.terms.key.session(&request.parameter("sid")?)?;
        let returned = self.returning.as_ref().and_then(|r| r.by);
        (!matches!(self.state, State::New) && by != self.session && returned != Some(by)).then_some(by)
    }

    fn is_moved(&self) -> bool {
        matches!(self.state, State::Moved(..))
    }

    /// The session to which the client comes back, if a request says that it does.
    fn returned(&self, request: &Request<'_>) -> Option<SessionId> {
        if self.terms.recovery.is_none() || request.method != "POST" {
            return None;
        }
        let body = poll::body(request)?;
        let pieces = payload::cut(&body, false, Revision::Four).ok()?;
        let says = |piece: payload::Piece<'_>| match piece.packet(Revision::Four) {
            Ok(Packet::Text(text)) => self.layer.comes_back(&Up::Text(text)),
            Ok(Packet::Binary(bytes)) => self.layer.comes_back(&Up::Binary(bytes)),
            Ok(_) | Err(_) => None,
        };
        pieces.into_iter().find_map(says)
    }

    fn first(&mut self, request: &Request<'_>, turn: &mut Turn) {
        self.state = State::Passing(request.wants_websocket);
        if let Some(name) = self.terms.file(request) {
            self.terms.client.answer(name, request, turn);
            return;
        }
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
                let cookie = self.terms.cookie(&sid);
                self.state = State::Open(engine);
                self.with(turn, |layer, line, turn| {
                    if is_websocket {
                        layer.changed(line, turn);
                    }
                    layer.opened(request, line, turn)?;
                    line.engine.greet(cookie, turn);
                    Ok(())
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
        if let State::Moved(_, to, _) = &self.state {
            let to = *to;
            return self.moves(to, turn);
        }
        let says = match message {
            Ok(text) => text.strip_prefix('4').map(Up::Text),
            Err(bytes) => Some(Up::Binary(bytes.into())),
        };
        let back = says.and_then(|says| self.layer.comes_back(&says));
        match (back.filter(|_| self.terms.recovery.is_some()), &self.state) {
            (Some(to), State::Open(engine))
                if to != self.session && self.returning.is_none() && engine.has(turn.link) =>
            {
                return self.moves(to, turn);
            }
            (Some(to), State::Open(_) | State::Away { .. }) if to == self.session => {
                let is_own = matches!(&self.state, State::Open(engine) if engine.has(turn.link));
                if !is_own && !self.comes_back(turn.link, turn) {
                    return turn.close(CloseReason::Done);
                }
            }
            (_, State::Away { .. }) => return turn.drop_link(None),
            (Some(_) | None, _) => {}
        }
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
                if engine.lost(link) && !self.goes_away(turn) {
                    self.state = State::Passing(false);
                    turn.close(CloseReason::Gone);
                }
            }
            (Event::NoSuchSession(_), State::Moved(..)) => {
                let state = std::mem::replace(&mut self.state, State::Passing(false));
                let State::Moved(mut engine, ..) = state else { return };
                engine.regain(turn.link);
                self.layer.begins_anew();
                self.state = State::Open(*engine);
            }
            _ => self.with(turn, |layer, line, turn| layer.told(event, line, turn)),
        }
    }

    fn on_tick(&mut self, turn: &mut Turn) {
        let over = match &self.state {
            State::Ending(_, until) | State::Moved(_, _, until) => Some((until, CloseReason::Done)),
            State::Away { until, .. } => Some((until, CloseReason::Gone)),
            State::New | State::Passing(_) | State::Open(_) => None,
        };
        if let Some((until, reason)) = over {
            if *until <= turn.now.time {
                turn.close(reason);
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
            State::Ending(_, until) | State::Moved(_, _, until) | State::Away { until, .. } => Some(*until),
            State::New | State::Passing(_) => None,
        }
    }

    fn takes_end_for_gone(&self) -> bool {
        // As the reference does: no client of its polls by half a connection.
        matches!(self.state, State::Open(_))
    }

    fn on_close(&mut self, reason: CloseReason, turn: &mut Turn) {
        // Somebody else ends it, as when the server stops.
        if let State::Open(engine) = &mut self.state {
            let (has, offsets) = (turn.mark, false);
            let mut line = Line { engine, pace: &self.terms.pace, session: self.session, has, offsets };
            self.layer.closing(reason, &mut line, turn);
            engine.end(Over::Told, turn);
        }
    }
}
