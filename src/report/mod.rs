//! Text, NDJSON and CSV.
