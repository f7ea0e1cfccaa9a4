//! Codex's catalogue of models.
//!
//! What it finds there stands in the place of what it knows itself, its instructions for the model among them. OpenAI's own
//! models it knows better: they are left out. The shape is that of Codex 0.99 to 0.169; each of them passes over fields of
//! the others.

use actix_web::HttpResponse;
use serde::Serialize;

use super::{Shown, Unwell, callable};
use crate::http::error::ApiError;
use crate::http::route::Call;

/// Codex asks a model nothing without instructions of its catalogue: these.
const INSTRUCTIONS: &str = include_str!("codex_instructions.md");

#[derive(Serialize)]
struct Catalogue<'a> {
    models: Vec<Model<'a>>,
}

#[derive(Serialize)]
struct Model<'a> {
    slug: &'a str,
    display_name: &'a str,
    description: &'static str,
    default_reasoning_level: Option<&'static str>,
    supported_reasoning_levels: Vec<Effort>,
    shell_type: &'static str,
    visibility: &'static str,
    supported_in_api: bool,
    /// The place in the picker.
    priority: usize,
    upgrade: Option<()>,
    base_instructions: &'static str,
    supports_reasoning_summaries: bool,
    supports_reasoning_summary_parameter: bool,
    support_verbosity: bool,
    default_verbosity: Option<()>,
    apply_patch_tool_type: Option<()>,
    truncation_policy: Truncation,
    supports_parallel_tool_calls: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    context_window: Option<u64>,
    experimental_supported_tools: [(); 0],
    input_modalities: &'static [&'static str],
}

#[derive(Serialize)]
struct Effort {
    effort: &'static str,
    description: &'static str,
}

/// How much of a tool's output goes to the model.
#[derive(Serialize)]
struct Truncation {
    mode: &'static str,
    limit: u64,
}

const EFFORTS: [(&str, &str); 3] = [
    ("low", "Answers soon, with little reasoning"),
    ("medium", "Reasons as much as most tasks need"),
    ("high", "Reasons long, for hard tasks"),
];

pub fn list(call: &Call, unwell: &Unwell) -> Result<HttpResponse, ApiError> {
    let all = callable(call, unwell)?;
    let models = all.iter().enumerate();
    let models = models.filter(|(_, model)| model.chats && !is_known_to_codex(&model.name));
    let models = models.map(|(place, shown)| model(place, shown)).collect();
    Ok(HttpResponse::Ok().json(Catalogue { models }))
}

/// OpenAI's models for Codex and their relatives.
fn is_known_to_codex(name: &str) -> bool {
    name.starts_with("gpt-5") || name.starts_with("gpt-6") || name.contains("codex")
}

fn model(place: usize, shown: &Shown) -> Model<'_> {
    let efforts = EFFORTS.map(|(effort, description)| Effort {
        effort,
        description,
    });
    Model {
        slug: &shown.name,
        display_name: &shown.name,
        description: "A model of this gateway",
        default_reasoning_level: shown.reasons.then_some("medium"),
        supported_reasoning_levels: efforts.into_iter().filter(|_| shown.reasons).collect(),
        shell_type: "shell_command",
        visibility: "list",
        supported_in_api: true,
        priority: place,
        upgrade: None,
        base_instructions: INSTRUCTIONS,
        supports_reasoning_summaries: shown.reasons,
        supports_reasoning_summary_parameter: shown.reasons,
        support_verbosity: false,
        default_verbosity: None,
        apply_patch_tool_type: None,
        truncation_policy: Truncation {
            mode: "tokens",
            limit: 10_000,
        },
        supports_parallel_tool_calls: shown.calls_in_parallel,
        context_window: shown.max_input_tokens,
        experimental_supported_tools: [],
        input_modalities: match shown.sees_images {
            true => &["text", "image"],
            false => &["text"],
        },
    }
}
