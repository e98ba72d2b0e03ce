//! Virtual hosts: the directory of one's channels, and how they are listed.

use super::{Channel, Exchange, lock};
use crate::sync::{AtomicU32, Mutex, MutexGuard};
use dialect::ChannelCount;
use foldhash::fast::RandomState;
use hub::ChannelCore;
use hub::directory::Bucket;
use model::{ChannelName, VHostName};
use std::hash::BuildHasher;
use std::sync::Arc;

/// Locks of a virtual host's directory.
const BUCKETS: usize = 64;

/// Entries a page of channels may begin another bucket with.
const PAGE: usize = 1000;

/// A world of its own: names mean nothing outside.
#[derive(Debug)]
pub struct VHost {
    /// Its name.
    pub name: VHostName,
    /// Its number on this node.
    pub index: u16,
    /// Sessions that hear its broadcasts.
    pub audience: AtomicU32,
    pub(super) buckets: [Mutex<Bucket<Arc<Channel>>>; BUCKETS],
    hasher: RandomState,
    /// The channel that everybody is in: the order of broadcasts.
    pub(super) everybody: Mutex<ChannelCore>,
}

impl VHost {
    /// A virtual host in which nobody has joined anything.
    pub(super) fn new(name: VHostName, index: u16, everybody: ChannelCore) -> Self {
        Self {
            name,
            index,
            audience: AtomicU32::new(0),
            buckets: std::array::from_fn(|_| Mutex::default()),
            hasher: RandomState::default(),
            everybody: Mutex::new(everybody),
        }
    }

    pub(super) fn bucket(&self, name: &str) -> MutexGuard<'_, Bucket<Arc<Channel>>> {
        let hash = self.hasher.hash_one(name.as_bytes());
        lock(&self.buckets[usize::try_from(hash >> 32).unwrap_or(0) % BUCKETS])
    }

    /// The channel of that name, if anybody has joined it.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<Arc<Channel>> {
        self.bucket(name).get(name).map(Arc::clone)
    }

    /// How many channels there are, those included that everybody has left and whose window is kept.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.buckets.iter().map(|bucket| lock(bucket).len()).sum()
    }
}

impl Exchange {
    /// A page of the channels that `may_see` allows, and where the next begins. Sorted when it is all of them.
    #[must_use]
    pub fn channels(
        &self,
        vhost: &VHost,
        cursor: u32,
        may_see: impl Fn(&ChannelName) -> bool,
    ) -> (Vec<ChannelCount>, Option<u32>) {
        let mut page = Vec::new();
        let begin = usize::try_from(cursor).unwrap_or(BUCKETS);
        for (i, bucket) in vhost.buckets.iter().enumerate().skip(begin) {
            if page.len() >= PAGE {
                return (page, u32::try_from(i).ok());
            }
            for (name, channel) in lock(bucket).iter().filter(|(name, _)| may_see(name)) {
                page.push(ChannelCount { channel: name.clone(), members: channel.lock().members() });
            }
        }
        page.sort_by(|a, b| a.channel.cmp(&b.channel));
        (page, None)
    }
}
