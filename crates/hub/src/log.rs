//! What a shard has handed out lately to sessions that may come back, in the order in which they heard it.
//!
//! Positions count within a channel; who is in many has one order all the same, that of its shard, and says by one
//! position how far it has heard. Does not know where a session is a member now: who asks says so. Knows places, not
//! names.

use model::{Delivery, Mark, Position, Time};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

#[derive(Debug)]
enum What {
    /// A message to the members of a channel.
    Members { channel: u32, delivery: Arc<Delivery> },
    /// A message to everybody in a virtual host.
    Everybody { vhost: u16, delivery: Arc<Delivery> },
    /// A message to one session.
    One { session: u32, delivery: Arc<Delivery> },
    /// From here on the session hears what is said in the channel, or does not.
    Membership { session: u32, channel: u32, hears: bool },
}

impl What {
    fn delivery(&self) -> Option<&Arc<Delivery>> {
        match self {
            Self::Members { delivery, .. }
            | Self::Everybody { delivery, .. }
            | Self::One { delivery, .. } => Some(delivery),
            Self::Membership { .. } => None,
        }
    }

    fn weight(&self) -> usize {
        ENTRY + self.delivery().map_or(0, |d| d.weight())
    }
}

/// What an entry takes beside its message, in bytes.
const ENTRY: usize = 48;

/// Who asks what it has missed.
#[derive(Clone, Copy, Debug)]
pub struct Absentee<'a> {
    /// Its place among the sessions of the shard.
    pub session: u32,
    /// Its virtual host.
    pub vhost: u16,
    /// The channels that it is a member of.
    pub channels: &'a [u32],
}

/// What a shard has handed out lately.
#[derive(Debug, Default)]
pub struct Log {
    /// BOUND: bytes and age, as [`Log::forget`] is told.
    entries: VecDeque<(Time, What)>,
    /// How many there were before the first of them.
    gone: u64,
    bytes: usize,
}

impl Log {
    /// Where the next thing will stand.
    #[must_use]
    pub fn end(&self) -> Mark {
        Mark(self.gone + self.entries.len() as u64)
    }

    /// What is kept, in bytes, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn note(&mut self, now: Time, what: What) {
        self.bytes += what.weight();
        self.entries.push_back((now, what));
    }

    /// Notes messages that members of a channel have been handed.
    pub fn note_run(&mut self, now: Time, channel: u32, run: &[Arc<Delivery>]) {
        for delivery in run {
            self.note(now, What::Members { channel, delivery: Arc::clone(delivery) });
        }
    }

    /// Notes a message to everybody in a virtual host.
    pub fn note_broadcast(&mut self, now: Time, vhost: u16, delivery: &Arc<Delivery>) {
        self.note(now, What::Everybody { vhost, delivery: Arc::clone(delivery) });
    }

    /// Notes a message to one session.
    pub fn note_told(&mut self, now: Time, session: u32, delivery: &Arc<Delivery>) {
        self.note(now, What::One { session, delivery: Arc::clone(delivery) });
    }

    /// Notes that a session hears a channel from here on, or does not any more.
    pub fn note_membership(&mut self, now: Time, session: u32, channel: u32, hears: bool) {
        self.note(now, What::Membership { session, channel, hears });
    }

    /// Forgets what is older than `age`, and the oldest until no more than `bytes` are kept.
    pub fn forget(&mut self, now: Time, age: Duration, bytes: usize) {
        while let Some((at, what)) = self.entries.front()
            && (*at + age <= now || self.bytes > bytes)
        {
            self.bytes -= what.weight();
            self.entries.pop_front();
            self.gone += 1;
        }
        let kept = self.entries.len().max(64);
        if self.entries.capacity() > kept * 8 {
            self.entries.shrink_to(kept * 2);
        }
    }

    /// What a session has missed: what it was handed after `heard`, the last message that it has, and after `mark`,
    /// until which it has everything. `None`: the log does not reach back that far.
    ///
    /// BOUND: looks at all that is kept.
    #[must_use]
    pub fn missed(
        &self,
        who: Absentee<'_>,
        heard: Option<Position>,
        mark: Mark,
    ) -> Option<Vec<Arc<Delivery>>> {
        let mark = mark.0.checked_sub(self.gone).and_then(|at| usize::try_from(at).ok());
        let is_heard = |(_, what): &(Time, What)| {
            heard.is_some() && what.delivery().map(|d| d.message.position) == heard
        };
        let heard = self.entries.iter().rposition(is_heard).map(|at| at + 1);
        let after = mark.max(heard)?;
        let later = || self.entries.iter().skip(after).map(|(_, what)| what);
        // Where it was a member at first: where it is now, but where it has joined since, and where it has left since.
        let mut changed: Vec<u32> = Vec::new();
        let mut heard_in: Vec<u32> = who.channels.to_vec();
        for what in later() {
            if let What::Membership { session, channel, hears } = what
                && *session == who.session
                && !changed.contains(channel)
            {
                changed.push(*channel);
                set(&mut heard_in, *channel, !hears);
            }
        }
        let mut missed = Vec::new();
        for what in later() {
            let (is_meant, delivery) = match what {
                What::Membership { session, channel, hears } => {
                    if *session == who.session {
                        set(&mut heard_in, *channel, *hears);
                    }
                    continue;
                }
                What::Members { channel, delivery } => (heard_in.contains(channel), delivery),
                What::Everybody { vhost, delivery } => (*vhost == who.vhost, delivery),
                What::One { session, delivery } => (*session == who.session, delivery),
            };
            if is_meant {
                missed.push(Arc::clone(delivery));
            }
        }
        Some(missed)
    }
}

fn set(channels: &mut Vec<u32>, channel: u32, is_in: bool) {
    channels.retain(|c| *c != channel);
    if is_in {
        channels.push(channel);
    }
}

#[cfg(test)]
mod tests;
