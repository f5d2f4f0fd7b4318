//! Lines of output in one buffer, and their order.

use crate::base::Channel;
use std::cmp::Ordering;
use std::ops::Range;

/// Bytes of room that an emptied buffer keeps, for lines and for their order each.
const KEPT_BYTES: usize = 64 << 10;

/// Lines, each with what it is ordered by. They lie one behind the other in a
/// single buffer: a string for each showed in profiles, made by one thread and
/// freed by another.
#[derive(Clone, Debug, Default)]
pub struct NameRows {
    text: Vec<u8>,
    rows: Vec<Row>,
}

/// One line and what it is ordered by.
#[derive(Clone, Debug)]
struct Row {
    frame: u64,
    channel: Channel,
    /// The line in the buffer, with its end.
    line: Range<usize>,
    /// The name in the buffer, as JSON has it.
    name: Range<usize>,
}

impl NameRows {
    /// No lines yet, but room for as many as these have together.
    pub(super) fn with_room_for<'r>(those: impl Iterator<Item = &'r NameRows> + Clone) -> Self {
        let text = those.clone().map(|r| r.text.len()).fold(0, usize::saturating_add);
        let rows = those.map(|r| r.rows.len()).fold(0, usize::saturating_add);
        NameRows { text: Vec::with_capacity(text), rows: Vec::with_capacity(rows) }
    }

    /// Bytes of all lines.
    pub(super) fn bytes(&self) -> usize {
        self.text.len()
    }

    /// Whether there is no line.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Appends a line: `write` adds its bytes, line end included, to those
    /// before it, and returns where in the buffer its name is, as JSON has it.
    pub(super) fn push(&mut self, frame: u64, channel: Channel, write: impl FnOnce(&mut Vec<u8>) -> Range<usize>) {
        let start = self.text.len();
        let name = write(&mut self.text);
        self.rows.push(Row { frame, channel, line: start..self.text.len(), name });
    }

    /// Moves the lines of `other` behind these.
    pub fn append(&mut self, other: &mut NameRows) {
        if self.text.is_empty() {
            return std::mem::swap(self, other);
        }
        self.take_from(other);
    }

    /// The same, but leaves `other` room for the next lines, if it is not more than
    /// most need: a flood's is not kept.
    pub(super) fn take_from(&mut self, other: &mut NameRows) {
        let by = self.text.len();
        let moved = |r: Range<usize>| r.start.saturating_add(by)..r.end.saturating_add(by);
        self.text.append(&mut other.text);
        self.rows.extend(other.rows.drain(..).map(|r| Row { line: moved(r.line), name: moved(r.name), ..r }));
        other.text.shrink_to(KEPT_BYTES);
        other.rows.shrink_to(KEPT_BYTES.div_euclid(size_of::<Row>()));
    }

    /// Orders the lines by frame, channel, name and text.
    pub fn sort(&mut self) {
        let NameRows { text, rows } = self;
        let text = text.as_slice();
        let of = |r: &Range<usize>| text.get(r.clone()).unwrap_or(&[]);
        rows.sort_unstable_by(|a, b| {
            let first = a.frame.cmp(&b.frame).then_with(|| a.channel.cmp(&b.channel));
            first.then_with(|| by_name(of(&a.name), of(&b.name))).then_with(|| of(&a.line).cmp(of(&b.line)))
        });
    }

    /// The lines in their order, with their ends.
    pub fn lines(&self) -> impl Iterator<Item = &[u8]> {
        self.rows.iter().map(|r| self.text.get(r.line.clone()).unwrap_or(&[]))
    }
}

/// Compares names, whatever JSON puts before a quotation mark or a backslash.
fn by_name(a: &[u8], b: &[u8]) -> Ordering {
    plain(a).cmp(plain(b))
}

fn plain(json: &[u8]) -> impl Iterator<Item = u8> {
    let mut bytes = json.iter().copied();
    std::iter::from_fn(move || match bytes.next() {
        Some(b'\\') => bytes.next(),
        byte => byte,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(rows: &mut NameRows, frame: u64, channel: Channel, name: &str) {
        rows.push(frame, channel, |text| {
            text.extend_from_slice(b"<");
            let start = text.len();
            text.extend_from_slice(name.as_bytes());
            let end = text.len();
            text.extend_from_slice(b">\n");
            start..end
        });
    }

    #[test]
    fn lines_of_several_buffers_are_ordered_by_frame_channel_and_name() {
        let (mut all, mut other) = (NameRows::default(), NameRows::default());
        push(&mut all, 9, Channel::TlsSni, "b");
        push(&mut all, 9, Channel::DnsQuery, "c");
        push(&mut other, 2, Channel::HttpHost, "d");
        push(&mut other, 9, Channel::TlsSni, "a");
        all.append(&mut other);
        assert!(other.is_empty());
        all.sort();
        let lines: Vec<_> = all.lines().map(|l| String::from_utf8_lossy(l).into_owned()).collect();
        assert_eq!(lines, ["<d>\n", "<c>\n", "<a>\n", "<b>\n"]);
    }

    #[test]
    fn an_emptied_buffer_keeps_little_room() {
        let (mut all, mut other) = (NameRows::default(), NameRows::default());
        push(&mut all, 1, Channel::TlsSni, "a");
        for frame in 0..20_000 {
            push(&mut other, frame, Channel::DnsQuery, "flooding.example");
        }
        all.take_from(&mut other);
        assert_eq!((all.rows.len(), other.rows.len()), (20_001, 0));
        assert!(other.text.capacity() <= KEPT_BYTES && other.rows.capacity() * size_of::<Row>() <= KEPT_BYTES);
    }

    #[test]
    fn a_name_with_a_quotation_mark_is_ordered_by_what_it_says() {
        let mut rows = NameRows::default();
        push(&mut rows, 1, Channel::DnsQuery, r#"a\"b"#);
        push(&mut rows, 1, Channel::DnsQuery, "a-b");
        push(&mut rows, 1, Channel::DnsQuery, r"a\\b");
        rows.sort();
        let lines: Vec<_> = rows.lines().map(|l| String::from_utf8_lossy(l).into_owned()).collect();
        assert_eq!(lines, ["<a\\\"b>\n", "<a-b>\n", "<a\\\\b>\n"], "0x22, 0x2d, 0x5c");
    }
}
