//! A call that the gateway answers itself: waits as long as the mock says, counts tokens, and hands out the bytes an upstream
//! would have sent.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use serde::Deserialize;

use super::worker::Worker;
use crate::policy::token_count;
use crate::protocol::mock::{Asked, Mock};
use crate::protocol::openai::request::Request;
use crate::router::Deployment;
use crate::types::Operation;
use crate::upstream::{Answer, CallError};

/// What `mock` answers, `limit` being the time a real upstream would have had for its head.
pub async fn call(
    mock: &Mock,
    worker: &Rc<Worker>,
    deployment: &Deployment,
    request: &Request<'_>,
    limit: Duration,
) -> Result<Answer, CallError> {
    if mock.hangs || mock.delay >= limit {
        tokio::time::sleep(limit).await;
        return Err(CallError::HeadTimeout);
    }
    if !mock.delay.is_zero() {
        tokio::time::sleep(mock.delay).await;
    }
    let (prompt_tokens, text_tokens) = count(mock, worker, deployment, request).await;
    let id = fastrand::u128(..);
    let created = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let form = Form::of(request);
    let said = mock.say(&Asked {
        operation: answered_as(request.operation()),
        model: &deployment.model,
        stream: request.stream,
        choices: form.n.unwrap_or(1),
        prompts: request.prompts,
        dimensions: form.dimensions,
        base64: form.encoding_format.as_deref() == Some("base64"),
        id: &format!("{id:032x}"),
        created: created.as_secs() as i64,
        prompt_tokens,
        text_tokens,
    });
    let content_type = if said.is_event_stream {
        "text/event-stream"
    } else {
        "application/json"
    };
    Ok(Answer::made(said.status, content_type, said.pieces))
}

/// Conversations are answered as chats.
fn answered_as(operation: Operation) -> Operation {
    if Operation::CONVERSATIONS.contains(&operation) {
        return Operation::Chat;
    }
    operation
}

/// What only a mock needs to know of a request: the form of its answer.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Form {
    n: Option<u64>,
    dimensions: Option<usize>,
    encoding_format: Option<String>,
}

impl Form {
    /// The request has been read before: what does not fit is as good as absent.
    fn of(request: &Request<'_>) -> Self {
        serde_json::from_slice(request.bytes()).unwrap_or_default()
    }
}

/// Tokens of the prompt and of the answer's text: counted, or guessed where they cannot be.
async fn count(
    mock: &Mock,
    worker: &Rc<Worker>,
    deployment: &Deployment,
    request: &Request<'_>,
) -> (u64, u64) {
    let text = mock.spoken();
    let guessed = (
        token_count::estimate(request.prompt_bytes, request.token_ids),
        text.len().div_ceil(4) as u64,
    );
    let Ok(_turn) = worker.shared.counts.acquire().await else {
        return guessed;
    };
    let operation = request.operation();
    let model: Arc<str> = deployment.model.clone();
    let (body, text) = (
        Bytes::copy_from_slice(request.bytes()),
        Bytes::copy_from_slice(text.as_bytes()),
    );
    let counted = actix_web::web::block(move || {
        let text = std::str::from_utf8(&text).unwrap_or_default();
        (
            token_count::count_request(operation, &model, &body).ok(),
            token_count::count_text(&model, text).ok(),
        )
    });
    let (prompt, text) = counted.await.unwrap_or_default();
    (prompt.unwrap_or(guessed.0), text.unwrap_or(guessed.1))
}
