//! Order, piece by piece: what is said in one breath, large messages, and peers that would like to be alone.

mod common;

use carrier::websocket::Opcode;
use common::peers::{Heard, Ws, frame};
use common::stage::Stage;
use rooms_dialect::Rooms;
use transcript::house::Blueprint;

fn stage(shards: u16) -> Stage {
    let mut plan = Blueprint::new(vec![Box::new(Rooms::default())]);
    plan.shards = shards;
    Stage::build(plan)
}

/// A rooms client that has joined these rooms, greeting and acknowledgements read.
fn member(stage: &mut Stage, rooms: &[&str]) -> Ws {
    let mut ws = Ws::open(stage.connect(), "/");
    stage.settle();
    ws.say(&format!(r#"{{"event":"subscribe","payload":{rooms:?}}}"#));
    stage.settle();
    assert_eq!(ws.heard().len(), 1 + rooms.len());
    ws
}

fn said(n: usize) -> String {
    format!(r#"{{"event":"tea","payload":{n}}}"#)
}

const JOIN: &str = r#"{"event":"subscribe","payload":["tea"]}"#;
const LEAVE: &str = r#"{"event":"unsubscribe","payload":["tea"]}"#;
const JOINED: &str = r#"{"msg":"Subscribed to tea"}"#;
const LEFT: &str = r#"{"msg":"Unsubscribed to tea"}"#;

#[test]
fn joins_leaves_and_messages_of_one_breath_keep_their_places() {
    for others in 0..3 {
        let mut stage = stage(2);
        let mut members: Vec<Ws> = (0..others * 2).map(|_| member(&mut stage, &["tea"])).collect();
        let mut ws = member(&mut stage, &[]);
        let words = [
            &said(0),
            JOIN,
            &said(1),
            &said(2),
            LEAVE,
            &said(3),
            JOIN,
            JOIN,
            &said(4),
            LEAVE,
            LEAVE,
            JOIN,
            &said(5),
        ];
        ws.say_all(words);
        stage.settle();
        let expected =
            [JOINED, &said(1), &said(2), LEFT, JOINED, JOINED, &said(4), LEFT, LEFT, JOINED, &said(5)];
        assert_eq!(ws.texts(), expected, "with {others} others on its shard");
        for m in &mut members {
            assert_eq!(m.texts(), (0..6).map(said).collect::<Vec<_>>());
        }
    }
}

#[test]
fn an_echo_comes_before_the_leave_that_follows_it_also_in_small_slices() {
    let mut plan = Blueprint::new(vec![Box::new(Rooms::default())]);
    plan.limits.slice_bytes = 1;
    let mut stage = Stage::build(plan);
    let mut ws = member(&mut stage, &["tea"]);
    let words: Vec<String> = (0..100).map(said).chain([LEAVE.to_owned()]).collect();
    ws.say_all(&words);
    stage.settle();
    let heard = ws.texts();
    assert_eq!(heard[..100], words[..100]);
    assert_eq!(heard[100..], [LEFT]);
}

#[test]
fn a_message_reaches_members_as_it_was_said_however_large_it_is() {
    let mut stage = stage(2);
    let mut listener = member(&mut stage, &["tea"]);
    let mut slow = member(&mut stage, &["tea"]);
    slow.peer.set_room(100);
    let publisher = member(&mut stage, &[]);
    for size in [0, 100, 125, 126, 2000, 2047, 2048, 2049, 3000, 65_535, 65_536, 100_000] {
        let words = format!(r#"{{ "x":1, "event" : "tea", "payload": "{}" }}"#, "y".repeat(size));
        publisher.say(&words);
        stage.settle();
        for member in [&mut listener, &mut slow] {
            let mut heard = Vec::new();
            while heard.is_empty() {
                heard = member.texts();
                stage.settle();
            }
            assert!(heard == [&*words], "{size}");
        }
    }
}

#[test]
fn a_peer_that_wants_something_every_turn_does_not_put_off_the_others() {
    let mut stage = stage(1);
    let mut listener = member(&mut stage, &["tea"]);
    let noisy = member(&mut stage, &[]);
    let publisher = member(&mut stage, &[]);
    publisher.say(&said(1));
    for _ in 0..3 {
        noisy.peer.write(&frame(Opcode::Ping, b""));
        stage.turn(0);
    }
    assert_eq!(listener.texts(), [said(1)], "three turns are enough, pings or not");
}

#[test]
fn a_ping_between_messages_is_answered_and_disturbs_none() {
    let mut stage = stage(1);
    let mut ws = member(&mut stage, &["tea"]);
    let ping = frame(Opcode::Ping, b"?");
    ws.say(&said(1));
    ws.peer.write(&ping);
    ws.say(&said(2));
    stage.settle();
    let heard = ws.heard();
    assert_eq!(heard.iter().filter(|h| **h == Heard::Pong).count(), 1);
    let texts: Vec<_> = heard.into_iter().filter(|h| *h != Heard::Pong).collect();
    assert_eq!(texts, [Heard::text(&said(1)), Heard::text(&said(2))]);
}
