//! The control thread's whole state under a clock and a chance of our own: thousands of small worlds in which deployments fail,
//! slow down, limit and recover, while callers arrive, retry, fall back and leave. After every turn all that must hold is
//! checked, and a world in which it does not is named by its seed.
//!
//! `POINTSMAN_SIMULATION_SEED=<n>` plays one world again; `POINTSMAN_SIMULATIONS=<n>` plays more than CI does.

mod call;
mod invariants;
mod play;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use play::Play;

/// Worlds of one run: a few seconds.
const WORLDS: u64 = 2_000;

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
        cooldowns,
        retries,
        fallbacks,
    } = sum;
    for (what, count) in [
        ("answered", answered),
        ("failed", failed),
        ("left", left),
        ("refused", refused),
        ("busy", busy),
        ("cooling", cooling),
        ("cooldowns", cooldowns),
        ("retries", retries),
        ("fallbacks", fallbacks),
    ] {
        assert!(count > 100, "only {count} {what}: {sum:?}");
    }
}
