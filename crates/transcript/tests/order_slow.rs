//! Readers that do not keep up: what each policy leaves of the order, and that nothing is lost unsaid.

mod common;

use common::crowd::{Client, Id};
use common::numbers::{Blame, Numbers, seeds};
use common::stage::Stage;
use model::{CloseReason, Pattern, SlowPolicy};
use node::ChannelPolicy;
use rooms_dialect::Rooms;
use std::collections::BTreeMap;
use transcript::house::Blueprint;

/// A publisher, an observer that reads at once, and slow readers, all in `a` (and `b`), which behave so.
struct Slow {
    stage: Stage,
    publisher: Client,
    observer: Client,
    slow: Vec<Client>,
}

fn begin(slow: SlowPolicy, numbers: &mut Numbers, pending: usize) -> Slow {
    let mut plan = Blueprint::new(vec![Box::new(Rooms::default())]);
    plan.shards = numbers.one_of(&[1, 2, 3]);
    plan.limits.pending_bytes = pending;
    plan.limits.slice_bytes = numbers.one_of(&[1, 200, pending / 4]);
    for pattern in ["a", "b"] {
        let pattern = Pattern::new(pattern);
        plan.policies.push(ChannelPolicy { pattern, slow, window: 0, window_bytes: 0 });
    }
    let mut stage = Stage::shuffled(plan, numbers.next());
    let mut next = 0;
    let mut client = |stage: &mut Stage, padding| {
        next += 1;
        let mut client = Client::rooms(stage, next, padding);
        stage.settle();
        let joins = [client.join("a"), client.join("b")];
        client.say(&joins);
        stage.settle();
        client.read(usize::MAX);
        client
    };
    let publisher = client(&mut stage, numbers.one_of(&[0, 50, 150]));
    let observer = client(&mut stage, 0);
    let slow: Vec<Client> = (0..3).map(|_| client(&mut stage, 0)).collect();
    for quick in [&publisher, &observer] {
        quick.peer().set_room(1 << 24);
    }
    for s in &slow {
        s.peer().set_room(numbers.one_of(&[1, 20, 100]));
    }
    Slow { stage, publisher, observer, slow }
}

impl Slow {
    fn publish(&mut self, numbers: &mut Numbers, messages: usize) {
        for _ in 0..messages {
            let channel = numbers.one_of(&["a", "a", "b"]);
            let words: Vec<_> =
                (0..numbers.one_of(&[1, 1, 1, 9])).map(|_| self.publisher.publish(channel)).collect();
            self.publisher.say(&words);
            for _ in 0..numbers.below(4) {
                self.stage.step();
            }
            if numbers.once_in(4) {
                let max = numbers.below(200);
                let who = numbers.below(self.slow.len());
                self.slow[who].read(max);
            }
            self.publisher.read(usize::MAX);
            self.observer.read(usize::MAX);
        }
        self.stage.settle();
    }

    fn catch_up(&mut self) {
        for s in &self.slow {
            s.peer().set_room(1 << 20);
        }
        for _ in 0..5 {
            self.slow
                .iter_mut()
                .chain([&mut self.observer, &mut self.publisher])
                .for_each(|c| c.read(usize::MAX));
            self.stage.settle();
        }
    }

    fn order(&self) -> BTreeMap<String, Vec<Id>> {
        self.observer.stays.iter().map(|(c, s)| (c.clone(), s.heard.concat())).collect()
    }
}

/// Whether `part` is left of `whole` when some are taken out.
fn is_subsequence(part: &[Id], whole: &[Id]) -> bool {
    let mut rest = whole.iter();
    part.iter().all(|p| rest.any(|w| w == p))
}

fn dropping(policy: SlowPolicy, seed: u64) -> u64 {
    let blame = Blame(seed);
    let mut numbers = Numbers::new(seed);
    let mut play = begin(policy, &mut numbers, 2000);
    play.publish(&mut numbers, 120);
    play.catch_up();
    let order = play.order();
    let mut missed = 0;
    for s in &play.slow {
        assert_eq!(s.closed, None, "nobody is closed");
        let mut gone = 0;
        for channel in ["a", "b"] {
            let heard = s.stays[channel].heard.concat();
            assert!(is_subsequence(&heard, &order[channel]), "client {} in {channel}", s.id);
            if policy == SlowPolicy::KeepLatest {
                assert_eq!(heard.last(), order[channel].last(), "the newest is never dropped");
            }
            gone += order[channel].len() - heard.len();
        }
        assert_eq!(s.missed, gone as u64, "client {} is told exactly how many it has missed", s.id);
        missed += s.missed;
    }
    assert_eq!(play.stage.counters().missed, missed);
    drop(blame);
    missed
}

#[test]
fn who_may_drop_the_oldest_hears_a_part_in_order_and_how_much_is_missing() {
    let missed: u64 = (0..seeds(60)).map(|seed| dropping(SlowPolicy::DropOldest, seed)).sum();
    assert!(missed > 100, "it happened: {missed}");
}

#[test]
fn who_keeps_the_latest_hears_a_part_in_order_and_how_much_is_missing() {
    let missed: u64 = (0..seeds(60)).map(|seed| dropping(SlowPolicy::KeepLatest, seed)).sum();
    assert!(missed > 100, "it happened: {missed}");
}

#[test]
fn who_keeps_the_latest_has_one_message_of_each_channel_waiting() {
    let mut numbers = Numbers::new(1);
    let mut play = begin(SlowPolicy::KeepLatest, &mut numbers, 2000);
    play.publish(&mut numbers, 100);
    for s in &mut play.slow {
        let before = s.stays["a"].heard.concat().len() + s.stays["b"].heard.concat().len();
        assert!(before < 40);
    }
    play.catch_up();
    let order = play.order();
    for s in &play.slow {
        for channel in ["a", "b"] {
            assert_eq!(s.stays[channel].heard.concat().last(), order[channel].last());
        }
    }
}

fn cutting(seed: u64) -> usize {
    let blame = Blame(seed);
    let mut numbers = Numbers::new(seed);
    let mut play = begin(SlowPolicy::Disconnect, &mut numbers, 4000);
    play.publish(&mut numbers, 120);
    play.catch_up();
    let order = play.order();
    let mut cut = 0;
    for s in &play.slow {
        assert_eq!(s.missed, 0);
        for channel in ["a", "b"] {
            let heard = s.stays[channel].heard.concat();
            assert_eq!(order[channel].get(..heard.len()), Some(&heard[..]), "all of it up to the cut");
            if s.closed.is_none() {
                assert_eq!(heard.len(), order[channel].len(), "who was not cut has everything");
            }
        }
        if let Some(code) = s.closed {
            assert_eq!(code, 1008, "and is told why");
            cut += 1;
        }
    }
    assert_eq!(play.stage.closed(CloseReason::SlowConsumer), cut as u64);
    assert_eq!(play.observer.closed, None);
    assert_eq!(play.publisher.closed, None, "a slow reader hurts itself only");
    drop(blame);
    cut
}

#[test]
fn who_may_miss_nothing_hears_all_up_to_the_cut_and_is_closed_with_1008() {
    let cut: usize = (0..seeds(60)).map(cutting).sum();
    assert!(cut > 30, "it happened: {cut}");
}

#[test]
fn a_large_message_to_a_slow_reader_comes_whole_or_is_counted() {
    for policy in [SlowPolicy::DropOldest, SlowPolicy::KeepLatest] {
        let mut numbers = Numbers::new(7);
        let mut play = begin(policy, &mut numbers, 20_000);
        for n in 0..30 {
            let padding = "z".repeat(n % 3 * 3000);
            let words = play.publisher.publish("a").replace(".\"", &format!(".{padding}\""));
            play.publisher.say(&[words]);
            play.stage.settle();
            play.publisher.read(usize::MAX);
            play.observer.read(usize::MAX);
            play.slow[0].read(500);
        }
        play.catch_up();
        let order = play.order();
        for s in &play.slow {
            let heard = s.stays["a"].heard.concat();
            assert!(is_subsequence(&heard, &order["a"]));
            assert_eq!(s.missed, (order["a"].len() - heard.len()) as u64);
        }
    }
}
