//! Findings as the database keeps them.

use std::time::Duration;

use serde_json::{Map, Value};

use super::board::{Finding, Problem};
use crate::store::messages::KeepFindings;
use crate::store::{HealthRow, Store, ask};
use crate::types::LedgerId;

/// Writes findings down. That is not worth an error to anybody: while the database is away they are lost.
pub async fn keep(store: &Store, findings: &[Finding]) {
    let rows: Vec<HealthRow> = findings.iter().map(row).collect();
    if !rows.is_empty()
        && let Err(error) = ask(&store.admin, KeepFindings { rows }).await
    {
        log::warn!("findings of health checks are not written down: {error}");
    }
}

fn row(finding: &Finding) -> HealthRow {
    let limits = finding.rate_limits.iter().cloned();
    let limits: Map<String, Value> = limits.map(|(name, value)| (name, value.into())).collect();
    let problem = finding.problem.as_ref();
    HealthRow {
        id: LedgerId::now().as_bytes().to_vec(),
        model_id: finding.deployment.to_string(),
        model_name: finding.group.to_string(),
        model: finding.model.to_string(),
        is_healthy: problem.is_none(),
        status: problem
            .filter(|problem| problem.was_asked)
            .map(|problem| i32::from(problem.status)),
        // PostgreSQL takes no NUL.
        error: problem.map(|problem| problem.message.replace('\0', "?")),
        rate_limits: Value::Object(limits).to_string(),
        took_us: i64::try_from(finding.took.as_micros()).unwrap_or(i64::MAX),
        by_schedule: finding.by_schedule,
        checked_at: finding.at,
    }
}

/// What a row says. It does not say how a failure counts towards a cooldown: it has counted where it was found.
pub fn of_row(row: &HealthRow) -> Finding {
    let limits: Map<String, Value> = serde_json::from_str(&row.rate_limits).unwrap_or_default();
    let text = |value: Value| value.as_str().map(str::to_owned);
    let problem = || Problem {
        status: row
            .status
            .and_then(|status| u16::try_from(status).ok())
            .unwrap_or(500),
        message: row.error.clone().unwrap_or_default(),
        was_asked: row.status.is_some(),
        fault: None,
    };
    Finding {
        deployment: row.model_id.as_str().into(),
        group: row.model_name.as_str().into(),
        model: row.model.as_str().into(),
        problem: (!row.is_healthy).then(problem),
        rate_limits: limits
            .into_iter()
            .filter_map(|(name, value)| Some((name, text(value)?)))
            .collect(),
        took: Duration::from_micros(u64::try_from(row.took_us).unwrap_or_default()),
        at: row.checked_at,
        by_schedule: row.by_schedule,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_down_is_read_back() {
        let works = Finding {
            deployment: "id".into(),
            group: "g".into(),
            model: "openai/m".into(),
            problem: None,
            rate_limits: vec![("x-ratelimit-remaining-requests".into(), "9".into())],
            took: Duration::from_micros(1_234),
            at: 1_790_000_000_000,
            by_schedule: true,
        };
        let fails = Finding {
            problem: Some(Problem {
                status: 401,
                message: "no\0".into(),
                was_asked: true,
                fault: None,
            }),
            ..works.clone()
        };
        assert_eq!(of_row(&row(&works)), works);
        let read = of_row(&row(&fails));
        assert_eq!(
            read.problem.map(|problem| problem.message),
            Some("no?".into())
        );
    }
}
