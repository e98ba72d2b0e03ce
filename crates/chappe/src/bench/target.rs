//! Which server: an address of this machine, out of a URL, what is shown to it, and how it is sealed.

use super::sealing::Sealing;
use crate::cli::{Manner, Place, Secret, Tongue};
use crate::client;
use crate::ending::Trouble;
use crate::terminal::harmless;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The server that is measured.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) address: SocketAddr,
    /// Host and port as the request names them.
    host: String,
    path: String,
    /// Where devices are served, when members are devices.
    pub(super) device: Option<SocketAddr>,
    /// What senders of Watchtower register with.
    secret: Option<Secret>,
    /// Shown by every client.
    token: Option<Secret>,
    /// TLS, where it is wanted.
    pub(super) sealing: Option<Sealing>,
}

impl Target {
    /// What the arguments and variables name.
    pub(super) fn of(place: &Place, manner: Option<&Manner>) -> Result<Self, Trouble> {
        let url = place.reach.url()?;
        let mut target = Self::parse(&url).map_err(Trouble::usage)?;
        target.token = place.reach.token()?;
        if let Some(manner) = manner {
            target.secret = Some(manner.secret.clone());
            if manner.tongue == Tongue::Device {
                if !manner.devices.ip().is_loopback() {
                    return Err(Trouble::usage(refusal(&manner.devices.to_string())));
                }
                target.device = Some(manner.devices);
            }
        }
        if let Some(token) = &target.token {
            client::bearer(token)?;
        }
        if is_secure(&url) {
            let ca = place.reach.ca.as_deref();
            if ca.is_none() && !place.insecure_tls {
                return Err(Trouble::usage(
                    "over TLS, name the server's CA with --ca FILE, or take any certificate with \
                            --insecure-tls, since only the cost is measured",
                ));
            }
            target.sealing = Some(Sealing::new(target.name(), ca).map_err(Trouble::usage)?);
        }
        Ok(target)
    }

    /// Reads `ws://127.0.0.1:6889/`; `http` means the same server.
    pub(super) fn parse(url: &str) -> Result<Self, String> {
        if url.contains(['@', '#']) {
            return Err(
                "the URL of a server has no user and no fragment; a token is shown with --token".into()
            );
        }
        let malformed = || format!("`{}` is no address; write it as ws://127.0.0.1:6889/", harmless(url));
        let (scheme, rest) = url.split_once("://").ok_or_else(malformed)?;
        let usual_port = match scheme {
            "ws" | "http" => 80,
            "wss" | "https" => 443,
            _ => return Err(malformed()),
        };
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        let (name, port) = match authority.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => (name, port.parse().map_err(|_| malformed())?),
            _ => (authority, usual_port),
        };
        let bare = unbracketed(name);
        let ip = match bare.parse::<IpAddr>() {
            Ok(ip) => ip,
            Err(_) if bare.eq_ignore_ascii_case("localhost") => Ipv4Addr::LOCALHOST.into(),
            Err(_) if bare.is_empty() => return Err(malformed()),
            Err(_) => return Err(refusal(bare)),
        };
        if !ip.is_loopback() {
            return Err(refusal(bare));
        }
        let well_formed = !path.bytes().any(|b| b <= b' ' || b == 0x7f);
        if !well_formed {
            return Err(malformed());
        }
        let (address, host, path) = (SocketAddr::new(ip, port), authority.into(), path.into());
        Ok(Self { address, host, path, device: None, secret: None, token: None, sealing: None })
    }

    /// Host and port as requests name them.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// What senders of Watchtower register with.
    pub(super) fn secret(&self) -> &str {
        self.secret.as_ref().map(Secret::reveal).unwrap_or_default()
    }

    /// The host, as a certificate names it.
    fn name(&self) -> &str {
        let without_port = self.host.strip_suffix(&format!(":{}", self.address.port()));
        unbracketed(without_port.unwrap_or(&self.host))
    }

    /// The header that shows the token; nothing where there is none.
    pub(super) fn credentials(&self) -> String {
        let token = self.token.as_ref();
        token.map(|t| format!("Authorization: Bearer {}\r\n", t.reveal())).unwrap_or_default()
    }

    /// The request that makes a connection a WebSocket.
    pub(super) fn request(&self) -> Vec<u8> {
        self.request_at(&self.path)
    }

    /// The same at another path.
    pub(super) fn request_at(&self, path: &str) -> Vec<u8> {
        let (host, token) = (&self.host, self.credentials());
        format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{token}\r\n"
        )
        .into_bytes()
    }
}

fn is_secure(url: &str) -> bool {
    url.starts_with("wss://") || url.starts_with("https://")
}

fn unbracketed(host: &str) -> &str {
    host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host)
}

fn refusal(host: &str) -> String {
    format!(
        "`{host}` is not this machine; `chappe bench` loads only loopback addresses, so that it never becomes \
         an attack on somebody: run it where the server runs"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_addresses() {
        for (url, address, path) in [
            ("ws://127.0.0.1:6889/", "127.0.0.1:6889", "/"),
            ("ws://localhost:1", "127.0.0.1:1", "/"),
            ("ws://[::1]:6889/hello?a=b", "[::1]:6889", "/hello?a=b"),
            ("ws://[::1]/", "[::1]:80", "/"),
            ("ws://127.8.0.1/x", "127.8.0.1:80", "/x"),
            ("http://127.0.0.1:6889", "127.0.0.1:6889", "/"),
            ("wss://localhost", "127.0.0.1:443", "/"),
            ("https://[::1]:8", "[::1]:8", "/"),
        ] {
            let target = Target::parse(url).unwrap();
            assert_eq!((target.address.to_string().as_str(), target.path.as_str()), (address, path), "{url}");
        }
        let request = Target::parse("ws://localhost:1/x").unwrap().request();
        assert!(request.starts_with(b"GET /x HTTP/1.1\r\nHost: localhost:1\r\n"));
    }

    #[test]
    fn everything_else_is_refused() {
        for url in ["ws://192.168.1.1:6889/", "ws://example.com/", "ws://[2001:db8::1]/", "ws://0.0.0.0:1/"] {
            assert!(Target::parse(url).unwrap_err().contains("is not this machine"), "{url}");
        }
        for url in ["ftp://127.0.0.1/", "127.0.0.1:6889", "ws://127.0.0.1:x/", "ws:///", "ws://[::1]:1/ a"] {
            assert!(Target::parse(url).unwrap_err().contains("is no address"), "{url}");
        }
    }

    #[test]
    fn names_of_certificates() {
        for (url, name) in
            [("wss://localhost", "localhost"), ("wss://127.0.0.1:8/", "127.0.0.1"), ("wss://[::1]:8", "::1")]
        {
            assert_eq!(Target::parse(url).unwrap().name(), name);
        }
    }

    #[test]
    fn tokens_are_shown_to_the_server_and_nobody_else() {
        let mut target = Target::parse("ws://localhost:1/x").unwrap();
        target.token = "hush".parse().ok();
        assert!(
            String::from_utf8(target.request()).unwrap().contains("\r\nAuthorization: Bearer hush\r\n\r\n")
        );
        assert!(!format!("{target:?}").contains("hush"));
        assert!(!Target::parse("ws://me:hush@localhost").unwrap_err().contains("hush"));
    }
}
