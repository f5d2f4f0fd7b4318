//! Stages of the work whose durations `--stats` shows.

/// What a duration is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Of the first frame of a batch, from its capture to the batch being
    /// handed on. Live, as are [`Stage::Latency`] and [`Stage::Record`].
    Arrival,
    /// Reading a batch, waiting for its frames included.
    Read,
    /// Decoding the frames of a batch and dealing them.
    Decode,
    /// From a batch having been read to its worker beginning with it.
    Wait,
    /// One worker's share of a batch.
    Work,
    /// From the end of that to what was found having been written.
    Report,
    /// Of one frame in 1,024, from its batch having been read to the frame
    /// having been dealt with.
    Frame,
    /// Of the same frames, from capture to having been dealt with.
    Latency,
    /// From the capture of a packet that makes a record or raises its stage to
    /// the record having been printed.
    Record,
}

impl Stage {
    /// Every stage, in the order of the statistics.
    pub const ALL: [Stage; 9] = [
        Stage::Arrival,
        Stage::Read,
        Stage::Decode,
        Stage::Wait,
        Stage::Work,
        Stage::Report,
        Stage::Frame,
        Stage::Latency,
        Stage::Record,
    ];

    /// Its name in the statistics.
    pub fn as_str(self) -> &'static str {
        match self {
            Stage::Arrival => "arrival",
            Stage::Read => "read",
            Stage::Decode => "decode",
            Stage::Wait => "wait",
            Stage::Work => "work",
            Stage::Report => "report",
            Stage::Frame => "frame",
            Stage::Latency => "latency",
            Stage::Record => "record",
        }
    }

    /// One sentence on what it measures.
    pub fn meaning(self) -> &'static str {
        match self {
            Stage::Arrival => {
                "Live, of each batch: from the capture of its first frame to the batch being handed on to be decoded."
            }
            Stage::Read => "Of each batch: reading it; live, waiting for its frames is part of that.",
            Stage::Decode => "Of each batch: decoding its frames and dealing them to the workers.",
            Stage::Wait => "Of each batch and worker: from having been read to the worker beginning with it.",
            Stage::Work => "Of each batch and worker: the worker's share of it.",
            Stage::Report => {
                "Of each batch and worker with findings: from the end of the work to the findings having been taken; \
                 `watch` has then printed them."
            }
            Stage::Frame => {
                "Of one frame in 1,024 that hold a segment: from its batch having been read to the frame having been \
                 dealt with."
            }
            Stage::Latency => "Live, of the same frames: from capture to having been dealt with.",
            Stage::Record => {
                "Live, each time a packet makes a record or raises its stage: from the capture of that packet to the \
                 record having been printed, handed over for a reader that is slow, or kept back until it has the second \
                 signal that it needs."
            }
        }
    }

    /// Its place in [`Stage::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_have_their_places_and_names_of_their_own() {
        for (place, stage) in Stage::ALL.into_iter().enumerate() {
            assert_eq!(stage.index(), place);
            assert!(stage.meaning().ends_with('.') && !stage.meaning().contains('|'), "{stage:?}");
            assert_eq!(Stage::ALL.iter().filter(|s| s.as_str() == stage.as_str()).count(), 1);
        }
    }
}
