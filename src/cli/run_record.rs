//! The record of a run: what ran, with what, when, and how it ended.

use super::environment;
use super::exit::Exit;
use crate::base::Timestamp;
use crate::catalogue::Catalogue;
use crate::sighting::{HomeNets, Pseudonyms};
use crate::store::Run;

/// A run that starts now; `kept` if it will be stored.
pub(super) fn begin(
    catalogue: &Catalogue,
    home: &HomeNets,
    pseudonyms: Option<&Pseudonyms>,
    sensor: &str,
    hash: &str,
    started: Timestamp,
    kept: bool,
) -> Run {
    // Reading the program itself takes a while, so only for what is kept.
    let mut environment = if kept { environment::known() } else { Default::default() };
    let mut command: Vec<String> = std::env::args_os().map(|a| a.to_string_lossy().into_owned()).collect();
    let mut home_nets = home.describe();
    if let Some(p) = pseudonyms {
        // The sensor may be one of the hosts that it sees.
        environment.retain(|word, _| !["host", "user"].contains(&word.as_str()));
        environment.insert("pseudonyms".into(), p.key_id());
        command.iter_mut().for_each(|arg| *arg = p.text(arg));
        home_nets = p.describe_home();
    }
    Run {
        version: env!("CARGO_PKG_VERSION").into(),
        command,
        catalogue_sha256: catalogue.sha256_hex(),
        catalogue: catalogue.effective_toml(),
        home_nets,
        sensor: sensor.into(),
        hash: hash.into(),
        started,
        ended: None,
        exit_code: None,
        exit_reason: None,
        environment,
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
    };
    run.exit_code = Some(code);
    run.exit_reason = Some(reason.into());
}
