//! The section `[dialect.socketio]` of the configuration.

use crate::talk::engine::Pace;
use crate::talk::socket::Bounds;
use crate::wire::packet::Limits;
use dialect::settings::Unit;
use std::time::Duration;

dialect::section! {
    /// Socket.IO: clients of every generation from 1.0, by polls and WebSocket.
    #[derive(Copy, PartialEq, Eq)]
    pub struct Settings {
        /// Time between two pings.
        #[key(unit = Unit::Milliseconds)]
        pub ping_interval: u64,
        /// How long the answer to a ping may take.
        #[key(unit = Unit::Milliseconds)]
        pub ping_timeout: u64,
        /// How long the change from polls to WebSocket may take.
        #[key(unit = Unit::Milliseconds)]
        pub upgrade_timeout: u64,
        /// How long a client may be connected to no namespace at first.
        #[key(unit = Unit::Milliseconds)]
        pub connect_timeout: u64,
        /// The longest message or payload of a client.
        #[key(unit = Unit::Bytes)]
        pub max_payload: usize,
        /// What may wait for a client's next poll; who asks too rarely is disconnected.
        #[key(unit = Unit::Bytes)]
        pub poll_bytes: usize,
        /// Whether clients of Socket.IO 1 and 2 are served.
        pub allow_eio3: bool,
        /// How many attachments a packet may have.
        pub attachments: u16,
        /// How many namespaces a client may be connected to.
        pub namespaces: usize,
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            ping_interval: 25_000,
            ping_timeout: 20_000,
            upgrade_timeout: 10_000,
            connect_timeout: 45_000,
            max_payload: 1_000_000,
            poll_bytes: 4 << 20,
            allow_eio3: true,
            attachments: 10,
            namespaces: 16,
        }
    }
}

impl Settings {
    /// How sessions are kept.
    #[must_use]
    pub fn pace(&self) -> Pace {
        Pace {
            ping_interval: Duration::from_millis(self.ping_interval),
            ping_timeout: Duration::from_millis(self.ping_timeout),
            upgrade_timeout: Duration::from_millis(self.upgrade_timeout),
            max_payload: self.max_payload,
            waiting_bytes: self.poll_bytes,
            allow_three: self.allow_eio3,
        }
    }

    /// What bounds sockets.
    #[must_use]
    pub fn bounds(&self) -> Bounds {
        Bounds {
            packets: Limits {
                attachments: u8::try_from(self.attachments).unwrap_or(u8::MAX),
                bytes: self.max_payload,
                ..Limits::default()
            },
            namespaces: self.namespaces,
            connect_timeout: Duration::from_millis(self.connect_timeout),
        }
    }
}
