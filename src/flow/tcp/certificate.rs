//! The server's certificate, where its client's hello was missed.

use super::{Context, Mode, Tcp, bit};
use crate::base::Name;
use crate::coverage::Counter;
use crate::flow::assembly::{Assembly, Took};
use crate::flow::events::{At, Note, Progress, Seen, Sink};
use crate::flow::follow::{Follow, RecordWalker};
use crate::packet::tcp_flags::ACK;
use crate::protocol::{Probe, tls};

/// Most names of a certificate that are told.
const MAX_NAMES: usize = 256;

impl Tcp {
    /// Whether the first payload that is seen of a server begins a TLS
    /// handshake, and nothing that the client said was understood.
    #[inline]
    pub(super) fn begins_handshake(&self, at: &At<'_>) -> bool {
        !self.has(bit::KNOWN) && tls::begins_server_handshake(at.payload)
    }

    /// Reads the server's handshake from this segment on.
    pub(super) fn await_certificate(&mut self, seq: u32) {
        self.set(bit::CERTIFICATE, true);
        self.back = Some(Box::new(Assembly::new(seq)));
    }

    /// Takes a segment of the server's handshake.
    pub(super) fn certificate<S: Sink>(
        &mut self,
        seq: u32,
        at: &At<'_>,
        cx: &mut Context<'_, S>,
        progress: &mut Progress,
    ) {
        let reading = self.back.take().filter(|_| !self.has(bit::KNOWN));
        let Some(mut a) = reading else {
            self.set(bit::CERTIFICATE, false);
            return;
        };
        let mut names = std::mem::take(&mut cx.scratch.hosts);
        let mut used = None;
        let scratch = &mut cx.scratch.hello;
        let out = a.push(seq, at.payload, at.packet.ts, |bytes, _| match tls::server_certificate(bytes, scratch) {
            Probe::More(_) => Took::Bytes(0),
            Probe::Not => Took::Enough,
            Probe::Found(der) => {
                used = Some(list_names(der, &mut names));
                Took::Enough
            }
        });
        if !out.enough && !out.overflow && at.packet.payload_missing == 0 {
            self.back = Some(a);
        } else {
            self.set(bit::CERTIFICATE, false);
        }
        if let Some(used) = used {
            cx.ledger.count(Counter::TlsCertificates);
            self.tell_certificate(names.get(..used).unwrap_or(&[]), at, cx, progress);
        }
        cx.scratch.hosts = names;
    }

    fn tell_certificate<S: Sink>(
        &mut self,
        names: &[Name],
        at: &At<'_>,
        cx: &mut Context<'_, S>,
        progress: &mut Progress,
    ) {
        if names.is_empty() {
            return;
        }
        let one_sided = !self.has(bit::CLIENT_DATA);
        let notes = self.notes().with_if(one_sided, Note::OneSided);
        let mut token = self.follow.as_ref().map(|f| f.token);
        let before = token;
        cx.sink.seen(at, &Seen::Certificate { names }, notes, &mut token, cx.ledger);
        if token != before {
            self.follow = token.map(|t| Box::new(Follow::new(t, self.client.base, self.server.base)));
        }
        let Some(f) = self.follow.as_mut() else { return };
        f.served(progress);
        self.set(bit::TOLD | bit::SPOKE, true);
        if self.ahead.is_none() && at.packet.flags & ACK != 0 {
            // What the client sends behind its hello are records.
            self.mode = Mode::Records(RecordWalker::default());
            self.client.reach(at.packet.ack);
            self.next = at.packet.ack;
        }
    }
}

/// Canonical names of a certificate in the buffers of `names`; how many.
fn list_names(der: &[u8], names: &mut Vec<Name>) -> usize {
    let mut used = 0_usize;
    tls::certificate_names(der, |raw| {
        if used >= MAX_NAMES {
            return;
        }
        if names.len() <= used {
            names.push(Name::new());
        }
        if let Some(n) = names.get_mut(used) {
            n.set_text(raw);
            used = used.saturating_add(1);
        }
    });
    used
}
