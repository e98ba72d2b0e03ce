//! How often something may be done, as a session publish: a bucket of tokens, 16 bytes.

use model::Time;

/// What is left of a session's allowance.
#[derive(Clone, Copy, Debug, Default)]
pub struct Allowance {
    /// Thousandths of a message still allowed.
    millis: u32,
    /// When that was computed, plus one millisecond; 0: not used yet, hence full.
    at: u64,
}

impl Allowance {
    /// Thousandths of a message allowed at this moment.
    fn level(self, (per_second, burst): (u32, u32), now: Time) -> u64 {
        let full = u64::from(burst) * 1000;
        if self.at == 0 {
            return full;
        }
        let passed = (now.0 + 1).saturating_sub(self.at);
        full.min(u64::from(self.millis) + passed.saturating_mul(u64::from(per_second)))
    }

    /// Whether nothing has been taken ever.
    #[must_use]
    pub fn is_new(self) -> bool {
        self.at == 0
    }

    /// Whether there is one to take.
    #[must_use]
    pub fn has(self, rate: (u32, u32), now: Time) -> bool {
        self.level(rate, now) >= 1000
    }

    /// Whether nothing has been taken that has not come back.
    #[must_use]
    pub fn is_full(self, rate: (u32, u32), now: Time) -> bool {
        self.level(rate, now) == u64::from(rate.1) * 1000
    }

    /// What is left when the same is told by two: the less of it.
    #[must_use]
    pub fn or_less(self, other: Self, rate: (u32, u32), now: Time) -> Self {
        if other.level(rate, now) < self.level(rate, now) { other } else { self }
    }

    /// Takes one message out, at `per_second` with bursts of `burst`. `false`: there is none.
    pub fn take(&mut self, rate: (u32, u32), now: Time) -> bool {
        let level = self.level(rate, now);
        let allowed = level >= 1000;
        self.millis = u32::try_from(if allowed { level - 1000 } else { level }).unwrap_or(u32::MAX);
        self.at = now.0 + 1;
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bursts_then_the_rate() {
        let mut a = Allowance::default();
        let rate = (50, 100);
        assert_eq!((0..150).filter(|_| a.take(rate, Time(5))).count(), 100);
        assert!(!a.take(rate, Time(24)));
        assert!(a.take(rate, Time(25)));
        assert_eq!(
            (1025..2025).filter(|&t| a.take(rate, Time(t))).count(),
            99,
            "49 saved up and 50 a second"
        );
    }
}
