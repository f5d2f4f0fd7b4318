//! Every combination of groups that was met, numbered.

use super::{Groups, Key};
use crate::base::Addr;
use foldhash::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// The number of a combination of groups, of a group, or of an organisation.
pub type Place = u32;

/// No organisation.
pub(in super::super) const NOBODY: u32 = u32::MAX;

/// What is said in some columns; `None` is unknown.
pub type Values = Box<[Option<Box<str>>]>;

/// What a place stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Meaning {
    /// Number of its organisation, [`NOBODY`] if unknown.
    pub(in super::super) org: u32,
    /// Number of its group in each dimension.
    pub(in super::super) groups: Box<[u32]>,
}

/// Numbers combinations of groups for several threads.
#[derive(Debug)]
pub struct Places<'g> {
    groups: &'g Groups,
    /// Columns that any dimension or the organisation needs.
    columns: Vec<String>,
    /// Places in `columns` of each dimension.
    dimensions: Vec<Vec<usize>>,
    /// Place in `columns` of the organisation.
    org: Option<usize>,
    depends_on_day: bool,
    /// Groups of all dimensions at most.
    most: usize,
    too_many: AtomicBool,
    met: Mutex<Met>,
}

/// What all threads have met.
#[derive(Debug, Default)]
pub(in super::super) struct Met {
    numbers: HashMap<Values, Place>,
    orgs: HashMap<Box<str>, u32>,
    of_dimension: Vec<HashMap<Values, u32>>,
    /// What each place stands for.
    pub(in super::super) all: Vec<Meaning>,
}

impl Met {
    /// The groups of a dimension, by their numbers.
    pub(in super::super) fn groups(&self, dimension: usize) -> impl Iterator<Item = (&Values, u32)> {
        self.of_dimension.get(dimension).into_iter().flatten().map(|(values, number)| (values, *number))
    }
}

/// What one thread has met.
#[derive(Debug, Default)]
pub(in super::super) struct Cache {
    by_key: HashMap<Key, (Place, bool)>,
    meanings: HashMap<Place, Meaning>,
}

impl Cache {
    /// What a place stands for that this thread was given.
    pub(in super::super) fn meaning(&self, place: Place) -> Option<&Meaning> {
        self.meanings.get(&place)
    }
}

fn number<T: Eq + std::hash::Hash>(known: &mut HashMap<T, u32>, key: T) -> u32 {
    let next = u32::try_from(known.len()).unwrap_or(NOBODY);
    *known.entry(key).or_insert(next)
}

impl<'g> Places<'g> {
    /// Of these dimensions, and of the column `org` if there is one.
    pub fn new(groups: &'g Groups, dimensions: &[Vec<String>]) -> Self {
        let mut columns: Vec<String> = Vec::new();
        if groups.columns().contains(&"org") {
            columns.push("org".to_owned());
        }
        let org = (!columns.is_empty()).then_some(0);
        let mut place = |column: &String| {
            columns.iter().position(|c| c == column).unwrap_or_else(|| {
                columns.push(column.clone());
                columns.len() - 1
            })
        };
        let dimensions: Vec<Vec<usize>> = dimensions.iter().map(|d| d.iter().map(&mut place).collect()).collect();
        let met = Met { of_dimension: vec![HashMap::default(); dimensions.len()], ..Met::default() };
        let depends_on_day = groups.depends_on_day();
        let (most, too_many) = (usize::MAX, AtomicBool::new(false));
        Places { groups, columns, dimensions, org, depends_on_day, most, too_many, met: Mutex::new(met) }
    }

    /// With so many groups of all dimensions at most.
    pub fn at_most(self, most: usize) -> Self {
        Places { most, ..self }
    }

    /// Whether more groups than that were met.
    pub fn are_too_many(&self) -> bool {
        self.too_many.load(Ordering::Relaxed)
    }

    /// Whether organisations are known at all.
    pub fn has_org(&self) -> bool {
        self.org.is_some()
    }

    /// Whether an address may be in different places on different days.
    pub(in super::super) fn depends_on_day(&self) -> bool {
        self.depends_on_day
    }

    /// The place of an address on a day, and whether anything is known of it.
    pub(in super::super) fn of(&self, cache: &mut Cache, ip: &Addr, day: i32) -> (Place, bool) {
        let key = if self.columns.is_empty() { Key::default() } else { self.groups.key(ip, day) };
        if let Some(found) = cache.by_key.get(&key) {
            return *found;
        }
        let value = |column: &String| self.groups.value(&key, ip, column).map(String::into_boxed_str);
        let values: Values = self.columns.iter().map(value).collect();
        let known = values.iter().any(Option::is_some);
        let mut met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        let place = self.number(&mut met, values);
        if let Some(meaning) = met.all.get(place as usize) {
            cache.meanings.insert(place, meaning.clone());
        }
        cache.by_key.insert(key, (place, known));
        (place, known)
    }

    fn number(&self, met: &mut Met, values: Values) -> Place {
        if let Some(place) = met.numbers.get(&values) {
            return *place;
        }
        let org = self.org.and_then(|at| values.get(at).cloned().flatten());
        let org = org.map_or(NOBODY, |org| number(&mut met.orgs, org));
        let group = |(columns, known): (&Vec<usize>, &mut HashMap<Values, u32>)| {
            let of: Values = columns.iter().map(|at| values.get(*at).cloned().flatten()).collect();
            number(known, of)
        };
        let groups = self.dimensions.iter().zip(&mut met.of_dimension).map(group).collect();
        if met.of_dimension.iter().map(HashMap::len).sum::<usize>() > self.most {
            self.too_many.store(true, Ordering::Relaxed);
        }
        met.all.push(Meaning { org, groups });
        number(&mut met.numbers, values)
    }

    /// What places stand for, as far as they were met.
    pub(in super::super) fn with_meanings<T>(&self, each: impl FnOnce(&[Meaning]) -> T) -> T {
        each(&self.met.lock().unwrap_or_else(PoisonError::into_inner).all)
    }

    /// All that was met.
    pub(in super::super) fn into_met(self) -> Met {
        self.met.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}
