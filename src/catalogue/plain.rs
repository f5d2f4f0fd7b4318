//! Entries in the ordinary form, without the detour of a whole document.
//!
//! Nearly every entry of a list is a line `[[name]]` and lines `key = value`
//! with strings, lists of strings and tables in one line. Those are read here,
//! into the values of the crate `toml`, many times faster than by it. Whatever
//! is not just so, mistakes included, is left to `toml`, whose word is the rule.

use std::borrow::Cow;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

/// What stands next in a text.
#[derive(Debug)]
pub(super) enum Next<'t> {
    /// An entry: the name of its table, and what it says.
    Entry {
        name: &'t str,
        /// Where the line with the name begins.
        at: usize,
        table: DeTable<'t>,
        /// Where what comes behind it begins.
        end: usize,
    },
    /// Nothing but comments up to the end.
    End,
    /// An entry, or a comment, that may go on behind the end of the text.
    Unfinished {
        /// Where it begins.
        at: usize,
    },
    /// Something else.
    Other {
        /// Where it begins.
        at: usize,
    },
}

/// Why an entry is not read here.
enum Stop {
    /// The text ends in it.
    End,
    /// It is written in another way.
    Other,
}

/// Spaces and tabs.
fn blank(b: u8) -> bool {
    matches!(b, b' ' | b'\t')
}

fn bare(b: u8) -> bool {
    matches!(b, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-')
}

struct Cursor<'t> {
    text: &'t str,
    at: usize,
}

/// Reads on in `text` at `from`, the beginning of a line. `last` says that
/// nothing follows behind the text.
pub(super) fn next(text: &str, from: usize, last: bool) -> Next<'_> {
    let mut c = Cursor { text, at: from };
    loop {
        let start = c.at;
        match c.line_without_value() {
            Ok(true) => {}
            Ok(false) if c.at == text.len() => return Next::End,
            Ok(false) => break,
            Err(Stop::End) if last => return Next::End,
            Err(Stop::End) => return Next::Unfinished { at: start },
            Err(Stop::Other) => return Next::Other { at: start },
        }
    }
    let at = c.at;
    match c.entry(last) {
        Ok((name, table)) => Next::Entry { name, at, table, end: c.at },
        Err(Stop::End) if !last => Next::Unfinished { at },
        Err(_) => Next::Other { at },
    }
}

impl<'t> Cursor<'t> {
    fn bytes(&self) -> &'t [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Result<u8, Stop> {
        self.bytes().first().copied().ok_or(Stop::End)
    }

    fn eat(&mut self, wanted: &str) -> Result<(), Stop> {
        let bytes = self.bytes();
        if bytes.starts_with(wanted.as_bytes()) {
            self.at += wanted.len();
            return Ok(());
        }
        Err(if wanted.as_bytes().starts_with(bytes) { Stop::End } else { Stop::Other })
    }

    fn skip(&mut self, is: fn(u8) -> bool) -> usize {
        let n = self.bytes().iter().take_while(|b| is(**b)).count();
        self.at += n;
        n
    }

    /// Goes over the rest of a line that may hold a comment.
    fn line_end(&mut self) -> Result<(), Stop> {
        self.skip(blank);
        if self.peek()? == b'#' {
            let comment = self.bytes();
            let end = memchr::memchr(b'\n', comment).ok_or(Stop::End)?;
            // What may not stand in a comment is for `toml` to say.
            let text = comment.get(..end).unwrap_or_default();
            if text.strip_suffix(b"\r").unwrap_or(text).iter().any(|b| (*b < 0x20 && *b != b'\t') || *b == 0x7f) {
                return Err(Stop::Other);
            }
            self.at += end + 1;
            return Ok(());
        }
        if self.peek()? == b'\r' { self.eat("\r\n") } else { self.eat("\n") }
    }

    /// Goes over a line if it is empty or a comment. `Ok(false)` if it is not,
    /// or at the end.
    fn line_without_value(&mut self) -> Result<bool, Stop> {
        let start = self.at;
        self.skip(blank);
        match self.bytes().first() {
            None => Ok(false),
            Some(b'#' | b'\r' | b'\n') => self.line_end().map(|()| true),
            Some(_) => {
                self.at = start;
                Ok(false)
            }
        }
    }

    fn entry(&mut self, last: bool) -> Result<(&'t str, DeTable<'t>), Stop> {
        self.eat("[[")?;
        let name = self.word()?;
        self.eat("]]")?;
        self.line_end()?;
        let mut table = DeTable::new();
        loop {
            match self.line_without_value() {
                Ok(true) => continue,
                Ok(false) => {}
                Err(stop) => return Err(stop),
            }
            match self.bytes().first() {
                Some(b'[') => break,
                None if last => break,
                None => return Err(Stop::End),
                Some(_) => {}
            }
            self.skip(blank);
            self.pair(&mut table)?;
            match self.line_end() {
                Err(Stop::End) if last && self.bytes().is_empty() => break,
                other => other?,
            }
        }
        Ok((name, table))
    }

    fn word(&mut self) -> Result<&'t str, Stop> {
        let start = self.at;
        if self.skip(bare) == 0 {
            return self.peek().and(Err(Stop::Other));
        }
        self.text.get(start..self.at).ok_or(Stop::Other)
    }

    /// `key = value`.
    fn pair(&mut self, table: &mut DeTable<'t>) -> Result<(), Stop> {
        let start = self.at;
        let word = self.word()?;
        let key = Spanned::new(start..self.at, Cow::Borrowed(word));
        self.skip(blank);
        if self.peek()? != b'=' {
            return Err(Stop::Other);
        }
        self.at += 1;
        self.skip(blank);
        let value = self.value(0)?;
        match table.insert(key, value) {
            None => Ok(()),
            Some(_) => Err(Stop::Other),
        }
    }

    /// A value inside so many others.
    fn value(&mut self, depth: u8) -> Result<Spanned<DeValue<'t>>, Stop> {
        let start = self.at;
        let value = match self.peek()? {
            quote @ (b'"' | b'\'') => DeValue::String(Cow::Borrowed(self.string(quote)?)),
            b'[' if depth == 0 => self.array()?,
            b'{' if depth < 2 => self.table(depth)?,
            b't' => {
                self.eat("true")?;
                DeValue::Boolean(true)
            }
            b'f' => {
                self.eat("false")?;
                DeValue::Boolean(false)
            }
            _ => return Err(Stop::Other),
        };
        Ok(Spanned::new(start..self.at, value))
    }

    /// A string in one line without escapes.
    fn string(&mut self, quote: u8) -> Result<&'t str, Stop> {
        self.at += 1;
        let bytes = self.bytes();
        let Some(end) = memchr::memchr2(quote, b'\n', bytes) else { return Err(Stop::End) };
        let inside = bytes.get(..end).unwrap_or_default();
        // In a literal string a backslash is one. A tab is rare.
        let odd = inside.iter().fold(false, |odd, b| odd | (*b < 0x20) | (*b == 0x7f) | (*b == b'\\' && quote == b'"'));
        if odd || bytes.get(end) != Some(&quote) {
            return Err(Stop::Other);
        }
        let text = self.text.get(self.at..self.at + end).ok_or(Stop::Other)?;
        self.at += end + 1;
        // Three in a row begin a string of several lines.
        if text.is_empty() {
            match self.peek() {
                Ok(next) if next == quote => return Err(Stop::Other),
                Err(stop) => return Err(stop),
                Ok(_) => {}
            }
        }
        Ok(text)
    }

    fn array(&mut self) -> Result<DeValue<'t>, Stop> {
        self.at += 1;
        let mut items = DeArray::new();
        loop {
            self.gap()?;
            if self.peek()? == b']' {
                break;
            }
            items.push(self.value(1)?);
            self.gap()?;
            match self.peek()? {
                b',' => self.at += 1,
                b']' => break,
                _ => return Err(Stop::Other),
            }
        }
        self.at += 1;
        Ok(DeValue::Array(items))
    }

    /// Spaces, ends of lines and comments inside an array.
    fn gap(&mut self) -> Result<(), Stop> {
        loop {
            self.skip(blank);
            match self.peek()? {
                b'#' | b'\r' | b'\n' => self.line_end()?,
                _ => return Ok(()),
            }
        }
    }

    /// A table in one line.
    fn table(&mut self, depth: u8) -> Result<DeValue<'t>, Stop> {
        self.at += 1;
        let mut table = DeTable::new();
        loop {
            self.skip(blank);
            let start = self.at;
            let key = self.word()?;
            let key = Spanned::new(start..self.at, Cow::Borrowed(key));
            self.skip(blank);
            if self.peek()? != b'=' {
                return Err(Stop::Other);
            }
            self.at += 1;
            self.skip(blank);
            // A list inside is one level of values; tables inside have none.
            let inner = if depth == 0 { 0 } else { 2 };
            let value = match self.peek()? {
                b'{' => return Err(Stop::Other),
                _ => self.value(inner)?,
            };
            if table.insert(key, value).is_some() {
                return Err(Stop::Other);
            }
            self.skip(blank);
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => break,
                _ => return Err(Stop::Other),
            }
        }
        self.at += 1;
        Ok(DeValue::Table(table))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Values with their spans, as `toml` reads them.
    fn shown(value: &Spanned<DeValue<'_>>) -> String {
        let inside = match value.get_ref() {
            DeValue::Array(items) => items.iter().map(shown).collect::<Vec<_>>().join(","),
            DeValue::Table(table) => pairs(table),
            other => format!("{other:?}"),
        };
        format!("{:?} {inside}", value.span())
    }

    fn pairs(table: &DeTable<'_>) -> String {
        let pair = |(k, v): (&Spanned<Cow<'_, str>>, &Spanned<DeValue<'_>>)| {
            format!("{:?} {} = {}", k.span(), k.get_ref(), shown(v))
        };
        table.iter().map(pair).collect::<Vec<_>>().join("; ")
    }

    /// The entry that both read from a text, shown.
    fn both(text: &str) -> Option<(String, String)> {
        let Next::Entry { name, at, table, end } = next(text, 0, true) else { return None };
        let document = DeTable::parse(&text[..end]).unwrap_or_else(|e| panic!("{e}\n{text}"));
        let entries = document.get_ref().get(name).and_then(|v| v.get_ref().as_array()).unwrap();
        assert_eq!(entries.len(), 1, "{text}");
        let entry = &entries[0];
        assert_eq!(entry.span().start, at, "{text}");
        Some((pairs(&table), pairs(entry.get_ref().as_table().unwrap())))
    }

    #[test]
    fn entries_read_as_toml_reads_them() {
        for text in [
            "[[indicator]]\nid = \"x\"\nhost = { labels = 's[0-9]\\.x', under = [\"a\", 'b'] }\n",
            "# c\n\n[[indicator]] # d\r\n  id=\"ä\"# e\r\nlist = [ # f\n 'a' , # g\n \"b\",\n]\nb = true\nc=false",
            "[[a]]\nlist = [{ x = 'y', z = true }, {x=\"z\"}]\nempty = []\nnone = ''\n\n[[a]]\n",
        ] {
            let (ours, theirs) = both(text).unwrap();
            assert_eq!(ours, theirs);
        }
    }

    #[test]
    fn what_is_not_plain_is_left() {
        for other in [
            "x = 1\n",
            "[[a]]\nx = 1\n",
            "[[a]]\nx = \"a\\n\"\n",
            "[[a]]\nx = \"\"\"a\"\"\"\n",
            "[[a]]\nx = 'a'\nx = 'b'\n",
            "[[a]]\nx = 'a' y = 'b'\n",
            "[[a]]\nx.y = 'a'\n",
            "[[a]]\n\"x\" = 'a'\n",
            "[[a]]\nx = {}\n",
            "[[a]]\nx = ['a' 'b']\n",
            "[[a]]\nx = { y = { z = 'a' } }\n",
            "[[a.b]]\n",
            "[a]\nx = 'a'\n",
            "[[a]]\nx = 'a\n",
            "[[a]]\nx = 'a",
            "# \u{1}\n[[a]]\n",
        ] {
            assert!(matches!(next(other, 0, true), Next::Other { .. }), "{other:?}");
        }
        assert!(matches!(next(" # x", 0, true), Next::End));
    }

    #[test]
    fn an_entry_is_whole_when_the_next_begins() {
        let text = "[[a]]\nx = 'a'\nlist = [\n'b',\n]\n# c\n[[a]]\n";
        let end = text.rfind("[[").unwrap();
        for cut in 1..text.len() {
            match next(&text[..cut], 0, false) {
                Next::Unfinished { at: 0 } => assert!(cut <= end, "{cut}"),
                Next::Entry { end: found, table, .. } => {
                    assert!(cut > end && found == end && table.len() == 2, "{cut}");
                }
                other => panic!("{cut}: {other:?}"),
            }
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_as_toml_reads_it_or_left(
            text in "(\\[\\[a\\]\\]|\n|=|\"|id|x = 'b'|\\{|\\}|\\[|\\]|'|,|#|\r\n| |\\\\){0,30}"
        ) {
            let text = format!("[[a]]\n{text}");
            if let Some((ours, theirs)) = both(&text) {
                prop_assert_eq!(ours, theirs);
            }
        }
    }
}
