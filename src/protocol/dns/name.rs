//! Domain names in a message (RFC 1035 sections 3.1 and 4.1.4).

use super::{Message, NameRef};
use crate::base::Name;

/// Jumps to compression targets allowed in all names of a message together:
/// a limit for each name would let their product grow with the message.
pub(super) const MAX_JUMPS: u8 = 64;

/// Octets of a name with its length bytes and the root. Every label takes two
/// or more, so it also holds names to 127 labels.
const MAX_OCTETS: usize = 255;

/// What became of a name, with the offset behind it.
pub(super) enum Outcome {
    /// It was read.
    Read(NameRef, usize),
    /// It cannot be read, yet its end is known.
    Skipped(usize),
    /// Its end cannot be known.
    Lost,
}

/// The target of the compression pointer at `pos`, if there is one.
fn pointer(bytes: &[u8], pos: usize) -> Option<usize> {
    let pair = bytes.get(pos..)?.first_chunk::<2>()?;
    let value = u16::from_be_bytes(*pair);
    (value >= 0xc000).then_some(usize::from(value & 0x3fff))
}

/// The offset behind the name at `pos`, which is not read.
pub(super) fn skip(bytes: &[u8], mut pos: usize) -> Option<usize> {
    loop {
        let len = *bytes.get(pos)?;
        pos = match len {
            0 => return pos.checked_add(1),
            1..=63 => pos.checked_add(usize::from(len))?.checked_add(1)?,
            0xc0.. => return pos.checked_add(2).filter(|&end| end <= bytes.len()),
            // The types 01 and 10 are not in use (RFC 6891 section 5): how
            // long such a label is cannot be told.
            _ => return None,
        };
    }
}

/// Copies the name at `start`; returns the offset behind it, and whether all
/// of its pointers lead backwards, as they must (RFC 1035 section 4.1.4).
/// Some resolvers follow one that leads forwards, so that it asks for a name.
fn copy(bytes: &[u8], start: usize, jumps: &mut u8, out: &mut Name) -> Option<(usize, bool)> {
    let mut pos = start;
    let mut end = None;
    // A pointer must lead before the run of labels that it ends, or behind
    // itself, once.
    let mut run = start;
    let mut backwards = true;
    let mut octets = 1usize;
    loop {
        let len = *bytes.get(pos)?;
        match len {
            0 => return Some((end.or(pos.checked_add(1))?, backwards)),
            1..=63 => {
                let len = usize::from(len);
                octets = octets.saturating_add(len).saturating_add(1);
                if octets > MAX_OCTETS {
                    return None;
                }
                let first = pos.saturating_add(1);
                let next = first.saturating_add(len);
                out.push_label(bytes.get(first..next)?);
                pos = next;
            }
            0xc0.. => {
                let target = pointer(bytes, pos)?;
                let forwards = backwards && target > pos.saturating_add(1);
                if !(target < run || forwards) || *jumps >= MAX_JUMPS {
                    return None;
                }
                backwards &= !forwards;
                *jumps = jumps.saturating_add(1);
                end = end.or(pos.checked_add(2));
                run = target;
                pos = target;
            }
            _ => return None,
        }
    }
}

impl Message {
    /// Reads the name at `pos` into the pool.
    pub(super) fn read_name(&mut self, bytes: &[u8], pos: usize) -> Outcome {
        // Most owners are nothing but a pointer to a name that was read
        // before: it serves again, without a jump.
        if let Some(target) = pointer(bytes, pos)
            && let Some(known) = self.starts.iter().position(|&s| usize::from(s) == target)
            && let Ok(known) = u16::try_from(known)
        {
            return Outcome::Read(NameRef(known), pos.saturating_add(2));
        }
        let used = self.starts.len();
        if used == self.names.len() {
            self.names.push(Name::new());
        }
        if let Some(slot) = self.names.get_mut(used)
            && let (Ok(index), Ok(start)) = (u16::try_from(used), u16::try_from(pos))
        {
            slot.clear();
            if let Some((end, backwards)) = copy(bytes, pos, &mut self.jumps, slot) {
                self.malformed |= !backwards;
                self.starts.push(start);
                return Outcome::Read(NameRef(index), end);
            }
        }
        self.malformed = true;
        skip(bytes, pos).map_or(Outcome::Lost, Outcome::Skipped)
    }
}
