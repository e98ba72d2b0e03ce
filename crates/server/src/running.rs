//! Starting a server, and ending it: sockets, shards on their threads, the control runtime with its signals.

use crate::config::Speaks;
use crate::controls::{Controls, looks};
use crate::listeners::{self, Address, Open};
use crate::looks::Look;
use crate::settings::{Place, Posture, Settings};
use crate::{log, registry};
use backplane::Alone;
use carrier::net::TlsError;
use carrier::net::os::Os;
use carrier::wiring::{PortPlan, Speak, Wiring};
use carrier::{Doors, Rules, Shard};
use dialect::{Dialect, Road};
use model::{CloseReason, VHostName};
use node::exchange::Plan;
use node::hooks::SystemResolver;
use node::{Clock, Control, Credentials, Exchange, Hooks, Jwt, StaticTokens};
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::{Builder, JoinHandle};

/// Why a server did not start.
#[derive(Debug)]
pub enum StartError {
    /// A place cannot be listened at.
    Listen(Place, io::Error),
    /// The address that operators were to look at cannot be listened at.
    Admin(SocketAddr, io::Error),
    /// A certificate or its key cannot be used.
    Tls(TlsError),
    /// The system refused something else.
    System(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen(Place::Tcp(address), e) if e.kind() == io::ErrorKind::AddrInUse => write!(
                f,
                "{address} is taken by another program; stop it, or choose another with --listen {}:PORT",
                address.ip()
            ),
            Self::Listen(place, e) => write!(f, "cannot listen at {place}: {e}"),
            Self::Admin(address, e) => write!(
                f,
                "cannot listen at {address}, the admin address: {e}; choose another with `admin.address`, or `off`"
            ),
            Self::Tls(e) => write!(f, "TLS: {e}"),
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

/// Which file it is that has a name: the device it is on, its number there, and when it was made: numbers are given
/// again.
type File = (u64, u64, (i64, i64));

fn file(path: &Path) -> Option<File> {
    let file = std::fs::symlink_metadata(path).ok()?;
    Some((file.dev(), file.ino(), (file.mtime(), file.mtime_nsec())))
}

/// A server that runs.
pub struct Running {
    addresses: Vec<Address>,
    /// The unix sockets that it has made, and which they are; those of systemd stay systemd's.
    made: Vec<(PathBuf, Option<File>)>,
    controls: Controls,
    shards: Vec<JoinHandle<io::Result<()>>>,
    control: Control,
    admin: Option<SocketAddr>,
    paste_lines: Vec<(&'static str, String)>,
}

impl Running {
    /// Where it listens.
    #[must_use]
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// The first address and port it listens at.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.addresses.iter().find_map(|a| match a {
            Address::Tcp(address, _) => Some(*address),
            Address::Own(..) | Address::Unix(_) => None,
        })
    }

    /// The first address and port where a dialect's own protocol is spoken, over TCP or UDP.
    #[must_use]
    pub fn own_address(&self, road: Road) -> Option<SocketAddr> {
        self.addresses.iter().find_map(|a| match a {
            Address::Own(address, by, ..) if *by == road => Some(*address),
            Address::Tcp(..) | Address::Own(..) | Address::Unix(_) => None,
        })
    }

    /// What can be changed while it runs.
    #[must_use]
    pub fn controls(&self) -> &Controls {
        &self.controls
    }

    /// For each dialect its name and a line to try it.
    #[must_use]
    pub fn paste_lines(&self) -> &[(&'static str, String)] {
        &self.paste_lines
    }

    /// Where operators look, if anywhere.
    #[must_use]
    pub fn admin(&self) -> Option<SocketAddr> {
        self.admin
    }

    /// The thread for what may wait.
    #[must_use]
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// What its shards share.
    #[must_use]
    pub fn exchange(&self) -> &Arc<Exchange> {
        &self.controls.exchange
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
        for (path, made) in &self.made {
            // Who was started meanwhile may have put a socket of its own there.
            if made.is_some() && file(path) == *made {
                // A path that is left behind is replaced at the next start.
                drop(std::fs::remove_file(path));
            }
        }
        let c = self.controls.exchange.totals.read();
        let told = c.closed[CloseReason::Draining.index()];
        let closed: u64 = c.closed.iter().sum();
        tracing::info!(told, attached = c.attached, closed, "stopped: everybody is gone");
        Ok(())
    }
}

/// Starts a server.
///
/// # Errors
/// When an address that was asked for is taken, or the system refuses threads or sockets.
pub fn start(settings: Settings) -> Result<Running, StartError> {
    let dialects = registry::dialects(&settings.dialects, &settings.client);
    start_with(settings, dialects)
}

/// Starts a server that speaks these dialects, whatever the registry says.
///
/// # Errors
/// As [`start`].
pub fn start_with(settings: Settings, dialects: Vec<Box<dyn Dialect>>) -> Result<Running, StartError> {
    let place = |speaks: Speaks| {
        let own = dialects.iter().position(|d| Some(d.name()) == speaks.dialect());
        own.and_then(|place| u8::try_from(place).ok())
    };
    let open = listeners::open(&settings, |speaks| speaks == Speaks::Http || place(speaks).is_some())?;
    let spoken: Vec<_> = open.iter().map(|o| place(o.listener.speaks)).collect();
    let addresses: Vec<Address> = open.iter().map(|o| o.address.clone()).collect();
    let made = open.iter().filter_map(|o| match &o.listener.place {
        Place::Unix(path) => Some((path.clone(), file(path))),
        Place::Tcp(_) | Place::Udp(_) | Place::Inherited(_) => None,
    });
    let made = made.collect();
    let identities: Vec<_> = open.iter().filter_map(|o| o.identities.clone()).collect();
    let clock = Clock::start();
    let paste_lines = paste_lines(&dialects, &addresses);
    let authority = Arc::new(StaticTokens::new(settings.tokens.clone(), settings.anonymous.clone()));
    let listeners = open.iter().map(|o| o.listener.place.clone()).collect();
    let rules = Rules {
        limits: settings.limits.clone(),
        gates: open.iter().map(|o| o.listener.gate.clone()).collect(),
    };
    let (proxies, deflate) = (settings.proxies.clone(), settings.deflate);
    let control = Control::start()?;
    let look = settings.admin.clone().map_or(Ok(None), |admin| Look::open(admin, &control))?;
    let (posture, insecure) = (settings.posture, settings.open);
    let hooks = Hooks::start(&control, settings.hooks.clone(), Box::new(SystemResolver), clock);
    let jwt = settings.jwt.clone().map(|jwt| Jwt::start(jwt, &control, clock));
    let credentials = Credentials::new(Arc::clone(&authority), jwt.clone());
    let exchange = Arc::new(Exchange::new(plan(settings, credentials, hooks, clock)));
    let ports = open.iter().zip(spoken).filter_map(|(o, own)| {
        let vhost = exchange.vhost(&o.listener.vhost).map(Arc::clone)?;
        Some(PortPlan { vhost, speak: own.map_or(Speak::Http, |dialect| Speak::Own { dialect }) })
    });
    let names = dialects.iter().map(|d| d.name()).collect();
    let mut wiring = Wiring::new(dialects, ports.collect(), rules);
    (wiring.proxies, wiring.deflate) = (proxies, deflate);
    let wiring = Arc::new(wiring);
    let seen = Arc::new(Mutex::new(looks(&identities)));
    let controls = Controls {
        exchange: Arc::clone(&exchange),
        wiring: Arc::clone(&wiring),
        authority,
        jwt,
        identities,
        seen,
        posture,
        listeners,
    };
    let admin = look.map(|look| look.serve(&control, &exchange, names, clock)).transpose()?;
    let shards = start_shards(open, &wiring, &exchange, clock)?;
    say_where(&addresses, admin, (posture, insecure), shards.len());
    Ok(Running { addresses, made, controls, shards, control, admin, paste_lines })
}

fn say_where(
    addresses: &[Address],
    admin: Option<SocketAddr>,
    (posture, open): (Posture, bool),
    shards: usize,
) {
    let addresses = addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let admin = admin.map_or_else(|| "off".to_owned(), |a| a.to_string());
    let version = env!("CARGO_PKG_VERSION");
    tracing::info!(version, addresses, ?posture, open, shards, admin, "serving");
}

/// An address that somebody on this machine can call; all of its addresses at once is none.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// For each dialect a line to paste, for the first address that has a port, then those for its own protocol.
fn paste_lines(dialects: &[Box<dyn Dialect>], addresses: &[Address]) -> Vec<(&'static str, String)> {
    let first = addresses.iter().find_map(|a| match a {
        Address::Tcp(address, tls) => Some((reachable(*address).to_string(), *tls)),
        Address::Own(..) | Address::Unix(_) => None,
    });
    let line = |d: &dyn Dialect| {
        let (address, tls) = first.as_ref()?;
        let plain = d.paste_line(address);
        Some(match tls {
            false => plain,
            true => ["http", "ws"].iter().fold(plain, |line, scheme| {
                line.replace(&format!("{scheme}://{address}"), &format!("{scheme}s://{address}"))
            }),
        })
    };
    // What speaks TLS there has no line as short.
    let own_line = |d: &dyn Dialect, a: &Address| match a {
        Address::Own(address, road, speaks, false)
            if address.is_ipv4() && speaks.dialect() == Some(d.name()) =>
        {
            d.own_line(*road, &reachable(*address).to_string())
        }
        Address::Tcp(..) | Address::Own(..) | Address::Unix(_) => None,
    };
    let lines = dialects.iter().map(|d| {
        let own = addresses.iter().filter_map(|a| own_line(&**d, a));
        (d.name(), line(&**d).into_iter().chain(own))
    });
    let named = |(name, lines): (_, _)| std::iter::once(name).chain(std::iter::repeat("")).zip(lines);
    lines.flat_map(named).collect()
}

/// Runs a shard. When its loop itself fails, its sessions cannot be saved and the others would wait for it for
/// ever: the program ends, and whoever supervises it starts it again.
fn run(shard: Shard<Os>) -> io::Result<()> {
    struct Alarm;
    impl Drop for Alarm {
        fn drop(&mut self) {
            if std::thread::panicking() {
                tracing::error!("a shard panicked outside any conversation; ending the program");
                log::settle();
                std::process::abort();
            }
        }
    }
    let _alarm = Alarm;
    let ended = shard.run();
    if let Err(e) = &ended {
        tracing::error!(error = %e, "a shard cannot wait for events; ending the program");
        log::settle();
        std::process::abort();
    }
    ended
}

fn plan(settings: Settings, authority: Credentials, hooks: Hooks, clock: Clock) -> Plan {
    let mut vhosts: Vec<_> = settings.listeners.into_iter().map(|l| l.vhost).chain(settings.vhosts).collect();
    vhosts.sort();
    vhosts.dedup();
    vhosts.retain(|v| *v != VHostName::root());
    Plan {
        shards: settings.shards,
        vhosts,
        limits: settings.limits,
        policies: settings.policies,
        assigned: settings.assigned,
        authority: Box::new(authority),
        backplane: Box::new(Alone),
        hooks: Some(hooks),
        began: clock.now(),
    }
}

fn start_shards(
    open: Vec<Open>,
    wiring: &Arc<Wiring>,
    exchange: &Arc<Exchange>,
    clock: Clock,
) -> Result<Vec<JoinHandle<io::Result<()>>>, StartError> {
    let doors = Arc::new(Doors::new(exchange.shards()));
    // Accepting is the first shard's role; the others get their connections from it.
    let mut open = Some(open);
    let mut shards = Vec::new();
    for number in 0..exchange.shards() {
        let (mut net, waker) = Os::new(clock)?;
        for o in open.take().into_iter().flatten() {
            net.add_listener(o.listening, o.wrapping)?;
        }
        // A wake that fails finds a shard that has ended.
        exchange.inbox(number).set_wake(Box::new(move || drop(waker.wake())));
        let shard = Shard::new(net, number, Arc::clone(exchange), Arc::clone(wiring), Arc::clone(&doors));
        shards.push(Builder::new().name(format!("shard-{number}")).spawn(move || run(shard))?);
    }
    Ok(shards)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_to_paste_name_an_address_that_can_be_called() {
        let all = [("0.0.0.0:1", "127.0.0.1:1"), ("[::]:1", "[::1]:1"), ("192.0.2.1:1", "192.0.2.1:1")];
        for (bound, called) in all {
            assert_eq!(reachable(bound.parse().unwrap()).to_string(), called);
        }
    }

    #[test]
    fn the_socket_of_a_successor_stays() {
        let path = std::env::temp_dir().join(format!("chappe-successor-{}.sock", std::process::id()));
        let serve = || {
            let text =
                format!("shards=1\nadmin.address='off'\n[[listener]]\naddress='unix:{}'", path.display());
            start(Settings::resolve(&toml::from_str(&text).unwrap()).unwrap()).unwrap()
        };
        let first = serve();
        // It stops; its path is free for whoever comes next, though it has not ended.
        std::fs::remove_file(&path).unwrap();
        let second = serve();
        first.exchange().drain();
        first.wait().unwrap();
        assert!(path.exists(), "it is another server's");
        second.exchange().drain();
        second.wait().unwrap();
        assert!(!path.exists());
    }
}
