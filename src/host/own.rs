//! What of the contacts in a window is a host's own use, and what it passed on
//! for others.

use super::facts::{Contact, Facts};
use super::roles::{Flags, Roles};
use crate::base::time::{DAY_SECS, QUARTER_SECS, SECOND};
use crate::base::{Channel, Stage, Timestamp};
use crate::flow::Note;
use foldhash::{HashMap, HashMapExt};

/// The last quarter hour of a day.
const LAST: u128 = 1;
/// The first quarter hour of a day.
pub(super) const FIRST: u128 = 1 << 95;
/// Bits of the quarter hours of a day.
const WHOLE_DAY: u128 = u128::MAX >> 32;

/// A contact, as far as it lies in the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// Index in [`Facts::contacts`].
    pub(super) contact: u32,
    /// Its host.
    pub(super) node: u32,
    /// As in the contact, without what lies outside of the window or is not
    /// the host's own.
    pub(super) stage: Stage,
    pub(super) slots: u128,
    pub(super) connected: u128,
    /// Whose it is.
    pub(super) whose: Whose,
}

impl Part {
    /// Whether names were looked up, nothing more: connections show at least
    /// that they were tried, if they lie in the window.
    pub(super) fn is_lookup(&self) -> bool {
        self.stage <= Stage::Answered
    }
}

/// On whose behalf a contact was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// The host's own.
    Own,
    /// Another host's that the sensor saw ask for it.
    Others,
    /// Somebody's behind the host whom the sensor did not see.
    Unseen,
}

/// The window of a judgement in nanoseconds, the end not in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) from: i64,
    pub(super) end: i64,
}

impl Window {
    pub(super) fn new(since: Option<Timestamp>, until: Option<Timestamp>) -> Self {
        Window { from: since.map_or(i64::MIN, |t| t.0), end: until.map_or(i64::MAX, |t| t.0) }
    }

    /// Whether a time from first to last touches it.
    pub(super) fn touches(self, from: Timestamp, to: Timestamp) -> bool {
        to.0 >= self.from && from.0 < self.end
    }

    /// First and last time of a contact as far as it lies in the window. Where
    /// the day's first or last time lies outside, the beginning of the quarter
    /// hour is all that is known.
    pub(super) fn times(self, p: &Part, c: &Contact) -> (Timestamp, Timestamp) {
        let start = i64::from(c.day).saturating_mul(DAY_SECS * SECOND);
        let begins = |slot: u32| {
            let at = Timestamp(start.saturating_add(i64::from(slot).saturating_mul(QUARTER_SECS * SECOND)));
            (p.slots != 0).then(|| self.clamp(at))
        };
        let (lead, trail) = (p.slots.leading_zeros().saturating_sub(32), p.slots.trailing_zeros());
        let inside = |t: Timestamp| self.clamp(t) == t;
        let outside = |t: Timestamp, slot: u32| begins(slot).unwrap_or_else(|| self.clamp(t));
        let first = if inside(c.first) { c.first } else { outside(c.first, lead) };
        let last = if inside(c.last) { c.last } else { outside(c.last, 95u32.saturating_sub(trail)) };
        (first, last.max(first))
    }

    /// A time, moved into the window.
    pub(super) fn clamp(self, t: Timestamp) -> Timestamp {
        Timestamp(t.0.clamp(self.from, self.end.saturating_sub(1).max(self.from)))
    }

    /// The quarter hours of a day that lie in it, as bits.
    fn slots(self, day: i32) -> u128 {
        let start = i64::from(day).saturating_mul(DAY_SECS * SECOND);
        let slot = |t: i64| t.saturating_sub(start).div_euclid(QUARTER_SECS * SECOND);
        let (first, last) = (slot(self.from).max(0), slot(self.end.saturating_sub(1)).min(95));
        if first == 0 && last == 95 {
            return WHOLE_DAY;
        }
        match (u32::try_from(first), u32::try_from(last)) {
            (Ok(first), Ok(last)) if first <= last => WHOLE_DAY >> first & WHOLE_DAY << (95 - last),
            _ => 0,
        }
    }

    /// A contact as far as it lies in the window.
    pub(super) fn part(self, at: usize, c: &Contact, node: u32) -> Option<Part> {
        if !self.touches(c.first, c.last) {
            return None;
        }
        let contact = u32::try_from(at).ok()?;
        let whole = Part {
            contact,
            node,
            stage: c.stage,
            slots: c.slots.bits(),
            connected: c.slots_connected.bits(),
            whose: Whose::Own,
        };
        whole.within(self.slots(c.day))
    }
}

impl Part {
    /// As far as it lies in these quarter hours.
    pub(super) fn within(self, mask: u128) -> Option<Part> {
        let (slots, connected) = (self.slots & mask, self.connected & mask);
        if slots == 0 && self.slots != 0 {
            return None;
        }
        // What it reached in another part of the day is not known of this one.
        let cut = connected == 0 && self.connected != 0;
        let stage = if cut { self.stage.min(Stage::Answered) } else { self.stage };
        Some(Part { stage, slots, connected, ..self })
    }
}

/// Decides for every part whose it is, and takes away what others did.
pub(super) fn settle(facts: &Facts, roles: &Roles, parts: &mut [Part]) {
    let asked = asked_by_clients(facts, roles, parts);
    for p in parts {
        let flags = roles.flags(p.node);
        if !flags.has(Flags::RESOLVER) && !flags.has(Flags::PROXY) {
            continue;
        }
        let Some(c) = facts.contacts.get(p.contact as usize) else { continue };
        if flags.has(Flags::RESOLVER) && roles.resolving.works(p.node, c.day) {
            if p.is_lookup() {
                let theirs = asked.get(&(c.indicator, c.day)).map_or(0, |s| s & p.slots);
                let rest = p.slots & !theirs & !roles.resolving.alone(p.node, c.day);
                if rest == 0 {
                    p.whose = if theirs == 0 { Whose::Unseen } else { Whose::Others };
                } else {
                    p.slots = rest;
                }
                continue;
            }
            // Which of the lookups beside its connections were its own cannot
            // be told.
            if p.connected != 0 {
                p.slots = p.connected;
            }
        }
        if flags.has(Flags::PROXY) && roles.proxying.take(p, c) {
            p.whose = Whose::Others;
        }
    }
}

/// When hosts that are no resolvers asked for what resolvers asked for, or got
/// it as the answer.
fn asked_by_clients(facts: &Facts, roles: &Roles, parts: &[Part]) -> HashMap<(u32, i32), u128> {
    let mut asked: HashMap<(u32, i32), u128> = HashMap::new();
    let contact = |p: &Part| facts.contacts.get(p.contact as usize);
    let resolves =
        |p: &Part, c: &Contact| roles.flags(p.node).has(Flags::RESOLVER) && roles.resolving.works(p.node, c.day);
    for p in parts {
        if let Some(c) = contact(p).filter(|c| resolves(p, c)) {
            asked.insert((c.indicator, c.day), 0);
        }
    }
    if asked.is_empty() {
        return asked;
    }
    let looks_up =
        |c: &Contact| [Channel::DnsQuery, Channel::DnsAnswer, Channel::DnsCname].iter().any(|n| c.channels.has(*n));
    for p in parts {
        let Some(c) = contact(p).filter(|c| looks_up(c) && !resolves(p, c)) else { continue };
        // The resolver asks a moment later.
        let (next, tomorrow) = following(p.slots);
        if let Some(slots) = asked.get_mut(&(c.indicator, c.day)) {
            *slots |= p.slots | next;
        }
        if let Some(day) = c.day.checked_add(1).filter(|_| tomorrow)
            && let Some(slots) = asked.get_mut(&(c.indicator, day))
        {
            *slots |= FIRST;
        }
    }
    asked
}

/// The quarter hours after these of a day, and whether the first of the next
/// day is among them.
pub(super) fn following(slots: u128) -> (u128, bool) {
    (slots >> 1, slots & LAST != 0)
}

/// Whether a contact went through an explicit proxy.
pub(super) fn is_proxied(c: &Contact) -> bool {
    c.channels.has(Channel::HttpConnect) || c.notes.has(Note::ViaProxy)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i32 = 100;

    fn quarter(n: i64) -> Timestamp {
        Timestamp::from_parts(i64::from(DAY) * DAY_SECS + n * QUARTER_SECS, 0)
    }

    #[test]
    fn quarter_hours_that_touch_the_window_are_in_it() {
        let slots = |since: Option<Timestamp>, until: Option<Timestamp>, day| {
            format!("{:024x}", Window::new(since, until).slots(day))
        };
        let all = "f".repeat(24);
        assert_eq!(slots(None, None, DAY), all);
        assert_eq!(slots(Some(quarter(0)), Some(quarter(96)), DAY), all);
        assert_eq!(slots(Some(quarter(0)), Some(quarter(96)), DAY + 1), "0".repeat(24));
        assert_eq!(slots(Some(quarter(0)), Some(quarter(96)), DAY - 1), "0".repeat(24));
        assert_eq!(slots(Some(quarter(4)), Some(quarter(8)), DAY), format!("0f{}", "0".repeat(22)));
        assert_eq!(slots(Some(quarter(5).plus(-1)), Some(quarter(8).plus(1)), DAY), format!("0f8{}", "0".repeat(21)));
        assert_eq!(slots(Some(quarter(94)), None, DAY), format!("{}3", "0".repeat(23)));
        assert_eq!(slots(None, Some(quarter(1)), DAY), format!("8{}", "0".repeat(23)));
    }
}
