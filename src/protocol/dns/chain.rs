//! From a question along its aliases to addresses.

use super::{Data, Message, NameRef};
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
    /// Follows the CNAME records from a question, given by its place in
    /// [`Message::questions`], up to 16 of them. Of several CNAME records
    /// with one owner the first counts. Whether the message is a response,
    /// and to what, is the caller's to judge.
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
        }
        out
    }

    fn same(&self, a: NameRef, b: NameRef) -> bool {
        a == b || self.name(a).as_bytes() == self.name(b).as_bytes()
    }

    fn alias_of(&self, owner: NameRef) -> Option<(NameRef, u32)> {
        self.answers.iter().find_map(|record| match record.data {
            Data::Cname(target) if self.same(record.owner, owner) => Some((target, record.ttl)),
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
            self.same(record.owner, owner).then_some((addr, record.ttl))
        })
    }
}

impl<'m> Resolution<'m> {
    /// Alias targets in order, the question's own name not among them.
    pub fn aliases(&self) -> &[NameRef] {
        self.aliases.get(..self.links).unwrap_or_default()
    }

    /// The addresses that the chain's end owns; none where it has no end.
    pub fn addresses(&self) -> impl Iterator<Item = Addr> + use<'m> {
        let message = self.message;
        self.end.into_iter().flat_map(move |end| message.addresses_of(end)).map(|(addr, _)| addr)
    }

    /// The least TTL of the chain's CNAME records and the addresses, in
    /// seconds; `None` if there are none.
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
