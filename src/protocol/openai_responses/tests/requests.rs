//! Requests of clients, and what becomes of them.

use serde_json::{Value, json};

use super::json as parsed;
use crate::protocol::json_fields::DecodeError;
use crate::protocol::neutral::*;
use crate::protocol::openai_responses::{Asked, decode_request};
use crate::protocol::{anthropic, openai_chat};

fn read(body: &Value) -> Result<(Request, Asked), DecodeError> {
    decode_request(&body.to_string().into())
}

fn chat() -> openai_chat::Target<'static> {
    openai_chat::Target {
        takes_custom_tools: false,
        takes_reasoning_content: true,
        ..openai_chat::Target::openai("gpt", Some(Effort::High))
    }
}

fn claude() -> anthropic::Target<'static> {
    anthropic::Target {
        model: "claude",
        default_max_tokens: 100,
        thinking: anthropic::ThinkingSupport::Adaptive,
        native_format: true,
        takes_sampling: true,
        takes_forced_tools: true,
        takes_mid_system: false,
        ..anthropic::Target::unknown("claude")
    }
}

/// A turn of Codex: instructions, developer's words, thoughts, calls of both kinds and their outputs.
fn codex() -> Value {
    json!({
        "model": "m",
        "instructions": "You are Codex.",
        "input": [
            {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "<permissions>"}]},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Fix it."}, {"type": "input_image", "image_url": "data:image/png;base64,QUJD"}]},
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "A"}, {"type": "summary_text", "text": "B"}], "content": null, "encrypted_content": "anthropic-thinking:EqQB"},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Looking."}], "phase": "commentary"},
            {"type": "function_call", "name": "shell", "arguments": "{\"command\": [\"ls\"]}", "call_id": "call_1"},
            {"type": "custom_tool_call", "status": "completed", "call_id": "call_2", "name": "apply_patch", "input": "*** Begin"},
            {"type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "x"}},
            {"type": "function_call_output", "call_id": "call_1", "output": "a\nb"},
            {"type": "custom_tool_call_output", "call_id": "call_2", "output": [{"type": "input_text", "text": "Done"}]},
        ],
        "tools": [
            {"type": "function", "name": "shell", "description": "Runs", "strict": false, "parameters": {"type": "object"}},
            {"type": "custom", "name": "apply_patch", "description": "Edits", "format": {"type": "grammar", "syntax": "lark", "definition": "start: x"}},
            {"type": "web_search", "external_web_access": false},
        ],
        "tool_choice": "auto",
        "parallel_tool_calls": true,
        "reasoning": {"effort": "medium", "summary": "auto"},
        "store": false,
        "stream": true,
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": "k",
        "text": {"verbosity": "low"},
    })
}

#[test]
fn codex_at_a_host_of_chats() {
    let (request, _) = read(&codex()).unwrap();
    let encoded = openai_chat::encode_request(&request, &chat()).unwrap();
    let body = parsed(&encoded.body);
    assert_eq!(
        body["messages"],
        json!([
            {"role": "system", "content": [{"type": "text", "text": "You are Codex."}, {"type": "text", "text": "<permissions>"}]},
            {"role": "user", "content": [{"type": "text", "text": "Fix it."}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}]},
            {"role": "assistant", "content": "Looking.", "reasoning_content": "A\n\nB", "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "shell", "arguments": "{\"command\": [\"ls\"]}"}},
                {"id": "call_2", "type": "function", "function": {"name": "apply_patch", "arguments": "{\"input\":\"*** Begin\"}"}},
            ]},
            {"role": "tool", "tool_call_id": "call_1", "content": "a\nb"},
            {"role": "tool", "tool_call_id": "call_2", "content": "Done"},
        ])
    );
    assert_eq!(body["tools"][1]["function"]["name"], "apply_patch");
    assert_eq!(body["tools"].as_array().unwrap().len(), 2);
    assert_eq!(body["reasoning_effort"], "medium");
    assert_eq!(body["verbosity"], "low");
    assert_eq!(body["stream_options"], json!({"include_usage": true}));
    for absent in [
        "store",
        "include",
        "prompt_cache_key",
        "web_search_options",
        "reasoning",
    ] {
        assert!(body.get(absent).is_none(), "{absent}");
    }
    let left: Vec<_> = encoded
        .not_carried
        .iter()
        .map(|note| note.field.as_str())
        .collect();
    assert_eq!(
        left,
        ["messages.1.content.0", "messages.1.content.4", "tools[2]"]
    );
}

#[test]
fn codex_at_claude() {
    let (request, asked) = read(&codex()).unwrap();
    let encoded = anthropic::encode_request(&request, &claude()).unwrap();
    let body = parsed(&encoded.body);
    assert_eq!(body["system"][0]["text"], "You are Codex.");
    let turn = &body["messages"][1]["content"];
    assert_eq!(
        turn[0],
        json!({"type": "thinking", "thinking": "A\n\nB", "signature": "EqQB"})
    );
    assert_eq!(turn[3]["input"], json!({"input": "*** Begin"}));
    assert_eq!(body["messages"][2]["content"][1]["tool_use_id"], "call_2");
    assert_eq!(body["tools"][1]["name"], "apply_patch");
    assert_eq!(body["thinking"]["type"], "adaptive");
    let searched = encoded
        .not_carried
        .iter()
        .find(|note| note.why == Why::OtherProvider);
    let searched = searched.unwrap();
    assert_eq!(asked.path(&request, &searched.field), "input[6]");
}

#[test]
fn short_forms() {
    let (request, _) = read(&json!({"model": "m", "input": "Hi"})).unwrap();
    assert_eq!(request.messages.len(), 1);
    assert_eq!(request.messages[0].content, [Block::text("Hi")]);
    let (request, _) = read(&json!({"model": "m", "input": [{"role": "user", "content": "Hi"}], "tools": [], "text": null, "background": false, "conversation": null})).unwrap();
    assert_eq!(request.messages[0].content, [Block::text("Hi")]);
    assert!(request.extensions.0.is_empty());
}

#[test]
fn settings_arrive() {
    let (request, _) = read(&json!({
        "model": "m", "input": "x", "temperature": 0.5, "top_p": 1, "max_output_tokens": 0, "top_logprobs": 3,
        "user": "u", "service_tier": "flex", "parallel_tool_calls": false, "truncation": "auto", "max_tool_calls": 2,
        "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": true}},
        "tools": [{"type": "web_search_preview", "search_context_size": "low", "user_location": {"type": "approximate", "country": "DE"}, "filters": {"a": 1}}],
    }))
    .unwrap();
    assert_eq!(request.max_output_tokens, Some(0));
    assert_eq!(
        request.sampling.temperature.as_ref().unwrap().as_str(),
        "0.5"
    );
    assert_eq!(
        (request.sampling.logprobs, request.sampling.top_logprobs),
        (Some(true), Some(3))
    );
    assert_eq!(request.parallel_tool_calls, Some(false));
    assert!(
        matches!(&request.format, Some(OutputFormat::Schema { name: Some(name), strict: Some(true), .. }) if name == "n")
    );
    assert_eq!(
        parsed(request.web_search.as_ref().unwrap().as_bytes()),
        json!({"search_context_size": "low", "user_location": {"type": "approximate", "approximate": {"country": "DE"}}})
    );
    let left: Vec<_> = request
        .extensions
        .0
        .iter()
        .map(|extension| extension.name.as_str())
        .collect();
    assert_eq!(left, ["tools[0].filters", "truncation", "max_tool_calls"]);
}

#[test]
fn choices_among_tools() {
    let tools = json!([{"type": "function", "name": "a"}, {"type": "function", "name": "b"}, {"type": "apply_patch"}, {"type": "web_search"}]);
    for (choice, expected, kept, searches) in [
        (json!("required"), Some(ToolChoice::Required), 3, true),
        (
            json!({"type": "function", "name": "b"}),
            Some(ToolChoice::Named("b".to_owned())),
            3,
            true,
        ),
        (
            json!({"type": "apply_patch"}),
            Some(ToolChoice::Named("apply_patch".to_owned())),
            3,
            true,
        ),
        (
            json!({"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "b"}]}),
            Some(ToolChoice::Required),
            1,
            false,
        ),
        (
            json!({"type": "allowed_tools", "mode": "auto", "tools": [{"type": "apply_patch"}, {"type": "web_search"}]}),
            Some(ToolChoice::Auto),
            1,
            true,
        ),
    ] {
        let body = json!({"model": "m", "input": "x", "tools": tools, "tool_choice": choice});
        let (request, _) = read(&body).unwrap();
        assert_eq!(request.tool_choice, expected);
        assert_eq!(request.tools.len(), kept, "{choice}");
        assert_eq!(request.web_search.is_some(), searches, "{choice}");
    }
}

/// Tools that were found on the way are tools of the next turn.
#[test]
fn tools_that_a_search_found() {
    let body = json!({"model": "m", "tools": [{"type": "tool_search", "execution": "client", "description": "Finds", "parameters": {"type": "object"}}], "input": [
        {"role": "user", "content": "x"},
        {"type": "tool_search_call", "call_id": "c", "execution": "client", "status": "completed", "arguments": {"query": "q"}},
        {"type": "tool_search_output", "call_id": "c", "execution": "client", "status": "completed", "tools": [
            {"type": "namespace", "name": "cal", "description": "d", "tools": [{"type": "function", "name": "list", "parameters": {}, "defer_loading": true}]},
        ]},
        {"type": "function_call", "call_id": "c2", "name": "list", "namespace": "cal", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c2", "output": "none"},
    ]});
    let (request, asked) = read(&body).unwrap();
    let names: Vec<_> = request
        .tools
        .iter()
        .filter_map(|tool| tool.kind.name())
        .collect();
    assert_eq!(names, ["tool_search", "cal__list"]);
    let Content::ToolCall(call) = &request.messages[3].content[0].content else {
        panic!("{request:?}");
    };
    assert_eq!(call.name, "cal__list");
    assert_eq!(
        asked.path(&request, "tools.1"),
        "input[2].tools[0].tools[0]"
    );
}

#[test]
fn what_only_openai_has_is_refused_by_its_place() {
    let with = |tool: Value| json!({"model": "m", "input": "x", "tools": [{"type": "function", "name": "f"}, tool]});
    let item = |item: Value| json!({"model": "m", "instructions": "i", "input": [{"role": "user", "content": "x"}, item]});
    for (body, path) in [
        (
            with(json!({"type": "mcp", "server_label": "s", "server_url": "https://x"})),
            "tools[1]",
        ),
        (
            with(json!({"type": "file_search", "vector_store_ids": []})),
            "tools[1]",
        ),
        (with(json!({"type": "image_generation"})), "tools[1]"),
        (
            with(json!({"type": "code_interpreter", "container": {"type": "auto"}})),
            "tools[1]",
        ),
        (
            item(json!({"type": "item_reference", "id": "msg_1"})),
            "input[1]",
        ),
        (item(json!({"id": "msg_1"})), "input[1]"),
        (
            item(
                json!({"type": "mcp_approval_response", "approve": true, "approval_request_id": "a"}),
            ),
            "input[1]",
        ),
        (
            item(
                json!({"type": "computer_call_output", "call_id": "c", "output": {"type": "computer_screenshot", "image_url": "data:"}}),
            ),
            "input[1]",
        ),
        (
            item(json!({"type": "compaction", "encrypted_content": "x"})),
            "input[1]",
        ),
        (
            item(json!({"role": "user", "content": [{"type": "odd_part"}]})),
            "input[1]",
        ),
    ] {
        let (request, asked) = read(&body).unwrap();
        let by_chat = openai_chat::encode_request(&request, &chat()).unwrap_err();
        let by_claude = anthropic::encode_request(&request, &claude()).unwrap_err();
        for refused in [by_chat, by_claude] {
            assert_eq!(asked.path(&request, &refused.field), path, "{body}");
        }
    }
}

#[test]
fn wrong_fields_are_named_as_openai_names_them() {
    let item =
        |item: Value| json!({"model": "m", "input": [{"role": "user", "content": "x"}, item]});
    for (body, expected) in [
        (json!({"model": "m"}), "input: field required"),
        (json!({"input": "x"}), "model: field required"),
        (
            json!({"model": "m", "input": 5}),
            "input: expected a string or an array of items",
        ),
        (item(json!("x")), "input[1]: expected an object"),
        (
            item(json!({"role": "bot", "content": "x"})),
            "input[1].role: expected \"system\", \"developer\", \"user\" or \"assistant\"",
        ),
        (
            item(json!({"role": "user", "content": [{"type": "input_text"}]})),
            "input[1].content[0].text: field required",
        ),
        (
            item(json!({"type": "function_call", "name": "f", "arguments": {}, "call_id": "c"})),
            "input[1].arguments: expected a string",
        ),
        (
            item(json!({"type": "function_call_output", "output": "x"})),
            "input[1].call_id: field required",
        ),
        (
            item(json!({"type": "function_call_output", "call_id": "c", "output": {"a": 1}})),
            "input[1].output: expected a string or an array of content parts",
        ),
        (
            item(json!({"type": "reasoning", "summary": [5]})),
            "input[1].summary[0]: expected an object",
        ),
        (
            item(json!({"type": "local_shell_call", "call_id": "c", "action": "ls"})),
            "input[1].action: expected an object",
        ),
        (
            json!({"model": "m", "input": "x", "tools": [{"type": "namespace", "name": "n", "tools": [{"type": "function"}]}]}),
            "tools[0].tools[0].name: field required",
        ),
        (
            json!({"model": "m", "input": "x", "tools": [{"type": "function", "name": "f", "parameters": []}]}),
            "tools[0].parameters: expected a JSON schema",
        ),
        (
            json!({"model": "m", "input": "x", "tool_choice": "some"}),
            "tool_choice: expected \"auto\", \"none\", \"required\" or an object",
        ),
        (
            json!({"model": "m", "input": "x", "reasoning": {"effort": "huge"}}),
            "reasoning.effort: expected \"none\", \"minimal\", \"low\", \"medium\", \"high\", \"xhigh\" or \"max\"",
        ),
        (
            json!({"model": "m", "input": "x", "text": {"format": {"type": "json_schema"}}}),
            "text.format.schema: field required",
        ),
        (
            json!({"model": "m", "input": "x", "background": true}),
            "background: expected false: the model behind this name answers while it is waited for",
        ),
        (
            json!({"model": "m", "input": "x", "previous_response_id": "resp_1"}),
            "previous_response_id: expected the id of a response that was stored",
        ),
    ] {
        assert_eq!(read(&body).unwrap_err().to_string(), expected, "{body}");
    }
    let many: Vec<Value> = (0..1025)
        .map(|n| json!({"type": "function", "name": format!("f{n}")}))
        .collect();
    let error = read(&json!({"model": "m", "input": "x", "tools": many})).unwrap_err();
    assert_eq!(
        error.to_string(),
        "tools[1024]: expected one of at most 1024 tools"
    );
}

mod properties {
    use proptest::prelude::*;

    use crate::protocol::openai_responses::decode_request;

    proptest! {
        /// A wrong byte anywhere is an error or another request, never a panic.
        #[test]
        fn a_wrong_byte_is_read(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut body = super::codex().to_string().into_bytes();
            let at = at.index(body.len());
            body[at] = byte;
            let _ = decode_request(&body.clone().into());
        }
    }
}
