//! The sighting record, version 1.

pub use crate::base::Stage;
use crate::base::{Addr, Channel, Mac, Prefix, Timestamp};
use crate::catalogue::{Category, Confidence};
use serde::{Deserialize, Serialize};

/// Value of `schema` in every record.
pub const SCHEMA: &str = "spansight.sighting/1";
/// Most names a record lists.
pub const MAX_NAMES: usize = 64;
/// Most servers a record lists.
pub const MAX_SERVERS: usize = 16;
/// Most client subnets a record lists.
pub const MAX_CLIENT_SUBNETS: usize = 16;
/// Most evidence entries a record lists.
pub const MAX_EVIDENCE: usize = 8;
/// Most community ids a record lists.
pub const MAX_COMMUNITY_IDS: usize = 8;

/// The client that made the contact, as seen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Host {
    /// Address.
    pub ip: Addr,
    /// Hardware address, where the link shows one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<Mac>,
    /// Encapsulation context such as `vlan:10`; empty on an untagged LAN.
    #[serde(default)]
    pub segment: String,
    /// A name, where one is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where the name came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_source: Option<String>,
}

/// The indicator of a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndicatorSummary {
    /// Its id in the catalogue.
    pub id: String,
    /// Category.
    pub category: Category,
    /// Confidence.
    pub confidence: Confidence,
}

/// A server of a matched flow.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Server {
    /// Address.
    pub ip: Addr,
    /// Port.
    pub port: u16,
    /// `tcp` or `udp`.
    pub transport: String,
}

/// One frame that shows the contact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Capture file, relative to the argument given; absent for live capture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Interface, where the source names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// Frame number in the source, from 1.
    pub frame: u64,
    /// Offset of the frame's record in the decompressed file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// Capture time.
    pub ts: Timestamp,
    /// Channel.
    pub channel: Channel,
    /// The name, path or prefix seen; absent where the channel has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Sender of the frame.
    pub src: Addr,
    /// Sender's port.
    pub sport: u16,
    /// Receiver of the frame.
    pub dst: Addr,
    /// Receiver's port.
    pub dport: u16,
    /// Encapsulation path, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<String>,
    /// SHA-256 of the frame as captured, in hex.
    pub packet_sha256: String,
}

impl Evidence {
    /// The bytes that the hex digits of [`Evidence::packet_sha256`] stand for;
    /// zeros for what are none.
    pub fn packet_hash(&self) -> [u8; 32] {
        let mut out = [0; 32];
        for (byte, pair) in out.iter_mut().zip(self.packet_sha256.as_bytes().chunks_exact(2)) {
            let digits = std::str::from_utf8(pair).ok();
            *byte = digits.and_then(|d| u8::from_str_radix(d, 16).ok()).unwrap_or_default();
        }
        out
    }
}

/// One sighting: a host, an indicator, a UTC day, a source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// [`SCHEMA`].
    pub schema: String,
    /// First 128 bits of SHA-256 over sensor, segment, address, MAC,
    /// indicator id and period, each followed by a zero byte; 32 hex digits.
    pub id: String,
    /// Rises with each version of a record that a running sensor writes.
    pub revision: u64,
    /// Sensor name.
    pub sensor: String,
    /// `sha256:…`, `file:…` or `run:…`.
    pub source: String,
    /// UTC day.
    pub period: String,
    /// Client.
    pub host: Host,
    /// What it contacted.
    pub indicator: IndicatorSummary,
    /// Strongest stage.
    pub stage: Stage,
    /// Channels, in their order.
    pub channels: Vec<Channel>,
    /// Names seen, sorted.
    pub names: Vec<String>,
    /// Names left out.
    pub names_more: u64,
    /// Servers of matched flows, sorted.
    pub servers: Vec<Server>,
    /// Servers left out.
    pub servers_more: u64,
    /// Networks of clients that the host's DNS questions were passed on for
    /// (EDNS client subnet, RFC 7871), sorted: it may be a forwarder.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub client_subnets: Vec<Prefix>,
    /// Client subnets left out.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub client_subnets_more: u64,
    /// First observation, or first payload of a matched flow on this day.
    pub first_seen: Timestamp,
    /// Last observation, or last payload of a matched flow on this day.
    pub last_seen: Timestamp,
    /// Observations.
    pub count: u64,
    /// Runs of quarter hours in `slots`.
    pub sessions: u32,
    /// Quarter hours of the day with a contact, 24 hex digits.
    pub slots: Slots,
    /// Quarter hours in which a contact reached `connected`.
    pub slots_connected: Slots,
    /// TCP and UDP payload of the matched flows towards the server.
    pub bytes_to_server: u64,
    /// And from it.
    pub bytes_from_server: u64,
    /// Circumstances, sorted words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Community ids of matched flows, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub community_ids: Vec<String>,
    /// First, last and strongest frame of each channel, up to [`MAX_EVIDENCE`].
    pub evidence: Vec<Evidence>,
    /// Evidence entries left out.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub evidence_more: u64,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// One bit for each quarter hour of a UTC day, 00:00 to 00:15 in the highest
/// bit of the first of 24 hex digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Slots(u128);

impl Slots {
    /// Sets a quarter hour, 0 to 95.
    pub fn set(&mut self, slot: u8) {
        if slot < 96 {
            self.0 |= 1 << (95 - slot);
        }
    }

    /// Whether a quarter hour is set.
    pub fn get(self, slot: u8) -> bool {
        slot < 96 && self.0 >> (95 - slot) & 1 == 1
    }

    /// Quarter hours of either.
    #[must_use]
    pub fn union(self, other: Slots) -> Slots {
        Slots(self.0 | other.0)
    }

    /// As a number: the last quarter hour of the day in the lowest of 96 bits.
    pub fn bits(self) -> u128 {
        self.0
    }

    /// From the number that [`Slots::bits`] gave.
    pub fn from_bits(bits: u128) -> Self {
        Slots(bits & (u128::MAX >> 32))
    }

    /// As 12 bytes, the first quarter hour in the highest bit of the first.
    pub fn to_bytes(self) -> [u8; 12] {
        let [_, _, _, _, bytes @ ..] = self.0.to_be_bytes();
        bytes
    }

    /// From the bytes that [`Slots::to_bytes`] gave.
    pub fn from_bytes(bytes: [u8; 12]) -> Self {
        Slots(bytes.iter().fold(0, |bits, b| bits << 8 | u128::from(*b)))
    }

    /// Number of runs of adjoining quarter hours.
    pub fn runs(self) -> u32 {
        (self.0 & !(self.0 << 1)).count_ones()
    }

    /// Number of quarter hours set.
    pub fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// Whether none is set.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl std::fmt::Display for Slots {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:024x}", self.0)
    }
}

impl std::str::FromStr for Slots {
    type Err = &'static str;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        // A number may begin with a sign.
        if s.len() != 24 || !s.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err("slots need 24 hex digits");
        }
        u128::from_str_radix(s, 16).map(Slots).map_err(|_| "slots need 24 hex digits")
    }
}

impl Serialize for Slots {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Slots {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_bits_from_the_left() {
        let mut s = Slots::default();
        s.set(0);
        assert_eq!(s.to_string(), "800000000000000000000000");
        s.set(1);
        s.set(95);
        assert_eq!(s.to_string(), "c00000000000000000000001");
        assert_eq!((s.runs(), s.len()), (2, 3));
        assert_eq!("c00000000000000000000001".parse::<Slots>(), Ok(s));
        assert!(s.get(95) && !s.get(94));
        assert_eq!(s.to_bytes(), [0xc0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(Slots::from_bytes(s.to_bytes()), s);
    }
}
