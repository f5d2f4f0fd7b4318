//! DNS messages (RFC 1035).

use crate::base::Name;

/// Index of a name in a [`Message`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameRef(pub u16);

/// A question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// Name asked for.
    pub name: NameRef,
    /// QTYPE, such as 1 for A.
    pub qtype: u16,
    /// QCLASS, such as 1 for IN.
    pub qclass: u16,
}

/// What a resource record says, as far as naming needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Data {
    /// An IPv4 address.
    A([u8; 4]),
    /// An IPv6 address.
    Aaaa([u8; 16]),
    /// The target of an alias.
    Cname(NameRef),
    /// Any other type.
    Other,
}

/// A resource record of the answer section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Owner name.
    pub owner: NameRef,
    /// TYPE.
    pub rtype: u16,
    /// Seconds that it may be used.
    pub ttl: u32,
    /// RDATA.
    pub data: Data,
}

/// A decoded message; its buffers are reused from message to message.
#[derive(Clone, Debug, Default)]
pub struct Message {
    /// ID.
    pub id: u16,
    /// QR.
    pub response: bool,
    /// Opcode: 0 is a standard query.
    pub opcode: u8,
    /// RCODE of the header.
    pub rcode: u8,
    /// TC: the sender left something out.
    pub truncated: bool,
    /// Up to 8 questions.
    pub questions: Vec<Question>,
    /// Records of the answer section, up to a limit.
    pub answers: Vec<Record>,
    /// The message ended early, looped or held impossible fields; what came
    /// before is kept.
    pub malformed: bool,
    names: Vec<Name>,
    used: usize,
}

impl Message {
    /// A name of the message.
    pub fn name(&self, r: NameRef) -> &Name {
        static EMPTY: Name = Name::new();
        self.names.get(usize::from(r.0)).unwrap_or(&EMPTY)
    }

    /// Decodes a message. False if the bytes are no DNS message at all.
    pub fn parse(&mut self, _bytes: &[u8]) -> bool {
        self.used = 0;
        false
    }
}

/// The next message of a stream with length prefixes.
pub fn stream_message(_stream: &[u8]) -> super::Probe<&[u8]> {
    super::Probe::Not
}
