//! The configuration as it was written: TOML, then the environment. Everything optional, unknown keys refused.
//!
//! What it means is in [`settings`](crate::settings).

use serde::Deserialize;
use std::fmt;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// Environment variables that begin so overlay the file: `CHAPPE__LIMITS__MESSAGE_BYTES=1000`.
pub const PREFIX: &str = "CHAPPE__";

/// A configuration file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Threads that serve; as many as there are cores when not said.
    pub shards: Option<u16>,
    /// Serve beyond this machine without any authentication.
    pub insecure: bool,
    /// Where to listen.
    pub listener: Vec<Listener>,
    /// Bounds.
    pub limits: Limits,
    /// Who may do what.
    pub auth: Auth,
    /// What those may do who show no token.
    pub anonymous: Option<Anonymous>,
    /// Channels that behave in some way.
    pub channel: Vec<Channel>,
    /// Patterns of channels that nobody may join or publish to without a grant that names the pattern.
    pub assigned: Vec<String>,
    /// What each dialect wants to know.
    pub dialect: Dialects,
    /// What holds for WebSockets of every dialect.
    pub websocket: WebSocket,
    /// Addresses, or networks as `10.0.0.0/8`, of proxies whose word on where a peer comes from is taken.
    pub proxies: Vec<String>,
    /// Where operators look.
    pub admin: Admin,
    /// How the log is written.
    pub log: Log,
}

/// What holds for WebSockets of every dialect.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebSocket {
    /// Whether messages are compressed for clients that offer it (permessage-deflate, RFC 7692).
    pub deflate: bool,
}

/// What nobody may see who reads a log or a printed configuration.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The secret itself.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Where operators look: health and metrics.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Admin {
    /// An address and port, or `off`; `127.0.0.1:6890` when not said.
    pub address: Option<String>,
    /// The secret that must be shown; there must be one beyond this machine.
    pub token: Option<Secret>,
    /// A file that holds the secret on its first line.
    pub token_file: Option<PathBuf>,
}

/// How the log is written, to the standard error.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// Lines for people, or JSON.
    pub format: LogFormat,
    /// What is written, as `info` or `carrier=debug`.
    pub filter: Option<String>,
}

/// How a line of the log looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Where to listen, for whom.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listener {
    /// An address and port: `127.0.0.1:6889`; or `unix:/run/chappe.sock`; or `systemd:NAME`, a socket that systemd
    /// has opened under that name.
    pub address: String,
    /// The virtual host it opens to.
    pub vhost: Option<String>,
    /// Names it answers to, beyond those of this machine for itself.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// Web pages that may talk to it: `https://app.example`, or `*`.
    #[serde(default)]
    pub origins: Vec<String>,
    /// Certificates, when it speaks TLS. The first is shown to clients that name no server.
    #[serde(default)]
    pub tls: Vec<Certificate>,
    /// Whether each connection begins with a PROXY protocol header, which is then believed from `proxies` only.
    #[serde(default)]
    pub proxy_protocol: bool,
}

impl Listener {
    /// A listener there, and nothing else said of it.
    #[must_use]
    pub fn at(address: String) -> Self {
        Self {
            address,
            vhost: None,
            hosts: Vec::new(),
            origins: Vec::new(),
            tls: Vec::new(),
            proxy_protocol: false,
        }
    }
}

/// A certificate and its key, as PEM files. Read again when they change.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// The chain, the server's own certificate first.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Bounds that can be set. Sizes in bytes, times in seconds; the defaults are those of `model::Limits`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// One message.
    pub message_bytes: Option<usize>,
    /// What may wait for one slow reader.
    pub pending_bytes: Option<usize>,
    /// What may wait for all slow readers together; a quarter of the machine's memory when not said.
    pub memory_budget: Option<usize>,
    /// Channels one session may join.
    pub channels_per_session: Option<u32>,
    /// How long a channel that everybody has left keeps its window.
    pub window_timeout: Option<u64>,
    /// What the windows of channels that everybody has left may take together.
    pub window_bytes: Option<usize>,
    /// Messages a session may publish in a second; 0: as many as it can.
    pub publish_rate: Option<u32>,
    /// Messages a session may publish at once.
    pub publish_burst: Option<u32>,
    /// Open connections.
    pub connections: Option<usize>,
    /// Connections accepted in a second; 0: as many as come.
    pub accept_rate: Option<u32>,
    /// Connections of one address that nobody has authenticated; 0: any number.
    pub unauthenticated_per_address: Option<u32>,
    /// Time to authenticate, where those may do nothing who have not.
    pub auth_timeout: Option<u64>,
    /// Time for a request's head.
    pub head_timeout: Option<u64>,
    /// Time a connection may be idle between requests.
    pub keep_alive: Option<u64>,
    /// How often a silent WebSocket is pinged.
    pub ping_interval: Option<u64>,
    /// The time over which goodbyes are spread.
    pub drain_timeout: Option<u64>,
}

/// Authentication.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Auth {
    /// Static tokens.
    pub token: Vec<Token>,
}

/// A token, and what may be done with it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// Who shows it; other members see this name.
    pub name: String,
    /// The secret itself.
    pub token: Option<Secret>,
    /// A file that holds the secret on its first line.
    pub token_file: Option<PathBuf>,
    /// The only virtual host it is good for; `/` when not said.
    pub vhost: Option<String>,
    /// `READ chat.*`, `WRITE **`, …
    #[serde(default)]
    pub grants: Vec<String>,
}

/// Those who show no token.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Anonymous {
    /// `READ chat.*`, `WRITE **`, …
    pub grants: Vec<String>,
}

/// How channels whose names match behave.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Channel {
    /// Which channels.
    pub pattern: String,
    /// `disconnect`, `drop-oldest` or `keep-latest`.
    #[serde(default)]
    pub slow: Slow,
    /// Messages kept for those who come back.
    #[serde(default)]
    pub window: usize,
}

/// What happens to a reader that does not keep up.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Slow {
    /// It is disconnected.
    #[default]
    Disconnect,
    /// The oldest message that waits for it goes.
    DropOldest,
    /// Only the newest message waits for it.
    KeepLatest,
}

/// What each dialect wants to know.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Dialects {
    /// Plain HTTP.
    pub http: http_dialect::Settings,
    /// The page at the root.
    pub playground: playground_dialect::Settings,
    /// ioTower's rooms.
    pub rooms: rooms_dialect::Settings,
}

/// Why there is no configuration.
#[derive(Debug)]
pub enum ConfigError {
    /// The file cannot be read.
    Unreadable(PathBuf, std::io::Error),
    /// The file is not TOML, or says something there is no such thing as: the words name line and key.
    Malformed(Option<PathBuf>, String),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(path, e) => write!(f, "cannot read {}: {e}", path.display()),
            Self::Malformed(Some(path), words) => write!(f, "{}: {words}", path.display()),
            Self::Malformed(None, words) => write!(f, "environment: {words}"),
        }
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Reads a file, if there is one, and lays the environment over it.
    ///
    /// # Errors
    /// When the file cannot be read, or either says something that is not understood.
    pub fn load(
        file: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let text = match file {
            Some(path) => {
                std::fs::read_to_string(path).map_err(|e| ConfigError::Unreadable(path.to_owned(), e))?
            }
            None => String::new(),
        };
        let malformed =
            |e: toml::de::Error| ConfigError::Malformed(file.map(Path::to_owned), place(&text, &e));
        let written: Self = toml::from_str(&text).map_err(malformed)?;
        let mut overlay: Vec<_> =
            environment.filter_map(|(k, v)| Some((k.strip_prefix(PREFIX)?.to_lowercase(), v))).collect();
        if overlay.is_empty() {
            return Ok(written);
        }
        overlay.sort();
        let mut table: Table = text.parse().map_err(malformed)?;
        for (key, value) in overlay {
            lay(&mut table, &key, &value)?;
        }
        Self::deserialize(Value::Table(table)).map_err(|e| ConfigError::Malformed(None, e.to_string()))
    }
}

/// What is wrong, and where. Not the line itself, which may hold a secret.
fn place(text: &str, e: &toml::de::Error) -> String {
    let Some(before) = e.span().and_then(|s| text.get(..s.start)) else { return e.message().to_owned() };
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    format!("line {line}, column {column}: {}", e.message())
}

/// Puts one variable into the table; its key has two underscores between levels.
fn lay(table: &mut Table, key: &str, value: &str) -> Result<(), ConfigError> {
    let mut levels: Vec<_> = key.split("__").collect();
    let last = levels.pop().unwrap_or_default();
    let mut place = table;
    for level in levels {
        let inner = place.entry(level).or_insert_with(|| Value::Table(Table::new()));
        let Value::Table(inner) = inner else {
            return Err(ConfigError::Malformed(None, format!("{key}: `{level}` is no section")));
        };
        place = inner;
    }
    // Numbers, lists and so on as TOML writes them; everything else is text.
    let parsed = format!("v = {value}").parse::<Table>().ok().and_then(|mut t| t.remove("v"));
    place.insert(last.into(), parsed.unwrap_or_else(|| Value::String(value.into())));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(vars: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::load(None, vars.iter().map(|(k, v)| ((*k).into(), (*v).into())))
    }

    #[test]
    fn the_environment_overlays() {
        let c = env(&[
            ("CHAPPE__LIMITS__MESSAGE_BYTES", "1000"),
            ("CHAPPE__SHARDS", "3"),
            ("CHAPPE__ANONYMOUS__GRANTS", r#"["READ **"]"#),
            ("CHAPPE_URL", "not ours"),
        ])
        .unwrap();
        assert_eq!((c.limits.message_bytes, c.shards), (Some(1000), Some(3)));
        assert_eq!(c.anonymous.unwrap().grants, ["READ **"]);
    }

    #[test]
    fn unknown_keys_are_named() {
        let e = env(&[("CHAPPE__LIMITS__MESAGE_BYTES", "1")]).unwrap_err().to_string();
        assert!(e.contains("mesage_bytes") && e.contains("message_bytes"), "{e}");
    }

    #[test]
    fn errors_name_the_line_and_do_not_show_it() {
        let text = "shards = 1\n[[auth.token]]\nname = 'a'\ntokn = 'hush'\n";
        let e = toml::from_str::<Config>(text).unwrap_err();
        let words = place(text, &e);
        assert!(words.starts_with("line 4, column 1: unknown field `tokn`"), "{words}");
        assert!(!words.contains("hush"));
    }

    #[test]
    fn secrets_are_not_printed() {
        let c: Config = toml::from_str("[[auth.token]]\nname = 'a'\ntoken = 'hush'\n").unwrap();
        assert!(!format!("{c:?}").contains("hush"));
    }
}
