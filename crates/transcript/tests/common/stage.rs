//! A house whose shards sleep and wake as their threads would: a shard without work takes no turn until its network
//! has news, a timer is due, or somebody rings. Nothing here stands in for a wake that was forgotten.

use super::numbers::Numbers;
use model::VHostName;
use node::{Counters, VHost};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use transcript::house::{Blueprint, House};
use transcript::sim::Peer;

/// Turns after which a stage that is still busy counts as running in circles.
const TURNS: usize = 400_000;

pub(crate) struct Stage {
    pub(crate) house: House,
    awake: Vec<Arc<AtomicBool>>,
    /// How often each shard was pulled out of its sleep.
    woken: Vec<Arc<AtomicU64>>,
    /// Chooses whose turn is next; without it, the first that has something to do.
    pub(crate) dice: Option<Numbers>,
}

impl Stage {
    pub(crate) fn build(plan: Blueprint) -> Self {
        let house = House::build(plan);
        let shards = house.shards.len();
        let awake: Vec<_> = (0..shards).map(|_| Arc::new(AtomicBool::new(true))).collect();
        let woken: Vec<_> = (0..shards).map(|_| Arc::new(AtomicU64::new(0))).collect();
        for (n, (awake, woken)) in awake.iter().zip(&woken).enumerate() {
            let (awake, woken) = (Arc::clone(awake), Arc::clone(woken));
            house.exchange.inbox(u16::try_from(n).unwrap()).set_wake(Box::new(move || {
                awake.store(true, Ordering::Relaxed);
                woken.fetch_add(1, Ordering::Relaxed);
            }));
        }
        let mut stage = Self { house, awake, woken, dice: None };
        stage.settle();
        stage
    }

    /// A stage whose turns come in an order of this seed.
    pub(crate) fn shuffled(plan: Blueprint, seed: u64) -> Self {
        let mut stage = Self::build(plan);
        stage.dice = Some(Numbers::new(seed));
        stage
    }

    pub(crate) fn connect(&self) -> Peer {
        self.house.connect(0)
    }

    /// One turn of one shard; then it sleeps, if it has nothing to do.
    pub(crate) fn turn(&mut self, shard: usize) {
        self.house.turn(shard);
        let inbox = self.house.exchange.inbox(u16::try_from(shard).unwrap());
        let stays = self.house.shards[shard].has_work() || !inbox.may_sleep();
        self.awake[shard].store(stays, Ordering::Relaxed);
    }

    /// The shards that would run now.
    fn runnable(&mut self) -> Vec<usize> {
        let mut all = Vec::new();
        for (n, shard) in self.house.shards.iter_mut().enumerate() {
            if self.awake[n].load(Ordering::Relaxed) || shard.net_mut().has_news() {
                all.push(n);
            }
        }
        all
    }

    /// One turn of one of the shards that would run. `false`: all sleep.
    pub(crate) fn step(&mut self) -> bool {
        let runnable = self.runnable();
        let Some(&first) = runnable.first() else { return false };
        let next = self.dice.as_mut().map_or(first, |dice| dice.one_of(&runnable));
        self.turn(next);
        true
    }

    /// Turns until all shards sleep.
    pub(crate) fn settle(&mut self) {
        for _ in 0..TURNS {
            if !self.step() {
                return;
            }
        }
        panic!("the stage runs in circles");
    }

    /// Lets time pass in small steps.
    pub(crate) fn pass(&mut self, d: Duration) {
        let mut left = d;
        while !left.is_zero() {
            let step = Duration::from_millis(100).min(left);
            left -= step;
            self.house.sim.pass(step);
            (0..self.house.shards.len()).for_each(|s| self.turn(s));
            self.settle();
        }
    }

    pub(crate) fn pass_ms(&mut self, ms: u64) {
        self.pass(Duration::from_millis(ms));
    }

    pub(crate) fn counters(&self) -> Counters {
        self.house.exchange.totals.read()
    }

    pub(crate) fn root(&self) -> Arc<VHost> {
        Arc::clone(self.house.exchange.vhost(&VHostName::root()).unwrap())
    }

    /// The channels that anybody is in, and how many.
    pub(crate) fn channels(&self) -> Vec<(String, u32)> {
        let (page, _) = self.house.exchange.channels(&self.root(), 0, |_| true);
        page.into_iter().map(|c| (c.channel.as_str().to_owned(), c.members)).collect()
    }

    pub(crate) fn sessions(&self) -> usize {
        self.house.shards.iter().map(carrier::Shard::sessions).sum()
    }

    pub(crate) fn connections(&self) -> usize {
        self.house.exchange.connections.load(Ordering::Relaxed)
    }

    pub(crate) fn wakes_of(&self, shard: usize) -> u64 {
        self.woken[shard].load(Ordering::Relaxed)
    }

    /// Every session that began has ended, for one reason; nothing is left of anybody.
    pub(crate) fn assert_empty(&self) {
        let c = self.counters();
        assert_eq!(self.sessions(), 0, "sessions are left");
        assert_eq!(c.attached, c.closed.iter().sum::<u64>(), "attached = Σ closed");
        assert_eq!(self.connections(), 0, "connections are counted that are gone");
        assert_eq!(self.channels(), [], "channels are left");
        assert_eq!(self.root().audience.load(Ordering::Relaxed), 0, "an audience is left");
    }

    /// How many sessions have ended for this reason.
    pub(crate) fn closed(&self, reason: model::CloseReason) -> u64 {
        self.counters().closed[reason.index()]
    }
}
