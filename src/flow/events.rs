//! What the flow layer tells its sink.

use super::claims::Claim;
use super::duplicates::Place;
use crate::base::{Addr, Name, NameSource, Stage};
use crate::coverage::Ledger;
use crate::packet::{Packet, Transport};
use crate::protocol::dns::Message;

/// Where a frame lies, for evidence.
#[derive(Clone, Copy, Debug)]
pub struct FrameRef<'a> {
    /// The frame as captured.
    pub bytes: &'a [u8],
    /// Bytes it had on the wire.
    pub orig_len: u32,
    /// Its number in the source, from 1.
    pub number: u64,
    /// Offset of its record in the source's decompressed content; 0 for live
    /// capture.
    pub offset: u64,
    /// Number of the source in this run.
    pub source: u32,
    /// Interface of the source.
    pub interface: u16,
}

/// The two ends of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Endpoints {
    /// Who began it.
    pub client: Addr,
    /// The client's port.
    pub cport: u16,
    /// The other end.
    pub server: Addr,
    /// The server's port.
    pub sport: u16,
    /// TCP or UDP.
    pub transport: Transport,
}

/// One segment on its way through the engine.
#[derive(Clone, Copy, Debug)]
pub struct At<'a> {
    /// The decoded segment.
    pub packet: &'a Packet,
    /// Its payload at hand.
    pub payload: &'a [u8],
    /// The frame it came in.
    pub frame: FrameRef<'a>,
    /// Encapsulation context that keeps equal addresses apart.
    pub segment: u32,
    /// Whether the client sent it.
    pub from_client: bool,
    /// The client's place is not where the frame was captured, but nearer to it.
    pub moved: bool,
}

impl At<'_> {
    /// The ends of its flow.
    pub fn endpoints(&self) -> Endpoints {
        let p = self.packet;
        let (client, cport, server, sport) =
            if self.from_client { (p.src, p.sport, p.dst, p.dport) } else { (p.dst, p.dport, p.src, p.sport) };
        Endpoints { client, cport, server, sport, transport: p.transport }
    }
}

macro_rules! notes {
    ($($(#[doc = $doc:literal])+ $name:ident => $word:literal,)+) => {
        /// A circumstance worth recording beside an observation.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Note { $($(#[doc = $doc])+ $name,)+ }

        impl Note {
            /// Every note.
            pub const ALL: &'static [Note] = &[$(Note::$name,)+];
            /// The word used in output.
            pub fn as_str(self) -> &'static str {
                match self { $(Note::$name => $word,)+ }
            }
        }
    };
}

notes! {
    /// Several hosts were named; which one receivers use differs.
    Ambiguous => "ambiguous",
    /// The record continues a contact of the day before.
    Continued => "continued",
    /// The real server name is encrypted; the name is the public one.
    Ech => "ech_concealed",
    /// Repeated bytes of a stream or overlapping fragments of a packet differed; the first copy counts.
    Conflict => "conflict",
    /// Stream bytes are missing before it.
    Gap => "gap",
    /// The answer gave no address.
    NoAddress => "no_address",
    /// The answer said that the name does not exist.
    NxDomain => "nxdomain",
    /// The flow's start was not seen.
    MidStream => "mid_stream",
    /// Only one direction was seen.
    OneSided => "one_sided",
    /// The message around the name was cut or malformed.
    PartialMessage => "partial_message",
    /// The proxy refused to connect, or could not reach the server.
    ProxyRefused => "proxy_refused",
    /// Asked of a public resolver although a local one is in use.
    PublicDns => "public_dns",
    /// The server refused the connection.
    Refused => "refused",
    /// The connection was reset before the server answered.
    Reset => "reset",
    /// The resolver could not or would not answer.
    ServFail => "servfail",
    /// The server answered the handshake with an alert.
    TlsAlert => "tls_alert",
    /// An answer whose question was not seen before it.
    Unsolicited => "unsolicited",
    /// The contact went through an explicit proxy.
    ViaProxy => "via_proxy",
}

/// A set of [`Note`]s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Notes(u32);

impl Notes {
    /// None.
    pub const NONE: Notes = Notes(0);

    /// With one more.
    #[must_use]
    pub fn with(self, note: Note) -> Notes {
        Notes(self.0 | 1 << note as u32)
    }

    /// With one more if it applies.
    #[must_use]
    pub fn with_if(self, applies: bool, note: Note) -> Notes {
        if applies { self.with(note) } else { self }
    }

    /// Without one.
    #[must_use]
    pub fn without(self, note: Note) -> Notes {
        Notes(self.0 & !(1 << note as u32))
    }

    /// Of both.
    #[must_use]
    pub fn union(self, other: Notes) -> Notes {
        Notes(self.0 | other.0)
    }

    /// Whether a note is in it.
    pub fn has(self, note: Note) -> bool {
        self.0 >> (note as u32) & 1 == 1
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// One bit for each note, for keeping.
    pub fn bits(self) -> u32 {
        self.0
    }

    /// The set that [`Notes::bits`] gave.
    pub fn from_bits(bits: u32) -> Self {
        Notes(bits)
    }

    /// The words, in the order of [`Note::ALL`].
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        Note::ALL.iter().filter(move |n| self.has(**n)).map(|n| n.as_str())
    }
}

/// How a DNS message relates to what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DnsKind {
    /// A query.
    Query,
    /// A response to that very question: same ends reversed, same id, same
    /// name, within 30 seconds.
    Answer,
    /// A response that nobody was seen to ask for before it.
    Unsolicited,
    /// A response that was told as unsolicited, once more: its very question
    /// came within a second behind it, as where a capture has two ports'
    /// packets in the wrong order.
    Early,
}

/// An HTTP request.
#[derive(Clone, Copy, Debug)]
pub struct HttpSeen<'a> {
    /// Hosts: of an absolute-form target, else of the Host fields. More than
    /// one is ambiguous.
    pub hosts: &'a [Name],
    /// Target of CONNECT.
    pub connect: Option<&'a Name>,
    /// Whether the target is in absolute form, as proxies get it.
    pub absolute: bool,
    /// Path and query.
    pub path: &'a [u8],
    /// User-Agent.
    pub user_agent: Option<&'a [u8]>,
}

/// What a message of a flow said.
#[derive(Clone, Copy, Debug)]
pub enum Seen<'a> {
    /// A DNS message.
    Dns(&'a Message, DnsKind),
    /// A ClientHello of TLS over TCP, or of DTLS, with its server name if it
    /// has one.
    Tls {
        /// Server name.
        name: Option<&'a Name>,
        /// Encrypted Client Hello was offered.
        ech: bool,
        /// Fingerprint of the library that made it.
        stack: Option<u32>,
    },
    /// The certificate of a TLS server whose client's hello was not seen. The
    /// segment is the server's.
    Certificate {
        /// Host names in it, wildcards included: one at least.
        names: &'a [Name],
    },
    /// A TLS ClientHello inside QUIC Initial packets.
    Quic {
        /// Server name.
        name: Option<&'a Name>,
        /// Encrypted Client Hello was offered.
        ech: bool,
        /// Fingerprint of the library that made it.
        stack: Option<u32>,
    },
    /// A request to a SOCKS proxy.
    Socks {
        /// The host that it is to connect to, where it was named.
        name: Option<&'a Name>,
        /// Its address, where that was given.
        addr: Option<Addr>,
    },
    /// An HTTP request.
    Http(HttpSeen<'a>),
    /// The sender's own word on what it is called, by the protocols that name
    /// hosts of a LAN: never a contact. The sender counts as the client.
    Host {
        /// Canonical name, without a domain that says only "here".
        name: &'a str,
        /// Protocol.
        told: NameSource,
    },
    /// The first payload of a flow, which is none of the above.
    Unrecognised,
}

/// What a TCP connection showed of the machines at its ends, beside what its
/// messages said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act<'a> {
    /// The client's first payload, after a handshake of both: nobody makes up
    /// the sender of that.
    Began {
        /// Kinds of the TCP options in the client's SYN, in order; empty if
        /// that is not known.
        syn_options: &'a [u8],
    },
    /// The server's first payload.
    Answered,
    /// The server consented to be a proxy. The segment is the server's.
    Proxied(Proxy),
}

/// A way to ask a proxy for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proxy {
    /// CONNECT, answered with 2xx.
    Connect,
    /// A request for `http://host/path` of a port that is not the server's own,
    /// answered with 2xx or 304. Servers answer such requests for themselves
    /// too (RFC 9112 section 3.2.2), and some redirect or refuse all others.
    Absolute,
    /// SOCKS.
    Socks,
}

/// The sink's number for a contact that it follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token(pub u32);

/// What a segment changed about a followed contact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The stage it rose to.
    pub stage: Option<Stage>,
    /// New payload bytes towards the server.
    pub to_server: u64,
    /// New payload bytes from the server.
    pub from_server: u64,
    /// What is to be noted.
    pub notes: Notes,
    /// The final status of an HTTP/1 answer, while such answers are read.
    pub status: Option<u16>,
}

impl Progress {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        *self == Progress::default()
    }
}

/// Takes what the flow layer finds.
pub trait Sink {
    /// A flow began with this segment. A token asks to follow it from here.
    fn opened(&mut self, at: &At<'_>, ledger: &mut Ledger) -> Option<Token>;

    /// The ends of a flow were seen in a new quarter hour.
    fn present(&mut self, at: &At<'_>, ledger: &mut Ledger);

    /// A message was read to its end. `follow` holds the flow's token; setting
    /// it asks to follow the flow from here, and another token than before to
    /// judge what follows by itself.
    fn seen(&mut self, at: &At<'_>, seen: &Seen<'_>, notes: Notes, follow: &mut Option<Token>, ledger: &mut Ledger);

    /// A connection showed something of its ends.
    fn act(&mut self, _at: &At<'_>, _act: Act<'_>, _ledger: &mut Ledger) {}

    /// A followed contact moved on.
    fn progress(&mut self, at: &At<'_>, token: Token, progress: &Progress, ledger: &mut Ledger);

    /// Both ends of this segment's flow have proved that they hear one another;
    /// told once, and again in each quarter hour in which the flow goes on.
    fn proved(&mut self, _at: &At<'_>, _ledger: &mut Ledger) {}

    /// Somebody has an address, or so it is said, in a frame of that source and
    /// segment.
    fn claimed(&mut self, _claim: &Claim, _source: u32, _segment: u32, _ledger: &mut Ledger) {}

    /// Whether an address lies in the home networks, as far as the sink knows
    /// any.
    fn is_home(&self, _addr: &Addr) -> bool {
        false
    }

    /// A client that was seen at `far` is the one at `near`: what was said of
    /// it belongs there. From now on it is only seen at `near`.
    fn moved(&mut self, _client: Addr, _far: Place, _near: Place, _ledger: &mut Ledger) {}

    /// A followed flow ended or was forgotten.
    fn closed(&mut self, token: Token, ledger: &mut Ledger);
}
