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

/// Of a sensor that saw frames on every day of half a year.
fn watching() -> Changes {
    let mut all = Changes::new(30);
    all.watched(at("2026-01-01").day()..at("2026-07-01").day());
    all
}

/// No exception is for any host.
fn open(_: &HostView) -> Standing<'static> {
    Standing::Open
}

fn said(changes: &[Change]) -> Vec<String> {
    changes.iter().map(ToString::to_string).collect()
}

#[test]
fn a_host_comes_rises_goes_and_comes_back() {
    let mut all = watching();
    let first = view("10.0.0.5", Verdict::LookedUp, "2026-03-01T10:00:00Z");
    assert_eq!(
        said(&all.update(std::slice::from_ref(&first), open, at("2026-03-01T10:01:00Z"))),
        ["10.0.0.5 (pc-5) is new: looked-up. R."]
    );
    assert!(all.update(&[first], open, at("2026-03-01T10:02:00Z")).is_empty(), "nothing changed");
    let rose = view("10.0.0.6", Verdict::Updating, "2026-03-02T10:00:00Z");
    let found = all.update(&[rose], open, at("2026-03-02T10:01:00Z"));
    assert_eq!(said(&found), ["10.0.0.6 (pc-5) was looked-up and is updating now. R."], "the MAC is the same");
    let weaker = view("10.0.0.6", Verdict::WebOnly, "2026-03-03T10:00:00Z");
    assert!(all.update(&[weaker], open, at("2026-03-03T10:01:00Z")).is_empty(), "an update is not undone");
    assert!(all.update(&[], open, at("2026-04-02T09:59:00Z")).is_empty());
    let found = all.update(&[], open, at("2026-04-02T10:00:00Z"));
    assert_eq!(said(&found), ["10.0.0.6 (pc-5) was updating and made no contact for 30 days"]);
    assert_eq!((found[0].kind, found[0].to, found[0].days), (ChangeKind::Gone, None, Some(30)));
    assert!(all.update(&[], open, at("2026-05-02T10:00:00Z")).is_empty(), "said once");
    let back = view("10.0.0.6", Verdict::Contacting, "2026-05-03T10:00:00Z");
    let found = all.update(std::slice::from_ref(&back), open, at("2026-05-03T10:01:00Z"));
    assert_eq!(said(&found), ["10.0.0.6 (pc-5) is back after 61 days: contacting. R."]);
    let rose = HostView { verdict: Verdict::Updating, ..back };
    assert_eq!(all.update(&[rose], open, at("2026-05-03T10:02:00Z"))[0].from, Some(Verdict::Contacting));
}

/// A sensor that was off, or whose mirror port was, once took all hosts for gone.
#[test]
fn nobody_is_gone_while_nothing_is_seen() {
    let mut all = Changes::new(30);
    let host = view("10.0.0.5", Verdict::Updating, "2026-03-01T10:00:00Z");
    all.update(std::slice::from_ref(&host), open, at("2026-03-01T10:01:00Z"));
    assert!(all.update(&[], open, at("2026-04-10T10:00:00Z")).is_empty(), "forty days without a frame");
    let back = HostView { last_seen: at("2026-04-10T11:00:00Z"), ..host };
    assert!(all.update(std::slice::from_ref(&back), open, at("2026-04-10T11:01:00Z")).is_empty(), "it was never away");
    // A gap of eleven days counts as none of the thirty.
    let day = |text: &str| at(text).day();
    all.watched((day("2026-04-10")..day("2026-04-20")).chain(day("2026-05-01")..day("2026-06-30")));
    assert!(all.update(&[], open, at("2026-05-21T10:59:00Z")).is_empty());
    let gone = all.update(&[], open, at("2026-05-21T11:00:00Z"));
    assert_eq!(said(&gone), ["10.0.0.5 (pc-5) was updating and made no contact for 30 days"]);
    let back = HostView { last_seen: at("2026-06-01T11:00:00Z"), ..back };
    let found = all.update(std::slice::from_ref(&back), open, at("2026-06-01T11:01:00Z"));
    assert_eq!(said(&found), ["10.0.0.5 (pc-5) is back after 41 days: updating. R."]);
}

#[test]
fn an_earlier_run_is_recalled() {
    let mut all = watching();
    let (mac, ip) = ("02:00:0a:00:00:05".parse().ok(), "10.0.0.5".parse().unwrap());
    let seen = Noticed {
        ts: at("2026-01-01T10:00:00Z"),
        ip,
        mac,
        segment: "",
        to: Some(Verdict::Updating),
        alarms: &[],
        accepted: None,
    };
    all.recall(seen);
    all.recall(Noticed { ts: at("2026-01-31T10:00:00Z"), to: None, ..seen });
    let back = view("10.0.0.5", Verdict::Contacting, "2026-03-01T10:00:00Z");
    let found = all.update(&[back], open, at("2026-03-01T10:01:00Z"));
    assert_eq!(said(&found), ["10.0.0.5 (pc-5) is back: contacting. R."], "since when is not known");
    assert_eq!((found[0].kind, found[0].from), (ChangeKind::Reappeared, Some(Verdict::Updating)));
    // One that went while nobody looked.
    let ip = "10.0.0.9".parse().unwrap();
    let alarms: &[Alarm] = &[Alarm::Sinkhole];
    all.recall(Noticed { ts: at("2026-01-01"), ip, mac: None, to: Some(Verdict::Active), alarms, ..seen });
    let found = all.update(&[], open, at("2026-03-01T10:02:00Z"));
    assert_eq!((found.len(), found[0].kind, found[0].from), (1, ChangeKind::Gone, Some(Verdict::Active)));
    assert_eq!(found[0].alarms, alarms, "those of the last time");
    assert_eq!(said(&found), ["10.0.0.9 was active and made no contact for 30 days"], "which is no alarm");
}

#[test]
fn an_alarm_is_a_change_and_comes_before_everything_else() {
    let mut all = watching();
    let mut first = view("10.0.0.5", Verdict::LookedUp, "2026-03-01T10:00:00Z");
    let mut other = view("10.0.0.6", Verdict::None, "2026-03-01T10:00:00Z");
    (other.mac, other.name, other.addresses, other.alarms) = (None, None, Vec::new(), vec![Alarm::Sinkhole]);
    assert_eq!(
        said(&all.update(&[first.clone(), other.clone()], open, at("2026-03-01T10:01:00Z"))),
        [
            "ALARM sinkhole: 10.0.0.6, verdict none. R.",
            "10.0.0.5 (pc-5) is new: looked-up. R.",
            "10.0.0.6 is new: none (alarm: sinkhole). R."
        ]
    );
    first.alarms = vec![Alarm::Lookalike];
    let found = all.update(&[first.clone(), other.clone()], open, at("2026-03-01T10:02:00Z"));
    assert_eq!(said(&found), ["ALARM lookalike: 10.0.0.5 (pc-5), verdict looked-up. R."], "nothing else is new");
    assert_eq!((found[0].kind, found[0].from, found[0].to), (ChangeKind::Alarm, found[0].to, Some(Verdict::LookedUp)));
    // Another alarm, and a verdict that rose at the same time: both are said.
    (first.verdict, first.alarms) = (Verdict::Updating, vec![Alarm::Lookalike, Alarm::Sinkhole]);
    let found = all.update(&[first.clone(), other.clone()], open, at("2026-03-01T10:03:00Z"));
    let kinds: Vec<ChangeKind> = found.iter().map(|c| c.kind).collect();
    assert_eq!(kinds, [ChangeKind::Alarm, ChangeKind::Raised]);
    assert!(found.iter().all(|c| c.alarms == first.alarms && c.to == Some(Verdict::Updating)), "{found:?}");
    assert!(all.update(&[first.clone(), other.clone()], open, at("2026-03-01T10:04:00Z")).is_empty(), "said once");
    // What led to it left the window, and came again.
    first.alarms = vec![Alarm::Lookalike];
    assert!(all.update(std::slice::from_ref(&first), open, at("2026-03-20T10:00:00Z")).is_empty());
    first.alarms = vec![Alarm::Lookalike, Alarm::Sinkhole];
    assert_eq!(all.update(&[first], open, at("2026-03-20T10:01:00Z")).len(), 1);
    other.last_seen = at("2026-06-01");
    assert_eq!(
        said(&all.update(&[other], open, at("2026-06-01T00:01:00Z"))),
        [
            "ALARM sinkhole: 10.0.0.6, verdict none. R.",
            "10.0.0.6 is back after 91 days: none (alarm: sinkhole). R.",
            "10.0.0.5 (pc-5) was updating and made no contact for 91 days"
        ]
    );
}

#[test]
fn what_is_accepted_is_said_and_said_again_when_it_ends() {
    let entry = "[[accept]]\nhost='10.0.0.5'\nverdict='updating'\nreason='bench.'\nowner='lab'\nexpires=2026-03-31";
    let list = crate::host::AcceptList::read(entry).unwrap();
    let march = |v: &HostView| list.standing(v, at("2026-03-31").day());
    let april = |v: &HostView| list.standing(v, at("2026-04-01").day());
    let mut v = view("10.0.0.5", Verdict::Contacting, "2026-03-20T10:00:00Z");
    (v.owner, v.place) = (Some("j.doe".into()), Some("2nd floor".into()));
    let begun = |all: &mut Changes, v: &HostView| {
        let found = all.update(std::slice::from_ref(v), march, at("2026-03-20T10:01:00Z"));
        let accepted = found.iter().map(|c| (c.kind, c.accepted.is_some())).collect::<Vec<_>>();
        (accepted, said(&found).pop().unwrap())
    };
    let mut all = watching();
    let who = "10.0.0.5 (pc-5, owner j.doe, 2nd floor)";
    let accepted = "Accepted as updating until 2026-03-31; bench (lab).";
    let (kinds, told) = begun(&mut all, &v);
    assert_eq!((kinds, told), (vec![(ChangeKind::New, true)], format!("{who} is new: contacting. R. {accepted}")));
    let found = all.update(&[v.clone()], april, at("2026-04-01T00:01:00Z"));
    let ended = "No longer accepted: the exception ended on 2026-03-31; bench (lab).";
    assert_eq!(said(&found), [format!("{who} is to be looked at again: contacting. R. {ended}")]);
    assert!(found[0].accepted.is_none() && found[0].kind == ChangeKind::Lapsed);
    assert!(all.update(&[v.clone()], april, at("2026-04-01T00:02:00Z")).is_empty(), "said once");
    assert!(all.update(&[v.clone()], march, at("2026-04-01T00:03:00Z")).is_empty(), "accepted anew is no change");
    let found = all.update(&[v.clone()], open, at("2026-04-01T00:04:00Z"));
    assert!(said(&found)[0].ends_with("R. No exception is for it any more."), "{found:?}");

    // A verdict that rose above it is one change, and an alarm is for no exception.
    let mut all = watching();
    begun(&mut all, &v);
    (v.verdict, v.alarms) = (Verdict::Active, vec![Alarm::Lookalike]);
    let found = all.update(&[v.clone()], march, at("2026-03-21T10:00:00Z"));
    let kinds: Vec<_> = found.iter().map(|c| (c.kind, c.accepted.is_some(), c.exception.is_empty())).collect();
    assert_eq!(kinds, [(ChangeKind::Alarm, false, true), (ChangeKind::Raised, false, false)]);
    assert!(said(&found)[1].ends_with("Not accepted: the exception goes only as far as updating; bench (lab)."));

    // One that is accepted when it goes.
    let mut all = watching();
    v.verdict = Verdict::Updating;
    assert_eq!(begun(&mut all, &v).0, [(ChangeKind::Alarm, false), (ChangeKind::New, true)]);
    let gone = all.update(&[], open, at("2026-04-20T10:00:00Z"));
    assert_eq!(said(&gone), [format!("{who} was updating and made no contact for 31 days. {accepted}")]);
    assert!(gone[0].accepted.is_some());

    // Without a verdict there is nothing to answer for.
    let mut all = watching();
    begun(&mut all, &v);
    v.verdict = Verdict::None;
    assert!(all.update(&[v], march, at("2026-03-22T10:00:00Z")).is_empty());
}

#[test]
fn an_ended_exception_of_an_earlier_run_is_recalled() {
    let v = view("10.0.0.5", Verdict::Updating, "2026-03-01T10:00:00Z");
    let seen = |accepted| Noticed {
        ts: at("2026-03-01T10:01:00Z"),
        ip: v.ip,
        mac: v.mac,
        segment: "",
        to: Some(Verdict::Updating),
        alarms: &[],
        accepted,
    };
    for (noted, lapsed) in [(&[Some(true), None][..], true), (&[Some(true), Some(false)], false), (&[None], false)] {
        let mut all = watching();
        noted.iter().for_each(|accepted| all.recall(seen(*accepted)));
        let found = all.update(std::slice::from_ref(&v), open, at("2026-03-02T10:00:00Z"));
        assert_eq!(found.iter().any(|c| c.kind == ChangeKind::Lapsed), lapsed, "{noted:?}");
    }
}

#[test]
fn a_hardware_address_that_shows_later_makes_no_new_host() {
    let mut all = watching();
    let mut v = view("10.0.0.5", Verdict::LookedUp, "2026-03-01T10:00:00Z");
    let mac = v.mac.take();
    assert_eq!(all.update(&[v.clone()], open, at("2026-03-01T10:01:00Z")).len(), 1);
    v.mac = mac;
    assert!(all.update(&[v.clone()], open, at("2026-03-01T10:02:00Z")).is_empty());
    v.sightings.clear();
    v.mac = None;
    v.ip = "10.0.0.77".parse().unwrap();
    assert!(all.update(&[v], open, at("2026-03-01T10:03:00Z")).is_empty(), "a role alone is no contact");
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
        all.seen(&v, Standing::Open, at("2026-03-01T10:01:00Z"), &mut changes);
        found += changes.len();
    }
    assert_eq!((found, all.known.len()), (MOST_HOSTS, MOST_HOSTS));
    assert!(size_of::<(Id, Known)>() <= 256, "of all: 25 MiB");
}
