//! Identifiers that are handles, not secrets.

use std::fmt;

/// A session of this node: which shard owns it, its place there, and which use of that place.
///
/// Public (it is the publisher's id that other members see), hence never a credential.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId {
    /// The shard that owns the session for life.
    pub shard: u16,
    /// Its place in the shard's slab.
    pub slot: u32,
    /// Counts the sessions that have had this place, so that a late answer finds nobody instead of a stranger.
    pub generation: u32,
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.shard, self.slot, self.generation)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One of the links (connections, or addresses of datagrams) of a session, in its shard.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct LinkId {
    /// Its place in the shard's slab of links.
    pub slot: u32,
    /// Counts the links that have had this place.
    pub generation: u32,
}

/// The number by which a conversation recognises the answer to one of its commands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct Ticket(pub u64);
