//! The walk over the sections of a message.

use super::name::{Outcome, skip};
use super::service::{HTTPS, SVCB};
use super::{Data, MAX_ANSWERS, MAX_QUESTIONS, Message, NameRef, Question, Record, edns};
use dns_parser::{Header, RData, Type};

/// Bytes of the longest message: its length field over TCP has 16 bits.
const MAX_MESSAGE: usize = 65_535;

/// Octets of the shortest question: the root, QTYPE and QCLASS.
const MIN_QUESTION: u32 = 5;

/// Octets of the shortest record: the root and the fixed fields.
const MIN_RECORD: u32 = 11;

/// Class IN.
const IN: u16 = 1;

/// The bit of the class field that multicast DNS uses to flush caches
/// (RFC 6762 section 10.2).
const CACHE_FLUSH: u16 = 0x8000;

/// Type OPT (RFC 6891 section 6.1.1).
const OPT: u16 = 41;

/// Reads the header; `None` for too few bytes.
fn header(bytes: &[u8]) -> Option<Header> {
    let mut head: [u8; 12] = *bytes.first_chunk()?;
    // Header::parse refuses the reserved bit Z, which some senders set.
    if let Some(flags) = head.get_mut(3) {
        *flags &= !0x40;
    }
    Header::parse(&head).ok()
}

/// Whether a header can be one of DNS: its opcode was assigned, a query has no
/// RCODE, and a message can hold as many entries as it counts.
fn is_plausible(header: &Header) -> bool {
    let opcode: u16 = header.opcode.into();
    let rcode: u8 = header.response_code.into();
    let least = u32::from(header.questions).saturating_mul(MIN_QUESTION);
    let least = least.saturating_add(records(header).saturating_mul(MIN_RECORD));
    let fits = usize::try_from(least).is_ok_and(|n| n <= MAX_MESSAGE.saturating_sub(Header::size()));
    opcode <= 6 && !(header.query && rcode != 0) && fits
}

/// Whether bytes start with a header that can be one of DNS.
pub(super) fn has_plausible_header(bytes: &[u8]) -> bool {
    header(bytes).is_some_and(|header| is_plausible(&header))
}

/// Records of all sections.
fn records(header: &Header) -> u32 {
    u32::from(header.answers).saturating_add(u32::from(header.nameservers)).saturating_add(u32::from(header.additional))
}

/// Whether the header alone shows that this is DNS: chance does not give one
/// question and small counts. Without it the first entry must be readable.
fn is_telling(header: &Header) -> bool {
    header.questions == 1 && records(header) < 256
}

/// The fixed fields of a record and where its data lies.
struct Fixed {
    rtype: u16,
    class: u16,
    ttl: u32,
    /// Offsets of RDATA.
    start: usize,
    end: usize,
}

impl Fixed {
    /// Reads the fields at `pos`, behind the owner; `None` where the record
    /// reaches beyond the message.
    fn read(bytes: &[u8], pos: usize) -> Option<Self> {
        let [t0, t1, c0, c1, l0, l1, l2, l3, n0, n1] = *bytes.get(pos..)?.first_chunk()?;
        let start = pos.checked_add(10)?;
        let end = start.checked_add(usize::from(u16::from_be_bytes([n0, n1])))?;
        let ttl = u32::from_be_bytes([l0, l1, l2, l3]);
        (end <= bytes.len()).then_some(Fixed {
            rtype: u16::from_be_bytes([t0, t1]),
            class: u16::from_be_bytes([c0, c1]),
            ttl: if ttl > i32::MAX.unsigned_abs() { 0 } else { ttl },
            start,
            end,
        })
    }
}

impl Message {
    /// Decodes a message. False if the bytes are no DNS message at all:
    /// shorter than a header, or neither header nor first entry show that it
    /// is one. A header shows it by one question and few records. One with
    /// other counts needs a readable first question or record; one that
    /// cannot be (an opcode above 6, a query with an RCODE, more entries than
    /// a message can hold) a readable question of a known class. Bytes behind
    /// the message are ignored.
    pub fn parse(&mut self, bytes: &[u8]) -> bool {
        self.reset();
        let bytes = bytes.get(..MAX_MESSAGE).unwrap_or(bytes);
        let Some(header) = header(bytes) else { return false };
        let plausible = is_plausible(&header);
        if !plausible || !is_telling(&header) {
            let shown = match plausible {
                true => self.first_entry_reads(bytes, &header),
                false => self.first_question(bytes, &header).is_some_and(|q| self.is_certain(&q)),
            };
            self.reset();
            if !shown {
                return false;
            }
        }
        self.id = header.id;
        self.response = !header.query;
        self.opcode = u8::try_from(Into::<u16>::into(header.opcode)).unwrap_or(u8::MAX);
        self.rcode = header.response_code.into();
        self.truncated = header.truncated;
        self.recursion_desired = header.recursion_desired;
        self.recursion_available = header.recursion_available;
        let end = self.walk(bytes, &header);
        self.trailing = end.map_or(0, |end| bytes.len().saturating_sub(end));
        self.malformed |= end.is_none() || !plausible;
        true
    }

    fn reset(&mut self) {
        self.id = 0;
        self.response = false;
        self.opcode = 0;
        self.rcode = 0;
        self.truncated = false;
        self.recursion_desired = false;
        self.recursion_available = false;
        self.questions.clear();
        self.answers.clear();
        self.answers_left_out = 0;
        self.client_subnet = None;
        self.malformed = false;
        self.trailing = 0;
        self.ech = false;
        self.services = false;
        self.hints.clear();
        self.starts.clear();
        self.jumps = 0;
    }

    /// The first question, if there is one and it is complete. What was read
    /// for it stays in the message.
    fn first_question(&mut self, bytes: &[u8], header: &Header) -> Option<Question> {
        if header.questions > 0 {
            self.question(bytes, Header::size(), true)?;
        }
        self.questions.first().copied()
    }

    /// Whether the first question, or without questions the first record, is
    /// complete; true for an empty message.
    fn first_entry_reads(&mut self, bytes: &[u8], header: &Header) -> bool {
        if header.questions > 0 {
            return self.first_question(bytes, header).is_some();
        }
        records(header) == 0 || skip(bytes, Header::size()).and_then(|pos| Fixed::read(bytes, pos)).is_some()
    }

    /// Whether chance does not give such a question: a name other than the
    /// root, of class IN, CH, HS, NONE or ANY.
    fn is_certain(&self, question: &Question) -> bool {
        matches!(question.qclass & !CACHE_FLUSH, 1 | 3 | 4 | 254 | 255) && !self.name(question.name).is_empty()
    }

    /// Reads the sections and returns the offset behind them; `None` where the
    /// message ends before they do, or cannot be followed any further.
    fn walk(&mut self, bytes: &[u8], header: &Header) -> Option<usize> {
        let mut pos = Header::size();
        for nth in 0..usize::from(header.questions) {
            pos = self.question(bytes, pos, nth < MAX_QUESTIONS)?;
        }
        for nth in 0..usize::from(header.answers) {
            pos = if nth < MAX_ANSWERS {
                self.answer(bytes, pos)?
            } else {
                self.answers_left_out = self.answers_left_out.saturating_add(1);
                Fixed::read(bytes, skip(bytes, pos)?)?.end
            };
        }
        for _ in 0..header.nameservers {
            pos = Fixed::read(bytes, skip(bytes, pos)?)?.end;
        }
        for _ in 0..header.additional {
            let fixed = Fixed::read(bytes, skip(bytes, pos)?)?;
            pos = fixed.end;
            if fixed.rtype == OPT && self.client_subnet.is_none() {
                self.client_subnet = edns::client_subnet(bytes.get(fixed.start..fixed.end)?);
            }
        }
        Some(pos)
    }

    /// Reads a question and returns the offset behind it.
    fn question(&mut self, bytes: &[u8], pos: usize, keep: bool) -> Option<usize> {
        let outcome = if keep {
            self.read_name(bytes, pos)
        } else {
            self.malformed = true;
            Outcome::Skipped(skip(bytes, pos)?)
        };
        let (name, end) = match outcome {
            Outcome::Read(name, end) => (Some(name), end),
            Outcome::Skipped(end) => (None, end),
            Outcome::Lost => return None,
        };
        let [t0, t1, c0, c1] = *bytes.get(end..)?.first_chunk()?;
        if let Some(name) = name {
            let (qtype, qclass) = (u16::from_be_bytes([t0, t1]), u16::from_be_bytes([c0, c1]));
            self.questions.push(Question { name, qtype, qclass });
        }
        end.checked_add(4)
    }

    /// Reads a record of the answer section and returns the offset behind it.
    fn answer(&mut self, bytes: &[u8], pos: usize) -> Option<usize> {
        let (owner, end) = match self.read_name(bytes, pos) {
            Outcome::Read(owner, end) => (Some(owner), end),
            Outcome::Skipped(end) => (None, end),
            Outcome::Lost => return None,
        };
        let fixed = Fixed::read(bytes, end)?;
        if let Some(owner) = owner {
            let data = self.data(bytes, &fixed);
            self.answers.push(Record { owner, rtype: fixed.rtype, ttl: fixed.ttl, data });
        }
        Some(fixed.end)
    }

    fn data(&mut self, bytes: &[u8], fixed: &Fixed) -> Data {
        if fixed.class & !CACHE_FLUSH != IN {
            return Data::Other;
        }
        let rdata = bytes.get(fixed.start..fixed.end).unwrap_or_default();
        let data = match Type::parse(fixed.rtype) {
            _ if matches!(fixed.rtype, SVCB | HTTPS) => self.service(bytes, fixed.start, fixed.end).map(Data::Service),
            // Elsewhere, in multicast DNS above all, pointers lead to services.
            Ok(Type::PTR) if self.asks_for_pointer() => self.alias(bytes, fixed).map(Data::Ptr),
            Ok(Type::CNAME) => self.alias(bytes, fixed).map(Data::Cname),
            Ok(rtype @ (Type::A | Type::AAAA)) => match RData::parse(rtype, rdata, bytes) {
                Ok(RData::A(a)) => Some(Data::A(a.0.octets())),
                Ok(RData::AAAA(a)) => Some(Data::Aaaa(a.0.octets())),
                _ => None,
            },
            _ => return Data::Other,
        };
        self.malformed |= data.is_none();
        data.unwrap_or(Data::Other)
    }

    /// The target of a CNAME record, which must not reach beyond its data.
    fn alias(&mut self, bytes: &[u8], fixed: &Fixed) -> Option<NameRef> {
        match self.read_name(bytes, fixed.start) {
            Outcome::Read(name, end) if end <= fixed.end => {
                self.malformed |= end < fixed.end;
                Some(name)
            }
            _ => None,
        }
    }
}
