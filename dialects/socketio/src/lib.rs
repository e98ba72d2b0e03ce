//! The Socket.IO dialect.

pub mod wire;
