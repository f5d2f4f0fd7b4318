//! What `httparse` reads, ours reads alike.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use super::tests::head;
use super::*;
use crate::protocol::Probe;
use proptest::prelude::*;

/// The request that `httparse` finds: method, target, Host fields, length.
type Theirs = (String, String, Vec<Vec<u8>>, usize);

fn theirs(bytes: &[u8]) -> Option<Theirs> {
    let mut fields = [httparse::EMPTY_HEADER; 64];
    let mut r = httparse::Request::new(&mut fields);
    let httparse::Status::Complete(len) = r.parse(bytes).ok()? else { return None };
    let hosts = r.headers.iter().filter(|h| h.name.eq_ignore_ascii_case("host")).map(|h| h.value.to_vec()).collect();
    Some((r.method?.to_owned(), r.path?.to_owned(), hosts, len))
}

/// Whether a method and target are of the kind that ours takes for HTTP.
fn is_plausible(method: &str, target: &str) -> bool {
    let lower = target.to_ascii_lowercase();
    let target = ["/", "*", "http://", "https://"].iter().any(|start| lower.starts_with(start));
    method.len() <= 20 && target
}

fn compare(bytes: &[u8]) -> Result<(), TestCaseError> {
    let Some((method, target, hosts, len)) = theirs(bytes) else { return Ok(()) };
    if !is_plausible(&method, &target) {
        return Ok(());
    }
    let Probe::Found(ours) = request(bytes) else {
        return Err(TestCaseError::fail(format!("not found: {}", bytes.escape_ascii())));
    };
    prop_assert_eq!((ours.method, ours.len), (method.as_bytes(), len));
    let ours_hosts: Vec<Vec<u8>> = ours.hosts.iter().map(|h| h.to_vec()).collect();
    prop_assert_eq!(ours_hosts, hosts);
    if method != "CONNECT" {
        let scheme = target.find("://").filter(|_| !target.starts_with(['/', '*'])).map_or(0, |at| at + 3);
        let rest = &target.as_bytes()[scheme..];
        let authority = ours.authority.unwrap_or_default();
        let read = match (rest, ours.path) {
            (b"*", path) => path.is_empty(),
            // Where an absolute target has no path, ours is a slash.
            (rest, b"/") if rest == authority => true,
            (rest, path) => rest == [authority, path].concat(),
        };
        prop_assert!(read, "{} {:?}", target, ours);
    }
    Ok(())
}

#[test]
fn the_oracle_reads_most_of_what_is_made() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let read = (0..300).filter(|_| {
        let head = head().new_tree(&mut runner).unwrap().current();
        theirs(head.replace("\r\n x", "").as_bytes()).is_some_and(|(m, t, ..)| is_plausible(&m, &t))
    });
    assert!(read.count() > 100);
}

proptest! {
    #[test]
    fn heads_of_any_make(head in head()) {
        compare(head.as_bytes())?;
        compare(head.replace("\r\n x", "").as_bytes())?;
    }

    #[test]
    fn changed_heads(
        head in head(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = head.replace("\r\n x", "").into_bytes();
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        compare(&bytes)?;
    }
}
