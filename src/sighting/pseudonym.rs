//! Keyed pseudonyms for hosts: who has the key can make the same ones again,
//! who has not cannot tell whom they stand for.
//!
//! Addresses keep their prefixes: two that share so many bits share as many
//! afterwards, and no more (the construction of Crypto-PAn by Xu, Fan, Ammar
//! and Moon, with HMAC-SHA-256 for its cipher). One call decides on the eight
//! bits of a byte, since its 256 bits are enough for the 255 nodes of a tree of
//! eight levels. Blocks that mean something, such as `10.0.0.0/8`, are mapped
//! onto themselves: what leads to them in the tree is not turned. The last 64
//! bits of an IPv6 address are no prefix of anything but are often made from a
//! hardware address, so hosts of one maker would share half of them: a Feistel
//! network of four rounds permutes them as a whole.

use super::home::HomeNets;
use super::observer::Canary;
use super::{HostKey, Naming, Signal};
use crate::base::digest::hex;
use crate::base::{Addr, Mac, Name, Prefix};
use crate::catalogue::Catalogue;
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
const KEPT: [&str; 9] =
    ["fe80::/64", "2000::/3", "0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/4", "240.0.0.0/4", "::/8", "::/127", "ff00::/8"];
/// Blocks that name nobody: unspecified, loopback, multicast and broadcast.
const NOBODY: [&str; 6] = ["0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/4", "255.255.255.255/32", "::/127", "ff00::/8"];
/// Longest home network whose prefix is kept, in bits of 128: within a longer
/// one hosts could hardly change places.
const LONGEST_KEPT: (u8, u8) = (96 + 24, 64);

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
    /// First 64 bits of networks at home that are longer.
    narrow: Vec<u128>,
    /// Whether every address is replaced, and all else that may tell a host.
    publishes: bool,
    known: Mutex<HashMap<(Addr, Tree), Addr, RandomState>>,
}

/// Which bits are turned is decided apart for hosts and for others: whoever
/// knows some servers' addresses must not learn how those of hosts are turned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Tree {
    Hosts,
    Servers,
}

impl Tree {
    fn family(self, v4: bool) -> &'static str {
        match (self, v4) {
            (Tree::Hosts, true) => "ipv4",
            (Tree::Hosts, false) => "ipv6",
            (Tree::Servers, true) => "server ipv4",
            (Tree::Servers, false) => "server ipv6",
        }
    }
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
        let mut made = Pseudonyms::for_publication(key, home, catalogue);
        made.publishes = false;
        // Home networks inside a private block move within it.
        let outer = |p: &&Prefix| !made.own.iter().any(|o| o.len128() <= p.len128() && o.contains(&first(p)));
        let wide = |p: &Prefix| {
            let most = if is_v4(p) { LONGEST_KEPT.0 } else { LONGEST_KEPT.1 };
            masked(&first(p), p.len128().min(most)).unwrap_or(*p)
        };
        let kept: Vec<Prefix> = home.prefixes().iter().filter(outer).map(wide).collect();
        made.blocks.extend(kept);
        made
    }

    /// Pseudonyms for what is given to others, whoever was at home where it was
    /// recorded: every address is replaced that names anybody, public home
    /// networks keep nothing of their prefix, and names, paths and words stay
    /// only where they are known to name no host.
    pub fn for_publication(key: &[u8], home: &HomeNets, catalogue: Arc<Catalogue>) -> Self {
        let parse = |blocks: &[&str]| -> Vec<Prefix> { blocks.iter().filter_map(|b| b.parse().ok()).collect() };
        let own = parse(&OWN);
        let narrow = home.prefixes().iter().filter(|p| !is_v4(p) && p.len128() > 64).map(|p| p.network() >> 64);
        Pseudonyms {
            key: hmac::Key::new(HMAC_SHA256, key),
            home: home.clone(),
            catalogue,
            blocks: [own.clone(), parse(&KEPT)].concat(),
            own,
            nobody: parse(&NOBODY),
            narrow: narrow.collect(),
            publishes: true,
            known: Mutex::default(),
        }
    }

    /// Whether they are for what is given to others.
    pub(super) fn publishes(&self) -> bool {
        self.publishes
    }

    /// The catalogue whose names stay.
    pub(super) fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// Hex digits that stand for a text of some kind.
    pub(super) fn word(&self, kind: &str, text: &str) -> String {
        hex(self.keyed(kind, text.as_bytes()).get(..8).unwrap_or(&[]))
    }

    pub(super) fn keyed(&self, what: &str, bytes: &[u8]) -> [u8; 32] {
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

    /// Whether an address is replaced: at home, or private; in publications any
    /// that names anybody.
    pub fn covers(&self, addr: &Addr) -> bool {
        !self.is_nobody(addr) && (self.publishes || self.is_own(addr))
    }

    fn is_nobody(&self, addr: &Addr) -> bool {
        self.nobody.iter().any(|p| is_within(addr, p))
    }

    fn is_own(&self, addr: &Addr) -> bool {
        self.home.contains(addr) || self.own.iter().any(|p| is_within(addr, p))
    }

    /// The address that stands for a host's; any other stays.
    pub fn address(&self, addr: Addr) -> Addr {
        self.replaced(addr, Tree::Hosts)
    }

    /// The address that stands for a server's: if it is not one at home, in
    /// publications, one by which nothing can be told of hosts.
    pub(super) fn server(&self, addr: Addr) -> Addr {
        let tree = if self.publishes && !self.is_own(&addr) { Tree::Servers } else { Tree::Hosts };
        self.replaced(addr, tree)
    }

    fn replaced(&self, addr: Addr, tree: Tree) -> Addr {
        if !self.covers(&addr) {
            return addr;
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.get(&(addr, tree)) {
            return *found;
        }
        let mut new = self.turn(&addr, tree);
        // Turning permutes, so that this comes to an end.
        while self.is_nobody(&new) {
            new = self.turn(&new, tree);
        }
        if known.len() >= MAX_CACHED {
            known.clear();
        }
        known.insert((addr, tree), new);
        new
    }

    /// Turns each bit behind those that are kept, or does not, as the bits
    /// before it and the key decide.
    fn turn(&self, addr: &Addr, tree: Tree) -> Addr {
        let (skip, family) = if addr.as_v4().is_some() { (96, tree.family(true)) } else { (0, tree.family(false)) };
        let kept = self.kept_bits(addr, skip);
        let whole = skip == 0 && kept <= 64 && !self.narrow.contains(&(addr.bits() >> 64));
        let bytes = if whole { 8 } else { 16 };
        let mut out = *addr;
        for (at, (byte, out)) in addr.0.iter().zip(&mut out.0).enumerate().take(bytes).skip(skip / 8) {
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
        if whole {
            let interface = self.interface((addr.bits() >> 64) as u64, addr.bits() as u64, family);
            out = Addr((out.bits() >> 64 << 64 | u128::from(interface)).to_be_bytes());
        }
        out
    }

    /// Permutes the last 64 bits of addresses of one network.
    fn interface(&self, network: u64, id: u64, family: &str) -> u64 {
        let what = format!("{family} interface");
        let (mut left, mut right) = ((id >> 32) as u32, id as u32);
        for round in 0..4u8 {
            let input = [&network.to_be_bytes()[..], &[round], &right.to_be_bytes()].concat();
            let mixed = self.keyed(&what, &input).first_chunk().copied().unwrap_or_default();
            (left, right) = (right, left ^ u32::from_be_bytes(mixed));
        }
        u64::from(left) << 32 | u64::from(right)
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
        masked(&self.address(first(&prefix)), prefix.len128()).unwrap_or(prefix)
    }

    /// The hardware address that stands for a host's. Whether it was locally
    /// administered stays, since hosts that make up their addresses are judged
    /// otherwise; its maker's part says nothing. Group addresses stay, and so
    /// does none at all; in publications only broadcast does, since a sender
    /// that uses another is known by it.
    pub fn mac(&self, mac: Mac) -> Mac {
        let [first, ..] = mac.0;
        let group = first & 1 == 1 && (!self.publishes || mac.0 == [0xff; 6]);
        if group || mac.0 == [0; 6] {
            return mac;
        }
        let [a, b, c, d, e, f, ..] = self.keyed("mac", &mac.0);
        Mac([a & 0xfc | first & 3, b, c, d, e, f])
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
            let new = self.server(addr);
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

/// The network of so many of 128 bits that an address is in.
fn masked(addr: &Addr, len128: u8) -> Option<Prefix> {
    let host_bits = 128u32.saturating_sub(u32::from(len128));
    let network = u128::MAX.checked_shl(host_bits).unwrap_or(0) & addr.bits();
    Prefix::new(Addr(network.to_be_bytes()), len128)
}

fn is_v4(prefix: &Prefix) -> bool {
    prefix.len128() >= 96 && first(prefix).as_v4().is_some()
}

/// Whether the address lies in the network, and both are of one family.
fn is_within(addr: &Addr, prefix: &Prefix) -> bool {
    is_v4(prefix) == addr.as_v4().is_some() && prefix.contains(addr)
}

#[cfg(test)]
mod tests;
