//! The configuration as it was written: TOML, then the environment. Everything optional, unknown keys refused.
//!
//! The structs are the one list of keys there is: [`section!`](dialect::section) makes the reference, the checks
//! and the printed configuration from them. What they mean is in [`settings`](crate::settings).

mod keys;
mod near;
mod origin;
mod overlay;
mod problem;
mod read;
mod validate;

pub use keys::{Leaf, generic, key, leaves};
pub use origin::{Origin, Origins};
pub use overlay::variable;
pub use problem::{Problem, Problems};
pub use read::{PREFIX, Reading};

pub use dialect::settings::Secret;

use dialect::settings::Unit;
use std::path::{Path, PathBuf};

dialect::section! {
    /// A configuration file.
    #[derive(Default)]
    pub struct Config {
        /// Threads that serve.
        #[key(default = "one for each core", example = "4")]
        pub shards: Option<u16>,
        /// Serve beyond this machine though nobody has to authenticate.
        #[key(default = "`false`")]
        pub insecure: bool,
        /// Where to listen.
        #[key(default = "`127.0.0.1:6889` and `[::1]:6889`; Watchtower's devices at port 3033 of both, over TCP and UDP")]
        pub listener: Vec<Listener>,
        /// Virtual hosts besides those that listeners open to: for clients that name one in their protocol, as
        /// Socket.IO's do with a namespace.
        #[key(default = "none", example = "[\"/admin\"]")]
        pub vhosts: Vec<String>,
        /// Bounds.
        pub limits: Limits,
        /// Who may do what.
        pub auth: Auth,
        /// What those may do who show no token.
        #[key(live = true)]
        pub anonymous: Option<Anonymous>,
        /// Channels that behave in some way. The first whose pattern matches counts.
        pub channel: Vec<Channel>,
        /// Patterns of channels that nobody may join or publish to without a grant that names the pattern.
        #[key(default = "none", example = "[\"user(*)\"]")]
        pub assigned: Vec<String>,
        /// Callbacks: URLs that clients give, and that messages are posted to.
        pub hooks: Hooks,
        /// What each dialect wants to know.
        pub dialect: Dialects,
        /// What holds for WebSockets of every dialect.
        pub websocket: WebSocket,
        /// Addresses, or networks, of proxies whose word on where a peer comes from is taken.
        #[key(default = "none", example = "[\"10.0.0.0/8\"]")]
        pub proxies: Vec<String>,
        /// Where operators look.
        pub admin: Admin,
        /// How the log is written.
        pub log: Log,
    }
}

dialect::section! {
    /// What holds for WebSockets of every dialect.
    #[derive(Copy, Default)]
    pub struct WebSocket {
        /// Whether messages are compressed for clients that offer it (permessage-deflate, RFC 7692).
        pub deflate: bool,
    }
}

dialect::section! {
    /// Callbacks: URLs that clients give, and that messages are posted to.
    #[derive(Default)]
    pub struct Hooks {
        /// Whether they may lead to this machine and to private networks. Never to link-local addresses and to those where
        /// clouds tell machines their secrets, unless `allow` names them.
        #[key(default = "`true` while only this machine can reach the server")]
        pub private: Option<bool>,
        /// Addresses, networks and host names they may lead to, whatever those are.
        #[key(default = "none", example = "[\"10.1.2.0/24\", \"ci.internal\"]")]
        pub allow: Vec<String>,
        /// Whether a receiver has to prove that it wants to be one, before its callback is opened.
        #[key(default = "`false`")]
        pub challenge: bool,
        /// What signs each POST after Standard Webhooks: `whsec_` and base64, or text of at least 24 bytes.
        pub secret: Option<Secret>,
        /// A file that holds the secret on its first line.
        #[key(example = "\"/etc/chappe/hooks.secret\"")]
        pub secret_file: Option<PathBuf>,
        /// Certificates of authorities that receivers' TLS is trusted by besides the public ones, as a PEM file.
        #[key(default = "none", example = "\"/etc/chappe/our-ca.pem\"")]
        pub ca: Option<PathBuf>,
        /// Time for one POST, until its answer.
        #[key(unit = Unit::Seconds)]
        pub timeout: Option<u64>,
        /// How old a message may become before it is given up.
        #[key(unit = Unit::Seconds)]
        pub max_age: Option<u64>,
        /// The longest pause after a first failure; each that follows doubles it.
        #[key(unit = Unit::Seconds)]
        pub backoff: Option<u64>,
        /// The longest pause at all.
        #[key(unit = Unit::Seconds)]
        pub backoff_max: Option<u64>,
        /// POSTs in a row that may fail; then the callback is given up.
        pub failures: Option<u32>,
        /// Messages that may wait for one callback; past it the oldest go, and the next POST says how many.
        pub queue_messages: Option<usize>,
        /// Bytes that may wait for one callback; at least two messages.
        #[key(unit = Unit::Bytes)]
        pub queue_bytes: Option<usize>,
        /// Bytes that may wait for all callbacks together.
        #[key(unit = Unit::Bytes)]
        pub memory: Option<usize>,
        /// POSTs under way at once: a quarter of the places for receivers that are new, a quarter for slow or failing ones.
        /// One client has at most an eighth of each kind, one host a quarter.
        pub concurrency: Option<usize>,
        /// Callbacks open at once.
        pub open: Option<usize>,
        /// Callbacks at one host.
        pub per_host: Option<usize>,
        /// Callbacks of one client; those that nobody can tell apart are one together.
        pub per_principal: Option<usize>,
    }
}

dialect::section! {
    /// Where operators look: health and metrics.
    #[derive(Default)]
    pub struct Admin {
        /// An address and port, or `off`.
        pub address: Option<String>,
        /// The secret that must be shown; there must be one beyond this machine.
        pub token: Option<Secret>,
        /// A file that holds the secret on its first line.
        #[key(example = "\"/etc/chappe/admin.token\"")]
        pub token_file: Option<PathBuf>,
    }
}

dialect::section! {
    /// How the log is written, to the standard error.
    #[derive(Default)]
    pub struct Log {
        /// Lines for people (`text`), or one JSON object a line (`json`).
        pub format: LogFormat,
        /// What is written, as `info` or `carrier=debug`.
        #[key(live = true, default = "`info`", example = "\"info,carrier=debug\"")]
        pub filter: Option<String>,
    }
}

dialect::words! {
    /// How a line of the log looks.
    pub enum LogFormat {
        /// For people.
        #[default]
        Text = "text",
        /// One JSON object a line.
        Json = "json",
    }
}

dialect::section! {
    /// Where to listen, for whom.
    #[derive(Default)]
    pub struct Listener {
        /// An address and port; or `udp:` before them; or `unix:/run/chappe.sock`; or `systemd:NAME`, a socket that
        /// systemd has opened under that name.
        #[key(required = true, example = "\"0.0.0.0:6889\"")]
        pub address: String,
        /// What is spoken there: `http` and all that grows out of it, or a dialect's own protocol over TCP or UDP.
        #[key(default = "`http`", example = "\"watchtower\"")]
        pub speaks: Speaks,
        /// Who may open a unix socket, as for `chmod`: without it whoever the process's umask lets write.
        #[key(default = "as the umask says", example = "\"660\"")]
        pub mode: Option<String>,
        /// The virtual host it opens to.
        #[key(default = "`/`", example = "\"/hello\"")]
        pub vhost: Option<String>,
        /// `Host` names it answers to, without port: on loopback beyond this machine's names for itself; elsewhere
        /// only these and its address.
        #[key(live = true, default = "on loopback none; elsewhere any", example = "[\"chat.example\"]")]
        pub hosts: Vec<String>,
        /// Web pages that may talk to it, or `*` for all.
        #[key(
            live = true,
            default = "on loopback pages of this machine; elsewhere of the same host",
            example = "[\"https://app.example\"]",
        )]
        pub origins: Vec<String>,
        /// Certificates, when it speaks TLS. The first is shown to clients that name no server.
        #[key(default = "none: no TLS")]
        pub tls: Vec<Certificate>,
        /// Whether each connection begins with a PROXY protocol header, which is then believed from `proxies` only.
        #[key(default = "`false`")]
        pub proxy_protocol: bool,
    }
}

dialect::words! {
    /// What is spoken at a listener.
    pub enum Speaks {
        /// HTTP, WebSocket: every dialect that can be asked for so.
        #[default]
        Http = "http",
        /// The devices of Watchtower.
        Watchtower = "watchtower",
    }
}

impl Speaks {
    /// The dialect whose own protocol it is; `None`: HTTP is nobody's own.
    #[must_use]
    pub fn dialect(self) -> Option<&'static str> {
        match self {
            Self::Http => None,
            Self::Watchtower => Some("watchtower"),
        }
    }
}

impl Listener {
    /// A listener there, and nothing else said of it.
    #[must_use]
    pub fn at(address: String) -> Self {
        Self { address, ..Self::default() }
    }
}

dialect::section! {
    /// A certificate and its key, as PEM files. Read again when they change.
    #[derive(Default)]
    pub struct Certificate {
        /// The chain, the server's own certificate first.
        #[key(required = true, example = "\"/etc/chappe/chat.example.pem\"")]
        pub cert: PathBuf,
        /// Its private key.
        #[key(required = true, example = "\"/etc/chappe/chat.example.key\"")]
        pub key: PathBuf,
    }
}

dialect::section! {
    /// Bounds. Whoever meets one gets a defined answer.
    #[derive(Default)]
    pub struct Limits {
        /// One message.
        #[key(live = true, unit = Unit::Bytes)]
        pub message_bytes: Option<usize>,
        /// What may wait for one slow reader; at least two messages.
        #[key(live = true, unit = Unit::Bytes)]
        pub pending_bytes: Option<usize>,
        /// What may wait for all slow readers together; past it the fullest are cut.
        #[key(live = true, unit = Unit::Bytes, default = "a quarter of the memory", example = "1073741824")]
        pub memory_budget: Option<usize>,
        /// Channels one session may join.
        #[key(live = true)]
        pub channels_per_session: Option<u32>,
        /// Principals enrolled for peers that ask; each is forgotten when it has been idle for too long.
        #[key(live = true)]
        pub enrolments: Option<u32>,
        /// Sessions that may act for one enrolled principal.
        #[key(live = true)]
        pub sessions_per_enrolment: Option<u32>,
        /// How long a channel that everybody has left keeps its window.
        #[key(unit = Unit::Seconds)]
        pub window_timeout: Option<u64>,
        /// What the windows of channels that everybody has left may take together; past it the oldest go.
        #[key(unit = Unit::Bytes)]
        pub window_bytes: Option<usize>,
        /// What each shard keeps of what it has handed out to sessions that may come back for it (`recovery` of
        /// Socket.IO); past it the oldest goes, and who comes back for that begins anew.
        #[key(unit = Unit::Bytes, live = true)]
        pub recovery_bytes: Option<usize>,
        /// Messages a session may publish in a second; 0: as many as it can.
        #[key(live = true)]
        pub publish_rate: Option<u32>,
        /// Messages a session may publish at once.
        #[key(live = true, default = "twice `publish_rate`", example = "100")]
        pub publish_burst: Option<u32>,
        /// Open connections; past it accepting pauses.
        #[key(live = true)]
        pub connections: Option<usize>,
        /// Connections accepted in a second; 0: as many as come.
        #[key(live = true)]
        pub accept_rate: Option<u32>,
        /// Connections of one address that nobody has authenticated; 0: any number.
        #[key(live = true)]
        pub unauthenticated_per_address: Option<u32>,
        /// Time to authenticate, where those may do nothing who have not.
        #[key(live = true, unit = Unit::Seconds)]
        pub auth_timeout: Option<u64>,
        /// Time for a request's head.
        #[key(live = true, unit = Unit::Seconds)]
        pub head_timeout: Option<u64>,
        /// Time a connection may be idle between requests.
        #[key(live = true, unit = Unit::Seconds)]
        pub keep_alive: Option<u64>,
        /// How often a silent WebSocket is pinged; two unanswered pings end it.
        #[key(live = true, unit = Unit::Seconds)]
        pub ping_interval: Option<u64>,
        /// How long a reader may take nothing at all of what waits for it.
        #[key(live = true, unit = Unit::Seconds)]
        pub stall_timeout: Option<u64>,
        /// Time over which goodbyes are spread when the server stops.
        #[key(live = true, unit = Unit::Seconds)]
        pub drain_timeout: Option<u64>,
    }
}

dialect::section! {
    /// Who may do what.
    #[derive(Default)]
    pub struct Auth {
        /// Static tokens.
        #[key(live = true)]
        pub token: Vec<Token>,
        /// Tokens that prove themselves (JSON Web Tokens).
        pub jwt: Option<Jwt>,
    }
}

dialect::section! {
    /// Tokens that prove themselves (JSON Web Tokens, RFC 7519). It has one of `secret`, `secret_file`,
    /// `public_key_file`, `jwks_file` and `jwks_url`.
    #[derive(Default)]
    pub struct Jwt {
        /// The secret that tokens are signed with, by HS256, HS384 or HS512: at least 32 bytes beyond this machine.
        pub secret: Option<Secret>,
        /// A file that holds the secret on its first line.
        #[key(example = "\"/etc/chappe/jwt.secret\"")]
        pub secret_file: Option<PathBuf>,
        /// A PEM file with the public key of whoever signs: RSA of 2,048 bits and more, P-256, P-384, Ed25519.
        #[key(example = "\"/etc/chappe/issuer.pem\"")]
        pub public_key_file: Option<PathBuf>,
        /// A file with a JSON Web Key Set, read again every `jwks_refresh`.
        #[key(example = "\"/etc/chappe/jwks.json\"")]
        pub jwks_file: Option<PathBuf>,
        /// Where a JSON Web Key Set is fetched, again every `jwks_refresh`, and when a token names a key that is not in
        /// it: at most every 10 seconds.
        #[key(example = "\"https://login.example/.well-known/jwks.json\"")]
        pub jwks_url: Option<String>,
        /// Certificates of authorities that `jwks_url`'s TLS is trusted by besides the public ones, as a PEM file.
        #[key(default = "none", example = "\"/etc/chappe/our-ca.pem\"")]
        pub jwks_ca: Option<PathBuf>,
        /// How old a key set may become.
        #[key(unit = Unit::Seconds, default = "`300`")]
        pub jwks_refresh: Option<u64>,
        /// The algorithms that are allowed, of HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256,
        /// ES384 and EdDSA.
        #[key(default = "with a secret `HS256`, with `jwks_url` `RS256`, else what the keys are for", example = "[\"ES256\"]")]
        pub algorithms: Vec<String>,
        /// For whom a token must be (`aud`).
        #[key(default = "anybody", example = "\"chappe\"")]
        pub audience: Option<String>,
        /// By whom a token must be issued (`iss`).
        #[key(default = "anybody", example = "\"https://login.example\"")]
        pub issuer: Option<String>,
        /// How far the issuer's clock may be off; tokens are good for so much longer.
        #[key(unit = Unit::Seconds, default = "`0`")]
        pub leeway: Option<u64>,
        /// Whether a token must say when it ends (`exp`).
        #[key(default = "`false` while only this machine can reach the server")]
        pub require_exp: Option<bool>,
        /// How long a token may be good, from when it was issued (`iat`), and one that does not say, from when it is
        /// shown. Then `exp` must be there.
        #[key(unit = Unit::Seconds, default = "as long as it says", example = "86400")]
        pub max_lifetime: Option<u64>,
        /// A file that names tokens that are good no more: in each line the id of one (`jti`), or `sub:NAME` for all of
        /// an owner.
        #[key(live = true, example = "\"/etc/chappe/revoked\"")]
        pub revoked_file: Option<PathBuf>,
        /// The only virtual host tokens are good for.
        #[key(default = "`/`", example = "\"/hello\"")]
        pub vhost: Option<String>,
        /// The claim that names the owner; other members see it.
        #[key(default = "`sub`, else `user_id`", example = "\"user_id\"")]
        pub name_claim: Option<String>,
        /// The claim that may hold grants of the owner's, a list as that of `grants`.
        #[key(default = "`grants`")]
        pub grants_claim: Option<String>,
        /// What every owner of a token may do.
        #[key(default = "none", example = "[\"READ chat.*\"]")]
        pub grants: Vec<String>,
        /// Channels that are the owner's own, with claims in braces: the owner may join them, and no other without a
        /// grant that names them. `{claim!}`, and a claim that names the owner, must be there. With
        /// `{claim|origin.host}` the host of the page takes the place where there is no such claim.
        #[key(default = "none", example = "[\"user({user_id})\", \"site({host|origin.host})\"]")]
        pub channels: Vec<String>,
        /// Whether owners may publish to their own channels.
        pub write_channels: bool,
    }
}

dialect::section! {
    /// A token, and what may be done with it. It has either `token` or `token_file`.
    #[derive(Default)]
    pub struct Token {
        /// Who shows it; other members see this name.
        #[key(live = true, required = true, example = "\"alice\"")]
        pub name: String,
        /// The secret itself.
        #[key(live = true)]
        pub token: Option<Secret>,
        /// A file that holds the secret on its first line.
        #[key(live = true, example = "\"/etc/chappe/alice.token\"")]
        pub token_file: Option<PathBuf>,
        /// The only virtual host it is good for.
        #[key(live = true, default = "`/`", example = "\"/hello\"")]
        pub vhost: Option<String>,
        /// `READ`, `WRITE` or `MANAGE` and a pattern; `**` is every channel that is not assigned.
        #[key(live = true, default = "none", example = "[\"READ chat.*\", \"WRITE **\"]")]
        pub grants: Vec<String>,
    }
}

dialect::section! {
    /// Those who show no token.
    #[derive(Default)]
    pub struct Anonymous {
        /// `READ`, `WRITE` or `MANAGE` and a pattern, as those of tokens.
        #[key(
            live = true,
            default = "everything, where there are no tokens; nothing, where there are",
            example = "[\"READ news.*\"]",
        )]
        pub grants: Vec<String>,
    }
}

dialect::section! {
    /// How channels whose names match behave.
    #[derive(Default)]
    pub struct Channel {
        /// Which channels.
        #[key(required = true, example = "\"news.*\"")]
        pub pattern: String,
        /// What happens to a reader that does not keep up.
        #[key(default = "`disconnect`", example = "\"drop-oldest\"")]
        pub slow: Slow,
        /// Messages kept for those who come back; at most 4 MiB of them.
        #[key(default = "`0`", example = "100")]
        pub window: usize,
    }
}

dialect::words! {
    /// What happens to a reader that does not keep up.
    pub enum Slow {
        /// It is disconnected.
        #[default]
        Disconnect = "disconnect",
        /// The oldest message that waits for it goes.
        DropOldest = "drop-oldest",
        /// Only the newest message waits for it.
        KeepLatest = "keep-latest",
    }
}

dialect::section! {
    /// What each dialect wants to know.
    #[derive(Default)]
    pub struct Dialects {
        /// Plain HTTP.
        pub http: http_dialect::Settings,
        /// The page at the root.
        pub playground: playground_dialect::Settings,
        /// ioTower's rooms.
        pub rooms: rooms_dialect::Settings,
        /// Socket.IO's clients.
        pub socketio: socketio_dialect::Settings,
        /// Watchtower's senders and devices.
        pub watchtower: watchtower_dialect::Settings,
    }
}

impl Config {
    /// Reads a file, if there is one, and lays the environment over it; says where each value comes from.
    ///
    /// # Errors
    /// Everything that is wrong with how it is written. What it means is not asked yet: see
    /// [`Reading::resolve`] for all there is to say.
    pub fn load(
        file: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<(Self, Origins), Problems> {
        let Reading { config, origins, problems } = Reading::of(file, environment);
        if problems.is_empty() { Ok((config, origins)) } else { Err(problems) }
    }
}
