//! What is read of bodies, and what goes upstream.

mod protocols;

use super::fields::{GATEWAY_ONLY, REFUSED};
use super::*;
use crate::protocol::{openai_chat, openai_completions, openai_embeddings};
use crate::providers::parameters::{Model, Plan, Settings};
use proptest::prelude::*;
use serde_json::{Value, json};

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

fn read(body: &Bytes) -> Result<Request<'_>, RequestError> {
    Request::read(&openai_chat::REQUEST, body, None)
}

fn upstream(body: &str) -> Value {
    let source = bytes(body);
    let request = read(&source).unwrap();
    serde_json::from_slice(
        &request
            .upstream_body(b"\"up\"", &Plan::default())
            .unwrap()
            .to_bytes(),
    )
    .unwrap()
}

#[test]
fn a_body_to_translate_is_shared_where_it_says_all() {
    for (body, in_path, is_shared) in [
        (r#"{"model":"m","messages":[],"stream":true}"#, None, true),
        (r#"{"model":"m","messages":[]}"#, Some("m"), false),
        (r#"{"model":null,"messages":[]}"#, Some("m"), false),
        (
            r#"{"model":"m","messages":[],"mock_timeout":true}"#,
            None,
            false,
        ),
    ] {
        let source = bytes(body);
        let request = Request::read(&openai_chat::REQUEST, &source, in_path).unwrap();
        let plan = Plan::default();
        let found = request.body_to_translate(b"\"up\"", &plan).unwrap();
        assert_eq!(found.as_ptr() == source.as_ptr(), is_shared, "{body}");
        if !is_shared {
            let sent = request.upstream_body(b"\"up\"", &plan).unwrap();
            assert_eq!(found, sent.to_bytes(), "{body}");
        }
    }
}

#[test]
fn lists_are_sorted_for_the_search() {
    assert!(GATEWAY_ONLY.is_sorted());
    assert!(REFUSED.is_sorted());
}

#[test]
fn what_is_read() {
    let body = r#"{"model":"m","stream":true,"n":2,"max_tokens":5,"max_completion_tokens":7.0,"user":"u","messages":[{}]}"#;
    let source = bytes(body);
    let request = read(&source).unwrap();
    assert_eq!(request.model(), Some("m"));
    assert!(request.stream);
    assert!(!request.include_usage);
    assert_eq!((request.choices, request.max_tokens), (2, Some(7)));
    assert_eq!(request.addressed("user"), Some(&b"\"u\""[..]));
    assert_eq!(request.addressed("model"), None);
    assert_eq!(request.prompt_bytes, 4);
}

#[test]
fn only_the_named_bytes_change() {
    let body = "{ \"model\" : \"a\",\n \"messages\":[ {\"x\": 1.00} ], \"big\": 12345678901234567890123, \"e\":\"\\u00e9\" }";
    let source = bytes(body);
    let request = read(&source).unwrap();
    let sent = String::from_utf8(
        request
            .upstream_body(b"\"bb\"", &Plan::default())
            .unwrap()
            .to_bytes()
            .into(),
    )
    .unwrap();
    assert_eq!(sent, body.replace("\"a\"", "\"bb\"").trim_end());
}

#[test]
fn a_stream_asks_for_usage() {
    let cases = [
        (
            r#"{"messages":[],"stream":true}"#,
            json!({"include_usage": true}),
        ),
        (
            r#"{"messages":[],"stream":true,"stream_options":null}"#,
            json!({"include_usage": true}),
        ),
        (
            r#"{"messages":[],"stream":true,"stream_options":{"include_usage":false,"x":1}}"#,
            json!({"include_usage": true, "x": 1}),
        ),
        (
            r#"{"messages":[],"stream":true,"stream_options":{"include_usage":true}}"#,
            json!({"include_usage": true}),
        ),
    ];
    for (body, options) in cases {
        assert_eq!(upstream(body)["stream_options"], options, "{body}");
    }
    assert_eq!(
        upstream(r#"{"model":"m","messages":[],"stream":false}"#),
        json!({"model": "up", "messages": [], "stream": false})
    );
}

#[test]
fn gateway_fields_stay_here() {
    for body in [
        r#"{"timeout":1,"model":"m","messages":[]}"#,
        r#"{"model":"m","timeout":1,"messages":[]}"#,
        r#"{"model":"m","messages":[],"timeout":1}"#,
        r#"{"model":"m","messages":[] , "timeout":1, "tags":["a"] }"#,
        r#"{"tags":["a"],"timeout":1,"model":"m","cache":{},"messages":[],"num_retries":2}"#,
    ] {
        assert_eq!(
            upstream(body),
            json!({"model": "up", "messages": []}),
            "{body}"
        );
    }
    let streamed = r#"{"model":"m","messages":[],"stream":true,"timeout":1}"#;
    assert_eq!(
        upstream(streamed),
        json!({"model": "up", "messages": [], "stream": true, "stream_options": {"include_usage": true}})
    );
}

#[test]
fn doubled_and_escaped_keys_cannot_smuggle_a_model() {
    for body in [
        r#"{"model":"cheap","messages":[],"model":"dear"}"#,
        r#"{"model":"cheap","messages":[],"mod\u0065l":"dear"}"#,
        r#"{"mod\u0065l":"cheap","messages":[],"model":"d\u0065ar"}"#,
    ] {
        let source = bytes(body);
        let request = read(&source).unwrap();
        assert_eq!(request.model(), Some("dear"), "{body}");
        let sent: Value = serde_json::from_slice(
            &request
                .upstream_body(b"\"up\"", &Plan::default())
                .unwrap()
                .to_bytes(),
        )
        .unwrap();
        assert_eq!(sent, json!({"model": "up", "messages": []}), "{body}");
    }
}

#[test]
fn bad_bodies_are_named() {
    let deep = format!("{{\"messages\":{}{}}}", "[".repeat(200), "]".repeat(200));
    let cases: [(&str, &str); 16] = [
        ("{", "Invalid JSON payload"),
        (r#"{"model":"a","Model":"b","messages":[]}"#, "lower case"),
        (
            r#"{"messages":[],"stream":true,"stream_options":{"include_usage":true,"include_\u0075sage":false}}"#,
            "'stream_options' must be",
        ),
        (r#"{"messages":[],"n":18446744073709551615}"#, "'n' must be"),
        (r#"{"messages":[],"n":0}"#, "from 1 to 1024"),
        (r#"{"messages":["hi"]}"#, "array of message objects"),
        (
            r#"{"messages":null}"#,
            "Missing required parameter: 'messages'",
        ),
        (
            r#"{"messages":[],"langfuse_host":"http://x"}"#,
            "langfuse_host is not allowed",
        ),
        ("null", "must be a JSON object"),
        ("[]", "must be a JSON object"),
        (r#"{"model":5,"messages":[]}"#, "'model' must be a string."),
        (r#"{"model":"m"}"#, "'messages'"),
        (r#"{"model":"m","messages":"hi"}"#, "must be an array"),
        (
            r#"{"model":"m","messages":[],"max_tokens":-1}"#,
            "'max_tokens' must be a whole number",
        ),
        (
            r#"{"model":"m","messages":[],"vertex_credentials":"x"}"#,
            "vertex_credentials is not allowed",
        ),
        (&deep, "nested deeper"),
    ];
    for (body, text) in cases {
        let message = read(&bytes(body)).unwrap_err().to_string();
        assert!(message.contains(text), "{body}: {message}");
    }
    assert!(read(&Bytes::from_static(b"{\"model\":\"\xff\",\"messages\":[]}")).is_err());
}

#[test]
fn the_model_of_the_path_wins() {
    for (body, sent) in [
        (
            r#"{"model":"a","messages":[]}"#,
            r#"{"model":"up","messages":[]}"#,
        ),
        (
            r#"{"model":null,"messages":[]}"#,
            r#"{"model":"up","messages":[]}"#,
        ),
        (
            r#" { "timeout":1, "messages":[]}"#,
            r#" {"model":"up", "messages":[]}"#,
        ),
    ] {
        let source = bytes(body);
        let request = Request::read(&openai_chat::REQUEST, &source, Some("org/m")).unwrap();
        assert_eq!(request.model(), Some("org/m"));
        let written = request
            .upstream_body(b"\"up\"", &Plan::default())
            .unwrap()
            .to_bytes();
        assert_eq!(std::str::from_utf8(&written).unwrap(), sent, "{body}");
    }
    let source = bytes(r#"{"messages":[]}"#);
    let quote = Request::read(&openai_chat::REQUEST, &source, Some("a\"b"));
    assert_eq!(quote.unwrap_err(), RequestError::ModelUnspeakable);
}

#[test]
fn what_completions_and_embeddings_tell() {
    let completion = bytes(
        r#"{"model":"m","prompt":["ab","cdef"],"suffix":"xy","n":2,"best_of":3,"max_tokens":7,"echo":true}"#,
    );
    let request = Request::read(&openai_completions::REQUEST, &completion, None).unwrap();
    assert_eq!((request.choices, request.max_tokens), (6, Some(7)));
    assert_eq!((request.prompt_bytes, request.token_ids), (10, 0));
    let embedding =
        bytes(r#"{"model":"m","input":[[1,2],[3]],"dimensions":8,"encoding_format":"base64"}"#);
    let request = Request::read(&openai_embeddings::REQUEST, &embedding, None).unwrap();
    assert_eq!((request.prompt_bytes, request.token_ids), (0, 3));
    assert_eq!(request.max_tokens, Some(0), "vectors are no tokens");
    assert_eq!(
        request
            .upstream_body(b"\"m\"", &Plan::default())
            .unwrap()
            .to_bytes(),
        embedding,
        "nothing else changes"
    );
}

#[test]
fn bad_completions_and_embeddings_are_named() {
    let completions: [(&str, &str); 7] = [
        ("{}", "Missing required parameter: 'prompt'"),
        (r#"{"prompt":null}"#, "Missing required parameter: 'prompt'"),
        (r#"{"prompt":5}"#, "'prompt' must be a string"),
        (r#"{"prompt":["a",1]}"#, "'prompt' must be a string"),
        (r#"{"prompt":"a","best_of":0}"#, "'best_of' must be"),
        (r#"{"prompt":"a","max_tokens":"5"}"#, "'max_tokens' must be"),
        (r#"{"prompt":"a","Prompt":"b"}"#, "lower case"),
    ];
    for (body, text) in completions {
        let source = bytes(body);
        let error = Request::read(&openai_completions::REQUEST, &source, None).unwrap_err();
        assert!(error.to_string().contains(text), "{body}: {error}");
    }
    let embeddings: [(&str, &str); 6] = [
        ("{}", "Missing required parameter: 'input'"),
        (r#"{"input":{}}"#, "'input' must be a string"),
        (r#"{"input":[]}"#, "none of them empty"),
        (r#"{"input":"a","dimensions":0}"#, "'dimensions' must be"),
        (r#"{"input":"a","encoding_format":1}"#, "'encoding_format'"),
        (r#"{"input":"a","stream":true}"#, "'stream' must be false"),
    ];
    for (body, text) in embeddings {
        let source = bytes(body);
        let error = Request::read(&openai_embeddings::REQUEST, &source, None).unwrap_err();
        assert!(error.to_string().contains(text), "{body}: {error}");
    }
}

#[test]
fn a_flood_of_fields_is_refused_before_it_costs() {
    let many: String = (0..100_000).map(|n| format!(",\"k{n}\":0")).collect();
    let body = format!("{{\"a\":0,\"a\":0{many},\"messages\":[]}}");
    assert_eq!(
        read(&bytes(&body)).unwrap_err(),
        RequestError::TooManyFields
    );
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let bytes = Bytes::from(bytes);
        if let Ok(request) = read(&bytes) {
            request.upstream_body(b"\"m\"", &Plan::default()).unwrap();
        }
    }

    /// The span edits and the normal form (the slow way) give the same object.
    #[test]
    fn fast_is_slow(
        unknown in prop::collection::vec(("[a-z\u{e9}\"]{1,6}", any::<String>()), 0..5),
        gateway in prop::sample::subsequence(GATEWAY_ONLY.to_vec(), 0..4),
        stream in any::<bool>(),
        place in 0usize..8,
    ) {
        let mut fields: Vec<(String, Value)> = unknown
            .into_iter()
            .map(|(key, value)| (format!("x{key}").replace('"', ""), value.into()))
            .collect();
        fields.extend(gateway.iter().map(|key| {
            let read_here = ["drop_params", "additional_drop_params", "allowed_openai_params"].contains(key);
            ((*key).to_owned(), if read_here { Value::Null } else { json!({"a": [1]}) })
        }));
        for (key, value) in [("model", json!("m")), ("messages", json!([{"role": "user"}])), ("stream", json!(stream))] {
            let at = place.min(fields.len());
            fields.insert(at, (key.to_owned(), value));
        }
        fields.dedup_by(|a, b| a.0 == b.0);
        let text = |doubled: bool| {
            let mut parts: Vec<String> = fields.iter().map(|(k, v)| format!("{}: {v}", json!(k))).collect();
            if doubled {
                parts.push("\"mod\\u0065l\":\"m\"".to_owned());
            }
            format!("{{{}}}", parts.join(" , "))
        };
        let read = |text: &str| -> Value {
            let source = bytes(text);
            serde_json::from_slice(&read(&source).unwrap().upstream_body(b"\"up\"", &Plan::default()).unwrap().to_bytes()).unwrap()
        };
        prop_assert_eq!(read(&text(false)), read(&text(true)));
    }

    /// Whatever a provider refuses, renames and adds, and wherever it stands: the body is an object, its other fields are
    /// what they were, and nothing that is refused goes out.
    #[test]
    fn a_tailored_body_is_whole(
        row in 0..crate::providers::all().count(),
        parameters in prop::sample::subsequence(
            vec!["n", "seed", "stop", "temperature", "max_tokens", "max_completion_tokens", "tools", "tool_choice", "user", "logprobs", "x"],
            0..8,
        ),
        place in 0usize..10,
        stream in any::<bool>(),
        gateway in prop::sample::subsequence(vec!["tags", "cache", "num_retries"], 0..3),
    ) {
        let provider = crate::providers::all().nth(row).unwrap();
        let settings = Settings {
            drop_params: true,
            defaults: vec![("top_k".to_owned(), b"40".to_vec()), ("seed".to_owned(), b"9".to_vec())],
            ..Settings::default()
        };
        let plan = Plan::compile(provider, provider.name, &Model::default(), settings);
        let mut fields: Vec<(&str, Value)> = parameters.iter().map(|name| (*name, json!(2))).collect();
        fields.extend(gateway.iter().map(|name| (*name, json!(1))));
        let at = place.min(fields.len());
        fields.insert(at, ("messages", json!([{"role": "developer", "content": "a"}])));
        fields.insert(at, ("stream", json!(stream)));
        let parts: Vec<String> = fields.iter().map(|(name, value)| format!("{} : {value} ", json!(name))).collect();
        let source = bytes(&format!("{{ {} }}", parts.join(",")));
        let out = Request::read(&openai_chat::REQUEST, &source, None).unwrap().upstream_body(b"\"up\"", &plan).unwrap().to_bytes();
        let out: serde_json::Map<String, Value> = serde_json::from_slice(&out).unwrap();
        prop_assert_eq!(out.get("stream"), Some(&json!(stream)));
        prop_assert_eq!(out.get("top_k"), Some(&json!(40)));
        prop_assert_eq!(out.get("x").cloned(), parameters.contains(&"x").then(|| json!(2)));
        prop_assert_eq!(out.contains_key("stream_options"), stream && plan.asks_usage);
        for name in gateway {
            prop_assert!(!out.contains_key(name));
        }
        let supported: Vec<&str> = plan.supported().collect();
        for name in parameters.iter().filter(|name| **name != "x" && !supported.contains(name)) {
            prop_assert!(!out.contains_key(*name), "{} sends {}", provider.name, name);
        }
    }
}

#[test]
fn other_fields_for_another_model() {
    let body = Bytes::from_static(
        br#"{ "model": "m", "messages": [{"role":"user","content":"long"}], "seed" : 1E5, "top_p":0.5 }"#,
    );
    let request = read(&body).unwrap();
    let fields = [
        ("messages".to_owned(), b"[]".to_vec()),
        ("temperature".to_owned(), b"0".to_vec()),
    ];
    assert_eq!(
        request.with_fields(&fields),
        r#"{"model": "m","seed" : 1E5,"top_p":0.5,"messages":[],"temperature":0}"#
    );
    assert_eq!(
        request.into_owned().bytes(),
        &body[..],
        "shared, not copied"
    );
}
