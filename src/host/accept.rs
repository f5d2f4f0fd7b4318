//! Exceptions: hosts and networks whose verdict somebody answers for.
//!
//! They are read from TOML, one `[[accept]]` for each:
//!
//! ```toml
//! [[accept]]
//! host = "10.0.0.5"        # or a MAC, or a name of the inventory; or network = "10.9.0.0/16"
//! segment = "vlan:20"      # only there; may be left out
//! verdict = "updating"     # and every weaker one
//! reason = "test bench of the laboratory"
//! owner = "j.doe"
//! expires = 2026-12-31     # the last day, in UTC
//! ```

use super::inventory::Inventory;
use super::view::{HostView, Verdict};
use crate::base::time::{format_day, parse_day};
use crate::base::{Addr, Mac, Prefix};
use serde::Deserialize;
use std::collections::{HashMap, HashSet};
use std::fmt;
use toml::Spanned;

/// Whom an exception is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// This address. A host is accepted by its addresses only if all that it
    /// had of that version in the window are: anyone can claim one more.
    Address(Addr),
    /// The host with this hardware address.
    Mac(Mac),
    /// The device that the user's inventory calls so, in any case. What hosts
    /// announce of themselves is no ground to accept them.
    Name(String),
    /// Addresses in this network, as for a single one.
    Network(Prefix),
}

/// One exception.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accept {
    /// Whom it is for.
    pub who: Who,
    /// The encapsulation context of the hosts that it is for, as records have it;
    /// without one it is for those of any.
    pub segment: Option<String>,
    /// The strongest verdict that is accepted.
    pub verdict: Verdict,
    /// Why.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// Last day on which it holds, in UTC days since the epoch.
    pub expires: i64,
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Who::Address(ip) => ip.fmt(f),
            Who::Mac(mac) => mac.fmt(f),
            Who::Name(name) => f.write_str(name),
            Who::Network(network) => network.fmt(f),
        }
    }
}

impl Accept {
    /// The last day as `YYYY-MM-DD`.
    pub fn expires_day(&self) -> String {
        format_day(self.expires)
    }

    /// Whom it is for, and where, for people.
    pub fn whom(&self) -> String {
        match self.segment.as_deref() {
            None => self.who.to_string(),
            Some("") => format!("{} outside of segments", self.who),
            Some(segment) => format!("{} in {segment}", self.who),
        }
    }

    /// Whether it is for hosts of that segment.
    fn is_there(&self, segment: &str) -> bool {
        self.segment.as_ref().is_none_or(|there| there == segment)
    }

    /// Whether it is for an address of that segment.
    fn has(&self, ip: &Addr, segment: &str) -> bool {
        if !self.is_there(segment) {
            return false;
        }
        match &self.who {
            Who::Address(one) => one == ip,
            Who::Network(network) => {
                let v4 = network.len128() >= 96 && Addr(network.network().to_be_bytes()).as_v4().is_some();
                ip.as_v4().is_some() == v4 && network.contains(ip)
            }
            Who::Mac(_) | Who::Name(_) => false,
        }
    }
}

/// The addresses of a host in the window, IPv4 or IPv6.
fn addresses(host: &HostView, v4: bool) -> impl Iterator<Item = &Addr> {
    host.addresses.iter().chain([&host.ip]).filter(move |a| a.as_v4().is_some() == v4)
}

/// Whether a host had addresses of a version, and all of them fit.
fn all_of(host: &HostView, v4: bool, fit: impl FnMut(&Addr) -> bool) -> bool {
    addresses(host, v4).next().is_some() && addresses(host, v4).all(fit)
}

/// What the exceptions say of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing<'a> {
    /// Nothing.
    Open,
    /// It is accepted.
    Accepted(&'a Accept),
    /// It was, until that exception ended.
    Expired(&'a Accept),
    /// It is, but only up to a weaker verdict.
    Risen(&'a Accept),
}

impl<'a> Standing<'a> {
    /// The exception, where the host is accepted.
    pub fn accepted(self) -> Option<&'a Accept> {
        match self {
            Standing::Accepted(a) => Some(a),
            _ => None,
        }
    }

    /// What they say, for people.
    pub fn sentence(self) -> Option<String> {
        let (accept, what) = match self {
            Standing::Open => return None,
            Standing::Accepted(a) => (a, format!("Accepted as {} until {}", a.verdict, a.expires_day())),
            Standing::Expired(a) => (a, format!("No longer accepted: the exception ended on {}", a.expires_day())),
            Standing::Risen(a) => (a, format!("Not accepted: the exception goes only as far as {}", a.verdict)),
        };
        Some(format!("{what}; {} ({}).", accept.reason.trim_end_matches('.'), accept.owner))
    }
}

/// Why exceptions cannot be used: the line, where one is to blame, and what is
/// wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptError {
    line: Option<usize>,
    reason: String,
}

impl fmt::Display for AcceptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        f.write_str(&self.reason)
    }
}

/// By what the inventory knows the devices of one name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Devices {
    macs: HashSet<Mac>,
    addresses: HashSet<Addr>,
}

/// Exceptions in the order of their file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AcceptList {
    all: Vec<Accept>,
    /// By name in lower case, of the names in `all`.
    devices: HashMap<String, Devices>,
}

impl AcceptList {
    /// From the text of a file.
    ///
    /// # Errors
    /// The first thing that is wrong; also a file without any exception.
    pub fn read(text: &str) -> Result<Self, AcceptError> {
        let line_of = |offset: usize| {
            let before = text.as_bytes().get(..offset).unwrap_or_default();
            Some(memchr::memchr_iter(b'\n', before).count().saturating_add(1))
        };
        let file: File = toml::from_str(text).map_err(|e| {
            let reason = e.message().lines().map(str::trim).collect::<Vec<_>>().join("; ");
            AcceptError { line: e.span().and_then(|s| line_of(s.start)), reason }
        })?;
        if file.accept.is_empty() {
            return Err(AcceptError { line: None, reason: "there is no [[accept]] in it".into() });
        }
        let checked = file.accept.into_iter().map(|entry| {
            let at = entry.span().start;
            check(entry.into_inner()).map_err(|reason| AcceptError { line: line_of(at), reason })
        });
        Ok(AcceptList { all: checked.collect::<Result<Vec<_>, _>>()?, devices: HashMap::new() })
    }

    /// With the devices of the inventory, without which an exception for a name
    /// is for nobody.
    #[must_use]
    pub fn with_inventory(mut self, inventory: &Inventory) -> Self {
        for accept in &self.all {
            if let Who::Name(name) = &accept.who {
                let (macs, addresses) = inventory.named(name);
                let devices = Devices { macs: macs.collect(), addresses: addresses.collect() };
                self.devices.insert(name.to_lowercase(), devices);
            }
        }
        self
    }

    /// Every exception, as the file has them.
    pub fn all(&self) -> &[Accept] {
        &self.all
    }

    /// Whether an exception of the list is for a host: by its hardware address,
    /// by what the inventory knows it by, or by its addresses, if the list has
    /// all of that version.
    pub fn is_for(&self, accept: &Accept, host: &HostView) -> bool {
        match &accept.who {
            _ if !accept.is_there(&host.segment) => false,
            Who::Mac(mac) => host.mac == Some(*mac),
            Who::Name(name) => self.is_named(name, host),
            Who::Address(_) | Who::Network(_) => [true, false].into_iter().any(|v4| {
                addresses(host, v4).any(|ip| accept.has(ip, &host.segment))
                    && all_of(host, v4, |ip| self.all.iter().any(|other| other.has(ip, &host.segment)))
            }),
        }
    }

    /// Whether the inventory calls a host so, and not only since it had one of
    /// the device's addresses too.
    fn is_named(&self, name: &str, host: &HostView) -> bool {
        let listed = host.name.as_ref().filter(|(_, told)| told == "inventory");
        if listed.is_none_or(|(n, _)| n.to_lowercase() != name.to_lowercase()) {
            return false;
        }
        let Some(devices) = self.devices.get(&name.to_lowercase()) else { return false };
        host.mac.is_some_and(|mac| devices.macs.contains(&mac))
            || [true, false].into_iter().any(|v4| all_of(host, v4, |ip| devices.addresses.contains(ip)))
    }

    /// What they say of a host on a UTC day. Of several exceptions for it, one
    /// that holds comes before one that does not, and a former line before a
    /// latter. A verdict `none` needs no exception.
    pub fn standing(&self, host: &HostView, day: i64) -> Standing<'_> {
        if host.verdict == Verdict::None {
            return Standing::Open;
        }
        let by_device = |a: &Accept| matches!(a.who, Who::Mac(_) | Who::Name(_)) && self.is_for(a, host);
        let device = self.first_of(by_device, host.verdict, day);
        let [four, six] = [true, false].map(|v4| self.by_addresses(host, v4, day));
        let all = [device, four, six];
        let holds = all.iter().filter(|s| s.accepted().is_some());
        // Those of one device are met in the order of the file already.
        let first = holds.min_by_key(|s| self.all.iter().position(|a| s.accepted() == Some(a)));
        let risen = || all.iter().find(|s| matches!(s, Standing::Risen(_)));
        let expired = || all.iter().find(|s| matches!(s, Standing::Expired(_)));
        first.or_else(risen).or_else(expired).copied().unwrap_or(Standing::Open)
    }

    /// What they say of all addresses of one version together: the first that
    /// is not accepted decides.
    fn by_addresses(&self, host: &HostView, v4: bool, day: i64) -> Standing<'_> {
        let mut first = Standing::Open;
        for ip in addresses(host, v4) {
            let found = self.first_of(|a| a.has(ip, &host.segment), host.verdict, day);
            if found == Standing::Open {
                return found;
            }
            if first == Standing::Open || first.accepted().is_some() && found.accepted().is_none() {
                first = found;
            }
        }
        first
    }

    /// Of the exceptions that fit, the first that holds, else the first that
    /// the verdict rose above, else the first that ended.
    fn first_of(&self, fits: impl Fn(&Accept) -> bool, verdict: Verdict, day: i64) -> Standing<'_> {
        let (mut expired, mut risen) = (None, None);
        for accept in self.all.iter().filter(|a| fits(a)) {
            if accept.expires < day {
                expired = expired.or(Some(accept));
            } else if verdict.strength() > accept.verdict.strength() {
                risen = risen.or(Some(accept));
            } else {
                return Standing::Accepted(accept);
            }
        }
        risen.map(Standing::Risen).or(expired.map(Standing::Expired)).unwrap_or(Standing::Open)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    accept: Vec<Spanned<Entry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    host: Option<String>,
    network: Option<String>,
    segment: Option<String>,
    verdict: String,
    reason: String,
    owner: String,
    #[serde(alias = "expiry")]
    expires: toml::Value,
}

fn check(entry: Entry) -> Result<Accept, String> {
    let who = match (&entry.host, &entry.network) {
        (Some(host), None) => who(host.trim())?,
        (None, Some(network)) => Who::Network(
            network.trim().parse().map_err(|e| format!("network {network:?}: {e}; give one such as 10.0.0.0/8"))?,
        ),
        _ => return Err("give either host or network".into()),
    };
    let accepted = Verdict::in_order().into_iter().filter(|v| *v != Verdict::None);
    let verdict: Verdict = entry
        .verdict
        .parse()
        .map_err(|word| format!("verdict {word:?} is none; give one of {}", words(accepted.map(Verdict::as_str))))?;
    if verdict == Verdict::None {
        return Err("the verdict none needs no exception".into());
    }
    for (key, text) in [("reason", &entry.reason), ("owner", &entry.owner)] {
        if text.trim().is_empty() {
            return Err(format!("{key} is empty; say it, since whoever reads the report will ask"));
        }
    }
    let written = match &entry.expires {
        toml::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let expires = parse_day(written.trim())
        .ok_or_else(|| format!("expires {written:?} is no date; give the last day, such as 2026-12-31"))?;
    Ok(Accept { who, segment: entry.segment, verdict, reason: entry.reason, owner: entry.owner, expires })
}

fn who(text: &str) -> Result<Who, String> {
    if let Ok(ip) = text.parse() {
        return Ok(Who::Address(ip));
    }
    if let Ok(mac) = text.replace('-', ":").parse() {
        return Ok(Who::Mac(mac));
    }
    if text.is_empty() || text.contains(['/', ':']) || text.contains(char::is_whitespace) {
        return Err(format!("host {text:?} is no address, MAC or name; a network goes under network"));
    }
    Ok(Who::Name(text.to_owned()))
}

/// Words in a sentence: `a, b, c`.
fn words<'w>(words: impl Iterator<Item = &'w str>) -> String {
    words.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::sample::view;

    fn entry(who: &str, verdict: &str, expires: &str) -> String {
        format!(
            "[[accept]]\n{who}\nverdict = \"{verdict}\"\nreason = \"bench\"\nowner = \"lab\"\nexpires = {expires}\n"
        )
    }

    fn list(text: &str) -> AcceptList {
        AcceptList::read(text).unwrap()
    }

    fn refused(text: &str) -> String {
        AcceptList::read(text).unwrap_err().to_string()
    }

    fn day(text: &str) -> i64 {
        parse_day(text).unwrap()
    }

    #[test]
    fn a_host_is_found_by_address_mac_and_network() {
        let host = view("10.0.0.5", Verdict::Updating);
        for who in [
            "host = \"10.0.0.5\"",
            "host = \"fd00::5\"",
            "host = \"02-00-0A-00-00-05\"",
            "network = \"10.0.0.0/24\"",
            "network = \"fd00::/8\"",
        ] {
            let list = list(&entry(who, "updating", "2026-12-31"));
            assert!(list.standing(&host, day("2026-12-31")).accepted().is_some(), "{who}");
        }
        for who in [
            "host = \"10.0.0.6\"",
            "host = \"02:00:0a:00:00:06\"",
            "host = \"pc-5\"",
            "network = \"10.0.1.0/24\"",
            "network = \"::/0\"",
        ] {
            let mut host = host.clone();
            host.addresses.retain(|a| a.as_v4().is_some());
            let list = list(&entry(who, "updating", "2026-12-31"));
            assert_eq!(list.standing(&host, day("2026-12-31")), Standing::Open, "{who}");
        }
        let mut moved = host;
        moved.addresses.push("10.7.0.5".parse().unwrap());
        let list = list(&entry("network = \"10.0.0.0/24\"", "active", "2026-12-31"));
        assert_eq!(list.standing(&moved, 0), Standing::Open, "it was outside the network too");
    }

    /// Two sites, or two VLANs, may use the same addresses.
    #[test]
    fn an_exception_for_a_segment_is_for_no_host_of_another() {
        let there = HostView { segment: "vlan:20".into(), ..view("10.0.0.5", Verdict::Updating) };
        let elsewhere = HostView { segment: String::new(), ..there.clone() };
        for who in ["host = \"10.0.0.5\"", "network = \"10.0.0.0/8\"", "host = \"02:00:0a:00:00:05\""] {
            let of = |segment: &str| list(&entry(&format!("{who}\nsegment = \"{segment}\""), "updating", "2026-12-31"));
            for (segment, accepted) in [("vlan:20", [true, false]), ("", [false, true]), ("vlan:2", [false, false])] {
                let list = of(segment);
                let found = [&there, &elsewhere].map(|host| list.standing(host, 0).accepted().is_some());
                assert_eq!(found, accepted, "{who} in {segment:?}");
                assert!(list.all()[0].whom().ends_with(if segment.is_empty() {
                    " outside of segments"
                } else {
                    segment
                }));
                let met = [&there, &elsewhere].map(|host| list.is_for(&list.all()[0], host));
                assert_eq!(met, accepted, "{who} in {segment:?}");
            }
        }
    }

    #[test]
    fn an_address_that_a_host_only_claims_does_not_accept_it() {
        let mut host = view("10.0.0.5", Verdict::Updating);
        host.addresses.push("10.0.0.200".parse().unwrap());
        let claimed = entry("host = \"10.0.0.200\"", "updating", "2026-12-31");
        assert_eq!(list(&claimed).standing(&host, 0), Standing::Open);
        assert!(!list(&claimed).is_for(&list(&claimed).all()[0], &host));
        // Each of its addresses may have an exception of its own; the first that
        // ends ends it.
        let both = list(&(claimed.clone() + &entry("host = \"10.0.0.5\"", "updating", "2026-06-30")));
        assert!(both.standing(&host, day("2026-06-30")).accepted().is_some());
        assert!(matches!(both.standing(&host, day("2026-07-01")), Standing::Expired(_)));
        let both = list(&(claimed + &entry("network = \"10.0.0.0/25\"", "contacting", "2026-12-31")));
        assert!(matches!(both.standing(&host, 0), Standing::Risen(_)));
        assert!(both.all().iter().all(|a| both.is_for(a, &host)));
    }

    #[test]
    fn only_the_inventory_gives_a_name_that_is_accepted() {
        let text = entry("host = \"PC-5\"", "updating", "2026-12-31");
        let with = |devices: &str| list(&text).with_inventory(&Inventory::read(devices).unwrap());
        let accepted = |list: &AcceptList, host: &HostView| list.standing(host, 0).accepted().is_some();
        let announced = view("10.0.0.5", Verdict::Updating);
        let mut listed = announced.clone();
        listed.name = Some(("pc-5".into(), "inventory".into()));
        let by_address = with("address,name\n10.0.0.5,Pc-5\n");
        let by_mac = with("mac,name\n02:00:0a:00:00:05,pc-5\n");
        assert!(accepted(&by_address, &listed) && accepted(&by_mac, &listed));
        assert!(!accepted(&by_address, &announced) && !accepted(&list(&text), &listed));
        assert!(!accepted(&with("address,name\n10.0.0.5,pc\n"), &listed));
        // Another host that claims the device's address is called so in the table.
        listed.addresses.push("10.0.0.6".parse().unwrap());
        listed.addresses.retain(|a| a.as_v4().is_some());
        assert!(!accepted(&by_address, &listed) && accepted(&by_mac, &listed));
    }

    #[test]
    fn an_exception_ends_with_its_day_and_with_a_stronger_verdict() {
        let text = entry("host = \"10.0.0.5\"", "contacting", "\"2026-12-31\"");
        let list = list(&text);
        let of = |verdict, on: &str| list.standing(&view("10.0.0.5", verdict), day(on));
        assert!(matches!(of(Verdict::Contacting, "2026-12-31"), Standing::Accepted(_)));
        assert!(matches!(of(Verdict::LookedUp, "2026-01-01"), Standing::Accepted(_)));
        assert!(matches!(of(Verdict::Contacting, "2027-01-01"), Standing::Expired(_)));
        assert!(matches!(of(Verdict::Updating, "2026-12-31"), Standing::Risen(_)));
        assert_eq!(of(Verdict::None, "2026-12-31"), Standing::Open);
        // One that holds comes before one that does not.
        let both = AcceptList::read(&(text + &entry("network = \"10.0.0.0/8\"", "active", "2027-12-31"))).unwrap();
        let standing = both.standing(&view("10.0.0.5", Verdict::Updating), day("2027-01-01"));
        assert_eq!(standing.accepted().map(Accept::expires_day), Some("2027-12-31".into()));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let good = entry("host = \"10.0.0.5\"", "updating", "2026-12-31");
        assert_eq!(refused(""), "there is no [[accept]] in it");
        let second = |bad: String| refused(&format!("{good}\n{bad}"));
        let said = second(entry("host = \"10.0.0.5\"", "updating", "\"soon\""));
        assert!(said.starts_with("line 8: expires \"soon\" is no date"), "{said}");
        let said = second(entry("host = \"10.0.0.5\"", "updating", "2026-12-31T10:00:00Z"));
        assert!(said.contains("is no date"), "{said}");
        assert!(
            second(entry("host = \"10.0.0.5\"", "evil", "2026-12-31"))
                .contains("\"evil\" is none; give one of active,")
        );
        assert!(second(entry("", "oem", "2026-12-31")).contains("give either host or network"));
        assert!(second(entry("host = \"10.0.0.0/8\"", "oem", "2026-12-31")).contains("goes under network"));
        assert!(second(entry("network = \"10.0.0.1/8\"", "oem", "2026-12-31")).contains("bits are set"));
        assert!(second(good.replace("owner = \"lab\"", "owner = \" \"")).contains("owner is empty"));
        assert!(second(good.replace("owner = \"lab\"\n", "")).contains("owner"));
        assert!(refused("[[accept]]\nhosts = 5\n").starts_with("line 2: unknown field `hosts`"));
        assert!(refused("accept = 5").starts_with("line 1: "));
    }
}
