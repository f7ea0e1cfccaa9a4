//! Rows of the ledger, with names as ids of `spend_names`.

use std::borrow::Cow;

use diesel::prelude::*;

use super::super::schema::{daily_spend, rejected_spend, spend_logs, spend_windows};

/// A spend log row; borrowed when written, owned when read.
#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = spend_logs, treat_none_as_default_value = false)]
pub(crate) struct LogRow<'a> {
    pub ledger_id: Cow<'a, [u8]>,
    pub started_at: i64,
    pub duration_us: i64,
    pub first_token_us: Option<i64>,
    pub key_ref: i32,
    pub user_ref: Option<i32>,
    pub team_ref: Option<i32>,
    pub end_user_ref: Option<i32>,
    pub call_type_ref: i32,
    pub model_ref: i32,
    pub model_group_ref: i32,
    pub deployment_ref: i32,
    pub provider_ref: i32,
    pub api_base_ref: i32,
    pub status: i16,
    pub http_status: i16,
    pub error_class_ref: Option<i32>,
    pub spend: i64,
    pub prompt_tokens: i64,
    pub completion_tokens: i64,
    pub cache_read_tokens: Option<i64>,
    pub cache_write_tokens: Option<i64>,
    pub reasoning_tokens: Option<i64>,
    pub usage_details: Option<Cow<'a, str>>,
    pub usage_estimated: bool,
    pub request_id: Cow<'a, str>,
    pub call_id: Option<Cow<'a, str>>,
    pub retries: i16,
    pub client_ip_ref: Option<i32>,
    pub user_agent_ref: Option<i32>,
    pub labels: Option<Cow<'a, str>>,
}

/// Sums of one day; 0 in a `_ref` is "none".
#[derive(Clone, Debug, Insertable)]
#[diesel(table_name = daily_spend, treat_none_as_default_value = false)]
pub(crate) struct DailyRow {
    pub day: i32,
    pub key_ref: i32,
    pub user_ref: i32,
    pub team_ref: i32,
    pub model_ref: i32,
    pub model_group_ref: i32,
    pub provider_ref: i32,
    pub requests: i64,
    pub failed_requests: i64,
    pub spend: i64,
    pub prompt_tokens: i64,
    pub completion_tokens: i64,
    pub cache_read_tokens: i64,
    pub cache_write_tokens: i64,
    pub duration_ms: i64,
}

/// A row that `spend_logs` refused.
#[derive(Clone, Debug, Insertable)]
#[diesel(table_name = rejected_spend, treat_none_as_default_value = false)]
pub(crate) struct RejectedRow<'a> {
    pub journal_id: &'a [u8],
    pub seq: i64,
    pub ledger_id: &'a [u8],
    pub key_hash: String,
    pub user_id: Option<Cow<'a, str>>,
    pub team_id: Option<Cow<'a, str>>,
    pub started_at: i64,
    pub spend: i64,
    pub money_booked: bool,
    pub reason: Cow<'a, str>,
    /// The whole row, JSON.
    pub document: String,
}

/// A budget of a provider, a deployment or a tag: what was spent in its last window.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = spend_windows)]
pub struct WindowRow {
    /// Its key: `provider_spend:openai`.
    pub budget: String,
    /// Milliseconds since the Unix epoch.
    pub ends_at: i64,
    /// Nano-dollars.
    pub spent: i64,
}
