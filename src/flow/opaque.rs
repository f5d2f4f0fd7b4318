//! Datagrams whose content is a cipher's: counted, since names in them cannot
//! be seen.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::events::At;
use crate::coverage::{Counter, Ledger};

/// Port of ESP in UDP (RFC 3948 section 2.1).
const NAT_TRAVERSAL: u16 = 4500;
/// Least bytes of ESP: index, sequence number, padding length, next header and
/// the shortest check value (RFC 4303 section 2).
const ESP_LEAST: u64 = 18;

/// Counts the bytes of a datagram that no decoder took, if it is one of
/// WireGuard's or ESP's.
#[inline]
pub(super) fn count(at: &At<'_>, ledger: &mut Ledger) {
    if is_wireguard_data(at.payload, size(at)) {
        ledger.add(Counter::OpaqueWireguardBytes, size(at));
    } else if is_esp_in_udp(at) {
        ledger.add(Counter::OpaqueEspBytes, size(at));
    }
}

/// Whether a datagram has the port and the form of ESP behind a NAT.
#[inline]
pub(super) fn is_esp_in_udp(at: &At<'_>) -> bool {
    (at.packet.dport == NAT_TRAVERSAL || at.packet.sport == NAT_TRAVERSAL) && is_esp(at.payload, size(at))
}

/// Bytes that the datagram had on the wire.
#[inline]
fn size(at: &At<'_>) -> u64 {
    u64::from(at.packet.payload_len).saturating_add(u64::from(at.packet.payload_missing))
}

/// WireGuard's data message (whitepaper section 5.4.6): type 4, reserved 3
/// bytes of 0, receiver 4 bytes, counter 8 bytes in little endian, then a
/// packet padded to 16 bytes and a tag of 16. No key lives for 2^48 messages,
/// nor for one whose receiver is 0.
#[inline]
fn is_wireguard_data(payload: &[u8], size: u64) -> bool {
    matches!(payload, [4, 0, 0, 0, a, b, c, d, _, _, _, _, _, _, 0, 0, ..] if [*a, *b, *c, *d] != [0; 4])
        && size >= 32
        && size % 16 == 0
}

/// ESP behind a NAT: an index that is not 0, which is the mark of IKE, and
/// above the reserved ones (RFC 4303 section 2.1).
fn is_esp(payload: &[u8], size: u64) -> bool {
    payload.first_chunk().is_some_and(|index| u32::from_be_bytes(*index) > 255) && size >= ESP_LEAST
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::*;

    #[test]
    fn wireguard_by_its_shape() {
        let mut data = [&[4, 0, 0, 0, 1, 2, 3, 4, 9, 0, 0, 0, 0, 0, 0, 0][..], &[0xcc; 48]].concat();
        assert!(is_wireguard_data(&data, 64) && is_wireguard_data(&data[..20], 96), "cut by the capture");
        assert!(is_wireguard_data(&data[..32], 32), "a keep-alive");
        assert!(!is_wireguard_data(&data[..16], 16) && !is_wireguard_data(&data, 63));
        for (at, value) in [(0, 1), (1, 1), (3, 1), (15, 1)] {
            let before = std::mem::replace(&mut data[at], value);
            assert!(!is_wireguard_data(&data, 64), "byte {at}");
            data[at] = before;
        }
        data[4..8].fill(0);
        assert!(!is_wireguard_data(&data, 64));
    }

    #[test]
    fn esp_by_its_index() {
        let esp = [&[0x12, 0x34, 0x56, 0x78, 0, 0, 0, 1][..], &[0xcc; 60]].concat();
        assert!(is_esp(&esp, 68) && is_esp(&esp[..4], 68));
        assert!(!is_esp(&esp, 17) && !is_esp(&esp[..3], 68));
        assert!(!is_esp(&[0; 68], 68), "IKE");
        assert!(!is_esp(&[0xff], 1), "a keep-alive");
        assert!(!is_esp(&[0, 0, 0, 255, 0, 0, 0, 1], 68), "reserved");
    }
}
