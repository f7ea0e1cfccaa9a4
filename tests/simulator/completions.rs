//! OpenAI's text completions, with its keys in its order.

use serde::Serialize;

use super::Behaviour;
use super::ids::Stamp;
use super::json::{self, Usage};
use super::request::Ask;
use super::text;

#[derive(Serialize)]
struct Completion<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: Vec<Choice<'a>>,
    /// In a stream `null` on every chunk but the last when usage was asked for, else absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Option<Usage<'a>>>,
}

#[derive(Serialize)]
struct Choice<'a> {
    text: String,
    index: u32,
    logprobs: Option<Logprobs<'a>>,
    finish_reason: Option<&'a str>,
}

/// Parallel lists, one place a token. Each word counts as a token.
#[derive(Serialize)]
struct Logprobs<'a> {
    tokens: Vec<&'a str>,
    token_logprobs: Vec<f64>,
    top_logprobs: Vec<std::collections::BTreeMap<&'a str, f64>>,
    text_offset: Vec<usize>,
}

/// A whole answer: `n` choices for each prompt, with the prompt before them if it is to be echoed.
pub fn completion(ask: &Ask, behaviour: &Behaviour, stamp: &Stamp) -> Vec<u8> {
    let said = text::whole(behaviour);
    let choice = |index: u32| Choice {
        text: format!("{}{said}", echoed(ask, index)),
        index,
        logprobs: ask.logprobs.map(|_| Logprobs::of(&said)),
        finish_reason: Some(json::finish_reason(behaviour)),
    };
    let usage = (!behaviour.no_usage).then(|| Some(json::usage(ask, behaviour)));
    let choices = (0..ask.choices).map(choice).collect();
    serde_json::to_vec_pretty(&object(ask, stamp, choices, usage)).unwrap_or_default()
}

/// The chunks that carry text, piece by piece for all choices.
pub fn chunks(ask: &Ask, behaviour: &Behaviour, stamp: &Stamp) -> Vec<String> {
    let said = text::whole(behaviour);
    let pieces = text::pieces(&said, behaviour);
    let texts = pieces.iter().enumerate().flat_map(|(place, piece)| {
        (0..ask.choices).map(move |index| {
            let before = if place == 0 { echoed(ask, index) } else { "" };
            (index, format!("{before}{piece}"))
        })
    });
    texts
        .map(|(index, text)| chunk(ask, stamp, index, text, None))
        .collect()
}

/// The chunks that end each choice.
pub fn endings(ask: &Ask, behaviour: &Behaviour, stamp: &Stamp) -> Vec<String> {
    let reason = json::finish_reason(behaviour);
    (0..ask.choices)
        .map(|index| chunk(ask, stamp, index, String::new(), Some(reason)))
        .collect()
}

/// The chunk that carries usage and no choice.
pub fn usage_chunk(ask: &Ask, behaviour: &Behaviour, stamp: &Stamp) -> String {
    let usage = Some(Some(json::usage(ask, behaviour)));
    serde_json::to_string(&object(ask, stamp, Vec::new(), usage)).unwrap_or_default()
}

fn chunk(ask: &Ask, stamp: &Stamp, index: u32, text: String, reason: Option<&str>) -> String {
    let choice = Choice {
        text,
        index,
        logprobs: None,
        finish_reason: reason,
    };
    let usage = ask.include_usage.then_some(None);
    serde_json::to_string(&object(ask, stamp, vec![choice], usage)).unwrap_or_default()
}

fn object<'a>(
    ask: &'a Ask,
    stamp: &'a Stamp,
    choices: Vec<Choice<'a>>,
    usage: Option<Option<Usage<'a>>>,
) -> Completion<'a> {
    Completion {
        id: stamp.text_completion(),
        object: "text_completion",
        created: stamp.created.parse().unwrap_or_default(),
        model: &ask.model,
        choices,
        usage,
    }
}

/// The prompt of a choice, when the request asked to have it repeated.
fn echoed(ask: &Ask, index: u32) -> &str {
    let each = (ask.choices as usize / ask.echo.len().max(1)).max(1);
    ask.echo
        .get(index as usize / each)
        .map_or("", String::as_str)
}

// === impl Logprobs ===

impl<'a> Logprobs<'a> {
    fn of(said: &'a str) -> Self {
        let tokens: Vec<&str> = said.split_inclusive(' ').collect();
        let offset = |place: usize| tokens.iter().take(place).map(|token| token.len()).sum();
        Self {
            token_logprobs: tokens.iter().map(|_| -0.25).collect(),
            top_logprobs: tokens
                .iter()
                .map(|token| [(*token, -0.25)].into())
                .collect(),
            text_offset: (0..tokens.len()).map(offset).collect(),
            tokens,
        }
    }
}
