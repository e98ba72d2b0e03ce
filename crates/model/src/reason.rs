//! The two closed lists: why a session ended, and why something was refused.
//!
//! `match` over them has no wildcard, so that a new reason does not compile until every dialect has
//! chosen its words for it.

use std::fmt;

/// Why a session ended. Every session ends with exactly one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum CloseReason {
    /// The peer said goodbye in its protocol's words, or its request was answered.
    Done,
    /// The connection was lost or reset.
    Gone,
    /// The peer broke its protocol.
    Fault,
    /// The peer sent more than a limit allows in one piece.
    TooBig,
    /// The peer read too slowly and its pending bytes met their bound.
    SlowConsumer,
    /// The node's memory budget was spent, and this session held most of it.
    MemoryBudget,
    /// Nothing was heard from the peer for too long.
    Silent,
    /// A handshake, a request or an answer did not come in time.
    TimedOut,
    /// The peer may not be here.
    Unauthorized,
    /// The time of whom the peer acted for is over.
    Expired,
    /// Somebody with the right to do so ended it.
    Kicked,
    /// The server is stopping.
    Draining,
    /// A fault of ours; it is in the log.
    InternalFault,
}

impl CloseReason {
    /// Every reason, in the order of their numbers.
    pub const ALL: [Self; 13] = [
        Self::Done,
        Self::Gone,
        Self::Fault,
        Self::TooBig,
        Self::SlowConsumer,
        Self::MemoryBudget,
        Self::Silent,
        Self::TimedOut,
        Self::Unauthorized,
        Self::Expired,
        Self::Kicked,
        Self::Draining,
        Self::InternalFault,
    ];

    /// The reason's place in [`CloseReason::ALL`].
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }
}

/// Policy said no: an ordinary answer that says which rule fired. The session lives.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// No grant of this principal names the right for this channel.
    NotGranted {
        /// The right that is missing: `READ`, `WRITE` or `MANAGE`.
        right: &'static str,
    },
    /// The channel is assigned by the server; a grant must name its pattern.
    Assigned,
    /// The token is unknown, or not valid any more.
    BadToken,
    /// The token should prove itself, and does not.
    InvalidToken(crate::pass::TokenFlaw),
    /// The name breaks the rules of channel names.
    BadName(crate::name::NameError),
    /// The session has joined as many channels as it may.
    TooManyChannels {
        /// The limit.
        max: u32,
    },
    /// There is no virtual host of this name.
    UnknownVHost,
    /// The session has as many branches as it may.
    TooManyBranches {
        /// The limit.
        max: u32,
    },
    /// The message is larger than the limit.
    TooBig {
        /// The limit, in bytes.
        max: usize,
    },
    /// The session publishes faster than it may.
    TooFast,
    /// A named receiver has not joined the channel; nothing was delivered to anybody.
    NotJoined,
    /// The publisher itself would have to be a member, and is not.
    NotMember,
    /// Nobody is enrolled under this address (any more).
    UnknownPrincipal,
    /// As many principals are enrolled as the node keeps.
    TooManyEnrolments {
        /// The limit.
        max: u32,
    },
    /// As many sessions act for this principal as may.
    TooManySessions {
        /// The limit.
        max: u32,
    },
    /// The session has joined a channel, and its membership counts for its principal: it cannot change whom it acts for.
    HasJoined,
    /// The hook cannot be opened.
    BadHook(Box<str>),
    /// There are as many hooks as may be of one principal, or to one host.
    TooManyHooks {
        /// The limit.
        max: usize,
        /// Whose it is: `principal` or `host`.
        of: &'static str,
    },
    /// The server could not take it in time; it may be tried again.
    Busy,
    /// The server is stopping.
    Draining,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotGranted { right } => write!(f, "no grant gives {right} on this channel"),
            Self::Assigned => f.write_str("this channel is assigned by the server"),
            Self::BadToken => f.write_str("the token is unknown or has expired"),
            Self::InvalidToken(flaw) => flaw.fmt(f),
            Self::BadName(e) => e.fmt(f),
            Self::TooManyChannels { max } => write!(f, "this session may join {max} channels, and has"),
            Self::UnknownVHost => f.write_str("there is no virtual host of this name"),
            Self::TooManyBranches { max } => {
                write!(f, "one session may be in {max} further virtual hosts, and is")
            }
            Self::TooBig { max } => write!(f, "the message is larger than {max} bytes"),
            Self::TooFast => f.write_str("this session publishes faster than it may"),
            Self::NotJoined => f.write_str("a named receiver has not joined the channel"),
            Self::NotMember => f.write_str("this session has not joined the channel"),
            Self::UnknownPrincipal => f.write_str("nobody is enrolled under this address"),
            Self::TooManyEnrolments { max } => write!(f, "{max} principals may be enrolled, and are"),
            Self::TooManySessions { max } => write!(f, "{max} sessions may act for this principal, and do"),
            Self::HasJoined => f.write_str("this session has joined a channel; it must leave it first"),
            Self::BadHook(words) => f.write_str(words),
            Self::TooManyHooks { max, of } => write!(f, "one {of} may have {max} callbacks, and has"),
            Self::Busy => f.write_str("the server is busy; try again"),
            Self::Draining => f.write_str("the server is stopping"),
        }
    }
}
