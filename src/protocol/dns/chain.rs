//! From a question along its aliases to addresses.

use super::{Data, Message, NameRef, Service};
use crate::base::Addr;

/// Aliases followed from one question.
const MAX_LINKS: usize = 16;

/// Where the answers of a message lead from one of its questions.
#[derive(Clone, Debug)]
pub struct Resolution<'m> {
    message: &'m Message,
    aliases: [NameRef; MAX_LINKS],
    links: usize,
    /// The name that owns the addresses; `None` where the chain has no end.
    end: Option<NameRef>,
    ttl: Option<u32>,
}

impl Message {
    /// Follows the aliases from a question, given by its place in
    /// [`Message::questions`], up to 16 of them: CNAME records, and where an
    /// owner has none, its SVCB and HTTPS records in AliasMode (RFC 9460
    /// section 2.4.2). Of several with one owner the first counts. Whether
    /// the message is a response, and to what, is the caller's to judge.
    pub fn resolve(&self, question: usize) -> Resolution<'_> {
        let start = self.questions.get(question).map(|q| q.name);
        let mut out = Resolution { message: self, aliases: [NameRef(0); MAX_LINKS], links: 0, end: start, ttl: None };
        while let Some(at) = out.end
            && let Some((target, ttl)) = self.alias_of(at)
        {
            let seen = start.into_iter().chain(out.aliases().iter().copied()).any(|name| self.same(name, target));
            match out.aliases.get_mut(out.links) {
                Some(slot) if !seen => *slot = target,
                // A loop, or more links than are followed.
                _ => {
                    out.end = None;
                    break;
                }
            }
            out.links = out.links.saturating_add(1);
            out.end = Some(target);
            out.lower_ttl(ttl);
        }
        if let Some(end) = out.end {
            self.addresses_of(end).for_each(|(_, ttl)| out.lower_ttl(ttl));
            self.services_of(end).for_each(|(_, ttl)| out.lower_ttl(ttl));
        }
        out
    }

    fn same(&self, a: NameRef, b: NameRef) -> bool {
        a == b || self.name(a).as_bytes() == self.name(b).as_bytes()
    }

    fn alias_of(&self, owner: NameRef) -> Option<(NameRef, u32)> {
        let cname = self.answers.iter().find_map(|record| match record.data {
            Data::Cname(target) if self.same(record.owner, owner) => Some((target, record.ttl)),
            _ => None,
        });
        let service = || {
            self.answers.iter().find_map(|record| match record.data {
                Data::Service(s) if s.is_alias() && self.same(record.owner, owner) => {
                    s.target.map(|target| (target, record.ttl))
                }
                _ => None,
            })
        };
        cname.or_else(|| if self.services { service() } else { None })
    }

    fn services_of(&self, owner: NameRef) -> impl Iterator<Item = (&Service, u32)> {
        let answers = if self.services { self.answers.as_slice() } else { &[] };
        answers.iter().filter_map(move |record| match &record.data {
            Data::Service(s) if !s.is_alias() && self.same(record.owner, owner) => Some((s, record.ttl)),
            _ => None,
        })
    }

    fn addresses_of(&self, owner: NameRef) -> impl Iterator<Item = (Addr, u32)> {
        self.answers.iter().filter_map(move |record| {
            let addr = match record.data {
                Data::A(bytes) => Addr::v4(bytes),
                Data::Aaaa(bytes) => Addr(bytes),
                _ => return None,
            };
            // Resolvers that block a name answer with the address of nobody.
            (!is_nobody(addr) && self.same(record.owner, owner)).then_some((addr, record.ttl))
        })
    }
}

/// Whether it is the unspecified address (RFC 1122 section 3.2.1.3, RFC 4291
/// section 2.5.2), which nobody can connect to.
fn is_nobody(addr: Addr) -> bool {
    addr == Addr::v4([0; 4]) || addr == Addr([0; 16])
}

impl<'m> Resolution<'m> {
    /// Alias targets in order, the question's own name not among them.
    pub fn aliases(&self) -> &[NameRef] {
        self.aliases.get(..self.links).unwrap_or_default()
    }

    /// The addresses that the chain's end owns, and those that its services
    /// hint at; none where it has no end.
    pub fn addresses(&self) -> impl Iterator<Item = Addr> + use<'m> {
        self.endpoints().map(|(_, addr)| addr)
    }

    /// The addresses, each with the target of the service that hints at it;
    /// `None` for an address of the chain's end itself.
    pub fn endpoints(&self) -> impl Iterator<Item = (Option<NameRef>, Addr)> + use<'m> {
        let message = self.message;
        let own = self.end.into_iter().flat_map(move |end| message.addresses_of(end)).map(|(addr, _)| (None, addr));
        let hinted = self.end.into_iter().flat_map(move |end| message.services_of(end));
        own.chain(hinted.flat_map(move |(s, _)| message.hints(s).iter().map(move |addr| (s.target, *addr))))
    }

    /// Names other than its own at which the chain's end offers its service
    /// (RFC 9460 ServiceMode), in the order of the records.
    pub fn service_targets(&self) -> impl Iterator<Item = NameRef> + use<'m> {
        let message = self.message;
        self.end.into_iter().flat_map(move |end| message.services_of(end)).filter_map(|(s, _)| s.target)
    }

    /// The least TTL of the chain's aliases, its services and the addresses,
    /// in seconds; `None` if there are none.
    pub fn ttl(&self) -> Option<u32> {
        self.ttl
    }

    /// Whether the chain was followed to its end: it has no loop and no more
    /// links than are followed.
    pub fn is_complete(&self) -> bool {
        self.end.is_some()
    }

    fn lower_ttl(&mut self, ttl: u32) {
        self.ttl = Some(self.ttl.map_or(ttl, |least| least.min(ttl)));
    }
}
