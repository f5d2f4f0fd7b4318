//! Frames of cable networks (LINKTYPE_DOCSIS; DOCSIS 3.1 MAC and Upper Layer
//! Protocols Interface section 6.2).
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::view::View;
use super::walk::{Next, Walk};
use crate::coverage::Counter;

/// In the first byte: type of frame 2 bits, parameter 5, extended header 1.
const TYPE: u8 = 0xc0;
const EXTENDED: u8 = 1;
/// A packet with its Ethernet header.
const PACKET: u8 = 0x00;
/// The same, which older modems must not see.
const ISOLATED: u8 = 0x80;

/// Elements of the extended header that belong to encryption, upstream and
/// downstream.
const PRIVACY: [u8; 2] = [3, 4];
/// Most elements that are looked at.
const MAX_ELEMENTS: usize = 16;

/// The step over a header: type 1 byte, length of the extended header or a
/// parameter 1, length of what follows 2, extended header, check sequence 2
/// bytes; then Ethernet.
pub(super) fn step<'a>(mut view: View<'a>, walk: &mut Walk) -> Result<Next<'a>, Counter> {
    let [kind, parameter, a, b] = *view.take::<4>().ok_or(Counter::LinkMalformed)?;
    if !matches!(kind & TYPE, PACKET | ISOLATED) {
        return Err(Counter::OtherEthertype);
    }
    let mut encrypted = false;
    // The length covers the extended header too.
    let mut len = usize::from(u16::from_be_bytes([a, b]));
    if kind & EXTENDED != 0 {
        let extended = usize::from(parameter);
        encrypted = is_encrypted(view.data.get(..extended).ok_or(Counter::LinkMalformed)?);
        view.skip(extended).ok_or(Counter::LinkMalformed)?;
        len = len.checked_sub(extended).ok_or(Counter::LinkMalformed)?;
    }
    view.skip(2).ok_or(Counter::LinkMalformed)?;
    view.limit(len.min(view.announced()));
    if encrypted {
        let bytes = view.announced();
        return Err(walk.opaque(Counter::LinkOpaque, [Counter::OpaqueDocsisFrames, Counter::OpaqueDocsisBytes], bytes));
    }
    Ok(Next::Ethernet(view))
}

/// Elements have type 4 bits, length 4 bits and a value. That of privacy is a
/// key number 1 byte, then a bit that says whether the key is in use.
fn is_encrypted(mut extended: &[u8]) -> bool {
    for _ in 0..MAX_ELEMENTS {
        let Some((head, rest)) = extended.split_first() else { return false };
        let Some((value, rest)) = rest.split_at_checked(usize::from(head & 15)) else { return false };
        if PRIVACY.contains(&(head >> 4)) && value.get(1).is_some_and(|b| b & 0x80 != 0) {
            return true;
        }
        extended = rest;
    }
    false
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::super::testing::{SRC_MAC, decode_with, ethernet, ipv4, udp};
    use super::*;

    fn frame(kind: u8, extended: &[u8]) -> Vec<u8> {
        let inner = ethernet(0x0800, &ipv4(17, [10, 0, 0, 1], [10, 0, 0, 2], &udp(1, 53, b"dns")));
        let len = ((extended.len() + inner.len() + 4) as u16).to_be_bytes();
        [&[kind, extended.len() as u8, len[0], len[1]][..], extended, &[0xcc, 0xcc], &inner, &[0xee; 4]].concat()
    }

    #[test]
    fn packets_with_and_without_extended_header() {
        for frame in [
            frame(0, &[]),
            frame(0x80, &[]),
            frame(1, &[0x33, 0x10, 0, 7, 0x10]),
            frame(1, &[0x44, 0x10, 0, 7, 0]),
            frame(1, &[0x61, 9]),
        ] {
            let p = decode_with(143, &frame, frame.len()).1.unwrap();
            assert_eq!((p.dport, p.payload_len, p.src_mac), (53, 3, Some(SRC_MAC)));
        }
    }

    #[test]
    fn encrypted_management_and_impossible_frames() {
        for extended in [&[0x33, 0x10, 0x80, 7][..], &[0x61, 9, 0x44, 0x10, 0x80, 7, 0]] {
            let bytes = frame(1, extended);
            let (mut decoder, result) = decode_with(143, &bytes, bytes.len());
            assert_eq!(result, Err(Counter::LinkOpaque));
            let want = [
                (Counter::OpaqueDocsisFrames, 1),
                (Counter::OpaqueDocsisBytes, (bytes.len() - 6 - extended.len()) as u64),
            ];
            assert_eq!(decoder.side_counts().collect::<Vec<_>>(), want);
        }
        let err = |frame: &[u8]| decode_with(143, frame, frame.len()).1.unwrap_err();
        assert_eq!(err(&frame(0xc2, &[])), Counter::OtherEthertype);
        assert_eq!(err(&frame(1, &[0x33, 0, 0, 7])[..6]), Counter::LinkMalformed);
        assert_eq!(err(&[1, 9, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), Counter::LinkMalformed);
        assert_eq!(err(&[0, 0, 0]), Counter::LinkMalformed);
    }
}
