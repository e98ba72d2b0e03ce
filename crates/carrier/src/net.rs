//! The network as a shard sees it: the seam under which the simulation takes the kernel's place.
//!
//! Edge-triggered: after a stream was reported readable it is read until it has less than was asked for.

pub mod os;
mod departures;
mod socket;
mod tls;

pub use socket::{Bare, Socket};
pub use tls::{Identities, TlsError, chain};

use model::Now;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// What has become possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ready {
    /// A stream can be read, written, or both. `slot` is the number it was added with.
    Stream {
        /// The number it was added with.
        slot: u32,
        /// Bytes, or the end, can be read.
        readable: bool,
        /// Bytes can be written again.
        writable: bool,
        /// The peer sends no more: what is there is to be read to its end, for nothing further is reported.
        ended: bool,
        /// The peer hears nothing any more either.
        gone: bool,
    },
    /// A listener has connections, or a datagram socket datagrams.
    Port(u16),
}

/// A connection's two directions. A read gets fewer bytes than it asked for only when there are no more for the moment,
/// or when the stream says that it has more; a write takes fewer than it was given only when it will be reported that more are taken.
pub trait Stream: Read + Write + Send {
    /// Says that nothing more will be written.
    fn finish(&mut self);

    /// Goes on with what the stream itself holds back, now that it can be written again.
    ///
    /// # Errors
    /// Those of the system; the connection is of no more use.
    fn push(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Whether the stream itself holds back something that was written.
    fn is_holding(&self) -> bool {
        false
    }

    /// Whether the stream itself knows that its peer says no more: nobody reports that, so it is read to its end.
    fn is_at_end(&self) -> bool {
        false
    }

    /// Whether the last read ended before there was no more: nobody reports what is left, so it is read later.
    fn has_more(&self) -> bool {
        false
    }

    /// Whether a handshake is still being made, of which each step is costly.
    fn is_opening(&self) -> bool {
        false
    }

    /// Whom a known proxy has announced as the peer behind it.
    fn announced(&self) -> Option<IpAddr> {
        None
    }
}

/// What a port is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// It accepts streams.
    Listener,
    /// It exchanges datagrams.
    Datagrams,
}

/// A shard's network, and its clocks.
pub trait Net {
    /// A connection.
    type Stream: Stream;

    /// Waits until something is possible, for `timeout` at most, and appends what it is.
    ///
    /// # Errors
    /// Those of the system; the loop cannot go on.
    fn wait(&mut self, timeout: Option<Duration>, ready: &mut Vec<Ready>) -> io::Result<()>;

    /// Watches a stream under this number.
    ///
    /// # Errors
    /// Those of the system.
    fn add(&mut self, stream: &mut Self::Stream, slot: u32) -> io::Result<()>;

    /// Watches it no more.
    fn remove(&mut self, stream: &mut Self::Stream);

    /// What the ports are, in the order of their numbers.
    fn ports(&self) -> &[Port];

    /// Takes a connection that waits at a listener; `WouldBlock` when none does.
    ///
    /// # Errors
    /// Those of the system.
    fn accept(&mut self, port: u16) -> io::Result<(Self::Stream, IpAddr)>;

    /// Takes a datagram that waits; `WouldBlock` when none does.
    ///
    /// # Errors
    /// Those of the system.
    fn receive(&mut self, port: u16, into: &mut [u8]) -> io::Result<(usize, SocketAddr)>;

    /// Sends a datagram, at the latest with [`Net::push_datagrams`]. One that cannot be sent is lost, as datagrams are.
    fn send(&mut self, port: u16, to: SocketAddr, datagram: &[u8]);

    /// Sends the datagrams that wait, with as few calls as it takes; says how many those were since it was last asked.
    fn push_datagrams(&mut self) -> u64;

    /// Closes the listeners: nobody new is let in.
    fn close_listeners(&mut self);

    /// What the clocks say.
    fn now(&self) -> Now;

    /// Microseconds since the node began: for measuring, not for deadlines.
    fn micros(&self) -> u64;
}
