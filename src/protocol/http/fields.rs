//! Field lines (RFC 9112 section 5).

use super::line::{is_blank, trim, without_cr};
use super::{MAX_HEAD, MAX_LINES};
use memchr::{memchr, memchr_iter, memchr2};
use std::borrow::Cow;

/// Where the field lines of a head end.
pub(super) enum End {
    /// Behind the empty line, at this offset.
    At(usize),
    /// Not within these bytes.
    Open,
    /// Beyond what is read.
    TooLong,
}

/// Finds the end of the field lines that start at `from`.
pub(super) fn end(stream: &[u8], from: usize) -> End {
    let read = stream.get(..MAX_HEAD).unwrap_or(stream);
    let Some(fields) = read.get(from..) else { return End::TooLong };
    let mut line = 0usize;
    for (count, lf) in memchr_iter(b'\n', fields).enumerate() {
        if matches!(fields.get(line..lf), Some(b"" | b"\r")) {
            return End::At(from.saturating_add(lf).saturating_add(1));
        }
        if count >= MAX_LINES {
            return End::TooLong;
        }
        line = lf.saturating_add(1);
    }
    if stream.len() < MAX_HEAD { End::Open } else { End::TooLong }
}

/// The fields of a head, one by one. Lines that are no fields are passed
/// over; `odd` says whether anything was.
pub(super) struct Fields<'a> {
    rest: &'a [u8],
    pub odd: bool,
}

/// A field: name and value, blanks around both removed.
pub(super) struct Field<'a> {
    pub name: &'a [u8],
    pub value: Cow<'a, [u8]>,
    /// Blanks stand between name and colon.
    pub spaced: bool,
}

impl<'a> Fields<'a> {
    /// From the bytes behind the first line on, up to the empty line or the
    /// end.
    pub fn new(bytes: &'a [u8]) -> Self {
        Fields { rest: bytes, odd: false }
    }

    /// Takes a line that ends in LF; `None` at the end.
    fn line(&mut self) -> Option<&'a [u8]> {
        let lf = memchr(b'\n', self.rest)?;
        let (line, rest) = self.rest.split_at_checked(lf)?;
        self.rest = rest.get(1..)?;
        let (line, bare) = without_cr(line);
        self.odd |= bare || memchr2(b'\r', 0, line).is_some();
        Some(line)
    }

    /// Appends the continuation lines of obs-fold (RFC 9112 section 5.2).
    fn unfold(&mut self, first: &'a [u8]) -> Cow<'a, [u8]> {
        let mut value = Cow::Borrowed(first);
        while self.rest.first().is_some_and(|&b| is_blank(b))
            && let Some(line) = self.line()
        {
            self.odd = true;
            let line = trim(line);
            if value.is_empty() {
                value = Cow::Borrowed(line);
            } else if !line.is_empty() {
                let value = value.to_mut();
                value.push(b' ');
                value.extend_from_slice(line);
            }
        }
        value
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        loop {
            let line = self.line()?;
            if line.is_empty() {
                self.rest = &[];
                return None;
            }
            let colon = memchr(b':', line).and_then(|at| line.split_at_checked(at));
            let (name, value) = colon.unwrap_or((b"", b""));
            let value = self.unfold(trim(value.get(1..).unwrap_or_default()));
            let bare_name = trim(name);
            let spaced = bare_name.len() != name.len();
            self.odd |= spaced;
            // A blank at the front continues a field that does not exist.
            if !bare_name.is_empty() && !name.first().is_some_and(|&b| is_blank(b)) {
                return Some(Field { name: bare_name, value, spaced });
            }
            self.odd = true;
        }
    }
}
