//! What is wrong with a catalogue, with the place where it is wrong.

use std::fmt;

/// Problems that are kept with their text; more are only counted.
const KEPT: usize = 20;

/// A place in a text file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

impl Position {
    /// The place of the byte `offset` in `text`.
    pub fn of(text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        Position {
            line: 1 + memchr::memchr_iter(b'\n', before.as_bytes()).count(),
            column: 1 + before[line_start..].chars().count(),
        }
    }
}

/// One thing that is wrong with a catalogue file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file as given; empty where no single file is to blame.
    pub file: String,
    /// Where in the file, if at a place.
    pub position: Option<Position>,
    /// What is wrong, and what to do, in one sentence without a full stop.
    pub reason: String,
}

impl fmt::Display for Problem {
    /// `file:line:column: reason`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.file.is_empty() {
            write!(f, "{}:", self.file)?;
            if let Some(p) = self.position {
                write!(f, "{}:{}:", p.line, p.column)?;
            }
            f.write_str(" ")?;
        }
        f.write_str(&self.reason)
    }
}

/// Why a catalogue cannot be used: at least one problem, in the order of the
/// files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CatalogueError {
    problems: Vec<Problem>,
    more: usize,
}

impl CatalogueError {
    /// One problem at a place of a file: in a text that so many lines stand
    /// before.
    pub(super) fn push_at(
        &mut self,
        file: &str,
        (text, lines): (&str, usize),
        offset: usize,
        reason: impl Into<String>,
    ) {
        if self.problems.len() < KEPT {
            let Position { line, column } = Position::of(text, offset);
            let position = Some(Position { line: lines + line, column });
            self.problems.push(Problem { file: file.to_owned(), position, reason: reason.into() });
        } else {
            self.more += 1;
        }
    }

    /// One problem of a whole file, or of all files together if `file` is empty.
    pub(super) fn push(&mut self, file: &str, reason: impl Into<String>) {
        if self.problems.len() < KEPT {
            self.problems.push(Problem { file: file.to_owned(), position: None, reason: reason.into() });
        } else {
            self.more += 1;
        }
    }

    /// Whether nothing is wrong yet.
    pub(super) fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }

    /// How many problems there are.
    pub(super) fn count(&self) -> usize {
        self.problems.len() + self.more
    }

    /// Whether further problems are only counted, so that their text is not
    /// worth making.
    pub(super) fn is_full(&self) -> bool {
        self.problems.len() >= KEPT
    }

    /// The problems, the first 20 of them.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// How many further problems there are.
    pub fn more(&self) -> usize {
        self.more
    }
}

impl fmt::Display for CatalogueError {
    /// One line for each problem.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, p) in self.problems.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{p}")?;
        }
        if self.more > 0 {
            write!(f, "\nand {} more", self.more)?;
        }
        Ok(())
    }
}

impl std::error::Error for CatalogueError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters() {
        let text = "a\nbäc\n";
        assert_eq!(Position::of(text, 0), Position { line: 1, column: 1 });
        assert_eq!(Position::of(text, 5), Position { line: 2, column: 3 });
        assert_eq!(Position::of(text, 999), Position { line: 3, column: 1 });
    }

    #[test]
    fn later_problems_are_counted() {
        let mut e = CatalogueError::default();
        for _ in 0..25 {
            e.push("f", "wrong");
        }
        assert_eq!((e.problems().len(), e.more()), (20, 5));
        assert!(e.to_string().ends_with("f: wrong\nand 5 more"));
    }
}
