//! What the gateway tells of a call in its headers.

use crate::harness::{
    Config, Deployment, Gateway, Request, Value, chat, chat_with, json, streamed,
};
use crate::simulator::{Behaviour, Simulator};

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

#[test]
fn limits_and_retries_of_a_call_are_told() {
    let simulator = Simulator::start();
    let deployment = Deployment::of(&simulator, "m").param("timeout", 30);
    let gateway = Gateway::of(&Config::of([deployment]).router("num_retries", 1));
    let master = gateway.master();
    let reply = master.chat(&chat("m")).with_status(200);
    assert_eq!(reply.must("x-litellm-timeout"), "30.0");
    assert_eq!(reply.header("x-litellm-max-retries"), None);
    let body = streamed("m", json!({"stream_timeout": 2.5}));
    let reply = master.chat(&body).with_status(200);
    assert_eq!(reply.must("x-litellm-timeout"), "2.5");
    simulator.behave_in_turn("m", vec![Behaviour::failing(503)], Behaviour::default());
    let reply = master.chat(&chat("m")).with_status(200);
    assert_eq!(reply.must("x-litellm-attempted-retries"), "1");
    assert_eq!(reply.must("x-litellm-max-retries"), "1");
    simulator.behave("m", Behaviour::failing(400));
    let reply = with(&gateway, &chat("m"), &[("x-litellm-timeout", "7")]).with_status(400);
    assert_eq!(reply.must("x-litellm-timeout"), "7.0");
    assert_eq!(reply.must("x-litellm-response-cost"), "0");
    assert!(reply.header("x-litellm-key-spend").is_some());
    for absent in ["x-litellm-model-id", "x-litellm-attempted-retries"] {
        assert_eq!(reply.header(absent), None, "{absent}");
    }
}

/// docs/headers.md: every header it promises is there, and nothing is there that it does not know.
#[test]
fn the_documentation_is_right() {
    const DOCUMENT: &str = include_str!("../../docs/headers.md");
    let (_, table) = DOCUMENT.split_once("## What an answer tells").unwrap();
    let rows: Vec<(Vec<&str>, Vec<&str>)> = table
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let names = cells[1].split(", ").map(|name| name.trim_matches('`'));
            (names.collect(), cells[2..5].to_vec())
        })
        .collect();
    assert!(rows.len() > 20, "{} rows", rows.len());
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    gateway.user("u", |user| user.rpm_limit = Some(500));
    let caller = gateway.caller(json!({
        "user_id": "u", "rpm_limit": 50, "tpm_limit": 100_000, "max_parallel_requests": 5, "max_budget": 10,
    }));
    simulator.behave_in_turn("up", vec![Behaviour::default(); 2], Behaviour::failing(400));
    let answers = [
        caller.chat(&chat("m")).with_status(200),
        caller.chat(&streamed("m", json!({}))).with_status(200),
        caller.chat(&chat("m")).with_status(400),
    ];
    let framing = ["content-length", "transfer-encoding", "date", "connection"];
    for (kind, answer) in answers.iter().enumerate() {
        for (names, kinds) in &rows {
            for name in names.iter().filter(|_| kinds[kind] == "always") {
                assert!(answer.header(name).is_some(), "{name} is promised ({kind})");
            }
        }
        for (name, _) in &answer.headers {
            let known = rows.iter().any(|(names, kinds)| {
                !kinds[kind].is_empty() && names.iter().any(|pattern| fits(pattern, name))
            });
            assert!(
                known || framing.contains(&name.as_str()),
                "{name} is not in docs/headers.md ({kind})"
            );
        }
    }
}

/// Whether a name fits a pattern of the documentation, in which `<…>` stands for anything.
fn fits(pattern: &str, name: &str) -> bool {
    let mut rest = name;
    let mut parts = pattern.split(['<', '>']).enumerate();
    parts.all(|(position, part)| {
        if position % 2 == 1 {
            return !rest.is_empty();
        }
        let found = if position == 0 {
            rest.starts_with(part).then_some(0)
        } else if part.is_empty() {
            Some(rest.len())
        } else {
            rest.find(part)
        };
        found.is_some_and(|at| {
            rest = &rest[(at + part.len()).min(rest.len())..];
            true
        })
    }) && (pattern.ends_with('>') || rest.is_empty())
}
