//! A simulated network under the carrier's seam: shards, unchanged, over pipes in memory and a clock that stands
//! still until it is moved.
//!
//! Everything that happens is decided by who drives it. As at the kernel's, readiness is reported when it changes,
//! and a full pipe refuses; how much a pipe takes and how small its pieces are can be chosen.

use carrier::net::{Net, Port, Ready, Stream};
use model::{Now, Time};
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, IoSlice, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Bytes a pipe takes towards a peer that does not read, unless it is told otherwise.
pub const ROOM: usize = 64 << 10;

fn lock<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Both directions of a connection.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Debug)]
struct Pipe {
    to_server: VecDeque<u8>,
    to_peer: VecDeque<u8>,
    /// Bytes `to_peer` may hold.
    room: usize,
    /// Whom a proxy announces before the first byte.
    announced: Option<IpAddr>,
    /// Bytes one read of the server gets at most.
    piece: usize,
    server_done: bool,
    peer_done: bool,
    /// The peer is gone without a word.
    reset: bool,
    /// What the server has not been told yet.
    news_to_read: bool,
    news_to_write: bool,
    /// The server was refused, and is to be told when there is room.
    refused: bool,
}

/// The server's end of a connection.
#[derive(Debug)]
pub struct SimStream(Arc<Mutex<Pipe>>);

/// A peer's end of a connection.
#[derive(Clone, Debug)]
pub struct Peer(Arc<Mutex<Pipe>>);

impl Read for SimStream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut pipe = lock(&self.0);
        if pipe.reset {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        let n = into.len().min(pipe.to_server.len()).min(pipe.piece);
        if n == 0 && !pipe.peer_done {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        for (place, byte) in into.iter_mut().zip(pipe.to_server.drain(..n)) {
            *place = byte;
        }
        // A short read tells the server that there is no more: what is left is news again.
        // The end itself is told once.
        pipe.news_to_read = n > 0 && (!pipe.to_server.is_empty() || pipe.peer_done);
        Ok(n)
    }
}

impl Write for SimStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut pipe = lock(&self.0);
        if pipe.reset || pipe.server_done {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let n = bytes.len().min(pipe.room.saturating_sub(pipe.to_peer.len()));
        pipe.refused = n < bytes.len();
        if n == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        pipe.to_peer.extend(bytes.iter().take(n));
        Ok(n)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let all: Vec<u8> = slices.iter().flat_map(|s| s.iter().copied()).collect();
        self.write(&all)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for SimStream {
    fn finish(&mut self) {
        lock(&self.0).server_done = true;
    }

    fn announced(&self) -> Option<IpAddr> {
        lock(&self.0).announced
    }
}

impl Drop for SimStream {
    fn drop(&mut self) {
        lock(&self.0).server_done = true;
    }
}

impl Peer {
    /// Says something.
    pub fn write(&self, bytes: &[u8]) {
        let mut pipe = lock(&self.0);
        pipe.to_server.extend(bytes);
        pipe.news_to_read = true;
    }

    /// Reads at most `max` bytes of what has come.
    #[must_use]
    pub fn read(&self, max: usize) -> Vec<u8> {
        let mut pipe = lock(&self.0);
        let n = max.min(pipe.to_peer.len());
        let bytes = pipe.to_peer.drain(..n).collect();
        if std::mem::take(&mut pipe.refused) {
            pipe.news_to_write = true;
        }
        bytes
    }

    /// Says nothing more.
    pub fn finish(&self) {
        let mut pipe = lock(&self.0);
        (pipe.peer_done, pipe.news_to_read) = (true, true);
    }

    /// Is gone without a word.
    pub fn vanish(&self) {
        let mut pipe = lock(&self.0);
        (pipe.reset, pipe.news_to_read) = (true, true);
    }

    /// Whether the server has ended the connection, and everything it said has been read.
    #[must_use]
    pub fn is_over(&self) -> bool {
        let pipe = lock(&self.0);
        pipe.server_done && pipe.to_peer.is_empty()
    }

    /// Says as a proxy for whom it speaks, before anything else.
    pub fn announce(&self, address: IpAddr) {
        lock(&self.0).announced = Some(address);
    }

    /// From now on the connection takes at most `bytes` that the peer has not read.
    pub fn set_room(&self, bytes: usize) {
        lock(&self.0).room = bytes;
    }

    /// From now on the server reads at most `bytes` at a time.
    pub fn set_piece(&self, bytes: usize) {
        lock(&self.0).piece = bytes.max(1);
    }
}

#[derive(Default)]
struct World {
    now: Now,
    ports: Vec<Port>,
    /// By port: connections that wait to be accepted, and datagrams that wait to be received.
    knocking: BTreeMap<u16, VecDeque<(SimStream, IpAddr)>>,
    datagrams: BTreeMap<u16, VecDeque<(SocketAddr, Vec<u8>)>>,
    /// Ports whose news has not been told.
    news: Vec<u16>,
    sent: Vec<(u16, SocketAddr, Vec<u8>)>,
}

/// What all shards of a simulation share: the clock, the ports, and what is on its way to them.
#[derive(Clone, Default)]
pub struct Sim(Arc<Mutex<World>>);

impl Sim {
    /// A world with these ports, at a moment long after the beginning.
    #[must_use]
    pub fn new(ports: Vec<Port>) -> Self {
        let now = Now { time: Time(1_000_000), wall_ms: 1_700_000_000_000 };
        Self(Arc::new(Mutex::new(World { now, ports, ..World::default() })))
    }

    /// The network as one shard sees it. Only the first shard has the ports' news.
    #[must_use]
    pub fn net(&self, shard: u16) -> SimNet {
        let ports = lock(&self.0).ports.clone();
        SimNet { world: self.clone(), first: shard == 0, ports, streams: BTreeMap::new(), calls: 0 }
    }

    /// Connects to a port, from this machine.
    #[must_use]
    pub fn connect(&self, port: u16) -> Peer {
        self.connect_from(Ipv4Addr::LOCALHOST.into(), port)
    }

    /// Connects to a port from an address.
    #[must_use]
    pub fn connect_from(&self, address: IpAddr, port: u16) -> Peer {
        let pipe = Arc::new(Mutex::new(Pipe {
            to_server: VecDeque::new(),
            to_peer: VecDeque::new(),
            room: ROOM,
            announced: None,
            piece: usize::MAX,
            server_done: false,
            peer_done: false,
            reset: false,
            news_to_read: false,
            news_to_write: false,
            refused: false,
        }));
        let mut world = lock(&self.0);
        world.knocking.entry(port).or_default().push_back((SimStream(Arc::clone(&pipe)), address));
        world.news.push(port);
        Peer(pipe)
    }

    /// Sends a datagram to a port.
    pub fn send(&self, port: u16, from: SocketAddr, datagram: &[u8]) {
        let mut world = lock(&self.0);
        world.datagrams.entry(port).or_default().push_back((from, datagram.to_vec()));
        world.news.push(port);
    }

    /// Takes the datagrams the server has sent: port, address, content.
    #[must_use]
    pub fn sent(&self) -> Vec<(u16, SocketAddr, Vec<u8>)> {
        std::mem::take(&mut lock(&self.0).sent)
    }

    /// Sets the wall clock so far ahead; no time passes.
    pub fn set_clock_ahead(&self, d: Duration) {
        lock(&self.0).now.wall_ms += u64::try_from(d.as_millis()).unwrap_or(0);
    }

    /// Lets time pass.
    pub fn pass(&self, d: Duration) {
        let mut world = lock(&self.0);
        world.now.time = world.now.time + d;
        world.now.wall_ms += u64::try_from(d.as_millis()).unwrap_or(0);
    }

    /// What the clocks say.
    #[must_use]
    pub fn now(&self) -> Now {
        lock(&self.0).now
    }
}

/// The simulated network of one shard.
pub struct SimNet {
    world: Sim,
    first: bool,
    ports: Vec<Port>,
    streams: BTreeMap<u32, Arc<Mutex<Pipe>>>,
    /// Datagrams sent since that was last asked.
    calls: u64,
}

impl SimNet {
    /// Whether there is something to report.
    #[must_use]
    pub fn has_news(&self) -> bool {
        let news = |p: &Arc<Mutex<Pipe>>| {
            let pipe = lock(p);
            pipe.news_to_read || pipe.news_to_write
        };
        self.first && !lock(&self.world.0).news.is_empty() || self.streams.values().any(news)
    }
}

impl Net for SimNet {
    type Stream = SimStream;

    fn wait(&mut self, _: Option<Duration>, ready: &mut Vec<Ready>) -> io::Result<()> {
        if self.first {
            let mut news = std::mem::take(&mut lock(&self.world.0).news);
            news.dedup();
            ready.extend(news.into_iter().map(Ready::Port));
        }
        for (&slot, pipe) in &self.streams {
            let mut pipe = lock(pipe);
            let readable = std::mem::take(&mut pipe.news_to_read);
            let writable = std::mem::take(&mut pipe.news_to_write);
            if readable || writable {
                let (ended, gone) = (pipe.peer_done || pipe.reset, pipe.reset);
                ready.push(Ready::Stream { slot, readable, writable, ended, gone });
            }
        }
        Ok(())
    }

    fn add(&mut self, stream: &mut SimStream, slot: u32) -> io::Result<()> {
        let mut pipe = lock(&stream.0);
        pipe.news_to_read = !pipe.to_server.is_empty() || pipe.peer_done || pipe.reset;
        drop(pipe);
        self.streams.insert(slot, Arc::clone(&stream.0));
        Ok(())
    }

    fn remove(&mut self, stream: &mut SimStream) {
        self.streams.retain(|_, pipe| !Arc::ptr_eq(pipe, &stream.0));
    }

    fn ports(&self) -> &[Port] {
        &self.ports
    }

    fn accept(&mut self, port: u16) -> io::Result<(SimStream, IpAddr)> {
        let next = lock(&self.world.0).knocking.get_mut(&port).and_then(VecDeque::pop_front);
        Ok(next.ok_or(io::ErrorKind::WouldBlock)?)
    }

    fn receive(&mut self, port: u16, into: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let next = lock(&self.world.0).datagrams.get_mut(&port).and_then(VecDeque::pop_front);
        let (from, bytes) = next.ok_or(io::ErrorKind::WouldBlock)?;
        let n = bytes.len().min(into.len());
        for (place, byte) in into.iter_mut().zip(bytes) {
            *place = byte;
        }
        Ok((n, from))
    }

    fn send(&mut self, port: u16, to: SocketAddr, datagram: &[u8]) {
        lock(&self.world.0).sent.push((port, to, datagram.to_vec()));
        self.calls += 1;
    }

    fn push_datagrams(&mut self) -> u64 {
        std::mem::take(&mut self.calls)
    }

    fn close_listeners(&mut self) {
        lock(&self.world.0).knocking.clear();
    }

    fn now(&self) -> Now {
        self.world.now()
    }

    fn micros(&self) -> u64 {
        self.world.now().time.0 * 1000
    }
}
