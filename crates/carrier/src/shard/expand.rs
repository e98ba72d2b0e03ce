//! How deliveries become stretches of the arena: the hot path.
//!
//! A run is written once for each form that its members hear, however many they are; each member then costs a
//! look at its place in the list and at its link.

use super::Shard;
use crate::arena::{Arena, Mark, SHARE_FROM, Stretch};
use crate::http1::response;
use crate::link::{NONE, Speech};
use crate::net::Net;
use crate::websocket::{self, Deflater, Opcode, WORTH_DEFLATING};
use bytes::Bytes;
use dialect::Event;
use hub::{Lane, Member};
use model::{Delivery, Form, Framing, Message, SessionId, SlowPolicy, Ticket, Unit};
use node::{Answer, Counters, Entry, Fence};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// How deliveries are framed on what is spoken; `None`: they cannot be written there.
pub(super) fn framing(speech: &Speech) -> Option<Framing> {
    match speech {
        Speech::WebSocket(decoder) => Some(match decoder.agreed() {
            None => Framing::WebSocket,
            Some(agreed) => Framing::Deflated { window_bits: agreed.window_bits() },
        }),
        Speech::Stream { chunked: true } => Some(Framing::Chunk),
        Speech::Stream { chunked: false } | Speech::Raw => Some(Framing::Bare),
        // A datagram is a call of its own: those sessions hear by events.
        Speech::Http(_) | Speech::Datagrams { .. } | Speech::Closing => None,
    }
}

pub(super) fn opcode(unit: Unit) -> Opcode {
    match unit {
        Unit::Text => Opcode::Text,
        Unit::Binary => Opcode::Binary,
    }
}

/// The wire bytes of a message in a form: the publisher's own words where they are the form. `None`: the encoder
/// panicked.
pub(super) fn encode(
    form: &Form,
    framing: Framing,
    message: &Message,
    deflater: &mut Deflater,
    deflated: &mut u64,
) -> Option<Bytes> {
    let parts = catch_unwind(AssertUnwindSafe(|| {
        let mut parts = model::Parts::default();
        match message.verbatim.as_ref().filter(|v| form.verbatim == Some(v.dialect)) {
            Some(words) => parts.add(Unit::Text, |out| out.extend_from_slice(&words.bytes)),
            None => (form.encode)(message, &mut parts),
        }
        parts
    }))
    .ok()?;
    let mut out = Vec::new();
    for (unit, part) in parts.iter() {
        match framing {
            Framing::WebSocket => websocket::frame(&mut out, opcode(unit), part),
            Framing::Deflated { window_bits } => {
                *deflated += u64::from(deflater.frame(&mut out, opcode(unit), part, window_bits));
            }
            Framing::Chunk => response::chunk(&mut out, part),
            Framing::Bare | Framing::Post => out.extend_from_slice(part),
        }
    }
    Some(out.into())
}

/// Members looked at in one slice.
const HANDED: usize = 1 << 20;
/// What one message to one member counts for against them that is told by a call, as every datagram is, or posted: its
/// work is not shared with other members.
const CALLED: usize = 256;

/// What writing a run needs to know, besides where to.
struct Pen<'a> {
    form: &'static Form,
    framing: Framing,
    channel: u32,
    policy: SlowPolicy,
    deflater: &'a mut Deflater,
    counters: &'a mut Counters,
}

impl Pen<'_> {
    /// Writes one delivery. `false`: it cannot be written.
    fn write(&mut self, delivery: &Delivery, arena: &mut Arena) -> bool {
        let start = arena.end();
        let mut shared = None;
        if let Some(words) = self.verbatim(&delivery.message) {
            // The publisher's own words, small: no form need be made of them.
            let out = arena.buffer();
            websocket::header(out, Opcode::Text, words.len());
            out.extend_from_slice(words);
        } else {
            let (form, framing) = (self.form, self.framing);
            let (deflater, counters) = (&mut *self.deflater, &mut *self.counters);
            let bytes = delivery.form(form, framing, |message| {
                counters.encoded += 1;
                let bytes = encode(form, framing, message, deflater, &mut counters.deflated);
                counters.panics += u64::from(bytes.is_none());
                bytes
            });
            let Some(bytes) = bytes else { return false };
            arena.buffer().extend_from_slice(&bytes);
            if bytes.len() > SHARE_FROM {
                shared = Some(bytes);
            }
        }
        if shared.is_some() || self.policy != SlowPolicy::Disconnect {
            let at = arena.since(start);
            arena.mark(Mark { at, channel: self.channel, policy: self.policy, shared });
        }
        true
    }

    fn verbatim<'m>(&self, message: &'m Message) -> Option<&'m [u8]> {
        let words = message.verbatim.as_ref()?;
        let most = match self.framing {
            Framing::WebSocket => SHARE_FROM,
            // Those that are not worth compressing.
            Framing::Deflated { .. } => WORTH_DEFLATING - 1,
            Framing::Chunk | Framing::Bare | Framing::Post => return None,
        };
        (words.bytes.len() <= most && self.form.verbatim == Some(words.dialect)).then_some(&*words.bytes)
    }
}

/// Where the arena holds a run, by lane.
#[derive(Default)]
struct Written {
    /// The lanes that were wanted first, which are most.
    first: [Option<Stretch>; 8],
    /// The others. Peers choose what they have agreed to, and so how many lanes there are.
    others: Vec<(usize, Stretch)>,
}

impl Written {
    #[inline]
    fn get(&self, lane: usize) -> Option<Stretch> {
        match self.first.get(lane) {
            Some(stretch) => *stretch,
            None => self.others.iter().find(|(other, _)| *other == lane).map(|(_, stretch)| *stretch),
        }
    }

    fn set(&mut self, lane: usize, stretch: Stretch) {
        match self.first.get_mut(lane) {
            Some(place) => *place = Some(stretch),
            None => self.others.push((lane, stretch)),
        }
    }
}

impl<N: Net> Shard<N> {
    /// Expands what waits in the inbox, a slice of it. What a flush that takes several turns has left in the arena
    /// does not count: neither replies nor deliveries can put the other off.
    pub(super) fn expand(&mut self) {
        self.slice_end = (self.out.arena.len() + self.limits.slice_bytes).min(super::ARENA_FULL);
        self.handed = 0;
        while self.out.arena.len() < self.slice_end && self.handed < HANDED {
            let Some(entry) = self.entries.pop_front() else { return };
            let weight = entry.weight();
            match entry {
                Entry::Run { slot, run } => {
                    let done = self.front_done;
                    let next = self.expand_run(slot, run.deliveries().get(done..).unwrap_or_default());
                    if done + next < run.deliveries().len() {
                        self.front_done = done + next;
                        self.entries.push_front(Entry::Run { slot, run });
                        return;
                    }
                    self.front_done = 0;
                }
                Entry::Broadcast { vhost, delivery } => self.expand_broadcast(vhost, &delivery),
                Entry::Tell { session, vhost, delivery, asked } => {
                    let members = u32::from(self.tell(session, vhost, &delivery));
                    if let Some((session, ticket)) = asked {
                        let answer = Answer::Published { members };
                        self.exchange.push_and_wake(session.shard, Entry::Answer { session, ticket, answer });
                    }
                }
                Entry::Fence { session, ticket, fence } => self.pass_fence(session, ticket, fence),
                Entry::Answer { session, ticket, answer } => self.hear_answer(session, ticket, answer),
                Entry::Kick { session, of, errand } => {
                    self.kick(session, of);
                    self.exchange.report(&errand);
                }
                Entry::Withdraw { session, of, channel, then } => {
                    self.withdraw(session, of, &channel, then);
                }
                Entry::Vacate { slot } => self.desk.roster.close_channel(slot),
                Entry::Drain => self.begin_drain(),
            }
            self.exchange.finish(self.desk.shard, weight);
        }
    }

    /// Expands as many messages of a run as fit into the slice, at least one. Returns how many.
    fn expand_run(&mut self, slot: u32, run: &[Arc<Delivery>]) -> usize {
        self.expanded.extend(run.first().and_then(|d| d.began));
        let mut weight = self.out.arena.len();
        let fits = |d: &&Arc<Delivery>| {
            let fits = weight < self.slice_end;
            weight += d.weight();
            fits
        };
        let n = run.iter().take_while(fits).count().max(1).min(run.len());
        let n = self.callable(slot, n);
        let run = run.get(..n).unwrap_or_default();
        self.note_run(slot, run);
        if run.iter().all(|d| d.is_plain()) {
            self.hand_out(slot, run, |_| true);
        } else {
            for delivery in run {
                let (except, only) = (delivery.except, delivery.only.as_deref());
                let wanted: Vec<u32> = match only {
                    None => Vec::new(),
                    Some(only) => {
                        let roster = &self.desk.roster;
                        let named = |m: &&Member| {
                            roster.address(m.session).is_some_and(|address| only.contains(&address))
                        };
                        roster.members(slot).iter().filter(named).map(|m| m.session).collect()
                    }
                };
                let shard = self.desk.shard;
                self.hand_out(slot, std::slice::from_ref(delivery), |m| {
                    let left_out = except.is_some_and(|e| e.shard == shard && e.slot == m.session);
                    !left_out && (only.is_none() || wanted.contains(&m.session))
                });
            }
        }
        n
    }

    /// How many of so many messages those members of the channel can be told in this slice that are called: at least
    /// one.
    fn callable(&self, slot: u32, n: usize) -> usize {
        if n < 2 {
            return n;
        }
        let posts = |l: usize| self.lanes.get(l).is_some_and(|(_, framing)| *framing == Framing::Post);
        let is_called = |m: &&Member| usize::from(m.lane.0).checked_sub(1).is_none_or(posts);
        let called = self.desk.roster.members(slot).iter().filter(is_called).count();
        let left = HANDED.saturating_sub(self.handed) / CALLED;
        left.checked_div(called).map_or(n, |fit| fit.clamp(1, n))
    }

    /// Hands these messages to every member of the channel that is wanted.
    fn hand_out(&mut self, slot: u32, run: &[Arc<Delivery>], wanted: impl Fn(&Member) -> bool) {
        let Some((_, channel)) = self.desk.roster.handle(slot) else { return };
        let policy = channel.slow;
        self.handed += self.desk.roster.members(slot).len();
        let mut written = Written::default();
        let mut by_events = Vec::new();
        let mut by_post: Vec<(&'static Form, Vec<u32>)> = Vec::new();
        let mut delivered = 0;
        for m in self.desk.roster.members(slot).iter().filter(|m| wanted(m)) {
            delivered += 1;
            if m.lane == Lane(0) {
                by_events.push(m.session);
                continue;
            }
            let lane = usize::from(m.lane.0) - 1;
            let stretch = match written.get(lane) {
                Some(stretch) => stretch,
                None => {
                    let Some(&(form, framing)) = self.lanes.get(lane) else { continue };
                    if framing == Framing::Post {
                        match by_post.iter_mut().find(|(f, _)| std::ptr::eq(*f, form)) {
                            Some((_, sessions)) => sessions.push(m.session),
                            None => by_post.push((form, vec![m.session])),
                        }
                        continue;
                    }
                    let (deflater, counters) = (&mut self.deflater, &mut self.desk.counters);
                    let mut pen = Pen { form, framing, channel: slot, policy, deflater, counters };
                    let arena = &mut self.out.arena;
                    let start = arena.end();
                    let unwritten = run.iter().filter(|d| !pen.write(d, arena)).count();
                    if unwritten > 0 {
                        self.failed.push((m.lane, unwritten as u64));
                    }
                    let stretch = arena.since(start);
                    written.set(lane, stretch);
                    stretch
                }
            };
            if !stretch.is_empty() {
                self.out.owe(m.link, stretch);
            }
        }
        self.desk.counters.delivered += delivered * run.len() as u64;
        let called = by_events.len() + by_post.iter().map(|(_, sessions)| sessions.len()).sum::<usize>();
        self.handed += called * run.len() * CALLED;
        for session in by_events {
            for delivery in run {
                self.converse(session, None, |c, turn| c.on_event(Event::Deliver(delivery), turn));
            }
        }
        for (form, sessions) in by_post {
            self.post_run(form, &sessions, run);
        }
        self.tell_of_failures(slot);
    }

    /// Members that hear in a form whose encoder failed are told that something is missing.
    fn tell_of_failures(&mut self, slot: u32) {
        while let Some((lane, missed)) = self.failed.pop() {
            let members = self.desk.roster.members(slot).iter();
            let deaf: Vec<u32> = members.filter(|m| m.lane == lane).map(|m| m.session).collect();
            for session in deaf {
                self.converse(session, None, |c, turn| c.on_event(Event::Gap { missed }, turn));
            }
        }
    }

    /// Hands a message to one session.
    fn hand_to(&mut self, session: u32, delivery: &Arc<Delivery>, policy: SlowPolicy, channel: u32) {
        let Some(s) = self.sessions.get(session as usize) else { return };
        let Some(lane) = s.hearing else { return };
        self.desk.counters.delivered += 1;
        let form = usize::from(lane.0).checked_sub(1).and_then(|l| self.lanes.get(l));
        let (Some(&(form, framing)), link) = (form, s.hearing_on) else {
            return self.converse(session, None, |c, turn| c.on_event(Event::Deliver(delivery), turn));
        };
        if framing == Framing::Post {
            return self.post_run(form, &[session], std::slice::from_ref(delivery));
        }
        let (deflater, counters) = (&mut self.deflater, &mut self.desk.counters);
        let mut pen = Pen { form, framing, channel, policy, deflater, counters };
        let start = self.out.arena.end();
        let written = pen.write(delivery, &mut self.out.arena);
        let stretch = self.out.arena.since(start);
        if !written {
            self.converse(session, None, |c, turn| c.on_event(Event::Gap { missed: 1 }, turn));
        } else if link != NONE && !stretch.is_empty() {
            self.out.owe(link, stretch);
        }
    }

    /// Hands a message to a session, or to what it is in this virtual host, if it is there. `false`: it is not, or does
    /// not hear.
    fn tell(&mut self, id: SessionId, vhost: u16, delivery: &Arc<Delivery>) -> bool {
        let Some(id) = self.in_vhost(id, vhost) else { return false };
        let there = self.session(id).is_some_and(|s| s.hearing.is_some());
        if there {
            self.handed += CALLED;
            self.note_told(id.slot, delivery);
            self.hand_to(id.slot, delivery, SlowPolicy::Disconnect, 0);
        }
        there
    }

    fn expand_broadcast(&mut self, vhost: u16, delivery: &Arc<Delivery>) {
        self.handed += self.sessions.len();
        self.expanded.extend(delivery.began);
        self.note_broadcast(vhost, delivery);
        let mut stretches: Vec<Option<Stretch>> = vec![None; self.lanes.len()];
        let mut apart = Vec::new();
        for (slot, s) in &self.sessions {
            let excepted = delivery
                .except
                .is_some_and(|e| e.slot as usize == slot && e == s.id(self.desk.shard, e.slot));
            let Some(lane) = s.hearing.filter(|_| s.vhost.index == vhost && !excepted) else { continue };
            let place = usize::from(lane.0).checked_sub(1);
            let Some((&(form, framing), known)) = place
                .and_then(|p| Some((self.lanes.get(p)?, stretches.get_mut(p)?)))
                .filter(|(lane, _)| lane.1 != Framing::Post)
            else {
                apart.push(slot);
                continue;
            };
            let stretch = match known {
                Some(stretch) => *stretch,
                None => {
                    let (deflater, counters) = (&mut self.deflater, &mut self.desk.counters);
                    let policy = SlowPolicy::Disconnect;
                    let start = self.out.arena.end();
                    let mut pen = Pen { form, framing, channel: 0, policy, deflater, counters };
                    if !pen.write(delivery, &mut self.out.arena) {
                        // Each is told apart that it missed something.
                        apart.push(slot);
                        continue;
                    }
                    *known.insert(self.out.arena.since(start))
                }
            };
            self.desk.counters.delivered += 1;
            if !stretch.is_empty() {
                self.out.owe(s.hearing_on, stretch);
            }
        }
        self.handed += apart.len() * CALLED;
        for slot in apart {
            let session = u32::try_from(slot).unwrap_or(NONE);
            self.hand_to(session, delivery, SlowPolicy::Disconnect, 0);
        }
    }

    /// A change of membership takes effect at its place in the order.
    fn pass_fence(&mut self, id: SessionId, ticket: Option<Ticket>, fence: Fence) {
        if self.session(id).is_none() {
            return;
        }
        let ticket = ticket.unwrap_or(node::desk::NO_TICKET);
        match fence {
            Fence::Joined { slot, position, recovered, replay } => {
                let Some((_, channel)) = self.desk.roster.handle(slot) else { return };
                let (name, policy) = (channel.name.clone(), channel.slow);
                if !self.desk.roster.finish_join(id.slot, slot) {
                    return;
                }
                self.note_membership(id.slot, slot, true);
                let event = Event::Joined { ticket, channel: &name, position, recovered };
                self.converse(id.slot, None, |c, turn| c.on_event(event, turn));
                for delivery in &replay {
                    if self.session(id).is_some() {
                        self.hand_to(id.slot, delivery, policy, slot);
                    }
                }
            }
            Fence::StillJoined { slot, position } => {
                let Some((_, channel)) = self.desk.roster.handle(slot) else { return };
                let name = channel.name.clone();
                let event = Event::Joined { ticket, channel: &name, position, recovered: None };
                self.converse(id.slot, None, |c, turn| c.on_event(event, turn));
            }
            Fence::Left { slot, channel } => {
                if let Some(slot) = slot {
                    self.desk.roster.finish_leave(id.slot, slot);
                    self.note_membership(id.slot, slot, false);
                }
                let event = Event::Left { ticket, channel: &channel };
                self.converse(id.slot, None, |c, turn| c.on_event(event, turn));
            }
        }
    }
}
