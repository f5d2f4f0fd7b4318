//! Tests of archives as a whole.

mod hostile;

use super::parse::tests::{any_record, line_of, with_id};
use super::*;
use crate::base::Timestamp;
use crate::host::facts::{Contact, Facts, FactsBuilder};
use crate::sighting::Record;
use crate::sighting::testing::record;
use crate::store::{Filter, Run, Store, Stored};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::collections::BTreeMap;
use tempfile::TempDir;

fn a_run() -> Run {
    Run {
        version: "0.1.0".into(),
        command: vec!["spansight".into(), "import".into()],
        catalogue_sha256: crate::catalogue::LongText::from("[[indicator]]").sha256_hex(),
        catalogue: "[[indicator]]".into(),
        home_nets: Vec::new(),
        sensor: String::new(),
        hash: "none".into(),
        started: Timestamp(1),
        ended: Some(Timestamp(2)),
        exit_code: Some(0),
        exit_reason: Some("done".into()),
        environment: BTreeMap::new(),
    }
}

/// Imports lines in one go, with so many threads.
fn import(folder: &Path, records: &[(Record, bool)], threads: usize) {
    let mut import = Import::begin(folder).unwrap();
    let mut reader = LineReader::default();
    for chunk in records.chunks(7) {
        chunk.iter().for_each(|(r, support)| reader.take(&line_of(r, *support)).unwrap());
        import.add(&reader.rows()).unwrap();
    }
    assert_eq!(import.read(), records.len() as u64);
    import.commit(&a_run(), threads).unwrap();
}

/// The same in pieces of a few hosts.
fn in_small_pieces(folder: &Path, records: &[(Record, bool)]) {
    let mut import = Import::begin(folder).unwrap();
    import.limits = (16_384, 4096);
    let mut reader = LineReader::default();
    records.iter().for_each(|(r, support)| reader.put(r, *support));
    import.add(&reader.rows()).unwrap();
    import.commit(&a_run(), 2).unwrap();
}

#[test]
fn what_an_import_changes_is_counted_and_never_less() {
    let dir = TempDir::new().unwrap();
    let folder = dir.path().join("a");
    let commit = |records: &[(Record, bool)]| {
        let mut import = Import::begin(&folder).unwrap();
        let mut reader = LineReader::default();
        records.iter().for_each(|(r, support)| reader.put(r, *support));
        import.add(&reader.rows()).unwrap();
        import.commit(&a_run(), 2).unwrap()
    };
    let mut all = many(20);
    assert_eq!(commit(&all), 0);
    assert_eq!(commit(&all), 0, "the same again");
    let before = all_of(&folder);
    for (r, _) in &mut all[..3] {
        r.source = format!("run:{}", "ab".repeat(16));
    }
    assert_eq!(commit(&all), 0, "of another source");
    for (r, _) in &mut all[..3] {
        (r.revision, r.count) = (1 << 62, 1);
        r.stage = crate::base::Stage::Queried;
        r.slots_connected = Default::default();
        r.servers.clear();
    }
    assert_eq!(commit(&all), 3);
    let all = all_of(&folder);
    assert_eq!(all.len(), 23);
    let forged = all.iter().filter(|s| s.record.source.starts_with("run:"));
    for Stored { record: r, .. } in forged {
        let old = before.iter().find(|s| s.record.id == r.id).unwrap();
        assert_eq!((r.count, r.stage, &r.servers), (old.record.count, old.record.stage, &old.record.servers));
    }
}

fn everything() -> Filter {
    Filter { support: true, ..Filter::default() }
}

/// By source and id, as both kinds of store have them.
fn sorted(mut all: Vec<Stored>) -> Vec<Stored> {
    all.sort_by(|a, b| (&a.record.id, &a.record.source).cmp(&(&b.record.id, &b.record.source)));
    all
}

fn all_of(folder: &Path) -> Vec<Stored> {
    sorted(Archive::open(folder).unwrap().all(&everything()).unwrap())
}

fn listing(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Records of a few hosts, of which some have one id.
fn some_records(count: usize) -> impl Strategy<Value = Vec<(Record, bool)>> {
    proptest::collection::vec(any_record(), 1..count)
}

/// Runs a property over fewer cases than usual: each makes files.
fn check<S: Strategy>(strategy: &S, test: impl Fn(S::Value)) {
    let config = Config { cases: 24, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(strategy, |value| {
            test(value);
            Ok(())
        })
        .unwrap();
}

#[test]
fn an_archive_holds_what_a_store_of_one_file_holds() {
    check(&(some_records(60), some_records(60)), |(first, second)| {
        let dir = TempDir::new().unwrap();
        let folder = dir.path().join("archive");
        let mut store = Store::open(&dir.path().join("s.sqlite")).unwrap();
        for records in [&first, &second, &first] {
            import(&folder, records, 2);
            let mut w = store.begin().unwrap();
            for (r, support) in records {
                w.import_record(r, *support).unwrap();
            }
            w.commit().unwrap();
        }
        let stored: Vec<Stored> = store.contributions(everything()).unwrap().map(Result::unwrap).collect();
        assert_eq!(all_of(&folder), sorted(stored));
        let archive = Archive::open(&folder).unwrap();
        assert_eq!(
            archive.imports().map(|i| i.read).collect::<Vec<_>>(),
            [first.len(), second.len(), first.len()].map(|n| n as u64)
        );
        assert_eq!(archive.catalogue(&a_run().catalogue_sha256).unwrap().unwrap().to_text(), "[[indicator]]");
        let checked = Archive::verify(&folder).unwrap();
        assert!(checked.findings.is_empty(), "{checked:?}");
        assert_eq!((checked.records, checked.imports), (archive.records(), 3));
        assert_eq!(listing(&folder).len(), 4, "nothing is left of former imports");
    });
}

/// Many hosts, for several pieces.
fn many(hosts: u32) -> Vec<(Record, bool)> {
    let mut all = Vec::new();
    for n in 0..hosts {
        let mut r = record();
        r.host.ip = crate::base::Addr::v4((n.wrapping_mul(2_654_435_761)).to_be_bytes());
        r.host.mac = None;
        r.names = vec!["s01.upd.kaspersky.com".into(), "x".repeat(200)];
        all.push((with_id(r), false));
    }
    all
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let records = many(40_000);
    let dir = TempDir::new().unwrap();
    let contents: Vec<(Vec<u8>, Manifest)> = [1, 2, 8]
        .iter()
        .map(|threads| {
            let folder = dir.path().join(threads.to_string());
            import(&folder, &records[..30_000], *threads);
            import(&folder, &records[20_000..], *threads);
            let manifest = read_manifest(&folder).unwrap().unwrap();
            (fs::read(folder.join(&manifest.data.as_ref().unwrap().path)).unwrap(), manifest)
        })
        .collect();
    assert!(contents[0].1.pieces.len() > 1 && contents[0].1.records == 40_000);
    assert!(contents[0] == contents[1] && contents[0] == contents[2]);
    let all = all_of(&dir.path().join("1"));
    assert_eq!(all.len(), records.len());
}

#[test]
fn a_large_partition_falls_into_pieces_of_whole_hosts() {
    let dir = TempDir::new().unwrap();
    let few = |folder: &Path, records: &[(Record, bool)]| {
        let mut import = Import::begin(folder).unwrap();
        // Twelve hosts would fill a piece.
        import.limits = (4096, 1024);
        let mut reader = LineReader::default();
        records.iter().for_each(|(r, support)| reader.put(r, *support));
        import.add(&reader.rows()).unwrap();
        import.commit(&a_run(), 2).unwrap();
    };
    let mut records = many(9_000);
    for n in 0..60 {
        // One with more days than a piece should have.
        let mut r = record();
        r.period = crate::base::time::format_day(20_000 + n);
        let day = Timestamp::from_parts((20_000 + n) * 86_400, 0);
        (r.first_seen, r.last_seen) = (day, day);
        records.push((with_id(r), false));
    }
    let (whole, cut) = (dir.path().join("whole"), dir.path().join("cut"));
    import(&whole, &records, 2);
    few(&cut, &records[..6_000]);
    few(&cut, &records[5_000..]);
    assert_eq!(all_of(&whole), all_of(&cut));
    let archive = Archive::open(&cut).unwrap();
    assert!(archive.manifest.pieces.iter().filter(|p| p.from == 17).count() > 1);
    let mut seen = std::collections::HashSet::new();
    for part in 0..archive.parts() {
        let mut facts = Facts::default();
        archive.part(part, &|_| true, false, &mut facts, None).unwrap();
        assert!(facts.seen.into_iter().all(|host| seen.insert(host)), "a host is in one part only");
    }
    assert_eq!(seen.len(), 9_001);
}

#[test]
fn an_archive_without_a_name_is_read_like_any_other() {
    check(&some_records(60), |records| {
        let dir = TempDir::new().unwrap();
        import(&dir.path().join("named"), &records, 2);
        let mut unnamed = Import::unnamed(dir.path()).unwrap();
        let mut reader = LineReader::default();
        for (r, support) in &records {
            reader.take(&line_of(r, *support)).unwrap();
            assert_eq!(reader.last_day(), Some(Contact::of(r, false).day));
        }
        assert_eq!(reader.len(), records.len());
        unnamed.add(&reader.rows()).unwrap();
        let unnamed = unnamed.into_archive(2).unwrap();
        let named = Archive::open(&dir.path().join("named")).unwrap();
        assert_eq!(sorted(unnamed.all(&everything()).unwrap()), sorted(named.all(&everything()).unwrap()));
        assert_eq!((unnamed.records(), unnamed.days()), (named.records(), named.days()));
        assert_eq!(unnamed.manifest.filed, named.manifest.filed);
        let (mut parts, mut whole) = (Vec::new(), Facts::default());
        for part in 0..unnamed.parts() {
            let mut facts = Facts::default();
            unnamed.part(part, &|_| true, true, &mut facts, None).unwrap();
            parts.extend(told(&facts));
        }
        unnamed.whole(&|_| true, true, &mut whole, None).unwrap();
        assert_eq!(parts.len(), told(&whole).len());
        drop(unnamed);
        assert_eq!(listing(dir.path()), ["named"], "nothing is left of it");
    });
}

/// Hosts with hardware addresses of their own, records of some of them without
/// one, and records from beyond a router.
fn mixed() -> Vec<(Record, bool)> {
    let mut all = Vec::new();
    let mut add = |ip: u32, mac: Option<[u8; 6]>, day: i64, indicator: &str| {
        let mut r = record();
        r.host.ip = crate::base::Addr::v4((0x0a00_0000 | ip).to_be_bytes());
        (r.host.mac, r.host.segment) = (mac.map(crate::base::Mac), String::new());
        r.servers.clear();
        r.period = crate::base::time::format_day(20_000 + day);
        r.first_seen = Timestamp::from_parts((20_000 + day) * 86_400 + 36_000, 0);
        r.last_seen = Timestamp::from_parts((20_000 + day) * 86_400 + 36_300, 0);
        r.indicator.id = indicator.to_owned();
        all.push((with_id(r), false));
    };
    for n in 0..400u32 {
        let [_, _, b, c] = n.to_be_bytes();
        let own = Some([0, 0x16, 0x3e, 1, b, c]);
        add(n, own, 0, "a");
        // Another day another host has the address.
        add(n, Some([0, 0x16, 0x3e, 2, b, c]), 3, "a");
        if n % 40 == 0 {
            add(n, None, 0, "b");
        }
        if n % 40 == 20 {
            add(n, Some([0, 0x16, 0x3e, 9, 9, 9]), 0, "c");
            add(n, None, 9, "b");
        }
        if n % 7 == 0 {
            add(n + 10_000, None, 0, "b");
        }
    }
    all
}

#[test]
fn hosts_that_share_an_address_are_judged_together() {
    let dir = TempDir::new().unwrap();
    let records = mixed();
    in_small_pieces(dir.path(), &records);
    let archive = Archive::open(dir.path()).unwrap();
    let catalogue = crate::catalogue::Catalogue::builtin();
    let judge = |facts: &Facts| {
        let options = crate::host::Options { home: crate::sighting::HomeNets::any(), ..Default::default() };
        crate::host::judge(facts, &catalogue, &options)
    };
    let mut whole = Facts::default();
    archive.whole(&|_| true, true, &mut whole, None).unwrap();
    let want = judge(&whole);
    let mut found = Vec::new();
    let mut sizes = Vec::new();
    for part in 0..archive.parts() {
        let mut facts = Facts::default();
        archive.part(part, &|_| true, true, &mut facts, None).unwrap();
        sizes.push(facts.contacts.len());
        found.extend(judge(&facts));
    }
    found.sort_by(|a, b| (&a.segment, a.ip, a.mac, &a.sightings).cmp(&(&b.segment, b.ip, b.mac, &b.sightings)));
    assert_eq!(found, want);
    let merged = want.iter().filter(|v| v.mac.is_some() && v.sightings.len() > 1).count();
    assert!(merged >= 10, "records without a hardware address were given to its host: {merged}");
    assert_eq!(sizes.iter().sum::<usize>(), records.len());
    let last = sizes.last().copied().unwrap();
    assert!(sizes.len() > 3 && (20..200).contains(&last), "{sizes:?}");
}

/// Whose a record is may hang on what lies outside the days that are asked for.
#[test]
fn hosts_are_not_judged_where_who_shared_an_address_cannot_be_read() {
    let dir = TempDir::new().unwrap();
    in_small_pieces(dir.path(), &mixed());
    let read = |day: i32| {
        let archive = Archive::open(dir.path()).unwrap();
        let part = |number| archive.part(number, &|d| d == day, false, &mut Facts::default(), None);
        (0..archive.parts()).map(part).collect::<Result<Vec<_>>>()
    };
    read(1).unwrap();
    let path = dir.path().join("records-000001.bin");
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.len() / 2;
    bytes[at..at + 2000].fill(0xff);
    fs::write(&path, bytes).unwrap();
    assert!(matches!(read(1), Err(StoreError::Corrupt { .. })), "{:?}", read(1));
}

#[test]
fn what_is_covered_is_asked_for_in_quarter_hours() {
    let dir = TempDir::new().unwrap();
    let mut r = with_id(record());
    r.last_seen = r.first_seen.plus(2 * 3600 * crate::base::time::SECOND);
    let (quarter, last) = (r.first_seen.quarter(), r.last_seen.quarter());
    import(dir.path(), &[(r, false)], 1);
    let archive = Archive::open(dir.path()).unwrap();
    let imported = |from, to| archive.covered(from, to).imported;
    assert_eq!((imported(i64::MIN, quarter - 1), imported(i64::MIN, quarter)), (0, 1));
    assert_eq!((imported(last, i64::MAX), imported(last + 1, i64::MAX), imported(quarter + 1, last - 1)), (1, 0, 1));
}

#[test]
fn a_flood_of_sources_is_listed_as_one() {
    let dir = TempDir::new().unwrap();
    let mut reader = LineReader::default();
    let mut import = Import::begin(dir.path()).unwrap();
    let most = manifest::MAX_SOURCES;
    let mut r = with_id(record());
    for n in 0..most + 500 {
        r.source = format!("file:{n:032x}");
        reader.put(&r, false);
        if n % 10_000 == 0 {
            import.add(&reader.rows()).unwrap();
        }
    }
    import.add(&reader.rows()).unwrap();
    assert_eq!(import.sources(), most + 500);
    import.commit(&a_run(), 2).unwrap();
    let archive = Archive::open(dir.path()).unwrap();
    assert_eq!(archive.manifest.sources.len(), most);
    assert_eq!(archive.covered(0, i64::MAX).imported, most as u64 + 1);
    assert_eq!(archive.records(), most as u64 + 500, "no record is lost");
    let mut facts = Facts::default();
    archive.part(0, &|_| true, false, &mut facts, None).unwrap();
    assert!(facts.sources.iter().all(|s| s.other_flows), "what the others saw is known of all of them together");
}

#[test]
fn contacts_are_those_of_the_records() {
    for tied in [false, true] {
        check(&some_records(80), |records| {
            let dir = TempDir::new().unwrap();
            let untied = |(mut r, support): (Record, bool)| {
                if !tied {
                    r.servers.clear();
                }
                (r, support)
            };
            let records: Vec<(Record, bool)> = records.into_iter().map(untied).collect();
            import(dir.path(), &records, 2);
            let archive = Archive::open(dir.path()).unwrap();
            let day = |d: i32| d % 3 != 0;
            let mut want = FactsBuilder::new();
            let mut whole = FactsBuilder::new();
            let mut names = Vec::new();
            for stored in archive.all(&everything()).unwrap() {
                whole.record(&stored.record, stored.support);
                if day(Contact::of(&stored.record, false).day) {
                    want.record(&stored.record, stored.support);
                    names.push(stored.record.names);
                }
            }
            let (want, whole) = (want.build(), whole.build());
            let mut found = Vec::new();
            let mut listed = Vec::new();
            for part in 0..archive.parts() {
                let mut facts = Facts::default();
                let (mut texts, mut all, mut ends) = (Vec::new(), Vec::new(), Vec::new());
                let into = NamesInto { texts: &mut texts, all: &mut all, ends: &mut ends };
                archive.part(part, &day, true, &mut facts, Some(into)).unwrap();
                let mut start = 0usize;
                for end in ends {
                    let of = all[start..end as usize].iter().map(|n| texts[*n as usize].to_string());
                    listed.push(of.collect::<Vec<_>>());
                    start = end as usize;
                }
                for source in &facts.sources {
                    assert!(whole.sources.contains(source), "a source sees the same in every part");
                }
                found.extend(told(&facts));
                // Without names the rest is the same.
                let mut again = Facts::default();
                archive.part(part, &day, false, &mut again, None).unwrap();
                let bare = facts.contacts.iter().map(|c| Contact { id: [0; 16], ..*c }).collect::<Vec<_>>();
                assert_eq!((again.contacts, again.seen), (bare, facts.seen));
            }
            let mut want = told(&want);
            found.sort_by(|a, b| a.0.cmp(&b.0));
            want.sort_by(|a, b| a.0.cmp(&b.0));
            assert_eq!(found, want);
            names.sort();
            listed.sort();
            assert_eq!(listed, names);
        });
    }
}

/// Contacts with what their numbers stand for, and their servers.
fn told(facts: &Facts) -> Vec<(String, Contact)> {
    let line = |(at, c): (usize, &Contact)| {
        let servers: Vec<_> = facts.servers.iter().filter(|s| s.contact as usize == at).collect();
        let servers: Vec<_> = servers.iter().map(|s| (s.ip, s.port, s.udp)).collect();
        let indicator = &facts.indicators[c.indicator as usize];
        let (host, source) = (&facts.seen[c.seen as usize], &facts.sources[c.source as usize].source);
        // FactsBuilder knows an indicator by its id alone.
        let text = format!("{host:?} {} {source} {c:?} {servers:?}", indicator.id);
        let text = text
            .replace(&format!("{:?}", c.id), "")
            .replace(&format!("seen: {}, indicator: {}, source: {}", c.seen, c.indicator, c.source), "");
        (text, Contact { seen: 0, indicator: 0, source: 0, ..*c })
    };
    facts.contacts.iter().enumerate().map(line).collect()
}

#[test]
fn what_was_altered_is_found_and_never_panics() {
    let dir = TempDir::new().unwrap();
    let folder = dir.path().join("a");
    import(&folder, &many(300), 2);
    let manifest = read_manifest(&folder).unwrap().unwrap();
    let data = folder.join(&manifest.data.unwrap().path);
    let sound = fs::read(&data).unwrap();
    for at in (0..sound.len()).step_by(97) {
        let mut bytes = sound.clone();
        bytes[at] ^= 0x55;
        fs::write(&data, &bytes).unwrap();
        let checked = Archive::verify(&folder).unwrap();
        assert!(checked.findings[0].contains("was altered: its SHA-256"), "{checked:?}");
        let archive = Archive::open(&folder).unwrap();
        let _ = archive.all(&everything());
        let _ = archive.part(0, &|_| true, false, &mut Facts::default(), None);
    }
    fs::write(&data, &sound[..sound.len() - 1]).unwrap();
    assert!(Archive::verify(&folder).unwrap().findings[0].contains("bytes, and had"));
    let said = Archive::open(&folder).unwrap_err().to_string();
    assert!(said.contains("is damaged (records-000001.bin has "), "{said}");
    fs::remove_file(&data).unwrap();
    assert!(Archive::verify(&folder).unwrap().findings[0].contains("is missing"));
    assert!(Archive::open(&folder).unwrap_err().to_string().contains("is missing"));
    // A manifest that leads out, or is of another version.
    for (from, to, want) in [
        ("records-000001.bin", "../x", "outside the folder"),
        ("archive/1", "archive/2", "newer spansight"),
        ("archive/1", "thing/1", "not a spansight store"),
        ("{", "[", "cannot be read"),
        ("\"len\":", "\"len\":9", "pieces that are not the whole file"),
    ] {
        let text = fs::read_to_string(folder.join(MANIFEST)).unwrap();
        fs::write(folder.join(MANIFEST), text.replacen(from, to, 1)).unwrap();
        let said = Archive::open(&folder).unwrap_err().to_string();
        assert!(said.contains(want), "{said}");
        fs::write(folder.join(MANIFEST), text).unwrap();
    }
}

#[test]
fn an_import_that_is_dropped_changes_nothing() {
    let dir = TempDir::new().unwrap();
    let folder = dir.path().join("new");
    drop(Import::begin(&folder).unwrap());
    assert!(!folder.exists(), "a folder that it made is removed");
    import(&folder, &many(10), 1);
    let (before, names) = (all_of(&folder), listing(&folder));
    // What a run left that was cut off while it wrote.
    fs::write(folder.join("records-000002.bin"), "half").unwrap();
    fs::write(folder.join("archive.json.new"), "{").unwrap();
    let mut reader = LineReader::default();
    reader.take(&line_of(&with_id(record()), false)).unwrap();
    let mut dropped = Import::begin(&folder).unwrap();
    dropped.add(&reader.rows()).unwrap();
    let again = Import::begin_within(&folder, std::time::Duration::ZERO);
    assert!(matches!(again.unwrap_err(), StoreError::Locked { .. }));
    drop(dropped);
    assert_eq!((all_of(&folder), listing(&folder)), (before, names));
    // One that makes an archive has written something before there is a manifest.
    let making = dir.path().join("making");
    let first = Import::begin(&making).unwrap();
    fs::write(making.join("records-000001.bin"), "half").unwrap();
    let second = Import::begin_within(&making, std::time::Duration::ZERO);
    assert!(matches!(second.unwrap_err(), StoreError::Locked { .. }));
    drop(first);
    drop(Import::begin(&making).unwrap());
    assert!(!making.exists());
    // A folder of something else is not touched.
    let other = dir.path().join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("mine.txt"), "x").unwrap();
    assert!(matches!(Import::begin(&other).unwrap_err(), StoreError::NotAStore { .. }));
    assert_eq!(listing(&other), ["mine.txt"]);
    assert!(matches!(Archive::open(&other).unwrap_err(), StoreError::NotAStore { .. }));
    assert!(matches!(Archive::open(&dir.path().join("none")).unwrap_err(), StoreError::Missing { .. }));
}
