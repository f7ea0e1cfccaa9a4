//! Requests as clients send them.

use crate::harness::{Request, Value, json};

/// `key` is the hash of a key that may be changed, and `other` of one that is deleted.
pub fn requests(key: &str, other: &str) -> Vec<Request> {
    let tools = json!([{"type": "function", "function": {
        "name": "weather", "description": "d", "strict": true,
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    }}]);
    let messages = json!([
        {"role": "system", "content": "Be short."},
        {"role": "user", "name": "a", "content": [
            {"type": "text", "text": "What is on it? 🚂"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo=", "detail": "low"}},
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        ]},
        {"role": "assistant", "content": null, "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{\"city\":\"Köln\"}"}},
        ]},
        {"role": "tool", "tool_call_id": "call_1", "content": "rain"},
    ]);
    let chat = json!({
        "model": "m", "messages": messages, "temperature": 0.5, "top_p": 1, "n": 1, "max_tokens": 20, "stop": ["\n"],
        "presence_penalty": 0, "frequency_penalty": -1.5, "logit_bias": {"50256": -100}, "logprobs": true, "top_logprobs": 2,
        "seed": 7, "user": "u-1", "tools": tools, "tool_choice": "auto", "parallel_tool_calls": true,
        "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}}},
        "metadata": {"tags": ["a"], "trace": "b"}, "service_tier": "auto", "reasoning_effort": "low",
    });
    let stream = json!({
        "model": "m", "messages": [{"role": "user", "content": "Hi"}], "stream": true,
        "stream_options": {"include_usage": true}, "max_completion_tokens": 10, "timeout": 20, "num_retries": 1, "tags": ["t"],
    });
    let new_key = json!({
        "models": ["m"], "max_budget": 10.5, "duration": "1h", "rpm_limit": 100, "tpm_limit": 10000,
        "max_parallel_requests": 5, "metadata": {"team": "blue"}, "key_alias": null,
    });
    let post = |path: &str, body: &Value| Request::post(path, body.to_string());
    let completion = json!({
        "model": "m", "prompt": ["a", "b 🚂"], "suffix": "x", "max_tokens": 5, "temperature": 0, "n": 1, "logprobs": 1, "echo": false,
        "stop": null, "best_of": 1, "logit_bias": {}, "user": "u", "seed": 1, "stream": false,
    });
    let embedding = json!({
        "model": "m", "input": [[1, 2, 3], [4]], "dimensions": 4, "encoding_format": "base64", "user": "u", "input_type": "query",
    });
    let update = json!({
        "key": key, "models": ["m"], "max_budget": 20, "budget_duration": "30d", "metadata": {"a": [1]}, "rpm_limit": null,
        "duration": "2h", "blocked": false, "aliases": {}, "tpm_limit": 5,
    });
    let message = json!({
        "model": "m", "max_tokens": 30, "system": [{"type": "text", "text": "Be short.", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "What is on it? 🚂"}]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Köln"}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "rain", "is_error": false}]},
        ],
        "tools": [{"name": "weather", "description": "d", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": true}, "temperature": 0.5, "stop_sequences": ["\n\n"],
        "metadata": {"user_id": "u-1"},
    });
    let count = json!({"model": "m", "messages": message["messages"], "system": "Be short.", "tools": message["tools"]});
    vec![
        post("/v1/messages?beta=true", &message),
        post("/v1/messages/count_tokens", &count),
        post("/v1/chat/completions", &chat),
        post("/v1/chat/completions", &stream),
        post("/v1/completions", &completion),
        post("/v1/embeddings", &embedding),
        post("/engines/m/chat/completions", &chat),
        post(
            "/openai/deployments/m/chat/completions?api-version=2024-10-21",
            &stream,
        ),
        Request::get("/v1/models"),
        Request::get("/v1/models?limit=10&after_id=m").header("anthropic-version", "2023-06-01"),
        Request::get("/v1/models?client_version=0.169.0"),
        post("/api/event_logging/batch", &json!({"events": [{"a": 1}]})),
        Request::get("/v1/models/m"),
        Request::get("/model/info?litellm_model_id=id-m"),
        Request::get("/model_group/info?model_group=m"),
        post("/key/generate", &new_key),
        post("/key/update", &update),
        post("/key/block", &json!({"key": key})),
        post("/key/unblock", &json!({"key": key})),
        post("/v2/key/info", &json!({"keys": [key]})),
        Request::get(&format!("/key/info?key={key}")),
        Request::get(
            "/key/list?page=1&size=10&return_full_object=true&sort_by=spend&sort_order=asc",
        ),
        Request::get("/key/aliases"),
        post("/key/delete", &json!({"keys": [other]})),
        Request::get("/spend/logs?start_date=2026-01-01&end_date=2026-02-01&summarize=false"),
        post(
            "/spend/calculate",
            &json!({"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi 🚂"}]}),
        ),
        post(
            "/utils/token_counter?call_endpoint=false",
            &json!({"model": "m", "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]}),
        ),
        Request::get("/utils/supported_openai_params?model=gpt-4o"),
        Request::get("/health/readiness/details"),
    ]
}
