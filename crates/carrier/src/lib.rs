//! Bytes on sockets: the shard's event loop, the codecs, the listeners. Runs conversations. No async.
//!
//! Knows sockets and frames; refuses to know which dialects there are and what their packets mean. Read
//! [`shard`] first: one turn of the loop is the whole story. A shard runs over any [`net::Net`], so that a
//! simulated one can drive it from a seed.

pub mod net;
pub mod wiring;
pub mod shard;
pub mod door;
pub mod gate;
pub mod proxy;
pub mod rules;
pub mod strangers;
pub mod http1;
pub mod websocket;
mod arena;
mod ledger;
mod link;
mod session;
mod wheel;

pub use door::{Door, Doors};
pub use gate::{Gate, Origins};
pub use model::Network;
pub use net::{Net, Port};
pub use rules::{Rulebook, Rules};
pub use shard::Shard;
pub use strangers::Strangers;
pub use wiring::{PortPlan, Speak, Wiring};
