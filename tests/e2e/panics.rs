//! A bug is said in one sentence; the panic's own text reaches nobody.

use spansight::cli::panics;
use std::process::Command;

/// Runs in a process of its own, since a panic hook belongs to the process.
#[test]
fn a_silenced_panic() {
    if std::env::var_os("SPANSIGHT_TEST_PANICS").is_none() {
        return;
    }
    panics::silence();
    let worker = std::thread::Builder::new().name("worker".into()).spawn(|| panic!("inner words")).unwrap();
    assert!(worker.join().is_err());
    eprintln!("{}", panics::sentence());
}

#[test]
fn a_panic_becomes_one_sentence() {
    for backtrace in ["0", "1", "full"] {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture", "panics::a_silenced_panic"])
            .env("SPANSIGHT_TEST_PANICS", "1")
            .env("RUST_BACKTRACE", backtrace)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let err = String::from_utf8(output.stderr).unwrap();
        assert!(err.starts_with("an internal error at tests/e2e/panics.rs:"), "{err}");
        assert_eq!(err.lines().count(), 1, "{err}");
        assert!(!err.contains("inner words") && !err.contains("panicked"), "{err}");
    }
}
