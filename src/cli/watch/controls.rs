//! Canaries: harmless names whose lookups prove that the sensor sees.

use crate::base::time::SECOND;
use crate::base::{Channel, Timestamp};
use crate::sighting::{Canary, HostKey, Names};
use std::collections::{BTreeMap, HashMap};

/// One who repeats the same lookup is named once in that time, in nanoseconds.
const AGAIN: i64 = SECOND;

/// Lookups remembered for that.
const MAX_RECENT: usize = 4096;

/// One name.
#[derive(Default)]
struct Control {
    by_channel: BTreeMap<Channel, u64>,
    last: Option<(Timestamp, String)>,
}

/// What was asked for with `--canary`, and what was seen of it.
pub(super) struct Controls {
    names: BTreeMap<String, Control>,
    recent: HashMap<(String, HostKey, Channel), Timestamp>,
}

impl Controls {
    pub(super) fn new(names: &[String]) -> Self {
        let names = names.iter().map(|n| (n.clone(), Control::default())).collect();
        Controls { names, recent: HashMap::new() }
    }

    /// Counts a canary. The sentence to say, unless it was just said.
    pub(super) fn heard(&mut self, c: &Canary, names: &dyn Names) -> Option<String> {
        let who = who(c, names);
        let control = self.names.entry(c.name.clone()).or_default();
        let count = control.by_channel.entry(c.channel).or_default();
        *count = count.saturating_add(1);
        if control.last.as_ref().is_none_or(|(ts, _)| *ts <= c.ts) {
            control.last = Some((c.ts, who.clone()));
        }
        if self.recent.len() >= MAX_RECENT {
            self.recent.clear();
        }
        let key = (c.name.clone(), c.host, c.channel);
        if self.recent.get(&key).is_some_and(|last| (0..AGAIN).contains(&c.ts.since(*last))) {
            return None;
        }
        self.recent.insert(key, c.ts);
        let late = Timestamp::now().since(c.ts).max(0) / 1_000_000;
        Some(format!("control seen: {} by {} from {who} at {}, {late} ms ago", c.name, c.channel, c.ts))
    }

    /// What to say of each name in the end.
    pub(super) fn lines(&self) -> Vec<String> {
        self.names.iter().map(|(name, control)| line(name, control)).collect()
    }
}

fn line(name: &str, control: &Control) -> String {
    let Some((ts, who)) = &control.last else {
        return format!(
            "No control was seen: nobody looked {name} up where the sensor sees, so silence may mean that it is blind."
        );
    };
    let channels: Vec<String> = control.by_channel.iter().map(|(c, n)| format!("{c} {n}")).collect();
    format!("Last control seen: {name} at {ts} by {who} (in all: {}).", channels.join(", "))
}

fn who(c: &Canary, names: &dyn Names) -> String {
    let segment = names.segment(c.host.segment);
    let place = if segment.is_empty() { String::new() } else { format!(" in {segment}") };
    let mac = c.host.mac.map(|m| format!(" ({m})")).unwrap_or_default();
    format!("{}{mac}{place}", c.host.ip)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::EncapId;

    struct NoNames;

    impl Names for NoNames {
        fn sensor(&self) -> &str {
            "s"
        }
        fn source(&self, _: u32) -> String {
            String::new()
        }
        fn path(&self, _: u32) -> Option<String> {
            None
        }
        fn interface(&self, _: u32, _: u16) -> Option<String> {
            None
        }
        fn segment(&self, segment: u32) -> String {
            if segment == 0 { String::new() } else { format!("vlan:{segment}") }
        }
        fn layers(&self, _: EncapId) -> Vec<String> {
            Vec::new()
        }
    }

    fn canary(segment: u32, channel: Channel, secs: i64) -> Canary {
        let host = HostKey { segment, ip: "10.0.0.5".parse().unwrap(), mac: "02:00:00:00:00:05".parse().ok() };
        Canary { name: "canary.example.test".into(), host, channel, ts: Timestamp::from_parts(secs, 0), source: 0 }
    }

    #[test]
    fn says_who_and_how_and_counts_by_channel() {
        let mut controls = Controls::new(&["canary.example.test".into(), "other.example.test".into()]);
        let said = controls.heard(&canary(10, Channel::DnsQuery, 100), &NoNames).unwrap();
        assert!(
            said.contains("canary.example.test by dns_query from 10.0.0.5 (02:00:00:00:00:05) in vlan:10"),
            "{said}"
        );
        assert_eq!(controls.heard(&canary(10, Channel::DnsQuery, 100), &NoNames), None, "just said");
        assert!(controls.heard(&canary(10, Channel::TlsSni, 100), &NoNames).is_some());
        assert!(controls.heard(&canary(0, Channel::DnsQuery, 101), &NoNames).is_some());
        let lines = controls.lines();
        assert_eq!(
            lines[0],
            "Last control seen: canary.example.test at 1970-01-01T00:01:41Z by 10.0.0.5 (02:00:00:00:00:05) \
             (in all: dns_query 3, tls_sni 1)."
        );
        assert!(lines[1].starts_with("No control was seen: nobody looked other.example.test up"), "{}", lines[1]);
    }
}
