//! What may wait, and how much of it: for one reader, for all of them, and at the door.

mod common;

use common::peers::{Heard, Http as Peer, Ws, text_frame};
use common::stage::Stage;
use http_dialect::Http;
use model::CloseReason;
use rooms_dialect::Rooms;
use transcript::house::Blueprint;

fn plan() -> Blueprint {
    Blueprint::new(vec![Box::new(Http::default()), Box::new(Rooms::default())])
}

fn member(stage: &mut Stage, room: &str) -> Ws {
    let mut ws = Ws::open(stage.connect(), "/");
    stage.settle();
    ws.say(&format!(r#"{{"event":"subscribe","payload":["{room}"]}}"#));
    stage.settle();
    ws.heard();
    ws
}

/// A message to a room, of about so many bytes.
fn fill(stage: &mut Stage, publisher: &Ws, room: &str, bytes: usize) {
    publisher.say(&format!(r#"{{"event":"{room}","payload":"{}"}}"#, "x".repeat(bytes)));
    stage.settle();
}

#[test]
fn what_waits_for_a_reader_is_bounded_and_it_alone_is_cut() {
    let mut plan = plan();
    plan.limits.pending_bytes = 10_000;
    let mut stage = Stage::build(plan);
    let publisher = member(&mut stage, "milk");
    let mut good = member(&mut stage, "tea");
    let mut slow = member(&mut stage, "tea");
    slow.peer.set_room(100);
    let mut heard = 0;
    for _ in 0..200 {
        fill(&mut stage, &publisher, "tea", 100);
        heard += good.texts().len();
    }
    assert_eq!(heard, 200);
    assert_eq!(stage.closed(CloseReason::SlowConsumer), 1);
    assert_eq!(stage.sessions(), 2);
    // What it was owed up to the cut it may still take.
    slow.peer.set_room(1 << 20);
    let before = stage.counters().bytes_out;
    let mut texts = Vec::new();
    let mut code = None;
    for _ in 0..4 {
        for h in slow.heard() {
            match h {
                Heard::Text(t) => texts.push(t),
                Heard::Close(c) => code = c,
                Heard::Binary(_) | Heard::Ping | Heard::Pong => panic!("{h:?}"),
            }
        }
        stage.settle();
    }
    let owed = stage.counters().bytes_out - before;
    assert!(owed <= 10_000 + 200, "{owed} bytes had waited");
    assert!((60..100).contains(&texts.len()), "{} messages", texts.len());
    assert_eq!(code, Some(1008));
}

#[test]
fn a_stream_that_is_cut_ends_where_a_chunk_ends() {
    let mut plan = plan();
    plan.limits.pending_bytes = 5_000;
    let mut stage = Stage::build(plan);
    let publisher = member(&mut stage, "milk");
    let mut slow = Peer::new(stage.connect());
    slow.get("/c/tea");
    stage.settle();
    slow.peer.set_room(300);
    for _ in 0..100 {
        fill(&mut stage, &publisher, "tea", 100);
    }
    assert_eq!(stage.closed(CloseReason::SlowConsumer), 1);
    slow.peer.set_room(1 << 20);
    for _ in 0..4 {
        slow.pull(usize::MAX);
        stage.settle();
    }
    let response = slow.response();
    assert!(slow.peer.is_over() && !response.whole, "without a last chunk it knows that more was to come");
    assert!(slow.is_at_end_of_chunk(), "and none is begun");
    assert!(response.body.ends_with('\n') && response.body.lines().count() > 15);
}

#[test]
fn when_memory_runs_out_the_fullest_go_first() {
    let mut plan = plan();
    plan.limits.memory_budget = 30_000;
    let mut stage = Stage::build(plan);
    let publisher = member(&mut stage, "milk");
    let rooms = ["a", "b", "c"];
    let readers: Vec<Ws> = rooms.iter().map(|r| member(&mut stage, r)).collect();
    readers.iter().for_each(|r| r.peer.set_room(10));
    fill(&mut stage, &publisher, "a", 5_000);
    fill(&mut stage, &publisher, "b", 15_000);
    fill(&mut stage, &publisher, "c", 9_000);
    assert_eq!(stage.sessions(), 4, "just enough");
    fill(&mut stage, &publisher, "a", 2_000);
    assert_eq!(stage.closed(CloseReason::MemoryBudget), 1);
    let is_over = |r: &Ws| {
        drop(r.peer.read(1 << 20));
        r.peer.is_over()
    };
    let over: Vec<bool> = readers.iter().map(is_over).collect();
    assert_eq!(over, [false, true, false], "the one with most is gone, and its bytes with it");
    for r in &readers {
        r.peer.set_room(1 << 20);
        for _ in 0..2 {
            drop(r.peer.read(1 << 20));
            stage.settle();
        }
    }
    // There is room again for as much.
    readers.iter().for_each(|r| r.peer.set_room(10));
    fill(&mut stage, &publisher, "a", 10_000);
    fill(&mut stage, &publisher, "c", 10_000);
    assert_eq!(stage.closed(CloseReason::MemoryBudget), 1);
}

#[test]
fn memory_that_is_given_back_counts_no_more() {
    let mut plan = plan();
    plan.limits.memory_budget = 30_000;
    let mut stage = Stage::build(plan);
    let publisher = member(&mut stage, "milk");
    for round in 0..20 {
        let reader = member(&mut stage, "a");
        reader.peer.set_room(10);
        fill(&mut stage, &publisher, "a", 20_000);
        match round % 3 {
            0 => reader.peer.vanish(),
            1 => {
                reader.peer.set_room(1 << 20);
                drop(reader.peer.read(1 << 20));
                stage.settle();
                drop(reader.peer.read(1 << 20));
                reader.peer.vanish();
            }
            _ => {
                // It says goodbye, and does not wait for the answer.
                reader.close();
                stage.settle();
                reader.peer.vanish();
            }
        }
        stage.settle();
        assert_eq!(stage.sessions(), 1, "round {round}");
    }
    assert_eq!(stage.closed(CloseReason::MemoryBudget), 0);
}

#[test]
fn nobody_is_let_in_while_there_are_as_many_connections_as_may_be() {
    let mut plan = plan();
    plan.limits.connections = 3;
    plan.shards = 2;
    let mut stage = Stage::build(plan);
    let mut all: Vec<Peer> = (0..5).map(|_| Peer::new(stage.connect())).collect();
    all.iter().for_each(|p| p.get("/healthz"));
    stage.settle();
    let answered: Vec<_> = all.iter_mut().map(|p| p.statuses().len()).collect();
    assert_eq!(answered, [1, 1, 1, 0, 0]);
    assert_eq!(stage.connections(), 3);
    all[1].peer.finish();
    stage.settle();
    stage.pass_ms(200);
    assert_eq!(all[3].statuses(), [200], "the next in line");
    assert!(all[4].statuses().is_empty());
}

#[test]
fn a_message_that_is_too_large_ends_the_socket_and_a_body_is_answered_413() {
    let mut plan = plan();
    plan.limits.message_bytes = 1000;
    let mut stage = Stage::build(plan);
    let mut ws = member(&mut stage, "tea");
    ws.peer.write(&text_frame(&"x".repeat(1001))[..20]);
    stage.settle();
    assert_eq!(ws.closed_with(), Some(1009), "as soon as its length is known");
    let mut http = Peer::new(stage.connect());
    http.post("/c/tea", &"x".repeat(1001));
    stage.settle();
    assert_eq!(http.statuses(), [413]);
    http.peer.finish();
    ws.peer.finish();
    stage.settle();
    stage.assert_empty();
}

#[test]
fn a_flood_of_names_leaves_no_channels_behind() {
    let mut plan = plan();
    plan.shards = 2;
    let mut stage = Stage::build(plan);
    let ws = [member(&mut stage, "tea"), member(&mut stage, "tea")];
    for n in 0..300 {
        let order = |event: &str| format!(r#"{{"event":"{event}","payload":["x{n}","y{n}"]}}"#);
        ws[n % 2].say_all([order("subscribe"), order("unsubscribe")]);
        ws[(n + 1) % 2].say(&order("subscribe"));
        stage.settle();
        ws[(n + 1) % 2].say(&order("unsubscribe"));
    }
    stage.settle();
    assert_eq!(stage.channels(), [("tea".to_owned(), 2)]);
}
