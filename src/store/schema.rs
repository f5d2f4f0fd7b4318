//! The tables, and how a store of an earlier version becomes one of this.

use super::custody;
use super::error::{Place, StoreError};
use super::narrow;
use crate::coverage::shares;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};
use std::collections::BTreeSet;

/// SQLite's `application_id` of a store: `SpSt`.
pub(super) const APPLICATION_ID: i64 = 0x5370_5374;

/// A step from one version to the next: SQL, then what SQL alone cannot do.
#[derive(Clone, Copy)]
pub(super) struct Step {
    pub(super) sql: &'static str,
    pub(super) fill: fn(&Connection) -> rusqlite::Result<()>,
}

impl Step {
    const fn sql(sql: &'static str) -> Self {
        Step { sql, fill: |_| Ok(()) }
    }
}

/// Each step takes a store from the version before it to the next; the number
/// of steps taken is SQLite's `user_version`. A released step is never edited.
pub(super) const MIGRATIONS: &[Step] = &[
    Step::sql(VERSION_1),
    Step::sql(VERSION_2),
    Step { sql: VERSION_3, fill: narrow::fill },
    Step { sql: VERSION_4, fill: custody::adopt },
    Step::sql(VERSION_5),
    Step::sql(VERSION_6),
];

/// Times are nanoseconds since the epoch. `ip` holds 16 bytes (IPv4 mapped), so
/// that it sorts; `address` is the same as text, for people. An absent MAC or
/// name is the empty text, so that it can be part of a key.
const VERSION_1: &str = "
CREATE TABLE catalogues (
    sha256  TEXT PRIMARY KEY,
    content TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE runs (
    run         INTEGER PRIMARY KEY,
    version     TEXT NOT NULL,
    command     TEXT NOT NULL,      -- JSON array of arguments
    catalogue   TEXT NOT NULL REFERENCES catalogues (sha256),
    home_nets   TEXT NOT NULL,      -- JSON array of prefixes
    sensor      TEXT NOT NULL,
    hash        TEXT NOT NULL,      -- sha256 or none: what sources are named by
    started_ns  INTEGER NOT NULL,
    ended_ns    INTEGER,
    exit_code   INTEGER,
    exit_reason TEXT
) STRICT;

CREATE TABLE sources (
    source_no INTEGER PRIMARY KEY,
    source    TEXT NOT NULL UNIQUE, -- sha256:…, file:… or run:…
    path      TEXT,                 -- as first given
    size      INTEGER,
    first_ns  INTEGER,
    last_ns   INTEGER,
    frames    INTEGER NOT NULL DEFAULT 0,
    warnings  TEXT NOT NULL DEFAULT '[]'
) STRICT;

CREATE TABLE run_sources (
    run       INTEGER NOT NULL REFERENCES runs (run) ON DELETE CASCADE,
    source_no INTEGER NOT NULL REFERENCES sources (source_no) ON DELETE CASCADE,
    path      TEXT NOT NULL,        -- as given to that run
    PRIMARY KEY (run, source_no, path)
) STRICT, WITHOUT ROWID;
CREATE INDEX run_sources_source ON run_sources (source_no);

CREATE TABLE interfaces (
    source_no INTEGER NOT NULL REFERENCES sources (source_no) ON DELETE CASCADE,
    interface INTEGER NOT NULL,
    name      TEXT NOT NULL,
    PRIMARY KEY (source_no, interface)
) STRICT, WITHOUT ROWID;

CREATE VIEW overlaps AS              -- pairs of sources with time in common
SELECT a.source AS source, a.path AS path, b.source AS other, b.path AS other_path,
       max(a.first_ns, b.first_ns) AS from_ns, min(a.last_ns, b.last_ns) AS to_ns
FROM sources a JOIN sources b ON a.source < b.source
 AND ((a.first_ns < b.last_ns AND b.first_ns < a.last_ns)
      OR (a.first_ns = b.first_ns AND a.last_ns = b.last_ns));

CREATE TABLE sightings (
    source_no         INTEGER NOT NULL REFERENCES sources (source_no) ON DELETE CASCADE,
    id                TEXT NOT NULL,
    revision          INTEGER NOT NULL,
    period            TEXT NOT NULL,
    ip                BLOB NOT NULL CHECK (length(ip) = 16),
    address           TEXT NOT NULL,
    segment           TEXT NOT NULL,
    mac               TEXT NOT NULL,
    indicator         TEXT NOT NULL,
    category          TEXT NOT NULL,
    stage             TEXT NOT NULL,
    first_ns          INTEGER NOT NULL,
    last_ns           INTEGER NOT NULL,
    count             INTEGER NOT NULL,
    bytes_to_server   INTEGER NOT NULL,
    bytes_from_server INTEGER NOT NULL,
    support           INTEGER NOT NULL CHECK (support IN (0, 1)),
    record            TEXT NOT NULL CHECK (json_valid(record)),
    UNIQUE (id, source_no)
) STRICT;
CREATE INDEX sightings_order ON sightings (period, ip, segment, mac, indicator);
CREATE INDEX sightings_source ON sightings (source_no);

CREATE TABLE coverage (
    source_no INTEGER NOT NULL REFERENCES sources (source_no) ON DELETE CASCADE,
    interface INTEGER NOT NULL,
    quarter   INTEGER NOT NULL,     -- quarter hours since the epoch
    counter   TEXT NOT NULL,
    value     INTEGER NOT NULL,
    PRIMARY KEY (source_no, interface, quarter, counter)
) STRICT, WITHOUT ROWID;

CREATE TABLE coverage_addresses (    -- distinct home addresses seen at all
    source_no INTEGER NOT NULL REFERENCES sources (source_no) ON DELETE CASCADE,
    interface INTEGER NOT NULL,
    quarter   INTEGER NOT NULL,
    addresses INTEGER NOT NULL,
    more      INTEGER NOT NULL,     -- sightings of addresses beyond the cap
    PRIMARY KEY (source_no, interface, quarter)
) STRICT, WITHOUT ROWID;

CREATE TABLE coverage_networks (     -- the same per /24 and /64
    source_no INTEGER NOT NULL REFERENCES sources (source_no) ON DELETE CASCADE,
    interface INTEGER NOT NULL,
    quarter   INTEGER NOT NULL,
    prefix    TEXT NOT NULL,
    addresses INTEGER NOT NULL,
    PRIMARY KEY (source_no, interface, quarter, prefix)
) STRICT, WITHOUT ROWID;

CREATE TABLE intervals (             -- who had an address when
    source_no INTEGER NOT NULL REFERENCES sources (source_no) ON DELETE CASCADE,
    kind      TEXT NOT NULL,
    segment   TEXT NOT NULL,
    ip        BLOB NOT NULL CHECK (length(ip) = 16),
    mac       TEXT NOT NULL,
    name      TEXT NOT NULL,
    from_ns   INTEGER NOT NULL,
    to_ns     INTEGER NOT NULL,
    address   TEXT NOT NULL,
    PRIMARY KEY (source_no, kind, segment, ip, mac, name, from_ns)
) STRICT, WITHOUT ROWID;

CREATE TABLE canaries (              -- test lookups that the sensor did see
    source_no INTEGER NOT NULL REFERENCES sources (source_no) ON DELETE CASCADE,
    name      TEXT NOT NULL,
    ts_ns     INTEGER NOT NULL,
    segment   TEXT NOT NULL,
    ip        BLOB NOT NULL CHECK (length(ip) = 16),
    mac       TEXT NOT NULL,
    channel   TEXT NOT NULL,
    address   TEXT NOT NULL,
    PRIMARY KEY (source_no, name, ts_ns, segment, ip, mac, channel)
) STRICT, WITHOUT ROWID;
";

const VERSION_2: &str = "
CREATE TABLE coverage_resolvers (    -- distinct home hosts that used encrypted DNS, by resolver
    source_no INTEGER NOT NULL REFERENCES sources (source_no) ON DELETE CASCADE,
    interface INTEGER NOT NULL,
    quarter   INTEGER NOT NULL,
    resolver  TEXT NOT NULL,        -- its name as listed, '(port 853)' or '(others)'
    hosts     INTEGER NOT NULL,
    estimated INTEGER NOT NULL,     -- how many of them are
    PRIMARY KEY (source_no, interface, quarter, resolver)
) STRICT, WITHOUT ROWID;
";

/// What hosts are judged by, so that nobody has to read the records for it.
/// `sightings` gets a number of its own that other rows can hold on to, and
/// `intervals` its long keys once instead of once a day.
const VERSION_3: &str = "
CREATE TABLE new_sightings (
    sighting          INTEGER PRIMARY KEY,
    source_no         INTEGER NOT NULL REFERENCES sources (source_no) ON DELETE CASCADE,
    id                TEXT NOT NULL,
    revision          INTEGER NOT NULL,
    period            TEXT NOT NULL,
    ip                BLOB NOT NULL CHECK (length(ip) = 16),
    address           TEXT NOT NULL,
    segment           TEXT NOT NULL,
    mac               TEXT NOT NULL,
    indicator         TEXT NOT NULL,
    category          TEXT NOT NULL,
    stage             TEXT NOT NULL,
    first_ns          INTEGER NOT NULL,
    last_ns           INTEGER NOT NULL,
    count             INTEGER NOT NULL,
    bytes_to_server   INTEGER NOT NULL,
    bytes_from_server INTEGER NOT NULL,
    support           INTEGER NOT NULL CHECK (support IN (0, 1)),
    record            TEXT NOT NULL CHECK (json_valid(record)),
    UNIQUE (id, source_no)
) STRICT;
INSERT INTO new_sightings
SELECT rowid, source_no, id, revision, period, ip, address, segment, mac, indicator, category, stage, first_ns, last_ns,
       count, bytes_to_server, bytes_from_server, support, record
FROM sightings;
DROP TABLE sightings;
ALTER TABLE new_sightings RENAME TO sightings;
CREATE INDEX sightings_order ON sightings (period, ip, segment, mac, indicator);
CREATE INDEX sightings_source ON sightings (source_no);

CREATE TABLE seen_hosts (            -- hosts as records carry them
    seen    INTEGER PRIMARY KEY,
    segment TEXT NOT NULL,
    ip      BLOB NOT NULL CHECK (length(ip) = 16),
    mac     TEXT NOT NULL,
    address TEXT NOT NULL,
    UNIQUE (ip, segment, mac)
) STRICT;

CREATE TABLE indicators (            -- as records name them
    indicator_no INTEGER PRIMARY KEY,
    indicator    TEXT NOT NULL,
    category     TEXT NOT NULL,
    UNIQUE (indicator, category)
) STRICT;

-- One row for each of sightings, in the same order: read from end to end. What
-- it refers to without a foreign key is looked after by the program, since
-- each key would need an index as large as the table.
CREATE TABLE contacts (
    sighting     INTEGER PRIMARY KEY REFERENCES sightings (sighting) ON DELETE CASCADE,
    day          INTEGER NOT NULL,  -- UTC days since the epoch
    seen         INTEGER NOT NULL,  -- of seen_hosts
    indicator_no INTEGER NOT NULL,  -- of indicators
    source_no    INTEGER NOT NULL,  -- of sources
    packed       BLOB NOT NULL CHECK (length(packed) = 86) -- the rest; the same is in sightings
) STRICT;

CREATE TABLE contact_servers (       -- servers that may tell of a role
    sighting INTEGER NOT NULL REFERENCES contacts (sighting) ON DELETE CASCADE,
    ip       BLOB NOT NULL CHECK (length(ip) = 16),
    port     INTEGER NOT NULL,
    udp      INTEGER NOT NULL CHECK (udp IN (0, 1)),
    PRIMARY KEY (sighting, ip, port, udp)
) STRICT, WITHOUT ROWID;

CREATE TABLE interval_hosts (        -- what belonged together at times
    interval_no INTEGER PRIMARY KEY,
    source_no   INTEGER NOT NULL REFERENCES sources (source_no) ON DELETE CASCADE,
    kind        TEXT NOT NULL,
    segment     TEXT NOT NULL,
    ip          BLOB NOT NULL CHECK (length(ip) = 16),
    mac         TEXT NOT NULL,
    name        TEXT NOT NULL,
    address     TEXT NOT NULL,
    UNIQUE (ip, segment, kind, mac, name, source_no)
) STRICT;
CREATE INDEX interval_hosts_mac ON interval_hosts (mac, ip);

CREATE TABLE interval_times (        -- and when
    interval_no INTEGER NOT NULL REFERENCES interval_hosts (interval_no) ON DELETE CASCADE,
    from_ns     INTEGER NOT NULL,
    to_ns       INTEGER NOT NULL,
    PRIMARY KEY (interval_no, from_ns)
) STRICT, WITHOUT ROWID;

INSERT INTO interval_hosts (source_no, kind, segment, ip, mac, name, address)
SELECT DISTINCT source_no, kind, segment, ip, mac, name, address FROM intervals;
INSERT INTO interval_times (interval_no, from_ns, to_ns)
SELECT interval_no, from_ns, to_ns
FROM intervals JOIN interval_hosts USING (source_no, kind, segment, ip, mac, name);
DROP TABLE intervals;

CREATE VIEW intervals AS             -- who had an address when
SELECT source_no, kind, segment, ip, mac, name, from_ns, to_ns, address
FROM interval_hosts JOIN interval_times USING (interval_no);

CREATE TABLE coverage_days (         -- the counters of coverage, added up by UTC day
    source_no INTEGER NOT NULL REFERENCES sources (source_no) ON DELETE CASCADE,
    day       INTEGER NOT NULL,     -- UTC days since the epoch
    counter   TEXT NOT NULL,
    value     INTEGER NOT NULL,
    PRIMARY KEY (source_no, day, counter)
) STRICT, WITHOUT ROWID;
INSERT INTO coverage_days
SELECT source_no, (quarter - (quarter % 96 + 96) % 96) / 96 AS day, counter, CAST(min(total(value), 9.2e18) AS INTEGER)
FROM coverage GROUP BY source_no, day, counter;

CREATE TABLE signals (               -- signs of roles, a row for each UTC day on which one began
    source_no INTEGER NOT NULL REFERENCES sources (source_no) ON DELETE CASCADE,
    kind      TEXT NOT NULL,
    segment   TEXT NOT NULL,
    ip        BLOB NOT NULL CHECK (length(ip) = 16),
    mac       TEXT NOT NULL,
    detail    TEXT NOT NULL,
    day       INTEGER NOT NULL,     -- UTC days since the epoch, of from_ns
    count     INTEGER NOT NULL,
    from_ns   INTEGER NOT NULL,
    to_ns     INTEGER NOT NULL,
    address   TEXT NOT NULL,
    PRIMARY KEY (source_no, kind, segment, ip, mac, detail, day)
) STRICT, WITHOUT ROWID;

CREATE TABLE events (                -- changes of verdicts
    event        INTEGER PRIMARY KEY,
    ts_ns        INTEGER NOT NULL,
    kind         TEXT NOT NULL,     -- new, reappeared, gone, changed
    segment      TEXT NOT NULL,
    ip           BLOB NOT NULL CHECK (length(ip) = 16),
    mac          TEXT NOT NULL,
    from_verdict TEXT NOT NULL,     -- empty for a new host
    to_verdict   TEXT NOT NULL,     -- empty for one that is gone
    detail       TEXT NOT NULL,
    address      TEXT NOT NULL
) STRICT;
";

/// The tables of custody. What was stored before gets its digests then.
const VERSION_4: &str = custody::TABLES;

/// What stands beside the verdicts of events. What was noticed before has none.
const VERSION_5: &str = "
ALTER TABLE events ADD COLUMN alarms TEXT NOT NULL DEFAULT ''; -- words with commas between
ALTER TABLE events ADD COLUMN accepted INTEGER NOT NULL DEFAULT 0 CHECK (accepted IN (0, 1));
";

/// A catalogue with a long list is in parts, so that nothing has to hold it
/// whole; its `content` in `catalogues` is empty then. The parts one after the
/// other are one file that `zstd -d` reads.
const VERSION_6: &str = "
CREATE TABLE catalogue_parts (
    sha256  TEXT NOT NULL REFERENCES catalogues (sha256),
    part    INTEGER NOT NULL,
    bytes   INTEGER NOT NULL,       -- of its text
    content BLOB NOT NULL,          -- a zstd frame
    PRIMARY KEY (sha256, part)
) STRICT, WITHOUT ROWID;
";

/// Name of the view of shares.
const SHARES: &str = "coverage_shares";

/// The view of shares, from the same definitions as everywhere else: for each
/// quarter hour with a whole, part and whole and part by whole.
fn shares_view() -> String {
    let mut rows: Vec<String> = Vec::new();
    for def in shares::ALL {
        let sides =
            [(def.part, "part", 1), (def.less, "part", -1), (def.whole, "whole", 1), (def.whole_less, "whole", -1)];
        for (counters, side, sign) in sides {
            rows.extend(counters.iter().map(|c| format!("('{}', '{}', '{side}', {sign})", def.word, c.as_str())));
        }
    }
    format!(
        "CREATE VIEW {SHARES} AS
WITH terms (share, counter, side, sign) AS (VALUES {}),
sums AS (
    SELECT source_no, interface, quarter, share,
           max(0, sum(CASE side WHEN 'part' THEN sign * value ELSE 0 END)) AS part,
           max(0, sum(CASE side WHEN 'whole' THEN sign * value ELSE 0 END)) AS whole
    FROM coverage JOIN terms USING (counter)
    GROUP BY source_no, interface, quarter, share
)
SELECT source, interface, quarter, share, part, whole, CAST(part AS REAL) / whole AS ratio
FROM sums JOIN sources USING (source_no) WHERE whole > 0",
        rows.join(", ")
    )
}

/// The views of this version. They are made from definitions in the program, so
/// a store may have those of another version; then they are made anew.
pub(super) fn views() -> [(&'static str, String); 1] {
    [(SHARES, shares_view())]
}

fn refresh(conn: &Connection, name: &str, wanted: &str) -> rusqlite::Result<()> {
    let mut query = conn.prepare("SELECT sql FROM sqlite_master WHERE type = 'view' AND name = ?1")?;
    let found: Option<String> = query.query_row([name], |row| row.get(0)).optional()?;
    if found.is_some_and(|sql| sql == wanted) {
        return Ok(());
    }
    conn.execute_batch(&format!("DROP VIEW IF EXISTS {name}; {wanted}"))
}

/// An empty store of this version, in memory.
pub(super) fn blank() -> rusqlite::Result<Connection> {
    let conn = Connection::open_in_memory()?;
    migrate(&conn, MIGRATIONS, &views())?;
    Ok(conn)
}

/// The name of each table.
pub(super) fn tables(conn: &Connection) -> rusqlite::Result<BTreeSet<String>> {
    let mut query =
        conn.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite@_%' ESCAPE '@'")?;
    query.query_map([], |row| row.get(0))?.collect()
}

/// What can act on a store by itself, or stand in for a table, and is not what
/// this program put there: views, triggers and virtual tables, each as the end
/// of a sentence. Who made a store may have made these too.
pub(super) fn strangers(conn: &Connection) -> rusqlite::Result<Vec<String>> {
    let sql = "SELECT type, name, coalesce(sql, '') FROM sqlite_schema
         WHERE type IN ('view', 'trigger') OR (type = 'table' AND sql LIKE 'CREATE VIRTUAL%') ORDER BY type, name";
    type Entry = (String, String, String);
    let entries = |conn: &Connection| -> rusqlite::Result<Vec<Entry>> {
        let mut query = conn.prepare(sql)?;
        query.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect()
    };
    let found = entries(conn)?;
    let ours = if found.is_empty() { Vec::new() } else { entries(&blank()?)? };
    // That of another version; nothing here reads it, and writing makes it anew.
    let is_known = |e: &Entry| ours.contains(e) || e.0 == "view" && e.1 == SHARES;
    Ok(found.iter().filter(|e| !is_known(e)).map(|(kind, name, _)| format!("the {kind} {name}")).collect())
}

/// Refuses a store with any of [`strangers`].
pub(super) fn refuse_strangers(conn: &Connection, place: &Place) -> Result<(), StoreError> {
    match strangers(conn).map_err(|e| place.error(e))?.into_iter().next() {
        None => Ok(()),
        Some(what) => Err(StoreError::Stranger { place: place.clone(), what }),
    }
}

/// What a database says it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) application: i64,
    pub(super) version: i64,
}

/// Reads it; the first thing that touches the file.
pub(super) fn identity(conn: &Connection) -> rusqlite::Result<Identity> {
    Ok(Identity {
        application: conn.pragma_query_value(None, "application_id", |row| row.get(0))?,
        version: conn.pragma_query_value(None, "user_version", |row| row.get(0))?,
    })
}

/// Whether nothing was ever written to the database.
pub(super) fn is_blank(conn: &Connection) -> rusqlite::Result<bool> {
    let pages: i64 = conn.pragma_query_value(None, "page_count", |row| row.get(0))?;
    Ok(pages == 0)
}

/// Whether a database has no table and is nobody's: a store that a process is
/// just making, or was killed while making.
pub(super) fn is_unmade(conn: &Connection) -> rusqlite::Result<bool> {
    let nobody = Identity { application: 0, version: 0 };
    // In this order: what has no table by then had none before.
    let is_unmade = identity(conn)? == nobody
        && conn.query_row("SELECT NOT EXISTS (SELECT 1 FROM sqlite_schema)", [], |row| row.get(0))?;
    Ok(is_unmade)
}

/// Whether changes of a database are logged ahead, as those of stores are.
pub(super) fn has_log(conn: &Connection) -> rusqlite::Result<bool> {
    conn.pragma_query_value(None, "journal_mode", |row| Ok(row.get::<_, String>(0)? == "wal"))
}

/// Refuses a database that is no store, or one from the future.
pub(super) fn require_ours(conn: &Connection, place: &Place) -> Result<i64, StoreError> {
    let found = identity(conn).map_err(|e| place.error(e))?;
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    if found.application != APPLICATION_ID || found.version < 1 {
        return Err(StoreError::NotAStore { place: place.clone() });
    }
    if found.version > known {
        return Err(StoreError::TooNew { place: place.clone(), found: found.version, known });
    }
    Ok(found.version)
}

/// Whether a store of that version lacks some of today's tables.
pub(super) fn is_earlier(version: i64) -> bool {
    usize::try_from(version).is_ok_and(|v| v < MIGRATIONS.len())
}

/// Brings the database to the newest version in one transaction. The version
/// is read inside it, so two processes cannot take the same step. Then makes
/// those views anew that are not as given.
pub(super) fn migrate(conn: &Connection, steps: &[Step], views: &[(&str, String)]) -> rusqlite::Result<()> {
    let tx = Transaction::new_unchecked(conn, TransactionBehavior::Immediate)?;
    let done = usize::try_from(identity(&tx)?.version).unwrap_or(0);
    for (number, step) in (1i64..).zip(steps).skip(done) {
        tx.execute_batch(step.sql)?;
        (step.fill)(&tx)?;
        tx.pragma_update(None, "user_version", number)?;
    }
    for (name, wanted) in views {
        refresh(&tx, name, wanted)?;
    }
    if done == 0 {
        tx.pragma_update(None, "application_id", APPLICATION_ID)?;
    }
    tx.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_is_taken_once() {
        let conn = Connection::open_in_memory().unwrap();
        let steps = ["CREATE TABLE a (x)", "ALTER TABLE a ADD COLUMN y"].map(Step::sql);
        migrate(&conn, &steps[..1], &[]).unwrap();
        conn.execute("INSERT INTO a VALUES (7)", []).unwrap();
        migrate(&conn, &steps, &[]).unwrap();
        migrate(&conn, &steps, &[]).unwrap();
        assert_eq!(identity(&conn).unwrap(), Identity { application: APPLICATION_ID, version: 2 });
        let row: (i64, Option<i64>) = conn.query_row("SELECT x, y FROM a", [], |r| Ok((r.get(0)?, r.get(1)?))).unwrap();
        assert_eq!(row, (7, None));
    }

    #[test]
    fn a_failed_step_leaves_the_version_before() {
        let conn = Connection::open_in_memory().unwrap();
        let (good, bad) = (Step::sql("CREATE TABLE a (x)"), Step::sql("CREATE TABLE b (x); nonsense"));
        migrate(&conn, &[good], &[]).unwrap();
        migrate(&conn, &[good, bad], &[]).unwrap_err();
        assert_eq!(identity(&conn).unwrap().version, 1);
        assert!(conn.prepare("SELECT * FROM b").is_err());
    }

    #[test]
    fn every_table_is_strict() {
        let conn = Connection::open_in_memory().unwrap();
        migrate(&conn, MIGRATIONS, &[]).unwrap();
        let lax: i64 = conn
            .query_row(
                "SELECT count(*) FROM pragma_table_list WHERE type = 'table' AND strict = 0 AND name NOT LIKE 'sqlite_%'",
                [],
                |r| r.get(0),
            )
            .unwrap();
        assert_eq!(lax, 0);
    }

    #[test]
    fn the_view_of_shares_is_that_of_this_version() {
        let conn = Connection::open_in_memory().unwrap();
        migrate(&conn, MIGRATIONS, &[]).unwrap();
        conn.execute_batch("CREATE VIEW coverage_shares AS SELECT 'of another version' AS x").unwrap();
        let version = || conn.pragma_query_value(None, "schema_version", |row| row.get::<_, i64>(0)).unwrap();
        let before = version();
        migrate(&conn, MIGRATIONS, &views()).unwrap();
        let n: i64 = conn.query_row("SELECT count(whole) FROM coverage_shares", [], |r| r.get(0)).unwrap();
        let after = version();
        assert!(n == 0 && after > before);
        migrate(&conn, MIGRATIONS, &views()).unwrap();
        assert_eq!(version(), after, "what is there already is not written again");
    }
}
