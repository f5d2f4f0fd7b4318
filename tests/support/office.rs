//! Stores of an office that is not there: hosts of every kind over many days,
//! and what the sensors saw.

use spansight::base::time::{QUARTER_SECS, SECOND, format_day};
use spansight::base::{Addr, Channel, Mac, Stage, Timestamp};
use spansight::catalogue::{Catalogue, Category, Confidence, LongText};
use spansight::coverage::{Counter, Key, Ledger};
use spansight::sighting::draft::record_id;
use spansight::sighting::record::{Host, IndicatorSummary, Record, SCHEMA, Server, Slots};
use spansight::store::{Interval, Run, Source, Store, Writer};
use std::ops::Range;
use std::path::Path;

/// 2026-01-01.
pub const FIRST_DAY: i64 = 20_454;

/// An office.
pub struct Office {
    /// Hosts that are seen at all.
    pub hosts: u32,
    /// One in so many of them has contacts; with 0 none.
    pub one_in: u32,
    /// Days from [`FIRST_DAY`] on.
    pub days: i64,
    /// Sensors, each of which sees its share of the hosts.
    pub sensors: Vec<String>,
    /// Days, counted from the first, on which no sensor saw a frame.
    pub down: Range<i64>,
    /// From which day on the runs used another catalogue.
    pub other_catalogue: Option<i64>,
    /// What hosts call themselves.
    pub name: fn(u32) -> String,
    /// Whether hosts stop contacting, so that use falls to a third.
    pub falls: bool,
}

impl Default for Office {
    fn default() -> Self {
        Office {
            hosts: 100,
            one_in: 5,
            days: 14,
            sensors: vec!["hall".into()],
            down: 0..0,
            other_catalogue: None,
            name: |n| format!("pc-{n}"),
            falls: false,
        }
    }
}

/// What hosts of a kind do on a day: indicator, category, name, how far it gets,
/// and in which quarter hours.
struct Habit {
    id: &'static str,
    category: Category,
    name: &'static str,
    stage: Stage,
    quarters: &'static [u8],
}

const fn habit(
    id: &'static str,
    category: Category,
    name: &'static str,
    stage: Stage,
    quarters: &'static [u8],
) -> Habit {
    Habit { id, category, name, stage, quarters }
}

const UPDATE: Habit =
    habit("update-s-hosts", Category::Update, "s05.upd.kaspersky.com", Stage::Transferred, &[33, 41, 49, 57]);
const ONE_UPDATE: Habit = habit("update-s-hosts", Category::Update, "s10.upd.kaspersky.com", Stage::Transferred, &[36]);
const REPUTATION: Habit = habit(
    "reputation-ksn-suffix",
    Category::Reputation,
    "dc1.ksn.kaspersky-labs.com",
    Stage::Connected,
    &[34, 36, 40, 44, 50, 60],
);
const REFUSED: Habit =
    habit("update-s-hosts", Category::Update, "s11.upd.kaspersky.com", Stage::Attempted, &[34, 42, 50]);
const ASKED: Habit = habit("update-s-hosts", Category::Update, "s00.upd.kaspersky.com", Stage::Answered, &[33, 41]);
const WEB: Habit = habit("web-www", Category::Web, "www.kaspersky.com", Stage::Transferred, &[45]);
const LOOKALIKE: Habit =
    habit("lookalike-kasperskyupdate-com", Category::Lookalike, "kasperskyupdate.com", Stage::Connected, &[40]);

/// What a host does, by its number.
fn habits(client: u32) -> &'static [Habit] {
    const ACTIVE: &[Habit] = &[UPDATE, REPUTATION];
    match client % 20 {
        0..=10 => ACTIVE,
        11 | 12 => &[ONE_UPDATE],
        13 | 14 => &[REFUSED],
        15 => &[ASKED],
        16 | 17 => &[REPUTATION],
        18 => &[WEB],
        _ => &[LOOKALIKE, WEB],
    }
}

impl Office {
    /// Writes the store.
    pub fn store(&self, path: &Path) {
        let mut store = Store::open(path).unwrap();
        for (number, sensor) in self.sensors.iter().enumerate() {
            for (part, days) in self.parts().into_iter().enumerate() {
                let mut w = store.begin().unwrap();
                let source = format!("run:{number:04x}{part:04x}{:024x}", 0);
                let run = w.put_run(&self.run(sensor, part, &days)).unwrap();
                let at = |day: i64| Timestamp::from_parts((FIRST_DAY + day) * 86_400, 0);
                w.put_source(
                    run,
                    &Source {
                        source: source.clone(),
                        first: Some(at(days.start)),
                        last: Some(at(days.end).plus(-1)),
                        frames: 1_000_000,
                        interfaces: vec!["span0".into()],
                        ..Source::default()
                    },
                )
                .unwrap();
                for day in days {
                    if !self.down.contains(&day) {
                        self.day(&mut w, number, &source, day);
                    }
                }
                w.commit().unwrap();
            }
        }
    }

    /// Days of each run of a sensor: one, or two where the catalogue changed.
    fn parts(&self) -> Vec<Range<i64>> {
        match self.other_catalogue {
            Some(day) => vec![0..day, day..self.days],
            None => std::iter::once(0..self.days).collect(),
        }
    }

    fn run(&self, sensor: &str, part: usize, days: &Range<i64>) -> Run {
        let built_in = Catalogue::load(None, &[]).unwrap();
        let mut text = built_in.effective_toml().to_text();
        if part > 0 {
            text.push_str(
                "\n[[indicator]]\nid = \"update-new\"\ncategory = \"update\"\nuse = \"alone\"\nconfidence = \"low\"\n\
                 meaning = \"a name that was found later\"\nsources = [\"example\"]\nexact = \"new.upd.example\"\n",
            );
        }
        let text = LongText::from(text.as_str());
        Run {
            version: "0.1.0".into(),
            command: ["spansight", "watch", "-i", "span0", "--store", "office.db"].map(String::from).into(),
            catalogue_sha256: text.sha256_hex(),
            catalogue: text,
            home_nets: vec!["10.0.0.0/8".into()],
            sensor: sensor.into(),
            hash: "none".into(),
            started: Timestamp::from_parts((FIRST_DAY + days.start) * 86_400, 0),
            ended: Some(Timestamp::from_parts((FIRST_DAY + days.end) * 86_400, 0)),
            exit_code: Some(0),
            exit_reason: Some("done".into()),
            environment: [("binary_sha256".to_owned(), "5".repeat(64)), ("host".to_owned(), format!("{sensor}-1"))]
                .into(),
        }
    }

    fn day(&self, w: &mut Writer<'_>, sensor: usize, source: &str, day: i64) {
        let sensors = self.sensors.len();
        let start = (FIRST_DAY + day) * 86_400;
        for host in (0..self.hosts).filter(|h| *h as usize % sensors == sensor) {
            let from = Timestamp::from_parts(start + 25_000 + i64::from(host % 5_000), 0);
            let interval = |kind: &str, name| Interval {
                source: source.into(),
                kind: kind.into(),
                segment: String::new(),
                ip: self.ip(host),
                mac: Some(mac(host)),
                name,
                from,
                to: from.plus(40_000 * SECOND),
            };
            w.put_intervals([interval("handshake", None)]).unwrap();
            if host.checked_rem(self.one_in) != Some(0) || self.is_gone(host, day) {
                continue;
            }
            w.put_intervals([interval("mdns", Some((self.name)(host)))]).unwrap();
            for habit in habits(host / self.one_in) {
                w.put_record(&self.record(&self.sensors[sensor], source, host, day, habit), false).unwrap();
            }
        }
        w.put_coverage(source, 0, &mut self.coverage(sensor, day)).unwrap();
    }

    /// Whether a host has stopped: two in three do, one after the other.
    fn is_gone(&self, host: u32, day: i64) -> bool {
        let last = i64::from(host % 97) * self.days / 65;
        self.falls && last < self.days && day > last.max(self.days / 6)
    }

    fn ip(&self, host: u32) -> Addr {
        let [_, _, high, low] = host.to_be_bytes();
        Addr::v4([10, 20, high, low])
    }

    fn record(&self, sensor: &str, source: &str, host: u32, day: i64, habit: &Habit) -> Record {
        let period = format_day(FIRST_DAY + day);
        let shift = u8::try_from(host % 20).unwrap();
        let mut slots = Slots::default();
        habit.quarters.iter().for_each(|q| slots.set(q + shift));
        let at = |quarter: &u8| {
            let secs = (FIRST_DAY + day) * 86_400 + i64::from(quarter + shift) * QUARTER_SECS;
            Timestamp::from_parts(secs, 250_000_000)
        };
        let connected = habit.stage >= Stage::Connected;
        let lookup = habit.stage <= Stage::Answered;
        let mut channels = vec![Channel::DnsQuery, Channel::DnsAnswer];
        channels.extend((!lookup).then_some(Channel::TlsSni));
        Record {
            schema: SCHEMA.into(),
            id: record_id(sensor, "", &self.ip(host), Some(mac(host)), habit.id, &period),
            revision: 3,
            sensor: sensor.into(),
            source: source.into(),
            period,
            host: Host {
                ip: self.ip(host),
                mac: Some(mac(host)),
                segment: String::new(),
                name: Some((self.name)(host)),
                name_source: Some("dhcp".into()),
            },
            indicator: IndicatorSummary { id: habit.id.into(), category: habit.category, confidence: Confidence::High },
            stage: habit.stage,
            channels,
            names: vec![habit.name.into()],
            names_more: 0,
            servers: if lookup {
                Vec::new()
            } else {
                vec![Server { ip: Addr::v4([203, 0, 113, 9]), port: 443, transport: "tcp".into() }]
            },
            servers_more: 0,
            client_subnets: Vec::new(),
            client_subnets_more: 0,
            first_seen: at(&habit.quarters[0]),
            last_seen: at(habit.quarters.last().unwrap()).plus(30 * SECOND),
            count: 12,
            sessions: slots.runs(),
            slots,
            slots_connected: if connected { slots } else { Slots::default() },
            bytes_to_server: if lookup { 0 } else { 2_000 },
            bytes_from_server: if connected { 300_000 } else { 0 },
            notes: Vec::new(),
            community_ids: Vec::new(),
            evidence: Vec::new(),
            evidence_more: 0,
        }
    }

    fn coverage(&self, sensor: usize, day: i64) -> Ledger {
        let mut ledger = Ledger::new();
        for quarter in (FIRST_DAY + day) * 96..(FIRST_DAY + day + 1) * 96 {
            ledger.turn_to(Key { source: 0, interface: 0, quarter });
            for (counter, n) in [
                (Counter::Frames, 20_000),
                (Counter::FramesDecoded, 19_990),
                (Counter::WireBytes, 12_000_000),
                (Counter::BytesDecoded, 11_900_000),
                (Counter::TcpSegments, 15_000),
                (Counter::UdpDatagrams, 4_990),
                (Counter::Names, 400),
                (Counter::DnsMessages, 300),
                (Counter::DnsAnswers, 150),
                (Counter::TlsHellos, 200),
                (Counter::FlowsOther, 250),
            ] {
                ledger.add(counter, n);
            }
            for host in (0..self.hosts.min(200)).filter(|h| *h as usize % self.sensors.len() == sensor) {
                ledger.address(self.ip(host));
            }
        }
        ledger
    }
}

fn mac(host: u32) -> Mac {
    let [_, _, high, low] = host.to_be_bytes();
    Mac([0, 0, 0x5e, 0, high, low])
}
