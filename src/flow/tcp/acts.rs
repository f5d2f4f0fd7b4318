//! What a connection shows of the machines at its ends.

use super::{Asked, Context, Tcp, ahead, bit};
use crate::flow::events::{Act, At, Proxy, Sink};
use crate::flow::follow::{Awaited, final_status};
use crate::packet::tcp_flags::{ACK, SYN};
use crate::protocol::Probe;
use crate::protocol::socks::{Reply, reply_to_greeting, reply4, reply5};

/// Bytes in which a SOCKS proxy's dialogue ends: its answers to a greeting and
/// to a password stand before its consent.
const MAX_DIALOGUE: u32 = 512;
/// The port of an `http` URI that names none (RFC 9110 section 4.2.1).
const HTTP_PORT: u16 = 80;

/// The port of an authority.
fn port_of(authority: &[u8]) -> Option<u16> {
    let at = memchr::memrchr(b':', authority)?;
    std::str::from_utf8(authority.get(at.saturating_add(1)..)?).ok()?.parse().ok()
}

/// Whether this is a SOCKS proxy's consent; `None` if that may still come.
/// `answers` is a reader of its final answer.
fn socks_consents(mut rest: &[u8], greeting: bool, answer: fn(&[u8]) -> Probe<Reply>) -> Option<bool> {
    // The greeting and a password, at most.
    for _ in 0..2 {
        if greeting
            && !matches!(rest, [5, 0, 0, 1 | 3 | 4, ..])
            && let Probe::Found(Reply::Granted(n)) = reply_to_greeting(rest)
        {
            rest = rest.get(n..).unwrap_or(&[]);
        }
    }
    match answer(rest) {
        Probe::Found(Reply::Granted(_)) => Some(true),
        Probe::More(_) => None,
        Probe::Found(Reply::Refused) | Probe::Not => Some(false),
    }
}

impl Tcp {
    /// The client's first payload.
    #[inline(never)]
    pub(super) fn began<S: Sink>(&mut self, at: &At<'_>, cx: &mut Context<'_, S>) {
        if self.has(bit::AGREED) && !self.has(bit::MID_STREAM) && at.packet.flags & (ACK | SYN) == ACK {
            let syn_options = cx.scratch.orders.kinds(self.order);
            cx.sink.act(at, Act::Began { syn_options }, cx.ledger);
        }
    }

    /// Keeps the order of options of the client's SYN.
    pub(super) fn keep_order<S: Sink>(&mut self, at: &At<'_>, cx: &mut Context<'_, S>) {
        if self.order == 0 && at.from_client && cx.sink.is_home(&at.packet.src) {
            self.order = cx.scratch.orders.of_syn(at, cx.ledger);
        }
    }

    /// A request was read that only a proxy grants, or another one.
    pub(super) fn asks_proxy(&mut self, is_tunnel: bool, absolute: Option<&[u8]>, at: &At<'_>) {
        // Whoever is asked for what lies on its own port may be what is asked for.
        let own_port = at.endpoints().sport;
        let absolute = absolute.is_some_and(|a| port_of(a).unwrap_or(HTTP_PORT) != own_port);
        self.set(bit::TO_PROXY, is_tunnel);
        self.set(bit::TO_ABSOLUTE, absolute && !is_tunnel);
        if absolute && !is_tunnel {
            self.awaited = Asked(Awaited::Nothing, self.server_at(at));
        }
    }

    /// The server's next payload after such a request. Looked at segment by
    /// segment, whoever follows the flow or not: a proxy answers in one.
    #[inline(never)]
    pub(super) fn proxys_answer<S: Sink>(&mut self, seq: u32, at: &At<'_>, cx: &mut Context<'_, S>) {
        let Asked(awaited, asked_at) = self.awaited;
        let offset = ahead(seq, asked_at);
        if offset >= 1 << 31 {
            return; // said before
        }
        let status = || match final_status(at.payload) {
            Probe::Found((code, _)) if offset == 0 => Some(code),
            _ => None,
        };
        let is_ok = |code: &u16| (200..300).contains(code);
        let consent = match awaited {
            _ if self.has(bit::TO_ABSOLUTE) => {
                status().filter(|code| is_ok(code) || *code == 304).map(|_| Proxy::Absolute)
            }
            Awaited::Connect => status().filter(is_ok).map(|_| Proxy::Connect),
            Awaited::Socks4 | Awaited::Socks5 { .. } if offset < MAX_DIALOGUE => {
                let answer = if awaited == Awaited::Socks4 { reply4 } else { reply5 };
                match socks_consents(at.payload, awaited != Awaited::Socks4, answer) {
                    Some(consents) => consents.then_some(Proxy::Socks),
                    None => return,
                }
            }
            _ => None,
        };
        self.set(bit::TO_PROXY | bit::TO_ABSOLUTE, false);
        if let Some(proxy) = consent {
            cx.sink.act(at, Act::Proxied(proxy), cx.ledger);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::*;

    #[test]
    fn ports_of_authorities() {
        for (authority, port) in
            [("a.test", None), ("a.test:8080", Some(8080)), ("[::1]:81", Some(81)), ("[::1]", None), ("a:99999", None)]
        {
            assert_eq!(port_of(authority.as_bytes()), port, "{authority}");
        }
    }

    #[test]
    fn consents_of_socks_proxies() {
        let granted = [5, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        let five = |bytes: &[u8]| socks_consents(bytes, true, reply5);
        assert_eq!(five(&granted), Some(true));
        assert_eq!(five(&[&[5, 0][..], &granted].concat()), Some(true));
        assert_eq!(five(&[&[5, 2, 1, 0][..], &granted].concat()), Some(true), "with a password");
        assert_eq!(five(&[5, 0]), None, "the greeting alone");
        assert_eq!(five(&[5, 1, 0, 1, 0, 0, 0, 0, 0, 0]), Some(false));
        assert_eq!(five(&[5, 0xff]), Some(false));
        assert_eq!(five(b"HTTP/1.1 400"), Some(false));
        assert_eq!(socks_consents(&[0, 90, 0, 0, 0, 0, 0, 0], false, reply4), Some(true));
        assert_eq!(socks_consents(&[0, 91, 0, 0, 0, 0, 0, 0], false, reply4), Some(false));
    }
}
