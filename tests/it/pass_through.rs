//! G8: what the gateway does not have to change arrives as it was sent, byte for byte, both ways.

use crate::harness::{
    Config, Deployment, Gateway, PROMPT, PROVIDER_KEY, Request, chat_with, json, streamed,
};
use crate::simulator::{Behaviour, Simulator};
use serde_json::value::RawValue;

/// Values that do not survive a parser: big integers, float spellings, escapes, order, white space, unknown names.
const ODD: &str = r#""seed": 123456789012345678901234567890, "temperature":1.0, "top_p" : 1e0,
    "unknown_field":{"z":1,"a":-0.0,"deep":[[[{"x":null}]]]}, "escaped":"\u00e9\u4e2d\ud83d\ude82\/", "raw":"é中🚂",
    "Other-Model":"not this one""#;

fn gateway(simulator: &Simulator) -> Gateway {
    // The upstream's name differs in length from the group's.
    let deployment = Deployment::of(simulator, "upstream-model-0125").group("short");
    Gateway::of(&Config::of([deployment]).router("num_retries", 0))
}

fn sent(gateway: &Gateway, simulator: &Simulator, body: &str) -> String {
    simulator.take();
    let request = Request::post("/v1/chat/completions", body);
    gateway.master().ask(request).with_status(200);
    let mut requests = simulator.take();
    assert_eq!(requests.len(), 1);
    String::from_utf8(requests.remove(0).body).unwrap()
}

#[test]
fn a_request_changes_in_its_model_alone() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let messages =
        format!(r#""messages" :[ {{"role":"user","content":"{PROMPT} \u00fc \"model\":\"x\""}} ]"#);
    for body in [
        format!(r#"{{"model":"short",{messages},{ODD}}}"#),
        format!(r#"{{ {ODD}  ,{messages},  "model" : "short" }}"#),
        format!("{{\n\t{messages},\r\n\"model\":\"short\",{ODD}}}"),
    ] {
        let expected = body.replace(r#""short""#, r#""upstream-model-0125""#);
        assert_eq!(sent(&gateway, &simulator, &body), expected);
    }
}

#[test]
fn a_streamed_request_also_asks_for_usage() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let messages = format!(r#""messages":[{{"role":"user","content":"{PROMPT}"}}]"#);
    let asked = r#""stream_options":{"include_usage":true}"#;
    for (body, expected) in [
        (
            format!(r#"{{"model":"short","stream":true,{messages},{ODD}}}"#),
            format!(r#"{{"model":"upstream-model-0125","stream":true,{messages},{ODD},{asked}}}"#),
        ),
        (
            format!(r#"{{"model":"short","stream":true,{asked},{messages}}}"#),
            format!(r#"{{"model":"upstream-model-0125","stream":true,{asked},{messages}}}"#),
        ),
        (
            format!(
                r#"{{"model":"short","stream":true,"stream_options":{{"x":1.50}},{messages}}}"#
            ),
            format!(
                r#"{{"model":"upstream-model-0125","stream":true,"stream_options":{{"include_usage":true,"x":1.50}},{messages}}}"#
            ),
        ),
    ] {
        assert_eq!(sent(&gateway, &simulator, &body), expected);
    }
}

/// A body that cannot be edited in place is written anew: it must mean the same, and the field that is authorised must be
/// the one that is obeyed.
#[test]
fn the_slow_way_means_the_same_as_the_fast() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let messages = json!([{"role": "user", "content": PROMPT}]);
    for (body, expected) in [
        (
            format!(r#"{{"model":"nobody","x":1,"messages":{messages},"x":2.50,"model":"short"}}"#),
            json!({"x": 2.5, "messages": messages, "model": "upstream-model-0125"}),
        ),
        (
            format!(r#"{{"m\u006fdel":"short","messages":{messages}}}"#),
            json!({"messages": messages, "model": "upstream-model-0125"}),
        ),
        (
            format!(r#"{{"model":"sh\u006frt","messages":{messages},"big":12345678901234567890123}}"#),
            serde_json::from_str(&format!(
                r#"{{"model":"upstream-model-0125","messages":{messages},"big":12345678901234567890123}}"#
            ))
            .unwrap(),
        ),
    ] {
        let sent: serde_json::Value = serde_json::from_str(&sent(&gateway, &simulator, &body)).unwrap();
        assert_eq!(sent, expected, "{body}");
    }
    // A doubled model must not open a group the key may not use.
    let limited = gateway.caller(json!({"models": ["short"]}));
    let smuggled = format!(r#"{{"model":"short","model":"other","messages":{messages}}}"#);
    let refused = limited.ask(Request::post("/v1/chat/completions", smuggled));
    assert!([400, 403].contains(&refused.status), "{}", refused.status);
}

#[test]
fn an_answer_changes_in_its_model_alone() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let answer = format!(
        "{{\n  \"id\": \"chatcmpl-1\", \"object\":\"chat.completion\",\"model\" : \"upstream-model-0125-exact\", \
         \"choices\":[{{\"index\":0,\"message\":{{\"role\":\"assistant\",\"content\":\"\\u00fc\\ud83d\\ude82\"}},\
         \"finish_reason\":\"stop\"}}],{ODD}, \"usage\":{{\"prompt_tokens\":1,\"completion_tokens\":1,\"z\":1.50}}\n}}"
    );
    let body = RawValue::from_string(answer.clone()).unwrap();
    simulator.behave(
        "upstream-model-0125",
        Behaviour {
            body: Some(body),
            ..Behaviour::default()
        },
    );
    let reply = gateway
        .master()
        .chat(&chat_with("short", json!({})))
        .with_status(200);
    assert_eq!(
        reply.text(),
        answer.replace("\"upstream-model-0125-exact\"", "\"short\"")
    );
    assert_eq!(reply.must("content-type"), "application/json");
}

#[test]
fn a_stream_changes_in_model_and_unasked_usage_alone() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let chunk = |delta: &str, more: &str| {
        format!(
            r#"{{"id":"c-1","object":"chat.completion.chunk","created":1,"model":"upstream-model-0125","choices":[{{"index":0,"delta":{delta},"logprobs":null}}]{more}}}"#
        )
    };
    let odd = r#","big":123456789012345678901234567890,"f":1.0e+2,"obfuscation":"\u00e9\/""#;
    let frames = vec![
        chunk(r#"{"role":"assistant","content":""}"#, r#","usage":null"#),
        chunk(r#"{"content":"é\u00e9🚂\ud83d\ude82"}"#, odd),
        chunk(r#"{"unknown":[1.50,{}]}"#, ""),
        r#"{"id":"c-1","object":"chat.completion.chunk","choices":[],"created":1,"model":"upstream-model-0125","usage":{"prompt_tokens":1,"completion_tokens":2,"x":1.50}}"#.to_owned(),
    ];
    simulator.behave(
        "upstream-model-0125",
        Behaviour {
            frames: Some(frames.clone()),
            ..Behaviour::default()
        },
    );
    let named = |frame: &String| frame.replace("\"upstream-model-0125\"", "\"short\"");
    let mut with_usage: Vec<String> = frames.iter().map(named).collect();
    with_usage.push("[DONE]".to_owned());
    let asked = json!({"stream_options": {"include_usage": true}});
    assert_eq!(
        gateway
            .master()
            .chat(&streamed("short", asked))
            .with_status(200)
            .frames(),
        with_usage
    );
    let mut without = with_usage.clone();
    without.remove(3);
    without[0] = without[0].replace(r#","usage":null"#, "");
    assert_eq!(
        gateway
            .master()
            .chat(&streamed("short", json!({})))
            .with_status(200)
            .frames(),
        without
    );
}

#[test]
fn headers_of_a_call() {
    let simulator = Simulator::start();
    simulator.expect_key(Some(PROVIDER_KEY));
    let deployment = Deployment::of(&simulator, "m")
        .param(
            "extra_headers",
            json!({"X-Team": "research", "openai-beta": "one"}),
        )
        .param("organization", "org-1");
    let gateway = Gateway::of(&Config::of([deployment]));
    let request = Request::post(
        "/v1/chat/completions",
        chat_with("m", json!({})).to_string(),
    )
    .header("x-stainless-lang", "rust")
    .header("cookie", "session=1")
    .header("x-secret-of-client", "1");
    gateway.master().ask(request).with_status(200);
    let asked = &simulator.take()[0];
    assert_eq!(
        asked.header("authorization"),
        Some(format!("Bearer {PROVIDER_KEY}").as_str())
    );
    assert_eq!(asked.header("x-team"), Some("research"));
    assert_eq!(asked.header("openai-beta"), Some("one"));
    assert_eq!(asked.header("openai-organization"), Some("org-1"));
    assert_eq!(asked.header("content-type"), Some("application/json"));
    assert_eq!(
        asked.header("host"),
        Some(simulator.address().to_string().as_str())
    );
    for own in [
        "x-stainless-lang",
        "cookie",
        "x-secret-of-client",
        "x-litellm-call-id",
    ] {
        assert_eq!(asked.header(own), None, "{own} went upstream");
    }
    for name in ["host", "content-length", "authorization"] {
        assert_eq!(
            asked.headers.iter().filter(|(own, _)| own == name).count(),
            1,
            "{name}"
        );
    }
}

/// The fields that address the gateway stay here; others that it does not know go on.
#[test]
fn what_addresses_the_gateway_stays_here() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let body = chat_with(
        "short",
        json!({"num_retries": 1, "timeout": 30, "tags": ["a"], "metadata": {"k": "v"}, "litellm_metadata": {"a": 1}}),
    );
    gateway.master().chat(&body).with_status(200);
    let sent = simulator.take()[0].json();
    let fields: Vec<&String> = sent.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["messages", "model"]);
}

#[test]
fn parameters_of_a_deployment_are_defaults() {
    let simulator = Simulator::start();
    let deployment = Deployment::of(&simulator, "m").param("temperature", 0.2);
    let gateway = Gateway::of(&Config::of([deployment]));
    gateway
        .master()
        .chat(&chat_with("m", json!({})))
        .with_status(200);
    assert_eq!(simulator.take()[0].json()["temperature"], 0.2);
    gateway
        .master()
        .chat(&chat_with("m", json!({"temperature": 0.9})))
        .with_status(200);
    assert_eq!(simulator.take()[0].json()["temperature"], 0.9);
}

#[test]
fn a_body_that_sends_calls_elsewhere_is_refused() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let caller = gateway.caller(json!({}));
    for field in [
        "api_base",
        "base_url",
        "input_cost_per_token",
        "vertex_credentials",
        "user_config",
        "model_list",
    ] {
        let body = chat_with("short", json!({field: "http://127.0.0.1:9/"}));
        let reply = caller.chat(&body).with_status(401);
        let error = reply.error();
        assert_eq!(error["type"], "auth_error");
        let expected = format!(
            "Authentication Error, Rejected Request: {field} is not allowed in request body."
        );
        assert!(
            error["message"].as_str().unwrap().starts_with(&expected),
            "{error}"
        );
    }
    assert_eq!(simulator.received("upstream-model-0125"), 0);
}
