//! `GET /spend/logs`.

use std::ops::Range;

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};
use time::Date;
use time::macros::format_description;
use utoipa::IntoParams;

use crate::auth::{Caller, iso};
use crate::http::error::ApiError;
use crate::http::route::Call;
use crate::store::queries::{DaySpend, LogFilter, LogQuery, PerDayQuery};
use crate::store::{ask, messages};
use crate::types::{CallStatus, HEALTH_CHECKER, KeyHash, Labels, NanoUsd, Role, SpendRow};

const MICROS_A_DAY: i64 = 24 * 60 * 60 * 1_000_000;

#[derive(Deserialize, IntoParams)]
pub struct SpendLogsQuery {
    /// A key's text or its hash.
    api_key: Option<String>,
    user_id: Option<String>,
    request_id: Option<String>,
    /// First day, `YYYY-MM-DD` in UTC; with `end_date`.
    #[param(format = Date)]
    start_date: Option<String>,
    /// Last day, included.
    #[param(format = Date)]
    end_date: Option<String>,
    /// Sums by day, when days are given and nothing else is; true when absent.
    summarize: Option<String>,
}

pub async fn logs(call: Call) -> Result<HttpResponse, ApiError> {
    let caller = call.caller()?.clone();
    let query = web::Query::<SpendLogsQuery>::from_query(call.request.query_string())
        .map_err(|error| ApiError::invalid_query("query", error.to_string()))?
        .into_inner();
    let owner = owner(&caller, query.user_id.as_deref())?;
    let days = days(&query)?;
    let store = &call.worker.shared.store.admin;
    let key = query.api_key.as_deref().map(spender);
    if key == Some(None) {
        return Ok(HttpResponse::Ok().json(json!([])));
    }
    let key = key.flatten();
    let is_summed = flag(query.summarize.as_deref())?
        && query.request_id.is_none()
        && key.is_none()
        && query.user_id.is_none();
    if let (Some(days), true) = (days, is_summed) {
        let sums = messages::SpendPerDay {
            query: PerDayQuery {
                days,
                key: None,
                user: owner,
            },
        };
        let sums = ask(store, sums).await?;
        return Ok(HttpResponse::Ok().json(sums.iter().map(summed).collect::<Vec<_>>()));
    }
    let filter = match (query.request_id, key, query.user_id) {
        (Some(id), ..) => LogFilter::RequestId(id),
        (None, Some(key), _) => LogFilter::Key(key),
        (None, None, Some(user)) => LogFilter::User(user),
        (None, None, None) => LogFilter::All,
    };
    let started = days.map(|(first, last)| started(first, last));
    let logs = messages::SpendLogs {
        query: LogQuery {
            started,
            owner,
            ..LogQuery::new(filter)
        },
    };
    let rows = ask(store, logs).await?;
    let agent_tags = !call.worker.routes().settings().asking.no_agent_tags;
    Ok(HttpResponse::Ok().json(
        rows.iter()
            .map(|row| shown(row, agent_tags))
            .collect::<Vec<_>>(),
    ))
}

/// Whose rows alone a caller sees: all for administrators and viewers, their own for others, who may not ask for another's.
pub(super) fn owner(caller: &Caller, asked: Option<&str>) -> Result<Option<String>, ApiError> {
    if matches!(caller.role(), Role::ProxyAdmin | Role::ProxyAdminViewer) {
        return Ok(None);
    }
    let user = caller.principal().user.as_ref();
    let own = user.map(|user| user.id.to_string()).unwrap_or_default();
    if asked.is_some_and(|asked| asked != own) {
        return Err(ApiError::forbidden(
            "You are not allowed to see another user's spend.",
        ));
    }
    Ok(Some(own))
}

/// The key that a filter names: its text, its hash, or the one of health checks, which nobody has.
pub(super) fn spender(text: &str) -> Option<KeyHash> {
    match text {
        HEALTH_CHECKER => Some(KeyHash::of(HEALTH_CHECKER)),
        text => super::keys::hash_of(text),
    }
}

fn flag(text: Option<&str>) -> Result<bool, ApiError> {
    match text.map(str::to_ascii_lowercase).as_deref() {
        None | Some("true" | "1") => Ok(true),
        Some("false" | "0") => Ok(false),
        Some(_) => Err(ApiError::invalid_query(
            "summarize",
            "must be true or false",
        )),
    }
}

/// First and last day, as days since 1970-01-01 UTC; both are given or none.
fn days(query: &SpendLogsQuery) -> Result<Option<(i32, i32)>, ApiError> {
    let day = |field: &'static str, text: &Option<String>| -> Result<Option<i32>, ApiError> {
        let Some(text) = text else { return Ok(None) };
        let date =
            Date::parse(text, format_description!("[year]-[month]-[day]")).map_err(|_| {
                ApiError::bad_request(
                    format!("{field} must be a date like 2030-01-31. Received: {text}"),
                    Some(field),
                )
            })?;
        Ok(Some(
            date.to_julian_day() - Date::from_ordinal_date(1970, 1).map_or(0, Date::to_julian_day),
        ))
    };
    match (
        day("start_date", &query.start_date)?,
        day("end_date", &query.end_date)?,
    ) {
        (None, None) => Ok(None),
        (Some(first), Some(last)) => Ok(Some((first, last))),
        (Some(_), None) => Err(ApiError::bad_request(
            "end_date is missing beside start_date",
            Some("end_date"),
        )),
        (None, Some(_)) => Err(ApiError::bad_request(
            "start_date is missing beside end_date",
            Some("start_date"),
        )),
    }
}

fn started(first: i32, last: i32) -> Range<i64> {
    i64::from(first) * MICROS_A_DAY..(i64::from(last) + 1) * MICROS_A_DAY
}

fn summed(day: &DaySpend) -> Value {
    let map = |sums: &std::collections::BTreeMap<String, NanoUsd>| -> Value {
        sums.iter()
            .map(|(name, spend)| (name.clone(), spend.to_f64()))
            .collect()
    };
    json!({
        "startTime": iso(i64::from(day.day) * MICROS_A_DAY / 1000).split('T').next(),
        "spend": day.spend.to_f64(),
        "users": map(&day.users),
        "models": map(&day.models),
    })
}

/// What the spend is made of, unrounded, in dollars; `null` where no price is known.
fn breakdown(row: &SpendRow) -> Value {
    let cost = &row.cost;
    if cost.unpriced {
        return Value::Null;
    }
    let parts = &cost.breakdown;
    json!({
        "service_tier": cost.service_tier,
        "input_cost": parts.whole_input().to_f64(),
        "cache_read_cost": parts.cache_read.to_f64(),
        "cache_creation_cost": parts.cache_creation.to_f64(),
        "output_cost": parts.whole_output().to_f64(),
        "reasoning_cost": parts.reasoning.to_f64(),
        "tool_usage_cost": parts.tools.to_f64(),
        "original_cost": parts.sum().to_f64(),
        "discount_amount": cost.discount.to_f64(),
        "margin_total_amount": cost.margin.to_f64(),
        "total_cost": row.spend.to_f64(),
    })
}

/// A row under LiteLLM's names. `ledger_id` and `usage_estimated` are ours; `agent_tags`: tags are made of the user agent.
pub(super) fn shown(row: &SpendRow, agent_tags: bool) -> Value {
    let at = |micros: i64| iso(micros / 1000);
    let usage = &row.usage;
    let labels = row.read_labels();
    let of_agent = row.agent_tags().filter(|_| agent_tags);
    let tags: Vec<String> = labels.tags.iter().cloned().chain(of_agent).collect();
    let failed = !matches!(row.status, CallStatus::Success);
    json!({
        "request_id": row.request_id,
        "ledger_id": row.ledger_id.to_string(),
        "litellm_call_id": row.call_id,
        "call_type": row.call_type,
        "api_key": match row.is_health_check() {
            true => HEALTH_CHECKER.to_owned(),
            false => row.key_hash.to_string(),
        },
        "spend": row.spend.to_f64(),
        "prompt_tokens": usage.prompt_tokens(),
        "completion_tokens": usage.completion_tokens(),
        "total_tokens": usage.total_tokens(),
        "startTime": at(row.started_at),
        "endTime": at(row.ended_at),
        "completionStartTime": row.first_token_at.map(at),
        "request_duration_ms": (row.ended_at - row.started_at) / 1000,
        "model": row.model,
        "model_group": row.model_group,
        "model_id": row.model_id,
        "custom_llm_provider": row.provider,
        "api_base": row.api_base,
        "user": row.user_id.as_deref().unwrap_or_default(),
        "team_id": row.team_id,
        "end_user": row.end_user.as_deref().unwrap_or_default(),
        "cache_hit": "False",
        "cache_key": "Cache OFF",
        "request_tags": tags,
        // A call that names no session is one of its own.
        "session_id": labels.session_id.as_deref().unwrap_or(&row.call_id),
        "requester_ip_address": row.client_ip,
        "status": if failed { "failure" } else { "success" },
        "metadata": metadata(row, &labels),
    })
}

fn metadata(row: &SpendRow, labels: &Labels) -> Value {
    let usage = &row.usage;
    let failed = !matches!(row.status, CallStatus::Success);
    json!({
        "status": row.status.as_str(),
        "user_api_key_alias": row.is_health_check().then_some(HEALTH_CHECKER),
        "user_agent": row.user_agent,
        "spend_logs_metadata": labels.spend_logs_metadata,
        "usage_estimated": row.usage_estimated,
        "unpriced": row.cost.unpriced,
        "cost_breakdown": breakdown(row),
        "attempted_retries": row.retries,
        "previous_models": labels.previous_models,
        "is_silent_experiment": labels.is_silent_experiment.then_some(true),
        "additional_usage_values": {
            "cache_read_input_tokens": usage.cache_read,
            "cache_creation_input_tokens": usage.cache_write_5m.saturating_add(usage.cache_write_1h),
            "reasoning_tokens": usage.reasoning,
            "input_audio_tokens": usage.input_audio,
            "output_audio_tokens": usage.output_audio,
        },
        "error_information": failed.then(|| json!({
            "error_code": row.http_status.to_string(),
            "error_class": row.error_class,
        })),
    })
}
