//! The bytes of Engine.IO and Socket.IO, and what they mean there. Knows neither sessions nor channels.

pub mod engine;
