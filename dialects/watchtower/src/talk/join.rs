//! Joining several channels before anything is answered, so that a refusal is an ordinary answer.

use super::Rules;
use dialect::Turn;
use model::{Delivery, Ticket};
use std::sync::Arc;

/// BOUND: messages that may wait for the last of several joins.
const KEPT_MAX: usize = 1024;

/// Some channels are being joined. SPEC [ST-1].
#[derive(Debug)]
pub(super) struct Joining {
    channels: Vec<u32>,
    /// How many of them have been joined.
    joined: usize,
    /// Those that have been left again.
    left: Vec<u32>,
    /// What arrived on some channels while others were being joined, in order.
    kept: Vec<Arc<Delivery>>,
    /// Messages that did not arrive meanwhile.
    pub(super) missed: u64,
}

impl Joining {
    /// Asks for each channel.
    pub(super) fn begin(
        channels: Vec<u32>,
        tickets: impl Iterator<Item = Ticket>,
        rules: &Rules,
        turn: &mut Turn,
    ) -> Self {
        // INVARIANT: it hears before it joins, or messages would fall between.
        turn.hear_events();
        for (ticket, channel) in tickets.zip(&channels) {
            turn.join(ticket, &rules.aliases.name(*channel).unwrap_or_default(), None);
        }
        Self { channels, joined: 0, left: Vec::new(), kept: Vec::new(), missed: 0 }
    }

    /// One more is joined. `true`: it was the last.
    pub(super) fn joined(&mut self) -> bool {
        self.joined += 1;
        self.joined == self.channels.len()
    }

    /// Keeps a message for later. `false`: there are too many.
    pub(super) fn keep(&mut self, delivery: &Arc<Delivery>) -> bool {
        let room = self.kept.len() < KEPT_MAX;
        if room {
            self.kept.push(Arc::clone(delivery));
        }
        room
    }

    /// A channel has been left again.
    pub(super) fn withdrawn(&mut self, channel: Option<u32>) {
        self.left.extend(channel);
    }

    /// Which channel was asked for at this place.
    pub(super) fn asked(&self, place: Option<usize>) -> Option<u32> {
        self.channels.get(place?).copied()
    }

    /// The channels that are joined, and what was kept of them.
    pub(super) fn end(self) -> (Box<[u32]>, Vec<Arc<Delivery>>) {
        (self.channels.iter().copied().filter(|c| !self.left.contains(c)).collect(), self.kept)
    }
}
