//! The one place that reads the clocks. Everybody else is told the time.

use model::{Now, Time};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The clocks of a node, from the moment it began.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    began: Instant,
}

impl Clock {
    /// Starts counting.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is node::clock")]
    pub fn start() -> Self {
        Self { began: Instant::now() }
    }

    /// What the clocks say.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is node::clock")]
    pub fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let millis = |d: std::time::Duration| u64::try_from(d.as_millis()).unwrap_or(u64::MAX);
        Now { time: Time(millis(self.began.elapsed())), wall_ms: millis(wall) }
    }

    /// Microseconds since the node began: for measuring, not for deadlines.
    #[must_use]
    pub fn micros(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}
