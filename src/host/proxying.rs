//! Which of a proxy's contacts its role explains.
//!
//! Frames that make a host look like a proxy are easily forged; that its
//! clients got through it what it got itself is not. So a contact is its
//! clients' if they were connected to the same through it, at that time, and
//! it got no more bytes than they did. What is left, and all where the bytes do
//! not fit, stays its own.

use super::facts::Contact;
use super::own::{FIRST, Part, following};
use super::resolving::APART;
use crate::base::Stage;
use crate::base::time::{QUARTER_SECS, SECOND};
use crate::flow::Note;
use foldhash::HashMap;

/// Payload that a proxy got beyond what its clients got, from which on not all
/// was theirs: fields of heads that it does not hand on are less.
const OWN_BYTES: u64 = 1 << 10;
/// The same from which on a transfer is its own, where it has contacts of its
/// own: more than a handshake with a long chain of certificates, and what makes
/// a transfer.
const OWN_TRANSFER: u64 = 8 << 10;
/// Of what clients got, one part in so many may be missing in the capture.
const LOSS: u64 = 16;
/// Of what a proxy got in the quarter hours of its clients, they got at least
/// one part in so many. How much that was is known on average only.
const SHARE: u64 = 8;

/// What others did through a proxy with an indicator on a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Proxied {
    tried: Near,
    connected: Near,
    /// Payload that they got.
    bytes: u64,
}

/// Quarter hours of clients, and those after them, as a proxy connects a moment
/// later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Near {
    same: u128,
    next: u128,
}

impl Near {
    fn add(&mut self, other: Near) {
        self.same |= other.same;
        self.next |= other.next;
    }
}

impl Proxied {
    fn add(&mut self, other: Proxied) {
        self.tried.add(other.tried);
        self.connected.add(other.connected);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

/// Who used a proxy: one client, and when first and last.
#[derive(Clone, Copy, Debug)]
struct Used {
    client: Option<u32>,
    several: bool,
    from: i64,
    to: i64,
}

/// What hosts contacted through proxies.
#[derive(Debug, Default)]
pub(super) struct Proxying {
    /// By the proxy's node, indicator and day, and whether only the hosts' own
    /// packets say so.
    contacts: HashMap<(u32, u32, i32, bool), Proxied>,
    used: HashMap<u32, Used>,
    /// Most payload that clients got with one indicator, by the proxy's node
    /// and day. What of a connection counts for an indicator begins where it
    /// was first seen, and a proxy shares its connections out in its own way.
    most: HashMap<(u32, i32, bool), u64>,
}

impl Proxying {
    /// A sign of the role from first to last.
    pub(super) fn shown(&mut self, proxy: u32, from: i64, to: i64) {
        self.using(proxy, None, from, to);
    }

    fn using(&mut self, proxy: u32, client: Option<u32>, from: i64, to: i64) {
        let used = self.used.entry(proxy).or_insert(Used { client, several: false, from, to });
        used.several |= client.is_some() && used.client.is_some_and(|c| Some(c) != client);
        used.client = used.client.or(client);
        (used.from, used.to) = (used.from.min(from), used.to.max(to));
    }

    /// A client's contact through it; `part` is what of it lies in the window.
    pub(super) fn add(&mut self, proxy: u32, client: u32, c: &Contact, part: Option<&Part>) {
        let one_sided = c.notes.has(Note::OneSided);
        if c.stage >= Stage::Connected && !one_sided {
            // How far its quarter hours lie apart is known on that day.
            let bits = c.slots_connected.bits();
            let quarters = 95u32.saturating_sub(bits.trailing_zeros()).saturating_sub(bits.leading_zeros() - 32);
            let apart = if bits == 0 { 0 } else { i64::from(quarters) * QUARTER_SECS * SECOND };
            self.using(proxy, Some(client), c.first.0, c.first.0.saturating_add(apart));
        }
        let (tried, connected) = part.map_or((0, 0), |p| (p.slots, p.connected));
        let (tried_next, tried_tomorrow) = following(tried);
        let (connected_next, connected_tomorrow) = following(connected);
        let first = |is| Near { same: 0, next: if is { FIRST } else { 0 } };
        let tomorrow = c.day.checked_add(1).filter(|_| tried_tomorrow);
        let days = [
            (Some(c.day), Near { same: tried, next: tried_next }, Near { same: connected, next: connected_next }),
            (tomorrow, first(tried_tomorrow), first(connected_tomorrow)),
        ];
        for (day, tried, connected) in days {
            let Some(day) = day else { continue };
            let theirs = Proxied { tried, connected, bytes: c.bytes_from_server };
            self.contacts.entry((proxy, c.indicator, day, one_sided)).or_default().add(theirs);
        }
    }

    /// All clients' contacts are added.
    pub(super) fn complete(&mut self) {
        for ((proxy, _, day, one_sided), theirs) in &self.contacts {
            let most = self.most.entry((*proxy, *day, *one_sided)).or_default();
            *most = theirs.bytes.max(*most);
        }
    }

    /// What others did through a proxy of what it contacted itself. Anybody can
    /// send a client's packets alone, so where both directions of the proxy's
    /// own were seen they take nothing away from it.
    fn of(&self, proxy: u32, c: &Contact) -> Option<Proxied> {
        let of = |one_sided| {
            let theirs = *self.contacts.get(&(proxy, c.indicator, c.day, one_sided))?;
            let most = self.most.get(&(proxy, c.day, one_sided)).copied();
            Some(Proxied { bytes: most.unwrap_or(theirs.bytes), ..theirs })
        };
        let claimed = of(true).filter(|_| c.notes.has(Note::OneSided));
        match (of(false), claimed) {
            (Some(mut theirs), Some(claimed)) => {
                theirs.add(claimed);
                Some(theirs)
            }
            (theirs, claimed) => theirs.or(claimed),
        }
    }

    /// Whether more than one exchange shows that a host is a proxy.
    fn is_established(&self, proxy: u32) -> bool {
        self.used.get(&proxy).is_some_and(|u| u.several || u.to.saturating_sub(u.from) >= APART)
    }

    /// Takes from a proxy's contact what its clients had of it. True if that
    /// was all.
    pub(super) fn take(&self, p: &mut Part, c: &Contact) -> bool {
        let Some(theirs) = self.of(p.node, c) else { return false };
        // What clients only tried explains what it only tried, if more shows
        // its role: a lone request is too easily forged.
        let tried = if self.is_established(p.node) { theirs.tried } else { theirs.connected };
        let same = theirs.connected.same & p.connected | tried.same & !p.connected;
        let next = theirs.connected.next & p.connected | tried.next & !p.connected;
        let rest = p.slots & !same;
        let later = rest & !next;
        let got = bytes_of(c, c.slots_connected.bits(), p.connected);
        let more = got.saturating_sub(theirs.bytes);
        let enough = OWN_BYTES.max(theirs.bytes / LOSS);
        if later == 0 && more < enough {
            return true;
        }
        // How far its own contacts got is known as far as quarter hours and
        // bytes say it.
        let slots = if later == 0 { rest } else { later };
        let connected = p.connected & slots;
        let share = bytes_of(c, c.slots_connected.bits(), p.connected & !slots);
        let fits = share < theirs.bytes.saturating_mul(SHARE).saturating_add(enough);
        if slots == 0 || !fits || connected == 0 && more >= enough {
            return false;
        }
        if connected == 0 {
            p.stage = p.stage.min(Stage::Attempted);
        } else if connected != p.connected && more < OWN_TRANSFER {
            p.stage = p.stage.min(Stage::Connected);
        }
        (p.slots, p.connected) = (slots, connected);
        false
    }
}

/// How much of a contact's payload came in some of its quarter hours, if it
/// came evenly.
fn bytes_of(c: &Contact, all: u128, some: u128) -> u64 {
    if some == all {
        return c.bytes_from_server;
    }
    let part = u128::from(c.bytes_from_server) * u128::from(some.count_ones()) / u128::from(all.count_ones().max(1));
    u64::try_from(part).unwrap_or(u64::MAX)
}
