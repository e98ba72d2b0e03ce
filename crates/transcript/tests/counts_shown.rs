//! What a node shows of its counts adds up, and each is taken where it is said to be.

mod common;

use common::peers::{Http as Peer, Ws};
use common::stage::Stage;
use http_dialect::Http;
use model::CloseReason;
use node::Histogram;
use node::counters::{BOUNDS, RULES, STATUSES};
use rooms_dialect::Rooms;
use std::sync::atomic::Ordering;
use std::time::Duration;
use transcript::house::Blueprint;

const HTTP: usize = 0;
const ROOMS: usize = 1;

fn plan(shards: u16) -> Blueprint {
    let mut plan = Blueprint::new(vec![Box::new(Http::default()), Box::new(Rooms::default())]);
    plan.shards = shards;
    plan
}

fn rooms(stage: &mut Stage, n: usize) -> Vec<Ws> {
    let all: Vec<Ws> = (0..n).map(|_| Ws::open(stage.connect(), "/")).collect();
    stage.settle();
    all.iter().for_each(|ws| ws.say(r#"{"event":"subscribe","payload":["tea"]}"#));
    stage.settle();
    all
}

fn how_many(h: &Histogram) -> u64 {
    h.buckets.iter().sum()
}

#[test]
fn sessions_are_counted_by_dialect_while_they_are_there() {
    let mut stage = Stage::build(plan(2));
    let mut all = rooms(&mut stage, 7);
    let stream = Peer::new(stage.connect());
    stream.get("/c/tea");
    stage.settle();
    let c = stage.counters();
    assert_eq!((c.sessions[HTTP], c.sessions[ROOMS]), (1, 7));
    assert_eq!(c.attached, c.sessions.iter().sum::<u64>() + c.closed.iter().sum::<u64>());
    all.truncate(4);
    all.iter().for_each(Ws::close);
    stream.peer.vanish();
    stage.settle();
    let c = stage.counters();
    assert_eq!((c.sessions[HTTP], c.sessions[ROOMS]), (0, 3), "who was only forgotten has not said so");
    assert_eq!((c.closed[CloseReason::Done.index()], c.closed[CloseReason::Gone.index()]), (4, 1));
    assert_eq!(c.attached, c.sessions.iter().sum::<u64>() + c.closed.iter().sum::<u64>());
}

#[test]
fn latency_is_measured_once_for_each_run_and_shard() {
    let mut stage = Stage::build(plan(3));
    let all = rooms(&mut stage, 30);
    let before = how_many(&stage.counters().latency);
    all[0].say_all((0..8).map(|n| format!(r#"{{"event":"tea","payload":{n}}}"#)));
    stage.settle();
    let c = stage.counters();
    assert_eq!((c.delivered, c.runs), (30 * 8, 1));
    assert_eq!(how_many(&c.latency) - before, 3, "one run, three shards");
    all[0].say(r#"{"event":"broadcast","payload":1}"#);
    stage.settle();
    assert_eq!(how_many(&stage.counters().latency) - before, 6);
}

#[test]
fn latency_begins_with_the_turn_that_read_it() {
    let mut stage = Stage::build(plan(2));
    let all = rooms(&mut stage, 2);
    let before = stage.counters().latency;
    // On the second shard it waits until that one has its turn.
    all[0].say(r#"{"event":"tea","payload":1}"#);
    stage.turn(0);
    stage.house.sim.pass(Duration::from_millis(3));
    stage.turn(1);
    stage.settle();
    let after = stage.counters().latency;
    assert_eq!(after.sum - before.sum, 3000);
    let bucket = BOUNDS.iter().position(|b| *b >= 3000).unwrap();
    assert_eq!(after.buckets[bucket] - before.buckets[bucket], 1);
}

#[test]
fn every_turn_is_measured() {
    let mut stage = Stage::build(plan(2));
    rooms(&mut stage, 3);
    let c = stage.counters();
    assert_eq!(how_many(&c.turn), c.turns);
}

#[test]
fn refusals_are_counted_by_rule_and_by_status() {
    let mut plan = plan(1);
    plan.limits.channels_per_session = 1;
    let mut stage = Stage::build(plan);
    let room = Ws::open(stage.connect(), "/");
    stage.settle();
    room.say(r#"{"event":"subscribe","payload":["tea","milk","sugar"]}"#);
    let mut lost = Peer::new(stage.connect());
    lost.get("/no/such/path");
    let stranger = Peer::new(stage.connect());
    stranger.get("/c?token=nobody");
    stage.settle();
    assert_eq!(lost.statuses(), [404]);
    let c = stage.counters();
    let rule = |word| c.refused[RULES.iter().position(|r| *r == word).unwrap()];
    assert_eq!((rule("too_many_channels"), rule("bad_token")), (2, 1));
    assert_eq!(c.problems[STATUSES.iter().position(|s| *s == 404).unwrap()], 1);
    assert_eq!((c.refused.iter().sum::<u64>(), c.problems.iter().sum::<u64>()), (3, 1), "and nothing else");
}

#[test]
fn what_waits_for_slow_readers_is_shown_and_given_back() {
    let mut stage = Stage::build(plan(1));
    let mut all = rooms(&mut stage, 2);
    all[1].peer.set_room(10);
    let text = "x".repeat(1000);
    (0..5).for_each(|_| all[0].say(&format!(r#"{{"event":"tea","payload":"{text}"}}"#)));
    stage.settle();
    assert!(stage.counters().pending > 4000, "{}", stage.counters().pending);
    all[1].peer.set_room(1 << 20);
    for _ in 0..100 {
        drop(all[1].peer.read(usize::MAX));
        stage.settle();
    }
    assert_eq!(stage.counters().pending, 0);
    all[0].pull(usize::MAX);
}

#[test]
fn while_it_stops_nobody_is_told_that_it_is_ready() {
    let mut stage = Stage::build(plan(1));
    let mut probe = Peer::new(stage.connect());
    probe.get("/readyz");
    stage.settle();
    // The order to stop has been given, and has not been taken yet.
    stage.house.exchange.draining.store(true, Ordering::SeqCst);
    probe.get("/readyz");
    stage.settle();
    assert_eq!(probe.statuses(), [200, 503]);
}
