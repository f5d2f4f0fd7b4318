//! Why a host got its verdict, and what would change it, in words.

use super::case::Case;
use super::own::Whose;
use super::sessions::Sessions;
use super::view::{Alarm, Role, Verdict};
use crate::base::{Addr, Stage};
use crate::catalogue::Category;
use crate::flow::Note;

/// What is said of a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) reason: String,
    pub(super) stronger: String,
    pub(super) weaker: String,
}

/// What the sentences need beside the host's own contacts.
#[derive(Debug)]
pub(super) struct Said<'a> {
    pub(super) verdict: Verdict,
    pub(super) alarms: &'a [Alarm],
    /// Look-alikes were only asked for, not connected to.
    pub(super) lookalike_asked: bool,
    pub(super) roles: &'a [Role],
    pub(super) nat_at_least: Option<u32>,
    pub(super) relays: &'a [Addr],
    /// How many different management signals tie it to one of them.
    pub(super) management_signals: u32,
    pub(super) likely_installed: bool,
    pub(super) confirmed: bool,
    /// Whose the contacts were that are not its own, if there are any: of
    /// others that were seen, of others that were not.
    pub(super) passed_on: &'a [Whose],
    /// Lookups alone are among its own, which a resolver may have made for
    /// others.
    pub(super) own_lookups: bool,
    /// More than lookups is, which a proxy may have done for others.
    pub(super) own_contacts: bool,
}

impl Words {
    pub(super) fn new(case: &Case<'_>, said: &Said<'_>) -> Self {
        let mut reason = why(case, said);
        for clause in clauses(case, said) {
            reason.push_str("; ");
            reason.push_str(&clause);
        }
        reason.push('.');
        Words { reason, stronger: stronger(case, said), weaker: weaker(case, said).to_owned() }
    }
}

/// `1 session`, `2 sessions`.
pub(super) fn count(n: u32, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

/// `in 3 sessions on 2 days`.
fn often(s: &Sessions) -> String {
    format!("in {} on {}", count(s.len(), "session"), count(s.days(), "day"))
}

/// How long after the first session the last began.
fn spread(s: &Sessions) -> String {
    let quarters = u32::try_from(s.spread()).unwrap_or(u32::MAX);
    match quarters {
        0..8 => format!("{} minutes", quarters * 15),
        8..192 => count(quarters / 4, "hour"),
        _ => count(quarters / 96, "day"),
    }
}

fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [all @ .., last] => format!("{} and {last}", all.join(", ")),
    }
}

fn why(case: &Case<'_>, said: &Said<'_>) -> String {
    let tried = often(&case.update);
    let answered = often(&case.update_connected);
    match said.verdict {
        Verdict::Oem => oem(case),
        Verdict::ProbeOnly if case.is_probe() => {
            let then = match case.updates().all(|o| case.sees_flows(o)) {
                true => "no connection followed",
                false => "where this was seen connections are not visible",
            };
            format!("Only the name that products look up to test their name service was looked up, and {then}")
        }
        Verdict::ProbeOnly => {
            let names = case.own.iter().fold(0u32, |sum, o| sum.saturating_add(o.contact.names));
            format!("{} were looked up in bursts, as a scanner does, and no connection was tried", count(names, "name"))
        }
        Verdict::Active if case.updates_again() => {
            let far = match case.update_stage() {
                Some(Stage::Transferred) => "data was transferred",
                _ => "no transfer of data was seen",
            };
            let spread = spread(&case.update_connected);
            format!("{} were answered {answered}, the last {spread} after the first; {far}", asked(case))
        }
        Verdict::Active => format!(
            "{}, and reputation servers answered in {} of one day",
            got(case),
            count(case.reputation_connected.most_a_day(), "quarter hour")
        ),
        Verdict::Updating => format!("{}; {} were answered {answered}", got(case), lower(asked(case))),
        Verdict::Contacting => {
            format!("{} were answered {answered}, and no transfer of data was seen", asked(case))
        }
        Verdict::Attempting => {
            format!("Updates were tried {tried} and did not get through: {}", list(&failures(case)))
        }
        Verdict::LookedUp => {
            let blind = !case.updates().any(|o| case.sees_flows(o));
            let then = match (blind, said.likely_installed) {
                (true, true) => "at the cadence of an installation; where this was seen connections are not visible",
                (true, false) => "and where this was seen connections are not visible",
                (false, true) => "at the cadence of an installation, and no connection was seen",
                (false, false) => "and no connection was seen",
            };
            format!("Update names were looked up {tried}, {then}")
        }
        Verdict::Managed => {
            let kinds = count(said.management_signals, "different management signal");
            format!("{kinds} tie it to the local server {}", servers(said))
        }
        Verdict::Present => present(case),
        Verdict::WebOnly => {
            let web = Sessions::new(case.own.iter().filter(|o| o.traits.browser).map(|o| (o.contact.day, o.slots)));
            format!(
                "Only web sites, and services that browsers and signature checks reach too, were contacted {}",
                often(&web)
            )
        }
        Verdict::None => none(case, said),
    }
}

/// What of a host's update contacts was answered. Who answered cannot be seen: a
/// filter may have, in the server's place.
fn asked(case: &Case<'_>) -> &'static str {
    if case.is_by_path_only() { "Requests for update paths" } else { "Connections to update names" }
}

/// That a transfer was seen: bytes, of which it is not known whether they were an
/// update.
fn got(case: &Case<'_>) -> &'static str {
    if case.is_by_path_only() {
        "Data was transferred for an update path"
    } else {
        "Data was transferred from an update name"
    }
}

/// A sentence's beginning in its midst.
fn lower(words: &str) -> String {
    let mut chars = words.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

fn servers(said: &Said<'_>) -> String {
    list(&said.relays.iter().map(ToString::to_string).collect::<Vec<_>>())
}

fn oem(case: &Case<'_>) -> String {
    // In order of day, as a case keeps its contacts.
    let is_update = |c| matches!(c, Category::OemUpdate | Category::Update);
    let all = case.own.iter().filter(|o| o.counts && is_update(o.traits.category));
    let oem = Sessions::new(all.map(|o| (o.contact.day, o.slots)));
    let beside = if case.updates().next().is_some() { ", and update servers that it uses as well," } else { "" };
    format!(
        "The update servers of another vendor's product that embeds the engine{beside} were contacted {}, and none that only Kaspersky's own products use",
        often(&oem)
    )
}

/// How the update contacts that did not get through ended.
fn failures(case: &Case<'_>) -> Vec<String> {
    const ENDS: [(Note, &str); 7] = [
        (Note::NxDomain, "the name service denies the name"),
        (Note::ServFail, "the name service fails"),
        (Note::NoAddress, "the name service gives no address"),
        (Note::Refused, "connections are refused"),
        (Note::Reset, "connections are reset"),
        (Note::TlsAlert, "the handshake is refused"),
        (Note::ProxyRefused, "the proxy refuses or fails"),
    ];
    let failed = || case.updates().filter(|o| matches!(o.stage, Stage::Queried | Stage::Attempted));
    let mut said: Vec<String> =
        ENDS.iter().filter(|(n, _)| failed().any(|o| o.contact.notes.has(*n))).map(|(_, w)| (*w).to_owned()).collect();
    let silent = |stage| failed().any(|o| o.stage == stage && ENDS.iter().all(|(n, _)| !o.contact.notes.has(*n)));
    if silent(Stage::Attempted) {
        said.push("connections get no answer".to_owned());
    }
    if silent(Stage::Queried) {
        said.push("lookups get no answer".to_owned());
    }
    said
}

fn present(case: &Case<'_>) -> String {
    let all = [
        (Category::Reputation, "reputation"),
        (Category::Activation, "activation"),
        (Category::Service, "other product"),
    ];
    let part = |(category, word): &(Category, &str)| {
        let s = Sessions::new(case.of(*category).filter(|o| !o.traits.browser).map(|o| (o.contact.day, o.slots)));
        (s.len() > 0).then(|| format!("{word} services {}", often(&s)))
    };
    let parts: Vec<String> = all.iter().filter_map(part).collect();
    format!("A product is there, for it contacted {}, but no update was seen", list(&parts))
}

fn none(case: &Case<'_>, said: &Said<'_>) -> String {
    if !said.passed_on.is_empty() || said.roles.iter().any(|r| *r != Role::Nat) {
        return "No contact is shown to be its own".to_owned();
    }
    if !case.own.is_empty() {
        return "Only signs that prove nothing alone, such as the vendor's address space or a single port".to_owned();
    }
    "No contact with Kaspersky".to_owned()
}

/// What a reader must know beside the verdict.
fn clauses(case: &Case<'_>, said: &Said<'_>) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for alarm in said.alarms {
        all.push(match alarm {
            Alarm::Lookalike if said.lookalike_asked => "it looked up a name that imitates the vendor's".to_owned(),
            Alarm::Lookalike => "it contacted a name that imitates the vendor's".to_owned(),
            Alarm::Sinkhole => "it contacted a sinkhole, as malware does".to_owned(),
        });
    }
    if matches!(said.verdict, Verdict::Active | Verdict::Updating | Verdict::Contacting) {
        if case.is_by_address_only() {
            all.push("by address only: answers of the name service, which can be forged, say whose the servers are, and no connection shows a name".to_owned());
        }
        if case.began_out_of_view() {
            all.push("connections without a handshake in view are among them, which can be forged".to_owned());
        }
        if case.is_doubtful_oem() {
            all.push("a name of another vendor that embeds the engine was asked for too, and not answered on the days of the updates".to_owned());
        }
    }
    if case.asked_public_dns() {
        all.push("it asked a public resolver that products fall back to, although it has a local one".to_owned());
    }
    for role in said.roles {
        match role {
            Role::Resolver => all.push(passed(said, &RESOLVER, said.own_lookups)),
            Role::Proxy => all.push(passed(said, &PROXY, said.own_contacts)),
            Role::Relay => all.push("it hands updates on to hosts of the local network".to_owned()),
            Role::Nat => all.push(shared(case, said)),
            Role::Router => all.push("it forwards packets of other hosts".to_owned()),
        }
    }
    if said.verdict != Verdict::Managed && !said.relays.is_empty() {
        all.push(format!("it has the local server {}", servers(said)));
    }
    if !said.confirmed {
        all.push("nothing confirms that the host exists".to_owned());
    }
    all
}

/// That several devices share an address; which of them made its contacts is a
/// question only where it made any.
fn shared(case: &Case<'_>, said: &Said<'_>) -> String {
    let devices = said.nat_at_least.map_or_else(|| "several".to_owned(), |n| format!("at least {n}"));
    let contacted = !case.own.is_empty() || !said.passed_on.is_empty() || !said.alarms.is_empty();
    let which = if contacted { ", and which of them it was is not visible" } else { "" };
    format!("{devices} devices share the address{which}")
}

/// How it is said that a host works for others.
struct Work {
    does: &'static str,
    used: &'static str,
    contacts: &'static str,
}

const RESOLVER: Work = Work { does: "as a resolver it looks names up", used: "asked it", contacts: "lookups" };
const PROXY: Work = Work { does: "as a proxy it connects", used: "used it", contacts: "contacts" };

/// Who used a host that works for others; `left` is whether contacts of such a
/// kind stayed its own.
fn passed(said: &Said<'_>, Work { does, used, contacts }: &Work, left: bool) -> String {
    let seen = said.passed_on.contains(&Whose::Others);
    let unseen = said.passed_on.contains(&Whose::Unseen);
    let others = match (seen, unseen) {
        (true, false) => format!("{does} for others, and the hosts that {used} are listed themselves"),
        (true, true) => format!("{does} for others, and not all hosts that {used} are visible"),
        (false, true) => format!("{does} for others, and the real user is not visible here"),
        (false, false) => format!("{does} for others"),
    };
    match (left, seen || unseen) {
        (false, _) => others,
        (true, false) => format!("{others}, and whether these {contacts} are its own is not visible"),
        (true, true) => format!("{others}; whether the other {contacts} are its own is not visible"),
    }
}

fn stronger(case: &Case<'_>, said: &Said<'_>) -> String {
    let text = match said.verdict {
        Verdict::Oem => "a name that only Kaspersky's own products use, such as one under upd.kaspersky.com",
        Verdict::ProbeOnly => "a connection to an update server, or the lookup again in another session",
        Verdict::Active if case.update_stage() == Some(Stage::Transferred) => "",
        Verdict::Active => "a transfer of data from an update server",
        Verdict::Updating => {
            "a second update session at least 45 minutes after the first, or reputation contacts in four quarter hours of one day"
        }
        Verdict::Contacting => {
            "a transfer of data from an update server, or a second update session at least 45 minutes after the first"
        }
        Verdict::Attempting => "an answer of an update server",
        Verdict::LookedUp if said.likely_installed => "connections to update servers, seen nearer to the host",
        Verdict::LookedUp if said.roles.contains(&Role::Resolver) => "connections to update servers",
        Verdict::LookedUp => "connections to update servers, or lookups again 45 minutes to a week after other ones",
        Verdict::Managed => "update contacts of its own, or fetching the update tree from the local server",
        Verdict::Present => "an update contact",
        Verdict::WebOnly => "contacts with update, reputation or activation servers",
        Verdict::None if said.roles.contains(&Role::Resolver) || said.roles.contains(&Role::Proxy) => {
            "a connection of its own to update servers, which no client asked for"
        }
        Verdict::None => "a contact with update servers",
    };
    text.to_owned()
}

fn weaker(case: &Case<'_>, said: &Said<'_>) -> &'static str {
    let is = |role| said.roles.contains(&role);
    let one_sided = case.updates().any(|o| o.contact.notes.has(Note::OneSided));
    match said.verdict {
        Verdict::Active | Verdict::Updating | Verdict::Contacting if one_sided => {
            "packets of the server's direction that show something else, or a sign that it connects for others"
        }
        Verdict::Active | Verdict::Updating | Verdict::Contacting if case.is_by_address_only() => {
            "a name on such a connection that is not the vendor's, or frames that show the answers to be forged"
        }
        Verdict::Active | Verdict::Updating | Verdict::Contacting if is(Role::Proxy) => {
            "clients that were connected through it at the same times and got as much"
        }
        Verdict::Active | Verdict::Updating | Verdict::Contacting => {
            "a sign that it connects for others or that a filter answers in the servers' place, or update servers of another vendor's product beside shared names"
        }
        Verdict::Attempting => "packets of the server's direction, if they were only not captured",
        Verdict::LookedUp if is(Role::Resolver) => "the questions of hosts that it asked for, seen on their way to it",
        Verdict::LookedUp => "a sign that it asks for others",
        Verdict::Managed => "another program that uses the same ports",
        Verdict::Present => "another product of the vendor's, such as a VPN, that uses the same services",
        Verdict::Oem | Verdict::ProbeOnly | Verdict::WebOnly | Verdict::None => "",
    }
}
