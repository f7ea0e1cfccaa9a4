//! Requests of other protocols than OpenAI's chats.

use super::*;
use crate::protocol::openai::shape::Shape;
use crate::protocol::{anthropic, openai_responses};
use crate::providers::or_generic;

/// What a deployment of `provider` with these defaults is sent.
fn sent(shape: &'static Shape, provider: &str, defaults: &[(&str, &str)], body: &str) -> String {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), value.as_bytes().to_vec());
    let settings = Settings {
        defaults: defaults.iter().map(own).collect(),
        ..Settings::default()
    };
    let plan = Plan::compile(or_generic(provider), provider, &Model::default(), settings);
    let source = bytes(body);
    let request = Request::read(shape, &source, None).unwrap();
    let body = request.upstream_body(b"\"up\"", &plan).unwrap();
    String::from_utf8(body.to_bytes().into()).unwrap()
}

#[test]
fn rules_for_chats_leave_others_alone() {
    for (shape, provider, body) in [
        // DeepSeek wants a chat's content flat and takes no `developer`, OpenRouter's chats get a field more.
        (
            &anthropic::REQUEST,
            "deepseek",
            r#"{"model":"up","max_tokens":1,"messages":[{"role":"user","content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}]}],"stream":true,"tools":[{"name":"t","cache_control":{}}],"seed":1}"#,
        ),
        (
            &openai_responses::REQUEST,
            "openrouter",
            r#"{"model":"up","input":[{"role":"developer","content":"a"}],"stream":true,"stream_options":{"include_obfuscation":false},"metadata":{"a":"b"},"user":"u","store":false}"#,
        ),
    ] {
        assert_eq!(sent(shape, provider, &[], body), body);
    }
}

#[test]
fn a_deployments_defaults_are_added_where_they_mean_the_same() {
    let defaults = [
        ("temperature", "0.5"),
        ("seed", "1"),
        ("top_k", "2"),
        ("max_tokens", "9"),
    ];
    assert_eq!(
        sent(
            &anthropic::REQUEST,
            "anthropic",
            &defaults,
            r#"{"model":"a","max_tokens":1,"messages":[]}"#
        ),
        r#"{"model":"up","max_tokens":1,"messages":[],"temperature":0.5,"top_k":2}"#
    );
    assert_eq!(
        sent(
            &anthropic::REQUEST,
            "anthropic",
            &[],
            r#"{"model":"a","max_tokens":1,"messages":[],"top_k":5,"additional_drop_params":["top_k"]}"#
        ),
        r#"{"model":"up","max_tokens":1,"messages":[]}"#
    );
}

#[test]
fn anthropic_is_told_the_user_alone() {
    for (metadata, expected) in [
        (r#"{ "user_id":"u" }"#, r#"{ "user_id":"u" }"#),
        (
            r#"{"tags":["t"],"user_id":"u","x":1}"#,
            r#"{"user_id":"u"}"#,
        ),
        (r#"{"tags":["t"]}"#, "{}"),
        ("null", "null"),
    ] {
        let body =
            format!(r#"{{"model":"up","metadata":{metadata},"messages":[],"max_tokens":1}}"#);
        let source = bytes(&body);
        let request = Request::read(&anthropic::REQUEST, &source, None).unwrap();
        assert_eq!(request.addressed("metadata"), Some(metadata.as_bytes()));
        let wanted = body.replace(metadata, expected);
        assert_eq!(sent(&anthropic::REQUEST, "anthropic", &[], &body), wanted);
    }
}

#[test]
fn what_is_read_of_them() {
    let source = bytes(
        r#"{"model":"m","system":"be","tools":[{}],"max_tokens":7,"messages":[{}],"stream":true}"#,
    );
    let request = Request::read(&anthropic::REQUEST, &source, None).unwrap();
    assert_eq!((request.max_tokens, request.choices), (Some(7), 1));
    assert_eq!((request.prompt_bytes, request.stream), (12, true));
    let source = bytes(r#"{"model":"m","previous_response_id":"r","max_output_tokens":16}"#);
    let request = Request::read(&openai_responses::REQUEST, &source, None).unwrap();
    assert_eq!((request.max_tokens, request.prompt_bytes), (Some(16), 0));
}

#[test]
fn what_is_refused_of_them() {
    let (messages, responses) = (&anthropic::REQUEST, &openai_responses::REQUEST);
    for (shape, body, field) in [
        (messages, r#"{"max_tokens":1}"#, "messages"),
        (messages, r#"{"messages":[{}]}"#, "max_tokens"),
        (
            messages,
            r#"{"messages":[{}],"max_tokens":null}"#,
            "max_tokens",
        ),
        (
            messages,
            r#"{"messages":[{}],"max_tokens":"1"}"#,
            "max_tokens",
        ),
        (messages, r#"{"messages":["a"],"max_tokens":1}"#, "messages"),
        (
            messages,
            r#"{"messages":[],"max_tokens":1,"system":5}"#,
            "system",
        ),
        (responses, r#"{"model":"m"}"#, "input"),
        (responses, r#"{"input":5}"#, "input"),
        (
            responses,
            r#"{"input":"a","max_output_tokens":-1}"#,
            "max_output_tokens",
        ),
    ] {
        let source = bytes(body);
        let error = Request::read(shape, &source, None).unwrap_err();
        assert_eq!(error.param(), Some(field), "{body}: {error}");
    }
}
