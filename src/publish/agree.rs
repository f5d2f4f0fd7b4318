//! What counts of groups can show without records: that they agree with each
//! other and with the rule by which small ones are left out.

use super::CELLS;
use super::cells::{Both, Count};
use super::check::{Checked, Figures};
use super::manifest::{Kind, Manifest};
use super::source::json_in;
use super::suppress::{column_may_have_total, is_small, table_may_have_total};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// Everything that there may be. What else stands there is nobody's claim that
/// could be checked, and is refused.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cells {
    #[serde(rename = "schema")]
    _schema: String,
    min_group: u64,
    columns: Vec<String>,
    windows: Vec<Window>,
    #[serde(default, rename = "comparable")]
    _comparable: Option<bool>,
    #[serde(default, rename = "differences")]
    _differences: Vec<String>,
    #[serde(default, rename = "warnings")]
    _warnings: Vec<String>,
    rows: Vec<Row>,
    method: Method,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Window {
    #[serde(rename = "label")]
    _label: String,
    days: Length,
    coverage: BTreeMap<String, Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Length {
    #[serde(rename = "first")]
    _first: String,
    #[serde(rename = "last")]
    _last: String,
    days: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    #[serde(default)]
    group: Option<Value>,
    update: Kept,
    reputation: Kept,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Kept {
    Periods(Vec<Option<Count>>),
    Windows(Option<Both>),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Method {
    #[serde(rename = "version")]
    _version: String,
    #[serde(rename = "text")]
    _text: Vec<String>,
    catalogue_sha256: String,
    #[serde(default, rename = "catalogue_as_of")]
    _catalogue_as_of: Option<String>,
    #[serde(default, rename = "cannot_be_applied_backwards")]
    _cannot_be_applied_backwards: Vec<String>,
    #[serde(rename = "groups")]
    _groups: Vec<Value>,
}

impl Row {
    fn kept(&self, signal: usize) -> &Kept {
        if signal == 0 { &self.update } else { &self.reputation }
    }
}

impl Kept {
    fn periods(&self) -> usize {
        match self {
            Kept::Periods(all) => all.len(),
            Kept::Windows(_) => 2,
        }
    }

    fn count(&self, at: usize) -> Option<Count> {
        match self {
            Kept::Periods(all) => *all.get(at)?,
            Kept::Windows(both) => both.as_ref().map(|b| if at == 0 { b.baseline } else { b.current }),
        }
    }

    fn both(&self) -> Option<[u64; 5]> {
        match self {
            Kept::Windows(Some(both)) => Some(both.counts()),
            _ => None,
        }
    }
}

/// Checks the counts of groups of a folder.
pub(super) fn check(checked: &mut Checked, folder: &Path, manifest: &Manifest) {
    debug_assert!(manifest.form == Kind::Groups);
    let read: Cells = match json_in(folder, CELLS) {
        Ok(cells) => cells,
        Err(e) => return checked.findings.push(e),
    };
    let mut figures = Figures::new(CELLS);
    let options = &manifest.options;
    let least = read.min_group;
    figures.require(Some(least) == options.min_group, || {
        format!("/min_group: claimed {least}, and the manifest says otherwise")
    });
    figures.require(options.by.iter().all(|by| *by == read.columns), || {
        "/columns: the manifest says otherwise".to_owned()
    });
    figures.require(read.method.catalogue_sha256 == options.catalogue_sha256, || {
        "/method/catalogue_sha256: the manifest says otherwise".to_owned()
    });
    for (at, window) in read.windows.iter().enumerate() {
        figures.coverage(window, &format!("/windows/{at}/coverage"));
    }
    let equal = matches!(read.windows.as_slice(), [a, b] if a.days.days == b.days.days);
    for (signal, pick) in [("update", 0), ("reputation", 1)] {
        for (at, row) in read.rows.iter().enumerate() {
            let path = format!("/rows/{at}/{signal}");
            match row.kept(pick) {
                Kept::Periods(all) => {
                    figures.require(all.len() == read.windows.len(), || format!("{path}: not as many as windows"));
                    let shown = all.iter().enumerate().filter_map(|(n, c)| Some((n, c.as_ref()?)));
                    shown.for_each(|(n, c)| figures.count(c, &format!("{path}/{n}"), least));
                }
                Kept::Windows(Some(both)) => figures.both(both, &path, least, equal),
                Kept::Windows(None) => {}
            }
        }
        match read.rows.split_last() {
            Some((total, groups)) if total.group.is_none() && groups.iter().all(|g| g.group.is_some()) => {
                figures.total(total.kept(pick), groups, (signal, pick), least);
            }
            _ => figures.wrong(|| "/rows: there is no total, or more than one".to_owned()),
        }
    }
    checked.figures.push(figures);
    checked.limits.push(
        "it has no records: counts, bounds, coverage and the account of what is doubtful are the publisher's word. \
         Shown is only that counts and bounds agree with each other and with the totals, that shares and changes are \
         those of the counts, and that no count is below --min-group or can be had from a total"
            .into(),
    );
}

impl Figures {
    fn coverage(&mut self, window: &Window, path: &str) {
        let number = |name: &str| window.coverage.get(name).and_then(Value::as_f64);
        let (up, all, part) = (number("up"), number("quarters"), number("quarters_up"));
        let holds = match (up, all, part) {
            (Some(up), Some(all), Some(part)) => {
                all == window.days.days as f64 * 96.0 && part <= all && all > 0.0 && (up - part / all).abs() < 0.001
            }
            _ => false,
        };
        self.require(holds, || format!("{path}/up: {up:?} is not {part:?} of {all:?} quarter hours"));
        let nested = |name: &str| window.coverage.get(name).and_then(Value::as_object).into_iter().flatten();
        for (name, share) in nested("sensors").chain(nested("shares")) {
            let holds = share.as_f64().is_some_and(|s| (0.0..=1.0).contains(&s));
            self.require(holds, || format!("{path}: {name:?} has {share}, which is no share"));
        }
    }

    fn count(&mut self, c: &Count, path: &str, least: u64) {
        let Count { lower, hosts, upper, .. } = *c;
        self.require(lower.is_none_or(|n| n <= hosts) && upper.is_none_or(|n| hosts <= n), || {
            let shown = |n: Option<u64>| n.map_or_else(|| "not shown".to_owned(), |n| n.to_string());
            format!("{path}: claimed {hosts} hosts, at least {} and at most {}", shown(lower), shown(upper))
        });
        self.require(!is_small(hosts, least), || format!("{path}: {hosts} hosts are fewer than {least}"));
        let apart = [lower.map(|n| hosts.saturating_sub(n)), upper.map(|n| n.saturating_sub(hosts)), lower, upper];
        self.require(!apart.into_iter().flatten().any(|n| is_small(n, least)), || {
            format!("{path}: a bound tells of fewer than {least} hosts")
        });
    }

    fn both(&mut self, both: &Both, path: &str, least: u64, equal: bool) {
        self.count(&both.baseline, &format!("{path}/baseline"), least);
        self.count(&both.current, &format!("{path}/current"), least);
        let still = both.still;
        self.require(still <= both.baseline.hosts && still <= both.current.hosts, || {
            format!("{path}/still: claimed {still}, more than in one of the windows")
        });
        let few = |n: u64| is_small(n, least);
        self.require(!few(still) && !few(both.gone) && !few(both.new), || {
            format!("{path}: of still, gone and new one is of fewer than {least} hosts")
        });
        let again = Both::new(both.baseline, both.current, still, equal);
        let value = |b: &Both| serde_json::to_value(b).unwrap_or_default();
        self.compare(Some(&value(both)), Some(&value(&again)), path);
    }

    /// The total of a signal against its groups.
    fn total(&mut self, total: &Kept, groups: &[Row], (signal, pick): (&str, usize), least: u64) {
        let path = format!("/rows/{}/{signal}", groups.len());
        for at in 0..total.periods() {
            let Some(whole) = total.count(at) else { continue };
            let path = format!("{path}/{at}");
            let counts: Vec<Option<Count>> = groups.iter().map(|g| g.kept(pick).count(at)).collect();
            self.enclosed(whole.hosts, &counts, |c| Some(c.hosts), &path);
            self.enclosed(
                whole.organisations.unwrap_or(0),
                &counts,
                |c| c.organisations,
                &format!("{path}/organisations"),
            );
            if let Kept::Periods(_) = total {
                let shown: Vec<Option<u64>> = counts.iter().map(|c| c.map(|c| c.hosts)).collect();
                self.require(column_may_have_total(&shown, whole.hosts, least), || {
                    format!("{path}: from the total it can be told what is left out")
                });
            }
        }
        if let Some(whole) = total.both() {
            let shown: Vec<Option<[u64; 5]>> = groups.iter().map(|g| g.kept(pick).both()).collect();
            self.require(table_may_have_total(&shown, &whole, least), || {
                format!("{path}: from the total it can be told what is left out")
            });
        }
    }

    /// No group has more than all together, nor have all together more than the
    /// sum of all groups.
    fn enclosed(&mut self, whole: u64, groups: &[Option<Count>], of: impl Fn(&Count) -> Option<u64>, path: &str) {
        let counts: Vec<Option<u64>> = groups.iter().map(|c| c.as_ref().and_then(&of)).collect();
        let most = counts.iter().copied().flatten().max().unwrap_or(0);
        self.require(most <= whole, || format!("{path}: claimed {whole}, and one group alone has {most}"));
        if !counts.is_empty() && counts.iter().all(Option::is_some) {
            let sum: u64 = counts.iter().copied().flatten().fold(0, u64::saturating_add);
            self.require(whole <= sum, || format!("{path}: claimed {whole}, and all groups have {sum}"));
        }
    }
}
