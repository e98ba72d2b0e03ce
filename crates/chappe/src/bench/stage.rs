//! What the streams of a run without sockets share: what they say, how far they are, and who waits for what.
//!
//! Each shard counts in a place of its own that nobody else writes, so that counting costs no shared write.

use super::speech;
use super::stamp::{self, Stamp};
use super::work::{Kind, Work};
use crate::cli::Tongue;
use carrier::websocket::{self, Opcode};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What the run is doing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Debug)]
#[repr(u8)]
pub(super) enum Phase {
    /// Members come in.
    Joining,
    /// Publishers publish.
    Speaking,
    /// What is on its way arrives.
    Settling,
    /// The threads end.
    Over,
}

/// A count that one thread writes and all may read. Alone on its cache lines.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Tally {
    /// Members that have been acknowledged.
    joined: AtomicU64,
    /// Messages handed to the server.
    published: AtomicU64,
    /// Bytes that members have been written since all have joined.
    bytes: AtomicU64,
    /// Writes to members since then.
    writes: AtomicU64,
}

/// Sums of all tallies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) published: u64,
    pub(super) delivered: u64,
    pub(super) writes: u64,
}

/// A bell that somebody may sleep at.
#[derive(Debug, Default)]
pub(super) struct Bell {
    rung: Mutex<bool>,
    sound: Condvar,
}

impl Bell {
    pub(super) fn ring(&self) {
        *self.lock() = true;
        self.sound.notify_all();
    }

    /// Sleeps until it rings, no longer than `timeout`, and clears it. Whether it rang.
    pub(super) fn wait(&self, timeout: Option<Duration>) -> bool {
        let timeout = timeout.unwrap_or(Duration::from_secs(3600));
        let waited = self.sound.wait_timeout_while(self.lock(), timeout, |rung| !*rung);
        let (mut rung, _) = waited.unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *rung, false)
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        self.rung.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What all streams share.
pub(super) struct Stage {
    pub(super) work: Work,
    phase: AtomicU8,
    /// One for each shard, then one for each publishing thread.
    tallies: Vec<Tally>,
    /// What a publishing connection says to each room: a masked frame; all are equally long.
    frames: Vec<u8>,
    pub(super) frame_len: usize,
    /// Bytes of a delivery on a member's wire.
    delivery_len: u64,
    /// Messages after which publishers fall silent.
    most: u64,
    /// Heard by whoever leads the run.
    pub(super) done: Bell,
    /// One for each shard.
    pub(super) bells: Vec<Bell>,
    /// Publishers wait for the window.
    starved: AtomicBool,
}

impl Stage {
    /// A stage for these shards and publishing threads. Publishers stop after `most` messages.
    pub(super) fn new(work: Work, shards: u16, threads: u16, most: u64) -> Self {
        let mut frames = Vec::new();
        for room in 0..work.rooms {
            speech::mask(&mut frames, &text(room, work.size));
        }
        let mut delivery = Vec::new();
        websocket::frame(&mut delivery, Opcode::Text, &text(0, work.size));
        Self {
            phase: AtomicU8::new(Phase::Joining as u8),
            tallies: (0..shards + threads).map(|_| Tally::default()).collect(),
            frame_len: frames.len() / (work.rooms as usize).max(1),
            frames,
            delivery_len: delivery.len() as u64,
            most,
            done: Bell::default(),
            bells: (0..shards).map(|_| Bell::default()).collect(),
            starved: AtomicBool::new(false),
            work,
        }
    }

    pub(super) fn is(&self, phase: Phase) -> bool {
        self.phase.load(Ordering::Acquire) == phase as u8
    }

    /// Begins a phase and wakes everybody.
    pub(super) fn begin(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Release);
        self.bells.iter().for_each(Bell::ring);
    }

    /// Waits until something has come to pass, no longer than `patience` for each ring. Whether it has.
    pub(super) fn wait_until(&self, patience: Duration, has_come: impl Fn(&Self) -> bool) -> bool {
        // A ring may be left over from what came to pass before.
        while !has_come(self) {
            if !self.done.wait(Some(patience)) {
                return has_come(self);
            }
        }
        true
    }

    /// Whether every member has joined.
    pub(super) fn all_joined(&self) -> bool {
        self.joined() >= u64::from(self.work.sessions)
    }

    /// Whether all that will be published has been, and has arrived.
    pub(super) fn all_arrived(&self) -> bool {
        let sums = self.sums();
        let all_said = sums.published >= self.most || self.is(Phase::Settling);
        all_said && sums.delivered >= sums.published * u64::from(self.work.members)
    }

    /// What a publishing connection says to the room.
    pub(super) fn frame(&self, room: u32) -> &[u8] {
        let start = room as usize * self.frame_len;
        self.frames.get(start..start + self.frame_len).unwrap_or_default()
    }

    /// A member of that shard is where it should be.
    pub(super) fn note_joined(&self, shard: u16) {
        self.note(shard, |t| &t.joined, 1);
    }

    /// A member of that shard was written so many bytes.
    pub(super) fn note_written(&self, shard: u16, bytes: usize) {
        if !self.is(Phase::Joining) {
            self.note(shard, |t| &t.writes, 1);
            self.note(shard, |t| &t.bytes, bytes as u64);
        }
    }

    /// The publisher with that place has handed in so many messages.
    pub(super) fn note_published(&self, place: u16, messages: u64) {
        self.note(place, |t| &t.published, messages);
    }

    /// PERF: the place has one writer, so a load and a store do without a locked instruction.
    fn note(&self, place: u16, which: fn(&Tally) -> &AtomicU64, more: u64) {
        if let Some(tally) = self.tallies.get(usize::from(place)) {
            let count = which(tally);
            count.store(count.load(Ordering::Relaxed) + more, Ordering::Relaxed);
        }
    }

    fn sum(&self, which: fn(&Tally) -> &AtomicU64) -> u64 {
        self.tallies.iter().map(|t| which(t).load(Ordering::Relaxed)).sum()
    }

    pub(super) fn joined(&self) -> u64 {
        self.sum(|t| &t.joined)
    }

    pub(super) fn sums(&self) -> Sums {
        let delivered = self.sum(|t| &t.bytes) / self.delivery_len.max(1);
        Sums { published: self.sum(|t| &t.published), delivered, writes: self.sum(|t| &t.writes) }
    }

    /// How many messages a publisher may hand in now.
    pub(super) fn credit(&self) -> u64 {
        if !self.is(Phase::Speaking) {
            return 0;
        }
        let Sums { published, delivered, .. } = self.sums();
        let arrived = delivered / u64::from(self.work.members.max(1));
        let window = u64::from(self.work.window);
        (window + arrived).saturating_sub(published).min(self.most.saturating_sub(published))
    }

    /// Whether a publisher may hand in a whole burst.
    pub(super) fn may_speak(&self) -> bool {
        let burst = u64::from(self.work.burst);
        let credit = self.credit();
        credit >= burst || (credit > 0 && self.sums().published + credit >= self.most)
    }

    /// A publisher is about to sleep until there is credit again.
    pub(super) fn starve(&self) {
        self.starved.store(true, Ordering::SeqCst);
    }

    /// Sees whether somebody waits for what has come to pass meanwhile. Called once in each turn of a shard.
    pub(super) fn look(&self) {
        if self.is(Phase::Joining) {
            if self.all_joined() {
                self.done.ring();
            }
            return;
        }
        if self.all_arrived() {
            self.done.ring();
        }
        if self.starved.load(Ordering::SeqCst)
            && self.may_speak()
            && self.starved.swap(false, Ordering::SeqCst)
        {
            self.bells.iter().for_each(Bell::ring);
        }
    }

    /// Whether members publish, each in its own room.
    pub(super) fn members_speak(&self) -> bool {
        self.work.kind == Kind::Pairs && !self.threads_speak()
    }

    /// Whether one connection publishes that is no member.
    pub(super) fn one_speaks(&self) -> bool {
        matches!(self.work.kind, Kind::Fan | Kind::Rooms) && !self.threads_speak()
    }

    /// Whether threads publish, and nobody else.
    fn threads_speak(&self) -> bool {
        self.tallies.len() > self.bells.len()
    }
}

/// The same for every message to the room: nobody reads it.
pub(super) fn text(room: u32, size: usize) -> Vec<u8> {
    let mut text = Vec::new();
    stamp::write(
        &mut text,
        &stamp::prefix(&stamp::room(Tongue::Rooms, 0, room)),
        Stamp { number: 0, at: 0 },
        size,
    );
    text
}
