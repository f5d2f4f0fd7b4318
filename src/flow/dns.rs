//! DNS questions that wait for their answer.

use super::early::Early;
use super::events::{At, DnsKind, Note, Notes, Seen, Sink};
use crate::base::time::SECOND;
use crate::base::{Name, NameSource, Timestamp};
use crate::coverage::{Counter, Ledger};
use crate::packet::Transport;
use crate::protocol::dns::{Message, may_be_message, nbns_name};
use foldhash::fast::RandomState;
use std::hash::{BuildHasher, Hasher};

/// An answer that comes later than this answers nothing.
const PATIENCE: i64 = 30 * SECOND;
/// Questions remembered in each of two generations.
const GENERATION: usize = 3584;

/// Ports of multicast DNS, LLMNR and the NetBIOS name service.
const MDNS: u16 = 5353;
const LLMNR: u16 = 5355;
const NBNS: u16 = 137;

/// Whether hosts send their own names from this port.
#[inline]
pub(super) fn names_hosts(sport: u16) -> bool {
    matches!(sport, MDNS | LLMNR | NBNS)
}

/// A question that was asked: when, in nanoseconds, with the last bit of that
/// set once it was answered. There are many of them.
#[derive(Clone, Copy)]
struct Asked(i64);

impl Asked {
    fn new(at: Timestamp) -> Self {
        Asked(at.0 & !1)
    }

    fn at(self) -> Timestamp {
        Timestamp(self.0)
    }

    fn is_answered(self) -> bool {
        self.0 & 1 == 1
    }

    fn answer(&mut self) {
        self.0 |= 1;
    }
}

/// Remembers questions by a hash of ends, id and names. When a generation is
/// full the one before it is forgotten; so at least the last 3,584 questions
/// are known.
pub(super) struct Dns {
    message: Message,
    state: RandomState,
    young: hashbrown::HashMap<u64, Asked, RandomState>,
    old: hashbrown::HashMap<u64, Asked, RandomState>,
    early: Early,
    name: Name,
}

/// Whether the capture holds only a part of a datagram. Of a stream the frame
/// at hand may hold more than the message.
fn is_cut(at: &At<'_>) -> bool {
    at.packet.payload_missing > 0 && at.packet.transport == Transport::Udp
}

impl Dns {
    /// Most bytes of both generations.
    pub(super) const MOST_BYTES: usize = 2 * (GENERATION * 8 / 7) * (size_of::<(u64, Asked)>() + 1);

    pub(super) fn new() -> Self {
        Dns {
            message: Message::default(),
            state: RandomState::default(),
            young: hashbrown::HashMap::default(),
            old: hashbrown::HashMap::default(),
            early: Early::default(),
            name: Name::new(),
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

    /// Tells what a datagram from a port that [`names_hosts`] says of its
    /// sender's own name.
    #[cold]
    pub(super) fn host_name<S: Sink>(&mut self, bytes: &[u8], at: &At<'_>, sink: &mut S, ledger: &mut Ledger) {
        if at.packet.payload_missing > 0 {
            return;
        }
        let Dns { message, name, .. } = self;
        let sender = &at.packet.src;
        let told = match at.packet.sport {
            NBNS => nbns_name(bytes, sender, name).then(|| (name.as_str(), NameSource::Nbns)),
            _ if !message.parse(bytes) => None,
            MDNS => message.mdns_name(sender).map(|name| (name, NameSource::Mdns)),
            _ => {
                let flags = bytes.get(2).copied().unwrap_or(0);
                message.llmnr_name(flags, sender).map(|name| (name, NameSource::Llmnr))
            }
        };
        if let Some((name, told)) = told {
            let at = At { from_client: true, ..*at };
            sink.seen(&at, &Seen::Host { name, told }, Notes::NONE, &mut None, ledger);
        }
    }

    /// Whether bytes from such a port are a whole message beyond doubt.
    pub(super) fn is_certain(&mut self, bytes: &[u8]) -> bool {
        may_be_message(bytes) && self.message.parse(bytes) && self.message.is_certain_anywhere()
    }

    /// A question that is known was seen nearer to its client: its answer is
    /// awaited there.
    pub(super) fn ask_there(&mut self, bytes: &[u8], at: &At<'_>, ledger: &mut Ledger) {
        let mut message = std::mem::take(&mut self.message);
        if message.parse(bytes) && !message.response {
            let key = self.key(&message, at);
            self.kind(&message, key, at, ledger);
        }
        self.message = message;
    }

    fn read<S: Sink>(&mut self, bytes: &[u8], at: &At<'_>, sink: &mut S, ledger: &mut Ledger, strict: bool) -> bool {
        let mut message = std::mem::take(&mut self.message);
        let is_dns = message.parse(bytes) && (!strict || message.is_certain_anywhere());
        if is_dns {
            ledger.count(Counter::DnsMessages);
            if message.response {
                ledger.count(Counter::DnsAnswers);
            }
            if is_cut(at) {
                ledger.count(Counter::DnsCut);
            }
            if message.malformed && at.packet.payload_missing == 0 {
                ledger.count(Counter::DnsMalformed);
            }
            let key = self.key(&message, at);
            let kind = self.kind(&message, key, at, ledger);
            // Only the first message of a zone transfer must repeat the question
            // (RFC 5936 section 2.2.1).
            let goes_on = message.questions.is_empty() && at.packet.transport == Transport::Tcp;
            if kind == DnsKind::Unsolicited && !goes_on {
                ledger.count(Counter::DnsUnsolicited);
            }
            if message.ech {
                ledger.count(Counter::DnsEch);
            }
            let notes = Notes::NONE
                .with_if(at.packet.conflict, Note::Conflict)
                .with_if(message.malformed, Note::PartialMessage)
                .with_if(kind == DnsKind::Unsolicited, Note::Unsolicited);
            // The sender of a query is the client, whatever its port.
            let at = At { from_client: kind == DnsKind::Query, ..*at };
            sink.seen(&at, &Seen::Dns(&message, kind), notes, &mut None, ledger);
            match kind {
                DnsKind::Unsolicited if !message.questions.is_empty() => self.early.keep(key, bytes, &at),
                DnsKind::Query => self.tell_early(key, &mut message, &at, sink, ledger),
                _ => {}
            }
        }
        self.message = message;
        is_dns
    }

    /// Tells an answer that came just before this question. It is parsed into
    /// `message`, which nobody needs any more.
    #[inline(never)]
    fn tell_early<S: Sink>(&mut self, key: u64, message: &mut Message, at: &At<'_>, sink: &mut S, ledger: &mut Ledger) {
        let Dns { early, young, .. } = self;
        early.take(key, at.packet.ts, |bytes, at| {
            if !message.parse(bytes) {
                return;
            }
            ledger.count(Counter::DnsEarly);
            let notes = Notes::NONE.with_if(message.malformed, Note::PartialMessage);
            sink.seen(at, &Seen::Dns(message, DnsKind::Early), notes, &mut None, ledger);
            if let Some(asked) = young.get_mut(&key) {
                asked.answer();
            }
        });
    }

    /// Hash of what a question and its answer have in common.
    fn key(&self, message: &Message, at: &At<'_>) -> u64 {
        let p = at.packet;
        let mut h = self.state.build_hasher();
        let (client, server) =
            if message.response { ((p.dst, p.dport), (p.src, p.sport)) } else { ((p.src, p.sport), (p.dst, p.dport)) };
        h.write(&client.0.0);
        h.write(&server.0.0);
        let ports = u64::from(client.1) << 48 | u64::from(server.1) << 32;
        h.write_u64(ports | u64::from(message.id) << 16 | u64::from(message.opcode));
        for question in &message.questions {
            h.write_u64(u64::from(at.segment) << 16 | u64::from(question.qtype));
            h.write(message.name(question.name).as_bytes());
        }
        h.finish()
    }

    fn kind(&mut self, message: &Message, key: u64, at: &At<'_>, ledger: &mut Ledger) -> DnsKind {
        let ts = at.packet.ts;
        if message.questions.is_empty() {
            return if message.response { DnsKind::Unsolicited } else { DnsKind::Query };
        }
        if !message.response {
            if self.young.len() >= GENERATION {
                let open = |a: &&Asked| !a.is_answered() && ts.since(a.at()).abs() <= PATIENCE;
                ledger.add(Counter::DnsQuestionsEvicted, self.old.values().filter(open).count() as u64);
                self.old = std::mem::take(&mut self.young);
            }
            self.young.insert(key, Asked::new(ts));
            return DnsKind::Query;
        }
        let asked = match self.young.get_mut(&key) {
            Some(asked) => Some(asked),
            None => self.old.get_mut(&key),
        };
        match asked {
            Some(asked) if ts.since(asked.at()).abs() <= PATIENCE => {
                asked.answer();
                DnsKind::Answer
            }
            _ => DnsKind::Unsolicited,
        }
    }
}
