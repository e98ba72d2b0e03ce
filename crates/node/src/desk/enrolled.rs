//! The part of a desk that deals with enrolled principals: who becomes one, acts for one, and what is asked of all its
//! sessions at once.
//!
//! Knows which of this shard's sessions act for whom. What the others do is theirs: they are sent entries, one for each
//! session, and whoever asked is told after the last.

use super::members::Place;
use super::{Applied, Caller, Desk, NO_TICKET, note};
use crate::enrolment::Wish;
use crate::exchange::VHost;
use crate::inbox::{Answer, Done, Entry, Errand, Fence, Then};
use dialect::{Command, Span, Words};
use model::{ChannelName, Now, Principal, PrincipalId, Refusal, Right, Role, SessionId, Ticket};
use std::sync::Arc;
use std::time::Duration;

impl Desk {
    pub(super) fn enrol(
        &mut self,
        caller: &mut Caller<'_>,
        ticket: Option<Ticket>,
        (role, idle): (Arc<Role>, Duration),
    ) -> Result<(), Refusal> {
        if self.roster.memberships(caller.session.slot) > 0 {
            return Err(Refusal::HasJoined);
        }
        // It costs what a publish does, so that no address fills the register alone.
        if !self.spend(caller) {
            return Err(Refusal::TooFast);
        }
        let (max, now) = (self.limits.enrolments, caller.now.time);
        let wish = Wish { vhost: caller.vhost.index, role, idle };
        let (principal, proof) = self.exchange.enrolments.enrol(wish, max, now)?;
        self.commit();
        let answer = Answer::Enrolled(principal, proof);
        self.answer(caller.session, ticket.unwrap_or(NO_TICKET), answer);
        Ok(())
    }

    pub(super) fn prove(
        &mut self,
        caller: &Caller<'_>,
        ticket: Option<Ticket>,
        who: PrincipalId,
        token: Option<&str>,
    ) -> Result<(), Refusal> {
        let vhost = caller.vhost.index;
        let principal = self.exchange.enrolments.prove(vhost, who, token, caller.now.time)?;
        self.commit();
        let answer = if token.is_some() { Answer::Admitted(Ok(principal)) } else { Answer::Named(principal) };
        self.answer(caller.session, ticket.unwrap_or(NO_TICKET), answer);
        Ok(())
    }

    /// From now on the session acts for this principal, and counts for it in the channels that it joins. One that has
    /// joined a channel goes on to count for whom it did, and leaves those that this principal may not hear.
    ///
    /// # Errors
    /// When the principal is enrolled, and the session has joined a channel for another; when it is not enrolled any
    /// more; when it has as many sessions as it may.
    pub fn act_for(
        &mut self,
        session: SessionId,
        principal: &Arc<Principal>,
        now: Now,
    ) -> Result<(), Refusal> {
        let enrolment = principal.address.filter(|a| a.is_enrolment());
        let before = self.enrolled(session);
        if enrolment.is_some() && before == enrolment {
            return Ok(());
        }
        if self.roster.memberships(session.slot) > 0 {
            // Those channels count it under the address it had then.
            if enrolment.is_some() {
                return Err(Refusal::HasJoined);
            }
            self.leave_where(session, now, |desk, name| {
                let assigned = desk.exchange.is_assigned(name.as_str());
                !principal.may(Right::Read, name, assigned, now.wall_ms)
            });
            return Ok(());
        }
        if enrolment.is_some() {
            let max = self.limits.sessions_per_enrolment;
            self.exchange.enrolments.attach(principal, session, max)?;
        }
        if let Some(before) = before {
            self.exchange.enrolments.release(before, session, now.time);
        }
        self.roster.set_address(session.slot, principal.address);
        Ok(())
    }

    /// A session without a link acts for whom the one that asked for it does.
    ///
    /// # Errors
    /// As [`Desk::act_for`].
    pub fn inherit(
        &mut self,
        parent: SessionId,
        child: SessionId,
        principal: &Arc<Principal>,
        now: Now,
    ) -> Result<(), Refusal> {
        match principal.address {
            Some(address) if address.is_enrolment() && !self.acts_for(parent, address) => {
                Err(Refusal::UnknownPrincipal)
            }
            _ => self.act_for(child, principal, now),
        }
    }

    /// A principal that was enrolled for a session that cannot act for it: nobody can.
    pub fn discard(&self, principal: &Arc<Principal>) {
        if let Some(who) = principal.address {
            self.exchange.enrolments.retire(who);
        }
    }

    /// Whether this session of this shard acts for the enrolled principal.
    #[must_use]
    pub fn acts_for(&self, session: SessionId, who: PrincipalId) -> bool {
        self.enrolled(session) == Some(who)
    }

    /// For which enrolled principal a session of this shard acts. The register counts it there.
    fn enrolled(&self, session: SessionId) -> Option<PrincipalId> {
        self.roster.address(session.slot).filter(|who| who.is_enrolment())
    }

    /// A session has ended that acted for an enrolled principal.
    pub(super) fn release(&self, who: Option<PrincipalId>, session: SessionId, now: Now) {
        if let Some(who) = who.filter(|who| who.is_enrolment()) {
            self.exchange.enrolments.release(who, session, now.time);
        }
    }

    pub(super) fn retire(&mut self, caller: &Caller<'_>, ticket: Option<Ticket>) -> Applied {
        let session = caller.session;
        let Some(who) = self.enrolled(session) else {
            self.refuse(session, ticket, Refusal::UnknownPrincipal);
            return Applied::Done;
        };
        if self.exchange.must_hold_everybody() {
            self.counters.held += 1;
            return Applied::Held(Command::Retire);
        }
        self.commit();
        let Some(sessions) = self.exchange.enrolments.retire(who) else {
            // Another session of it was first, and this one is about to be kicked.
            self.refuse(session, ticket, Refusal::UnknownPrincipal);
            return Applied::Done;
        };
        self.leave_where(session, caller.now, |_, _| true);
        self.roster.set_address(session.slot, None);
        self.send_out(session, ticket, sessions, Done::Retired(who), |session, errand| Entry::Kick {
            session,
            of: who,
            errand,
        });
        Applied::Done
    }

    /// The session leaves the channels of these names, and is told so.
    fn leave_where(&mut self, session: SessionId, now: Now, leaves: impl Fn(&Self, &ChannelName) -> bool) {
        self.commit();
        let joined: Vec<u32> = self.roster.joined(session.slot).collect();
        for slot in joined {
            let Some(name) = self.roster.handle(slot).map(|(_, c)| c.name.clone()) else { continue };
            if leaves(self, &name) && self.roster.begin_leave(session.slot, slot) {
                let fence = Fence::Left { slot: Some(slot), channel: name.as_str().into() };
                self.depart(session, slot, Some((None, fence)), now);
            }
        }
    }

    pub(super) fn withdraw(
        &mut self,
        caller: &Caller<'_>,
        ticket: Option<Ticket>,
        span: Span,
        words: &Words,
    ) -> Applied {
        let (session, name) = (caller.session, words.text(span));
        self.commit();
        let channel = self.find(caller.vhost, name);
        let place = Place::of(&self.roster, self.shard, session);
        let Some(channel) = channel.filter(|c| place.is_in(&c.lock())) else {
            self.refuse(session, ticket, Refusal::NotMember);
            return Applied::Done;
        };
        let Some(of) = self.enrolled(session) else {
            return self.withdraw_alone(caller, ticket, name);
        };
        if self.exchange.must_hold_everybody() {
            self.counters.held += 1;
            return Applied::Held(Command::Withdraw { channel: span });
        }
        let sessions = self.exchange.enrolments.sessions(of);
        let channel = channel.name.clone();
        let done = Done::Withdrawn { of, channel: channel.clone() };
        self.send_out(session, ticket, sessions, done, |session, errand| Entry::Withdraw {
            session,
            of,
            channel: channel.clone(),
            then: Then::Report(errand),
        });
        Applied::Done
    }

    /// Nobody knows which other sessions the principal has: this one leaves, where it has joined.
    fn withdraw_alone(&mut self, caller: &Caller<'_>, ticket: Option<Ticket>, name: &str) -> Applied {
        let left = match self.begin_leave(caller.session, caller.vhost, name) {
            Some(slot) => {
                let fence = Fence::Left { slot: Some(slot), channel: name.into() };
                self.depart(caller.session, slot, Some((ticket, fence)), caller.now);
                Ok(())
            }
            None => Err(Refusal::NotMember),
        };
        if let Err(refusal) = left {
            self.refuse(caller.session, ticket, refusal);
        }
        Applied::Done
    }

    /// A session of this shard leaves a channel because its principal does. It is told so, if it was a member; under
    /// a ticket if it asked for it itself, and then in any case.
    pub fn withdraw_one(
        &mut self,
        session: SessionId,
        vhost: &Arc<VHost>,
        (of, channel): (PrincipalId, &ChannelName),
        asked: Option<Option<Ticket>>,
        now: Now,
    ) {
        self.commit();
        let name = channel.as_str();
        let slot = self.acts_for(session, of).then(|| self.begin_leave(session, vhost, name)).flatten();
        let (fence, ticket) = (Fence::Left { slot, channel: name.into() }, asked.flatten());
        match slot {
            Some(slot) => self.depart(session, slot, Some((ticket, fence)), now),
            None if asked.is_some() => self.exchange.fence(session, ticket, fence),
            None => {}
        }
    }

    /// Sends an entry to each of these sessions but the one that asks, which is told when all have done their part.
    fn send_out(
        &mut self,
        session: SessionId,
        ticket: Option<Ticket>,
        mut others: Vec<SessionId>,
        done: Done,
        entry: impl Fn(SessionId, Arc<Errand>) -> Entry,
    ) {
        others.retain(|other| *other != session);
        // One part is this session's own: where there are no others it is told at once.
        let errand = Errand::new(session, ticket, done, others.len() + 1);
        for other in others {
            self.exchange.push(other.shard, entry(other, Arc::clone(&errand)));
            note(&mut self.to_ring, other.shard);
        }
        self.exchange.report(&errand);
    }

    pub(super) fn check(
        &mut self,
        caller: &Caller<'_>,
        ticket: Option<Ticket>,
        name: &str,
        who: &[PrincipalId],
    ) -> Result<(), Refusal> {
        let channel = self.find(caller.vhost, name).ok_or(Refusal::NotMember)?;
        let core = channel.lock();
        if !Place::of(&self.roster, self.shard, caller.session).is_in(&core) {
            return Err(Refusal::NotMember);
        }
        if !core.has_all(who) {
            return Err(Refusal::NotJoined);
        }
        drop(core);
        self.commit();
        self.answer(caller.session, ticket.unwrap_or(NO_TICKET), Answer::Checked);
        Ok(())
    }
}
