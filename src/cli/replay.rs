//! `spansight replay`: sightings from capture files.

use super::args::{Format, HashBy, ReplayArgs};
use super::exit::{Exit, Stop, all_of, judge_all, say};
use super::judging::Judging;
use super::output::{self, Printed, Printing};
use super::{environment, evidence, follow, inputs, places, run_record};
use crate::pipeline::{self, Room, Sighted};
use crate::report::counted;
use crate::report::output::Output;
use crate::sighting::Settings;
use crate::store::{Opening, Store};
use std::path::Path;
use std::sync::Arc;

/// Sensor name of a replay that is given none.
const SENSOR: &str = "replay";

/// Runs the command.
pub(super) fn run(args: &ReplayArgs) -> Result<Exit, Stop> {
    if args.follow {
        return follow::run(args, SENSOR);
    }
    if args.changes.events.is_some() || args.changes.gone_after.is_some() {
        return Err(Stop::usage(
            "--events and --gone-after go with --follow: a replay alone knows of no change; give it --store and ask hosts",
        ));
    }
    let m = &args.matching;
    if m.store.is_some() {
        environment::prepare();
    }
    let judging = Judging::new(&args.judging, None)?;
    let catalogue = inputs::catalogue(m)?;
    let home = inputs::home(m, Vec::new())?;
    let pseudonyms = inputs::pseudonyms(m, &home, &catalogue, args.input.quiet)?;
    let sensor = m.sensor.as_deref().unwrap_or(SENSOR);
    let kept = args.evidence.evidence_dir.as_deref();
    let keeps = m.store.is_some() || kept.is_some() || args.format != Format::Table;
    let hash = args.hash.map_or(keeps, |h| h == HashBy::Sha256);
    let (mut expansion, mut exit) = inputs::expand(&args.input);
    let unusable = expansion.errors.len() as u64;
    let plan = inputs::plan(&args.input, &mut expansion, hash, home.clone())?;
    if plan.inputs.is_empty() {
        return Ok(exit.max(Exit::Failed));
    }
    let written =
        [("--output", m.output.as_deref()), ("--stats", args.input.stats.as_deref()), ("--store", m.store.as_deref())];
    let captures = plan.inputs.iter().map(|i| i.path.as_path());
    places::check(&written, captures.chain(m.read()).chain(args.judging.files()))?;
    // Before anything is read, so that a wrong path is said at once.
    for path in [m.output.as_deref(), args.input.stats.as_deref()] {
        Output::check(path).map_err(Stop::failed)?;
    }
    evidence::check_inputs(kept, &plan.inputs)?;
    let folder = evidence::folder(&args.evidence, false)?;
    let opening = m.store.as_deref().map(Store::open_beside).transpose()?;
    let hash_word = if hash { "sha256" } else { "none" };
    let settings =
        Arc::new(Settings { catalogue: Arc::clone(&catalogue), home, canaries: Vec::new(), live: false, pseudonyms });
    let mut run = output::begin_run(&settings, sensor, hash_word, false);

    let found = pipeline::sightings(plan, &settings, Room::default());
    // Before anything can end the run: no store is left half made.
    let store = opening.map(Opening::store).transpose();
    let mut found = found?;
    if m.store.is_some() {
        run_record::complete(&mut run, settings.pseudonyms.as_deref());
        run_record::unread(&mut run, &found.outcome.sources, unusable);
    }
    if m.no_dhcp_names {
        found.outcome.namings.retain(|n| !n.told.is_dhcp());
    }

    exit = exit.max(judge_all(&found.outcome.sources, args.input.quiet));
    let printing = Printing {
        format: args.format,
        catalogue: &catalogue,
        sensor,
        files_skipped: expansion.skipped,
        unusable,
        period: inputs::period(&args.input)?,
        home: &settings.shown_home(),
        judging: &judging,
    };
    // Print before storing: a store that fails takes nothing from the reader.
    let Printed { summary, findings, clocks, result: printed } = print(m.output.as_deref(), &printing, &mut found);
    if !args.input.quiet {
        output::write_summary(&summary);
        output::say_clocks(&clocks);
    }
    exit = exit.max(judging.conclude(findings, &summary));
    // One of these that fails takes nothing from the others.
    let stats = args.input.stats.as_ref().map_or(Ok(()), |path| output::write_stats(path, &mut found.outcome));
    let shown = folder.map_or(Ok(()), |folder| evidence::write(folder, &run, &mut found, &catalogue));
    let stored = store.map_err(Stop::from).and_then(|store| {
        let Some(mut store) = store else { return Ok(()) };
        let failed = [&printed, &stats, &shown].iter().any(|r| r.is_err());
        run_record::end(&mut run, if failed { Exit::Failed } else { exit });
        let removed = output::store(&mut store, &run, &mut found, &catalogue, m.retain)?;
        if removed.records > 0 && !args.input.quiet {
            let records = counted(removed.records, "record", "records");
            let days = counted(removed.days, "day", "days");
            say(format_args!("--retain removed {records} of {days} from the store, of this run and earlier ones"));
        }
        Ok(())
    });
    all_of([printed, stats, shown, stored])?;
    Ok(exit)
}

/// Prints the records. What was found is not lost with a file that cannot be
/// written: it goes to standard output.
fn print(path: Option<&Path>, printing: &Printing<'_>, found: &mut Sighted) -> Printed {
    let printed = output::write_records(path, printing, found);
    if printed.result.is_ok() || path.is_none() {
        return printed;
    }
    Printed { summary: output::write_records(None, printing, found).summary, ..printed }
}
