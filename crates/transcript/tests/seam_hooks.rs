//! The seam on a made-up dialect: sessions without a link that post what they hear to a real receiver outside.

#![allow(clippy::unwrap_used, clippy::panic, reason = "in a test that is how it fails")]

mod common;

use common::peers::Lines;
use common::puppet::{plan, puppet};
use common::stage::Stage;
use node::hooks::{Guard, HookSettings, SystemResolver, trust};
use node::{Clock, Control, Hooks};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// A receiver that answers every POST with this status, and hands on path and body.
fn receiver(status: u16) -> (SocketAddr, Receiver<(String, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let tell = tell.clone();
            std::thread::spawn(move || {
                let mut reader = BufReader::new(stream);
                loop {
                    let (mut head, mut length) = (String::new(), 0);
                    while !head.ends_with("\r\n\r\n") {
                        let from = head.len();
                        if reader.read_line(&mut head).ok()? == 0 {
                            return None::<()>;
                        }
                        if let Some(n) = head[from..].strip_prefix("Content-Length: ") {
                            length = n.trim().parse().ok()?;
                        }
                    }
                    let mut body = vec![0; length];
                    reader.read_exact(&mut body).ok()?;
                    assert!(head.contains("\r\nX-Server-Name: Puppet\r\n"), "{head}");
                    let path = head.split(' ').nth(1)?.to_owned();
                    tell.send((path, String::from_utf8(body).ok()?)).ok()?;
                    let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n");
                    reader.get_mut().write_all(answer.as_bytes()).ok()?;
                }
            });
        }
    });
    (address, told)
}

/// A stage with a world outside. Dropping the control ends what posts.
fn stage(shards: u16, private: bool) -> (Stage, Control) {
    let control = Control::start().unwrap();
    let mut settings = HookSettings::new(trust(&[]).unwrap());
    settings.guard = Guard { private, ..Guard::default() };
    (settings.queue.backoff, settings.queue.failures) = (Duration::from_millis(5), 3);
    (settings.per_host, settings.per_principal) = (1000, 1000);
    let hooks = Hooks::start(&control, settings, Box::new(SystemResolver), Clock::start());
    let mut plan = plan(shards);
    plan.hooks = Some(hooks);
    (Stage::build(plan), control)
}

/// Lets the stage go on until somebody outside has made so many lines be heard.
fn hear_all<const N: usize>(stage: &mut Stage, lines: &mut Lines) -> [String; N] {
    let mut heard = Vec::new();
    for _ in 0..3000 {
        stage.settle();
        heard.extend(lines.heard());
        if heard.len() >= N {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    heard.try_into().unwrap()
}

fn hears(stage: &mut Stage, lines: &mut Lines) -> String {
    let [line] = hear_all(stage, lines);
    line
}

fn spawn(stage: &mut Stage, script: &str) {
    let parent = puppet(stage, "auth");
    parent.say(&format!("spawn {}", script.replace(';', "|")));
    stage.settle();
    stage.pass_ms(100);
    parent.peer.vanish();
    stage.settle();
}

fn next(posts: &Receiver<(String, String)>) -> String {
    posts.recv_timeout(Duration::from_secs(30)).unwrap().1
}

#[test]
fn a_hook_hears_in_a_form_without_a_call_and_posts_what_its_owner_says() {
    let (address, posts) = receiver(200);
    let (mut stage, _control) = stage(2, true);
    let mut ear = puppet(&mut stage, "auth;hear;join ear");
    spawn(&mut stage, &format!("relay ear;hook http://{address}/in;hear;join tea;post first words"));
    assert_eq!(hears(&mut stage, &mut ear), "ear@1 hooked");
    stage.settle();
    let speaker = puppet(&mut stage, "auth");
    (1..=20).for_each(|n| speaker.say(&format!("publish tea cup {n}")));
    stage.settle();
    assert_eq!(posts.recv_timeout(Duration::from_secs(30)).unwrap(), ("/in".into(), "first words".into()));
    for n in 1..=20 {
        assert_eq!(next(&posts), format!("tea@{n} cup {n}\n"));
    }
    assert_eq!(ear.heard(), Vec::<String>::new(), "the conversation was not called");
}

#[test]
fn a_message_is_written_once_for_a_hundred_hooks() {
    let (address, posts) = receiver(200);
    let (mut stage, _control) = stage(1, true);
    let mut ear = puppet(&mut stage, "auth;hear;join ear");
    let hook = format!("spawn relay ear|hook http://{address}/|hear|join tea");
    let parent = puppet(&mut stage, "auth");
    for n in 1..=100 {
        parent.say(&hook);
        stage.settle();
        stage.pass_ms(100);
        assert_eq!(hears(&mut stage, &mut ear), format!("ear@{n} hooked"));
    }
    stage.settle();
    let before = stage.counters();
    parent.say("publish tea cup");
    stage.settle();
    let after = stage.counters();
    assert_eq!((after.encoded - before.encoded, after.delivered - before.delivered), (1, 100));
    (0..100).for_each(|_| assert_eq!(next(&posts), "tea@1 cup\n"));
}

#[test]
fn broadcasts_and_named_receivers_reach_hooks_and_a_form_that_cannot_be_written_is_told() {
    let (address, posts) = receiver(200);
    let (mut stage, _control) = stage(2, true);
    let mut ear = puppet(&mut stage, "auth;hear;join ear");
    spawn(&mut stage, &format!("relay ear;hook http://{address}/;hear brittle;join tea"));
    assert_eq!(hears(&mut stage, &mut ear), "ear@1 hooked");
    let speaker = puppet(&mut stage, "auth");
    speaker.say("publish tea one;publish tea boom;broadcast all;publish tea two");
    stage.settle();
    assert_eq!(next(&posts), "half tea@1 one\n");
    assert_eq!(next(&posts), "half *@1 all\n");
    assert_eq!(next(&posts), "half tea@3 two\n");
    assert_eq!(stage.house.exchange.hooks.as_ref().unwrap().list()[0].missed, 1);
}

#[test]
fn a_hook_that_is_given_up_is_told_and_what_follows_comes_by_events() {
    let (address, posts) = receiver(500);
    let (mut stage, _control) = stage(1, true);
    let mut ear = puppet(&mut stage, "auth;hear;join ear");
    spawn(&mut stage, &format!("relay ear;hook http://{address}/;hear;join tea;post hello"));
    assert_eq!(hear_all(&mut stage, &mut ear), ["ear@1 hooked", "ear@2 hook closed: Dead"]);
    (0..3).for_each(|_| assert_eq!(next(&posts), "hello"));
    ear.say("publish tea more");
    assert_eq!(hears(&mut stage, &mut ear), "ear@3 heard more");
}

#[test]
fn hooks_that_may_not_be_are_refused_with_words() {
    let (address, posts) = receiver(200);
    let (mut stage, _control) = stage(1, false);
    let mut ear = puppet(&mut stage, "auth;hear;join ear");
    for (url, words) in [
        (format!("http://{address}/"), "hooks.allow"),
        (format!("http://localhost:{}/", address.port()), "hooks.allow"),
        ("ftp://example.com/".to_owned(), "http:// or https://"),
    ] {
        spawn(&mut stage, &format!("relay ear;hook {url}"));
        let heard = hears(&mut stage, &mut ear);
        assert!(heard.contains("refused: ") && heard.contains(words), "{heard}");
    }
    assert!(posts.try_recv().is_err());
    // Nobody posts at all.
    let mut stage = Stage::build(plan(1));
    let mut peer = puppet(&mut stage, "auth;hook http://192.0.2.1/");
    stage.settle();
    assert!(peer.heard().is_empty());
    peer.say("hook http://192.0.2.1/");
    stage.settle();
    assert_eq!(peer.heard(), ["refused BadHook(\"this server posts to nobody\")"]);
}

#[test]
fn a_session_that_ends_closes_its_hook() {
    let (address, posts) = receiver(200);
    let (mut stage, _control) = stage(1, true);
    let mut ear = puppet(&mut stage, "auth;hear;join ear");
    spawn(&mut stage, &format!("relay ear;hook http://{address}/;hear;join tea;after 1000 close"));
    assert_eq!(hears(&mut stage, &mut ear), "ear@1 hooked");
    ear.say("publish tea one");
    stage.settle();
    assert_eq!(next(&posts), "tea@1 one\n");
    stage.pass_ms(1200);
    for _ in 0..3000 {
        if stage.house.exchange.hooks.as_ref().unwrap().is_empty() {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(stage.house.exchange.hooks.as_ref().unwrap().is_empty());
    ear.say("publish tea two");
    stage.settle();
    assert!(posts.try_recv().is_err());
    ear.peer.vanish();
    stage.settle();
    stage.assert_empty();
}
