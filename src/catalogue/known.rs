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

    /// Whether a name, or one above it, is listed as encrypted resolver.
    pub fn is_encrypted_dns(&self, name: &Name) -> bool {
        if name.is_odd() || name.as_bytes().len() > NAME_MAX {
            return false;
        }
        let mut rest = Some(name.as_str());
        while let Some(suffix) = rest {
            if self.encrypted_dns.contains(suffix) {
                return true;
            }
            rest = suffix.split_once('.').map(|(_, above)| above);
        }
        false
    }
}
