//! What shards share by: the standard library's locks and atomics.
//!
//! Named here and not where they are used, so that `tests/loom_inbox.rs` can put loom's in their place.

pub(crate) use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
pub(crate) use std::sync::{Mutex, MutexGuard};
