//! One running node: what its shards share, and how a session's commands are applied to it.
//!
//! Knows the hub's decisions and puts locks, inboxes and wakes around them. Refuses to know sockets, and which
//! protocols there are. Read [`exchange`] and [`desk`] first: they are the way of a message.

pub mod exchange;
pub mod desk;
pub mod inbox;
pub mod authority;
pub mod enrolment;
pub mod clock;
pub mod control;
pub mod counters;
pub mod hooks;
pub mod jwt;
mod sync;

pub use authority::{Authority, Reply, Shown, StaticTokens, Token, Verdict};
pub use clock::Clock;
pub use control::Control;
pub use counters::{Counters, Histogram, LogCounts, Totals};
pub use desk::{Applied, Caller, Desk};
pub use enrolment::Proof;
pub use exchange::{Channel, ChannelPolicy, Exchange, VHost};
pub use hooks::{Hook, Hooks};
pub use inbox::{Answer, Entry, Errand, Fence, Inbox, Run, Then};
pub use jwt::{Credentials, Jwt, JwtSettings};
