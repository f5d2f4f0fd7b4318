//! What passing traffic shows of a host's role, and of machines behind it.

use super::observer::{Observer, is_group, is_station};
use super::signal::SignalKind;
use super::signs::{Place, mark};
use crate::base::{Addr, Channel, Mac, Stage};
use crate::coverage::{Counter, Ledger};
use crate::flow::{Act, At, Claim, Progress, Proxy, sender_is_client};
use crate::packet::Transport;
use crate::protocol::dns::Message;

use super::contact::Contact;

/// Ports of protocols between routers, some of which set a time to live of
/// their own: BGP, MSDP, LDP (RFC 5082).
const ROUTING_PORTS: [u16; 3] = [179, 639, 646];
/// Notices of a management server or distribution point to its clients: the
/// sender serves.
const NOTICES: [u16; 2] = [15_000, 15_001];
/// Translated to IPv4 (RFC 6052 section 2.1), perhaps within the host itself,
/// which takes one off the hop limit.
const TRANSLATED: [u8; 12] = [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0];

/// Initial time to live and hops, the former in the upper byte.
fn ttl_class(ttl: u8) -> u32 {
    let initial = [32, 64, 128].into_iter().find(|i| ttl <= *i).unwrap_or(255);
    u32::from(initial) << 8 | u32::from(initial.saturating_sub(ttl))
}

impl Observer {
    /// Where a home address is noted; `mac` is the one on the link.
    fn place(at: &At<'_>, ip: Addr, mac: Option<Mac>) -> Place {
        Place {
            source: at.frame.source,
            segment: at.segment,
            day: i32::try_from(at.packet.ts.day()).unwrap_or(i32::MAX),
            ip,
            mac: mac.filter(|m| is_station(*m)),
        }
    }

    fn sign(&mut self, place: Place, kind: SignalKind, value: u32, at: &At<'_>, ledger: &mut Ledger) {
        if self.signs.note(place, kind, value, at.packet.ts) {
            ledger.count(Counter::SignalsRefused);
        }
    }

    /// A sign of the server of a segment, if that is another host at home.
    fn server_sign(&mut self, at: &At<'_>, kind: SignalKind, value: u32, ledger: &mut Ledger) {
        let e = at.endpoints();
        if self.settings.home.holds_server(&e.server) && e.server != e.client && !is_group(&e.server) {
            let mac = if at.from_client { at.packet.dst_mac } else { at.packet.src_mac };
            self.sign(Self::place(at, e.server, mac), kind, value, at, ledger);
        }
    }

    pub(super) fn acted(&mut self, at: &At<'_>, act: Act<'_>, ledger: &mut Ledger) {
        match act {
            Act::Began { syn_options } => self.began(at, syn_options, ledger),
            Act::Answered => self.passed_on(at, ledger),
            Act::Proxied(Proxy::Connect) => self.server_sign(at, SignalKind::HttpProxy, 0, ledger),
            Act::Proxied(Proxy::Absolute) => self.server_sign(at, SignalKind::HttpProxy, 1, ledger),
            Act::Proxied(Proxy::Socks) => self.server_sign(at, SignalKind::SocksProxy, 0, ledger),
        }
    }

    /// A client began to speak in a connection that both ends agreed to.
    fn began(&mut self, at: &At<'_>, syn_options: &[u8], ledger: &mut Ledger) {
        let p = at.packet;
        let home = &self.settings.home;
        // The shard of its client alone counts how often things change.
        if !home.contains(&p.src) || !sender_is_client(p, |a| home.contains(a)) {
            return;
        }
        let place = Self::place(at, p.src, p.src_mac);
        let says_nothing = p.ttl <= 1 || ROUTING_PORTS.contains(&p.dport) || p.dst.0.starts_with(&TRANSLATED);
        if !says_nothing {
            self.sign(place, SignalKind::Ttl, ttl_class(p.ttl), at, ledger);
        }
        if !syn_options.is_empty() && self.signs.note_order(place, syn_options, p.ts) {
            ledger.count(Counter::SignalsRefused);
        }
    }

    /// A server outside answered: who sent its packet on this link forwards.
    fn passed_on(&mut self, at: &At<'_>, ledger: &mut Ledger) {
        let p = at.packet;
        if p.src_mac.is_some_and(is_station) && !self.settings.home.contains(&p.src) && !is_group(&p.src) {
            let place = Self::place(at, Addr::default(), p.src_mac);
            self.sign(place, SignalKind::Forwards, mark(&p.src), at, ledger);
        }
    }

    /// A station said that it is a router.
    pub(super) fn says_it_routes(&mut self, source: u32, segment: u32, claim: &Claim, ledger: &mut Ledger) {
        let Some(mac) = claim.mac.filter(|m| is_station(*m)) else { return };
        let day = i32::try_from(claim.ts.day()).unwrap_or(i32::MAX);
        let place = Place { source, segment, day, ip: Addr::default(), mac: Some(mac) };
        if self.signs.note(place, SignalKind::Forwards, 0, claim.ts) {
            ledger.count(Counter::SignalsRefused);
        }
    }

    /// The library that a client speaks TLS with.
    pub(super) fn tls_stack(&mut self, at: &At<'_>, stack: Option<u32>, ledger: &mut Ledger) {
        let Some(stack) = stack else { return };
        let host = Self::host(at);
        if !self.settings.home.contains(&host.ip) {
            return;
        }
        let place = Self::place(at, host.ip, host.mac);
        if self.signs.note_if_known(place, SignalKind::TlsStack, stack, at.packet.ts) {
            ledger.count(Counter::SignalsRefused);
        }
    }

    /// An answer to a question that was seen.
    pub(super) fn dns_roles(&mut self, at: &At<'_>, message: &Message, ledger: &mut Ledger) {
        let e = at.endpoints();
        if !self.settings.home.contains(&e.client) {
            return;
        }
        self.passed_on(at, ledger);
        // Who refuses or fails is no resolver.
        if e.sport == super::observer::DNS_PORT && matches!(message.rcode, 0 | 3) {
            // Whoever resolves says so; who only knows some names does not.
            let resolves = message.recursion_desired && message.recursion_available;
            let client = if resolves { mark(&e.client) } else { 0 };
            self.server_sign(at, SignalKind::DnsServer, client, ledger);
        }
        // It is a sign of whoever asked, not of who got the answer.
        if !message.recursion_desired
            && let Some(mac) = self.iterating.from(at.segment, e.client)
        {
            self.sign(Self::place(at, e.client, mac), SignalKind::DnsIterates, mark(&e.server), at, ledger);
        }
    }

    /// A host at home asks for a listed name, and wants recursion.
    pub(super) fn recurses(&mut self, at: &At<'_>, ledger: &mut Ledger) {
        let host = Self::host(at);
        let place = Self::place(at, host.ip, host.mac);
        if self.signs.note_after(place, SignalKind::DnsIterates, SignalKind::DnsRecurses, at.packet.ts) {
            ledger.count(Counter::SignalsRefused);
        }
    }

    /// A flow began to a home address or group, on a port that was listed: by
    /// those notices that a server sends to its clients.
    pub(super) fn notifies(&mut self, at: &At<'_>, ledger: &mut Ledger) {
        let e = at.endpoints();
        if e.transport == Transport::Udp && NOTICES.contains(&e.sport) && at.packet.payload_len > 0 {
            let host = Self::host(at);
            if host.ip != e.server && self.settings.home.holds_server(&host.ip) {
                self.sign(Self::place(at, host.ip, host.mac), SignalKind::Serves, e.sport.into(), at, ledger);
            }
        }
    }

    /// A contact moved on: perhaps its server serves updates or manages.
    pub(super) fn serves(&mut self, at: &At<'_>, token: u32, progress: &Progress, ledger: &mut Ledger) {
        let Some(value) = self.contacts.get_mut(token).and_then(|c| served(c, progress)) else { return };
        self.server_sign(at, SignalKind::Serves, value, ledger);
    }
}

/// What a server was seen to serve: 0 for updates by HTTP, else a port.
fn served(c: &Contact, progress: &Progress) -> Option<u32> {
    let gave = matches!(progress.status, Some(200 | 206 | 304));
    if gave && c.asked_update {
        return Some(0);
    }
    let (_, port) = c.server;
    let notice = c.transport == Transport::Udp && NOTICES.contains(&port);
    let manages = !notice && c.parts.iter().any(|p| p.channel == Channel::LanPort);
    (manages && progress.stage >= Some(Stage::Connected)).then_some(port.into())
}
