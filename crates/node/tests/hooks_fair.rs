//! Receivers that never answer, and those who must not wait for them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "in a test that is how it fails")]

#[allow(dead_code, reason = "another test uses the rest")]
mod hooks_common;

use hooks_common::{Ear, Oracle, Place, Reply, Stage, body, ok, settings};
use model::{Principal, PrincipalId};
use node::hooks::{Hook, HookSettings, Owner, Resolved, Resolver};
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

/// A place that is held by a receiver that hangs is held for as long as any test takes.
const EVER: Duration = Duration::from_secs(3600);
/// How long a POST may keep a place that is not for the slow.
const PATIENCE: Duration = Duration::from_secs(1);
/// The same where who takes longer is served all the same.
const SHORT: Duration = Duration::from_millis(20);

fn owner(n: u64) -> Owner {
    let principal = Principal { address: PrincipalId::new(n), ..Principal::anonymous(Vec::new()) };
    Owner::of(0, Some(&Arc::new(principal)))
}

fn patient(concurrency: usize, patience: Duration) -> HookSettings {
    let mut settings = settings();
    (settings.timeout, settings.patience, settings.concurrency) = (EVER, patience, concurrency);
    (settings.per_host, settings.per_principal) = (1000, 1000);
    settings
}

/// Every name is this machine, so that there are as many hosts as a test wants.
fn build(settings: HookSettings) -> Stage {
    Stage::with(settings, Box::new(Oracle { answers: vec![vec!["127.0.0.1"]], asked: Arc::default() }))
}

/// A hook of that owner at that host.
fn open(stage: &Stage, place: &Place, of: u64, host: &str) -> (Hook, Ear) {
    let url = format!("http://{host}.invalid:{}/", place.address.port());
    let ear = stage.ask(&url, &owner(of)).unwrap();
    (ear.opened(), ear)
}

/// So many hooks that never get an answer, with one POST each.
fn holes(stage: &Stage, hole: &Place, n: u64, whose: impl Fn(u64) -> (u64, String)) -> Vec<(Hook, Ear)> {
    let all: Vec<_> = (0..n).map(whose).map(|(of, host)| open(stage, hole, of, &host)).collect();
    all.iter().for_each(|(hook, _)| hook.post(body(0)));
    all
}

/// A receiver that fails first, and is well from then on.
fn recovering() -> Place {
    Place::open(|n, _| if n == 0 { Reply::Say(500, String::new()) } else { ok() })
}

/// One that fails first, and never answers from then on: its hook is among the failing.
fn collapsing(hooks: usize) -> Place {
    Place::open(move |n, _| if n < hooks { Reply::Say(500, String::new()) } else { Reply::Nothing })
}

/// A hook that is new and one that recovers, of an owner who has no others at a host that nobody else has.
fn are_served(stage: &Stage) {
    let (good, ill) = (Place::open(|_, _| ok()), recovering());
    let (new, _new_ear) = open(stage, &good, 1_000_000, "good");
    let (recovers, _ill_ear) = open(stage, &ill, 1_000_001, "recovers");
    new.post(body(1));
    recovers.post(body(2));
    assert_eq!(good.bodies(1), ["{\"n\":1}"]);
    assert_eq!(ill.bodies(2), ["{\"n\":2}"; 2]);
}

#[test]
fn a_black_hole_delays_nobody_else() {
    // Places enough for one only: whoever waits in the wrong queue would wait for ever.
    let mut settings = settings();
    settings.timeout = Duration::from_secs(3600);
    (settings.concurrency, settings.per_host, settings.per_principal) = (8, 1000, 1000);
    let stage = Stage::build(settings);
    let hole = Place::open(|_, _| Reply::Nothing);
    let good = Place::open(|_, _| ok());
    let (lost, _lost_ear) = stage.open(&hole.url());
    lost.post(body(0));
    hole.next();
    let hooks: Vec<_> = (0..99).map(|_| stage.open(&good.url())).collect();
    for n in 0..20 {
        hooks.iter().for_each(|(hook, _)| hook.post(body(n)));
        lost.post(body(n));
    }
    assert_eq!(good.bodies(99 * 20).len(), 1980);
    let view = stage.when(|v| v.target == hole.address.to_string());
    assert_eq!((view.delivered, view.queued), (0, 21), "and the hole's wait");
}

#[test]
fn a_new_receiver_is_asked_soon_however_many_hang() {
    let stage = build(patient(256, PATIENCE));
    let hole = Place::open(|_, _| Reply::Nothing);
    let _holes = holes(&stage, &hole, 624, |n| (n / 16 + 1, format!("h{}", n / 64)));
    let good = Place::open(|_, _| ok());
    let (new, _ear) = open(&stage, &good, 1_000_000, "good");
    (0..20).for_each(|n| new.post(body(n)));
    assert_eq!(good.bodies(20).len(), 20);
}

#[test]
fn what_hangs_of_one_owner_delays_nobody_elses() {
    // Nobody has to leave a place: only the owner's share keeps some free.
    let stage = build(patient(256, EVER));
    let new = Place::open(|_, _| Reply::Nothing);
    let _new = holes(&stage, &new, 200, |n| (1, format!("h{n}")));
    let failing = collapsing(8);
    let _failing = holes(&stage, &failing, 8, |n| (2, format!("i{n}")));
    failing.bodies(16);
    assert_eq!(new.bodies(8).len(), 8, "an eighth of a quarter");
    are_served(&stage);
    assert_eq!(new.rest(), 0);
}

#[test]
fn what_hangs_at_one_host_delays_nobody_elsewhere() {
    let stage = build(patient(256, EVER));
    let new = Place::open(|_, _| Reply::Nothing);
    let _new = holes(&stage, &new, 200, |n| (n + 1, "new".to_owned()));
    let failing = collapsing(16);
    let _failing = holes(&stage, &failing, 16, |n| (n + 1, "failing".to_owned()));
    failing.bodies(32);
    assert_eq!(new.bodies(16).len(), 16, "a quarter of a quarter");
    are_served(&stage);
    assert_eq!(new.rest(), 0);
}

#[test]
fn who_answered_well_and_then_hangs_keeps_no_place_of_those_who_do_not() {
    let stage = build(patient(8, PATIENCE));
    let (good, turned) =
        (Place::open(|_, _| ok()), Place::open(|n, _| if n < 20 { ok() } else { Reply::Nothing }));
    let (hook, _ear) = open(&stage, &good, 1_000_000, "good");
    hook.post(body(0));
    good.next();
    let hooks = holes(&stage, &turned, 20, |n| (n + 1, format!("h{n}")));
    turned.bodies(20);
    // Each is among the sound now, and goes there to hang.
    hooks.iter().for_each(|(hook, _)| hook.post(body(1)));
    turned.bodies(8);
    (1..=20).for_each(|n| hook.post(body(n)));
    assert_eq!(good.bodies(20).len(), 20);
}

#[test]
fn who_is_slow_is_served_all_the_same() {
    // Two places for the slow, and more who are: some have to leave, and come back.
    let stage = build(patient(8, SHORT));
    let slow = Place::open(|_, _| {
        sleep(SHORT * 3);
        ok()
    });
    let hooks: Vec<_> = (0..6).map(|n| open(&stage, &slow, n + 1, &format!("h{n}"))).collect();
    (0..3).for_each(|n| hooks.iter().for_each(|(hook, _)| hook.post(body(n))));
    while stage.hooks.list().iter().map(|view| view.delivered).sum::<u64>() < 18 {
        sleep(SHORT);
    }
    let all = stage.hooks.list();
    assert!(all.iter().all(|v| (v.delivered, v.failed, v.missed) == (3, 0, 0)), "{all:?}");
}

/// Names under `slow` are looked up for ever.
struct Slow;

impl Resolver for Slow {
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> Resolved<'a> {
        Box::pin(async move {
            if host.starts_with("slow") {
                std::future::pending::<()>().await;
            }
            Ok(vec![SocketAddr::from(([127, 0, 0, 1], port))])
        })
    }
}

#[test]
fn names_that_take_for_ever_leave_room_for_those_of_others() {
    let mut settings = patient(8, PATIENCE);
    settings.timeout = PATIENCE;
    let stage = Stage::with(settings, Box::new(Slow));
    // Nobody waits for these look-ups any more, but they go on.
    let ears: Vec<_> =
        (0..100).map(|n| stage.ask(&format!("http://slow{n}.invalid/"), &owner(1)).unwrap()).collect();
    assert!(ears.iter().all(|ear| ear.refused().contains("resolved")));
    let good = Place::open(|_, _| ok());
    let (hook, _ear) = open(&stage, &good, 2, "good");
    hook.post(body(0));
    assert_eq!(good.bodies(1).len(), 1);
}
