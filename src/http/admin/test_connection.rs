//! `POST /health/test_connection`: whether a deployment would work, before it is anybody's.

use actix_web::HttpResponse;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::json_body::{missing, optional, read, wrong_type};
use crate::http::error::ApiError;
use crate::http::route::Call;
use crate::journey::{Prepared, probe};
use crate::models::TryModel;

#[derive(Debug, Deserialize, ToSchema)]
#[allow(dead_code, reason = "its schema; the fields are read one by one")]
pub struct TestConnectionRequest {
    /// As in the configuration: `os.environ/NAME` and `litellm_credential_name` too.
    #[schema(value_type = Object)]
    litellm_params: Value,
    /// `chat`, `embedding`, `image_generation` …; what the catalogue says unless it is given.
    mode: Option<String>,
}

/// Always with status 200.
#[derive(Debug, Serialize, ToSchema)]
pub struct TestConnectionResponse {
    /// `success` or `error`.
    status: &'static str,
    /// With `error` where there is one.
    #[schema(value_type = Object)]
    result: Value,
}

/// The same small question as a health check, of a deployment that is read as one of the database is. Nothing of it is kept.
pub async fn test_connection(call: Call) -> Result<HttpResponse, ApiError> {
    let worker = call.worker.clone();
    let mut body = read(&call.request, call.payload, &worker).await?;
    let mode: Option<String> = optional(&body, "mode")?;
    let litellm_params = match body.remove("litellm_params") {
        None => return Err(missing("litellm_params")),
        Some(Value::Object(params)) => params,
        Some(_) => return Err(wrong_type("litellm_params", "dict", "a valid dictionary")),
    };
    let mode = mode.map(|mode| ("mode".to_owned(), mode.into()));
    let tried = TryModel {
        litellm_params,
        model_info: mode.into_iter().collect(),
    };
    let tried = worker.shared.try_model.send(tried).await;
    let tried = tried.map_err(|_| ApiError::unavailable("the gateway is about to end"))?;
    let result = match tried {
        Err(error) => json!({"error": error}),
        Ok(deployment) => {
            let prepared = Prepared::alone(&deployment, &worker.client);
            match probe(&worker.client, None, &prepared, false).await {
                None => json!({"error": "the gateway is ending"}),
                Some(finding) => {
                    let took = finding.took.as_millis() as u64;
                    match finding.problem {
                        None => json!({"response_time_ms": took}),
                        Some(problem) => json!({
                            "error": problem.message,
                            "status_code": problem.status,
                            "response_time_ms": took,
                        }),
                    }
                }
            }
        }
    };
    let status = match result.get("error") {
        None => "success",
        Some(_) => "error",
    };
    Ok(HttpResponse::Ok().json(TestConnectionResponse { status, result }))
}
