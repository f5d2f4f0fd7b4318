//! The account of what the sensor saw, could not use and could not see.
//!
//! Every stage counts here; nothing is dropped without a counter. Counts are
//! kept per source, interface and quarter hour.

pub mod account;
pub mod addresses;
pub mod doubts;
pub mod ledger;
pub mod resolvers;
pub mod shares;

pub use account::{Account, Forgotten};
pub use addresses::Addresses;
pub use ledger::{Key, Ledger};
pub use resolvers::Resolvers;

/// Whom and how long a run could see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Home addresses.
    pub addresses: Addresses,
    /// Home hosts that used encrypted DNS.
    pub resolvers: Resolvers,
    /// Quarter hours in which a frame came.
    pub quarters: u64,
}

impl Reach {
    /// Adds what was seen in other quarter hours.
    pub fn merge(&mut self, other: &Reach) {
        self.addresses.add_all(&other.addresses);
        self.resolvers.add_all(&other.resolvers);
        self.quarters = self.quarters.saturating_add(other.quarters);
    }
}

macro_rules! counters {
    ($($(#[doc = $doc:literal])+ $name:ident => $word:literal,)+) => {
        /// One thing that is counted. The first sentence of each is its
        /// meaning in `--stats` and in the store.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Counter { $($(#[doc = $doc])+ $name,)+ }

        impl Counter {
            /// Every counter, in output order.
            pub const ALL: &'static [Counter] = &[$(Counter::$name,)+];

            /// The word used in output.
            pub fn as_str(self) -> &'static str {
                match self { $(Counter::$name => $word,)+ }
            }

            /// The counter of that word.
            pub fn from_word(word: &str) -> Option<Counter> {
                match word { $($word => Some(Counter::$name),)+ _ => None }
            }

            /// What it counts, in a sentence.
            pub fn meaning(self) -> &'static str {
                match self { $(Counter::$name => concat!($($doc),+).trim_ascii(),)+ }
            }
        }

        /// How many counters there are.
        pub const COUNTERS: usize = Counter::ALL.len();
    };
}

counters! {
    // Frames.
    /// Frames that the capture delivered.
    Frames => "frames",
    /// Bytes of those frames on the wire.
    WireBytes => "wire_bytes",
    /// Frames that a snap length cut short.
    FramesCut => "frames_cut",
    /// Frames outside --since and --until, or refused by --bpf.
    FramesFiltered => "frames_filtered",
    /// Frames that the kernel dropped for want of buffer space, or that the capture file says were dropped.
    DroppedKernel => "dropped_kernel",
    /// Frames that the network card or its driver dropped.
    DroppedInterface => "dropped_interface",
    // Frames that became no segment, by cause.
    /// Frames of a link type that is not decoded.
    LinkUnsupported => "link_unsupported",
    /// Frames shorter than the headers they announce, or with impossible link headers.
    LinkMalformed => "link_malformed",
    /// ARP frames.
    Arp => "arp",
    /// Frames with a network protocol other than IP.
    OtherEthertype => "other_ethertype",
    /// Frames that are encrypted below IP (MACsec, protected 802.11, DOCSIS).
    LinkOpaque => "link_opaque",
    /// Packets with an impossible IP header.
    IpMalformed => "ip_malformed",
    /// IP fragments received.
    IpFragments => "ip_fragments",
    /// Fragmented datagrams put together again.
    IpReassembled => "ip_reassembled",
    /// Fragmented datagrams given up: incomplete, overlapping wrongly, or beyond the cap.
    IpFragmentsLost => "ip_fragments_lost",
    /// Fragmented datagrams with overlapping pieces that differ.
    IpFragmentConflict => "ip_fragment_conflict",
    /// Fragments that were copies of others of the same datagram, as a mirror of both sides of a port gives them; they are no loss. Where all of a datagram came again behind it, its copy counts among the duplicates.
    IpFragmentCopies => "ip_fragment_copies",
    /// IP packets with a transport other than TCP and UDP.
    OtherTransport => "other_transport",
    /// Packets encrypted at the IP layer (ESP).
    IpOpaque => "ip_opaque",
    /// Tunnel headers that are not decoded.
    TunnelUnsupported => "tunnel_unsupported",
    /// Packets with more layers than the limit, and 802.11 aggregates with more packets.
    LayersExceeded => "layers_exceeded",
    /// Segments with an impossible TCP or UDP header.
    TransportMalformed => "transport_malformed",
    // Encapsulation: every layer of every frame that has it, whatever became of the frame.
    /// VLAN tags (802.1Q).
    EncapVlan => "encap_vlan",
    /// Service VLAN tags (802.1ad, and the ethertypes 0x9100 and 0x9200 before it).
    EncapQinq => "encap_qinq",
    /// Backbone service instances (802.1ah).
    EncapIsid => "encap_isid",
    /// VN-Tags.
    EncapVnTag => "encap_vn_tag",
    /// E-Tags (802.1BR).
    EncapETag => "encap_e_tag",
    /// Cisco MetaData headers, which carry security group tags.
    EncapCmd => "encap_cmd",
    /// MACsec headers of frames that are authenticated and not encrypted.
    EncapMacsec => "encap_macsec",
    /// MPLS labels.
    EncapMpls => "encap_mpls",
    /// PPPoE sessions.
    EncapPppoe => "encap_pppoe",
    /// GRE tunnels, those in UDP included.
    EncapGre => "encap_gre",
    /// PPTP tunnels.
    EncapPptp => "encap_pptp",
    /// NVGRE networks.
    EncapNvgre => "encap_nvgre",
    /// ERSPAN sessions, types I, II and III.
    EncapErspan => "encap_erspan",
    /// VXLAN networks.
    EncapVxlan => "encap_vxlan",
    /// GENEVE networks.
    EncapGeneve => "encap_geneve",
    /// GTP-U tunnels.
    EncapGtpu => "encap_gtpu",
    /// IPv4 in IPv4.
    EncapV4InV4 => "encap_4in4",
    /// IPv6 in IPv4.
    EncapV6InV4 => "encap_6in4",
    /// IPv4 in IPv6.
    EncapV4InV6 => "encap_4in6",
    /// IPv6 in IPv6.
    EncapV6InV6 => "encap_6in6",
    /// Ethernet in IP.
    EncapEtherIp => "encap_etherip",
    /// Ethernet over IP of MikroTik.
    EncapEoip => "encap_eoip",
    /// Teredo tunnels.
    EncapTeredo => "encap_teredo",
    /// CAPWAP data channels.
    EncapCapwap => "encap_capwap",
    /// Frames mirrored by TZSP.
    EncapTzsp => "encap_tzsp",
    /// LISP tunnels.
    EncapLisp => "encap_lisp",
    /// L2TP sessions, versions 2 and 3.
    EncapL2tp => "encap_l2tp",
    /// Compressed IP payloads (IPComp).
    EncapIpcomp => "encap_ipcomp",
    // What is encrypted below TCP and UDP or in UDP; bytes on the wire, from the header of the cipher on.
    /// Packets encrypted by ESP, in IP and in UDP.
    OpaqueEspFrames => "opaque_esp_frames",
    /// Bytes encrypted by ESP, in IP and in UDP.
    OpaqueEspBytes => "opaque_esp_bytes",
    /// WireGuard data messages.
    OpaqueWireguardFrames => "opaque_wireguard_frames",
    /// Bytes of WireGuard data messages.
    OpaqueWireguardBytes => "opaque_wireguard_bytes",
    /// Frames encrypted by MACsec.
    OpaqueMacsecFrames => "opaque_macsec_frames",
    /// Bytes encrypted by MACsec.
    OpaqueMacsecBytes => "opaque_macsec_bytes",
    /// Frames encrypted by 802.11.
    OpaqueWifiFrames => "opaque_wifi_frames",
    /// Bytes encrypted by 802.11.
    OpaqueWifiBytes => "opaque_wifi_bytes",
    /// Frames encrypted by cable modems.
    OpaqueDocsisFrames => "opaque_docsis_frames",
    /// Bytes encrypted by cable modems.
    OpaqueDocsisBytes => "opaque_docsis_bytes",
    // What became of the frames: `wire_bytes` is the sum of these.
    /// Frames that became a TCP segment or UDP datagram.
    FramesDecoded => "frames_decoded",
    /// Bytes of frames that became a TCP segment or UDP datagram.
    BytesDecoded => "bytes_decoded",
    /// Bytes of frames counted in frames_filtered.
    BytesFiltered => "bytes_filtered",
    /// Bytes of frames that ended in link_unsupported.
    BytesLinkUnsupported => "bytes_link_unsupported",
    /// Bytes of frames that ended in link_malformed.
    BytesLinkMalformed => "bytes_link_malformed",
    /// Bytes of frames that ended in arp.
    BytesArp => "bytes_arp",
    /// Bytes of frames that ended in other_ethertype.
    BytesOtherEthertype => "bytes_other_ethertype",
    /// Bytes of frames that ended in link_opaque.
    BytesLinkOpaque => "bytes_link_opaque",
    /// Bytes of frames that ended in ip_malformed.
    BytesIpMalformed => "bytes_ip_malformed",
    /// Bytes of frames that ended in ip_fragments: all but the last fragment of a datagram.
    BytesIpFragments => "bytes_ip_fragments",
    /// Bytes of frames that ended in other_transport.
    BytesOtherTransport => "bytes_other_transport",
    /// Bytes of frames that ended in ip_opaque.
    BytesIpOpaque => "bytes_ip_opaque",
    /// Bytes of frames that ended in tunnel_unsupported.
    BytesTunnelUnsupported => "bytes_tunnel_unsupported",
    /// Bytes of frames that ended in layers_exceeded.
    BytesLayersExceeded => "bytes_layers_exceeded",
    /// Bytes of frames that ended in transport_malformed.
    BytesTransportMalformed => "bytes_transport_malformed",
    /// Bytes of frames that became no segment for any other cause.
    BytesOther => "bytes_other",
    // Segments.
    /// TCP segments.
    TcpSegments => "tcp_segments",
    /// UDP datagrams.
    UdpDatagrams => "udp_datagrams",
    /// Segments whose payload the capture holds only in part.
    PayloadCut => "payload_cut",
    /// Segments whose IP or tunnel header announces more bytes than the frame had on the wire; what is beyond counts for nothing.
    LengthsOverstated => "lengths_overstated",
    /// Copies of frames, as a mirror of both sides of a port or router gives them, among those that reach a decoder or belong to a followed contact; they count for nothing else. Bare TCP acknowledgements, which may be equal without being copies, are not compared.
    Duplicates => "duplicates",
    /// Frames of the sample of flows of which every frame but bare TCP acknowledgements is compared, to estimate the share of copies among all frames.
    SampleFrames => "sample_frames",
    /// Copies among the frames of the sample.
    DuplicatesSampled => "duplicates_sampled",
    /// Frames that could no longer be recognised if they were copied, because too many came at once.
    DuplicatesForgotten => "duplicates_forgotten",
    /// TCP and UDP checksums verified: of datagrams that reach a decoder and of all that belongs to the sample, if they are whole.
    ChecksumsVerified => "checksums_verified",
    /// IPv4 headers with a wrong checksum among those frames.
    IpChecksumBad => "ip_checksum_bad",
    /// TCP segments with a wrong checksum among those verified.
    TcpChecksumBad => "tcp_checksum_bad",
    /// UDP datagrams with a wrong checksum among those verified.
    UdpChecksumBad => "udp_checksum_bad",
    /// TCP and UDP flows.
    Flows => "flows",
    /// TCP flows on other ports than those of DNS (53, 853): without any, failed lookups say little.
    FlowsOther => "flows_other",
    /// TCP flows first seen after their handshake.
    FlowsMidStream => "flows_mid_stream",
    /// Flows forgotten before their end because the table was full, or because a third one between the same ends and ports began.
    FlowsEvicted => "flows_evicted",
    /// TCP flows ended with payload.
    FlowsWithPayload => "flows_with_payload",
    /// TCP flows ended with payload seen in one direction only.
    FlowsOneSided => "flows_one_sided",
    /// Stream heads in which bytes are missing.
    StreamGaps => "stream_gaps",
    /// Stream heads longer than the limit.
    StreamOverflow => "stream_overflow",
    /// Stream heads forgotten because too many were open.
    StreamsEvicted => "streams_evicted",
    /// TCP flows in which a repeated byte of the client's head differed, or the number of a repeated SYN-ACK; of a head the first copy counts, and a whole message that differs from the first is told beside it.
    StreamConflict => "stream_conflict",
    // Capture loss, as acknowledgements show it.
    /// TCP flows in the sample for capture loss: one in 64, by a fixed hash of addresses and ports.
    SampleFlows => "sample_flows",
    /// Flows of that sample left out because a shard had too many of them.
    SampleRefused => "sample_refused",
    /// Acknowledgements in the sample that acknowledged something new.
    SampleAcks => "sample_acks",
    /// Sequence numbers that they acknowledged.
    SampleAckedBytes => "sample_acked_bytes",
    /// Runs of acknowledged bytes in the sample that the capture never showed.
    SampleGaps => "sample_gaps",
    /// Acknowledged bytes in the sample that the capture never showed.
    SampleUnseenBytes => "sample_unseen_bytes",
    /// Followed TCP flows of which no capture loss is reckoned because a shard had too many of them.
    MatchedRefused => "matched_refused",
    /// Sequence numbers acknowledged in followed TCP flows, from when they were followed.
    MatchedAckedBytes => "matched_acked_bytes",
    /// Acknowledged bytes in followed TCP flows that the capture never showed.
    MatchedUnseenBytes => "matched_unseen_bytes",
    /// Stream heads of which the capture holds too little to tell what they begin.
    StreamHeadsCut => "stream_heads_cut",
    // DNS.
    /// DNS messages.
    DnsMessages => "dns_messages",
    /// DNS messages that are responses.
    DnsAnswers => "dns_answers",
    /// DNS messages that end early, loop or are otherwise malformed.
    DnsMalformed => "dns_malformed",
    /// DNS messages of which the capture holds only a part.
    DnsCut => "dns_cut",
    /// DNS answers whose question was not seen before them.
    DnsUnsolicited => "dns_unsolicited",
    /// Of these, answers that name a catalogue name; they make no host.
    DnsUnsolicitedListed => "dns_unsolicited_listed",
    /// Of these, answers that the capture holds less than a second before their question; they count as answers.
    DnsEarly => "dns_early",
    /// DNS answers with keys for Encrypted Client Hello, behind which server names will be hidden.
    DnsEch => "dns_ech",
    /// DNS questions forgotten within their time before an answer came, because too many were open.
    DnsQuestionsEvicted => "dns_questions_evicted",
    /// DNS messages on port 53 that are no DNS.
    DnsNot => "dns_not",
    /// Names told of home addresses: in multicast DNS, LLMNR and NetBIOS by themselves, in DHCP by clients with the address they were given, in reverse lookups by name servers.
    HostNames => "host_names",
    // Who has which address.
    /// DHCP messages, of both versions; copies of frames count too.
    DhcpMessages => "dhcp_messages",
    /// Addresses that messages of ARP, neighbour discovery and DHCP say somebody has; copies of frames count too.
    AddressClaims => "address_claims",
    /// Of these, lone claims: nobody was seen to ask for them, and they were not made before. They confirm nobody.
    AddressClaimsLone => "address_claims_lone",
    /// Messages of ARP, neighbour discovery and DHCP that are not believed: malformed, cut, of other networks than Ethernet and IP, or sent from another hardware address than they tell of.
    ClaimsRefused => "claims_refused",
    /// Questions for addresses, lone claims and DHCP exchanges that were forgotten within their time because too many came at once.
    ClaimsForgotten => "claims_forgotten",
    /// Addresses with what confirms them that were not kept because a shard's room for that kind was full.
    ConfirmedRefused => "confirmed_refused",
    /// Flows whose both ends have proved to hear one another: a TCP handshake whose numbers fit in both directions, a QUIC client that uses its server's connection id.
    Handshakes => "handshakes",
    // TLS.
    /// TLS ClientHellos seen to begin, those in QUIC included: one a connection, and one more where another follows before the handshake goes on.
    TlsHellos => "tls_hellos",
    /// TLS ClientHellos that could not be read to their end.
    TlsHellosIncomplete => "tls_hellos_incomplete",
    /// TLS ClientHellos over TCP that could not be read to their end because the capture holds only a part of a frame.
    TlsHellosCut => "tls_hellos_cut",
    /// TLS ClientHellos without a server name.
    TlsNoName => "tls_no_name",
    /// TLS ClientHellos that offer Encrypted Client Hello, most of them for show.
    EchOffered => "ech_offered",
    /// TLS ClientHellos whose server name is a public name of Encrypted Client Hello: the real name is hidden.
    EchConcealed => "ech_concealed",
    /// SSL 2 ClientHellos, which have no server name.
    SslV2Hellos => "ssl_v2_hellos",
    /// Certificates read of TLS servers whose client's hello was missed.
    TlsCertificates => "tls_certificates",
    // QUIC.
    /// QUIC client Initial packets, with those that follow a ClientHello and are left closed.
    QuicInitials => "quic_initials",
    /// QUIC Initial packets of which the capture holds only a part.
    QuicCut => "quic_cut",
    /// QUIC client Initial packets opened.
    QuicOpened => "quic_opened",
    /// QUIC client Initial packets that did not authenticate.
    QuicRefused => "quic_refused",
    /// QUIC long headers of an unknown version.
    QuicVersionUnknown => "quic_version_unknown",
    /// QUIC client Initial packets left closed because the budget for key derivation was spent, or that of their flow for packets that do not open.
    QuicBudget => "quic_budget",
    /// QUIC ClientHellos that could not be read to their end.
    QuicHellosIncomplete => "quic_hellos_incomplete",
    // HTTP.
    /// HTTP requests.
    HttpRequests => "http_requests",
    /// HTTP request heads that could not be read to their end because the capture holds only a part of a frame.
    HttpCut => "http_cut",
    /// HTTP requests without a host.
    HttpNoHost => "http_no_host",
    /// HTTP request heads, bodies and frames that are malformed.
    HttpMalformed => "http_malformed",
    /// Of these, requests behind which nobody knows where the next one begins, as servers may read their length in two ways or what follows is no request; what the client sent with them up to the server's answer was left alone.
    HttpUnclear => "http_unclear",
    /// HTTP/2 connections in clear text.
    Http2Connections => "http2_connections",
    /// HTTP/2 requests whose host stood in a table entry that was not seen.
    Http2HostsLost => "http2_hosts_lost",
    // Names and matches.
    /// Names found.
    Names => "names",
    /// Names with bytes that no host name has, or longer than any can be; they match nothing.
    NamesOdd => "names_odd",
    /// Contacts with encrypted DNS resolvers: what they were asked is hidden.
    EncryptedDns => "encrypted_dns",
    /// Observations of catalogue indicators by hosts in the home networks.
    Observations => "observations",
    /// Observations of catalogue indicators by clients outside the home networks.
    ObservationsOutside => "observations_outside",
    /// Observations that came when the record of their day was closed; live and with `--follow` only.
    ObservationsLate => "observations_late",
    /// Contacts with an address from an answer whose flow revealed another name, or came from another hardware address than the answer went to.
    AddressContradicted => "address_contradicted",
    /// Contacts whose progress was not followed because too many were under way.
    ContactsUnfollowed => "contacts_unfollowed",
    /// Entries dropped from a table of the matching stage because it was full.
    TableEvicted => "table_evicted",
    /// Signs of roles, and of machines behind one address, that were not kept for want of room.
    SignalsRefused => "signals_refused",
    /// Packets of encapsulations that could not be told apart because there were too many.
    EncapsRefused => "encaps_refused",
}

impl Counter {
    /// Where the bytes of a frame go that ends in this counter: each frame's
    /// bytes are in exactly one of these counters, so that their sum is
    /// [`Counter::WireBytes`].
    pub fn bytes(self) -> Counter {
        use Counter as C;
        match self {
            C::FramesDecoded => C::BytesDecoded,
            C::FramesFiltered => C::BytesFiltered,
            C::LinkUnsupported => C::BytesLinkUnsupported,
            C::LinkMalformed => C::BytesLinkMalformed,
            C::Arp => C::BytesArp,
            C::OtherEthertype => C::BytesOtherEthertype,
            C::LinkOpaque => C::BytesLinkOpaque,
            C::IpMalformed => C::BytesIpMalformed,
            C::IpFragments => C::BytesIpFragments,
            C::OtherTransport => C::BytesOtherTransport,
            C::IpOpaque => C::BytesIpOpaque,
            C::TunnelUnsupported => C::BytesTunnelUnsupported,
            C::LayersExceeded => C::BytesLayersExceeded,
            C::TransportMalformed => C::BytesTransportMalformed,
            _ => C::BytesOther,
        }
    }
}

/// Counts of one source, interface and quarter hour: the counters that are not
/// zero. Most are, and of these there may be many thousands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts(Vec<(Counter, u64)>);

impl Counts {
    /// Adds to a counter, saturating.
    pub fn add(&mut self, counter: Counter, n: u64) {
        if n == 0 {
            return;
        }
        match self.0.binary_search_by_key(&counter, |(c, _)| *c) {
            Ok(at) => {
                if let Some((_, sum)) = self.0.get_mut(at) {
                    *sum = sum.saturating_add(n);
                }
            }
            Err(at) => self.0.insert(at, (counter, n)),
        }
    }

    /// The value of a counter.
    pub fn get(&self, counter: Counter) -> u64 {
        let at = self.0.binary_search_by_key(&counter, |(c, _)| *c);
        at.ok().and_then(|at| self.0.get(at)).map_or(0, |(_, n)| *n)
    }

    /// Adds every count of `other`.
    pub fn merge(&mut self, other: &Counts) {
        if self.0.is_empty() {
            self.0.clone_from(&other.0);
        } else {
            other.0.iter().for_each(|(counter, n)| self.add(*counter, *n));
        }
    }

    /// The counters that are not zero, in output order.
    pub fn iter(&self) -> impl Iterator<Item = (Counter, u64)> + '_ {
        self.0.iter().copied()
    }
}

/// Counts in the making: a place for each counter, so that counting is an
/// addition.
#[derive(Clone, Debug)]
struct Tally([u64; COUNTERS]);

impl Default for Tally {
    fn default() -> Self {
        Tally([0; COUNTERS])
    }
}

impl Tally {
    #[inline]
    fn add(&mut self, counter: Counter, n: u64) {
        if let Some(c) = self.0.get_mut(counter as usize) {
            *c = c.saturating_add(n);
        }
    }

    /// Moves everything to `counts`.
    fn move_to(&mut self, counts: &mut Counts) {
        for (counter, n) in Counter::ALL.iter().zip(&mut self.0) {
            counts.add(*counter, std::mem::take(n));
        }
    }
}
