//! HTTP heads and bodies, and the frames of HTTP/2.

use super::probe::{cut, grows};
use super::wire::Input;
use spansight::protocol::Probe;
use spansight::protocol::http::{self, BodyCursor};
use spansight::protocol::http2::{self, Cursor, Section, Side, Step};

/// The start of an HTTP client's or server's stream, with a body behind it.
pub fn head(data: &[u8]) {
    let own = |found: Probe<http::Request<'_>>| match found {
        Probe::Not => Probe::Not,
        Probe::More(n) => Probe::More(n),
        Probe::Found(r) => Probe::Found((r.len, format!("{r:?}"))),
    };
    let _ = grows(data, |bytes| own(http::request(bytes)));
    let whole = match http::request(data) {
        Probe::Found(request) => {
            assert!(request.len <= data.len() && request.len <= http::MAX_HEAD + 1024);
            body(&request, &data[request.len..]);
            Some(request)
        }
        _ => http::partial_request(data),
    };
    if let (Some(part), Some(whole)) = (http::partial_request(&data[..cut(data)]), whole) {
        assert_eq!((part.method, part.authority, part.path), (whole.method, whole.authority, whole.path));
        assert!(whole.hosts.starts_with(&part.hosts), "a host in a part is the whole's");
        assert!(part.user_agent.is_none() || part.user_agent == whole.user_agent);
    }
    let _ = (http::host_of(data), http::looks_like_request(data));
    let _ = grows(data, http::status);
}

/// A body ends at the same byte however it is cut.
fn body(request: &http::Request<'_>, stream: &[u8]) {
    let Some(whole) = BodyCursor::new(request.body) else { return };
    let mut pieces = whole.clone();
    let mut whole = whole;
    let want = whole.advance(stream);
    let (mut at, mut ended) = (0, false);
    while at < stream.len() && !ended {
        let piece = &stream[at..stream.len().min(at + 1 + usize::from(stream[at] & 7))];
        let Some((taken, end)) = pieces.advance(piece) else {
            assert_eq!(want, None, "broken however it is cut");
            return;
        };
        assert!(taken == piece.len() || end);
        (at, ended) = (at + taken, end);
    }
    assert_eq!(want, Some((at, ended)));
    let _ = whole.skip(u64::from(stream.first().copied().unwrap_or(0)));
}

/// The most that a direction may hold: a section on its way and the table,
/// each with the room that a growing vector takes too much.
const MOST: usize = 2 * (http2::MAX_BLOCK + 16_384) + 4 * http2::MAX_TABLE;

/// What was told of one direction.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    sections: Vec<(u32, Section)>,
    /// Bytes of bodies, those of one stream in a row together.
    bodies: Vec<(u32, usize)>,
    too_long: usize,
    broken: bool,
}

/// What a cursor tells of a stream that comes in pieces.
fn follow(mut cursor: Cursor, stream: &[u8], mut next: impl FnMut() -> usize) -> Told {
    let (mut told, mut section) = (Told::default(), Section::default());
    let (mut from, mut to) = (0, 0);
    while to < stream.len() {
        to = stream.len().min(to + next());
        while from < to {
            let step = cursor.next(&stream[from..to], 0, &mut section);
            assert!(cursor.cost() <= MOST, "holds {}", cursor.cost());
            let taken = match step {
                Step::More => break,
                Step::Broken => {
                    told.broken = true;
                    return told;
                }
                Step::Passed(n) => n,
                Step::TooLong(n) => {
                    told.too_long += 1;
                    n
                }
                Step::Data(n, stream) => {
                    match told.bodies.last_mut().filter(|b| b.0 == stream) {
                        Some(body) => body.1 += n,
                        None => told.bodies.push((stream, n)),
                    }
                    n
                }
                Step::Fields(n, stream) => {
                    told.sections.push((stream, section.clone()));
                    n
                }
            };
            assert!(taken > 0 && from + taken <= to, "takes {taken}");
            from += taken;
        }
    }
    told
}

/// The frames of a client or server: the same in one piece and in small ones.
/// Then with bytes missing, as the fuzzer says.
pub fn frames(data: &[u8]) {
    let mut input = Input(data);
    let how = input.u8();
    let side = if how & 1 == 0 { Side::Client } else { Side::Server };
    let cursor = Cursor::new(side, how & 2 == 2);
    let stream = input.take(usize::MAX);
    let whole = follow(cursor.clone(), stream, || stream.len());
    let most = usize::from(how >> 2) + 1;
    let mut n = 0;
    let cut = follow(cursor.clone(), stream, || {
        n = (n + 7) % most;
        n + 1
    });
    assert_eq!(whole, cut, "what is told does not depend on how a stream is cut");
    let _ = grows(stream, http2::preface);
    let _ = http2::looks_like_preface(stream);
    with_gaps(cursor, stream);
}

/// Segments, each behind its length and the number of bytes missing before it.
fn with_gaps(mut cursor: Cursor, stream: &[u8]) {
    let mut section = Section::default();
    let mut input = Input(stream);
    while !input.is_empty() {
        let missing = input.u8();
        if missing & 3 == 3 {
            let _ = cursor.skip(u64::from(missing) << (missing >> 4));
        }
        let length = usize::from(input.u8());
        let mut rest = input.take(length);
        while !rest.is_empty() {
            match cursor.next(rest, 0, &mut section) {
                Step::More => {
                    let _ = cursor.partial(rest, &mut section);
                    break;
                }
                Step::Broken => return,
                Step::Passed(n) | Step::TooLong(n) | Step::Data(n, _) | Step::Fields(n, _) => {
                    assert!(n > 0 && n <= rest.len());
                    rest = &rest[n..];
                }
            }
            assert!(cursor.cost() <= MOST);
        }
    }
}

/// Field sections, each behind its length, as requests of one connection: the
/// table is bounded, and a section that is read in two parts says the same.
pub fn hpack(data: &[u8]) {
    let mut input = Input(data);
    let late = input.u8() & 1 == 1;
    let (mut whole, mut parts) = (vec![0, 0, 0, 4, 0, 0, 0, 0, 0], vec![0, 0, 0, 4, 0, 0, 0, 0, 0]);
    let mut stream = 1u32;
    while !input.is_empty() && stream < 512 {
        let length = usize::from(input.u16() & 0x7ff);
        let block = input.take(length);
        let half = cut(block);
        let frame = |kind: u8, flags: u8, payload: &[u8]| {
            let length = (payload.len() as u32).to_be_bytes();
            [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
        };
        if block.is_empty() {
            continue;
        }
        whole.extend(frame(1, 5, block));
        match half {
            0 => parts.extend(frame(1, 5, block)),
            _ => parts.extend([frame(1, 1, &block[..half]), frame(9, 4, &block[half..])].concat()),
        }
        stream += 2;
    }
    let read = |bytes: &[u8]| follow(Cursor::new(Side::Client, late), bytes, || bytes.len().max(1));
    let (whole, parts) = (read(&whole), read(&parts));
    assert_eq!(whole, parts, "a section may come in parts");
    for (_, section) in &whole.sections {
        assert!(section.authorities().count() <= 8 && section.hosts().count() <= 8);
        assert!(section.status().is_none_or(|s| (100..=999).contains(&s)));
        let longest = section.authorities().chain(section.path()).map(<[u8]>::len).max();
        assert!(longest.is_none_or(|n| n <= 2 * http2::MAX_TABLE));
    }
}
