//! The Watchtower dialect: senders that register, join channels by number, and hear by a stream of HTTP, by being
//! called back, or as devices over TCP and UDP.
//!
//! `SPEC.md` beside this crate has its promises by number. Knows neither the hub nor a carrier. Read in this
//! order: [`wire`], [`map`], `talk`.

pub mod settings;
pub mod wire;
pub mod map;
mod talk;
pub mod devices;

pub use settings::Settings;
