//! Follows the frames of one direction.

use super::Section;
use super::frame::{self, Frame};
use super::hpack::Decoder;

/// Bytes of the longest field section that is read, compressed; servers stop
/// at a quarter of it and less.
pub const MAX_BLOCK: usize = 65_536;

/// CONTINUATION frames of one field section that are read.
const MAX_CONTINUATIONS: u32 = 64;

/// Which end sends what a cursor follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Requests.
    Client,
    /// Responses and promises.
    Server,
}

/// What a cursor made of the bytes that it was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing yet: more is needed.
    More,
    /// So many bytes hold nothing of interest.
    Passed(usize),
    /// So many bytes belong to the body that this stream carries.
    Data(usize, u32),
    /// So many bytes ended a field section of this stream.
    Fields(usize, u32),
    /// So many bytes ended, or belong to, a field section that is longer than
    /// is read. What its fields put into the table is missing from now on.
    TooLong(usize),
    /// This is no HTTP/2, or damaged: nothing behind it can be told.
    Broken,
}

/// A field section whose end is still to come.
#[derive(Clone, Debug)]
struct Block {
    stream: u32,
    kind: u8,
    bytes: Vec<u8>,
    frames: u32,
    /// It is too long, and only its end is waited for.
    dropped: bool,
}

impl Block {
    fn new(frame: &Frame, bytes: Vec<u8>) -> Self {
        Block { stream: frame.stream, kind: frame.kind, bytes, frames: 0, dropped: false }
    }

    fn dropped(frame: &Frame) -> Self {
        Block { dropped: true, ..Block::new(frame, Vec::new()) }
    }
}

/// The frames of one direction, and its table of fields.
#[derive(Clone, Debug)]
pub struct Cursor {
    side: Side,
    /// Bytes that are left of a frame that is passed over, and the stream
    /// whose body they are.
    left: u32,
    body: Option<u32>,
    /// The first frame, which is SETTINGS, was seen.
    begun: bool,
    /// Where a frame begins is not known.
    lost: bool,
    /// A receiver would have ended the connection.
    ended: bool,
    block: Option<Block>,
    decoder: Decoder,
}

impl Cursor {
    /// A cursor at the first frame of a connection, or, if `late`, at some
    /// later one.
    pub fn new(side: Side, late: bool) -> Self {
        Cursor {
            side,
            left: 0,
            body: None,
            begun: late,
            lost: false,
            ended: false,
            block: None,
            decoder: Decoder::new(late),
        }
    }

    /// Bytes of memory that it takes beyond itself.
    pub fn cost(&self) -> usize {
        self.block.as_ref().map_or(0, |b| b.bytes.capacity()).saturating_add(self.decoder.cost())
    }

    /// Whether it looks for a frame's beginning.
    pub fn is_lost(&self) -> bool {
        self.lost
    }

    /// Takes what it can from the front of `bytes`, which continue the stream.
    /// Fields are put into `out`. Where it is lost, `bytes` begin a segment;
    /// `last` is the last stream of the client that was heard of.
    pub fn next(&mut self, bytes: &[u8], last: u32, out: &mut Section) -> Step {
        if self.lost {
            return self.find(bytes, last, out);
        }
        if self.left > 0 {
            return self.pass(bytes);
        }
        let Some(frame) = Frame::read(bytes) else { return Step::More };
        if self.ended {
            return Step::Broken;
        }
        let allowed = frame.is_possible() && (self.begun || frame.kind == frame::SETTINGS);
        let in_place = match &self.block {
            Some(block) => frame.kind == frame::CONTINUATION && frame.stream == block.stream,
            None => frame.kind != frame::CONTINUATION,
        };
        let by_side = match self.side {
            Side::Client => {
                frame.kind != frame::PUSH_PROMISE && (frame.kind != frame::HEADERS || frame.stream & 1 == 1)
            }
            Side::Server => true,
        };
        if !(allowed && in_place && by_side) {
            return Step::Broken;
        }
        self.begun = true;
        if matches!(frame.kind, frame::HEADERS | frame::PUSH_PROMISE | frame::CONTINUATION) {
            return self.fields(&frame, bytes, out);
        }
        self.left = frame.len;
        self.body = (frame.kind == frame::DATA).then_some(frame.stream);
        Step::Passed(frame::HEADER)
    }

    /// Passes over the rest of a frame.
    fn pass(&mut self, bytes: &[u8]) -> Step {
        let taken = bytes.len().min(self.left as usize);
        self.left = self.left.saturating_sub(u32::try_from(taken).unwrap_or(u32::MAX));
        match self.body {
            Some(stream) => Step::Data(taken, stream),
            None => Step::Passed(taken),
        }
    }

    /// A frame with a field section, or a part of it.
    fn fields(&mut self, frame: &Frame, bytes: &[u8], out: &mut Section) -> Step {
        let held = self.block.as_ref().map_or(0, |b| b.bytes.len());
        let frames = self.block.as_ref().map_or(0, |b| b.frames);
        let dropped = self.block.as_ref().is_some_and(|b| b.dropped);
        let too_long = held.saturating_add(frame.len as usize) > MAX_BLOCK || frames > MAX_CONTINUATIONS;
        if dropped || too_long {
            return self.drop_section(frame, !dropped);
        }
        let Some(whole) = bytes.get(..frame.total()) else { return Step::More };
        let payload = whole.get(frame::HEADER..).unwrap_or_default();
        let Some(fragment) = frame.fragment(payload) else { return Step::Broken };
        let Some(mut block) = self.block.take() else {
            if frame.has(frame::END_HEADERS) {
                return self.section(fragment, frame.kind, frame.stream, whole.len(), out);
            }
            self.block = Some(Block::new(frame, fragment.to_vec()));
            return Step::Passed(whole.len());
        };
        block.bytes.extend_from_slice(fragment);
        block.frames = block.frames.saturating_add(1);
        if frame.has(frame::END_HEADERS) {
            return self.section(&block.bytes, block.kind, block.stream, whole.len(), out);
        }
        self.block = Some(block);
        Step::Passed(whole.len())
    }

    /// A whole field section.
    fn section(&mut self, bytes: &[u8], kind: u8, stream: u32, taken: usize, out: &mut Section) -> Step {
        out.clear();
        if self.decoder.decode(bytes, out).is_err() {
            // The receiver ends the connection (RFC 9113 section 4.3); what
            // was whole before the fault was said all the same.
            out.set_partial();
            self.ended = true;
        }
        if kind == frame::PUSH_PROMISE { Step::Passed(taken) } else { Step::Fields(taken, stream) }
    }

    /// Looks for a beginning behind missing bytes, and reads the first frame
    /// there. What cannot be decoded was none.
    fn find(&mut self, bytes: &[u8], last: u32, out: &mut Section) -> Step {
        if !frame::begins_frames(bytes, last) {
            return Step::Passed(bytes.len());
        }
        self.lost = false;
        let step = self.next(bytes, last, out);
        if self.ended {
            (self.lost, self.ended) = (true, false);
            self.decoder.lose();
            return Step::Passed(bytes.len());
        }
        step
    }

    /// Passes over a field section that is too long, frame by frame.
    fn drop_section(&mut self, frame: &Frame, first: bool) -> Step {
        self.decoder.lose();
        self.left = frame.len;
        self.body = None;
        self.block = (!frame.has(frame::END_HEADERS)).then(|| Block::dropped(frame));
        if first { Step::TooLong(frame::HEADER) } else { Step::Passed(frame::HEADER) }
    }

    /// Passes over bytes of the stream that are missing. False where they held
    /// more than the rest of a frame: then another beginning must be found.
    pub fn skip(&mut self, missing: u64) -> bool {
        match u64::from(self.left).checked_sub(missing) {
            Some(left) => self.left = u32::try_from(left).unwrap_or(0),
            None => {
                self.block = None;
                self.decoder.lose();
                (self.left, self.body, self.lost) = (0, None, true);
                return false;
            }
        }
        true
    }

    /// The stream whose body the next byte belongs to.
    pub fn body(&self) -> Option<u32> {
        self.body.filter(|_| self.left > 0)
    }

    /// Reads what is complete of a field section whose frame is cut: `bytes`
    /// are all there is of it. The rest of the frame is passed over. Its
    /// stream, if fields were read.
    pub fn partial(&mut self, bytes: &[u8], out: &mut Section) -> Option<u32> {
        let frame = Frame::read(bytes).filter(Frame::is_possible)?;
        if frame.kind != frame::HEADERS || self.block.is_some() || self.left > 0 || self.lost || !self.begun {
            return None;
        }
        let payload = bytes.get(frame::HEADER..)?;
        self.left = frame.len.saturating_sub(u32::try_from(payload.len()).unwrap_or(u32::MAX));
        self.body = None;
        out.clear();
        out.set_partial();
        let _ = self.decoder.decode(frame.fragment(payload)?, out);
        self.decoder.lose();
        if !frame.has(frame::END_HEADERS) {
            self.block = Some(Block::dropped(&frame));
        }
        Some(frame.stream)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::super::sample;
    use super::*;
    use proptest::prelude::*;

    /// Streams whose fields ended, and bytes of bodies by stream.
    type Seen = (Vec<u32>, Vec<(u32, usize)>);

    /// What is seen with the bytes shown in pieces of these sizes.
    fn read(side: Side, bytes: &[u8], sizes: &[usize]) -> Option<Seen> {
        let (mut cursor, mut section) = (Cursor::new(side, false), Section::default());
        let (mut from, mut to) = (0, 0);
        let (mut fields, mut bodies) = (Vec::new(), Vec::<(u32, usize)>::new());
        for size in sizes.iter().cycle() {
            to = bytes.len().min(to + size);
            while from < to {
                from += match cursor.next(&bytes[from..to], 0, &mut section) {
                    Step::More => break,
                    Step::Broken => return None,
                    Step::Passed(n) | Step::TooLong(n) => n,
                    Step::Data(n, stream) => {
                        match bodies.iter_mut().find(|b| b.0 == stream) {
                            Some(body) => body.1 += n,
                            None => bodies.push((stream, n)),
                        }
                        n
                    }
                    Step::Fields(n, stream) => {
                        fields.push(stream);
                        n
                    }
                };
                assert!(from <= to);
            }
            if to == bytes.len() {
                break;
            }
        }
        Some((fields, bodies))
    }

    #[test]
    fn frames_of_a_server() {
        let status = sample::block(&[(":status", "200")]);
        let promise = [&2u32.to_be_bytes()[..], &sample::block(&[(":authority", "a.test")])].concat();
        let bytes = [
            sample::settings(),
            sample::frame(5, 0x4, 1, &promise),
            sample::frame(5, 0, 1, &promise),
            sample::frame(9, 0x4, 1, &status),
            sample::headers(1, &status),
            sample::headers(2, &status),
            sample::frame(0, 0, 1, &[0; 500]),
            sample::frame(0, 0, 2, &vec![0; 70_000]),
            sample::frame(0, 0, 1, b""),
            sample::frame(7, 0, 0, &[0; 12]),
        ]
        .concat();
        let want = Some((vec![1, 2], vec![(1, 500), (2, 70_000)]));
        for sizes in [&[1][..], &[9], &[100_000], &[13, 700]] {
            assert_eq!(read(Side::Server, &bytes, sizes), want);
        }
    }

    #[test]
    fn missing_bytes() {
        let (mut cursor, mut section) = (Cursor::new(Side::Client, false), Section::default());
        let bytes = [sample::settings(), sample::frame(0, 0, 1, &[0; 100])].concat();
        assert_eq!(cursor.next(&bytes, 0, &mut section), Step::Passed(9));
        assert_eq!(cursor.next(&bytes[9..], 0, &mut section), Step::Passed(9));
        assert_eq!((cursor.body(), cursor.skip(60), cursor.body()), (Some(1), true, Some(1)));
        assert_eq!(cursor.next(&bytes[78..], 0, &mut section), Step::Data(40, 1));
        assert_eq!((cursor.body(), cursor.skip(0)), (None, true));
        // Behind this, only whole frames that open a stream are a beginning.
        assert!(!cursor.skip(1));
        let get = sample::get(5, "a.test", "/");
        for other in [&get[1..], &get[..get.len() - 1], b"GET / HTTP/1.1\r\n\r\n", &sample::settings(), b"\0\0\0"] {
            assert_eq!(cursor.next(other, 3, &mut section), Step::Passed(other.len()));
        }
        assert_eq!(cursor.next(&get, 5, &mut section), Step::Passed(get.len()), "an old stream");
        assert_eq!(cursor.next(&get, 3, &mut section), Step::Fields(get.len(), 5));
        assert_eq!(section.authorities().next(), Some(&b"a.test"[..]));
    }

    #[test]
    fn what_cannot_be_decoded_is_no_beginning() {
        let (mut cursor, mut section) = (Cursor::new(Side::Client, true), Section::default());
        assert!(!cursor.skip(1));
        let bad = sample::headers(1, &[0x82, 0x80]);
        assert_eq!(cursor.next(&bad, 0, &mut section), Step::Passed(bad.len()));
        let get = sample::get(3, "a.test", "/");
        assert_eq!(cursor.next(&get, 0, &mut section), Step::Fields(get.len(), 3));
    }

    proptest! {
        #[test]
        fn pieces_of_any_size_give_the_same(
            frames in prop::collection::vec((0u8..12, any::<u8>(), 0u32..6, prop::collection::vec(any::<u8>(), 0..60)), 0..12),
            sizes in prop::collection::vec(1usize..90, 1..20),
            server: bool,
        ) {
            let side = if server { Side::Server } else { Side::Client };
            let frames: Vec<u8> = frames.iter().flat_map(|(k, f, s, p)| sample::frame(*k, *f, *s, p)).collect();
            let bytes = [sample::settings(), frames].concat();
            prop_assert_eq!(read(side, &bytes, &sizes), read(side, &bytes, &[bytes.len()]));
        }
    }
}
