//! The rows of a file of comma-separated values, read as it is hashed: a
//! publication's has a line for each address.

use crate::host::inventory::{InventoryError, Rows, separator};
use std::io::BufRead;

/// Longest row that is put together of several lines.
const MAX_ROW: usize = 1 << 20;

/// Rows, and the hash of all that was read.
pub(super) struct Streamed<R> {
    input: R,
    hash: ring::digest::Context,
    /// Line that the next row begins on.
    line: usize,
    separator: Option<char>,
    row: Vec<u8>,
    /// Why the rest cannot be read.
    trouble: Option<String>,
}

impl<R: BufRead> Streamed<R> {
    pub(super) fn new(input: R) -> Self {
        let hash = ring::digest::Context::new(&ring::digest::SHA256);
        Streamed { input, hash, line: 1, separator: None, row: Vec::new(), trouble: None }
    }

    /// What kept the file from being read.
    pub(super) fn trouble(&mut self) -> Option<String> {
        self.trouble.take()
    }

    /// SHA-256 of the file, once all rows were read.
    pub(super) fn sha256(self) -> ring::digest::Digest {
        self.hash.finish()
    }

    /// Reads lines until no quotation mark is open; how many they are.
    fn fill(&mut self) -> std::io::Result<usize> {
        self.row.clear();
        let mut lines = 0usize;
        loop {
            let start = self.row.len();
            if self.input.read_until(b'\n', &mut self.row)? == 0 {
                return Ok(lines);
            }
            self.hash.update(self.row.get(start..).unwrap_or_default());
            lines = lines.saturating_add(1);
            let open = memchr::memchr_iter(b'"', &self.row).count() % 2 == 1;
            if !open || self.row.len() > MAX_ROW {
                return Ok(lines);
            }
        }
    }
}

impl<R: BufRead> Iterator for Streamed<R> {
    type Item = Result<(usize, Vec<String>), InventoryError>;

    fn next(&mut self) -> Option<Self::Item> {
        let lines = match self.fill() {
            Ok(lines) => lines,
            Err(e) => {
                self.trouble = Some(e.to_string());
                return None;
            }
        };
        let Ok(text) = std::str::from_utf8(&self.row) else {
            self.trouble = Some("it is no UTF-8 text".to_owned());
            return None;
        };
        let text = if self.line == 1 { text.strip_prefix('\u{feff}').unwrap_or(text) } else { text };
        let separator = *self.separator.get_or_insert_with(|| separator(text));
        let line = self.line;
        self.line = line.saturating_add(lines);
        Rows::part(text, line, separator).next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn both(text: &str) {
        let mut streamed = Streamed::new(text.as_bytes());
        let read: Vec<_> = streamed.by_ref().take_while(Result::is_ok).collect();
        let whole: Vec<_> = Rows::new(text).take_while(Result::is_ok).collect();
        assert_eq!(read, whole, "{text:?}");
        let (a, b) = (Streamed::new(text.as_bytes()).find_map(Result::err), Rows::new(text).find_map(Result::err));
        assert_eq!(a, b, "{text:?}");
        if a.is_none() {
            let hash = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
            assert_eq!(streamed.sha256().as_ref(), hash.as_ref());
        }
    }

    proptest! {
        #[test]
        fn rows_are_those_of_the_whole_text(text in "(\u{feff})?[a;,\"\r\n ]{0,24}") {
            both(&text);
        }
    }

    #[test]
    fn what_is_no_text_is_said() {
        let mut streamed = Streamed::new(&b"prefix,org\n\xff\n"[..]);
        assert_eq!(streamed.by_ref().count(), 1);
        assert!(streamed.trouble().unwrap().contains("UTF-8"));
    }
}
