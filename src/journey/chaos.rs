//! Rehearsals: for a bounded time a share of one deployment's calls is delayed or fails, as if its provider had done it.
//!
//! An administrator asks for them. What follows (retries, fallbacks, cooldowns, rows) is the code of every failure.

use std::time::{Duration, Instant};

use arc_swap::ArcSwap;

use crate::types::DeploymentId;

/// Disturbances at the same time.
const MOST: usize = 100;

/// What a share of a deployment's calls meets.
#[derive(Clone, Debug, PartialEq)]
pub struct Disturbance {
    pub deployment: DeploymentId,
    /// In `(0, 1]`.
    pub share: f64,
    /// The status that calls fail with, 400 to 599; `None`: they are only delayed.
    pub status: Option<u16>,
    pub delay: Duration,
    /// It is over then.
    pub until: Instant,
}

/// See the module. Shared by all threads; while there is none a call pays for one look at an empty list.
#[derive(Debug, Default)]
pub struct Chaos {
    disturbances: ArcSwap<Vec<Disturbance>>,
}

/// There are as many as there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{MOST} disturbances are under way already: end one before")]
pub struct TooMany;

impl Chaos {
    /// Begins one, in the place of an earlier one of the same deployment.
    pub fn begin(&self, new: Disturbance, now: Instant) -> Result<(), TooMany> {
        let mut begun = Ok(());
        self.disturbances.rcu(|all| {
            let mut kept = under_way(all, now);
            kept.retain(|own| own.deployment != new.deployment);
            begun = if kept.len() < MOST {
                kept.push(new.clone());
                Ok(())
            } else {
                Err(TooMany)
            };
            kept
        });
        begun
    }

    /// Ends that of a deployment, or all of them; how many there were.
    pub fn end(&self, deployment: Option<&str>, now: Instant) -> usize {
        let mut ended = 0;
        self.disturbances.rcu(|all| {
            let mut kept = under_way(all, now);
            let before = kept.len();
            kept.retain(|own| deployment.is_some_and(|ended| *own.deployment != *ended));
            ended = before - kept.len();
            kept
        });
        ended
    }

    /// Those that are not over.
    pub fn under_way(&self, now: Instant) -> Vec<Disturbance> {
        under_way(&self.disturbances.load(), now)
    }

    /// What a call of a deployment meets, if anything. `chance` is uniform in `[0, 1)`.
    pub fn strikes(&self, deployment: &str, chance: f64, now: Instant) -> Option<Disturbance> {
        let all = self.disturbances.load();
        if all.is_empty() {
            return None;
        }
        if all.iter().all(|own| own.until <= now) {
            // The last one is over: later calls find nothing to look through.
            self.disturbances.rcu(|all| under_way(all, now));
            return None;
        }
        let mut all = all.iter();
        let own = all.find(|own| *own.deployment == *deployment && now < own.until)?;
        (chance < own.share).then(|| own.clone())
    }
}

fn under_way(all: &[Disturbance], now: Instant) -> Vec<Disturbance> {
    all.iter().filter(|own| now < own.until).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disturbance(deployment: &str, until: Instant) -> Disturbance {
        Disturbance {
            deployment: deployment.into(),
            share: 0.25,
            status: Some(503),
            delay: Duration::ZERO,
            until,
        }
    }

    #[test]
    fn a_share_of_one_deployments_calls_for_a_while() {
        let chaos = Chaos::default();
        let now = Instant::now();
        let end = now + Duration::from_secs(9);
        chaos.begin(disturbance("a", end), now).unwrap();
        assert!(chaos.strikes("a", 0.24, now).is_some());
        assert!(chaos.strikes("a", 0.25, now).is_none());
        assert!(chaos.strikes("b", 0.0, now).is_none());
        assert!(chaos.strikes("a", 0.0, end).is_none());
        let again = Disturbance {
            share: 1.0,
            ..disturbance("a", end)
        };
        chaos.begin(again, now).unwrap();
        assert_eq!(chaos.under_way(now).len(), 1);
        assert!(chaos.strikes("a", 0.9, now).is_some());
        assert_eq!((chaos.end(Some("b"), now), chaos.end(None, now)), (0, 1));
        assert!(chaos.strikes("a", 0.0, now).is_none());
        for at in 0..MOST {
            chaos.begin(disturbance(&at.to_string(), end), now).unwrap();
        }
        assert_eq!(chaos.begin(disturbance("a", end), now), Err(TooMany));
        assert_eq!(chaos.begin(disturbance("a", end), end), Ok(()));
    }

    #[test]
    fn what_is_over_is_forgotten() {
        let chaos = Chaos::default();
        let now = Instant::now();
        let (soon, late) = (now + Duration::from_secs(1), now + Duration::from_secs(9));
        chaos.begin(disturbance("a", soon), now).unwrap();
        chaos.begin(disturbance("b", late), now).unwrap();
        assert!(chaos.strikes("a", 0.0, soon).is_none());
        assert!(chaos.strikes("b", 0.0, soon).is_some());
        assert!(chaos.strikes("b", 0.0, late).is_none());
        assert!(chaos.disturbances.load().is_empty());
    }

    /// Whoever has begun one has it, and whoever has ended one is rid of it, whatever others do meanwhile.
    #[test]
    fn changes_at_the_same_time_are_all_made() {
        let chaos = Chaos::default();
        let now = Instant::now();
        let end = now + Duration::from_secs(9);
        let is_under_way = |id: &str| {
            let all = chaos.under_way(now);
            all.iter().any(|own| *own.deployment == *id)
        };
        let begin_and_end = &|id: &str| {
            for _ in 0..2_000 {
                chaos.begin(disturbance(id, end), now).unwrap();
                assert!(is_under_way(id));
                assert_eq!(chaos.end(Some(id), now), 1);
                assert!(!is_under_way(id));
            }
        };
        std::thread::scope(|scope| {
            for id in ["a", "b", "c", "d"] {
                scope.spawn(move || begin_and_end(id));
            }
        });
    }
}
