//! The bytes of Engine.IO and Socket.IO, and what they mean there. Knows neither sessions nor channels.
//!
//! Of Socket.IO, [`packet`] is a packet as text, [`binary`] one with attachments, [`msgpack`] the other encoding of
//! the same; [`arguments`] looks into what a packet carries.

pub mod engine;
pub mod packet;
pub mod arguments;
pub mod binary;
pub mod msgpack;
mod tokens;
