//! What a token that proves itself says of its owner, besides a name and grants: until when it is good, and which
//! channels are the owner's.
//!
//! Refuses to know tokens: who has read one makes a pass of it.

use crate::grant::Right;
use crate::name::ChannelName;

/// What came with a token that proves itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pass {
    /// When it ends, in milliseconds since 1970, and with it everything it gives; `None`: with the session.
    pub until_ms: Option<u64>,
    /// The channels that the server assigns to its owner, who may join each of these, by exactly this name.
    pub channels: Box<[ChannelName]>,
    /// Whether the owner may publish to them, too.
    pub may_write: bool,
    /// The id of the token (RFC 7519 §4.1.7), by which it can be taken back.
    pub id: Option<Box<str>>,
}

impl Pass {
    /// Whether its time was over at that moment.
    #[must_use]
    pub fn has_expired(&self, wall_ms: u64) -> bool {
        self.until_ms.is_some_and(|until| until <= wall_ms)
    }

    /// Whether it gives `right` on any channel.
    #[must_use]
    pub fn gives_some(&self, right: Right) -> bool {
        let gives = match right {
            Right::Read => true,
            Right::Write => self.may_write,
            Right::Manage => false,
        };
        gives && !self.channels.is_empty()
    }

    /// Whether it gives `right` on the channel of this name.
    #[must_use]
    pub fn gives(&self, right: Right, channel: &str) -> bool {
        self.gives_some(right) && self.channels.iter().any(|c| c.as_str() == channel)
    }
}

/// Why a token that should prove itself does not. A closed list: dialects have words of their own for each.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TokenFlaw {
    /// There is nothing where a token should be.
    Missing,
    /// It is longer than any that is read.
    TooLong {
        /// The limit, in bytes.
        max: usize,
    },
    /// It does not have three parts (RFC 7515 §3.1).
    Malformed,
    /// Its signature is empty.
    Unsigned,
    /// A part of it is not what it should be: base64url, JSON, an object whose members have different names.
    Unreadable,
    /// It says that it can only be understood by those who know something that nobody here does (RFC 7515 §4.1.11).
    Critical,
    /// Its algorithm is none of those that are allowed, `none` among them.
    Algorithm,
    /// There is no key for it.
    UnknownKey,
    /// Its signature is not by that key.
    Signature,
    /// Its `nbf` is no number.
    NotBefore,
    /// Its `nbf` has not come.
    NotActive,
    /// Its `exp` is no number.
    Expiry,
    /// It has no `exp`, and must have.
    NoExpiry,
    /// Its `exp` has come.
    Expired,
    /// It is good for longer than any may be.
    LongLived {
        /// How long they may be, in seconds.
        max: u64,
    },
    /// It has been taken back.
    Revoked,
    /// It is not for whom it must be.
    Audience {
        /// For whom.
        expected: Box<str>,
    },
    /// It is not by whom it must be.
    Issuer {
        /// By whom.
        expected: Box<str>,
    },
    /// A claim is missing.
    NoClaim {
        /// Its name.
        claim: Box<str>,
    },
    /// A claim cannot be used.
    BadClaim {
        /// Its name.
        claim: Box<str>,
    },
}

impl std::fmt::Display for TokenFlaw {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing => f.write_str("the token is missing"),
            Self::TooLong { max } => write!(f, "the token is longer than {max} bytes"),
            Self::Malformed => f.write_str("the token does not have three parts"),
            Self::Unsigned => f.write_str("the token is not signed"),
            Self::Unreadable => f.write_str("the token cannot be read"),
            Self::Critical => f.write_str("the token demands (`crit`) what this server does not know"),
            Self::Algorithm => f.write_str("the token's algorithm is not allowed"),
            Self::UnknownKey => f.write_str("the token is signed by a key that is not known"),
            Self::Signature => f.write_str("the token's signature is wrong"),
            Self::NotBefore => f.write_str("the token's `nbf` is no number"),
            Self::NotActive => f.write_str("the token is not valid yet"),
            Self::Expiry => f.write_str("the token's `exp` is no number"),
            Self::NoExpiry => f.write_str("the token has no `exp`"),
            Self::Expired => f.write_str("the token has expired"),
            Self::LongLived { max } => write!(f, "the token is good for longer than {max} seconds"),
            Self::Revoked => f.write_str("the token has been revoked"),
            Self::Audience { expected } => write!(f, "the token is not for `{expected}`"),
            Self::Issuer { expected } => write!(f, "the token is not by `{expected}`"),
            Self::NoClaim { claim } => write!(f, "the token has no claim `{claim}`"),
            Self::BadClaim { claim } => write!(f, "the token's claim `{claim}` cannot be used"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grant::{Grant, Principal, Role};
    use std::sync::Arc;

    fn owner(until_ms: Option<u64>, may_write: bool) -> Principal {
        let channels = Box::new([ChannelName::new("user(*)").unwrap()]);
        let pass = Some(Box::new(Pass { until_ms, channels, may_write, id: None }));
        let grants = [Grant::parse("READ **").unwrap()].into();
        Principal { role: Arc::new(Role { name: None, grants, proven: true, pass }), address: None }
    }

    #[test]
    fn an_owner_may_join_its_own_channel_and_no_other() {
        let p = owner(None, false);
        assert!(p.may_by_name(Right::Read, "user(*)", true, 0));
        assert!(!p.may_by_name(Right::Read, "user(5)", true, 0), "a name is no pattern");
        assert!(!p.may_by_name(Right::Write, "user(*)", true, 0) && !p.may_somewhere(Right::Write, 0));
        let p = owner(None, true);
        assert!(p.may_by_name(Right::Write, "user(*)", true, 0) && p.may_somewhere(Right::Write, 0));
        assert!(!p.may_by_name(Right::Manage, "user(*)", true, 0));
    }

    #[test]
    fn nothing_is_left_of_what_has_expired() {
        let p = owner(Some(10), true);
        assert!(p.may_by_name(Right::Read, "a", false, 9) && p.may_everywhere(Right::Read, 9));
        assert!(!p.may_by_name(Right::Read, "a", false, 10) && !p.may_everywhere(Right::Read, 10));
        assert!(!p.may_by_name(Right::Read, "user(*)", true, 10) && !p.may_somewhere(Right::Write, 10));
        assert!(p.has_expired(10) && !p.has_expired(9) && !owner(None, true).has_expired(u64::MAX));
    }
}
