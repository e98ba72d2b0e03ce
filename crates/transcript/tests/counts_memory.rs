//! Memory that comes back: what is live before and after, counted. Alone in its binary, because the counting allocator
//! counts for everybody in it.

mod common;

use common::peers::{Http as Peer, Ws};
use common::stage::Stage;
use http_dialect::Http;
use node::StaticTokens;
use rooms_dialect::Rooms;
use transcript::house::Blueprint;

/// What may stay of a flood: buffers that have grown, and lists that keep their room.
const SPARE: i64 = 256 << 10;

fn plan() -> Blueprint {
    Blueprint::new(vec![Box::new(Http::default()), Box::new(Rooms::default())])
}

/// Joins a hundred channels that nobody has been in, and leaves them.
fn visit(stage: &mut Stage, ws: &Ws, round: usize) {
    let names: Vec<String> = (0..100).map(|n| format!(r#""room-{round}-{n}""#)).collect();
    for order in ["subscribe", "unsubscribe"] {
        ws.say(&format!(r#"{{"event":"{order}","payload":[{}]}}"#, names.join(",")));
        stage.settle();
        drop(ws.peer.read(usize::MAX));
    }
}

#[test]
fn a_million_channels_come_and_go_and_leave_nothing() {
    let mut stage = Stage::build(plan());
    let mut all: Vec<Ws> = (0..10).map(|_| Ws::open(stage.connect(), "/")).collect();
    stage.settle();
    all.iter_mut().for_each(|ws| drop(ws.heard()));
    for round in 0..100 {
        visit(&mut stage, &all[round % 10], round);
    }
    let counted = allocation_counter::measure(|| {
        for round in 100..10_100 {
            visit(&mut stage, &all[round % 10], round);
        }
    });
    assert!(counted.bytes_total > 100 << 20, "there was something to give back: {counted:?}");
    assert!(counted.bytes_current < SPARE, "{} bytes are left of a million channels", counted.bytes_current);
    stage.settle();
    assert_eq!(stage.channels(), []);
}

#[test]
fn sessions_that_come_and_go_leave_nothing() {
    let mut stage = Stage::build(plan());
    let visit = |stage: &mut Stage, rounds: usize| {
        for _ in 0..rounds {
            let all: Vec<Ws> = (0..100).map(|_| Ws::open(stage.connect(), "/")).collect();
            stage.settle();
            all.iter().for_each(|ws| ws.say(r#"{"event":"subscribe","payload":["tea"]}"#));
            stage.settle();
            all.iter().for_each(|ws| ws.peer.vanish());
            stage.settle();
        }
        // Timers of theirs stay in the wheel until it comes round to them.
        stage.pass(stage.house.wiring.rulebook.rules().limits.request_timeout);
    };
    visit(&mut stage, 5);
    let counted = allocation_counter::measure(|| visit(&mut stage, 100));
    assert!(counted.bytes_current < SPARE, "{} bytes are left of 10000 sessions", counted.bytes_current);
    stage.assert_empty();
}

#[test]
fn bodies_that_nobody_may_send_take_no_memory() {
    let mut plan = plan();
    plan.authority = Box::new(StaticTokens::new(Vec::new(), None));
    let mut stage = Stage::build(plan);
    let crowd = |stage: &mut Stage| {
        let all: Vec<Peer> = (0..100).map(|_| Peer::new(stage.connect())).collect();
        for http in &all {
            http.peer.write(b"POST /c/tea HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n");
            // In small pieces, so that what the simulation keeps is small.
            for _ in 0..200 {
                http.peer.write(&[b'x'; 1000]);
                stage.settle();
            }
        }
        all
    };
    drop(crowd(&mut stage));
    let mut kept = Vec::new();
    let counted = allocation_counter::measure(|| kept = crowd(&mut stage));
    assert_eq!(kept.iter_mut().map(Peer::statuses).filter(|s| *s == [401]).count(), 100);
    assert!(counted.bytes_max < 100 * 16_000, "20 MB were sent, and kept: {counted:?}");
}
