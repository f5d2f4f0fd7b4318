//! The state of one shard, and the way of a segment through it.

mod beside;

use super::checksum;
use super::dns::{self, Dns};
use super::duplicates::{Arrival, Duplicates, Judgement, Place, Reasons, Verdict, sender_is_client};
use super::early::Early;
use super::events::{At, FrameRef, Sink};
use super::headers::Headers;
use super::holders::Holders;
use super::options::Orders;
use super::table::{FlowKey, Gone, Table};
use super::tcp::{self, Tcp};
use super::udp::{self, Udp};
use crate::base::time::SECOND;
use crate::base::{Addr, Budget, Name, Timestamp};
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
        Limits { tcp_flows: 3072, udp_flows: 1536, held_bytes: 320 << 10, quic_keys: 1000 }
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
    /// Orders of options in SYNs.
    pub(super) orders: Orders,
    /// Bytes that all flows hold.
    pub(super) held: usize,
    /// The flow at work began to hold bytes.
    pub(super) begins_to_hold: bool,
    /// TCP flows of the sample for capture loss that are under way.
    pub(super) sampled: u32,
    /// Flows whose capture loss is reckoned.
    pub(super) reckoned: u32,
    /// The flow in whose place the flow at work began another.
    pub(super) displaced: Option<Box<Tcp>>,
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

/// Nanoseconds that one packet moves a shard's clock at most.
const MAX_LEAP: i64 = 60 * SECOND;

/// A packet and its segment as they came, before they are taken to be near
/// their client.
type Came<'a> = (&'a Packet, u32);

/// What there is of a segment's flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// The flow, to which the segment says nothing.
    Passed,
    /// The flow, at this place of the table.
    Flow(u32),
    /// No flow, or it was not looked for.
    Nothing,
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
    duplicates: Duplicates,
    max_held: usize,
    /// The shard's own clock, by which flows are idle.
    now: Timestamp,
    /// Packet time that the clock has followed to.
    mark: Timestamp,
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
            duplicates: Duplicates::new(),
            max_held: limits.held_bytes,
            now: Timestamp(i64::MIN),
            mark: Timestamp(i64::MIN),
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
            Orders::MOST_BYTES,
            Early::MOST_BYTES,
            Duplicates::MOST_BYTES,
            tcp::MOST_RECKONED_BYTES,
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

    /// Takes the next segment of the shard, captured by that interface of that
    /// source. Its payload and frame are asked for if anything of them is read.
    #[inline]
    pub fn segment<'f>(
        &mut self,
        packet: &Packet,
        segment: u32,
        (source, interface): (u32, u16),
        ledger: &mut Ledger,
        bytes: impl FnOnce() -> (&'f [u8], FrameRef<'f>),
    ) {
        self.tick(packet.ts);
        self.last = Some((source, interface, packet.ts));
        if packet.payload_missing > 0 {
            ledger.count(Counter::PayloadCut);
        }
        let is_near = self.duplicates.knows_neither(packet);
        let mut found = Found::Nothing;
        if is_near && packet.transport == Transport::Tcp {
            found = self.find_tcp(packet, segment);
            if found == Found::Passed {
                ledger.count(Counter::TcpSegments);
                return;
            }
        }
        let (payload, frame) = bytes();
        let at = At { packet, payload, frame, segment, from_client: true, moved: false };
        if is_near {
            self.take(at, (packet, segment), found, ledger);
        } else {
            self.take_nearer(at, ledger);
        }
    }

    #[inline(always)]
    fn take(&mut self, at: At<'_>, came: Came<'_>, found: Found, ledger: &mut Ledger) {
        match at.packet.transport {
            Transport::Tcp => {
                ledger.count(Counter::TcpSegments);
                self.tcp_segment(at, came, found, ledger);
            }
            Transport::Udp => {
                ledger.count(Counter::UdpDatagrams);
                self.udp_datagram(at, came, ledger);
            }
        }
    }

    /// Looks for the flow of a segment, and lets the segment pass by if nothing
    /// of it is read.
    #[inline(never)] // amid a worker's loop it would have no registers
    fn find_tcp(&mut self, p: &Packet, segment: u32) -> Found {
        let (key, from_low) = FlowKey::of(p, segment);
        match self.tcp.touch(&key, self.now) {
            Some((place, flow)) => {
                if flow.passes_by(p, from_low) {
                    Found::Passed
                } else {
                    Found::Flow(place)
                }
            }
            None => Found::Nothing,
        }
    }

    /// Takes a packet as it was near its client, if it was captured further
    /// away.
    #[inline(never)]
    fn take_nearer(&mut self, at: At<'_>, ledger: &mut Ledger) {
        let came = (at.packet, at.segment);
        let client_sent = sender_is_client(at.packet, |a| self.sink.is_home(a));
        let nearer = self.duplicates.nearer(at.packet, at.segment, client_sent);
        let at = match &nearer {
            Some((packet, segment)) => At { packet, segment: *segment, moved: true, ..at },
            None => at,
        };
        let found = match at.packet.transport {
            Transport::Tcp => self.find_tcp(at.packet, at.segment),
            Transport::Udp => Found::Nothing,
        };
        if found == Found::Passed {
            return ledger.count(Counter::TcpSegments);
        }
        self.take(at, came, found, ledger);
    }

    /// The shard's clock runs as packet time does, but a leap ahead moves it by
    /// a minute at most, so that neither one packet from the future nor the
    /// first one after a quiet night expires flows that are busy.
    #[inline]
    fn tick(&mut self, ts: Timestamp) {
        if let Some(ahead @ 0..=MAX_LEAP) = ts.0.checked_sub(self.mark.0)
            && let Some(now) = self.now.0.checked_add(ahead)
        {
            (self.now, self.mark) = (Timestamp(now), ts);
        } else {
            self.run_clock(ts, MAX_LEAP);
        }
    }

    #[cold]
    fn run_clock(&mut self, ts: Timestamp, most: i64) {
        if self.now.0 == i64::MIN {
            (self.now, self.mark) = (ts, ts);
        }
        let ahead = ts.since(self.mark);
        if ahead > 0 {
            self.now = self.now.plus(ahead.min(most));
            self.mark = ts;
        } else if ahead < -MAX_LEAP {
            self.mark = ts; // from here on time runs again
        }
    }

    #[inline]
    fn tcp_segment(&mut self, at: At<'_>, came: Came<'_>, found: Found, ledger: &mut Ledger) {
        let p = at.packet;
        let (key, from_low) = FlowKey::of(p, at.segment);
        let Engine { sink, tcp, dns, scratch, .. } = self;
        let flow = if let Found::Flow(place) = found { tcp.at(place) } else { None };
        match flow {
            Some(flow) if flow.has_beside() => self.tcp_either(at, &key, from_low, came, ledger),
            Some(flow) => {
                let reasons = flow.reason(p, from_low);
                let taken = if reasons == Reasons::NONE {
                    flow.segment(at, from_low, &mut tcp::Context { sink, ledger, scratch, dns })
                } else {
                    self.tcp_compared(at, &key, from_low, came, reasons, ledger)
                };
                if !taken {
                    self.tcp_beside(at, &key, from_low, ledger);
                }
            }
            // Acknowledgements and ends of flows that are not known tell nothing. What
            // was cut to its headers is neither.
            None if !tcp::is_syn(&at) && (p.payload_len | p.payload_missing == 0 || p.flags & RST != 0) => return,
            None => {
                if self.is_copy(&at, came, Self::of_new(&key), ledger) {
                    return;
                }
                self.tcp_flow(at, key, from_low, ledger);
            }
        }
        if self.scratch.begins_to_hold || self.scratch.held > self.max_held {
            self.relieve(key, ledger);
        }
    }

    /// A segment of a known flow that is read unless it is a copy. False if it
    /// is not of that flow. Apart, so that what nobody reads takes a short way.
    #[inline(never)]
    fn tcp_compared(
        &mut self,
        at: At<'_>,
        key: &FlowKey,
        from_low: bool,
        came: Came<'_>,
        reasons: Reasons,
        ledger: &mut Ledger,
    ) -> bool {
        if self.is_copy(&at, came, reasons, ledger) {
            return true;
        }
        let Engine { sink, tcp, dns, scratch, .. } = self;
        tcp.find(key).is_none_or(|flow| flow.segment(at, from_low, &mut tcp::Context { sink, ledger, scratch, dns }))
    }

    /// Begins a TCP flow.
    #[inline(never)]
    fn tcp_flow(&mut self, at: At<'_>, key: FlowKey, from_low: bool, ledger: &mut Ledger) {
        let Engine { sink, tcp, dns, scratch, .. } = self;
        tcp::count_flow(&at, ledger);
        if !tcp::is_syn(&at) {
            ledger.count(Counter::FlowsMidStream);
        }
        let mut flow = Tcp::new(&at, from_low);
        if key.is_sampled() {
            flow.sample();
        }
        flow.segment(at, from_low, &mut tcp::Context { sink, ledger, scratch, dns });
        tcp.insert(key, flow, self.now, |old, why| {
            if why == Gone::Full {
                ledger.count(Counter::FlowsEvicted);
            }
            old.close(sink, ledger, scratch);
        });
    }

    #[inline]
    fn udp_datagram(&mut self, mut at: At<'_>, came: Came<'_>, ledger: &mut Ledger) {
        let p = at.packet;
        if dns::names_hosts(p.sport) {
            self.dns.host_name(at.payload, &at, &mut self.sink, ledger);
        }
        if is_group_naming(p) {
            return;
        }
        let mut compared = false;
        if p.sport == 53 || p.dport == 53 {
            at.from_client = p.dport == 53;
            if self.is_copy(&at, came, Reasons::DECODED, ledger) {
                return;
            }
            compared = true;
            if self.dns.message(at.payload, &at, &mut self.sink, ledger) {
                self.sink.present(&at, ledger);
                return;
            }
            at.from_client = true;
        }
        self.budget.refill(p.ts);
        let (key, from_low) = FlowKey::of(p, at.segment);
        let Engine { sink, udp, dns, scratch, budget, .. } = self;
        match udp.touch(&key, self.now) {
            Some((_, flow)) => {
                let reasons = if compared { Reasons::NONE } else { flow.reason(at.payload) };
                if reasons == Reasons::NONE {
                    flow.datagram(at, from_low, &mut udp::Context { sink, ledger, scratch, dns, budget });
                } else {
                    self.udp_compared(at, &key, from_low, came, reasons, ledger);
                }
            }
            None => {
                if !compared && self.is_copy(&at, came, Self::of_new(&key), ledger) {
                    return;
                }
                self.udp_flow(at, key, from_low, ledger);
            }
        }
        if self.scratch.begins_to_hold || self.scratch.held > self.max_held {
            self.relieve(key, ledger);
        }
    }

    /// The same for a datagram.
    #[inline(never)]
    fn udp_compared(
        &mut self,
        at: At<'_>,
        key: &FlowKey,
        from_low: bool,
        came: Came<'_>,
        reasons: Reasons,
        ledger: &mut Ledger,
    ) {
        if !self.is_copy(&at, came, reasons, ledger) {
            let Engine { sink, udp, dns, scratch, budget, .. } = self;
            if let Some(flow) = udp.find(key) {
                flow.datagram(at, from_low, &mut udp::Context { sink, ledger, scratch, dns, budget });
            }
        }
    }

    /// Begins a UDP flow.
    #[inline(never)]
    fn udp_flow(&mut self, at: At<'_>, key: FlowKey, from_low: bool, ledger: &mut Ledger) {
        let Engine { sink, udp, dns, scratch, budget, .. } = self;
        ledger.count(Counter::Flows);
        let mut flow = Udp::new(&at, from_low);
        if key.is_sampled() {
            flow.sample();
        }
        flow.datagram(at, from_low, &mut udp::Context { sink, ledger, scratch, dns, budget });
        udp.insert(key, flow, self.now, |old, why| {
            if why == Gone::Full {
                ledger.count(Counter::FlowsEvicted);
            }
            old.close(sink, ledger, scratch);
        });
    }

    /// Why the first frame of a flow is compared with its copies.
    fn of_new(key: &FlowKey) -> Reasons {
        if key.is_sampled() { Reasons::DECODED | Reasons::SAMPLED } else { Reasons::DECODED }
    }

    /// Whether a frame is a copy of another, which then was read. Counts both
    /// kinds, and checksums.
    #[inline(never)]
    fn is_copy(&mut self, at: &At<'_>, came: Came<'_>, reasons: Reasons, ledger: &mut Ledger) -> bool {
        let p = at.packet;
        let headers = Headers::find(p, at.payload, at.frame.bytes);
        if headers.is_none() && !p.in_arena {
            return false;
        }
        let digest = self.duplicates.digest(at.frame.source, p, at.payload, headers.as_ref());
        let sink = &self.sink;
        let client_sent = || sender_is_client(p, |a| sink.is_home(a));
        let rest = if reasons.any(Reasons::DECODED) { self.duplicates.rest(p, at.payload) } else { None };
        let arrival = Arrival::new(came.0, came.1, rest);
        let Judgement { verdict, holds_more } =
            self.duplicates.judge(digest, arrival, (p.src, p.dst), client_sent, ledger);
        // What a capture cut may have hidden a name.
        let again = holds_more && reasons.any(Reasons::DECODED);
        let is_copy = verdict != Verdict::Fresh;
        if reasons.any(Reasons::SAMPLED) {
            ledger.count(Counter::SampleFrames);
            ledger.add(Counter::DuplicatesSampled, is_copy.into());
        }
        if is_copy && reasons.any(Reasons::DECODED | Reasons::FOLLOWED) {
            ledger.count(Counter::Duplicates);
        }
        if let Some(headers) = headers
            && !is_copy
            && (reasons.any(Reasons::SAMPLED) || p.transport == Transport::Udp && reasons.any(Reasons::DECODED))
        {
            checksum::count(p, at.payload, &headers, ledger);
        }
        if let Verdict::Moved { client, far, near } = verdict {
            return !self.moved(at, client, far, near, ledger) && !again;
        }
        is_copy && !again
    }

    /// What was begun at a far place goes on at the near one. Whether the copy
    /// is to be read there all the same.
    #[cold]
    fn moved(&mut self, at: &At<'_>, client: Addr, far: Place, near: Place, ledger: &mut Ledger) -> bool {
        self.sink.moved(client, far, near, ledger);
        if far.segment == near.segment {
            return false;
        }
        let p = at.packet;
        let there = At { segment: near.segment, from_client: true, moved: true, ..*at };
        let ((old, _), (new, from_low)) = (FlowKey::of(p, far.segment), FlowKey::of(p, near.segment));
        if self.join(&old, &new, ledger) {
            return true;
        }
        let Engine { sink, tcp, udp, dns, scratch, budget, .. } = self;
        let holds = match p.transport {
            Transport::Tcp => tcp.move_to(&old, new).is_some_and(|flow| {
                flow.open_there(there, from_low, &mut tcp::Context { sink, ledger, scratch, dns });
                flow.still_holds()
            }),
            Transport::Udp => udp.move_to(&old, new).is_some_and(|flow| {
                flow.open_there(there, from_low, &mut udp::Context { sink, ledger, scratch, dns, budget });
                flow.still_holds()
            }),
        };
        if holds {
            self.scratch.begins_to_hold = true;
            self.relieve(new, ledger);
        }
        if p.transport == Transport::Udp && p.dport == 53 {
            self.dns.ask_there(at.payload, &there, ledger);
        }
        false
    }

    /// A flow was under way at the near place, and a frame of it came from the
    /// far one first: the flow that was begun there is closed, or the other if
    /// that frame was understood. Whether it is still to be read.
    fn join(&mut self, far: &FlowKey, near: &FlowKey, ledger: &mut Ledger) -> bool {
        let Engine { sink, tcp, udp, scratch, .. } = self;
        match far.transport() {
            Transport::Tcp => {
                if tcp.find(near).is_none() {
                    return false;
                }
                let Some(known) = tcp.find(far).map(|f| f.is_known()) else { return false };
                if let Some(flow) = tcp.remove(if known { near } else { far }) {
                    flow.close(sink, ledger, scratch);
                }
                !known
            }
            Transport::Udp => {
                if udp.find(near).is_none() {
                    return false;
                }
                let Some(known) = udp.find(far).map(|f| f.is_known()) else { return false };
                if let Some(flow) = udp.remove(if known { near } else { far }) {
                    flow.close(sink, ledger, scratch);
                }
                !known
            }
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
        self.run_clock(now, i64::MAX);
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
        self.duplicates = Duplicates::new();
        (self.now, self.mark) = (Timestamp(i64::MIN), Timestamp(i64::MIN));
    }

    /// Ends every flow, and hands back the sink.
    pub fn finish(mut self, ledger: &mut Ledger) -> S {
        self.start_anew(ledger);
        self.sink
    }
}
