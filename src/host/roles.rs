//! What hosts are besides clients: from signals, and from records that name
//! them as servers.

use super::facts::{Facts, Interval, ServedBy, SignalKind, is_private};
use super::identity::Identities;
use super::own::{Part, Window, is_proxied};
use super::proxying::Proxying;
use super::resolving::Resolving;
use super::traits::Traits;
use crate::base::{Addr, Channel, Stage};
use crate::catalogue::Category;
use crate::sighting::home::HomeNets;
use crate::sighting::signal::SEVERAL;
use foldhash::{HashMap, HashSet};

/// Where agents of Security Center connect to, and where its reputation proxy
/// listens: who serves these is an update server of the LAN if it updates.
const RELAY_TCP: [u16; 2] = [13000, 13111];
/// Where agents listen for their server, which is the sender.
const AGENT_UDP: [u16; 2] = [15000, 15001];

/// Signs of roles of one host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Flags(u16);

impl Flags {
    /// Answered others' questions.
    const DNS_SERVER: Flags = Flags(1);
    /// Resolved for several.
    const SERVES_SEVERAL: Flags = Flags(1024);
    /// Asked name servers as resolvers do.
    const DNS_ITERATES: Flags = Flags(2);
    /// Asked for names itself.
    const ASKS: Flags = Flags(4);
    /// Answers and asks.
    pub(super) const RESOLVER: Flags = Flags(8);
    /// Connects for others.
    pub(super) const PROXY: Flags = Flags(16);
    /// Served the update tree to another host.
    pub(super) const SERVES_TREE: Flags = Flags(32);
    /// A signal says so, which may be a proxy's answer for another server.
    pub(super) const MAY_SERVE_TREE: Flags = Flags(512);
    /// Serves agents of Security Center.
    pub(super) const SERVES_AGENTS: Flags = Flags(64);
    /// Its packets came in different ways, as if several devices had sent them.
    const VARIES: Flags = Flags(256);
    /// Managed by a local server.
    pub(super) const MANAGED: Flags = Flags(128);

    pub(super) fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    pub(super) fn is_none(self) -> bool {
        self.0 == 0
    }

    fn add(&mut self, other: Flags) {
        self.0 |= other.0;
    }
}

/// The roles of all hosts.
#[derive(Debug, Default)]
pub(super) struct Roles {
    flags: Vec<Flags>,
    /// Which lookups of resolvers are others'.
    pub(super) resolving: Resolving,
    /// Which contacts of proxies are others'.
    pub(super) proxying: Proxying,
    /// Hosts at whose address another one showed a sign of this role.
    contested: HashSet<(u32, Flags)>,
    /// Local servers of hosts, sorted: node, address.
    relays: Vec<(u32, Addr)>,
    /// How many different management signals tie a host to a server, by node.
    signals: HashMap<u32, u32>,
    /// When the signs of a role were seen first and last, by node.
    seen: HashMap<u32, (i64, i64)>,
    /// Last address that signs of a role told of, by node.
    pub(super) addresses: HashMap<u32, (i64, Addr)>,
}

/// A LAN management signal between a host and a local server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Managed {
    client: u32,
    server: u32,
    ip: Addr,
    indicator: u32,
    /// The server answered, or spoke first.
    proven: bool,
    /// It alone spoke.
    spoken: bool,
}

/// What roles are made from.
pub(super) struct Inputs<'a> {
    pub(super) facts: &'a Facts,
    pub(super) traits: &'a [Traits],
    pub(super) home: &'a HomeNets,
    pub(super) window: Window,
    /// The hosts of all contacts.
    pub(super) nodes: &'a [u32],
    pub(super) parts: &'a [Part],
}

impl Inputs<'_> {
    /// Whether an address can be a local server's: it lies in the home
    /// networks, or the sensor took it for one of theirs.
    fn is_local(&self, ip: &Addr, is_known: bool) -> bool {
        !is_group(ip) && if self.home.is_any() { is_private(ip) } else { is_known || self.home.contains(ip) }
    }

    /// The servers of a contact.
    fn servers(&self, contact: u32) -> &[ServedBy] {
        let servers = &self.facts.servers;
        let from = servers.partition_point(|s| s.contact < contact);
        let rest = servers.get(from..).unwrap_or_default();
        rest.get(..rest.partition_point(|s| s.contact == contact)).unwrap_or_default()
    }
}

/// Whether a datagram is for agents, so that its sender is their server.
fn is_for_agents(s: &ServedBy) -> bool {
    s.udp && AGENT_UDP.contains(&s.port)
}

fn is_group(ip: &Addr) -> bool {
    match ip.as_v4() {
        Some([a, ..]) => a >= 224,
        None => ip.0[0] == 0xff,
    }
}

impl Roles {
    pub(super) fn new(inputs: &Inputs<'_>, identities: &mut Identities<'_>) -> Self {
        let mut roles = Roles::default();
        roles.read_signals(inputs, identities);
        roles.read_variety(inputs, identities);
        for p in inputs.parts {
            if let Some(c) = inputs.facts.contacts.get(p.contact as usize)
                && c.channels.has(Channel::DnsQuery)
            {
                roles.add(p.node, Flags::ASKS);
            }
        }
        roles.read_servers(inputs, identities);
        for flags in &mut roles.flags {
            let answers = flags.has(Flags(Flags::DNS_SERVER.0 | Flags::ASKS.0)) || flags.has(Flags::SERVES_SEVERAL);
            if flags.has(Flags::DNS_ITERATES) || answers {
                flags.add(Flags::RESOLVER);
            }
            if flags.has(Flags::MAY_SERVE_TREE) && !flags.has(Flags::PROXY) {
                flags.add(Flags::SERVES_TREE);
            }
        }
        roles.gather_proxied(inputs, identities);
        roles.proxying.complete();
        roles.relays.sort_unstable();
        roles.relays.dedup();
        roles
    }

    pub(super) fn flags(&self, node: u32) -> Flags {
        self.flags.get(node as usize).copied().unwrap_or_default()
    }

    /// The local servers of a host.
    pub(super) fn relays(&self, node: u32) -> Vec<Addr> {
        let from = self.relays.partition_point(|(n, _)| *n < node);
        self.relays.get(from..).unwrap_or_default().iter().take_while(|(n, _)| *n == node).map(|(_, ip)| *ip).collect()
    }

    /// How many different management signals tie a host to one server.
    pub(super) fn management_signals(&self, node: u32) -> u32 {
        self.signals.get(&node).copied().unwrap_or(0)
    }

    /// When the signs of a host's roles were seen.
    pub(super) fn seen(&self, node: u32) -> Option<(i64, i64)> {
        self.seen.get(&node).copied()
    }

    /// The hosts whose roles list them without any contact.
    pub(super) fn listed(&self) -> impl Iterator<Item = u32> + '_ {
        let lists = |f: &Flags| f.has(Flags::RESOLVER) || f.has(Flags::PROXY) || f.has(Flags::SERVES_TREE);
        let managed = |f: &Flags| f.has(Flags::MANAGED) || f.has(Flags::VARIES);
        (0u32..).zip(&self.flags).filter(move |(_, f)| lists(f) || managed(f)).map(|(n, _)| n)
    }

    fn add(&mut self, node: u32, flags: Flags) {
        let at = node as usize;
        if self.flags.len() <= at {
            self.flags.resize(at + 1, Flags::default());
        }
        if let Some(f) = self.flags.get_mut(at) {
            f.add(flags);
        }
    }

    /// A sign of a role, which lists a host without contacts.
    fn show(&mut self, node: u32, flags: Flags, ip: Addr, from: i64, to: i64) {
        self.add(node, flags);
        let seen = self.seen.entry(node).or_insert((from, to));
        *seen = (seen.0.min(from), seen.1.max(to));
        let last = self.addresses.entry(node).or_insert((to, ip));
        *last = (*last).max((to, ip));
    }

    fn read_signals(&mut self, inputs: &Inputs<'_>, identities: &mut Identities<'_>) {
        for (at, s) in inputs.facts.signals.iter().enumerate() {
            let flags = match s.kind {
                SignalKind::DnsServer if s.detail == SEVERAL => Flags::SERVES_SEVERAL,
                SignalKind::DnsServer => Flags::DNS_SERVER,
                SignalKind::DnsRecurses => Flags::ASKS,
                SignalKind::DnsIterates => Flags::DNS_ITERATES,
                SignalKind::HttpProxy | SignalKind::SocksProxy => Flags::PROXY,
                SignalKind::Serves => match s.detail.rsplit('/').next().map(str::parse::<u16>) {
                    Some(Ok(port)) if RELAY_TCP.contains(&port) || AGENT_UDP.contains(&port) => Flags::SERVES_AGENTS,
                    Some(Ok(_)) => continue,
                    _ => Flags::MAY_SERVE_TREE,
                },
                SignalKind::Ttl
                | SignalKind::SynOptions
                | SignalKind::TlsStack
                | SignalKind::TcpClocks
                | SignalKind::Forwards => continue,
            };
            let public = inputs.home.is_any() && s.kind == SignalKind::Serves && !is_private(&s.ip);
            if !inputs.window.touches(s.from, s.to) || public {
                continue;
            }
            let Some(segment) = identities.signal_segments.get(at).copied() else { continue };
            let node = identities.at(segment, &s.ip, s.mac, s.from.0, s.to.0);
            let owner = identities.find(segment, &s.ip, None, s.from.0, s.to.0);
            if let Some(owner) = owner.filter(|o| *o != node) {
                self.contested.insert((owner, flags));
            }
            self.resolving.add(node, s);
            if flags == Flags::PROXY {
                self.proxying.shown(node, s.from.0, s.to.0);
            }
            self.show(node, flags, s.ip, inputs.window.clamp(s.from).0, inputs.window.clamp(s.to).0);
        }
    }

    /// Hosts that may stand for several devices, which list them although
    /// nothing of theirs was a contact.
    fn read_variety(&mut self, inputs: &Inputs<'_>, identities: &mut Identities<'_>) {
        let mut first: HashMap<(u32, SignalKind), (&str, bool)> = HashMap::default();
        let telling = |k| matches!(k, SignalKind::Ttl | SignalKind::SynOptions);
        for second in [false, true] {
            for (at, s) in inputs.facts.signals.iter().enumerate().filter(|(_, s)| telling(s.kind)) {
                let segment = identities.signal_segments.get(at).copied();
                let Some(segment) = segment.filter(|_| inputs.window.touches(s.from, s.to)) else { continue };
                let node = identities.at(segment, &s.ip, s.mac, s.from.0, s.to.0);
                let known = first.entry((node, s.kind)).or_insert((&s.detail, false));
                known.1 |= known.0 != s.detail;
                if second && known.1 {
                    let (from, to) = (inputs.window.clamp(s.from).0, inputs.window.clamp(s.to).0);
                    self.show(node, Flags::VARIES, s.ip, from, to);
                }
            }
        }
    }

    /// Local servers that records name.
    fn read_servers(&mut self, inputs: &Inputs<'_>, identities: &mut Identities<'_>) {
        let mut managed: Vec<Managed> = Vec::new();
        for p in inputs.parts {
            let servers = inputs.servers(p.contact);
            let Some(c) = inputs.facts.contacts.get(p.contact as usize).filter(|_| !servers.is_empty()) else {
                continue;
            };
            let Some(traits) = inputs.traits.get(c.indicator as usize) else { continue };
            let Some(segment) = identities.seen_segments.get(c.seen as usize).copied() else { continue };
            let Some(host) = inputs.facts.seen.get(c.seen as usize) else { continue };
            let (from, to) = (c.first.0, c.last.0);
            let local: Vec<&ServedBy> = servers
                .iter()
                .filter(|s| inputs.is_local(&s.ip, identities.find(segment, &s.ip, None, from, to).is_some()))
                .collect();
            if traits.category == Category::LanManagement {
                // To a group it speaks of itself alone: who listens is not seen.
                if servers.iter().any(is_for_agents) {
                    self.add(p.node, Flags::SERVES_AGENTS);
                }
                for s in local {
                    let other = identities.at(segment, &s.ip, None, from, to);
                    managed.push(self.management(p, c.indicator, host.ip, s, other));
                    self.seen_as_client(other, s.ip, from, to);
                }
            } else if p.stage < Stage::Connected {
                continue;
            } else if is_proxied(c) {
                if let [s] = local[..] {
                    let proxy = identities.at(segment, &s.ip, None, from, to);
                    // Whoever consented there was somebody else.
                    if !self.contested.contains(&(proxy, Flags::PROXY)) {
                        self.show(proxy, Flags::PROXY, s.ip, from, to);
                    }
                }
            } else if traits.category == Category::Update && c.channels.has(Channel::HttpPath) {
                for s in local {
                    let server = identities.at(segment, &s.ip, None, from, to);
                    let others = self.contested.contains(&(server, Flags::MAY_SERVE_TREE));
                    let own = !others || self.flags(server).has(Flags::MAY_SERVE_TREE);
                    if server != p.node && own {
                        self.show(server, Flags::SERVES_TREE, s.ip, from, to);
                        self.relays.push((p.node, s.ip));
                    }
                }
            }
        }
        self.settle_managed(managed);
    }

    /// What a management contact of a host with a server says of the two.
    fn management(&mut self, p: &Part, indicator: u32, host: Addr, s: &ServedBy, other: u32) -> Managed {
        if is_for_agents(s) {
            return Managed { client: other, server: p.node, ip: host, indicator, proven: true, spoken: true };
        }
        let proven = p.stage >= Stage::Connected;
        if proven && !s.udp && RELAY_TCP.contains(&s.port) {
            self.add(other, Flags::SERVES_AGENTS);
        }
        Managed { client: p.node, server: other, ip: s.ip, indicator, proven, spoken: false }
    }

    /// A host that only a server's messages tell of.
    fn seen_as_client(&mut self, node: u32, ip: Addr, from: i64, to: i64) {
        self.show(node, Flags::default(), ip, from, to);
    }

    /// Two different signals between a host and one server, one of them
    /// answered or the server's own, and one the host's: anybody can send
    /// datagrams to a host's ports.
    fn settle_managed(&mut self, mut all: Vec<Managed>) {
        all.retain(|m| m.client != m.server);
        all.sort_unstable();
        for pair in all.chunk_by(|a, b| (a.client, a.server) == (b.client, b.server)) {
            let Some(first) = pair.first() else { continue };
            let mut indicators: Vec<u32> = pair.iter().map(|m| m.indicator).collect();
            indicators.sort_unstable();
            indicators.dedup();
            if pair.iter().any(|m| m.proven) && indicators.len() >= 2 && pair.iter().any(|m| !m.spoken) {
                self.add(first.client, Flags::MANAGED);
                let most = self.signals.entry(first.client).or_insert(0);
                *most = (*most).max(u32::try_from(indicators.len()).unwrap_or(u32::MAX));
                self.relays.extend(pair.iter().map(|m| (first.client, m.ip)));
            }
        }
    }

    /// What hosts contacted through a proxy.
    fn gather_proxied(&mut self, inputs: &Inputs<'_>, identities: &Identities<'_>) {
        for (at, (c, node)) in inputs.facts.contacts.iter().zip(inputs.nodes).enumerate() {
            let segment = identities.seen_segments.get(c.seen as usize).filter(|_| is_proxied(c));
            let (Some(segment), Ok(contact)) = (segment, u32::try_from(at)) else { continue };
            let part = inputs.window.part(at, c, *node);
            for s in inputs.servers(contact) {
                let proxy = identities.find(*segment, &s.ip, None, c.first.0, c.last.0);
                if let Some(proxy) = proxy.filter(|n| n != node && self.flags(*n).has(Flags::PROXY)) {
                    self.proxying.add(proxy, *node, c, part.as_ref());
                }
            }
        }
    }
}

/// Whether a kind of interval shows that its address exists: somebody answered
/// for it, which a made-up source does not.
pub(super) fn confirms(i: &Interval) -> bool {
    matches!(i.kind.as_str(), "handshake" | "arp" | "nd" | "dhcp" | "dhcpv6")
}
