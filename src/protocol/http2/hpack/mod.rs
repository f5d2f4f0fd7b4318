//! HPACK, the compression of field sections (RFC 7541).
//!
//! A decoder of our own: those at hand return every field as vectors of its
//! own and trust whatever table size the peer announces. This one keeps the
//! few values that the sensor asks for, within [`MAX_TABLE`], and goes on
//! where entries are missing: their numbers count from the newest, so what was
//! added since is told for certain, and what was not is said to be missing.

mod huffman;
mod integer;
mod table;

#[cfg(test)]
pub(super) mod tests;

pub use table::MAX_TABLE;

use super::Section;
use table::{Found, Table};

/// A field that the sensor asks for, or any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Method,
    Authority,
    Path,
    Protocol,
    Status,
    Host,
    UserAgent,
    Other,
    /// Its name stood in a table entry that was not seen.
    Missing,
}

impl Field {
    /// The field of that name. Names are in lower case (RFC 9113 section
    /// 8.2.1), so one with capitals is another.
    fn of(name: &[u8]) -> Field {
        match name {
            b":method" => Field::Method,
            b":authority" => Field::Authority,
            b":path" => Field::Path,
            b":protocol" => Field::Protocol,
            b":status" => Field::Status,
            b"host" => Field::Host,
            b"user-agent" => Field::UserAgent,
            _ => Field::Other,
        }
    }

    fn is_asked_for(self) -> bool {
        !matches!(self, Field::Other | Field::Missing)
    }
}

/// Bytes of the longest name that [`Field::of`] knows, and one.
const NAME: usize = 11;

/// Why a section could not be decoded to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It ends within a field.
    Cut,
    /// It is none.
    Malformed,
}

/// The decoder of one direction of a connection.
#[derive(Clone, Debug)]
pub(super) struct Decoder {
    table: Table,
    /// Value of a field on its way into the table.
    text: Vec<u8>,
}

impl Decoder {
    /// At the start of a connection; `partial` if it is not its start.
    pub(super) fn new(partial: bool) -> Self {
        Decoder { table: Table::new(partial), text: Vec::new() }
    }

    /// Bytes of memory that it takes beyond itself.
    pub(super) fn cost(&self) -> usize {
        self.table.cost()
    }

    /// Field sections were missed.
    pub(super) fn lose(&mut self) {
        self.table.lose();
    }

    /// Decodes a section into `out`, up to its end or the first fault.
    pub(super) fn decode(&mut self, block: &[u8], out: &mut Section) -> Result<(), Fault> {
        let mut rest = block;
        let mut updates = 0;
        let mut fields = false;
        let result = loop {
            let Some(first) = rest.first() else { break Ok(()) };
            if first >> 5 == 0b001 {
                // At the front of a section alone, and two at most (section 4.2).
                updates = 1_u32.saturating_add(updates);
                match integer::take(rest, 5) {
                    Ok((limit, tail)) if !fields && updates <= 2 => {
                        self.table.set_limit(limit);
                        rest = tail;
                        continue;
                    }
                    Ok(_) => break Err(Fault::Malformed),
                    Err(fault) => break Err(fault),
                }
            }
            fields = true;
            let field = if first & 0x80 != 0 { self.indexed(rest, out) } else { self.literal(rest, *first, out) };
            match field {
                Ok(tail) => rest = tail,
                Err(fault) => break Err(fault),
            }
        };
        // What a long value took is not kept.
        self.text = Vec::new();
        result
    }

    /// A field that stands in a table (section 6.1).
    fn indexed<'b>(&self, bytes: &'b [u8], out: &mut Section) -> Result<&'b [u8], Fault> {
        let (index, rest) = integer::take(bytes, 7)?;
        match self.table.get(index) {
            Found::Field(field, _, value) => out.take(field, value),
            Found::Missing => out.take(Field::Missing, &[]),
            Found::Nothing => return Err(Fault::Malformed),
        }
        Ok(rest)
    }

    /// A field with a value of its own (section 6.2).
    fn literal<'b>(&mut self, bytes: &'b [u8], first: u8, out: &mut Section) -> Result<&'b [u8], Fault> {
        let indexing = first & 0x40 != 0;
        let (index, rest) = integer::take(bytes, if indexing { 6 } else { 4 })?;
        let (field, name, rest) = match index {
            0 => name(rest)?,
            _ => match self.table.get(index) {
                Found::Field(field, name, _) => (field, name, rest),
                Found::Missing => (Field::Missing, 0, rest),
                Found::Nothing => return Err(Fault::Malformed),
            },
        };
        let (coded, text, rest) = string(rest)?;
        let mut value = u32::try_from(text.len()).unwrap_or(u32::MAX);
        if coded && field.is_asked_for() {
            self.text.clear();
            huffman::decode(text, |octet| self.text.push(octet))?;
            value = u32::try_from(self.text.len()).unwrap_or(u32::MAX);
        } else if coded {
            value = 0;
            huffman::decode(text, |_| value = value.saturating_add(1))?;
        }
        let text = if coded { &self.text } else { text };
        out.take(field, text);
        if indexing {
            self.table.add(field, name, value, text);
        }
        Ok(rest)
    }
}

/// A name as a string: the field, the length of the name, and what follows.
fn name(bytes: &[u8]) -> Result<(Field, u32, &[u8]), Fault> {
    let (coded, text, rest) = string(bytes)?;
    if !coded {
        return Ok((Field::of(text), u32::try_from(text.len()).unwrap_or(u32::MAX), rest));
    }
    let mut start = [0u8; NAME];
    let mut len = 0usize;
    huffman::decode(text, |octet| {
        if let Some(place) = start.get_mut(len) {
            *place = octet;
        }
        len = len.saturating_add(1);
    })?;
    let field = start.get(..len).map_or(Field::Other, Field::of);
    Ok((field, u32::try_from(len).unwrap_or(u32::MAX), rest))
}

/// A string: whether it is in Huffman code, its bytes, and what follows
/// (section 5.2).
fn string(bytes: &[u8]) -> Result<(bool, &[u8], &[u8]), Fault> {
    let coded = bytes.first().is_some_and(|first| first & 0x80 != 0);
    let (len, rest) = integer::take(bytes, 7)?;
    let (text, rest) = rest.split_at_checked(len as usize).ok_or(Fault::Cut)?;
    Ok((coded, text, rest))
}
