//! Lines of sighting records, as `import` takes them from anyone.

use spansight::base::time::format_day;
use spansight::report::csv::full::{self, Columns};
use spansight::report::ndjson;
use spansight::sighting::Record;
use spansight::sighting::line::{MAX_LINE, parse_marked};
use spansight::store::archive::LineReader;
use std::iter;

/// Longest sentence on what is wrong with a line.
const MAX_SAID: usize = 1000;

/// Lines of NDJSON, or of CSV if the first looks like a header.
pub fn lines(data: &[u8]) {
    let mut rest = data.split(|b| *b == b'\n');
    let first = rest.next().unwrap_or_default();
    if !Columns::are_in(first) {
        return ndjson_lines(data);
    }
    match Columns::of(first) {
        Ok(columns) => rest.for_each(|line| cells(&columns, line)),
        Err(what) => brief(&what),
    }
}

fn brief(what: &str) {
    assert!(what.len() <= MAX_SAID, "what is wrong is a sentence: {} bytes", what.len());
}

/// The quick way of a line and the slow one say the same, one line after the
/// other, and what is read is written and read back.
fn ndjson_lines(data: &[u8]) {
    let (mut quick, mut slow, mut again) = (LineReader::default(), LineReader::default(), LineReader::default());
    let lines = data.split(|b| *b == b'\n').filter(|line| !line.trim_ascii().is_empty());
    for line in lines.flat_map(|line| iter::once(line.to_vec()).chain(with_id(line))) {
        let line = line.as_slice();
        let taken = quick.take(line);
        match parse_marked(line) {
            Ok((record, support)) => {
                assert_eq!(taken, Ok(()), "a line that is sound is taken");
                slow.put(&record, support);
                let written = comes_back(&record, support);
                assert_eq!(again.take(&written), Ok(()), "what was written is taken");
            }
            Err(what) => {
                brief(&what);
                assert_eq!(taken, Err(what), "both ways refuse a line");
            }
        }
    }
    let rows = slow.rows();
    assert_eq!(quick.rows(), rows, "both ways read the same");
    assert_eq!(again.rows(), rows, "what was written is the same");
}

/// A line with the id of its texts as they stand, which no chance would find.
fn with_id(line: &[u8]) -> Option<Vec<u8>> {
    const BEFORE: &[u8] = b"{\"schema\":\"spansight.sighting/1\",\"id\":\"";
    let rest = line.strip_prefix(BEFORE)?.get(32..)?;
    let value: serde_json::Value = serde_json::from_slice(line).ok()?;
    let mut hash = ring::digest::Context::new(&ring::digest::SHA256);
    for place in ["/sensor", "/host/segment", "/host/ip", "/host/mac", "/indicator/id", "/period"] {
        hash.update(value.pointer(place).and_then(|v| v.as_str()).unwrap_or_default().as_bytes());
        hash.update(&[0]);
    }
    let id: String = hash.finish().as_ref().iter().take(16).map(|b| format!("{b:02x}")).collect();
    Some([BEFORE, id.as_bytes(), rest].concat())
}

fn cells(columns: &Columns, line: &[u8]) {
    match columns.parse(line) {
        Ok((record, support)) => drop(comes_back(&record, support)),
        Err(what) => brief(&what),
    }
}

/// A record is written in either form as a line that is read back, and printed
/// without moving a cursor. Returns the line of NDJSON.
pub fn comes_back(record: &Record, support: bool) -> Vec<u8> {
    thread_local!(static HEADER: Columns = {
        let mut line = Vec::new();
        full::write_header(&mut line).expect("room in memory");
        Columns::of(line.trim_ascii_end()).expect("our own header")
    });
    let mut line = Vec::new();
    ndjson::write_marked(&mut line, record, support).expect("room in memory");
    let mut row = Vec::new();
    full::write(&mut row, record, support).expect("room in memory");
    for (line, end) in [(&mut line, "\n"), (&mut row, "\r\n")] {
        let text = std::str::from_utf8(line).expect("lines are text").strip_suffix(end).expect("a line has an end");
        assert!(!text.contains(char::is_control), "nothing in a line moves the cursor");
        assert!(text.len() <= MAX_LINE, "a line that is written is not too long to be read");
        line.truncate(text.len());
    }
    assert_eq!(record.period, format_day(record.first_seen.day()), "a period is written in one way");
    assert_eq!(parse_marked(&line).as_ref(), Ok(&(record.clone(), support)), "a record comes back from NDJSON");
    let read = HEADER.with(|columns| columns.parse(&row));
    assert_eq!(read.as_ref(), Ok(&(record.clone(), support)), "a record comes back from CSV");
    line
}
