//! What a request is addressed to: its target and its host (RFC 9112 §3.2, RFC 3986 §3.2).
//!
//! Refuses to know header lines, and what lies at a path.

use super::{Refused, bad};

/// A request target, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target<'a> {
    /// The host of an absolute target; it wins over the `Host` line (RFC 9112 §3.2.2).
    pub(super) authority: Option<&'a str>,
    /// Begins with `/`. As it was written.
    pub(super) path: &'a str,
    /// What follows the first `?`, without it.
    pub(super) query: &'a str,
}

/// Takes a target apart. Besides paths it knows absolute targets, which every server must; tunnels and `*`
/// are refused. Text beyond ASCII is let through, since `curl` sends a path as it was typed.
pub(super) fn parse<'a>(method: &str, target: &'a str) -> Result<Target<'a>, Refused> {
    if method == "CONNECT" {
        return Err(Refused { status: 501, detail: "CONNECT: this is not a proxy" });
    }
    if target.contains('#') {
        return Err(bad("a fragment in the request target"));
    }
    let (authority, rest) = if target.starts_with('/') {
        (None, target)
    } else {
        let rest = after_scheme(target).ok_or(bad("a request target that is not a path"))?;
        let (authority, rest) =
            rest.split_at_checked(rest.find(['/', '?']).unwrap_or(rest.len())).unwrap_or_default();
        let authority = host(authority.as_bytes()).ok_or(bad("an invalid host in the request target"))?;
        (Some(authority), rest)
    };
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let path = if path.is_empty() { "/" } else { path };
    Ok(Target { authority, path, query })
}

fn after_scheme(target: &str) -> Option<&str> {
    ["http://", "https://"].into_iter().find_map(|scheme| {
        let (begin, rest) = target.split_at_checked(scheme.len())?;
        begin.eq_ignore_ascii_case(scheme).then_some(rest)
    })
}

/// A host and perhaps a port, if it is well-formed. Narrower than the RFC: names hold letters, digits and
/// `-._~%`.
pub(super) fn host(value: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(value).ok()?;
    let (name, port) = if let Some(rest) = text.strip_prefix('[') {
        let (address, port) = rest.split_once(']')?;
        address.parse::<std::net::Ipv6Addr>().ok()?;
        (address, port.strip_prefix(':').or_else(|| port.is_empty().then_some(port))?)
    } else {
        text.split_once(':').unwrap_or((text, ""))
    };
    let is_name =
        text.starts_with('[') || name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~%".contains(&b));
    let is_port = port.len() <= 5 && port.bytes().all(|b| b.is_ascii_digit());
    (!name.is_empty() && is_name && is_port).then_some(text)
}
