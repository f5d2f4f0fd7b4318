//! The frames that show a contact.

use super::draft::Names;
use super::pseudonym::Pseudonyms;
use super::record::Evidence;
use crate::base::digest::hex;
use crate::base::{Addr, Channel, Stage, Timestamp};
use crate::packet::EncapId;
use std::cmp::Reverse;

/// A frame that shows the contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Number of its source in this run: a flow that runs over rotated files
    /// has its evidence in several.
    pub source: u32,
    /// Its number in the source.
    pub number: u64,
    /// Offset of its record in the source.
    pub offset: u64,
    /// Capture time.
    pub ts: Timestamp,
    /// Interface of the source.
    pub interface: u16,
    /// Encapsulation.
    pub encap: EncapId,
    /// Sender and its port.
    pub src: (Addr, u16),
    /// Receiver and its port.
    pub dst: (Addr, u16),
    /// SHA-256 of the frame as captured.
    pub sha256: [u8; 32],
    /// What was seen there.
    pub name: Option<Box<str>>,
    /// Stage that the contact had reached with it.
    pub stage: Stage,
}

/// Where a frame lies in time.
pub(super) type Place = (Timestamp, u32, u64);

impl Frame {
    pub(super) fn place(&self) -> Place {
        (self.ts, self.source, self.number)
    }

    fn evidence(&self, channel: Channel, run: &dyn Names) -> Evidence {
        let path = run.file(self.source, self.interface);
        Evidence {
            offset: path.as_ref().map(|_| self.offset),
            path,
            interface: run.interface(self.source, self.interface),
            frame: self.number,
            ts: self.ts,
            channel,
            name: self.name.as_ref().map(|n| n.to_string()),
            src: self.src.0,
            sport: self.src.1,
            dst: self.dst.0,
            dport: self.dst.1,
            layers: run.layers(self.encap),
            packet_sha256: hex(&self.sha256),
        }
    }
}

/// A frame, and whether it made an observation or only moved a contact on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) frame: Frame,
    pub(super) observed: bool,
}

impl Kept {
    /// By time; what one frame shows several times differs in the rest.
    fn cmp(&self, other: &Kept) -> std::cmp::Ordering {
        let key = |k: &'_ Kept| (k.frame.place(), k.frame.stage);
        key(self).cmp(&key(other)).then_with(|| self.frame.name.cmp(&other.frame.name))
    }
}

/// Evidence of one channel: the first and the last observation, and the
/// earliest frame of the strongest stage. The same frames give the same
/// evidence in any order and however they were divided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) channel: Channel,
    /// In order of time, at most three.
    pub(super) kept: Vec<Kept>,
}

impl Shown {
    pub(super) fn new(channel: Channel) -> Self {
        Shown { channel, kept: Vec::with_capacity(1) }
    }

    /// What makes a frame the strongest: its stage, and among equals that it
    /// came early.
    fn strength(stage: Stage, place: Place, name: Option<&str>) -> (Stage, Reverse<(Place, Option<&str>)>) {
        (stage, Reverse((place, name)))
    }

    fn best(&self) -> Option<usize> {
        let of = |k: &'_ Kept| (k.frame.stage, Reverse(k.frame.place()));
        let cmp = |a: &Kept, b: &Kept| of(a).cmp(&of(b)).then_with(|| b.frame.name.cmp(&a.frame.name));
        self.kept.iter().enumerate().max_by(|a, b| cmp(a.1, b.1)).map(|(at, _)| at)
    }

    /// Whether a frame of that stage would be the strongest.
    pub(super) fn is_stronger(&self, stage: Stage, place: Place, name: Option<&str>) -> bool {
        let new = Self::strength(stage, place, name);
        self.kept.iter().all(|k| new > Self::strength(k.frame.stage, k.frame.place(), k.frame.name.as_deref()))
    }

    pub(super) fn add(&mut self, frame: Frame, observed: bool) {
        let new = Kept { frame, observed };
        let mid = observed
            && self.kept.iter().all(|k| k.cmp(&new).is_ne())
            && self.kept.iter().any(|k| k.observed && k.cmp(&new).is_lt())
            && self.kept.iter().any(|k| k.observed && k.cmp(&new).is_gt());
        let f = &new.frame;
        if mid && !self.is_stronger(f.stage, f.place(), f.name.as_deref()) {
            return;
        }
        self.insert(new);
        self.reduce();
    }

    /// The same with pseudonyms. `at_home` says that a server of the contact is.
    pub(super) fn conceal(self, pseudonyms: &Pseudonyms, at_home: bool) -> Self {
        let Shown { channel, kept } = self;
        // Paths and networks are no names, but may hold addresses.
        let named = !matches!(channel, Channel::HttpPath | Channel::Netblock | Channel::LanPort);
        let frame = |f: Frame| {
            let Frame { source, number, offset, ts, interface, encap, src, dst, sha256, name, stage } = f;
            let (src, dst) = ((pseudonyms.address(src.0), src.1), (pseudonyms.address(dst.0), dst.1));
            let sha256 = pseudonyms.digest(&sha256);
            let name = name.map(|n| match named {
                true => pseudonyms.server_name(&n, at_home),
                false => pseudonyms.text(&n).into(),
            });
            Frame { source, number, offset, ts, interface, encap, src, dst, sha256, name, stage }
        };
        let mut kept: Vec<Kept> =
            kept.into_iter().map(|Kept { frame: f, observed }| Kept { frame: frame(f), observed }).collect();
        kept.sort_by(Kept::cmp);
        Shown { channel, kept }
    }

    fn insert(&mut self, new: Kept) {
        match self.kept.binary_search_by(|k| k.cmp(&new)) {
            Ok(at) => self.kept.iter_mut().skip(at).take(1).for_each(|k| k.observed |= new.observed),
            Err(at) => self.kept.insert(at, new),
        }
    }

    /// Forgets what is neither first, last nor strongest.
    fn reduce(&mut self) {
        let first = self.kept.iter().position(|k| k.observed);
        let last = self.kept.iter().rposition(|k| k.observed);
        let best = self.best();
        let mut at = 0;
        self.kept.retain(|_| {
            let keep = [first, last, best].contains(&Some(at));
            at += 1;
            keep
        });
    }

    pub(super) fn merge(&mut self, other: &Shown) {
        for k in &other.kept {
            self.insert(k.clone());
        }
        self.reduce();
    }

    /// Bytes it takes, about.
    pub(super) fn weight(&self) -> usize {
        let each = |k: &Kept| size_of::<Kept>().saturating_add(k.frame.name.as_ref().map_or(0, |n| n.len()));
        self.kept.iter().map(each).fold(size_of::<Shown>(), usize::saturating_add)
    }

    /// Each frame once, in order of time.
    pub(super) fn frames(&self) -> impl Iterator<Item = &Frame> {
        let mut all: Vec<&Frame> = self.kept.iter().map(|k| &k.frame).collect();
        all.dedup_by_key(|f| (f.source, f.number));
        all.into_iter()
    }

    pub(super) fn evidence<'a>(&'a self, run: &'a dyn Names) -> impl Iterator<Item = Evidence> + 'a {
        self.frames().map(|f| f.evidence(self.channel, run))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(crate) fn frame(number: u64, stage: Stage) -> Frame {
        Frame {
            source: 0,
            number,
            offset: 0,
            ts: Timestamp(number as i64),
            interface: 0,
            encap: EncapId(0),
            src: (Addr::v4([10, 0, 0, 1]), 1),
            dst: (Addr::v4([10, 0, 0, 2]), 2),
            sha256: [0; 32],
            name: None,
            stage,
        }
    }

    const STAGES: [Stage; 5] =
        [Stage::Queried, Stage::Answered, Stage::Attempted, Stage::Connected, Stage::Transferred];

    fn shown(frames: &[(u64, usize, bool)]) -> Shown {
        let mut s = Shown::new(Channel::TlsSni);
        for (n, stage, observed) in frames {
            s.add(frame(*n, STAGES[*stage]), *observed);
        }
        s
    }

    #[test]
    fn evidence_is_first_last_and_strongest() {
        let s = shown(&[(1, 2, true), (2, 3, false), (3, 2, true), (4, 2, true), (5, 3, false)]);
        assert_eq!(s.frames().map(|f| f.number).collect::<Vec<_>>(), [1, 2, 4]);
        assert_eq!(shown(&[(7, 2, true), (7, 3, false)]).frames().count(), 1);
        assert_eq!(shown(&[(7, 2, true)]).kept.len(), 1);
    }

    proptest! {
        #[test]
        fn neither_order_nor_division_matters(
            frames in proptest::collection::vec((1u64..20, 0usize..5, any::<bool>()), 1..20), cut in 0usize..20,
        ) {
            let whole = shown(&frames);
            prop_assert!(whole.kept.len() <= 3);
            let observed = frames.iter().filter(|f| f.2).map(|f| f.0);
            let kept = |n| whole.frames().any(|f| f.number == n);
            prop_assert!(observed.clone().min().is_none_or(kept) && observed.max().is_none_or(kept));
            let most = frames.iter().map(|f| f.1).max().unwrap();
            prop_assert!(whole.kept.iter().any(|k| k.frame.stage == STAGES[most]));
            let (a, b) = frames.split_at(cut.min(frames.len()));
            let mut ab = shown(a);
            ab.merge(&shown(b));
            prop_assert_eq!(&ab, &whole);
            let mut back = frames.clone();
            back.reverse();
            prop_assert_eq!(shown(&back), whole);
        }
    }
}
