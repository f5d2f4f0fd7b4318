//! The sink of one shard: matches what was seen, folds it into drafts.

use super::answers::Answers;
use super::contact::{Contact, Contacts, Part, Pending};
use super::draft::{Draft, DraftKey, Frame, HostKey};
use super::drafts::{DraftAt, Drafts};
use super::home::HomeNets;
use super::presence::{Presence, Presences};
use super::unlisted::Unlisted;
use crate::base::{Addr, Channel, Mac, Name, Stage, Timestamp};
use crate::catalogue::{Catalogue, Category, IndicatorRef};
use crate::coverage::{Counter, Ledger};
use crate::flow::{At, DnsKind, HttpSeen, Note, Notes, Progress, Seen, Sink, Token};

use crate::protocol::dns::Message;
use foldhash::fast::RandomState;
use std::collections::HashSet;
use std::sync::Arc;

/// Clients of one shard that are remembered for having asked a local resolver,
/// and those outside that are counted.
const MAX_CLIENTS: usize = 16_384;

/// What every observer of a run shares.
#[derive(Debug)]
pub struct Settings {
    /// What is looked for.
    pub catalogue: Arc<Catalogue>,
    /// Whose contacts count.
    pub home: HomeNets,
    /// Harmless names whose lookups prove that the sensor sees, canonical.
    pub canaries: Vec<String>,
    /// Whether changes are to be handed on as they happen.
    pub live: bool,
}

/// A canary name was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canary {
    /// The name.
    pub name: String,
    /// Who showed it.
    pub host: HostKey,
    /// Where.
    pub channel: Channel,
    /// When.
    pub ts: Timestamp,
    /// In which source.
    pub source: u32,
}

/// What one shard observed.
pub struct Observer {
    settings: Arc<Settings>,
    drafts: Drafts,
    contacts: Contacts,
    answers: Answers,
    unlisted: Unlisted,
    local_askers: HashSet<(u32, Addr), RandomState>,
    outside: HashSet<Addr, RandomState>,
    canaries: Vec<Canary>,
    presences: Presences,
}

/// What an observer knows at the end.
#[derive(Debug, Default)]
pub struct Observed {
    /// The drafts, in the order they began.
    pub drafts: Vec<Draft>,
    /// Names like the vendor's that no list has.
    pub unlisted: Unlisted,
    /// Clients outside the home networks with matching contacts.
    pub outside: HashSet<Addr, RandomState>,
    /// Who had which address.
    pub presences: Vec<Presence>,
}

/// One match, about to be folded in.
struct Match<'a> {
    indicator: IndicatorRef,
    channel: Channel,
    /// What was seen in its field.
    text: Option<&'a str>,
    /// Host name that the record lists for it.
    name: Option<&'a str>,
    stage: Stage,
    notes: Notes,
}

impl Observer {
    /// An observer without observations.
    pub fn new(settings: Arc<Settings>) -> Self {
        Observer {
            drafts: Drafts::new(settings.live),
            settings,
            contacts: Contacts::default(),
            answers: Answers::default(),
            unlisted: Unlisted::default(),
            local_askers: HashSet::default(),
            outside: HashSet::default(),
            canaries: Vec::new(),
            presences: Presences::default(),
        }
    }

    /// Drafts that are new or rose since the last call, as they stand.
    pub fn take_risen(&mut self) -> Vec<Draft> {
        let mut drafts = self.drafts.take_risen();
        self.settle(&mut drafts);
        drafts
    }

    /// Drafts that changed since they were last handed on, as they stand.
    pub fn take_changed(&mut self) -> Vec<Draft> {
        let mut drafts = self.drafts.take_changed();
        self.settle(&mut drafts);
        drafts
    }

    /// Hands out and forgets the drafts of days before `day`, and who had
    /// which address then.
    pub fn close(&mut self, day: i64) -> Vec<Draft> {
        let mut drafts = self.drafts.close(day);
        self.settle(&mut drafts);
        self.presences.forget(day);
        drafts
    }

    /// Pairs of addresses that are new or were seen again since the last call.
    pub fn take_presences(&mut self) -> Vec<Presence> {
        self.presences.take_changed()
    }

    /// Canary names seen since the last call.
    pub fn take_canaries(&mut self) -> Vec<Canary> {
        std::mem::take(&mut self.canaries)
    }

    /// Ends observation.
    pub fn finish(mut self) -> Observed {
        let mut drafts = std::mem::replace(&mut self.drafts, Drafts::new(false)).into_list();
        self.settle(&mut drafts);
        Observed { drafts, unlisted: self.unlisted, outside: self.outside, presences: self.presences.into_list() }
    }

    fn settle(&self, drafts: &mut [Draft]) {
        for d in drafts {
            let local = self.local_askers.contains(&(d.key.host.segment, d.key.host.ip));
            d.settle(local);
        }
    }

    fn host(at: &At<'_>) -> HostKey {
        let e = at.endpoints();
        let mac = if at.from_client { at.packet.src_mac } else { at.packet.dst_mac };
        let mac = mac.filter(|m| is_station(*m));
        HostKey { segment: at.segment, ip: e.client, mac }
    }

    fn frame(at: &At<'_>, text: Option<&str>, stage: Stage) -> Frame {
        let p = at.packet;
        let digest = ring::digest::digest(&ring::digest::SHA256, at.frame.bytes);
        Frame {
            number: at.frame.number,
            offset: at.frame.offset,
            ts: p.ts,
            interface: at.frame.interface,
            encap: p.encap,
            src: (p.src, p.sport),
            dst: (p.dst, p.dport),
            sha256: digest.as_ref().try_into().unwrap_or([0; 32]),
            name: text.map(Into::into),
            stage,
        }
    }

    /// The draft of a host and indicator on the day of `ts`.
    fn draft(&mut self, source: u32, host: HostKey, indicator: IndicatorRef, ts: Timestamp) -> DraftAt {
        self.drafts.open(DraftKey { source, host, indicator, day: ts.day() }, ts)
    }

    /// Folds a frame in; returns its draft.
    fn fold(
        &mut self,
        source: u32,
        host: HostKey,
        indicator: IndicatorRef,
        channel: Channel,
        frame: &Frame,
        names: &[Box<str>],
        notes: Notes,
    ) -> DraftAt {
        let at = self.draft(source, host, indicator, frame.ts);
        if self.drafts.get_mut(at).is_some_and(|d| d.observe(channel, frame, names, notes)) {
            self.drafts.rose(at);
        }
        at
    }

    /// Folds a match of this segment in, if its client is at home.
    fn observe(&mut self, at: &At<'_>, m: &Match<'_>, ledger: &mut Ledger) -> Option<Part> {
        let host = Self::host(at);
        if !self.settings.home.contains(&host.ip) {
            ledger.count(Counter::ObservationsOutside);
            if self.outside.len() < MAX_CLIENTS {
                self.outside.insert(host.ip);
            }
            return None;
        }
        ledger.count(Counter::Observations);
        let frame = Self::frame(at, m.text, m.stage);
        let names: Vec<Box<str>> = m.name.map(Into::into).into_iter().collect();
        let draft = self.fold(at.frame.source, host, m.indicator, m.channel, &frame, &names, m.notes);
        Some(Part { indicator: m.indicator, channel: m.channel, draft, day: frame.ts.day(), text: frame.name, names })
    }

    /// Looks a name up, and notes it if it looks like the vendor's.
    fn match_name(&mut self, name: &Name, at: &At<'_>, channel: Channel, ledger: &mut Ledger) -> Option<IndicatorRef> {
        ledger.count(Counter::Names);
        if name.is_odd() {
            ledger.count(Counter::NamesOdd);
        }
        let catalogue = Arc::clone(&self.settings.catalogue);
        let found = catalogue.match_name(name);
        let residual = found.and_then(|r| catalogue.get(r)).is_some_and(|i| i.residual);
        if found.is_none() || residual {
            self.unlisted.note(name.as_str(), residual);
        }
        if self.settings.canaries.iter().any(|c| c == name.as_str()) {
            let host = Self::host(at);
            if self.settings.home.contains(&host.ip) {
                let (name, ts, source) = (name.as_str().into(), at.packet.ts, at.frame.source);
                self.canaries.push(Canary { name, host, channel, ts, source });
            }
        }
        found
    }

    fn dns(&mut self, at: &At<'_>, message: &Message, kind: DnsKind, notes: Notes, ledger: &mut Ledger) {
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
        if !fallback
            && self.settings.home.contains(&e.server)
            && self.settings.home.contains(&e.client)
            && self.local_askers.len() < MAX_CLIENTS
        {
            self.local_askers.insert((at.segment, e.client));
        }
        for q in &message.questions {
            let name = message.name(q.name);
            if let Some(indicator) = self.match_name(name, at, Channel::DnsQuery, ledger) {
                let (channel, stage) = (Channel::DnsQuery, Stage::Queried);
                let text = Some(name.as_str());
                let notes = notes.with_if(fallback, Note::PublicDns);
                self.observe(at, &Match { indicator, channel, text, name: text, stage, notes }, ledger);
            }
        }
    }

    fn dns_answer(&mut self, at: &At<'_>, message: &Message, mut notes: Notes, ledger: &mut Ledger) {
        let resolution = message.resolve(0);
        let mut addresses = resolution.addresses().peekable();
        let gave = addresses.peek().is_some();
        let stage = if gave { Stage::Answered } else { Stage::Queried };
        notes = match message.rcode {
            0 => notes.with_if(!gave, Note::NoAddress),
            3 => notes.with(Note::NxDomain),
            _ => notes.with(Note::ServFail),
        };
        let mut tied: Option<(IndicatorRef, &str)> = None;
        for q in &message.questions {
            let name = message.name(q.name);
            if let Some(indicator) = self.match_name(name, at, Channel::DnsAnswer, ledger) {
                let text = Some(name.as_str());
                let m = Match { indicator, channel: Channel::DnsAnswer, text, name: text, stage, notes };
                self.observe(at, &m, ledger);
                tied = tied.or(Some((indicator, name.as_str())));
            }
        }
        for alias in resolution.aliases() {
            let name = message.name(*alias);
            if let Some(indicator) = self.match_name(name, at, Channel::DnsCname, ledger) {
                let text = Some(name.as_str());
                let m = Match { indicator, channel: Channel::DnsCname, text, name: text, stage, notes };
                self.observe(at, &m, ledger);
                tied = tied.or(Some((indicator, name.as_str())));
            }
        }
        let Some((indicator, name)) = tied else { return };
        let client = at.endpoints().client;
        if !self.settings.home.contains(&client) {
            return;
        }
        let ttl = resolution.ttl().unwrap_or(0);
        for address in addresses {
            let key = (at.segment, client, address);
            if self.answers.insert(key, indicator, name, at.packet.ts, ttl) {
                ledger.count(Counter::TableEvicted);
            }
        }
    }

    /// A ClientHello, by TCP or QUIC.
    fn hello(
        &mut self,
        at: &At<'_>,
        name: Option<&Name>,
        channel: Channel,
        mut notes: Notes,
        follow: &mut Option<Token>,
        ledger: &mut Ledger,
    ) {
        let concealed = name.is_some_and(|n| self.settings.catalogue.is_ech_public_name(n));
        if concealed {
            ledger.count(Counter::EchConcealed);
            notes = notes.with(Note::Ech);
        }
        let mut part = None;
        if let Some(name) = name {
            if self.settings.catalogue.is_encrypted_dns_name(name) {
                ledger.count(Counter::EncryptedDns);
            }
            if let Some(indicator) = self.match_name(name, at, channel, ledger) {
                let text = Some(name.as_str());
                let m = Match { indicator, channel, text, name: text, stage: Stage::Attempted, notes };
                part = self.observe(at, &m, ledger);
            }
        }
        let mut contact = follow.and_then(|t| self.contacts.take(t.0));
        if let Some(c) = contact.as_mut() {
            if name.is_none() || concealed {
                self.claim(c, notes, ledger);
            } else {
                settle_pending(c, part.is_some(), ledger);
            }
        }
        self.join(at, part.into_iter().collect(), contact, follow);
    }

    /// The flow showed no name of its own: its address speaks.
    fn claim(&mut self, c: &mut Contact, notes: Notes, ledger: &mut Ledger) {
        let Some(p) = c.pending.take() else { return };
        ledger.count(Counter::Observations);
        let names = vec![p.name];
        let (to_server, from_server, waiting) = std::mem::take(&mut c.unclaimed);
        let notes = notes.union(waiting);
        let draft = self.fold(c.source, c.host, p.indicator, Channel::Address, &p.frame, &names, notes);
        if let Some(d) = self.drafts.get_mut(draft) {
            d.add_server(c.server, c.transport);
            d.add_flow(&c.community_id);
            d.add_bytes(to_server, from_server);
            if c.stage > p.frame.stage
                && d.advance(Channel::Address, || Frame { stage: c.stage, ..p.frame.clone() }, c.stage)
            {
                d.touch(p.frame.ts, c.stage);
                self.drafts.rose(draft);
            }
        }
        let day = p.frame.ts.day();
        let text = p.frame.name;
        c.parts.push(Part { indicator: p.indicator, channel: Channel::Address, draft, day, text, names });
    }

    /// Adds the parts to the flow's contact, or begins one.
    fn join(&mut self, at: &At<'_>, parts: Vec<Part>, contact: Option<Contact>, follow: &mut Option<Token>) {
        let mut c = match contact {
            Some(c) => c,
            None if parts.is_empty() => return,
            None => Contact::new(Self::host(at), &at.endpoints(), at.frame.source),
        };
        let (to_server, from_server, waiting) = match c.pending {
            None if !parts.is_empty() => std::mem::take(&mut c.unclaimed),
            _ => (0, 0, Notes::NONE),
        };
        let mut credited = Vec::with_capacity(parts.len());
        for part in parts {
            if let Some(d) = self.drafts.get_mut(part.draft) {
                d.add_server(c.server, c.transport);
                d.add_flow(&c.community_id);
                if !credited.contains(&part.draft) {
                    credited.push(part.draft);
                    d.add_bytes(to_server, from_server);
                    d.add_notes(waiting);
                }
                if c.stage > Stage::Attempted {
                    let frame = || Self::frame(at, part.text.as_deref(), c.stage);
                    let rose = d.advance(part.channel, frame, c.stage);
                    d.touch(at.packet.ts, c.stage);
                    if rose {
                        self.drafts.rose(part.draft);
                    }
                }
            }
            if !c.parts.iter().any(|p| p.draft == part.draft && p.channel == part.channel) {
                c.parts.push(part);
            }
        }
        match *follow {
            Some(t) if c.is_idle() => {
                self.contacts.release(t.0);
                *follow = None;
            }
            Some(t) => self.contacts.put(t.0, c),
            None => *follow = Some(Token(self.contacts.insert(c))),
        }
    }

    fn http(
        &mut self,
        at: &At<'_>,
        seen: &HttpSeen<'_>,
        notes: Notes,
        follow: &mut Option<Token>,
        ledger: &mut Ledger,
    ) {
        let catalogue = Arc::clone(&self.settings.catalogue);
        let mut parts: Vec<Part> = Vec::new();
        let mut beside: Vec<IndicatorRef> = Vec::new();
        let stage = Stage::Attempted;
        let target = seen.connect.map(|n| (n, Channel::HttpConnect));
        let hosts = seen.hosts.iter().map(|n| (n, Channel::HttpHost));
        for (name, channel) in target.into_iter().chain(hosts) {
            if let Some(indicator) = self.match_name(name, at, channel, ledger) {
                let text = Some(name.as_str());
                beside.push(indicator);
                parts.extend(self.observe(at, &Match { indicator, channel, text, name: text, stage, notes }, ledger));
            }
        }
        // On the names of an embedding vendor, a look-alike or a sinkhole, the
        // update tree is theirs.
        let owner = beside.iter().copied().find(|r| {
            catalogue.get(*r).is_some_and(|i| matches!(i.category, Category::OemUpdate) || i.category.is_alarm())
        });
        let host = seen.connect.or(seen.hosts.first()).map(Name::as_str);
        if let Some(indicator) = catalogue.match_path(seen.path) {
            beside.push(indicator);
            let end = memchr::memchr2(b'?', b'#', seen.path).unwrap_or(seen.path.len());
            let path = Name::escape(seen.path.get(..end).unwrap_or(&[]));
            let m = Match {
                indicator: owner.unwrap_or(indicator),
                channel: Channel::HttpPath,
                text: Some(&path),
                name: host,
                stage,
                notes,
            };
            parts.extend(self.observe(at, &m, ledger));
        }
        if let Some(indicator) = seen.user_agent.and_then(|ua| catalogue.match_user_agent(ua, &beside)) {
            let m = Match {
                indicator: owner.unwrap_or(indicator),
                channel: Channel::HttpUserAgent,
                text: None,
                name: host,
                stage,
                notes,
            };
            parts.extend(self.observe(at, &m, ledger));
        }
        let mut before = None;
        let mut contact = follow.and_then(|t| self.contacts.take(t.0));
        if let Some(mut c) = contact.take() {
            if host.is_none() {
                self.claim(&mut c, notes, ledger);
            } else {
                settle_pending(&mut c, !parts.is_empty(), ledger);
            }
            if c.http_host.as_deref().is_some_and(|h| Some(h) != host) {
                // A proxy connection that goes on with another host: what was
                // proved of the one before proves nothing of it.
                before = follow.take();
                c.parts.retain(|p| matches!(p.channel, Channel::Address | Channel::Netblock | Channel::LanPort));
                c.stage = Stage::Attempted;
            }
            contact = Some(c);
        }
        if let Some(c) = contact.as_mut() {
            c.http_host = host.map(Into::into);
        }
        let fresh = contact.is_none() || follow.is_none();
        if contact.as_ref().is_some_and(Contact::is_idle) && parts.is_empty() {
            if let Some(t) = follow.take().or(before) {
                self.contacts.release(t.0);
            }
            return;
        }
        self.join(at, parts, contact, follow);
        // Only now, so that the flow sees another number than before.
        if let Some(t) = before {
            self.contacts.release(t.0);
        }
        if fresh && let Some(c) = follow.and_then(|t| self.contacts.get_mut(t.0)) {
            c.http_host = host.map(Into::into);
        }
    }

    /// First payload that is no known protocol.
    fn unrecognised(&mut self, at: &At<'_>, follow: &mut Option<Token>, ledger: &mut Ledger) {
        let e = at.endpoints();
        let found = self.settings.catalogue.match_payload(e.transport as u8, e.sport, at.payload);
        let part = found.and_then(|indicator| {
            let (channel, stage, notes) = (Channel::Payload, Stage::Attempted, Notes::NONE);
            self.observe(at, &Match { indicator, channel, text: None, name: None, stage, notes }, ledger)
        });
        let mut contact = follow.and_then(|t| self.contacts.take(t.0));
        if let Some(c) = contact.as_mut() {
            self.claim(c, Notes::NONE, ledger);
        }
        self.join(at, part.into_iter().collect(), contact, follow);
    }
}

impl Sink for Observer {
    fn opened(&mut self, at: &At<'_>, ledger: &mut Ledger) -> Option<Token> {
        let e = at.endpoints();
        if !self.settings.home.contains(&e.client) {
            return None;
        }
        let pending = self.answers.get(&(at.segment, e.client, e.server), at.packet.ts).map(|a| Pending {
            indicator: a.indicator,
            name: a.name.clone(),
            frame: Self::frame(at, Some(&a.name), Stage::Attempted),
        });
        let catalogue = Arc::clone(&self.settings.catalogue);
        let block = catalogue.match_addr(&e.server).map(|r| (r, Channel::Netblock));
        let lan = self.settings.home.contains(&e.server) || is_group(&e.server);
        let port = (lan && !self.settings.home.is_any())
            .then(|| catalogue.match_port(e.transport as u8, e.sport))
            .flatten()
            .map(|r| (r, Channel::LanPort));
        if pending.is_none() && block.is_none() && port.is_none() {
            return None;
        }
        let mut parts = Vec::new();
        for (indicator, channel) in [block, port].into_iter().flatten() {
            let (stage, notes) = (Stage::Attempted, Notes::NONE);
            parts.extend(self.observe(at, &Match { indicator, channel, text: None, name: None, stage, notes }, ledger));
        }
        let mut contact = Contact::new(Self::host(at), &e, at.frame.source);
        contact.pending = pending;
        let mut follow = None;
        self.join(at, parts, Some(contact), &mut follow);
        follow
    }

    fn present(&mut self, at: &At<'_>, ledger: &mut Ledger) {
        let p = at.packet;
        for (addr, mac) in [(p.src, p.src_mac), (p.dst, p.dst_mac)] {
            if self.settings.home.contains(&addr) && !is_group(&addr) {
                ledger.address(addr);
                if let Some(mac) = mac.filter(|m| is_station(*m))
                    && self.presences.note((at.frame.source, at.segment, addr, mac), p.ts)
                {
                    ledger.count(Counter::TableEvicted);
                }
            }
        }
        let e = at.endpoints();
        if e.sport == 853 {
            // DNS over TLS or QUIC (RFC 7858, RFC 9250).
            ledger.count(Counter::EncryptedDns);
        }
    }

    fn seen(&mut self, at: &At<'_>, seen: &Seen<'_>, notes: Notes, follow: &mut Option<Token>, ledger: &mut Ledger) {
        match seen {
            Seen::Dns(message, kind) => self.dns(at, message, *kind, notes, ledger),
            Seen::Tls { name, .. } => self.hello(at, *name, Channel::TlsSni, notes, follow, ledger),
            Seen::Quic { name, .. } => self.hello(at, *name, Channel::QuicSni, notes, follow, ledger),
            Seen::Http(http) => self.http(at, http, notes, follow, ledger),
            Seen::Unrecognised => self.unrecognised(at, follow, ledger),
        }
    }

    fn progress(&mut self, at: &At<'_>, token: Token, progress: &Progress, ledger: &mut Ledger) {
        let Some(mut c) = self.contacts.take(token.0) else { return };
        let ts = at.packet.ts;
        if let Some(stage) = progress.stage {
            c.stage = c.stage.max(stage);
        }
        let payload = progress.to_server > 0 || progress.from_server > 0;
        if let Some(p) = c.pending.as_mut() {
            p.frame.stage = p.frame.stage.max(Stage::Attempted);
            c.unclaimed.0 = c.unclaimed.0.saturating_add(progress.to_server);
            c.unclaimed.1 = c.unclaimed.1.saturating_add(progress.from_server);
            c.unclaimed.2 = c.unclaimed.2.union(progress.notes);
        }
        let mut done: Vec<DraftAt> = Vec::with_capacity(c.parts.len());
        for part in &mut c.parts {
            if payload && part.day != ts.day() {
                // The contact goes on after midnight: a record of the new day.
                ledger.count(Counter::Observations);
                let frame = Self::frame(at, part.text.as_deref(), c.stage);
                let notes = Notes::NONE.with(Note::Continued);
                part.draft = self.fold(c.source, c.host, part.indicator, part.channel, &frame, &part.names, notes);
                part.day = ts.day();
                if let Some(d) = self.drafts.get_mut(part.draft) {
                    d.add_server(c.server, c.transport);
                    d.add_flow(&c.community_id);
                }
            }
            let Some(d) = self.drafts.get_mut(part.draft) else { continue };
            d.add_notes(progress.notes);
            let rose = progress
                .stage
                .is_some_and(|stage| d.advance(part.channel, || Self::frame(at, part.text.as_deref(), stage), stage));
            if part.day == ts.day() && (payload || progress.stage.is_some()) {
                d.touch(ts, c.stage);
            }
            if !done.contains(&part.draft) {
                d.add_bytes(progress.to_server, progress.from_server);
                done.push(part.draft);
            }
            if rose {
                self.drafts.rose(part.draft);
            }
        }
        self.contacts.put(token.0, c);
    }

    fn closed(&mut self, token: Token, ledger: &mut Ledger) {
        if let Some(mut c) = self.contacts.take(token.0) {
            self.claim(&mut c, Notes::NONE, ledger);
            self.contacts.release(token.0);
        }
    }
}

/// The flow showed a name of its own, so its address need not speak. What
/// waited for it belongs to the name, if that is one of the catalogue.
fn settle_pending(c: &mut Contact, matched: bool, ledger: &mut Ledger) {
    if c.pending.take().is_some() && !matched {
        ledger.count(Counter::AddressContradicted);
        c.unclaimed = Default::default();
    }
}

/// A group address (first bit on the wire) or zero identifies nobody.
fn is_station(mac: Mac) -> bool {
    mac.0.first().is_some_and(|b| b & 1 == 0) && mac.0 != [0; 6]
}

/// Multicast and limited broadcast.
fn is_group(addr: &Addr) -> bool {
    match addr.as_v4() {
        Some([a, ..]) => (224..240).contains(&a) || addr.as_v4() == Some([255; 4]),
        None => addr.0.first() == Some(&0xff),
    }
}
