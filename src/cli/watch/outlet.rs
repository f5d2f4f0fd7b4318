//! Where a running sensor prints. A thread of its own writes, so that a reader
//! that takes nothing, such as a pager, stops neither the sensor nor its store.

use crate::cli::exit::Stop;
use crate::report::output::{Output, OutputError};
use crossbeam_channel::{Receiver, Sender, unbounded};
use std::io::{self, Write};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Bytes that may wait for the reader.
const MOST: usize = 4 << 20;

/// Bytes handed over at a time.
const PIECE: usize = 64 * 1024;

/// How long a flush waits for its bytes to be written. Most readers take them
/// at once; one that did not is not waited for again until it has.
const FLUSH: Duration = Duration::from_millis(100);

/// How long is waited for room. One that gave none is not waited for again
/// until half of what waits is gone.
const ROOM: Duration = Duration::from_secs(2);

/// A reader that took nothing for so long is worth a word.
const STALLED: Duration = Duration::from_secs(10);

/// How long the end waits: for the next bytes to be taken, and in all.
const END: (Duration, Duration) = (Duration::from_secs(3), Duration::from_secs(10));

/// The writing thread, and what waits for it.
pub(super) struct Outlet {
    tx: Sender<Vec<u8>>,
    /// Bytes that were written.
    taken: Receiver<Result<usize, OutputError>>,
    thread: JoinHandle<Output>,
    piece: Vec<u8>,
    /// Bytes handed over that are not written.
    waiting: usize,
    /// When the reader last took something, or nothing waited.
    taken_at: Instant,
    /// A flush waited in vain since nothing waited last.
    slow: bool,
    /// Room was waited for in vain.
    full: bool,
    /// A sentence said that nobody reads.
    said: bool,
    error: Option<OutputError>,
    is_blank: bool,
    is_stdout: bool,
    /// Last words on records, or tables of days, for which there was no room.
    pub(super) missing: u64,
}

impl Outlet {
    pub(super) fn start(mut out: Output) -> Result<Self, Stop> {
        let (is_blank, is_stdout) = (out.is_blank(), out.is_stdout());
        let (tx, pieces) = unbounded::<Vec<u8>>();
        let (told, taken) = unbounded();
        let thread = std::thread::Builder::new().name("output".into()).spawn(move || {
            for piece in pieces {
                let written = out.write_all(&piece).and_then(|()| out.flush());
                let failed = written.is_err();
                drop(told.send(written.map(|()| piece.len()).map_err(|e| out.error(e))));
                if failed {
                    break;
                }
            }
            out
        });
        let thread = thread.map_err(|e| Stop::failed(format_args!("cannot start a thread: {e}")))?;
        Ok(Outlet {
            tx,
            taken,
            thread,
            piece: Vec::new(),
            waiting: 0,
            taken_at: Instant::now(),
            slow: false,
            full: false,
            said: false,
            error: None,
            is_blank,
            is_stdout,
            missing: 0,
        })
    }

    /// Whether nothing was in the destination, as far as it tells.
    pub(super) fn is_blank(&self) -> bool {
        self.is_blank
    }

    /// Whether standard output leads to a pipe that nobody reads any more.
    pub(super) fn is_abandoned(&self) -> bool {
        self.is_stdout && Output::stdout_is_abandoned()
    }

    /// Why nothing can be written any more, once.
    pub(super) fn take_error(&mut self) -> Option<OutputError> {
        self.note(None);
        self.error.take()
    }

    /// Whether another record may be written. What is begun is taken whole.
    pub(super) fn has_room(&mut self) -> bool {
        self.note(None);
        self.full &= self.waiting >= MOST / 2;
        if self.waiting.saturating_add(self.piece.len()) < MOST {
            return true;
        }
        self.hand_over();
        if !self.full {
            self.full = !self.wait(MOST, Instant::now() + ROOM);
        }
        !self.full
    }

    /// What is to be said of the reader, looked at once a second.
    pub(super) fn look(&mut self, now: Instant, stored: bool) -> Option<&'static str> {
        self.note(None);
        if self.waiting == 0 {
            return std::mem::take(&mut self.said).then_some("the output is read again");
        }
        if self.said || now.saturating_duration_since(self.taken_at) < STALLED {
            return None;
        }
        self.said = true;
        Some(if stored {
            "nobody reads the output, which waits; the sensor goes on, and what it finds is in the store"
        } else {
            "nobody reads the output, which waits; the sensor goes on"
        })
    }

    /// Ends the output, as soon as it is taken. What nobody takes is a failure.
    pub(super) fn finish(mut self) -> Result<(), OutputEnd> {
        self.hand_over();
        let end = Instant::now() + END.1;
        while self.waiting > 0 && self.error.is_none() && Instant::now() < end {
            let before = self.waiting;
            self.wait(before, end.min(Instant::now() + END.0));
            if self.waiting >= before {
                break;
            }
        }
        if let Some(e) = self.error {
            return Err(OutputEnd::Failed(e));
        }
        if self.waiting > 0 || self.missing > 0 {
            // The thread is left to wait: it ends with the program.
            return Err(OutputEnd::Unread);
        }
        drop(self.tx);
        let out = self.thread.join().map_err(|_| OutputEnd::Died)?;
        out.finish().map_err(OutputEnd::Failed)
    }

    /// Waits until less than `bytes` wait; whether it came to that.
    fn wait(&mut self, bytes: usize, until: Instant) -> bool {
        while self.waiting >= bytes && self.error.is_none() {
            let Ok(taken) = self.taken.recv_deadline(until) else { return false };
            self.note(Some(taken));
        }
        true
    }

    /// Takes note of what was written.
    fn note(&mut self, first: Option<Result<usize, OutputError>>) {
        for taken in first.into_iter().chain(self.taken.try_iter()) {
            self.taken_at = Instant::now();
            match taken {
                Ok(n) => self.waiting = self.waiting.saturating_sub(n),
                Err(e) => (self.error, self.waiting) = (Some(e), 0),
            }
        }
        self.slow &= self.waiting > 0;
    }

    fn hand_over(&mut self) {
        let piece = std::mem::take(&mut self.piece);
        if piece.is_empty() {
            return;
        }
        if self.waiting == 0 {
            self.taken_at = Instant::now();
        }
        let n = piece.len();
        // After an error nobody takes anything; that is told by `take_error`.
        if self.tx.send(piece).is_ok() {
            self.waiting = self.waiting.saturating_add(n);
        }
    }
}

/// Why output did not come to its end.
pub(super) enum OutputEnd {
    Failed(OutputError),
    /// The reader did not take all.
    Unread,
    /// The thread did.
    Died,
}

impl Write for Outlet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE {
            self.hand_over();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.hand_over();
        self.note(None);
        if !self.slow {
            self.slow = !self.wait(1, Instant::now() + FLUSH);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::Read;

    /// A pipe with a name, which holds 64 KiB; whoever reads it.
    fn piped() -> (tempfile::TempDir, Outlet, File) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let (of_thread, tx) = (path.clone(), unbounded());
        std::thread::spawn(move || tx.0.send(File::open(of_thread).unwrap()));
        let out = Outlet::start(Output::append(Some(&path)).unwrap()).ok().unwrap();
        (dir, out, tx.1.recv().unwrap())
    }

    #[test]
    fn a_reader_that_takes_nothing_is_not_waited_for_and_gets_all_when_it_does() {
        let (_dir, mut out, mut reader) = piped();
        let began = Instant::now();
        let mut written = 0;
        while out.has_room() {
            out.write_all(&[b'x'; 1000]).unwrap();
            out.flush().unwrap();
            written += 1000;
        }
        assert!(!out.has_room() && began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
        assert!((MOST..MOST + 2 * PIECE).contains(&written), "{written}");
        let later = Instant::now() + STALLED;
        assert!(out.look(later, true).unwrap().contains("is in the store"));
        assert_eq!(out.look(later, true), None, "it is said once");
        let reading = std::thread::spawn(move || {
            let mut all = Vec::new();
            reader.read_to_end(&mut all).unwrap();
            all.len()
        });
        while out.look(Instant::now(), true) != Some("the output is read again") {
            assert!(began.elapsed() < Duration::from_secs(30));
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(out.has_room());
        out.write_all(b"last").unwrap();
        assert!(out.finish().is_ok());
        assert_eq!(reading.join().unwrap(), written + 4);
    }

    #[test]
    fn an_end_that_nobody_reads_is_a_failure() {
        let (_dir, mut out, _reader) = piped();
        out.write_all(&[b'x'; 200_000]).unwrap();
        let began = Instant::now();
        assert!(matches!(out.finish(), Err(OutputEnd::Unread)));
        assert!(began.elapsed() < END.1 + Duration::from_secs(1));
    }

    #[test]
    fn a_reader_that_is_gone_is_an_error() {
        let (_dir, mut out, reader) = piped();
        drop(reader);
        out.write_all(b"x").unwrap();
        out.flush().unwrap();
        assert!(out.take_error().unwrap().is_closed_pipe());
        // What comes later goes nowhere.
        out.write_all(b"y").unwrap();
        out.flush().unwrap();
        assert!(out.has_room());
    }
}
