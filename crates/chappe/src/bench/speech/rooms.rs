//! The rooms dialect, which publishers speak, and members unless told otherwise.

use super::websocket::{Talk, mask};
use super::{Ear, Member, stamp};
use std::io;
use std::rc::Rc;

/// A member, or a publisher.
pub(super) struct Rooms {
    /// Its room, and what messages to it begin with.
    room: Option<(String, Rc<[u8]>)>,
}

impl Rooms {
    pub(super) fn new(room: Option<(String, Rc<[u8]>)>) -> Self {
        Self { room }
    }
}

impl Talk for Rooms {
    fn open(&mut self, member: &mut Member, ear: &mut Ear, out: &mut Vec<u8>) {
        match &self.room {
            Some((room, _)) => mask(out, &stamp::subscribe(room)),
            None => ear.note_joined(member),
        }
    }

    fn hear(
        &mut self,
        text: &str,
        now: u64,
        member: &mut Member,
        ear: &mut Ear,
        _: &mut Vec<u8>,
    ) -> io::Result<()> {
        let prefix = self.room.as_ref().map(|(_, prefix)| prefix);
        match prefix.and_then(|prefix| stamp::read(text.as_bytes(), prefix)) {
            Some(stamp) => ear.hear(member, stamp, now),
            None => hear_words(text, member, ear),
        }
        Ok(())
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
