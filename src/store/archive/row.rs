//! A contribution as a row of bytes, without loss: what the spool holds, and
//! what blocks are made of.
//!
//! A row is split by how often its parts repeat. The **key** is the host, the
//! **shape** what many rows of a host have in common, then **names**, then what
//! is different each day (the [`Vary`] part), then the **rest**, which counting
//! never reads.
//!
//! | part | what |
//! |---|---|
//! | key | address (16), segment, zero byte, hardware address (6, or nothing) |
//! | shape | indicator, zero byte, source, zero byte, sensor, zero byte; category, confidence, stage, support (1 byte each); channels, revision; notes |
//! | names | how many were left out, how many there are, each with its length |
//! | rest | name of the host and its source; servers, client subnets, community ids, evidence, and of each how many were left out |
//!
//! The bytes of a key, and of the beginning of a shape, sort as their texts do:
//! none of these may hold a control character.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::super::packed;
use crate::base::bytes::{Bytes, put_bytes, put_number, put_signed};
use crate::base::time::format_day;
use crate::base::{Addr, Channel, Mac, Prefix, Stage, Timestamp};
use crate::catalogue::{Category, Confidence};
use crate::flow::Note;
use crate::host::facts::is_private;
use crate::sighting::Record;
use crate::sighting::draft::record_id;
use crate::sighting::line;
use crate::sighting::record::{Evidence, Host, IndicatorSummary, SCHEMA, Server, Slots};
use std::collections::BTreeMap;

/// Categories in the place of their numbers; a new one gets the next.
const CATEGORIES: [Category; 10] = [
    Category::Update,
    Category::Reputation,
    Category::Activation,
    Category::Service,
    Category::Web,
    Category::LanManagement,
    Category::OemUpdate,
    Category::Netblock,
    Category::Sinkhole,
    Category::Lookalike,
];
/// Confidences in the place of their numbers.
const CONFIDENCES: [Confidence; 3] = [Confidence::Low, Confidence::Medium, Confidence::High];

/// Most indicators whose categories are compared: beyond, each record keeps its
/// own.
const MAX_INDICATORS: usize = 1 << 16;

/// In which category records file each indicator; of several the least, as in
/// a store of one file.
#[derive(Debug, Default)]
pub(super) struct Categories {
    all: BTreeMap<String, (Category, bool)>,
}

impl Categories {
    pub(super) fn note(&mut self, indicator: &str, category: Category) {
        self.add(indicator, category, false);
    }

    fn add(&mut self, indicator: &str, category: Category, several: bool) {
        if let Some((known, differ)) = self.all.get_mut(indicator) {
            *differ |= several || *known != category;
            *known = category.min(*known);
        } else if self.all.len() < MAX_INDICATORS {
            self.all.insert(indicator.to_owned(), (category, several));
        }
    }

    pub(super) fn merge(&mut self, other: Categories) {
        other.all.iter().for_each(|(id, (category, several))| self.add(id, *category, *several));
    }

    /// Those that are filed in several, each with the least.
    pub(super) fn several(self) -> BTreeMap<String, Category> {
        self.all.into_iter().filter(|(_, (_, differ))| *differ).map(|(id, (category, _))| (id, category)).collect()
    }
}

fn code<T: PartialEq>(all: &[T], one: &T) -> u8 {
    all.iter().zip(0..).find(|(t, _)| *t == one).map_or(0, |(_, n)| n)
}

/// Entries of a list, one behind the other.
#[derive(Debug, Default)]
pub(super) struct List {
    count: u64,
    bytes: Vec<u8>,
}

impl List {
    pub(super) fn clear(&mut self) {
        self.count = 0;
        self.bytes.clear();
    }

    pub(super) fn len(&self) -> u64 {
        self.count
    }

    /// Where the next entry is written.
    pub(super) fn next(&mut self) -> &mut Vec<u8> {
        self.count = self.count.saturating_add(1);
        &mut self.bytes
    }

    pub(super) fn text(&mut self, text: &str) {
        put_bytes(self.next(), text.as_bytes());
    }

    fn put(&self, out: &mut Vec<u8>) {
        put_number(out, self.count);
        out.extend_from_slice(&self.bytes);
    }
}

/// The lists of a record; kept from one to the next for their room.
#[derive(Debug, Default)]
pub(super) struct Lists {
    pub(super) names: List,
    pub(super) servers: List,
    pub(super) subnets: List,
    pub(super) notes: List,
    pub(super) ids: List,
    pub(super) evidence: List,
}

impl Lists {
    pub(super) fn clear(&mut self) {
        let Lists { names, servers, subnets, notes, ids, evidence } = self;
        [names, servers, subnets, notes, ids, evidence].into_iter().for_each(List::clear);
    }

    pub(super) fn server(&mut self, ip: &Addr, port: u16, udp: bool) {
        let out = self.servers.next();
        out.extend_from_slice(&ip.0);
        out.extend_from_slice(&port.to_be_bytes());
        out.push(udp.into());
    }

    /// The lists of a record.
    fn of(&mut self, r: &Record) {
        self.clear();
        r.names.iter().for_each(|n| self.names.text(n));
        r.servers.iter().for_each(|s| self.server(&s.ip, s.port, s.transport == "udp"));
        for p in &r.client_subnets {
            let out = self.subnets.next();
            out.extend_from_slice(&p.network().to_be_bytes());
            out.push(p.len128());
        }
        r.notes.iter().for_each(|n| self.notes.text(n));
        r.community_ids.iter().for_each(|n| self.ids.text(n));
        r.evidence.iter().for_each(|e| put_evidence(self.evidence.next(), e));
    }
}

/// All of a record but its lists.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'a> {
    pub(super) sensor: &'a str,
    pub(super) source: &'a str,
    pub(super) segment: &'a str,
    pub(super) indicator: &'a str,
    pub(super) ip: Addr,
    pub(super) mac: Option<Mac>,
    pub(super) host_name: Option<&'a str>,
    pub(super) name_source: Option<&'a str>,
    pub(super) category: Category,
    pub(super) confidence: Confidence,
    pub(super) stage: Stage,
    pub(super) support: bool,
    /// A bit for each, as a store has them.
    pub(super) channels: u32,
    pub(super) revision: u64,
    pub(super) names_more: u64,
    pub(super) servers_more: u64,
    pub(super) subnets_more: u64,
    pub(super) evidence_more: u64,
    pub(super) vary: Vary,
}

/// What differs from day to day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Vary {
    /// UTC day since the epoch.
    pub(super) day: i32,
    pub(super) slots: Slots,
    pub(super) connected: Slots,
    /// Both lie on `day`.
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
    pub(super) count: u64,
    pub(super) to_server: u64,
    pub(super) from_server: u64,
}

impl<'a> Line<'a> {
    /// Of a record, whose period is a day.
    fn of(r: &'a Record, support: bool) -> Line<'a> {
        Line {
            sensor: &r.sensor,
            source: &r.source,
            segment: &r.host.segment,
            indicator: &r.indicator.id,
            ip: r.host.ip,
            mac: r.host.mac,
            host_name: r.host.name.as_deref(),
            name_source: r.host.name_source.as_deref(),
            category: r.indicator.category,
            confidence: r.indicator.confidence,
            stage: r.stage,
            support,
            channels: channel_bits(&r.channels),
            revision: r.revision,
            names_more: r.names_more,
            servers_more: r.servers_more,
            subnets_more: r.client_subnets_more,
            evidence_more: r.evidence_more,
            vary: Vary {
                day: i32::try_from(r.first_seen.day()).unwrap_or_default(),
                slots: r.slots,
                connected: r.slots_connected,
                first: r.first_seen,
                last: r.last_seen,
                count: r.count,
                to_server: r.bytes_to_server,
                from_server: r.bytes_from_server,
            },
        }
    }
}

/// A bit for each channel, as a store has them.
pub(super) fn channel_bits(channels: &[Channel]) -> u32 {
    channels.iter().fold(0, |bits, c| bits | 1 << packed::channel_bit(*c))
}

/// Puts rows together.
#[derive(Debug, Default)]
pub(super) struct RowWriter {
    pub(super) lists: Lists,
    part: Vec<u8>,
}

impl RowWriter {
    /// Appends the row of a record that passed the checks of
    /// [`line::parse`], and returns its partition.
    pub(super) fn put_record(&mut self, out: &mut Vec<u8>, r: &Record, support: bool) -> u8 {
        self.lists.of(r);
        self.put(out, &Line::of(r, support))
    }

    /// Appends the row of a line whose lists are in `lists`.
    pub(super) fn put(&mut self, out: &mut Vec<u8>, l: &Line<'_>) -> u8 {
        let RowWriter { lists, part } = self;
        part.clear();
        part.extend_from_slice(&l.ip.0);
        part.extend_from_slice(l.segment.as_bytes());
        part.push(0);
        if let Some(mac) = l.mac {
            part.extend_from_slice(&mac.0);
        }
        let partition = partition(part);
        put_bytes(out, part);

        part.clear();
        for text in [l.indicator, l.source, l.sensor] {
            part.extend_from_slice(text.as_bytes());
            part.push(0);
        }
        put_number(out, part.len() as u64);
        part.extend([
            code(&CATEGORIES, &l.category),
            code(&CONFIDENCES, &l.confidence),
            packed::stage_code(l.stage),
            l.support.into(),
        ]);
        put_number(part, l.channels.into());
        put_number(part, l.revision);
        lists.notes.put(part);
        put_bytes(out, part);

        part.clear();
        put_number(part, l.names_more);
        lists.names.put(part);
        put_bytes(out, part);

        part.clear();
        for text in [l.host_name, l.name_source] {
            part.push(text.is_some().into());
            if let Some(text) = text {
                put_bytes(part, text.as_bytes());
            }
        }
        for n in [l.servers_more, l.subnets_more, l.evidence_more] {
            put_number(part, n);
        }
        for list in [&lists.servers, &lists.subnets, &lists.ids, &lists.evidence] {
            list.put(part);
        }
        put_bytes(out, part);

        put_vary(out, &l.vary);
        partition
    }
}

fn put_vary(out: &mut Vec<u8>, v: &Vary) {
    put_signed(out, v.day.into());
    out.extend_from_slice(&v.slots.to_bytes());
    out.extend_from_slice(&v.connected.to_bytes());
    out.extend_from_slice(&v.first.0.to_le_bytes());
    out.extend_from_slice(&v.last.0.to_le_bytes());
    for n in [v.count, v.to_server, v.from_server] {
        put_number(out, n);
    }
}

/// Where the rows of a host lie: by its hardware address if it is known, so
/// that all its addresses lie together, else by segment and address. FNV-1a
/// (64 bits), its bytes folded into one.
pub(super) fn partition(key: &[u8]) -> u8 {
    host_hash(key).to_be_bytes().iter().fold(0, |all, b| all ^ b)
}

/// What a host is told apart by: its hardware address, else all of its key.
pub(super) fn host_of(key: &[u8]) -> &[u8] {
    match key.rsplit_once_zero() {
        Some((_, mac)) if mac.len() == 6 => mac,
        _ => key,
    }
}

/// FNV-1a of [`host_of`].
pub(super) fn host_hash(key: &[u8]) -> u64 {
    host_of(key).iter().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3))
}

trait SplitKey {
    fn rsplit_once_zero(&self) -> Option<(&[u8], &[u8])>;
}

impl SplitKey for [u8] {
    /// Segment and hardware address: what is before and behind the first zero
    /// byte after the address.
    fn rsplit_once_zero(&self) -> Option<(&[u8], &[u8])> {
        let (_, rest) = self.split_at_checked(16)?;
        let at = memchr::memchr(0, rest)?;
        Some((rest.get(..at)?, rest.get(at.checked_add(1)?..)?))
    }
}

/// A row as it lies in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row<'a> {
    pub(super) key: &'a [u8],
    /// As much of the shape as says which indicator, source and sensor.
    pub(super) identity: &'a [u8],
    pub(super) shape: &'a [u8],
    pub(super) names: &'a [u8],
    pub(super) rest: &'a [u8],
    pub(super) vary: Vary,
}

impl<'a> Row<'a> {
    /// Takes a row from the front of bytes.
    pub(super) fn take(read: &mut Bytes<'a>) -> Option<Row<'a>> {
        let key = read.bytes()?;
        let identity = read.len()?;
        let shape = read.bytes()?;
        let (names, rest) = (read.bytes()?, read.bytes()?);
        let vary = Vary {
            day: i32::try_from(read.signed()?).ok()?,
            slots: Slots::from_bytes(read.array()?),
            connected: Slots::from_bytes(read.array()?),
            first: Timestamp(i64::from_le_bytes(read.array()?)),
            last: Timestamp(i64::from_le_bytes(read.array()?)),
            count: read.number()?,
            to_server: read.number()?,
            from_server: read.number()?,
        };
        Some(Row { key, identity: shape.get(..identity)?, shape, names, rest, vary })
    }

    /// How long it is in bytes, about.
    pub(super) fn len(&self) -> u64 {
        let parts = [self.key, self.shape, self.names, self.rest];
        parts.iter().fold(60, |n: u64, part| n.saturating_add(part.len() as u64))
    }

    pub(super) fn has_mac(&self) -> bool {
        self.key.rsplit_once_zero().is_some_and(|(_, mac)| !mac.is_empty())
    }

    /// Whether it lists servers that may be hosts with a role: the same that
    /// [`servers_of`](crate::host::facts::servers_of) gives of its record.
    pub(super) fn ties(&self) -> Option<bool> {
        let shape = Shape::of(self.shape)?;
        let mut rest = Bytes(self.rest);
        for _ in 0..2 {
            if rest.byte()? != 0 {
                rest.bytes()?;
            }
        }
        for _ in 0..3 {
            rest.number()?;
        }
        let servers = list(&mut rest, |b| {
            let ip = Addr(b.array()?);
            b.take(3).map(|_| ip)
        })?;
        Some(!servers.is_empty() && (shape.tells_of_roles()? || servers.iter().any(is_private)))
    }

    /// Appends the row as [`Row::take`] reads it.
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        put_bytes(out, self.key);
        put_number(out, self.identity.len() as u64);
        for part in [self.shape, self.names, self.rest] {
            put_bytes(out, part);
        }
        put_vary(out, &self.vary);
    }

    /// The record of the row, and whether only indicators of use `support` show
    /// it; `None` if no line could have been read as such.
    pub(super) fn record(&self) -> Option<(Record, bool)> {
        self.checked().ok()
    }

    /// The same.
    ///
    /// # Errors
    /// Why no line could have been read as such, as a sentence.
    pub(super) fn checked(&self) -> Result<(Record, bool), String> {
        let Some((record, support)) = self.told() else { return Err("a row is no record".into()) };
        // Schema and id are made of the rest.
        match line::check_content(&record) {
            Ok(()) => Ok((record, support)),
            Err(what) => Err(format!("record {}: {what}", record.id)),
        }
    }

    /// The record of the row, unchecked.
    fn told(&self) -> Option<(Record, bool)> {
        let host = HostKey::of(self.key)?;
        let shape = Shape::of(self.shape)?;
        let mut names = Bytes(self.names);
        let names_more = names.number()?;
        let mut rest = Bytes(self.rest);
        let mut text = || match rest.byte()? {
            0 => Some(None),
            _ => Some(Some(rest.text()?.to_owned())),
        };
        let (name, name_source) = (text()?, text()?);
        let (servers_more, client_subnets_more, evidence_more) = (rest.number()?, rest.number()?, rest.number()?);
        let period = format_day(self.vary.day.into());
        let Vary { slots, connected, first, last, count, to_server, from_server, .. } = self.vary;
        let record = Record {
            schema: SCHEMA.to_owned(),
            id: record_id(shape.sensor, host.segment, &host.ip, host.mac, shape.indicator, &period),
            revision: shape.revision,
            sensor: shape.sensor.to_owned(),
            source: shape.source.to_owned(),
            period,
            host: Host { ip: host.ip, mac: host.mac, segment: host.segment.to_owned(), name, name_source },
            indicator: IndicatorSummary {
                id: shape.indicator.to_owned(),
                category: shape.category,
                confidence: shape.confidence,
            },
            stage: shape.stage,
            channels: Channel::ALL.into_iter().filter(|c| shape.channels >> packed::channel_bit(*c) & 1 == 1).collect(),
            names: list(&mut names, |b| b.text().map(str::to_owned))?,
            names_more,
            servers: list(&mut rest, server)?,
            servers_more,
            client_subnets: list(&mut rest, |b| Prefix::new(Addr(b.array()?), b.byte()?))?,
            client_subnets_more,
            first_seen: first,
            last_seen: last,
            count,
            sessions: slots.runs(),
            slots,
            slots_connected: connected,
            bytes_to_server: to_server,
            bytes_from_server: from_server,
            notes: shape.notes()?,
            community_ids: list(&mut rest, |b| b.text().map(str::to_owned))?,
            evidence: list(&mut rest, evidence)?,
            evidence_more,
        };
        Some((record, shape.support))
    }
}

/// The host that a key stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HostKey<'a> {
    pub(super) ip: Addr,
    pub(super) segment: &'a str,
    pub(super) mac: Option<Mac>,
}

impl<'a> HostKey<'a> {
    pub(super) fn of(key: &'a [u8]) -> Option<HostKey<'a>> {
        let mut read = Bytes(key);
        let ip = Addr(read.array()?);
        let segment = read.until_zero()?;
        let mac = if read.is_empty() { None } else { Some(Mac(read.array()?)) };
        read.is_empty().then_some(HostKey { ip, segment, mac })
    }
}

/// What a shape says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape<'a> {
    pub(super) indicator: &'a str,
    pub(super) source: &'a str,
    pub(super) sensor: &'a str,
    pub(super) category: Category,
    pub(super) confidence: Confidence,
    pub(super) stage: Stage,
    pub(super) support: bool,
    pub(super) channels: u32,
    pub(super) revision: u64,
    notes: Bytes<'a>,
}

impl<'a> Shape<'a> {
    pub(super) fn of(shape: &'a [u8]) -> Option<Shape<'a>> {
        let mut read = Bytes(shape);
        Some(Shape {
            indicator: read.until_zero()?,
            source: read.until_zero()?,
            sensor: read.until_zero()?,
            category: *CATEGORIES.get(usize::from(read.byte()?))?,
            confidence: *CONFIDENCES.get(usize::from(read.byte()?))?,
            stage: *packed::STAGES.get(usize::from(read.byte()?))?,
            support: read.byte()? != 0,
            channels: u32::try_from(read.number()?).ok()?,
            revision: read.number()?,
            notes: read,
        })
    }

    /// As [`Record::tells_of_roles`](crate::sighting::Record::tells_of_roles).
    fn tells_of_roles(&self) -> Option<bool> {
        let has = |c| self.channels >> packed::channel_bit(c) & 1 == 1;
        let told = self.category == Category::LanManagement || has(Channel::HttpPath) || has(Channel::HttpConnect);
        Some(told || self.notes()?.iter().any(|n| n == Note::ViaProxy.as_str()))
    }

    pub(super) fn notes(&self) -> Option<Vec<String>> {
        list(&mut self.notes.clone(), |b| b.text().map(str::to_owned))
    }
}

/// The names of a row, and how many more there were.
pub(super) fn names(part: &[u8]) -> Option<(Vec<&str>, u64)> {
    let mut read = Bytes(part);
    let more = read.number()?;
    Some((list(&mut read, Bytes::text)?, more))
}

/// As many entries as there are said to be. What says so may lie, so that room
/// is not made for all of them at once.
fn list<'a, T>(read: &mut Bytes<'a>, mut entry: impl FnMut(&mut Bytes<'a>) -> Option<T>) -> Option<Vec<T>> {
    let count = read.len()?;
    let mut all = Vec::with_capacity(count.min(64));
    for _ in 0..count {
        all.push(entry(read)?);
    }
    Some(all)
}

fn server(read: &mut Bytes<'_>) -> Option<Server> {
    let (ip, port) = (Addr(read.array()?), u16::from_be_bytes(read.array()?));
    let transport = if read.byte()? == 0 { "tcp" } else { "udp" };
    Some(Server { ip, port, transport: transport.to_owned() })
}

fn put_evidence(out: &mut Vec<u8>, e: &Evidence) {
    for text in [&e.path, &e.interface, &e.name] {
        out.push(text.is_some().into());
        if let Some(text) = text {
            put_bytes(out, text.as_bytes());
        }
    }
    put_number(out, e.frame);
    out.push(e.offset.is_some().into());
    if let Some(offset) = e.offset {
        put_number(out, offset);
    }
    out.extend_from_slice(&e.ts.0.to_le_bytes());
    put_number(out, packed::channel_bit(e.channel).into());
    for (ip, port) in [(e.src, e.sport), (e.dst, e.dport)] {
        out.extend_from_slice(&ip.0);
        out.extend_from_slice(&port.to_be_bytes());
    }
    put_number(out, e.layers.len() as u64);
    e.layers.iter().for_each(|layer| put_bytes(out, layer.as_bytes()));
    // 64 hexadecimal digits, as was checked when the line was read.
    out.extend_from_slice(&e.packet_hash());
}

fn evidence(read: &mut Bytes<'_>) -> Option<Evidence> {
    fn text(read: &mut Bytes<'_>) -> Option<Option<String>> {
        match read.byte()? {
            0 => Some(None),
            _ => Some(Some(read.text()?.to_owned())),
        }
    }
    let (path, interface, name) = (text(read)?, text(read)?, text(read)?);
    let frame = read.number()?;
    let offset = if read.byte()? == 0 { None } else { Some(read.number()?) };
    let ts = Timestamp(i64::from_le_bytes(read.array()?));
    let bit = read.number()?;
    let channel = Channel::ALL.into_iter().find(|c| u64::from(packed::channel_bit(*c)) == bit)?;
    let (src, sport) = (Addr(read.array()?), u16::from_be_bytes(read.array()?));
    let (dst, dport) = (Addr(read.array()?), u16::from_be_bytes(read.array()?));
    let layers = list(read, |b| b.text().map(str::to_owned))?;
    let packet_sha256 = crate::base::digest::hex(&read.array::<32>()?);
    Some(Evidence { path, interface, frame, offset, ts, channel, name, src, sport, dst, dport, layers, packet_sha256 })
}
