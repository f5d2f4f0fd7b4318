//! Bytes that a thread of its own reads, for decompressors that are about as
//! fast as reading.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use crossbeam_channel::{Receiver, Sender, bounded};
use std::io::{self, Read};
use std::thread::JoinHandle;

/// Bytes of a piece. A few of them stay in a core's cache.
const PIECE: usize = 256 << 10;

/// Pieces that are read before they are wanted.
const PIECES: usize = 3;

/// What another thread reads from an input, in order, to its end or its first
/// error.
pub(super) struct Pump {
    pieces: Receiver<io::Result<Vec<u8>>>,
    /// Used pieces go back.
    used: Sender<Vec<u8>>,
    piece: Vec<u8>,
    given: usize,
    thread: Option<JoinHandle<()>>,
}

impl Pump {
    /// Begins to read; gives the input back if there is no thread to be had.
    pub(super) fn start<R: Read + Send + 'static>(input: R) -> Result<Self, R> {
        let (tx, pieces) = bounded(PIECES);
        let (used, back) = bounded(PIECES.saturating_add(2));
        // Only when the thread is there the input is given away.
        let (give, take) = bounded::<R>(1);
        let thread = std::thread::Builder::new().name("input".into()).spawn(move || {
            if let Ok(input) = take.recv() {
                read(input, &tx, &back);
            }
        });
        let Ok(thread) = thread else { return Err(input) };
        give.send(input).map_err(crossbeam_channel::SendError::into_inner)?;
        Ok(Pump { pieces, used, piece: Vec::new(), given: 0, thread: Some(thread) })
    }
}

/// Reads until the end, an error, or nobody wants more. An empty piece is the
/// end.
fn read<R: Read>(mut input: R, tx: &Sender<io::Result<Vec<u8>>>, back: &Receiver<Vec<u8>>) {
    loop {
        let mut piece = back.try_recv().unwrap_or_default();
        piece.resize(PIECE, 0);
        let outcome = input.read(&mut piece).map(|n| {
            piece.truncate(n);
            piece
        });
        let last = outcome.as_ref().map_or(true, Vec::is_empty);
        if tx.send(outcome).is_err() || last {
            return;
        }
    }
}

impl Read for Pump {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let available = io::BufRead::fill_buf(self)?;
        let n = available.len().min(buf.len());
        if let (Some(to), Some(from)) = (buf.get_mut(..n), available.get(..n)) {
            to.copy_from_slice(from);
        }
        io::BufRead::consume(self, n);
        Ok(n)
    }
}

impl io::BufRead for Pump {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.given >= self.piece.len() && self.thread.is_some() {
            let Ok(next) = self.pieces.recv() else {
                // It told neither end nor error, so it died; so does this one.
                match self.thread.take().map(JoinHandle::join) {
                    Some(Err(panic)) => std::panic::resume_unwind(panic),
                    _ => return Err(io::ErrorKind::BrokenPipe.into()),
                }
            };
            self.given = 0;
            let used = match next {
                Ok(piece) => std::mem::replace(&mut self.piece, piece),
                Err(e) => {
                    self.piece.clear();
                    self.thread = None;
                    return Err(e);
                }
            };
            if self.piece.is_empty() {
                self.thread = None;
            } else {
                drop(self.used.try_send(used));
            }
        }
        Ok(self.piece.get(self.given..).unwrap_or_default())
    }

    fn consume(&mut self, n: usize) {
        self.given = self.given.saturating_add(n);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::super::testing::Chunked;
    use super::*;

    #[test]
    fn everything_comes_in_order() {
        let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| (n >> 7) as u8).collect();
        for chunk in [1 << 20, 100_000, 999] {
            let mut pump = Pump::start(Chunked(io::Cursor::new(bytes.clone()), chunk)).ok().unwrap();
            let mut got = Vec::new();
            pump.read_to_end(&mut got).unwrap();
            assert!(got == bytes);
            assert_eq!(pump.read(&mut [0; 8]).unwrap(), 0);
        }
    }

    #[test]
    fn an_error_comes_behind_what_was_read() {
        struct Broken(u8);
        impl Read for Broken {
            fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                self.0 += 1;
                if self.0 > 5 {
                    return Err(io::Error::from_raw_os_error(5));
                }
                buf.fill(self.0);
                Ok(buf.len())
            }
        }
        let mut pump = Pump::start(Broken(0)).ok().unwrap();
        let mut got = Vec::new();
        assert_eq!(pump.read_to_end(&mut got).unwrap_err().raw_os_error(), Some(5));
        assert_eq!((got.len(), got[0], got[got.len() - 1]), (5 * PIECE, 1, 5));
    }

    #[test]
    #[should_panic(expected = "the reader is broken")]
    fn a_panic_is_passed_on() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                panic!("the reader is broken")
            }
        }
        drop(Pump::start(Broken).ok().unwrap().read(&mut [0; 8]));
    }

    #[test]
    fn nobody_need_read_to_the_end() {
        let pump = Pump::start(io::repeat(7)).ok().unwrap();
        let Pump { pieces, thread, .. } = pump;
        drop(pieces);
        thread.unwrap().join().unwrap();
    }
}
