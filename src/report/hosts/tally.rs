//! How many hosts there are of each kind, in a sentence or two.

use super::super::text::{counted, grouped};
use crate::host::{Standing, Verdict};

/// Hosts by verdict. Accepted ones are counted apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    hosts: [u64; Verdict::ALL.len()],
    likely: u64,
    accepted: u64,
    unconfirmed: u64,
    alarms: u64,
}

impl Tally {
    /// Of these hosts.
    pub fn of<'a>(hosts: impl IntoIterator<Item = &'a super::Listed<'a>>) -> Self {
        let mut tally = Tally::default();
        for host in hosts {
            tally.add(host);
        }
        tally
    }

    /// Adds one host.
    pub fn add(&mut self, host: &super::Listed<'_>) {
        self.alarms = self.alarms.saturating_add(u64::from(!host.view.alarms.is_empty()));
        if let Standing::Accepted(_) = host.standing {
            self.accepted = self.accepted.saturating_add(1);
            return;
        }
        if let Some(n) = self.hosts.get_mut(host.view.verdict as usize) {
            *n = n.saturating_add(1);
        }
        let likely = host.view.verdict == Verdict::LookedUp && host.view.likely_installed;
        self.likely = self.likely.saturating_add(u64::from(likely));
        self.unconfirmed = self.unconfirmed.saturating_add(u64::from(!host.view.confirmed));
    }

    /// Adds the hosts of another.
    pub fn merge(&mut self, other: &Tally) {
        let Tally { hosts, likely, accepted, unconfirmed, alarms } = other;
        for (n, more) in self.hosts.iter_mut().zip(hosts) {
            *n = n.saturating_add(*more);
        }
        self.likely = self.likely.saturating_add(*likely);
        self.accepted = self.accepted.saturating_add(*accepted);
        self.unconfirmed = self.unconfirmed.saturating_add(*unconfirmed);
        self.alarms = self.alarms.saturating_add(*alarms);
    }

    /// Hosts with alarms, accepted ones among them.
    pub fn alarms(&self) -> u64 {
        self.alarms
    }

    /// Hosts counted as use.
    pub fn in_use(&self) -> u64 {
        self.sum(&[Verdict::Active, Verdict::Updating, Verdict::Contacting])
    }

    /// Hosts where a product seems installed that is not seen to update: those that
    /// try, and those that look up at cadence.
    pub fn installed(&self) -> u64 {
        self.get(Verdict::Attempting).saturating_add(self.likely)
    }

    /// Hosts that somebody answers for; they are in no other number.
    pub fn accepted(&self) -> u64 {
        self.accepted
    }

    /// Hosts for which nothing shows that they exist.
    pub fn unconfirmed(&self) -> u64 {
        self.unconfirmed
    }

    /// Hosts of a verdict.
    pub fn get(&self, verdict: Verdict) -> u64 {
        self.hosts.get(verdict as usize).copied().unwrap_or(0)
    }

    fn sum(&self, verdicts: &[Verdict]) -> u64 {
        verdicts.iter().fold(0, |sum, v| sum.saturating_add(self.get(*v)))
    }

    /// `2 active, 1 updating`, without those that are not there.
    fn list(&self, verdicts: &[Verdict]) -> String {
        let there = verdicts.iter().filter(|v| self.get(**v) > 0);
        there.map(|v| format!("{} {v}", grouped(self.get(*v)))).collect::<Vec<_>>().join(", ")
    }

    /// The lines: what counts as use and what always stands beside it, then
    /// the rest.
    pub fn lines(&self) -> Vec<String> {
        use Verdict::{Active, Attempting, Contacting, LookedUp, Managed, Oem, Present, ProbeOnly, Updating, WebOnly};
        const USE: &[Verdict] = &[Active, Updating, Contacting];
        let in_brackets = |list: String| if list.is_empty() { list } else { format!(" ({list})") };
        let attempting = self.get(Attempting);
        let mut installed: Vec<String> = Vec::new();
        if attempting > 0 {
            installed.push(format!("{} attempting", grouped(attempting)));
        }
        if self.likely > 0 {
            installed.push(format!("{} looked-up at cadence", grouped(self.likely)));
        }
        let mut lines = vec![format!(
            "Counted as use: {}{}. Seems installed, not seen to update: {}{}. Managed on the LAN: {}. OEM products: {}.",
            counted(self.in_use(), "host", "hosts"),
            in_brackets(self.list(USE)),
            grouped(self.installed()),
            in_brackets(installed.join(", ")),
            grouped(self.get(Managed)),
            grouped(self.get(Oem)),
        )];
        let mut rest: Vec<String> = Vec::new();
        let once = self.get(LookedUp).saturating_sub(self.likely);
        if once > 0 {
            rest.push(format!("{} looked-up", grouped(once)));
        }
        let other = self.list(&[Present, WebOnly, ProbeOnly]);
        if !other.is_empty() {
            rest.push(other);
        }
        let bare = self.get(Verdict::None);
        if bare > 0 {
            rest.push(format!("{} with nothing but a role, an alarm or signs that prove nothing alone", grouped(bare)));
        }
        if !rest.is_empty() {
            lines.push(format!("Not counted: {}.", rest.join(", ")));
        }
        if self.accepted > 0 {
            lines.push(format!(
                "Accepted, shown apart and in none of these numbers: {}.",
                counted(self.accepted, "host", "hosts")
            ));
        }
        if self.unconfirmed > 0 {
            lines.push(format!(
                "{} not confirmed: only a handshake with both sides, ARP, neighbour discovery or DHCP show that a \
                 sender's address was its own.",
                counted(self.unconfirmed, "of these hosts is", "of these hosts are")
            ));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::super::Listed;
    use super::*;
    use crate::base::Timestamp;
    use crate::host::sample::view;
    use crate::host::{AcceptList, HostView};

    fn lines(views: &[HostView], accept: &AcceptList) -> Vec<String> {
        let listed: Vec<Listed<'_>> =
            views.iter().map(|view| Listed { view, standing: accept.standing(view, 0), as_of: Timestamp(0) }).collect();
        Tally::of(&listed).lines()
    }

    #[test]
    fn what_counts_and_what_stands_beside_it() {
        let mut views: Vec<HostView> = Verdict::ALL.iter().map(|v| view("10.0.0.5", *v)).collect();
        let mut likely = view("10.0.0.9", Verdict::LookedUp);
        (likely.likely_installed, likely.confirmed) = (true, false);
        views.push(likely);
        views.push(view("10.0.0.77", Verdict::Updating));
        let text = "[[accept]]\nhost='10.0.0.77'\nverdict='active'\nreason='r'\nowner='o'\nexpires=2100-01-01";
        assert_eq!(
            lines(&views, &AcceptList::read(text).unwrap()),
            [
                "Counted as use: 3 hosts (1 active, 1 updating, 1 contacting). Seems installed, not seen to update: 2 \
                 (1 attempting, 1 looked-up at cadence). Managed on the LAN: 1. OEM products: 1.",
                "Not counted: 1 looked-up, 1 present, 1 web-only, 1 probe-only, 1 with nothing but a role, an alarm or signs that prove nothing alone.",
                "Accepted, shown apart and in none of these numbers: 1 host.",
                "1 of these hosts is not confirmed: only a handshake with both sides, ARP, neighbour discovery or DHCP \
                 show that a sender's address was its own.",
            ]
        );
    }

    #[test]
    fn nothing_but_visits_is_no_use() {
        assert_eq!(
            lines(&[view("10.0.0.5", Verdict::WebOnly)], &AcceptList::default()),
            [
                "Counted as use: 0 hosts. Seems installed, not seen to update: 0. Managed on the LAN: 0. OEM products: 0.",
                "Not counted: 1 web-only.",
            ]
        );
    }
}
