//! A client's bytes on their way to and from the kernel: as they are, or sealed by TLS. Never blocks.

use mio::net::TcpStream;
use rustls::ClientConnection;
use std::io::{self, ErrorKind, Read, Write};

/// The socket, and what seals it.
pub(super) struct Wire {
    pub(super) socket: TcpStream,
    tls: Option<Box<ClientConnection>>,
}

impl Wire {
    pub(super) fn new(socket: TcpStream, tls: Option<Box<ClientConnection>>) -> Self {
        Self { socket, tls }
    }

    /// Whether a read that fills less than its buffer has read all there is.
    pub(super) fn tells_when_empty(&self) -> bool {
        self.tls.is_none()
    }

    /// Whether sealed bytes wait for the kernel.
    pub(super) fn is_behind(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.wants_write())
    }

    /// Hands the kernel what was sealed, as much as it takes.
    pub(super) fn push(&mut self) -> io::Result<()> {
        self.tls.as_mut().map_or(Ok(()), |tls| push(tls, &mut self.socket))
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else { return self.socket.write(bytes) };
        let n = tls.writer().write(bytes)?;
        push(tls, &mut self.socket)?;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.push()
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else { return self.socket.read(buffer) };
        loop {
            match tls.reader().read(buffer) {
                Err(e) if e.kind() == ErrorKind::WouldBlock => {}
                other => return other,
            }
            if tls.read_tls(&mut self.socket)? == 0 {
                return Ok(0);
            }
            let taken = tls.process_new_packets();
            // The handshake goes on, or the peer is told what was wrong with it.
            let pushed = push(tls, &mut self.socket);
            taken.map_err(|e| io::Error::new(ErrorKind::InvalidData, e))?;
            pushed?;
        }
    }
}

fn push(tls: &mut ClientConnection, socket: &mut TcpStream) -> io::Result<()> {
    while tls.wants_write() {
        match tls.write_tls(socket) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(_) => {}
            Err(e) if e.kind() == ErrorKind::WouldBlock => break,
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::sealing::Sealing;
    use rustls::pki_types::PrivateKeyDer;
    use rustls::{ServerConfig, ServerConnection, StreamOwned};
    use std::net;
    use std::sync::Arc;
    use std::sync::mpsc::channel;
    use std::thread;
    use std::time::Duration;

    type Peer = StreamOwned<ServerConnection, net::TcpStream>;

    /// A wire whose handshake is done, while the other side does what it likes with its end.
    fn wire(peer: impl FnOnce(Peer) + Send + 'static) -> Wire {
        let key = rcgen::KeyPair::generate().unwrap();
        let own =
            rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
        let config = ServerConfig::builder_with_provider(crate::trust::provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![own.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
            .unwrap();
        let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let (socket, _) = listener.accept().unwrap();
            peer(StreamOwned::new(ServerConnection::new(Arc::new(config)).unwrap(), socket));
        });
        let socket = net::TcpStream::connect(address).unwrap();
        socket.set_nonblocking(true).unwrap();
        let sealing = Sealing::new("localhost", None).unwrap();
        Wire::new(TcpStream::from_std(socket), Some(sealing.connection().unwrap()))
    }

    /// Reads when there is something to read.
    fn read(wire: &mut Wire, buffer: &mut [u8]) -> usize {
        loop {
            match wire.read(buffer) {
                Err(e) if e.kind() == ErrorKind::WouldBlock => thread::sleep(Duration::from_millis(1)),
                other => return other.unwrap(),
            }
        }
    }

    #[test]
    fn a_short_read_says_nothing_about_what_there_is_over_tls() {
        let (sent, was_sent) = channel();
        let (done, is_done) = channel::<()>();
        let mut wire = wire(move |mut peer| {
            peer.write_all(b"begin").unwrap();
            // Several records, all with the kernel before any is read.
            peer.write_all(&[7; 48 << 10]).unwrap();
            sent.send(()).unwrap();
            is_done.recv().ok();
        });
        wire.push().unwrap();
        let mut buffer = vec![0; 256 << 10];
        assert_eq!(read(&mut wire, &mut buffer), 5);
        was_sent.recv().unwrap();
        let mut heard = read(&mut wire, &mut buffer);
        assert!(heard < 48 << 10 && !wire.tells_when_empty());
        while heard < 48 << 10 {
            heard += read(&mut wire, &mut buffer);
        }
        drop(done);
    }

    #[test]
    fn what_the_kernel_does_not_take_waits() {
        const ALL: usize = 32 << 20;
        let (go, gone) = channel::<()>();
        let (counted, count) = channel();
        let mut wire = wire(move |mut peer| {
            let mut buffer = vec![0; 64 << 10];
            let mut heard = peer.read(&mut buffer).unwrap();
            gone.recv().unwrap();
            while heard < ALL {
                heard += peer.read(&mut buffer).unwrap();
            }
            counted.send(heard).unwrap();
        });
        assert_eq!(wire.write(&vec![7; ALL]).unwrap(), ALL);
        // The handshake is done by reading.
        while wire.tls.as_ref().is_some_and(|tls| tls.is_handshaking()) {
            assert!(wire.read(&mut [0]).is_err());
            thread::sleep(Duration::from_millis(1));
        }
        assert!(wire.is_behind());
        go.send(()).unwrap();
        while wire.is_behind() {
            wire.push().unwrap();
            thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(count.recv().unwrap(), ALL);
    }
}
