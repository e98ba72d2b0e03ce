//! A sender of Watchtower that listens to an HTTP stream: it registers, joins, and reads a line for each message.

use super::head::Head;
use super::{Ear, Member, Speech, stamp};
use serde_json::Value;
use std::io::{self, ErrorKind};
use std::rc::Rc;

/// What a line begins with, up to the stamp. The publisher is no sender of Watchtower, hence 0.
pub(super) fn prefix(room: &str) -> Vec<u8> {
    format!("{{\"channel\":{room},\"sender\":0,\"message\":\"").into_bytes()
}

/// How far it is.
enum Stage {
    /// It has asked for an id.
    Registering(Head, Option<Vec<u8>>),
    /// It has asked for its stream.
    Joining(Head),
    /// Lines arrive; the last one is not all there.
    Listening(Vec<u8>),
}

/// A listener.
pub(super) struct Stream {
    host: String,
    secret: String,
    room: String,
    prefix: Rc<[u8]>,
    stage: Stage,
}

impl Stream {
    pub(super) fn new(host: &str, secret: &str, (room, prefix): (String, Rc<[u8]>)) -> Self {
        let stage = Stage::Registering(Head::default(), None);
        Self { host: host.to_owned(), secret: secret.to_owned(), room, prefix, stage }
    }

    fn ask_for_stream(&mut self, body: &[u8], ear: &mut Ear, out: &mut Vec<u8>) -> io::Result<()> {
        let answer: Value = serde_json::from_slice(body).unwrap_or_default();
        let Some(id) = answer["id"].as_u64() else {
            let words = format!("no sender id in {}", String::from_utf8_lossy(body));
            return Err(ear.complain(words, ErrorKind::InvalidData));
        };
        let token = answer["token"].as_str().map(|token| format!("&token={token}")).unwrap_or_default();
        let Self { host, room, .. } = self;
        let request =
            format!("GET /channels/join?channels={room}&sender={id}{token} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        out.extend_from_slice(request.as_bytes());
        self.stage = Stage::Joining(Head::default());
        Ok(())
    }

    /// Chunks are not looked at: the server puts whole lines into them, and their sizes are lines by themselves.
    fn feed(&mut self, bytes: &[u8], member: &mut Member, ear: &mut Ear) {
        let Stage::Listening(partial) = &mut self.stage else { return };
        let now = ear.watch.nanos();
        for line in bytes.split_inclusive(|b| *b == b'\n') {
            let line = if partial.is_empty() && line.ends_with(b"\n") {
                line
            } else {
                partial.extend_from_slice(line);
                if !partial.ends_with(b"\n") {
                    return;
                }
                partial.as_slice()
            };
            if let Some(stamp) = stamp::read(line, &self.prefix) {
                ear.hear(member, stamp, now);
            }
            partial.clear();
        }
    }
}

impl Speech for Stream {
    fn begin(&mut self, out: &mut Vec<u8>) {
        let body = serde_json::json!({ "secret_key": self.secret }).to_string();
        let request = format!(
            "POST /register HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.host,
            body.len()
        );
        out.extend_from_slice(request.as_bytes());
    }

    fn hear(
        &mut self,
        bytes: &mut [u8],
        member: &mut Member,
        ear: &mut Ear,
        out: &mut Vec<u8>,
    ) -> io::Result<()> {
        match &mut self.stage {
            Stage::Registering(head, body) => {
                let body = match body {
                    Some(body) => {
                        body.extend_from_slice(bytes);
                        body
                    }
                    None => {
                        let Some((_, rest)) = head.take(bytes, "200", ear)? else { return Ok(()) };
                        body.insert(rest)
                    }
                };
                // The answer is one line.
                if !body.ends_with(b"\n") {
                    return Ok(());
                }
                let body = std::mem::take(body);
                self.ask_for_stream(&body, ear, out)
            }
            Stage::Joining(head) => {
                let Some((_, rest)) = head.take(bytes, "200", ear)? else { return Ok(()) };
                self.stage = Stage::Listening(Vec::new());
                ear.note_joined(member);
                self.feed(&rest, member, ear);
                Ok(())
            }
            Stage::Listening(_) => {
                self.feed(bytes, member, ear);
                Ok(())
            }
        }
    }
}
