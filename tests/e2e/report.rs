//! `spansight report`: a page that needs nothing else, and the same as JSON and
//! CSV.

use crate::support::office::Office;
use crate::support::program::{Ran, run_in};
use serde_json::Value;
use std::fs;
use std::sync::LazyLock;
use tempfile::TempDir;

const DONE: i32 = 0;
const PARTIAL: i32 = 1;
const USAGE: i32 = 2;
const FAILED: i32 = 3;
const FINDINGS: i32 = 4;

/// A folder with the store of an office.
fn office(office: &Office) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    office.store(&dir.path().join("s.db"));
    dir
}

/// Two weeks of a small office, for tests that only read.
static TWO_WEEKS: LazyLock<TempDir> = LazyLock::new(|| office(&Office::default()));

fn report(dir: &TempDir, args: &[&str]) -> Ran {
    run_in(dir.path(), &[&["report", "--store", "s.db"], args].concat())
}

/// The page, from standard output.
fn page(dir: &TempDir, args: &[&str]) -> String {
    let ran = report(dir, &[&["--html", "-", "-q"], args].concat());
    assert_eq!((ran.code, ran.err.as_str()), (DONE, ""), "{ran:?}");
    ran.out
}

fn json(dir: &TempDir, args: &[&str]) -> Value {
    let ran = report(dir, &[&["--json", "-", "-q"], args].concat());
    assert_eq!((ran.code, ran.err.as_str()), (DONE, ""), "{ran:?}");
    serde_json::from_str(&ran.out).unwrap()
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|v| v.as_str().unwrap()).collect()
}

/// The elements and attributes of a page, in order: name and attributes of each
/// tag. Panics where a tag is not closed or nested wrongly.
fn tags(page: &str) -> Vec<(String, Vec<(String, String)>)> {
    const VOID: [&str; 4] = ["meta", "link", "input", "br"];
    let mut all = Vec::new();
    let mut open: Vec<String> = Vec::new();
    let mut rest = page.strip_prefix("<!DOCTYPE html>").expect("a document type");
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let end = rest.find('>').expect("a tag ends");
        let (tag, behind) = (&rest[..end], &rest[end + 1..]);
        rest = behind;
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "what is closed was open");
            continue;
        }
        let (name, mut attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        assert!(name.bytes().all(|b| b.is_ascii_alphanumeric()), "{name:?} is an element");
        let mut found = Vec::new();
        while !attributes.trim().is_empty() {
            let (key, value) = attributes.split_once('=').expect("each attribute has a value");
            let value = value.strip_prefix('"').expect("in quotes");
            let (value, more) = value.split_once('"').expect("in quotes");
            found.push((key.trim().to_owned(), value.to_owned()));
            attributes = more;
        }
        all.push((name.to_owned(), found));
        if name == "style" || name == "script" {
            let close = format!("</{name}>");
            let end = rest.find(&close).expect("its end");
            rest = &rest[end + close.len()..];
        } else if !VOID.contains(&name) {
            open.push(name.to_owned());
        }
    }
    assert!(open.is_empty(), "all is closed: {open:?}");
    all
}

fn attribute<'t>(attributes: &'t [(String, String)], key: &str) -> Option<&'t str> {
    attributes.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str())
}

#[test]
fn a_page_loads_nothing_and_is_sound() {
    let page = page(&TWO_WEEKS, &[]);
    let tags = tags(&page);
    let policy = tags.iter().find_map(|(name, a)| {
        (name == "meta" && attribute(a, "http-equiv") == Some("Content-Security-Policy"))
            .then(|| attribute(a, "content").unwrap())
    });
    let policy = policy.expect("a content security policy");
    assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe") && !policy.contains("http"));
    for (name, attributes) in &tags {
        for (key, value) in attributes {
            assert!(!key.starts_with("on") && key != "style" && key != "src", "{name} {key}={value}");
            let local = value.starts_with('#') || value == "data:,";
            assert!(key != "href" || local, "{name} {key}={value}");
        }
        assert!(
            !["iframe", "object", "embed", "img", "base", "form", "image", "use"].contains(&name.as_str()),
            "{name}"
        );
    }
    assert!(page.matches("<script>").count() == 1 && page.matches("<style>").count() == 1);
    assert!(!page.contains("url(") && !page.contains("@import"));
}

#[test]
fn a_page_can_be_read_aloud_and_with_the_keyboard() {
    let page = page(&TWO_WEEKS, &["--baseline", "2026-01-01..2026-01-07", "--current", "2026-01-08..2026-01-14"]);
    let tags = tags(&page);
    let ids: Vec<&str> = tags.iter().filter_map(|(_, a)| attribute(a, "id")).collect();
    let mut unique = ids.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), ids.len(), "each id once");
    for (name, a) in &tags {
        for key in ["aria-labelledby", "aria-describedby"] {
            assert!(attribute(a, key).is_none_or(|id| ids.contains(&id)), "{name} {a:?}");
        }
        if let Some(target) = attribute(a, "href").and_then(|h| h.strip_prefix('#')) {
            assert!(ids.contains(&target), "{target}");
        }
        let is_chart = name == "svg" && attribute(a, "aria-hidden") != Some("true");
        assert!(!is_chart || attribute(a, "role") == Some("img") && attribute(a, "aria-labelledby").is_some());
        assert!(name != "th" || attribute(a, "scope").is_some());
    }
    let count = |name: &str| tags.iter().filter(|(n, _)| n == name).count();
    assert!(count("table") > 8 && count("table") == count("caption"));
    assert_eq!((count("h1"), count("main"), count("nav")), (1, 1, 1));
    assert!(tags.iter().any(|(n, a)| n == "html" && attribute(a, "lang") == Some("en")));
    let order = [
        "summary",
        "alarms",
        "hosts",
        "trend",
        "comparison",
        "groups",
        "roles",
        "blind-spots",
        "coverage",
        "method",
        "catalogue",
        "runs",
        "hashes",
    ];
    let places: Vec<usize> = order.iter().map(|id| page.find(&format!("<section id=\"{id}\"")).expect(id)).collect();
    assert!(places.windows(2).all(|w| w[0] < w[1]), "in the order in which it is read");
}

#[test]
fn page_json_and_csv_say_the_same() {
    let dir = &*TWO_WEEKS;
    let out = tempfile::tempdir().unwrap();
    let (html, csv) = (out.path().join("r.html"), out.path().join("csv"));
    let json_path = out.path().join("r.json");
    let args =
        ["--html", html.to_str().unwrap(), "--json", json_path.to_str().unwrap(), "--csv", csv.to_str().unwrap()];
    let ran = report(dir, &[&args[..], &["-q"]].concat());
    assert_eq!((ran.code, ran.out.as_str()), (DONE, ""), "{ran:?}");
    let value: Value = serde_json::from_str(&fs::read_to_string(&json_path).unwrap()).unwrap();
    assert_eq!(value["schema"], "spansight.report/1");
    // A fifth of 100 hosts has contacts: eleven active, two updating, two refused, one that asks at cadence.
    let headline = &value["headline"];
    assert_eq!((&headline["in_use"], &headline["installed"], &headline["alarms"]), (&13.into(), &3.into(), &1.into()));
    assert_eq!(value["total"]["whole"]["update"]["hosts"]["hosts"], 13);
    let page = fs::read_to_string(&html).unwrap();
    assert!(
        page.contains("13 hosts were seen to use the product")
            && page.contains("Up to 100 home addresses were in view at a time"),
        "{page}"
    );
    let hosts = value["hosts"].as_array().unwrap();
    let lines = fs::read_to_string(csv.join("hosts.csv")).unwrap();
    assert_eq!(lines.lines().count(), hosts.len() + 1);
    for host in hosts {
        let ip = host["host"]["ip"].as_str().unwrap();
        assert!(page.contains(&format!("<b>{ip}</b>")) && lines.contains(&format!("\r\n{ip},")), "{host}");
    }
    let alone = run_in(dir.path(), &["hosts", "--store", "s.db", "--format", "ndjson", "-q"]).json();
    let verdicts =
        |list: &[Value]| list.iter().map(|h| (h["host"]["ip"].clone(), h["verdict"].clone())).collect::<Vec<_>>();
    assert_eq!(verdicts(hosts), verdicts(&alone), "as the command hosts");
    for file in ["notes", "total", "trend", "comparison", "coverage", "catalogue", "runs", "sources"] {
        assert!(csv.join(format!("{file}.csv")).is_file(), "{file}");
    }
    let trend = run_in(dir.path(), &["trend", "--store", "s.db", "--format", "csv", "-q", "--step", "day"]);
    assert_eq!(fs::read_to_string(csv.join("trend.csv")).unwrap(), trend.out);
    let notes = fs::read_to_string(csv.join("notes.csv")).unwrap();
    assert!(notes.contains("summary,in_use,13\r\n"), "{notes}");
}

#[test]
fn half_a_window_without_the_sensor_is_said_first() {
    // The second week: down from its fourth day on.
    let dir = office(&Office { down: 10..14, falls: true, ..Office::default() });
    let windows = ["--baseline", "2026-01-01..2026-01-07", "--current", "2026-01-08..2026-01-14"];
    let value = json(&dir, &windows);
    let doubts = texts(&value["doubts"]);
    assert!(doubts[0].starts_with("The windows are not comparable: the sensor saw frames in"), "{doubts:?}");
    let said = doubts.iter().filter(|d| d.contains("42.9 %")).collect::<Vec<_>>();
    assert!(matches!(said[..], [one] if one.contains("42.9 % of the current window")), "once: {doubts:?}");
    let headline = value["comparison"]["headline"].as_str().unwrap();
    assert!(!headline.contains("a fall of") && headline.contains("need not be a fall"), "{headline}");
    let page = page(&dir, &windows);
    let place = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text} is missing"));
    assert!(place("what makes the figures doubtful") < place("42.9 % of the current window"));
    assert!(place("42.9 % of the current window") < place("seen to use the product"), "before any figure");
    let ran = report(&dir, &[&["--html", "r.html"], &windows[..]].concat());
    assert!(ran.said().iter().any(|s| s.contains("42.9 %")), "{ran:?}");
    // The same days without the pause can be compared.
    let value = json(&TWO_WEEKS, &windows);
    assert_eq!(
        (value["comparison"]["comparability"]["comparable"].as_bool(), texts(&value["doubts"]).len()),
        (Some(true), 0)
    );
}

#[test]
fn a_comparison_says_how_it_is_now() {
    // One after the other stops.
    let dir = office(&Office { falls: true, days: 14, ..Office::default() });
    let windows = ["--baseline", "2026-01-01..2026-01-07", "--current", "2026-01-13..2026-01-14"];
    let (compared, now) = (json(&dir, &windows), json(&dir, &["--window", "2026-01-13..2026-01-14"]));
    for part in ["headline", "hosts", "total", "read", "blind_spots"] {
        assert_eq!(compared[part], now[part], "{part}: as without a comparison");
    }
    let whole = json(&dir, &[]);
    let in_use = |v: &Value| v["headline"]["in_use"].as_u64().unwrap();
    assert!(in_use(&now) > 0 && in_use(&now) < in_use(&whole), "{} {}", in_use(&now), in_use(&whole));
    assert_eq!(compared["about"]["window"], now["about"]["window"]);
    // The trend and the days of the sensors show what came before.
    assert_eq!((&compared["trend"], &compared["coverage"]), (&whole["trend"], &whole["coverage"]));
    assert_eq!(compared["about"]["span"]["days"], 14);
    let page = page(&dir, &windows);
    let gone = compared["comparison"]["whole"]["update"]["cohort"]["gone"].as_u64().unwrap();
    assert!(gone > 0 && page.contains(&format!("in the baseline, not now</dt><dd>{gone}</dd>")), "{gone}: {page}");
    assert!(page.contains("compared with 2026-01-01 to 2026-01-07"), "{page}");

    // Days that lie between two windows and were not captured are no doubt of either.
    let dir = office(&Office { down: 5..12, ..Office::default() });
    let value = json(&dir, &["--baseline", "2026-01-01..2026-01-02", "--current", "2026-01-13..2026-01-14"]);
    assert_eq!(texts(&value["doubts"]), Vec::<&str>::new());
    // What was found before does not decide how a daily job ends.
    let dir = office(&Office { down: 7..14, ..Office::default() });
    let windows = ["--baseline", "2026-01-01..2026-01-07", "--current", "2026-01-08..2026-01-14"];
    let ran = report(&dir, &[&["--html", "r.html", "-q", "--fail-on", "active"], &windows[..]].concat());
    assert_eq!(ran.code, PARTIAL, "{ran:?}");
}

#[test]
fn a_report_lists_who_is_gone_and_who_is_new() {
    let dir = office(&Office { falls: true, days: 14, ..Office::default() });
    let windows = ["--baseline", "2026-01-01..2026-01-07", "--current", "2026-01-13..2026-01-14"];
    let value = json(&dir, &windows);
    let cohort = &value["comparison"]["whole"]["update"]["cohort"];
    let gone = value["movers"]["gone"].as_array().unwrap();
    assert!(gone.len() > 2 && cohort["gone"] == gone.len(), "{value}");
    assert_eq!((&value["movers"]["new"], &value["movers"]["gone_more"]), (&serde_json::json!([]), &0.into()));
    let of = |host: &Value, key: &str| host[key].as_str().unwrap().to_owned();
    for host in gone {
        assert!(of(host, "name").starts_with("pc-") && of(host, "last").as_str() < "2026-01-08", "{host}");
        let now = |h: &&Value| h["host"]["mac"] == host["mac"] && h["categories"]["update"].is_object();
        assert!(value["hosts"].as_array().unwrap().iter().find(now).is_none(), "{host}");
    }
    let lasts: Vec<String> = gone.iter().map(|h| of(h, "last")).collect();
    assert!(lasts.is_sorted_by(|a, b| a >= b), "{lasts:?}");
    // The user's list says what they are called.
    let first = of(&gone[0], "ip");
    fs::write(dir.path().join("devices.csv"), format!("address,name\n{first},Reception <1>\n")).unwrap();
    let args = [&windows[..], &["--inventory", "devices.csv"]].concat();
    let page = page(&dir, &args);
    tags(&page);
    assert!(page.contains(&format!("Which are gone: {}", gone.len())) && !page.contains("Which are new"), "{page}");
    assert!(page.contains(&format!("Reception &lt;1&gt;<span class=\"sub\">{first}")), "{page}");
    let ran = report(&dir, &[&["--csv", "csv", "-q"], &args[..]].concat());
    assert_eq!(ran.code, DONE, "{ran:?}");
    let csv = fs::read_to_string(dir.path().join("csv/movers.csv")).unwrap();
    assert_eq!(csv.lines().count(), gone.len() + 1);
    assert!(csv.lines().nth(1).unwrap().starts_with(&format!("baseline,{first},")), "{csv}");
    let notes = fs::read_to_string(dir.path().join("csv/notes.csv")).unwrap();
    assert!(notes.contains("\nmovers,gone_more,0\r\nmovers,new_more,0\r\n"), "{notes}");
    // Figures that are given to others have no hosts in them.
    let compared =
        run_in(dir.path(), &[&["compare", "--store", "s.db", "--format", "json", "-q"], &windows[..]].concat());
    assert!(compared.out.contains("cohort") && !compared.out.contains("pc-"), "{compared:?}");
    assert!(json(&dir, &[]).get("movers").is_none());
}

#[test]
fn every_form_says_how_many_hosts_that_are_gone_it_leaves_out() {
    let dir = office(&Office { falls: true, hosts: 400, one_in: 1, ..Office::default() });
    let windows = ["--baseline", "2026-01-01..2026-01-07", "--current", "2026-01-13..2026-01-14"];
    let value = json(&dir, &windows);
    let more = value["movers"]["gone_more"].as_u64().unwrap();
    let gone = value["comparison"]["whole"]["update"]["cohort"]["gone"].as_u64().unwrap();
    assert!(more > 0 && gone == 100 + more, "{gone} {more}");
    assert!(page(&dir, &windows).contains("Of these hosts the 100 with the latest contacts are listed"));
    let ran = report(&dir, &[&["--csv", "csv", "-q"], &windows[..]].concat());
    assert_eq!(ran.code, DONE, "{ran:?}");
    let notes = fs::read_to_string(dir.path().join("csv/notes.csv")).unwrap();
    assert!(notes.contains(&format!("\nmovers,gone_more,{more}\r\nmovers,new_more,0\r\n")), "{notes}");
    assert_eq!(fs::read_to_string(dir.path().join("csv/movers.csv")).unwrap().lines().count(), 101);
}

#[test]
fn of_imported_records_a_page_says_what_is_not_known() {
    let dir = tempfile::tempdir().unwrap();
    Office { days: 3, ..Office::default() }.store(&dir.path().join("from.db"));
    let records = run_in(dir.path(), &["export", "--store", "from.db", "-q"]);
    fs::write(dir.path().join("r.ndjson"), &records.out).unwrap();
    let ran = run_in(dir.path(), &["import", "-q", "--store", "s.db", "r.ndjson"]);
    assert_eq!(ran.code, DONE, "{ran:?}");
    let value = json(&dir, &[]);
    assert_eq!((&value["coverage"]["known"], &value["about"]["sensors"]), (&false.into(), &serde_json::json!([])));
    let page = page(&dir, &[]);
    for said in [
        "Sensor not known",
        "What could not be seen is not known",
        "no upper bound",
        "says nothing of when its sensors",
    ] {
        assert!(page.contains(said), "{said}: {page}");
    }
    for unsaid in ["Nothing was counted that", "0.0 %", "the sensor was down", "Sensor ;", "No host contacted"] {
        assert!(!page.contains(unsaid), "{unsaid}: {page}");
    }
}

#[test]
fn windows_with_different_catalogues_are_said_first() {
    let dir = office(&Office { other_catalogue: Some(7), ..Office::default() });
    let windows = ["--baseline", "2026-01-01..2026-01-07", "--current", "2026-01-08..2026-01-14"];
    let value = json(&dir, &windows);
    let doubts = texts(&value["doubts"]);
    assert!(doubts[0].contains("recorded with different catalogues"), "{doubts:?}");
    assert_eq!(value["comparison"]["catalogue_changes"]["added"], serde_json::json!(["update-new"]));
    assert_eq!(value["catalogue"]["used"].as_array().unwrap().len(), 2);
    let page = page(&dir, &windows);
    let place = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text} is missing"));
    assert!(place("recorded with different catalogues") < place("seen to use the product"));
    assert!(page.contains("update-new"));
    // One catalogue for all records takes that doubt away.
    let value = json(&dir, &[&windows[..], &["--catalogue-as-of", "2026-01-05"]].concat());
    assert!(!texts(&value["doubts"]).iter().any(|d| d.contains("different catalogues")), "{}", value["doubts"]);
}

/// Names that hosts could call themselves.
fn hostile(n: u32) -> String {
    const NAMES: [&str; 8] = [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "' onmouseover='alert(1)",
        "</table></style></script><svg onload=alert(1)>",
        "pc\u{202e}exe.gpj",
        "&lt;b&gt;\u{200b}{{7*7}}${7*7}",
        "<!--\u{1b}[2J]]>",
        "=HYPERLINK(\"http://evil.test\")",
    ];
    NAMES[(n / 5) as usize % NAMES.len()].to_owned()
}

#[test]
fn hostile_names_stay_text() {
    let dir = office(&Office { name: hostile, days: 3, ..Office::default() });
    fs::write(
        dir.path().join("groups.csv"),
        "prefix,org\n10.20.0.0/26,<script>alert(2)</script>\n10.20.0.64/26,\"\"\"><img src=x>\u{202e}\"\n",
    )
    .unwrap();
    let args = ["--groups", "groups.csv", "--by", "org", "--baseline", "2026-01-01", "--current", "2026-01-03"];
    let page = page(&dir, &args);
    tags(&page);
    assert_eq!((page.matches("<script").count(), page.matches("<img").count()), (1, 0));
    assert!(
        page.contains("&lt;script&gt;alert(1)&lt;/script&gt;")
            && page.contains("&lt;script&gt;alert(2)&lt;/script&gt;")
    );
    assert!(page.contains("pc\\u{202e}exe.gpj") && page.contains("&amp;lt;b&amp;gt;\\u{200b}"));
    let hidden =
        |c: char| c.is_control() && c != '\n' || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}');
    assert!(!page.contains(hidden));
    let ran = report(&dir, &[&["--json", "-", "-q"], &args[..]].concat());
    assert!(!ran.out.trim_end().contains(hidden), "nor raw in JSON");
    let ran = report(&dir, &[&["--csv", "csv", "-q"], &args[..]].concat());
    assert_eq!(ran.code, DONE, "{ran:?}");
    let hosts = fs::read_to_string(dir.path().join("csv/hosts.csv")).unwrap();
    assert!(hosts.contains("'=HYPERLINK") && !hosts.contains(|c| hidden(c) && c != '\r'), "{hosts}");
}

#[test]
fn the_same_window_gives_the_same_bytes() {
    let dir = &*TWO_WEEKS;
    let args = ["--window", "2026-01-03..2026-01-12"];
    assert_eq!(page(dir, &args), page(dir, &args));
    let value = json(dir, &args);
    assert_eq!(value["about"]["as_of"], "2026-01-12T23:59:59.999999999Z", "counted from its end");
    assert_eq!(value["coverage"]["days"].as_array().unwrap().len(), 10);
    let other = json(dir, &["--since", "2026-01-03", "--until", "2026-01-13"]);
    assert_eq!((&other["total"], &other["hosts"]), (&value["total"], &value["hosts"]));
}

#[test]
fn what_is_wrong_is_one_sentence() {
    let dir = &*TWO_WEEKS;
    let out = tempfile::tempdir().unwrap();
    let html = out.path().join("r.html");
    let html = html.to_str().unwrap();
    for (args, code, words) in [
        (vec!["--html", "s.db"], USAGE, "would overwrite what is read"),
        (vec!["--html", "-", "--json", "-"], USAGE, "cannot both be written to standard output"),
        (vec!["--html", html, "--json", html], USAGE, "name the same file"),
        (vec!["--html", "/nowhere/r.html"], FAILED, "cannot write"),
        (vec!["--csv", "s.db"], USAGE, "is no folder"),
        (vec!["--html", html, "--since", "2026-01-03T10:00:00Z"], USAGE, "whole days"),
        (vec!["--html", html, "--since", "2026-01-05", "--until", "2026-01-03"], USAGE, "no time lies between"),
        (vec!["--html", html, "--by", "country"], USAGE, "--by"),
        (vec!["--html", html, "--baseline", "2026-01-01", "--current", "2026-01"], USAGE, "do not overlap"),
    ] {
        report(dir, &args).said_once(code, &[words]);
    }
    for args in [vec![], vec!["--html", html, "--baseline", "2026"], vec!["--html", html, "--window", "April"]] {
        assert_eq!(report(dir, &args).code, USAGE, "{args:?}");
    }
    let ran = run_in(out.path(), &["report", "--store", "none.db", "--html", "r.html"]);
    ran.said_once(FAILED, &["none.db"]);
    let ran = run_in(out.path(), &["report", "--store", "folder/", "--html", "r.html"]);
    ran.said_once(FAILED, &["there is no store at \"folder/\""]);
    assert!(!std::path::Path::new(html).exists(), "nothing is written when it goes wrong");
}

#[test]
fn findings_and_doubts_decide_the_exit_code() {
    let dir = office(&Office { down: 3..14, ..Office::default() });
    let code = |args: &[&str]| report(&dir, &[&["--html", "r.html", "-q"], args].concat()).code;
    assert_eq!((code(&["--fail-on", "updating"]), code(&["--fail-on", "lookalike"])), (FINDINGS, FINDINGS));
    assert_eq!(code(&["--fail-on", "oem", "--window", "2026-01-01..2026-01-03"]), DONE, "all of it was seen well");
    assert_eq!(code(&["--fail-on", "active", "--window", "2026-01-09..2026-01-12"]), PARTIAL, "nothing was seen");
    // What it calls doubtful it does not vouch for, whether days were asked for or not.
    for window in [&[][..], &["--window", "2026-01-01..2026-01-14"]] {
        let ran = report(&dir, &[&["--html", "r.html", "--fail-on", "oem"], window].concat());
        let said = ran.said();
        assert_eq!(ran.code, PARTIAL, "{ran:?}");
        assert!(said[0].contains("doubtful: The sensor saw frames in only 21.4 % of the window"), "{said:?}");
        assert!(said.last().unwrap().contains("cannot be said: the sensor saw frames in only 21.4 %"), "{said:?}");
    }
}

#[test]
fn of_days_without_any_capture_nothing_is_known_and_no_sensor_was_down() {
    for days in ["2026-05-01", "2025-05"] {
        let value = json(&TWO_WEEKS, &["--window", days]);
        assert_eq!((&value["coverage"]["known"], &value["total"]["coverage"]["known"]), (&false.into(), &false.into()));
        let page = page(&TWO_WEEKS, &["--window", days]);
        assert!(page.contains("What could not be seen is not known: nothing is stored"), "{page}");
        assert!(page.contains("it holds no capture and no live run of these days"), "{page}");
        assert!(!page.contains("the sensor was down") && !page.contains("0.0 %"), "{page}");
    }
    // The same of a current window, beside a baseline that was seen.
    let windows = ["--baseline", "2026-01-01..2026-01-07", "--current", "2026-02-01..2026-02-07"];
    let page = page(&TWO_WEEKS, &windows);
    assert!(page.contains("Of the window no capture and no live run is stored"), "{page}");
    assert!(!page.contains("only records were imported"), "{page}");
}

#[test]
fn an_empty_store_makes_a_report_that_says_so() {
    let dir = tempfile::tempdir().unwrap();
    drop(spansight::store::Store::open(&dir.path().join("s.db")).unwrap());
    let value = json(&dir, &[]);
    assert!(texts(&value["doubts"])[0].contains("holds no record"), "{value}");
    let page = page(&dir, &[]);
    tags(&page);
    assert!(page.contains("The store holds no contact.") && !page.replace("isNaN", "").contains("NaN"));
    report(&dir, &["--html", "r.html", "--window", "30d"]).said_once(USAGE, &["give dates"]);
}

#[test]
fn no_contact_is_no_proof_of_absence() {
    let dir = office(&Office { one_in: 0, days: 3, ..Office::default() });
    let value = json(&dir, &[]);
    assert_eq!(
        (&value["about"]["window"]["days"], &value["total"]["whole"]["update"]["hosts"]["hosts"]),
        (&3.into(), &0.into())
    );
    let page = page(&dir, &[]);
    assert!(page.contains("no host was seen to use the product") && page.contains("no proof of absence"), "{page}");
    assert!(page.contains("up to 3 % of them (3) can have been missed at 95 %"), "{page}");
    let ran = report(&dir, &["--html", "r.html", "--fail-on", "active"]);
    assert_eq!(ran.code, DONE, "{ran:?}");
}
