//! Regular expressions that are a sequence of bytes and classes, each perhaps
//! repeated, such as `^/x/[a-z0-9]{8}\.php$` or `cdn[0-9]+`: most of those in
//! lists. Such a one takes a few bytes where a compiled expression takes
//! kilobytes, and says what fixed text it needs, by which it can be looked up.
//! All others are left to the crate `regex`, whose reading of them is the rule.

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind, Look};
use std::collections::HashMap;

/// Positions of a sequence: one bit each, and one for the end.
const POSITIONS: usize = 63;

/// A set of bytes.
type Set = [u64; 4];

/// A byte or class that a text goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Step {
    set: Set,
    /// May be left out.
    optional: bool,
    /// May come again.
    repeated: bool,
}

/// An expression that is a sequence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sequence {
    steps: Vec<Step>,
    /// A text begins with it, or ends with it.
    from_start: bool,
    to_end: bool,
}

impl Sequence {
    /// Of an expression on bytes. `None` if it is no such sequence, or no
    /// expression at all.
    pub fn parse(regex: &str) -> Option<Self> {
        let hir = ParserBuilder::new().unicode(false).utf8(false).build().parse(regex).ok()?;
        let mut out = Sequence::default();
        out.add(&hir)?;
        Some(out)
    }

    /// The same where it must fit a text as a whole.
    pub fn whole(self) -> Self {
        Sequence { from_start: true, to_end: true, ..self }
    }

    fn add(&mut self, hir: &Hir) -> Option<()> {
        if self.to_end && !matches!(hir.kind(), HirKind::Empty) {
            return None;
        }
        match hir.kind() {
            HirKind::Empty => Some(()),
            HirKind::Literal(l) => l.0.iter().try_for_each(|b| self.step(one(*b), false, false)),
            HirKind::Class(c) => self.step(set_of(c)?, false, false),
            HirKind::Capture(c) => self.add(&c.sub),
            HirKind::Concat(parts) => parts.iter().try_for_each(|p| self.add(p)),
            HirKind::Look(Look::Start) if self.steps.is_empty() => {
                self.from_start = true;
                Some(())
            }
            HirKind::Look(Look::End) => {
                self.to_end = true;
                Some(())
            }
            HirKind::Repetition(r) => {
                let set = single(&r.sub)?;
                let min = usize::try_from(r.min).ok()?;
                let max = r.max.map(|m| m as usize);
                for n in 1..=min.min(POSITIONS + 1) {
                    self.step(set, false, n == min && max.is_none())?;
                }
                match max {
                    None if min == 0 => self.step(set, true, true),
                    None => Some(()),
                    Some(max) => (min..max.min(POSITIONS + 1)).try_for_each(|_| self.step(set, true, false)),
                }
            }
            HirKind::Look(_) | HirKind::Alternation(_) => None,
        }
    }

    fn step(&mut self, set: Set, optional: bool, repeated: bool) -> Option<()> {
        if self.steps.len() == POSITIONS {
            return None;
        }
        self.steps.push(Step { set, optional, repeated });
        Some(())
    }

    /// The bytes that every text has at its start, if it must start there.
    pub fn prefix(&self) -> Vec<u8> {
        if self.from_start { fixed(self.steps.iter()) } else { Vec::new() }
    }

    /// The bytes that every text has at its end, if it must end there.
    pub fn suffix(&self) -> Vec<u8> {
        let mut out = if self.to_end { fixed(self.steps.iter().rev()) } else { Vec::new() };
        out.reverse();
        out
    }

    /// The longest run of bytes that every text has somewhere.
    pub fn literal(&self) -> Vec<u8> {
        let mut best = Vec::new();
        let mut rest = self.steps.as_slice();
        while !rest.is_empty() {
            let run = fixed(rest.iter());
            rest = rest.get(run.len().max(1)..).unwrap_or_default();
            if run.len() > best.len() {
                best = run;
            }
        }
        best
    }
}

/// The bytes of the steps up to the first that leaves a choice.
fn fixed<'s>(steps: impl Iterator<Item = &'s Step>) -> Vec<u8> {
    let byte = |s: &Step| {
        let number = s.set.iter().map(|w| w.count_ones()).sum::<u32>();
        let first = s.set.iter().zip(0u32..).find(|(w, _)| **w != 0).map(|(w, at)| at * 64 + w.trailing_zeros());
        (number == 1 && !s.optional && !s.repeated).then_some(first).flatten().and_then(|b| u8::try_from(b).ok())
    };
    steps.map_while(byte).collect()
}

fn one(b: u8) -> Set {
    let mut set = [0; 4];
    add(&mut set, b);
    set
}

fn add(set: &mut Set, b: u8) {
    if let Some(word) = set.get_mut(usize::from(b >> 6)) {
        *word |= 1 << (b & 63);
    }
}

fn has(set: &Set, b: u8) -> bool {
    set.get(usize::from(b >> 6)).is_some_and(|w| w >> (b & 63) & 1 != 0)
}

fn set_of(class: &Class) -> Option<Set> {
    let mut set = [0; 4];
    match class {
        Class::Bytes(c) => c.ranges().iter().for_each(|r| (r.start()..=r.end()).for_each(|b| add(&mut set, b))),
        Class::Unicode(c) => {
            for r in c.ranges() {
                // Beyond ASCII a character is several bytes.
                let (start, end) = (u8::try_from(r.start()).ok()?, u8::try_from(r.end()).ok()?);
                if end > 0x7f {
                    return None;
                }
                (start..=end).for_each(|b| add(&mut set, b));
            }
        }
    }
    Some(set)
}

/// What may be repeated: one byte or class.
fn single(hir: &Hir) -> Option<Set> {
    match hir.kind() {
        HirKind::Literal(l) => match *l.0 {
            [b] => Some(one(b)),
            _ => None,
        },
        HirKind::Class(c) => set_of(c),
        HirKind::Capture(c) => single(&c.sub),
        _ => None,
    }
}

/// Sequences in little room: each is a few bytes of one array, and classes that
/// several have stand once.
#[derive(Debug, Default)]
pub(super) struct Sequences {
    code: Vec<u8>,
    sets: Vec<Set>,
    known: HashMap<Set, u16>,
}

const FROM_START: u8 = 1;
const TO_END: u8 = 2;
const CLASS: u8 = 1;
const OPTIONAL: u8 = 2;
const REPEATED: u8 = 4;

impl Sequences {
    /// Keeps a sequence; gives its place. `None` if there is no room.
    pub fn put(&mut self, sequence: &Sequence) -> Option<u32> {
        let at = u32::try_from(self.code.len()).ok()?;
        let flags = u8::from(sequence.from_start) * FROM_START + u8::from(sequence.to_end) * TO_END;
        self.code.extend([flags, u8::try_from(sequence.steps.len()).ok()?]);
        for step in &sequence.steps {
            let flags = u8::from(step.optional) * OPTIONAL + u8::from(step.repeated) * REPEATED;
            match fixed(std::iter::once(&Step { optional: false, repeated: false, ..*step })).first() {
                Some(b) => self.code.extend([flags, *b]),
                None => {
                    let number = self.set(step.set)?;
                    self.code.push(flags | CLASS);
                    self.code.extend(number.to_le_bytes());
                }
            }
        }
        Some(at)
    }

    fn set(&mut self, set: Set) -> Option<u16> {
        if let Some(number) = self.known.get(&set) {
            return Some(*number);
        }
        let number = u16::try_from(self.sets.len()).ok()?;
        self.sets.push(set);
        self.known.insert(set, number);
        Some(number)
    }

    /// Whether the sequence at a place fits a text.
    pub fn fits(&self, at: u32, text: &[u8]) -> bool {
        let Some(([flags, count], mut code)) = self.code.get(at as usize..).and_then(|c| c.split_first_chunk()) else {
            return false;
        };
        let mut sets = [&[0; 4]; POSITIONS];
        let mut bytes = [0u8; POSITIONS];
        let (mut optional, mut repeated, mut classes) = (0u64, 0u64, 0u64);
        for ((set, byte), bit) in sets.iter_mut().zip(&mut bytes).zip(0..*count) {
            let Some((flags, rest)) = code.split_first() else { return false };
            optional |= u64::from(flags & OPTIONAL != 0) << bit;
            repeated |= u64::from(flags & REPEATED != 0) << bit;
            classes |= u64::from(flags & CLASS != 0) << bit;
            code = match rest {
                [a, b, rest @ ..] if flags & CLASS != 0 => {
                    let number = usize::from(u16::from_le_bytes([*a, *b]));
                    *set = self.sets.get(number).unwrap_or(&[0; 4]);
                    rest
                }
                [b, rest @ ..] => {
                    *byte = *b;
                    rest
                }
                [] => return false,
            };
        }
        let end = 1u64 << count;
        let start = skip(1, optional);
        let mut state = start;
        for c in text {
            if state & end != 0 && flags & TO_END == 0 {
                return true;
            }
            let mut next = 0;
            let mut left = state & !end;
            while left != 0 {
                let bit = left.trailing_zeros();
                left &= left - 1;
                let is = if classes >> bit & 1 != 0 {
                    sets.get(bit as usize).is_some_and(|s| has(s, *c))
                } else {
                    bytes.get(bit as usize) == Some(c)
                };
                if is {
                    next |= 2 << bit | (repeated & 1 << bit);
                }
            }
            state = skip(next, optional);
            if flags & FROM_START == 0 {
                state |= start;
            }
            if state == 0 {
                return false;
            }
        }
        state & end != 0
    }
}

/// The positions that can be reached by leaving out optional steps too.
fn skip(mut state: u64, optional: u64) -> u64 {
    loop {
        let more = state | (state & optional) << 1;
        if more == state {
            return state;
        }
        state = more;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::pattern::{compile, compile_labels};
    use proptest::prelude::*;

    fn fits(regex: &str, text: &str) -> bool {
        let mut kept = Sequences::default();
        let at = kept.put(&Sequence::parse(regex).unwrap()).unwrap();
        kept.fits(at, text.as_bytes())
    }

    #[test]
    fn ordinary_expressions() {
        assert!(fits("^/x/[a-z]{2,4}\\.php$", "/x/abc.php"));
        assert!(!fits("^/x/[a-z]{2,4}\\.php$", "/x/a.php"));
        assert!(!fits("^/x/[a-z]{2,4}\\.php$", "/x/abcde.php"));
        assert!(fits("b+c?d", "aabbbd"));
        assert!(fits("(?i)Gate", "/GATE"));
        assert!(fits("a*$", "xyz"));
        assert!(!fits("a.b", "a\nb"));
        assert!(fits("x(a)(b)", "xab"));
    }

    #[test]
    fn what_is_no_sequence() {
        let long = "a".repeat(64);
        for none in ["a|bc", "(ab)*", "a^b", "a$b", "\\bx", "(a", "(?m)^a", "a{64}", "[^a]{2,100}", long.as_str()] {
            assert_eq!(Sequence::parse(none), None, "{none}");
        }
        assert!(Sequence::parse(&"a".repeat(63)).is_some());
    }

    #[test]
    fn fixed_texts() {
        let of = |regex: &str| Sequence::parse(regex).unwrap();
        assert_eq!((of("^ab[0-9]c").prefix(), of("ab[0-9]c").prefix()), (b"ab".to_vec(), vec![]));
        assert_eq!(
            (of("[0-9]c.d$").suffix(), of("ab").suffix(), of("ab").whole().suffix()),
            (b"d".into(), vec![], b"ab".into())
        );
        assert_eq!(of("ab[0-9]cdefg*hij").literal(), b"cdef");
        assert_eq!((of("[0-9]?").literal(), of("ab{2}c").literal()), (vec![], b"abbc".to_vec()));
    }

    /// Parts of expressions over few letters, so that texts meet them.
    fn expressions() -> impl Strategy<Value = String> {
        let atom = prop::sample::select(vec!["a", "b", "ab", "\\.", ".", "[ab]", "[^a]", "(b)", "(?:[a-b])", "\\n"]);
        let times = prop::sample::select(vec!["", "", "", "?", "*", "+", "{2}", "{0,2}", "{1,}", "*?"]);
        let part = (atom, times).prop_map(|(a, t)| format!("{a}{t}"));
        let ends = prop::sample::select(vec![("", ""), ("^", ""), ("", "$"), ("^", "$")]);
        (prop::collection::vec(part, 0..6), ends).prop_map(|(p, (s, e))| format!("{s}{}{e}", p.concat()))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn it_fits_what_the_expression_fits(
            regex in expressions(),
            texts in prop::collection::vec("[ab.\n]{0,8}", 12),
        ) {
            // `ab*` is a sequence, `ab{2}` too; only `(ab)*` is none.
            let Some(sequence) = Sequence::parse(&regex) else { return Ok(()) };
            let mut kept = Sequences::default();
            let (part, whole) = (kept.put(&sequence).unwrap(), kept.put(&sequence.clone().whole()).unwrap());
            let (compiled, labels) = (compile(&regex).unwrap(), compile_labels(&regex).unwrap());
            for text in texts {
                let text = text.as_bytes();
                prop_assert_eq!(kept.fits(part, text), compiled.is_match(text), "{} on {:?}", regex, text);
                prop_assert_eq!(kept.fits(whole, text), labels.is_match(text), "whole {} on {:?}", regex, text);
                if compiled.is_match(text) {
                    prop_assert!(memchr::memmem::find(text, &sequence.literal()).is_some());
                    prop_assert!(text.starts_with(&sequence.prefix()) && text.ends_with(&sequence.suffix()));
                }
            }
        }
    }
}
