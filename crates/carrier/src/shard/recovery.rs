//! Sessions whose peers come back: what they have been handed is kept for a while, and told again where it did not
//! arrive.

use super::Shard;
use crate::net::Net;
use dialect::Event;
use hub::Absentee;
use model::{Delivery, Mark, Position, SessionId, Ticket};
use std::sync::Arc;
use std::time::Duration;

/// What telling one missed message counts for against the members looked at in one slice.
const TOLD: usize = 256;

impl<N: Net> Shard<N> {
    /// From now on what the session hears is kept for so long, or not any more.
    pub(super) fn set_recoverable(&mut self, id: SessionId, age: Option<Duration>) {
        self.desk.roster.set_returns(id.slot, age.is_some());
        self.log_age = self.log_age.max(age.unwrap_or_default());
        self.forget_old();
    }

    /// Notes messages that members of a channel are about to be handed.
    pub(super) fn note_run(&mut self, slot: u32, run: &[Arc<Delivery>]) {
        if self.desk.roster.is_missed_by_some(slot) {
            self.log.note_run(self.now.time, slot, run);
            self.forget_old();
        }
    }

    /// Notes a message that everybody in a virtual host is about to be handed.
    pub(super) fn note_broadcast(&mut self, vhost: u16, delivery: &Arc<Delivery>) {
        if self.desk.roster.returning() > 0 {
            self.log.note_broadcast(self.now.time, vhost, delivery);
            self.forget_old();
        }
    }

    /// Notes a message that one session is about to be handed.
    pub(super) fn note_told(&mut self, session: u32, delivery: &Arc<Delivery>) {
        if self.desk.roster.returns(session) {
            self.log.note_told(self.now.time, session, delivery);
            self.forget_old();
        }
    }

    /// Notes that a session hears a channel from here on, or does not any more.
    pub(super) fn note_membership(&mut self, session: u32, channel: u32, hears: bool) {
        if self.desk.roster.returns(session) {
            self.log.note_membership(self.now.time, session, channel, hears);
            self.forget_old();
        }
    }

    /// Forgets what nobody can come back for any more.
    pub(super) fn forget_old(&mut self) {
        if self.desk.roster.returning() == 0 {
            self.log_age = Duration::ZERO;
            return self.log.forget(self.now.time, Duration::ZERO, 0);
        }
        self.log.forget(self.now.time, self.log_age, self.limits.recovery_bytes);
    }

    /// Tells a session what it has missed, before anything else that it hears.
    pub(super) fn recover(&mut self, id: SessionId, ticket: Ticket, heard: Option<Position>, mark: Mark) {
        let Some(vhost) = self.session(id).map(|s| s.vhost.index) else { return };
        self.forget_old();
        let address = self.desk.roster.address(id.slot);
        let channels: Vec<u32> = self.desk.roster.heard(id.slot).collect();
        let who = Absentee { session: id.slot, vhost, channels: &channels };
        let is_meant = |d: &Arc<Delivery>| {
            let named = d.only.as_deref().is_none_or(|only| address.is_some_and(|a| only.contains(&a)));
            d.except != Some(id) && named
        };
        let missed: Option<Vec<_>> =
            self.log.missed(who, heard, mark).map(|missed| missed.into_iter().filter(is_meant).collect());
        // BOUND: what a reader may be owed.
        let fits = |missed: &Vec<Arc<Delivery>>| {
            missed.iter().map(|d| d.weight()).sum::<usize>() <= self.limits.pending_bytes
        };
        let missed = missed.filter(fits);
        let told = missed.as_ref().map_or(0, Vec::len);
        self.handed += told * TOLD;
        self.desk.counters.delivered += told as u64;
        let event = Event::Recovered { ticket, missed: missed.as_deref() };
        self.converse(id.slot, None, |c, turn| c.on_event(event, turn));
    }
}
