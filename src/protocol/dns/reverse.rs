//! Lookups of the name of an address (RFC 1035 section 3.5, RFC 3596
//! section 2.5).

use super::{Data, Message};
use crate::base::{Addr, Name};

/// Type PTR and class IN.
const PTR: u16 = 12;
const IN: u16 = 1;

/// The domains of addresses.
const V4: &str = ".in-addr.arpa";
const V6: &str = ".ip6.arpa";

impl Message {
    /// Whether the only question is for a pointer.
    pub(super) fn asks_for_pointer(&self) -> bool {
        matches!(self.questions.as_slice(), [q] if q.qtype == PTR && q.qclass == IN)
    }

    /// The address whose name was asked for, and the only name that the answer
    /// gives it, perhaps through aliases (RFC 2317). `None` for anything else,
    /// an error or an answer of several names included.
    pub fn reverse_name(&self) -> Option<(Addr, &Name)> {
        let question = self.questions.first().filter(|_| self.asks_for_pointer())?;
        if !self.response || self.opcode != 0 || self.rcode != 0 || self.malformed {
            return None;
        }
        let mut names =
            self.answers.iter().filter_map(|r| if let Data::Ptr(name) = r.data { Some(name) } else { None });
        let name = self.name(names.next()?);
        if names.next().is_some() || name.is_empty() {
            return None;
        }
        Some((reversed(self.name(question.name).as_str())?, name))
    }
}

/// The address that such a name stands for.
fn reversed(name: &str) -> Option<Addr> {
    if let Some(labels) = name.strip_suffix(V4) {
        let mut bytes = [0; 4];
        let mut labels = labels.split('.');
        for byte in bytes.iter_mut().rev() {
            let label = labels.next().filter(|l| l.bytes().all(|b| b.is_ascii_digit()))?;
            *byte = label.parse().ok()?;
        }
        return labels.next().is_none().then_some(Addr::v4(bytes));
    }
    let labels = name.strip_suffix(V6)?;
    let mut bits: u128 = 0;
    let mut count: u32 = 0;
    for label in labels.rsplit('.') {
        let &[digit] = label.as_bytes() else { return None };
        let digit = char::from(digit).to_digit(16)?;
        bits = bits << 4 | u128::from(digit);
        count = count.saturating_add(1);
    }
    (count == 32).then_some(Addr(bits.to_be_bytes()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::super::tests::{header, read, record, wire};
    use super::*;
    use proptest::prelude::*;

    fn answer(question: &str, records: &[(&str, u16, Vec<u8>)]) -> Message {
        let count = u16::try_from(records.len()).unwrap();
        let mut bytes = header(0x8180, [1, count, 0, 0]);
        bytes.extend([wire(question), vec![0, 12, 0, 1]].concat());
        for (owner, rtype, data) in records {
            bytes.extend(record(&wire(owner), *rtype, 60, data));
        }
        read(&bytes)
    }

    fn named(m: &Message) -> Option<(String, String)> {
        m.reverse_name().map(|(ip, name)| (ip.to_string(), name.as_str().to_owned()))
    }

    const FIVE: &str = "5.0.0.10.in-addr.arpa";

    #[test]
    fn the_name_of_an_address() {
        let m = answer(FIVE, &[(FIVE, 12, wire("PC-17.corp.test"))]);
        assert_eq!(named(&m), Some(("10.0.0.5".into(), "pc-17.corp.test".into())));
        let six = format!("5{}.d.f.ip6.arpa", ".0".repeat(29));
        let m = answer(&six, &[(&six, 12, wire("pc"))]);
        assert_eq!(named(&m), Some(("fd00::5".into(), "pc".into())));
        // A delegation of less than eight bits goes through an alias.
        let alias = "5.0-15.0.0.10.in-addr.arpa";
        let m = answer(FIVE, &[(FIVE, 5, wire(alias)), (alias, 12, wire("pc"))]);
        assert_eq!(named(&m).unwrap().1, "pc");
    }

    #[test]
    fn what_names_no_address() {
        let pc = || wire("pc");
        assert_eq!(named(&answer(FIVE, &[])), None);
        assert_eq!(named(&answer(FIVE, &[(FIVE, 12, pc()), (FIVE, 12, wire("other"))])), None);
        for odd in
            ["0.0.10.in-addr.arpa", "5.5.0.0.10.in-addr.arpa", "256.0.0.10.in-addr.arpa", "+5.0.0.10.in-addr.arpa"]
        {
            assert_eq!(named(&answer(odd, &[(odd, 12, pc())])), None, "{odd}");
        }
        for odd in ["_ipp._tcp.local", "1.2.3.ip6.arpa", "in-addr.arpa"] {
            assert_eq!(named(&answer(odd, &[(odd, 12, pc())])), None, "{odd}");
        }
        let mut m = answer(FIVE, &[(FIVE, 12, pc())]);
        m.rcode = 3;
        assert_eq!(named(&m), None);
        let m = answer(FIVE, &[(FIVE, 12, [pc(), vec![0]].concat())]);
        assert!(named(&m).is_none() && m.malformed);
    }

    proptest! {
        #[test]
        fn every_address_is_read_back(bytes in any::<[u8; 16]>(), four in any::<[u8; 4]>()) {
            let nibbles: Vec<String> = bytes.iter().rev().flat_map(|b| [b & 15, b >> 4]).map(|n| format!("{n:x}")).collect();
            prop_assert_eq!(reversed(&format!("{}.ip6.arpa", nibbles.join("."))), Some(Addr(bytes)));
            let [a, b, c, d] = four;
            prop_assert_eq!(reversed(&format!("{d}.{c}.{b}.{a}.in-addr.arpa")), Some(Addr::v4(four)));
        }
    }
}
