//! How connections come to a shard: fresh from a listener, or handed over from another shard.
//!
//! Messages go by inbox; what cannot be cloned or weighed, such as a socket, comes through here.

use crate::link::{Asking, Extras, Speech};
use dialect::Conversation;
use model::SessionId;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// A frame that could not be dealt with where it arrived, to be told again elsewhere.
#[derive(Debug)]
pub(crate) enum OwnedFrame {
    /// What is told is not known yet.
    None,
    /// A request.
    Request(OwnedRequest),
    /// A WebSocket message of text.
    Text(Box<str>),
    /// A WebSocket message of bytes.
    Binary(Box<[u8]>),
}

/// A request that is told again.
#[derive(Debug, Default)]
pub struct OwnedRequest {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
    pub(crate) wants_websocket: bool,
}

/// What comes through a door.
pub(crate) enum Parcel<S> {
    /// A connection nobody has read from yet, accepted at this port.
    Fresh { stream: S, peer: IpAddr, port: u16 },
    /// A connection of which somebody has found that it is for a session of this shard.
    HandedOver(Box<HandedOver<S>>),
}

pub(crate) struct HandedOver<S> {
    pub(crate) stream: S,
    pub(crate) peer: IpAddr,
    pub(crate) extras: Option<Box<Extras>>,
    pub(crate) port: u16,
    /// Its request, where it speaks HTTP.
    pub(crate) asking: Option<Box<Asking>>,
    /// What is spoken, with what has been read of it.
    pub(crate) speech: Speech,
    pub(crate) frame: OwnedFrame,
    /// What earlier requests were answered with and the peer has not taken yet.
    pub(crate) owed: Vec<u8>,
    pub(crate) to: SessionId,
    pub(crate) origin: Origin,
    /// How often it has been handed on with what is told.
    pub(crate) hops: u8,
}

/// What becomes of the session that gives a link away, and who is told if the other does not exist.
pub(crate) enum Origin {
    /// It has ended. Its conversation goes with the link, and is told.
    Ended(Box<dyn Conversation>, u8),
    /// It lives on. The link comes back, and it is told.
    Lives(SessionId),
    /// It is told now: there was no such session.
    Back(SessionId),
}

/// One shard's door.
pub struct Door<S> {
    waiting: Mutex<Vec<Parcel<S>>>,
    /// Links the shard has, those in the door included.
    load: AtomicUsize,
}

/// The doors of all shards.
pub struct Doors<S>(Vec<Door<S>>);

impl<S> Doors<S> {
    /// Doors for this many shards.
    #[must_use]
    pub fn new(shards: u16) -> Self {
        Self((0..shards).map(|_| Door { waiting: Mutex::default(), load: AtomicUsize::new(0) }).collect())
    }

    /// The shard with the fewest links; `near` if none has fewer.
    pub(crate) fn least_loaded(&self, near: u16) -> u16 {
        let load = |s: u16| self.0[usize::from(s)].load.load(Ordering::Relaxed);
        let shards = u16::try_from(self.0.len()).unwrap_or(u16::MAX);
        (0..shards).fold(near, |best, s| if load(s) < load(best) { s } else { best })
    }

    pub(crate) fn put(&self, shard: u16, parcel: Parcel<S>) {
        let door = &self.0[usize::from(shard)];
        door.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(parcel);
    }

    pub(crate) fn take(&self, shard: u16) -> Vec<Parcel<S>> {
        std::mem::take(
            &mut *self.0[usize::from(shard)].waiting.lock().unwrap_or_else(PoisonError::into_inner),
        )
    }

    /// Puts back what could not be taken in yet, before what has come since.
    pub(crate) fn put_back(&self, shard: u16, parcels: impl Iterator<Item = Parcel<S>>) {
        let door = &self.0[usize::from(shard)];
        let mut waiting = door.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.splice(..0, parcels);
    }

    pub(crate) fn is_empty(&self, shard: u16) -> bool {
        self.0[usize::from(shard)].waiting.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    pub(crate) fn arrived(&self, shard: u16) {
        self.0[usize::from(shard)].load.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn departed(&self, shard: u16) {
        self.0[usize::from(shard)].load.fetch_sub(1, Ordering::Relaxed);
    }
}
