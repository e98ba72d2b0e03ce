//! What is published: a payload of one of three kinds, and what is known about it.

use crate::grant::{Name, PrincipalId};
use crate::id::SessionId;
use crate::name::{ChannelName, VHostName};
use bytes::Bytes;
use std::sync::Arc;

/// How the bytes of a payload are to be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// JSON text, as it was written.
    Json,
    /// UTF-8 text.
    Text,
    /// Anything.
    Bytes,
}

/// The content of a message. Cloning shares the bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Payload {
    /// How to read `bytes`. Whoever makes a payload of kind JSON or text has checked it.
    pub kind: Kind,
    /// The content itself.
    pub bytes: Bytes,
}

impl Payload {
    /// JSON text that the caller has checked.
    #[must_use]
    pub fn json(bytes: Bytes) -> Self {
        Self { kind: Kind::Json, bytes }
    }

    /// Text that the caller knows to be UTF-8.
    #[must_use]
    pub fn text(bytes: Bytes) -> Self {
        Self { kind: Kind::Text, bytes }
    }

    /// Bytes of any sort.
    #[must_use]
    pub fn bytes(bytes: Bytes) -> Self {
        Self { kind: Kind::Bytes, bytes }
    }
}

/// The publisher's own words, kept for members of the same dialect, which promises to pass them on unaltered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verbatim {
    /// The dialect that understands them.
    pub dialect: &'static str,
    /// The words.
    pub bytes: Bytes,
}

/// Who published: the session's public id, and what others may know of its principal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Publisher {
    /// The session that spoke.
    pub session: SessionId,
    /// For whom it acts, or the beginning of that name (see [`Publisher::name`]); `None` when anonymous.
    pub name: Option<Arc<str>>,
    /// By which messages can be addressed to its principal; `None` when it cannot be named as a receiver.
    pub address: Option<PrincipalId>,
}

impl Publisher {
    /// For whom it acts; `None` when anonymous.
    #[must_use]
    pub fn name(&self) -> Option<Name<'_>> {
        self.name.as_deref().map(|name| Name::of(name, self.address))
    }
}

/// A place in a channel's history: offsets count from 1 within one epoch, a life of the channel.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, PartialOrd, Ord)]
pub struct Position {
    /// Which life of the channel; differs between incarnations, also across restarts.
    pub epoch: u64,
    /// How many messages had been published in it, this one included.
    pub offset: u64,
}

/// A place in what a shard has handed out: so many things came before. See the hub's log.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Mark(pub u64);

/// What a peer asks to have published: a message before the hub has numbered it.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The name of the event, when the dialect has such a thing.
    pub event: Option<Arc<str>>,
    /// The content.
    pub payload: Payload,
    /// The publisher's own words, for members of its dialect.
    pub verbatim: Option<Verbatim>,
    /// Whether a publisher that is a member hears itself.
    pub echo: bool,
    /// Whether a session may say this only where it is a member itself: where its principal has joined the channel,
    /// with whichever of its sessions. Without an address of the principal: this session. Means nothing for a
    /// broadcast, and where no session speaks.
    pub joined_only: bool,
}

impl Draft {
    /// A draft with nothing but a payload; the publisher hears itself.
    #[must_use]
    pub fn new(payload: Payload) -> Self {
        Self { event: None, payload, verbatim: None, echo: true, joined_only: false }
    }
}

/// A published message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// In which virtual host.
    pub vhost: VHostName,
    /// Where; `None` for a broadcast to the whole virtual host.
    pub channel: Option<ChannelName>,
    /// The name of the event, if any.
    pub event: Option<Arc<str>>,
    /// The content.
    pub payload: Payload,
    /// The publisher's own words, if its dialect passes them on.
    pub verbatim: Option<Verbatim>,
    /// Who said it.
    pub publisher: Publisher,
    /// Where it stands in its channel. Peers see it only where the channel keeps a window.
    pub position: Position,
    /// Whether `position` may be shown, because the channel keeps a window one can come back to.
    pub recoverable: bool,
    /// When it was published: milliseconds since 1970.
    pub time_ms: u64,
}
