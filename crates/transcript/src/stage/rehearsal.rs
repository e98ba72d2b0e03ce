//! In process: a whole node on the simulated network and the virtual clock. Milliseconds, and the same every time.

use super::{Closed, Stage};
use crate::house::{Blueprint, House};
use crate::play::{Mistake, Play, Tongue};
use crate::settings;
use crate::sim::{Peer, ROOM};
use carrier::net::Port;
use node::{Credentials, Jwt, StaticTokens};
use server::Settings;
use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// A node in memory.
pub struct Rehearsal {
    house: House,
    peers: Vec<Wire>,
    /// Datagrams that have come for an address and have not been read.
    letters: BTreeMap<SocketAddr, Vec<u8>>,
}

/// How a peer is connected.
enum Wire {
    Stream(Peer),
    /// By datagrams, from this address.
    Datagrams(SocketAddr),
}

/// The ports of a house, besides that of HTTP.
const DEVICES: u16 = 1;
const DEVICES_UDP: u16 = 2;

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
        let dialects = server::registry::dialects(&settings.dialects, &settings.client);
        let own = dialects.iter().position(|d| d.name() == "watchtower").and_then(|n| u8::try_from(n).ok());
        let own_ports = own.map_or_else(Vec::new, |own| vec![(Port::Listener, own), (Port::Datagrams, own)]);
        let tokens = StaticTokens::new(settings.tokens, settings.anonymous);
        // Keys that would have to be fetched are not there: nobody plays with those.
        let jwt = settings.jwt.map(|jwt| Arc::new(Jwt::new(jwt)));
        let blueprint = Blueprint {
            shards,
            own_ports,
            vhosts: settings.vhosts,
            limits: settings.limits,
            policies: settings.policies,
            assigned: settings.assigned,
            authority: Box::new(Credentials::new(Arc::new(tokens), jwt)),
            ..Blueprint::new(dialects)
        };
        Self { house: House::build(blueprint), peers: Vec::new(), letters: BTreeMap::new() }
    }

    fn peer(&self, wire: usize) -> Option<&Peer> {
        match self.peers.get(wire) {
            Some(Wire::Stream(peer)) => Some(peer),
            Some(Wire::Datagrams(_)) | None => None,
        }
    }
}

impl Stage for Rehearsal {
    fn name(&self) -> String {
        format!("rehearsal, {} shards", self.house.shards.len())
    }

    fn connect(&mut self, tongue: Tongue) -> io::Result<usize> {
        self.peers.push(match tongue {
            Tongue::Rooms | Tongue::Http => Wire::Stream(self.house.connect(0)),
            Tongue::Device => Wire::Stream(self.house.connect(DEVICES)),
            Tongue::DeviceUdp => {
                let port = u16::try_from(self.peers.len()).unwrap_or(0).saturating_add(1024);
                Wire::Datagrams(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port))
            }
        });
        Ok(self.peers.len() - 1)
    }

    fn write(&mut self, wire: usize, bytes: &[u8]) {
        match self.peers.get(wire) {
            Some(Wire::Stream(peer)) => peer.write(bytes),
            // Nothing said is no datagram.
            Some(Wire::Datagrams(from)) if !bytes.is_empty() => {
                self.house.sim.send(DEVICES_UDP, *from, bytes);
            }
            Some(Wire::Datagrams(_)) | None => {}
        }
    }

    fn read(&mut self, wire: usize, into: &mut Vec<u8>) -> bool {
        for (_, to, bytes) in self.house.sim.sent() {
            self.letters.entry(to).or_default().extend(bytes);
        }
        let peer = match self.peers.get(wire) {
            Some(Wire::Stream(peer)) => peer,
            Some(Wire::Datagrams(address)) => {
                into.extend(self.letters.remove(address).unwrap_or_default());
                return false;
            }
            None => return true,
        };
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
