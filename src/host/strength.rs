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

    /// Every verdict in the order in which they are explained: those that count
    /// as use, those beside them, the rest, each from the strongest down.
    pub fn in_order() -> Vec<Verdict> {
        let mut all = Verdict::ALL.to_vec();
        let kind = |v: &Verdict| ["use", "apart", "never"].iter().position(|k| *k == v.counted());
        all.sort_by_key(|v| (kind(v), std::cmp::Reverse(v.strength())));
        all
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
    fn verdicts_are_listed_as_the_readme_has_them() {
        let listed: Vec<&str> = Verdict::in_order().iter().map(|v| v.as_str()).collect();
        let readme = include_str!("../../README.md");
        let rows =
            readme.lines().skip_while(|l| !l.starts_with("| verdict |")).skip(2).take_while(|l| l.starts_with('|'));
        let cells = rows.filter_map(|l| l.split('|').nth(1));
        let words: Vec<&str> = cells.flat_map(|c| c.split(',')).map(|w| w.trim().trim_matches('`')).collect();
        assert_eq!(listed, words);
    }

    #[test]
    fn every_verdict_has_a_place_of_its_own() {
        let mut places: Vec<u8> = Verdict::ALL.iter().map(|v| v.strength()).collect();
        places.sort_unstable();
        assert_eq!(places, (0..11).collect::<Vec<u8>>());
        assert!(Verdict::ALL.iter().all(|v| v.is_use() == (v.counted() == "use")));
        assert!(Verdict::ALL.iter().all(|v| v.is_use() == (v.strength() >= Verdict::Contacting.strength())));
    }
}
