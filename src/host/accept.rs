//! Exceptions: hosts and networks whose verdict somebody answers for.
//!
//! They are read from TOML, one `[[accept]]` for each:
//!
//! ```toml
//! [[accept]]
//! host = "10.0.0.5"        # or a MAC, or a name; or network = "10.9.0.0/16"
//! verdict = "updating"     # and every weaker one
//! reason = "test bench of the laboratory"
//! owner = "j.doe"
//! expires = 2026-12-31     # the last day, in UTC
//! ```

use super::view::{HostView, Verdict};
use crate::base::time::{format_day, parse_day};
use crate::base::{Addr, Mac, Prefix};
use serde::Deserialize;
use std::fmt;
use toml::Spanned;

/// Whom an exception is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// A host with this address among those of the window.
    Address(Addr),
    /// The host with this hardware address.
    Mac(Mac),
    /// Hosts of this name, in any case.
    Name(String),
    /// Hosts all of whose addresses of that version lie in it.
    Network(Prefix),
}

/// One exception.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accept {
    /// Whom it is for.
    pub who: Who,
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

    /// Whether it is for a host: by any of its addresses, its hardware address
    /// or its name, or with all its addresses of one version in a network.
    pub fn is_for(&self, host: &HostView) -> bool {
        let addresses = || host.addresses.iter().chain([&host.ip]);
        match &self.who {
            Who::Address(ip) => addresses().any(|a| a == ip),
            Who::Mac(mac) => host.mac == Some(*mac),
            Who::Name(name) => host.name.as_ref().is_some_and(|(n, _)| n.eq_ignore_ascii_case(name)),
            Who::Network(network) => {
                let v4 = network.len128() >= 96 && Addr(network.network().to_be_bytes()).as_v4().is_some();
                let mut of_version = addresses().filter(|a| a.as_v4().is_some() == v4).peekable();
                of_version.peek().is_some() && of_version.all(|a| network.contains(a))
            }
        }
    }
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

/// Exceptions in the order of their file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AcceptList(Vec<Accept>);

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
        checked.collect::<Result<Vec<_>, _>>().map(AcceptList)
    }

    /// Every exception, as the file has them.
    pub fn all(&self) -> &[Accept] {
        &self.0
    }

    /// What they say of a host on a UTC day. Of several exceptions for it, one
    /// that holds comes before one that does not, and a former line before a
    /// latter. A verdict `none` needs no exception.
    pub fn standing(&self, host: &HostView, day: i64) -> Standing<'_> {
        if host.verdict == Verdict::None {
            return Standing::Open;
        }
        let (mut expired, mut risen) = (None, None);
        for accept in self.0.iter().filter(|a| a.is_for(host)) {
            if accept.expires < day {
                expired = expired.or(Some(accept));
            } else if host.verdict.strength() > accept.verdict.strength() {
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
    let verdict: Verdict = entry.verdict.parse().map_err(|word| {
        format!("verdict {word:?} is none; give one of {}", words(Verdict::ALL.iter().map(|v| v.as_str())))
    })?;
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
    Ok(Accept { who, verdict, reason: entry.reason, owner: entry.owner, expires })
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
    fn a_host_is_found_by_address_mac_name_and_network() {
        let host = view("10.0.0.5", Verdict::Updating);
        for who in [
            "host = \"10.0.0.5\"",
            "host = \"fd00::5\"",
            "host = \"02-00-0A-00-00-05\"",
            "host = \"PC-5\"",
            "network = \"10.0.0.0/24\"",
            "network = \"fd00::/8\"",
        ] {
            let list = list(&entry(who, "updating", "2026-12-31"));
            assert!(list.standing(&host, day("2026-12-31")).accepted().is_some(), "{who}");
        }
        for who in [
            "host = \"10.0.0.6\"",
            "host = \"02:00:0a:00:00:06\"",
            "host = \"pc\"",
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
            second(entry("host = \"10.0.0.5\"", "evil", "2026-12-31")).contains("\"evil\" is none; give one of oem,")
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
