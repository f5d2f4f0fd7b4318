//! DHCP for IPv6 (RFC 8415; names: RFC 4704; link-layer addresses that relays
//! add: RFC 6939).

use super::wire_name;
use crate::base::{Addr, Mac, Name};

/// Addresses kept of one message.
pub const MAX_ADDRESSES: usize = 16;

/// Relays that a message may have come through (HOP_COUNT_LIMIT, section 7.6).
pub const MAX_RELAYS: usize = 8;

/// Most octets of a DUID without its type (section 11.1).
const MAX_DUID: usize = 128;

/// Options (section 21).
const CLIENT_ID: u16 = 1;
const IA_NA: u16 = 3;
const IA_TA: u16 = 4;
const IA_ADDR: u16 = 5;
const RELAY_MESSAGE: u16 = 9;
const CLIENT_FQDN: u16 = 39;
const CLIENT_LINK: u16 = 79;

/// What a message is for (section 7.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A client looks for servers.
    Solicit,
    /// A server offers addresses.
    Advertise,
    /// A client wants addresses.
    Request,
    /// A client asks whether its addresses still fit its link.
    Confirm,
    /// A client wants to keep its addresses.
    Renew,
    /// The same, of any server.
    Rebind,
    /// The server's answer.
    Reply,
    /// A client gives addresses back.
    Release,
    /// A client found addresses in use.
    Decline,
    /// A client that has addresses asks for other parameters.
    InformationRequest,
}

impl Kind {
    fn of(code: u8) -> Option<Kind> {
        use Kind::{Advertise, Confirm, Decline, Rebind, Release, Renew, Reply, Request, Solicit};
        Some(match code {
            1 => Solicit,
            2 => Advertise,
            3 => Request,
            4 => Confirm,
            5 => Renew,
            6 => Rebind,
            7 => Reply,
            8 => Release,
            9 => Decline,
            11 => Kind::InformationRequest,
            _ => return None,
        })
    }

    /// Whether clients send it.
    pub fn is_clients(self) -> bool {
        !matches!(self, Kind::Advertise | Kind::Reply)
    }
}

/// An address in an identity association (section 21.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leased {
    /// The address.
    pub ip: Addr,
    /// Seconds for which it is preferred.
    pub preferred: u32,
    /// Seconds for which it is valid; 0 ends it, [`u32::MAX`] is for ever.
    pub valid: u32,
}

/// The relay next to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relay {
    /// The client's address as the relay saw it: mostly a link-local one.
    pub peer: Addr,
    /// The client's hardware address as the relay saw it (RFC 6939).
    pub link: Option<Mac>,
}

/// A client's or server's message, inside what relays wrapped around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// What it is for.
    pub kind: Kind,
    /// Transaction, 24 bits.
    pub xid: u32,
    /// The client's DUID (option 1).
    pub client: Option<&'a [u8]>,
    /// Addresses of identity associations (options 3, 4 and 5), the first
    /// [`MAX_ADDRESSES`].
    pub addresses: Vec<Leased>,
    /// Flags and the client's name in the form of DNS (option 39), as sent.
    pub full_name: Option<&'a [u8]>,
    /// The innermost relay that wrapped it.
    pub relay: Option<Relay>,
    /// Options end early, have impossible lengths or come twice; what does
    /// counts as absent. More addresses than are kept.
    pub malformed: bool,
}

/// Options of one level; false when a last one is cut.
fn options<'a>(mut field: &'a [u8], mut each: impl FnMut(u16, &'a [u8])) -> bool {
    while let Some((&[c0, c1, l0, l1], rest)) = field.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        let Some((value, rest)) = rest.split_at_checked(length) else { return false };
        each(u16::from_be_bytes([c0, c1]), value);
        field = rest;
    }
    field.is_empty()
}

/// An option that may come once.
#[derive(Default)]
struct Once<'a>(Option<&'a [u8]>, bool);

impl<'a> Once<'a> {
    fn set(&mut self, value: &'a [u8]) {
        self.1 |= self.0.is_some();
        self.0 = Some(value);
    }

    fn get(&self) -> Option<&'a [u8]> {
        self.0.filter(|_| !self.1)
    }
}

impl<'a> Message<'a> {
    /// Reads a message, and through at most [`MAX_RELAYS`] relays' wrapping.
    /// `None` if it is none, or a relay's without one.
    pub fn read(bytes: &'a [u8]) -> Option<Message<'a>> {
        let mut bytes = bytes;
        let (mut relay, mut malformed) = (None, false);
        for _ in 0..=MAX_RELAYS {
            let (&code, _) = bytes.split_first()?;
            if !matches!(code, 12 | 13) {
                return Message::inner(bytes, relay, malformed);
            }
            let (fixed, field) = bytes.split_first_chunk::<34>()?;
            let peer = Addr(*fixed.get(18..)?.first_chunk()?);
            let (mut link, mut inner) = (Once::default(), Once::default());
            malformed |= !options(field, |code, value| match code {
                CLIENT_LINK => link.set(value),
                RELAY_MESSAGE => inner.set(value),
                _ => {}
            });
            let link = link.get().and_then(link_address);
            relay = Some(Relay { peer, link });
            bytes = inner.get()?;
        }
        None
    }

    fn inner(bytes: &'a [u8], relay: Option<Relay>, malformed: bool) -> Option<Message<'a>> {
        let (&[code, x0, x1, x2], field) = bytes.split_first_chunk()?;
        let kind = Kind::of(code)?;
        let (mut client, mut name) = (Once::default(), Once::default());
        let mut addresses = Vec::new();
        let mut fine = true;
        fine &= options(field, |code, value| match code {
            CLIENT_ID => client.set(value),
            CLIENT_FQDN => name.set(value),
            IA_NA | IA_TA => fine &= association(code, value, &mut addresses),
            _ => {}
        });
        let duid = client.get().filter(|d| (3..=MAX_DUID.saturating_add(2)).contains(&d.len()));
        let malformed = malformed || !fine || client.1 || name.1 || duid.is_none() && client.0.is_some();
        let xid = u32::from_be_bytes([0, x0, x1, x2]);
        Some(Message { kind, xid, client: duid, addresses, full_name: name.get(), relay, malformed })
    }

    /// What the client calls itself, canonical.
    pub fn name(&self) -> Option<Name> {
        wire_name(self.full_name?.get(1..)?)
    }
}

/// Addresses of an identity association (sections 21.4 and 21.5); false if it
/// is malformed, or holds more than are kept.
fn association(code: u16, value: &[u8], into: &mut Vec<Leased>) -> bool {
    // Behind IAID and, in an IA_NA, T1 and T2.
    let Some(field) = value.get(if code == IA_NA { 12 } else { 4 }..) else { return false };
    let mut fine = true;
    let whole = options(field, |code, value| {
        if code == IA_ADDR {
            let room = into.len() < MAX_ADDRESSES;
            match leased(value) {
                Some(leased) if room => into.push(leased),
                _ => fine = false,
            }
        }
    });
    whole && fine
}

fn leased(value: &[u8]) -> Option<Leased> {
    let (ip, rest) = value.split_first_chunk::<16>()?;
    let (preferred, rest) = rest.split_first_chunk::<4>()?;
    let valid = rest.first_chunk::<4>()?;
    let [preferred, valid] = [*preferred, *valid].map(u32::from_be_bytes);
    Some(Leased { ip: Addr(*ip), preferred, valid })
}

/// A hardware type and an address of 48 bits.
fn link_address(value: &[u8]) -> Option<Mac> {
    match value {
        &[0, 1 | 6, a, b, c, d, e, f] => Some(Mac([a, b, c, d, e, f])),
        _ => None,
    }
}

/// The hardware address that a DUID was made from (sections 11.2 and 11.4). It
/// is one of the host's, not always that of the interface at hand.
pub fn duid_mac(duid: &[u8]) -> Option<Mac> {
    match duid {
        [0, 1, h0, h1, _, _, _, _, mac @ ..] => link_address(&[&[*h0, *h1][..], mac].concat()),
        [0, 3, rest @ ..] => link_address(rest),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub const DUID: &[u8] = &[0, 1, 0, 1, 9, 9, 9, 9, 2, 0, 0, 0, 0, 5];

    pub fn option(code: u16, value: &[u8]) -> Vec<u8> {
        [&code.to_be_bytes()[..], &(value.len() as u16).to_be_bytes(), value].concat()
    }

    pub fn address(ip: &str, valid: u32) -> Vec<u8> {
        let ip: Addr = ip.parse().unwrap();
        option(5, &[&ip.0[..], &valid.to_be_bytes(), &valid.to_be_bytes()].concat())
    }

    pub fn ia_na(addresses: &[u8]) -> Vec<u8> {
        option(3, &[&[0; 12][..], addresses].concat())
    }

    pub fn message(kind: u8, options: &[Vec<u8>]) -> Vec<u8> {
        [&[kind, 1, 2, 3][..], &options.concat()].concat()
    }

    fn relayed(kind: u8, peer: &str, options: &[Vec<u8>]) -> Vec<u8> {
        let peer: Addr = peer.parse().unwrap();
        [&[kind, 0][..], &[0; 16], &peer.0, &options.concat()].concat()
    }

    #[test]
    fn a_reply_with_addresses_and_a_name() {
        let fqdn = option(39, b"\x01\x05PC-17\x04corp\0");
        let bytes =
            message(7, &[option(1, DUID), ia_na(&[address("fd00::5", 3600), address("fd00::6", 0)].concat()), fqdn]);
        let m = Message::read(&bytes).unwrap();
        assert_eq!((m.kind, m.xid, m.client, m.malformed), (Kind::Reply, 0x0001_0203, Some(DUID), false));
        let leased: Vec<_> = m.addresses.iter().map(|a| (a.ip.to_string(), a.valid)).collect();
        assert_eq!(leased, [("fd00::5".into(), 3600), ("fd00::6".into(), 0)]);
        assert_eq!((m.name().unwrap().as_str(), m.relay), ("pc-17.corp", None));
        assert_eq!(duid_mac(DUID), Some(Mac([2, 0, 0, 0, 0, 5])));
        assert_eq!(duid_mac(&[0, 3, 0, 1, 1, 2, 3, 4, 5, 6]), Some(Mac([1, 2, 3, 4, 5, 6])));
        assert_eq!((duid_mac(&[0, 2, 0, 0, 0, 9, 1]), duid_mac(&[0, 3, 0, 27, 1, 2, 3, 4, 5, 6])), (None, None));
    }

    #[test]
    fn relays_are_unwrapped() {
        let inner = message(3, &[option(1, DUID)]);
        let near = relayed(12, "fe80::5", &[option(79, &[0, 1, 2, 0, 0, 0, 0, 5]), option(9, &inner)]);
        let far = relayed(12, "fd00::1", &[option(9, &near)]);
        let m = Message::read(&far).unwrap();
        let link = Some(Mac([2, 0, 0, 0, 0, 5]));
        assert_eq!(m.relay, Some(Relay { peer: "fe80::5".parse().unwrap(), link }));
        assert_eq!((m.kind, m.client), (Kind::Request, Some(DUID)));
        let mut deep = inner;
        for n in 1..=MAX_RELAYS + 1 {
            deep = relayed(13, "fe80::5", &[option(9, &deep)]);
            assert_eq!(Message::read(&deep).is_some(), n <= MAX_RELAYS, "{n}");
        }
        assert!(Message::read(&relayed(12, "fe80::5", &[])).is_none());
        let twice = relayed(12, "fe80::5", &[option(9, &message(3, &[])), option(9, &message(3, &[]))]);
        assert!(Message::read(&twice).is_none());
    }

    #[test]
    fn what_is_wrong_is_said_and_left_out() {
        let read = |options: &[Vec<u8>]| {
            let bytes = message(7, options);
            let m = Message::read(&bytes).unwrap();
            (m.client.is_some(), m.addresses.len(), m.malformed)
        };
        assert_eq!(read(&[option(1, DUID), option(1, DUID)]), (false, 0, true));
        assert_eq!(read(&[option(1, &[0, 1])]), (false, 0, true));
        assert_eq!(read(&[option(1, &[0; 131])]), (false, 0, true));
        assert_eq!(read(&[option(3, &[0; 11])]), (false, 0, true));
        assert_eq!(read(&[option(4, &[&[0; 4][..], &address("fd00::1", 9)].concat())]), (false, 1, false));
        assert_eq!(read(&[ia_na(&option(5, &[0; 23]))]), (false, 0, true));
        assert_eq!(read(&[ia_na(&address("fd00::1", 1).repeat(40))]), (false, MAX_ADDRESSES, true));
        assert_eq!(read(&[option(1, DUID), vec![0, 3, 0, 200]]), (true, 0, true));
        assert_eq!(read(&[option(1, DUID), vec![0]]), (true, 0, true));
        for code in [0, 10, 14, 200] {
            assert!(Message::read(&message(code, &[])).is_none());
        }
        assert!(Message::read(&[]).is_none() && Message::read(&[7, 1, 2]).is_none());
    }

    proptest! {
        #[test]
        fn any_bytes_give_bounded_facts(kind in 1u8..14, bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let whole = [&[kind][..], &bytes].concat();
            if let Some(m) = Message::read(&whole) {
                prop_assert!(m.addresses.len() <= MAX_ADDRESSES);
                prop_assert!(m.client.is_none_or(|d| d.len() <= 130));
                prop_assert!(m.name().is_none_or(|n| n.as_bytes().len() <= 4 * 255));
            }
        }

        #[test]
        fn cutting_a_message_makes_up_nothing(cut in 0usize..120) {
            let whole = message(7, &[option(1, DUID), ia_na(&address("fd00::5", 3600)), option(39, b"\0\x02pc\0")]);
            if let Some(m) = Message::read(&whole[..cut.min(whole.len())]) {
                prop_assert!(m.client.is_none_or(|d| d == DUID));
                prop_assert!(m.addresses.iter().all(|a| a.valid == 3600));
                prop_assert!(m.name().is_none_or(|n| n.as_str() == "pc"));
            }
        }
    }
}
