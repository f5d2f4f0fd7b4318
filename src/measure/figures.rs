//! The figures that every report is made of.

use super::count::{Kept, Organisations, PeriodSum, SignalSum, Values};
use super::coverage::Coverage;
use super::groups::GroupFile;
use super::stats::{Daily, Proportion, rounded, rounded_share, rule_of_three, wilson};
use crate::catalogue::Category;
use crate::host::Verdict;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;

/// How many hosts there were: never one number.
///
/// `lower` counts each confirmed host with a hardware address of its own once,
/// and of the confirmed others (known by an address, or by a hardware address
/// that they made up) the most of any one day: who is counted there was there at
/// once, as far as a host keeps its address for a day. A relay or a gateway is
/// one. `upper` counts each address of each host by itself, each NAT gateway as
/// all systems that were seen behind it, and (with updates) each host that a
/// local server manages; more can be behind gateways than was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Bounds {
    /// The least.
    pub lower: u64,
    /// As judged: addresses of one hardware address merged, gateways as one.
    pub hosts: u64,
    /// The most.
    pub upper: u64,
    /// Hosts that a two-sided contact, a handshake, ARP, neighbour discovery or
    /// DHCP show to exist.
    pub confirmed: u64,
    /// Different hardware addresses among those known by theirs.
    pub by_mac: u64,
    /// Different addresses: what a count of addresses would say.
    pub by_address: u64,
    /// Addresses by hosts, of those known by a hardware address; absent where
    /// there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub addresses_per_host: Option<f64>,
    /// Local update servers among the hosts.
    pub relays: u64,
    /// NAT gateways among them.
    pub nat_gateways: u64,
}

impl Bounds {
    fn of(s: &SignalSum) -> Self {
        let per_host = |hosts: u64| rounded(s.mac_addresses as f64 / hosts as f64);
        Bounds {
            lower: s.lower.min(s.hosts),
            hosts: s.hosts,
            upper: s.upper.max(s.hosts),
            confirmed: s.confirmed,
            by_mac: s.by_mac,
            by_address: s.by_address,
            addresses_per_host: (s.mac_hosts > 0).then(|| per_host(s.mac_hosts)),
            relays: s.relays,
            nat_gateways: s.nats,
        }
    }
}

/// Hosts or organisations compared with other periods of the same report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Moves {
    /// In this period for the first time in the report.
    pub new: u64,
    /// In this period, not in the one before, and in an earlier one.
    pub returning: u64,
    /// In this period and in the one before.
    pub kept: u64,
    /// In the one before and not in this one.
    pub lost: u64,
}

impl Moves {
    fn of(k: Kept) -> Self {
        Moves { new: k.new, returning: k.returning, kept: k.kept, lost: k.lost }
    }
}

/// Organisations of which a host was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Orgs {
    /// How many.
    pub seen: u64,
    /// Compared with other periods of a trend.
    #[serde(flatten)]
    pub moves: Option<Moves>,
}

impl Orgs {
    fn of(o: Organisations) -> Self {
        Orgs { seen: o.seen, moves: Some(Moves::of(o.change)) }
    }
}

/// One signal in one period: hosts with which servers of that kind answered.
///
/// `update` needs a verdict that counts as use; `reputation` an answered contact
/// with reputation servers, of a host whose verdict is not `oem`. The two are
/// independent: an installation that is kept from updating still asks for
/// reputation.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Signal {
    /// Hosts.
    pub hosts: Bounds,
    /// Hosts compared with other periods of a trend.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moves: Option<Moves>,
    /// Organisations; absent without a file of groups that names them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organisations: Option<Orgs>,
    /// Hosts by day, of the days in view.
    pub daily: Daily,
    /// Hosts in the busiest clock hour; absent for more than 256 groups, or fewer
    /// of very many days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub busiest_hour: Option<u64>,
    /// What it can exclude that no host was seen; only where none was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zero: Option<Zero>,
}

impl Signal {
    fn of(s: &SignalSum, has_org: bool, coverage: &Coverage) -> Self {
        Signal {
            hosts: Bounds::of(s),
            moves: Some(Moves::of(s.change)),
            organisations: has_org.then(|| Orgs::of(s.organisations)),
            daily: Daily::of(&coverage.of_days_in_view(&s.daily)),
            busiest_hour: s.busiest_hour,
            zero: None,
        }
    }
}

/// One period of one group.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Point {
    /// Contacts with update servers.
    pub update: Signal,
    /// Contacts with reputation servers.
    pub reputation: Signal,
    /// Hosts with both.
    pub both: u64,
    /// All hosts with contacts by verdict; those of 0 are left out.
    #[serde(serialize_with = "by_word")]
    pub verdicts: BTreeMap<Verdict, u64>,
    /// Hosts that only looked update names up, at the cadence of an installation.
    pub likely_installed: u64,
    /// Hosts by category of what they contacted, however far it got.
    pub categories: BTreeMap<Category, u64>,
}

impl Point {
    /// In a period with this coverage.
    pub(super) fn of(sum: &PeriodSum, has_org: bool, coverage: &Coverage) -> Self {
        Point {
            update: Signal::of(&sum.update, has_org, coverage),
            reputation: Signal::of(&sum.reputation, has_org, coverage),
            both: sum.both,
            verdicts: sum.verdicts.clone(),
            likely_installed: sum.likely_installed,
            categories: sum.categories.clone(),
        }
    }
}

impl Point {
    /// Takes out what compares it with other periods: of the first what came
    /// before is not known, and a comparison has cohorts.
    pub(super) fn forget_moves(&mut self) {
        for signal in [&mut self.update, &mut self.reputation] {
            signal.moves = None;
            if let Some(orgs) = &mut signal.organisations {
                orgs.moves = None;
            }
        }
    }
}

fn by_word<S: Serializer>(verdicts: &BTreeMap<Verdict, u64>, s: S) -> Result<S::Ok, S::Error> {
    s.collect_map(verdicts.iter().map(|(v, n)| (v.as_str(), n)))
}

/// What zero sightings can exclude. They prove no absence.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Zero {
    /// Home hosts that were seen at all: the most addresses at a time, in one
    /// quarter hour. Over the whole window there may have been more.
    pub of_hosts: u64,
    /// On how many days a host is taken to make contact.
    pub active_days: f64,
    /// The chance to see one contact: sensor time, less what was lost. Losses
    /// come in bursts, so this is what is stated of a host with one contact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detection: Option<f64>,
    /// The chance to see a host at least once on these days, if each were by
    /// itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detection_of_host: Option<f64>,
    /// The share of the hosts that can have been missed, at 95 % (rule of
    /// three, by the chance to see one contact). Absent where nothing can be
    /// excluded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share_at_most: Option<f64>,
    /// The same in hosts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hosts_at_most: Option<u64>,
}

impl Zero {
    /// Of a window in which no host was seen. `active_days`: on how many days a
    /// host of another window made contact; 1 where none is known.
    pub(super) fn of(coverage: &Coverage, active_days: f64) -> Self {
        let detection = coverage.detection().filter(|d| *d > 0.0);
        let days = active_days.max(1.0);
        let share = rule_of_three(coverage.addresses).zip(detection).map(|(three, d)| (three / d).min(1.0));
        // What rounding alone puts above a whole host is none.
        let hosts = |share: f64| (share * coverage.addresses as f64 - 1e-6).ceil() as u64;
        Zero {
            of_hosts: coverage.addresses,
            active_days: rounded(days),
            detection,
            detection_of_host: detection.map(|d| rounded_share(1.0 - (1.0 - d).powf(days))),
            share_at_most: share.map(rounded_share),
            hosts_at_most: share.map(hosts),
        }
    }
}

/// How many of a baseline were seen again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Cohort {
    /// The baseline.
    pub of: u64,
    /// Seen in both windows.
    pub still: u64,
    /// Seen in the baseline only.
    pub gone: u64,
    /// Of these in view in the current window, by its records, leases, ARP,
    /// neighbour discovery and traffic: they made no such contact that was seen.
    /// The others were not in view and may do it elsewhere. Of hosts only; absent
    /// where it is not known who was in view.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gone_in_view: Option<u64>,
    /// Share still seen, with its Wilson interval at 95 %; absent of nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share: Option<Proportion>,
    /// Seen in the current window only.
    pub new: u64,
}

impl Cohort {
    pub(super) fn of(baseline: u64, current: u64, still: u64) -> Self {
        Cohort {
            of: baseline,
            still,
            gone: baseline.saturating_sub(still),
            gone_in_view: None,
            share: wilson(still, baseline),
            new: current.saturating_sub(still),
        }
    }
}

/// What a group is called: its columns with their values, `null` for unknown.
pub type Label = BTreeMap<String, Option<String>>;

pub(super) fn label(columns: &[String], values: &Values) -> Label {
    columns.iter().cloned().zip(values.iter().map(|v| v.as_ref().map(|v| v.to_string()))).collect()
}

/// So many hosts, for people.
pub(super) fn hosts(n: u64) -> String {
    if n == 1 { "1 host".to_owned() } else { format!("{n} hosts") }
}

/// A label for people: `US / government`, with `(unknown)` for what is not
/// known.
pub fn shown(columns: &[String], label: &Label) -> String {
    let value = |c: &String| label.get(c).cloned().flatten().unwrap_or_else(|| "(unknown)".to_owned());
    columns.iter().map(value).collect::<Vec<_>>().join(" / ")
}

/// How the figures were made: what a reader needs to make them again.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Method {
    /// Version of the program.
    pub version: String,
    /// What hosts, bounds, signals and the like mean, a sentence each.
    pub text: Vec<String>,
    /// SHA-256 of the catalogue by which indicators were understood.
    pub catalogue_sha256: String,
    /// The day whose catalogue was applied to all records; absent where each
    /// counts by the catalogue that it was recorded with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub catalogue_as_of: Option<String>,
    /// Indicators that the catalogue applied has and an older one did not look
    /// for: in records of that one they cannot show.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cannot_be_applied_backwards: Vec<String>,
    /// Files of groups.
    pub groups: Vec<GroupFile>,
}

/// What every report says of its method.
pub(super) fn method_text() -> Vec<String> {
    [
        "A host is a hardware address of its own in a segment, else an address; records of an address belong to who had it then, by leases, ARP and traffic.",
        "Signal update: update servers answered, and the verdict counts as use (active, updating, contacting). Signal reputation: reputation servers answered, and the verdict is not oem. The two are independent.",
        "Verdicts are those of the command hosts, from a host's own contacts in each period; who a host is and its roles come from the whole report. Hosts without a contact of their own in a period (routers, resolvers and proxies that acted for others) are in no count of it, though hosts lists them.",
        "Days without any frame are left out of the hosts by day, where it is known which those are.",
        "Lower bound: confirmed hosts with a hardware address that they did not make up, and of the other confirmed hosts the most of any one day; relays and gateways are one each.",
        "Upper bound: each address of each host, NAT gateways as the systems seen behind them, and hosts that a local server manages. More can be behind gateways than was seen.",
        "Sums over groups can exceed the whole: a host or organisation counts in each group in which it was seen.",
        "Shares have Wilson intervals at 95 %. Zero sightings exclude at most what the rule of three says, and prove no absence: local update servers, offline installations, encrypted DNS with Encrypted Client Hello, VPNs and networks that are not mirrored stay unseen.",
    ]
    .map(str::to_owned)
    .to_vec()
}

#[cfg(test)]
mod tests {
    use super::super::fact::Known;
    use super::*;

    #[test]
    fn zero_is_no_proof() {
        let mut coverage = Coverage { known: Known::Whole, up: 0.5, addresses: 412, ..Coverage::default() };
        let zero = Zero::of(&coverage, 3.0);
        // 3 / 412 / 0.5.
        assert_eq!((zero.share_at_most, zero.hosts_at_most), (Some(0.014_563), Some(6)));
        assert_eq!((zero.detection, zero.detection_of_host), (Some(0.5), Some(0.875)));
        // Three by 14, of 14, are three.
        (coverage.up, coverage.addresses) = (1.0, 14);
        assert_eq!(Zero::of(&coverage, 1.0).hosts_at_most, Some(3));
        coverage.known = Known::Records;
        let zero = Zero::of(&coverage, 0.0);
        assert_eq!((zero.share_at_most, zero.detection, zero.active_days), (None, None, 1.0));
    }

    #[test]
    fn a_cohort_adds_up() {
        let cohort = Cohort::of(100, 70, 40);
        assert_eq!((cohort.gone, cohort.new), (60, 30));
        assert_eq!(cohort.share.unwrap().share, 0.4);
        assert_eq!(Cohort::of(0, 5, 0).share, None);
    }

    #[test]
    fn unknown_groups_are_shown_as_such() {
        let columns = ["country".to_owned(), "sector".to_owned()];
        let values: Values = [Some("US".into()), None].into();
        assert_eq!(shown(&columns, &label(&columns, &values)), "US / (unknown)");
    }
}
