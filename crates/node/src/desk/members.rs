//! The part of a desk that counts sessions in and out of channels.
//!
//! What a session hears changes at its fence in the shard's inbox, not here.

use super::{Caller, Desk};
use crate::exchange::{Channel, VHost};
use crate::inbox::{Entry, Fence};
use hub::{ChannelCore, Roster};
use model::{Now, Position, Refusal, Right, SessionId, Ticket};
use std::sync::Arc;

/// What a session counts as in a channel: its principal, with whichever session of its; where that has no address,
/// itself.
pub(super) struct Place<'a> {
    roster: &'a Roster<(Arc<VHost>, Arc<Channel>)>,
    shard: u16,
    session: u32,
}

impl<'a> Place<'a> {
    pub(super) fn of(roster: &'a Roster<(Arc<VHost>, Arc<Channel>)>, shard: u16, session: SessionId) -> Self {
        Self { roster, shard, session: session.slot }
    }

    pub(super) fn is_in(&self, core: &ChannelCore) -> bool {
        match self.roster.address(self.session) {
            Some(address) => core.has_all(&[address]),
            None => core.slot_of(self.shard).is_some_and(|slot| self.roster.is_member(self.session, slot)),
        }
    }
}

impl Desk {
    pub(super) fn join(
        &mut self,
        caller: &Caller<'_>,
        ticket: Option<Ticket>,
        name: &str,
        since: Option<Position>,
    ) -> Result<(), Refusal> {
        self.grant(caller, Right::Read, name)?;
        let max = self.limits.channels_per_session;
        let session = caller.session;
        self.commit();
        loop {
            let channel = self.exchange.find_or_create(caller.vhost, name).map_err(Refusal::BadName)?;
            let mut core = channel.lock();
            let place = core.slot_of(self.shard);
            if let Some(slot) = place
                && self.roster.is_member(session.slot, slot)
            {
                let fence = Fence::StillJoined { slot, position: core.position() };
                self.exchange.fence(session, ticket, fence);
                return Ok(());
            }
            if self.roster.memberships(session.slot) >= max as usize {
                drop(core);
                self.exchange.bury(caller.vhost, &channel);
                return Err(Refusal::TooManyChannels { max });
            }
            let slot = place.unwrap_or_else(|| {
                self.roster.open_channel((Arc::clone(caller.vhost), Arc::clone(&channel)))
            });
            let Ok(position) = core.join(self.shard, slot, self.roster.address(session.slot)) else {
                // It died between the look-up and the lock: look again.
                drop(core);
                self.roster.close_channel(slot);
                continue;
            };
            self.roster.begin_join(session.slot, slot);
            let replay = since.map(|since| core.recover(since));
            let recovered = replay.as_ref().map(Option::is_some);
            let replay = replay.flatten().unwrap_or_default();
            self.exchange.fence(session, ticket, Fence::Joined { slot, position, recovered, replay });
            if core.members() == 1 {
                self.exchange.interest(caller.vhost, &channel, true);
            }
            return Ok(());
        }
    }

    pub(super) fn leave(
        &mut self,
        caller: &Caller<'_>,
        ticket: Option<Ticket>,
        name: &str,
    ) -> Result<(), Refusal> {
        self.commit();
        let slot = self.begin_leave(caller.session, caller.vhost, name);
        let fence = Fence::Left { slot, channel: name.into() };
        match slot {
            Some(slot) => self.depart(caller.session, slot, Some((ticket, fence)), caller.now),
            None => self.exchange.fence(caller.session, ticket, fence),
        }
        Ok(())
    }

    /// The session leaves the channel, if it is a member. Says where that stands in the roster.
    pub(super) fn begin_leave(&mut self, session: SessionId, vhost: &Arc<VHost>, name: &str) -> Option<u32> {
        let channel = self.find(vhost, name)?;
        let core = channel.lock();
        let slot = core.slot_of(self.shard)?;
        self.roster.begin_leave(session.slot, slot).then_some(slot)
    }

    /// Counts the session out of a channel that it has begun to leave. Its fence goes in under the same lock, and
    /// behind it, when nobody is left here, the order to give the channel's place back.
    pub(super) fn depart(
        &self,
        session: SessionId,
        slot: u32,
        fence: Option<(Option<Ticket>, Fence)>,
        now: Now,
    ) {
        let Some((vhost, channel)) = self.roster.handle(slot) else { return };
        let mut core = channel.lock();
        let departure = core.leave(self.shard, self.roster.address(session.slot));
        if let Some((ticket, fence)) = fence {
            self.exchange.fence(session, ticket, fence);
        }
        if let Some(slot) = departure.vacated {
            self.exchange.push(self.shard, Entry::Vacate { slot });
        }
        if core.members() == 0 {
            self.exchange.interest(vhost, channel, false);
        }
        let abandoned = core.abandoned();
        drop(core);
        if departure.deserted {
            self.exchange.bury(vhost, channel);
        } else if let Some(bytes) = abandoned {
            self.exchange.abandon(vhost, channel, bytes, now);
        }
    }

    /// A session ends, or parts from its virtual host: it leaves every channel at once.
    pub fn detach(&mut self, session: SessionId, now: Now) {
        self.commit();
        // The address is needed to count it out, so it is taken from the roster before the session is.
        let address = self.roster.address(session.slot);
        let left = self.roster.unseat(session.slot);
        self.roster.set_address(session.slot, address);
        for slot in left {
            self.depart(session, slot, None, now);
        }
        self.roster.set_address(session.slot, None);
        // After its memberships: who is counted in a channel is known as one of its principal's sessions.
        self.release(address, session, now);
    }
}
