//! The captures that path arguments name.

use super::{CaptureError, first_timestamp};
use crate::base::Timestamp;
use std::collections::HashSet;
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};

/// One capture to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// What to open: the path as given, for a file found in a folder the
    /// folder's path as given and the way on from there.
    pub path: PathBuf,
    /// For a file found in a folder, the path from that folder.
    pub relative: Option<PathBuf>,
}

impl Item {
    /// Whether the file itself was named, not a folder above it.
    pub fn is_explicit(&self) -> bool {
        self.relative.is_none()
    }
}

/// What path arguments came to.
#[derive(Debug, Default)]
pub struct Expansion {
    /// The captures in the order to read them: arguments as given, within a
    /// folder by first timestamp and then by path.
    pub items: Vec<Item>,
    /// Paths that cannot be used, and why.
    pub errors: Vec<(PathBuf, CaptureError)>,
    /// Files in folders that are no captures.
    pub skipped: u64,
    /// Further names of files in a folder that were taken already: symbolic
    /// and hard links.
    pub repeated: u64,
}

/// Finds the captures that the arguments name.
///
/// A named file is taken as it is, whatever its content; a folder is searched
/// with all folders in it, and gives the files that are captures by content.
/// Symbolic links are followed, each folder and file of an argument being
/// taken once. `-` is standard input.
pub fn expand<P: AsRef<Path>>(paths: &[P]) -> Expansion {
    let mut expansion = Expansion::default();
    for path in paths.iter().map(AsRef::as_ref) {
        if path.as_os_str() == "-" {
            expansion.items.push(Item { path: path.to_owned(), relative: None });
            continue;
        }
        match fs::metadata(path) {
            Ok(meta) if meta.is_dir() => folder(path, &mut expansion),
            Ok(_) => expansion.items.push(Item { path: path.to_owned(), relative: None }),
            Err(e) => expansion.errors.push((path.to_owned(), CaptureError::from_io(e))),
        }
    }
    expansion
}

/// Adds the captures in a folder.
fn folder(root: &Path, expansion: &mut Expansion) {
    let errors_before = expansion.errors.len();
    let mut found: Vec<(Option<Timestamp>, PathBuf)> = Vec::new();
    for relative in files(root, expansion) {
        let path = root.join(&relative);
        match first_timestamp(&path) {
            Ok(first) => found.push((first, relative)),
            Err(CaptureError::NotACapture { .. } | CaptureError::Empty) => {
                expansion.skipped = expansion.skipped.saturating_add(1);
            }
            // It went away since it was listed, as in a ring of captures.
            Err(CaptureError::NotFound) => {}
            Err(e @ (CaptureError::PermissionDenied | CaptureError::Io(_))) => expansion.errors.push((path, e)),
            // Captures, if damaged ones: reading them will say so.
            Err(_) => found.push((None, relative)),
        }
    }
    if found.is_empty() && expansion.errors.len() == errors_before {
        expansion.errors.push((root.to_owned(), CaptureError::NoCaptureInFolder));
    }
    found.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.cmp(&b.1)));
    let items = found.into_iter().map(|(_, relative)| Item { path: root.join(&relative), relative: Some(relative) });
    expansion.items.extend(items);
}

/// The regular files below a folder, as paths from there, each once whatever
/// its names. What cannot be read is noted in `expansion`.
pub fn files(root: &Path, expansion: &mut Expansion) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut seen = HashSet::new();
    let mut links: Vec<PathBuf> = Vec::new();
    // What is really there comes before other names for it.
    for follow in [false, true] {
        let mut todo = if follow { std::mem::take(&mut links) } else { vec![PathBuf::new()] };
        while let Some(relative) = todo.pop() {
            let path = root.join(&relative);
            let Ok(meta) = fs::metadata(&path) else {
                // A link to nothing, or gone since it was listed.
                continue;
            };
            if !(meta.is_dir() || meta.is_file()) {
                continue;
            }
            if !seen.insert(identity(&path, &meta)) {
                if meta.is_file() {
                    expansion.repeated = expansion.repeated.saturating_add(1);
                }
                continue;
            }
            if meta.is_file() {
                files.push(relative);
                continue;
            }
            match fs::read_dir(&path) {
                Ok(entries) => {
                    let mut names: Vec<_> = entries.flatten().collect();
                    names.sort_by_key(|e| std::cmp::Reverse(e.file_name()));
                    for entry in names {
                        let is_link = entry.file_type().is_ok_and(|t| t.is_symlink());
                        let list = if is_link && !follow { &mut links } else { &mut todo };
                        list.push(relative.join(entry.file_name()));
                    }
                }
                Err(e) => expansion.errors.push((path, CaptureError::from_io(e))),
            }
        }
    }
    files
}

/// What tells a file or folder from all others, whatever its names.
fn identity(_path: &Path, meta: &Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    (meta.dev(), meta.ino())
}

#[cfg(test)]
mod tests {
    use super::super::testing::Bytes;
    use super::*;
    use std::os::unix::fs::symlink;

    fn capture(dir: &Path, name: &str, secs: u32) {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, &Bytes::pcap(false, 0xa1b2_c3d4, 1).record(secs, 0, 5, 1).bytes).unwrap();
    }

    fn names(expansion: &Expansion) -> Vec<String> {
        let relative = |i: &Item| i.relative.as_ref().map(|r| r.display().to_string());
        expansion.items.iter().map(|i| relative(i).unwrap_or_else(|| format!("={}", i.path.display()))).collect()
    }

    #[test]
    fn folders_are_read_in_order_of_time_then_path() {
        let dir = tempfile::tempdir().unwrap();
        capture(dir.path(), "z.pcap", 5);
        capture(dir.path(), "deep/er/a.bin", 7);
        capture(dir.path(), "deep/b", 5);
        capture(dir.path(), "c.pcap", 9);
        fs::write(dir.path().join("notes.txt"), "some text").unwrap();
        fs::write(dir.path().join("empty.pcap"), "").unwrap();
        let got = expand(&[dir.path()]);
        assert_eq!(names(&got), ["deep/b", "z.pcap", "deep/er/a.bin", "c.pcap"]);
        assert_eq!((got.skipped, got.repeated, got.errors.len()), (2, 0, 0));
        assert!(got.items.iter().all(|i| !i.is_explicit() && i.path.starts_with(dir.path())));
    }

    #[test]
    fn named_files_are_taken_as_they_are_and_in_their_order() {
        let dir = tempfile::tempdir().unwrap();
        let text = dir.path().join("text");
        fs::write(&text, "some text").unwrap();
        capture(dir.path(), "sub/a.pcap", 1);
        let (sub, missing) = (dir.path().join("sub"), dir.path().join("missing"));
        let got = expand(&[Path::new("-"), &text, &missing, &sub]);
        assert_eq!(names(&got), ["=-".to_owned(), format!("={}", text.display()), "a.pcap".to_owned()]);
        assert!(matches!(&got.errors[..], [(path, CaptureError::NotFound)] if *path == missing));
        assert!(got.items[1].is_explicit());
    }

    #[test]
    fn links_neither_loop_nor_repeat() {
        let dir = tempfile::tempdir().unwrap();
        capture(dir.path(), "real/x.pcap", 1);
        capture(dir.path(), "elsewhere.pcap", 2);
        let inner = dir.path().join("inner");
        fs::create_dir(&inner).unwrap();
        symlink("..", dir.path().join("real/up")).unwrap();
        symlink("../real", inner.join("again")).unwrap();
        symlink("../elsewhere.pcap", inner.join("alias.pcap")).unwrap();
        symlink("nowhere", inner.join("dangling")).unwrap();
        let got = expand(&[dir.path()]);
        assert_eq!(names(&got), ["real/x.pcap", "elsewhere.pcap"]);
        assert_eq!((got.repeated, got.errors.len()), (1, 0));
        // From here the links lead to files that are not in the folder itself.
        let got = expand(&[&inner]);
        assert_eq!(names(&got).len(), 2);
        assert_eq!(got.errors.len(), 0);
    }

    #[test]
    fn a_folder_without_captures_is_an_error_and_damage_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a.txt"), "text").unwrap();
        let got = expand(&[dir.path()]);
        assert!(matches!(&got.errors[..], [(_, CaptureError::NoCaptureInFolder)]));
        assert_eq!(got.skipped, 1);
        fs::write(dir.path().join("cut"), &Bytes::pcap(true, 0xa1b2_c3d4, 1).bytes[..20]).unwrap();
        fs::write(dir.path().join("cut.gz"), [0x1f, 0x8b, 8, 0, 0, 0]).unwrap();
        let got = expand(&[dir.path()]);
        assert_eq!((names(&got), got.errors.len()), (vec!["cut".to_owned(), "cut.gz".to_owned()], 0));
    }
}
