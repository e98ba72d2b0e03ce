//! Compressed messages that are much work: inflated in slices, one in a turn, while others are served.

mod common;

use carrier::websocket::AT_ONCE;
use common::peers::{Ws, deflated_frame, deflated_frame_of, text_frame};
use common::puppet;
use common::stage::Stage;
use model::CloseReason;

const OFFER: &str = "permessage-deflate; client_max_window_bits";

fn stage() -> Stage {
    let mut plan = puppet::plan(1);
    plan.deflate = true;
    Stage::build(plan)
}

/// Somebody who has said these orders.
fn joined(stage: &mut Stage, orders: &str) -> Ws {
    let mut ws = Ws::offering(stage.connect(), "/puppet?do=auth;accept", OFFER);
    stage.settle();
    ws.say(orders);
    stage.settle();
    ws.heard();
    ws
}

/// Bytes of a long frame's header.
const HEADER: usize = 14;

/// A message that takes so many slices.
fn long(orders: &str, slices: usize) -> Vec<u8> {
    deflated_frame_of(orders, slices * AT_ONCE - 100)
}

/// Turns until everything of these was read.
fn read_all(stage: &mut Stage, of: &[(&Ws, &[u8])]) {
    let before = stage.counters().bytes_in;
    let mut sent = 0;
    for (ws, bytes) in of {
        ws.peer.write(bytes);
        sent += bytes.len() as u64;
    }
    while stage.counters().bytes_in < before + sent {
        assert!(stage.step(), "there is more to read");
    }
}

#[test]
fn others_are_served_between_the_slices() {
    let mut stage = stage();
    let mut bomber = joined(&mut stage, "who");
    let mut good = joined(&mut stage, "who");
    let after = text_frame("say after it");
    read_all(&mut stage, &[(&bomber, &[long("say through", 20), after].concat())]);
    let mut served = 0;
    let heard = loop {
        good.say("say served");
        assert!(stage.step(), "it is not forgotten");
        served += good.texts().len();
        let heard = bomber.texts();
        if !heard.is_empty() {
            break heard;
        }
        assert!(served < 1_000);
    };
    assert!((18..=22).contains(&served), "{served} times");
    stage.settle();
    let heard = [heard, bomber.texts()].concat();
    assert_eq!(heard, ["through", "after it"], "and nothing overtakes it");
}

#[test]
fn a_turn_has_one_slice_whoever_sends() {
    let mut stage = stage();
    let mut bombers: Vec<Ws> = (0..5).map(|_| joined(&mut stage, "who")).collect();
    let bomb = long("say through", 8);
    let of: Vec<(&Ws, &[u8])> = bombers.iter().map(|ws| (ws, bomb.as_slice())).collect();
    read_all(&mut stage, &of);
    let mut turns = 0;
    let mut heard_after = Vec::new();
    while heard_after.len() < bombers.len() {
        assert!(stage.step(), "none is forgotten");
        turns += 1;
        heard_after.extend(bombers.iter_mut().filter_map(|ws| ws.texts().pop()).map(|_| turns));
    }
    // The first may have had a slice or two while the others were still being read.
    let steps: Vec<i32> = heard_after.windows(2).map(|two| two[1] - two[0]).collect();
    assert!(steps.iter().all(|step| *step >= 8), "{heard_after:?}");
}

/// What has been inflated of a message is not thrown away for another, whoever is read first.
#[test]
fn news_of_one_does_not_take_the_place_of_another() {
    let mut stage = stage();
    let mut first = joined(&mut stage, "who");
    let mut second = joined(&mut stage, "who");
    read_all(&mut stage, &[(&first, &long("say through", 20))]);
    assert!(stage.step(), "it begins");
    read_all(&mut stage, &[(&second, &long("say through", 2))]);
    let mut turns = 0;
    while first.texts().is_empty() {
        second.say("who");
        assert!(stage.step());
        turns += 1;
        assert!(turns <= 20, "every turn goes on with it");
    }
    assert!(second.texts().is_empty());
    stage.settle();
    assert_eq!(second.texts()[0], "through");
}

#[test]
fn many_messages_of_nothing_are_shared_out_too() {
    let mut stage = stage();
    let mut bomber = joined(&mut stage, "who");
    let mut good = joined(&mut stage, "who");
    // None is long.
    let bombs = deflated_frame_of("who", AT_ONCE / 2).repeat(40);
    bomber.peer.write(&[bombs, deflated_frame("say through")].concat());
    let mut served = 0;
    while !bomber.texts().iter().any(|text| text == "through") {
        good.say("say served");
        assert!(stage.step());
        served += good.texts().len();
        assert!(served < 1_000);
    }
    // A link whose news came in this turn may be read a second time in it.
    assert!(served >= 40 / 3 / 2, "{served} times");
}

/// A session that holds does not hold up others, and says what it had to say when it goes on.
#[test]
fn who_holds_gives_up_his_place() {
    let mut stage = stage();
    let mut holder = joined(&mut stage, "after 20 hold;after 2000 resume");
    let mut other = joined(&mut stage, "who");
    read_all(&mut stage, &[(&holder, &[long("say through", 20), text_frame("say after it")].concat())]);
    (0..3).for_each(|_| assert!(stage.step()));
    stage.house.sim.pass(std::time::Duration::from_millis(100));
    (0..2).for_each(|_| assert!(stage.step()));
    other.peer.write(&long("say mine", 3));
    stage.settle();
    assert_eq!(other.texts(), ["mine"]);
    assert_eq!(holder.heard(), [], "it holds");
    stage.pass_ms(3_000);
    assert_eq!(holder.texts(), ["through", "after it"]);
}

/// Who ends in the middle leaves nothing behind for the next in his place.
#[test]
fn the_next_begins_anew() {
    let mut stage = stage();
    let mut first = joined(&mut stage, "after 20 close");
    read_all(&mut stage, &[(&first, &long("say through", 20))]);
    (0..3).for_each(|_| assert!(stage.step()));
    stage.pass_ms(100);
    assert_eq!(first.closed_with(), Some(1000));
    first.peer.finish();
    stage.settle();
    assert_eq!(stage.connections(), 0);
    let mut next = joined(&mut stage, "who");
    next.peer.write(&long("say mine", 3));
    stage.settle();
    assert_eq!(next.texts(), ["mine"]);
}

#[test]
fn it_must_be_a_message_to_its_end() {
    let mut stage = stage();
    for spoilt in [500, AT_ONCE + 500, 3 * AT_ONCE - 200] {
        let mut ws = joined(&mut stage, "who");
        let mut bomb = long("say through", 3);
        bomb[HEADER + spoilt..HEADER + spoilt + 5].iter_mut().for_each(|byte| *byte ^= 0xff);
        ws.peer.write(&bomb);
        stage.settle();
        assert_eq!(ws.closed_with(), Some(1007), "spoilt at {spoilt}");
        ws.peer.finish();
    }
    let mut ws = joined(&mut stage, "who");
    ws.peer.write(&deflated_frame_of(&"x".repeat(3_000_000), 2 * AT_ONCE));
    stage.settle();
    assert_eq!(ws.closed_with(), Some(1009));
    assert_eq!((stage.closed(CloseReason::Fault), stage.closed(CloseReason::TooBig)), (3, 1));
}

#[test]
fn a_stranger_may_not_send_more_than_could_come_to_what_he_may_say() {
    let mut plan = puppet::plan(1);
    plan.deflate = true;
    plan.limits.strangers_inflated_bytes = 100_000;
    let mut stage = Stage::build(plan);
    let mut ws = Ws::offering(stage.connect(), "/puppet?do=accept", OFFER);
    stage.settle();
    ws.peer.write(&deflated_frame_of("say through", 100_000));
    stage.settle();
    assert_eq!(ws.texts(), ["through"]);
    ws.peer.write(&deflated_frame_of("say through", 120_000));
    stage.settle();
    assert_eq!(ws.closed_with(), Some(1009));
}
