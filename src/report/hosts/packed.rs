//! A host as bytes that sort as lists of hosts do, and back.
//!
//! | part | what |
//! |---|---|
//! | length | of key and body, 4 bytes each, big-endian |
//! | key | 0 with alarms, else 1; 255 less the strength of its verdict; address (16); segment, zero byte; 0, or 1 and the hardware address (6); ids of its records (16 each) |
//! | body | all else |
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use crate::base::bytes::{Bytes, put_bytes, put_number};
use crate::base::{Addr, Mac, Timestamp};
use crate::catalogue::Category;
use crate::host::{Alarm, Cadence, HostView, Role, Verdict};
use std::collections::BTreeMap;

/// Bytes of the two lengths.
pub(super) const LENGTHS: usize = 8;

/// The lengths of key and body.
pub(super) fn lengths(entry: &[u8]) -> Option<(usize, usize)> {
    let mut read = Bytes(entry);
    let (key, body) = (u32::from_be_bytes(read.array()?), u32::from_be_bytes(read.array()?));
    Some((key as usize, body as usize))
}

/// Appends a host.
pub(super) fn put(out: &mut Vec<u8>, view: &HostView) {
    let start = out.len();
    out.extend_from_slice(&[0; LENGTHS]);
    put_key(out, view);
    let key = out.len().saturating_sub(start).saturating_sub(LENGTHS);
    put_body(out, view);
    let body = out.len().saturating_sub(start).saturating_sub(LENGTHS).saturating_sub(key);
    let lengths = [key, body].map(|n| u32::try_from(n).unwrap_or(u32::MAX).to_be_bytes());
    if let Some(place) = out.get_mut(start..).and_then(|b| b.get_mut(..LENGTHS)) {
        place.copy_from_slice(lengths.as_flattened());
    }
}

fn put_key(out: &mut Vec<u8>, view: &HostView) {
    out.push(view.alarms.is_empty().into());
    out.push(u8::MAX.saturating_sub(view.verdict.strength()));
    out.extend_from_slice(&view.ip.0);
    out.extend_from_slice(view.segment.as_bytes());
    out.push(0);
    out.push(view.mac.is_some().into());
    out.extend(view.mac.iter().flat_map(|mac| mac.0));
    out.extend(view.sightings.iter().flatten());
}

fn put_body(out: &mut Vec<u8>, view: &HostView) {
    let HostView {
        ip: _,
        mac: _,
        mac_randomised,
        segment: _,
        name,
        names_before,
        owner,
        place,
        addresses,
        verdict,
        alarms,
        roles,
        nat_at_least,
        relays,
        confirmed,
        reason,
        stronger,
        weaker,
        likely_installed,
        categories,
        first_seen,
        last_seen,
        sightings: _,
    } = view;
    out.push(code(Verdict::ALL, verdict));
    out.extend([*mac_randomised, *confirmed, *likely_installed].map(u8::from));
    for text in [reason, stronger, weaker] {
        put_bytes(out, text.as_bytes());
    }
    put_list(out, name.iter().chain(names_before), |out, (name, told)| {
        put_bytes(out, name.as_bytes());
        put_bytes(out, told.as_bytes());
    });
    out.push(name.is_some().into());
    for text in [owner, place] {
        put_list(out, text, |out, text| put_bytes(out, text.as_bytes()));
    }
    for list in [addresses, relays] {
        put_list(out, list, |out, ip: &Addr| out.extend_from_slice(&ip.0));
    }
    put_list(out, alarms, |out, alarm| out.push(code(Alarm::ALL, alarm)));
    put_list(out, roles, |out, role| out.push(code(Role::ALL, role)));
    put_list(out, nat_at_least, |out, n| put_number(out, u64::from(*n)));
    put_list(out, categories, |out, (category, often)| {
        out.push(code(&Category::ALL, category));
        let Cadence { sessions, hours, days, median_gap_s, regularity } = often;
        for n in [sessions, hours, days] {
            put_number(out, u64::from(*n));
        }
        put_list(out, median_gap_s, |out, n| put_number(out, *n));
        put_list(out, regularity, |out, r| out.extend_from_slice(&r.to_bits().to_be_bytes()));
    });
    for time in [first_seen, last_seen] {
        out.extend_from_slice(&time.0.to_be_bytes());
    }
}

fn put_list<T>(
    out: &mut Vec<u8>,
    list: impl IntoIterator<Item = T, IntoIter: Clone>,
    mut each: impl FnMut(&mut Vec<u8>, T),
) {
    let list = list.into_iter();
    put_number(out, list.clone().count() as u64);
    list.for_each(|entry| each(out, entry));
}

fn code<T: PartialEq>(all: &[T], one: &T) -> u8 {
    all.iter().zip(0..).find(|(t, _)| *t == one).map_or(0, |(_, n)| n)
}

/// The host of a key and a body; `None` for what [`put`] never wrote.
pub(super) fn take(key: &[u8], body: &[u8]) -> Option<HostView> {
    let mut k = Bytes(key);
    k.take(2)?;
    let ip = Addr(k.array()?);
    let segment = k.until_zero()?.to_owned();
    let mac = if k.byte()? == 0 { None } else { Some(Mac(k.array()?)) };
    let mut sightings = Vec::new();
    while !k.is_empty() {
        sightings.push(k.array()?);
    }
    let mut b = Bytes(body);
    let verdict = *Verdict::ALL.get(usize::from(b.byte()?))?;
    let [mac_randomised, confirmed, likely_installed] = b.array::<3>()?.map(|n| n != 0);
    let (reason, stronger, weaker) = (text(&mut b)?, text(&mut b)?, text(&mut b)?);
    let mut names_before = list(&mut b, |b| Some((text(b)?, text(b)?)))?;
    let name = (b.byte()? != 0 && !names_before.is_empty()).then(|| names_before.remove(0));
    let (owner, place) = (list(&mut b, text)?.pop(), list(&mut b, text)?.pop());
    let (addresses, relays) = (list(&mut b, |b| b.array().map(Addr))?, list(&mut b, |b| b.array().map(Addr))?);
    let alarms = list(&mut b, |b| Alarm::ALL.get(usize::from(b.byte()?)).copied())?;
    let roles = list(&mut b, |b| Role::ALL.get(usize::from(b.byte()?)).copied())?;
    let nat_at_least = list(&mut b, number)?.pop();
    let categories: BTreeMap<Category, Cadence> = list(&mut b, often)?.into_iter().collect();
    let mut time = || Some(Timestamp(i64::from_be_bytes(b.array()?)));
    let (first_seen, last_seen) = (time()?, time()?);
    b.is_empty().then_some(HostView {
        ip,
        mac,
        mac_randomised,
        segment,
        name,
        names_before,
        owner,
        place,
        addresses,
        verdict,
        alarms,
        roles,
        nat_at_least,
        relays,
        confirmed,
        reason,
        stronger,
        weaker,
        likely_installed,
        categories,
        first_seen,
        last_seen,
        sightings,
    })
}

fn often(b: &mut Bytes<'_>) -> Option<(Category, Cadence)> {
    let category = *Category::ALL.get(usize::from(b.byte()?))?;
    let (sessions, hours, days) = (number(b)?, number(b)?, number(b)?);
    let median_gap_s = list(b, |b| b.number())?.pop();
    let regularity = list(b, |b| b.array().map(u64::from_be_bytes))?.pop().map(f64::from_bits);
    Some((category, Cadence { sessions, hours, days, median_gap_s, regularity }))
}

fn text(b: &mut Bytes<'_>) -> Option<String> {
    b.text().map(str::to_owned)
}

fn number(b: &mut Bytes<'_>) -> Option<u32> {
    u32::try_from(b.number()?).ok()
}

fn list<T>(b: &mut Bytes<'_>, mut entry: impl FnMut(&mut Bytes<'_>) -> Option<T>) -> Option<Vec<T>> {
    let count = b.len()?;
    let mut all = Vec::with_capacity(count.min(64));
    for _ in 0..count {
        all.push(entry(b)?);
    }
    Some(all)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
pub(super) mod tests {
    use super::*;
    use crate::host::sample::view;
    use proptest::prelude::*;

    /// Hosts that differ in all that a host can differ in.
    pub(in super::super) fn any_view() -> impl Strategy<Value = HostView> {
        let name = || (".{0,5}", "[a-z]{1,4}");
        let who = (any::<[u8; 16]>(), any::<Option<[u8; 6]>>(), "[a-z:0-9]{0,4}", any::<[bool; 3]>());
        let names = (proptest::option::of(name()), proptest::collection::vec(name(), 0..3), any::<Option<u32>>());
        let what = (0..Verdict::ALL.len(), 0..4u8, 0..32u8, any::<[i64; 2]>(), ".{0,20}");
        let often = (any::<u32>(), any::<Option<u64>>(), proptest::option::of(0.0..1.0f64));
        let lists = (
            proptest::collection::vec(any::<[u8; 16]>(), 0..4),
            proptest::collection::btree_map(0..10usize, often, 0..4),
            proptest::collection::vec(any::<[u8; 16]>(), 0..3),
        );
        (who, names, what, lists).prop_map(|(who, names, what, lists)| {
            let (ip, mac, segment, flags) = who;
            let mut v = view("10.0.0.5", Verdict::ALL[what.0]);
            (v.ip, v.mac, v.segment) = (Addr(ip), mac.map(Mac), segment);
            [v.mac_randomised, v.confirmed, v.likely_installed] = flags;
            (v.name, v.names_before, v.nat_at_least) = names;
            (v.owner, v.place) = (v.name.clone().map(|n| n.0), flags[0].then(String::new));
            v.alarms = Alarm::ALL.iter().copied().filter(|a| what.1 >> *a as u8 & 1 == 1).collect();
            v.roles = Role::ALL.iter().copied().filter(|r| what.2 >> *r as u8 & 1 == 1).collect();
            [v.first_seen, v.last_seen] = what.3.map(Timestamp);
            (v.reason, v.stronger, v.weaker) = (what.4.clone(), String::new(), what.4);
            (v.addresses, v.relays) = (lists.0.iter().copied().map(Addr).collect(), vec![v.ip]);
            v.sightings = lists.2;
            let cadence = |(n, gap, regularity): (u32, Option<u64>, Option<f64>)| Cadence {
                sessions: n,
                hours: n / 2,
                days: n / 3,
                median_gap_s: gap,
                regularity,
            };
            v.categories = lists.1.into_iter().map(|(at, often)| (Category::ALL[at], cadence(often))).collect();
            v
        })
    }

    pub(in super::super) fn parts(entry: &[u8]) -> (&[u8], &[u8]) {
        let (key, body) = lengths(entry).unwrap();
        assert_eq!(entry.len(), LENGTHS + key + body);
        entry[LENGTHS..].split_at(key)
    }

    proptest! {
        #[test]
        fn a_host_comes_back(view in any_view()) {
            let mut out = Vec::new();
            put(&mut out, &view);
            let (key, body) = parts(&out);
            prop_assert_eq!(take(key, body), Some(view));
            prop_assert_eq!(take(key, &body[..body.len() - 1]), None);
        }

        #[test]
        fn keys_sort_as_lists_of_hosts_do(a in any_view(), b in any_view(), how in 0..5) {
            let mut b = b;
            // Alike as far as that.
            if how > 0 { (b.alarms, b.verdict) = (a.alarms.clone(), a.verdict); }
            if how > 1 { b.ip = a.ip; }
            if how > 2 { b.segment.clone_from(&a.segment); }
            if how > 3 { b.mac = a.mac; }
            let key = |v: &HostView| { let mut out = Vec::new(); put_key(&mut out, v); out };
            let want = (super::super::order(&a), &a.segment, a.mac, &a.sightings)
                .cmp(&(super::super::order(&b), &b.segment, b.mac, &b.sightings));
            prop_assert_eq!(key(&a).cmp(&key(&b)), want);
        }

        #[test]
        fn any_bytes_are_read_or_refused(key: Vec<u8>, body: Vec<u8>) {
            let _ = take(&key, &body);
        }
    }
}
