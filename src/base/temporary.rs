//! Files without names, for what memory has no room for: they go when the
//! program does.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// The folder for such files: that of the output, where there is one to be
/// written, since there must be room for it; else `TMPDIR`, else `/var/tmp`,
/// which is rarely memory as `/tmp` often is.
pub fn folder(output: Option<&Path>) -> PathBuf {
    if let Some(output) = output.filter(|path| *path != Path::new("-") && !is_device(path)) {
        let parent = output.parent().filter(|p| !p.as_os_str().is_empty());
        return parent.unwrap_or(Path::new(".")).to_owned();
    }
    match std::env::var_os("TMPDIR") {
        Some(folder) if !folder.is_empty() => PathBuf::from(folder),
        _ if Path::new("/var/tmp").is_dir() => PathBuf::from("/var/tmp"),
        _ => std::env::temp_dir(),
    }
}

/// Whether something is there that is no file, such as a device or a pipe.
fn is_device(path: &Path) -> bool {
    path.metadata().is_ok_and(|kind| !kind.is_file() && !kind.is_dir())
}

/// Makes such a file.
///
/// # Errors
/// With a sentence on what to do.
pub fn file(folder: &Path) -> io::Result<File> {
    tempfile::tempfile_in(folder).map_err(|e| explain(folder, &e))
}

/// What went wrong with such a file, with a sentence on what to do.
pub fn explain(folder: &Path, e: &io::Error) -> io::Error {
    let folder = folder.display();
    let text = format!(
        "cannot write what memory has no room for to a temporary file in {folder} ({e}): set TMPDIR to a folder with \
         space, or write the output where there is"
    );
    io::Error::new(e.kind(), text)
}

/// Reads at a place without moving, so that several can read one file at once.
///
/// # Errors
/// Those of the file; one that ends before is one of them.
pub fn read_at(file: &File, into: &mut [u8], at: u64) -> io::Result<()> {
    #[cfg(unix)]
    return std::os::unix::fs::FileExt::read_exact_at(file, into, at);
    #[cfg(not(unix))]
    {
        use std::io::{Read, Seek, SeekFrom};
        let mut file = file.try_clone()?;
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_lies_beside_the_output() {
        assert_eq!(folder(Some(Path::new("a/b/out.csv"))), Path::new("a/b"));
        assert_eq!(folder(Some(Path::new("out.csv"))), Path::new("."));
        let other = folder(None);
        assert!(other.is_dir());
        assert_eq!(folder(Some(Path::new("-"))), other);
        assert_eq!(folder(Some(Path::new("/dev/null"))), other, "beside a device there is no room");
        let said = file(Path::new("/no/such/folder")).unwrap_err().to_string();
        assert!(said.contains("/no/such/folder") && said.contains("TMPDIR"), "{said}");
    }
}
