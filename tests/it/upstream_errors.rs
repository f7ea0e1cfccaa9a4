//! What an upstream refuses becomes the error that LiteLLM's clients know: status, type and the class in the message.

mod by_provider;

use crate::harness::{Config, Gateway, PROVIDER_KEY, Value, chat_with, json, streamed};
use crate::simulator::Simulator;

fn gateway(simulator: &Simulator) -> Gateway {
    Gateway::of(&Config::single(simulator, "m"))
}

fn said(message: &str, kind: &str, code: Value) -> Value {
    json!({"error": {"message": message, "type": kind, "param": "messages", "code": code}})
}

struct Case {
    simulate: Value,
    status: u16,
    kind: &'static str,
    /// How the message begins.
    class: &'static str,
    /// What it must repeat of the upstream's words.
    text: &'static str,
}

fn cases() -> Vec<Case> {
    let case = |simulate, status, kind, class, text| Case {
        simulate,
        status,
        kind,
        class,
        text,
    };
    let boom = |status: u16| json!({"status": status, "body": said("boom", "weird", Value::Null)});
    vec![
        case(
            json!({"status": 400, "body": said("no such role", "invalid_request_error", Value::Null)}),
            400,
            "invalid_request_error",
            "litellm.BadRequestError: OpenAIException - ",
            "no such role",
        ),
        case(
            json!({"status": 401}),
            401,
            "authentication_error",
            "litellm.AuthenticationError: AuthenticationError: OpenAIException - ",
            "Incorrect API key provided",
        ),
        case(boom(403), 403, "permission_error", "litellm.", "boom"),
        case(
            json!({"status": 404}),
            404,
            "invalid_request_error",
            "litellm.NotFoundError: NotFoundError: OpenAIException - ",
            "does not exist",
        ),
        case(
            boom(408),
            408,
            "invalid_request_error",
            "litellm.Timeout: ",
            "boom",
        ),
        case(boom(409), 409, "invalid_request_error", "litellm.", "boom"),
        case(boom(422), 422, "weird", "litellm.BadRequestError: ", "boom"),
        case(
            json!({"status": 429, "headers": {"retry-after": "7"}}),
            429,
            "throttling_error",
            "litellm.RateLimitError: RateLimitError: OpenAIException - ",
            "Please try again in 20s",
        ),
        case(
            boom(500),
            500,
            "internal_server_error",
            "litellm.InternalServerError: InternalServerError: ",
            "boom",
        ),
        case(
            boom(502),
            502,
            "internal_server_error",
            "litellm.BadGatewayError: BadGatewayError: ",
            "boom",
        ),
        case(
            json!({"status": 503}),
            503,
            "internal_server_error",
            "litellm.ServiceUnavailableError: ",
            "overloaded",
        ),
        case(
            boom(504),
            504,
            "internal_server_error",
            "litellm.Timeout: ",
            "boom",
        ),
        case(
            boom(529),
            529,
            "internal_server_error",
            "litellm.APIError: ",
            "boom",
        ),
        case(
            json!({"status": 400, "body": said(
                "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.",
                "invalid_request_error",
                json!("context_length_exceeded"),
            )}),
            400,
            "invalid_request_error",
            "litellm.ContextWindowExceededError: litellm.BadRequestError: ContextWindowExceededError: OpenAIException - ",
            "8192 tokens",
        ),
        case(
            json!({"status": 400, "body": said(
                "Your request was rejected.", "invalid_request_error", json!("content_policy_violation"),
            )}),
            400,
            "invalid_request_error",
            "litellm.BadRequestError: litellm.ContentPolicyViolationError: ContentPolicyViolationError: OpenAIException - ",
            "rejected",
        ),
        case(
            json!({"status": 502, "body": "<html><h1>502 Bad Gateway</h1></html>", "headers": {"content-type": "text/html"}}),
            502,
            "internal_server_error",
            "litellm.BadGatewayError: ",
            "Bad Gateway",
        ),
        case(
            json!({"status": 500, "body": ""}),
            500,
            "internal_server_error",
            "litellm.InternalServerError: ",
            "",
        ),
        case(
            json!({"status": 400, "body": {"message": "another shape"}}),
            400,
            "invalid_request_error",
            "litellm.BadRequestError: ",
            "another shape",
        ),
    ]
}

#[test]
fn every_class_streamed_or_not() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let master = gateway.master();
    for case in cases() {
        let simulate = json!({"simulate": case.simulate});
        for body in [
            chat_with("m", simulate.clone()),
            streamed("m", simulate.clone()),
        ] {
            let reply = master.chat(&body);
            assert_eq!(
                reply.status,
                case.status,
                "{}: {}",
                case.simulate,
                String::from_utf8_lossy(&reply.body)
            );
            let error = reply.error();
            assert_eq!(error["type"], case.kind, "{}: {error}", case.simulate);
            let message = error["message"].as_str().unwrap();
            assert!(
                message.starts_with(case.class),
                "{}: {message}",
                case.simulate
            );
            assert!(message.contains(case.text), "{}: {message}", case.simulate);
            assert!(reply.must("x-litellm-call-id").len() > 30);
        }
    }
    let calls = cases().len() * 2;
    let rows = gateway.rows_when(calls);
    assert!(
        rows.iter()
            .all(|row| row.status == pointsman::types::CallStatus::Failure && row.spend.0 == 0)
    );
    assert!(
        rows.iter()
            .all(|row| row.error_class.is_some() && row.http_status >= 400),
        "{rows:#?}"
    );
}

/// SDKs wait as long as an upstream asked for, to the millisecond where it said so.
#[test]
fn the_wait_is_handed_on() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    for (status, headers, seconds, milliseconds) in [
        (429, json!({"retry-after": "7"}), "7", "7000"),
        (
            503,
            json!({"retry-after": "1", "retry-after-ms": "250"}),
            "1",
            "250",
        ),
    ] {
        let how = json!({"simulate": {"status": status, "headers": headers}});
        let reply = gateway
            .master()
            .chat(&chat_with("m", how))
            .with_status(status);
        assert_eq!(reply.must("llm_provider-retry-after"), seconds);
        assert_eq!(reply.must("retry-after"), seconds);
        assert_eq!(reply.must("retry-after-ms"), milliseconds);
    }
}

/// What the upstream says of the parameter at fault reaches the client.
#[test]
fn the_parameter_is_handed_on() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let body = said("no such role", "invalid_request_error", Value::Null);
    let reply = gateway.master().chat(&chat_with(
        "m",
        json!({"simulate": {"status": 400, "body": body}}),
    ));
    assert_eq!(reply.error()["param"], "messages");
}

/// An upstream that repeats the key it was sent must not tell our clients.
#[test]
fn an_echoed_provider_key_is_masked() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    for text in [
        format!("Incorrect API key provided: {PROVIDER_KEY}."),
        format!("header Authorization: Bearer {PROVIDER_KEY} refused"),
    ] {
        for body in [
            json!({"error": {"message": text, "type": "x"}}),
            json!(text),
        ] {
            let how = json!({"simulate": {"status": 401, "body": body}});
            for body in [chat_with("m", how.clone()), streamed("m", how)] {
                let reply = gateway.master().chat(&body).with_status(401);
                assert!(!reply.text().contains(PROVIDER_KEY), "{}", reply.text());
            }
        }
    }
    let in_stream = json!({"error_mid_stream": {"after_chunks": 1, "error": {"message": format!("bad {PROVIDER_KEY}")}}});
    let reply = gateway
        .master()
        .chat(&streamed("m", json!({"simulate": in_stream})));
    assert!(!reply.text().contains(PROVIDER_KEY), "{}", reply.text());
}

#[test]
fn a_huge_error_is_bounded() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let how = json!({"simulate": {"status": 500, "body": "x".repeat(3_000_000)}});
    let reply = gateway.master().chat(&chat_with("m", how)).with_status(500);
    assert!(reply.body.len() < 20_000, "{}", reply.body.len());
}
