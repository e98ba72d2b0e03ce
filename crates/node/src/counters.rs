//! What a node counts: plain numbers on each shard, shown to the rest of the program once a turn.
//!
//! Nothing here is per message and shared: the hot path touches only its own shard's [`Counters`]. A shard alone
//! writes its part of [`Totals`], with plain stores; whoever reads sees it as it was between two turns.

use model::{CloseReason, Refusal};
use std::sync::atomic::{AtomicU64, Ordering, fence};

/// Places for dialects; those beyond share the last.
pub const DIALECTS: usize = 16;

/// Why commands were refused, in the order of their counts.
pub const RULES: [&str; 19] = [
    "not_granted",
    "assigned",
    "bad_token",
    "bad_name",
    "too_many_channels",
    "too_big",
    "too_fast",
    "not_joined",
    "not_member",
    "busy",
    "draining",
    "unknown_principal",
    "too_many_enrolments",
    "too_many_sessions",
    "has_joined",
    "bad_hook",
    "too_many_hooks",
    "unknown_vhost",
    "too_many_branches",
];

/// The statuses that refused requests are counted by; every other is in the last place.
pub const STATUSES: [u16; 17] =
    [400, 401, 403, 404, 405, 408, 411, 413, 414, 417, 426, 429, 431, 500, 501, 503, 0];

/// Upper bounds of a histogram's buckets, in microseconds; one more bucket has none.
pub const BOUNDS: [u64; 16] = [
    10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000,
    5_000_000,
];

fn rule(refusal: &Refusal) -> usize {
    match refusal {
        Refusal::NotGranted { .. } => 0,
        Refusal::Assigned => 1,
        Refusal::BadToken | Refusal::InvalidToken(_) => 2,
        Refusal::BadName(_) => 3,
        Refusal::TooManyChannels { .. } => 4,
        Refusal::TooBig { .. } => 5,
        Refusal::TooFast => 6,
        Refusal::NotJoined => 7,
        Refusal::NotMember => 8,
        Refusal::Busy => 9,
        Refusal::Draining => 10,
        Refusal::UnknownPrincipal => 11,
        Refusal::TooManyEnrolments { .. } => 12,
        Refusal::TooManySessions { .. } => 13,
        Refusal::HasJoined => 14,
        Refusal::BadHook(_) => 15,
        Refusal::TooManyHooks { .. } => 16,
        Refusal::UnknownVHost => 17,
        Refusal::TooManyBranches { .. } => 18,
    }
}

/// How long things took: a count for each of [`BOUNDS`], one for what took longer, and the sum in microseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// How many fell into each bucket, not counting those before it.
    pub buckets: [u64; BOUNDS.len() + 1],
    /// All together, in microseconds.
    pub sum: u64,
}

impl Histogram {
    /// Counts one that took so many microseconds.
    pub fn add(&mut self, micros: u64) {
        let place = BOUNDS.iter().position(|bound| micros <= *bound).unwrap_or(BOUNDS.len());
        self.buckets[place] += 1;
        self.sum += micros;
    }
}

macro_rules! counters {
    (
        numbers { $($(#[$doc:meta])* $name:ident,)* }
        lists { $($(#[$list_doc:meta])* $list:ident: $len:expr,)* }
        histograms { $($(#[$h_doc:meta])* $h:ident,)* }
    ) => {
        /// What one shard has counted since it began, or all of them together.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Counters {
            $($(#[$doc])* pub $name: u64,)*
            $($(#[$list_doc])* pub $list: [u64; $len],)*
            $($(#[$h_doc])* pub $h: Histogram,)*
        }

        impl Default for Counters {
            fn default() -> Self {
                Self { $($name: 0,)* $($list: [0; $len],)* $($h: Histogram::default(),)* }
            }
        }

        impl Counters {
            /// Every number, always in the same order.
            fn each(&mut self, mut see: impl FnMut(&mut u64)) {
                $(see(&mut self.$name);)*
                $(self.$list.iter_mut().for_each(&mut see);)*
                $(
                    self.$h.buckets.iter_mut().for_each(&mut see);
                    see(&mut self.$h.sum);
                )*
            }
        }

        /// How many numbers there are.
        const NUMBERS: usize = 0 $(+ { let _ = stringify!($name); 1 })* $(+ $len)*
            $(+ { let _ = stringify!($h); BOUNDS.len() + 2 })*;
    };
}

counters! {
    numbers {
        /// Connections accepted.
        accepted,
        /// Times that accepting paused: no descriptors, or as many connections as may be.
        pauses,
        /// Sessions that began.
        attached,
        /// Messages that got a position.
        published,
        /// Messages dropped because nobody has joined their channel.
        unheard,
        /// Runs of messages committed, each under one lock.
        runs,
        /// Messages handed to a session.
        delivered,
        /// Forms encoded.
        encoded,
        /// WebSocket messages compressed, each for all who hear it so.
        deflated,
        /// Bytes that compressed messages were inflated to.
        bytes_inflated,
        /// Writes to sockets.
        writes,
        /// Bytes the kernel took.
        bytes_out,
        /// Reads from sockets.
        reads,
        /// Bytes read.
        bytes_in,
        /// Wakes sent to other shards.
        wakes,
        /// Turns of the loop.
        turns,
        /// Commands held back because an inbox was full.
        held,
        /// Messages dropped by a slow policy.
        missed,
        /// Panics caught.
        panics,
        /// Connections turned away before there was a session, without an answer.
        rejected,
        /// Bytes that wait now for slow readers.
        pending,
    }
    lists {
        /// Sessions ended, by reason.
        closed: CloseReason::ALL.len(),
        /// Commands and credentials refused, by [`RULES`], when their sessions hear of it.
        refused: RULES.len(),
        /// Requests refused before there was a session, by [`STATUSES`].
        problems: STATUSES.len(),
        /// Sessions open now, by the dialect's place in the registry.
        sessions: DIALECTS,
    }
    histograms {
        /// From the beginning of the turn that read a message to the end of the turn that wrote it: one for each
        /// run and shard, however many members hear it.
        latency,
        /// Turns, without the wait before them.
        turn,
    }
}

impl Counters {
    /// Counts a command that a rule has refused.
    pub fn refuse(&mut self, refusal: &Refusal) {
        self.refused[rule(refusal)] += 1;
    }

    /// Counts a request that was answered with a problem before there was a session.
    pub fn refuse_request(&mut self, status: u16) {
        let last = STATUSES.len() - 1;
        self.problems[STATUSES.iter().position(|s| *s == status).unwrap_or(last)] += 1;
    }

    /// Sessions open now that this dialect serves.
    pub fn sessions_of(&mut self, dialect: u8) -> &mut u64 {
        &mut self.sessions[usize::from(dialect).min(DIALECTS - 1)]
    }
}

/// What one shard shows of its counts. The generation is odd while they change.
#[derive(Debug)]
struct Board {
    generation: AtomicU64,
    numbers: [AtomicU64; NUMBERS],
}

/// The counts of all shards, as they were at the end of each one's last turn.
#[derive(Debug)]
pub struct Totals {
    boards: Box<[Board]>,
}

impl Totals {
    /// For so many shards.
    #[must_use]
    pub fn new(shards: u16) -> Self {
        let board =
            |_| Board { generation: AtomicU64::new(0), numbers: std::array::from_fn(|_| AtomicU64::new(0)) };
        Self { boards: (0..shards).map(board).collect() }
    }

    /// Shows what a shard has counted. Only that shard calls this.
    pub fn show(&self, shard: u16, counters: &mut Counters) {
        let Some(board) = self.boards.get(usize::from(shard)) else { return };
        let generation = board.generation.load(Ordering::Relaxed);
        board.generation.store(generation + 1, Ordering::Relaxed);
        fence(Ordering::Release);
        let mut places = board.numbers.iter();
        counters.each(|n| {
            if let Some(place) = places.next() {
                place.store(*n, Ordering::Relaxed);
            }
        });
        board.generation.store(generation + 2, Ordering::Release);
    }

    /// The sums, each shard as it was between two turns.
    #[must_use]
    pub fn read(&self) -> Counters {
        let mut sum = Counters::default();
        for board in &self.boards {
            let numbers = board.read();
            let mut numbers = numbers.iter();
            sum.each(|n| *n += numbers.next().copied().unwrap_or_default());
        }
        sum
    }
}

impl Board {
    /// What its shard showed last. A shard that is interrupted while it shows is let go on: nothing it does there
    /// can wait for anybody, so this ends.
    fn read(&self) -> [u64; NUMBERS] {
        loop {
            let before = self.generation.load(Ordering::Acquire);
            let numbers = std::array::from_fn(|i| self.numbers[i].load(Ordering::Relaxed));
            fence(Ordering::Acquire);
            if before.is_multiple_of(2) && self.generation.load(Ordering::Relaxed) == before {
                return numbers;
            }
            std::thread::yield_now();
        }
    }
}

/// What became of the lines of the log. Counted by whoever writes it.
#[derive(Debug, Default)]
pub struct LogCounts {
    /// Lines that could not be written, or not soon enough.
    pub dropped: AtomicU64,
    /// Lines left out because too many of their kind came in a second.
    pub suppressed: AtomicU64,
}

impl LogCounts {
    /// Nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { dropped: AtomicU64::new(0), suppressed: AtomicU64::new(0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::NameError;

    #[test]
    fn what_is_shown_is_what_was_counted() {
        let totals = Totals::new(2);
        let mut c = Counters { attached: 3, ..Counters::default() };
        c.closed[CloseReason::Kicked.index()] = 2;
        c.latency.add(7);
        c.turn.add(u64::MAX / 4);
        *c.sessions_of(200) += 1;
        totals.show(0, &mut c);
        assert_eq!(totals.read(), c);
        totals.show(0, &mut c);
        assert_eq!(totals.read(), c, "showing is not adding");
        totals.show(1, &mut c);
        assert_eq!((totals.read().attached, totals.read().sessions[DIALECTS - 1]), (6, 2));
    }

    #[test]
    fn a_reader_sees_no_half_of_a_turn() {
        let totals = Totals::new(1);
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut c = Counters::default();
                for n in 0..100_000 {
                    (c.accepted, c.turn.sum) = (n, n);
                    totals.show(0, &mut c);
                }
                done.store(true, Ordering::Relaxed);
            });
            while !done.load(Ordering::Relaxed) {
                let c = totals.read();
                assert_eq!(c.accepted, c.turn.sum);
            }
        });
    }

    #[test]
    fn buckets_hold_what_they_say() {
        let mut h = Histogram::default();
        [0, 10, 11, 5_000_000, 5_000_001].into_iter().for_each(|n| h.add(n));
        assert_eq!((h.buckets[0], h.buckets[1], h.buckets[15], h.buckets[16]), (2, 1, 1, 1));
        assert!(BOUNDS.is_sorted());
    }

    #[test]
    fn every_rule_has_its_place() {
        let all = [
            Refusal::NotGranted { right: "READ" },
            Refusal::Assigned,
            Refusal::BadToken,
            Refusal::BadName(NameError::Empty),
            Refusal::TooManyChannels { max: 1 },
            Refusal::TooBig { max: 1 },
            Refusal::TooFast,
            Refusal::NotJoined,
            Refusal::NotMember,
            Refusal::Busy,
            Refusal::Draining,
            Refusal::UnknownPrincipal,
            Refusal::TooManyEnrolments { max: 1 },
            Refusal::TooManySessions { max: 1 },
            Refusal::HasJoined,
            Refusal::BadHook("why".into()),
            Refusal::TooManyHooks { max: 1, of: "host" },
            Refusal::UnknownVHost,
            Refusal::TooManyBranches { max: 1 },
        ];
        let mut c = Counters::default();
        all.iter().for_each(|r| c.refuse(r));
        assert_eq!(c.refused, [1; RULES.len()]);
    }

    #[test]
    fn statuses_nobody_thought_of_are_counted_too() {
        let mut c = Counters::default();
        [400, 404, 418, 599].into_iter().for_each(|s| c.refuse_request(s));
        assert_eq!((c.problems[0], c.problems[3], c.problems[STATUSES.len() - 1]), (1, 1, 2));
    }
}
