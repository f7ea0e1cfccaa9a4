//! Findings, newest last.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::policy::cooldown::Fault;
use crate::types::DeploymentId;

/// Findings that are kept beside the last one of each deployment.
const MOST_FORMER: usize = 1_000;
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
    /// What it tells about the deployment; `None`: nothing was sent.
    pub fault: Option<Fault>,
}

impl Problem {
    /// It may be gone by itself in a moment: too slow, or too much asked (408, 429).
    pub fn is_transient(&self) -> bool {
        matches!(self.status, 408 | 429)
    }
}

/// Which former findings are asked for.
#[derive(Clone, Debug, Default)]
pub struct HistoryFilter {
    /// Of this group only.
    pub group: Option<String>,
    pub is_healthy: Option<bool>,
    /// To pass over, from the newest.
    pub offset: usize,
    pub limit: usize,
}

/// Some of the former findings.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// Newest first.
    pub findings: Vec<Arc<Finding>>,
    /// How many there are with the same filter.
    pub total: usize,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Board {
    latest: HashMap<DeploymentId, Arc<Finding>>,
    former: VecDeque<Arc<Finding>>,
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
            self.latest
                .insert(finding.deployment.clone(), finding.clone());
            if self.former.len() >= MOST_FORMER {
                self.former.pop_front();
            }
            self.former.push_back(finding);
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

    pub fn history(&self, filter: &HistoryFilter) -> Page {
        let is_asked = |finding: &&Arc<Finding>| {
            let group = filter.group.as_deref();
            let is_healthy = finding.problem.is_none();
            group.is_none_or(|group| group == &*finding.group)
                && filter.is_healthy.is_none_or(|asked| asked == is_healthy)
        };
        let newest_first = || self.former.iter().rev().filter(is_asked);
        Page {
            findings: newest_first()
                .skip(filter.offset)
                .take(filter.limit)
                .cloned()
                .collect(),
            total: newest_first().count(),
        }
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
                fault: None,
            }),
            rate_limits: Vec::new(),
            took: Duration::ZERO,
            at,
            by_schedule: true,
        }
    }

    #[test]
    fn the_last_finding_counts_and_former_ones_are_kept() {
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
        let history = |group: Option<&str>, is_healthy, offset, limit| {
            let page = board.history(&HistoryFilter {
                group: group.map(str::to_owned),
                is_healthy,
                offset,
                limit,
            });
            let ids: Vec<String> = page
                .findings
                .iter()
                .map(|f| format!("{}{}", &*f.deployment, f.at))
                .collect();
            (ids.join(" "), page.total)
        };
        assert_eq!(history(None, None, 0, 9), ("a2 b1 a1".into(), 3));
        assert_eq!(history(None, None, 1, 1), ("b1".into(), 3));
        assert_eq!(history(Some("group of a"), None, 0, 9), ("a2 a1".into(), 2));
        assert_eq!(history(None, Some(false), 0, 9), ("a1".into(), 1));
        assert_eq!(history(None, None, 9, 9), (String::new(), 3));
    }

    #[test]
    fn nothing_grows_without_bound() {
        let mut board = Board::default();
        for at in 0..(MOST_DEPLOYMENTS as i64 + 20) {
            board.post(vec![finding(&format!("d{at}"), at, None)]);
        }
        assert_eq!(board.latest().len(), MOST_DEPLOYMENTS);
        assert!(board.latest().iter().all(|finding| finding.at >= 20));
        let page = board.history(&HistoryFilter {
            limit: usize::MAX,
            ..HistoryFilter::default()
        });
        assert_eq!(
            (page.findings.len(), page.total),
            (MOST_FORMER, MOST_FORMER)
        );
    }
}
