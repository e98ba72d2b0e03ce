//! A stream: an answer that goes on until the last of its channels is left.

use super::join::Joining;
use super::{JSON, Rules, answer};
use crate::map;
use crate::wire::http;
use dialect::Turn;
use model::{CloseReason, Delivery, Time};

/// A stream that has begun.
#[derive(Debug)]
pub(super) struct Streaming {
    channels: Box<[u32]>,
    /// When it shows that it lives.
    due: Option<Time>,
}

impl Streaming {
    /// Everything is joined: the answer begins. SPEC [ST-1], [ST-2].
    pub(super) fn begin(joining: Joining, rules: &Rules, turn: &mut Turn) -> Self {
        turn.stream(answer(200, JSON).with("Cache-Control", "no-store").with("X-Accel-Buffering", "no"));
        let missed = joining.missed;
        let (channels, kept) = joining.end();
        let mut streaming = Self { channels, due: next_heartbeat(rules, turn.now.time) };
        if missed > 0 {
            streaming.missed(missed, turn);
        }
        kept.iter().for_each(|delivery| streaming.tell(delivery, rules, turn));
        turn.hear(rules.object);
        streaming.end_if_alone(turn);
        streaming
    }

    /// A delivery that came by event, written as the form would have it.
    pub(super) fn tell(&self, delivery: &Delivery, rules: &Rules, turn: &mut Turn) {
        if let Some(line) = map::line(&delivery.message, &rules.aliases) {
            turn.text(|out| out.extend_from_slice(&line));
        }
    }

    /// SPEC [GAP-1].
    pub(super) fn missed(&self, count: u64, turn: &mut Turn) {
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
