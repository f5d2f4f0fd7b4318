//! A sighting in the making.

use super::record::{
    Evidence, Host, IndicatorSummary, MAX_COMMUNITY_IDS, MAX_EVIDENCE, MAX_NAMES, MAX_SERVERS, Record, SCHEMA, Server,
    Slots,
};
use crate::base::time::format_day;
use crate::base::{Addr, Channel, Mac, Stage, Timestamp};
use crate::catalogue::{Indicator, IndicatorRef};
use crate::flow::{Note, Notes};
use crate::packet::{EncapId, Transport};
use std::collections::BTreeSet;

/// Distinct names counted beyond those listed.
const MAX_COUNTED: usize = 4096;

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

/// A frame that shows the contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Its number in the source.
    pub number: u64,
    /// Offset of its record in the source.
    pub offset: u64,
    /// Capture time.
    pub ts: Timestamp,
    /// Interface of the source.
    pub interface: u16,
    /// Encapsulation.
    pub encap: EncapId,
    /// Sender and its port.
    pub src: (Addr, u16),
    /// Receiver and its port.
    pub dst: (Addr, u16),
    /// SHA-256 of the frame as captured.
    pub sha256: [u8; 32],
    /// What was seen there.
    pub name: Option<Box<str>>,
    /// Stage that the contact had reached with it.
    pub stage: Stage,
}

/// Evidence of one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Shown {
    channel: Channel,
    first: Frame,
    last: Option<Frame>,
    strongest: Option<Frame>,
    seen: u64,
}

/// Names of a draft: the first ones listed, the others counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed<T: Ord> {
    listed: BTreeSet<T>,
    others: BTreeSet<u64>,
}

impl<T: Ord + std::hash::Hash + Clone> Listed<T> {
    fn insert(&mut self, item: &T, cap: usize) {
        if self.listed.contains(item) {
        } else if self.listed.len() < cap {
            self.listed.insert(item.clone());
        } else if self.others.len() < MAX_COUNTED {
            use std::hash::{BuildHasher, Hasher};
            // A fixed hash: the count must not differ from run to run.
            let mut h = foldhash::quality::FixedState::with_seed(0).build_hasher();
            item.hash(&mut h);
            self.others.insert(h.finish());
        }
    }

    fn merge(&mut self, other: &Listed<T>, cap: usize) {
        for item in &other.listed {
            self.insert(item, cap);
        }
        for h in &other.others {
            if self.others.len() < MAX_COUNTED {
                self.others.insert(*h);
            }
        }
    }

    fn more(&self) -> u64 {
        self.others.len() as u64
    }
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
    slots: Slots,
    slots_connected: Slots,
    names: Listed<Box<str>>,
    servers: Listed<(Addr, u16, u8)>,
    flows: Listed<String>,
    to_server: u64,
    from_server: u64,
    notes: Notes,
    shown: Vec<Shown>,
}

/// What a draft needs from its run to become a record.
pub trait Names {
    /// Sensor name.
    fn sensor(&self) -> &str;
    /// Id of a source.
    fn source(&self, source: u32) -> String;
    /// Path of a source, relative to the argument given.
    fn path(&self, source: u32) -> Option<String>;
    /// Name of an interface of a source.
    fn interface(&self, source: u32, interface: u16) -> Option<String>;
    /// Words of a segment.
    fn segment(&self, segment: u32) -> String;
    /// Encapsulation path.
    fn layers(&self, encap: EncapId) -> Vec<String>;
}

impl Draft {
    pub(super) fn new(key: DraftKey, ts: Timestamp) -> Self {
        Draft {
            key,
            stage: Stage::Queried,
            first: ts,
            last: ts,
            count: 0,
            revision: 0,
            slots: Slots::default(),
            slots_connected: Slots::default(),
            names: Listed::default(),
            servers: Listed::default(),
            flows: Listed::default(),
            to_server: 0,
            from_server: 0,
            notes: Notes::NONE,
            shown: Vec::new(),
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
        match self.shown.iter_mut().find(|s| s.channel == channel) {
            Some(s) => s.add(frame.clone(), false),
            None => self.shown.push(Shown { channel, first: frame.clone(), last: None, strongest: None, seen: 1 }),
        }
        self.rise(frame.stage) || fresh
    }

    /// The contact moved on with this frame. True if the stage rose.
    pub(super) fn advance(&mut self, channel: Channel, frame: impl FnOnce() -> Frame, stage: Stage) -> bool {
        if !self.rise(stage) {
            return false;
        }
        if let Some(s) = self.shown.iter_mut().find(|s| s.channel == channel) {
            s.add(frame(), true);
        }
        true
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

    pub(super) fn add_flow(&mut self, community_id: &String) {
        self.flows.insert(community_id, MAX_COMMUNITY_IDS);
    }

    pub(super) fn add_notes(&mut self, notes: Notes) {
        self.notes = self.notes.union(notes);
    }

    /// Drops the note of a public resolver where no local one was asked.
    pub(super) fn settle(&mut self, asks_local: bool) {
        if !asks_local {
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

    /// Folds another draft of the same key in, as another shard made it.
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
        self.flows.merge(&other.flows, MAX_COMMUNITY_IDS);
        self.add_bytes(other.to_server, other.from_server);
        self.notes = self.notes.union(other.notes);
        for theirs in &other.shown {
            match self.shown.iter_mut().find(|s| s.channel == theirs.channel) {
                Some(s) => s.merge(theirs),
                None => self.shown.push(theirs.clone()),
            }
        }
    }

    /// The record, given the names that only the run knows.
    pub fn record(&self, indicator: &Indicator, run: &dyn Names) -> Record {
        let key = &self.key;
        let segment = run.segment(key.host.segment);
        let period = format_day(key.day);
        // A question for one kind of address often finds none of it; that says
        // something only where no other answer gave one either.
        let notes = if self.stage > Stage::Queried { self.notes.without(Note::NoAddress) } else { self.notes };
        let mut shown: Vec<&Shown> = self.shown.iter().collect();
        shown.sort_by_key(|s| s.channel);
        let all: Vec<(Channel, &Frame)> = shown.iter().flat_map(|s| s.frames().map(|f| (s.channel, f))).collect();
        let total = all.len();
        let evidence: Vec<Evidence> =
            all.into_iter().take(MAX_EVIDENCE).map(|(c, f)| f.evidence(c, key.source, run)).collect();
        Record {
            schema: SCHEMA.into(),
            id: record_id(run.sensor(), &segment, &key.host.ip, key.host.mac, &indicator.id, &period),
            revision: self.revision.max(1),
            sensor: run.sensor().into(),
            source: run.source(key.source),
            period,
            host: Host { ip: key.host.ip, mac: key.host.mac, segment, name: None, name_source: None },
            indicator: IndicatorSummary {
                id: indicator.id.clone(),
                category: indicator.category,
                confidence: indicator.confidence,
            },
            stage: self.stage,
            channels: shown.iter().map(|s| s.channel).collect(),
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
            first_seen: self.first,
            last_seen: self.last,
            count: self.count,
            sessions: self.slots.runs(),
            slots: self.slots,
            slots_connected: self.slots_connected,
            bytes_to_server: self.to_server,
            bytes_from_server: self.from_server,
            notes: notes.words().map(Into::into).collect(),
            community_ids: self.flows.listed.iter().cloned().collect(),
            evidence_more: (total.saturating_sub(evidence.len())) as u64,
            evidence,
        }
    }
}

impl Shown {
    fn add(&mut self, frame: Frame, only_stronger: bool) {
        let best = self.strongest.as_ref().map_or(self.first.stage, |f| f.stage);
        if frame.stage > best {
            self.strongest = Some(frame.clone());
        }
        if !only_stronger {
            self.seen = self.seen.saturating_add(1);
            if frame.place() < self.first.place() {
                let old = std::mem::replace(&mut self.first, frame);
                if self.last.is_none() {
                    self.last = Some(old);
                }
            } else if self.last.as_ref().is_none_or(|l| l.place() < frame.place()) {
                self.last = Some(frame);
            }
        }
    }

    fn merge(&mut self, other: &Shown) {
        self.add(other.first.clone(), false);
        if let Some(last) = &other.last {
            self.add(last.clone(), false);
        }
        if let Some(s) = &other.strongest {
            self.add(s.clone(), true);
        }
    }

    /// First, last and strongest, each frame once, in capture order.
    fn frames(&self) -> impl Iterator<Item = &Frame> {
        let mut all: Vec<&Frame> =
            [Some(&self.first), self.last.as_ref(), self.strongest.as_ref()].into_iter().flatten().collect();
        all.sort_by_key(|f| f.place());
        all.dedup_by_key(|f| f.number);
        all.into_iter()
    }
}

impl Frame {
    fn place(&self) -> (Timestamp, u64) {
        (self.ts, self.number)
    }

    fn evidence(&self, channel: Channel, source: u32, run: &dyn Names) -> Evidence {
        let path = run.path(source);
        Evidence {
            offset: path.as_ref().map(|_| self.offset),
            path,
            interface: run.interface(source, self.interface),
            frame: self.number,
            ts: self.ts,
            channel,
            name: self.name.as_ref().map(|n| n.to_string()),
            src: self.src.0,
            sport: self.src.1,
            dst: self.dst.0,
            dport: self.dst.1,
            layers: run.layers(self.encap),
            packet_sha256: hex(&self.sha256),
        }
    }
}

/// Lower-case hex digits.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len().saturating_mul(2)), |mut s, b| {
        let _ = write!(s, "{b:02x}");
        s
    })
}

/// The id of a record: see [`Record::id`].
pub fn record_id(sensor: &str, segment: &str, ip: &Addr, mac: Option<Mac>, indicator: &str, period: &str) -> String {
    let mut h = ring::digest::Context::new(&ring::digest::SHA256);
    for part in [sensor, segment, &ip.to_string(), &mac.map(|m| m.to_string()).unwrap_or_default(), indicator, period] {
        h.update(part.as_bytes());
        h.update(&[0]);
    }
    hex(h.finish().as_ref().get(..16).unwrap_or(&[]))
}

#[cfg(test)]
mod tests {
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

    fn frame(number: u64, stage: Stage) -> Frame {
        Frame {
            number,
            offset: 0,
            ts: Timestamp(number as i64),
            interface: 0,
            encap: EncapId(0),
            src: (Addr::v4([10, 0, 0, 1]), 1),
            dst: (Addr::v4([10, 0, 0, 2]), 2),
            sha256: [0; 32],
            name: None,
            stage,
        }
    }

    fn draft() -> Draft {
        let host = HostKey { segment: 0, ip: Addr::v4([10, 0, 0, 1]), mac: None };
        Draft::new(DraftKey { source: 0, host, indicator: IndicatorRef(0), day: 0 }, Timestamp(1))
    }

    #[test]
    fn evidence_is_first_last_and_strongest() {
        let mut d = draft();
        for (n, s) in [(1, Stage::Attempted), (2, Stage::Connected), (3, Stage::Attempted), (4, Stage::Attempted)] {
            d.observe(Channel::TlsSni, &frame(n, s), &[], Notes::NONE);
        }
        let numbers: Vec<u64> = d.shown[0].frames().map(|f| f.number).collect();
        assert_eq!(numbers, [1, 2, 4]);
        assert_eq!((d.count, d.stage), (4, Stage::Connected));
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
        ab.shown.sort_by_key(|s| s.channel);
        ba.shown.sort_by_key(|s| s.channel);
        assert_eq!(ab, ba);
        assert_eq!(ab.names().collect::<Vec<_>>(), ["x", "y"]);
        assert_eq!((ab.count, ab.stage), (3, Stage::Attempted));
    }

    #[test]
    fn names_beyond_the_list_are_counted_once_each() {
        let mut l = Listed::default();
        for i in 0..200 {
            l.insert(&format!("n{i:03}").into_boxed_str(), 64);
            l.insert(&format!("n{i:03}").into_boxed_str(), 64);
        }
        assert_eq!((l.listed.len(), l.more()), (64, 136));
    }
}
