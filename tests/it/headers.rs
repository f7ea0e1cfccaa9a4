//! What the gateway tells of a call in its headers.

use crate::harness::{
    Config, Deployment, Gateway, Request, Value, chat, chat_with, json, streamed,
};
use crate::simulator::Simulator;

fn gateway(simulator: &Simulator) -> Gateway {
    let base = format!("{}?api-version=1", simulator.base_url());
    let deployment = Deployment::of(simulator, "up")
        .group("m")
        .priced(0.000_001, 0.000_002)
        .id("my-deployment");
    let with_query = Deployment::at(&base, "up").group("q");
    Gateway::of(&Config::of([deployment, with_query]).router("num_retries", 0))
}

fn with(gateway: &Gateway, body: &Value, headers: &[(&str, &str)]) -> crate::harness::Reply {
    let request = Request::post("/v1/chat/completions", body.to_string());
    let request = headers.iter().fold(request, |request, (name, value)| {
        request.header(name, value)
    });
    gateway.master().ask(request)
}

#[test]
fn of_a_served_call() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let usage = json!({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15});
    let how = json!({"simulate": {"usage": usage}});
    let base = simulator.base_url();
    for body in [chat_with("m", how.clone()), streamed("m", how)] {
        let reply = gateway.caller(json!({})).chat(&body).with_status(200);
        for (name, expected) in [
            ("x-litellm-model-id", "my-deployment"),
            ("x-litellm-model-group", "m"),
            ("x-litellm-model-name", "openai/up"),
            ("x-litellm-model-api-base", base.as_str()),
            ("x-litellm-attempted-retries", "0"),
            ("x-litellm-attempted-fallbacks", "0"),
            ("x-litellm-version", env!("CARGO_PKG_VERSION")),
            ("x-ratelimit-limit-requests", "10000"),
            ("llm_provider-openai-version", "2020-10-01"),
        ] {
            assert_eq!(reply.must(name), expected, "{name}");
        }
        let call_id = reply.must("x-litellm-call-id");
        assert!(uuid::Uuid::parse_str(call_id).is_ok(), "{call_id}");
        assert!(reply.must("llm_provider-x-request-id").starts_with("req_"));
        let number = |name: &str| {
            reply
                .must(name)
                .parse::<f64>()
                .unwrap_or_else(|_| panic!("{name}: {}", reply.must(name)))
        };
        let (total, overhead) = (
            number("x-litellm-response-duration-ms"),
            number("x-litellm-overhead-duration-ms"),
        );
        assert!(
            total > 0.0 && overhead >= 0.0 && overhead <= total,
            "{overhead} of {total} ms"
        );
        if body["stream"] == true {
            assert_eq!(reply.header("x-litellm-response-cost"), None);
        } else {
            assert_eq!(reply.must("x-litellm-response-cost"), "0.00002");
            assert_eq!(reply.must("x-litellm-key-spend"), "0.00002");
        }
        for (name, value) in &reply.headers {
            assert!(!value.is_empty() && value != "None", "{name} says nothing");
            assert!(
                ![
                    "set-cookie",
                    "server",
                    "llm_provider-content-length",
                    "llm_provider-set-cookie"
                ]
                .contains(&name.as_str())
            );
        }
    }
}

#[test]
fn the_query_of_an_address_is_not_told() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let reply = gateway.master().chat(&chat("q"));
    if let Some(base) = reply.header("x-litellm-model-api-base") {
        assert!(!base.contains("api-version"), "{base}");
    }
}

#[test]
fn a_call_id_of_the_client_is_its_call_id() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let reply = with(&gateway, &chat("m"), &[("x-litellm-call-id", "trace-7/a")]).with_status(200);
    assert_eq!(reply.must("x-litellm-call-id"), "trace-7/a");
    assert_eq!(&*gateway.rows_when(1)[0].call_id, "trace-7/a");
    let long = "x".repeat(257);
    for unusable in [long.as_str(), "", "two words \u{e9}", "with\ttab"] {
        let reply = with(&gateway, &chat("m"), &[("x-litellm-call-id", unusable)]).with_status(200);
        assert!(
            uuid::Uuid::parse_str(reply.must("x-litellm-call-id")).is_ok(),
            "{unusable:?}"
        );
    }
}

#[test]
fn errors_have_a_call_id_as_well() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    for body in [
        chat("nothing"),
        json!({"model": "m"}),
        chat_with("m", json!({"simulate": {"status": 500}})),
    ] {
        let reply = with(&gateway, &body, &[("x-litellm-call-id", "mine")]);
        assert!(reply.status >= 400);
        assert_eq!(reply.must("x-litellm-call-id"), "mine", "{body}");
    }
    let upstream = with(
        &gateway,
        &chat_with("m", json!({"simulate": {"status": 500}})),
        &[],
    );
    assert_eq!(upstream.must("x-litellm-response-cost"), "0");
    assert!(
        upstream
            .must("llm_provider-x-request-id")
            .starts_with("req_")
    );
    let nobody = gateway.anonymous().chat(&chat("m")).with_status(401);
    assert!(uuid::Uuid::parse_str(nobody.must("x-litellm-call-id")).is_ok());
}

#[test]
fn the_bodys_call_id_is_configured() {
    let simulator = Simulator::start();
    let config = Config::single(&simulator, "m").general("include_call_id_in_error_body", true);
    let gateway = Gateway::of(&config);
    let reply = gateway.master().chat(&chat("nothing")).with_status(400);
    assert_eq!(
        reply.error()["litellm_call_id"],
        reply.must("x-litellm-call-id")
    );
}

#[test]
fn what_a_key_has_spent() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let caller = gateway.caller(json!({}));
    let how = json!({"simulate": {"usage": {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500}}});
    for spent in ["0.002", "0.004", "0.006"] {
        assert_eq!(
            caller
                .chat(&chat_with("m", how.clone()))
                .with_status(200)
                .must("x-litellm-key-spend"),
            spent
        );
    }
}
