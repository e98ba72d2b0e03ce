//! What carries messages between nodes: one narrow trait, and the node that is alone.
//!
//! Knows messages and channel names; refuses to know sessions, shards and how a node delivers.

use model::{ChannelName, Delivery, VHostName};
use std::sync::Arc;

/// The way to the other nodes. Called under the channel's lock, so an implementation queues and returns.
pub trait Backplane: Send + Sync {
    /// Hands on what was just published on this node, in order.
    fn forward(&self, vhost: &VHostName, run: &[Arc<Delivery>]);

    /// Says whether this node has members in the channel, so that others need not send what nobody hears.
    fn interest(&self, vhost: &VHostName, channel: &ChannelName, wanted: bool);
}

/// No other nodes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alone;

impl Backplane for Alone {
    fn forward(&self, _: &VHostName, _: &[Arc<Delivery>]) {}

    fn interest(&self, _: &VHostName, _: &ChannelName, _: bool) {}
}
