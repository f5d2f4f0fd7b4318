//! Prints records as they come and change, and passes them on to the store.

use super::controls::Controls;
use super::keeper::Keeper;
use super::late::Late;
use super::outlet::{Outlet, OutputEnd};
use super::recorder::Recorder;
use super::silence::Silences;
use super::verdicts::Verdicts;
use crate::base::Timestamp;
use crate::capture::{Interface, LiveControl};
use crate::catalogue::Catalogue;
use crate::cli::args::Format;
use crate::cli::exit::{Stop, say};
use crate::coverage::{Counter, Key, Ledger};
use crate::host;
use crate::pipeline::live::News;
use crate::pipeline::{RunNames, SourceReport};
use crate::report::output::OutputError;
use crate::report::table::{self, HostTable};
use crate::report::{csv, ndjson};
use crate::sighting::board::Posted;
use crate::sighting::{Board, Draft, HostKey, Names, Record};
use crate::store;
use std::collections::HashSet;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often what changed slowly is looked through.
const ROUND: Duration = Duration::from_secs(1);

/// What the writer of a running sensor holds.
pub(super) struct Printer<'p> {
    pub(super) out: Outlet,
    pub(super) format: Format,
    pub(super) catalogue: Arc<Catalogue>,
    pub(super) sensor: &'p str,
    /// The run, as the names in records need it.
    pub(super) sources: Arc<[SourceReport]>,
    /// Names out of DHCP are left out.
    pub(super) no_dhcp_names: bool,
    pub(super) board: Board,
    pub(super) controls: Controls,
    pub(super) keeper: Option<Keeper>,
    pub(super) recorder: Option<Recorder>,
    /// Ends the capture when nobody takes the output any more.
    pub(super) stop: LiveControl,
    /// Why output ended early.
    pub(super) broken: Option<OutputError>,
    /// Hosts with records of days that are over.
    pub(super) earlier: HashSet<HostKey>,
    pub(super) round: Instant,
    /// What says that no frame comes, where that is worth a word.
    pub(super) silence: Option<Silences>,
    /// What came for days that are over.
    pub(super) late: Late,
    /// What says changes of hosts, until the end.
    pub(super) verdicts: Option<Verdicts>,
    /// The greatest packet time.
    pub(super) newest: Option<Timestamp>,
}

/// The records of the days that were open at the end.
pub(super) struct Last {
    /// Those that stand.
    pub(super) standing: Vec<Record>,
    /// Those that need another signal that did not come.
    pub(super) support: Vec<Record>,
}

impl Printer<'_> {
    /// What comes before the first record.
    pub(super) fn head(&mut self) {
        if self.format == Format::Csv && self.out.is_blank() {
            self.write(|out, _| csv::write_header(out));
        }
    }

    /// Takes news, prints what is due, and passes on what is to be stored. It
    /// does not fail: without a reader the sensor ends, but in order.
    pub(super) fn news(&mut self, news: News<'_>) -> io::Result<()> {
        let now = Instant::now();
        for sentence in &news.intake.trouble {
            say(sentence);
        }
        self.learn(&news.intake.interfaces);
        let sources = Arc::clone(&self.sources);
        let names = RunNames::new(self.sensor, &sources, news.encaps);
        self.canaries(&news, &names);
        if let Some(recorder) = &mut self.recorder {
            recorder.keep(news.frames, &news.intake.interfaces);
            for (_, draft) in &news.drafts {
                if let Some(r) = record(&self.catalogue, draft, &names) {
                    recorder.name(draft, &r, now);
                }
            }
        }
        let mut late = Ledger::new();
        for (shard, draft) in news.drafts {
            let (key, count) = (draft.key, draft.count);
            if !self.board.update(shard, draft) {
                late.turn_to(Key { source: 0, interface: 0, quarter: key.day.saturating_mul(96) });
                late.add(Counter::ObservationsLate, count);
            }
        }
        if let Some(sentence) = self.late.came(&mut late) {
            say(sentence);
        }
        news.account.add(late);
        if let Some(day) = news.closed {
            self.close(day, &names);
        }
        let mut namings = news.namings;
        if self.no_dhcp_names {
            namings.retain(|n| !n.told.is_dhcp());
        }
        let namings = self.board.call(namings);
        let risen = self.board.take_risen(now);
        self.print_all(&risen, &names);
        if now.saturating_duration_since(self.round) >= ROUND {
            self.round = now;
            let due = self.board.take_due(now);
            self.print_all(&due, &names);
            if let Some(recorder) = &mut self.recorder {
                recorder.settle(now, |key| self.board.is_lonely(key));
            }
            self.look_at_reader(now);
            if let Some(silence) = &mut self.silence {
                silence.look(now, news.intake.frames, &self.stop.statistics()).iter().for_each(say);
            }
            self.newest = self.newest.max(news.intake.span.map(|s| s.1));
            let changes = self.verdicts.as_mut().map(|v| v.round(now, self.newest));
            if let (Some(keeper), Some(changes)) = (&mut self.keeper, changes) {
                keeper.waiting().events.extend(changes);
            }
        }
        if let Some(keeper) = &mut self.keeper {
            keeper.presences(&news.presences, &names.source(0), |s| names.segment(s));
            keeper.namings(&namings, &names.source(0), |s| names.segment(s));
            let signals = news.signals.iter().map(|s| host::signals::signal(s, &names, 0));
            keeper.waiting().signals.extend(signals);
            let waiting = keeper.waiting();
            waiting.intake.trouble.extend(news.intake.trouble);
            (waiting.intake.frames, waiting.intake.span) = (news.intake.frames, news.intake.span);
            waiting.intake.interfaces = news.intake.interfaces;
            if keeper.is_due(now) {
                if keeper.begins_anew(&names.source(0), |s| names.segment(s)) {
                    self.board.store_again();
                }
                post(keeper, self.board.take_unstored(), &self.catalogue, &names);
                keeper.waiting().coverage.merge(news.account.take_unstored());
                keeper.write(now);
            }
        }
        Ok(())
    }

    /// Takes what is new of the run's interfaces: those of files come one by
    /// one.
    fn learn(&mut self, interfaces: &Arc<[Interface]>) {
        let Some(run) = self.sources.first() else { return };
        if !interfaces.is_empty() && !Arc::ptr_eq(&run.interfaces, interfaces) {
            self.sources = [run.with_interfaces(Arc::clone(interfaces))].into();
        }
    }

    fn canaries(&mut self, news: &News<'_>, names: &RunNames<'_>) {
        for c in &news.canaries {
            let Some(sentence) = self.controls.heard(c, names) else { continue };
            say(sentence);
            if let Some(keeper) = &mut self.keeper {
                keeper.waiting().canaries.push(store::Canary {
                    source: names.source(c.source),
                    name: c.name.clone(),
                    ts: c.ts,
                    segment: names.segment(c.host.segment),
                    ip: c.host.ip,
                    mac: c.host.mac,
                    channel: c.channel,
                });
                keeper.hurry();
            }
        }
    }

    /// Days before `day` are over.
    fn close(&mut self, day: i64, names: &RunNames<'_>) {
        if let Some(recorder) = &mut self.recorder {
            recorder.settle_day(day, |key| self.board.is_lonely(key));
        }
        let closed = self.board.close(day);
        if let Some(recorder) = &mut self.recorder {
            recorder.close(day, closed.iter().filter(|p| !p.lonely).count() as u64);
        }
        self.late.closed();
        self.print_last(&closed, names);
        self.earlier.extend(closed.iter().filter(|p| !p.lonely).map(|p| p.draft.key.host));
        if let Some(keeper) = &mut self.keeper {
            keeper.forget(day);
            post(keeper, closed, &self.catalogue, names);
        }
    }

    /// The last word on each record.
    fn print_last(&mut self, posted: &[Posted], names: &RunNames<'_>) {
        let standing: Vec<&Posted> = posted.iter().filter(|p| !p.lonely).collect();
        if standing.is_empty() {
            return;
        }
        if self.format == Format::Table {
            let mut hosts = HostTable::new();
            let records = standing.iter().filter_map(|p| record(&self.catalogue, &p.draft, names));
            records.for_each(|r| hosts.add(&r));
            if self.out.has_room() {
                self.write(|out, _| {
                    writeln!(out)?;
                    hosts.write(out, None, table::width())?;
                    writeln!(out)
                });
            } else {
                self.out.missing = self.out.missing.saturating_add(1);
            }
        } else {
            let unprinted: Vec<Draft> = standing.iter().filter(|p| p.unprinted).map(|p| p.draft.clone()).collect();
            self.print_all(&unprinted, names);
        }
    }

    fn print_all(&mut self, drafts: &[Draft], names: &RunNames<'_>) {
        if drafts.is_empty() {
            return;
        }
        let made = drafts.iter().filter_map(|d| record(&self.catalogue, d, names).map(|r| (d.key, r)));
        let (keys, records): (Vec<_>, Vec<Record>) = made.unzip();
        if let Some(verdicts) = &mut self.verdicts {
            verdicts.remember(&records);
        }
        let mut left = Vec::new();
        self.write(|out, format| {
            for (key, r) in keys.iter().zip(&records) {
                if out.has_room() {
                    print(out, format, r)?;
                } else {
                    left.push(*key);
                }
            }
            Ok(())
        });
        // Of days that are over there is no other time.
        let missing = left.iter().filter(|key| !self.board.print_again(key)).count();
        self.out.missing = self.out.missing.saturating_add(missing as u64);
    }

    /// Writes and flushes, unless writing failed before.
    fn write(&mut self, write: impl FnOnce(&mut Outlet, Format) -> io::Result<()>) {
        if self.broken.is_some() {
            return;
        }
        // What fails is told by the outlet.
        let (out, format) = (&mut self.out, self.format);
        drop(write(out, format).and_then(|()| out.flush()));
        if let Some(e) = self.out.take_error() {
            self.end(e);
        }
    }

    /// Notes whether what was written is taken.
    fn look_at_reader(&mut self, now: Instant) {
        if self.broken.is_some() {
            return;
        }
        let gone = || OutputError::Stdout(io::ErrorKind::BrokenPipe.into());
        if let Some(e) = self.out.is_abandoned().then(gone).or_else(|| self.out.take_error()) {
            self.end(e);
        } else if let Some(sentence) = self.out.look(now, self.keeper.is_some()) {
            say(sentence);
        }
    }

    /// Nobody can be told any more. Where there is a store, it has all that
    /// would be told, and a full disk is no reason to stop looking; whoever
    /// closed a pipe had enough.
    fn end(&mut self, e: OutputError) {
        if e.is_closed_pipe() || self.keeper.is_none() {
            self.stop.request_stop();
        } else {
            say(format_args!("{e}; the sensor goes on, and what it finds is in the store alone"));
        }
        self.broken = Some(e);
    }

    /// Prints and passes on what is left of the open days.
    pub(super) fn finish(&mut self, encaps: &crate::packet::EncapTable) -> Last {
        let sources = Arc::clone(&self.sources);
        let names = RunNames::new(self.sensor, &sources, encaps);
        if let Some(recorder) = &mut self.recorder {
            recorder.settle_day(i64::MAX, |key| self.board.is_lonely(key));
        }
        let posted = self.board.close(i64::MAX);
        self.print_last(&posted, &names);
        let mut last = Last { standing: Vec::new(), support: Vec::new() };
        for p in &posted {
            let Some(record) = record(&self.catalogue, &p.draft, &names) else { continue };
            if p.lonely { last.support.push(record) } else { last.standing.push(record) }
        }
        if let Some(keeper) = &mut self.keeper {
            post(keeper, posted, &self.catalogue, &names);
        }
        last
    }

    /// Ends the output. A reader that closed it early has what it wanted.
    pub(super) fn close_output(self, stored: bool) -> Result<(), Stop> {
        let ended = self.broken.map_or_else(|| self.out.finish(), |e| Err(OutputEnd::Failed(e)));
        match ended {
            Err(OutputEnd::Failed(e)) if !e.is_closed_pipe() => Err(Stop::failed(e)),
            Err(OutputEnd::Unread) => {
                let rest = if stored { "the store has all" } else { "what is missing in it is lost" };
                Err(Stop::failed(format_args!("nobody read the output to its end; {rest}")))
            }
            Err(OutputEnd::Died) => {
                Err(Stop::failed("the thread that writes the output died; this is a bug: please report it"))
            }
            _ => Ok(()),
        }
    }
}

fn record(catalogue: &Catalogue, draft: &Draft, names: &dyn Names) -> Option<Record> {
    catalogue.get(draft.key.indicator).map(|indicator| draft.record(&indicator, names))
}

fn post(keeper: &mut Keeper, posted: Vec<Posted>, catalogue: &Catalogue, names: &dyn Names) {
    for p in posted {
        if let Some(r) = record(catalogue, &p.draft, names) {
            keeper.waiting().records.insert(r.id.clone(), (r, p.lonely));
        }
    }
}

/// A time for people: without fractions of a second.
pub(super) fn to_second(ts: Timestamp) -> Timestamp {
    Timestamp::from_parts(ts.secs(), 0)
}

fn print(out: &mut Outlet, format: Format, r: &Record) -> io::Result<()> {
    match format {
        Format::Ndjson => ndjson::write(out, r),
        Format::Csv => csv::write(out, r),
        Format::Table => {
            let name = r.names.first().map_or(r.indicator.id.as_str(), String::as_str);
            let alarm = if r.indicator.category.is_alarm() { "ALARM " } else { "" };
            let (ip, category, stage) = (r.host.ip, r.indicator.category, r.stage.as_str());
            // One name may be evidence for several indicators.
            writeln!(out, "{} {alarm}{ip} {category} {stage} {name} ({})", to_second(r.last_seen), r.indicator.id)
        }
    }
}
