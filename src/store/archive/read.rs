//! Reading an archive: contributions in the order in which they lie.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::block::{Block, Head};
use super::piece::Piece;
use super::row::{HostKey, Row};
use super::{Archive, damaged, failed};
use crate::base::bytes::Bytes;
use crate::base::temporary::read_at;
use crate::base::time::parse_day;
use crate::measure::Days;
use crate::store::{Filter, Result, Stored};
use std::fs::File;
use std::io;

/// The packed blocks of a piece.
pub(super) fn load(file: &File, piece: &Piece, into: &mut Vec<u8>) -> io::Result<()> {
    // What the manifest says may be wrong: no room is made that the file does
    // not have.
    let size = file.metadata()?.len();
    if piece.at.checked_add(piece.len).is_none_or(|end| end > size) {
        return Err(damaged("the manifest"));
    }
    into.clear();
    into.resize(usize::try_from(piece.len).map_err(|_| damaged("the manifest"))?, 0);
    read_at(file, into, piece.at)
}

/// Hands over every row of a piece.
pub(super) fn rows(file: &File, piece: &Piece, each: impl FnMut(&Row<'_>) -> io::Result<()>) -> io::Result<()> {
    rows_of(file, piece, ALWAYS, each)
}

/// Without a beginning and an end.
const ALWAYS: Days = Days { first: i32::MIN, last: i32::MAX };

/// The same of some days.
fn rows_of(file: &File, piece: &Piece, days: Days, mut each: impl FnMut(&Row<'_>) -> io::Result<()>) -> io::Result<()> {
    let apart = |first: i32, last: i32| last < days.first || days.last < first;
    if apart(piece.first, piece.last) {
        return Ok(());
    }
    let mut packed = Vec::new();
    load(file, piece, &mut packed)?;
    let mut read = Bytes(&packed);
    let mut block = Block::default();
    let fault = || damaged("a block of records");
    while !read.is_empty() {
        let head = Head::take(&mut read).ok_or_else(fault)?;
        if apart(head.first, head.last) {
            continue;
        }
        block.read(&head, true).ok_or_else(fault)?;
        for host in &block.hosts {
            for number in host.rows.clone() {
                if !block.rows.get(number).is_some_and(|row| days.contains(row.vary.day)) {
                    continue;
                }
                each(&block.row(host, number).ok_or_else(fault)?)?;
            }
        }
    }
    Ok(())
}

impl Archive {
    /// Hands over contributions, those of one host together, each host's by
    /// day, indicator and source. Hosts come in an order that depends on nothing
    /// but the content.
    ///
    /// # Errors
    /// Where the archive cannot be read, and those of `each`.
    pub fn contributions<E: From<crate::store::StoreError>>(
        &self,
        filter: &Filter,
        mut each: impl FnMut(Stored) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let Some(file) = &self.data else { return Ok(()) };
        let place = self.place();
        let day = |text: &Option<String>, open: i32| {
            let day = text.as_deref().and_then(parse_day);
            day.and_then(|d| i32::try_from(d).ok()).unwrap_or(open)
        };
        let days = Days::new(day(&filter.since, ALWAYS.first), day(&filter.until, ALWAYS.last));
        for piece in &self.manifest.pieces {
            let mut stopped = Ok(());
            let done = rows_of(file, piece, days, |row| {
                let host = HostKey::of(row.key).ok_or_else(|| damaged("a row"))?;
                if filter.ip.is_some_and(|ip| ip != host.ip) || filter.mac.is_some_and(|mac| Some(mac) != host.mac) {
                    return Ok(());
                }
                let (record, support) = row.record().ok_or_else(|| damaged("a row"))?;
                let stored = Stored { record, support };
                if filter.takes(&stored)
                    && let Err(e) = each(stored)
                {
                    stopped = Err(e);
                    return Err(io::ErrorKind::Interrupted.into());
                }
                Ok(())
            });
            stopped?;
            done.map_err(|e| E::from(failed(&place, &e)))?;
        }
        Ok(())
    }

    /// All contributions, in memory.
    ///
    /// # Errors
    /// Where the archive cannot be read.
    pub fn all(&self, filter: &Filter) -> Result<Vec<Stored>> {
        let mut all = Vec::new();
        self.contributions(filter, |stored| {
            all.push(stored);
            Ok::<(), crate::store::StoreError>(())
        })?;
        Ok(all)
    }
}
