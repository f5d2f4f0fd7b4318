//! The patterns of all indicators, compiled.

use super::addresses::AddressIndex;
use super::entries::{Entries, PatternRef};
use super::error::CatalogueError;
use super::http::HttpIndex;
use super::names::{NameIndex, Rank};
use super::payload::PortIndex;
use super::{Indicator, IndicatorRef};

/// Indexes by kind of pattern.
#[derive(Debug, Default)]
pub(super) struct Matcher {
    pub names: NameIndex,
    pub addresses: AddressIndex,
    pub http: HttpIndex,
    pub ports: PortIndex,
    /// Patterns, by their number in their entry, that an equal, earlier one
    /// hides.
    pub shadowed: Vec<(IndicatorRef, u32)>,
}

/// How a pattern of a name ranks in its indicator.
pub(super) fn rank(indicator: &Indicator<'_>, pattern: &PatternRef<'_>) -> Option<Rank> {
    Some(match (pattern, indicator.category.is_alarm()) {
        (PatternRef::Exact(..), true) => Rank::AlarmExact,
        (PatternRef::Host(..), true) => Rank::AlarmHost,
        (PatternRef::Suffix(..), true) => Rank::AlarmSuffix,
        (PatternRef::Exact(..), false) => Rank::Exact,
        (PatternRef::Host(..), false) => Rank::Host,
        (PatternRef::Suffix(..), false) if indicator.residual => Rank::Residual,
        (PatternRef::Suffix(..), false) => Rank::Suffix,
        _ => return None,
    })
}

impl Matcher {
    /// Compiles the patterns of all indicators that are not off.
    pub fn new(entries: &Entries, errors: &mut CatalogueError) -> Self {
        let names = NameIndex::new(entries.has_single_labels());
        let mut matcher = Matcher { names, ..Matcher::default() };
        let mut addresses = [Vec::new(), Vec::new()];
        // Alarms first, for the patterns that are tried in order.
        for alarms in [true, false] {
            for (at, indicator) in entries.active(alarms).filter_map(|at| Some((at, entries.get(at as usize)?))) {
                for (number, p) in (0u32..).zip(indicator.borrowed()) {
                    match p {
                        PatternRef::Address(prefix) => addresses[usize::from(!alarms)].push((prefix, at)),
                        _ => {
                            if let Err(why) = matcher.add(entries, &indicator, (number, p), IndicatorRef(at)) {
                                errors.push("", format!("indicator {:?}: {why}", indicator.id));
                            }
                        }
                    }
                }
            }
        }
        let [alarms, others] = addresses;
        matcher.addresses = AddressIndex::new(alarms, others);
        matcher.names.finish();
        matcher.http.finish();
        matcher.ports.finish();
        matcher
    }

    /// Adds a pattern that is no address.
    fn add(
        &mut self,
        entries: &Entries,
        indicator: &Indicator<'_>,
        (number, p): (u32, PatternRef<'_>),
        r: IndicatorRef,
    ) -> Result<(), String> {
        let full = || "too many patterns".to_owned();
        match p {
            PatternRef::Exact(name, at) | PatternRef::Suffix(name, at) => {
                let rank = rank(indicator, &p).ok_or_else(full)?;
                if self.names.add(entries.bytes(), at, name, rank, r).ok_or_else(full)? {
                    self.shadowed.push((r, number));
                }
            }
            PatternRef::Host(labels, under, at) => {
                let alarm = indicator.category.is_alarm();
                self.names.add_host(entries.bytes(), (at, under), labels, alarm, r)?;
            }
            PatternRef::Path { regex, contains } => self.http.paths.add(regex, contains, r.0)?,
            PatternRef::UserAgent(regex) => self.http.agents.add(regex, None, r.0)?,
            PatternRef::LanPort(port) => self.ports.add_port(port, r),
            PatternRef::Payload(mut read) => {
                self.ports.add_payload(&read.payload(), r).ok_or_else(full)?;
            }
            PatternRef::Address(_) => {}
        }
        Ok(())
    }
}
