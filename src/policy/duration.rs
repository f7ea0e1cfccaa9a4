//! Durations as keys and budgets spell them (`30d`, `1mo`, `weekly`), and the instants they lead to.
//!
//! Instants are milliseconds since the Unix epoch; calendar days, weeks and months are those of UTC.

use std::fmt;
use std::str::FromStr;

use time::{Date, Duration, Month, OffsetDateTime, Time};

/// Longer spans are refused: no expiry or reset could be told apart from "never".
const LONGEST_YEARS: u64 = 1_000;

const MS_PER_SECOND: i64 = 1_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Unit {
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
}

impl Unit {
    const fn suffix(self) -> &'static str {
        match self {
            Self::Second => "s",
            Self::Minute => "m",
            Self::Hour => "h",
            Self::Day => "d",
            Self::Week => "w",
            Self::Month => "mo",
        }
    }

    /// A month counts as 30 days here: good enough to bound a span.
    const fn seconds(self) -> u64 {
        match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 3_600,
            Self::Day => 86_400,
            Self::Week => 7 * 86_400,
            Self::Month => 30 * 86_400,
        }
    }
}

/// A positive length of time, at most a thousand years: `<int><unit>` with unit s, m, h, d, w or mo,
/// or one of the words hourly, daily, weekly, monthly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    count: u32,
    unit: Unit,
}

/// The text is no duration. Each message is the one LiteLLM clients know for that field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    #[error("Invalid budget_duration '{0}'. Use a format like '1h', '24h', '7d', or '30d'.")]
    Budget(String),
    #[error(
        "Invalid duration format: '{0}'. Use a format like '30s', '30m', '24h', '30d' or '1mo', or '-1' for never."
    )]
    Key(String),
}

/// A `budget_duration`.
pub fn parse_budget_duration(text: &str) -> Result<Span, DurationError> {
    text.parse()
        .map_err(|NotASpan| DurationError::Budget(shortened(text)))
}

/// A key's `duration`; `None` is `-1`, never.
pub fn parse_key_duration(text: &str) -> Result<Option<Span>, DurationError> {
    if text == "-1" {
        return Ok(None);
    }
    text.parse()
        .map(Some)
        .map_err(|NotASpan| DurationError::Key(shortened(text)))
}

/// The text comes from a client and goes back in an error: its first 32 characters name it well enough.
fn shortened(text: &str) -> String {
    text.chars().take(32).collect()
}

/// Not a positive count and a unit, or longer than a thousand years.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a duration is a positive whole number and one of s, m, h, d, w, mo, at most a thousand years in all"
)]
pub struct NotASpan;

impl FromStr for Span {
    type Err = NotASpan;

    fn from_str(text: &str) -> Result<Self, NotASpan> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (count, unit) = match text {
            "hourly" => (1, Unit::Hour),
            "daily" => (1, Unit::Day),
            "weekly" => (1, Unit::Week),
            "monthly" => (1, Unit::Month),
            _ => {
                let (count, suffix) = text.split_at_checked(digits).ok_or(NotASpan)?;
                let unit = match suffix {
                    "s" => Unit::Second,
                    "m" => Unit::Minute,
                    "h" => Unit::Hour,
                    "d" => Unit::Day,
                    "w" => Unit::Week,
                    "mo" => Unit::Month,
                    _ => return Err(NotASpan),
                };
                (count.parse::<u32>().map_err(|_| NotASpan)?, unit)
            }
        };
        let seconds = u64::from(count) * unit.seconds();
        if count == 0 || seconds > LONGEST_YEARS * 365 * 86_400 {
            return Err(NotASpan);
        }
        Ok(Self { count, unit })
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.count, self.unit.suffix())
    }
}

impl Span {
    /// The exact end of a span that begins at `now`: when a key expires, or a customer's budget resets.
    /// A month leads to the same day and time of day of a later month, or to that month's last day if it is shorter.
    /// `None` when the calendar (years up to 9999) does not reach that far.
    pub fn expires_at(self, now: i64) -> Option<i64> {
        if self.unit != Unit::Month {
            let seconds = i64::from(self.count).checked_mul(self.unit.seconds() as i64)?;
            let end = now.checked_add(seconds.checked_mul(MS_PER_SECOND)?)?;
            return instant(end).map(|_| end);
        }
        let begin = instant(now)?;
        let (year, month) = months_after(begin.date(), self.count)?;
        let day = begin.day().min(month.length(year));
        Some(ms(begin.replace_date(
            Date::from_calendar_date(year, month, day).ok()?,
        )))
    }

    /// The window of a budget that `now` lies in, as its begin and its end, when one began at `reset`: what
    /// [`Self::next_reset`] leads to from reset to reset. `None` before `reset`, and beyond the calendar.
    pub fn window_at(self, reset: i64, now: i64) -> Option<(i64, i64)> {
        if now < reset {
            return None;
        }
        // Short windows may have passed by the million. They are aligned to minutes, hours and days, so that the sequence
        // can be picked up a little before now.
        let aligned_to = match self.unit {
            Unit::Second => Some(Unit::Minute),
            Unit::Minute => Some(Unit::Hour),
            Unit::Hour => Some(Unit::Day),
            Unit::Day | Unit::Week | Unit::Month => None,
        };
        let mut begin = reset;
        if let Some(unit) = aligned_to {
            let length = i64::from(self.count).saturating_mul(self.unit.seconds() as i64);
            let back = length.saturating_add(unit.seconds() as i64);
            let before = now.saturating_sub(back.saturating_mul(2 * MS_PER_SECOND));
            if before > reset {
                begin = self.next_reset(before)?;
            }
        }
        loop {
            let end = self.next_reset(begin)?;
            if end > now {
                return Some((begin, end));
            }
            begin = end;
        }
    }

    /// The next reset of a budget after `now`, aligned to the calendar as LiteLLM 1.106.2 does it:
    ///
    /// - seconds and minutes: the next multiple within the minute or hour;
    /// - `Nh`: the next hour of the day that is a multiple of N; past midnight, tomorrow at that hour modulo 24
    ///   (so `24h` and `48h` both mean the next midnight, and `36h` tomorrow noon);
    /// - `7d` and `1w`: next Monday; `30d`: the first of next month; other days: midnight, that many days ahead;
    /// - `Nmo`: the first of the month N ahead.
    pub fn next_reset(self, now: i64) -> Option<i64> {
        let at = instant(now)?;
        let midnight = at.replace_time(Time::MIDNIGHT);
        let count = i64::from(self.count);
        let next = match self.unit {
            Unit::Second => {
                let minute = at.replace_second(0).ok()?.replace_nanosecond(0).ok()?;
                minute.checked_add(Duration::seconds(next_multiple(at.second(), count)))?
            }
            Unit::Minute => {
                let hour = midnight.checked_add(Duration::hours(at.hour().into()))?;
                hour.checked_add(Duration::minutes(next_multiple(at.minute(), count)))?
            }
            Unit::Hour => {
                let hour = next_multiple(at.hour(), count);
                let ahead = if hour < 24 { hour } else { 24 + hour % 24 };
                midnight.checked_add(Duration::hours(ahead))?
            }
            Unit::Day | Unit::Week => match count * if self.unit == Unit::Week { 7 } else { 1 } {
                7 => {
                    let since_monday = at.weekday().number_days_from_monday();
                    midnight.checked_add(Duration::days(7 - i64::from(since_monday)))?
                }
                30 => first_of_month(midnight, 1)?,
                days => midnight.checked_add(Duration::days(days))?,
            },
            Unit::Month => first_of_month(midnight, self.count)?,
        };
        Some(ms(next))
    }
}

/// The smallest multiple of `step` that is greater than `value`.
fn next_multiple(value: u8, step: i64) -> i64 {
    (i64::from(value) / step + 1) * step
}

fn first_of_month(midnight: OffsetDateTime, months: u32) -> Option<OffsetDateTime> {
    let (year, month) = months_after(midnight.date(), months)?;
    Some(midnight.replace_date(Date::from_calendar_date(year, month, 1).ok()?))
}

/// Year and month `months` after that of `date`.
fn months_after(date: Date, months: u32) -> Option<(i32, Month)> {
    let index =
        i64::from(date.year()) * 12 + i64::from(u8::from(date.month())) - 1 + i64::from(months);
    let year = i32::try_from(index.div_euclid(12)).ok()?;
    let month = u8::try_from(index.rem_euclid(12) + 1).ok()?;
    Some((year, Month::try_from(month).ok()?))
}

fn instant(ms: i64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000).ok()
}

fn ms(instant: OffsetDateTime) -> i64 {
    // Years up to 9999 in milliseconds fit an i64 a thousand times over.
    (instant.unix_timestamp_nanos() / 1_000_000) as i64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::format_description::well_known::Rfc3339;

    use super::*;

    fn at(text: &str) -> i64 {
        ms(OffsetDateTime::parse(text, &Rfc3339).unwrap())
    }

    fn shown(ms: Option<i64>) -> String {
        ms.and_then(instant)
            .map_or("never".into(), |at| at.format(&Rfc3339).unwrap())
    }

    #[test]
    fn the_grammar() {
        for (text, is) in [
            ("30s", "30s"),
            ("1m", "1m"),
            ("24h", "24h"),
            ("7d", "7d"),
            ("2w", "2w"),
            ("1mo", "1mo"),
            ("007d", "7d"),
            ("hourly", "1h"),
            ("daily", "1d"),
            ("weekly", "1w"),
            ("monthly", "1mo"),
            ("365000d", "365000d"),
        ] {
            assert_eq!(text.parse::<Span>().unwrap().to_string(), is, "{text}");
        }
        for text in [
            "",
            "d",
            "30",
            "0d",
            "-1",
            "-1d",
            "+1d",
            "1.5h",
            "1 d",
            " 1d",
            "1d ",
            "1D",
            "1y",
            "1mos",
            "1dd",
            "xyz",
            "Daily",
            "365001d",
            "99999999999d",
            "9999999999999999999999s",
            "1٣d",
            "é",
        ] {
            assert_eq!(text.parse::<Span>(), Err(NotASpan), "{text}");
        }
    }

    #[test]
    fn refusals_speak_as_clients_know_them() {
        assert_eq!(
            parse_budget_duration("xyz").unwrap_err().to_string(),
            "Invalid budget_duration 'xyz'. Use a format like '1h', '24h', '7d', or '30d'."
        );
        assert!(parse_budget_duration("-1").is_err());
        assert!(
            parse_key_duration("99999999999d")
                .unwrap_err()
                .to_string()
                .starts_with("Invalid duration format")
        );
        assert!(
            parse_key_duration(&"9".repeat(5_000))
                .unwrap_err()
                .to_string()
                .len()
                < 200
        );
        assert_eq!(parse_key_duration("-1"), Ok(None));
        assert_eq!(
            parse_key_duration("1h"),
            Ok(Some(Span {
                count: 1,
                unit: Unit::Hour
            }))
        );
    }

    #[test]
    fn expiry_is_exact() {
        for (now, span, is) in [
            ("2030-01-02T03:04:05Z", "90s", "2030-01-02T03:05:35Z"),
            ("2030-01-02T03:04:05Z", "30d", "2030-02-01T03:04:05Z"),
            ("2030-01-02T03:04:05Z", "2w", "2030-01-16T03:04:05Z"),
            ("2030-01-15T03:04:05Z", "1mo", "2030-02-15T03:04:05Z"),
            ("2030-01-31T03:04:05Z", "1mo", "2030-02-28T03:04:05Z"),
            ("2028-01-31T03:04:05Z", "1mo", "2028-02-29T03:04:05Z"),
            ("2030-12-31T03:04:05Z", "1mo", "2031-01-31T03:04:05Z"),
            ("2030-10-31T03:04:05Z", "13mo", "2031-11-30T03:04:05Z"),
            ("9999-12-31T00:00:00Z", "1mo", "never"),
            ("9999-12-31T00:00:00Z", "1d", "never"),
        ] {
            assert_eq!(
                shown(span.parse::<Span>().unwrap().expires_at(at(now))),
                is,
                "{now} + {span}"
            );
        }
    }

    #[test]
    fn resets_are_aligned() {
        // 2 January 2030 is a Wednesday.
        for (now, span, is) in [
            ("2030-01-02T20:04:05.5Z", "1s", "2030-01-02T20:04:06Z"),
            ("2030-01-02T20:04:05Z", "30s", "2030-01-02T20:04:30Z"),
            ("2030-01-02T20:59:45Z", "30s", "2030-01-02T21:00:00Z"),
            ("2030-01-02T20:04:05Z", "1m", "2030-01-02T20:05:00Z"),
            ("2030-01-02T20:15:00Z", "15m", "2030-01-02T20:30:00Z"),
            ("2030-01-02T23:50:05Z", "30m", "2030-01-03T00:00:00Z"),
            ("2030-01-02T20:04:05Z", "1h", "2030-01-02T21:00:00Z"),
            ("2030-01-02T13:04:05Z", "6h", "2030-01-02T18:00:00Z"),
            ("2030-01-02T20:04:05Z", "5h", "2030-01-03T01:00:00Z"),
            ("2030-01-02T20:04:05Z", "24h", "2030-01-03T00:00:00Z"),
            ("2030-01-02T20:04:05Z", "48h", "2030-01-03T00:00:00Z"),
            ("2030-01-02T20:04:05Z", "36h", "2030-01-03T12:00:00Z"),
            ("2030-01-02T20:04:05Z", "1d", "2030-01-03T00:00:00Z"),
            ("2030-01-02T00:00:00Z", "1d", "2030-01-03T00:00:00Z"),
            ("2030-01-02T20:04:05Z", "7d", "2030-01-07T00:00:00Z"),
            ("2030-01-07T00:00:00Z", "1w", "2030-01-14T00:00:00Z"),
            ("2030-01-06T23:59:59Z", "weekly", "2030-01-07T00:00:00Z"),
            ("2030-01-02T20:04:05Z", "30d", "2030-02-01T00:00:00Z"),
            ("2030-12-02T20:04:05Z", "30d", "2031-01-01T00:00:00Z"),
            ("2030-01-31T20:04:05Z", "1mo", "2030-02-01T00:00:00Z"),
            ("2030-01-31T20:04:05Z", "monthly", "2030-02-01T00:00:00Z"),
            ("2030-11-02T20:04:05Z", "3mo", "2031-02-01T00:00:00Z"),
            ("2030-01-02T20:04:05Z", "3d", "2030-01-05T00:00:00Z"),
            ("2030-01-02T20:04:05Z", "2w", "2030-01-16T00:00:00Z"),
        ] {
            assert_eq!(
                shown(span.parse::<Span>().unwrap().next_reset(at(now))),
                is,
                "{now} + {span}"
            );
        }
    }

    #[test]
    fn windows_follow_each_other() {
        for (reset, now, span, begin, end) in [
            (
                "2030-01-02T00:00:00Z",
                "2030-01-02T00:00:00Z",
                "1d",
                "2030-01-02T00:00:00Z",
                "2030-01-03T00:00:00Z",
            ),
            (
                "2030-01-02T00:00:00Z",
                "2030-01-09T12:00:00Z",
                "1d",
                "2030-01-09T00:00:00Z",
                "2030-01-10T00:00:00Z",
            ),
            (
                "2030-01-02T00:00:00Z",
                "2030-01-09T12:00:00Z",
                "3d",
                "2030-01-08T00:00:00Z",
                "2030-01-11T00:00:00Z",
            ),
            (
                "2030-02-01T00:00:00Z",
                "2030-04-15T12:00:00Z",
                "1mo",
                "2030-04-01T00:00:00Z",
                "2030-05-01T00:00:00Z",
            ),
            (
                "2030-01-02T00:00:00Z",
                "2049-01-09T12:00:29Z",
                "30s",
                "2049-01-09T12:00:00Z",
                "2049-01-09T12:00:30Z",
            ),
            (
                "2030-01-02T00:00:00Z",
                "2049-01-09T12:59:29Z",
                "6h",
                "2049-01-09T12:00:00Z",
                "2049-01-09T18:00:00Z",
            ),
        ] {
            let window = span.parse::<Span>().unwrap().window_at(at(reset), at(now));
            assert_eq!(window, Some((at(begin), at(end))), "{span} at {now}");
        }
        let day = "1d".parse::<Span>().unwrap();
        assert_eq!(
            day.window_at(at("2030-01-02T00:00:00Z"), at("2030-01-01T00:00:00Z")),
            None
        );
        assert_eq!(day.window_at(0, at("9999-12-31T12:00:00Z")), None);
    }

    proptest! {
        #[test]
        fn text_never_panics_and_the_future_is_ahead(text in "\\PC{0,12}|[0-9]{1,7}(s|m|h|d|w|mo)", now in -62_135_596_800_000i64..253_402_300_799_999) {
            if let Ok(span) = text.parse::<Span>() {
                prop_assert!(span.expires_at(now).is_none_or(|end| end > now));
                prop_assert!(span.next_reset(now).is_none_or(|end| end > now));
                prop_assert_eq!(span.to_string().parse::<Span>(), Ok(span));
            }
        }

        #[test]
        fn no_instant_panics(now in any::<i64>(), count in 1u32.., month in any::<bool>()) {
            let span = Span { count, unit: if month { Unit::Month } else { Unit::Week } };
            let _ = (span.expires_at(now), span.next_reset(now));
        }
    }
}
