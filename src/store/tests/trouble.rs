//! What can go wrong, and that it costs nothing that was stored before.

use super::*;
use std::fs;
use std::path::Path;

#[cfg(unix)]
#[test]
fn a_new_store_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let (_dir, path, mut store) = new_store();
    import(&mut store);
    for suffix in ["", "-wal", "-shm"] {
        let mut name = path.clone().into_os_string();
        name.push(suffix);
        assert_eq!(fs::metadata(name).unwrap().permissions().mode() & 0o777, 0o600, "{suffix}");
    }
}

#[test]
fn other_files_are_refused_and_left_alone() {
    let dir = folder();
    let foreign = dir.path().join("foreign.db");
    let conn = rusqlite::Connection::open(&foreign).unwrap();
    conn.execute_batch("CREATE TABLE t (x); PRAGMA user_version = 1;").unwrap();
    drop(conn);
    let text = dir.path().join("notes.txt");
    fs::write(&text, "hello").unwrap();
    let long = dir.path().join("long.bin");
    fs::write(&long, vec![0x5a; 20_000]).unwrap();
    for path in [&foreign, &text, &long] {
        let before = fs::read(path).unwrap();
        for result in [Store::open(path), Store::open_read_only(path)] {
            let error = result.unwrap_err();
            assert!(matches!(error, StoreError::NotAStore { .. }), "{error}");
            assert!(error.to_string().contains("is not a spansight store"), "{error}");
        }
        assert_eq!(fs::read(path).unwrap(), before);
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3, "nothing was left beside them");
}

#[test]
fn a_newer_store_is_refused() {
    let (_dir, path, store) = new_store();
    store.conn.pragma_update(None, "user_version", 99).unwrap();
    drop(store);
    let latest = i64::try_from(schema::MIGRATIONS.len()).unwrap();
    for result in [Store::open(&path), Store::open_read_only(&path)] {
        let error = result.unwrap_err();
        assert!(matches!(error, StoreError::TooNew { found: 99, known, .. } if known == latest), "{error}");
        let said = format!("newer spansight (store version 99, this one reads up to {latest})");
        assert!(error.to_string().contains(&said), "{error}");
    }
}

#[test]
fn paths_that_cannot_be_a_store_say_why() {
    let dir = folder();
    let message = |path: &Path| Store::open(path).unwrap_err().to_string();
    assert!(message(dir.path()).contains("it is a folder"));
    assert!(message(&dir.path().join("no/such/folder.db")).contains("No such file or directory"));
    let error = Store::open_read_only(&dir.path().join("none.db")).unwrap_err();
    assert!(matches!(error, StoreError::Missing { .. }), "{error}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[cfg(unix)]
#[test]
fn links_are_followed_to_a_store_but_never_create_one() {
    let (dir, path, mut store) = new_store();
    import(&mut store);
    let before = dump(&store);
    drop(store);
    let link = dir.path().join("link.db");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert_eq!(dump(&Store::open(&link).unwrap()), before);

    let target = dir.path().join("target.db");
    let dangling = dir.path().join("dangling.db");
    std::os::unix::fs::symlink(&target, &dangling).unwrap();
    assert!(matches!(Store::open(&dangling).unwrap_err(), StoreError::CannotOpen { .. }));
    assert!(!target.exists());
}

#[test]
fn an_empty_file_becomes_a_store() {
    let dir = folder();
    let path = dir.path().join("made-by-mktemp");
    fs::write(&path, "").unwrap();
    let mut store = Store::open(&path).unwrap();
    import(&mut store);
    assert!(store.check().unwrap().is_empty());
}

#[test]
fn a_store_that_another_process_is_just_making_is_waited_for() {
    let dir = folder();
    let path = dir.path().join("s.db");
    // As far as a process is that has the file and not yet the tables.
    let making = rusqlite::Connection::open(&path).unwrap();
    making.pragma_update(None, "journal_mode", "WAL").unwrap();
    let tx = making.unchecked_transaction().unwrap();
    tx.execute_batch("CREATE TABLE busy (x)").unwrap();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| Store::open(&path).map(|store| store.check().unwrap()));
        let reader = scope.spawn(|| Store::open_read_only(&path).map(drop));
        std::thread::sleep(Duration::from_millis(200));
        tx.rollback().unwrap();
        assert!(writer.join().unwrap().unwrap().is_empty());
        reader.join().unwrap().unwrap();
    });
}

#[test]
fn a_store_that_another_process_has_open_is_not_discarded() {
    let dir = folder();
    let path = dir.path().join("s.db");
    let new = Store::open(&path).unwrap();
    let mut other = Store::open(&path).unwrap();
    new.discard_new();
    put(&mut other, &[numbered(1, 1)]);
    drop(other);
    assert_eq!(all(&Store::open(&path).unwrap()).len(), 1);
}

#[test]
fn a_dropped_writer_leaves_nothing() {
    let (_dir, _path, mut store) = new_store();
    import(&mut store);
    let before = dump(&store);
    let mut w = store.begin().unwrap();
    w.put_record(&numbered(99, 9), false).unwrap();
    w.put_coverage("sha256:aa", 3, &mut Ledger::new()).unwrap();
    drop(w);
    assert_eq!(dump(&store), before);
}

#[test]
fn a_store_opened_beside_other_work_is_one_and_what_is_none_is_said_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("new.db");
    let store = Store::open_beside(&path).unwrap().store().unwrap();
    assert!(store.check().unwrap().is_empty());
    drop(store);
    Store::open_beside(&path).unwrap().store().unwrap().discard_new();
    assert!(path.exists(), "it was there before");
    Store::open_read_only(&path).unwrap();
    fs::write(&path, "a letter").unwrap();
    assert!(matches!(Store::open_beside(&path), Err(StoreError::NotAStore { .. })));
    assert_eq!(fs::read(&path).unwrap(), b"a letter");
    let nowhere = dir.path().join("no folder").join("new.db");
    assert!(matches!(Store::open_beside(&nowhere), Err(StoreError::CannotOpen { .. })));
    assert!(!nowhere.exists());
}

#[test]
fn only_a_new_store_that_nobody_wrote_to_is_discarded() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("s");
    let files = || std::fs::read_dir(dir.path()).unwrap().count();
    Store::open(&path).unwrap().discard_new();
    assert_eq!(files(), 0);
    drop(Store::open(&path).unwrap());
    Store::open(&path).unwrap().discard_new();
    assert!(path.exists(), "it was there before");
    std::fs::remove_file(&path).unwrap();
    let new = Store::open(&path).unwrap();
    put(&mut Store::open(&path).unwrap(), &[numbered(1, 1)]);
    new.discard_new();
    assert_eq!(all(&Store::open(&path).unwrap()).len(), 1, "another process wrote to it");
}

#[test]
fn a_second_writer_is_told_to_wait() {
    let (_dir, path, mut store) = new_store();
    let mut second = Store::open(&path).unwrap();
    second.set_patience(Duration::from_millis(20)).unwrap();
    let first = store.begin().unwrap();
    let error = second.begin().unwrap_err();
    assert!(matches!(error, StoreError::Locked { .. }), "{error}");
    assert!(error.to_string().contains("another process is writing"), "{error}");
    assert_eq!(all(&second).len(), 0, "reading goes on");
    first.commit().unwrap();
    second.begin().unwrap();
}

#[test]
fn a_reader_sees_one_moment() {
    let (_dir, path, mut store) = new_store();
    import(&mut store);
    let reader = Store::open_read_only(&path).unwrap();
    let mut records = reader.records(Filter::default()).unwrap();
    assert!(records.next().is_some());
    put(&mut store, &[numbered(200, 9)]);
    assert_eq!(records.count(), 17);
    assert_eq!(all(&reader).len(), 19);
}

#[test]
fn a_store_opened_for_reading_cannot_be_written() {
    let (_dir, path, mut store) = new_store();
    import(&mut store);
    drop(store);
    let mut store = Store::open_read_only(&path).unwrap();
    let error = store.begin().unwrap_err();
    assert!(matches!(error, StoreError::ReadOnly { .. }), "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn reading_beside_a_writer_of_the_same_process_leaves_its_locks() {
    use std::os::unix::fs::MetadataExt;
    let (_dir, path, mut store) = new_store();
    import(&mut store);
    let locked = format!(":{} ", path.metadata().unwrap().ino());
    let is_locked = || fs::read_to_string("/proc/locks").unwrap().contains(&locked);
    assert!(is_locked());
    drop(Store::open_read_only(&path).unwrap());
    drop(Store::open(&path).unwrap());
    assert!(is_locked(), "another process that closes it would remove the log");
    drop(store);
    assert!(!is_locked());
}

#[test]
fn a_store_that_is_no_longer_in_its_place_is_told_and_stays_whole() {
    let (dir, path, mut store) = new_store();
    import(&mut store);
    store.require_in_place().unwrap();
    let (aside, want) = (dir.path().join("aside"), dump(&store));
    fs::rename(&path, &aside).unwrap();
    let error = store.require_in_place().unwrap_err();
    assert!(error.to_string().contains("was removed, renamed or replaced"), "{error}");
    store.take_leave().unwrap();
    drop(store);
    assert_eq!(dump(&Store::open_read_only(&aside).unwrap()), want);
    // What is made in its place has nothing of it.
    let mut store = Store::open(&path).unwrap();
    assert_eq!(all(&store).len(), 0);
    import(&mut store);
    fs::copy(&aside, dir.path().join("copy")).unwrap();
    fs::rename(dir.path().join("copy"), &path).unwrap();
    assert!(matches!(store.require_in_place(), Err(StoreError::Moved { .. })));
    fs::remove_file(&path).unwrap();
    assert!(matches!(store.require_in_place(), Err(StoreError::Moved { .. })));
    store.take_leave().unwrap();
}

/// Puts records until there is no room for more.
fn fill(store: &mut Store) -> StoreError {
    let mut w = match store.begin() {
        Ok(w) => w,
        Err(e) => return e,
    };
    for n in 0..100_000u32 {
        let mut r = numbered(1, 1);
        r.id = format!("{n:032x}");
        r.notes = vec!["x".repeat(2000)];
        if let Err(e) = w.put_record(&r, false) {
            return e;
        }
    }
    w.commit().unwrap_err()
}

#[test]
fn a_full_store_keeps_what_it_held() {
    let (_dir, path, mut store) = new_store();
    import(&mut store);
    let before = dump(&store);
    let pages: i64 = store.conn.pragma_query_value(None, "page_count", |r| r.get(0)).unwrap();
    store.conn.pragma_update(None, "max_page_count", pages + 40).unwrap();
    let error = fill(&mut store);
    assert!(matches!(error, StoreError::DiskFull { .. }), "{error}");
    assert!(error.to_string().contains("no space left"), "{error}");
    assert_eq!(dump(&store), before);
    drop(store);
    let mut store = Store::open(&path).unwrap();
    assert!(store.check().unwrap().is_empty());
    put(&mut store, &[numbered(200, 9)]);
    assert_eq!(all(&store).len(), 19);
}

/// A file system of 2 MiB; `None` (said on standard error) without the right
/// to mount one.
#[cfg(target_os = "linux")]
struct Tmpfs(TempDir);

#[cfg(target_os = "linux")]
impl Tmpfs {
    fn mount() -> Option<Tmpfs> {
        let dir = folder();
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"])
            .arg(dir.path())
            .stderr(std::process::Stdio::null())
            .status()
            .is_ok_and(|s| s.success());
        if !mounted {
            eprintln!("skipped: needs the right to mount a tmpfs");
        }
        mounted.then_some(Tmpfs(dir))
    }

    fn remount_read_only(&self) {
        let status = std::process::Command::new("mount").args(["-o", "remount,ro"]).arg(self.0.path()).status();
        assert!(status.unwrap().success());
    }
}

#[cfg(target_os = "linux")]
impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_keeps_what_was_stored() {
    let Some(disk) = Tmpfs::mount() else { return };
    let path = disk.0.path().join("store.db");
    let mut store = Store::open(&path).unwrap();
    import(&mut store);
    let before = dump(&store);
    let error = fill(&mut store);
    assert!(matches!(error, StoreError::DiskFull { .. }), "{error}");
    assert_eq!(dump(&store), before);
    drop(store);
    let store = Store::open(&path).unwrap();
    assert_eq!(dump(&store), before);
    assert!(store.check().unwrap().is_empty());
    drop(store);

    // With no room at all a store can neither be made nor left half made.
    let fed = fs::write(disk.0.path().join("filler"), vec![0; 4 << 20]);
    assert!(fed.is_err());
    let new = disk.0.path().join("new.db");
    let error = Store::open(&new).unwrap_err();
    assert!(matches!(error, StoreError::DiskFull { .. } | StoreError::Io { .. }), "{error}");
    assert!(!new.exists());
}

#[cfg(target_os = "linux")]
#[test]
fn a_read_only_disk_can_be_read() {
    let Some(disk) = Tmpfs::mount() else { return };
    let path = disk.0.path().join("a ?#store.db");
    let mut store = Store::open(&path).unwrap();
    import(&mut store);
    let before = dump(&store);
    drop(store);
    disk.remount_read_only();
    assert_eq!(dump(&Store::open_read_only(&path).unwrap()), before);
    let error = Store::open(&path).unwrap_err();
    assert!(matches!(error, StoreError::ReadOnly { .. }), "{error}");
    let error = Store::open(&disk.0.path().join("new.db")).unwrap_err();
    assert!(matches!(error, StoreError::ReadOnly { .. }), "{error}");
}

#[test]
fn damage_is_named() {
    let (_dir, path, mut store) = new_store();
    import(&mut store);
    store.conn.execute("UPDATE sightings SET record = '{\"schema\":7}' WHERE rowid = 3", []).unwrap();
    let results: Vec<_> = store.records(Filter::default()).unwrap().collect();
    assert!(matches!(results.last(), Some(Err(StoreError::Corrupt { .. }))), "reading stops there");
    assert!(results.len() < 18);
    drop(store);

    let mut bytes = fs::read(&path).unwrap();
    let page = 4096;
    bytes.iter_mut().skip(page).for_each(|b| *b ^= 0x55);
    fs::write(&path, bytes).unwrap();
    let found = Store::open(&path).and_then(|s| s.check());
    match found {
        Ok(list) => assert!(!list.is_empty()),
        Err(e) => assert!(matches!(e, StoreError::Corrupt { .. }), "{e}"),
    }
}

#[test]
fn a_path_is_no_uri_and_prints_on_one_line() {
    let dir = folder();
    let path = dir.path().join("file:x?mode=memory\n.db");
    let mut store = Store::open(&path).unwrap();
    import(&mut store);
    drop(store);
    assert!(path.exists());
    fs::write(&path, "no store").unwrap();
    let message = Store::open(&path).unwrap_err().to_string();
    assert_eq!(message.lines().count(), 1, "{message}");
}

/// A store from someone else may hold what answers for a table or acts when
/// something is written.
#[test]
fn views_and_triggers_of_others_are_refused_and_named() {
    let endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x AS sighting FROM n";
    let cases = [
        (
            format!("PRAGMA foreign_keys = OFF; DROP TABLE contacts; CREATE VIEW contacts AS {endless}"),
            "the view contacts",
        ),
        (format!("DROP VIEW overlaps; CREATE VIEW overlaps AS {endless}"), "the view overlaps"),
        ("CREATE TRIGGER t AFTER INSERT ON contacts BEGIN DELETE FROM contacts; END".to_owned(), "the trigger t"),
    ];
    for (sql, what) in cases {
        let (_dir, path, mut store) = new_store();
        import(&mut store);
        drop(store);
        assert!(Store::open_read_only(&path).is_ok() && Store::open(&path).is_ok());
        let conn = rusqlite::Connection::open(&path).unwrap();
        conn.execute_batch(&sql).unwrap();
        drop(conn);
        for opened in [Store::open(&path), Store::open_read_only(&path)] {
            let said = opened.unwrap_err().to_string();
            assert!(said.contains(what) && said.contains("did not make"), "{said}");
        }
        let verified = Store::open_unchanged(&path).unwrap().verify(None).unwrap();
        let said: Vec<String> = verified.findings.iter().map(ToString::to_string).collect();
        assert!(said.contains(&format!("{what} was added: spansight did not make it")), "{said:?}");
    }
}
