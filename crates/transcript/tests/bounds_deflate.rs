//! Compression met with ill will, and what it costs when it is meant well.

mod common;

use common::peers::{Heard, Ws, deflated_frame, text_frame};
use common::puppet;
use common::stage::Stage;
use http_dialect::Http;
use model::CloseReason;
use rooms_dialect::Rooms;
use transcript::house::Blueprint;

const OFFER: &str = "permessage-deflate; client_max_window_bits";

fn plan() -> Blueprint {
    let mut plan = Blueprint::new(vec![Box::new(Http::default()), Box::new(Rooms::default())]);
    plan.deflate = true;
    plan
}

fn rooms(stage: &mut Stage, offer: &str) -> Ws {
    let mut ws = Ws::offering(stage.connect(), "/", offer);
    stage.settle();
    ws.heard();
    ws.say(r#"{"event":"subscribe","payload":["tea"]}"#);
    stage.settle();
    ws.heard();
    ws
}

fn said(bytes: usize) -> String {
    format!(r#"{{"event":"tea","payload":"{}"}}"#, "x".repeat(bytes))
}

#[test]
fn it_is_agreed_to_where_it_is_configured() {
    let mut stage = Stage::build(plan());
    let answer = |ws: Ws| ws.agreed().map(carrier::websocket::Agreed::answer);
    assert!(answer(rooms(&mut stage, OFFER)).is_some());
    let small = answer(rooms(&mut stage, "permessage-deflate; server_max_window_bits=10")).unwrap();
    assert!(small.ends_with("server_max_window_bits=9"), "{small}");
    assert_eq!(answer(rooms(&mut stage, "x-other")), None);
    let mut plan = plan();
    plan.deflate = false;
    let mut stage = Stage::build(plan);
    let mut ws = rooms(&mut stage, OFFER);
    ws.peer.write(&deflated_frame(&said(10)));
    stage.settle();
    assert_eq!(ws.closed_with(), Some(1002), "and nowhere else");
}

#[test]
fn what_comes_compressed_goes_out_as_each_has_agreed() {
    let mut stage = Stage::build(plan());
    let mut deflating = rooms(&mut stage, OFFER);
    let mut plain = rooms(&mut stage, "x-other");
    let before = (deflating.bytes, plain.bytes);
    for bytes in [10, 1_000, 10_000] {
        let words = said(bytes);
        for raw in [deflated_frame(&words), text_frame(&words)] {
            deflating.peer.write(&raw);
            stage.settle();
            assert_eq!(deflating.texts(), [words.as_str()]);
            assert_eq!(plain.texts(), [words.as_str()]);
        }
    }
    assert_eq!((deflating.deflated, plain.deflated), (4, 0), "a few bytes are not worth it");
    let (less, all) = (deflating.bytes - before.0, plain.bytes - before.1);
    assert!(less * 10 < all, "{less} instead of {all} bytes");
}

#[test]
fn a_reply_is_compressed_when_it_is_long() {
    let mut plan = puppet::plan(1);
    plan.deflate = true;
    let mut stage = Stage::build(plan);
    let mut ws = Ws::offering(stage.connect(), "/puppet?do=auth;accept", OFFER);
    stage.settle();
    ws.heard();
    for (bytes, deflated) in [(10, 0), (10_000, 1)] {
        let words = "x".repeat(bytes);
        ws.say(&format!("say {words}"));
        stage.settle();
        assert_eq!((ws.texts(), ws.deflated), (vec![words], deflated));
    }
}

#[test]
fn a_bomb_ends_where_the_bound_is() {
    let mut plan = plan();
    plan.limits.message_bytes = 100_000;
    let mut stage = Stage::build(plan);
    let mut ws = rooms(&mut stage, OFFER);
    ws.peer.write(&deflated_frame(&"x".repeat(100_000)));
    stage.settle();
    assert_eq!(ws.heard(), []);
    ws.peer.write(&deflated_frame(&"x".repeat(10_000_000)));
    stage.settle();
    assert_eq!(ws.closed_with(), Some(1009));
    assert_eq!(stage.closed(CloseReason::TooBig), 1);
    let inflated = stage.counters().bytes_inflated;
    assert!(inflated <= 200_000 + (64 << 10), "{inflated} bytes");
}

#[test]
fn a_strangers_bomb_ends_sooner() {
    let mut plan = puppet::plan(1);
    plan.deflate = true;
    plan.limits.strangers_inflated_bytes = 5_000;
    let mut stage = Stage::build(plan);
    let mut ws = Ws::offering(stage.connect(), "/puppet?do=accept", OFFER);
    stage.settle();
    ws.peer.write(&deflated_frame(&format!("say {}", "x".repeat(4_000))));
    stage.settle();
    assert_eq!(ws.texts(), ["x".repeat(4_000)]);
    let large = deflated_frame(&format!("say {}", "x".repeat(6_000)));
    let mut friend = Ws::offering(stage.connect(), "/puppet?do=accept;auth", OFFER);
    stage.settle();
    friend.heard();
    [&ws, &friend].iter().for_each(|peer| peer.peer.write(&large));
    stage.settle();
    assert_eq!(ws.closed_with(), Some(1009));
    assert_eq!(friend.texts(), ["x".repeat(6_000)], "who acts for somebody may say more");
    // What is not compressed costs us nothing more than it costs the stranger.
    let mut plain = Ws::offering(stage.connect(), "/puppet?do=accept", OFFER);
    stage.settle();
    plain.say(&format!("say {}", "x".repeat(6_000)));
    stage.settle();
    assert_eq!(plain.texts().len(), 1);
}

#[test]
fn many_small_bombs_do_not_put_others_off() {
    let mut plan = plan();
    plan.limits.read_budget = 100_000;
    let mut stage = Stage::build(plan);
    let bomber = rooms(&mut stage, OFFER);
    let mut good = rooms(&mut stage, OFFER);
    let bomb = deflated_frame(&"x".repeat(100_000));
    let marked = text_frame(r#"{"event":"tea","payload":"last"}"#);
    bomber.peer.write(&[bomb.repeat(200), marked].concat());
    bomber.peer.finish();
    let mut turns = 0;
    let mut heard_after = None;
    loop {
        let before = stage.counters().bytes_inflated;
        good.say(r#"{"event":"tea","payload":"good"}"#);
        if !stage.step() {
            break;
        }
        turns += 1;
        let inflated = stage.counters().bytes_inflated - before;
        // A link whose news came in this turn may be read a second time in it.
        assert!(inflated <= 200_000, "{inflated} bytes in one turn");
        let texts = good.texts();
        if texts.iter().any(|t| t.contains("good")) {
            heard_after.get_or_insert(turns);
        }
        if texts.iter().any(|t| t.contains("last")) {
            break;
        }
        assert!(turns < 1_000);
    }
    assert!(heard_after.is_some_and(|n| n <= 2), "{heard_after:?}");
    assert!(turns >= 100, "{turns}: nothing that came after them was lost, or came before them");
    assert_eq!(stage.counters().bytes_inflated, 200 * 100_000);
}

#[test]
fn a_bomber_that_holds_is_read_on_in_order() {
    let mut plan = puppet::plan(1);
    plan.deflate = true;
    plan.limits.read_budget = 10_000;
    let mut stage = Stage::build(plan);
    let mut ws = Ws::offering(stage.connect(), "/puppet?do=auth;accept", OFFER);
    stage.settle();
    ws.heard();
    let order = |n: usize| deflated_frame(&format!("say {n} {}", "x".repeat(5_000)));
    let mut all: Vec<u8> = (0..10).flat_map(order).collect();
    all.extend(deflated_frame("hold;after 1000 resume"));
    all.extend((10..20).flat_map(order));
    ws.peer.write(&all);
    stage.settle();
    let numbers = |heard: Vec<Heard>| -> Vec<usize> {
        let number = |h: &Heard| {
            let Heard::Text(t) = h else { panic!("{h:?}") };
            t.split(' ').next().unwrap().parse().unwrap()
        };
        heard.iter().map(number).collect()
    };
    assert_eq!(numbers(ws.heard()), (0..10).collect::<Vec<_>>());
    stage.pass_ms(1_500);
    assert_eq!(numbers(ws.heard()), (10..20).collect::<Vec<_>>());
}
