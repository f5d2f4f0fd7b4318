//! Contacts under way: what their flows show, and how far they get.

use super::contact::{Contact, Part};
use super::draft::DraftKey;
use super::observer::{ENCRYPTED_DNS_PORT, Match, Observer};
use crate::base::{Addr, Channel, Name, Stage};
use crate::coverage::{Counter, Ledger};
use crate::flow::{At, Note, Notes, Progress, Token};

/// Whether a name is an address: then it names nothing.
pub(super) fn literal(name: &Name) -> Option<Addr> {
    let text = name.as_str();
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok()
}

impl Observer {
    /// A ClientHello, by TCP or QUIC.
    pub(super) fn hello(
        &mut self,
        at: &At<'_>,
        name: Option<&Name>,
        channel: Channel,
        mut notes: Notes,
        follow: &mut Option<Token>,
        ledger: &mut Ledger,
    ) {
        self.note_resolver_port(at, ledger);
        let concealed = name.is_some_and(|n| self.settings.catalogue.is_ech_public_name(n));
        if concealed {
            ledger.count(Counter::EchConcealed);
            notes = notes.with(Note::Ech);
        }
        let mut part = None;
        if let Some(name) = name {
            self.note_resolver(at, name, ledger);
            if let Some(indicator) = self.match_name(name, at, channel, ledger) {
                part = self.observe(at, Match { indicator, channel, notes, ..Match::of(name) }, ledger);
            }
        }
        let mut contact = follow.and_then(|t| self.contacts.take(t.0));
        if let Some(c) = contact.as_mut() {
            if concealed || name.is_none_or(|n| literal(n).is_some()) {
                self.claim(c, notes, ledger);
            } else if c.pending.take().is_some() && part.is_none() {
                ledger.count(Counter::AddressContradicted);
            }
        }
        self.speak(at, part.into_iter().collect(), contact, follow, ledger);
    }

    /// Notes who uses encrypted DNS, and whose.
    fn note_resolver(&self, at: &At<'_>, name: &Name, ledger: &mut Ledger) {
        let Some(resolver) = self.settings.catalogue.encrypted_dns_resolver(name) else { return };
        let e = at.endpoints();
        let on_port = e.sport == ENCRYPTED_DNS_PORT;
        if !on_port {
            ledger.count(Counter::EncryptedDns); // on that port it is counted already
        }
        if self.settings.home.contains(&e.client) {
            ledger.resolver(resolver, self.settings.counted(e.client), on_port);
        }
    }

    /// Notes who said something on the port for encrypted DNS, whatever it was.
    pub(super) fn note_resolver_port(&self, at: &At<'_>, ledger: &mut Ledger) {
        let e = at.endpoints();
        if e.sport == ENCRYPTED_DNS_PORT && self.settings.home.contains(&e.client) {
            ledger.resolver_port(self.settings.counted(e.client));
        }
    }

    /// First payload that is no known protocol.
    pub(super) fn unrecognised(&mut self, at: &At<'_>, notes: Notes, follow: &mut Option<Token>, ledger: &mut Ledger) {
        self.note_resolver_port(at, ledger);
        let e = at.endpoints();
        let found = self.settings.catalogue.match_payload(e.transport as u8, e.sport, at.payload);
        let part = found.and_then(|indicator| {
            let channel = Channel::Payload;
            self.observe(at, Match { indicator, channel, notes, ..Match::bare() }, ledger)
        });
        let mut contact = follow.and_then(|t| self.contacts.take(t.0));
        if let Some(c) = contact.as_mut() {
            self.claim(c, notes, ledger);
        }
        self.speak(at, part.into_iter().collect(), contact, follow, ledger);
    }

    /// The flow showed no name of its own: its address speaks, if the answer
    /// went to the hardware address that the flow comes from, as far as the link
    /// shows them. Else a third host that asks in this one's name would say what
    /// its connections are. Behind a router both are the router's.
    pub(super) fn claim(&mut self, c: &mut Contact, notes: Notes, ledger: &mut Ledger) {
        let Some(p) = c.pending.take().map(|p| *p) else { return };
        if p.told.zip(c.host.mac).is_some_and(|(told, uses)| told != uses) {
            ledger.count(Counter::AddressContradicted);
            return;
        }
        ledger.count(Counter::Observations);
        let day = p.frame.ts.day();
        let key = DraftKey { source: p.frame.source, host: c.host, indicator: p.indicator, day };
        let channel = Channel::Address;
        let names = vec![p.name];
        let notes = notes.union(p.notes).union(c.before.notes);
        let draft = self.fold(key, channel, &p.frame, &names, notes);
        let known = c.parts.iter().any(|p| p.key == key);
        let mut rose = false;
        if let Some(d) = self.drafts.get_mut(draft) {
            d.add_server(c.server, c.transport);
            d.add_flow(&c.community_id);
            if !known {
                d.add_bytes(c.before.to_server, c.before.from_server);
            }
            if let Some(raised) = p.raised {
                let (stage, ts, name) = (raised.stage, raised.ts, raised.name.clone());
                rose = d.advance(channel, stage, raised.place(), name.as_deref(), || raised);
                if ts.day() == day {
                    d.touch(ts, stage);
                }
            }
            if let Some(last) = c.before.last.filter(|t| t.day() == day) {
                d.touch(last, c.stage);
            }
        }
        if rose {
            self.drafts.rose(draft);
        }
        c.parts.push(Part { channel, key, draft, text: p.frame.name, names });
    }

    /// A message was read: [`Observer::join`], and what the flow did before
    /// belongs to what the message showed.
    pub(super) fn speak(
        &mut self,
        at: &At<'_>,
        parts: Vec<Part>,
        contact: Option<Contact>,
        follow: &mut Option<Token>,
        ledger: &mut Ledger,
    ) {
        self.join(at, parts, contact, follow, ledger);
        if let Some(c) = follow.and_then(|t| self.contacts.get_mut(t.0)) {
            c.spoke = true;
            c.before = super::contact::Before::default();
        }
    }

    /// Adds the parts to the flow's contact, or begins one.
    pub(super) fn join(
        &mut self,
        at: &At<'_>,
        parts: Vec<Part>,
        contact: Option<Contact>,
        follow: &mut Option<Token>,
        ledger: &mut Ledger,
    ) {
        if follow.is_some_and(|t| !self.contacts.knows(t.0)) {
            *follow = None; // it had to make room for another
        }
        let mut c = match contact {
            Some(c) => c,
            None if parts.is_empty() => return,
            None => Contact::new(Self::host(at), &at.endpoints()),
        };
        for part in parts {
            let known = c.parts.iter().any(|p| p.key == part.key);
            let mut rose = false;
            if let Some(d) = self.drafts.get_mut(part.draft) {
                d.add_server(c.server, c.transport);
                d.add_flow(&c.community_id);
                if !known {
                    d.add_bytes(c.before.to_server, c.before.from_server);
                    d.add_notes(c.before.notes);
                }
                if c.stage > Stage::Attempted {
                    d.add_notes(c.proof());
                    let place = place(at);
                    let text = part.text.as_deref();
                    rose =
                        d.advance(part.channel, c.stage, place, text, || Self::frame(&self.digest, at, text, c.stage));
                    d.touch(at.packet.ts, c.stage);
                }
            }
            if rose {
                self.drafts.rose(part.draft);
            }
            if !c.parts.iter().any(|p| p.key == part.key && p.channel == part.channel) {
                if c.parts.is_empty() {
                    // Nearly always it is the only one.
                    c.parts.reserve_exact(1);
                }
                c.parts.push(part);
            }
        }
        match *follow {
            Some(t) if c.is_idle() => {
                self.contacts.release(t.0);
                *follow = None;
            }
            Some(t) => self.contacts.put(t.0, c),
            None if c.is_idle() => {}
            None => {
                let filed = self.contacts.insert(c);
                *follow = filed.map(|(token, _)| Token(token));
                if filed.is_none_or(|(_, dropped)| dropped) {
                    ledger.count(Counter::ContactsUnfollowed);
                }
            }
        }
    }

    /// A followed contact moved on.
    pub(super) fn move_on(&mut self, at: &At<'_>, token: u32, progress: &Progress, ledger: &mut Ledger) {
        let Observer { contacts, drafts, digest, .. } = self;
        if progress.stage == Some(Stage::Transferred) {
            contacts.arrived(token);
        }
        let Some(c) = contacts.get_mut(token) else { return };
        let (ts, day) = (at.packet.ts, at.packet.ts.day());
        let payload = progress.to_server > 0 || progress.from_server > 0;
        if let Some(stage) = progress.stage {
            c.stage = c.stage.max(stage);
            c.answered |= stage > Stage::Attempted;
            c.one_sided |= progress.notes.has(Note::OneSided);
            if let Some(p) = c.pending.as_mut() {
                p.raised = Some(Self::frame(digest, at, Some(&p.name), c.stage));
            }
        }
        let proof = c.proof();
        if !c.spoke {
            c.before.to_server = c.before.to_server.saturating_add(progress.to_server);
            c.before.from_server = c.before.from_server.saturating_add(progress.from_server);
            c.before.notes = c.before.notes.union(progress.notes);
            if payload {
                c.before.last = c.before.last.max(Some(ts));
            }
        }
        for n in 0..c.parts.len() {
            let Some((part, before)) = c.parts.get_mut(..=n).and_then(<[Part]>::split_last_mut) else { break };
            let text = part.text.as_deref();
            if payload && day > part.key.day {
                // The contact goes on after midnight: a record of the new day,
                // of the source that this frame lies in.
                ledger.count(Counter::Observations);
                part.key = DraftKey { source: at.frame.source, day, ..part.key };
                part.draft = drafts.open(part.key, ts);
                let frame = Self::frame(digest, at, text, c.stage);
                if let Some(d) = drafts.get_mut(part.draft) {
                    d.observe(part.channel, &frame, &part.names, proof.with(Note::Continued));
                    d.add_server(c.server, c.transport);
                    d.add_flow(&c.community_id);
                }
                drafts.rose(part.draft);
                drafts.weigh(part.draft);
            }
            part.draft = drafts.resume(part.draft, part.key);
            let again = before.iter().any(|p| p.key == part.key);
            let Some(d) = drafts.get_mut(part.draft) else { continue };
            d.add_notes(progress.notes);
            if payload && !again {
                d.add_bytes(progress.to_server, progress.from_server);
            }
            if part.key.day == day && (payload || progress.stage.is_some()) {
                d.touch(ts, c.stage);
            }
            if let Some(stage) = progress.stage {
                let rose = d.advance(part.channel, stage, place(at), text, || Self::frame(digest, at, text, stage));
                if rose {
                    drafts.rose(part.draft);
                }
                drafts.weigh(part.draft);
            }
        }
    }
}

/// Where the frame of a segment lies in time.
fn place(at: &At<'_>) -> super::shown::Place {
    (at.packet.ts, at.frame.source, at.frame.number)
}
