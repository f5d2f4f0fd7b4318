//! Publications: what was published is found sound, and what somebody else
//! wrote is checked with little said.

use super::archives::{import, run};
use super::scratch::{folder, number, part, place};
use spansight::catalogue::{Catalogue, LongText};
use spansight::measure::{Asked, Days, Groups, Step};
use spansight::publish::{Checked, Form, MIN_GROUP, PublishError, Request, Room, check, write};
use spansight::sighting::{HomeNets, Pseudonyms};
use spansight::store::archive::Archive;
use spansight::store::{Filter, Stored};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// The catalogue of publications here.
pub const CATALOGUE: &str = "[[indicator]]\nid = \"update-s-hosts\"\ncategory = \"update\"\nuse = \"alone\"\n\
    confidence = \"high\"\nmeaning = \"test\"\nsources = [\"https://example.org\"]\nsuffix = \"upd.kaspersky.com\"\n\
    [[indicator]]\nid = \"ksn\"\ncategory = \"reputation\"\nuse = \"alone\"\nconfidence = \"high\"\nmeaning = \"test\"\n\
    sources = [\"https://example.org\"]\nsuffix = \"ksn.kaspersky-labs.com\"\n";
/// Files of a publication that are given as they are, behind their lengths.
pub const PARTS: [&str; 7] =
    ["manifest.json", "context.ndjson", "coverage.json", "groups.csv", "trend.json", "comparison.json", "cells.json"];
/// Longest sentence.
const MAX_SENTENCE: usize = 4096;

/// With a first byte below 128 lines of records that are imported and
/// published; above, the files of a publication.
pub fn publication(data: &[u8]) {
    let (mode, rest) = data.split_first().map_or((0, data), |(mode, rest)| (*mode, rest));
    if mode < 128 { drop(published(mode, rest)) } else { given(rest) }
}

fn catalogue() -> Arc<Catalogue> {
    thread_local!(static READ: Arc<Catalogue> = {
        let read = Catalogue::from_effective("fuzz", &LongText::from(CATALOGUE));
        Arc::new(read.expect("our own catalogue"))
    });
    READ.with(Arc::clone)
}

/// Whatever records can be imported can be published, and what is published is
/// found sound, its own figures too. Returns where it lies.
pub fn published(mode: u8, mut data: &[u8]) -> Option<PathBuf> {
    let catalogue = catalogue();
    let text = part(&mut data);
    let source = folder("source");
    if !import(&source, data, &run(&catalogue)) {
        return None;
    }
    let archive = Archive::open(&source).expect("an archive that was written");
    let (_, last) = archive.days()?;
    let file = folder("groups").join("g.csv");
    fs::write(&file, text).expect("room in the temporary folder");
    let groups = Groups::read(&[file]).unwrap_or_default();
    let by: Vec<String> = groups.columns().iter().take(2).map(|c| (*c).to_owned()).collect();
    let mut dimensions = groups.dimensions(&by).expect("columns that there are");
    let home = if mode & 4 == 0 { HomeNets::default() } else { HomeNets::any() };
    let pseudonyms = Pseudonyms::for_publication(&[7; 32], &home, Arc::clone(&catalogue));
    let form = match mode & 3 {
        0 | 1 => Form::Full,
        2 => Form::Pseudonymised(&pseudonyms),
        _ => Form::Groups(*MIN_GROUP.start()),
    };
    if matches!(form, Form::Groups(_)) {
        dimensions.truncate(1);
    }
    let asked = Asked {
        source: &archive,
        groups: &groups,
        dimensions,
        catalogue: &catalogue,
        as_of: None,
        doubts: Vec::new(),
        home: home.clone(),
        offset: if mode & 8 == 0 { "+00:00" } else { "-03:30" }.parse().expect("an offset"),
        counted: None,
        claimed: None,
        threads: 1,
    };
    let step = [Step::Day, Step::Week, Step::Month][usize::from(mode >> 4) % 3];
    let window = Days::new(last.saturating_sub(9), last);
    let baseline = (mode & 64 != 0).then(|| Days::new(last.saturating_sub(29), last.saturating_sub(20)));
    let full = matches!(form, Form::Full);
    let request = Request { asked: &asked, form, window, step, baseline, key: None, show_catalogue: true };
    let to = place("to");
    let everything = Filter { support: true, ..Filter::default() };
    let written =
        write(&to, &request, &mut |_, take| archive.contributions::<PublishError>(&everything, |s: Stored| take(s)))
            .expect("what was imported can be published");
    assert!(!(full && written.differs), "records show what the archive counts");
    let report = to.join("trend.json");
    let checked = check(&to, None, report.is_file().then_some(report.as_path()), &room()).expect("what was published");
    assert!(checked.is_sound(), "what was published is sound: {:?} {:?}", checked.findings, checked.figures);
    assert_eq!(checked.records, written.records);
    Some(to)
}

/// The files of a publication, a report, and the rest as records.
fn given(mut data: &[u8]) {
    let folder = folder("given");
    let catalogue = LongText::from(CATALOGUE);
    let put = |name: &str, bytes: &[u8]| fs::write(folder.join(name), bytes).expect("room in the temporary folder");
    put(&format!("catalogue-{}.toml", catalogue.sha256_hex()), CATALOGUE.as_bytes());
    let with_groups = number::<1>(&mut data) != 0;
    for name in PARTS {
        let text = part(&mut data);
        if name != "groups.csv" || with_groups {
            put(name, text);
        }
    }
    let report = folder.join("report");
    fs::write(&report, part(&mut data)).expect("room in the temporary folder");
    put("records.ndjson", data);
    for report in [None, Some(report.as_path())] {
        let once = said(&folder, report);
        assert_eq!(once, said(&folder, report), "the same is found again");
    }
}

/// Where it may count again.
fn room() -> Room<'static> {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    Room { folder: FOLDER.get_or_init(std::env::temp_dir), threads: 1 }
}

/// What a check finds; no more than a few sentences for each file and figure.
fn said(folder: &Path, report: Option<&Path>) -> Result<Checked, String> {
    let found = check(folder, None, report, &room());
    let brief = |what: &String| assert!(what.len() <= MAX_SENTENCE, "a sentence has {} bytes", what.len());
    match &found {
        Err(what) => brief(what),
        Ok(checked) => {
            let Checked { findings, figures, limits, files, .. } = checked;
            findings.first.iter().chain(limits).chain(figures.iter().flat_map(|f| &f.wrong.first)).for_each(brief);
            assert!(findings.first.len() <= files.len() + 16 && figures.len() <= 3, "few sentences");
            assert!(figures.iter().all(|f| f.wrong.first.len() <= 50), "few figures are listed");
        }
    }
    found
}
