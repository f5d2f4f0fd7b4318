//! First payload bytes and LAN ports to indicators.

use super::IndicatorRef;
use super::pattern::{PayloadPattern, TransportPort, is_tls_record};

/// All LAN port and payload patterns.
#[derive(Debug, Default)]
pub(super) struct PortIndex {
    /// Sorted; of equal ports the first in the catalogue stands first.
    ports: Vec<(TransportPort, IndicatorRef)>,
    payloads: Vec<(PayloadPattern, IndicatorRef)>,
}

impl PortIndex {
    /// From the patterns in the order of the catalogue, alarms first.
    pub fn new(mut ports: Vec<(TransportPort, IndicatorRef)>, payloads: Vec<(PayloadPattern, IndicatorRef)>) -> Self {
        ports.sort_by_key(|(p, _)| *p);
        PortIndex { ports, payloads }
    }

    /// The indicator of a LAN port.
    pub fn find_port(&self, at: TransportPort) -> Option<IndicatorRef> {
        let first = self.ports.partition_point(|(p, _)| *p < at);
        self.ports.get(first).filter(|(p, _)| *p == at).map(|(_, i)| *i)
    }

    /// The first pattern that fits the first payload bytes of a flow to a
    /// port. A TLS record fits none, since port 443 carries both.
    pub fn find_payload(&self, at: TransportPort, payload: &[u8]) -> Option<IndicatorRef> {
        if is_tls_record(payload) {
            return None;
        }
        self.payloads.iter().find(|(p, _)| p.on.contains(&at) && fits(p, payload)).map(|(_, i)| *i)
    }
}

/// Whether payload bytes fit a pattern, its ports apart.
pub(super) fn fits(pattern: &PayloadPattern, payload: &[u8]) -> bool {
    pattern.starts.iter().any(|s| payload.starts_with(s)) || pattern.equals.iter().any(|e| payload == &e[..])
}
