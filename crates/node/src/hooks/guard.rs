//! Which addresses a hook may lead to: what a peer names must not reach what only this machine can reach.
//!
//! Judges addresses, not names: a name is worth what it resolves to at the moment of connecting. The ranges are those of
//! the IANA special-purpose address registries (RFC 6890), and what clouds answer at.

use model::Network;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How far an address reaches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Reach {
    /// Anybody's.
    Public,
    /// This machine's, or of a private network.
    Private,
    /// Of a link, of many, of nobody, or where a cloud tells its machines their secrets.
    Never,
}

/// What may be posted to.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    /// Whether this machine and private networks may.
    pub private: bool,
    /// Networks that may, whatever they are.
    pub networks: Vec<Network>,
    /// Hosts, in lower case, that may, whatever their names resolve to.
    pub hosts: Vec<String>,
}

impl Guard {
    /// Whether the operator has named this host.
    #[must_use]
    pub fn trusts(&self, host: &str) -> bool {
        self.hosts.iter().any(|known| known.eq_ignore_ascii_case(host))
    }

    /// Whether an address may be connected to.
    #[must_use]
    pub fn allows(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        if self.networks.iter().any(|network| network.contains(address)) {
            return true;
        }
        match reach(address) {
            Reach::Public => true,
            Reach::Private => self.private,
            Reach::Never => false,
        }
    }
}

/// Where clouds answer without asking who it is: Azure, Alibaba, Oracle. AWS and most others use 169.254.169.254.
const METADATA: [Ipv4Addr; 3] =
    [Ipv4Addr::new(168, 63, 129, 16), Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(192, 0, 0, 192)];
/// The same by IPv6: AWS, Google.
const METADATA_6: [Ipv6Addr; 2] = [
    Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254),
    Ipv6Addr::new(0xfd20, 0x00ce, 0, 0, 0, 0, 0, 0x0254),
];

fn reach(address: IpAddr) -> Reach {
    match address {
        IpAddr::V4(ip) => reach_4(ip),
        IpAddr::V6(ip) => reach_6(ip),
    }
}

fn reach_4(ip: Ipv4Addr) -> Reach {
    if METADATA.contains(&ip) {
        return Reach::Never;
    }
    match ip.octets() {
        [10 | 127, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => Reach::Private,
        // This network; links; protocol assignments; documentation; old relays; benchmarks; many; reserved.
        [0, ..]
        | [169, 254, ..]
        | [192, 0, 0 | 2, _]
        | [192, 88, 99, _]
        | [198, 18..=19, ..]
        | [198, 51, 100, _]
        | [203, 0, 113, _]
        | [224..=255, ..] => Reach::Never,
        _ => Reach::Public,
    }
}

fn reach_6(ip: Ipv6Addr) -> Reach {
    if METADATA_6.contains(&ip) {
        return Reach::Never;
    }
    match ip.segments() {
        [0, 0, 0, 0, 0, 0, 0, 1] | [0xfc00..=0xfdff, ..] => Reach::Private,
        // IPv4 by way of a translator (RFC 6052): it reaches what the address inside reaches.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            let [[a, b], [c, d]] = [high.to_be_bytes(), low.to_be_bytes()];
            match reach_4(Ipv4Addr::new(a, b, c, d)) {
                Reach::Public => Reach::Public,
                // Nobody who allows private networks means those behind a translator.
                Reach::Private | Reach::Never => Reach::Never,
            }
        }
        // Protocol assignments with Teredo; documentation; 6to4, which nobody needs and which hides an IPv4 address.
        [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x2002, ..] | [0x3fff, 0..=0xfff, ..] => {
            Reach::Never
        }
        [0x2000..=0x3fff, ..] => Reach::Public,
        // All else is of links, of many, embedded, or not given to anybody.
        _ => Reach::Never,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Reach {
        reach(text.parse::<IpAddr>().unwrap().to_canonical())
    }

    #[test]
    fn every_range_that_is_not_everybodys_is_refused_at_both_its_ends() {
        let never = "0.0.0.0 0.255.255.255 169.254.0.0 169.254.169.254 169.254.255.255 192.0.0.0 192.0.0.192 \
            192.0.0.255 192.0.2.0 192.0.2.255 192.88.99.0 192.88.99.255 198.18.0.0 198.19.255.255 198.51.100.0 \
            198.51.100.255 203.0.113.0 203.0.113.255 224.0.0.0 239.255.255.255 240.0.0.0 255.255.255.255 \
            168.63.129.16 100.100.100.200 \
            :: ::2 ::127.0.0.1 ::8.8.8.8 ::ffff:0.0.0.0 ::ffff:169.254.169.254 ::ffff:0:127.0.0.1 \
            fe80::1 febf::1 fec0::1 ff00::1 ff02::1 fd00:ec2::254 fd20:ce::254 100::1 5f00::1 4000::1 \
            2001::1 2001:0:7f00:1:: 2001:2::1 2001:10::1 2001:20::1 2001:1ff:ffff::1 2001:db8::1 3fff::1 3fff:fff::1 \
            2002:7f00:1:: 2002:808:808:: 64:ff9b::127.0.0.1 64:ff9b::10.0.0.1 64:ff9b::169.254.169.254 \
            64:ff9b:1::8.8.8.8";
        for address in never.split_whitespace() {
            assert_eq!(of(address), Reach::Never, "{address}");
        }
        let private = "127.0.0.0 127.0.0.1 127.255.255.255 10.0.0.0 10.255.255.255 172.16.0.0 172.31.255.255 \
            192.168.0.0 192.168.255.255 100.64.0.0 100.127.255.255 ::1 fc00:: fdff:ffff::1 \
            ::ffff:127.0.0.1 ::ffff:10.1.2.3 ::ffff:7f00:1";
        for address in private.split_whitespace() {
            assert_eq!(of(address), Reach::Private, "{address}");
        }
        let public = "1.1.1.1 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 \
            169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 192.0.1.0 192.0.3.0 192.167.255.255 192.169.0.0 \
            198.17.255.255 198.20.0.0 203.0.112.255 203.0.114.0 223.255.255.255 ::ffff:8.8.8.8 \
            2001:200::1 2001:4860:4860::8888 2606:4700::1111 3ffe::1 64:ff9b::8.8.8.8";
        for address in public.split_whitespace() {
            assert_eq!(of(address), Reach::Public, "{address}");
        }
    }

    #[test]
    fn the_operator_may_allow_more_but_metadata_only_by_name() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let open = Guard { private: true, ..Guard::default() };
        assert!(
            open.allows(ip("127.0.0.1")) && open.allows(ip("fd12::1")) && open.allows(ip("::ffff:10.0.0.1"))
        );
        for never in
            ["169.254.169.254", "fd00:ec2::254", "0.0.0.0", "::ffff:169.254.169.254", "64:ff9b::10.0.0.1"]
        {
            assert!(!open.allows(ip(never)), "{never}");
        }
        let networks = ["10.1.0.0/16", "169.254.7.7"].map(|n| Network::parse(n).unwrap()).to_vec();
        let listed = Guard { networks, hosts: vec!["ci.internal".into()], ..Guard::default() };
        assert!(listed.allows(ip("10.1.2.3")) && listed.allows(ip("::ffff:10.1.2.3")));
        assert!(listed.allows(ip("169.254.7.7")));
        assert!(!listed.allows(ip("10.2.0.1")) && !listed.allows(ip("127.0.0.1")));
        assert!(listed.trusts("CI.internal") && !listed.trusts("xci.internal"));
    }
}
