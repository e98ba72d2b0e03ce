//! Random puppets on random houses, from a seed. They say where each message stands, so that nothing can be missing
//! even at the very edge of a stay: from the position of a join on, every position is heard, once and in order.

#![allow(clippy::unwrap_used, clippy::panic, reason = "in a test that is how it fails")]

mod common;

use common::numbers::{Blame, Numbers, seeds};
use common::peers::Lines;
use common::puppet::plan;
use common::stage::Stage;
use std::collections::BTreeMap;

const CHANNELS: [&str; 2] = ["a", "b"];

struct Member {
    lines: Lines,
    /// By channel: the position heard last, while inside.
    inside: BTreeMap<String, u64>,
    heard: u64,
    /// What it has told the channels and got no receipt for.
    unanswered: u64,
}

impl Member {
    fn read(&mut self) {
        for line in self.lines.heard() {
            let line = line.strip_prefix("event ").unwrap_or(&line);
            let (first, rest) = line.split_once(' ').unwrap();
            match first {
                "hello" => {}
                "published" => self.unanswered -= 1,
                "joined" => {
                    let (channel, position) = rest.split_once('@').unwrap();
                    let position = position.parse().unwrap();
                    // To join again is to be told where one is.
                    let before = self.inside.insert(channel.to_owned(), position);
                    assert!(before.is_none_or(|b| b == position), "{line} after {before:?}");
                }
                "left" => {
                    self.inside.remove(rest);
                }
                place => {
                    let (channel, position) = place.split_once('@').unwrap();
                    let last = self.inside.get_mut(channel).unwrap_or_else(|| panic!("{line} outside"));
                    assert_eq!(position.parse(), Ok(*last + 1), "{line}");
                    *last += 1;
                    self.heard += 1;
                }
            }
        }
    }

    fn words(&mut self, numbers: &mut Numbers) -> String {
        let orders = (0..1 + numbers.below(5)).map(|_| {
            let channel = numbers.one_of(&CHANNELS);
            match numbers.below(6) {
                0 | 1 => format!("join {channel}"),
                2 => format!("leave {channel}"),
                3 => {
                    self.unanswered += 1;
                    format!("tell {channel} {}", "x".repeat(numbers.one_of(&[1, 500])))
                }
                _ => format!("publish {channel} y"),
            }
        });
        orders.collect::<Vec<_>>().join(";")
    }
}

fn run(seed: u64) -> u64 {
    let blame = Blame(seed);
    let mut numbers = Numbers::new(seed);
    let mut plan = plan(numbers.one_of(&[1, 2, 3, 4]));
    plan.limits.slice_bytes = numbers.one_of(&[1, 300, 256 << 10]);
    plan.limits.read_budget = numbers.one_of(&[1, 256 << 10]);
    plan.limits.inbox_high = numbers.one_of(&[1, 700, 3000, 16 << 20]);
    plan.limits.inbox_low = plan.limits.inbox_high / 2;
    let mut stage = Stage::shuffled(plan, seed);
    let enter = |stage: &Stage, numbers: &mut Numbers| {
        let lines = Lines::new(stage.house.connect(1));
        lines.say(if numbers.once_in(3) { "auth;hear events" } else { "auth;hear" });
        Member { lines, inside: BTreeMap::new(), heard: 0, unanswered: 0 }
    };
    let mut members: Vec<Member> = (0..6).map(|_| enter(&stage, &mut numbers)).collect();
    stage.settle();
    for _ in 0..200 {
        let who = numbers.below(members.len());
        if numbers.once_in(40) {
            members[who].lines.peer.vanish();
            members[who] = enter(&stage, &mut numbers);
            stage.settle();
        }
        let words = members[who].words(&mut numbers);
        members[who].lines.say(&words);
        for _ in 0..numbers.below(5) {
            stage.step();
        }
        members[numbers.below(6)].read();
    }
    stage.settle();
    members.iter_mut().for_each(Member::read);
    for channel in CHANNELS {
        let ends: Vec<u64> = members.iter().filter_map(|m| m.inside.get(channel).copied()).collect();
        assert!(ends.windows(2).all(|e| e[0] == e[1]), "who is inside has heard all: {ends:?}");
    }
    assert!(members.iter().all(|m| m.unanswered == 0), "every receipt has come");
    let heard = members.iter().map(|m| m.heard).sum();
    members.iter().for_each(|m| m.lines.peer.vanish());
    stage.settle();
    stage.assert_empty();
    drop(blame);
    heard
}

#[test]
fn from_a_join_on_every_position_is_heard_once() {
    let heard: u64 = (0..seeds(200)).map(run).sum();
    assert!(heard > 10_000, "{heard}");
}
