//! What the configuration means: no options left, the posture decided, every sentence checked.

mod bounds;
mod changes;
mod effective;
mod hooks;
mod jwt;
mod places;
mod socketio;
mod watchtower;
mod who;

pub use changes::{Changes, changes};

use crate::config::{self, Config, Dialects, Problem, Problems};
use crate::log;
use carrier::{Gate, Network};
use model::{Limits, Pattern, Principal, SlowPolicy, VHostName};
use node::hooks::HookSettings;
use node::{ChannelPolicy, JwtSettings, Token};
use socketio_dialect::Client;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// The port everything that is HTTP is served at.
pub const PORT: u16 = 6889;
/// The port operators look at.
pub const ADMIN_PORT: u16 = 6890;

/// The port of Watchtower's devices, over TCP and UDP.
pub const DEVICE_PORT: u16 = 3033;

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
    /// Datagrams to an address and port.
    Udp(SocketAddr),
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
            Self::Tcp(address) | Self::Udp(address) => !address.ip().is_loopback(),
            Self::Unix(_) => false,
            Self::Inherited(_) => true,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Udp(address) => write!(f, "udp:{address}"),
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
    /// What is spoken there.
    pub speaks: config::Speaks,
    /// The permissions of a unix socket, when they are not to be as the umask says.
    pub mode: Option<u32>,
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
#[derive(Clone)]
pub struct Settings {
    /// Who can reach it.
    pub posture: Posture,
    /// Whether it is open to anybody beyond this machine.
    pub open: bool,
    /// Threads that serve.
    pub shards: u16,
    /// Where to listen.
    pub listeners: Vec<Listener>,
    /// Virtual hosts besides theirs.
    pub vhosts: Vec<VHostName>,
    /// Bounds.
    pub limits: Limits,
    /// Static tokens.
    pub tokens: Vec<Token>,
    /// Tokens that prove themselves; `None`: there are none.
    pub jwt: Option<JwtSettings>,
    /// Those who show no token; `None`: they are refused.
    pub anonymous: Option<Arc<Principal>>,
    /// Channels that behave in some way.
    pub policies: Vec<ChannelPolicy>,
    /// Channels that the server assigns.
    pub assigned: Vec<Pattern>,
    /// How callbacks are served.
    pub hooks: HookSettings,
    /// What each dialect wants to know.
    pub dialects: Dialects,
    /// The files of Socket.IO's client library, where they are served.
    pub client: Client,
    /// Whether WebSocket messages are compressed for clients that offer it.
    pub deflate: bool,
    /// Proxies whose word on where a peer comes from is taken.
    pub proxies: Vec<Network>,
    /// Where operators look; `None`: nowhere.
    pub admin: Option<Admin>,
    /// The configuration that would mean the same with nothing left out.
    pub effective: Config,
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

impl Settings {
    /// Works out what `config` means.
    ///
    /// # Errors
    /// Everything that is wrong: which key, and what would be right.
    pub fn resolve(config: &Config) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        if let Some(Err(words)) = config.log.filter.as_deref().map(log::understands) {
            problems.push(Problem::new("log.filter", words, "write it as `info` or `carrier=debug`"));
        }
        let devices = config.dialect.watchtower.enabled != Some(false) && config.proxies.is_empty();
        let listeners = places::listeners(&config.listener, devices, &mut problems);
        // Whoever reaches a proxy reaches what is behind it.
        let behind = !config.proxies.is_empty() || listeners.iter().any(|l| l.proxy_protocol);
        let exposed = behind || listeners.iter().any(|l| l.place.is_exposed());
        let posture = if exposed { Posture::Exposed } else { Posture::Loopback };
        let authenticates = !config.auth.token.is_empty() || config.auth.jwt.is_some();
        if exposed && !authenticates && !config.insecure {
            problems.push(unguarded(config));
        }
        let anonymous = who::anonymous(config.anonymous.as_ref(), authenticates, &mut problems);
        let mut dialects = dialects(&config.dialect, posture);
        dialects.watchtower =
            watchtower::watchtower(&config.dialect.watchtower, posture, anonymous.as_deref(), &mut problems);
        watchtower::listeners(&config.listener, &dialects.watchtower, &mut problems);
        let limits = bounds::limits(&config.limits, posture, &mut problems);
        let client = socketio::client(&dialects.socketio, limits.pending_bytes, &mut problems);
        let Some(hooks) = hooks::hooks(&config.hooks, posture, &limits, &mut problems) else {
            return Err(problems);
        };
        let jwt = config.auth.jwt.as_ref().and_then(|written| jwt::jwt(written, posture, &mut problems));
        let mut settings = Self {
            posture,
            open: exposed && !authenticates,
            shards: shards(config.shards, &mut problems),
            limits,
            hooks,
            listeners,
            vhosts: places::vhosts(&config.vhosts, &mut problems),
            tokens: who::tokens(&config.auth.token, &mut problems),
            anonymous: anonymous.map(|grants| Arc::new(Principal::anonymous(grants))),
            policies: policies(&config.channel, &mut problems),
            assigned: assigned(&config.assigned, jwt.as_ref()),
            jwt,
            dialects,
            client,
            deflate: config.websocket.deflate,
            proxies: places::proxies(&config.proxies, &mut problems),
            admin: places::admin(&config.admin, &mut problems),
            effective: Config::default(),
        };
        settings.effective = effective::effective(config, &settings);
        if problems.is_empty() { Ok(settings) } else { Err(problems) }
    }
}

/// What each dialect wants to know, where the posture decides.
fn dialects(written: &Dialects, posture: Posture) -> Dialects {
    let mut dialects = written.clone();
    dialects.playground.enabled.get_or_insert(posture == Posture::Loopback);
    dialects
}

/// Those that are written, and those of owners of tokens.
fn assigned(written: &[String], jwt: Option<&JwtSettings>) -> Vec<Pattern> {
    let owned = jwt.into_iter().flat_map(|jwt| &jwt.rules.channels).map(node::jwt::Template::pattern);
    written.iter().map(|p| Pattern::new(p)).chain(owned).collect()
}

/// Somebody beyond this machine could come in without a word.
fn unguarded(config: &Config) -> Problem {
    let behind = || config.listener.iter().position(|l| l.proxy_protocol);
    let (path, what) = match config.listener.iter().position(|l| places::is_exposed(&l.address)) {
        Some(n) => (format!("listener.{n}.address"), "a listener is reachable from beyond this machine"),
        None => {
            let path = behind().map_or("proxies".into(), |n| format!("listener.{n}.proxy_protocol"));
            (path, "others reach the server by way of a proxy")
        }
    };
    Problem::new(
        path,
        format!("{what} and nobody would have to authenticate"),
        "configure [[auth.token]] or [auth.jwt], or say `--insecure` (`insecure = true`) to let anybody in",
    )
    .about(&["auth", "insecure"])
}

/// The more shards, the more memory and connections each takes from the others.
const SHARDS_MAX: u16 = 1024;

fn shards(written: Option<u16>, problems: &mut Problems) -> u16 {
    let shards = written.unwrap_or_else(cores);
    if shards == 0 || shards > SHARDS_MAX {
        let what = format!("{shards} is no number of threads to serve with");
        let fix = format!("make it 1 to {SHARDS_MAX}, or leave it out for one for each core");
        problems.push(Problem::new("shards", what, fix));
    }
    shards.max(1)
}

fn cores() -> u16 {
    std::thread::available_parallelism().map_or(1, |n| u16::try_from(n.get()).unwrap_or(u16::MAX))
}

fn policies(written: &[config::Channel], problems: &mut Problems) -> Vec<ChannelPolicy> {
    let policy = |(number, channel): (usize, &config::Channel)| {
        if channel.pattern.is_empty() {
            let path = format!("channel.{number}.pattern");
            problems.push(Problem::new(
                path,
                "no channel has an empty name",
                "write it as `news.*`, or `**`",
            ));
        }
        let slow = match channel.slow {
            config::Slow::Disconnect => SlowPolicy::Disconnect,
            config::Slow::DropOldest => SlowPolicy::DropOldest,
            config::Slow::KeepLatest => SlowPolicy::KeepLatest,
        };
        let pattern = Pattern::new(&channel.pattern);
        ChannelPolicy { pattern, slow, window: channel.window, window_bytes: bounds::WINDOW_BYTES }
    };
    written.iter().enumerate().map(policy).collect()
}

#[cfg(test)]
mod tests;
