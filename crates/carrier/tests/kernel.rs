//! What is asked of the kernel, on real sockets of loopback.

#![allow(clippy::unwrap_used, reason = "a test that cannot set its stage has failed")]

use carrier::net::Net;
use carrier::net::os::{self, Listening, Os, Wrapping};
use node::Clock;
use socket2::{Domain, Socket, Type};
use std::io::{ErrorKind, Write};
use std::net::SocketAddr;

/// What the kernel may take for a reader that does not read: what waits to be sent, what is on its way, and room for
/// how it counts. Left to itself it takes several megabytes.
const KEPT: usize = 1 << 20;

/// A connection whose peer does not read, at the server's end; and the peer, which is to live as long.
fn stalled(mut os: Os, address: SocketAddr) -> (carrier::net::Socket, Socket) {
    let peer = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    peer.set_recv_buffer_size(4096).unwrap();
    peer.connect(&address.into()).unwrap();
    let mut ready = Vec::new();
    while ready.is_empty() {
        os.wait(None, &mut ready).unwrap();
    }
    (os.accept(0).unwrap().0, peer)
}

#[test]
fn the_kernel_keeps_little_of_what_a_slow_reader_leaves() {
    let listener = os::listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let (mut os, _waker) = Os::new(Clock::start()).unwrap();
    os.add_listener(Listening::Tcp(listener), Wrapping::default()).unwrap();
    let (mut stream, _peer) = stalled(os, address);
    let piece = [0; 64 << 10];
    let mut kept = 0;
    let refused = loop {
        match stream.write(&piece) {
            Ok(taken) => kept += taken,
            Err(e) => break e,
        }
    };
    assert_eq!(refused.kind(), ErrorKind::WouldBlock);
    assert!((1..=KEPT).contains(&kept), "{kept} bytes");
}
