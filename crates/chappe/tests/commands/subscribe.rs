//! `chappe sub`: what it prints, how it ends, and how it comes back.

use crate::relay::Relay;
use crate::stage::{House, Leash, Running, chappe, run};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::thread;

const WINDOW: &str = "[[channel]]\npattern = \"news\"\nwindow = 100\n";

#[test]
fn both_formats() {
    let house = House::start("");
    let programs = house.listen("chat", 1, &["--count", "2"]);
    let people = house.listen("chat", 2, &["--count", "2", "--format", "pretty"]);
    house.done(&["pub", "chat", "{\"a\": 1}", "--event", "tick"]);
    house.done(&["pub", "chat", "hello"]);
    let (programs, people) = (programs.end(), people.end());
    assert_eq!((programs.code, people.code), (Some(0), Some(0)));
    // Nothing beside the work is said where nobody watches.
    assert_eq!((programs.err.as_str(), people.err.as_str()), ("", ""));
    let lines: Vec<serde_json::Value> =
        programs.out.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!((&lines[0]["event"], &lines[0]["payload"]["a"]), (&"tick".into(), &1.into()));
    assert_eq!(lines[1]["payload"], "hello");
    let lines: Vec<&str> = people.out.lines().collect();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].contains("Z chat <") && lines[0].ends_with("> [tick] {\"a\": 1}"), "{}", lines[0]);
    assert!(lines[1].ends_with("> hello"), "{}", lines[1]);
    assert!(!people.out.contains('\x1b'), "colours belong to terminals");
}

#[test]
fn nobody_writes_to_the_terminal_of_others() {
    let house = House::start("");
    let people = house.listen("chat", 1, &["--count", "2", "--format", "pretty"]);
    let programs = house.listen("chat", 2, &["--count", "2"]);
    let evil = "\x1b[2J\x1b]0;title\x07\u{9b}31m\r\nforged line\u{202e}\t";
    house.done(&["pub", "chat", evil, "--event", "\u{202e}tick\u{2028}"]);
    house.done(&["pub", "chat", "[\"\u{9b}2J\"]"]);
    let people = people.end();
    assert_eq!(people.out.lines().count(), 2, "{}", people.out);
    let acting = |c: char| c != '\n' && (c.is_control() || "\u{202e}\u{2028}".contains(c));
    assert!(!people.out.contains(acting), "{:?}", people.out);
    assert!(people.out.contains("\\u001b[2J\\u001b]0;title\\u0007\\u009b31m\\r\\nforged line\\u202e\\t\n"));
    // A program gets every byte, on one line.
    let programs = programs.end();
    assert_eq!(programs.out.split_terminator('\n').count(), 2);
    let line: serde_json::Value = serde_json::from_str(programs.out.split('\n').next().unwrap()).unwrap();
    assert_eq!(line["payload"], evil);
}

#[test]
fn several_channels_and_broken_pipes() {
    let house = House::start("");
    let mut child = Leash(house.command(&["sub", "a", "b"]).spawn().unwrap());
    house.wait_for_members("a", 1);
    house.wait_for_members("b", 1);
    house.done(&["pub", "b", "first"]);
    let mut out = BufReader::new(child.0.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    assert!(line.contains("\"channel\":\"b\""), "{line}");
    // Nothing more is said, so only the closed pipe can end it.
    drop(out);
    let mut status = None;
    crate::stage::wait_until("its end", || {
        status = child.0.try_wait().unwrap();
        status.is_some()
    });
    let mut words = String::new();
    child.0.stderr.take().unwrap().read_to_string(&mut words).unwrap();
    assert_eq!((status.unwrap().code(), words.as_str()), (Some(0), ""));
}

#[test]
fn ctrl_c() {
    use std::os::unix::process::ExitStatusExt;
    let house = House::start("");
    let mut listener = house.listen("chat", 1, &[]);
    let kill = ["-INT", &listener.pid().to_string()].map(str::to_owned);
    assert!(std::process::Command::new("kill").args(kill).status().unwrap().success());
    // What a shell shows as 130.
    assert_eq!(listener.wait().signal(), Some(2));
    assert_eq!(listener.end().err, "");
}

#[test]
fn comes_back_to_a_server_that_was_killed() {
    let house = House::start(WINDOW);
    let address = house.address.clone();
    let listener = house.listen("news", 1, &["--count", "2"]);
    house.done(&["pub", "news", "before"]);
    assert!(listener.line().contains("\"before\""));
    drop(house);
    listener.news("is lost");
    let house = House::start_at(&address, WINDOW);
    house.wait_for_members("news", 1);
    listener.news("listening again");
    house.done(&["pub", "news", "after"]);
    // The new server cannot know what the old one said, and says so.
    assert_eq!(listener.line(), "{\"missed\":null}");
    assert!(listener.line().contains("\"after\""));
    let said = listener.end();
    assert_eq!(said.code, Some(0));
    assert!(said.err.contains("messages were missed, nobody knows how many"), "{}", said.err);
}

#[test]
fn nothing_of_a_window_is_missed_while_the_connection_is_cut() {
    let house = House::start(WINDOW);
    let relay = Relay::start(&house.address, None);
    let url = format!("http://{}", relay.address);
    let listener = house.listen("news", 1, &["--url", &url, "--count", "4"]);
    house.done(&["pub", "news", "1"]);
    assert!(listener.line().contains("\"payload\":1,"));
    relay.cut();
    house.done(&["pub", "news", "2"]);
    house.done(&["pub", "news", "3"]);
    listener.news("is lost");
    relay.mend();
    for payload in ["\"payload\":2,", "\"payload\":3,"] {
        let line = listener.line();
        assert!(line.contains(payload), "{line}");
    }
    house.done(&["pub", "news", "4"]);
    assert!(listener.line().contains("\"payload\":4,"));
    assert_eq!(listener.end().code, Some(0));
}

#[test]
fn without_coming_back() {
    let house = House::start("");
    let listener = house.listen("chat", 1, &["--no-reconnect"]);
    drop(house);
    let said = listener.end();
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("is lost"), "{}", said.err);
}

#[test]
fn from_a_position_on() {
    let house = House::start(WINDOW);
    let listener = house.listen("news", 1, &["--count", "1"]);
    house.done(&["pub", "news", "one"]);
    let line: serde_json::Value = serde_json::from_str(&listener.line()).unwrap();
    house.done(&["pub", "news", "two"]);
    let position = line["position"].as_str().unwrap();
    let said = house.done(&["sub", "news", "--since", position, "--count", "1"]);
    assert!(said.out.contains("\"payload\":\"two\""), "{}", said.out);
}

/// Takes connections, says that to each, and keeps them open as long as the test runs.
fn pretender(words: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        let mut kept = Vec::new();
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut head = BufReader::new(stream.try_clone().unwrap());
            let mut line = String::new();
            while head.read_line(&mut line).is_ok_and(|n| n > 2) {
                line.clear();
            }
            stream.write_all(words.as_bytes()).unwrap();
            kept.push(stream);
        }
    });
    url
}

#[test]
fn silence_is_no_connection() {
    let words = "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n\n\r\n";
    let listener =
        Running::start(&mut chappe(&["sub", "chat", "--url", &pretender(words), "--silence", "1"]));
    assert!(listener.news("is lost").contains("no sign of life for 1 seconds"));
    listener.news("listening again");
    assert!(listener.news("is lost").contains("no sign of life for 1 seconds"));
}

#[test]
fn what_is_no_chappe() {
    for (words, expected) in [
        ("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>", "is no chappe"),
        (
            "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n\r\n\x1b[2Jevil\n",
            "`\\u001b[2Jevil` is no message",
        ),
        ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "404 Not Found; is that a chappe?"),
        (
            "HTTP/1.1 301 Moved\r\nLocation: https://elsewhere/\r\nContent-Length: 0\r\n\r\n",
            "points to https://elsewhere/",
        ),
        ("SSH-2.0-OpenSSH\r\n\r\n", "is no chappe"),
    ] {
        let said = run(&mut chappe(&["sub", "chat", "--url", &pretender(words), "--token", "hush"]));
        assert_eq!(said.code, Some(1), "{words}");
        assert!(said.err.contains(expected) && !said.err.contains('\x1b'), "{words}: {}", said.err);
    }
}
