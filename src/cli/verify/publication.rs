//! What was found of a publication.

use super::folder::{Entry, faults, say_altered};
use crate::publish::Checked;
use crate::report::{clean, counted};
use std::io::{self, Write};
use std::path::Path;

/// Compares the files with the manifest and says what holds and what does not.
/// True if all does.
pub(super) fn report(folder: &Path, checked: &Checked, out: &mut dyn Write) -> io::Result<bool> {
    let files = checked.files.iter().map(|f| Entry { path: &f.path, sha256: &f.sha256, size: Some(f.size) });
    let altered = faults(folder, files, &checked.own)?;
    say_altered(&altered, out)?;
    say_altered(&checked.findings, out)?;
    for figures in &checked.figures {
        let file = &figures.file;
        for what in &figures.wrong.first {
            writeln!(out, "DOES NOT HOLD {file} {}", clean(what))?;
        }
        if figures.wrong.more > 0 {
            writeln!(out, "DOES NOT HOLD {file} and {} more", figures.wrong.more)?;
        }
        let held = counted(figures.held, "statement holds", "statements hold");
        for what in &figures.uncounted.first {
            writeln!(out, "CANNOT BE COUNTED {file} {}, so it was not checked", clean(what))?;
        }
        if figures.uncounted.more > 0 {
            writeln!(out, "CANNOT BE COUNTED {file} and {} more", figures.uncounted.more)?;
        }
        writeln!(out, "{file}: {held}, {} do not", figures.wrong.count())?;
        if !figures.unchecked.is_empty() {
            let more = match figures.unchecked.more {
                0 => String::new(),
                n => format!(" and {n} more"),
            };
            writeln!(out, "NOT CHECKED {file} {}{more}", clean(&figures.unchecked.first.join(", ")))?;
        }
    }
    if let Some(by) = &checked.signed_by {
        writeln!(out, "signature by {} holds", clean(by))?;
    }
    writeln!(out, "manifest.json: sha256 {}", checked.manifest)?;
    for what in &checked.limits {
        writeln!(out, "Note: {}.", clean(what))?;
    }
    let sound = altered.is_empty() && checked.is_sound();
    let word = if sound { "sound" } else { "NOT sound" };
    let (files, records) =
        (counted(checked.files.len() as u64, "file", "files"), counted(checked.records, "record", "records"));
    writeln!(out, "{}: {word} ({}, {files}, {records}).", folder.display(), checked.form)?;
    Ok(sound)
}
