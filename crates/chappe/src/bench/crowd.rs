//! All clients of a run, on one thread and one poll.

use super::client::{Client, Ear};
use super::histogram::Histogram;
use super::progress::Progress;
use super::sealing::Sealing;
use super::sequence::UnderWay;
use super::speech::School;
use super::target::Target;
use super::timing::Stopwatch;
use super::wire::Wire;
use crate::cli::Tongue;
use crate::terminal::harmless;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use model::Limits;
use std::io;
use std::time::Duration;

/// The buffer that every socket is read into.
const SCRATCH: usize = 64 << 10;
/// Connections that may be under way at once.
const UNDER_WAY: usize = 128;
/// Nanoseconds without an answer after which joining is given up.
const PATIENCE: u64 = 10_000_000_000;
/// Connections closed by the server or by the system.
const CLOSED: &str = "connections were closed";

/// The clients.
pub(super) struct Crowd {
    poll: Poll,
    events: Events,
    pub(super) clients: Vec<Client>,
    /// Whether the connection of that place is gone.
    gone: Vec<bool>,
    pub(super) closed: u64,
    pub(super) ear: Ear,
    scratch: Vec<u8>,
    target: Target,
    pub(super) school: School,
    /// Nanoseconds spent looking for events that were not there, because waiting would have been too long.
    pub(super) spun: u64,
}

impl Crowd {
    /// `tongue`: what members speak.
    pub(super) fn new(target: Target, tongue: Tongue, rooms: u32) -> Result<Self, String> {
        let poll = Poll::new().map_err(|e| format!("the system refuses: {e}"))?;
        Ok(Self {
            poll,
            events: Events::with_capacity(1024),
            clients: Vec::new(),
            gone: Vec::new(),
            closed: 0,
            ear: Ear {
                watch: Stopwatch::start(),
                limits: Limits::default(),
                joined: 0,
                delivered: 0,
                under_way: vec![UnderWay::default(); rooms as usize],
                through: 0,
                latency: Histogram::new(),
                answers: None,
                complaint: None,
            },
            scratch: vec![0; SCRATCH],
            school: School::new(tongue, &target, rooms),
            target,
            spun: 0,
        })
    }

    pub(super) fn now(&self) -> u64 {
        self.ear.watch.nanos()
    }

    /// Brings these clients in, each with its room; those without one only publish. Returns when the server has
    /// acknowledged every one.
    pub(super) fn join(
        &mut self,
        mut rooms: impl ExactSizeIterator<Item = Option<u32>>,
    ) -> Result<(), String> {
        let all = self.clients.len() + rooms.len();
        let mut progress = Progress::new();
        let (mut joined, mut since) = (self.ear.joined, self.now());
        while self.ear.joined < all {
            while self.clients.len() - self.ear.joined < UNDER_WAY
                && let Some(room) = rooms.next()
            {
                self.connect(room).map_err(|e| self.unreachable(&e))?;
            }
            self.turn(Some(Duration::from_millis(100)))?;
            if self.closed > 0 {
                let reset = io::ErrorKind::ConnectionReset.into();
                return Err(self.unreachable(&reset));
            }
            let now = self.now();
            progress.show(now, "joining", self.ear.joined as u64, all as u64);
            if self.ear.joined > joined {
                (joined, since) = (self.ear.joined, now);
            } else if now - since > PATIENCE {
                return Err(format!(
                    "only {joined} of {all} were let in, then nothing came for {} s; are `acks` of [rooms] switched \
                     off, or does the server allow fewer connections?",
                    PATIENCE / 1_000_000_000
                ));
            }
        }
        Ok(())
    }

    fn unreachable(&self, e: &io::Error) -> String {
        let address = self.target.address;
        let joined = self.ear.joined;
        match (&self.ear.complaint, e.kind()) {
            (Some(complaint), _) => format!("{address} says: {}", harmless(complaint.trim_end())),
            (None, _) if joined == 0 => {
                format!("nobody answers at {address}: start `chappe serve`, or say where it is with --url")
            }
            (None, io::ErrorKind::ConnectionReset) => {
                format!("{CLOSED} by {address} after {joined} had joined")
            }
            (None, _) => {
                format!("no connection after {joined} had joined: {e}; is the descriptor limit too low?")
            }
        }
    }

    fn connect(&mut self, room: Option<u32>) -> io::Result<()> {
        let speaks_http = room.is_none() || self.target.device.is_none();
        let address = self.target.device.filter(|_| !speaks_http).unwrap_or(self.target.address);
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        let place = self.clients.len();
        let both = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut stream, Token(place), both)?;
        let sealing = self.target.sealing.as_ref().filter(|_| speaks_http);
        let tls = sealing.map(Sealing::connection).transpose();
        let wire = Wire::new(stream, tls.map_err(io::Error::other)?);
        let speech = self.school.speech(room);
        self.clients.push(Client::new(wire, u32::try_from(place).unwrap_or(u32::MAX), room, speech));
        self.gone.push(false);
        Ok(())
    }

    /// Waits for events, no longer than `timeout`, and lets the clients concerned read and write.
    pub(super) fn turn(&mut self, timeout: Option<Duration>) -> Result<(), String> {
        let began = self.ear.watch.nanos();
        match self.poll.poll(&mut self.events, timeout) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => return Ok(()),
            other => other.map_err(|e| format!("the system refuses to wait: {e}"))?,
        }
        if self.events.is_empty() && timeout == Some(Duration::ZERO) {
            self.spun += self.ear.watch.nanos() - began;
        }
        for event in &self.events {
            let place = event.token().0;
            let Some(client) = self.clients.get_mut(place) else { continue };
            let ended = event.is_read_closed() || event.is_error();
            let mut outcome = Ok(());
            if event.is_writable() {
                outcome = client.write_more();
            }
            if outcome.is_ok() && (event.is_readable() || ended) {
                outcome = client.read(&mut self.scratch, ended, &mut self.ear);
            }
            if outcome.is_err() && !std::mem::replace(&mut self.gone[place], true) {
                self.closed += 1;
                // What is gone already cannot be watched any more.
                drop(self.poll.registry().deregister(&mut client.wire.socket));
            }
        }
        Ok(())
    }

    /// Sends bytes from the client of that place; whether it is still there.
    pub(super) fn send(&mut self, place: usize, bytes: &[u8]) -> bool {
        let sent = self.clients.get_mut(place).is_some_and(|c| c.send(bytes).is_ok());
        sent && !self.gone.get(place).is_some_and(|gone| *gone)
    }

    /// Whether the client of that place has something that the kernel does not take.
    pub(super) fn is_behind(&self, place: usize) -> bool {
        self.clients.get(place).is_some_and(Client::is_behind)
    }
}
