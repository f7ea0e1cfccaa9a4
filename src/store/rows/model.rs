//! Deployments that the database keeps.

use diesel::prelude::*;

use super::super::schema::models;

/// A deployment. Times are milliseconds since the Unix epoch; JSON is text that its owner parses.
#[derive(
    Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable, AsChangeset, Identifiable,
)]
#[diesel(table_name = models, primary_key(model_id), treat_none_as_default_value = false)]
#[diesel(treat_none_as_null = true)]
pub struct ModelRow {
    /// The deployment's id.
    pub model_id: String,
    pub model_name: String,
    /// A map whose texts are sealed one by one.
    pub litellm_params: String,
    pub model_info: String,
    /// Paused.
    pub blocked: bool,
    pub created_at: i64,
    /// A user's id.
    pub created_by: Option<String>,
    /// Grows with every change.
    pub updated_at: i64,
    pub updated_by: Option<String>,
}
