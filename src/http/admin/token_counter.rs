//! `POST /utils/token_counter`: how many tokens a prompt has for a model.

use actix_web::HttpResponse;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::json_body::{missing, optional, read_prompt, take_list};
use crate::http::error::ApiError;
use crate::http::route::Call;
use crate::journey::{Uncounted, counted};
use crate::policy::token_count::{Prompt, count_prompt};

/// Exactly one of `prompt`, `messages` and `contents`.
#[derive(Debug, Deserialize, ToSchema)]
#[allow(dead_code, reason = "its schema; the fields are read one by one")]
pub struct TokenCountRequest {
    /// A model group, an alias, or any model's name.
    model: String,
    prompt: Option<String>,
    /// OpenAI's or Anthropic's.
    #[schema(value_type = Option<Vec<Object>>)]
    messages: Option<Vec<Value>>,
    /// Gemini's.
    #[schema(value_type = Option<Vec<Object>>)]
    contents: Option<Vec<Value>>,
    #[schema(value_type = Option<Vec<Object>>)]
    tools: Option<Vec<Value>>,
    /// A system prompt beside the messages: text or blocks.
    #[schema(value_type = Option<Object>)]
    system: Option<Value>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct TokenCountResponse {
    total_tokens: u64,
    /// As asked.
    request_model: String,
    /// The provider's name of the model.
    model_used: String,
    tokenizer_type: &'static str,
    /// Counted here; providers are not asked.
    count_source: &'static str,
    #[schema(value_type = Option<Object>)]
    original_response: Option<Value>,
    error: bool,
    error_message: Option<String>,
    status_code: Option<u16>,
}

pub async fn count(call: Call) -> Result<HttpResponse, ApiError> {
    let worker = call.worker.clone();
    let mut fields = read_prompt(&call.request, call.payload, &worker).await?;
    let model: String = optional(&fields, "model")?.ok_or_else(|| missing("model"))?;
    let prompt = prompt(&mut fields)?;
    let deployment = worker.routes().table().first_deployment(&model);
    let (used, counted_as) = match &deployment {
        Some(deployment) => (deployment.model.clone(), deployment.counted_as.clone()),
        None => (model.as_str().into(), model.as_str().into()),
    };
    let counted = counted(&worker, move || count_prompt(&counted_as, prompt)).await;
    let total_tokens = counted.map_err(uncounted)?;
    Ok(HttpResponse::Ok().json(TokenCountResponse {
        total_tokens,
        request_model: model,
        model_used: used.to_string(),
        tokenizer_type: "openai_tokenizer",
        count_source: "local_estimate",
        original_response: None,
        error: false,
        error_message: None,
        status_code: None,
    }))
}

fn prompt(fields: &mut Map<String, Value>) -> Result<Prompt, ApiError> {
    let tools = take_list(fields, "tools")?.unwrap_or_default();
    let system = fields.remove("system").filter(|system| !system.is_null());
    let given = (
        optional(fields, "prompt")?,
        take_list(fields, "messages")?,
        take_list(fields, "contents")?,
    );
    match given {
        (Some(text), None, None) => Ok(Prompt::Text(text)),
        (None, Some(messages), None) => Ok(Prompt::Messages {
            messages,
            tools,
            system,
        }),
        (None, None, Some(contents)) => Ok(Prompt::Contents {
            contents,
            tools,
            system,
        }),
        (None, None, None) => Err(refused(
            "prompt or messages or contents must be provided".to_owned(),
        )),
        _ => Err(refused(
            "only one of prompt, messages and contents can be counted at a time".to_owned(),
        )),
    }
}

fn refused(message: String) -> ApiError {
    ApiError::detail(400, json!({"error": message}))
}

pub(super) fn uncounted(error: Uncounted) -> ApiError {
    match error {
        Uncounted::Busy => ApiError::unavailable(error.to_string()),
        Uncounted::Impossible(error) => refused(error.to_string()),
    }
}
