//! What our decoders read in one frame, in lines for people. Only the frame
//! itself is read: what flows over several frames is said to.

use crate::base::Name;
use crate::capture::LinkType;
use crate::packet::{Decoder, Options, Packet, Transport, link_name, tcp_flags};
use crate::protocol::dns::{self, Data, Message};
use crate::protocol::quic::{self, ClientKeys, CryptoStream, Kind, Version};
use crate::protocol::tls::{self, ServerFirst};
use crate::protocol::{Probe, http};

/// Packets shown of a frame that holds several.
const MAX_PACKETS: usize = 8;
/// Answers shown of a DNS message.
const MAX_ANSWERS: usize = 16;
/// Where DNS is spoken.
const DNS_PORT: u16 = 53;

/// A frame as read again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dissection {
    /// Tags and tunnels around the innermost packet, outermost first, as
    /// records have them.
    pub layers: Vec<String>,
    /// All layers, from the link to the transport.
    pub path: Vec<String>,
    /// Its transport: `tcp` or `udp`; none if there is no packet in the frame.
    pub transport: Option<&'static str>,
    /// TCP sequence number.
    pub sequence: Option<u32>,
    /// What was read, a line for each message. What came from the wire is
    /// escaped as names are.
    pub lines: Vec<String>,
}

/// Reads a frame of which the wire had `orig_len` bytes.
pub fn dissect(link: LinkType, frame: &[u8], orig_len: u32) -> Dissection {
    let mut decoder = Decoder::new(Options::default());
    let mut out = Dissection::default();
    let first = match decoder.decode(link, frame, orig_len, 0, crate::base::Timestamp(0)) {
        Ok(packet) => packet,
        Err(why) => {
            let link = link_name(link);
            out.lines.push(format!("{link}: no packet can be read in this frame alone ({why})", why = why.as_str()));
            return out;
        }
    };
    out.layers.clone_from(&decoder.encaps().reader().get(first.encap).layers);
    let ip = if first.src.as_v4().is_some() { "IPv4" } else { "IPv6" };
    let transport_name = if first.transport == Transport::Tcp { "TCP" } else { "UDP" };
    out.path = std::iter::once(link_word(link))
        .chain(out.layers.iter().cloned())
        .chain([ip, transport_name].map(str::to_owned))
        .collect();
    out.transport = Some(if first.transport == Transport::Tcp { "tcp" } else { "udp" });
    out.sequence = (first.transport == Transport::Tcp).then_some(first.seq);
    let mut packets = vec![first];
    packets.extend(std::iter::from_fn(|| decoder.next_of_frame()).take(MAX_PACKETS - 1));
    for p in &packets {
        let held = if p.in_arena { decoder.arena() } else { frame };
        let start = p.payload_offset as usize;
        let payload = held.get(start..start.saturating_add(p.payload_len as usize)).unwrap_or_default();
        out.lines.push(transport(p));
        let before = out.lines.len();
        match p.transport {
            Transport::Udp => datagram(p, payload, &mut out.lines),
            Transport::Tcp => segment(p, payload, &mut out.lines),
        }
        if out.lines.len() == before && !payload.is_empty() {
            out.lines.push("payload of which nothing can be read in this frame alone: encrypted, or it goes on from earlier frames".into());
        }
    }
    out
}

/// The name of a link type without its number.
fn link_word(link: LinkType) -> String {
    let text = link_name(link);
    let word = text.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    word.unwrap_or(&text).to_owned()
}

fn transport(p: &Packet) -> String {
    let cut = if p.payload_missing > 0 { format!(", {} more not captured", p.payload_missing) } else { String::new() };
    let payload = format!("{} bytes of payload{cut}, TTL {}", p.payload_len, p.ttl);
    match p.transport {
        Transport::Udp => format!("UDP {} to {}: {payload}", p.sport, p.dport),
        Transport::Tcp => {
            let names =
                [(tcp_flags::SYN, "SYN"), (tcp_flags::FIN, "FIN"), (tcp_flags::RST, "RST"), (tcp_flags::ACK, "ACK")];
            let flags: Vec<&str> = names.iter().filter(|(bit, _)| p.flags & bit != 0).map(|(_, n)| *n).collect();
            format!("TCP {} to {} [{}] sequence {}: {payload}", p.sport, p.dport, flags.join(" "), p.seq)
        }
    }
}

fn datagram(p: &Packet, payload: &[u8], lines: &mut Vec<String>) {
    let mut message = Message::default();
    if (p.sport == DNS_PORT || p.dport == DNS_PORT || dns::may_be_message(payload)) && message.parse(payload) {
        dns_lines(&message, lines);
        return;
    }
    quic_lines(payload, lines);
}

fn segment(p: &Packet, payload: &[u8], lines: &mut Vec<String>) {
    if p.sport == DNS_PORT || p.dport == DNS_PORT {
        let mut message = Message::default();
        if let Probe::Found(bytes) = dns::stream_message(payload)
            && message.parse(bytes)
        {
            dns_lines(&message, lines);
            return;
        }
    }
    if tls::looks_like_client_hello(payload) {
        let mut scratch = Vec::new();
        if let Some(hello) = tls::partial_client_hello(payload, &mut scratch) {
            lines.push(hello_line("TLS", &hello));
        }
        return;
    }
    match tls::server_first(payload) {
        Probe::Found(ServerFirst::Hello { version, retry }) => {
            let what = if retry { "HelloRetryRequest" } else { "ServerHello" };
            lines.push(format!("TLS {what}, {}", tls_version(version)));
            return;
        }
        Probe::Found(ServerFirst::Alert { description }) => {
            lines.push(format!("TLS alert {description}"));
            return;
        }
        _ => {}
    }
    if let Probe::Found(status) = http::status(payload) {
        lines.push(format!("HTTP status {}", status.code));
        return;
    }
    if http::looks_like_request(payload) {
        let request = match http::request(payload) {
            Probe::Found(request) => Some(request),
            _ => http::partial_request(payload),
        };
        if let Some(request) = request {
            request_lines(&request, lines);
            return;
        }
    }
    if let Some((header, _)) = payload.split_first_chunk::<5>()
        && let Some(record) = tls::record_header(header)
    {
        lines.push(format!("TLS record of type {}, {} bytes, or the middle of one", record.content_type, record.len));
    }
}

fn dns_lines(m: &Message, lines: &mut Vec<String>) {
    let kind = if m.response { "response" } else { "query" };
    let mut head = format!("DNS {kind}, id {:#06x}", m.id);
    if m.response {
        head.push_str(&format!(", code {}", rcode(m.rcode)));
    }
    if m.opcode != 0 {
        head.push_str(&format!(", opcode {}", m.opcode));
    }
    for (is, word) in [(m.truncated, "truncated"), (m.malformed, "malformed")] {
        if is {
            head.push_str(&format!(", {word}"));
        }
    }
    lines.push(head);
    for q in &m.questions {
        lines.push(format!("question {} {}", m.name(q.name), dns::type_name(q.qtype)));
    }
    for a in m.answers.iter().take(MAX_ANSWERS) {
        let data = match a.data {
            Data::A(bytes) => std::net::Ipv4Addr::from(bytes).to_string(),
            Data::Aaaa(bytes) => std::net::Ipv6Addr::from(bytes).to_string(),
            Data::Cname(target) | Data::Ptr(target) => m.name(target).to_string(),
            Data::Service(_) | Data::Other => "(other data)".into(),
        };
        lines.push(format!("answer {} {} s {} {data}", m.name(a.owner), a.ttl, dns::type_name(a.rtype)));
    }
    let more = m.answers.len().saturating_sub(MAX_ANSWERS).saturating_add(usize::from(m.answers_left_out));
    if more > 0 {
        lines.push(format!("{more} more answers"));
    }
}

/// Name of a response code (RFC 1035 section 4.1.1, RFC 2136 section 2.2).
fn rcode(code: u8) -> String {
    let names = ["no error", "format error", "server failure", "no such name", "not implemented", "refused"];
    names.get(usize::from(code)).map_or_else(|| code.to_string(), |n| (*n).to_owned())
}

/// Opens the client's Initial packets, as far as this datagram has them.
fn quic_lines(payload: &[u8], lines: &mut Vec<String>) {
    let mut rest = payload;
    let mut stream = CryptoStream::new();
    let mut opened: Option<Version> = None;
    while let Ok((packet, after)) = quic::long_packet(rest) {
        rest = after;
        let what = match packet.kind {
            Kind::Initial => "Initial",
            _ => "long-header packet",
        };
        lines.push(format!("QUIC {what}, {:?}, {} bytes", packet.version, packet.bytes.len()));
        let mut scratch = Vec::new();
        if packet.kind == Kind::Initial
            && let Some(frames) = ClientKeys::new(packet.version, packet.dcid).open(&packet, &mut scratch)
        {
            opened = Some(packet.version);
            for (offset, data) in quic::crypto_frames(packet.version, frames) {
                if stream.insert(offset, data).is_err() {
                    break;
                }
            }
        }
        // Each key costs microseconds, and a datagram holds few real packets.
        if lines.len() > MAX_PACKETS {
            break;
        }
    }
    if opened.is_some() {
        match tls::client_hello_message(stream.contiguous()) {
            Probe::Found(hello) => lines.push(hello_line("QUIC", &hello)),
            _ => lines.push("part of a ClientHello, which other datagrams complete".into()),
        }
    }
}

fn hello_line(protocol: &str, hello: &tls::ClientHello<'_>) -> String {
    let name = hello
        .server_name
        .map_or_else(|| "without a server name".to_owned(), |name| format!("server name {}", Name::from_text(name)));
    let alpn = hello.alpn.map(|a| format!(", ALPN {}", Name::escape(a))).unwrap_or_default();
    let ech = if hello.ech { ", Encrypted Client Hello" } else { "" };
    let part = if hello.extent == tls::Extent::Whole { "" } else { " (a part: other frames complete it)" };
    format!("{protocol} ClientHello{part}, {name}, up to {}{alpn}{ech}", tls_version(hello.version))
}

fn tls_version(version: u16) -> String {
    match version {
        0x0304 => "TLS 1.3".into(),
        0x0303 => "TLS 1.2".into(),
        0x0302 => "TLS 1.1".into(),
        0x0301 => "TLS 1.0".into(),
        other => format!("version {other:#06x}"),
    }
}

/// What is shown of a request: never its query, which may hold what is nobody
/// else's business.
fn request_lines(r: &http::Request<'_>, lines: &mut Vec<String>) {
    let path = r.path.split(|b| *b == b'?').next().unwrap_or_default();
    let hidden = if path.len() < r.path.len() { "?(query left out)" } else { "" };
    let target = match r.authority {
        Some(authority) => format!("{}{}", Name::escape(authority), Name::escape(path)),
        None => Name::escape(path),
    };
    lines.push(format!("HTTP request {} {target}{hidden}", Name::escape(r.method)));
    for host in &r.hosts {
        lines.push(format!("Host {}", Name::escape(host)));
    }
    if let Some(agent) = &r.user_agent {
        lines.push(format!("User-Agent {}", Name::escape(agent)));
    }
}

#[cfg(test)]
mod tests;
