//! The digest of the frame at hand.

use crate::flow::FrameRef;
use std::cell::Cell;

/// A frame, whatever else has its number: source, interface, number, offset.
type Key = (u32, u16, u64, u64);

/// Remembers the SHA-256 of one frame: what a frame shows can be observed many
/// times, such as a pipeline of requests.
#[derive(Debug, Default)]
pub(super) struct Digest {
    last: Cell<Option<(Key, [u8; 32])>>,
    /// How many were computed.
    #[cfg(test)]
    computed: Cell<u32>,
}

impl Digest {
    /// SHA-256 over a frame as captured.
    pub(super) fn of(&self, frame: &FrameRef<'_>) -> [u8; 32] {
        let key = (frame.source, frame.interface, frame.number, frame.offset);
        if let Some((_, digest)) = self.last.get().filter(|(last, _)| *last == key) {
            return digest;
        }
        let digest = ring::digest::digest(&ring::digest::SHA256, frame.bytes);
        let digest = digest.as_ref().try_into().unwrap_or([0; 32]);
        self.last.set(Some((key, digest)));
        #[cfg(test)]
        self.computed.set(self.computed.get() + 1);
        digest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_hashed_once() {
        let digest = Digest::default();
        let frame = FrameRef { bytes: b"abc", number: 1, offset: 24, source: 0, interface: 0 };
        let abc = digest.of(&frame);
        assert_eq!(abc[..4], [0xba, 0x78, 0x16, 0xbf]);
        assert_eq!((digest.of(&frame), digest.computed.get()), (abc, 1));
        let others = [
            FrameRef { number: 2, ..frame },
            FrameRef { interface: 1, ..frame },
            FrameRef { source: 1, ..frame },
            FrameRef { offset: 0, bytes: b"x", ..frame },
        ];
        for other in others {
            assert_eq!(digest.of(&other) == abc, other.bytes == b"abc");
        }
        assert_eq!(digest.computed.get(), 5);
    }
}
