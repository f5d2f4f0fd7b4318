//! Frames (RFC 9113 sections 4 and 6).

/// Bytes of a frame's header.
pub(super) const HEADER: usize = 9;

/// Payload of the longest frame, unless the receiver allows more.
const DEFAULT_MAX: u32 = 16_384;

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PUSH_PROMISE: u8 = 5;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
pub(super) const CONTINUATION: u8 = 9;

/// Acknowledges settings or a ping.
const ACK: u8 = 0x1;
pub(super) const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;
const PRIORITISED: u8 = 0x20;

/// A frame's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// Bytes of its payload, below 2^24.
    pub(super) len: u32,
    pub(super) kind: u8,
    pub(super) flags: u8,
    /// Stream that it belongs to; 0 for the connection.
    pub(super) stream: u32,
}

impl Frame {
    /// Reads a header from the front of `bytes`: three bytes of length, type,
    /// flags, and four of the stream, whose first bit is to be ignored.
    pub(super) fn read(bytes: &[u8]) -> Option<Frame> {
        let [a, b, c, kind, flags, stream @ ..] = *bytes.first_chunk::<HEADER>()?;
        let stream = u32::from_be_bytes(stream) & 0x7fff_ffff;
        Some(Frame { len: u32::from_be_bytes([0, a, b, c]), kind, flags, stream })
    }

    pub(super) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Header and payload.
    pub(super) fn total(&self) -> usize {
        HEADER.saturating_add(self.len as usize)
    }

    /// Whether a receiver takes it for a frame: what a type asks of length
    /// and stream. Types that are not known are ignored by receivers; one of
    /// those beyond the usual size is rather no frame at all. PRIORITY of a
    /// wrong length ends its stream alone (section 6.3), which nobody heeds.
    pub(super) fn is_possible(&self) -> bool {
        let connection = self.stream == 0;
        match self.kind {
            DATA | CONTINUATION => !connection,
            HEADERS | PUSH_PROMISE => !connection && self.len > 0,
            PRIORITY => !connection && self.len <= DEFAULT_MAX,
            RST_STREAM => !connection && self.len == 4,
            SETTINGS => connection && self.len.is_multiple_of(6) && (self.len == 0 || !self.has(ACK)),
            PING => connection && self.len == 8,
            GOAWAY => connection && self.len >= 8,
            WINDOW_UPDATE => self.len == 4,
            _ => self.len <= DEFAULT_MAX,
        }
    }

    /// As [`Frame::is_possible`], and nothing about it is unusual.
    fn is_likely(&self) -> bool {
        let flags = match self.kind {
            DATA => 0x9,
            HEADERS => 0x2d,
            SETTINGS | PING => ACK,
            CONTINUATION => END_HEADERS,
            PRIORITY if self.len == 5 => 0,
            RST_STREAM | GOAWAY | WINDOW_UPDATE => 0,
            _ => return false,
        };
        self.flags & !flags == 0 && self.len <= DEFAULT_MAX && self.is_possible()
    }

    /// The part of a field section that the payload of HEADERS, PUSH_PROMISE
    /// or CONTINUATION holds, without padding, priority and promised stream.
    /// Of a payload that is cut, what is at hand of it; `None` if its lengths
    /// contradict each other.
    pub(super) fn fragment<'a>(&self, payload: &'a [u8]) -> Option<&'a [u8]> {
        let mut rest = payload;
        let mut padding = 0;
        if self.kind != CONTINUATION && self.has(PADDED) {
            let (len, tail) = rest.split_first()?;
            (padding, rest) = (usize::from(*len), tail);
        }
        let skip: usize = match self.kind {
            HEADERS if self.has(PRIORITISED) => 5,
            PUSH_PROMISE => 4,
            _ => 0,
        };
        rest = rest.get(skip..)?;
        // The padding is at the payload's end, which may be missing.
        let missing = (self.len as usize).saturating_sub(payload.len());
        let end = rest.len().checked_add(missing)?.checked_sub(padding)?;
        Some(rest.get(..end).unwrap_or(rest))
    }
}

/// Whether bytes from the middle of a client's stream hold whole frames and
/// nothing else, with the first field section of a stream beyond `last` among
/// them. The next bytes of a body may look the same only if its sender wants
/// that and knows which segment the capture loses.
pub(super) fn begins_frames(bytes: &[u8], last: u32) -> bool {
    let mut rest = bytes;
    let mut opened = false;
    while let Some(frame) = Frame::read(rest) {
        let Some(tail) = rest.get(frame.total()..).filter(|_| frame.is_likely()) else { return false };
        opened |= frame.kind == HEADERS && frame.has(END_HEADERS) && frame.stream > last && frame.stream & 1 == 1;
        rest = tail;
    }
    opened && rest.is_empty()
}
