//! Which of two verdicts says more of an installation.

use super::view::Verdict;

impl Verdict {
    /// Place among the verdicts by how much it says of an installation, `none`
    /// first. It is the order in which verdicts are tried, from its end, but
    /// for those that explain contacts away: they say less than what they
    /// would hide.
    pub fn strength(self) -> u8 {
        match self {
            Verdict::None => 0,
            Verdict::ProbeOnly => 1,
            Verdict::WebOnly => 2,
            Verdict::Oem => 3,
            Verdict::Present => 4,
            Verdict::Managed => 5,
            Verdict::LookedUp => 6,
            Verdict::Attempting => 7,
            Verdict::Contacting => 8,
            Verdict::Updating => 9,
            Verdict::Active => 10,
        }
    }

    /// How it is counted: `use`, `apart` (printed beside it) or `never`.
    pub fn counted(self) -> &'static str {
        match self {
            Verdict::Active | Verdict::Updating | Verdict::Contacting => "use",
            Verdict::Oem | Verdict::Attempting | Verdict::LookedUp | Verdict::Managed => "apart",
            Verdict::ProbeOnly | Verdict::Present | Verdict::WebOnly | Verdict::None => "never",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verdict_has_a_place_of_its_own() {
        let mut places: Vec<u8> = Verdict::ALL.iter().map(|v| v.strength()).collect();
        places.sort_unstable();
        assert_eq!(places, (0..11).collect::<Vec<u8>>());
        assert!(Verdict::ALL.iter().all(|v| v.is_use() == (v.counted() == "use")));
        assert!(Verdict::ALL.iter().all(|v| v.is_use() == (v.strength() >= Verdict::Contacting.strength())));
    }
}
