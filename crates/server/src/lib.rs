//! A whole server: configuration, the registry of dialects, wiring, lifecycle. Also the library to embed.
//!
//! Knows every crate below it and decides nothing itself. Read [`config`], [`settings`], then [`start`].

pub mod config;
pub mod settings;
pub mod registry;
pub mod banner;
pub mod log;
pub mod supervisor;
mod controls;
mod listeners;
mod looks;
pub mod echo;
mod running;
mod signals;

pub use controls::Controls;
pub use listeners::Address;
pub use running::{Running, StartError, start, start_with};
pub use settings::{Posture, Settings};
pub use signals::{end_on_signals, reload_on_signal};
