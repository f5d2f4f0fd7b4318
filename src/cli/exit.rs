//! Exit codes, and how trouble becomes one.

use super::panics;
use crate::packet::link_name;
use crate::pipeline::{Failure, SourceReport, repeated};
use crate::report::clean;
use crate::store::StoreError;
use std::fmt::Display;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

/// How a run ended. The greater outranks the lesser; findings lie between
/// partial and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// 0: done.
    #[default]
    Done,
    /// 1: done, but some input could not be read in full.
    Partial,
    /// 4: done, and there are hosts that `--fail-on` asks for.
    Findings,
    /// 3: a named path is no readable capture, nothing was delivered, or
    /// capture, store, output or a worker failed.
    Failed,
    /// 2: wrong usage or configuration.
    Usage,
}

impl From<Exit> for ExitCode {
    fn from(e: Exit) -> ExitCode {
        ExitCode::from(match e {
            Exit::Done => 0,
            Exit::Partial => 1,
            Exit::Usage => 2,
            Exit::Failed => 3,
            Exit::Findings => 4,
        })
    }
}

/// Why a command stops at once: a sentence and its exit code.
#[derive(Debug)]
pub struct Stop {
    /// The exit code.
    pub exit: Exit,
    /// What is wrong and what to do.
    pub message: String,
}

impl Stop {
    /// Wrong usage or configuration.
    pub fn usage(message: impl Display) -> Self {
        Stop { exit: Exit::Usage, message: message.to_string() }
    }

    /// Something failed.
    pub fn failed(message: impl Display) -> Self {
        Stop { exit: Exit::Failed, message: message.to_string() }
    }
}

impl From<StoreError> for Stop {
    fn from(e: StoreError) -> Self {
        Stop::failed(e)
    }
}

impl From<Failure> for Stop {
    fn from(f: Failure) -> Self {
        match f {
            Failure::Filter(e) => Stop::usage(e),
            Failure::Worker => Stop::failed(panics::sentence()),
            other => Stop::failed(other),
        }
    }
}

/// Prints a sentence to standard error. What the network or a file's name put
/// into it cannot act on a terminal. A closed standard error is no reason to
/// fail.
pub fn say(sentence: impl Display) {
    tell(&format!("spansight: {}\n", clean(&sentence.to_string())));
}

/// Prints why a command stops: a sentence, which may go on with a list, one
/// entry a line.
pub fn say_lines(message: &str) {
    let mut lines = message.lines();
    say(lines.next().unwrap_or_default());
    for line in lines {
        tell(&format!("{}\n", clean(line)));
    }
}

/// Nobody waits for whoever reads standard error.
static WAITS_NOT: AtomicBool = AtomicBool::new(false);

/// From now on what nobody reads of standard error is left out, as by a sensor:
/// it must not stop with a pager that both its outputs lead to.
pub fn wait_for_no_reader() {
    WAITS_NOT.store(true, Ordering::Relaxed);
}

/// Writes to standard error as it is.
pub fn tell(text: &str) {
    use std::io::Write;
    // A pipe that has room has it for so much.
    for piece in text.as_bytes().chunks(4096) {
        if (WAITS_NOT.load(Ordering::Relaxed) && !is_read()) || std::io::stderr().write_all(piece).is_err() {
            return;
        }
    }
}

/// Whether standard error takes something now, or within a second if it did
/// before.
fn is_read() -> bool {
    #[cfg(unix)]
    {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        static STALLED: AtomicBool = AtomicBool::new(false);
        let patience = i64::from(!STALLED.load(Ordering::Relaxed));
        let stderr = std::io::stderr();
        let mut fds = [PollFd::new(&stderr, PollFlags::OUT)];
        let room = poll(&mut fds, Some(&Timespec { tv_sec: patience, tv_nsec: 0 })) != Ok(0);
        STALLED.store(!room, Ordering::Relaxed);
        room
    }
    #[cfg(not(unix))]
    true
}

/// Says what was wrong with the sources of a run, and what that means for the
/// exit code. A capture without packets is a warning, left out if `quiet`; a
/// run without any is a failure.
pub fn judge_all(reports: &[SourceReport], quiet: bool) -> Exit {
    let exit = reports.iter().map(judge).max().unwrap_or_default();
    let empty = || reports.iter().filter(|r| r.frames == 0 && r.error.is_none());
    if reports.iter().all(|r| r.frames == 0) {
        match empty().next() {
            Some(only) if reports.len() == 1 => {
                say(format_args!(
                    "{}: no packet was read, so nothing is known; check the capture",
                    only.path.display()
                ));
            }
            _ if exit < Exit::Failed => say("no packet was read, so nothing is known; check the captures"),
            _ => {}
        }
        return Exit::Failed;
    }
    if !quiet {
        for report in empty() {
            say(format_args!("{}: warning: the capture holds no packets", report.path.display()));
        }
        for (report, first) in reports.iter().zip(repeated(reports)) {
            if let Some(first) = first.and_then(|at| reports.get(at)) {
                let (path, first) = (report.path.display(), first.path.display());
                say(format_args!("{path}: warning: the same capture as {first}; its sightings count once"));
            }
        }
    }
    exit
}

/// Says every sentence but the last of what went wrong after the records were
/// made, and stops with that one.
pub fn all_of(steps: impl IntoIterator<Item = Result<(), Stop>>) -> Result<(), Stop> {
    let mut trouble: Option<Stop> = None;
    for stop in steps.into_iter().filter_map(Result::err) {
        if let Some(before) = trouble.replace(stop) {
            say_lines(&before.message);
        }
    }
    trouble.map_or(Ok(()), Err)
}

/// Says what was wrong with a source, and what that means for the exit code.
pub fn judge(report: &SourceReport) -> Exit {
    let path = report.path.display();
    let named = report.relative.is_none();
    let mut exit = Exit::Done;
    if let Some(e) = &report.error {
        say(format_args!("{path}: {e}"));
        let nothing = report.frames == 0;
        exit = if named && nothing { Exit::Failed } else { Exit::Partial };
    }
    if !report.unsupported.is_empty() {
        let links: Vec<String> = report.unsupported.keys().map(|l| link_name(*l).into_owned()).collect();
        let links = links.join(", ");
        if report.is_undecodable() {
            say(format_args!(
                "{path}: link type {links} is not supported; capture on an Ethernet, cooked or raw IP interface"
            ));
            exit = exit.max(if named { Exit::Failed } else { Exit::Partial });
        } else {
            let n: u64 = report.unsupported.values().sum();
            say(format_args!("{path}: {n} frames of link type {links} could not be decoded; the others were"));
            exit = exit.max(Exit::Partial);
        }
    }
    exit
}
