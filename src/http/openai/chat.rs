//! `POST /v1/chat/completions`.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use futures_util::stream;

use super::error::refusal;
use crate::http::body;
use crate::http::error::ApiError;
use crate::http::route::{Call, now_micros};
use crate::journey::{ChatStream, Failure, Incoming, Reply, chat};

/// Longest call id taken from a client, in characters.
const MOST_CALL_ID: usize = 256;

pub async fn create(call: Call) -> Result<HttpResponse, ApiError> {
    let caller = call.caller()?.clone();
    let settings = &call.worker.shared.settings;
    let started_at = now_micros();
    let call_id = call_id(call.request.headers());
    let body = body::read(&call.request, call.payload, settings.most_request_bytes).await?;
    let client_ip = call
        .request
        .peer_addr()
        .map(|peer| peer.ip().to_string().into());
    let incoming = Incoming {
        body,
        arrived: call.arrived,
        started_at,
        call_id,
        client_ip,
    };
    match chat(&call.worker, &caller, incoming).await {
        Ok(Reply::Whole { headers, body }) => {
            let mut response = HttpResponse::Ok().body(body);
            *response.headers_mut() = headers;
            response
                .headers_mut()
                .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            Ok(response)
        }
        Ok(Reply::Stream { headers, body }) => Ok(streamed(headers, body)),
        Err(refused) => {
            let by_upstream = matches!(refused.failure, Failure::Upstream { .. });
            let call_id = settings.call_id_in_errors.then(|| refused.call_id.clone());
            let route = call.request.path().trim_start_matches("/v1");
            let error = refusal(
                refused,
                caller.principal(),
                route,
                settings.budget_exceeded_status,
            );
            if !by_upstream {
                call.worker.shared.metrics.refused(error.kind());
            }
            Ok(error.respond(call_id.as_deref()))
        }
    }
}

fn streamed(headers: HeaderMap, body: Box<ChatStream>) -> HttpResponse {
    let events = stream::unfold(body, |mut body| async move {
        let bytes = body.next().await?;
        Some((Ok::<_, std::convert::Infallible>(bytes), body))
    });
    let mut response = HttpResponse::Ok().streaming(Box::pin(events));
    let all = response.headers_mut();
    *all = headers;
    all.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream; charset=utf-8"),
    );
    all.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    all.insert(
        HeaderName::from_static("x-accel-buffering"),
        HeaderValue::from_static("no"),
    );
    response
}

/// The client's `x-litellm-call-id` when it is short and printable, else a new UUID.
fn call_id(headers: &HeaderMap) -> Arc<str> {
    let given = headers
        .get("x-litellm-call-id")
        .and_then(|value| value.to_str().ok());
    match given {
        Some(id)
            if !id.is_empty()
                && id.len() <= MOST_CALL_ID
                && id.bytes().all(|byte| byte.is_ascii_graphic()) =>
        {
            id.into()
        }
        _ => {
            let mut text = uuid::Uuid::encode_buffer();
            Arc::from(
                &*uuid::Builder::from_random_bytes(fastrand::u128(..).to_le_bytes())
                    .into_uuid()
                    .hyphenated()
                    .encode_lower(&mut text),
            )
        }
    }
}
