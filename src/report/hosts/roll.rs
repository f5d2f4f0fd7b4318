//! A list of more hosts than there should be room for.

use super::table::is_more_than_alarms;
use super::{Listed, Order, Sorted, Tally, order};
use crate::base::{Mac, Timestamp};
use crate::host::{AcceptList, HostView, Standing};
use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::HashSet;
use std::io;
use std::rc::Rc;

/// Hosts that are held; what is said of others is made again when it is
/// written.
const HELD: usize = 20_000;

/// Hosts in the order of every list, with little more than their order.
pub struct Roll<'a> {
    make: &'a dyn Fn(u32) -> Option<HostView>,
    as_of: Timestamp,
    /// In the order of the list.
    entries: Vec<Entry<'a>>,
    /// Hosts that were sorted already, and the exceptions; then there are no
    /// entries.
    sorted: Option<(&'a Sorted, &'a AcceptList)>,
    tally: Tally,
    left_out: u64,
}

/// What is known of a host before it is made.
pub(super) struct Entry<'a> {
    number: u32,
    order: Order,
    segment: Rc<str>,
    mac: Option<Mac>,
    pub(super) standing: Standing<'a>,
    /// There is something to say of it besides its alarms.
    pub(super) more_than_alarms: bool,
    held: Option<Box<HostView>>,
}

impl<'a> Entry<'a> {
    fn of(
        number: u32,
        view: HostView,
        standing: Standing<'a>,
        held: bool,
        segments: &mut HashSet<Rc<str>>,
    ) -> Entry<'a> {
        let segment = segments.get(view.segment.as_str()).cloned().unwrap_or_else(|| {
            let new: Rc<str> = view.segment.as_str().into();
            segments.insert(Rc::clone(&new));
            new
        });
        Entry {
            number,
            order: order(&view),
            segment,
            mac: view.mac,
            standing,
            more_than_alarms: is_more_than_alarms(&view),
            held: held.then(|| Box::new(view)),
        }
    }
}

impl Entry<'_> {
    pub(super) fn is_alarm(&self) -> bool {
        !self.order.0
    }

    /// Of its verdict, the strongest first.
    pub(super) fn strength(&self) -> Reverse<u8> {
        self.order.1
    }
}

impl<'a> Roll<'a> {
    /// Of hosts by number. `make` says what is concluded of one, the same each
    /// time, and `list` what the exceptions say of it; `None` leaves it out.
    pub fn new(
        numbers: &[u32],
        make: &'a dyn Fn(u32) -> Option<HostView>,
        as_of: Timestamp,
        mut list: impl FnMut(&HostView) -> Option<Standing<'a>>,
    ) -> Self {
        let mut segments: HashSet<Rc<str>> = HashSet::new();
        let tally = Tally::default();
        let mut roll = Roll { make, as_of, entries: Vec::new(), sorted: None, tally, left_out: 0 };
        for number in numbers.iter().copied() {
            let Some(view) = make(number) else { continue };
            let Some(standing) = list(&view) else { continue };
            roll.tally.add(&Listed { view: &view, standing, as_of });
            let held = roll.entries.len() < HELD;
            roll.entries.push(Entry::of(number, view, standing, held, &mut segments));
        }
        roll.sort();
        roll
    }

    /// Of hosts that were sorted; `tally` counts them.
    pub fn sorted(hosts: &'a Sorted, accept: &'a AcceptList, as_of: Timestamp, tally: Tally) -> Self {
        let (entries, sorted) = (Vec::new(), Some((hosts, accept)));
        Roll { make: &|_| None, as_of, entries, sorted, tally, left_out: 0 }
    }

    /// Of sorted hosts the first ones, with the counts of all; `None` where
    /// hosts can be asked for one by one as they are.
    pub(super) fn strongest(&self, most: usize) -> io::Result<Option<Roll<'a>>> {
        let Some((hosts, accept)) = self.sorted else { return Ok(None) };
        let mut segments = HashSet::new();
        let mut entries: Vec<Entry<'a>> = Vec::new();
        hosts.each(|view| {
            if entries.len() < most {
                let standing = accept.standing(&view, self.as_of.day());
                entries.push(Entry::of(0, view, standing, true, &mut segments));
            }
            Ok(entries.len() < most)
        })?;
        let left_out = hosts.len().saturating_sub(entries.len() as u64);
        Ok(Some(Roll { entries, sorted: None, tally: self.tally.clone(), left_out, ..*self }))
    }

    /// How many hosts it counts and does not tell of.
    pub(super) fn left_out(&self) -> u64 {
        self.left_out
    }

    fn sort(&mut self) {
        let mut entries = std::mem::take(&mut self.entries);
        // Hosts that even share a hardware address are few.
        let records = |e: &Entry<'_>| self.view(e).map(|v| v.sightings.clone());
        entries.sort_by(|a, b| {
            let same = (a.order, &a.segment, a.mac).cmp(&(b.order, &b.segment, b.mac));
            same.then_with(|| records(a).cmp(&records(b)))
        });
        self.entries = entries;
    }

    /// How many.
    pub fn len(&self) -> usize {
        let sorted = self.sorted.map_or(0, |(hosts, _)| usize::try_from(hosts.len()).unwrap_or(usize::MAX));
        self.entries.len().saturating_add(sorted)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many have alarms.
    pub fn alarms(&self) -> u64 {
        self.tally.alarms()
    }

    /// How many of each kind.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Tells of each in turn.
    ///
    /// # Errors
    /// Those of `tell`, which ends it.
    pub fn each(&self, mut tell: impl FnMut(&Listed<'_>) -> io::Result<()>) -> io::Result<()> {
        if let Some((hosts, accept)) = self.sorted {
            return hosts.each(|view| {
                let standing = accept.standing(&view, self.as_of.day());
                tell(&Listed { view: &view, standing, as_of: self.as_of })?;
                Ok(true)
            });
        }
        self.tell(&self.entries, tell)
    }

    pub(super) fn entries(&self) -> &[Entry<'a>] {
        &self.entries
    }

    /// Tells of some of the entries.
    pub(super) fn tell<'e>(
        &self,
        entries: impl IntoIterator<Item = &'e Entry<'a>>,
        mut tell: impl FnMut(&Listed<'_>) -> io::Result<()>,
    ) -> io::Result<()>
    where
        'a: 'e,
    {
        for entry in entries {
            if let Some(view) = self.view(entry) {
                tell(&Listed { view: &view, standing: entry.standing, as_of: self.as_of })?;
            }
        }
        Ok(())
    }

    fn view<'e>(&self, entry: &'e Entry<'_>) -> Option<Cow<'e, HostView>> {
        match &entry.held {
            Some(view) => Some(Cow::Borrowed(view)),
            None => (self.make)(entry.number).map(Cow::Owned),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Addr;
    use crate::host::Verdict;
    use crate::host::sample::view;
    use std::cell::Cell;

    #[test]
    fn what_is_not_held_is_made_again_in_the_order_of_all_lists() {
        let n = HELD as u32 + 50;
        let made = Cell::new(0u32);
        let make = |number: u32| {
            made.set(made.get() + 1);
            let verdict = if number == n - 1 { Verdict::Active } else { Verdict::Updating };
            let mut v = view("10.0.0.5", verdict);
            let [_, b, c, d] = (n - number).to_be_bytes();
            v.ip = Addr::v4([10, b, c, d]);
            (number != 7).then_some(v)
        };
        let numbers: Vec<u32> = (0..n).collect();
        let roll =
            Roll::new(&numbers, &make, Timestamp(0), |v| (v.ip != Addr::v4([10, 0, 0, 9])).then_some(Standing::Open));
        assert_eq!((roll.len() as u32, made.get()), (n - 2, n), "one is none, one is left out");
        let mut told = Vec::new();
        roll.each(|h| {
            told.push((h.view.verdict, h.view.ip));
            Ok(())
        })
        .unwrap();
        assert_eq!(made.get(), n + 48, "what is held is not made again");
        assert_eq!(told.first(), Some(&(Verdict::Active, Addr::v4([10, 0, 0, 1]))));
        assert!(told.windows(2).skip(1).all(|w| w[0].1 < w[1].1) && told.len() == roll.len());
        assert!(size_of::<Entry<'_>>() <= 88, "half a million take 42 MiB");
    }

    #[test]
    fn hosts_alike_stand_in_order_of_their_records() {
        let make = |number: u32| {
            let mut v = view("10.0.0.5", Verdict::Active);
            v.sightings = vec![[9 - number as u8; 16]];
            Some(v)
        };
        let roll = Roll::new(&[0, 1, 2], &make, Timestamp(0), |_| Some(Standing::Open));
        let order: Vec<u32> = roll.entries().iter().map(|e| e.number).collect();
        assert_eq!(order, [2, 1, 0]);
    }
}
