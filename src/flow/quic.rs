//! The crypto stream of a QUIC client's Initial packets, and whether another
//! ClientHello follows in it.

use super::engine::Scratch;
use crate::base::Budget;
use crate::coverage::{Counter, Ledger};
use crate::protocol::Probe;
use crate::protocol::quic::{self, ClientKeys, CryptoStream, Kind, LongPacket, Version};
use crate::protocol::tls;

/// A client's datagram with an Initial packet is at least so long (RFC 9000 section 14.1).
pub(super) const FIRST_DATAGRAM: usize = 1200;
/// What a stream costs beside its bytes: keys and buffers.
const HEAD: usize = 1024;
/// What is kept of a ClientHello that was told.
const TOLD: usize = 192;
/// Type and length of a handshake message (RFC 8446 section 4).
const MESSAGE_HEADER: u64 = 4;
/// Type of a ClientHello.
const CLIENT_HELLO: u8 = 1;
/// Places behind missing bytes that are looked at as its beginning.
const MAX_TRIES: usize = 4;

/// What a datagram brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Nothing (yet).
    Nothing,
    /// A ClientHello.
    Hello(Hello),
    /// An Initial packet did not open.
    Refused,
    /// What opened begins with no ClientHello.
    NoHello,
}

/// A ClientHello, whose server name the scratch name holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hello {
    /// It has a server name.
    pub(super) named: bool,
    /// It offers Encrypted Client Hello.
    pub(super) ech: bool,
    /// Fingerprint of the library that made it.
    pub(super) stack: Option<u32>,
    /// It was not read whole, or its fields do not fit.
    pub(super) partial: bool,
    /// What the client said before it was not seen.
    pub(super) late: bool,
    /// What was seen of it begins a hello that could not be read.
    pub(super) lost: bool,
    /// It follows one that was told, in the same stream.
    pub(super) another: bool,
    /// Where it ends in the stream.
    end: u64,
}

/// First packets with keys of their own that are kept side by side: those of
/// a client before and after a Retry, and one that somebody forged.
const MAX_STREAMS: usize = 3;

/// The crypto stream that some keys open.
struct Keyed {
    keys: ClientKeys,
    version: Version,
    dcid: Vec<u8>,
    stream: CryptoStream,
    /// How far the stream came before the client had heard the server.
    turn: u64,
}

/// What is kept of a ClientHello that was told while another one may follow:
/// a server may ask for it (HelloRetryRequest, RFC 8446 section 4.1.4). It
/// comes in the same stream, behind the first (RFC 9001 section 4.1.3), under
/// the same keys. These take a kilobyte; so they are derived once more when an
/// Initial packet comes, which is seldom.
struct Told {
    dcid: Vec<u8>,
    /// Where the hello ended in the stream.
    end: u64,
    /// The stream behind it is one of those that are open.
    goes_on: bool,
}

/// What is known of a client's Initial packets until its handshake goes on.
#[derive(Default)]
pub(super) struct Head {
    /// The one that was opened last is the last.
    streams: Vec<Keyed>,
    told: Option<Told>,
    /// Initial packets came from the lower end, from the higher.
    came: (bool, bool),
}

impl Head {
    /// Whether a packet of this flow was opened, so that its sender is the client.
    pub(super) fn opened(&self) -> bool {
        !self.streams.is_empty() || self.told.is_some()
    }

    /// Whether a ClientHello was told.
    pub(super) fn is_told(&self) -> bool {
        self.told.is_some()
    }

    /// Whether a ClientHello that was not told has begun.
    pub(super) fn has_begun(&self) -> bool {
        self.streams.last().is_some_and(|k| self.told.is_none() || k.stream.held() > 0)
    }

    /// Whether the stream of another connection is open behind a hello that was told.
    pub(super) fn is_of_another(&self) -> bool {
        self.is_told() && self.streams.last().is_some_and(|k| k.stream.base() == 0)
    }

    /// An Initial packet came from that end.
    pub(super) fn came(&mut self, from_low: bool) {
        *(if from_low { &mut self.came.0 } else { &mut self.came.1 }) = true;
    }

    /// Whether the other end sent Initial packets, since the last hello.
    fn is_answered(&self, from_low: bool) -> bool {
        if from_low { self.came.1 } else { self.came.0 }
    }

    /// Whether a datagram behind a hello that was told can be left closed: it is
    /// shorter than a client's (RFC 9000 section 14.1), or to the connection id of
    /// the first while nothing was heard of the server, and so repeats the first.
    pub(super) fn leaves_closed(&self, datagram: &[u8], from_low: bool) -> bool {
        let Some(told) = self.told.as_ref().filter(|_| self.streams.is_empty()) else { return false };
        let same = || quic::long_packet(datagram).is_ok_and(|(packet, _)| packet.dcid == told.dcid);
        datagram.len() < FIRST_DATAGRAM || !self.is_answered(from_low) && same()
    }

    /// Files a hello that is told. Another one may come behind it.
    pub(super) fn tell(&mut self, hello: &Hello) {
        if let Some(Keyed { dcid, .. }) = self.streams.pop() {
            self.told = Some(Told { dcid, end: hello.end, goes_on: false });
        }
        self.streams = Vec::new();
        self.came = (false, false);
    }

    /// The connection id that the last keys came from, or that of the hello that
    /// was told.
    pub(super) fn id(&self) -> &[u8] {
        match (self.streams.last(), &self.told) {
            (Some(k), _) => &k.dcid,
            (None, Some(told)) => &told.dcid,
            (None, None) => &[],
        }
    }

    /// The connection id that the keys of the hello that was told came from.
    pub(super) fn told_id(&self) -> Option<&[u8]> {
        self.told.as_ref().map(|t| &*t.dcid)
    }

    /// Whether CRYPTO frames contradicted each other.
    pub(super) fn conflict(&self) -> bool {
        self.streams.last().is_some_and(|k| k.stream.conflict())
    }

    /// Bytes held.
    pub(super) fn held(&self) -> usize {
        let told = if self.is_told() { TOLD } else { 0 };
        self.streams.iter().map(|k| k.stream.held().saturating_add(HEAD)).fold(told, usize::saturating_add)
    }

    /// Takes a datagram of the supposed client.
    pub(super) fn datagram(
        &mut self,
        datagram: &[u8],
        from_low: bool,
        budget: &mut Budget,
        scratch: &mut Scratch,
        ledger: &mut Ledger,
    ) -> Outcome {
        let mut rest = datagram;
        let mut outcome = Outcome::Nothing;
        while let Ok((packet, after)) = quic::long_packet(rest) {
            rest = after;
            if packet.kind != Kind::Initial || !packet.complete {
                continue;
            }
            ledger.count(Counter::QuicInitials);
            let answered = self.is_answered(from_low);
            match self.open(&packet, answered, budget, scratch, ledger) {
                Some(true) => ledger.count(Counter::QuicOpened),
                Some(false) => {
                    // One failure a datagram is enough: what else is in it
                    // comes from the same hand.
                    return Outcome::Refused;
                }
                None => {
                    ledger.count(Counter::QuicBudget);
                    return outcome;
                }
            }
            let Some(stream) = self.streams.last() else { return outcome };
            outcome = match stream.hello(stream.heard(&packet, answered)) {
                Probe::Found((at, hello)) => return Outcome::Hello(stream.found(at, &hello, scratch)),
                Probe::Not => return Outcome::NoHello,
                Probe::More(_) => Outcome::Nothing,
            }
        }
        outcome
    }

    /// What is at hand of a hello whose rest will not come, if its server name is.
    pub(super) fn partial(&self, scratch: &mut Scratch) -> Option<Hello> {
        let last = self.streams.last()?;
        let hello = tls::partial_client_hello_message(last.stream.contiguous())?;
        let found = last.found(last.stream.base(), &hello, scratch);
        found.named.then_some(found)
    }

    /// Opens a packet with the keys at hand, else with those of its own
    /// destination connection id: a client changes that id after the server's
    /// first packet and keeps the keys, after a Retry it changes both. `None`
    /// if the budget is spent.
    fn open(
        &mut self,
        packet: &LongPacket<'_>,
        answered: bool,
        budget: &mut Budget,
        scratch: &mut Scratch,
        ledger: &mut Ledger,
    ) -> Option<bool> {
        for (i, known) in self.streams.iter_mut().enumerate().rev() {
            if let Some(frames) = known.keys.open(packet, &mut scratch.opened) {
                known.read(frames, known.heard(packet, answered), ledger);
                if let Some(behind) = self.streams.get_mut(i..) {
                    behind.rotate_left(1);
                }
                return Some(true);
            }
            if known.dcid == packet.dcid {
                return Some(false);
            }
        }
        if let Some(told) = self.told.as_mut().filter(|t| !t.goes_on) {
            if !budget.spend(1) {
                return None;
            }
            // Of the version that the server chose (RFC 9369 section 4.1).
            let keys = ClientKeys::new(packet.version, &told.dcid);
            if let Some(frames) = keys.open(packet, &mut scratch.opened) {
                told.goes_on = true;
                let (dcid, stream) = (told.dcid.clone(), CryptoStream::behind(told.end));
                let mut keyed = Keyed { keys, version: packet.version, dcid, stream, turn: 0 };
                keyed.read(frames, true, ledger);
                self.push(keyed);
                return Some(true);
            }
            if told.dcid == packet.dcid {
                return Some(false);
            }
        }
        if !budget.spend(1) {
            return None;
        }
        let keys = ClientKeys::new(packet.version, packet.dcid);
        let Some(frames) = keys.open(packet, &mut scratch.opened) else { return Some(false) };
        let (dcid, stream) = (packet.dcid.to_vec(), CryptoStream::default());
        let mut keyed = Keyed { keys, version: packet.version, dcid, stream, turn: 0 };
        keyed.read(frames, answered, ledger);
        self.push(keyed);
        Some(true)
    }

    fn push(&mut self, keyed: Keyed) {
        if self.streams.len() >= MAX_STREAMS {
            self.streams.remove(0);
        }
        // Room for one: nearly always it is the only one.
        self.streams.reserve_exact(1);
        self.streams.push(keyed);
    }
}

impl Keyed {
    /// Whether the client has heard the server: it uses another connection id than
    /// the one that it made up, or the server was seen to speak before.
    fn heard(&self, packet: &LongPacket<'_>, answered: bool) -> bool {
        answered || packet.dcid != self.dcid
    }

    /// Adds the CRYPTO frames of a packet to the stream.
    fn read(&mut self, frames: &[u8], heard: bool, ledger: &mut Ledger) {
        for (offset, data) in quic::crypto_frames(self.version, frames) {
            if !heard {
                self.turn = self.turn.max(offset.saturating_add(data.len() as u64));
            }
            if self.stream.insert(offset, data).is_err() {
                ledger.count(Counter::StreamOverflow);
            }
        }
    }

    /// The hello with which the stream begins, and where. If the client has heard
    /// the server and the beginning was missed, the one behind it.
    fn hello(&self, heard: bool) -> Probe<(u64, tls::ClientHello<'_>)> {
        match tls::client_hello_message(self.stream.contiguous()) {
            Probe::Found(hello) => Probe::Found((self.stream.base(), hello)),
            Probe::Not => Probe::Not,
            Probe::More(n) => match self.second().filter(|_| heard) {
                Some(found) => Probe::Found(found),
                None => Probe::More(n),
            },
        }
    }

    /// A whole hello behind a first one that was not read. Before the server has
    /// answered, what looks like one would be part of the first. It begins where the
    /// first ends by its length; else where the client's turn begins; if nothing was
    /// seen before, with a frame.
    fn second(&self) -> Option<(u64, tls::ClientHello<'_>)> {
        if self.stream.base() > 0 {
            return None;
        }
        let hello = |at: u64| match tls::client_hello_message(self.bytes_at(at)) {
            Probe::Found(hello) if hello.extent == tls::Extent::Whole && !hello.malformed => Some((at, hello)),
            _ => None,
        };
        match message_end(0, self.stream.contiguous()).or((self.turn > 0).then_some(self.turn)) {
            Some(at) => hello(at),
            None => {
                let begin = |(_, bytes): &(u64, &[u8])| bytes.first() == Some(&CLIENT_HELLO);
                self.stream.aside().filter(begin).take(MAX_TRIES).find_map(|(at, _)| hello(at))
            }
        }
    }

    /// The contiguous bytes from that place of the stream on.
    fn bytes_at(&self, at: u64) -> &[u8] {
        let whole = std::iter::once((self.stream.base(), self.stream.contiguous()));
        let from = |(start, bytes): (u64, _)| <[u8]>::get(bytes, usize::try_from(at.checked_sub(start)?).ok()?..);
        whole.chain(self.stream.aside()).filter_map(from).find(|bytes| !bytes.is_empty()).unwrap_or(&[])
    }

    /// Notes down a hello that begins there in the stream.
    fn found(&self, at: u64, hello: &tls::ClientHello<'_>, scratch: &mut Scratch) -> Hello {
        scratch.name.set_text(hello.server_name.unwrap_or(&[]));
        let late = at != self.stream.base();
        Hello {
            named: !scratch.name.is_empty(),
            ech: hello.ech,
            stack: hello.stack,
            partial: hello.malformed || hello.extent != tls::Extent::Whole,
            late,
            lost: late && (self.turn > 0 || !self.stream.contiguous().is_empty()),
            another: self.stream.base() > 0,
            end: message_end(at, self.bytes_at(at)).unwrap_or(at),
        }
    }
}

/// Where a handshake message that begins there ends, by its length.
fn message_end(at: u64, bytes: &[u8]) -> Option<u64> {
    let [_, a, b, c] = *bytes.first_chunk()?;
    Some(at.saturating_add(MESSAGE_HEADER).saturating_add(u32::from_be_bytes([0, a, b, c]).into()))
}
