//! What the hard tests share: a stage whose shards sleep and wake as threads do, peers that speak TCP, HTTP and
//! WebSocket, a made-up dialect that does what it is told, and a small source of numbers.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::print_stdout, reason = "a seed is said when a test fails")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "in a test that is how it fails")]

pub(crate) mod crowd;
pub(crate) mod numbers;
pub(crate) mod peers;
pub(crate) mod puppet;
pub(crate) mod stage;
