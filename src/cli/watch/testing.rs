//! What tests of a running sensor share.

use crate::base::Timestamp;
use crate::store::Run;

/// A run that goes on.
pub(super) fn run() -> Run {
    Run {
        version: "1".into(),
        command: vec!["spansight".into()],
        catalogue_sha256: "00".into(),
        catalogue: Default::default(),
        home_nets: Vec::new(),
        sensor: "s".into(),
        hash: "none".into(),
        started: Timestamp(1),
        ended: None,
        exit_code: None,
        exit_reason: None,
        environment: Default::default(),
    }
}
