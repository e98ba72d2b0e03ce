//! Certificates: until when they are valid, and whether the chain is one. Whether they can be read and belong to
//! their keys is a matter of the configuration.

use super::finding::Finding;
use server::config::Config;
use std::path::Path;
use x509_cert::Certificate;
use x509_cert::der::{DateTime, Decode};

/// Days before the end at which somebody should be told.
const SOON: u64 = 14;
const DAY: u64 = 86_400;

/// What matters of a certificate. Times in seconds since 1970.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Facts {
    pub(super) subject: String,
    pub(super) issuer: String,
    pub(super) from: u64,
    pub(super) to: u64,
}

/// What was found about the certificates of all listeners. Those that cannot be read have been named already.
pub(super) fn findings(written: &Config) -> Vec<Finding> {
    let now = node::Clock::start().now().wall_ms / 1000;
    let mut files: Vec<&Path> = Vec::new();
    for file in written.listener.iter().flat_map(|l| &l.tls).map(|t| t.cert.as_path()) {
        if !files.contains(&file) {
            files.push(file);
        }
    }
    let look = |file: &Path| {
        let chain = carrier::net::chain(file).ok()?;
        let facts: Result<Vec<_>, _> = chain.iter().map(|der| facts(der)).collect();
        Some(match facts {
            Ok(chain) => judge(file, &chain, now),
            Err(e) => Finding::bad(item(file), format!("is no certificate that can be read: {e}")),
        })
    };
    files.into_iter().filter_map(look).collect()
}

fn facts(der: &[u8]) -> Result<Facts, x509_cert::der::Error> {
    let certificate = Certificate::from_der(der)?;
    let tbs = certificate.tbs_certificate();
    let validity = tbs.validity();
    Ok(Facts {
        subject: tbs.subject().to_string(),
        issuer: tbs.issuer().to_string(),
        from: validity.not_before.to_unix_duration().as_secs(),
        to: validity.not_after.to_unix_duration().as_secs(),
    })
}

fn item(file: &Path) -> String {
    let name =
        file.file_name().map_or_else(|| file.display().to_string(), |n| n.to_string_lossy().into_owned());
    format!("certificate {name}")
}

/// A chain, the server's own certificate first, at `now` in seconds since 1970.
pub(super) fn judge(file: &Path, chain: &[Facts], now: u64) -> Finding {
    let item = item(file);
    let renew = format!("put a new chain into {}", file.display());
    let (Some(own), Some(first)) = (chain.first(), chain.iter().min_by_key(|c| c.to)) else {
        return Finding::bad(item, "there is no certificate in it");
    };
    let whose = if first == own { String::new() } else { format!(" (that of {})", first.subject) };
    if first.to <= now {
        let says =
            format!("expired {} days ago, on {}{whose}; {renew}", (now - first.to) / DAY, date(first.to));
        return Finding::bad(item, says);
    }
    if let Some(early) = chain.iter().find(|c| c.from > now) {
        return Finding::bad(
            item,
            format!("is valid only from {}; see that the clock is right", date(early.from)),
        );
    }
    let days = (first.to - now) / DAY;
    let left = format!("valid for {days} more days, until {}{whose}", date(first.to));
    if days < SOON {
        return Finding::better(item, format!("{left}; {renew}"));
    }
    let broken =
        chain.windows(2).find(|pair| pair.first().map(|a| &a.issuer) != pair.get(1).map(|b| &b.subject));
    if let Some([one, next]) = broken {
        let says = format!(
            "after the certificate of {} comes that of {}, which has not issued it; put each issuer after what it has \
             issued",
            one.subject, next.subject
        );
        return Finding::better(item, says);
    }
    if own.subject == own.issuer {
        return Finding::better(item, format!("{left}; it vouches for itself, which browsers do not accept"));
    }
    Finding::good(item, left)
}

/// A day, from seconds since 1970.
pub(super) fn date(seconds: u64) -> String {
    let date = DateTime::from_unix_duration(std::time::Duration::from_secs(seconds));
    date.map_or_else(
        |_| format!("{} days after 1970", seconds / DAY),
        |d| format!("{:04}-{:02}-{:02}", d.year(), d.month(), d.day()),
    )
}
