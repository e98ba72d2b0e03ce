//! The seam on a made-up dialect: principals that the node makes, their sessions on several shards, and what is asked
//! of all of them at once.

#![allow(clippy::panic, reason = "in a test that is how it fails")]

mod common;

use common::numbers::{Blame, Numbers, seeds};
use common::peers::Lines;
use common::puppet::{Names, plan, puppet};
use common::stage::Stage;
use model::{CloseReason, Principal, VHostName};
use node::{Authority, Reply, Shown, Verdict};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use transcript::house::Blueprint;

/// Shards to try everything on.
const HOUSES: [u16; 2] = [1, 3];

/// What somebody was told who enrolled: `#5` and a token.
#[derive(Clone)]
struct Enrolled {
    address: String,
    token: String,
}

impl Enrolled {
    fn with_token(&self) -> String {
        format!("act {} {}", self.address, self.token)
    }
}

/// Says something and gives the one answer.
fn ask(stage: &mut Stage, lines: &mut Lines, order: &str) -> String {
    lines.say(order);
    stage.settle();
    let mut heard = lines.heard();
    heard.retain(|line| !line.starts_with("event "));
    assert_eq!(heard.len(), 1, "{order}: {heard:?}");
    heard.remove(0)
}

fn enrol(stage: &mut Stage, lines: &mut Lines, idle_ms: u64) -> Enrolled {
    let told = ask(stage, lines, &format!("enrol {idle_ms}"));
    let words: Vec<&str> = told.split(' ').collect();
    let &["enrolled", address, token, name] = &words[..] else { panic!("{told}") };
    assert_eq!(name, format!("puppet-{}", &address[1..]));
    assert_eq!(token.len(), 32);
    Enrolled { address: address.to_owned(), token: token.to_owned() }
}

/// Somebody who has enrolled, with so many further sessions.
fn family(stage: &mut Stage, others: usize) -> (Enrolled, Vec<Lines>) {
    let mut first = puppet(stage, "auth");
    let who = enrol(stage, &mut first, 60_000);
    let act = who.with_token();
    let others = (0..others).map(|_| puppet(stage, &act)).collect::<Vec<_>>();
    (who, std::iter::once(first).chain(others).collect())
}

fn enrolments(stage: &Stage) -> usize {
    stage.house.exchange.enrolments()
}

#[test]
fn who_enrols_acts_for_the_new_principal_and_so_may_others_with_its_token() {
    for shards in HOUSES {
        let mut stage = Stage::build(plan(shards));
        let mut first = puppet(&mut stage, "auth");
        let who = enrol(&mut stage, &mut first, 60_000);
        let mut other = puppet(&mut stage, "auth");
        let stranger = enrol(&mut stage, &mut other, 60_000);
        assert!(stranger.address != who.address && stranger.token != who.token);

        let mut peer = puppet(&mut stage, "hear");
        let hello = format!("hello puppet-{}", &who.address[1..]);
        assert_eq!(ask(&mut stage, &mut peer, &who.with_token()), hello);
        assert_eq!(ask(&mut stage, &mut peer, "join tea"), "joined tea@0", "with the rights it was given");
        let mut trusted = puppet(&mut stage, "hear");
        assert_eq!(ask(&mut stage, &mut trusted, &format!("act {}", who.address)), hello, "no token asked");

        let mut bad = puppet(&mut stage, "hear");
        for token in [&stranger.token, &who.token[1..], "x"] {
            let order = format!("act {} {token}", who.address);
            assert_eq!(ask(&mut stage, &mut bad, &order), "refused BadToken", "{token}");
        }
        for nobody in ["#4294967296", "1"] {
            let order = format!("act {nobody} {}", who.token);
            assert_eq!(ask(&mut stage, &mut bad, &order), "refused UnknownPrincipal", "{nobody}");
        }
        assert_eq!(ask(&mut stage, &mut bad, "join tea"), "refused NotGranted { right: \"READ\" }");
        let rules = stage.counters().refused;
        assert_eq!((rules[2], rules[11]), (3, 2), "they are counted");
    }
}

#[test]
fn all_sessions_of_an_enrolled_principal_are_one_receiver() {
    for shards in HOUSES {
        let mut stage = Stage::build(plan(shards));
        let (who, mut ways) = family(&mut stage, 2);
        for way in &mut ways[..2] {
            ask(&mut stage, way, "join tea");
            way.say("hear");
        }
        let bob = puppet(&mut stage, "auth bob:2");
        bob.say(&format!("direct tea {} psst", who.address));
        stage.settle();
        assert_eq!(ways[0].heard(), ["tea@1 psst"]);
        assert_eq!(ways[1].heard(), ["tea@1 psst"]);
        assert!(ways[2].heard().is_empty(), "it has not joined");
    }
}

#[test]
fn who_has_been_idle_for_too_long_is_forgotten() {
    for shards in HOUSES {
        let mut stage = Stage::build(plan(shards));
        let (who, ways) = family(&mut stage, 1);
        stage.pass(Duration::from_secs(200));
        assert_eq!(enrolments(&stage), 1, "nobody is idle who has a session");
        ways.iter().for_each(|way| way.peer.vanish());
        stage.settle();
        stage.pass(Duration::from_secs(50));
        let mut peer = puppet(&mut stage, "hear");
        assert!(ask(&mut stage, &mut peer, &who.with_token()).starts_with("hello"));
        peer.peer.vanish();
        stage.settle();
        stage.pass(Duration::from_secs(59));
        assert_eq!(enrolments(&stage), 1, "its time began anew");
        stage.pass(Duration::from_secs(12));
        assert_eq!(enrolments(&stage), 0, "swept, though nobody asked");
        let mut late = puppet(&mut stage, "hear");
        assert_eq!(ask(&mut stage, &mut late, &who.with_token()), "refused UnknownPrincipal");
        late.peer.vanish();
        stage.settle();
        stage.assert_empty();
    }
}

#[test]
fn who_retires_ends_all_its_other_sessions_wherever_they_are() {
    for shards in HOUSES {
        let mut stage = Stage::build(plan(shards));
        let (who, mut ways) = family(&mut stage, 5);
        for way in &mut ways {
            ask(&mut stage, way, "join tea");
            way.say("lastly closed");
        }
        let mut bystander = puppet(&mut stage, "auth;join tea");
        ways[0].say("retire");
        stage.settle();
        assert_eq!(ways[0].heard(), ["withdrawn from tea", "retired"]);
        for way in &mut ways[1..] {
            assert_eq!(way.heard(), ["closed Kicked"]);
        }
        assert_eq!(stage.closed(CloseReason::Kicked), 5);
        assert_eq!((enrolments(&stage), stage.channels()), (0, vec![("tea".into(), 1)]));
        let gone = ask(&mut stage, &mut bystander, &format!("direct tea {} hi", who.address));
        assert_eq!(gone, "refused NotJoined");
        // Who retired acts for nobody, and may become somebody again.
        assert_eq!(ask(&mut stage, &mut ways[0], "join tea"), "refused NotGranted { right: \"READ\" }");
        assert_eq!(ask(&mut stage, &mut ways[0], "retire"), "refused UnknownPrincipal");
        let again = enrol(&mut stage, &mut ways[0], 1000);
        assert!(again.token != who.token);
        ways.iter().chain([&bystander]).for_each(|l| l.peer.vanish());
        stage.settle();
        stage.assert_empty();
    }
}

#[test]
fn who_is_told_that_it_retired_has_no_other_session_left() {
    let mut stage = Stage::shuffled(plan(3), 7);
    let (_, mut ways) = family(&mut stage, 5);
    ways[0].say("retire");
    while ways[0].heard().is_empty() {
        assert!(stage.step(), "it is told");
    }
    assert_eq!(stage.closed(CloseReason::Kicked), 5, "at that moment, not later");
}

#[test]
fn whoever_acts_for_nobody_enrolled_has_nothing_to_retire() {
    let mut stage = Stage::build(plan(1));
    let mut ann = puppet(&mut stage, "auth ann:1");
    assert_eq!(ask(&mut stage, &mut ann, "retire"), "refused UnknownPrincipal");
    let mut nobody = puppet(&mut stage, "hear");
    assert_eq!(ask(&mut stage, &mut nobody, "retire"), "refused UnknownPrincipal");
}

#[test]
fn who_withdraws_takes_all_its_sessions_out_and_nobody_else() {
    for shards in HOUSES {
        let mut stage = Stage::build(plan(shards));
        let (_, mut ways) = family(&mut stage, 4);
        let mut bob = puppet(&mut stage, "auth bob:2;hear;join tea");
        for way in &mut ways[1..4] {
            ask(&mut stage, way, "join tea");
            ask(&mut stage, way, "join milk");
            way.say("hear");
        }
        stage.settle();
        // It is none of the members itself, and what was said before is heard before.
        bob.say("publish tea last");
        ways[0].say("withdraw tea");
        stage.settle();
        assert_eq!(ways[0].heard(), ["left tea"]);
        for way in &mut ways[1..4] {
            let mut heard = way.heard();
            heard.retain(|line| line != "tea@1 last");
            assert_eq!(heard, ["withdrawn from tea"]);
        }
        assert!(ways[4].heard().is_empty(), "it was no member");
        assert_eq!(stage.channels(), [("milk".into(), 3), ("tea".into(), 1)]);
        bob.heard();
        bob.say("publish tea more");
        stage.settle();
        assert_eq!(bob.heard(), ["tea@2 more"]);
        assert!(ways.iter_mut().all(|way| way.heard().is_empty()));
        assert_eq!(ask(&mut stage, &mut ways[2], "withdraw tea"), "refused NotMember");
        assert_eq!(ask(&mut stage, &mut ways[2], "withdraw nowhere"), "refused NotMember");
        // One of the members asks: it is told once, under its ticket.
        assert_eq!(ask(&mut stage, &mut ways[2], "withdraw milk"), "left milk");
        assert_eq!(ways[1].heard(), ["withdrawn from milk"]);
        assert_eq!(stage.closed(CloseReason::Kicked), 0);
        ways.iter().chain([&bob]).for_each(|l| l.peer.vanish());
        stage.settle();
        stage.assert_empty();
    }
}

#[test]
fn who_is_told_that_it_has_withdrawn_is_no_member_any_more() {
    let mut stage = Stage::shuffled(plan(3), 5);
    let (_, mut ways) = family(&mut stage, 5);
    for way in &mut ways[1..] {
        ask(&mut stage, way, "join tea");
    }
    ways[0].say("withdraw tea");
    while ways[0].heard().is_empty() {
        assert!(stage.step(), "it is told");
    }
    assert_eq!(stage.channels(), [], "at that moment, not later");
}

#[test]
fn who_is_not_enrolled_withdraws_alone() {
    let mut stage = Stage::build(plan(2));
    let mut ann = [puppet(&mut stage, "auth ann:1;join tea"), puppet(&mut stage, "auth ann:1;join tea")];
    assert_eq!(ask(&mut stage, &mut ann[0], "withdraw tea"), "left tea");
    assert_eq!(stage.channels(), [("tea".into(), 1)]);
    assert_eq!(ask(&mut stage, &mut ann[0], "withdraw tea"), "refused NotMember");
    let mut anonymous = puppet(&mut stage, "auth;join tea");
    assert_eq!(ask(&mut stage, &mut anonymous, "withdraw tea"), "left tea");
    assert_eq!(ask(&mut stage, &mut anonymous, "withdraw tea"), "refused NotMember");
}

#[test]
fn only_members_say_what_only_members_may() {
    for shards in HOUSES {
        let mut stage = Stage::build(plan(shards));
        let (who, mut ways) = family(&mut stage, 1);
        let mut bob = puppet(&mut stage, "auth bob:2;hear;join tea");
        let mut cid = puppet(&mut stage, "auth");
        let outside = |stage: &mut Stage, lines: &mut Lines| {
            assert_eq!(ask(stage, lines, "inside tea hi"), "refused NotMember");
            assert_eq!(ask(stage, lines, "direct tea 2 inside"), "refused NotMember");
            assert_eq!(ask(stage, lines, "inside nowhere hi"), "refused NotMember");
            assert_eq!(ask(stage, lines, "direct nowhere 2 inside"), "refused NotMember");
        };
        outside(&mut stage, &mut ways[0]);
        outside(&mut stage, &mut cid);
        assert!(bob.heard().is_empty());
        // One session has joined: the other may speak too.
        assert_eq!(ask(&mut stage, &mut ways[1], "join tea"), "joined tea@0");
        assert_eq!(ask(&mut stage, &mut ways[0], "inside tea hi"), "published 2");
        assert_eq!(ask(&mut stage, &mut ways[0], "direct tea 2 inside"), "published 2");
        let missing = format!("direct tea 2,9,{} inside", who.address);
        assert_eq!(ask(&mut stage, &mut ways[0], &missing), "refused NotJoined");
        assert_eq!(bob.heard(), ["tea@1 hi", "tea@2 inside"], "each with a position of its own");
        // Without an address it is the session that counts.
        ask(&mut stage, &mut cid, "join tea");
        assert_eq!(ask(&mut stage, &mut cid, "inside tea me too"), "published 3");
        ask(&mut stage, &mut cid, "leave tea");
        assert_eq!(ask(&mut stage, &mut cid, "inside tea me?"), "refused NotMember");
        ask(&mut stage, &mut ways[1], "leave tea");
        assert_eq!(ask(&mut stage, &mut ways[0], "inside tea we?"), "refused NotMember");
        // In the order in which it was said.
        bob.heard();
        bob.say("publish tea a;inside tea b;publish tea c");
        stage.settle();
        let heard: Vec<_> = bob.heard().into_iter().filter(|l| l.starts_with("tea")).collect();
        assert_eq!(heard, ["tea@4 a", "tea@5 b", "tea@6 c"]);
    }
}

#[test]
fn who_asks_is_told_whether_all_have_joined() {
    for shards in HOUSES {
        let mut stage = Stage::build(plan(shards));
        let (who, mut ways) = family(&mut stage, 1);
        let mut bob = puppet(&mut stage, "auth bob:2;join tea");
        assert_eq!(ask(&mut stage, &mut ways[0], "check nowhere"), "refused NotMember");
        assert_eq!(ask(&mut stage, &mut ways[0], "check tea 2"), "refused NotMember");
        ask(&mut stage, &mut ways[1], "join tea");
        assert_eq!(ask(&mut stage, &mut ways[0], "check tea"), "checked");
        assert_eq!(ask(&mut stage, &mut ways[0], &format!("check tea 2,{}", who.address)), "checked");
        assert_eq!(ask(&mut stage, &mut ways[0], "check tea 2,3"), "refused NotJoined");
        assert_eq!(ask(&mut stage, &mut bob, &format!("check tea {}", who.address)), "checked");
        let mut anonymous = puppet(&mut stage, "auth");
        assert_eq!(ask(&mut stage, &mut anonymous, "check tea"), "refused NotMember");
        ask(&mut stage, &mut anonymous, "join tea");
        assert_eq!(ask(&mut stage, &mut anonymous, "check tea 2"), "checked");
    }
}

#[test]
fn a_session_changes_whom_it_acts_for_while_it_has_joined_nothing() {
    for shards in HOUSES {
        let mut stage = Stage::build(plan(shards));
        let (a, mut ways) = family(&mut stage, 1);
        let (b, mut others) = family(&mut stage, 0);
        ask(&mut stage, &mut ways[1], "join tea");
        assert_eq!(ask(&mut stage, &mut ways[1], &b.with_token()), "refused HasJoined");
        assert_eq!(ask(&mut stage, &mut ways[1], "enrol 1000"), "refused HasJoined");
        assert!(ask(&mut stage, &mut ways[1], &a.with_token()).starts_with("hello"), "that changes nothing");
        assert_eq!(enrolments(&stage), 2);
        ask(&mut stage, &mut ways[1], "leave tea");
        assert!(ask(&mut stage, &mut ways[1], &b.with_token()).starts_with("hello"));
        ways[0].say("retire");
        stage.settle();
        assert_eq!(stage.closed(CloseReason::Kicked), 0, "it is no session of that principal any more");
        // Who authenticates as somebody else is none either.
        assert!(ask(&mut stage, &mut ways[1], "auth bob:2").starts_with("hello"));
        assert_eq!(ask(&mut stage, &mut others[0], "retire"), "retired");
        assert_eq!(stage.closed(CloseReason::Kicked), 0);
        // Joining in the same breath comes first, and what was enrolled for nobody is not kept.
        others[0].say("auth;enrol 60000;join tea");
        stage.settle();
        assert!(others[0].heard().contains(&"refused HasJoined".to_owned()));
        assert_eq!(enrolments(&stage), 0);
    }
}

#[test]
fn whom_a_session_has_acted_for_before_is_idle() {
    for shards in HOUSES {
        let mut stage = Stage::build(plan(shards));
        let (_, mut ways) = family(&mut stage, 0);
        let mut other = puppet(&mut stage, "auth");
        let next = enrol(&mut stage, &mut other, 600_000);
        assert!(ask(&mut stage, &mut ways[0], &next.with_token()).starts_with("hello"));
        assert_eq!(enrolments(&stage), 2);
        stage.pass(Duration::from_secs(80));
        assert_eq!(enrolments(&stage), 1, "no session acts for the first any more");
    }
}

#[test]
fn limits_of_enrolments_and_of_their_sessions_are_met() {
    for shards in HOUSES {
        let mut plan = plan(shards);
        (plan.limits.enrolments, plan.limits.sessions_per_enrolment) = (2, 3);
        let mut stage = Stage::build(plan);
        let (who, mut ways) = family(&mut stage, 2);
        let mut more = puppet(&mut stage, "auth");
        assert_eq!(ask(&mut stage, &mut more, &who.with_token()), "refused TooManySessions { max: 3 }");
        assert_eq!(ask(&mut stage, &mut ways[0], "spawn join tea"), "refused TooManySessions { max: 3 }");
        assert_eq!((stage.sessions(), stage.channels()), (4, Vec::new()), "its child was not");
        enrol(&mut stage, &mut more, 60_000);
        let mut third = puppet(&mut stage, "auth");
        assert_eq!(ask(&mut stage, &mut third, "enrol 1"), "refused TooManyEnrolments { max: 2 }");
        ways[2].peer.vanish();
        stage.settle();
        assert!(ask(&mut stage, &mut third, &who.with_token()).starts_with("hello"), "there is room again");
        assert_eq!(ask(&mut stage, &mut ways[0], "retire"), "retired");
        let mut fourth = puppet(&mut stage, "auth");
        enrol(&mut stage, &mut fourth, 1);
        let all = ways.iter().chain([&more, &third, &fourth]);
        all.for_each(|l| l.peer.vanish());
        stage.settle();
        stage.assert_empty();
    }
}

#[test]
fn a_spawned_session_acts_for_the_enrolled_principal_and_is_kicked_with_it() {
    let mut stage = Stage::build(plan(2));
    let (_, mut ways) = family(&mut stage, 1);
    assert!(ask(&mut stage, &mut ways[1], "spawn hear events|join tea").starts_with("spawned"));
    ways[1].peer.vanish();
    stage.settle();
    assert_eq!(ask(&mut stage, &mut ways[0], "check tea"), "checked");
    assert_eq!(ask(&mut stage, &mut ways[0], "withdraw tea"), "left tea");
    assert_eq!(ask(&mut stage, &mut ways[0], "check tea"), "refused NotMember");
    assert_eq!(ask(&mut stage, &mut ways[0], "retire"), "retired");
    assert_eq!(stage.closed(CloseReason::Kicked), 1);
}

#[test]
fn what_a_spawned_session_wants_first_is_done_before_its_parent_is_told() {
    // The second house has no room for all of its joins at once.
    for inbox_high in [16 << 20, 400] {
        let mut plan = plan(2);
        (plan.limits.inbox_high, plan.limits.inbox_low) = (inbox_high, inbox_high / 2);
        let mut stage = Stage::build(plan);
        let mut parent = puppet(&mut stage, "auth");
        parent.say("spawn join a|join b|join c|join d");
        let told = loop {
            assert!(stage.step(), "it is told without any time that passes");
            let told = parent.heard();
            if !told.is_empty() {
                break told;
            }
        };
        assert!(told[0].starts_with("spawned"), "{told:?}");
        assert_eq!(stage.channels().len(), 4);
    }
}

/// Whether anybody else may stay is up to the test.
struct Strict(Names, Arc<AtomicBool>);

impl Authority for Strict {
    fn admit(&self, shown: Shown<'_>, vhost: &VHostName, now: model::Now, reply: Reply) -> Verdict {
        self.0.admit(shown, vhost, now, reply)
    }

    fn stands(&self, _: &Arc<Principal>) -> bool {
        !self.1.load(Ordering::Relaxed)
    }
}

#[test]
fn who_is_enrolled_stays_when_the_authority_has_changed_its_mind_about_everybody() {
    let fallen = Arc::new(AtomicBool::new(false));
    let mut plan = plan(3);
    plan.authority = Box::new(Strict(Names::default(), Arc::clone(&fallen)));
    let limits = plan.limits.clone();
    let mut stage = Stage::build(plan);
    let (_, mut ways) = family(&mut stage, 3);
    let _ann = puppet(&mut stage, "auth ann:1");
    fallen.store(true, Ordering::Relaxed);
    let rules = carrier::Rules { limits, gates: vec![carrier::Gate::loopback()] };
    stage.house.wiring.rulebook.replace(rules);
    for shard in 0..3 {
        stage.house.exchange.inbox(shard).ring();
    }
    stage.settle();
    assert_eq!((stage.closed(CloseReason::Unauthorized), stage.sessions()), (1, 4));
    assert_eq!(ask(&mut stage, &mut ways[0], "retire"), "retired");
    assert_eq!(stage.closed(CloseReason::Kicked), 3);
}

/// Somebody of a random house.
struct Wanderer {
    lines: Lines,
    /// Orders that are answered once each, and have not been.
    unanswered: usize,
}

impl Wanderer {
    fn read(&mut self, known: &mut Vec<Enrolled>) {
        for line in self.lines.heard() {
            let words: Vec<&str> = line.split(' ').collect();
            self.unanswered -= usize::from(!["withdrawn", "event"].contains(&words[0]));
            if let &["enrolled", address, token, _] = &words[..] {
                known.push(Enrolled { address: address.to_owned(), token: token.to_owned() });
            }
        }
    }

    fn speak(&mut self, numbers: &mut Numbers, known: &[Enrolled]) {
        let channel = numbers.one_of(&["a", "b"]);
        let known = (!known.is_empty()).then(|| known[numbers.below(known.len())].clone());
        let order = match (numbers.below(12), known) {
            (0, _) => "enrol 5000".to_owned(),
            (1..=4, Some(who)) => who.with_token(),
            (5, _) => "retire".to_owned(),
            (6, _) => format!("withdraw {channel}"),
            (7, _) => format!("leave {channel}"),
            (8, _) => format!("inside {channel} x"),
            (9, Some(who)) => format!("check {channel} {}", who.address),
            (10, _) => format!("spawn join {channel}"),
            _ => format!("join {channel}"),
        };
        self.unanswered += 1;
        self.lines.say(&order);
    }
}

fn wander(plan: Blueprint, seed: u64, numbers: &mut Numbers) {
    let mut stage = Stage::shuffled(plan, seed);
    let mut known = Vec::new();
    let mut all: Vec<Wanderer> = Vec::new();
    for _ in 0..300 {
        match numbers.below(10) {
            0 if !all.is_empty() => {
                let gone = all.swap_remove(numbers.below(all.len()));
                gone.lines.peer.vanish();
            }
            1 | 2 if all.len() < 8 => {
                all.push(Wanderer { lines: puppet(&mut stage, "auth"), unanswered: 0 });
            }
            3 => drop(stage.step()),
            4 if numbers.once_in(4) => stage.pass_ms(2000),
            _ if !all.is_empty() => {
                let i = numbers.below(all.len());
                all[i].speak(numbers, &known);
            }
            _ => {}
        }
        all.iter_mut().for_each(|w| w.read(&mut known));
        known.truncate(20);
    }
    stage.settle();
    let kicked = |w: &Wanderer| w.lines.peer.is_over();
    for w in &mut all {
        w.read(&mut known);
        assert!(
            w.unanswered == 0 || kicked(w),
            "every order is answered once, unless its session was kicked"
        );
    }
    // Sessions without a link end with their principals only, so those retire.
    all.iter().for_each(|w| w.lines.peer.vanish());
    stage.settle();
    for who in known {
        let mut last = puppet(&mut stage, "hear");
        if ask(&mut stage, &mut last, &who.with_token()).starts_with("hello") {
            assert_eq!(ask(&mut stage, &mut last, "retire"), "retired");
        }
        last.peer.vanish();
        stage.settle();
    }
    stage.pass(Duration::from_secs(20));
    let c = stage.counters();
    assert_eq!(c.attached, c.closed.iter().sum::<u64>() + stage.sessions() as u64);
}

#[test]
fn whatever_wanderers_do_every_order_is_answered_and_the_counts_add_up() {
    for seed in 0..seeds(30) {
        let _blame = Blame(seed);
        let mut numbers = Numbers::new(seed);
        let mut plan = plan(numbers.one_of(&HOUSES));
        plan.limits.inbox_high = numbers.one_of(&[1, 700, 16 << 20]);
        plan.limits.inbox_low = plan.limits.inbox_high / 2;
        plan.limits.sessions_per_enrolment = numbers.one_of(&[2, 1000]);
        wander(plan, seed, &mut numbers);
    }
}
