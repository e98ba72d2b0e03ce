//! A client of Socket.IO with the broker's events, Engine.IO 4: it connects, subscribes, and hears `data`. Knows
//! packets, and not what carries them.

use super::websocket::{Talk, mask};
use super::{Ear, Member, stamp};
use std::io::{self, ErrorKind};
use std::rc::Rc;

/// Where a client asks for its WebSocket.
pub(super) const PATH: &str = "/socket.io/?EIO=4&transport=websocket";

/// What an event begins with, up to the stamp.
pub(super) fn prefix(room: &str) -> Vec<u8> {
    format!("42[\"data\",\"{room}\",\"").into_bytes()
}

/// A client.
pub(super) struct SocketIo {
    room: String,
    prefix: Rc<[u8]>,
}

impl SocketIo {
    pub(super) fn new((room, prefix): (String, Rc<[u8]>)) -> Self {
        Self { room, prefix }
    }

    /// Hears a packet, read at `now`. What is said to it; an error when it is no good news.
    pub(super) fn answer(
        &self,
        packet: &str,
        now: u64,
        member: &mut Member,
        ear: &mut Ear,
    ) -> io::Result<Option<String>> {
        if let Some(stamp) = stamp::read(packet.as_bytes(), &self.prefix) {
            ear.hear(member, stamp, now);
            return Ok(None);
        }
        if packet.starts_with("0{") {
            return Ok(Some("40".into()));
        }
        if packet.starts_with("40{") {
            return Ok(Some(format!("420[\"subscribe\",\"{}\"]", self.room)));
        }
        match packet {
            "2" => Ok(Some("3".into())),
            "430[]" => {
                ear.note_joined(member);
                Ok(None)
            }
            _ => Err(ear.complain(packet.to_owned(), ErrorKind::ConnectionRefused)),
        }
    }
}

impl Talk for SocketIo {
    fn open(&mut self, _: &mut Member, _: &mut Ear, _: &mut Vec<u8>) {}

    fn hear(
        &mut self,
        text: &str,
        now: u64,
        member: &mut Member,
        ear: &mut Ear,
        out: &mut Vec<u8>,
    ) -> io::Result<()> {
        if let Some(words) = self.answer(text, now, member, ear)? {
            mask(out, words.as_bytes());
        }
        Ok(())
    }
}
