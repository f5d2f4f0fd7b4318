//! What of the contacts in a window is a host's own use, and what it passed on
//! for others.

use super::facts::{Contact, Facts};
use super::roles::{Flags, Roles};
use super::traits::Traits;
use crate::base::time::{DAY_SECS, QUARTER_SECS, SECOND};
use crate::base::{Channel, Stage, Timestamp};
use crate::flow::Note;
use foldhash::{HashMap, HashMapExt};

/// Payload that a proxy got beyond what its clients got, from which on a
/// transfer is its own: more than a handshake with a long chain of
/// certificates, and what makes a transfer.
const OWN_TRANSFER: u64 = 8 << 10;
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
        let mask = self.slots(c.day);
        let (slots, connected) = (c.slots.bits() & mask, c.slots_connected.bits() & mask);
        if slots == 0 && !c.slots.is_empty() {
            return None;
        }
        // What it reached in another part of the day is not known of this one.
        let cut = connected == 0 && !c.slots_connected.is_empty();
        let stage = if cut { c.stage.min(Stage::Answered) } else { c.stage };
        let contact = u32::try_from(at).ok()?;
        Some(Part { contact, node, stage, slots, connected, whose: Whose::Own })
    }
}

/// Decides for every part whose it is, and takes away what others did.
pub(super) fn settle(facts: &Facts, traits: &[Traits], roles: &Roles, parts: &mut [Part]) {
    let asked = asked_by_clients(facts, roles, parts);
    for p in parts {
        let flags = roles.flags(p.node);
        if !flags.has(Flags::RESOLVER) && !flags.has(Flags::PROXY) {
            continue;
        }
        let Some(c) = facts.contacts.get(p.contact as usize) else { continue };
        if flags.has(Flags::RESOLVER) {
            if c.channels.is_lookup() {
                let theirs = asked.get(&(c.indicator, c.day)).is_some_and(|s| s & p.slots != 0);
                p.whose = if theirs { Whose::Others } else { Whose::Unseen };
                continue;
            }
            // Which of the lookups beside its connections were its own cannot
            // be told.
            if p.connected != 0 {
                p.slots = p.connected;
            }
        }
        let is_alarm = traits.get(c.indicator as usize).is_some_and(|t| t.category.is_alarm());
        if let Some(theirs) = roles.proxied.get(&(p.node, c.indicator, c.day)).filter(|_| flags.has(Flags::PROXY)) {
            let (slots, connected) = (p.slots & !theirs.slots, p.connected & !theirs.slots);
            if slots == 0 || is_alarm && p.slots & theirs.slots != 0 {
                p.whose = Whose::Others;
                continue;
            }
            // How far its own contacts got is known as far as quarter hours
            // and bytes say it.
            let more = c.bytes_from_server.saturating_sub(theirs.bytes);
            if connected == 0 {
                p.stage = p.stage.min(Stage::Attempted);
            } else if connected != p.connected && more < OWN_TRANSFER {
                p.stage = p.stage.min(Stage::Connected);
            }
            (p.slots, p.connected) = (slots, connected);
        }
    }
}

/// When hosts that are no resolvers asked for what resolvers asked for.
fn asked_by_clients(facts: &Facts, roles: &Roles, parts: &[Part]) -> HashMap<(u32, i32), u128> {
    let mut asked: HashMap<(u32, i32), u128> = HashMap::new();
    let is_resolver = |p: &Part| roles.flags(p.node).has(Flags::RESOLVER);
    for p in parts.iter().filter(|p| is_resolver(p)) {
        if let Some(c) = facts.contacts.get(p.contact as usize) {
            asked.insert((c.indicator, c.day), 0);
        }
    }
    if asked.is_empty() {
        return asked;
    }
    for p in parts.iter().filter(|p| !is_resolver(p)) {
        if let Some(c) = facts.contacts.get(p.contact as usize).filter(|c| c.channels.has(Channel::DnsQuery))
            && let Some(slots) = asked.get_mut(&(c.indicator, c.day))
        {
            *slots |= p.slots;
        }
    }
    asked
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
