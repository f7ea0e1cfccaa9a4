//! Whether a failed upstream call is tried again, where, and after what wait.
//!
//! The journey asks after every failed attempt; the Router then picks the deployment. Only upstream failures come here: a refusal
//! of our own (limits, budgets, access, no deployment) would be the same a second time. Nor may a call be repeated once a byte of
//! its answer has reached the client. The numbers are those of LiteLLM 1.106.2, but nothing waits after the last attempt, and
//! nothing waits long where a fallback could answer meanwhile.

mod by_class;

use std::time::Duration;

use super::upstream_error::{Failure, Retry};

pub use by_class::RetriesByClass;

/// First wait before the same deployment is called again; doubles with each retry.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// No wait of our own choosing is longer, jitter apart.
const LONGEST_WAIT: Duration = Duration::from_secs(8);
/// A random part up to this is added to every wait.
const JITTER: Duration = Duration::from_millis(750);
/// A provider that asks for a longer wait is not waited for; the usual wait applies.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(60);

/// How often and how patiently one group is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Upstream calls beyond the first, unless the error's class has a number of its own.
    pub num_retries: u32,
    /// `retry_policy`, or the group's own in `model_group_retry_policy`.
    pub by_class: RetriesByClass,
    /// `router_settings.retry_after`: the shortest wait before the same deployment is called again.
    pub min_wait: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            num_retries: 2,
            by_class: RetriesByClass::default(),
            min_wait: Duration::ZERO,
        }
    }
}

impl RetryPolicy {
    /// The policy of a request that says `num_retries` itself: it says so for errors of every class where it says none.
    pub fn asked_for(self, num_retries: Option<u32>) -> Self {
        Self {
            num_retries: num_retries.unwrap_or(self.num_retries),
            by_class: match num_retries {
                Some(0) => RetriesByClass::default(),
                _ => self.by_class,
            },
            ..self
        }
    }

    /// How often a failure is tried again, and where.
    ///
    /// A number for the error's own class holds for errors too that would not be tried again otherwise; `DefaultRetries` is
    /// about how often alone. What was never sent fails the same way each time: no policy sends it to the same deployment.
    pub fn of(&self, failure: &Failure) -> (u32, Retry) {
        match self.by_class.named(failure.class) {
            Some(retries) if failure.is_local => (retries, failure.retry),
            Some(retries) => (retries, Retry::Anywhere),
            None => {
                let others = self.by_class.others();
                (others.unwrap_or(self.num_retries), failure.retry)
            }
        }
    }
}

/// Where a request stands when an attempt of it has failed.
#[derive(Clone, Copy, Debug)]
pub struct Attempt {
    /// Retries already made in this group: 0 after the first call.
    pub retries: u32,
    /// Upstream calls that the request may still make, over all groups.
    pub calls_left: u32,
    /// Deployments that could serve the request now and have not been called for it.
    pub untried: usize,
    /// Of the deployments called for it, one could answer the next time.
    pub has_tried_others: bool,
    /// Another group could answer this failure.
    pub has_fallback: bool,
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
    let (most, retry) = policy.of(failure);
    if attempt.retries >= most
        || attempt.calls_left == 0
        || retry == Retry::Never
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
    if retry == Retry::Elsewhere && !attempt.has_tried_others {
        return Decision::GiveUp;
    }
    let after = wait(policy, failure, attempt);
    let is_too_long = attempt.has_fallback && after > LONGEST_WAIT + JITTER;
    if is_too_long || after >= attempt.time_left {
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
            calls_left: 99,
            untried,
            has_tried_others: false,
            has_fallback: false,
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
                "the whole request's calls are used up",
                Attempt {
                    calls_left: 0,
                    ..first(5)
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
        let unwelcome = self::failure(401, None);
        let others = Attempt {
            has_tried_others: true,
            ..first(0)
        };
        assert_eq!(decide(&policy, &unwelcome, &others), again(500));
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

    #[test]
    fn a_number_for_the_class_decides_whether_too() {
        let by_class = |fields: &[(&str, u32)]| {
            let mut by_class = RetriesByClass::default();
            for (field, retries) in fields {
                by_class.set(field, *retries);
            }
            RetryPolicy {
                by_class,
                ..RetryPolicy::default()
            }
        };
        let bad_request = by_class(&[("BadRequestErrorRetries", 1)]);
        let rate_limit = by_class(&[("RateLimitErrorRetries", 0), ("DefaultRetries", 1)]);
        let after = |retries| Attempt {
            retries,
            ..first(0)
        };
        for (policy, status, retries, expected) in [
            (bad_request, 400, 0, again(500)),
            (bad_request, 400, 1, Decision::GiveUp),
            (bad_request, 500, 1, again(1_000)),
            (rate_limit, 429, 0, Decision::GiveUp),
            (rate_limit, 500, 0, again(500)),
            (rate_limit, 500, 1, Decision::GiveUp),
            // `DefaultRetries` says how often, not whether.
            (rate_limit, 400, 0, Decision::GiveUp),
            (bad_request.asked_for(Some(0)), 400, 0, Decision::GiveUp),
            (bad_request.asked_for(Some(9)), 400, 0, again(500)),
            (bad_request.asked_for(Some(9)), 400, 1, Decision::GiveUp),
            (rate_limit.asked_for(Some(0)), 500, 0, Decision::GiveUp),
        ] {
            let failure = failure(status, None);
            assert_eq!(
                decide(&policy, &failure, &after(retries)),
                expected,
                "{status} after {retries} of {policy:?}"
            );
        }
    }

    #[test]
    fn what_was_never_sent_is_not_repeated() {
        let mut policy = RetryPolicy::default();
        policy.by_class.set("BadRequestErrorRetries", 5);
        let local = classify("openai", &Upstream::NotServed { why: "x" }, 0);
        assert!(local.is_local);
        assert_eq!(decide(&policy, &local, &first(0)), Decision::GiveUp);
        assert_eq!(decide(&policy, &local, &first(1)), ELSEWHERE);
    }

    #[test]
    fn a_fallback_is_not_kept_waiting() {
        let policy = RetryPolicy::default();
        for (retry_after, with_fallback) in [
            (Some("30"), Decision::GiveUp),
            (Some("8"), again(8_000)),
            (Some("9"), Decision::GiveUp),
            (None, again(500)),
        ] {
            let attempt = Attempt {
                has_fallback: true,
                ..first(0)
            };
            let failure = failure(429, retry_after);
            assert_eq!(
                decide(&policy, &failure, &attempt),
                with_fallback,
                "{retry_after:?}"
            );
            assert_ne!(decide(&policy, &failure, &first(0)), Decision::GiveUp);
        }
    }
}
