//! Expressions on one field, found by the fixed text that they need.
//!
//! A rule that is a sequence and needs at least four fixed bytes is filed under
//! four of them, the rarest. A field is gone through once: each four bytes of
//! it are looked up in a small table of bits, and only what is in there among
//! the rules. All other rules are tried one after another.

use super::pattern::{self, Expression};
use super::sequence::{Sequence, Sequences};
use memchr::memmem;

/// Bytes that a rule is filed under.
const GRAM: usize = 4;
/// Size of the table that is asked first, as power of two.
const BITS: u32 = 20;

/// A rule that is filed.
#[derive(Debug)]
struct Filed {
    /// Place in the sequences.
    sequence: u32,
    /// Part of `texts` that a field must have too.
    contains: (u32, u32),
    order: u32,
    value: u32,
}

/// A rule that is tried on every field.
#[derive(Debug)]
struct Tried {
    /// Looked for first: far cheaper than the expression.
    contains: Option<memmem::Finder<'static>>,
    regex: Expression,
    order: u32,
    value: u32,
}

/// All rules on one field, in the order in which they win.
#[derive(Debug, Default)]
pub(super) struct Rules {
    sequences: Sequences,
    texts: Vec<u8>,
    filed: Vec<Filed>,
    tried: Vec<Tried>,
    /// Four bytes as number, and the rule that is filed under them; sorted.
    grams: Vec<(u32, u32)>,
    /// Which four bytes, hashed, have a rule; empty without such rules.
    bits: Vec<u64>,
    /// The text that each rule can be filed under, until all are there.
    waiting: Vec<Vec<u8>>,
}

/// The sequence of a rule, and the fixed text by which it can be found; `None`
/// if it has to be tried on every field.
pub(super) fn sequence(regex: &str, contains: Option<&str>) -> Option<(Sequence, Vec<u8>)> {
    let sequence = Sequence::parse(regex)?;
    let literal = sequence.literal();
    let literal = match contains {
        Some(c) if c.len() > literal.len() => c.as_bytes().to_vec(),
        _ => literal,
    };
    (literal.len() >= GRAM).then_some((sequence, literal))
}

impl Rules {
    /// Adds a rule, whose expression is sound, behind all others. Nothing is found
    /// before [`Rules::finish`].
    ///
    /// # Errors
    /// That there are too many.
    pub fn add(&mut self, regex: &str, contains: Option<&str>, value: u32) -> Result<(), String> {
        let full = || "too many rules".to_owned();
        let order = u32::try_from(self.filed.len() + self.tried.len()).map_err(|_| full())?;
        match sequence(regex, contains) {
            Some((sequence, literal)) => {
                let sequence = self.sequences.put(&sequence).ok_or_else(full)?;
                let start = u32::try_from(self.texts.len()).map_err(|_| full())?;
                self.texts.extend(contains.unwrap_or_default().as_bytes());
                let end = u32::try_from(self.texts.len()).map_err(|_| full())?;
                self.filed.push(Filed { sequence, contains: (start, end), order, value });
                self.waiting.push(literal);
            }
            None => {
                let contains = contains.map(|t| memmem::Finder::new(t.as_bytes()).into_owned());
                let regex = Expression::new(regex, pattern::compile);
                self.tried.push(Tried { contains, regex, order, value });
            }
        }
        Ok(())
    }

    /// Files the rules.
    pub fn finish(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let mut counts = vec![0u32; 1 << BITS];
        for gram in self.waiting.iter().flat_map(|l| grams(l)) {
            if let Some(count) = counts.get_mut(place(gram)) {
                *count += 1;
            }
        }
        self.bits = vec![0; 1 << (BITS - 6)];
        for (literal, number) in self.waiting.drain(..).zip(0u32..) {
            let rarity = |gram: &u32| counts.get(place(*gram)).copied();
            let Some(gram) = grams(&literal).min_by_key(rarity) else { continue };
            self.grams.push((gram, number));
            if let Some(word) = self.bits.get_mut(place(gram) >> 6) {
                *word |= 1 << (place(gram) & 63);
            }
        }
        self.grams.sort_unstable();
        self.waiting = Vec::new();
    }

    /// The value of the first rule that fits a field.
    pub fn find(&self, field: &[u8]) -> Option<u32> {
        let fits = |t: &&Tried| t.contains.as_ref().is_none_or(|c| c.find(field).is_some()) && t.regex.is_match(field);
        let mut best = self.tried.iter().find(fits).map(|t| (t.order, t.value));
        if !self.bits.is_empty() {
            for gram in grams(field) {
                let place = place(gram);
                if self.bits.get(place >> 6).is_some_and(|w| w >> (place & 63) & 1 != 0) {
                    self.look(gram, field, &mut best);
                }
            }
        }
        best.map(|(_, value)| value)
    }

    /// Tries what is filed under four bytes and stands before the best so far.
    #[cold]
    fn look(&self, gram: u32, field: &[u8], best: &mut Option<(u32, u32)>) {
        let first = self.grams.partition_point(|(g, _)| *g < gram);
        let group = self.grams.get(first..).unwrap_or_default().iter().take_while(|(g, _)| *g == gram);
        for rule in group.filter_map(|(_, number)| self.filed.get(*number as usize)) {
            if best.is_none_or(|(order, _)| rule.order < order) && self.fits(rule, field) {
                *best = Some((rule.order, rule.value));
            }
        }
    }

    fn fits(&self, rule: &Filed, field: &[u8]) -> bool {
        let (start, end) = rule.contains;
        let contains = self.texts.get(start as usize..end as usize).unwrap_or_default();
        (contains.is_empty() || memmem::find(field, contains).is_some()) && self.sequences.fits(rule.sequence, field)
    }
}

/// All four bytes in a row of a text.
fn grams(text: &[u8]) -> impl Iterator<Item = u32> {
    text.windows(GRAM).filter_map(|w| w.try_into().ok().map(u32::from_le_bytes))
}

/// Where four bytes have their bit.
#[inline]
fn place(gram: u32) -> usize {
    (gram.wrapping_mul(0x9e37_79b1) >> (32 - BITS)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::pattern::compile;
    use proptest::prelude::*;

    type List = Vec<(String, Option<String>)>;

    fn find(list: &List, field: &str) -> Option<u32> {
        let mut rules = Rules::default();
        for ((regex, contains), value) in list.iter().zip(0..) {
            rules.add(regex, contains.as_deref(), value).unwrap();
        }
        rules.finish();
        rules.find(field.as_bytes())
    }

    #[test]
    fn the_first_that_fits_wins_however_it_is_found() {
        let list: List = ["(x|yy)z", "/abcd", "abcde", "^/ab.*f$"].map(|r| (r.to_owned(), None)).into();
        assert_eq!(find(&list, "/abcdef"), Some(1));
        assert_eq!(find(&list, "-abcdef"), Some(2));
        assert_eq!(find(&list, "/ab-cdef"), Some(3));
        assert_eq!(find(&list, "/abcdyyz"), Some(0));
        assert_eq!(find(&list, ""), None);
        let list = vec![("[a-z]+".to_owned(), Some("/abc/".to_owned()))];
        assert_eq!((find(&list, "/abc/"), find(&list, "/abc")), (Some(0), None));
    }

    proptest! {
        #[test]
        fn it_finds_what_trying_all_finds(
            list in prop::collection::vec(
                ("\\^?[ab]{0,5}(\\[ab\\]\\+|\\.\\*|)[ab]{0,5}\\$?", prop::option::of("[ab]{0,5}")), 0..30),
            fields in prop::collection::vec("[ab]{0,14}", 20),
        ) {
            for field in fields {
                let plain = list.iter().zip(0..).find(|((regex, contains), _)| {
                    contains.as_ref().is_none_or(|c| field.contains(c.as_str()))
                        && compile(regex).unwrap().is_match(field.as_bytes())
                });
                prop_assert_eq!(find(&list, &field), plain.map(|(_, v)| v), "{}", field);
            }
        }
    }
}
