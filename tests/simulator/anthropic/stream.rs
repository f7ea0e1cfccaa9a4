//! A message as a stream: start, block after block, the reason of its end, stop.

use super::answer::{self, citation, redacted, results, tool_use};
use crate::simulator::blocks::{self, quoted};
use crate::simulator::ids::Stamp;
use crate::simulator::proof;
use crate::simulator::request::Ask;
use crate::simulator::sse::{Frame, Payloads};
use crate::simulator::{Behaviour, Block, text};

/// The events of a stream.
pub fn payloads(ask: &Ask, behaviour: &Behaviour, stamp: &Stamp) -> Payloads {
    let said = blocks::of(behaviour);
    let mut start = answer::opening(ask, stamp, "", r#""stop_reason":null,"stop_sequence":null"#);
    if let Some(usage) = answer::usage(ask, behaviour, true) {
        start.push_str(&format!(r#","usage":{usage}"#));
    }
    let opening = vec![Frame::of(format!(
        r#"{{"type":"message_start","message":{start}}}}}"#
    ))];
    let mut middle = Vec::new();
    for (kind, deltas) in said.iter().flat_map(|block| pieces(block, behaviour)) {
        let index = middle
            .iter()
            .flatten()
            .filter(|frame: &&Frame| frame.is("content_block_start"))
            .count();
        let first = middle.len();
        let delta = |delta| {
            vec![Frame::of(format!(
                r#"{{"type":"content_block_delta","index":{index},"delta":{delta}}}"#
            ))]
        };
        middle.extend(deltas.into_iter().map(delta));
        if middle.len() == first {
            middle.push(Vec::new());
        }
        let begin =
            format!(r#"{{"type":"content_block_start","index":{index},"content_block":{kind}}}"#);
        let mut begin = vec![Frame::of(begin)];
        if index == 0 {
            begin.push(ping());
        }
        if let Some(group) = middle.get_mut(first) {
            group.splice(0..0, begin);
        }
        if let Some(group) = middle.last_mut() {
            let end = format!(r#"{{"type":"content_block_stop","index":{index}}}"#);
            group.push(Frame::of(end));
        }
    }
    for group in &mut middle {
        if behaviour.pings {
            group.insert(0, ping());
        }
        if behaviour.unknown_events {
            let unheard = r#"{"type":"weather_report","weather":{"sky":"blue"}}"#;
            group.push(Frame::of(unheard.to_owned()));
        }
    }
    Payloads {
        opening,
        middle,
        closing: closing(ask, behaviour, &said),
        done: "",
    }
}

fn ping() -> Frame {
    Frame::of(r#"{"type": "ping"}"#.to_owned())
}

fn closing(ask: &Ask, behaviour: &Behaviour, said: &[Block]) -> Vec<Frame> {
    let mut closing = Vec::new();
    if !behaviour.no_finish {
        let ending = answer::ending(ask, behaviour, said);
        let usage = match &behaviour.usage {
            _ if behaviour.no_usage => String::new(),
            Some(given) => format!(r#","usage":{}"#, given.get()),
            None => {
                let counts = blocks::counts(ask, behaviour);
                let reads = counts.cache_read;
                let writes = counts.cache_write_5m + counts.cache_write_1h;
                let searches = answer::searches(behaviour);
                format!(
                    r#","usage":{{"input_tokens":{},"cache_creation_input_tokens":{writes},"cache_read_input_tokens":{reads},{searches}"output_tokens":{}}}"#,
                    counts.input, counts.output
                )
            }
        };
        closing.push(Frame::of(format!(
            r#"{{"type":"message_delta","delta":{{{ending}}}{usage}}}"#
        )));
    }
    if !behaviour.no_done {
        closing.push(Frame::of(r#"{"type":"message_stop"}"#.to_owned()));
    }
    closing
}

/// A block's beginning and its deltas; a search makes two.
fn pieces(block: &Block, behaviour: &Behaviour) -> Vec<(String, Vec<String>)> {
    let cut = |what: &str, kind: &str, field: &str| -> Vec<String> {
        let pieces = text::pieces(what, behaviour).into_iter();
        pieces
            .map(|piece| format!(r#"{{"type":"{kind}","{field}":{}}}"#, quoted(piece)))
            .collect()
    };
    let input = |what: &str| {
        if behaviour.whole_arguments {
            return vec![format!(
                r#"{{"type":"input_json_delta","partial_json":{}}}"#,
                quoted(what)
            )];
        }
        let mut deltas = vec![r#"{"type":"input_json_delta","partial_json":""}"#.to_owned()];
        deltas.extend(cut(what, "input_json_delta", "partial_json"));
        deltas
    };
    let one = |begin: &str, deltas| vec![(begin.to_owned(), deltas)];
    match block {
        Block::Text { text, cites } if !cites.is_empty() => {
            let mut deltas = cut(text, "text_delta", "text");
            let cited = cites.iter().map(|source| {
                let citation = citation(source, text);
                format!(r#"{{"type":"citations_delta","citation":{citation}}}"#)
            });
            deltas.extend(cited);
            one(r#"{"citations":[],"type":"text","text":""}"#, deltas)
        }
        Block::Text { text, .. } | Block::Refusal { text } => one(
            r#"{"type":"text","text":""}"#,
            cut(text, "text_delta", "text"),
        ),
        Block::Thinking { thinking } => {
            let mut deltas = cut(thinking, "thinking_delta", "thinking");
            let signature = proof::signature(thinking);
            deltas.push(format!(
                r#"{{"type":"signature_delta","signature":"{signature}"}}"#
            ));
            one(
                r#"{"type":"thinking","thinking":"","signature":""}"#,
                deltas,
            )
        }
        Block::RedactedThinking { data } => vec![(redacted(data), Vec::new())],
        Block::ToolUse {
            id,
            name,
            arguments,
        } => vec![(tool_use("tool_use", id, name, "{}"), input(arguments))],
        Block::CustomTool { .. } => Vec::new(),
        Block::Search { id, query, found } => {
            let query = format!(r#"{{"query":{}}}"#, quoted(query));
            vec![
                (
                    tool_use("server_tool_use", id, "web_search", "{}"),
                    input(&query),
                ),
                (results(id, found), Vec::new()),
            ]
        }
    }
}
