//! Time as an argument. Who reads a clock is elsewhere.

use std::ops::Add;
use std::time::Duration;

/// A moment on the monotonic clock: milliseconds since the node began.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Time(pub u64);

impl Time {
    /// The time that has passed since `earlier`; zero when that lies ahead.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    fn add(self, d: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(d.as_millis()).unwrap_or(u64::MAX)))
    }
}

/// What the clocks said when the present turn began.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Now {
    /// Monotonic: for deadlines.
    pub time: Time,
    /// Wall clock, milliseconds since 1970: for what people and other systems read, and for expiry of grants.
    pub wall_ms: u64,
}
