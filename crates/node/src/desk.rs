//! A shard's desk at the exchange: applies the commands of the shard's sessions, and gathers what they publish.
//!
//! The one choke point: every join, publish and listing of every dialect is granted or refused here. Knows the
//! shard's roster; does not know conversations, links or what anything looks like on a wire.

// Named by their paths, so that the models of `tests/loom_inbox.rs` find them too.
#[path = "desk/enrolled.rs"]
mod enrolled;
#[path = "desk/members.rs"]
mod members;
#[path = "desk/publish.rs"]
mod publish;

use crate::authority::{Reply, Shown, Verdict};
use crate::counters::Counters;
use crate::exchange::{Channel, Exchange, Receipt, VHost};
use crate::hooks::Owner;
use crate::inbox::{Answer, Entry};
use dialect::{Command, HookPlan, Words};
use hub::{Allowance, Roster};
use model::{ChannelName, Delivery, Limits, Now, Principal, Refusal, Right, SessionId, Ticket};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// The ticket under which refusals of commands without a ticket are reported.
pub const NO_TICKET: Ticket = Ticket(0);

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

    fn find(&self, vhost: &Arc<VHost>, name: &str) -> Option<Arc<Channel>> {
        if let Some(open) = self.open.as_ref()
            && open.channel.name.as_str() == name
            && Arc::ptr_eq(&open.vhost, vhost)
        {
            return Some(Arc::clone(&open.channel));
        }
        vhost.find(name)
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
