//! How connections end when several things happen at once: nobody else pays for it, and nothing asked is unanswered.

mod common;

use common::peers::{Http as Peer, Ws};
use common::stage::Stage;
use http_dialect::Http;
use model::CloseReason;
use rooms_dialect::Rooms;
use std::time::Duration;
use transcript::house::Blueprint;

fn stage() -> Stage {
    let mut plan = Blueprint::new(vec![Box::new(Http::default()), Box::new(Rooms::default())]);
    plan.limits.pending_bytes = 5_000;
    Stage::build(plan)
}

/// A member that has taken nothing of what it was sent, and somebody who can send it more.
fn behind(stage: &mut Stage) -> (Ws, Ws) {
    let mut slow = Ws::open(stage.connect(), "/");
    let speaker = Ws::open(stage.connect(), "/");
    stage.settle();
    slow.say(r#"{"event":"subscribe","payload":["tea"]}"#);
    stage.settle();
    slow.heard();
    slow.peer.set_room(100);
    speaker.say(&format!(r#"{{"event":"tea","payload":"{}"}}"#, "x".repeat(500)));
    stage.settle();
    (slow, speaker)
}

#[test]
fn who_comes_into_the_place_of_a_broken_connection_is_not_taken_for_it() {
    let mut stage = stage();
    let (slow, _speaker) = behind(&mut stage);
    // In one turn: the slow reader can be written again, is found broken, ends, and somebody takes its place.
    let _taken = slow.peer.read(50);
    slow.peer.vanish();
    let mut stranger = Peer::new(stage.connect());
    stage.turn(0);
    stranger.get("/healthz");
    stage.settle();
    assert_eq!(stranger.statuses(), [200]);
    assert_eq!(stage.closed(CloseReason::Gone), 1);
}

#[test]
fn everything_asked_before_a_half_close_is_answered() {
    let mut stage = stage();
    let mut peer = Peer::new(stage.connect());
    for target in ["/zz", "/c", "/zz", "/healthz", "/zz"] {
        peer.get(target);
    }
    peer.peer.finish();
    stage.settle();
    assert_eq!(peer.statuses(), [404, 200, 404, 200, 404]);
    assert_eq!(stage.connections(), 0);
}

#[test]
fn a_response_larger_than_the_pipe_is_owed_after_a_half_close() {
    let mut stage = stage();
    let mut peer = Peer::new(stage.connect());
    peer.peer.set_room(10);
    peer.get("/healthz");
    stage.settle();
    peer.peer.finish();
    stage.settle();
    peer.peer.set_room(1 << 20);
    for _ in 0..3 {
        peer.pull(usize::MAX);
        stage.settle();
    }
    assert_eq!(peer.statuses(), [200]);
}

#[test]
fn who_takes_nothing_of_its_last_word_is_not_kept_by_what_it_says() {
    let mut stage = stage();
    let (slow, speaker) = behind(&mut stage);
    for _ in 0..20 {
        speaker.say(&format!(r#"{{"event":"tea","payload":"{}"}}"#, "x".repeat(500)));
        stage.settle();
    }
    assert_eq!(stage.closed(CloseReason::SlowConsumer), 1);
    for _ in 0..8 {
        slow.peer.write(b"x");
        stage.pass(Duration::from_secs(3));
    }
    assert_eq!(stage.connections(), 1, "only the speaker is left");
}
