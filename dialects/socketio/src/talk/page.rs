//! On which page a client runs, as its browser says. Knows no tokens.

use dialect::Request;

/// The host of the page that asks, without its port: of `Origin` (RFC 6454), or, since browsers leave that out of what a
/// page asks of its own server, of a `Referer` that names this server. `None`: no page asks, or one of no host.
#[must_use]
pub fn host(request: &Request<'_>) -> Option<String> {
    let authority = match request.header("origin") {
        Some(origin) => authority(origin).filter(|whole| origin.ends_with(whole)),
        None => {
            let page = request.header("referer").and_then(authority);
            page.filter(|page| request.header("host").is_some_and(|own| own.eq_ignore_ascii_case(page)))
        }
    };
    authority.map(without_port).filter(|host| is_host(host)).map(str::to_ascii_lowercase)
}

/// The host and port of an address.
fn authority(address: &str) -> Option<&str> {
    let rest = address.strip_prefix("http://").or_else(|| address.strip_prefix("https://"))?;
    rest.split(['/', '?', '#']).next()
}

fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        Some(_) | None => authority,
    }
}

/// A name, or an address; of version 6 in brackets (RFC 3986 §3.2.2).
fn is_host(host: &str) -> bool {
    let inner = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    match inner {
        Some(address) => {
            !address.is_empty() && address.bytes().all(|b| matches!(b, b':' | b'.') || b.is_ascii_hexdigit())
        }
        None => {
            !host.is_empty()
                && host.bytes().all(|b| matches!(b, b'-' | b'.' | b'_') || b.is_ascii_alphanumeric())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dialect::Header;

    fn says(headers: &[(&str, &str)]) -> Option<String> {
        let headers: Vec<_> =
            headers.iter().map(|(name, value)| Header { name, value: value.as_bytes() }).collect();
        host(&Request {
            method: "GET",
            path: "/socket.io/",
            query: "",
            headers: &headers,
            body: b"",
            wants_websocket: false,
        })
    }

    #[test]
    fn the_origin_says_it() {
        for (origin, expected) in [
            ("https://app.example", Some("app.example")),
            ("http://App.Example:8080", Some("app.example")),
            ("http://[::1]:3000", Some("[::1]")),
            ("http://127.0.0.1", Some("127.0.0.1")),
            ("null", None),
            ("", None),
            ("https://", None),
            ("https://:80", None),
            ("https://a/b", None),
            ("https://a@b", None),
            ("https://*", None),
            ("https://a)b", None),
            ("https://é.example", None),
            ("http://[::1", None),
            ("file://app.example", None),
        ] {
            assert_eq!(says(&[("Origin", origin), ("Host", "a")]).as_deref(), expected, "{origin}");
        }
        assert_eq!(says(&[("Host", "app.example")]), None);
    }

    #[test]
    fn a_referer_says_it_of_this_server_alone() {
        let page = ("Referer", "https://app.example:81/chat?x#y");
        assert_eq!(says(&[page, ("Host", "app.example:81")]).as_deref(), Some("app.example"));
        assert_eq!(says(&[page, ("Host", "app.example")]), None);
        assert_eq!(says(&[page, ("Host", "other.example")]), None);
        assert_eq!(says(&[page]), None);
        assert_eq!(says(&[page, ("Host", "app.example:81"), ("Origin", "null")]), None);
    }
}
