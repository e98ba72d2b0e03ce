//! The shard: one thread's loop, and everything it owns. One [`Shard::turn`] is the whole story.
//!
//! Events, reads, what conversations ask for, wakes, the own inbox, expansion, flush, timers: in this order,
//! each bounded. What does not fit goes on in the next turn, which then does not wait. Nothing here blocks,
//! locks for long, or reads a clock: the network is an argument, and it tells the time.
//!
//! * `accept`: connections come in
//! * `datagrams`: datagrams do
//! * `meet`: who they are, while nobody knows
//! * `read`: bytes become frames
//! * `inflate`: those that are compressed become messages
//! * `request`: HTTP requests find their dialect
//! * `talk`: conversations are called, their turns applied
//! * `answers`: and told what became of their commands
//! * `related`: sessions without a link, and what is asked of all sessions of a principal
//! * `expand`: deliveries become stretches of the arena
//! * `recovery`: and are kept for those who may come back
//! * `hooks`: or go to those who post them
//! * `outgoing`: stretches become writes
//! * `end`: links and sessions end
//! * `tick`: deadlines

mod accept;
mod answers;
mod branches;
mod datagrams;
mod end;
mod expand;
mod expiry;
mod hooks;
mod inflate;
mod meet;
mod outgoing;
mod read;
mod recovery;
mod related;
mod request;
mod talk;
mod tick;

use crate::door::{Doors, HandedOver};
use crate::http1::date::Date;
use crate::ledger::Ledger;
use crate::link::{Link, Speech};
use crate::net::{Net, Ready};
use crate::rules::Rules;
use crate::session::{Session, identified};
use crate::websocket::{Deflater, Inflater};
use crate::wheel::{Timer, Wheel};
use crate::wiring::{Speak, Wiring};
use dialect::Turn;
use hashbrown::{DefaultHashBuilder, HashTable};
use hub::{Allowance, Lane, Log};
use inflate::{Long, Share};
use model::{CloseReason, Form, Framing, Limits, LinkId, Now, SessionId, Time};
use node::{Counters, Desk, Entry, Exchange};
use outgoing::Outgoing;
use slab::Slab;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// The buffer that every link is read into.
const SCRATCH: usize = 64 << 10;
/// Writes, and bytes written, of one turn before the network is looked at again.
const WRITES: usize = 2048;
const WRITTEN: u64 = 8 << 20;
/// What the arena may hold before reading waits for the flush.
const ARENA_FULL: usize = 4 << 20;
/// How long a shard that holds publishers sleeps at most, in case a wake is missed.
const HELD_WAIT: Duration = Duration::from_millis(5);
/// A turn longer than this is logged; in microseconds.
const SLOW_TURN: u64 = 100_000;

/// One thread and the sessions it owns.
pub struct Shard<N: Net> {
    net: N,
    now: Now,
    exchange: Arc<Exchange>,
    /// The rules as they were last seen, and which edition that is.
    rules: Arc<Rules>,
    edition: u64,
    /// Of the rules, in an allocation of this shard's own.
    limits: Arc<Limits>,
    wiring: Arc<Wiring>,
    doors: Arc<Doors<N::Stream>>,
    /// The shard's side of the hub.
    desk: Desk,
    links: Slab<Link>,
    sessions: Slab<Session>,
    /// Counts links and sessions, so that no two in the same place look the same.
    births: u32,
    out: Outgoing<N::Stream>,
    /// Forms in use here; a session's lane is its form's place plus one.
    lanes: Vec<(&'static Form, Framing)>,
    entries: VecDeque<Entry>,
    /// How many messages of the first entry have been expanded already.
    front_done: usize,
    /// Where the arena's present slice ends, and how many members have been looked at for it.
    slice_end: usize,
    handed: usize,
    scratch: Vec<u8>,
    /// Makes messages smaller, for those who agreed to it, and whole again.
    deflater: Deflater,
    inflater: Inflater,
    /// What has been inflated for the link that is being read.
    share: Share,
    /// The message that is inflated in slices, and whether this turn has had its slice.
    long: Long,
    has_sliced: bool,
    events: Vec<Ready>,
    /// Links that have more to be read, though nobody will report it.
    ready: VecDeque<u32>,
    /// Sessions with a turn that met a full inbox.
    held: Vec<u32>,
    /// What the exchange said of relief when they were last tried.
    relieved: usize,
    /// The link whose request is being told: only that one can be handed over.
    telling: Option<u32>,
    /// Lanes whose form could not be written, and how many messages that concerns.
    failed: Vec<(Lane, u64)>,
    /// Links that broke while something else was being done.
    /// Without a reason their readers are too slow.
    broken: Vec<(LinkId, Option<CloseReason>)>,
    /// Turns to be used again.
    turns: Vec<Turn>,
    wheel: Wheel,
    /// When windows were last swept.
    swept: Time,
    due: Vec<Timer>,
    /// Links of datagram peers, by port and address, which the links know.
    addresses: HashTable<u32>,
    hasher: DefaultHashBuilder,
    /// Ports that may have more waiting than was taken, and since when, if the system refused.
    open_ports: Vec<u16>,
    /// Until when nobody is accepted, because the system had no descriptors left.
    accept_again: Option<Time>,
    /// How many connections may still be accepted this second.
    accepting: Allowance,
    /// What responses say of the time.
    date: Date,
    /// What addresses may still publish.
    ledger: Ledger,
    /// Steps of handshakes in this turn.
    handshakes: u32,
    /// Whether that has been said; accepting somebody ends the episode.
    told_of_rest: bool,
    /// When the messages set out whose deliveries this turn has expanded, one for each run.
    expanded: Vec<u64>,
    /// A link on its way to another shard, until what was read from it is known.
    leaving: Option<Box<HandedOver<N::Stream>>>,
    /// How often the link that is being told something has been handed on with it.
    hops: u8,
    /// What has been handed out to sessions that may come back for it. BOUND: `recovery_bytes`, and this age.
    log: Log,
    log_age: Duration,
    draining: Option<Draining>,
}

/// What a turn may have been long about.
#[derive(Clone, Copy)]
struct Work {
    reads: u64,
    delivered: u64,
    writes: u64,
    bytes_out: u64,
    attached: u64,
}

impl Work {
    fn of(c: &Counters) -> Self {
        let Counters { reads, delivered, writes, bytes_out, attached, .. } = *c;
        Self { reads, delivered, writes, bytes_out, attached }
    }

    fn since(self, before: Self) -> Self {
        Self {
            reads: self.reads - before.reads,
            delivered: self.delivered - before.delivered,
            writes: self.writes - before.writes,
            bytes_out: self.bytes_out - before.bytes_out,
            attached: self.attached - before.attached,
        }
    }
}

/// Goodbyes that are being said.
struct Draining {
    left: Vec<SessionId>,
    per_step: usize,
    /// When the next goodbyes are due.
    next: Time,
    /// When links end whose peers have not taken their goodbye.
    until: Time,
}

impl<N: Net> Shard<N> {
    /// A shard with nobody in it.
    #[must_use]
    pub fn new(
        net: N,
        shard: u16,
        exchange: Arc<Exchange>,
        wiring: Arc<Wiring>,
        doors: Arc<Doors<N::Stream>>,
    ) -> Self {
        let now = net.now();
        let edition = wiring.rulebook.edition();
        let rules = wiring.rulebook.rules();
        let limits = Arc::new(rules.limits.clone());
        let mut desk = Desk::new(shard, Arc::clone(&exchange));
        desk.limits = Arc::clone(&limits);
        Self {
            net,
            now,
            desk,
            rules,
            edition,
            limits,
            exchange,
            wiring,
            doors,
            links: Slab::new(),
            sessions: Slab::new(),
            births: 0,
            out: Outgoing::default(),
            lanes: Vec::new(),
            entries: VecDeque::new(),
            front_done: 0,
            slice_end: 0,
            handed: 0,
            scratch: vec![0; SCRATCH],
            deflater: Deflater::default(),
            inflater: Inflater::default(),
            share: Share::default(),
            long: Long::default(),
            has_sliced: false,
            events: Vec::new(),
            ready: VecDeque::new(),
            held: Vec::new(),
            relieved: 0,
            telling: None,
            failed: Vec::new(),
            broken: Vec::new(),
            turns: Vec::new(),
            wheel: Wheel::new(now.time),
            swept: now.time,
            due: Vec::new(),
            addresses: HashTable::default(),
            hasher: DefaultHashBuilder::default(),
            open_ports: Vec::new(),
            accept_again: None,
            accepting: Allowance::default(),
            date: Date::default(),
            ledger: Ledger::default(),
            handshakes: 0,
            told_of_rest: false,
            expanded: Vec::new(),
            leaving: None,
            hops: 0,
            log: Log::default(),
            log_age: Duration::ZERO,
            draining: None,
        }
    }

    /// Runs until the server has drained and the last link is gone.
    ///
    /// # Errors
    /// When the system refuses to wait for events: the shard cannot go on.
    pub fn run(mut self) -> io::Result<()> {
        while !self.is_drained() {
            self.turn()?;
        }
        Ok(())
    }

    /// Whether goodbye has been said to everybody, and everybody is gone.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.draining.as_ref().is_some_and(|d| d.left.is_empty())
            && self.sessions.is_empty()
            && self.links.is_empty()
            && self.doors.is_empty(self.desk.shard)
    }

    /// The network, for those who drive it.
    pub fn net_mut(&mut self) -> &mut N {
        &mut self.net
    }

    /// How many sessions there are.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// Whether the next turn has something to do, whatever the network and the clock say.
    #[must_use]
    pub fn has_work(&self) -> bool {
        let shard = self.desk.shard;
        self.is_busy() || !self.exchange.inbox(shard).is_empty() || !self.doors.is_empty(shard)
    }

    /// Whether there is something to be done without waiting for the network.
    fn is_busy(&self) -> bool {
        let inside = !self.entries.is_empty() || !self.out.is_flushed();
        let ending = !self.broken.is_empty();
        inside || self.may_take() || ending || !self.ready.is_empty() || self.may_retry()
    }

    /// Whether a full inbox has become less full since the held publishers were last tried.
    fn may_retry(&self) -> bool {
        !self.held.is_empty() && self.exchange.relieved() != self.relieved
    }

    /// One turn of the loop.
    ///
    /// # Errors
    /// When the system refuses to wait for events.
    pub fn turn(&mut self) -> io::Result<()> {
        self.wait()?;
        let before = Work::of(&self.desk.counters);
        self.desk.counters.turns += 1;
        self.handshakes = 0;
        self.has_sliced = false;
        if self.wiring.rulebook.edition() != self.edition {
            self.adopt_rules();
        }
        self.take_events();
        self.accept_more();
        self.receive_parcels();
        self.read_ready();
        self.retry_held();
        self.desk.commit();
        self.desk.ring();
        self.exchange.inbox(self.desk.shard).take(&mut self.entries);
        self.expand();
        self.flush();
        self.mend();
        self.tick();
        self.say_goodbyes();
        // What timers and endings asked for goes the same way as everything else.
        self.desk.commit();
        self.desk.ring();
        self.desk.counters.writes += self.net.push_datagrams();
        self.measure(before);
        Ok(())
    }

    /// Waits for the network, unless there is something to do already.
    fn wait(&mut self) -> io::Result<()> {
        let inbox = self.exchange.inbox(self.desk.shard);
        let parcels = || !self.doors.is_empty(self.desk.shard);
        let busy = self.is_busy() || !inbox.may_sleep() || parcels() || self.may_retry();
        let timeout = if busy {
            Some(Duration::ZERO)
        } else {
            let timer = self.wheel.wait(self.now.time);
            let held = (!self.held.is_empty()).then_some(HELD_WAIT);
            let accept = self.accept_again.map(|at| at.since(self.now.time).max(HELD_WAIT));
            let goodbyes = self.draining.as_ref().map(|_| tick::DRAIN_STEP);
            let sweep = (self.desk.shard == 0).then_some(tick::SWEEP);
            timer.into_iter().chain(sweep).chain(held).chain(accept).chain(goodbyes).min()
        };
        let waited = self.net.wait(timeout, &mut self.events);
        self.exchange.inbox(self.desk.shard).is_awake();
        self.now = self.net.now();
        self.desk.began = self.net.micros();
        waited
    }

    /// Takes the time of the turn, and of what it delivered, and shows what has been counted.
    fn measure(&mut self, before: Work) {
        let (began, ended) = (self.desk.began, self.net.micros());
        let counters = &mut self.desk.counters;
        self.expanded.drain(..).for_each(|set_out| counters.latency.add(ended.saturating_sub(set_out)));
        let took = ended.saturating_sub(began);
        counters.turn.add(took);
        counters.pending = self.out.pending as u64;
        self.exchange.totals.show(self.desk.shard, counters);
        if took > SLOW_TURN {
            let Work { reads, delivered, writes, bytes_out, attached } = Work::of(counters).since(before);
            tracing::warn!(
                shard = self.desk.shard,
                ms = took / 1000,
                reads,
                delivered,
                writes,
                bytes_out,
                attached,
                "a slow turn: whoever else this shard serves has waited for it"
            );
        }
    }

    fn take_events(&mut self) {
        let mut events = std::mem::take(&mut self.events);
        for event in events.drain(..) {
            match event {
                Ready::Stream { slot, readable, writable, ended, gone } => {
                    if ended && let Some(link) = self.links.get_mut(slot as usize) {
                        (link.ended, link.gone) = (true, gone);
                    }
                    if writable {
                        self.write_more(slot);
                    }
                    if readable {
                        self.read_link(slot);
                        self.notice_end(slot);
                    }
                }
                Ready::Port(port) => self.open_port(port),
            }
        }
        self.events = events;
    }

    /// Reads links that have more, each once.
    fn read_ready(&mut self) {
        for _ in 0..self.ready.len() {
            let Some(slot) = self.ready.pop_front() else { return };
            if let Some(link) = self.links.get_mut(slot as usize) {
                link.ready = false;
                self.read_link(slot);
                self.notice_end(slot);
            }
        }
    }

    /// Lets turns go on that met a full inbox.
    fn retry_held(&mut self) {
        self.relieved = self.exchange.relieved();
        for slot in std::mem::take(&mut self.held) {
            self.resume_held(slot);
        }
    }

    /// The rules have changed. Who may not stay under the new ones is told so.
    fn adopt_rules(&mut self) {
        self.edition = self.wiring.rulebook.edition();
        self.rules = self.wiring.rulebook.rules();
        self.limits = Arc::new(self.rules.limits.clone());
        self.desk.limits = Arc::clone(&self.limits);
        let falls = |s: &Session| s.principal.as_ref().is_some_and(|p| !self.stands(p));
        let all = identified(&self.sessions, self.desk.shard);
        // A token that is taken back ends before its time, as it would have later.
        let ends = |s: &Session| s.principal.as_ref().is_some_and(|p| p.role.pass.is_some());
        let reason = |s: &Session| if ends(s) { CloseReason::Expired } else { CloseReason::Unauthorized };
        let fallen: Vec<_> = all.filter(|(_, s)| falls(s)).map(|(id, s)| (id, reason(s))).collect();
        for (id, reason) in fallen {
            if self.session(id).is_some() {
                self.dismiss(id, reason);
            }
        }
        // Who might have stayed without authenticating perhaps may not any more.
        let lasting = |l: &Link| !matches!(l.speech, Speech::Http(_) | Speech::Closing);
        let links = self.links.iter().filter(|(_, l)| lasting(l));
        let links: Vec<_> = links.filter_map(|(slot, _)| u32::try_from(slot).ok()).collect();
        links.into_iter().for_each(|slot| self.limit_stranger(slot));
    }

    fn birth(&mut self) -> u32 {
        self.births = self.births.wrapping_add(1);
        self.births
    }
}
