//! What a user sees of a bug: one sentence with the place in the source, never
//! the panic's own text.

use std::sync::OnceLock;

static PLACE: OnceLock<String> = OnceLock::new();

/// Keeps panics of all threads from printing, whatever `RUST_BACKTRACE` says,
/// and remembers where the first one was.
pub fn silence() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        // Only the first counts: others tend to follow from it.
        drop(PLACE.set(place));
    }));
}

/// The sentence for a run that a panic ended.
pub fn sentence() -> String {
    let place = PLACE.get().filter(|p| !p.is_empty()).map(|p| format!(" at {p}")).unwrap_or_default();
    format!("an internal error{place} ended the run; this is a bug: please report it with the input")
}
