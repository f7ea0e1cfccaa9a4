//! A whole answer of Chat Completions, read from an upstream or written for a client.

use super::decode_messages::{PROVIDER_FIELDS, spoken};
use super::encode_messages::{thinking_blocks, tool_call};
use super::write_usage;
use crate::protocol::json_fields::{DecodeError, Fields, Path};
use crate::protocol::json_write::{self, Array, Object};
use crate::protocol::neutral::{
    Answer, Block, Choice, Citation, Content, Dialect, NotCarried, Notes, ServerResult, Source,
    Stop, StopReason, ToolCallKind, Why,
};

/// A finish reason as OpenAI spells it.
pub fn reason_name(reason: StopReason) -> &'static str {
    match reason {
        StopReason::EndTurn | StopReason::StopSequence | StopReason::PauseTurn => "stop",
        StopReason::MaxTokens | StopReason::ContextWindow | StopReason::Compaction => "length",
        StopReason::ToolUse => "tool_calls",
        StopReason::Refusal => "content_filter",
    }
}

/// A finish reason as any host spells it; LiteLLM 1.106.2 has the list. An unknown one is an ordinary stop.
pub fn reason(name: &str) -> StopReason {
    match name {
        "length" | "max_tokens" | "MAX_TOKENS" | "model_length" => StopReason::MaxTokens,
        "model_context_window_exceeded" => StopReason::ContextWindow,
        "compaction" => StopReason::Compaction,
        "tool_calls" | "function_call" | "tool_use" => StopReason::ToolUse,
        "content_filter"
        | "refusal"
        | "SAFETY"
        | "RECITATION"
        | "LANGUAGE"
        | "OTHER"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "NO_IMAGE"
        | "ERROR_TOXIC"
        | "guardrail_intervened"
        | "content_filtered"
        | "sensitive" => StopReason::Refusal,
        name if name.starts_with("IMAGE_") => StopReason::Refusal,
        _ => StopReason::EndTurn,
    }
}

/// What a client is told: calls that it has to run end with `tool_calls`, whatever the host said.
pub fn reason_with(reason: StopReason, calls: bool) -> StopReason {
    match reason {
        StopReason::EndTurn | StopReason::StopSequence if calls => StopReason::ToolUse,
        other => other,
    }
}

/// Reads the body of a successful answer.
pub fn decode_answer(body: &[u8]) -> Result<Answer, DecodeError> {
    let at = Path::Body;
    let mut fields = Fields::read(body, &at)?;
    fields.take("object");
    let items = fields.array("choices", &at)?;
    let items = items.ok_or_else(|| at.missing("choices"))?;
    let mut answer = Answer {
        id: fields.text("id", &at)?.unwrap_or_default(),
        model: fields.text("model", &at)?.unwrap_or_default(),
        created: fields.whole("created", &at).unwrap_or_default(),
        choices: Vec::with_capacity(items.len()),
        usage: fields.take("usage").and_then(write_usage::read),
        service_tier: fields.text("service_tier", &at)?,
        extensions: Default::default(),
    };
    let place = at.field("choices");
    for (index, item) in items.iter().enumerate() {
        let choice = choice(item, index, &answer.id, &place.item(index))?;
        answer.choices.push(choice);
    }
    answer.extensions = fields.rest(Dialect::Chat, &at)?;
    Ok(answer)
}

fn choice(value: &[u8], place: usize, id: &str, at: &Path<'_>) -> Result<Choice, DecodeError> {
    let mut fields = Fields::read(value, at)?;
    let inner = fields.object("message", at)?;
    let mut message = inner.ok_or_else(|| at.missing("message"))?;
    let at_message = at.field("message");
    message.take("role");
    let mut extensions = Vec::new();
    let mut content = spoken(&mut message, &mut extensions, &at_message)?;
    let mut calls = 0_usize;
    for block in &mut content {
        if let Content::ToolCall(call) = &mut block.content {
            if call.id.is_empty() {
                call.id = made_id(id, calls);
            }
            calls += 1;
        }
    }
    let said = fields.whole("index", at)?;
    let index = said.and_then(|index| u32::try_from(index).ok());
    let finish = fields.text("finish_reason", at)?;
    let finish = finish.filter(|name| !name.is_empty());
    extensions.extend(message.rest(Dialect::Chat, &at_message)?.0);
    let logprobs = fields.raw("logprobs", at)?;
    extensions.extend(fields.rest(Dialect::Chat, at)?.0);
    Ok(Choice {
        index: index.unwrap_or(u32::try_from(place).unwrap_or(u32::MAX)),
        content,
        stop: finish.map(|name| Stop::from(reason(&name))),
        logprobs,
        extensions: crate::protocol::neutral::Extensions(extensions),
    })
}

/// The id of a call whose host gave none: clients answer by it.
pub fn made_id(answer: &str, place: usize) -> String {
    format!("call_{answer}_{place}")
}

/// An id in OpenAI's form.
pub fn completion_id(id: &str) -> String {
    if id.starts_with("chatcmpl-") {
        id.to_owned()
    } else {
        format!("chatcmpl-{id}")
    }
}

/// The body of an answer for a client, and what of it such a client cannot be told. `now` (seconds since the Unix epoch) is
/// the time of an answer that says none.
pub fn encode_answer(answer: &Answer, now: u64) -> (Vec<u8>, Vec<NotCarried>) {
    let mut notes = Notes::default();
    let mut body = Vec::with_capacity(512);
    json_write::object(&mut body, |out| {
        out.text("id", &completion_id(&answer.id));
        out.number("created", answer.created.unwrap_or(now));
        out.text("model", &answer.model);
        out.text("object", "chat.completion");
        out.array("choices", |out| {
            for choice in &answer.choices {
                out.object(|out| write_choice(out, choice, &mut notes));
            }
        });
        if let Some(usage) = &answer.usage {
            write_usage::write(out, usage);
        }
        out.maybe_text("service_tier", answer.service_tier.as_deref());
        out.extensions(&answer.extensions, Dialect::Chat);
    });
    for extension in answer.extensions.foreign(Dialect::Chat) {
        notes.add(&extension.name, Why::Unsupported);
    }
    (body, notes.into_list())
}

fn write_choice(out: &mut Object<'_>, choice: &Choice, notes: &mut Notes) {
    let calls = choice
        .content
        .iter()
        .any(|block| matches!(block.content, Content::ToolCall(_)));
    out.number("index", u64::from(choice.index));
    out.object("message", |out| {
        out.text("role", "assistant");
        message(out, choice, notes);
    });
    match &choice.stop {
        Some(stop) => out.text(
            "finish_reason",
            reason_name(reason_with(stop.reason, calls)),
        ),
        None if calls => out.text("finish_reason", "tool_calls"),
        None => out.text("finish_reason", "stop"),
    }
    if let Some(logprobs) = &choice.logprobs {
        out.raw("logprobs", logprobs.as_bytes());
    }
    for extension in choice.extensions.foreign(Dialect::Chat) {
        notes.add(&extension.name, Why::Unsupported);
    }
}

/// What belongs to a message beside its texts.
#[derive(Default)]
struct Parts<'a> {
    text: Option<String>,
    refusal: Option<String>,
    thoughts: Vec<&'a Content>,
    calls: Vec<&'a Block>,
    images: Vec<&'a Source>,
    audio: Option<&'a Content>,
    results: Vec<&'a ServerResult>,
    /// With the characters of the text that each is about.
    citations: Vec<(&'a Citation, usize, usize)>,
}

impl<'a> Parts<'a> {
    fn of(choice: &'a Choice, notes: &mut Notes) -> Self {
        let mut parts = Self::default();
        let mut length = 0;
        for block in &choice.content {
            match &block.content {
                Content::Text { text, citations } => {
                    let text = text.said();
                    let start = length;
                    length += text.chars().count();
                    let cited = citations.iter().map(|citation| (citation, start, length));
                    parts.citations.extend(cited);
                    parts.text.get_or_insert_default().push_str(&text);
                }
                Content::Refusal(text) => parts.refusal.get_or_insert_default().push_str(text),
                Content::Thinking { .. } | Content::RedactedThinking(_) => {
                    parts.thoughts.push(&block.content);
                }
                Content::ToolCall(_) | Content::ServerCall(_) => parts.calls.push(block),
                Content::ServerResult(result) => parts.results.push(result),
                Content::Image { source, .. } => parts.images.push(source),
                Content::Audio { .. } => parts.audio = Some(&block.content),
                Content::Unknown { kind, .. } => notes.add(kind, Why::Unsupported),
                Content::Document { .. } | Content::ToolResult(_) => {
                    notes.add("content", Why::Unsupported);
                }
            }
        }
        parts
    }
}

fn message(out: &mut Object<'_>, choice: &Choice, notes: &mut Notes) {
    let parts = Parts::of(choice, notes);
    match &parts.text {
        Some(text) => out.text("content", text),
        None => out.null("content"),
    }
    out.maybe_text("refusal", parts.refusal.as_deref());
    if !parts.thoughts.is_empty() {
        let whole: String = parts
            .thoughts
            .iter()
            .map(|thought| thought_text(thought))
            .collect();
        out.text("reasoning_content", &whole);
        thinking_blocks(out, parts.thoughts.iter().copied());
    }
    if !parts.calls.is_empty() {
        out.array("tool_calls", |out| {
            for block in &parts.calls {
                out.object(|out| match &block.content {
                    Content::ToolCall(call) => {
                        tool_call(out, &call.id, &call.name, call.kind, &call.arguments);
                        out.extensions(&block.extensions, Dialect::Chat);
                    }
                    Content::ServerCall(call) => {
                        let kind = ToolCallKind::Function;
                        tool_call(out, &call.id, &call.name, kind, &call.input);
                    }
                    _ => {}
                });
            }
        });
    }
    annotations(out, &parts.citations);
    images(out, &parts.images);
    if let Some(Content::Audio {
        id,
        data,
        transcript,
        ..
    }) = parts.audio
    {
        out.object("audio", |out| {
            out.maybe_text("id", id.as_deref());
            out.text("data", data);
            out.maybe_text("transcript", transcript.as_deref());
        });
    }
    provider_fields(out, choice, &parts);
}

fn thought_text(thought: &Content) -> &str {
    match thought {
        Content::Thinking { text, .. } => text,
        _ => "",
    }
}

/// Web pages as OpenAI names them; its own annotations as they came.
fn annotations(out: &mut Object<'_>, citations: &[(&Citation, usize, usize)]) {
    let has_place = |(citation, ..): &&(&Citation, usize, usize)| {
        citation.dialect == Dialect::Chat || citation.url.is_some()
    };
    if !citations.iter().any(|citation| has_place(&citation)) {
        return;
    }
    out.array("annotations", |out| {
        for (citation, start, end) in citations.iter().filter(has_place) {
            if citation.dialect == Dialect::Chat {
                out.raw(citation.raw.as_bytes());
                continue;
            }
            url_citation(out, citation, *start, *end);
        }
    });
}

/// A page that the characters from `start` to `end` are founded on.
pub fn url_citation(out: &mut Array<'_>, citation: &Citation, start: usize, end: usize) {
    out.object(|out| {
        out.text("type", "url_citation");
        out.object("url_citation", |out| {
            out.number("start_index", start as u64);
            out.number("end_index", end as u64);
            out.maybe_text("url", citation.url.as_deref());
            out.text("title", citation.title.as_deref().unwrap_or_default());
        });
    });
}

fn images(out: &mut Object<'_>, images: &[&Source]) {
    if images.is_empty() {
        return;
    }
    out.array("images", |out| {
        for (index, source) in images.iter().enumerate() {
            out.object(|out| {
                out.text("type", "image_url");
                out.number("index", index as u64);
                out.object("image_url", |out| match source {
                    Source::Url(url) => out.text("url", url),
                    Source::Base64 { media_type, data } => {
                        out.text("url", &format!("data:{media_type};base64,{data}"));
                    }
                    Source::File(id) => out.text("url", id),
                    Source::Text(_) | Source::Blocks(_) => out.text("url", ""),
                });
            });
        }
    });
}

/// Where LiteLLM's clients look for results of the provider's tools and for citations of documents.
fn provider_fields(out: &mut Object<'_>, choice: &Choice, parts: &Parts<'_>) {
    let is_search = |result: &ServerResult| result.kind == "web_search_tool_result";
    let (searches, others): (Vec<&ServerResult>, Vec<&ServerResult>) =
        parts.results.iter().partition(|result| is_search(result));
    let own: Vec<_> = parts
        .citations
        .iter()
        .filter(|(citation, ..)| citation.dialect == Dialect::Anthropic)
        .collect();
    let mut kept = Vec::new();
    for extension in choice.extensions.of(Dialect::Chat) {
        match extension.name.strip_prefix(PROVIDER_FIELDS) {
            Some(name) => kept.push((name.trim_start_matches('.'), &extension.value)),
            None => out.raw(&extension.name, extension.value.as_bytes()),
        }
    }
    if searches.is_empty() && others.is_empty() && own.is_empty() && kept.is_empty() {
        return;
    }
    out.object(PROVIDER_FIELDS, |out| {
        for (name, results) in [("web_search_results", searches), ("tool_results", others)] {
            if results.is_empty() {
                continue;
            }
            out.array(name, |out| {
                for result in results {
                    out.object(|out| server_result(out, result));
                }
            });
        }
        if !own.is_empty() {
            out.array("citations", |out| {
                for (citation, ..) in own {
                    out.array(|out| out.raw(citation.raw.as_bytes()));
                }
            });
        }
        for (name, value) in kept {
            out.raw(name, value.as_bytes());
        }
    });
}

/// The fields of a server tool's result, in Anthropic's spelling.
pub fn server_result(out: &mut Object<'_>, result: &ServerResult) {
    out.text("type", &result.kind);
    out.text("tool_use_id", &result.call);
    out.raw("content", result.content.as_bytes());
}
