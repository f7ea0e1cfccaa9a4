//! Changes of keys, and keys that are gone.

use diesel::prelude::*;

use super::super::schema::{deleted_keys, keys, retired_keys};
use crate::types::NanoUsd;

/// New values of a key's columns. The outer `None` keeps a column as it is, `Some(None)` empties it: only what is named is
/// written, so that concurrent changes of different columns all survive.
#[derive(Clone, Debug, Default, PartialEq, Eq, AsChangeset)]
#[diesel(table_name = keys)]
pub struct KeyChanges {
    pub key_alias: Option<Option<String>>,
    pub user_id: Option<Option<String>>,
    pub team_id: Option<Option<String>>,
    pub blocked: Option<bool>,
    pub expires_at: Option<Option<i64>>,
    pub max_budget: Option<Option<NanoUsd>>,
    pub soft_budget: Option<Option<NanoUsd>>,
    pub tpm_limit: Option<Option<i64>>,
    pub rpm_limit: Option<Option<i64>>,
    pub max_parallel_requests: Option<Option<i64>>,
    pub budget_duration: Option<Option<String>>,
    pub budget_reset_at: Option<Option<i64>>,
    pub metadata: Option<String>,
    pub permissions: Option<String>,
    pub aliases: Option<String>,
    pub config: Option<String>,
    pub key_type: Option<Option<String>>,
    pub allowed_routes: Option<String>,
    pub router_settings: Option<String>,
    pub updated_by: Option<Option<String>>,
}

/// How to change a key.
#[derive(Clone, Debug, Default)]
pub struct KeyUpdate {
    pub changes: KeyChanges,
    /// Replaces the list of models.
    pub models: Option<Vec<String>>,
    /// Added to `spend`.
    pub spend: NanoUsd,
    /// Milliseconds since the Unix epoch.
    pub now_ms: i64,
}

/// A new secret for a key.
#[derive(Clone, Debug)]
pub struct Rotation {
    /// `sk-...` and the last four characters of the new secret.
    pub key_name: Option<String>,
    /// Until when the former secret is good; now or earlier: not at all.
    pub revoke_at: i64,
}

/// A key in the archive.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = deleted_keys, treat_none_as_default_value = false)]
pub struct DeletedKeyRow {
    /// A UUIDv7.
    pub id: String,
    pub token_hash: String,
    pub key_alias: Option<String>,
    pub user_id: Option<String>,
    pub team_id: Option<String>,
    /// The key as the API showed it, JSON.
    pub document: String,
    pub deleted_at: i64,
    pub deleted_by: Option<String>,
    /// Hash of the key that did it.
    pub deleted_by_key: Option<String>,
}

#[derive(Insertable)]
#[diesel(table_name = retired_keys)]
pub(crate) struct RetiredRow<'a> {
    pub old_hash: &'a str,
    pub token_hash: &'a str,
    pub revoke_at: i64,
    pub created_at: i64,
}
