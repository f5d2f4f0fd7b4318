//! Whole judgements.

mod attacks;
mod flood;
mod identity;
mod laws;
mod roles;
mod verdicts;
mod words;
