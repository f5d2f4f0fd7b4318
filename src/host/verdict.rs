//! The table of verdicts: the first row that fits.

use super::case::Case;
use super::roles::Flags;
use super::view::Verdict;
use crate::base::Stage;

/// What the own contacts of a host amount to.
pub(super) fn verdict(case: &Case<'_>) -> Verdict {
    Verdict::ALL.iter().copied().find(|v| fits(case, *v)).unwrap_or(Verdict::None)
}

/// Whether the row of a verdict fits, the rows before it aside.
pub(super) fn fits(case: &Case<'_>, verdict: Verdict) -> bool {
    match verdict {
        Verdict::Oem => case.is_oem(),
        Verdict::ProbeOnly => case.is_probe_only(),
        Verdict::Active => case.updates_again() || case.updates_beside_reputation(),
        Verdict::Updating => case.update_stage() == Some(Stage::Transferred),
        Verdict::Contacting => case.update_stage() == Some(Stage::Connected),
        Verdict::Attempting => case.is_attempting(),
        Verdict::LookedUp => case.update_stage().is_some(),
        Verdict::Managed => case.managed,
        Verdict::Present => case.is_present(),
        Verdict::WebOnly => case.is_web_only(),
        Verdict::None => true,
    }
}

/// Quarter hours between lookups of an installation at most: a week, since one
/// that is in use asks every few hours and may stand still over some days off.
const LONGEST_GAP: i64 = 7 * 96;

/// Whether update names were looked up at the cadence of an installation: again
/// after three quarter hours or more and within a week. A resolver looks up what
/// others ask for.
pub(super) fn likely_installed(case: &Case<'_>, verdict: Verdict, flags: Flags) -> bool {
    verdict == Verdict::LookedUp && !flags.has(Flags::RESOLVER) && case.update.recurs(3, LONGEST_GAP)
}
