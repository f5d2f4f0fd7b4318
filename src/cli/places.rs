//! Where a run writes must not be what it reads, nor one file twice: a capture
//! is evidence, and a store holds what cannot be had again.

use super::exit::Stop;
use std::fs;
use std::path::{Path, PathBuf};

/// Refuses to write over a file that the run reads, or two things into one.
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
    let written: Vec<(&str, PathBuf)> =
        written.iter().filter_map(|(option, path)| Some((*option, place((*path)?)?))).collect();
    for (at, (option, path)) in written.iter().enumerate() {
        if let Some((other, _)) = written.iter().take(at).find(|(_, p)| p == path) {
            let path = path.display();
            return Err(Stop::usage(format_args!("{other} and {option} name the same file {path}; give two")));
        }
    }
    if written.is_empty() {
        return Ok(());
    }
    for input in read {
        let Some(input) = place(input) else { continue };
        if let Some((option, _)) = written.iter().find(|(_, p)| *p == input) {
            let input = input.display();
            return Err(Stop::usage(format_args!("{option} {input} would overwrite what is read; give another file")));
        }
    }
    Ok(())
}

/// The one path of a file that is there or could be made.
fn place(path: &Path) -> Option<PathBuf> {
    if path == Path::new("-") {
        return None;
    }
    if let Ok(there) = fs::metadata(path) {
        return there.is_file().then(|| fs::canonicalize(path).ok()).flatten();
    }
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Some(fs::canonicalize(folder).ok()?.join(path.file_name()?))
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

    #[cfg(unix)]
    #[test]
    fn a_link_to_what_is_read_is_refused_and_a_device_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let (capture, link) = (dir.path().join("a.pcap"), dir.path().join("link"));
        fs::write(&capture, "x").unwrap();
        std::os::unix::fs::symlink(&capture, &link).unwrap();
        assert!(check(&[("--stats", Some(&link))], [capture.as_path()]).is_err());
        let null = Path::new("/dev/null");
        assert!(check(&[("--output", Some(null)), ("--stats", Some(null))], [null, Path::new("-")]).is_ok());
    }
}
