//! The tables that fields are looked up in (RFC 7541 section 2.3).
//!
//! Of a field that nobody asks for, only the size is kept: it tells when the
//! table is full, and nothing more is needed of it.

use super::Field;
use std::collections::VecDeque;

/// What an entry is said to take beside its text (section 4.1).
const OVERHEAD: usize = 32;

/// The largest table that is kept; browsers use as much. Of a larger one the
/// newest entries are.
pub const MAX_TABLE: usize = 65_536;

/// What a table is allowed to hold until a size update says otherwise
/// (RFC 9113 section 6.5.2).
const DEFAULT_TABLE: usize = 4096;

/// The static table (appendix A).
const STATIC: [(&str, &str); 61] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];

/// An entry, as far as it matters.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    field: Field,
    /// Bytes of its name.
    name: u32,
    /// Bytes of its value.
    value: u32,
    /// Its value, if somebody asks for that.
    text: Option<Box<[u8]>>,
}

impl Entry {
    /// What it takes of the table's limit.
    fn size(&self) -> usize {
        OVERHEAD.saturating_add(self.name as usize).saturating_add(self.value as usize)
    }

    /// What it takes of memory beside its place in the table.
    fn cost(&self) -> usize {
        self.text.as_ref().map_or(0, |text| text.len())
    }
}

/// What an index stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found<'t> {
    /// A field: which, the length of its name, and its value if somebody asks
    /// for it.
    Field(Field, u32, &'t [u8]),
    /// An entry that was not seen, or is no longer kept.
    Missing,
    /// Nothing: the index is beyond the table.
    Nothing,
}

/// The dynamic table.
#[derive(Clone, Debug)]
pub(super) struct Table {
    /// The newest first.
    entries: VecDeque<Entry>,
    /// Sum of the entries' sizes.
    size: usize,
    /// What that may be.
    limit: usize,
    /// Bytes of the values that are kept.
    texts: usize,
    /// Entries older than those that are kept may exist.
    partial: bool,
}

impl Table {
    /// An empty table; `partial` if entries came before that were not seen.
    pub(super) fn new(partial: bool) -> Self {
        Table { entries: VecDeque::new(), size: 0, limit: DEFAULT_TABLE, texts: 0, partial }
    }

    /// Bytes of memory that it takes.
    pub(super) fn cost(&self) -> usize {
        self.entries.capacity().saturating_mul(size_of::<Entry>()).saturating_add(self.texts)
    }

    /// Looks an index up. What is newest has the lowest number behind the
    /// static table, so that those kept are right also where older ones are
    /// not known.
    pub(super) fn get(&self, index: u32) -> Found<'_> {
        let Some(at) = (index as usize).checked_sub(1) else { return Found::Nothing };
        if let Some((name, value)) = STATIC.get(at) {
            return Found::Field(Field::of(name.as_bytes()), name.len() as u32, value.as_bytes());
        }
        match self.entries.get(at.saturating_sub(STATIC.len())) {
            Some(entry) if entry.field == Field::Missing => Found::Missing,
            Some(entry) => Found::Field(entry.field, entry.name, entry.text.as_deref().unwrap_or(&[])),
            None if self.partial => Found::Missing,
            None => Found::Nothing,
        }
    }

    /// Adds a field, of which `text` is kept if it matters, and drops as many
    /// of the oldest as the limit asks for.
    pub(super) fn add(&mut self, field: Field, name: u32, value: u32, text: &[u8]) {
        let text = field.is_asked_for().then(|| text.into());
        let entry = Entry { field, name, value, text };
        let size = entry.size();
        self.shrink(self.limit.saturating_sub(size.min(self.limit)));
        // One larger than the table empties it (section 4.4). Where the limit
        // or the entry's size is not known for certain, and it is kept or left
        // out wrongly, it is the oldest, so that the others keep their numbers.
        if size <= self.limit {
            self.size = self.size.saturating_add(size);
            self.texts = self.texts.saturating_add(entry.cost());
            self.entries.push_front(entry);
        }
    }

    /// Takes a size update (section 6.3). Whoever may be allowed more than
    /// [`MAX_TABLE`] is followed as far as that.
    pub(super) fn set_limit(&mut self, limit: u32) {
        let limit = limit as usize;
        self.partial |= limit > MAX_TABLE;
        self.limit = limit.min(MAX_TABLE);
        self.shrink(self.limit);
        if self.limit == 0 {
            self.entries = VecDeque::new();
        }
    }

    /// Entries are missing from now on: none of those kept can be told by its
    /// number any more.
    pub(super) fn lose(&mut self) {
        let limit = self.limit;
        *self = Table { limit, ..Table::new(true) };
    }

    fn shrink(&mut self, limit: usize) {
        while self.size > limit
            && let Some(entry) = self.entries.pop_back()
        {
            self.size = self.size.saturating_sub(entry.size());
            self.texts = self.texts.saturating_sub(entry.cost());
        }
    }

    /// Size as the peers reckon it, and the number of entries.
    #[cfg(test)]
    pub(super) fn size(&self) -> (usize, usize) {
        (self.size, self.entries.len())
    }
}
