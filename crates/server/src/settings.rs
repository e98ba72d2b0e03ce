//! What the configuration means: no options left, the posture decided, every sentence checked.

use crate::config::{self, Config, Dialects};
use carrier::{Gate, Origins};
use model::{Grant, Limits, Pattern, Principal, SlowPolicy, VHostName};
use node::{ChannelPolicy, Token};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The port everything that is HTTP is served at.
pub const PORT: u16 = 6889;
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

/// Where to listen.
#[derive(Clone, Debug)]
pub struct Listener {
    /// The address.
    pub address: SocketAddr,
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
        let exposed = listeners.iter().any(|l| !l.address.ip().is_loopback());
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
            dialects: config.dialect,
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
                address: SocketAddr::new(ip, PORT),
                vhost: VHostName::root(),
                gate: Gate::loopback(),
                optional,
            })
            .into());
    }
    config.listener.iter().map(listener).collect()
}

fn listener(written: &config::Listener) -> Result<Listener, Problem> {
    let Ok(address) = written.address.parse::<SocketAddr>() else {
        let words = "is no address; write it as 127.0.0.1:6889, [::1]:6889 or 0.0.0.0:6889";
        return problem(format!("listener.address: `{}` {words}", written.address));
    };
    let vhost = match written.vhost.as_deref() {
        None => VHostName::root(),
        Some(name) => VHostName::new(name)
            .map_err(|_| Problem(format!("listener.vhost: `{name}` must begin with `/`, as in `/hello`")))?,
    };
    let mut gate = if address.ip().is_loopback() {
        Gate::loopback()
    } else {
        Gate { hosts: None, origins: Origins::Listed(Vec::new()) }
    };
    if !written.hosts.is_empty() {
        gate.hosts.get_or_insert_default().extend(written.hosts.iter().map(|h| h.to_lowercase()));
    }
    // Whoever can reach an address may call it by its number.
    if let Some(hosts) = &mut gate.hosts {
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
    Ok(Listener { address, vhost, gate, optional: false })
}

fn grants(written: &[String], key: &str) -> Result<Vec<Grant>, Problem> {
    written.iter().map(|g| Grant::parse(g).map_err(|e| Problem(format!("{key}: {e}")))).collect()
}

fn token(written: &config::Token) -> Result<Token, Problem> {
    let name = &written.name;
    let secret = match (&written.token, &written.token_file) {
        (Some(token), None) => token.clone(),
        (None, Some(file)) => first_line(file)
            .map_err(|e| Problem(format!("auth.token `{name}`: cannot read {}: {e}", file.display())))?,
        (Some(_), Some(_)) => {
            return problem(format!("auth.token `{name}`: say either `token` or `token_file`, not both"));
        }
        (None, None) => return problem(format!("auth.token `{name}`: `token` or `token_file` is missing")),
    };
    if secret.is_empty() {
        return problem(format!("auth.token `{name}`: the token is empty"));
    }
    let vhost = match written.vhost.as_deref() {
        None => VHostName::root(),
        Some(v) => VHostName::new(v)
            .map_err(|_| Problem(format!("auth.token `{name}`: vhost `{v}` must begin with `/`")))?,
    };
    let grants = grants(&written.grants, &format!("auth.token `{name}`"))?;
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

fn limits(written: &config::Limits, posture: Posture) -> Result<Limits, Problem> {
    let d = Limits::default();
    let exposed = posture == Posture::Exposed;
    let seconds = |s: Option<u64>, default| s.map_or(default, Duration::from_secs);
    let rate = match (written.publish_rate, exposed) {
        (Some(0), _) | (None, false) => None,
        (None, true) => Some(50),
        (Some(rate), _) => Some(rate),
    };
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
