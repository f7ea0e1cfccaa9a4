//! The response object.

use serde_json::Value;

use super::items;

use crate::simulator::blocks::{self, quoted};
use crate::simulator::ids::Stamp;
use crate::simulator::request::Ask;
use crate::simulator::{Behaviour, Block};

/// How far a response has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State<'a> {
    Queued,
    InProgress,
    /// With all its items.
    Ended,
    /// With an `error` object.
    Failed(&'a str),
}

/// A whole answer, indented as OpenAI indents it; one made in the background is only queued.
pub fn whole(ask: &Ask, behaviour: &Behaviour, stamp: &Stamp) -> Vec<u8> {
    let state = if ask.is_in_background() {
        State::Queued
    } else {
        State::Ended
    };
    let compact = object(ask, behaviour, stamp, state);
    // Through a map that sorts its keys nobody would see OpenAI's order: only the white space is OpenAI's.
    compact.replacen(r#"{"id""#, "{\n  \"id\"", 1).into_bytes()
}

/// The object of an answer in this state, compact.
pub fn object(ask: &Ask, behaviour: &Behaviour, stamp: &Stamp, state: State<'_>) -> String {
    let said = items::said(behaviour);
    let (status, details) = match state {
        State::Queued => ("queued", None),
        State::InProgress => ("in_progress", None),
        State::Failed(_) => ("failed", None),
        State::Ended => ended(behaviour, &said),
    };
    let output: Vec<String> = match state {
        State::Ended => {
            let all = items::of(&said);
            all.iter()
                .enumerate()
                .map(|(at, item)| item.done(ask, stamp, at))
                .collect()
        }
        _ => Vec::new(),
    };
    let output = output.join(",");
    let error = match state {
        State::Failed(error) => error,
        _ => "null",
    };
    let usage = match state {
        State::Ended => usage(ask, behaviour),
        _ => "null".to_owned(),
    };
    let details = details.map_or("null".to_owned(), |reason| {
        format!(r#"{{"reason":"{reason}"}}"#)
    });
    let asked = |name: &str, otherwise: &str| match &ask.body[name] {
        Value::Null => otherwise.to_owned(),
        value => value.to_string(),
    };
    let reasoning = &ask.body["reasoning"];
    let effort = reasoning["effort"].to_string();
    let summary = match &reasoning["summary"] {
        Value::String(_) => "\"detailed\"",
        _ => "null",
    };
    let text = &ask.body["text"];
    let format = match &text["format"] {
        Value::Null => r#"{"type":"text"}"#.to_owned(),
        format => format.to_string(),
    };
    let verbosity = text["verbosity"].as_str().unwrap_or("medium");
    format!(
        concat!(
            r#"{{"id":"resp_{serial}","object":"response","created_at":{created},"status":"{status}","background":{background},"#,
            r#""error":{error},"incomplete_details":{details},"instructions":{instructions},"max_output_tokens":{most},"#,
            r#""max_tool_calls":{calls},"model":{model},"output":[{output}],"parallel_tool_calls":{parallel},"#,
            r#""previous_response_id":{previous},"prompt_cache_key":{cache},"reasoning":{{"effort":{effort},"summary":{summary}}},"#,
            r#""safety_identifier":{safety},"service_tier":"default","store":{store},"temperature":{temperature},"#,
            r#""text":{{"format":{format},"verbosity":"{verbosity}"}},"tool_choice":{choice},"tools":{tools},"top_logprobs":0,"#,
            r#""top_p":{top_p},"truncation":{truncation},"usage":{usage},"user":{user},"metadata":{metadata}}}"#
        ),
        serial = stamp.serial,
        created = stamp.created.trim_start_matches('0'),
        status = status,
        background = asked("background", "false"),
        error = error,
        details = details,
        instructions = asked("instructions", "null"),
        most = asked("max_output_tokens", "null"),
        calls = asked("max_tool_calls", "null"),
        model = quoted(&ask.model),
        output = output,
        parallel = asked("parallel_tool_calls", "true"),
        previous = asked("previous_response_id", "null"),
        cache = asked("prompt_cache_key", "null"),
        effort = effort,
        summary = summary,
        safety = asked("safety_identifier", "null"),
        store = asked("store", "true"),
        temperature = asked("temperature", "1.0"),
        format = format,
        verbosity = verbosity,
        choice = asked("tool_choice", "\"auto\""),
        tools = asked("tools", "[]"),
        top_p = asked("top_p", "1.0"),
        truncation = asked("truncation", "\"disabled\""),
        usage = usage,
        user = asked("user", "null"),
        metadata = asked("metadata", "{}"),
    )
}

/// Status, and why it is incomplete if it is.
pub fn ended(behaviour: &Behaviour, said: &[Block]) -> (&'static str, Option<&'static str>) {
    let refused = said
        .iter()
        .any(|block| matches!(block, Block::Refusal { .. }));
    match behaviour.finish_reason.as_deref() {
        Some("length") => ("incomplete", Some("max_output_tokens")),
        Some("content_filter") if !refused => ("incomplete", Some("content_filter")),
        _ => ("completed", None),
    }
}

fn usage(ask: &Ask, behaviour: &Behaviour) -> String {
    if behaviour.no_usage {
        return "null".to_owned();
    }
    if let Some(given) = &behaviour.usage {
        return given.get().to_owned();
    }
    let counts = blocks::counts(ask, behaviour);
    let input = counts.all_input();
    format!(
        r#"{{"input_tokens":{input},"input_tokens_details":{{"cached_tokens":{},"cache_write_tokens":{}}},"output_tokens":{},"output_tokens_details":{{"reasoning_tokens":{}}},"total_tokens":{}}}"#,
        counts.cache_read,
        counts.cache_write_5m + counts.cache_write_1h,
        counts.output,
        counts.thinking,
        input + counts.output
    )
}
