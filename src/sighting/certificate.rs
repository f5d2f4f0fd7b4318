//! What a server's certificate shows, where its client's hello was missed.

use super::observer::{Match, Matches, Observer, listable};
use crate::base::{Channel, Name};
use crate::coverage::{Counter, Ledger};
use crate::flow::{At, Note, Notes, Token};
use std::sync::Arc;

impl Observer {
    /// A certificate says which names a server answers to, not which of them
    /// its client wanted: where they do not all belong to one indicator the
    /// record says so.
    pub(super) fn certificate(
        &mut self,
        at: &At<'_>,
        names: &[Name],
        notes: Notes,
        follow: &mut Option<Token>,
        ledger: &mut Ledger,
    ) {
        let catalogue = Arc::clone(&self.settings.catalogue);
        let channel = Channel::TlsCertificate;
        let mut found = Vec::with_capacity(names.len());
        for name in names {
            found.push(match name.as_bytes().strip_prefix(b"*.") {
                Some(under) => {
                    ledger.count(Counter::Names);
                    catalogue.match_wildcard(&Name::from_text(under))
                }
                None => self.match_name(name, at, channel, ledger),
            });
        }
        let one = found.windows(2).all(|w| matches!(w, [a, b] if a == b));
        let notes = notes.with_if(!one, Note::Ambiguous);
        let mut matches = Matches::default();
        for (name, indicator) in names.iter().zip(found) {
            let Some(indicator) = indicator.filter(|_| listable(name).is_some()) else { continue };
            matches.add(Match { indicator, channel, notes, ..Match::of(name) });
        }
        let parts = self.observe_all(at, matches, ledger);
        if parts.is_empty() {
            return;
        }
        let contact = follow.and_then(|t| self.contacts.take(t.0));
        self.speak(at, parts, contact, follow, ledger);
    }
}
