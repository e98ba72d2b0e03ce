//! One hook while it is open: what its shard has for it, and the task on the control runtime that posts it, one after
//! the other.
//!
//! A shard never waits here: it adds to a queue with a bound, under a lock that nobody holds for longer than that, and
//! rings at most once for what it adds while the other side has not looked.
//! LOCK: a line's state, the list of those that rang, the register: each alone, nothing under another.

use super::client::{Client, Failure};
use super::lanes::{Lane, Whose};
use super::queue::{Next, Post, Queue, Verdict};
use super::{Place, Shared, lock};
use bytes::Bytes;
use dialect::HookEnd;
use std::pin::pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::{Notify, oneshot};
use tokio::time::{sleep, timeout};

/// How long a connection is kept without anything to post.
const IDLE: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) queue: Queue,
    pub(super) delivered: u64,
    pub(super) failed: u64,
    pub(super) last_failure: Option<Failure>,
}

/// What both sides of a hook share.
pub(crate) struct Line {
    pub(super) number: u64,
    /// Whom it leads to, as `host:port`.
    pub(super) target: String,
    pub(super) state: Mutex<State>,
    whose: Arc<Whose>,
    bell: Notify,
    pub(super) shared: Arc<Shared>,
}

impl Line {
    pub(super) fn new(place: &Place, target: String) -> Self {
        let (whose, shared) = (Arc::clone(&place.whose), Arc::clone(&place.shared));
        Self { number: place.number, target, state: Mutex::default(), whose, bell: Notify::new(), shared }
    }

    /// Does something to the queue, and keeps the accounts of all queues.
    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        let mut state = lock(&self.state);
        let before = (state.queue.len(), state.queue.bytes(), state.queue.lost());
        let result = act(&mut state);
        let after = (state.queue.len(), state.queue.bytes(), state.queue.lost());
        drop(state);
        let counts = &self.shared.counts;
        // Wrapping around is how less is added.
        counts.queued.fetch_add(after.0.wrapping_sub(before.0), Ordering::Relaxed);
        counts.queued_bytes.fetch_add(after.1.wrapping_sub(before.1), Ordering::Relaxed);
        counts.missed.fetch_add(after.2 - before.2, Ordering::Relaxed);
        result
    }

    /// The dispatcher says that there is something to post.
    pub(super) fn wake(&self) {
        self.bell.notify_one();
    }

    /// Posts what comes until the hook is given up.
    pub(super) async fn serve(&self, client: &mut Client) -> HookEnd {
        let (rules, lanes) = (&self.shared.settings.queue, &self.shared.lanes);
        let mut lane = &lanes.fresh;
        loop {
            let now = self.shared.clock.now().time;
            let post = match self.with(|s| s.queue.next(now, rules)) {
                Next::Attempt(post) => post,
                Next::At(at) => {
                    client.hang_up();
                    sleep(at.since(now)).await;
                    continue;
                }
                Next::Idle => {
                    if timeout(IDLE, self.bell.notified()).await.is_err() {
                        client.hang_up();
                        self.bell.notified().await;
                    }
                    continue;
                }
            };
            let Some((attempt, soon)) = self.attempt(client, &post, lane).await else {
                client.hang_up();
                lane = &lanes.slow;
                continue;
            };
            lane = if soon && attempt.is_ok() { &lanes.sound } else { &lanes.slow };
            if let Some(end) = self.note(attempt) {
                return end;
            }
        }
    }

    /// Posts from a place of this lane, and says how that went and whether it was soon over. What is not goes on from a
    /// place for the slow. `None`: there was none, so it is over; it has not failed, and is begun again from there.
    async fn attempt(
        &self,
        client: &mut Client,
        post: &Post,
        lane: &Arc<Lane>,
    ) -> Option<(Result<(), Failure>, bool)> {
        let mut seat = lane.take(&self.whose, self.number).await;
        let mut attempt = pin!(client.attempt(post));
        if let Ok(outcome) = timeout(self.shared.settings.patience, &mut attempt).await {
            return Some((outcome, true));
        }
        let slow = &self.shared.lanes.slow;
        if !Arc::ptr_eq(lane, slow) {
            seat = slow.try_take(&self.whose)?;
        }
        let outcome = attempt.await;
        drop(seat);
        Some((outcome, false))
    }

    /// Notes how an attempt went. `Some`: it was the last.
    fn note(&self, attempt: Result<(), Failure>) -> Option<HookEnd> {
        let outcome = attempt.map_or_else(Failure::outcome, |()| 0);
        if let Some(count) = self.shared.counts.outcomes.get(outcome) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let (now, dice) = (self.shared.clock.now().time, self.shared.dice());
        self.with(|s| match attempt {
            Ok(()) => {
                s.delivered += 1;
                s.queue.succeed();
                None
            }
            Err(failure) => {
                s.failed += 1;
                s.last_failure = Some(failure);
                let verdict = s.queue.fail(now, dice, &self.shared.settings.queue);
                match verdict {
                    _ if Client::is_farewell(failure) => Some(HookEnd::Unwanted),
                    Verdict::Dead => Some(HookEnd::Dead),
                    Verdict::Again => None,
                }
            }
        })
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let state = lock(&self.state);
        let counts = &self.shared.counts;
        counts.queued.fetch_sub(state.queue.len(), Ordering::Relaxed);
        counts.queued_bytes.fetch_sub(state.queue.bytes(), Ordering::Relaxed);
        // What waited has not been posted, and nobody is left to be told.
        counts.missed.fetch_add(state.queue.len() as u64, Ordering::Relaxed);
    }
}

struct Handle {
    line: Arc<Line>,
    /// Given back at once, so that who lets go of a hook can open another.
    _place: Place,
    /// Going away tells the task that it is over.
    _open: oneshot::Sender<()>,
}

/// A hook, as its session holds it. Dropping it closes the hook: what has not been posted then never is.
pub struct Hook(Box<Handle>);

impl std::fmt::Debug for Hook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hook")
    }
}

impl Hook {
    pub(super) fn new(line: Arc<Line>, place: Place) -> (Self, oneshot::Receiver<()>) {
        let (open, closed) = oneshot::channel();
        (Self(Box::new(Handle { line, _place: place, _open: open })), closed)
    }

    /// Its number, which no other hook of the node has had.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.0.line.number
    }

    /// Adds a body. What has no room is counted, and told with the next that has.
    pub fn post(&self, body: Bytes) {
        let line = &self.0.line;
        let shared = &line.shared;
        // BOUND: all queues together. What is over it is not taken, so that nobody else's goes for it.
        let full = shared.counts.queued_bytes.load(Ordering::Relaxed).saturating_add(body.len())
            > shared.settings.memory;
        let now = shared.clock.now().time;
        let wake = line.with(|s| {
            if full {
                s.queue.miss(1);
                return false;
            }
            s.queue.push(body, now, &shared.settings.queue)
        });
        if wake {
            lock(&shared.rung).push(Arc::clone(line));
            shared.bell.notify_one();
        }
    }

    /// Notes bodies that could not be made: they are told with the next that can.
    pub fn miss(&self, missed: u64) {
        self.0.line.with(|s| s.queue.miss(missed));
    }
}
