//! A histogram of nanoseconds: 32 steps for each power of two, so it is right to 3 %.

/// Powers of two below which every number has a place of its own.
const EXACT: u32 = 6;
/// Steps of a power of two.
const STEPS: usize = 32;

/// Counts of durations.
#[derive(Clone, Debug)]
pub(super) struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Histogram {
    pub(super) fn new() -> Self {
        Self { counts: vec![0; place(u64::MAX) + 1], total: 0 }
    }

    pub(super) fn add(&mut self, nanos: u64) {
        self.counts[place(nanos)] += 1;
        self.total += 1;
    }

    pub(super) fn clear(&mut self) {
        self.counts.fill(0);
        self.total = 0;
    }

    /// The duration that this share of all did not exceed; `None` when there are none.
    #[expect(clippy::cast_sign_loss, reason = "shares are between 0 and 1")]
    pub(super) fn quantile(&self, share: f64) -> Option<u64> {
        let rank = ((self.total as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        let at = self.counts.iter().position(|count| {
            seen += count;
            seen >= rank
        });
        at.filter(|_| self.total > 0).map(highest)
    }
}

/// Where a duration is counted.
fn place(nanos: u64) -> usize {
    let bits = u64::BITS - nanos.leading_zeros();
    let shift = bits.saturating_sub(EXACT);
    shift as usize * STEPS + (nanos >> shift) as usize
}

/// The longest duration that is counted in this place.
fn highest(place: usize) -> u64 {
    let shift = (place / STEPS).saturating_sub(1);
    let step = (place - shift * STEPS) as u64;
    // The last place ends where the numbers do.
    (step + 1).checked_shl(u32::try_from(shift).unwrap_or(0)).unwrap_or(0).wrapping_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_follow_each_other_and_are_narrow() {
        let mut last = 0;
        for n in (0..5000).chain((13..64).flat_map(|p| [(1 << p) - 1, 1 << p, (1 << p) + 1])) {
            let here = place(n);
            assert!(here >= last, "{n}");
            last = here;
            let top = highest(here);
            assert!(top >= n && top - n <= n / 32, "{n} {top}");
            assert_eq!(place(top), here);
        }
        assert_eq!(highest(place(u64::MAX)), u64::MAX);
    }

    #[test]
    fn quantiles() {
        let mut h = Histogram::new();
        assert_eq!(h.quantile(0.5), None);
        (1..=1000).for_each(|n| h.add(n * 1000));
        for (share, truth) in [(0.5, 500_000), (0.99, 990_000), (0.999, 999_000), (1.0, 1_000_000)] {
            let found = h.quantile(share).unwrap();
            assert!(found >= truth && found <= truth + truth / 32, "{share}: {found}");
        }
        h.clear();
        assert_eq!(h.quantile(1.0), None);
    }
}
