//! What hosts are called, and by whom.

use super::facts::Interval;

/// How much a source's word is worth, the least number the most; none for one
/// that tells no names. The user's inventory stands before all of them.
fn rank(kind: &str) -> Option<u8> {
    match kind {
        // A lease ties the name to the address.
        "dhcp" | "dhcpv6" => Some(0),
        "mdns" => Some(1),
        "llmnr" => Some(2),
        "nbns" => Some(3),
        // Not the host's own word.
        "ptr" => Some(4),
        _ => None,
    }
}

/// Names of one host that the sources told.
#[derive(Clone, Debug, Default)]
pub(super) struct Told<'f> {
    /// Rank, last time, name, kind.
    all: Vec<(u8, i64, &'f str, &'f str)>,
}

/// A name and what told it.
pub(super) type Named = (String, String);

impl<'f> Told<'f> {
    /// Adds what an interval tells that lasted `from` and `to` in the window.
    pub(super) fn add(&mut self, interval: &'f Interval, from: i64, to: i64) {
        if let (Some(rank), Some(name)) = (rank(&interval.kind), interval.name.as_deref())
            && !name.is_empty()
        {
            // A lease was told when it began; others are told again and again.
            let told = if rank == 0 { from } else { to };
            self.all.push((rank, told, name, &interval.kind));
        }
    }

    /// The last name of the best source, and the different ones that the same
    /// source told before, in the order of time.
    pub(super) fn settle(mut self) -> (Option<Named>, Vec<Named>) {
        self.all.sort_unstable();
        let Some(best) = self.all.first().map(|(rank, ..)| *rank) else { return (None, Vec::new()) };
        self.all.retain(|(rank, ..)| *rank == best);
        let named = |(_, _, name, kind): &(u8, i64, &str, &str)| ((*name).to_owned(), (*kind).to_owned());
        let last = self.all.last().map(named);
        let mut before: Vec<Named> = Vec::new();
        for told in self.all.iter().map(named) {
            if last.as_ref() != Some(&told) && !before.contains(&told) && before.len() < MAX_BEFORE {
                before.push(told);
            }
        }
        (last, before)
    }
}

/// Earlier names that are listed of a host.
const MAX_BEFORE: usize = 16;
