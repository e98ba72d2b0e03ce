//! One client of a run: its handshake, its subscription, and what it hears. Knows nothing of the others.

use super::histogram::Histogram;
use super::sequence::{Heard, UnderWay};
use super::stamp::{self, Stamp};
use super::timing::Stopwatch;
use super::wire::Wire;
use carrier::websocket::{self, Decoder, Item, Opcode, Role};
use model::Limits;
use std::io::{self, ErrorKind, Read, Write};

/// The key of all masks. Nobody between us could be misled by one that is known.
const KEY: [u8; 4] = [0x5a, 0xc3, 0x96, 0x0f];
/// Where the head of a response ends.
const HEAD_END: &[u8] = b"\r\n\r\n";

/// How far a client is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Connecting,
    /// Has asked for a WebSocket.
    Asking,
    /// Has asked for its room.
    Subscribing,
    /// Is where it should be.
    Joined,
}

/// What all clients hear with: shared, since there is only one thread.
pub(super) struct Ear {
    pub(super) watch: Stopwatch,
    /// Which run this is, in the names of rooms.
    pub(super) run: u32,
    /// What every message of a room begins with.
    pub(super) prefixes: Vec<Vec<u8>>,
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

/// A connection.
pub(super) struct Client {
    pub(super) wire: Wire,
    /// Its place among the clients.
    index: u32,
    /// `None`: it only publishes.
    pub(super) room: Option<u32>,
    pub(super) heard: Heard,
    state: State,
    decoder: Decoder,
    /// A head that is not all there.
    head: Vec<u8>,
    /// What the kernel has not taken.
    backlog: Vec<u8>,
}

impl Client {
    pub(super) fn new(wire: Wire, index: u32, room: Option<u32>) -> Self {
        let (heard, decoder) = (Heard::default(), Decoder::new(Role::Client));
        let (head, backlog) = (Vec::new(), Vec::new());
        Self { wire, index, room, heard, state: State::Connecting, decoder, head, backlog }
    }

    /// Whether the kernel takes no more at the moment.
    pub(super) fn is_behind(&self) -> bool {
        !self.backlog.is_empty() || self.wire.is_behind()
    }

    /// The socket can be written: it is connected, or takes more.
    pub(super) fn write_more(&mut self, request: &[u8]) -> io::Result<()> {
        if self.state == State::Connecting {
            if let Some(e) = self.wire.socket.take_error()? {
                return Err(e);
            }
            match self.wire.socket.peer_addr() {
                Ok(_) => self.state = State::Asking,
                Err(e) if e.kind() == ErrorKind::NotConnected => return Ok(()),
                Err(e) => return Err(e),
            }
            return self.send(request);
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
            let bytes = scratch.get_mut(..n).unwrap_or_default();
            if self.state == State::Asking {
                self.read_head(bytes, ear)?;
            } else {
                self.feed(bytes, ear)?;
            }
            // Fewer bytes than asked for: that was all, and more will be reported.
            if n < scratch.len() && !ended && self.wire.tells_when_empty() {
                return Ok(());
            }
        }
    }

    fn read_head(&mut self, bytes: &[u8], ear: &mut Ear) -> io::Result<()> {
        self.head.extend_from_slice(bytes);
        let Some(end) = self.head.windows(HEAD_END.len()).position(|w| w == HEAD_END) else { return Ok(()) };
        let mut head = std::mem::take(&mut self.head);
        let mut rest = head.split_off(end + HEAD_END.len());
        if !head.starts_with(b"HTTP/1.1 101") {
            let line = String::from_utf8_lossy(&head);
            let words =
                format!("{} {}", line.lines().next().unwrap_or_default(), String::from_utf8_lossy(&rest));
            ear.complaint.get_or_insert(words);
            return Err(ErrorKind::ConnectionRefused.into());
        }
        match self.room {
            Some(room) => {
                self.state = State::Subscribing;
                let mut frame = Vec::new();
                mask(&mut frame, &stamp::subscribe(ear.run, room));
                self.send(&frame)?;
            }
            None => {
                self.state = State::Joined;
                ear.joined += 1;
            }
        }
        self.feed(&mut rest, ear)
    }

    fn feed(&mut self, bytes: &mut [u8], ear: &mut Ear) -> io::Result<()> {
        let now = ear.watch.nanos();
        let mut at = 0;
        loop {
            let item = match self.decoder.next(bytes, &mut at, &ear.limits) {
                Ok(Some(item)) => item,
                Ok(None) => return Ok(()),
                Err(fault) => {
                    ear.complaint
                        .get_or_insert(format!("the server broke the WebSocket protocol: {}", fault.detail));
                    return Err(ErrorKind::InvalidData.into());
                }
            };
            match item {
                Item::Text(text) => {
                    let prefix = self.room.and_then(|room| ear.prefixes.get(room as usize));
                    match prefix.and_then(|prefix| stamp::read(text.as_bytes(), prefix)) {
                        Some(stamp) => ear.hear(&mut self.heard, (self.index, self.room), stamp, now),
                        None => ear.hear_words(&mut self.state, text),
                    }
                }
                Item::Ping(payload) => {
                    let mut pong = Vec::new();
                    websocket::masked(&mut pong, Opcode::Pong, payload, KEY);
                    self.send(&pong)?;
                }
                Item::Close(said) => {
                    let (code, reason) = said.unwrap_or((1005, ""));
                    ear.complaint.get_or_insert(format!("closed with {code} {reason}"));
                    return Err(ErrorKind::ConnectionReset.into());
                }
                Item::Binary(_) | Item::Deflated(..) | Item::Pong(_) => {}
            }
        }
    }
}

impl Ear {
    fn hear(&mut self, heard: &mut Heard, (client, room): (u32, Option<u32>), stamp: Stamp, now: u64) {
        heard.hear(stamp.number);
        if let Some(room) = room.and_then(|room| self.under_way.get_mut(room as usize)) {
            self.through += room.arrive(stamp.number);
        }
        self.delivered += 1;
        self.latency.add(now.saturating_sub(stamp.at));
        if let Some(answers) = &mut self.answers {
            answers.push((client, stamp.number));
        }
    }

    /// The server speaks for itself: a greeting, an acknowledgement, or bad news.
    fn hear_words(&mut self, state: &mut State, text: &str) {
        if text.starts_with("{\"msg\":\"Subscribed to ") {
            if *state == State::Subscribing {
                *state = State::Joined;
                self.joined += 1;
            }
        } else if text.starts_with("{\"msg\":\"Refused") || text.starts_with("{\"msg\":\"Missed") {
            self.complaint.get_or_insert_with(|| text.to_owned());
        }
    }
}

/// Appends a text as a client's frame.
pub(super) fn mask(out: &mut Vec<u8>, text: &[u8]) {
    websocket::masked(out, Opcode::Text, text, KEY);
}
