//! Paths and User-Agents of HTTP requests to indicators.

use super::IndicatorRef;
use super::fixed::Rules;

/// All path and User-Agent patterns, those of alarms first, else in the order
/// of the catalogue.
#[derive(Debug, Default)]
pub(super) struct HttpIndex {
    pub paths: Rules,
    pub agents: Rules,
}

impl HttpIndex {
    /// Makes the index ready, when all patterns are added.
    pub fn finish(&mut self) {
        self.paths.finish();
        self.agents.finish();
    }

    /// The first pattern that fits a path, query included.
    pub fn find_path(&self, path: &[u8]) -> Option<IndicatorRef> {
        self.paths.find(path).map(IndicatorRef)
    }

    /// The first pattern that fits a User-Agent.
    pub fn find_agent(&self, agent: &[u8]) -> Option<IndicatorRef> {
        self.agents.find(agent).map(IndicatorRef)
    }
}
