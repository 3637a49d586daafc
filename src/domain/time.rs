//! Time as an argument: milliseconds since 1970, and RFC 3339 text. There is no `now` here.

use super::encoding::push_padded;

/// Milliseconds since 1970-01-01T00:00:00Z. Fits 48 bits until the year 10889.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

/// One second, minute, hour and day in milliseconds.
pub const SECOND_MS: u64 = 1_000;
/// 60 seconds.
pub const MINUTE_MS: u64 = 60 * SECOND_MS;
/// 60 minutes.
pub const HOUR_MS: u64 = 60 * MINUTE_MS;
/// 24 hours.
pub const DAY_MS: u64 = 24 * HOUR_MS;

/// The largest time that the click_id's six bytes hold.
const MAX_MS: u64 = (1 << 48) - 1;

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);

    /// A time from Unix milliseconds; what does not fit 48 bits is clamped.
    pub fn from_ms(ms: u64) -> Self {
        Self(ms.min(MAX_MS))
    }

    /// Unix milliseconds.
    pub fn ms(self) -> u64 {
        self.0
    }

    /// Unix seconds, rounded down.
    pub fn seconds(self) -> u64 {
        self.0 / SECOND_MS
    }

    /// Milliseconds since `earlier`; zero if that is later.
    pub fn ms_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// This time plus some milliseconds.
    pub fn plus_ms(self, ms: u64) -> Self {
        Self::from_ms(self.0.saturating_add(ms))
    }

    /// RFC 3339 with milliseconds in UTC: `2026-11-21T09:30:00.000Z`.
    pub fn to_rfc3339(self) -> String {
        let days = (self.0 / DAY_MS) as i64;
        let in_day = self.0 % DAY_MS;
        let (year, month, day) = civil_from_days(days);
        let (hour, minute) = (in_day / HOUR_MS, in_day / MINUTE_MS % 60);
        let (second, ms) = (in_day / SECOND_MS % 60, in_day % SECOND_MS);
        let mut text = String::with_capacity(24);
        // Replies and explanations are full of times; formatting each would take ten times as long.
        let parts = [
            (year.unsigned_abs(), 4, '-'),
            (month.unsigned_abs(), 2, '-'),
            (day.unsigned_abs(), 2, 'T'),
            (hour, 2, ':'),
            (minute, 2, ':'),
            (second, 2, '.'),
            (ms, 3, 'Z'),
        ];
        for (number, width, end) in parts {
            push_padded(&mut text, number, width);
            text.push(end);
        }
        text
    }

    /// Reads RFC 3339 (any offset) or Unix seconds (digits only).
    pub fn parse(text: &str) -> Option<Self> {
        if !text.is_empty() && text.len() <= 12 && text.bytes().all(|b| b.is_ascii_digit()) {
            let seconds: u64 = text.parse().ok()?;
            return Some(Self(seconds.checked_mul(SECOND_MS)?)).filter(|t| t.0 <= MAX_MS);
        }
        parse_rfc3339(text)
    }
}

/// Days since 1970 → (year, month, day), by Howard Hinnant's `civil_from_days`
/// (<https://howardhinnant.github.io/date_algorithms.html>).
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// (year, month, day) → days since 1970, the inverse of [`civil_from_days`].
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted_month = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

fn parse_rfc3339(text: &str) -> Option<Timestamp> {
    let (date, rest) = text.split_once(['T', 't', ' '])?;
    let mut date_parts = date.split('-');
    let year = digits(date_parts.next()?, 4)?;
    let month = digits(date_parts.next()?, 2)?;
    let day = digits(date_parts.next()?, 2)?;
    if date_parts.next().is_some() || !(1..=12).contains(&month) {
        return None;
    }
    let days = days_from_civil(year, month, day);
    // A day that does not exist (30 February) does not come back as itself.
    if civil_from_days(days) != (year, month, day) {
        return None;
    }

    let (clock, offset_minutes) = if let Some(clock) = rest.strip_suffix(['Z', 'z']) {
        (clock, 0)
    } else {
        let at = rest.rfind(['+', '-'])?;
        let (clock, offset) = rest.split_at_checked(at)?;
        let sign = if offset.starts_with('-') { -1 } else { 1 };
        let (hours, minutes) = offset.get(1..)?.split_once(':')?;
        let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
        if hours > 23 || minutes > 59 {
            return None;
        }
        (clock, sign * (hours * 60 + minutes))
    };
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let mut clock_parts = clock.split(':');
    let hour = digits(clock_parts.next()?, 2)?;
    let minute = digits(clock_parts.next()?, 2)?;
    let second = digits(clock_parts.next()?, 2)?;
    if clock_parts.next().is_some() || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    if fraction.is_empty() || fraction.len() > 9 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let millis: i64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    let seconds = days * 86_400 + hour * 3_600 + minute * 60 + second - offset_minutes * 60;
    let ms = u64::try_from(seconds * 1_000 + millis).ok()?;
    (ms <= MAX_MS).then_some(Timestamp(ms))
}

fn digits(text: &str, width: usize) -> Option<i64> {
    (text.len() == width && text.bytes().all(|b| b.is_ascii_digit()))
        .then(|| text.parse().ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc3339_is_read_with_any_offset_and_written_in_utc() {
        let written = |text: &str| Timestamp::parse(text).map(Timestamp::to_rfc3339);
        assert_eq!(written("2026-11-21T09:30:00Z").unwrap(), "2026-11-21T09:30:00.000Z");
        assert_eq!(written("2026-11-21T09:30:00.5+02:00").unwrap(), "2026-11-21T07:30:00.500Z");
        assert_eq!(written("2024-02-29T23:59:59-00:30").unwrap(), "2024-03-01T00:29:59.000Z");
        assert_eq!(written("1763717400").unwrap(), "2025-11-21T09:30:00.000Z");
    }

    #[test]
    fn what_is_not_a_time_is_refused() {
        for text in [
            "",
            "now",
            "2026-02-30T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-11-21",
            "2026-11-21T25:00:00Z",
            "2026-11-21T09:30:00",
            "-5",
            "1e9",
            "99999999999999",
            "2026-11-21T09:30:00.Z",
            "1960-01-01T00:00:00Z",
            "2026-11-21T09:30:00+1:00",
        ] {
            assert_eq!(Timestamp::parse(text), None, "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn every_time_survives_being_written_and_read(ms in 0u64..253_402_300_800_000) {
            let time = Timestamp::from_ms(ms);
            proptest::prop_assert_eq!(Timestamp::parse(&time.to_rfc3339()), Some(time));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,40}") {
            let _ = Timestamp::parse(&text);
        }
    }
}
