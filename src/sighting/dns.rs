//! What DNS messages show: who asked for which name, and which addresses the
//! answers tie to it.

use super::observer::{Match, Matches, Observer};
use crate::base::{Channel, Stage};
use crate::catalogue::IndicatorRef;
use crate::coverage::{Counter, Ledger};
use crate::flow::{At, DnsKind, Note, Notes};
use crate::protocol::dns::Message;

/// A standard query (RFC 1035 section 4.1.1). Zone transfers' notifications
/// and dynamic updates name zones, which nobody looks up by that.
const QUERY: u8 = 0;

impl Observer {
    pub(super) fn dns(&mut self, at: &At<'_>, message: &Message, kind: DnsKind, notes: Notes, ledger: &mut Ledger) {
        if message.opcode != QUERY {
            return;
        }
        match kind {
            DnsKind::Query => self.dns_query(at, message, notes, ledger),
            DnsKind::Answer => self.dns_answer(at, message, notes, ledger),
            // Nobody asked: it says nothing of its receiver.
            DnsKind::Unsolicited => {}
        }
    }

    fn dns_query(&mut self, at: &At<'_>, message: &Message, notes: Notes, ledger: &mut Ledger) {
        let e = at.endpoints();
        let fallback = self.settings.catalogue.is_fallback_resolver(&e.server);
        if !fallback && self.settings.home.contains(&e.server) && self.settings.home.contains(&e.client) {
            self.asks_local(at.segment, e.client, ledger);
        }
        let notes = notes.with_if(fallback, Note::PublicDns);
        let mut matches = Matches::default();
        for q in &message.questions {
            let name = message.name(q.name);
            if let Some(indicator) = self.match_name(name, at, Channel::DnsQuery, ledger) {
                let (channel, stage) = (Channel::DnsQuery, Stage::Queried);
                matches.add(Match { indicator, channel, stage, notes, ..Match::of(name) });
            }
        }
        self.observe_all(at, matches, ledger);
    }

    /// An answer to a question that was seen. Of several questions each has
    /// its own outcome.
    fn dns_answer(&mut self, at: &At<'_>, message: &Message, notes: Notes, ledger: &mut Ledger) {
        let failure = match message.rcode {
            0 => Notes::NONE,
            3 => Notes::NONE.with(Note::NxDomain),
            _ => Notes::NONE.with(Note::ServFail),
        };
        let mut matches = Matches::default();
        for (at_question, q) in message.questions.iter().enumerate() {
            let resolution = message.resolve(at_question);
            // Nobody uses the addresses of an answer that says it failed.
            let gave = message.rcode == 0 && resolution.addresses().next().is_some();
            let none = message.rcode == 0 && !gave && !message.truncated;
            let notes = notes.union(failure).with_if(none, Note::NoAddress);
            let stage = if gave { Stage::Answered } else { Stage::Queried };
            let mut tied: Option<(IndicatorRef, &str)> = None;
            let aliases = resolution.aliases().iter().map(|n| (*n, Channel::DnsCname));
            for (name, channel) in std::iter::once((q.name, Channel::DnsAnswer)).chain(aliases) {
                let name = message.name(name);
                if let Some(indicator) = self.match_name(name, at, channel, ledger) {
                    matches.add(Match { indicator, channel, stage, notes, ..Match::of(name) });
                    tied = tied.or(Some((indicator, name.as_str())));
                }
            }
            if !gave {
                continue;
            }
            let client = at.endpoints().client;
            for address in resolution.addresses() {
                let key = (at.segment, client, address);
                match tied {
                    Some((indicator, name)) if self.settings.home.contains(&client) => {
                        let ttl = resolution.ttl().unwrap_or(0);
                        if self.answers.insert(key, indicator, name, at.packet.ts, ttl) {
                            ledger.count(Counter::TableEvicted);
                        }
                    }
                    // The address now stands for another name too.
                    _ => self.answers.forget(&key),
                }
            }
        }
        self.observe_all(at, matches, ledger);
    }
}
