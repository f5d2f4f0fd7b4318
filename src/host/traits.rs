//! What the verdicts need to know of an indicator: by its category and its
//! patterns, never by its id, so that a catalogue of the user's is read alike.

use super::facts::Indicated;
use crate::catalogue::{Catalogue, Category, Indicator, Pattern};

/// The update domain of the vendor's own products.
const UPDATE_DOMAIN: &str = "upd.kaspersky.com";
/// What a product looks up to find out whether vendor names resolve.
const PROBE: &str = "downloads.upd.kaspersky.com";

/// What an indicator stands for in the table of verdicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Traits {
    pub(super) category: Category,
    /// Update servers that products with an embedded engine use as well.
    pub(super) dnl: bool,
    /// The reachability check, and nothing else.
    pub(super) probe: bool,
    /// A name that only the vendor's own products ask: trusted time.
    pub(super) touch: bool,
    /// Reached by browsers and signature checks too.
    pub(super) browser: bool,
}

impl Traits {
    /// Of an indicator that contacts refer to. One that the catalogue does not
    /// have any more is known by its category alone.
    pub(super) fn of(indicated: &Indicated, catalogue: &Catalogue) -> Self {
        let found = catalogue.find(&indicated.id).map(|(_, i)| i);
        let names: Vec<Box<str>> = found.iter().flat_map(names).collect();
        let every = |is: fn(&str) -> bool| !names.is_empty() && names.iter().all(|n| is(n));
        let category = indicated.category;
        Traits {
            category,
            dnl: category == Category::Update && every(|n| n.starts_with("dnl-")),
            probe: category == Category::Update && every(|n| n == PROBE),
            touch: category == Category::Service && names.iter().any(|n| n.starts_with("touch.")),
            browser: category == Category::Web || found.is_some_and(|i| i.browser || i.residual),
        }
    }

    /// Whether it is a sign of a product that may stand beside an indicator of
    /// use `support`.
    pub(super) fn is_sign(self) -> bool {
        !self.browser && self.category != Category::Netblock && !self.category.is_alarm()
    }
}

/// The names of an indicator; of labels that a regular expression describes,
/// the expression in front of the rest.
fn names<'a>(i: &Indicator<'a>) -> impl Iterator<Item = Box<str>> + use<'a> {
    i.patterns().filter_map(|p| match p {
        Pattern::Exact(n) | Pattern::Suffix(n) => Some(n),
        Pattern::Host(h) if &*h.under == UPDATE_DOMAIN => Some(h.under),
        Pattern::Host(h) => Some(h.labels),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(is: impl Fn(Traits) -> bool) -> Vec<String> {
        let catalogue = Catalogue::builtin();
        let of = |i: Indicator<'_>| {
            let traits = Traits::of(&Indicated { id: i.id.to_owned(), category: i.category }, &catalogue);
            is(traits).then(|| i.id.to_owned())
        };
        catalogue.iter().filter_map(|(_, i)| of(i)).collect()
    }

    #[test]
    fn the_built_in_catalogue_is_read_as_the_table_means_it() {
        assert_eq!(ids(|t| t.dnl), ["update-dnl-geo", "update-dnl-other", "update-dnl-test"]);
        assert_eq!(ids(|t| t.probe), ["update-downloads-probe"]);
        assert_eq!(ids(|t| t.touch), ["service-touch"]);
        let browser: Vec<String> = ids(|t| t.browser && t.category == Category::Service);
        assert_eq!(
            browser,
            [
                "service-crl",
                "service-ocsp",
                "service-click",
                "service-redirect",
                "service-ucp-ntfy",
                "service-uis",
                "service-kaspersky-labs-residual"
            ]
        );
        assert_eq!(ids(|t| t.browser && !matches!(t.category, Category::Service | Category::Web)), [""; 0]);
    }

    #[test]
    fn an_indicator_that_is_gone_is_known_by_its_category() {
        let gone = Indicated { id: "dnl-of-the-past".to_owned(), category: Category::Update };
        let traits = Traits::of(&gone, &Catalogue::default());
        assert!(!traits.dnl && !traits.probe && !traits.browser && traits.is_sign());
    }
}
