//! How far a contact over HTTP/2 got: what the server answers on its streams.

use super::assembly::Took;
use super::events::{Note, Notes};
use super::follow::{TRANSFER, is_interim};
use crate::base::Stage;
use crate::protocol::http2::{Cursor, Section, Side, Step};

/// Streams with a status that allows a transfer whose bytes are counted at
/// once; of more, those that began last.
const MAX_STREAMS: usize = 32;

/// A request, for those who wait for its answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    /// Its stream.
    pub(super) stream: u32,
    /// It asks for a tunnel, so that what answers is the proxy.
    pub(super) tunnel: bool,
    /// It is the first of its connection.
    pub(super) first: bool,
    /// It belongs to the contact of the request before.
    pub(super) again: bool,
}

/// The server's half of a connection. Answers to requests of other contacts
/// say nothing about this one.
#[derive(Debug)]
pub(super) struct Http2Answers {
    cursor: Cursor,
    /// The contact's first stream.
    from: u32,
    tunnel: bool,
    /// Frames were read.
    begun: bool,
    /// Streams that may carry a transfer, the oldest first.
    ok: Vec<u32>,
    /// Bytes of those streams.
    bytes: u64,
}

impl Http2Answers {
    /// From the server's first frame on, or, if `late`, from a later one.
    pub(super) fn new(late: bool) -> Self {
        let cursor = Cursor::new(Side::Server, late);
        Http2Answers { cursor, from: 0, tunnel: false, begun: late, ok: Vec::new(), bytes: 0 }
    }

    /// Bytes of memory that it takes.
    pub(super) fn cost(&self) -> usize {
        let streams = self.ok.capacity().saturating_mul(size_of::<u32>());
        size_of::<Self>().saturating_add(self.cursor.cost()).saturating_add(streams)
    }

    /// A contact begins with this request.
    pub(super) fn asked(&mut self, asked: Asked) {
        (self.from, self.tunnel, self.bytes) = (asked.stream, asked.tunnel, 0);
        self.ok.clear();
    }

    /// A contact goes on with this request.
    pub(super) fn asked_again(&mut self, asked: Asked) {
        self.tunnel = asked.tunnel;
    }

    /// Reads frames from `from` on. `Enough` if they cannot be read.
    pub(super) fn read(&mut self, bytes: &[u8], from: usize, stage: &mut Stage, notes: &mut Notes) -> Took {
        let mut used = from;
        let mut section = Section::default();
        while let Some(rest) = bytes.get(used..).filter(|rest| !rest.is_empty()) {
            if !self.begun && rest.starts_with(b"HTTP/1.") {
                // It does not speak HTTP/2, and says so.
                *stage = (*stage).max(Stage::Connected);
                return Took::Enough;
            }
            let taken = match self.cursor.next(rest, 0, &mut section) {
                Step::More => break,
                Step::Broken => return Took::Enough,
                Step::Passed(n) | Step::TooLong(n) => n,
                Step::Data(n, stream) => {
                    self.count(n as u64, stream, stage);
                    n
                }
                Step::Fields(n, stream) => {
                    self.status(stream, &section, stage, notes);
                    self.count(n as u64, stream, stage);
                    n
                }
            };
            self.begun = true;
            used = used.saturating_add(taken);
        }
        Took::Bytes(used)
    }

    /// The field section of a response, or trailers, which have no status.
    fn status(&mut self, stream: u32, section: &Section, stage: &mut Stage, notes: &mut Notes) {
        let code = section.status();
        let is_answer = code.is_some() || section.missing();
        if stream < self.from || !is_answer || code.is_some_and(is_interim) {
            return;
        }
        if self.tunnel {
            if code.is_some_and(|code| !(200..300).contains(&code)) {
                *notes = notes.with(Note::ProxyRefused);
            }
            return;
        }
        *stage = (*stage).max(Stage::Connected);
        if matches!(code, Some(200 | 206 | 304)) {
            if self.ok.len() >= MAX_STREAMS {
                self.ok.remove(0);
            }
            self.ok.push(stream);
        }
    }

    /// Bytes of a stream.
    fn count(&mut self, bytes: u64, stream: u32, stage: &mut Stage) {
        if *stage < Stage::Transferred && self.ok.contains(&stream) {
            self.bytes = self.bytes.saturating_add(bytes);
            if self.bytes >= u64::from(TRANSFER) {
                *stage = Stage::Transferred;
            }
        }
    }

    /// Passes over missing bytes, which count as part of a body. False where
    /// they held more than the rest of a frame.
    pub(super) fn pass_over(&mut self, missing: u64) -> bool {
        let body = self.cursor.body();
        let passed = self.cursor.skip(missing);
        if passed && body.is_some_and(|stream| self.ok.contains(&stream)) {
            self.bytes = self.bytes.saturating_add(missing);
        }
        passed
    }
}
