//! What is concluded of a host in a window.

use crate::base::{Addr, Mac, Timestamp};
use crate::catalogue::Category;
use std::collections::BTreeMap;

macro_rules! words {
    ($(#[doc = $type_doc:literal])+ $type:ident, $all:literal: $($(#[doc = $doc:literal])+ $name:ident => $word:literal,)+) => {
        $(#[doc = $type_doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $type { $($(#[doc = $doc])+ $name,)+ }

        impl $type {
            #[doc = $all]
            pub const ALL: &'static [$type] = &[$($type::$name,)+];

            /// The word used in output.
            pub fn as_str(self) -> &'static str {
                match self { $($type::$name => $word,)+ }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $type {
            type Err = String;
            fn from_str(word: &str) -> Result<Self, String> {
                Self::ALL.iter().copied().find(|v| v.as_str() == word).ok_or_else(|| word.to_owned())
            }
        }
    };
}

words! {
    /// What the sightings of a host in a window amount to: of those that fit,
    /// the first in this order.
    Verdict, "Every verdict, in the order in which they are tried.":
    /// A product of another vendor that embeds the engine.
    Oem => "oem",
    /// Only lookups that explain themselves: a reachability check, a scanner.
    ProbeOnly => "probe-only",
    /// Updates again and again, or updates beside reputation queries.
    Active => "active",
    /// Data was transferred from an update name.
    Updating => "updating",
    /// A connection to an update name was answered.
    Contacting => "contacting",
    /// Updates were tried and did not get through.
    Attempting => "attempting",
    /// Update names were asked for; what followed is not known.
    LookedUp => "looked-up",
    /// Managed by a server on the LAN.
    Managed => "managed",
    /// Other services of the product.
    Present => "present",
    /// Web sites, and services that browsers reach too.
    WebOnly => "web-only",
    /// Nothing but alarms, roles or support.
    None => "none",
}

impl Verdict {
    /// Whether it counts as use.
    pub fn is_use(self) -> bool {
        matches!(self, Verdict::Active | Verdict::Updating | Verdict::Contacting)
    }
}

words! {
    /// Stands beside a verdict, before everything else.
    Alarm, "Every alarm.":
    /// A name that imitates the vendor's.
    Lookalike => "lookalike",
    /// An address that malware was led to.
    Sinkhole => "sinkhole",
}

words! {
    /// What a host is besides a client.
    Role, "Every role.":
    /// Answers other hosts' questions and asks upstream.
    Resolver => "resolver",
    /// Connects on behalf of others, who asked it to.
    Proxy => "proxy",
    /// A local update server.
    Relay => "relay",
    /// Several hosts behind one address.
    Nat => "nat",
    /// Forwards packets of other addresses.
    Router => "router",
}

/// How often a host contacted one category.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cadence {
    /// Runs of quarter hours with contacts.
    pub sessions: u32,
    /// Different clock hours of different days.
    pub hours: u32,
    /// Different UTC days.
    pub days: u32,
    /// Median time between the starts of sessions, in seconds.
    pub median_gap_s: Option<u64>,
    /// Share of those gaps within a quarter of the median, from four gaps on.
    pub regularity: Option<f64>,
}

impl HostView {
    /// Whether it counts as a host with contacts: one that is listed for a
    /// role, or that others only spoke to, does not.
    pub fn made_contact(&self) -> bool {
        !self.sightings.is_empty()
    }
}

/// One host in a window.
#[derive(Clone, Debug, PartialEq)]
pub struct HostView {
    /// The address last seen.
    pub ip: Addr,
    /// Hardware address, where it is the host's own.
    pub mac: Option<Mac>,
    /// The hardware address was made up by the host (its second-least bit is set).
    pub mac_randomised: bool,
    /// Encapsulation context of the address.
    pub segment: String,
    /// Name, and what told it: `inventory`, or the kind of an interval.
    pub name: Option<(String, String)>,
    /// Other names that the same kind of source told of it earlier, in the
    /// order of time, and what told them.
    pub names_before: Vec<(String, String)>,
    /// Owner, from the inventory.
    pub owner: Option<String>,
    /// Place, from the inventory.
    pub place: Option<String>,
    /// Every address in the window, sorted.
    pub addresses: Vec<Addr>,
    /// What the sightings amount to.
    pub verdict: Verdict,
    /// Alarms, sorted.
    pub alarms: Vec<Alarm>,
    /// Roles, sorted.
    pub roles: Vec<Role>,
    /// How many devices are behind the address at least, of a `nat`.
    pub nat_at_least: Option<u32>,
    /// Local servers that it is managed by or updates from, sorted.
    pub relays: Vec<Addr>,
    /// A handshake with both sides, ARP, neighbour discovery or DHCP show that
    /// it exists.
    pub confirmed: bool,
    /// Why this verdict, in one sentence.
    pub reason: String,
    /// What would make it stronger; may be empty.
    pub stronger: String,
    /// What would make it weaker; may be empty.
    pub weaker: String,
    /// Lookups of update names at the cadence of an installation.
    pub likely_installed: bool,
    /// How often, by category.
    pub categories: BTreeMap<Category, Cadence>,
    /// First contact in the window; of a host listed for its role, when that
    /// was first seen.
    pub first_seen: Timestamp,
    /// Last contact in the window, or when the role was last seen.
    pub last_seen: Timestamp,
    /// Ids of its records, sorted.
    pub sightings: Vec<[u8; 16]>,
}
