//! Address resolution for IPv4 (RFC 826), with the probes and announcements of
//! RFC 5227.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use crate::base::{Addr, Mac};

/// Bytes of a message for Ethernet and IPv4.
pub const LENGTH: usize = 28;

/// A message about IPv4 addresses on a link with 48-bit hardware addresses:
/// hardware type 1 (Ethernet) or 6 (IEEE 802), operation 1 or 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arp {
    /// Operation 1, a request; else 2, a reply.
    pub request: bool,
    /// The sender's hardware address (`ar$sha`).
    pub sender_mac: Mac,
    /// The sender's address (`ar$spa`).
    pub sender: Addr,
    /// The target's hardware address (`ar$tha`); of no meaning in a request.
    pub target_mac: Mac,
    /// The target's address (`ar$tpa`): in a request the one asked for.
    pub target: Addr,
}

impl Arp {
    /// Reads a message; bytes behind it are the link's padding. `None` if it
    /// is cut, or of another kind: other addresses, or an operation other than
    /// request and reply.
    pub fn read(bytes: &[u8]) -> Option<Arp> {
        let [h0, h1, 8, 0, 6, 4, 0, operation @ (1 | 2), rest @ ..] = bytes.first_chunk::<LENGTH>()? else {
            return None;
        };
        if !matches!(u16::from_be_bytes([*h0, *h1]), 1 | 6) {
            return None;
        }
        let (sender, target) = rest.split_first_chunk::<10>()?;
        let (sender_mac, sender) = end(sender)?;
        let (target_mac, target) = end(target.first_chunk::<10>()?)?;
        Some(Arp { request: *operation == 1, sender_mac, sender, target_mac, target })
    }

    /// Whether the sender only asks whether an address is free (RFC 5227
    /// section 1.1): its own is all zero, and it claims nothing.
    pub fn is_probe(&self) -> bool {
        self.sender == Addr::v4([0; 4])
    }

    /// Whether nobody is asked: the sender announces its own address
    /// (RFC 5227 section 3; "gratuitous ARP").
    pub fn is_announcement(&self) -> bool {
        self.sender == self.target && !self.is_probe()
    }
}

/// A hardware address and an address.
fn end(bytes: &[u8; 10]) -> Option<(Mac, Addr)> {
    let (mac, ip) = bytes.split_first_chunk::<6>()?;
    Some((Mac(*mac), Addr::v4(*ip.first_chunk()?)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const A: [u8; 6] = [2, 0, 0, 0, 0, 1];
    const B: [u8; 6] = [2, 0, 0, 0, 0, 2];

    fn message(operation: u8, sender: ([u8; 6], [u8; 4]), target: ([u8; 6], [u8; 4])) -> Vec<u8> {
        let head = [0, 1, 8, 0, 6, 4, 0, operation];
        [&head[..], &sender.0, &sender.1, &target.0, &target.1].concat()
    }

    #[test]
    fn requests_and_replies() {
        let ask = Arp::read(&message(1, (A, [10, 0, 0, 1]), ([0; 6], [10, 0, 0, 2]))).unwrap();
        assert_eq!((ask.request, ask.sender_mac, ask.sender), (true, Mac(A), Addr::v4([10, 0, 0, 1])));
        assert_eq!((ask.target, ask.is_probe(), ask.is_announcement()), (Addr::v4([10, 0, 0, 2]), false, false));
        let padded = [message(2, (B, [10, 0, 0, 2]), (A, [10, 0, 0, 1])), vec![0; 18]].concat();
        let reply = Arp::read(&padded).unwrap();
        assert_eq!((reply.request, reply.sender_mac, reply.target_mac), (false, Mac(B), Mac(A)));
    }

    #[test]
    fn probes_and_announcements() {
        let probe = Arp::read(&message(1, (A, [0; 4]), ([0; 6], [10, 0, 0, 2]))).unwrap();
        assert!(probe.is_probe() && !probe.is_announcement());
        for operation in [1, 2] {
            let a = Arp::read(&message(operation, (A, [10, 0, 0, 1]), ([0xff; 6], [10, 0, 0, 1]))).unwrap();
            assert!(a.is_announcement() && !a.is_probe());
        }
        assert!(!Arp::read(&message(1, (A, [0; 4]), (A, [0; 4]))).unwrap().is_announcement());
    }

    #[test]
    fn other_kinds_and_cut_messages_are_none() {
        let whole = message(1, (A, [10, 0, 0, 1]), (B, [10, 0, 0, 2]));
        assert!((0..LENGTH).all(|n| Arp::read(&whole[..n]).is_none()));
        // Other hardware, protocol, lengths, operations (RARP, InARP).
        for (at, byte) in [(0, 1), (1, 7), (2, 9), (3, 1), (4, 8), (5, 16), (6, 1), (7, 0), (7, 3), (7, 8)] {
            let mut other = whole.clone();
            other[at] = byte;
            assert_eq!(Arp::read(&other), None, "{at} {byte}");
        }
        let mut ieee = whole;
        ieee[1] = 6;
        assert!(Arp::read(&ieee).is_some());
    }

    proptest! {
        #[test]
        fn what_is_read_stands_in_the_message(mut bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            if bytes.len() > 8 {
                bytes[..7].copy_from_slice(&[0, 1, 8, 0, 6, 4, 0]);
            }
            if let Some(a) = Arp::read(&bytes) {
                prop_assert_eq!(&bytes[8..14], &a.sender_mac.0);
                prop_assert_eq!(&bytes[24..28], &a.target.as_v4().unwrap());
                prop_assert_eq!(bytes[7], if a.request { 1 } else { 2 });
            }
        }
    }
}
