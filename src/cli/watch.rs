//! `spansight watch`: sightings from live traffic.

use super::args::{Format, WatchArgs};
use super::exit::{Exit, Stop, judge, say};
use super::{inputs, output, run_record};
use crate::base::{Name, Timestamp};
use crate::capture::{self, LiveControl, LiveOptions};
use crate::catalogue::Catalogue;
use crate::flow::Limits;
use crate::pipeline::live::{self, LivePlan, News};
use crate::pipeline::{Failure, RunNames, SourceId, SourceReport};
use crate::report::output::Output;
use crate::report::{csv, ndjson};
use crate::sighting::{Canary, Draft, DraftKey, Names, Record, Settings};
use signal_hook::consts::{SIGINT, SIGTERM};
use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::Arc;

/// Runs the command.
pub(super) fn run(args: &WatchArgs) -> Result<Exit, Stop> {
    let m = &args.matching;
    let catalogue = inputs::catalogue(m)?;
    let own = args.interface.iter().flat_map(|i| capture::interface_prefixes(i)).collect();
    let home = inputs::home(m, own)?;
    let host = machine_name();
    let sensor = m.sensor.as_deref().unwrap_or(&host);
    let canaries = args.canary.iter().map(|n| canary(n)).collect::<Result<_, _>>()?;
    let options = LiveOptions { filter: args.bpf.clone(), ..LiveOptions::default() };
    let source = capture::open_live(&args.interface, &options).map_err(|e| {
        if matches!(e, capture::CaptureError::BadFilter { .. }) { Stop::usage(e) } else { Stop::failed(e) }
    })?;
    stop_on_signals(&source.control())?;
    let mut store = output::open_store(m.store.as_deref())?;
    let mut run = output::begin_run(&catalogue, home.describe(), sensor, "none");
    let id = SourceId::of_run(sensor, &args.interface, run.started);
    let settings = Arc::new(Settings { catalogue: Arc::clone(&catalogue), home: home.clone(), canaries, live: true });
    let plan = LivePlan {
        source,
        interfaces: args.interface.clone(),
        id,
        workers: inputs::workers(args.workers),
        ignore_vlan: args.ignore_vlan,
        home,
        limits: Limits::default(),
    };
    if !args.quiet {
        say(format_args!("listening on {}; stop with Ctrl-C or SIGTERM", args.interface.join(", ")));
    }
    let out = Output::open(m.output.as_deref()).map_err(Stop::failed)?;
    let sources = [SourceReport::live(&args.interface, id)];
    let mut printer =
        Printer { out, format: args.format, catalogue: &catalogue, sensor, sources, shown: HashMap::new() };
    let head = printer.head();
    let result = head.map_err(Failure::Writer).and_then(|()| live::watch(plan, &settings, |news| printer.news(news)));

    let mut outcome = match result {
        Ok(outcome) => outcome,
        Err(Failure::Writer(e)) => {
            let e = printer.out.error(e);
            return if e.is_closed_pipe() { Ok(Exit::Done) } else { Err(Stop::failed(e)) };
        }
        Err(other) => return Err(other.into()),
    };
    for draft in &mut outcome.drafts {
        draft.revision = printer.shown.get(&draft.key).map_or(0, |s| s.revision).saturating_add(1);
    }
    let mut exit = Exit::Done;
    for report in &outcome.sources {
        exit = exit.max(judge(report));
        if report.error.is_some() {
            exit = Exit::Failed; // an interface that vanished is a failed capture
        }
    }
    let records = output::records(&outcome, &catalogue, sensor);
    let mut summary = output::summary(&mut outcome, &records, 0);
    summary.files = 0;
    summary.interfaces = args.interface.clone();
    let printed = printer.finish(&records.standing);
    if !args.quiet {
        output::write_summary(&summary);
    }
    if let Some(path) = &args.stats {
        output::write_stats(path, &mut outcome)?;
    }
    if let Some(store) = store.as_mut() {
        run_record::end(&mut run, if printed.is_err() { Exit::Failed } else { exit });
        output::store(store, &run, &mut outcome, &records).map_err(Stop::failed)?;
    }
    printed?;
    Ok(exit)
}

/// A canary must be a name that can be matched exactly.
fn canary(text: &str) -> Result<String, Stop> {
    let name = Name::from_text(text.as_bytes());
    if name.is_odd() || name.is_empty() {
        return Err(Stop::usage(format_args!(
            "--canary {name}: this is no host name; give one such as canary.example.test"
        )));
    }
    Ok(name.as_str().to_owned())
}

/// SIGINT and SIGTERM end the capture; what was captured is still worked
/// through. A second one ends the program at once.
fn stop_on_signals(control: &LiveControl) -> Result<(), Stop> {
    let fail = |e: io::Error| Stop::failed(format_args!("cannot watch for signals: {e}"));
    let again = Arc::new(std::sync::atomic::AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 3, Arc::clone(&again)).map_err(fail)?;
        signal_hook::flag::register(signal, Arc::clone(&again)).map_err(fail)?;
    }
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM]).map_err(fail)?;
    let control = control.clone();
    let thread = std::thread::Builder::new().name("signals".into()).spawn(move || {
        if signals.forever().next().is_some() {
            control.request_stop();
        }
    });
    thread.map(drop).map_err(fail)
}

/// The machine's name, for records; `sensor` where it has none.
fn machine_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if name.is_empty() { "sensor".into() } else { name }
}

/// What was printed of a record.
struct Shown {
    revision: u64,
}

/// Prints records as they come and change.
struct Printer<'p> {
    out: Output,
    format: Format,
    catalogue: &'p Catalogue,
    sensor: &'p str,
    sources: [SourceReport; 1],
    shown: HashMap<DraftKey, Shown>,
}

impl Printer<'_> {
    fn head(&mut self) -> io::Result<()> {
        if self.format == Format::Csv {
            csv::write_header(&mut self.out)?;
        }
        self.out.flush()
    }

    fn news(&mut self, news: News<'_>) -> io::Result<()> {
        let names = RunNames::new(self.sensor, &self.sources, news.encaps);
        for c in &news.canaries {
            say(canary_line(c, &names));
        }
        let mut records: Vec<Record> = Vec::with_capacity(news.drafts.len());
        for mut draft in news.drafts {
            let shown = self.shown.entry(draft.key).or_insert(Shown { revision: 0 });
            shown.revision = shown.revision.saturating_add(1);
            draft.revision = shown.revision;
            records.extend(self.standing(&draft, &names));
        }
        for record in &records {
            self.print(record)?;
        }
        self.out.flush()
    }

    /// The record of a draft; none where it needs another signal first.
    fn standing(&self, draft: &Draft, names: &RunNames<'_>) -> Option<Record> {
        let indicator = self.catalogue.get(draft.key.indicator)?;
        (indicator.usage == crate::catalogue::Use::Alone).then(|| draft.record(indicator, names))
    }

    fn print(&mut self, r: &Record) -> io::Result<()> {
        match self.format {
            Format::Ndjson => ndjson::write(&mut self.out, r),
            Format::Csv => csv::write(&mut self.out, r),
            Format::Table => {
                let name = r.names.first().map_or(r.indicator.id.as_str(), String::as_str);
                let alarm = if r.indicator.category.is_alarm() { "ALARM " } else { "" };
                writeln!(
                    self.out,
                    "{} {alarm}{} {} {} {name}",
                    r.last_seen,
                    r.host.ip,
                    r.indicator.category,
                    r.stage.as_str(),
                )
            }
        }
    }

    /// The final records, and the end of the output.
    fn finish(mut self, records: &[Record]) -> Result<(), Stop> {
        let written = match self.format {
            Format::Table => {
                let mut hosts = crate::report::table::HostTable::new();
                records.iter().for_each(|r| hosts.add(r));
                writeln!(self.out).and_then(|()| hosts.write(&mut self.out, None, crate::report::table::width()))
            }
            Format::Ndjson | Format::Csv => records.iter().try_for_each(|r| self.print(r)),
        };
        let result = match written {
            Ok(()) => self.out.finish(),
            Err(e) => Err(self.out.error(e)),
        };
        match result {
            Err(e) if !e.is_closed_pipe() => Err(Stop::failed(e)),
            _ => Ok(()),
        }
    }
}

fn canary_line(c: &Canary, names: &RunNames<'_>) -> String {
    let segment = names.segment(c.host.segment);
    let place = if segment.is_empty() { String::new() } else { format!(" in {segment}") };
    let mac = c.host.mac.map(|m| format!(" ({m})")).unwrap_or_default();
    let late = Timestamp::now().since(c.ts).max(0) / 1_000_000;
    format!("control seen: {} looked up {}{mac}{place} by {} at {}, {late} ms ago", c.host.ip, c.name, c.channel, c.ts)
}
