//! Plain-text plays of what peers say, and the stages they are played on. For development only.
//!
//! [`sim`] is a network in memory, [`house`] a whole node on it.

pub mod sim;
pub mod house;
