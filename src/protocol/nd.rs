//! IPv6 neighbour discovery in ICMPv6 (RFC 4861, RFC 4862 for the detection of
//! duplicate addresses).

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use crate::base::{Addr, Mac};

/// Hop limit of every message: none came through a router (section 3.1).
pub const HOP_LIMIT: u8 = 255;

/// Options of the sender's and the target's link-layer address (section 4.6.1).
const SOURCE_LINK: u8 = 1;
const TARGET_LINK: u8 = 2;

/// Most options of one message that are looked at.
const MAX_OPTIONS: usize = 32;

/// What kind of message it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Router solicitation (section 4.1).
    RouterSolicitation,
    /// Router advertisement (section 4.2).
    RouterAdvertisement,
    /// Neighbour solicitation (section 4.3): who has the target's address?
    Solicitation,
    /// Neighbour advertisement (section 4.4): the sender has it.
    Advertisement {
        /// The sender is a router.
        router: bool,
        /// It answers a solicitation.
        solicited: bool,
    },
}

/// A message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Discovery {
    /// Kind.
    pub kind: Kind,
    /// Whom a neighbour solicitation asks for, or an advertisement tells of.
    pub target: Option<Addr>,
    /// The link-layer address in the option that goes with the kind: the
    /// target's in a neighbour advertisement, the sender's in all others.
    /// `None` if there is none, or several that differ.
    pub link: Option<Mac>,
    /// Options end early, have no length, or contradict each other.
    pub malformed: bool,
}

impl Discovery {
    /// Reads an ICMPv6 message. `None` if it is none of neighbour discovery,
    /// or must be discarded (sections 6.1 and 7.1): a hop limit other than
    /// [`HOP_LIMIT`], a code, fewer bytes than its fixed fields, a group as
    /// target. The checksum is not looked at.
    pub fn read(bytes: &[u8], hop_limit: u8) -> Option<Discovery> {
        let &[kind @ 133..=136, 0, _, _, flags, ref rest @ ..] = bytes else { return None };
        if hop_limit != HOP_LIMIT {
            return None;
        }
        let rest = rest.get(3..)?;
        let (kind, link, target, options) = match kind {
            133 => (Kind::RouterSolicitation, SOURCE_LINK, None, rest),
            134 => (Kind::RouterAdvertisement, SOURCE_LINK, None, rest.get(8..)?),
            _ => {
                let (target, options) = rest.split_first_chunk::<16>()?;
                if target.first() == Some(&0xff) {
                    return None;
                }
                let advertised = Kind::Advertisement { router: flags & 0x80 != 0, solicited: flags & 0x40 != 0 };
                let (kind, link) =
                    if kind == 135 { (Kind::Solicitation, SOURCE_LINK) } else { (advertised, TARGET_LINK) };
                (kind, link, Some(Addr(*target)), options)
            }
        };
        let (link, malformed) = link_address(options, link);
        Some(Discovery { kind, target, link, malformed })
    }

    /// Which address the message says somebody has: the sender's own, or the
    /// advertised target. `src` is the packet's sender. `None` where it claims
    /// nothing: a sender without an address is still looking for one.
    pub fn claimed(&self, src: &Addr) -> Option<Addr> {
        let claimed = match self.kind {
            Kind::Advertisement { .. } => self.target?,
            _ => *src,
        };
        (claimed != Addr([0; 16])).then_some(claimed)
    }

    /// Whether the sender says that it is a router.
    pub fn is_router(&self) -> bool {
        matches!(self.kind, Kind::RouterAdvertisement | Kind::Advertisement { router: true, .. })
    }
}

/// The 48-bit address in the options of one type, and whether something was
/// wrong with the options.
fn link_address(mut options: &[u8], wanted: u8) -> (Option<Mac>, bool) {
    let mut found: Option<Mac> = None;
    for _ in 0..MAX_OPTIONS {
        let &[kind, units, ..] = options else { return (found, !options.is_empty()) };
        let length = usize::from(units).saturating_mul(8);
        let Some((option, rest)) = options.split_at_checked(length).filter(|_| length > 0) else {
            return (found, true);
        };
        if kind == wanted
            && let &[_, 1, a, b, c, d, e, f] = option
        {
            let mac = Mac([a, b, c, d, e, f]);
            if found.is_some_and(|m| m != mac) {
                return (None, true);
            }
            found = Some(mac);
        }
        options = rest;
    }
    (found, !options.is_empty())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MAC: Mac = Mac([2, 0, 0, 0, 0, 1]);

    fn addr(text: &str) -> Addr {
        text.parse().unwrap()
    }

    fn option(kind: u8, mac: Mac) -> Vec<u8> {
        [&[kind, 1][..], &mac.0].concat()
    }

    fn neighbour(kind: u8, flags: u8, target: &str, options: &[u8]) -> Vec<u8> {
        [&[kind, 0, 0, 0, flags, 0, 0, 0][..], &addr(target).0, options].concat()
    }

    fn read(bytes: &[u8]) -> Discovery {
        Discovery::read(bytes, 255).unwrap()
    }

    #[test]
    fn a_solicitation_claims_its_senders_address() {
        let d = read(&neighbour(135, 0, "fe80::2", &option(1, MAC)));
        assert_eq!((d.kind, d.target, d.link), (Kind::Solicitation, Some(addr("fe80::2")), Some(MAC)));
        assert_eq!(d.claimed(&addr("fe80::1")), Some(addr("fe80::1")));
        // One that looks for duplicates of an address has none yet.
        assert_eq!(d.claimed(&addr("::")), None);
    }

    #[test]
    fn an_advertisement_claims_its_target() {
        let d = read(&neighbour(136, 0xe0, "fd00::2", &option(2, MAC)));
        assert_eq!((d.kind, d.link), (Kind::Advertisement { router: true, solicited: true }, Some(MAC)));
        assert_eq!((d.claimed(&addr("fe80::1")), d.is_router()), (Some(addr("fd00::2")), true));
        let d = read(&neighbour(136, 0x20, "fd00::2", &option(1, MAC)));
        assert_eq!((d.link, d.is_router()), (None, false), "the sender's option is not the target's");
    }

    #[test]
    fn routers_and_those_who_look_for_them() {
        let solicitation = [&[133, 0, 0, 0, 0, 0, 0, 0][..], &option(1, MAC)].concat();
        assert_eq!((read(&solicitation).kind, read(&solicitation).link), (Kind::RouterSolicitation, Some(MAC)));
        let prefix = [&[3, 4][..], &[0; 30]].concat();
        let advert = [&[134, 0, 0, 0, 64, 0, 7, 8][..], &[0; 8], &prefix, &option(1, MAC)].concat();
        let d = read(&advert);
        assert_eq!((d.kind, d.link, d.malformed), (Kind::RouterAdvertisement, Some(MAC), false));
        assert!(d.is_router() && d.claimed(&addr("fe80::1")) == Some(addr("fe80::1")));
    }

    #[test]
    fn what_must_be_discarded_is() {
        let fine = neighbour(135, 0, "fe80::2", &[]);
        assert!(Discovery::read(&fine, 254).is_none(), "it came through a router");
        assert!((0..24).all(|n| Discovery::read(&fine[..n], 255).is_none()));
        assert!(Discovery::read(&neighbour(135, 0, "ff02::1", &[]), 255).is_none());
        let mut code = fine.clone();
        code[1] = 1;
        assert!(Discovery::read(&code, 255).is_none());
        for kind in [1, 128, 129, 132, 137, 143] {
            assert!(Discovery::read(&neighbour(kind, 0, "fe80::2", &[]), 255).is_none());
        }
        assert!(Discovery::read(&[134, 0, 0, 0, 64, 0, 7, 8, 0, 0, 0], 255).is_none());
    }

    #[test]
    fn options_that_lie() {
        let with = |options: &[u8]| {
            let d = read(&neighbour(135, 0, "fe80::2", options));
            (d.link, d.malformed)
        };
        assert_eq!(with(&[1, 0, 9, 9, 9, 9, 9, 9]), (None, true), "no length");
        assert_eq!(with(&[&option(1, MAC)[..], &[1, 2, 0]].concat()), (Some(MAC), true), "cut");
        assert_eq!(with(&[&option(1, MAC)[..], &option(1, Mac([9; 6]))].concat()), (None, true));
        assert_eq!(with(&[option(1, MAC), option(1, MAC)].concat()), (Some(MAC), false));
        // An address of 64 bits (IEEE 802.15.4) is no MAC.
        assert_eq!(with(&[&[1, 2][..], &[7; 14]].concat()), (None, false));
        assert_eq!(with(&[14, 1, 0, 0, 0, 0, 0, 0].repeat(MAX_OPTIONS + 1)), (None, true));
    }

    proptest! {
        #[test]
        fn a_link_address_stands_in_an_option(kind in 133u8..=136, mut bytes in proptest::collection::vec(any::<u8>(), 8..120)) {
            (bytes[0], bytes[1]) = (kind, 0);
            if let Some(d) = Discovery::read(&bytes, 255) {
                if let Some(mac) = d.link {
                    prop_assert!(bytes.windows(8).any(|w| w[0] < 3 && w[1] == 1 && w[2..] == mac.0));
                }
                prop_assert_eq!(d.target.is_some(), kind > 134);
            }
        }
    }
}
