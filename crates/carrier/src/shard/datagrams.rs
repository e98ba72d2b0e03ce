//! How datagrams come in. An address is a link; it gets one when its dialect lets it in, and costs nothing before.

use super::accept::TAKE;
use super::{Shard, Speak};
use crate::link::Speech;
use crate::net::Net;
use dialect::{Frame, Knock, Road, Welcome};
use hashbrown::DefaultHashBuilder;
use model::LinkId;
use std::hash::BuildHasher;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl<N: Net> Shard<N> {
    /// `true`: there may be more.
    pub(super) fn receive_from(&mut self, port: u16) -> bool {
        let mut scratch = std::mem::take(&mut self.scratch);
        let mut more = true;
        for _ in 0..TAKE {
            match self.net.receive(port, &mut scratch) {
                Ok((n, from)) => self.datagram(port, from, scratch.get(..n).unwrap_or_default()),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    more = false;
                    break;
                }
                // What an earlier datagram met on its way (a closed port) is reported here; it concerns nobody.
                Err(_) => {}
            }
        }
        self.scratch = scratch;
        self.desk.commit();
        more
    }

    fn datagram(&mut self, port: u16, mut from: SocketAddr, bytes: &[u8]) {
        if let SocketAddr::V6(from) = &mut from {
            // Who says with which label he sends is no other for that.
            from.set_flowinfo(0);
        }
        self.desk.counters.reads += 1;
        self.desk.counters.bytes_in += bytes.len() as u64;
        let slot = match self.find_address(port, from) {
            Some(slot) => slot,
            None => match self.new_address(port, from, bytes) {
                Some(slot) => slot,
                None => return,
            },
        };
        let link = &mut self.links[slot as usize];
        link.heard = true;
        if link.is_paused() {
            // Its session holds, and what was said meanwhile is not kept: lost, as datagrams are.
            return;
        }
        let (session, id) = (link.session, LinkId { slot, generation: link.generation });
        if self.may_say(session, bytes.len()) {
            self.converse(session, Some(id), |c, turn| c.on_frame(Frame::Datagram(bytes), turn));
        }
    }

    /// A place for an address that has none, if its dialect lets it in.
    fn new_address(&mut self, port: u16, from: SocketAddr, bytes: &[u8]) -> Option<u32> {
        let plan = self.wiring.ports.get(usize::from(port)).cloned()?;
        let Speak::Own { dialect } = plan.speak else { return None };
        if self.draining.is_some() || !self.is_welcome(port, from, dialect, bytes) {
            return None;
        }
        // BOUND: addresses count as connections, and those of one house as its strangers.
        let full = self.exchange.connections.load(Ordering::Relaxed) >= self.limits.connections;
        let stranger = if full { Err(super::meet::TooMany) } else { self.meet(from.ip()) };
        let Ok(stranger) = stranger else {
            self.desk.counters.rejected += 1;
            return None;
        };
        self.exchange.connections.fetch_add(1, Ordering::Relaxed);
        self.doors.arrived(self.desk.shard);
        let scope = if let SocketAddr::V6(from) = from { from.scope_id() } else { 0 };
        let speech = Speech::Datagrams { to: from.port(), scope };
        let slot = self.add_link(None, from.ip(), port, speech)?;
        self.links[slot as usize].set_stranger(stranger);
        self.note_address(slot);
        self.attach(&plan.vhost, dialect, Road::Udp, Some(slot))?;
        self.limit_stranger(slot);
        Some(slot)
    }

    fn find_address(&self, port: u16, from: SocketAddr) -> Option<u32> {
        let is_it = |slot: &u32| {
            self.links.get(*slot as usize).is_some_and(|l| l.port == port && l.datagrams_to() == Some(from))
        };
        self.addresses.find(address_hash(&self.hasher, port, from), is_it).copied()
    }

    fn note_address(&mut self, slot: u32) {
        let Self { addresses, links, hasher, .. } = self;
        let hash = |slot: &u32| {
            let link = links.get(*slot as usize);
            let address = link.and_then(|l| Some((l.port, l.datagrams_to()?)));
            address.map_or(0, |(port, to)| address_hash(hasher, port, to))
        };
        addresses.insert_unique(hash(&slot), slot, hash);
    }

    /// The address is nobody's any more.
    pub(super) fn forget_address(&mut self, slot: u32, address: SocketAddr) {
        let Some(port) = self.links.get(slot as usize).map(|l| l.port) else { return };
        let hash = address_hash(&self.hasher, port, address);
        if let Ok(entry) = self.addresses.find_entry(hash, |s| *s == slot) {
            entry.remove();
        }
    }

    /// Asks the dialect about a datagram of somebody who has no session. Its answer is never longer than what came: who
    /// lied about an address cannot make this server send it more than he could himself.
    fn is_welcome(&mut self, port: u16, from: SocketAddr, dialect: u8, datagram: &[u8]) -> bool {
        let ip = from.ip().to_canonical();
        let mut address = [0; 18];
        let (octets, number) = address.split_at_mut(16);
        octets.copy_from_slice(&match ip {
            IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
            IpAddr::V6(ip) => ip.octets(),
        });
        number.copy_from_slice(&from.port().to_be_bytes());
        let knock = Knock { datagram, address, is_local: ip.is_loopback(), now: self.now };
        let (wiring, mut answer) = (Arc::clone(&self.wiring), Vec::new());
        let welcome =
            self.guard(|| wiring.dialects.get(usize::from(dialect))?.knock(&knock, &mut answer).into());
        match welcome.flatten() {
            Some(Welcome::Enter) => return true,
            Some(Welcome::Answer) if answer.len() <= datagram.len() => {
                self.desk.counters.bytes_out += answer.len() as u64;
                self.net.send(port, from, &answer);
            }
            Some(Welcome::Answer | Welcome::Ignore) | None => self.desk.counters.rejected += 1,
        }
        false
    }
}

fn address_hash(hasher: &DefaultHashBuilder, port: u16, address: SocketAddr) -> u64 {
    hasher.hash_one((port, address))
}
