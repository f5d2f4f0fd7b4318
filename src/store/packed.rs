//! A contact in bytes: a column of one row instead of a dozen, since a year of
//! rows is read in one go and each column costs time in each.
//!
//! | bytes | what |
//! |---|---|
//! | 1 | stage, 0 `queried` to 4 `transferred` |
//! | 1 | 1 if only indicators of use `support` show it |
//! | 4 | channels, a bit for each |
//! | 4 | notes, a bit for each |
//! | 4 | how many names |
//! | 8 | observations |
//! | 8 | payload bytes from the servers |
//! | 8, 8 | first and last time, nanoseconds since the epoch |
//! | 16 | id |
//! | 12, 12 | quarter hours, and those in which a contact reached `connected` |
//!
//! Numbers are little-endian. `sightings` has the same in words.

use crate::base::{Channel, Stage, Timestamp};
use crate::flow::{Note, Notes};
use crate::host::facts::{Channels, Contact};
use crate::sighting::record::Slots;

/// Length in bytes.
pub(super) const LEN: usize = 86;

/// All of a contact but its day and what it refers to by number.
pub(super) fn pack(c: &Contact) -> [u8; LEN] {
    let mut out = [0; LEN];
    let mut rest = out.as_mut_slice();
    let mut put = |bytes: &[u8]| {
        if let Some((place, after)) = std::mem::take(&mut rest).split_at_mut_checked(bytes.len()) {
            place.copy_from_slice(bytes);
            rest = after;
        }
    };
    put(&[stage_code(c.stage), u8::from(c.support)]);
    put(&channel_codes(c.channels).to_le_bytes());
    put(&note_codes(c.notes).to_le_bytes());
    put(&c.names.to_le_bytes());
    put(&c.count.to_le_bytes());
    put(&c.bytes_from_server.to_le_bytes());
    put(&c.first.0.to_le_bytes());
    put(&c.last.0.to_le_bytes());
    put(&c.id);
    put(&c.slots.to_bytes());
    put(&c.slots_connected.to_bytes());
    out
}

/// The contact, of which `day`, `seen`, `indicator` and `source` are left 0.
/// `None` for bytes that [`pack`] never gave.
#[inline]
pub(super) fn unpack(bytes: &[u8]) -> Option<Contact> {
    let whole: &[u8; LEN] = bytes.try_into().ok()?;
    let mut rest = whole.as_slice();
    let [stage, support] = take(&mut rest)?;
    Some(Contact {
        seen: 0,
        indicator: 0,
        source: 0,
        day: 0,
        stage: *STAGES.get(usize::from(stage))?,
        support: support != 0,
        channels: channels(u32::from_le_bytes(take(&mut rest)?)),
        notes: notes(u32::from_le_bytes(take(&mut rest)?)),
        names: u32::from_le_bytes(take(&mut rest)?),
        count: u64::from_le_bytes(take(&mut rest)?),
        bytes_from_server: u64::from_le_bytes(take(&mut rest)?),
        first: Timestamp(i64::from_le_bytes(take(&mut rest)?)),
        last: Timestamp(i64::from_le_bytes(take(&mut rest)?)),
        id: take(&mut rest)?,
        slots: Slots::from_bytes(take(&mut rest)?),
        slots_connected: Slots::from_bytes(take(&mut rest)?),
    })
}

#[inline]
fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(*first)
}

/// Every stage in the place of its number in the store.
pub(super) const STAGES: [Stage; 5] =
    [Stage::Queried, Stage::Answered, Stage::Attempted, Stage::Connected, Stage::Transferred];

pub(super) fn stage_code(stage: Stage) -> u8 {
    STAGES.iter().zip(0..).find(|(s, _)| **s == stage).map_or(0, |(_, n)| n)
}

/// The bit of a channel in the store, which stays whatever the program's own
/// order becomes.
pub(super) fn channel_bit(channel: Channel) -> u32 {
    match channel {
        Channel::DnsQuery => 0,
        Channel::DnsAnswer => 1,
        Channel::DnsCname => 2,
        Channel::TlsSni => 3,
        Channel::QuicSni => 4,
        Channel::HttpHost => 5,
        Channel::HttpConnect => 6,
        Channel::HttpPath => 7,
        Channel::HttpUserAgent => 8,
        Channel::TlsCertificate => 9,
        Channel::Address => 10,
        Channel::Netblock => 11,
        Channel::LanPort => 12,
        Channel::Payload => 13,
    }
}

/// The bit of a note in the store; a new note gets the next number.
fn note_bit(note: Note) -> u32 {
    match note {
        Note::Ambiguous => 0,
        Note::Continued => 1,
        Note::Ech => 2,
        Note::Conflict => 3,
        Note::Gap => 4,
        Note::NoAddress => 5,
        Note::NxDomain => 6,
        Note::MidStream => 7,
        Note::OneSided => 8,
        Note::PartialMessage => 9,
        Note::ProxyRefused => 10,
        Note::PublicDns => 11,
        Note::Refused => 12,
        Note::Reset => 13,
        Note::ServFail => 14,
        Note::TlsAlert => 15,
        Note::Unsolicited => 16,
        Note::ViaProxy => 17,
    }
}

fn channel_codes(channels: Channels) -> u32 {
    Channel::ALL.iter().filter(|c| channels.has(**c)).fold(0, |bits, c| bits | 1 << channel_bit(*c))
}

fn note_codes(notes: Notes) -> u32 {
    Note::ALL.iter().filter(|n| notes.has(**n)).fold(0, |bits, n| bits | 1 << note_bit(*n))
}

/// The channels of their bits in the store; bits of later versions are left
/// out.
pub(super) fn channels(bits: u32) -> Channels {
    let has = |c: &&Channel| bits >> channel_bit(**c) & 1 == 1;
    Channels(Channel::ALL.iter().filter(has).fold(0, |all, c| all | Channels::of(&[*c]).0))
}

/// The notes of their bits in the store.
fn notes(bits: u32) -> Notes {
    Note::ALL.iter().fold(Notes::NONE, |all, n| all.with_if(bits >> note_bit(*n) & 1 == 1, *n))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn codes_tell_all_apart() {
        for channel in Channel::ALL {
            let one = Channels::of(&[channel]);
            assert_eq!(channels(channel_codes(one)), one);
        }
        for note in Note::ALL {
            let one = Notes::NONE.with(*note);
            assert_eq!(notes(note_codes(one)), one);
        }
        assert_eq!(notes(u32::MAX).words().count(), Note::ALL.len());
        assert!(STAGES.is_sorted() && STAGES.iter().zip(0..).all(|(s, n)| stage_code(*s) == n));
    }

    proptest! {
        #[test]
        fn what_is_packed_is_unpacked(
            (stage, support, channel_set, note_set, names) in (0usize..5, any::<bool>(), 0u16..1 << Channel::ALL.len(), any::<u32>(), any::<u32>()),
            (count, bytes_from_server, first, last) in any::<(u64, u64, i64, i64)>(),
            (id, slots, connected) in any::<([u8; 16], [u8; 12], [u8; 12])>(),
        ) {
            let contact = Contact {
                seen: 0,
                indicator: 0,
                source: 0,
                id,
                day: 0,
                stage: STAGES[stage],
                support,
                channels: Channels(channel_set),
                notes: notes(note_set),
                names,
                slots: Slots::from_bytes(slots),
                slots_connected: Slots::from_bytes(connected),
                first: Timestamp(first),
                last: Timestamp(last),
                count,
                bytes_from_server,
            };
            let packed = pack(&contact);
            prop_assert_eq!(unpack(&packed), Some(contact));
            prop_assert_eq!(unpack(&packed[1..]), None);
        }

        #[test]
        fn any_bytes_are_a_contact_or_none(bytes in proptest::collection::vec(any::<u8>(), LEN)) {
            prop_assert_eq!(unpack(&bytes).is_some(), bytes[0] < 5);
        }
    }
}
