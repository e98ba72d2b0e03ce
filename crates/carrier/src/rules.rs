//! What may change while a server runs: bounds, and who may knock at a port.
//!
//! Shards keep the rules they have seen and look at one number in each turn. Refuses to know where rules come from.

use crate::gate::Gate;
use model::Limits;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The rules of a node, as they are at some moment.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Bounds. Those of the exchange and its inboxes stay as they were when the node began.
    pub limits: Limits,
    /// Who may knock, by port; ports beyond the list are as on loopback.
    pub gates: Vec<Gate>,
}

/// Where shards find the rules.
#[derive(Debug, Default)]
pub struct Rulebook {
    rules: Mutex<Arc<Rules>>,
    /// Goes up with every change.
    edition: AtomicU64,
}

impl Rulebook {
    /// A book with these rules in it.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Self { rules: Mutex::new(Arc::new(rules)), edition: AtomicU64::new(0) }
    }

    /// Replaces the rules. Shards that sleep see it when they wake.
    pub fn replace(&self, rules: Rules) {
        *self.rules.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
        self.edition.fetch_add(1, Ordering::Release);
    }

    /// The rules as they are now.
    #[must_use]
    pub fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.rules.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn edition(&self) -> u64 {
        self.edition.load(Ordering::Acquire)
    }
}
