//! `POST /health/test_connection`: whether a deployment would work, before it is anybody's.

use std::sync::Arc;

use actix_web::HttpResponse;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::json_body::{missing, optional, read, wrong_type};
use crate::config::{Config, Loaded, Severity};
use crate::http::error::ApiError;
use crate::http::route::Call;
use crate::journey::{Prepared, probe};
use crate::router::{Deployment, RoutingTable};

#[derive(Debug, Deserialize, ToSchema)]
#[allow(dead_code, reason = "its schema; the fields are read one by one")]
pub struct TestConnectionRequest {
    /// As in the configuration, `os.environ/NAME` too.
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

/// The same small question as a health check. Nothing of it is kept.
pub async fn test_connection(call: Call) -> Result<HttpResponse, ApiError> {
    let worker = call.worker.clone();
    let mut body = read(&call.request, call.payload, &worker).await?;
    let mode: Option<String> = optional(&body, "mode")?;
    let params = body
        .remove("litellm_params")
        .ok_or_else(|| missing("litellm_params"))?;
    if !params.is_object() {
        return Err(wrong_type("litellm_params", "dict", "a valid dictionary"));
    }
    let mut entry = json!({"model_name": "test_connection", "litellm_params": params});
    if let Some(mode) = mode {
        entry["model_info"] = json!({"mode": mode});
    }
    let result = match deployment(&entry) {
        Err(error) => json!({"error": error}),
        Ok(deployment) => {
            let prepared = Prepared::alone(&deployment, &worker.client);
            match probe(&worker.client, &prepared, false).await {
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

/// The deployment of an entry, or what is wrong with it.
fn deployment(entry: &Value) -> Result<Arc<Deployment>, String> {
    let text = json!({"model_list": [entry]}).to_string();
    let env = |name: &str| std::env::var(name).ok();
    let loaded =
        Config::from_text("litellm_params", &text, &env).map_err(|error| error.to_string())?;
    let table = RoutingTable::compile(&loaded.config);
    let (_, deployment) = table
        .deployments()
        .next()
        .ok_or_else(|| complaints(&loaded))?;
    if loaded.has_errors() {
        return Err(complaints(&loaded));
    }
    Ok(deployment.clone())
}

fn complaints(loaded: &Loaded) -> String {
    let told = loaded.diagnostics.iter();
    let told: Vec<&str> = told
        .filter(|diagnostic| diagnostic.severity > Severity::Note)
        .map(|diagnostic| diagnostic.message.as_str())
        .collect();
    told.join("; ")
}
