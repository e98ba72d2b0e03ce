//! What the shards share: virtual hosts, channels by name, inboxes, and the commit of a run of messages.
//!
//! LOCK: a bucket of the directory, then a channel, then an inbox; never the other way. The register of enrolments is
//! locked under none of these, and none of them under it. Nothing here waits for a reader, and wakes are sent when no
//! lock is held.

// Named by their paths, so that the models of `tests/loom_inbox.rs` find them too.
#[path = "exchange/abandoned.rs"]
mod abandoned;
#[path = "exchange/vhost.rs"]
mod vhost;

pub use vhost::VHost;

use crate::authority::Authority;
use crate::counters::Totals;
use crate::enrolment::Enrolments;
use crate::hooks::Hooks;
use crate::inbox::{Answer, Done, Entry, Errand, Fence, Inbox, Run, Then};
use crate::sync::{AtomicBool, AtomicU64, AtomicUsize, Mutex, MutexGuard, Ordering};
use abandoned::Abandoned;
use backplane::Backplane;
use hub::ChannelCore;
use model::{
    ChannelName, Delivery, Draft, Limits, Message, NameError, Now, Pattern, Position, Principal, Publisher,
    Refusal, SessionId, SlowPolicy, Ticket, VHostName,
};
use std::sync::{Arc, PoisonError};

/// A channel, as its members' shards share it.
#[derive(Debug)]
pub struct Channel {
    /// Its name.
    pub name: ChannelName,
    /// What happens to readers that do not keep up.
    pub slow: SlowPolicy,
    core: Mutex<ChannelCore>,
}

impl Channel {
    /// Its state, for as long as the guard lives. LOCK: only inboxes may be locked meanwhile.
    pub(crate) fn lock(&self) -> MutexGuard<'_, ChannelCore> {
        lock(&self.core)
    }
}

/// How channels whose names match a pattern behave.
#[derive(Clone, Debug)]
pub struct ChannelPolicy {
    /// Which channels.
    pub pattern: Pattern,
    /// What happens to readers that do not keep up.
    pub slow: SlowPolicy,
    /// Messages kept for those who come back; 0: none.
    pub window: usize,
    /// Bytes the window may take.
    pub window_bytes: usize,
}

/// What the node was built with.
pub struct Plan {
    /// How many shards.
    pub shards: u16,
    /// Virtual hosts besides `/`.
    pub vhosts: Vec<VHostName>,
    /// Bounds.
    pub limits: Limits,
    /// Channels that behave in some way; the first pattern that matches counts.
    pub policies: Vec<ChannelPolicy>,
    /// Channels that only the server lets sessions into, unless a grant names their pattern.
    pub assigned: Vec<Pattern>,
    /// Who decides for whom sessions act.
    pub authority: Box<dyn Authority>,
    /// The way to other nodes.
    pub backplane: Box<dyn Backplane>,
    /// Who posts to the URLs that peers give; `None`: nobody does.
    pub hooks: Option<Hooks>,
    /// What the clocks said when the node began; makes epochs differ between restarts.
    pub began: Now,
}

/// The part of the hub that shards share.
pub struct Exchange {
    /// Bounds.
    pub limits: Limits,
    /// Counts of all shards.
    pub totals: Totals,
    /// Whether the server is stopping.
    pub draining: AtomicBool,
    /// Connections open on all shards.
    pub connections: AtomicUsize,
    /// Who posts to the URLs that peers give.
    pub hooks: Option<Hooks>,
    pub(crate) authority: Box<dyn Authority>,
    pub(crate) enrolments: Enrolments,
    vhosts: Vec<Arc<VHost>>,
    inboxes: Vec<Inbox>,
    policies: Vec<ChannelPolicy>,
    assigned: Vec<Pattern>,
    backplane: Box<dyn Backplane>,
    /// How many inboxes are full: publishing looks at one number while all is well.
    congested: AtomicUsize,
    /// How often an inbox was full and is so no more.
    relieved: AtomicUsize,
    epochs: AtomicU64,
    /// How many messages have been said to one session each.
    told: AtomicU64,
    /// LOCK: before a bucket.
    abandoned: Mutex<Abandoned>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Who asks for a commit, and wants to be told in its own inbox once its shard has handed out what it committed.
pub(crate) struct Receipt {
    pub(crate) session: SessionId,
    pub(crate) ticket: Ticket,
}

impl Exchange {
    /// An exchange with nobody in it.
    #[must_use]
    pub fn new(plan: Plan) -> Self {
        let epochs = AtomicU64::new(plan.began.wall_ms << 20);
        let names = std::iter::once(VHostName::root()).chain(plan.vhosts);
        let vhosts = names.enumerate().map(|(i, name)| {
            let everybody = ChannelCore::new(epochs.fetch_add(1, Ordering::Relaxed));
            Arc::new(VHost::new(name, u16::try_from(i).unwrap_or(u16::MAX), everybody))
        });
        Self {
            vhosts: vhosts.collect(),
            inboxes: (0..plan.shards).map(|_| Inbox::default()).collect(),
            limits: plan.limits,
            totals: Totals::new(plan.shards),
            draining: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
            hooks: plan.hooks,
            authority: plan.authority,
            enrolments: Enrolments::default(),
            policies: plan.policies,
            assigned: plan.assigned,
            backplane: plan.backplane,
            congested: AtomicUsize::new(0),
            relieved: AtomicUsize::new(0),
            epochs,
            told: AtomicU64::new(0),
            abandoned: Mutex::default(),
        }
    }

    /// The virtual host of that name.
    #[must_use]
    pub fn vhost(&self, name: &VHostName) -> Option<&Arc<VHost>> {
        self.vhosts.iter().find(|v| v.name == *name)
    }

    /// What the authority knows of a credential at once. See [`Authority::recognises`].
    #[must_use]
    pub fn recognises(&self, credential: Option<&str>, vhost: &VHostName, now: Now) -> Option<bool> {
        self.authority.recognises(credential, vhost, now)
    }

    /// Whether a principal may stay: one that the node has enrolled until it is retired or forgotten, every other as
    /// long as the authority says so ([`Authority::stands`]).
    #[must_use]
    pub fn stands(&self, principal: &Arc<Principal>) -> bool {
        match principal.address {
            Some(address) if address.is_enrolment() => self.enrolments.stands(principal),
            _ => self.authority.stands(principal),
        }
    }

    /// How many principals are enrolled.
    #[must_use]
    pub fn enrolments(&self) -> usize {
        self.enrolments.len()
    }

    /// All virtual hosts, `/` first.
    #[must_use]
    pub fn vhosts(&self) -> &[Arc<VHost>] {
        &self.vhosts
    }

    /// How many shards there are.
    #[must_use]
    pub fn shards(&self) -> u16 {
        u16::try_from(self.inboxes.len()).unwrap_or(u16::MAX)
    }

    /// A shard's inbox.
    #[must_use]
    pub fn inbox(&self, shard: u16) -> &Inbox {
        &self.inboxes[usize::from(shard)]
    }

    /// Adds an entry from outside the shards, and wakes the shard.
    pub fn push_and_wake(&self, shard: u16, entry: Entry) {
        self.push(shard, entry);
        self.inbox(shard).ring();
    }

    /// Tells every shard to say goodbye to its sessions.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
        (0..self.shards()).for_each(|s| self.push_and_wake(s, Entry::Drain));
    }

    /// Notes that a shard has dealt with an entry of this weight.
    pub fn finish(&self, shard: u16, weight: usize) {
        if weight > 0 && self.inbox(shard).finish(weight, &self.limits, &self.congested) {
            // Whoever holds publishers back tries again: it looks at the count before it sleeps, and is woken after.
            self.relieved.fetch_add(1, Ordering::SeqCst);
            self.inboxes.iter().for_each(|i| {
                i.ring();
            });
        }
    }

    /// How often a full inbox has become less full: when that changes, publishers that are held try again.
    #[must_use]
    pub fn relieved(&self) -> usize {
        self.relieved.load(Ordering::SeqCst)
    }

    /// Publishes from outside the shards: an embedding program, the backplane. Returns the members on this node;
    /// 0 when nobody has joined the channel.
    ///
    /// # Errors
    /// Gives the draft back when an inbox is full: try again later.
    pub fn publish(&self, vhost: &VHost, channel: &str, draft: Draft, now: Now) -> Result<u32, Draft> {
        let Some(channel) = vhost.find(channel) else { return Ok(0) };
        if self.must_hold(&channel) {
            return Err(draft);
        }
        let session = SessionId { shard: u16::MAX, slot: 0, generation: 0 };
        let publisher = Publisher { session, name: None, address: None };
        let name = Some(channel.name.clone());
        let delivery = Arc::new(Delivery::new(message(vhost, name, draft, publisher, now)));
        let mut shards = Vec::new();
        let members = self.commit(vhost, &channel, vec![delivery], None, |s| shards.push(s));
        shards.iter().for_each(|&s| {
            self.inbox(s).ring();
        });
        Ok(members)
    }

    pub(crate) fn push(&self, shard: u16, entry: Entry) {
        self.inbox(shard).push(entry, &self.limits, &self.congested);
    }

    /// Whether a publish to this channel has to wait, because a shard with members has a full inbox.
    pub(crate) fn must_hold(&self, channel: &Channel) -> bool {
        self.congested.load(Ordering::Relaxed) > 0
            && channel.lock().present().iter().any(|p| self.inbox(p.shard).is_full())
    }

    /// As [`Exchange::must_hold`], for what goes to every shard.
    pub(crate) fn must_hold_everybody(&self) -> bool {
        self.congested.load(Ordering::Relaxed) > 0
    }

    /// Gives the messages of a run their positions and hands it to every shard with members, all under the
    /// channel's lock, so that every shard sees the same order. `touched` hears which shards are to be woken.
    pub(crate) fn commit(
        &self,
        vhost: &VHost,
        channel: &Channel,
        run: Vec<Arc<Delivery>>,
        receipt: Option<&Receipt>,
        touched: impl FnMut(u16),
    ) -> u32 {
        let mut core = channel.lock();
        self.commit_locked(vhost, &mut core, run, receipt, touched)
    }

    /// As [`Exchange::commit`] for one message that depends on who has joined: where `may` says no, nobody hears
    /// anything.
    pub(crate) fn commit_if(
        &self,
        (vhost, channel): (&VHost, &Channel),
        delivery: Arc<Delivery>,
        receipt: Option<&Receipt>,
        may: impl FnOnce(&ChannelCore, &Delivery) -> Result<(), Refusal>,
        touched: impl FnMut(u16),
    ) -> Result<u32, Refusal> {
        let mut core = channel.lock();
        may(&core, &delivery)?;
        Ok(self.commit_locked(vhost, &mut core, vec![delivery], receipt, touched))
    }

    /// A session has done its part of an errand. After the last part, whoever asked is told.
    pub fn report(&self, errand: &Errand) {
        if !errand.was_last() {
            return;
        }
        let (session, ticket) = (errand.session, errand.ticket);
        let entry = match &errand.done {
            Done::Retired(who) => {
                let ticket = ticket.unwrap_or(crate::desk::NO_TICKET);
                Entry::Answer { session, ticket, answer: Answer::Retired(*who) }
            }
            Done::Withdrawn { of, channel } => {
                Entry::Withdraw { session, of: *of, channel: channel.clone(), then: Then::Answer(ticket) }
            }
        };
        self.push_and_wake(session.shard, entry);
    }

    fn commit_locked(
        &self,
        vhost: &VHost,
        core: &mut ChannelCore,
        mut run: Vec<Arc<Delivery>>,
        receipt: Option<&Receipt>,
        mut touched: impl FnMut(u16),
    ) -> u32 {
        core.commit(&mut run);
        self.backplane.forward(&vhost.name, &run);
        let run = match <[Arc<Delivery>; 1]>::try_from(run) {
            Ok([one]) => Run::One(one),
            Err(many) => Run::Many(many.into()),
        };
        for p in core.present() {
            self.push(p.shard, Entry::Run { slot: p.slot, run: run.clone() });
            touched(p.shard);
        }
        let members = core.members();
        if let Some(r) = receipt {
            self.give_receipt(r, members);
        }
        members
    }

    /// Hands a message to every shard of the node, in one order for all of a virtual host's broadcasts. Returns how
    /// many hear it.
    pub(crate) fn commit_broadcast(
        &self,
        vhost: &VHost,
        delivery: Delivery,
        receipt: Option<&Receipt>,
        touched: impl FnMut(u16),
    ) -> u32 {
        let mut core = lock(&vhost.everybody);
        let mut run = [Arc::new(delivery)];
        core.commit(&mut run);
        self.backplane.forward(&vhost.name, &run);
        let [delivery] = run;
        for shard in 0..self.shards() {
            self.push(shard, Entry::Broadcast { vhost: vhost.index, delivery: Arc::clone(&delivery) });
        }
        let audience = vhost.audience.load(Ordering::Relaxed);
        if let Some(r) = receipt {
            self.give_receipt(r, audience);
        }
        drop(core);
        (0..self.shards()).for_each(touched);
        audience
    }

    /// A position that no other message has, for one that is said to one session: no channel lives in epoch 0.
    pub(crate) fn number_told(&self) -> Position {
        Position { epoch: 0, offset: self.told.fetch_add(1, Ordering::Relaxed) + 1 }
    }

    fn give_receipt(&self, receipt: &Receipt, members: u32) {
        let answer = Answer::Published { members };
        let Receipt { session, ticket } = *receipt;
        self.push(session.shard, Entry::Answer { session, ticket, answer });
    }

    /// Whether the server alone lets sessions into channels of this name.
    #[must_use]
    pub fn is_assigned(&self, name: &str) -> bool {
        self.assigned.iter().any(|p| p.matches(name))
    }

    /// The channel of that name, made now if nobody has joined it yet.
    pub(crate) fn find_or_create(&self, vhost: &VHost, name: &str) -> Result<Arc<Channel>, NameError> {
        let mut bucket = vhost.bucket(name);
        if let Some(channel) = bucket.get(name) {
            return Ok(Arc::clone(channel));
        }
        let name = ChannelName::new(name)?;
        let policy = self.policies.iter().find(|p| p.pattern.matches(name.as_str()));
        let core = ChannelCore::new(self.epochs.fetch_add(1, Ordering::Relaxed));
        let core = match policy {
            Some(p) => core.with_window(p.window, p.window_bytes),
            None => core,
        };
        let slow = policy.map_or(SlowPolicy::default(), |p| p.slow);
        let channel = Arc::new(Channel { name: name.clone(), slow, core: Mutex::new(core) });
        bucket.insert(name, Arc::clone(&channel));
        Ok(channel)
    }

    /// Takes a deserted channel out of the directory, unless somebody has joined it meanwhile.
    pub(crate) fn bury(&self, vhost: &VHost, channel: &Arc<Channel>) {
        let mut bucket = vhost.bucket(channel.name.as_str());
        if channel.lock().bury() {
            bucket.remove_if(channel.name.as_str(), |c| Arc::ptr_eq(c, channel));
        }
    }

    /// Says to other nodes whether this one wants the channel's messages.
    pub(crate) fn interest(&self, vhost: &VHost, channel: &Channel, wanted: bool) {
        self.backplane.interest(&vhost.name, &channel.name, wanted);
    }

    /// Joining and leaving push their fences under the channel's lock; this is for answers that need no order
    /// but that of the inbox.
    pub(crate) fn fence(&self, session: SessionId, ticket: Option<Ticket>, fence: Fence) {
        self.push(session.shard, Entry::Fence { session, ticket, fence });
    }
}

/// A message from its draft. The position comes with the commit.
pub(crate) fn message(
    vhost: &VHost,
    channel: Option<ChannelName>,
    draft: Draft,
    publisher: Publisher,
    now: Now,
) -> Message {
    Message {
        vhost: vhost.name.clone(),
        channel,
        event: draft.event,
        payload: draft.payload,
        verbatim: draft.verbatim,
        publisher,
        position: Position::default(),
        recoverable: false,
        time_ms: now.wall_ms,
    }
}
