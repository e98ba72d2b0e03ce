//! Floods of names and of small commands: what they may take, and for how long.

mod common;

use carrier::websocket::Opcode;
use common::peers::{Heard, Http as Peer, Ws, frame};
use common::stage::Stage;
use http_dialect::Http;
use model::{CloseReason, Pattern, SlowPolicy};
use node::ChannelPolicy;
use rooms_dialect::Rooms;
use std::time::Duration;
use transcript::house::Blueprint;

fn plan() -> Blueprint {
    Blueprint::new(vec![Box::new(Http::default()), Box::new(Rooms::default())])
}

fn rooms(stage: &mut Stage) -> Ws {
    let mut ws = Ws::open(stage.connect(), "/");
    stage.settle();
    ws.heard();
    ws
}

#[test]
fn commands_wait_while_their_answers_fill_the_inbox_and_all_are_answered() {
    let mut plan = plan();
    (plan.limits.inbox_high, plan.limits.inbox_low) = (20_000, 5_000);
    let mut stage = Stage::build(plan);
    let mut ws = rooms(&mut stage);
    let names = vec![r#""tea""#; 5_000].join(",");
    ws.say(&format!(r#"{{"event":"subscribe","payload":[{names}]}}"#));
    let mut acks = 0;
    for _ in 0..200 {
        stage.settle();
        acks += ws.texts().len();
    }
    assert_eq!(acks, 5_000);
    assert!(stage.counters().held > 0, "they did not all find room at once");
}

#[test]
fn a_session_joins_as_many_channels_as_it_may() {
    let mut plan = plan();
    plan.limits.channels_per_session = 3;
    let mut stage = Stage::build(plan);
    let mut ws = rooms(&mut stage);
    ws.say(r#"{"event":"subscribe","payload":["a","b","c","d","a"]}"#);
    stage.settle();
    let heard = ws.texts();
    assert!(heard[3].starts_with(r#"{"msg":"Refused: this session may join 3 channels"#), "{heard:?}");
    assert_eq!(heard[4], r#"{"msg":"Subscribed to a"}"#, "it is there already");
    assert_eq!(stage.channels().len(), 3, "the fourth was not left behind");
}

fn windows(stage_bytes: usize) -> Stage {
    let mut plan = plan();
    plan.limits.window_timeout = Duration::from_secs(60);
    plan.limits.window_bytes = stage_bytes;
    let pattern = Pattern::new("*");
    plan.policies =
        vec![ChannelPolicy { pattern, slow: SlowPolicy::Disconnect, window: 5, window_bytes: 1 << 20 }];
    Stage::build(plan)
}

/// Visits a room, says something, and leaves.
fn visit(stage: &mut Stage, ws: &mut Ws, room: &str) {
    ws.say(&format!(r#"{{"event":"subscribe","payload":["{room}"]}}"#));
    ws.say(&format!(r#"{{"event":"{room}","payload":"{}"}}"#, "x".repeat(1_000)));
    ws.say(&format!(r#"{{"event":"unsubscribe","payload":["{room}"]}}"#));
    stage.settle();
    ws.heard();
}

#[test]
fn windows_that_nobody_comes_back_for_are_forgotten() {
    let mut stage = windows(1 << 20);
    let mut ws = rooms(&mut stage);
    for room in ["a", "b"] {
        visit(&mut stage, &mut ws, room);
    }
    let back = Peer::new(stage.connect());
    back.get("/c/b?since=1-0");
    stage.settle();
    stage.pass(Duration::from_secs(50));
    assert_eq!(stage.channels().len(), 2);
    stage.pass(Duration::from_secs(30));
    assert_eq!(stage.channels(), [("b".into(), 1)], "somebody has come back to b");
}

#[test]
fn windows_without_members_are_bounded_together_and_the_oldest_go() {
    let mut stage = windows(10_000);
    let mut ws = rooms(&mut stage);
    for i in 0..50 {
        visit(&mut stage, &mut ws, &format!("room-{i}"));
    }
    let left = stage.channels();
    assert!((3..10).contains(&left.len()), "{left:?}");
    assert!(left.iter().any(|c| c.0 == "room-49") && !left.iter().any(|c| c.0 == "room-0"), "{left:?}");
}

#[test]
fn pings_are_answered_as_often_as_is_good_and_a_flood_ends_the_connection() {
    let mut stage = Stage::build(plan());
    let mut ws = rooms(&mut stage);
    let pongs = |ws: &mut Ws| ws.heard().iter().filter(|h| **h == Heard::Pong).count();
    let ping = |ws: &Ws, n: usize| ws.peer.write(&frame(Opcode::Ping, b"?").repeat(n));
    ping(&ws, 20);
    stage.settle();
    assert_eq!(pongs(&mut ws), 20, "as many at once");
    for _ in 0..50 {
        stage.pass_ms(1_000);
        ping(&ws, 10);
        stage.settle();
        assert_eq!(pongs(&mut ws), 10, "and ten in every second, for as long as it likes");
    }
    stage.pass_ms(1_000);
    ping(&ws, 11);
    stage.settle();
    assert_eq!(ws.heard().last(), Some(&Heard::Close(Some(1008))), "one more in the second is too many");
    assert_eq!(stage.closed(CloseReason::Fault), 1);
}

#[test]
fn a_flood_of_pings_costs_as_many_answers_as_are_allowed() {
    let mut stage = Stage::build(plan());
    let mut ws = rooms(&mut stage);
    ws.peer.write(&frame(Opcode::Ping, &[b'?'; 125]).repeat(10_000));
    stage.settle();
    let heard = ws.heard();
    assert_eq!((heard.len(), heard.last()), (21, Some(&Heard::Close(Some(1008)))));
    // Pongs that nobody asked for are no more than bytes that are read.
    let mut calm = rooms(&mut stage);
    calm.peer.write(&frame(Opcode::Pong, b"!").repeat(10_000));
    stage.settle();
    calm.say(r#"{"event":"subscribe","payload":["tea"]}"#);
    stage.settle();
    assert_eq!(calm.texts(), [r#"{"msg":"Subscribed to tea"}"#]);
}
