//! Conversations: one for each request, stream, callback and device.
