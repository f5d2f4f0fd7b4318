//! Paths and User-Agents of HTTP requests to indicators.

use super::IndicatorRef;
use memchr::memmem;

#[derive(Debug)]
struct PathRule {
    /// Looked for first: far cheaper than the expression.
    contains: Option<memmem::Finder<'static>>,
    regex: regex::bytes::Regex,
    indicator: IndicatorRef,
}

/// All path and User-Agent patterns, those of alarms first, else in the order
/// of the catalogue.
#[derive(Debug, Default)]
pub(super) struct HttpIndex {
    paths: Vec<PathRule>,
    agents: Vec<(regex::bytes::Regex, IndicatorRef)>,
}

impl HttpIndex {
    /// Adds a path pattern.
    pub fn add_path(&mut self, contains: Option<&str>, regex: regex::bytes::Regex, indicator: IndicatorRef) {
        let contains = contains.map(|t| memmem::Finder::new(t.as_bytes()).into_owned());
        self.paths.push(PathRule { contains, regex, indicator });
    }

    /// Adds a User-Agent pattern.
    pub fn add_agent(&mut self, regex: regex::bytes::Regex, indicator: IndicatorRef) {
        self.agents.push((regex, indicator));
    }

    /// The first pattern that fits a path, query included.
    pub fn find_path(&self, path: &[u8]) -> Option<IndicatorRef> {
        self.paths
            .iter()
            .find(|r| r.contains.as_ref().is_none_or(|c| c.find(path).is_some()) && r.regex.is_match(path))
            .map(|r| r.indicator)
    }

    /// The first pattern that fits a User-Agent.
    pub fn find_agent(&self, agent: &[u8]) -> Option<IndicatorRef> {
        self.agents.iter().find(|(r, _)| r.is_match(agent)).map(|(_, i)| *i)
    }
}
