//! Keys, users and teams.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use super::super::schema::{keys, model_grants, teams, users};
use crate::types::{KeyHash, NanoUsd};

/// A virtual key. Times are milliseconds since the Unix epoch, JSON is text that its owner parses.
#[derive(
    Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable, Serialize, Deserialize,
)]
#[diesel(table_name = keys, treat_none_as_default_value = false)]
pub struct KeyRow {
    /// Lower-case hex of the `KeyHash`.
    pub token_hash: String,
    /// `sk-...` and the last four characters.
    pub key_name: Option<String>,
    pub key_alias: Option<String>,
    pub user_id: Option<String>,
    pub team_id: Option<String>,
    pub blocked: bool,
    pub expires_at: Option<i64>,
    /// Since the last budget reset; an import may begin with more than 0.
    pub spend: NanoUsd,
    /// All this ledger ever booked on the key; never reset.
    pub total_spend: NanoUsd,
    pub max_budget: Option<NanoUsd>,
    pub tpm_limit: Option<i64>,
    pub rpm_limit: Option<i64>,
    pub max_parallel_requests: Option<i64>,
    /// `30s`, `7d`, `1mo` …
    pub budget_duration: Option<String>,
    pub budget_reset_at: Option<i64>,
    pub metadata: String,
    pub permissions: String,
    pub aliases: String,
    pub config: String,
    pub created_at: i64,
    pub created_by: Option<String>,
    pub updated_at: i64,
    pub updated_by: Option<String>,
    /// End of the last call that was booked.
    pub last_active_at: Option<i64>,
    /// Money from which on a warning is logged.
    pub soft_budget: Option<NanoUsd>,
    /// `llm_api`, `management`, `read_only` or `default`.
    pub key_type: Option<String>,
    /// A JSON list of routes and groups of routes; empty: no restriction.
    pub allowed_routes: String,
    /// How often the key was regenerated, and when last.
    pub rotation_count: i64,
    pub last_rotation_at: Option<i64>,
    /// A JSON map, as the API took it. Archived keys may be older than it.
    #[serde(default = "empty_map")]
    pub router_settings: String,
}

fn empty_map() -> String {
    "{}".to_owned()
}

impl KeyRow {
    /// A key without owner, limits or metadata.
    pub fn new(hash: KeyHash, now_ms: i64) -> Self {
        let empty = || "{}".to_owned();
        Self {
            token_hash: hash.to_string(),
            key_name: None,
            key_alias: None,
            user_id: None,
            team_id: None,
            blocked: false,
            expires_at: None,
            spend: NanoUsd(0),
            total_spend: NanoUsd(0),
            max_budget: None,
            tpm_limit: None,
            rpm_limit: None,
            max_parallel_requests: None,
            budget_duration: None,
            budget_reset_at: None,
            metadata: empty(),
            permissions: empty(),
            aliases: empty(),
            config: empty(),
            created_at: now_ms,
            created_by: None,
            updated_at: now_ms,
            updated_by: None,
            last_active_at: None,
            soft_budget: None,
            key_type: None,
            allowed_routes: "[]".to_owned(),
            rotation_count: 0,
            last_rotation_at: None,
            router_settings: empty(),
        }
    }
}

/// An internal user.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = users, treat_none_as_default_value = false)]
pub struct UserRow {
    pub user_id: String,
    /// `proxy_admin`, `internal_user` …; none acts as `internal_user`.
    pub user_role: Option<String>,
    pub user_alias: Option<String>,
    pub user_email: Option<String>,
    pub max_budget: Option<NanoUsd>,
    pub spend: NanoUsd,
    pub total_spend: NanoUsd,
    pub tpm_limit: Option<i64>,
    pub rpm_limit: Option<i64>,
    pub max_parallel_requests: Option<i64>,
    pub budget_duration: Option<String>,
    pub budget_reset_at: Option<i64>,
    pub metadata: String,
    pub created_at: i64,
    pub updated_at: i64,
}

impl UserRow {
    /// A user without role, limits or metadata.
    pub fn new(user_id: impl Into<String>, now_ms: i64) -> Self {
        Self {
            user_id: user_id.into(),
            user_role: None,
            user_alias: None,
            user_email: None,
            max_budget: None,
            spend: NanoUsd(0),
            total_spend: NanoUsd(0),
            tpm_limit: None,
            rpm_limit: None,
            max_parallel_requests: None,
            budget_duration: None,
            budget_reset_at: None,
            metadata: "{}".to_owned(),
            created_at: now_ms,
            updated_at: now_ms,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = teams, treat_none_as_default_value = false)]
pub struct TeamRow {
    pub team_id: String,
    pub team_alias: Option<String>,
    pub blocked: bool,
    pub max_budget: Option<NanoUsd>,
    pub spend: NanoUsd,
    pub total_spend: NanoUsd,
    pub tpm_limit: Option<i64>,
    pub rpm_limit: Option<i64>,
    pub max_parallel_requests: Option<i64>,
    pub budget_duration: Option<String>,
    pub budget_reset_at: Option<i64>,
    pub metadata: String,
    pub created_at: i64,
    pub updated_at: i64,
    /// A JSON map.
    pub router_settings: String,
}

impl TeamRow {
    /// A team without limits or metadata.
    pub fn new(team_id: impl Into<String>, now_ms: i64) -> Self {
        Self {
            team_id: team_id.into(),
            team_alias: None,
            blocked: false,
            max_budget: None,
            spend: NanoUsd(0),
            total_spend: NanoUsd(0),
            tpm_limit: None,
            rpm_limit: None,
            max_parallel_requests: None,
            budget_duration: None,
            budget_reset_at: None,
            metadata: "{}".to_owned(),
            created_at: now_ms,
            updated_at: now_ms,
            router_settings: "{}".to_owned(),
        }
    }
}

/// A key to insert, with its models in the order they are shown. Doubled models count once.
#[derive(Clone, Debug)]
pub struct NewKey {
    pub row: KeyRow,
    pub models: Vec<String>,
}

/// A user to insert or to change; spend of a row that exists stays.
#[derive(Clone, Debug)]
pub struct NewUser {
    pub row: UserRow,
    pub models: Vec<String>,
}

/// A team to insert or to change; spend of a row that exists stays.
#[derive(Clone, Debug)]
pub struct NewTeam {
    pub row: TeamRow,
    pub models: Vec<String>,
}

/// All that `/key/info` shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyInfo {
    pub row: KeyRow,
    pub models: Vec<String>,
}

/// Who has a list of models and a budget. The numbers are stored: never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum OwnerType {
    Key = 1,
    User = 2,
    Team = 3,
}

#[derive(Insertable)]
#[diesel(table_name = model_grants)]
pub(crate) struct GrantRow<'a> {
    pub owner_type: i16,
    pub owner_id: &'a str,
    pub model: &'a str,
    pub position: i32,
}
