//! Names to addresses, by the system's resolver, which may take its time: on threads of its own.
//!
//! Does not know how many names are looked up at once: who asks bounds that.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use tokio::task::spawn_blocking;

/// The addresses of a name, when they are known.
pub type Resolved<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'a>>;

/// Who knows the addresses of names.
pub trait Resolver: Send + Sync {
    /// The addresses of a host, with this port. An address as a host is itself.
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> Resolved<'a>;
}

/// The system's resolver.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

impl Resolver for SystemResolver {
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> Resolved<'a> {
        Box::pin(async move {
            if let Ok(ip) = host.parse() {
                return Ok(vec![SocketAddr::new(ip, port)]);
            }
            let host = host.to_owned();
            let looked_up =
                spawn_blocking(move || (host.as_str(), port).to_socket_addrs().map(Iterator::collect));
            looked_up.await.map_err(io::Error::other)?
        })
    }
}
