//! The clock that a measurement reads: nanoseconds since it began.

use std::time::Instant;

/// Running since the measurement began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stopwatch {
    began: Instant,
}

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "a bench measures time, finer than node::Clock tells it")]
    pub(super) fn start() -> Self {
        Self { began: Instant::now() }
    }

    /// Nanoseconds since the start.
    pub(super) fn nanos(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// Seconds as nanoseconds.
#[expect(clippy::cast_sign_loss, reason = "arguments are checked to be positive")]
pub(super) fn nanos_of(seconds: f64) -> u64 {
    (seconds * 1e9) as u64
}
