//! What is asked of the kernel, on real sockets of loopback.

#![allow(clippy::unwrap_used, reason = "a test that cannot set its stage has failed")]

use carrier::net::os::{self, Listening, Os, Wrapping};
use carrier::net::{Net, Ready};
use node::Clock;
use socket2::{Domain, SockRef, Socket, Type};
use std::io::{ErrorKind, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

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

/// Whether a connection whose peer has left in this way is reported as gone, and not only as closed to reading.
fn is_gone<S>(
    listening: Listening,
    connect: impl FnOnce() -> S,
    leave: impl FnOnce(&S),
    drops: bool,
) -> bool {
    let (mut os, _waker) = Os::new(Clock::start()).unwrap();
    os.add_listener(listening, Wrapping::default()).unwrap();
    let peer = connect();
    let mut ready = Vec::new();
    while ready.is_empty() {
        os.wait(None, &mut ready).unwrap();
    }
    let mut stream = os.accept(0).unwrap().0;
    os.add(&mut stream, 7).unwrap();
    leave(&peer);
    let peer = Some(peer).filter(|_| !drops);
    loop {
        ready.clear();
        os.wait(None, &mut ready).unwrap();
        let end = ready.iter().find_map(|event| match event {
            Ready::Stream { ended: true, gone, .. } => Some(*gone),
            Ready::Stream { .. } | Ready::Port(_) => None,
        });
        if let Some(gone) = end {
            drop(peer);
            return gone;
        }
    }
}

#[test]
fn who_has_gone_is_told_apart_from_who_says_no_more() {
    let tcp = |leave: fn(&TcpStream), drops| {
        let listener = os::listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        is_gone(Listening::Tcp(listener), || TcpStream::connect(address).unwrap(), leave, drops)
    };
    assert!(!tcp(|peer| peer.shutdown(Shutdown::Write).unwrap(), false));
    // A plain close says no more than that it sends no more.
    assert!(!tcp(|_| {}, true));
    assert!(tcp(|peer| SockRef::from(peer).set_linger(Some(Duration::ZERO)).unwrap(), true), "a reset");
    let folder = own_folder();
    let unix = |name: &str, leave: fn(&UnixStream), drops| {
        let path = folder.join(name);
        let listener = os::listen_unix(&path, None).unwrap();
        is_gone(Listening::Unix(listener), || UnixStream::connect(&path).unwrap(), leave, drops)
    };
    assert!(!unix("half", |peer| peer.shutdown(Shutdown::Write).unwrap(), false));
    assert!(unix("closed", |_| {}, true), "a unix socket knows");
    std::fs::remove_dir_all(folder).unwrap();
}

/// A folder of this test's own.
fn own_folder() -> PathBuf {
    let folder = std::env::temp_dir().join(format!("chappe-kernel-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}
