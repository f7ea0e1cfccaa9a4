//! How long an upstream asks us to stay away.

use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

/// The headers of an upstream's error answer that matter here, as text; `None` where one is absent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Headers<'a> {
    /// Seconds, or a date (RFC 9110).
    pub retry_after: Option<&'a str>,
    /// Milliseconds (OpenAI, Azure); wins over `retry-after`, which rounds it up.
    pub retry_after_ms: Option<&'a str>,
    /// `x-should-retry`: OpenAI's own word on it.
    pub should_retry: Option<&'a str>,
}

impl Headers<'_> {
    /// The wait asked for at `now` (milliseconds since the Unix epoch); `None` for none, nonsense, and a date that has passed.
    pub(super) fn wait(&self, now: i64) -> Option<Duration> {
        let milliseconds = self.retry_after_ms.and_then(|text| seconds(text, 1_000.0));
        milliseconds.or_else(|| {
            self.retry_after
                .and_then(|text| seconds(text, 1.0).or_else(|| until(text, now)))
        })
    }

    pub(super) fn forbid_retry(&self) -> bool {
        self.should_retry
            .is_some_and(|text| text.trim().eq_ignore_ascii_case("false"))
    }
}

/// A decimal number of units, `per_second` of them a second.
fn seconds(text: &str, per_second: f64) -> Option<Duration> {
    let number: f64 = text.trim().parse().ok()?;
    Duration::try_from_secs_f64(number / per_second).ok()
}

fn until(text: &str, now: i64) -> Option<Duration> {
    let at = OffsetDateTime::parse(text.trim(), &Rfc2822).ok()?;
    let ms = at.unix_timestamp().checked_mul(1_000)?.checked_sub(now)?;
    u64::try_from(ms).ok().map(Duration::from_millis)
}

/// A protobuf duration in JSON, `34s` or `34.07s`: Google's `RetryInfo.retryDelay`.
pub(super) fn protobuf_duration(text: &str) -> Option<Duration> {
    seconds(text.strip_suffix('s')?, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form() {
        let now = 1_445_412_480_000 - 7_500; // 7.5 s before the date below
        for (retry_after, retry_after_ms, ms) in [
            (None, None, None),
            (Some("7"), None, Some(7_000)),
            (Some(" 0.5 "), None, Some(500)),
            (Some("7"), Some("6400"), Some(6_400)),
            (Some("7"), Some("soon"), Some(7_000)),
            (Some("Wed, 21 Oct 2015 07:28:00 GMT"), None, Some(7_500)),
            (Some("Wed, 21 Oct 2015 07:27:00 GMT"), None, None),
            (Some("-1"), None, None),
            (Some("NaN"), None, None),
            (Some("inf"), None, None),
            (Some("1e300"), None, None),
            (Some("tomorrow"), None, None),
        ] {
            let headers = Headers {
                retry_after,
                retry_after_ms,
                should_retry: None,
            };
            assert_eq!(
                headers.wait(now),
                ms.map(Duration::from_millis),
                "{headers:?}"
            );
        }
        assert_eq!(
            protobuf_duration("34.5s"),
            Some(Duration::from_millis(34_500))
        );
        assert_eq!(protobuf_duration("34"), None);
    }
}
