//! Lines to rows. A line in the very form in which this program writes records
//! is read at once, without an object in between; any other line is read by
//! [`line::parse_marked`], which also says what is wrong. Tests hold the two
//! against each other.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::super::packed;
use super::cursor::{Cursor, channels, mac, servers, time};
use super::manifest::SourceSpan;
use super::row::{self, Line, Row, RowWriter, Vary};
use crate::base::bytes::Bytes;
use crate::base::time::parse_day;
use crate::base::{Addr, Mac, Stage, Timestamp};
use crate::catalogue::{Category, Confidence};
use crate::host::facts::Channels;
use crate::sighting::Record;
use crate::sighting::draft::record_hash;
use crate::sighting::line::{self, MAX_TEXT, MAX_WORD, is_source};
use crate::sighting::record::{MAX_COMMUNITY_IDS, MAX_NAMES, MAX_SERVERS, Slots};
use std::collections::{BTreeMap, BTreeSet};

/// Rows of lines, in their order.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// The rows, one behind the other.
    pub(super) bytes: Vec<u8>,
    /// Partition and end of each row.
    pub(super) ends: Vec<(u8, usize)>,
    /// What they tell of their sources.
    pub(super) sources: BTreeMap<String, SourceSpan>,
    /// Which categories they give to indicators.
    indicators: BTreeMap<String, BTreeSet<Category>>,
    /// The pair last met: most rows have that of the one before.
    met: (String, Option<Category>),
}

impl Rows {
    fn note(&mut self, partition: u8, source: &str, span: SourceSpan, indicator: (&str, Category)) {
        self.ends.push((partition, self.bytes.len()));
        let (id, category) = indicator;
        if self.met.1 != Some(category) || self.met.0 != id {
            self.met = (id.to_owned(), Some(category));
            self.indicators.entry(id.to_owned()).or_default().insert(category);
        }
        match self.sources.get_mut(source) {
            Some(known) => known.unite(&span),
            None => drop(self.sources.insert(source.to_owned(), span)),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The channels of each source's records.
    pub fn channels(&self) -> impl Iterator<Item = (&str, Channels)> {
        self.sources.iter().map(|(source, span)| (source.as_str(), packed::channels(span.channels)))
    }

    /// The indicators that they name, with each category that they give them.
    pub fn indicators(&self) -> impl Iterator<Item = (&str, Category)> {
        self.indicators.iter().flat_map(|(id, all)| all.iter().map(move |category| (id.as_str(), *category)))
    }

    /// The greatest time of any of them.
    pub fn newest(&self) -> Option<Timestamp> {
        self.sources.values().map(|span| span.last).max()
    }
}

/// Turns lines into rows.
#[derive(Debug, Default)]
pub struct LineReader {
    row: RowWriter,
    rows: Rows,
    scratch: Vec<u8>,
    /// The period last met and its day.
    day: ([u8; 10], i32),
}

/// What a line begins with: whose record it is.
struct Who<'t> {
    id: [u8; 16],
    revision: u64,
    sensor: &'t str,
    source: &'t str,
    period: &'t str,
    host: HostWords<'t>,
    indicator: (&'t str, Category, Confidence),
}

/// The host of a line, also as it was written.
struct HostWords<'t> {
    ip_text: &'t str,
    ip: Addr,
    mac_text: Option<&'t str>,
    mac: Option<Mac>,
    segment: &'t str,
    name: Option<&'t str>,
    name_source: Option<&'t str>,
}

impl<'t> Who<'t> {
    fn read(c: &mut Cursor<'t>) -> Option<Self> {
        c.skip(b"{\"schema\":\"spansight.sighting/1\",\"id\":\"")?;
        let id = c.hex::<16>()?;
        c.skip(b"\",\"revision\":")?;
        let revision = c.number()?;
        let sensor = c.after(b",\"sensor\":")?;
        let source = c.after(b",\"source\":")?;
        let period = c.after(b",\"period\":")?;
        let host = HostWords::read(c)?;
        c.skip(b"},\"indicator\":{")?;
        let indicator = c.after(b"\"id\":")?;
        let category = c.after(b",\"category\":")?;
        let category = *Category::ALL.iter().find(|k| k.as_str() == category)?;
        let confidence = match c.after(b",\"confidence\":")? {
            "low" => Confidence::Low,
            "medium" => Confidence::Medium,
            "high" => Confidence::High,
            _ => return None,
        };
        Some(Who { id, revision, sensor, source, period, host, indicator: (indicator, category, confidence) })
    }
}

impl<'t> HostWords<'t> {
    fn read(c: &mut Cursor<'t>) -> Option<Self> {
        c.skip(b",\"host\":{")?;
        let ip_text = c.after(b"\"ip\":")?;
        let ip: Addr = ip_text.parse().ok()?;
        // As the id hashes it. An address with a colon may have several forms,
        // one of IPv4 among them.
        if ip_text.contains(':') && ip.to_string() != ip_text {
            return None;
        }
        let mac_text = c.optional(b",\"mac\":")?;
        let mac = mac_text.map(mac).map_or(Some(None), |m| m.map(Some))?;
        let segment = c.after(b",\"segment\":")?;
        let name = c.optional(b",\"name\":")?;
        let name_source = c.optional(b",\"name_source\":")?;
        Some(HostWords { ip_text, ip, mac_text, mac, segment, name, name_source })
    }
}

/// What a line in the usual form says.
struct Usual<'t> {
    id: [u8; 16],
    period: &'t str,
    ip_text: &'t str,
    mac_text: Option<&'t str>,
    line: Line<'t>,
}

impl Usual<'_> {
    /// Whether it passes what [`mod@line`] checks beside the lists. Texts here are
    /// printable ASCII.
    fn fits(&self) -> bool {
        let Line { sensor, source, segment, indicator, stage, revision, vary, .. } = &self.line;
        let Vary { slots, connected, first, last, count, .. } = vary;
        [sensor, segment, indicator].iter().all(|w| w.len() <= MAX_WORD)
            && is_source(source)
            && !indicator.is_empty()
            && !slots.is_empty()
            && connected.bits() & !slots.bits() == 0
            && (connected.is_empty() || *stage >= Stage::Connected)
            && *count > 0
            && *revision > 0
            && first <= last
    }
}

impl LineReader {
    /// Adds the row of a line.
    ///
    /// # Errors
    /// What is wrong with the line, as the end of a sentence; nothing is added.
    pub fn take(&mut self, text: &[u8]) -> Result<(), String> {
        if self.fast(text).is_none() {
            let (record, support) = line::parse_marked(text)?;
            self.put(&record, support);
        }
        Ok(())
    }

    /// Adds the row of a record that was read and checked otherwise.
    pub fn put(&mut self, record: &Record, support: bool) {
        let partition = self.row.put_record(&mut self.rows.bytes, record, support);
        let channels = row::channel_bits(&record.channels);
        let span = SourceSpan { first: record.first_seen, last: record.last_seen, channels };
        let indicator = (record.indicator.id.as_str(), record.indicator.category);
        self.rows.note(partition, &record.source, span, indicator);
    }

    /// Rows since they were last taken away.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The UTC day of the last of these.
    pub fn last_day(&self) -> Option<i32> {
        let Rows { bytes, ends, .. } = &self.rows;
        let start = ends.len().checked_sub(2).and_then(|at| ends.get(at)).map_or(0, |(_, end)| *end);
        Row::take(&mut Bytes(bytes.get(start..)?)).map(|row| row.vary.day)
    }

    /// The rows so far; the next are collected anew.
    pub fn rows(&mut self) -> Rows {
        let room = (self.rows.bytes.len(), self.rows.ends.len());
        let next = Rows { bytes: Vec::with_capacity(room.0), ends: Vec::with_capacity(room.1), ..Rows::default() };
        std::mem::replace(&mut self.rows, next)
    }

    /// Reads a line in the usual form; `None` for any other, sound or not.
    fn fast(&mut self, text: &[u8]) -> Option<()> {
        // Of a longer one the texts are to be measured.
        if text.len() > MAX_TEXT {
            return None;
        }
        let usual = self.read(text)?;
        let Usual { id, period, ip_text, mac_text, line } = &usual;
        let parts = [line.sensor, line.segment, ip_text, mac_text.unwrap_or(""), line.indicator, period];
        if !(self.lists_fit() && usual.fits()) || *id != record_hash(parts, &mut self.scratch) {
            return None;
        }
        let span = SourceSpan { first: line.vary.first, last: line.vary.last, channels: line.channels };
        let partition = self.row.put(&mut self.rows.bytes, line);
        self.rows.note(partition, line.source, span, (line.indicator, line.category));
        Some(())
    }

    /// What a line in the usual form says, its lists in those of the row.
    fn read<'t>(&mut self, text: &'t [u8]) -> Option<Usual<'t>> {
        let mut c = Cursor(text);
        let Who { id, revision, sensor, source, period, host, indicator } = Who::read(&mut c)?;
        let (indicator, category, confidence) = indicator;
        c.skip(b"},\"stage\":")?;
        let stage = c.text()?;
        let stage = *packed::STAGES.iter().find(|s| s.as_str() == stage)?;
        let channels = channels(&mut c)?;

        let lists = &mut self.row.lists;
        lists.clear();
        c.skip(b",\"names\":")?;
        c.sorted(|name| lists.names.text(name))?;
        c.skip(b",\"names_more\":")?;
        let names_more = c.number()?;
        c.skip(b",\"servers\":[")?;
        servers(&mut c, |ip, port, udp| lists.server(&ip, port, udp))?;
        c.skip(b",\"servers_more\":")?;
        let servers_more = c.number()?;
        let first = c.after(b",\"first_seen\":")?;
        let last = c.after(b",\"last_seen\":")?;
        c.skip(b",\"count\":")?;
        let count = c.number()?;
        c.skip(b",\"sessions\":")?;
        // Counted anew from the quarter hours, whatever is said.
        u32::try_from(c.number()?).ok()?;
        c.skip(b",\"slots\":\"")?;
        let slots = Slots::from_bytes(c.hex()?);
        c.skip(b"\",\"slots_connected\":\"")?;
        let connected = Slots::from_bytes(c.hex()?);
        c.skip(b"\",\"bytes_to_server\":")?;
        let to_server = c.number()?;
        c.skip(b",\"bytes_from_server\":")?;
        let from_server = c.number()?;
        if c.skip(b",\"notes\":").is_some() {
            c.sorted(|note| lists.notes.text(note))?;
        }
        if c.skip(b",\"community_ids\":").is_some() {
            c.sorted(|id| lists.ids.text(id))?;
        }
        c.skip(b",\"evidence\":[]")?;
        let support = c.skip(b",\"support\":true").is_some();
        c.skip(b"}")?;
        // What JSON takes for white space, which a form feed is not.
        if !c.0.iter().all(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n')) {
            return None;
        }

        let day = self.day(period)?;
        let (first, last) = (time(first, period, day)?, time(last, period, day)?);
        let vary = Vary { day, slots, connected, first, last, count, to_server, from_server };
        let line = Line {
            sensor,
            source,
            segment: host.segment,
            indicator,
            ip: host.ip,
            mac: host.mac,
            host_name: host.name,
            name_source: host.name_source,
            category,
            confidence,
            stage,
            support,
            channels,
            revision,
            names_more,
            servers_more,
            subnets_more: 0,
            evidence_more: 0,
            vary,
        };
        Some(Usual { id, period, ip_text: host.ip_text, mac_text: host.mac_text, line })
    }

    /// Whether the lists are as short as [`mod@line`] wants them.
    fn lists_fit(&self) -> bool {
        let lists = &self.row.lists;
        lists.names.len() <= MAX_NAMES as u64
            && lists.servers.len() <= MAX_SERVERS as u64
            && lists.notes.len() <= MAX_NAMES as u64
            && lists.ids.len() <= MAX_COMMUNITY_IDS as u64
    }

    /// The day of a period; most lines have that of the one before.
    fn day(&mut self, period: &str) -> Option<i32> {
        let text: [u8; 10] = period.as_bytes().try_into().ok()?;
        if self.day.0 != text {
            self.day = (text, i32::try_from(parse_day(period)?).ok()?);
        }
        Some(self.day.1)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
pub(super) mod tests {
    use super::super::row::Row;
    use super::*;
    use crate::base::Channel;
    use crate::base::bytes::Bytes;
    use crate::base::time::{DAY_SECS, SECOND};
    use crate::sighting::draft::record_id;
    use crate::sighting::record::{Evidence, Server};
    use crate::sighting::testing::record;
    use proptest::prelude::*;

    /// A record in the form in which it is written.
    pub(in super::super) fn line_of(r: &Record, support: bool) -> Vec<u8> {
        line::written(r, support).into_bytes()
    }

    pub(in super::super) fn with_id(mut r: Record) -> Record {
        r.id = record_id(&r.sensor, &r.host.segment, &r.host.ip, r.host.mac, &r.indicator.id, &r.period);
        r
    }

    /// Records of all forms, as far as a line may have them.
    pub(in super::super) fn any_record() -> impl Strategy<Value = (Record, bool)> {
        let host = ("[a-c]{0,2}", any::<bool>(), 0u8..4, proptest::option::of(".{0,4}"), any::<bool>());
        let lists = (
            proptest::collection::btree_set("[a-d.]{1,5}", 0..4),
            proptest::collection::btree_set((0u8..3, 0u16..3, any::<bool>()), 0..4),
            proptest::collection::btree_set(0usize..14, 1..4),
            proptest::collection::btree_set("[a-b]{1,3}", 0..3),
            proptest::collection::btree_set("1:[a-b]{1,3}", 0..3),
        );
        let numbers = (
            0i64..86_400,
            0i64..3,
            prop_oneof![Just(1i64), Just(1_000), Just(1_000_000), Just(SECOND)],
            0u64..3,
            any::<u32>(),
        );
        let more = (
            0usize..5,
            0usize..10,
            0usize..3,
            any::<bool>(),
            proptest::collection::btree_set(0u8..96, 1..9),
            0u64..3,
            any::<bool>(),
        );
        (host, lists, numbers, more, 0i64..40).prop_map(
            |(
                (segment, mac, ip, name, six),
                (names, servers, channels, notes, ids),
                (second, gap, unit, count, bytes),
                more,
                day,
            )| {
                let (stage, category, source, support, slots, left_out, proof) = more;
                let mut r = record();
                r.host.ip = match six {
                    true => format!("2001:db8::{ip:x}").parse().unwrap(),
                    false => Addr::v4([10, 0, 0, ip]),
                };
                if !mac {
                    r.host.mac = None;
                }
                r.host.segment = segment;
                r.host.name_source = name.as_ref().map(|_| "dhcp".into());
                r.host.name = name;
                r.source = ["sha256:aa", "run:bb", "file:cc"][source].into();
                r.indicator.category = Category::ALL[category];
                r.indicator.id = format!("i{}", category % 3);
                r.stage = packed::STAGES[stage];
                r.names = names.into_iter().collect();
                r.names_more = left_out;
                r.servers = servers
                    .into_iter()
                    .map(|(ip, port, udp)| Server {
                        ip: Addr::v4([192, 0, 2, ip]),
                        port,
                        transport: if udp { "udp" } else { "tcp" }.into(),
                    })
                    .collect();
                r.channels = channels.into_iter().map(|c| Channel::ALL[c]).collect();
                r.notes = notes.into_iter().collect();
                r.community_ids = ids.into_iter().collect();
                let start = (20_000 + day) * DAY_SECS;
                r.period = crate::base::time::format_day(20_000 + day);
                r.first_seen = Timestamp::from_parts(start + second, (unit * 7) % SECOND);
                r.last_seen = Timestamp((r.first_seen.0 + gap * unit).min((start + DAY_SECS) * SECOND - 1));
                r.count = count + 1;
                r.revision = left_out + 1;
                r.slots = Slots::default();
                slots.iter().for_each(|s| r.slots.set(*s));
                r.slots_connected = if r.stage >= Stage::Connected { r.slots } else { Slots::default() };
                r.sessions = r.slots.runs();
                (r.bytes_to_server, r.bytes_from_server) = (bytes.into(), u64::from(bytes) << 7);
                if proof {
                    r.evidence_more = left_out;
                    r.client_subnets = vec!["192.0.2.0/24".parse().unwrap()];
                    r.evidence.push(Evidence {
                        path: Some("a b.pcap".into()),
                        interface: None,
                        frame: bytes.into(),
                        offset: (left_out > 0).then_some(left_out),
                        ts: r.first_seen,
                        channel: r.channels[0],
                        name: r.names.first().cloned(),
                        src: r.host.ip,
                        sport: 4000,
                        dst: "2001:db8::53".parse().unwrap(),
                        dport: 53,
                        layers: vec!["vlan:10".into(); usize::try_from(left_out).unwrap()],
                        packet_sha256: "0f".repeat(32),
                    });
                }
                (with_id(r), support)
            },
        )
    }

    fn read_back(rows: &Rows) -> Vec<(Record, bool)> {
        let mut bytes = Bytes(&rows.bytes);
        let mut all = Vec::new();
        while !bytes.is_empty() {
            all.push(Row::take(&mut bytes).unwrap().record().unwrap());
        }
        all
    }

    proptest! {
        #[test]
        fn a_line_becomes_a_row_and_the_same_record((r, support) in any_record()) {
            let mut reader = LineReader::default();
            reader.take(&line_of(&r, support)).unwrap();
            prop_assert_eq!(read_back(&reader.rows()), vec![(r, support)]);
        }

        /// Both ways take the same lines for the same records.
        #[test]
        fn the_fast_way_takes_nothing_that_the_other_refuses(
            (r, support) in any_record(), at in 0usize..900, byte in prop_oneof![any::<u8>(), b' '..=b'~']
        ) {
            let mut text = line_of(&r, support);
            let at = at % text.len();
            text[at] = byte;
            let mut reader = LineReader::default();
            if reader.fast(&text).is_some() {
                prop_assert_eq!(read_back(&reader.rows()), vec![line::parse_marked(&text).unwrap()]);
            }
        }

        #[test]
        fn any_bytes_are_a_row_or_none(bytes: Vec<u8>) {
            if let Some(row) = Row::take(&mut Bytes(&bytes)) {
                let _ = row.record();
            }
        }
    }

    #[test]
    fn a_line_that_the_slow_way_refuses_is_not_taken_the_fast_way() {
        let refused = |text: &[u8]| {
            assert!(line::parse_marked(text).is_err(), "{}", String::from_utf8_lossy(text));
            assert!(LineReader::default().take(text).is_err(), "{}", String::from_utf8_lossy(text));
        };
        let usual = line_of(&with_id(record()), false);
        refused(&[&usual[..], b"\x0c"].concat());
        assert!(LineReader::default().fast(&[&usual[..], b" \t\r\n"].concat()).is_some());
        // An id of the address as it is written, and not as it is meant.
        let mut r = record();
        for (ip, text) in [("10.0.0.5", "::ffff:10.0.0.5"), ("2001:db8::1", "2001:DB8::1"), ("::1", "0:0::1")] {
            r.host.ip = ip.parse().unwrap();
            let parts =
                [&r.sensor, &r.host.segment, text, &r.host.mac.unwrap().to_string(), &r.indicator.id, &r.period];
            r.id = crate::base::digest::hex(&record_hash(parts, &mut Vec::new()));
            let usual = String::from_utf8(line_of(&r, false)).unwrap();
            refused(
                usual.replace(&format!("\"ip\":\"{ip}\",\"mac\""), &format!("\"ip\":\"{text}\",\"mac\"")).as_bytes(),
            );
        }
    }

    #[test]
    fn a_line_with_too_much_text_is_refused_in_both_ways() {
        let mut r = with_id(record());
        r.names = vec!["x".repeat(MAX_TEXT + 1)];
        let text = line_of(&r, false);
        assert!(line::parse_marked(&text).is_err() && LineReader::default().take(&text).is_err());
    }

    /// A row that somebody else wrote is a record only if a line could be it.
    #[test]
    fn a_row_is_checked_as_a_line_is() {
        let changes: [fn(&mut Record); 5] = [
            |r| r.source = "sha256:a=b".into(),
            |r| r.slots = Slots::default(),
            |r| r.count = 0,
            |r| r.names = vec!["b".into(), "a".into()],
            |r| r.last_seen = r.first_seen.plus(DAY_SECS * SECOND),
        ];
        for change in changes {
            let mut reader = LineReader::default();
            let mut r = with_id(record());
            change(&mut r);
            assert!(line::parse(&line_of(&r, false)).is_err());
            reader.put(&r, false);
            let rows = reader.rows();
            assert!(Row::take(&mut Bytes(&rows.bytes)).unwrap().record().is_none(), "{r:?}");
        }
    }

    #[test]
    fn the_usual_line_is_read_the_fast_way() {
        let r = with_id(record());
        let mut reader = LineReader::default();
        assert!(reader.fast(&line_of(&r, false)).is_some() && reader.fast(&line_of(&r, true)).is_some());
        assert_eq!(read_back(&reader.rows()), [(r.clone(), false), (r.clone(), true)]);
        let spaced = String::from_utf8(line_of(&r, false)).unwrap().replace(':', ": ");
        assert!(reader.fast(spaced.as_bytes()).is_none());
    }
}
