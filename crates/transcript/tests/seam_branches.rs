//! The seam on a made-up dialect: sessions that are in several virtual hosts at once, each as somebody of its own.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use common::peers::Lines;
use common::puppet::{Names, plan, puppet, who};
use common::stage::Stage;
use model::{CloseReason, VHostName};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use transcript::house::Blueprint;

/// Shards to try everything on.
const HOUSES: [u16; 2] = [1, 3];

/// A plan of a house with `/`, `/b` and `/c`.
fn worlds(shards: u16) -> Blueprint {
    let mut plan = plan(shards);
    plan.vhosts = ["/b", "/c"].map(|name| VHostName::new(name).unwrap()).into();
    plan
}

fn say(stage: &mut Stage, line: &mut Lines, words: &str) -> Vec<String> {
    line.say(words);
    stage.settle();
    line.heard()
}

/// Gives a session a branch, for which it does this, as `in … auth ann:1`. Its id.
fn branch(stage: &mut Stage, line: &mut Lines, vhost: &str, orders: &[&str]) -> String {
    let told = say(stage, line, &format!("branch {vhost}"));
    let id = told[0].strip_prefix("branched ").unwrap().to_owned();
    for order in orders {
        say(stage, line, &format!("in {id} {order}"));
    }
    id
}

fn audience(stage: &Stage, vhost: &str) -> u32 {
    let vhost = stage.house.exchange.vhost(&VHostName::new(vhost).unwrap()).unwrap();
    vhost.audience.load(Ordering::Relaxed)
}

fn channels(stage: &Stage, vhost: &str) -> usize {
    stage.house.exchange.vhost(&VHostName::new(vhost).unwrap()).unwrap().channels()
}

#[test]
fn names_mean_nothing_outside_their_virtual_host() {
    for shards in HOUSES {
        let mut stage = Stage::build(worlds(shards));
        let mut ann = puppet(&mut stage, "auth ann:1;hear;join tea");
        let in_b = branch(&mut stage, &mut ann, "/b", &["auth", "hear", "join tea"]);
        let in_c = branch(&mut stage, &mut ann, "/c", &["auth", "hear events", "join tea"]);
        let mut bob = puppet(&mut stage, "auth bob:2;hear");
        let bobs = branch(&mut stage, &mut bob, "/b", &["auth", "hear", "join tea"]);
        assert_eq!((channels(&stage, "/"), channels(&stage, "/b"), channels(&stage, "/c")), (1, 1, 1));

        let told = say(&mut stage, &mut bob, &format!("in {bobs} tell tea green"));
        assert_eq!(told, ["/b tea@1 green".to_owned(), format!("in {bobs}: published 2")]);
        assert_eq!(ann.heard(), ["/b tea@1 green"]);
        assert_eq!(say(&mut stage, &mut bob, "tell tea black"), ["published 1"]);
        assert_eq!(ann.heard(), ["tea@1 black"]);
        // Who hears by events is told in which of them.
        assert_eq!(
            say(&mut stage, &mut ann, &format!("in {in_c} tell tea white")),
            [format!("in {in_c}: event /c tea@1 white"), format!("in {in_c}: published 1")]
        );
        // Who does not want to hear himself does not hear himself there.
        assert_eq!(say(&mut stage, &mut ann, &format!("in {in_b} noecho tea hush")), [""; 0]);
        assert_eq!(bob.heard(), ["/b tea@2 hush"]);
        // What is for all is for all who are there.
        assert_eq!(say(&mut stage, &mut bob, &format!("in {bobs} broadcast all")), ["/b *@1 all"]);
        assert_eq!(ann.heard(), ["/b *@1 all"]);
        assert_eq!((audience(&stage, "/"), audience(&stage, "/b"), audience(&stage, "/c")), (2, 2, 1));
        assert_eq!(stage.connections(), 2);
    }
}

#[test]
fn a_message_to_one_session_reaches_what_it_is_there() {
    for shards in HOUSES {
        let mut stage = Stage::build(worlds(shards));
        let mut ann = puppet(&mut stage, "auth ann:1;hear");
        let stem = who(&mut stage, &mut ann);
        let in_b = branch(&mut stage, &mut ann, "/b", &["auth", "hear"]);
        let mut bob = puppet(&mut stage, "auth bob:2");
        let bobs = branch(&mut stage, &mut bob, "/b", &["auth"]);
        let other = branch(&mut stage, &mut bob, "/c", &["auth"]);
        let told = say(&mut stage, &mut bob, &format!("in {bobs} whisper {in_b} you psst"));
        assert_eq!(told, [format!("in {bobs}: published 1")]);
        assert_eq!(ann.heard(), ["/b you@1 psst"]);
        // Whom somebody knows by the session it is a branch of.
        say(&mut stage, &mut bob, &format!("in {bobs} whisper {stem} you again"));
        assert_eq!(ann.heard(), ["/b you@2 again"]);
        say(&mut stage, &mut bob, &format!("whisper {stem} you here"));
        assert_eq!(ann.heard(), ["you@3 here"]);
        for (order, asks) in [
            (format!("whisper {in_b} you no"), String::new()),
            (format!("in {other} whisper {in_b} you no"), format!("in {other}: ")),
            (format!("in {other} whisper {stem} you no"), format!("in {other}: ")),
        ] {
            assert_eq!(say(&mut stage, &mut bob, &order), [format!("{asks}published 0")], "{order}");
            assert_eq!(ann.heard(), [""; 0], "{order}");
        }
    }
}

#[test]
fn a_branch_acts_for_nobody_until_it_has_shown_for_whom() {
    let mut stage = Stage::build(worlds(1));
    let mut ann = puppet(&mut stage, "auth ann:1;hear");
    let b = branch(&mut stage, &mut ann, "/b", &[]);
    let refused = |what: &str| [format!("in {b}: refused NotGranted {{ right: \"{what}\" }}")];
    assert_eq!(say(&mut stage, &mut ann, &format!("in {b} join tea")), refused("READ"));
    assert_eq!(say(&mut stage, &mut ann, &format!("in {b} tell tea x")), refused("WRITE"));
    assert_eq!(
        say(&mut stage, &mut ann, &format!("in {b} auth nobody")),
        [format!("in {b}: refused BadToken")]
    );
    assert_eq!(say(&mut stage, &mut ann, &format!("in {b} auth bob:2")), [format!("in {b}: hello bob")]);
    assert_eq!(say(&mut stage, &mut ann, &format!("in {b} join tea")), [format!("in {b}: joined tea@0")]);
    // The session itself is who it was.
    assert_eq!(say(&mut stage, &mut ann, "join tea"), ["joined tea@0"]);
    assert_eq!(stage.channels(), [("tea".into(), 1)]);
}

#[test]
fn there_are_as_many_branches_as_there_may_be_and_virtual_hosts() {
    let mut plan = worlds(1);
    plan.limits.branches_per_session = 2;
    let mut stage = Stage::build(plan);
    let mut ann = puppet(&mut stage, "auth ann:1");
    for none in ["/nope", "b", ""] {
        assert_eq!(say(&mut stage, &mut ann, &format!("branch {none}")), ["refused UnknownVHost"], "{none}");
    }
    let b = branch(&mut stage, &mut ann, "/b", &[]);
    branch(&mut stage, &mut ann, "/c", &[]);
    assert_eq!(say(&mut stage, &mut ann, "branch /b"), ["refused TooManyBranches { max: 2 }"]);
    assert_eq!(say(&mut stage, &mut ann, &format!("in {b} part")), [""; 0]);
    branch(&mut stage, &mut ann, "/b", &[]);
    assert_eq!(stage.sessions(), 3);
}

#[test]
fn a_branch_that_ends_leaves_what_it_has_joined_and_nothing_else() {
    for shards in HOUSES {
        let mut stage = Stage::build(worlds(shards));
        let mut ann = puppet(&mut stage, "auth ann:1;hear;join tea");
        let b = branch(&mut stage, &mut ann, "/b", &["auth", "hear", "join tea"]);
        let mut eve = puppet(&mut stage, "auth eve:3");
        // Nobody speaks for a branch that is another's.
        assert_eq!(say(&mut stage, &mut eve, &format!("in {b} tell tea x")), [""; 0]);
        assert_eq!(say(&mut stage, &mut eve, &format!("in {b} part")), [""; 0]);
        assert_eq!(say(&mut stage, &mut eve, &format!("in {b} hear events")), [""; 0]);
        assert_eq!(
            say(&mut stage, &mut ann, &format!("in {b} tell tea mine")),
            ["/b tea@1 mine".to_owned(), format!("in {b}: published 1")]
        );
        assert_eq!(ann.heard(), [""; 0]);
        say(&mut stage, &mut ann, &format!("in {b} part"));
        assert_eq!((audience(&stage, "/b"), channels(&stage, "/b"), stage.sessions()), (0, 0, 2));
        assert_eq!(say(&mut stage, &mut ann, &format!("in {b} tell tea x")), [""; 0]);
        assert_eq!(say(&mut stage, &mut ann, &format!("in {b} hear")), [""; 0]);
        assert_eq!(say(&mut stage, &mut ann, "tell tea still"), ["tea@1 still", "published 1"]);
        // Its place is another's, to whom that id means nothing.
        let again = branch(&mut stage, &mut ann, "/b", &["auth"]);
        assert_ne!(again, b);
        assert_eq!(say(&mut stage, &mut ann, &format!("in {b} join tea")), [""; 0]);
        assert_eq!(channels(&stage, "/b"), 0);
    }
}

#[test]
fn who_parts_from_its_own_virtual_host_goes_on_in_others() {
    for shards in HOUSES {
        let mut stage = Stage::build(worlds(shards));
        let mut ann = puppet(&mut stage, "auth ann:1;hear;join tea;join milk");
        let b = branch(&mut stage, &mut ann, "/b", &["auth", "hear", "join tea"]);
        assert_eq!(say(&mut stage, &mut ann, "part"), [""; 0]);
        assert_eq!((stage.channels(), audience(&stage, "/"), stage.sessions()), (vec![], 0, 2));
        assert_eq!(say(&mut stage, &mut ann, "join tea"), ["refused NotGranted { right: \"READ\" }"]);
        let told = say(&mut stage, &mut ann, &format!("in {b} tell tea on"));
        assert_eq!(told, ["/b tea@1 on".to_owned(), format!("in {b}: published 1")]);
        // It may come back, as new as it was: it has not said how to hear.
        say(&mut stage, &mut ann, "auth ann:1;join milk");
        assert_eq!(say(&mut stage, &mut ann, "tell milk x"), ["event milk@1 x", "published 1"]);
        assert_eq!(audience(&stage, "/"), 0);
        say(&mut stage, &mut ann, "leave milk;hear;join tea");
        assert_eq!((stage.channels(), audience(&stage, "/")), (vec![("tea".into(), 1)], 1));
        assert_eq!(say(&mut stage, &mut ann, "tell tea x"), ["tea@1 x", "published 1"]);
    }
}

#[test]
fn the_end_of_a_session_is_that_of_its_branches() {
    for shards in HOUSES {
        for last in ["close", "panic", "in * hear events;in * tell tea boom"] {
            let mut stage = Stage::build(worlds(shards));
            let mut ann = puppet(&mut stage, "auth ann:1;hear;join tea");
            let b = branch(&mut stage, &mut ann, "/b", &["auth", "hear", "join tea", "join milk"]);
            branch(&mut stage, &mut ann, "/c", &["auth", "hear"]);
            if last.starts_with("in") {
                // What it is told of a branch it may not survive either.
                say(&mut stage, &mut ann, "bomb event");
            }
            say(&mut stage, &mut ann, &last.replace('*', &b));
            stage.pass_ms(3000);
            ann.peer.vanish();
            stage.settle();
            stage.assert_empty();
            for vhost in ["/b", "/c"] {
                assert_eq!((audience(&stage, vhost), channels(&stage, vhost)), (0, 0), "{last} {vhost}");
            }
            let expected = if last == "close" { (3, 0) } else { (2, 1) };
            assert_eq!((stage.closed(CloseReason::Done), stage.closed(CloseReason::InternalFault)), expected);
        }
    }
}

#[test]
fn whoever_may_not_stay_in_one_virtual_host_stays_in_others() {
    let mut plan = worlds(2);
    let names = Names::default();
    plan.authority = Box::new(names.clone());
    let mut stage = Stage::build(plan);
    let fall = |stage: &mut Stage, principal| {
        names.fallen.lock().unwrap().push(principal);
        let rules = (*stage.house.wiring.rulebook.rules()).clone();
        stage.house.wiring.rulebook.replace(rules);
        stage.pass_ms(200);
    };
    let ask = |stage: &mut Stage, line: &mut Lines, order: &str, name: &str| {
        say(stage, line, order);
        let principal = common::puppet::named(name, 9);
        names.reply().send(Ok(Arc::clone(&principal)));
        stage.settle();
        principal
    };
    let mut ann = puppet(&mut stage, "hear");
    let root = ask(&mut stage, &mut ann, "auth later", "ann");
    say(&mut stage, &mut ann, "hear;join tea");
    let b = branch(&mut stage, &mut ann, "/b", &[]);
    let in_b = ask(&mut stage, &mut ann, &format!("in {b} auth later"), "bob");
    assert_eq!(ann.heard(), [format!("in {b}: hello bob")]);
    let c = branch(&mut stage, &mut ann, "/c", &["auth"]);
    say(&mut stage, &mut ann, &format!("in {b} join tea"));
    fall(&mut stage, in_b);
    assert_eq!(ann.heard(), [format!("in {b}: parted Unauthorized")]);
    assert_eq!((channels(&stage, "/b"), channels(&stage, "/"), stage.sessions()), (0, 1, 2));
    fall(&mut stage, root);
    assert_eq!(ann.heard(), ["parted Unauthorized"]);
    assert_eq!((channels(&stage, "/"), stage.sessions()), (0, 2));
    assert_eq!(say(&mut stage, &mut ann, &format!("in {c} join tea")), [format!("in {c}: joined tea@0")]);
    assert_eq!(stage.closed(CloseReason::Unauthorized), 1);
    say(&mut stage, &mut ann, &format!("in {c} part"));
    let last = ask(&mut stage, &mut ann, "auth later", "cid");
    fall(&mut stage, last);
    assert_eq!(
        (stage.sessions(), stage.closed(CloseReason::Unauthorized)),
        (0, 2),
        "nothing else is left of it"
    );
}

#[test]
fn a_branch_is_one_of_its_principals_sessions() {
    for shards in HOUSES {
        let mut stage = Stage::build(worlds(shards));
        let mut ann = puppet(&mut stage, "auth ann:1;hear");
        let b = branch(&mut stage, &mut ann, "/b", &["auth"]);
        let told = say(&mut stage, &mut ann, &format!("in {b} enrol 60000"));
        let words: Vec<_> = told[0].split(' ').collect();
        let (address, token) = (words[3], words[4]);
        say(&mut stage, &mut ann, &format!("in {b} join tea"));
        let mut other = puppet(&mut stage, "auth");
        let theirs = branch(&mut stage, &mut other, "/b", &[&format!("act {address} {token}")]);
        assert_eq!(
            say(&mut stage, &mut other, &format!("in {theirs} retire")),
            [format!("in {theirs}: retired")]
        );
        assert_eq!(ann.heard(), [format!("in {b}: parted Kicked")]);
        assert_eq!((channels(&stage, "/b"), stage.closed(CloseReason::Kicked)), (0, 1));
        assert_eq!(say(&mut stage, &mut ann, "join tea"), ["joined tea@0"]);
    }
}

#[test]
fn what_a_branch_hears_goes_the_way_of_its_session() {
    let mut stage = Stage::build(worlds(2));
    let mut ann = puppet(&mut stage, "auth ann:1;hear;outlive");
    let mut cid = puppet(&mut stage, "auth cid:3;hear;join log");
    let b = branch(&mut stage, &mut ann, "/b", &["auth", "hear", "join tea"]);
    say(&mut stage, &mut ann, "relay log");
    ann.peer.vanish();
    stage.settle();
    let mut bob = puppet(&mut stage, "auth bob:2");
    let bobs = branch(&mut stage, &mut bob, "/b", &["auth"]);
    assert_eq!(
        say(&mut stage, &mut bob, &format!("in {bobs} tell tea x")),
        [format!("in {bobs}: published 1")]
    );
    // Its link is gone: the conversation is told, and has said it elsewhere.
    assert_eq!(cid.heard(), ["log@1 heard x"]);
    assert_eq!(stage.sessions(), 5, "{b} is still there");
}

#[test]
fn a_full_inbox_holds_branches_too() {
    for (high, low) in [(16 << 20, 4 << 20), (600, 100)] {
        let mut plan = worlds(2);
        (plan.limits.inbox_high, plan.limits.inbox_low) = (high, low);
        let mut stage = Stage::build(plan);
        let mut ann = puppet(&mut stage, "auth ann:1;hear");
        let b = branch(&mut stage, &mut ann, "/b", &["auth", "hear", "join tea"]);
        let orders =
            (0..40).map(|n| format!("in {b} publish tea {n};branch /c")).collect::<Vec<_>>().join(";");
        let heard = say(&mut stage, &mut ann, &orders);
        let words: Vec<_> = heard.iter().filter_map(|h| h.strip_prefix("/b tea@")).collect();
        let expected: Vec<_> = (0..40).map(|n| format!("{} {n}", n + 1)).collect();
        assert_eq!(words, expected);
        assert_eq!(heard.iter().filter(|h| h.starts_with("branched")).count(), 40);
        assert_eq!(stage.counters().held > 0, high == 600);
    }
}

#[test]
fn what_was_asked_before_it_parted_makes_nobody_of_it() {
    let mut plan = worlds(1);
    let names = Names::default();
    plan.authority = Box::new(names.clone());
    let mut stage = Stage::build(plan);
    let mut ann = puppet(&mut stage, "hear");
    let b = branch(&mut stage, &mut ann, "/b", &["auth"]);
    say(&mut stage, &mut ann, "auth later");
    say(&mut stage, &mut ann, "part");
    names.reply().send(Ok(common::puppet::named("ann", 9)));
    stage.settle();
    assert_eq!(ann.heard(), [""; 0]);
    assert_eq!(say(&mut stage, &mut ann, "join tea"), ["refused NotGranted { right: \"READ\" }"]);
    // Nor does one of a branch that has ended.
    say(&mut stage, &mut ann, &format!("in {b} auth later"));
    say(&mut stage, &mut ann, &format!("in {b} part"));
    let again = branch(&mut stage, &mut ann, "/b", &[]);
    names.reply().send(Ok(common::puppet::named("ann", 9)));
    stage.settle();
    assert_eq!(ann.heard(), [""; 0]);
    let refused = format!("in {again}: refused NotGranted {{ right: \"READ\" }}");
    assert_eq!(say(&mut stage, &mut ann, &format!("in {again} join tea")), [refused]);
    // An answer that does not come is refused, there.
    say(&mut stage, &mut ann, &format!("in {again} auth later"));
    stage.pass_ms(11_000);
    assert_eq!(ann.heard(), [format!("in {again}: refused Busy")]);
}

#[test]
fn a_server_that_stops_says_goodbye_to_each_session_once() {
    for shards in HOUSES {
        let mut stage = Stage::build(worlds(shards));
        let mut all: Vec<_> = (0..3).map(|_| puppet(&mut stage, "auth ann:1;hear;lastly bye")).collect();
        for line in &mut all {
            for vhost in ["/b", "/c"] {
                branch(&mut stage, line, vhost, &["auth", "hear", "join tea"]);
            }
        }
        stage.house.exchange.drain();
        stage.pass_ms(3000);
        assert_eq!(all.iter_mut().map(Lines::heard).collect::<Vec<_>>(), [["bye Draining"]; 3]);
        assert_eq!((stage.closed(CloseReason::Draining), stage.closed(CloseReason::Done)), (3, 6));
        assert_eq!(stage.sessions(), 0);
    }
}
