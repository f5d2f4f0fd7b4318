//! Archives that somebody else wrote: blocks of records, where they lie, and
//! the manifest that says so.

use super::probe::cut;
use super::records::comes_back;
use super::scratch::{folder, number, part};
use spansight::base::Timestamp;
use spansight::catalogue::Catalogue;
use spansight::measure::{Asked, Days, FactSource, Groups, Part, Step, Trend, Wanted};
use spansight::sighting::HomeNets;
use spansight::store::archive::{Archive, Import, LineReader, MANIFEST};
use spansight::store::{Filter, Run, Stored};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::Path;

/// Name of the file of records.
const DATA: &str = "records-000001.bin";
/// Longest sentence on what is wrong.
const MAX_SAID: usize = 1000;

thread_local!(static CATALOGUE: Catalogue = Catalogue::builtin());

/// How far an input came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reached {
    /// Its manifest cannot be.
    Refused,
    /// There is what cannot be read.
    Opened,
    /// All records of so many parts were read and counted.
    Read(u32),
    /// So were they, and written anew.
    WrittenAnew(u32),
}

/// An archive of blocks and a manifest. All ways of reading it find the same
/// records, these are such as lines may have, and written anew they are the
/// same, and sound.
///
/// The first byte says whether the bytes behind it are a manifest and a file as
/// they are (1); else blocks follow, each with its numbers and its two halves,
/// not packed, all of them one piece or each a piece (2), with servers that may
/// tell of roles (4), so that they are judged as one part.
pub fn archive(data: &[u8]) {
    reach(data);
}

/// The same; says how far it came.
pub fn reach(data: &[u8]) -> Reached {
    let folder = folder("archive");
    let (mode, mut rest) = data.split_first().map_or((0, data), |(mode, rest)| (*mode, rest));
    if mode & 1 == 1 {
        let manifest = part(&mut rest);
        let manifest = String::from_utf8_lossy(manifest);
        let manifest = manifest.replace("\"SHA\"", &format!("\"{}\"", sha256(rest)));
        write(&folder, &manifest.replace("\"SIZE\"", &rest.len().to_string()), rest);
    } else {
        let (manifest, file) = put_together(mode, rest);
        write(&folder, &manifest, &file);
    }
    let archive = match Archive::open(&folder) {
        Ok(archive) => archive,
        Err(e) => {
            assert!(e.to_string().len() <= MAX_SAID, "what is wrong is a sentence");
            return Reached::Refused;
        }
    };
    let checked = Archive::verify(&folder).expect("what was opened can be compared");
    assert!(checked.findings.iter().map(String::len).sum::<usize>() <= MAX_SAID, "little is said");
    let found = archive.all(&everything());
    counted(&archive, found.as_deref().ok());
    let Ok(found) = found else { return Reached::Opened };
    let lines: Vec<Vec<u8>> = found.iter().map(|Stored { record, support }| comes_back(record, *support)).collect();
    if checked.findings.is_empty() {
        assert_eq!(archive.records(), found.len() as u64, "the manifest counts what there is");
    }
    let parts = FactSource::parts(&archive);
    let ids: BTreeSet<_> = found.iter().map(|s| (&s.record.id, &s.record.source)).collect();
    if found.is_empty() || ids.len() < found.len() || !cut(data).is_multiple_of(4) {
        return Reached::Read(parts);
    }
    written_anew(lines, found);
    Reached::WrittenAnew(parts)
}

fn everything() -> Filter {
    Filter { support: true, ..Filter::default() }
}

/// Records are the same in an archive of their own, added at once and once more.
fn written_anew(lines: Vec<Vec<u8>>, found: Vec<Stored>) {
    let folder = folder("anew");
    let found = sorted(found);
    CATALOGUE.with(|catalogue| {
        for _ in 0..2 {
            assert!(import(&folder, &lines.join(&b'\n'), &run(catalogue)), "lines of records are taken");
            let again = Archive::open(&folder).expect("what was written");
            let all = again.all(&everything()).expect("what was written");
            counted(&again, Some(&all));
            assert_eq!(sorted(all), found, "writing records anew changes none");
            let checked = Archive::verify(&folder).expect("what was written");
            assert_eq!(checked.findings, [""; 0], "what was written is sound");
        }
    });
}

/// Counts an archive; where every record can be read, each is counted.
fn counted(archive: &Archive, all: Option<&[Stored]>) {
    let mut room = Part::default();
    let mut contacts = 0;
    let mut sound = true;
    for number in 0..FactSource::parts(archive) {
        match FactSource::part(archive, number, &Wanted { days: vec![], names: true, ids: false }, &mut room) {
            Ok(part) => contacts += part.facts.contacts.len(),
            Err(_) => sound = false,
        }
    }
    if let Some(all) = all {
        assert!(sound, "records that can be read can be counted");
        assert_eq!(contacts, all.len(), "each record is counted once");
    }
    let Some((first, last)) = Archive::days(archive) else { return };
    CATALOGUE.with(|catalogue| {
        let asked = Asked {
            source: archive,
            groups: &Groups::default(),
            dimensions: Vec::new(),
            catalogue,
            as_of: None,
            doubts: Vec::new(),
            home: HomeNets::any(),
            offset: Default::default(),
            counted: None,
            claimed: None,
            threads: 1,
        };
        let window = Days::new(first, last.min(first.saturating_add(60)));
        let trend = Trend::new(&asked, window, Step::Month);
        assert!(trend.is_ok() || all.is_none(), "records that can be read can be counted");
    });
}

/// By source and id.
fn sorted(mut all: Vec<Stored>) -> Vec<Stored> {
    all.sort_by(|a, b| (&a.record.id, &a.record.source).cmp(&(&b.record.id, &b.record.source)));
    all
}

/// The account of an import.
pub fn run(catalogue: &Catalogue) -> Run {
    Run {
        version: "0".into(),
        command: Vec::new(),
        catalogue_sha256: catalogue.sha256_hex(),
        catalogue: catalogue.effective_toml(),
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

/// Makes an archive of lines, as far as they are sound; false if none is.
pub fn import(folder: &Path, lines: &[u8], run: &Run) -> bool {
    let mut reader = LineReader::default();
    lines.split(|b| *b == b'\n').for_each(|line| drop(reader.take(line)));
    let rows = reader.rows();
    if rows.is_empty() {
        return false;
    }
    let mut import = Import::begin(folder).expect("an empty folder");
    import.add(&rows).expect("room in the temporary folder");
    import.commit(run, 1).expect("rows of lines that were read");
    true
}

fn write(folder: &Path, manifest: &str, file: &[u8]) {
    fs::write(folder.join(MANIFEST), manifest).expect("room in the temporary folder");
    fs::write(folder.join(DATA), file).expect("room in the temporary folder");
}

/// A manifest and a file of the blocks that data describe.
fn put_together(mode: u8, mut data: &[u8]) -> (String, Vec<u8>) {
    let (mut file, mut pieces, mut records) = (Vec::new(), Vec::new(), 0);
    while !data.is_empty() && pieces.len() < 64 {
        let at = file.len();
        let (rows, hosts) = (number::<2>(&mut data), number::<2>(&mut data));
        let (least, days) = (number::<4>(&mut data) as u32 as i32, number::<2>(&mut data));
        let halves = [part(&mut data), part(&mut data)];
        let packed = halves.map(|half| zstd::bulk::compress(half, 1).expect("room in memory"));
        for n in [rows, hosts, signed(least.into()), days] {
            leb128(&mut file, n);
        }
        for (half, packed) in halves.iter().zip(&packed) {
            leb128(&mut file, half.len() as u64);
            leb128(&mut file, packed.len() as u64);
        }
        packed.iter().for_each(|p| file.extend_from_slice(p));
        pieces.push((at, file.len() - at, rows, least, least.saturating_add(days as i32)));
        records += rows;
    }
    let each = mode & 2 != 0;
    if !each && let Some(last) = pieces.iter().map(|p| p.4).max() {
        let first = pieces.iter().map(|p| p.3).min().unwrap_or(last);
        pieces = vec![(0, file.len(), records, first, last)];
    }
    let mut text = String::new();
    for (n, (at, len, rows, first, last)) in pieces.iter().enumerate() {
        let comma = if n > 0 { "," } else { "" };
        let ties = mode & 4 != 0;
        // Pieces share no partition.
        let (from, to) = if each { (n, n) } else { (0, 255) };
        let _ = write!(
            text,
            "{comma}{{\"from\":{from},\"to\":{to},\"at\":{at},\"len\":{len},\"raw\":{len},\"records\":{rows},\"first\":{first},\
             \"last\":{last},\"hardware\":true,\"ties\":{ties}}}"
        );
    }
    let (size, sha256) = (file.len(), sha256(&file));
    let manifest = format!(
        "{{\"schema\":\"spansight.archive/1\",\"revision\":1,\"records\":{records},\"data\":{{\"path\":\"{DATA}\",\
         \"size\":{size},\"sha256\":\"{sha256}\"}},\"pieces\":[{text}],\"catalogues\":[],\"runs\":[],\"sources\":{{}},\
         \"others\":{{\"first\":\"2024-01-01T00:00:00Z\",\"last\":\"2024-12-31T00:00:00Z\",\"channels\":3}}}}"
    );
    (manifest, file)
}

/// A number as archives have it (LEB128).
fn leb128(out: &mut Vec<u8>, mut n: u64) {
    while n > 0x7f {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

/// A number that may be negative, as archives have it.
fn signed(n: i64) -> u64 {
    (n << 1 ^ n >> 63) as u64
}

fn sha256(bytes: &[u8]) -> String {
    ring::digest::digest(&ring::digest::SHA256, bytes).as_ref().iter().fold(String::new(), |mut out, b| {
        let _ = write!(out, "{b:02x}");
        out
    })
}
