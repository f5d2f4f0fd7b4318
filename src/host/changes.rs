//! What changes between one judgement and the next: hosts that come, come
//! back, rise or go, and alarms.

use super::accept::{Accept, Standing};
use super::view::{Alarm, HostView, Verdict};
use crate::base::time::{DAY_SECS, SECOND};
use crate::base::{Addr, Mac, Timestamp};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// Most hosts whose changes are followed.
const MOST_HOSTS: usize = 100_000;

/// What happened to a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    /// It was not seen before.
    New,
    /// It was gone, and contacts again.
    Reappeared,
    /// It has an alarm that it did not have the last time, if there was one.
    Alarm,
    /// Its verdict rose.
    Raised,
    /// It was accepted, and is no longer.
    Lapsed,
    /// It made no contact for so many days on which anything was seen.
    Gone,
}

impl ChangeKind {
    /// The word used in output and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            ChangeKind::New => "new",
            ChangeKind::Reappeared => "reappeared",
            ChangeKind::Alarm => "alarm",
            ChangeKind::Raised => "raised",
            ChangeKind::Lapsed => "lapsed",
            ChangeKind::Gone => "gone",
        }
    }
}

/// A change of a host's verdict or alarms.
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
    /// Owner, from the inventory.
    pub owner: Option<String>,
    /// Place, from the inventory.
    pub place: Option<String>,
    /// Verdict before; of a host that is new none.
    pub from: Option<Verdict>,
    /// Verdict after; of a host that is gone none.
    pub to: Option<Verdict>,
    /// Its alarms; of a host that is gone those of the last time.
    pub alarms: Vec<Alarm>,
    /// Whole days without a contact, of a host that was or is gone; days without frames
    /// left out.
    pub days: Option<u64>,
    /// Why the verdict after it; empty for a host that is gone.
    pub reason: String,
    /// The exception by which the host is accepted. Alarms are for none.
    pub accepted: Option<Arc<Accept>>,
    /// What the exceptions say of it, in a sentence; may be empty.
    pub exception: String,
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

/// Alarms of a host, a bit for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Alarms(u8);

impl Alarms {
    fn of(alarms: &[Alarm]) -> Self {
        Alarms(alarms.iter().fold(0, |bits, a| bits | 1 << *a as u8))
    }

    fn holds(self, other: Alarms) -> bool {
        other.0 & !self.0 == 0
    }

    fn list(self) -> Vec<Alarm> {
        Alarm::ALL.iter().copied().filter(|a| self.holds(Alarms::of(&[*a]))).collect()
    }
}

/// What an earlier run noticed of a host.
#[derive(Clone, Copy, Debug)]
pub struct Noticed<'n> {
    /// When.
    pub ts: Timestamp,
    /// Address then.
    pub ip: Addr,
    /// Hardware address, where it was the host's own.
    pub mac: Option<Mac>,
    /// Encapsulation context.
    pub segment: &'n str,
    /// Verdict since then; none if it was gone.
    pub to: Option<Verdict>,
    /// Alarms since then.
    pub alarms: &'n [Alarm],
    /// Whether somebody answered for it, where that was noted.
    pub accepted: Option<bool>,
}

#[derive(Clone, Debug)]
struct Known {
    ip: Addr,
    mac: Option<Mac>,
    segment: String,
    name: Option<String>,
    owner: Option<String>,
    place: Option<String>,
    /// The strongest since it came or came back.
    verdict: Verdict,
    /// Those of the last time: one that left the window may come again.
    alarms: Alarms,
    last: Timestamp,
    gone: bool,
    /// Whether it was accepted the last time; by which exception, if that was
    /// in this run.
    accepted: bool,
    exception: Option<Arc<Accept>>,
    /// From an earlier run: `last` is when something was noticed of it, and its
    /// last contact is not known.
    recalled: bool,
}

/// What is known of hosts from one judgement to the next.
#[derive(Clone, Debug)]
pub struct Changes {
    known: HashMap<Id, Known>,
    gone_after: i64,
    /// UTC days on which frames were looked at.
    watched: BTreeSet<i64>,
    /// Those by which hosts are accepted, each once.
    exceptions: Vec<Arc<Accept>>,
}

impl Changes {
    /// Nothing is known yet; a host is gone after so many days without a
    /// contact.
    pub fn new(gone_after_days: u32) -> Self {
        let gone_after = i64::from(gone_after_days.max(1)).saturating_mul(DAY_SECS * SECOND);
        Changes { known: HashMap::new(), gone_after, watched: BTreeSet::new(), exceptions: Vec::new() }
    }

    /// Takes UTC days, since the epoch, on which frames were looked at. A day without
    /// them is none on which a host made no contact.
    pub fn watched(&mut self, days: impl IntoIterator<Item = i64>) {
        self.watched.extend(days);
    }

    /// Nanoseconds between two times, less the UTC days between them without frames.
    fn in_view(&self, from: Timestamp, to: Timestamp) -> i64 {
        let (first, end) = (from.day().saturating_add(1), to.day());
        if end <= first {
            return to.since(from);
        }
        let watched = i64::try_from(self.watched.range(first..end).count()).unwrap_or(i64::MAX);
        let dark = end.saturating_sub(first).saturating_sub(watched);
        to.since(from).saturating_sub(dark.saturating_mul(DAY_SECS * SECOND))
    }

    /// Takes what was noticed in an earlier run, in the order of time.
    pub fn recall(&mut self, n: Noticed<'_>) {
        let id = Id::of(n.mac, n.segment, n.ip);
        if self.known.len() >= MOST_HOSTS && !self.known.contains_key(&id) {
            return;
        }
        let known = self.known.entry(id).or_insert_with(|| Known {
            ip: n.ip,
            mac: n.mac,
            segment: n.segment.to_owned(),
            name: None,
            owner: None,
            place: None,
            verdict: Verdict::None,
            alarms: Alarms::default(),
            last: n.ts,
            gone: false,
            accepted: false,
            exception: None,
            recalled: true,
        });
        known.gone = n.to.is_none();
        known.verdict = n.to.unwrap_or(known.verdict);
        known.alarms = Alarms::of(n.alarms);
        known.accepted = n.accepted.unwrap_or(known.accepted);
        known.last = n.ts;
    }

    /// Takes what is concluded now, and says what changed since the last time:
    /// first alarms, each a change of its own, then all else in the order of
    /// the views, then what is gone in the order of addresses. `standing` is
    /// what the exceptions say of a host.
    pub fn update<'a>(
        &mut self,
        views: &[HostView],
        standing: impl Fn(&HostView) -> Standing<'a>,
        now: Timestamp,
    ) -> Vec<Change> {
        let mut found = Vec::new();
        for view in views.iter().filter(|v| v.made_contact()) {
            self.seen(view, standing(view), now, &mut found);
        }
        found.sort_by_key(|c| c.kind != ChangeKind::Alarm);
        let mut gone: Vec<Change> = Vec::new();
        let mut known = std::mem::take(&mut self.known);
        for known in known.values_mut().filter(|k| !k.gone) {
            let away = self.in_view(known.last, now);
            if away < self.gone_after {
                continue;
            }
            known.gone = true;
            let by = known.exception.clone();
            gone.push(Change {
                ts: now,
                kind: ChangeKind::Gone,
                ip: known.ip,
                mac: known.mac,
                segment: known.segment.clone(),
                name: known.name.clone(),
                owner: known.owner.clone(),
                place: known.place.clone(),
                from: Some(known.verdict),
                to: None,
                alarms: known.alarms.list(),
                days: Some(days(if known.recalled { self.gone_after } else { away })),
                reason: String::new(),
                exception: by.as_deref().and_then(|a| Standing::Accepted(a).sentence()).unwrap_or_default(),
                accepted: by,
            });
        }
        self.known = known;
        gone.sort_by(|a, b| (a.ip, &a.segment, a.mac).cmp(&(b.ip, &b.segment, b.mac)));
        found.extend(gone);
        found
    }

    fn seen(&mut self, view: &HostView, standing: Standing<'_>, now: Timestamp, found: &mut Vec<Change>) {
        let Some(id) = self.place_of(view) else { return };
        let gone_after = self.gone_after;
        let is_gone = |last: Timestamp| now.since(last) >= gone_after;
        let alarms = Alarms::of(&view.alarms);
        let before = self.known.get(&id);
        let from = before.map(|k| k.verdict);
        let away = before.map_or(0, |k| self.in_view(k.last, view.last_seen));
        let (change, had) = match before {
            // What is that old is no news.
            None if is_gone(view.last_seen) => (None, alarms),
            None => (Some((ChangeKind::New, None)), Alarms::default()),
            Some(k) if view.last_seen > k.last && (k.gone || away >= gone_after) => {
                (Some((ChangeKind::Reappeared, Some(days(away)).filter(|_| !k.recalled))), Alarms::default())
            }
            Some(k) if k.gone => return,
            Some(k) if view.verdict.strength() > k.verdict.strength() => (Some((ChangeKind::Raised, None)), k.alarms),
            // One that rose above its exception is said above, and one without
            // a verdict needs none.
            Some(k) if k.accepted && standing.accepted().is_none() && view.verdict != Verdict::None => {
                (Some((ChangeKind::Lapsed, None)), k.alarms)
            }
            Some(k) => (None, k.alarms),
        };
        let alarm = (!had.holds(alarms)).then_some((ChangeKind::Alarm, None));
        let came = matches!(change, Some((ChangeKind::Reappeared, _)));
        let name = view.name.as_ref().map(|(name, _)| name.clone());
        let accepted = standing.accepted().map(|a| self.shared(a));
        let exception = |kind| match standing.sentence() {
            _ if kind == ChangeKind::Alarm => String::new(),
            None if kind == ChangeKind::Lapsed => "No exception is for it any more.".into(),
            sentence => sentence.unwrap_or_default(),
        };
        let known = self.known.entry(id).or_insert_with(|| Known {
            ip: view.ip,
            mac: view.mac,
            segment: view.segment.clone(),
            name: None,
            owner: None,
            place: None,
            verdict: view.verdict,
            alarms,
            last: view.last_seen,
            gone: is_gone(view.last_seen),
            accepted: false,
            exception: None,
            recalled: false,
        });
        known.recalled = false;
        (known.accepted, known.exception) = (accepted.is_some(), accepted.clone());
        known.last = known.last.max(view.last_seen);
        (known.ip, known.mac, known.alarms) = (view.ip, view.mac, alarms);
        known.segment.clone_from(&view.segment);
        known.name.clone_from(&name);
        known.owner.clone_from(&view.owner);
        known.place.clone_from(&view.place);
        if came {
            (known.gone, known.verdict) = (false, view.verdict);
        } else if view.verdict.strength() > known.verdict.strength() {
            known.verdict = view.verdict;
        }
        let to = Some(known.verdict);
        found.extend(alarm.into_iter().chain(change).map(|(kind, days)| Change {
            ts: now,
            kind,
            ip: view.ip,
            mac: view.mac,
            segment: view.segment.clone(),
            name: name.clone(),
            owner: view.owner.clone(),
            place: view.place.clone(),
            from,
            to,
            alarms: view.alarms.clone(),
            days,
            reason: view.reason.clone(),
            accepted: accepted.clone().filter(|_| kind != ChangeKind::Alarm),
            exception: exception(kind),
        }));
    }

    /// By what a host is known, or will be. None where there is no room for it.
    fn place_of(&mut self, view: &HostView) -> Option<Id> {
        let id = Id::of(view.mac, &view.segment, view.ip);
        if self.known.contains_key(&id) {
            return Some(id);
        }
        // It may be known by an address that it had or has.
        let by_address = |ip: &Addr| Id::Seen(view.segment.clone(), *ip);
        match view.addresses.iter().find_map(|ip| self.known.remove(&by_address(ip))) {
            Some(known) => drop(self.known.insert(id.clone(), known)),
            None if self.known.len() >= MOST_HOSTS => return None,
            None => {}
        }
        Some(id)
    }

    /// An exception, kept once for all hosts.
    fn shared(&mut self, accept: &Accept) -> Arc<Accept> {
        if let Some(known) = self.exceptions.iter().find(|known| known.as_ref() == accept) {
            return Arc::clone(known);
        }
        // Those of a list that is no longer in effect are let go.
        self.exceptions.retain(|known| Arc::strong_count(known) > 1);
        let new = Arc::new(accept.clone());
        self.exceptions.push(Arc::clone(&new));
        new
    }
}

fn days(nanos: i64) -> u64 {
    u64::try_from(nanos / (DAY_SECS * SECOND)).unwrap_or(0)
}

impl std::fmt::Display for Change {
    /// A sentence without its time; alarms come before everything else.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let alarms = self.alarms.iter().map(|a| a.as_str()).collect::<Vec<_>>().join(", ");
        if self.kind == ChangeKind::Alarm {
            write!(f, "ALARM {alarms}: ")?;
        }
        write!(f, "{}", self.ip)?;
        let owner = self.owner.as_ref().map(|o| format!("owner {o}"));
        let who: Vec<&str> = [&self.name, &owner, &self.place].into_iter().flatten().map(String::as_str).collect();
        if !who.is_empty() {
            write!(f, " ({})", who.join(", "))?;
        }
        let was = self.from.unwrap_or(Verdict::None);
        let is = self.to.unwrap_or(Verdict::None);
        match (self.kind, self.days) {
            (ChangeKind::New, _) => write!(f, " is new: {is}")?,
            (ChangeKind::Reappeared, Some(1)) => write!(f, " is back after a day: {is}")?,
            (ChangeKind::Reappeared, Some(days)) => write!(f, " is back after {days} days: {is}")?,
            (ChangeKind::Reappeared, None) => write!(f, " is back: {is}")?,
            (ChangeKind::Alarm, _) => write!(f, ", verdict {is}")?,
            (ChangeKind::Raised, _) => write!(f, " was {was} and is {is} now")?,
            (ChangeKind::Lapsed, _) => write!(f, " is to be looked at again: {is}")?,
            (ChangeKind::Gone, days) => {
                let days = days.unwrap_or(0);
                write!(f, " was {was} and made no contact for {days} day{}", if days == 1 { "" } else { "s" })?;
            }
        }
        if !matches!(self.kind, ChangeKind::Alarm | ChangeKind::Gone) && !alarms.is_empty() {
            write!(f, " (alarm: {alarms})")?;
        }
        match (self.reason.as_str(), self.exception.as_str()) {
            ("", "") => Ok(()),
            ("", text) | (text, "") => write!(f, ". {text}"),
            (reason, exception) => write!(f, ". {reason} {exception}"),
        }
    }
}

#[cfg(test)]
mod tests;
