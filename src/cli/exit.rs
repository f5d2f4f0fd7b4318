//! Exit codes, and how trouble becomes one.

use crate::packet::link_name;
use crate::pipeline::{Failure, SourceReport};
use crate::store::StoreError;
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

impl From<StoreError> for Stop {
    fn from(e: StoreError) -> Self {
        Stop::failed(e)
    }
}

impl From<Failure> for Stop {
    fn from(f: Failure) -> Self {
        match f {
            Failure::Filter(e) => Stop::usage(e),
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

/// Says what was wrong with a source, and what that means for the exit code.
pub fn judge(report: &SourceReport) -> Exit {
    let path = report.path.display();
    let named = report.relative.is_none();
    let mut exit = Exit::Done;
    if let Some(e) = &report.error {
        say(format_args!("{path}: {e}"));
        let nothing = report.frames == 0;
        exit = if named && nothing { Exit::Failed } else { Exit::Partial };
    } else if report.frames == 0 {
        say(format_args!("{path}: the capture holds no packets"));
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
