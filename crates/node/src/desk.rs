//! A shard's desk at the exchange: applies the commands of the shard's sessions, and gathers what they publish.
//!
//! The one choke point: every join, publish and listing of every dialect is granted or refused here. Knows the
//! shard's roster; does not know conversations, links or what anything looks like on a wire.

// Named by their paths, so that the models of `tests/loom_inbox.rs` find them too.
#[path = "desk/enrolled.rs"]
mod enrolled;
#[path = "desk/members.rs"]
mod members;

use crate::authority::{Reply, Shown, Verdict};
use crate::counters::Counters;
use crate::exchange::{Channel, Exchange, Receipt, VHost, message};
use crate::hooks::Owner;
use crate::inbox::{Answer, Entry};
use dialect::{Command, HookPlan, Span, Words};
use hub::{Allowance, ChannelCore, Roster};
use model::{
    ChannelName, Delivery, Draft, Limits, Now, Principal, PrincipalId, Publisher, Refusal, Right, SessionId,
    Ticket,
};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// The ticket under which refusals of commands without a ticket are reported.
pub const NO_TICKET: Ticket = Ticket(0);

/// Messages a run may gather before it is committed.
const RUN_MAX: usize = 256;

/// Who asks.
pub struct Caller<'a> {
    /// The session.
    pub session: SessionId,
    /// The world it is in.
    pub vhost: &'a Arc<VHost>,
    /// For whom it acts; `None`: it has not authenticated.
    pub principal: Option<&'a Arc<Principal>>,
    /// What it may still publish this second.
    pub allowance: &'a mut Allowance,
    /// What the clocks say.
    pub now: Now,
}

/// What became of a command.
#[derive(Debug)]
pub enum Applied {
    /// Done, or refused; the answer is in the inbox.
    Done,
    /// The answer will come later, or not at all: set a deadline.
    Waiting(Ticket),
    /// An inbox is full: try this again when it is not.
    Held(Command),
}

struct OpenRun {
    vhost: Arc<VHost>,
    channel: Arc<Channel>,
    run: Vec<Arc<Delivery>>,
}

/// What a session counts as in a channel: its principal, with whichever session of its; where that has no address,
/// itself.
struct Place<'a> {
    roster: &'a Roster<(Arc<VHost>, Arc<Channel>)>,
    shard: u16,
    session: u32,
}

impl<'a> Place<'a> {
    fn of(roster: &'a Roster<(Arc<VHost>, Arc<Channel>)>, shard: u16, session: SessionId) -> Self {
        Self { roster, shard, session: session.slot }
    }

    fn is_in(&self, core: &ChannelCore) -> bool {
        match self.roster.address(self.session) {
            Some(address) => core.has_all(&[address]),
            None => core.slot_of(self.shard).is_some_and(|slot| self.roster.is_member(self.session, slot)),
        }
    }
}

/// The place where a shard's sessions meet the exchange.
pub struct Desk {
    /// Which shard.
    pub shard: u16,
    /// Who is in which channel here.
    pub roster: Roster<(Arc<VHost>, Arc<Channel>)>,
    /// What this shard has counted.
    pub counters: Counters,
    /// Bounds, as they are now.
    pub limits: Arc<Limits>,
    exchange: Arc<Exchange>,
    open: Option<OpenRun>,
    /// Shards that have something in their inbox because of this one, and have not been woken for it.
    to_ring: Vec<u16>,
    /// Deliveries that commits have caused since somebody asked.
    caused: usize,
    /// When the present turn began, in microseconds of the node's clock: the beginning of a message's way.
    pub began: u64,
}

impl Desk {
    /// The desk of this shard.
    #[must_use]
    pub fn new(shard: u16, exchange: Arc<Exchange>) -> Self {
        let (roster, counters, limits) =
            (Roster::default(), Counters::default(), Arc::new(exchange.limits.clone()));
        let (open, to_ring) = (None, Vec::new());
        Self { shard, roster, counters, limits, exchange, open, to_ring, caused: 0, began: 0 }
    }

    /// The exchange.
    #[must_use]
    pub fn exchange(&self) -> &Arc<Exchange> {
        &self.exchange
    }

    /// Applies a command. Its answer, if it has a ticket, comes by the shard's inbox, in order with everything else.
    pub fn apply(
        &mut self,
        caller: &mut Caller<'_>,
        ticket: Option<Ticket>,
        command: Command,
        words: &Words,
    ) -> Applied {
        if self.must_wait() {
            // BOUND: its answer would wait there too.
            self.counters.held += 1;
            return Applied::Held(command);
        }
        let outcome = match command {
            Command::Publish { channel, draft } => {
                return self.publish(caller, ticket, (channel, draft), words);
            }
            Command::Broadcast { draft } => return self.broadcast(caller, ticket, draft),
            Command::Direct { channel, receivers, draft } => {
                return self.direct(caller, ticket, (channel, receivers, draft), words);
            }
            Command::Authenticate { credential, page } => {
                let [credential, page] = [credential, page].map(|shown| shown.map(|s| words.text(s)));
                return self.authenticate(caller, ticket, Shown { credential, page });
            }
            Command::Join { channel, since } => self.join(caller, ticket, words.text(channel), since),
            Command::Leave { channel } => self.leave(caller, ticket, words.text(channel)),
            Command::Channels { cursor } => self.list(caller, ticket, cursor),
            Command::Tell { session, name, draft } => {
                return self.tell(caller, ticket, (session, name, draft), words);
            }
            Command::Enrol { role, idle } => self.enrol(caller, ticket, (role, idle)),
            Command::ActAs { who, token } => self.prove(caller, ticket, who, token.map(|t| words.text(t))),
            Command::Retire => return self.retire(caller, ticket),
            Command::Withdraw { channel } => return self.withdraw(caller, ticket, channel, words),
            Command::Misproved if self.spend(caller) => Err(Refusal::BadToken),
            Command::Misproved => Err(Refusal::TooFast),
            Command::Check { channel, who } => self.check(caller, ticket, words.text(channel), &who),
            Command::OpenHook { plan } => return self.open_hook(caller, ticket, &plan),
            // The carrier starts sessions, and knows what they have heard; it does not pass these on.
            Command::Spawn { .. } | Command::Branch { .. } | Command::Recover { .. } => Ok(()),
        };
        if let Err(refusal) = outcome {
            self.refuse(caller.session, ticket, refusal);
        }
        Applied::Done
    }

    /// Whether commands are held, because their answers would find the inbox full.
    #[must_use]
    pub fn must_wait(&self) -> bool {
        self.exchange.inbox(self.shard).is_full()
    }

    fn authenticate(&mut self, caller: &Caller<'_>, ticket: Option<Ticket>, shown: Shown<'_>) -> Applied {
        let ticket = ticket.unwrap_or(NO_TICKET);
        let reply = Reply { exchange: Arc::clone(&self.exchange), session: caller.session, ticket };
        let admit = || self.exchange.authority.admit(shown, &caller.vhost.name, caller.now, reply);
        // An authority may be an embedding program's: its panic must not be the node's.
        let verdict = catch_unwind(AssertUnwindSafe(admit)).unwrap_or_else(|_| {
            self.counters.panics += 1;
            Verdict::Now(Err(Refusal::Busy))
        });
        match verdict {
            Verdict::Now(verdict) => {
                self.answer(caller.session, ticket, Answer::Admitted(verdict));
                Applied::Done
            }
            Verdict::Later => Applied::Waiting(ticket),
        }
    }

    fn open_hook(&mut self, caller: &Caller<'_>, ticket: Option<Ticket>, plan: &HookPlan) -> Applied {
        let (ticket, session) = (ticket.unwrap_or(NO_TICKET), caller.session);
        let owner = Owner::of(caller.vhost.index, caller.principal);
        let exchange = Arc::clone(&self.exchange);
        let tell = move |news| {
            exchange
                .push_and_wake(session.shard, Entry::Answer { session, ticket, answer: Answer::Hook(news) });
        };
        let none = || Err(Refusal::BadHook("this server posts to nobody".into()));
        let asked = self.exchange.hooks.as_ref().map_or_else(none, |h| h.open(plan, owner, Box::new(tell)));
        match asked {
            Ok(()) => Applied::Waiting(ticket),
            Err(refusal) => {
                self.refuse(session, Some(ticket), refusal);
                Applied::Done
            }
        }
    }

    fn publish(
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
        if !self.spend(caller) {
            self.refuse(caller.session, ticket, Refusal::TooFast);
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

    fn broadcast(&mut self, caller: &mut Caller<'_>, ticket: Option<Ticket>, draft: Draft) -> Applied {
        if let Err(refusal) = self.may_publish(caller, None, &draft) {
            self.refuse(caller.session, ticket, refusal);
            return Applied::Done;
        }
        if self.exchange.must_hold_everybody() {
            self.counters.held += 1;
            return Applied::Held(Command::Broadcast { draft });
        }
        if !self.spend(caller) {
            self.refuse(caller.session, ticket, Refusal::TooFast);
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

    fn tell(
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
        if !self.spend(caller) {
            self.refuse(caller.session, ticket, Refusal::TooFast);
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

    fn direct(
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
        if !self.spend(caller) {
            self.refuse(caller.session, ticket, Refusal::TooFast);
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

    fn list(&self, caller: &Caller<'_>, ticket: Option<Ticket>, cursor: u32) -> Result<(), Refusal> {
        let not_granted = Refusal::NotGranted { right: Right::Read.word() };
        let principal = caller.principal.ok_or_else(|| not_granted.clone())?;
        let wall_ms = caller.now.wall_ms;
        if !principal.may_somewhere(Right::Read, wall_ms) {
            return Err(not_granted);
        }
        let may_see = |name: &ChannelName| {
            principal.may(Right::Read, name, self.exchange.is_assigned(name.as_str()), wall_ms)
        };
        let (page, next) = self.exchange.channels(caller.vhost, cursor, may_see);
        self.answer(caller.session, ticket.unwrap_or(NO_TICKET), Answer::Channels { page, next });
        Ok(())
    }

    /// Commits what has been gathered, if anything. Called at the end of each read, and before anything that must
    /// come after it.
    pub fn commit(&mut self) {
        self.commit_with(None);
    }

    fn commit_with(&mut self, receipt: Option<&Receipt>) {
        let Some(OpenRun { vhost, channel, run }) = self.open.take() else { return };
        self.counters.runs += 1;
        self.counters.published += run.len() as u64;
        let messages = run.len();
        let to_ring = &mut self.to_ring;
        let members = self.exchange.commit(&vhost, &channel, run, receipt, |s| note(to_ring, s));
        self.caused = self.caused.saturating_add(messages.saturating_mul(members as usize));
    }

    /// How many deliveries commits have caused since this was last asked: who speaks to many has its turn sooner
    /// over than who speaks to few.
    pub fn take_caused(&mut self) -> usize {
        std::mem::take(&mut self.caused)
    }

    /// Wakes the shards that have something in their inbox because of this one. When no lock is held, and before
    /// this shard looks into its own.
    pub fn ring(&mut self) {
        for shard in self.to_ring.drain(..) {
            if shard != self.shard && self.exchange.inbox(shard).ring() {
                self.counters.wakes += 1;
            }
        }
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

    fn find(&self, vhost: &Arc<VHost>, name: &str) -> Option<Arc<Channel>> {
        if let Some(open) = self.open.as_ref()
            && open.channel.name.as_str() == name
            && Arc::ptr_eq(&open.vhost, vhost)
        {
            return Some(Arc::clone(&open.channel));
        }
        vhost.find(name)
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

    fn grant(&self, caller: &Caller<'_>, right: Right, name: &str) -> Result<(), Refusal> {
        let assigned = self.exchange.is_assigned(name);
        let may = |p: &Arc<Principal>| p.may_by_name(right, name, assigned, caller.now.wall_ms);
        if caller.principal.is_some_and(may) {
            Ok(())
        } else if assigned {
            Err(Refusal::Assigned)
        } else {
            Err(Refusal::NotGranted { right: right.word() })
        }
    }

    fn spend(&self, caller: &mut Caller<'_>) -> bool {
        self.limits.publish_rate.is_none_or(|rate| caller.allowance.take(rate, caller.now.time))
    }

    fn refuse(&mut self, session: SessionId, ticket: Option<Ticket>, refusal: Refusal) {
        self.commit();
        self.answer(session, ticket.unwrap_or(NO_TICKET), Answer::Refused(refusal));
    }

    fn answer(&self, session: SessionId, ticket: Ticket, answer: Answer) {
        self.exchange.push(self.shard, Entry::Answer { session, ticket, answer });
    }
}

fn note(to_ring: &mut Vec<u16>, shard: u16) {
    if !to_ring.contains(&shard) {
        to_ring.push(shard);
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
