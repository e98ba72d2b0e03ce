//! Conversations: one for each request, stream, callback and device.

mod device;
mod mailbox;
pub(crate) mod tcp;
pub(crate) mod udp;
