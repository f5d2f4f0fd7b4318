//! QUIC packets, and what they hold.

use spansight::protocol::quic::{self, CryptoStream, Version};
use spansight::protocol::tls;

/// A datagram that may hold QUIC packets.
pub fn packets(data: &[u8]) {
    let mut rest = data;
    let mut scratch = Vec::new();
    while let Ok((packet, behind)) = quic::long_packet(rest) {
        assert!(behind.len() < rest.len(), "each packet takes bytes");
        if let Some(content) = quic::ClientKeys::new(packet.version, packet.dcid).open(&packet, &mut scratch) {
            assert!(content.len() < rest.len());
            read(packet.version, content);
        }
        rest = behind;
    }
}

/// What an Initial packet holds once it is opened; the first byte tells of
/// which version it is.
pub fn frames(data: &[u8]) {
    let Some((version, frames)) = data.split_first() else { return };
    let numbers = [1, 0x6b33_43cf, 0xff00_001d, 0x5430_3530, 0x5430_3531];
    let version = numbers.get(usize::from(*version)).and_then(|n| Version::from_number(*n)).unwrap_or(Version::V1);
    read(version, frames);
}

fn read(version: Version, frames: &[u8]) {
    let (mut forth, mut back) = (CryptoStream::new(), CryptoStream::new());
    let all: Vec<_> = quic::crypto_frames(version, frames).collect();
    let mut fits = true;
    for (offset, bytes) in &all {
        fits &= forth.insert(*offset, bytes).is_ok();
        assert!(forth.held() <= quic::MAX_CRYPTO && forth.contiguous().len() <= forth.held());
    }
    for (offset, bytes) in all.iter().rev() {
        fits &= back.insert(*offset, bytes).is_ok();
    }
    if fits && !forth.conflict() {
        assert!(!back.conflict());
        assert_eq!(forth.contiguous(), back.contiguous(), "frames may come in any order");
        assert_eq!(forth.held(), back.held());
    }
    let _ = tls::client_hello_message(forth.contiguous());
    let _ = tls::partial_client_hello_message(forth.contiguous());
}
