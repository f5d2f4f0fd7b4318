//! How texts, times and numbers stand on the page.

use super::super::text::{clean, grouped};
use crate::base::Timestamp;
use maud::{Markup, Render, html};

/// Text that came from the network, from a file or from the command line.
/// Hidden and direction-changing characters are written out; what means
/// something in HTML is escaped, as in all text.
pub(super) struct Shown<'t>(pub(super) &'t str);

impl Render for Shown<'_> {
    fn render_to(&self, out: &mut String) {
        clean(self.0).as_ref().render_to(out);
    }
}

/// A time to the minute, in UTC, for machines to the nanosecond.
pub(super) fn time(t: Timestamp) -> Markup {
    html! { time datetime=(t.to_string()) { (minute(t)) } }
}

/// `2026-03-01 10:00`.
pub(super) fn minute(t: Timestamp) -> String {
    let text = t.to_string();
    text.get(..16).map_or_else(|| text.clone(), |minute| minute.replace('T', " "))
}

/// A number with commas.
pub(super) fn number(n: u64) -> String {
    grouped(n)
}

/// `3 days ago`.
pub(super) fn ago(days: u64) -> String {
    match days {
        0 => "today".to_owned(),
        1 => "1 day ago".to_owned(),
        n => format!("{} days ago", grouped(n)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_others_is_only_text() {
        let hostile = "<script>alert(1)</script>\" onload='x' &amp; \u{202e}gpj.exe\u{1b}[2J";
        let shown = html! { a title=(Shown(hostile)) { (Shown(hostile)) } }.into_string();
        assert_eq!(shown.matches('<').count(), 2, "{shown}");
        assert!(shown.contains("&amp;amp; \\u{202e}gpj.exe\\x1b[2J") && !shown.contains("\" onload"), "{shown}");
    }

    #[test]
    fn times_and_numbers() {
        let t = Timestamp::parse("2026-03-01T10:05:30.5Z").unwrap();
        let wanted = "<time datetime=\"2026-03-01T10:05:30.500Z\">2026-03-01 10:05</time>";
        assert_eq!((time(t).into_string().as_str(), number(12_345).as_str()), (wanted, "12,345"));
        assert_eq!([0, 1, 2_000].map(ago), ["today", "1 day ago", "2,000 days ago"]);
    }
}
