//! The seam on a made-up dialect: answers that come later, too late or to nobody, and sessions that hold.

mod common;

use common::peers::{Http, Ws, text_frame, upgrade};
use common::puppet::{Names, named, plan, puppet};
use common::stage::Stage;
use model::{CloseReason, Refusal};
use std::time::Duration;

fn stage(shards: u16) -> (Stage, Names) {
    let names = Names::default();
    let mut plan = plan(shards);
    plan.authority = Box::new(names.clone());
    (Stage::build(plan), names)
}

#[test]
fn an_authority_may_answer_later_and_from_another_thread() {
    let (mut stage, names) = stage(2);
    let mut line = puppet(&mut stage, "auth later;hear;join tea");
    stage.pass(Duration::from_secs(5));
    assert!(line.heard().is_empty());
    let reply = names.reply();
    std::thread::spawn(move || reply.send(Ok(named("ann", 1)))).join().unwrap();
    stage.settle();
    assert_eq!(line.heard(), ["hello ann", "joined tea@0"], "the answer woke its shard");
    stage.pass(Duration::from_secs(60));
    assert!(line.heard().is_empty(), "the deadline is forgotten");
}

#[test]
fn a_later_answer_may_be_no() {
    let (mut stage, names) = stage(1);
    let mut line = puppet(&mut stage, "auth later");
    names.reply().send(Err(Refusal::BadToken));
    stage.settle();
    assert_eq!(line.heard(), ["refused BadToken"]);
}

#[test]
fn who_was_admitted_under_rules_that_have_changed_since_is_not() {
    let (mut stage, names) = stage(1);
    let mut line = puppet(&mut stage, "auth later");
    let reply = names.reply();
    // The answer is on its way when the rules change, and comes when everybody has been looked through.
    let ann = named("ann", 1);
    names.fallen.lock().unwrap().push(std::sync::Arc::clone(&ann));
    let rules = (*stage.house.wiring.rulebook.rules()).clone();
    stage.house.wiring.rulebook.replace(rules);
    stage.house.exchange.inbox(0).ring();
    stage.settle();
    reply.send(Ok(ann));
    stage.settle();
    assert_eq!(line.heard(), ["refused BadToken"]);
    line.say("join tea");
    stage.settle();
    assert_eq!(line.heard(), ["refused NotGranted { right: \"READ\" }"], "it acts for nobody");
}

#[test]
fn an_answer_after_the_deadline_is_dropped_and_busy_came_instead() {
    let (mut stage, names) = stage(1);
    let mut line = puppet(&mut stage, "auth later");
    stage.pass(Duration::from_millis(9_900));
    assert!(line.heard().is_empty());
    stage.pass(Duration::from_millis(300));
    assert_eq!(line.heard(), ["refused Busy"]);
    names.reply().send(Ok(named("ann", 1)));
    stage.settle();
    assert!(line.heard().is_empty());
    line.say("join tea");
    stage.settle();
    assert_eq!(line.heard(), ["refused NotGranted { right: \"READ\" }"], "it acts for nobody");
}

#[test]
fn several_questions_have_each_their_own_answer_and_deadline() {
    let (mut stage, names) = stage(1);
    let mut line = puppet(&mut stage, "auth later");
    stage.pass(Duration::from_secs(6));
    line.say("auth later");
    stage.settle();
    stage.pass(Duration::from_secs(5));
    assert_eq!(line.heard(), ["refused Busy"], "the first is too late");
    names.reply().send(Ok(named("ann", 1)));
    stage.settle();
    assert!(line.heard().is_empty());
    names.reply().send(Ok(named("bob", 2)));
    stage.settle();
    assert_eq!(line.heard(), ["hello bob"]);
}

#[test]
fn an_answer_for_a_session_that_is_gone_reaches_nobody_not_even_its_successor() {
    let (mut stage, names) = stage(1);
    let line = puppet(&mut stage, "auth later");
    line.peer.vanish();
    stage.settle();
    assert_eq!(stage.sessions(), 0);
    let mut heir = puppet(&mut stage, "auth later");
    names.reply().send(Ok(named("ann", 1)));
    stage.settle();
    assert!(heir.heard().is_empty(), "it sits in the same place, and is another");
    names.reply().send(Ok(named("bob", 2)));
    stage.settle();
    assert_eq!(heir.heard(), ["hello bob"]);
}

#[test]
fn a_request_whose_answer_never_comes_is_answered_by_its_deadline() {
    let (mut stage, _names) = stage(1);
    let mut http = Http::new(stage.connect());
    http.get("/puppet?do=hold;auth+later");
    stage.settle();
    stage.pass(Duration::from_millis(10_200));
    assert_eq!(http.response().status, 504);
    http.peer.finish();
    stage.settle();
    stage.assert_empty();
    assert_eq!(stage.closed(CloseReason::TimedOut), 1);
}

#[test]
fn what_is_said_during_a_hold_is_kept_in_order_and_heard_after_it() {
    let (mut stage, names) = stage(1);
    let mut ws = Ws::open(stage.connect(), "/puppet?do=accept");
    stage.settle();
    ws.say_all(["hold", "say 1", "say 2"]);
    ws.say("say 3");
    stage.settle();
    ws.say_all(["say 4", "say 5"]);
    stage.settle();
    stage.pass(Duration::from_secs(5));
    assert!(ws.texts().is_empty());
    // It resumes by what it is told.
    drop(names);
    let talker = puppet(&mut stage, "auth");
    talker.say("publish tea x");
    stage.settle();
    assert!(ws.texts().is_empty());
    ws.peer.vanish();
    stage.settle();
    stage.pass(Duration::from_secs(6));
    assert_eq!(stage.sessions(), 1, "a hold ends at the latest by its deadline");
}

#[test]
fn a_hold_ends_when_the_conversation_resumes() {
    let (mut stage, _names) = stage(1);
    let mut ws = Ws::open(stage.connect(), "/puppet?do=accept");
    stage.settle();
    ws.say_all(["after 2000 resume|say resumed", "hold", "say 1", "hold", "say 2"]);
    ws.say("say 3");
    stage.settle();
    stage.pass(Duration::from_millis(1_900));
    assert!(ws.texts().is_empty());
    ws.say("after 2000 resume");
    stage.pass(Duration::from_millis(200));
    assert_eq!(ws.texts(), ["resumed", "1"], "and may hold again");
    stage.pass(Duration::from_secs(11));
    assert_eq!(ws.closed_with(), Some(1008), "a hold that lasts too long ends the session");
    assert_eq!(stage.closed(CloseReason::TimedOut), 1);
}

#[test]
fn all_kinds_of_links_are_held() {
    let (mut stage, _names) = stage(1);
    let mut line = puppet(&mut stage, "after 500 resume;hold");
    line.say("say 1");
    line.say("say 2");
    let mut http = Http::new(stage.connect());
    http.get("/puppet?do=after+500+resume;hold;respond+1");
    http.get("/puppet?do=respond+2");
    let from = "10.0.0.1:5".parse().unwrap();
    stage.house.sim.send(2, from, b"after 500 resume;hold");
    stage.settle();
    stage.house.sim.send(2, from, b"say 1");
    stage.settle();
    assert!(line.heard().is_empty());
    assert!(stage.house.sim.sent().is_empty(), "a datagram that comes while nobody listens is lost");
    stage.pass(Duration::from_millis(700));
    assert_eq!(line.heard(), ["1", "2"]);
    stage.house.sim.send(2, from, b"say 2");
    stage.settle();
    assert_eq!(stage.house.sim.sent(), [(2, from, b"2\n".to_vec())]);
    let bodies: Vec<_> = http.responses().into_iter().map(|r| r.body).collect();
    assert_eq!(bodies, ["1", "2"], "the request of another session is not held");
}

#[test]
fn what_a_held_session_has_not_read_is_bounded() {
    let (mut stage, _names) = stage(1);
    let line = puppet(&mut stage, "after 5000 resume;hold");
    let before = stage.counters().bytes_in;
    for _ in 0..200 {
        line.peer.write(&[b'\n'; 10_000]);
        stage.settle();
    }
    let taken = stage.counters().bytes_in - before;
    assert!(taken <= 64 << 10, "{taken} bytes were read of one that holds");
    stage.pass(Duration::from_secs(6));
    assert_eq!(stage.counters().bytes_in - before, 2_000_000, "and then the rest");
}

#[test]
fn a_held_session_still_hears() {
    let (mut stage, _names) = stage(1);
    let mut line = puppet(&mut stage, "auth;hear;join tea");
    line.say("hold");
    stage.settle();
    let talker = puppet(&mut stage, "auth");
    talker.say("publish tea hi");
    stage.settle();
    assert_eq!(line.heard(), ["tea@1 hi"]);
}

#[test]
fn a_publisher_that_waits_for_an_inbox_goes_on_hearing_in_order() {
    let mut plan = plan(2);
    (plan.limits.inbox_high, plan.limits.inbox_low) = (600, 100);
    let mut stage = Stage::build(plan);
    let mut slowest = puppet(&mut stage, "auth;hear;join full");
    let mut publisher = puppet(&mut stage, "auth;hear");
    let mut talker = puppet(&mut stage, "auth;hear;join tea");
    assert_eq!(stage.house.shards[0].sessions(), 2);
    // Shard 0 takes no turn: its inbox fills, and the publisher, on shard 1, has to wait.
    publisher.say("join tea;tell full 1;tell full 2;tell full 3;tell full 4");
    stage.turn(1);
    stage.turn(1);
    assert!(stage.counters().held > 0);
    let heard = publisher.heard();
    assert_eq!(heard.first().map(String::as_str), Some("joined tea@0"), "it is told at once: {heard:?}");
    stage.settle();
    talker.say("publish tea hi");
    stage.settle();
    assert_eq!(publisher.heard().last().map(String::as_str), Some("tea@1 hi"));
    assert_eq!(slowest.heard(), ["full@1 1", "full@2 2", "full@3 3", "full@4 4"]);
    assert_eq!(talker.heard(), ["tea@1 hi"]);
}

#[test]
fn datagrams_of_a_publisher_that_waits_do_not_pile_up() {
    let mut plan = plan(2);
    (plan.limits.inbox_high, plan.limits.inbox_low) = (600, 100);
    let mut stage = Stage::build(plan);
    let mut member = puppet(&mut stage, "auth;hear;join tea");
    let other = puppet(&mut stage, "auth;hear;join tea");
    drop(other);
    let from = "10.0.0.1:5".parse().unwrap();
    stage.house.sim.send(2, from, b"auth");
    stage.settle();
    for n in 0..50 {
        stage.house.sim.send(2, from, format!("tell tea {n}").as_bytes());
    }
    // Shard 0 reads them all in one turn; shard 1 takes none.
    stage.turn(0);
    stage.settle();
    assert!(stage.counters().held > 0);
    let heard = member.heard();
    assert!(heard.len() < 10, "{} datagrams were kept", heard.len());
    assert_eq!(heard[0], "tea@1 0");
}

#[test]
fn bytes_behind_a_request_to_become_a_websocket_end_the_connection() {
    let (mut stage, _names) = stage(1);
    let mut member = puppet(&mut stage, "auth;hear;join tea");
    for script in ["auth;accept", "accept"] {
        let http = Http::new(stage.connect());
        let request = upgrade(&format!("/puppet?do={script}"));
        http.peer.write(&[request.as_bytes(), &text_frame("auth;publish tea smuggled")].concat());
        stage.settle();
        let answer = String::from_utf8_lossy(&http.peer.read(usize::MAX)).into_owned();
        if script == "auth;accept" {
            assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
        } else {
            // Taken up at once, before anybody could look behind the request.
            assert!(answer.contains("the protocol was broken"), "{answer}");
        }
        assert!(http.peer.is_over());
        http.peer.finish();
    }
    stage.settle();
    assert!(member.heard().is_empty());
    assert_eq!(stage.closed(CloseReason::Fault), 2);
}
