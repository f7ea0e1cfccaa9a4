//! A whole message, with Anthropic's keys in its order.

use crate::simulator::blocks::{self, quoted};
use crate::simulator::ids::Stamp;
use crate::simulator::proof;
use crate::simulator::request::Ask;
use crate::simulator::{Behaviour, Block, Counts, Source};

/// A whole answer, compact as Anthropic sends it.
pub fn message(ask: &Ask, behaviour: &Behaviour, stamp: &Stamp) -> Vec<u8> {
    let said = blocks::of(behaviour);
    let content: Vec<String> = said.iter().flat_map(content_blocks).collect();
    let usage = usage(ask, behaviour, false);
    let mut message = opening(
        ask,
        stamp,
        &content.join(","),
        &ending(ask, behaviour, &said),
    );
    if let Some(usage) = usage {
        message.push_str(&format!(r#","usage":{usage}"#));
    }
    message.push('}');
    message.into_bytes()
}

/// A message up to its usage, not closed.
pub fn opening(ask: &Ask, stamp: &Stamp, content: &str, ending: &str) -> String {
    let (model, serial) = (quoted(&ask.model), &stamp.serial);
    format!(
        r#"{{"model":{model},"id":"msg_{serial}","type":"message","role":"assistant","content":[{content}],{ending}"#
    )
}

/// `stop_reason` and `stop_sequence`.
pub fn ending(ask: &Ask, behaviour: &Behaviour, said: &[Block]) -> String {
    let called = said
        .iter()
        .any(|block| matches!(block, Block::ToolUse { .. }));
    let refused = said
        .iter()
        .any(|block| matches!(block, Block::Refusal { .. }));
    let reason = match behaviour.finish_reason.as_deref() {
        Some("stop") => "end_turn",
        Some("length") => "max_tokens",
        Some("tool_calls") => "tool_use",
        Some("content_filter") => "refusal",
        Some(own) => own,
        None if refused => "refusal",
        None if called => "tool_use",
        None => "end_turn",
    };
    let sequence = match reason {
        "stop_sequence" => ask.body["stop_sequences"][0].to_string(),
        _ => "null".to_owned(),
    };
    format!(r#""stop_reason":"{reason}","stop_sequence":{sequence}"#)
}

/// The blocks of a whole answer that one block of the behaviour makes.
fn content_blocks(block: &Block) -> Vec<String> {
    match block {
        Block::Text { text, cites } if !cites.is_empty() => {
            let citations: Vec<String> =
                cites.iter().map(|source| citation(source, text)).collect();
            let (citations, text) = (citations.join(","), quoted(text));
            vec![format!(
                r#"{{"citations":[{citations}],"type":"text","text":{text}}}"#
            )]
        }
        Block::Text { text, .. } | Block::Refusal { text } => {
            vec![format!(r#"{{"type":"text","text":{}}}"#, quoted(text))]
        }
        Block::Thinking { thinking } => {
            let (text, signature) = (quoted(thinking), proof::signature(thinking));
            vec![format!(
                r#"{{"type":"thinking","thinking":{text},"signature":"{signature}"}}"#
            )]
        }
        Block::RedactedThinking { data } => vec![redacted(data)],
        Block::ToolUse {
            id,
            name,
            arguments,
        } => {
            // The API gives an object, whatever the model wrote.
            let input = if serde_json::from_str::<serde_json::Value>(arguments).is_ok() {
                arguments
            } else {
                "{}"
            };
            vec![tool_use("tool_use", id, name, input)]
        }
        Block::CustomTool { .. } => Vec::new(),
        Block::Search { id, query, found } => {
            let input = format!(r#"{{"query":{}}}"#, quoted(query));
            vec![
                tool_use("server_tool_use", id, "web_search", &input),
                results(id, found),
            ]
        }
    }
}

pub fn redacted(data: &str) -> String {
    format!(r#"{{"type":"redacted_thinking","data":{}}}"#, quoted(data))
}

pub fn tool_use(kind: &str, id: &str, name: &str, input: &str) -> String {
    let (id, name) = (quoted(id), quoted(name));
    format!(r#"{{"type":"{kind}","id":{id},"name":{name},"input":{input}}}"#)
}

/// What a search found; its content is encrypted, so that nobody else can use it.
pub fn results(id: &str, found: &[Source]) -> String {
    let of = |source: &Source| {
        let (url, title) = (quoted(&source.url), quoted(&source.title));
        let content = proof::signature(&source.url);
        format!(
            r#"{{"type":"web_search_result","title":{title},"url":{url},"encrypted_content":"{content}","page_age":null}}"#
        )
    };
    let found: Vec<String> = found.iter().map(of).collect();
    let (id, found) = (quoted(id), found.join(","));
    format!(r#"{{"type":"web_search_tool_result","tool_use_id":{id},"content":[{found}]}}"#)
}

pub fn citation(source: &Source, cited: &str) -> String {
    let (url, title, cited) = (quoted(&source.url), quoted(&source.title), quoted(cited));
    let index = proof::signature(&source.url);
    format!(
        r#"{{"type":"web_search_result_location","cited_text":{cited},"url":{url},"title":{title},"encrypted_index":"{index}"}}"#
    )
}

/// The `usage` of a message; a stream begins with one output token.
pub fn usage(ask: &Ask, behaviour: &Behaviour, begins: bool) -> Option<String> {
    if behaviour.no_usage {
        return None;
    }
    if let Some(given) = &behaviour.usage {
        return Some(given.get().to_owned());
    }
    let counts = blocks::counts(ask, behaviour);
    let Counts {
        input,
        cache_read,
        cache_write_5m,
        cache_write_1h,
        ..
    } = counts;
    let writes = cache_write_5m + cache_write_1h;
    let output = if begins {
        counts.output.min(1)
    } else {
        counts.output
    };
    let searches = searches(behaviour);
    Some(format!(
        r#"{{"input_tokens":{input},"cache_creation_input_tokens":{writes},"cache_read_input_tokens":{cache_read},"cache_creation":{{"ephemeral_5m_input_tokens":{cache_write_5m},"ephemeral_1h_input_tokens":{cache_write_1h}}},"output_tokens":{output},{searches}"service_tier":"standard"}}"#
    ))
}

/// `server_tool_use` with a comma, if there is something to count.
pub fn searches(behaviour: &Behaviour) -> String {
    let searches = behaviour.blocks.iter();
    match searches
        .filter(|block| matches!(block, Block::Search { .. }))
        .count()
    {
        0 => String::new(),
        count => format!(
            r#""server_tool_use":{{"web_search_requests":{count},"web_fetch_requests":0}},"#
        ),
    }
}

/// `GET /v1/models`, for those who say a version of Anthropic's.
pub fn models(names: &[&String]) -> String {
    let of = |name: &&String| {
        let name = quoted(name);
        format!(
            r#"{{"type":"model","id":{name},"display_name":{name},"created_at":"2025-09-29T00:00:00Z"}}"#
        )
    };
    let data: Vec<String> = names.iter().map(of).collect();
    let end = |name: Option<&&String>| name.map_or("null".to_owned(), |name| quoted(name));
    let (first, last, data) = (end(names.first()), end(names.last()), data.join(","));
    format!(r#"{{"data":[{data}],"has_more":false,"first_id":{first},"last_id":{last}}}"#)
}
