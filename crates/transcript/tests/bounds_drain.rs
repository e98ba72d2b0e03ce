//! Stopping: everybody is told in its own words, nobody new is let in, and all are gone within the time there is.

mod common;

use common::peers::{Http as Peer, Lines, Ws};
use common::puppet::{Names, plan, puppet};
use common::stage::Stage;
use http_dialect::Http;
use model::CloseReason;
use rooms_dialect::Rooms;
use std::time::Duration;

struct Full {
    stage: Stage,
    sockets: Vec<Ws>,
    streams: Vec<Peer>,
    lines: Vec<Lines>,
    idle: Vec<Peer>,
    waiting: Peer,
}

fn full(each: usize) -> Full {
    let mut plan = plan(3);
    plan.authority = Box::new(Names::default());
    plan.dialects.push(Box::new(Http::default()));
    plan.dialects.push(Box::new(Rooms::default()));
    let mut stage = Stage::build(plan);
    let sockets: Vec<Ws> = (0..each).map(|_| Ws::open(stage.connect(), "/")).collect();
    let streams: Vec<Peer> = (0..each).map(|_| Peer::new(stage.connect())).collect();
    streams.iter().for_each(|s| s.get("/c/tea"));
    stage.settle();
    let lines = (0..each).map(|_| puppet(&mut stage, "auth;hear;join tea;lastly bye")).collect();
    let idle: Vec<Peer> = (0..each).map(|_| Peer::new(stage.connect())).collect();
    idle.iter().for_each(|i| i.get("/healthz"));
    let waiting = Peer::new(stage.connect());
    waiting.get("/puppet?do=auth+later");
    stage.settle();
    Full { stage, sockets, streams, lines, idle, waiting }
}

#[test]
fn everybody_is_told_that_the_server_stops_and_is_gone_in_time() {
    let Full { mut stage, mut sockets, mut streams, mut lines, idle, mut waiting } = full(60);
    // One without a link, too.
    lines[0].say("spawn join tea|hear events");
    stage.settle();
    lines[0].heard();
    let began: u64 = stage.counters().closed.iter().sum();
    stage.house.exchange.drain();
    let mut passed = Duration::ZERO;
    while stage.house.shards.iter().any(|s| !s.is_drained()) {
        stage.pass_ms(100);
        passed += Duration::from_millis(100);
        assert!(passed <= Duration::from_secs(5), "the drain's timeout is over");
        let peers = sockets.iter().map(|s| &s.peer).chain(streams.iter().map(|s| &s.peer));
        let peers = peers.chain(lines.iter().map(|l| &l.peer)).chain(idle.iter().map(|i| &i.peer));
        for peer in peers.chain([&waiting.peer]) {
            // Goodbyes are spread over half of the time there is.
            if passed >= Duration::from_secs(3) {
                peer.finish();
            }
        }
    }
    for ws in &mut sockets {
        assert_eq!(ws.closed_with(), Some(1001));
    }
    for s in &mut streams {
        assert!(s.response().whole, "the last chunk");
    }
    for l in &mut lines {
        assert_eq!(l.heard(), ["bye Draining"]);
    }
    assert_eq!(waiting.statuses(), [503]);
    assert!(idle.iter().all(|i| !i.peer.read(usize::MAX).is_empty() && i.peer.is_over()));
    stage.assert_empty();
    let closed = stage.counters().closed.iter().sum::<u64>() - began;
    assert_eq!(stage.closed(CloseReason::Draining), closed);
    assert_eq!(closed, 3 * 60 + 1 + 1);
}

#[test]
fn peers_that_never_go_by_themselves_are_gone_in_time_too() {
    let Full { mut stage, sockets, .. } = full(30);
    stage.house.exchange.drain();
    stage.pass(Duration::from_secs(5));
    assert!(stage.house.shards.iter().all(carrier::Shard::is_drained));
    stage.assert_empty();
    drop(sockets);
}

#[test]
fn a_reader_that_takes_nothing_does_not_hold_up_the_drain() {
    let Full { mut stage, sockets, streams, .. } = full(3);
    sockets[0].peer.set_room(0);
    streams[0].peer.set_room(0);
    sockets[1].say(r#"{"event":"broadcast","payload":1}"#);
    stage.settle();
    stage.house.exchange.drain();
    stage.pass(Duration::from_millis(5_100));
    assert!(stage.house.shards.iter().all(carrier::Shard::is_drained));
    stage.assert_empty();
}

#[test]
fn goodbyes_to_a_crowd_are_spread() {
    let Full { mut stage, .. } = full(1000);
    let before = stage.sessions();
    stage.house.exchange.drain();
    stage.turn(0);
    stage.turn(1);
    stage.turn(2);
    let told = before - stage.sessions();
    assert!(told > 0 && told < before / 2, "{told} of {before} in one turn each");
    stage.pass(Duration::from_secs(3));
    assert_eq!(stage.sessions(), 0);
}

#[test]
fn late_requests_are_answered_503_and_late_connections_not_at_all() {
    let Full { mut stage, mut idle, .. } = full(4);
    idle.iter_mut().for_each(|i| {
        i.responses();
    });
    stage.house.exchange.drain();
    idle[0].get("/healthz");
    idle[1].get("/c/tea");
    idle[2].peer.write(common::peers::upgrade("/").as_bytes());
    stage.settle();
    for i in &mut idle[..3] {
        assert_eq!(i.statuses(), [503]);
        assert!(i.peer.is_over());
    }
    let mut late = Peer::new(stage.connect());
    late.get("/healthz");
    stage.settle();
    assert!(late.responses().is_empty());
}

#[test]
fn a_connection_that_was_on_its_way_to_another_shard_does_not_keep_the_drain() {
    let mut stage = Stage::build(plan(3));
    let peers: Vec<_> = (0..3).map(|_| stage.house.connect(1)).collect();
    // The first shard has dealt them; the others drain before they open their doors.
    stage.turn(0);
    stage.house.exchange.drain();
    stage.pass(Duration::from_secs(5));
    assert!(stage.house.shards.iter().all(carrier::Shard::is_drained));
    stage.assert_empty();
    assert!(peers.iter().all(transcript::sim::Peer::is_over));
}

#[test]
fn what_was_published_before_the_drain_is_heard_before_the_goodbye() {
    let Full { mut stage, mut sockets, streams, .. } = full(3);
    sockets[0].say_all([
        r#"{"event":"subscribe","payload":["tea"]}"#.to_owned(),
        r#"{"event":"tea","payload":"last"}"#.to_owned(),
    ]);
    stage.turn(0);
    stage.house.exchange.drain();
    stage.settle();
    stage.pass(Duration::from_secs(1));
    for mut s in streams {
        let response = s.response();
        assert!(response.whole && response.body.contains("last"), "{response:?}");
    }
    assert!(sockets[0].texts().iter().any(|t| t.contains("last")));
}
