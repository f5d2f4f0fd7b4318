//! Who is there: countries, organisations, and how many addresses of each are
//! in use in each month.

use std::io::{self, Write};

/// Sectors but government.
const SECTORS: [&str; 6] = ["education", "energy", "finance", "health", "industry", "trade"];

/// Months of the population, April to November 2024: number and days.
pub const MONTHS: [(u32, u32); 8] = [(4, 30), (5, 31), (6, 30), (7, 31), (8, 31), (9, 30), (10, 31), (11, 30)];
/// The first month that lies behind the ban of 29 September.
const AFTER: usize = 6;
/// Days of September before it.
const BEFORE_BAN: u32 = 28;
/// How many of April's addresses are in use in each month, of 10,000: the way
/// between April and November.
const COURSE: [u64; 8] = [10_000, 9_500, 8_900, 8_000, 6_900, 5_600, 1_200, 0];

/// What is wanted of a country.
pub struct Country {
    pub code: &'static str,
    /// Organisations and addresses in April, and in November.
    pub april: (u64, u64),
    pub november: (u64, u64),
    /// Organisations first seen after the ban, among those of November.
    pub new: u64,
}

/// A population of such a size.
pub struct Scale {
    pub countries: Vec<Country>,
    /// Most days of a month on which an address is seen, from and to.
    pub days: (u64, u64),
    /// Months of government bodies of the United States: in April, and still
    /// after the ban.
    pub government: (u64, u64),
}

impl Scale {
    /// The published shape: 22,000 organisations and 7,000,000 addresses fall to
    /// 8,000 and 2,000,000.
    pub fn full() -> Scale {
        let c = |code, april, november, new| Country { code, april, november, new };
        Scale {
            countries: vec![
                c("US", (5_000, 1_500_000), (2_100, 630_000), 100),
                c("DE", (2_500, 800_000), (800, 248_000), 20),
                c("GB", (2_000, 500_000), (620, 150_000), 20),
                c("IT", (1_800, 600_000), (640, 210_000), 20),
                c("FR", (2_200, 700_000), (760, 180_000), 30),
                c("BR", (3_000, 1_100_000), (1_080, 230_000), 40),
                c("IN", (3_100, 1_000_000), (1_100, 202_000), 40),
                c("ES", (2_400, 800_000), (900, 150_000), 30),
            ],
            days: (1, 2),
            government: (60, 19),
        }
    }

    /// The same shares with 10,000 addresses, seen as often as the machines of an
    /// office are.
    pub fn office() -> Scale {
        let c = |code, april, november, new| Country { code, april, november, new };
        Scale {
            countries: vec![
                c("US", (50, 2_000), (21, 840), 1),
                c("DE", (25, 1_000), (8, 310), 0),
                c("GB", (20, 1_000), (6, 300), 0),
                c("IT", (20, 1_000), (7, 350), 1),
                c("FR", (105, 5_000), (38, 1_057), 2),
            ],
            days: (7, 14),
            government: (24, 19),
        }
    }
}

/// An organisation and its addresses, which are numbered from 0. Those in use in
/// a month are a range: some go each month, others come.
#[derive(Clone)]
pub struct Org {
    pub name: String,
    pub country: &'static str,
    pub sector: &'static str,
    /// First address of its prefix, as a number, and the prefix length.
    pub base: u32,
    pub prefix: u32,
    /// First number and how many, of each month.
    pub months: [(u32, u32); 8],
    /// In September nothing is seen of it after this day.
    pub until: u32,
}

/// Writes the prefixes of organisations as CSV.
pub fn write_groups(orgs: &[Org], out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "prefix,org,country,sector")?;
    for org in orgs {
        let ip = org.base.to_be_bytes().map(|b| b.to_string()).join(".");
        writeln!(out, "{ip}/{},{},{},{}", org.prefix, org.name, org.country, org.sector)?;
    }
    Ok(())
}

/// A generator of numbers with good bits (splitmix64): a step and its mix.
pub fn mix(n: u64) -> u64 {
    let mut z = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

/// Splits a total among `weights`, at least one each, to the last one.
fn split(total: u64, weights: &[f64]) -> Vec<u64> {
    let sum: f64 = weights.iter().sum();
    let spare = total - weights.len() as u64;
    let mut parts: Vec<u64> = weights.iter().map(|w| 1 + (spare as f64 * w / sum) as u64).collect();
    // What rounding left is less than one for each.
    let rest = total - parts.iter().sum::<u64>();
    parts.iter_mut().take(rest as usize).for_each(|part| *part += 1);
    parts
}

/// Makes the organisations of a population.
pub fn organisations(scale: &Scale, seed: u64) -> Vec<Org> {
    let mut all = Vec::new();
    // Reserved for future use (RFC 1112): addresses that nobody has.
    let mut free: u64 = 240 << 24;
    for (number, country) in (0u64..).zip(&scale.countries) {
        let (april, november) = (country.april.0 as usize, country.november.0 as usize);
        let new = country.new as usize;
        let staying = november - new;
        let chance = |what: u64, org: usize| mix(seed ^ number << 56 ^ what << 48 ^ org as u64);
        // Few large ones, many small ones, in an order without meaning.
        let weight = |org: usize| 1.0 / ((chance(1, org) % april as u64) as f64 + 2.0).powf(0.8);
        // Who stays lies evenly among the others.
        let stays = |org: usize| org < april && (org + 1) * staying / april > org * staying / april;
        let april_weights: Vec<f64> = (0..april).map(weight).collect();
        let first = split(country.april.1, &april_weights);
        let late: Vec<usize> = (0..april + new).filter(|o| stays(*o) || *o >= april).collect();
        let late_weights: Vec<f64> = late
            .iter()
            .map(|o| if *o < april { first[*o] as f64 } else { country.april.1 as f64 / april as f64 })
            .collect();
        let mut last = vec![0; april + new];
        for (org, count) in late.iter().zip(split(country.november.1, &late_weights)) {
            last[*org] = count;
        }
        let (mut bodies, mut bodies_late) = (0, 0);
        for org in 0..april + new {
            let is_new = org >= april;
            let (from, to) = (if is_new { 0 } else { first[org] }, last[org]);
            // The month in which it is gone; those of the United States that do
            // not stay are gone before the ban.
            let is_us = country.code == "US";
            let gone = match to {
                0 if is_us => 1 + chance(2, org) as usize % AFTER,
                0 => 1 + chance(2, org) as usize % 7,
                _ => 8,
            };
            let come = if is_new { AFTER + chance(3, org) as usize % 2 } else { 0 };
            let mut months = [(0, 0); 8];
            let (mut start, mut highest) = (0, 0);
            for (month, place) in months.iter_mut().enumerate() {
                let count = match COURSE[month] {
                    _ if month < come || month >= gone => 0,
                    share if is_new => (to * (10_000 - share / 2) / 10_000).max(1),
                    share => ((from * share + to * (10_000 - share)) / 10_000).max(1),
                };
                // Three of a hundred addresses are others than a month ago.
                start += if month > 0 { count * 3 / 100 } else { 0 };
                *place = (start as u32, count as u32);
                highest = highest.max(start + count);
            }
            let sector = if is_us && !is_new {
                let (is_body, counter, most) = match to {
                    0 => (bodies < scale.government.0 - scale.government.1, &mut bodies, 3),
                    _ => (bodies_late < scale.government.1, &mut bodies_late, 1),
                };
                let takes = is_body && chance(4, org) % most == 0;
                *counter += u64::from(takes);
                if takes { "government" } else { SECTORS[chance(5, org) as usize % SECTORS.len()] }
            } else if is_us {
                SECTORS[chance(5, org) as usize % SECTORS.len()]
            } else {
                ["government", SECTORS[chance(5, org) as usize % SECTORS.len()]][usize::from(chance(6, org) % 50 != 0)]
            };
            let prefix = 32 - highest.next_power_of_two().trailing_zeros();
            let size = 1u64 << (32 - prefix);
            free = free.div_ceil(size) * size;
            all.push(Org {
                name: format!("{}-{org:05}", country.code.to_lowercase()),
                country: country.code,
                sector,
                base: u32::try_from(free).expect("the reserved addresses last"),
                prefix,
                months,
                until: if gone <= AFTER { BEFORE_BAN } else { 30 },
            });
            free += size;
        }
    }
    all
}
