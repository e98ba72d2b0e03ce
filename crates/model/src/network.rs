//! Networks of addresses, as configuration names them.

use std::net::IpAddr;

/// A network of addresses, as `10.0.0.0/8`; an address alone is a network of one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// Reads `10.0.0.0/8`, `fd00::/8` or `192.0.2.1`. `None`: it is none of these.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
        let address: IpAddr = address.trim().parse().ok()?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix: u8 = prefix.map_or(Some(bits), |p| p.trim().parse().ok())?;
        if prefix > bits {
            return None;
        }
        if address.is_ipv6() && address.to_canonical().is_ipv4() {
            // An IPv4 network that is written as IPv6 is the IPv4 network. A wider one would be neither's.
            let prefix = prefix.checked_sub(96)?;
            return Some(Self { address: address.to_canonical(), prefix });
        }
        Some(Self { address, prefix })
    }

    /// Whether the address is in it. An IPv4 address that is written as IPv6 is the same address.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(net), IpAddr::V4(ip)) => {
                let shift = 32 - u32::from(self.prefix.min(32));
                net.to_bits().checked_shr(shift).unwrap_or(0) == ip.to_bits().checked_shr(shift).unwrap_or(0)
            }
            (IpAddr::V6(net), IpAddr::V6(ip)) => {
                let shift = 128 - u32::from(self.prefix);
                net.to_bits().checked_shr(shift).unwrap_or(0) == ip.to_bits().checked_shr(shift).unwrap_or(0)
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks() {
        let inside = |net: &str, ip: &str| Network::parse(net).unwrap().contains(ip.parse().unwrap());
        assert!(inside("10.0.0.0/8", "10.200.3.4") && !inside("10.0.0.0/8", "11.0.0.1"));
        assert!(inside("0.0.0.0/0", "192.0.2.1") && !inside("0.0.0.0/0", "::1"));
        assert!(inside("fd00::/8", "fd12::1") && !inside("fd00::/8", "fe80::1"));
        assert!(inside("192.0.2.1", "192.0.2.1") && !inside("192.0.2.1", "192.0.2.2"));
        assert!(inside("127.0.0.1", "::ffff:127.0.0.1"));
        assert!(inside("::ffff:10.0.0.0/104", "10.9.9.9") && !inside("::ffff:10.0.0.0/104", "11.0.0.1"));
        for wrong in ["", "10.0.0.0/33", "::/129", "10.0.0/8", "host", "10.0.0.0/x", "::ffff:10.0.0.0/10"] {
            assert_eq!(Network::parse(wrong), None, "{wrong}");
        }
    }
}
