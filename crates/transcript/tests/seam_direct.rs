//! The seam on a made-up dialect: one principal with several ways in, and messages to named members.

mod common;

use common::peers::Lines;
use common::puppet::{plan, puppet};
use common::stage::Stage;

/// Ann has two sessions in `tea`, Bob one, Cid is not in it; all over two shards.
struct Party {
    stage: Stage,
    ann: [Lines; 2],
    bob: Lines,
    cid: Lines,
}

fn party() -> Party {
    let mut stage = Stage::build(plan(2));
    let ann = [
        puppet(&mut stage, "auth ann:1;hear;join tea"),
        puppet(&mut stage, "auth ann:1;hear events;join tea"),
    ];
    let bob = puppet(&mut stage, "auth bob:2;hear;join tea");
    let cid = puppet(&mut stage, "auth cid:3;hear;join milk");
    assert!(stage.house.shards.iter().all(|s| s.sessions() == 2), "they are dealt evenly");
    Party { stage, ann, bob, cid }
}

#[test]
fn a_receiver_with_two_sessions_hears_on_both_and_others_do_not() {
    let mut p = party();
    p.cid.say("direct tea 1 psst");
    p.stage.settle();
    assert_eq!(p.ann[0].heard(), ["tea@1 psst"]);
    assert_eq!(p.ann[1].heard(), ["event tea@1 psst"]);
    assert!(p.bob.heard().is_empty());
    assert_eq!(p.cid.heard().len(), 1, "the receipt only");
}

#[test]
fn several_receivers_on_several_shards_all_hear() {
    let mut p = party();
    p.ann[0].say("direct tea 1,2 you two");
    p.stage.settle();
    assert!(p.ann[0].heard().contains(&"tea@1 you two".to_owned()), "who names itself hears itself");
    assert_eq!(p.ann[1].heard(), ["event tea@1 you two"]);
    assert_eq!(p.bob.heard(), ["tea@1 you two"]);
}

#[test]
fn when_one_receiver_has_not_joined_nobody_hears_and_no_position_is_taken() {
    let mut p = party();
    for receivers in ["1,3", "3,1", "1,2,99"] {
        p.bob.say(&format!("direct tea {receivers} hi"));
        p.stage.settle();
        assert_eq!(p.bob.heard(), ["refused NotJoined"], "{receivers}");
        assert!(p.ann[0].heard().is_empty() && p.ann[1].heard().is_empty());
    }
    p.bob.say("publish tea next");
    p.stage.settle();
    assert_eq!(p.bob.heard(), ["tea@1 next"]);
}

#[test]
fn a_channel_that_does_not_exist_has_no_receivers() {
    let mut p = party();
    p.bob.say("direct nowhere 1 hi");
    p.stage.settle();
    assert_eq!(p.bob.heard(), ["refused NotJoined"]);
}

#[test]
fn a_receiver_counts_until_the_last_of_its_sessions_has_left() {
    let mut p = party();
    p.ann[0].say("leave tea");
    p.stage.settle();
    p.ann[0].heard();
    p.bob.say("direct tea 1 still?");
    p.stage.settle();
    assert!(p.ann[0].heard().is_empty());
    assert_eq!(p.ann[1].heard(), ["event tea@1 still?"]);
    p.bob.heard();
    p.ann[1].peer.vanish();
    p.stage.settle();
    p.bob.say("direct tea 1 and now?");
    p.stage.settle();
    assert_eq!(p.bob.heard(), ["refused NotJoined"]);
}

#[test]
fn direct_messages_keep_their_place_among_the_others() {
    let mut p = party();
    p.ann[0].heard();
    p.bob.say("publish tea 1;direct tea 1 2;publish tea 3;direct tea 2 4;publish tea 5");
    p.stage.settle();
    assert_eq!(p.ann[0].heard(), ["tea@1 1", "tea@2 2", "tea@3 3", "tea@5 5"]);
    let heard: Vec<_> = p.bob.heard().into_iter().filter(|h| h.starts_with("tea")).collect();
    assert_eq!(heard, ["tea@1 1", "tea@3 3", "tea@4 4", "tea@5 5"]);
}

#[test]
fn a_spawned_session_hears_for_the_same_principal() {
    let mut p = party();
    p.cid.say("join out;spawn hear events|join tea|relay out");
    p.stage.settle();
    p.stage.pass_ms(100);
    p.cid.heard();
    p.bob.say("direct tea 3 for your child");
    p.stage.settle();
    assert_eq!(p.cid.heard(), ["out@1 heard for your child"]);
}

#[test]
fn who_becomes_somebody_else_while_a_member_is_addressed_as_it_joined() {
    let mut p = party();
    p.ann[0].say("auth bob:2");
    p.stage.settle();
    p.ann[0].heard();
    p.cid.say("direct tea 1 to ann");
    p.stage.settle();
    assert_eq!(p.ann[0].heard(), ["tea@1 to ann"]);
    // Everything left, it is counted out as it was counted in.
    p.ann[0].peer.vanish();
    p.ann[1].peer.vanish();
    p.stage.settle();
    p.cid.heard();
    p.cid.say("direct tea 1 nobody");
    p.stage.settle();
    assert_eq!(p.cid.heard(), ["refused NotJoined"]);
}

#[test]
fn who_wants_no_echo_is_left_out_and_nobody_else() {
    let mut p = party();
    p.ann[0].say("noecho tea hi");
    p.stage.settle();
    assert!(p.ann[0].heard().is_empty());
    assert_eq!(p.ann[1].heard(), ["event tea@1 hi"], "another session of the same principal hears it");
    assert_eq!(p.bob.heard(), ["tea@1 hi"]);
}
