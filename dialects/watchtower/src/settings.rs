//! The section `[dialect.watchtower]` of the configuration, and what it comes to once the posture is known.

pub mod devices;

use dialect::settings::{Numbers, Secret, Unit};
use std::path::PathBuf;
use std::time::Duration;

/// What the names of senders begin with; their numbers follow.
pub const SENDER: &str = "watchtower-";

/// The secret of the document that describes the protocol, so that its examples work on one's own machine.
pub const LOOPBACK_SECRET: &str = "watchtowers_are_awesome";

dialect::section! {
    /// Watchtower: senders over HTTP, with streams and callbacks, and devices over TCP and UDP.
    #[derive(PartialEq, Eq)]
    pub struct Settings {
        /// Whether it is spoken at all.
        #[key(default = "`true`; beyond loopback where there is a secret")]
        pub enabled: Option<bool>,
        /// What who registers must show.
        #[key(default = "on loopback `watchtowers_are_awesome`; elsewhere there is none")]
        pub secret: Option<Secret>,
        /// A file that holds the secret on its first line.
        #[key(example = "\"/etc/chappe/watchtower.secret\"")]
        pub secret_file: Option<PathBuf>,
        /// Whether a sender shows its token with each request; its number alone is no proof.
        pub require_token: Option<bool>,
        /// What a sender may do, in channels that have a number.
        #[key(
            default = "`READ **`, `WRITE **`; with the secret of loopback what those may who show no token",
            example = "[\"READ **\", \"WRITE garden/*\"]",
        )]
        pub grants: Option<Vec<String>>,
        /// Time between the signs of life on a stream; 0: none.
        #[key(unit = Unit::Seconds)]
        pub heartbeat_seconds: u32,
        /// After how long without stream, callback or device a sender that is silent is forgotten.
        #[key(unit = Unit::Seconds)]
        pub idle_timeout: u32,
        /// How many channels, or receivers, one request may name.
        pub channels_per_request: usize,
        /// Channels by name that go by a number here.
        #[key(default = "none", example = "{ \"garden/sprinklers\" = 5 }")]
        pub aliases: Numbers,
        /// Devices over TCP and UDP.
        pub devices: devices::Devices,
    }
}

impl Settings {
    /// The time between the signs of life on a stream, if there are any.
    #[must_use]
    pub fn heartbeat(&self) -> Option<Duration> {
        (self.heartbeat_seconds > 0).then(|| Duration::from_secs(self.heartbeat_seconds.into()))
    }

    /// After how long a sender without a session is forgotten.
    #[must_use]
    pub fn idle(&self) -> Duration {
        Duration::from_secs(self.idle_timeout.into())
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            enabled: None,
            secret: None,
            secret_file: None,
            require_token: None,
            grants: None,
            heartbeat_seconds: 20,
            idle_timeout: 600,
            channels_per_request: 128,
            aliases: Numbers::default(),
            devices: devices::Devices::default(),
        }
    }
}
