//! Whether a member hears every message of its room, once and in order.

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

#[cfg(test)]
mod tests {
    use super::*;

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
