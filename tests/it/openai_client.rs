//! The real Rust SDK of OpenAI's API: chats whole and streamed, and the errors it raises.

mod operations;

use async_openai::Client;
use async_openai::config::OpenAIConfig;
use async_openai::error::OpenAIError;
use async_openai::types::chat::CreateChatCompletionRequest;
use futures_util::StreamExt;

use crate::harness::{Config, Deployment, Gateway, Setup, Value, chat, chat_with, json};
use crate::simulator::Simulator;

fn gateway(simulator: &Simulator) -> Gateway {
    let deployment = Deployment::of(simulator, "m")
        .priced(0.001, 0.001)
        .param("timeout", 1);
    // The SDK waits as long as `retry-after` says: a second, with this window.
    let setup = Setup::new(&Config::of([deployment]).router("num_retries", 0));
    setup.env("LITELLM_RATE_LIMIT_WINDOW_SIZE", "1").start()
}

fn client(gateway: &Gateway, key: &str) -> Client<OpenAIConfig> {
    let base = format!("http://{}/v1", gateway.address());
    Client::with_config(OpenAIConfig::new().with_api_base(base).with_api_key(key))
}

fn request(body: Value) -> CreateChatCompletionRequest {
    serde_json::from_value(body).expect("a request of the SDK")
}

/// Runs on this thread alone: the SDK, as the tests, needs no more.
fn wait_for<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

#[test]
fn a_whole_answer() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let key = gateway.key(json!({})).secret;
    let answer = wait_for(client(&gateway, &key).chat().create(request(chat("m")))).unwrap();
    assert_eq!(answer.model, "m");
    assert_eq!(
        answer.choices[0].message.content.as_deref(),
        Some("Hello! How can I help you today?")
    );
    assert_eq!(answer.usage.unwrap().completion_tokens, 8);
}

#[test]
fn a_stream() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let key = gateway.key(json!({})).secret;
    for include_usage in [false, true] {
        let body = chat_with(
            "m",
            json!({"stream": true, "stream_options": {"include_usage": include_usage}}),
        );
        let (said, usages) = wait_for(async {
            let mut stream = client(&gateway, &key)
                .chat()
                .create_stream(request(body))
                .await
                .unwrap();
            let (mut said, mut usages) = (String::new(), Vec::new());
            while let Some(event) = stream.next().await {
                let event = event.unwrap();
                usages.extend(event.usage.clone());
                for choice in event.choices {
                    said.push_str(choice.delta.content.as_deref().unwrap_or_default());
                }
            }
            (said, usages)
        });
        assert_eq!(said, "Hello! How can I help you today?");
        assert_eq!(usages.len(), usize::from(include_usage));
    }
}

/// Status, type and code as the SDK has parsed them.
fn raised(error: OpenAIError) -> (u16, String, String, String) {
    match error {
        OpenAIError::ApiError(response) => {
            let error = response.api_error;
            (
                response.status_code.as_u16(),
                error.r#type.unwrap_or_default(),
                error.code.unwrap_or_default(),
                error.message,
            )
        }
        other => panic!("not an error of the API: {other:?}"),
    }
}

#[test]
fn errors_are_errors_of_the_api() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let key = gateway.key(json!({"models": ["m"]})).secret;
    let spent = gateway.key(json!({"max_budget": 0})).secret;
    let slow = gateway.key(json!({"rpm_limit": 0})).secret;
    let master = crate::harness::MASTER_KEY;
    for (key, model, how, status, kind) in [
        (
            "sk-nobody-knows-this-one",
            "m",
            json!({}),
            401,
            "token_not_found_in_db",
        ),
        (
            key.as_str(),
            "other",
            json!({}),
            403,
            "key_model_access_denied",
        ),
        (master, "other", json!({}), 400, "invalid_request_error"),
        (slow.as_str(), "m", json!({}), 429, "throttling_error"),
        (spent.as_str(), "m", json!({}), 422, "budget_exceeded"),
        (
            key.as_str(),
            "m",
            json!({"status": 401}),
            401,
            "authentication_error",
        ),
        (
            key.as_str(),
            "m",
            json!({"status": 429}),
            429,
            "throttling_error",
        ),
        (
            key.as_str(),
            "m",
            json!({"status": 404}),
            404,
            "invalid_request_error",
        ),
        // The SDK does not look into the body of these; it hands it on as the message.
        (key.as_str(), "m", json!({"status": 500}), 500, ""),
        (key.as_str(), "m", json!({"status": 503}), 503, ""),
        (key.as_str(), "m", json!({"garbage": "not_json"}), 500, ""),
        (
            key.as_str(),
            "m",
            json!({"hang": "before_head"}),
            408,
            "invalid_request_error",
        ),
    ] {
        simulator.behave("m", crate::simulator::Behaviour::of(&how));
        let told = format!("{model} {how}");
        let outcome = wait_for(client(&gateway, key).chat().create(request(chat(model))));
        let (raised_status, raised_kind, code, message) = raised(outcome.expect_err(&told));
        assert_eq!(
            (raised_status, raised_kind.as_str()),
            (status, kind),
            "{told}: {message}"
        );
        if kind.is_empty() {
            assert!(
                message.contains("internal_server_error"),
                "{told}: {message}"
            );
        } else {
            assert_eq!(code, status.to_string(), "{told}");
            assert!(!message.is_empty(), "{told}");
        }
    }
}

/// The SDK's own retries wait for what `retry-after` says, and then pass.
#[test]
fn a_rate_limited_call_passes_by_itself() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let key = gateway.key(json!({"rpm_limit": 1})).secret;
    for _ in 0..2 {
        wait_for(client(&gateway, &key).chat().create(request(chat("m")))).unwrap();
    }
    assert_eq!(simulator.received("m"), 2);
}

/// Before the first content a stream's failure is an error of the API; after it, the stream yields an error and ends.
#[test]
fn a_stream_that_fails() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let key = gateway.key(json!({})).secret;
    let run = |how: Value| {
        simulator.behave("m", crate::simulator::Behaviour::of(how));
        wait_for(async {
            let body = chat_with("m", json!({"stream": true}));
            let mut stream = client(&gateway, &key)
                .chat()
                .create_stream(request(body))
                .await?;
            let (mut said, mut failures) = (0, 0);
            while let Some(event) = stream.next().await {
                match event {
                    Ok(event) => {
                        said += event
                            .choices
                            .iter()
                            .filter(|choice| choice.delta.content.is_some())
                            .count()
                    }
                    Err(_) => failures += 1,
                }
            }
            Ok::<_, OpenAIError>((said, failures))
        })
    };
    let (said, failures) = run(
        json!({"content": "a b c", "chunk_delay_ms": 40, "error_mid_stream": {"after_chunks": 2}}),
    )
    .unwrap();
    assert!(said >= 2, "{said}");
    assert_eq!(failures, 1, "the SDK sees one error");
    let error = match run(json!({"error_mid_stream": {"after_chunks": 0}})) {
        Err(error) => error,
        Ok(outcome) => panic!("no error of the API but {outcome:?}"),
    };
    assert_eq!(raised(error).0, 500);
}
