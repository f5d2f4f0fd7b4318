//! Tables that somebody took out of a store.

use crate::store::schema;
use rusqlite::Connection;

/// A sentence for each table that a store of this version has and this one
/// lacks, with what that means. Views hold nothing, and may be those of another
/// version.
pub(super) fn sentences(store: &Connection) -> rusqlite::Result<Vec<String>> {
    let there = schema::tables(store)?;
    let wanted = schema::tables(&schema::blank()?)?;
    Ok(wanted.difference(&there).map(|name| format!("the table {name} is missing: {}", lost(name))).collect())
}

/// What a store is without it.
fn lost(table: &str) -> &'static str {
    match table {
        "sightings" => "the records are gone, and nothing says which there were but their digests",
        "contacts" | "contact_servers" | "seen_hosts" | "indicators" => {
            "hosts cannot be judged; the records, which are in sightings, say the same"
        }
        "record_digests" | "changed_days" => "whether records were altered or taken out cannot be told",
        "day_links" => "the chain of digests is gone, so what days held when they were closed cannot be told",
        "seals" => "whether the store was sealed, and by whom, cannot be told",
        "runs" | "run_sources" | "catalogues" | "catalogue_parts" | "interfaces" => {
            "what was run, on what and with what, is gone"
        }
        "sources" => "what was read is gone, and with it what the records are of",
        "interval_hosts" | "interval_times" => "who had which address when is gone, so records may go to other hosts",
        "signals" => "signs of roles are gone, so what hosts did for others counts as their own",
        "events" => "changes of verdicts that were noticed are gone",
        "canaries" => "the test lookups that the sensor saw are gone",
        // The tables of coverage.
        _ => "what the sensor could see is gone, so that an empty result proves nothing",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_is_missed_by_its_name() {
        let all = schema::tables(&schema::blank().unwrap()).unwrap();
        assert!(all.len() > 20 && all.contains("sightings") && !all.contains("intervals"), "{all:?}");
        assert!(sentences(&schema::blank().unwrap()).unwrap().is_empty());
        for name in &all {
            let store = schema::blank().unwrap();
            store.execute_batch(&format!("PRAGMA foreign_keys = OFF; DROP TABLE {name}")).unwrap();
            let said = sentences(&store).unwrap();
            assert!(said.len() == 1 && said[0].starts_with(&format!("the table {name} is missing: ")), "{said:?}");
            assert_eq!(said[0].contains("what the sensor could see"), name.starts_with("coverage"), "{said:?}");
        }
    }
}
