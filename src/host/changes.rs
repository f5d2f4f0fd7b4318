//! What changes between one judgement and the next: hosts that come, come
//! back, rise or go.

use super::view::{HostView, Verdict};
use crate::base::time::{DAY_SECS, SECOND};
use crate::base::{Addr, Mac, Timestamp};
use std::collections::HashMap;

/// Most hosts whose changes are followed.
const MOST_HOSTS: usize = 100_000;

/// What happened to a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    /// It was not seen before.
    New,
    /// It was gone, and contacts again.
    Reappeared,
    /// Its verdict rose.
    Raised,
    /// It made no contact for so many days.
    Gone,
}

impl ChangeKind {
    /// The word used in output and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            ChangeKind::New => "new",
            ChangeKind::Reappeared => "reappeared",
            ChangeKind::Raised => "raised",
            ChangeKind::Gone => "gone",
        }
    }
}

/// A change of a host's verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// When it was noticed, in packet time.
    pub ts: Timestamp,
    /// What happened.
    pub kind: ChangeKind,
    /// Address last seen.
    pub ip: Addr,
    /// Hardware address, where it is the host's own.
    pub mac: Option<Mac>,
    /// Encapsulation context.
    pub segment: String,
    /// Name, where known.
    pub name: Option<String>,
    /// Verdict before; of a host that is new none.
    pub from: Option<Verdict>,
    /// Verdict after; of a host that is gone none.
    pub to: Option<Verdict>,
    /// Whole days without a contact, of a host that was or is gone.
    pub days: Option<u64>,
    /// Why the verdict after it; empty for a host that is gone.
    pub reason: String,
}

/// What tells hosts apart over time: the hardware address, else the address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Id {
    Mac(Mac),
    Seen(String, Addr),
}

impl Id {
    fn of(mac: Option<Mac>, segment: &str, ip: Addr) -> Self {
        mac.map_or_else(|| Id::Seen(segment.to_owned(), ip), Id::Mac)
    }
}

#[derive(Clone, Debug)]
struct Known {
    ip: Addr,
    mac: Option<Mac>,
    segment: String,
    name: Option<String>,
    /// The strongest since it came or came back.
    verdict: Verdict,
    last: Timestamp,
    gone: bool,
    /// From an earlier run: `last` is when something was noticed of it, and its
    /// last contact is not known.
    recalled: bool,
}

/// What is known of hosts from one judgement to the next.
#[derive(Clone, Debug)]
pub struct Changes {
    known: HashMap<Id, Known>,
    gone_after: i64,
}

impl Changes {
    /// Nothing is known yet; a host is gone after so many days without a
    /// contact.
    pub fn new(gone_after_days: u32) -> Self {
        let gone_after = i64::from(gone_after_days.max(1)).saturating_mul(DAY_SECS * SECOND);
        Changes { known: HashMap::new(), gone_after }
    }

    /// Takes what was noticed in an earlier run, in the order of time.
    pub fn recall(&mut self, mac: Option<Mac>, segment: &str, ip: Addr, to: Option<Verdict>, ts: Timestamp) {
        let id = Id::of(mac, segment, ip);
        if self.known.len() >= MOST_HOSTS && !self.known.contains_key(&id) {
            return;
        }
        let segment = segment.to_owned();
        let verdict = Verdict::None;
        let new = Known { ip, mac, segment, name: None, verdict, last: ts, gone: false, recalled: true };
        let known = self.known.entry(id).or_insert(new);
        known.gone = to.is_none();
        known.verdict = to.unwrap_or(known.verdict);
        known.last = ts;
    }

    /// Takes what is concluded now, and says what changed since the last time,
    /// in the order of the views and then of addresses.
    pub fn update(&mut self, views: &[HostView], now: Timestamp) -> Vec<Change> {
        let mut found = Vec::new();
        for view in views.iter().filter(|v| v.made_contact()) {
            found.extend(self.seen(view, now));
        }
        let mut gone: Vec<Change> = Vec::new();
        for known in self.known.values_mut().filter(|k| !k.gone && now.since(k.last) >= self.gone_after) {
            known.gone = true;
            gone.push(Change {
                ts: now,
                kind: ChangeKind::Gone,
                ip: known.ip,
                mac: known.mac,
                segment: known.segment.clone(),
                name: known.name.clone(),
                from: Some(known.verdict),
                to: None,
                days: Some(days(if known.recalled { self.gone_after } else { now.since(known.last) })),
                reason: String::new(),
            });
        }
        gone.sort_by(|a, b| (a.ip, &a.segment, a.mac).cmp(&(b.ip, &b.segment, b.mac)));
        found.extend(gone);
        found
    }

    fn seen(&mut self, view: &HostView, now: Timestamp) -> Option<Change> {
        let id = Id::of(view.mac, &view.segment, view.ip);
        if !self.known.contains_key(&id) {
            // It may be known by an address that it had or has.
            let by_address = |ip: &Addr| Id::Seen(view.segment.clone(), *ip);
            let before = view.addresses.iter().find_map(|ip| self.known.remove(&by_address(ip)));
            match before {
                Some(known) => drop(self.known.insert(id.clone(), known)),
                None if self.known.len() >= MOST_HOSTS => return None,
                None => {}
            }
        }
        let is_gone = |last: Timestamp| now.since(last) >= self.gone_after;
        let change = match self.known.get(&id) {
            // What is that old is no news.
            None if is_gone(view.last_seen) => None,
            None => Some((ChangeKind::New, None, None)),
            Some(k) if view.last_seen > k.last && (k.gone || view.last_seen.since(k.last) >= self.gone_after) => {
                let away = days(view.last_seen.since(k.last));
                Some((ChangeKind::Reappeared, Some(k.verdict), Some(away).filter(|_| !k.recalled)))
            }
            Some(k) if k.gone => return None,
            Some(k) if view.verdict.strength() > k.verdict.strength() => {
                Some((ChangeKind::Raised, Some(k.verdict), None))
            }
            Some(_) => None,
        };
        let reappeared = matches!(change, Some((ChangeKind::Reappeared, ..)));
        let name = view.name.as_ref().map(|(name, _)| name.clone());
        let known = self.known.entry(id).or_insert_with(|| Known {
            ip: view.ip,
            mac: view.mac,
            segment: view.segment.clone(),
            name: None,
            verdict: view.verdict,
            last: view.last_seen,
            gone: is_gone(view.last_seen),
            recalled: false,
        });
        known.recalled = false;
        known.last = known.last.max(view.last_seen);
        (known.ip, known.mac) = (view.ip, view.mac);
        known.segment.clone_from(&view.segment);
        known.name.clone_from(&name);
        if reappeared {
            (known.gone, known.verdict) = (false, view.verdict);
        } else if view.verdict.strength() > known.verdict.strength() {
            known.verdict = view.verdict;
        }
        let (kind, from, days) = change?;
        let (ip, mac, segment) = (view.ip, view.mac, view.segment.clone());
        let (to, reason) = (Some(view.verdict), view.reason.clone());
        Some(Change { ts: now, kind, ip, mac, segment, name, from, to, days, reason })
    }
}

fn days(nanos: i64) -> u64 {
    u64::try_from(nanos / (DAY_SECS * SECOND)).unwrap_or(0)
}

impl std::fmt::Display for Change {
    /// A sentence without its time.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.ip)?;
        if let Some(name) = &self.name {
            write!(f, " ({name})")?;
        }
        let to = self.to.unwrap_or(Verdict::None);
        let from = self.from.unwrap_or(Verdict::None);
        match (self.kind, self.days) {
            (ChangeKind::New, _) => write!(f, " is new: {to}")?,
            (ChangeKind::Reappeared, Some(1)) => write!(f, " is back after a day: {to}")?,
            (ChangeKind::Reappeared, Some(days)) => write!(f, " is back after {days} days: {to}")?,
            (ChangeKind::Reappeared, None) => write!(f, " is back: {to}")?,
            (ChangeKind::Raised, _) => write!(f, " was {from} and is {to} now")?,
            (ChangeKind::Gone, days) => {
                let days = days.unwrap_or(0);
                return write!(f, " was {from} and made no contact for {days} day{}", if days == 1 { "" } else { "s" });
            }
        }
        if self.reason.is_empty() { Ok(()) } else { write!(f, ". {}", self.reason) }
    }
}

#[cfg(test)]
mod tests {
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
        all.recall(mac, "", ip, Some(Verdict::Updating), at("2026-01-01T10:00:00Z"));
        all.recall(mac, "", ip, None, at("2026-01-31T10:00:00Z"));
        let back = view("10.0.0.5", Verdict::Contacting, "2026-03-01T10:00:00Z");
        let found = all.update(&[back], at("2026-03-01T10:01:00Z"));
        assert_eq!(said(&found), ["10.0.0.5 (pc-5) is back: contacting. R."], "since when is not known");
        assert_eq!((found[0].kind, found[0].from), (ChangeKind::Reappeared, Some(Verdict::Updating)));
        // One that went while nobody looked.
        all.recall(None, "", "10.0.0.9".parse().unwrap(), Some(Verdict::Active), at("2026-01-01"));
        let found = all.update(&[], at("2026-03-01T10:02:00Z"));
        assert_eq!((found.len(), found[0].kind, found[0].from), (1, ChangeKind::Gone, Some(Verdict::Active)));
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
            found += all.seen(&v, at("2026-03-01T10:01:00Z")).iter().count();
        }
        assert_eq!((found, all.known.len()), (MOST_HOSTS, MOST_HOSTS));
        assert!(size_of::<(Id, Known)>() <= 256, "of all: 25 MiB");
    }
}
