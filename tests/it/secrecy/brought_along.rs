//! Secrets in a client's own request.

use super::talkative;
use crate::harness::{Config, Deployment, Request, Setup, chat, chat_with, json, streamed};
use crate::simulator::Simulator;

/// Keys that a client brings along for a provider, and what else its headers hold: taken or refused, but neither told, logged
/// nor kept, and at no provider that was not asked to take them.
#[test]
fn what_a_client_brings_along_goes_nowhere() {
    let simulator = Simulator::start();
    let gateway = talkative(&simulator);
    let caller = gateway.caller(json!({"max_budget": 1000}));
    let own = "client-s-own-secret-PLANTED";
    gateway.plant(own);
    let mut replies = Vec::new();
    for (field, value) in [
        ("api_key", json!(own)),
        ("azure_ad_token", json!(own)),
        ("aws_web_identity_token", json!(own)),
        ("vertex_credentials", json!({"private_key": own})),
        ("client_secret", json!(own)),
        ("azure_password", json!(own)),
        ("aws_secret_access_key", json!(own)),
        ("aws_session_token", json!(own)),
        ("litellm_credential_name", json!(own)),
        ("extra_headers", json!({"x-secret": own})),
    ] {
        let body = chat_with("m", json!({field: value}));
        replies.push(caller.chat(&body));
        replies.push(caller.chat(&streamed("m", json!({field: value}))));
    }
    for name in [
        "cookie",
        "x-secret",
        "proxy-authorization",
        "x-goog-api-key",
        "ocp-apim-subscription-key",
    ] {
        let request =
            Request::post("/v1/chat/completions", chat("m").to_string()).header(name, own);
        replies.push(caller.ask(request));
    }
    for reply in replies {
        assert!(reply.status < 500, "{}", reply.text());
        assert!(!reply.text().contains(own), "{}", reply.text());
        assert!(!format!("{:?}", reply.headers).contains(own));
    }
    for request in simulator.requests() {
        let headers = format!("{:?}", request.headers);
        let body = String::from_utf8_lossy(&request.body);
        assert!(
            !headers.contains(own) && !body.contains(own),
            "{headers} {body}"
        );
    }
}

/// Where a deployment takes the caller's own key, that key goes to the provider and nowhere else.
#[test]
fn a_key_that_clients_may_bring_is_used_and_forgotten() {
    let simulator = Simulator::start();
    let own = "client-s-own-key-for-the-provider-PLANTED";
    simulator.expect_key(Some(own));
    let deployment = Deployment::of(&simulator, "m").param(
        "configurable_clientside_auth_params",
        json!(["api_key", "extra_headers"]),
    );
    let config = Config::of([deployment]).router("num_retries", 0);
    let gateway = Setup::new(&config).log("trace").start();
    gateway.plant(own);
    let caller = gateway.caller(json!({"max_budget": 1000}));
    caller
        .chat(&chat_with("m", json!({"api_key": own})))
        .with_status(200);
    for mood in [
        json!({"status": 401, "body": {"error": {"message": format!("Incorrect API key provided: {own}")}}}),
        json!({"status": 500, "body": format!("authorization: Bearer {own}")}),
        json!({"error_mid_stream": {"after_chunks": 1, "error": {"message": own}}}),
        json!({"garbage": "not_json"}),
    ] {
        let more = json!({"api_key": own, "extra_headers": {"x-also": own}, "simulate": mood});
        for body in [chat_with("m", more.clone()), streamed("m", more)] {
            let reply = caller.chat(&body);
            assert!(!reply.text().contains(own), "{}", reply.text());
        }
    }
    for request in simulator.requests() {
        assert_eq!(
            request.header("authorization"),
            Some(format!("Bearer {own}").as_str())
        );
        assert!(!String::from_utf8_lossy(&request.body).contains("api_key"));
    }
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
