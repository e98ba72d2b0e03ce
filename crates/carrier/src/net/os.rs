//! The kernel's network, over mio.

use super::departures::Departures;
use super::socket::{Bare, Socket, Wrapped};
use super::tls::Tls;
use super::{Identities, Net, Port, Ready};
use mio::net::{TcpListener, UdpSocket, UnixListener};
use mio::{Events, Interest, Poll, Token, Waker};
use model::Network;
use model::Now;
use node::Clock;
use socket2::{Domain, Protocol, SockRef, TcpKeepalive, Type};
use std::fs::Permissions;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixListener as StdUnixListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Events taken from the kernel in one turn.
const EVENTS: usize = 256;

/// Tokens from here on are ports; the last one is the waker.
const PORTS: usize = usize::MAX - u16::MAX as usize;
const WAKER: Token = Token(usize::MAX);

/// Connections that may wait to be accepted.
const LISTEN_QUEUE: i32 = 4096;

/// Bytes that a connection's kernel buffer takes beyond what is on its way to the peer. What a slow reader leaves is
/// better kept by its outbox, which has a bound and rules for what is to be dropped: the kernel would take megabytes
/// first, and the other readers would wait while they are copied.
#[cfg(target_os = "linux")]
const UNSENT: u32 = 128 << 10;

/// After how long without a packet the system asks whether a peer is there, and how often it asks again.
const SILENT: Duration = Duration::from_secs(120);
const ASK_AGAIN: Duration = Duration::from_secs(20);

/// Bytes of datagrams the kernel keeps while a shard does something else.
const DATAGRAMS: usize = 1 << 20;

/// A socket that accepts connections, or exchanges datagrams.
pub enum Listening {
    /// Over TCP.
    Tcp(std::net::TcpListener),
    /// At a path of this machine.
    Unix(StdUnixListener),
    /// Over UDP.
    Udp(std::net::UdpSocket),
}

/// What stands between the kernel and what is said on the connections of a port.
#[derive(Clone, Default)]
pub struct Wrapping {
    /// Each connection begins with a PROXY protocol header, which is believed from these.
    pub proxies: Option<Arc<Vec<Network>>>,
    /// They speak TLS.
    pub tls: Option<Arc<rustls::ServerConfig>>,
}

impl Wrapping {
    /// TLS with these certificates.
    ///
    /// # Errors
    /// When the provider of the cryptography refuses.
    pub fn with_tls(mut self, identities: Arc<Identities>) -> io::Result<Self> {
        self.tls = Some(identities.rules()?);
        Ok(self)
    }

    fn wrap(&self, bare: Bare, peer: IpAddr) -> io::Result<Socket> {
        if self.proxies.is_none() && self.tls.is_none() {
            return Ok(Socket::Bare(bare));
        }
        let tls = self.tls.as_ref().map(Tls::new).transpose()?;
        Ok(Socket::Wrapped(Box::new(Wrapped::new(bare, peer, self.proxies.as_ref(), tls))))
    }
}

enum Bound {
    Tcp(TcpListener, Wrapping),
    Unix(UnixListener, Wrapping),
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
    departures: Departures,
}

/// Binds a listener on `address`, non-blocking.
///
/// # Errors
/// Those of the system: the port is taken, or not allowed.
pub fn listen(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = socket2::Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // A restart must not wait for the old connections' last states to time out.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(LISTEN_QUEUE)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Lets the system ask, on connections that say nothing, whether the peer is still there: for protocols in which it may
/// be silent for ever. Linux hands it on to those it accepts.
///
/// # Errors
/// Those of the system.
pub fn find_the_gone(listener: &std::net::TcpListener) -> io::Result<()> {
    let asking = TcpKeepalive::new().with_time(SILENT).with_interval(ASK_AGAIN);
    SockRef::from(listener).set_tcp_keepalive(&asking)
}

/// Binds a socket for datagrams on `address`, non-blocking.
///
/// # Errors
/// Those of the system: the port is taken, or not allowed.
pub fn listen_udp(address: SocketAddr) -> io::Result<std::net::UdpSocket> {
    let socket = socket2::Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // As much as the system allows; it says nothing when that is less.
    socket.set_recv_buffer_size(DATAGRAMS)?;
    socket.set_send_buffer_size(DATAGRAMS)?;
    socket.bind(&address.into())?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Makes a unix socket at a path. A socket that nobody listens at any more, as a crash leaves it, is replaced.
/// `mode`: its permissions, when they are not to be as the umask says.
///
/// # Errors
/// Those of the system: somebody listens there, or something else is in its place.
pub fn listen_unix(path: &Path, mode: Option<u32>) -> io::Result<StdUnixListener> {
    let listener = match StdUnixListener::bind(path) {
        Err(e) if e.kind() == io::ErrorKind::AddrInUse => {
            // Whatever else has that name is somebody's, and stays.
            if !std::fs::symlink_metadata(path)?.file_type().is_socket() {
                return Err(taken(
                    "something that is no socket is in its place; remove it, or choose another path",
                ));
            }
            if !is_deserted(path) {
                return Err(taken("another program listens there; stop it, or choose another path"));
            }
            std::fs::remove_file(path)?;
            StdUnixListener::bind(path)?
        }
        other => other?,
    };
    if let Some(mode) = mode {
        std::fs::set_permissions(path, Permissions::from_mode(mode))?;
    }
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn taken(words: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::AddrInUse, words)
}

fn is_deserted(path: &Path) -> bool {
    let refused = |e: io::Error| e.kind() == io::ErrorKind::ConnectionRefused;
    std::os::unix::net::UnixStream::connect(path).is_err_and(refused)
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
        let (sockets, ports, departures) = (Vec::new(), Vec::new(), Departures::default());
        Ok((Self { poll, events, clock, sockets, ports, departures }, waker))
    }

    /// Adds a listener, or a socket for datagrams; its number is the count of ports before it.
    ///
    /// # Errors
    /// Those of the system.
    pub fn add_listener(&mut self, listening: Listening, wrapping: Wrapping) -> io::Result<()> {
        let token = self.port_token();
        let registry = self.poll.registry();
        let bound = match listening {
            Listening::Tcp(l) => {
                tune(&l)?;
                let mut l = TcpListener::from_std(l);
                registry.register(&mut l, token, Interest::READABLE)?;
                Bound::Tcp(l, wrapping)
            }
            Listening::Unix(l) => {
                let mut l = UnixListener::from_std(l);
                registry.register(&mut l, token, Interest::READABLE)?;
                Bound::Unix(l, wrapping)
            }
            Listening::Udp(s) => {
                let mut s = UdpSocket::from_std(s);
                registry.register(&mut s, token, Interest::READABLE)?;
                Bound::Datagrams(s)
            }
        };
        self.ports.push(match bound {
            Bound::Datagrams(_) => Port::Datagrams,
            Bound::Tcp(..) | Bound::Unix(..) | Bound::Closed => Port::Listener,
        });
        self.sockets.push(bound);
        Ok(())
    }

    fn port_token(&self) -> Token {
        Token(PORTS + self.sockets.len())
    }
}

impl Os {
    fn depart(&mut self) {
        self.departures.depart(|port| match self.sockets.get(usize::from(port)) {
            Some(Bound::Datagrams(s)) => Some(s),
            Some(Bound::Tcp(..) | Bound::Unix(..) | Bound::Closed) | None => None,
        });
    }
}

/// How a listener's connections are to write. Linux hands it on to those it accepts, which saves calls for each.
fn tune(listener: &std::net::TcpListener) -> io::Result<()> {
    let socket = SockRef::from(listener);
    #[cfg(target_os = "linux")]
    socket.set_tcp_notsent_lowat(UNSENT)?;
    socket.set_tcp_nodelay(true)
}

fn gone() -> io::Error {
    io::ErrorKind::WouldBlock.into()
}

impl Net for Os {
    type Stream = Socket;

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
            // A peer that has closed its half only is none of this: that is reported as closed to reading alone.
            let gone = e.is_error() || e.is_write_closed();
            ready.push(Ready::Stream { slot, readable, writable: e.is_writable(), ended, gone });
        }
        Ok(())
    }

    fn add(&mut self, stream: &mut Socket, slot: u32) -> io::Result<()> {
        // Both at once and for good: edge-triggered, so that being writable costs nothing until a write was refused.
        let both = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(stream.source(), Token(slot as usize), both)
    }

    fn remove(&mut self, stream: &mut Socket) {
        // A stream that was never added has nothing to be removed.
        drop(self.poll.registry().deregister(stream.source()));
    }

    fn ports(&self) -> &[Port] {
        &self.ports
    }

    fn accept(&mut self, port: u16) -> io::Result<(Socket, IpAddr)> {
        match self.sockets.get(usize::from(port)) {
            Some(Bound::Tcp(l, wrapping)) => {
                let (stream, peer) = l.accept()?;
                #[cfg(not(target_os = "linux"))]
                drop(stream.set_nodelay(true));
                Ok((wrapping.wrap(Bare::Tcp(stream), peer.ip())?, peer.ip()))
            }
            Some(Bound::Unix(l, wrapping)) => {
                let (stream, _) = l.accept()?;
                // Whoever may open the path is on this machine.
                let peer = Ipv4Addr::LOCALHOST.into();
                Ok((wrapping.wrap(Bare::Unix(stream), peer)?, peer))
            }
            Some(Bound::Datagrams(_) | Bound::Closed) | None => Err(gone()),
        }
    }

    fn receive(&mut self, port: u16, into: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        match self.sockets.get(usize::from(port)) {
            Some(Bound::Datagrams(s)) => s.recv_from(into),
            Some(Bound::Tcp(..) | Bound::Unix(..) | Bound::Closed) | None => Err(gone()),
        }
    }

    fn send(&mut self, port: u16, to: SocketAddr, datagram: &[u8]) {
        if self.departures.is_full(datagram.len()) {
            self.depart();
        }
        self.departures.add(port, to, datagram);
    }

    fn push_datagrams(&mut self) -> u64 {
        self.depart();
        self.departures.take_calls()
    }

    fn close_listeners(&mut self) {
        for s in &mut self.sockets {
            // One that was registered can be deregistered; and it is closed all the same.
            drop(match s {
                Bound::Tcp(l, _) => self.poll.registry().deregister(l),
                Bound::Unix(l, _) => self.poll.registry().deregister(l),
                Bound::Datagrams(_) | Bound::Closed => continue,
            });
            *s = Bound::Closed;
        }
    }

    fn now(&self) -> Now {
        self.clock.now()
    }

    fn micros(&self) -> u64 {
        self.clock.micros()
    }
}
