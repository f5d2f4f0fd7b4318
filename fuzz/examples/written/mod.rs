//! Inputs for the targets of what this program writes and others hand over:
//! records of the sample captures and of a made-up population.

#[path = "../../../scripts/benchmark/population/plan.rs"]
#[allow(dead_code)]
mod plan;
#[path = "../../../scripts/benchmark/population/records.rs"]
#[allow(dead_code)]
mod records;

use spansight::report::csv::full;
use spansight::sighting::line::parse_marked;
use spansight_fuzz::archives::{import, run};
use spansight_fuzz::publications::{PARTS, publication, published};
use std::io;
use std::path::Path;

/// Inputs by target.
pub type Inputs = (&'static str, Vec<Vec<u8>>);

/// Inputs for all of them; `samples` has the records of captures.
pub fn inputs(samples: &Path, room: &Path) -> io::Result<Vec<Inputs>> {
    let mut lines = Vec::new();
    let mut paths: Vec<_> = std::fs::read_dir(samples)?.map(|e| e.map(|e| e.path())).collect::<Result<_, _>>()?;
    paths.retain(|p| p.extension().is_some_and(|e| e == "ndjson"));
    paths.sort();
    for path in paths {
        lines.extend(std::fs::read(path)?.split(|b| *b == b'\n').filter(|l| !l.is_empty()).map(<[u8]>::to_vec));
    }
    let scale = plan::Scale::office();
    let orgs = plan::organisations(&scale, 1);
    let mut all = Vec::new();
    records::write(&orgs, &scale, 1, &mut all)?;
    let all: Vec<&[u8]> = all.split(|b| *b == b'\n').filter(|l| !l.is_empty()).collect();
    lines.extend(all.iter().step_by(all.len() / 60 + 1).map(|l| l.to_vec()));
    let packs: Vec<Vec<u8>> = lines.chunks(5).map(|c| c.join(&b'\n')).collect();
    let groups = groups(&orgs)?;
    // Short ones are kept where room ends.
    let few: Vec<Vec<u8>> = lines.iter().rev().step_by(6).cloned().chain(packs.iter().cloned()).collect();
    Ok(vec![
        ("lines", lines.iter().cloned().chain(packs.iter().cloned()).chain(rows(&lines)).collect()),
        ("archive", archives(&few, room)?),
        ("publication", publications(&packs, &groups)?),
        ("groups", groups),
    ])
}

/// The same records as CSV, and with the fields of the line in another order.
fn rows(lines: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    for (n, line) in lines.iter().enumerate() {
        let Ok((record, _)) = parse_marked(line) else { continue };
        let mut row = Vec::new();
        let written = full::write_header(&mut row).and_then(|()| full::write(&mut row, &record, n % 2 == 0));
        written.expect("room in memory");
        out.push(row);
        if let Ok(value) = serde_json::from_slice::<serde_json::Value>(line) {
            out.push(serde_json::to_vec(&value).expect("room in memory"));
        }
    }
    out
}

/// Files of groups: CSV of the population and by hand, and databases.
fn groups(orgs: &[plan::Org]) -> io::Result<Vec<Vec<u8>>> {
    let mut whole = Vec::new();
    plan::write_groups(orgs, &mut whole)?;
    let lines: Vec<&[u8]> = whole.split(|b| *b == b'\n').collect();
    let mut out: Vec<Vec<u8>> = lines[1..].chunks(12).take(8).map(|l| [&lines[..1], l].concat().join(&b'\n')).collect();
    out.extend(GROUPS.iter().map(|g| g.as_bytes().to_vec()));
    out.push(database(&[
        ("10.0.0.0/8", &[("country", "DE"), ("org", "Acme, \"Inc\"")]),
        ("192.168.1.0/24", &[("org", "B")]),
    ]));
    out.push(database(&[(
        "10.1.2.0/24",
        &[("autonomous_system_organization", "x "), ("asn", "64512"), ("city", "y")],
    )]));
    Ok(out)
}

const GROUPS: &[&str] = &[
    "prefix,org\n10.0.0.0/8,A\n10.1.0.0/16,\"B, \"\"C\"\"\"\n2001:db8::/32,D\n",
    "prefix;org;valid_from;valid_to\r\n10.0.0.0/8;A;2024-01-01;2024-03-31\r\n10.0.0.0/8;B;2024-04-01;\r\n",
    "\u{feff}site,prefix,country,sector\nOne,10.1.2.3,DE,\n\n\"Two\",10.1.2.0/24,,bank\n",
    "prefix,org,valid_to\n10.1.2.3,A,2024-10-04\n10.1.0.0/16,B,2024-10-03\n0.0.0.0/0,C,\n",
];

/// A database of IPv4 prefixes with texts in the MaxMind format: a tree of
/// records of 32 bits, the entries, metadata.
fn database(entries: &[(&str, &[(&str, &str)])]) -> Vec<u8> {
    let text = |out: &mut Vec<u8>, text: &str| {
        match text.len() {
            n @ ..29 => out.push(0x40 | n as u8),
            n => out.extend([0x40 | 29, (n - 29) as u8]),
        }
        out.extend(text.as_bytes());
    };
    let (mut data, mut offsets, mut nodes) = (Vec::new(), Vec::new(), vec![[None::<u32>; 2]]);
    for (_, fields) in entries {
        offsets.push(data.len() as u32);
        data.push(0xe0 | fields.len() as u8);
        fields.iter().for_each(|(key, value)| [key, value].into_iter().for_each(|t| text(&mut data, t)));
    }
    const ENTRY: u32 = 1 << 31;
    for ((prefix, _), offset) in entries.iter().zip(&offsets) {
        let prefix: spansight::base::Prefix = prefix.parse().expect("a prefix");
        let (network, length) = (prefix.network() as u32, u32::from(prefix.len128()) - 96);
        let mut at = 0;
        for bit in 0..length {
            let side = (network >> (31 - bit) & 1) as usize;
            if bit + 1 == length {
                nodes[at][side] = Some(offset | ENTRY);
            } else {
                let next = nodes[at][side].unwrap_or(nodes.len() as u32);
                nodes[at][side] = Some(next);
                if next as usize == nodes.len() {
                    nodes.push([None; 2]);
                }
                at = next as usize;
            }
        }
    }
    let count = nodes.len() as u32;
    let record = |child: Option<u32>| match child {
        None => count,
        Some(n) if n & ENTRY != 0 => count + 16 + (n & !ENTRY),
        Some(n) => n,
    };
    let mut out: Vec<u8> = nodes.iter().flatten().flat_map(|child| record(*child).to_be_bytes()).collect();
    out.extend([0; 16]);
    out.extend(data);
    out.extend(b"\xab\xcd\xefMaxMind.com\xe9");
    for (key, value) in [("node_count", count), ("record_size", 32), ("ip_version", 4), ("build_epoch", 1 << 30)] {
        text(&mut out, key);
        // The time in eight bytes, a type that is written in two.
        if key == "build_epoch" {
            out.extend([4, 2]);
        } else {
            out.push(0xc4);
        }
        out.extend(value.to_be_bytes());
    }
    for (key, value) in [("binary_format_major_version", 2u8), ("binary_format_minor_version", 0)] {
        text(&mut out, key);
        out.extend([0xa1, value]);
    }
    text(&mut out, "database_type");
    text(&mut out, "Test");
    text(&mut out, "languages");
    out.extend([0, 4]);
    text(&mut out, "description");
    out.push(0xe0);
    out
}

/// Archives of records, as they are and taken apart.
fn archives(packs: &[Vec<u8>], room: &Path) -> io::Result<Vec<Vec<u8>>> {
    let (mut out, mut before) = (Vec::new(), Vec::new());
    for lines in packs {
        let folder = room.join("archive");
        std::fs::create_dir(&folder)?;
        if import(&folder, lines, &run(&spansight::catalogue::Catalogue::builtin())) {
            let file = std::fs::read(folder.join("records-000001.bin"))?;
            let manifest = std::fs::read(folder.join(spansight::store::archive::MANIFEST))?;
            let mut value: serde_json::Value = serde_json::from_slice(&manifest)?;
            value["data"]["sha256"] = "SHA".into();
            value["data"]["size"] = "SIZE".into();
            value["catalogues"] = serde_json::json!([]);
            let text = serde_json::to_vec(&value)?;
            out.push([&[1][..], &(text.len() as u16).to_be_bytes(), &text, &file].concat());
            let blocks = apart(&file).unwrap_or_default();
            for mode in [0, 2, 4] {
                out.push([&[mode][..], &blocks].concat());
                // Several of them in one archive.
                out.push([&[mode][..], &before, &blocks].concat());
            }
            before = blocks;
        }
        std::fs::remove_dir_all(&folder)?;
    }
    Ok(out)
}

/// The blocks of a file as the target takes them.
fn apart(mut file: &[u8]) -> Option<Vec<u8>> {
    fn number(read: &mut &[u8]) -> Option<u64> {
        let mut n = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = read.split_first()?;
            *read = rest;
            n |= u64::from(byte & 0x7f) << shift;
            if *byte < 0x80 {
                return Some(n);
            }
        }
        None
    }
    let mut out = Vec::new();
    while !file.is_empty() {
        let mut head = [0; 8];
        for n in &mut head {
            *n = number(&mut file)?;
        }
        let [rows, hosts, least, days, facts, facts_packed, rests, rests_packed] = head;
        let least = (least >> 1) as i64 ^ -((least & 1) as i64);
        out.extend((rows as u16).to_be_bytes());
        out.extend((hosts as u16).to_be_bytes());
        out.extend((least as i32).to_be_bytes());
        out.extend((days as u16).to_be_bytes());
        for (len, packed) in [(facts, facts_packed), (rests, rests_packed)] {
            let (half, rest) = file.split_at_checked(packed as usize)?;
            file = rest;
            out.extend((len as u16).to_be_bytes());
            out.extend(zstd::bulk::decompress(half, len as usize).ok()?);
        }
    }
    Some(out)
}

/// Records to publish, and publications.
fn publications(packs: &[Vec<u8>], groups: &[Vec<u8>]) -> io::Result<Vec<Vec<u8>>> {
    let mut out = Vec::new();
    for (n, lines) in packs.iter().enumerate() {
        let groups = &groups[n % groups.len()];
        let mode = [0, 2, 3, 16, 64, 66, 67, 40][n % 8];
        let input = [&[mode][..], &(groups.len() as u16).to_be_bytes(), groups, lines].concat();
        publication(&input);
        let folder = published(mode, input.get(1..).unwrap_or_default());
        out.push(input);
        let Some(folder) = folder else { continue };
        let file = |name: &str| std::fs::read(folder.join(name)).unwrap_or_default();
        let mut given = vec![0x80, u8::from(folder.join("groups.csv").is_file())];
        for name in PARTS.into_iter().chain(["trend.json"]) {
            // Small enough to be worth changing.
            let text = file(name);
            let text = serde_json::from_slice::<serde_json::Value>(&text).map_or(text, |v| v.to_string().into_bytes());
            let len = if text.len() > 5000 && name.ends_with(".json") { 0 } else { text.len() };
            given.extend((len as u16).to_be_bytes());
            given.extend(text.get(..len).unwrap_or_default());
        }
        given.extend(file("records.ndjson"));
        out.push(given);
    }
    Ok(out)
}
