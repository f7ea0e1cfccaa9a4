//! Whether a failed upstream call is tried again, where, and after what wait.
//!
//! The journey asks after every failed attempt; the Router then picks the deployment. Only upstream failures come here: a refusal
//! of our own (limits, budgets, access, no deployment) would be the same a second time. Nor may a call be repeated once a byte of
//! its answer has reached the client. The numbers are those of LiteLLM 1.106.2, but nothing waits after the last attempt.

use std::time::Duration;

use super::upstream_error::{Failure, Retry};

/// First wait before the same deployment is called again; doubles with each retry.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// No wait of our own choosing is longer, jitter apart.
const LONGEST_WAIT: Duration = Duration::from_secs(8);
/// A random part up to this is added to every wait.
const JITTER: Duration = Duration::from_millis(750);
/// A provider that asks for a longer wait is not waited for; the usual wait applies.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(60);

/// How often and how patiently one request is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Upstream calls beyond the first.
    pub num_retries: u32,
    /// `router_settings.retry_after`: the shortest wait before the same deployment is called again.
    pub min_wait: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            num_retries: 2,
            min_wait: Duration::ZERO,
        }
    }
}

/// Where a request stands when an attempt of it has failed.
#[derive(Clone, Copy, Debug)]
pub struct Attempt {
    /// Retries already made: 0 after the first call.
    pub retries: u32,
    /// Deployments that could serve the request now and have not been called for it.
    pub untried: usize,
    /// Time until the request's own deadline.
    pub time_left: Duration,
    /// A random number in `0.0..=1.0`.
    pub jitter: f64,
}

/// What to do about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// This group has nothing more to try: fall back or answer with the failure.
    GiveUp,
    /// Select again after a wait; `exclude_tried` keeps the deployments already called out of the selection.
    Next {
        after: Duration,
        exclude_tried: bool,
    },
}

/// Another deployment is tried at once; the same one only for a passing failure, after a wait, and if the deadline leaves room.
pub fn decide(policy: &RetryPolicy, failure: &Failure, attempt: &Attempt) -> Decision {
    if attempt.retries >= policy.num_retries
        || failure.retry == Retry::Never
        || attempt.time_left.is_zero()
    {
        return Decision::GiveUp;
    }
    if attempt.untried > 0 {
        return Decision::Next {
            after: Duration::ZERO,
            exclude_tried: true,
        };
    }
    if failure.retry == Retry::Elsewhere {
        return Decision::GiveUp;
    }
    let after = wait(policy, failure, attempt);
    if after >= attempt.time_left {
        return Decision::GiveUp;
    }
    Decision::Next {
        after,
        exclude_tried: false,
    }
}

fn wait(policy: &RetryPolicy, failure: &Failure, attempt: &Attempt) -> Duration {
    let asked = failure
        .retry_after
        .filter(|after| !after.is_zero() && *after <= LONGEST_RETRY_AFTER);
    let base = asked.unwrap_or_else(|| {
        let doubled =
            FIRST_WAIT.saturating_mul(1u32.checked_shl(attempt.retries).unwrap_or(u32::MAX));
        doubled.max(policy.min_wait).min(LONGEST_WAIT)
    });
    // A NaN from a careless caller clamps to NaN, and `max` takes the other side.
    base + JITTER.mul_f64(attempt.jitter.clamp(0.0, 1.0).max(0.0))
}

#[cfg(test)]
mod tests {
    use super::super::upstream_error::{Headers, Upstream, classify};
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn failure(status: u16, retry_after: Option<&str>) -> Failure {
        let headers = Headers {
            retry_after,
            ..Headers::default()
        };
        classify(
            "openai",
            &Upstream::Status {
                status,
                headers,
                body: b"{}",
            },
            0,
        )
    }

    fn first(untried: usize) -> Attempt {
        Attempt {
            retries: 0,
            untried,
            time_left: 600 * SECOND,
            jitter: 0.0,
        }
    }

    fn again(ms: u64) -> Decision {
        Decision::Next {
            after: Duration::from_millis(ms),
            exclude_tried: false,
        }
    }

    const ELSEWHERE: Decision = Decision::Next {
        after: Duration::ZERO,
        exclude_tried: true,
    };

    #[test]
    fn by_status() {
        for (status, alone, with_others) in [
            (400, Decision::GiveUp, Decision::GiveUp),
            (401, Decision::GiveUp, ELSEWHERE),
            (402, Decision::GiveUp, Decision::GiveUp),
            (403, again(500), ELSEWHERE),
            (404, Decision::GiveUp, Decision::GiveUp),
            (408, again(500), ELSEWHERE),
            (409, again(500), ELSEWHERE),
            (413, Decision::GiveUp, Decision::GiveUp),
            (418, Decision::GiveUp, Decision::GiveUp),
            (422, Decision::GiveUp, Decision::GiveUp),
            (429, again(500), ELSEWHERE),
            (500, again(500), ELSEWHERE),
            (502, again(500), ELSEWHERE),
            (503, again(500), ELSEWHERE),
            (504, again(500), ELSEWHERE),
            (529, again(500), ELSEWHERE),
        ] {
            let failure = failure(status, None);
            assert_eq!(
                decide(&RetryPolicy::default(), &failure, &first(0)),
                alone,
                "{status}"
            );
            assert_eq!(
                decide(&RetryPolicy::default(), &failure, &first(1)),
                with_others,
                "{status}"
            );
        }
    }

    #[test]
    fn waits() {
        let policy = RetryPolicy {
            num_retries: 99,
            ..RetryPolicy::default()
        };
        for (retries, retry_after, jitter, ms) in [
            (0, None, 0.0, 500),
            (1, None, 0.0, 1_000),
            (3, None, 0.0, 4_000),
            (4, None, 0.0, 8_000),
            (40, None, 0.0, 8_000),
            (0, None, 1.0, 1_250),
            (0, None, 7.0, 1_250),
            (0, None, f64::NAN, 500),
            (0, Some("20"), 0.0, 20_000),
            (0, Some("60"), 1.0, 60_750),
            (0, Some("61"), 0.0, 500),
            (0, Some("0"), 0.0, 500),
        ] {
            let attempt = Attempt {
                retries,
                jitter,
                ..first(0)
            };
            assert_eq!(
                decide(&policy, &failure(429, retry_after), &attempt),
                again(ms),
                "{retries} {retry_after:?} {jitter}"
            );
        }
        let patient = RetryPolicy {
            min_wait: 3 * SECOND,
            ..policy
        };
        assert_eq!(
            decide(&patient, &failure(429, None), &first(0)),
            again(3_000)
        );
        let too_patient = RetryPolicy {
            min_wait: 30 * SECOND,
            ..policy
        };
        assert_eq!(
            decide(&too_patient, &failure(429, None), &first(0)),
            again(8_000)
        );
    }

    #[test]
    fn ends() {
        let policy = RetryPolicy::default();
        let failure = failure(503, None);
        for (what, attempt) in [
            (
                "retries are used up",
                Attempt {
                    retries: 2,
                    ..first(5)
                },
            ),
            (
                "no time for the wait",
                Attempt {
                    time_left: Duration::from_millis(500),
                    ..first(0)
                },
            ),
            (
                "no time at all",
                Attempt {
                    time_left: Duration::ZERO,
                    ..first(5)
                },
            ),
        ] {
            assert_eq!(
                decide(&policy, &failure, &attempt),
                Decision::GiveUp,
                "{what}"
            );
        }
        assert_eq!(
            decide(
                &policy,
                &failure,
                &Attempt {
                    retries: 1,
                    ..first(5)
                }
            ),
            ELSEWHERE
        );
        assert_eq!(
            decide(
                &RetryPolicy {
                    num_retries: 0,
                    ..policy
                },
                &failure,
                &first(5)
            ),
            Decision::GiveUp
        );
    }
}
