//! What counts of groups can show without records: that they are of the windows
//! of the manifest, and agree with each other and with the rule by which small
//! ones are left out.

use super::CELLS;
use super::cells::{Both, Count, SCHEMA};
use super::check::{Checked, Figures, same_version};
use super::manifest::{GroupsUsed, Kind, Manifest, step};
use super::source::json_in;
use super::suppress::{LEAST, column_may_have_total, is_small, table_may_have_total};
use crate::base::{Timestamp, brief};
use crate::coverage::shares;
use crate::measure::count::MOST_DAYS;
use crate::measure::coverage::Because;
use crate::measure::figures::Label;
use crate::measure::{Coverage, Days, Method, UtcOffset};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;

/// Everything that there may be. What else stands there is nobody's claim that
/// could be checked, and is refused.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cells {
    schema: String,
    min_group: u64,
    columns: Vec<String>,
    windows: Vec<Window>,
    #[serde(default)]
    comparable: Option<bool>,
    #[serde(default)]
    differences: Vec<Because>,
    #[serde(default)]
    warnings: Vec<String>,
    rows: Vec<Row>,
    method: Made,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Window {
    label: String,
    days: Value,
    /// Most of it follows from nothing in the table, and is only seen to be of its
    /// kind.
    coverage: Coverage,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    #[serde(default)]
    group: Option<Label>,
    update: Kept,
    reputation: Kept,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Kept {
    Periods(Vec<Option<Count>>),
    Windows(Option<Both>),
}

/// A [`Method`].
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Made {
    version: String,
    text: Vec<String>,
    catalogue_sha256: String,
    #[serde(default)]
    catalogue_as_of: Option<String>,
    #[serde(default)]
    cannot_be_applied_backwards: Vec<String>,
    groups: Vec<File>,
}

/// A file of groups.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    path: String,
    sha256: String,
    kind: String,
    #[serde(default)]
    built: Option<String>,
    #[serde(default)]
    valid: Option<Value>,
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

/// The windows that a table is of, and what they are called: those of a
/// comparison, or the periods of a trend. `None` where the manifest names none.
fn windows(manifest: &Manifest) -> Option<Vec<(String, Days)>> {
    let options = &manifest.options;
    let current = options.window.days().filter(|days| days.len() <= MOST_DAYS)?;
    let Some(baseline) = &options.baseline else {
        let step = step(&options.step)?;
        return Some(step.periods(current).into_iter().map(|days| (step.label(days), days)).collect());
    };
    Some(vec![("baseline".to_owned(), baseline.days()?), ("current".to_owned(), current)])
}

/// Checks the counts of groups of a folder.
pub(super) fn check(checked: &mut Checked, folder: &Path, manifest: &Manifest) {
    debug_assert!(manifest.form == Kind::Groups);
    let read: Cells = match json_in(folder, CELLS) {
        Ok(cells) => cells,
        Err(e) => return checked.findings.push(e),
    };
    let mut figures = Figures::new(CELLS);
    figures.cells(&read, manifest);
    checked.figures.push(figures);
    checked.limits.push(
        "it has no records: counts, bounds, names of groups, coverage and the account of what is doubtful are the \
         publisher's word. Shown is only that windows and method are those of the manifest, that counts and bounds \
         agree with each other and with the totals, that shares and changes are those of the counts, and that no \
         count is below --min-group or can be had from a total"
            .into(),
    );
}

impl Figures {
    fn cells(&mut self, read: &Cells, manifest: &Manifest) {
        let options = &manifest.options;
        let least = read.min_group;
        self.require(read.schema == SCHEMA, || format!("/schema: {SCHEMA:?} is what can be checked"));
        self.require(Some(least) == options.min_group, || {
            format!("/min_group: claimed {least}, and the manifest says otherwise")
        });
        // Of fewer the rule would leave out nothing.
        self.require(LEAST.contains(&least), || {
            format!("/min_group: claimed {least}, and it can be {} to {}", LEAST.start(), LEAST.end())
        });
        if !LEAST.contains(&least) {
            return;
        }
        let columns = options.by.first().map_or(&[][..], Vec::as_slice);
        self.require(columns == read.columns && options.by.len() <= 1, || {
            "/columns: the manifest says otherwise".to_owned()
        });
        self.method(&read.method, manifest);
        let Some(windows) = windows(manifest) else {
            return self.wrong(|| "/windows: the manifest names none that can be used".to_owned());
        };
        self.windows(read, &windows, manifest);
        let equal = matches!(windows.as_slice(), [(_, a), (_, b)] if a.len() == b.len());
        self.groups(read);
        let two = options.baseline.is_some();
        for (signal, pick) in [("update", 0), ("reputation", 1)] {
            let mut fits = true;
            for (at, row) in read.rows.iter().enumerate() {
                let path = format!("/rows/{at}/{signal}");
                let kept = row.kept(pick);
                let of_windows = matches!(kept, Kept::Windows(_)) == two && kept.periods() == windows.len();
                self.require(of_windows, || format!("{path}: it is not of as many windows as the table"));
                fits &= of_windows;
                match kept {
                    Kept::Periods(all) => {
                        let shown = all.iter().enumerate().filter_map(|(n, c)| Some((n, c.as_ref()?)));
                        shown.for_each(|(n, c)| self.count(c, &format!("{path}/{n}"), least));
                    }
                    Kept::Windows(Some(both)) => self.both(both, &path, least, equal),
                    Kept::Windows(None) => {}
                }
            }
            match read.rows.split_last() {
                // Of rows that are too short there is nothing to add up.
                _ if !fits => {}
                Some((total, groups)) if total.group.is_none() && groups.iter().all(|g| g.group.is_some()) => {
                    self.total(total.kept(pick), groups, (signal, pick), least);
                }
                _ => self.wrong(|| "/rows: there is no total, or more than one".to_owned()),
            }
        }
    }

    /// How the table was made, which the manifest says as well.
    fn method(&mut self, method: &Made, manifest: &Manifest) {
        let options = &manifest.options;
        let mut same = |holds: bool, name: &str| {
            self.require(holds, || format!("/method/{name}: the manifest says otherwise"));
        };
        same(method.version == manifest.version, "version");
        same(method.catalogue_sha256 == options.catalogue_sha256, "catalogue_sha256");
        same(method.catalogue_as_of == options.catalogue_as_of, "catalogue_as_of");
        let files = method.groups.iter();
        let files: Vec<GroupsUsed> = files
            .map(|f| GroupsUsed { name: f.path.clone(), sha256: f.sha256.clone(), kind: f.kind.clone() })
            .collect();
        same(files == manifest.groups, "groups");
        if same_version(manifest) {
            let text = options.as_of().map(|as_of| Method::sentences(as_of.as_ref()));
            self.compare(Some(&json!(method.text)), Some(&json!(text)), "/method/text");
        } else {
            self.unchecked.push("/method/text".to_owned());
        }
        if !method.cannot_be_applied_backwards.is_empty() {
            self.unchecked.push("/method/cannot_be_applied_backwards".to_owned());
        }
        let has = |there: &dyn Fn(&File) -> bool| method.groups.iter().any(there);
        let free = [("built", has(&|file| file.built.is_some())), ("valid", has(&|file| file.valid.is_some()))];
        let free = free.into_iter().filter(|(_, there)| *there);
        self.unchecked.extend(free.map(|(name, _)| format!("/method/groups/*/{name}")));
    }

    /// The windows against those of the manifest, and what follows from what the
    /// sensors saw in them.
    fn windows(&mut self, read: &Cells, windows: &[(String, Days)], manifest: &Manifest) {
        let claimed: Vec<Value> = read.windows.iter().map(|w| json!({"label": w.label, "days": w.days})).collect();
        let named: Vec<Value> = windows.iter().map(|(label, days)| json!({"label": label, "days": days})).collect();
        self.compare(Some(&claimed.into()), Some(&named.into()), "/windows");
        let Ok(offset) = manifest.options.utc_offset.parse::<UtcOffset>() else {
            return self.wrong(|| "/windows: the manifest names no UTC offset that can be used".to_owned());
        };
        let used: BTreeSet<&String> = manifest.runs.iter().map(|run| &run.catalogue_sha256).collect();
        for (at, (window, (_, days))) in read.windows.iter().zip(windows).enumerate() {
            let path = format!("/windows/{at}/coverage");
            self.coverage(&window.coverage, offset.quarters(*days), &path);
            let catalogues = &window.coverage.catalogues;
            self.require(catalogues.iter().all(|c| used.contains(c)), || {
                format!("{path}/catalogues: the manifest has no run with one of them")
            });
            let known = |word: &String| shares::ALL.iter().any(|def| def.word == word);
            self.require(!same_version(manifest) || window.coverage.shares.keys().all(known), || {
                format!("{path}/shares: there is one that this version does not know")
            });
        }
        let two = manifest.options.baseline.is_some();
        self.require(read.comparable.is_some() == two && (two || read.differences.is_empty()), || {
            "/comparable: it is said of two windows, and of nothing else".to_owned()
        });
        let free = [
            ("/windows/*/coverage apart from quarters and up", !windows.is_empty()),
            ("/comparable", read.comparable.is_some()),
            ("/differences", !read.differences.is_empty()),
            ("/warnings", !read.warnings.is_empty()),
        ];
        self.unchecked.extend(free.into_iter().filter(|(_, there)| *there).map(|(name, _)| name.to_owned()));
    }

    /// Each group has the columns, and stands once.
    fn groups(&mut self, read: &Cells) {
        let columns: BTreeSet<&String> = read.columns.iter().collect();
        let mut known: BTreeSet<&Label> = BTreeSet::new();
        for (at, label) in read.rows.iter().enumerate().filter_map(|(at, row)| Some((at, row.group.as_ref()?))) {
            self.require(label.keys().eq(columns.iter().copied()), || {
                format!("/rows/{at}/group: it has other columns than the table")
            });
            self.require(known.insert(label), || format!("/rows/{at}/group: it stands twice"));
        }
    }

    fn coverage(&mut self, c: &Coverage, (from, to): (i64, i64), path: &str) {
        let (all, part, up) = (c.quarters, c.quarters_up, c.up);
        // A window that went on is as long as it had been.
        let end = c.until.map_or(to.saturating_add(1), Timestamp::quarter);
        let length = u64::try_from(end.min(to.saturating_add(1)).saturating_sub(from)).unwrap_or(0);
        let share = if all == 0 { 0.0 } else { part as f64 / all as f64 };
        let holds = all == length && part <= all && (up - share).abs() < 0.001 && c.days_up <= all.div_ceil(96);
        self.require(holds, || format!("{path}/up: {up} is not {part} of {all} quarter hours"));
        for (name, share) in c.sensors.iter().chain(&c.shares) {
            self.require((0.0..=1.0).contains(share), || {
                format!("{path}: {:?} has {share}, which is no share", brief(name))
            });
        }
        let numbered = |s: &String| s.strip_prefix("sensor-").is_some_and(|n| n.parse::<u32>().is_ok());
        self.require(c.sensors.keys().chain(&c.doubtful_sensors).all(numbered), || {
            format!("{path}/sensors: they have no names here")
        });
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure;
    use crate::measure::coverage::Gap as Pause;

    #[test]
    fn what_is_written_of_coverage_is_read() {
        let gap = Pause { from: Timestamp(0), to: Timestamp(1) };
        let mut written = measure::Coverage::default();
        written.longest_gaps.push(gap);
        let value = serde_json::to_value(written).unwrap();
        assert!(value["longest_gaps"][0].is_object());
        serde_json::from_value::<Coverage>(value.clone()).unwrap();
        let mut more = value;
        more["headline"] = "use rose".into();
        assert!(serde_json::from_value::<Coverage>(more).is_err());
    }

    #[test]
    fn a_window_that_went_on_is_as_long_as_it_had_been() {
        let found = |all: u64, up: u64, until: Option<i64>| {
            let mut value = serde_json::to_value(measure::Coverage::default()).unwrap();
            let share = if all == 0 { 0.0 } else { up as f64 / all as f64 };
            for (name, n) in [("quarters", json!(all)), ("quarters_up", json!(up)), ("up", json!(share))] {
                value[name] = n;
            }
            if let Some(quarter) = until {
                value["until"] = json!(Timestamp::from_parts(quarter * 900, 0));
            }
            let mut figures = Figures::new("");
            figures.coverage(&serde_json::from_value(value).unwrap(), (96, 191), "");
            figures.wrong.is_empty()
        };
        assert!(found(96, 48, None) && !found(95, 48, None) && !found(96, 97, None) && !found(0, 0, None));
        assert!(found(40, 39, Some(136)) && !found(96, 39, Some(136)) && !found(40, 39, Some(137)));
        // One that had not begun, and one that ended before.
        assert!(found(0, 0, Some(96)) && found(96, 96, Some(192)) && !found(97, 96, Some(193)));
    }
}
