//! Indicators: what is looked for, and how sure it is.

use crate::base::{Addr, Name};
use std::fmt;

/// What an indicator stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Category {
    /// Database and module updates.
    Update,
    /// Cloud reputation (KSN).
    Reputation,
    /// Licence activation.
    Activation,
    /// Other product services.
    Service,
    /// Web sites, downloads, documentation.
    Web,
    /// Management inside the LAN.
    LanManagement,
    /// Update trees of products that embed the engine.
    OemUpdate,
    /// The vendor's address space.
    Netblock,
    /// A sinkhole: contact means malware.
    Sinkhole,
    /// A hostile look-alike name.
    Lookalike,
}

impl Category {
    /// The word used in output.
    pub fn as_str(self) -> &'static str {
        match self {
            Category::Update => "update",
            Category::Reputation => "reputation",
            Category::Activation => "activation",
            Category::Service => "service",
            Category::Web => "web",
            Category::LanManagement => "lan-management",
            Category::OemUpdate => "oem-update",
            Category::Netblock => "netblock",
            Category::Sinkhole => "sinkhole",
            Category::Lookalike => "lookalike",
        }
    }

    /// Whether a contact is an alarm and never use.
    pub fn is_alarm(self) -> bool {
        matches!(self, Category::Sinkhole | Category::Lookalike)
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What one observation of an indicator is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Use {
    /// One observation makes a record.
    Alone,
    /// Counted and stored, but a record only beside a second, different signal.
    Support,
    /// Shipped for the reader, not matched.
    Off,
}

/// How well an indicator is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Confidence {
    /// One weak or old source.
    Low,
    /// One good source.
    Medium,
    /// The vendor's text, or several independent lists.
    High,
}

/// Index of an indicator in its catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IndicatorRef(pub u32);

/// One entry, as records need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Indicator {
    /// Readable, unique, stable.
    pub id: String,
    /// Category.
    pub category: Category,
    /// Use.
    pub usage: Use,
    /// Confidence.
    pub confidence: Confidence,
    /// One line for people.
    pub meaning: String,
    /// Lowest precedence: a whole domain of unknown purpose.
    pub residual: bool,
}

/// A compiled catalogue.
#[derive(Debug, Default)]
pub struct Catalogue {
    indicators: Vec<Indicator>,
}

impl Catalogue {
    /// The entry behind a reference.
    pub fn get(&self, r: IndicatorRef) -> Option<&Indicator> {
        self.indicators.get(r.0 as usize)
    }

    /// The first indicator that fits a host name. Odd names match nothing.
    pub fn match_name(&self, _name: &Name) -> Option<IndicatorRef> {
        None
    }

    /// The first indicator that fits an HTTP path, query included.
    pub fn match_path(&self, _path: &[u8]) -> Option<IndicatorRef> {
        None
    }

    /// The indicator of a User-Agent, which counts only beside an update host
    /// or path: `beside` is what the same request's host and path matched.
    pub fn match_user_agent(&self, _ua: &[u8], _beside: &[IndicatorRef]) -> Option<IndicatorRef> {
        None
    }

    /// The most specific indicator whose prefix holds a server address,
    /// sinkholes first.
    pub fn match_addr(&self, _addr: &Addr) -> Option<IndicatorRef> {
        None
    }

    /// The indicator of a LAN port. `transport` is 6 or 17.
    pub fn match_port(&self, _transport: u8, _port: u16) -> Option<IndicatorRef> {
        None
    }

    /// The indicator of a flow's first payload bytes.
    pub fn match_payload(&self, _transport: u8, _port: u16, _payload: &[u8]) -> Option<IndicatorRef> {
        None
    }

    /// Whether a name is a known public name of Encrypted Client Hello, so
    /// that the real server name is hidden.
    pub fn is_ech_public_name(&self, _name: &Name) -> bool {
        false
    }
}
