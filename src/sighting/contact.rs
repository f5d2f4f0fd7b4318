//! A followed flow, as the observer remembers it.

use super::draft::{DraftKey, HostKey};
use super::drafts::DraftAt;
use super::shown::Frame;
use crate::base::{Addr, Channel, Stage, Timestamp};
use crate::catalogue::IndicatorRef;
use crate::flow::{Endpoints, Notes};
use crate::packet::Transport;

/// Contacts of one shard that are followed at the same time. Beyond them an
/// observation still counts, but nothing is learned of how far its contact got.
pub(super) const CAP: usize = 1024;

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
    pub(super) parts: Vec<Part>,
    pub(super) pending: Option<Box<Pending>>,
    /// A message was read.
    pub(super) spoke: bool,
    pub(super) before: Before,
    /// Hash of the host of the HTTP exchange under way.
    pub(super) http_host: Option<u64>,
}

impl Contact {
    pub(super) fn new(host: HostKey, ends: &Endpoints) -> Self {
        Contact {
            host,
            server: (ends.server, ends.sport),
            transport: ends.transport,
            community_id: super::community::community_id(ends).into(),
            stage: Stage::Attempted,
            parts: Vec::new(),
            pending: None,
            spoke: false,
            before: Before::default(),
            http_host: None,
        }
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
        self.before = Before::default();
    }
}

/// Contacts by number, numbers used again.
#[derive(Debug, Default)]
pub(super) struct Contacts {
    slots: Vec<Option<Contact>>,
    free: Vec<u32>,
}

impl Contacts {
    /// Files a contact; `None` if there are too many.
    pub(super) fn insert(&mut self, contact: Contact) -> Option<u32> {
        if let Some(at) = self.free.pop() {
            self.put(at, contact);
            return Some(at);
        }
        if self.slots.len() >= CAP {
            return None;
        }
        self.slots.push(Some(contact));
        u32::try_from(self.slots.len().saturating_sub(1)).ok()
    }

    pub(super) fn take(&mut self, at: u32) -> Option<Contact> {
        self.slots.get_mut(at as usize).and_then(Option::take)
    }

    pub(super) fn get_mut(&mut self, at: u32) -> Option<&mut Contact> {
        self.slots.get_mut(at as usize).and_then(Option::as_mut)
    }

    /// All that are filed.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Contact> {
        self.slots.iter_mut().flatten()
    }

    /// Files a taken contact again under its number.
    pub(super) fn put(&mut self, at: u32, contact: Contact) {
        if let Some(slot) = self.slots.get_mut(at as usize) {
            *slot = Some(contact);
        }
    }

    /// Gives a taken contact's number back.
    pub(super) fn release(&mut self, at: u32) {
        self.free.push(at);
    }
}
