//! Times of the day that some teams have a deployment to themselves: `model_info.access_windows`.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::reason::Reserved;

/// Minutes of a day.
const DAY: u16 = 24 * 60;

/// One window, as wall clocks of its zone show it, daylight saving included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reservation {
    zone: TimeZone,
    /// Minutes of the day: the first one, and the first one after it. An end before the start lies on the next day.
    start: u16,
    end: u16,
    teams: Box<[Box<str>]>,
    reserved: Arc<Reserved>,
}

/// What is wrong with a window: the field, and what would be right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}")]
pub struct ReservationError {
    pub field: &'static str,
    pub expected: &'static str,
}

impl Reservation {
    /// A window from `start` to `end` (`HH:MM`, the end is not in it) in an IANA time zone.
    pub fn new(
        start: &str,
        end: &str,
        zone: &str,
        teams: &[String],
    ) -> Result<Self, ReservationError> {
        let time = |field, text| {
            minute(text).ok_or(ReservationError {
                field,
                expected: "a time of the day as HH:MM, from 00:00 to 23:59",
            })
        };
        let (from, to) = (time("start", start)?, time("end", end)?);
        if from == to {
            return Err(ReservationError {
                field: "end",
                expected: "another time than `start`",
            });
        }
        if teams.is_empty() || teams.iter().any(String::is_empty) {
            return Err(ReservationError {
                field: "team_ids",
                expected: "a list of at least one team id",
            });
        }
        let found = TimeZone::get(zone).map_err(|_| ReservationError {
            field: "timezone",
            expected: "the IANA name of a time zone, such as Europe/Berlin or UTC",
        })?;
        Ok(Self {
            zone: found,
            start: from,
            end: to,
            teams: teams.iter().map(|team| team.as_str().into()).collect(),
            reserved: Arc::new(Reserved {
                until: end.trim().into(),
                zone: zone.into(),
            }),
        })
    }

    /// Whether it holds at a moment, in seconds since the Unix epoch.
    fn holds(&self, now: i64) -> bool {
        let Ok(now) = Timestamp::from_second(now) else {
            return false;
        };
        let time = self.zone.to_datetime(now).time();
        let minute = time.hour() as u16 * 60 + time.minute() as u16;
        let since = (minute + DAY - self.start) % DAY;
        since < (self.end + DAY - self.start) % DAY
    }

    fn is_for(&self, team: Option<&str>) -> bool {
        team.is_some_and(|team| self.teams.iter().any(|own| **own == *team))
    }
}

/// What keeps a team away from a deployment with these windows; `None`: nothing.
pub fn reserved<'a>(
    windows: &'a [Reservation],
    team: Option<&str>,
    now: i64,
) -> Option<&'a Arc<Reserved>> {
    let mut first = None;
    for window in windows.iter().filter(|window| window.holds(now)) {
        if window.is_for(team) {
            return None;
        }
        first = first.or(Some(&window.reserved));
    }
    first
}

/// `HH:MM` as a minute of the day.
fn minute(text: &str) -> Option<u16> {
    let (hours, minutes) = text.trim().split_once(':')?;
    let number = |text: &str, most: u16| {
        let digits = (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        let number: u16 = digits.then(|| text.parse().ok()).flatten()?;
        (number <= most).then_some(number)
    };
    let minutes = (minutes.len() == 2).then_some(minutes)?;
    Some(number(hours, 23)? * 60 + number(minutes, 59)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(start: &str, end: &str, zone: &str) -> Reservation {
        Reservation::new(start, end, zone, &["night".to_owned()]).unwrap()
    }

    fn at(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_second()
    }

    #[test]
    fn wall_clocks_of_the_zone() {
        let night = window("22:00", "06:00", "America/New_York");
        for (now, holds) in [
            // Winter: UTC−5; summer: UTC−4.
            ("2026-01-10T02:59:59Z", false),
            ("2026-01-10T03:00:00Z", true),
            ("2026-01-10T10:59:59Z", true),
            ("2026-01-10T11:00:00Z", false),
            ("2026-07-10T01:59:59Z", false),
            ("2026-07-10T02:00:00Z", true),
            ("2026-07-10T10:00:00Z", false),
        ] {
            assert_eq!(night.holds(at(now)), holds, "{now}");
        }
        let noon = window("12:00", "13:30", "UTC");
        for (now, holds) in [
            ("2026-01-10T11:59:00Z", false),
            ("2026-01-10T12:00:00Z", true),
            ("2026-01-10T13:29:59Z", true),
            ("2026-01-10T13:30:00Z", false),
        ] {
            assert_eq!(noon.holds(at(now)), holds, "{now}");
        }
    }

    #[test]
    fn whose_time_it_is() {
        let mut windows = vec![window("00:00", "12:00", "UTC")];
        windows.push(Reservation::new("06:00", "18:00", "UTC", &["day".to_owned()]).unwrap());
        let of = |team, now| reserved(&windows, team, at(now)).map(|until| &*until.until);
        for (team, now, expected) in [
            (Some("night"), "2026-01-10T01:00:00Z", None),
            (Some("day"), "2026-01-10T01:00:00Z", Some("12:00")),
            (None, "2026-01-10T01:00:00Z", Some("12:00")),
            // Both hold.
            (Some("day"), "2026-01-10T07:00:00Z", None),
            (Some("night"), "2026-01-10T07:00:00Z", None),
            (Some("night"), "2026-01-10T13:00:00Z", Some("18:00")),
            (None, "2026-01-10T19:00:00Z", None),
        ] {
            assert_eq!(of(team, now), expected, "{team:?} {now}");
        }
    }

    #[test]
    fn what_cannot_be_a_window() {
        for (start, end, zone, teams, field) in [
            ("24:00", "06:00", "UTC", &["t"][..], "start"),
            ("6", "07:00", "UTC", &["t"], "start"),
            ("06:00", "7:5", "UTC", &["t"], "end"),
            ("06:00", "+7:05", "UTC", &["t"], "end"),
            ("06:00", "06:00", "UTC", &["t"], "end"),
            ("06:00", "07:00", "Mars/Olympus", &["t"], "timezone"),
            ("06:00", "07:00", "UTC", &[], "team_ids"),
            ("06:00", "07:00", "UTC", &[""], "team_ids"),
        ] {
            let teams: Vec<String> = teams.iter().map(|team| (*team).to_owned()).collect();
            let error = Reservation::new(start, end, zone, &teams).unwrap_err();
            assert_eq!(error.field, field, "{start} {end} {zone}");
        }
    }
}
