//! Names that lists leave out because nobody behind them works.

use std::collections::HashSet;

use crate::health::GetLatest;
use crate::http::error::ApiError;
use crate::http::query::Query;
use crate::http::route::{Call, now_ms};
use crate::router::{Asker, RoutingTable};
use crate::types::DeploymentId;

/// Deployments that have failed their last check of the background, not too long ago. Empty where nobody wants to know, and
/// where nothing is known: it is about what is shown, and who calls such a model all the same is served as ever.
#[derive(Default)]
pub struct Unwell(HashSet<DeploymentId>);

impl Unwell {
    /// By `healthy_only` of the query, or by `model_list_healthy_only`, which nobody can switch off for himself.
    pub async fn of(call: &Call, query: &Query) -> Result<Self, ApiError> {
        let asked = query.flag("healthy_only")?.unwrap_or(false);
        let routes = call.worker.routes();
        let checks = &routes.settings().health_checks;
        if !(asked || checks.lists_healthy_only) || !checks.in_background {
            return Ok(Self::default());
        }
        let latest = call.worker.shared.health.send(GetLatest).await;
        let stale = now_ms() - checks.staleness.as_millis() as i64;
        let counts = |at: i64| at > stale;
        let latest = latest.unwrap_or_default().into_iter();
        let failing = latest.filter(|finding| {
            let problem = finding.problem.as_ref();
            finding.by_schedule
                && counts(finding.at)
                && problem.is_some_and(|problem| {
                    problem.was_asked && !(checks.ignore_transient && problem.is_transient())
                })
        });
        Ok(Self(
            failing.map(|finding| finding.deployment.clone()).collect(),
        ))
    }

    /// All deployments that a name stands for are among them.
    pub fn hides(&self, table: &RoutingTable, name: &str, asker: Asker<'_>) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let destination = table.resolve(name, asker);
        let group = destination.ok().and_then(|to| table.group(to.group));
        let Some(group) = group.filter(|group| !group.members.is_empty()) else {
            return false;
        };
        let mut members = group.members.iter();
        members.all(|member| {
            let deployment = table.deployment(member.deployment);
            deployment.is_some_and(|deployment| self.0.contains(&deployment.id))
        })
    }
}
