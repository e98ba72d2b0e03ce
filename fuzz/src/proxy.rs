//! `carrier::proxy`: the PROXY protocol's header, `X-Forwarded-For`, and networks.
//!
//! An input is what a connection begins with, and once more the lines of the request's header. Holds that a header
//! is known exactly when all of it is there, and that what a stranger writes in front changes nothing.

use crate::bound::bounded;
use carrier::Network;
use carrier::proxy::{self, Announced, LONGEST};
use std::hint::black_box;
use std::net::IpAddr;

pub(crate) const WORDS: &[&str] = &[
    "PROXY ",
    "TCP4 ",
    "TCP6 ",
    "UNKNOWN",
    "\r\n",
    "\r\n\r\n\0\r\nQUIT\n",
    "!\u{11}\0\u{c}",
    "!!\0$",
    " \0\0\0",
    "192.0.2.7",
    "10.0.0.1",
    "10.0.0.0/8",
    "::1",
    "[2001:db8::1]:443",
    "::ffff:10.0.0.1",
    ",",
    ", ",
    ":80",
    "\n",
];

/// `PROXY UNKNOWN` and its end.
const SHORTEST: usize = 15;
/// A network of proxies that are believed.
const KNOWN: &str = "10.0.0.0/8";

pub(crate) fn check(input: &[u8]) {
    let Some(known) = Network::parse(KNOWN) else { return };
    let lines = || input.split(|b| *b == b'\n');
    bounded(input.len(), || {
        black_box((proxy::header(input).is_ok(), proxy::forwarded(lines(), &[known])));
    });
    header(input);
    stranger(lines, known);
    lines().filter_map(|line| std::str::from_utf8(line).ok()).for_each(network);
}

fn header(input: &[u8]) {
    let whole = proxy::header(input);
    assert!(whole != Ok(Announced::Incomplete) || input.len() < LONGEST, "a header has an end");
    for cut in 0..input.len().min(LONGEST + 1) {
        let known = proxy::header(&input[..cut]);
        match whole {
            Ok(Announced::Header { length, .. }) if cut >= length => assert_eq!(known, whole, "at {cut}"),
            Ok(_) => assert_eq!(known, Ok(Announced::Incomplete), "at {cut}"),
            Err(_) => assert!(known == Ok(Announced::Incomplete) || known.is_err(), "at {cut}: {known:?}"),
        }
    }
    if let Ok(Announced::Header { source, length }) = whole {
        assert!((SHORTEST..=LONGEST.min(input.len())).contains(&length), "{length}");
        again(source);
    }
}

/// A header of version 1 for this peer says this peer.
fn again(source: Option<IpAddr>) {
    let line = match source {
        Some(ip @ IpAddr::V4(_)) => format!("PROXY TCP4 {ip} 192.0.2.1 1 2\r\n"),
        Some(ip @ IpAddr::V6(_)) => format!("PROXY TCP6 {ip} ::1 1 2\r\n"),
        None => "PROXY UNKNOWN\r\n".to_owned(),
    };
    assert_eq!(proxy::header(line.as_bytes()), Ok(Announced::Header { source, length: line.len() }));
}

/// Whoever is found to ask is found whatever stands before its address.
fn stranger<'a, L: DoubleEndedIterator<Item = &'a [u8]>>(lines: impl Fn() -> L, known: Network) {
    let found = proxy::forwarded(lines(), &[known]);
    let lie: [&[u8]; 2] = [b"127.0.0.1", b"203.0.113.9, 10.9.9.9"];
    let told = proxy::forwarded(lie.into_iter().chain(lines()), &[known]);
    if found.is_some_and(|ip| !known.contains(ip)) {
        assert_eq!(told, found, "a word in front is believed");
    }
}

/// A network holds its own address, and is no wider than it says.
fn network(text: &str) {
    let Some(network) = Network::parse(text) else { return };
    let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
    let Ok(address) = address.trim().parse::<IpAddr>() else { return };
    assert!(network.contains(address), "{text}");
    let all = prefix.is_some_and(|p| p.trim().parse() == Ok(0_u8));
    let strangers = ["255.255.255.255", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"];
    let both = strangers.iter().filter_map(|s| s.parse().ok()).filter(|s| network.contains(*s)).count();
    assert!(both <= 1, "{text} holds addresses of both families");
    assert!(!all || both == 1 || address.is_ipv6(), "{text} holds all");
}
