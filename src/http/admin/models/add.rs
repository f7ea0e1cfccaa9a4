//! `POST /model/new`.

use actix_web::HttpResponse;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::stored::{change, check_admin, shown};
use crate::http::admin::json_body::{self, missing};
use crate::http::error::ApiError;
use crate::http::route::Call;
use crate::models::{ModelChange, NewModel};

/// What `/model/new` reads.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "the document's schema; the body is read field by field"
)]
pub struct NewModelRequest {
    /// What clients ask for.
    #[schema(min_length = 1, max_length = 256)]
    model_name: String,
    /// How it is called: `model`, `api_key`, `api_base`, `rpm` … as in the configuration file.
    litellm_params: Map<String, Value>,
    /// What is told about it; `id` is the deployment's id, made when it is left out.
    model_info: Option<Map<String, Value>>,
    /// Paused from the beginning.
    blocked: Option<bool>,
}

pub async fn add(call: Call) -> Result<HttpResponse, ApiError> {
    let caller = call.caller()?.clone();
    check_admin(&caller)?;
    let body = json_body::read(&call.request, call.payload, &call.worker).await?;
    let params = json_body::optional(&body, "litellm_params")?;
    let new = NewModel {
        model_name: json_body::optional(&body, "model_name")?
            .ok_or_else(|| missing("model_name"))?,
        litellm_params: with_model(params.ok_or_else(|| missing("litellm_params"))?)?,
        model_info: json_body::optional(&body, "model_info")?.unwrap_or_default(),
        blocked: json_body::optional(&body, "blocked")?,
    };
    let model = change(&call.worker.shared, &caller, ModelChange::Add(new)).await??;
    Ok(HttpResponse::Ok().json(shown(&model)))
}

fn with_model(params: Map<String, Value>) -> Result<Map<String, Value>, ApiError> {
    if params.get("model").is_some_and(Value::is_string) {
        return Ok(params);
    }
    let detail = json!([{"type": "missing", "loc": ["body", "litellm_params", "model"], "msg": "Field required"}]);
    Err(ApiError::detail(422, detail))
}
