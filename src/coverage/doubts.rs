//! When too little was seen to say that there was nothing: the one place that
//! decides it, for a run, for a store and for each window that is counted.

use super::shares::{self, Share, ShareDef};
use super::{Counter, Counts};
use crate::base::Timestamp;
use crate::base::time::DAY_QUARTERS;

/// Why an empty result says nothing.
#[derive(Clone, Copy, Debug)]
pub enum Doubt {
    /// No frame came.
    NoFrame,
    /// All frames were left out by options.
    AllFiltered,
    /// No frame became a segment.
    NothingDecoded,
    /// No host name was seen.
    NoName,
    /// Hardly any connection was seen beside DNS: lookups show, contacts do not.
    OnlyDns,
    /// No home address was seen.
    NoHomeAddress,
    /// So many contacts were made by clients outside the home networks, which are
    /// no hosts, although they may be those that were meant.
    Outside(u64),
    /// So many contacts came when the record of their day was closed.
    Late(u64),
    /// A share is more than its limit: what it is of what, in words behind the
    /// number.
    TooMuch(Share, &'static str),
    /// A share is less than its limit, likewise.
    TooLittle(Share, &'static str),
    /// Frames came in so many quarter hours only, of so many of the window.
    Down(u64, u64),
    /// The same of one of several sensors, by its place among them: what the
    /// others saw then is not what it would have seen.
    SensorDown(usize, u64, u64),
    /// So many captures could not be read in full.
    Damaged(u64),
    /// Of so many sources only records were imported.
    Imported(u64),
    /// Records of so many days were removed.
    Removed(u64),
    /// So many indicators of the catalogue in effect were not looked for when
    /// some of it was recorded.
    Unlooked(u64),
    /// Of hosts that were asked for by network or name none was in view, by the
    /// place among what was asked for.
    OutOfView(usize),
    /// What a live run left out without counting it, or never got, by its place among
    /// such.
    Narrowed(usize),
}

/// What could be seen in a time.
#[derive(Clone, Copy, Debug)]
pub struct Sight<'a> {
    /// All that was counted.
    pub counts: &'a Counts,
    /// Whether any home address was seen.
    pub saw_home: bool,
    /// Quarter hours with frames, and those that there were; `None` where no
    /// time was asked for.
    pub quarters: Option<(u64, u64)>,
    /// Quarter hours with frames of each sensor that had any.
    pub sensors: &'a [u64],
    /// Captures that could not be read in full.
    pub damaged: u64,
    /// Sources of which only records were imported.
    pub imported: u64,
    /// Days of which records were removed.
    pub removed_days: u64,
    /// Indicators of the catalogue in effect that were not looked for in every
    /// source.
    pub unlooked: u64,
    /// How many networks and names were asked for of which no host was in view.
    pub out_of_view: usize,
    /// How many things a live run left out without counting them, or never got.
    pub narrowed: usize,
}

/// Counters any of which shows that flows other than DNS were seen; the latter three
/// are in stores that lack the first.
pub const OTHER_FLOWS: &[Counter] =
    &[Counter::FlowsOther, Counter::TlsHellos, Counter::QuicInitials, Counter::HttpRequests];

/// DNS messages for which one flow of another kind must have been seen: where
/// connections are in view there are as many as lookups, about.
const DNS_BY_FLOW: u64 = 100;
/// Fewer of them say nothing.
const LEAST_DNS: u64 = 100;

/// Thousandths of the quarter hours of a window that frames must have come in.
const LEAST_UP: u64 = 950;

/// Quarter hours until a live run has surely written down what it saw in one.
const WRITTEN_BY: i64 = 2;

/// The last quarter hour of a window up to `to` of which anything could be known
/// at a time: what had not come by then, or what a live run had yet to write down,
/// could not be seen. Up to `up`, the last one with frames, something is known
/// whatever the clock says.
pub fn last_known(to: i64, at: Timestamp, up: Option<i64>) -> i64 {
    to.min(at.quarter().saturating_sub(WRITTEN_BY)).max(up.map_or(i64::MIN, |up| up.min(to)))
}

/// A limit to a share beyond which contacts are likely to be missed.
struct Limit {
    share: &'static ShareDef,
    /// Thousandths: more is too much, or less is too little.
    per_mille: u64,
    bound: Bound,
    /// Of a smaller whole the share says nothing.
    least: u64,
    what: &'static str,
}

enum Bound {
    AtMost,
    AtLeast,
}

const fn at_most(per_mille: u64, share: &'static ShareDef, least: u64, what: &'static str) -> Limit {
    Limit { share, per_mille, bound: Bound::AtMost, least, what }
}

const fn at_least(per_mille: u64, share: &'static ShareDef, least: u64, what: &'static str) -> Limit {
    Limit { share, per_mille, bound: Bound::AtLeast, least, what }
}

/// The limits. One contact shows in several frames (a lookup, its answer, a
/// hello), so that a loss of a few parts in a hundred hides few contacts for
/// good; what is lost in bursts or by kind hides many.
const LIMITS: &[Limit] = &[
    // Drops come in bursts, when the network is busiest.
    at_most(10, shares::FRAMES_DROPPED, 1, "of the frames were dropped before they could be captured"),
    // Half of what Zeek gives notice of, whose sample is all flows; a small
    // sample swings with one flow.
    at_most(50, shares::SAMPLE_UNSEEN, 100_000, "of the acknowledged bytes in the sample were never captured"),
    // A frame that is cut is one that is long enough to hold a name.
    at_most(100, shares::FRAMES_CUT, 10, "of the frames were cut short by the snap length"),
    // A hello that is not read to its end has no name.
    at_least(900, shares::HELLOS_COMPLETED, 10, "of the TLS ClientHellos could be read to their end"),
    // The rest shows neither name nor progress; retries make some closed ones normal.
    at_least(500, shares::QUIC_OPENED, 10, "of the QUIC Initial packets could be opened"),
    // No more names are to come in them; a capture that goes on has few.
    at_most(
        500,
        shares::FLOWS_MID_STREAM,
        10,
        "of the flows were under way before the capture began, their names gone by",
    ),
    at_most(500, shares::HELLOS_NAMELESS, 10, "of the TLS ClientHellos had no server name"),
    // Some flows are never answered; where most are not, a direction is missing.
    at_most(500, shares::FLOWS_ONE_SIDED, 10, "of the TCP flows with payload showed only one direction"),
    at_most(500, shares::DNS_UNSOLICITED, 10, "of the DNS answers came without their question in view"),
    // The names are in what was not decoded, if anywhere.
    at_most(10, shares::LINK_UNSUPPORTED, 100, "of the frames were of a link type that is not decoded"),
    at_least(500, shares::BYTES_DECODED, 10_000, "of the bytes were in TCP segments and UDP datagrams"),
    at_most(200, shares::BYTES_OPAQUE, 10_000, "of the bytes were in layers that hide everything"),
    at_most(100, shares::ECH_CONCEALED, 10, "of the TLS ClientHellos hid their server name"),
    at_most(100, shares::FRAGMENTS_LOST, 100, "of the fragmented datagrams were not put together"),
];

impl Doubt {
    /// Whether another one is of the same kind and share.
    pub fn is_alike(&self, other: &Doubt) -> bool {
        let share = |d: &Doubt| match d {
            Doubt::TooMuch(share, _) | Doubt::TooLittle(share, _) => Some(share.def.word),
            _ => None,
        };
        std::mem::discriminant(self) == std::mem::discriminant(other) && share(self) == share(other)
    }

    /// Whether nothing that was counted says how much it hides: drops, bytes
    /// that were never captured and time without frames say it of themselves. What
    /// sources saw of which records were imported is another matter than what was
    /// seen here.
    pub fn is_unmeasured(&self) -> bool {
        match self {
            Doubt::TooMuch(share, _) | Doubt::TooLittle(share, _) => {
                ![shares::FRAMES_DROPPED.word, shares::SAMPLE_UNSEEN.word].contains(&share.def.word)
            }
            Doubt::Down(..) | Doubt::Imported(_) => false,
            _ => true,
        }
    }
}

/// What makes it doubtful that all contacts were seen; empty of a fair view.
pub fn all(sight: &Sight<'_>) -> Vec<Doubt> {
    let mut found = doubts(sight.counts, sight.saw_home);
    let add = |found: &mut Vec<Doubt>, n: u64, doubt: fn(u64) -> Doubt| {
        if n > 0 {
            found.push(doubt(n));
        }
    };
    let is_down = |up: u64, of: u64| up.saturating_mul(1000) < of.saturating_mul(LEAST_UP);
    if let Some((up, of)) = sight.quarters.filter(|_| sight.counts.get(Counter::Frames) > 0) {
        if is_down(up, of) {
            found.push(Doubt::Down(up, of));
        }
        // One alone is all that there is, as said already.
        let several = sight.sensors.iter().enumerate().filter(|_| sight.sensors.len() > 1);
        found.extend(several.filter(|(_, up)| is_down(**up, of)).map(|(at, up)| Doubt::SensorDown(at, *up, of)));
    }
    add(&mut found, sight.damaged, Doubt::Damaged);
    add(&mut found, sight.imported, Doubt::Imported);
    add(&mut found, sight.removed_days, Doubt::Removed);
    add(&mut found, sight.unlooked, Doubt::Unlooked);
    // Of nothing nobody was in view.
    if sight.counts.get(Counter::Frames) > 0 {
        found.extend((0..sight.out_of_view).map(Doubt::OutOfView));
        found.extend((0..sight.narrowed).map(Doubt::Narrowed));
    }
    found
}

/// Frames from which on a sensor is judged beside others.
const MANY: u64 = 100;

/// What makes it doubtful of which of several sensors that it could see contacts, by
/// what each counted and its place among them: what others saw hides that in the sum.
/// What is `found` of the sum is no more said of a sensor. That one shows DNS alone is
/// no fault: others may be there for the connections.
pub fn of_sensors<'c>(sensors: impl ExactSizeIterator<Item = &'c Counts>, found: &[Doubt]) -> Vec<(usize, Doubt)> {
    // One alone is the sum.
    if sensors.len() < 2 {
        return Vec::new();
    }
    let known = |doubt: &Doubt| found.iter().any(|f| f.is_alike(doubt));
    let many = sensors.enumerate().filter(|(_, counts)| counts.get(Counter::Frames) >= MANY);
    many.flat_map(|(at, counts)| doubts(counts, true).into_iter().map(move |doubt| (at, doubt)))
        .filter(|(_, doubt)| !known(doubt) && !matches!(doubt, Doubt::OnlyDns))
        .collect()
}

/// Whether what a sensor counted of it bears on what is in doubt of it.
pub fn is_judged(counter: Counter) -> bool {
    const ALONE: [Counter; 7] = [
        Counter::Frames,
        Counter::FramesFiltered,
        Counter::TcpSegments,
        Counter::UdpDatagrams,
        Counter::Names,
        Counter::ObservationsOutside,
        Counter::ObservationsLate,
    ];
    let in_share = |s: &ShareDef| [s.part, s.less, s.whole, s.whole_less].iter().any(|all| all.contains(&counter));
    ALONE.contains(&counter) || LIMITS.iter().any(|limit| in_share(limit.share))
}

fn sum(counts: &Counts, of: &[Counter]) -> u64 {
    of.iter().fold(0, |sum, c| sum.saturating_add(counts.get(*c)))
}

/// Why a capture hides all that there was at its place, if it does: what others saw
/// hides that in the sum, whichever sensor they are said to be of.
pub fn of_capture(counts: &Counts) -> Option<Doubt> {
    let frames = counts.get(Counter::Frames).saturating_sub(counts.get(Counter::FramesFiltered));
    if frames < MANY {
        return None;
    }
    let hides = |d: &Doubt| match d {
        Doubt::NothingDecoded => true,
        Doubt::TooLittle(share, _) => share.def.word == shares::BYTES_DECODED.word,
        _ => false,
    };
    doubts(counts, true).into_iter().find(hides)
}

/// Counters that [`of_capture`] asks for.
pub const OF_CAPTURE: &[Counter] = &[
    Counter::Frames,
    Counter::FramesFiltered,
    Counter::TcpSegments,
    Counter::UdpDatagrams,
    Counter::WireBytes,
    Counter::BytesFiltered,
    Counter::BytesDecoded,
];

/// Quarter hours of the time that was asked for, where one was: from `since`, else
/// from the first packet; up to `until`, else to the end of the day of the last one,
/// or `to_now`. `at` is when that is asked.
pub fn quarters_asked(
    (since, until): (Option<Timestamp>, Option<Timestamp>),
    (first, last): (Timestamp, Timestamp),
    to_now: bool,
    at: Timestamp,
) -> Option<u64> {
    if since.is_none() && until.is_none() {
        return None;
    }
    let from = since.unwrap_or(first).quarter();
    let days = last.quarter().div_euclid(DAY_QUARTERS).saturating_add(1);
    let to = match until {
        Some(until) => until.plus(-1).quarter(),
        None if to_now => i64::MAX,
        None => days.saturating_mul(DAY_QUARTERS).saturating_sub(1),
    };
    let to = last_known(to, at, Some(last.quarter()));
    Some(u64::try_from(to.saturating_sub(from).saturating_add(1)).unwrap_or(0))
}

/// What makes it doubtful that the contacts that there were could be seen, by
/// what was counted. Where one reason explains the others it stands alone.
fn doubts(counts: &Counts, saw_home: bool) -> Vec<Doubt> {
    let frames = counts.get(Counter::Frames);
    let segments = counts.get(Counter::TcpSegments).saturating_add(counts.get(Counter::UdpDatagrams));
    if frames == 0 {
        return vec![Doubt::NoFrame];
    }
    if counts.get(Counter::FramesFiltered) >= frames {
        return vec![Doubt::AllFiltered];
    }
    if segments == 0 {
        return vec![Doubt::NothingDecoded];
    }
    let mut found = Vec::new();
    if !saw_home {
        found.push(Doubt::NoHomeAddress);
    }
    if counts.get(Counter::Names) == 0 {
        found.push(Doubt::NoName);
    } else {
        let dns = Some(counts.get(Counter::DnsMessages)).filter(|dns| *dns >= LEAST_DNS);
        if dns.is_some_and(|dns| sum(counts, OTHER_FLOWS).saturating_mul(DNS_BY_FLOW) < dns) {
            found.push(Doubt::OnlyDns);
        }
    }
    let outside = counts.get(Counter::ObservationsOutside);
    if outside > 0 {
        found.push(Doubt::Outside(outside));
    }
    let late = counts.get(Counter::ObservationsLate);
    if late > 0 {
        found.push(Doubt::Late(late));
    }
    for limit in LIMITS {
        let Some(share) = limit.share.of(counts).filter(|share| share.whole >= limit.least) else { continue };
        let (part, whole) = (u128::from(share.part), u128::from(share.whole));
        let (part, limit_at) = (part.saturating_mul(1000), whole.saturating_mul(u128::from(limit.per_mille)));
        match limit.bound {
            Bound::AtMost if part > limit_at => found.push(Doubt::TooMuch(share, limit.what)),
            Bound::AtLeast if part < limit_at => found.push(Doubt::TooLittle(share, limit.what)),
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use Counter as C;

    /// A run that saw well.
    const FAIR: [(Counter, u64); 5] =
        [(C::Frames, 1000), (C::TcpSegments, 900), (C::UdpDatagrams, 50), (C::Names, 30), (C::FlowsOther, 9)];

    fn of(more: &[(Counter, u64)], saw_home: bool) -> Vec<Doubt> {
        let mut counts = Counts::default();
        FAIR.iter().chain(more).for_each(|(c, n)| counts.add(*c, *n));
        doubts(&counts, saw_home)
    }

    #[test]
    fn a_fair_view_leaves_no_doubt() {
        assert!(of(&[], true).is_empty());
    }

    #[test]
    fn nothing_is_said_of_nothing() {
        let mut counts = Counts::default();
        assert!(matches!(doubts(&counts, false)[..], [Doubt::NoFrame]));
        counts.add(C::Frames, 5);
        assert!(matches!(doubts(&counts, false)[..], [Doubt::NothingDecoded]));
        counts.add(C::FramesFiltered, 5);
        assert!(matches!(doubts(&counts, false)[..], [Doubt::AllFiltered]));
        counts.add(C::Frames, 5);
        counts.add(C::UdpDatagrams, 5);
        assert!(matches!(doubts(&counts, false)[..], [Doubt::NoHomeAddress, Doubt::NoName]));
        assert!(matches!(of(&[], false)[..], [Doubt::NoHomeAddress]));
        // Contacts of which no host is known, whatever hosts there are.
        let outside = of(&[(C::Observations, 100), (C::ObservationsOutside, 1)], true);
        assert!(matches!(outside[..], [Doubt::Outside(1)]) && outside[0].is_unmeasured(), "{outside:?}");
    }

    /// A sensor at a resolver's port sees who looks up, and no contact.
    #[test]
    fn a_place_that_shows_dns_alone_shows_no_contact() {
        let of = |flows, dns| {
            let mut counts = Counts::default();
            let seen = [(C::Frames, 1000), (C::UdpDatagrams, 900), (C::Names, 450), (C::DnsMessages, dns)];
            seen.into_iter().chain([(C::FlowsOther, flows)]).for_each(|(c, n)| counts.add(c, n));
            doubts(&counts, true)
        };
        let found = of(0, 900);
        assert!(matches!(found[..], [Doubt::OnlyDns]) && found[0].is_unmeasured(), "{found:?}");
        // A stray connection shows nothing of the others.
        assert!(matches!(of(8, 900)[..], [Doubt::OnlyDns]));
        assert!(of(9, 900).is_empty() && of(0, 99).is_empty());
    }

    #[test]
    fn a_capture_that_hides_all_is_told_whatever_others_saw() {
        let of = |more: &[(Counter, u64)]| {
            let mut counts = Counts::default();
            more.iter().for_each(|(c, n)| counts.add(*c, *n));
            of_capture(&counts)
        };
        assert!(matches!(of(&[(C::Frames, 100)]), Some(Doubt::NothingDecoded)));
        assert!(of(&[(C::Frames, 99)]).is_none(), "too few to say");
        assert!(of(&[(C::Frames, 200), (C::FramesFiltered, 150)]).is_none(), "left out");
        let tunnel = [(C::Frames, 100), (C::UdpDatagrams, 9), (C::WireBytes, 10_000), (C::BytesDecoded, 4999)];
        assert!(matches!(of(&tunnel), Some(Doubt::TooLittle(..))));
        assert!(of(&[(C::Frames, 100), (C::UdpDatagrams, 100)]).is_none(), "a capture without names is none of those");
    }

    #[test]
    fn the_time_that_was_asked_for() {
        let at = |hour: i64| Timestamp::from_parts(hour * 3600, 0);
        let seen = (at(10), at(11));
        let of = |since, until, to_now, now| quarters_asked((since, until), seen, to_now, at(now));
        assert_eq!(of(None, None, false, 100), None);
        assert_eq!(of(Some(at(0)), Some(at(24)), false, 100), Some(96));
        assert_eq!(of(Some(at(0)), None, false, 100), Some(96), "to the end of the day of the last packet");
        assert_eq!(of(None, Some(at(12)), false, 100), Some(8), "from the first packet");
        assert_eq!(of(Some(at(0)), None, true, 100), Some(399), "but what a live run has yet to write");
        assert_eq!(of(Some(at(0)), Some(at(24)), false, 12), Some(47), "the rest is to come");
    }

    #[test]
    fn each_limit_is_where_it_says() {
        type Counted = &'static [(Counter, u64)];
        // At the limit, and beyond it.
        let cases: [(&str, Counted, Counted); 14] = [
            ("frames_dropped", &[(C::DroppedKernel, 10)], &[(C::DroppedKernel, 6), (C::DroppedInterface, 5)]),
            (
                "sample_unseen",
                &[(C::SampleAckedBytes, 100_000), (C::SampleUnseenBytes, 5000)],
                &[(C::SampleAckedBytes, 100_000), (C::SampleUnseenBytes, 5001)],
            ),
            ("frames_cut", &[(C::FramesCut, 100)], &[(C::FramesCut, 101)]),
            (
                "tls_hellos_completed",
                &[(C::TlsHellos, 10), (C::TlsHellosIncomplete, 1)],
                &[(C::TlsHellos, 10), (C::TlsHellosIncomplete, 2)],
            ),
            (
                "quic_initials_opened",
                &[(C::QuicInitials, 99), (C::QuicOpened, 5), (C::QuicRefused, 5)],
                &[(C::QuicInitials, 10), (C::QuicOpened, 4), (C::QuicRefused, 3), (C::QuicBudget, 3)],
            ),
            ("flows_mid_stream", &[(C::Flows, 10), (C::FlowsMidStream, 5)], &[(C::Flows, 10), (C::FlowsMidStream, 6)]),
            ("tls_no_name", &[(C::TlsHellos, 10), (C::TlsNoName, 5)], &[(C::TlsHellos, 10), (C::TlsNoName, 6)]),
            ("link_unsupported", &[(C::LinkUnsupported, 10)], &[(C::LinkUnsupported, 11)]),
            (
                "flows_one_sided",
                &[(C::FlowsWithPayload, 10), (C::FlowsOneSided, 5)],
                &[(C::FlowsWithPayload, 10), (C::FlowsOneSided, 6)],
            ),
            (
                "dns_unsolicited",
                &[(C::DnsAnswers, 10), (C::DnsUnsolicited, 5)],
                &[(C::DnsAnswers, 10), (C::DnsUnsolicited, 6)],
            ),
            (
                "bytes_decoded",
                &[(C::WireBytes, 10_000), (C::BytesDecoded, 5000)],
                &[(C::WireBytes, 10_000), (C::BytesDecoded, 4999)],
            ),
            (
                "bytes_opaque",
                &[(C::WireBytes, 10_000), (C::BytesDecoded, 9000), (C::OpaqueWireguardBytes, 2000)],
                &[(C::WireBytes, 10_000), (C::BytesDecoded, 9000), (C::OpaqueWireguardBytes, 2001)],
            ),
            ("ech_concealed", &[(C::TlsHellos, 10), (C::EchConcealed, 1)], &[(C::TlsHellos, 10), (C::EchConcealed, 2)]),
            (
                "fragments_lost",
                &[(C::IpReassembled, 90), (C::IpFragmentsLost, 10)],
                &[(C::IpReassembled, 89), (C::IpFragmentsLost, 11)],
            ),
        ];
        assert_eq!(cases.len(), LIMITS.len());
        for (word, within, beyond) in cases {
            assert!(of(within, true).is_empty(), "{word}");
            let found = of(beyond, true);
            assert!(
                matches!(found[..], [Doubt::TooMuch(share, _) | Doubt::TooLittle(share, _)] if share.def.word == word),
                "{word}: {found:?}"
            );
        }
        // What is measured says itself how much was missed.
        let lost = of(&[(C::DroppedKernel, 11), (C::FramesCut, 101)], true);
        assert_eq!(lost.iter().map(Doubt::is_unmeasured).collect::<Vec<_>>(), [false, true]);
        // Nine hellos are too few to judge by.
        assert!(of(&[(C::TlsHellos, 9), (C::TlsHellosIncomplete, 9)], true).is_empty());
    }

    #[test]
    fn time_without_frames_and_what_was_not_read_are_doubts() {
        let mut counts = Counts::default();
        FAIR.iter().for_each(|(c, n)| counts.add(*c, *n));
        let fair = Sight {
            counts: &counts,
            saw_home: true,
            quarters: None,
            sensors: &[],
            damaged: 0,
            imported: 0,
            removed_days: 0,
            unlooked: 0,
            out_of_view: 0,
            narrowed: 0,
        };
        let of = |up| all(&Sight { quarters: Some((up, 100)), ..fair });
        assert!(all(&fair).is_empty() && of(95).is_empty());
        assert!(matches!(of(94)[..], [Doubt::Down(94, 100)]));
        // One that is up hides no other that is down.
        let of = |sensors| all(&Sight { quarters: Some((100, 100)), sensors, ..fair });
        assert!(of(&[95, 100]).is_empty() && of(&[10]).is_empty());
        let down = of(&[8, 94, 100]);
        assert!(matches!(down[..], [Doubt::SensorDown(0, 8, 100), Doubt::SensorDown(1, 94, 100)]), "{down:?}");
        assert!(down.iter().all(Doubt::is_unmeasured));
        assert!(all(&Sight { sensors: &[8, 100], ..fair }).is_empty(), "no time was asked for");
        let more = Sight { damaged: 1, imported: 2, removed_days: 3, ..fair };
        assert!(matches!(all(&more)[..], [Doubt::Damaged(1), Doubt::Imported(2), Doubt::Removed(3)]));
        let unlooked = all(&Sight { unlooked: 4, ..fair });
        assert!(matches!(unlooked[..], [Doubt::Unlooked(4)]) && unlooked[0].is_unmeasured());
        let out_of_view = all(&Sight { out_of_view: 2, ..fair });
        assert!(matches!(out_of_view[..], [Doubt::OutOfView(0), Doubt::OutOfView(1)]));
        // That there was no frame says that none came, and not why.
        let none = Counts::default();
        let nothing = Sight { counts: &none, quarters: Some((0, 100)), ..more };
        let found = all(&nothing);
        assert!(
            matches!(found[..], [Doubt::NoFrame, Doubt::Damaged(1), Doubt::Imported(2), Doubt::Removed(3)]),
            "{found:?}"
        );
        let unmeasured = |found: &[Doubt]| found.iter().map(Doubt::is_unmeasured).collect::<Vec<_>>();
        assert_eq!(unmeasured(&found), [true, true, false, true], "others saw the rest");
    }

    #[test]
    fn a_sensor_that_sees_hides_no_other_that_is_blind() {
        let counts = |list: &[(Counter, u64)]| {
            let mut counts = Counts::default();
            list.iter().for_each(|(c, n)| counts.add(*c, *n));
            counts
        };
        let (fair, few) = (counts(&FAIR), counts(&[(C::Frames, MANY - 1)]));
        let blind = counts(&[(C::Frames, MANY), (C::UdpDatagrams, MANY), (C::FramesCut, 50)]);
        let of = |all: &[&Counts], found: &[Doubt]| of_sensors(all.iter().copied(), found);
        let found = of(&[&fair, &few, &blind], &[]);
        assert!(matches!(found[..], [(2, Doubt::NoName), (2, Doubt::TooMuch(..))]), "{found:?}");
        assert!(matches!(of(&[&fair, &blind], &[Doubt::NoName])[..], [(1, Doubt::TooMuch(..))]), "it is said already");
        assert!(of(&[&blind], &[]).is_empty(), "one alone is the sum");
    }

    #[test]
    fn all_that_a_sensor_is_judged_by_is_known() {
        let mut all = Counts::default();
        all.add(C::Frames, 1000);
        for counter in Counter::ALL.iter().filter(|c| is_judged(**c)) {
            all.add(*counter, 100);
        }
        assert!(is_judged(C::QuicRefused) && !is_judged(C::DuplicatesSampled));
        // What is left out changes nothing.
        let said = |counts: &Counts| format!("{:?}", doubts(counts, true));
        let before = said(&all);
        for counter in Counter::ALL.iter().filter(|c| !is_judged(**c)) {
            all.add(*counter, 1_000_000);
        }
        assert_eq!(said(&all), before);
    }

    #[test]
    fn what_came_too_late_is_a_doubt() {
        let mut counts = Counts::default();
        FAIR.iter().for_each(|(c, n)| counts.add(*c, *n));
        assert!(doubts(&counts, true).is_empty());
        counts.add(Counter::ObservationsLate, 2);
        let found = doubts(&counts, true);
        assert!(matches!(found[..], [Doubt::Late(2)]) && found[0].is_unmeasured(), "{found:?}");
    }

    #[test]
    fn what_has_not_come_yet_is_no_time_without_frames() {
        let at = |quarter: i64| Timestamp::from_parts(quarter * 900 + 60, 0);
        assert_eq!(last_known(95, at(200), None), 95, "it has passed");
        assert_eq!(last_known(95, at(40), None), 38, "a live run has yet to write the rest");
        assert_eq!((last_known(95, at(40), Some(39)), last_known(95, at(40), Some(20))), (39, 38));
        assert_eq!(last_known(95, at(40), Some(99)), 95, "clocks differ");
    }
}
