//! Keyed pseudonyms for hosts: who has the key can make the same ones again,
//! who has not cannot tell whom they stand for.
//!
//! Addresses keep their prefixes: two that share so many bits share as many
//! afterwards, and no more (the construction of Crypto-PAn by Xu, Fan, Ammar
//! and Moon, with HMAC-SHA-256 for its cipher). One call decides on the eight
//! bits of a byte, since its 256 bits are enough for the 255 nodes of a tree of
//! eight levels. Blocks that mean something, such as `10.0.0.0/8`, are mapped
//! onto themselves: what leads to them in the tree is not turned.

use super::home::HomeNets;
use super::observer::Canary;
use super::{HostKey, Naming, Signal};
use crate::base::{Addr, Mac, Name, Prefix};
use crate::catalogue::Catalogue;
use crate::sighting::draft::hex;
use crate::sighting::presence::Presence;
use foldhash::fast::RandomState;
use regex::Regex;
use ring::hmac::{self, HMAC_SHA256};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

/// Least bytes of a key.
pub const MIN_KEY: usize = 32;
/// Most bytes of a key.
pub const MAX_KEY: usize = 4096;
/// Addresses whose pseudonyms are remembered.
const MAX_CACHED: usize = 65_536;

/// Blocks of addresses at home by their nature, which are always replaced:
/// private, shared and link-local ones.
const OWN: [&str; 8] = [
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "169.254.0.0/16",
    "fc00::/8",
    "fd00::/8",
    "fe80::/10",
];
/// Blocks that stay where they are beside these; where nearly all link-local
/// addresses are, and what is no host's address.
const KEPT: [&str; 8] =
    ["fe80::/64", "2000::/3", "0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/3", "::/8", "::/127", "ff00::/8"];
/// Of these, blocks that name nobody: unspecified, loopback, multicast and
/// reserved.
const NOBODY: [&str; 5] = ["0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/3", "::/127", "ff00::/8"];

/// What may be a hardware address, an IPv4 or an IPv6 address or network.
static ADDRESSES: LazyLock<Regex> = LazyLock::new(|| {
    let mac = "[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5}";
    let v4 = "[0-9]{1,3}(?:[.][0-9]{1,3}){3}(?:/[0-9]{1,3})?";
    let v6 = "[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:]*(?:/[0-9]{1,3})?";
    // The expression is constant, and a test uses it.
    #[allow(clippy::expect_used)]
    Regex::new(&format!("{mac}|{v4}|{v6}")).expect("an expression")
});

/// Why a key cannot be used. The message goes on from the name of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeakKey {
    /// It has too few bytes.
    #[error("holds {0} bytes of key: give at least 32 random bytes, or 64 hex digits, as of `openssl rand -hex 32`")]
    Short(usize),
    /// It is no key.
    #[error("is longer than 4096 bytes: give a file of at least 32 random bytes, or 64 hex digits")]
    Long,
    /// It is no secret.
    #[error("holds the same byte over and over: give random bytes, as of `openssl rand -hex 32`")]
    Constant,
}

/// Makes pseudonyms with one key.
pub struct Pseudonyms {
    key: hmac::Key,
    home: HomeNets,
    catalogue: Arc<Catalogue>,
    own: Vec<Prefix>,
    nobody: Vec<Prefix>,
    /// Blocks that are mapped onto themselves.
    blocks: Vec<Prefix>,
    known: Mutex<HashMap<Addr, Addr, RandomState>>,
}

impl fmt::Debug for Pseudonyms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pseudonyms(key {})", self.key_id())
    }
}

/// The key that a file holds: the bytes that its hex digits stand for, or what
/// it holds as it is.
///
/// # Errors
/// [`WeakKey`] where that is no key.
pub fn key_of_file(file: &[u8]) -> Result<Vec<u8>, WeakKey> {
    if file.len() > MAX_KEY {
        return Err(WeakKey::Long);
    }
    let digits: Option<Vec<u8>> = std::str::from_utf8(file)
        .ok()
        .and_then(|text| text.trim().chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect());
    let key = match digits {
        // Digits are taken for digits however many they are: 32 of them are
        // half a key.
        Some(digits) => digits.chunks_exact(2).filter_map(|p| Some(p.first()? << 4 | p.get(1)?)).collect(),
        None => file.to_vec(),
    };
    if key.len() < MIN_KEY {
        return Err(WeakKey::Short(key.len()));
    }
    if key.iter().all(|b| Some(b) == key.first()) {
        return Err(WeakKey::Constant);
    }
    Ok(key)
}

/// What leaves an observer and may say who a host is. Implementations take
/// their type apart field by field, so that a new field is not forgotten.
pub trait Conceal {
    /// The same with pseudonyms.
    #[must_use]
    fn conceal(self, pseudonyms: &Pseudonyms) -> Self;
}

impl<T: Conceal> Conceal for Vec<T> {
    fn conceal(self, pseudonyms: &Pseudonyms) -> Self {
        self.into_iter().map(|item| item.conceal(pseudonyms)).collect()
    }
}

impl Conceal for HostKey {
    fn conceal(self, pseudonyms: &Pseudonyms) -> Self {
        let HostKey { segment, ip, mac } = self;
        HostKey { segment, ip: pseudonyms.address(ip), mac: mac.map(|m| pseudonyms.mac(m)) }
    }
}

impl Conceal for Presence {
    fn conceal(self, pseudonyms: &Pseudonyms) -> Self {
        let Presence { source, segment, ip, mac, kind, from, to } = self;
        Presence { source, segment, ip: pseudonyms.address(ip), mac: mac.map(|m| pseudonyms.mac(m)), kind, from, to }
    }
}

impl Conceal for Naming {
    fn conceal(self, pseudonyms: &Pseudonyms) -> Self {
        let Naming { source, segment, ip, mac, told, name, from, to } = self;
        let (ip, mac) = (pseudonyms.address(ip), mac.map(|m| pseudonyms.mac(m)));
        Naming { source, segment, ip, mac, told, name: pseudonyms.name(&name).into(), from, to }
    }
}

impl Conceal for Signal {
    fn conceal(self, pseudonyms: &Pseudonyms) -> Self {
        let Signal { source, kind, segment, ip, mac, detail, count, from, to } = self;
        let (ip, mac) = (pseudonyms.address(ip), mac.map(|m| pseudonyms.mac(m)));
        // Of parts it may be an address.
        let detail = pseudonyms.text(&detail).into();
        Signal { source, kind, segment, ip, mac, detail, count, from, to }
    }
}

impl Conceal for Canary {
    fn conceal(self, pseudonyms: &Pseudonyms) -> Self {
        // The name is the user's own.
        let Canary { name, host, channel, ts, source } = self;
        Canary { name, host: host.conceal(pseudonyms), channel, ts, source }
    }
}

impl Pseudonyms {
    /// Pseudonyms with a key ([`key_of_file`]) for the hosts of these home
    /// networks. Names that `catalogue` lists are the vendor's and stay.
    pub fn new(key: &[u8], home: &HomeNets, catalogue: Arc<Catalogue>) -> Self {
        let parse = |blocks: &[&str]| -> Vec<Prefix> { blocks.iter().filter_map(|b| b.parse().ok()).collect() };
        let own = parse(&OWN);
        let mut blocks = [own.clone(), parse(&KEPT)].concat();
        // Home networks inside a private block move within it.
        let outer = |p: &&Prefix| !own.iter().any(|o| o.len128() <= p.len128() && o.contains(&first(p)));
        blocks.extend(home.prefixes().iter().filter(outer));
        Pseudonyms {
            key: hmac::Key::new(HMAC_SHA256, key),
            home: home.clone(),
            catalogue,
            own,
            nobody: parse(&NOBODY),
            blocks,
            known: Mutex::default(),
        }
    }

    fn keyed(&self, what: &str, bytes: &[u8]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(b"spansight.pseudonym/1 ");
        context.update(what.as_bytes());
        context.update(&[0]);
        context.update(bytes);
        context.sign().as_ref().first_chunk().copied().unwrap_or_default()
    }

    /// Tells keys apart without telling them: 16 hex digits.
    pub fn key_id(&self) -> String {
        hex(self.keyed("key", &[]).get(..8).unwrap_or(&[]))
    }

    /// Whether an address is replaced: at home, or private.
    pub fn covers(&self, addr: &Addr) -> bool {
        let nobody = self.nobody.iter().any(|p| is_within(addr, p));
        !nobody && (self.home.contains(addr) || self.own.iter().any(|p| is_within(addr, p)))
    }

    /// The address that stands for a host's; any other stays.
    pub fn address(&self, addr: Addr) -> Addr {
        if !self.covers(&addr) {
            return addr;
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.get(&addr) {
            return *found;
        }
        let new = self.turn(&addr);
        if known.len() >= MAX_CACHED {
            known.clear();
        }
        known.insert(addr, new);
        new
    }

    /// Turns each bit behind those that are kept, or does not, as the bits
    /// before it and the key decide.
    fn turn(&self, addr: &Addr) -> Addr {
        let (skip, family) = if addr.as_v4().is_some() { (96, "ipv4") } else { (0, "ipv6") };
        let kept = self.kept_bits(addr, skip);
        let mut out = *addr;
        for (at, (byte, out)) in addr.0.iter().zip(&mut out.0).enumerate().skip(skip / 8) {
            let before = addr.0.get(skip / 8..at).unwrap_or(&[]);
            let tree = self.keyed(family, before);
            for level in 0..8u32 {
                let bit = u32::try_from(at).unwrap_or(0).saturating_mul(8).saturating_add(level);
                // The nodes of a level follow those of the levels above it.
                let node = (1usize << level) - 1 + (usize::from(*byte) >> (8 - level));
                let turns = tree.get(node / 8).is_some_and(|b| b >> (node % 8) & 1 == 1);
                if bit >= kept && turns {
                    *out ^= 0x80 >> level;
                }
            }
        }
        out
    }

    /// How many of the 128 bits lead to a block, or are one.
    fn kept_bits(&self, addr: &Addr, skip: usize) -> u32 {
        let v4 = skip > 0;
        let family = self.blocks.iter().filter(|b| is_v4(b) == v4);
        let kept = family.map(|b| {
            let common = (b.network() ^ addr.bits()).leading_zeros();
            common.saturating_add(1).min(u32::from(b.len128()))
        });
        kept.max().unwrap_or(0).max(u32::try_from(skip).unwrap_or(0))
    }

    /// The network that stands for one at home or private; any other stays.
    pub fn prefix(&self, prefix: Prefix) -> Prefix {
        let new = self.address(first(&prefix));
        let host_bits = 128u32.saturating_sub(u32::from(prefix.len128()));
        let network = u128::MAX.checked_shl(host_bits).unwrap_or(0) & new.bits();
        Prefix::new(Addr(network.to_be_bytes()), prefix.len128()).unwrap_or(prefix)
    }

    /// The hardware address that stands for a host's. Whether it was locally
    /// administered stays, since hosts that make up their addresses are judged
    /// otherwise; its maker's part says nothing. Group addresses stay, and so
    /// does none at all.
    pub fn mac(&self, mac: Mac) -> Mac {
        let [first, ..] = mac.0;
        if first & 1 == 1 || mac.0 == [0; 6] {
            return mac;
        }
        let [a, b, c, d, e, f, ..] = self.keyed("mac", &mac.0);
        Mac([a & 0xfc | first & 2, b, c, d, e, f])
    }

    /// The name that stands for a host's.
    pub fn name(&self, name: &str) -> String {
        let digest = self.keyed("name", name.to_ascii_lowercase().as_bytes());
        format!("h-{}", hex(digest.get(..8).unwrap_or(&[])))
    }

    /// What stands for the hash of a frame: the hash would allow to test
    /// whether a guessed frame is this one.
    pub(super) fn digest(&self, sha256: &[u8; 32]) -> [u8; 32] {
        self.keyed("frame", sha256)
    }

    /// The name of a server in a record. An address is replaced as such. What
    /// the catalogue lists stays; of the rest the names of servers at home are
    /// replaced.
    pub(super) fn server_name(&self, name: &str, at_home: bool) -> Box<str> {
        let bare = name.strip_prefix('[').and_then(|n| n.strip_suffix(']'));
        if let Ok(addr) = bare.unwrap_or(name).parse::<Addr>() {
            let new = self.address(addr);
            return if bare.is_some() { format!("[{new}]") } else { new.to_string() }.into();
        }
        let listed = !name.contains('\\') && self.catalogue.match_name(&Name::from_text(name.as_bytes())).is_some();
        if at_home && !listed { self.name(name).into() } else { name.into() }
    }

    /// A text in which addresses, networks and hardware addresses are replaced:
    /// a command line, a path.
    pub fn text(&self, text: &str) -> String {
        ADDRESSES.replace_all(text, |found: &regex::Captures<'_>| self.token(&found[0])).into_owned()
    }

    fn token(&self, token: &str) -> String {
        if let Ok(mac) = token.parse() {
            return self.mac(mac).to_string();
        }
        if let Ok(prefix) = token.parse::<Prefix>()
            && token.contains('/')
        {
            return self.prefix(prefix).to_string();
        }
        let (addr, length) = token.split_at(token.find('/').unwrap_or(token.len()));
        addr.parse().map_or_else(|_| token.to_owned(), |a| format!("{}{length}", self.address(a)))
    }

    /// The home networks that pseudonyms are of.
    pub fn home(&self) -> HomeNets {
        if self.home.is_any() {
            return HomeNets::any();
        }
        HomeNets::only(self.home.prefixes().iter().map(|p| self.prefix(*p)).collect())
    }
}

/// The first address of a network.
fn first(prefix: &Prefix) -> Addr {
    Addr(prefix.network().to_be_bytes())
}

fn is_v4(prefix: &Prefix) -> bool {
    prefix.len128() >= 96 && first(prefix).as_v4().is_some()
}

/// Whether the address lies in the network, and both are of one family.
fn is_within(addr: &Addr, prefix: &Prefix) -> bool {
    is_v4(prefix) == addr.as_v4().is_some() && prefix.contains(addr)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    const KEY: [u8; 32] = *b"0123456789abcdefghijklmnopqrstuv";

    fn pseudonyms(key: &[u8], home: HomeNets) -> Pseudonyms {
        static CATALOGUE: LazyLock<Arc<Catalogue>> = LazyLock::new(|| Arc::new(Catalogue::builtin()));
        Pseudonyms::new(key, &home, Arc::clone(&CATALOGUE))
    }

    fn of(home: &[&str]) -> Pseudonyms {
        pseudonyms(&KEY, HomeNets::only(home.iter().map(|p| p.parse().unwrap()).collect()))
    }

    fn shared(a: &Addr, b: &Addr) -> u32 {
        (a.bits() ^ b.bits()).leading_zeros()
    }

    proptest! {
        #[test]
        fn addresses_share_as_many_bits_as_before(
            a in any::<u32>(), b in any::<u32>(), flip in 0u32..32, c in any::<u128>(), d in any::<u128>(), six in 0u32..128,
        ) {
            let p = pseudonyms(&KEY, HomeNets::any());
            let v4 = |n: u32| Addr::v4(n.to_be_bytes());
            let v6 = |n: u128| Addr((n & (u128::MAX >> 3) | 1 << 125).to_be_bytes());
            // Neighbours and strangers.
            let pairs = [(v4(a), v4(b)), (v4(a), v4(a ^ 1 << flip)), (v6(c), v6(d)), (v6(c), v6(c ^ 1 << six))];
            for (x, y) in pairs {
                if p.covers(&x) && p.covers(&y) {
                    prop_assert_eq!(shared(&p.address(x), &p.address(y)), shared(&x, &y), "{} {}", x, y);
                }
            }
        }

        #[test]
        fn a_block_is_mapped_onto_itself(n in any::<u32>(), six in any::<u128>()) {
            let home = ["203.0.113.0/24", "2001:db8:1::/48", "192.168.7.0/24"];
            let p = of(&home);
            for block in OWN.iter().chain(&home[..2]) {
                let block: Prefix = block.parse().unwrap();
                let host = if is_v4(&block) { u128::from(n) } else { six };
                let mask = u128::MAX.checked_shr(u32::from(block.len128())).unwrap_or(0);
                let addr = Addr((block.network() | host & mask).to_be_bytes());
                prop_assert!(block.contains(&p.address(addr)), "{addr} in {block}");
            }
        }

        /// What an address becomes depends on the key, not on which private
        /// networks are called home.
        #[test]
        fn private_addresses_are_the_same_in_every_run(n in any::<[u8; 3]>()) {
            let addr = Addr::v4([10, n[0], n[1], n[2]]);
            let one = of(&["10.0.0.0/8"]).address(addr);
            prop_assert_eq!(of(&["192.168.7.0/24", "10.1.0.0/16"]).address(addr), one);
            prop_assert_eq!(pseudonyms(&KEY, HomeNets::any()).address(addr), one);
        }

        #[test]
        fn networks_hold_the_pseudonyms_of_their_hosts(n in any::<[u8; 3]>(), len in 104u8..=128) {
            let p = of(&["10.0.0.0/8"]);
            let addr = Addr::v4([10, n[0], n[1], n[2]]);
            let mask = u128::MAX << (128 - u32::from(len));
            let network = Prefix::new(Addr((addr.bits() & mask).to_be_bytes()), len).unwrap();
            prop_assert!(p.prefix(network).contains(&p.address(addr)));
        }
    }

    #[test]
    fn no_two_hosts_become_one() {
        let p = pseudonyms(&KEY, HomeNets::any());
        let hosts: Vec<Addr> = (0..8192u16).map(|n| Addr::v4([172, 16, (n >> 8) as u8, n as u8])).collect();
        let new: HashSet<Addr> = hosts.iter().map(|a| p.address(*a)).collect();
        assert_eq!(new.len(), hosts.len());
        // About half of the bits of a byte are turned.
        let turned: u32 = hosts.iter().map(|a| (a.bits() ^ p.address(*a).bits()).count_ones()).sum();
        assert!((7..=11).contains(&(turned / 8192)), "of 20 bits {}", turned / 8192);
    }

    #[test]
    fn servers_and_groups_stay() {
        let p = of(&["10.0.0.0/8"]);
        for text in [
            "8.8.8.8",
            "2001:4860::1",
            "224.0.0.251",
            "ff02::fb",
            "255.255.255.255",
            "0.0.0.0",
            "::",
            "::1",
            "127.0.0.1",
        ] {
            let addr: Addr = text.parse().unwrap();
            assert_eq!(p.address(addr), addr, "{text}");
        }
        for text in ["10.0.0.5", "192.168.1.1", "fe80::1", "fd00::1"] {
            let addr: Addr = text.parse().unwrap();
            assert_ne!(p.address(addr), addr, "{text}");
        }
        assert!(p.address("fe80::1".parse().unwrap()).to_string().starts_with("fe80::"));
        // Where every address is at home none is told from outside, but for groups.
        let any = pseudonyms(&KEY, HomeNets::any());
        assert_ne!(any.address("8.8.8.8".parse().unwrap()), "8.8.8.8".parse().unwrap());
        assert_eq!(any.address("224.0.0.251".parse().unwrap()), "224.0.0.251".parse().unwrap());
        let public = any.address("93.184.216.34".parse().unwrap());
        assert!(!OWN.iter().any(|b| b.parse::<Prefix>().unwrap().contains(&public)), "{public}");
    }

    #[test]
    fn another_key_gives_other_pseudonyms() {
        let (one, two) = (of(&["10.0.0.0/8"]), pseudonyms(&[7; 40], HomeNets::default()));
        let (addr, mac) = ("10.1.2.3".parse().unwrap(), "00:11:22:33:44:55".parse().unwrap());
        assert_ne!(one.address(addr), two.address(addr));
        assert_ne!(one.mac(mac), two.mac(mac));
        assert_ne!(one.name("pc-17"), two.name("pc-17"));
        assert_ne!(one.key_id(), two.key_id());
        assert_eq!(one.key_id(), of(&["192.168.0.0/16"]).key_id());
        assert!(!format!("{one:?}").contains("0123"), "the key is not shown");
    }

    #[test]
    fn macs_and_names() {
        let p = of(&["10.0.0.0/8"]);
        for n in 0..64 {
            for first in [0, 2] {
                let new = p.mac(Mac([first, 0x11, 0x22, 0, 0, n]));
                assert_eq!(new.0[0] & 3, first, "of one station, made up or not as before: {new}");
            }
        }
        let group: Mac = "01:00:5e:00:00:fb".parse().unwrap();
        assert_eq!(p.mac(group), group);
        let name = p.name("PC-17");
        assert_eq!((name.len(), name.get(..2), &name), (18, Some("h-"), &p.name("pc-17")));
    }

    #[test]
    fn the_vendors_names_stay() {
        let p = of(&["10.0.0.0/8"]);
        assert_eq!(&*p.server_name("s05.upd.kaspersky.com", true), "s05.upd.kaspersky.com");
        assert_eq!(&*p.server_name("mirror.example.com", false), "mirror.example.com");
        assert_eq!(&*p.server_name("ksc.corp.example", true), p.name("ksc.corp.example"));
        let addr = p.address("10.0.0.9".parse().unwrap()).to_string();
        assert_eq!(&*p.server_name("10.0.0.9", false), addr);
        let six = p.address("fd00::9".parse().unwrap()).to_string();
        assert_eq!(&*p.server_name("[fd00::9]", true), format!("[{six}]"));
        assert_eq!(&*p.server_name("198.51.100.7", true), "198.51.100.7");
    }

    #[test]
    fn addresses_in_a_text_are_replaced() {
        let p = of(&["10.0.0.0/8"]);
        let [a, six] = ["10.0.0.5", "fd00::5"].map(|t| p.address(t.parse().unwrap()).to_string());
        let mac = p.mac("02:00:00:00:00:01".parse().unwrap()).to_string();
        let net = p.prefix("10.1.0.0/16".parse().unwrap()).to_string();
        for (text, want) in [
            ("host 10.0.0.5 or 10.0.0.5:80", format!("host {a} or {a}:80")),
            ("(10.0.0.5.cap)", format!("({a}.cap)")),
            ("net 10.1.0.0/16,10.0.0.5/24", format!("net {net},{a}/24")),
            ("ether host 02:00:00:00:00:01", format!("ether host {mac}")),
            ("[fd00::5]:443", format!("[{six}]:443")),
            ("8.8.8.8 vlan:10 64-1 2,4,8,1,3 12:30:00 --since 2026-03-01T10:00:00Z 1.2.3", String::new()),
        ] {
            let want = if want.is_empty() { text.to_owned() } else { want };
            assert_eq!(p.text(text), want);
        }
        assert_eq!(p.home().describe(), ["10.0.0.0/8"]);
        let narrow = of(&["192.168.7.0/24"]);
        let host: Addr = "192.168.7.9".parse().unwrap();
        assert!(narrow.home().contains(&narrow.address(host)) && !narrow.home().contains(&host));
    }

    #[test]
    fn keys_are_checked() {
        assert_eq!(key_of_file(b""), Err(WeakKey::Short(0)));
        assert_eq!(key_of_file(&[1; 31]), Err(WeakKey::Short(31)));
        assert_eq!(key_of_file(b"0123456789abcdef0123456789abcdef\n"), Err(WeakKey::Short(16)));
        assert_eq!(key_of_file(&[0; 64]), Err(WeakKey::Constant));
        assert_eq!(key_of_file(&[1; 5000]), Err(WeakKey::Long));
        let hex_digits = "0123456789ABCDEF".repeat(4) + "\r\n";
        assert_eq!(key_of_file(hex_digits.as_bytes()).unwrap().len(), 32);
        assert_eq!(key_of_file(b"a passphrase of at least 32 bytes, as it is").unwrap().len(), 43);
    }
}
