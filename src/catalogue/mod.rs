//! Indicators: what is looked for, and how sure it is.
//!
//! `kaspersky.toml` describes the format of catalogue files at its head.
//! [`Catalogue::load`] reads and checks them; the `match_` functions find the
//! winner among all patterns that fit, the `explain_` functions all of them.

mod addresses;
mod entries;
mod error;
mod examples;
mod explain;
mod file;
mod fixed;
mod hosts;
mod http;
mod known;
mod load;
mod matcher;
mod names;
mod pattern;
mod payload;
mod pieces;
mod plain;
mod prefixes;
mod sequence;
mod text;

#[cfg(test)]
mod tests;

pub use entries::Indicator;
pub use error::{CatalogueError, Position, Problem};
pub use examples::Subject;
pub use explain::Fit;
pub use file::CatalogueFile;
pub use names::Rank;
pub use pattern::{HostPattern, PathPattern, Pattern, PayloadPattern, TransportPort};
pub use text::LongText;

use crate::base::{Addr, Name};
use std::fmt;
use std::sync::OnceLock;

/// What an indicator stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Category {
    /// Database and module updates.
    Update,
    /// Cloud reputation (KSN).
    Reputation,
    /// Licence activation.
    Activation,
    /// Other product services.
    Service,
    /// Web sites, downloads, documentation.
    Web,
    /// Management inside the LAN.
    LanManagement,
    /// Update trees of products that embed the engine.
    OemUpdate,
    /// The vendor's address space.
    Netblock,
    /// A sinkhole: contact means malware.
    Sinkhole,
    /// A hostile look-alike name.
    Lookalike,
}

impl Category {
    /// Every category.
    pub const ALL: [Category; 10] = [
        Category::Update,
        Category::Reputation,
        Category::Activation,
        Category::Service,
        Category::Web,
        Category::LanManagement,
        Category::OemUpdate,
        Category::Netblock,
        Category::Sinkhole,
        Category::Lookalike,
    ];

    /// The word used in output.
    pub fn as_str(self) -> &'static str {
        match self {
            Category::Update => "update",
            Category::Reputation => "reputation",
            Category::Activation => "activation",
            Category::Service => "service",
            Category::Web => "web",
            Category::LanManagement => "lan-management",
            Category::OemUpdate => "oem-update",
            Category::Netblock => "netblock",
            Category::Sinkhole => "sinkhole",
            Category::Lookalike => "lookalike",
        }
    }

    /// Whether a contact is an alarm and never use.
    pub fn is_alarm(self) -> bool {
        matches!(self, Category::Sinkhole | Category::Lookalike)
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What one observation of an indicator is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Use {
    /// One observation makes a record.
    Alone,
    /// Counted and stored, but a record only beside a second, different signal.
    Support,
    /// Shipped for the reader, not matched.
    Off,
}

/// How well an indicator is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Confidence {
    /// One weak or old source.
    Low,
    /// One good source.
    Medium,
    /// The vendor's text, or several independent lists.
    High,
}

impl Confidence {
    /// The word used in output.
    pub fn as_str(self) -> &'static str {
        match self {
            Confidence::Low => "low",
            Confidence::Medium => "medium",
            Confidence::High => "high",
        }
    }
}

/// Index of an indicator in its catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IndicatorRef(pub u32);

/// A compiled catalogue.
#[derive(Debug, Default)]
pub struct Catalogue {
    entries: entries::Entries,
    known: known::Known,
    matcher: matcher::Matcher,
    files: Vec<CatalogueFile>,
    sha256: OnceLock<String>,
}

/// Contents.
impl Catalogue {
    /// The entry behind a reference.
    pub fn get(&self, r: IndicatorRef) -> Option<Indicator<'_>> {
        self.entries.get(r.0 as usize)
    }

    /// The entry of an id.
    pub fn find(&self, id: &str) -> Option<(IndicatorRef, Indicator<'_>)> {
        let r = IndicatorRef(self.entries.find(id)?);
        Some((r, self.get(r)?))
    }

    /// All entries in the order of the files, those that are off included.
    pub fn iter(&self) -> impl Iterator<Item = (IndicatorRef, Indicator<'_>)> + Clone {
        (0u32..).map(IndicatorRef).map_while(|r| Some((r, self.get(r)?)))
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.entries.len() == 0
    }

    /// The files in effect, in order.
    pub fn files(&self) -> &[CatalogueFile] {
        &self.files
    }

    /// The content of all files as one catalogue file. Loaded in place of the
    /// built-in catalogue, it has the same effect and the same hash.
    pub fn effective_toml(&self) -> LongText {
        LongText::joined(self.files.iter().map(|f| &f.text))
    }

    /// SHA-256 of [`Catalogue::effective_toml`] in hexadecimal.
    pub fn sha256_hex(&self) -> String {
        self.sha256.get_or_init(|| self.effective_toml().sha256_hex()).clone()
    }

    /// Names that never match because an equal pattern stands before them.
    pub fn shadowed(&self) -> impl ExactSizeIterator<Item = (IndicatorRef, Pattern)> {
        self.matcher.shadowed.iter().map(|(r, number)| {
            let pattern = self.get(*r).and_then(|i| i.patterns().nth(*number as usize));
            (*r, pattern.unwrap_or(Pattern::Exact("".into())))
        })
    }

    /// The resolvers that products ask when vendor names do not resolve, in
    /// their order.
    pub fn fallback_resolvers(&self) -> &[Addr] {
        &self.known.fallback_resolvers
    }
}

/// Matching. Entries that are off match nothing.
impl Catalogue {
    /// The first indicator that fits a host name, in the order of [`Rank`], and
    /// within a rank the longest suffix or `under`, then the order of the
    /// files. Odd names match nothing.
    #[inline]
    pub fn match_name(&self, name: &Name) -> Option<IndicatorRef> {
        if name.is_odd() { None } else { self.matcher.names.find(self.entries.bytes(), name.as_bytes()) }
    }

    /// The indicator that covers every name below `under`, as a wildcard in a
    /// certificate does. One that stands for some of them does not fit.
    pub fn match_wildcard(&self, under: &Name) -> Option<IndicatorRef> {
        if under.is_odd() || under.is_empty() {
            return None;
        }
        // No host name has this label, so only what covers all of them fits.
        self.matcher.names.find(self.entries.bytes(), &[b"*.", under.as_bytes()].concat())
    }

    /// The first indicator that fits an HTTP path, query included.
    pub fn match_path(&self, path: &[u8]) -> Option<IndicatorRef> {
        self.matcher.http.find_path(path)
    }

    /// The indicator of a User-Agent, which counts only beside an update host
    /// or path: `beside` is what the same request's host and path matched.
    pub fn match_user_agent(&self, ua: &[u8], beside: &[IndicatorRef]) -> Option<IndicatorRef> {
        let update = |r: &IndicatorRef| {
            self.get(*r).is_some_and(|i| matches!(i.category, Category::Update | Category::OemUpdate))
        };
        if beside.iter().any(update) { self.matcher.http.find_agent(ua) } else { None }
    }

    /// The most specific indicator whose prefix holds a server address,
    /// sinkholes first.
    #[inline]
    pub fn match_addr(&self, addr: &Addr) -> Option<IndicatorRef> {
        self.matcher.addresses.find(addr)
    }

    /// The indicator of a LAN port. `transport` is 6 or 17.
    pub fn match_port(&self, transport: u8, port: u16) -> Option<IndicatorRef> {
        self.matcher.ports.find_port(TransportPort { transport, port })
    }

    /// The indicator of a flow's first payload bytes, by transport (6 or 17)
    /// and port of the server. A TLS record matches nothing.
    pub fn match_payload(&self, transport: u8, port: u16, payload: &[u8]) -> Option<IndicatorRef> {
        self.matcher.ports.find_payload(TransportPort { transport, port }, payload)
    }

    /// Whether a name is a known public name of Encrypted Client Hello, so
    /// that the real server name is hidden.
    pub fn is_ech_public_name(&self, name: &Name) -> bool {
        self.known.is_ech_public_name(name)
    }

    /// Whether a name is that of a known resolver for DNS over HTTPS, TLS or
    /// QUIC, or lies below one.
    pub fn is_encrypted_dns_name(&self, name: &Name) -> bool {
        self.encrypted_dns_resolver(name).is_some()
    }

    /// The listed resolver for DNS over HTTPS, TLS or QUIC that a name is, or
    /// lies below.
    pub fn encrypted_dns_resolver(&self, name: &Name) -> Option<&str> {
        self.known.encrypted_dns(name)
    }

    /// Whether an address is a resolver that products ask when vendor names do
    /// not resolve.
    pub fn is_fallback_resolver(&self, addr: &Addr) -> bool {
        self.known.fallback_resolvers.contains(addr)
    }
}
