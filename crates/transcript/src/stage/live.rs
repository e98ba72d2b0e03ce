//! On loopback: a server on real sockets, started in this process, or one that runs already.
//!
//! Nothing sleeps. What a peer should hear is waited for with a deadline; that nothing (more) comes is known by
//! asking each shard something else: a shard that has answered twice has done what came before.

use super::{Closed, Stage};
use crate::play::Tongue;
use dialect::Road;
use server::config::{Config, Listener, Speaks};
use server::{Running, Settings};
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

/// How long something expected may take.
const DEADLINE: Duration = Duration::from_secs(10);
/// Shards of a server of our own: more than one, so that they must talk to each other.
const SHARDS: u16 = 2;
/// Questions to each shard before it counts as idle. A command may take a turn on the peer's shard, one on that of
/// a member, and one more when its answer leads to another command.
const ROUNDS: usize = 4;

const QUESTION: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
const ANSWER: &[u8] = b"{\"status\":\"ok\"}";

/// A server on sockets.
pub struct Live {
    address: SocketAddr,
    running: Option<Running>,
    /// Where devices are served, over TCP and over UDP.
    devices: [Option<SocketAddr>; 2],
    wires: Vec<Option<Wire>>,
    /// Connections of our own, one to each shard.
    probes: Vec<TcpStream>,
}

/// How a peer is connected.
enum Wire {
    Stream(TcpStream),
    Datagrams(UdpSocket),
}

impl Live {
    /// Starts a server.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(mut config: Config) -> io::Result<Self> {
        let own = ["127.0.0.1:0", "udp:127.0.0.1:0"]
            .map(|a| Listener { speaks: Speaks::Watchtower, ..Listener::at(a.to_owned()) });
        let has_devices = config.dialect.watchtower.enabled != Some(false);
        let http = Listener::at("127.0.0.1:0".to_owned());
        config.listener = std::iter::once(http).chain(own.into_iter().filter(|_| has_devices)).collect();
        config.shards = Some(SHARDS);
        let settings = Settings::resolve(&config).map_err(io::Error::other)?;
        let running = server::start(settings).map_err(io::Error::other)?;
        let address = running.address().ok_or(io::ErrorKind::AddrNotAvailable)?;
        Self::at(address, Some(running))
    }

    /// Performs on a server that runs already.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub fn join(address: SocketAddr) -> io::Result<Self> {
        Self::at(address, None)
    }

    fn at(address: SocketAddr, running: Option<Running>) -> io::Result<Self> {
        let device = |road| running.as_ref().and_then(|r: &Running| r.own_address(road));
        let devices = [Road::Tcp, Road::Udp].map(device);
        let mut live = Self { address, running, devices, wires: Vec::new(), probes: Vec::new() };
        // Connections go to the shard with the fewest, so that the first ones go to one each.
        for _ in 0..SHARDS {
            let mut probe = open(live.address)?;
            ask(&mut probe)?;
            live.probes.push(probe);
        }
        Ok(live)
    }

    fn wire(&mut self, wire: usize) -> Option<&mut Wire> {
        self.wires.get_mut(wire)?.as_mut()
    }
}

fn open(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, DEADLINE)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.set_write_timeout(Some(DEADLINE))?;
    Ok(stream)
}

fn open_udp(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.connect(address)?;
    socket.set_read_timeout(Some(DEADLINE))?;
    Ok(socket)
}

/// Reads until there is no more for now. `true`: until the end.
fn read_all(stream: &mut TcpStream, into: &mut Vec<u8>) -> bool {
    let mut buffer = [0; 16 << 10];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return true,
            Ok(n) => into.extend_from_slice(buffer.get(..n).unwrap_or_default()),
            Err(e) => return e.kind() != io::ErrorKind::WouldBlock,
        }
    }
}

/// Asks a shard whether it is well, and waits until it says so.
fn ask(probe: &mut TcpStream) -> io::Result<()> {
    probe.write_all(QUESTION)?;
    let mut answer = Vec::new();
    let mut buffer = [0; 1024];
    while !answer.ends_with(ANSWER) {
        match probe.read(&mut buffer)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => answer.extend_from_slice(buffer.get(..n).unwrap_or_default()),
        }
    }
    Ok(())
}

impl Stage for Live {
    fn name(&self) -> String {
        format!("live, {}", self.address)
    }

    fn connect(&mut self, tongue: Tongue) -> io::Result<usize> {
        let [device, device_udp] = self.devices;
        let none = io::ErrorKind::AddrNotAvailable;
        self.wires.push(Some(match tongue {
            Tongue::Rooms | Tongue::Http => Wire::Stream(open(self.address)?),
            Tongue::Device => Wire::Stream(open(device.ok_or(none)?)?),
            Tongue::DeviceUdp => Wire::Datagrams(open_udp(device_udp.ok_or(none)?)?),
        }));
        Ok(self.wires.len() - 1)
    }

    fn write(&mut self, wire: usize, bytes: &[u8]) {
        // A connection that broke is found out by reading it.
        match self.wire(wire) {
            Some(Wire::Stream(stream)) => drop(stream.write_all(bytes)),
            Some(Wire::Datagrams(socket)) if !bytes.is_empty() => drop(socket.send(bytes)),
            Some(Wire::Datagrams(_)) | None => {}
        }
    }

    fn read(&mut self, wire: usize, into: &mut Vec<u8>) -> bool {
        match self.wire(wire) {
            Some(Wire::Stream(stream)) => {
                stream.set_nonblocking(true).ok();
                let over = read_all(stream, into);
                stream.set_nonblocking(false).ok();
                over
            }
            Some(Wire::Datagrams(socket)) => {
                let mut buffer = [0; 64 << 10];
                socket.set_nonblocking(true).ok();
                while let Ok(n) = socket.recv(&mut buffer) {
                    into.extend_from_slice(buffer.get(..n).unwrap_or_default());
                }
                socket.set_nonblocking(false).ok();
                false
            }
            None => true,
        }
    }

    fn wait(&mut self, wire: usize) -> bool {
        let came = match self.wire(wire) {
            Some(Wire::Stream(stream)) => stream.peek(&mut [0]),
            Some(Wire::Datagrams(socket)) => socket.peek(&mut [0]),
            None => return false,
        };
        // Bytes, the end, or an error other than the deadline's: reading will tell.
        !came.is_err_and(|e| matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut))
    }

    fn finish(&mut self, wire: usize) {
        if let Some(Wire::Stream(stream)) = self.wire(wire) {
            stream.shutdown(Shutdown::Write).ok();
        }
    }

    fn vanish(&mut self, wire: usize) {
        if let Some(place) = self.wires.get_mut(wire) {
            *place = None;
        }
    }

    fn settle(&mut self) {
        for _ in 0..ROUNDS {
            // A server that answers no more is found out by what the play expects of it.
            self.probes.iter_mut().for_each(|probe| drop(ask(probe)));
        }
    }

    fn hold(&mut self, _: usize, _: bool) {}

    fn pass(&mut self, _: Duration) {}

    fn drain(&mut self) {}

    fn closed(&self) -> Option<Closed> {
        self.running.as_ref().map(|r| r.exchange().totals.read().closed)
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        // A server lingers for peers that do not hang up.
        self.wires.clear();
        self.probes.clear();
        if let Some(running) = self.running.take() {
            running.exchange().drain();
            // A shard that panicked has failed the play already.
            running.wait().ok();
        }
    }
}
