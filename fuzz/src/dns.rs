//! DNS messages, and what hosts announce with them.

use super::probe::{cut, grows};
use spansight::base::{Addr, Name};
use spansight::protocol::dns::{self, Data, Message, NameRef};
use spansight::protocol::{Probe, dns::stream_message};

/// Everything a message says, as text.
fn said(m: &Message) -> String {
    let names = |r: NameRef| m.name(r).as_str();
    let record = |r: &dns::Record| {
        let data = match r.data {
            Data::Cname(target) | Data::Ptr(target) => format!("={}", names(target)),
            Data::Service(s) => format!("~{:?} {} {} {:?}", s.target.map(names), s.priority, s.ech, m.hints(&s)),
            other => format!("{other:?}"),
        };
        format!("{} {} {} {data}", names(r.owner), r.rtype, r.ttl)
    };
    let questions: Vec<_> = m.questions.iter().map(|q| (names(q.name), q.qtype, q.qclass)).collect();
    let answers: Vec<_> = m.answers.iter().map(record).collect();
    let flags = (m.id, m.response, m.opcode, m.rcode, m.truncated, m.malformed, m.trailing, m.ech);
    format!("{flags:?} {questions:?} {answers:?} {} {:?}", m.answers_left_out, m.client_subnet)
}

/// A DNS message: within its bounds, and the same from a reader that has read
/// another before.
pub fn message(data: &[u8]) {
    let mut message = Message::default();
    let read = message.parse(data);
    assert!(message.questions.len() <= dns::MAX_QUESTIONS);
    assert!(message.answers.len() <= dns::MAX_ANSWERS);
    assert!(message.trailing <= data.len());
    let mut hints = 0;
    for record in &message.answers {
        assert!(message.name(record.owner).as_bytes().len() <= 4 * 255);
        if let Data::Service(service) = record.data {
            hints += message.hints(&service).len();
            assert!(!service.is_alias() || message.hints(&service).is_empty(), "an alias has no hints");
        }
    }
    assert!(hints <= dns::MAX_HINTS);
    for (i, question) in message.questions.iter().enumerate() {
        assert!(message.name(question.name).as_bytes().len() <= 4 * 255);
        let found = message.resolve(i);
        assert!(found.aliases().len() <= dns::MAX_ANSWERS);
        let addresses = found.addresses().count();
        assert!(addresses <= dns::MAX_ANSWERS + dns::MAX_HINTS);
        assert!(found.endpoints().count() >= addresses, "each address is an endpoint");
        let _ = (found.service_targets().count(), found.ttl(), found.is_complete());
        let _ = dns::type_name(question.qtype);
    }
    assert!(message.name(NameRef(u16::MAX)).is_empty());
    let _ = (dns::may_be_message(data), message.is_certain_anywhere());

    let mut used = Message::default();
    used.parse(&data[..cut(data)]);
    assert_eq!(used.parse(data), read);
    assert_eq!(said(&used), said(&message), "nothing is left of the message before");
}

/// DNS over TCP, on its port and on others.
pub fn stream(data: &[u8]) {
    let mut rest = data;
    while let Probe::Found(inner) = grows(rest, stream_message) {
        rest = &rest[inner.len() + 2..];
    }
    if let Probe::Found(query) = grows(data, dns::stream_query) {
        assert!(data[2..].starts_with(query));
    }
}

/// The answer to a lookup of an address: it names an address that was asked
/// for, and from a whole message.
pub fn reverse(data: &[u8]) {
    let mut message = Message::default();
    if message.parse(data)
        && let Some((_, name)) = message.reverse_name()
    {
        let asked = message.name(message.questions[0].name).as_str();
        assert!(asked.ends_with(".in-addr.arpa") || asked.ends_with(".ip6.arpa"), "{asked}");
        assert!(message.response && !message.malformed && !name.is_empty());
        assert!(message.answers.iter().filter(|r| matches!(r.data, Data::Ptr(_))).count() == 1);
    }
}

/// What a host says it is called: in multicast DNS, LLMNR and NetBIOS. The
/// last four bytes are the sender's address.
pub fn announced(data: &[u8]) {
    let (data, from) = data.split_at(data.len().saturating_sub(4));
    let sender = Addr::v4([0, 1, 2, 3].map(|i| from.get(i).copied().unwrap_or(0)));
    let mut message = Message::default();
    if message.parse(data) {
        let gives = message.answers.iter().any(|r| matches!(r.data, Data::A(a) if Addr::v4(a) == sender));
        for name in [message.mdns_name(&sender), message.llmnr_name(data[2], &sender)].into_iter().flatten() {
            assert!(gives && message.response && !message.malformed, "{name} is its sender's word");
        }
    }
    let mut name = Name::from_text(b"before");
    if dns::nbns_name(data, &sender, &mut name) {
        assert!(data.windows(4).any(|w| w == from), "the name is given to the sender's address");
        assert!(!name.is_empty() && name.as_bytes().len() <= 15 * 4);
        assert!(!dns::nbns_name(&data[..data.len() - 1], &sender, &mut name), "only a whole packet names somebody");
    }
}
