//! Names and addresses that matter for coverage, and stand for no contact.

use super::file::Draft;
use super::pattern::NAME_MAX;
use crate::base::{Addr, Name};
use hashbrown::HashSet;

type Names = HashSet<Box<str>, foldhash::fast::FixedState>;

/// What a catalogue knows besides indicators.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    ech_public_names: Names,
    encrypted_dns: Names,
    /// In the order in which products ask them.
    pub fallback_resolvers: Vec<Addr>,
}

impl Known {
    /// Takes the tables of a draft.
    pub fn new(draft: &mut Draft) -> Self {
        let mut resolvers = std::mem::take(&mut draft.fallback_resolvers);
        let mut seen = HashSet::<Addr, foldhash::fast::FixedState>::default();
        resolvers.retain(|a| seen.insert(*a));
        Known {
            ech_public_names: draft.ech_public_names.drain(..).collect(),
            encrypted_dns: draft.encrypted_dns.drain(..).collect(),
            fallback_resolvers: resolvers,
        }
    }

    /// Whether a name is listed as public name of Encrypted Client Hello.
    pub fn is_ech_public_name(&self, name: &Name) -> bool {
        !name.is_odd() && name.as_bytes().len() <= NAME_MAX && self.ech_public_names.contains(name.as_str())
    }

    /// The listed encrypted resolver that a name is, or lies below.
    pub fn encrypted_dns(&self, name: &Name) -> Option<&str> {
        if name.is_odd() || name.as_bytes().len() > NAME_MAX {
            return None;
        }
        let mut rest = Some(name.as_str());
        while let Some(suffix) = rest {
            if let Some(listed) = self.encrypted_dns.get(suffix) {
                return Some(listed);
            }
            rest = suffix.split_once('.').map(|(_, above)| above);
        }
        None
    }
}
