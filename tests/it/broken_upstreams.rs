//! Upstreams that break off, hang, or speak nonsense. Before the first content the client gets a real HTTP error; after it, one
//! well-formed error event, and never a `[DONE]` that would call the answer whole.

use std::net::TcpListener;

use crate::harness::{Config, Deployment, Gateway, Reply, Value, chat_with, json, streamed};
use crate::simulator::Simulator;
use pointsman::types::CallStatus;

fn gateway(simulator: &Simulator) -> Gateway {
    let deployment = Deployment::of(simulator, "m")
        .param("timeout", 1.5)
        .param("stream_timeout", 0.8);
    Gateway::of(&Config::of([deployment]).router("num_retries", 0))
}

fn is_error(reply: &Reply, status: u16, class: &str, what: &Value) {
    assert_eq!(
        reply.status,
        status,
        "{what}: {}",
        String::from_utf8_lossy(&reply.body)
    );
    let message = reply.message();
    assert!(message.starts_with(class), "{what}: {message}");
}

#[test]
fn a_whole_answer_that_does_not_come() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let server = "litellm.InternalServerError: ";
    for (how, status, class) in [
        (json!({"garbage": "not_json"}), 500, server),
        (json!({"garbage": "html"}), 500, server),
        (json!({"garbage": "not_http"}), 500, "litellm."),
        (
            json!({"cut_after_bytes": 0, "cut_counts": "wire"}),
            500,
            "litellm.",
        ),
        (
            json!({"cut_after_bytes": 40, "cut_counts": "wire"}),
            500,
            "litellm.",
        ),
        (
            json!({"cut_after_bytes": 0, "cut_counts": "wire", "cut_with": "rst"}),
            500,
            "litellm.",
        ),
        (json!({"cut_after_bytes": 0}), 500, server),
        (json!({"cut_after_bytes": 50}), 500, server),
        (
            json!({"cut_after_bytes": 50, "cut_with": "rst"}),
            500,
            server,
        ),
        (
            json!({"cut_after_bytes": 50, "framing": "chunked"}),
            500,
            server,
        ),
        (
            json!({"cut_after_bytes": 50, "framing": "close"}),
            500,
            server,
        ),
        (json!({"body": ""}), 500, server),
        (json!({"body": []}), 500, server),
        (json!({"body": "null"}), 500, server),
        (json!({"hang": "before_head"}), 408, "litellm.Timeout: "),
        (json!({"hang": "after_head"}), 408, "litellm.Timeout: "),
    ] {
        let reply = gateway
            .master()
            .chat(&chat_with("m", json!({"simulate": how})));
        is_error(&reply, status, class, &how);
    }
}

#[test]
fn a_stream_that_fails_before_its_content() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let server = "litellm.InternalServerError: ";
    let told = json!({"message": "slow down", "type": "requests", "param": null, "code": 429});
    for (how, status, class) in [
        (
            json!({"cut_after_bytes": 0, "cut_counts": "wire"}),
            500,
            "litellm.",
        ),
        (json!({"cut_after_bytes": 0}), 500, server),
        // Within the role's chunk, which is no content.
        (json!({"cut_after_bytes": 60}), 500, server),
        (json!({"silent_after_chunks": 0}), 408, "litellm.Timeout: "),
        (json!({"hang": "before_head"}), 408, "litellm.Timeout: "),
        (json!({"hang": "after_head"}), 408, "litellm.Timeout: "),
        (json!({"garbage": "html"}), 500, server),
        (json!({"garbage": "not_json"}), 500, "litellm."),
        (json!({"body": ""}), 500, server),
        (
            json!({"error_mid_stream": {"after_chunks": 0}}),
            500,
            "litellm.",
        ),
        (
            json!({"frames": [json!({"error": told}).to_string()]}),
            429,
            "litellm.RateLimitError: ",
        ),
        (json!({"frames": [], "no_done": true}), 500, "litellm."),
    ] {
        let reply = gateway
            .master()
            .chat(&streamed("m", json!({"simulate": how})));
        is_error(&reply, status, class, &how);
        assert!(
            reply.must("content-type").starts_with("application/json"),
            "{how}"
        );
    }
}

#[test]
fn a_stream_that_fails_after_its_content() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    // Paced, so that the content has surely been handed on when the failure comes.
    let base = json!({"content": "one two three", "chunk_delay_ms": 40});
    let upstreams_words = json!({"message": "the engine fell over", "type": "server_error", "param": null, "code": null});
    let cases = [
        (
            json!({"error_mid_stream": {"after_chunks": 2, "error": upstreams_words}}),
            "500",
            "the engine fell over",
        ),
        (
            json!({"error_mid_stream": {"after_chunks": 1}}),
            "500",
            "litellm.",
        ),
        (
            json!({"silent_after_chunks": 2}),
            "408",
            "litellm.Timeout: ",
        ),
        (json!({"cut_after_bytes": 620}), "500", "litellm."),
        (
            json!({"cut_after_bytes": 620, "cut_with": "rst"}),
            "500",
            "litellm.",
        ),
    ];
    let count = cases.len();
    for (how, code, text) in cases {
        let mut simulate = base.clone();
        simulate
            .as_object_mut()
            .unwrap()
            .extend(how.as_object().unwrap().clone());
        let reply = gateway
            .master()
            .chat(&streamed("m", json!({"simulate": simulate})))
            .with_status(200);
        let frames = reply.frames();
        let (last, before) = frames.split_last().unwrap();
        assert!(
            !before.iter().any(|frame| frame.contains("\"error\"")),
            "{how}: {frames:?}"
        );
        assert!(
            !before.is_empty() && reply.said().starts_with("one"),
            "{how}: {frames:?}"
        );
        let error: Value = serde_json::from_str(last).unwrap();
        let fields = error["error"]
            .as_object()
            .unwrap_or_else(|| panic!("{how}: {last}"));
        let names: Vec<&String> = fields.keys().collect();
        assert_eq!(names, ["code", "message", "param", "type"], "{how}");
        assert_eq!(fields["code"], code, "{how}: {error}");
        assert!(
            fields["message"].as_str().unwrap().contains(text),
            "{how}: {error}"
        );
    }
    let rows = gateway.rows_when(count);
    assert!(
        rows.iter().all(|row| row.status == CallStatus::Failure),
        "{rows:#?}"
    );
    assert!(
        rows.iter()
            .all(|row| row.usage_estimated && row.usage.completion_tokens() > 0),
        "{rows:#?}"
    );
}

#[test]
fn nobody_listens() {
    // A port that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let base = format!("http://127.0.0.1:{port}/v1");
    let gateway = Gateway::of(&Config::of([Deployment::at(&base, "m")]).router("num_retries", 0));
    for body in [chat_with("m", json!({})), streamed("m", json!({}))] {
        let reply = gateway.master().chat(&body);
        is_error(&reply, 500, "litellm.", &json!("refused"));
        assert!(
            reply.message().contains("Connection error"),
            "{}",
            reply.message()
        );
        assert!(
            !reply.text().contains(&port.to_string()),
            "the address is nobody's business: {}",
            reply.text()
        );
    }
}

/// A time limit is for one call: the next one is answered.
#[test]
fn after_every_failure_the_deployment_works() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    for how in [
        json!({"garbage": "not_http"}),
        json!({"cut_after_bytes": 10}),
        json!({"hang": "after_head"}),
        json!({}),
    ] {
        gateway
            .master()
            .chat(&chat_with("m", json!({"simulate": how})));
        gateway
            .master()
            .chat(&chat_with("m", json!({})))
            .with_status(200);
    }
}

/// A kept connection that the upstream closed meanwhile costs the client nothing.
#[test]
fn a_connection_that_died_in_the_pool_is_replaced_silently() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    for _ in 0..6 {
        gateway
            .master()
            .chat(&chat_with(
                "m",
                json!({"simulate": {"headers": {"connection": "close"}}}),
            ))
            .with_status(200);
        gateway
            .master()
            .chat(&chat_with("m", json!({})))
            .with_status(200);
    }
}

/// A body that only the end of its connection ends is read to that end, and the next call has a connection of its own.
#[test]
fn a_body_that_its_connection_ends() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let how = json!({"simulate": {"framing": "close"}});
    for body in [chat_with("m", how.clone()), streamed("m", how)] {
        let reply = gateway.master().chat(&body).with_status(200);
        assert!(!reply.body.is_empty());
    }
    assert_eq!(simulator.connections(), 2);
}

/// The request's own time limit beats the deployment's.
#[test]
fn the_caller_may_be_less_patient() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&Config::single(&simulator, "m"));
    let body = chat_with("m", json!({"simulate": {"hang": "before_head"}}));
    let request = crate::harness::Request::post("/v1/chat/completions", body.to_string())
        .header("x-litellm-timeout", "0.4");
    let reply = gateway.master().ask(request);
    is_error(&reply, 408, "litellm.Timeout: ", &json!("header"));
    let body = chat_with(
        "m",
        json!({"timeout": 0.4, "simulate": {"hang": "before_head"}}),
    );
    is_error(
        &gateway.master().chat(&body),
        408,
        "litellm.Timeout: ",
        &json!("body"),
    );
}

/// Proxies compress although identity was asked for.
#[test]
fn compressed_answers_are_read() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let text = "The pointsman sets the track. ".repeat(100);
    for more in [json!({}), json!({"split": "every_byte"})] {
        let mut simulate = json!({"gzip": true, "content": text});
        simulate
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let more = json!({"simulate": simulate});
        let reply = gateway
            .master()
            .chat(&chat_with("m", more.clone()))
            .with_status(200);
        assert_eq!(reply.header("content-encoding"), None);
        assert_eq!(reply.json()["choices"][0]["message"]["content"], text);
        let reply = gateway.master().chat(&streamed("m", more)).with_status(200);
        assert_eq!(reply.said(), text);
        assert!(reply.is_done());
    }
    assert_eq!(
        simulator.requests()[0].header("accept-encoding"),
        Some("identity")
    );
    let error = json!({"simulate": {"gzip": true, "status": 429}});
    let reply = gateway.master().chat(&chat_with("m", error));
    assert_eq!(reply.status, 429);
    assert!(
        reply.message().contains("Rate limit reached"),
        "{}",
        reply.message()
    );
}

/// A body cut within its compressed bytes is no whole answer, and one that expands without end is not read to its end.
#[test]
fn compressed_answers_are_bounded() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    for how in [
        json!({"gzip": true, "cut_after_bytes": 60}),
        json!({"gzip": true, "body": " ".repeat(8 << 20)}),
        json!({"headers": {"content-encoding": "gzip"}}),
    ] {
        let request = chat_with("m", json!({"simulate": how}));
        let reply = gateway.master().chat(&request);
        is_error(
            &reply,
            500,
            "litellm.InternalServerError: ",
            &json!(how["gzip"]),
        );
    }
}

#[test]
fn what_cannot_be_read_is_told() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    for (how, why) in [(
        json!({"headers": {"content-encoding": "br"}}),
        "compressed with 'br'",
    )] {
        for body in [
            chat_with("m", json!({"simulate": how})),
            streamed("m", json!({"simulate": how})),
        ] {
            let reply = gateway.master().chat(&body);
            is_error(&reply, 500, "litellm.InternalServerError: ", &how);
            assert!(reply.message().contains(why), "{}", reply.message());
        }
    }
}
