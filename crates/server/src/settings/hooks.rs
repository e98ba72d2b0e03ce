//! What callbacks may do: the posture's default, the bounds, whom they may lead to, what signs them.

use super::{Posture, Problem, Problems, bounds, who};
use crate::config;
use model::{Limits, Network};
use node::hooks::{Guard, HookSettings, QueueRules, Signer, trust};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::path::Path;
use std::time::Duration;

/// `None`: something is wrong that has been said.
pub(super) fn hooks(
    written: &config::Hooks,
    posture: Posture,
    limits: &Limits,
    problems: &mut Problems,
) -> Option<HookSettings> {
    let authorities =
        written.ca.as_deref().map_or_else(Vec::new, |file| authorities("hooks.ca", file, problems));
    let d = HookSettings::new(trust(&authorities).map_err(|e| problems.push(unusable("hooks", &e))).ok()?);
    let seconds = |s: Option<u64>, default| s.map_or(default, Duration::from_secs);
    let settings = HookSettings {
        guard: guard(written, posture, problems),
        queue: QueueRules {
            messages: written.queue_messages.unwrap_or(d.queue.messages),
            bytes: written.queue_bytes.unwrap_or(d.queue.bytes),
            max_age: seconds(written.max_age, d.queue.max_age),
            backoff: seconds(written.backoff, d.queue.backoff),
            backoff_max: seconds(written.backoff_max, d.queue.backoff_max),
            failures: written.failures.unwrap_or(d.queue.failures),
        },
        timeout: seconds(written.timeout, d.timeout),
        challenge: written.challenge,
        signer: signer(written, problems),
        concurrency: written.concurrency.unwrap_or(d.concurrency),
        hooks: written.open.unwrap_or(d.hooks),
        per_host: written.per_host.unwrap_or(d.per_host),
        per_principal: written.per_principal.unwrap_or(d.per_principal),
        memory: written.memory.unwrap_or(d.memory),
        patience: d.patience,
        tls: d.tls,
    };
    check(&settings, limits, problems);
    Some(settings)
}

pub(super) fn unusable(path: &str, e: &rustls::Error) -> Problem {
    Problem::new(path, format!("TLS cannot be used: {e}"), "this is a fault of the program; please report it")
}

/// The certificates of a PEM file that stands under this key.
pub(super) fn authorities(key: &str, file: &Path, problems: &mut Problems) -> Vec<CertificateDer<'static>> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let what = match read {
        Ok(found) if !found.is_empty() => return found,
        Ok(_) => format!("there is no certificate in {}", file.display()),
        Err(e) => format!("cannot read {}: {e}", file.display()),
    };
    problems.push(Problem::new(key, what, "name a PEM file that this user may read, with certificates"));
    Vec::new()
}

fn guard(written: &config::Hooks, posture: Posture, problems: &mut Problems) -> Guard {
    let private = written.private.unwrap_or(posture == Posture::Loopback);
    let mut guard = Guard { private, ..Guard::default() };
    for (number, text) in written.allow.iter().enumerate() {
        match Network::parse(text) {
            Some(network) => guard.networks.push(network),
            None if is_host(text) => guard.hosts.push(text.to_ascii_lowercase()),
            None => problems.push(Problem::new(
                format!("hooks.allow.{number}"),
                format!("`{text}` is no address, network or host name"),
                "write it as 192.0.2.1, 10.0.0.0/8 or ci.internal",
            )),
        }
    }
    guard
}

/// Letters, digits, hyphens and dots, and not only what would be an address with something missing.
fn is_host(text: &str) -> bool {
    let known = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    text.bytes().all(known) && text.bytes().any(|b| b.is_ascii_alphabetic()) && text.len() <= 253
}

fn signer(written: &config::Hooks, problems: &mut Problems) -> Option<Signer> {
    let keys = ("hooks", "secret");
    let secret = who::secret(keys, written.secret.as_ref(), written.secret_file.as_deref(), problems)?;
    let wrong = |what| {
        let path = if written.secret.is_some() { "hooks.secret" } else { "hooks.secret_file" };
        Problem::new(
            path,
            format!("the secret cannot sign: {what}"),
            "make one: `echo whsec_$(openssl rand -base64 32)`",
        )
    };
    Signer::new(&secret).map_err(|what| problems.push(wrong(what))).ok()
}

fn check(settings: &HookSettings, limits: &Limits, problems: &mut Problems) {
    let zeros = [
        ("timeout", settings.timeout.is_zero()),
        ("max_age", settings.queue.max_age.is_zero()),
        ("backoff", settings.queue.backoff.is_zero()),
        ("backoff_max", settings.queue.backoff_max.is_zero()),
        ("failures", settings.queue.failures == 0),
        ("queue_messages", settings.queue.messages == 0),
        ("concurrency", settings.concurrency == 0),
    ];
    bounds::of_use("hooks", &zeros, problems);
    let queue = settings.queue.bytes;
    bounds::two_messages("hooks.queue_bytes", queue, limits.message_bytes, problems);
    if settings.memory < queue {
        let what = format!("{} is less than one callback may take, {queue}", settings.memory);
        let fix = format!("make it at least {queue}");
        problems.push(Problem::new("hooks.memory", what, fix).about(&["hooks.queue_bytes"]));
    }
}

#[cfg(test)]
mod tests {
    use crate::Settings;
    use node::hooks::HookSettings;

    fn hooks(text: &str) -> Result<HookSettings, String> {
        let config = toml::from_str(text).unwrap();
        Settings::resolve(&config).map(|s| s.hooks).map_err(|p| p.to_string())
    }

    #[test]
    fn private_receivers_are_for_servers_of_this_machine() {
        let exposed = "insecure = true\n[[listener]]\naddress = '0.0.0.0:0'\n";
        let ip = "127.0.0.1".parse().unwrap();
        assert!(hooks("").unwrap().guard.allows(ip));
        assert!(!hooks(exposed).unwrap().guard.allows(ip));
        assert!(!hooks("hooks.private = false").unwrap().guard.allows(ip));
        assert!(hooks(&format!("{exposed}[hooks]\nprivate = true")).unwrap().guard.allows(ip));
        let listed = hooks(&format!("{exposed}[hooks]\nallow = ['127.0.0.0/8', 'CI.internal']")).unwrap();
        assert!(listed.guard.allows(ip) && listed.guard.trusts("ci.internal"));
        assert!(!listed.guard.allows("10.0.0.1".parse().unwrap()));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, key, fix) in [
            ("hooks.allow = ['10.0.0.0/33']", "hooks.allow", "10.0.0.0/8"),
            ("hooks.allow = ['http://x/']", "hooks.allow", "ci.internal"),
            ("hooks.secret = 'short'", "hooks.secret:", "openssl rand"),
            ("hooks.secret_file = '/no/such'", "hooks.secret_file", "may read"),
            ("hooks.secret = 'x'\nhooks.secret_file = 'y'", "hooks.secret_file", "one of the two"),
            ("hooks.ca = '/no/such'", "hooks.ca", "PEM"),
            ("hooks.timeout = 0", "hooks.timeout", "at least 1"),
            ("hooks.queue_bytes = 1000", "hooks.queue_bytes", "at least 4194304"),
            ("hooks.memory = 1000", "hooks.memory", "at least"),
        ] {
            let words = hooks(text).unwrap_err();
            assert!(words.contains(key) && words.contains(fix), "{text}: {words}");
            assert!(!words.contains("short"), "a secret is shown: {words}");
        }
    }
}
