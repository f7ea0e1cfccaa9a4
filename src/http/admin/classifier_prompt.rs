//! `/auto_router/classifier/default_prompt`: what a model is told that judges for a complexity router how difficult a request is.

use actix_web::HttpResponse;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use super::json_body::{optional, read, refused};
use crate::http::error::ApiError;
use crate::http::query::Query;
use crate::http::route::Call;
use crate::policy::auto_router::asking::{
    Labels, MOST_EXAMPLES, MOST_INSTRUCTIONS, Prompt, Rubric, TURNS,
};
use crate::policy::auto_router::complexity::Tier;

const LABELS: &str = "tier_labels";
const RUBRIC: &str = "classification_rubric";
const WINDOW: &str = "context_window_size";
/// Turns that may be asked about.
const MOST_TURNS: i64 = 100;

#[derive(Deserialize, IntoParams)]
#[allow(dead_code, reason = "its schema; the parameters are read one by one")]
pub struct DefaultPromptQuery {
    /// `classifier_context_window_size` of the router; 0: it is shown no turns.
    #[param(default = 3, minimum = 0, maximum = 100)]
    context_window_size: Option<u32>,
    /// Other names of tiers, as JSON: `{"SIMPLE": "Cheap"}`.
    tier_labels: Option<String>,
    /// `legacy`, `agentic`, `chat` or `business`.
    classification_rubric: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[allow(dead_code, reason = "its schema; the fields are read one by one")]
pub struct PromptPreviewRequest {
    /// `classifier_context_window_size` of the router; 0: it is shown no turns.
    #[schema(default = 3, minimum = 0, maximum = 100)]
    context_window_size: Option<u32>,
    /// Other names of tiers.
    #[schema(value_type = Option<std::collections::HashMap<String, String>>)]
    tier_labels: Option<Map<String, Value>>,
    /// `legacy`, `agentic`, `chat` or `business`.
    classification_rubric: Option<String>,
    /// How it begins, in the place of the gateway's own; 2000 characters at most.
    classification_prompt: Option<String>,
    /// Examples in the place of the rubric's; 4000 characters at most.
    classification_examples: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ClassifierPrompt {
    system_prompt: String,
}

pub async fn default(call: Call) -> Result<HttpResponse, ApiError> {
    let query = Query::of(&call.request);
    let written = query.text(LABELS).map(serde_json::from_str::<Value>);
    let labels = match written {
        None => None,
        Some(Ok(Value::Object(labels))) => Some(labels),
        Some(_) => return Err(refused(LABELS, "expected a JSON object of names by tier")),
    };
    let turns = query.whole(WINDOW, 0..=MOST_TURNS)?;
    told(&Prompt {
        rubric: rubric(query.text(RUBRIC))?,
        labels: labels_of(labels)?,
        shows_turns: shows_turns(turns),
        ..Prompt::default()
    })
}

pub async fn preview(call: Call) -> Result<HttpResponse, ApiError> {
    let worker = call.worker.clone();
    let fields = read(&call.request, call.payload, &worker).await?;
    let is_given = |field: &str| fields.get(field).is_some_and(|value| !value.is_null());
    if is_given("tier_definitions") {
        let why =
            "tiers of one's own are not supported: they are SIMPLE, MEDIUM, COMPLEX and REASONING";
        return Err(refused("tier_definitions", why));
    }
    let labels = match fields.get(LABELS) {
        None | Some(Value::Null) => None,
        Some(Value::Object(labels)) => Some(labels.clone()),
        Some(_) => return Err(refused(LABELS, "expected an object of names by tier")),
    };
    let turns = optional::<i64>(&fields, WINDOW)?;
    if turns.is_some_and(|turns| !(0..=MOST_TURNS).contains(&turns)) {
        return Err(refused(WINDOW, "expected a whole number from 0 to 100"));
    }
    let named: Option<String> = optional(&fields, RUBRIC)?;
    let text = |field: &str, most: usize| {
        let text: Option<String> = optional(&fields, field)?;
        let text = text.map(|text| text.trim().to_owned());
        match &text {
            Some(own) if own.is_empty() || own.chars().count() > most => {
                let why = format!("expected a text of 1 to {most} characters");
                Err(refused(field, why))
            }
            _ => Ok(text),
        }
    };
    let instructions = text("classification_prompt", MOST_INSTRUCTIONS)?;
    let examples = text("classification_examples", MOST_EXAMPLES)?;
    told(&Prompt {
        rubric: rubric(named.as_deref())?,
        instructions: instructions.as_deref(),
        examples: examples.as_deref(),
        labels: labels_of(labels)?,
        shows_turns: shows_turns(turns),
    })
}

fn told(prompt: &Prompt<'_>) -> Result<HttpResponse, ApiError> {
    let system_prompt = prompt.text();
    Ok(HttpResponse::Ok().json(ClassifierPrompt { system_prompt }))
}

fn shows_turns(turns: Option<i64>) -> bool {
    turns.unwrap_or(TURNS as i64) > 0
}

fn rubric(name: Option<&str>) -> Result<Rubric, ApiError> {
    let Some(name) = name else {
        return Ok(Rubric::default());
    };
    let why = "expected legacy, agentic, chat or business";
    Rubric::named(name).ok_or_else(|| refused(RUBRIC, why))
}

fn labels_of(written: Option<Map<String, Value>>) -> Result<Labels, ApiError> {
    let mut labels = Labels::default();
    for (name, label) in written.unwrap_or_default() {
        let why = "expected names of 1 to 64 characters, each once, for SIMPLE, MEDIUM, COMPLEX and REASONING";
        let known = Tier::named(&name).zip(label.as_str());
        let is_set = known.is_some_and(|(tier, label)| labels.set(tier, label));
        if !is_set {
            return Err(refused(LABELS, why));
        }
    }
    Ok(labels)
}
