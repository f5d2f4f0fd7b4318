//! Packet time.

use std::fmt;

/// Nanoseconds in a second.
pub const SECOND: i64 = 1_000_000_000;
/// Seconds in a quarter hour, the unit in which contacts and coverage are kept.
pub const QUARTER_SECS: i64 = 900;
/// Seconds in a UTC day.
pub const DAY_SECS: i64 = 86_400;
/// Quarter hours in a UTC day.
pub const DAY_QUARTERS: i64 = DAY_SECS / QUARTER_SECS;

/// A packet's time: nanoseconds since 1970-01-01T00:00:00Z, without leap
/// seconds. Covers the years 1677 to 2262, so every 32-bit capture timestamp.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// From seconds and nanoseconds, which may exceed one second; saturates.
    pub fn from_parts(secs: i64, nanos: i64) -> Self {
        Timestamp(secs.saturating_mul(SECOND).saturating_add(nanos))
    }

    /// The current wall clock. Only live capture and run records use it.
    pub fn now() -> Self {
        match std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH) {
            Ok(d) => Timestamp(i64::try_from(d.as_nanos()).unwrap_or(i64::MAX)),
            Err(_) => Timestamp(0),
        }
    }

    /// Whole seconds since the epoch, rounded down.
    pub fn secs(self) -> i64 {
        self.0.div_euclid(SECOND)
    }

    /// Nanoseconds within the second.
    pub fn subsec_nanos(self) -> u32 {
        u32::try_from(self.0.rem_euclid(SECOND)).unwrap_or(0)
    }

    /// Quarter hours since the epoch.
    pub fn quarter(self) -> i64 {
        self.secs().div_euclid(QUARTER_SECS)
    }

    /// Whether it lies in that quarter hour, which costs less than asking in
    /// which one it lies. `false` for times of the quarter hour that begins
    /// before the earliest timestamp.
    #[inline]
    pub fn is_in_quarter(self, quarter: i32) -> bool {
        const QUARTER: i64 = QUARTER_SECS * SECOND;
        let from = i64::from(quarter).checked_mul(QUARTER);
        from.is_some_and(|from| (0..QUARTER).contains(&self.0.saturating_sub(from)))
    }

    /// Days since the epoch.
    pub fn day(self) -> i64 {
        self.secs().div_euclid(DAY_SECS)
    }

    /// The quarter hour of the UTC day, 0 to 95.
    pub fn slot(self) -> u8 {
        u8::try_from(self.secs().rem_euclid(DAY_SECS) / QUARTER_SECS).unwrap_or(0)
    }

    /// `self - earlier` in nanoseconds, saturating; negative if time went back.
    pub fn since(self, earlier: Timestamp) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Moves the time by `nanos`, saturating.
    pub fn plus(self, nanos: i64) -> Self {
        Timestamp(self.0.saturating_add(nanos))
    }

    /// Reads an RFC 3339 time (`2026-03-01T10:00:00Z`) or a date
    /// (`2026-03-01`, its first nanosecond in UTC). `None` if it is neither.
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(t) = text.parse::<jiff::Timestamp>() {
            return i64::try_from(t.as_nanosecond()).ok().map(Timestamp);
        }
        parse_day(text).map(|d| Timestamp::from_parts(d.saturating_mul(DAY_SECS), 0))
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with as many digits as the time needs: none, three, six
    /// or nine.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = self.day();
        let of_day = self.secs().rem_euclid(DAY_SECS);
        let (y, m, d) = civil(days);
        let (h, min, s) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
        write!(f, "{y:04}-{m:02}-{d:02}T{h:02}:{min:02}:{s:02}")?;
        let n = self.subsec_nanos();
        if n == 0 {
        } else if n.is_multiple_of(1_000_000) {
            write!(f, ".{:03}", n / 1_000_000)?;
        } else if n.is_multiple_of(1_000) {
            write!(f, ".{:06}", n / 1_000)?;
        } else {
            write!(f, ".{n:09}")?;
        }
        f.write_str("Z")
    }
}

impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        Timestamp::parse(&text).ok_or_else(|| serde::de::Error::custom("not an RFC 3339 time"))
    }
}

/// Year, month and day of a day number, by the algorithm of the proleptic
/// Gregorian calendar with years that start in March.
fn civil(days: i64) -> (i64, i64, i64) {
    let z = days.saturating_add(719_468);
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let d = doy - (153 * mp + 2) / 5 + 1;
    let m = if mp < 10 { mp + 3 } else { mp - 9 };
    let y = yoe + era * 400 + i64::from(m <= 2);
    (y, m, d)
}

/// A day number as `YYYY-MM-DD`.
pub fn format_day(day: i64) -> String {
    let (y, m, d) = civil(day);
    format!("{y:04}-{m:02}-{d:02}")
}

/// The day number of `YYYY-MM-DD`; `None` if it is no such date.
pub fn parse_day(text: &str) -> Option<i64> {
    let date: jiff::civil::Date = text.parse().ok()?;
    if text.len() != 10 {
        return None;
    }
    let t = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
    Some(t.as_second().div_euclid(DAY_SECS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_rfc_3339_with_the_digits_it_needs() {
        assert_eq!(Timestamp(0).to_string(), "1970-01-01T00:00:00Z");
        assert_eq!(Timestamp(-1).to_string(), "1969-12-31T23:59:59.999999999Z");
        assert_eq!(Timestamp::from_parts(1_709_164_800, 120_000_000).to_string(), "2024-02-29T00:00:00.120Z");
        assert_eq!(Timestamp::from_parts(u32::MAX.into(), 1_000).to_string(), "2106-02-07T06:28:15.000001Z");
    }

    #[test]
    fn quarters_hold_their_times() {
        const QUARTER: i64 = QUARTER_SECS * SECOND;
        for ts in [
            i64::MIN + QUARTER,
            -QUARTER - 1,
            -QUARTER,
            -1,
            0,
            1,
            QUARTER - 1,
            QUARTER,
            1_709_164_800 * SECOND,
            i64::MAX,
        ] {
            let (ts, quarter) = (Timestamp(ts), Timestamp(ts).quarter() as i32);
            for other in [i32::MIN, quarter - 1, quarter, quarter + 1, i32::MAX] {
                assert_eq!(ts.is_in_quarter(other), other == quarter, "{} {other}", ts.0);
            }
        }
    }

    #[test]
    fn agrees_with_jiff_over_all_days() {
        for day in (-100_000..100_000).step_by(37) {
            assert_eq!(parse_day(&format_day(day)), Some(day));
        }
    }

    #[test]
    fn parses_times_and_dates() {
        let t = Timestamp::parse("2026-03-01T10:00:00.5Z").unwrap();
        assert_eq!(t.to_string(), "2026-03-01T10:00:00.500Z");
        assert_eq!(Timestamp::parse("2026-03-01").unwrap().slot(), 0);
        assert_eq!(Timestamp::parse("2026-03-01T23:59:59Z").unwrap().slot(), 95);
        assert_eq!(Timestamp::parse("yesterday"), None);
        assert_eq!(Timestamp::parse("2026-13-01"), None);
        for text in ["2026-W09-7", "20260301T1", "2026-3-001", "+2026-3-01", "02026-3-01", "2026/03/01"] {
            assert_eq!(parse_day(text), None, "a day has one form: {text}");
        }
    }
}
