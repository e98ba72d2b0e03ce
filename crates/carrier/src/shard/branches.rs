//! Branches: what a session is in further virtual hosts. Each is a session without links and without a conversation:
//! another session, its stem, speaks for it and is told what happens to it.
//!
//! Knows how branches begin and end. Does not know what a peer calls the virtual hosts it is in.

use super::Shard;
use crate::net::Net;
use dialect::{Command, Event, Span, Turn};
use model::{CloseReason, Refusal, SessionId, Ticket, VHostName};
use node::Answer;
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl<N: Net> Shard<N> {
    /// Starts a branch of a session. Gives the command back when it must wait.
    pub(super) fn branch(
        &mut self,
        stem: SessionId,
        ticket: Option<Ticket>,
        vhost: Span,
        turn: &Turn,
    ) -> Option<Command> {
        if self.desk.must_wait() {
            return Some(Command::Branch { vhost });
        }
        let answer = match self.grow(stem, turn.words().text(vhost)) {
            Ok(branch) => Answer::Branched(branch),
            Err(refusal) => Answer::Refused(refusal),
        };
        self.answer(stem, ticket.unwrap_or(node::desk::NO_TICKET), answer);
        None
    }

    fn grow(&mut self, stem: SessionId, name: &str) -> Result<SessionId, Refusal> {
        let vhost = VHostName::new(name).ok().and_then(|name| self.exchange.vhost(&name).map(Arc::clone));
        let vhost = vhost.ok_or(Refusal::UnknownVHost)?;
        let max = self.limits.branches_per_session;
        // BOUND: ending a session ends all of these.
        let room = self.session(stem).filter(|s| s.branches().len() < max as usize);
        let dialect = room.map(|s| s.dialect).ok_or(Refusal::TooManyBranches { max })?;
        let slot = self.seat(&vhost, dialect, None).ok_or(Refusal::Busy)?;
        let session = &mut self.sessions[slot as usize];
        session.more().stem = Some(stem);
        let branch = session.id(self.desk.shard, slot);
        if let Some(stem) = self.session(stem) {
            stem.more().branches.push(branch);
        }
        Ok(branch)
    }

    /// Whether a session is a branch of another, and both are there.
    pub(super) fn is_branch(&self, branch: SessionId, stem: SessionId) -> bool {
        self.look(branch).is_some_and(|s| s.stem() == Some(stem))
    }

    /// A session wants to be in a virtual host no more.
    pub(super) fn part(&mut self, stem: SessionId, branch: Option<SessionId>) {
        match branch {
            Some(branch) if self.is_branch(branch, stem) => self.cut(stem, branch, CloseReason::Done),
            Some(_) => {}
            None => self.withdraw_stem(stem),
        }
    }

    /// A session may not be in its virtual host any more: it ends, unless what it is in others goes on. Its conversation
    /// is told.
    pub(super) fn dismiss(&mut self, id: SessionId, reason: CloseReason) {
        let Some(session) = self.session(id) else { return };
        match session.stem() {
            Some(stem) => {
                self.cut(stem, id, reason);
                self.converse_about(stem.slot, Some(id), None, |c, turn| {
                    c.on_event(Event::Parted { reason }, turn);
                });
            }
            None if session.branches().is_empty() => self.end_session(id.slot, reason, None),
            None => {
                self.withdraw_stem(id);
                self.converse(id.slot, None, |c, turn| c.on_event(Event::Parted { reason }, turn));
            }
        }
    }

    /// Ends a branch. Nobody is told.
    fn cut(&mut self, stem: SessionId, branch: SessionId, reason: CloseReason) {
        if let Some(stem) = self.session(stem) {
            stem.more().branches.retain(|b| *b != branch);
            stem.tidy();
        }
        self.remove_session(branch, reason);
    }

    /// The session is nobody, and nowhere, as when it began; its links and branches stay.
    fn withdraw_stem(&mut self, id: SessionId) {
        let now = self.now;
        let Some(session) = self.session(id) else { return };
        session.principal = None;
        if session.hearing.take().is_some() {
            session.vhost.audience.fetch_sub(1, Ordering::Relaxed);
        }
        if let Some(more) = session.more.as_mut() {
            more.expires = None;
            // Nobody waits for these any more.
            more.answers.clear();
            session.tidy();
        }
        self.desk.detach(id, now);
        self.desk.roster.seat(id.slot);
    }

    /// Whether it is known for whom a session acts in any virtual host it is in.
    pub(super) fn acts_somewhere(&self, slot: u32) -> bool {
        let Some(session) = self.sessions.get(slot as usize) else { return false };
        let acts = |b: &SessionId| self.look(*b).is_some_and(|s| s.principal.is_some());
        session.principal.is_some() || session.branches().iter().any(acts)
    }

    /// What the session is in this virtual host: itself, or a branch.
    pub(super) fn in_vhost(&self, id: SessionId, vhost: u16) -> Option<SessionId> {
        let is_there = |s: &SessionId| self.look(*s).is_some_and(|s| s.vhost.index == vhost);
        let branches = self.look(id)?.branches();
        std::iter::once(id).chain(branches.iter().copied()).find(is_there)
    }
}
