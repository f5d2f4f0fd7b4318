//! Where a name or contact was seen.

use std::fmt;

/// The field of a protocol, or the property of a flow, that an observation
/// came from. Ordered as records list them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// Question of a DNS query.
    DnsQuery,
    /// Question repeated in a DNS response.
    DnsAnswer,
    /// Target of a CNAME record in a DNS response.
    DnsCname,
    /// Server name in a ClientHello of TLS over TCP, or of DTLS.
    TlsSni,
    /// Server name in a TLS ClientHello inside QUIC Initial packets.
    QuicSni,
    /// Host of an HTTP request: Host field, absolute-form target or `:authority`.
    HttpHost,
    /// Target of an HTTP CONNECT request.
    HttpConnect,
    /// Path of an HTTP request.
    HttpPath,
    /// User-Agent field of an HTTP request.
    HttpUserAgent,
    /// Subject name in a TLS server certificate.
    TlsCertificate,
    /// Contact with an address that an observed answer tied to a name.
    Address,
    /// Contact with an address inside a listed prefix.
    Netblock,
    /// Contact with a listed port of a host in the home networks.
    LanPort,
    /// First payload bytes of a flow.
    Payload,
}

impl Channel {
    /// All channels, in record order.
    pub const ALL: [Channel; 14] = [
        Channel::DnsQuery,
        Channel::DnsAnswer,
        Channel::DnsCname,
        Channel::TlsSni,
        Channel::QuicSni,
        Channel::HttpHost,
        Channel::HttpConnect,
        Channel::HttpPath,
        Channel::HttpUserAgent,
        Channel::TlsCertificate,
        Channel::Address,
        Channel::Netblock,
        Channel::LanPort,
        Channel::Payload,
    ];

    /// The word used in output, such as `tls_sni`.
    pub fn as_str(self) -> &'static str {
        match self {
            Channel::DnsQuery => "dns_query",
            Channel::DnsAnswer => "dns_answer",
            Channel::DnsCname => "dns_cname",
            Channel::TlsSni => "tls_sni",
            Channel::QuicSni => "quic_sni",
            Channel::HttpHost => "http_host",
            Channel::HttpConnect => "http_connect",
            Channel::HttpPath => "http_path",
            Channel::HttpUserAgent => "http_user_agent",
            Channel::TlsCertificate => "tls_certificate",
            Channel::Address => "address",
            Channel::Netblock => "netblock",
            Channel::LanPort => "lan_port",
            Channel::Payload => "payload",
        }
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
