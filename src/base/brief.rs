//! Sentences that quote what somebody else wrote.

use std::fmt::{self, Display, Write};

/// Most characters of such a sentence.
const MOST: usize = 240;

/// What is wrong with something, as a sentence that can be shown: what it
/// quotes may be as long as the thing itself.
pub fn brief(what: impl Display) -> String {
    let mut cut = Cut { text: String::new(), left: MOST };
    // It ends with an error where the rest is not wanted.
    if write!(cut, "{what}").is_err() && cut.left == 0 {
        cut.text.push('…');
    }
    cut.text
}

/// Takes so many characters and no more.
struct Cut {
    text: String,
    left: usize,
}

impl Write for Cut {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        let end = s.char_indices().nth(self.left).map_or(s.len(), |(end, _)| end);
        let (kept, rest) = s.split_at(end);
        self.text.push_str(kept);
        self.left = self.left.saturating_sub(kept.chars().count());
        if rest.is_empty() { Ok(()) } else { Err(fmt::Error) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_sentences_are_cut_between_characters() {
        assert_eq!(brief("short"), "short");
        assert_eq!(brief("é".repeat(MOST)), "é".repeat(MOST));
        assert_eq!(brief("é".repeat(9000)), "é".repeat(MOST) + "…");
        assert_eq!(brief(format_args!("{}{}", "é".repeat(MOST - 1), "ab")), "é".repeat(MOST - 1) + "a…");
        assert_eq!(brief(format_args!("{}{}{}", "é".repeat(MOST), "", "b")), "é".repeat(MOST) + "…");
    }
}
