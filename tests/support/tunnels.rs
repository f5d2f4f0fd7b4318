//! Every encapsulation that is decoded, to put frames into: whatever a frame
//! says must come out of each of them unchanged.

/// One way to wrap a frame.
pub struct Tunnel {
    /// What it is, for messages.
    pub name: &'static str,
    /// Link type of the wrapped frame.
    pub link: u16,
    /// The layers that evidence names, with `N` for the inner IP version.
    pub layers: &'static str,
    /// Their counters, in the same order.
    pub counters: &'static [&'static str],
    /// Wraps an Ethernet frame; `None` if this tunnel cannot carry it.
    pub wrap: fn(&Frame) -> Option<Vec<u8>>,
}

/// An Ethernet frame taken apart.
pub struct Frame {
    /// All of it.
    pub bytes: Vec<u8>,
    /// Ethertype behind all tags.
    pub kind: u16,
    /// The IP packet without tags and padding; empty if there is none.
    pub ip: Vec<u8>,
}

impl Frame {
    /// Takes an Ethernet frame apart.
    pub fn new(bytes: &[u8]) -> Frame {
        let mut at = 12;
        while matches!(bytes[at..at + 2], [0x81, 0] | [0x88, 0xa8]) {
            at += 4;
        }
        let kind = u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        let packet = &bytes[at + 2..];
        let word = |at: usize| usize::from(u16::from_be_bytes([packet[at], packet[at + 1]]));
        let len = match kind {
            0x0800 => word(2),
            0x86dd => word(4) + 40,
            _ => 0,
        };
        Frame { bytes: bytes.to_vec(), kind, ip: packet[..len].to_vec() }
    }

    /// Its IP version.
    pub fn version(&self) -> Option<u8> {
        self.ip.first().map(|b| b >> 4)
    }

    /// The packet, if it is IP.
    fn packet(&self) -> Option<&[u8]> {
        (!self.ip.is_empty()).then_some(&self.ip)
    }

    /// One of two values, by IP version.
    fn pick<T>(&self, four: T, six: T) -> Option<T> {
        match self.version()? {
            4 => Some(four),
            _ => Some(six),
        }
    }

    /// Hardware addresses and a new payload.
    fn ethernet(&self, kind: u16, payload: &[u8]) -> Vec<u8> {
        [&self.bytes[..12], &kind.to_be_bytes(), payload].concat()
    }
}

fn ethernet(kind: u16, payload: &[u8]) -> Vec<u8> {
    [&[2, 0, 0, 0, 9, 2, 2, 0, 0, 0, 9, 1][..], &kind.to_be_bytes(), payload].concat()
}

fn in_ipv4(protocol: u8, payload: &[u8]) -> Option<Vec<u8>> {
    let total = u16::try_from(20 + payload.len()).ok()?.to_be_bytes();
    let head = [0x45, 0, total[0], total[1], 0, 0, 0x40, 0, 64, protocol, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2];
    Some(ethernet(0x0800, &[&head[..], payload].concat()))
}

fn in_ipv6(next: u8, payload: &[u8]) -> Option<Vec<u8>> {
    let len = u16::try_from(payload.len()).ok()?.to_be_bytes();
    let head = [0x60, 0, 0, 0, len[0], len[1], next, 64];
    Some(ethernet(0x86dd, &[&head[..], &[0x20; 16], &[0x21; 16], payload].concat()))
}

fn in_udp(port: u16, head: &[u8], inner: &[u8]) -> Option<Vec<u8>> {
    let len = u16::try_from(8 + head.len() + inner.len()).ok()?.to_be_bytes();
    let ports = [&50_000u16.to_be_bytes()[..], &port.to_be_bytes(), &len, &[0, 0]].concat();
    in_ipv4(17, &[&ports[..], head, inner].concat())
}

fn gre(head: &[u8], inner: &[u8]) -> Option<Vec<u8>> {
    in_ipv4(47, &[head, inner].concat())
}

/// Puts tags before the payload; the ethertype of the first comes first.
fn tagged(f: &Frame, tags: &[(u16, u16)]) -> Option<Vec<u8>> {
    let mut rest = f.bytes[12..].to_vec();
    for (kind, vid) in tags.iter().rev() {
        rest = [&kind.to_be_bytes()[..], &vid.to_be_bytes(), &rest].concat();
    }
    Some([&f.bytes[..12], &rest].concat())
}

fn snap(f: &Frame) -> Option<Vec<u8>> {
    Some([&[0xaa, 0xaa, 3, 0, 0, 0][..], &f.kind.to_be_bytes(), f.packet()?].concat())
}

/// An 802.11 data frame towards an access point.
fn wifi(f: &Frame, kind: u8, control: &[u8]) -> Option<Vec<u8>> {
    let addresses = [&[2, 0, 0, 0, 0, 9][..], &f.bytes[6..12], &f.bytes[..6]].concat();
    Some([&[kind, 1, 0, 0][..], &addresses, &[0, 0], control, &snap(f)?].concat())
}

/// An aggregate whose only frame is this one.
fn aggregate(f: &Frame) -> Option<Vec<u8>> {
    let body = snap(f)?;
    let len = u16::try_from(body.len()).ok()?.to_be_bytes();
    let addresses = [&[2, 0, 0, 0, 0, 9][..], &f.bytes[6..12], &f.bytes[..6]].concat();
    let head = [&[0x88, 1, 0, 0][..], &addresses, &[0, 0, 0x80, 0]].concat();
    Some([&head[..], &f.bytes[..12], &len, &body].concat())
}

fn ppp(f: &Frame) -> Option<Vec<u8>> {
    Some([&[0, f.pick(0x21, 0x57)?][..], &f.ip].concat())
}

fn pppoe(f: &Frame) -> Option<Vec<u8>> {
    let body = ppp(f)?;
    let len = u16::try_from(body.len()).ok()?.to_be_bytes();
    Some([&[0x11, 0, 0, 7, len[0], len[1]][..], &body].concat())
}

fn ah(f: &Frame) -> Option<Vec<u8>> {
    Some([&[f.pick(4, 41)?, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2][..], &[0xaa; 12], f.packet()?].concat())
}

/// A DEFLATE stream of stored blocks (RFC 1951 section 3.2.4).
fn stored(bytes: &[u8]) -> Vec<u8> {
    let len = bytes.len() as u16;
    [&[1][..], &len.to_le_bytes(), &(!len).to_le_bytes(), bytes].concat()
}

fn ipcomp(f: &Frame) -> Option<Vec<u8>> {
    // Longer packets are beyond what is decompressed.
    let ip = f.packet().filter(|ip| ip.len() <= 16_000)?;
    in_ipv4(108, &[&[f.pick(4, 41)?, 0, 0, 2][..], &stored(ip)].concat())
}

fn nflog(f: &Frame) -> Option<Vec<u8>> {
    let len = u16::try_from(f.packet()?.len() + 4).ok()?.to_le_bytes();
    Some([&[f.pick(2, 10)?, 0, 0, 1, len[0], len[1], 9, 0][..], &f.ip].concat())
}

fn pktap(link: u8, inner: &[u8]) -> Vec<u8> {
    [&[108, 0, 0, 0, 1, 0, 0, 0, link, 0, 0, 0][..], &[0; 96], inner].concat()
}

const fn tunnel(
    name: &'static str,
    layers: &'static str,
    counters: &'static [&'static str],
    wrap: fn(&Frame) -> Option<Vec<u8>>,
) -> Tunnel {
    Tunnel { name, link: 1, layers, counters, wrap }
}

const fn link(name: &'static str, link: u16, wrap: fn(&Frame) -> Option<Vec<u8>>) -> Tunnel {
    Tunnel { name, link, layers: "", counters: &[], wrap }
}

const MPLS: [u8; 8] = [0, 6, 0x40, 64, 0, 12, 0x81, 64];

/// All tags and tunnels, inside Ethernet.
#[rustfmt::skip]
pub const TUNNELS: &[Tunnel] = &[
    tunnel("plain", "", &[], |f| Some(f.bytes.clone())),
    tunnel("802.1Q", "vlan:10", &["encap_vlan"], |f| tagged(f, &[(0x8100, 10)])),
    tunnel("802.1Q priority", "", &[], |f| tagged(f, &[(0x8100, 0xe000)])),
    tunnel("802.1ad", "vlan:10/vlan:20", &["encap_qinq", "encap_vlan"], |f| tagged(f, &[(0x88a8, 10), (0x8100, 20)])),
    tunnel("three tags", "vlan:1/vlan:2/vlan:3", &["encap_qinq", "encap_qinq", "encap_vlan"],
        |f| tagged(f, &[(0x9100, 1), (0x88a8, 2), (0x8100, 3)])),
    tunnel("VN-Tag", "vntag", &["encap_vn_tag"],
        |f| Some([&f.bytes[..12], &[0x89, 0x26, 0x80, 1, 0, 2], &f.bytes[12..]].concat())),
    tunnel("E-Tag", "etag", &["encap_e_tag"],
        |f| Some([&f.bytes[..12], &[0x89, 0x3f, 0, 1, 0, 2, 0, 0], &f.bytes[12..]].concat())),
    tunnel("Cisco MetaData", "cmd", &["encap_cmd"],
        |f| Some([&f.bytes[..12], &[0x89, 0x09, 1, 1, 0, 1, 0, 2], &f.bytes[12..]].concat())),
    tunnel("802.1ah", "isid:258", &["encap_isid"], |f| Some(ethernet(0x88e7, &[&[0, 0, 1, 2][..], &f.bytes].concat()))),
    tunnel("MACsec", "macsec", &["encap_macsec"],
        |f| Some([&f.bytes[..12], &[0x88, 0xe5, 0, 0, 0, 0, 0, 1], &f.bytes[12..], &[0xee; 16]].concat())),
    tunnel("MPLS", "mpls:100/mpls:200", &["encap_mpls", "encap_mpls"],
        |f| Some(ethernet(0x8847, &[&MPLS[..], f.packet()?].concat()))),
    tunnel("MPLS pseudowire", "mpls:100/mpls:200", &["encap_mpls", "encap_mpls"],
        |f| Some(ethernet(0x8847, &[&MPLS[..], &[0, 0, 0, 1], &f.bytes].concat()))),
    tunnel("PPPoE", "pppoe:7", &["encap_pppoe"], |f| Some(f.ethernet(0x8864, &pppoe(f)?))),
    tunnel("GRE", "gre", &["encap_gre"],
        |f| gre(&[&[0, 0][..], &f.kind.to_be_bytes()].concat(), f.packet()?)),
    tunnel("GRE with all fields", "gre:258", &["encap_gre"],
        |f| gre(&[&[0xb0, 0][..], &f.kind.to_be_bytes(), &[9, 9, 0, 0, 0, 0, 1, 2, 0, 0, 0, 5]].concat(), f.packet()?)),
    tunnel("GRE bridged", "gre", &["encap_gre"], |f| gre(&[0, 0, 0x65, 0x58], &f.bytes)),
    tunnel("GRE with PPP", "gre", &["encap_gre"], |f| gre(&[0, 0, 0x88, 0x0b], &ppp(f)?)),
    tunnel("GRE with 802.11", "gre", &["encap_gre"], |f| gre(&[0, 0, 0x82, 0], &wifi(f, 0x88, &[0, 0])?)),
    tunnel("GRE with A-MSDU", "gre", &["encap_gre"], |f| gre(&[0, 0, 0x82, 0], &aggregate(f)?)),
    tunnel("GRE in UDP", "gre", &["encap_gre"],
        |f| in_udp(4754, &[&[0, 0][..], &f.kind.to_be_bytes()].concat(), f.packet()?)),
    tunnel("NVGRE", "vsid:8193", &["encap_nvgre"], |f| gre(&[0x20, 0, 0x65, 0x58, 0, 0x20, 1, 0xab], &f.bytes)),
    tunnel("PPTP", "pptp:9", &["encap_pptp"], |f| {
        let body = ppp(f)?;
        let len = u16::try_from(body.len()).ok()?.to_be_bytes();
        gre(&[0x30, 1, 0x88, 0x0b, len[0], len[1], 0, 9, 0, 0, 0, 1], &body)
    }),
    tunnel("ERSPAN I", "erspan", &["encap_erspan"], |f| gre(&[0, 0, 0x88, 0xbe], &f.bytes)),
    tunnel("ERSPAN II", "erspan:5", &["encap_erspan"],
        |f| gre(&[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 0, 0, 5, 0, 0, 0, 0], &f.bytes)),
    tunnel("ERSPAN III", "erspan:5", &["encap_erspan"],
        |f| gre(&[0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0], &f.bytes)),
    tunnel("ERSPAN III with sub-header", "erspan:5", &["encap_erspan"], |f| {
        let head = [0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 1, 7, 7, 7, 7, 7, 7, 7, 7];
        gre(&head, &f.bytes)
    }),
    tunnel("VXLAN", "vni:77", &["encap_vxlan"], |f| in_udp(4789, &[8, 0, 0, 0, 0, 0, 77, 0], &f.bytes)),
    tunnel("VXLAN on 8472", "vni:77", &["encap_vxlan"], |f| in_udp(8472, &[8, 0, 0, 0, 0, 0, 77, 0], &f.bytes)),
    tunnel("VXLAN-GPE", "vni:77", &["encap_vxlan"],
        |f| in_udp(4790, &[0x0c, 0, 0, f.pick(1, 2)?, 0, 0, 77, 0], f.packet()?)),
    tunnel("GENEVE", "geneve:77", &["encap_geneve"], |f| in_udp(6081, &[0, 0, 0x65, 0x58, 0, 0, 77, 0], &f.bytes)),
    tunnel("GENEVE with options", "geneve:77", &["encap_geneve"],
        |f| in_udp(6081, &[2, 0x40, 0x65, 0x58, 0, 0, 77, 0, 1, 2, 3, 1, 5, 5, 5, 5], &f.bytes)),
    tunnel("GTP-U", "gtpu:256", &["encap_gtpu"], |f| {
        let len = u16::try_from(f.packet()?.len()).ok()?.to_be_bytes();
        in_udp(2152, &[0x30, 255, len[0], len[1], 0, 0, 1, 0], &f.ip)
    }),
    tunnel("GTP-U with extension", "gtpu:256", &["encap_gtpu"], |f| {
        let len = u16::try_from(f.packet()?.len() + 8).ok()?.to_be_bytes();
        in_udp(2152, &[0x34, 255, len[0], len[1], 0, 0, 1, 0, 0, 0, 0, 0x85, 1, 0x10, 1, 0], &f.ip)
    }),
    tunnel("IP in IPv4", "Nin4", &["encap_Nin4"], |f| in_ipv4(f.pick(4, 41)?, f.packet()?)),
    tunnel("IP in IPv6", "Nin6", &["encap_Nin6"], |f| in_ipv6(f.pick(4, 41)?, f.packet()?)),
    tunnel("authenticated IP in IP", "Nin4", &["encap_Nin4"], |f| in_ipv4(51, &ah(f)?)),
    tunnel("compressed IP in IP", "ipcomp/Nin4", &["encap_ipcomp", "encap_Nin4"], ipcomp),
    tunnel("Teredo", "teredo", &["encap_teredo"], |f| match f.version()? {
        6 => in_udp(3544, &[0, 0, 1, 2, 3, 4, 5, 6], &f.ip),
        _ => None,
    }),
    tunnel("EtherIP", "etherip", &["encap_etherip"], |f| in_ipv4(97, &[&[0x30, 0][..], &f.bytes].concat())),
    tunnel("EoIP", "eoip:265", &["encap_eoip"], |f| {
        let len = u16::try_from(f.bytes.len()).ok()?.to_be_bytes();
        gre(&[0x20, 1, 0x64, 0, len[0], len[1], 9, 1], &f.bytes)
    }),
    tunnel("CAPWAP", "capwap", &["encap_capwap"], |f| in_udp(5247, &[0, 0x10, 2, 0, 0, 0, 0, 0], &f.bytes)),
    tunnel("CAPWAP with 802.11", "capwap", &["encap_capwap"],
        |f| in_udp(5247, &[0, 0x10, 3, 0, 0, 0, 0, 0], &wifi(f, 8, &[])?)),
    tunnel("TZSP", "tzsp", &["encap_tzsp"], |f| in_udp(37_008, &[1, 0, 0, 1, 10, 1, 200, 1], &f.bytes)),
    tunnel("LISP", "lisp", &["encap_lisp"], |f| in_udp(4341, &[0x80, 1, 2, 3, 0, 0, 0, 1], f.packet()?)),
    tunnel("LISP with instance", "lisp:256", &["encap_lisp"],
        |f| in_udp(4341, &[0xc8, 1, 2, 3, 0, 1, 0, 1], f.packet()?)),
    tunnel("L2TP", "l2tp:9", &["encap_l2tp"], |f| in_udp(1701, &[0, 2, 0, 1, 0, 9, 0xff, 3], &ppp(f)?)),
    tunnel("L2TPv3 in UDP", "l2tp:9", &["encap_l2tp"], |f| in_udp(1701, &[0, 3, 0, 0, 0, 0, 0, 9], &f.bytes)),
    tunnel("L2TPv3 in IP", "l2tp:9", &["encap_l2tp"],
        |f| in_ipv4(115, &[&[0, 0, 0, 9, 0xc0, 0xc1, 0xc2, 0xc3][..], &f.bytes].concat())),
    tunnel("MPLS in UDP", "mpls:100/mpls:200", &["encap_mpls", "encap_mpls"], |f| in_udp(6635, &MPLS, f.packet()?)),
    tunnel("MPLS in IP", "mpls:100/mpls:200", &["encap_mpls", "encap_mpls"],
        |f| in_ipv4(137, &[&MPLS[..], f.packet()?].concat())),
    tunnel("eight tunnels", "vni:7/vni:6/vni:5/vni:4/vni:3/vni:2/vni:1/vni:0", &["encap_vxlan"; 8], |f| {
        (0..8).try_fold(f.bytes.clone(), |inner, vni| in_udp(4789, &[8, 0, 0, 0, 0, 0, vni, 0], &inner))
    }),
];

/// Link types other than Ethernet.
#[rustfmt::skip]
pub const LINKS: &[Tunnel] = &[
    link("null", 0, |f| Some([&[f.pick(2, 30)?, 0, 0, 0], f.packet()?].concat())),
    link("null, big-endian", 0, |f| Some([&[0, 0, 0, f.pick(2, 28)?], f.packet()?].concat())),
    link("loop", 108, |f| Some([&[0, 0, 0, f.pick(2, 24)?], f.packet()?].concat())),
    link("loop, little-endian", 108, |f| Some([&[f.pick(2, 24)?, 0, 0, 0], f.packet()?].concat())),
    link("raw", 101, |f| f.packet().map(<[u8]>::to_vec)),
    link("raw of BSD", 12, |f| f.packet().map(<[u8]>::to_vec)),
    link("raw of OpenBSD", 14, |f| f.packet().map(<[u8]>::to_vec)),
    link("IPv4", 228, |f| f.packet().filter(|ip| ip[0] >> 4 == 4).map(<[u8]>::to_vec)),
    link("IPv6", 229, |f| f.packet().filter(|ip| ip[0] >> 4 == 6).map(<[u8]>::to_vec)),
    link("PPP", 9, |f| Some([&[0xff, 3][..], &ppp(f)?].concat())),
    link("PPP in HDLC", 50, |f| Some([&[0xff, 3][..], &ppp(f)?].concat())),
    link("Cisco HDLC", 104, |f| Some([&[0x0f, 0][..], &f.kind.to_be_bytes(), f.packet()?].concat())),
    Tunnel { name: "PPPoE", link: 51, layers: "pppoe:7", counters: &["encap_pppoe"], wrap: pppoe },
    link("cooked", 113,
        |f| Some([&[0, 0, 0, 1, 0, 6][..], &f.bytes[6..12], &[0, 0], &f.kind.to_be_bytes(), f.packet()?].concat())),
    Tunnel { name: "cooked with tag", link: 113, layers: "vlan:10", counters: &["encap_vlan"], wrap:
        |f| Some([&[0, 0, 0, 1, 0, 6][..], &f.bytes[6..12], &[0, 0, 0x81, 0, 0, 10], &f.kind.to_be_bytes(), f.packet()?]
            .concat()) },
    link("cooked 2", 276, |f| {
        let head = [&f.kind.to_be_bytes()[..], &[0, 0, 0, 0, 0, 3, 0, 1, 0, 6], &f.bytes[6..12], &[0, 0]].concat();
        Some([&head, f.packet()?].concat())
    }),
    Tunnel { name: "cooked 2 with tag", link: 276, layers: "vlan:10", counters: &["encap_vlan"], wrap: |f| {
        let head = [&[0x81, 0, 0, 0, 0, 0, 0, 3, 0, 1, 0, 6][..], &f.bytes[6..12], &[0, 0, 0, 10]].concat();
        Some([&head, &f.kind.to_be_bytes()[..], f.packet()?].concat())
    } },
    link("802.11", 105, |f| wifi(f, 8, &[])),
    link("802.11 with QoS", 105, |f| wifi(f, 0x88, &[0, 0])),
    link("802.11 aggregate", 105, aggregate),
    link("802.11 with radiotap", 127, |f| Some([&[0, 0, 8, 0, 0, 0, 0, 0][..], &wifi(f, 0x88, &[0, 0])?].concat())),
    link("802.11 with PPI", 192, |f| Some([&[0, 0, 8, 0, 105, 0, 0, 0][..], &wifi(f, 8, &[])?].concat())),
    link("NFLOG", 239, nflog),
    link("PKTAP", 258, |f| Some(pktap(1, &f.bytes))),
    link("PKTAP over raw", 258, |f| Some(pktap(12, f.packet()?))),
    link("PKTAP as USER2", 149, |f| Some(pktap(1, &f.bytes))),
    link("DOCSIS", 143, |f| {
        let len = u16::try_from(f.bytes.len() + 4).ok()?.to_be_bytes();
        Some([&[0, 0, len[0], len[1], 0, 0][..], &f.bytes, &[0; 4]].concat())
    }),
    link("Juniper Ethernet", 178, |f| Some([&b"MGC\x00"[..], &f.bytes].concat())),
    link("Juniper without link header", 178, |f| Some([&b"MGC\x02\x02\0\0\0"[..], f.packet()?].concat())),
    link("ARCNET of BSD", 7, |f| Some([&[1, 2, f.pick(212, 196)?, 0, 0, 7], f.packet()?].concat())),
    link("ARCNET of Linux", 129, |f| Some([&[1, 2, 0, 99, f.pick(212, 196)?, 0, 0, 7], f.packet()?].concat())),
];
