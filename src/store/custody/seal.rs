//! Sealing the end of the chain with an Ed25519 key (RFC 8032).

use super::last_link;
use crate::base::Timestamp;
use crate::base::digest::hex;
use crate::store::{Result, Store};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use rusqlite::params;
use std::fmt;

/// What stands before the 32 bytes of a private key in PKCS#8 (RFC 8410
/// section 7).
const PRIVATE: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
/// What stands before the 32 bytes of a public key (RFC 8410 section 4).
const PUBLIC: [u8; 12] = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];

/// Why a key cannot be used. The message goes on from the name of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The file holds something else.
    #[error(
        "is no Ed25519 key: give a file that `spansight verify --new-key` or `openssl genpkey -algorithm ed25519` made"
    )]
    NotPrivate,
    /// The file holds something else.
    #[error("is no public Ed25519 key: give 64 hex digits, or what `openssl pkey -pubout` writes")]
    NotPublic,
    /// The system gave no random bytes.
    #[error("cannot be made: the system gives no random numbers")]
    NoRandom,
}

/// A key that seals.
pub struct SealKey(Ed25519KeyPair);

impl SealKey {
    /// Makes a new key, as a PKCS#8 file in PEM.
    ///
    /// # Errors
    /// [`KeyError::NoRandom`].
    pub fn generate() -> std::result::Result<(String, SealKey), KeyError> {
        let mut seed = [0; 32];
        SystemRandom::new().fill(&mut seed).map_err(|_| KeyError::NoRandom)?;
        let key = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| KeyError::NoRandom)?;
        Ok((pem("PRIVATE KEY", &[&PRIVATE[..], &seed].concat()), SealKey(key)))
    }

    /// Reads a PKCS#8 file, PEM or DER.
    ///
    /// # Errors
    /// [`KeyError::NotPrivate`].
    pub fn read(file: &[u8]) -> std::result::Result<SealKey, KeyError> {
        let der = unwrap(file, "PRIVATE KEY");
        let key = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).map_err(|_| KeyError::NotPrivate)?;
        Ok(SealKey(key))
    }

    /// Its public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.public_key().as_ref().first_chunk().copied().unwrap_or_default())
    }

    /// Signs a text; the signature in hex.
    pub fn sign(&self, text: &[u8]) -> String {
        hex(self.0.sign(text).as_ref())
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealKey(of {})", self.public())
    }
}

/// The public half of a key that seals. Shown as 64 hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Reads 64 hex digits, or a public key file, PEM or DER.
    ///
    /// # Errors
    /// [`KeyError::NotPublic`].
    pub fn read(file: &[u8]) -> std::result::Result<PublicKey, KeyError> {
        if let Some(key) = std::str::from_utf8(file).ok().and_then(|t| unhex(t.trim())) {
            return key.try_into().map(PublicKey).map_err(|_| KeyError::NotPublic);
        }
        let der = unwrap(file, "PUBLIC KEY");
        let key = der.strip_prefix(&PUBLIC).and_then(|k| k.try_into().ok());
        key.map(PublicKey).ok_or(KeyError::NotPublic)
    }

    /// Whether a signature, in hex, is that of this key over a text.
    pub fn holds(&self, text: &[u8], signature: &str) -> bool {
        let Some(signature) = unhex(signature) else { return false };
        UnparsedPublicKey::new(&ED25519, self.0).verify(text, &signature).is_ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

/// The end of the chain at some time, signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    /// Its number in the store, from 1.
    pub number: i64,
    /// The link that was the last one.
    pub seq: i64,
    /// Its digest.
    pub digest: String,
    /// When, by the machine's clock.
    pub sealed: Timestamp,
    /// With which key, in hex.
    pub public_key: String,
    /// The signature, in hex.
    pub signature: String,
}

impl Seal {
    /// What is signed: the line without its line feed, and that.
    pub fn line(&self) -> String {
        format!("spansight.seal/1 {} {} {}", self.seq, self.digest, self.sealed)
    }

    /// Whether the signature is that of the key the seal names.
    pub fn holds(&self) -> bool {
        let (Some(key), Some(signature)) = (unhex(&self.public_key), unhex(&self.signature)) else { return false };
        UnparsedPublicKey::new(&ED25519, key).verify((self.line() + "\n").as_bytes(), &signature).is_ok()
    }

    /// Whether it names that key.
    pub fn is_by(&self, key: &PublicKey) -> bool {
        self.public_key == key.to_string()
    }
}

impl Store {
    /// Signs the end of the chain as it is now, and stores that. `None` where
    /// there is no link yet.
    ///
    /// # Errors
    /// Any [`StoreError`](crate::store::StoreError).
    pub fn seal(&mut self, key: &SealKey) -> Result<Option<Seal>> {
        let writer = self.begin()?;
        let seal = writer.run(|c| {
            let Some(link) = last_link(c)? else { return Ok(None) };
            let mut seal = Seal {
                number: 0,
                seq: link.seq,
                digest: link.digest,
                sealed: Timestamp::now(),
                public_key: key.public().to_string(),
                signature: String::new(),
            };
            seal.signature = key.sign((seal.line() + "\n").as_bytes());
            c.prepare_cached(
                "INSERT INTO seals (seq, digest, sealed_ns, public_key, signature) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![seal.seq, seal.digest, seal.sealed.0, seal.public_key, seal.signature])?;
            seal.number = c.last_insert_rowid();
            Ok(Some(seal))
        })?;
        writer.commit()?;
        Ok(seal)
    }

    /// The seals, oldest first.
    ///
    /// # Errors
    /// Any [`StoreError`](crate::store::StoreError).
    pub fn seals(&self) -> Result<Vec<Seal>> {
        self.list("SELECT seal, seq, digest, sealed_ns, public_key, signature FROM seals ORDER BY seal", [], |row| {
            Ok(Seal {
                number: row.get(0)?,
                seq: row.get(1)?,
                digest: row.get(2)?,
                sealed: Timestamp(row.get(3)?),
                public_key: row.get(4)?,
                signature: row.get(5)?,
            })
        })
    }
}

/// Text armour around `der` (RFC 7468).
fn pem(label: &str, der: &[u8]) -> String {
    // What is written here is shorter than a line of 64 digits.
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

/// What a PEM file of that label holds; the file itself where it is none.
fn unwrap(file: &[u8], label: &str) -> Vec<u8> {
    let (begin, end) = (format!("-----BEGIN {label}-----"), format!("-----END {label}-----"));
    let body = std::str::from_utf8(file).ok().and_then(|t| t.split_once(&begin)).and_then(|(_, t)| t.split_once(&end));
    let Some((body, _)) = body else { return file.to_vec() };
    STANDARD.decode(body.split_whitespace().collect::<String>()).unwrap_or_default()
}

/// The bytes that pairs of hex digits stand for.
fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect();
    let digits = digits.filter(|d| !d.is_empty() && d.len().is_multiple_of(2))?;
    Some(digits.chunks_exact(2).filter_map(|pair| Some(pair.first()? << 4 | pair.get(1)?)).collect())
}
