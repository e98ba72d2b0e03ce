//! What can be changed in a server that runs: who may do what, bounds, certificates.
//!
//! Changes nothing by itself; it is told to, by a signal or by a program that embeds the server.

use crate::settings::{Place, Settings};
use carrier::net::Identities;
use carrier::{Rules, shard::Wiring};
use node::{Exchange, StaticTokens};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

/// When a file was last written, and its length; `None`: it cannot be looked at.
pub(crate) type Look = Option<(SystemTime, u64)>;

/// The handles of a server that runs.
#[derive(Clone)]
pub struct Controls {
    pub(crate) exchange: Arc<Exchange>,
    pub(crate) wiring: Arc<Wiring>,
    pub(crate) authority: Arc<StaticTokens>,
    pub(crate) identities: Vec<Arc<Identities>>,
    /// What the certificates' files looked like when they were last read.
    pub(crate) seen: Arc<Mutex<Vec<Look>>>,
    /// The listeners that are open, in the order of their ports.
    pub(crate) listeners: Vec<Place>,
}

impl Controls {
    /// What the shards share.
    #[must_use]
    pub fn exchange(&self) -> &Arc<Exchange> {
        &self.exchange
    }

    /// Takes over what can change while the server runs: tokens and anonymous grants, hosts and origins of the
    /// listeners, limits, certificates. Sessions whose token is gone, or may do something else now, are ended. Everything
    /// else stays as it was when the server started.
    pub fn adopt(&self, settings: &Settings) {
        let before = self.wiring.rulebook.rules();
        let gates = self.listeners.iter().zip(&before.gates).map(|(place, gate)| {
            let same = settings.listeners.iter().find(|l| l.place == *place);
            same.map_or_else(|| gate.clone(), |l| l.gate.clone())
        });
        let rules = Rules { limits: settings.limits.clone(), gates: gates.collect() };
        self.authority.replace(settings.tokens.clone(), settings.anonymous.clone());
        self.wiring.rulebook.replace(rules);
        for shard in 0..self.exchange.shards() {
            self.exchange.inbox(shard).ring();
        }
        self.renew_certificates();
    }

    /// Reads certificates again whose files have changed. Those that cannot be used are left as they were.
    pub fn renew_certificates(&self) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let now = looks(&self.identities);
        if *seen == now {
            return;
        }
        *seen = now;
        for identities in &self.identities {
            match identities.reload() {
                Ok(()) => tracing::info!("certificates have been read again"),
                Err(error) => tracing::error!(%error, "certificates stay as they were"),
            }
        }
    }
}

/// What the files of certificates look like.
pub(crate) fn looks(identities: &[Arc<Identities>]) -> Vec<Look> {
    let look = |path: &PathBuf| {
        let file = std::fs::metadata(path).ok()?;
        Some((file.modified().ok()?, file.len()))
    };
    identities.iter().flat_map(|i| i.files()).flat_map(|(cert, key)| [look(cert), look(key)]).collect()
}
