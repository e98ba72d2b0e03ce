//! How connections and handed-over links come in, and become links.

use super::{Shard, Speak};
use crate::door::{HandedOver, Origin, OwnedFrame, OwnedRequest, Parcel};
use crate::http1;
use crate::link::{Hot, Link, Speech};
use crate::net::{Net, Port};
use dialect::{Event, Frame, Header, Opening, Request, Road};
use model::{CloseReason, LinkId, SessionId};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Connections or datagrams taken from a port in one turn.
pub(super) const TAKE: usize = 64;
/// How long accepting rests when the system has no descriptors left.
const REST: Duration = Duration::from_millis(100);
/// How long it rests when as many were accepted as may be in a second.
const PAUSE: Duration = Duration::from_millis(10);

impl<N: Net> Shard<N> {
    /// Notes that something waits at a port.
    pub(super) fn open_port(&mut self, port: u16) {
        if !self.open_ports.contains(&port) {
            self.open_ports.push(port);
        }
    }

    /// Takes what waits at the ports, a bounded number at a time.
    pub(super) fn accept_more(&mut self) {
        let rests = self.accept_again.is_some_and(|at| self.now.time < at);
        if !rests {
            self.accept_again = None;
        }
        let mut ports = std::mem::take(&mut self.open_ports);
        ports.retain(|&port| match self.net.ports().get(usize::from(port)) {
            Some(Port::Listener) => rests || self.accept_from(port),
            Some(Port::Datagrams) => self.receive_from(port),
            None => false,
        });
        self.open_ports.append(&mut ports);
    }

    /// Whether something waits at a port that can be taken now. Where nobody is accepted for a moment, those who are
    /// here already are heard all the same.
    pub(super) fn may_take(&self) -> bool {
        let is_heard = |port: &u16| self.net.ports().get(usize::from(*port)) == Some(&Port::Datagrams);
        match self.accept_again {
            None => !self.open_ports.is_empty(),
            Some(_) => self.open_ports.iter().any(is_heard),
        }
    }

    /// `true`: there may be more.
    fn accept_from(&mut self, port: u16) -> bool {
        for _ in 0..TAKE {
            if self.exchange.connections.load(Ordering::Relaxed) >= self.limits.connections {
                self.rest_from_accepting(None);
                return true;
            }
            let rate = self.limits.accept_rate.map(|r| (r, r));
            if rate.is_some_and(|rate| !self.accepting.has(rate, self.now.time)) {
                // Those beyond wait in the kernel's queue, which has its own bound.
                self.accept_again = Some(self.now.time + PAUSE);
                return true;
            }
            match self.net.accept(port) {
                Ok((stream, peer)) => {
                    if let Some(rate) = rate {
                        self.accepting.take(rate, self.now.time);
                    }
                    self.desk.counters.accepted += 1;
                    if std::mem::take(&mut self.told_of_rest) {
                        tracing::info!("connections are accepted again");
                    }
                    self.exchange.connections.fetch_add(1, Ordering::Relaxed);
                    let shard = self.doors.least_loaded(self.desk.shard);
                    self.doors.arrived(shard);
                    if shard == self.desk.shard {
                        self.admit(stream, peer, port);
                    } else {
                        self.doors.put(shard, Parcel::Fresh { stream, peer, port });
                        self.exchange.inbox(shard).ring();
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return false,
                // The peer has gone again before it was let in, or a signal came.
                Err(e)
                    if matches!(e.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted) => {}
                Err(e) => {
                    self.rest_from_accepting(Some(&e));
                    return true;
                }
            }
        }
        true
    }

    /// Accepts nobody for a moment: the system refuses, or there are as many as may be. Said once, until somebody
    /// is accepted again.
    fn rest_from_accepting(&mut self, why: Option<&io::Error>) {
        self.accept_again = Some(self.now.time + REST);
        self.desk.counters.pauses += 1;
        if std::mem::replace(&mut self.told_of_rest, true) {
            return;
        }
        let open = self.exchange.connections.load(Ordering::Relaxed);
        match why {
            Some(error) => tracing::warn!(%error, open, "nobody can be accepted for the moment"),
            None => tracing::warn!(open, "nobody is accepted: there are as many connections as may be"),
        }
    }

    /// Lets in what other shards have put before the door.
    pub(super) fn receive_parcels(&mut self) {
        if self.doors.is_empty(self.desk.shard) {
            return;
        }
        let mut parcels = self.doors.take(self.desk.shard).into_iter();
        // BOUND: who comes back is told a lot at once.
        while self.out.arena.len() <= super::ARENA_FULL {
            let Some(parcel) = parcels.next() else { return };
            match parcel {
                Parcel::Fresh { stream, peer, port } => self.admit(stream, peer, port),
                Parcel::HandedOver(link) => self.welcome(link),
            }
        }
        self.doors.put_back(self.desk.shard, parcels);
        self.exchange.inbox(self.desk.shard).ring();
    }

    /// Makes a link of a connection.
    fn admit(&mut self, stream: N::Stream, peer: IpAddr, port: u16) {
        if self.draining.is_some() {
            self.desk.counters.rejected += 1;
            self.exchange.connections.fetch_sub(1, Ordering::Relaxed);
            return self.doors.departed(self.desk.shard);
        }
        let Some(plan) = self.wiring.ports.get(usize::from(port)).cloned() else { return };
        let speech = match plan.speak {
            Speak::Http => Speech::Http(http1::Decoder::default()),
            Speak::Own { .. } => Speech::Raw,
        };
        let Ok(stranger) = self.meet(peer) else { return self.turn_away(stream, &plan.speak, peer) };
        let Some(slot) = self.add_link(Some(stream), peer, port, speech) else { return };
        self.links[slot as usize].set_stranger(stranger);
        match plan.speak {
            Speak::Http => self.set_deadline(slot, self.now.time + self.limits.head_timeout),
            Speak::Own { dialect } => {
                self.set_deadline(slot, self.now.time + self.limits.head_timeout);
                self.attach(&plan.vhost, dialect, Road::Tcp, Some(slot));
                self.limit_stranger(slot);
            }
        }
    }

    /// Takes a place for a link, and watches its stream.
    pub(super) fn add_link(
        &mut self,
        mut stream: Option<N::Stream>,
        peer: IpAddr,
        port: u16,
        speech: Speech,
    ) -> Option<u32> {
        let generation = self.birth();
        let at = self.links.insert(Link::new(generation, port, peer, speech));
        let slot = u32::try_from(at).ok()?;
        if let Some(stream) = stream.as_mut()
            && let Err(e) = self.net.add(stream, slot)
        {
            tracing::warn!(error = %e, "a connection cannot be watched");
            self.links.remove(at);
            self.exchange.connections.fetch_sub(1, Ordering::Relaxed);
            self.doors.departed(self.desk.shard);
            return None;
        }
        if self.out.hot.len() <= at {
            self.out.hot.resize_with(at + 1, || Hot::new(None));
        }
        self.out.hot[at] = Hot::new(stream);
        Some(slot)
    }

    /// Takes in a link that is for a session of this shard.
    fn welcome(&mut self, mut over: Box<HandedOver<N::Stream>>) {
        let is_there = self.session(over.to).is_some();
        if let Origin::Lives(from) = over.origin
            && !is_there
        {
            (over.origin, over.to) = (Origin::Back(over.to), from);
            return self.pass_on(over);
        }
        let HandedOver { stream, peer, extras, port, asking, speech, frame, owed, to, origin, hops } = *over;
        let wait = match asking {
            Some(_) => self.limits.request_timeout,
            None => self.limits.ping_interval,
        };
        let Some(slot) = self.add_link(Some(stream), peer, port, speech) else { return };
        self.set_deadline(slot, self.now.time + wait);
        let link = &mut self.links[slot as usize];
        // What the stream itself has read and not given yet is reported by nobody.
        (link.extras, link.readable) = (extras, true);
        // What was to be announced has been, where it comes from.
        link.fresh = false;
        link.pause.asking = asking.is_some();
        link.asking = asking;
        let id = LinkId { slot, generation: link.generation };
        self.out.owe_new(slot, |out| out.extend_from_slice(&owed));
        (self.telling, self.hops) = (Some(slot), hops);
        match origin {
            Origin::Ended(conversation, dialect) if !is_there => {
                let vhost = Arc::clone(&self.wiring.ports[usize::from(port)].vhost);
                let Some(new) = self.seat(&vhost, dialect, Some(slot)) else { return };
                self.sessions[new as usize].conversation = Some(conversation);
                self.converse(new, Some(id), |c, turn| c.on_event(Event::NoSuchSession(to), turn));
            }
            Origin::Back(_) | Origin::Lives(_) if !is_there => self.lose_link(slot, CloseReason::Gone),
            Origin::Ended(conversation, _) => {
                // It is not needed any more. Somebody else's code may run there.
                self.guard(move || drop(conversation));
                self.entrust(slot, to);
                self.tell_again(to, id, &frame);
            }
            Origin::Lives(_) => {
                self.entrust(slot, to);
                self.tell_again(to, id, &frame);
            }
            Origin::Back(missing) => {
                self.entrust(slot, to);
                self.converse(to.slot, Some(id), |c, t| c.on_event(Event::NoSuchSession(missing), t));
                self.tell_again(to, id, &frame);
            }
        }
        (self.telling, self.hops) = (None, 0);
        if let Some(mut over) = self.leaving.take() {
            over.frame = frame;
            return self.hand_over(slot, over, b"");
        }
        self.read_later(slot);
    }

    /// The link is this session's from now on.
    fn entrust(&mut self, slot: u32, to: SessionId) {
        let (Some(link), Some(session)) =
            (self.links.get_mut(slot as usize), self.sessions.get_mut(to.slot as usize))
        else {
            return;
        };
        session.add_link(slot);
        link.session = to.slot;
        link.pause.holding = session.holds();
        if session.principal.as_ref().is_some_and(|p| !p.is_stranger()) {
            link.set_stranger(None);
        }
    }

    /// Tells a session what was told elsewhere, if it is still the same.
    fn tell_again(&mut self, to: SessionId, link: LinkId, frame: &OwnedFrame) {
        if self.session(to).is_none() {
            return;
        }
        let mut tell =
            |frame: Frame<'_>| self.converse(to.slot, Some(link), |c, turn| c.on_frame(frame, turn));
        match frame {
            OwnedFrame::None => {}
            OwnedFrame::Request(request) => request.lend(|r| tell(Frame::Request(r))),
            OwnedFrame::Text(text) => tell(Frame::Text(text)),
            OwnedFrame::Binary(bytes) => tell(Frame::Binary(bytes)),
        }
    }

    /// Starts a session with a conversation of this dialect.
    pub(super) fn attach(
        &mut self,
        vhost: &Arc<node::VHost>,
        dialect: u8,
        road: Road,
        link: Option<u32>,
    ) -> Option<u32> {
        let session = self.seat(vhost, dialect, link)?;
        let opening = Opening {
            session: self.sessions[session as usize].id(self.desk.shard, session),
            vhost: vhost.name.clone(),
            road,
        };
        let wiring = Arc::clone(&self.wiring);
        let begun = self.guard(|| wiring.dialects.get(usize::from(dialect)).map(|d| d.converse(&opening)));
        match begun {
            Some(Some(conversation)) => {
                self.sessions[session as usize].conversation = Some(conversation);
                Some(session)
            }
            Some(None) | None => {
                self.end_session(session, CloseReason::InternalFault, None);
                None
            }
        }
    }
}

impl OwnedRequest {
    pub(super) fn copy(r: &Request<'_>) -> Self {
        Self {
            method: r.method.to_owned(),
            path: r.path.to_owned(),
            query: r.query.to_owned(),
            headers: r.headers.iter().map(|h| (h.name.to_owned(), h.value.to_owned())).collect(),
            body: r.body.to_owned(),
            wants_websocket: r.wants_websocket,
        }
    }

    fn lend(&self, tell: impl FnOnce(Request<'_>)) {
        let headers: Vec<_> = self.headers.iter().map(|(name, value)| Header { name, value }).collect();
        tell(Request {
            method: &self.method,
            path: &self.path,
            query: &self.query,
            headers: &headers,
            body: &self.body,
            wants_websocket: self.wants_websocket,
        });
    }
}
