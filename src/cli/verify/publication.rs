//! What was found of a publication.

use super::folder::{Listed, faults};
use crate::publish::Checked;
use crate::report::{clean, counted};
use std::io::{self, Write};
use std::path::Path;

/// Compares the files with the manifest and says what holds and what does not.
/// True if all does.
pub(super) fn report(folder: &Path, checked: &Checked, out: &mut dyn Write) -> io::Result<bool> {
    let files: Vec<Listed> = checked
        .files
        .iter()
        .map(|f| Listed { path: f.path.clone(), sha256: f.sha256.clone(), size: Some(f.size) })
        .collect();
    let altered = faults(folder, &files, &checked.own)?;
    for what in altered.iter().chain(&checked.findings) {
        writeln!(out, "ALTERED {}", clean(what))?;
    }
    for figures in &checked.figures {
        for what in &figures.wrong {
            writeln!(out, "DOES NOT HOLD {} {}", figures.file, clean(what))?;
        }
        if figures.more > 0 {
            writeln!(out, "DOES NOT HOLD {} and {} more", figures.file, figures.more)?;
        }
        let wrong = (figures.wrong.len() as u64).saturating_add(figures.more);
        let held = counted(figures.held, "statement holds", "statements hold");
        for what in &figures.uncounted {
            writeln!(out, "CANNOT BE COUNTED {} {}, so it was not checked", figures.file, clean(what))?;
        }
        writeln!(out, "{}: {held}, {wrong} do not", figures.file)?;
        if !figures.unchecked.is_empty() {
            writeln!(out, "NOT CHECKED {} {}", figures.file, clean(&figures.unchecked.join(", ")))?;
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
