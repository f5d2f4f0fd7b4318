//! DNS questions that wait for their answer.

use super::events::{At, DnsKind, Notes, Seen, Sink};
use crate::base::Timestamp;
use crate::base::time::SECOND;
use crate::coverage::{Counter, Ledger};
use crate::packet::Transport;
use crate::protocol::dns::{Message, may_be_message};
use foldhash::fast::RandomState;
use std::hash::{BuildHasher, Hasher};

/// An answer that comes later than this answers nothing.
const PATIENCE: i64 = 30 * SECOND;
/// Questions remembered in each of two generations.
const GENERATION: usize = 3584;

/// A question that was asked.
#[derive(Clone, Copy)]
struct Asked {
    at: Timestamp,
    answered: bool,
}

/// Remembers questions by a hash of ends, id and names. When a generation is
/// full the one before it is forgotten; so at least the last 3,584 questions
/// are known.
pub(super) struct Dns {
    message: Message,
    state: RandomState,
    young: hashbrown::HashMap<u64, Asked, RandomState>,
    old: hashbrown::HashMap<u64, Asked, RandomState>,
}

/// Whether the capture holds only a part of a datagram. Of a stream the frame
/// at hand may hold more than the message.
fn is_cut(at: &At<'_>) -> bool {
    at.packet.payload_missing > 0 && at.packet.transport == Transport::Udp
}

impl Dns {
    pub(super) fn new() -> Self {
        Dns {
            message: Message::default(),
            state: RandomState::default(),
            young: hashbrown::HashMap::default(),
            old: hashbrown::HashMap::default(),
        }
    }

    /// Reads a message and tells the sink. False if it is no DNS.
    pub(super) fn message<S: Sink>(&mut self, bytes: &[u8], at: &At<'_>, sink: &mut S, ledger: &mut Ledger) -> bool {
        let is_dns = self.read(bytes, at, sink, ledger, false);
        if !is_dns {
            ledger.count(if is_cut(at) { Counter::DnsCut } else { Counter::DnsNot });
        }
        is_dns
    }

    /// Reads a message from a port that is not known for DNS, where structure
    /// alone must tell. False if it does not.
    pub(super) fn guess<S: Sink>(&mut self, bytes: &[u8], at: &At<'_>, sink: &mut S, ledger: &mut Ledger) -> bool {
        may_be_message(bytes) && self.read(bytes, at, sink, ledger, true)
    }

    /// A question that is known was seen nearer to its client: its answer is
    /// awaited there.
    pub(super) fn ask_there(&mut self, bytes: &[u8], at: &At<'_>, ledger: &mut Ledger) {
        let mut message = std::mem::take(&mut self.message);
        if message.parse(bytes) && !message.response {
            self.kind(&message, at, ledger);
        }
        self.message = message;
    }

    fn read<S: Sink>(&mut self, bytes: &[u8], at: &At<'_>, sink: &mut S, ledger: &mut Ledger, strict: bool) -> bool {
        let mut message = std::mem::take(&mut self.message);
        let is_dns = message.parse(bytes) && (!strict || message.is_certain_anywhere());
        if is_dns {
            ledger.count(Counter::DnsMessages);
            if is_cut(at) {
                ledger.count(Counter::DnsCut);
            }
            if message.malformed && at.packet.payload_missing == 0 {
                ledger.count(Counter::DnsMalformed);
            }
            let kind = self.kind(&message, at, ledger);
            if kind == DnsKind::Unsolicited {
                ledger.count(Counter::DnsUnsolicited);
            }
            let notes = Notes::NONE.with_if(message.malformed, super::Note::PartialMessage);
            // The sender of a query is the client, whatever its port.
            let at = At { from_client: kind == DnsKind::Query, ..*at };
            sink.seen(&at, &Seen::Dns(&message, kind), notes, &mut None, ledger);
        }
        self.message = message;
        is_dns
    }

    fn kind(&mut self, message: &Message, at: &At<'_>, ledger: &mut Ledger) -> DnsKind {
        let (p, ts) = (at.packet, at.packet.ts);
        if message.questions.is_empty() {
            return if message.response { DnsKind::Unsolicited } else { DnsKind::Query };
        }
        let mut h = self.state.build_hasher();
        let (client, server) =
            if message.response { ((p.dst, p.dport), (p.src, p.sport)) } else { ((p.src, p.sport), (p.dst, p.dport)) };
        h.write(&client.0.0);
        h.write(&server.0.0);
        h.write_u64(u64::from(client.1) << 48 | u64::from(server.1) << 32 | u64::from(message.id) << 16);
        for question in &message.questions {
            h.write_u64(u64::from(at.segment) << 16 | u64::from(question.qtype));
            h.write(message.name(question.name).as_bytes());
        }
        let key = h.finish();
        if !message.response {
            if self.young.len() >= GENERATION {
                let open = |a: &&Asked| !a.answered && ts.since(a.at).abs() <= PATIENCE;
                ledger.add(Counter::DnsQuestionsEvicted, self.old.values().filter(open).count() as u64);
                self.old = std::mem::take(&mut self.young);
            }
            self.young.insert(key, Asked { at: ts, answered: false });
            return DnsKind::Query;
        }
        let asked = match self.young.get_mut(&key) {
            Some(asked) => Some(asked),
            None => self.old.get_mut(&key),
        };
        match asked {
            Some(asked) if ts.since(asked.at).abs() <= PATIENCE => {
                asked.answered = true;
                DnsKind::Answer
            }
            _ => DnsKind::Unsolicited,
        }
    }
}
