//! Digests and hashes by which others can check what the report is made of.

use crate::base::Timestamp;
use crate::store::{Result, Store};
use serde::Serialize;

/// What the store can be checked by, and the files that were read.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CustodyAccount {
    /// Links of the chain of day digests.
    pub links: u64,
    /// Digest of the last one, in hex: names all content of closed days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest_digest: Option<String>,
    /// Seals of the chain.
    pub seals: Vec<SealAccount>,
    /// SHA-256 of the manifest of an archive, in hex: it names the hashes of all
    /// its files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archive_sha256: Option<String>,
    /// The files that were read beside the store, and the program itself.
    pub files: Vec<FileHash>,
}

/// A signature over the end of the chain.
#[derive(Clone, Debug, Serialize)]
pub struct SealAccount {
    /// The link that was the last one.
    pub link: i64,
    /// Its digest.
    pub digest: String,
    /// When, by the machine's clock.
    pub sealed: Timestamp,
    /// With which key, in hex.
    pub public_key: String,
    /// Whether the signature is that of this key.
    pub holds: bool,
}

/// A file and its hash.
#[derive(Clone, Debug, Serialize)]
pub struct FileHash {
    /// What it was read for: an option, or `program`.
    pub what: String,
    /// Its path as given.
    pub path: String,
    /// SHA-256 in hex; absent where it could not be read again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

impl CustodyAccount {
    /// Of a store, and the files that were read.
    ///
    /// # Errors
    /// Any [`StoreError`](crate::store::StoreError).
    pub fn new(store: &Store, files: Vec<FileHash>) -> Result<Self> {
        let links = store.links()?;
        let seal = |s: crate::store::custody::Seal| SealAccount {
            holds: s.holds(),
            link: s.seq,
            digest: s.digest,
            sealed: s.sealed,
            public_key: s.public_key,
        };
        Ok(CustodyAccount {
            links: links.len() as u64,
            newest_digest: links.into_iter().next_back().map(|l| l.digest),
            seals: store.seals()?.into_iter().map(seal).collect(),
            archive_sha256: None,
            files,
        })
    }
}
