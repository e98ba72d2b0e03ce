//! What operators look at: metrics and health, at a listener of their own on the control runtime.
//!
//! Knows what the node counts and says it in the field's own words; changes nothing. Refuses to know sockets of the
//! product, and which dialects there are (their names are told to it). Start at [`names`]: every metric is there.

pub mod names;
pub mod view;
pub mod serve;
mod exposition;
mod process;
mod routes;

pub use serve::{Bounds, serve};
pub use view::View;
