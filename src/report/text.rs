//! Text from the network made safe to print.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Whether a character changes how a terminal or a reader sees the text around
/// it: control characters, and invisible or direction-changing ones (Unicode
/// Standard Annex 9 and section 23.8).
pub(super) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// The text with hidden characters written out: `\x1b` below 256, `\u{202e}`
/// above.
pub fn clean(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len().saturating_add(16));
    for c in text.chars() {
        if !is_hidden(c) {
            out.push(c);
        } else if u32::from(c) < 0x100 {
            let _ = write!(out, "\\x{:02x}", u32::from(c));
        } else {
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        }
    }
    Cow::Owned(out)
}

/// A number with commas between groups of three digits.
pub(super) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len().saturating_add(digits.len() / 3));
    for (place, digit) in (0..digits.len()).rev().zip(digits.chars()) {
        out.push(digit);
        if place > 0 && place.is_multiple_of(3) {
            out.push(',');
        }
    }
    out
}

/// `1 frame`, `2,000 frames`.
pub fn counted(n: u64, one: &str, many: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{} {many}", grouped(n)) }
}

/// A share with one decimal, rounded, but never to nothing or to all.
pub(super) fn percent(part: u64, whole: u64) -> String {
    let (part, whole) = (u128::from(part), u128::from(whole));
    if part > 0 && part.saturating_mul(1000) < whole {
        return "under 0.1 %".to_owned();
    }
    if part == whole && part > 0 {
        return "100 %".to_owned();
    }
    let half_up = part.saturating_mul(2000).saturating_add(whole).checked_div(whole.saturating_mul(2)).unwrap_or(0);
    let tenths = if part < whole { half_up.min(999) } else { half_up };
    format!("{}.{} %", tenths / 10, tenths % 10)
}

/// A size in the unit that leaves at most four digits: `512 B`, `1.5 MB`
/// (powers of 1,000).
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut unit = 1000u64;
    let mut name = "kB";
    for next in UNITS.iter().skip(1) {
        match unit.checked_mul(1000) {
            Some(bigger) if bytes >= bigger => (unit, name) = (bigger, next),
            _ => break,
        }
    }
    // Tenths, rounded down, so that no size is overstated.
    let tenths = u128::from(bytes).saturating_mul(10) / u128::from(unit);
    format!("{}.{} {name}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hidden_characters_are_written_out() {
        assert_eq!(clean("s05.upd.kaspersky.com"), "s05.upd.kaspersky.com");
        assert!(matches!(clean("Grün 网"), Cow::Borrowed(_)));
        assert_eq!(clean("a\u{1b}[31m\r\nb\0\t"), "a\\x1b[31m\\x0d\\x0ab\\x00\\x09");
        assert_eq!(clean("\u{9b}1m\u{7f}"), "\\x9b1m\\x7f");
        assert_eq!(clean("moc\u{202e}exe\u{200b}"), "moc\\u{202e}exe\\u{200b}");
    }

    #[test]
    fn numbers_for_people() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_000), "1,000");
        assert_eq!(grouped(12_345_678), "12,345,678");
        assert_eq!(counted(1, "frame", "frames"), "1 frame");
        assert_eq!(counted(0, "frame", "frames"), "0 frames");
        assert_eq!((size(0), size(999), size(1000)), ("0 B".into(), "999 B".into(), "1.0 kB".into()));
        assert_eq!((size(1_999_999), size(2_500_000_000)), ("1.9 MB".into(), "2.5 GB".into()));
        assert_eq!(size(u64::MAX), "18.4 EB");
    }

    proptest! {
        #[test]
        fn clean_text_is_clean(text in any::<String>()) {
            let once = clean(&text).into_owned();
            prop_assert!(!once.contains(is_hidden));
            prop_assert_eq!(clean(&once).into_owned(), once.clone());
        }
    }

    #[test]
    fn shares_are_not_rounded_away() {
        assert_eq!(percent(1, 100_000), "under 0.1 %");
        assert_eq!(percent(99_999, 100_000), "99.9 %");
        assert_eq!(percent(5, 5), "100 %");
        assert_eq!(
            (percent(0, 0), percent(0, 5), percent(u64::MAX, u64::MAX)),
            ("0.0 %".into(), "0.0 %".into(), "100 %".into())
        );
        // As a reader reckons them: 4.76, 5.26 and 22.94 per cent.
        assert_eq!(
            (percent(1, 21), percent(1, 19), percent(39, 170)),
            ("4.8 %".into(), "5.3 %".into(), "22.9 %".into())
        );
    }
}
