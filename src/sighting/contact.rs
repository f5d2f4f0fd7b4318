//! A followed flow, as the observer remembers it.

use super::draft::{Frame, HostKey};
use super::drafts::DraftAt;
use crate::base::{Addr, Channel, Stage};
use crate::catalogue::IndicatorRef;
use crate::flow::{Endpoints, Notes};
use crate::packet::Transport;

/// One reason why the flow is followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) indicator: IndicatorRef,
    pub(super) channel: Channel,
    /// Draft that it last counted in, with its day.
    pub(super) draft: DraftAt,
    pub(super) day: i64,
    /// What was seen in the channel's field; evidence of later frames names it.
    pub(super) text: Option<Box<str>>,
    /// Names that the record lists, to be listed again when the day changes.
    pub(super) names: Vec<Box<str>>,
}

/// An address from an answer: it counts when the flow shows no name of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pending {
    pub(super) indicator: IndicatorRef,
    pub(super) name: Box<str>,
    pub(super) frame: Frame,
}

/// A followed flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Contact {
    pub(super) host: HostKey,
    pub(super) server: (Addr, u16),
    pub(super) transport: Transport,
    pub(super) source: u32,
    pub(super) community_id: String,
    pub(super) stage: Stage,
    pub(super) parts: Vec<Part>,
    pub(super) pending: Option<Pending>,
    /// Bytes and notes that wait for the pending address to be judged.
    pub(super) unclaimed: (u64, u64, Notes),
    /// Host of the HTTP exchange under way.
    pub(super) http_host: Option<Box<str>>,
}

impl Contact {
    pub(super) fn new(host: HostKey, ends: &Endpoints, source: u32) -> Self {
        Contact {
            host,
            server: (ends.server, ends.sport),
            transport: ends.transport,
            source,
            community_id: super::community::community_id(ends),
            stage: Stage::Attempted,
            parts: Vec::new(),
            pending: None,
            unclaimed: (0, 0, Notes::NONE),
            http_host: None,
        }
    }

    /// Whether nothing is left to follow.
    pub(super) fn is_idle(&self) -> bool {
        self.parts.is_empty() && self.pending.is_none()
    }
}

/// Contacts by number, numbers used again.
#[derive(Debug, Default)]
pub(super) struct Contacts {
    slots: Vec<Option<Contact>>,
    free: Vec<u32>,
}

impl Contacts {
    pub(super) fn insert(&mut self, contact: Contact) -> u32 {
        if let Some(at) = self.free.pop()
            && let Some(slot) = self.slots.get_mut(at as usize)
        {
            *slot = Some(contact);
            return at;
        }
        self.slots.push(Some(contact));
        u32::try_from(self.slots.len().saturating_sub(1)).unwrap_or(u32::MAX)
    }

    pub(super) fn take(&mut self, at: u32) -> Option<Contact> {
        self.slots.get_mut(at as usize).and_then(Option::take)
    }

    pub(super) fn get_mut(&mut self, at: u32) -> Option<&mut Contact> {
        self.slots.get_mut(at as usize).and_then(Option::as_mut)
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
