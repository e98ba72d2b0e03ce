//! What is kept for a device that sleeps: the newest messages, so many and no more, and how many are missing.

use crate::settings::devices::Devices;
use crate::wire::device;
use bytes::Bytes;
use dialect::Turn;
use std::collections::VecDeque;

/// What is kept for a device that sleeps.
#[derive(Default)]
pub(super) struct Mailbox {
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
}
