//! What can be changed in a server that runs: who may do what, bounds, certificates.
//!
//! Changes nothing by itself; it is told to, by a signal or by a program that embeds the server.

use crate::settings::{Place, Posture, Settings};
use carrier::net::Identities;
use carrier::{Rules, Wiring};
use node::{Exchange, Jwt, StaticTokens};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

/// When a file was last written, and its length; `None`: it cannot be looked at.
pub(crate) type Look = Option<(SystemTime, u64)>;

/// The handles of a server that runs.
#[derive(Clone)]
pub struct Controls {
    pub(crate) exchange: Arc<Exchange>,
    pub(crate) wiring: Arc<Wiring>,
    pub(crate) authority: Arc<StaticTokens>,
    pub(crate) jwt: Option<Arc<Jwt>>,
    pub(crate) identities: Vec<Arc<Identities>>,
    /// What the certificates' files looked like when they were last read.
    pub(crate) seen: Arc<Mutex<Vec<Look>>>,
    /// Who could reach it when it started.
    pub(crate) posture: Posture,
    /// The listeners that are open, in the order of their ports.
    pub(crate) listeners: Vec<Place>,
}

impl Controls {
    /// What the shards share.
    #[must_use]
    pub fn exchange(&self) -> &Arc<Exchange> {
        &self.exchange
    }

    /// Takes over what can change while the server runs: tokens and anonymous grants, what is taken back of
    /// tokens that prove themselves, hosts and origins of the listeners, limits, certificates. Sessions whose token is gone, or may do something else now, are ended. Everything
    /// else stays as it was when the server started.
    ///
    /// # Errors
    /// The settings are for a server that only this machine can reach, and this one has a listener that others can:
    /// nothing changes, since what is right there, that anybody may do anything, was never asked for here.
    pub fn adopt(&self, settings: &Settings) -> Result<(), &'static str> {
        if settings.posture == Posture::Loopback && self.posture == Posture::Exposed {
            return Err(
                "the configuration has no listener that others can reach, and the server has: it would be \
                        open to anybody; start it again to close that listener",
            );
        }
        let before = self.wiring.rulebook.rules();
        let gates = self.listeners.iter().zip(&before.gates).map(|(place, gate)| {
            let same = settings.listeners.iter().find(|l| l.place == *place);
            same.map_or_else(|| gate.clone(), |l| l.gate.clone())
        });
        let rules = Rules { limits: settings.limits.clone(), gates: gates.collect() };
        if let (Some(jwt), Some(now)) = (&self.jwt, &settings.jwt) {
            jwt.revoke(now.revoked.clone());
        }
        self.authority.replace(settings.tokens.clone(), settings.anonymous.clone());
        self.wiring.rulebook.replace(rules);
        for shard in 0..self.exchange.shards() {
            self.exchange.inbox(shard).ring();
        }
        self.renew_certificates();
        Ok(())
    }

    /// Reads certificates again whose files have changed. Those that cannot be used are left as they were.
    pub fn renew_certificates(&self) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let now = looks(&self.identities);
        if *seen == now {
            return;
        }
        *seen = now;
        for identities in &self.identities {
            match identities.reload() {
                Ok(()) => tracing::info!("certificates have been read again"),
                Err(error) => tracing::error!(%error, "certificates stay as they were"),
            }
        }
    }
}

/// What the files of certificates look like.
pub(crate) fn looks(identities: &[Arc<Identities>]) -> Vec<Look> {
    let look = |path: &PathBuf| {
        let file = std::fs::metadata(path).ok()?;
        Some((file.modified().ok()?, file.len()))
    };
    identities.iter().flat_map(|i| i.files()).flat_map(|(cert, key)| [look(cert), look(key)]).collect()
}

#[cfg(test)]
mod tests {
    use crate::{Settings, start};
    use model::{Now, VHostName};

    fn settings(listener: &str, token: Option<&str>) -> Settings {
        let token = token.map(|t| format!("[[auth.token]]\nname='ann'\ntoken='{t}'\n")).unwrap_or_default();
        let text =
            format!("shards = 1\nadmin.address = 'off'\n[[listener]]\naddress = '{listener}'\n{token}");
        Settings::resolve(&toml::from_str(&text).unwrap()).unwrap()
    }

    #[test]
    fn a_server_within_reach_is_not_opened_by_settings_for_one_that_is_not() {
        let running = start(settings("0.0.0.0:0", Some("first"))).unwrap();
        let controls = running.controls();
        let known = |token| controls.exchange().recognises(token, &VHostName::root(), Now::default());
        let words = controls.adopt(&settings("127.0.0.1:0", None)).unwrap_err();
        assert!(words.contains("open to anybody"), "{words}");
        assert_eq!((known(None), known(Some("first"))), (Some(false), Some(true)));
        controls.adopt(&settings("0.0.0.0:0", Some("second"))).unwrap();
        assert_eq!((known(None), known(Some("second"))), (Some(false), Some(true)));
        controls.exchange().drain();
        running.wait().unwrap();
    }
}
