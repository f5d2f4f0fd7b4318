//! What a request to a SOCKS proxy shows.

use super::contact::Contact;
use super::follow::literal;
use super::observer::{Match, Observer};
use crate::base::{Addr, Channel, Name};
use crate::coverage::Ledger;
use crate::flow::{At, Notes, Token};

impl Observer {
    /// The target of a request. No channel is named after SOCKS: a name counts
    /// as what the first payload of the flow says, an address as an address.
    pub(super) fn socks(
        &mut self,
        at: &At<'_>,
        name: Option<&Name>,
        addr: Option<Addr>,
        notes: Notes,
        follow: &mut Option<Token>,
        ledger: &mut Ledger,
    ) {
        let addr = addr.or_else(|| name.and_then(literal));
        let mut parts = Vec::new();
        if let (Some(name), None) = (name, addr)
            && let Some(indicator) = self.match_name(name, at, Channel::Payload, ledger)
        {
            parts.extend(self.observe(at, Match { indicator, notes, ..Match::of(name) }, ledger));
        }
        if let Some(indicator) = addr.and_then(|a| self.settings.catalogue.match_addr(&a)) {
            let channel = Channel::Netblock;
            parts.extend(self.observe(at, Match { indicator, channel, notes, ..Match::bare() }, ledger));
        }
        let pending = addr.filter(|_| self.settings.home.contains(&Self::host(at).ip));
        let pending = pending.and_then(|a| self.pending(at, a, notes));
        let mut contact = follow.and_then(|t| self.contacts.take(t.0));
        if let Some(c) = contact.as_mut() {
            // What ties the proxy's address to a name says nothing of others.
            c.pending = None;
        }
        if let Some(pending) = pending {
            let new = || Contact::new(Self::host(at), &at.endpoints());
            contact.get_or_insert_with(new).pending = Some(Box::new(pending));
        }
        self.speak(at, parts, contact, follow, ledger);
    }
}
