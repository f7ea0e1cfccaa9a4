//! G5: whatever a client sends, it gets an answer below 500, and the gateway lives. Panics are looked for in the log when the
//! gateway is dropped.

use std::io::Write;

use proptest::prelude::*;
use proptest::test_runner::{Config as Runs, TestRunner};

use crate::harness::{Client, Config, Gateway, MASTER_KEY, Reply, Request, chat, chat_with, json};
use crate::simulator::Simulator;

fn gateway(simulator: &Simulator) -> Gateway {
    Gateway::of(&Config::single(simulator, "m"))
}

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(Runs {
        cases,
        failure_persistence: None,
        ..Runs::default()
    })
}

fn is_an_answer(reply: &Reply) -> Result<(), TestCaseError> {
    prop_assert!(
        (200..500).contains(&reply.status),
        "{} {}",
        reply.status,
        String::from_utf8_lossy(&reply.body)
    );
    Ok(())
}

const PATHS: [&str; 4] = [
    "/v1/chat/completions",
    "/key/generate",
    "/v1/completions",
    "/v1/embeddings",
];

#[test]
fn any_bytes_as_a_body() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let master = gateway.master();
    let bytes = prop::collection::vec(any::<u8>(), 0..300);
    runner(300)
        .run(&(bytes, 0..PATHS.len()), |(body, path)| {
            is_an_answer(&master.ask(Request::post(PATHS[path], body)))
        })
        .unwrap();
    master.chat(&chat("m")).with_status(200);
}

/// A good body with a few bytes cut, doubled or changed: nearly right is worse than noise.
#[test]
fn a_body_with_some_bytes_wrong() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let master = gateway.master();
    let good = chat_with(
        "m",
        json!({
            "stream": true, "stream_options": {"include_usage": true}, "n": 1, "max_tokens": 10, "user": "u\u{e9}\u{1f682}",
            "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}], "x": [1.5e-7, null, {"y": "\"\\\u{0}"}],
        }),
    )
    .to_string()
    .into_bytes();
    let length = good.len();
    let edit = (0..length, 0..4u8, any::<u8>(), 1..6usize);
    runner(400)
        .run(&prop::collection::vec(edit, 1..4), |edits| {
            let mut body = good.clone();
            for (at, kind, byte, count) in edits {
                let at = at.min(body.len());
                let end = (at + count).min(body.len());
                match kind {
                    0 => drop(body.drain(at..end)),
                    1 => body.insert(at, byte),
                    2 if at < body.len() => body[at] = byte,
                    _ => {
                        let piece = body[at..end].to_vec();
                        body.splice(at..at, piece);
                    }
                }
            }
            is_an_answer(&master.ask(Request::post(PATHS[0], body)))
        })
        .unwrap();
    master.chat(&chat("m")).with_status(200);
}

/// JSON of any shape in the fields that the gateway looks at.
#[test]
fn any_json_in_any_field() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let master = gateway.master();
    let number = prop::sample::select(vec![
        "0",
        "-1",
        "1e999",
        "-1e999",
        "1.5",
        "18446744073709551616",
        "1e-400",
        "-0",
        "9223372036854775808",
    ]);
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|flag| flag.to_string()),
        number.prop_map(str::to_owned),
        any::<String>().prop_map(|text| json!(text).to_string()),
        Just("\"\\ud800\"".to_owned()),
        Just("\"\\u0000\"".to_owned()),
        Just("NaN".to_owned()),
    ];
    let value = leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec((any::<String>(), inner), 0..4).prop_map(|fields| {
                let fields: Vec<String> = fields
                    .iter()
                    .map(|(name, value)| format!("{}:{value}", json!(name)))
                    .collect();
                format!("{{{}}}", fields.join(","))
            }),
        ]
    });
    let fields = prop::sample::select(vec![
        "model",
        "messages",
        "stream",
        "stream_options",
        "n",
        "max_tokens",
        "max_completion_tokens",
        "user",
        "tools",
        "functions",
        "service_tier",
        "metadata",
        "timeout",
        "num_retries",
        "tags",
        "response_format",
        "stop",
        "logit_bias",
        "prompt",
        "suffix",
        "best_of",
        "echo",
        "logprobs",
        "input",
        "dimensions",
        "encoding_format",
    ]);
    let keys = prop::sample::select(vec![
        "key",
        "key_alias",
        "user_id",
        "team_id",
        "models",
        "max_budget",
        "tpm_limit",
        "rpm_limit",
        "max_parallel_requests",
        "duration",
        "spend",
        "blocked",
        "metadata",
        "aliases",
        "config",
        "permissions",
        "budget_duration",
        "soft_budget",
    ]);
    runner(400)
        .run(&(fields, keys, value), |(field, key, value)| {
            let others = [
                ("model", "\"m\""),
                ("messages", "[]"),
                ("prompt", "[\"a\"]"),
                ("input", "[1]"),
            ];
            let kept = others
                .iter()
                .filter(|(name, _)| *name != field)
                .map(|(name, value)| format!("\"{name}\":{value},"));
            let body = format!("{{{}\"{field}\":{value}}}", kept.collect::<String>());
            for path in [PATHS[0], PATHS[2], PATHS[3]] {
                is_an_answer(&master.ask(Request::post(path, body.clone())))?;
            }
            let reply = master.ask(Request::post(PATHS[1], format!("{{\"{key}\":{value}}}")));
            is_an_answer(&reply)
        })
        .unwrap();
    master.chat(&chat("m")).with_status(200);
}

#[test]
fn depth_and_width() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let master = gateway.master();
    let messages = |inner: &str| format!("{{\"model\":\"m\",\"messages\":[{inner}]}}");
    for depth in [100, 127, 128, 129, 1000, 100_000, 1_000_000] {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let deep = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            let reply = master.ask(Request::post(PATHS[0], messages(&deep)));
            assert!(
                (200..500).contains(&reply.status),
                "{depth} {open}: {}",
                reply.status
            );
            if depth > 128 {
                assert_eq!(reply.status, 400, "{depth} {open}");
            }
            let unclosed = master.ask(Request::post(PATHS[0], open.repeat(depth)));
            assert_eq!(unclosed.status, 400, "{depth} {open}");
            let made = master.ask(Request::post(
                PATHS[1],
                format!("{{\"metadata\":{{\"x\":{deep}}}}}"),
            ));
            assert!(
                (200..500).contains(&made.status),
                "{depth} {open}: {}",
                made.status
            );
        }
    }
    let wide: String = (0..100_000)
        .map(|index| format!("\"f{index}\":{index},"))
        .collect();
    let reply = master.ask(Request::post(
        PATHS[0],
        format!("{{{wide}\"model\":\"m\",\"messages\":[]}}"),
    ));
    assert!((200..500).contains(&reply.status), "{}", reply.status);
}

/// The headers that the gateway reads, with anything in them that HTTP allows, and some that it does not.
#[test]
fn any_bytes_in_a_header() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let names = prop::sample::select(vec![
        "authorization",
        "x-litellm-api-key",
        "api-key",
        "x-litellm-call-id",
        "x-litellm-timeout",
        "x-litellm-num-retries",
        "x-litellm-tags",
        "content-type",
        "accept-encoding",
        "content-encoding",
        "x-litellm-spend-logs-metadata",
        "cookie",
        "host",
    ]);
    // Everything but what ends a header.
    let value = prop::collection::vec(
        any::<u8>().prop_filter("not a line's end", |byte| ![b'\r', b'\n', 0].contains(byte)),
        0..60,
    );
    let body = chat("m").to_string();
    runner(400)
        .run(&(names, value, any::<bool>()), |(name, value, signed)| {
            let mut connection = gateway.anonymous().connect();
            let mut bytes = b"POST /v1/chat/completions HTTP/1.1\r\n".to_vec();
            if signed {
                bytes.extend(format!("authorization: Bearer {MASTER_KEY}\r\n").bytes());
            }
            bytes.extend(format!("{name}: ").bytes());
            bytes.extend(&value);
            bytes.extend(format!("\r\ncontent-length: {}\r\n\r\n{body}", body.len()).bytes());
            connection.stream.write_all(&bytes).unwrap();
            match connection.reply() {
                Ok(reply) => is_an_answer(&reply),
                Err(error) => Err(TestCaseError::fail(format!("no answer: {error}"))),
            }
        })
        .unwrap();
    gateway.master().chat(&chat("m")).with_status(200);
}

/// Bytes that are no HTTP: refused or hung up on, and nothing else suffers.
#[test]
fn any_bytes_as_a_request() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let noise = prop::collection::vec(any::<u8>(), 1..200);
    runner(150)
        .run(&noise, |bytes| {
            let mut connection = gateway.anonymous().connect();
            // The other side may have hung up already.
            let _ = connection.stream.write_all(&bytes);
            let _ = connection.stream.shutdown(std::net::Shutdown::Write);
            if let Ok(reply) = connection.reply() {
                prop_assert!(reply.status < 500, "{}", reply.status);
            }
            Ok(())
        })
        .unwrap();
    gateway.master().chat(&chat("m")).with_status(200);
}

/// Query strings of the routes that have one.
#[test]
fn any_query() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let master: Client = gateway.master();
    let path = prop::sample::select(vec![
        "/key/info?key=",
        "/spend/logs?api_key=",
        "/spend/logs?request_id=",
        "/spend/logs?user_id=",
        "/spend/logs?start_date=2030-01-01&end_date=",
        "/spend/logs?summarize=",
        "/v1/models?",
    ]);
    let query = prop::collection::vec(
        prop::sample::select((33u8..127).collect::<Vec<u8>>()),
        0..40,
    );
    runner(300)
        .run(&(path, query), |(path, query)| {
            let query = String::from_utf8(query).unwrap();
            is_an_answer(&master.get(&format!("{path}{query}")))
        })
        .unwrap();
    for query in ["%00", "%ff", "%", "%zz", "+", "=&=&", "sk-%00"] {
        for path in [
            "/key/info?key=",
            "/spend/logs?request_id=",
            "/spend/logs?api_key=",
        ] {
            let reply = master.get(&format!("{path}{query}"));
            assert!(reply.status < 500, "{path}{query}: {}", reply.status);
        }
    }
}
