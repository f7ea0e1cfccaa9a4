//! `mock_response` and its companions: answers without an upstream, to clients and books like any other.

use std::time::{Duration, Instant};

use crate::harness::{Config, Deployment, Gateway, Value, chat, chat_with, json, streamed};

/// A deployment that calls nobody: its address would refuse every call.
fn mocked(group: &str, field: &str, value: impl Into<Value>) -> Deployment {
    Deployment::at("http://127.0.0.1:9/v1", "gpt-4o")
        .group(group)
        .id(&format!("id-{group}"))
        .param(field, value)
        .priced(0.000_001, 0.000_002)
}

fn gateway(deployments: impl IntoIterator<Item = Deployment>) -> Gateway {
    Gateway::of(&Config::of(deployments).router("num_retries", 0))
}

#[test]
fn a_mock_answers_like_an_upstream() {
    let gateway = gateway([mocked("m", "mock_response", "Hello from the mock")]);
    let caller = gateway.caller(json!({"rpm_limit": 5}));
    let reply = caller
        .chat(&chat_with("m", json!({"n": 2})))
        .with_status(200);
    let answer = reply.json();
    assert_eq!(answer["object"], "chat.completion");
    assert_eq!(answer["model"], "m");
    assert!(answer["id"].as_str().unwrap().starts_with("chatcmpl-"));
    for choice in [0, 1] {
        let choice = &answer["choices"][choice];
        assert_eq!(choice["message"]["content"], "Hello from the mock");
        assert_eq!(choice["finish_reason"], "stop");
    }
    // "Hello from the mock" is four tokens; what is asked for is counted as everywhere.
    assert_eq!(answer["usage"]["completion_tokens"], 8);
    let prompt = answer["usage"]["prompt_tokens"].as_u64().unwrap();
    assert!(prompt > 3, "{prompt}");
    assert_eq!(reply.must("x-litellm-model-id"), "id-m");
    assert_eq!(reply.must("x-ratelimit-api_key-remaining-requests"), "4");
    assert_eq!(reply.header("x-litellm-model-api-base"), None);
    assert!(
        reply
            .headers
            .iter()
            .all(|(name, _)| !name.starts_with("llm_provider-")),
        "nobody was called"
    );
    let rows = gateway.rows_when(1);
    assert_eq!(rows[0].usage.prompt_tokens(), prompt);
    assert_eq!(rows[0].usage.completion_tokens(), 8);
    assert!(!rows[0].usage_estimated);
    assert_eq!(
        rows[0].spend.0,
        i64::try_from(prompt).unwrap() * 1000 + 8 * 2000
    );
    assert_eq!(*rows[0].request_id, *answer["id"].as_str().unwrap());
    assert_eq!(&*rows[0].api_base, "");
}

#[test]
fn a_mock_streams() {
    let gateway = gateway([mocked("m", "mock_response", "Hello from the mock")]);
    let reply = gateway
        .master()
        .chat(&streamed("m", json!({})))
        .with_status(200);
    assert!(reply.is_done());
    assert_eq!(reply.said(), "Hello from the mock");
    let events = reply.events();
    assert!(events.len() > 5, "{} chunks", events.len());
    assert!(
        events
            .iter()
            .all(|event| event["model"] == "m" && event.get("usage").is_none())
    );
    let asked = json!({"stream_options": {"include_usage": true}});
    let events = gateway
        .master()
        .chat(&streamed("m", asked))
        .with_status(200)
        .events();
    assert_eq!(events.last().unwrap()["usage"]["completion_tokens"], 4);
    let rows = gateway.rows_when(2);
    assert!(rows.iter().all(|row| row.usage.completion_tokens() == 4
        && row.first_token_at.is_some()
        && !row.usage_estimated));
}

#[test]
fn tool_calls_and_whole_answers() {
    let call =
        json!({"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let whole = json!({"choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "length"}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}});
    let gateway = gateway([
        mocked("tools", "mock_tool_calls", json!([call])),
        mocked("whole", "mock_response", whole),
    ]);
    let master = gateway.master();
    let answer = master.chat(&chat("tools")).with_status(200).json();
    assert_eq!(answer["choices"][0]["message"]["tool_calls"][0], call);
    let reply = master.chat(&chat("whole")).with_status(200);
    assert_eq!(reply.json()["choices"][0]["finish_reason"], "length");
    assert_eq!(reply.must("x-litellm-response-cost"), "0.00012");
}

#[test]
fn mocked_errors_are_errors() {
    let names = [
        ("litellm.RateLimitError", 429, "litellm.RateLimitError: "),
        (
            "litellm.ContextWindowExceededError",
            400,
            "litellm.ContextWindowExceededError: ",
        ),
        (
            "litellm.InternalServerError",
            500,
            "litellm.InternalServerError: ",
        ),
        (
            "Exception: content_filter_policy",
            400,
            "litellm.BadRequestError: litellm.ContentPolicyViolationError: ",
        ),
        ("litellm.Timeout", 408, "litellm.Timeout: "),
    ];
    let group = |index: usize| format!("m{index}");
    let deployments = names
        .iter()
        .enumerate()
        .map(|(index, (name, ..))| mocked(&group(index), "mock_response", *name));
    let gateway = gateway(deployments);
    for (index, (name, status, start)) in names.into_iter().enumerate() {
        for body in [chat(&group(index)), streamed(&group(index), json!({}))] {
            let reply = gateway.master().chat(&body).with_status(status);
            assert!(
                reply.message().starts_with(start),
                "{name}: {}",
                reply.message()
            );
        }
    }
    let rows = gateway.rows_when(2 * names.len());
    assert!(rows.iter().all(|row| row.spend.0 == 0));
}

#[test]
fn a_stream_may_break_off() {
    let gateway = gateway([mocked(
        "m",
        "mock_response",
        "Exception: mock_streaming_error",
    )]);
    let reply = gateway
        .master()
        .chat(&streamed("m", json!({})))
        .with_status(200);
    assert!(!reply.is_done());
    let last = reply.events().pop().unwrap();
    assert!(
        last["error"]["message"]
            .as_str()
            .unwrap()
            .contains("mid-stream"),
        "{last}"
    );
}

#[test]
fn a_mock_may_be_slow_or_never_answer() {
    let slow = mocked("slow", "mock_response", "late").param("mock_delay", 0.3);
    let never = mocked("never", "mock_timeout", true).param("timeout", 0.3);
    let gateway = gateway([slow, never]);
    let began = Instant::now();
    gateway.master().chat(&chat("slow")).with_status(200);
    assert!(began.elapsed() >= Duration::from_millis(300));
    let reply = gateway.master().chat(&chat("never")).with_status(408);
    assert!(
        reply.message().starts_with("litellm.Timeout: "),
        "{}",
        reply.message()
    );
}

/// A provider whose own format is not spoken yet can still be mocked.
#[test]
fn any_provider_can_be_mocked() {
    let entry = json!({"model_name": "claude", "litellm_params": {"model": "anthropic/claude-x", "mock_response": "Hi"}});
    let text = json!({"model_list": [entry], "general_settings": {"master_key": "os.environ/LITELLM_MASTER_KEY"}});
    let gateway = crate::harness::Setup::of_text(text.to_string()).start();
    let reply = gateway.master().chat(&chat("claude")).with_status(200);
    assert_eq!(reply.json()["choices"][0]["message"]["content"], "Hi");
}

/// Nobody tells limits of its own here, so the group's are told.
#[test]
fn what_is_left_of_a_groups_limits() {
    let one = mocked("m", "mock_response", "Hi").param("rpm", 7);
    let other = mocked("m", "mock_response", "Hi")
        .id("other")
        .param("rpm", 3)
        .param("tpm", 1_000_000);
    let gateway = gateway([one, other, mocked("free", "mock_response", "Hi")]);
    let master = gateway.master();
    let reply = master.chat(&chat("m")).with_status(200);
    assert_eq!(reply.must("x-ratelimit-limit-requests"), "10");
    assert_eq!(reply.must("x-ratelimit-remaining-requests"), "9");
    assert_eq!(reply.must("x-ratelimit-limit-tokens"), "1000000");
    assert_eq!(reply.must("x-ratelimit-remaining-tokens"), "1000000");
    let used = reply.json()["usage"]["total_tokens"].as_u64().unwrap();
    let reply = master.chat(&chat("m")).with_status(200);
    assert_eq!(reply.must("x-ratelimit-remaining-requests"), "8");
    let left = (1_000_000 - used).to_string();
    assert_eq!(reply.must("x-ratelimit-remaining-tokens"), left);
    let reply = master.chat(&chat("free")).with_status(200);
    assert_eq!(reply.header("x-ratelimit-limit-requests"), None);
}

#[test]
fn text_completions_and_embeddings_are_mocked() {
    let gateway = gateway([
        mocked("m", "mock_response", "Hello from the mock"),
        mocked("e", "mock_response", json!([0.5, -1.5])),
    ]);
    let master = gateway.master();
    let body = json!({"model": "m", "prompt": ["one", "two"], "n": 2});
    let answer = master
        .post("/v1/completions", &body)
        .with_status(200)
        .json();
    assert_eq!(answer["object"], "text_completion");
    assert_eq!(answer["choices"].as_array().unwrap().len(), 4);
    assert_eq!(answer["choices"][3]["text"], "Hello from the mock");
    assert_eq!(answer["usage"]["completion_tokens"], 16);
    let body = json!({"model": "m", "prompt": "one", "stream": true});
    let reply = master.post("/v1/completions", &body).with_status(200);
    let text: String = reply
        .events()
        .iter()
        .filter_map(|event| event["choices"][0]["text"].as_str())
        .collect();
    assert_eq!((&*text, reply.is_done()), ("Hello from the mock", true));
    let body = json!({"model": "e", "input": ["one", "two", "three"]});
    let answer = master.post("/v1/embeddings", &body).with_status(200).json();
    assert_eq!(answer["data"].as_array().unwrap().len(), 3);
    assert_eq!(answer["data"][2]["embedding"], json!([0.5, -1.5]));
    assert_eq!(answer["usage"]["prompt_tokens"], 3);
    let body = json!({"model": "e", "input": "one", "encoding_format": "base64"});
    let answer = master.post("/v1/embeddings", &body).with_status(200).json();
    assert_eq!(answer["data"][0]["embedding"], "AAAAPwAAwL8=");
    let rows = gateway.rows_when(4);
    let mut types: Vec<&str> = rows.iter().map(|row| &*row.call_type).collect();
    types.sort_unstable();
    assert_eq!(
        types,
        [
            "aembedding",
            "aembedding",
            "atext_completion",
            "atext_completion"
        ]
    );
}
