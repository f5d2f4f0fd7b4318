//! Frames of any link type.

use super::wire::{Input, payload};
use spansight::base::Timestamp;
use spansight::capture::LinkType;
use spansight::packet::{Decoder, Options};

/// Frames, each behind its length, on one of the link types that are decoded.
pub fn packet(data: &[u8]) {
    let mut input = Input(data);
    let supported: Vec<LinkType> = (0..=300).map(LinkType).filter(|l| Decoder::supports(*l)).collect();
    let link = supported[usize::from(input.u8()) % supported.len()];
    let mut decoder = Decoder::new(Options { ignore_vlan: input.u8() & 1 == 1 });
    let mut ts = Timestamp(0);
    while !input.is_empty() {
        let length = usize::from(input.u16());
        let frame = input.take(length);
        let orig_len = (frame.len() as u32).saturating_add(u32::from(input.u8() & 3));
        ts = ts.plus(i64::from(input.u8()) << 24);
        decoder.clear_arena();
        if let Ok(p) = decoder.decode(link, frame, orig_len, 0, ts) {
            let buffer = if p.in_arena { decoder.arena() } else { frame };
            assert!(buffer.len() >= payload(&p, buffer).len());
            assert!(!decoder.encaps().get(p.encap).segment.contains('\n'));
        }
        if let Some(n) = decoder.take_notice() {
            assert!((n.offset as usize).saturating_add(n.len as usize) <= frame.len(), "a notice lies in its frame");
        }
        for (_, n) in decoder.side_counts() {
            assert!(n < 1 << 20, "one frame counts little");
        }
    }
}
