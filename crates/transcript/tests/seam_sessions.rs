//! The seam on a made-up dialect: sessions without a connection, timers, and the wire in all its manners.

mod common;

use common::peers::{Heard, Http, Lines, Ws};
use common::puppet::{plan, puppet, who};
use common::stage::Stage;
use model::CloseReason;
use std::net::SocketAddr;
use std::time::Duration;

#[test]
fn a_session_without_a_connection_joins_hears_acts_by_timer_and_ends_itself() {
    let mut stage = Stage::build(plan(1));
    let mut parent = puppet(&mut stage, "auth;hear;join out");
    parent.say("spawn hear events|join tea|relay out");
    stage.settle();
    assert_eq!(parent.heard().len(), 1, "the parent is told of it");
    parent.say("publish tea one");
    stage.settle();
    assert_eq!(parent.heard(), ["out@1 heard one"], "it heard by events, and published");
}

#[test]
fn a_spawned_session_outlives_its_parent_and_closes_by_its_own_timer() {
    let mut stage = Stage::build(plan(1));
    let mut listener = puppet(&mut stage, "auth;hear;join out");
    let mut parent = puppet(&mut stage, "auth");
    parent.say("spawn join tea|hear events|relay out|lastly bye");
    stage.settle();
    stage.pass_ms(100);
    let spawned = parent.heard();
    assert!(spawned[0].starts_with("spawned 0-"), "{spawned:?}");
    parent.peer.vanish();
    stage.settle();
    assert_eq!(stage.sessions(), 2, "the parent is gone, its child is not");
    listener.say("publish tea still there?");
    stage.settle();
    assert_eq!(listener.heard(), ["out@1 heard still there?"]);
    assert_eq!(stage.channels(), [("out".into(), 1), ("tea".into(), 1)]);
}

#[test]
fn a_spawned_session_that_closes_itself_leaves_nothing_behind() {
    let mut stage = Stage::build(plan(2));
    let mut parent = puppet(&mut stage, "auth");
    parent.say("spawn join tea|hear events|close");
    stage.settle();
    stage.pass_ms(100);
    assert!(parent.heard()[0].starts_with("spawned "));
    assert_eq!(stage.sessions(), 1);
    parent.peer.vanish();
    stage.settle();
    stage.assert_empty();
    assert_eq!(stage.closed(CloseReason::Done), 1);
}

#[test]
fn a_session_that_spawns_is_told_so_after_its_own_turn() {
    let mut stage = Stage::build(plan(1));
    let mut parent = puppet(&mut stage, "auth;hear;join tea");
    parent.say("spawn say nothing;say first;publish tea second");
    stage.settle();
    let heard = parent.heard();
    assert_eq!(heard[0], "first", "a turn is applied whole before another is: {heard:?}");
    assert!(heard.iter().any(|h| h.starts_with("spawned ")), "{heard:?}");
}

#[test]
fn a_timer_fires_once_and_in_time() {
    let mut stage = Stage::build(plan(1));
    let mut peer = puppet(&mut stage, "after 1000 say now;after 70000 say much later");
    stage.pass_ms(900);
    assert!(peer.heard().is_empty());
    stage.pass_ms(200);
    assert_eq!(peer.heard(), ["now"]);
    stage.pass(Duration::from_secs(68));
    assert!(peer.heard().is_empty());
    stage.pass(Duration::from_secs(2));
    assert_eq!(peer.heard(), ["much later"], "also beyond the wheel's horizon");
    stage.pass(Duration::from_secs(200));
    assert!(peer.heard().is_empty());
}

#[test]
fn an_earlier_timer_set_later_comes_first() {
    let mut stage = Stage::build(plan(1));
    let mut peer = puppet(&mut stage, "after 5000 say late");
    stage.pass_ms(1000);
    peer.say("after 500 say soon");
    stage.settle();
    stage.pass_ms(600);
    assert_eq!(peer.heard(), ["soon"]);
    stage.pass_ms(4000);
    assert_eq!(peer.heard(), ["late"]);
}

#[test]
fn the_parts_of_a_message_stay_adjacent_whatever_else_is_sent() {
    let mut stage = Stage::build(plan(2));
    let mut members: Vec<Ws> =
        (0..3).map(|_| Ws::open(stage.connect(), "/puppet?do=accept;auth;hear+parts;join+tea")).collect();
    stage.settle();
    members.iter_mut().for_each(|m| {
        m.heard();
    });
    // Each speaks, and asks for replies of its own between.
    for (i, m) in members.iter().enumerate() {
        let say = |n| [format!("publish tea {i}.{n}"), "say x".to_owned(), format!("tell tea {i}+{n}")];
        m.say_all((0..5).flat_map(say));
    }
    stage.settle();
    for m in &mut members {
        let heard = m.heard();
        let messages = heard.iter().filter(|h| matches!(h, Heard::Binary(_))).count();
        assert_eq!(messages, 30);
        for (i, _) in heard.iter().enumerate().filter(|(_, h)| matches!(h, Heard::Binary(_))) {
            let before = &heard[i - 1];
            assert!(matches!(before, Heard::Text(t) if t.starts_with("tea@")), "{before:?} before bytes");
        }
    }
}

#[test]
fn the_parts_stay_adjacent_for_a_slow_reader_who_is_told_other_things_too() {
    let mut stage = Stage::build(plan(1));
    let mut slow = Ws::open(stage.connect(), "/puppet?do=accept;auth;hear+parts;join+tea");
    stage.settle();
    slow.heard();
    slow.peer.set_room(7);
    let talker = puppet(&mut stage, "auth");
    for n in 0..20 {
        talker.say(&format!("publish tea {n}"));
        slow.say("say x");
        stage.step();
        slow.pull(3);
    }
    for _ in 0..1000 {
        stage.settle();
        slow.pull(5);
    }
    let heard = slow.heard();
    let binaries: Vec<_> = heard.iter().enumerate().filter(|(_, h)| matches!(h, Heard::Binary(_))).collect();
    assert_eq!(binaries.len(), 20);
    for (n, (i, part)) in binaries.iter().enumerate() {
        assert_eq!(heard[i - 1], Heard::Text(format!("tea@{}", n + 1)));
        assert_eq!(**part, Heard::Binary(n.to_string().into_bytes()));
    }
}

#[test]
fn a_tcp_dialect_hears_its_bytes_in_whatever_pieces_they_come() {
    let mut stage = Stage::build(plan(1));
    let mut peer = Lines::new(stage.house.connect(1));
    peer.peer.set_piece(3);
    peer.say("auth;hear;join tea;publish tea one");
    peer.say("publish tea two");
    stage.settle();
    assert_eq!(peer.heard(), ["hello you", "joined tea@0", "tea@1 one", "tea@2 two"]);
    peer.say("lastly bye;close");
    stage.settle();
    assert_eq!(peer.heard(), ["bye Done"], "last words go out before the end");
    assert!(peer.peer.is_over());
    peer.peer.finish();
    stage.settle();
    stage.assert_empty();
}

#[test]
fn who_says_no_more_is_still_told_what_he_is_owed() {
    let mut stage = Stage::build(plan(1));
    let mut line = puppet(&mut stage, "auth");
    line.say("say taken");
    line.peer.finish();
    stage.settle();
    assert_eq!(line.heard(), ["taken"]);
    assert!(line.peer.is_over());
    assert_eq!(stage.sessions(), 0);
    stage.house.pass(Duration::from_secs(3));
    stage.assert_empty();
}

#[test]
fn every_address_of_a_datagram_port_is_a_session_and_hears_by_datagrams() {
    let mut stage = Stage::build(plan(2));
    let (a, b): (SocketAddr, SocketAddr) = ("10.0.0.1:5".parse().unwrap(), "10.0.0.1:6".parse().unwrap());
    let send = |stage: &mut Stage, port, from, what: &str| {
        stage.house.sim.send(port, from, what.as_bytes());
        stage.settle();
        stage.house.sim.sent()
    };
    let got = |port, to, what: &str| (port, to, format!("{what}\n").into_bytes());
    assert_eq!(send(&mut stage, 2, a, "auth"), [got(2, a, "hello you")]);
    assert_eq!(send(&mut stage, 2, b, "auth"), [got(2, b, "hello you")]);
    assert_eq!(send(&mut stage, 3, a, "auth"), [got(3, a, "hello you")], "another port, another session");
    assert_eq!(stage.sessions(), 3);
    assert_eq!(send(&mut stage, 2, a, "hear;join tea"), [got(2, a, "joined tea@0")]);
    assert_eq!(send(&mut stage, 3, a, "hear;join tea"), [got(3, a, "joined tea@0")]);
    let mut heard = send(&mut stage, 2, b, "publish tea hi");
    heard.sort();
    assert_eq!(heard, [got(2, a, "event tea@1 hi"), got(3, a, "event tea@1 hi")]);
    assert_eq!(send(&mut stage, 2, a, "say 1;say 2"), [got(2, a, "1"), got(2, a, "2")]);
    send(&mut stage, 2, a, "close");
    assert_eq!(stage.sessions(), 2);
    // The address is free: what comes from it next begins anew.
    assert_eq!(
        send(&mut stage, 2, a, "publish tea x"),
        [got(2, a, "refused NotGranted { right: \"WRITE\" }")]
    );
    for (port, from) in [(2, a), (2, b), (3, a)] {
        send(&mut stage, port, from, "close");
    }
    stage.assert_empty();
}

#[test]
fn who_has_an_address_is_heard_while_nobody_is_accepted() {
    let mut plan = plan(1);
    plan.limits.connections = 2;
    let mut stage = Stage::build(plan);
    let address: SocketAddr = "10.0.0.1:5".parse().unwrap();
    stage.house.sim.send(2, address, b"auth");
    stage.settle();
    let _line = puppet(&mut stage, "auth");
    assert_eq!(stage.house.sim.sent().len(), 1);
    let _one_too_many = stage.house.connect(1);
    stage.settle();
    for n in 0..200 {
        stage.house.sim.send(2, address, format!("say {n}").as_bytes());
    }
    // No time passes: the listener rests.
    stage.settle();
    assert_eq!(stage.house.sim.sent().len(), 200);
}

#[test]
fn an_answer_where_nothing_was_asked_changes_nothing() {
    let mut stage = Stage::build(plan(1));
    let mut ws = Ws::open(stage.connect(), "/puppet?do=accept");
    stage.settle();
    ws.say("respond what?");
    ws.say("say still here");
    stage.settle();
    assert_eq!(ws.texts(), ["still here"]);
    let mut line = puppet(&mut stage, "respond what?;say still here");
    line.say("say and here");
    stage.settle();
    assert_eq!(line.heard(), ["and here"]);
}

#[test]
fn requests_on_one_connection_are_sessions_one_after_the_other() {
    let mut stage = Stage::build(plan(1));
    let mut http = Http::new(stage.connect());
    http.get("/puppet?do=auth;answer");
    http.get("/puppet?do=respond+two");
    http.get("/puppet?do=auth;stream;say+three");
    stage.settle();
    let bodies: Vec<_> = http.responses().into_iter().map(|r| r.body).collect();
    assert_eq!(bodies, ["hello you", "two", "three\n"]);
    assert_eq!((stage.sessions(), stage.counters().attached), (1, 3));
    http.peer.finish();
    stage.settle();
    stage.assert_empty();
}

#[test]
fn a_session_that_answers_and_then_waits_for_an_inbox_ends_all_the_same() {
    let mut plan = plan(1);
    (plan.limits.inbox_high, plan.limits.inbox_low) = (1, 0);
    let mut stage = Stage::build(plan);
    let mut member = puppet(&mut stage, "auth;hear;join tea");
    let mut http = Http::new(stage.connect());
    http.get("/puppet?do=auth;tell+tea+1;tell+tea+2;respond+done;publish+tea+3;publish+tea+4");
    stage.settle();
    assert_eq!(http.response().status, 200);
    stage.pass_ms(100);
    assert_eq!(stage.sessions(), 1, "the request was answered, its session is over");
    drop(member.heard());
}

#[test]
fn everybody_hears_a_broadcast_in_its_own_manner_and_nobody_before_it_hears() {
    let mut stage = Stage::build(plan(2));
    let mut line = puppet(&mut stage, "auth;hear");
    let mut deaf = puppet(&mut stage, "auth");
    let mut events = puppet(&mut stage, "auth;hear events");
    let mut ws = Ws::open(stage.connect(), "/puppet?do=accept;auth;hear+parts");
    stage.settle();
    ws.heard();
    line.say("broadcast hi");
    stage.settle();
    assert_eq!(line.heard(), ["*@1 hi"]);
    assert_eq!(events.heard(), ["event *@1 hi"]);
    assert_eq!(ws.heard(), [Heard::text("*@1"), Heard::Binary(b"hi".to_vec())]);
    assert!(deaf.heard().is_empty());
    assert_ne!(who(&mut stage, &mut line), who(&mut stage, &mut deaf));
}
