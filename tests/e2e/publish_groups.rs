//! Publications of groups only: what is left out of their table, and what of it
//! `spansight verify` can show.

use crate::measure::report;
use crate::publish::{BY, USAGE, WINDOWS, copy, imported, publish, repair, value, verify};
use crate::support::program::{Ran, run_in};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// The counts of a signal in the rows of `cells.json`, the total last.
fn counts(cells: &Value, signal: &str, period: usize) -> Vec<Option<u64>> {
    let rows = cells["rows"].as_array().unwrap();
    rows.iter().map(|r| r[signal][period]["hosts"].as_u64()).collect()
}

#[test]
fn small_groups_are_left_out_and_cannot_be_had_from_the_total() {
    let dir = imported(60);
    let dir = dir.path();
    let window = ["--window", "2025-04..2025-06", "--groups", "groups.csv", "--by", "country,country+org"];
    let two = [&["publish", "--store", "s.db", "--output", "x", "--groups-only"], &window[..]].concat();
    run_in(dir, &two).said_once(USAGE, &["one breakdown"]);
    let window = ["--window", "2025-04..2025-06", "--groups", "groups.csv", "--by", "org"];
    let trend = report(
        dir,
        &[&["trend", "--store", "s.db", "--format", "json", "-q", "--step", "month"], &window[..]].concat(),
    );
    publish(dir, "some", &[&window[..], &["--groups-only", "--min-group", "12"]].concat());
    let some = value(&dir.join("some/cells.json"));
    let mut left_out = 0;
    for signal in ["update", "reputation"] {
        for period in 0..3 {
            let hosts = |point: &Value| point[signal]["hosts"]["hosts"].as_u64();
            let groups = trend["by"][0]["groups"].as_array().unwrap().iter().map(|g| hosts(&g["points"][period]));
            let all: Vec<Option<u64>> = groups.chain([hosts(&trend["whole"][period])]).collect();
            let some = counts(&some, signal, period);
            assert_eq!(all.len(), some.len());
            let hidden: Vec<u64> =
                all.iter().zip(&some).filter(|(_, s)| s.is_none()).map(|(a, _)| a.unwrap()).collect();
            assert!(some.iter().flatten().all(|n| *n == 0 || *n >= 12), "{some:?}");
            assert!(all.iter().zip(&some).all(|(a, s)| s.is_none() || a == s));
            if some.last().unwrap().is_some() {
                assert!(hidden.is_empty() || hidden.len() > 1 && hidden.iter().sum::<u64>() >= 12, "{hidden:?}");
            }
            left_out += hidden.len();
        }
    }
    assert!(left_out > 2, "{left_out}");
    let files: Vec<String> = fs::read_dir(dir.join("some"))
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with("catalogue-"))
        .collect();
    assert_eq!(files.len(), 3, "{files:?}");
    let ran = verify(dir, &["some"]);
    assert!(ran.code == 0 && ran.out.contains("it has no records: counts, bounds"), "{ran:?}");
}

#[test]
fn counts_of_groups_must_agree_with_each_other() {
    let dir = imported(60);
    let dir = dir.path();
    publish(dir, "cells", &[&WINDOWS[..], &["--groups-only", "--min-group", "3"]].concat());
    let ran = verify(dir, &["cells"]);
    assert!(ran.code == 0 && ran.out.contains("cells.json: "), "{ran:?}");
    let rows = value(&dir.join("cells/cells.json"))["rows"].as_array().unwrap().len();
    type Act = fn(&mut Value);
    let acts: [(Act, &str); 6] = [
        (|both| both["share"]["share"] = 0.999.into(), "/share/share: claimed 0.999"),
        (|both| both["gone"] = 100_000.into(), "/gone: claimed 100000"),
        (|both| both["baseline"]["hosts"] = 1.into(), "1 hosts are fewer than 3"),
        (|both| both["new"] = 1.into(), "of still, gone and new one is of fewer than 3 hosts"),
        (|both| both["headline"] = "use rose by 900 %".into(), "cells.json cannot be read"),
        (|both| both["current"]["lower"] = 100_000.into(), "at least 100000"),
    ];
    for (act, words) in acts {
        let ran = altered_cells(dir, "cells", &mut |cells, _| {
            let total = &mut cells["rows"][rows - 1]["update"];
            assert!(total.is_object(), "{total}");
            act(total);
        });
        assert!(ran.code == 1 && ran.out.contains(words), "{words}: {ran:?}");
    }
}

/// What is found of a publication whose table, and manifest, somebody altered
/// who can repair hashes.
fn altered_cells(dir: &Path, from: &str, act: &mut dyn FnMut(&mut Value, &mut Value)) -> Ran {
    let to = dir.join("altered");
    copy(&dir.join(from), &to);
    let (cells, manifest) = (to.join("cells.json"), to.join("manifest.json"));
    let (mut table, mut made) = (value(&cells), value(&manifest));
    act(&mut table, &mut made);
    fs::write(cells, table.to_string()).unwrap();
    fs::write(manifest, made.to_string()).unwrap();
    repair(&to);
    let ran = verify(dir, &["altered"]);
    fs::remove_dir_all(to).unwrap();
    ran
}

#[test]
fn a_rule_that_leaves_out_nothing_or_without_end_is_refused() {
    let dir = imported(30);
    let dir = dir.path();
    publish(dir, "cells", &["--window", "2025-04..2025-06", "--groups-only", BY[0], BY[1], BY[2], BY[3]]);
    for least in [0u64, 1, 2, 1_000_001, 1_000_000_000_000_000_000] {
        let ran = altered_cells(dir, "cells", &mut |cells, manifest| {
            cells["min_group"] = least.into();
            manifest["options"]["min_group"] = least.into();
            // As small ones of such a K would be left out.
            cells["rows"][0]["update"][0] = Value::Null;
            cells["rows"][1]["update"][0] = Value::Null;
        });
        let words = format!("DOES NOT HOLD cells.json /min_group: claimed {least}, and it can be 3 to 1000000");
        assert!(ran.code == 1 && ran.out.contains(&words), "{ran:?}");
    }
}

/// What the table says beside counts is what its manifest says, of a fixed kind,
/// or named as not checked.
#[test]
fn nothing_else_stands_in_a_table_of_groups() {
    let dir = imported(60);
    let dir = dir.path();
    publish(dir, "two", &[&WINDOWS[..], &BY, &["--groups-only"]].concat());
    publish(dir, "periods", &[&["--window", "2025-04..2025-06", "--groups-only"], &BY[..]].concat());
    for folder in ["two", "periods"] {
        let ran = verify(dir, &[folder]);
        let words = "NOT CHECKED cells.json /windows/*/coverage apart from quarters and up, ";
        assert!(ran.code == 0 && ran.out.contains(words), "{ran:?}");
    }
    type Act = fn(&mut Value);
    let acts: [(&str, Act, &str); 16] = [
        ("two", |c| c["windows"][1]["days"]["first"] = "2025-05-01".into(), "/windows/1/days/first: claimed \"2025-05"),
        ("two", |c| c["windows"][0]["label"] = "2024".into(), "/windows/0/label: claimed \"2024\""),
        ("two", |c| c["windows"][0]["days"]["much"] = 900.into(), "/windows/0/days/much: claimed 900"),
        ("two", |c| c["comparable"] = Value::Null, "/comparable: it is said of two windows"),
        ("two", |c| c["rows"][0]["update"] = json!([null, null]), "/rows/0/update: it is not of as many windows"),
        ("periods", |c| c["windows"][2]["days"]["last"] = "2025-07-31".into(), "/windows/2/days/last: claimed"),
        ("periods", |c| drop(c["windows"].as_array_mut().unwrap().pop()), "/windows/2: claimed nothing"),
        ("periods", |c| c["schema"] = "x".into(), "/schema: "),
        ("periods", |c| c["comparable"] = true.into(), "/comparable: it is said of two windows"),
        ("periods", |c| c["differences"] = json!(["use rose"]), "cells.json cannot be read"),
        ("periods", |c| c["windows"][0]["coverage"]["headline"] = "use rose".into(), "cells.json cannot be read"),
        ("periods", |c| c["rows"][0]["group"] = json!({"use rose": "by 900 %"}), "/rows/0/group: it has other columns"),
        ("periods", |c| c["rows"][1]["group"] = c["rows"][0]["group"].clone(), "/rows/1/group: it stands twice"),
        ("periods", |c| c["method"]["text"][0] = "Use rose.".into(), "/method/text/0: claimed \"Use rose.\""),
        ("periods", |c| c["method"]["groups"] = json!([]), "/method/groups: the manifest says otherwise"),
        (
            "periods",
            |c| c["windows"][0]["coverage"]["shares"] = json!({"use_rose": 0.9}),
            "/windows/0/coverage/shares: there is one",
        ),
    ];
    for (folder, act, words) in acts {
        let ran = altered_cells(dir, folder, &mut |cells, _| act(cells));
        assert!(ran.code == 1 && ran.out.contains(words), "{words}: {ran:?}");
    }
    // A total that is null in place of a list was taken for one left out.
    let ran = altered_cells(dir, "periods", &mut |cells, _| {
        let last = cells["rows"].as_array().unwrap().len() - 1;
        cells["rows"][last]["update"] = Value::Null;
    });
    assert!(ran.code == 1 && ran.out.contains("/update: it is not of as many windows as the table"), "{ran:?}");
    // What it says of why figures are in doubt follows from nothing in it.
    let ran = altered_cells(dir, "periods", &mut |cells, _| cells["warnings"] = json!(["Use rose."]));
    assert!(ran.out.contains("NOT CHECKED cells.json ") && ran.out.contains("/warnings"), "{ran:?}");
}
