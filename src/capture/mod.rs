//! Where frames come from: capture files, standard input, live interfaces.
//!
//! Knows file formats and interfaces, and nothing of packets.

mod classic;
mod decompress;
mod file;
pub mod follow;
mod input;
mod pcapng;
mod pump;
#[cfg(test)]
mod testing;

pub mod ahead;
pub mod bpf;
pub mod device;
pub mod error;
pub mod live;
pub mod open;
pub mod pcapng_write;
pub mod pick;
pub mod set;
pub mod source;

pub use ahead::Ahead;
pub use bpf::BpfFilter;
pub use device::interface_prefixes;
pub use error::CaptureError;
pub use follow::{FollowSource, follow};
#[cfg(test)]
pub(crate) use live::{BATCH_BYTES, BATCH_FRAMES};
pub use live::{Followed, LiveControl, LiveOptions, LiveSource, open_live};
pub use open::{OpenOptions, first_timestamp, open};
pub use pcapng_write::{InterfaceDescription, PacketBlock, PcapngWriter};
pub use pick::{Picked, pick};
pub use set::{Expansion, Item, expand, files};
pub use source::{FrameSource, InterfaceStatistics, Progress, Status};

use crate::base::Timestamp;
use std::path::Path;
use std::sync::Arc;

/// A link-layer type as capture files number it
/// (the LINKTYPE_ registry of tcpdump.org).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkType(pub u16);

impl LinkType {
    /// LINKTYPE_ETHERNET.
    pub const ETHERNET: LinkType = LinkType(1);
}

/// One interface of a source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interface {
    /// Its name, empty where the source gives none.
    pub name: String,
    /// How its frames begin.
    pub link: LinkType,
    /// Most bytes captured of a frame; 0 for no limit.
    pub snaplen: u32,
    /// The file that its frames come from, where one source reads several.
    pub file: Option<Arc<Path>>,
}

impl Interface {
    /// What to call it: its name, behind that of its file if it has one; empty
    /// if it has neither.
    pub fn label(&self) -> String {
        match &self.file {
            None => self.name.clone(),
            Some(file) if self.name.is_empty() => file.display().to_string(),
            Some(file) => format!("{} {}", file.display(), self.name),
        }
    }
}

/// One frame of a [`Batch`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameMeta {
    /// When it was captured.
    pub ts: Timestamp,
    /// Where its first byte lies in the batch's buffer.
    pub offset: u32,
    /// Bytes captured, all of them in the buffer.
    pub caplen: u32,
    /// Bytes on the wire.
    pub orig_len: u32,
    /// Bytes between the start of its record or block in the file and
    /// `offset`; 0 for live frames.
    pub head: u16,
    /// Index into the batch's interfaces.
    pub interface: u16,
}

/// Frames read together, in place in one buffer.
///
/// The bytes `buf[carried..]` of all batches of a source, one after another,
/// are the source's whole decompressed content.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// The bytes.
    pub buf: Vec<u8>,
    /// The frames, in capture order.
    pub frames: Vec<FrameMeta>,
    /// How many bytes at the start of `buf` the previous batch held too
    /// (a record that its buffer had cut in two).
    pub carried: usize,
    /// Offset of `buf[0]` in the source's decompressed content.
    pub base: u64,
    /// Number of the first frame in its source, counted from 1.
    pub first_number: u64,
    /// The source's interfaces as known so far.
    pub interfaces: Arc<[Interface]>,
}

impl Batch {
    /// The bytes of a frame of this batch; empty for a frame of another one
    /// that does not fit.
    #[inline]
    pub fn bytes(&self, frame: &FrameMeta) -> &[u8] {
        let start = frame.offset as usize;
        let end = start.saturating_add(frame.caplen as usize);
        self.buf.get(start..end).unwrap_or_default()
    }

    /// Where a frame's record or block starts in the source's decompressed
    /// content.
    #[inline]
    pub fn position(&self, frame: &FrameMeta) -> u64 {
        self.base.saturating_add(u64::from(frame.offset)).saturating_sub(u64::from(frame.head))
    }

    /// The bytes that the previous batch did not hold.
    #[inline]
    pub fn fresh(&self) -> &[u8] {
        self.buf.get(self.carried..).unwrap_or_default()
    }
}
