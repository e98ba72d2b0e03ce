//! The Socket.IO dialect: Engine.IO sessions by polls and WebSocket, and the sockets in them.

pub mod wire;
pub mod sid;
pub mod engine;
pub mod peer;
