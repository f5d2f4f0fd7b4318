//! Digests and hashes.

use super::super::super::document::Document;
use super::super::super::text::counted;
use super::super::words::{Shown, time};
use super::Section;
use maud::html;

pub(super) fn section(d: &Document<'_>) -> Section {
    let c = &d.custody;
    let body = html! {
        @if c.archive_sha256.is_some() {
            p {
                "The manifest of an archive names the hash of each of its files. " code { "spansight verify" }
                " compares them; this report did not."
            }
        } @else {
            p {
                "The records of each closed day have a digest, and the digests form a chain. " code { "spansight verify" }
                " checks a store against them; this report did not."
            }
        }
        dl.facts {
            @match &c.archive_sha256 {
                Some(sha256) => { dt { "Manifest of the archive" } dd { code { (Shown(sha256)) } } },
                None => { dt { "Chain" } dd { (counted(c.links, "link", "links")) } },
            }
            @if let Some(digest) = &c.newest_digest { dt { "Newest digest" } dd { code { (Shown(digest)) } } }
            @for s in &c.seals {
                dt { "Seal" }
                dd {
                    "over link " (s.link) ", " (time(s.sealed)) ", "
                    @if s.holds { "made with this key" } @else { strong { "does not hold" } }
                    span.sub { code { (Shown(&s.public_key)) } }
                }
            }
            @if c.seals.is_empty() && c.archive_sha256.is_none() { dt { "Seals" } dd { "none: nobody signed the chain" } }
            @for f in &c.files {
                dt { (Shown(&f.what)) }
                dd {
                    (Shown(&f.path))
                    span.sub { code { @match &f.sha256 { Some(hash) => (Shown(hash)), None => "could not be read again" } } }
                }
            }
            dt { "Command line" } dd { code { (Shown(&d.about.command.join(" "))) } }
        }
    };
    Section::new("hashes", "Hashes", body)
}
