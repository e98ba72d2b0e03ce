//! `chappe pub`: what is published, what is said about it, and what is said when it cannot be.

use crate::stage::{House, Leash, Running, chappe, run};
use std::io::Write;
use std::process::Stdio;

const TOKENS: &str =
    "[[auth.token]]\nname = \"joe\"\ntoken = \"hush-hush-hush-hush\"\ngrants = [\"READ **\", \"WRITE **\"]\n";

#[test]
fn each_line_of_standard_input_is_published_when_it_comes() {
    let house = House::start("");
    let listener = house.listen("chat", 1, &["--count", "3"]);
    let mut publisher = Running::start(house.command(&["pub", "chat"]).stdin(Stdio::piped()));
    let mut input = publisher.input();
    for (line, payload) in [("one\n", "\"one\""), ("{\"a\": 1}\r\n", "{\"a\": 1}")] {
        input.write_all(line.as_bytes()).unwrap();
        assert!(listener.line().contains(&format!("\"payload\":{payload},")));
        assert_eq!(publisher.line(), "{\"members\":1}");
    }
    // The last line has no end.
    input.write_all(b"three").unwrap();
    drop(input);
    assert!(listener.line().contains("\"payload\":\"three\","));
    let (listener, publisher) = (listener.end(), publisher.end());
    assert_eq!((listener.code, publisher.code), (Some(0), Some(0)), "{}{}", listener.err, publisher.err);
    assert_eq!(publisher.out, "{\"members\":1}\n");
}

#[test]
fn repeated_at_a_rate() {
    let house = House::start("");
    let listener = house.listen("chat", 1, &["--count", "25"]);
    let said = house.done(&["pub", "chat", "x", "--repeat", "25", "--rate", "500"]);
    assert_eq!(said.out, "{\"members\":1}\n".repeat(25));
    let heard = listener.end();
    assert_eq!(heard.code, Some(0));
    assert_eq!(heard.out.lines().count(), 25);
}

#[test]
fn what_a_payload_is() {
    let house = House::start("");
    let listener = house.listen("a/b c,d", 1, &["--count", "5"]);
    house.done(&["pub", "a/b c,d", "5", "--event", "tick ü"]);
    house.done(&["pub", "a/b c,d", "5", "--text", "--quiet"]);
    house.done(&["pub", "a/b c,d", "-5", "--json"]);
    for (sort, bytes) in [("--text", "one\ntwo\n".as_bytes()), ("--bytes", &[0xff, 0])] {
        let mut command = house.command(&["pub", "a/b c,d", "--whole", sort]);
        let mut publisher = Running::start(command.stdin(Stdio::piped()));
        publisher.input().write_all(bytes).unwrap();
        assert_eq!(publisher.end().code, Some(0));
    }
    let heard = listener.end();
    let payloads: Vec<String> = heard
        .out
        .lines()
        .map(|line| {
            let message: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(message["channel"], "a/b c,d");
            message["payload"].to_string()
        })
        .collect();
    assert_eq!(payloads, ["5", "\"5\"", "-5", "\"one\\ntwo\\n\"", "{\"$binary\":\"/wA=\"}"]);
    assert!(heard.out.contains("\"event\":\"tick ü\""));
}

#[test]
fn quiet_says_nothing() {
    let house = House::start("");
    let said = house.done(&["pub", "chat", "x", "--quiet"]);
    assert_eq!((said.out.as_str(), said.err.as_str()), ("", ""));
}

#[test]
fn nobody_there() {
    // A port that was free a moment ago.
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{address}");
    for command in [&["pub", "chat", "x", "--url", &url][..], &["sub", "chat", "--url", &url]] {
        let said = run(chappe(command).env("CHAPPE_TOKEN", "hush"));
        assert_eq!(said.code, Some(1));
        let remedy = "start a server with `chappe serve`, or name another with --url";
        assert_eq!(said.err, format!("chappe: nothing listens at {url}: {remedy}\n"));
    }
    let said = run(&mut chappe(&["pub", "chat", "x", "--url", &url, "--token", "hush"]));
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("nothing listens") && !said.err.contains("hush"), "{}", said.err);
    let said = run(&mut chappe(&["bench", "idle", "--members", "1", "--url", &url]));
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("start `chappe serve`"), "{}", said.err);
}

#[test]
fn refused_by_a_server_with_tokens() {
    let house = House::start(TOKENS);
    let said = run(&mut house.command(&["pub", "chat", "x"]));
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("401") && said.err.contains("CHAPPE_TOKEN"), "{}", said.err);
    for command in [&["pub", "chat", "x"][..], &["sub", "chat"]] {
        let said = run(house.command(command).env("CHAPPE_TOKEN", "wrong-wrong-wrong"));
        assert_eq!(said.code, Some(1));
        assert!(said.err.contains("refuses: ") && said.err.contains("401"), "{}", said.err);
        assert!(!said.err.contains("wrong-wrong"), "{}", said.err);
    }
    let listener =
        Running::start(house.command(&["sub", "chat", "-n", "1"]).env("CHAPPE_TOKEN", "hush-hush-hush-hush"));
    crate::stage::wait_until("a member", || {
        house.done(&["pub", "chat", "x", "--token", "hush-hush-hush-hush"]).out == "{\"members\":1}\n"
    });
    let heard = listener.end();
    assert_eq!(heard.code, Some(0), "{}", heard.err);
    assert!(heard.out.contains("\"publisher\":\"joe\""), "{}", heard.out);
}

#[test]
fn a_server_that_goes_in_between() {
    let house = House::start("");
    let mut publisher = Running::start(house.command(&["pub", "chat"]).stdin(Stdio::piped()));
    let mut input = publisher.input();
    input.write_all(b"one\n").unwrap();
    assert_eq!(publisher.line(), "{\"members\":0}");
    drop(house);
    input.write_all(b"two\n").unwrap();
    let said = publisher.end();
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""));
    assert!(said.err.contains("(1 message had been published)"), "{}", said.err);
}

#[test]
fn publishing_goes_on_when_nobody_reads_the_answers() {
    let house = House::start("");
    let listener = house.listen("chat", 1, &["--count", "200"]);
    let mut command = house.command(&["pub", "chat", "x", "--repeat", "200"]);
    let mut child = Leash(command.stderr(Stdio::null()).spawn().unwrap());
    drop(child.0.stdout.take());
    assert_eq!(listener.end().code, Some(0));
    assert!(child.0.wait().unwrap().success());
}

#[test]
fn a_server_that_begins_to_answer_and_stops_is_given_up() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut publisher = Running::start(&mut chappe(&["pub", "chat", "x", "--url", &url]));
    let (mut stream, _) = listener.accept().unwrap();
    stream.write_all(b"HTTP/1.1 202 Accepted\r\nContent-Length: 100\r\n\r\n{").unwrap();
    assert_eq!(publisher.wait().code(), Some(1));
    let said = publisher.end();
    assert!(said.err.contains("does not answer"), "{}", said.err);
}
