//! `GET /spend/logs/v2` and `/spend/logs/ui`: the spend log page by page.

use std::ops::Range;

use actix_web::HttpResponse;
use serde::Deserialize;
use serde_json::{Value, json};
use time::PrimitiveDateTime;
use time::macros::format_description;
use utoipa::IntoParams;

use super::spend_logs::{owner, shown, spender};
use crate::http::error::ApiError;
use crate::http::query::Query;
use crate::http::route::Call;
use crate::store::queries::{LogFilter, LogOrder, LogPage, LogQuery, MOST_COUNTED};
use crate::store::{ask, messages};
use crate::types::{HEALTH_CHECKER, KeyHash, NanoUsd};

const PAGE_SIZE: i64 = 50;
const MOST_A_PAGE: i64 = 1000;

#[derive(Deserialize, IntoParams)]
#[allow(dead_code, reason = "its schema; the parameters are read one by one")]
pub struct SpendLogsPageQuery {
    /// `YYYY-MM-DD HH:MM:SS` in UTC, included.
    start_date: Option<String>,
    /// The same, included.
    end_date: Option<String>,
    /// A key's text or its hash.
    api_key: Option<String>,
    user_id: Option<String>,
    request_id: Option<String>,
    team_id: Option<String>,
    end_user: Option<String>,
    /// The provider's name of the model.
    model: Option<String>,
    model_group: Option<String>,
    /// A deployment's id.
    model_id: Option<String>,
    /// US dollars.
    min_spend: Option<String>,
    /// US dollars.
    max_spend: Option<String>,
    /// `success` or `failure`.
    status_filter: Option<String>,
    /// Without checks of deployments.
    exclude_internal_health_checks: Option<bool>,
    /// HTTP status of a failure.
    error_code: Option<String>,
    /// `startTime` (when absent), `endTime`, `request_duration_ms`, `ttft_ms`, `spend` or `total_tokens`.
    sort_by: Option<String>,
    /// `desc` (when absent) or `asc`.
    sort_order: Option<String>,
    /// From 1.
    page: Option<String>,
    /// Rows of a page: 50 when absent, at most 1000.
    page_size: Option<String>,
}

pub async fn page(call: Call) -> Result<HttpResponse, ApiError> {
    let query = Query::of(&call.request);
    let whole =
        |name, default, most| Ok::<_, ApiError>(query.whole(name, 1..=most)?.unwrap_or(default));
    let number = whole("page", 1, 1_000_000)?;
    let size = whole("page_size", PAGE_SIZE, MOST_A_PAGE)?;
    let (rows, total) = match wanted(&call, &query, number, size)? {
        Some(page) => {
            let store = &call.worker.shared.store.admin;
            ask(store, messages::SpendLogsPage { page }).await?
        }
        None => (Vec::new(), 0),
    };
    let agent_tags = !call.worker.routes().settings().asking.no_agent_tags;
    let is_capped = total > MOST_COUNTED;
    let total = total.min(MOST_COUNTED) as i64;
    Ok(HttpResponse::Ok().json(json!({
        "data": rows.iter().map(|row| shown(row, agent_tags)).collect::<Vec<Value>>(),
        "total": total,
        "page": number,
        "page_size": size,
        "total_pages": (total + size - 1) / size,
        "total_is_capped": is_capped,
    })))
}

/// `None`: nothing can match, because `api_key` is no key.
fn wanted(call: &Call, query: &Query, number: i64, size: i64) -> Result<Option<LogPage>, ApiError> {
    let text = |name| query.text(name).map(str::to_owned);
    let owner = owner(call.caller()?, query.text("user_id"))?.or_else(|| text("user_id"));
    let key = match query.text("api_key").map(spender) {
        Some(None) => return Ok(None),
        key => key.flatten(),
    };
    // One of them finds rows by an index, the others narrow what it finds.
    let filter = match (text("request_id"), key, text("user_id")) {
        (Some(id), ..) => LogFilter::RequestId(id),
        (None, Some(key), _) => LogFilter::Key(key),
        (None, None, Some(user)) => LogFilter::User(user),
        (None, None, None) => LogFilter::All,
    };
    let whole = |number: i64| usize::try_from(number).unwrap_or_default();
    let logs = LogQuery {
        started: Some(started(query)?),
        owner,
        limit: whole(size),
        ..LogQuery::new(filter)
    };
    let outcomes = [("success", true), ("failure", false)];
    let directions = [("asc", true), ("desc", false)];
    Ok(Some(LogPage {
        team: text("team_id"),
        without_key: query
            .flag("exclude_internal_health_checks")?
            .unwrap_or(false)
            .then(|| KeyHash::of(HEALTH_CHECKER)),
        end_user: text("end_user"),
        model: text("model"),
        model_group: text("model_group"),
        model_id: text("model_id"),
        spend_from: dollars("min_spend", query)?,
        spend_to: dollars("max_spend", query)?,
        succeeded: one_of("status_filter", query, &outcomes)?,
        http_status: query
            .whole("error_code", 100..=599)?
            .and_then(|code| u16::try_from(code).ok()),
        order: one_of("sort_by", query, &ORDERS)?.unwrap_or_default(),
        ascending: one_of("sort_order", query, &directions)?.unwrap_or(false),
        offset: whole((number - 1).saturating_mul(size)),
        ..LogPage::of(logs)
    }))
}

const ORDERS: [(&str, LogOrder); 6] = [
    ("startTime", LogOrder::Started),
    ("endTime", LogOrder::Ended),
    ("request_duration_ms", LogOrder::Duration),
    ("ttft_ms", LogOrder::FirstToken),
    ("spend", LogOrder::Spend),
    ("total_tokens", LogOrder::Tokens),
];

fn one_of<T: Copy>(
    field: &'static str,
    query: &Query,
    known: &[(&str, T)],
) -> Result<Option<T>, ApiError> {
    let Some(text) = query.text(field) else {
        return Ok(None);
    };
    let found = known.iter().find(|(name, _)| *name == text);
    found.map(|(_, value)| Some(*value)).ok_or_else(|| {
        let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        let message = format!("{field} must be one of {}", names.join(", "));
        ApiError::bad_request(message, Some(field))
    })
}

fn dollars(field: &'static str, query: &Query) -> Result<Option<NanoUsd>, ApiError> {
    let read = query.text(field).map(str::parse::<NanoUsd>).transpose();
    read.map_err(|error| ApiError::invalid_query(field, error.to_string()))
}

/// Microseconds since the epoch; the second of the end is in it.
fn started(query: &Query) -> Result<Range<i64>, ApiError> {
    let read = |field: &'static str| {
        let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
        query
            .text(field)
            .and_then(|text| PrimitiveDateTime::parse(text, format).ok())
            .map(|time| time.assume_utc().unix_timestamp())
            .ok_or_else(|| {
                let message = format!("{field} is required as YYYY-MM-DD HH:MM:SS in UTC");
                ApiError::bad_request(message, Some(field))
            })
    };
    let (start, end) = (read("start_date")?, read("end_date")?);
    Ok(start * 1_000_000..(end + 1) * 1_000_000)
}
