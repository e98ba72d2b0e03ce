//! The section `[dialect.watchtower.devices]`: what devices over TCP and UDP may do, and for how long they may be silent.

use dialect::settings::Unit;
use std::time::Duration;

dialect::section! {
    /// Watchtower's devices, over TCP and UDP.
    #[derive(PartialEq, Eq)]
    pub struct Devices {
        /// Whether devices may register without the secret.
        #[key(default = "on loopback `true`; elsewhere `false`")]
        pub open: Option<bool>,
        /// The body of one message.
        #[key(unit = Unit::Bytes)]
        pub message_bytes: u32,
        /// How long a connection has to register, and to finish a command that it has begun.
        #[key(unit = Unit::Seconds)]
        pub handshake_seconds: u32,
        /// How long a connection that has registered may say nothing; 0: for ever.
        #[key(unit = Unit::Seconds)]
        pub tcp_idle_seconds: u32,
        /// After how long without a datagram the address of a device is forgotten.
        #[key(unit = Unit::Seconds)]
        pub udp_idle_seconds: u32,
        /// After how long without a datagram a device counts as asleep: what is for it is kept until its next one.
        #[key(unit = Unit::Seconds)]
        pub awake_seconds: u32,
        /// How many messages are kept for a device that is asleep.
        pub mailbox_messages: u32,
        /// What they may take together.
        #[key(unit = Unit::Bytes)]
        pub mailbox_bytes: u32,
    }
}

impl Default for Devices {
    fn default() -> Self {
        Self {
            open: None,
            message_bytes: 64 << 10,
            handshake_seconds: 10,
            tcp_idle_seconds: 0,
            udp_idle_seconds: 600,
            awake_seconds: 120,
            mailbox_messages: 32,
            mailbox_bytes: 16 << 10,
        }
    }
}

impl Devices {
    pub(crate) fn handshake(&self) -> Duration {
        Duration::from_secs(self.handshake_seconds.into())
    }

    /// How long a connection may say nothing, if there is an end to that.
    pub(crate) fn tcp_idle(&self) -> Option<Duration> {
        (self.tcp_idle_seconds > 0).then(|| Duration::from_secs(self.tcp_idle_seconds.into()))
    }

    pub(crate) fn udp_idle(&self) -> Duration {
        Duration::from_secs(self.udp_idle_seconds.into())
    }

    pub(crate) fn awake(&self) -> Duration {
        Duration::from_secs(self.awake_seconds.into())
    }

    pub(crate) fn message_bytes(&self) -> usize {
        usize::try_from(self.message_bytes).unwrap_or(usize::MAX)
    }
}
