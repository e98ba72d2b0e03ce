//! The words everything else is said in: names, messages, deliveries, grants, reasons, limits, time.
//!
//! Holds plain values and the rules a value must satisfy to exist. Refuses to know protocols, sockets,
//! threads and clocks. Read in this order: [`name`], [`message`], [`delivery`], [`grant`], [`reason`].

pub mod name;
pub mod message;
pub mod delivery;
pub mod grant;
pub mod pass;
pub mod reason;
pub mod limits;
pub mod id;
pub mod network;
pub mod time;

pub use delivery::{Delivery, Form, FormBytes, Framing, Parts, Unit};
pub use grant::{Grant, Name, Pattern, Principal, PrincipalId, Right, Role};
pub use id::{LinkId, SessionId, Ticket};
pub use limits::{Limits, SlowPolicy};
pub use message::{Draft, Kind, Mark, Message, Payload, Position, Publisher, Verbatim};
pub use name::{ChannelName, NameError, VHostName};
pub use network::Network;
pub use pass::{Pass, TokenFlaw};
pub use reason::{CloseReason, Refusal};
pub use time::{Now, Time};
