//! When failing deployments are left out: `cooldown_time`, `allowed_fails` and `allowed_fails_policy`, of the router and of one
//! deployment, and LiteLLM's thresholds, which only the environment can change.

use crate::policy::by_class::ByClass;
use crate::policy::cooldown::{AllowedFails, Limits, Return, Shares};

use super::class_map;
use super::diagnostic::Sink;
use super::read::Section;
use super::yaml::Pos;

/// More failures than this are a slip.
const MOST_FAILS: u32 = 1_000_000;
/// How fields of a policy end: `TimeoutErrorAllowedFails`.
const ENDING: &str = "AllowedFails";
/// A year, in seconds.
const MOST_SECONDS: f64 = 31_536_000.0;

/// What a section says of cooldowns.
pub fn read(section: &Section<'_>) -> Limits {
    Limits {
        time_ms: time(section),
        allowed: AllowedFails {
            any: section.small("allowed_fails", MOST_FAILS),
            by_class: by_class(section),
        },
    }
}

/// `cooldown_time`, in milliseconds.
pub fn time(section: &Section<'_>) -> Option<u64> {
    let time = section.seconds("cooldown_time")?;
    Some(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

/// `cooldown_recovery`.
pub fn recovery(section: &Section<'_>) -> Return {
    const KEY: &str = "cooldown_recovery";
    match section.text(KEY).as_deref() {
        None | Some("half-open") => Return::OnTrial,
        Some("at-once") => Return::AtOnce,
        Some(_) => {
            if let Some(node) = section.value(KEY) {
                section.expected(KEY, node, "half-open or at-once");
            }
            Return::default()
        }
    }
}

fn by_class(section: &Section<'_>) -> ByClass {
    const KEY: &str = "allowed_fails_policy";
    let mut policy = ByClass::default();
    let Some(node) = section.value(KEY) else {
        return policy;
    };
    let fields: Vec<String> = ByClass::fields(ENDING).collect();
    let path = section.path_of(KEY);
    class_map::read(
        node,
        path,
        section,
        MOST_FAILS,
        &fields,
        |field, allowed| policy.set(field, ENDING, allowed),
    );
    policy
}

/// What the environment says: the default of `cooldown_time` in milliseconds, and the thresholds.
pub fn of_environment(env: &dyn Fn(&str) -> Option<String>, sink: &Sink) -> (Option<u64>, Shares) {
    let number = |name: &str, most: f64, what: &str| {
        let text = env(name).filter(|text| !text.trim().is_empty())?;
        let number = text.trim().parse::<f64>().ok();
        let fits = number.filter(|number| (0.0..=most).contains(number));
        if fits.is_none() {
            let message =
                format!("this variable of the environment should hold {what}; it is ignored");
            sink.warning(Pos::START, name, message);
        }
        fits
    };
    let calls = |name| number(name, f64::from(MOST_FAILS), "a number of calls").map(|n| n as u32);
    let default = Shares::default();
    let seconds = number("DEFAULT_COOLDOWN_TIME_SECONDS", MOST_SECONDS, "seconds");
    let shares = Shares {
        share: number(
            "DEFAULT_FAILURE_THRESHOLD_PERCENT",
            1.0,
            "a share from 0 to 1",
        )
        .unwrap_or(default.share),
        minimum: calls("DEFAULT_FAILURE_THRESHOLD_MINIMUM_REQUESTS").unwrap_or(default.minimum),
        alone: calls("SINGLE_DEPLOYMENT_TRAFFIC_FAILURE_THRESHOLD").unwrap_or(default.alone),
    };
    (seconds.map(|seconds| (seconds * 1e3) as u64), shares)
}
