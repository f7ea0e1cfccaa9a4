//! A model of the database as answers show it, and errors of its routes as LiteLLM words them.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::described::address;
use crate::auth::{Caller, Change, iso};
use crate::config::may_be_shown;
use crate::http::admin::keys::{is_admin, own_id};
use crate::http::error::ApiError;
use crate::http::route::now_ms;
use crate::journey::Shared;
use crate::models::{ChangeError, ChangeModel, ModelChange, StoredModel};

/// The row, with nothing secret in it.
pub fn shown(model: &StoredModel) -> Value {
    let row = &model.row;
    json!({
        "model_id": row.model_id,
        "model_name": row.model_name,
        "litellm_params": params(model),
        "model_info": info(model),
        "blocked": row.blocked,
        "created_at": iso(row.created_at),
        "created_by": row.created_by,
        "updated_at": iso(row.updated_at),
        "updated_by": row.updated_by,
    })
}

/// As `/model/info` shows a row that takes no part, with the reason.
pub fn left_out(model: &StoredModel, problem: &str) -> Value {
    let mut info = info(model);
    info.insert("problem".to_owned(), problem.into());
    json!({
        "model_name": model.row.model_name,
        "litellm_params": params(model),
        "model_info": info,
    })
}

/// `litellm_params` without secrets; what cannot be read is not shown.
fn params(model: &StoredModel) -> Map<String, Value> {
    let Ok(params) = &model.params else {
        return Map::new();
    };
    let fields = params
        .iter()
        .filter(|(name, value)| may_be_shown(name, value));
    let shown = |(name, value): (&String, &Value)| {
        let value = match (name.as_str(), value.as_str()) {
            ("api_base" | "base_url", Some(base)) => address(base).into(),
            _ => value.clone(),
        };
        (name.clone(), value)
    };
    fields.map(shown).collect()
}

fn info(model: &StoredModel) -> Map<String, Value> {
    let fields = model.model_info().iter();
    let shown = fields.filter(|(name, value)| may_be_shown(name, value));
    shown
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// Who may: proxy administrators alone (LiteLLM 1.106.2: a team's administrators too, for its models).
pub fn check_admin(caller: &Caller) -> Result<(), ApiError> {
    if is_admin(caller) {
        Ok(())
    } else {
        Err(ApiError::forbidden(
            "only a proxy admin may add, change and delete models",
        ))
    }
}

/// Has a change made, and tells everybody whom it concerns.
pub async fn change(
    shared: &Shared,
    caller: &Caller,
    change: ModelChange,
) -> Result<Result<Arc<StoredModel>, ChangeError>, ApiError> {
    let asked = ChangeModel {
        change,
        by: own_id(caller),
        now_ms: now_ms(),
    };
    let gone = |_| ApiError::unavailable("the gateway is about to end");
    let changed = shared.change_model.send(asked).await.map_err(gone)?;
    if let Some(team) = changed.as_ref().ok().and_then(|model| model.team()) {
        // What it may call has changed.
        shared.changes.tell(Change::Team(team.team_id.into()));
    }
    Ok(changed)
}

impl From<ChangeError> for ApiError {
    fn from(error: ChangeError) -> Self {
        let (status, param) = match &error {
            ChangeError::Off
            | ChangeError::Unknown(_)
            | ChangeError::OfTheFile(_)
            | ChangeError::TooMany(_) => (400, None),
            ChangeError::IdTaken(_) => (400, Some("model_info.id")),
            ChangeError::Invalid { field, .. } => (400, field.as_deref()),
            ChangeError::Overtaken(_) => (409, None),
            ChangeError::NotTaken(_) => (503, None),
            ChangeError::Store(_) => (0, None),
        };
        let param = param.unwrap_or("None").to_owned();
        match error {
            ChangeError::Store(error) => error.into(),
            error => Self::new(status, "auth_error", error.to_string(), Some(param)),
        }
    }
}
