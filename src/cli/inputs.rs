//! Checked options that several commands share.

use super::args::{InputArgs, MatchArgs};
use super::exit::{Exit, Stop, say};
use crate::base::{Name, Prefix};
use crate::capture::{self, BpfFilter, Expansion, Progress};
use crate::catalogue::Catalogue;
use crate::flow::Limits;
use crate::pipeline::dispatch::Period;
use crate::pipeline::replay::Plan;
use crate::sighting::HomeNets;
use crate::sighting::pseudonym::{self, Pseudonyms};
use std::fs::File;
use std::io::{IsTerminal, Read};
use std::path::Path;
use std::sync::Arc;

/// The captures that the arguments name. Paths that cannot be used are said,
/// and count for the exit code.
pub(super) fn expand(args: &InputArgs) -> (Expansion, Exit) {
    let expansion = capture::expand(&args.paths);
    let mut exit = Exit::Done;
    for (path, e) in &expansion.errors {
        say(format_args!("{}: {e}", path.display()));
        let named = args.paths.iter().any(|p| p == path);
        exit = exit.max(if named { Exit::Failed } else { Exit::Partial });
    }
    (expansion, exit)
}

/// Which frames are looked at.
pub(super) fn period(args: &InputArgs) -> Result<Period, Stop> {
    if let (Some(since), Some(until)) = (args.since, args.until)
        && since >= until
    {
        return Err(Stop::usage(format_args!("--since {since} is not before --until {until}: nothing would be read")));
    }
    Ok(Period { since: args.since, until: args.until })
}

/// How to read them.
pub(super) fn plan(args: &InputArgs, expansion: &mut Expansion, hash: bool, home: HomeNets) -> Result<Plan, Stop> {
    let period = period(args)?;
    let filter = args.decoding.bpf.as_deref().map(BpfFilter::new).transpose().map_err(Stop::usage)?;
    Ok(Plan {
        inputs: std::mem::take(&mut expansion.items),
        workers: replay_workers(args.decoding.workers),
        hash,
        period,
        filter,
        ignore_vlan: args.decoding.ignore_vlan,
        home,
        limits: Limits::default(),
        opened: progress(args.quiet),
    })
}

/// Workers of a run that has to keep up with an interface or a growing file.
/// One thread reads, which can fill a core of its own; more than three find
/// nothing to do.
pub(super) fn workers(wanted: Option<u16>) -> usize {
    wanted.map_or_else(|| cores().saturating_sub(1).clamp(1, 3), usize::from)
}

/// Workers of a replay, which waits for nothing. On two cores a second one takes
/// a tenth off the wall time of dense traffic, changes nothing for bulk, and adds
/// up to 7 % where zstd keeps both cores busy already.
fn replay_workers(wanted: Option<u16>) -> usize {
    let best = match cores() {
        0 | 1 => 1,
        2 | 3 => 2,
        _ => 3,
    };
    wanted.map_or(best, usize::from)
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// A progress bar for each source, on a terminal only.
fn progress(quiet: bool) -> Box<dyn Fn(usize, Arc<Progress>) + Send + Sync> {
    if quiet || !std::io::stderr().is_terminal() {
        return Box::new(|_, _| {});
    }
    Box::new(|_, progress| {
        let Some(total) = progress.total().filter(|n| *n > 32 << 20) else { return };
        let bar = indicatif::ProgressBar::new(total);
        if let Ok(style) =
            indicatif::ProgressStyle::with_template("{bar:40} {percent}% {bytes} of {total_bytes}, {eta} left")
        {
            bar.set_style(style);
        }
        // The bar ends when nobody reads on: the count stands at the total, or
        // this handle is the last.
        drop(std::thread::Builder::new().name("progress".into()).spawn(move || {
            while Arc::strong_count(&progress) > 1 && progress.read() < total {
                bar.set_position(progress.read());
                std::thread::sleep(std::time::Duration::from_millis(200));
            }
            bar.finish_and_clear();
        }));
    })
}

/// The catalogue in effect.
pub(super) fn catalogue(args: &MatchArgs) -> Result<Arc<Catalogue>, Stop> {
    args.catalogue.load().map(Arc::new).map_err(Stop::usage)
}

/// What makes pseudonyms of hosts, where that is wanted.
pub(super) fn pseudonyms(
    args: &MatchArgs,
    home: &HomeNets,
    catalogue: &Arc<Catalogue>,
    quiet: bool,
) -> Result<Option<Arc<Pseudonyms>>, Stop> {
    let Some(path) = &args.pseudonymise else { return Ok(None) };
    let key = pseudonym_key(path, quiet)?;
    Ok(Some(Arc::new(Pseudonyms::new(&key, home, Arc::clone(catalogue)))))
}

/// The key for pseudonyms that a file holds.
pub(super) fn pseudonym_key(path: &Path, quiet: bool) -> Result<Vec<u8>, Stop> {
    let shown = path.display();
    let mut file = Vec::new();
    // A device may give bytes without end.
    let most = u64::try_from(pseudonym::MAX_KEY).unwrap_or(u64::MAX).saturating_add(1);
    let read = File::open(path).and_then(|f| f.take(most).read_to_end(&mut file));
    read.map_err(|e| Stop::usage(format_args!("--pseudonymise {shown}: {e}")))?;
    let key = pseudonym::key_of_file(&file).map_err(|e| Stop::usage(format_args!("--pseudonymise {shown} {e}")))?;
    if !quiet {
        warn_if_open("--pseudonymise", path);
    }
    Ok(key)
}

/// Says so where others could read a key.
pub(super) fn warn_if_open(option: &str, path: &Path) {
    #[cfg(unix)]
    if let Ok(meta) = path.metadata() {
        use std::os::unix::fs::PermissionsExt;
        if meta.is_file() && meta.permissions().mode() & 0o077 != 0 {
            say(format_args!("{option} {}: warning: other users can read this key (chmod 600)", path.display()));
        }
    }
}

/// The home networks in effect. `more` are the capturing interfaces' own.
pub(super) fn home(args: &MatchArgs, more: Vec<Prefix>) -> Result<HomeNets, Stop> {
    home_nets(&args.home_net, more)
}

/// The home networks that `--home-net` gives.
pub(super) fn home_nets(given: &[String], more: Vec<Prefix>) -> Result<HomeNets, Stop> {
    if given.is_empty() {
        return Ok(HomeNets::default_and(more));
    }
    if given.iter().any(|n| n == "any") {
        return if given.len() == 1 {
            Ok(HomeNets::any())
        } else {
            Err(Stop::usage("--home-net any stands alone: it holds every network"))
        };
    }
    let parse = |n: &String| {
        n.trim().parse().map_err(|e| {
            Stop::usage(format_args!(
                "--home-net {}: {e}; give a network such as 10.0.0.0/8, or any",
                Name::escape(n.as_bytes())
            ))
        })
    };
    given.iter().map(parse).collect::<Result<Vec<Prefix>, _>>().map(HomeNets::only)
}
