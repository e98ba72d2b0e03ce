//! A hook's URL: what is called, and where. Names are not resolved here.

use hyper::Uri;
use hyper::http::HeaderValue;
use hyper::http::uri::PathAndQuery;
use std::net::IpAddr;
use std::str::FromStr;

/// Bytes a URL may have.
const LONGEST: usize = 2048;

/// Where a hook's POSTs go.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) tls: bool,
    /// In lower case; an IPv6 address without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Of the request's line.
    pub(crate) path: PathAndQuery,
    /// What `Host` says.
    pub(crate) authority: HeaderValue,
}

impl Target {
    /// Reads a URL.
    ///
    /// # Errors
    /// In words: what is wrong with it, without the URL itself.
    pub(crate) fn parse(url: &str) -> Result<Self, &'static str> {
        const WRONG: &str = "the URL of the hook is none; write it as https://host/path, its host in ASCII";
        if url.len() > LONGEST {
            return Err("the URL of the hook is longer than 2048 bytes");
        }
        let uri = Uri::from_str(url).map_err(|_| WRONG)?;
        let tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            Some(_) => return Err("the URL of the hook must begin with http:// or https://"),
            None => return Err(WRONG),
        };
        let authority = uri.authority().ok_or(WRONG)?;
        if authority.as_str().contains('@') {
            return Err("the URL of the hook must not hold a name or password");
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        if host.is_empty() {
            return Err("the URL of the hook names no host");
        }
        let port = match authority.as_str().strip_prefix(authority.host()) {
            Some("" | ":") => {
                if tls {
                    443
                } else {
                    80
                }
            }
            Some(_) | None => {
                authority.port_u16().filter(|port| *port > 0).ok_or("the hook's port is none")?
            }
        };
        // A query may follow the host at once; in a request a path is always there.
        let path = uri.path_and_query().map_or("/".into(), ToString::to_string);
        let path = PathAndQuery::try_from(path).map_err(|_| WRONG)?;
        let authority = HeaderValue::from_str(authority.as_str()).map_err(|_| WRONG)?;
        Ok(Self { tls, host, port, path, authority })
    }

    /// The address, where the URL has one instead of a name.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        assert_eq!(Target::parse("http://example.com?a=b").unwrap().path.as_str(), "/?a=b");
        let t = Target::parse("https://Example.COM/a/b?token=x#part").unwrap();
        assert_eq!(
            (t.tls, t.host.as_str(), t.port, t.path.as_str()),
            (true, "example.com", 443, "/a/b?token=x")
        );
        assert_eq!(t.authority, "Example.COM");
        let t = Target::parse("http://[::1]:8080").unwrap();
        assert_eq!((t.host.as_str(), t.port, t.path.as_str()), ("::1", 8080, "/"));
        assert!(t.address().is_some_and(|a| a.is_loopback()) && t.authority == "[::1]:8080");
        for wrong in [
            "",
            "/",
            "example.com",
            "ftp://example.com/",
            "file:///etc/passwd",
            "gopher://x/",
            "http://",
            "http:///x",
            "http://user:secret@example.com/",
            "http://example.com:0/",
            "http://example.com:70000/",
            "http://a b/",
            "http://exämple.com/",
            "http://example.com/\r\nX: y",
            "javascript:alert(1)",
            "//host/x",
        ] {
            assert!(Target::parse(wrong).is_err(), "{wrong}");
        }
        assert!(Target::parse(&format!("http://h/{}", "x".repeat(LONGEST))).is_err());
        // Spellings of 127.0.0.1 that are no address: names, whose resolved address will be judged.
        for odd in ["http://2130706433/", "http://0x7f000001/", "http://0177.0.0.1/", "http://127.1/"] {
            assert_eq!(Target::parse(odd).unwrap().address(), None, "{odd}");
        }
    }

    proptest::proptest! {
        /// Whatever a peer calls a URL: it is none, or says where it leads.
        #[test]
        fn any_text_is_a_target_or_none(text in "(https?://)?[-a-z0-9.:@/?#%\\[\\] é]{0,40}") {
            if let Ok(target) = Target::parse(&text) {
                proptest::prop_assert!(!target.host.is_empty() && target.port > 0);
                proptest::prop_assert!(target.path.as_str().starts_with('/'), "{}", target.path);
            }
        }
    }
}
