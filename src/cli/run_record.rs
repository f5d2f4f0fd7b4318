//! The record of a run: what ran, with what, when, and how it ended.

use super::environment;
use super::exit::Exit;
use crate::base::Timestamp;
use crate::catalogue::Catalogue;
use crate::pipeline::SourceReport;
use crate::sighting::Pseudonyms;
use crate::store::{Run, UNREAD};

/// A run that starts now. What it runs on is noted by [`complete`].
pub(super) fn begin(
    catalogue: &Catalogue,
    home_nets: Vec<String>,
    sensor: &str,
    hash: &str,
    started: Timestamp,
) -> Run {
    Run {
        version: env!("CARGO_PKG_VERSION").into(),
        command: std::env::args_os().map(|a| a.to_string_lossy().into_owned()).collect(),
        catalogue_sha256: catalogue.sha256_hex(),
        catalogue: catalogue.effective_toml(),
        home_nets,
        sensor: sensor.into(),
        hash: hash.into(),
        started,
        ended: None,
        exit_code: None,
        exit_reason: None,
        environment: Default::default(),
    }
}

/// Notes what a run that will be stored runs on; this reads the program itself,
/// which takes a while. With pseudonyms, nothing of it says who a host is.
pub(super) fn complete(run: &mut Run, pseudonyms: Option<&Pseudonyms>) {
    run.environment = environment::known();
    if let Some(p) = pseudonyms {
        // The sensor may be one of the hosts that it sees.
        run.environment.retain(|word, _| !["host", "user"].contains(&word.as_str()));
        run.environment.insert("pseudonyms".into(), p.key_id());
        run.command.iter_mut().for_each(|arg| *arg = p.text(arg));
    }
}

/// Notes how many inputs gave nothing to keep. Neither how the run ended, which
/// may tell of findings, nor its sources say so, and what they held is missing.
pub(super) fn unread(run: &mut Run, reports: &[SourceReport], unusable: u64) {
    let gave_nothing = |r: &&SourceReport| match r.error {
        Some(_) => r.id.is_none() || r.span.is_none(),
        None => r.is_undecodable(),
    };
    let unread = unusable.saturating_add(reports.iter().filter(gave_nothing).count() as u64);
    if unread > 0 {
        run.environment.insert(UNREAD.into(), unread.to_string());
    }
}

/// How it ended.
pub(super) fn end(run: &mut Run, exit: Exit) {
    run.ended = Some(Timestamp::now());
    let (code, reason) = match exit {
        Exit::Done => (0, "done"),
        Exit::Partial => (1, "done, but some input could not be read in full"),
        Exit::Usage => (2, "wrong usage or configuration"),
        Exit::Failed => (3, "failed"),
        Exit::Findings => (4, "done, with findings that --fail-on asks for"),
    };
    run.exit_code = Some(code);
    run.exit_reason = Some(reason.into());
}
