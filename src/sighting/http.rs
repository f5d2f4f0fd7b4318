//! What HTTP requests show: hosts, the target of CONNECT, paths, products.

use super::contact::Contact;
use super::follow::literal;
use super::observer::{Match, Matches, Observer, listable};
use crate::base::{Channel, Name};
use crate::catalogue::{Category, IndicatorRef};
use crate::coverage::{Counter, Ledger};
use crate::flow::{At, HttpSeen, Note, Notes, Token};
use std::hash::BuildHasher;
use std::sync::Arc;

/// Bytes of a path that evidence holds.
const MAX_PATH: usize = 1024;
/// Ends a path that was cut; no escaped path holds a lone backslash.
const CUT: &str = "\\...";

/// A path as evidence: without query, which may hold personal data, and cut
/// where it is too long.
fn path_text(path: &[u8]) -> String {
    let end = memchr::memchr2(b'?', b'#', path).unwrap_or(path.len());
    let path = path.get(..end).unwrap_or(&[]);
    match path.get(..MAX_PATH) {
        Some(head) if path.len() > MAX_PATH => Name::escape(head) + CUT,
        _ => Name::escape(path),
    }
}

impl Observer {
    pub(super) fn http(
        &mut self,
        at: &At<'_>,
        seen: &HttpSeen<'_>,
        notes: Notes,
        follow: &mut Option<Token>,
        ledger: &mut Ledger,
    ) {
        let catalogue = Arc::clone(&self.settings.catalogue);
        let mut matches = Matches::default();
        let mut beside: Vec<IndicatorRef> = Vec::new();
        let target = seen.connect.map(|n| (n, Channel::HttpConnect));
        let hosts = seen.hosts.iter().map(|n| (n, Channel::HttpHost));
        for (name, channel) in target.into_iter().chain(hosts) {
            if let Some(indicator) = self.match_name(name, at, channel, ledger) {
                beside.push(indicator);
                matches.add(Match { indicator, channel, notes, ..Match::of(name) });
            }
        }
        // On the names of an embedding vendor, a look-alike or a sinkhole, the
        // update tree is theirs.
        let owner = beside
            .iter()
            .copied()
            .find(|r| catalogue.get(*r).is_some_and(|i| i.category == Category::OemUpdate || i.category.is_alarm()));
        let host = seen.connect.or(seen.hosts.first());
        let names: Vec<Box<str>> = host.and_then(listable).into_iter().collect();
        let path = path_text(seen.path);
        let of_path = catalogue.match_path(seen.path);
        let is_update = of_path.and_then(|r| catalogue.get(r)).is_some_and(|i| i.category == Category::Update);
        if let Some(indicator) = of_path {
            beside.push(indicator);
            let (indicator, channel) = (owner.unwrap_or(indicator), Channel::HttpPath);
            let (text, names) = (Some(path.as_str()), names.clone());
            matches.add(Match { indicator, channel, text, names, notes, ..Match::bare() });
        }
        // Its text may tell machines apart, so it is not kept.
        if let Some(indicator) = seen.user_agent.and_then(|ua| catalogue.match_user_agent(ua, &beside)) {
            let (indicator, channel) = (owner.unwrap_or(indicator), Channel::HttpUserAgent);
            matches.add(Match { indicator, channel, names, notes, ..Match::bare() });
        }
        let parts = self.observe_all(at, matches, ledger);
        let mut contact = follow.and_then(|t| self.contacts.take(t.0));
        if let Some(c) = contact.as_mut() {
            // A host that is the server's own address names nothing else.
            if host.is_none_or(|h| literal(h) == Some(c.server.0)) {
                self.claim(c, notes, ledger);
            } else if c.pending.take().is_some() && parts.is_empty() {
                ledger.count(Counter::AddressContradicted);
            }
        }
        let mark = host.map(|h| foldhash::quality::FixedState::with_seed(0).hash_one(h.as_bytes()));
        let other = |c: &Contact| c.http_host.is_some() && c.http_host != mark;
        if contact.as_ref().is_some_and(other)
            && let Some(mut c) = contact.take()
        {
            // A number of its own tells the flow layer to judge anew.
            let old = follow.take();
            c.turn_to_next_host();
            self.speak(at, parts, Some(c), follow, ledger);
            if let Some(t) = old {
                self.contacts.release(t.0);
            }
        } else {
            self.speak(at, parts, contact, follow, ledger);
        }
        if let Some(c) = follow.and_then(|t| self.contacts.get_mut(t.0)) {
            c.http_host = mark;
            c.asked_update = is_update && !notes.has(Note::ViaProxy);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lose_their_query_and_their_length() {
        assert_eq!(path_text(b"/a/b?user=x#y"), "/a/b");
        assert_eq!(path_text(b"/\xff\\"), "/\\xff\\x5c");
        let long = path_text(&[b'/'; 5000]);
        assert_eq!(long.len(), MAX_PATH + CUT.len());
        assert!(long.ends_with(CUT));
        assert_eq!(path_text(&[b'/'; MAX_PATH]).len(), MAX_PATH);
    }
}
