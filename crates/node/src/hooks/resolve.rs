//! Names to addresses, by the system's resolver, which may take its time: on a few threads of its own.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// The addresses of a name, when they are known.
pub type Resolved<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'a>>;

/// Who knows the addresses of names.
pub trait Resolver: Send + Sync {
    /// The addresses of a host, with this port. An address as a host is itself.
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> Resolved<'a>;
}

/// Threads that wait for the system's resolver at once.
const LOOKUPS: usize = 64;

/// The system's resolver.
#[derive(Debug)]
pub struct SystemResolver {
    /// BOUND: a look-up whose caller has given up still occupies a thread.
    lookups: Arc<Semaphore>,
}

impl Default for SystemResolver {
    fn default() -> Self {
        Self { lookups: Arc::new(Semaphore::new(LOOKUPS)) }
    }
}

impl Resolver for SystemResolver {
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> Resolved<'a> {
        Box::pin(async move {
            if let Ok(ip) = host.parse() {
                return Ok(vec![SocketAddr::new(ip, port)]);
            }
            let turn = Arc::clone(&self.lookups).acquire_owned().await.map_err(io::Error::other)?;
            let host = host.to_owned();
            let looked_up = spawn_blocking(move || {
                let found = (host.as_str(), port).to_socket_addrs().map(Iterator::collect);
                drop(turn);
                found
            });
            looked_up.await.map_err(io::Error::other)?
        })
    }
}
