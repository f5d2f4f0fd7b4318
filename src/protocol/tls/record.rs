//! The record layer (RFC 8446 section 5.1), as far as the first handshake
//! message of a stream goes, which may be spread over several records.

use super::super::Probe;
use super::{Extent, MAX_HELLO, MAX_STREAM};

/// Content type of alerts.
pub(super) const ALERT: u8 = 21;
/// Content type of handshake messages.
pub(super) const HANDSHAKE: u8 = 22;

/// Bytes of a record header.
const HEADER: usize = 5;
/// Longest fragment that any version allows (RFC 5246 section 6.2.3).
const MAX_FRAGMENT: usize = 16384 + 2048;
/// Bytes of a handshake message header: type and three bytes of length.
pub(super) const MESSAGE_HEADER: usize = 4;
/// Shortest body of a ClientHello or ServerHello: version, random, the length
/// of the session id, and, in the one, the lengths of two lists, in the
/// other, cipher suite and compression method.
const MIN_BODY: usize = 2 + 32 + 1 + 3;
/// Shortest hello, header included.
const MIN_TOTAL: usize = MESSAGE_HEADER + MIN_BODY;

/// A record header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordHeader {
    /// 20 change_cipher_spec, 21 alert, 22 handshake, 23 application_data.
    pub content_type: u8,
    /// Length of the fragment that follows the 5 header bytes.
    pub len: usize,
}

/// Reads a record header: content type, version (2 bytes), length (2 bytes).
/// `None` if the five bytes are none: an unknown type (heartbeat, 24, is
/// known), a version other than 3.x, or a length above 2^14 + 2048.
///
/// The minor version is not looked at: it is 1 in first hellos, 3 later, and
/// receivers ignore it (RFC 8446 section 5.1).
pub fn record_header(bytes: &[u8; 5]) -> Option<RecordHeader> {
    let &[content_type, major, _, hi, lo] = bytes;
    let len = usize::from(u16::from_be_bytes([hi, lo]));
    let known = matches!(content_type, 20..=24) && major == 3 && len <= MAX_FRAGMENT;
    known.then_some(RecordHeader { content_type, len })
}

/// What comes next in a stream of handshake records.
enum Step<'a> {
    /// The bytes at hand of a record that ends at `end` of the stream.
    Fragment { bytes: &'a [u8], end: usize },
    /// Before this many bytes more nothing can be told of the next header,
    /// those at hand being right.
    Header { lacking: usize },
    /// No handshake record.
    Foreign,
}

/// Walks the handshake records of a stream.
struct Records<'a> {
    stream: &'a [u8],
    pos: usize,
}

impl<'a> Records<'a> {
    fn step(&mut self) -> Step<'a> {
        let rest = self.stream.get(self.pos..).unwrap_or(&[]);
        let Some((header, body)) = rest.split_first_chunk::<HEADER>() else {
            let right = rest.iter().zip([HANDSHAKE, 3]).all(|(have, want)| *have == want);
            // Type and major version are asked for one by one: a foreign byte
            // ends the walk, however the stream is cut.
            let lacking = if rest.len() < 2 { 1 } else { HEADER.saturating_sub(rest.len()) };
            return if right { Step::Header { lacking } } else { Step::Foreign };
        };
        match record_header(header) {
            Some(RecordHeader { content_type: HANDSHAKE, len }) => {
                self.pos = self.pos.saturating_add(HEADER).saturating_add(len);
                Step::Fragment { bytes: body.get(..len).unwrap_or(body), end: self.pos }
            }
            _ => Step::Foreign,
        }
    }
}

/// The bytes at hand of consecutive handshake records, without their headers.
pub(super) fn fragments(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut records = Records { stream, pos: 0 };
    std::iter::from_fn(move || match records.step() {
        Step::Fragment { bytes, .. } => Some(bytes),
        _ => None,
    })
}

/// Where a handshake message lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Message {
    /// How many of its bytes may be read, header included.
    pub(super) have: usize,
    /// Whether that is all.
    pub(super) extent: Extent,
    /// Bytes of the stream up to the last of them.
    pub(super) len: usize,
    /// Where the record that holds the last of them ends.
    pub(super) record_end: usize,
}

/// The first bytes of a message, collected over records: type, length (3),
/// major version of the body.
#[derive(Default)]
pub(super) struct Intro {
    bytes: [u8; 5],
    got: usize,
}

impl Intro {
    pub(super) fn feed(&mut self, fragment: &[u8]) {
        let room = self.bytes.get_mut(self.got..).unwrap_or(&mut []);
        let count = room.len().min(fragment.len());
        for (to, from) in room.iter_mut().zip(fragment) {
            *to = *from;
        }
        self.got = self.got.saturating_add(count);
    }

    /// Whether the bytes so far may begin a hello of this type.
    pub(super) fn fits(&self, kind: u8) -> bool {
        let [first, .., major] = self.bytes;
        (self.got < 1 || first == kind) && (self.got < 5 || major == 3) && self.total().is_none_or(|t| t >= MIN_TOTAL)
    }

    /// Bytes until the next of these is whole: type, length, major version.
    /// `None` if all are.
    fn lacking(&self) -> Option<usize> {
        [1, MESSAGE_HEADER, 5].into_iter().find(|end| self.got < *end).map(|end| end.saturating_sub(self.got))
    }

    /// Length that the message claims, header included, once it is at hand.
    pub(super) fn total(&self) -> Option<usize> {
        let [_, a, b, c, _] = self.bytes;
        let len = u32::from_be_bytes([0, a, b, c]);
        (self.got >= MESSAGE_HEADER).then(|| MESSAGE_HEADER.saturating_add(usize::try_from(len).unwrap_or(usize::MAX)))
    }

    /// How many bytes of the message are wanted.
    pub(super) fn wanted(&self) -> usize {
        self.total().unwrap_or(MIN_TOTAL).min(MAX_HELLO)
    }

    /// The extent of a message of which the wanted bytes are at hand.
    pub(super) fn extent(&self) -> Extent {
        if self.total() > Some(MAX_HELLO) { Extent::Oversized } else { Extent::Whole }
    }
}

/// Behind so many records whole messages are asked for, before that the header
/// of each next one: it may end the message. Asking for thousands of records
/// one by one would walk them all each time.
const ASKED_EACH: u32 = 16;

/// Finds the hello of the given type at the start of a stream of records.
/// With `partial`, what is at hand will do, provided that the message header
/// is.
pub(super) fn find_message(stream: &[u8], kind: u8, partial: bool) -> Probe<Message> {
    let stream = stream.get(..MAX_STREAM).unwrap_or(stream);
    let mut records = Records { stream, pos: 0 };
    let mut intro = Intro::default();
    let (mut have, mut record_end) = (0_usize, 0_usize);
    let mut count = 0_u32;
    // Bytes that must come before more can be told.
    let lacking = loop {
        match records.step() {
            // RFC 8446 section 5.1 forbids empty handshake records; receivers
            // pass over them all the same, in front of a hello too.
            Step::Fragment { bytes, end } => {
                intro.feed(bytes);
                if !intro.fits(kind) {
                    return Probe::Not;
                }
                record_end = end;
                let missing = intro.wanted().saturating_sub(have);
                if let Some(unread) = bytes.len().checked_sub(missing) {
                    let len = end.min(stream.len()).saturating_sub(unread);
                    return Probe::Found(Message { have: intro.wanted(), extent: intro.extent(), len, record_end });
                }
                have = have.saturating_add(bytes.len());
                let coming = end.saturating_sub(stream.len());
                if coming > 0 {
                    let missing = missing.saturating_sub(bytes.len());
                    let next = if count < ASKED_EACH { coming } else { missing };
                    let lacking = if missing > coming { next.saturating_add(1) } else { missing };
                    // What is no hello after all is known before its record ends.
                    break Some(intro.lacking().map_or(lacking, |n| n.min(lacking)));
                }
                count = count.saturating_add(1);
            }
            Step::Header { lacking } if count < ASKED_EACH => break Some(lacking),
            Step::Header { lacking } => break Some(intro.wanted().saturating_sub(have).saturating_add(lacking)),
            Step::Foreign => break None,
        }
    };
    let extent = match lacking {
        None => Extent::Broken,
        Some(_) if stream.len() == MAX_STREAM => Extent::Oversized,
        Some(lacking) if !partial => return Probe::More(stream.len().saturating_add(lacking).min(MAX_STREAM)),
        Some(_) => Extent::Cut,
    };
    if intro.total().is_none() {
        return Probe::Not;
    }
    Probe::Found(Message { have, extent, len: record_end.min(stream.len()), record_end })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn record_headers() {
        let header = |b: [u8; 5]| record_header(&b).map(|h| (h.content_type, h.len));
        assert_eq!(header([22, 3, 1, 2, 0]), Some((22, 512)));
        assert_eq!(header([23, 3, 3, 0x48, 0]), Some((23, MAX_FRAGMENT)));
        assert_eq!(header([23, 3, 3, 0x48, 1]), None);
        assert_eq!(header([20, 3, 0, 0, 1]), Some((20, 1)));
        assert_eq!(header([24, 3, 4, 0, 3]), Some((24, 3)));
        assert_eq!(header([25, 3, 3, 0, 1]), None);
        assert_eq!(header([22, 2, 0, 0, 1]), None);
        assert_eq!(header(*b"GET /"), None);
    }
}
