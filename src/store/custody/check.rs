//! Checking a store against its digests.

use super::super::write::from_json;
use super::missing;
use super::{BEGINNING, Content, Link, LinkKind, PublicKey, Seal, record_digest};
use crate::catalogue::{Category, LongText};
use crate::sighting::Record;
use crate::store::categories::Given;
use crate::store::write::int;
use crate::store::{Result, Store, narrow, schema};
use rusqlite::{Connection, Row, Transaction, TransactionBehavior};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Findings that are kept, and notes; of more the number.
pub(in crate::store) const MAX_FINDINGS: usize = 1000;

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The UTC day it belongs to; absent for the file, the chain and seals.
    pub day: Option<String>,
    /// The record, by its id and source.
    pub record: Option<(String, String)>,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(day) = &self.day {
            write!(f, "{day}: ")?;
        }
        if let Some((id, source)) = &self.record {
            write!(f, "record {id} of {source} ")?;
        }
        f.write_str(&self.what)
    }
}

/// What a check came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// The chain.
    pub links: Vec<Link>,
    /// Contributions compared with their digests.
    pub records: u64,
    /// Days that were written to since they were last closed, with the sources
    /// that did.
    pub open: BTreeMap<String, Vec<String>>,
    /// Seals, and whether each holds.
    pub seals: Vec<(Seal, bool)>,
    /// What is not as it was written: the chain, the days in order, seals, the
    /// file.
    pub findings: Vec<Finding>,
    /// Findings beyond those.
    pub more: u64,
    /// What was written as it is, and yet is to be doubted.
    pub notes: Vec<String>,
    /// Tables are missing or others put views or triggers there, so that nothing
    /// else was looked at.
    pub torn: bool,
}

impl Verified {
    /// Whether nothing was found.
    pub fn is_sound(&self) -> bool {
        self.findings.is_empty()
    }

    /// The links of each day, in order.
    pub fn days(&self) -> BTreeMap<&str, Vec<&Link>> {
        let mut days: BTreeMap<&str, Vec<&Link>> = BTreeMap::new();
        for link in &self.links {
            days.entry(&link.day).or_default().push(link);
        }
        days
    }

    fn found(&mut self, day: Option<&str>, record: Option<(&str, &str)>, what: impl Into<String>) {
        if self.findings.len() < MAX_FINDINGS {
            let record = record.map(|(id, source)| (id.to_owned(), source.to_owned()));
            self.findings.push(Finding { day: day.map(str::to_owned), record, what: what.into() });
        } else {
            self.more = self.more.saturating_add(1);
        }
    }

    /// Each link must follow from its content and the one before it.
    fn check_chain(&mut self) {
        let links = std::mem::take(&mut self.links);
        let mut previous = BEGINNING;
        for (at, link) in (1i64..).zip(&links) {
            let seq = link.seq;
            let wrong = if seq != at {
                Some(format!("the chain of digests has no link {at} where link {seq} follows"))
            } else if link.previous != previous {
                Some(format!("link {seq} of the chain ({}) does not follow from the one before it", link.day))
            } else {
                (link.reckoned() != link.digest).then(|| format!("link {seq} of the chain ({}) was altered", link.day))
            };
            if let Some(what) = wrong {
                // All that follows hangs on it.
                self.found(None, None, what);
                break;
            }
            previous = &link.digest;
        }
        self.links = links;
    }

    fn check_seals(&mut self, seals: Vec<Seal>, key: Option<&PublicKey>) {
        for seal in &seals {
            let link = self.links.iter().find(|l| l.seq == seal.seq).map(|l| l.digest.clone());
            let (number, seq) = (seal.number, seal.seq);
            let fault = match link {
                None => Some(format!("seal {number} is of link {seq}, which is missing: the chain was cut off")),
                Some(digest) if digest != seal.digest => {
                    Some(format!("seal {number} is of another link {seq} than there is now: the chain was made anew"))
                }
                Some(_) => (!seal.holds()).then(|| format!("seal {number} does not hold: its signature is wrong")),
            };
            let sound = fault.is_none();
            if let Some(what) = fault {
                self.found(None, None, what);
            }
            self.seals.push((seal.clone(), sound));
        }
        if let Some(key) = key
            && !self.seals.iter().any(|(seal, sound)| *sound && seal.is_by(key))
        {
            self.found(None, None, format!("no seal in the store was made with the key of {key}"));
        }
    }
}

/// A contribution as it lies in the store.
struct Lying {
    key: (String, String),
    digest: [u8; 32],
    /// Whether its columns say what the record says.
    agrees: bool,
}

impl Lying {
    fn read(c: &Connection, row: &Row<'_>) -> rusqlite::Result<Lying> {
        let (source, id, support): (String, String, bool) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let text = row.get_ref(3)?.as_str()?;
        let digest = record_digest(support, text);
        // A record that is none any more differs in its digest too.
        let agrees = match from_json::<Record>(text) {
            Ok(r) => agrees(row, &r, &source, &id)? && narrow::agrees(c, row.get(18)?, row.get(19)?, &r, support)?,
            Err(_) => false,
        };
        Ok(Lying { key: (source, id), digest, agrees })
    }
}

/// Columns that are read in place of the record must say the same.
fn agrees(row: &Row<'_>, r: &Record, source: &str, id: &str) -> rusqlite::Result<bool> {
    let mac = r.host.mac.map_or_else(String::new, |m| m.to_string());
    let texts: [(usize, &str); 7] = [
        (4, &r.period),
        (5, &r.host.segment),
        (6, &mac),
        (7, &r.indicator.id),
        (8, r.indicator.category.as_str()),
        (9, r.stage.as_str()),
        (10, &r.host.ip.to_string()),
    ];
    for (column, text) in texts {
        if row.get_ref(column)?.as_str()? != text {
            return Ok(false);
        }
    }
    let numbers = [
        r.first_seen.0,
        r.last_seen.0,
        int(r.count),
        int(r.bytes_to_server),
        int(r.bytes_from_server),
        int(r.revision),
    ];
    for (column, number) in (11..).zip(numbers) {
        if row.get::<_, i64>(column)? != number {
            return Ok(false);
        }
    }
    Ok(row.get_ref(17)?.as_blob()? == r.host.ip.0 && r.source == source && r.id == id)
}

impl Store {
    /// Compares what is stored with the digests that were written with it, and
    /// the chain of these with itself and its seals. With a key, one of the
    /// seals must have been made with it.
    ///
    /// What was altered since is found; an owner of the file who alters a
    /// record and makes every later digest anew is found only by a seal or a
    /// digest that was kept elsewhere.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn verify(&self, key: Option<&PublicKey>) -> Result<Verified> {
        let _snapshot =
            Transaction::new_unchecked(&self.conn, TransactionBehavior::Deferred).map_err(|e| self.place.error(e))?;
        let mut v = Verified::default();
        for what in missing::sentences(&self.conn).map_err(|e| self.place.error(e))? {
            v.torn = true;
            v.found(None, None, what);
        }
        for what in schema::strangers(&self.conn).map_err(|e| self.place.error(e))? {
            // What is read of such a store may be anything.
            v.torn = true;
            v.found(None, None, format!("{what} was added: spansight did not make it"));
        }
        if v.torn {
            return Ok(v);
        }
        let damage = self.check()?;
        v.links = self.links()?;
        v.check_chain();
        for (day, source) in self.list(
            "SELECT day, source FROM changed_days JOIN sources USING (source_no) ORDER BY day, source",
            [],
            |row| Ok((row.get::<_, String>(0)?, row.get(1)?)),
        )? {
            v.open.entry(day).or_default().push(source);
        }
        let mut days: BTreeSet<String> = v.links.iter().map(|l| l.day.clone()).collect();
        days.extend(self.list(
            "SELECT DISTINCT period FROM sightings UNION SELECT DISTINCT day FROM record_digests",
            [],
            |row| row.get::<_, String>(0),
        )?);
        for day in &days {
            self.check_day(day, &mut v)?;
        }
        v.check_seals(self.seals()?, key);
        self.check_catalogues(&mut v)?;
        // Often no more than what follows from the above.
        for what in damage {
            v.found(None, None, format!("the file is damaged: {what}"));
        }
        Ok(v)
    }

    /// Each catalogue against its hash, those of the newest runs first, and the
    /// categories of indicators against them.
    fn check_catalogues(&self, v: &mut Verified) -> Result<()> {
        let mut given = Given::default();
        self.list(
            "SELECT indicator, category, count(*) FROM contacts JOIN indicators USING (indicator_no)
             GROUP BY indicator, category",
            [],
            |row| {
                let word = row.get_ref(1)?.as_str()?;
                if let Some(category) = Category::ALL.iter().find(|c| c.as_str() == word) {
                    given.note(row.get_ref(0)?.as_str()?, *category, row.get::<_, i64>(2)?.unsigned_abs());
                }
                Ok(())
            },
        )?;
        // Texts are long: one at a time.
        let all = self.list(
            "SELECT sha256 FROM catalogues ORDER BY (SELECT max(run) FROM runs WHERE catalogue = sha256) DESC, sha256",
            [],
            |row| row.get::<_, String>(0),
        )?;
        for sha256 in &all {
            let content = self.list("SELECT content FROM catalogues WHERE sha256 = ?1", [sha256], |row| {
                Ok(row.get_ref(0)?.as_bytes()?.to_vec())
            })?;
            let parts = self.catalogue_parts(sha256)?;
            // What is not text any more is not what was written either.
            let text = content.first().and_then(|c| std::str::from_utf8(c).ok()).map(|t| LongText::stored(t, parts));
            match text.filter(|t| t.sha256_hex() == *sha256) {
                None => v.found(None, None, format!("the catalogue {sha256} was altered")),
                Some(text) if !given.is_settled() => given.hold_against(&text),
                Some(_) => {}
            }
        }
        v.notes = given.sentences(MAX_FINDINGS);
        Ok(())
    }

    /// The contributions of a day as they lie there, with their digests.
    fn check_day(&self, day: &str, v: &mut Verified) -> Result<()> {
        let written: Vec<(String, String, Vec<u8>)> = self.list(
            "SELECT coalesce(source, ''), id, digest FROM record_digests LEFT JOIN sources USING (source_no)
             WHERE day = ?1 ORDER BY source, id",
            [day],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )?;
        let mut content = Content::new();
        written.iter().for_each(|(source, id, digest)| content.add(digest, id, source));
        let before = (v.findings.len(), v.more);
        let mut written = written.into_iter().peekable();
        let mut read = |v: &mut Verified| -> rusqlite::Result<()> {
            let mut query = self.conn.prepare_cached(
                "SELECT coalesce(s.source, ''), g.id, support, record, period, segment, mac, indicator, category, stage,
                        address, g.first_ns, g.last_ns, count, bytes_to_server, bytes_from_server, revision, ip,
                        sighting, source_no
                 FROM sightings g LEFT JOIN sources s USING (source_no) WHERE period = ?1 ORDER BY s.source, g.id",
            )?;
            let mut rows = query.query([day])?;
            while let Some(row) = rows.next()? {
                let row = Lying::read(&self.conn, row)?;
                let (source, id) = (row.key.0.as_str(), row.key.1.as_str());
                while let Some((s, i, _)) = written.next_if(|(s, i, _)| (s.as_str(), i.as_str()) < (source, id)) {
                    v.found(Some(day), Some((&i, &s)), "is missing");
                }
                v.records = v.records.saturating_add(1);
                match written.next_if(|(s, i, _)| (s.as_str(), i.as_str()) == (source, id)) {
                    None => v.found(Some(day), Some((id, source)), "was added: it was not written by this program"),
                    Some((_, _, digest)) if digest != row.digest => {
                        v.found(Some(day), Some((id, source)), "was altered")
                    }
                    Some(_) if !row.agrees => {
                        v.found(
                            Some(day),
                            Some((id, source)),
                            "was altered: what is read in its place says other than the record itself",
                        );
                    }
                    Some(_) => {}
                }
            }
            for (s, i, _) in written.by_ref() {
                v.found(Some(day), Some((&i, &s)), "is missing");
            }
            Ok(())
        };
        read(v).map_err(|e| self.place.error(e))?;
        if before == (v.findings.len(), v.more) {
            self.check_content(day, content.finish(), v);
        }
        Ok(())
    }

    /// The newest digest of a day must be that of what was written.
    fn check_content(&self, day: &str, (records, content): (i64, String), v: &mut Verified) {
        if v.open.contains_key(day) {
            return; // its next digest is still to come
        }
        let Some(link) = v.links.iter().rfind(|l| l.day == day) else {
            return v.found(Some(day), None, "the day has records and no digest");
        };
        match link.kind {
            LinkKind::Removed if records > 0 => v.found(Some(day), None, "the day was removed, yet has records"),
            LinkKind::Closed if content != link.content => {
                let (seq, had) = (link.seq, link.records);
                let what = format!(
                    "the day is not what digest {seq} says: {records} records and their digests are there, it had {had}"
                );
                v.found(Some(day), None, what);
            }
            _ => {}
        }
    }
}
