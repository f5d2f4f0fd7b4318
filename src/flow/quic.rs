//! The crypto stream of a QUIC client's Initial packets.

use super::engine::{Budget, Scratch};
use crate::coverage::{Counter, Ledger};
use crate::protocol::Probe;
use crate::protocol::quic::{self, ClientKeys, CryptoStream, Kind, Stop};
use crate::protocol::tls;

/// Packets of a flow that may fail to open before it is left alone.
const MAX_FAILURES: u8 = 4;

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
    },
    /// No use in trying further.
    Never,
}

/// State until the ClientHello is complete.
#[derive(Default)]
pub(super) struct Head {
    keys: Option<ClientKeys>,
    dcid: Vec<u8>,
    stream: CryptoStream,
    failures: u8,
    opened: bool,
}

impl Head {
    /// Whether a packet of this flow was opened, so that its sender is the client.
    pub(super) fn opened(&self) -> bool {
        self.opened
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
        loop {
            let (packet, after) = match quic::long_packet(rest) {
                Ok(found) => found,
                Err(Stop::UnknownVersion(_)) => {
                    ledger.count(Counter::QuicVersionUnknown);
                    return Outcome::Nothing;
                }
                Err(Stop::Not | Stop::End) if rest.len() == datagram.len() && !self.opened => return Outcome::Never,
                Err(_) => return Outcome::Nothing,
            };
            rest = after;
            if packet.kind != Kind::Initial {
                continue;
            }
            if !packet.complete {
                return Outcome::Nothing;
            }
            ledger.count(Counter::QuicInitials);
            if !self.open(&packet, budget, scratch, ledger) {
                if self.failures >= MAX_FAILURES {
                    return Outcome::Never;
                }
                continue;
            }
            ledger.count(Counter::QuicOpened);
            match tls::client_hello_message(self.stream.contiguous()) {
                Probe::Found(hello) => {
                    scratch.name.set_text(hello.server_name.unwrap_or(&[]));
                    return Outcome::Hello { named: !scratch.name.is_empty(), ech: hello.ech };
                }
                Probe::Not if !self.stream.contiguous().is_empty() => return Outcome::Never,
                _ => {}
            }
        }
    }

    /// Opens a packet with the keys at hand, else with those of its own
    /// destination connection id: a client changes that id after the server's
    /// first packet and keeps the keys, after a Retry it changes both.
    fn open(
        &mut self,
        packet: &quic::LongPacket<'_>,
        budget: &mut Budget,
        scratch: &mut Scratch,
        ledger: &mut Ledger,
    ) -> bool {
        if let Some(frames) = self.keys.as_ref().and_then(|k| k.open(packet, &mut scratch.opened)) {
            for (offset, data) in quic::crypto_frames(frames) {
                if self.stream.insert(offset, data).is_err() {
                    ledger.count(Counter::StreamOverflow);
                }
            }
            return true;
        }
        if self.keys.is_some() && self.dcid == packet.dcid {
            self.failures = self.failures.saturating_add(1);
            ledger.count(Counter::QuicRefused);
            return false;
        }
        if !budget.spend() {
            ledger.count(Counter::QuicBudget);
            return false;
        }
        let keys = ClientKeys::new(packet.version, packet.dcid);
        let Some(frames) = keys.open(packet, &mut scratch.opened) else {
            self.failures = self.failures.saturating_add(1);
            ledger.count(Counter::QuicRefused);
            return false;
        };
        if self.opened {
            self.stream = CryptoStream::default();
        }
        for (offset, data) in quic::crypto_frames(frames) {
            if self.stream.insert(offset, data).is_err() {
                ledger.count(Counter::StreamOverflow);
            }
        }
        self.opened = true;
        self.dcid.clear();
        self.dcid.extend_from_slice(packet.dcid);
        self.keys = Some(keys);
        true
    }
}
