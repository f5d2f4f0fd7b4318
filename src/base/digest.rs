//! Digests, and bytes as hexadecimal digits.

use ring::digest::{Context, SHA256};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Lower-case hex digits.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |n: u8| char::from_digit(n.into(), 16).unwrap_or('0');
    bytes.iter().flat_map(|b| [digit(b >> 4), digit(b & 15)]).collect()
}

/// SHA-256 of a file's content, in hex.
///
/// # Errors
/// Where it cannot be read.
pub fn file_sha256(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Context::new(&SHA256);
    let mut room = vec![0; 1 << 20];
    loop {
        match file.read(&mut room)? {
            0 => return Ok(hex(hash.finish().as_ref())),
            n => hash.update(room.get(..n).unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_the_digest_of_its_content() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        // printf abc | sha256sum
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        std::io::Write::write_all(&mut file, b"abc").unwrap();
        assert_eq!(file_sha256(file.path()).unwrap(), abc);
        // Longer than what is read at once.
        let long = vec![7; 3_000_000];
        std::fs::write(file.path(), &long).unwrap();
        assert_eq!(file_sha256(file.path()).unwrap(), hex(ring::digest::digest(&SHA256, &long).as_ref()));
        assert_eq!(hex(&[0, 0x9f, 0xff]), "009fff");
    }
}
