//! Records as CSV (RFC 4180) that no spreadsheet runs.

pub mod full;

use super::text::{clean, is_hidden};
use crate::sighting::Record;
use std::io;

/// The header line, in column order.
pub const COLUMNS: [&str; 27] = [
    "id",
    "source",
    "period",
    "host_ip",
    "host_mac",
    "segment",
    "host_name",
    "indicator",
    "category",
    "confidence",
    "stage",
    "channels",
    "names",
    "names_more",
    "servers",
    "servers_more",
    "first_seen",
    "last_seen",
    "count",
    "sessions",
    "slots",
    "slots_connected",
    "bytes_to_server",
    "bytes_from_server",
    "notes",
    "sensor",
    "revision",
];

/// Writes the header line.
///
/// # Errors
/// Those of `out`.
pub fn write_header(out: &mut dyn io::Write) -> io::Result<()> {
    write_row(out, &COLUMNS.map(str::to_owned))
}

/// Writes one record as one line. Lists are joined by spaces; servers are
/// `address:port/transport`. Evidence, client subnets
/// and community ids are left to NDJSON.
///
/// # Errors
/// Those of `out`.
pub fn write(out: &mut dyn io::Write, r: &Record) -> io::Result<()> {
    let list = |items: Vec<String>| items.join(" ");
    let servers = r.servers.iter().map(|s| {
        let addr = std::net::SocketAddr::new(s.ip.ip(), s.port);
        format!("{addr}/{}", s.transport)
    });
    let cells: [String; COLUMNS.len()] = [
        r.id.clone(),
        r.source.clone(),
        r.period.clone(),
        r.host.ip.to_string(),
        r.host.mac.map(|m| m.to_string()).unwrap_or_default(),
        r.host.segment.clone(),
        r.host.name.clone().unwrap_or_default(),
        r.indicator.id.clone(),
        r.indicator.category.to_string(),
        word(&r.indicator.confidence),
        r.stage.as_str().to_owned(),
        list(r.channels.iter().map(ToString::to_string).collect()),
        r.names.join(" "),
        r.names_more.to_string(),
        list(servers.collect()),
        r.servers_more.to_string(),
        r.first_seen.to_string(),
        r.last_seen.to_string(),
        r.count.to_string(),
        r.sessions.to_string(),
        r.slots.to_string(),
        r.slots_connected.to_string(),
        r.bytes_to_server.to_string(),
        r.bytes_from_server.to_string(),
        r.notes.join(" "),
        r.sensor.clone(),
        r.revision.to_string(),
    ];
    write_row(out, &cells)
}

/// The word that a value has in JSON.
fn word<T: serde::Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

/// Writes cells as a line.
pub(super) fn write_row(out: &mut dyn io::Write, cells: &[String]) -> io::Result<()> {
    for (i, raw) in cells.iter().enumerate() {
        if i > 0 {
            out.write_all(b",")?;
        }
        out.write_all(cell(raw).as_bytes())?;
    }
    out.write_all(b"\r\n")
}

/// One cell: hidden characters written out, formulas made text, quoted where
/// RFC 4180 asks for it.
fn cell(raw: &str) -> String {
    let mut text = clean(raw).into_owned();
    if is_formula(raw) {
        text.insert(0, '\'');
    }
    quoted(text)
}

/// A cell in quotes, where RFC 4180 asks for them.
fn quoted(mut text: String) -> String {
    let edge = |c: char| c.is_whitespace();
    if text.contains([',', '"']) || text.starts_with(edge) || text.ends_with(edge) {
        text = format!("\"{}\"", text.replace('"', "\"\""));
    }
    text
}

/// Whether a spreadsheet may take the cell for a formula or drop its first
/// character (CWE-1236): `=`, `+`, `-` or `@`, also in full width, at the
/// start or behind characters that are skipped, and a leading control
/// character.
fn is_formula(raw: &str) -> bool {
    !is_number(raw) && may_be_formula(raw)
}

/// A negative number and nothing else: made text, a fall would be no number to
/// whoever reads the file.
fn is_number(raw: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    raw.strip_prefix('-').is_some_and(|rest| {
        let (whole, part) = rest.split_once('.').unwrap_or((rest, "0"));
        digits(whole) && digits(part)
    })
}

fn may_be_formula(raw: &str) -> bool {
    let body = raw.trim_start_matches(|c: char| c.is_whitespace() || is_hidden(c));
    raw.starts_with(['\t', '\r', '\n', '\0'])
        || body.starts_with(['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Channel;
    use crate::sighting::Server;
    use crate::sighting::testing::record;
    use proptest::prelude::*;

    fn text(records: &[Record]) -> String {
        let mut out = Vec::new();
        write_header(&mut out).unwrap();
        records.iter().for_each(|r| write(&mut out, r).unwrap());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn header_and_row() {
        let mut r = record();
        r.names.push("x,y\"z".into());
        r.channels.push(Channel::HttpHost);
        r.servers.push(Server { ip: "2001:db8::7".parse().unwrap(), port: 80, transport: "tcp".into() });
        r.notes = vec!["mid_stream".into(), "public_dns".into()];
        r.host.name = Some("=HYPERLINK(\"http://evil.test\")".into());
        assert_eq!(
            text(&[r]),
            concat!(
                "id,source,period,host_ip,host_mac,segment,host_name,indicator,category,confidence,stage,",
                "channels,names,names_more,servers,servers_more,first_seen,last_seen,count,sessions,slots,",
                "slots_connected,bytes_to_server,bytes_from_server,notes,sensor,revision\r\n",
                "00112233445566778899aabbccddeeff,sha256:aa,2026-03-01,10.0.0.5,02:00:0a:00:00:05,,",
                "\"'=HYPERLINK(\"\"http://evil.test\"\")\",update-s-hosts,update,high,connected,",
                "dns_query tls_sni http_host,\"s05.upd.kaspersky.com x,y\"\"z\",0,",
                "192.0.2.7:443/tcp [2001:db8::7]:80/tcp,0,2026-03-01T10:00:00Z,2026-03-01T10:05:30.500Z,2,1,",
                "000000000080000000000000,000000000080000000000000,700,4000,mid_stream public_dns,replay,1\r\n",
            )
        );
    }

    #[test]
    fn formulas_become_text() {
        for (raw, wanted) in [
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-x", "'-x"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\\x09=1"),
            ("\r=1", "'\\x0d=1"),
            ("\0x", "'\\x00x"),
            ("  =1", "'  =1"),
            ("\u{a0}@x", "'\u{a0}@x"),
            ("\u{feff}=1", "'\\u{feff}=1"),
            ("\u{ff1d}1", "'\u{ff1d}1"),
            ("-100", "-100"),
            ("-0.25", "-0.25"),
            ("-", "'-"),
            ("-1-1", "'-1-1"),
            ("-1.", "'-1."),
            ("-1e5", "'-1e5"),
            (" -1", "' -1"),
            ("-1\n", "'-1\\x0a"),
            ("a=1", "a=1"),
            ("::1", "::1"),
        ] {
            assert_eq!(cell(raw), wanted, "{raw:?}");
        }
        assert_eq!(cell(" x "), "\" x \"");
        assert_eq!(cell("a\nb\u{202e}"), "a\\x0ab\\u{202e}");
    }

    /// Reads one line back by the rules of RFC 4180.
    fn parse(line: &str) -> Vec<String> {
        let mut cells = vec![String::new()];
        let (mut quoted, mut chars) = (false, line.chars().peekable());
        while let Some(c) = chars.next() {
            match c {
                '"' if quoted && chars.peek() == Some(&'"') => {
                    chars.next();
                    cells.last_mut().unwrap().push('"');
                }
                '"' => quoted = !quoted,
                ',' if !quoted => cells.push(String::new()),
                c => cells.last_mut().unwrap().push(c),
            }
        }
        cells
    }

    proptest! {
        #[test]
        fn any_text_stays_in_its_cell(name in any::<String>(), segment in "[=+@\\-\t\r\n\0 ,\"a]{0,6}") {
            let mut r = record();
            r.host.name = Some(name.clone());
            r.host.segment = segment.clone();
            let all = text(&[r]);
            prop_assert_eq!(all.matches("\r\n").count(), 2);
            let row = parse(all.lines().nth(1).unwrap());
            prop_assert_eq!(row.len(), COLUMNS.len());
            for (cell, raw) in [(&row[6], &name), (&row[5], &segment)] {
                prop_assert!(!cell.contains(is_hidden));
                prop_assert!(!cell.trim_start().starts_with(['=', '+', '-', '@']));
                let body = cell.strip_prefix('\'').filter(|_| is_formula(raw)).unwrap_or(cell);
                prop_assert_eq!(body, &clean(raw));
            }
        }
    }
}
