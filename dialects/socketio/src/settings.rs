//! The section `[dialect.socketio]` of the configuration.

use crate::talk::engine::Pace;
use crate::talk::messaging::Manners;
use crate::talk::recovery::Recovery;
use crate::talk::socket::Bounds;
use crate::wire::packet::Limits;
use dialect::settings::Unit;
use std::path::PathBuf;
use std::time::Duration;

dialect::words! {
    /// What the events of Socket.IO's clients mean.
    pub enum Meaning {
        /// `subscribe`, `publish`, `broadcast`: rooms for all who may.
        #[default]
        Broker = "broker",
        /// `authenticate`: who shows a token hears what is for its owner.
        Messaging = "messaging",
    }
}

dialect::section! {
    /// Socket.IO: clients of every generation from 1.0, by polls and WebSocket.
    #[derive(PartialEq, Eq)]
    pub struct Settings {
        /// What events mean.
        #[key(default = "`broker`")]
        pub profile: Meaning,
        /// In the profile `messaging`: how long a client may be nobody.
        #[key(unit = Unit::Milliseconds)]
        pub authenticate_timeout: u64,
        /// In the profile `messaging`: whether what a client says with `message` is heard by all.
        pub fan_out: bool,
        /// Whether requests for which there is nothing here are answered 200, with nothing.
        pub answer_all: bool,
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
        /// Whether a client that was cut off is told what it has missed when it is back: for this, each event has one more
        /// argument, where it stands. Not for clients of Socket.IO 1 and 2.
        #[key(default = "`true` in the profile `messaging`, else `false`", example = "true")]
        pub recovery: Option<bool>,
        /// How long a client may be away.
        #[key(unit = Unit::Milliseconds)]
        pub recovery_timeout: u64,
        /// How many clients may be away; others begin anew. See `limits.recovery_bytes`, too.
        pub recovery_sessions: usize,
        /// Whether clients of Socket.IO 1 and 2 are served.
        pub allow_eio3: bool,
        /// How many attachments a packet may have.
        pub attachments: u16,
        /// How many namespaces a client may be connected to.
        pub namespaces: usize,
        /// The name of a cookie that has the session's id, for proxies that send a client to the server it knows.
        #[key(default = "none is set", example = "\"io\"")]
        pub cookie: Option<String>,
        /// A folder with the client library's files, served at `/socket.io/socket.io.js` and so on. They are read when
        /// the server starts.
        #[key(default = "they are not served", example = "\"/usr/lib/node_modules/socket.io/client-dist\"")]
        pub client: Option<PathBuf>,
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            profile: Meaning::default(),
            authenticate_timeout: 15_000,
            fan_out: true,
            answer_all: false,
            ping_interval: 25_000,
            ping_timeout: 20_000,
            upgrade_timeout: 10_000,
            connect_timeout: 45_000,
            max_payload: 1_000_000,
            poll_bytes: 4 << 20,
            recovery: None,
            recovery_timeout: 120_000,
            recovery_sessions: 10_000,
            allow_eio3: true,
            attachments: 10,
            namespaces: 16,
            cookie: None,
            client: None,
        }
    }
}

/// The longest name of a cookie.
const COOKIE: usize = 64;

/// Whether a cookie may have this name: a token, of 64 characters at most (RFC 6265 §4.1.1, RFC 9110 §5.6.2).
#[must_use]
pub fn is_cookie_name(name: &str) -> bool {
    let is_tchar = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    (1..=COOKIE).contains(&name.len()) && name.bytes().all(is_tchar)
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

    /// How sessions wait for their clients to come back; `None`: they do not.
    #[must_use]
    pub fn recovery(&self) -> Option<Recovery> {
        let is_on = self.recovery.unwrap_or(self.profile == Meaning::Messaging);
        let patience = Duration::from_millis(self.recovery_timeout);
        is_on.then(|| Recovery::new(patience, self.recovery_sessions))
    }

    /// How the profile `messaging` treats its clients.
    #[must_use]
    pub fn manners(&self) -> Manners {
        let authenticate_within = Duration::from_millis(self.authenticate_timeout);
        Manners { authenticate_within, fan_out: self.fan_out }
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
