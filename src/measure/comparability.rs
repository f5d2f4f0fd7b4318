//! Whether two windows can be compared, and why not.

use super::coverage::{Coverage, percent};
use crate::coverage::Counter;
use serde::{Deserialize, Serialize};

/// Shares of hosts with encrypted DNS that differ by more.
const MOST_ENCRYPTED: f64 = 0.05;
/// What one window shows by the hour, by how much of the other's, is another
/// view: less than half of the greater.
const MOST_TRAFFIC: f64 = 2.0;
/// Of fewer in the greater window that says nothing.
const LEAST_TRAFFIC: u64 = 50;
/// Home addresses that one window shows fewer of, by the greater number, and at
/// least so many.
const MOST_ADDRESSES: f64 = 0.2;
const LEAST_ADDRESSES: u64 = 3;
/// How many networks are listed.
const LISTED: usize = 5;

/// Why two windows cannot be compared as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Because {
    /// What could be seen is not known.
    Unknown,
    /// What was seen could not show a contact of a host.
    Blind,
    /// The sensor was up for too little of a window.
    SensorUp,
    /// Too much was lost.
    Losses,
    /// One window shows much less by the hour: names, hellos or flows.
    Traffic,
    /// Sensors that saw frames in one window only.
    Sensors,
    /// Networks that only one window shows.
    Networks,
    /// One window shows fewer home addresses.
    Addresses,
    /// Other catalogues were used.
    Catalogue,
    /// Other shares of hosts use encrypted DNS.
    EncryptedDns,
    /// Captures that could not be read, or records that are gone.
    Incomplete,
    /// One host may count as two.
    Identity,
    /// Windows of different length.
    Length,
}

/// One reason, in a sentence.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Difference {
    /// What kind of reason.
    pub because: Because,
    /// The sentence, without a full stop.
    pub what: String,
}

/// Whether figures of two windows can be compared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Comparability {
    /// They can.
    pub comparable: bool,
    /// Why not.
    pub differences: Vec<Difference>,
}

impl Comparability {
    /// Of two windows. With `one_catalogue` the same one was applied to all
    /// records.
    pub fn of(baseline: &Coverage, current: &Coverage, one_catalogue: bool) -> Self {
        let mut differences = baseline.doubts("the baseline");
        differences.extend(current.doubts("the current window"));
        let mut add = |because, what: String| differences.push(Difference { because, what });
        if baseline.known.is_seen() && current.known.is_seen() {
            for (here, there, word) in [(baseline, current, "the baseline"), (current, baseline, "the current window")]
            {
                // Without their names, which a publication does not give.
                match sensors_of_one(here, there) {
                    0 => {}
                    1 => add(Because::Sensors, format!("a sensor saw frames in {word} only")),
                    n => add(Because::Sensors, format!("{n} sensors saw frames in {word} only")),
                }
                let only: Vec<&str> =
                    here.seen.keys().filter(|n| !there.seen.contains_key(*n)).map(String::as_str).collect();
                if !only.is_empty() {
                    let more = only.len().saturating_sub(LISTED);
                    let listed: Vec<&str> = only.iter().take(LISTED).copied().collect();
                    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                    let n = if only.len() == 1 { "a network was" } else { "networks were" };
                    add(Because::Networks, format!("{n} seen in {word} only: {}{more}", listed.join(", ")));
                }
            }
            traffic(baseline, current, &mut add);
            let (a, b) = (baseline.addresses, current.addresses);
            if a.abs_diff(b) >= LEAST_ADDRESSES && a.abs_diff(b) as f64 > MOST_ADDRESSES * a.max(b) as f64 {
                add(
                    Because::Addresses,
                    format!(
                        "up to {a} home addresses were in view at a time in the baseline and {b} in the current window"
                    ),
                );
            }
            let encrypted =
                |c: &Coverage| if c.addresses == 0 { 0.0 } else { c.encrypted_dns as f64 / c.addresses as f64 };
            if (encrypted(baseline) - encrypted(current)).abs() > MOST_ENCRYPTED {
                let (a, b) = (percent(encrypted(baseline)), percent(encrypted(current)));
                add(
                    Because::EncryptedDns,
                    format!(
                        "{a} of the home addresses used encrypted DNS in the baseline and {b} in the current window"
                    ),
                );
            }
        }
        let known = !baseline.catalogues.is_empty() && !current.catalogues.is_empty();
        if !one_catalogue && known && baseline.catalogues != current.catalogues {
            add(
                Because::Catalogue,
                "the windows were recorded with different catalogues; --catalogue-as-of applies one to both".into(),
            );
        }
        differences.sort();
        differences.dedup();
        Comparability { comparable: differences.is_empty(), differences }
    }

    /// Adds a reason.
    pub(super) fn add(&mut self, because: Because, what: String) {
        self.comparable = false;
        self.differences.push(Difference { because, what });
        self.differences.sort();
    }
}

/// How many sensors saw frames in one window and none in the other.
fn sensors_of_one(here: &Coverage, there: &Coverage) -> usize {
    let up = |c: &Coverage, sensor: &str| c.sensors.get(sensor).is_some_and(|up| *up > 0.0);
    here.sensors.keys().filter(|sensor| up(here, sensor) && !up(there, sensor)).count()
}

/// Says where one window shows much less by the hour with frames: names, hellos
/// or flows that are gone would have shown contacts.
fn traffic(baseline: &Coverage, current: &Coverage, add: &mut impl FnMut(Because, String)) {
    const WHAT: [(Counter, &str); 3] =
        [(Counter::Names, "host names"), (Counter::TlsHellos, "TLS ClientHellos"), (Counter::Flows, "flows")];
    if baseline.quarters_up == 0 || current.quarters_up == 0 {
        return;
    }
    for (counter, what) in WHAT {
        let hourly = |c: &Coverage| c.counts.get(counter) as f64 * 4.0 / c.quarters_up as f64;
        let (a, b) = (hourly(baseline), hourly(current));
        let most = if a > b { baseline } else { current };
        if most.counts.get(counter) >= LEAST_TRAFFIC && a.max(b) > MOST_TRAFFIC * a.min(b) {
            let n = |x: f64| (x * 10.0).round() / 10.0;
            let (a, b) = (n(a), n(b));
            add(
                Because::Traffic,
                format!("{a} {what} an hour were seen in the baseline and {b} in the current window"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fact::Seen;
    use super::*;
    use crate::coverage::Counts;

    /// A week in which frames came in this share of the quarter hours.
    fn week(up: i64, networks: &[&str], catalogue: &str) -> Coverage {
        let mut counts = Counts::default();
        for (counter, n) in [(Counter::Frames, 1000), (Counter::TcpSegments, 900), (Counter::Names, 30)] {
            counts.add(counter, n);
        }
        let seen = Seen {
            counts,
            quarters: (0..up).collect(),
            sources: 1,
            networks: networks.iter().map(|n| ((*n).to_owned(), 5)).collect(),
            addresses: 100,
            ..Seen::default()
        };
        Coverage::new(seen, (0, 671), None, vec![catalogue.to_owned()])
    }

    fn because(a: &Coverage, b: &Coverage) -> Vec<Because> {
        Comparability::of(a, b, false).differences.into_iter().map(|d| d.because).collect()
    }

    #[test]
    fn equal_windows_are_comparable() {
        let one = week(672, &["10.0.0.0/24"], "a");
        assert!(Comparability::of(&one, &one, false).comparable);
        assert_eq!((one.up, one.gaps, one.detection()), (1.0, 0, Some(1.0)));
    }

    #[test]
    fn each_difference_is_said() {
        let one = week(672, &["10.0.0.0/24"], "a");
        assert_eq!(because(&one, &week(336, &["10.0.0.0/24"], "a")), [Because::SensorUp]);
        assert_eq!(because(&one, &week(672, &["10.0.1.0/24"], "a")), [Because::Networks, Because::Networks]);
        assert_eq!(because(&one, &week(672, &["10.0.0.0/24"], "b")), [Because::Catalogue]);
        assert!(Comparability::of(&one, &week(672, &["10.0.0.0/24"], "b"), true).comparable);
        let mut other = one.clone();
        other.encrypted_dns = 40;
        assert_eq!(because(&one, &other), [Because::EncryptedDns]);
        let mut lossy = one.clone();
        lossy.shares.insert("frames_dropped".into(), 0.02);
        lossy.counts.add(Counter::DroppedKernel, 20);
        assert_eq!(because(&one, &lossy), [Because::Losses]);
        assert_eq!(lossy.detection(), Some(0.98));
        let mut fewer = one.clone();
        fewer.addresses = 79;
        assert_eq!(because(&one, &fewer), [Because::Addresses]);
        // One sensor is gone, and the other sees the same networks.
        let (mut both, mut left) = (one.clone(), one.clone());
        both.sensors = [("a".to_owned(), 1.0), ("b".to_owned(), 0.98)].into();
        left.sensors = [("a".to_owned(), 1.0), ("b".to_owned(), 0.0)].into();
        assert_eq!(because(&both, &left), [Because::Sensors]);
        left.sensors.remove("b");
        assert_eq!(because(&both, &left), [Because::Sensors]);
        assert_eq!(because(&both, &both), []);
        let unknown = Coverage::default();
        assert_eq!(because(&unknown, &unknown), [Because::Unknown, Because::Unknown]);
        assert_eq!(unknown.detection(), None);
    }

    /// The same week, with more of some counters.
    fn with(list: &[(Counter, u64)]) -> Coverage {
        let one = week(672, &["10.0.0.0/24"], "a");
        let mut counts = one.counts.clone();
        list.iter().for_each(|(c, n)| counts.add(*c, *n));
        let seen = Seen {
            counts,
            quarters: (0..672).collect(),
            sources: 1,
            networks: one.seen,
            addresses: 100,
            ..Seen::default()
        };
        Coverage::new(seen, (0, 671), None, one.catalogues)
    }

    #[test]
    fn what_could_show_no_contact_excludes_nothing() {
        let one = week(672, &["10.0.0.0/24"], "a");
        let mut counts = Counts::default();
        counts.add(Counter::Frames, 1000);
        counts.add(Counter::UdpDatagrams, 900);
        let of = |counts: &Counts, addresses| {
            let seen = Seen {
                counts: counts.clone(),
                quarters: (0..672).collect(),
                sources: 1,
                networks: one.seen.clone(),
                addresses,
                ..Seen::default()
            };
            Coverage::new(seen, (0, 671), None, one.catalogues.clone())
        };
        // The mirror session is gone and broadcasts are left.
        let blind = of(&counts, 100);
        assert_eq!((because(&one, &blind), blind.detection()), (vec![Because::Blind], None));
        assert!(blind.doubts("W").iter().any(|d| d.what.starts_with("no host name was seen at all in W")));
        counts.add(Counter::Names, 30);
        assert!(of(&counts, 100).doubts("W").is_empty());
        assert_eq!(of(&counts, 0).detection(), None, "no home address");
        let outside = with(&[(Counter::ObservationsOutside, 1)]);
        assert_eq!((because(&one, &outside), outside.detection()), (vec![Because::Blind], None));
        assert!(outside.doubts("W")[0].what.starts_with("clients outside the home networks made contacts in W"));
        // Hidden in a way that nothing measures, and lost in one that is measured.
        let cut = with(&[(Counter::FramesCut, 101)]);
        assert_eq!((because(&one, &cut), cut.detection()), (vec![Because::Losses], None));
    }

    #[test]
    fn much_less_traffic_by_the_hour_is_said() {
        for counter in [Counter::Names, Counter::TlsHellos, Counter::Flows] {
            let base = if counter == Counter::Names { 30 } else { 0 };
            let (many, half, fewer) =
                (with(&[(counter, 1000 - base)]), with(&[(counter, 500 - base)]), with(&[(counter, 499 - base)]));
            assert!(because(&many, &half).is_empty(), "{counter:?}");
            assert_eq!(because(&many, &fewer), [Because::Traffic], "{counter:?}");
            assert_eq!(because(&fewer, &many), [Because::Traffic], "{counter:?}");
        }
        assert!(because(&with(&[(Counter::Flows, 49)]), &with(&[])).is_empty(), "too few to say");
    }
}
