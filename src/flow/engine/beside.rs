//! Two flows between the same ends and ports, each read as if it were alone.

use super::{Came, Engine};
use crate::coverage::{Counter, Ledger};
use crate::flow::duplicates::Reasons;
use crate::flow::events::{At, Sink};
use crate::flow::table::{FlowKey, Gone};
use crate::flow::tcp::{self, Tcp};
use crate::packet::tcp_flags::{ACK, RST, SYN};

impl<S: Sink> Engine<S> {
    /// A segment between ends that have two flows: it is of the one that its
    /// numbers fit better, and of both where they fit both alike.
    #[cold]
    #[inline(never)]
    pub(super) fn tcp_either(
        &mut self,
        at: At<'_>,
        key: &FlowKey,
        from_low: bool,
        came: Came<'_>,
        ledger: &mut Ledger,
    ) {
        let p = at.packet;
        let other = key.beside();
        let asks = |flow: &Tcp| (flow.reason(p, from_low), flow.distance(p, from_low));
        let beside = self.tcp.touch(&other, self.now).map(|(_, flow)| (asks(flow), flow.is_left(p.ts)));
        let Some(flow) = self.tcp.find(key) else { return };
        let (reasons, here) = asks(flow);
        flow.set_beside(beside.is_some_and(|(_, left)| !left));
        let (more, there) = beside.map_or((Reasons::NONE, u64::MAX), |(asked, _)| asked);
        let reasons = reasons | more;
        if reasons != Reasons::NONE && self.is_copy(&at, came, reasons, ledger) {
            return;
        }
        // A SYN is of that beside only if it repeats its own.
        let is_syn = p.flags & (SYN | ACK) == SYN;
        if there < here && (!is_syn || there == 0) {
            if self.turn(at, &other, from_low, ledger) {
                return;
            }
            if !self.turn(at, key, from_low, ledger) {
                self.begin_beside(at, key, from_low, ledger);
            }
            return;
        }
        let taken = self.turn(at, key, from_low, ledger);
        let wanted = if taken { there == here } else { beside.is_some() && !is_syn };
        let taken = wanted && self.turn(at, &other, from_low, ledger) || taken;
        if !taken {
            self.begin_beside(at, key, from_low, ledger);
        }
    }

    /// A segment that the flow of `key` did not take, or that began another in
    /// its place.
    #[cold]
    #[inline(never)]
    pub(super) fn tcp_beside(&mut self, at: At<'_>, key: &FlowKey, from_low: bool, ledger: &mut Ledger) {
        if self.settle(key, ledger) || at.packet.flags & (SYN | ACK) == SYN {
            return;
        }
        let other = key.beside();
        let known = self.tcp.touch(&other, self.now).is_some();
        if !(known && self.turn(at, &other, from_low, ledger)) {
            self.begin_beside(at, key, from_low, ledger);
        } else if let Some(flow) = self.tcp.find(key) {
            flow.set_beside(true);
        }
    }

    /// Gives a segment to one of the two flows. Whether it takes it.
    fn turn(&mut self, at: At<'_>, key: &FlowKey, from_low: bool, ledger: &mut Ledger) -> bool {
        let Engine { sink, tcp, dns, scratch, .. } = self;
        let Some(flow) = tcp.find(key) else { return false };
        let taken = flow.segment(at, from_low, &mut tcp::Context { sink, ledger, scratch, dns });
        self.settle(key, ledger) || taken
    }

    /// Files the flow that the one of `key` has displaced, if there is one.
    fn settle(&mut self, key: &FlowKey, ledger: &mut Ledger) -> bool {
        let displaced = self.scratch.displaced.take();
        let is_one = displaced.is_some();
        let begins = std::mem::take(&mut self.scratch.begins_to_hold);
        if let Some(flow) = displaced {
            self.file_beside(key, *flow, ledger);
        }
        self.scratch.begins_to_hold = begins;
        if begins || self.scratch.held > self.max_held {
            self.relieve(*key, ledger);
        }
        is_one
    }

    /// Begins a flow beside that of `key`, if the segment begins a message.
    fn begin_beside(&mut self, at: At<'_>, key: &FlowKey, from_low: bool, ledger: &mut Ledger) {
        if at.packet.flags & (SYN | RST) != 0 || !tcp::begins_message(&at) {
            return;
        }
        let Engine { sink, tcp, dns, scratch, .. } = self;
        let Some(main) = tcp.find(key) else { return };
        main.set_beside(true);
        let mut flow = main.twin(&at, from_low);
        tcp::count_flow(&at, ledger);
        if flow.is_mid_stream() {
            ledger.count(Counter::FlowsMidStream);
        }
        if key.is_sampled() {
            flow.sample();
        }
        flow.segment(at, from_low, &mut tcp::Context { sink, ledger, scratch, dns });
        self.scratch.begins_to_hold = false;
        self.file_beside(key, flow, ledger);
    }

    /// Files a flow beside that of `key`. There is room for one: what the sink
    /// follows is kept, else the newer.
    fn file_beside(&mut self, key: &FlowKey, mut flow: Tcp, ledger: &mut Ledger) {
        let other = key.beside();
        let Engine { sink, tcp, scratch, .. } = self;
        let stays = tcp.find(&other).is_some_and(|old| old.is_followed() && !flow.is_followed());
        if key.is_beside() || stays {
            ledger.count(Counter::FlowsEvicted);
            return flow.close(sink, ledger, scratch);
        }
        if let Some(old) = tcp.remove(&other) {
            if !old.is_left(self.now) {
                ledger.count(Counter::FlowsEvicted);
            }
            old.close(sink, ledger, scratch);
        }
        let holds = flow.still_holds();
        tcp.insert(other, flow, self.now, |old, why| {
            if why == Gone::Full {
                ledger.count(Counter::FlowsEvicted);
            }
            old.close(sink, ledger, scratch);
        });
        if holds {
            self.scratch.begins_to_hold = true;
            self.relieve(other, ledger);
        }
    }
}
