//! What happened, in numbers. What must not happen is told in words as well.

use serde_json::{Value, json};

/// Complaints that are kept.
const KEPT: usize = 10;

/// The counts of a run.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Connections begun.
    pub(crate) connected: u64,
    /// Connections that could not be begun: the system's limits, not the server's.
    pub(crate) unconnected: u64,
    /// WebSockets accepted.
    pub(crate) upgraded: u64,
    /// Answers of 2xx, streams included.
    pub(crate) answered: u64,
    /// Answers of 4xx, and 503.
    pub(crate) refused: u64,
    /// Messages published.
    pub(crate) published: u64,
    /// Messages heard whose order was looked at.
    pub(crate) heard: u64,
    /// Connections the server ended, for whatever reason.
    pub(crate) ended: u64,
    /// Connections we left: with a goodbye, without, with a reset.
    pub(crate) left: [u64; 3],
    /// Readers that were cut off because they did not read.
    pub(crate) cut_off: u64,
    /// Connections open at most at once.
    pub(crate) most: usize,
    /// What must not happen.
    pub(crate) wrong: u64,
    complaints: Vec<String>,
}

impl Tally {
    /// Something happened that must not.
    pub(crate) fn complain(&mut self, words: impl FnOnce() -> String) {
        self.wrong += 1;
        if self.complaints.len() < KEPT {
            self.complaints.push(words());
        }
    }

    /// All of it, as one line of JSON.
    pub(crate) fn report(&self) -> Value {
        let [goodbye, silently, reset] = self.left;
        json!({
            "connected": self.connected, "unconnected": self.unconnected, "upgraded": self.upgraded,
            "answered": self.answered, "refused": self.refused, "published": self.published, "heard": self.heard,
            "ended_by_server": self.ended, "left_with_goodbye": goodbye, "left_silently": silently,
            "left_with_reset": reset, "slow_cut_off": self.cut_off, "most_at_once": self.most, "wrong": self.wrong,
            "complaints": self.complaints,
        })
    }
}
