//! The first line of a message: request line and status line (RFC 9112
//! sections 3 and 4).

use super::{MAX_HEAD, Status};
use crate::protocol::Probe;
use memchr::{memchr, memchr2, memrchr2};

/// Empty lines accepted before a request line (RFC 9112 section 2.2).
const MAX_EMPTY_LINES: usize = 4;

/// Letters of the longest method.
const MAX_METHOD: usize = 20;

/// Methods in common use (IANA registry "HTTP Methods" and UPnP), each with
/// the space behind it. Of these, any target is read.
const METHODS: [&[u8]; 24] = [
    b"GET ",
    b"POST ",
    b"HEAD ",
    b"CONNECT ",
    b"PUT ",
    b"OPTIONS ",
    b"DELETE ",
    b"PATCH ",
    b"TRACE ",
    b"PROPFIND ",
    b"PROPPATCH ",
    b"MKCOL ",
    b"COPY ",
    b"MOVE ",
    b"LOCK ",
    b"UNLOCK ",
    b"REPORT ",
    b"SEARCH ",
    b"MERGE ",
    b"M-SEARCH ",
    b"NOTIFY ",
    b"SUBSCRIBE ",
    b"BITS_POST ",
    b"RPC_IN_DATA ",
];

/// A request line.
pub(super) struct RequestLine<'a> {
    pub method: &'a [u8],
    pub target: &'a [u8],
    /// HTTP/1.0 or lower.
    pub old: bool,
    /// Offset behind the line.
    pub end: usize,
    pub odd: bool,
}

/// Whether bytes from the middle of a stream start a request: a common method
/// and a space, as far as the bytes go. False below four bytes.
pub fn looks_like_request(first_bytes: &[u8]) -> bool {
    let upper = first_bytes.first().is_some_and(u8::is_ascii_uppercase);
    upper && first_bytes.len() >= 4 && METHODS.iter().any(|m| agree(first_bytes, m))
}

/// Whether one is a prefix of the other.
fn agree(a: &[u8], b: &[u8]) -> bool {
    let n = a.len().min(b.len());
    a.get(..n) == b.get(..n)
}

/// Whether a byte may stand in a token (RFC 9110 section 5.6.2).
pub(super) fn is_token(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b)
}

/// Space or tab.
pub(super) fn is_blank(b: u8) -> bool {
    matches!(b, b' ' | b'\t')
}

/// The bytes without blanks around them.
pub(super) fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = bytes
        && is_blank(*first)
    {
        bytes = rest;
    }
    while let [rest @ .., last] = bytes
        && is_blank(*last)
    {
        bytes = rest;
    }
    bytes
}

/// What stands before LF, without the CR that belongs to it, and whether that
/// was missing.
pub(super) fn without_cr(line: &[u8]) -> (&[u8], bool) {
    match line.strip_suffix(b"\r") {
        Some(line) => (line, false),
        None => (line, true),
    }
}

/// Reads the request line at the start of a stream, empty lines before it
/// included.
pub(super) fn request_line(stream: &[u8]) -> Probe<RequestLine<'_>> {
    let more = || {
        if stream.len() < MAX_HEAD { Probe::More(stream.len().saturating_add(1)) } else { Probe::Not }
    };
    let mut rest = stream;
    let mut odd = false;
    for _ in 0..MAX_EMPTY_LINES {
        match rest {
            [b'\r', b'\n', tail @ ..] => rest = tail,
            [b'\n', tail @ ..] => (rest, odd) = (tail, true),
            [] | [b'\r'] => return more(),
            _ => break,
        }
    }
    let Some(end) = rest.iter().take(MAX_METHOD.saturating_add(1)).position(|&b| !is_token(b)) else {
        return if rest.len() > MAX_METHOD { Probe::Not } else { more() };
    };
    let Some((method, tail)) = rest.split_at_checked(end) else { return Probe::Not };
    if method.is_empty() || !tail.first().is_some_and(|&b| is_blank(b)) {
        return Probe::Not;
    }
    let Some(blanks) = tail.iter().position(|&b| !is_blank(b)) else { return more() };
    odd |= !tail.starts_with(b" ") || blanks != 1;
    let tail = tail.get(blanks..).unwrap_or_default();
    let known = METHODS.iter().any(|m| m.strip_suffix(b" ") == Some(method));
    if !known && !target_starts(tail) {
        return Probe::Not;
    }
    let Some(lf) = memchr(b'\n', tail.get(..MAX_HEAD).unwrap_or(tail)) else {
        // A CR may be half of the line's end.
        let shown = tail.strip_suffix(b"\r").unwrap_or(tail);
        return if has_control(shown) { Probe::Not } else { more() };
    };
    let (line, bare) = without_cr(tail.get(..lf).unwrap_or_default());
    let end = stream.len().saturating_sub(tail.len()).saturating_add(lf).saturating_add(1);
    if known && is_path_alone(line) {
        // Without a version it is of HTTP/0.9, which has no fields, or of a
        // careless client that sends them all the same.
        return match begins_field(tail.get(lf.saturating_add(1)..).unwrap_or_default()) {
            Probe::Found(()) if end <= MAX_HEAD => {
                Probe::Found(RequestLine { method, target: line, old: true, end, odd: true })
            }
            Probe::More(_) => more(),
            _ => Probe::Not,
        };
    }
    match target_and_version(line) {
        Some((target, minor, spaced)) if end <= MAX_HEAD => {
            Probe::Found(RequestLine { method, target, old: minor == b'0', end, odd: odd | bare | spaced })
        }
        _ => Probe::Not,
    }
}

/// Splits what follows the method into target and minor version, and says
/// whether blanks stand where they should not.
fn target_and_version(line: &[u8]) -> Option<(&[u8], u8, bool)> {
    if has_control(line) {
        return None;
    }
    let trimmed = trim(line);
    let gap = memrchr2(b' ', b'\t', trimmed)?;
    let (target, version) = trimmed.split_at_checked(gap)?;
    let [b'H', b'T', b'T', b'P', b'/', b'1', b'.', minor @ b'0'..=b'9'] = *trim(version) else { return None };
    let inner = trim(target);
    let odd = trimmed.len() != line.len()
        || inner.len() != target.len()
        || !version.starts_with(b" ")
        || memchr2(b' ', b'\t', inner).is_some();
    (!inner.is_empty()).then_some((inner, minor, odd))
}

/// Whether all of a line behind the method is a path.
fn is_path_alone(line: &[u8]) -> bool {
    line.starts_with(b"/") && memchr2(b' ', b'\t', line).is_none() && !has_control(line)
}

/// Whether a name and a colon stand there.
fn begins_field(line: &[u8]) -> Probe<()> {
    match line.iter().position(|&b| !is_token(b)) {
        None => Probe::More(line.len().saturating_add(1)),
        Some(at) if at > 0 && line.get(at) == Some(&b':') => Probe::Found(()),
        Some(_) => Probe::Not,
    }
}

/// Whether there are control characters other than the tab, which is a blank.
fn has_control(bytes: &[u8]) -> bool {
    // Without a way out of the loop, many bytes are looked at at a time.
    bytes.iter().fold(false, |found, &b| found | (b.is_ascii_control() && b != b'\t'))
}

/// Whether a target may start like this, as far as the bytes go; asked of
/// methods that are not common.
fn target_starts(target: &[u8]) -> bool {
    if matches!(target.first(), Some(b'/' | b'*')) {
        return true;
    }
    [&b"http://"[..], b"https://"].iter().any(|scheme| {
        let n = target.len().min(scheme.len());
        target.get(..n).is_some_and(|t| scheme.get(..n).is_some_and(|s| t.eq_ignore_ascii_case(s)))
    })
}

/// Reads a status line at the start of a stream, up to the status code and
/// the byte behind it.
pub fn status(stream: &[u8]) -> Probe<Status> {
    // `d` stands for a digit, `?` for a byte that ends the code.
    const FORM: &[u8; 13] = b"HTTP/1.d ddd?";
    let fits = |(&b, &form): (&u8, &u8)| match form {
        b'd' => b.is_ascii_digit(),
        b'?' => matches!(b, b' ' | b'\t' | b'\r' | b'\n'),
        _ => b == form,
    };
    if !stream.iter().zip(FORM).all(fits) {
        return Probe::Not;
    }
    let Some(digits) = stream.get(9..12).filter(|_| stream.len() >= FORM.len()) else {
        return Probe::More(FORM.len());
    };
    let code = digits
        .iter()
        .fold(0u16, |code, &digit| code.saturating_mul(10).saturating_add(u16::from(digit.wrapping_sub(b'0'))));
    if code < 100 { Probe::Not } else { Probe::Found(Status { code }) }
}
