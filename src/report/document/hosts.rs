//! The hosts of a report, as many as there are, one at a time.

use super::super::hosts::{Roll, ndjson};
use serde::ser::{Error, SerializeSeq};
use serde::{Serialize, Serializer};
use std::io;

/// Hosts as `hosts --format ndjson` writes them, in a list.
pub struct HostsOf<'a>(pub &'a Roll<'a>);

impl Serialize for HostsOf<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut list = s.serialize_seq(Some(self.0.len()))?;
        let mut trouble = None;
        let told = self.0.each(|host| {
            list.serialize_element(&ndjson::value(host)).map_err(|e| {
                trouble = Some(e);
                io::Error::other("not written")
            })
        });
        match (trouble, told) {
            (Some(e), _) => Err(e),
            (None, Err(e)) => Err(S::Error::custom(e)),
            (None, Ok(())) => list.end(),
        }
    }
}
