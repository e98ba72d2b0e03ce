//! The part of a desk that publishes: what may be said, where it is gathered, and to whom it goes.
//!
//! Knows grants, bounds and positions only as those who say yes or no. Who hears is the rosters' to know.

use super::members::Place;
use super::{Applied, Caller, Desk, OpenRun, note};
use crate::exchange::{Channel, Receipt, VHost, message};
use crate::inbox::{Answer, Entry};
use dialect::{Command, Span, Words};
use hub::ChannelCore;
use model::{
    ChannelName, Delivery, Draft, Principal, PrincipalId, Publisher, Refusal, Right, SessionId, Ticket,
};
use std::sync::Arc;

/// Messages a run may gather before it is committed.
const RUN_MAX: usize = 256;

impl Desk {
    pub(super) fn publish(
        &mut self,
        caller: &mut Caller<'_>,
        ticket: Option<Ticket>,
        (span, draft): (Span, Draft),
        words: &Words,
    ) -> Applied {
        let name = words.text(span);
        if let Err(refusal) = self.may_publish(caller, Some(name), &draft) {
            self.refuse(caller.session, ticket, refusal);
            return Applied::Done;
        }
        let channel = self.find(caller.vhost, name);
        if channel.as_ref().is_some_and(|c| self.exchange.must_hold(c)) {
            self.counters.held += 1;
            return Applied::Held(Command::Publish { channel: span, draft });
        }
        if !self.pays(caller, ticket) {
            return Applied::Done;
        }
        let inside = draft.joined_only;
        let Some(channel) = channel else {
            if inside {
                self.refuse(caller.session, ticket, Refusal::NotMember);
            } else {
                self.unheard(caller, ticket, name);
            }
            return Applied::Done;
        };
        let delivery = draw_up(caller, Some(channel.name.clone()), draft, self.began);
        if inside {
            self.publish_if(caller, ticket, &channel, delivery, true);
            return Applied::Done;
        }
        let delivery = Arc::new(delivery);
        self.gather(caller.vhost, channel, delivery);
        if let Some(receipt) = receipt(caller, ticket) {
            self.commit_with(Some(&receipt));
        }
        Applied::Done
    }

    pub(super) fn broadcast(
        &mut self,
        caller: &mut Caller<'_>,
        ticket: Option<Ticket>,
        draft: Draft,
    ) -> Applied {
        if let Err(refusal) = self.may_publish(caller, None, &draft) {
            self.refuse(caller.session, ticket, refusal);
            return Applied::Done;
        }
        if self.exchange.must_hold_everybody() {
            self.counters.held += 1;
            return Applied::Held(Command::Broadcast { draft });
        }
        if !self.pays(caller, ticket) {
            return Applied::Done;
        }
        self.commit();
        let (delivery, receipt) = (draw_up(caller, None, draft, self.began), receipt(caller, ticket));
        let to_ring = &mut self.to_ring;
        let receipt = receipt.as_ref();
        let audience = self.exchange.commit_broadcast(caller.vhost, delivery, receipt, |s| note(to_ring, s));
        self.caused = self.caused.saturating_add(audience as usize);
        self.counters.published += 1;
        Applied::Done
    }

    pub(super) fn tell(
        &mut self,
        caller: &mut Caller<'_>,
        ticket: Option<Ticket>,
        (session, name, draft): (SessionId, Span, Draft),
        words: &Words,
    ) -> Applied {
        let channel = self
            .may_publish(caller, Some(words.text(name)), &draft)
            .and_then(|()| ChannelName::new(words.text(name)).map_err(Refusal::BadName));
        let channel = match channel {
            Ok(channel) => channel,
            Err(refusal) => {
                self.refuse(caller.session, ticket, refusal);
                return Applied::Done;
            }
        };
        if self.exchange.must_hold_everybody() {
            self.counters.held += 1;
            return Applied::Held(Command::Tell { session, name, draft });
        }
        if !self.pays(caller, ticket) {
            return Applied::Done;
        }
        self.commit();
        let mut delivery = draw_up(caller, Some(channel), draft, self.began);
        delivery.message.position = self.exchange.number_told();
        let delivery = Arc::new(delivery);
        let asked = ticket.map(|ticket| (caller.session, ticket));
        let shard = session.shard.min(self.exchange.shards().saturating_sub(1));
        self.exchange.push(shard, Entry::Tell { session, vhost: caller.vhost.index, delivery, asked });
        note(&mut self.to_ring, shard);
        self.counters.published += 1;
        Applied::Done
    }

    pub(super) fn direct(
        &mut self,
        caller: &mut Caller<'_>,
        ticket: Option<Ticket>,
        (span, receivers, draft): (Span, Vec<PrincipalId>, Draft),
        words: &Words,
    ) -> Applied {
        let name = words.text(span);
        let inside = draft.joined_only;
        let missing = if inside { Refusal::NotMember } else { Refusal::NotJoined };
        let outcome = self
            .may_publish(caller, Some(name), &draft)
            .and_then(|()| self.find(caller.vhost, name).ok_or(missing));
        let channel = match outcome {
            Ok(channel) => channel,
            Err(refusal) => {
                self.refuse(caller.session, ticket, refusal);
                return Applied::Done;
            }
        };
        if self.exchange.must_hold(&channel) {
            self.counters.held += 1;
            return Applied::Held(Command::Direct { channel: span, receivers, draft });
        }
        if !self.pays(caller, ticket) {
            return Applied::Done;
        }
        let mut delivery = draw_up(caller, Some(channel.name.clone()), draft, self.began);
        delivery.only = Some(receivers.into());
        self.publish_if(caller, ticket, &channel, delivery, inside);
        Applied::Done
    }

    /// Publishes what only those may hear, or say, who have joined.
    fn publish_if(
        &mut self,
        caller: &Caller<'_>,
        ticket: Option<Ticket>,
        channel: &Arc<Channel>,
        delivery: Delivery,
        inside: bool,
    ) {
        self.commit();
        let (receipt, delivery) = (receipt(caller, ticket), Arc::new(delivery));
        let (to_ring, place) = (&mut self.to_ring, Place::of(&self.roster, self.shard, caller.session));
        let may = |core: &ChannelCore, delivery: &Delivery| match delivery.only.as_deref() {
            _ if inside && !place.is_in(core) => Err(Refusal::NotMember),
            Some(receivers) if !core.has_all(receivers) => Err(Refusal::NotJoined),
            _ => Ok(()),
        };
        let committed =
            self.exchange
                .commit_if((caller.vhost, channel), delivery, receipt.as_ref(), may, |s| note(to_ring, s));
        match committed {
            Ok(members) => {
                self.caused = self.caused.saturating_add(members as usize);
                self.counters.runs += 1;
                self.counters.published += 1;
            }
            Err(refusal) => self.refuse(caller.session, ticket, refusal),
        }
    }

    /// Takes what saying something costs. `false`: there is nothing left to spend, and it is refused.
    fn pays(&mut self, caller: &mut Caller<'_>, ticket: Option<Ticket>) -> bool {
        let pays = self.spend(caller);
        if !pays {
            self.refuse(caller.session, ticket, Refusal::TooFast);
        }
        pays
    }

    fn gather(&mut self, vhost: &Arc<VHost>, channel: Arc<Channel>, delivery: Arc<Delivery>) {
        if let Some(open) = self.open.as_mut()
            && Arc::ptr_eq(&open.channel, &channel)
            && open.run.len() < RUN_MAX
        {
            open.run.push(delivery);
            return;
        }
        self.commit();
        self.open = Some(OpenRun { vhost: Arc::clone(vhost), channel, run: vec![delivery] });
    }

    /// A message to a channel that nobody has joined: gone, as in a room without people.
    fn unheard(&mut self, caller: &Caller<'_>, ticket: Option<Ticket>, name: &str) {
        if let Err(e) = ChannelName::check(name) {
            return self.refuse(caller.session, ticket, Refusal::BadName(e));
        }
        self.counters.unheard += 1;
        if let Some(ticket) = ticket {
            self.commit();
            self.answer(caller.session, ticket, Answer::Published { members: 0 });
        }
    }

    fn may_publish(&self, caller: &Caller<'_>, channel: Option<&str>, draft: &Draft) -> Result<(), Refusal> {
        let max = self.limits.message_bytes;
        if draft.payload.bytes.len() > max {
            return Err(Refusal::TooBig { max });
        }
        match channel {
            Some(name) => self.grant(caller, Right::Write, name),
            None => {
                let may = |p: &Arc<Principal>| p.may_everywhere(Right::Write, caller.now.wall_ms);
                let refusal = Refusal::NotGranted { right: Right::Write.word() };
                caller.principal.is_some_and(may).then_some(()).ok_or(refusal)
            }
        }
    }
}

fn receipt(caller: &Caller<'_>, ticket: Option<Ticket>) -> Option<Receipt> {
    ticket.map(|ticket| Receipt { session: caller.session, ticket })
}

fn draw_up(caller: &Caller<'_>, channel: Option<ChannelName>, draft: Draft, began: u64) -> Delivery {
    let echo = draft.echo;
    let principal = caller.principal;
    let name = principal.and_then(|p| p.role.name.clone());
    let publisher = Publisher { session: caller.session, name, address: principal.and_then(|p| p.address) };
    let mut delivery = Delivery::new(message(caller.vhost, channel, draft, publisher, caller.now));
    delivery.except = (!echo).then_some(caller.session);
    delivery.began = Some(began);
    delivery
}
