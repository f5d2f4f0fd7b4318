//! What comes in a stream before the conversation that is of interest: a
//! plain text part that ends with the wish for TLS, or the dialogue with a
//! SOCKS proxy.

use super::{Asked, Context, Mode, Tcp, bit};
use crate::coverage::Counter;
use crate::flow::events::{At, Note, Notes, Seen, Sink};
use crate::flow::follow::{Awaited, Kind};
use crate::protocol::socks::{self, Target};
use crate::protocol::starttls::{Ask, Protocol};
use crate::protocol::{Probe, proxy_header, tls};

/// Most messages of a client before its wish for TLS.
const MAX_MESSAGES: u8 = 64;
/// Most bytes of those.
const MAX_BYTES: u16 = 16 << 10;

/// How far a preface got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Preface {
    /// A protocol in which the client may ask for TLS.
    Plain {
        protocol: Protocol,
        messages: u8,
        bytes: u16,
        /// Its last message asked.
        asked: bool,
    },
    /// SOCKS 5 behind the greeting, and where the server's stream stood then.
    Socks5 { server_at: u32 },
}

/// Whether a segment of a stream whose start was not seen begins with a
/// preface that is told apart from anything else.
pub(super) fn begins_preface(payload: &[u8]) -> bool {
    match payload.first() {
        None | Some(22) => false,
        Some(b'P' | b'\r') => matches!(proxy_header(payload), Probe::Found(n) if n <= payload.len()),
        Some(_) => Protocol::asks(payload),
    }
}

impl Tcp {
    /// A preface at the start of the stream: as `read_preface`; the mode stays
    /// `Probe` if it is none.
    pub(super) fn probe_preface<S: Sink>(
        &mut self,
        rest: &[u8],
        at: &At<'_>,
        cx: &mut Context<'_, S>,
    ) -> Option<usize> {
        let need = match rest.first() {
            Some(5) => match socks::greeting5(rest) {
                Probe::Found(n) => {
                    let server_at = self.server_at(at);
                    self.mode = Mode::Preface(Preface::Socks5 { server_at });
                    return Some(n);
                }
                Probe::More(n) => n,
                Probe::Not => return None,
            },
            Some(4) => match socks::request4(rest) {
                Probe::Found(request) => return Some(self.socks_request(&request, Awaited::Socks4, at, cx)),
                Probe::More(n) => n,
                Probe::Not => return None,
            },
            _ => match Protocol::of_client(rest) {
                Probe::Found(protocol) => {
                    self.mode = Mode::Preface(Preface::Plain { protocol, messages: 0, bytes: 0, asked: false });
                    return self.read_preface(rest, at, cx);
                }
                Probe::More(n) => n,
                Probe::Not => return None,
            },
        };
        self.mode = Mode::Probe { need };
        Some(0)
    }

    /// Reads a message of a preface: bytes used, 0 to wait for more, `None`
    /// for enough.
    pub(super) fn read_preface<S: Sink>(&mut self, rest: &[u8], at: &At<'_>, cx: &mut Context<'_, S>) -> Option<usize> {
        let Mode::Preface(preface) = self.mode else { return None };
        match preface {
            Preface::Plain { protocol, messages, bytes, asked } => {
                let is_hello = || !matches!(tls::client_hello(rest, &mut Vec::new()), Probe::Not);
                if asked && (is_hello() || tls::is_sslv2_hello(rest)) {
                    self.mode = Mode::Probe { need: 1 };
                    return self.probe(rest, at, cx);
                }
                let (n, asks) = match protocol.client(rest) {
                    Ask::Other(n) => (n, false),
                    Ask::Tls(n) => (n, true),
                    Ask::More => return Some(0),
                    Ask::End => return self.preface_ends(at, cx),
                };
                let bytes = bytes.saturating_add(u16::try_from(n).unwrap_or(u16::MAX));
                if messages >= MAX_MESSAGES || bytes > MAX_BYTES {
                    cx.ledger.count(Counter::StreamOverflow);
                    return self.preface_ends(at, cx);
                }
                if asks {
                    let server_at = self.server_at(at);
                    self.awaited = Asked(Awaited::Plain(protocol), server_at);
                }
                let messages = messages.saturating_add(1);
                self.mode = Mode::Preface(Preface::Plain { protocol, messages, bytes, asked: asks });
                Some(n)
            }
            Preface::Socks5 { server_at } => {
                if rest.first() == Some(&1) {
                    return match socks::password(rest) {
                        Probe::Found(n) => Some(n),
                        Probe::More(_) => Some(0),
                        Probe::Not => self.preface_ends(at, cx),
                    };
                }
                match socks::request5(rest) {
                    Probe::Found(request) => {
                        let greeting = self.server_at(at) == server_at;
                        Some(self.socks_request(&request, Awaited::Socks5 { greeting }, at, cx))
                    }
                    Probe::More(_) => Some(0),
                    Probe::Not => self.preface_ends(at, cx),
                }
            }
        }
    }

    /// What follows is a mail, a file, or of no interest: text and bytes in
    /// there mean nothing.
    fn preface_ends<S: Sink>(&mut self, at: &At<'_>, cx: &mut Context<'_, S>) -> Option<usize> {
        self.unrecognised(at, cx);
        self.mode = Mode::Done;
        None
    }

    /// Tells where a proxy is asked to connect to; the length of the request.
    fn socks_request<S: Sink>(
        &mut self,
        request: &socks::Request<'_>,
        awaited: Awaited,
        at: &At<'_>,
        cx: &mut Context<'_, S>,
    ) -> usize {
        self.set(bit::SPOKE | bit::KNOWN | bit::VIA_PROXY, true);
        let mut name = std::mem::take(&mut cx.scratch.name);
        let addr = match request.target {
            Target::Name(host) => {
                name.set_text(host);
                None
            }
            Target::Addr(addr) => {
                name.clear();
                Some(addr)
            }
        };
        let named = (!name.is_empty()).then_some(&name);
        self.tell(at, &Seen::Socks { name: named, addr }, cx);
        cx.scratch.name = name;
        let server_at = self.server_at(at);
        self.awaited = Asked(awaited, server_at);
        self.begin_exchange(Kind::Proxy, server_at);
        self.asks_proxy(true, None, at);
        // The tunnel's stream begins here.
        self.mode = Mode::Probe { need: 1 };
        request.len
    }

    /// What the server may still say before it answers an exchange that
    /// begins now. Of a proxy nothing if it has said something since it was
    /// asked: the client waited for it.
    pub(super) fn awaited_before(&mut self, kind: Kind, server_at: u32) -> Awaited {
        if kind == Kind::Proxy {
            return self.awaited.0;
        }
        let Asked(awaited, asked_at) = std::mem::replace(&mut self.awaited, Asked(Awaited::Nothing, 0));
        if awaited.is_proxys() && server_at != asked_at { Awaited::Nothing } else { awaited }
    }

    /// Circumstances of every message of the flow.
    pub(super) fn notes(&self) -> Notes {
        Notes::NONE
            .with_if(self.has(bit::MID_STREAM), Note::MidStream)
            .with_if(self.has(bit::GAP), Note::Gap)
            .with_if(self.has(bit::CONFLICT), Note::Conflict)
            .with_if(self.has(bit::VIA_PROXY), Note::ViaProxy)
    }
}
