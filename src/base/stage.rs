//! The stages of a contact.

use serde::{Deserialize, Serialize};

/// How far a contact got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// The name was asked for.
    Queried,
    /// An answer to that very question gave an address.
    Answered,
    /// A connection was tried.
    Attempted,
    /// The server answered with payload.
    Connected,
    /// At least 2,048 payload bytes came after the client's first request.
    Transferred,
}

impl Stage {
    /// The word used in output.
    pub fn as_str(self) -> &'static str {
        match self {
            Stage::Queried => "queried",
            Stage::Answered => "answered",
            Stage::Attempted => "attempted",
            Stage::Connected => "connected",
            Stage::Transferred => "transferred",
        }
    }
}
