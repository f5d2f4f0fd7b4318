//! Where a run writes must not be what it reads, nor one file twice: a capture
//! is evidence, and a store holds what cannot be had again.

use super::exit::Stop;
use crate::publish;
use crate::store::archive::Archive;
use std::fs;
use std::path::{Path, PathBuf};

/// What the names of the files end with that SQLite keeps beside a store.
const BESIDE_A_STORE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Refuses to write over a file that the run reads, or two things into one, or
/// over what SQLite keeps beside a store, or among the files of an archive or a
/// publication, whether the run reads it or not: these are what their manifest
/// says, or nothing.
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
        for (other, of) in written.iter().take(at) {
            place.is_not_kept_beside(option, of)?;
            of.is_not_kept_beside(other, place)?;
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
        written.iter().try_for_each(|(option, written)| written.is_not_kept_beside(option, &input))?;
    }
    Ok(())
}

/// Refuses to write into folders of which every file is evidence, whether it is
/// there already or not.
///
/// # Errors
/// Wrong usage, as a [`Stop`].
pub(super) fn check_outside(option: &str, path: Option<&Path>, folders: &[PathBuf]) -> Result<(), Stop> {
    let Some((path, leads)) = path.and_then(|path| Some((path, place(path)?.path))) else { return Ok(()) };
    // A link is replaced where it stands.
    let stands = fs::canonicalize(folder_of(path)).unwrap_or_default();
    let is_in = |folder: &&PathBuf| {
        fs::canonicalize(folder).is_ok_and(|folder| leads.starts_with(&folder) || stands.starts_with(&folder))
    };
    match folders.iter().find(is_in) {
        Some(folder) => {
            let (path, folder) = (path.display(), folder.display());
            Err(Stop::usage(format_args!("{option} {path} lies in the evidence {folder}; give another place")))
        }
        None => Ok(()),
    }
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
    /// The store that it belongs to, if its name is of that kind.
    store: Option<Box<Place>>,
}

impl Place {
    fn is(&self, other: &Place) -> bool {
        self.path == other.path || self.file.is_some() && self.file == other.file
    }

    /// Fails if SQLite keeps what belongs to `of` here.
    fn is_not_kept_beside(&self, option: &str, of: &Place) -> Result<(), Stop> {
        if !self.store.as_ref().is_some_and(|store| store.is(of)) {
            return Ok(());
        }
        let (path, store) = (self.path.display(), of.path.display());
        Err(Stop::usage(format_args!("{option} {path} belongs to the store {store}; give another file")))
    }
}

/// Where a path leads; `None` if not to a file.
fn place(path: &Path) -> Option<Place> {
    if path == Path::new("-") {
        return None;
    }
    let (path, file) = match fs::metadata(path) {
        Ok(there) if there.is_file() => (fs::canonicalize(path).ok()?, number(&there)),
        Ok(_) => return None,
        Err(_) => (fs::canonicalize(folder_of(path)).ok()?.join(path.file_name()?), None),
    };
    let name = path.file_name()?.to_str().unwrap_or_default();
    let store = BESIDE_A_STORE.iter().find_map(|ending| name.strip_suffix(ending)).filter(|store| !store.is_empty());
    let store = store.and_then(|store| place(&path.with_file_name(store))).map(Box::new);
    Some(Place { path, file, store })
}

/// The folder that a path names a file of.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
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

    #[test]
    fn what_sqlite_keeps_beside_a_store_is_not_written() {
        let dir = tempfile::tempdir().unwrap();
        let (store, new) = (dir.path().join("hot.db"), dir.path().join("new.db"));
        fs::write(&store, "x").unwrap();
        let at = |name: &str| dir.path().join(name);
        for ending in BESIDE_A_STORE {
            let said = check(&[("--output", Some(&at(&format!("hot.db{ending}"))))], [store.as_path()]).unwrap_err();
            assert!(said.message.starts_with("--output ") && said.message.contains("belongs to the store"));
            // Also of a store that the run is to make, in either order.
            let (output, store) = (at(&format!("new.db{ending}")), Some(new.as_path()));
            assert!(check(&[("--output", Some(&output)), ("--store", store)], []).is_err());
            assert!(check(&[("--store", store), ("--output", Some(&output))], []).is_err());
        }
        for name in ["cold.db-wal", "hot.db-old", "hot.db.wal", "-wal"] {
            assert!(
                check(&[("--output", Some(&at(name))), ("--store", Some(&new))], [store.as_path()]).is_ok(),
                "{name}"
            );
        }
    }

    #[test]
    fn nothing_is_written_into_evidence() {
        let dir = tempfile::tempdir().unwrap();
        let (evidence, missing) = (dir.path().join("ev"), dir.path().join("missing"));
        fs::create_dir_all(evidence.join("day")).unwrap();
        fs::write(evidence.join("manifest.json"), "x").unwrap();
        let folders = [missing, evidence.clone()];
        let refused = |path: &Path| check_outside("--output", Some(path), &folders).err().map(|s| s.message);
        for name in ["manifest.json", "new", "day/new", "day/../new"] {
            let said = refused(&evidence.join(name)).unwrap();
            assert!(said.starts_with("--output ") && said.contains("lies in the evidence"), "{said}");
        }
        for path in [dir.path().join("ev.txt"), dir.path().join("new"), evidence.join("../new"), "-".into()] {
            assert_eq!(refused(&path), None);
        }
        #[cfg(unix)]
        for (from, to) in [(evidence.join("out"), dir.path().join("file")), (dir.path().join("in"), evidence.join("x"))]
        {
            fs::write(&to, "x").unwrap();
            std::os::unix::fs::symlink(&to, &from).unwrap();
            assert!(refused(&from).is_some(), "{from:?}");
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
