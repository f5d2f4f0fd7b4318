//! Service bindings: SVCB and HTTPS records (RFC 9460).

use super::name::Outcome;
use super::{Message, NameRef};
use crate::base::Addr;

/// TYPE of SVCB.
pub(super) const SVCB: u16 = 64;

/// TYPE of HTTPS.
pub(super) const HTTPS: u16 = 65;

/// Address hints kept of one message.
pub const MAX_HINTS: usize = 64;

/// Keys of parameters (RFC 9460 section 14.3.2, RFC 9848 for ECH).
const IPV4_HINT: u16 = 4;
const ECH: u16 = 5;
const IPV6_HINT: u16 = 6;

/// The data of an SVCB or HTTPS record (RFC 9460 section 2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Service {
    /// SvcPriority; 0 makes it an alias.
    pub priority: u16,
    /// TargetName; `None` for the root, which stands for the owner of a
    /// service, and for nothing in an alias.
    pub target: Option<NameRef>,
    /// Keys for Encrypted Client Hello are offered.
    pub ech: bool,
    /// Place of its address hints among those of the message.
    first: u8,
    hints: u8,
}

impl Service {
    /// Whether it is an alias (AliasMode, section 2.4.2).
    pub fn is_alias(&self) -> bool {
        self.priority == 0
    }
}

/// Reads the parameters and appends their address hints; whether there are
/// keys for Encrypted Client Hello. `None` where they cannot be: keys that do
/// not rise, values that reach beyond the record or hold no whole addresses.
fn params(mut bytes: &[u8], hints: &mut Vec<Addr>) -> Option<bool> {
    let mut ech = false;
    let mut before = None;
    while !bytes.is_empty() {
        let (&[k0, k1, l0, l1], rest) = bytes.split_first_chunk()?;
        let key = u16::from_be_bytes([k0, k1]);
        if before.is_some_and(|b| b >= key) {
            return None;
        }
        before = Some(key);
        let (value, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([l0, l1])))?;
        let whole = match key {
            IPV4_HINT => addresses(value, hints, Addr::v4),
            IPV6_HINT => addresses(value, hints, Addr),
            _ => true,
        };
        if !whole {
            return None;
        }
        ech |= key == ECH;
        bytes = rest;
    }
    Some(ech)
}

/// Appends addresses of `N` bytes; false if there is none, or part of one.
fn addresses<const N: usize>(value: &[u8], hints: &mut Vec<Addr>, make: fn([u8; N]) -> Addr) -> bool {
    let (whole, rest) = value.as_chunks::<N>();
    let room = MAX_HINTS.saturating_sub(hints.len());
    hints.extend(whole.iter().take(room).map(|b| make(*b)));
    !whole.is_empty() && rest.is_empty()
}

impl Message {
    /// The addresses that a service suggests for its target; none of an alias
    /// and of a record whose parameters are malformed, which clients reject
    /// (section 2.2).
    pub fn hints(&self, service: &Service) -> &[Addr] {
        let from = usize::from(service.first);
        self.hints.get(from..from.saturating_add(usize::from(service.hints))).unwrap_or_default()
    }

    /// Reads the data of an SVCB or HTTPS record between two offsets. `None`
    /// if priority and target cannot be read.
    pub(super) fn service(&mut self, bytes: &[u8], start: usize, end: usize) -> Option<Service> {
        let priority = u16::from_be_bytes(*bytes.get(start..end)?.first_chunk()?);
        let Outcome::Read(target, after) = self.read_name(bytes, start.checked_add(2)?) else { return None };
        let rest = bytes.get(after..end)?;
        let target = (!self.name(target).is_empty()).then_some(target);
        self.services = true;
        let known = self.hints.len();
        let mut ech = false;
        if priority > 0 {
            match params(rest, &mut self.hints) {
                Some(found) => {
                    ech = found;
                    self.ech |= found;
                }
                None => {
                    self.hints.truncate(known);
                    self.malformed = true;
                }
            }
        }
        let first = u8::try_from(known).ok()?;
        let hints = u8::try_from(self.hints.len().saturating_sub(known)).ok()?;
        Some(Service { priority, target, ech, first, hints })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::super::tests::{A, header, read, record, wire};
    use super::super::{Data, Message};
    use super::*;
    use proptest::prelude::*;

    fn param(key: u16, value: &[u8]) -> Vec<u8> {
        [&key.to_be_bytes()[..], &u16::try_from(value.len()).unwrap().to_be_bytes(), value].concat()
    }

    fn binding(priority: u16, target: &str, params: &[Vec<u8>]) -> Vec<u8> {
        [&priority.to_be_bytes()[..], &wire(target), &params.concat()].concat()
    }

    fn response(name: &str, qtype: u16, answers: &[Vec<u8>]) -> Vec<u8> {
        let count = u16::try_from(answers.len()).unwrap();
        let question = [&wire(name)[..], &qtype.to_be_bytes(), &[0, 1]].concat();
        [header(0x8080, [1, count, 0, 0]), question, answers.concat()].concat()
    }

    fn services(m: &Message) -> Vec<(u16, Option<String>, bool, Vec<String>)> {
        let of = |r: &super::super::Record| match r.data {
            Data::Service(s) => Some((
                s.priority,
                s.target.map(|t| m.name(t).as_str().to_owned()),
                s.ech,
                m.hints(&s).iter().map(ToString::to_string).collect(),
            )),
            _ => None,
        };
        m.answers.iter().filter_map(of).collect()
    }

    const OWNER: &[u8] = b"\xc0\x0c";
    const FOUR: &[u8] = &[192, 0, 2, 1, 192, 0, 2, 2];
    const SIX: &[u8] = &[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

    /// RFC 9460 appendix D.1 and D.2: alias, only a target, port, unknown key,
    /// two IPv6 hints.
    #[test]
    fn the_vectors_of_the_rfc() {
        let vectors: [&[u8]; 5] = [
            b"\x00\x00\x03foo\x07example\x03com\x00",
            b"\x00\x01\x00",
            b"\x00\x10\x03foo\x07example\x03com\x00\x00\x03\x00\x02\x00\x35",
            b"\x00\x01\x03foo\x07example\x03com\x00\x02\x9b\x00\x05hello",
            b"\x00\x01\x03foo\x07example\x03com\x00\x00\x06\x00\x20\
              \x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\
              \x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x53\x00\x01",
        ];
        let m = read(&response("example.com", 65, &vectors.map(|v| record(OWNER, 65, 60, v))));
        assert!(!m.malformed);
        let foo = || Some("foo.example.com".to_owned());
        let hints = vec!["2001:db8::1".to_owned(), "2001:db8::53:1".to_owned()];
        let want = [(0, foo(), false, vec![]), (1, None, false, vec![]), (16, foo(), false, vec![])];
        assert_eq!(services(&m)[..3], want);
        assert_eq!(services(&m)[3..], [(1, foo(), false, vec![]), (1, foo(), false, hints)]);
    }

    #[test]
    fn both_types_carry_hints_and_keys() {
        for rtype in [SVCB, HTTPS] {
            let params = [param(1, b"\x02h3"), param(4, FOUR), param(5, b"config"), param(6, SIX)];
            let m = read(&response("a.test", rtype, &[record(OWNER, rtype, 60, &binding(1, "", &params))]));
            let want = vec!["192.0.2.1".to_owned(), "192.0.2.2".into(), "2001:db8::1".into()];
            assert_eq!((services(&m), m.malformed), (vec![(1, None, true, want)], false));
        }
    }

    #[test]
    fn malformed_parameters_are_counted_and_lose_no_neighbour() {
        let cut = {
            let mut p = param(4, FOUR);
            p.truncate(8);
            p
        };
        let cases = [
            vec![param(4, FOUR), param(4, FOUR)],
            vec![param(6, SIX), param(4, FOUR)],
            vec![param(4, &FOUR[..6])],
            vec![param(4, b"")],
            vec![param(6, &SIX[..8])],
            vec![param(4, FOUR), vec![0, 7, 0]],
            vec![cut],
        ];
        for params in cases {
            let m = read(&response(
                "a.test",
                65,
                &[
                    record(OWNER, A, 60, &[192, 0, 2, 7]),
                    record(OWNER, 65, 60, &binding(1, "b.test", &params)),
                    record(OWNER, 65, 60, &binding(2, "", &[param(4, FOUR)])),
                    record(OWNER, A, 60, &[192, 0, 2, 8]),
                ],
            ));
            assert!(m.malformed);
            let want = vec!["192.0.2.1".to_owned(), "192.0.2.2".into()];
            assert_eq!(services(&m), [(1, Some("b.test".into()), false, vec![]), (2, None, false, want)], "{params:?}");
            assert_eq!(m.answers.iter().filter(|r| matches!(r.data, Data::A(_))).count(), 2);
        }
        for data in [&b""[..], b"\0", b"\0\x01", b"\0\x01\x05ab", b"\0\x01\xc0\xff"] {
            let m = read(&response(
                "a.test",
                65,
                &[record(OWNER, 65, 60, data), record(&wire("a.test"), A, 60, &[192, 0, 2, 8])],
            ));
            assert_eq!((m.malformed, m.answers[0].data), (true, Data::Other), "{data:?}");
            assert_eq!(m.answers[1].data, Data::A([192, 0, 2, 8]));
        }
    }

    #[test]
    fn an_alias_has_no_parameters() {
        let m = read(&response("a.test", 65, &[record(OWNER, 65, 60, &binding(0, "b.test", &[param(4, FOUR)]))]));
        assert_eq!(services(&m), [(0, Some("b.test".into()), false, vec![])]);
    }

    #[test]
    fn no_more_hints_than_the_limit() {
        let many: Vec<u8> = (0..40u8).flat_map(|n| [192, 0, 2, n]).collect();
        let one = record(OWNER, 65, 60, &binding(1, "", &[param(4, &many)]));
        let mut m = read(&response("a.test", 65, &[one.clone(), one.clone(), one]));
        assert_eq!(services(&m).iter().map(|s| s.3.len()).collect::<Vec<_>>(), [40, 24, 0]);
        assert!(!m.malformed);
        assert!(m.parse(&response("a.test", 1, &[])) && m.hints.is_empty());
    }

    /// The target of a service, and an address.
    type Endpoint = (Option<String>, String);

    /// Where the first question of a response leads: aliases, and addresses
    /// with the service they are hinted for.
    fn leads(answers: &[Vec<u8>]) -> (Vec<String>, Vec<Endpoint>, Option<u32>) {
        let m = read(&response("a.test", 65, answers));
        let name = |n: NameRef| m.name(n).as_str().to_owned();
        let r = m.resolve(0);
        let ends = r.endpoints().map(|(target, addr)| (target.map(name), addr.to_string())).collect();
        assert!(r.service_targets().all(|t| !m.name(t).is_empty()));
        (r.aliases().iter().map(|n| name(*n)).collect(), ends, r.ttl())
    }

    #[test]
    fn only_what_the_end_of_the_chain_owns_is_hinted() {
        let one = |last| param(4, &[192, 0, 2, last]);
        let cname = record(OWNER, 5, 300, &wire("cdn.test"));
        let own = record(&wire("CDN.test"), 65, 30, &binding(1, "", &[one(1)]));
        let elsewhere = record(&wire("cdn.test"), 65, 40, &binding(2, "edge.test", &[one(2)]));
        let foreign = record(&wire("other.test"), 65, 5, &binding(1, "", &[one(3)]));
        let passed = record(OWNER, 65, 5, &binding(1, "", &[one(4)]));
        let plain = record(&wire("cdn.test"), A, 50, &[192, 0, 2, 5]);
        let (aliases, ends, ttl) = leads(&[cname, own, elsewhere, foreign, passed, plain]);
        let want = [(None, "192.0.2.5"), (None, "192.0.2.1"), (Some("edge.test"), "192.0.2.2")];
        assert_eq!(ends, want.map(|(t, a)| (t.map(str::to_owned), a.to_owned())));
        assert_eq!((aliases, ttl), (vec!["cdn.test".to_owned()], Some(30)));
    }

    #[test]
    fn an_alias_leads_on_unless_it_loops_or_names_nothing() {
        let alias = |owner: &str, target: &str| record(&wire(owner), 65, 60, &binding(0, target, &[]));
        let plain = |owner: &str| record(&wire(owner), A, 60, &[192, 0, 2, 5]);
        let address = vec![(None, "192.0.2.5".to_owned())];
        let names = |n: &[&str]| n.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            leads(&[alias("a.test", "b.test"), plain("b.test")]),
            (names(&["b.test"]), address.clone(), Some(60))
        );
        assert_eq!(leads(&[alias("a.test", ""), plain("a.test")]), (vec![], address.clone(), Some(60)));
        let looped = [alias("a.test", "b.test"), alias("b.test", "a.test"), plain("a.test")];
        assert_eq!(leads(&looped), (names(&["b.test"]), vec![], Some(60)));
        // Another alias of the same owner is a choice that nobody knows.
        let both = [record(OWNER, 5, 60, &wire("c.test")), alias("a.test", "b.test"), plain("c.test")];
        assert_eq!(leads(&both), (names(&["c.test"]), address, Some(60)));
    }

    proptest! {
        #[test]
        fn any_data_is_survived(data in prop::collection::vec(any::<u8>(), 0..80)) {
            let answers = [record(OWNER, 65, 60, &data), record(&wire("a.test"), A, 60, &[192, 0, 2, 8])];
            let m = read(&response("a.test", 65, &answers));
            prop_assert!(m.hints.len() <= 4 * data.len());
            prop_assert_eq!(m.answers.last().map(|r| r.data), Some(Data::A([192, 0, 2, 8])));
        }
    }
}
