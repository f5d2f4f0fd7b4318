//! Says what came for days that are over, so that nobody takes a record that
//! could not be made for a contact that was not.

use crate::base::time::format_day;
use crate::cli::exit::Exit;
use crate::coverage::{Counter, Ledger};
use crate::report::counted;

/// What came too late.
#[derive(Debug, Default)]
pub(super) struct Late {
    any: bool,
    /// Said since a day was closed.
    said: bool,
}

impl Late {
    /// What to say of contacts that came too late now, which are in a ledger by
    /// their days.
    pub(super) fn came(&mut self, late: &mut Ledger) -> Option<String> {
        let mut entries = late.entries().iter().filter(|(_, e)| e.counts.get(Counter::ObservationsLate) > 0);
        let (key, entry) = entries.next()?;
        self.any = true;
        if std::mem::replace(&mut self.said, true) {
            return None;
        }
        let contacts = counted(entry.counts.get(Counter::ObservationsLate), "contact", "contacts");
        let day = format_day(key.quarter.div_euclid(96));
        Some(format!(
            "{contacts} of {day} came when the records of that day were closed, and more may; these are not recorded: \
             replay what they are in, with the same --store"
        ))
    }

    /// A day is closed: what comes for it from now on is another matter.
    pub(super) fn closed(&mut self) {
        self.said = false;
    }

    /// What it means for the end of the run.
    pub(super) fn exit(&self) -> Exit {
        if self.any { Exit::Partial } else { Exit::Done }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coverage::Key;

    #[test]
    fn it_is_said_once_until_another_day_is_closed() {
        let mut late = Late::default();
        let mut none = Ledger::new();
        assert_eq!((late.came(&mut none), late.exit()), (None, Exit::Done));
        let mut some = Ledger::new();
        some.turn_to(Key { source: 0, interface: 0, quarter: 96 });
        some.add(Counter::ObservationsLate, 2);
        let sentence = late.came(&mut some).unwrap();
        assert!(sentence.starts_with("2 contacts of 1970-01-02 came when"), "{sentence}");
        assert_eq!((late.came(&mut some), late.exit()), (None, Exit::Partial));
        late.closed();
        assert!(late.came(&mut none).is_none() && late.came(&mut some).is_some());
    }
}
