//! Archives that somebody else wrote, who may mean no good.

use super::*;
use serde_json::{Value, json};

/// Changes the manifest of an archive.
fn edit(folder: &Path, change: impl FnOnce(&mut Value)) {
    let path = folder.join(MANIFEST);
    let mut manifest: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut manifest);
    fs::write(path, manifest.to_string()).unwrap();
}

/// Changes the records of an archive of one piece, and its manifest with them.
fn rewrite(folder: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let path = folder.join("records-000001.bin");
    let mut bytes = fs::read(&path).unwrap();
    change(&mut bytes);
    fs::write(path, &bytes).unwrap();
    let sha256 = crate::base::digest::hex(ring::digest::digest(&ring::digest::SHA256, &bytes).as_ref());
    edit(folder, |m| {
        (m["data"]["size"], m["data"]["sha256"]) = (bytes.len().into(), sha256.into());
        m["pieces"][0]["len"] = bytes.len().into();
    });
}

/// An archive of ten hosts in one piece.
fn ten() -> (TempDir, PathBuf) {
    let dir = TempDir::new().unwrap();
    let folder = dir.path().join("a");
    import(&folder, &many(10), 1);
    assert_eq!(read_manifest(&folder).unwrap().unwrap().pieces.len(), 1);
    assert!(Archive::verify(&folder).unwrap().findings.is_empty());
    (dir, folder)
}

#[test]
fn a_manifest_whose_pieces_cannot_be_is_refused() {
    fn times(m: &mut Value, n: usize) {
        m["pieces"] = Value::Array(vec![m["pieces"][0].clone(); n]);
        m["records"] = (10 * n).into();
    }
    type Change = fn(&mut Value);
    let cases: [(Change, &str); 10] = [
        (|m| times(m, 3), "share partitions"),
        (|m| times(m, 100_000), "share partitions"),
        (|m| m["pieces"][0]["at"] = 1.into(), "overlap or leave gaps"),
        (|m| m["pieces"][0]["len"] = 0.into(), "overlap or leave gaps"),
        (|m| m["pieces"][0]["len"] = 1.into(), "not the whole file"),
        (|m| m["pieces"][0]["raw"] = (1u64 << 63).into(), "more rows than it can have"),
        (|m| m["pieces"][0]["records"] = (1u64 << 63).into(), "more rows than it can have"),
        (|m| m["pieces"][0]["to"] = 300.into(), "share partitions"),
        (|m| m["pieces"][0]["last"] = 0.into(), "ends before it begins"),
        (|m| m["records"] = 33.into(), "counts other records"),
    ];
    for (change, what) in cases {
        let (_dir, folder) = ten();
        edit(&folder, change);
        for refused in
            [Archive::open(&folder).map(drop), Archive::verify(&folder).map(drop), Import::begin(&folder).map(drop)]
        {
            let said = refused.unwrap_err().to_string();
            assert!(said.contains(what), "{what}: {said}");
        }
    }
}

#[test]
fn what_the_manifest_says_of_records_is_held_against_them() {
    type Change = fn(&mut Value);
    let cases: [(Change, &str); 9] = [
        (|m| (m["pieces"][0]["first"], m["pieces"][0]["last"]) = (20_000.into(), 20_000.into()), "is not what"),
        (|m| m["pieces"][0]["hardware"] = true.into(), "is not what"),
        (|m| m["pieces"][0]["ties"] = (!m["pieces"][0]["ties"].as_bool().unwrap()).into(), "is not what"),
        (|m| m["pieces"][0]["raw"] = (m["pieces"][0]["raw"].as_u64().unwrap() - 1).into(), "is not what"),
        (|m| (m["pieces"][0]["records"], m["records"]) = (9.into(), 9.into()), "is not what"),
        (|m| m["pieces"][0]["to"] = 3.into(), "not in the piece of its host"),
        (|m| m["sources"]["sha256:aa"]["channels"] = 1.into(), "says of sources"),
        (|m| m["filed"] = json!({ record().indicator.id: "web" }), "says of the categories of indicators"),
        (|m| m["catalogues"][0]["catalogue"] = "ab".repeat(32).into(), "is not the catalogue"),
    ];
    for (change, what) in cases {
        let (_dir, folder) = ten();
        edit(&folder, change);
        let found = Archive::verify(&folder).unwrap().findings;
        assert!(found.len() == 1 && found[0].contains(what), "{what}: {found:?}");
    }
}

/// Counting and judging take the category that the manifest says, where
/// records file an indicator in several.
#[test]
fn in_which_category_the_manifest_files_an_indicator_is_held_against_the_records() {
    let dir = TempDir::new().unwrap();
    let folder = dir.path().join("a");
    let mut records = many(400);
    let id = records[0].0.indicator.id.clone();
    let last = records.last_mut().unwrap();
    last.0.indicator.category = crate::catalogue::Category::Web;
    in_small_pieces(&folder, &records);
    let manifest = read_manifest(&folder).unwrap().unwrap();
    assert!(manifest.pieces.len() > 1, "what differs lies in several pieces");
    let found = || Archive::verify(&folder).unwrap().findings;
    assert!(found().is_empty() && manifest.filed.len() == 1, "{:?}", found());
    type Change = fn(&mut Value, &str);
    let changes: [Change; 3] = [
        |m, id| m["filed"][id] = "web".into(),
        |m, _| m["filed"]["other"] = "web".into(),
        |m, _| drop(m.as_object_mut().unwrap().remove("filed")),
    ];
    for change in changes {
        let sound = fs::read(folder.join(MANIFEST)).unwrap();
        edit(&folder, |m| change(m, &id));
        let found = found();
        assert!(found.len() == 1 && found[0].contains("says of the categories of indicators"), "{found:?}");
        fs::write(folder.join(MANIFEST), sound).unwrap();
    }
}

#[test]
fn why_a_row_is_no_record_is_said() {
    let dir = TempDir::new().unwrap();
    let mut records = many(3);
    records[1].0.count = 0;
    let mut reader = LineReader::default();
    records.iter().for_each(|(r, support)| reader.put(r, *support));
    let mut import = Import::begin(dir.path()).unwrap();
    import.add(&reader.rows()).unwrap();
    import.commit(&a_run(), 1).unwrap();
    let found = Archive::verify(dir.path()).unwrap().findings;
    assert_eq!(found, [format!("records-000001.bin: record {}: count is 0", records[1].0.id)]);
}

#[test]
fn of_very_many_findings_the_number_is_said() {
    let (_dir, folder) = ten();
    edit(&folder, |m| {
        let one = m["catalogues"][0].clone();
        let gone = (0..1500).map(|n| {
            let mut gone = one.clone();
            gone["path"] = format!("gone-{n}.toml").into();
            gone
        });
        m["catalogues"] = gone.collect();
    });
    let checked = Archive::verify(&folder).unwrap();
    assert_eq!((checked.findings.len(), checked.more), (1000, 500));
}

#[test]
fn rows_that_stand_twice_or_in_no_order_are_found() {
    let (_dir, folder) = ten();
    rewrite(&folder, |bytes| bytes.extend_from_within(..));
    edit(&folder, |m| {
        let raw = m["pieces"][0]["raw"].as_u64().unwrap();
        (m["pieces"][0]["raw"], m["pieces"][0]["records"], m["records"]) = ((raw * 2).into(), 20.into(), 20.into());
    });
    let found = Archive::verify(&folder).unwrap().findings;
    assert!(found.len() == 1 && found[0].contains("stands there twice, or not in its place"), "{found:?}");

    // One host in two pieces of its partition.
    let dir = TempDir::new().unwrap();
    let folder = dir.path().join("a");
    import(&folder, &many(1), 1);
    let of = {
        let mut rows = LineReader::default();
        rows.put(&many(1)[0].0, false);
        rows.rows().ends[0].0
    };
    let len = fs::metadata(folder.join("records-000001.bin")).unwrap().len();
    rewrite(&folder, |bytes| bytes.extend_from_within(..));
    edit(&folder, |m| {
        let mut piece = m["pieces"][0].clone();
        (piece["from"], piece["to"], piece["len"]) = (of.into(), of.into(), len.into());
        let mut second = piece.clone();
        second["at"] = len.into();
        (m["pieces"], m["records"]) = (json!([piece, second]), 2.into());
    });
    let found = Archive::verify(&folder).unwrap().findings;
    assert!(found.len() == 1 && found[0].contains("is in two pieces"), "{found:?}");
}

/// Who asks for some days skips blocks by what their heads say.
#[test]
fn a_block_whose_head_says_other_days_is_found() {
    let (_dir, folder) = ten();
    rewrite(&folder, |bytes| {
        // Behind the numbers of rows and hosts.
        assert_eq!(bytes[..2], [10, 10]);
        bytes[2] ^= 2;
    });
    let found = Archive::verify(&folder).unwrap().findings;
    assert!(found.len() == 1 && found[0].contains("a block of records is not as it was written"), "{found:?}");
    let archive = Archive::open(&folder).unwrap();
    archive.part(0, &|_| true, false, &mut Facts::default(), None).unwrap_err();
}

#[test]
fn an_import_writes_nothing_anew_that_was_altered() {
    let more = |folder: &Path| {
        let mut import = Import::begin(folder).unwrap();
        let mut reader = LineReader::default();
        reader.put(&with_id(record()), false);
        import.add(&reader.rows()).unwrap();
        import.commit(&a_run(), 1)
    };
    let (_dir, folder) = ten();
    let path = folder.join("records-000001.bin");
    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&path, bytes).unwrap();
    let said = more(&folder).unwrap_err().to_string();
    assert!(said.contains("was altered: its SHA-256"), "{said}");
    // Rows of which the manifest does not tell the length would take what room they like.
    let (_dir, folder) = ten();
    edit(&folder, |m| m["pieces"][0]["raw"] = 0.into());
    assert!(more(&folder).unwrap_err().to_string().contains("the manifest is not as it was written"));
    let (_dir, folder) = ten();
    more(&folder).unwrap();
}

/// Nothing here may wait for what never comes, or write where a link leads.
#[cfg(unix)]
#[test]
fn pipes_and_links_are_no_files_of_an_archive() {
    let pipe = |path: &Path| {
        fs::remove_file(path).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
    };
    let (_dir, folder) = ten();
    let catalogue = fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path());
    let catalogue = catalogue.into_iter().find(|p| p.extension().is_some_and(|e| e == "toml")).unwrap();
    pipe(&catalogue);
    let said = Archive::open(&folder).unwrap().catalogue(&a_run().catalogue_sha256).unwrap_err().to_string();
    assert!(said.contains("is a link or no file"), "{said}");
    pipe(&folder.join("records-000001.bin"));
    assert!(Archive::open(&folder).unwrap_err().to_string().contains("is a link or no file"));
    assert_eq!(Archive::verify(&folder).unwrap().findings.len(), 2);

    let (dir, folder) = ten();
    let outside = dir.path().join("outside");
    fs::remove_file(folder.join("lock")).unwrap();
    std::os::unix::fs::symlink(&outside, folder.join("lock")).unwrap();
    assert!(Import::begin(&folder).unwrap_err().to_string().contains("lock is a link or no file"));
    assert!(!outside.exists());
    pipe(&folder.join("lock"));
    assert!(Import::begin(&folder).unwrap_err().to_string().contains("lock is a link or no file"));
}

#[test]
fn a_catalogue_is_what_was_written_and_no_longer_than_one_can_be() {
    let (_dir, folder) = ten();
    let name = read_manifest(&folder).unwrap().unwrap().catalogues[0].path.clone();
    let sha256 = a_run().catalogue_sha256;
    let asked = || Archive::open(&folder).unwrap().catalogue(&sha256).unwrap_err().to_string();
    fs::write(folder.join(&name), "[[indicatos]]").unwrap();
    assert!(asked().contains("is not as it was written"), "{}", asked());
    let file = fs::OpenOptions::new().write(true).open(folder.join(&name)).unwrap();
    file.set_len(3 << 30).unwrap();
    assert!(asked().contains("has 3221225472 bytes, and had"), "{}", asked());
    edit(&folder, |m| m["catalogues"][0]["size"] = (3u64 << 30).into());
    assert!(asked().contains("longer than a catalogue can be"), "{}", asked());
}
