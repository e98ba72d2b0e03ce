//! Conversations: an Engine.IO session, the sockets in it, and what events mean there, one above the other.

pub mod sid;
pub mod recovery;
pub mod engine;
pub mod layer;
pub mod peer;
pub mod parser;
pub mod app;
pub mod socket;
pub mod worlds;
pub mod broker;
pub mod messaging;
pub mod page;
