//! What a host does, in plain words, from categories and stages.

use crate::catalogue::Category;
use crate::sighting::Stage;

/// Place of a category in the table: what tells most about an installation
/// first, web sites last.
pub(super) fn rank(category: Category) -> u8 {
    match category {
        Category::Update => 0,
        Category::Reputation => 1,
        Category::Activation => 2,
        Category::Service => 3,
        Category::LanManagement => 4,
        Category::OemUpdate => 5,
        Category::Netblock => 6,
        Category::Web => 7,
        Category::Sinkhole => 8,
        Category::Lookalike => 9,
    }
}

/// One contact in words. `only` says that there is nothing else to say of the
/// host, which matters for web sites: a visit is no installation.
pub(super) fn phrase(category: Category, stage: Stage, only: bool) -> &'static str {
    use Stage::{Answered, Attempted, Connected, Queried, Transferred};
    match (category, stage) {
        (Category::Update, Transferred) => "downloads updates",
        (Category::Update, Connected) => "contacts update servers",
        (Category::Update, Attempted) => "tries to reach update servers, no answer",
        (Category::Update, Queried | Answered) => "looks up update names",
        (Category::Reputation, Transferred | Connected) => "uses cloud reputation",
        (Category::Reputation, Attempted) => "tries to reach cloud reputation, no answer",
        (Category::Reputation, Queried | Answered) => "looks up cloud reputation names",
        (Category::Activation, Transferred | Connected) => "contacts activation servers",
        (Category::Activation, Attempted) => "tries to reach activation servers, no answer",
        (Category::Activation, Queried | Answered) => "looks up activation names",
        (Category::Service, Transferred | Connected) => "uses product services",
        (Category::Service, Attempted) => "tries to reach product services, no answer",
        (Category::Service, Queried | Answered) => "looks up product service names",
        (Category::LanManagement, Queried | Answered | Attempted) => "sends LAN management signals, no answer",
        (Category::LanManagement, Transferred | Connected) => "exchanges LAN management signals",
        (Category::OemUpdate, Transferred) => "downloads OEM updates (another vendor's product)",
        (Category::OemUpdate, Connected) => "contacts OEM update servers (another vendor's product)",
        (Category::OemUpdate, Attempted) => "tries to reach OEM update servers, no answer",
        (Category::OemUpdate, Queried | Answered) => "looks up OEM update names",
        (Category::Netblock, Transferred | Connected) => "contacts the vendor's address space",
        (Category::Netblock, _) => "tries to reach the vendor's address space, no answer",
        (Category::Web, Transferred | Connected) if only => "visits the web site only",
        (Category::Web, Transferred | Connected) => "visits the web site",
        (Category::Web, Attempted) => "tries to reach the web site, no answer",
        (Category::Web, Queried | Answered) if only => "looks up web site names only",
        (Category::Web, Queried | Answered) => "looks up web site names",
        (Category::Sinkhole, Transferred | Connected) => "talks to a sinkhole: likely malware",
        (Category::Sinkhole, Attempted) => "tries to reach a sinkhole: likely malware",
        (Category::Sinkhole, Queried | Answered) => "looks up a sinkholed name: likely malware",
        (Category::Lookalike, Transferred | Connected) => "talks to a look-alike of the vendor's names",
        (Category::Lookalike, Attempted) => "tries to reach a look-alike of the vendor's names",
        (Category::Lookalike, Queried | Answered) => "looks up a look-alike of the vendor's names",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAGES: [Stage; 5] =
        [Stage::Queried, Stage::Answered, Stage::Attempted, Stage::Connected, Stage::Transferred];

    #[test]
    fn a_visit_to_the_web_site_never_reads_like_an_installation() {
        for stage in STAGES {
            for only in [true, false] {
                let words = phrase(Category::Web, stage, only);
                assert!(words.contains("web site"), "{words}");
                for misleading in ["update", "download", "product", "install", "uses"] {
                    assert!(!words.contains(misleading), "{words}");
                }
            }
        }
    }

    #[test]
    fn nothing_short_of_an_answer_reads_like_contact() {
        for category in [Category::Update, Category::Reputation, Category::Activation, Category::OemUpdate] {
            for stage in [Stage::Queried, Stage::Answered, Stage::Attempted] {
                let words = phrase(category, stage, false);
                assert!(words.starts_with("looks up") || words.ends_with("no answer"), "{words}");
            }
        }
    }
}
