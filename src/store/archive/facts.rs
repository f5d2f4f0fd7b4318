//! What counting reads of an archive: contacts of some hosts at a time.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::block::{Block, Head};
use super::manifest::{MAX_CATALOGUE, SourceSpan};
use super::piece::Piece;
use super::row::{HostKey, Shape, host_hash, names};
use super::{Archive, damaged, failed, open_listed, read};
use crate::base::bytes::Bytes;
use crate::base::digest::hex;
use crate::base::time::{DAY_SECS, format_day};
use crate::base::{Stage, Timestamp};
use crate::catalogue::{Category, LongText};
use crate::flow::Notes;
use crate::host::facts::{Channels, Contact, Facts, Indicated, SeenHost, ServedBy, Vantage, notes_of, servers_of};
use crate::sighting::draft::record_hash;
use crate::store::packed;
use crate::store::{Result, StoreError};
use foldhash::HashSet;
use ring::digest::{SHA256, digest};
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};

/// The names that records list, by the place of the record in
/// [`Facts::contacts`].
#[derive(Debug)]
pub struct NamesInto<'n> {
    /// Every name once.
    pub texts: &'n mut Vec<Box<str>>,
    /// Places in `texts`, those of one record after those of the record before.
    pub all: &'n mut Vec<u32>,
    /// Where in `all` those of each record end.
    pub ends: &'n mut Vec<u32>,
}

/// An import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportOf {
    /// Version of the program.
    pub version: String,
    /// SHA-256 of the catalogue in effect, in hexadecimal.
    pub catalogue_sha256: String,
    /// When it began.
    pub started: Timestamp,
    /// Records read.
    pub read: u64,
    /// Least and greatest time of these.
    pub covers: Option<(Timestamp, Timestamp)>,
}

impl Archive {
    /// In how many parts its contacts can be read. All contacts of a hardware
    /// address, or of a segment and address without one, are in one part, and
    /// so are those of hosts that depend on each other for whose a record is;
    /// where any record lists servers that may tell of roles, there is one part
    /// only.
    pub fn parts(&self) -> u32 {
        let pieces = &self.manifest.pieces;
        let all = u32::try_from(pieces.len()).unwrap_or(u32::MAX);
        if self.is_tied() {
            return all.min(1);
        }
        // Where that cannot be read, any part says so.
        all.saturating_add(u32::from(self.together().is_ok_and(|t| !t.hosts.is_empty())))
    }

    /// Whether any record lists servers that may tell of roles: then there is one
    /// part.
    pub fn is_tied(&self) -> bool {
        self.manifest.pieces.iter().any(|p| p.ties)
    }

    /// Whether any record has a hardware address.
    pub fn has_hardware_addresses(&self) -> bool {
        self.manifest.pieces.iter().any(|p| p.hardware)
    }

    /// First and last day with a record, since the epoch.
    pub fn days(&self) -> Option<(i32, i32)> {
        let pieces = &self.manifest.pieces;
        Some((pieces.iter().map(|p| p.first).min()?, pieces.iter().map(|p| p.last).max()?))
    }

    /// Least and greatest time of a record, as far as these lie on the first and
    /// the last day.
    pub fn span(&self) -> Option<(Timestamp, Timestamp)> {
        let (first, last) = self.days()?;
        let mut all = SourceSpan::default();
        self.manifest.sources.values().chain([&self.manifest.others]).for_each(|s| all.unite(s));
        let start = |day: i64| Timestamp::from_parts(day.saturating_mul(DAY_SECS), 0);
        let within =
            |t: Timestamp, day: i32| t.clamp(start(day.into()), start(i64::from(day).saturating_add(1)).plus(-1));
        Some((within(all.first, first), within(all.last, last)))
    }

    /// The imports, oldest first.
    pub fn imports(&self) -> impl Iterator<Item = ImportOf> + '_ {
        self.manifest.runs.iter().map(|r| ImportOf {
            version: r.version.clone(),
            catalogue_sha256: r.catalogue_sha256.clone(),
            started: r.started,
            read: r.read,
            covers: r.covers,
        })
    }

    /// The text of a catalogue that was in effect at an import; `None` if there
    /// is none with that hash.
    ///
    /// # Errors
    /// Where it cannot be read, or is not what was written.
    pub fn catalogue(&self, sha256: &str) -> Result<Option<LongText>> {
        let Some(listed) = self.manifest.catalogues.iter().find(|c| c.catalogue.as_deref() == Some(sha256)) else {
            return Ok(None);
        };
        let wrong = |what: &str| {
            let detail = format!("{} {what}", listed.path);
            StoreError::Corrupt { place: self.place(), detail }
        };
        if listed.size > MAX_CATALOGUE {
            return Err(wrong("is longer than a catalogue can be"));
        }
        let mut bytes = Vec::new();
        let file = open_listed(&self.folder, listed)?;
        file.take(listed.size).read_to_end(&mut bytes).map_err(|e| failed(&self.place(), &e))?;
        if hex(digest(&SHA256, &bytes).as_ref()) != listed.sha256 {
            return Err(wrong("is not as it was written"));
        }
        let text = std::str::from_utf8(&bytes).map_err(|_| wrong("is no text"))?;
        Ok(Some(LongText::from(text)))
    }

    /// Adds the contacts of a part on the days that `has` takes to `facts`,
    /// which must be empty, and their names. Without `ids`, [`Contact::id`] is
    /// left zero: it takes longer to compute than all the rest to read.
    ///
    /// # Errors
    /// Where the archive cannot be read.
    pub fn part(
        &self,
        number: u32,
        has: &dyn Fn(i32) -> bool,
        ids: bool,
        facts: &mut Facts,
        names: Option<NamesInto<'_>>,
    ) -> Result<()> {
        let pieces = &self.manifest.pieces;
        if self.is_tied() {
            return self.fill(pieces, has, ids, facts, names, None);
        }
        let together = self.together()?;
        match pieces.get(number as usize..).and_then(|p| p.get(..1)).filter(|p| !p.is_empty()) {
            Some(one) if together.hosts.is_empty() => self.fill(one, has, ids, facts, names, None),
            Some(one) => self.fill(one, has, ids, facts, names, Some((&together.hosts, false))),
            None => {
                let theirs: Vec<Piece> =
                    together.pieces.iter().filter_map(|at| pieces.get(*at as usize)).copied().collect();
                self.fill(&theirs, has, ids, facts, names, Some((&together.hosts, true)))
            }
        }
    }

    /// The same of all parts together.
    ///
    /// # Errors
    /// Where the archive cannot be read.
    pub fn whole(
        &self,
        has: &dyn Fn(i32) -> bool,
        ids: bool,
        facts: &mut Facts,
        names: Option<NamesInto<'_>>,
    ) -> Result<()> {
        self.fill(&self.manifest.pieces, has, ids, facts, names, None)
    }

    /// Adds the contacts of pieces; with `only`, of the hosts in a set, or of all
    /// others.
    pub(super) fn fill(
        &self,
        pieces: &[Piece],
        has: &dyn Fn(i32) -> bool,
        ids: bool,
        facts: &mut Facts,
        names: Option<NamesInto<'_>>,
        only: Option<(&HashSet<u64>, bool)>,
    ) -> Result<()> {
        let Some(file) = &self.data else { return Ok(()) };
        let mut filling = Filling { archive: self, has, ids, only, facts, names, known: Known::default() };
        for piece in pieces {
            filling.piece(file, piece).map_err(|e| failed(&self.place(), &e))?;
        }
        Ok(())
    }
}

/// What a shape says, in numbers.
#[derive(Clone, Copy)]
struct Numbers {
    indicator: u32,
    source: u32,
    stage: Stage,
    support: bool,
    channels: Channels,
    notes: Notes,
}

/// Numbers that were given.
#[derive(Default)]
struct Known {
    shapes: HashMap<Box<[u8]>, Numbers, foldhash::fast::FixedState>,
    indicators: HashMap<(String, Category), u32>,
    sources: HashMap<String, u32>,
    names: HashMap<Box<str>, u32, foldhash::fast::FixedState>,
}

/// Makes the ids of the records of one host ([`record_hash`]).
struct Ids<'a> {
    segment: &'a str,
    ip: String,
    mac: String,
    day: (i32, String),
    room: Vec<u8>,
}

impl<'a> Ids<'a> {
    fn of(key: &'a [u8]) -> Option<Self> {
        let HostKey { ip, segment, mac } = HostKey::of(key)?;
        let mac = mac.map(|m| m.to_string()).unwrap_or_default();
        Some(Ids { segment, ip: ip.to_string(), mac, day: (i32::MIN, String::new()), room: Vec::new() })
    }

    fn id(&mut self, shape: &Shape<'_>, day: i32) -> [u8; 16] {
        if self.day.0 != day {
            self.day = (day, format_day(day.into()));
        }
        let parts = [shape.sensor, self.segment, &self.ip, &self.mac, shape.indicator, &self.day.1];
        record_hash(parts, &mut self.room)
    }
}

/// A part that is being read.
struct Filling<'f> {
    archive: &'f Archive,
    has: &'f dyn Fn(i32) -> bool,
    ids: bool,
    only: Option<(&'f HashSet<u64>, bool)>,
    facts: &'f mut Facts,
    names: Option<NamesInto<'f>>,
    known: Known,
}

impl Filling<'_> {
    fn piece(&mut self, file: &File, piece: &Piece) -> io::Result<()> {
        if !self.has_any(piece.first, piece.last) {
            return Ok(());
        }
        let mut packed = Vec::new();
        read::load(file, piece, &mut packed)?;
        self.facts.contacts.reserve(usize::try_from(piece.records).unwrap_or(0).min(1 << 20));
        let mut read = Bytes(&packed);
        let mut block = Block::default();
        let fault = || damaged("a block of records");
        while !read.is_empty() {
            let head = Head::take(&mut read).ok_or_else(fault)?;
            if !self.has_any(head.first, head.last) {
                continue;
            }
            block.read(&head, piece.ties).ok_or_else(fault)?;
            self.block(&block, piece.ties).ok_or_else(fault)?;
        }
        Ok(())
    }

    /// Whether any of these days is wanted; of very many it may say so wrongly.
    fn has_any(&self, first: i32, last: i32) -> bool {
        last.abs_diff(first) > 4000 || (first..=last).any(|day| (self.has)(day))
    }

    fn block(&mut self, block: &Block, ties: bool) -> Option<()> {
        let shapes: Vec<Numbers> = block.shapes().map(|s| self.shape(s)).collect::<Option<_>>()?;
        let lists: Vec<(u32, Vec<u32>)> = block.names().map(|n| self.list(n)).collect::<Option<_>>()?;
        let texts: Vec<Shape<'_>> = match self.ids {
            true => block.shapes().map(Shape::of).collect::<Option<_>>()?,
            false => Vec::new(),
        };
        for host in &block.hosts {
            if self.only.is_some_and(|(hosts, are)| hosts.contains(&host_hash(block.key(host))) != are) {
                continue;
            }
            let mut seen = None;
            let mut ids = if self.ids { Some(Ids::of(block.key(host))?) } else { None };
            for at in host.rows.clone() {
                let row = block.rows.get(at)?;
                let v = &row.vary;
                if !(self.has)(v.day) {
                    continue;
                }
                let seen = match seen {
                    Some(seen) => seen,
                    None => *seen.insert(self.seen(block.key(host))?),
                };
                let shape = shapes.get(row.shape as usize)?;
                let (names, listed) = lists.get(row.names as usize)?;
                let contact = Contact {
                    seen,
                    indicator: shape.indicator,
                    source: shape.source,
                    id: match &mut ids {
                        Some(ids) => ids.id(texts.get(row.shape as usize)?, v.day),
                        None => [0; 16],
                    },
                    day: v.day,
                    stage: shape.stage,
                    support: shape.support,
                    channels: shape.channels,
                    notes: shape.notes,
                    names: *names,
                    slots: v.slots,
                    slots_connected: v.connected,
                    first: v.first,
                    last: v.last,
                    count: v.count,
                    bytes_from_server: v.from_server,
                };
                if ties {
                    let (record, _) = block.row(host, at)?.record()?;
                    let contact = u32::try_from(self.facts.contacts.len()).ok()?;
                    let start = self.facts.servers.len();
                    self.facts.servers.extend(servers_of(&record).map(|s| ServedBy { contact, ..s }));
                    self.facts.servers.get_mut(start..)?.sort_unstable();
                }
                self.facts.contacts.push(contact);
                if let Some(names) = &mut self.names {
                    names.all.extend_from_slice(listed);
                    names.ends.push(u32::try_from(names.all.len()).ok()?);
                }
            }
        }
        Some(())
    }

    /// The number of a host; of one that a block before ended with the same.
    fn seen(&mut self, key: &[u8]) -> Option<u32> {
        let HostKey { ip, segment, mac } = HostKey::of(key)?;
        let seen = &mut self.facts.seen;
        if !seen.last().is_some_and(|h| h.ip == ip && h.mac == mac && h.segment == segment) {
            seen.push(SeenHost { segment: segment.to_owned(), ip, mac });
        }
        u32::try_from(seen.len().checked_sub(1)?).ok()
    }

    fn shape(&mut self, bytes: &[u8]) -> Option<Numbers> {
        if let Some(numbers) = self.known.shapes.get(bytes) {
            return Some(*numbers);
        }
        let shape = Shape::of(bytes)?;
        let filed = self.archive.manifest.filed.get(shape.indicator);
        let category = filed.copied().unwrap_or(shape.category);
        let key = (shape.indicator.to_owned(), category);
        let (indicators, sources) = (&mut self.facts.indicators, &mut self.facts.sources);
        let indicator = *self.known.indicators.entry(key).or_insert_with(|| {
            indicators.push(Indicated { id: shape.indicator.to_owned(), category });
            u32::try_from(indicators.len().saturating_sub(1)).unwrap_or(u32::MAX)
        });
        let manifest = &self.archive.manifest;
        let source = *self.known.sources.entry(shape.source.to_owned()).or_insert_with(|| {
            // What the source could see shows in all its records, not in those
            // of this part alone.
            let span = manifest.sources.get(shape.source).unwrap_or(&manifest.others);
            let channels = packed::channels(span.channels);
            sources.push(Vantage {
                source: shape.source.to_owned(),
                other_flows: !channels.is_lookup(),
                dns_answers: channels.has(crate::base::Channel::DnsAnswer),
            });
            u32::try_from(sources.len().saturating_sub(1)).unwrap_or(u32::MAX)
        });
        let numbers = Numbers {
            indicator,
            source,
            stage: shape.stage,
            support: shape.support,
            channels: packed::channels(shape.channels),
            notes: notes_of(&shape.notes()?),
        };
        self.known.shapes.insert(bytes.into(), numbers);
        Some(numbers)
    }

    /// How many names there are, and the numbers of those listed, if wanted.
    fn list(&mut self, part: &[u8]) -> Option<(u32, Vec<u32>)> {
        let Some(into) = &mut self.names else {
            let mut read = Bytes(part);
            let more = read.number()?;
            return Some((u32::try_from(more.saturating_add(read.number()?)).unwrap_or(u32::MAX), Vec::new()));
        };
        let (listed, more) = names(part)?;
        let count = u32::try_from(more.saturating_add(listed.len() as u64)).unwrap_or(u32::MAX);
        let mut numbers = Vec::with_capacity(listed.len());
        for name in listed {
            let number = match self.known.names.get(name) {
                Some(number) => *number,
                None => {
                    let number = u32::try_from(into.texts.len()).ok()?;
                    into.texts.push(name.into());
                    self.known.names.insert(name.into(), number);
                    number
                }
            };
            numbers.push(number);
        }
        Some((count, numbers))
    }
}
