//! The order of the TCP options in a SYN, which tells systems apart.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::events::At;
use super::headers::Headers;
use crate::coverage::{Counter, Ledger};

/// Most options of a SYN that is looked at; the usual have nine at most.
const MAX_KINDS: usize = 16;
/// Orders told apart by one shard.
const MAX_ORDERS: usize = 64;

/// Kinds in order; the first `len` count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Order {
    kinds: [u8; MAX_KINDS],
    len: u8,
}

impl Order {
    /// The kinds of a SYN's options (RFC 9293 section 3.1): each a kind, and
    /// unless that is 0 (end) or 1 (no operation) a length, which counts both.
    /// `None` where a length does not fit or there are too many.
    fn of(mut options: &[u8]) -> Option<Self> {
        let mut order = Order::default();
        while let Some((kind, after)) = options.split_first() {
            *order.kinds.get_mut(usize::from(order.len))? = *kind;
            order.len = order.len.saturating_add(1);
            options = match kind {
                0 => &[],
                1 => after,
                _ => {
                    let len = usize::from(*after.first()?);
                    options.get(len..).filter(|_| len >= 2)?
                }
            };
        }
        Some(order)
    }

    fn kinds(&self) -> &[u8] {
        self.kinds.get(..usize::from(self.len)).unwrap_or(&[])
    }
}

/// The orders that a shard has met, so that a flow can hold one in a byte.
#[derive(Debug, Default)]
pub(super) struct Orders(Vec<Order>);

impl Orders {
    /// Most bytes of all orders.
    pub(super) const MOST_BYTES: usize = MAX_ORDERS * size_of::<Order>();

    /// The number of a SYN's order; 0 where it cannot be read or too many
    /// others are known.
    pub(super) fn of_syn(&mut self, at: &At<'_>, ledger: &mut Ledger) -> u8 {
        let headers = Headers::find(at.packet, at.payload, at.frame.bytes);
        let Some(h) = headers.and_then(|h| h.transport.split_at_checked(20)) else { return 0 };
        let (fixed, options) = h;
        let announced = fixed.get(12).map_or(0, |b| usize::from(b >> 4).saturating_mul(4));
        let whole = announced == options.len().saturating_add(20);
        let Some(order) = Order::of(options).filter(|o| whole && o.len > 0) else { return 0 };
        let known = self.0.iter().position(|o| *o == order);
        let at = known.unwrap_or_else(|| {
            if self.0.len() < MAX_ORDERS {
                self.0.push(order);
            }
            self.0.len().saturating_sub(1)
        });
        if self.0.get(at) != Some(&order) {
            ledger.count(Counter::SignalsRefused);
            return 0;
        }
        u8::try_from(at.saturating_add(1)).unwrap_or(0)
    }

    /// The kinds of an order; none for 0.
    pub(super) fn kinds(&self, number: u8) -> &[u8] {
        usize::from(number).checked_sub(1).and_then(|at| self.0.get(at)).map_or(&[], Order::kinds)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::*;

    fn kinds(options: &[u8]) -> Option<Vec<u8>> {
        Order::of(options).map(|o| o.kinds().to_vec())
    }

    #[test]
    fn orders_of_common_systems() {
        let linux = [2, 4, 5, 180, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 10];
        assert_eq!(kinds(&linux), Some(vec![2, 4, 8, 1, 3]));
        let windows = [2, 4, 5, 180, 1, 3, 3, 8, 1, 1, 4, 2];
        assert_eq!(kinds(&windows), Some(vec![2, 1, 3, 1, 1, 4]));
        let macos = [2, 4, 5, 180, 1, 3, 3, 6, 1, 1, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 4, 2, 0, 0];
        assert_eq!(kinds(&macos), Some(vec![2, 1, 3, 1, 1, 8, 4, 0]), "what is behind the end is padding");
        assert_eq!(kinds(&[]), Some(vec![]));
    }

    #[test]
    fn lengths_that_cannot_be() {
        for options in [&[2][..], &[2, 0, 0, 0], &[2, 1, 1, 1], &[2, 9, 1, 1], &[1, 1, 1, 3], &[1; 17]] {
            assert_eq!(kinds(options), None, "{options:?}");
        }
        assert_eq!(kinds(&[1; 16]).unwrap().len(), 16);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes(options: Vec<u8>) {
            if let Some(order) = Order::of(&options) {
                assert!(order.kinds().len() <= options.len());
            }
        }
    }
}
