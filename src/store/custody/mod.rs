//! Custody: digests of what each day holds, chained, so that it shows when
//! something was altered, added or removed afterwards.
//!
//! All digests are SHA-256 over one or more lines of text, each ended by a line
//! feed, so that `sqlite3` and `sha256sum` can make them too:
//!
//! - of a contribution: `support`, space, the record as stored;
//! - of a day's content: for each contribution in the order of source and id,
//!   its digest, its id and its source, with spaces between;
//! - of a link of the chain: the digest of the link before it (64 zeros for
//!   the first), `closed` or `removed`, the day, the number of records, the
//!   day's content and the cause, with spaces between.
//!
//! The digest of a contribution is written together with it, and closing a day
//! puts together what was written. So what was altered in between stays
//! visible, also after a later import into the same day.

mod check;
mod close;
mod missing;
mod retain;
mod seal;

pub(super) use check::MAX_FINDINGS;
pub use check::{Finding, Verified};
pub(super) use close::{Changed, adopt, note_record};
pub use retain::Removed;
pub use seal::{KeyError, PublicKey, Seal, SealKey};

use super::{Result, Store};
use crate::base::Timestamp;
use crate::base::digest::hex;
use ring::digest::{Context, SHA256, digest};
use rusqlite::{Connection, OptionalExtension, Row};

/// The tables.
pub(super) const TABLES: &str = "
CREATE TABLE record_digests (        -- what each contribution was when it was written
    day       TEXT NOT NULL,
    source_no INTEGER NOT NULL REFERENCES sources (source_no) ON DELETE CASCADE,
    id        TEXT NOT NULL,
    digest    BLOB NOT NULL CHECK (length(digest) = 32),
    PRIMARY KEY (day, source_no, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE changed_days (          -- written to since they were last closed
    day       TEXT NOT NULL,
    source_no INTEGER NOT NULL REFERENCES sources (source_no) ON DELETE CASCADE,
    PRIMARY KEY (day, source_no)
) STRICT, WITHOUT ROWID;

CREATE TABLE day_links (             -- the chain; rows are only ever added
    seq       INTEGER PRIMARY KEY,
    kind      TEXT NOT NULL CHECK (kind IN ('closed', 'removed')),
    day       TEXT NOT NULL,
    records   INTEGER NOT NULL,
    content   TEXT NOT NULL,        -- SHA-256 over the digests of the day's records
    cause     TEXT NOT NULL,        -- the sources that changed the day, or the rule that removed it
    previous  TEXT NOT NULL,
    digest    TEXT NOT NULL,
    linked_ns INTEGER NOT NULL
) STRICT;
CREATE INDEX day_links_day ON day_links (day);

CREATE TABLE seals (
    seal       INTEGER PRIMARY KEY,
    seq        INTEGER NOT NULL,    -- of the link that was the last one
    digest     TEXT NOT NULL,       -- its digest
    sealed_ns  INTEGER NOT NULL,
    public_key TEXT NOT NULL,
    signature  TEXT NOT NULL
) STRICT;

ALTER TABLE runs ADD COLUMN environment TEXT NOT NULL DEFAULT '{}'; -- JSON object: what the run ran on
";

/// What the first link follows: 64 zeros.
const BEGINNING: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// What happened to a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkKind {
    /// Its content was put together.
    Closed,
    /// Its records were removed by a rule of retention.
    Removed,
}

impl LinkKind {
    /// The word in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            LinkKind::Closed => "closed",
            LinkKind::Removed => "removed",
        }
    }
}

/// A link of the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its place in the chain, from 1.
    pub seq: i64,
    /// What happened.
    pub kind: LinkKind,
    /// UTC day.
    pub day: String,
    /// Records (one for each source and id) of the day then; of a removal,
    /// those that were removed.
    pub records: i64,
    /// Digest of the day's content, in hex; of a removal, of what was removed.
    pub content: String,
    /// The sources whose records changed the day, or the rule that removed it.
    pub cause: String,
    /// Digest of the link before it.
    pub previous: String,
    /// Its own digest, in hex.
    pub digest: String,
    /// When it was added, by the machine's clock; not part of the digest, so
    /// that equal inputs give equal chains.
    pub linked: Timestamp,
}

impl Link {
    /// The digest that follows from its content.
    fn reckoned(&self) -> String {
        let Link { previous, kind, day, records, content, cause, .. } = self;
        sha256_hex(format!("{previous} {} {day} {records} {content} {cause}\n", kind.as_str()).as_bytes())
    }

    fn of_row(row: &Row<'_>) -> rusqlite::Result<Link> {
        let kind: String = row.get(1)?;
        Ok(Link {
            seq: row.get(0)?,
            kind: if kind == "removed" { LinkKind::Removed } else { LinkKind::Closed },
            day: row.get(2)?,
            records: row.get(3)?,
            content: row.get(4)?,
            cause: row.get(5)?,
            previous: row.get(6)?,
            digest: row.get(7)?,
            linked: Timestamp(row.get(8)?),
        })
    }
}

/// The columns of a [`Link`].
const COLUMNS: &str = "seq, kind, day, records, content, cause, previous, digest, linked_ns";

impl Store {
    /// The chain of day digests, from its beginning.
    ///
    /// # Errors
    /// Any [`StoreError`](super::StoreError).
    pub fn links(&self) -> Result<Vec<Link>> {
        self.list(&format!("SELECT {COLUMNS} FROM day_links ORDER BY seq"), [], Link::of_row)
    }
}

/// The link at the end of the chain.
fn last_link(c: &Connection) -> rusqlite::Result<Option<Link>> {
    c.prepare_cached(&format!("SELECT {COLUMNS} FROM day_links ORDER BY seq DESC LIMIT 1"))?
        .query_row([], Link::of_row)
        .optional()
}

/// Adds a link to the end of the chain.
fn append(
    c: &Connection,
    kind: LinkKind,
    day: &str,
    (records, content): (i64, String),
    cause: String,
) -> rusqlite::Result<()> {
    let last = last_link(c)?;
    let mut link = Link {
        seq: last.as_ref().map_or(1, |l| l.seq.saturating_add(1)),
        kind,
        day: day.to_owned(),
        records,
        content,
        cause,
        previous: last.map_or_else(|| BEGINNING.to_owned(), |l| l.digest),
        digest: String::new(),
        linked: Timestamp::now(),
    };
    link.digest = link.reckoned();
    c.prepare_cached(&format!("INSERT INTO day_links ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"))?
        .execute(rusqlite::params![
            link.seq,
            link.kind.as_str(),
            link.day,
            link.records,
            link.content,
            link.cause,
            link.previous,
            link.digest,
            link.linked.0,
        ])
        .map(drop)
}

/// The digest of a contribution as it is stored.
fn record_digest(support: bool, record: &str) -> [u8; 32] {
    let mut h = Context::new(&SHA256);
    h.update(if support { b"1 " } else { b"0 " });
    h.update(record.as_bytes());
    h.update(b"\n");
    h.finish().as_ref().first_chunk().copied().unwrap_or_default()
}

/// A day's content in the making.
struct Content {
    hash: Context,
    records: i64,
}

impl Content {
    fn new() -> Self {
        Content { hash: Context::new(&SHA256), records: 0 }
    }

    fn add(&mut self, digest: &[u8], id: &str, source: &str) {
        self.hash.update(format!("{} {id} {source}\n", hex(digest)).as_bytes());
        self.records = self.records.saturating_add(1);
    }

    fn finish(self) -> (i64, String) {
        (self.records, hex(self.hash.finish().as_ref()))
    }
}

fn sha256_hex(bytes: &[u8]) -> String {
    hex(digest(&SHA256, bytes).as_ref())
}
