//! Opening the listeners: TCP, unix sockets, sockets that systemd has opened, with what is wrapped around each.
//!
//! Decides nothing about who may knock; that is the settings' and the carrier's.

use crate::config::Speaks;
use crate::running::StartError;
use crate::settings::{Listener, Place, Settings};
use carrier::net::Identities;
use carrier::net::os::{self, Listening, Wrapping};
use dialect::Road;
use listenfd::ListenFd;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// A listener that is open.
pub(crate) struct Open {
    pub(crate) listener: Listener,
    pub(crate) listening: Listening,
    pub(crate) wrapping: Wrapping,
    /// What it shows to who speaks TLS.
    pub(crate) identities: Option<Arc<Identities>>,
    /// Where it is, for people: with the port that the system chose.
    pub(crate) address: Address,
}

/// Where a listener is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Address {
    /// At an address and port, with TLS or without.
    Tcp(SocketAddr, bool),
    /// At an address and port where a dialect's own protocol is spoken, with TLS or without.
    Own(SocketAddr, Road, Speaks, bool),
    /// At a path.
    Unix(PathBuf),
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(address, false) => write!(f, "http://{address}"),
            Self::Tcp(address, true) => write!(f, "https://{address}"),
            Self::Own(address, Road::Udp, ..) => write!(f, "udp://{address}"),
            Self::Own(address, .., true) => write!(f, "tls://{address}"),
            Self::Own(address, Road::Tcp | Road::Http | Road::None, ..) => write!(f, "tcp://{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Opens all listeners that somebody here can serve. Those that nobody asked for may be missing.
pub(crate) fn open(settings: &Settings, can_serve: impl Fn(Speaks) -> bool) -> Result<Vec<Open>, StartError> {
    let mut inherited = Inherited::take();
    let proxies = Arc::new(settings.proxies.clone());
    let mut all = Vec::new();
    for listener in settings.listeners.iter().filter(|l| can_serve(l.speaks)) {
        let identities = match listener.certificates.as_slice() {
            [] => None,
            pairs => {
                let files = pairs.iter().map(|c| (c.cert.clone(), c.key.clone())).collect();
                Some(Arc::new(Identities::load(files).map_err(StartError::Tls)?))
            }
        };
        let refused = |e| StartError::Listen(listener.place.clone(), e);
        let listening = match &listener.place {
            Place::Tcp(address) => os::listen(*address).map(Listening::Tcp),
            Place::Udp(address) => os::listen_udp(*address).map(Listening::Udp),
            Place::Unix(path) => os::listen_unix(path, listener.mode).map(Listening::Unix),
            Place::Inherited(name) => inherited.find(name),
        };
        let listening = match listening {
            Err(error) if listener.optional => {
                leave_out(&listener.place, &error);
                continue;
            }
            other => other.map_err(refused)?,
        };
        let mut wrapping = Wrapping::default();
        if listener.proxy_protocol {
            wrapping.proxies = Some(Arc::clone(&proxies));
        }
        if let Some(identities) = &identities {
            wrapping = wrapping.with_tls(Arc::clone(identities))?;
        }
        let address = match &listening {
            Listening::Tcp(socket) => match listener.speaks {
                Speaks::Http => Address::Tcp(socket.local_addr()?, identities.is_some()),
                own @ Speaks::Watchtower => {
                    os::find_the_gone(socket)?;
                    Address::Own(socket.local_addr()?, Road::Tcp, own, identities.is_some())
                }
            },
            Listening::Udp(socket) => Address::Own(socket.local_addr()?, Road::Udp, listener.speaks, false),
            Listening::Unix(socket) => {
                let path = socket.local_addr()?.as_pathname().map(PathBuf::from);
                Address::Unix(path.unwrap_or_default())
            }
        };
        all.push(Open { listener: listener.clone(), listening, wrapping, identities, address });
    }
    Ok(all)
}

/// Says that nobody listens where nobody asked for it. A system without IPv6 is no news.
fn leave_out(place: &Place, error: &io::Error) {
    if error.kind() == io::ErrorKind::AddrInUse {
        tracing::warn!(%place, "another program has this default address; it is left out");
    } else {
        tracing::debug!(%place, %error, "an address is left out");
    }
}

/// Sockets that systemd has opened for us (sd_listen_fds(3)), by name.
struct Inherited {
    sockets: ListenFd,
    names: Vec<String>,
}

impl Inherited {
    fn take() -> Self {
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        Self { sockets: ListenFd::from_env(), names: names.split(':').map(String::from).collect() }
    }

    /// The socket of that name.
    fn find(&mut self, name: &str) -> io::Result<Listening> {
        let missing = || {
            let words = "systemd has handed over no socket of that name; is there a .socket unit with \
                         FileDescriptorName=, and is the server started by it?";
            io::Error::new(io::ErrorKind::NotFound, words)
        };
        let at = self.names.iter().position(|n| n == name);
        let at = at.filter(|at| *at < self.sockets.len()).ok_or_else(missing)?;
        // Taking one as what it is not is an error that leaves it in its place.
        if let Ok(Some(socket)) = self.sockets.take_tcp_listener(at) {
            socket.set_nonblocking(true)?;
            return Ok(Listening::Tcp(socket));
        }
        let socket = self.sockets.take_unix_listener(at)?.ok_or_else(missing)?;
        socket.set_nonblocking(true)?;
        Ok(Listening::Unix(socket))
    }
}
