//! A shard's inbox: what the other shards, and it itself, have for it, in the order it was committed.
//!
//! Knows how full it is and when its shard sleeps. Does not know what its shard does with an entry.
//! LOCK: an inbox is pushed to under a channel's lock, and nothing is locked under an inbox's.

use crate::enrolment::Proof;
use crate::hooks::News;
use crate::sync::{AtomicBool, AtomicUsize, Mutex, MutexGuard, Ordering};
use dialect::ChannelCount;
use model::{ChannelName, Delivery, Limits, Position, Principal, PrincipalId, Refusal, SessionId, Ticket};
use std::collections::VecDeque;
use std::sync::{Arc, OnceLock, PoisonError};

/// Messages that were published one after the other to one channel, shared by the shards that have members.
#[derive(Clone, Debug)]
pub enum Run {
    /// The usual case without bursts.
    One(Arc<Delivery>),
    /// A burst.
    Many(Arc<[Arc<Delivery>]>),
}

impl Run {
    /// The messages, in order.
    #[must_use]
    pub fn deliveries(&self) -> &[Arc<Delivery>] {
        match self {
            Self::One(d) => std::slice::from_ref(d),
            Self::Many(run) => run,
        }
    }

    fn weight(&self) -> usize {
        self.deliveries().iter().map(|d| d.weight()).sum()
    }
}

/// A change of membership at its place in the order: what stands before it in the inbox was published before.
#[derive(Debug)]
pub enum Fence {
    /// The session hears from here.
    Joined {
        /// The channel's place in the roster.
        slot: u32,
        /// At the moment of joining.
        position: Position,
        /// Whether `replay` is all there was; `None` when nothing was asked for.
        recovered: Option<bool>,
        /// What the window held, to be delivered first.
        replay: Vec<Arc<Delivery>>,
    },
    /// The session was a member already; an answer at its place, nothing else.
    StillJoined {
        /// The channel's place in the roster.
        slot: u32,
        /// At the moment of asking.
        position: Position,
    },
    /// The session hears nothing further.
    Left {
        /// The channel's place in the roster; `None` when it was no member.
        slot: Option<u32>,
        /// The name it used.
        channel: Box<str>,
    },
}

/// What a session is told besides messages and memberships.
#[derive(Debug)]
pub enum Answer {
    /// The principal, at once.
    Admitted(Result<Arc<Principal>, Refusal>),
    /// The principal, which was named and not proved.
    Named(Arc<Principal>),
    /// The principal, from an authority that took its time. Heard only while somebody waits for it.
    Late(Result<Arc<Principal>, Refusal>),
    /// The new principal, and what proves it.
    Enrolled(Arc<Principal>, Proof),
    /// The principal of this address is enrolled no more, and its other sessions have ended.
    Retired(PrincipalId),
    /// All that were named have joined.
    Checked,
    /// The message has its position.
    Published {
        /// Members on this node.
        members: u32,
    },
    /// The session without a link that was asked for exists.
    Spawned(SessionId),
    /// The branch that was asked for exists.
    Branched(SessionId),
    /// A page of channels.
    Channels {
        /// The page.
        page: Vec<ChannelCount>,
        /// Where the next begins.
        next: Option<u32>,
    },
    /// What has become of a hook that was asked for.
    Hook(News),
    /// No.
    Refused(Refusal),
}

/// What is asked of several sessions on several shards: it is done when the last of them has done its part.
#[derive(Debug)]
pub struct Errand {
    /// Who asked.
    pub(crate) session: SessionId,
    pub(crate) ticket: Option<Ticket>,
    /// What it comes to.
    pub(crate) done: Done,
    parts: AtomicUsize,
}

/// What an errand comes to.
#[derive(Debug)]
pub(crate) enum Done {
    /// The other sessions of a principal that has retired have ended.
    Retired(PrincipalId),
    /// The other sessions of the principal have left the channel.
    Withdrawn { of: PrincipalId, channel: ChannelName },
}

impl Errand {
    pub(crate) fn new(session: SessionId, ticket: Option<Ticket>, done: Done, parts: usize) -> Arc<Self> {
        Arc::new(Self { session, ticket, done, parts: AtomicUsize::new(parts) })
    }

    /// One part is done. `true`: no other is left.
    pub(crate) fn was_last(&self) -> bool {
        self.parts.fetch_sub(1, Ordering::AcqRel) == 1
    }
}

/// What follows when a session has been withdrawn from a channel.
#[derive(Debug)]
pub enum Then {
    /// It is told; then one part of this is done.
    Report(Arc<Errand>),
    /// It asked for that itself, and all others are out: its answer.
    Answer(Option<Ticket>),
}

/// What an entry weighs that carries no message.
const CONTROL: usize = 192;

/// One thing a shard is to do.
#[derive(Debug)]
pub enum Entry {
    /// Messages for the members of a channel.
    Run {
        /// The channel's place in this shard's roster.
        slot: u32,
        /// The messages.
        run: Run,
    },
    /// A message for every session of a virtual host.
    Broadcast {
        /// Which.
        vhost: u16,
        /// The message.
        delivery: Arc<Delivery>,
    },
    /// A message for one session.
    Tell {
        /// Which.
        session: SessionId,
        /// Its virtual host.
        vhost: u16,
        /// The message.
        delivery: Arc<Delivery>,
        /// Who is told whether it was there, under which ticket.
        asked: Option<(SessionId, Ticket)>,
    },
    /// A change of membership.
    Fence {
        /// Whose.
        session: SessionId,
        /// For the answer.
        ticket: Option<Ticket>,
        /// What.
        fence: Fence,
    },
    /// An answer.
    Answer {
        /// For whom.
        session: SessionId,
        /// To what.
        ticket: Ticket,
        /// The answer.
        answer: Answer,
    },
    /// The principal of a session has retired.
    Kick {
        /// Which session.
        session: SessionId,
        /// For whom it acted when this was asked; it may have ceased to.
        of: PrincipalId,
        /// A part of this.
        errand: Arc<Errand>,
    },
    /// The principal of a session leaves a channel, with all its sessions.
    Withdraw {
        /// Which session.
        session: SessionId,
        /// For whom it acted when this was asked; it may have ceased to.
        of: PrincipalId,
        /// Where.
        channel: ChannelName,
        /// What follows.
        then: Then,
    },
    /// No member is left on this shard and no message is on its way: the channel's place can be given back.
    Vacate {
        /// The channel's place in this shard's roster.
        slot: u32,
    },
    /// The server stops: accept nothing, say goodbye to everybody.
    Drain,
}

impl Entry {
    /// What counts towards the inbox's fullness, about its memory in bytes. Every entry gets through; what asks for
    /// more of them is held back while the inbox is full.
    #[must_use]
    pub fn weight(&self) -> usize {
        match self {
            Self::Run { run, .. } => run.weight(),
            Self::Broadcast { delivery, .. } | Self::Tell { delivery, .. } => delivery.weight(),
            Self::Answer { answer: Answer::Channels { page, .. }, .. } => {
                CONTROL + page.len() * size_of::<ChannelCount>()
            }
            Self::Fence { .. }
            | Self::Answer { .. }
            | Self::Kick { .. }
            | Self::Withdraw { .. }
            | Self::Vacate { .. }
            | Self::Drain => CONTROL,
        }
    }
}

/// What pulls a sleeping shard out of its wait.
pub type Wake = Box<dyn Fn() + Send + Sync>;

/// Entries an inbox keeps room for.
const KEEP: usize = 1024;

/// The inbox of one shard.
#[derive(Default)]
pub struct Inbox {
    queue: Mutex<VecDeque<Entry>>,
    /// Weight of what has been pushed and not been finished. BOUND: publishers are held above `inbox_high`.
    weight: AtomicUsize,
    full: AtomicBool,
    sleeping: AtomicBool,
    wake: OnceLock<Wake>,
}

impl Inbox {
    /// Says how to wake the shard. Once, before the shard first sleeps.
    pub fn set_wake(&self, wake: Wake) {
        // A second shard on the same inbox would be a fault of the wiring; the first keeps it.
        drop(self.wake.set(wake));
    }

    /// Adds an entry. The caller sees to it that the shard is woken, once it holds no lock.
    pub(crate) fn push(&self, entry: Entry, limits: &Limits, congested: &AtomicUsize) {
        let weight = entry.weight();
        if weight > 0 {
            let before = self.weight.fetch_add(weight, Ordering::Relaxed);
            if before + weight >= limits.inbox_high && !self.full.swap(true, Ordering::Relaxed) {
                congested.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.lock().push_back(entry);
    }

    /// Moves everything that waits to the end of `into`.
    pub fn take(&self, into: &mut VecDeque<Entry>) {
        let mut queue = self.lock();
        if into.is_empty() {
            // A burst's memory is given back.
            into.shrink_to(KEEP);
            std::mem::swap(&mut *queue, into);
        } else {
            into.append(&mut queue);
        }
    }

    /// Notes that an entry of this weight has been dealt with. `true`: publishers that were held can go on.
    pub(crate) fn finish(&self, weight: usize, limits: &Limits, congested: &AtomicUsize) -> bool {
        let before = self.weight.fetch_sub(weight, Ordering::Relaxed);
        if before - weight <= limits.inbox_low && self.full.load(Ordering::Relaxed) {
            self.full.store(false, Ordering::Relaxed);
            congested.fetch_sub(1, Ordering::Relaxed);
            return true;
        }
        false
    }

    /// Whether publishers to this shard are to be held.
    pub(crate) fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Bytes of what has been pushed and not been finished, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.weight.load(Ordering::Relaxed)
    }

    /// Announces that the shard is about to sleep. `false`: something has come, it must not.
    ///
    /// Whoever pushes before this looks is seen; whoever pushes after finds the announcement, and wakes.
    pub fn may_sleep(&self) -> bool {
        self.announce(true);
        if self.lock().is_empty() {
            return true;
        }
        self.announce(false);
        false
    }

    /// Announces that the shard is awake.
    pub fn is_awake(&self) {
        self.announce(false);
    }

    /// Wakes the shard if it sleeps. `true` when that took a wake.
    pub fn ring(&self) -> bool {
        let asleep = self.announce(false);
        if asleep && let Some(wake) = self.wake.get() {
            wake();
        }
        asleep
    }

    /// Says whether the shard sleeps, and what was said before. Always a swap: each follows the one before it, so
    /// that whoever announces knows what was pushed before the ring it follows. As costly as a store where it counts.
    fn announce(&self, asleep: bool) -> bool {
        self.sleeping.swap(asleep, Ordering::SeqCst)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Entry>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
