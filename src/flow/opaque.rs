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
/// The port that WireGuard's tools propose.
const WIREGUARD: u16 = 51_820;
/// Least MTU of a tunnel that anybody sets.
const LEAST_MTU: u64 = 1024;
/// Least bytes of ESP: index, sequence number, padding length, next header and
/// the shortest check value (RFC 4303 section 2).
const ESP_LEAST: u64 = 18;

/// Counts the bytes of a datagram that no decoder took, if it is one of
/// WireGuard's or ESP's.
#[inline]
pub(super) fn count(at: &At<'_>, ledger: &mut Ledger) {
    if is_wireguard_data(at.payload, size(at), has_port(at, WIREGUARD)) {
        ledger.count(Counter::OpaqueWireguardFrames);
        ledger.add(Counter::OpaqueWireguardBytes, size(at));
    } else if is_esp_in_udp(at) {
        ledger.count(Counter::OpaqueEspFrames);
        ledger.add(Counter::OpaqueEspBytes, size(at));
    }
}

/// Whether a datagram has the port and the form of ESP behind a NAT.
#[inline]
pub(super) fn is_esp_in_udp(at: &At<'_>) -> bool {
    has_port(at, NAT_TRAVERSAL) && is_esp(at.payload, size(at))
}

#[inline]
fn has_port(at: &At<'_>, port: u16) -> bool {
    at.packet.dport == port || at.packet.sport == port
}

/// Bytes that the datagram had on the wire.
#[inline]
fn size(at: &At<'_>) -> u64 {
    u64::from(at.packet.payload_len).saturating_add(u64::from(at.packet.payload_missing))
}

/// WireGuard's data message (whitepaper section 5.4.6): type 4, reserved 3
/// bytes of 0, receiver 4 bytes, counter 8 bytes in little endian, then a
/// packet and a tag of 16 bytes. On a port that is not its own the form must
/// fit too: no key lives for 2^48 messages, and packets are padded to 16 bytes
/// where they do not fill the tunnel's MTU.
#[inline]
fn is_wireguard_data(payload: &[u8], size: u64, own_port: bool) -> bool {
    let [4, 0, 0, 0, receiver @ ..] = payload else { return false };
    let Some([a, b, c, d, counter @ ..]) = receiver.first_chunk::<12>() else { return false };
    let fits = matches!(counter, [_, _, _, _, _, _, 0, 0]) && (size.is_multiple_of(16) || size >= LEAST_MTU);
    size >= 32 && [*a, *b, *c, *d] != [0; 4] && (own_port || fits)
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
        let anywhere = |data: &[u8], size| is_wireguard_data(data, size, false);
        assert!(anywhere(&data, 64) && anywhere(&data[..20], 96), "cut by the capture");
        assert!(anywhere(&data[..32], 32), "a keep-alive");
        assert!(anywhere(&data, 1452), "a packet that fills the tunnel");
        assert!(!anywhere(&data[..16], 16) && !anywhere(&data, 63) && !anywhere(&data[..15], 64));
        for (at, value, own) in [(0, 1, false), (1, 1, false), (3, 1, false), (15, 1, true)] {
            let before = std::mem::replace(&mut data[at], value);
            assert!(!anywhere(&data, 64), "byte {at}");
            assert_eq!(is_wireguard_data(&data, 64, true), own, "byte {at}");
            data[at] = before;
        }
        assert!(is_wireguard_data(&data, 63, true), "on its own port");
        data[4..8].fill(0);
        assert!(!is_wireguard_data(&data, 64, true));
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
