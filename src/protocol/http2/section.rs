//! A field section, as far as the sensor asks for it.

use super::hpack::Field;

/// Hosts of a request that are kept; more are not of interest.
const MAX_HOSTS: usize = 8;

/// A value, or none; the room of the one before is used again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Value {
    bytes: Vec<u8>,
    there: bool,
}

impl Value {
    fn get(&self) -> Option<&[u8]> {
        self.there.then_some(&self.bytes)
    }

    /// The first one counts.
    fn set(&mut self, value: &[u8]) {
        if !self.there {
            self.there = true;
            self.bytes.extend_from_slice(value);
        }
    }

    fn clear(&mut self) {
        self.there = false;
        self.bytes.clear();
        // A long value must not keep its room.
        self.bytes.shrink_to(ROOM);
    }
}

/// Bytes of room that an empty value keeps.
const ROOM: usize = 1024;

/// What a field section says (RFC 9113 section 8.3). Filled by
/// [`Cursor::next`](super::Cursor::next), and good until the next call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Section {
    method: Value,
    path: Value,
    protocol: Value,
    status: Value,
    user_agent: Value,
    authorities: Vec<Vec<u8>>,
    hosts: Vec<Vec<u8>>,
    missing: bool,
    partial: bool,
}

impl Section {
    /// `:method`; a request has one, and trailers and responses have none.
    pub fn method(&self) -> Option<&[u8]> {
        self.method.get()
    }

    /// `:path`, path and query of the target.
    pub fn path(&self) -> Option<&[u8]> {
        self.path.get()
    }

    /// `:protocol` of an extended CONNECT (RFC 8441), which is no request for
    /// a tunnel but for another protocol with the host itself.
    pub fn protocol(&self) -> Option<&[u8]> {
        self.protocol.get()
    }

    /// `:status` as a number.
    pub fn status(&self) -> Option<u16> {
        match self.status.get()? {
            [a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9'] => {
                let digit = |d: &u8| u16::from(d.wrapping_sub(b'0'));
                Some([a, b, c].into_iter().fold(0, |n: u16, d| n.saturating_mul(10).saturating_add(digit(d))))
            }
            _ => None,
        }
    }

    /// `user-agent`.
    pub fn user_agent(&self) -> Option<&[u8]> {
        self.user_agent.get()
    }

    /// `:authority`, as sent; user information and port may stand in it. More
    /// than one is malformed, and ambiguous.
    pub fn authorities(&self) -> impl Iterator<Item = &[u8]> {
        self.authorities.iter().map(|a| &**a)
    }

    /// `host` fields, which a client that translates HTTP/1 may send in place
    /// of `:authority`.
    pub fn hosts(&self) -> impl Iterator<Item = &[u8]> {
        self.hosts.iter().map(|h| &**h)
    }

    /// Whether a field stood in a table entry that was not seen. It may be
    /// any that is not here.
    pub fn missing(&self) -> bool {
        self.missing
    }

    /// Whether the section was cut, or malformed from some field on. Fields
    /// before that are whole.
    pub fn partial(&self) -> bool {
        self.partial
    }

    pub(super) fn clear(&mut self) {
        for value in [&mut self.method, &mut self.path, &mut self.protocol, &mut self.status, &mut self.user_agent] {
            value.clear();
        }
        self.authorities.clear();
        self.hosts.clear();
        (self.missing, self.partial) = (false, false);
    }

    pub(super) fn set_partial(&mut self) {
        self.partial = true;
    }

    /// Takes a field. However often a field comes, no more than the first few
    /// are copied: an entry of a table can be named by a byte.
    pub(super) fn take(&mut self, field: Field, value: &[u8]) {
        match field {
            Field::Method => self.method.set(value),
            Field::Path => self.path.set(value),
            Field::Protocol => self.protocol.set(value),
            Field::Status => self.status.set(value),
            Field::UserAgent => self.user_agent.set(value),
            Field::Authority if self.authorities.len() < MAX_HOSTS => self.authorities.push(value.to_vec()),
            Field::Host if self.hosts.len() < MAX_HOSTS => self.hosts.push(value.to_vec()),
            Field::Missing => self.missing = true,
            Field::Authority | Field::Host | Field::Other => {}
        }
    }
}
