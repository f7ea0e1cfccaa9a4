//! What an answer's parts become: message, type, param, wait and retry. The rules themselves are in `by_rule`.

mod by_rule;

use proptest::prelude::*;

use super::ErrorClass::*;
use super::*;

fn answer(provider: &str, status: u16, body: &str) -> Failure {
    classify(
        provider,
        &Upstream::Status {
            status,
            headers: Headers::default(),
            body: body.as_bytes(),
        },
        0,
    )
}

fn openai_body(message: &str, kind: &str, code: &str) -> String {
    serde_json::json!({"error": {"message": message, "type": kind, "param": "messages", "code": code}}).to_string()
}

#[test]
fn messages() {
    for (provider, status, body, message) in [
        ("openai", 429, openai_body("Slow down", "requests", ""), "litellm.RateLimitError: RateLimitError: OpenAIException - Slow down"),
        ("openai", 400, openai_body("bad", "invalid_request_error", ""), "litellm.BadRequestError: OpenAIException - bad"),
        (
            "openai",
            400,
            openai_body("", "", "context_length_exceeded"),
            "litellm.ContextWindowExceededError: litellm.BadRequestError: ContextWindowExceededError: OpenAIException - Error code: 400 - \
             {\"error\":{\"code\":\"context_length_exceeded\",\"message\":\"\",\"param\":\"messages\",\"type\":\"\"}}",
        ),
        (
            "groq",
            400,
            openai_body("no", "", "content_policy_violation"),
            "litellm.BadRequestError: litellm.ContentPolicyViolationError: ContentPolicyViolationError: GroqException - no",
        ),
        ("xai", 500, r#"{"code":"x","error":"broken"}"#.into(), "litellm.InternalServerError: InternalServerError: XaiException - broken"),
        ("openai", 401, openai_body("Bad key sk-abcdefgh1234", "", ""), "litellm.AuthenticationError: AuthenticationError: OpenAIException - Bad key sk-...34"),
        ("openai", 500, "plain text".into(), "litellm.InternalServerError: InternalServerError: OpenAIException - plain text"),
        ("openai", 503, String::new(), "litellm.ServiceUnavailableError: ServiceUnavailableError: OpenAIException - Error code: 503 - Service Unavailable"),
        ("openai", 529, String::new(), "litellm.APIError: APIError: OpenAIException - Error code: 529"),
        (
            "openai",
            502,
            "<!DOCTYPE html>\n<style>b {}</style><SCRIPT>if (a<b) x()</SCRIPT ><h1>502  Bad\nGateway</h1><hr>nginx".into(),
            "litellm.BadGatewayError: BadGatewayError: OpenAIException - Error code: 502 - 502 Bad Gateway nginx",
        ),
        (
            "anthropic",
            429,
            r#"{"type":"error","error":{"type":"rate_limit_error","message":"slow"}}"#.into(),
            r#"litellm.RateLimitError: AnthropicException - {"type":"error","error":{"type":"rate_limit_error","message":"slow"}}"#,
        ),
        ("hosted_vllm", 404, r#"{"object":"error","message":"no model"}"#.into(), "litellm.NotFoundError: NotFoundError: Hosted_vllmException - no model"),
    ] {
        assert_eq!(answer(provider, status, &body).message, message);
    }
    let hinted = answer(
        "openai",
        400,
        &openai_body("x could not be verified", "", "invalid_encrypted_content"),
    );
    assert!(
        hinted.message.contains("encrypted_content_affinity"),
        "{}",
        hinted.message
    );
}

#[test]
fn type_and_param_are_copied_where_the_body_is_kept() {
    for (status, kind, error_type, param) in [
        (400, "odd_type", "odd_type", Some("messages")),
        (422, "odd_type", "odd_type", Some("messages")),
        (429, "odd_type", "throttling_error", Some("messages")),
        (500, "odd_type", "internal_server_error", Some("messages")),
        (503, "odd_type", "internal_server_error", None),
        (404, "odd_type", "invalid_request_error", None),
        (401, "odd_type", "authentication_error", None),
        (403, "odd_type", "permission_error", None),
    ] {
        let failure = answer("openai", status, &openai_body("x", kind, ""));
        assert_eq!(
            (failure.error_type.as_deref(), failure.param.as_deref()),
            (Some(error_type), param),
            "{status}"
        );
    }
    let nothing_to_copy = answer(
        "openai",
        400,
        r#"{"error":{"message":"x","type":null,"param":{"a":1}}}"#,
    );
    assert_eq!(
        (nothing_to_copy.error_type.as_deref(), nothing_to_copy.param),
        (Some("invalid_request_error"), None)
    );
}

#[test]
fn errors_inside_a_stream() {
    for (frame, class, status, error_type) in [
        (
            r#"{"error":{"message":"upstream died","type":"x"}}"#,
            APIConnectionError,
            500,
            None,
        ),
        (
            r#"{"message":"upstream died"}"#,
            APIConnectionError,
            500,
            None,
        ),
        (
            r#"{"error":{"message":"x","code":503}}"#,
            ServiceUnavailableError,
            503,
            Some("internal_server_error"),
        ),
        (
            r#"{"error":{"message":"x","code":"400","type":"t"}}"#,
            BadRequestError,
            400,
            Some("t"),
        ),
        (
            r#"{"error":{"message":"x","code":200}}"#,
            APIConnectionError,
            500,
            None,
        ),
        (
            r#"{"error":{"message":"Rate limit reached"}}"#,
            RateLimitError,
            429,
            Some("throttling_error"),
        ),
        (
            r#"{"error":{"message":"got 429 from upstream"}}"#,
            RateLimitError,
            429,
            Some("throttling_error"),
        ),
        ("", APIConnectionError, 500, None),
        (
            r#"{"type":"error","error":{"type":"api_error","message":"x"}}"#,
            InternalServerError,
            500,
            Some("internal_server_error"),
        ),
    ] {
        let failure = classify(
            "openai",
            &Upstream::InStream {
                frame: frame.as_bytes(),
            },
            0,
        );
        assert_eq!(
            (failure.class, failure.status, failure.error_type.as_deref()),
            (class, status, error_type),
            "{frame}"
        );
    }
    let sample = classify(
        "openai",
        &Upstream::InStream {
            frame: br#"{"error":{"message":"upstream died"}}"#,
        },
        0,
    );
    assert_eq!(
        sample.message,
        "litellm.APIConnectionError: APIConnectionError: OpenAIException - upstream died"
    );
    assert_eq!(sample.retry, Retry::Anywhere);
}

#[test]
fn errors_inside_anthropics_streams() {
    for (kind, message, class, status, retry) in [
        (
            "overloaded_error",
            "Overloaded",
            InternalServerError,
            503,
            Retry::Anywhere,
        ),
        ("api_error", "x", InternalServerError, 500, Retry::Anywhere),
        (
            "rate_limit_error",
            "x",
            RateLimitError,
            429,
            Retry::Anywhere,
        ),
        ("timeout_error", "x", Timeout, 504, Retry::Anywhere),
        (
            "invalid_request_error",
            "x",
            BadRequestError,
            400,
            Retry::Never,
        ),
        (
            "invalid_request_error",
            "prompt is too long: 9 > 8",
            ContextWindowExceededError,
            400,
            Retry::Never,
        ),
        (
            "invalid_request_error",
            "Your credit balance is too low",
            BadRequestError,
            400,
            Retry::Elsewhere,
        ),
        (
            "billing_error",
            "x",
            PaymentRequiredError,
            402,
            Retry::Never,
        ),
        (
            "authentication_error",
            "x",
            AuthenticationError,
            401,
            Retry::Elsewhere,
        ),
        (
            "permission_error",
            "x",
            PermissionDeniedError,
            403,
            Retry::Elsewhere,
        ),
        ("not_found_error", "x", NotFoundError, 404, Retry::Never),
        ("request_too_large", "x", BadRequestError, 413, Retry::Never),
        ("new_error", "x", APIConnectionError, 500, Retry::Anywhere),
    ] {
        let error = serde_json::json!({"type": kind, "message": message});
        let frames = [
            serde_json::json!({"type": "error", "error": error}).to_string(),
            error.to_string(),
        ];
        for frame in frames {
            let upstream = Upstream::InStream {
                frame: frame.as_bytes(),
            };
            let failure = classify("anthropic", &upstream, 0);
            assert_eq!(
                (failure.class, failure.status, failure.retry),
                (class, status, retry),
                "{frame}"
            );
        }
    }
}

#[test]
fn failures_without_an_answer() {
    let after = Duration::from_millis(1_500);
    for (upstream, class, status, begins) in [
        (
            Upstream::ConnectFailed(ConnectProblem::Refused),
            APIConnectionError,
            500,
            "litellm.APIConnectionError: APIConnectionError: OpenAIException - Connection error.",
        ),
        (
            Upstream::Timeout {
                after,
                stage: Stage::Head,
            },
            Timeout,
            408,
            "litellm.Timeout: Timeout Error: OpenAIException - Request timed out. Waited 1.500 seconds",
        ),
        (
            Upstream::Cut,
            InternalServerError,
            500,
            "litellm.InternalServerError: InternalServerError: OpenAIException - ",
        ),
        (
            Upstream::Malformed,
            InternalServerError,
            500,
            "litellm.InternalServerError: InternalServerError: OpenAIException - ",
        ),
    ] {
        let failure = classify("openai", &upstream, 0);
        assert_eq!(
            (failure.class, failure.status, failure.retry),
            (class, status, Retry::Anywhere)
        );
        assert!(failure.message.starts_with(begins), "{}", failure.message);
    }
}

#[test]
fn where_another_try_could_succeed() {
    for (provider, status, code, retry) in [
        ("openai", 400, "", Retry::Never),
        ("openai", 401, "", Retry::Elsewhere),
        ("openai", 401, "invalid_request_error", Retry::Elsewhere),
        ("openai", 402, "", Retry::Never),
        ("openai", 403, "", Retry::Anywhere),
        ("anthropic", 403, "", Retry::Elsewhere),
        ("gemini", 403, "", Retry::Elsewhere),
        ("openai", 404, "", Retry::Never),
        ("openai", 409, "", Retry::Anywhere),
        ("openai", 429, "", Retry::Anywhere),
        ("openai", 429, "insufficient_quota", Retry::Elsewhere),
        ("openai", 529, "", Retry::Anywhere),
    ] {
        assert_eq!(
            answer(provider, status, &openai_body("x", "", code)).retry,
            retry,
            "{provider} {status} {code}"
        );
    }
    let headers = Headers {
        should_retry: Some("false"),
        retry_after: Some("3"),
        ..Headers::default()
    };
    let failure = classify(
        "openai",
        &Upstream::Status {
            status: 503,
            headers,
            body: b"",
        },
        0,
    );
    assert!(!failure.retryable());
    assert_eq!(failure.retry_after, Some(Duration::from_secs(3)));
    let google = r#"{"error":{"code":429,"details":[{"@type":"x"},{"retryDelay":"34s"}]}}"#;
    assert_eq!(
        answer("gemini", 429, google).retry_after,
        Some(Duration::from_secs(34))
    );
}

#[test]
fn a_secret_without_a_telling_form_can_be_masked() {
    let mut failure = answer(
        "mistral",
        401,
        &openai_body("bad key q7Wx93hfLm22 given", "", ""),
    );
    failure.redact("q7Wx93hfLm22");
    assert!(
        failure.message.ends_with("bad key *** given"),
        "{}",
        failure.message
    );
    failure.redact("given");
    assert!(failure.message.ends_with("given"));
}

proptest! {
    #[test]
    fn nothing_an_upstream_sends_is_too_odd(
        provider in "openai|azure|anthropic|bedrock|gemini|cohere|litellm_proxy|\\PC{0,8}",
        status in any::<u16>(),
        body in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..300),
            "(<|>|script|style|</|é|a| |\\n){0,60}".prop_map(String::into_bytes),
            "\\{\"error\":(\"[a-z ]{0,9}\"|[0-9]{1,9}|null|\\[\\]|\\{\"(message|code|type|param|details)\":(null|\"x\"|429|\\[1\\])\\})\\}".prop_map(String::into_bytes),
        ],
    ) {
        for upstream in [
            Upstream::Status { status, headers: Headers::default(), body: &body },
            Upstream::InStream { frame: &body },
        ] {
            let failure = classify(&provider, &upstream, 0);
            prop_assert!((400..600).contains(&failure.status), "{failure:?}");
            prop_assert!(failure.message.starts_with("litellm."));
            prop_assert!(failure.message.len() < 3_000);
        }
    }
}
