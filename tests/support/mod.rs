//! What the end-to-end tests share: running the program, and making captures.

pub mod compress;
pub mod labels;
pub mod neighbours;
pub mod office;
pub mod packets;
pub mod program;
pub mod rewrite;
pub mod schema;
pub mod tunnels;
pub mod writer;

use std::path::{Path, PathBuf};

/// The folder of sample captures.
pub fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("capture-samples")
}

/// The sample captures, in order of their names.
pub fn sample_captures() -> Vec<PathBuf> {
    let is_capture = |p: &PathBuf| {
        let name = p.file_name().unwrap().to_string_lossy().into_owned();
        [".pcap", ".pcapng", ".pcap.zst"].iter().any(|end| name.ends_with(end))
    };
    let entries = std::fs::read_dir(samples()).unwrap();
    let mut all: Vec<PathBuf> = entries.map(|e| e.unwrap().path()).filter(is_capture).collect();
    all.sort();
    assert!(all.len() >= 17, "the sample captures are missing: {all:?}");
    all
}

/// The name of a file.
pub fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

/// Lower-case hex digits of SHA-256.
pub fn sha256(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest.as_ref().iter().map(|b| format!("{b:02x}")).collect()
}
