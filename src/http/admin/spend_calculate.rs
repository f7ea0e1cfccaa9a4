//! `POST /spend/calculate`: what a call would cost, or has cost.

use actix_web::HttpResponse;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::json_body::{missing, optional, read_prompt, refused, take_list};
use super::token_counter::uncounted;
use crate::catalog::ServiceTier;
use crate::http::error::ApiError;
use crate::http::route::{Call, now_ms};
use crate::journey::counted;
use crate::policy::cost::{CallFacts, Units};
use crate::policy::token_count;
use crate::protocol::openai::usage::{ParsedUsage, parse_usage};
use crate::router::Priced;
use crate::types::Usage;

/// `model` with `messages`, or `completion_response`.
#[derive(Debug, Deserialize, ToSchema)]
#[allow(dead_code, reason = "its schema; the fields are read one by one")]
pub struct SpendCalculateRequest {
    /// A model group, an alias, or a model of the catalogue.
    model: Option<String>,
    /// The input of a chat; its tokens are counted.
    #[schema(value_type = Option<Vec<Object>>)]
    messages: Option<Vec<Value>>,
    /// A whole answer with `model` and `usage`.
    #[schema(value_type = Option<Object>)]
    completion_response: Option<Map<String, Value>>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct SpendCalculateResponse {
    /// US dollars.
    cost: f64,
}

pub async fn calculate(call: Call) -> Result<HttpResponse, ApiError> {
    let worker = call.worker.clone();
    let mut fields = read_prompt(&call.request, call.payload, &worker).await?;
    let model: Option<String> = optional(&fields, "model")?;
    let messages = take_list(&mut fields, "messages")?;
    let response: Option<Map<String, Value>> = optional(&fields, "completion_response")?;
    let Some(name) = model.or_else(|| text_of(response.as_ref()?, "model")) else {
        let message = "Bad Request - Either 'model' or 'completion_response' must be provided";
        return Err(ApiError::new(400, "bad_request_error", message, None));
    };
    let priced = worker
        .routes()
        .table()
        .priced(&name)
        .ok_or_else(|| unpriced(&name))?;
    let (parsed, tier) = match (response, messages) {
        (Some(response), _) => (usage_of(&response)?, text_of(&response, "service_tier")),
        (None, messages) => {
            let messages = messages.ok_or_else(|| missing("messages"))?;
            let body = json!({"messages": messages}).to_string();
            let model = priced.model.clone();
            let input = counted(&worker, move || {
                token_count::count_chat_request(&model, body.as_bytes())
            });
            let usage = Usage {
                input: input.await.map_err(uncounted)?,
                ..Usage::default()
            };
            let parsed = ParsedUsage {
                usage,
                ..ParsedUsage::default()
            };
            (parsed, None)
        }
    };
    let cost = cost(&priced, &parsed, tier.as_deref()).ok_or_else(|| unpriced(&name))?;
    Ok(HttpResponse::Ok().json(SpendCalculateResponse { cost }))
}

fn cost(priced: &Priced, parsed: &ParsedUsage, tier: Option<&str>) -> Option<f64> {
    let facts = CallFacts {
        tier: ServiceTier::billed(tier, None),
        inference_in_us: parsed.inference_in_us,
        fast: parsed.fast,
        units: Units {
            web_searches: parsed.web_searches,
            ..Units::default()
        },
        ..CallFacts::default()
    };
    let bill = priced
        .tariff
        .bill(&parsed.usage, &facts, parsed.stated_cost, now_ms() / 1000)?;
    Some(bill.total.to_f64())
}

fn usage_of(response: &Map<String, Value>) -> Result<ParsedUsage, ApiError> {
    let usage = response.get("usage").filter(|usage| usage.is_object());
    usage
        .and_then(|usage| parse_usage(usage.to_string().as_bytes()).ok())
        .ok_or_else(|| {
            refused(
                "completion_response",
                "Bad Request - 'completion_response' must have a 'usage' object with token counts",
            )
        })
}

fn text_of(fields: &Map<String, Value>, name: &str) -> Option<String> {
    fields.get(name)?.as_str().map(str::to_owned)
}

/// Said rather than answered as 0.
pub(super) fn unpriced(model: &str) -> ApiError {
    let model: String = model.chars().take(256).collect();
    refused(
        "model",
        format!("No price is known for the model '{model}'"),
    )
}
