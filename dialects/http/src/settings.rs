//! The section `[http]` of the configuration.

use serde::Deserialize;
use std::time::Duration;

/// How the plain HTTP dialect treats its clients.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Seconds between the signs of life on a stream; 0: none.
    pub heartbeat_seconds: u32,
    /// Milliseconds after which a browser opens a lost stream of server-sent events again.
    pub retry_ms: u32,
    /// How many channels one request may name. BOUND: a body is published to each of them.
    pub channels_per_request: usize,
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
