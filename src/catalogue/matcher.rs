//! The patterns of all indicators, compiled.

use super::addresses::AddressIndex;
use super::error::CatalogueError;
use super::http::HttpIndex;
use super::names::{NameIndex, Rank};
use super::pattern::{self, Pattern};
use super::payload::PortIndex;
use super::{Indicator, IndicatorRef, Use};

/// Indexes by kind of pattern.
#[derive(Debug, Default)]
pub(super) struct Matcher {
    pub names: NameIndex,
    pub addresses: AddressIndex,
    pub http: HttpIndex,
    pub ports: PortIndex,
    /// Patterns that an equal, earlier one hides.
    pub shadowed: Vec<(IndicatorRef, Pattern)>,
}

/// How a pattern of a name ranks in its indicator.
pub(super) fn rank(indicator: &Indicator, pattern: &Pattern) -> Option<Rank> {
    Some(match (pattern, indicator.category.is_alarm()) {
        (Pattern::Exact(_), true) => Rank::AlarmExact,
        (Pattern::Host(_), true) => Rank::AlarmHost,
        (Pattern::Suffix(_), true) => Rank::AlarmSuffix,
        (Pattern::Exact(_), false) => Rank::Exact,
        (Pattern::Host(_), false) => Rank::Host,
        (Pattern::Suffix(_), false) if indicator.residual => Rank::Residual,
        (Pattern::Suffix(_), false) => Rank::Suffix,
        _ => return None,
    })
}

impl Matcher {
    /// Compiles the patterns of all indicators that are not off.
    pub fn new(indicators: &[Indicator], errors: &mut CatalogueError) -> Self {
        let active = || indicators.iter().zip(0..).filter(|(i, _)| i.usage != Use::Off);
        let single = |p: &Pattern| match p {
            Pattern::Exact(n) | Pattern::Suffix(n) => !n.contains('.'),
            Pattern::Host(h) => !h.under.contains('.'),
            _ => false,
        };
        let names = NameIndex::new(active().any(|(i, _)| i.patterns.iter().any(single)));
        let mut matcher = Matcher { names, ..Matcher::default() };
        let mut addresses = [Vec::new(), Vec::new()];
        let (mut ports, mut payloads) = (Vec::new(), Vec::new());
        // Alarms first, for the patterns that are tried in order.
        let alarms = active().filter(|(i, _)| i.category.is_alarm());
        let others = active().filter(|(i, _)| !i.category.is_alarm());
        for (indicator, at) in alarms.chain(others) {
            let r = IndicatorRef(at);
            for p in &indicator.patterns {
                match p {
                    Pattern::Address(prefix) => {
                        addresses[usize::from(!indicator.category.is_alarm())].push((**prefix, at));
                    }
                    Pattern::LanPort(port) => ports.push((*port, r)),
                    Pattern::Payload(payload) => payloads.push(((**payload).clone(), r)),
                    _ => {
                        if let Err(why) = matcher.add_text(indicator, p, r) {
                            errors.push("", format!("indicator {:?}: {why}", indicator.id));
                        }
                    }
                }
            }
        }
        let [alarms, others] = addresses;
        matcher.addresses = AddressIndex::new(alarms, others);
        matcher.ports = PortIndex::new(ports, payloads);
        matcher
    }

    /// Adds a pattern of a name or of a field of an HTTP request.
    fn add_text(&mut self, indicator: &Indicator, p: &Pattern, r: IndicatorRef) -> Result<(), String> {
        let full = || "too many names".to_owned();
        match p {
            Pattern::Exact(name) | Pattern::Suffix(name) => {
                let rank = rank(indicator, p).ok_or_else(full)?;
                if self.names.add(name, rank, r).ok_or_else(full)? {
                    self.shadowed.push((r, p.clone()));
                }
            }
            Pattern::Host(h) => {
                let regex = pattern::compile_labels(&h.labels)?;
                self.names.add_host(&h.under, regex, indicator.category.is_alarm(), r).ok_or_else(full)?;
            }
            Pattern::Path(path) => {
                self.http.add_path(path.contains.as_deref(), pattern::compile(&path.regex)?, r);
            }
            Pattern::UserAgent(regex) => self.http.add_agent(pattern::compile(regex)?, r),
            Pattern::Address(_) | Pattern::LanPort(_) | Pattern::Payload(_) => {}
        }
        Ok(())
    }
}
