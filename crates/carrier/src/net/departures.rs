//! Datagrams on their way out: gathered for a turn, then given to the kernel many at a time (sendmmsg(2)).
//!
//! What the kernel does not take is lost, as datagrams are on any part of their way.

use mio::net::UdpSocket;
use std::net::SocketAddr;
use std::ops::Range;

/// BOUND: bytes, and datagrams, that wait for the end of the turn.
const BYTES: usize = 1 << 20;
const COUNT: usize = 4096;

/// Datagrams given to the kernel with one call; it takes no more than 1024 (UIO_MAXIOV).
#[cfg(target_os = "linux")]
const BATCH: usize = 256;

/// A datagram that waits.
struct Departure {
    port: u16,
    to: SocketAddr,
    at: Range<usize>,
}

/// Datagrams that wait.
#[derive(Default)]
pub(super) struct Departures {
    bytes: Vec<u8>,
    waiting: Vec<Departure>,
    calls: u64,
}

impl Departures {
    /// Whether there is no room for another one of `len` bytes.
    pub(super) fn is_full(&self, len: usize) -> bool {
        self.waiting.len() >= COUNT || (!self.waiting.is_empty() && self.bytes.len() + len > BYTES)
    }

    pub(super) fn add(&mut self, port: u16, to: SocketAddr, datagram: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(datagram);
        self.waiting.push(Departure { port, to, at: start..self.bytes.len() });
    }

    /// Calls made since this was last asked.
    pub(super) fn take_calls(&mut self) -> u64 {
        std::mem::take(&mut self.calls)
    }

    /// Sends all that wait, in order.
    pub(super) fn depart<'s>(&mut self, socket: impl Fn(u16) -> Option<&'s UdpSocket>) {
        for run in self.waiting.chunk_by(|a, b| a.port == b.port) {
            if let Some(socket) = run.first().and_then(|d| socket(d.port)) {
                self.calls += send(socket, run, &self.bytes);
            }
        }
        self.waiting.clear();
        self.bytes.clear();
        if self.bytes.capacity() > BYTES {
            self.bytes = Vec::new();
        }
    }
}

/// Sends these; says with how many calls.
#[cfg(target_os = "linux")]
fn send(socket: &UdpSocket, run: &[Departure], bytes: &[u8]) -> u64 {
    use rustix::io::Errno;
    use rustix::net::addr::SocketAddrArg;
    use rustix::net::{MMsgHdr, SendAncillaryBuffer, SendFlags};
    use std::io::IoSlice;

    let mut calls = 0;
    for batch in run.chunks(BATCH) {
        let slices: Vec<[IoSlice<'_>; 1]> =
            batch.iter().map(|d| [IoSlice::new(bytes.get(d.at.clone()).unwrap_or_default())]).collect();
        let addresses: Vec<_> = batch.iter().map(|d| d.to.as_any()).collect();
        let mut controls: Vec<_> = batch.iter().map(|_| SendAncillaryBuffer::default()).collect();
        let parts = addresses.iter().zip(&slices).zip(&mut controls);
        let mut headers: Vec<_> =
            parts.map(|((to, slice), control)| MMsgHdr::new_with_addr(to, slice, control)).collect();
        let mut rest = headers.as_mut_slice();
        while !rest.is_empty() {
            calls += 1;
            let done = match rustix::net::sendmmsg(socket, rest, SendFlags::empty()) {
                Ok(sent) => sent.max(1),
                Err(Errno::INTR) => 0,
                // The socket's buffer is full: what is left of the batch is lost.
                Err(Errno::AGAIN) => rest.len(),
                // The first of them cannot be sent, which says nothing of the others.
                Err(_) => 1,
            };
            rest = rest.get_mut(done..).unwrap_or_default();
        }
    }
    calls
}

/// Sends these; says with how many calls.
#[cfg(not(target_os = "linux"))]
fn send(socket: &UdpSocket, run: &[Departure], bytes: &[u8]) -> u64 {
    for departure in run {
        drop(socket.send_to(bytes.get(departure.at.clone()).unwrap_or_default(), departure.to));
    }
    run.len() as u64
}
