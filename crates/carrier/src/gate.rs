//! Who may knock at an HTTP listener: the Host and Origin rules of the posture, and what CORS says of them.
//!
//! The same rules for every transport and every dialect. Does not know principals or tokens.

/// Which web pages may talk to the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    /// Pages on this machine, and clients that are no page.
    Loopback,
    /// Pages of the same host, pages named here, and clients that are no page.
    Listed(Vec<String>),
    /// Every page.
    Any,
}

/// The rules of one listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gate {
    /// Host names it answers to, in lower case without port; `None`: any.
    pub hosts: Option<Vec<String>>,
    /// Web pages it answers to.
    pub origins: Origins,
}

/// Names of this machine for itself.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

impl Gate {
    /// The rules for a listener that only this machine can reach: a page elsewhere must not reach it through a
    /// visitor's browser, neither by its origin nor by a name that was made to point here.
    #[must_use]
    pub fn loopback() -> Self {
        Self { hosts: Some(LOOPBACK.map(String::from).to_vec()), origins: Origins::Loopback }
    }

    /// Whether a request with this Host and Origin may pass.
    ///
    /// # Errors
    /// A sentence for the peer that says which rule it met, and which setting changes it.
    pub fn check(&self, host: &str, origin: Option<&str>) -> Result<(), &'static str> {
        let name = without_port(host);
        if let Some(hosts) = &self.hosts
            && !hosts.iter().any(|h| h.eq_ignore_ascii_case(name))
        {
            return Err("this Host is not served here; add it to `hosts` of the listener");
        }
        let Some(origin) = origin else { return Ok(()) };
        let allowed = match &self.origins {
            Origins::Any => true,
            Origins::Loopback => origin_host(origin).is_some_and(|h| is_one_of(without_port(h), &LOOPBACK)),
            Origins::Listed(list) => {
                list.iter().any(|o| o.eq_ignore_ascii_case(origin))
                    || origin_host(origin).is_some_and(|h| h.eq_ignore_ascii_case(host))
            }
        };
        if allowed {
            Ok(())
        } else {
            Err("this Origin may not talk to the server; add it to `origins` of the listener")
        }
    }
}

fn is_one_of(name: &str, names: &[&str]) -> bool {
    names.iter().any(|n| n.eq_ignore_ascii_case(name))
}

/// The host and port of an http or https origin.
fn origin_host(origin: &str) -> Option<&str> {
    origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"))
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !name.ends_with(':') => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_gate() {
        let gate = Gate::loopback();
        for (host, origin, passes) in [
            ("localhost:6889", None, true),
            ("LOCALHOST", None, true),
            ("127.0.0.1:6889", Some("http://localhost:3000"), true),
            ("[::1]:6889", Some("https://[::1]"), true),
            ("evil.example", None, false),
            ("localhost.evil.example", None, false),
            ("localhost", Some("https://evil.example"), false),
            ("localhost", Some("http://localhost.evil.example"), false),
            ("localhost", Some("null"), false),
            ("localhost", Some("file://"), false),
        ] {
            assert_eq!(gate.check(host, origin).is_ok(), passes, "{host} {origin:?}");
        }
    }

    #[test]
    fn exposed_gate() {
        let gate = Gate { hosts: None, origins: Origins::Listed(vec!["https://app.example".into()]) };
        assert!(gate.check("chat.example", Some("https://app.example")).is_ok());
        assert!(gate.check("chat.example:8443", Some("https://chat.example:8443")).is_ok());
        assert!(gate.check("chat.example", Some("https://other.example")).is_err());
        assert!(gate.check("chat.example", None).is_ok());
    }
}
