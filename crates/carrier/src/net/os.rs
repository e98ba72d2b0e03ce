//! The kernel's network, over mio.

use super::{Net, Port, Ready, Stream};
use mio::net::{TcpListener, TcpStream, UdpSocket};
use mio::{Events, Interest, Poll, Token, Waker};
use model::Now;
use node::Clock;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::time::Duration;

/// Events taken from the kernel in one turn.
const EVENTS: usize = 256;

/// Tokens from here on are ports; the last one is the waker.
const PORTS: usize = usize::MAX - u16::MAX as usize;
const WAKER: Token = Token(usize::MAX);

/// Connections that may wait to be accepted.
const LISTEN_QUEUE: i32 = 4096;

enum Bound {
    Listener(TcpListener),
    Datagrams(UdpSocket),
    Closed,
}

/// The kernel's sockets, one epoll (or what the system has in its place) per shard.
pub struct Os {
    poll: Poll,
    events: Events,
    clock: Clock,
    sockets: Vec<Bound>,
    ports: Vec<Port>,
}

/// Binds a listener on `address`, non-blocking, without delay for small writes.
///
/// # Errors
/// Those of the system: the port is taken, or not allowed.
pub fn listen(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // A restart must not wait for the old connections' last states to time out.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    // Linux hands this on to accepted connections, which saves a call for each.
    socket.set_tcp_nodelay(true)?;
    socket.bind(&address.into())?;
    socket.listen(LISTEN_QUEUE)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

impl Os {
    /// A network with nothing in it but a waker: the second part of the pair, for the shard's inbox.
    ///
    /// # Errors
    /// Those of the system.
    pub fn new(clock: Clock) -> io::Result<(Self, Waker)> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKER)?;
        let events = Events::with_capacity(EVENTS);
        Ok((Self { poll, events, clock, sockets: Vec::new(), ports: Vec::new() }, waker))
    }

    /// Adds a listener; its number is the count of ports before it.
    ///
    /// # Errors
    /// Those of the system.
    pub fn add_listener(&mut self, listener: std::net::TcpListener) -> io::Result<()> {
        let mut listener = TcpListener::from_std(listener);
        self.poll.registry().register(&mut listener, self.port_token(), Interest::READABLE)?;
        self.sockets.push(Bound::Listener(listener));
        self.ports.push(Port::Listener);
        Ok(())
    }

    /// Adds a datagram socket; its number is the count of ports before it.
    ///
    /// # Errors
    /// Those of the system.
    pub fn add_datagrams(&mut self, socket: std::net::UdpSocket) -> io::Result<()> {
        socket.set_nonblocking(true)?;
        let mut socket = UdpSocket::from_std(socket);
        self.poll.registry().register(&mut socket, self.port_token(), Interest::READABLE)?;
        self.sockets.push(Bound::Datagrams(socket));
        self.ports.push(Port::Datagrams);
        Ok(())
    }

    fn port_token(&self) -> Token {
        Token(PORTS + self.sockets.len())
    }
}

impl Stream for TcpStream {
    fn finish(&mut self) {
        // The peer may have gone already; then there is nobody to tell.
        drop(self.shutdown(Shutdown::Write));
    }
}

fn gone() -> io::Error {
    io::ErrorKind::WouldBlock.into()
}

impl Net for Os {
    type Stream = TcpStream;

    fn wait(&mut self, timeout: Option<Duration>, ready: &mut Vec<Ready>) -> io::Result<()> {
        match self.poll.poll(&mut self.events, timeout) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => return Ok(()),
            other => other?,
        }
        for e in &self.events {
            let token = e.token();
            if token == WAKER {
                continue;
            }
            if token.0 >= PORTS {
                ready.push(Ready::Port(u16::try_from(token.0 - PORTS).unwrap_or(u16::MAX)));
                continue;
            }
            let ended = e.is_read_closed() || e.is_error();
            let slot = u32::try_from(token.0).unwrap_or(u32::MAX);
            let readable = e.is_readable() || ended;
            ready.push(Ready::Stream { slot, readable, writable: e.is_writable(), ended });
        }
        Ok(())
    }

    fn add(&mut self, stream: &mut TcpStream, slot: u32) -> io::Result<()> {
        // Both at once and for good: edge-triggered, so that being writable costs nothing until a write was refused.
        let both = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(stream, Token(slot as usize), both)
    }

    fn remove(&mut self, stream: &mut TcpStream) {
        // A stream that was never added has nothing to be removed.
        drop(self.poll.registry().deregister(stream));
    }

    fn ports(&self) -> &[Port] {
        &self.ports
    }

    fn accept(&mut self, port: u16) -> io::Result<(TcpStream, IpAddr)> {
        match self.sockets.get(usize::from(port)) {
            Some(Bound::Listener(l)) => l.accept().map(|(stream, peer)| {
                #[cfg(not(target_os = "linux"))]
                drop(stream.set_nodelay(true));
                (stream, peer.ip())
            }),
            Some(Bound::Datagrams(_) | Bound::Closed) | None => Err(gone()),
        }
    }

    fn receive(&mut self, port: u16, into: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        match self.sockets.get(usize::from(port)) {
            Some(Bound::Datagrams(s)) => s.recv_from(into),
            Some(Bound::Listener(_) | Bound::Closed) | None => Err(gone()),
        }
    }

    fn send(&mut self, port: u16, to: SocketAddr, datagram: &[u8]) {
        if let Some(Bound::Datagrams(s)) = self.sockets.get(usize::from(port)) {
            // A full socket buffer loses datagrams as any router on the way may.
            drop(s.send_to(datagram, to));
        }
    }

    fn close_listeners(&mut self) {
        for s in &mut self.sockets {
            if let Bound::Listener(l) = s {
                drop(self.poll.registry().deregister(l));
                *s = Bound::Closed;
            }
        }
    }

    fn now(&self) -> Now {
        self.clock.now()
    }
}
