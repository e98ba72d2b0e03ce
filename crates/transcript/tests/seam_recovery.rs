//! The seam on a made-up dialect: sessions that come back for what they have missed.

mod common;

use common::puppet::{plan, puppet};
use common::stage::Stage;

#[test]
fn what_was_missed_is_told_in_order_and_before_what_comes() {
    let mut stage = Stage::build(plan(2));
    let mut line = puppet(&mut stage, "auth;keep 60000;hear;join tea;join milk;mark");
    let talker = puppet(&mut stage, "auth");
    talker.say("publish tea 1;publish milk 2;publish sugar 3;publish tea 4;broadcast 5");
    stage.settle();
    assert_eq!(line.heard(), ["tea@1 1", "milk@1 2", "tea@2 4", "*@1 5"]);
    line.say("recover");
    talker.say("publish tea 6");
    stage.settle();
    let heard = line.heard();
    assert_eq!(heard[0], "missed tea@1 1 milk@1 2 tea@2 4 *@1 5");
    assert_eq!(heard[1..], ["tea@3 6"]);
    line.say("mark;recover");
    stage.settle();
    assert_eq!(line.heard(), ["missed"]);
}

#[test]
fn what_one_was_not_meant_to_hear_is_not_missed() {
    let mut stage = Stage::build(plan(1));
    let mut line = puppet(&mut stage, "auth;keep 60000;mark;noecho tea 0");
    let other = puppet(&mut stage, "auth;keep 60000;hear;join tea");
    stage.settle();
    other.say("publish tea before");
    stage.settle();
    line.say("hear;join tea;noecho tea mine;publish tea all");
    stage.settle();
    line.say("leave tea");
    stage.settle();
    other.say("publish tea after");
    stage.settle();
    line.heard();
    line.say("recover");
    stage.settle();
    assert_eq!(line.heard(), ["missed tea@3 all"]);
}

#[test]
fn nothing_is_kept_for_nobody_nor_for_longer_than_asked() {
    let mut stage = Stage::build(plan(1));
    let mut line = puppet(&mut stage, "auth;hear;join tea;mark;publish tea 1");
    stage.settle();
    line.say("keep 1000;recover");
    stage.settle();
    line.say("publish tea 2");
    stage.settle();
    stage.pass_ms(999);
    line.say("publish tea 3;recover");
    stage.settle();
    stage.pass_ms(2);
    line.say("publish tea 4;recover");
    stage.settle();
    let heard = line.heard();
    let answers: Vec<_> = heard.iter().filter(|l| l.starts_with("missed") || l.starts_with("not")).collect();
    assert_eq!(answers, ["missed", "missed tea@2 2", "not all is there"], "{heard:?}");
}

#[test]
fn what_does_not_fit_is_forgotten_and_that_is_said() {
    let mut plan = plan(1);
    plan.limits.recovery_bytes = 1000;
    let mut stage = Stage::build(plan);
    let mut line = puppet(&mut stage, "auth;keep 60000;hear;join tea;mark");
    stage.settle();
    line.say("publish tea 1;publish tea 2");
    stage.settle();
    line.heard();
    line.say("recover");
    stage.settle();
    assert_eq!(line.heard(), ["missed tea@1 1 tea@2 2"]);
    line.say("publish tea 3;publish tea 4");
    stage.settle();
    line.heard();
    line.say("recover");
    stage.settle();
    assert_eq!(line.heard(), ["not all is there"]);
}
