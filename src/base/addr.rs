//! Network and hardware addresses.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// An IPv4 or IPv6 address in 16 bytes, IPv4 as the mapped form
/// `::ffff:a.b.c.d` (RFC 4291 section 2.5.5.2). A mapped address on the wire
/// and the IPv4 address it maps are thus the same host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Addr(pub [u8; 16]);

impl Addr {
    /// From the four bytes of an IPv4 header.
    #[inline]
    pub const fn v4(b: [u8; 4]) -> Self {
        // Byte by byte it shows in profiles; this is two stores.
        Addr(((u32::from_le_bytes(b) as u128) << 96 | 0xffff << 80).to_le_bytes())
    }

    /// The IPv4 bytes, if this is an IPv4 address.
    #[inline]
    pub fn as_v4(&self) -> Option<[u8; 4]> {
        let bits = self.bits();
        // One comparison of numbers; byte by byte it shows in profiles.
        (bits >> 32 == 0xffff).then_some((bits as u32).to_be_bytes())
    }

    /// As the standard library's type.
    pub fn ip(&self) -> IpAddr {
        match self.as_v4() {
            Some(b) => IpAddr::V4(Ipv4Addr::from(b)),
            None => IpAddr::V6(Ipv6Addr::from(self.0)),
        }
    }

    /// As a number, for prefix arithmetic.
    #[inline]
    pub fn bits(&self) -> u128 {
        u128::from_be_bytes(self.0)
    }
}

impl From<IpAddr> for Addr {
    fn from(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(a) => Addr::v4(a.octets()),
            IpAddr::V6(a) => Addr(a.octets()),
        }
    }
}

impl FromStr for Addr {
    type Err = std::net::AddrParseError;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        s.parse::<IpAddr>().map(Addr::from)
    }
}

impl fmt::Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.ip(), f)
    }
}

impl serde::Serialize for Addr {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Addr {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(|_| serde::de::Error::custom("not an IP address"))
    }
}

/// A 48-bit hardware address (EUI-48).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl FromStr for Mac {
    type Err = ();
    fn from_str(s: &str) -> Result<Self, ()> {
        let mut out = [0u8; 6];
        let mut parts = s.split(':');
        for byte in &mut out {
            // A number may begin with a sign.
            let digits = |p: &&str| p.len() == 2 && p.bytes().all(|b| b.is_ascii_hexdigit());
            let part = parts.next().filter(digits).ok_or(())?;
            *byte = u8::from_str_radix(part, 16).map_err(|_| ())?;
        }
        if parts.next().is_some() { Err(()) } else { Ok(Mac(out)) }
    }
}

impl serde::Serialize for Mac {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Mac {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(|()| serde::de::Error::custom("not a MAC address"))
    }
}

/// An address prefix in CIDR notation, IPv4 prefixes kept as the mapped /96+n.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    network: u128,
    mask: u128,
    len: u8,
}

impl Prefix {
    /// `len` counts from the start of the 128-bit form. `None` above 128 or
    /// where host bits are set.
    pub fn new(addr: Addr, len: u8) -> Option<Self> {
        if len > 128 {
            return None;
        }
        let mask = if len == 0 { 0 } else { u128::MAX << (128 - u32::from(len)) };
        let network = addr.bits();
        (network & !mask == 0).then_some(Prefix { network, mask, len })
    }

    /// Whether the address lies inside.
    #[inline]
    pub fn contains(&self, addr: &Addr) -> bool {
        self.holds(addr.bits())
    }

    /// The same of an address as a number.
    #[inline]
    pub fn holds(&self, addr: u128) -> bool {
        addr & self.mask == self.network
    }

    /// Length in the 128-bit form: an IPv4 /24 is 120.
    pub fn len128(&self) -> u8 {
        self.len
    }

    /// The first address, as a number.
    pub fn network(&self) -> u128 {
        self.network
    }
}

impl FromStr for Prefix {
    type Err = &'static str;
    /// `10.0.0.0/8`, `fc00::/7`, or a single address. Host bits must be zero.
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let (ip, len) = match s.split_once('/') {
            Some((ip, len)) => (ip, Some(len.parse::<u8>().map_err(|_| "the length after / is no number")?)),
            None => (s, None),
        };
        let ip: IpAddr = ip.parse().map_err(|_| "not an IP address")?;
        let (max, add) = if ip.is_ipv4() { (32, 96) } else { (128, 0) };
        let len = len.unwrap_or(max);
        if len > max {
            return Err("the length after / is too long");
        }
        Prefix::new(Addr::from(ip), len.saturating_add(add)).ok_or("bits are set behind the prefix length")
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addr = Addr(self.network.to_be_bytes());
        let len = if addr.as_v4().is_some() && self.len >= 96 { self.len - 96 } else { self.len };
        write!(f, "{addr}/{len}")
    }
}

impl serde::Serialize for Prefix {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Prefix {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_hold_their_addresses() {
        let p: Prefix = "10.0.0.0/8".parse().unwrap();
        assert!(p.contains(&"10.255.1.2".parse().unwrap()));
        assert!(!p.contains(&"11.0.0.0".parse().unwrap()));
        assert!(!p.contains(&"::a00:1".parse().unwrap()));
        assert_eq!(p.to_string(), "10.0.0.0/8");
        let six: Prefix = "2a03:2480::/32".parse().unwrap();
        assert!(six.contains(&"2a03:2480:8037::1".parse().unwrap()));
        assert!("10.0.0.1/8".parse::<Prefix>().is_err());
        assert!("10.0.0.0/33".parse::<Prefix>().is_err());
        assert_eq!("1.2.3.4".parse::<Prefix>().unwrap().to_string(), "1.2.3.4/32");
    }

    #[test]
    fn mac_round_trip() {
        let m: Mac = "02:00:0a:09:00:ff".parse().unwrap();
        assert_eq!(m.to_string(), "02:00:0a:09:00:ff");
        assert!("02:00:0a:09:00".parse::<Mac>().is_err());
    }
}
