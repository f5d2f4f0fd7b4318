//! `spansight verify`: whether a store, an evidence folder or a publication is
//! what was written.

mod folder;
mod publication;

use super::args::VerifyArgs;
use super::exit::{Exit, Stop, say};
use super::inputs;
use super::measuring::threads;
use crate::base::temporary;
use crate::publish::{self, Room};
use crate::report::output::Output;
use crate::report::{clean, counted, size};
use crate::store::archive::{Archive, Checked, MANIFEST};
use crate::store::custody::{Link, LinkKind, PublicKey, SealKey, Verified};
use crate::store::{Store, StoreError};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// Longest key file in bytes.
const MAX_KEY: u64 = 64 << 10;

/// Runs the command.
pub(super) fn run(args: &VerifyArgs) -> Result<Exit, Stop> {
    if let Some(path) = &args.new_key {
        return new_key(path);
    }
    let Some(path) = &args.path else { return Err(Stop::usage("give a store or a folder of evidence")) };
    let public = args.key.as_deref().map(|file| key(file, PublicKey::read)).transpose()?;
    let is_publication = publish::is_publication(path);
    if args.report.is_some() && !is_publication {
        return Err(Stop::usage("--report is held against a publication; give the folder of one"));
    }
    if path.is_dir() {
        if args.seal.is_some() || public.is_some() && !is_publication {
            return Err(Stop::usage(
                "--seal is for stores of one file, --key for these and publications; a folder of evidence has no chain, nor an archive",
            ));
        }
        if is_publication {
            let checked = check(path, public.as_ref(), args.report.as_deref())?;
            return print(|out| publication::report(path, &checked, out));
        }
        if Archive::is_at(path) {
            let checked = Archive::verify(path).map_err(altered)?;
            return print(|out| report_archive(path, &checked, out));
        }
        return print(|out| folder::verify(path, out));
    }
    let seal = args.seal.as_deref().map(|file| key(file, SealKey::read)).transpose()?;
    if let Some(file) = args.seal.as_deref() {
        inputs::warn_if_open("--seal", file);
    }
    let store = Store::open_unchanged(path)?;
    let found = store.verify(public.as_ref()).map_err(altered)?;
    drop(store);
    let exit = print(|out| report(path, &found, out))?;
    let Some(seal) = seal else { return Ok(exit) };
    if !found.is_sound() {
        say(format_args!("{} is not sealed", path.display()));
        return Ok(exit);
    }
    let sealed = Store::open(path)?.seal(&seal)?;
    let Some(sealed) = sealed else {
        return Err(Stop::failed(format_args!("{} has no digest yet, so there is nothing to seal", path.display())));
    };
    print(|out| {
        writeln!(out, "sealed: {} {} {}", sealed.line(), sealed.public_key, sealed.signature)?;
        writeln!(out, "Keep this line where nobody who can write the store can change it.")?;
        Ok(true)
    })
}

/// Checks a publication. Of many records it says where they are put in order.
fn check(path: &Path, key: Option<&PublicKey>, report: Option<&Path>) -> Result<publish::Checked, Stop> {
    const MANY: u64 = 256 << 20;
    let folder = temporary::folder(None);
    let records = path.join(publish::RECORDS).symlink_metadata().map_or(0, |file| file.len());
    if records >= MANY {
        say(format_args!(
            "{} of records are put in order in a temporary file of about a tenth of that in {} (TMPDIR names another \
             folder)",
            size(records),
            folder.display()
        ));
    }
    publish::check(path, key, report, &Room { folder: &folder, threads: threads() }).map_err(Stop::failed)
}

/// Damage that stops the reading is an alteration too, but what it hides is
/// not known.
fn altered(e: StoreError) -> Stop {
    match e {
        StoreError::Corrupt { .. } => Stop { exit: Exit::Partial, message: e.to_string() },
        e => e.into(),
    }
}

/// Makes a key file that only its owner can read, and prints its public half.
fn new_key(path: &Path) -> Result<Exit, Stop> {
    let (file, key) = SealKey::generate().map_err(Stop::failed)?;
    let create = || -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut out = options.open(path)?;
        out.write_all(file.as_bytes())?;
        out.sync_all()
    };
    create().map_err(|e| match e.kind() {
        io::ErrorKind::AlreadyExists => Stop::usage(format_args!(
            "{} is there already; a key is never overwritten: give another name",
            path.display()
        )),
        _ => Stop::failed(format_args!("cannot write {} ({e}): check the path and its permissions", path.display())),
    })?;
    print(|out| writeln!(out, "{}", key.public()).map(|()| true))
}

/// Reads a key file.
pub(super) fn key<K, E: std::fmt::Display>(path: &Path, read: impl Fn(&[u8]) -> Result<K, E>) -> Result<K, Stop> {
    let shown = path.display();
    let size = fs::metadata(path).map_err(|e| Stop::usage(format_args!("{shown}: {e}")))?.len();
    if size > MAX_KEY {
        return Err(Stop::usage(format_args!("{shown} is too long for a key")));
    }
    let bytes = fs::read(path).map_err(|e| Stop::usage(format_args!("{shown}: {e}")))?;
    read(&bytes).map_err(|e| Stop::usage(format_args!("{shown} {e}")))
}

/// Writes to standard output; the exit code says whether `write` found all
/// sound.
fn print(write: impl FnOnce(&mut Output) -> io::Result<bool>) -> Result<Exit, Stop> {
    let mut out = Output::open(None).map_err(Stop::failed)?;
    let (sound, result) = match write(&mut out) {
        Ok(sound) => (sound, out.finish()),
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => return Ok(Exit::Done),
        Err(e) => return Err(Stop::failed(e)),
    };
    match result {
        Err(e) if !e.is_closed_pipe() => Err(Stop::failed(e)),
        _ => Ok(if sound { Exit::Done } else { Exit::Partial }),
    }
}

/// What was found of an archive.
fn report_archive(path: &Path, checked: &Checked, out: &mut dyn Write) -> io::Result<bool> {
    for what in &checked.findings {
        writeln!(out, "ALTERED {}", clean(what))?;
    }
    if checked.more > 0 {
        writeln!(out, "ALTERED and {} more", checked.more)?;
    }
    note(&checked.notes, out)?;
    writeln!(out, "{MANIFEST}: sha256 {}", checked.manifest)?;
    let sound = checked.findings.is_empty();
    let word = if sound { "sound" } else { "NOT as it was written" };
    let records = counted(checked.records, "record", "records");
    let imports = counted(checked.imports, "import", "imports");
    writeln!(out, "{}: {word} ({records}, of {imports}).", path.display())?;
    Ok(sound)
}

/// What is as it was written, and yet is to be doubted.
fn note(notes: &[String], out: &mut dyn Write) -> io::Result<()> {
    notes.iter().try_for_each(|what| writeln!(out, "doubtful: {}", clean(what)))
}

/// What was found of a store.
fn report(path: &Path, v: &Verified, out: &mut dyn Write) -> io::Result<bool> {
    for finding in &v.findings {
        writeln!(out, "ALTERED {}", clean(&finding.to_string()))?;
    }
    if v.more > 0 {
        writeln!(out, "ALTERED and {} more", v.more)?;
    }
    if v.torn {
        say(format_args!("{} is not as it was written; nothing else in it was checked", path.display()));
        return Ok(false);
    }
    note(&v.notes, out)?;
    let days = v.days();
    for (day, links) in &days {
        if links.len() > 1 || links.iter().any(|l| l.kind == LinkKind::Removed) {
            for link in links {
                writeln!(out, "{day}: {}", clean(&told(link)))?;
            }
        }
    }
    for (day, sources) in &v.open {
        let by = sources.join(" ");
        // A day that was closed and is written to again has a digest of what it
        // was, which says nothing of what it is.
        let since = days.get(day.as_str()).and_then(|links| links.last()).map_or_else(String::new, |l| {
            format!("; its last one, digest {}, is of what it was before, and was not compared", l.seq)
        });
        writeln!(out, "{day}: still open, so without a digest of what was added by {}{since}", clean(&by))?;
    }
    for (seal, sound) in &v.seals {
        let word = if *sound { "holds" } else { "DOES NOT HOLD" };
        let (number, seq, key) = (seal.number, seal.seq, clean(&seal.public_key));
        let since = v.links.iter().filter(|l| l.seq > seq).count();
        writeln!(out, "seal {number} of {} by {key} {word}: digests 1 to {seq}; {since} came since", seal.sealed)?;
    }
    match v.links.last() {
        Some(end) => writeln!(out, "end of the chain: digest {} is {}", end.seq, clean(&end.digest))?,
        None => writeln!(out, "no day was closed yet")?,
    }
    let removed = days.values().filter(|l| l.last().is_some_and(|l| l.kind == LinkKind::Removed)).count();
    let records = counted(v.records, "record", "records");
    let kept = counted(days.len().saturating_sub(removed) as u64, "day with records", "days with records");
    let links = counted(v.links.len() as u64, "digest", "digests");
    let counts = format!("{records}, {kept}, {removed} removed, {links}");
    if v.is_sound() {
        let open = match v.open.len() {
            0 => String::new(),
            n => format!(", but for {} still open", counted(n as u64, "day", "days")),
        };
        // What has no digest can be changed without a trace: who reads "sound"
        // must not take it for that.
        writeln!(
            out,
            "{}: sound ({counts}){open}. This is said of the records, the catalogues and the chain alone: intervals of \
             addresses and names, signs of roles, coverage, home networks and the account of runs have no digest.",
            path.display()
        )?;
    } else {
        say(format_args!("{} is not as it was written ({counts})", path.display()));
    }
    Ok(v.is_sound())
}

fn told(link: &Link) -> String {
    let Link { seq, content, cause, linked, .. } = link;
    let records = counted(link.records.unsigned_abs(), "record", "records");
    match link.kind {
        LinkKind::Closed => format!("digest {seq}: {records}, {content}, by {cause}, at {linked}"),
        LinkKind::Removed => format!("digest {seq}: {records} removed by {cause}; content was {content}"),
    }
}
