//! Options of EDNS (RFC 6891 section 6.1.2).

use crate::base::{Addr, Prefix};

/// Option code of the client subnet (RFC 7871 section 6).
const CLIENT_SUBNET: u16 = 8;

/// The client subnet in the data of an OPT record. `None` without one, where
/// it is unreadable, and where the client asked for its address to be kept
/// back (a prefix of 0 bits).
pub(super) fn client_subnet(mut options: &[u8]) -> Option<Prefix> {
    loop {
        let (&[c0, c1, l0, l1], rest) = options.split_first_chunk()?;
        let (value, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([l0, l1])))?;
        if u16::from_be_bytes([c0, c1]) == CLIENT_SUBNET {
            return subnet(value);
        }
        options = rest;
    }
}

/// Family, source prefix length, scope prefix length, then as many octets of
/// the address as the prefix needs. Bits behind the prefix, which must be
/// zero, are made so.
fn subnet(value: &[u8]) -> Option<Prefix> {
    let (&[f0, f1, bits, _scope], octets) = value.split_first_chunk()?;
    if bits == 0 || octets.len() < usize::from(bits.div_ceil(8)) {
        return None;
    }
    let (addr, len) = match u16::from_be_bytes([f0, f1]) {
        1 if bits <= 32 => (Addr::v4(padded(octets)?), bits.checked_add(96)?),
        2 if bits <= 128 => (Addr(padded(octets)?), bits),
        _ => return None,
    };
    let mask = u128::MAX.checked_shl(128_u32.saturating_sub(u32::from(len))).unwrap_or(0);
    Prefix::new(Addr((addr.bits() & mask).to_be_bytes()), len)
}

/// The octets, filled up with zeros; `None` if there are more than `N`.
fn padded<const N: usize>(octets: &[u8]) -> Option<[u8; N]> {
    let mut out = [0; N];
    out.get_mut(..octets.len())?.copy_from_slice(octets);
    Some(out)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::*;

    #[test]
    fn a_subnet_behind_a_cookie() {
        let options = b"\0\x0a\0\x08COOKIES!\0\x08\0\x07\0\x01\x18\0\xc0\0\x02";
        assert_eq!(client_subnet(options), "192.0.2.0/24".parse().ok());
        let six = b"\0\x08\0\x0b\0\x02\x38\0\x20\x01\x0d\xb8\0\x01\x02";
        assert_eq!(client_subnet(six), "2001:db8:1:200::/56".parse().ok());
        let loose = b"\0\x08\0\x08\0\x01\x13\0\xc0\xa8\xff\xff";
        assert_eq!(client_subnet(loose), "192.168.224.0/19".parse().ok());
        let whole = b"\0\x08\0\x08\0\x01\x20\0\xc0\xa8\xff\xff";
        assert_eq!(client_subnet(whole), "192.168.255.255/32".parse().ok());
    }

    #[test]
    fn nothing_where_it_is_absent_kept_back_or_wrong() {
        for options in [
            &b""[..],
            b"\0\x0a\0\x02ab",
            b"\0\x08\0\x04\0\x01\0\0",
            b"\0\x08\0\x06\0\x01\x18\0\xc0\0",
            b"\0\x08\0\x09\0\x01\x18\0\xc0\0\x02\0\0",
            b"\0\x08\0\x09\0\x01\x28\0\xc0\0\x02\0\0",
            b"\0\x08\0\x07\0\x03\x18\0\xc0\0\x02",
            b"\0\x08\0\xff\0\x01\x18\0\xc0\0\x02",
        ] {
            assert_eq!(client_subnet(options), None, "{options:?}");
        }
    }
}
