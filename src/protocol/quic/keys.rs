//! Packet protection of Initial packets (RFC 9001 section 5).

use super::{Kind, LongPacket, Version};
use rustls::Side;
use rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
use rustls::quic::{self, DirectionalKeys};

/// Keys of a client's Initial packets, derived from the destination
/// connection id of its first one, or of the first after a Retry
/// (RFC 9001 section 5.2).
///
/// They stay the same when the client goes over to the connection id that the
/// server chose. Anyone can derive them, so that a packet that they open is
/// whole and was meant as such, but not proven to come from that client.
pub struct ClientKeys {
    /// `None` if the suite has no QUIC keys, which that of ring has.
    keys: Option<DirectionalKeys>,
}

impl ClientKeys {
    /// Derives the keys (RFC 9001 section 5.2). This takes a few microseconds
    /// (3.4 where opening a packet of 1,200 bytes takes 0.3), so callers
    /// bound how often they do it.
    pub fn new(version: Version, dcid: &[u8]) -> Self {
        let version = match version {
            Version::V1 => quic::Version::V1,
            Version::V2 => quic::Version::V2,
            Version::Draft29 => quic::Version::V1Draft,
        };
        let suite = TLS13_AES_128_GCM_SHA256.tls13().and_then(|suite| suite.quic_suite());
        // What is remote to the server is the client's.
        ClientKeys { keys: suite.map(|suite| suite.keys(dcid, Side::Server, version).remote) }
    }

    /// Opens an Initial packet into `scratch` and returns its frames; `None`
    /// if it does not authenticate, is not complete or no Initial.
    ///
    /// The packet number is taken to be no longer than it is encoded
    /// (RFC 9000 section 17.1): Initial packets are numbered from 0.
    pub fn open<'s>(&self, packet: &LongPacket<'_>, scratch: &'s mut Vec<u8>) -> Option<&'s [u8]> {
        if packet.kind != Kind::Initial || !packet.complete {
            return None;
        }
        let keys = self.keys.as_ref()?;
        scratch.clear();
        scratch.extend_from_slice(packet.bytes);
        let (header, body) = scratch.split_at_mut_checked(packet.pn_offset)?;
        let flags = header.first_mut()?;
        let (number, payload) = body.split_first_chunk_mut::<4>()?;
        let sample = payload.get(..keys.header.sample_len())?;
        keys.header.decrypt_in_place(sample, flags, number).ok()?;
        let number_len = usize::from(*flags & 3).saturating_add(1);
        let number = number.iter().take(number_len).fold(0, |n, b| n << 8 | u64::from(*b));
        let (header, payload) = scratch.split_at_mut_checked(packet.pn_offset.checked_add(number_len)?)?;
        keys.packet.decrypt_in_place(number, header, payload).ok()
    }
}

#[cfg(test)]
mod tests;
