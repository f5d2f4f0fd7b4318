//! The crypto stream of a QUIC client's Initial packets.

use super::engine::Scratch;
use crate::base::Budget;
use crate::coverage::{Counter, Ledger};
use crate::protocol::Probe;
use crate::protocol::quic::{self, ClientKeys, CryptoStream, Kind, LongPacket, Version};
use crate::protocol::tls;

/// What a head costs beside the bytes of its stream: keys and buffers.
const HEAD: usize = 1024;

/// What a datagram brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Nothing (yet).
    Nothing,
    /// The ClientHello is complete: `named` tells whether the scratch name
    /// holds its server name.
    Hello {
        /// It has a server name.
        named: bool,
        /// It offers Encrypted Client Hello.
        ech: bool,
        /// Fingerprint of the library that made it.
        stack: Option<u32>,
    },
    /// An Initial packet did not open.
    Refused,
    /// What opened begins with no ClientHello.
    NoHello,
}

/// First packets with keys of their own that are kept side by side: those of
/// a client before and after a Retry, and one that somebody forged.
const MAX_STREAMS: usize = 3;

/// The crypto stream that some keys open.
struct Keyed {
    keys: ClientKeys,
    dcid: Vec<u8>,
    stream: CryptoStream,
}

/// State until the ClientHello is complete.
#[derive(Default)]
pub(super) struct Head {
    /// The one that was opened last is the last.
    streams: Vec<Keyed>,
}

impl Head {
    /// Whether a packet of this flow was opened, so that its sender is the client.
    pub(super) fn opened(&self) -> bool {
        !self.streams.is_empty()
    }

    /// The connection id that the last keys came from.
    pub(super) fn id(&self) -> &[u8] {
        self.streams.last().map_or(&[], |k| &k.dcid)
    }

    /// Whether CRYPTO frames contradicted each other.
    pub(super) fn conflict(&self) -> bool {
        self.streams.last().is_some_and(|k| k.stream.conflict())
    }

    /// Bytes held.
    pub(super) fn held(&self) -> usize {
        self.streams.iter().map(|k| k.stream.held().saturating_add(HEAD)).fold(0, usize::saturating_add)
    }

    /// Takes a datagram of the supposed client.
    pub(super) fn datagram(
        &mut self,
        datagram: &[u8],
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
            match self.open(&packet, budget, scratch, ledger) {
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
            let stream = self.streams.last().map_or(&[][..], |k| k.stream.contiguous());
            outcome = match tls::client_hello_message(stream) {
                Probe::Found(hello) => {
                    scratch.name.set_text(hello.server_name.unwrap_or(&[]));
                    return Outcome::Hello { named: !scratch.name.is_empty(), ech: hello.ech, stack: hello.stack };
                }
                Probe::Not if !stream.is_empty() => return Outcome::NoHello,
                _ => Outcome::Nothing,
            }
        }
        outcome
    }

    /// Opens a packet with the keys at hand, else with those of its own
    /// destination connection id: a client changes that id after the server's
    /// first packet and keeps the keys, after a Retry it changes both. `None`
    /// if the budget is spent.
    fn open(
        &mut self,
        packet: &LongPacket<'_>,
        budget: &mut Budget,
        scratch: &mut Scratch,
        ledger: &mut Ledger,
    ) -> Option<bool> {
        for (i, known) in self.streams.iter_mut().enumerate().rev() {
            if let Some(frames) = known.keys.open(packet, &mut scratch.opened) {
                read(packet.version, frames, &mut known.stream, ledger);
                if let Some(behind) = self.streams.get_mut(i..) {
                    behind.rotate_left(1);
                }
                return Some(true);
            }
            if known.dcid == packet.dcid {
                return Some(false);
            }
        }
        if !budget.spend(1) {
            return None;
        }
        let keys = ClientKeys::new(packet.version, packet.dcid);
        let Some(frames) = keys.open(packet, &mut scratch.opened) else { return Some(false) };
        if self.streams.len() >= MAX_STREAMS {
            self.streams.remove(0);
        }
        let mut stream = CryptoStream::default();
        read(packet.version, frames, &mut stream, ledger);
        // Room for one: nearly always it is the only one.
        self.streams.reserve_exact(1);
        self.streams.push(Keyed { keys, dcid: packet.dcid.to_vec(), stream });
        Some(true)
    }
}

/// Adds the CRYPTO frames of a packet to the stream.
fn read(version: Version, frames: &[u8], stream: &mut CryptoStream, ledger: &mut Ledger) {
    for (offset, data) in quic::crypto_frames(version, frames) {
        if stream.insert(offset, data).is_err() {
            ledger.count(Counter::StreamOverflow);
        }
    }
}
