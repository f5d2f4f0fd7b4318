//! Whether two windows can be compared, and why not.

use super::coverage::{Coverage, percent};
use crate::coverage::{Counter, Counts, doubts};
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
/// What would have shown contacts, were it not gone.
const TRAFFIC: [(Counter, &str); 3] =
    [(Counter::Names, "host names"), (Counter::TlsHellos, "TLS ClientHellos"), (Counter::Flows, "flows")];
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
            traffic(baseline, current).into_iter().for_each(|what| add(Because::Traffic, what));
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
    here.sensors_with_frames().difference(&there.sensors_with_frames()).count()
}

/// Whether what a sensor counted of it bears on what is said of one of several.
pub(crate) fn is_judged(counter: Counter) -> bool {
    doubts::is_judged(counter) || TRAFFIC.iter().any(|(of, _)| *of == counter)
}

/// Where one window shows much less by the hour with frames, in sentences: in sum, and
/// what the sum hides of a sensor that saw frames in both.
fn traffic(baseline: &Coverage, current: &Coverage) -> Vec<String> {
    let in_sum = (Rate::of(&baseline.counts, baseline.quarters_up), Rate::of(&current.counts, current.quarters_up));
    let mut said = Vec::new();
    for (counter, what) in TRAFFIC {
        if let Some((a, b)) = fewer(in_sum, counter) {
            said.push(format!("{a} {what} an hour were seen in the baseline and {b} in the current window"));
            continue;
        }
        // Without their names, which a publication does not give.
        for (sensor, counts) in &baseline.by_sensor {
            let Some(later) = current.by_sensor.get(sensor) else { continue };
            let of_both = (Rate::of(counts, baseline.up_of(sensor)), Rate::of(later, current.up_of(sensor)));
            if let Some((a, b)) = fewer(of_both, counter) {
                said.push(format!(
                    "one of several sensors saw {a} {what} an hour in the baseline and {b} in the current window"
                ));
            }
        }
    }
    said
}

/// What was counted in so many quarter hours with frames.
#[derive(Clone, Copy)]
struct Rate<'c> {
    counts: &'c Counts,
    quarters: u64,
}

impl<'c> Rate<'c> {
    fn of(counts: &'c Counts, quarters: u64) -> Self {
        Rate { counts, quarters }
    }

    fn hourly(self, counter: Counter) -> f64 {
        self.counts.get(counter) as f64 * 4.0 / self.quarters as f64
    }
}

/// How many there were by the hour, in tenths, where one is much less than the other
/// and both had frames.
fn fewer((baseline, current): (Rate<'_>, Rate<'_>), counter: Counter) -> Option<(f64, f64)> {
    if baseline.quarters == 0 || current.quarters == 0 {
        return None;
    }
    let (a, b) = (baseline.hourly(counter), current.hourly(counter));
    let most = if a > b { baseline } else { current };
    let n = |x: f64| (x * 10.0).round() / 10.0;
    let much = most.counts.get(counter) >= LEAST_TRAFFIC && a.max(b) > MOST_TRAFFIC * a.min(b);
    much.then(|| (n(a), n(b)))
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

    /// The same week as two sensors saw it that counted so many names, so many quarter
    /// hours long.
    fn of_two(up: [(i64, u64); 2]) -> Coverage {
        let mut seen = Seen { quarters: (0..672).collect(), sources: 2, addresses: 100, ..Seen::default() };
        for (name, (quarters, names)) in ["a", "b"].into_iter().zip(up) {
            let mut own = Counts::default();
            for (counter, n) in [(Counter::Frames, 1000), (Counter::TcpSegments, 900), (Counter::Names, names)] {
                own.add(counter, n);
            }
            seen.counts.merge(&own);
            seen.sensors.insert(name.to_owned(), (0..quarters).collect());
            seen.by_sensor.insert(name.to_owned(), own);
        }
        Coverage::new(seen, (0, 671), None, vec!["a".to_owned()])
    }

    #[test]
    fn a_sensor_that_shows_much_less_is_said_though_others_show_as_much() {
        let before = of_two([(672, 3000), (672, 300)]);
        assert_eq!(because(&before, &before), []);
        assert_eq!(because(&before, &of_two([(672, 3000), (672, 150)])), []);
        for (a, b) in [(&before, &of_two([(672, 3000), (672, 149)])), (&of_two([(672, 3000), (672, 149)]), &before)] {
            let said = Comparability::of(a, b, true).differences;
            assert_eq!(said.iter().map(|d| d.because).collect::<Vec<_>>(), [Because::Traffic]);
            assert!(said[0].what.starts_with("one of several sensors saw "), "{said:?}");
        }
        // Less in fewer hours is no less by the hour; what is blind is more than that.
        assert_eq!(because(&before, &of_two([(672, 3000), (640, 150)])), []);
        assert_eq!(because(&before, &of_two([(672, 3000), (672, 0)])), [Because::Blind, Because::Traffic]);
        // What all show less of is said once.
        let said = Comparability::of(&before, &of_two([(672, 300), (672, 30)]), true).differences;
        assert!(said.len() == 1 && said[0].what.contains(" host names an hour were seen in"), "{said:?}");
    }

    #[test]
    fn all_that_sensors_are_told_by_is_kept() {
        assert!(is_judged(Counter::Flows) && is_judged(Counter::Names) && !is_judged(Counter::DuplicatesSampled));
    }
}
