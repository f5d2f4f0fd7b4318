//! The digest of the frame at hand, and the frame itself where it is kept as
//! evidence.

use crate::flow::FrameRef;
use std::cell::{Cell, RefCell};

/// A frame that may be evidence, as captured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptFrame {
    /// Number of its source in this run.
    pub source: u32,
    /// Interface of the source.
    pub interface: u16,
    /// Its number in the source.
    pub number: u64,
    /// Bytes it had on the wire.
    pub orig_len: u32,
    /// The bytes captured.
    pub bytes: Box<[u8]>,
}

/// A frame, whatever else has its number: source, interface, number, offset.
type Key = (u32, u16, u64, u64);

/// Remembers the SHA-256 of one frame: what a frame shows can be observed many
/// times, such as a pipeline of requests.
#[derive(Debug, Default)]
pub(super) struct Digest {
    last: Cell<Option<(Key, [u8; 32])>>,
    /// Frames hashed since they were last taken, where they are kept: at most
    /// those of a batch.
    kept: Option<RefCell<Vec<KeptFrame>>>,
    /// How many were computed.
    #[cfg(test)]
    computed: Cell<u32>,
}

impl Digest {
    /// One that keeps the frames.
    pub(super) fn keeping() -> Self {
        Digest { kept: Some(RefCell::default()), ..Digest::default() }
    }

    /// The frames kept since the last call.
    pub(super) fn take_kept(&mut self) -> Vec<KeptFrame> {
        self.kept.as_mut().map(|kept| std::mem::take(kept.get_mut())).unwrap_or_default()
    }

    /// SHA-256 over a frame as captured.
    pub(super) fn of(&self, frame: &FrameRef<'_>) -> [u8; 32] {
        let key = (frame.source, frame.interface, frame.number, frame.offset);
        if let Some((_, digest)) = self.last.get().filter(|(last, _)| *last == key) {
            return digest;
        }
        let digest = ring::digest::digest(&ring::digest::SHA256, frame.bytes);
        let digest = digest.as_ref().try_into().unwrap_or([0; 32]);
        self.last.set(Some((key, digest)));
        if let Some(mut kept) = self.kept.as_ref().and_then(|kept| kept.try_borrow_mut().ok()) {
            kept.push(KeptFrame {
                source: frame.source,
                interface: frame.interface,
                number: frame.number,
                orig_len: frame.orig_len,
                bytes: frame.bytes.into(),
            });
        }
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
        let frame = FrameRef { bytes: b"abc", orig_len: 3, number: 1, offset: 24, source: 0, interface: 0 };
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

    #[test]
    fn frames_are_kept_once_where_they_are_wanted() {
        let frame = FrameRef { bytes: b"abc", orig_len: 9, number: 1, offset: 24, source: 0, interface: 2 };
        let mut digest = Digest::keeping();
        digest.of(&frame);
        digest.of(&frame);
        digest.of(&FrameRef { number: 2, ..frame });
        let kept = digest.take_kept();
        assert_eq!(
            kept.iter().map(|k| (k.interface, k.number, k.orig_len)).collect::<Vec<_>>(),
            [(2, 1, 9), (2, 2, 9)]
        );
        assert_eq!((&*kept[0].bytes, digest.take_kept()), (&b"abc"[..], Vec::new()));
        let mut digest = Digest::default();
        digest.of(&frame);
        assert_eq!(digest.take_kept(), []);
    }
}
