//! Sessions that have to do with each other: one asks for another, or a principal asks something of all of its.

use super::Shard;
use crate::net::Net;
use dialect::{Command, Conversation};
use model::{ChannelName, CloseReason, PrincipalId, SessionId, Ticket};
use node::{Answer, Entry, Then};
use std::sync::Arc;

/// What ending a session, or a membership of it, counts for against the members looked at in one slice.
const ENDED: usize = 256;

impl<N: Net> Shard<N> {
    /// Starts a session without a link. Gives the command back when it must wait.
    ///
    /// The session has its first tick before the one that asked for it is told: what it joins at once it has joined by
    /// then.
    pub(super) fn spawn(
        &mut self,
        parent: SessionId,
        ticket: Option<Ticket>,
        conversation: Box<dyn Conversation>,
    ) -> Option<Command> {
        if self.desk.must_wait() {
            return Some(Command::Spawn { conversation });
        }
        let session = self.session(parent)?;
        let (vhost, principal, dialect) =
            (Arc::clone(&session.vhost), session.principal.clone(), session.dialect);
        let slot = self.seat(&vhost, dialect, None)?;
        let id = self.sessions[slot as usize].id(self.desk.shard, slot);
        let inherited = principal.as_ref().map_or(Ok(()), |p| self.desk.inherit(parent, id, p, self.now));
        let child = &mut self.sessions[slot as usize];
        (child.principal, child.outlives) = (principal, true);
        if let Err(refusal) = inherited {
            // Its conversation has not begun. What it leaves may be somebody else's code.
            self.guard(move || drop(conversation));
            self.end_session(slot, CloseReason::Unauthorized, None);
            self.answer(parent, ticket.unwrap_or(node::desk::NO_TICKET), Answer::Refused(refusal));
            return None;
        }
        child.conversation = Some(conversation);
        self.watch_expiry(id);
        let now = self.now.time;
        self.converse(slot, None, |c, turn| {
            if c.wake_at().is_some_and(|at| at <= now) {
                c.on_tick(turn);
            }
        });
        let ticket = ticket?;
        match self.session(id) {
            Some(child) if child.is_held() => child.more().born = Some((parent, ticket)),
            _ => self.answer(parent, ticket, Answer::Spawned(id)),
        }
        None
    }

    /// All that a session without a link asked for at first is done: the one that asked for it is told.
    pub(super) fn announce(&mut self, id: SessionId, (parent, ticket): (SessionId, Ticket)) {
        self.answer(parent, ticket, Answer::Spawned(id));
    }

    /// Answers a command of a session of this shard.
    pub(super) fn answer(&self, session: SessionId, ticket: Ticket, answer: Answer) {
        self.exchange.push_and_wake(self.desk.shard, Entry::Answer { session, ticket, answer });
    }

    /// Ends a session whose principal has retired, unless it acts for another by now.
    pub(super) fn kick(&mut self, id: SessionId, of: PrincipalId) {
        if self.session(id).is_some() && self.desk.acts_for(id, of) {
            self.handed += ENDED * (1 + self.desk.roster.memberships(id.slot));
            self.dismiss(id, CloseReason::Kicked);
        }
    }

    /// Takes a session out of a channel, because its principal withdraws.
    pub(super) fn withdraw(&mut self, id: SessionId, of: PrincipalId, channel: &ChannelName, then: Then) {
        self.handed += ENDED;
        let asked = match &then {
            Then::Answer(ticket) => Some(*ticket),
            Then::Report(_) => None,
        };
        if let Some(vhost) = self.session(id).map(|s| Arc::clone(&s.vhost)) {
            self.desk.withdraw_one(id, &vhost, (of, channel), asked, self.now);
        }
        if let Then::Report(errand) = then {
            self.exchange.report(&errand);
        }
    }
}
