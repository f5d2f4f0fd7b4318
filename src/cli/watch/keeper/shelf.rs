//! The store of a running sensor in its place. Where somebody removed, renamed
//! or replaced it, the sensor goes on with what is at the path then, or with a
//! new one: what it would write to a file without a name nobody could read.

use super::Parcel;
use crate::base::Timestamp;
use crate::capture::Interface;
use crate::cli::exit::{Exit, Stop, say};
use crate::cli::run_record;
use crate::cli::watch::printer::to_second;
use crate::pipeline::live::Intake;
use crate::store::{Run, Source, Store, StoreError, Writer};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What the source of the run is called.
pub(super) struct Place {
    pub(super) source: String,
    pub(super) interfaces: Vec<String>,
    /// Days that are kept.
    pub(super) retain: Option<u32>,
}

/// The store, and what it takes to enter the run into another.
pub(super) struct Shelf {
    /// None while there is none at the path.
    store: Option<Store>,
    path: PathBuf,
    run: Run,
    /// Number of the run in the store.
    number: i64,
    place: Place,
    /// When the run last went on with another store.
    moved: Option<Timestamp>,
    /// Told to whoever fills parcels.
    anew: Arc<AtomicBool>,
}

impl Shelf {
    /// Enters the run and its source.
    pub(super) fn new(mut store: Store, run: &Run, place: Place, anew: Arc<AtomicBool>) -> Result<Self, StoreError> {
        let path = store.path().to_owned();
        let number = enter(&mut store, run, &place)?;
        Ok(Shelf { store: Some(store), path, run: run.clone(), number, place, moved: None, anew })
    }

    /// Writes a parcel to the store that is in its place now.
    pub(super) fn put(&mut self, parcel: &mut Parcel) -> Result<(), StoreError> {
        loop {
            let mut store = self.in_place()?;
            let result = self.write(&mut store, parcel);
            // Until the commit somebody may have taken it away.
            let is_gone = result.is_ok() && store.require_in_place().is_err();
            self.store = Some(store);
            if !is_gone {
                return result;
            }
        }
    }

    /// The store in its place. What was written to one that is elsewhere is
    /// complete there, if it is anywhere.
    fn in_place(&mut self) -> Result<Store, StoreError> {
        if let Some(store) = self.store.take() {
            if store.require_in_place().is_ok() {
                return Ok(store);
            }
            if let Err(e) = store.take_leave() {
                self.store = Some(store);
                return Err(e);
            }
            self.moved = Some(Timestamp::now());
        }
        let mut store = Store::open(&self.path)?;
        self.number = enter(&mut store, &self.run, &self.place)?;
        if let Some(lack) = self.lack() {
            say(format_args!("{lack}; the sensor goes on"));
        }
        self.anew.store(true, Ordering::Relaxed);
        Ok(store)
    }

    /// Whether all that was written is in one store.
    pub(super) fn is_whole(&self) -> bool {
        self.moved.is_none()
    }

    /// What is not in the store because it is not the one that was begun.
    fn lack(&self) -> Option<String> {
        let at = to_second(self.moved?);
        Some(format!(
            "the store {:?} was removed, renamed or replaced before {at}, and another is in its place: of what the run stored until then it has the records of days that were not over, and no more",
            self.path
        ))
    }

    fn write(&self, store: &mut Store, parcel: &mut Parcel) -> Result<(), StoreError> {
        let place = &self.place;
        let mut writer = store.begin()?;
        writer.leave_open(&place.source)?;
        let mut source = place.as_source(&parcel.intake);
        source.warnings.extend(self.lack());
        writer.put_source(self.number, &source)?;
        writer.put_coverage(&place.source, 0, &mut parcel.coverage)?;
        for (record, support) in parcel.records.values() {
            writer.put_record(record, *support)?;
        }
        writer.put_intervals(&parcel.intervals)?;
        for signal in &parcel.signals {
            writer.put_signal(&place.source, signal)?;
        }
        for canary in &parcel.canaries {
            writer.put_canary(canary)?;
        }
        for event in &parcel.events {
            writer.put_event(event)?;
        }
        if let Some(day) = parcel.closed {
            writer.close_days_before(day)?;
            self.retain(&mut writer)?;
        }
        writer.commit()
    }

    /// Notes how the run ended.
    pub(super) fn end(mut self, run: &Run) -> Result<(), Stop> {
        let (Some(store), Some(ended)) = (self.store.take(), run.ended) else { return Ok(()) };
        let mut run = run.clone();
        if self.moved.is_some() {
            run_record::end(&mut run, Exit::Failed);
        }
        let end = |mut store: Store| -> Result<(), StoreError> {
            store.require_in_place()?;
            let mut writer = store.begin()?;
            writer.close_days_of(&self.place.source)?;
            self.retain(&mut writer)?;
            let (code, reason) = (run.exit_code.unwrap_or_default(), run.exit_reason.as_deref().unwrap_or_default());
            writer.end_run(self.number, ended, code, reason)?;
            writer.commit()?;
            store.require_in_place()
        };
        end(store).map_err(Stop::failed)?;
        self.lack().map_or(Ok(()), |lack| Err(Stop::failed(lack)))
    }

    /// Removes what is older than the user wants to keep.
    fn retain(&self, writer: &mut Writer<'_>) -> Result<(), StoreError> {
        let days = self.place.retain;
        days.map_or(Ok(()), |days| writer.retain(days, Timestamp::now(), self.number).map(drop))
    }
}

fn enter(store: &mut Store, run: &Run, place: &Place) -> Result<i64, StoreError> {
    let mut writer = store.begin()?;
    let number = writer.put_run(run)?;
    writer.put_source(number, &place.as_source(&Intake::default()))?;
    writer.commit()?;
    Ok(number)
}

impl Place {
    /// The run as a source of frames.
    fn as_source(&self, intake: &Intake) -> Source {
        Source {
            source: self.source.clone(),
            first: intake.span.map(|s| s.0),
            last: intake.span.map(|s| s.1),
            frames: intake.frames,
            warnings: intake.trouble.clone(),
            interfaces: if intake.interfaces.is_empty() {
                self.interfaces.clone()
            } else {
                intake.interfaces.iter().map(Interface::label).collect()
            },
            ..Source::default()
        }
    }
}
