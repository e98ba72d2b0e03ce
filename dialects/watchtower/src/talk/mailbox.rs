//! What is kept for a device that sleeps: the newest messages, so many and no more, and how many are missing. And where
//! it is kept for those that may wake up elsewhere.

use crate::settings::devices::Devices;
use crate::wire::device;
use bytes::Bytes;
use dialect::Turn;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What is kept for a device that sleeps.
#[derive(Debug, Default)]
pub(crate) struct Mailbox {
    frames: VecDeque<Bytes>,
    bytes: usize,
    missed: u64,
}

impl Mailbox {
    /// Keeps one more; the oldest go when there are too many. BOUND: `mailbox_messages`, `mailbox_bytes`.
    pub(super) fn keep(&mut self, frame: Bytes, settings: &Devices) {
        let (most, bytes) = (settings.mailbox_messages as usize, settings.mailbox_bytes as usize);
        self.bytes += frame.len();
        self.frames.push_back(frame);
        while self.frames.len() > most || self.bytes > bytes {
            let Some(oldest) = self.frames.pop_front() else { return };
            self.bytes -= oldest.len();
            self.missed += 1;
        }
    }

    /// So many more are missing.
    pub(super) fn miss(&mut self, missed: u64) {
        self.missed += missed;
    }

    /// Says how many are missing, then what was kept.
    pub(super) fn empty(self, turn: &mut Turn) {
        if self.missed > 0 {
            turn.binary(|out| device::gap(out, self.missed));
        }
        for frame in self.frames {
            turn.binary(|out| out.extend_from_slice(&frame));
        }
    }
}

/// The mailboxes of devices that can prove who they are from another address: one for each id.
///
/// LOCK: held for a look or a push, under no other and nothing under it. Datagrams are all one shard's, so that nobody
/// waits here but who resumes over TCP.
#[derive(Debug, Default)]
pub(crate) struct Shelf(Mutex<Boxes>);

#[derive(Debug, Default)]
struct Boxes {
    /// How many there have been: tells a mailbox from a later one of the same id.
    numbers: u64,
    /// BOUND: no more than there are addresses of devices.
    by_id: HashMap<u32, (u64, Mailbox)>,
}

/// Which mailbox on the shelf.
#[derive(Debug)]
pub(super) struct Place {
    id: u32,
    number: u64,
}

impl Shelf {
    fn lock(&self) -> MutexGuard<'_, Boxes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a mailbox there.
    ///
    /// # Errors
    /// Gives it back: another address of this id sleeps as well, and has its own there.
    pub(super) fn put(&self, id: u32, mailbox: Mailbox) -> Result<Place, Mailbox> {
        let mut boxes = self.lock();
        if boxes.by_id.contains_key(&id) {
            return Err(mailbox);
        }
        boxes.numbers += 1;
        let number = boxes.numbers;
        boxes.by_id.insert(id, (number, mailbox));
        Ok(Place { id, number })
    }

    /// Does something to a mailbox. `false`: it has been collected.
    pub(super) fn with(&self, place: &Place, act: impl FnOnce(&mut Mailbox)) -> bool {
        let mut boxes = self.lock();
        let found = boxes.by_id.get_mut(&place.id).filter(|(number, _)| *number == place.number);
        found.map(|(_, mailbox)| act(mailbox)).is_some()
    }

    /// Takes a mailbox back, unless it has been collected.
    pub(super) fn take(&self, place: &Place) -> Option<Mailbox> {
        let mut boxes = self.lock();
        boxes.by_id.get(&place.id).filter(|(number, _)| *number == place.number)?;
        boxes.by_id.remove(&place.id).map(|(_, mailbox)| mailbox)
    }

    /// Takes what is kept for this id, whichever address it was for.
    pub(super) fn collect(&self, id: u32) -> Option<Mailbox> {
        self.lock().by_id.remove(&id).map(|(_, mailbox)| mailbox)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dialect::Effect;

    #[test]
    fn the_oldest_go_and_are_counted() {
        let settings = Devices { mailbox_messages: 3, mailbox_bytes: 10, ..Devices::default() };
        let mut mailbox = Mailbox::default();
        for frame in [&b"aa"[..], b"bb", b"cc", b"dd", b"eeeeeeee"] {
            mailbox.keep(Bytes::from_static(frame), &settings);
        }
        assert_eq!((mailbox.bytes, mailbox.missed), (10, 3));
        mailbox.miss(2);
        let mut turn = Turn::default();
        mailbox.empty(&mut turn);
        let (effects, words) = turn.take();
        let mut said = Vec::new();
        for effect in effects {
            if let Effect::Send { words: span, .. } = effect {
                said.push(words.bytes(span).to_vec());
            }
        }
        assert_eq!(said, [b"G\x05\0\0\0".to_vec(), b"dd".to_vec(), b"eeeeeeee".to_vec()]);
    }

    #[test]
    fn what_is_larger_than_the_box_is_missing() {
        let settings = Devices { mailbox_bytes: 10, ..Devices::default() };
        let mut mailbox = Mailbox::default();
        mailbox.keep(Bytes::from_static(b"aa"), &settings);
        mailbox.keep(Bytes::from_static(b"elevenbytes"), &settings);
        assert_eq!((mailbox.frames.len(), mailbox.bytes, mailbox.missed), (0, 0, 2));
    }

    #[test]
    fn a_mailbox_on_the_shelf_is_its_owners_or_whose_id_it_is_and_nobody_has_it_twice() {
        let shelf = Shelf::default();
        let first = shelf.put(7, Mailbox::default()).unwrap();
        assert!(shelf.put(7, Mailbox { missed: 2, ..Mailbox::default() }).is_err_and(|m| m.missed == 2));
        assert!(shelf.with(&first, |m| m.miss(3)));
        assert!(shelf.collect(8).is_none());
        assert_eq!(shelf.collect(7).unwrap().missed, 3);
        assert!(!shelf.with(&first, |m| m.miss(1)) && shelf.take(&first).is_none());
        // A later one of the same id is not the first one's.
        let second = shelf.put(7, Mailbox::default()).unwrap();
        assert!(!shelf.with(&first, |m| m.miss(1)) && shelf.take(&first).is_none());
        assert!(shelf.take(&second).is_some() && shelf.lock().by_id.is_empty());
    }
}
