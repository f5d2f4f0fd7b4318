//! What a host says it is called: multicast DNS (RFC 6762) and LLMNR
//! (RFC 4795).
//!
//! Only a host's word on itself counts: an answer that gives the very address
//! it was sent from. Whatever else these messages hold is no business of ours.

use super::{Data, Message, Record};
use crate::base::Addr;

/// Names of hosts end so in multicast DNS (RFC 6762 section 3).
const LOCAL: &str = ".local";

/// Flags of an LLMNR response: conflict and tentative (RFC 4795 section 2.1.1).
const IN_DOUBT: u8 = 0x04 | 0x01;

impl Message {
    /// The name that a multicast DNS response from `sender` gives its own
    /// address, without `.local`. `None` for anything else: queries and probes,
    /// errors, a message that is not whole, a name of more than one label
    /// before `.local`, a record that says goodbye (a TTL of zero).
    pub fn mdns_name(&self, sender: &Addr) -> Option<&str> {
        // Opcode and RCODE of others must be ignored (sections 18.3, 18.11).
        let fine = self.is_whole_response() && self.rcode == 0;
        let owner = self.answers.iter().filter(|_| fine).find(|r| r.ttl > 0 && gives(r, sender)).map(|r| r.owner)?;
        let label = self.name(owner).as_str().strip_suffix(LOCAL)?;
        (!label.is_empty() && !label.contains('.')).then_some(label)
    }

    /// The name that an LLMNR response from `sender` gives its own address:
    /// the one that was asked for. `flags` is the third byte of the header.
    /// `None` for anything else, and while the sender is not sure of its name.
    pub fn llmnr_name(&self, flags: u8, sender: &Addr) -> Option<&str> {
        let [question] = self.questions.as_slice() else { return None };
        let asked = self.name(question.name);
        let fine = self.is_whole_response() && self.rcode == 0 && flags & IN_DOUBT == 0 && !asked.is_empty();
        let mine = |r: &&Record| gives(r, sender) && self.name(r.owner).as_bytes() == asked.as_bytes();
        self.answers.iter().filter(|_| fine).find(mine).map(|_| asked.as_str())
    }

    fn is_whole_response(&self) -> bool {
        self.response && self.opcode == 0 && !self.malformed && self.trailing == 0
    }
}

fn gives(record: &Record, addr: &Addr) -> bool {
    match record.data {
        Data::A(bytes) => Addr::v4(bytes) == *addr,
        Data::Aaaa(bytes) => Addr(bytes) == *addr,
        _ => false,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::super::tests::{A, header, read, record, wire};
    use super::*;

    const ME: [u8; 4] = [10, 0, 0, 5];

    fn mdns(flags: u16, records: &[Vec<u8>]) -> Message {
        let count = u16::try_from(records.len()).unwrap();
        let mut m = header(0, [0, count, 0, 0]);
        m[2..4].copy_from_slice(&flags.to_be_bytes());
        read(&[m, records.concat()].concat())
    }

    fn flushing(owner: &str, ttl: u32, addr: [u8; 4]) -> Vec<u8> {
        let owner = wire(owner);
        let mut r = record(&owner, A, ttl, &addr);
        r[owner.len() + 2] = 0x80;
        r
    }

    fn name(m: &Message) -> Option<&str> {
        m.mdns_name(&Addr::v4(ME))
    }

    #[test]
    fn a_host_announces_its_own_address() {
        let other = flushing("tv.local", 120, [10, 0, 0, 9]);
        assert_eq!(name(&mdns(0x8400, &[other.clone(), flushing("PC-17.local", 120, ME)])), Some("pc-17"));
        let six = Addr("fe80::5".parse::<Addr>().unwrap().0);
        let m = mdns(0x8400, &[record(&wire("mac.local"), 28, 120, &six.0)]);
        assert_eq!(m.mdns_name(&six), Some("mac"));
        assert_eq!(name(&mdns(0x8400, &[flushing("caf\u{e9}.local", 120, ME)])), Some("caf\\xc3\\xa9"));
        // A name of another, a goodbye, a query, an error, another domain.
        for m in [
            mdns(0x8400, &[other]),
            mdns(0x8400, &[flushing("pc-17.local", 0, ME)]),
            mdns(0x0000, &[flushing("pc-17.local", 120, ME)]),
            mdns(0x8403, &[flushing("pc-17.local", 120, ME)]),
            mdns(0xa400, &[flushing("pc-17.local", 120, ME)]),
            mdns(0x8400, &[flushing("pc-17.test", 120, ME)]),
            mdns(0x8400, &[flushing("a.b.local", 120, ME)]),
            mdns(0x8400, &[flushing("local", 120, ME)]),
        ] {
            assert_eq!(name(&m), None, "{m:?}");
        }
        let mut m = Message::default();
        let bytes = [header(0x8400, [0, 1, 0, 0]), flushing("pc-17.local", 120, ME)].concat();
        for cut in 0..bytes.len() {
            assert!(!m.parse(&bytes[..cut]) || name(&m).is_none());
        }
        assert!(m.parse(&[&bytes[..], b"x"].concat()) && name(&m).is_none());
    }

    #[test]
    fn a_host_answers_to_its_name() {
        let response = |flags: u16, owner: &str, addr: [u8; 4]| {
            let question = [&wire("PC-17")[..], &[0, 1, 0, 1]].concat();
            let mut m = [header(0, [1, 1, 0, 0]), question, record(&wire(owner), A, 30, &addr)].concat();
            m[2..4].copy_from_slice(&flags.to_be_bytes());
            read(&m).llmnr_name(m[2], &Addr::v4(ME)).map(str::to_owned)
        };
        assert_eq!(response(0x8000, "pc-17", ME).as_deref(), Some("pc-17"));
        for (flags, owner, addr) in [
            (0x0000, "pc-17", ME),
            (0x8400, "pc-17", ME),
            (0x8100, "pc-17", ME),
            (0x8003, "pc-17", ME),
            (0x8000, "other", ME),
            (0x8000, "pc-17", [10, 0, 0, 6]),
        ] {
            assert_eq!(response(flags, owner, addr), None, "{flags:x} {owner}");
        }
    }
}
