//! The spend log page by page, narrowed down and sorted.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::BigInt;

use super::super::flush::SUCCESS;
use super::super::names::{NameKind, id_of};
use super::super::rows::LogRow;
use super::super::schema::spend_logs;
use super::super::{AnyConnection, StoreError};
use super::spend_logs::{LogQuery, Logs, filtered, with_names};
use crate::types::{KeyHash, NanoUsd, SpendRow};

/// Rows are counted up to here: a dashboard's total must not read a whole ledger.
pub const MOST_COUNTED: usize = 10_000;

/// What a page is sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogOrder {
    #[default]
    Started,
    Ended,
    Duration,
    FirstToken,
    Spend,
    Tokens,
}

/// One page of the rows of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPage {
    /// Its limit is the size of a page.
    pub query: LogQuery,
    pub team: Option<String>,
    /// All but the rows of this key.
    pub without_key: Option<KeyHash>,
    pub end_user: Option<String>,
    /// The provider-side model.
    pub model: Option<String>,
    pub model_group: Option<String>,
    /// The deployment's id.
    pub model_id: Option<String>,
    pub spend_from: Option<NanoUsd>,
    pub spend_to: Option<NanoUsd>,
    /// Only calls that succeeded, or only those that did not.
    pub succeeded: Option<bool>,
    /// HTTP status answered.
    pub http_status: Option<u16>,
    pub order: LogOrder,
    pub ascending: bool,
    /// Rows before the page.
    pub offset: usize,
}

impl LogPage {
    pub fn of(query: LogQuery) -> Self {
        Self {
            query,
            team: None,
            without_key: None,
            end_user: None,
            model: None,
            model_group: None,
            model_id: None,
            spend_from: None,
            spend_to: None,
            succeeded: None,
            http_status: None,
            order: LogOrder::default(),
            ascending: false,
            offset: 0,
        }
    }
}

/// The page, and the number of all rows, [`MOST_COUNTED`] + 1 for more.
pub fn spend_logs_page(
    conn: &mut AnyConnection,
    page: &LogPage,
) -> Result<(Vec<SpendRow>, usize), StoreError> {
    let bigint = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    let Some(all) = narrowed(conn, page)? else {
        return Ok((Vec::new(), 0));
    };
    let counted = all
        .select(sql::<BigInt>("CAST(1 AS BIGINT)"))
        .limit(bigint(MOST_COUNTED + 1));
    let total = counted.load::<i64>(conn)?.len();
    let Some(rows) = narrowed(conn, page)? else {
        return Ok((Vec::new(), 0));
    };
    let rows = ordered(rows, page)
        .limit(bigint(page.query.limit))
        .offset(bigint(page.offset));
    Ok((with_names(conn, rows.select(LogRow::as_select()))?, total))
}

fn narrowed<'q>(conn: &mut AnyConnection, page: &LogPage) -> Result<Option<Logs<'q>>, StoreError> {
    let Some(mut rows) = filtered(conn, &page.query)? else {
        return Ok(None);
    };
    // A name that the ledger has never met is on no row.
    macro_rules! named {
        ($($field:ident, $kind:ident, $column:ident;)+) => {$(
            if let Some(name) = &page.$field {
                let Some(id) = id_of(conn, NameKind::$kind, name)? else {
                    return Ok(None);
                };
                rows = rows.filter(spend_logs::$column.eq(id));
            }
        )+};
    }
    named! {
        team, Team, team_ref;
        end_user, EndUser, end_user_ref;
        model, Model, model_ref;
        model_group, ModelGroup, model_group_ref;
        model_id, Deployment, deployment_ref;
    }
    if let Some(key) = page.without_key
        && let Some(id) = id_of(conn, NameKind::Key, &key.to_string())?
    {
        rows = rows.filter(spend_logs::key_ref.ne(id));
    }
    if let Some(NanoUsd(least)) = page.spend_from {
        rows = rows.filter(spend_logs::spend.ge(least));
    }
    if let Some(NanoUsd(most)) = page.spend_to {
        rows = rows.filter(spend_logs::spend.le(most));
    }
    if let Some(status) = page.http_status {
        let status = i16::try_from(status).unwrap_or(i16::MAX);
        rows = rows.filter(spend_logs::http_status.eq(status));
    }
    rows = match page.succeeded {
        Some(true) => rows.filter(spend_logs::status.eq(SUCCESS)),
        Some(false) => rows.filter(spend_logs::status.ne(SUCCESS)),
        None => rows,
    };
    Ok(Some(rows))
}

fn ordered<'q>(rows: Logs<'q>, page: &LogPage) -> Logs<'q> {
    let ended = || spend_logs::started_at + spend_logs::duration_us;
    let tokens = || spend_logs::prompt_tokens + spend_logs::completion_tokens;
    macro_rules! by {
        ($by:expr) => {
            if page.ascending {
                rows.order(($by.asc(), spend_logs::ledger_id.asc()))
            } else {
                rows.order(($by.desc(), spend_logs::ledger_id.desc()))
            }
        };
    }
    match page.order {
        LogOrder::Started => by!(spend_logs::started_at),
        LogOrder::Ended => by!(ended()),
        LogOrder::Duration => by!(spend_logs::duration_us),
        LogOrder::FirstToken => by!(spend_logs::first_token_us),
        LogOrder::Spend => by!(spend_logs::spend),
        LogOrder::Tokens => by!(tokens()),
    }
}
