//! In process: a whole node on the simulated network and the virtual clock. Milliseconds, and the same every time.

use super::{Closed, Stage};
use crate::house::{Blueprint, House};
use crate::play::{Mistake, Play};
use crate::settings;
use crate::sim::{Peer, ROOM};
use node::StaticTokens;
use server::Settings;
use std::io;
use std::time::Duration;

/// A node in memory.
pub struct Rehearsal {
    house: House,
    peers: Vec<Peer>,
}

impl Rehearsal {
    /// A node as this play wants it.
    ///
    /// # Errors
    /// When its `set:` lines set what does not exist.
    pub fn of(play: &Play, shards: u16) -> Result<Self, Mistake> {
        settings::settings(play).map(|settings| Self::new(settings, shards))
    }

    /// A node with these settings and this many shards. Where it would listen does not matter.
    #[must_use]
    pub fn new(settings: Settings, shards: u16) -> Self {
        let blueprint = Blueprint {
            shards,
            limits: settings.limits,
            policies: settings.policies,
            assigned: settings.assigned,
            authority: Box::new(StaticTokens::new(settings.tokens, settings.anonymous)),
            ..Blueprint::new(server::registry::dialects(&settings.dialects))
        };
        Self { house: House::build(blueprint), peers: Vec::new() }
    }

    fn peer(&self, wire: usize) -> Option<&Peer> {
        self.peers.get(wire)
    }
}

impl Stage for Rehearsal {
    fn name(&self) -> String {
        format!("rehearsal, {} shards", self.house.shards.len())
    }

    fn connect(&mut self) -> io::Result<usize> {
        self.peers.push(self.house.connect(0));
        Ok(self.peers.len() - 1)
    }

    fn write(&mut self, wire: usize, bytes: &[u8]) {
        if let Some(peer) = self.peer(wire) {
            peer.write(bytes);
        }
    }

    fn read(&mut self, wire: usize, into: &mut Vec<u8>) -> bool {
        let Some(peer) = self.peer(wire) else { return true };
        into.extend(peer.read(usize::MAX));
        peer.is_over()
    }

    fn wait(&mut self, _: usize) -> bool {
        // What could come has come when the house had settled.
        false
    }

    fn finish(&mut self, wire: usize) {
        if let Some(peer) = self.peer(wire) {
            peer.finish();
        }
    }

    fn vanish(&mut self, wire: usize) {
        if let Some(peer) = self.peer(wire) {
            peer.vanish();
        }
    }

    fn settle(&mut self) {
        self.house.settle();
    }

    fn hold(&mut self, wire: usize, holds: bool) {
        if let Some(peer) = self.peer(wire) {
            peer.set_room(if holds { 0 } else { ROOM });
            // There is room again: a server that was refused is told so when the peer reads.
            drop(peer.read(0));
        }
    }

    fn pass(&mut self, time: Duration) {
        self.house.pass(time);
    }

    fn drain(&mut self) {
        self.house.exchange.drain();
    }

    fn closed(&self) -> Option<Closed> {
        Some(self.house.exchange.totals.read().closed)
    }
}
