//! Polls of Engine.IO 4, one after the other on one connection: what is heard by GET, what is said by POST. Knows
//! payloads and leaves packets to Socket.IO.

use super::head::Head;
use super::socketio::SocketIo;
use super::{Ear, Member, Speech};
use serde_json::Value;
use std::io::{self, ErrorKind};

/// Stands between the packets of a payload.
const BETWEEN: char = '\u{1e}';

/// An answer that is not all there.
enum Answer {
    Head(Head),
    /// The length of the body, and what there is of it.
    Body(usize, Vec<u8>),
}

/// A client that polls.
pub(super) struct Polling {
    socket: SocketIo,
    host: String,
    /// The header that shows a token, or nothing.
    credentials: String,
    sid: Option<String>,
    answer: Answer,
    /// The answer that comes is that to a POST.
    has_posted: bool,
}

impl Polling {
    pub(super) fn new(host: &str, credentials: &str, socket: SocketIo) -> Self {
        Self {
            socket,
            host: host.to_owned(),
            credentials: credentials.to_owned(),
            sid: None,
            answer: Answer::Head(Head::default()),
            has_posted: false,
        }
    }

    /// Asks for what there is; or says something, where there is something to say.
    fn ask(&mut self, said: Option<&str>, out: &mut Vec<u8>) {
        let Self { host, credentials, .. } = self;
        let method = if said.is_some() { "POST" } else { "GET" };
        let sid = self.sid.as_ref().map(|sid| format!("&sid={sid}")).unwrap_or_default();
        let mut request = format!(
            "{method} /socket.io/?EIO=4&transport=polling{sid} HTTP/1.1\r\nHost: {host}\r\n{credentials}"
        );
        if let Some(said) = said {
            let length = said.len();
            request += &format!("Content-Type: text/plain;charset=UTF-8\r\nContent-Length: {length}\r\n");
        }
        request += "\r\n";
        request += said.unwrap_or_default();
        out.extend_from_slice(request.as_bytes());
        self.has_posted = said.is_some();
    }

    /// Hears the body of an answer.
    fn body(&mut self, body: &[u8], member: &mut Member, ear: &mut Ear, out: &mut Vec<u8>) -> io::Result<()> {
        if self.has_posted {
            self.ask(None, out);
            return Ok(());
        }
        let payload = String::from_utf8_lossy(body);
        if self.sid.is_none() {
            let opened = payload.strip_prefix('0').and_then(|open| serde_json::from_str::<Value>(open).ok());
            self.sid = opened.and_then(|open| Some(open.get("sid")?.as_str()?.to_owned()));
            if self.sid.is_none() {
                return Err(ear.complain(format!("no session in {payload}"), ErrorKind::InvalidData));
            }
        }
        let now = ear.watch.nanos();
        let mut said = Vec::new();
        for packet in payload.split(BETWEEN) {
            said.extend(self.socket.answer(packet, now, member, ear)?);
        }
        let said = said.join(BETWEEN.encode_utf8(&mut [0; 4]));
        self.ask(Some(said.as_str()).filter(|said| !said.is_empty()), out);
        Ok(())
    }
}

impl Speech for Polling {
    fn begin(&mut self, out: &mut Vec<u8>) {
        self.ask(None, out);
    }

    fn hear(
        &mut self,
        bytes: &mut [u8],
        member: &mut Member,
        ear: &mut Ear,
        out: &mut Vec<u8>,
    ) -> io::Result<()> {
        match &mut self.answer {
            Answer::Head(head) => {
                let Some((head, rest)) = head.take(bytes, "200", ear)? else { return Ok(()) };
                let Some(length) = length_of(&head) else {
                    let words = "an answer to a poll has no Content-Length".to_owned();
                    return Err(ear.complain(words, ErrorKind::InvalidData));
                };
                self.answer = Answer::Body(length, rest);
            }
            Answer::Body(_, body) => body.extend_from_slice(bytes),
        }
        // Nothing comes behind a body before there is another request.
        if let Answer::Body(length, body) = &mut self.answer
            && body.len() >= *length
        {
            let body = std::mem::take(body);
            self.answer = Answer::Head(Head::default());
            return self.body(&body, member, ear, out);
        }
        Ok(())
    }
}

/// What the head of an answer says of the length of its body.
fn length_of(head: &[u8]) -> Option<usize> {
    let head = std::str::from_utf8(head).ok()?;
    let mut fields = head.lines().filter_map(|line| line.split_once(':'));
    let (_, length) = fields.find(|(name, _)| name.eq_ignore_ascii_case("content-length"))?;
    length.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths() {
        assert_eq!(length_of(b"HTTP/1.1 200 OK\r\nDate: x\r\ncontent-length: 12\r\n\r\n"), Some(12));
        assert_eq!(length_of(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), None);
    }
}
