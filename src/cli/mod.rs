//! One file per command; raw arguments become checked options here.

pub mod args;
mod by_parts;
pub mod catalogue;
mod compare;
mod environment;
mod evidence;
mod exit;
mod explain;
mod export;
mod fail_on;
mod follow;
mod hosts;
mod import;
mod inputs;
mod judged;
mod judging;
mod measuring;
mod names;
mod narrowed;
mod output;
pub mod panics;
mod places;
mod publish;
mod replay;
mod report;
mod run_record;
mod stored;
mod trend;
mod verify;
mod watch;

pub use exit::Exit;

use args::{Cli, Command};
use clap::Parser;
use exit::{Stop, say, say_lines};
use std::process::ExitCode;

/// Runs the command line and returns its exit code. A bug that ends it is said
/// in one sentence.
pub fn main() -> ExitCode {
    panics::silence();
    outlive_size_limit();
    std::panic::catch_unwind(run).unwrap_or_else(|_| {
        say(panics::sentence());
        Exit::Failed.into()
    })
}

/// Beyond the limit for the size of a file (`ulimit -f`) a write then fails, which is
/// said, instead of a signal that ends the program.
fn outlive_size_limit() {
    #[cfg(unix)]
    drop(signal_hook::flag::register(signal_hook::consts::SIGXFSZ, std::sync::Arc::default()));
}

fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => {
            drop(e.print());
            return ExitCode::from(u8::try_from(e.exit_code()).unwrap_or(2));
        }
    };
    let result = match cli.command {
        Command::Replay(args) => replay::run(&args),
        Command::Watch(args) => watch::run(&args),
        Command::Names(args) => names::run(&args),
        Command::Hosts(args) => hosts::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Trend(args) => trend::run(&args),
        Command::Compare(args) => compare::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Import(args) => import::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Publish(args) => publish::run(&args),
        Command::Catalogue(command) => catalogue::run(&command),
    };
    match result {
        Ok(exit) => exit.into(),
        Err(Stop { exit, message }) => {
            if !message.is_empty() {
                say_lines(&message);
            }
            exit.into()
        }
    }
}
