//! The words of a line in the very form in which this program writes records.
//! Whatever is in another form, sound or not, is `None`.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::super::packed;
use crate::base::time::{DAY_SECS, SECOND};
use crate::base::{Addr, Channel, Mac, Timestamp};

/// What is left of a line.
pub(super) struct Cursor<'a>(pub(super) &'a [u8]);

impl<'a> Cursor<'a> {
    /// Reads that and nothing else.
    #[inline]
    pub(super) fn skip(&mut self, word: &[u8]) -> Option<()> {
        self.0 = self.0.strip_prefix(word)?;
        Some(())
    }

    /// The next byte.
    #[inline]
    pub(super) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// A string of printable ASCII without escapes.
    #[inline]
    pub(super) fn text(&mut self) -> Option<&'a str> {
        let rest = self.0.strip_prefix(b"\"")?;
        let end = memchr::memchr(b'"', rest)?;
        let (text, rest) = rest.split_at_checked(end)?;
        self.0 = rest.get(1..)?;
        let plain = text.iter().fold(true, |ok, b| ok & matches!(b, b' '..=b'~') & (*b != b'\\'));
        if !plain {
            return None;
        }
        std::str::from_utf8(text).ok()
    }

    /// A string behind a word.
    #[inline]
    pub(super) fn after(&mut self, word: &[u8]) -> Option<&'a str> {
        self.skip(word)?;
        self.text()
    }

    /// A string that may be left out; `None` if it is there and cannot be read.
    #[inline]
    pub(super) fn optional(&mut self, word: &[u8]) -> Option<Option<&'a str>> {
        match self.skip(word) {
            Some(()) => self.text().map(Some),
            None => Some(None),
        }
    }

    /// Strings that rise, in brackets.
    #[inline]
    pub(super) fn sorted(&mut self, mut each: impl FnMut(&'a str)) -> Option<()> {
        self.skip(b"[")?;
        if self.skip(b"]").is_some() {
            return Some(());
        }
        let mut before = None;
        loop {
            let text = self.text()?;
            if before.replace(text).is_some_and(|b| b >= text) {
                return None;
            }
            each(text);
            match self.byte()? {
                b',' => {}
                b']' => return Some(()),
                _ => return None,
            }
        }
    }

    /// A number as JSON writes it, of so few digits that it fits.
    #[inline]
    pub(super) fn number(&mut self) -> Option<u64> {
        let digits = self.0.iter().take(19).take_while(|b| b.is_ascii_digit()).count();
        let (text, rest) = self.0.split_at_checked(digits)?;
        let plain = matches!(text, [b'0'] | [b'1'..=b'9', ..]) && !rest.first().is_some_and(u8::is_ascii_digit);
        self.0 = rest;
        // A fraction or an exponent would follow.
        let ends = matches!(rest, [b',' | b'}' | b']', ..]);
        (plain && ends).then(|| text.iter().fold(0, |n: u64, d| n.wrapping_mul(10).wrapping_add(u64::from(d & 0xf))))
    }

    /// So many bytes in lower-case hexadecimal digits.
    #[inline]
    pub(super) fn hex<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (text, rest) = self.0.split_at_checked(N.checked_mul(2)?)?;
        self.0 = rest;
        let digit = |c: u8| match c {
            b'0'..=b'9' => c & 0xf,
            b'a'..=b'f' => c.wrapping_sub(b'a').wrapping_add(10),
            _ => 0xff,
        };
        let (mut out, mut bad) = ([0; N], 0);
        for (byte, pair) in out.iter_mut().zip(text.as_chunks::<2>().0) {
            let [high, low] = pair.map(digit);
            bad |= (high | low) & 0xf0;
            *byte = high << 4 | low;
        }
        (bad == 0).then_some(out)
    }
}

/// The channels of a record, rising, as a store packs them.
pub(super) fn channels(c: &mut Cursor<'_>) -> Option<u32> {
    c.skip(b",\"channels\":[")?;
    let (mut bits, mut before) = (0, None);
    loop {
        let word = c.text()?;
        let channel = *Channel::ALL.iter().find(|k| k.as_str() == word)?;
        if before.replace(channel).is_some_and(|b| b >= channel) {
            return None;
        }
        bits |= 1 << packed::channel_bit(channel);
        match c.byte()? {
            b',' => {}
            b']' => return Some(bits),
            _ => return None,
        }
    }
}

pub(super) fn servers(c: &mut Cursor<'_>, mut each: impl FnMut(Addr, u16, bool)) -> Option<()> {
    if c.skip(b"]").is_some() {
        return Some(());
    }
    let mut before = None;
    loop {
        let ip: Addr = c.after(b"{\"ip\":")?.parse().ok()?;
        c.skip(b",\"port\":")?;
        let port = u16::try_from(c.number()?).ok()?;
        let udp = match c.after(b",\"transport\":")? {
            "tcp" => false,
            "udp" => true,
            _ => return None,
        };
        c.skip(b"}")?;
        if before.replace((ip, port, udp)).is_some_and(|b| b >= (ip, port, udp)) {
            return None;
        }
        each(ip, port, udp);
        match c.byte()? {
            b',' => {}
            b']' => return Some(()),
            _ => return None,
        }
    }
}

/// A hardware address in the form in which it is hashed: lower case.
pub(super) fn mac(text: &str) -> Option<Mac> {
    let mac: Mac = text.parse().ok()?;
    (!text.bytes().any(|b| b.is_ascii_uppercase())).then_some(mac)
}

/// A time of that day in UTC with no more digits than it needs.
pub(super) fn time(text: &str, period: &str, day: i32) -> Option<Timestamp> {
    let rest = text.as_bytes().strip_prefix(period.as_bytes())?;
    let (&[b'T', h1, h2, b':', m1, m2, b':', s1, s2], rest) = rest.split_first_chunk::<9>()? else { return None };
    let two = |a: u8, b: u8, below: i64| -> Option<i64> {
        let digit = |c: u8| c.is_ascii_digit().then(|| i64::from(c & 0xf));
        let n = digit(a)?.wrapping_mul(10).wrapping_add(digit(b)?);
        (n < below).then_some(n)
    };
    let secs = two(h1, h2, 24)?.wrapping_mul(3600).wrapping_add(two(m1, m2, 60)?.wrapping_mul(60));
    let secs = secs.wrapping_add(two(s1, s2, 60)?);
    let nanos = match rest {
        b"Z" => 0,
        [b'.', digits @ .., b'Z'] if matches!(digits.len(), 3 | 6 | 9) && digits.iter().all(u8::is_ascii_digit) => {
            let read = digits.iter().fold(0i64, |n, d| n.wrapping_mul(10).wrapping_add(i64::from(d & 0xf)));
            let unit = match digits.len() {
                3 => 1_000_000,
                6 => 1_000,
                _ => 1,
            };
            read.wrapping_mul(unit)
        }
        _ => return None,
    };
    let start = i64::from(day).checked_mul(DAY_SECS)?.checked_add(secs)?;
    // Near the ends of what fits, the slower way decides.
    Some(Timestamp(start.checked_mul(SECOND)?.checked_add(nanos)?))
}
