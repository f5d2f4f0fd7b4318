//! A sighting in the making.

use super::listed::{Least, Listed};
use super::naming::HostNames;
use super::observer::Askers;
use super::pseudonym::{Conceal, Pseudonyms};
use super::record::{
    Evidence, Host, IndicatorSummary, MAX_CLIENT_SUBNETS, MAX_COMMUNITY_IDS, MAX_EVIDENCE, MAX_NAMES, MAX_SERVERS,
    Record, SCHEMA, Server, Slots,
};
use super::shown::{Frame, Place, Shown};
use crate::base::digest::hex;
use crate::base::time::format_day;
use crate::base::{Addr, Channel, Mac, NameSource, Prefix, Stage, Timestamp};
use crate::catalogue::{Indicator, IndicatorRef};
use crate::flow::{Note, Notes};
use crate::packet::{EncapId, Transport};

/// A client as seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostKey {
    /// Segment number.
    pub segment: u32,
    /// Address.
    pub ip: Addr,
    /// Hardware address.
    pub mac: Option<Mac>,
}

/// What a draft is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DraftKey {
    /// Number of the source in this run.
    pub source: u32,
    /// Client.
    pub host: HostKey,
    /// Indicator.
    pub indicator: IndicatorRef,
    /// Days since the epoch.
    pub day: i64,
}

/// A sighting in the making: what one shard knows of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// What it is for.
    pub key: DraftKey,
    /// Strongest stage.
    pub stage: Stage,
    /// First observation.
    pub first: Timestamp,
    /// Last observation, or last payload of a matched flow.
    pub last: Timestamp,
    /// Observations.
    pub count: u64,
    /// Versions printed so far by a running sensor.
    pub revision: u64,
    pub(super) slots: Slots,
    pub(super) slots_connected: Slots,
    pub(super) names: Listed<Box<str>>,
    pub(super) servers: Listed<(Addr, u16, u8)>,
    pub(super) subnets: Listed<Prefix>,
    pub(super) flows: Least<Box<str>>,
    pub(super) to_server: u64,
    pub(super) from_server: u64,
    pub(super) notes: Notes,
    pub(super) shown: Vec<Shown>,
    /// What the host is called, once that is settled.
    pub(super) called: Option<(Box<str>, NameSource)>,
}

/// What a draft needs from its run to become a record.
pub trait Names {
    /// Sensor name.
    fn sensor(&self) -> &str;
    /// Id of a source.
    fn source(&self, source: u32) -> String;
    /// Path of a source, relative to the argument given.
    fn path(&self, source: u32) -> Option<String>;
    /// Path of the file that frames of an interface of a source come from: the
    /// source's, unless that reads several.
    fn file(&self, source: u32, _interface: u16) -> Option<String> {
        self.path(source)
    }
    /// Name of an interface of a source.
    fn interface(&self, source: u32, interface: u16) -> Option<String>;
    /// Words of a segment.
    fn segment(&self, segment: u32) -> String;
    /// Encapsulation path.
    fn layers(&self, encap: EncapId) -> Vec<String>;
}

impl Draft {
    /// A draft that begins at `ts`.
    pub(super) fn new(key: DraftKey, ts: Timestamp) -> Self {
        Draft { first: ts, last: ts, ..Draft::part(key) }
    }

    /// A draft without content, to be merged with what another place knows.
    pub(super) fn part(key: DraftKey) -> Self {
        Draft {
            key,
            stage: Stage::Queried,
            first: Timestamp(i64::MAX),
            last: Timestamp(i64::MIN),
            count: 0,
            revision: 0,
            slots: Slots::default(),
            slots_connected: Slots::default(),
            names: Listed::default(),
            servers: Listed::default(),
            subnets: Listed::default(),
            flows: Least::default(),
            to_server: 0,
            from_server: 0,
            notes: Notes::NONE,
            shown: Vec::new(),
            called: None,
        }
    }

    /// Folds an observation in. True if the stage rose or the draft is new.
    pub(super) fn observe(&mut self, channel: Channel, frame: &Frame, names: &[Box<str>], notes: Notes) -> bool {
        let fresh = self.count == 0;
        self.count = self.count.saturating_add(1);
        self.touch(frame.ts, frame.stage);
        self.notes = self.notes.union(notes);
        for name in names {
            self.names.insert(name, MAX_NAMES);
        }
        self.show(channel).add(frame.clone(), true);
        self.rise(frame.stage) || fresh
    }

    /// The contact moved on with the frame at `place`, which is made only
    /// where it is needed. True if the stage rose.
    pub(super) fn advance(
        &mut self,
        channel: Channel,
        stage: Stage,
        place: Place,
        name: Option<&str>,
        frame: impl FnOnce() -> Frame,
    ) -> bool {
        let shown = self.show(channel);
        if shown.is_stronger(stage, place, name) {
            shown.add(frame(), false);
        }
        self.rise(stage)
    }

    fn show(&mut self, channel: Channel) -> &mut Shown {
        let at = match self.shown.binary_search_by_key(&channel, |s| s.channel) {
            Ok(at) => at,
            Err(at) => {
                if self.shown.is_empty() {
                    self.shown.reserve_exact(1);
                }
                self.shown.insert(at, Shown::new(channel));
                at
            }
        };
        // The place was just found or filled.
        #[allow(clippy::indexing_slicing)]
        &mut self.shown[at]
    }

    fn rise(&mut self, stage: Stage) -> bool {
        let rose = stage > self.stage;
        self.stage = self.stage.max(stage);
        rose
    }

    /// There was contact at this time.
    pub(super) fn touch(&mut self, ts: Timestamp, stage: Stage) {
        self.first = self.first.min(ts);
        self.last = self.last.max(ts);
        self.slots.set(ts.slot());
        if stage >= Stage::Connected {
            self.slots_connected.set(ts.slot());
        }
    }

    pub(super) fn add_bytes(&mut self, to_server: u64, from_server: u64) {
        self.to_server = self.to_server.saturating_add(to_server);
        self.from_server = self.from_server.saturating_add(from_server);
    }

    pub(super) fn add_server(&mut self, server: (Addr, u16), transport: Transport) {
        self.servers.insert(&(server.0, server.1, transport as u8), MAX_SERVERS);
    }

    pub(super) fn add_flow(&mut self, community_id: &str) {
        self.flows.insert(&community_id.into(), MAX_COMMUNITY_IDS);
    }

    /// The host asked for a client of this network.
    pub(super) fn add_subnet(&mut self, subnet: Prefix) {
        self.subnets.insert(&subnet, MAX_CLIENT_SUBNETS);
    }

    pub(super) fn add_notes(&mut self, notes: Notes) {
        self.notes = self.notes.union(notes);
    }

    /// Gives the host the name that it is called by.
    pub fn call(&mut self, names: &HostNames) {
        self.called = names.of(&self.key).map(|(name, told)| (name.into(), told));
    }

    /// Drops the note of a public resolver where the host asks no local one.
    pub fn settle(&mut self, local: &Askers) {
        if !local.contains(&(self.key.host.segment, self.key.host.ip)) {
            self.notes = self.notes.without(Note::PublicDns);
        }
    }

    /// Notes so far.
    pub fn notes(&self) -> Notes {
        self.notes
    }

    /// Names so far.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.listed.iter().map(|n| &**n)
    }

    /// The frames that a record names as its evidence, in that order.
    pub fn frames(&self) -> impl Iterator<Item = (Channel, &Frame)> {
        self.shown.iter().flat_map(|s| s.frames().map(|f| (s.channel, f))).take(MAX_EVIDENCE)
    }

    /// Bytes it takes, about.
    pub(super) fn weight(&self) -> usize {
        let names = self.names.listed.iter().map(|n| n.len().saturating_add(size_of::<Box<str>>()));
        let lists = self
            .servers
            .listed
            .len()
            .saturating_mul(size_of::<(Addr, u16, u8)>())
            .saturating_add(self.subnets.listed.len().saturating_mul(size_of::<Prefix>()))
            .saturating_add(self.flows.len().saturating_mul(64));
        // A set of hashes takes about twice their size.
        let others = [self.names.others.len(), self.servers.others.len(), self.subnets.others.len()];
        let others = others.into_iter().fold(0, usize::saturating_add).saturating_mul(16);
        let shown = self.shown.iter().map(Shown::weight);
        names.chain(shown).fold(size_of::<Draft>().saturating_add(lists).saturating_add(others), usize::saturating_add)
    }

    /// Folds another draft of the same key in: another shard's, or another
    /// part of what was observed. Order and division do not matter.
    pub fn merge(&mut self, other: &Draft) {
        self.rise(other.stage);
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.count = self.count.saturating_add(other.count);
        self.revision = self.revision.max(other.revision);
        self.slots = self.slots.union(other.slots);
        self.slots_connected = self.slots_connected.union(other.slots_connected);
        self.names.merge(&other.names, MAX_NAMES);
        self.servers.merge(&other.servers, MAX_SERVERS);
        self.subnets.merge(&other.subnets, MAX_CLIENT_SUBNETS);
        for id in other.flows.iter() {
            self.flows.insert(id, MAX_COMMUNITY_IDS);
        }
        self.add_bytes(other.to_server, other.from_server);
        self.notes = self.notes.union(other.notes);
        for theirs in &other.shown {
            self.show(theirs.channel).merge(theirs);
        }
    }

    /// The record, given the names that only the run knows.
    pub fn record(&self, indicator: &Indicator<'_>, run: &dyn Names) -> Record {
        let key = &self.key;
        let segment = run.segment(key.host.segment);
        let period = format_day(key.day);
        // A question for one kind of address often finds none of it; that says
        // something only where no other answer gave one either.
        let notes = if self.stage > Stage::Queried { self.notes.without(Note::NoAddress) } else { self.notes };
        let mut evidence: Vec<Evidence> = self.shown.iter().flat_map(|s| s.evidence(run)).collect();
        let total = evidence.len();
        evidence.truncate(MAX_EVIDENCE);
        Record {
            schema: SCHEMA.into(),
            id: record_id(run.sensor(), &segment, &key.host.ip, key.host.mac, indicator.id, &period),
            revision: self.revision.max(1),
            sensor: run.sensor().into(),
            source: run.source(key.source),
            period,
            host: Host {
                ip: key.host.ip,
                mac: key.host.mac,
                segment,
                name: self.called.as_ref().map(|(name, _)| name.to_string()),
                name_source: self.called.as_ref().map(|(_, told)| told.as_str().to_owned()),
            },
            indicator: IndicatorSummary {
                id: indicator.id.to_owned(),
                category: indicator.category,
                confidence: indicator.confidence,
            },
            stage: self.stage,
            channels: self.shown.iter().map(|s| s.channel).collect(),
            names: self.names.listed.iter().map(|n| n.to_string()).collect(),
            names_more: self.names.more(),
            servers: self
                .servers
                .listed
                .iter()
                .map(|(ip, port, t)| Server {
                    ip: *ip,
                    port: *port,
                    transport: if *t == Transport::Tcp as u8 { "tcp" } else { "udp" }.into(),
                })
                .collect(),
            servers_more: self.servers.more(),
            client_subnets: self.subnets.listed.iter().copied().collect(),
            client_subnets_more: self.subnets.more(),
            first_seen: self.first,
            last_seen: self.last,
            count: self.count,
            sessions: self.slots.runs(),
            slots: self.slots,
            slots_connected: self.slots_connected,
            bytes_to_server: self.to_server,
            bytes_from_server: self.from_server,
            notes: notes.words().map(Into::into).collect(),
            community_ids: self.flows.iter().map(|id| id.to_string()).collect(),
            evidence_more: (total.saturating_sub(evidence.len())) as u64,
            evidence,
        }
    }
}

impl Conceal for Draft {
    fn conceal(self, pseudonyms: &Pseudonyms) -> Self {
        let Draft {
            key: DraftKey { source, host, indicator, day },
            stage,
            first,
            last,
            count,
            revision,
            slots,
            slots_connected,
            names,
            servers,
            subnets,
            flows: _, // a hash of addresses that can be guessed
            to_server,
            from_server,
            notes,
            shown,
            called,
        } = self;
        let at_home = servers.listed.len() == 0 || servers.listed.iter().any(|(ip, ..)| pseudonyms.covers(ip));
        Draft {
            key: DraftKey { source, host: host.conceal(pseudonyms), indicator, day },
            stage,
            first,
            last,
            count,
            revision,
            slots,
            slots_connected,
            names: names.map(|n| pseudonyms.server_name(&n, at_home)),
            servers: servers.map(|(ip, port, transport)| (pseudonyms.address(ip), port, transport)),
            subnets: subnets.map(|s| pseudonyms.prefix(s)),
            flows: Least::default(),
            to_server,
            from_server,
            notes,
            shown: shown.into_iter().map(|s| s.conceal(pseudonyms, at_home)).collect(),
            called: called.map(|(name, told)| (pseudonyms.name(&name).into(), told)),
        }
    }
}

/// The id of a record: see [`Record::id`].
pub fn record_id(sensor: &str, segment: &str, ip: &Addr, mac: Option<Mac>, indicator: &str, period: &str) -> String {
    let mac = mac.map(|m| m.to_string()).unwrap_or_default();
    hex(&record_hash([sensor, segment, &ip.to_string(), &mac, indicator, period], &mut Vec::new()))
}

/// The same as bytes, of texts as they stand in the record: sensor, segment,
/// address, hardware address or nothing, indicator, period. `room` is for the
/// hashing of many.
pub fn record_hash(parts: [&str; 6], room: &mut Vec<u8>) -> [u8; 16] {
    room.clear();
    for part in parts {
        room.extend_from_slice(part.as_bytes());
        room.push(0);
    }
    let hash = ring::digest::digest(&ring::digest::SHA256, room);
    hash.as_ref().first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::shown::tests::frame;
    use super::*;

    #[test]
    fn the_id_is_the_hash_of_its_parts_each_ended_by_zero() {
        // printf 's\0vlan:1\010.0.0.1\002:00:00:00:00:01\0x\02026-03-01\0' | sha256sum
        let mac = "02:00:00:00:00:01".parse().ok();
        let id = record_id("s", "vlan:1", &Addr::v4([10, 0, 0, 1]), mac, "x", "2026-03-01");
        let text = b"s\0vlan:1\x0010.0.0.1\x0002:00:00:00:00:01\0x\x002026-03-01\0";
        let want = ring::digest::digest(&ring::digest::SHA256, text);
        assert_eq!(id, hex(&want.as_ref()[..16]));
        let bare = record_id("s", "", &Addr::v4([10, 0, 0, 1]), None, "x", "2026-03-01");
        let want = ring::digest::digest(&ring::digest::SHA256, b"s\0\x0010.0.0.1\0\0x\x002026-03-01\0");
        assert_eq!(bare, hex(&want.as_ref()[..16]));
    }

    fn draft() -> Draft {
        let host = HostKey { segment: 0, ip: Addr::v4([10, 0, 0, 1]), mac: None };
        Draft::new(DraftKey { source: 0, host, indicator: IndicatorRef(0), day: 0 }, Timestamp(1))
    }

    #[test]
    fn merging_two_shards_is_the_same_in_either_order() {
        let (mut a, mut b) = (draft(), draft());
        a.observe(Channel::DnsQuery, &frame(5, Stage::Queried), &["x".into()], Notes::NONE);
        b.observe(Channel::DnsQuery, &frame(2, Stage::Queried), &["y".into()], Notes::NONE);
        b.observe(Channel::TlsSni, &frame(9, Stage::Attempted), &["y".into()], Notes::NONE);
        let (mut ab, mut ba) = (a.clone(), b.clone());
        ab.merge(&b);
        ba.merge(&a);
        assert_eq!(ab, ba);
        assert_eq!(ab.names().collect::<Vec<_>>(), ["x", "y"]);
        assert_eq!((ab.count, ab.stage), (3, Stage::Attempted));
    }
}
