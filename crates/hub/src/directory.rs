//! Channels by name. A virtual host has several buckets, so that shards seldom want the same lock.
//!
//! Does not know what stands under a name; its owner holds a lock around each bucket.

use hashbrown::{DefaultHashBuilder, HashMap};
use model::ChannelName;

/// Some of the channels of a virtual host, by name. The hasher is seeded at random per bucket, so that no peer
/// can choose names that collide.
#[derive(Debug)]
pub struct Bucket<C> {
    channels: HashMap<ChannelName, C, DefaultHashBuilder>,
}

impl<C> Default for Bucket<C> {
    fn default() -> Self {
        Self { channels: HashMap::default() }
    }
}

impl<C> Bucket<C> {
    /// What stands under `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&C> {
        self.channels.get(name)
    }

    /// Puts `channel` under `name`, where nothing stood.
    pub fn insert(&mut self, name: ChannelName, channel: C) {
        self.channels.insert(name, channel);
    }

    /// Takes away what stands under `name`, if `is_it` agrees. Gives memory back after a flood of names.
    pub fn remove_if(&mut self, name: &str, is_it: impl FnOnce(&C) -> bool) {
        if self.channels.get(name).is_some_and(is_it) {
            self.channels.remove(name);
            if self.channels.capacity() > 64 && self.channels.len() * 8 < self.channels.capacity() {
                self.channels.shrink_to(self.channels.len() * 2);
            }
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.channels.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.channels.is_empty()
    }

    /// Everything in it, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&ChannelName, &C)> {
        self.channels.iter()
    }
}
