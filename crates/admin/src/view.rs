//! What there is to be looked at, and how it stood at one moment.

use crate::process::Process;
use node::{Counters, Exchange, LogCounts};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What the admin listener looks at, and who may.
pub struct View {
    /// What the shards share.
    pub exchange: Arc<Exchange>,
    /// The names of the dialects, in the order of the registry.
    pub dialects: Vec<&'static str>,
    /// What became of the lines of the log.
    pub log: &'static LogCounts,
    /// The program's version.
    pub version: &'static str,
    /// When the node began, in milliseconds since 1970.
    pub began_ms: u64,
    /// The secret that must be shown for everything but health; `None`: nobody asks.
    pub token: Option<Box<str>>,
    /// `Host` names it answers to, in lower case without port; `None`: any.
    pub hosts: Option<Vec<String>>,
}

impl View {
    /// Whether the server is stopping.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.exchange.draining.load(Ordering::SeqCst)
    }

    pub(crate) fn snapshot(&self) -> Snapshot<'_> {
        let exchange = &self.exchange;
        Snapshot {
            view: self,
            counters: exchange.totals.read(),
            connections: exchange.connections.load(Ordering::Relaxed),
            inbox_bytes: (0..exchange.shards()).map(|s| exchange.inbox(s).bytes()).sum(),
            enrolments: exchange.enrolments(),
            channels: exchange.vhosts().iter().map(|v| (v.name.as_str(), v.channels())).collect(),
            process: Process::look(),
        }
    }
}

/// How everything stood when somebody asked.
pub(crate) struct Snapshot<'a> {
    pub(crate) view: &'a View,
    pub(crate) counters: Counters,
    pub(crate) connections: usize,
    pub(crate) inbox_bytes: usize,
    pub(crate) enrolments: usize,
    /// By virtual host.
    pub(crate) channels: Vec<(&'a str, usize)>,
    pub(crate) process: Process,
}
