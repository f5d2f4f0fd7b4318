use super::*;
use crate::host::sample;

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn view(ip: &str, verdict: Verdict, last: &str) -> HostView {
    let mut v = sample::view(ip, verdict);
    (v.last_seen, v.reason) = (at(last), "R.".into());
    v
}

fn said(changes: &[Change]) -> Vec<String> {
    changes.iter().map(ToString::to_string).collect()
}

#[test]
fn a_host_comes_rises_goes_and_comes_back() {
    let mut all = Changes::new(30);
    let first = view("10.0.0.5", Verdict::LookedUp, "2026-03-01T10:00:00Z");
    assert_eq!(
        said(&all.update(std::slice::from_ref(&first), at("2026-03-01T10:01:00Z"))),
        ["10.0.0.5 (pc-5) is new: looked-up. R."]
    );
    assert!(all.update(&[first], at("2026-03-01T10:02:00Z")).is_empty(), "nothing changed");
    let rose = view("10.0.0.6", Verdict::Updating, "2026-03-02T10:00:00Z");
    let found = all.update(&[rose], at("2026-03-02T10:01:00Z"));
    assert_eq!(said(&found), ["10.0.0.6 (pc-5) was looked-up and is updating now. R."], "the MAC is the same");
    let weaker = view("10.0.0.6", Verdict::WebOnly, "2026-03-03T10:00:00Z");
    assert!(all.update(&[weaker], at("2026-03-03T10:01:00Z")).is_empty(), "an update is not undone");
    assert!(all.update(&[], at("2026-04-02T09:59:00Z")).is_empty());
    let found = all.update(&[], at("2026-04-02T10:00:00Z"));
    assert_eq!(said(&found), ["10.0.0.6 (pc-5) was updating and made no contact for 30 days"]);
    assert_eq!((found[0].kind, found[0].to, found[0].days), (ChangeKind::Gone, None, Some(30)));
    assert!(all.update(&[], at("2026-05-02T10:00:00Z")).is_empty(), "said once");
    let back = view("10.0.0.6", Verdict::Contacting, "2026-05-03T10:00:00Z");
    let found = all.update(std::slice::from_ref(&back), at("2026-05-03T10:01:00Z"));
    assert_eq!(said(&found), ["10.0.0.6 (pc-5) is back after 61 days: contacting. R."]);
    let rose = HostView { verdict: Verdict::Updating, ..back };
    assert_eq!(all.update(&[rose], at("2026-05-03T10:02:00Z"))[0].from, Some(Verdict::Contacting));
}

#[test]
fn an_earlier_run_is_recalled() {
    let mut all = Changes::new(30);
    let (mac, ip) = ("02:00:0a:00:00:05".parse().ok(), "10.0.0.5".parse().unwrap());
    let seen =
        Noticed { ts: at("2026-01-01T10:00:00Z"), ip, mac, segment: "", to: Some(Verdict::Updating), alarms: &[] };
    all.recall(seen);
    all.recall(Noticed { ts: at("2026-01-31T10:00:00Z"), to: None, ..seen });
    let back = view("10.0.0.5", Verdict::Contacting, "2026-03-01T10:00:00Z");
    let found = all.update(&[back], at("2026-03-01T10:01:00Z"));
    assert_eq!(said(&found), ["10.0.0.5 (pc-5) is back: contacting. R."], "since when is not known");
    assert_eq!((found[0].kind, found[0].from), (ChangeKind::Reappeared, Some(Verdict::Updating)));
    // One that went while nobody looked.
    let ip = "10.0.0.9".parse().unwrap();
    let alarms: &[Alarm] = &[Alarm::Sinkhole];
    all.recall(Noticed { ts: at("2026-01-01"), ip, mac: None, to: Some(Verdict::Active), alarms, ..seen });
    let found = all.update(&[], at("2026-03-01T10:02:00Z"));
    assert_eq!((found.len(), found[0].kind, found[0].from), (1, ChangeKind::Gone, Some(Verdict::Active)));
    assert_eq!(found[0].alarms, alarms, "those of the last time");
    assert_eq!(said(&found), ["10.0.0.9 was active and made no contact for 30 days"], "which is no alarm");
}

#[test]
fn an_alarm_is_a_change_and_comes_before_everything_else() {
    let mut all = Changes::new(30);
    let mut first = view("10.0.0.5", Verdict::LookedUp, "2026-03-01T10:00:00Z");
    let mut other = view("10.0.0.6", Verdict::None, "2026-03-01T10:00:00Z");
    (other.mac, other.name, other.addresses, other.alarms) = (None, None, Vec::new(), vec![Alarm::Sinkhole]);
    assert_eq!(
        said(&all.update(&[first.clone(), other.clone()], at("2026-03-01T10:01:00Z"))),
        [
            "ALARM sinkhole: 10.0.0.6, verdict none. R.",
            "10.0.0.5 (pc-5) is new: looked-up. R.",
            "10.0.0.6 is new: none (alarm: sinkhole). R."
        ]
    );
    first.alarms = vec![Alarm::Lookalike];
    let found = all.update(&[first.clone(), other.clone()], at("2026-03-01T10:02:00Z"));
    assert_eq!(said(&found), ["ALARM lookalike: 10.0.0.5 (pc-5), verdict looked-up. R."], "nothing else is new");
    assert_eq!((found[0].kind, found[0].from, found[0].to), (ChangeKind::Alarm, found[0].to, Some(Verdict::LookedUp)));
    // Another alarm, and a verdict that rose at the same time: both are said.
    (first.verdict, first.alarms) = (Verdict::Updating, vec![Alarm::Lookalike, Alarm::Sinkhole]);
    let found = all.update(&[first.clone(), other.clone()], at("2026-03-01T10:03:00Z"));
    let kinds: Vec<ChangeKind> = found.iter().map(|c| c.kind).collect();
    assert_eq!(kinds, [ChangeKind::Alarm, ChangeKind::Raised]);
    assert!(found.iter().all(|c| c.alarms == first.alarms && c.to == Some(Verdict::Updating)), "{found:?}");
    assert!(all.update(&[first.clone(), other.clone()], at("2026-03-01T10:04:00Z")).is_empty(), "said once");
    // What led to it left the window, and came again.
    first.alarms = vec![Alarm::Lookalike];
    assert!(all.update(std::slice::from_ref(&first), at("2026-03-20T10:00:00Z")).is_empty());
    first.alarms = vec![Alarm::Lookalike, Alarm::Sinkhole];
    assert_eq!(all.update(&[first], at("2026-03-20T10:01:00Z")).len(), 1);
    other.last_seen = at("2026-06-01");
    assert_eq!(
        said(&all.update(&[other], at("2026-06-01T00:01:00Z"))),
        [
            "ALARM sinkhole: 10.0.0.6, verdict none. R.",
            "10.0.0.6 is back after 91 days: none (alarm: sinkhole). R.",
            "10.0.0.5 (pc-5) was updating and made no contact for 91 days"
        ]
    );
}

#[test]
fn a_hardware_address_that_shows_later_makes_no_new_host() {
    let mut all = Changes::new(30);
    let mut v = view("10.0.0.5", Verdict::LookedUp, "2026-03-01T10:00:00Z");
    let mac = v.mac.take();
    assert_eq!(all.update(&[v.clone()], at("2026-03-01T10:01:00Z")).len(), 1);
    v.mac = mac;
    assert!(all.update(&[v.clone()], at("2026-03-01T10:02:00Z")).is_empty());
    v.sightings.clear();
    v.mac = None;
    v.ip = "10.0.0.77".parse().unwrap();
    assert!(all.update(&[v], at("2026-03-01T10:03:00Z")).is_empty(), "a role alone is no contact");
}

#[test]
fn a_flood_of_hosts_is_bounded() {
    let mut all = Changes::new(1);
    let mut v = view("10.0.0.5", Verdict::LookedUp, "2026-03-01T10:00:00Z");
    (v.mac, v.addresses) = (None, Vec::new());
    let n = MOST_HOSTS as u32 + 9;
    let mut found = 0;
    for host in 0..n {
        let [_, b, c, d] = host.to_be_bytes();
        v.ip = Addr::v4([10, b, c, d]);
        let mut changes = Vec::new();
        all.seen(&v, at("2026-03-01T10:01:00Z"), &mut changes);
        found += changes.len();
    }
    assert_eq!((found, all.known.len()), (MOST_HOSTS, MOST_HOSTS));
    assert!(size_of::<(Id, Known)>() <= 256, "of all: 25 MiB");
}
