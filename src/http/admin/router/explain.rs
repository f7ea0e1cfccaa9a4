//! `POST /router/explain`: where a request would go now.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::http::admin::json_body::refused;
use crate::http::body;
use crate::http::call_id::call_id;
use crate::http::error::ApiError;
use crate::http::inference::Door;
use crate::http::route::{Call, now_micros};
use crate::journey::{Incoming, explain as decide};
use crate::types::Operation;

#[derive(Debug, Deserialize, IntoParams)]
pub struct ExplainQuery {
    /// chat (unless given), messages, responses, completions or embeddings
    operation: Option<String>,
}

pub async fn explain(call: Call) -> Result<HttpResponse, ApiError> {
    let query = web::Query::<ExplainQuery>::from_query(call.request.query_string());
    let query = query.map_err(|error| refused("operation", error.to_string()))?;
    let operation = match query.operation.as_deref() {
        None | Some("chat") => Operation::Chat,
        Some("messages") => Operation::Messages,
        Some("responses") => Operation::Responses,
        Some("completions") => Operation::Completion,
        Some("embeddings") => Operation::Embedding,
        Some(_) => {
            let expected = "expected chat, messages, responses, completions or embeddings";
            return Err(refused("operation", expected));
        }
    };
    let door = Door::new(&call, operation)?;
    let most = call.worker.routes().settings().most_request_bytes;
    let read = body::read(&call.request, call.payload, most, &call.worker).await?;
    let incoming = Incoming {
        operation,
        model: None,
        headers: call.request.headers(),
        body: read.bytes,
        arrived: call.arrived,
        started_at: now_micros(),
        call_id: call_id(call.request.headers()),
        client_ip: None,
        share: Default::default(),
        is_copy: false,
    };
    let explained = decide(&call.worker, &door.caller, &incoming).await;
    let explained = explained.map_err(|refused| door.refusal(refused))?;
    Ok(HttpResponse::Ok().json(explained))
}
