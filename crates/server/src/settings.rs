//! What the configuration means: no options left, the posture decided, every sentence checked.

use crate::config::{self, Config, Dialects};
use carrier::{Gate, Network, Origins};
use model::{Grant, Limits, Pattern, Principal, SlowPolicy, VHostName};
use node::{ChannelPolicy, Token};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The port everything that is HTTP is served at.
pub const PORT: u16 = 6889;
/// The port operators look at.
pub const ADMIN_PORT: u16 = 6890;
/// Bytes a channel's window may take.
const WINDOW_BYTES: usize = 4 << 20;

/// Who can reach the server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Posture {
    /// This machine only.
    Loopback,
    /// Others too.
    Exposed,
}

/// Where a listener's connections come from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// An address and port.
    Tcp(SocketAddr),
    /// A unix socket, made there.
    Unix(PathBuf),
    /// A socket that systemd has opened and named so.
    Inherited(String),
}

impl Place {
    /// Whether others than this machine can reach it. What systemd has opened is not known before it is there: it
    /// counts as within reach.
    #[must_use]
    pub fn is_exposed(&self) -> bool {
        match self {
            Self::Tcp(address) => !address.ip().is_loopback(),
            Self::Unix(_) => false,
            Self::Inherited(_) => true,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Inherited(name) => write!(f, "systemd:{name}"),
        }
    }
}

/// Where to listen.
#[derive(Clone, Debug)]
pub struct Listener {
    /// Where its connections come from.
    pub place: Place,
    /// Certificates and keys as PEM files, when it speaks TLS.
    pub certificates: Vec<config::Certificate>,
    /// Whether each connection begins with a PROXY protocol header.
    pub proxy_protocol: bool,
    /// The world it opens to.
    pub vhost: VHostName,
    /// Who may knock.
    pub gate: Gate,
    /// Whether the server can do without it: an address nobody asked for.
    pub optional: bool,
}

/// A server's settings.
pub struct Settings {
    /// Who can reach it.
    pub posture: Posture,
    /// Whether it is open to anybody beyond this machine.
    pub open: bool,
    /// Threads that serve.
    pub shards: u16,
    /// Where to listen.
    pub listeners: Vec<Listener>,
    /// Bounds.
    pub limits: Limits,
    /// Static tokens.
    pub tokens: Vec<Token>,
    /// Those who show no token; `None`: they are refused.
    pub anonymous: Option<Arc<Principal>>,
    /// Channels that behave in some way.
    pub policies: Vec<ChannelPolicy>,
    /// Channels that the server assigns.
    pub assigned: Vec<Pattern>,
    /// What each dialect wants to know.
    pub dialects: Dialects,
    /// Whether WebSocket messages are compressed for clients that offer it.
    pub deflate: bool,
    /// Proxies whose word on where a peer comes from is taken.
    pub proxies: Vec<Network>,
    /// Where operators look; `None`: nowhere.
    pub admin: Option<Admin>,
}

/// Where operators look.
#[derive(Clone)]
pub struct Admin {
    /// The address.
    pub address: SocketAddr,
    /// The secret that must be shown.
    pub token: Option<Box<str>>,
    /// Whether somebody asked for it: then the server does not start without.
    pub wanted: bool,
}

/// What is wrong with a configuration: which key, and what to do.
#[derive(Debug, PartialEq, Eq)]
pub struct Problem(pub String);

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Problem {}

fn problem<T>(words: String) -> Result<T, Problem> {
    Err(Problem(words))
}

impl Settings {
    /// Works out what `config` means.
    ///
    /// # Errors
    /// Says which key is wrong, and what would be right.
    pub fn resolve(config: &Config) -> Result<Self, Problem> {
        let listeners = listeners(config)?;
        let exposed = listeners.iter().any(|l| l.place.is_exposed());
        let posture = if exposed { Posture::Exposed } else { Posture::Loopback };
        let authenticates = !config.auth.token.is_empty();
        if exposed && !authenticates && !config.insecure {
            return problem(
                "a listener is reachable from beyond this machine and nobody would have to authenticate: \
                 configure [[auth.token]], or say `--insecure` (`insecure = true`) to let anybody in"
                    .into(),
            );
        }
        let tokens = config.auth.token.iter().map(token).collect::<Result<_, _>>()?;
        let anonymous = match &config.anonymous {
            Some(a) => Some(grants(&a.grants, "anonymous.grants")?),
            None if authenticates => None,
            None => Some(grants(&["READ **", "WRITE **"].map(String::from), "")?),
        };
        let anonymous = anonymous.map(|grants| Arc::new(Principal::anonymous(grants)));
        let mut dialects = config.dialect;
        dialects.playground.enabled.get_or_insert(!exposed);
        Ok(Self {
            posture,
            open: exposed && !authenticates,
            shards: config.shards.unwrap_or_else(cores).max(1),
            limits: limits(&config.limits, posture)?,
            listeners,
            tokens,
            anonymous,
            policies: config.channel.iter().map(policy).collect(),
            assigned: config.assigned.iter().map(|p| Pattern::new(p)).collect(),
            dialects,
            deflate: config.websocket.deflate,
            proxies: config.proxies.iter().map(|p| network(p)).collect::<Result<_, _>>()?,
            admin: admin(&config.admin)?,
        })
    }
}

fn cores() -> u16 {
    std::thread::available_parallelism().map_or(1, |n| u16::try_from(n.get()).unwrap_or(u16::MAX))
}

fn listeners(config: &Config) -> Result<Vec<Listener>, Problem> {
    if config.listener.is_empty() {
        let both = [(IpAddr::V4(Ipv4Addr::LOCALHOST), false), (IpAddr::V6(Ipv6Addr::LOCALHOST), true)];
        return Ok(both
            .map(|(ip, optional)| Listener {
                place: Place::Tcp(SocketAddr::new(ip, PORT)),
                certificates: Vec::new(),
                proxy_protocol: false,
                vhost: VHostName::root(),
                gate: Gate::loopback(),
                optional,
            })
            .into());
    }
    config.listener.iter().map(listener).collect()
}

fn place(written: &str) -> Result<Place, Problem> {
    if let Some(path) = written.strip_prefix("unix:") {
        return Ok(Place::Unix(path.into()));
    }
    if let Some(name) = written.strip_prefix("systemd:") {
        return Ok(Place::Inherited(name.into()));
    }
    let Ok(address) = written.parse() else {
        let words = "is no address; write it as 127.0.0.1:6889, [::1]:6889, 0.0.0.0:6889, unix:/run/chappe.sock \
                     or systemd:NAME";
        return problem(format!("listener.address: `{written}` {words}"));
    };
    Ok(Place::Tcp(address))
}

fn network(written: &str) -> Result<Network, Problem> {
    let words = "is no address or network; write it as 192.0.2.1 or 10.0.0.0/8";
    Network::parse(written).ok_or_else(|| Problem(format!("proxies: `{written}` {words}")))
}

fn admin(written: &config::Admin) -> Result<Option<Admin>, Problem> {
    if written.address.as_deref() == Some("off") {
        return Ok(None);
    }
    let address = match written.address.as_deref() {
        None => SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), ADMIN_PORT),
        Some(text) => text.parse().map_err(|_| {
            Problem(format!("admin.address: `{text}` is no address; write it as 127.0.0.1:6890, or `off`"))
        })?,
    };
    let token = secret("admin", written.token.as_ref(), written.token_file.as_deref())?;
    if token.is_none() && !address.ip().is_loopback() {
        return problem(
            "admin.token: the admin listener is reachable from beyond this machine, and needs `admin.token` or \
             `admin.token_file`"
                .into(),
        );
    }
    Ok(Some(Admin { address, token: token.map(Into::into), wanted: written.address.is_some() }))
}

/// A secret that is written there, or stands on the first line of a file.
fn secret(key: &str, token: Option<&config::Secret>, file: Option<&Path>) -> Result<Option<String>, Problem> {
    let secret = match (token, file) {
        (None, None) => return Ok(None),
        (Some(token), None) => token.reveal().to_owned(),
        (None, Some(file)) => {
            first_line(file).map_err(|e| Problem(format!("{key}: cannot read {}: {e}", file.display())))?
        }
        (Some(_), Some(_)) => {
            return problem(format!("{key}: say either `token` or `token_file`, not both"));
        }
    };
    if secret.is_empty() {
        return problem(format!("{key}: the token is empty"));
    }
    Ok(Some(secret))
}

fn listener(written: &config::Listener) -> Result<Listener, Problem> {
    let place = place(&written.address)?;
    let vhost = match written.vhost.as_deref() {
        None => VHostName::root(),
        Some(name) => VHostName::new(name)
            .map_err(|_| Problem(format!("listener.vhost: `{name}` must begin with `/`, as in `/hello`")))?,
    };
    let mut gate = if place.is_exposed() {
        Gate { hosts: None, origins: Origins::Listed(Vec::new()) }
    } else {
        Gate::loopback()
    };
    if !written.hosts.is_empty() {
        gate.hosts.get_or_insert_default().extend(written.hosts.iter().map(|h| h.to_lowercase()));
    }
    // Whoever can reach an address may call it by its number.
    if let (Some(hosts), Place::Tcp(address)) = (&mut gate.hosts, &place) {
        hosts.push(match address.ip() {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        });
    }
    if written.origins.iter().any(|o| o == "*") {
        gate.origins = Origins::Any;
    } else if !written.origins.is_empty() {
        gate.origins = Origins::Listed(written.origins.clone());
    }
    let (certificates, proxy_protocol) = (written.tls.clone(), written.proxy_protocol);
    Ok(Listener { place, certificates, proxy_protocol, vhost, gate, optional: false })
}

fn grants(written: &[String], key: &str) -> Result<Vec<Grant>, Problem> {
    written.iter().map(|g| Grant::parse(g).map_err(|e| Problem(format!("{key}: {e}")))).collect()
}

fn token(written: &config::Token) -> Result<Token, Problem> {
    let name = &written.name;
    let key = format!("auth.token `{name}`");
    let Some(secret) = secret(&key, written.token.as_ref(), written.token_file.as_deref())? else {
        return problem(format!("{key}: `token` or `token_file` is missing"));
    };
    let vhost = match written.vhost.as_deref() {
        None => VHostName::root(),
        Some(v) => VHostName::new(v)
            .map_err(|_| Problem(format!("auth.token `{name}`: vhost `{v}` must begin with `/`")))?,
    };
    let grants = grants(&written.grants, &key)?;
    let principal = Arc::new(Principal { name: Some(name.as_str().into()), address: None, grants });
    Ok(Token { secret: secret.into(), vhost, principal })
}

fn first_line(file: &Path) -> std::io::Result<String> {
    Ok(std::fs::read_to_string(file)?.lines().next().unwrap_or_default().trim().to_owned())
}

fn policy(written: &config::Channel) -> ChannelPolicy {
    let slow = match written.slow {
        config::Slow::Disconnect => SlowPolicy::Disconnect,
        config::Slow::DropOldest => SlowPolicy::DropOldest,
        config::Slow::KeepLatest => SlowPolicy::KeepLatest,
    };
    let pattern = Pattern::new(&written.pattern);
    ChannelPolicy { pattern, slow, window: written.window, window_bytes: WINDOW_BYTES }
}

/// A bound as it was written, where 0 means none.
fn unless_zero(written: Option<u32>, default: Option<u32>) -> Option<u32> {
    written.map_or(default, |n| (n > 0).then_some(n))
}

fn limits(written: &config::Limits, posture: Posture) -> Result<Limits, Problem> {
    let d = Limits::default();
    let exposed = posture == Posture::Exposed;
    let seconds = |s: Option<u64>, default| s.map_or(default, Duration::from_secs);
    let rate = unless_zero(written.publish_rate, exposed.then_some(50));
    let limits = Limits {
        message_bytes: written.message_bytes.unwrap_or(d.message_bytes),
        pending_bytes: written.pending_bytes.unwrap_or(d.pending_bytes),
        memory_budget: written.memory_budget.unwrap_or_else(quarter_of_memory),
        channels_per_session: written.channels_per_session.unwrap_or(if exposed {
            128
        } else {
            d.channels_per_session
        }),
        publish_rate: rate.map(|rate| (rate, written.publish_burst.unwrap_or(rate.saturating_mul(2)).max(1))),
        connections: written.connections.unwrap_or(d.connections),
        accept_rate: unless_zero(written.accept_rate, exposed.then_some(2000)),
        unauthenticated_per_address: unless_zero(written.unauthenticated_per_address, exposed.then_some(64)),
        auth_timeout: seconds(written.auth_timeout, d.auth_timeout),
        head_timeout: seconds(written.head_timeout, d.head_timeout),
        keep_alive: seconds(written.keep_alive, d.keep_alive),
        ping_interval: seconds(written.ping_interval, d.ping_interval),
        drain_timeout: seconds(written.drain_timeout, d.drain_timeout),
        window_timeout: seconds(written.window_timeout, d.window_timeout),
        window_bytes: written.window_bytes.unwrap_or(d.window_bytes),
        ..d
    };
    let zeros = [
        ("message_bytes", limits.message_bytes == 0),
        ("channels_per_session", limits.channels_per_session == 0),
        ("connections", limits.connections == 0),
        ("head_timeout", limits.head_timeout.is_zero()),
        ("keep_alive", limits.keep_alive.is_zero()),
        ("ping_interval", limits.ping_interval.is_zero()),
    ];
    if let Some((key, _)) = zeros.iter().find(|z| z.1) {
        return problem(format!("limits.{key}: 0 would serve nobody; make it at least 1, or leave it out"));
    }
    if limits.pending_bytes / 2 < limits.message_bytes {
        return problem(format!(
            "limits.pending_bytes: {} is less than two messages of {}; make it at least {}",
            limits.pending_bytes,
            limits.message_bytes,
            limits.message_bytes.saturating_mul(2)
        ));
    }
    Ok(limits)
}

/// A quarter of the machine's memory; a quarter of 4 GiB where nobody can say.
fn quarter_of_memory() -> usize {
    let kib = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find(|l| l.starts_with("MemTotal:"))?;
        line.split_whitespace().nth(1)?.parse::<usize>().ok()
    });
    kib.map_or(1 << 30, |kib| kib * 256)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(text: &str) -> Result<Settings, Problem> {
        Settings::resolve(&toml::from_str(text).unwrap())
    }

    fn words(text: &str) -> String {
        resolve(text).err().map(|p| p.0).unwrap_or_default()
    }

    #[test]
    fn the_default_is_loopback_and_open_to_this_machine() {
        let s = resolve("").unwrap();
        assert_eq!((s.posture, s.listeners.len(), s.limits.publish_rate), (Posture::Loopback, 2, None));
        assert!(s.anonymous.is_some_and(|a| a.may_everywhere(model::Right::Write, 0)));
    }

    #[test]
    fn exposed_needs_authentication() {
        let exposed = "[[listener]]\naddress = '0.0.0.0:1'\n";
        assert!(words(exposed).contains("--insecure"));
        assert!(resolve(&format!("insecure = true\n{exposed}")).unwrap().open);
        let s = resolve(&format!("{exposed}[[auth.token]]\nname='a'\ntoken='b'\n")).unwrap();
        assert!(s.anonymous.is_none() && !s.open);
        assert_eq!(s.limits.publish_rate, Some((50, 100)));
    }

    #[test]
    fn the_page_is_for_loopback_unless_said_otherwise() {
        let page = |text| resolve(text).unwrap().dialects.playground.enabled;
        let exposed = "insecure = true\n[[listener]]\naddress = '0.0.0.0:1'\n";
        assert_eq!((page(""), page(exposed)), (Some(true), Some(false)));
        assert_eq!(page("[dialect.playground]\nenabled = false\n"), Some(false));
        assert_eq!(page(&format!("{exposed}[dialect.playground]\nenabled = true\n")), Some(true));
    }

    #[test]
    fn a_loopback_listener_answers_to_its_own_number() {
        let s = resolve("[[listener]]\naddress = '127.0.0.2:1'\n").unwrap();
        assert!(s.listeners[0].gate.check("127.0.0.2:1", None).is_ok());
    }

    #[test]
    fn problems_name_the_key_and_the_fix() {
        assert!(words("[limits]\nping_interval=0\n").contains("limits.ping_interval: 0"));
        assert!(words("[[listener]]\naddress = 'here'\n").contains("listener.address: `here`"));
        assert!(words("[[auth.token]]\nname='a'\n").contains("`token` or `token_file` is missing"));
        assert!(words("[anonymous]\ngrants=['SHOUT x']\n").contains("READ, WRITE or MANAGE"));
        assert!(words("[limits]\npending_bytes=5\n").contains("limits.pending_bytes"));
    }
}
