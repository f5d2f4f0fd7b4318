//! bzip2 members one after another.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::trailing_bytes;
use bzip2::bufread::BzDecoder;
use std::io::{self, BufRead, Read};

/// Members that are read whatever their size. Each costs a decompressor of
/// 3.6 MB, a quarter of a millisecond, and can be 14 bytes long.
const FREE_MEMBERS: u64 = 4096;
/// Compressed bytes that pay for one more member: those that `pbzip2` and
/// `lbzip2` make are a hundred times as long.
const BYTES_A_MEMBER: u64 = 4096;

/// Reads all members.
pub(super) enum Bzip2<R: BufRead> {
    Between(R, Spent),
    Inside(Box<BzDecoder<R>>, Spent),
    Ended,
}

/// Members so far, and compressed bytes of those before the current one.
#[derive(Clone, Copy, Default)]
pub(super) struct Spent {
    members: u64,
    bytes: u64,
}

impl<R: BufRead> Bzip2<R> {
    pub(super) fn new(input: R) -> Self {
        Bzip2::Between(input, Spent::default())
    }
}

impl<R: BufRead> Read for Bzip2<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        loop {
            match std::mem::replace(self, Bzip2::Ended) {
                Bzip2::Ended => return Ok(0),
                Bzip2::Between(mut input, spent) => match input.fill_buf()?.first() {
                    None => return Ok(0),
                    Some(b'B') => {
                        let members = spent.members.saturating_add(1);
                        if members > FREE_MEMBERS.saturating_add(spent.bytes / BYTES_A_MEMBER) {
                            return Err(io::Error::new(io::ErrorKind::InvalidData, "too many tiny members"));
                        }
                        *self = Bzip2::Inside(Box::new(BzDecoder::new(input)), Spent { members, ..spent });
                    }
                    Some(_) => return Err(trailing_bytes()),
                },
                Bzip2::Inside(mut decoder, spent) => match decoder.read(buf)? {
                    0 => {
                        let bytes = spent.bytes.saturating_add(decoder.total_in());
                        *self = Bzip2::Between(decoder.into_inner(), Spent { bytes, ..spent });
                    }
                    n => {
                        *self = Bzip2::Inside(decoder, spent);
                        return Ok(n);
                    }
                },
            }
        }
    }
}
