//! A fingerprint of the library that made a ClientHello.

use super::cursor::Cursor;

/// Most extensions of a hello that has a fingerprint.
const MAX_EXTENSIONS: usize = 64;

/// Extensions that one library sends to some servers, or at some times, and
/// not to others: the server's name, ALPN, padding, early data, cookies,
/// tickets and keys of earlier sessions (0, 16, 21, 35, 41, 42, 44).
fn is_passing(kind: u16) -> bool {
    matches!(kind, 0 | 16 | 21 | 35 | 41 | 42 | 44)
}

/// A value that clients send so that servers learn to pass over what they do
/// not know (RFC 8701 section 2).
fn is_grease(value: u16) -> bool {
    let [high, low] = value.to_be_bytes();
    high == low && low & 0x0f == 0x0a
}

/// Says that an earlier attempt with a higher version failed (RFC 7507).
const FALLBACK_SCSV: u16 = 0x5600;

/// What a fingerprint is made of.
pub(super) struct Stack {
    ciphers: u32,
    kinds: [u16; MAX_EXTENSIONS],
    len: usize,
    too_many: bool,
}

/// FNV-1a in 32 bits, of a number's two bytes.
fn fold(hash: u32, value: u16) -> u32 {
    value.to_be_bytes().iter().fold(hash, |h, b| (h ^ u32::from(*b)).wrapping_mul(0x0100_0193))
}

impl Stack {
    /// With a list of cipher suites.
    pub(super) fn of(cipher_suites: &[u8]) -> Self {
        let mut ciphers = 0x811c_9dc5;
        let mut list = Cursor(cipher_suites);
        while let Some(suite) = list.u16() {
            if !is_grease(suite) && suite != FALLBACK_SCSV {
                ciphers = fold(ciphers, suite);
            }
        }
        Stack { ciphers, kinds: [0; MAX_EXTENSIONS], len: 0, too_many: false }
    }

    /// Adds an extension.
    pub(super) fn extension(&mut self, kind: u16) {
        if is_grease(kind) || is_passing(kind) {
            return;
        }
        match self.kinds.get_mut(self.len) {
            Some(place) => {
                *place = kind;
                self.len = self.len.saturating_add(1);
            }
            None => self.too_many = true,
        }
    }

    /// The fingerprint. Extensions count in the order of their numbers, since
    /// browsers shuffle them.
    pub(super) fn fingerprint(&mut self) -> Option<u32> {
        let kinds = self.kinds.get_mut(..self.len)?;
        kinds.sort_unstable();
        (!self.too_many).then(|| kinds.iter().fold(fold(self.ciphers, 0xffff), |h, kind| fold(h, *kind)))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::super::sample::{extension, hex, message, server_name, vec16};
    use super::super::{client_hello_message, partial_client_hello_message};

    fn hello(ciphers: &str, kinds: &[u16], more: &[u8]) -> Vec<u8> {
        let mut body = vec![3, 3];
        body.extend([7; 32]);
        body.push(0);
        body.extend(vec16(&hex(ciphers)));
        body.extend([1, 0]);
        let data = |kind: u16| match kind {
            16 => vec16(&[2, b'h', b'2']),
            43 => vec![2, 3, 4],
            _ => vec![1, 2],
        };
        let extensions: Vec<u8> = kinds.iter().flat_map(|k| extension(*k, &data(*k))).collect();
        body.extend(vec16(&[&extensions, more].concat()));
        message(1, &body)
    }

    fn stack(bytes: &[u8]) -> Option<u32> {
        match client_hello_message(bytes) {
            crate::protocol::Probe::Found(h) => h.stack,
            _ => None,
        }
    }

    #[test]
    fn one_library_has_one_fingerprint() {
        let base = stack(&hello("1301 1302 c02f", &[10, 11, 13, 23, 43, 51], &[])).unwrap();
        let same = [
            hello("0a0a 1301 1302 c02f", &[0x1a1a, 10, 11, 13, 23, 43, 51, 0xfafa], &[]),
            hello("1301 1302 c02f 5600", &[51, 43, 23, 13, 11, 10], &[]),
            hello("1301 1302 c02f", &[10, 11, 13, 23, 43, 51, 35, 16, 21, 42, 44], &server_name(b"a.test")),
            hello("1301 1302 c02f", &[10, 11, 13, 23, 43, 51], &[0, 41, 0, 1, 9]),
        ];
        for (at, bytes) in same.iter().enumerate() {
            assert_eq!(stack(bytes), Some(base), "{at}");
        }
        let others = [
            hello("1302 1301 c02f", &[10, 11, 13, 23, 43, 51], &[]),
            hello("1301 1302", &[10, 11, 13, 23, 43, 51], &[]),
            hello("1301 1302 c02f", &[10, 11, 13, 23, 43], &[]),
            hello("1301 1302 c02f", &[10, 11, 13, 23, 43, 51, 0x0a1a], &[]),
            hello("1301 1302 c02f 0a", &[10, 11, 13, 23, 43, 51], &[]),
        ];
        for (at, bytes) in others.iter().enumerate() {
            assert_ne!(stack(bytes), Some(base), "{at}");
        }
    }

    #[test]
    fn what_is_not_whole_has_none() {
        let whole = hello("1301", &[10, 11, 13], &[]);
        for len in 4..whole.len() {
            assert_eq!(partial_client_hello_message(&whole[..len]).unwrap().stack, None, "{len}");
        }
        assert_eq!(stack(&hello("1301", &(100..165).collect::<Vec<u16>>(), &[])), None);
        assert!(stack(&hello("1301", &(100..164).collect::<Vec<u16>>(), &[])).is_some());
        assert_eq!(stack(&hello("1301", &[10], &[0, 11, 0, 9])), None, "an extension beyond the end");
    }
}
