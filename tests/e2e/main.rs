//! End to end: the program as its users run it.

#[path = "../support/mod.rs"]
mod support;

mod archive;
mod bad_input;
mod blind_spots;
mod cli;
mod contacts;
mod coverage;
mod custody;
mod determinism;
mod evidence;
mod explain;
mod follow;
mod forged;
mod goldens;
mod hostile_text;
mod hosts;
mod identity;
mod import;
mod labelled;
mod made_up;
mod measure;
mod names;
mod panics;
mod population;
mod pseudonyms;
mod publish;
mod publish_groups;
mod report;
mod span;
mod store;
mod tunnels;
