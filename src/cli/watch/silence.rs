//! Says when frames stop coming, so that nobody takes a port that shows
//! nothing for a network without contacts.

use crate::pipeline::live::Clock;
use std::time::{Duration, Instant};

/// How long nothing may come at the start; then somebody waits for a sign.
const AT_FIRST: Duration = Duration::from_secs(30);

/// How long nothing may come later on: any network sends something meanwhile.
const LATER: Duration = Duration::from_secs(300);

/// The same of files, which are commonly begun anew, or compressed, by the hour.
const LATER_OF_FILES: Duration = Duration::from_secs(3900);

/// How long nothing came.
pub(super) struct Silence {
    frames: u64,
    since: Instant,
    said: bool,
    later: Duration,
    check: &'static str,
}

impl Silence {
    /// Listening begins, on interfaces or to files.
    pub(super) fn new(clock: Clock, now: Instant) -> Self {
        let (later, check) = match clock {
            Clock::Wall => (LATER, "the cable and what the switch mirrors to this port"),
            Clock::Frames => (LATER_OF_FILES, "what writes the capture"),
        };
        Silence { frames: 0, since: now, said: false, later, check }
    }

    /// What to say, if so many frames came until now.
    pub(super) fn look(&mut self, now: Instant, frames: u64) -> Option<String> {
        if frames != self.frames {
            let word = if self.frames == 0 { "now" } else { "again" };
            (self.frames, self.since) = (frames, now);
            return std::mem::take(&mut self.said).then(|| format!("frames come {word}"));
        }
        let quiet = now.saturating_duration_since(self.since);
        let patience = if self.frames == 0 { AT_FIRST } else { self.later };
        if self.said || quiet < patience {
            return None;
        }
        self.said = true;
        Some(format!("no frame came for {} seconds; check {}", quiet.as_secs(), self.check))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_said_once_and_its_end_too() {
        let begun = Instant::now();
        let mut silence = Silence::new(Clock::Wall, begun);
        let mut at = |seconds, frames| silence.look(begun + Duration::from_secs(seconds), frames);
        assert_eq!(at(29, 0), None);
        assert!(at(30, 0).is_some_and(|s| s.starts_with("no frame came for 30 seconds; check the cable")));
        assert_eq!(at(31, 0), None, "said once");
        assert_eq!(at(40, 7).as_deref(), Some("frames come now"));
        assert_eq!((at(41, 9), at(340, 9)), (None, None));
        assert!(at(341, 9).is_some_and(|s| s.contains("300 seconds")));
        assert_eq!(at(342, 10).as_deref(), Some("frames come again"));
        assert_eq!(at(343, 11), None);
    }

    #[test]
    fn files_may_be_silent_for_an_hour() {
        let begun = Instant::now();
        let mut silence = Silence::new(Clock::Frames, begun);
        let mut at = |seconds, frames| silence.look(begun + Duration::from_secs(seconds), frames);
        assert_eq!(at(30, 0).as_deref(), Some("no frame came for 30 seconds; check what writes the capture"));
        assert!(at(40, 7).is_some() && at(3700, 7).is_none() && at(3940, 7).is_some());
    }
}
