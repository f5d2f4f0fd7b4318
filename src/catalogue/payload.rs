//! First payload bytes and LAN ports to indicators.

use super::IndicatorRef;
use super::pattern::{PAYLOAD_MAX, PayloadPattern, TransportPort, is_tls_record};
use super::prefixes::Prefixes;

/// Bytes of a port in a key.
const PORT: usize = 3;

/// All LAN port and payload patterns.
#[derive(Debug, Default)]
pub(super) struct PortIndex {
    /// Sorted; of equal ports the first in the catalogue stands first.
    ports: Vec<(TransportPort, IndicatorRef)>,
    /// Port and first bytes; the value is a number of `rules`.
    payloads: Prefixes,
    rules: Vec<Rule>,
    patterns: u32,
}

/// A payload that an indicator knows, in the order in which they win.
#[derive(Debug)]
struct Rule {
    indicator: IndicatorRef,
    /// How long the payload is, if it is no more than that.
    whole: Option<u8>,
    /// Place of the pattern among all.
    order: u32,
}

impl PortIndex {
    /// Adds a LAN port: alarms first, else in the order of the catalogue.
    pub fn add_port(&mut self, port: TransportPort, indicator: IndicatorRef) {
        self.ports.push((port, indicator));
    }

    /// The same of a payload. `None` if there is no room.
    pub fn add_payload(&mut self, pattern: &PayloadPattern, indicator: IndicatorRef) -> Option<()> {
        let order = self.patterns;
        self.patterns = order.checked_add(1)?;
        for on in &pattern.on {
            let starts = pattern.starts.iter().map(|b| (b, None));
            let equals = pattern.equals.iter().map(|b| (b, u8::try_from(b.len()).ok()));
            for (bytes, whole) in starts.chain(equals) {
                let value = u32::try_from(self.rules.len()).ok()?;
                self.rules.push(Rule { indicator, whole, order });
                self.payloads.add(&[&key(*on), &**bytes].concat(), value)?;
            }
        }
        Some(())
    }

    /// Makes the index ready, when all patterns are added.
    pub fn finish(&mut self) {
        self.ports.sort_by_key(|(p, _)| *p);
        self.payloads.sort();
    }

    /// The indicator of a LAN port.
    pub fn find_port(&self, at: TransportPort) -> Option<IndicatorRef> {
        let first = self.ports.partition_point(|(p, _)| *p < at);
        self.ports.get(first).filter(|(p, _)| *p == at).map(|(_, i)| *i)
    }

    /// The first pattern that fits the first payload bytes of a flow to a
    /// port. A TLS record fits none, since port 443 carries both.
    pub fn find_payload(&self, at: TransportPort, payload: &[u8]) -> Option<IndicatorRef> {
        if self.rules.is_empty() || is_tls_record(payload) {
            return None;
        }
        let mut text = [0; PORT + PAYLOAD_MAX];
        let first = payload.get(..payload.len().min(PAYLOAD_MAX)).unwrap_or_default();
        let (port, bytes) = text.split_at_mut(PORT);
        port.copy_from_slice(&key(at));
        bytes.get_mut(..first.len())?.copy_from_slice(first);
        let mut best: Option<&Rule> = None;
        self.payloads.each(text.get(..PORT + first.len())?, PORT, |value| {
            let Some(rule) = self.rules.get(value as usize) else { return };
            let fits = rule.whole.is_none_or(|len| usize::from(len) == payload.len());
            if fits && best.is_none_or(|b| rule.order < b.order) {
                best = Some(rule);
            }
        });
        best.map(|r| r.indicator)
    }
}

/// A port as the beginning of a key.
fn key(port: TransportPort) -> [u8; PORT] {
    let [high, low] = port.port.to_be_bytes();
    [port.transport, high, low]
}

/// Whether payload bytes fit a pattern, its ports apart.
pub(super) fn fits(pattern: &PayloadPattern, payload: &[u8]) -> bool {
    pattern.starts.iter().any(|s| payload.starts_with(s)) || pattern.equals.iter().any(|e| payload == &e[..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes() -> impl Strategy<Value = Box<[u8]>> {
        prop::collection::vec(1u8..3, 1..4).prop_map(Vec::into_boxed_slice)
    }

    proptest! {
        #[test]
        fn it_finds_what_trying_all_finds(
            list in prop::collection::vec(
                (prop::collection::vec(1u16..4, 1..3), prop::collection::vec(bytes(), 0..3), prop::collection::vec(bytes(), 0..3)),
                0..20),
            probes in prop::collection::vec((1u16..4, bytes()), 20),
        ) {
            let on = |port: u16| TransportPort { transport: 6, port };
            let list: Vec<PayloadPattern> = list.into_iter()
                .map(|(ports, starts, equals)| PayloadPattern { on: ports.into_iter().map(on).collect(), starts, equals })
                .collect();
            let mut index = PortIndex::default();
            for (pattern, order) in list.iter().zip(0..) {
                index.add_payload(pattern, IndicatorRef(order)).unwrap();
            }
            index.finish();
            for (port, payload) in probes {
                let plain = list.iter().zip(0..).find(|(p, _)| p.on.contains(&on(port)) && fits(p, &payload));
                prop_assert_eq!(index.find_payload(on(port), &payload), plain.map(|(_, r)| IndicatorRef(r)));
            }
        }
    }
}
