//! The account of what the sensor saw, could not use and could not see.
//!
//! Every stage counts here; nothing is dropped without a counter. Counts are
//! kept per source, interface and quarter hour.

pub mod account;
pub mod addresses;
pub mod ledger;

pub use account::Account;
pub use addresses::Addresses;
pub use ledger::{Key, Ledger};

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
    /// Frames that are encrypted below IP (MACsec, protected 802.11).
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
    /// IP packets with a transport other than TCP and UDP.
    OtherTransport => "other_transport",
    /// Packets encrypted at the IP layer (ESP).
    IpOpaque => "ip_opaque",
    /// Tunnel headers that are not decoded.
    TunnelUnsupported => "tunnel_unsupported",
    /// Packets with more layers than the limit.
    LayersExceeded => "layers_exceeded",
    /// Segments with an impossible TCP or UDP header.
    TransportMalformed => "transport_malformed",
    // Segments.
    /// TCP segments.
    TcpSegments => "tcp_segments",
    /// UDP datagrams.
    UdpDatagrams => "udp_datagrams",
    /// Segments whose payload the capture holds only in part.
    PayloadCut => "payload_cut",
    /// Copies of frames, as a mirror of both sides of a port or router gives them, among those that reach a decoder or belong to a followed contact; they count for nothing else. Bare TCP acknowledgements, which may be equal without being copies, are not compared.
    Duplicates => "duplicates",
    /// Frames of the sample of flows of which every frame but bare TCP acknowledgements is compared, to estimate the share of copies among all frames.
    SampleFrames => "sample_frames",
    /// Copies among the frames of the sample.
    DuplicatesSampled => "duplicates_sampled",
    /// Frames that could no longer be recognised if they were copied, because too many came at once.
    DuplicatesForgotten => "duplicates_forgotten",
    /// TCP and UDP checksums verified: of frames that reach a decoder or belong to the sample, and are whole.
    ChecksumsVerified => "checksums_verified",
    /// IPv4 headers with a wrong checksum among those frames.
    IpChecksumBad => "ip_checksum_bad",
    /// TCP segments with a wrong checksum among those verified.
    TcpChecksumBad => "tcp_checksum_bad",
    /// UDP datagrams with a wrong checksum among those verified.
    UdpChecksumBad => "udp_checksum_bad",
    /// TCP and UDP flows.
    Flows => "flows",
    /// TCP flows first seen after their handshake.
    FlowsMidStream => "flows_mid_stream",
    /// Flows forgotten before their end because the table was full.
    FlowsEvicted => "flows_evicted",
    /// TCP flows ended with payload seen in one direction only.
    FlowsOneSided => "flows_one_sided",
    /// Stream heads in which bytes are missing.
    StreamGaps => "stream_gaps",
    /// Stream heads longer than the limit.
    StreamOverflow => "stream_overflow",
    /// Stream heads forgotten because too many were open.
    StreamsEvicted => "streams_evicted",
    /// Stream heads in which a repeated byte differed; the first copy counts.
    StreamConflict => "stream_conflict",
    /// Stream heads of which the capture holds too little to tell what they begin.
    StreamHeadsCut => "stream_heads_cut",
    // DNS.
    /// DNS messages.
    DnsMessages => "dns_messages",
    /// DNS messages that end early, loop or are otherwise malformed.
    DnsMalformed => "dns_malformed",
    /// DNS messages of which the capture holds only a part.
    DnsCut => "dns_cut",
    /// DNS answers whose question was not seen.
    DnsUnsolicited => "dns_unsolicited",
    /// DNS questions forgotten within their time before an answer came, because too many were open.
    DnsQuestionsEvicted => "dns_questions_evicted",
    /// DNS messages on port 53 that are no DNS.
    DnsNot => "dns_not",
    // TLS.
    /// TLS ClientHellos seen to begin, one a connection, those in QUIC included.
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
    // QUIC.
    /// QUIC client Initial packets.
    QuicInitials => "quic_initials",
    /// QUIC Initial packets of which the capture holds only a part.
    QuicCut => "quic_cut",
    /// QUIC client Initial packets opened.
    QuicOpened => "quic_opened",
    /// QUIC client Initial packets that did not authenticate.
    QuicRefused => "quic_refused",
    /// QUIC long headers of an unknown version.
    QuicVersionUnknown => "quic_version_unknown",
    /// QUIC client Initial packets left closed because the budget for key derivation was spent.
    QuicBudget => "quic_budget",
    /// QUIC ClientHellos that could not be read to their end.
    QuicHellosIncomplete => "quic_hellos_incomplete",
    // HTTP.
    /// HTTP/1 requests.
    HttpRequests => "http_requests",
    /// HTTP/1 request heads that could not be read to their end because the capture holds only a part of a frame.
    HttpCut => "http_cut",
    /// HTTP/1 requests without a host.
    HttpNoHost => "http_no_host",
    /// HTTP/1 request heads that are malformed.
    HttpMalformed => "http_malformed",
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
    /// Observations that came too late for the record of their day; live only.
    ObservationsLate => "observations_late",
    /// Contacts with an address from an answer whose flow revealed another name.
    AddressContradicted => "address_contradicted",
    /// Contacts whose progress was not followed because too many were under way.
    ContactsUnfollowed => "contacts_unfollowed",
    /// Entries dropped from a table of the matching stage because it was full.
    TableEvicted => "table_evicted",
    /// Packets of encapsulations that could not be told apart because there were too many.
    EncapsRefused => "encaps_refused",
}

/// Counts of one source, interface and quarter hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts([u64; COUNTERS]);

impl Default for Counts {
    fn default() -> Self {
        Counts([0; COUNTERS])
    }
}

impl Counts {
    /// Adds to a counter, saturating.
    #[inline]
    pub fn add(&mut self, counter: Counter, n: u64) {
        if let Some(c) = self.0.get_mut(counter as usize) {
            *c = c.saturating_add(n);
        }
    }

    /// The value of a counter.
    pub fn get(&self, counter: Counter) -> u64 {
        self.0.get(counter as usize).copied().unwrap_or(0)
    }

    /// Adds every count of `other`.
    pub fn merge(&mut self, other: &Counts) {
        for (a, b) in self.0.iter_mut().zip(&other.0) {
            *a = a.saturating_add(*b);
        }
    }

    /// The counters that are not zero, in output order.
    pub fn iter(&self) -> impl Iterator<Item = (Counter, u64)> + '_ {
        Counter::ALL.iter().copied().map(|c| (c, self.get(c))).filter(|(_, n)| *n > 0)
    }
}
