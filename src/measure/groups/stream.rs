//! The rows of a file of comma-separated values, read as it is hashed: a
//! publication's has a line for each address.

use crate::host::inventory::{InventoryError, Rows, separator};
use std::io::{BufRead, Read};

/// Longest line in bytes.
const MAX_LINE: u64 = 1 << 20;

/// Rows, and the hash of all that was read.
pub(super) struct Streamed<R> {
    input: R,
    hash: ring::digest::Context,
    /// Number of the next line.
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

    /// Reads a line, which is a row: no field may have a line break in it.
    fn fill(&mut self) -> std::io::Result<()> {
        self.row.clear();
        (&mut self.input).take(MAX_LINE).read_until(b'\n', &mut self.row)?;
        self.hash.update(&self.row);
        Ok(())
    }
}

impl<R: BufRead> Iterator for Streamed<R> {
    type Item = Result<(usize, Vec<String>), InventoryError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Err(e) = self.fill() {
            self.trouble = Some(e.to_string());
            return None;
        }
        let line = self.line;
        if self.row.len() as u64 >= MAX_LINE && !self.row.ends_with(b"\n") {
            return Some(Err(InventoryError { line, what: format!("it is longer than {MAX_LINE} bytes") }));
        }
        let Ok(text) = std::str::from_utf8(&self.row) else {
            self.trouble = Some("it is no UTF-8 text".to_owned());
            return None;
        };
        let text = if self.line == 1 { text.strip_prefix('\u{feff}').unwrap_or(text) } else { text };
        let separator = *self.separator.get_or_insert_with(|| separator(text));
        self.line = line.saturating_add(1);
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
        // Of a row over several lines it is said that its first is not closed.
        assert_eq!(a.as_ref().map(|e| e.line), b.map(|e| e.line), "{text:?}");
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

    /// Lines were put together, and the whole looked at again for each.
    #[test]
    fn a_quotation_mark_is_closed_in_its_line() {
        let text = "prefix,org\n\"".to_owned() + &"\n".repeat(1 << 22);
        let error = Streamed::new(text.as_bytes()).find_map(Result::err).unwrap();
        assert_eq!((error.line, error.what.as_str()), (2, "a quotation mark is opened and not closed"));
    }

    #[test]
    fn no_more_of_a_line_is_read_than_it_may_have() {
        let endless = std::io::BufReader::new(std::io::repeat(b'a'));
        let mut streamed = Streamed::new(std::io::Cursor::new("prefix,org\n").chain(endless));
        let error = streamed.find_map(Result::err).unwrap();
        assert_eq!((error.line, error.what.as_str()), (2, "it is longer than 1048576 bytes"));
        assert!(streamed.row.capacity() <= 4 << 20);
        // One that is just as long is read.
        let text = "a".repeat(MAX_LINE as usize - 1) + "\nb";
        assert!(
            Streamed::new(text.as_bytes()).find_map(Result::err).is_none_or(|e| !e.what.starts_with("it is longer"))
        );
    }

    #[test]
    fn what_is_no_text_is_said() {
        let mut streamed = Streamed::new(&b"prefix,org\n\xff\n"[..]);
        assert_eq!(streamed.by_ref().count(), 1);
        assert!(streamed.trouble().unwrap().contains("UTF-8"));
    }
}
