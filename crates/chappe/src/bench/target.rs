//! Which server: an address of this machine, out of a URL.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The server that is measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) address: SocketAddr,
    /// Host and port as the request names them.
    host: String,
    path: String,
}

impl Target {
    /// Reads `ws://127.0.0.1:6889/`.
    pub(super) fn parse(url: &str) -> Result<Self, String> {
        let malformed = || format!("`{url}` is no address; write it as ws://127.0.0.1:6889/");
        let rest = url.strip_prefix("ws://").ok_or_else(malformed)?;
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        let (name, port) = match authority.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => (name, port.parse().map_err(|_| malformed())?),
            _ => (authority, 80),
        };
        let bare = name.strip_prefix('[').and_then(|n| n.strip_suffix(']')).unwrap_or(name);
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
        Ok(Self { address: SocketAddr::new(ip, port), host: authority.into(), path: path.into() })
    }

    /// The request that makes a connection a WebSocket.
    pub(super) fn request(&self) -> Vec<u8> {
        let Self { host, path, .. } = self;
        format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        .into_bytes()
    }
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
        for url in ["http://127.0.0.1/", "127.0.0.1:6889", "ws://127.0.0.1:x/", "ws:///", "ws://[::1]:1/ a"] {
            assert!(Target::parse(url).unwrap_err().contains("is no address"), "{url}");
        }
    }
}
