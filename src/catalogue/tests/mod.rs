//! Tests of the whole layer.

mod builtin;
mod files;
mod random;

use super::*;

fn name(text: &str) -> Name {
    Name::from_text(text.as_bytes())
}

/// The id of the winner for a name.
fn by_name<'a>(c: &'a Catalogue, text: &str) -> Option<&'a str> {
    c.match_name(&name(text)).and_then(|r| c.get(r)).map(|i| i.id)
}

/// A catalogue from one text, as a file that replaces the built-in one.
fn from_text(text: &str) -> Result<Catalogue, CatalogueError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.toml");
    std::fs::write(&path, text).unwrap();
    Catalogue::load(Some(&path), &[])
}
