//! Judging for counting: what many hosts amount to in many periods, without a
//! word said about any of them.
//!
//! It is the same table of verdicts over the same contacts as for one host.
//! Who a host is, its roles and what it did for others come from all facts of a
//! [`Judge`]; the verdict of a period from the host's own contacts in it.

use super::case::Case;
use super::facts::Contact;
use super::identity::is_randomised;
use super::judge::{Judge, is_two_sided, roles};
use super::nat;
use super::own::{Part, Whose};
use super::roles::{Flags, confirms};
use super::verdict::{likely_installed, verdict};
use super::view::{Role, Verdict};
use crate::base::{Addr, Mac, Stage};
use crate::catalogue::Category;

/// A host, as far as counting asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Person {
    /// Its own hardware address; `None` of a host that is known by its address.
    pub mac: Option<Mac>,
    /// It made its hardware address up, and may make up another.
    pub randomised: bool,
    /// A two-sided contact, a handshake, ARP, neighbour discovery or DHCP show
    /// that it exists, anywhere in the facts.
    pub confirmed: bool,
    /// How many devices stand behind it at least, of a NAT gateway.
    pub nat_at_least: Option<u32>,
}

/// A contact of a host's own, or a part of its day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece(Part);

impl Piece {
    /// Its place in [`Facts::contacts`](super::Facts::contacts).
    pub fn contact(&self) -> u32 {
        self.0.contact
    }

    /// As far as it lies in these quarter hours of its UTC day, the first in
    /// bit 95; `None` where none of it does.
    pub fn within(self, quarters: u128) -> Option<Piece> {
        self.0.within(quarters).map(Piece)
    }
}

/// A contact that counts: its indicator stands alone, or another sign of a
/// product stands beside it that day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counting {
    /// Its place in [`Facts::contacts`](super::Facts::contacts).
    pub contact: u32,
    /// Category of its indicator.
    pub category: Category,
    /// How far it got.
    pub stage: Stage,
    /// Quarter hours of its UTC day with a contact, the first in bit 95.
    pub slots: u128,
    /// Those in which a server answered.
    pub answered: u128,
}

/// What a host amounts to in a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amount {
    /// Its verdict.
    pub verdict: Verdict,
    /// Lookups of update names at the cadence of an installation.
    pub likely_installed: bool,
    /// It is a local update server.
    pub relay: bool,
    /// Categories of what counts and of alarms, a bit for each in the order of
    /// [`Category::ALL`].
    pub categories: u16,
}

/// The bit of a category in [`Amount::categories`].
pub fn category_bit(category: Category) -> u16 {
    Category::ALL.iter().position(|c| *c == category).map_or(0, |at| 1 << at)
}

impl Judge<'_> {
    /// Who a host is.
    pub fn person(&self, node: u32) -> Person {
        let mac = self.mac_of(node);
        let all = self.parts_of.of(node).iter().filter_map(|at| self.parts.get(*at as usize));
        let contacts = all.filter_map(|p| self.facts.contacts.get(p.contact as usize));
        let signals = self.signals_of.of(node).iter().filter_map(|at| self.facts.signals.get(*at as usize));
        let shown = || is_two_sided(contacts);
        Person {
            mac,
            randomised: mac.is_some_and(is_randomised),
            confirmed: self.intervals(node).any(confirms) || shown(),
            nat_at_least: nat::at_least(signals),
        }
    }

    /// The hardware address of a host, where it is its own.
    pub fn mac_of(&self, node: u32) -> Option<Mac> {
        self.identities.nodes.get(node as usize).and_then(|n| n.mac)
    }

    /// Of each contact, in no order, the place of its host as seen in
    /// [`Facts::seen`](super::Facts::seen), and who that was.
    pub fn owners(&self) -> impl Iterator<Item = (u32, u32)> {
        self.parts.iter().filter_map(|p| Some((self.facts.contacts.get(p.contact as usize)?.seen, p.node)))
    }

    fn intervals(&self, node: u32) -> impl Iterator<Item = &super::Interval> {
        self.intervals_of.of(node).iter().filter_map(|at| self.facts.intervals.get(*at as usize))
    }

    /// Addresses that a host had between two times (nanoseconds since the
    /// epoch), by stored intervals.
    pub fn addresses(&self, node: u32, from: i64, to: i64) -> impl Iterator<Item = Addr> {
        self.intervals(node).filter(move |i| i.to.0 >= from && i.from.0 <= to).map(|i| i.ip)
    }

    /// From when to when a host was in view (nanoseconds since the epoch), by
    /// stored intervals.
    pub fn in_view(&self, node: u32) -> impl Iterator<Item = (i64, i64)> {
        self.intervals(node).map(|i| (i.from.0, i.to.0))
    }

    /// Puts a host's own contacts into `into`, in the order of the facts.
    pub fn own(&self, node: u32, into: &mut Vec<Piece>) {
        let parts = self.parts_of.of(node).iter().filter_map(|at| self.parts.get(*at as usize));
        into.extend(parts.filter(|p| p.whose == Whose::Own).map(|p| Piece(*p)));
    }

    /// What a host amounts to by some of its own contacts. Those that count are
    /// put into `counting`, in order of day and indicator.
    pub fn amount(&self, node: u32, pieces: &[Piece], counting: &mut Vec<Counting>) -> Amount {
        let flags = self.roles.flags(node);
        let case = Case::new(self.facts, &self.traits, pieces.iter().map(|p| &p.0), flags.has(Flags::MANAGED));
        let verdict = verdict(&case);
        let mut categories = 0;
        for p in pieces {
            let contact: Option<&Contact> = self.facts.contacts.get(p.0.contact as usize);
            if let Some(traits) = contact.and_then(|c| self.traits.get(c.indicator as usize))
                && traits.category.is_alarm()
            {
                categories |= category_bit(traits.category);
            }
        }
        for o in case.own.iter().filter(|o| o.counts) {
            categories |= category_bit(o.traits.category);
            counting.push(Counting {
                contact: o.at,
                category: o.traits.category,
                stage: o.stage,
                slots: o.slots.bits(),
                answered: o.connected.bits(),
            });
        }
        let relay = !flags.is_none() && roles(&case, flags, false, false).contains(&Role::Relay);
        Amount { verdict, likely_installed: likely_installed(&case, verdict, flags), relay, categories }
    }
}
