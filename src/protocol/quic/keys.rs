//! Packet protection of Initial packets (RFC 9001 section 5).

use super::{Kind, LongPacket, Version};
use ring::aead::quic::{AES_128, HeaderProtectionKey};
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::error::Unspecified;
use ring::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};

/// Labels of TLS 1.3 (RFC 8446 section 7.1) as they stand before the counter
/// of HKDF: output length (2 bytes), label behind its length (1), an empty
/// context.
struct Labels {
    key: &'static [u8],
    iv: &'static [u8],
    header: &'static [u8],
}

const CLIENT: &[u8] = b"\0\x20\x0ftls13 client in\0";
const LABELS: Labels = Labels {
    key: b"\0\x10\x0etls13 quic key\0",
    iv: b"\0\x0c\x0dtls13 quic iv\0",
    header: b"\0\x10\x0dtls13 quic hp\0",
};
/// RFC 9369 section 3.3.2.
const LABELS_V2: Labels = Labels {
    key: b"\0\x10\x10tls13 quicv2 key\0",
    iv: b"\0\x0c\x0ftls13 quicv2 iv\0",
    header: b"\0\x10\x0ftls13 quicv2 hp\0",
};

/// What is derived for a nonce.
struct NonceLength;

impl KeyType for NonceLength {
    fn len(&self) -> usize {
        NONCE_LEN
    }
}

/// Keys of a client's Initial packets, derived from the destination
/// connection id of its first one, or of the first after a Retry
/// (RFC 9001 section 5.2).
///
/// They stay the same when the client goes over to the connection id that the
/// server chose. Anyone can derive them, so that a packet that they open is
/// whole and was meant as such, but not proven to come from that client.
pub struct ClientKeys(Option<Keys>);

struct Keys {
    packet: LessSafeKey,
    iv: [u8; NONCE_LEN],
    header: HeaderProtectionKey,
}

impl ClientKeys {
    /// Derives the keys (RFC 9001 section 5.2). This takes ten times as long
    /// as opening a packet of 1,200 bytes, so callers bound how often they do
    /// it.
    pub fn new(version: Version, dcid: &[u8]) -> Self {
        // HKDF fails only for outputs longer than any here.
        ClientKeys(derive(version, dcid).ok())
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
        let keys = self.0.as_ref()?;
        scratch.clear();
        scratch.extend_from_slice(packet.bytes);
        let (header, body) = scratch.split_at_mut_checked(packet.pn_offset)?;
        let flags = header.first_mut()?;
        // RFC 9001 section 5.4: flags and packet number are masked with what
        // 16 bytes behind the longest possible number give.
        let (number, payload) = body.split_first_chunk_mut::<4>()?;
        let [mask_of_flags, mask @ ..] = keys.header.new_mask(payload.first_chunk::<16>()?).ok()?;
        *flags ^= mask_of_flags & 0x0f;
        let number_len = usize::from(*flags & 3).saturating_add(1);
        let mut value = 0_u32;
        for (byte, mask) in number.iter_mut().zip(mask).take(number_len) {
            *byte ^= mask;
            value = value << 8 | u32::from(*byte);
        }
        let mut nonce = keys.iv;
        for (byte, number) in nonce.iter_mut().rev().zip(value.to_le_bytes()) {
            *byte ^= number;
        }
        let (header, payload) = scratch.split_at_mut_checked(packet.pn_offset.checked_add(number_len)?)?;
        let opened = keys.packet.open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(&*header), payload);
        opened.ok().map(|frames| &*frames)
    }

    /// Seals frames behind a header that ends with a packet number of one
    /// byte.
    #[cfg(test)]
    #[allow(clippy::unwrap_used, clippy::indexing_slicing)]
    pub(super) fn seal(&self, number: u8, number_at: usize, packet: &mut Vec<u8>, frames: &[u8]) {
        let keys = self.0.as_ref().unwrap();
        let mut nonce = keys.iv;
        nonce[NONCE_LEN - 1] ^= number;
        let mut payload = frames.to_vec();
        let nonce = Nonce::assume_unique_for_key(nonce);
        keys.packet.seal_in_place_append_tag(nonce, Aad::from(&*packet), &mut payload).unwrap();
        packet.extend(payload);
        let mask = keys.header.new_mask(&packet[number_at..][4..20]).unwrap();
        packet[0] ^= mask[0] & 0x0f;
        packet[number_at] ^= mask[1];
    }
}

fn derive(version: Version, dcid: &[u8]) -> Result<Keys, Unspecified> {
    let labels = if version.is_like_v2() { LABELS_V2 } else { LABELS };
    let initial = Salt::new(HKDF_SHA256, version.salt()).extract(dcid);
    let client = Prk::from(initial.expand(&[CLIENT], HKDF_SHA256)?);
    let mut iv = [0; NONCE_LEN];
    client.expand(&[labels.iv], NonceLength)?.fill(&mut iv)?;
    Ok(Keys {
        packet: LessSafeKey::new(UnboundKey::from(client.expand(&[labels.key], &AES_128_GCM)?)),
        iv,
        header: HeaderProtectionKey::from(client.expand(&[labels.header], &AES_128)?),
    })
}

#[cfg(test)]
mod tests;
