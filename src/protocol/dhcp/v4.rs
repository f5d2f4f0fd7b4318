//! DHCP for IPv4 (RFC 2131; options: RFC 2132, RFC 4702).

use super::{text_name, wire_name};
use crate::base::{Addr, Mac, Name};

/// Octets before the options, without the magic cookie (RFC 2131 section 2).
const FIXED: usize = 236;

/// Where `sname` and `file` lie, which may hold options too.
const SNAME: std::ops::Range<usize> = 44..108;
const FILE: std::ops::Range<usize> = 108..FIXED;

/// The magic cookie in front of the options (RFC 2131 section 3).
const COOKIE: [u8; 4] = [99, 130, 83, 99];

/// What a message is for (RFC 2132 section 9.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A client looks for servers.
    Discover,
    /// A server offers an address.
    Offer,
    /// A client wants an address, or wants to keep it.
    Request,
    /// A client found its address in use.
    Decline,
    /// The server grants what was requested.
    Ack,
    /// The server refuses it.
    Nak,
    /// A client gives its address back.
    Release,
    /// A client that has an address asks for other parameters.
    Inform,
}

impl Kind {
    fn of(code: u8) -> Option<Kind> {
        use Kind::{Ack, Decline, Discover, Inform, Nak, Offer, Release, Request};
        let kinds = [Discover, Offer, Request, Decline, Ack, Nak, Release, Inform];
        kinds.get(usize::from(code.checked_sub(1)?)).copied()
    }

    /// Whether clients send it.
    pub fn is_clients(self) -> bool {
        !matches!(self, Kind::Offer | Kind::Ack | Kind::Nak)
    }
}

/// Options that are kept, by their codes.
const KEPT: [u8; 9] = [12, 50, 51, 52, 53, 55, 60, 61, 81];

/// A message. Addresses that are all zero are absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// What it is for (option 53); a message without is one of BOOTP.
    pub kind: Kind,
    /// Transaction (`xid`).
    pub xid: u32,
    /// The client's hardware address (`chaddr`), where it has 48 bits.
    pub client: Option<Mac>,
    /// The address that the client has already (`ciaddr`).
    pub has: Option<Addr>,
    /// The address that the server gives (`yiaddr`).
    pub given: Option<Addr>,
    /// The relay through which it goes (`giaddr`): the client is on another
    /// link than its sender.
    pub relay: Option<Addr>,
    /// The address that the client wants (option 50).
    pub wanted: Option<Addr>,
    /// Seconds for which the address is given or wanted (option 51);
    /// [`u32::MAX`] is for ever.
    pub lease: Option<u32>,
    /// The client's name (option 12), as sent.
    pub host_name: Option<&'a [u8]>,
    /// Flags, two octets of no meaning, and the client's full name
    /// (option 81), as sent.
    pub full_name: Option<&'a [u8]>,
    /// What the client calls itself towards the server (option 61), as sent:
    /// a type and an identifier.
    pub client_id: Option<&'a [u8]>,
    /// Options that the client asks for, in its order (option 55): tells
    /// systems apart.
    pub parameters: Option<&'a [u8]>,
    /// The maker or model of the client's system (option 60), as sent.
    pub vendor: Option<&'a [u8]>,
    /// An option ends early, has an impossible length, or comes twice; one
    /// that does counts as absent.
    pub malformed: bool,
}

/// Options in the making.
#[derive(Default)]
struct Options<'a> {
    values: [Option<&'a [u8]>; KEPT.len()],
    repeated: [bool; KEPT.len()],
    malformed: bool,
}

impl<'a> Options<'a> {
    /// Reads a field of options.
    fn read(&mut self, mut field: &'a [u8]) {
        while let Some((&code, rest)) = field.split_first() {
            field = match (code, rest) {
                (0, rest) => rest,
                (255, _) => return,
                (_, [length, rest @ ..]) => {
                    let Some((value, rest)) = rest.split_at_checked(usize::from(*length)) else { break };
                    self.keep(code, value);
                    rest
                }
                _ => break,
            };
            if field.is_empty() {
                return; // some senders leave the end out
            }
        }
        self.malformed |= !field.is_empty();
    }

    fn keep(&mut self, code: u8, value: &'a [u8]) {
        let Some(at) = KEPT.iter().position(|c| *c == code) else { return };
        if let (Some(slot), Some(repeated)) = (self.values.get_mut(at), self.repeated.get_mut(at)) {
            *repeated |= slot.is_some();
            *slot = Some(value);
        }
    }

    /// The value of an option, if it came once.
    fn get(&self, code: u8) -> Option<&'a [u8]> {
        let at = KEPT.iter().position(|c| *c == code)?;
        if self.repeated.get(at).is_some_and(|r| *r) { None } else { *self.values.get(at)? }
    }

    /// The value of an option that has `N` octets.
    fn exact<const N: usize>(&mut self, code: u8) -> Option<[u8; N]> {
        let value = self.get(code)?;
        let exact = value.try_into().ok();
        self.malformed |= exact.is_none();
        exact
    }
}

fn address(bytes: [u8; 4]) -> Option<Addr> {
    (bytes != [0; 4]).then_some(Addr::v4(bytes))
}

impl<'a> Message<'a> {
    /// Reads a message. `None` if it is none: fewer octets than the fixed
    /// fields, no magic cookie, no kind, or one that does not go with the
    /// direction that `op` says. `sname` and `file` are read as options where
    /// option 52 says so.
    pub fn read(bytes: &'a [u8]) -> Option<Message<'a>> {
        let (fixed, rest) = bytes.split_first_chunk::<FIXED>()?;
        let field = rest.strip_prefix(&COOKIE)?;
        let &[op @ (1 | 2), htype, hlen, _, x0, x1, x2, x3, ref fields @ ..] = fixed else { return None };
        let mut options = Options::default();
        options.read(field);
        match options.exact::<1>(52) {
            None => {}
            Some([which @ 1..=3]) => {
                if which & 1 != 0 {
                    options.read(bytes.get(FILE)?);
                }
                if which & 2 != 0 {
                    options.read(bytes.get(SNAME)?);
                }
            }
            Some(_) => options.malformed = true,
        }
        let kind = Kind::of(options.exact::<1>(53)?[0])?;
        if kind.is_clients() != (op == 1) {
            return None;
        }
        let (addresses, chaddr) = fields.get(4..36)?.split_first_chunk::<16>()?;
        let ([has, given, _, relay], _) = addresses.as_chunks::<4>() else { return None };
        let ethernet = matches!(htype, 1 | 6) && hlen == 6;
        let (wanted, lease) = (options.exact(50), options.exact(51));
        Some(Message {
            kind,
            xid: u32::from_be_bytes([x0, x1, x2, x3]),
            client: chaddr.first_chunk::<6>().filter(|_| ethernet).map(|m| Mac(*m)),
            has: address(*has),
            given: address(*given),
            relay: address(*relay),
            wanted: wanted.and_then(address),
            lease: lease.map(u32::from_be_bytes),
            host_name: options.get(12),
            full_name: options.get(81),
            client_id: options.get(61).filter(|id| id.len() >= 2),
            parameters: options.get(55),
            vendor: options.get(60),
            malformed: options.malformed || options.repeated.contains(&true),
        })
    }

    /// What the client calls itself, canonical: its name (option 12), else its
    /// full name (option 81, section 2.3 of RFC 4702: in the form of DNS or as
    /// text). Of a server's message it is what the server calls the client.
    pub fn name(&self) -> Option<Name> {
        self.host_name.and_then(text_name).or_else(|| match self.full_name? {
            [flags, _, _, name @ ..] if flags & 4 != 0 => wire_name(name),
            [_, _, _, name @ ..] => text_name(name),
            _ => None,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub const MAC: [u8; 6] = [2, 0, 0, 0, 0, 5];

    /// A message with options, each a code and a value.
    pub fn message(kind: u8, has: [u8; 4], given: [u8; 4], options: &[(u8, &[u8])]) -> Vec<u8> {
        let op = if matches!(kind, 2 | 5 | 6) { 2 } else { 1 };
        let mut m = vec![op, 1, 6, 0, 0xa1, 0xb2, 0xc3, 0xd4, 0, 0, 0, 0];
        m.extend([has, given, [0; 4], [0; 4]].concat());
        m.extend(MAC);
        m.resize(FIXED, 0);
        m.extend(COOKIE);
        m.extend([53, 1, kind]);
        for (code, value) in options {
            m.extend([*code, value.len() as u8]);
            m.extend(*value);
        }
        m.push(255);
        m
    }

    const NONE: [u8; 4] = [0; 4];

    #[test]
    fn a_request_and_what_grants_it() {
        let bytes = message(
            3,
            NONE,
            NONE,
            &[(50, &[10, 0, 0, 5]), (12, b"PC-17"), (61, b"\x01\x02\0\0\0\0\x05"), (55, &[1, 3, 6]), (60, b"MSFT 5.0")],
        );
        let m = Message::read(&bytes).unwrap();
        assert_eq!((m.kind, m.xid, m.client), (Kind::Request, 0xa1b2_c3d4, Some(Mac(MAC))));
        assert_eq!((m.wanted, m.has, m.given, m.relay), (Some(Addr::v4([10, 0, 0, 5])), None, None, None));
        assert_eq!(m.name().unwrap().as_str(), "pc-17");
        assert_eq!((m.parameters, m.vendor), (Some(&[1, 3, 6][..]), Some(&b"MSFT 5.0"[..])));
        assert_eq!((m.client_id, m.malformed), (Some(&b"\x01\x02\0\0\0\0\x05"[..]), false));

        let bytes = message(5, NONE, [10, 0, 0, 5], &[(51, &[0, 0, 14, 16])]);
        let m = Message::read(&bytes).unwrap();
        assert_eq!((m.kind, m.given, m.lease), (Kind::Ack, Some(Addr::v4([10, 0, 0, 5])), Some(3600)));
        assert!(!m.kind.is_clients());
    }

    #[test]
    fn full_names_in_both_forms() {
        let named = |options: &[(u8, &[u8])]| {
            let bytes = message(3, NONE, NONE, options);
            Message::read(&bytes).unwrap().name().map(|n| n.as_str().to_owned())
        };
        assert_eq!(named(&[(81, b"\x01\0\0PC.corp.example")]).as_deref(), Some("pc.corp.example"));
        assert_eq!(named(&[(81, b"\x05\0\0\x02pc\x04corp\0")]).as_deref(), Some("pc.corp"));
        assert_eq!(named(&[(81, b"\x05\0\0\x09pc")]), None);
        assert_eq!(named(&[(81, b"\x05\0")]), None);
        assert_eq!(named(&[(81, b"\0\0\0full"), (12, b"short")]).as_deref(), Some("short"));
        assert_eq!(named(&[(12, b"\0")]), None);
    }

    #[test]
    fn options_in_sname_and_file() {
        let mut bytes = message(3, NONE, NONE, &[(52, &[3])]);
        bytes[FILE.start..FILE.start + 6].copy_from_slice(b"\x0c\x03abc\xff");
        bytes[SNAME.start..SNAME.start + 7].copy_from_slice(b"\x32\x04\x0a\0\0\x09\xff");
        let m = Message::read(&bytes).unwrap();
        assert_eq!((m.name().unwrap().as_str(), m.wanted), ("abc", Some(Addr::v4([10, 0, 0, 9]))));
        // Only where option 52 says so, and it says so once.
        bytes[FIXED + 4 + 3 + 2] = 2;
        assert_eq!(Message::read(&bytes).unwrap().host_name, None);
        bytes[FIXED + 4 + 3 + 2] = 4;
        let m = Message::read(&bytes).unwrap();
        assert!(m.malformed && m.wanted.is_none());
        bytes[SNAME.start..SNAME.start + 4].copy_from_slice(&[52, 1, 3, 255]);
        bytes[FIXED + 4 + 3 + 2] = 2;
        assert_eq!(Message::read(&bytes).unwrap().host_name, None);
    }

    #[test]
    fn what_comes_twice_counts_for_nothing() {
        let bytes = message(3, NONE, NONE, &[(12, b"one"), (12, b"two"), (50, &[10, 0, 0, 5])]);
        let m = Message::read(&bytes).unwrap();
        assert_eq!((m.host_name, m.malformed, m.wanted.is_some()), (None, true, true));
        assert!(Message::read(&message(3, NONE, NONE, &[(53, &[5])])).is_none());
    }

    #[test]
    fn cut_and_foreign_messages() {
        let whole = message(5, NONE, [10, 0, 0, 5], &[(51, &[0, 0, 14, 16]), (12, b"pc")]);
        for n in 0..whole.len() {
            match Message::read(&whole[..n]) {
                None => assert!(n < FIXED + 4 + 3),
                Some(m) => assert!(m.lease.is_none_or(|l| l == 3600) && m.host_name.is_none_or(|h| h == b"pc")),
            }
        }
        let with = |at: usize, byte: u8| {
            let mut m = whole.clone();
            m[at] = byte;
            Message::read(&m).map(|m| m.client.is_some())
        };
        assert_eq!((with(0, 1), with(0, 3), with(FIXED, 0)), (None, None, None));
        assert_eq!((with(1, 32), with(2, 16), with(1, 6)), (Some(false), Some(false), Some(true)));
        assert_eq!((with(FIXED + 6, 0), with(FIXED + 6, 9)), (None, None), "kinds that are none");
        assert!(Message::read(&message(5, NONE, NONE, &[(51, &[1, 2])])).unwrap().malformed);
        let mut open = message(1, NONE, NONE, &[]);
        open.pop();
        assert!(!Message::read(&open).unwrap().malformed, "some leave the end out");
        open.extend([12, 9, b'x']);
        assert!(Message::read(&open).unwrap().malformed);
    }

    proptest! {
        #[test]
        fn any_options_give_bounded_facts(field in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut bytes = message(3, NONE, NONE, &[]);
            bytes.pop();
            bytes.extend(&field);
            if let Some(m) = Message::read(&bytes) {
                let inside = |v: Option<&[u8]>| v.is_none_or(|v| v.len() <= 255 && (v.is_empty() || bytes.windows(v.len()).any(|w| w == v)));
                prop_assert!(inside(m.host_name) && inside(m.full_name) && inside(m.client_id) && inside(m.vendor));
                prop_assert!(m.name().is_none_or(|n| n.as_bytes().len() <= 4 * 255));
            }
        }
    }
}
