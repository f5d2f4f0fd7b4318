//! pcapng: a sequence of blocks in one or more sections, each with its own
//! byte order and interfaces (draft-ietf-opsawg-pcapng).
//!
//! Every block is `type u32, total length u32, body, total length u32`.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

mod options;
mod time;

use super::file::Stop;
use super::{CaptureError, FrameMeta, Interface, InterfaceStatistics, LinkType};
use crate::base::Timestamp;
use options::Options;
use std::sync::Arc;
use time::Clock;

/// Type of a section header block, the same in both byte orders.
pub(super) const SECTION_HEADER: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];

/// Largest block that must be held in the buffer as a whole, as in libpcap.
/// Blocks that are skipped may have any length.
const MOST_BLOCK: u32 = 16 << 20;

/// Longest name of an interface that is kept, in bytes.
const MOST_NAME: usize = 255;

const INTERFACE_DESCRIPTION: u32 = 1;
const PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const INTERFACE_STATISTICS: u32 = 5;
const ENHANCED_PACKET: u32 = 6;

/// One interface of the current section.
#[derive(Clone, Copy, Debug)]
struct Local {
    /// Its index in the file.
    index: u16,
    clock: Clock,
    snaplen: u32,
}

/// A block longer than the buffer that is being stepped over.
#[derive(Clone, Copy, Debug)]
struct Skip {
    /// Where the block starts in the content.
    at: u64,
    /// Bytes left before its second length.
    left: u64,
    /// What its second length must be.
    total: u32,
}

/// Packet blocks that made no sense.
#[derive(Clone, Copy, Debug)]
struct Skipped {
    at: u64,
    count: u64,
    what: &'static str,
}

/// The reader of one pcapng file.
#[derive(Debug, Default)]
pub(super) struct Ng {
    big_endian: bool,
    section: Vec<Local>,
    interfaces: Vec<Interface>,
    changed: bool,
    statistics: Vec<InterfaceStatistics>,
    /// What packets said was lost before them, by interface.
    lost: Vec<u64>,
    any_statistics: bool,
    skip: Option<Skip>,
    skipped: Option<Skipped>,
}

/// What one block came to.
enum Outcome {
    Done,
    /// This packet block makes no sense, but its length does.
    Skipped(&'static str),
    Stop(Stop),
}

impl Ng {
    /// The interfaces, if any was added since the last call.
    pub(super) fn changed_interfaces(&mut self) -> Option<Arc<[Interface]>> {
        std::mem::take(&mut self.changed).then(|| Arc::from(self.interfaces.as_slice()))
    }

    /// What the interface statistics blocks said, and the packets of what was
    /// lost before them; empty if nothing was said.
    ///
    /// Both count the same losses, so that the greater sum holds. Packets do
    /// not say who lost what; it counts as the system's.
    pub(super) fn statistics(&self) -> Vec<InterfaceStatistics> {
        if !self.any_statistics {
            return Vec::new();
        }
        let joined = |(s, lost): (&InterfaceStatistics, &u64)| InterfaceStatistics {
            dropped_kernel: s.dropped_kernel.max(lost.saturating_sub(s.dropped_interface)),
            ..*s
        };
        self.statistics.iter().zip(&self.lost).map(joined).collect()
    }

    /// Where the block starts that is being stepped over.
    pub(super) fn skipping(&self) -> Option<u64> {
        self.skip.map(|s| s.at)
    }

    /// The error for packet blocks that were left out, once.
    pub(super) fn take_skipped(&mut self) -> Option<CaptureError> {
        self.skipped.take().map(|s| CaptureError::BlocksSkipped { offset: s.at, count: s.count, what: s.what })
    }

    fn u16(&self, b: [u8; 2]) -> u16 {
        if self.big_endian { u16::from_be_bytes(b) } else { u16::from_le_bytes(b) }
    }

    #[inline]
    fn u32(&self, b: &[u8; 4]) -> u32 {
        if self.big_endian { u32::from_be_bytes(*b) } else { u32::from_le_bytes(*b) }
    }

    /// Describes the whole blocks from `pos` on and moves `pos` behind them.
    /// `base` is the offset of `buf` in the content.
    pub(super) fn scan(&mut self, buf: &[u8], base: u64, pos: &mut usize, frames: &mut Vec<FrameMeta>) -> Stop {
        loop {
            if let Some(stop) = self.step_over(buf, pos) {
                return stop;
            }
            let rest = buf.get(*pos..).unwrap_or_default();
            let Some(start) = rest.first_chunk::<12>() else { return Stop::More { need: 12 } };
            let ([kind, length, order], []) = start.as_chunks::<4>() else { return Stop::More { need: 12 } };
            let is_section = *kind == SECTION_HEADER;
            if is_section {
                match u32::from_be_bytes(*order) {
                    0x1a2b_3c4d => self.big_endian = true,
                    0x4d3c_2b1a => self.big_endian = false,
                    _ => return Stop::Damage("a section header without a byte order".to_owned()),
                }
            }
            let total = self.u32(length);
            let kind = self.u32(kind);
            let least = if is_section { 28 } else { 12 };
            if total < least {
                return Stop::Damage(format!("a block of {total} bytes, which is impossible"));
            }
            let known = is_section
                || matches!(
                    kind,
                    INTERFACE_DESCRIPTION | PACKET | SIMPLE_PACKET | INTERFACE_STATISTICS | ENHANCED_PACKET
                );
            if known && total > MOST_BLOCK {
                return Stop::Damage(format!("a block of {total} bytes, more than any writer makes"));
            }
            let Some(block) = rest.get(..total as usize) else {
                if known {
                    return Stop::More { need: total as usize };
                }
                let at = base.saturating_add(*pos as u64);
                self.skip = Some(Skip { at, left: u64::from(total).saturating_sub(4), total });
                continue;
            };
            let size = match self.size(rest, block, total) {
                Ok(size) => size,
                Err(stop) => return stop,
            };
            let body = block.get(8..block.len().saturating_sub(4)).unwrap_or_default();
            let outcome = match kind {
                ENHANCED_PACKET => self.enhanced(body, *pos, frames),
                _ if is_section => self.section(body),
                INTERFACE_DESCRIPTION => self.interface(body),
                INTERFACE_STATISTICS => self.interface_statistics(body),
                SIMPLE_PACKET => self.simple(body, *pos, frames),
                PACKET => self.packet(body, *pos, frames),
                _ => Outcome::Done,
            };
            match outcome {
                Outcome::Done => {}
                Outcome::Skipped(what) => {
                    let at = base.saturating_add(*pos as u64);
                    let skipped = self.skipped.get_or_insert(Skipped { at, count: 0, what });
                    skipped.count = skipped.count.saturating_add(1);
                }
                Outcome::Stop(stop) => return stop,
            }
            *pos = pos.saturating_add(size);
        }
    }

    /// Goes on with a block that is being stepped over. `None` when there is
    /// none, or no longer.
    fn step_over(&mut self, buf: &[u8], pos: &mut usize) -> Option<Stop> {
        let mut skip = self.skip?;
        let have = buf.len().saturating_sub(*pos);
        let n = usize::try_from(skip.left).unwrap_or(usize::MAX).min(have);
        *pos = pos.saturating_add(n);
        skip.left = skip.left.saturating_sub(n as u64);
        self.skip = Some(skip);
        if skip.left > 0 {
            return Some(Stop::More { need: 1 });
        }
        let Some(again) = buf.get(*pos..).and_then(|r| r.first_chunk::<4>()) else {
            return Some(Stop::More { need: 4 });
        };
        if self.u32(again) != skip.total {
            return Some(Stop::Damage("the two lengths of a block differ".to_owned()));
        }
        *pos = pos.saturating_add(4);
        self.skip = None;
        None
    }

    /// The bytes a block takes: its length, which must be there twice. A
    /// length that is no multiple of four may count the padding or not, since
    /// some writers leave it out.
    #[inline]
    fn size(&self, rest: &[u8], block: &[u8], total: u32) -> Result<usize, Stop> {
        let differ = || Stop::Damage("the two lengths of a block differ".to_owned());
        if block.last_chunk::<4>().map(|b| self.u32(b)) == Some(total) {
            return Ok(block.len());
        }
        let padded = block.len().next_multiple_of(4);
        if padded == block.len() {
            return Err(differ());
        }
        match rest.get(..padded) {
            None => Err(Stop::More { need: padded }),
            Some(block) if block.last_chunk::<4>().map(|b| self.u32(b)) == Some(total) => Ok(padded),
            Some(_) => Err(differ()),
        }
    }

    /// Section 4.1: byte order, version, section length, options.
    fn section(&mut self, body: &[u8]) -> Outcome {
        let Some(&[_, _, _, _, m0, m1, n0, n1]) = body.first_chunk::<8>() else { return Outcome::Done };
        let (major, minor) = (self.u16([m0, m1]), self.u16([n0, n1]));
        if major != 1 {
            return Outcome::Stop(Stop::Version { major, minor });
        }
        self.section.clear();
        Outcome::Done
    }

    /// Section 4.2: link type, reserved, snap length, options.
    fn interface(&mut self, body: &[u8]) -> Outcome {
        let Some((&[l0, l1, _, _, s0, s1, s2, s3], rest)) = body.split_first_chunk::<8>() else {
            return Outcome::Stop(Stop::Damage("an interface description that is too short".to_owned()));
        };
        let Ok(index) = u16::try_from(self.interfaces.len()) else {
            return Outcome::Stop(Stop::Damage("more than 65536 interfaces".to_owned()));
        };
        let snaplen = self.u32(&[s0, s1, s2, s3]);
        let mut clock = Clock::default();
        let mut name = String::new();
        for (code, value) in Options::new(rest, self.big_endian) {
            match (code, value) {
                (2, value) => name = text(value),
                (9, &[resolution, ..]) => clock.set_resolution(resolution),
                (14, value) => {
                    if let Some(b) = value.first_chunk::<8>() {
                        clock.set_offset(if self.big_endian { i64::from_be_bytes(*b) } else { i64::from_le_bytes(*b) });
                    }
                }
                _ => {}
            }
        }
        self.interfaces.push(Interface { name, link: LinkType(self.u16([l0, l1])), snaplen, file: None });
        self.statistics.push(InterfaceStatistics::default());
        self.lost.push(0);
        self.section.push(Local { index, clock, snaplen });
        self.changed = true;
        Outcome::Done
    }

    /// Section 4.6: interface, time, options with counts since the start of
    /// the capture, so that the last one of an interface holds.
    fn interface_statistics(&mut self, body: &[u8]) -> Outcome {
        let Some((head, rest)) = body.split_first_chunk::<12>() else { return Outcome::Done };
        let Some(local) = head.first_chunk::<4>().and_then(|id| self.section.get(self.u32(id) as usize)) else {
            return Outcome::Done;
        };
        let (index, big) = (usize::from(local.index), self.big_endian);
        let Some(statistics) = self.statistics.get_mut(index) else { return Outcome::Done };
        for (code, value) in Options::new(rest, big) {
            let Some(b) = value.first_chunk::<8>() else { continue };
            let n = if big { u64::from_be_bytes(*b) } else { u64::from_le_bytes(*b) };
            match code {
                4 => statistics.received = n,
                5 => statistics.dropped_interface = n,
                7 => statistics.dropped_kernel = n,
                _ => continue,
            }
            self.any_statistics = true;
        }
        Outcome::Done
    }

    /// Section 4.3: interface, time in two halves, captured and original
    /// length, frame, options.
    #[inline]
    fn enhanced(&mut self, body: &[u8], at: usize, frames: &mut Vec<FrameMeta>) -> Outcome {
        let Some(head) = body.first_chunk::<20>() else { return Outcome::Skipped("a packet block too short") };
        let ([id, high, low, caplen, orig_len], []) = head.as_chunks::<4>() else {
            return Outcome::Skipped("a packet block too short");
        };
        let ticks = u64::from(self.u32(high)) << 32 | u64::from(self.u32(low));
        let (id, caplen) = (self.u32(id), self.u32(caplen));
        let outcome = self.frame(body, at, id, ticks, caplen, self.u32(orig_len), frames);
        let options = (caplen as usize).next_multiple_of(4).saturating_add(20);
        if body.len() > options && matches!(outcome, Outcome::Done) {
            self.packet_options(id, body.get(options..).unwrap_or_default());
        }
        outcome
    }

    /// Section 4.3, `epb_dropcount`: packets lost between this one and the one
    /// before it of the same interface.
    fn packet_options(&mut self, id: u32, options: &[u8]) {
        let big = self.big_endian;
        for (code, value) in Options::new(options, big) {
            if let (4, Some(b)) = (code, value.first_chunk::<8>()) {
                self.lose(id, if big { u64::from_be_bytes(*b) } else { u64::from_le_bytes(*b) });
            }
        }
    }

    fn lose(&mut self, id: u32, n: u64) {
        let at = self.section.get(id as usize).map(|local| usize::from(local.index));
        if let Some(lost) = at.and_then(|at| self.lost.get_mut(at)) {
            *lost = lost.saturating_add(n);
            self.any_statistics |= n > 0;
        }
    }

    /// Appendix A: as the enhanced one, but the interface has 16 bits and a
    /// count of packets dropped before this one follows it, all ones where it
    /// is not known.
    fn packet(&mut self, body: &[u8], at: usize, frames: &mut Vec<FrameMeta>) -> Outcome {
        let Some(head) = body.first_chunk::<20>() else { return Outcome::Skipped("a packet block too short") };
        let ([id, high, low, caplen, orig_len], []) = head.as_chunks::<4>() else {
            return Outcome::Skipped("a packet block too short");
        };
        let [i0, i1, d0, d1] = *id;
        let (id, drops) = (u32::from(self.u16([i0, i1])), self.u16([d0, d1]));
        let ticks = u64::from(self.u32(high)) << 32 | u64::from(self.u32(low));
        let outcome = self.frame(body, at, id, ticks, self.u32(caplen), self.u32(orig_len), frames);
        if drops != u16::MAX && matches!(outcome, Outcome::Done) {
            self.lose(id, drops.into());
        }
        outcome
    }

    #[inline]
    #[allow(clippy::too_many_arguments)]
    fn frame(
        &self,
        body: &[u8],
        at: usize,
        id: u32,
        ticks: u64,
        caplen: u32,
        orig_len: u32,
        frames: &mut Vec<FrameMeta>,
    ) -> Outcome {
        let Some(local) = self.section.get(id as usize) else {
            return Outcome::Skipped("a packet of an interface that was not described before it");
        };
        if body.len().saturating_sub(20) < caplen as usize {
            return Outcome::Skipped("a packet longer than its block");
        }
        frames.push(FrameMeta {
            ts: local.clock.time(ticks),
            offset: at.saturating_add(28) as u32,
            caplen,
            orig_len,
            head: 28,
            interface: local.index,
        });
        Outcome::Done
    }

    /// Section 4.4: original length and frame, of the first interface. The
    /// captured length is the least of the original one, the snap length and
    /// what the block has. It has no time, which reads as the epoch.
    fn simple(&self, body: &[u8], at: usize, frames: &mut Vec<FrameMeta>) -> Outcome {
        let Some((orig_len, data)) = body.split_first_chunk::<4>() else {
            return Outcome::Skipped("a packet block too short");
        };
        let Some(local) = self.section.first() else {
            return Outcome::Skipped("a packet of an interface that was not described before it");
        };
        let orig_len = self.u32(orig_len);
        let limit = if local.snaplen == 0 { u32::MAX } else { local.snaplen };
        let caplen = orig_len.min(limit).min(data.len() as u32);
        frames.push(FrameMeta {
            ts: Timestamp(0),
            offset: at.saturating_add(12) as u32,
            caplen,
            orig_len,
            head: 12,
            interface: local.index,
        });
        Outcome::Done
    }
}

/// A name as text, cut to a sane length.
fn text(value: &[u8]) -> String {
    let value = value.get(..value.len().min(MOST_NAME)).unwrap_or_default();
    let end = value.iter().position(|b| *b == 0).unwrap_or(value.len());
    String::from_utf8_lossy(value.get(..end).unwrap_or_default()).into_owned()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests;
