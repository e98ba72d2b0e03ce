//! A stream: joining its channels, and the answer that goes on until the last of them is left.

use super::{JSON, Rules, answer};
use crate::map;
use crate::wire::http;
use dialect::Turn;
use model::{CloseReason, Delivery, Ticket, Time};
use std::sync::Arc;

/// BOUND: messages that may wait for the last of several joins.
const KEPT_MAX: usize = 1024;

/// The head is sent when every channel is joined, so that a refusal is an ordinary answer. SPEC [ST-1].
#[derive(Debug)]
pub(super) struct Joining {
    channels: Vec<u32>,
    /// How many of them have been joined.
    joined: usize,
    /// Those that have been left again.
    left: Vec<u32>,
    missed: u64,
    /// What arrived on some channels while others were being joined, in order.
    kept: Vec<Arc<Delivery>>,
}

impl Joining {
    /// Asks for each channel, and says under which ticket.
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
        Self { channels, joined: 0, left: Vec::new(), missed: 0, kept: Vec::new() }
    }

    /// One more is joined. `Some`: it was the last, and the stream has begun.
    pub(super) fn joined(&mut self, rules: &Rules, turn: &mut Turn) -> Option<Streaming> {
        self.joined += 1;
        if self.joined < self.channels.len() {
            return None;
        }
        let head = answer(200, JSON).with("Cache-Control", "no-store").with("X-Accel-Buffering", "no");
        turn.stream(head);
        let channels = self.channels.iter().copied().filter(|c| !self.left.contains(c)).collect();
        let mut streaming = Streaming { channels, due: next_heartbeat(rules, turn.now.time) };
        if self.missed > 0 {
            streaming.missed(self.missed, turn);
        }
        self.kept.drain(..).for_each(|delivery| streaming.tell(&delivery, rules, turn));
        turn.hear(rules.object);
        streaming.end_if_alone(turn);
        Some(streaming)
    }

    /// Keeps a message for later. `false`: there are too many.
    pub(super) fn keep(&mut self, delivery: &Arc<Delivery>) -> bool {
        let room = self.kept.len() < KEPT_MAX;
        if room {
            self.kept.push(Arc::clone(delivery));
        }
        room
    }

    pub(super) fn missed(&mut self, count: u64) {
        self.missed += count;
    }

    pub(super) fn withdrawn(&mut self, channel: Option<u32>) {
        self.left.extend(channel);
    }

    /// Which channel was asked for at this place.
    pub(super) fn asked(&self, place: Option<usize>) -> Option<u32> {
        self.channels.get(place?).copied()
    }
}

/// A stream that has begun.
#[derive(Debug)]
pub(super) struct Streaming {
    channels: Box<[u32]>,
    /// When it shows that it lives.
    due: Option<Time>,
}

impl Streaming {
    /// A delivery that came by event, written as the form would have it.
    pub(super) fn tell(&mut self, delivery: &Delivery, rules: &Rules, turn: &mut Turn) {
        if let Some(object) = map::object(&delivery.message, &rules.aliases) {
            turn.text(|out| {
                out.extend_from_slice(&object);
                out.push(b'\n');
            });
        }
    }

    /// SPEC [GAP-1].
    pub(super) fn missed(&mut self, count: u64, turn: &mut Turn) {
        turn.text(|out| http::missed(count, out));
    }

    /// SPEC [LV-2].
    pub(super) fn withdrawn(&mut self, channel: Option<u32>, turn: &mut Turn) {
        self.channels = self.channels.iter().copied().filter(|c| Some(*c) != channel).collect();
        self.end_if_alone(turn);
    }

    fn end_if_alone(&mut self, turn: &mut Turn) {
        if self.channels.is_empty() {
            self.due = None;
            turn.close(CloseReason::Done);
        }
    }

    /// SPEC [ST-3].
    pub(super) fn tick(&mut self, rules: &Rules, turn: &mut Turn) {
        if self.due.is_some_and(|due| due <= turn.now.time) {
            self.due = next_heartbeat(rules, turn.now.time);
            turn.text(|out| out.push(b'\n'));
        }
    }

    pub(super) fn due(&self) -> Option<Time> {
        self.due
    }
}

fn next_heartbeat(rules: &Rules, now: Time) -> Option<Time> {
    rules.settings.heartbeat().map(|interval| now + interval)
}
