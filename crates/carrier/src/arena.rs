//! What goes out in a turn: one buffer for everybody, and for each link the stretches of it that it is owed.
//!
//! A run of messages is written into the arena once for each form; a member costs one stretch, or nothing when
//! the stretch before it can be made longer. After the flush nothing refers to the arena any more (what the
//! kernel refused has been kept elsewhere), so it is simply empty again.

use bytes::Bytes;
use model::SlowPolicy;

/// A stretch of the arena.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Stretch {
    /// Stands for no stretch: nothing begins so late.
    pub(crate) const NONE: Self = Self { start: u32::MAX, end: u32::MAX };

    pub(crate) fn is_empty(self) -> bool {
        self.start == self.end
    }
}

/// Where a message stands that has a slow policy of its own, or that is large enough to be shared.
#[derive(Clone, Debug)]
pub(crate) struct Mark {
    pub(crate) at: Stretch,
    pub(crate) channel: u32,
    pub(crate) policy: SlowPolicy,
    pub(crate) shared: Option<Bytes>,
}

/// Larger forms are kept by reference when a reader is slow, not copied.
pub(crate) const SHARE_FROM: usize = 2 << 10;

/// Memory the arena keeps between turns.
const KEEP: usize = 1 << 20;

#[derive(Debug, Default)]
pub(crate) struct Arena {
    bytes: Vec<u8>,
    /// In order of their places.
    marks: Vec<Mark>,
}

impl Arena {
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Where the next byte will stand. A turn writes far less than 4 GiB: its reads and slices are bounded.
    pub(crate) fn end(&self) -> u32 {
        u32::try_from(self.bytes.len()).unwrap_or(u32::MAX)
    }

    pub(crate) fn since(&self, start: u32) -> Stretch {
        Stretch { start, end: self.end() }
    }

    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    pub(crate) fn get(&self, s: Stretch) -> &[u8] {
        self.bytes.get(s.start as usize..s.end as usize).unwrap_or_default()
    }

    pub(crate) fn mark(&mut self, mark: Mark) {
        self.marks.push(mark);
    }

    /// Cuts a stretch at its marks: for each piece its place and, when it is a marked message, its mark.
    pub(crate) fn pieces(&self, s: Stretch) -> impl Iterator<Item = (Stretch, Option<&Mark>)> {
        let first = self.marks.partition_point(|m| m.at.start < s.start);
        let mut marks = self.marks[first..].iter().take_while(move |m| m.at.end <= s.end).peekable();
        let mut at = s.start;
        std::iter::from_fn(move || {
            if at >= s.end {
                return None;
            }
            let (end, mark) = match marks.peek() {
                Some(m) if m.at.start == at => (m.at.end, marks.next()),
                Some(m) => (m.at.start, None),
                None => (s.end, None),
            };
            let piece = Stretch { start: at, end };
            at = end;
            Some((piece, mark))
        })
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(KEEP);
        self.marks.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_are_cut_at_marks() {
        let mut a = Arena::default();
        a.buffer().extend_from_slice(&[0; 30]);
        for (start, end) in [(2, 5), (5, 9), (12, 20)] {
            let at = Stretch { start, end };
            a.mark(Mark { at, channel: 1, policy: SlowPolicy::DropOldest, shared: None });
        }
        let cut = |start, end| {
            a.pieces(Stretch { start, end }).map(|(s, m)| (s.start, s.end, m.is_some())).collect::<Vec<_>>()
        };
        assert_eq!(cut(0, 14), [(0, 2, false), (2, 5, true), (5, 9, true), (9, 14, false)]);
        assert_eq!(cut(5, 20), [(5, 9, true), (9, 12, false), (12, 20, true)]);
        assert_eq!(cut(3, 4), [(3, 4, false)], "the rest of a message that was begun");
    }
}
