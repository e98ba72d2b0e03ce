//! Proxies in front of a listener, and what is believed of what they say about where a peer comes from: the PROXY
//! protocol's header before a connection, `X-Forwarded-For` with a request.
//!
//! Parses only. Who believes whom is the caller's: a word of somebody who is no known proxy is no news.

use model::Network;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The longest header that is read: version 2 with addresses and a kilobyte of extras. Version 1 has 107 bytes.
pub const LONGEST: usize = 16 + 1024;
/// The longest line of version 1, with its end (PROXY protocol 2.1).
const LONGEST_LINE: usize = 107;
/// What a version 2 header begins with (PROXY protocol 2.2).
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// What a PROXY protocol header says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Announced {
    /// More bytes are needed to know.
    Incomplete,
    /// A header of so many bytes. Without an address the proxy speaks for itself, as it does to see whether we live.
    Header {
        /// The peer behind the proxy.
        source: Option<IpAddr>,
        /// Bytes of the header.
        length: usize,
    },
}

/// Reads the PROXY protocol header, of either version, that a connection begins with.
///
/// # Errors
/// The bytes are no such header: says what is wrong, for the log of who runs the proxy.
pub fn header(bytes: &[u8]) -> Result<Announced, &'static str> {
    let both = bytes.iter().zip(&SIGNATURE);
    if both.clone().all(|(is, wanted)| is == wanted) {
        return if bytes.len() < SIGNATURE.len() { Ok(Announced::Incomplete) } else { version_2(bytes) };
    }
    version_1(bytes)
}

fn version_1(bytes: &[u8]) -> Result<Announced, &'static str> {
    const WRONG: &str = "the connection does not begin with a PROXY protocol header";
    const START: &[u8] = b"PROXY ";
    if bytes.iter().zip(START).any(|(is, wanted)| is != wanted) {
        return Err(WRONG);
    }
    let line = bytes.get(..bytes.len().min(LONGEST_LINE)).unwrap_or_default();
    let Some(end) = line.windows(2).position(|w| w == b"\r\n") else {
        return if bytes.len() < LONGEST_LINE { Ok(Announced::Incomplete) } else { Err(WRONG) };
    };
    let text = line.get(..end).and_then(|l| std::str::from_utf8(l).ok()).ok_or(WRONG)?;
    let words: Vec<&str> = text.split(' ').collect();
    let length = end + 2;
    match *words.as_slice() {
        ["PROXY", "UNKNOWN", ..] => Ok(Announced::Header { source: None, length }),
        ["PROXY", family @ ("TCP4" | "TCP6"), source, destination, from, to] => {
            let address = |text: &str| -> Option<IpAddr> {
                let ip: IpAddr = text.parse().ok()?;
                (ip.is_ipv4() == (family == "TCP4")).then_some(ip)
            };
            let ports = from.parse::<u16>().is_ok() && to.parse::<u16>().is_ok();
            match (address(source), address(destination), ports) {
                (Some(source), Some(_), true) => Ok(Announced::Header { source: Some(source), length }),
                _ => Err("an address of the PROXY protocol header is none"),
            }
        }
        _ => Err(WRONG),
    }
}

fn version_2(bytes: &[u8]) -> Result<Announced, &'static str> {
    let Some((&[command, family, high, low], rest)) = bytes.get(12..).and_then(|b| b.split_first_chunk())
    else {
        return Ok(Announced::Incomplete);
    };
    let announced = usize::from(u16::from_be_bytes([high, low]));
    let length = 16 + announced;
    if length > LONGEST {
        return Err("the PROXY protocol header is longer than is read");
    }
    let Some(body) = rest.get(..announced) else { return Ok(Announced::Incomplete) };
    let source = match command {
        0x20 => None,
        0x21 => match family >> 4 {
            0 | 3 => None,
            1 => Some(Ipv4Addr::from(first::<4>(body, 12)?).into()),
            2 => Some(Ipv6Addr::from(first::<16>(body, 36)?).into()),
            _ => return Err("the PROXY protocol header names no family of addresses that there is"),
        },
        _ => return Err("the PROXY protocol header has a version or command that there is not"),
    };
    Ok(Announced::Header { source, length })
}

/// The first bytes of a block of addresses that must have so many.
fn first<const N: usize>(body: &[u8], block: usize) -> Result<[u8; N], &'static str> {
    let bytes = body.get(..block).and_then(|b| b.first_chunk());
    bytes.copied().ok_or("the PROXY protocol header is too short for its addresses")
}

/// The address a request comes from, by the `X-Forwarded-For` lines of proxies that are believed: the last one that is
/// not itself such a proxy. Each proxy has added who spoke to it at the end; what stands before the first word of a
/// stranger is the stranger's. `None`: nothing is said that could be believed.
#[must_use]
pub fn forwarded<'a>(lines: impl DoubleEndedIterator<Item = &'a [u8]>, known: &[Network]) -> Option<IpAddr> {
    let words = lines.rev().flat_map(|line| line.rsplit(|b| *b == b','));
    let mut nearest = None;
    for word in words {
        let address = std::str::from_utf8(word).ok().and_then(|w| address(w.trim()));
        // What cannot be read ends what can be believed.
        let Some(address) = address else { return nearest };
        nearest = Some(address);
        if !known.iter().any(|n| n.contains(address)) {
            return nearest;
        }
    }
    nearest
}

/// An address as proxies write it: alone, in brackets, or with a port behind it.
fn address(word: &str) -> Option<IpAddr> {
    let inner = word.strip_prefix('[').and_then(|w| w.split(']').next());
    let alone = inner.or_else(|| word.split_once(':').filter(|(_, p)| !p.contains(':')).map(|(a, _)| a));
    word.parse().ok().or_else(|| alone?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(source: &str, length: usize) -> Result<Announced, &'static str> {
        Ok(Announced::Header { source: source.parse().ok(), length })
    }

    #[test]
    fn lines_of_version_1() {
        let line = b"PROXY TCP4 192.0.2.7 192.0.2.1 5000 443\r\nGET / HTTP/1.1\r\n";
        assert_eq!(header(line), said("192.0.2.7", 41));
        for cut in 0..41 {
            assert_eq!(header(&line[..cut]), Ok(Announced::Incomplete), "{cut}");
        }
        assert_eq!(header(b"PROXY TCP6 2001:db8::1 ::1 1 2\r\n"), said("2001:db8::1", 32));
        assert_eq!(header(b"PROXY UNKNOWN and whatever\r\n"), said("", 28));
        let wrong: [&[u8]; 8] = [
            b"GET / HTTP/1.1\r\n",
            b"PROXY TCP4 ::1 ::1 1 2\r\n",
            b"PROXY TCP4 192.0.2.7 192.0.2.1 5000\r\n",
            b"PROXY TCP4 192.0.2.7 192.0.2.1 5000 66000\r\n",
            b"PROXY UDP4 192.0.2.7 192.0.2.1 1 2\r\n",
            b"PROXY  TCP4 192.0.2.7 192.0.2.1 1 2\r\n",
            b"PROXY \xff\r\n",
            &[b"PROXY TCP4 ".as_slice(), &[b'1'; 200]].concat(),
        ];
        for line in wrong {
            assert!(header(line).is_err(), "{}", line.escape_ascii());
        }
    }

    #[test]
    fn headers_of_version_2() {
        let v2 = |command: u8, family: u8, body: &[u8]| {
            let length = u16::try_from(body.len()).unwrap().to_be_bytes();
            [&SIGNATURE[..], &[command, family], &length, body].concat()
        };
        let four = [192, 0, 2, 7, 192, 0, 2, 1, 0, 1, 0, 2];
        let bytes = v2(0x21, 0x11, &four);
        assert_eq!(header(&bytes), said("192.0.2.7", 28));
        for cut in 0..bytes.len() {
            assert_eq!(header(&bytes[..cut]), Ok(Announced::Incomplete), "{cut}");
        }
        let mut six = [0; 36];
        six[15] = 1;
        assert_eq!(header(&v2(0x21, 0x21, &six)), said("::1", 52));
        // A check of our health, and a socket of the proxy's own machine.
        assert_eq!(header(&v2(0x20, 0x00, b"")), said("", 16));
        assert_eq!(header(&v2(0x21, 0x31, &[0; 216])), said("", 232));
        // Extras behind the addresses.
        assert_eq!(header(&v2(0x21, 0x11, &[&four[..], &[0x04, 0, 1, 0]].concat())), said("192.0.2.7", 32));
        for wrong in
            [v2(0x22, 0x11, &four), v2(0x11, 0x11, &four), v2(0x21, 0x51, &four), v2(0x21, 0x11, &[1])]
        {
            assert!(header(&wrong).is_err(), "{}", wrong.escape_ascii());
        }
        assert!(header(&v2(0x21, 0x11, &[0; 2000])).is_err());
    }

    #[test]
    fn the_last_stranger_is_who_asks() {
        let known = [Network::parse("10.0.0.0/8").unwrap()];
        let from = |lines: &[&str]| {
            let ip = forwarded(lines.iter().map(|l| l.as_bytes()), &known);
            ip.map_or(String::new(), |ip| ip.to_string())
        };
        assert_eq!(from(&["192.0.2.7"]), "192.0.2.7");
        // What a client says itself stands further left, and counts for nothing.
        assert_eq!(from(&["127.0.0.1, 192.0.2.7, 10.1.1.1"]), "192.0.2.7");
        assert_eq!(from(&["127.0.0.1", "192.0.2.7", "10.1.1.1, 10.2.2.2"]), "192.0.2.7");
        assert_eq!(from(&["[2001:db8::1]:443"]), "2001:db8::1");
        assert_eq!(from(&["192.0.2.7:443"]), "192.0.2.7");
        assert_eq!(from(&["10.3.3.3"]), "10.3.3.3");
        assert_eq!(from(&["192.0.2.9, unknown, 10.3.3.3"]), "10.3.3.3");
        assert_eq!(from(&["nonsense"]), "");
        assert_eq!(from(&[]), "");
    }
}
