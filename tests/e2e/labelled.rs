//! Every host of the labelled scenes is judged as its label says. What is
//! labelled and what is found stand beside each other in `docs/CONFUSION.md`.

use crate::support::labels::{CAPTURES, Label, folder, judged, labels, words};
use crate::support::{name, samples};
use serde_json::Value;
use spansight::host::{Alarm, Role, Verdict};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;

/// A labelled host with what was found of it, or something that was found of
/// a host that no label knows.
struct Case {
    label: Option<Label>,
    found: Option<Value>,
}

impl Case {
    /// As labelled and as found; hosts that are not listed have none.
    fn verdict(&self) -> (&str, &str) {
        let labelled = self.label.as_ref().map_or("none", |l| &l.verdict);
        (labelled, self.found.as_ref().map_or("none", |f| f["verdict"].as_str().unwrap()))
    }

    fn faults(&self) -> Vec<String> {
        match &self.label {
            Some(label) => label.faults(self.found.as_ref()),
            None => vec!["nobody expects it".into()],
        }
    }

    fn name(&self) -> String {
        match (&self.label, &self.found) {
            (Some(l), _) => format!("{} {}{} ({})", l.capture, l.host, in_segment(&l.segment), l.case),
            (None, Some(f)) => format!("{} {}", f["host"]["ip"], f["host"]["segment"]),
            (None, None) => unreachable!("a case is of something"),
        }
    }
}

fn in_segment(segment: &str) -> String {
    if segment.is_empty() { String::new() } else { format!(" in {segment}") }
}

/// The labels of a capture beside what is found in it.
fn cases(capture: &str) -> Vec<Case> {
    let mut found = judged(capture);
    let mut cases = Vec::new();
    for label in labels().into_iter().filter(|l| l.capture == capture) {
        let at = found.iter().position(|f| label.is_of(f));
        cases.push(Case { found: at.map(|at| found.remove(at)), label: Some(label) });
    }
    cases.extend(found.into_iter().map(|f| Case { label: None, found: Some(f) }));
    cases
}

#[test]
fn every_host_is_judged_as_labelled() {
    let mut faults = String::new();
    for (capture, _) in CAPTURES {
        for case in cases(capture) {
            for fault in case.faults() {
                writeln!(faults, "{}: {fault}", case.name()).unwrap();
            }
        }
    }
    assert!(faults.is_empty(), "\n{faults}");
}

#[test]
fn nobody_is_accused_of_use_in_error() {
    for (capture, _) in CAPTURES {
        for case in cases(capture) {
            let is_use = |word: &str| word.parse::<Verdict>().is_ok_and(Verdict::is_use);
            let (labelled, found) = case.verdict();
            assert!(!is_use(found) || is_use(labelled), "{}: {found}", case.name());
        }
    }
}

#[test]
fn reasons_are_sentences() {
    for (capture, _) in CAPTURES {
        for host in judged(capture) {
            let reason = host["reason"].as_str().unwrap();
            assert!(reason.len() > 10 && reason.ends_with('.'), "{capture}: {host}");
        }
    }
}

/// The set is what it is said to be: every verdict, role and alarm, and enough
/// hosts of both kinds.
#[test]
fn labels_cover_what_can_be_concluded() {
    let all = labels();
    let verdict_of = |l: &Label| l.verdict.parse::<Verdict>().expect(&l.verdict);
    for verdict in Verdict::ALL {
        assert!(all.iter().any(|l| verdict_of(l) == *verdict), "no host is {verdict}");
    }
    for role in Role::ALL {
        assert!(all.iter().any(|l| l.roles.iter().any(|r| r == role.as_str())), "no host is a {role}");
    }
    for alarm in Alarm::ALL {
        assert!(all.iter().any(|l| l.alarms.iter().any(|a| a == alarm.as_str())), "no host has {alarm}");
    }
    let lan: Vec<&Label> = all.iter().filter(|l| l.capture == "lan").collect();
    let innocent = lan.iter().filter(|l| !verdict_of(l).is_use()).count();
    assert!(lan.len() >= 40 && innocent >= 15, "{} hosts, {innocent} innocent", lan.len());
    let mut seen = std::collections::HashSet::new();
    for l in &all {
        assert!(seen.insert((&l.capture, &l.host, &l.segment)), "twice: {l:?}");
        assert!(CAPTURES.iter().any(|(name, _)| *name == l.capture), "{l:?}");
        assert!(l.why.ends_with('.'), "{l:?}");
    }
}

#[test]
fn every_labelled_capture_is_described() {
    let readme = fs::read_to_string(samples().join("README.md")).unwrap();
    let mut captures = 0;
    for entry in fs::read_dir(folder()).unwrap() {
        let file = name(&entry.unwrap().path());
        if let Some(stem) = file.strip_suffix(".pcap.zst") {
            assert!(CAPTURES.iter().any(|(name, _)| *name == stem), "{file} has no labels");
            assert!(readme.contains(&format!("| `labelled/{file}` |")), "{file} is not in the README");
            captures += 1;
        }
    }
    assert_eq!(captures, CAPTURES.len());
}

fn count<'c>(words: impl Iterator<Item = (&'c str, &'c str)>) -> BTreeMap<(&'c str, &'c str), usize> {
    words.fold(BTreeMap::new(), |mut all, pair| {
        *all.entry(pair).or_default() += 1;
        all
    })
}

/// A table of labelled (down) by found (across).
fn verdict_table(text: &mut String, cases: &[Case]) {
    let counts = count(cases.iter().map(Case::verdict));
    let words: Vec<&str> = Verdict::ALL.iter().map(|v| v.as_str()).collect();
    writeln!(text, "| labelled | {} | hosts |", words.join(" | ")).unwrap();
    writeln!(text, "|---{}|---:|", "|---:".repeat(words.len())).unwrap();
    for labelled in &words {
        let row: Vec<usize> = words.iter().map(|f| counts.get(&(*labelled, *f)).copied().unwrap_or(0)).collect();
        let sum: usize = row.iter().sum();
        if sum > 0 {
            let cells: Vec<String> = row.iter().map(|n| if *n == 0 { String::new() } else { n.to_string() }).collect();
            writeln!(text, "| {labelled} | {} | {sum} |", cells.join(" | ")).unwrap();
        }
    }
    text.push('\n');
}

/// For each role or alarm: how often labelled, found rightly, missed, found in error.
fn word_table(text: &mut String, cases: &[Case]) {
    writeln!(text, "| role or alarm | labelled | found | missed | in error |\n|---|---:|---:|---:|---:|").unwrap();
    let roles = Role::ALL.iter().map(|r| ("roles", r.as_str()));
    for (field, word) in roles.chain(Alarm::ALL.iter().map(|a| ("alarms", a.as_str()))) {
        let labelled = |c: &Case| {
            let of = |l: &Label| if field == "roles" { l.roles.clone() } else { l.alarms.clone() };
            c.label.as_ref().is_some_and(|l| of(l).iter().any(|w| w == word))
        };
        let found = |c: &Case| c.found.as_ref().is_some_and(|f| words(f, field).iter().any(|w| w == word));
        let n = |want: bool, got: bool| cases.iter().filter(|c| labelled(c) == want && found(c) == got).count();
        let (right, missed, wrong) = (n(true, true), n(true, false), n(false, true));
        writeln!(text, "| {word} | {} | {right} | {missed} | {wrong} |", right + missed).unwrap();
    }
    text.push('\n');
}

fn document() -> String {
    let mut text = String::from(
        "# Labelled hosts and what is found of them\n\n\
         Written by `UPDATE_DOCS=1 cargo test --test e2e labelled`, which replays the\n\
         captures in `capture-samples/labelled` into a store and asks `spansight hosts`.\n\
         What each host does, and why it is to be judged so, stands in\n\
         `capture-samples/labelled/labels.tsv`; where the captures come from, in\n\
         `capture-samples/README.md`. The scenes were made along with the rules they test:\n\
         the tables show that the rules are carried out, not how often they are right in\n\
         the field.\n",
    );
    let mut disagreements = String::new();
    for (capture, options) in CAPTURES {
        let cases = cases(capture);
        write!(text, "\n## {capture}\n\n").unwrap();
        if !options.is_empty() {
            write!(text, "Replayed with `{}`.\n\n", options.join(" ")).unwrap();
        }
        text.push_str("Labelled verdicts (down) by found ones (across).\n\n");
        verdict_table(&mut text, &cases);
        word_table(&mut text, &cases);
        let listed: Vec<&Case> = cases.iter().filter(|c| c.found.is_some()).collect();
        let confirmed = listed.iter().filter(|c| c.found.as_ref().unwrap()["confirmed"] == true).count();
        writeln!(text, "{} hosts are listed, {confirmed} of them confirmed.", listed.len()).unwrap();
        for case in &cases {
            for fault in case.faults() {
                writeln!(disagreements, "- {}: {fault}", case.name()).unwrap();
            }
        }
    }
    text.push_str("\n## Disagreements\n\n");
    text.push_str(if disagreements.is_empty() { "None.\n" } else { &disagreements });
    text
}

/// With `UPDATE_DOCS=1` in the environment it writes the document instead.
#[test]
fn the_confusion_table_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/CONFUSION.md");
    let wanted = document();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(path, &wanted).unwrap();
    }
    let found = fs::read_to_string(path).unwrap_or_default();
    assert!(found == wanted, "write it anew: UPDATE_DOCS=1 cargo test --test e2e the_confusion_table");
}
