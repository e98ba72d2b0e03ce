//! What becomes of what a callback has not posted yet, when its sender leaves or unregisters. And what signs. SPEC [CB-3].

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails so, in its helpers too")]

use node::hooks::{Guard, HookSettings, Signer, SystemResolver, trust};
use node::{Clock, Control, Hooks};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{sleep, spawn};
use std::time::Duration;
use transcript::house::{Blueprint, House};
use transcript::sim::Peer;
use watchtower_dialect::{Settings, Watchtower};

/// A receiver that says what it was posted, head and body, and answers when it is told to.
fn receiver() -> (SocketAddr, Receiver<String>, Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, (tell, told)) = (listener.local_addr().unwrap(), channel());
    let (may_answer, answers) = channel();
    spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(stream);
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).is_ok_and(|n| n > 0) {}
            let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
            let mut body = vec![0; length.map_or(0, |n| n.parse().unwrap())];
            reader.read_exact(&mut body).unwrap();
            tell.send(head + &String::from_utf8(body).unwrap()).unwrap();
            if answers.recv().is_err() {
                return;
            }
            // Whoever asked may be gone.
            let _gone = reader
                .get_mut()
                .write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        }
    });
    (address, told, may_answer)
}

struct Server {
    house: House,
    peer: Peer,
    _control: Control,
}

impl Server {
    fn new() -> Self {
        let control = Control::start().unwrap();
        let mut settings = HookSettings::new(trust(&[]).unwrap());
        settings.guard = Guard { private: true, ..Guard::default() };
        let hooks = Hooks::start(&control, settings, Box::new(SystemResolver), Clock::start());
        let grants = Some(vec!["READ **".to_owned(), "WRITE **".to_owned()]);
        let secret = Some("secret".to_owned().into());
        let watchtower = Watchtower::new(Settings { grants, secret, ..Settings::default() }, [7; 32]);
        let house =
            House::build(Blueprint { hooks: Some(hooks), ..Blueprint::new(vec![Box::new(watchtower)]) });
        let peer = house.connect(0);
        Self { house, peer, _control: control }
    }

    /// The body of the answer, which must be 200.
    fn ask(&mut self, path: &str, body: &str) -> String {
        let length = body.len();
        let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n");
        self.peer.write((head + body).as_bytes());
        let mut said = String::new();
        // What the world outside has to say takes its time.
        for _ in 0..3000 {
            self.house.settle();
            said += &String::from_utf8(self.peer.read(usize::MAX)).unwrap();
            if let Some((head, body)) = said.split_once("\r\n\r\n") {
                assert!(head.starts_with("HTTP/1.1 200"), "{path}: {said}");
                return body.to_owned();
            }
            sleep(Duration::from_millis(10));
        }
        panic!("{path}: no answer");
    }

    fn hooks(&self) -> &Hooks {
        self.house.exchange.hooks.as_ref().unwrap()
    }

    /// Somebody whose callback for these channels has one POST under way and two that wait, one of each channel.
    fn behind(&mut self, channels: &str) -> (String, Receiver<String>, Sender<()>) {
        let (address, posted, may_answer) = receiver();
        let registered = self.ask("/register", r#"{"secret_key":"secret"}"#);
        let id = registered.split([':', ',']).nth(1).unwrap().to_owned();
        let url = format!("http://{address}/");
        self.ask(
            "/channels/join/async",
            &format!(r#"{{"sender":{id},"channels":{channels},"callback_url":"{url}"}}"#),
        );
        for channel in [5, 5, 6] {
            if channels.contains(&channel.to_string()) {
                self.ask(
                    "/broadcast",
                    &format!(r#"{{"sender":{id},"channels":[{channel}],"message":"to {channel}"}}"#),
                );
            }
        }
        assert!(posted.recv_timeout(Duration::from_secs(30)).unwrap().contains("to 5"));
        (id, posted, may_answer)
    }

    /// What waited is not posted: it is counted.
    fn assert_dropped(&self, posted: &Receiver<String>, may_answer: &Sender<()>) {
        may_answer.send(()).unwrap();
        let counts = self.hooks().counts();
        for _ in 0..3000 {
            if counts.missed.load(Ordering::Relaxed) == 2 {
                break;
            }
            sleep(Duration::from_millis(10));
        }
        assert_eq!(self.hooks().len(), 0);
        assert_eq!(counts.missed.load(Ordering::Relaxed), 2, "the one under way and the one that waited");
        assert_eq!(counts.queued.load(Ordering::Relaxed), 0);
        assert_eq!(counts.outcomes[0].load(Ordering::Relaxed), 0);
        assert!(posted.try_recv().is_err());
    }
}

#[test]
fn who_leaves_his_last_channel_is_posted_nothing_more() {
    let mut server = Server::new();
    let (id, posted, may_answer) = server.behind("[5]");
    server.ask("/channels/leave", &format!(r#"{{"sender":{id},"channels":[5]}}"#));
    server.assert_dropped(&posted, &may_answer);
}

#[test]
fn who_unregisters_is_posted_nothing_more() {
    let mut server = Server::new();
    let (id, posted, may_answer) = server.behind("[5]");
    server.ask("/unregister", &format!(r#"{{"sender":{id}}}"#));
    server.assert_dropped(&posted, &may_answer);
}

#[test]
fn who_stays_in_another_channel_is_posted_what_waited_of_both() {
    let mut server = Server::new();
    let (id, posted, may_answer) = server.behind("[5,6]");
    server.ask("/channels/leave", &format!(r#"{{"sender":{id},"channels":[5]}}"#));
    for expected in ["to 5", "to 6"] {
        may_answer.send(()).unwrap();
        let next = posted.recv_timeout(Duration::from_secs(30)).unwrap();
        assert!(next.contains(expected), "{next}");
    }
    assert_eq!(server.hooks().counts().missed.load(Ordering::Relaxed), 0);
}

#[test]
fn a_callback_with_a_secret_is_signed_by_it() {
    let mut server = Server::new();
    let (address, posted, _may_answer) = receiver();
    let registered = server.ask("/register", r#"{"secret_key":"secret"}"#);
    let id = registered.split([':', ',']).nth(1).unwrap();
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let asked = format!(
        r#"{{"sender":{id},"channels":[5],"callback_url":"http://{address}/","callback_secret":"{secret}"}}"#
    );
    assert_eq!(server.ask("/channels/join/async", &asked), "{}\n");
    server.ask("/broadcast", &format!(r#"{{"sender":{id},"channels":[5],"message":"hi"}}"#));
    let post = posted.recv_timeout(Duration::from_secs(30)).unwrap();
    let (head, body) = post.split_once("\r\n\r\n").unwrap();
    let line = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    let (id, timestamp) = (line("Webhook-Id: "), line("Webhook-Timestamp: ").parse().unwrap());
    let signer = Signer::new(secret).unwrap();
    assert_eq!(line("Webhook-Signature: "), signer.sign(id, timestamp, body.as_bytes()));
}
