//! What waits to be posted to one hook: in order, with bounds, tried again after longer and longer pauses.
//!
//! Pure: the time and the dice are arguments. Knows nothing of connections.

use bytes::Bytes;
use model::Time;
use std::collections::VecDeque;
use std::time::Duration;

/// What a body weighs besides its bytes.
const WEIGHT: usize = 128;

/// How a queue behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueRules {
    /// Bodies that may wait, the one under way included.
    pub messages: usize,
    /// Bytes they may have together, with some for each.
    pub bytes: usize,
    /// How old a body may become before it is given up.
    pub max_age: Duration,
    /// The longest pause after the first failure; each that follows doubles it.
    pub backoff: Duration,
    /// The longest pause at all.
    pub backoff_max: Duration,
    /// POSTs in a row that may fail; then the hook is dead.
    pub failures: u32,
}

impl Default for QueueRules {
    /// A receiver that is down for an hour loses nothing but what does not fit; one that never answers is dropped after
    /// some five hours, one that refuses connections after about as long.
    fn default() -> Self {
        Self {
            messages: 1000,
            bytes: 4 << 20,
            max_age: Duration::from_secs(3600),
            backoff: Duration::from_secs(1),
            backoff_max: Duration::from_secs(300),
            failures: 24,
        }
    }
}

/// One body on its way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Post {
    /// Its number in this queue, from 1.
    pub(crate) number: u64,
    pub(crate) body: Bytes,
    /// Bodies lost between the one before and this one.
    pub(crate) missed: u64,
    /// When it came.
    at: Time,
}

impl Post {
    fn weight(&self) -> usize {
        self.body.len() + WEIGHT
    }
}

/// What is to be done next.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Next {
    /// Post this, now.
    Attempt(Post),
    /// Ask again then.
    At(Time),
    /// Nothing waits; whoever pushes says so.
    Idle,
}

/// What becomes of a hook whose POST has failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// It is tried again.
    Again,
    /// Too many in a row have failed.
    Dead,
}

/// The queue of one hook.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// The first is under way when `trying`. BOUND: `messages`, `bytes`.
    waiting: VecDeque<Post>,
    bytes: usize,
    trying: bool,
    /// Whoever takes from here waits to be woken.
    idle: bool,
    pushed: u64,
    /// Bodies lost behind the last that waits.
    missed: u64,
    /// Bodies lost, all together.
    lost: u64,
    /// Failures since the last success.
    failures: u32,
    not_before: Time,
}

impl Queue {
    /// Adds a body; the oldest that is not under way goes where there is no room. Whether somebody has to be woken.
    pub(crate) fn push(&mut self, body: Bytes, now: Time, rules: &QueueRules) -> bool {
        self.pushed += 1;
        let post = Post { number: self.pushed, body, missed: std::mem::take(&mut self.missed), at: now };
        self.bytes += post.weight();
        self.waiting.push_back(post);
        while self.waiting.len() > rules.messages || self.bytes > rules.bytes {
            // Behind the one under way; without others, the newest.
            let oldest = usize::from(self.trying);
            if oldest >= self.waiting.len() {
                break;
            }
            self.lose(oldest);
        }
        !self.waiting.is_empty() && std::mem::take(&mut self.idle)
    }

    /// Notes bodies that never came here.
    pub(crate) fn miss(&mut self, missed: u64) {
        self.missed += missed;
        self.lost += missed;
    }

    /// Takes one out, and says so to the one behind it.
    fn lose(&mut self, place: usize) {
        let Some(post) = self.waiting.remove(place) else { return };
        self.bytes -= post.weight();
        self.lost += 1;
        let missed = post.missed + 1;
        match self.waiting.get_mut(place) {
            Some(next) => next.missed += missed,
            None => self.missed += missed,
        }
    }

    /// What is to be done now. An attempt goes on until [`Queue::succeed`] or [`Queue::fail`].
    pub(crate) fn next(&mut self, now: Time, rules: &QueueRules) -> Next {
        self.trying = false;
        if now < self.not_before && !self.waiting.is_empty() {
            return Next::At(self.not_before);
        }
        while self.waiting.front().is_some_and(|post| post.at + rules.max_age <= now) {
            self.lose(0);
        }
        match self.waiting.front() {
            Some(post) => {
                self.trying = true;
                Next::Attempt(post.clone())
            }
            None => {
                self.idle = true;
                Next::Idle
            }
        }
    }

    /// The attempt has been accepted.
    pub(crate) fn succeed(&mut self) {
        if std::mem::take(&mut self.trying)
            && let Some(post) = self.waiting.pop_front()
        {
            self.bytes -= post.weight();
        }
        (self.failures, self.not_before) = (0, Time(0));
    }

    /// The attempt has failed. The pause is chosen by the dice between half and all of what it is at most.
    pub(crate) fn fail(&mut self, now: Time, dice: u64, rules: &QueueRules) -> Verdict {
        self.trying = false;
        self.failures = self.failures.saturating_add(1);
        if self.failures >= rules.failures {
            return Verdict::Dead;
        }
        let doubled = rules.backoff.saturating_mul(1 << (self.failures - 1).min(20)).min(rules.backoff_max);
        let most = u64::try_from(doubled.as_millis()).unwrap_or(u64::MAX);
        let pause = most - dice % (most / 2 + 1);
        self.not_before = now + Duration::from_millis(pause);
        Verdict::Again
    }

    /// Bodies that wait, the one under way included.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Their bytes, with some for each.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bodies lost so far.
    pub(crate) fn lost(&self) -> u64 {
        self.lost
    }

    /// Failures since the last success.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests;
