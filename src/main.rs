//! Runs the command line and turns its outcome into an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    match std::panic::catch_unwind(spansight::cli::main) {
        Ok(code) => code,
        Err(_) => {
            eprintln!("spansight: an internal error ended the run; this is a bug: please report it with the input");
            ExitCode::from(3)
        }
    }
}
