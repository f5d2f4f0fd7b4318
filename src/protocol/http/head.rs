//! Request heads.

use super::fields::{End, Field, Fields, end};
use super::line::{RequestLine, is_blank, request_line, trim};
use super::{Body, MAX_HEAD, Request, Upgrade};
use crate::protocol::Probe;
use memchr::{memchr3, memrchr_iter};

/// Reads a request head at the start of a stream. The first byte settles most
/// other protocols. `More` asks for one byte more, since only the empty line
/// tells where a head ends. A head beyond [`MAX_HEAD`] bytes or
/// [`MAX_LINES`](super::MAX_LINES) lines is `Not` read; a caller that counts
/// those can tell them by [`partial_request`].
pub fn request(stream: &[u8]) -> Probe<Request<'_>> {
    let line = match request_line(stream) {
        Probe::Found(line) => line,
        Probe::More(n) => return Probe::More(n),
        Probe::Not => return Probe::Not,
    };
    match end(stream, line.end) {
        End::At(at) => Probe::Found(read(&line, stream.get(line.end..at).unwrap_or_default(), at)),
        End::Open => Probe::More(stream.len().saturating_add(1)),
        End::TooLong => Probe::Not,
    }
}

/// Reads what is complete of a request head whose end is missing: the request
/// line, and the fields of which the next line has begun. Its body is unknown
/// and `len` covers all of `stream`. `None` without a complete request line,
/// or where [`request`] finds the whole head.
pub fn partial_request(stream: &[u8]) -> Option<Request<'_>> {
    let Probe::Found(line) = request_line(stream) else { return None };
    if matches!(end(stream, line.end), End::At(_)) {
        return None;
    }
    let fields = stream.get(line.end..stream.len().min(MAX_HEAD)).unwrap_or_default();
    // The line behind the last LF may continue the field before it.
    let begun = |lf: &usize| fields.get(lf.saturating_add(1)).is_some_and(|&b| !is_blank(b));
    let complete = memrchr_iter(b'\n', fields).find(begun).map_or(0, |lf| lf.saturating_add(1));
    let mut request = read(&line, fields.get(..complete).unwrap_or_default(), stream.len());
    request.body = Body::Unknown;
    Some(request)
}

/// Puts a head together from its parts.
fn read<'a>(line: &RequestLine<'a>, bytes: &'a [u8], len: usize) -> Request<'a> {
    let (authority, path, strange) = target(line.method, line.target);
    let mut request = Request {
        method: line.method,
        authority,
        path,
        hosts: Vec::new(),
        user_agent: None,
        upgrade: Upgrade::None,
        body: Body::None,
        len,
        odd: line.odd | strange,
    };
    let mut framing = Framing::default();
    let mut fields = Fields::new(bytes);
    for field in fields.by_ref() {
        let is = |name: &[u8]| field.name.eq_ignore_ascii_case(name);
        if is(b"host") {
            request.hosts.push(field.value);
        } else if is(b"user-agent") {
            request.user_agent.get_or_insert(field.value);
        } else if is(b"upgrade") {
            request.upgrade = request.upgrade.max(Upgrade::of(&field.value));
        } else if is(b"content-length") {
            framing.length(&field);
        } else if is(b"transfer-encoding") {
            framing.coding(&field);
        }
    }
    request.odd |= fields.odd;
    if line.method != b"CONNECT" {
        let (body, odd) = framing.body(line.old);
        request.body = body;
        request.odd |= odd;
    }
    request
}

/// Authority and path of a request target (RFC 9112 section 3.2), and whether
/// it has none of the forms.
fn target<'a>(method: &[u8], target: &'a [u8]) -> (Option<&'a [u8]>, &'a [u8], bool) {
    let scheme = [&b"http://"[..], b"https://"]
        .into_iter()
        .find(|scheme| target.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)));
    let rest = scheme.and_then(|scheme| target.get(scheme.len()..));
    match (rest, target) {
        (None, b"*") => (None, b"", false),
        (None, [b'/', ..]) => (None, target, false),
        (None, _) if method != b"CONNECT" => (None, target, true),
        _ => {
            let rest = rest.unwrap_or(target);
            let end = memchr3(b'/', b'?', b'#', rest).unwrap_or(rest.len());
            let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, b""));
            let connect = method == b"CONNECT";
            // A client that writes a backslash for the slash is read in two
            // ways.
            let strange = authority.contains(&b'\\') || connect && (scheme.is_some() || !path.is_empty());
            let path: &[u8] = match path {
                _ if connect => b"",
                b"" => b"/",
                path => path,
            };
            (Some(authority), path, strange)
        }
    }
}

/// What the fields say about the body (RFC 9112 section 6).
#[derive(Default)]
struct Framing {
    length: Option<u64>,
    /// A field is unreadable or differs from another, or is written so that
    /// some receivers pass over it.
    broken: bool,
    /// There is a Transfer-Encoding.
    coded: bool,
    /// Its last coding so far is chunked.
    chunked: bool,
}

impl Framing {
    /// Takes a Content-Length field. Equal values may be repeated.
    fn length(&mut self, field: &Field<'_>) {
        self.broken |= field.spaced;
        for item in field.value.split(|&b| b == b',') {
            let number = decimal(trim(item));
            self.broken |= number.is_none() || self.length.is_some_and(|known| Some(known) != number);
            self.length = self.length.or(number);
        }
    }

    /// Takes a Transfer-Encoding field, whose codings follow those of a field
    /// before it. Chunked comes once, at the end.
    fn coding(&mut self, field: &Field<'_>) {
        self.broken |= field.spaced;
        self.coded = true;
        for item in field.value.split(|&b| b == b',').map(trim).filter(|item| !item.is_empty()) {
            self.broken |= self.chunked;
            self.chunked = item.eq_ignore_ascii_case(b"chunked");
        }
    }

    /// How the body is delimited, and whether receivers may differ about it.
    /// Where they may, so may what they take for the next request: that is
    /// how requests are smuggled (section 11.2), and servers close the
    /// connection (section 6.1).
    fn body(&self, old: bool) -> (Body, bool) {
        let coded_wrongly = self.coded && (!self.chunked || old || self.length.is_some());
        match self.length {
            _ if self.broken || coded_wrongly => (Body::Unknown, true),
            _ if self.coded => (Body::Chunked, false),
            None | Some(0) => (Body::None, false),
            Some(n) => (Body::Length(n), false),
        }
    }
}

/// A number of digits alone.
fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |n, &b| {
        let digit = b.is_ascii_digit().then(|| u64::from(b.wrapping_sub(b'0')))?;
        n.checked_mul(10)?.checked_add(digit)
    })
}
