//! The records of a population, day by day.

use super::plan::{MONTHS, Org, Scale, mix};
use std::io::{self, Write};

/// On which days of a month an address is seen, and with what.
#[derive(Clone, Copy)]
pub struct Habit {
    first: u32,
    stride: u32,
    pub count: u32,
    days: u32,
    chance: u64,
}

impl Habit {
    pub fn of(org: &Org, number: u32, month: usize, scale: &Scale, seed: u64) -> Habit {
        let days = if month == 5 { org.until } else { MONTHS[month].1 };
        let chance = mix(u64::from(org.base.wrapping_add(number)) << 8 | month as u64 ^ seed << 44);
        let (least, most) = scale.days;
        // Most are seen on few days.
        let spread = most - least + 1;
        let count = least + ((chance >> 40) % spread).min((chance >> 50) % (2 * spread)).min(most - least);
        Habit {
            first: (chance % u64::from(days)) as u32,
            stride: 1 + (chance >> 20) as u32 % 2,
            count: count as u32,
            days,
            chance,
        }
    }

    /// Which of its days a day of the month is, from 0.
    fn place(&self, day: u32) -> Option<u32> {
        if day >= self.days {
            return None;
        }
        let since = (day + self.days - self.first) % self.days;
        let place = since / self.stride;
        (since.is_multiple_of(self.stride) && place < self.count).then_some(place)
    }

    /// Whether reputation servers were asked on that day too.
    pub fn reputation(&self, place: u32) -> bool {
        (self.chance >> 28 & 7) < 2 && place == 0
    }
}

/// Writes them as lines.
pub fn write(orgs: &[Org], scale: &Scale, seed: u64, out: &mut impl Write) -> io::Result<()> {
    let mut line = Line::default();
    for (month, (number, days)) in MONTHS.into_iter().enumerate() {
        for day in 0..days {
            line.day(number, day + 1);
            for org in orgs {
                let (start, count) = org.months[month];
                for address in start..start + count {
                    let habit = Habit::of(org, address, month, scale, seed);
                    let Some(place) = habit.place(day) else { continue };
                    let random = mix(habit.chance ^ u64::from(day));
                    line.put(org.country, org.base + address, random, false);
                    if habit.reputation(place) {
                        line.put(org.country, org.base + address, mix(random), true);
                    }
                    if line.text.len() > 1 << 18 {
                        out.write_all(&line.text)?;
                        line.text.clear();
                    }
                }
            }
        }
    }
    out.write_all(&line.text)
}

/// Lines in the form in which records are printed.
#[derive(Default)]
struct Line {
    text: Vec<u8>,
    hashed: Vec<u8>,
    ip: Vec<u8>,
    period: String,
}

fn number(out: &mut Vec<u8>, n: u64) {
    let mut digits = [0; 20];
    let (mut at, mut n) = (20, n);
    loop {
        at -= 1;
        digits[at] = b'0' + (n % 10) as u8;
        n /= 10;
        if n == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

fn hex(out: &mut Vec<u8>, bytes: &[u8]) {
    for byte in bytes {
        out.extend([byte >> 4, byte & 15].map(|n| b"0123456789abcdef"[usize::from(n)]));
    }
}

impl Line {
    fn day(&mut self, month: u32, day: u32) {
        self.period = format!("2024-{month:02}-{day:02}");
    }

    fn put(&mut self, country: &str, ip: u32, random: u64, reputation: bool) {
        let (indicator, category, server) = match reputation {
            false => ("update-s-hosts", "update", "s"),
            true => ("reputation-ksn-geo", "reputation", "ksn-file-geo"),
        };
        self.ip.clear();
        for (at, byte) in ip.to_be_bytes().into_iter().enumerate() {
            if at > 0 {
                self.ip.push(b'.');
            }
            number(&mut self.ip, byte.into());
        }
        self.hashed.clear();
        for part in [b"isp-".as_slice(), country.as_bytes(), b"\0\0", &self.ip, b"\0\0", indicator.as_bytes(), b"\0"] {
            self.hashed.extend_from_slice(part);
        }
        self.hashed.extend_from_slice(self.period.as_bytes());
        self.hashed.push(0);
        let hash = ring::digest::digest(&ring::digest::SHA256, &self.hashed);

        // Seconds of the day, such that last is in the same or the next quarter.
        let first = random % 85_000;
        let last = first + (random >> 20) % 900;
        let slots: u128 = 1 << (95 - first / 900) | 1 << (95 - last / 900);
        let sessions = 1;
        let server_number = (random >> 32) % 26;
        let out = &mut self.text;
        let mut text = |parts: &[&[u8]]| parts.iter().for_each(|p| out.extend_from_slice(p));
        text(&[b"{\"schema\":\"spansight.sighting/1\",\"id\":\""]);
        hex(&mut self.text, &hash.as_ref()[..16]);
        let out = &mut self.text;
        let mut text = |parts: &[&[u8]]| parts.iter().for_each(|p| out.extend_from_slice(p));
        // One live run of each country's sensor.
        let run = [b"0123456789abcdef0123456789abcd".as_slice(), country.as_bytes()].concat().to_ascii_lowercase();
        let run: Vec<u8> = run.iter().map(|b| if b.is_ascii_hexdigit() { *b } else { b'0' + b % 10 }).collect();
        text(&[b"\",\"revision\":1,\"sensor\":\"isp-", country.as_bytes(), b"\",\"source\":\"run:", &run]);
        text(&[b"\",\"period\":\"", self.period.as_bytes(), b"\",\"host\":{\"ip\":\"", &self.ip]);
        text(&[b"\",\"segment\":\"\"},\"indicator\":{\"id\":\"", indicator.as_bytes(), b"\",\"category\":\""]);
        text(&[category.as_bytes(), b"\",\"confidence\":\"high\"},\"stage\":\"transferred\",\"channels\":["]);
        text(&[b"\"dns_query\",\"dns_answer\",\"tls_sni\"],\"names\":[\"", server.as_bytes()]);
        if reputation {
            text(&[b".kaspersky-labs.com"]);
        } else {
            text(&[&[b'0' + (server_number / 10) as u8, b'0' + (server_number % 10) as u8], b".upd.kaspersky.com"]);
        }
        text(&[b"\"],\"names_more\":0,\"servers\":[{\"ip\":\"198.51.100."]);
        number(&mut self.text, server_number + 1);
        let out = &mut self.text;
        let mut text = |parts: &[&[u8]]| parts.iter().for_each(|p| out.extend_from_slice(p));
        text(&[b"\",\"port\":443,\"transport\":\"tcp\"}],\"servers_more\":0,\"first_seen\":\""]);
        let clock = |secs: u64| {
            let two = |n: u64| [b'0' + (n / 10) as u8, b'0' + (n % 10) as u8];
            let ([a, b], [c, d], [e, f]) = (two(secs / 3600), two(secs / 60 % 60), two(secs % 60));
            [b'T', a, b, b':', c, d, b':', e, f, b'Z']
        };
        text(&[self.period.as_bytes(), &clock(first), b"\",\"last_seen\":\"", self.period.as_bytes(), &clock(last)]);
        text(&[b"\",\"count\":"]);
        number(&mut self.text, 3 + (random >> 50) % 40);
        self.text.extend_from_slice(b",\"sessions\":");
        number(&mut self.text, sessions);
        for name in [b",\"slots\":\"".as_slice(), b"\",\"slots_connected\":\""] {
            self.text.extend_from_slice(name);
            hex(&mut self.text, &slots.to_be_bytes()[4..]);
        }
        self.text.extend_from_slice(b"\",\"bytes_to_server\":");
        number(&mut self.text, 500 + (random >> 12) % 9_000);
        self.text.extend_from_slice(b",\"bytes_from_server\":");
        number(&mut self.text, 4_000 + (random >> 4) % 3_000_000);
        self.text.extend_from_slice(b",\"evidence\":[]}\n");
    }
}
