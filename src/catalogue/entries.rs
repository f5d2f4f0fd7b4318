//! The entries of a catalogue in little room: a list may have a million.
//!
//! All entries lie one behind the other in one array of bytes, without objects
//! of their own; [`Indicator`] is a view of one. What entries often share
//! (meanings, sources, expressions, notes) stands once in a second array, and is
//! referred to by its place there. The names of patterns stay as they are, so
//! that the matcher refers to them and keeps no copy.

use super::load::hash;
use super::pattern::{HostPattern, PathPattern, Pattern, PayloadPattern, TransportPort};
use super::{Category, Confidence, Use};
use crate::base::{Addr, Prefix};
use hashbrown::HashTable;

/// An entry as it is written in a file, before it is packed.
#[derive(Clone, Debug)]
pub(super) struct NewIndicator {
    pub id: String,
    pub category: Category,
    pub usage: Use,
    pub confidence: Confidence,
    pub meaning: String,
    pub residual: bool,
    pub browser: bool,
    pub patterns: Vec<Pattern>,
    pub sources: Vec<String>,
    pub ports: Vec<String>,
    pub examples: Vec<String>,
    pub note: Option<String>,
    pub reason: Option<String>,
    pub valid_from: Option<i64>,
    pub valid_until: Option<i64>,
}

/// One entry.
#[derive(Clone, Copy, Debug)]
pub struct Indicator<'a> {
    /// Readable, unique, stable.
    pub id: &'a str,
    /// Category.
    pub category: Category,
    /// Use.
    pub usage: Use,
    /// Confidence.
    pub confidence: Confidence,
    /// One line for people.
    pub meaning: &'a str,
    /// Lowest precedence: a whole domain of unknown purpose.
    pub residual: bool,
    /// Browsers and signature checks reach it too, so that it is no sign of an
    /// installed product.
    pub browser: bool,
    entries: &'a Entries,
    /// Behind id and meaning: patterns, then the lists.
    rest: &'a [u8],
}

/// The texts of an entry that are only shown.
const LISTS: usize = 5;
/// Their order in an entry.
#[derive(Clone, Copy)]
enum List {
    Sources,
    Ports,
    Examples,
    Note,
    Reason,
}

impl<'a> Indicator<'a> {
    /// What it matches; at least one.
    pub fn patterns(&self) -> impl ExactSizeIterator<Item = Pattern> + use<'a> {
        self.borrowed().map(|p| p.to_pattern())
    }

    /// The same without copies.
    pub(super) fn borrowed(&self) -> Patterns<'a> {
        let mut read = Reader { entries: self.entries, rest: self.rest };
        let left = read.number();
        Patterns { read, left }
    }

    fn list(&self, which: List) -> Texts<'a> {
        let mut patterns = self.borrowed();
        patterns.by_ref().for_each(drop);
        let mut read = patterns.read;
        for _ in 0..which as usize {
            let count = read.number();
            for _ in 0..count {
                read.number();
            }
        }
        let left = read.number();
        Texts { read, left }
    }

    /// Where it is known from: addresses, or `repository:path`.
    pub fn sources(&self) -> impl ExactSizeIterator<Item = &'a str> + use<'a> {
        self.list(List::Sources)
    }

    /// Where the service is known to listen, such as `tcp/443` or
    /// `tcp/23100-23199`; for information.
    pub fn ports(&self) -> impl ExactSizeIterator<Item = &'a str> + use<'a> {
        self.list(List::Ports)
    }

    /// What it must match, as [`Catalogue::check_examples`](super::Catalogue::check_examples)
    /// reads it.
    pub fn examples(&self) -> impl ExactSizeIterator<Item = &'a str> + use<'a> {
        self.list(List::Examples)
    }

    /// What a reader should know.
    pub fn note(&self) -> Option<&'a str> {
        self.list(List::Note).next()
    }

    /// Why it is off.
    pub fn reason(&self) -> Option<&'a str> {
        self.list(List::Reason).next()
    }

    /// First and last day on which it is valid, as day numbers.
    pub fn validity(&self) -> (Option<i64>, Option<i64>) {
        let mut reasons = self.list(List::Reason);
        reasons.by_ref().for_each(drop);
        let mut read = reasons.read;
        let mut day = || match read.byte() {
            1 => Some(read.array().map_or(0, i64::from_le_bytes)),
            _ => None,
        };
        (day(), day())
    }
}

/// A pattern where it lies.
#[derive(Clone, Copy, Debug)]
pub(super) enum PatternRef<'a> {
    /// The name, and where it begins in [`Entries::bytes`].
    Exact(&'a str, u32),
    /// The same.
    Suffix(&'a str, u32),
    /// Labels; `under`, and where it begins.
    Host(&'a str, &'a str, u32),
    Path {
        regex: &'a str,
        contains: Option<&'a str>,
    },
    UserAgent(&'a str),
    Address(Prefix),
    LanPort(TransportPort),
    Payload(Reader<'a>),
}

impl PatternRef<'_> {
    pub fn to_pattern(self) -> Pattern {
        match self {
            PatternRef::Exact(name, _) => Pattern::Exact(name.into()),
            PatternRef::Suffix(name, _) => Pattern::Suffix(name.into()),
            PatternRef::Host(labels, under, _) => {
                Pattern::Host(Box::new(HostPattern { labels: labels.into(), under: under.into() }))
            }
            PatternRef::Path { regex, contains } => {
                Pattern::Path(Box::new(PathPattern { regex: regex.into(), contains: contains.map(Into::into) }))
            }
            PatternRef::UserAgent(regex) => Pattern::UserAgent(regex.into()),
            PatternRef::Address(prefix) => Pattern::Address(Box::new(prefix)),
            PatternRef::LanPort(port) => Pattern::LanPort(port),
            PatternRef::Payload(mut read) => Pattern::Payload(Box::new(read.payload())),
        }
    }
}

/// Reads what [`Entries::push`] wrote.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    entries: &'a Entries,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or_default()
    }

    fn take(&mut self, n: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at_checked(n).unwrap_or_default();
        self.rest = rest;
        taken
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N).try_into().ok()
    }

    /// A number in groups of seven bits, the low ones first.
    fn number(&mut self) -> u32 {
        let mut out = 0u32;
        for shift in [0, 7, 14, 21, 28] {
            let b = self.byte();
            out |= u32::from(b & 0x7f) << shift;
            if b & 0x80 == 0 {
                break;
            }
        }
        out
    }

    /// A text that stands here.
    fn own(&mut self) -> (&'a str, u32) {
        let len = usize::from(self.byte());
        let at = self.entries.bytes.len().saturating_sub(self.rest.len());
        (std::str::from_utf8(self.take(len)).unwrap_or_default(), u32::try_from(at).unwrap_or(u32::MAX))
    }

    /// A text that others share.
    fn shared(&mut self) -> &'a str {
        let at = self.number() as usize;
        self.entries.texts.get(at)
    }

    fn pattern(&mut self) -> PatternRef<'a> {
        match self.byte() {
            0 => {
                let (name, at) = self.own();
                PatternRef::Exact(name, at)
            }
            1 => {
                let (name, at) = self.own();
                PatternRef::Suffix(name, at)
            }
            2 => {
                let labels = self.shared();
                let (under, at) = self.own();
                PatternRef::Host(labels, under, at)
            }
            3 => PatternRef::Path { regex: self.shared(), contains: None },
            4 => PatternRef::Path { regex: self.shared(), contains: Some(self.shared()) },
            5 => PatternRef::UserAgent(self.shared()),
            6 => {
                let len = self.byte();
                let addr = Addr(self.array().unwrap_or_default());
                // Only whole prefixes are written.
                Prefix::new(addr, len).map_or(PatternRef::Exact("", 0), PatternRef::Address)
            }
            7 => PatternRef::LanPort(self.port()),
            _ => {
                let len = self.number() as usize;
                PatternRef::Payload(Reader { entries: self.entries, rest: self.take(len) })
            }
        }
    }

    fn port(&mut self) -> TransportPort {
        let transport = self.byte();
        TransportPort { transport, port: self.array().map_or(0, u16::from_le_bytes) }
    }

    /// The whole of a payload pattern.
    pub fn payload(&mut self) -> PayloadPattern {
        let on = (0..self.number()).map(|_| self.port()).collect();
        let mut list = || {
            let count = self.number();
            (0..count)
                .map(|_| {
                    let len = usize::from(self.byte());
                    self.take(len).into()
                })
                .collect()
        };
        PayloadPattern { on, starts: list(), equals: list() }
    }
}

/// The patterns of an entry.
#[derive(Clone, Debug)]
pub(super) struct Patterns<'a> {
    read: Reader<'a>,
    left: u32,
}

impl<'a> Iterator for Patterns<'a> {
    type Item = PatternRef<'a>;

    fn next(&mut self) -> Option<PatternRef<'a>> {
        self.left = self.left.checked_sub(1)?;
        Some(self.read.pattern())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left as usize, Some(self.left as usize))
    }
}

impl ExactSizeIterator for Patterns<'_> {}

/// Shared texts of an entry.
#[derive(Clone, Debug)]
struct Texts<'a> {
    read: Reader<'a>,
    left: u32,
}

impl<'a> Iterator for Texts<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        self.left = self.left.checked_sub(1)?;
        Some(self.read.shared())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left as usize, Some(self.left as usize))
    }
}

impl ExactSizeIterator for Texts<'_> {}

/// Texts that stand once, however often they are used.
#[derive(Debug, Default)]
struct Shared {
    bytes: Vec<u8>,
    /// Where texts begin, hashed by the text; emptied when all is read.
    known: HashTable<u32>,
}

impl Shared {
    fn get(&self, at: usize) -> &str {
        std::str::from_utf8(text_at(&self.bytes, at)).unwrap_or_default()
    }

    /// The place of a text. `None` if there is no room for it.
    fn put(&mut self, text: &str) -> Option<u32> {
        let hashed = hash(text);
        let bytes = &self.bytes;
        let is = |at: &u32| text_at(bytes, *at as usize) == text.as_bytes();
        if let Some(at) = self.known.find(hashed, is) {
            return Some(*at);
        }
        let at = u32::try_from(self.bytes.len()).ok()?;
        self.bytes.extend(u32::try_from(text.len()).ok()?.to_le_bytes());
        self.bytes.extend(text.as_bytes());
        let bytes = &self.bytes;
        self.known.insert_unique(hashed, at, |at| super::load::hash_bytes(text_at(bytes, *at as usize)));
        Some(at)
    }
}

/// The text whose length, in four bytes, stands at `at`.
fn text_at(bytes: &[u8], at: usize) -> &[u8] {
    let Some((len, rest)) = bytes.get(at..).and_then(|b| b.split_first_chunk()) else { return &[] };
    rest.get(..u32::from_le_bytes(*len) as usize).unwrap_or_default()
}

/// All entries of a catalogue.
#[derive(Debug, Default)]
pub(super) struct Entries {
    bytes: Vec<u8>,
    texts: Shared,
    /// Where each entry begins in `bytes`.
    starts: Vec<u32>,
    /// Its category, use and confidence, and whether it is residual or for
    /// browsers, in bits.
    words: Vec<u16>,
    /// Numbers of entries, hashed by id.
    by_id: HashTable<u32>,
    single_labels: bool,
}

/// Two catalogues that say the same.
impl PartialEq for Entries {
    fn eq(&self, other: &Self) -> bool {
        (&self.bytes, &self.texts.bytes, &self.words) == (&other.bytes, &other.texts.bytes, &other.words)
    }
}

const USES: [Use; 3] = [Use::Alone, Use::Support, Use::Off];
const CONFIDENCES: [Confidence; 3] = [Confidence::Low, Confidence::Medium, Confidence::High];

impl Entries {
    /// Names of patterns lie in here.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub fn len(&self) -> usize {
        self.starts.len()
    }

    pub fn get(&self, at: usize) -> Option<Indicator<'_>> {
        let start = *self.starts.get(at)? as usize;
        let word = *self.words.get(at)?;
        let mut read = Reader { entries: self, rest: self.bytes.get(start..)? };
        let (id, _) = read.own();
        let meaning = read.shared();
        Some(Indicator {
            id,
            category: category(word)?,
            usage: usage(word),
            confidence: *CONFIDENCES.get(usize::from(word >> 6 & 3))?,
            meaning,
            residual: word & 1 << 8 != 0,
            browser: word & 1 << 9 != 0,
            entries: self,
            rest: read.rest,
        })
    }

    /// The use of each entry in order.
    pub fn uses(&self) -> impl Iterator<Item = Use> {
        self.words.iter().map(|w| usage(*w))
    }

    /// The numbers of entries that are not off: alarms, or all others.
    pub fn active(&self, alarms: bool) -> impl Iterator<Item = u32> {
        let is = move |w: u16| usage(w) != Use::Off && category(w).is_some_and(Category::is_alarm) == alarms;
        (0u32..).zip(&self.words).filter_map(move |(at, w)| is(*w).then_some(at))
    }

    /// Whether a pattern has a name of one label only.
    pub fn has_single_labels(&self) -> bool {
        self.single_labels
    }

    /// The number of the entry of an id.
    pub fn find(&self, id: &str) -> Option<u32> {
        let is = |at: &u32| id_at(&self.starts, &self.bytes, *at) == id.as_bytes();
        self.by_id.find(hash(id), is).copied()
    }

    /// Adds an entry. `None` if there is no room: more than four gigabytes.
    pub fn push(&mut self, new: &NewIndicator) -> Option<()> {
        let number = u32::try_from(self.starts.len()).ok()?;
        let start = u32::try_from(self.bytes.len()).ok()?;
        self.own(&new.id)?;
        self.shared(&new.meaning)?;
        self.number(new.patterns.len())?;
        for p in &new.patterns {
            self.pattern(p)?;
        }
        let lists: [&[String]; LISTS] =
            [&new.sources, &new.ports, &new.examples, new.note.as_slice(), new.reason.as_slice()];
        for list in lists {
            self.number(list.len())?;
            for text in list {
                self.shared(text)?;
            }
        }
        for day in [new.valid_from, new.valid_until] {
            self.bytes.push(day.is_some().into());
            self.bytes.extend(day.iter().flat_map(|d| d.to_le_bytes()));
        }
        // What lies behind the last byte must have a place too.
        u32::try_from(self.bytes.len()).ok()?;
        self.starts.push(start);
        self.words.push(word(new));
        let (starts, bytes) = (&self.starts, &self.bytes);
        let hash_at = |at: &u32| super::load::hash_bytes(id_at(starts, bytes, *at));
        self.by_id.insert_unique(hash(&new.id), number, hash_at);
        Some(())
    }

    /// Gives back what only reading needed.
    pub fn finish(&mut self) {
        self.texts.known = HashTable::new();
        self.texts.bytes.shrink_to_fit();
        self.bytes.shrink_to_fit();
        self.starts.shrink_to_fit();
        self.words.shrink_to_fit();
    }

    /// The same entries, of which some are off.
    pub fn with_off(&self, off: impl Fn(&Indicator<'_>) -> bool) -> Self {
        let mut words = self.words.clone();
        for (at, word) in words.iter_mut().enumerate() {
            if self.get(at).is_some_and(|i| off(&i)) {
                *word = *word & !(3 << 4) | (Use::Off as u16) << 4;
            }
        }
        let texts = Shared { bytes: self.texts.bytes.clone(), known: HashTable::new() };
        let (bytes, starts) = (self.bytes.clone(), self.starts.clone());
        Entries { bytes, texts, starts, words, by_id: self.by_id.clone(), single_labels: self.single_labels }
    }

    fn number(&mut self, n: usize) -> Option<()> {
        let mut n = u32::try_from(n).ok()?;
        while n >= 0x80 {
            self.bytes.push(0x80 | (n & 0x7f) as u8);
            n >>= 7;
        }
        self.bytes.push(n as u8);
        Some(())
    }

    fn own(&mut self, text: &str) -> Option<()> {
        self.bytes.push(u8::try_from(text.len()).ok()?);
        self.bytes.extend(text.as_bytes());
        Some(())
    }

    fn name(&mut self, name: &str) -> Option<()> {
        self.single_labels |= !name.contains('.');
        self.own(name)
    }

    fn shared(&mut self, text: &str) -> Option<()> {
        let at = self.texts.put(text)?;
        self.number(at as usize)
    }

    fn port(&mut self, port: TransportPort) {
        self.bytes.push(port.transport);
        self.bytes.extend(port.port.to_le_bytes());
    }

    fn pattern(&mut self, pattern: &Pattern) -> Option<()> {
        let kind = match pattern {
            Pattern::Exact(_) => 0,
            Pattern::Suffix(_) => 1,
            Pattern::Host(_) => 2,
            Pattern::Path(p) if p.contains.is_none() => 3,
            Pattern::Path(_) => 4,
            Pattern::UserAgent(_) => 5,
            Pattern::Address(_) => 6,
            Pattern::LanPort(_) => 7,
            Pattern::Payload(_) => 8,
        };
        self.bytes.push(kind);
        match pattern {
            Pattern::Exact(name) | Pattern::Suffix(name) => self.name(name),
            Pattern::Host(h) => {
                self.shared(&h.labels)?;
                self.name(&h.under)
            }
            Pattern::Path(p) => {
                self.shared(&p.regex)?;
                p.contains.as_ref().map_or(Some(()), |c| self.shared(c))
            }
            Pattern::UserAgent(regex) => self.shared(regex),
            Pattern::Address(prefix) => {
                self.bytes.push(prefix.len128());
                self.bytes.extend(prefix.network().to_be_bytes());
                Some(())
            }
            Pattern::LanPort(port) => {
                self.port(*port);
                Some(())
            }
            Pattern::Payload(p) => self.payload(p),
        }
    }

    fn payload(&mut self, p: &PayloadPattern) -> Option<()> {
        let before = std::mem::take(&mut self.bytes);
        self.number(p.on.len())?;
        p.on.iter().for_each(|port| self.port(*port));
        for list in [&p.starts, &p.equals] {
            self.number(list.len())?;
            for bytes in list {
                self.bytes.push(u8::try_from(bytes.len()).ok()?);
                self.bytes.extend(&**bytes);
            }
        }
        let packed = std::mem::replace(&mut self.bytes, before);
        self.number(packed.len())?;
        self.bytes.extend(packed);
        Some(())
    }
}

fn word(new: &NewIndicator) -> u16 {
    let place = Category::ALL.iter().position(|c| *c == new.category).unwrap_or_default();
    let flags = u16::from(new.residual) << 8 | u16::from(new.browser) << 9;
    place as u16 | (new.usage as u16) << 4 | (new.confidence as u16) << 6 | flags
}

/// The id of an entry, which it begins with.
fn id_at<'b>(starts: &[u32], bytes: &'b [u8], at: u32) -> &'b [u8] {
    let start = starts.get(at as usize).map_or(0, |s| *s as usize);
    let (len, rest) = bytes.get(start..).and_then(|b| b.split_first()).unwrap_or((&0, &[]));
    rest.get(..usize::from(*len)).unwrap_or_default()
}

fn category(word: u16) -> Option<Category> {
    Category::ALL.get(usize::from(word & 15)).copied()
}

fn usage(word: u16) -> Use {
    USES.get(usize::from(word >> 4 & 3)).copied().unwrap_or(Use::Off)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(id: &str) -> NewIndicator {
        let port = TransportPort { transport: 17, port: 2001 };
        let payload =
            PayloadPattern { on: vec![port], starts: vec![[1, 2].into()], equals: vec![[].into(), [3].into()] };
        let path = |contains: Option<&str>| PathPattern { regex: "^/x".into(), contains: contains.map(Into::into) };
        NewIndicator {
            id: id.into(),
            category: Category::Lookalike,
            usage: Use::Support,
            confidence: Confidence::High,
            meaning: "One.".into(),
            residual: false,
            browser: true,
            patterns: vec![
                Pattern::Exact("a.example".into()),
                Pattern::Suffix("example".into()),
                Pattern::Host(Box::new(HostPattern { labels: "[a-z]+".into(), under: "b.example".into() })),
                Pattern::Path(Box::new(path(None))),
                Pattern::Path(Box::new(path(Some("x")))),
                Pattern::UserAgent("^x".into()),
                Pattern::Address(Box::new("10.0.0.0/8".parse().unwrap())),
                Pattern::Address(Box::new("2a03:2480::1".parse().unwrap())),
                Pattern::LanPort(port),
                Pattern::Payload(Box::new(payload)),
            ],
            sources: vec!["s".repeat(300), "t".into()],
            ports: vec!["tcp/443".into()],
            examples: Vec::new(),
            note: Some("A note.".into()),
            reason: None,
            valid_from: Some(-5),
            valid_until: Some(i64::MAX),
        }
    }

    #[test]
    fn what_is_packed_comes_out_again() {
        let mut entries = Entries::default();
        for id in ["first", "second"] {
            entries.push(&new(id)).unwrap();
        }
        entries.finish();
        let wanted = new("second");
        let i = entries.get(1).unwrap();
        assert_eq!(
            (i.id, i.category, i.usage, i.confidence),
            ("second", wanted.category, wanted.usage, wanted.confidence)
        );
        assert_eq!((i.meaning, i.residual, i.browser), ("One.", false, true));
        assert_eq!(i.patterns().len(), wanted.patterns.len());
        assert_eq!(i.patterns().collect::<Vec<_>>(), wanted.patterns);
        assert_eq!(i.sources().collect::<Vec<_>>(), wanted.sources);
        assert_eq!(i.ports().collect::<Vec<_>>(), wanted.ports);
        assert_eq!((i.examples().len(), i.note(), i.reason()), (0, Some("A note."), None));
        assert_eq!(i.validity(), (Some(-5), Some(i64::MAX)));
        assert_eq!((entries.find("second"), entries.find("third")), (Some(1), None));
        let names: Vec<_> = i
            .borrowed()
            .filter_map(|p| match p {
                PatternRef::Exact(n, at) | PatternRef::Suffix(n, at) | PatternRef::Host(_, n, at) => {
                    Some((n, at as usize))
                }
                _ => None,
            })
            .collect();
        assert_eq!(names.len(), 3);
        assert!(names.iter().all(|(n, at)| &entries.bytes()[*at..at + n.len()] == n.as_bytes()));
        // What both say stands once.
        assert!(entries.texts.bytes.len() < 400);
        assert!(entries.get(2).is_none());
    }

    #[test]
    fn entries_can_be_turned_off() {
        let mut entries = Entries::default();
        for id in ["first", "second"] {
            entries.push(&new(id)).unwrap();
        }
        let off = entries.with_off(|i| i.id == "second");
        assert_eq!(off.uses().collect::<Vec<_>>(), [Use::Support, Use::Off]);
        assert_eq!(off.get(1).unwrap().confidence, Confidence::High);
    }
}
