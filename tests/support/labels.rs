//! The labelled scenes: what is to be concluded of each host, and what is.

use super::program::{run, run_in};
use super::samples;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;

/// One line of `capture-samples/labelled/labels.tsv`.
#[derive(Clone, Debug)]
pub struct Label {
    /// Name of the capture, without `.pcap.zst`.
    pub capture: String,
    /// Address, or MAC address of a host with changing ones.
    pub host: String,
    /// Encapsulation context; may be empty.
    pub segment: String,
    /// What the host stands for.
    pub case: String,
    /// The verdict; hosts of which there is nothing to say have `none`.
    pub verdict: String,
    /// Roles in the order of output.
    pub roles: Vec<String>,
    /// Alarms in the order of output.
    pub alarms: Vec<String>,
    /// Whether it is confirmed, `yes` or `no`; empty where it does not matter.
    pub confirmed: String,
    /// Other fields to be checked, as `name=pc-11`, or `nat_at_least=2..60`
    /// where a bound is right that is not above the true number.
    pub more: Vec<String>,
    /// Why this verdict.
    pub why: String,
}

/// The captures, with the options that their vantage asks for.
pub const CAPTURES: [(&str, &[&str]); 4] =
    [("lan", &[]), ("outside", &["--home-net", "198.51.100.1/32"]), ("dns-only", &[]), ("one-way", &[])];

/// The folder of the labelled captures.
pub fn folder() -> PathBuf {
    samples().join("labelled")
}

/// Every label.
pub fn labels() -> Vec<Label> {
    let path = folder().join("labels.tsv");
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut lines = text.lines();
    let head = "capture\thost\tsegment\tcase\tverdict\troles\talarms\tconfirmed\tmore\twhy";
    assert_eq!(lines.next(), Some(head), "{}", path.display());
    lines.map(label).collect()
}

fn label(line: &str) -> Label {
    let fields: Vec<&str> = line.split('\t').map(|f| if f == "-" { "" } else { f }).collect();
    let [capture, host, segment, case, verdict, roles, alarms, confirmed, more, why] = fields[..] else {
        panic!("{} fields: {line}", fields.len())
    };
    let list = |text: &str, by: char| text.split(by).filter(|w| !w.is_empty()).map(str::to_owned).collect();
    Label {
        capture: capture.into(),
        host: host.into(),
        segment: segment.into(),
        case: case.into(),
        verdict: verdict.into(),
        roles: list(roles, ','),
        alarms: list(alarms, ','),
        confirmed: confirmed.into(),
        more: list(more, ' '),
        why: why.into(),
    }
}

/// What `hosts` says of a labelled capture, one value for each host.
pub fn judged(capture: &str) -> Vec<Value> {
    let (_, options) = CAPTURES.iter().find(|(name, _)| *name == capture).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = folder().join(format!("{capture}.pcap.zst"));
    let file = file.to_string_lossy();
    let ran = run_in(dir.path(), &[&["replay", "-q", "--store", "s.sqlite", &*file], *options].concat());
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{capture}");
    let store = dir.path().join("s.sqlite");
    let ran = run(&["hosts", "-q", "--format", "ndjson", "--store", &store.to_string_lossy()]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{capture}");
    ran.json()
}

/// The words of a field.
pub fn words(host: &Value, field: &str) -> Vec<String> {
    host[field].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

impl Label {
    /// Whether a line of `hosts` is of this host.
    pub fn is_of(&self, host: &Value) -> bool {
        let who = &host["host"];
        let addresses = who["addresses"].as_array().into_iter().flatten();
        who["segment"] == self.segment.as_str()
            && (who["mac"] == self.host.as_str() || addresses.chain([&who["ip"]]).any(|a| *a == self.host.as_str()))
    }

    /// Whether the host need not be listed, since there is nothing to say.
    pub fn is_silent(&self) -> bool {
        self.verdict == "none" && self.roles.is_empty() && self.alarms.is_empty()
    }

    /// What is wrong with what was found of the host.
    pub fn faults(&self, found: Option<&Value>) -> Vec<String> {
        let Some(host) = found else {
            return if self.is_silent() { Vec::new() } else { vec![format!("not listed, but it is {}", self.verdict)] };
        };
        let mut faults = Vec::new();
        let mut check = |what: &str, want: String, got: String| {
            if want != got {
                faults.push(format!("{what} {got:?} instead of {want:?}"));
            }
        };
        check("verdict", self.verdict.clone(), host["verdict"].as_str().unwrap_or("").into());
        check("roles", self.roles.join(","), words(host, "roles").join(","));
        check("alarms", self.alarms.join(","), words(host, "alarms").join(","));
        if !self.confirmed.is_empty() {
            check("confirmed", self.confirmed.clone(), if host["confirmed"] == true { "yes" } else { "no" }.into());
        }
        let told = |field: &str| self.more.iter().find_map(|m| m.strip_prefix(field)).unwrap_or("").to_owned();
        if self.verdict == "looked-up" {
            let likely = self.more.iter().any(|m| m == "likely_installed");
            check("likely_installed", likely.to_string(), host["likely_installed"].to_string());
        }
        check("relays", told("relays="), words(host, "relays").join(","));
        let randomised = self.more.iter().any(|m| m == "mac_randomised");
        check("mac_randomised", randomised.to_string(), (host["host"]["mac_randomised"] == true).to_string());
        if !told("name=").is_empty() {
            check("name", told("name="), host["host"]["name"].as_str().unwrap_or("").into());
        }
        let least = told("nat_at_least=");
        if let Some((low, high)) = least.split_once("..") {
            let (low, high): (u64, u64) = (low.parse().unwrap(), high.parse().unwrap());
            let fits = host["nat_at_least"].as_u64().is_some_and(|n| (low..=high).contains(&n));
            check("nat_at_least", least.clone(), if fits { least } else { host["nat_at_least"].to_string() });
        } else if !least.is_empty() {
            check("nat_at_least", least, host["nat_at_least"].to_string());
        }
        faults
    }
}
