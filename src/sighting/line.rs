//! Reading a record back from the line that was printed of it, trusting
//! nothing: who wrote the line may be anyone.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::draft::record_id;
use super::record::{
    Evidence, MAX_CLIENT_SUBNETS, MAX_COMMUNITY_IDS, MAX_EVIDENCE, MAX_NAMES, MAX_SERVERS, Record, SCHEMA, Stage,
};
use crate::base::brief;
use crate::base::time::parse_day;

/// Longest line that is read, in bytes.
pub const MAX_LINE: usize = 1 << 20;
/// Longest sensor name, segment, source, indicator id and word.
pub const MAX_WORD: usize = 256;
/// Most bytes of all texts of a record, and a few for each: of a byte at most
/// six are written, so that what is read can be written and read again.
pub const MAX_TEXT: usize = MAX_LINE / 8;

/// Reads a record of version 1 and checks that it can be one: that its id is
/// the one of its fields, that times and quarter hours agree, that lists are
/// sorted and no longer than this program makes them. Fields that this version
/// does not know are left out. `sessions` is counted anew.
///
/// # Errors
/// What is wrong, as the end of a sentence.
pub fn parse(line: &[u8]) -> Result<Record, String> {
    let mut record: Record = serde_json::from_slice(line).map_err(|e| {
        // The line is the reader's to number; serde always says the first.
        let text = e.to_string().replace(" at line 1 column ", " at column ").replace("EOF", "it ends");
        format!("no sighting record ({})", brief(text))
    })?;
    check(&record)?;
    record.sessions = record.slots.runs();
    Ok(record)
}

/// As [`parse`], and whether the line says `"support":true`: a contribution that
/// only indicators of use `support` show, which stands in an export of a store
/// and makes no record by itself.
///
/// # Errors
/// As [`parse`].
pub fn parse_marked(line: &[u8]) -> Result<(Record, bool), String> {
    #[derive(serde::Deserialize)]
    struct Marked {
        #[serde(default)]
        support: bool,
    }
    let record = parse(line)?;
    if memchr::memmem::find(line, b"\"support\"").is_none() {
        return Ok((record, false));
    }
    let marked: Marked = serde_json::from_slice(line).map_err(|_| "support is neither true nor false".to_owned())?;
    Ok((record, marked.support))
}

/// The line of a record as JSON, as [`parse_marked`] reads it.
#[cfg(test)]
pub(crate) fn written(r: &Record, support: bool) -> String {
    let mut text = serde_json::to_string(r).unwrap_or_default();
    if support {
        text.truncate(text.len().saturating_sub(1));
        text.push_str(",\"support\":true}");
    }
    text
}

fn require(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

/// Whether a record can be one, as [`parse`] wants it.
///
/// # Errors
/// What is wrong, as the end of a sentence.
pub(crate) fn check(r: &Record) -> Result<(), String> {
    require(r.schema == SCHEMA, || format!("schema {:?} is not {SCHEMA}", short(&r.schema)))?;
    check_words(r)?;
    let id = record_id(&r.sensor, &r.host.segment, &r.host.ip, r.host.mac, &r.indicator.id, &r.period);
    require(r.id == id, || {
        format!("id {:?} is not that of its sensor, host, indicator and period, {id}", short(&r.id))
    })?;
    check_rest(r)
}

/// As lines are checked, a record whose schema and id are known to be right.
///
/// # Errors
/// What is wrong, as the end of a sentence.
pub(crate) fn check_content(r: &Record) -> Result<(), String> {
    check_words(r)?;
    check_rest(r)
}

fn check_words(r: &Record) -> Result<(), String> {
    for (what, word) in [("sensor", &r.sensor), ("host.segment", &r.host.segment), ("indicator.id", &r.indicator.id)] {
        require(is_word(word), || format!("{what} is longer than {MAX_WORD} bytes or holds control characters"))?;
    }
    require(is_source(&r.source), || format!("source {:?} is no sha256:, file: or run: id", short(&r.source)))?;
    require(!r.indicator.id.is_empty(), || "indicator.id is empty".into())?;
    day(r).map(drop)
}

fn day(r: &Record) -> Result<i64, String> {
    parse_day(&r.period).ok_or_else(|| format!("period {:?} is no UTC day", short(&r.period)))
}

fn check_rest(r: &Record) -> Result<(), String> {
    let day = day(r)?;
    require(r.first_seen <= r.last_seen, || "last_seen is before first_seen".into())?;
    for (what, ts) in [("first_seen", r.first_seen), ("last_seen", r.last_seen)] {
        require(ts.day() == day, || format!("{what} is not on {}", r.period))?;
    }
    check_slots(r)?;
    require(r.count > 0, || "count is 0".into())?;
    require(r.revision > 0, || "revision is 0".into())?;
    check_lists(r)
}

fn check_slots(r: &Record) -> Result<(), String> {
    require(!r.slots.is_empty(), || "slots has no quarter hour".into())?;
    let beyond = r.slots_connected.bits() & !r.slots.bits();
    require(beyond == 0, || "slots_connected has quarter hours that slots has not".into())?;
    let connected = r.stage >= Stage::Connected;
    require(connected || r.slots_connected.is_empty(), || {
        format!("slots_connected has quarter hours, but the stage is {}", r.stage.as_str())
    })
}

fn check_lists(r: &Record) -> Result<(), String> {
    require(!r.channels.is_empty(), || "channels is empty".into())?;
    sorted("channels", &r.channels, usize::MAX)?;
    sorted("names", &r.names, MAX_NAMES)?;
    sorted("servers", &r.servers, MAX_SERVERS)?;
    sorted("client_subnets", &r.client_subnets, MAX_CLIENT_SUBNETS)?;
    sorted("community_ids", &r.community_ids, MAX_COMMUNITY_IDS)?;
    sorted("notes", &r.notes, MAX_NAMES)?;
    let transport = r.servers.iter().find(|s| !matches!(s.transport.as_str(), "tcp" | "udp"));
    require(transport.is_none(), || "a server's transport is neither tcp nor udp".into())?;
    require(r.evidence.len() <= MAX_EVIDENCE, || format!("evidence has more than {MAX_EVIDENCE} entries"))?;
    let hashed = |hash: &str| hash.len() == 64 && is_hex(hash);
    require(r.evidence.iter().all(|e| hashed(&e.packet_sha256)), || "a packet_sha256 is no SHA-256".into())?;
    require(text_len(r) <= MAX_TEXT, || format!("its texts have more than {MAX_TEXT} bytes"))
}

/// Bytes of all texts that are not of limited length otherwise, each with what
/// stands around it.
fn text_len(r: &Record) -> usize {
    let host = [&r.host.name, &r.host.name_source];
    let of_evidence = |e: &Evidence| {
        let texts = [&e.path, &e.interface, &e.name].into_iter().flatten().chain(&e.layers);
        texts.fold(0, |n: usize, text| n.saturating_add(text.len()).saturating_add(4))
    };
    let lists = [&r.names, &r.notes, &r.community_ids];
    let texts = host.into_iter().flatten().chain(lists.into_iter().flatten());
    let texts = texts.fold(0, |n: usize, text| n.saturating_add(text.len()).saturating_add(4));
    r.evidence.iter().fold(texts, |n, e| n.saturating_add(of_evidence(e)))
}

fn sorted<T: Ord>(what: &str, list: &[T], max: usize) -> Result<(), String> {
    require(list.len() <= max, || format!("{what} has more than {max} entries"))?;
    require(list.is_sorted_by(|a, b| a < b), || format!("{what} is not sorted, or has an entry twice"))
}

fn is_word(text: &str) -> bool {
    text.len() <= MAX_WORD && !text.contains(char::is_control)
}

/// Whether it is an id of a source; how long the hash is depends on who made it.
pub fn is_source(text: &str) -> bool {
    let id = ["sha256:", "file:", "run:"].iter().find_map(|kind| text.strip_prefix(kind));
    let plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.');
    id.is_some_and(|id| !id.is_empty() && id.len() <= MAX_WORD && id.bytes().all(plain))
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'a'..=b'f'))
}

/// As much of a text as fits into a sentence.
fn short(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]
mod tests {
    use super::super::testing::record;
    use super::*;
    use crate::base::{Channel, Timestamp};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    /// A record whose id is right.
    fn good() -> Record {
        let mut r = record();
        r.id = record_id(&r.sensor, &r.host.segment, &r.host.ip, r.host.mac, &r.indicator.id, &r.period);
        r
    }

    fn line(r: &Record) -> Vec<u8> {
        serde_json::to_vec(r).unwrap()
    }

    #[test]
    fn what_was_printed_is_read_back() {
        let r = good();
        assert_eq!(parse(&line(&r)), Ok(r));
    }

    #[test]
    fn fields_of_later_versions_are_left_out_and_sessions_counted() {
        let mut value = serde_json::to_value(good()).unwrap();
        value["mood"] = json!({"a": [1, 2]});
        value["host"]["colour"] = json!("blue");
        value["sessions"] = json!(77);
        assert_eq!(parse(value.to_string().as_bytes()), Ok(good()));
    }

    /// Each change is refused, with a sentence that says it.
    #[test]
    fn what_cannot_be_is_refused() {
        let long = "x".repeat(300);
        let names: Vec<String> = (0..65).map(|n| format!("{n:03}.example")).collect();
        let evidence = json!({"frame": 1, "ts": "2026-03-01T10:00:00Z", "channel": "tls_sni", "src": "10.0.0.5",
            "sport": 1, "dst": "10.0.0.6", "dport": 2, "packet_sha256": "00"});
        let cases: Vec<(&str, Value, &str)> = vec![
            ("/schema", json!("spansight.sighting/2"), "is not spansight.sighting/1"),
            ("/id", json!("00112233445566778899aabbccddeeff"), "is not that of its sensor"),
            ("/sensor", json!("another"), "is not that of its sensor"),
            ("/host/segment", json!("vlan:7"), "is not that of its sensor"),
            ("/host/ip", json!("10.0.0.6"), "is not that of its sensor"),
            ("/host/mac", json!("02:00:0a:00:00:06"), "is not that of its sensor"),
            ("/indicator/id", json!("other"), "is not that of its sensor"),
            ("/period", json!("2026-03-02"), "is not that of its sensor"),
            ("/period", json!("2026-3-1"), "no UTC day"),
            ("/period", json!("2026-02-30"), "no UTC day"),
            ("/sensor", json!(long), "sensor is longer"),
            ("/host/segment", json!("a\u{0}b"), "control characters"),
            ("/source", json!("elsewhere"), "no sha256:, file: or run: id"),
            ("/source", json!("run:"), "no sha256:"),
            ("/source", json!("run:a b"), "no sha256:"),
            ("/first_seen", json!("2026-03-01T11:00:00Z"), "last_seen is before"),
            ("/last_seen", json!("2026-03-02T00:00:00Z"), "last_seen is not on 2026-03-01"),
            ("/first_seen", json!("2026-02-28T23:59:59.999Z"), "first_seen is not on"),
            ("/first_seen", json!("yesterday"), "not an RFC 3339 time"),
            ("/slots", json!("0".repeat(24)), "no quarter hour"),
            ("/slots", json!("+".repeat(24)), "24 hex digits"),
            ("/slots", json!(format!("+{}", "1".repeat(23))), "24 hex digits"),
            ("/slots", json!("80"), "24 hex digits"),
            ("/slots_connected", json!("800000000000000000000000"), "slots has not"),
            ("/stage", json!("answered"), "but the stage is answered"),
            ("/stage", json!("finished"), "unknown variant"),
            ("/count", json!(0), "count is 0"),
            ("/count", json!(-1), "no sighting record"),
            ("/count", json!(1.5), "no sighting record"),
            ("/revision", json!(0), "revision is 0"),
            ("/channels", json!([]), "channels is empty"),
            ("/channels", json!(["tls_sni", "dns_query"]), "channels is not sorted"),
            ("/channels", json!(["telepathy"]), "unknown variant"),
            ("/names", json!(["b", "a"]), "names is not sorted"),
            ("/names", json!(names), "names has more than 64"),
            ("/servers/0/transport", json!("sctp"), "neither tcp nor udp"),
            ("/servers/0/port", json!(70_000), "no sighting record"),
            ("/host/ip", json!("10.0.0"), "not an IP address"),
            ("/host/mac", json!("+2:00:0a:00:00:05"), "not a MAC address"),
            ("/indicator/category", json!("friend"), "unknown variant"),
            ("/indicator/confidence", json!("absolute"), "unknown variant"),
            ("/evidence", json!([evidence]), "no SHA-256"),
            // What is wrong is a sentence, however long what it quotes.
            ("/stage", json!("x".repeat(100_000)), "xxxx…)"),
            ("/schema", json!("x".repeat(100_000)), "is not spansight.sighting/1"),
            // Written as six bytes each, it could not be read again.
            ("/names", json!(["\u{7f}".repeat(MAX_TEXT)]), "its texts have more than"),
        ];
        for (place, value, reason) in cases {
            let mut record = serde_json::to_value(good()).unwrap();
            *record.pointer_mut(place).unwrap() = value.clone();
            let said = parse(record.to_string().as_bytes()).unwrap_err();
            assert!(said.contains(reason), "{place} {value}: {said:?}");
            assert!(said.len() < 500 && !said.contains('\n'), "{said:?}");
        }
        for text in ["", "{", "[]", "null", "7", "{\"schema\":\"spansight.sighting/1\"}", "\u{feff}{}"] {
            assert!(parse(text.as_bytes()).unwrap_err().starts_with("no sighting record ("), "{text}");
        }
        let twice = String::from_utf8(line(&good())).unwrap().replacen('{', "{\"count\":1,", 1);
        assert!(parse(twice.as_bytes()).unwrap_err().contains("duplicate field"));
        let mut deep = b"[".repeat(100_000);
        deep.extend(b"]".repeat(100_000));
        assert!(parse(&deep).is_err());
    }

    proptest! {
        #[test]
        fn a_line_changed_anywhere_never_panics(at in 0usize..900, byte: u8) {
            let mut bytes = line(&good());
            if let Some(b) = bytes.get_mut(at) {
                *b = byte;
            }
            if let Ok(r) = parse(&bytes) {
                prop_assert_eq!(parse(&line(&r)), Ok(r));
            }
        }

        #[test]
        fn a_line_cut_anywhere_is_refused(at in 0usize..900) {
            let bytes = line(&good());
            let cut = at.min(bytes.len() - 1);
            prop_assert!(parse(&bytes[..cut]).is_err());
        }
    }

    #[test]
    fn every_channel_may_stand_in_its_order() {
        let mut r = good();
        r.channels = Channel::ALL.to_vec();
        r.last_seen = Timestamp::parse("2026-03-01T23:59:59.999999999Z").unwrap();
        assert_eq!(parse(&line(&r)), Ok(r));
    }
}
