//! Display filters for Wireshark that find a frame of evidence again.

use super::dissect::Dissection;
use crate::base::Channel;
use crate::sighting::Evidence;

/// What is known of a frame besides its evidence.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known<'a> {
    /// The server sent it.
    pub from_server: bool,
    /// The frame as it was read again, and what our decoders read in it.
    pub read: Option<(&'a [u8], &'a Dissection)>,
}

/// A filter that finds the frame by what it shows, and not by its number: in
/// any copy, part or merge of the capture. Frames that only show how far a
/// contact got, without its name, and those that only complete it, are found
/// by their ends, and by the TCP sequence number where it is known.
pub fn content_filter(e: &Evidence, known: Known<'_>) -> String {
    let answers = matches!(
        e.channel,
        Channel::DnsQuery | Channel::DnsAnswer | Channel::DnsCname | Channel::TlsCertificate | Channel::Payload
    );
    let Some(name) = e.name.as_deref().filter(|_| answers || !known.from_server) else { return ends(e, known) };
    // Where a stream was put together, Wireshark may show it elsewhere.
    let lacks = |(frame, read): (&[u8], &Dissection)| {
        read.sequence.is_some() && !has_labels(&frame.to_ascii_lowercase(), &name.to_ascii_lowercase())
    };
    if known.read.is_some_and(lacks) {
        return ends(e, known);
    }
    // Names that were not sent in lower case need a comparison of their own.
    let equals = |field: &str| match known.read {
        Some((frame, _)) if has_labels(frame, name) => format!("{field} == {}", quoted(name)),
        _ => format!("lower({field}) == {}", quoted(name)),
    };
    let contains = |field: &str| format!("{field} contains {}", quoted(name));
    match e.channel {
        Channel::DnsQuery => equals("dns.qry.name"),
        Channel::DnsAnswer => format!("dns.flags.response == 1 && {}", equals("dns.qry.name")),
        Channel::DnsCname => equals("dns.cname"),
        Channel::TlsSni | Channel::QuicSni => equals("tls.handshake.extensions_server_name"),
        // A Host field may carry a port.
        Channel::HttpHost => format!("{} || {}", contains("http.host"), contains("http2.headers.authority")),
        Channel::HttpConnect => format!("http.request.method == \"CONNECT\" && {}", contains("http.request.uri")),
        Channel::HttpPath => format!("{} || {}", contains("http.request.uri"), contains("http2.headers.path")),
        Channel::HttpUserAgent => {
            format!("{} || {}", contains("http.user_agent"), contains("http2.headers.user_agent"))
        }
        Channel::TlsCertificate => format!("{} || {}", contains("x509ce.dNSName"), contains("x509sat.uTF8String")),
        Channel::Address | Channel::Netblock | Channel::LanPort | Channel::Payload => ends(e, known),
    }
}

/// A filter for the packet of the flow, or for all of them in its direction.
fn ends(e: &Evidence, known: Known<'_>) -> String {
    let ip = if e.src.as_v4().is_some() { "ip" } else { "ipv6" };
    let mut filter = format!("{ip}.src == {} && {ip}.dst == {}", e.src, e.dst);
    let Some((_, read)) = known.read else { return filter };
    if let Some(t) = read.transport {
        filter.push_str(&format!(" && {t}.srcport == {} && {t}.dstport == {}", e.sport, e.dport));
    }
    if let Some(sequence) = read.sequence {
        filter.push_str(&format!(" && tcp.seq_raw == {sequence}"));
    }
    filter
}

/// A string of Wireshark's filter language. Names carry other bytes as `\xNN`,
/// which that language reads as they are meant.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len().saturating_add(2));
    out.push('"');
    for (at, c) in text.char_indices() {
        let rest = text.get(at..).unwrap_or_default().as_bytes();
        let is_byte = matches!(rest, [b'\\', b'x', a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit());
        if c == '"' || (c == '\\' && !is_byte) {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    out
}

/// Whether each label of a lower-case name occurs in the frame as it is.
fn has_labels(frame: &[u8], name: &str) -> bool {
    let has = |label: &str| label.is_empty() || memchr::memmem::find(frame, label.as_bytes()).is_some();
    name.split('.').all(has)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Addr, Timestamp};

    fn evidence(channel: Channel, name: Option<&str>) -> Evidence {
        Evidence {
            path: None,
            interface: None,
            frame: 7,
            offset: None,
            ts: Timestamp(0),
            channel,
            name: name.map(Into::into),
            src: Addr::v4([10, 0, 0, 5]),
            sport: 4000,
            dst: Addr::v4([192, 0, 2, 7]),
            dport: 443,
            layers: Vec::new(),
            packet_sha256: String::new(),
        }
    }

    #[test]
    fn each_channel_has_a_filter_that_quotes_what_came_from_the_wire() {
        for channel in Channel::ALL {
            let filter = content_filter(&evidence(channel, Some("a\" || frame || \"b")), Known::default());
            assert!(!filter.replace("\\\"", "").contains("\" || frame"), "{filter}");
            assert!(filter.contains("10.0.0.5") || filter.contains("\"a\\\" || frame || \\\"b\""), "{filter}");
        }
        assert_eq!(quoted(r#"a\x1bb\"c\"#), r#""a\x1bb\\\"c\\""#);
    }

    #[test]
    fn frames_are_found_by_their_names_or_by_their_ends() {
        let read = Dissection { transport: Some("tcp"), sequence: Some(77), ..Dissection::default() };
        let known = |bytes, from_server| Known { from_server, read: Some((bytes, &read)) };
        let e = evidence(Channel::TlsSni, Some("s05.upd.kaspersky.com"));
        assert_eq!(
            content_filter(&e, known(b"..s05.upd.kaspersky.com..", false)),
            "tls.handshake.extensions_server_name == \"s05.upd.kaspersky.com\""
        );
        let mixed = content_filter(&e, known(b"..S05.upd.Kaspersky.com..", false));
        assert!(mixed.starts_with("lower(tls.handshake.extensions_server_name) =="), "{mixed}");
        let ends = "ip.src == 10.0.0.5 && ip.dst == 192.0.2.7 && tcp.srcport == 4000 && tcp.dstport == 443 \
                    && tcp.seq_raw == 77";
        assert_eq!(content_filter(&e, known(b"", true)), ends);
        assert_eq!(content_filter(&evidence(Channel::Address, Some("x")), known(b"", false)), ends);
        let unread = Known { from_server: true, read: None };
        assert_eq!(content_filter(&e, unread), "ip.src == 10.0.0.5 && ip.dst == 192.0.2.7");
        let answer = content_filter(&evidence(Channel::DnsAnswer, Some("x")), unread);
        assert_eq!(answer, "dns.flags.response == 1 && lower(dns.qry.name) == \"x\"");
    }
}
