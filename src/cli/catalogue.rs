//! `spansight catalogue`: list, look up and check indicators.

use super::args::{CatalogueCommand, CatalogueFiles};
use super::exit::{Exit, Stop};
use crate::base::{Addr, Name};
use crate::catalogue::{Catalogue, Category, Fit, Indicator, IndicatorRef, Rank, Subject, Use};
use crate::report::output::Output;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::PathBuf;

/// Runs the command.
pub(super) fn run(command: &CatalogueCommand) -> Result<Exit, Stop> {
    let mut out = Output::open(None).map_err(Stop::failed)?;
    let load = |f: &CatalogueFiles| f.load().map_err(Stop::usage);
    let (result, exit) = match command {
        CatalogueCommand::List { files, format } => (list(&load(files)?, &mut out, *format), Exit::Done),
        CatalogueCommand::Check { what, files } => match check(&load(files)?, what, &mut out) {
            Ok(true) => (Ok(()), Exit::Done),
            Ok(false) => (Ok(()), Exit::Usage),
            Err(e) => (Err(e), Exit::Failed),
        },
        CatalogueCommand::Export { files } => (export(&load(files)?, &mut out), Exit::Done),
        CatalogueCommand::Validate { files } => match validate(files, &mut out) {
            Ok(true) => (Ok(()), Exit::Done),
            Ok(false) => (Ok(()), Exit::Usage),
            Err(e) => (Err(e), Exit::Failed),
        },
    };
    let result = match result {
        Ok(()) => out.finish(),
        Err(e) => Err(out.error(e)),
    };
    match result {
        Err(e) if !e.is_closed_pipe() => Err(Stop::failed(e)),
        _ => Ok(exit),
    }
}

/// Form of `catalogue list`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ListFormat {
    /// Columns for people.
    #[default]
    Table,
    /// One JSON object a line.
    Ndjson,
    /// Comma-separated values with a header (RFC 4180).
    Csv,
}

/// Prints all entries, those that are off included.
///
/// # Errors
///
/// If `out` cannot be written.
pub fn list(catalogue: &Catalogue, out: &mut dyn Write, format: ListFormat) -> io::Result<()> {
    match format {
        ListFormat::Table => list_table(catalogue, out),
        ListFormat::Ndjson => list_ndjson(catalogue, out),
        ListFormat::Csv => list_csv(catalogue, out),
    }
}

fn use_word(usage: Use) -> &'static str {
    match usage {
        Use::Alone => "alone",
        Use::Support => "support",
        Use::Off => "off",
    }
}

fn confidence_word(indicator: &Indicator<'_>) -> &'static str {
    use crate::catalogue::Confidence;
    match indicator.confidence {
        Confidence::Low => "low",
        Confidence::Medium => "medium",
        Confidence::High => "high",
    }
}

fn patterns(indicator: &Indicator<'_>) -> Vec<String> {
    indicator.patterns().map(|p| p.to_string()).collect()
}

/// The first two patterns, and how many more there are.
fn some_patterns(indicator: &Indicator<'_>) -> String {
    let all = indicator.patterns();
    let count = all.len();
    let mut text = all.take(2).map(|p| p.to_string()).collect::<Vec<_>>().join(", ");
    if let Some(more) = count.checked_sub(2).filter(|n| *n > 0) {
        let _ = write!(text, ", {more} more");
    }
    text
}

fn list_table(catalogue: &Catalogue, out: &mut dyn Write) -> io::Result<()> {
    let header = ["ID", "CATEGORY", "USE", "CONFIDENCE", "PATTERNS", "MEANING"].map(str::to_owned);
    let row = |i: Indicator<'_>| {
        let words = [i.category.as_str(), use_word(i.usage), confidence_word(&i)].map(str::to_owned);
        let [category, usage, confidence] = words;
        [i.id.to_owned(), category, usage, confidence, some_patterns(&i), i.meaning.to_owned()]
    };
    let mut widths = header.each_ref().map(String::len);
    for (_, i) in catalogue.iter() {
        for (width, cell) in widths.iter_mut().zip(row(i)) {
            *width = (*width).max(cell.chars().count());
        }
    }
    // One long pattern must not push the meanings of all others away.
    widths[4] = widths[4].min(60);
    for cells in std::iter::once(header).chain(catalogue.iter().map(|(_, i)| row(i))) {
        let mut line = String::new();
        for (cell, width) in cells.iter().zip(widths) {
            let _ = write!(line, "{cell:width$}  ");
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// An entry as one JSON object. Absent values are left out.
#[derive(serde::Serialize)]
struct Entry<'a> {
    id: &'a str,
    category: Category,
    #[serde(rename = "use")]
    usage: Use,
    confidence: &'static str,
    patterns: Vec<String>,
    meaning: &'a str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    residual: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    browser: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ports: Vec<&'a str>,
    sources: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    valid_from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    valid_until: Option<String>,
}

fn list_ndjson(catalogue: &Catalogue, out: &mut dyn Write) -> io::Result<()> {
    let day = |d: Option<i64>| d.map(crate::base::time::format_day);
    for (_, i) in catalogue.iter() {
        let (from, until) = i.validity();
        let entry = Entry {
            id: i.id,
            category: i.category,
            usage: i.usage,
            confidence: confidence_word(&i),
            patterns: patterns(&i),
            meaning: i.meaning,
            residual: i.residual,
            browser: i.browser,
            ports: i.ports().collect(),
            sources: i.sources().collect(),
            note: i.note(),
            reason: i.reason(),
            valid_from: day(from),
            valid_until: day(until),
        };
        serde_json::to_writer(&mut *out, &entry)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

fn list_csv(catalogue: &Catalogue, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(b"id,category,use,confidence,patterns,meaning,sources\r\n")?;
    for (_, i) in catalogue.iter() {
        let (patterns, sources) = (patterns(&i).join("; "), i.sources().collect::<Vec<_>>().join("; "));
        let cells = [i.id, i.category.as_str(), use_word(i.usage), confidence_word(&i), &patterns, i.meaning, &sources];
        writeln!(out, "{}\r", cells.map(csv_cell).join(","))?;
    }
    Ok(())
}

/// A field of CSV, in quotation marks where it needs them.
fn csv_cell(text: &str) -> String {
    if text.contains([',', '"', '\r', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

/// Says for each argument (a name, an address, a URL, also a path, `tcp/N`,
/// `user-agent:TEXT` or `payload:tcp/N:HEX`) which indicator it belongs to and
/// why, what else fits, and what a contact would count as. That nothing fits
/// is an answer, not an error. False if an argument is none of these.
///
/// # Errors
///
/// If `out` cannot be written.
pub fn check(catalogue: &Catalogue, args: &[String], out: &mut dyn Write) -> io::Result<bool> {
    let mut all = true;
    for (number, arg) in args.iter().enumerate() {
        if number > 0 {
            writeln!(out)?;
        }
        match arg.split_once("://") {
            Some((scheme, rest)) => check_url(catalogue, arg, scheme, rest, out)?,
            None => match Subject::parse(arg) {
                Ok(subject) => {
                    writeln!(out, "{}", printable(arg))?;
                    check_subject(catalogue, &subject, out)?;
                }
                Err(why) => {
                    all = false;
                    writeln!(out, "{}\n  cannot be looked up: {why}", printable(arg))?;
                }
            },
        }
    }
    Ok(all)
}

/// An argument without control characters.
fn printable(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}

fn check_url(catalogue: &Catalogue, url: &str, scheme: &str, rest: &str, out: &mut dyn Write) -> io::Result<()> {
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = match authority.strip_prefix('[').and_then(|a| a.split_once(']')) {
        Some((literal, _)) => literal,
        None => authority.split_once(':').map_or(authority, |(host, _)| host),
    };
    writeln!(out, "{}\nhost {}", printable(url), printable(host))?;
    let subject = match host.parse::<Addr>() {
        Ok(addr) => Subject::Addr(addr),
        Err(_) => Subject::Name(Name::from_text(host.as_bytes())),
    };
    check_subject(catalogue, &subject, out)?;
    if !path.starts_with('/') || path == "/" {
        return Ok(());
    }
    let path = path.split('#').next().unwrap_or_default();
    writeln!(out, "path {}", printable(path))?;
    if !scheme.eq_ignore_ascii_case("http") {
        writeln!(out, "  on the wire it is encrypted; in plain HTTP:")?;
    }
    check_subject(catalogue, &Subject::Path(path.as_bytes().to_vec()), out)
}

fn check_subject(catalogue: &Catalogue, subject: &Subject, out: &mut dyn Write) -> io::Result<()> {
    let fits = match subject {
        Subject::Name(name) => catalogue.explain_name(name),
        Subject::Addr(addr) => catalogue.explain_addr(addr),
        Subject::Path(path) => catalogue.explain_path(path),
        Subject::Port(port) => catalogue.explain_port(*port),
        Subject::UserAgent(agent) => catalogue.explain_user_agent(agent),
        Subject::Payload(port, bytes) => catalogue.explain_payload(*port, bytes),
    };
    let (off, active): (Vec<&Fit>, Vec<&Fit>) = fits.iter().partition(|f| f.off);
    match active.split_first() {
        Some((winner, others)) => {
            print_winner(catalogue, winner, out)?;
            print_others(catalogue, "fits too, but gives way", others, out)?;
        }
        None => writeln!(out, "  fits no indicator{}", odd(subject))?,
    }
    print_others(catalogue, "would fit, but is off", &off, out)?;
    print_coverage(catalogue, subject, out)
}

/// Why a name can match nothing at all.
fn odd(subject: &Subject) -> &'static str {
    match subject {
        Subject::Name(n) if n.is_odd() => {
            ": it has bytes or labels that no host name has (an internationalised name is looked up as xn--...)"
        }
        _ => "",
    }
}

fn print_winner(catalogue: &Catalogue, fit: &Fit, out: &mut dyn Write) -> io::Result<()> {
    let Some(i) = catalogue.get(fit.indicator) else { return Ok(()) };
    writeln!(out, "  {}: {}", i.id, i.meaning)?;
    writeln!(out, "    matched by {}{}", fit.pattern, why(fit.rank))?;
    writeln!(out, "    category {}, use {}, confidence {}", i.category, use_word(i.usage), confidence_word(&i))?;
    writeln!(out, "    {}", counts_as(&i))?;
    if let Some(note) = i.note() {
        writeln!(out, "    note: {note}")?;
    }
    for source in i.sources() {
        writeln!(out, "    source: {source}")?;
    }
    Ok(())
}

/// The rule by which a kind of pattern wins.
fn why(rank: Option<Rank>) -> &'static str {
    match rank {
        Some(Rank::AlarmExact | Rank::AlarmHost | Rank::AlarmSuffix) => "; look-alikes win over everything else",
        Some(Rank::Exact) => "; an exact name wins over host patterns and suffixes",
        Some(Rank::Host) => "; a host pattern wins over suffixes",
        Some(Rank::Suffix) => "; the longest suffix wins",
        Some(Rank::Residual) => "; a whole domain, where nothing more precise fits",
        None => "",
    }
}

/// What one contact amounts to.
fn counts_as(i: &Indicator<'_>) -> String {
    let alone = match i.usage {
        Use::Alone => "one observation makes a record",
        Use::Support => "makes a record only beside a second, different signal",
        Use::Off => "not matched",
    };
    let meaning = match i.category {
        Category::Sinkhole | Category::Lookalike => "an alarm, never use",
        Category::Update => "an update contact, which is use once connected",
        Category::OemUpdate => "an update of a product that embeds the engine, counted apart",
        Category::Reputation | Category::Activation => "a product that is present, not an update",
        Category::Service if i.browser => "reached by browsers and signature checks too, no sign of a product",
        Category::Service => "a product that is present, not an update",
        Category::Web => "a visit, no sign of a product",
        Category::LanManagement => "one signal of management by a local server",
        Category::Netblock => "the vendor's network, no sign of a product",
    };
    format!("counts as {meaning}; {alone}")
}

fn print_others(catalogue: &Catalogue, title: &str, fits: &[&Fit], out: &mut dyn Write) -> io::Result<()> {
    for fit in fits {
        let Some(i) = catalogue.get(fit.indicator) else { continue };
        writeln!(out, "    {title}: {} ({}, {}) by {}", i.id, i.category, use_word(i.usage), fit.pattern)?;
        if let Some(reason) = i.reason().filter(|_| fit.off) {
            writeln!(out, "      {reason}")?;
        }
    }
    Ok(())
}

fn print_coverage(catalogue: &Catalogue, subject: &Subject, out: &mut dyn Write) -> io::Result<()> {
    match subject {
        Subject::Name(n) if catalogue.is_ech_public_name(n) => {
            writeln!(out, "  known public name of Encrypted Client Hello: hides the real server name")
        }
        Subject::Name(n) if catalogue.is_encrypted_dns_name(n) => {
            writeln!(out, "  known encrypted resolver: hides the names that its clients ask for")
        }
        Subject::Addr(a) if catalogue.is_fallback_resolver(a) => {
            writeln!(out, "  resolver that products ask when vendor names do not resolve")
        }
        _ => Ok(()),
    }
}

/// Prints the catalogue in effect as one file that can replace the built-in
/// one.
///
/// # Errors
///
/// If `out` cannot be written.
pub fn export(catalogue: &Catalogue, out: &mut dyn Write) -> io::Result<()> {
    catalogue.effective_toml().write_to(out)
}

/// Checks files, each as if it replaced the built-in catalogue, and prints
/// counts or what is wrong. `Ok(false)` if anything is wrong, which is exit
/// code 2.
///
/// # Errors
///
/// If `out` cannot be written.
pub fn validate(files: &[PathBuf], out: &mut dyn Write) -> io::Result<bool> {
    let mut good = true;
    for path in files {
        match Catalogue::load(Some(path), &[]) {
            Ok(catalogue) => good &= report_valid(&catalogue, path, out)?,
            Err(e) => {
                good = false;
                writeln!(out, "{e}")?;
            }
        }
    }
    Ok(good)
}

fn report_valid(catalogue: &Catalogue, path: &PathBuf, out: &mut dyn Write) -> io::Result<bool> {
    let file = path.display();
    let id = |r: IndicatorRef| catalogue.get(r).map_or("", |i| i.id);
    let wrong = catalogue.check_examples();
    for (r, why) in &wrong {
        writeln!(out, "{file}: indicator \"{}\": {why}", id(*r))?;
    }
    if !wrong.is_empty() {
        return Ok(false);
    }
    let count = |usage| catalogue.iter().filter(|(_, i)| i.usage == usage).count();
    let patterns: usize = catalogue.iter().map(|(_, i)| i.patterns().len()).sum();
    writeln!(
        out,
        "{file}: OK, {} indicators ({} alone, {} support, {} off) with {patterns} patterns",
        catalogue.len(),
        count(Use::Alone),
        count(Use::Support),
        count(Use::Off),
    )?;
    let shadowed = catalogue.shadowed();
    let all = shadowed.len();
    for (r, pattern) in shadowed.take(10) {
        writeln!(out, "{file}: note: {pattern} of \"{}\" never matches, since an earlier entry has it", id(r))?;
    }
    if all > 10 {
        writeln!(out, "{file}: note: and {} more patterns that an earlier entry has", all - 10)?;
    }
    if Catalogue::load(None, std::slice::from_ref(path)).is_err() {
        writeln!(out, "{file}: note: it can replace the built-in catalogue, but not extend it: ids are used twice")?;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(format: ListFormat) -> String {
        let mut out = Vec::new();
        list(&Catalogue::builtin(), &mut out, format).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn checked(arg: &str) -> String {
        let mut out = Vec::new();
        check(&Catalogue::builtin(), &[arg.to_owned()], &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_line_for_each_entry() {
        let entries = Catalogue::builtin().len();
        let table = listed(ListFormat::Table);
        assert_eq!(table.lines().count(), entries + 1);
        assert!(table.starts_with("ID "));
        assert!(table.lines().any(|l| l.starts_with("web-installers ") && l.contains(", 10 more  ")));
        assert!(table.lines().all(|l| l.trim_end() == l));
        for line in listed(ListFormat::Ndjson).lines() {
            let v: serde_json::Value = serde_json::from_str(line).unwrap();
            assert!(v["id"].is_string() && v["patterns"].is_array() && v["use"].is_string(), "{line}");
        }
        let csv = listed(ListFormat::Csv);
        assert_eq!(csv.split("\r\n").count(), entries + 2);
        assert!(csv.contains("\r\nupdate-s-hosts,update,alone,high,host:s(0[0-9]|1[0-9]) under upd.kaspersky.com,"));
        assert_eq!(csv_cell("a,\"b\""), "\"a,\"\"b\"\"\"");
    }

    #[test]
    fn what_fits_and_why() {
        let text = checked("s05.upd.kaspersky.com");
        let at = |words: &str| text.find(words).unwrap_or_else(|| panic!("{words} not in:\n{text}"));
        assert!(at("update-s-hosts: ") < at("a host pattern wins over suffixes"));
        assert!(at("counts as an update contact") < at("gives way: update-upd-suffix"));
        assert!(at("gives way: update-upd-suffix") < at("gives way: web-kaspersky-residual"));

        assert!(checked("click.kaspersky.com").contains("would fit, but is off: service-click"));
        assert!(checked("kasperskyupdate.com").contains("an alarm, never use"));
        assert!(checked("93.159.228.22").contains("gives way: netblock-93-159-228-0-22"));
        assert!(checked("[2a03:2480::1]").contains("netblock-2a03-2480-32"));
        assert!(checked("tcp/13000").contains("lan-tcp-13000"));
        assert!(checked("payload:udp/2001:5049").contains("reputation-payload"));
        assert!(checked("dns.google").contains("known encrypted resolver"));
        assert!(checked("8.8.8.8").contains("when vendor names do not resolve"));
    }

    #[test]
    fn nothing_fits_is_an_answer() {
        assert_eq!(checked("www.example.org"), "www.example.org\n  fits no indicator\n");
        assert!(checked("kaspersky.рф").contains("looked up as xn--"));
        for none in ["tcp/0", ""] {
            assert!(checked(none).contains("cannot be looked up"));
            assert!(!check(&Catalogue::builtin(), &[none.to_owned()], &mut Vec::new()).unwrap());
        }
        assert!(checked("a\u{1b}[2J").starts_with("a\\u{1b}[2J\n"));
    }

    #[test]
    fn urls_have_a_host_and_a_path() {
        let text = checked("http://user@Mirror.example.net:8080/x/index/u1313g.xml?a#b");
        assert!(
            text.contains(
                "host Mirror.example.net\n  fits no indicator\npath /x/index/u1313g.xml?a\n  update-path-index"
            )
        );
        let text = checked("https://[2a03:2480::1]:443/bases/x.kdc");
        assert!(text.contains("netblock-2a03-2480-32") && text.contains("on the wire it is encrypted"), "{text}");
        assert!(!checked("http://www.kaspersky.com/").contains("path"));
        assert!(checked("http://ds.kaspersky.com").contains("reputation-ds"));
    }

    #[test]
    fn files_are_validated_one_by_one() {
        let dir = tempfile::tempdir().unwrap();
        let (good, bad, id) = (dir.path().join("good.toml"), dir.path().join("bad.toml"), dir.path().join("id.toml"));
        let entry = "[[indicator]]\nid = 'x'\ncategory = 'update'\nuse = 'alone'\nconfidence = 'low'\n\
                     meaning = 'X.'\nexact = ['a.net', 'a.net.']\n";
        std::fs::write(&good, entry).unwrap();
        std::fs::write(&bad, entry.replace("update", "updates")).unwrap();
        std::fs::write(&id, entry.replace("'x'", "'update-s-hosts'")).unwrap();
        let run = |files: &[PathBuf]| {
            let mut out = Vec::new();
            let ok = validate(files, &mut out).unwrap();
            (ok, String::from_utf8(out).unwrap())
        };
        let (ok, text) = run(std::slice::from_ref(&good));
        assert!(
            ok && text.ends_with("good.toml: OK, 1 indicators (1 alone, 0 support, 0 off) with 2 patterns\n"),
            "{text}"
        );
        let (ok, text) = run(&[good.clone(), bad, id]);
        assert!(!ok && text.contains("bad.toml:3:12: unknown category \"updates\""), "{text}");
        assert!(text.contains("id.toml: note: it can replace the built-in catalogue, but not extend it"), "{text}");
        std::fs::write(&good, format!("{entry}examples = ['b.net']\n")).unwrap();
        let (ok, text) = run(&[good]);
        assert!(!ok && text.contains("the example \"b.net\" matches nothing"), "{text}");
    }

    #[test]
    fn the_export_is_what_is_in_effect() {
        let mut out = Vec::new();
        let catalogue = Catalogue::builtin();
        export(&catalogue, &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), catalogue.effective_toml().to_text());
    }
}
