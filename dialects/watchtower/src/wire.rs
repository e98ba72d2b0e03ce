//! Bytes, in the protocol's words: what stands in a request and in its answer. Knows no channel names.

pub mod http;
pub mod device;
pub mod seal;
