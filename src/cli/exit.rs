//! Exit codes, and how trouble becomes one.

use super::panics;
use crate::packet::link_name;
use crate::pipeline::{Failure, SourceReport};
use std::fmt::Display;
use std::process::ExitCode;

/// How a run ended. The greater outranks the lesser, but findings lie between
/// partial and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// 0: done.
    #[default]
    Done,
    /// 1: done, but some input could not be read in full.
    Partial,
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

impl From<Failure> for Stop {
    fn from(f: Failure) -> Self {
        match f {
            Failure::Filter(e) => Stop::usage(e),
            Failure::Worker => Stop::failed(panics::sentence()),
            other => Stop::failed(other),
        }
    }
}

/// Prints a sentence to standard error. A closed standard error is no reason
/// to fail.
pub fn say(sentence: impl Display) {
    use std::io::Write;
    drop(writeln!(std::io::stderr(), "spansight: {sentence}"));
}

/// Warns of a capture without packets, which is sound but useless.
pub fn warn_if_empty(report: &SourceReport) {
    if report.frames == 0 && report.error.is_none() {
        say(format_args!("{}: warning: the capture holds no packets", report.path.display()));
    }
}

/// Says every sentence but the last of what went wrong after the records were
/// made, and stops with that one.
pub fn all_of(steps: impl IntoIterator<Item = Result<(), Stop>>) -> Result<(), Stop> {
    let mut trouble: Option<Stop> = None;
    for stop in steps.into_iter().filter_map(Result::err) {
        if let Some(before) = trouble.replace(stop) {
            say(before.message);
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
