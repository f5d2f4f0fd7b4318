//! The sink of one shard: matches what was seen, folds it into drafts.

use super::answers::Answers;
use super::contact::{Contact, Contacts, Part, Pending};
use super::digest::{Digest, KeptFrame};
use super::draft::{Draft, DraftKey, HostKey};
use super::drafts::{DraftAt, Drafts};
use super::home::HomeNets;
use super::iterating::Iterating;
use super::naming::{Announced, Naming};
use super::presence::{Pair, Presence, PresenceKind, Presences};
use super::pseudonym::{Conceal, Pseudonyms};
use super::shown::Frame;
use super::signal::Signal;
use super::signs::Signs;
use super::unlisted::Unlisted;
use crate::base::{Addr, Channel, Mac, Name, NameSource, Prefix, Stage, Timestamp};
use crate::catalogue::{Catalogue, IndicatorRef};
use crate::coverage::{Counter, Ledger};
use crate::flow::{Act, At, Claim, ClaimKind, Note, Notes, Place, Progress, Proof, Seen, Sink, Token};
use crate::packet::{Transport, tcp_flags};
use foldhash::fast::RandomState;
use std::collections::HashSet;
use std::sync::Arc;

/// Clients of one shard that are remembered for having asked a local resolver.
const MAX_ASKERS: usize = 896;
/// Clients outside the home networks of one shard that are told apart.
const MAX_OUTSIDE: usize = 896;
/// Longest host name (RFC 1035 section 2.3.4, without the final dot). What is
/// longer is none, and is neither matched nor kept.
pub(super) const MAX_NAME: usize = 253;
/// Bytes that the drafts of one shard may take before a replay spills them.
pub const MAX_DRAFTS: usize = 128 << 10;

/// Where resolvers listen.
pub(super) const DNS_PORT: u16 = 53;
/// The same for DNS over TLS and QUIC (RFC 7858, RFC 9250).
pub(super) const ENCRYPTED_DNS_PORT: u16 = 853;

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
    /// Replaces what says who a host is in all that leaves the observers.
    pub pseudonyms: Option<Arc<Pseudonyms>>,
}

impl Settings {
    /// The home networks that records are of: those of pseudonyms, where there
    /// are such.
    pub fn shown_home(&self) -> HomeNets {
        self.pseudonyms.as_ref().map_or_else(|| self.home.clone(), |p| p.home())
    }

    /// The address that coverage knows a host at home by.
    pub(super) fn counted(&self, addr: Addr) -> Addr {
        self.pseudonyms.as_ref().map_or(addr, |p| p.address(addr))
    }
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

/// Clients, by segment, that ask a resolver of the home networks.
pub type Askers = HashSet<(u32, Addr), RandomState>;

/// What one shard observed.
pub struct Observer {
    pub(super) settings: Arc<Settings>,
    pub(super) drafts: Drafts,
    max_drafts: usize,
    pub(super) contacts: Contacts,
    pub(super) digest: Digest,
    pub(super) answers: Answers,
    unlisted: Unlisted,
    pub(super) local_askers: Askers,
    outside: HashSet<Addr, RandomState>,
    outside_full: bool,
    canaries: Vec<Canary>,
    pub(super) presences: Presences,
    announced: Announced,
    pub(super) signs: Signs,
    pub(super) iterating: Iterating,
}

/// What an observer knows at the end.
#[derive(Debug, Default)]
pub struct Observed {
    /// The drafts that were not handed out before. Of a replay, a note of a
    /// public resolver is still to be settled ([`Draft::settle`]).
    pub drafts: Vec<Draft>,
    /// Clients that ask a local resolver.
    pub local_askers: Askers,
    /// Names like the vendor's that no list has.
    pub unlisted: Unlisted,
    /// Clients outside the home networks with matching contacts.
    pub outside: HashSet<Addr, RandomState>,
    /// There were more of them than could be told apart.
    pub outside_full: bool,
    /// Who had which address.
    pub presences: Vec<Presence>,
    /// What hosts said they are called.
    pub namings: Vec<Naming>,
    /// Signs of roles, with how often since they were last taken; parts that
    /// are still to be joined ([`Signals`](super::Signals)).
    pub signals: Vec<Signal>,
}

impl Conceal for Observed {
    fn conceal(self, pseudonyms: &Pseudonyms) -> Self {
        // Names like the vendor's are listed as such, and clients outside are
        // only counted.
        let Observed { drafts, local_askers, unlisted, outside, outside_full, presences, namings, signals } = self;
        Observed {
            drafts: drafts.conceal(pseudonyms),
            local_askers: local_askers.into_iter().map(|(segment, ip)| (segment, pseudonyms.address(ip))).collect(),
            unlisted,
            outside,
            outside_full,
            presences: presences.conceal(pseudonyms),
            namings: namings.conceal(pseudonyms),
            signals: signals.conceal(pseudonyms),
        }
    }
}

/// One match, about to be folded in.
pub(super) struct Match<'a> {
    pub(super) indicator: IndicatorRef,
    pub(super) channel: Channel,
    /// What was seen in its field.
    pub(super) text: Option<&'a str>,
    /// Host names that the record lists for it.
    pub(super) names: Vec<Box<str>>,
    pub(super) stage: Stage,
    pub(super) notes: Notes,
    /// Whom the host asked for.
    pub(super) subnet: Option<Prefix>,
}

impl<'a> Match<'a> {
    /// A match of a name, to be completed.
    pub(super) fn of(name: &'a Name) -> Self {
        let text = Some(name.as_str());
        Match { text, names: listable(name).into_iter().collect(), ..Match::bare() }
    }

    /// A match without a name, to be completed.
    pub(super) fn bare() -> Self {
        Match {
            indicator: IndicatorRef(u32::MAX),
            channel: Channel::Payload,
            text: None,
            names: Vec::new(),
            stage: Stage::Attempted,
            notes: Notes::NONE,
            subnet: None,
        }
    }
}

/// A name as a record may list it.
pub(super) fn listable(name: &Name) -> Option<Box<str>> {
    (name.as_bytes().len() <= MAX_NAME).then(|| name.as_str().into())
}

/// The matches of one message: of an indicator on one channel it is one
/// observation, however many names show it.
#[derive(Default)]
pub(super) struct Matches<'a>(Vec<Match<'a>>);

impl<'a> Matches<'a> {
    pub(super) fn add(&mut self, m: Match<'a>) {
        match self.0.iter_mut().find(|o| (o.indicator, o.channel) == (m.indicator, m.channel)) {
            Some(o) => {
                o.names.extend(m.names);
                o.stage = o.stage.max(m.stage);
                o.notes = o.notes.union(m.notes);
            }
            None => self.0.push(m),
        }
    }
}

impl Observer {
    /// An observer without observations.
    pub fn new(settings: Arc<Settings>) -> Self {
        Observer {
            drafts: Drafts::new(settings.live),
            max_drafts: MAX_DRAFTS,
            settings,
            contacts: Contacts::default(),
            digest: Digest::default(),
            answers: Answers::default(),
            unlisted: Unlisted::of_shard(),
            local_askers: HashSet::default(),
            outside: HashSet::default(),
            outside_full: false,
            canaries: Vec::new(),
            presences: Presences::default(),
            announced: Announced::default(),
            signs: Signs::default(),
            iterating: Iterating::default(),
        }
    }

    /// Spills drafts when they take more than so many bytes.
    #[must_use]
    pub fn with_max_drafts(self, max_drafts: usize) -> Self {
        Observer { max_drafts, ..self }
    }

    /// Keeps the frames that it makes evidence of, for
    /// [`Observer::take_frames`].
    #[must_use]
    pub fn with_frames(self) -> Self {
        Observer { digest: Digest::keeping(), ..self }
    }

    /// Frames that may be evidence, since the last call.
    pub fn take_frames(&mut self) -> Vec<KeptFrame> {
        self.digest.take_kept()
    }

    /// When the drafts of a replay take too much room: all of them, as parts
    /// that later ones go on with ([`Draft::merge`]). A running sensor hands
    /// its drafts on anyway, and keeps them.
    pub fn take_spilled(&mut self) -> Vec<Draft> {
        if self.spills() { self.drafts.close(i64::MAX) } else { Vec::new() }
    }

    /// Bytes that [`Observer::take_spilled`] would hand out.
    pub fn waiting(&self) -> usize {
        if self.spills() { self.drafts.weight() } else { 0 }
    }

    fn spills(&self) -> bool {
        !self.settings.live && self.drafts.weight() > self.max_drafts
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
        // A name also holds on the day after.
        self.announced.forget(day.saturating_sub(1));
        self.signs.forget(day);
        drafts
    }

    /// Pairs of addresses that are new or were seen again since the last call.
    pub fn take_presences(&mut self) -> Vec<Presence> {
        self.presences.take_changed()
    }

    /// Names of hosts that are new or were heard again since the last call.
    pub fn take_namings(&mut self) -> Vec<Naming> {
        self.announced.take_changed()
    }

    /// Signs of roles that are new or were seen again since the last call;
    /// parts that are still to be joined.
    pub fn take_signals(&mut self) -> Vec<Signal> {
        self.signs.take_changed()
    }

    /// What makes pseudonyms of hosts, where that is wanted.
    pub fn pseudonyms(&self) -> Option<Arc<Pseudonyms>> {
        self.settings.pseudonyms.clone()
    }

    /// Most bytes that an observer takes in a replay.
    pub const MOST_BYTES: usize = MAX_DRAFTS
        + Contacts::MOST_BYTES
        + Answers::MOST_BYTES
        + Presences::MOST_BYTES
        + Announced::MOST_BYTES
        + Signs::MOST_BYTES
        + Iterating::MOST_BYTES
        + (MAX_ASKERS * 8 / 7) * (size_of::<(u32, Addr)>() + 1)
        + (MAX_OUTSIDE * 8 / 7) * (size_of::<Addr>() + 1)
        + Unlisted::SHARD_BYTES;

    /// Canary names seen since the last call.
    pub fn take_canaries(&mut self) -> Vec<Canary> {
        std::mem::take(&mut self.canaries)
    }

    /// Ends observation.
    pub fn finish(mut self) -> Observed {
        let mut drafts = std::mem::replace(&mut self.drafts, Drafts::new(false)).into_list();
        if self.settings.live {
            self.settle(&mut drafts);
        }
        Observed {
            drafts,
            local_askers: self.local_askers,
            unlisted: self.unlisted,
            outside: self.outside,
            outside_full: self.outside_full,
            presences: self.presences.into_list(),
            namings: self.announced.into_list(),
            signals: self.signs.take_changed(),
        }
    }

    fn settle(&self, drafts: &mut [Draft]) {
        drafts.iter_mut().for_each(|d| d.settle(&self.local_askers));
    }

    pub(super) fn host(at: &At<'_>) -> HostKey {
        let e = at.endpoints();
        let mac = if at.from_client { at.packet.src_mac } else { at.packet.dst_mac };
        let mac = mac.filter(|m| is_station(*m));
        HostKey { segment: at.segment, ip: e.client, mac }
    }

    pub(super) fn frame(digest: &Digest, at: &At<'_>, text: Option<&str>, stage: Stage) -> Frame {
        let p = at.packet;
        Frame {
            source: at.frame.source,
            number: at.frame.number,
            offset: at.frame.offset,
            ts: p.ts,
            interface: at.frame.interface,
            encap: p.encap,
            src: (p.src, p.sport),
            dst: (p.dst, p.dport),
            sha256: digest.of(&at.frame),
            name: text.map(Into::into),
            stage,
        }
    }

    /// Folds a frame in; returns its draft.
    pub(super) fn fold(
        &mut self,
        key: DraftKey,
        channel: Channel,
        frame: &Frame,
        names: &[Box<str>],
        notes: Notes,
    ) -> DraftAt {
        let at = self.drafts.open(key, frame.ts);
        if self.drafts.get_mut(at).is_some_and(|d| d.observe(channel, frame, names, notes)) {
            self.drafts.rose(at);
        }
        self.drafts.weigh(at);
        at
    }

    /// Folds a match of this segment in, if its client is at home.
    pub(super) fn observe(&mut self, at: &At<'_>, m: Match<'_>, ledger: &mut Ledger) -> Option<Part> {
        let host = Self::host(at);
        if !self.settings.home.contains(&host.ip) {
            ledger.count(Counter::ObservationsOutside);
            if self.outside.len() < MAX_OUTSIDE {
                self.outside.insert(host.ip);
            } else if !self.outside.contains(&host.ip) {
                self.outside_full = true;
            }
            return None;
        }
        ledger.count(Counter::Observations);
        let frame = Self::frame(&self.digest, at, m.text, m.stage);
        let key = DraftKey { source: at.frame.source, host, indicator: m.indicator, day: frame.ts.day() };
        let draft = self.fold(key, m.channel, &frame, &m.names, m.notes);
        if let Some(subnet) = m.subnet
            && let Some(d) = self.drafts.get_mut(draft)
        {
            d.add_subnet(subnet);
            self.drafts.weigh(draft);
        }
        Some(Part { channel: m.channel, key, draft, text: frame.name, names: m.names })
    }

    /// What an answer to this client tied the address to.
    pub(super) fn pending(&self, at: &At<'_>, server: Addr, notes: Notes) -> Option<Pending> {
        let client = at.endpoints().client;
        self.answers.get(&(at.segment, client, server), at.packet.ts).map(|a| Pending {
            told: a.mac,
            indicator: a.indicator,
            name: a.name.clone(),
            notes,
            frame: Self::frame(&self.digest, at, Some(&a.name), Stage::Attempted),
            raised: None,
        })
    }

    pub(super) fn observe_all(&mut self, at: &At<'_>, matches: Matches<'_>, ledger: &mut Ledger) -> Vec<Part> {
        matches.0.into_iter().filter_map(|m| self.observe(at, m, ledger)).collect()
    }

    /// Notes which addresses of a segment's ends are at home, and whose they
    /// are.
    fn note_ends(&mut self, at: &At<'_>, kind: PresenceKind, ledger: &mut Ledger) {
        let p = at.packet;
        for (ip, mac, sent) in [(p.src, p.src_mac, !at.moved), (p.dst, p.dst_mac, false)] {
            if !self.settings.home.contains(&ip) || is_group(&ip) {
                continue;
            }
            // What is sent to all stations of a link is sent to no host: the
            // address of its end is the directed broadcast's.
            if kind == PresenceKind::Traffic && (sent || mac.is_none_or(|m| m.0.first().is_some_and(|b| b & 1 == 0))) {
                ledger.address(self.settings.counted(ip));
            }
            // On a link without hardware addresses only what confirms is kept.
            let bare = kind == PresenceKind::Handshake && p.src_mac.or(p.dst_mac).is_none();
            let Some(mac) = mac.filter(|m| is_station(*m)).or(bare.then(Mac::default)) else { continue };
            let pair = Pair { source: at.frame.source, segment: at.segment, ip, mac };
            let full = match kind {
                PresenceKind::Traffic => self.presences.note_traffic(pair, p.ts, sent),
                _ => self.presences.note(pair, kind, p.ts, p.ts),
            };
            if full {
                ledger.count(no_room(kind));
            }
        }
    }

    /// What a client said of itself, with the address that it was given.
    fn told_by_dhcp(&mut self, claim: &Claim, place: (u32, u32, Addr), mac: Option<Mac>, ledger: &mut Ledger) {
        let Some(words) = &claim.words else { return };
        let told = if claim.kind == ClaimKind::Dhcp { NameSource::Dhcp } else { NameSource::Dhcpv6 };
        let (source, segment, ip) = place;
        let (from, to) = (claim.ts, claim.until);
        for (told, name) in [(told, &words.name), (NameSource::DhcpClientId, &words.client_id)] {
            let Some(name) = name.clone() else { continue };
            if told != NameSource::DhcpClientId {
                ledger.count(Counter::HostNames);
            }
            if self.announced.note(Naming { source, segment, ip, mac, told, name, from, to }) {
                ledger.count(Counter::TableEvicted);
            }
        }
    }

    /// A name server's word on the name of an address at home.
    pub(super) fn named_by_lookup(&mut self, at: &At<'_>, ip: Addr, name: &Name, ledger: &mut Ledger) {
        if !self.settings.home.contains(&ip) || is_group(&ip) {
            return;
        }
        ledger.count(Counter::HostNames);
        let (source, segment, ts) = (at.frame.source, at.segment, at.packet.ts);
        let (told, name) = (NameSource::Ptr, name.as_str().into());
        if self.announced.note(Naming { source, segment, ip, mac: None, told, name, from: ts, to: ts }) {
            ledger.count(Counter::TableEvicted);
        }
    }

    /// The sender of this segment said what it is called.
    fn named(&mut self, at: &At<'_>, name: &str, told: NameSource, ledger: &mut Ledger) {
        let (p, host) = (at.packet, Self::host(at));
        if !self.settings.home.contains(&host.ip) || is_group(&host.ip) {
            return;
        }
        ledger.count(Counter::HostNames);
        let (source, segment) = (at.frame.source, at.segment);
        let naming =
            Naming { source, segment, ip: host.ip, mac: host.mac, told, name: name.into(), from: p.ts, to: p.ts };
        if self.announced.note(naming) {
            ledger.count(Counter::TableEvicted);
        }
    }

    /// A client at home asks a resolver at home.
    pub(super) fn asks_local(&mut self, segment: u32, client: Addr, ledger: &mut Ledger) {
        let key = (segment, client);
        if self.local_askers.len() < MAX_ASKERS {
            self.local_askers.insert(key);
        } else if !self.local_askers.contains(&key) {
            ledger.count(Counter::TableEvicted);
        }
    }

    /// Looks a name up, and notes it if it looks like the vendor's.
    pub(super) fn match_name(
        &mut self,
        name: &Name,
        at: &At<'_>,
        channel: Channel,
        ledger: &mut Ledger,
    ) -> Option<IndicatorRef> {
        ledger.count(Counter::Names);
        let long = name.as_bytes().len() > MAX_NAME;
        if name.is_odd() || long {
            ledger.count(Counter::NamesOdd);
        }
        if long {
            return None;
        }
        let found = self.settings.catalogue.match_name(name);
        let residual = found.and_then(|r| self.settings.catalogue.get(r)).is_some_and(|i| i.residual);
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
}

impl Sink for Observer {
    fn opened(&mut self, at: &At<'_>, ledger: &mut Ledger) -> Option<Token> {
        let e = at.endpoints();
        // Resolvers are not what a name stands for.
        if e.sport == DNS_PORT || !self.settings.home.contains(&e.client) {
            return None;
        }
        let mid_stream = e.transport == Transport::Tcp && at.packet.flags & tcp_flags::SYN == 0;
        let notes = Notes::NONE.with_if(mid_stream, Note::MidStream);
        let pending = self.pending(at, e.server, notes);
        let block = self.settings.catalogue.match_addr(&e.server).map(|r| (r, Channel::Netblock));
        let lan = self.settings.home.contains(&e.server) || is_group(&e.server);
        let port = (lan && !self.settings.home.is_any())
            .then(|| self.settings.catalogue.match_port(e.transport as u8, e.sport))
            .flatten()
            .map(|r| (r, Channel::LanPort));
        if port.is_some() {
            self.notifies(at, ledger);
        }
        if pending.is_none() && block.is_none() && port.is_none() {
            return None;
        }
        let mut parts = Vec::new();
        for (indicator, channel) in [block, port].into_iter().flatten() {
            parts.extend(self.observe(at, Match { indicator, channel, notes, ..Match::bare() }, ledger));
        }
        let mut contact = Contact::new(Self::host(at), &e);
        contact.pending = pending.map(Box::new);
        let mut follow = None;
        self.join(at, parts, Some(contact), &mut follow, ledger);
        follow
    }

    fn present(&mut self, at: &At<'_>, ledger: &mut Ledger) {
        self.note_ends(at, PresenceKind::Traffic, ledger);
        if at.endpoints().sport == ENCRYPTED_DNS_PORT {
            ledger.count(Counter::EncryptedDns);
            // A connection that goes on shows no name in a later quarter hour;
            // one that was only tried hides nothing.
            if at.packet.payload_len > 0 {
                self.note_resolver_port(at, ledger);
            }
        }
    }

    fn seen(&mut self, at: &At<'_>, seen: &Seen<'_>, notes: Notes, follow: &mut Option<Token>, ledger: &mut Ledger) {
        match seen {
            Seen::Dns(message, kind) => self.dns(at, message, *kind, notes, ledger),
            Seen::Tls { name, stack, .. } => {
                self.tls_stack(at, *stack, ledger);
                self.hello(at, *name, Channel::TlsSni, notes, follow, ledger);
            }
            Seen::Quic { name, stack, .. } => {
                self.tls_stack(at, *stack, ledger);
                self.hello(at, *name, Channel::QuicSni, notes, follow, ledger);
            }
            Seen::Certificate { names } => self.certificate(at, names, notes, follow, ledger),
            Seen::Http(http) => self.http(at, http, notes, follow, ledger),
            Seen::Socks { name, addr } => self.socks(at, *name, *addr, notes, follow, ledger),
            Seen::Host { name, told } => self.named(at, name, *told, ledger),
            Seen::Unrecognised => self.unrecognised(at, notes, follow, ledger),
        }
    }

    fn progress(&mut self, at: &At<'_>, token: Token, progress: &Progress, ledger: &mut Ledger) {
        if progress.stage.is_some() || progress.status.is_some() {
            self.serves(at, token.0, progress, ledger);
        }
        self.move_on(at, token.0, progress, ledger);
    }

    fn proved(&mut self, at: &At<'_>, ledger: &mut Ledger) {
        self.note_ends(at, PresenceKind::Handshake, ledger);
    }

    fn claimed(&mut self, claim: &Claim, source: u32, segment: u32, ledger: &mut Ledger) {
        let ip = claim.ip;
        if claim.router && claim.proof == Proof::Sound {
            self.says_it_routes(source, segment, claim, ledger);
        }
        if !self.settings.home.contains(&ip) || is_group(&ip) {
            return;
        }
        let (kind, mac) = (PresenceKind::from(claim.kind), claim.mac.filter(|m| is_station(*m)));
        let place = (source, segment, ip);
        let pair = Pair { source, segment, ip, mac: mac.unwrap_or_default() };
        match claim.proof {
            Proof::Ends => {
                self.presences.give_back(pair, kind, claim.ts);
                self.announced.give_back(place, mac, claim.ts);
            }
            Proof::Lone => {
                if self.presences.prolong(pair, kind, claim.ts, claim.until) == Some(true) {
                    ledger.count(no_room(kind));
                }
            }
            Proof::Sound => {
                if claim.until > claim.ts {
                    self.presences.take_over(pair, kind, claim.ts);
                }
                if self.presences.note(pair, kind, claim.ts, claim.until) {
                    ledger.count(no_room(kind));
                }
                self.told_by_dhcp(claim, place, mac, ledger);
            }
        }
    }

    fn act(&mut self, at: &At<'_>, act: Act<'_>, ledger: &mut Ledger) {
        self.acted(at, act, ledger);
    }

    fn is_home(&self, addr: &Addr) -> bool {
        self.settings.home.contains(addr)
    }

    fn moved(&mut self, client: Addr, far: Place, near: Place, _ledger: &mut Ledger) {
        self.move_host(client, far, near);
    }

    fn closed(&mut self, token: Token, ledger: &mut Ledger) {
        if let Some(mut c) = self.contacts.take(token.0) {
            self.claim(&mut c, Notes::NONE, ledger);
            self.contacts.release(token.0);
        }
    }
}

/// What counts a pair that its room could not take.
fn no_room(kind: PresenceKind) -> Counter {
    if kind == PresenceKind::Traffic { Counter::TableEvicted } else { Counter::ConfirmedRefused }
}

/// A group address (first bit on the wire) or zero identifies nobody.
pub(super) fn is_station(mac: Mac) -> bool {
    mac.0.first().is_some_and(|b| b & 1 == 0) && mac.0 != [0; 6]
}

/// Multicast and limited broadcast.
pub(super) fn is_group(addr: &Addr) -> bool {
    match addr.as_v4() {
        Some([a, ..]) => (224..240).contains(&a) || addr.as_v4() == Some([255; 4]),
        None => addr.0.first() == Some(&0xff),
    }
}
