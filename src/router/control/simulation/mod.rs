//! The control thread's whole state under a clock and a chance of our own: thousands of small worlds in which deployments fail,
//! slow down, limit and recover, while callers arrive, retry, fall back and leave. After every turn all that must hold is
//! checked, and a world in which it does not is named by its seed.
//!
//! Two runs of one world do not differ in a single decision, whatever the strategy.
//!
//! `POINTSMAN_SIMULATION_SEED=<n>` plays one world again; `POINTSMAN_SIMULATIONS=<n>` plays more than CI does.

mod books;
mod call;
mod invariants;
mod play;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::policy::strategies::StrategyName;
use play::Play;

/// Worlds of one run: a few seconds.
const WORLDS: u64 = 2_000;
/// Worlds of each strategy that are played twice.
const PAIRS: u64 = 40;

fn variable(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is no number: {text}")),
    )
}

#[test]
fn whatever_happens_nothing_leaks_and_no_limit_is_passed() {
    if let Some(seed) = variable("POINTSMAN_SIMULATION_SEED") {
        let told = Play::new(seed).run();
        println!("{told:?}");
        return;
    }
    // Other worlds every time, so that many runs see many; one that fails tells how to see it again.
    let first = fastrand::u64(..1 << 40);
    let mut sum = play::Told::default();
    for seed in first..first + variable("POINTSMAN_SIMULATIONS").unwrap_or(WORLDS) {
        match catch_unwind(AssertUnwindSafe(|| Play::new(seed).run())) {
            Ok(told) => sum.add(&told),
            Err(panic) => {
                eprintln!("play it again: POINTSMAN_SIMULATION_SEED={seed}");
                std::panic::resume_unwind(panic);
            }
        }
    }
    // Or the worlds are too quiet to mean anything.
    let play::Told {
        answered,
        failed,
        left,
        refused,
        busy,
        cooling,
        over_budget,
        limited,
        cooldowns,
        retries,
        fallbacks,
        changes,
    } = sum;
    for (what, count) in [
        ("answered", answered),
        ("failed", failed),
        ("left", left),
        ("refused", refused),
        ("busy", busy),
        ("cooling", cooling),
        ("over budget", over_budget),
        ("limited", limited),
        ("cooldowns", cooldowns),
        ("retries", retries),
        ("fallbacks", fallbacks),
        ("changes", changes),
    ] {
        assert!(count > 100, "only {count} {what}: {sum:?}");
    }
}

/// Where two runs part, if they do.
fn parting(mut one: Play, mut other: Play) -> Option<(String, String)> {
    loop {
        match (one.overheard(), other.overheard()) {
            (None, None) => return None,
            (here, there) if here == there => {}
            (here, there) => return Some((here.unwrap_or_default(), there.unwrap_or_default())),
        }
    }
}

#[test]
fn the_same_input_and_seed_give_the_same_decisions() {
    let first = variable("POINTSMAN_SIMULATION_SEED").unwrap_or_else(|| fastrand::u64(..1 << 40));
    for strategy in StrategyName::ALL {
        let by = |seed| Play::by(strategy, seed);
        for seed in first..first + PAIRS {
            if let Some((one, other)) = parting(by(seed), by(seed)) {
                panic!(
                    "{strategy}, POINTSMAN_SIMULATION_SEED={seed}: once\n{one}and once\n{other}"
                );
            }
        }
    }
    // Or the comparison is blind: where chance decides, another chance is seen.
    let is_seen = |seed| {
        let play = || Play::by(StrategyName::SimpleShuffle, seed);
        let mut other = play();
        other.shift_chance();
        parting(play(), other).is_some()
    };
    assert!((first..first + PAIRS).any(is_seen));
}
