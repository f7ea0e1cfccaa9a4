//! The last finding of each deployment.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::policy::cooldown::Fault;
use crate::types::DeploymentId;

/// Deployments whose last finding is kept: those that were asked long ago make room.
const MOST_DEPLOYMENTS: usize = 10_000;

/// What a deployment answered when it was asked whether it works.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    pub deployment: DeploymentId,
    /// The model group.
    pub group: Arc<str>,
    /// `litellm_params.model`.
    pub model: Arc<str>,
    /// `None`: it works.
    pub problem: Option<Problem>,
    /// The `x-ratelimit-…` headers of its answer.
    pub rate_limits: Vec<(String, String)>,
    pub took: Duration,
    /// Milliseconds since the Unix epoch.
    pub at: i64,
    /// By the background, not by a caller.
    pub by_schedule: bool,
}

/// Why a deployment does not work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The HTTP status that a client would get.
    pub status: u16,
    pub message: String,
    /// Something was sent: it is a failure of the deployment, not of what is said about it.
    pub was_asked: bool,
    /// How it counts towards a cooldown, if it does.
    pub fault: Option<Fault>,
}

impl Problem {
    /// It may be gone by itself in a moment: too slow, or too much asked (408, 429).
    pub fn is_transient(&self) -> bool {
        matches!(self.status, 408 | 429)
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct Board {
    latest: HashMap<DeploymentId, Arc<Finding>>,
}

impl Board {
    pub fn post(&mut self, findings: Vec<Finding>) {
        for finding in findings {
            let finding = Arc::new(finding);
            if self.latest.len() >= MOST_DEPLOYMENTS
                && !self.latest.contains_key(&finding.deployment)
            {
                self.forget_the_oldest();
            }
            self.latest.insert(finding.deployment.clone(), finding);
        }
    }

    fn forget_the_oldest(&mut self) {
        let oldest = self.latest.values().min_by_key(|finding| finding.at);
        if let Some(id) = oldest.map(|finding| finding.deployment.clone()) {
            self.latest.remove(&id);
        }
    }

    /// The last finding of each deployment, in no order.
    pub fn latest(&self) -> Vec<Arc<Finding>> {
        self.latest.values().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(id: &str, at: i64, status: Option<u16>) -> Finding {
        Finding {
            deployment: id.into(),
            group: format!("group of {id}").into(),
            model: "openai/m".into(),
            problem: status.map(|status| Problem {
                status,
                message: "no".into(),
                was_asked: true,
                fault: None,
            }),
            rate_limits: Vec::new(),
            took: Duration::ZERO,
            at,
            by_schedule: true,
        }
    }

    #[test]
    fn the_last_finding_counts() {
        let mut board = Board::default();
        board.post(vec![finding("a", 1, Some(500)), finding("b", 1, None)]);
        board.post(vec![finding("a", 2, None)]);
        let mut latest = board.latest();
        latest.sort_by_key(|finding| finding.at);
        let seen: Vec<_> = latest
            .iter()
            .map(|f| (&*f.deployment, f.problem.is_none()))
            .collect();
        assert_eq!(seen, [("b", true), ("a", true)]);
    }

    #[test]
    fn nothing_grows_without_bound() {
        let mut board = Board::default();
        for at in 0..(MOST_DEPLOYMENTS as i64 + 20) {
            board.post(vec![finding(&format!("d{at}"), at, None)]);
        }
        assert_eq!(board.latest().len(), MOST_DEPLOYMENTS);
        assert!(board.latest().iter().all(|finding| finding.at >= 20));
    }
}
