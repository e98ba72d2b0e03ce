//! Starting a server, and ending it: sockets, shards on their threads, the control runtime with its signals.

use crate::registry;
use crate::settings::{Listener, Place, Settings};
use backplane::Alone;
use carrier::net::os::{self, Os};
use carrier::shard::{PortPlan, Speak, Wiring};
use carrier::{Doors, Shard};
use dialect::Dialect;
use model::VHostName;
use node::exchange::Plan;
use node::{Clock, Exchange, StaticTokens};
use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

/// Why a server did not start.
#[derive(Debug)]
pub enum StartError {
    /// An address cannot be listened at.
    Listen(SocketAddr, io::Error),
    /// The system refused something else.
    System(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen(address, e) if e.kind() == io::ErrorKind::AddrInUse => write!(
                f,
                "{address} is taken by another program; stop it, or choose another with --listen {}:PORT",
                address.ip()
            ),
            Self::Listen(address, e) => write!(f, "cannot listen at {address}: {e}"),
            Self::System(e) => write!(f, "the system refuses: {e}"),
        }
    }
}

impl std::error::Error for StartError {}

impl From<io::Error> for StartError {
    fn from(e: io::Error) -> Self {
        Self::System(e)
    }
}

/// A server that runs.
pub struct Running {
    addresses: Vec<SocketAddr>,
    exchange: Arc<Exchange>,
    shards: Vec<JoinHandle<io::Result<()>>>,
    paste_lines: Vec<(&'static str, String)>,
}

impl Running {
    /// Where it listens.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// For each dialect its name and a line to try it.
    #[must_use]
    pub fn paste_lines(&self) -> &[(&'static str, String)] {
        &self.paste_lines
    }

    /// What its shards share.
    #[must_use]
    pub fn exchange(&self) -> &Arc<Exchange> {
        &self.exchange
    }

    /// Waits until every shard has ended, which is after [`Exchange::drain`].
    ///
    /// # Errors
    /// When a shard could not go on.
    pub fn wait(self) -> io::Result<()> {
        for shard in self.shards {
            let lost = |_| io::Error::other("a shard panicked");
            shard.join().map_err(lost).and_then(|ended| ended)?;
        }
        Ok(())
    }
}

/// Starts a server.
///
/// # Errors
/// When an address that was asked for is taken, or the system refuses threads or sockets.
pub fn start(settings: Settings) -> Result<Running, StartError> {
    let mut sockets = Vec::new();
    for listener in &settings.listeners {
        let Place::Tcp(address) = listener.place else {
            return Err(StartError::System(io::ErrorKind::Unsupported.into()));
        };
        match os::listen(address) {
            Ok(socket) => sockets.push((listener.clone(), socket)),
            Err(e) if listener.optional => {
                tracing::debug!(%address, error = %e, "an address is left out");
            }
            Err(e) => return Err(StartError::Listen(address, e)),
        }
    }
    let addresses = sockets.iter().map(|(_, s)| s.local_addr()).collect::<Result<Vec<_>, _>>()?;
    let clock = Clock::start();
    let dialects = registry::dialects(&settings.dialects);
    let address = addresses.first().map(ToString::to_string).unwrap_or_default();
    let paste_lines = dialects.iter().map(|d| (d.name(), d.paste_line(&address))).collect();
    let exchange = Arc::new(Exchange::new(plan(settings, clock)));
    let shards = start_shards(sockets, dialects, &exchange, clock)?;
    Ok(Running { addresses, exchange, shards, paste_lines })
}

/// Runs a shard. When its loop itself fails, its sessions cannot be saved and the others would wait for it for
/// ever: the program ends, and whoever supervises it starts it again.
fn run(shard: Shard<Os>) -> io::Result<()> {
    struct Alarm;
    impl Drop for Alarm {
        fn drop(&mut self) {
            if std::thread::panicking() {
                tracing::error!("a shard panicked outside any conversation; ending the program");
                std::process::abort();
            }
        }
    }
    let _alarm = Alarm;
    let ended = shard.run();
    if let Err(e) = &ended {
        tracing::error!(error = %e, "a shard cannot wait for events; ending the program");
        std::process::abort();
    }
    ended
}

fn plan(settings: Settings, clock: Clock) -> Plan {
    let mut vhosts: Vec<VHostName> = settings.listeners.into_iter().map(|l| l.vhost).collect();
    vhosts.sort();
    vhosts.dedup();
    vhosts.retain(|v| *v != VHostName::root());
    Plan {
        shards: settings.shards,
        vhosts,
        limits: settings.limits,
        policies: settings.policies,
        assigned: settings.assigned,
        authority: Box::new(StaticTokens::new(settings.tokens, settings.anonymous)),
        backplane: Box::new(Alone),
        began: clock.now(),
    }
}

fn start_shards(
    sockets: Vec<(Listener, TcpListener)>,
    dialects: Vec<Box<dyn Dialect>>,
    exchange: &Arc<Exchange>,
    clock: Clock,
) -> Result<Vec<JoinHandle<io::Result<()>>>, StartError> {
    let port = |listener: &Listener| {
        let vhost = exchange.vhost(&listener.vhost).map(Arc::clone)?;
        Some(PortPlan { vhost, speak: Speak::Http { gate: listener.gate.clone() } })
    };
    let ports = sockets.iter().filter_map(|(listener, _)| port(listener)).collect();
    let wiring = Arc::new(Wiring { dialects, ports });
    let doors = Arc::new(Doors::new(exchange.shards()));
    // Accepting is the first shard's role; the others get their connections from it.
    let mut sockets = Some(sockets);
    let mut shards = Vec::new();
    for number in 0..exchange.shards() {
        let (mut net, waker) = Os::new(clock)?;
        for (_, socket) in sockets.take().into_iter().flatten() {
            net.add_listener(socket)?;
        }
        // A wake that fails finds a shard that has ended.
        exchange.inbox(number).set_wake(Box::new(move || drop(waker.wake())));
        let shard = Shard::new(net, number, Arc::clone(exchange), Arc::clone(&wiring), Arc::clone(&doors));
        shards.push(Builder::new().name(format!("shard-{number}")).spawn(move || run(shard))?);
    }
    Ok(shards)
}
