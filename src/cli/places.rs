//! Where a run writes must not be what it reads, nor one file twice: a capture
//! is evidence, and a store holds what cannot be had again.

use super::exit::Stop;
use crate::publish;
use crate::store::archive::Archive;
use std::fs;
use std::path::{Path, PathBuf};

/// Refuses to write over a file that the run reads, or two things into one, or
/// among the files of an archive or a publication, whether the run reads it or
/// not: these are what their manifest says, or nothing.
///
/// `written` are options with their destinations, `read` the files that are
/// read. Devices, pipes and `-` are no files and pass.
///
/// # Errors
/// Wrong usage, as a [`Stop`].
pub(super) fn check<'p>(
    written: &[(&str, Option<&Path>)],
    read: impl IntoIterator<Item = &'p Path>,
) -> Result<(), Stop> {
    let written: Vec<(&str, Place)> =
        written.iter().filter_map(|(option, path)| Some((*option, place((*path)?)?))).collect();
    for (at, (option, place)) in written.iter().enumerate() {
        if let Some((other, _)) = written.iter().take(at).find(|(_, p)| p.is(place)) {
            let path = place.path.display();
            return Err(Stop::usage(format_args!("{other} and {option} name the same file {path}; give two")));
        }
        if let Some(what) = place.path.parent().and_then(whole) {
            let path = place.path.display();
            return Err(Stop::usage(format_args!("{option} {path} lies in {what}; give another place")));
        }
    }
    if written.is_empty() {
        return Ok(());
    }
    for input in read {
        let Some(input) = place(input) else { continue };
        if let Some((option, written)) = written.iter().find(|(_, p)| p.is(&input)) {
            let path = written.path.display();
            return Err(Stop::usage(format_args!("{option} {path} would overwrite what is read; give another file")));
        }
    }
    Ok(())
}

/// What a folder is that nothing may be added to.
fn whole(folder: &Path) -> Option<&'static str> {
    if Archive::is_at(folder) {
        return Some("the archive");
    }
    publish::is_publication(folder).then_some("a publication")
}

/// A file that is there or could be made.
struct Place {
    path: PathBuf,
    /// Device and inode of one that is there: a hard link has another path.
    file: Option<(u64, u64)>,
}

impl Place {
    fn is(&self, other: &Place) -> bool {
        self.path == other.path || self.file.is_some() && self.file == other.file
    }
}

/// Where a path leads; `None` if not to a file.
fn place(path: &Path) -> Option<Place> {
    if path == Path::new("-") {
        return None;
    }
    if let Ok(there) = fs::metadata(path) {
        let path = there.is_file().then(|| fs::canonicalize(path).ok()).flatten()?;
        return Some(Place { path, file: number(&there) });
    }
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Some(Place { path: fs::canonicalize(folder).ok()?.join(path.file_name()?), file: None })
}

#[cfg(unix)]
fn number(file: &fs::Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    Some((file.dev(), file.ino()))
}

#[cfg(not(unix))]
fn number(_: &fs::Metadata) -> Option<(u64, u64)> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_and_what_is_written_stay_apart() {
        let dir = tempfile::tempdir().unwrap();
        let capture = dir.path().join("a.pcap");
        fs::write(&capture, "x").unwrap();
        let detour = dir.path().join(".").join("a.pcap");
        let new = dir.path().join("new");
        let refused = |written: &[(&str, Option<&Path>)]| check(written, [capture.as_path()]).err().map(|s| s.message);
        assert_eq!(refused(&[("--output", Some(&new)), ("--stats", None)]), None);
        let said = refused(&[("--output", Some(&detour))]).unwrap();
        assert!(said.starts_with("--output ") && said.contains("would overwrite what is read"), "{said}");
        let said = refused(&[("--output", Some(&new)), ("--store", Some(&dir.path().join("./new")))]).unwrap();
        assert!(said.starts_with("--output and --store name the same file"), "{said}");
    }

    #[test]
    fn nothing_is_written_among_the_files_of_an_archive_or_a_publication() {
        let dir = tempfile::tempdir().unwrap();
        let folder = |name: &str, manifest: &str, text: &str| {
            let folder = dir.path().join(name);
            fs::create_dir(&folder).unwrap();
            fs::write(folder.join(manifest), text).unwrap();
            folder
        };
        let archive = folder("a", "archive.json", "{}");
        let publication = folder("p", "manifest.json", r#"{"schema":"spansight.publication/1"}"#);
        let other = folder("o", "manifest.json", r#"{"schema":"theirs"}"#);
        let refused = |path: PathBuf, read: &Path| check(&[("--output", Some(&path))], [read]).err().map(|s| s.message);
        for (path, read) in [("archive.json", archive.as_path()), ("new", &archive), ("archive.json", Path::new("-"))] {
            let said = refused(archive.join(path), read).unwrap();
            assert!(said.starts_with("--output ") && said.contains("lies in the archive"), "{said}");
        }
        assert!(refused(publication.join("trend.json"), &archive).unwrap().contains("lies in a publication"));
        assert_eq!(refused(other.join("manifest.json"), &archive), None);
        assert_eq!(refused(dir.path().join("new"), &archive), None);
        #[cfg(unix)]
        {
            let link = dir.path().join("link");
            std::os::unix::fs::symlink(archive.join("archive.json"), &link).unwrap();
            assert!(refused(link, Path::new("-")).unwrap().contains("lies in the archive"));
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_what_is_read_is_refused_and_a_device_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let (capture, link) = (dir.path().join("a.pcap"), dir.path().join("link"));
        fs::write(&capture, "x").unwrap();
        std::os::unix::fs::symlink(&capture, &link).unwrap();
        assert!(check(&[("--stats", Some(&link))], [capture.as_path()]).is_err());
        let hard = dir.path().join("hard");
        fs::hard_link(&capture, &hard).unwrap();
        let said = check(&[("--events", Some(&hard))], [capture.as_path()]).unwrap_err().message;
        assert!(said.starts_with("--events ") && said.contains("hard would overwrite what is read"), "{said}");
        assert!(check(&[("--output", Some(&hard)), ("--stats", Some(&capture))], []).is_err());
        let null = Path::new("/dev/null");
        assert!(check(&[("--output", Some(null)), ("--stats", Some(null))], [null, Path::new("-")]).is_ok());
    }
}
