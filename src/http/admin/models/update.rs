//! `POST /model/update` and `PATCH /model/{model_id}/update`.

use actix_web::HttpResponse;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::stored::{change, check_admin, shown};
use crate::http::admin::json_body;
use crate::http::error::ApiError;
use crate::http::route::Call;
use crate::models::{ChangeError, ModelChange, ModelUpdate};

/// What both routes read: of the maps the fields that are named are changed, all others stay.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "the document's schema; the body is read field by field"
)]
pub struct UpdateModelRequest {
    /// What clients ask for from now on.
    #[schema(min_length = 1, max_length = 256)]
    model_name: Option<String>,
    /// How it is called.
    litellm_params: Option<Map<String, Value>>,
    /// What is told about it. For `/model/update` its `id` names the model.
    model_info: Option<Map<String, Value>>,
    /// Paused, or not any more.
    blocked: Option<bool>,
}

/// A null leaves its field as it is (LiteLLM 1.106.2).
pub async fn update(call: Call) -> Result<HttpResponse, ApiError> {
    let caller = call.caller()?.clone();
    check_admin(&caller)?;
    let body = json_body::read(&call.request, call.payload, &call.worker).await?;
    let update = read(&body, false)?;
    let id = match update.model_info.get("id") {
        Some(Value::String(id)) => id.clone(),
        Some(Value::Number(id)) => id.to_string(),
        _ => {
            let detail = json!([{"type": "missing", "loc": ["body", "model_info", "id"], "msg": "Field required"}]);
            return Err(ApiError::detail(422, detail));
        }
    };
    let model = change(
        &call.worker.shared,
        &caller,
        ModelChange::Update { id, update },
    )
    .await??;
    Ok(HttpResponse::Ok().json(shown(&model)))
}

/// A null takes its field away.
pub async fn patch(call: Call) -> Result<HttpResponse, ApiError> {
    let caller = call.caller()?.clone();
    check_admin(&caller)?;
    let id = call
        .request
        .match_info()
        .get("model_id")
        .unwrap_or_default()
        .to_owned();
    let body = json_body::read(&call.request, call.payload, &call.worker).await?;
    let update = read(&body, true)?;
    let changed = change(
        &call.worker.shared,
        &caller,
        ModelChange::Update { id, update },
    )
    .await?;
    let model = changed.map_err(|error| match error {
        ChangeError::Unknown(_) => ApiError::new(
            404,
            "auth_error",
            error.to_string(),
            Some("None".to_owned()),
        ),
        error => error.into(),
    })?;
    Ok(HttpResponse::Ok().json(shown(&model)))
}

fn read(body: &Map<String, Value>, null_takes_away: bool) -> Result<ModelUpdate, ApiError> {
    Ok(ModelUpdate {
        model_name: json_body::optional(body, "model_name")?,
        litellm_params: json_body::optional(body, "litellm_params")?.unwrap_or_default(),
        model_info: json_body::optional(body, "model_info")?.unwrap_or_default(),
        blocked: json_body::optional(body, "blocked")?,
        null_takes_away,
    })
}
