//! Sessions alone, where a play cannot say it: edges of time, lost links, bounds, what is said too early.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails so, in its helpers too")]

mod common;

use common::{Stage, link, opening, pace, terms};
use dialect::{Event, Turn};
use model::{CloseReason, Principal, Refusal, SessionId, Ticket};
use socketio_dialect::talk::app::{App, Said};
use socketio_dialect::talk::broker::Broker;
use socketio_dialect::talk::engine::{Over, Pace};
use socketio_dialect::talk::layer::Line;
use socketio_dialect::talk::peer::Peer;
use socketio_dialect::talk::socket::{Bounds, Sio, Sockets};
use socketio_dialect::talk::worlds::Worlds;
use socketio_dialect::wire::packet::Limits;
use std::sync::Arc;
use std::time::Duration;

const POLL: &str = "GET EIO=4&transport=polling&sid=SID";
const POST: &str = "POST EIO=4&transport=polling&sid=SID";
const PROBE: &str = "GET EIO=4&transport=websocket&sid=SID";

fn bounds() -> Bounds {
    Bounds { packets: Limits::default(), namespaces: 2, connect_timeout: Duration::from_secs(45) }
}

/// A conversation of the broker.
fn broker(pace: Pace) -> Stage {
    let terms = terms(pace);
    let layer = Sio::new(&bounds(), Worlds::new(terms.key.clone(), Broker));
    Stage::new(Box::new(Peer::new(Arc::clone(&terms), &opening(), layer)), &terms)
}

/// A session by polls, on link 1.
fn by_polls(pace: Pace) -> Stage {
    let mut stage = broker(pace);
    let told = stage.ask(1, "GET EIO=4&transport=polling", "");
    assert!(told.len() == 2 && told[0] == "outlive" && told[1].starts_with("1: 200 0{"), "{told:?}");
    stage
}

/// A session by WebSocket, on link 1.
fn by_websocket(pace: Pace) -> Stage {
    let mut stage = broker(pace);
    assert_eq!(stage.ask(1, "GET EIO=4&transport=websocket", "")[0], "1: 101");
    stage
}

/// The hub answers who wants to be connected.
fn authenticated(stage: &mut Stage) -> Vec<String> {
    let principal = Arc::new(Principal::anonymous(Vec::new()));
    stage.tell(Event::Authenticated { ticket: Ticket(1 << 63), principal: &principal })
}

#[test]
fn pings_are_due_to_the_millisecond() {
    let mut stage = by_websocket(pace());
    stage.say(1, "40");
    authenticated(&mut stage);
    assert_eq!(stage.pass(24_999), [""; 0]);
    assert_eq!(stage.pass(1), ["1< 2"]);
    assert_eq!(stage.pass(19_999), [""; 0]);
    assert_eq!(stage.say(1, "3"), [""; 0]);
    // The next is due an interval after the answer.
    assert_eq!(stage.pass(24_999), [""; 0]);
    assert_eq!(stage.pass(1), ["1< 2"]);
    assert_eq!(stage.pass(20_000), ["closed Silent 1005"]);
}

#[test]
fn what_is_said_meanwhile_puts_the_end_off_but_not_the_ping() {
    let mut stage = by_websocket(pace());
    stage.say(1, "40");
    authenticated(&mut stage);
    stage.pass(24_000);
    stage.say(1, "6");
    assert_eq!(stage.pass(1000), ["1< 2"]);
    stage.pass(19_000);
    stage.say(1, "6");
    assert_eq!(stage.pass(19_999), [""; 0]);
    assert_eq!(stage.pass(1), ["closed Silent 1005"]);
}

#[test]
fn a_request_that_comes_after_the_end_finds_none() {
    let mut stage = by_polls(pace());
    // Nobody has looked at the clock: two deadlines have passed, of which the first is the ping's.
    stage.pass(25_000);
    assert_eq!(stage.ask(2, POLL, ""), ["2: 200 2"]);
    assert_eq!(stage.pass(20_000), ["closed Silent 1005"]);
    let unknown = r#"2: 400 {"code":1,"message":"Session ID unknown"}"#;
    assert_eq!(stage.ask(2, POLL, ""), [unknown]);
}

#[test]
fn a_link_that_is_lost_ends_a_session_exactly_when_it_carries_it() {
    // The connection that a poll waits on.
    let mut stage = by_polls(pace());
    assert_eq!(stage.ask(2, POLL, ""), [""; 0]);
    assert_eq!(stage.tell(Event::LinkLost(link(1))), [""; 0]);
    assert_eq!(stage.tell(Event::LinkLost(link(2))), ["closed Gone"]);
    // A WebSocket that may become what carries it: another may try, and then it is that one.
    let mut stage = by_polls(pace());
    assert_eq!(stage.ask(3, PROBE, ""), ["3: 101"]);
    assert_eq!(stage.tell(Event::LinkLost(link(3))), [""; 0]);
    assert_eq!(stage.ask(4, PROBE, ""), ["4: 101"]);
    assert_eq!(stage.say(4, "2probe"), ["4< 3probe"]);
    assert_eq!(stage.say(4, "5"), [""; 0]);
    assert_eq!(stage.tell(Event::LinkLost(link(2))), [""; 0]);
    assert_eq!(stage.tell(Event::LinkLost(link(4))), ["closed Gone"]);
}

#[test]
fn a_cookie_comes_with_the_answer_that_opens_a_session_by_polls_and_no_other() {
    let mut stage = by_polls(pace());
    assert_eq!(stage.cookie.as_deref(), Some("io=<sid>; Path=/; HttpOnly; SameSite=Lax"));
    assert_eq!(stage.ask(2, POST, "40")[0], "2: 200 ok");
    assert_eq!(stage.cookie, None);
    authenticated(&mut stage);
    assert_eq!(stage.ask(2, POLL, "").len(), 1);
    assert_eq!(stage.cookie, None);
    // Who is refused is given none; nor is a WebSocket, whose 101 has none in the reference either.
    let mut stage = broker(Pace { allow_three: false, ..pace() });
    assert!(stage.ask(1, "GET EIO=3&transport=polling", "")[0].starts_with("1: 400"));
    assert_eq!((stage.cookie.take(), by_websocket(pace()).cookie), (None, None));
}

#[test]
fn a_change_takes_no_longer_than_it_may() {
    let mut stage = by_polls(pace());
    stage.ask(3, PROBE, "");
    assert_eq!(stage.pass(9_999), [""; 0]);
    assert_eq!(stage.pass(1), ["3: dropped"]);
    // Whoever comes too late is not heard.
    assert_eq!(stage.say(3, "2probe"), ["3: dropped"]);
    // Nobody polls: there is nothing to be answered every 100 ms, and time goes on.
    stage.ask(4, PROBE, "");
    assert_eq!(stage.say(4, "2probe"), ["4< 3probe"]);
    assert_eq!(stage.pass(9_999), [""; 0]);
    assert_eq!(stage.pass(1), ["4: dropped"]);
    assert_eq!(stage.ask(2, POST, "40"), ["2: 200 ok", "authenticate", "hold"]);
}

#[test]
fn what_waits_for_a_poll_is_bounded() {
    let mut stage = by_polls(pace());
    stage.ask(2, POST, "40");
    authenticated(&mut stage);
    // Each answer waits; each costs what it is long and 16.
    let ask = |n: u32| format!("42{n}[\"x\"]");
    let mut said = 0;
    let end = loop {
        let wanted = stage.ask(2, POST, &ask(said));
        said += 1;
        assert!(said < 20, "nothing bounds it");
        if wanted.len() > 1 {
            break wanted;
        }
    };
    assert!(said > 1, "some may wait");
    assert_eq!(end, ["2: 200 ok", "closed SlowConsumer"]);
}

#[test]
fn what_waits_is_told_by_the_next_poll_and_then_no_more() {
    let mut stage = by_polls(pace());
    stage.ask(2, POST, "40");
    authenticated(&mut stage);
    stage.ask(2, POST, "420[\"x\"]␞421[\"y\"]");
    let told = stage.ask(2, POLL, "");
    assert!(told.len() == 1 && told[0].matches('␞').count() == 2, "{told:?}");
    assert_eq!(stage.ask(2, POLL, ""), [""; 0]);
}

#[test]
fn what_is_said_too_early_waits_and_is_heard_in_order() {
    let mut stage = by_websocket(pace());
    assert_eq!(stage.say(1, "40"), ["authenticate", "hold"]);
    // Links are not read from here; this was read already.
    for early in
        ["420[\"subscribe\",\"a\"]", "451-[\"publish\",\"a\",{\"_placeholder\":true,\"num\":0}]", "0x01"]
    {
        assert_eq!(stage.say(1, early), [""; 0]);
    }
    assert_eq!(stage.say(1, "421[\"subscribe\",\"b\"]"), [""; 0]);
    let heard = authenticated(&mut stage);
    assert!(
        heard[0] == "hear" && heard[1].starts_with("1< 40{\"sid\":") && heard[2] == "resume",
        "{heard:?}"
    );
    assert!(heard[3] == "join a" && heard[4].contains("Publish") && heard[5] == "join b", "{heard:?}");
    assert_eq!(heard.len(), 6);
}

#[test]
fn who_is_refused_may_have_said_something_that_is_now_out_of_turn() {
    let mut stage = by_websocket(pace());
    stage.say(1, "40");
    stage.say(1, "42[\"publish\",\"a\",1]");
    let heard = stage.tell(Event::Refused { ticket: Ticket(1 << 63), refusal: &Refusal::BadToken });
    assert!(heard[0].starts_with("1< 44{\"message\":"), "{heard:?}");
    assert_eq!(heard[1..], ["resume", "closed Fault 1005"]);
}

#[test]
fn a_session_that_ends_while_nobody_polls_is_told_so_by_the_next_poll() {
    let mut stage = by_polls(pace());
    stage.pass(25_000);
    stage.ask(2, POST, "3");
    assert_eq!(stage.pass(20_000), [""; 0]);
    // Connected to nothing for 45 s: what waited, then the end.
    assert_eq!(stage.ask(2, POLL, ""), ["2: 200 2␞1", "closed Done"]);

    let mut stage = by_polls(pace());
    stage.pass(25_000);
    stage.ask(2, POST, "3");
    stage.pass(20_000);
    // Nobody comes.
    assert_eq!(stage.pass(29_999), [""; 0]);
    assert_eq!(stage.pass(1), ["closed Done"]);
}

/// An application that lets everybody in everywhere.
struct Open;

impl App for Open {
    fn wishes(
        &mut self,
        namespace: &str,
        _: Option<&str>,
        sockets: &mut Sockets,
        line: &mut Line<'_>,
        turn: &mut Turn,
    ) -> Result<(), Over> {
        sockets.connect(namespace, "<id>", line, turn)
    }

    fn hears(&mut self, _: &Said<'_>, _: &mut Sockets, _: &mut Line<'_>, _: &mut Turn) -> Result<(), Over> {
        Ok(())
    }
}

#[test]
fn namespaces_are_bounded_and_one_that_is_left_makes_room() {
    let terms = terms(pace());
    let peer = Peer::new(Arc::clone(&terms), &opening(), Sio::new(&bounds(), Open));
    let mut stage = Stage::new(Box::new(peer), &terms);
    stage.ask(1, "GET EIO=4&transport=websocket", "");
    assert_eq!(stage.say(1, "40/a"), ["1< 40/a,{\"sid\":\"<id>\"}", "resume"]);
    assert_eq!(stage.say(1, "40/b"), ["1< 40/b,{\"sid\":\"<id>\"}", "resume"]);
    assert_eq!(stage.say(1, "41/a"), [""; 0]);
    assert_eq!(stage.say(1, "40/c"), ["1< 40/c,{\"sid\":\"<id>\"}", "resume"]);
    assert_eq!(stage.say(1, "40/d"), ["closed Fault 1005"]);
}

#[test]
fn a_request_for_somebody_elses_session_goes_there_or_finds_none() {
    let mut stage = broker(pace());
    assert_eq!(stage.ask(1, POLL, ""), ["hand over"]);
    let unknown = r#"-: 400 {"code":1,"message":"Session ID unknown"}"#;
    assert_eq!(stage.tell(Event::NoSuchSession(common::SESSION)), [unknown]);
    for sid in ["x", "AAAA", "%C3%A9"] {
        let mut stage = broker(pace());
        let told = stage.ask(1, &format!("GET EIO=4&transport=polling&sid={sid}"), "");
        assert_eq!(told, [unknown.replace("-:", "1:")], "{sid}");
    }
}

/// The hub says this of a branch.
fn of_branch(branch: SessionId) -> impl FnOnce(&mut Turn) {
    move |turn| turn.branch = Some(branch)
}

/// A client that is connected to `/`, where it came first, and to `/admin`, which is this branch.
fn in_two() -> (Stage, SessionId) {
    let branch = SessionId { shard: 0, slot: 99, generation: 1 };
    let mut stage = by_websocket(pace());
    stage.say(1, "40");
    authenticated(&mut stage);
    assert_eq!(stage.say(1, "40/admin,"), ["branch /admin", "hold"]);
    let told = stage.tell(Event::Branched { ticket: Ticket(1 << 57 | 1), session: branch });
    assert_eq!(told, ["in 99: authenticate"]);
    let principal = Arc::new(Principal::anonymous(Vec::new()));
    let event = Event::Authenticated { ticket: Ticket(1 << 63), principal: &principal };
    let told = stage.tell_of(of_branch(branch), event);
    assert_eq!(
        (told[0].as_str(), &told[1][..16], told[2].as_str()),
        ("in 99: hear", "1< 40/admin,{\"si", "resume")
    );
    (stage, branch)
}

#[test]
fn what_is_asked_in_a_namespace_its_branch_asks() {
    let (mut stage, _) = in_two();
    assert_eq!(stage.say(1, "42[\"subscribe\",\"x\"]"), ["join x"]);
    assert_eq!(stage.say(1, "42/admin,[\"subscribe\",\"x\"]"), ["in 99: join x"]);
    assert_eq!(stage.say(1, "41/admin,"), ["in 99: part"]);
    assert_eq!(stage.say(1, "42[\"subscribe\",\"y\"]"), ["join y"]);
    assert_eq!(stage.say(1, "41"), ["closed Done"]);
}

#[test]
fn who_may_not_stay_in_a_namespace_is_told_and_stays_in_others() {
    let (mut stage, branch) = in_two();
    let parted = Event::Parted { reason: CloseReason::Expired };
    assert_eq!(stage.tell_of(of_branch(branch), parted), ["1< 41/admin,"]);
    // It is told once, whatever else was on its way.
    assert_eq!(stage.tell_of(of_branch(branch), parted), [""; 0]);
    assert_eq!(stage.tell_of(of_branch(branch), Event::Gap { missed: 1 }), ["1< 42[\"gap\",{\"missed\":1}]"]);
    let (mut stage, branch) = in_two();
    assert_eq!(stage.tell(parted), ["1< 41"]);
    assert_eq!(stage.tell(Event::Gap { missed: 1 }), ["1< 42/admin,[\"gap\",{\"missed\":1}]"]);
    // With the last of them the session ends, for that reason.
    assert_eq!(stage.tell_of(of_branch(branch), parted), ["1< 41/admin,", "closed Expired"]);
}

#[test]
fn an_answer_that_comes_after_its_namespace_was_left_makes_nobody_of_it() {
    let (mut stage, _) = in_two();
    assert_eq!(stage.say(1, "41"), ["part"]);
    assert_eq!(authenticated(&mut stage), ["part"]);
    // Of what else comes late nothing is said.
    let refusal = Refusal::TooFast;
    let late = Event::Refused { ticket: Ticket(1 << 61 | 7), refusal: &refusal };
    assert_eq!(stage.tell(late), [""; 0]);
}

#[test]
fn a_branch_that_is_not_wanted_any_more_is_given_up() {
    let (mut stage, _) = in_two();
    let late = SessionId { shard: 0, slot: 100, generation: 1 };
    // Nobody waits for it: it answers no wish, or an older one.
    for number in [0, 1, 2] {
        let told = stage.tell(Event::Branched { ticket: Ticket(1 << 57 | number), session: late });
        assert_eq!(told, ["in 100: part"]);
    }
}

#[test]
fn what_is_said_while_an_answer_is_awaited_is_bounded() {
    let mut stage = by_websocket(pace());
    stage.say(1, "40");
    let much = format!("42[\"publish\",\"a\",\"{}\"]", "x".repeat(900));
    let limit = Limits::default().bytes;
    let mut heard = 0;
    loop {
        let told = stage.say(1, &much);
        heard += much.len();
        if told == ["closed TooBig"] {
            break;
        }
        assert_eq!(told, [""; 0]);
        assert!(heard < 2 * limit, "what waits has a bound");
    }
}
