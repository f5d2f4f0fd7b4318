//! Running the program.

use serde_json::Value;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// What a run of the program came to.
#[derive(Debug)]
pub struct Ran {
    /// Exit code.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Ran {
    /// From a finished process. A signal that ended it fails the test, and so
    /// does the text of a panic.
    pub fn of(output: Output) -> Ran {
        let err = String::from_utf8(output.stderr).expect("standard error is text");
        let out = String::from_utf8(output.stdout).expect("standard output is text");
        let code = output.status.code().unwrap_or_else(|| panic!("{} with {err}", output.status));
        for text in [&out, &err] {
            assert!(!text.contains("panicked") && !text.contains("internal error"), "{text}");
        }
        Ran { code, out, err }
    }

    /// The records or names printed.
    pub fn json(&self) -> Vec<Value> {
        self.out.lines().map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{e}: {l}"))).collect()
    }

    /// What it said, without the summary: sentences begin with its name.
    pub fn said(&self) -> Vec<&str> {
        self.err.lines().filter_map(|l| l.strip_prefix("spansight: ")).collect()
    }

    /// Checks the exit code, and that exactly one sentence was said, which
    /// holds all of `words`.
    #[track_caller]
    pub fn said_once(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "{self:?}");
        let said = self.said();
        assert_eq!(said.len(), 1, "one sentence: {self:?}");
        for word in words {
            assert!(said[0].contains(word), "{word:?} is missing in {said:?}");
        }
    }
}

/// The program, about to be run. It must behave the same whatever the
/// developer's environment asks of panics.
pub fn program<A: AsRef<OsStr>>(args: &[A]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spansight"));
    command.args(args).env("RUST_BACKTRACE", "1").env_remove("COLUMNS").stdin(Stdio::null());
    command
}

/// Runs the program.
pub fn run<A: AsRef<OsStr>>(args: &[A]) -> Ran {
    Ran::of(program(args).output().unwrap())
}

/// Runs the program in a folder.
pub fn run_in<A: AsRef<OsStr>>(dir: &Path, args: &[A]) -> Ran {
    Ran::of(program(args).current_dir(dir).output().unwrap())
}

/// Runs `replay --follow` in a folder until a word is in its output, and ends it.
pub fn follow_until(dir: &Path, word: &str, more: &[&str]) -> Ran {
    let out = dir.join("out");
    let mut command = program(&["replay", "--follow", "--format", "ndjson"]);
    command.args(more).current_dir(dir).stdout(File::create(&out).unwrap()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let began = Instant::now();
    while !fs::read_to_string(&out).unwrap().contains(word) {
        assert!(began.elapsed() < Duration::from_secs(60), "{word} was not printed");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    let mut ran = Ran::of(child.wait_with_output().unwrap());
    ran.out = fs::read_to_string(&out).unwrap();
    ran
}

/// Runs the program with bytes on its standard input.
pub fn run_with_input<A: AsRef<OsStr>>(args: &[A], input: &[u8]) -> Ran {
    let mut command = program(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // A program that stops reading early is not at fault.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    Ran::of(output)
}
