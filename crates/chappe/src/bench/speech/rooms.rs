//! A WebSocket that speaks the rooms dialect.

use super::head::Head;
use super::{Ear, Member, Speech, stamp};
use carrier::websocket::{self, Decoder, Item, Opcode, Role};
use std::io::{self, ErrorKind};
use std::rc::Rc;

/// The key of all masks. Nobody between us could be misled by one that is known.
const KEY: [u8; 4] = [0x5a, 0xc3, 0x96, 0x0f];

/// A member, or a publisher.
pub(super) struct Rooms {
    request: Rc<[u8]>,
    /// Its room, and what messages to it begin with.
    room: Option<(String, Rc<[u8]>)>,
    /// Before it is a WebSocket.
    head: Option<Head>,
    decoder: Decoder,
}

impl Rooms {
    pub(super) fn new(request: Rc<[u8]>, room: Option<(String, Rc<[u8]>)>) -> Self {
        Self { request, room, head: Some(Head::default()), decoder: Decoder::new(Role::Client) }
    }
}

impl Speech for Rooms {
    fn begin(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.request);
    }

    fn hear(
        &mut self,
        bytes: &mut [u8],
        member: &mut Member,
        ear: &mut Ear,
        out: &mut Vec<u8>,
    ) -> io::Result<()> {
        let Some(head) = &mut self.head else { return self.feed(bytes, member, ear, out) };
        let Some((_, mut rest)) = head.take(bytes, "101", ear)? else { return Ok(()) };
        self.head = None;
        match &self.room {
            Some((room, _)) => mask(out, &stamp::subscribe(room)),
            None => ear.note_joined(member),
        }
        self.feed(&mut rest, member, ear, out)
    }
}

impl Rooms {
    fn feed(
        &mut self,
        bytes: &mut [u8],
        member: &mut Member,
        ear: &mut Ear,
        out: &mut Vec<u8>,
    ) -> io::Result<()> {
        let now = ear.watch.nanos();
        let mut at = 0;
        loop {
            let item = match self.decoder.next(bytes, &mut at, &ear.limits) {
                Ok(Some(item)) => item,
                Ok(None) => return Ok(()),
                Err(fault) => {
                    let words = format!("the server broke the WebSocket protocol: {}", fault.detail);
                    return Err(ear.complain(words, ErrorKind::InvalidData));
                }
            };
            match item {
                Item::Text(text) => {
                    let prefix = self.room.as_ref().map(|(_, prefix)| prefix);
                    match prefix.and_then(|prefix| stamp::read(text.as_bytes(), prefix)) {
                        Some(stamp) => ear.hear(member, stamp, now),
                        None => hear_words(text, member, ear),
                    }
                }
                Item::Ping(payload) => websocket::masked(out, Opcode::Pong, payload, KEY),
                Item::Close(said) => {
                    let (code, reason) = said.unwrap_or((1005, ""));
                    let words = format!("closed with {code} {reason}");
                    return Err(ear.complain(words, ErrorKind::ConnectionReset));
                }
                Item::Binary(_) | Item::Deflated(..) | Item::Pong(_) => {}
            }
        }
    }
}

/// The server speaks for itself: a greeting, an acknowledgement, or bad news.
fn hear_words(text: &str, member: &mut Member, ear: &mut Ear) {
    if text.starts_with("{\"msg\":\"Subscribed to ") {
        ear.note_joined(member);
    } else if text.starts_with("{\"msg\":\"Refused") || text.starts_with("{\"msg\":\"Missed") {
        ear.complaint.get_or_insert_with(|| text.to_owned());
    }
}

/// Appends a text as a client's frame.
pub(in crate::bench) fn mask(out: &mut Vec<u8>, text: &[u8]) {
    websocket::masked(out, Opcode::Text, text, KEY);
}
