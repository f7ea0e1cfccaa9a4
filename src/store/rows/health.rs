//! What checks of deployments have found.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Bool, Integer, Nullable, Text};

use super::super::schema::health_checks;

/// A row of `health_checks`.
#[derive(Clone, Debug, PartialEq, Eq, Insertable, Queryable, QueryableByName, Selectable)]
#[diesel(table_name = health_checks, treat_none_as_default_value = false)]
pub struct HealthRow {
    /// A UUID of version 7.
    #[diesel(sql_type = Binary)]
    pub id: Vec<u8>,
    /// The deployment.
    #[diesel(sql_type = Text)]
    pub model_id: String,
    /// Its group.
    #[diesel(sql_type = Text)]
    pub model_name: String,
    /// Its `litellm_params.model`.
    #[diesel(sql_type = Text)]
    pub model: String,
    #[diesel(sql_type = Bool)]
    pub is_healthy: bool,
    /// HTTP, as a client would get it; `None` where it works or could not be asked.
    #[diesel(sql_type = Nullable<Integer>)]
    pub status: Option<i32>,
    #[diesel(sql_type = Nullable<Text>)]
    pub error: Option<String>,
    /// A JSON object.
    #[diesel(sql_type = Text)]
    pub rate_limits: String,
    /// Microseconds.
    #[diesel(sql_type = BigInt)]
    pub took_us: i64,
    #[diesel(sql_type = Bool)]
    pub by_schedule: bool,
    /// Milliseconds since the Unix epoch.
    #[diesel(sql_type = BigInt)]
    pub checked_at: i64,
}
