//! Facts in order of the hosts that they are of.

/// Numbers of facts by host, those of one host in their own order. Eight bytes
/// for a fact and its host, however much the facts themselves take.
#[derive(Debug, Default)]
pub(super) struct Groups {
    facts: Vec<u32>,
    /// Where those of each host begin; one more at the end.
    starts: Vec<u32>,
}

impl Groups {
    /// Of the host of each fact, in order of the facts. A fact of none has a
    /// number from `hosts` up, and is left out.
    pub(super) fn new(host_of: impl Iterator<Item = u32> + Clone, hosts: usize) -> Self {
        // Counts and distributes: sorting would compare half a million.
        let mut starts = vec![0u32; hosts + 1];
        let of_host = |host: u32| Some(host as usize).filter(|at| *at < hosts);
        for at in host_of.clone().filter_map(of_host) {
            if let Some(n) = starts.get_mut(at + 1) {
                *n += 1;
            }
        }
        let mut sum = 0;
        for n in &mut starts {
            sum += *n;
            *n = sum;
        }
        let mut next = starts.clone();
        let mut facts = vec![0; sum as usize];
        for (fact, host) in (0u32..).zip(host_of) {
            if let Some(place) = of_host(host).and_then(|at| next.get_mut(at)) {
                if let Some(to) = facts.get_mut(*place as usize) {
                    *to = fact;
                }
                *place += 1;
            }
        }
        Groups { facts, starts }
    }

    /// Those of one host.
    pub(super) fn of(&self, host: u32) -> &[u32] {
        let at = host as usize;
        match (self.starts.get(at), self.starts.get(at + 1)) {
            (Some(from), Some(to)) => self.facts.get(*from as usize..*to as usize).unwrap_or_default(),
            _ => &[],
        }
    }

    /// The hosts that have any, rising.
    pub(super) fn hosts(&self) -> impl Iterator<Item = u32> + '_ {
        (0u32..).zip(self.starts.windows(2)).filter(|(_, w)| w.first() < w.last()).map(|(host, _)| host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_keep_their_order_and_strays_are_left_out() {
        let groups = Groups::new([2, 0, 2, u32::MAX, 0, 2, 3].into_iter(), 3);
        assert_eq!(
            [0, 1, 2, 3, u32::MAX].map(|h| groups.of(h).to_vec()),
            [vec![1, 4], vec![], vec![0, 2, 5], vec![], vec![]]
        );
        assert_eq!(groups.hosts().collect::<Vec<_>>(), [0, 2]);
        assert_eq!(Groups::new([1].into_iter(), 0).hosts().count(), 0);
    }
}
