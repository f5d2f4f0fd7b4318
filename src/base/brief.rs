//! Sentences that quote what somebody else wrote.

use std::fmt::Display;

/// Most characters of such a sentence.
const MOST: usize = 240;

/// What is wrong with something, as a sentence that can be shown: what it
/// quotes may be as long as the thing itself.
pub fn brief(what: impl Display) -> String {
    let mut text = what.to_string();
    if let Some((end, _)) = text.char_indices().nth(MOST) {
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_sentences_are_cut_between_characters() {
        assert_eq!(brief("short"), "short");
        assert_eq!(brief("é".repeat(MOST)), "é".repeat(MOST));
        assert_eq!(brief("é".repeat(9000)), "é".repeat(MOST) + "…");
    }
}
