//! G6: provider keys, virtual keys and prompts appear nowhere but where they belong. Every test looks for them at its end; these
//! look with the most talkative log there is, and at what clients are told.

use crate::harness::{
    Config, Deployment, Gateway, MASTER_KEY, PROMPT, PROVIDER_KEY, Reply, Request, Setup, chat,
    chat_with, json, streamed,
};
use crate::simulator::Simulator;

const EXTRA: &str = "extra-header-secret-PLANTED";
const ANSWER: &str = "PLANTED-ANSWER: what the red locomotive said";

fn talkative(simulator: &Simulator) -> Gateway {
    let deployment = Deployment::of(simulator, "m")
        .priced(0.001, 0.001)
        .param("timeout", 1)
        .param("extra_headers", json!({"x-extra": EXTRA}));
    let gateway = Setup::new(&Config::of([deployment]).router("num_retries", 0))
        .log("trace")
        .start();
    gateway.plant(EXTRA);
    gateway
}

/// Calls that go well and calls that go wrong in every way.
fn everything(gateway: &Gateway, key: &str) -> Vec<Reply> {
    let caller = gateway.client(key);
    let moods = [
        json!({}),
        json!({"status": 401}),
        json!({"status": 500, "body": format!("echo: {PROVIDER_KEY}")}),
        json!({"garbage": "not_http"}),
        json!({"garbage": "not_json"}),
        json!({"cut_after_bytes": 20}),
        json!({"hang": "before_head"}),
        json!({"error_mid_stream": {"after_chunks": 1}}),
    ];
    let mut replies = Vec::new();
    for mood in moods {
        replies.push(caller.chat(&chat_with("m", json!({"simulate": mood}))));
        replies.push(caller.chat(&streamed("m", json!({"simulate": mood}))));
    }
    for body in [
        chat("nothing"),
        json!({"model": "m", "messages": PROMPT}),
        json!({"model": "m", "prompt": PROMPT}),
    ] {
        replies.push(caller.chat(&body));
    }
    let broken = format!("{{\"model\":\"m\",\"messages\":[{{\"content\":\"{PROMPT}\"");
    replies.push(caller.ask(Request::post("/v1/chat/completions", broken)));
    replies.push(caller.get("/key/info"));
    replies.push(caller.get("/v1/models"));
    replies.push(caller.get("/metrics"));
    replies.push(gateway.master().get("/spend/logs"));
    replies
}

#[test]
fn nothing_leaks_even_into_the_most_talkative_log() {
    let simulator = Simulator::start();
    simulator.expect_key(Some(PROVIDER_KEY));
    let gateway = talkative(&simulator);
    let key = gateway.key(json!({"key_alias": "alias"}));
    for reply in everything(&gateway, &key.secret) {
        let all = format!(
            "{:?} {}",
            reply.headers,
            String::from_utf8_lossy(&reply.body)
        );
        for secret in [PROVIDER_KEY, MASTER_KEY, key.secret.as_str(), EXTRA, PROMPT] {
            assert!(!all.contains(secret), "{secret} was told: {all}");
        }
    }
    assert!(
        gateway.log().len() > 1000,
        "the log says nothing: this test would find nothing"
    );
}

/// Wherever a request may hold what somebody said, and an answer what a model did.
#[test]
fn content_of_every_kind_stays_between_client_and_provider() {
    let simulator = Simulator::start();
    let gateway = talkative(&simulator);
    gateway.plant(ANSWER);
    let caller = gateway.caller(json!({"max_budget": 1000}));
    let call =
        json!({"id": "c", "type": "function", "function": {"name": "f", "arguments": PROMPT}});
    let schema = json!({"type": "object", "description": PROMPT});
    let asked = json!({
        "messages": [
            {"role": "system", "content": PROMPT},
            {"role": "user", "content": [
                {"type": "text", "text": PROMPT},
                {"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{PROMPT}")}},
                {"type": "input_audio", "input_audio": {"data": PROMPT, "format": "wav"}},
                {"type": "file", "file": {"file_data": PROMPT, "filename": PROMPT}},
            ]},
            {"role": "assistant", "content": null, "tool_calls": [call], "reasoning_content": PROMPT},
            {"role": "tool", "tool_call_id": "c", "content": PROMPT},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "description": PROMPT, "parameters": schema}}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": schema}},
        "prediction": {"type": "content", "content": PROMPT},
        "stop": [PROMPT],
        "vendor_field": PROMPT,
    });
    let call = json!({"id": "c", "name": "f", "arguments": ANSWER});
    let moods = [
        json!({"content": ANSWER}),
        json!({"content": ANSWER, "chunk_bytes": 1000, "error_mid_stream": {"after_chunks": 1}}),
        json!({"content": ANSWER, "cut_after_bytes": 400}),
        json!({"reasoning_content": ANSWER, "content": ANSWER}),
        json!({"tool_calls": [call], "chunk_bytes": 1000}),
        json!({"refusal": ANSWER, "chunk_bytes": 1000}),
        json!({"audio": {"transcript": ANSWER, "data": ANSWER}, "chunk_bytes": 1000}),
        json!({"usage": {"prompt_tokens": ANSWER}}),
        json!({"body": {"choices": ANSWER}}),
        json!({"frames": [ANSWER]}),
        // A provider that repeats what it was asked tells the client, who knows it; nobody else.
        json!({"status": 400, "body": {"error": {"message": PROMPT, "type": PROMPT, "param": PROMPT, "code": PROMPT}}}),
        json!({"status": 500, "body": PROMPT}),
        json!({"status": 429, "headers": {"x-odd": PROMPT}}),
    ];
    for mood in moods {
        let mut body = asked.clone();
        body["model"] = json!("m");
        body["simulate"] = mood;
        caller.chat(&body);
        body["stream"] = json!(true);
        caller.chat(&body);
    }
    assert!(simulator.requests().len() >= 26);
    gateway.rows_when(26);
    // Log, metrics, database and journal are searched when the gateway is dropped; the journal holds all of it now.
}

/// A key that is wrong by a slip is a secret too.
#[test]
fn rejected_keys_are_not_repeated() {
    let simulator = Simulator::start();
    let gateway = talkative(&simulator);
    for slip in [
        "sk-proj-a-real-key-of-openai-1234567890",
        "pplx-another-vendors-key-123456",
        "Bearer sk-doubled-prefix-1234567890",
    ] {
        gateway.plant(slip);
        for name in ["authorization", "x-api-key", "x-litellm-api-key"] {
            let request =
                Request::post("/v1/chat/completions", chat("m").to_string()).header(name, slip);
            let reply = gateway.anonymous().ask(request).with_status(401);
            assert!(!reply.text().contains(slip), "{}", reply.text());
        }
    }
}

#[test]
fn a_provider_key_goes_to_its_own_origin_only() {
    let (one, other) = (Simulator::start(), Simulator::start());
    let second = "sk-provider-of-the-other-PLANTED";
    let config = Config::of([
        Deployment::of(&one, "m").id("one"),
        Deployment::of(&other, "m")
            .id("other")
            .param("api_key", second),
    ]);
    let gateway = Gateway::of(&config);
    gateway.plant(second);
    for _ in 0..30 {
        gateway.master().chat(&chat("m")).with_status(200);
    }
    let keys = |simulator: &Simulator| -> std::collections::BTreeSet<String> {
        simulator
            .requests()
            .iter()
            .map(|request| request.header("authorization").unwrap_or("none").to_owned())
            .collect()
    };
    assert_eq!(keys(&one), [format!("Bearer {PROVIDER_KEY}")].into());
    assert_eq!(keys(&other), [format!("Bearer {second}")].into());
}

/// A redirect would carry the key to another host.
#[test]
fn redirects_are_not_followed() {
    let (here, there) = (Simulator::start(), Simulator::start());
    let gateway = Gateway::of(&Config::single(&here, "m"));
    let location = format!("{}/chat/completions", there.base_url());
    for status in [301, 302, 307, 308] {
        let how = json!({"status": status, "body": "moved", "headers": {"location": location}});
        let reply = gateway
            .master()
            .chat(&chat_with("m", json!({"simulate": how})));
        assert_eq!(
            reply.status,
            502,
            "{status}: {}",
            String::from_utf8_lossy(&reply.body)
        );
        assert_eq!(reply.header("location"), None);
    }
    assert_eq!(there.connections(), 0);
}

/// The search at every test's end finds what is there.
#[test]
#[should_panic(expected = "secrets leaked")]
fn the_search_finds_what_is_in_the_log() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&Config::single(&simulator, "m"));
    gateway.plant("listening on");
}

#[test]
#[should_panic(expected = "secrets leaked")]
fn the_search_finds_what_is_in_the_files() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&Config::single(&simulator, "m"));
    gateway.key(json!({"key_alias": "an-alias-to-be-found"}));
    gateway.plant("an-alias-to-be-found");
}

#[test]
#[should_panic(expected = "secrets leaked")]
fn the_search_finds_what_is_in_the_metrics() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&Config::single(&simulator, "m"));
    gateway.plant("pointsman_open_holds");
}
