//! `spansight explain`: a sighting or a host, down to the frames.

mod frames;
mod places;
mod subject;

use super::args::{ExplainArgs, ExplainFormat, JudgingArgs, KnowledgeArgs};
use super::exit::{Exit, Stop, say};
use super::judging::Judging;
use super::stored::Kept;
use crate::base::Timestamp;
use crate::host::HostView;
use crate::report::counted;
use crate::report::explain::{self, Background, Explained, State};
use crate::report::output::Output;
use crate::store::archive::Archive;
use crate::store::{Filter, Store, Stored};
use frames::Frames;
use places::Places;
use std::collections::HashMap;
use std::io::{self, Write};
use subject::Subject;

/// Records whose frames are looked for together: each file is read once for
/// all of them, and memory has its bound.
const TOGETHER: usize = 1024;

/// Runs the command.
pub(super) fn run(args: &ExplainArgs) -> Result<Exit, Stop> {
    if let (Some(since), Some(until)) = (args.since, args.until)
        && since >= until
    {
        return Err(Stop::usage(format_args!("--since {since} is not before --until {until}: no time lies between")));
    }
    let knowledge = KnowledgeArgs { accept: args.accept.clone(), inventory: args.inventory.clone() };
    let judging = JudgingArgs { knowledge, fail_on: Vec::new() };
    let read = args.catalogue.paths().chain([args.store.as_path()]).chain(judging.files());
    super::places::check(&[("--output", args.output.as_deref())], read)?;
    Output::check(args.output.as_deref()).map_err(Stop::failed)?;
    let judging = Judging::new(&judging, args.until)?;
    let kept = Kept::open(&args.store)?;
    if let Some(sentence) = kept.pseudonyms()? {
        say(format_args!("warning: {sentence}"));
    }
    let subject = subject::find(args, &kept, &judging)?;
    let places = Places::new(&kept, args)?;
    let out = Output::open(args.output.as_deref()).map_err(Stop::failed)?;
    let mut teller = Teller { args, kept: &kept, places, out, differing: 0, told: 0 };
    let result = teller.tell(&subject, &judging);
    teller.finish(result)
}

/// Why nothing more is told.
enum Trouble {
    Output(io::Error),
    Other(Stop),
}

impl From<io::Error> for Trouble {
    fn from(e: io::Error) -> Self {
        Trouble::Output(e)
    }
}

impl<E: Into<Stop>> From<E> for Trouble {
    fn from(e: E) -> Self {
        Trouble::Other(e.into())
    }
}

struct Teller<'t> {
    args: &'t ExplainArgs,
    kept: &'t Kept,
    places: Places,
    out: Output,
    differing: u64,
    told: u64,
}

impl Teller<'_> {
    fn is_text(&self) -> bool {
        self.args.format == ExplainFormat::Table
    }

    fn tell(&mut self, subject: &Subject, judging: &Judging) -> Result<Exit, Trouble> {
        match subject {
            Subject::Host { host, ids } => {
                if let Some((view, more)) = host.as_deref() {
                    self.host(view, more, judging)?;
                }
                self.sightings(ids, host.as_deref().map(|(view, _)| view))?;
                Ok(Exit::Done)
            }
            Subject::Several(views) => {
                for listed in judging.list(views) {
                    if self.is_text() {
                        explain::text_match(&mut self.out, &listed)?;
                    } else {
                        explain::write_match(&mut self.out, &listed)?;
                    }
                }
                say(format_args!(
                    "{} is {} hosts: give a MAC, a sighting, or a time with --since and --until",
                    self.args.what,
                    views.len()
                ));
                Ok(Exit::Usage)
            }
        }
    }

    fn host(&mut self, view: &HostView, more: &Background, judging: &Judging) -> Result<(), Trouble> {
        for listed in judging.list([view]) {
            if self.is_text() {
                explain::text_host(&mut self.out, &listed, more)?;
                writeln!(self.out)?;
            } else {
                explain::write_host(&mut self.out, &listed, more)?;
            }
        }
        Ok(())
    }

    /// Tells of records in the order given, each as every source gave it. All of
    /// them are of the host, if there is one.
    fn sightings(&mut self, ids: &[String], host: Option<&HostView>) -> Result<(), Trouble> {
        for ids in ids.chunks(TOGETHER) {
            let mut records = match self.kept {
                Kept::Store(measured) => of_store(&measured.store(), ids)?,
                Kept::Archive(archive) => of_archive(archive, ids, host)?,
            };
            let mut frames = Frames::of(&records);
            frames.find(&self.places)?;
            frames.fill(&mut records);
            records.iter().try_for_each(|r| self.sighting(r))?;
        }
        Ok(())
    }

    fn sighting(&mut self, e: &Explained) -> io::Result<()> {
        self.differing += e.frames.iter().filter(|f| f.state == State::Differs).count() as u64;
        if self.is_text() {
            if self.told > 0 {
                writeln!(self.out)?;
            }
            self.told += 1;
            explain::text_sighting(&mut self.out, e)
        } else {
            explain::write_sighting(&mut self.out, e)
        }
    }

    /// Ends the output. A reader that closes it early has what it wanted.
    fn finish(self, result: Result<Exit, Trouble>) -> Result<Exit, Stop> {
        let exit = match result {
            Err(Trouble::Other(stop)) => return Err(stop),
            Err(Trouble::Output(e)) => Err(self.out.error(e)),
            Ok(exit) => self.out.finish().map(|()| exit),
        };
        let exit = match exit {
            Err(e) if e.is_closed_pipe() => Exit::Done,
            Err(e) => return Err(Stop::failed(e)),
            Ok(exit) => exit,
        };
        if self.differing > 0 {
            say(format_args!(
                "{} from what was recorded: the captures there are not those that were read",
                counted(self.differing, "frame differs", "frames differ")
            ));
        }
        let partial = self.differing > 0 || self.places.unreadable() > 0;
        Ok(if partial { exit.max(Exit::Partial) } else { exit })
    }
}

fn explained(stored: Stored) -> Explained {
    Explained { record: stored.record, support: stored.support, frames: Vec::new() }
}

/// The records with these ids, in this order.
fn of_store(store: &Store, ids: &[String]) -> Result<Vec<Explained>, Stop> {
    let mut records = Vec::new();
    for id in ids {
        let filter = Filter { id: Some(id.clone()), support: true, ..Filter::default() };
        for stored in store.contributions(filter)? {
            records.push(explained(stored?));
        }
    }
    Ok(records)
}

/// The same of an archive, which is read once for all of them. Of a host that had
/// one address others need not be looked at.
fn of_archive(archive: &Archive, ids: &[String], host: Option<&HostView>) -> Result<Vec<Explained>, Stop> {
    let place: HashMap<&str, usize> = ids.iter().map(String::as_str).zip(0..).collect();
    let mut records: Vec<Vec<Explained>> = ids.iter().map(|_| Vec::new()).collect();
    let ip = host.and_then(|view| if let [ip] = view.addresses.as_slice() { Some(*ip) } else { None });
    archive.contributions(&Filter { ip, support: true, ..Filter::default() }, |stored| {
        if let Some(records) = place.get(stored.record.id.as_str()).and_then(|at| records.get_mut(*at)) {
            records.push(explained(stored));
        }
        Ok::<(), Stop>(())
    })?;
    Ok(records.into_iter().flatten().collect())
}

/// The UTC day of a time, for the store.
fn day(t: Timestamp) -> i32 {
    i32::try_from(t.day()).unwrap_or(if t.0 < 0 { i32::MIN } else { i32::MAX })
}
