//! Panics on purpose, of test builds alone.
//!
//! `POINTSMAN_FAULTS=at=router.begin+journey.*,rate=0.01,count=5,seed=7` says where, how probably, how often at most, and
//! where chance begins. Nothing happens before SIGUSR2, and nothing after the next one. They unwind without a message, so
//! that a log with `panicked at` still tells of a panic that nobody wanted.

use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

const VARIABLE: &str = "POINTSMAN_FAULTS";

struct Plan {
    /// Names, or beginnings of names that end with `*`.
    at: Vec<String>,
    /// Of a million visits.
    per_million: u64,
    left: AtomicU64,
    random: AtomicU64,
    armed: AtomicBool,
}

static PLAN: OnceLock<Option<Plan>> = OnceLock::new();

impl Plan {
    fn read(text: &str) -> Result<Self, String> {
        let mut plan = Self {
            at: Vec::new(),
            per_million: 1_000_000,
            left: AtomicU64::new(u64::MAX),
            random: AtomicU64::new(1),
            armed: AtomicBool::new(false),
        };
        for part in text.split(',') {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let wrong = || format!("{VARIABLE}: '{part}' is not understood");
            let number = || value.parse::<u64>().map_err(|_| wrong());
            match name {
                "at" => plan.at = value.split('+').map(str::to_owned).collect(),
                "rate" => {
                    let rate: f64 = value.parse().map_err(|_| wrong())?;
                    plan.per_million = (rate * 1e6) as u64;
                }
                "count" => plan.left = AtomicU64::new(number()?),
                "seed" => plan.random = AtomicU64::new(number()?),
                _ => return Err(wrong()),
            }
        }
        Ok(plan)
    }

    fn is_meant(&self, name: &str) -> bool {
        let meant = |pattern: &String| match pattern.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => name == pattern,
        };
        self.at.iter().any(meant)
    }

    fn strikes(&self, name: &str) -> bool {
        if !self.armed.load(Ordering::Relaxed) || !self.is_meant(name) {
            return false;
        }
        // SplitMix64.
        let mut random = self
            .random
            .fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        random = (random ^ (random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        random = (random ^ (random >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        random ^= random >> 31;
        let one_less = |left: u64| left.checked_sub(1);
        random % 1_000_000 < self.per_million
            && self
                .left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less)
                .is_ok()
    }
}

thread_local! {
    static SUSPENDED: Cell<bool> = const { Cell::new(false) };
}

/// Nothing strikes while `step` runs, which must not panic.
pub fn suspended<T>(step: impl FnOnce() -> T) -> T {
    SUSPENDED.set(true);
    let done = step();
    SUSPENDED.set(false);
    done
}

pub fn strikes(name: &'static str) -> bool {
    // A second panic while one unwinds would end the process.
    !std::thread::panicking()
        && !SUSPENDED.get()
        && PLAN
            .get()
            .and_then(Option::as_ref)
            .is_some_and(|plan| plan.strikes(name))
}

pub fn visit(name: &'static str) {
    if strikes(name) {
        log::warn!("faults: a panic on purpose at {name}");
        std::panic::resume_unwind(Box::new("on purpose"));
    }
}

pub fn listen() {
    let read = |text: String| {
        Plan::read(&text)
            .inspect_err(|why| log::error!("{why}"))
            .ok()
    };
    let plan = PLAN.get_or_init(|| std::env::var(VARIABLE).ok().and_then(read));
    let kind = actix_rt::signal::unix::SignalKind::user_defined2();
    if let (Some(plan), Ok(mut signal)) = (plan, actix_rt::signal::unix::signal(kind)) {
        actix_rt::spawn(async move {
            while signal.recv().await.is_some() {
                let armed = !plan.armed.fetch_xor(true, Ordering::Relaxed);
                log::warn!("faults: {}", if armed { "armed" } else { "disarmed" });
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_strikes_where_and_as_often_as_it_says() {
        let plan = Plan::read("at=router.begin+journey.*,count=2").unwrap();
        assert!(!plan.strikes("router.begin"), "not before it is armed");
        plan.armed.store(true, Ordering::Relaxed);
        assert!(!plan.strikes("router.end"));
        assert!(plan.strikes("router.begin") && plan.strikes("journey.settle"));
        assert!(!plan.strikes("router.begin"), "that was all");
        let plan = Plan::read("at=*,rate=0.1,seed=5").unwrap();
        plan.armed.store(true, Ordering::Relaxed);
        let struck = (0..10_000).filter(|_| plan.strikes("a.b")).count();
        assert!((800..1200).contains(&struck), "{struck}");
        assert!(Plan::read("at=*,rate=often").is_err());
    }
}
