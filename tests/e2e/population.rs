//! A made-up population with the shape of published figures, at the size of an
//! office: what is counted of its records is what its plan says.

use crate::support::program::run_in;
use made_up::{plan, records, truth};
use serde_json::Value;
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::Path;
use tempfile::TempDir;

#[path = "../../scripts/benchmark/population"]
#[allow(dead_code, reason = "shared with the generator")]
mod made_up {
    pub mod plan;
    pub mod records;
    pub mod truth;
}

/// A report as JSON.
fn report(dir: &Path, args: &[&str]) -> Value {
    let common = ["-q", "--groups", "groups.csv", "--home-net", "any", "--format", "json"];
    let ran = run_in(dir, &[args, &common].concat());
    assert_eq!(ran.code, 0, "{args:?}: {}", ran.err);
    serde_json::from_str(&ran.out).unwrap()
}

/// The group with these values in a breakdown by these columns.
fn group<'r>(report: &'r Value, columns: &[&str], values: &[&str]) -> &'r Value {
    let by = report["by"].as_array().unwrap().iter().find(|b| b["columns"] == serde_json::json!(columns)).unwrap();
    let is = |g: &&Value| columns.iter().zip(values).all(|(c, v)| g["group"][*c] == *v);
    by["groups"].as_array().unwrap().iter().find(is).unwrap()
}

/// Of as many records as make several parts of an archive.
fn hosts_are_those_of_a_store(dir: &Path) {
    let all = fs::read_to_string(dir.join("all.ndjson")).unwrap();
    let some: String = all.split_inclusive('\n').step_by(6).take(80_000).collect();
    fs::write(dir.join("some.ndjson"), some).unwrap();
    for store in ["some.db", "some/"] {
        assert_eq!(run_in(dir, &["import", "-q", "--store", store, "some.ndjson"]).code, 0);
    }
    let manifest: Value = serde_json::from_slice(&fs::read(dir.join("some/archive.json")).unwrap()).unwrap();
    assert!(manifest["pieces"].as_array().unwrap().len() > 1);
    // How long ago a host was seen must not depend on when the test runs.
    let hosts = |store| {
        let args = ["hosts", "--store", store, "--home-net", "any", "--format", "csv", "--until", "2025-01-01"];
        run_in(dir, &args)
    };
    let (of_store, of_archive) = (hosts("some.db"), hosts("some"));
    assert!(of_store.code == 0 && of_store.out.lines().count() > 5_000);
    assert!(of_archive.out == of_store.out && of_archive.err == of_store.err);
}

#[test]
fn every_figure_of_an_archive_is_that_of_the_plan() {
    let dir = TempDir::new().unwrap();
    let dir = dir.path();
    let scale = plan::Scale::office();
    let orgs = plan::organisations(&scale, 1);
    let truth = truth::truth(&orgs, &scale, 1);
    plan::write_groups(&orgs, &mut File::create(dir.join("groups.csv")).unwrap()).unwrap();
    let mut out = BufWriter::new(File::create(dir.join("all.ndjson")).unwrap());
    records::write(&orgs, &scale, 1, &mut out).unwrap();
    drop(out);
    let ran = run_in(dir, &["import", "--store", "archive/", "all.ndjson"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(ran.err, format!("Records read: {}, sources: 5.\n", truth["records"]["all"]));
    hosts_are_those_of_a_store(dir);
    fs::remove_file(dir.join("all.ndjson")).unwrap();

    let trend = report(dir, &["trend", "--store", "archive", "--by", "country"]);
    let month = |what: &str, point: &Value, want: &Value| {
        assert_eq!(point["update"]["hosts"]["hosts"], want["addresses"], "{what}");
        assert_eq!(point["update"]["hosts"]["by_address"], want["addresses"], "{what}");
        assert_eq!(point["update"]["organisations"]["seen"], want["organisations"], "{what}");
    };
    for (at, (number, _)) in plan::MONTHS.iter().enumerate() {
        let label = format!("2024-{number:02}");
        assert_eq!(trend["periods"][at]["label"], *label);
        month(&label, &trend["whole"][at], &truth["months"][&label]);
        assert_eq!(trend["whole"][at]["reputation"]["hosts"]["hosts"], truth["reputation"][&label], "{label}");
        for country in ["US", "DE", "GB", "IT", "FR"] {
            let want = &truth["countries"][country]["months"][&label];
            month(country, &group(&trend, &["country"], &[country])["points"][at], want);
        }
    }

    let windows = ["--baseline", "2024-04", "--current", "2024-11"];
    let change = report(dir, &[["compare", "--store", "archive", "--by", "country"].as_slice(), &windows].concat());
    for (country, fall) in [("US", -58.0), ("DE", -69.0), ("GB", -70.0), ("IT", -65.0)] {
        let (found, want) = (group(&change, &["country"], &[country]), &truth["countries"][country]["change"]);
        assert_eq!(found["update"]["hosts"]["per_cent"], fall, "{country}");
        for word in ["still", "gone", "new"] {
            assert_eq!(found["update"]["cohort"][word], want["addresses"][word], "{country} {word}");
        }
        assert_eq!(found["update"]["organisation_cohort"]["still"], want["organisations"]["still"], "{country}");
    }

    let windows = ["--baseline", "2024-04-01..2024-09-28", "--current", "2024-09-29..2024-11-30"];
    let by = ["compare", "--store", "archive", "--by", "country,country+sector"];
    let cohort = report(dir, &[by.as_slice(), &windows].concat());
    let us = &group(&cohort, &["country"], &["US"])["update"]["organisation_cohort"];
    assert_eq!((&us["of"], &us["still"]), (&50.into(), &20.into()));
    assert_eq!(us["share"]["share"], 0.4);
    let bodies = &group(&cohort, &["country", "sector"], &["US", "government"])["update"]["organisation_cohort"];
    assert_eq!(bodies["still"], 19);
}
