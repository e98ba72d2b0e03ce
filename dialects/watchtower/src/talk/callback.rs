//! A callback subscription: a session without a link, whose messages are posted to the URL that its sender gave.
//!
//! Connections, order, retries, the guard and the signature are the node's.

use super::Rules;
use super::join::Joining;
use crate::map;
use dialect::settings::Secret;
use dialect::{HookEnd, HookPlan, Turn};
use model::{CloseReason, Delivery};

/// What is posted, and where to. SPEC [CB-1], [CB-3].
pub(super) fn plan(url: &str, secret: Option<Secret>) -> HookPlan {
    HookPlan::new(url, super::JSON).with("X-Server-Name", "Watchtower").signed_by(secret)
}

/// A subscription that lives on after the request that asked for it.
#[derive(Debug)]
pub(super) struct Called {
    channels: Box<[u32]>,
}

impl Called {
    /// Everything is joined, and the request is answered in the same turn. SPEC [CB-1].
    pub(super) fn begin(joining: Joining, rules: &Rules, turn: &mut Turn) -> Self {
        let (channels, kept) = joining.end();
        let called = Self { channels };
        kept.iter().for_each(|delivery| called.tell(delivery, rules, turn));
        turn.hear(rules.object);
        called.end_if_alone(turn);
        called
    }

    /// A delivery that came by event, posted as the form would have it.
    pub(super) fn tell(&self, delivery: &Delivery, rules: &Rules, turn: &mut Turn) {
        if let Some(line) = map::line(&delivery.message, &rules.aliases) {
            turn.post(|out| out.extend_from_slice(&line));
        }
    }

    /// SPEC [LV-2].
    pub(super) fn withdrawn(&mut self, channel: Option<u32>, turn: &mut Turn) {
        self.channels = self.channels.iter().copied().filter(|c| Some(*c) != channel).collect();
        self.end_if_alone(turn);
    }

    fn end_if_alone(&self, turn: &mut Turn) {
        if self.channels.is_empty() {
            turn.close(CloseReason::Done);
        }
    }

    /// SPEC [CB-1].
    pub(super) fn given_up(why: HookEnd, turn: &mut Turn) {
        turn.close(match why {
            HookEnd::Dead => CloseReason::Gone,
            HookEnd::Unwanted => CloseReason::Done,
        });
    }
}
