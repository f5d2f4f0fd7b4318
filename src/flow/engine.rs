//! The state of one shard, and the way of a segment through it.

use super::budget::Budget;
use super::dns::{self, Dns};
use super::events::{At, FrameRef, Sink};
use super::holders::Holders;
use super::table::{FlowKey, Gone, Table};
use super::tcp::{self, Tcp};
use super::udp::{self, Udp};
use crate::base::time::SECOND;
use crate::base::{Addr, Name, Timestamp};
use crate::coverage::{Counter, Key, Ledger};
use crate::packet::tcp_flags::RST;
use crate::packet::{Packet, Transport};
use crate::protocol::http2::Section;
use crate::protocol::quic;
use foldhash::fast::RandomState;
use std::hash::BuildHasher;

/// Caps of one shard's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// TCP flows.
    pub tcp_flows: usize,
    /// UDP flows.
    pub udp_flows: usize,
    /// Bytes held in unfinished stream heads.
    pub held_bytes: usize,
    /// QUIC key derivations in a second of packet time.
    pub quic_keys: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { tcp_flows: 3584, udp_flows: 1792, held_bytes: 320 << 10, quic_keys: 1000 }
    }
}

/// Buffers that one segment at a time uses, and what the shard's streams hold.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    pub(super) hello: Vec<u8>,
    pub(super) opened: Vec<u8>,
    pub(super) name: Name,
    pub(super) hosts: Vec<Name>,
    pub(super) section: Section,
    /// Bytes that all flows hold.
    pub(super) held: usize,
    /// The flow at work began to hold bytes.
    pub(super) begins_to_hold: bool,
    /// TCP flows of the sample for capture loss that are under way.
    pub(super) sampled: u32,
    state: RandomState,
}

impl Scratch {
    /// Hash of a connection id.
    pub(super) fn hash_id(&self, id: &[u8]) -> u64 {
        self.state.hash_one(id)
    }

    /// Hash of the destination connection id of a datagram's first packet.
    pub(super) fn hash_of_first_id(&self, datagram: &[u8]) -> Option<u64> {
        quic::long_packet(datagram).ok().map(|(packet, _)| self.hash_id(packet.dcid))
    }
}

/// Flow state of one shard.
pub struct Engine<S> {
    sink: S,
    tcp: Table<Tcp>,
    udp: Table<Udp>,
    dns: Dns,
    scratch: Scratch,
    budget: Budget,
    holders: Holders,
    max_held: usize,
    now: Timestamp,
    /// Source, interface and time of the last packet.
    last: Option<(u32, u16, Timestamp)>,
}

/// Whether a datagram goes to a group of multicast name resolution (RFC 6762,
/// RFC 4795): it names hosts of the LAN, not contacts.
fn is_group_naming(p: &Packet) -> bool {
    const GROUPS: [Addr; 4] = [
        Addr::v4([224, 0, 0, 251]),
        Addr::v4([224, 0, 0, 252]),
        Addr([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xfb]),
        Addr([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 3]),
    ];
    GROUPS.contains(&p.dst)
}

impl<S: Sink> Engine<S> {
    /// An engine without flows that tells `sink`.
    pub fn new(sink: S, limits: Limits) -> Self {
        Engine {
            sink,
            tcp: Table::new(limits.tcp_flows),
            udp: Table::new(limits.udp_flows),
            dns: Dns::new(),
            scratch: Scratch::default(),
            budget: Budget::new(limits.quic_keys),
            holders: Holders::new(),
            max_held: limits.held_bytes,
            now: Timestamp(i64::MIN),
            last: None,
        }
    }

    /// Most bytes that an engine's tables take with these limits, besides its
    /// sink's.
    pub fn most_bytes(limits: Limits) -> usize {
        [
            Table::<Tcp>::most_bytes(limits.tcp_flows),
            Table::<Udp>::most_bytes(limits.udp_flows),
            limits.held_bytes,
            Holders::MOST_BYTES,
            Dns::MOST_BYTES,
        ]
        .into_iter()
        .fold(0, usize::saturating_add)
    }

    /// The sink.
    pub fn sink(&mut self) -> &mut S {
        &mut self.sink
    }

    /// Bytes that all flows hold.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.scratch.held
    }

    /// Takes the next segment of the shard.
    #[inline]
    pub fn segment(&mut self, packet: &Packet, payload: &[u8], frame: FrameRef<'_>, segment: u32, ledger: &mut Ledger) {
        self.tick(packet.ts);
        self.last = Some((frame.source, frame.interface, packet.ts));
        match packet.transport {
            Transport::Tcp => {
                ledger.count(Counter::TcpSegments);
                self.tcp_segment(packet, payload, frame, segment, ledger);
            }
            Transport::Udp => {
                ledger.count(Counter::UdpDatagrams);
                self.udp_datagram(packet, payload, frame, segment, ledger);
            }
        }
        if packet.payload_missing > 0 {
            ledger.count(Counter::PayloadCut);
        }
    }

    /// The shard's clock follows packet time, but one packet from the future
    /// moves it by a minute at most, so that it cannot expire everything.
    fn tick(&mut self, ts: Timestamp) {
        if ts > self.now {
            self.now = if self.now.0 == i64::MIN { ts } else { ts.min(self.now.plus(60 * SECOND)) };
        }
    }

    #[inline]
    fn tcp_segment(&mut self, p: &Packet, payload: &[u8], frame: FrameRef<'_>, segment: u32, ledger: &mut Ledger) {
        let (key, from_low) = FlowKey::of(p, segment);
        let Engine { sink, tcp, dns, scratch, .. } = self;
        let at = At { packet: p, payload, frame, segment, from_client: true };
        match tcp.touch(&key, self.now) {
            Some(flow) => flow.segment(at, from_low, &mut tcp::Context { sink, ledger, scratch, dns }),
            // Acknowledgements and ends of flows that are not known tell nothing.
            None if !tcp::is_syn(&at) && (payload.is_empty() || p.flags & RST != 0) => return,
            None => {
                ledger.count(Counter::Flows);
                if !tcp::is_syn(&at) {
                    ledger.count(Counter::FlowsMidStream);
                }
                let mut flow = Tcp::new(&at, from_low);
                flow.segment(at, from_low, &mut tcp::Context { sink, ledger, scratch, dns });
                tcp.insert(key, flow, self.now, |old, why| {
                    if why == Gone::Full {
                        ledger.count(Counter::FlowsEvicted);
                    }
                    old.close(sink, ledger, scratch);
                });
            }
        }
        if self.scratch.begins_to_hold || self.scratch.held > self.max_held {
            self.relieve(key, ledger);
        }
    }

    #[inline]
    fn udp_datagram(&mut self, p: &Packet, payload: &[u8], frame: FrameRef<'_>, segment: u32, ledger: &mut Ledger) {
        let Engine { sink, udp, dns, scratch, budget, .. } = self;
        let mut at = At { packet: p, payload, frame, segment, from_client: true };
        if dns::names_hosts(p.sport) {
            dns.host_name(payload, &at, sink, ledger);
        }
        if is_group_naming(p) {
            return;
        }
        if p.sport == 53 || p.dport == 53 {
            at.from_client = p.dport == 53;
            if dns.message(payload, &at, sink, ledger) {
                sink.present(&at, ledger);
                return;
            }
        }
        budget.refill(p.ts);
        let (key, from_low) = FlowKey::of(p, segment);
        match udp.touch(&key, self.now) {
            Some(flow) => flow.datagram(at, from_low, &mut udp::Context { sink, ledger, scratch, dns, budget }),
            None => {
                ledger.count(Counter::Flows);
                let mut flow = Udp::new(&at, from_low);
                flow.datagram(at, from_low, &mut udp::Context { sink, ledger, scratch, dns, budget });
                udp.insert(key, flow, self.now, |old, why| {
                    if why == Gone::Full {
                        ledger.count(Counter::FlowsEvicted);
                    }
                    old.close(sink, ledger, scratch);
                });
            }
        }
        if self.scratch.begins_to_hold || self.scratch.held > self.max_held {
            self.relieve(key, ledger);
        }
    }

    /// Keeps what flows hold below the cap: those that have held the longest
    /// give up first, so that half messages do not keep out whole ones.
    #[cold]
    fn relieve(&mut self, key: FlowKey, ledger: &mut Ledger) {
        let Engine { tcp, udp, scratch, holders, .. } = self;
        let mut crowded = false;
        if std::mem::take(&mut scratch.begins_to_hold) {
            holders.tidy(|key| match key.transport() {
                Transport::Tcp => tcp.find(key).is_some_and(Tcp::still_holds),
                Transport::Udp => udp.find(key).is_some_and(Udp::still_holds),
            });
            crowded = holders.add(key);
        }
        while crowded || scratch.held > self.max_held {
            crowded = false;
            let Some(key) = holders.pop() else { return };
            let held = scratch.held;
            match key.transport() {
                Transport::Tcp => {
                    if let Some(flow) = tcp.find(&key) {
                        flow.let_go(scratch);
                    }
                }
                Transport::Udp => {
                    if let Some(flow) = udp.find(&key) {
                        flow.let_go(ledger, scratch);
                    }
                }
            }
            if scratch.held < held {
                ledger.count(Counter::StreamsEvicted);
            }
        }
    }

    /// Forgets what has been idle too long at `now`; a live sensor calls it
    /// when traffic pauses.
    pub fn expire(&mut self, now: Timestamp, ledger: &mut Ledger) {
        self.now = self.now.max(now);
        self.turn_to_last(ledger);
        let Engine { sink, tcp, udp, scratch, .. } = self;
        tcp.expire(self.now, |flow| flow.close(sink, ledger, scratch));
        udp.expire(self.now, |flow| flow.close(sink, ledger, scratch));
    }

    /// What flows count as they end without a packet belongs where the shard's
    /// last packet did, whatever other shards share the ledger.
    fn turn_to_last(&self, ledger: &mut Ledger) {
        if let Some((source, interface, ts)) = self.last {
            ledger.turn_to(Key { source, interface, quarter: ts.quarter() });
        }
    }

    /// Ends every flow and forgets every question: what follows is another
    /// capture, in which the same ports and numbers mean something else.
    pub fn start_anew(&mut self, ledger: &mut Ledger) {
        self.turn_to_last(ledger);
        let Engine { sink, tcp, udp, scratch, .. } = self;
        tcp.drain(|flow| flow.close(sink, ledger, scratch));
        udp.drain(|flow| flow.close(sink, ledger, scratch));
        debug_assert_eq!(scratch.held, 0, "flows that are gone hold nothing");
        self.dns = Dns::new();
        self.budget.start_anew();
        self.now = Timestamp(i64::MIN);
    }

    /// Ends every flow, and hands back the sink.
    pub fn finish(mut self, ledger: &mut Ledger) -> S {
        self.start_anew(ledger);
        self.sink
    }
}
