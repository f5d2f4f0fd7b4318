//! A followed flow, as the observer remembers it.

use super::draft::{DraftKey, HostKey};
use super::drafts::DraftAt;
use super::observer::MAX_NAME;
use super::shown::Frame;
use crate::base::{Addr, Channel, Mac, Stage, Timestamp};
use crate::catalogue::IndicatorRef;
use crate::flow::{Endpoints, Note, Notes};
use crate::packet::Transport;
use std::collections::VecDeque;

/// Contacts of one shard that are followed at the same time. Of others an
/// observation still counts, but nothing is learned of how far they got.
pub(super) const CAP: usize = 320;

/// Characters of a community id.
const COMMUNITY_ID: usize = 30;
/// What an allocation costs beside its bytes.
pub(super) const ALLOCATION: usize = 16;

/// One reason why the flow is followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) channel: Channel,
    /// Draft that it last counted in.
    pub(super) key: DraftKey,
    pub(super) draft: DraftAt,
    /// What was seen in its field.
    pub(super) text: Option<Box<str>>,
    /// Names to be listed again when the day changes.
    pub(super) names: Vec<Box<str>>,
}

/// An address from an answer: it counts when the flow shows no name of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pending {
    pub(super) indicator: IndicatorRef,
    pub(super) name: Box<str>,
    /// The hardware address that the answer went to, where the link showed it.
    pub(super) told: Option<Mac>,
    pub(super) notes: Notes,
    /// The frame that began the flow.
    pub(super) frame: Frame,
    /// The frame that moved the contact on.
    pub(super) raised: Option<Frame>,
}

/// What a flow did before its first message was read: it belongs to whatever
/// that message shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Before {
    pub(super) to_server: u64,
    pub(super) from_server: u64,
    pub(super) notes: Notes,
    /// The last payload.
    pub(super) last: Option<Timestamp>,
}

/// A followed flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Contact {
    pub(super) host: HostKey,
    pub(super) server: (Addr, u16),
    pub(super) transport: Transport,
    pub(super) community_id: Box<str>,
    pub(super) stage: Stage,
    /// The server answered once.
    pub(super) answered: bool,
    /// Acknowledgements alone prove the stage: what joins later has no better
    /// proof.
    pub(super) one_sided: bool,
    pub(super) parts: Vec<Part>,
    pub(super) pending: Option<Box<Pending>>,
    /// A message was read.
    pub(super) spoke: bool,
    pub(super) before: Before,
    /// Hash of the host of the HTTP exchange under way.
    pub(super) http_host: Option<u64>,
    /// Its last HTTP request was for an update path, and not to a proxy.
    pub(super) asked_update: bool,
}

impl Contact {
    pub(super) fn new(host: HostKey, ends: &Endpoints) -> Self {
        Contact {
            host,
            server: (ends.server, ends.sport),
            transport: ends.transport,
            community_id: super::community::community_id(ends).into(),
            stage: Stage::Attempted,
            answered: false,
            one_sided: false,
            parts: Vec::new(),
            pending: None,
            spoke: false,
            before: Before::default(),
            http_host: None,
            asked_update: false,
        }
    }

    /// What is to be noted beside the stage.
    pub(super) fn proof(&self) -> Notes {
        Notes::NONE.with_if(self.one_sided, Note::OneSided)
    }

    /// Whether nothing is left to follow.
    pub(super) fn is_idle(&self) -> bool {
        self.parts.is_empty() && self.pending.is_none()
    }

    /// The same flow with another HTTP host: what was proved of the one before
    /// proves nothing of it. What the flow's address says goes on.
    pub(super) fn turn_to_next_host(&mut self) {
        self.parts.retain(|p| matches!(p.channel, Channel::Address | Channel::Netblock | Channel::LanPort));
        self.stage = Stage::Attempted;
        self.one_sided = false;
        self.before = Before::default();
    }
}

/// Bits of a token that are the number of a place; the others tell one use of
/// the place from the next.
const PLACE_BITS: u32 = 9;

/// A place for a contact.
#[derive(Debug, Default)]
struct Place {
    /// How often it was given away, in the bits above [`PLACE_BITS`].
    turn: u32,
    contact: Option<Contact>,
}

/// Contacts by token, places used again.
///
/// When all places are taken, the contact goes that has waited longest for its
/// server to answer: a flood of forged names is not answered. Where all were
/// answered, the one that first got as far as a contact can: of it only bytes
/// and its last time are lost.
#[derive(Debug, Default)]
pub(super) struct Contacts {
    places: Vec<Place>,
    free: Vec<u32>,
    /// Tokens in the order in which they were given; some may be spent, or
    /// their contacts answered.
    waiting: VecDeque<u32>,
    /// Tokens of contacts that reached the last stage, the oldest first; some
    /// may be spent.
    arrived: VecDeque<u32>,
}

impl Contacts {
    /// Most bytes of all contacts: each with a name in a part, one that waits,
    /// and its community id.
    pub(super) const MOST_BYTES: usize = CAP
        * (size_of::<Place>()
            + size_of::<Part>()
            + size_of::<Pending>()
            + size_of::<Box<str>>()
            + 3 * MAX_NAME
            + COMMUNITY_ID
            + 6 * ALLOCATION
            + 6 * size_of::<u32>());

    /// Files a contact; `None` if all others were answered and are still on
    /// their way. True beside the token if another one had to go.
    pub(super) fn insert(&mut self, contact: Contact) -> Option<(u32, bool)> {
        let (at, dropped) = self.place()?;
        let place = self.places.get_mut(at as usize)?;
        place.contact = Some(contact);
        let token = place.turn | at;
        if self.waiting.len() >= 2 * CAP {
            let places = &self.places;
            self.waiting.retain(|token| is_waiting(places, *token));
        }
        self.waiting.push_back(token);
        Some((token, dropped))
    }

    /// A place for a contact, and whether another one lost it.
    fn place(&mut self) -> Option<(u32, bool)> {
        if let Some(at) = self.free.pop() {
            return Some((at, false));
        }
        if self.places.len() < CAP {
            self.places.push(Place::default());
            return u32::try_from(self.places.len().saturating_sub(1)).ok().map(|at| (at, false));
        }
        while let Some(token) = self.waiting.pop_front() {
            if is_waiting(&self.places, token) {
                return self.vacate(token);
            }
        }
        while let Some(token) = self.arrived.pop_front() {
            if has_arrived(&self.places, token) {
                return self.vacate(token);
            }
        }
        None
    }

    fn vacate(&mut self, token: u32) -> Option<(u32, bool)> {
        drop(self.take(token));
        self.release(token);
        self.free.pop().map(|at| (at, true))
    }

    /// A contact reached the last stage.
    pub(super) fn arrived(&mut self, token: u32) {
        if self.arrived.len() >= 2 * CAP {
            let places = &self.places;
            self.arrived.retain(|token| has_arrived(places, *token));
        }
        self.arrived.push_back(token);
    }

    /// All that are filed.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Contact> {
        self.places.iter_mut().filter_map(|p| p.contact.as_mut())
    }

    /// Whether a token still stands for a contact, or for the place of one
    /// that was taken out to be filed again.
    pub(super) fn knows(&self, token: u32) -> bool {
        place(&self.places, token).is_some()
    }

    pub(super) fn take(&mut self, token: u32) -> Option<Contact> {
        self.slot(token).and_then(|p| p.contact.take())
    }

    pub(super) fn get_mut(&mut self, token: u32) -> Option<&mut Contact> {
        self.slot(token).and_then(|p| p.contact.as_mut())
    }

    /// Files a taken contact again under its token.
    pub(super) fn put(&mut self, token: u32, contact: Contact) {
        if let Some(place) = self.slot(token) {
            place.contact = Some(contact);
        }
    }

    /// Gives a taken contact's place back.
    pub(super) fn release(&mut self, token: u32) {
        if let Some(place) = self.slot(token) {
            place.turn = place.turn.wrapping_add(1 << PLACE_BITS);
            self.free.push(token & PLACES);
        }
    }

    fn slot(&mut self, token: u32) -> Option<&mut Place> {
        self.places.get_mut((token & PLACES) as usize).filter(|p| p.turn == token & !PLACES)
    }
}

const PLACES: u32 = (1 << PLACE_BITS) - 1;

fn place(places: &[Place], token: u32) -> Option<&Place> {
    places.get((token & PLACES) as usize).filter(|p| p.turn == token & !PLACES)
}

/// Whether a token's contact reached the last stage.
fn has_arrived(places: &[Place], token: u32) -> bool {
    place(places, token).and_then(|p| p.contact.as_ref()).is_some_and(|c| c.stage == Stage::Transferred)
}

/// Whether a token's contact waits for its server's first answer.
fn is_waiting(places: &[Place], token: u32) -> bool {
    place(places, token).and_then(|p| p.contact.as_ref()).is_some_and(|c| !c.answered)
}
