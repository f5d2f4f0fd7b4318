//! SQLite: records by source, coverage, runs.
