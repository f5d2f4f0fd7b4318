//! The server's certificate, where its client's hello was missed.

use super::records::Records;
use super::server::HOLE_PATIENCE;
use super::{Context, Mode, Tcp, bit};
use crate::base::Name;
use crate::coverage::Counter;
use crate::flow::assembly::{Assembly, Took};
use crate::flow::events::{At, Note, Progress, Seen, Sink};
use crate::flow::follow::Follow;
use crate::packet::tcp_flags::ACK;
use crate::protocol::{Probe, tls};

/// Most names of a certificate that are told.
const MAX_NAMES: usize = 256;

impl Tcp {
    /// Reads a server's handshake from the first payload on that is seen of it,
    /// if nothing that the client said was understood. Where that is not the
    /// stream's beginning, it may be on its way.
    pub(super) fn expect_certificate(&mut self, seq: u32, at: &At<'_>) {
        if self.has(bit::KNOWN) {
            return;
        }
        let early = seq.wrapping_sub(self.server.base);
        let early = self.has(bit::SERVER_BASE) && early > 0 && (early as usize) < tls::MAX_SERVER_HEAD;
        let base = if early && at.packet.sport != 53 {
            self.server.base
        } else if tls::begins_server_handshake(at.payload) {
            seq
        } else {
            return;
        };
        self.set(bit::CERTIFICATE, true);
        self.back = Some(Box::new(Assembly::new(base)));
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
        let stale = a.hole().is_some_and(|t| at.packet.ts.since(t) > HOLE_PATIENCE);
        if !out.enough && !out.overflow && !stale && at.packet.payload_missing == 0 {
            self.back = Some(a);
        } else {
            self.set(bit::CERTIFICATE, false);
            if out.overflow {
                cx.ledger.count(Counter::StreamOverflow);
            } else if stale && !out.enough {
                cx.ledger.count(Counter::StreamGaps);
            }
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
            self.mode = Mode::Records(Records::default());
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
