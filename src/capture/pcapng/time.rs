//! Timestamps in the units that an interface chooses.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use crate::base::Timestamp;
use crate::base::time::SECOND;

/// How ticks become nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    /// A tick is so many nanoseconds.
    Nanos(u64),
    /// So many ticks are a nanosecond.
    Fraction(u64),
    /// 2^n ticks are a second, n up to 127.
    Binary(u32),
    /// Ticks so short that 64 bits of them are less than a nanosecond.
    Nothing,
}

/// The clock of one interface: `if_tsresol` and `if_tsoffset`
/// (draft-ietf-opsawg-pcapng section 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Clock {
    unit: Unit,
    /// Nanoseconds added to every timestamp.
    offset: i64,
}

impl Default for Clock {
    /// Microseconds, as the format has it where the option is missing.
    fn default() -> Self {
        Clock { unit: Unit::Nanos(1_000), offset: 0 }
    }
}

impl Clock {
    /// Sets the unit from the byte of `if_tsresol`: a negative power of 10,
    /// or of 2 if the highest bit is set.
    pub(super) fn set_resolution(&mut self, byte: u8) {
        let power = u32::from(byte & 0x7f);
        self.unit = if byte & 0x80 != 0 {
            Unit::Binary(power)
        } else {
            match (9_u32.checked_sub(power), power.saturating_sub(9)) {
                (Some(up), _) => Unit::Nanos(10_u64.saturating_pow(up)),
                (None, down) => 10_u64.checked_pow(down).map_or(Unit::Nothing, Unit::Fraction),
            }
        };
    }

    /// Sets the seconds of `if_tsoffset`.
    pub(super) fn set_offset(&mut self, seconds: i64) {
        self.offset = seconds.saturating_mul(SECOND);
    }

    /// The time of a 64-bit tick count; saturates.
    #[inline]
    pub(super) fn time(&self, ticks: u64) -> Timestamp {
        let nanos = match self.unit {
            Unit::Nanos(n) => ticks.saturating_mul(n),
            Unit::Fraction(n) => ticks.checked_div(n).unwrap_or(0),
            Unit::Binary(power) => {
                let scaled = u128::from(ticks).saturating_mul(1_000_000_000);
                u64::try_from(scaled.checked_shr(power).unwrap_or(0)).unwrap_or(u64::MAX)
            }
            Unit::Nothing => 0,
        };
        Timestamp(i64::try_from(nanos).unwrap_or(i64::MAX)).plus(self.offset)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::arithmetic_side_effects)]
mod tests {
    use super::*;

    fn time(resolution: u8, offset: i64, ticks: u64) -> i64 {
        let mut clock = Clock::default();
        clock.set_resolution(resolution);
        clock.set_offset(offset);
        clock.time(ticks).0
    }

    #[test]
    fn decimal_and_binary_units() {
        assert_eq!(Clock::default().time(1_700_000_000_123_456).0, 1_700_000_000_123_456_000);
        assert_eq!(time(6, 0, 1_700_000_000_123_456), 1_700_000_000_123_456_000);
        assert_eq!(time(9, 0, 1_700_000_000_123_456_789), 1_700_000_000_123_456_789);
        assert_eq!(time(0, 0, 1_700_000_000), 1_700_000_000 * SECOND);
        assert_eq!(time(12, 0, 1_500_999), 1_500);
        assert_eq!(time(0x80 | 20, 0, (1_700_000_000 << 20) | (1 << 19)), 1_700_000_000 * SECOND + SECOND / 2);
        assert_eq!(time(0x80, 0, 7), 7 * SECOND);
    }

    #[test]
    fn offsets_move_the_time() {
        assert_eq!(time(6, 1_000_000_000, 5), 1_000_000_000 * SECOND + 5_000);
        assert_eq!(time(6, -1, 0), -SECOND);
        assert_eq!(time(6, i64::MIN, 0), i64::MIN);
    }

    #[test]
    fn silly_values_saturate() {
        assert_eq!(time(127, 0, u64::MAX), 0);
        assert_eq!(time(28, 0, u64::MAX), 1);
        assert_eq!(time(29, 0, u64::MAX), 0);
        assert_eq!(time(0xff, 0, u64::MAX), 0);
        assert_eq!(time(0, 0, u64::MAX), i64::MAX);
        assert_eq!(time(0x80, i64::MAX, u64::MAX), i64::MAX);
    }
}
