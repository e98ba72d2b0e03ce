//! The built program as people run it, against a server of its own at a port that the system chose.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails so, in its stage too")]

mod bench;
mod publish;
mod relay;
mod stage;
mod subscribe;
mod tls;
mod words;
