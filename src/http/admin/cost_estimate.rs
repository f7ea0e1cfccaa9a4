//! `POST /cost/estimate`: what calls of a size cost, each, a day and a month.

use actix_web::HttpResponse;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::json_body::{missing, optional, read};
use super::spend_calculate::unpriced;
use crate::catalog::Kind;
use crate::http::error::ApiError;
use crate::http::route::{Call, now_ms};
use crate::policy::cost::{CallFacts, Cost};
use crate::types::{Amount, Price, Usage};

#[derive(Debug, Deserialize, ToSchema)]
#[allow(dead_code, reason = "its schema; the fields are read one by one")]
pub struct CostEstimateRequest {
    /// A model group, an alias, or a model of the catalogue.
    model: String,
    /// Tokens of a call, cached ones included.
    input_tokens: u64,
    /// Tokens of its answer, reasoning included.
    output_tokens: u64,
    cache_read_input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    reasoning_tokens: Option<u64>,
    num_requests_per_day: Option<u64>,
    num_requests_per_month: Option<u64>,
}

/// US dollars.
#[derive(Debug, Serialize, ToSchema)]
pub struct CostEstimateResponse {
    model: String,
    provider: String,
    input_tokens: u64,
    output_tokens: u64,
    cache_read_input_tokens: u64,
    cache_creation_input_tokens: u64,
    reasoning_tokens: u64,
    num_requests_per_day: Option<u64>,
    num_requests_per_month: Option<u64>,
    cost_per_request: f64,
    input_cost_per_request: f64,
    output_cost_per_request: f64,
    margin_cost_per_request: f64,
    cache_read_cost_per_request: f64,
    cache_creation_cost_per_request: f64,
    reasoning_cost_per_request: f64,
    daily_cost: Option<f64>,
    daily_input_cost: Option<f64>,
    daily_output_cost: Option<f64>,
    daily_margin_cost: Option<f64>,
    daily_cache_read_cost: Option<f64>,
    daily_cache_creation_cost: Option<f64>,
    daily_reasoning_cost: Option<f64>,
    monthly_cost: Option<f64>,
    monthly_input_cost: Option<f64>,
    monthly_output_cost: Option<f64>,
    monthly_margin_cost: Option<f64>,
    monthly_cache_read_cost: Option<f64>,
    monthly_cache_creation_cost: Option<f64>,
    monthly_reasoning_cost: Option<f64>,
    input_cost_per_token: Option<f64>,
    output_cost_per_token: Option<f64>,
    cache_read_input_token_cost: Option<f64>,
    cache_creation_input_token_cost: Option<f64>,
    output_cost_per_reasoning_token: Option<f64>,
}

pub async fn estimate(call: Call) -> Result<HttpResponse, ApiError> {
    let worker = call.worker.clone();
    let fields = read(&call.request, call.payload, &worker).await?;
    let count = |name: &str| optional::<u64>(&fields, name);
    let needed = |name: &str| count(name)?.ok_or_else(|| missing(name));
    let model: String = optional(&fields, "model")?.ok_or_else(|| missing("model"))?;
    let (input_tokens, output_tokens) = (needed("input_tokens")?, needed("output_tokens")?);
    // Parts are parts of their whole, whatever was asked.
    let part = |asked: Option<u64>, most: u64| asked.unwrap_or_default().min(most);
    let cache_read = part(count("cache_read_input_tokens")?, input_tokens);
    let left = input_tokens - cache_read;
    let cache_creation = part(count("cache_creation_input_tokens")?, left);
    let reasoning = part(count("reasoning_tokens")?, output_tokens);
    let per_day = count("num_requests_per_day")?;
    let per_month = count("num_requests_per_month")?;

    let priced = worker
        .routes()
        .table()
        .priced(&model)
        .ok_or_else(|| unpriced(&model))?;
    let usage = Usage {
        input: left - cache_creation,
        cache_read,
        cache_write_5m: cache_creation,
        output: output_tokens - reasoning,
        reasoning,
        ..Usage::default()
    };
    let tariff = &priced.tariff;
    let cost = tariff
        .bill(&usage, &CallFacts::default(), None, now_ms() / 1000)
        .ok_or_else(|| unpriced(&model))?;
    let [day, month] = [per_day, per_month].map(|count| Times { cost: &cost, count });
    let one = Times {
        cost: &cost,
        count: Some(1),
    };
    let each = |part: Part| one.of(part).unwrap_or_default();
    let price = |kind| tariff.prices().base(kind).map(Price::to_f64);
    Ok(HttpResponse::Ok().json(CostEstimateResponse {
        provider: priced.provider.to_string(),
        input_tokens,
        output_tokens,
        cache_read_input_tokens: cache_read,
        cache_creation_input_tokens: cache_creation,
        reasoning_tokens: reasoning,
        num_requests_per_day: per_day,
        num_requests_per_month: per_month,
        cost_per_request: each(total),
        input_cost_per_request: each(input),
        output_cost_per_request: each(output),
        margin_cost_per_request: each(margin),
        cache_read_cost_per_request: each(cached),
        cache_creation_cost_per_request: each(written),
        reasoning_cost_per_request: each(thought),
        daily_cost: day.of(total),
        daily_input_cost: day.of(input),
        daily_output_cost: day.of(output),
        daily_margin_cost: day.of(margin),
        daily_cache_read_cost: day.of(cached),
        daily_cache_creation_cost: day.of(written),
        daily_reasoning_cost: day.of(thought),
        monthly_cost: month.of(total),
        monthly_input_cost: month.of(input),
        monthly_output_cost: month.of(output),
        monthly_margin_cost: month.of(margin),
        monthly_cache_read_cost: month.of(cached),
        monthly_cache_creation_cost: month.of(written),
        monthly_reasoning_cost: month.of(thought),
        input_cost_per_token: price(Kind::Input),
        output_cost_per_token: price(Kind::Output),
        cache_read_input_token_cost: price(Kind::CacheRead),
        cache_creation_input_token_cost: price(Kind::CacheWrite),
        output_cost_per_reasoning_token: price(Kind::Reasoning),
        model,
    }))
}

type Part = fn(&Cost) -> Amount;

fn total(cost: &Cost) -> Amount {
    Amount::of_nanos(cost.total)
}

fn input(cost: &Cost) -> Amount {
    cost.breakdown.whole_input()
}

fn output(cost: &Cost) -> Amount {
    cost.breakdown.whole_output()
}

fn margin(cost: &Cost) -> Amount {
    cost.margin
}

fn cached(cost: &Cost) -> Amount {
    cost.breakdown.cache_read
}

fn written(cost: &Cost) -> Amount {
    cost.breakdown.cache_creation
}

fn thought(cost: &Cost) -> Amount {
    cost.breakdown.reasoning
}

/// A number of calls at one cost.
struct Times<'a> {
    cost: &'a Cost,
    count: Option<u64>,
}

impl Times<'_> {
    fn of(&self, part: Part) -> Option<f64> {
        Some(part(self.cost).to_f64() * self.count? as f64)
    }
}
