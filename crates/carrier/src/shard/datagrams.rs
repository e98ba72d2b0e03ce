//! How datagrams come in. An address is a link; it gets one when its dialect lets it in, and costs nothing before.

use super::accept::TAKE;
use super::{Shard, Speak};
use crate::link::Speech;
use crate::net::Net;
use dialect::{Frame, Knock, Road, Welcome};
use model::LinkId;
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

    fn datagram(&mut self, port: u16, from: SocketAddr, bytes: &[u8]) {
        self.desk.counters.reads += 1;
        self.desk.counters.bytes_in += bytes.len() as u64;
        let slot = match self.addresses.get(&(port, from)) {
            Some(slot) => *slot,
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
        let slot = self.add_link(None, from.ip(), port, Speech::Datagrams(from))?;
        self.links[slot as usize].set_stranger(stranger);
        self.addresses.insert((port, from), slot);
        self.attach(&plan.vhost, dialect, Road::Udp, Some(slot))?;
        self.limit_stranger(slot);
        Some(slot)
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
