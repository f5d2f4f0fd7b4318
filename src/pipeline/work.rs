//! A batch of frames with the segments found in it, dealt to the workers.

use super::SHARDS;
use crate::base::Addr;
use crate::capture::Batch;
use crate::flow::{Claim, first_is_client, sender_is_client};
use crate::packet::Packet;
use crate::packet::plain::Pair;
use crate::sighting::HomeNets;
use std::time::Instant;

/// A segment for one shard.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    pub(super) packet: Packet,
    /// Index of its frame in the batch.
    pub(super) frame: u32,
    pub(super) segment: u32,
    /// The shard, by its place among those of its worker.
    pub(super) place: u8,
}

/// Where a shard is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Route {
    /// Its worker.
    pub(super) worker: u8,
    /// Its place among the shards of the worker.
    pub(super) place: u8,
}

impl Route {
    /// The ways to all shards, by their numbers.
    pub(super) fn all(workers: usize) -> [Route; SHARDS] {
        std::array::from_fn(|shard| Route { worker: (shard % workers) as u8, place: (shard / workers) as u8 })
    }
}

/// What is said of who has an address, for the shard of that address.
#[derive(Clone, Debug)]
pub(super) struct Said {
    pub(super) claim: Claim,
    /// Index of its frame in the batch.
    pub(super) frame: u32,
    pub(super) segment: u32,
    /// The shard, by its place among those of its worker.
    pub(super) place: u8,
}

/// Room for what is said that a batch keeps from one use to the next.
const SAID_ROOM: usize = 256;

/// What the reader hands to the workers and the hasher.
#[derive(Debug)]
pub(super) struct Work {
    /// Counts the batches of a run.
    pub(super) number: u64,
    pub(super) source: u32,
    /// The source begins, and does not go on from the one before.
    pub(super) begins_anew: bool,
    pub(super) batch: Batch,
    /// Payloads of reassembled datagrams.
    pub(super) arena: Vec<u8>,
    /// By worker.
    pub(super) lists: Vec<Vec<Item>>,
    /// By worker, in order of frames.
    pub(super) said: Vec<Vec<Said>>,
    /// When the batch had been read.
    pub(super) read_at: Instant,
    /// Whether the workers are to hand on what they found, or may gather more
    /// of the source first.
    pub(super) report: bool,
}

impl Work {
    pub(super) fn new(workers: usize) -> Self {
        Work {
            number: 0,
            source: 0,
            begins_anew: false,
            batch: Batch::default(),
            arena: Vec::new(),
            lists: vec![Vec::new(); workers],
            said: vec![Vec::new(); workers],
            read_at: Instant::now(),
            report: true,
        }
    }

    pub(super) fn clear(&mut self) {
        self.begins_anew = false;
        self.arena.clear();
        for list in &mut self.lists {
            list.clear();
        }
        // Few frames say anything; a flood's room is not kept.
        for said in &mut self.said {
            said.clear();
            said.shrink_to(SAID_ROOM);
        }
    }
}

/// The shard of a segment: by its client, whichever direction it goes and
/// wherever it was captured, so that the copies of a routed packet meet.
pub(super) fn shard(p: &Packet, home: &HomeNets) -> usize {
    shard_of(if sender_is_client(p, |a| home.contains(a)) { &p.src } else { &p.dst })
}

/// The same with the addresses at hand as numbers.
#[inline(always)]
pub(super) fn shard_of_pair(pair: Pair, (sport, dport): (u16, u16), home: &HomeNets) -> usize {
    match pair {
        Pair::V4 { src, dst } => {
            let at_home = (home.holds_v4(src), home.holds_v4(dst));
            let from_client = first_is_client((src, sport), (dst, dport), at_home);
            shard_of_half(0xffff_0000_0000 | u64::from(if from_client { src } else { dst }))
        }
        Pair::V6 { src, dst } => {
            let (src, dst) = (Addr(src.to_be_bytes()), Addr(dst.to_be_bytes()));
            let at_home = (home.contains(&src), home.contains(&dst));
            let from_client = first_is_client((src, sport), (dst, dport), at_home);
            shard_of(if from_client { &src } else { &dst })
        }
    }
}

/// The shard of a client. A multiplicative hash without a secret: the same
/// address meets the same shard in every run.
pub(super) fn shard_of(client: &Addr) -> usize {
    let bits = client.bits();
    shard_of_half((bits >> 64) as u64 ^ bits as u64)
}

/// The same of both halves of its address, one laid over the other.
#[inline]
fn shard_of_half(folded: u64) -> usize {
    let mixed = folded.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 32) as usize % SHARDS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::testing::blank;

    fn packet(src: &str, sport: u16, dst: &str, dport: u16) -> Packet {
        Packet { src: src.parse().unwrap(), sport, dst: dst.parse().unwrap(), dport, ..blank() }
    }

    #[test]
    fn a_clients_queries_and_flows_meet_in_both_directions() {
        let home = HomeNets::default();
        for client in 1..200 {
            let c = format!("10.0.0.{client}");
            let want = shard_of(&c.parse().unwrap());
            for p in [
                packet(&c, 40000, "10.0.0.53", 53),
                packet("10.0.0.53", 53, &c, 40000),
                packet(&c, 50000, "198.51.100.7", 443),
                packet("198.51.100.7", 443, &c, 50000),
                packet(&c, 53, "198.51.100.7", 60000),
            ] {
                assert_eq!(shard(&p, &home), want, "{p:?}");
            }
        }
        let (a, b) = (packet("10.0.0.1", 53, "10.0.0.2", 53), packet("10.0.0.2", 53, "10.0.0.1", 53));
        assert_eq!(shard(&a, &home), shard(&b, &home));
    }

    #[test]
    fn addresses_spread_over_the_shards() {
        let mut seen = [0u32; SHARDS];
        for i in 0..=255u8 {
            for j in 0..16u8 {
                seen[shard_of(&Addr::v4([10, 0, j, i]))] += 1;
            }
        }
        assert!(seen.iter().all(|n| (16..=160).contains(n)), "{seen:?}");
    }
}
