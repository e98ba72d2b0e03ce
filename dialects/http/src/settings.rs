//! The section `[http]` of the configuration.

use dialect::settings::Unit;
use std::time::Duration;

dialect::section! {
    /// The plain HTTP dialect.
    #[derive(Copy, PartialEq, Eq)]
    pub struct Settings {
        /// Time between the signs of life on a stream; 0: none.
        #[key(unit = Unit::Seconds)]
        pub heartbeat_seconds: u32,
        /// After how long a browser opens a lost stream of server-sent events again.
        #[key(unit = Unit::Milliseconds)]
        pub retry_ms: u32,
        /// How many channels one request may name. A body is published to each of them.
        pub channels_per_request: usize,
    }
}

impl Settings {
    /// The time between the signs of life on a stream, if there are any.
    #[must_use]
    pub fn heartbeat(&self) -> Option<Duration> {
        (self.heartbeat_seconds > 0).then(|| Duration::from_secs(self.heartbeat_seconds.into()))
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self { heartbeat_seconds: 20, retry_ms: 2000, channels_per_request: 128 }
    }
}
