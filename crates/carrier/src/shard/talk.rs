//! Calling conversations, and applying the turns they fill. Effects are applied after the call, never within.

use super::Shard;
use crate::link::NONE;
use crate::net::Net;
use crate::session::Session;
use crate::wheel::Timer;
use bytes::Bytes;
use dialect::{Command, Conversation, Effect, Hearing, Turn};
use hub::Lane;
use model::{CloseReason, Form, Framing, LinkId, SessionId, Ticket, Time};
use node::{Applied, Caller, VHost};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl<N: Net> Shard<N> {
    /// Runs somebody else's code. `None`: it panicked, which has been counted and logged.
    pub(super) fn guard<T>(&mut self, call: impl FnOnce() -> T) -> Option<T> {
        let result = catch_unwind(AssertUnwindSafe(call)).ok();
        if result.is_none() {
            self.desk.counters.panics += 1;
            tracing::error!("a conversation panicked; its session ends");
        }
        result
    }

    /// Takes a place for a session that has no conversation yet.
    pub(super) fn seat(&mut self, vhost: &Arc<VHost>, dialect: u8, link: Option<u32>) -> Option<u32> {
        let generation = self.birth();
        let entry = self.sessions.vacant_entry();
        let slot = u32::try_from(entry.key()).ok()?;
        let mut session = Session::new(generation, Arc::clone(vhost), dialect);
        session.link = link.unwrap_or(NONE);
        entry.insert(session);
        self.desk.roster.seat(slot);
        self.desk.counters.attached += 1;
        *self.desk.counters.sessions_of(dialect) += 1;
        if let Some(link) = link.and_then(|l| self.links.get_mut(l as usize)) {
            link.session = slot;
            if self.limits.publish_rate.is_some() {
                self.sessions[slot as usize].allowance = self.ledger.left(link.address());
            }
        }
        Some(slot)
    }

    /// Calls the conversation of a session, or of the one that speaks for it, and does what it asks for.
    pub(super) fn converse(
        &mut self,
        slot: u32,
        link: Option<LinkId>,
        call: impl FnOnce(&mut dyn Conversation, &mut Turn),
    ) {
        let Some(session) = self.sessions.get(slot as usize) else { return };
        match session.stem() {
            None => self.converse_about(slot, None, link, call),
            Some(stem) => {
                let branch = session.id(self.desk.shard, slot);
                self.converse_about(stem.slot, Some(branch), link, call);
            }
        }
    }

    /// As [`Shard::converse`], about a branch of the session, which may have ended.
    pub(super) fn converse_about(
        &mut self,
        slot: u32,
        branch: Option<SessionId>,
        link: Option<LinkId>,
        call: impl FnOnce(&mut dyn Conversation, &mut Turn),
    ) {
        let Some(session) = self.sessions.get_mut(slot as usize) else { return };
        let Some(mut conversation) = session.conversation.take() else { return };
        let mut turn = self.turns.pop().unwrap_or_default();
        turn.reset(self.now, link);
        turn.mark = self.log.end();
        turn.branch = branch;
        let wake = self.guard(|| {
            call(&mut *conversation, &mut turn);
            conversation.wake_at()
        });
        let Some(wake) = wake else {
            // What it leaves may panic again, which must not happen while it is panicking.
            self.guard(move || drop(conversation));
            self.put_away(turn);
            return self.end_session(slot, CloseReason::InternalFault, None);
        };
        let Some(session) = self.sessions.get_mut(slot as usize) else { return };
        session.conversation = Some(conversation);
        let id = session.id(self.desk.shard, slot);
        if session.is_held() {
            self.queue(id, turn);
        } else {
            self.apply(id, turn);
        }
        if let Some(at) = wake {
            self.wake_session(id, at);
        }
    }

    /// The session, if it is still the same.
    pub(super) fn session(&mut self, id: SessionId) -> Option<&mut Session> {
        let session = self.sessions.get_mut(id.slot as usize)?;
        (session.id(self.desk.shard, id.slot) == id).then_some(session)
    }

    /// The session, if it is still the same, to look at.
    pub(super) fn look(&self, id: SessionId) -> Option<&Session> {
        let session = self.sessions.get(id.slot as usize)?;
        (session.id(self.desk.shard, id.slot) == id).then_some(session)
    }

    /// Keeps a turn behind an earlier one that waits. What it says first goes out at once: deliveries do not wait
    /// either, and an answer must not come after what it announces.
    fn queue(&mut self, id: SessionId, mut turn: Turn) {
        let Some(newest) = self.session(id).map(|s| s.link) else { return };
        while let Some(effect) = turn.next_effect() {
            if !matches!(effect, Effect::Send { .. }) {
                turn.put_back(effect);
                if let Some(session) = self.session(id) {
                    session.more().held.push_back(turn);
                }
                return;
            }
            self.speak(newest, &effect, &turn);
        }
        self.put_away(turn);
    }

    /// Keeps a turn's memory. What was not done of it is given back under guard: somebody else's code may run there.
    pub(super) fn put_away(&mut self, mut turn: Turn) {
        if !turn.is_empty() {
            let now = self.now;
            self.guard(|| turn.reset(now, None));
        }
        self.turns.push(turn);
    }

    /// Does what a turn asks for, in order. What meets a full inbox waits, and all that follows with it.
    fn apply(&mut self, id: SessionId, mut turn: Turn) {
        let mut responded = false;
        let patience = self.now.time + self.limits.answer_timeout;
        while let Some(effect) = turn.next_effect() {
            let Some(session) = self.session(id) else {
                turn.put_back(effect);
                break;
            };
            let newest = session.link;
            match effect {
                Effect::Command { branch, ticket, command } => {
                    if let Some(command) = self.command((id, branch), ticket, command, &turn) {
                        turn.put_back(Effect::Command { branch, ticket, command });
                        return self.hold_turn(id, turn);
                    }
                }
                Effect::Hear { branch, hearing } => self.set_hearing((id, branch), hearing, turn.link),
                Effect::Part { branch } => self.part(id, branch),
                Effect::Drop { link, code } => {
                    if let Some(slot) = self.link_slot(link, newest) {
                        self.drop_one(id.slot, slot, code);
                    }
                }
                Effect::Hold => {
                    session.more().hold_until = Some(patience);
                    self.wake_session(id, patience);
                    self.pause_links(id.slot);
                }
                Effect::Resume => {
                    session.more().hold_until = None;
                    session.tidy();
                    self.pause_links(id.slot);
                }
                Effect::Post { body } => {
                    if let Some(hook) = session.hook() {
                        hook.post(Bytes::copy_from_slice(turn.words().bytes(body)));
                    }
                }
                Effect::Outlive(outlives) => session.outlives = outlives,
                Effect::Recoverable(age) => self.set_recoverable(id, age),
                Effect::HandOver(to) => {
                    if let Some(link) = turn.link.and_then(|l| self.link_slot(Some(l), NONE)) {
                        self.prepare_hand_over(id, link, to);
                        responded = true;
                    }
                }
                Effect::Close { reason, code } => self.end_session(id.slot, reason, code),
                spoken @ (Effect::Send { .. }
                | Effect::Respond { .. }
                | Effect::Stream { .. }
                | Effect::AcceptWebSocket { .. }) => {
                    responded |= matches!(spoken, Effect::Respond { .. });
                    self.speak(newest, &spoken, &turn);
                }
            }
        }
        self.put_away(turn);
        if responded {
            self.end_if_done(id);
        }
    }

    /// Does what an effect says to a link.
    pub(super) fn speak(&mut self, newest: u32, effect: &Effect, turn: &Turn) {
        match effect {
            Effect::Send { link, unit, words } => {
                if let Some(slot) = self.link_slot(*link, newest) {
                    self.send(slot, *unit, *words, turn.words());
                }
            }
            Effect::Respond { link, response, body } => {
                if let Some(slot) = self.link_slot(*link, newest) {
                    self.respond(slot, response, turn.words().bytes(*body));
                }
            }
            Effect::Stream { link, response } => {
                if let Some(slot) = self.link_slot(*link, newest) {
                    self.stream(slot, response);
                }
            }
            Effect::AcceptWebSocket { link, protocol } => {
                if let Some(slot) = self.link_slot(*link, newest) {
                    self.accept_websocket(slot, *protocol);
                }
            }
            Effect::Hear { .. }
            | Effect::Part { .. }
            | Effect::Drop { .. }
            | Effect::Command { .. }
            | Effect::Hold
            | Effect::Resume
            | Effect::Post { .. }
            | Effect::Outlive(_)
            | Effect::Recoverable(_)
            | Effect::HandOver(_)
            | Effect::Close { .. } => {}
        }
    }

    /// The link that is named, if it is still the same; else the newest.
    fn link_slot(&self, named: Option<LinkId>, newest: u32) -> Option<u32> {
        match named {
            Some(id) => {
                self.links.get(id.slot as usize).filter(|l| l.generation == id.generation).map(|_| id.slot)
            }
            None => (newest != NONE).then_some(newest),
        }
    }

    /// Applies a command of a session, or of a branch of its. Gives it back when it must wait.
    fn command(
        &mut self,
        (id, branch): (SessionId, Option<SessionId>),
        ticket: Option<Ticket>,
        command: Command,
        turn: &Turn,
    ) -> Option<Command> {
        if let Command::Spawn { conversation } = command {
            return self.spawn(id, ticket, conversation);
        }
        if let Command::Recover { heard, mark } = command {
            self.recover(id, ticket.unwrap_or(node::desk::NO_TICKET), heard, mark);
            return None;
        }
        if let Command::Branch { vhost } = command {
            return self.branch(id, ticket, vhost, turn);
        }
        if branch.is_some_and(|branch| !self.is_branch(branch, id)) {
            // It has ended, and its conversation has been told.
            return None;
        }
        let asks = branch.unwrap_or(id);
        // Who is in several virtual hosts does not speak faster for it.
        let mut allowance = self.sessions.get(id.slot as usize)?.allowance;
        let session = self.sessions.get(asks.slot as usize)?;
        let mut caller = Caller {
            session: asks,
            vhost: &session.vhost,
            principal: session.principal.as_ref(),
            allowance: &mut allowance,
            now: self.now,
        };
        let applied = self.desk.apply(&mut caller, ticket, command, turn.words());
        self.sessions.get_mut(id.slot as usize)?.allowance = allowance;
        match applied {
            Applied::Done => None,
            Applied::Waiting(ticket) => {
                let until = self.now.time + self.limits.answer_timeout;
                self.session(asks)?.more().answers.push((ticket, until));
                self.wake_session(asks, until);
                None
            }
            Applied::Held(command) => Some(command),
        }
    }

    fn hold_turn(&mut self, id: SessionId, turn: Turn) {
        let Some(session) = self.session(id) else { return };
        session.more().held.push_front(turn);
        self.held.push(id.slot);
        self.pause_links(id.slot);
    }

    /// Goes on with the turns of a session that met a full inbox.
    pub(super) fn resume_held(&mut self, slot: u32) {
        let Some(session) = self.sessions.get_mut(slot as usize) else { return };
        let id = session.id(self.desk.shard, slot);
        let mut turns = std::mem::take(&mut session.more().held);
        while let Some(turn) = turns.pop_front() {
            self.apply(id, turn);
            let Some(session) = self.session(id) else { return };
            if session.is_held() {
                return session.more().held.append(&mut turns);
            }
        }
        if let Some(session) = self.session(id) {
            let born = session.more().born.take();
            session.tidy();
            if let Some(asked) = born {
                self.announce(id, asked);
            }
        }
        self.pause_links(slot);
        // The turn in which it answered may have been one of those.
        self.end_if_done(id);
    }

    /// `named`: the link to hear on, if it is one of the session's. On that a branch of the session hears, too.
    fn set_hearing(
        &mut self,
        (id, branch): (SessionId, Option<SessionId>),
        hearing: Hearing,
        named: Option<LinkId>,
    ) {
        if branch.is_some_and(|branch| !self.is_branch(branch, id)) {
            return;
        }
        let named = self.link_slot(named, NONE).filter(|slot| self.links[*slot as usize].session == id.slot);
        let Some(session) = self.session(id) else { return };
        let link = named.unwrap_or(session.link);
        let lane = match hearing {
            Hearing::Events => Lane(0),
            Hearing::Form(form) => {
                let posts = link == NONE && session.hook().is_some();
                self.lane(form, if posts { Some(Framing::Post) } else { self.framing_on(link) })
            }
        };
        let hears = branch.unwrap_or(id);
        let Some(session) = self.session(hears) else { return };
        session.hearing_on = link;
        if session.hearing.replace(lane).is_none() {
            session.vhost.audience.fetch_add(1, Ordering::Relaxed);
        }
        self.desk.roster.set_hearing(hears.slot, link, lane);
    }

    /// How deliveries are framed on a link; `None`: they cannot be written there.
    fn framing_on(&self, link: u32) -> Option<Framing> {
        self.links.get(link as usize).and_then(|l| super::expand::framing(&l.speech))
    }

    /// The lane for a form so framed. A shard has room for 255; more forms than that are heard by events.
    fn lane(&mut self, form: &'static Form, framing: Option<Framing>) -> Lane {
        let Some(framing) = framing else { return Lane(0) };
        let known = self.lanes.iter().position(|(f, g)| std::ptr::eq(*f, form) && *g == framing);
        let place = known.unwrap_or_else(|| {
            self.lanes.push((form, framing));
            self.lanes.len() - 1
        });
        Lane(u8::try_from(place + 1).unwrap_or(0))
    }

    /// Passes on to a session's links whether they may be read.
    fn pause_links(&mut self, slot: u32) {
        let Some(session) = self.sessions.get(slot as usize) else { return };
        let holding = session.holds();
        let links: Vec<u32> = session.links().collect();
        for slot in links {
            let Some(link) = self.links.get_mut(slot as usize) else { continue };
            link.pause.holding = holding;
            if !link.is_paused() && (link.readable || link.has_unread()) {
                self.read_later(slot);
            }
        }
    }

    /// Sees to it that the session is looked at when `at` has come.
    pub(super) fn wake_session(&mut self, id: SessionId, at: Time) {
        let Some(session) = self.session(id) else { return };
        if session.alarm.set(at) {
            self.wheel.set(at, Timer::Session(id.slot, id.generation));
        }
    }
}
