//! A folder of evidence against its manifest.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use crate::base::digest::file_sha256;
use crate::base::{Few, brief};
use crate::report::{clean, counted};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};

/// Name of the manifest.
const MANIFEST: &str = "manifest.json";
/// Value of `schema` in it.
const SCHEMA: &str = "spansight.manifest/1";
/// Longest manifest in bytes.
const MAX_MANIFEST: u64 = 256 << 20;
/// Folders within folders that are looked into.
const MAX_DEPTH: usize = 16;

/// What is read of a manifest; further fields are no concern of a check.
#[derive(Deserialize)]
struct Manifest {
    schema: String,
    files: Vec<Listed>,
    #[serde(default)]
    inputs: Vec<serde::de::IgnoredAny>,
}

/// A file as a manifest lists it.
#[derive(Deserialize)]
struct Listed {
    path: String,
    sha256: String,
    #[serde(default)]
    size: Option<u64>,
}

/// The same, of any manifest.
#[derive(Clone, Copy)]
pub(super) struct Entry<'m> {
    pub(super) path: &'m str,
    pub(super) sha256: &'m str,
    pub(super) size: Option<u64>,
}

/// What is wrong with files, a sentence each.
pub(super) type Faults = Few<1000>;

/// Says what was altered.
pub(super) fn say_altered<const MOST: usize>(what: &Few<MOST>, out: &mut dyn Write) -> io::Result<()> {
    for what in &what.first {
        writeln!(out, "ALTERED {}", clean(what))?;
    }
    if what.more > 0 {
        writeln!(out, "ALTERED and {} more", what.more)?;
    }
    Ok(())
}

/// Compares each file that the manifest lists with it, and names those that it
/// does not list. True if all is as it was written.
pub(super) fn verify(folder: &Path, out: &mut dyn Write) -> io::Result<bool> {
    let fault = |what: String| io::Error::other(format!("{}: {what}", folder.join(MANIFEST).display()));
    let manifest = read(folder).map_err(fault)?;
    let files = manifest.files.iter().map(|f| Entry { path: &f.path, sha256: &f.sha256, size: f.size });
    let faults = faults(folder, files, &[MANIFEST])?;
    say_altered(&faults, out)?;
    writeln!(out, "{MANIFEST}: sha256 {}", file_sha256(&folder.join(MANIFEST))?)?;
    let files = counted(manifest.files.len() as u64, "file", "files");
    let inputs = counted(manifest.inputs.len() as u64, "input", "inputs");
    let word = if faults.is_empty() { "sound" } else { "NOT as it was written" };
    writeln!(out, "{}: {word} ({files}, of {inputs}).", folder.display())?;
    Ok(faults.is_empty())
}

/// What is wrong with the files of a folder: those that are listed, and those
/// that neither are nor are `own`.
pub(super) fn faults<'m>(folder: &Path, files: impl Iterator<Item = Entry<'m>>, own: &[&str]) -> io::Result<Faults> {
    let mut faults = Faults::default();
    let mut listed: BTreeSet<PathBuf> = own.iter().map(PathBuf::from).collect();
    for file in files {
        if let Some(what) = check(folder, file) {
            faults.push_with(|| format!("{} {what}", brief(file.path)));
        }
        listed.insert(PathBuf::from(file.path));
    }
    let mut there = Vec::new();
    walk(folder, Path::new(""), 0, &mut there)?;
    there.sort();
    for extra in there.iter().filter(|p| !listed.contains(*p)) {
        faults.push_with(|| format!("{} is not in the manifest: it was added", brief(extra.to_string_lossy())));
    }
    Ok(faults)
}

fn read(folder: &Path) -> Result<Manifest, String> {
    let path = folder.join(MANIFEST);
    let kind = path.symlink_metadata().map_err(|e| match e.kind() {
        io::ErrorKind::NotFound => "there is none, so this is no folder of evidence".to_owned(),
        _ => e.to_string(),
    })?;
    if !kind.is_file() || kind.len() > MAX_MANIFEST {
        return Err("it is no file, or too long".into());
    }
    let text = fs::read(&path).map_err(|e| e.to_string())?;
    let manifest: Manifest = serde_json::from_slice(&text).map_err(|e| format!("it cannot be read ({})", brief(e)))?;
    if manifest.schema != SCHEMA {
        return Err(format!("it is {:?}, and {SCHEMA:?} is what can be checked", brief(&manifest.schema)));
    }
    Ok(manifest)
}

/// What is wrong with a listed file.
fn check(folder: &Path, file: Entry<'_>) -> Option<String> {
    let path = Path::new(file.path);
    // A manifest may come from someone else: it must not lead out.
    let inside = path.components().all(|c| matches!(c, Component::Normal(_)));
    if !inside || file.path.is_empty() {
        return Some("is a path that leads out of the folder".into());
    }
    let full = folder.join(path);
    let linked = full.ancestors().take_while(|p| *p != folder).any(|p| p.is_symlink());
    let Ok(kind) = full.symlink_metadata() else { return Some("is missing".into()) };
    if linked || !kind.is_file() {
        return Some("is a link or no file: it was replaced".into());
    }
    if let Some(size) = file.size.filter(|n| *n != kind.len()) {
        return Some(format!("was altered: it has {} bytes, and had {size}", kind.len()));
    }
    match file_sha256(&full) {
        Ok(now) if now.eq_ignore_ascii_case(file.sha256) => None,
        Ok(now) => Some(format!("was altered: its SHA-256 is {now}, and was {}", brief(file.sha256))),
        Err(e) => Some(format!("cannot be read ({e})")),
    }
}

/// All that lies in the folder, by paths relative to it.
fn walk(folder: &Path, inner: &Path, depth: usize, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder.join(inner))? {
        let entry = entry?;
        let path = inner.join(entry.file_name());
        if entry.file_type()?.is_dir() && depth < MAX_DEPTH {
            walk(folder, &path, depth.saturating_add(1), found)?;
        } else {
            found.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]
mod tests {
    use super::*;
    use crate::base::digest::hex;

    fn sha(bytes: &[u8]) -> String {
        hex(ring::digest::digest(&ring::digest::SHA256, bytes).as_ref())
    }

    fn folder() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("sub")).unwrap();
        fs::write(dir.path().join("a.pcapng"), "one").unwrap();
        fs::write(dir.path().join("sub/b.pcapng"), "two").unwrap();
        let manifest = serde_json::json!({
            "schema": SCHEMA, "tool": {"version": "9"}, "inputs": [{"path": "x.pcap"}],
            "files": [
                {"path": "a.pcapng", "sha256": sha(b"one"), "size": 3, "packets": 1},
                {"path": "sub/b.pcapng", "sha256": sha(b"two"), "size": 3},
            ],
        });
        fs::write(dir.path().join(MANIFEST), manifest.to_string()).unwrap();
        dir
    }

    fn verified(dir: &tempfile::TempDir) -> (bool, String) {
        let mut out = Vec::new();
        let sound = verify(dir.path(), &mut out).unwrap();
        (sound, String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_folder_as_it_was_written_is_sound() {
        let (sound, text) = verified(&folder());
        assert!(sound && text.contains("sound (2 files, of 1 input)"), "{text}");
    }

    #[test]
    fn what_was_altered_is_named() {
        type Act = fn(&Path);
        let acts: [(Act, &str); 5] = [
            (|d| fs::write(d.join("a.pcapng"), "ONE").unwrap(), "ALTERED a.pcapng was altered: its SHA-256"),
            (|d| fs::write(d.join("a.pcapng"), "longer").unwrap(), "ALTERED a.pcapng was altered: it has 6 bytes"),
            (|d| fs::remove_file(d.join("sub/b.pcapng")).unwrap(), "ALTERED sub/b.pcapng is missing"),
            (|d| fs::write(d.join("sub/c"), "new").unwrap(), "ALTERED sub/c is not in the manifest"),
            (
                |d| {
                    fs::remove_file(d.join("a.pcapng")).unwrap();
                    std::os::unix::fs::symlink(d.join("sub/b.pcapng"), d.join("a.pcapng")).unwrap();
                },
                "ALTERED a.pcapng is a link",
            ),
        ];
        for (act, want) in acts {
            let dir = folder();
            act(dir.path());
            let (sound, text) = verified(&dir);
            assert!(!sound && text.starts_with(want), "{want}: {text}");
            assert_eq!(text.matches("ALTERED").count(), 1, "{text}");
        }
    }

    #[test]
    fn not_all_of_very_many_is_said() {
        let dir = folder();
        let file = |n: usize| format!(r#"{{"path":"{}{n}","sha256":"00"}}"#, "x".repeat(300));
        let files: Vec<String> = (0..1100).map(file).collect();
        let text = format!(r#"{{"schema":"{SCHEMA}","files":[{}]}}"#, files.join(","));
        fs::write(dir.path().join(MANIFEST), text).unwrap();
        let (sound, text) = verified(&dir);
        // The two files that there are were added.
        assert!(!sound && text.contains("ALTERED and 102 more\n"), "{text}");
        assert_eq!(text.matches("ALTERED").count(), 1001);
        assert!(text.lines().all(|l| l.chars().count() < 300));
    }

    #[test]
    fn a_manifest_does_not_lead_out() {
        let dir = folder();
        let outside = dir.path().join("../outside-the-folder");
        for path in ["../outside-the-folder", "/etc/passwd", "", "sub/../a.pcapng"] {
            let text = format!(r#"{{"schema":"{SCHEMA}","files":[{{"path":"{path}","sha256":"00"}}]}}"#);
            fs::write(dir.path().join(MANIFEST), text).unwrap();
            let (sound, text) = verified(&dir);
            assert!(!sound && text.contains("leads out"), "{text}");
        }
        assert!(!outside.exists());
        for text in ["", "{}", r#"{"schema":"other/1","files":[]}"#] {
            fs::write(dir.path().join(MANIFEST), text).unwrap();
            assert!(verify(dir.path(), &mut Vec::new()).is_err(), "{text}");
        }
    }
}
