//! Display filters for Wireshark that find a frame of evidence again.

use crate::base::Channel;
use crate::sighting::Evidence;

/// A filter that finds the frame by what it shows, and not by its number: in
/// any copy, part or merge of the capture. `transport` is `tcp` or `udp` where
/// the frame was read again, `frame` its bytes then: names that were not sent
/// in lower case need a comparison of their own.
pub fn content_filter(e: &Evidence, transport: Option<&str>, frame: Option<&[u8]>) -> String {
    let Some(name) = e.name.as_deref() else { return ends(e, transport) };
    let equals = |field: &str| match frame {
        Some(frame) if has_labels(frame, name) => format!("{field} == {}", quoted(name)),
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
        Channel::Address | Channel::Netblock | Channel::LanPort | Channel::Payload => ends(e, transport),
    }
}

/// A filter for the packets of the same flow and direction.
fn ends(e: &Evidence, transport: Option<&str>) -> String {
    let ip = if e.src.as_v4().is_some() { "ip" } else { "ipv6" };
    let hosts = format!("{ip}.src == {} && {ip}.dst == {}", e.src, e.dst);
    match transport {
        Some(t) => format!("{hosts} && {t}.srcport == {} && {t}.dstport == {}", e.sport, e.dport),
        None => hosts,
    }
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
            let filter = content_filter(&evidence(channel, Some("a\" || frame || \"b")), Some("tcp"), None);
            assert!(!filter.replace("\\\"", "").contains("\" || frame"), "{filter}");
            assert!(filter.contains("10.0.0.5") || filter.contains("\"a\\\" || frame || \\\"b\""), "{filter}");
        }
        assert_eq!(quoted(r#"a\x1bb\"c\"#), r#""a\x1bb\\\"c\\""#);
        let e = evidence(Channel::TlsSni, Some("s05.upd.kaspersky.com"));
        assert_eq!(
            content_filter(&e, Some("tcp"), Some(b"..s05.upd.kaspersky.com..")),
            "tls.handshake.extensions_server_name == \"s05.upd.kaspersky.com\""
        );
        let mixed = content_filter(&e, Some("tcp"), Some(b"..S05.upd.Kaspersky.com.."));
        assert!(mixed.starts_with("lower(tls.handshake.extensions_server_name) =="), "{mixed}");
        let e = evidence(Channel::Address, Some("x"));
        assert_eq!(
            content_filter(&e, Some("udp"), None),
            "ip.src == 10.0.0.5 && ip.dst == 192.0.2.7 && udp.srcport == 4000 && udp.dstport == 443"
        );
    }
}
