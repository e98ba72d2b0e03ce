//! The seam with tokens that prove themselves: channels of one's own, the end of a token while its owner is connected,
//! and a newer token in its place.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::peers::{Heard, Http, Lines, Ws};
use common::puppet::{Puppets, puppet};
use common::stage::Stage;
use model::{CloseReason, Grant, VHostName};
use node::jwt::{Algorithm, Key, NAMES, Revoked, Rules, Source, Template};
use node::{Credentials, Jwt, JwtSettings, StaticTokens};
use std::sync::Arc;
use std::time::Duration;
use transcript::house::{Blueprint, everybody};

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

/// A house where owners of tokens have `user(…)`, and everybody everything that is not assigned.
fn stage(shards: u16) -> Stage {
    stage_for(VHostName::root(), shards)
}

/// The same, and where its tokens can be taken back.
fn revocable(shards: u16) -> (Stage, Arc<Jwt>) {
    revocable_for(VHostName::root(), shards)
}

/// The same, with `/b` besides, and tokens for this virtual host.
fn stage_for(vhost: VHostName, shards: u16) -> Stage {
    revocable_for(vhost, shards).0
}

fn revocable_for(vhost: VHostName, shards: u16) -> (Stage, Arc<Jwt>) {
    let dialects: Vec<Box<dyn dialect::Dialect>> = vec![
        Box::new(Puppets),
        Box::new(http_dialect::Http::new(http_dialect::Settings::default())),
        Box::new(rooms_dialect::Rooms::new(rooms_dialect::Settings::default())),
    ];
    let channel = Template::parse("user({sub})", |claim| NAMES.contains(&claim)).unwrap();
    let mut plan = Blueprint::new(dialects);
    plan.assigned = vec![channel.pattern()];
    let rules = Rules {
        algorithms: vec![Algorithm::Hs256],
        audience: None,
        issuer: None,
        leeway: Duration::ZERO,
        require_exp: false,
        max_lifetime: None,
        name_claim: None,
        grants_claim: "grants".into(),
        grants: vec![Grant::parse("READ news").unwrap()],
        channels: vec![channel],
        may_write: false,
    };
    let source = Source::Keys(Key::secret(SECRET).into());
    let settings =
        JwtSettings { rules, vhost, source, refresh: Duration::from_mins(5), revoked: Revoked::default() };
    let tokens = StaticTokens::new(Vec::new(), Some(everybody()));
    let jwt = Arc::new(Jwt::new(settings));
    plan.authority = Box::new(Credentials::new(Arc::new(tokens), Some(Arc::clone(&jwt))));
    plan.shards = shards;
    plan.vhosts = vec![VHostName::new("/b").unwrap()];
    plan.own_ports = vec![(carrier::net::Port::Listener, 0)];
    (Stage::build(plan), jwt)
}

/// A token with these claims, as JSON without its braces.
fn signed(claims: &str) -> String {
    let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let signed = format!("{}.{}", part(br#"{"alg":"HS256"}"#), part(format!("{{{claims}}}").as_bytes()));
    let signature = part(&hmac_sha256::HMAC::mac(signed.as_bytes(), SECRET));
    format!("{signed}.{signature}")
}

/// A token of this owner, good for so many seconds from now.
fn token(stage: &Stage, sub: &str, seconds: u64, more: &str) -> String {
    let exp = stage.house.sim.now().wall_ms / 1000 + seconds;
    signed(&format!(r#""sub":"{sub}","exp":{exp}{more}"#))
}

fn say(stage: &mut Stage, line: &mut Lines, words: &str) -> Vec<String> {
    line.say(words);
    stage.settle();
    line.heard()
}

#[test]
fn owners_join_their_own_channel_and_nobody_elses() {
    let mut stage = stage(2);
    let ann = token(&stage, "ann", 60, "");
    let mut line = puppet(&mut stage, &format!("auth {ann};hear"));
    assert_eq!(say(&mut stage, &mut line, "join user(ann)"), ["joined user(ann)@0"]);
    assert_eq!(say(&mut stage, &mut line, "join user(bob)"), ["refused Assigned"]);
    assert_eq!(say(&mut stage, &mut line, "tell user(ann) me"), ["refused Assigned"]);
    assert_eq!(say(&mut stage, &mut line, "join news"), ["joined news@0"]);
    assert_eq!(say(&mut stage, &mut line, "join tea"), ["refused NotGranted { right: \"READ\" }"]);
    // Who shows nothing may do everything else.
    let mut anybody = puppet(&mut stage, "auth;hear");
    assert_eq!(say(&mut stage, &mut anybody, "join user(ann)"), ["refused Assigned"]);
    assert_eq!(say(&mut stage, &mut anybody, "tell user(ann) psst"), ["refused Assigned"]);
    let backend = token(&stage, "backend", 60, r#","grants":["WRITE user(*)"]"#);
    let mut backend = puppet(&mut stage, &format!("auth {backend}"));
    assert_eq!(say(&mut stage, &mut backend, "tell user(ann) mail"), ["published 1"]);
    assert_eq!(line.heard(), ["user(ann)@1 mail"]);
}

#[test]
fn a_session_ends_when_its_token_does() {
    let mut stage = stage(2);
    let short = token(&stage, "ann", 30, "");
    let mut line = puppet(&mut stage, &format!("lastly bye;auth {short};hear;join user(ann)"));
    stage.pass(Duration::from_millis(29_900));
    assert_eq!(say(&mut stage, &mut line, "join news"), ["joined news@0"]);
    assert!(!line.peer.is_over());
    stage.pass(Duration::from_millis(300));
    assert_eq!(line.heard(), ["bye Expired"]);
    assert_eq!((stage.closed(CloseReason::Expired), stage.sessions()), (1, 0));
    assert_eq!(stage.channels(), []);
    let mut late = puppet(&mut stage, "hear");
    assert_eq!(say(&mut stage, &mut late, &format!("auth {short}")), ["refused InvalidToken(Expired)"]);
}

#[test]
fn a_newer_token_takes_the_place_of_the_old_and_no_channel_is_lost() {
    let mut stage = stage(2);
    let first = token(&stage, "ann", 30, "");
    let mut line = puppet(&mut stage, &format!("auth {first};hear;join user(ann);join news"));
    stage.pass(Duration::from_secs(20));
    let newer = token(&stage, "ann", 30, "");
    assert_eq!(say(&mut stage, &mut line, &format!("auth {newer}")), ["hello ann"]);
    stage.pass(Duration::from_secs(25));
    assert_eq!(line.heard(), [""; 0]);
    assert_eq!(stage.channels(), [("news".into(), 1), ("user(ann)".into(), 1)]);
    // One that is refused changes nothing; neither does it prolong anything.
    assert_eq!(say(&mut stage, &mut line, &format!("auth {first}")), ["refused InvalidToken(Expired)"]);
    assert_eq!(stage.sessions(), 1);
    stage.pass(Duration::from_millis(5_300));
    assert_eq!((stage.closed(CloseReason::Expired), stage.sessions()), (1, 0));
}

#[test]
fn a_newer_token_without_an_end_lifts_the_end() {
    let mut stage = stage(1);
    let first = token(&stage, "ann", 30, "");
    let mut line = puppet(&mut stage, &format!("auth {first};hear"));
    assert_eq!(say(&mut stage, &mut line, &format!("auth {}", signed(r#""sub":"ann""#))), ["hello ann"]);
    stage.pass(Duration::from_mins(2));
    assert_eq!(say(&mut stage, &mut line, "join news"), ["joined news@0"]);
}

#[test]
fn who_becomes_somebody_else_leaves_what_that_one_may_not_hear() {
    let mut stage = stage(2);
    let ann = token(&stage, "ann", 60, r#","grants":["READ tea"]"#);
    let bob = token(&stage, "bob", 60, "");
    let mut line = puppet(&mut stage, &format!("auth {ann};hear;join user(ann);join tea;join news"));
    let mut told = say(&mut stage, &mut line, &format!("auth {bob}"));
    told.sort();
    assert_eq!(told, ["hello bob", "withdrawn from tea", "withdrawn from user(ann)"]);
    assert_eq!(stage.channels(), [("news".into(), 1)]);
    assert_eq!(say(&mut stage, &mut line, "join user(ann)"), ["refused Assigned"]);
    assert_eq!(say(&mut stage, &mut line, "join user(bob)"), ["joined user(bob)@0"]);
}

#[test]
fn the_end_of_a_token_is_met_years_ahead_and_by_sessions_without_a_link() {
    let mut stage = stage(1);
    let distant = token(&stage, "ann", 10 * 365 * 86_400, "");
    let mut line = puppet(&mut stage, &format!("auth {distant};hear"));
    let short = token(&stage, "bob", 30, "");
    let parent = puppet(&mut stage, &format!("auth {short};spawn hear|join news"));
    assert_eq!(stage.channels(), [("news".into(), 1)]);
    parent.peer.vanish();
    stage.settle();
    assert_eq!(stage.sessions(), 2);
    stage.pass(Duration::from_secs(31));
    assert_eq!((stage.closed(CloseReason::Expired), stage.channels()), (1, vec![]));
    stage.pass(Duration::from_mins(70));
    assert_eq!(say(&mut stage, &mut line, "join news"), ["joined news@0"], "it was looked at, and goes on");
    assert_eq!(stage.sessions(), 1);
}

#[test]
fn sessions_with_a_token_that_is_taken_back_end_as_if_it_had_expired() {
    let (mut stage, jwt) = revocable(3);
    let rules = carrier::Rules { limits: model::Limits::default(), gates: vec![carrier::Gate::loopback()] };
    let [one, other] = ["a1", "a2"].map(|id| token(&stage, "ann", 60, &format!(r#","jti":"{id}""#)));
    let mut falls: Vec<_> =
        (0..3).map(|_| puppet(&mut stage, &format!("lastly bye;auth {one};hear;join user(ann)"))).collect();
    let mut stays = puppet(&mut stage, &format!("auth {other};hear;join user(ann)"));
    let anybody = puppet(&mut stage, "auth;hear");
    jwt.revoke(Revoked::parse("a1").unwrap());
    stage.house.wiring.rulebook.replace(rules);
    for shard in 0..3 {
        stage.house.exchange.inbox(shard).ring();
    }
    stage.settle();
    for line in &mut falls {
        assert_eq!(line.heard(), ["bye Expired"]);
    }
    assert_eq!((stage.closed(CloseReason::Expired), stage.closed(CloseReason::Unauthorized)), (3, 0));
    assert_eq!((stage.sessions(), stage.channels()), (2, vec![("user(ann)".into(), 1)]));
    assert_eq!(say(&mut stage, &mut stays, "join news"), ["joined news@0"]);
    drop(anybody);
    let mut late = puppet(&mut stage, "hear");
    assert_eq!(say(&mut stage, &mut late, &format!("auth {one}")), ["refused InvalidToken(Revoked)"]);
}

#[test]
fn a_clock_that_is_set_brings_the_end_nearer() {
    let mut stage = stage(1);
    let token = token(&stage, "ann", 10 * 3600, "");
    let mut line = puppet(&mut stage, &format!("auth {token};hear;join user(ann)"));
    stage.house.sim.set_clock_ahead(Duration::from_hours(10));
    stage.turn(0);
    assert_eq!(
        say(&mut stage, &mut line, "join news"),
        ["refused NotGranted { right: \"READ\" }"],
        "nothing is granted any more"
    );
    stage.pass(Duration::from_mins(61));
    assert_eq!((stage.closed(CloseReason::Expired), stage.sessions()), (1, 0));
}

#[test]
fn timers_and_the_end_of_a_token_do_not_put_each_other_off() {
    let mut stage = stage(1);
    let short = token(&stage, "ann", 30, "");
    let mut line =
        puppet(&mut stage, &format!("auth {short};hear;after 10000 say tick;after 29000 say tock"));
    stage.pass(Duration::from_millis(10_200));
    assert_eq!(line.heard(), ["tick"]);
    stage.pass(Duration::from_millis(19_000));
    assert_eq!((line.heard(), stage.sessions()), (vec!["tock".to_owned()], 1));
    stage.pass(Duration::from_secs(1));
    assert_eq!((stage.closed(CloseReason::Expired), stage.sessions()), (1, 0));
}

#[test]
fn rooms_are_told_and_streams_end() {
    let mut stage = stage(2);
    let short = token(&stage, "ann", 30, "");
    let mut rooms = Ws::open(stage.connect(), &format!("/?token={short}"));
    let mut socket = Ws::open(stage.connect(), &format!("/c/user(ann)?token={short}"));
    let stream = Http::new(stage.connect());
    stream.get(&format!("/c/user(ann)?token={short}"));
    stage.settle();
    rooms.say(r#"{"event":"subscribe","payload":["user(ann)"]}"#);
    stage.settle();
    assert_eq!(stage.channels(), [("user(ann)".into(), 3)]);
    rooms.heard();
    stage.pass(Duration::from_millis(30_300));
    let goodbye = Heard::text(r#"{"msg":"Refused: the token has expired"}"#);
    assert_eq!(rooms.heard(), [goodbye, Heard::Close(Some(1008))]);
    assert_eq!(socket.closed_with(), Some(1008));
    assert_eq!((stage.closed(CloseReason::Expired), stage.channels()), (3, vec![]));
    let mut again = Http::new(stage.connect());
    again.get(&format!("/c/user(ann)?token={short}"));
    stage.settle();
    let refused = again.response();
    assert_eq!(refused.status, 401);
    assert!(refused.body.contains("the token has expired"), "{}", refused.body);
}

/// A branch in `/b`, for which the session has done this.
fn branch(stage: &mut Stage, line: &mut Lines, order: &str) -> String {
    let told = say(stage, line, "branch /b");
    let branch = told[0].strip_prefix("branched ").unwrap().to_owned();
    say(stage, line, &format!("in {branch} {order}"));
    branch
}

#[test]
fn a_branch_ends_when_its_token_does_and_the_session_goes_on() {
    let mut stage = stage_for(VHostName::new("/b").unwrap(), 2);
    let short = token(&stage, "ann", 30, "");
    let mut line = puppet(&mut stage, "auth;hear;join tea");
    // It is for one virtual host only.
    assert_eq!(say(&mut stage, &mut line, &format!("auth {short}")), ["refused BadToken"]);
    let b = branch(&mut stage, &mut line, &format!("auth {short}"));
    assert_eq!(
        say(&mut stage, &mut line, &format!("in {b} join user(ann)")),
        [format!("in {b}: joined user(ann)@0")]
    );
    assert_eq!(say(&mut stage, &mut line, "join user(ann)"), ["refused Assigned"]);
    stage.pass(Duration::from_millis(30_300));
    assert_eq!(line.heard(), [format!("in {b}: parted Expired")]);
    assert_eq!((stage.closed(CloseReason::Expired), stage.sessions()), (1, 1));
    assert_eq!(say(&mut stage, &mut line, "join milk"), ["joined milk@0"]);
}

#[test]
fn a_session_whose_token_ends_goes_on_as_its_branches() {
    let mut stage = stage(2);
    let short = token(&stage, "ann", 30, "");
    let mut line = puppet(&mut stage, &format!("auth {short};hear;join user(ann)"));
    let b = branch(&mut stage, &mut line, "auth");
    stage.pass(Duration::from_millis(30_300));
    assert_eq!(line.heard(), ["parted Expired"]);
    assert_eq!((stage.channels(), stage.sessions()), (vec![], 2));
    assert_eq!(say(&mut stage, &mut line, &format!("in {b} join tea")), [format!("in {b}: joined tea@0")]);
    assert_eq!(say(&mut stage, &mut line, "join tea"), ["refused NotGranted { right: \"READ\" }"]);
    // Once nothing is left of it elsewhere it ends as any other.
    say(&mut stage, &mut line, &format!("in {b} part"));
    let newer = token(&stage, "ann", 30, "");
    say(&mut stage, &mut line, &format!("auth {newer}"));
    stage.pass(Duration::from_millis(30_300));
    assert_eq!((stage.closed(CloseReason::Expired), stage.sessions()), (1, 0));
}
