//! One channel as all shards share it: positions, which shards have members, named members, the window.
//!
//! Does not know who the members are (that is each shard's [`Roster`](crate::Roster)), nor how a message
//! reaches them. Its owner holds a lock around it, and pushes to inboxes under that lock: hence the one order.

use hashbrown::HashMap;
use model::{Delivery, Position, PrincipalId};
use std::collections::VecDeque;
use std::sync::Arc;

/// A shard that has members in the channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Presence {
    /// Which shard.
    pub shard: u16,
    /// Where the channel stands in that shard's roster, so that a delivery needs no look-up by name.
    pub slot: u32,
    /// How many members it has there, those included whose joining is still on its way.
    pub members: u32,
}

/// The channel has been taken out of the directory; look it up anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dead;

/// What a leave left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Departure {
    /// The shard has no member left: this place in its roster is to be given back, after what is on its way.
    pub vacated: Option<u32>,
    /// Nobody is left anywhere and nothing is kept: the channel may die.
    pub deserted: bool,
}

/// A channel's shared state.
#[derive(Debug)]
pub struct ChannelCore {
    position: Position,
    present: Vec<Presence>,
    members: u32,
    dead: bool,
    /// Members that can be addressed by name, and how many sessions of each there are. Most channels have none.
    named: Option<Box<HashMap<PrincipalId, u32>>>,
    window: Option<Box<Window>>,
}

#[derive(Debug)]
struct Window {
    kept: VecDeque<Arc<Delivery>>,
    messages_max: usize,
    bytes: usize,
    bytes_max: usize,
}

impl ChannelCore {
    /// A channel nobody has joined yet. `epoch` must differ between the lives of a channel.
    #[must_use]
    pub fn new(epoch: u64) -> Self {
        let position = Position { epoch, offset: 0 };
        Self { position, present: Vec::new(), members: 0, dead: false, named: None, window: None }
    }

    /// Keeps the last `messages_max` messages, in at most `bytes_max` bytes, for those who come back.
    #[must_use]
    pub fn with_window(mut self, messages_max: usize, bytes_max: usize) -> Self {
        if messages_max > 0 {
            let kept = VecDeque::new();
            self.window = Some(Box::new(Window { kept, messages_max, bytes: 0, bytes_max }));
        }
        self
    }

    /// Counts a member in. `slot` is the channel's place in that shard's roster, as
    /// [`ChannelCore::slot_of`] says it if the shard has members already.
    ///
    /// # Errors
    /// When the channel is dead.
    pub fn join(&mut self, shard: u16, slot: u32, who: Option<PrincipalId>) -> Result<Position, Dead> {
        if self.dead {
            return Err(Dead);
        }
        self.members += 1;
        match self.present.iter_mut().find(|p| p.shard == shard) {
            Some(p) => p.members += 1,
            None => self.present.push(Presence { shard, slot, members: 1 }),
        }
        if let Some(who) = who {
            *self.named.get_or_insert_default().entry(who).or_insert(0) += 1;
        }
        Ok(self.position)
    }

    /// Counts a member out that was counted in with the same arguments.
    pub fn leave(&mut self, shard: u16, who: Option<PrincipalId>) -> Departure {
        let mut vacated = None;
        if let Some(i) = self.present.iter().position(|p| p.shard == shard) {
            self.members -= 1;
            self.present[i].members -= 1;
            if self.present[i].members == 0 {
                vacated = Some(self.present.swap_remove(i).slot);
            }
        }
        if let (Some(who), Some(named)) = (who, self.named.as_mut()) {
            let gone = named.get_mut(&who).is_some_and(|n| {
                *n -= 1;
                *n == 0
            });
            if gone {
                named.remove(&who);
            }
            if named.is_empty() {
                self.named = None;
            }
        }
        Departure { vacated, deserted: self.is_deserted() }
    }

    /// Numbers the messages of a run, in order, and keeps them in the window if there is one.
    /// The deliveries must not be shared yet.
    pub fn commit(&mut self, run: &mut [Arc<Delivery>]) -> Position {
        for delivery in run {
            self.position.offset += 1;
            if let Some(d) = Arc::get_mut(delivery) {
                d.message.position = self.position;
                d.message.recoverable = self.window.is_some();
            }
            if let Some(w) = self.window.as_mut() {
                w.keep(Arc::clone(delivery));
            }
        }
        self.position
    }

    /// What the window holds after `since`, oldest first; `None` when it does not reach back that far, so that
    /// something would be missing unsaid.
    #[must_use]
    pub fn recover(&self, since: Position) -> Option<Vec<Arc<Delivery>>> {
        let window = self.window.as_ref()?;
        let missing = self.position.offset.checked_sub(since.offset)?;
        let missing = usize::try_from(missing).ok()?;
        if since.epoch != self.position.epoch || missing > window.kept.len() {
            return None;
        }
        Some(window.kept.iter().skip(window.kept.len() - missing).cloned().collect())
    }

    /// Takes the channel out of life, if it is deserted. From then on nobody can join it.
    pub fn bury(&mut self) -> bool {
        self.dead = self.dead || self.is_deserted();
        self.dead
    }

    /// Where the channel stands in this shard's roster, if the shard has members.
    #[must_use]
    pub fn slot_of(&self, shard: u16) -> Option<u32> {
        self.present.iter().find(|p| p.shard == shard).map(|p| p.slot)
    }

    /// Whether every one of these is a member.
    #[must_use]
    pub fn has_all(&self, receivers: &[PrincipalId]) -> bool {
        receivers.iter().all(|r| self.named.as_ref().is_some_and(|n| n.contains_key(r)))
    }

    /// The shards that have members.
    #[must_use]
    pub fn present(&self) -> &[Presence] {
        &self.present
    }

    /// Members on this node.
    #[must_use]
    pub fn members(&self) -> u32 {
        self.members
    }

    /// The position of the newest message.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }

    /// Forgets what the window holds, unless somebody is there to miss it. Positions go on.
    pub fn clear_window(&mut self) {
        if let Some(w) = self.window.as_mut().filter(|_| self.members == 0) {
            w.kept.clear();
            w.bytes = 0;
        }
    }

    /// What is kept for those who come back though nobody is there, in bytes; `None`: somebody is, or nothing is.
    #[must_use]
    pub fn abandoned(&self) -> Option<usize> {
        self.window.as_ref().filter(|w| self.members == 0 && !w.kept.is_empty()).map(|w| w.bytes)
    }

    fn is_deserted(&self) -> bool {
        self.members == 0 && self.window.as_ref().is_none_or(|w| w.kept.is_empty())
    }
}

impl Window {
    fn keep(&mut self, delivery: Arc<Delivery>) {
        self.bytes += delivery.weight();
        self.kept.push_back(delivery);
        while self.kept.len() > self.messages_max || self.bytes > self.bytes_max {
            let Some(old) = self.kept.pop_front() else { return };
            self.bytes -= old.weight();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use model::{Message, Payload, Publisher, SessionId};

    fn delivery() -> Arc<Delivery> {
        let session = SessionId { shard: 0, slot: 0, generation: 0 };
        Arc::new(Delivery::new(Message {
            vhost: model::VHostName::root(),
            channel: None,
            event: None,
            payload: Payload::text(Bytes::from_static(b"x")),
            verbatim: None,
            publisher: Publisher { session, name: None, address: None },
            position: Position::default(),
            recoverable: false,
            time_ms: 0,
        }))
    }

    #[test]
    fn a_channel_dies_with_its_last_member() {
        let mut c = ChannelCore::new(1);
        c.join(0, 7, None).unwrap();
        c.join(1, 9, None).unwrap();
        c.join(0, 7, None).unwrap();
        assert_eq!(c.leave(0, None), Departure { vacated: None, deserted: false });
        assert!(!c.bury());
        assert_eq!(c.leave(0, None), Departure { vacated: Some(7), deserted: false });
        assert_eq!(c.leave(1, None), Departure { vacated: Some(9), deserted: true });
        assert!(c.bury());
        assert_eq!(c.join(0, 7, None), Err(Dead));
    }

    #[test]
    fn named_receivers_are_all_or_none() {
        let mut c = ChannelCore::new(1);
        let (a, b) = (PrincipalId::new(1).unwrap(), PrincipalId::new(2).unwrap());
        c.join(0, 0, Some(a)).unwrap();
        c.join(0, 0, Some(a)).unwrap();
        c.join(0, 0, Some(b)).unwrap();
        assert!(c.has_all(&[a, b]));
        c.leave(0, Some(a));
        assert!(c.has_all(&[a]));
        c.leave(0, Some(a));
        assert!(!c.has_all(&[b, a]));
    }

    #[test]
    fn windows_recover_whole_or_say_no() {
        let mut c = ChannelCore::new(5).with_window(3, 1 << 20);
        for _ in 0..5 {
            c.commit(&mut [delivery()]);
        }
        let at = |offset| Position { epoch: 5, offset };
        let offsets =
            |since| c.recover(since).map(|d| d.iter().map(|d| d.message.position.offset).collect::<Vec<_>>());
        assert_eq!(offsets(at(5)), Some(vec![]));
        assert_eq!(offsets(at(2)), Some(vec![3, 4, 5]));
        assert_eq!(offsets(at(1)), None, "message 2 is gone");
        assert_eq!(offsets(at(6)), None, "from the future");
        assert_eq!(offsets(Position { epoch: 4, offset: 5 }), None, "another life");
        assert!(!c.bury(), "windows outlive the last member");
        c.clear_window();
        assert!(c.bury());
    }
}
