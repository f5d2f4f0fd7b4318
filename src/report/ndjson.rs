//! Records as NDJSON: one JSON object a line.

use super::text::is_hidden;
use crate::sighting::Record;
use serde::Serialize;
use serde_json::ser::{CharEscape, Formatter, Serializer};
use std::io;

/// Writes one record and a line feed. Control and direction-changing
/// characters are escaped, also those that JSON would allow as they are, so
/// that the line can be shown on a terminal.
///
/// # Errors
/// Those of `out`.
pub fn write(out: &mut dyn io::Write, record: &Record) -> io::Result<()> {
    write_line(out, record)
}

/// As [`write()`]; of what only indicators of use `support` show, the line ends
/// with `"support":true`.
///
/// # Errors
/// Those of `out`.
pub fn write_marked(out: &mut dyn io::Write, record: &Record, support: bool) -> io::Result<()> {
    if !support {
        return write(out, record);
    }
    let mut line = Vec::new();
    write(&mut line, record)?;
    // Behind the last field, before the brace and the line feed.
    line.truncate(line.len().saturating_sub(2));
    out.write_all(&line)?;
    out.write_all(b",\"support\":true}\n")
}

/// The same for any other value that makes one line.
///
/// # Errors
/// Those of `out`, and those of serialising `value`.
pub fn write_line<T: Serialize + ?Sized>(out: &mut dyn io::Write, value: &T) -> io::Result<()> {
    let mut serializer = Serializer::with_formatter(&mut *out, Printable);
    value.serialize(&mut serializer).map_err(io::Error::from)?;
    out.write_all(b"\n")
}

/// The same for a value that makes an indented document.
///
/// # Errors
/// Those of `out`, and those of serialising `value`.
pub fn write_document<T: Serialize + ?Sized>(out: &mut dyn io::Write, value: &T) -> io::Result<()> {
    let text = serde_json::to_string_pretty(value)?;
    // Between strings only line feeds are hidden, and in strings there are none.
    for line in text.lines() {
        Printable.write_string_fragment(&mut *out, line)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// Compact JSON in which hidden characters are `\uXXXX`.
struct Printable;

impl Formatter for Printable {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, c)) = rest.char_indices().find(|(_, c)| is_hidden(*c)) {
            let (plain, tail) = rest.split_at(at);
            out.write_all(plain.as_bytes())?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}")?;
            }
            rest = tail.get(c.len_utf8()..).unwrap_or("");
        }
        out.write_all(rest.as_bytes())
    }

    fn write_char_escape<W: ?Sized + io::Write>(&mut self, out: &mut W, escape: CharEscape) -> io::Result<()> {
        serde_json::ser::CompactFormatter.write_char_escape(out, escape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_hides_nothing_and_stays_what_it_is() {
        let value = serde_json::json!({"org": "a\u{202e}b\u{85}\nc\u{2028}", "n": [1, {"x": "\u{1b}["}]});
        let mut out = Vec::new();
        write_document(&mut out, &value).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
        assert!(text.chars().all(|c| c == '\n' || !is_hidden(c)), "{text:?}");
        assert!(text.ends_with("}\n") && text.lines().count() > 5, "{text}");
    }
    use crate::sighting::testing::record;
    use proptest::prelude::*;

    fn line(r: &Record) -> String {
        let mut out = Vec::new();
        write(&mut out, r).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_record_is_one_line_of_version_1() {
        let mut r = record();
        r.names.push("a\"b\u{1b}[2J\n\u{9b}\u{202e}\u{e0041}.test".into());
        assert_eq!(
            line(&r),
            concat!(
                r#"{"schema":"spansight.sighting/1","id":"00112233445566778899aabbccddeeff","revision":1,"#,
                r#""sensor":"replay","source":"sha256:aa","period":"2026-03-01","#,
                r#""host":{"ip":"10.0.0.5","mac":"02:00:0a:00:00:05","segment":""},"#,
                r#""indicator":{"id":"update-s-hosts","category":"update","confidence":"high"},"#,
                r#""stage":"connected","channels":["dns_query","tls_sni"],"#,
                r#""names":["s05.upd.kaspersky.com","a\"b\u001b[2J\n\u009b\u202e\udb40\udc41.test"],"names_more":0,"#,
                r#""servers":[{"ip":"192.0.2.7","port":443,"transport":"tcp"}],"servers_more":0,"#,
                r#""first_seen":"2026-03-01T10:00:00Z","last_seen":"2026-03-01T10:05:30.500Z","count":2,"#,
                r#""sessions":1,"slots":"000000000080000000000000","slots_connected":"000000000080000000000000","#,
                r#""bytes_to_server":700,"bytes_from_server":4000,"evidence":[]}"#,
                "\n"
            )
        );
    }

    #[test]
    fn support_stands_at_the_end_of_the_line() {
        let mut out = Vec::new();
        write_marked(&mut out, &record(), true).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, line(&record()).replace("\"evidence\":[]}", "\"evidence\":[],\"support\":true}"));
        assert_eq!(text.trim_end(), crate::sighting::line::written(&record(), true));
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text in any::<String>()) {
            let mut r = record();
            r.host.name = Some(text);
            let written = line(&r);
            prop_assert!(!written.trim_end().contains(is_hidden));
            prop_assert_eq!(serde_json::from_str::<Record>(&written).unwrap(), r);
        }
    }
}
