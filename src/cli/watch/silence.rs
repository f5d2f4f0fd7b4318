//! Says when frames stop coming, so that nobody takes a port that shows
//! nothing for a network without contacts.

use crate::capture::InterfaceStatistics;
use crate::pipeline::live::Clock;
use std::time::{Duration, Instant};

/// How long nothing may come at the start; then somebody waits for a sign.
const AT_FIRST: Duration = Duration::from_secs(30);

/// How long nothing may come later on: any network sends something meanwhile.
const LATER: Duration = Duration::from_secs(300);

/// The same of files, which are commonly begun anew, or compressed, by the hour.
const LATER_OF_FILES: Duration = Duration::from_secs(3900);

/// How long nothing came on each interface: one that shows nothing may be half of
/// the network, however much the others show.
pub(super) struct Silences(Vec<Silence>);

impl Silences {
    /// Listening begins, on interfaces or to files.
    pub(super) fn new(clock: Clock, names: &[String], now: Instant) -> Self {
        match names {
            [_, _, ..] => Silences(names.iter().map(|i| Silence::new(clock, format!(" on {i}"), now)).collect()),
            _ => Silences(vec![Silence::new(clock, String::new(), now)]),
        }
    }

    /// What to say, if so many frames came in all and on each interface until now.
    pub(super) fn look(&mut self, now: Instant, frames: u64, each: &[InterfaceStatistics]) -> Vec<String> {
        if let [only] = self.0.as_mut_slice() {
            return only.look(now, frames).into_iter().collect();
        }
        self.0.iter_mut().zip(each).filter_map(|(silence, of)| silence.look(now, of.received)).collect()
    }
}

/// How long nothing came.
struct Silence {
    /// Where, in words behind "frame came".
    place: String,
    frames: u64,
    since: Instant,
    said: bool,
    later: Duration,
    check: &'static str,
}

impl Silence {
    fn new(clock: Clock, place: String, now: Instant) -> Self {
        let (later, check) = match clock {
            Clock::Wall => (LATER, "the cable and what the switch mirrors to this port"),
            Clock::Frames => (LATER_OF_FILES, "what writes the capture"),
        };
        Silence { place, frames: 0, since: now, said: false, later, check }
    }

    /// What to say, if so many frames came until now.
    fn look(&mut self, now: Instant, frames: u64) -> Option<String> {
        if frames != self.frames {
            let word = if self.frames == 0 { "now" } else { "again" };
            (self.frames, self.since) = (frames, now);
            return std::mem::take(&mut self.said).then(|| format!("frames come {word}{}", self.place));
        }
        let quiet = now.saturating_duration_since(self.since);
        let patience = if self.frames == 0 { AT_FIRST } else { self.later };
        if self.said || quiet < patience {
            return None;
        }
        self.said = true;
        Some(format!("no frame came{} for {} seconds; check {}", self.place, quiet.as_secs(), self.check))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_said_once_and_its_end_too() {
        let begun = Instant::now();
        let mut silence = Silence::new(Clock::Wall, String::new(), begun);
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
        let mut silence = Silence::new(Clock::Frames, String::new(), begun);
        let mut at = |seconds, frames| silence.look(begun + Duration::from_secs(seconds), frames);
        assert_eq!(at(30, 0).as_deref(), Some("no frame came for 30 seconds; check what writes the capture"));
        assert!(at(40, 7).is_some() && at(3700, 7).is_none() && at(3940, 7).is_some());
    }

    #[test]
    fn one_interface_that_shows_nothing_is_said_whatever_the_others_show() {
        let begun = Instant::now();
        let of = |received: u64| InterfaceStatistics { received, ..InterfaceStatistics::default() };
        let mut both = Silences::new(Clock::Wall, &["east".into(), "west".into()], begun);
        let mut at =
            |seconds, east, west| both.look(begun + Duration::from_secs(seconds), east + west, &[of(east), of(west)]);
        assert!(at(29, 5, 0).is_empty());
        let said = at(31, 9, 0);
        assert!(said.len() == 1 && said[0].starts_with("no frame came on west for 31 seconds"), "{said:?}");
        assert_eq!(at(40, 9, 1), ["frames come now on west"]);
    }
}
