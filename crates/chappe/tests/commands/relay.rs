//! A relay between a client and a server: can cut every connection and refuse new ones, and can end TLS, so that
//! what is behind it need not know it.

use rustls::{ServerConfig, ServerConnection};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// How long one side is waited for before the other has its turn.
const TURN: Duration = Duration::from_millis(1);

#[derive(Clone)]
pub(crate) struct Relay {
    pub(crate) address: String,
    open: Arc<Mutex<Vec<TcpStream>>>,
    refusing: Arc<AtomicBool>,
}

impl Relay {
    /// To that address; with `tls`, clients speak TLS.
    pub(crate) fn start(to: &str, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let relay = Self {
            address: listener.local_addr().unwrap().to_string(),
            open: Arc::default(),
            refusing: Arc::default(),
        };
        let (kept, to) = (relay.clone(), to.to_owned());
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if kept.refusing.load(Ordering::SeqCst) {
                    continue;
                }
                let Ok(server) = TcpStream::connect(&to) else { continue };
                kept.open.lock().unwrap().extend([client.try_clone().unwrap(), server.try_clone().unwrap()]);
                let tls = tls.clone();
                thread::spawn(move || match tls {
                    Some(config) => sealed(&config, client, server),
                    None => plain(client, server),
                });
            }
        });
        relay
    }

    /// Cuts every connection, and takes none until [`Self::mend`].
    pub(crate) fn cut(&self) {
        self.refusing.store(true, Ordering::SeqCst);
        for stream in self.open.lock().unwrap().drain(..) {
            drop(stream.shutdown(Shutdown::Both));
        }
    }

    pub(crate) fn mend(&self) {
        self.refusing.store(false, Ordering::SeqCst);
    }
}

fn plain(client: TcpStream, server: TcpStream) {
    let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    thread::spawn(move || copy(from, to));
    copy(server, client);
}

fn copy(mut from: TcpStream, mut to: TcpStream) {
    drop(std::io::copy(&mut from, &mut to));
    drop(to.shutdown(Shutdown::Both));
}

fn sealed(config: &Arc<ServerConfig>, mut client: TcpStream, mut server: TcpStream) {
    let mut tls = ServerConnection::new(Arc::clone(config)).unwrap();
    for stream in [&client, &server] {
        stream.set_read_timeout(Some(TURN)).unwrap();
        stream.set_nodelay(true).unwrap();
    }
    while alternate(&mut tls, &mut client, &mut server).is_some() {}
    // Whichever side ends, ends both.
    drop(client.shutdown(Shutdown::Both));
    drop(server.shutdown(Shutdown::Both));
}

/// Lets each side speak once; `None`: one of them has ended.
fn alternate(tls: &mut ServerConnection, client: &mut TcpStream, server: &mut TcpStream) -> Option<()> {
    let mut buffer = vec![0; 16 << 10];
    match tls.read_tls(client) {
        Ok(0) => return None,
        Ok(_) => {
            let taken = tls.process_new_packets();
            push(tls, client)?;
            taken.ok()?;
            while let Ok(n) = tls.reader().read(&mut buffer) {
                server.write_all(buffer.get(..n).filter(|b| !b.is_empty())?).ok()?;
            }
        }
        Err(e) if later(&e) => {}
        Err(_) => return None,
    }
    match server.read(&mut buffer) {
        Ok(0) => return None,
        Ok(n) => {
            tls.writer().write_all(&buffer[..n]).ok()?;
            push(tls, client)?;
        }
        Err(e) if later(&e) => {}
        Err(_) => return None,
    }
    Some(())
}

fn push(tls: &mut ServerConnection, client: &mut TcpStream) -> Option<()> {
    while tls.wants_write() {
        tls.write_tls(client).ok()?;
    }
    Some(())
}

fn later(e: &std::io::Error) -> bool {
    matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}
