//! The seam on a made-up dialect: a panic in any callback ends its own session and nobody else's, and nothing that
//! was half done reaches the hub.

mod common;

use common::peers::{Http, Lines, Ws};
use common::puppet::{plan, puppet};
use common::stage::Stage;
use model::CloseReason;

/// A member that hears everything, and a stage with two shards.
fn watched() -> (Stage, Lines) {
    let mut stage = Stage::build(plan(2));
    let watcher = puppet(&mut stage, "auth;hear;join tea");
    (stage, watcher)
}

/// The victim's session is over, for a fault of ours; nothing of its last turn was heard; the others go on.
fn assert_alone(stage: &mut Stage, watcher: &mut Lines, victims: u64) {
    stage.settle();
    assert_eq!(stage.closed(CloseReason::InternalFault), victims);
    assert_eq!(stage.sessions(), 1, "only the watcher is left");
    watcher.say("publish tea fine");
    stage.settle();
    let heard = watcher.heard();
    assert!(heard.len() == 1 && heard[0].ends_with(" fine"), "nothing half done: {heard:?}");
    assert_eq!(stage.channels(), [("tea".to_owned(), 1)]);
    watcher.peer.finish();
    stage.settle();
    stage.assert_empty();
}

#[test]
fn in_on_frame() {
    let (mut stage, mut watcher) = watched();
    let mut victim = Ws::open(stage.connect(), "/puppet?do=accept;auth;hear;join+tea");
    stage.settle();
    victim.say("bomb frame");
    stage.settle();
    victim.heard();
    victim.say("publish tea half;join milk;say half");
    stage.settle();
    assert_eq!(victim.closed_with(), Some(1011));
    victim.peer.finish();
    assert_alone(&mut stage, &mut watcher, 1);
    assert_eq!(stage.counters().panics, 1);
}

#[test]
fn in_on_frame_of_a_request() {
    let (mut stage, mut watcher) = watched();
    let mut http = Http::new(stage.connect());
    http.get("/puppet?do=respond+half;publish+tea+half;panic");
    stage.settle();
    assert_eq!(http.statuses(), [500]);
    assert!(http.peer.is_over());
    http.peer.finish();
    assert_alone(&mut stage, &mut watcher, 1);
}

#[test]
fn in_on_event() {
    let (mut stage, mut watcher) = watched();
    let mut victim = puppet(&mut stage, "auth;hear events;join tea;bomb event publish tea half|say half");
    stage.settle();
    assert!(victim.heard().is_empty() && victim.peer.is_over(), "by the event that it has joined");
    victim.peer.finish();
    assert_alone(&mut stage, &mut watcher, 1);
}

#[test]
fn in_on_event_in_the_middle_of_a_run() {
    let (mut stage, mut watcher) = watched();
    let victims: Vec<Lines> = (0..4).map(|_| puppet(&mut stage, "auth;hear events;join tea")).collect();
    for v in &victims {
        v.say("bomb event publish tea half");
    }
    stage.settle();
    watcher.say("publish tea 1;publish tea 2;publish tea 3");
    stage.settle();
    assert_eq!(watcher.heard(), ["tea@1 1", "tea@2 2", "tea@3 3"]);
    victims.iter().for_each(|v| v.peer.finish());
    assert_alone(&mut stage, &mut watcher, 4);
}

#[test]
fn in_on_tick() {
    let (mut stage, mut watcher) = watched();
    let victim = puppet(&mut stage, "auth;after 100 say never;bomb tick publish tea half");
    stage.pass_ms(500);
    assert!(victim.peer.is_over());
    victim.peer.finish();
    assert_alone(&mut stage, &mut watcher, 1);
}

#[test]
fn in_wake_at() {
    let (mut stage, mut watcher) = watched();
    let victim = puppet(&mut stage, "auth;publish tea half;bomb wake");
    assert!(victim.peer.is_over(), "the turn before it is thrown away too");
    victim.peer.finish();
    assert_alone(&mut stage, &mut watcher, 1);
}

#[test]
fn in_on_close_the_reason_of_the_end_stands() {
    let (mut stage, mut watcher) = watched();
    let mut victim = puppet(&mut stage, "auth;join tea;bomb close say half");
    victim.say("close");
    stage.settle();
    assert!(victim.heard().is_empty() && victim.peer.is_over());
    victim.peer.finish();
    assert_eq!(stage.closed(CloseReason::Done), 1);
    assert_eq!(stage.counters().panics, 1);
    assert_alone(&mut stage, &mut watcher, 0);
}

#[test]
fn in_drop() {
    let (mut stage, mut watcher) = watched();
    let victim = puppet(&mut stage, "auth;join tea;bomb drop");
    victim.peer.vanish();
    stage.settle();
    assert_eq!(stage.closed(CloseReason::Gone), 1);
    assert_eq!(stage.counters().panics, 1);
    assert_alone(&mut stage, &mut watcher, 0);
}

#[test]
fn in_on_frame_and_again_in_drop() {
    let (mut stage, mut watcher) = watched();
    let victim = puppet(&mut stage, "auth;join tea;bomb drop");
    victim.say("publish tea half;panic");
    stage.settle();
    assert!(victim.peer.is_over());
    victim.peer.finish();
    assert_alone(&mut stage, &mut watcher, 1);
}

#[test]
fn in_drop_of_a_conversation_that_travelled() {
    let (mut stage, mut watcher) = watched();
    let mut target = puppet(&mut stage, "auth");
    let id = common::puppet::who(&mut stage, &mut target);
    let mut http = Http::new(stage.connect());
    http.get(&format!("/puppet?do=bomb+drop;handover+{id}&then=respond+taken"));
    stage.settle();
    assert_eq!(http.response().body, "taken", "it is dropped where it is not needed");
    http.peer.finish();
    target.peer.finish();
    assert_alone(&mut stage, &mut watcher, 0);
}

#[test]
fn in_drop_of_a_conversation_that_was_never_started() {
    let (mut stage, mut watcher) = watched();
    // The turn is thrown away, and with it the conversation that it would have spawned.
    let mut victim = puppet(&mut stage, "auth");
    victim.say("lastly x;close;spawn bomb drop");
    stage.settle();
    assert_eq!(victim.heard(), ["x Done"]);
    assert!(victim.peer.is_over());
    victim.peer.finish();
    assert_alone(&mut stage, &mut watcher, 0);
}

#[test]
fn in_converse_and_in_claims() {
    let (mut stage, mut watcher) = watched();
    let mut http = Http::new(stage.connect());
    http.get("/stillborn");
    stage.settle();
    assert_eq!(http.statuses(), [500]);
    let mut other = Http::new(stage.connect());
    other.get("/puppet?bomb=claims");
    stage.settle();
    assert_eq!(other.statuses(), [500]);
    let raw = stage.house.connect(4);
    stage.settle();
    assert!(raw.is_over());
    for peer in [&http.peer, &other.peer, &raw] {
        peer.finish();
    }
    assert_alone(&mut stage, &mut watcher, 2);
    assert_eq!(stage.counters().panics, 3);
}

#[test]
fn in_the_encoder_of_a_form_its_members_are_told_of_a_gap_and_the_others_hear() {
    let (mut stage, mut watcher) = watched();
    let mut brittle: Vec<Lines> = (0..3).map(|_| puppet(&mut stage, "auth;hear brittle;join tea")).collect();
    watcher.say("publish tea 1;publish tea boom;publish tea 3;publish tea boom;publish tea boom");
    stage.settle();
    assert_eq!(watcher.heard(), ["tea@1 1", "tea@2 boom", "tea@3 3", "tea@4 boom", "tea@5 boom"]);
    for b in &mut brittle {
        let heard = b.heard();
        let told: u64 = heard.iter().filter_map(|h| h.strip_prefix("gap ")?.parse::<u64>().ok()).sum();
        assert_eq!(told, 3, "{heard:?}");
        let messages: Vec<_> = heard.iter().filter(|h| h.starts_with("half")).collect();
        assert_eq!(messages, ["half tea@1 1", "half tea@3 3"]);
    }
    assert_eq!(stage.counters().closed.iter().sum::<u64>(), 0, "no session ends");
    assert_eq!(stage.counters().panics, 3, "each is counted once, whatever the members and shards");
}

#[test]
fn in_the_encoder_of_a_broadcast_everybody_concerned_is_told_of_a_gap() {
    let (mut stage, mut watcher) = watched();
    let mut brittle: Vec<Lines> = (0..3).map(|_| puppet(&mut stage, "auth;hear brittle")).collect();
    watcher.say("broadcast boom");
    stage.settle();
    assert_eq!(watcher.heard(), ["*@1 boom"]);
    for b in &mut brittle {
        assert_eq!(b.heard(), ["gap 1"]);
    }
    assert_eq!(stage.counters().panics, 1);
}
