//! Whether two sources show the same frames at different times. Then their clocks
//! are apart, and what was one contact counts twice.

use super::record::Evidence;
use crate::base::time::SECOND;
use crate::base::{Channel, Timestamp};
use foldhash::HashMap;
use std::collections::BTreeMap;

/// Frames that are remembered at most; later ones are only looked up.
const MOST_FRAMES: usize = 1 << 16;
/// Sources, and pairs of them with their distances, that are told apart at most.
const MOST_PAIRS: usize = 1 << 10;
/// Pairs that are said one by one.
const MOST_SAID: usize = 3;
/// Least seconds that clocks are apart: what comes sooner can be the same packet
/// sent again, or on its way between two sensors.
const LEAST: i64 = 60;

/// Frames of records, and the sources that show them at different times.
#[derive(Debug, Default)]
pub struct Clocks {
    sources: Vec<Shown>,
    numbers: HashMap<String, u32>,
    /// Source and time, by the beginning of the frame's hash.
    frames: HashMap<u64, (u32, Timestamp)>,
    /// By two sources and the seconds between them.
    apart: BTreeMap<(u32, u32, u64), Apart>,
}

/// A source, and a file of it.
#[derive(Debug)]
struct Shown {
    source: String,
    path: Option<String>,
}

/// What two sources show equally far apart.
#[derive(Debug, Default)]
struct Apart {
    first: u64,
    /// Another frame as well: one alone may have been sent again.
    another: bool,
    /// One of them is more than a lookup, which can be the same again and again.
    is_flow: bool,
}

impl Clocks {
    /// Adds the frames of a record.
    pub fn add(&mut self, source: &str, evidence: &[Evidence]) {
        let Some(path) = evidence.first().map(|e| e.path.as_ref()) else { return };
        let number = match self.numbers.get(source) {
            Some(number) => *number,
            None if self.sources.len() >= MOST_PAIRS => return,
            None => {
                let number = u32::try_from(self.sources.len()).unwrap_or(u32::MAX);
                self.sources.push(Shown { source: source.to_owned(), path: path.cloned() });
                self.numbers.insert(source.to_owned(), number);
                number
            }
        };
        for e in evidence {
            let hash = e.packet_hash().first_chunk().map_or(0, |head| u64::from_be_bytes(*head));
            match self.frames.get(&hash) {
                Some((other, ts)) if *other != number => {
                    let seconds =
                        (e.ts.0.abs_diff(ts.0).saturating_add(SECOND.unsigned_abs() / 2)) / SECOND.unsigned_abs();
                    let key = ((*other).min(number), (*other).max(number), seconds);
                    self.meet(key, hash, e.channel);
                }
                Some(_) => {}
                None if hash != 0 && self.frames.len() < MOST_FRAMES => {
                    self.frames.insert(hash, (number, e.ts));
                }
                None => {}
            }
        }
    }

    /// A frame of two sources.
    fn meet(&mut self, key: (u32, u32, u64), hash: u64, channel: Channel) {
        let room = self.apart.len() < MOST_PAIRS || self.apart.contains_key(&key);
        if key.2 < LEAST.unsigned_abs() || !room {
            return;
        }
        let apart = self.apart.entry(key).or_insert(Apart { first: hash, ..Apart::default() });
        apart.another |= apart.first != hash;
        apart.is_flow |= !matches!(channel, Channel::DnsQuery | Channel::DnsAnswer | Channel::DnsCname);
    }

    /// What is to be said, a sentence for each two sources.
    pub fn sentences(&self) -> Vec<String> {
        let shown = |at: u32| match self.sources.get(at as usize) {
            Some(Shown { path: Some(path), .. }) => format!("{path:?}"),
            Some(Shown { source, .. }) => source.clone(),
            None => String::new(),
        };
        let sure = || self.apart.iter().filter(|(_, a)| a.another && a.is_flow);
        let mut all: Vec<String> = sure()
            .take(MOST_SAID)
            .map(|((one, other, seconds), _)| {
                // In this order, whichever was read first.
                let mut both = [shown(*one), shown(*other)];
                both.sort_unstable();
                format!(
                    "{} show the same frames {} apart: one of the clocks is wrong, and what was one contact may be \
                     counted as two at different times",
                    both.join(" and "),
                    far(*seconds)
                )
            })
            .collect();
        let more = sure().count().saturating_sub(MOST_SAID);
        if more > 0 {
            all.push(format!("so do {more} more pairs of captures"));
        }
        all
    }
}

/// A number of seconds in words.
fn far(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} seconds"),
        120..7200 => format!("{} minutes", seconds / 60),
        7200..172_800 => format!("{} hours", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(hash: u8, secs: i64, channel: Channel, path: &str) -> Evidence {
        Evidence {
            path: Some(path.into()),
            interface: None,
            frame: 1,
            offset: None,
            ts: Timestamp(secs * SECOND),
            channel,
            name: None,
            src: "10.0.0.5".parse().unwrap(),
            sport: 1,
            dst: "192.0.2.7".parse().unwrap(),
            dport: 2,
            layers: Vec::new(),
            packet_sha256: format!("{hash:064x}").chars().rev().collect(),
        }
    }

    fn said(one: &[(u8, i64, Channel)], other: &[(u8, i64, Channel)]) -> Vec<String> {
        let mut clocks = Clocks::default();
        for (path, frames) in [("a.pcap", one), ("b.pcap", other)] {
            let evidence: Vec<_> = frames.iter().map(|(hash, secs, c)| frame(*hash, *secs, *c, path)).collect();
            clocks.add(path, &evidence);
        }
        clocks.sentences()
    }

    #[test]
    fn the_same_frames_of_two_clocks_are_said() {
        use Channel::{DnsQuery, HttpHost, TlsSni};
        let one = [(1, 1000, TlsSni), (2, 1010, HttpHost)];
        let at = |secs: i64| one.map(|(hash, ts, c)| (hash, ts + secs, c));
        let found = said(&one, &at(7200));
        assert!(
            found.len() == 1 && found[0].starts_with("\"a.pcap\" and \"b.pcap\" show the same frames 2 hours apart")
        );
        assert_eq!(said(&one, &at(-90))[0], found[0].replace("2 hours", "90 seconds"));
        // Two captures of one time, one frame that was sent again, and lookups that
        // are made again with the same id.
        assert!(said(&one, &at(0)).is_empty() && said(&one, &at(3)).is_empty());
        assert!(said(&one, &at(7200)[..1]).is_empty());
        assert!(said(&one, &[(1, 8200, TlsSni), (2, 9000, HttpHost)]).is_empty(), "not equally far apart");
        let asked = [(1, 1000, DnsQuery), (2, 1010, DnsQuery)];
        assert!(said(&asked, &asked.map(|(hash, ts, c)| (hash, ts + 3600, c))).is_empty());
        assert!(
            said(&[(1, 1000, TlsSni), (2, 1010, HttpHost), (1, 8200, TlsSni), (2, 8210, HttpHost)], &[]).is_empty()
        );
    }

    #[test]
    fn a_flood_of_frames_and_sources_is_not_held() {
        let mut clocks = Clocks::default();
        for n in 0..(MOST_FRAMES as u64 + 10) {
            let mut e = frame(0, n as i64, Channel::TlsSni, "a");
            e.packet_sha256 = format!("{:016x}{:048x}", n + 1, 0);
            clocks.add(&format!("s{}", n % (MOST_PAIRS as u64 + 10)), &[e]);
        }
        assert_eq!(clocks.sources.len(), MOST_PAIRS);
        assert!(clocks.frames.len() <= MOST_FRAMES);
    }
}
