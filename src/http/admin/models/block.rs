//! `POST /model/block` and `POST /model/unblock`: a deployment is paused, and takes calls again.

use actix_web::HttpResponse;
use utoipa::ToSchema;

use super::stored::{change, check_admin, shown};
use crate::http::admin::json_body::{self, missing};
use crate::http::error::ApiError;
use crate::http::route::Call;
use crate::models::{ModelChange, ModelUpdate};

/// What both routes read.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "the document's schema; the body is read field by field"
)]
pub struct BlockModelRequest {
    /// The deployment's id.
    model_id: String,
}

pub async fn block(call: Call) -> Result<HttpResponse, ApiError> {
    set(call, true).await
}

pub async fn unblock(call: Call) -> Result<HttpResponse, ApiError> {
    set(call, false).await
}

async fn set(call: Call, blocked: bool) -> Result<HttpResponse, ApiError> {
    let caller = call.caller()?.clone();
    check_admin(&caller)?;
    let body = json_body::read(&call.request, call.payload, &call.worker).await?;
    let id: String = json_body::optional(&body, "model_id")?.ok_or_else(|| missing("model_id"))?;
    let update = ModelUpdate {
        blocked: Some(blocked),
        ..ModelUpdate::default()
    };
    let model = change(
        &call.worker.shared,
        &caller,
        ModelChange::Update { id, update },
    )
    .await??;
    Ok(HttpResponse::Ok().json(shown(&model)))
}
