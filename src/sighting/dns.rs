//! What DNS messages show: who asked for which name, and which addresses the
//! answers tie to it.

use super::observer::{Match, Matches, Observer};
use crate::base::{Channel, Name, Stage};
use crate::catalogue::IndicatorRef;
use crate::coverage::{Counter, Ledger};
use crate::flow::{At, DnsKind, Note, Notes};
use crate::protocol::dns::{Message, NameRef};

/// A standard query (RFC 1035 section 4.1.1). Zone transfers' notifications
/// and dynamic updates name zones, which nobody looks up by that.
const QUERY: u8 = 0;

/// Whether a client asks for addresses of a name when it asks for this type:
/// A, AAAA, SVCB, HTTPS or ANY. Other types, zone transfers among them, are
/// lookups only: what addresses their answers hold, nobody is about to use.
fn wants_addresses(qtype: u16) -> bool {
    matches!(qtype, 1 | 28 | 64 | 65 | 255)
}

/// An indicator, and the name that an answer showed it by.
type Tie<'m> = Option<(IndicatorRef, &'m str)>;

impl Observer {
    pub(super) fn dns(&mut self, at: &At<'_>, message: &Message, kind: DnsKind, notes: Notes, ledger: &mut Ledger) {
        if message.opcode != QUERY {
            return;
        }
        match kind {
            DnsKind::Query => self.dns_query(at, message, notes, ledger),
            DnsKind::Answer | DnsKind::Early => {
                if let Some((ip, name)) = message.reverse_name() {
                    self.named_by_lookup(at, ip, name, ledger);
                }
                self.dns_roles(at, message, ledger);
                self.dns_answer(at, message, notes, ledger);
            }
            DnsKind::Unsolicited => self.dns_unsolicited(message, ledger),
        }
    }

    /// Nobody asked: it says nothing of its receiver, and is only counted.
    fn dns_unsolicited(&self, message: &Message, ledger: &mut Ledger) {
        let listed = |name: &Name| self.settings.catalogue.match_name(name).is_some();
        if message.questions.iter().any(|q| listed(message.name(q.name))) {
            ledger.count(Counter::DnsUnsolicitedListed);
        }
    }

    fn dns_query(&mut self, at: &At<'_>, message: &Message, notes: Notes, ledger: &mut Ledger) {
        let e = at.endpoints();
        if !message.recursion_desired && self.settings.home.contains(&e.client) {
            let forgotten = self.iterating.asks(at.segment, e.client, Self::host(at).mac);
            ledger.add(Counter::TableEvicted, forgotten);
        }
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
                let subnet = message.client_subnet;
                matches.add(Match { indicator, channel, stage, notes, subnet, ..Match::of(name) });
            }
        }
        if !self.observe_all(at, matches, ledger).is_empty() && message.recursion_desired {
            self.recurses(at, ledger);
        }
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
            let useful = message.rcode == 0 && wants_addresses(q.qtype);
            let gave = useful && resolution.addresses().next().is_some();
            let none = message.rcode == 0 && !gave && !message.truncated;
            let outcome = notes.union(failure).with_if(none, Note::NoAddress);
            let stage = if gave { Stage::Answered } else { Stage::Queried };
            let mut show = |name: NameRef, channel: Channel, ledger: &mut Ledger| -> Tie<'_> {
                // Whoever runs a site can make its name an alias of any other: that
                // there is no address is told of what the client itself asked for.
                let notes = if channel == Channel::DnsAnswer { outcome } else { notes };
                let name = message.name(name);
                let indicator = self.match_name(name, at, channel, ledger)?;
                let subnet = message.client_subnet;
                matches.add(Match { indicator, channel, stage, notes, subnet, ..Match::of(name) });
                Some((indicator, name.as_str()))
            };
            let mut tied = show(q.name, Channel::DnsAnswer, ledger);
            for alias in resolution.aliases() {
                tied = tied.or(show(*alias, Channel::DnsCname, ledger));
            }
            let mut services: Vec<(NameRef, Tie<'_>)> = Vec::new();
            for target in resolution.service_targets() {
                services.push((target, show(target, Channel::DnsCname, ledger)));
            }
            if !gave {
                continue;
            }
            let client = at.endpoints().client;
            let mac = Self::host(at).mac;
            let ttl = resolution.ttl().unwrap_or(0);
            for (target, address) in resolution.endpoints() {
                let key = (at.segment, client, address);
                let of_target = || services.iter().find(|(t, _)| Some(*t) == target).and_then(|(_, tie)| *tie);
                match tied.or_else(of_target) {
                    Some((indicator, name)) if self.settings.home.contains(&client) => {
                        if self.answers.insert(key, (indicator, name, mac), at.packet.ts, ttl) {
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
