//! One client of a run: its connection, and what it has heard. What it speaks is its [`Speech`]'s. Knows nothing of
//! the others.

use super::histogram::Histogram;
use super::sequence::{Heard, UnderWay};
use super::speech::Speech;
use super::stamp::Stamp;
use super::timing::Stopwatch;
use super::wire::Wire;
use model::Limits;
use std::io::{self, ErrorKind, Read, Write};

/// What all clients hear with: shared, since there is only one thread.
pub(super) struct Ear {
    pub(super) watch: Stopwatch,
    pub(super) limits: Limits,
    pub(super) joined: usize,
    pub(super) delivered: u64,
    /// By room, what has been sent and not been heard by all.
    pub(super) under_way: Vec<UnderWay>,
    /// Messages that all have heard.
    pub(super) through: u64,
    pub(super) latency: Histogram,
    /// Clients that heard somebody, and the number they heard, when that is wanted.
    pub(super) answers: Option<Vec<(u32, u64)>>,
    /// The first words of the server that were no good news.
    pub(super) complaint: Option<String>,
}

/// Who a client is to the run.
pub(super) struct Member {
    /// Its place among the clients.
    index: u32,
    /// `None`: it only publishes.
    pub(super) room: Option<u32>,
    pub(super) heard: Heard,
    has_joined: bool,
}

/// A connection.
pub(super) struct Client {
    pub(super) wire: Wire,
    pub(super) member: Member,
    speech: Box<dyn Speech>,
    is_connected: bool,
    /// What the kernel has not taken.
    backlog: Vec<u8>,
}

impl Client {
    pub(super) fn new(wire: Wire, index: u32, room: Option<u32>, speech: Box<dyn Speech>) -> Self {
        let member = Member { index, room, heard: Heard::default(), has_joined: false };
        Self { wire, member, speech, is_connected: false, backlog: Vec::new() }
    }

    /// Whether the kernel takes no more at the moment.
    pub(super) fn is_behind(&self) -> bool {
        !self.backlog.is_empty() || self.wire.is_behind()
    }

    /// The socket can be written: it is connected, or takes more.
    pub(super) fn write_more(&mut self) -> io::Result<()> {
        if !self.is_connected {
            if let Some(e) = self.wire.socket.take_error()? {
                return Err(e);
            }
            match self.wire.socket.peer_addr() {
                Ok(_) => self.is_connected = true,
                Err(e) if e.kind() == ErrorKind::NotConnected => return Ok(()),
                Err(e) => return Err(e),
            }
            let mut out = Vec::new();
            self.speech.begin(&mut out);
            return self.send(&out);
        }
        self.wire.push()?;
        let waiting = std::mem::take(&mut self.backlog);
        self.send(&waiting)
    }

    /// Sends bytes, after those that wait.
    pub(super) fn send(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while self.backlog.is_empty() && !bytes.is_empty() {
            match self.wire.write(bytes) {
                Ok(n) => bytes = bytes.get(n..).unwrap_or_default(),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                Err(e) => return Err(e),
            }
        }
        self.backlog.extend_from_slice(bytes);
        Ok(())
    }

    /// Reads what there is. `ended`: the peer sends no more, so it is read to the end.
    pub(super) fn read(&mut self, scratch: &mut [u8], ended: bool, ear: &mut Ear) -> io::Result<()> {
        loop {
            let n = match self.wire.read(scratch) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(n) => n,
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(e) => {
                    if e.kind() == ErrorKind::InvalidData {
                        ear.complaint.get_or_insert(format!("no TLS: {e}"));
                    }
                    return Err(e);
                }
            };
            let mut out = Vec::new();
            let bytes = scratch.get_mut(..n).unwrap_or_default();
            let heard = self.speech.hear(bytes, &mut self.member, ear, &mut out);
            self.send(&out)?;
            heard?;
            // Fewer bytes than asked for: that was all, and more will be reported.
            if n < scratch.len() && !ended && self.wire.tells_when_empty() {
                return Ok(());
            }
        }
    }
}

impl Ear {
    /// A message has reached a member, at `now`.
    pub(super) fn hear(&mut self, member: &mut Member, stamp: Stamp, now: u64) {
        member.heard.hear(stamp.number);
        if let Some(room) = member.room.and_then(|room| self.under_way.get_mut(room as usize)) {
            self.through += room.arrive(stamp.number);
        }
        self.delivered += 1;
        self.latency.add(now.saturating_sub(stamp.at));
        if let Some(answers) = &mut self.answers {
            answers.push((member.index, stamp.number));
        }
    }

    /// A client is where it should be.
    pub(super) fn note_joined(&mut self, member: &mut Member) {
        self.joined += usize::from(!std::mem::replace(&mut member.has_joined, true));
    }

    /// The server said something that is no good news; the first of it is kept. An error that ends the connection.
    pub(super) fn complain(&mut self, words: String, kind: ErrorKind) -> io::Error {
        self.complaint.get_or_insert(words);
        kind.into()
    }
}
