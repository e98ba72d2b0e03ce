//! How much is done for how much: encodings, writes, runs and wakes are counted, not believed.

mod common;

use common::peers::{Http as Peer, Lines, Ws};
use common::puppet;
use common::stage::Stage;
use http_dialect::Http;
use model::CloseReason;
use node::Counters;
use rooms_dialect::Rooms;
use transcript::house::Blueprint;

fn stage(shards: u16) -> Stage {
    let mut plan = Blueprint::new(vec![Box::new(Http::default()), Box::new(Rooms::default())]);
    plan.shards = shards;
    Stage::build(plan)
}

fn rooms(stage: &mut Stage, n: usize) -> Vec<Ws> {
    let all: Vec<Ws> = (0..n).map(|_| Ws::open(stage.connect(), "/")).collect();
    stage.settle();
    for ws in &all {
        ws.say(r#"{"event":"subscribe","payload":["tea"]}"#);
    }
    stage.settle();
    all
}

fn streams(stage: &mut Stage, n: usize, accept: &str) -> Vec<Peer> {
    let all: Vec<Peer> = (0..n).map(|_| Peer::new(stage.connect())).collect();
    for http in &all {
        let head = format!("GET /c/tea HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\n\r\n");
        http.peer.write(head.as_bytes());
    }
    stage.settle();
    all
}

/// What was counted while this was done.
fn counted(stage: &mut Stage, what: impl FnOnce(&mut Stage)) -> Counters {
    let before = stage.counters();
    what(stage);
    let mut after = stage.counters();
    after.encoded -= before.encoded;
    after.writes -= before.writes;
    after.runs -= before.runs;
    after.wakes -= before.wakes;
    after.published -= before.published;
    after.delivered -= before.delivered;
    after.reads -= before.reads;
    after
}

fn said(n: usize) -> String {
    format!(r#"{{"event":"tea","payload":{n}}}"#)
}

#[test]
fn a_message_is_encoded_once_for_each_form_whatever_the_members_and_shards() {
    let mut stage = stage(3);
    let mut all = rooms(&mut stage, 20);
    let mut lines = streams(&mut stage, 20, "*/*");
    let mut events = streams(&mut stage, 20, "text/event-stream");
    let publisher = Peer::new(stage.connect());
    let c = counted(&mut stage, |stage| {
        publisher.post("/c/tea", "1");
        stage.settle();
    });
    assert_eq!((c.published, c.delivered, c.encoded), (1, 60, 3), "a room, a line, an event");
    let c = counted(&mut stage, |stage| {
        all[0].say(&said(2));
        stage.settle();
    });
    assert_eq!((c.published, c.delivered, c.encoded), (1, 60, 2), "rooms hear a room's own words");
    let c = counted(&mut stage, |stage| {
        all[0].say_all((0..32).map(said));
        stage.settle();
    });
    assert_eq!((c.published, c.delivered, c.encoded), (32, 32 * 60, 32 * 2));
    assert_eq!(all.iter_mut().map(|w| w.texts().len()).max(), Some(2 + 34));
    assert!(lines.iter_mut().all(|l| l.responses()[0].body.lines().count() == 34));
    assert!(events.iter_mut().all(|e| e.responses()[0].body.matches("data: ").count() == 34));
}

#[test]
fn large_words_are_encoded_once_too() {
    let mut stage = stage(3);
    let all = rooms(&mut stage, 30);
    let large = format!(r#"{{"event":"tea","payload":"{}"}}"#, "x".repeat(10_000));
    let c = counted(&mut stage, |stage| {
        all[0].say(&large);
        stage.settle();
    });
    assert_eq!((c.delivered, c.encoded), (30, 1));
}

#[test]
fn a_broadcast_is_encoded_once_for_each_form_too() {
    let mut stage = stage(3);
    let all = rooms(&mut stage, 10);
    let _lines = streams(&mut stage, 10, "*/*");
    let c = counted(&mut stage, |stage| {
        all[0].say(r#"{"event":"broadcast","payload":1}"#);
        stage.settle();
    });
    assert_eq!((c.published, c.delivered, c.encoded), (1, 20, 1));
}

#[test]
fn a_burst_costs_one_write_for_each_member_and_one_run() {
    let mut stage = stage(3);
    let mut all = rooms(&mut stage, 100);
    let publisher = Ws::open(stage.connect(), "/");
    stage.settle();
    let c = counted(&mut stage, |stage| {
        publisher.say_all((0..32).map(said));
        stage.settle();
    });
    assert_eq!((c.reads, c.runs, c.published), (1, 1, 32));
    assert_eq!((c.delivered, c.writes), (3200, 100));
    assert_eq!(all[99].texts().len(), 34);
}

#[test]
fn replies_do_not_split_a_burst_into_several_writes() {
    let mut stage = stage(1);
    let all = rooms(&mut stage, 50);
    let join = r#"{"event":"subscribe","payload":["tea"]}"#.to_owned();
    let c = counted(&mut stage, |stage| {
        all[0].say_all([said(1), join.clone(), said(2), join, said(3)]);
        stage.settle();
    });
    assert_eq!((c.published, c.runs), (3, 3), "joins stand between them");
    assert_eq!(c.writes, 50, "and yet each is written to once");
}

#[test]
fn channels_in_turn_are_runs_in_turn() {
    let mut stage = stage(1);
    let all = rooms(&mut stage, 2);
    all[1].say(r#"{"event":"subscribe","payload":["milk"]}"#);
    stage.settle();
    let to = |c: &str| format!(r#"{{"event":"{c}","payload":0}}"#);
    let c = counted(&mut stage, |stage| {
        all[0].say_all([to("tea"), to("tea"), to("milk"), to("tea")]);
        stage.settle();
    });
    assert_eq!((c.published, c.runs), (4, 3));
    assert_eq!(c.writes, 2);
}

#[test]
fn a_read_wakes_each_shard_at_most_once_and_never_its_own() {
    let mut stage = stage(4);
    let all = rooms(&mut stage, 40);
    let publisher = Ws::open(stage.connect(), "/");
    stage.settle();
    let before: Vec<u64> = (0..4).map(|s| stage.wakes_of(s)).collect();
    let c = counted(&mut stage, |stage| {
        publisher.say_all((0..32).map(said));
        stage.settle();
    });
    let woken: Vec<u64> = (0..4).map(|s| stage.wakes_of(s) - before[s]).collect();
    assert_eq!(woken, [0, 1, 1, 1], "the publisher lives on the first");
    assert_eq!(c.wakes, 3);
    drop(all);
}

#[test]
fn shards_without_members_are_left_alone() {
    let mut stage = stage(4);
    let one = rooms(&mut stage, 1);
    let publisher = Ws::open(stage.connect(), "/");
    stage.settle();
    let before: Vec<u64> = (0..4).map(|s| stage.wakes_of(s)).collect();
    publisher.say_all((0..32).map(said));
    stage.settle();
    let woken: Vec<u64> = (0..4).map(|s| stage.wakes_of(s) - before[s]).collect();
    assert_eq!(woken, [1, 0, 0, 0]);
    drop(one);
}

#[test]
fn a_shard_that_is_awake_already_is_not_woken_again() {
    let mut stage = stage(2);
    let _members = rooms(&mut stage, 2);
    let publishers: Vec<Ws> = (0..4).map(|_| Ws::open(stage.connect(), "/")).collect();
    stage.settle();
    let before = stage.wakes_of(1);
    publishers.iter().for_each(|p| p.say(&said(1)));
    // The first shard reads its publishers in one turn; the second has not had its turn yet.
    stage.turn(0);
    stage.turn(0);
    assert_eq!(stage.wakes_of(1), before + 1);
}

#[test]
fn every_session_that_began_has_ended_when_everybody_has_left() {
    let mut plan = puppet::plan(3);
    plan.dialects.push(Box::new(Http::default()));
    plan.dialects.push(Box::new(Rooms::default()));
    let mut stage = Stage::build(plan);
    let members = rooms(&mut stage, 9);
    let listeners = streams(&mut stage, 9, "*/*");
    let lines: Vec<Lines> =
        (0..9).map(|_| puppet::puppet(&mut stage, "auth;hear;join tea;join milk")).collect();
    let idle: Vec<Peer> = (0..3).map(|_| Peer::new(stage.connect())).collect();
    let asker = Peer::new(stage.connect());
    asker.post("/c/tea", "1");
    asker.get("/nothing/here");
    asker.get("/c");
    stage.settle();
    assert_eq!(stage.sessions(), 27);
    assert_eq!(stage.connections(), 31);
    // Each goes in its own way.
    for (n, ws) in members.iter().enumerate() {
        match n % 3 {
            0 => ws.close(),
            1 => ws.peer.finish(),
            _ => ws.peer.vanish(),
        }
    }
    listeners.iter().for_each(|l| l.peer.vanish());
    lines.iter().enumerate().for_each(|(n, l)| if n % 2 == 0 { l.say("close") } else { l.peer.finish() });
    stage.settle();
    members.iter().for_each(|m| m.peer.finish());
    lines.iter().for_each(|l| l.peer.finish());
    idle.iter().chain([&asker]).for_each(|i| i.peer.finish());
    stage.settle();
    stage.assert_empty();
    assert_eq!(stage.counters().attached, 27 + 2);
    assert_eq!(stage.closed(CloseReason::Done) + stage.closed(CloseReason::Gone), 29);
    // The loads of all doors are nothing again: newcomers are dealt evenly.
    rooms(&mut stage, 3);
    assert!(stage.house.shards.iter().all(|s| s.sessions() == 1));
}

#[test]
fn a_head_request_is_answered_without_a_body() {
    let mut stage = stage(1);
    let mut http = Peer::new(stage.connect());
    for target in ["/nothing", "/c", "/healthz"] {
        http.peer.write(format!("HEAD {target} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes());
        stage.settle();
        http.pull(usize::MAX);
        let head = http.take_bytes();
        assert!(head.starts_with("HTTP/1.1 ") && head.ends_with("\r\n\r\n"), "{target}: {head:?}");
        assert!(!http.peer.is_over());
    }
}
