//! Making one record of several with the same id.
//!
//! [`join`] is for two accounts of the same frames (a capture imported twice),
//! so nothing adds up. [`combine`] is for accounts of different frames (two
//! sources), so counts and bytes add up. Neither depends on the order of its
//! arguments.
//!
//! Lists are capped, and what a cap cut off is gone. So `…_more` after a merge
//! is the least number of entries that must have been left out; it may be less
//! than the true one, never more.

use super::record::{Evidence, MAX_CLIENT_SUBNETS, MAX_COMMUNITY_IDS, MAX_EVIDENCE, MAX_NAMES, MAX_SERVERS, Record};
use crate::base::{Addr, Channel, Timestamp};

/// Merges two contributions of the same source and id that a file source
/// wrote: least `first_seen`, greatest `last_seen`, `count`, bytes and stage,
/// union of the rest. Commutative, associative and idempotent, except that the
/// `…_more` numbers may depend on the order once a list is full.
pub fn join(into: &mut Record, other: &Record) {
    if into == other {
        return;
    }
    into.count = into.count.max(other.count);
    into.bytes_to_server = into.bytes_to_server.max(other.bytes_to_server);
    into.bytes_from_server = into.bytes_from_server.max(other.bytes_from_server);
    // One file under two paths is one file: a frame of it is evidence once.
    unite(into, other, |a, b| frame_key(a) == frame_key(b));
    cap(into);
}

/// Merges two states of a record of one run, as files bring them. The later one
/// takes the place of the earlier one if it holds all that the earlier one shows;
/// else one of them is not what the run wrote, nobody can say which, and the two
/// [`join`], so that no file takes back what another one showed.
pub fn succeed(into: &mut Record, other: &Record) {
    if into.revision < other.revision && covers(other, into) {
        into.clone_from(other);
    } else if into.revision < other.revision || !covers(into, other) {
        join(into, other);
    }
}

/// Whether a record shows all that another one does, as far as verdicts and
/// counts hang on it.
fn covers(r: &Record, other: &Record) -> bool {
    fn has<T: PartialEq>(all: &[T], some: &[T]) -> bool {
        some.iter().all(|one| all.contains(one))
    }
    r.indicator == other.indicator
        && r.stage >= other.stage
        && r.count >= other.count
        && r.bytes_to_server >= other.bytes_to_server
        && r.bytes_from_server >= other.bytes_from_server
        && r.first_seen <= other.first_seen
        && r.last_seen >= other.last_seen
        && r.slots.union(other.slots) == r.slots
        && r.slots_connected.union(other.slots_connected) == r.slots_connected
        && has(&r.channels, &other.channels)
        && has(&r.names, &other.names)
        && has(&r.servers, &other.servers)
}

/// Merges two contributions of the same id from different sources, or from
/// different parts of one: `count` and bytes add up (saturating), least
/// `first_seen`, greatest `last_seen` and stage, union of the rest. The least
/// `source` stays. Commutative and associative, except that the `…_more`
/// numbers may depend on the order once a list is full.
pub fn combine(into: &mut Record, other: &Record) {
    combine_uncapped(into, other);
    cap(into);
}

/// [`combine`] over any number of contributions of one id, with caps applied
/// once at the end: no number depends on the order. `None` for none.
pub fn combine_all(records: impl IntoIterator<Item = Record>) -> Option<Record> {
    let mut records = records.into_iter();
    let mut first = records.next()?;
    let mut merged = false;
    for other in records {
        combine_uncapped(&mut first, &other);
        merged = true;
    }
    if merged {
        cap(&mut first);
    }
    Some(first)
}

fn combine_uncapped(into: &mut Record, other: &Record) {
    into.count = into.count.saturating_add(other.count);
    into.bytes_to_server = into.bytes_to_server.saturating_add(other.bytes_to_server);
    into.bytes_from_server = into.bytes_from_server.saturating_add(other.bytes_from_server);
    if other.source < into.source {
        into.source.clone_from(&other.source);
    }
    unite(into, other, |a, b| a == b);
}

/// What both merges share: least, greatest, union; lists not yet capped.
/// `same` says which entries of evidence are one.
fn unite(into: &mut Record, other: &Record, same: fn(&Evidence, &Evidence) -> bool) {
    into.revision = into.revision.max(other.revision);
    into.first_seen = into.first_seen.min(other.first_seen);
    into.last_seen = into.last_seen.max(other.last_seen);
    into.stage = into.stage.max(other.stage);
    unite_host_name(into, other);
    // Two versions of a catalogue may file one indicator differently.
    into.indicator.category = into.indicator.category.min(other.indicator.category);
    into.indicator.confidence = into.indicator.confidence.max(other.indicator.confidence);

    unite_list(&mut into.channels, &other.channels);
    unite_list(&mut into.notes, &other.notes);
    unite_list(&mut into.community_ids, &other.community_ids);
    unite_counted(&mut into.names, &mut into.names_more, &other.names, other.names_more);
    unite_counted(&mut into.servers, &mut into.servers_more, &other.servers, other.servers_more);
    unite_counted(
        &mut into.client_subnets,
        &mut into.client_subnets_more,
        &other.client_subnets,
        other.client_subnets_more,
    );
    into.slots = into.slots.union(other.slots);
    into.slots_connected = into.slots_connected.union(other.slots_connected);
    into.sessions = into.slots.runs();

    let total = total(&into.evidence, into.evidence_more).max(total(&other.evidence, other.evidence_more));
    into.evidence.extend_from_slice(&other.evidence);
    into.evidence.sort_by(|a, b| evidence_key(a).cmp(&evidence_key(b)));
    into.evidence.dedup_by(|b, a| same(a, b));
    into.evidence_more = total.saturating_sub(len(&into.evidence));
}

/// A named host stays named; of two names the lesser one stays, so that the
/// order of merging does not matter.
fn unite_host_name(into: &mut Record, other: &Record) {
    let (mine, theirs) = (&into.host, &other.host);
    let take = match (&mine.name, &theirs.name) {
        (None, Some(_)) => true,
        (Some(a), Some(b)) => (b, &theirs.name_source) < (a, &mine.name_source),
        _ => false,
    };
    if take {
        into.host.name.clone_from(&other.host.name);
        into.host.name_source.clone_from(&other.host.name_source);
    }
}

fn len<T>(list: &[T]) -> u64 {
    u64::try_from(list.len()).unwrap_or(u64::MAX)
}

fn total<T>(list: &[T], more: u64) -> u64 {
    len(list).saturating_add(more)
}

fn unite_list<T: Ord + Clone>(mine: &mut Vec<T>, theirs: &[T]) {
    mine.extend_from_slice(theirs);
    mine.sort_unstable();
    mine.dedup();
}

fn unite_counted<T: Ord + Clone>(mine: &mut Vec<T>, more: &mut u64, theirs: &[T], their_more: u64) {
    let least = total(mine, *more).max(total(theirs, their_more));
    unite_list(mine, theirs);
    *more = least.saturating_sub(len(mine));
}

fn cap(record: &mut Record) {
    cap_counted(&mut record.names, &mut record.names_more, MAX_NAMES);
    cap_counted(&mut record.servers, &mut record.servers_more, MAX_SERVERS);
    cap_counted(&mut record.client_subnets, &mut record.client_subnets_more, MAX_CLIENT_SUBNETS);
    record.community_ids.truncate(MAX_COMMUNITY_IDS);
    let all = total(&record.evidence, record.evidence_more);
    select_evidence(&mut record.evidence);
    record.evidence_more = all.saturating_sub(len(&record.evidence));
}

fn cap_counted<T>(list: &mut Vec<T>, more: &mut u64, max: usize) {
    let all = total(list, *more);
    list.truncate(max);
    *more = all.saturating_sub(len(list));
}

/// Keeps of each channel the first, the last and one in between (the record
/// that found it kept it as the strongest; of several in between the earliest
/// stays), channels in their order until the cap is reached. Wants the list
/// sorted by [`evidence_key`] and leaves it so.
fn select_evidence(evidence: &mut Vec<Evidence>) {
    let mut kept = Vec::with_capacity(MAX_EVIDENCE);
    let mut room = MAX_EVIDENCE;
    for group in evidence.chunk_by(|a, b| a.channel == b.channel) {
        if room == 0 {
            break;
        }
        let (Some(first), Some(last)) = (group.first(), group.last()) else { continue };
        kept.push(first.clone());
        if group.len() > 2 && room > 2 {
            kept.extend(group.get(1).cloned());
        }
        if group.len() > 1 && room > 1 {
            kept.push(last.clone());
        }
        room = MAX_EVIDENCE.saturating_sub(kept.len());
    }
    *evidence = kept;
}

/// Order of evidence: channel, then time, then frame, then all the rest, so
/// that equal keys are equal entries.
#[allow(clippy::type_complexity, reason = "a sort key, used here only")]
fn evidence_key(
    e: &Evidence,
) -> (
    (Channel, Timestamp, u64, &Option<String>, &Option<u64>, &Option<String>, &Option<String>),
    (Addr, u16, Addr, u16, &[String], &str),
) {
    (
        (e.channel, e.ts, e.frame, &e.name, &e.offset, &e.interface, &e.path),
        (e.src, e.sport, e.dst, e.dport, &e.layers, &e.packet_sha256),
    )
}

/// What makes two entries of one file the same observation.
fn frame_key(e: &Evidence) -> (Channel, Timestamp, u64, &Option<String>) {
    (e.channel, e.ts, e.frame, &e.name)
}

#[cfg(test)]
mod tests {
    use super::super::record::{Server, Slots, Stage};
    use super::super::testing::record;
    use super::*;
    use proptest::prelude::*;

    fn evidence(channel: Channel, frame: u64, name: Option<&str>, path: &str) -> Evidence {
        Evidence {
            path: Some(path.to_owned()),
            interface: None,
            frame,
            offset: Some(frame * 100),
            ts: Timestamp::from_parts(1_000 + i64::try_from(frame).unwrap(), 0),
            channel,
            name: name.map(str::to_owned),
            src: "10.0.0.5".parse().unwrap(),
            sport: 4000,
            dst: "10.0.0.1".parse().unwrap(),
            dport: 53,
            layers: Vec::new(),
            packet_sha256: format!("{frame:064x}"),
        }
    }

    /// What a later state takes back stays; what it adds, comes.
    #[test]
    fn a_state_of_a_run_is_followed_and_never_taken_back() {
        let early = Record { revision: 3, ..record() };
        let united = |a: &Record, b: &Record| {
            let mut r = a.clone();
            succeed(&mut r, b);
            r
        };
        let mut late = Record { revision: 4, count: early.count + 9, evidence: Vec::new(), ..early.clone() };
        late.host.name = Some("pc".into());
        late.names.push("zz.example".into());
        assert_eq!((united(&early, &late), united(&late, &early)), (late.clone(), late.clone()));
        let spoilt: [fn(&mut Record); 7] = [
            |r| r.count = 0,
            |r| r.stage = Stage::Queried,
            |r| r.bytes_from_server = 0,
            |r| r.servers.clear(),
            |r| r.names.clear(),
            |r| r.slots_connected = Slots::default(),
            |r| r.indicator.category = crate::catalogue::Category::Lookalike,
        ];
        let strong = Record {
            stage: Stage::Transferred,
            count: 9,
            bytes_from_server: 5,
            servers: vec![server(1)],
            names: vec!["a.example".into()],
            slots_connected: early.slots,
            ..early
        };
        for (number, spoil) in spoilt.iter().enumerate() {
            let mut forged = Record { revision: 1 << 62, ..strong.clone() };
            spoil(&mut forged);
            let one = united(&strong, &forged);
            assert_eq!(one, Record { revision: 1 << 62, ..strong.clone() }, "{number}");
            assert_eq!(united(&forged, &strong), one, "{number}: in the other order");
            assert_eq!(united(&one, &forged), one, "{number}: once more");
        }
    }

    fn server(n: u8) -> Server {
        Server { ip: Addr::v4([192, 0, 2, n]), port: 443, transport: "tcp".into() }
    }

    /// Records of one id; `wide` lets lists outgrow their caps.
    fn any_record(wide: bool) -> impl Strategy<Value = Record> {
        let (names, servers, ids) = if wide { (150, 40, 20u8) } else { (20, 10, 6) };
        let times = (0i64..5000, 0i64..5000, 1u64..9, any::<u32>(), any::<u32>());
        let lists = (
            proptest::collection::btree_set(0..names, 0..100),
            proptest::collection::btree_set(0u8..servers, 0..20),
            proptest::collection::btree_set(0u8..ids, 0..8),
            proptest::collection::btree_set(0u8..96, 1..20),
            proptest::collection::btree_set(0usize..5, 1..4),
        );
        let proof = proptest::collection::vec((0usize..5, 1u64..40, 0usize..3, 0usize..2), 0..12);
        (times, lists, proof, proptest::option::of("[ab]"), 0usize..5, 0u64..3).prop_map(
            |((t, d, count, to, from), (names, servers, ids, slots, notes), proof, name, stage, more)| {
                let mut r = record();
                r.first_seen = Timestamp(t);
                r.last_seen = Timestamp(t + d);
                r.count = count;
                r.bytes_to_server = to.into();
                r.bytes_from_server = from.into();
                r.names = names.iter().map(|n| format!("s{n:03}.upd.kaspersky.com")).collect();
                r.names_more = more;
                r.servers = servers.iter().map(|n| server(*n)).collect();
                r.client_subnets = servers.iter().map(|n| format!("192.0.{n}.0/24").parse().unwrap()).collect();
                r.client_subnets_more = more;
                r.community_ids = ids.iter().map(|n| format!("1:{n:02}")).collect();
                r.notes = notes.iter().map(|n| format!("note_{n}")).collect();
                r.slots = Slots::default();
                slots.iter().for_each(|s| r.slots.set(*s));
                r.slots_connected = Slots::default();
                r.sessions = r.slots.runs();
                r.host.name_source = name.as_ref().map(|_| "dhcp".to_owned());
                r.host.name = name;
                r.stage =
                    [Stage::Queried, Stage::Answered, Stage::Attempted, Stage::Connected, Stage::Transferred][stage];
                r.evidence = proof
                    .iter()
                    .map(|(c, f, n, p)| {
                        evidence(Channel::ALL[*c], *f, [None, Some("a"), Some("b")][*n], ["x.pcap", "y.pcap"][*p])
                    })
                    .collect();
                r.evidence.sort_by(|a, b| evidence_key(a).cmp(&evidence_key(b)));
                r.evidence.dedup_by(|b, a| frame_key(a) == frame_key(b));
                cap(&mut r);
                r
            },
        )
    }

    fn joined(a: &Record, b: &Record) -> Record {
        let mut a = a.clone();
        join(&mut a, b);
        a
    }

    fn combined(a: &Record, b: &Record) -> Record {
        let mut a = a.clone();
        combine(&mut a, b);
        a
    }

    /// The record without the numbers that a cap makes inexact.
    fn exact(mut r: Record) -> Record {
        (r.names_more, r.servers_more, r.client_subnets_more, r.evidence_more) = (0, 0, 0, 0);
        r
    }

    proptest! {
        #[test]
        fn joining_a_record_with_itself_changes_nothing(a in any_record(true), b in any_record(true)) {
            prop_assert_eq!(joined(&a, &a), a.clone());
            let ab = joined(&a, &b);
            prop_assert_eq!(joined(&ab, &a), ab.clone());
            prop_assert_eq!(joined(&ab, &b), ab.clone());
        }

        #[test]
        fn both_merges_commute(a in any_record(true), b in any_record(true)) {
            prop_assert_eq!(joined(&a, &b), joined(&b, &a));
            prop_assert_eq!(combined(&a, &b), combined(&b, &a));
        }

        #[test]
        fn both_merges_associate(a in any_record(true), b in any_record(true), c in any_record(true)) {
            let (l, r) = (joined(&joined(&a, &b), &c), joined(&a, &joined(&b, &c)));
            prop_assert_eq!(exact(l), exact(r));
            let (l, r) = (combined(&combined(&a, &b), &c), combined(&a, &combined(&b, &c)));
            prop_assert_eq!(exact(l), exact(r));
        }

        #[test]
        fn below_the_caps_the_numbers_left_out_associate_too(
            a in any_record(false), b in any_record(false), c in any_record(false)
        ) {
            let (l, r) = (joined(&joined(&a, &b), &c), joined(&a, &joined(&b, &c)));
            prop_assert_eq!((l.names_more, l.servers_more), (r.names_more, r.servers_more));
        }

        #[test]
        fn combining_many_does_not_depend_on_the_order(
            mut all in proptest::collection::vec(any_record(true), 1..5)
        ) {
            let forth = combine_all(all.clone());
            all.reverse();
            prop_assert_eq!(forth, combine_all(all));
        }

        #[test]
        fn caps_hold_and_nothing_is_lost_unsaid(a in any_record(true), b in any_record(true)) {
            for r in [joined(&a, &b), combined(&a, &b)] {
                prop_assert!(r.names.len() <= MAX_NAMES && r.servers.len() <= MAX_SERVERS);
                prop_assert!(r.client_subnets.len() <= MAX_CLIENT_SUBNETS);
                prop_assert!(r.evidence.len() <= MAX_EVIDENCE && r.community_ids.len() <= MAX_COMMUNITY_IDS);
                let most = total(&a.names, a.names_more).max(total(&b.names, b.names_more));
                prop_assert!(total(&r.names, r.names_more) >= most);
                prop_assert!(total(&r.names, r.names_more) <= total(&a.names, a.names_more) + total(&b.names, b.names_more));
                prop_assert_eq!(r.sessions, r.slots.runs());
            }
        }
    }

    #[test]
    fn counts_add_up_only_across_sources() {
        let (mut a, mut b) = (record(), record());
        (a.count, a.bytes_from_server, a.source) = (5, 100, "sha256:b".into());
        (b.count, b.bytes_from_server, b.source) = (7, 10, "sha256:a".into());
        let both = combined(&a, &b);
        assert_eq!((both.count, both.bytes_from_server, both.source.as_str()), (12, 110, "sha256:a"));
        let one = joined(&a, &b);
        assert_eq!((one.count, one.bytes_from_server), (7, 100));
        (a.count, b.count) = (u64::MAX, 2);
        assert_eq!(combined(&a, &b).count, u64::MAX);
    }

    #[test]
    fn sessions_are_counted_anew() {
        let (mut a, mut b) = (record(), record());
        (a.slots, b.slots) = (Slots::default(), Slots::default());
        a.slots.set(1);
        a.slots.set(3);
        b.slots.set(2);
        assert_eq!(combined(&a, &b).sessions, 1);
        assert_eq!(joined(&a, &b).sessions, 1);
    }

    #[test]
    fn one_file_under_two_paths_is_evidence_once() {
        let (mut a, mut b) = (record(), record());
        a.evidence = vec![evidence(Channel::TlsSni, 7, Some("a"), "x.pcap")];
        b.evidence = vec![evidence(Channel::TlsSni, 7, Some("a"), "y/x.pcap")];
        let one = joined(&b, &a);
        assert_eq!(one.evidence, a.evidence);
        assert_eq!(one.evidence_more, 0);
        assert_eq!(combined(&a, &b).evidence.len(), 2, "two files are two");
    }

    #[test]
    fn evidence_keeps_first_last_and_one_between_of_each_channel() {
        let (mut a, mut b) = (record(), record());
        let names = |frames: &[u64], channel| {
            frames.iter().map(|f| evidence(channel, *f, Some("a"), "x.pcap")).collect::<Vec<_>>()
        };
        a.evidence = names(&[1, 5, 9], Channel::DnsQuery);
        a.evidence.extend(names(&[2, 6], Channel::TlsSni));
        b.evidence = names(&[3, 12], Channel::DnsQuery);
        b.evidence.extend(names(&[4], Channel::DnsAnswer));
        b.evidence.extend(names(&[1, 7, 8], Channel::TlsSni));
        b.evidence.extend(names(&[20, 21, 22], Channel::HttpHost));
        let r = joined(&a, &b);
        let kept: Vec<(Channel, u64)> = r.evidence.iter().map(|e| (e.channel, e.frame)).collect();
        assert_eq!(
            kept,
            [
                (Channel::DnsQuery, 1),
                (Channel::DnsQuery, 3),
                (Channel::DnsQuery, 12),
                (Channel::DnsAnswer, 4),
                (Channel::TlsSni, 1),
                (Channel::TlsSni, 2),
                (Channel::TlsSni, 8),
                (Channel::HttpHost, 20),
            ]
        );
        assert_eq!(r.evidence_more, 14 - 8);
    }
}
