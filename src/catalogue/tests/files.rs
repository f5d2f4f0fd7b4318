//! Files of users: what is accepted, and how mistakes are reported.

use super::*;

const GOOD: &str = r#"[[indicator]]
id = "mine"
category = "update"
use = "alone"
confidence = "low"
meaning = "Mine."
exact = "a.example.net"
"#;

fn with(field: &str) -> String {
    format!("{GOOD}{field}\n")
}

fn first(error: &CatalogueError) -> (usize, usize, &str) {
    let p = &error.problems()[0];
    let at = p.position.unwrap_or(Position { line: 0, column: 0 });
    (at.line, at.column, &p.reason)
}

#[test]
fn mistakes_have_a_place_and_a_reason() {
    for (text, line, column, words) in [
        (with("colour = 1"), 8, 1, "unknown field \"colour\""),
        (
            GOOD.replace("\"update\"", "\"updates\""),
            3,
            12,
            "unknown category \"updates\"; known are update, reputation",
        ),
        (GOOD.replace("\"alone\"", "\"Alone\""), 4, 7, "unknown use \"Alone\"; known are alone, support, off"),
        (GOOD.replace("\"low\"", "1"), 5, 14, "a string is wanted, not an integer"),
        (GOOD.replace("meaning = \"Mine.\"\n", ""), 1, 1, "the field meaning is missing"),
        (GOOD.replace("Mine.", "a\\nb"), 6, 11, "control characters"),
        (GOOD.replace("\"mine\"", "\"Mine\""), 2, 6, "an id is made of lower-case letters"),
        (GOOD.replace("\"mine\"", "\"mine--x\""), 2, 6, "an id is made of"),
        (GOOD.replace("a.example", "*.example"), 7, 9, "suffix = \"example.net\""),
        (GOOD.replace("a.example", "ä.example"), 7, 9, "A-label (xn--...)"),
        (GOOD.replace("exact = \"a.example.net\"\n", ""), 1, 1, "has no pattern"),
        (GOOD.replace("\"a.example.net\"", "[]"), 1, 1, "has no pattern"),
        (GOOD.replace("\"a.example.net\"", "[\"a\", 'b..c']"), 7, 15, "empty label"),
        (with("address = '10.0.0.1/8'"), 8, 11, "bits are set behind the prefix length"),
        (with("address = ['10.0.0.0/8', '0.0.0.0/0']"), 8, 26, "every IPv4 address"),
        (with("lan_port = 13000"), 8, 12, "a string is wanted"),
        (with("lan_port = 'tcp/99999'"), 8, 12, "a port is written tcp/N"),
        (with("host = { labels = '(a', under = 'x.net' }"), 8, 19, "unclosed group"),
        (with("host = { labels = 'a' }"), 8, 8, "the field under is missing"),
        (with("host = 's.*'"), 8, 8, "a table { labels = ..., under = ... } is wanted"),
        (with("path = { regex = 'a*' }"), 8, 18, "matches an empty text"),
        (with("path = { regexp = 'a' }"), 8, 10, "unknown field \"regexp\"; known are regex, contains"),
        (with("user_agent = '(?P<'"), 8, 14, "regular expression"),
        (with("user_agent = '\\p{Greek}'"), 8, 14, "regular expression"),
        (with("payload = { on = 'tcp/443', starts = '160301' }"), 8, 38, "TLS record"),
        (with("payload = { on = 'tcp/443' }"), 8, 11, "bytes in `starts` or `equals`"),
        (with("residual = true"), 1, 1, "suffixes only"),
        (with("browser = 1"), 8, 11, "true or false"),
        (with("ports = ['tcp/10-5']"), 8, 10, "a range of ports"),
        (with("valid_from = '2026-13-01'"), 8, 14, "a day is written YYYY-MM-DD"),
        (with("valid_from = 2026-02-01\nvalid_until = 2026-01-01"), 1, 1, "before it starts"),
        (with("exact = 'b.net'"), 8, 1, "duplicate key"),
        (format!("{GOOD}\n[[indicator]\n"), 9, 13, "unclosed"),
        (format!("{GOOD}\n{GOOD}"), 10, 6, "the id \"mine\" is already used in"),
        (format!("[[indicators]]\n{GOOD}"), 1, 3, "unknown table \"indicators\""),
        (format!("version = 1\n{GOOD}"), 1, 1, "unknown table \"version\""),
        ("indicator = [{ id = 'x' }]".to_owned(), 1, 1, "under a line [[indicator]] of its own"),
        (GOOD.replace("[[indicator]]", "[indicator]"), 1, 2, "under a line [[indicator]]"),
        (format!("{GOOD}[[encrypted_dns]]\nhost = 'x'\n"), 9, 1, "unknown field \"host\"; known are name"),
        (format!("{GOOD}[[encrypted_dns]]\noperator = 'x'\n"), 8, 1, "the field name is missing"),
        (format!("{GOOD}[[fallback_resolver]]\naddress = 'x'\n"), 9, 11, "is no address"),
        (String::new(), 0, 0, "empty catalogue"),
        ("# nothing\n".to_owned(), 0, 0, "empty catalogue"),
        ("[[encrypted_dns]]\nname = 'x.net'\n".to_owned(), 0, 0, "empty catalogue: there is no indicator"),
        (GOOD.replace("alone", "off"), 0, 0, "empty catalogue: every indicator is off"),
    ] {
        let error = from_text(&text).map(|_| ()).expect_err(&text);
        let (l, c, why) = first(&error);
        assert_eq!((l, c), (line, column), "{text}\n{error}");
        assert!(why.contains(words), "{why}");
        assert!(!why.contains('\n') && !error.problems()[0].file.is_empty(), "{error}");
    }
}

#[test]
fn every_mistake_of_a_file_is_reported() {
    let error = from_text(&with("address = ['x', 'y']\nlan_port = 'z'\nother = 1")).unwrap_err();
    let lines: Vec<_> = error.problems().iter().map(|p| p.position.unwrap().line).collect();
    assert_eq!(lines.iter().filter(|l| **l == 8).count(), 2, "{error}");
    assert_eq!(error.problems().len(), 4);
    assert!(error.to_string().lines().all(|l| l.contains("c.toml:")));
}

#[test]
fn expressions_are_bounded_in_number() {
    let list = |n: usize| format!("user_agent = [{}]", "'^x', ".repeat(n));
    assert!(from_text(&with(&list(2000))).is_ok());
    let error = from_text(&with(&list(2500))).unwrap_err();
    assert_eq!(error.problems().len(), 1);
    assert!(first(&error).2.starts_with("more than 2000 regular expressions"), "{error}");
}

#[test]
fn files_that_cannot_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.toml");
    let error = Catalogue::load(Some(&path), &[]).unwrap_err();
    assert!(error.to_string().contains("x.toml: the catalogue cannot be read"), "{error}");
    let error = Catalogue::load(None, &[dir.path().to_owned()]).unwrap_err();
    assert!(error.to_string().contains("cannot be read"), "{error}");
    std::fs::write(&path, b"# abc\n# \xff\n").unwrap();
    let error = Catalogue::load(Some(&path), &[]).unwrap_err();
    assert_eq!(first(&error), (2, 3, "the file is not UTF-8 text"));
}

#[test]
fn names_are_normalised_and_a_byte_order_mark_is_none_of_the_text() {
    let c = from_text(&format!("\u{feff}{}", GOOD.replace("a.example.net", "A.Example.NET."))).unwrap();
    assert_eq!(by_name(&c, "a.example.net"), Some("mine"));
    let c = from_text(&GOOD.replace('\n', "\r\n")).unwrap();
    assert_eq!(by_name(&c, "a.example.net"), Some("mine"));
}

#[test]
fn a_file_extends_or_replaces() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("add.toml");
    std::fs::write(&path, GOOD).unwrap();
    let both = Catalogue::load(None, std::slice::from_ref(&path)).unwrap();
    assert_eq!(by_name(&both, "a.example.net"), Some("mine"));
    assert_eq!(by_name(&both, "ds.kaspersky.com"), Some("reputation-ds"));
    let only = Catalogue::load(Some(&path), &[]).unwrap();
    assert_eq!(by_name(&only, "ds.kaspersky.com"), None);
    assert!(only.is_encrypted_dns_name(&name("dns.google")));
    assert_eq!(only.fallback_resolvers(), []);

    // The same id in two files.
    let error = Catalogue::load(Some(&path), std::slice::from_ref(&path)).unwrap_err();
    assert!(error.to_string().contains("add.toml:2:6: the id \"mine\" is already used in"), "{error}");

    // Nothing to add is a mistake, tables for coverage alone are not.
    std::fs::write(&path, "# none\n").unwrap();
    assert!(Catalogue::load(None, std::slice::from_ref(&path)).unwrap_err().to_string().contains("empty catalogue"));
    std::fs::write(&path, "[[encrypted_dns]]\nname = 'doh.example'\n").unwrap();
    let c = Catalogue::load(None, std::slice::from_ref(&path)).unwrap();
    assert!(c.is_encrypted_dns_name(&name("doh.example")) && c.is_encrypted_dns_name(&name("dns.google")));

    // A file that replaces the catalogue may bring tables of its own.
    std::fs::write(&path, format!("{GOOD}[[encrypted_dns]]\nname = 'doh.example'\n")).unwrap();
    let c = Catalogue::load(Some(&path), &[]).unwrap();
    assert!(c.is_encrypted_dns_name(&name("doh.example")) && !c.is_encrypted_dns_name(&name("dns.google")));
}

#[test]
fn what_is_exported_loads_as_the_same_catalogue() {
    let dir = tempfile::tempdir().unwrap();
    let (added, exported) = (dir.path().join("a.toml"), dir.path().join("e.toml"));
    std::fs::write(&added, GOOD.trim_end()).unwrap();
    for add in [vec![], vec![added]] {
        let c = Catalogue::load(None, &add).unwrap();
        std::fs::write(&exported, c.effective_toml().to_text()).unwrap();
        let again = Catalogue::load(Some(&exported), &[]).unwrap();
        assert_eq!(again.files().len(), 1);
        assert_eq!(again.sha256_hex(), c.sha256_hex());
        assert_eq!(again.entries, c.entries);
        assert_eq!(again.fallback_resolvers(), c.fallback_resolvers());
        assert!(again.is_ech_public_name(&name("cloudflare-ech.com")));
    }
    let hash = from_text(&format!("{GOOD}[[encrypted_dns]]\nname = 'x.net'\n")).unwrap().sha256_hex();
    assert_eq!(hash.len(), 64);
    assert_ne!(hash, Catalogue::builtin().sha256_hex());
}

#[test]
fn an_equal_pattern_belongs_to_the_first() {
    let second = GOOD.replace("\"mine\"", "\"second\"");
    let c = from_text(&format!("{GOOD}{second}")).unwrap();
    assert_eq!(by_name(&c, "a.example.net"), Some("mine"));
    let shadowed: Vec<_> = c.shadowed().map(|(r, p)| (c.get(r).unwrap().id.to_owned(), p.to_string())).collect();
    assert_eq!(shadowed, [("second".to_owned(), "exact:a.example.net".to_owned())]);
    // A look-alike wins over an exact name from wherever it comes.
    let hostile = second.replace("\"update\"", "\"lookalike\"").replace("exact = \"a.", "suffix = \"");
    let c = from_text(&format!("{GOOD}{hostile}")).unwrap();
    assert_eq!(by_name(&c, "a.example.net"), Some("second"));
}

#[test]
fn what_is_off_gives_way() {
    let off = GOOD.replace("\"mine\"", "\"off\"").replace("alone", "off");
    let wide = GOOD.replace("exact = \"a.", "suffix = \"");
    let c = from_text(&format!("{off}{wide}")).unwrap();
    assert_eq!(by_name(&c, "a.example.net"), Some("mine"));
    let fits = c.explain_name(&name("a.example.net"));
    assert_eq!(fits.iter().map(|f| f.off).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn validity_counts_only_as_of_a_day() {
    let c = from_text(&with("valid_from = 2020-01-01\nvalid_until = '2020-12-31'")).unwrap();
    assert_eq!(by_name(&c, "a.example.net"), Some("mine"));
    let day = |d| crate::base::time::parse_day(d).unwrap();
    for inside in ["2020-01-01", "2020-12-31"] {
        assert_eq!(by_name(&c.as_of(day(inside)).unwrap(), "a.example.net"), Some("mine"));
    }
    for outside in ["2019-12-31", "2021-01-01"] {
        assert!(c.as_of(day(outside)).unwrap_err().to_string().contains("empty catalogue"));
    }
}

#[test]
fn examples_are_checked() {
    let c = from_text(&with("examples = ['a.example.net', 'b.example.net', 'tcp/x', '10.1.2.3']")).unwrap();
    let wrong: Vec<_> = c.check_examples().into_iter().map(|(_, why)| why).collect();
    assert_eq!(wrong.len(), 3);
    assert!(wrong[0].contains("\"b.example.net\" matches nothing"));
    assert!(wrong[1].contains("\"tcp/x\" cannot be read"));
}

#[test]
fn files_are_read_in_pieces() {
    let mut text = String::new();
    for i in 0..9000 {
        let entry = GOOD.replace("\"mine\"", &format!("\"n-{i}\"")).replace("a.example", &format!("n{i}.example"));
        text.push_str(&entry);
    }
    let c = from_text(&text).unwrap();
    assert_eq!(c.len(), 9000);
    assert_eq!(by_name(&c, "n8999.example.net"), Some("n-8999"));

    // A mistake in the last piece has its line in the file.
    let line = text.lines().count() + 7;
    let mistake = GOOD.replace("\"mine\"", "\"late\"").replace("exact", "exakt");
    let error = from_text(&format!("{text}{mistake}")).unwrap_err();
    let unknown = error.problems().iter().find(|p| p.reason.contains("exakt")).unwrap();
    assert_eq!(unknown.position, Some(Position { line, column: 1 }), "{error}");
    let error = from_text(&format!("{text}{GOOD}{text}")).unwrap_err();
    assert!(error.problems()[0].reason.contains("\"n-0\" is already used"), "{error}");

    // The first line in brackets where a piece could end lies in a string.
    let trap = format!("{GOOD}# {}\nnote = \"\"\"\\\n[[indicator]] in a text\"\"\"\n", "x".repeat(300_000));
    let c = from_text(&format!("{trap}{text}")).unwrap();
    assert_eq!(c.len(), 9001);
    assert_eq!(c.find("mine").unwrap().1.note(), Some("[[indicator]] in a text"));

    // A syntax mistake is found in its piece.
    let error = from_text(&format!("{text}[[indicator]]\nid = \n{text}")).unwrap_err();
    assert_eq!(first(&error).0, line - 5, "{error}");
}

#[test]
fn one_wrong_line_among_many_is_one_problem() {
    let entry =
        |i: usize| GOOD.replace("\"mine\"", &format!("\"n-{i}\"")).replace("a.example", &format!("n{i}.example"));
    let before: String = (0..5000).map(entry).collect();
    let after: String = (5000..9000).map(entry).collect();
    let line = before.lines().count();
    for (mistake, at, column, words) in [
        ("exact = \"a b.example\"", 7, 9, "a host name has no ' '"),
        ("exact = \"a.example", 7, 19, "basic string"),
        ("exact = [\"a.example\"", 7, 21, "array"),
        ("exact = a.example", 7, 9, "string"),
        ("note = \"\"\"never ends", 8, 1, "multi-line"),
    ] {
        let wrong = GOOD.replace("exact = \"a.example.net\"", mistake);
        let error = from_text(&format!("{before}{wrong}{after}")).unwrap_err();
        assert_eq!(error.problems().len() + error.more(), 1, "{mistake}: {error}");
        let (l, c, why) = first(&error);
        assert!(why.contains(words), "{mistake}: {error}");
        assert_eq!((l, c), (line + at, column), "{mistake}: {error}");
    }
    // Twice the same id, far apart.
    let error = from_text(&format!("{before}{after}{}", entry(17))).unwrap_err();
    let twice = format!("the id \"n-17\" is already used in {}, line {}", error.problems()[0].file, 17 * 7 + 2);
    assert_eq!((error.problems().len(), first(&error)), (1, (9000 * 7 + 2, 6, twice.as_str())));
}

#[test]
fn an_entry_may_be_long_and_not_endless() {
    let names: String = (0..40_000).map(|i| format!("  \"n{i}.example\",  # {i}\n")).collect();
    let long = GOOD.replace("\"a.example.net\"", &format!("[\n{names}]"));
    let c = from_text(&format!("{long}{}", GOOD.replace("\"mine\"", "\"next\""))).unwrap();
    assert_eq!(c.get(IndicatorRef(0)).unwrap().patterns().len(), 40_000);
    assert_eq!((by_name(&c, "n39999.example"), by_name(&c, "a.example.net")), (Some("mine"), Some("next")));
    let endless = format!("{GOOD}# {}", "x".repeat(34 << 20));
    let error = from_text(&format!("{GOOD}{endless}")).unwrap_err();
    let (line, _, why) = first(&error);
    assert_eq!((line, why), (8, "the entry that begins here is longer than 32 MiB"));
}

#[test]
fn expressions_with_fixed_text_have_no_bound() {
    let hosts: String = (0..3000).map(|i| format!("'a{i}-[0-9]+', ")).collect();
    let one = |labels: &str| format!("{{ labels = '{labels}', under = 'dyn.example' }}");
    let list: Vec<String> = hosts.split(", ").filter(|h| !h.is_empty()).map(|h| one(h.trim_matches('\''))).collect();
    let c = from_text(&with(&format!("host = [{}]", list.join(", ")))).unwrap();
    assert_eq!(by_name(&c, "a2999-7.dyn.example"), Some("mine"));
    assert_eq!(by_name(&c, "a3000-7.dyn.example"), None);
    let paths: String = (0..3000).map(|i| format!("{{ regex = '^/p{i}/[a-z]+$' }}, ")).collect();
    let c = from_text(&with(&format!("path = [{paths}]"))).unwrap();
    assert!(c.match_path(b"/p2999/x").is_some() && c.match_path(b"/p2999/1").is_none());
}
