//! Bodies: where they end.

use super::{Body, MAX_HEAD};
use memchr::memchr;

/// Bytes of the longest chunk-size line with its extensions.
const MAX_SIZE_LINE: usize = 4096;

/// Follows a body through the stream, so that nothing inside it is taken for
/// a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyCursor {
    state: State,
}

/// What the next byte belongs to; chunks as in RFC 9112 section 7.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A body of known length, of which so much is left.
    Length(u64),
    /// The digits of a chunk size, of which `digits` were read.
    Size { size: u64, digits: u8 },
    /// What follows the digits up to the line's end; `seen` bytes so far.
    Extension { size: u64, seen: usize },
    /// The LF that ends the size line.
    SizeLf { size: u64 },
    /// Data of a chunk, of which so much is left.
    Data(u64),
    /// CR or LF behind the data.
    DataCr,
    /// LF behind the data.
    DataLf,
    /// The start of a trailer line, or the empty line; `seen` bytes of the
    /// trailer section so far.
    Trailer { seen: usize },
    /// Inside a trailer line.
    TrailerLine { seen: usize },
    /// The LF of the empty line.
    LastLf,
    /// Behind the body.
    End,
    /// The framing was broken.
    Broken,
}

impl BodyCursor {
    /// A cursor at the first byte after the head; `None` where none follows
    /// or its end is unknown.
    pub fn new(body: Body) -> Option<Self> {
        let state = match body {
            Body::Length(n) if n > 0 => State::Length(n),
            Body::Chunked => State::Size { size: 0, digits: 0 },
            _ => return None,
        };
        Some(BodyCursor { state })
    }

    /// Takes the next bytes of the stream: how many of them belong to the
    /// body, and whether it ended there. `None` if the chunk framing is
    /// broken, and from then on.
    pub fn advance(&mut self, bytes: &[u8]) -> Option<(usize, bool)> {
        let mut rest = bytes;
        while !rest.is_empty() && !matches!(self.state, State::End | State::Broken) {
            let (taken, next) = self.state.step(rest);
            self.state = next;
            rest = rest.get(taken..).unwrap_or_default();
        }
        let taken = bytes.len().saturating_sub(rest.len());
        (self.state != State::Broken).then_some((taken, self.state == State::End))
    }

    /// Passes over bytes of the stream that were not captured: whether the
    /// body ended with them. `None` where they held more than data, so that
    /// nothing tells what follows.
    pub fn skip(&mut self, missing: u64) -> Option<bool> {
        self.state = match self.state {
            State::Length(left) => match left.checked_sub(missing)? {
                0 => State::End,
                left => State::Length(left),
            },
            State::Data(left) => match left.checked_sub(missing)? {
                0 => State::DataCr,
                left => State::Data(left),
            },
            _ => return None,
        };
        Some(self.state == State::End)
    }
}

impl State {
    /// Takes one byte or more of `bytes`, which are not empty: how many, and
    /// what follows.
    fn step(self, bytes: &[u8]) -> (usize, State) {
        let first = bytes.first().copied().unwrap_or_default();
        let next = match self {
            State::Length(left) => {
                let (taken, left) = take(left, bytes);
                return (taken, if left == 0 { State::End } else { State::Length(left) });
            }
            State::Data(left) => {
                let (taken, left) = take(left, bytes);
                return (taken, if left == 0 { State::DataCr } else { State::Data(left) });
            }
            State::TrailerLine { seen } => {
                let lf = memchr(b'\n', bytes);
                let taken = lf.map_or(bytes.len(), |lf| lf.saturating_add(1));
                let seen = seen.saturating_add(taken);
                let next = if lf.is_some() { State::Trailer { seen } } else { State::TrailerLine { seen } };
                return (taken, if seen > MAX_HEAD { State::Broken } else { next });
            }
            State::Size { size, digits } => size_byte(size, digits, first),
            State::Extension { size, seen } => match first {
                b'\r' => State::SizeLf { size },
                b'\n' => after_size(size),
                _ if seen >= MAX_SIZE_LINE => State::Broken,
                _ => State::Extension { size, seen: seen.saturating_add(1) },
            },
            State::SizeLf { size } if first == b'\n' => after_size(size),
            State::DataCr if first == b'\r' => State::DataLf,
            State::DataCr | State::DataLf if first == b'\n' => State::Size { size: 0, digits: 0 },
            State::Trailer { seen } => match first {
                b'\r' => State::LastLf,
                b'\n' => State::End,
                _ => State::TrailerLine { seen: seen.saturating_add(1) },
            },
            State::LastLf if first == b'\n' => State::End,
            _ => State::Broken,
        };
        (1, next)
    }
}

/// Takes up to `left` of the bytes: how many, and what is left then.
fn take(left: u64, bytes: &[u8]) -> (usize, u64) {
    let taken = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
    (taken, left.saturating_sub(u64::try_from(taken).unwrap_or(u64::MAX)))
}

/// A byte where a digit of a chunk size may stand.
fn size_byte(size: u64, digits: u8, byte: u8) -> State {
    if let Some(digit) = char::from(byte).to_digit(16) {
        return match size.checked_mul(16).and_then(|n| n.checked_add(u64::from(digit))) {
            Some(size) if digits < 16 => State::Size { size, digits: digits.saturating_add(1) },
            _ => State::Broken,
        };
    }
    match byte {
        _ if digits == 0 => State::Broken,
        b'\r' => State::SizeLf { size },
        b'\n' => after_size(size),
        b';' | b' ' | b'\t' => State::Extension { size, seen: 1 },
        _ => State::Broken,
    }
}

/// Behind the size line: the last chunk has size zero.
fn after_size(size: u64) -> State {
    if size == 0 { State::Trailer { seen: 0 } } else { State::Data(size) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Feeds `stream` in pieces of these lengths, then the rest: bytes taken
    /// and whether the body ended.
    fn feed(body: Body, stream: &[u8], pieces: &[usize]) -> Option<(usize, bool)> {
        let mut cursor = BodyCursor::new(body)?;
        let mut at = 0;
        for len in pieces.iter().copied().chain([stream.len()]) {
            let piece = &stream[at..stream.len().min(at + len)];
            let (taken, end) = cursor.advance(piece)?;
            at += taken;
            if end {
                return Some((at, true));
            }
            assert_eq!(taken, piece.len(), "all of it belongs to the body until that ends");
        }
        Some((at, false))
    }

    #[test]
    fn none_or_unknown_has_no_cursor() {
        for body in [Body::None, Body::Length(0), Body::Unknown] {
            assert_eq!(BodyCursor::new(body), None);
        }
    }

    #[test]
    fn a_length_is_counted_down() {
        let mut cursor = BodyCursor::new(Body::Length(5)).unwrap();
        assert_eq!(cursor.advance(b"abc"), Some((3, false)));
        assert_eq!(cursor.advance(b""), Some((0, false)));
        assert_eq!(cursor.advance(b"deGET /"), Some((2, true)));
        assert_eq!(cursor.advance(b"GET /"), Some((0, true)));
        assert_eq!(feed(Body::Length(u64::MAX), b"abc", &[]), Some((3, false)));
    }

    #[test]
    fn data_can_be_passed_over_and_framing_cannot() {
        let mut cursor = BodyCursor::new(Body::Length(10)).unwrap();
        assert_eq!((cursor.skip(4), cursor.advance(b"abc"), cursor.skip(4)), (Some(false), Some((3, false)), None));
        assert_eq!(cursor.skip(3), Some(true));
        let mut cursor = BodyCursor::new(Body::Chunked).unwrap();
        assert_eq!(cursor.skip(1), None);
        assert_eq!(cursor.advance(b"5\r\nab"), Some((5, false)));
        assert_eq!((cursor.skip(4), cursor.skip(3)), (None, Some(false)));
        assert_eq!(cursor.advance(b"\r\n0\r\n\r\nGET"), Some((7, true)));
    }

    #[test]
    fn chunks_with_extensions_and_trailers() {
        for body in [
            &b"5\r\nhello\r\n0\r\n\r\n"[..],
            b"5;name=\"v\"\r\nhello\r\n0\r\n\r\n",
            b"5 \t; x\r\nhello\r\n000;last\r\nExpires: 0\r\nA: b\r\n\r\n",
            b"0\r\n\r\n",
            b"A\nGET / HTTP\n00a\r\n0\r\n\r\n0\r\n\r\n\r\n0\n\n",
        ] {
            let stream = [body, b"GET /next"].concat();
            assert_eq!(feed(Body::Chunked, &stream, &[]), Some((body.len(), true)), "{body:?}");
        }
    }

    #[test]
    fn broken_framing_is_told() {
        for body in [
            &b"\r\n"[..],
            b"x\r\n",
            b"-5\r\n",
            b"5x\r\n",
            b"5\rhello",
            b"5\r\nhelloworld",
            b"5\r\nhello\rx",
            b"10000000000000000\r\n",
            b"00000000000000005\r\n",
            b"0\r\n\rx",
        ] {
            assert_eq!(feed(Body::Chunked, body, &[]), None, "{body:?}");
        }
        let mut cursor = BodyCursor::new(Body::Chunked).unwrap();
        assert_eq!((cursor.advance(b"x"), cursor.advance(b"0\r\n\r\n")), (None, None));
    }

    #[test]
    fn lines_have_limits() {
        let line = |n: usize| [&b"1;"[..], &vec![b'x'; n], b"\r\nA\r\n0\r\n\r\n"].concat();
        assert!(feed(Body::Chunked, &line(4000), &[]).is_some());
        assert_eq!(feed(Body::Chunked, &line(5000), &[]), None);
        let trailers = |n: usize| [&b"0\r\n"[..], &b"A: b\r\n".repeat(n), b"\r\n"].concat();
        assert_eq!(feed(Body::Chunked, &trailers(9000), &[]).unwrap().0, 54_005);
        assert_eq!(feed(Body::Chunked, &trailers(20_000), &[]), None);
    }

    fn chunked() -> impl Strategy<Value = Vec<u8>> {
        let chunk = (prop::collection::vec(any::<u8>(), 1..40), any::<bool>());
        (prop::collection::vec(chunk, 0..6), any::<bool>()).prop_map(|(chunks, trailer)| {
            let mut out = Vec::new();
            for (data, extension) in chunks {
                let more = if extension { ";a=\"b\"" } else { "" };
                out.extend(format!("{:x}{more}\r\n", data.len()).bytes());
                out.extend(data);
                out.extend(b"\r\n");
            }
            out.extend(if trailer { &b"0\r\nA: b\r\n\r\n"[..] } else { b"0\r\n\r\n" });
            out
        })
    }

    proptest! {
        #[test]
        fn any_split_ends_at_the_same_byte(
            body in chunked(),
            behind in prop::collection::vec(any::<u8>(), 0..20),
            pieces in prop::collection::vec(0usize..12, 0..60),
        ) {
            let stream = [&body[..], &behind].concat();
            prop_assert_eq!(feed(Body::Chunked, &stream, &pieces), Some((body.len(), true)));
            let bytewise = vec![1; stream.len()];
            prop_assert_eq!(feed(Body::Chunked, &stream, &bytewise), Some((body.len(), true)));
        }

        #[test]
        fn any_bytes_split_anyhow_give_the_same(
            stream in "[0-9a-f;x\r\n]{0,60}",
            pieces in prop::collection::vec(0usize..9, 0..30),
        ) {
            let whole = feed(Body::Chunked, stream.as_bytes(), &[]);
            prop_assert_eq!(feed(Body::Chunked, stream.as_bytes(), &pieces), whole);
        }
    }
}
