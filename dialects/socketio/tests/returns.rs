//! Sessions that wait for their clients, alone: how many may, for whom, and what a client that comes back finds.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails so, in its helpers too")]

mod common;

use common::{Stage, link, opening, pace};
use dialect::Event;
use model::{Principal, Ticket};
use socketio_dialect::Client;
use socketio_dialect::talk::broker::Broker;
use socketio_dialect::talk::peer::{Peer, Terms};
use socketio_dialect::talk::recovery::Recovery;
use socketio_dialect::talk::sid::Key;
use socketio_dialect::talk::socket::{Bounds, Sio};
use socketio_dialect::talk::worlds::Worlds;
use socketio_dialect::wire::packet::Limits;
use std::sync::Arc;
use std::time::Duration;

const OPEN: &str = "GET EIO=4&transport=websocket";

fn terms(sessions: usize) -> Arc<Terms> {
    let recovery = Some(Recovery::new(Duration::from_secs(60), sessions));
    let (key, client) = (Key::new([7; 32]), Client::default());
    Arc::new(Terms { path: "/socket.io", pace: pace(), key, recovery, cookie: None, client })
}

/// A client of the broker on link 1, connected to nothing.
fn fresh(terms: &Arc<Terms>) -> Stage {
    let bounds =
        Bounds { packets: Limits::default(), namespaces: 2, connect_timeout: Duration::from_secs(45) };
    let app = Sio::new(&bounds, Worlds::new(terms.key.clone(), Broker)).with_returns(Some(terms.key.clone()));
    let mut stage = Stage::new(Box::new(Peer::new(Arc::clone(terms), &opening(), app)), terms);
    stage.ask(1, OPEN, "");
    stage
}

/// One that is connected.
fn connected(terms: &Arc<Terms>) -> Stage {
    let mut stage = fresh(terms);
    stage.say(1, "40");
    let principal = Arc::new(Principal::anonymous(Vec::new()));
    let told = stage.tell(Event::Authenticated { ticket: Ticket(1 << 63), principal: &principal });
    assert_eq!(told.last().unwrap(), "Recoverable(Some(105s))", "away, and before that unnoticed: {told:?}");
    stage
}

#[test]
fn no_more_sessions_wait_than_may() {
    let terms = terms(1);
    let (mut one, mut two) = (connected(&terms), connected(&terms));
    assert_eq!(one.tell(Event::LinkLost(link(1))), ["1: dropped"]);
    assert_eq!(two.tell(Event::LinkLost(link(1))), ["closed Gone"]);
    assert_eq!(one.pass(59_999), [""; 0]);
    assert_eq!(one.pass(1), ["closed Gone"]);
    drop(one);
    assert_eq!(connected(&terms).tell(Event::LinkLost(link(1))), ["1: dropped"], "there is room again");
}

#[test]
fn who_broke_the_protocol_or_left_is_not_waited_for() {
    let terms = terms(1);
    let mut stage = connected(&terms);
    assert_eq!(stage.say(1, "4nonsense"), ["closed Fault 1005"]);
    let mut stage = connected(&terms);
    assert_eq!(stage.say(1, "41"), ["closed Done", "Recoverable(None)"]);
    // Who is silent is: it may have been cut off.
    let mut stage = connected(&terms);
    assert_eq!(stage.pass(45_000), ["1< 2", "1: dropped"]);
    assert_eq!(stage.pass(60_000), ["closed Gone"]);
}

#[test]
fn a_session_that_waits_is_told_things_in_vain_and_takes_only_its_own_client() {
    let terms = terms(1);
    let mut stage = connected(&terms);
    stage.tell(Event::LinkLost(link(1)));
    assert_eq!(stage.tell(Event::Gap { missed: 3 }), [""; 0]);
    let post = "POST EIO=4&transport=polling&sid=SID";
    let unknown = "2: 400 {\"code\":1,\"message\":\"Session ID unknown\"}";
    assert_eq!(stage.ask(2, post, "42[\"publish\",\"a\",1]"), [unknown], "not by the id that it had");
    let other = model::SessionId { slot: 9, ..common::SESSION };
    let as_other = post.replace("SID", &terms.key.sid(other));
    assert_eq!(stage.ask(2, &as_other, "40"), [unknown]);
    let wrong = format!("40{{\"pid\":\"{}\"}}", terms.key.pid(other));
    assert_eq!(stage.ask(2, &as_other, &wrong), [unknown]);
    assert_eq!(stage.say(3, &wrong), ["3: dropped"]);
    // With half an attachment heard before it was lost, and what is said at once afterwards.
    let pid = terms.key.pid(common::SESSION);
    let both = format!("40{{\"pid\":\"{pid}\"}}␞421[\"subscribe\",\"a\"]");
    let told = stage.ask(2, &as_other, &both);
    assert_eq!(told[..2], ["hear", "2: 200 ok"]);
    assert!(told[2].contains("Recover { heard: None, mark: Mark(0) }"), "{told:?}");
    assert_eq!(told.len(), 3);
    let told = stage.tell(Event::Recovered { ticket: Ticket(1 << 58), missed: Some(&[]) });
    assert_eq!(told, ["resume", "hear", "join a"]);
    let id = terms.key.socket(common::SESSION, 0);
    let poll = "GET EIO=4&transport=polling&sid=SID".replace("SID", &terms.key.sid(other));
    assert_eq!(stage.ask(4, &poll, ""), [format!("4: 200 40{{\"sid\":\"{id}\",\"pid\":\"{pid}\"}}")]);
}

#[test]
fn who_has_missed_more_than_is_kept_is_let_go() {
    let terms = terms(1);
    let mut stage = connected(&terms);
    let back = format!("40{{\"pid\":\"{}\"}}", terms.key.pid(common::SESSION));
    let told = stage.say(2, &back);
    assert_eq!(told[..2], ["1: dropped", "hear"], "before the loss of its link was noticed");
    assert_eq!(stage.tell(Event::Recovered { ticket: Ticket(1 << 58), missed: None }), ["closed Done 1005"]);
}

#[test]
fn a_client_that_comes_back_leads_to_its_session_and_goes_on_there() {
    let terms = terms(1);
    let other = model::SessionId { slot: 9, ..common::SESSION };
    let back = format!("40{{\"pid\":\"{}\"}}", terms.key.pid(other));
    let mut stage = fresh(&terms);
    assert_eq!(stage.say(1, &back), ["hand over"]);
    assert_eq!(stage.say(1, "42[\"publish\",\"a\",1]"), ["hand over"], "whatever it is");
    assert_eq!(stage.pass(44_000), [""; 0]);
    assert_eq!(stage.ask(2, "GET EIO=4&transport=polling&sid=SID", ""), ["hand over"]);
    assert_eq!(stage.pass(44_999), [""; 0]);
    assert_eq!(stage.pass(1), ["closed Done"], "nobody has asked for long");
    // There is no such session: it is told again what it was told, by what is another link now.
    let mut stage = fresh(&terms);
    stage.say(1, &back);
    assert_eq!(stage.tell_on(7, Event::NoSuchSession(other)), [""; 0]);
    assert_eq!(stage.say(7, &back), ["authenticate", "hold"]);
    // Who is connected does not come back to another.
    let mut stage = connected(&terms);
    assert_eq!(stage.say(1, &back), ["closed Fault 1005"]);
}

#[test]
fn who_is_there_does_not_come_back() {
    let terms = terms(1);
    let own = format!("40{{\"pid\":\"{}\"}}", terms.key.pid(common::SESSION));
    // It would be told all that it has been told already, as often as it likes.
    assert_eq!(connected(&terms).say(1, &own), ["closed Fault 1005"]);
    let mut stage = connected(&terms);
    assert_eq!(stage.say(2, &own)[..2], ["1: dropped", "hear"]);
    stage.tell(Event::Recovered { ticket: Ticket(1 << 58), missed: Some(&[]) });
    assert_eq!(stage.say(2, &own), ["closed Fault 1005"], "once it has");
}

#[test]
fn a_session_for_which_nothing_was_kept_ends_when_its_client_comes_back() {
    let terms = terms(1);
    let own = format!("40{{\"pid\":\"{}\"}}", terms.key.pid(common::SESSION));
    let mut stage = fresh(&terms);
    assert_eq!(stage.say(2, &own), ["closed Done"]);
    // Nor is one revived that is to end, and it does so at once.
    let mut stage = connected(&terms);
    stage.tell(Event::LinkLost(link(1)));
    let other = model::SessionId { slot: 9, ..common::SESSION };
    let post = "POST EIO=4&transport=polling&sid=SID".replace("SID", &terms.key.sid(other));
    stage.ask(2, &post, &own);
    assert_eq!(stage.tell(Event::Recovered { ticket: Ticket(1 << 58), missed: None }), [""; 0]);
    let third = model::SessionId { slot: 10, ..common::SESSION };
    let again = "POST EIO=4&transport=polling&sid=SID".replace("SID", &terms.key.sid(third));
    let unknown = "3: 400 {\"code\":1,\"message\":\"Session ID unknown\"}";
    assert_eq!(stage.ask(3, &again, &own), [unknown, "closed Done"]);
}

#[test]
fn what_comes_while_the_missed_is_being_looked_up_is_part_of_it() {
    let terms = terms(1);
    let mut stage = connected(&terms);
    let own = format!("40{{\"pid\":\"{}\"}}", terms.key.pid(common::SESSION));
    stage.tell(Event::LinkLost(link(1)));
    stage.say(2, &own);
    let delivery = Arc::new(model::Delivery::new(model::Message {
        vhost: model::VHostName::root(),
        channel: None,
        event: None,
        payload: model::Payload::text(bytes::Bytes::from_static(b"x")),
        verbatim: None,
        publisher: model::Publisher { session: common::SESSION, name: None, address: None },
        position: model::Position { epoch: 1, offset: 1 },
        recoverable: false,
        time_ms: 0,
    }));
    assert_eq!(stage.tell(Event::Deliver(&delivery)), [""; 0]);
    let told = stage.tell(Event::Recovered { ticket: Ticket(1 << 58), missed: Some(&[delivery]) });
    assert_eq!(told[0], "2< 42[\"broadcast\",\"x\",\"1-1\"]");
}
