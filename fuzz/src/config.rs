//! The configuration: TOML and the environment into settings.
//!
//! An input is a file; lines of the form `#env KEY=VALUE` in it are the environment as well. Holds that what is
//! refused is refused with words, and that settings keep what the rest of the program relies on. Memory is not
//! bounded: operators write it, and a TOML parser may spend a kilobyte on a dot.

use model::Time;
use server::Settings;
use server::config::{Config, PREFIX, Reading};
use server::settings::Posture;
use std::path::Path;

pub(crate) const WORDS: &[&str] = &[
    "[[listener]]\n",
    "address = \"127.0.0.1:0\"\n",
    "address = \"0.0.0.0:1\"\n",
    "address = \"unix:/x\"\n",
    "address = \"systemd:a\"\n",
    "insecure = true\n",
    "shards = 2\n",
    "[limits]\n",
    "message_bytes = 1\n",
    "pending_bytes = 4\n",
    "publish_rate = 0\n",
    "[[auth.token]]\n",
    "name = \"a\"\n",
    "token = \"b\"\n",
    "grants = [\"READ **\"]\n",
    "[anonymous]\n",
    "[[channel]]\n",
    "pattern = \"a.*\"\n",
    "window = 5\n",
    "slow = \"keep-latest\"\n",
    "[dialect.http]\n",
    "[dialect.rooms]\n",
    "[admin]\n",
    "proxies = [\"10.0.0.0/8\"]\n",
    "9223372036854775807",
    "-1",
    "#env SHARDS=2\n",
    "#env LIMITS__MESSAGE_BYTES=",
    "vhost = \"/a\"\n",
    "\"\"\"",
    "''",
];

pub(crate) fn check(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let environment = || {
        let lines = text.lines().filter_map(|line| line.strip_prefix("#env ")?.split_once('='));
        lines.map(|(key, value)| (format!("{PREFIX}{key}"), value.to_owned()))
    };
    let written = toml::from_str::<Config>(text).map_err(|e| e.message().to_owned());
    let overlaid = Config::load(None, environment()).map(|(config, _)| config).map_err(|e| e.to_string());
    let whole = Reading::of_text(text, Path::new("chappe.toml"), environment());
    if !names_file(&whole.config) {
        let problems = whole.resolve().err().unwrap_or_default();
        problems.iter().for_each(|p| assert!(p.to_string().len() > 10, "{p}"));
    }
    for config in [written, overlaid] {
        match config {
            Ok(config) => meaning(&config),
            Err(words) => assert!(!words.is_empty()),
        }
    }
}

fn names_file(config: &Config) -> bool {
    config.admin.token_file.is_some()
        || config.auth.token.iter().any(|t| t.token_file.is_some())
        || config.listener.iter().any(|l| !l.tls.is_empty())
}

/// What it means, unless it names files: they are another matter, and some have no end.
fn meaning(config: &Config) {
    if names_file(config) {
        return;
    }
    let settings = match Settings::resolve(config) {
        Ok(settings) => settings,
        Err(problems) => {
            assert!(!problems.is_empty());
            return problems.iter().for_each(|p| assert!(p.to_string().len() > 10, "{p}"));
        }
    };
    let Settings { posture, open, shards, listeners, limits, tokens, anonymous, admin, .. } = settings;
    assert!(shards > 0 && !listeners.is_empty());
    // Nobody is let in from beyond this machine unless somebody said so.
    let exposed = listeners.iter().any(|l| l.place.is_exposed());
    assert_eq!(posture == Posture::Exposed, exposed);
    assert!(!exposed || !tokens.is_empty() || config.insecure);
    assert_eq!(open, exposed && tokens.is_empty());
    assert!(tokens.is_empty() || anonymous.is_none() || config.anonymous.is_some());
    assert!(tokens.iter().all(|t| !t.secret.is_empty()));
    assert!(admin.is_none_or(|a| a.token.is_some() || a.address.ip().is_loopback()));
    // Bounds that others add to and divide by.
    assert!(limits.message_bytes > 0 && limits.pending_bytes / 2 >= limits.message_bytes);
    assert!(limits.connections > 0 && limits.channels_per_session > 0);
    assert!(limits.publish_rate.is_none_or(|(rate, burst)| rate > 0 && burst > 0));
    let times = [limits.head_timeout, limits.keep_alive, limits.ping_interval];
    assert!(times.iter().all(|time| !time.is_zero()));
    let times = [limits.auth_timeout, limits.drain_timeout, limits.window_timeout].into_iter().chain(times);
    times.for_each(|time| assert!(Time(1) + time >= Time(1)));
}
