//! Places for what takes its time: POSTs that are under way, names that are looked up. One owner and one host have at
//! most a share of them, and those who wait have their turns owner by owner.
//!
//! Knows who waits, not what for, nor how long anybody stays.
//! LOCK: a lane's state stands alone; seats are handed over when it is free again.

use super::{Owner, lock, release};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use tokio::sync::oneshot;

/// Of a lane's places, what one owner has at most: one in so many.
const OWNERS_SHARE: usize = 8;
/// The same for one host.
const HOSTS_SHARE: usize = 4;

/// Who takes a place, and whom it leads to.
#[derive(Debug)]
pub(crate) struct Whose {
    pub(super) owner: Owner,
    pub(super) host: Arc<str>,
}

/// Some places.
pub(crate) struct Lane {
    most: usize,
    per_owner: usize,
    per_host: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// BOUND: `most`, `per_host`, `per_owner`.
    taken: usize,
    hosts: HashMap<Arc<str>, usize>,
    owners: HashMap<Owner, usize>,
    /// Whose turn it is next. Each owner of somebody who waits, once.
    turns: VecDeque<Owner>,
    /// BOUND: one for each hook that is open or being opened.
    waiting: HashMap<Owner, VecDeque<Waiter>>,
}

struct Waiter {
    hook: u64,
    whose: Arc<Whose>,
    tell: oneshot::Sender<Seat>,
}

/// A place that somebody has, until this is dropped.
pub(crate) struct Seat {
    lane: Arc<Lane>,
    whose: Arc<Whose>,
}

impl Lane {
    /// With so many places, and one at least.
    pub(super) fn new(most: usize) -> Arc<Self> {
        let most = most.max(1);
        let share = |of: usize| (most / of).max(1);
        let (per_owner, per_host) = (share(OWNERS_SHARE), share(HOSTS_SHARE));
        Arc::new(Self { most, per_owner, per_host, state: Mutex::default() })
    }

    /// A place, as soon as it is this one's turn. A hook waits for one at a time.
    pub(super) async fn take(self: &Arc<Self>, whose: &Arc<Whose>, hook: u64) -> Seat {
        loop {
            let (tell, told) = oneshot::channel();
            {
                let mut state = lock(&self.state);
                if self.has_room(&state, whose) {
                    return self.seat(&mut state, whose);
                }
                state.wait(Waiter { hook, whose: Arc::clone(whose), tell });
            }
            let _waits = Waits { lane: self, owner: &whose.owner, hook };
            if let Ok(seat) = told.await {
                return seat;
            }
        }
    }

    /// A place, if there is one at once. Where somebody waits for it, there is none.
    pub(super) fn try_take(self: &Arc<Self>, whose: &Arc<Whose>) -> Option<Seat> {
        let mut state = lock(&self.state);
        self.has_room(&state, whose).then(|| self.seat(&mut state, whose))
    }

    fn has_room(&self, state: &State, whose: &Whose) -> bool {
        let of = |count: Option<&usize>| count.copied().unwrap_or(0);
        state.taken < self.most
            && of(state.owners.get(&whose.owner)) < self.per_owner
            && of(state.hosts.get(&whose.host)) < self.per_host
    }

    fn seat(self: &Arc<Self>, state: &mut State, whose: &Arc<Whose>) -> Seat {
        state.taken += 1;
        *state.owners.entry(whose.owner.clone()).or_default() += 1;
        *state.hosts.entry(Arc::clone(&whose.host)).or_default() += 1;
        Seat { lane: Arc::clone(self), whose: Arc::clone(whose) }
    }

    /// Whoever can be seated now, in the order of turns.
    fn call(self: &Arc<Self>, state: &mut State) -> Vec<(oneshot::Sender<Seat>, Seat)> {
        let mut called = Vec::new();
        while let Some(waiter) = self.next(state) {
            let seat = self.seat(state, &waiter.whose);
            called.push((waiter.tell, seat));
        }
        called
    }

    /// The next who can be seated, of the first owner who has one. It is that owner's turn again after all others.
    fn next(&self, state: &mut State) -> Option<Waiter> {
        let first_of = |owner: &Owner| {
            state.waiting.get(owner)?.iter().position(|waiter| self.has_room(state, &waiter.whose))
        };
        let (turn, place) = state
            .turns
            .iter()
            .take_while(|_| state.taken < self.most)
            .enumerate()
            .find_map(|(turn, owner)| Some((turn, first_of(owner)?)))?;
        let owner = state.turns.remove(turn)?;
        let queue = state.waiting.get_mut(&owner)?;
        let waiter = queue.remove(place);
        if queue.is_empty() {
            state.waiting.remove(&owner);
        } else {
            state.turns.push_back(owner);
        }
        waiter
    }
}

impl State {
    fn wait(&mut self, waiter: Waiter) {
        let owner = &waiter.whose.owner;
        if !self.waiting.contains_key(owner) {
            self.turns.push_back(owner.clone());
        }
        self.waiting.entry(owner.clone()).or_default().push_back(waiter);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut state = lock(&self.lane.state);
        state.taken -= 1;
        release(&mut state.owners, &self.whose.owner);
        release(&mut state.hosts, &self.whose.host);
        let called = self.lane.call(&mut state);
        drop(state);
        // Who has gone meanwhile gives the place back by not taking it.
        called.into_iter().for_each(|(tell, seat)| drop(tell.send(seat)));
    }
}

/// Somebody who waits, until this is dropped.
struct Waits<'a> {
    lane: &'a Lane,
    owner: &'a Owner,
    hook: u64,
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        let mut state = lock(&self.lane.state);
        let Some(queue) = state.waiting.get_mut(self.owner) else { return };
        queue.retain(|waiter| waiter.hook != self.hook);
        if queue.is_empty() {
            state.waiting.remove(self.owner);
            state.turns.retain(|owner| owner != self.owner);
        }
    }
}

#[cfg(test)]
mod tests;
