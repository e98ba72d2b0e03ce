//! What shards are built with: dialects, ports, and the rules for who may come in. Does nothing itself.

use crate::rules::{Rulebook, Rules};
use crate::strangers::Strangers;
use dialect::Dialect;
use model::Network;
use node::VHost;
use std::sync::Arc;

/// What is spoken at a port.
#[derive(Clone)]
pub enum Speak {
    /// HTTP, and what grows out of it.
    Http,
    /// A TCP or datagram protocol of this dialect (its place in the registry).
    Own {
        /// The dialect's place in the registry.
        dialect: u8,
    },
}

/// What a port of the network is for.
#[derive(Clone)]
pub struct PortPlan {
    /// The world it opens to.
    pub vhost: Arc<VHost>,
    /// What is spoken there.
    pub speak: Speak,
}

/// What all shards are built with.
pub struct Wiring {
    /// The registry, in the order in which dialects are asked.
    pub dialects: Vec<Box<dyn Dialect>>,
    /// The ports, by number; the same on every shard.
    pub ports: Vec<PortPlan>,
    /// What may change.
    pub rulebook: Rulebook,
    /// Proxies that say truly for whom they speak.
    pub proxies: Vec<Network>,
    /// Who has not been authenticated.
    pub strangers: Arc<Strangers>,
    /// Whether WebSocket messages are compressed for peers that offer it.
    pub deflate: bool,
}

impl Wiring {
    /// These dialects at these ports, under these rules; no proxies, nothing compressed.
    #[must_use]
    pub fn new(dialects: Vec<Box<dyn Dialect>>, ports: Vec<PortPlan>, rules: Rules) -> Self {
        let rulebook = Rulebook::new(rules);
        Self { dialects, ports, rulebook, proxies: Vec::new(), strangers: Arc::default(), deflate: false }
    }
}
