//! One file per command; raw arguments become checked options here.

pub mod args;
pub mod catalogue;
mod exit;
mod inputs;
mod names;
mod output;
mod replay;
mod run_record;
mod watch;

pub use exit::Exit;

use args::{Cli, Command};
use clap::Parser;
use exit::{Stop, say};
use std::process::ExitCode;

/// Runs the command line and returns its exit code.
pub fn main() -> ExitCode {
    quiet_panics();
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
        Command::Catalogue(command) => catalogue::run(&command),
    };
    match result {
        Ok(exit) => exit.into(),
        Err(Stop { exit, message }) => {
            if !message.is_empty() {
                say(message);
            }
            exit.into()
        }
    }
}

/// A panic is a bug; its message is for developers. What the user gets is the
/// sentence of the failed run.
fn quiet_panics() {
    if std::env::var_os("RUST_BACKTRACE").is_none_or(|v| v == "0") {
        std::panic::set_hook(Box::new(|_| {}));
    }
}
