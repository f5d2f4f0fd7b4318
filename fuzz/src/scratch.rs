//! Folders in memory for readers that take paths.

use std::cell::OnceCell;
use std::fs;
use std::path::{Path, PathBuf};

/// An empty folder of that name, gone when the program ends.
pub fn folder(name: &str) -> PathBuf {
    let path = place(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir(&path).expect("a folder in a temporary folder");
    path
}

/// A path where nothing is.
pub fn place(name: &str) -> PathBuf {
    thread_local!(static ROOT: OnceCell<tempfile::TempDir> = const { OnceCell::new() });
    ROOT.with(|cell| {
        let root = cell.get_or_init(|| {
            let memory = Path::new("/dev/shm");
            let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
            made.expect("a temporary folder")
        });
        let path = root.path().join(name);
        let _ = fs::remove_dir_all(&path);
        path
    })
}

/// Takes bytes off the front, as many as two bytes before them say; what is
/// missing at the end is left out.
pub fn part<'d>(data: &mut &'d [u8]) -> &'d [u8] {
    let Some((length, rest)) = data.split_first_chunk::<2>() else { return std::mem::take(data) };
    let (part, rest) = rest.split_at(usize::from(u16::from_be_bytes(*length)).min(rest.len()));
    *data = rest;
    part
}

/// A number from the front; zero where there is none.
pub fn number<const N: usize>(data: &mut &[u8]) -> u64 {
    let Some((bytes, rest)) = data.split_first_chunk::<N>() else { return 0 };
    *data = rest;
    bytes.iter().fold(0, |n, b| n << 8 | u64::from(*b))
}
