//! Prices that hold at certain hours (`off_peak_pricing`: DeepSeek and its resellers).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::catalog::{ModelEntry, Prices};
use crate::types::PriceError;

/// Off-peak hours and the prices then. A [`super::Tariff`] with them keeps two [`super::Rates`] and bills a call with the
/// one that holds when it began; holds take the dearer one.
#[derive(Clone, Debug, PartialEq)]
pub struct OffPeak {
    windows: Vec<Window>,
    /// Seconds that the clock which tells the weekday is ahead of UTC.
    weekday_offset: i64,
    prices: Prices,
}

/// An `off_peak_pricing` object cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OffPeakError {
    #[error("off_peak_pricing: {0}")]
    Shape(#[from] serde_json::Error),
    #[error("off_peak_pricing: `{0}` are no hours; write them as 16:30-00:30, in UTC")]
    Hours(String),
    #[error("off_peak_pricing: {0} is no weekday; Monday is 1, Sunday 7")]
    Weekday(u8),
    #[error("off_peak_pricing: the weekday_timezone `{0}` is not known; UTC and Asia/Shanghai are")]
    Timezone(String),
    #[error("off_peak_pricing: `{field}`: {source}")]
    Price { field: String, source: PriceError },
}

/// Hours of some weekdays.
#[derive(Clone, Debug, PartialEq)]
struct Window {
    /// Bit n: weekday n, Monday is 1.
    weekdays: u8,
    /// Minutes of the UTC day, from and to; `to` is not in it and may lie beyond midnight.
    hours: Vec<(u16, u16)>,
}

#[derive(Deserialize)]
struct WireWindow {
    hours_utc: OneOrMany,
    weekdays: Option<Vec<u8>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

const DAY_MINUTES: u16 = 24 * 60;
const DAY_SECONDS: i64 = 24 * 60 * 60;

impl OffPeak {
    /// Of a catalogue entry, when it has one.
    pub fn of_entry(entry: &ModelEntry) -> Option<Result<Self, OffPeakError>> {
        let extra: BTreeMap<&str, &RawValue> = serde_json::from_str(entry.extra()?).ok()?;
        extra
            .get("off_peak_pricing")
            .map(|object| Self::parse(object.get()))
    }

    /// Reads the JSON object: price fields, `windows` of `hours_utc` and `weekdays`, `weekday_timezone`.
    pub fn parse(json: &str) -> Result<Self, OffPeakError> {
        let fields: BTreeMap<&str, &RawValue> = serde_json::from_str(json)?;
        let mut read = Self {
            windows: Vec::new(),
            weekday_offset: 0,
            prices: Prices::default(),
        };
        for (field, value) in fields {
            match field {
                "windows" => {
                    let windows: Vec<WireWindow> = serde_json::from_str(value.get())?;
                    read.windows = windows
                        .into_iter()
                        .map(Window::read)
                        .collect::<Result<_, _>>()?;
                }
                "weekday_timezone" => {
                    read.weekday_offset = offset(serde_json::from_str(value.get())?)?
                }
                _ => {
                    // YAML 1.1 takes `5e-7` for a text.
                    let text: Option<&str> = serde_json::from_str(value.get()).ok();
                    let priced = read.prices.set(field, text.unwrap_or(value.get()));
                    priced.map_err(|source| OffPeakError::Price {
                        field: field.to_owned(),
                        source,
                    })?;
                }
            }
        }
        Ok(read)
    }

    /// The prices off peak of a model or deployment with these standard ones.
    pub fn prices_over(&self, standard: &Prices) -> Prices {
        standard.overridden_by(&self.prices)
    }

    /// The same for a deployment with prices of its own: those hold at all hours.
    pub fn overridden_by(mut self, own: &Prices) -> Self {
        self.prices = self.prices.overridden_by(own);
        self
    }

    /// Whether the time, in seconds since the Unix epoch, is off peak. The hours are UTC; the weekday is the one the
    /// provider's clock shows at that moment.
    pub fn holds(&self, unix_seconds: i64) -> bool {
        let minute = (unix_seconds.rem_euclid(DAY_SECONDS) / 60) as u16;
        let day = unix_seconds
            .saturating_add(self.weekday_offset)
            .div_euclid(DAY_SECONDS);
        // The epoch was a Thursday.
        let weekday = (day + 3).rem_euclid(7) + 1;
        self.windows.iter().any(|window| {
            window.weekdays >> weekday & 1 == 1
                && window.hours.iter().any(|&(from, to)| {
                    (from..to).contains(&minute) || (from..to).contains(&(minute + DAY_MINUTES))
                })
        })
    }
}

impl Window {
    fn read(wire: WireWindow) -> Result<Self, OffPeakError> {
        let mut weekdays = 0;
        for day in wire.weekdays.unwrap_or_else(|| (1..=7).collect()) {
            if !(1..=7).contains(&day) {
                return Err(OffPeakError::Weekday(day));
            }
            weekdays |= 1 << day;
        }
        let texts = match wire.hours_utc {
            OneOrMany::One(text) => vec![text],
            OneOrMany::Many(texts) => texts,
        };
        let hours = texts
            .into_iter()
            .map(|text| hours(&text).ok_or(OffPeakError::Hours(text)));
        Ok(Self {
            weekdays,
            hours: hours.collect::<Result<_, _>>()?,
        })
    }
}

/// `HH:MM-HH:MM`; an end that is not after the start is on the next day.
fn hours(text: &str) -> Option<(u16, u16)> {
    let minute = |text: &str| {
        let (hour, minute) = text.trim().split_once(':')?;
        let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
        (hour <= 24 && minute < 60)
            .then_some(hour * 60 + minute)
            .filter(|at| *at <= DAY_MINUTES)
    };
    let (from, to) = text.split_once('-')?;
    let (from, to) = (minute(from)?, minute(to)?);
    Some((from, if to > from { to } else { to + DAY_MINUTES }))
}

fn offset(timezone: &str) -> Result<i64, OffPeakError> {
    match timezone {
        "UTC" => Ok(0),
        // No summer time since 1991.
        "Asia/Shanghai" => Ok(8 * 60 * 60),
        _ => Err(OffPeakError::Timezone(timezone.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Kind, all, find};

    /// Monday 2024-01-01, 00:00 UTC.
    const MONDAY: i64 = 1_704_067_200;

    fn at(day: i64, hour: i64, minute: i64) -> i64 {
        MONDAY + day * DAY_SECONDS + hour * 3600 + minute * 60
    }

    #[test]
    fn the_catalogues_hours() {
        let entry = find("deepseek", "deepseek-v4-pro").expect("in the catalogue");
        let off_peak = OffPeak::of_entry(&entry)
            .expect("stated")
            .expect("readable");
        for (time, holds) in [
            (at(0, 0, 59), true),
            (at(0, 1, 0), false),
            (at(0, 5, 0), true),
            (at(0, 9, 59), false),
            (at(0, 23, 59), true),
            (at(5, 8, 0), true),
            (at(6, 2, 30), true),
            (at(-1, 2, 30), true),
        ] {
            assert_eq!(off_peak.holds(time), holds, "{time}");
        }
        let prices = off_peak.prices_over(&entry.prices);
        assert_eq!(
            prices
                .base(Kind::Output)
                .map(|price| price.to_string())
                .as_deref(),
            Some("0.00000198")
        );
        assert_eq!(
            all()
                .filter_map(|entry| OffPeak::of_entry(&entry))
                .filter(|read| read.is_ok())
                .count(),
            10
        );
    }

    #[test]
    fn the_weekday_is_the_providers() {
        let shanghai = OffPeak::parse(
            r#"{"windows":[{"hours_utc":"00:00-00:00","weekdays":[6,7]}],"weekday_timezone":"Asia/Shanghai"}"#,
        )
        .expect("readable");
        assert!(!shanghai.holds(at(4, 15, 59)));
        assert!(shanghai.holds(at(4, 16, 0)));
        assert!(!shanghai.holds(at(6, 16, 0)));
    }

    #[test]
    fn hours_may_cross_midnight() {
        let night =
            OffPeak::parse(r#"{"windows":[{"hours_utc":["16:30-00:30"]}]}"#).expect("readable");
        for (time, holds) in [
            (at(0, 16, 29), false),
            (at(0, 16, 30), true),
            (at(1, 0, 29), true),
            (at(1, 0, 30), false),
        ] {
            assert_eq!(night.holds(time), holds, "{time}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        for (json, told) in [
            (
                r#"{"windows":[{"hours_utc":"25:00-26:00"}]}"#,
                "`25:00-26:00` are no hours",
            ),
            (
                r#"{"windows":[{"hours_utc":"1-2","weekdays":[8]}]}"#,
                "8 is no weekday",
            ),
            (r#"{"weekday_timezone":"Mars"}"#, "`Mars` is not known"),
            (r#"{"input_cost_per_token":-1}"#, "`input_cost_per_token`"),
            ("[]", "off_peak_pricing"),
        ] {
            let error = OffPeak::parse(json).expect_err("refused").to_string();
            assert!(error.contains(told), "{error}");
        }
        for time in [i64::MIN, i64::MAX] {
            OffPeak::parse("{}").expect("readable").holds(time);
        }
    }
}
