//! All patterns that fit something, in the order in which they win: for people
//! who ask why, and as the plain reading of the rules that the compiled
//! matcher is tested against.

use super::entries::PatternRef;
use super::names::Rank;
use super::pattern::{Pattern, TransportPort};
use super::sequence::Sequence;
use super::{Catalogue, IndicatorRef, Use, matcher, pattern, payload};
use crate::base::{Addr, Name};
use std::cmp::Reverse;

/// One pattern that fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fit {
    /// Whose pattern it is.
    pub indicator: IndicatorRef,
    /// The pattern.
    pub pattern: Pattern,
    /// How it ranks among names; `None` for what is no name.
    pub rank: Option<Rank>,
    /// Whether its indicator is off, so that it fits only for the reader.
    pub off: bool,
}

impl Catalogue {
    /// All name patterns that fit, the winner first and those that are off
    /// last. Takes time in proportion to the catalogue.
    pub fn explain_name(&self, name: &Name) -> Vec<Fit> {
        if name.is_odd() || name.is_empty() || name.as_bytes().len() > pattern::NAME_MAX {
            return Vec::new();
        }
        let text = name.as_str();
        let mut found = self.all(|p| match p {
            PatternRef::Exact(n, _) => n == text,
            PatternRef::Suffix(n, _) => text == n || labels_before(text, n).is_some(),
            PatternRef::Host(labels, under, _) => labels_before(text, under).is_some_and(|before| {
                pattern::compile_labels(labels).is_ok_and(|regex| regex.is_match(before.as_bytes()))
            }),
            _ => false,
        });
        // The sort is stable: what is equal stays in the order of the catalogue.
        found.sort_by_key(|f| {
            let tail = match &f.pattern {
                Pattern::Exact(n) | Pattern::Suffix(n) => n.len(),
                Pattern::Host(h) => h.under.len(),
                _ => 0,
            };
            (f.off, f.rank, Reverse(tail))
        });
        found
    }

    /// All address patterns that hold an address, the winner first.
    pub fn explain_addr(&self, addr: &Addr) -> Vec<Fit> {
        let mut found = self.all(|p| matches!(p, PatternRef::Address(prefix) if prefix.contains(addr)));
        found.sort_by_key(|f| {
            let len = if let Pattern::Address(p) = &f.pattern { p.len128() } else { 0 };
            (f.off, !self.is_alarm(f), Reverse(len))
        });
        found
    }

    /// All path patterns that fit an HTTP path, the winner first.
    pub fn explain_path(&self, path: &[u8]) -> Vec<Fit> {
        self.in_order(|p| match p {
            PatternRef::Path { regex, contains } => {
                // Compiling is what takes time where there are many.
                let literal = || Sequence::parse(regex).map(|s| s.literal()).unwrap_or_default();
                contains.is_none_or(|c| memchr::memmem::find(path, c.as_bytes()).is_some())
                    && memchr::memmem::find(path, &literal()).is_some()
                    && pattern::compile(regex).is_ok_and(|r| r.is_match(path))
            }
            _ => false,
        })
    }

    /// All User-Agent patterns that fit beside an update host or path, the
    /// winner first.
    pub fn explain_user_agent(&self, agent: &[u8]) -> Vec<Fit> {
        self.in_order(|p| matches!(p, PatternRef::UserAgent(r) if pattern::compile(r).is_ok_and(|r| r.is_match(agent))))
    }

    /// All LAN port patterns that fit, the winner first.
    pub fn explain_port(&self, at: TransportPort) -> Vec<Fit> {
        self.in_order(|p| matches!(p, PatternRef::LanPort(port) if port == at))
    }

    /// All payload patterns that fit, the winner first.
    pub fn explain_payload(&self, at: TransportPort, bytes: &[u8]) -> Vec<Fit> {
        let tls = pattern::is_tls_record(bytes);
        self.in_order(|p| match p {
            PatternRef::Payload(mut read) => {
                let p = read.payload();
                !tls && p.on.contains(&at) && payload::fits(&p, bytes)
            }
            _ => false,
        })
    }

    fn is_alarm(&self, fit: &Fit) -> bool {
        self.get(fit.indicator).is_some_and(|i| i.category.is_alarm())
    }

    /// What fits, alarms first and those that are off last, else in order.
    fn in_order(&self, fits: impl Fn(PatternRef<'_>) -> bool) -> Vec<Fit> {
        let mut found = self.all(fits);
        found.sort_by_key(|f| (f.off, !self.is_alarm(f)));
        found
    }

    fn all(&self, fits: impl Fn(PatternRef<'_>) -> bool) -> Vec<Fit> {
        let mut found = Vec::new();
        for (r, i) in self.iter() {
            for p in i.borrowed().filter(|p| fits(*p)) {
                let rank = matcher::rank(&i, &p);
                found.push(Fit { indicator: r, pattern: p.to_pattern(), rank, off: i.usage == Use::Off });
            }
        }
        found
    }
}

/// What stands in front of `under`, without the dot between.
fn labels_before<'a>(name: &'a str, under: &str) -> Option<&'a str> {
    name.strip_suffix(under)?.strip_suffix('.')
}
