//! What the reference server was seen to do, replayed: the sessions of `reference/sessions.txt`.
//!
//! Polls and errors of HTTP that were seen are plays: `opening`, `refused`, `polls`, `polls-faults`, `scripts`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails so, in its helpers too")]

mod common;

use common::Stage;
use dialect::Turn;
use socketio_dialect::talk::app::{App, Said};
use socketio_dialect::talk::engine::Over;
use socketio_dialect::talk::layer::Line;
use socketio_dialect::talk::peer::Peer;
use socketio_dialect::talk::socket::{Bounds, Sio, Sockets};
use socketio_dialect::wire::arguments;
use socketio_dialect::wire::packet::{Head, Limits, Style};
use std::time::Duration;

const SESSIONS: &str = include_str!("reference/sessions.txt");

/// The application that the reference was measured with.
struct Measured;

impl App for Measured {
    fn wishes(
        &mut self,
        namespace: &str,
        shown: Option<&str>,
        sockets: &mut Sockets,
        line: &mut Line<'_>,
        turn: &mut Turn,
    ) -> Result<(), Over> {
        if shown == Some(r#"{"bad":1}"#) {
            let data = Some(r#"{"content":"please retry"}"#);
            return sockets.refuse(namespace, ("not authorized", data), Style::Object, line, turn);
        }
        match namespace {
            "/" => sockets.connect(namespace, "<id>", line, turn),
            "/admin" => {
                sockets.connect(namespace, "<id>", line, turn)?;
                sockets.emit(Head::event(namespace, None, 0), r#"["hi",false]"#, &[], line, turn)
            }
            _ => sockets.refuse_unknown(namespace, line, turn),
        }
    }

    fn hears(
        &mut self,
        said: &Said<'_>,
        sockets: &mut Sockets,
        line: &mut Line<'_>,
        turn: &mut Turn,
    ) -> Result<(), Over> {
        let Some(event) = arguments::event(said.array) else { return Ok(()) };
        let count = said.attachments.len();
        match (&*event.name, said.ack) {
            ("echo", _) => {
                sockets.emit(Head::event("/", None, count), said.array, said.attachments, line, turn)
            }
            ("ackme", Some(id)) => {
                let mut array = Vec::new();
                arguments::write(event.arguments, &mut array);
                let array = String::from_utf8(array).unwrap();
                sockets.emit(Head::ack("/", id, count), &array, said.attachments, line, turn)
            }
            ("bye", _) => sockets.emit(Head::disconnect("/"), "", &[], line, turn),
            ("byeall", _) => {
                sockets.emit(Head::disconnect("/"), "", &[], line, turn)?;
                Err(Over::Told)
            }
            _ => Ok(()),
        }
    }
}

fn stage() -> Stage {
    let terms = common::terms(common::pace());
    let packets = Limits { bytes: 1000, ..Limits::default() };
    let bounds = Bounds { packets, namespaces: 16, connect_timeout: Duration::from_secs(45) };
    let peer = Peer::new(std::sync::Arc::clone(&terms), &common::opening(), Sio::new(&bounds, Measured));
    Stage::new(Box::new(peer), &terms)
}

/// What the peer sees of this: frames, and that it is closed.
fn seen(wanted: Vec<String>) -> Vec<String> {
    let seen = wanted.into_iter().filter_map(|w| match w.strip_prefix("closed ") {
        Some(how) => how.split_once(' ').map(|(_, code)| format!("closed {code}")),
        None => w.strip_prefix("1< ").map(|frame| format!("< {frame}")),
    });
    seen.collect()
}

/// What a session says and hears, as the file has it, without what the reference does otherwise.
fn replayed(revision: &str, lines: &[&str]) -> Vec<String> {
    let mut stage = stage();
    let mut heard = seen(stage.ask(1, &format!("GET EIO={revision}&transport=websocket"), ""));
    for line in lines.iter().filter(|l| l.starts_with('>')) {
        heard.push((*line).to_owned());
        heard.extend(seen(stage.say(1, line.trim_start_matches('>').trim_start())));
    }
    heard
}

#[test]
fn sessions_on_a_websocket() {
    let mut sessions = 0;
    for session in SESSIONS.split("\n== ").skip(1) {
        let mut lines = session.lines();
        let (revision, title) = lines.next().and_then(|l| l.split_once(' ')).unwrap();
        let lines: Vec<&str> = lines.filter(|l| !l.is_empty() && !l.starts_with('~')).collect();
        assert_eq!(replayed(revision, &lines), lines, "revision {revision}, {title}");
        sessions += 1;
    }
    assert_eq!(sessions, 42);
}

/// The one session of those measured that is too long for the file.
#[test]
fn a_message_that_is_too_long() {
    let mut stage = stage();
    stage.ask(1, "GET EIO=4&transport=websocket", "");
    stage.say(1, "40");
    let long = format!("42[\"echo\",\"{}\"]", "a".repeat(1000 - 13));
    assert_eq!(stage.say(1, &long).len(), 1, "as long as it may be");
    // 1009 is the code for this reason.
    assert_eq!(stage.say(1, &format!("{long} ")), ["closed TooBig"]);
}
