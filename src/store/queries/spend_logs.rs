//! Rows of the spend log, newest first.

use std::ops::Range;

use diesel::prelude::*;
use diesel::query_dsl::LoadQuery;

use super::super::connection::MultiBackend;
use super::super::flush::spend_row;
use super::super::names::{NameKind, id_of, storable, texts_of};
use super::super::rows::LogRow;
use super::super::schema::{daily_spend, spend_logs};
use super::super::{AnyConnection, StoreError};
use crate::types::{KeyHash, SpendRow};

/// No answer has more rows (LiteLLM 1.106.2, `GET /spend/logs`).
pub const MOST_ROWS: usize = 10_000;

/// Which rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogFilter {
    All,
    /// The provider's id of an answer, or the call id of a call without one.
    RequestId(String),
    Key(KeyHash),
    User(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogQuery {
    pub filter: LogFilter,
    /// Start times, microseconds since the Unix epoch.
    pub started: Option<Range<i64>>,
    /// Only rows of this user, whatever the filter: for callers who see but their own.
    pub owner: Option<String>,
    /// At most `MOST_ROWS`.
    pub limit: usize,
}

impl LogQuery {
    pub fn new(filter: LogFilter) -> Self {
        Self {
            filter,
            started: None,
            owner: None,
            limit: MOST_ROWS,
        }
    }
}

/// The rows a query asks for, with their names.
pub fn spend_logs(conn: &mut AnyConnection, query: &LogQuery) -> Result<Vec<SpendRow>, StoreError> {
    let limit = i64::try_from(query.limit.min(MOST_ROWS)).unwrap_or_default();
    let Some(query) = filtered(conn, query)? else {
        return Ok(Vec::new());
    };
    let query = query
        .order((spend_logs::started_at.desc(), spend_logs::ledger_id.desc()))
        .limit(limit);
    with_names(conn, query.select(LogRow::as_select()))
}

/// Loads rows and the names in them.
pub(super) fn with_names<'q, Q>(
    conn: &mut AnyConnection,
    query: Q,
) -> Result<Vec<SpendRow>, StoreError>
where
    Q: LoadQuery<'q, AnyConnection, LogRow<'static>>,
{
    let rows: Vec<LogRow<'static>> = query.load(conn)?;
    let texts = texts_of(conn, rows.iter().flat_map(names_in))?;
    rows.iter().map(|row| spend_row(row, &texts)).collect()
}

pub(super) type Logs<'q> = spend_logs::BoxedQuery<'q, MultiBackend>;

/// The rows a query asks for, in no order and without its limit.
///
/// `None`: no row can match, because the ledger has never met that name.
///
/// Indexes: by request (request_id); by key (key_ref, started_at); by time (started_at, ledger_id); by user the keys it
/// used, known from the days' sums (user_ref, day), then (key_ref, started_at) of each.
pub(super) fn filtered<'q>(
    conn: &mut AnyConnection,
    query: &LogQuery,
) -> Result<Option<Logs<'q>>, StoreError> {
    let mut rows = spend_logs::table.into_boxed();
    if let Some(started) = &query.started {
        rows = rows
            .filter(spend_logs::started_at.ge(started.start))
            .filter(spend_logs::started_at.lt(started.end));
    }
    let mut users = Vec::from_iter(&query.owner);
    match &query.filter {
        LogFilter::All => {}
        LogFilter::RequestId(id) => {
            rows = rows.filter(spend_logs::request_id.eq(storable(id).into_owned()))
        }
        LogFilter::Key(hash) => {
            let Some(key) = id_of(conn, NameKind::Key, &hash.to_string())? else {
                return Ok(None);
            };
            rows = rows.filter(spend_logs::key_ref.eq(key));
        }
        LogFilter::User(user) => users.push(user),
    }
    for user in users {
        let Some(user) = id_of(conn, NameKind::User, user)? else {
            return Ok(None);
        };
        rows = rows.filter(spend_logs::user_ref.eq(user));
        if !matches!(query.filter, LogFilter::RequestId(_) | LogFilter::Key(_)) {
            let keys = daily_spend::table
                .filter(daily_spend::user_ref.eq(user))
                .select(daily_spend::key_ref);
            rows = rows.filter(spend_logs::key_ref.eq_any(keys));
        }
    }
    Ok(Some(rows))
}

fn names_in(row: &LogRow<'_>) -> impl Iterator<Item = i32> {
    let always = [
        row.key_ref,
        row.call_type_ref,
        row.model_ref,
        row.model_group_ref,
        row.deployment_ref,
        row.provider_ref,
        row.api_base_ref,
    ];
    let sometimes = [
        row.user_ref,
        row.team_ref,
        row.end_user_ref,
        row.error_class_ref,
        row.client_ip_ref,
        row.user_agent_ref,
    ];
    always.into_iter().chain(sometimes.into_iter().flatten())
}
