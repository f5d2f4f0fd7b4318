//! Makes a store of 10,000 hosts over a year, 500 of them with daily contacts
//! in three categories, and measures how long it takes to judge them. Prints a
//! section of docs/PERFORMANCE.md.
//!
//! usage: cargo bench --bench store [-- STORE]
//!
//! A STORE that is there is measured, one that is not is made and kept.

use spansight::base::digest::hex;
use spansight::base::time::{QUARTER_SECS, SECOND, format_day};
use spansight::base::{Addr, Channel, Mac, Stage, Timestamp};
use spansight::catalogue::{Catalogue, Category, Confidence};
use spansight::coverage::{Counter, Key, Ledger};
use spansight::host::{Options, judge};
use spansight::sighting::draft::record_id;
use spansight::sighting::record::{Evidence, Host, IndicatorSummary, Record, SCHEMA, Server, Slots};
use spansight::store::{Interval, Store};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const HOSTS: u32 = 10_000;
const CLIENTS: u32 = 500;
/// 2025-01-01.
const FIRST_DAY: i64 = 20_089;
const DAYS: i64 = 365;
const ROUNDS: usize = 9;

/// Of the three categories: indicator, names, port, quarter hours of the day.
type Habit = (&'static str, Category, &'static [&'static str], u16, &'static [u8]);

const HABITS: &[Habit] = &[
    (
        "update-s-hosts",
        Category::Update,
        &["p00.upd.kaspersky.com", "s05.upd.kaspersky.com", "s17.upd.kaspersky.com"],
        443,
        &[33, 41, 49, 57, 65],
    ),
    (
        "reputation-hosts",
        Category::Reputation,
        &["dc1.ksn.kaspersky-labs.com", "ksn-url-geo.kaspersky-labs.com"],
        443,
        &[34, 35, 36, 40, 44, 50, 51, 60, 61, 66],
    ),
    ("activation-hosts", Category::Activation, &["activation-v2.kaspersky.com"], 443, &[34]),
];

fn ip(host: u32) -> Addr {
    let [_, _, high, low] = (host + 256).to_be_bytes();
    Addr::v4([10, 20, high, low])
}

fn mac(host: u32) -> Mac {
    let [_, _, high, low] = host.to_be_bytes();
    Mac([2, 0, 10, 20, high, low])
}

fn source(day: i64) -> String {
    format!("run:{}", hex(&((day - FIRST_DAY) / 31).to_be_bytes()))
}

fn record(host: u32, day: i64, (indicator, category, names, port, quarters): Habit) -> Record {
    let period = format_day(day);
    let shift = u8::try_from(host % 20).unwrap_or(0);
    let mut slots = Slots::default();
    quarters.iter().for_each(|q| slots.set(q + shift));
    let at = |quarter: u8| Timestamp::from_parts(day * 86_400 + i64::from(quarter + shift) * QUARTER_SECS, 250_000_000);
    let first = at(quarters.first().copied().unwrap_or(0));
    let last = at(quarters.last().copied().unwrap_or(0)).plus(30 * SECOND);
    let evidence =
        [(Channel::DnsQuery, first), (Channel::DnsAnswer, first), (Channel::TlsSni, first), (Channel::TlsSni, last)];
    let evidence = evidence.map(|(channel, ts)| Evidence {
        path: None,
        interface: Some("span0".into()),
        frame: u64::from(host) * 1000 + ts.0.unsigned_abs() % 1000,
        offset: None,
        ts,
        channel,
        name: names.first().map(|n| (*n).to_owned()),
        src: ip(host),
        sport: 50_000,
        dst: Addr::v4([203, 0, 113, 9]),
        dport: port,
        layers: vec!["vlan:20".into()],
        packet_sha256: hex(&[host.to_be_bytes(); 8].concat()),
    });
    Record {
        schema: SCHEMA.into(),
        id: record_id("hall", "vlan:20", &ip(host), Some(mac(host)), indicator, &period),
        revision: 20,
        sensor: "hall".into(),
        source: source(day),
        period,
        host: Host {
            ip: ip(host),
            mac: Some(mac(host)),
            segment: "vlan:20".into(),
            name: Some(format!("pc-{host}")),
            name_source: Some("mdns".into()),
        },
        indicator: IndicatorSummary { id: indicator.into(), category, confidence: Confidence::High },
        stage: Stage::Transferred,
        channels: vec![Channel::DnsQuery, Channel::DnsAnswer, Channel::TlsSni],
        names: names.iter().map(|n| (*n).to_owned()).collect(),
        names_more: 0,
        servers: (9..12).map(|n| Server { ip: Addr::v4([203, 0, 113, n]), port, transport: "tcp".into() }).collect(),
        servers_more: 0,
        client_subnets: Vec::new(),
        client_subnets_more: 0,
        first_seen: first,
        last_seen: last,
        count: 40,
        sessions: slots.runs(),
        slots,
        slots_connected: slots,
        bytes_to_server: 20_000,
        bytes_from_server: 3_000_000,
        notes: Vec::new(),
        community_ids: (0..4).map(|n| format!("1:{n}xWz0Zk3q1m8VYb2e5Q8bDqSy9s0=")).collect(),
        evidence: evidence.into(),
        evidence_more: 0,
    }
}

/// What was counted on a day, as a sensor counts: forty counters that are not
/// zero.
fn coverage(day: i64) -> Ledger {
    let mut ledger = Ledger::new();
    for quarter in day * 96..(day + 1) * 96 {
        ledger.turn_to(Key { source: 0, interface: 0, quarter });
        Counter::ALL.iter().step_by(Counter::ALL.len() / 40).for_each(|c| ledger.add(*c, 1_000));
        ledger.add(Counter::FlowsOther, 100);
        ledger.add(Counter::DnsAnswers, 100);
    }
    ledger
}

fn make(path: &Path) -> Store {
    eprintln!("making {}", path.display());
    let mut store = Store::open(path).expect("the store can be made");
    for day in FIRST_DAY..FIRST_DAY + DAYS {
        let mut w = store.begin().expect("nobody else writes");
        let source = source(day);
        let write = |w: &mut spansight::store::Writer<'_>| -> spansight::store::Result<()> {
            for host in 0..CLIENTS {
                for habit in HABITS {
                    w.put_record(&record(host * 20, day, *habit), false)?;
                }
            }
            for host in 0..HOSTS {
                let start = Timestamp::from_parts(day * 86_400 + 28_000 + i64::from(host), 0);
                w.put_intervals([Interval {
                    source: source.clone(),
                    kind: "traffic".into(),
                    segment: "vlan:20".into(),
                    ip: ip(host),
                    mac: Some(mac(host)),
                    name: None,
                    from: start,
                    to: start.plus(40_000 * SECOND),
                }])?;
            }
            w.put_coverage(&source, 0, &mut coverage(day))
        };
        write(&mut w).expect("the day can be written");
        w.commit().expect("the day can be kept");
    }
    store
}

fn main() {
    let given = std::env::args().skip(1).find(|a| !a.starts_with("--"));
    let kept = given.is_some();
    let path = given.map_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).join("year.sqlite"), PathBuf::from);
    let mut made = None;
    if !kept || !path.exists() {
        drop(std::fs::remove_file(&path));
        let begun = Instant::now();
        drop(make(&path));
        made = Some(begun.elapsed());
    }
    let last = i32::try_from(FIRST_DAY + DAYS - 1).unwrap_or(i32::MAX);
    println!("## A store of {HOSTS} hosts over a year\n");
    println!("Written by `cargo bench --bench store`: {CLIENTS} of them have contacts in three categories every day.");
    println!("Each figure is a run with the store opened anew and in the page cache: the median, with the least and");
    println!(
        "the greatest behind it. CPU is the time that the thread ran; where others had work to do, wall time says"
    );
    println!("little.\n");
    let size = std::fs::metadata(&path).map_or(0, |m| m.len() >> 20);
    println!("| | |\n|---|---|\n| store | {size} MiB |");
    if let Some(made) = made {
        println!("| making it | {:.0} s |", made.as_secs_f64());
    }
    println!(
        "\n| window | day records | hosts | intervals | reading, CPU s | judging, CPU s | coverage, CPU s | all, wall s |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let catalogue = Catalogue::load(None, &[]).expect("the built-in catalogue is sound");
    for (what, since) in [("all", None), ("the last 30 days", Some(last - 29)), ("the last day", Some(last))] {
        let options =
            Options { since: since.map(|d| Timestamp::from_parts(i64::from(d) * 86_400, 0)), ..Options::default() };
        let mut times: [Vec<Duration>; 4] = Default::default();
        let mut found = (0, 0, 0);
        for _ in 0..ROUNDS {
            let (begun, start) = (Instant::now(), ran());
            let store = Store::open_read_only(&path).expect("the store can be opened");
            let facts = store.facts(since, None).expect("the store can be read");
            let read = ran();
            let views = judge(&facts, &catalogue, &options);
            found = (facts.contacts.len(), views.len(), facts.intervals.len());
            drop((facts, views));
            let judged = ran();
            let from = since.map_or(i64::MIN, |d| i64::from(d) * 96);
            store.covered(from, i64::MAX).expect("coverage can be read");
            let spans = [(start, read), (read, judged), (judged, ran())].map(|(a, b)| b.saturating_sub(a));
            for (list, span) in times.iter_mut().zip(spans.into_iter().chain([begun.elapsed()])) {
                list.push(span);
            }
        }
        let [read, judged, covered, all] = times.map(|mut t| spread(&mut t));
        println!("| {what} | {} | {} | {} | {read} | {judged} | {covered} | {all} |", found.0, found.1, found.2);
    }
    if !kept {
        drop(std::fs::remove_file(&path));
    }
}

/// How long this thread ran on a processor; Linux says so, elsewhere it is 0.
fn ran() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0))
}

/// The median, with the least and the greatest.
fn spread(times: &mut [Duration]) -> String {
    times.sort();
    let at = |n: usize| times.get(n).map_or(0.0, Duration::as_secs_f64);
    format!("{:.3} ({:.3} to {:.3})", at(times.len() / 2), at(0), at(times.len() - 1))
}
