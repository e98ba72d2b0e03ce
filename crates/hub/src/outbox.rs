//! What waits for one reader: the bytes the kernel refused, with a bound, and what goes when it is met.
//!
//! Entries are whole messages as they stand on the wire. Does not know the wire, the session, or who else waits.

use bytes::Bytes;
use model::SlowPolicy;
use std::collections::VecDeque;

/// Messages that nobody may drop are gathered up to this many bytes into one entry.
const GATHER: usize = 16 << 10;

/// How the bytes of a message are kept.
#[derive(Clone, Debug)]
pub enum Retain<'a> {
    /// Copied.
    Copy(&'a [u8]),
    /// Shared with the delivery they come from: large ones.
    Share(Bytes),
}

/// Whether a message found a place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pushed {
    /// It did; older ones may have gone for it (see [`Outbox::take_missed`]).
    Kept,
    /// It did not, and the policy is to disconnect.
    Overflow,
}

#[derive(Debug)]
enum Kept {
    Own(Vec<u8>),
    Shared(Bytes),
}

#[derive(Debug)]
struct Entry {
    bytes: Kept,
    /// The channel it may be dropped for; `None`: it may not be dropped.
    droppable: Option<u32>,
}

impl Entry {
    fn bytes(&self) -> &[u8] {
        match &self.bytes {
            Kept::Own(v) => v,
            Kept::Shared(b) => b,
        }
    }
}

/// The pending bytes of one reader.
#[derive(Debug, Default)]
pub struct Outbox {
    entries: VecDeque<Entry>,
    bytes: usize,
    /// How much of the first entry has been written; it is never dropped then.
    written: usize,
    missed: u64,
}

impl Outbox {
    /// Adds a message (or the unwritten rest of one) of `channel`, keeping at most `bound` bytes.
    pub fn push(&mut self, message: Retain<'_>, channel: u32, policy: SlowPolicy, bound: usize) -> Pushed {
        let len = match &message {
            Retain::Copy(b) => b.len(),
            Retain::Share(b) => b.len(),
        };
        match policy {
            SlowPolicy::Disconnect => {}
            SlowPolicy::DropOldest => self.drop_until(bound.saturating_sub(len)),
            SlowPolicy::KeepLatest => self.drop_channel(channel),
        }
        if self.bytes + len > bound {
            return Pushed::Overflow;
        }
        self.bytes += len;
        let droppable = (policy != SlowPolicy::Disconnect).then_some(channel);
        match (message, self.entries.back_mut()) {
            (Retain::Copy(new), Some(Entry { bytes: Kept::Own(v), droppable: None }))
                if droppable.is_none() && v.len() + new.len() <= GATHER =>
            {
                // All pieces that grow are alike: what one leaves fits the next, and the heap stays whole.
                v.reserve_exact(GATHER.saturating_sub(v.len()));
                v.extend_from_slice(new);
            }
            (Retain::Copy(new), _) => {
                self.entries.push_back(Entry { bytes: Kept::Own(new.to_vec()), droppable });
            }
            (Retain::Share(b), _) => self.entries.push_back(Entry { bytes: Kept::Shared(b), droppable }),
        }
        Pushed::Kept
    }

    /// The stretches to write next, in order.
    pub fn stretches(&self) -> impl Iterator<Item = &[u8]> {
        let mut skip = self.written;
        self.entries.iter().map(move |e| e.bytes().get(std::mem::take(&mut skip)..).unwrap_or_default())
    }

    /// Notes that the first `n` bytes have been written.
    pub fn advance(&mut self, n: usize) {
        self.bytes -= n;
        self.written += n;
        while let Some(first) = self.entries.front() {
            let len = first.bytes().len();
            if self.written < len {
                return;
            }
            self.written -= len;
            self.entries.pop_front();
        }
    }

    /// Bytes that wait.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many messages have been dropped since this was last asked.
    pub fn take_missed(&mut self) -> u64 {
        std::mem::take(&mut self.missed)
    }

    /// Drops the oldest droppable messages until at most `target` bytes wait, or none is left to drop.
    fn drop_until(&mut self, target: usize) {
        let mut i = usize::from(self.written > 0);
        while self.bytes > target && i < self.entries.len() {
            if self.entries[i].droppable.is_some() {
                self.drop_entry(i);
            } else {
                i += 1;
            }
        }
    }

    fn drop_channel(&mut self, channel: u32) {
        let mut i = usize::from(self.written > 0);
        while i < self.entries.len() {
            if self.entries[i].droppable == Some(channel) {
                self.drop_entry(i);
            } else {
                i += 1;
            }
        }
    }

    fn drop_entry(&mut self, i: usize) {
        if let Some(e) = self.entries.remove(i) {
            self.bytes -= e.bytes().len();
            self.missed += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pending(o: &Outbox) -> Vec<u8> {
        o.stretches().flatten().copied().collect()
    }

    #[test]
    fn disconnect_keeps_all_or_overflows() {
        let mut o = Outbox::default();
        assert_eq!(o.push(Retain::Copy(b"abc"), 1, SlowPolicy::Disconnect, 5), Pushed::Kept);
        assert_eq!(o.push(Retain::Copy(b"def"), 1, SlowPolicy::Disconnect, 5), Pushed::Overflow);
        assert_eq!(pending(&o), b"abc");
    }

    #[test]
    fn the_oldest_goes_but_never_one_begun() {
        let mut o = Outbox::default();
        for m in [b"aa", b"bb", b"cc"] {
            o.push(Retain::Copy(m), 1, SlowPolicy::DropOldest, 6);
        }
        o.advance(1);
        o.push(Retain::Copy(b"dd"), 1, SlowPolicy::DropOldest, 6);
        assert_eq!(pending(&o), b"accdd", "the rest of aa, then bb is missing");
        assert_eq!((o.take_missed(), o.take_missed()), (1, 0));
        assert_eq!(o.push(Retain::Copy(b"eeeeeee"), 1, SlowPolicy::DropOldest, 6), Pushed::Overflow);
    }

    #[test]
    fn only_the_newest_of_a_channel_stays() {
        let mut o = Outbox::default();
        o.push(Retain::Copy(b"hi"), 0, SlowPolicy::Disconnect, 100);
        for m in [b"a1", b"a2"] {
            o.push(Retain::Copy(m), 1, SlowPolicy::KeepLatest, 100);
        }
        o.push(Retain::Copy(b"b1"), 2, SlowPolicy::KeepLatest, 100);
        o.push(Retain::Share(Bytes::from_static(b"a3")), 1, SlowPolicy::KeepLatest, 100);
        assert_eq!(pending(&o), b"hib1a3");
        assert_eq!(o.take_missed(), 2);
    }

    proptest::proptest! {
        #[test]
        fn what_is_kept_comes_out_in_order(script in proptest::collection::vec((0u8..3, 1usize..40, 0usize..60), 1..80)) {
            let (mut o, mut sent, mut n) = (Outbox::default(), Vec::new(), 0u8);
            for (policy, len, read) in script {
                n = n.wrapping_add(1);
                let policy = [SlowPolicy::Disconnect, SlowPolicy::DropOldest, SlowPolicy::KeepLatest][policy as usize];
                o.push(Retain::Copy(&vec![n; len]), u32::from(n % 3), policy, 200);
                assert!(o.bytes() <= 200);
                let all = pending(&o);
                assert_eq!(all.len(), o.bytes());
                let read = read.min(all.len());
                sent.extend_from_slice(&all[..read]);
                o.advance(read);
            }
            // Messages come whole and in order: numbers never go back.
            assert!(sent.windows(2).all(|w| w[0] <= w[1]));
        }
    }
}
