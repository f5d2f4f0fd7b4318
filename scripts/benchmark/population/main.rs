//! Writes sighting records of a made-up population with the shape of the figures
//! that were published in 2024: eight months, 22,000 organisations and 7 million
//! addresses that fall to 8,000 and 2 million, with the falls of four countries
//! and the organisations of the United States that were still seen after the ban.
//!
//! ```text
//! cargo run --release --example population -- [--scale full|office] [--seed N]
//!     [--groups FILE] [--truth FILE] > RECORDS
//! ```
//!
//! Records come day by day. `--groups` gets a CSV of prefixes with organisation,
//! country and sector, `--truth` what must be counted, as JSON: both are made from
//! the plan, never from the records. The same seed gives the same bytes. Addresses
//! are of 240.0.0.0/4, which nobody has.

mod plan;
mod records;
mod truth;

use plan::{Scale, organisations, write_groups};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("population: {e}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> io::Result<()> {
    let (mut scale, mut seed) = (Scale::full(), 1u64);
    let (mut groups, mut truth) = (None, None);
    let mut records = true;
    let mut args = std::env::args().skip(1);
    let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidInput, what.to_owned());
    while let Some(arg) = args.next() {
        if arg == "--no-records" {
            records = false;
            continue;
        }
        let value = args.next().ok_or_else(|| wrong("an option without its value"))?;
        match (arg.as_str(), value.as_str()) {
            ("--scale", "full") => scale = Scale::full(),
            ("--scale", "office") => scale = Scale::office(),
            ("--seed", n) => seed = n.parse().map_err(|_| wrong("--seed needs a number"))?,
            ("--groups", path) => groups = Some(path.to_owned()),
            ("--truth", path) => truth = Some(path.to_owned()),
            _ => {
                return Err(wrong("usage: population [--scale full|office] [--seed N] [--groups FILE] [--truth FILE]"));
            }
        }
    }
    let orgs = organisations(&scale, seed);
    if let Some(path) = groups {
        let mut out = BufWriter::new(File::create(path)?);
        write_groups(&orgs, &mut out)?;
        out.flush()?;
    }
    if let Some(path) = truth {
        let truth = truth::truth(&orgs, &scale, seed);
        std::fs::write(path, serde_json::to_vec_pretty(&truth)?)?;
    }
    if records { records::write(&orgs, &scale, seed, &mut io::stdout().lock()) } else { Ok(()) }
}
