//! A network without a network: its streams say what a script says, and count what they are written.
//!
//! Every stream comes as a request to become a WebSocket and subscribes to its room, so a shard does all that it
//! does for a client, save the system calls.

use super::stage::{Phase, Stage};
use super::stamp;
use crate::cli::Tongue;
use carrier::net::{Net, Port, Ready, Stream};
use model::Now;
use node::Clock;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// Events reported in one turn, as the kernel would.
const EVENTS: usize = 256;
/// How long a publisher without credit sleeps at most, should a ring be missed.
const STARVED: Duration = Duration::from_millis(1);

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
const ACKNOWLEDGED: &[u8] = b"{\"msg\":\"Subscribed";

/// How far a stream is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    Fresh,
    Asked,
    Subscribed,
    Joined,
}

/// One scripted client. Small: there may be a million.
pub(super) struct VoidStream {
    stage: Arc<Stage>,
    /// Its number among the members; one more than the last is the connection that publishes.
    member: u32,
    /// What it publishes to next.
    room: u32,
    /// Messages of its own that it has not heard yet, when it is a member that publishes.
    unheard: u16,
    shard: u16,
    step: Step,
}

impl VoidStream {
    fn publishes_apart(&self) -> bool {
        self.member == self.stage.work.sessions
    }

    /// Whether it is the member of its room that publishes.
    fn speaks(&self) -> bool {
        self.stage.members_speak() && self.member.is_multiple_of(self.stage.work.members)
    }

    fn say(&mut self, into: &mut [u8]) -> usize {
        if self.step != Step::Joined || !self.stage.is(Phase::Speaking) {
            return 0;
        }
        let room_for = (into.len() - 1) / self.stage.frame_len.max(1);
        let messages = if self.publishes_apart() {
            let burst = if self.stage.may_speak() { u64::from(self.stage.work.burst) } else { 0 };
            usize::try_from(burst.min(self.stage.credit())).unwrap_or(0).min(room_for)
        } else if self.speaks() && self.unheard == 0 {
            usize::from(self.stage.credit() > 0).min(room_for)
        } else {
            0
        };
        let mut at = 0;
        for _ in 0..messages {
            let frame = self.stage.frame(self.room);
            if let Some(place) = into.get_mut(at..at + frame.len()) {
                place.copy_from_slice(frame);
            }
            at += frame.len();
            if self.publishes_apart() {
                self.room = (self.room + 1) % self.stage.work.rooms;
            } else {
                self.unheard += 1;
            }
        }
        self.stage.note_published(self.shard, messages as u64);
        at
    }

    fn hear(&mut self, bytes: &[u8]) {
        match self.step {
            Step::Joined => {
                self.unheard = self.unheard.saturating_sub(1);
                self.stage.note_written(self.shard, bytes.len());
            }
            // The acknowledgement may share its write with what came before it.
            Step::Subscribed if bytes.windows(ACKNOWLEDGED.len()).any(|w| w == ACKNOWLEDGED) => {
                self.step = Step::Joined;
                self.stage.note_joined(self.shard);
            }
            Step::Fresh | Step::Asked | Step::Subscribed => {}
        }
    }
}

impl Read for VoidStream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = match self.step {
            Step::Fresh => {
                self.step = Step::Asked;
                put(into, REQUEST)
            }
            Step::Asked if self.publishes_apart() => {
                self.step = Step::Joined;
                0
            }
            Step::Asked => {
                self.step = Step::Subscribed;
                let mut frame = Vec::new();
                super::speech::mask(&mut frame, &stamp::subscribe(&stamp::room(Tongue::Rooms, 0, self.room)));
                put(into, &frame)
            }
            Step::Subscribed | Step::Joined => self.say(into),
        };
        if n == 0 { Err(ErrorKind::WouldBlock.into()) } else { Ok(n) }
    }
}

fn put(into: &mut [u8], bytes: &[u8]) -> usize {
    let n = bytes.len().min(into.len());
    into.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    n
}

impl Write for VoidStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.hear(bytes);
        Ok(bytes.len())
    }

    fn write_vectored(&mut self, slices: &[io::IoSlice<'_>]) -> io::Result<usize> {
        // Only while joining can the pieces matter; afterwards their length does.
        slices.iter().for_each(|s| self.hear(s));
        Ok(slices.iter().map(|s| s.len()).sum())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for VoidStream {
    fn finish(&mut self) {}
}

/// One shard's part of the network.
pub(super) struct Void {
    stage: Arc<Stage>,
    clock: Clock,
    shard: u16,
    /// Streams that nobody has read from.
    fresh: VecDeque<u32>,
    /// Streams that publish, taking turns.
    speakers: VecDeque<u32>,
    /// Clients that have not come yet. The publishing connection comes first.
    coming: VecDeque<u32>,
    announced: bool,
    /// Whether waiting may take time; a shard that is driven turn by turn must come back.
    sleeps: bool,
}

impl Void {
    /// The network of that shard. As in a server, the first shard accepts for all.
    pub(super) fn new(stage: &Arc<Stage>, clock: Clock, shard: u16, sleeps: bool) -> Self {
        let sessions = stage.work.sessions;
        let apart = stage.one_speaks().then_some(sessions);
        let coming =
            if shard == 0 { apart.into_iter().chain(0..sessions).collect() } else { VecDeque::new() };
        let (fresh, speakers) = (VecDeque::new(), VecDeque::new());
        let stage = Arc::clone(stage);
        Self { stage, clock, shard, fresh, speakers, coming, announced: false, sleeps }
    }

    fn report(&mut self, ready: &mut Vec<Ready>) {
        if !self.announced && !self.coming.is_empty() {
            ready.push(Ready::Port(0));
        }
        self.announced = true;
        let readable =
            |slot| Ready::Stream { slot, readable: true, writable: false, ended: false, gone: false };
        let fresh = self.fresh.len().min(EVENTS);
        ready.extend(self.fresh.drain(..fresh).map(readable));
        if !self.speakers.is_empty() && self.stage.may_speak() {
            let speakers = self.speakers.len().min(EVENTS);
            ready.extend(self.speakers.iter().take(speakers).copied().map(readable));
            self.speakers.rotate_left(speakers);
        }
    }
}

impl Net for Void {
    type Stream = VoidStream;

    fn wait(&mut self, timeout: Option<Duration>, ready: &mut Vec<Ready>) -> io::Result<()> {
        self.stage.look();
        self.report(ready);
        if !ready.is_empty() || timeout == Some(Duration::ZERO) || !self.sleeps || self.stage.is(Phase::Over)
        {
            return Ok(());
        }
        let starved = !self.speakers.is_empty() && self.stage.is(Phase::Speaking);
        if starved {
            self.stage.starve();
        }
        let bell = self.stage.bells.get(usize::from(self.shard));
        let timeout = timeout.into_iter().chain(starved.then_some(STARVED)).min();
        if let Some(bell) = bell {
            bell.wait(timeout);
        }
        Ok(())
    }

    fn add(&mut self, stream: &mut VoidStream, slot: u32) -> io::Result<()> {
        stream.shard = self.shard;
        self.fresh.push_back(slot);
        if stream.publishes_apart() || stream.speaks() {
            self.speakers.push_back(slot);
        }
        Ok(())
    }

    fn remove(&mut self, _: &mut VoidStream) {}

    fn ports(&self) -> &[Port] {
        &[Port::Listener]
    }

    fn accept(&mut self, _: u16) -> io::Result<(VoidStream, IpAddr)> {
        let member = self.coming.pop_front().ok_or(ErrorKind::WouldBlock)?;
        let stage = Arc::clone(&self.stage);
        let apart = member == stage.work.sessions;
        let room = if apart { 0 } else { stage.work.room_of(member) };
        let stream = VoidStream { stage, member, room, unheard: 0, shard: self.shard, step: Step::Fresh };
        Ok((stream, Ipv4Addr::LOCALHOST.into()))
    }

    fn receive(&mut self, _: u16, _: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        Err(ErrorKind::WouldBlock.into())
    }

    fn send(&mut self, _: u16, _: SocketAddr, _: &[u8]) {}

    fn push_datagrams(&mut self) -> u64 {
        0
    }

    fn close_listeners(&mut self) {}

    fn now(&self) -> Now {
        self.clock.now()
    }

    fn micros(&self) -> u64 {
        self.clock.micros()
    }
}
