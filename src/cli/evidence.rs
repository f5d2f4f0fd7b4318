//! `--evidence-dir` of a replay: the packets that show the sightings. They are
//! known when everything was read, so the inputs are read again, at the frames
//! wanted alone; a run without the option pays nothing.

use super::args::EvidenceArgs;
use super::exit::{Stop, all_of, say};
use super::output::each_selected;
use crate::base::digest::hex;
use crate::capture::{self, Item, Picked};
use crate::catalogue::Catalogue;
use crate::pipeline::{Sighted, SourceId, SourceReport};
use crate::report::evidence::{
    CreatedBy, ENDING, EvidenceError, EvidencePacket, Folder, Input, Manifest, PacketFile, comment,
};
use crate::sighting::select::Selected;
use crate::store::Run;
use std::fs;
use std::path::Path;

/// Frames that are noted before the inputs are read again for them. With more,
/// that happens as often as it takes: memory has its bound, time has none.
const ROUND: usize = 1 << 16;

/// Makes the folder before anything is read, so that a wrong path is said at
/// once. With `beside`, a folder of an earlier run gets another one in it.
pub(super) fn folder(args: &EvidenceArgs, beside: bool) -> Result<Option<Folder>, Stop> {
    let take = |path| Folder::take(path, args.limit(), beside);
    args.evidence_dir.as_deref().map(take).transpose().map_err(stop)
}

/// As a reason to stop.
pub(super) fn stop(e: EvidenceError) -> Stop {
    if matches!(e, EvidenceError::NotEmpty { .. }) { Stop::usage(e) } else { Stop::failed(e) }
}

/// Refuses inputs that cannot be read a second time.
pub(super) fn check_inputs(dir: Option<&Path>, inputs: &[Item]) -> Result<(), Stop> {
    let once = |i: &&Item| i.path.as_os_str() == "-" || fs::metadata(&i.path).is_ok_and(|m| !m.is_file());
    match inputs.iter().find(once).filter(|_| dir.is_some()) {
        Some(input) => Err(Stop::usage(format_args!(
            "--evidence-dir reads the captures twice, and {} can be read only once; write it to a file first",
            if input.path.as_os_str() == "-" { "standard input".into() } else { input.path.to_string_lossy() }
        ))),
        None => Ok(()),
    }
}

/// A frame to be fetched.
struct Wanted {
    source: u32,
    offset: u64,
    interface: u16,
    sha256: String,
    comment: String,
}

/// What became of the frames.
#[derive(Default)]
struct Account {
    /// Frames that did not fit any more.
    beyond: u64,
    /// Frames that are not as they were when they were first read, with the
    /// first file of them.
    changed: Option<(String, u64)>,
}

/// What a run and its sources say in a manifest.
pub(super) fn manifest(run: &Run, sources: &[SourceReport]) -> Manifest {
    let input = |s: &SourceReport| {
        s.id.map(|id| Input {
            path: s.path.to_string_lossy().into_owned(),
            source: id.to_string(),
            sha256: if let SourceId::Content(sha256) = id { Some(hex(&sha256)) } else { None },
            size: s.size,
            frames: s.frames,
            first: s.span.map(|span| span.0),
            last: s.span.map(|span| span.1),
        })
    };
    Manifest {
        created_by: CreatedBy { version: run.version.clone(), command: run.command.clone() },
        catalogue_sha256: run.catalogue_sha256.clone(),
        home_networks: run.home_nets.clone(),
        sensor: run.sensor.clone(),
        inputs: sources.iter().filter_map(input).collect(),
        ..Manifest::default()
    }
}

/// Says what the limit left out.
pub(super) fn say_beyond(folder: &Folder, beyond: u64) {
    if beyond > 0 {
        let path = folder.path().display();
        say(format_args!(
            "--evidence-dir {path}: {beyond} frames of evidence are left out, as --evidence-limit was reached"
        ));
    }
}

/// Writes the packets of all records that stand, and the manifest.
///
/// # Errors
/// Where the folder cannot be written, or inputs changed since they were read.
pub(super) fn write(mut folder: Folder, run: &Run, found: &mut Sighted, catalogue: &Catalogue) -> Result<(), Stop> {
    let mut account = Account::default();
    let (mut done, mut number) = (0u64, 0u32);
    let records = loop {
        let (wanted, seen) = collect(found, catalogue, &run.sensor, done)?;
        let last = wanted.len() < ROUND;
        done = seen.entries;
        number = number.saturating_add(1);
        fetch(&mut folder, number, wanted, &found.outcome.sources, &mut account).map_err(stop)?;
        if last {
            break seen.records;
        }
    };
    let changed = account.changed.as_ref().map_or(0, |(_, n)| *n);
    let frames_left_out = account.beyond.saturating_add(changed);
    let manifest = Manifest { records, frames_left_out, ..manifest(run, &found.outcome.sources) };
    let described = folder.describe(&manifest).map_err(stop);
    say_beyond(&folder, account.beyond);
    let changed = account.changed.map(|(path, n)| {
        Err(Stop::failed(format_args!(
            "{path} changed while it was read: {n} frames of evidence could not be found again and are left out; \
             copy captures that are still written, and replay the copies"
        )))
    });
    all_of([described, changed.unwrap_or(Ok(()))])
}

/// How far the records were gone through.
#[derive(Default)]
struct Seen {
    records: u64,
    /// Entries of evidence, those of this round included.
    entries: u64,
}

/// The next frames to be fetched, after `done` entries of evidence.
fn collect(found: &mut Sighted, catalogue: &Catalogue, sensor: &str, done: u64) -> Result<(Vec<Wanted>, Seen), Stop> {
    let mut wanted = Vec::new();
    let mut seen = Seen::default();
    let mut at = 0u64;
    each_selected(found, catalogue, sensor, |s: &Selected| {
        if s.lonely {
            return Ok::<(), Stop>(());
        }
        seen.records = seen.records.saturating_add(1);
        let r = &s.record;
        for (e, (source, interface)) in r.evidence.iter().zip(&s.places) {
            at = at.saturating_add(1);
            if at <= done || wanted.len() >= ROUND {
                continue;
            }
            seen.entries = at;
            wanted.push(Wanted {
                source: *source,
                offset: e.offset.unwrap_or(0),
                interface: *interface,
                sha256: e.packet_sha256.clone(),
                comment: comment(&r.id, e.channel.as_str(), e.name.as_deref(), &r.source, e.frame),
            });
        }
        Ok(())
    })?;
    Ok((wanted, seen))
}

/// Reads frames again and writes them to a file of their own.
fn fetch(
    folder: &mut Folder,
    number: u32,
    mut wanted: Vec<Wanted>,
    sources: &[SourceReport],
    account: &mut Account,
) -> Result<(), EvidenceError> {
    wanted.sort_by(|a, b| (a.source, a.offset, &a.comment).cmp(&(b.source, b.offset, &b.comment)));
    if folder.is_full() {
        wanted.dedup_by(|a, b| (a.source, a.offset) == (b.source, b.offset));
        account.beyond = account.beyond.saturating_add(wanted.len() as u64);
        return Ok(());
    }
    let mut file = folder.begin(&format!("evidence-{number:04}.{ENDING}"))?;
    for group in wanted.chunk_by(|a, b| a.source == b.source) {
        let Some(report) = group.first().and_then(|w| sources.get(w.source as usize)) else { continue };
        let path = report.path.to_string_lossy();
        let mut offsets: Vec<u64> = group.iter().map(|w| w.offset).collect();
        offsets.dedup();
        let (mut failed, mut missing) = (None, offsets.len() as u64);
        // What is wrong with the file was said when it was first read.
        let _ = capture::pick(&report.path, &offsets, |picked| match take(folder, &mut file, group, &picked, &path) {
            Ok(Taken::Written) => {
                missing = missing.saturating_sub(1);
                true
            }
            Ok(Taken::Beyond) => {
                missing = missing.saturating_sub(1);
                account.beyond = account.beyond.saturating_add(1);
                true
            }
            Ok(Taken::Changed) => true,
            Err(e) => {
                failed = Some(e);
                false
            }
        });
        if let Some(e) = failed {
            return Err(e);
        }
        if missing > 0 {
            let (_, n) = account.changed.get_or_insert_with(|| (path.into_owned(), 0));
            *n = n.saturating_add(missing);
        }
    }
    folder.end(file)
}

enum Taken {
    Written,
    Beyond,
    Changed,
}

/// Writes a frame with all that it shows.
fn take(
    folder: &mut Folder,
    file: &mut PacketFile,
    group: &[Wanted],
    picked: &Picked<'_>,
    path: &str,
) -> Result<Taken, EvidenceError> {
    let from = group.partition_point(|w| w.offset < picked.offset);
    let here = group.get(from..).unwrap_or_default();
    let here = here.get(..here.partition_point(|w| w.offset == picked.offset)).unwrap_or_default();
    let Some(first) = here.first() else { return Ok(Taken::Changed) };
    let sha256 = hex(ring::digest::digest(&ring::digest::SHA256, picked.bytes).as_ref());
    if sha256 != first.sha256 {
        return Ok(Taken::Changed);
    }
    let mut comments: Vec<String> = here.iter().map(|w| w.comment.clone()).collect();
    comments.dedup();
    let packet = EvidencePacket {
        from: (first.source, first.interface),
        interface: picked.interface,
        description: path,
        ts: picked.meta.ts,
        orig_len: picked.meta.orig_len,
        bytes: picked.bytes,
        comments: &comments,
    };
    Ok(if folder.add(file, &packet)? { Taken::Written } else { Taken::Beyond })
}
