//! How often an event of one kind is said: so many times a second, and how many more there were. Pure; the second is
//! an argument.

use std::collections::HashMap;
use std::hash::Hash;

/// Lines of one kind in a second.
pub(super) const PER_SECOND: u32 = 20;
/// BOUND: kinds that are told apart; those beyond are one kind together.
pub(super) const KINDS: usize = 256;

/// What becomes of an event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// It is said.
    Say,
    /// It is the first of its kind: it is said, and its kind is to be named after it.
    SayAndName,
    /// There were too many of its kind in this second.
    LeaveOut,
}

#[derive(Default)]
struct Kind {
    second: u64,
    said: u32,
    left_out: u64,
    target: &'static str,
    gist: String,
}

impl Kind {
    fn may_say(&mut self, second: u64) -> bool {
        if self.second != second {
            (self.second, self.said) = (second, 0);
        }
        let may = self.said < PER_SECOND;
        if may {
            self.said += 1;
        } else {
            self.left_out += 1;
        }
        may
    }
}

/// What has been said lately.
pub(super) struct Limiter<K> {
    kinds: HashMap<K, Kind>,
    /// All that found no place of their own.
    others: Kind,
}

impl<K> Default for Limiter<K> {
    fn default() -> Self {
        let others = Kind { target: "log", gist: "events of many kinds".into(), ..Kind::default() };
        Self { kinds: HashMap::new(), others }
    }
}

impl<K: Eq + Hash> Limiter<K> {
    /// Whether an event of this kind is said in this second.
    pub(super) fn judge(&mut self, kind: K, second: u64) -> Verdict {
        let full = self.kinds.len() >= KINDS;
        let known = match self.kinds.get_mut(&kind) {
            Some(known) => known,
            None if full => &mut self.others,
            None => {
                self.kinds.entry(kind).or_default().may_say(second);
                return Verdict::SayAndName;
            }
        };
        if known.may_say(second) { Verdict::Say } else { Verdict::LeaveOut }
    }

    /// Names a kind, for when it is said how many were left out.
    pub(super) fn name(&mut self, kind: &K, target: &'static str, gist: String) {
        if let Some(known) = self.kinds.get_mut(kind) {
            (known.target, known.gist) = (target, gist);
        }
    }

    /// What was left out before this second and has not been told: of which target, like what, how often.
    pub(super) fn left_out_before(&mut self, second: u64) -> Vec<(&'static str, String, u64)> {
        let kinds = self.kinds.values_mut().chain([&mut self.others]);
        kinds
            .filter(|k| k.left_out > 0 && k.second < second)
            .map(|k| (k.target, k.gist.clone(), std::mem::take(&mut k.left_out)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flood(limiter: &mut Limiter<usize>, kind: usize, second: u64, n: usize) -> usize {
        (0..n).filter(|_| limiter.judge(kind, second) != Verdict::LeaveOut).count()
    }

    #[test]
    fn a_flood_is_a_few_lines_and_a_number() {
        let mut limiter = Limiter::default();
        assert_eq!(limiter.judge(7, 1), Verdict::SayAndName);
        limiter.name(&7, "here", "gist".into());
        assert_eq!(flood(&mut limiter, 7, 1, 10_000), PER_SECOND as usize - 1);
        assert_eq!(flood(&mut limiter, 8, 1, 1), 1, "others are said");
        assert_eq!(limiter.left_out_before(1), [], "the second is not over");
        assert_eq!(limiter.left_out_before(2), [("here", "gist".to_owned(), 9_981)]);
        assert_eq!(limiter.left_out_before(9), [], "told once");
        assert_eq!(flood(&mut limiter, 7, 2, 100), PER_SECOND as usize, "the next second is a new one");
    }

    #[test]
    fn the_table_is_bounded() {
        let mut limiter = Limiter::default();
        let said: usize = (0..KINDS * 10).map(|kind| flood(&mut limiter, kind, 1, 1)).sum();
        assert_eq!(said, KINDS + PER_SECOND as usize);
        assert_eq!(limiter.kinds.len(), KINDS);
        let told = limiter.left_out_before(2);
        assert_eq!((told.len(), told[0].2 as usize), (1, KINDS * 9 - PER_SECOND as usize));
    }
}
