//! A report as CSV files, one for each kind of row.
