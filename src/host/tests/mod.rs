//! Whole judgements.

mod flood;
mod identity;
mod laws;
mod roles;
mod verdicts;
mod words;
