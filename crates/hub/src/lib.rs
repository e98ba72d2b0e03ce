//! The decisions: who is in which channel, in which order messages stand, what waits for a slow reader, who may.
//!
//! Pure: no I/O, no thread, no lock, no clock, no dice, no logging. Time and identifiers are arguments. What
//! shards share ([`ChannelCore`], [`Bucket`](directory::Bucket)) is locked by `node`; what a shard owns ([`Roster`], [`Outbox`]) is
//! locked by nobody.

pub mod channel;
pub mod directory;
pub mod roster;
pub mod log;
pub mod outbox;
pub mod rate;

pub use channel::{ChannelCore, Dead, Departure, Presence};
pub use log::{Absentee, Log};
pub use outbox::{Outbox, Pushed, Retain};
pub use rate::Allowance;
pub use roster::{Lane, Member, Roster};
