//! `verify`: what a store and a folder of evidence are worth afterwards.

use crate::support::packets::{self, SECOND, TEN, host};
use crate::support::program::{Ran, run_in};
use crate::support::samples;
use crate::support::writer::Pcap;
use rusqlite::Connection;
use spansight::store::Store;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

const DAY: i64 = 86_400 * SECOND;

/// A folder with captures of three days, the last one in two of them.
fn captures() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, days: &[i64], hosts: std::ops::Range<u16>| {
        let mut pcap = Pcap::new();
        for day in days {
            for n in hosts.clone() {
                pcap.frames(TEN + day * DAY + i64::from(n) * SECOND, &packets::update(host(n), 40_000));
            }
        }
        fs::write(dir.path().join(name), pcap.bytes()).unwrap();
    };
    write("a.pcap", &[0, 1, 2], 1..6);
    write("b.pcap", &[2], 6..9);
    dir
}

fn import(dir: &Path, store: &str, args: &[&str]) {
    let ran = run_in(dir, &[&["replay", "-q", "--store", store], args].concat());
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{args:?}");
}

fn verify(dir: &Path, args: &[&str]) -> Ran {
    run_in(dir, &[&["verify"], args].concat())
}

/// The last line but one: the end of the chain.
fn end(ran: &Ran) -> &str {
    ran.out.lines().find(|l| l.starts_with("end of the chain")).unwrap_or_else(|| panic!("{ran:?}"))
}

#[test]
fn the_chain_follows_from_the_input_alone() {
    let dir = captures();
    let dir = dir.path();
    for (store, workers) in [("one", "1"), ("two", "4")] {
        import(dir, store, &["--workers", workers, "a.pcap"]);
        import(dir, store, &["--workers", workers, "b.pcap"]);
    }
    let (one, two) = (verify(dir, &["one"]), verify(dir, &["two"]));
    assert_eq!((one.code, two.code), (0, 0), "{one:?}");
    assert_eq!(end(&one), end(&two));
    assert!(end(&one).starts_with("end of the chain: digest 4 is "), "{one:?}");
    // The day that a second capture changed has two digests, each with its cause.
    let links = Store::open_read_only(&dir.join("one")).unwrap().links().unwrap();
    let told: Vec<&str> = one.out.lines().filter(|l| l.starts_with("2026-03-03: digest")).collect();
    assert_eq!(told.len(), 2, "{one:?}");
    for (line, link) in told.iter().zip(&links[2..]) {
        assert!(line.contains(&link.cause) && line.contains(&link.content), "{line}");
    }
    // Again, and nothing changes.
    import(dir, "one", &["a.pcap", "b.pcap"]);
    let again = verify(dir, &["one"]);
    assert_eq!(end(&again), end(&one));
    // In one run of both, and in a run that follows: another cause, the same content.
    import(dir, "both", &["a.pcap", "b.pcap"]);
    let both = Store::open_read_only(&dir.join("both")).unwrap().links().unwrap();
    assert_eq!((both.len(), &both[2].content), (3, &links[3].content));
}

/// Whoever marks a closed day as written to again has its digest not compared.
#[test]
fn a_day_that_was_closed_and_is_open_again_is_not_called_sound() {
    let dir = captures();
    let dir = dir.path();
    import(dir, "store", &["a.pcap"]);
    let store = Connection::open(dir.join("store")).unwrap();
    store.execute("INSERT INTO changed_days (day, source_no) SELECT '2026-03-02', source_no FROM sources", []).unwrap();
    drop(store);
    let ran = verify(dir, &["store"]);
    assert!(ran.out.contains("2026-03-02: still open") && ran.out.contains("digest 2, is of what it was"), "{ran:?}");
    assert!(ran.out.contains(", but for 1 day still open."), "{ran:?}");
}

#[test]
fn what_was_altered_is_named_and_not_sealed() {
    let dir = captures();
    let dir = dir.path();
    import(dir, "s", &["a.pcap"]);
    let key = verify(dir, &["--new-key", "k"]);
    assert_eq!(key.code, 0, "{key:?}");
    let conn = Connection::open(dir.join("s")).unwrap();
    conn.execute_batch(
        "UPDATE sightings SET record = replace(record, 'transferred', 'connected') WHERE period = '2026-03-02'",
    )
    .unwrap();
    drop(conn);
    let ran = verify(dir, &["s"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    let first = ran.out.lines().next().unwrap();
    assert!(first.starts_with("ALTERED 2026-03-02: record ") && first.ends_with("was altered"), "{first}");
    assert!(ran.err.contains("is not as it was written") && !ran.out.contains("sound"), "{ran:?}");
    let ran = verify(dir, &["s", "--seal", "k"]);
    assert!(ran.code == 1 && ran.err.contains("s is not sealed"), "{ran:?}");
    assert!(Store::open_read_only(&dir.join("s")).unwrap().seals().unwrap().is_empty());
}

#[test]
fn a_seal_is_made_and_checked() {
    let dir = captures();
    let dir = dir.path();
    import(dir, "s", &["a.pcap"]);
    let key = verify(dir, &["--new-key", "k"]);
    assert!(key.code == 0 && key.out.trim().len() == 64, "{key:?}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(dir.join("k")).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let held = fs::read(dir.join("k")).unwrap();
    let again = verify(dir, &["--new-key", "k"]);
    assert!(again.code == 2 && again.err.contains("never overwritten"), "{again:?}");
    assert_eq!(fs::read(dir.join("k")).unwrap(), held);
    fs::write(dir.join("k.pub"), &key.out).unwrap();

    let none = verify(dir, &["s", "--key", "k.pub"]);
    assert!(none.code == 1 && none.out.starts_with("ALTERED no seal in the store"), "{none:?}");
    let sealed = verify(dir, &["s", "--seal", "k"]);
    assert_eq!(sealed.err, "");
    assert!(sealed.code == 0 && sealed.out.contains("sealed: spansight.seal/1 3 "), "{sealed:?}");
    import(dir, "s", &["b.pcap"]);
    let ran = verify(dir, &["s", "--key", "k.pub"]);
    assert!(ran.code == 0 && ran.out.contains(" holds: digests 1 to 3; 1 came since"), "{ran:?}");
    // A chain that was made anew is another one.
    let conn = Connection::open(dir.join("s")).unwrap();
    conn.execute_batch("CREATE TABLE kept AS SELECT * FROM seals").unwrap();
    drop(conn);
    import(dir, "forged", &["b.pcap", "a.pcap"]);
    let conn = Connection::open(dir.join("forged")).unwrap();
    let from = dir.join("s").display().to_string();
    conn.execute_batch(&format!("ATTACH '{from}' AS s; INSERT INTO main.seals SELECT * FROM s.kept")).unwrap();
    conn.execute_batch("UPDATE day_links SET day = day").unwrap();
    drop(conn);
    let ran = verify(dir, &["forged", "--key", "k.pub"]);
    assert!(ran.code == 1 && ran.out.contains("the chain was made anew"), "{ran:?}");
}

#[test]
fn what_has_no_digest_is_said_beside_sound() {
    let dir = captures();
    let dir = dir.path();
    import(dir, "s", &["a.pcap"]);
    let conn = Connection::open(dir.join("s")).unwrap();
    assert!(conn.execute("DELETE FROM signals", []).is_ok() && conn.execute("DELETE FROM coverage", []).is_ok());
    drop(conn);
    let ran = verify(dir, &["s"]);
    let last = ran.out.lines().last().unwrap();
    assert!(ran.code == 0 && last.contains(": sound ("), "{ran:?}");
    assert!(last.contains("signs of roles, coverage, home networks and the account of runs have no digest"), "{last}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        verify(dir, &["--new-key", "k"]);
        fs::set_permissions(dir.join("k"), fs::Permissions::from_mode(0o644)).unwrap();
        let sealed = verify(dir, &["s", "--seal", "k"]);
        assert_eq!(sealed.err, "spansight: --seal k: warning: other users can read this key (chmod 600)\n");
        assert_eq!(sealed.code, 0);
    }
}

#[test]
fn retention_is_a_link_of_its_own() {
    let dir = captures();
    let dir = dir.path();
    import(dir, "s", &["a.pcap"]);
    let before = Store::open_read_only(&dir.join("s")).unwrap().links().unwrap();
    // The captures are of the past, whatever day it is.
    import(dir, "s", &["--retain", "1", "b.pcap"]);
    let ran = verify(dir, &["s"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    for day in ["2026-03-01", "2026-03-02", "2026-03-03"] {
        assert!(ran.out.contains(&format!("{day}: digest ")), "{ran:?}");
    }
    assert!(ran.out.contains("records removed by --retain 1 by run 2 at 20"), "{ran:?}");
    assert!(ran.out.contains("sound (0 records, 0 days with records, 3 removed, 7 digests)"), "{ran:?}");
    let store = Store::open_read_only(&dir.join("s")).unwrap();
    assert_eq!(store.links().unwrap()[..3], before[..]);
    assert!(store.intervals().unwrap().is_empty());
    assert!(!store.coverage(i64::MIN, i64::MAX).unwrap().is_empty(), "numbers stay");
    // What was removed is no proof that there was nothing.
    let ran = run_in(dir, &["hosts", "--store", "s"]);
    let why = "cannot be said: what was recorded on 3 days was removed by --retain";
    assert!(ran.code == 0 && ran.out.contains(why) && !ran.err.contains("No contact seen"), "{ran:?}");
    let ran = run_in(dir, &["replay", "--store", "t", "--retain", "1", "a.pcap"]);
    assert!(
        ran.err.contains("spansight: --retain removed ") && ran.err.contains(" of this run and earlier"),
        "{ran:?}"
    );
    let ran = run_in(dir, &["replay", "--retain", "1", "a.pcap"]);
    assert!(ran.code == 2 && ran.err.contains("--store"), "{ran:?}");
}

#[test]
fn what_is_no_store_says_so() {
    let dir = captures();
    let dir = dir.path();
    verify(dir, &["none"]).said_once(3, &["there is no store"]);
    verify(dir, &["a.pcap"]).said_once(3, &["is not a spansight store"]);
    verify(dir, &["."]).said_once(3, &["manifest.json", "no folder of evidence"]);
    import(dir, "s", &["a.pcap"]);
    fs::write(dir.join("no-key"), "no key").unwrap();
    verify(dir, &["s", "--key", "no-key"]).said_once(2, &["no-key", "no public Ed25519 key"]);
    verify(dir, &["s", "--seal", "no-key"]).said_once(2, &["no-key", "no Ed25519 key"]);
    verify(dir, &["s", "--seal", "missing"]).said_once(2, &["missing"]);
    assert_eq!(verify(dir, &[]).code, 2);
}

/// A damaged file is no proof of anything, and no reason to panic.
#[test]
fn a_damaged_store_is_told() {
    let dir = captures();
    let dir = dir.path();
    import(dir, "s", &["a.pcap"]);
    // Pages that hold nothing may hold anything.
    Connection::open(dir.join("s")).unwrap().execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let whole = fs::read(dir.join("s")).unwrap();
    let size = usize::from(u16::from_be_bytes([whole[16], whole[17]]));
    for page in 1..whole.len() / size {
        let mut bytes = whole.clone();
        bytes[page * size..(page + 1) * size].fill(0x5a);
        fs::write(dir.join("s"), &bytes).unwrap();
        let ran = verify(dir, &["s"]);
        assert!(matches!(ran.code, 1 | 3), "page {page}: {ran:?}");
        assert!(!ran.out.contains("sound"), "page {page}: {ran:?}");
    }
}

#[test]
fn a_table_that_is_gone_is_named_with_what_that_means() {
    let dir = captures();
    let dir = dir.path();
    import(dir, "s", &["a.pcap"]);
    let drop = |what: &str| Connection::open(dir.join("s")).unwrap().execute_batch(what).unwrap();
    drop("DROP VIEW coverage_shares");
    assert_eq!(verify(dir, &["s"]).code, 0, "a view holds nothing");
    drop("PRAGMA foreign_keys = OFF; DROP TABLE record_digests; DROP TABLE contacts");
    let ran = verify(dir, &["s"]);
    ran.said_once(1, &["s is not as it was written; nothing else in it was checked"]);
    let told: Vec<&str> = ran.out.lines().collect();
    let want = [
        "ALTERED the table contacts is missing: hosts cannot be judged; the records, which are in sightings, say the same",
        "ALTERED the table record_digests is missing: whether records were altered or taken out cannot be told",
    ];
    assert_eq!(told, want);
    // Other commands call it damage, not a defect of the program.
    for command in [["hosts", "--store", "s"], ["explain", "--store=s", "10.0.0.5"]] {
        run_in(dir, &command).said_once(3, &["is damaged (no such table: contacts): restore a copy"]);
    }
}

#[test]
fn a_run_that_follows_closes_its_days() {
    let dir = captures();
    let dir = dir.path();
    let mut child = crate::support::program::program(&["replay", "-q", "--follow", "--store", "s", "a.pcap"])
        .current_dir(dir)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_secs(4));
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let ran = verify(dir, &["s"]);
    assert!(ran.code == 0 && !ran.out.contains("still open"), "{ran:?}");
    let links = Store::open_read_only(&dir.join("s")).unwrap().links().unwrap();
    let days: Vec<&str> = links.iter().map(|l| l.day.as_str()).collect();
    assert_eq!(days, ["2026-03-01", "2026-03-02", "2026-03-03"]);
    assert!(links.iter().all(|l| l.cause.starts_with("run:")), "{links:?}");
    assert!(links[2].cause.ends_with("(which ended)"), "{links:?}");
}

#[test]
fn the_run_record_says_on_what_it_ran() {
    let dir = tempfile::tempdir().unwrap();
    fs::copy(samples().join("dns-udp.pcap"), dir.path().join("a.pcap")).unwrap();
    import(dir.path(), "s", &["a.pcap"]);
    let runs = Store::open_read_only(&dir.path().join("s")).unwrap().runs().unwrap();
    let environment = &runs[0].1.environment;
    let binary = crate::support::sha256(&fs::read(env!("CARGO_BIN_EXE_spansight")).unwrap());
    assert_eq!(environment["binary_sha256"], binary);
    for word in ["kernel", "host", "user", "machine"] {
        assert!(!environment[word].is_empty(), "{word} in {environment:?}");
    }
    if cfg!(target_os = "linux") {
        assert!(environment["libpcap"].starts_with(|c: char| c.is_ascii_digit()), "{environment:?}");
    }
}

#[test]
fn a_folder_of_evidence_is_checked() {
    let dir = captures();
    let dir = dir.path();
    let ran = run_in(dir, &["replay", "-q", "--evidence-dir", "proof", "a.pcap"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let ran = verify(dir, &["proof"]);
    assert!(ran.code == 0 && ran.out.contains("manifest.json: sha256 "), "{ran:?}");
    verify(dir, &["proof", "--seal", "a.pcap"]).said_once(2, &["a folder of evidence has no chain"]);
    fs::write(dir.join("proof/more"), "x").unwrap();
    let ran = verify(dir, &["proof"]);
    assert!(ran.code == 1 && ran.out.starts_with("ALTERED more is not in the manifest"), "{ran:?}");
}
