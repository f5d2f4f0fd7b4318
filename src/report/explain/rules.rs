//! The rules that verdicts and stages are made by, in words.

use crate::base::Stage;
use crate::host::Verdict;

/// What a verdict needs. Of all that fit, the first in the order of
/// [`Verdict::ALL`] stands.
pub fn rule(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Oem => {
            "contacts with names of an embedding vendor, and none with update, activation or touch names of \
             the vendor's own products"
        }
        Verdict::ProbeOnly => {
            "only answered lookups that no connection followed: of the reachability name in fewer than two sessions, \
             or of ten or more catalogue names within two adjoining quarter hours where other flows are visible"
        }
        Verdict::Active => {
            "two update sessions whose first connected quarter hours lie three or more apart, or a transferred update \
             and connected reputation contacts in four or more quarter hours of one day"
        }
        Verdict::Updating => "an update contact of stage transferred",
        Verdict::Contacting => "an update contact of stage connected",
        Verdict::Attempting => {
            "update names refused or unanswered, or connections tried without an answer, where flows other than DNS \
             are visible"
        }
        Verdict::LookedUp => "update names were asked for, and what followed is not known",
        Verdict::Managed => "two or more different LAN management signals with one local server",
        Verdict::Present => "reputation or activation contacts, or other services of the product",
        Verdict::WebOnly => "web names, and services that browsers and signature checks reach too",
        Verdict::None => "nothing but alarms, roles or supporting signals",
    }
}

/// What a stage needs.
pub fn stage_rule(stage: Stage) -> &'static str {
    match stage {
        Stage::Queried => "the name was asked for",
        Stage::Answered => "an answer to that very question gave an address",
        Stage::Attempted => "a SYN, a QUIC Initial or first client bytes were sent",
        Stage::Connected => "the server answered with payload",
        Stage::Transferred => "payload came from the server after the client's first request",
    }
}
