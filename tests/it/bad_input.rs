//! What is wrong with a request is told: a 4xx in OpenAI's form that names the field and says what would be right, before
//! any upstream is called.

use crate::harness::{Config, Gateway, Reply, Request, json};
use crate::simulator::Simulator;

fn gateway(simulator: &Simulator) -> Gateway {
    Gateway::of(&Config::single(simulator, "m").general("max_request_size_mb", 1))
}

/// Path, and the field without which there is nothing to do, with a right value.
const OPERATIONS: [(&str, &str, &str); 3] = [
    (
        "/v1/chat/completions",
        "messages",
        r#"[{"role":"user","content":"x"}]"#,
    ),
    ("/v1/completions", "prompt", r#""x""#),
    ("/v1/embeddings", "input", r#""x""#),
];

/// A refusal with this `param` (`""`: null) and these words in its message.
#[track_caller]
fn is_told(reply: &Reply, status: u16, param: &str, words: &str, what: &str) {
    let what = &what[..what.len().min(200)];
    assert_eq!(reply.status, status, "{what}: {}", reply.text());
    let error = reply.error();
    let told = error["param"].as_str().unwrap_or_default();
    assert_eq!(told, param, "{what}: {error}");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains(words), "{what}: {message}");
    let kind = error["type"].as_str().unwrap();
    assert!(kind.ends_with("_error"), "{what}: {error}");
    reply.must("x-litellm-call-id");
}

#[test]
fn bodies_that_are_no_json_object() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let deep = |open: &str, depth: usize| format!(r#"{{"model":"m","x":{}"#, open.repeat(depth));
    let closed = format!(
        r#"{{"model":"m","x":{}{}}}"#,
        "[".repeat(1000),
        "]".repeat(1000)
    );
    for (path, _, _) in OPERATIONS {
        for (body, words) in [
            ("", "EOF"),
            ("   ", "EOF"),
            ("null", "must be a JSON object"),
            ("[]", "must be a JSON object"),
            ("5", "must be a JSON object"),
            ("\"x\"", "must be a JSON object"),
            ("true", "must be a JSON object"),
            ("{", "line 1 column 1"),
            ("{\"model\": \"m\",}", "line 1 column"),
            ("{\"model\": \"m\"} x", "line 1 column"),
            ("{'model': 'm'}", "line 1 column"),
            ("model=m&prompt=x", "line 1 column"),
            ("<html>", "line 1 column"),
            (&deep("[", 100_000), "nested deeper than 128"),
            (&deep("{\"a\":", 100_000), "nested deeper than 128"),
            (&closed, "nested deeper than 128"),
        ] {
            let reply = gateway.master().ask(Request::post(path, body));
            is_told(&reply, 400, "request_body", words, body);
        }
        let not_utf8 = b"{\"model\":\"\xff\"}".to_vec();
        let reply = gateway.master().ask(Request::post(path, not_utf8));
        is_told(&reply, 400, "request_body", "not UTF-8", "\\xff");
    }
    assert_eq!(simulator.requests().len(), 0);
}

#[test]
fn numbers_that_json_does_not_have() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    for (path, required, value) in OPERATIONS {
        for number in [
            "NaN",
            "Infinity",
            "-Infinity",
            "0x10",
            "1_000",
            "+1",
            ".5",
            "01",
            "1.",
        ] {
            let body = format!(r#"{{"model":"m","{required}":{value},"temperature":{number}}}"#);
            let reply = gateway.master().ask(Request::post(path, body.clone()));
            is_told(&reply, 400, "request_body", "Invalid JSON payload", &body);
        }
    }
    assert_eq!(simulator.requests().len(), 0);
}

#[test]
fn what_is_missing_is_named() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    for (path, required, value) in OPERATIONS {
        let words = format!("Missing required parameter: '{required}'.");
        for body in [
            r#"{"model":"m"}"#.to_owned(),
            format!(r#"{{"model":"m","{required}":null}}"#),
            "{}".to_owned(),
        ] {
            let reply = gateway.master().ask(Request::post(path, body.clone()));
            is_told(&reply, 400, required, &words, &body);
        }
        for model in ["", r#""model":null,"#] {
            let body = format!(r#"{{{model}"{required}":{value}}}"#);
            let reply = gateway.master().ask(Request::post(path, body.clone()));
            let route = path.trim_start_matches("/v1");
            let words = format!("{route}: Invalid model name passed in model=None");
            is_told(&reply, 400, "", &words, &body);
        }
    }
    assert_eq!(simulator.requests().len(), 0);
}

#[test]
fn wrong_types_and_ranges_are_named() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    // Field, wrong values, what would be right.
    type Case = (&'static str, &'static [&'static str], &'static str);
    let all: [Case; 3] = [
        (
            "model",
            &["5", "[]", "{}", "true", "[\"m\"]"],
            "'model' must be a string.",
        ),
        (
            "model",
            &["\"a\\nb\"", "\"a\\u0000\"", "\"\\\"\""],
            "'model' must not hold",
        ),
        ("stream", &["1", "\"true\"", "[]", "{}"], "'stream' must be"),
    ];
    let whole = "a whole number that is not negative";
    let count = "a whole number from 1 to 1024";
    let one_each: [(usize, Case); 13] = [
        (
            0,
            (
                "messages",
                &["\"hi\"", "5", "{}", "true", "[\"hi\"]", "[null]", "[[5]]"],
                "an array of message objects",
            ),
        ),
        (
            0,
            (
                "max_tokens",
                &["-1", "\"5\"", "1.5", "[]", "1e999", "true"],
                whole,
            ),
        ),
        (
            0,
            (
                "max_completion_tokens",
                &["-1", "\"5\"", "1.5", "{}"],
                whole,
            ),
        ),
        (
            0,
            (
                "n",
                &["0", "-1", "1025", "\"2\"", "1.5", "18446744073709551616"],
                count,
            ),
        ),
        (
            0,
            ("stream_options", &["true", "[]", "\"x\"", "5"], "an object"),
        ),
        (
            1,
            (
                "prompt",
                &[
                    "5",
                    "{}",
                    "true",
                    "[]",
                    "[[]]",
                    "[null]",
                    "[1,\"a\"]",
                    "[1.5]",
                    "[-1]",
                ],
                "an array of strings",
            ),
        ),
        (1, ("max_tokens", &["-1", "\"5\"", "1.5"], whole)),
        (1, ("n", &["0", "-1", "100000"], count)),
        (1, ("best_of", &["0", "-1", "100000", "\"3\""], count)),
        (
            2,
            (
                "input",
                &[
                    "5",
                    "{}",
                    "true",
                    "[]",
                    "[[]]",
                    "[null]",
                    "[1,\"a\"]",
                    "[[1],2]",
                ],
                "an array of strings",
            ),
        ),
        (
            2,
            (
                "dimensions",
                &["0", "-1", "\"256\"", "1.5"],
                "a whole number",
            ),
        ),
        (
            2,
            (
                "encoding_format",
                &["1", "[]", "true"],
                "\"float\" or \"base64\"",
            ),
        ),
        (2, ("stream", &["true"], "these answers are not streamed")),
    ];
    let everywhere = (0..3).flat_map(|at| all.map(|case| (at, case)));
    for (at, (field, values, words)) in everywhere.chain(one_each) {
        let (path, required, right) = OPERATIONS[at];
        for value in values {
            let others: String = [("model", "\"m\""), (required, right)]
                .iter()
                .filter(|(name, _)| *name != field)
                .map(|(name, value)| format!("\"{name}\":{value},"))
                .collect();
            let body = format!("{{{others}\"{field}\":{value}}}");
            let reply = gateway.master().ask(Request::post(path, body.clone()));
            is_told(&reply, 400, field, words, &body);
        }
        // Null is as good as absent, but for what is required.
        if field != required && field != "model" {
            let body = format!(r#"{{"model":"m","{required}":{right},"{field}":null}}"#);
            let reply = gateway.master().ask(Request::post(path, body.clone()));
            assert_eq!(reply.status, 200, "{body}: {}", reply.text());
        }
    }
}

/// The provider obeys the last of two fields, and so must the gateway.
#[test]
fn of_a_doubled_field_the_last_one_counts() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let caller = gateway.caller(json!({"models": ["m"]}));
    for (path, required, value) in OPERATIONS {
        for (first, last, status) in [("nope", "m", 200), ("m", "nope", 403)] {
            for key in ["model", "mod\\u0065l"] {
                let body =
                    format!(r#"{{"model":"{first}","{required}":{value},"{key}":"{last}"}}"#);
                let reply = caller.ask(Request::post(path, body.clone()));
                assert_eq!(reply.status, status, "{body}: {}", reply.text());
            }
        }
    }
    for sent in simulator.take() {
        let body = String::from_utf8(sent.body).unwrap();
        assert_eq!(body.matches("\"model\"").count(), 1, "{body}");
    }
}

#[test]
fn large_bodies_are_refused_whatever_they_ask_for() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    for (path, required, value) in OPERATIONS {
        let padding = "x".repeat(2 << 20);
        let body = format!(r#"{{"model":"m","{required}":{value},"padding":"{padding}"}}"#);
        let reply = gateway.master().ask(Request::post(path, body));
        is_told(&reply, 413, "content-length", "Max size is 1 MB", path);
    }
}

#[test]
fn a_body_of_another_kind_is_told_what_is_wanted() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    for (path, required, value) in OPERATIONS {
        let send = |kind: Option<&str>, encoding: Option<&str>, body: &str| {
            let mut request = Request::new("POST", path);
            request.body = body.as_bytes().to_vec();
            let headers = [("content-type", kind), ("content-encoding", encoding)];
            for (name, value) in headers {
                if let Some(value) = value {
                    request = request.header(name, value);
                }
            }
            gateway.master().ask(request)
        };
        for kind in [
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "text/xml",
        ] {
            let reply = send(Some(kind), None, "model=m");
            let words = format!("not {}", kind.split(';').next().unwrap());
            is_told(&reply, 400, "request_body", &words, kind);
        }
        let reply = send(Some("application/json"), Some("gzip"), "\u{1f}\u{8b}..");
        is_told(
            &reply,
            415,
            "content-encoding",
            "send the body uncompressed",
            "gzip",
        );
        // What says something else and is JSON is JSON: curl's default type, and no type at all.
        let right = format!(r#"{{"model":"m","{required}":{value}}}"#);
        for kind in [
            None,
            Some("application/x-www-form-urlencoded"),
            Some("text/plain"),
            Some("application/json; charset=utf-8"),
        ] {
            send(kind, None, &right).with_status(200);
        }
    }
}

#[test]
fn other_methods_are_told() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    for (path, _, _) in OPERATIONS {
        for method in ["GET", "PUT", "DELETE"] {
            let reply = gateway.master().ask(Request::new(method, path));
            assert_eq!(reply.status, 405, "{method} {path}");
            assert_eq!(reply.json(), json!({"detail": "Method Not Allowed"}));
        }
    }
}
