//! Whether a member hears every message of its room, once and in order.

use std::collections::VecDeque;

/// What one member has heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    /// The number it expects.
    next: u64,
    /// Messages, those included that were no news.
    pub(super) messages: u64,
    /// Numbers that were skipped.
    pub(super) gaps: u64,
    /// Messages that came again, or after a later one.
    pub(super) repeats: u64,
}

impl Heard {
    pub(super) fn hear(&mut self, number: u64) {
        self.messages += 1;
        if number == self.next {
            self.next += 1;
        } else if number > self.next {
            self.gaps += number - self.next;
            self.next = number + 1;
        } else {
            self.repeats += 1;
        }
    }

    /// How many of the messages that were sent to the room it has not heard in their place.
    pub(super) fn lost(&self, sent: u64) -> u64 {
        sent.saturating_sub(self.messages - self.repeats)
    }
}

/// The messages of one room that some member has not heard.
#[derive(Clone, Debug, Default)]
pub(super) struct UnderWay {
    /// The number of the first of them.
    first: u64,
    /// For each, how many members have not.
    left: VecDeque<u32>,
}

impl UnderWay {
    /// One more message has been sent, to so many members.
    pub(super) fn send(&mut self, members: u32) {
        self.left.push_back(members);
    }

    /// One more member has heard a message. How many messages are through with that.
    pub(super) fn arrive(&mut self, number: u64) -> u64 {
        let Some(at) = number.checked_sub(self.first) else { return 0 };
        let Some(left) = usize::try_from(at).ok().and_then(|at| self.left.get_mut(at)) else { return 0 };
        *left = left.saturating_sub(1);
        let mut through = 0;
        while self.left.front() == Some(&0) {
            self.left.pop_front();
            self.first += 1;
            through += 1;
        }
        through
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_through_when_all_have_heard_it() {
        let mut room = UnderWay::default();
        (0..3).for_each(|_| room.send(2));
        assert_eq!([0, 1, 1].map(|n| room.arrive(n)), [0, 0, 0], "the first one is still under way");
        assert_eq!(room.arrive(0), 2);
        assert_eq!(room.arrive(0), 0, "a repeat");
        assert_eq!(room.arrive(7), 0, "never sent");
        assert_eq!([2, 2].map(|n| room.arrive(n)), [0, 1]);
    }

    fn heard(numbers: &[u64]) -> (u64, u64, u64) {
        let mut h = Heard::default();
        numbers.iter().for_each(|n| h.hear(*n));
        (h.gaps, h.repeats, h.lost(4))
    }

    #[test]
    fn order_gaps_repeats_and_loss() {
        assert_eq!(heard(&[0, 1, 2, 3]), (0, 0, 0));
        assert_eq!(heard(&[0, 1]), (0, 0, 2), "the end is missing");
        assert_eq!(heard(&[1, 2, 3]), (1, 0, 1), "the beginning is missing");
        assert_eq!(heard(&[0, 3]), (2, 0, 2));
        assert_eq!(heard(&[0, 1, 1, 2, 3]), (0, 1, 0));
        assert_eq!(heard(&[0, 2, 1, 3]), (1, 1, 1), "too late is not in its place");
        assert_eq!(heard(&[]), (0, 0, 4));
    }
}
