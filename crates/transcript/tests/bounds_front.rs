//! What somebody costs who has not shown for whom he acts: places by address, time and bytes, bodies; and rules that
//! change while everybody is here.

#![allow(clippy::unwrap_used, reason = "in a test that is how it fails")]

mod common;

use carrier::{Gate, Network, Origins, Rules};
use common::peers::{Http as Peer, Lines, Ws, deflated_frame_of, text_frame, upgrade};
use common::puppet::{self, who};
use common::stage::Stage;
use http_dialect::Http;
use model::{CloseReason, Grant, Limits, Principal, VHostName};
use node::{StaticTokens, Token};
use rooms_dialect::Rooms;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use transcript::house::{Blueprint, everybody};

fn plan() -> Blueprint {
    Blueprint::new(vec![Box::new(Http::default()), Box::new(Rooms::default())])
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A connection of HTTP from an address.
fn from(stage: &Stage, address: &str) -> Peer {
    Peer::new(stage.house.sim.connect_from(ip(address), 0))
}

/// A line of puppets from an address.
fn line(stage: &Stage, address: &str) -> Lines {
    Lines::new(stage.house.sim.connect_from(ip(address), 1))
}

fn strangers(stage: &Stage) -> usize {
    stage.house.wiring.strangers.addresses()
}

fn at_most(mut plan: Blueprint, strangers: u32) -> Stage {
    plan.limits.unauthenticated_per_address = Some(strangers);
    Stage::build(plan)
}

fn tokens(names: &[&str]) -> Vec<Token> {
    let token = |name: &&str| {
        let grants = ["READ **", "WRITE **"].map(|g| Grant::parse(g).unwrap()).to_vec();
        let principal = Arc::new(Principal::named(*name, grants));
        Token { secret: (*name).into(), vhost: VHostName::root(), principal }
    };
    names.iter().map(token).collect()
}

/// Nobody acts without a token; Ann and Bob have one.
fn locked(mut plan: Blueprint) -> Blueprint {
    plan.authority = Box::new(StaticTokens::new(tokens(&["ann", "bob"]), None));
    plan
}

fn healthy(stage: &mut Stage, peer: &mut Peer) -> Vec<u16> {
    peer.get("/healthz");
    stage.settle();
    peer.statuses()
}

#[test]
fn strangers_of_an_address_have_so_many_places_and_the_next_is_told_so() {
    let mut stage = at_most(plan(), 2);
    let mut all: Vec<Peer> = (0..2).map(|_| from(&stage, "192.0.2.1")).collect();
    stage.settle();
    let mut third = from(&stage, "192.0.2.1");
    stage.settle();
    let told = third.response();
    assert_eq!(told.status, 429);
    assert!(told.body.contains("limits.unauthenticated_per_address"), "{}", told.body);
    assert!(third.peer.is_over() && told.head.contains("Connection: close"));
    assert_eq!((stage.counters().rejected, stage.connections()), (1, 2));
    for other in ["192.0.2.2", "::1", "127.0.0.1", "127.9.9.9"] {
        let mut http = from(&stage, other);
        assert_eq!(healthy(&mut stage, &mut http), [200], "{other}");
    }
    for one in &mut all {
        assert_eq!(healthy(&mut stage, one), [200], "who was there first");
    }
    all[0].peer.vanish();
    stage.settle();
    let mut next = from(&stage, "192.0.2.1");
    assert_eq!(healthy(&mut stage, &mut next), [200], "who goes makes room");
}

#[test]
fn a_place_is_given_back_however_a_connection_ends() {
    let mut plan = plan();
    plan.limits.keep_alive = Duration::from_secs(5);
    let mut stage = at_most(plan, 1);
    let address = "192.0.2.1";
    for round in 0..6 {
        let mut http = from(&stage, address);
        match round {
            0 => http.peer.vanish(),
            1 => http.peer.finish(),
            2 => {
                assert_eq!(healthy(&mut stage, &mut http), [200]);
                stage.pass(Duration::from_secs(8));
            }
            3 => {
                http.get("/c/tea");
                stage.settle();
                assert_eq!(strangers(&stage), 1, "a stream keeps its place");
                http.peer.finish();
            }
            4 => {
                http.peer.write(upgrade("/").as_bytes());
                stage.settle();
                assert_eq!(strangers(&stage), 1, "a WebSocket keeps its place");
                let mut second = from(&stage, address);
                assert_eq!(healthy(&mut stage, &mut second), [429]);
                http.peer.write(&common::peers::frame(carrier::websocket::Opcode::Close, &[]));
                stage.settle();
                http.peer.finish();
            }
            _ => {
                http.peer.write(b"no request\r\n\r\n");
                stage.settle();
                assert_eq!(http.statuses(), [400]);
                http.peer.finish();
            }
        }
        stage.settle();
        assert_eq!(strangers(&stage), 0, "round {round}");
    }
    stage.assert_empty();
}

#[test]
fn who_is_authenticated_is_no_stranger() {
    let mut stage = at_most(locked(plan()), 1);
    let address = "192.0.2.1";
    let mut sockets = Vec::new();
    for n in 0..5 {
        sockets.push(Ws::open(stage.house.sim.connect_from(ip(address), 0), "/?token=ann"));
        stage.settle();
        assert!(!sockets[n].heard().is_empty() && sockets[n].open, "{n}");
        assert_eq!(strangers(&stage), 0);
    }
    let mut puppets = at_most(puppet::plan(1), 1);
    let mut lines = Vec::new();
    for n in 0..5 {
        let one = line(&puppets, address);
        puppets.settle();
        assert_eq!(strangers(&puppets), 1);
        one.say("auth ann:7");
        puppets.settle();
        assert_eq!(strangers(&puppets), 0, "{n}");
        lines.push(one);
    }
    // Who acts for nobody stays a stranger.
    let anonymous = line(&puppets, address);
    anonymous.say("auth");
    puppets.settle();
    assert_eq!(strangers(&puppets), 1);
    let refused = line(&puppets, address);
    puppets.settle();
    assert!(refused.peer.is_over());
    assert_eq!(puppets.sessions(), 6);
}

#[test]
fn who_names_somebody_and_proves_nothing_is_a_stranger() {
    let mut stage = at_most(puppet::plan(1), 2);
    let mut say = |words: &str| {
        let mut one = line(&stage, "192.0.2.1");
        one.say(words);
        stage.settle();
        (strangers(&stage), one.heard().pop().unwrap(), one)
    };
    let (left, told, _somebody) = say("enrol 60000");
    let words: Vec<_> = told.split(' ').collect();
    let &["enrolled", address, token, _] = &words[..] else { panic!("{told}") };
    assert_eq!(left, 0);
    let (left, _, named) = say(&format!("act {address}"));
    assert_eq!(left, 1, "an address is no proof");
    named.peer.vanish();
    let (left, _, _proved) = say(&format!("act {address} {token}"));
    assert_eq!(left, 0);
}

#[test]
fn a_link_that_moves_to_another_shard_takes_its_place_along_and_no_second_one() {
    let mut stage = at_most(puppet::plan(2), 1);
    let mut owner = Lines::new(stage.house.connect(1));
    owner.say("outlive");
    let id = who(&mut stage, &mut owner);
    let proxied = stage.house.sim.connect_from(ip("10.0.0.1"), 0);
    // A proxy has announced for whom; the request goes to the shard of the other session.
    proxied.announce(ip("192.0.2.1"));
    let mut http = Peer::new(proxied);
    for round in 0..3 {
        http.get(&format!("/puppet?do=handover+{id}&then=respond+here"));
        stage.settle();
        assert_eq!(http.response().body, "here", "round {round}");
        assert_eq!(strangers(&stage), 1, "round {round}");
    }
    http.peer.finish();
    stage.settle();
    assert_eq!(strangers(&stage), 0);
}

#[test]
fn a_link_that_moves_to_the_session_of_somebody_is_no_strangers_any_more() {
    let mut stage = at_most(puppet::plan(2), 1);
    let mut owner = Lines::new(stage.house.connect(1));
    owner.say("auth ann:7");
    stage.settle();
    let id = who(&mut stage, &mut owner);
    let mut http = from(&stage, "192.0.2.1");
    http.get(&format!("/puppet?do=handover+{id}&then=respond+here"));
    stage.settle();
    assert_eq!((http.response().body.as_str(), strangers(&stage)), ("here", 0));
}

#[test]
fn behind_a_proxy_it_is_who_is_announced_or_forwarded_that_counts() {
    let mut plan = plan();
    plan.proxies = vec![Network::parse("10.0.0.0/8").unwrap()];
    let mut stage = at_most(plan, 1);
    let ask = |stage: &mut Stage, from: &str, forwarded: &str| {
        let mut http = Peer::new(stage.house.sim.connect_from(ip(from), 0));
        http.peer.write(
            format!("GET /c/tea HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: {forwarded}\r\n\r\n")
                .as_bytes(),
        );
        stage.settle();
        let status = http.responses()[0].status;
        (http, status)
    };
    let (first, status) = ask(&mut stage, "10.0.0.1", "192.0.2.1");
    assert_eq!(status, 200);
    assert_eq!(ask(&mut stage, "10.0.0.1", "192.0.2.1").1, 429);
    assert_eq!(ask(&mut stage, "10.0.0.2", "8.8.8.8, 192.0.2.1, 10.3.3.3").1, 429);
    assert_eq!(ask(&mut stage, "10.0.0.1", "192.0.2.1, 192.0.2.2").1, 200);
    // A stranger's word is nothing: he is counted as who he is.
    let (_stream, status) = ask(&mut stage, "192.0.2.9", "192.0.2.3");
    assert_eq!(status, 200);
    assert_eq!(ask(&mut stage, "10.0.0.1", "192.0.2.3").1, 200, "nobody is counted there");
    let mut again = from(&stage, "192.0.2.9");
    stage.settle();
    assert_eq!(again.statuses(), [429]);
    first.peer.finish();
    stage.settle();
    assert_eq!(ask(&mut stage, "10.0.0.1", "192.0.2.1").1, 200);
    // One connection of a proxy, many who are behind it: each request is somebody else's.
    let shared = Peer::new(stage.house.sim.connect_from(ip("10.0.0.1"), 0));
    let mut shared = shared;
    for (forwarded, expected) in
        [("192.0.2.1", 429), ("192.0.2.50", 202), ("192.0.2.1", 429), ("192.0.2.51", 202)]
    {
        shared.peer.write(
            format!(
                "POST /c/milk HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: {forwarded}\r\nContent-Length: 1\r\n\r\n1"
            )
            .as_bytes(),
        );
        stage.settle();
        assert_eq!(shared.statuses(), [expected], "{forwarded}");
    }
}

#[test]
fn no_more_are_accepted_in_a_second_than_may_be() {
    let mut plan = plan();
    plan.limits.accept_rate = Some(100);
    plan.shards = 2;
    let mut stage = Stage::build(plan);
    let mut all: Vec<Peer> = (0..350).map(|_| Peer::new(stage.connect())).collect();
    all.iter().for_each(|p| p.get("/healthz"));
    stage.settle();
    assert_eq!(stage.counters().accepted, 100, "one second's worth at once");
    for second in 1..=3_u64 {
        stage.pass(Duration::from_secs(1));
        assert_eq!(stage.counters().accepted, (100 + second * 100).min(350), "second {second}");
    }
    let answered = all.iter_mut().map(Peer::statuses).filter(|s| *s == [200]).count();
    assert_eq!(answered, 350, "who had to wait is served all the same");
}

#[test]
fn who_does_not_authenticate_in_time_is_gone() {
    let mut stage = Stage::build(locked(puppet::plan(1)));
    let silent = line(&stage, "192.0.2.1");
    let talks = line(&stage, "192.0.2.1");
    let ann = line(&stage, "192.0.2.1");
    let mut socket = Ws::open(stage.connect(), "/puppet?do=accept");
    let address: SocketAddr = "192.0.2.1:5".parse().unwrap();
    stage.house.sim.send(2, address, b"who");
    stage.settle();
    assert!(socket.heard().is_empty() && socket.open);
    ann.say("auth ann");
    for _ in 0..9 {
        stage.pass(Duration::from_secs(1));
        talks.say("who");
        socket.say("who");
    }
    stage.settle();
    assert_eq!((stage.sessions(), silent.peer.is_over()), (5, false));
    stage.pass(Duration::from_millis(1_500));
    assert_eq!((stage.sessions(), stage.closed(CloseReason::Unauthorized)), (1, 4));
    assert_eq!(socket.closed_with(), Some(1008));
    stage.pass(Duration::from_secs(60));
    assert_eq!(stage.sessions(), 1, "Ann has all the time there is");
}

#[test]
fn who_says_much_before_authenticating_is_gone_and_who_says_it_after_is_not() {
    let mut plan = locked(puppet::plan(1));
    plan.deflate = true;
    let mut stage = Stage::build(plan);
    let words = format!("say {}", "x".repeat(995));
    let mut talks = line(&stage, "192.0.2.1");
    let mut socket = Ws::open(stage.connect(), "/puppet?do=accept");
    let mut ann = line(&stage, "192.0.2.1");
    ann.say("auth ann");
    stage.settle();
    for _ in 0..15 {
        talks.say(&words);
        socket.say(&words);
        ann.say(&words);
        stage.settle();
    }
    assert_eq!((stage.sessions(), talks.heard().len(), socket.texts().len()), (3, 15, 15));
    for _ in 0..50 {
        talks.say(&words);
        socket.say(&words);
        ann.say(&words);
        stage.settle();
        ann.heard();
    }
    assert_eq!((stage.sessions(), stage.closed(CloseReason::Unauthorized)), (1, 2));
    assert!(talks.heard().len() <= 2, "nothing beyond the budget is dealt with");
    // One message that is larger than all of it, as far as it has come.
    let big = line(&stage, "192.0.2.1");
    big.peer.write(&vec![b'x'; 20_000]);
    let frame = Ws::open(stage.connect(), "/puppet?do=accept");
    stage.settle();
    frame.peer.write(&text_frame(&"x".repeat(20_000)));
    stage.settle();
    assert_eq!((stage.sessions(), stage.closed(CloseReason::Unauthorized)), (1, 4));
    // One of which nothing comes.
    let mut deflating = Ws::offering(stage.connect(), "/puppet?do=accept", "permessage-deflate");
    stage.settle();
    deflating.peer.write(&deflated_frame_of("say here", 10_000));
    stage.settle();
    assert_eq!(deflating.texts(), ["here"]);
    deflating.peer.write(&deflated_frame_of("say here", 10_000));
    stage.settle();
    assert_eq!((stage.sessions(), stage.closed(CloseReason::Unauthorized)), (1, 5));
}

#[test]
fn a_new_connection_for_each_message_gains_nothing() {
    let mut plan = plan();
    plan.limits.publish_rate = Some((1, 5));
    let mut stage = Stage::build(plan);
    let post = |stage: &mut Stage, address: &str| {
        let mut http = from(stage, address);
        http.post("/c/tea", "1");
        stage.settle();
        let statuses = http.statuses();
        http.peer.finish();
        stage.settle();
        statuses[0]
    };
    // It was here before, and has said nothing.
    let idle = Ws::open(stage.house.sim.connect_from(ip("192.0.2.1"), 0), "/");
    stage.settle();
    let all: Vec<u16> = (0..8).map(|_| post(&mut stage, "192.0.2.1")).collect();
    assert_eq!(all, [202, 202, 202, 202, 202, 429, 429, 429]);
    assert_eq!(post(&mut stage, "192.0.2.2"), 202, "another address");
    idle.peer.finish();
    stage.settle();
    assert_eq!(post(&mut stage, "192.0.2.1"), 429, "one that leaves without a word gives nothing back");
    stage.pass(Duration::from_secs(2));
    let all: Vec<u16> = (0..3).map(|_| post(&mut stage, "192.0.2.1")).collect();
    assert_eq!(all, [202, 202, 429], "time does");
}

#[test]
fn neither_does_a_new_socket_however_the_last_one_ended() {
    let mut plan = plan();
    plan.limits.publish_rate = Some((1, 5));
    let mut stage = Stage::build(plan);
    // It was here before, and has said nothing.
    let idle = Ws::open(stage.house.sim.connect_from(ip("192.0.2.3"), 0), "/");
    let mut ear = Ws::open(stage.connect(), "/c/tea");
    for (address, end) in [("192.0.2.1", "close"), ("192.0.2.2", "finish"), ("192.0.2.3", "vanish")] {
        let mut heard = 0;
        for _ in 0..4 {
            let ws = Ws::open(stage.house.sim.connect_from(ip(address), 0), "/");
            stage.settle();
            ear.heard();
            (0..10).for_each(|n| ws.say(&format!(r#"{{"event":"tea","payload":{n}}}"#)));
            stage.settle();
            heard += ear.texts().len();
            match end {
                "close" => ws.close(),
                "finish" => ws.peer.finish(),
                _ => {
                    ws.peer.vanish();
                    idle.peer.vanish();
                }
            }
            stage.settle();
        }
        assert_eq!(heard, 5, "{end}");
    }
}

const HEADS: [&str; 3] =
    ["Content-Length: 1000000", "Transfer-Encoding: chunked", "Content-Length: 9\r\nExpect: 100-continue"];

fn begin(stage: &mut Stage, line: &str, target: &str) -> Peer {
    let http = from(stage, "192.0.2.1");
    http.peer.write(format!("POST {target} HTTP/1.1\r\nHost: localhost\r\n{line}\r\n\r\n").as_bytes());
    stage.settle();
    http
}

#[test]
fn where_nobody_acts_without_a_token_no_body_is_read_without() {
    let mut stage = Stage::build(locked(plan()));
    for head in HEADS {
        for target in ["/c/tea", "/c/tea?token=carl"] {
            let mut http = begin(&mut stage, head, target);
            let all = http.responses();
            assert_eq!(all.len(), 1, "{head}: {all:?}");
            assert_eq!(all[0].status, 401, "{head}: at once, and no 100 Continue before");
            assert!(http.peer.is_over());
            http.peer.write(&vec![b'x'; 100_000]);
            stage.settle();
            assert!(http.responses().is_empty());
            http.peer.finish();
            stage.settle();
        }
    }
    stage.assert_empty();
    assert_eq!(stage.counters().rejected, 6);
    for (way, target) in [("Authorization: Bearer ann\r\n", "/c/tea"), ("", "/c/tea?token=ann")] {
        let http = begin(&mut stage, &format!("{way}Content-Length: 100002"), target);
        let mut http = http;
        assert!(http.responses().is_empty() && !http.peer.is_over(), "with a token it is read");
        http.peer.write(format!("\"{}\"", "x".repeat(100_000)).as_bytes());
        stage.settle();
        assert_eq!(http.statuses(), [202]);
    }
}

#[test]
fn where_anybody_may_act_bodies_are_read() {
    let mut stage = Stage::build(plan());
    let mut http = begin(&mut stage, "Content-Length: 3", "/c/tea");
    assert!(http.responses().is_empty());
    http.peer.write(b"123");
    stage.settle();
    assert_eq!(http.statuses(), [202]);
}

fn replace(stage: &mut Stage, limits: Limits, gate: Gate) {
    stage.house.wiring.rulebook.replace(Rules { limits, gates: vec![gate] });
    for shard in 0..stage.house.exchange.shards() {
        stage.house.exchange.inbox(shard).ring();
    }
    stage.settle();
}

#[test]
fn gates_and_limits_can_be_replaced_while_everybody_is_here() {
    let mut plan = plan();
    plan.shards = 2;
    let limits = plan.limits.clone();
    let mut stage = Stage::build(plan);
    let mut stays: Vec<Ws> = (0..4).map(|_| Ws::open(stage.connect(), "/")).collect();
    stage.settle();
    stays.iter_mut().for_each(|ws| drop(ws.heard()));
    let ask = |stage: &mut Stage| {
        let mut all: Vec<Peer> = (0..2).map(|_| Peer::new(stage.connect())).collect();
        for http in &all {
            http.peer.write(b"GET /healthz HTTP/1.1\r\nHost: tea.example\r\n\r\n");
        }
        stage.settle();
        all.iter_mut().map(|http| http.statuses()[0]).collect::<Vec<_>>()
    };
    assert_eq!(ask(&mut stage), [403, 403]);
    let open = Gate { hosts: None, origins: Origins::Any };
    replace(&mut stage, Limits { message_bytes: 100, ..limits.clone() }, open);
    assert_eq!(ask(&mut stage), [200, 200], "on every shard");
    for ws in &mut stays[..2] {
        ws.say(&format!(r#"{{"event":"tea","payload":"{}"}}"#, "x".repeat(100)));
        stage.settle();
        assert_eq!(ws.closed_with(), Some(1009), "for who was there before, too");
    }
    replace(&mut stage, limits, Gate::loopback());
    assert_eq!(ask(&mut stage), [403, 403]);
    for ws in &mut stays[2..] {
        ws.say(&format!(r#"{{"event":"broadcast","payload":"{}"}}"#, "x".repeat(100)));
        stage.settle();
        assert!(!ws.texts().is_empty(), "who stays may say as much as before");
    }
    assert_eq!(stage.closed(CloseReason::Unauthorized), 0);
}

#[test]
fn whose_token_is_gone_is_ended_and_the_others_stay() {
    let mut plan = puppet::plan(2);
    let authority = Arc::new(StaticTokens::new(tokens(&["ann", "bob"]), Some(everybody())));
    plan.authority = Box::new(Arc::clone(&authority));
    let limits = plan.limits.clone();
    let mut stage = Stage::build(plan);
    let mut all: Vec<Lines> = ["auth ann", "auth ann", "auth bob", "auth bob", "auth", "who"]
        .iter()
        .map(|order| {
            let line = Lines::new(stage.house.connect(1));
            line.say(order);
            stage.settle();
            line
        })
        .collect();
    let mut alive = |stage: &mut Stage| {
        all.iter_mut()
            .map(|line| {
                line.heard();
                line.say("say here");
                stage.settle();
                line.heard() == ["here"]
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(alive(&mut stage), [true; 6]);
    authority.replace(tokens(&["bob", "carl"]), Some(everybody()));
    replace(&mut stage, limits.clone(), Gate::loopback());
    assert_eq!(alive(&mut stage), [false, false, true, true, true, true]);
    assert_eq!(stage.closed(CloseReason::Unauthorized), 2);
    // The same token, and other rights.
    let mut lesser = tokens(&["bob"]);
    lesser[0].principal =
        Arc::new(Principal::named(lesser[0].principal.name().unwrap().to_string(), Vec::new()));
    authority.replace(lesser, Some(everybody()));
    replace(&mut stage, limits.clone(), Gate::loopback());
    assert_eq!(alive(&mut stage), [false, false, false, false, true, true]);
    authority.replace(Vec::new(), None);
    replace(&mut stage, limits, Gate::loopback());
    assert_eq!(
        alive(&mut stage),
        [false, false, false, false, false, true],
        "who acted for nobody goes as well"
    );
    assert_eq!(stage.closed(CloseReason::Unauthorized), 5);
    stage.pass(Duration::from_secs(11));
    assert_eq!(
        (stage.sessions(), stage.closed(CloseReason::Unauthorized)),
        (0, 6),
        "who might have stayed so may not"
    );
}

#[test]
fn fifteen_thousand_who_say_nothing_are_gone_when_their_time_is_over() {
    let mut plan = plan();
    plan.shards = 2;
    let mut stage = Stage::build(plan);
    let all: Vec<_> = (0..15_000).map(|_| stage.connect()).collect();
    stage.settle();
    assert_eq!(stage.connections(), 15_000);
    let mut canary = Ws::open(stage.connect(), "/");
    stage.settle();
    canary.heard();
    // The time for a head, and what the clock of a wheel may be late.
    stage.pass(Duration::from_millis(10_100));
    assert_eq!(all.iter().filter(|p| p.is_over()).count(), 15_000);
    assert_eq!(stage.connections(), 1, "and none is waited for, who was told nothing");
    canary.say(r#"{"event":"broadcast","payload":1}"#);
    stage.settle();
    assert_eq!(canary.texts().len(), 1);
}
