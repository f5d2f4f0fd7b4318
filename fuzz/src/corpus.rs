//! The saved corpus of a target: inputs one after another, each behind its
//! length (four bytes, big-endian), compressed with zstd.

use std::io;
use std::path::Path;

/// Inputs of a corpus file.
///
/// # Errors
/// If it cannot be read or is cut.
pub fn read(path: &Path) -> io::Result<Vec<Vec<u8>>> {
    let bytes = zstd::decode_all(std::fs::File::open(path)?)?;
    let mut rest = bytes.as_slice();
    let mut inputs = Vec::new();
    while let Some((length, behind)) = rest.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        let (input, behind) = behind.split_at_checked(length).ok_or(io::ErrorKind::UnexpectedEof)?;
        inputs.push(input.to_vec());
        rest = behind;
    }
    if rest.is_empty() { Ok(inputs) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// Writes inputs to a corpus file.
///
/// # Errors
/// If it cannot be written, or an input is longer than 4 GiB.
#[allow(dead_code, reason = "only the fuzzing scripts write corpora")]
pub fn write(path: &Path, inputs: &[Vec<u8>]) -> io::Result<()> {
    let mut bytes = Vec::new();
    for input in inputs {
        let length = u32::try_from(input.len()).map_err(io::Error::other)?;
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(input);
    }
    std::fs::write(path, zstd::encode_all(bytes.as_slice(), 19)?)
}
