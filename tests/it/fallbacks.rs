//! When a group has failed for good, another one answers.

use std::time::{Duration, Instant};

use crate::harness::{
    Client, Config, Deployment, Gateway, Reply, Value, chat, chat_with, json, streamed,
};
use crate::simulator::{Behaviour, Simulator};

/// One deployment a group, each behaving as told; `router_settings` as given, and no retries unless they say so.
fn groups(simulator: &Simulator, groups: &[(&str, Behaviour)], router: Value) -> Config {
    let deployment = |(name, behaviour): &(&str, Behaviour)| {
        simulator.behave(name, behaviour.clone());
        Deployment::of(simulator, name)
    };
    let config = Config::of(groups.iter().map(deployment)).router("num_retries", 0);
    let settings = router.as_object().cloned().unwrap_or_default();
    settings
        .into_iter()
        .fold(config, |config, (name, value)| config.router(&name, value))
}

fn answers(name: &str) -> Behaviour {
    Behaviour::saying(format!("from {name}"))
}

/// What a provider says when a prompt is too long, or its content refused.
fn refusing(code: &str) -> Behaviour {
    let error = json!({"error": {
        "message": if code == "context_length_exceeded" {
            "This model's maximum context length is 8 tokens."
        } else {
            "Your request was rejected as a result of our safety system."
        },
        "type": "invalid_request_error", "param": "messages", "code": code,
    }});
    Behaviour::of(json!({"status": 400, "body": error}))
}

/// Where a request for `a` ends up, whole and streamed: the group that answered.
fn answered_by(client: &Client, fields: Value) -> String {
    let [whole, stream] = [chat_with("a", fields.clone()), streamed("a", fields)].map(|body| {
        let reply = client.chat(&body).with_status(200);
        reply.must("x-litellm-model-group").to_owned()
    });
    assert_eq!(whole, stream, "whole and streamed");
    whole
}

#[test]
fn lists_of_the_configuration() {
    let failing = || Behaviour::failing(500);
    let too_long = || refusing("context_length_exceeded");
    let unwelcome = || refusing("content_policy_violation");
    let all = json!({
        "fallbacks": [{"a": ["b"]}],
        "context_window_fallbacks": [{"a": ["c"]}],
        "content_policy_fallbacks": [{"a": ["d"]}],
    });
    for (what, first, router, expected) in [
        ("any error", failing(), all.clone(), "b"),
        ("a client error", Behaviour::failing(422), all.clone(), "b"),
        ("a long prompt", too_long(), all.clone(), "c"),
        ("refused content", unwelcome(), all, "d"),
        (
            "a long prompt without a list for it",
            too_long(),
            json!({"fallbacks": [{"a": ["b"]}]}),
            "b",
        ),
        (
            "the default",
            failing(),
            json!({"default_fallbacks": ["c"]}),
            "c",
        ),
        (
            "its own before the default",
            failing(),
            json!({"default_fallbacks": ["c"], "fallbacks": [{"a": ["b"]}]}),
            "b",
        ),
        (
            "of every group",
            failing(),
            json!({"fallbacks": [{"b": ["c"]}, {"*": ["d"]}]}),
            "d",
        ),
        (
            "the second where the first fails, whose own come first",
            failing(),
            json!({"fallbacks": [{"a": ["x", "c"]}, {"x": ["y", "d"]}]}),
            "d",
        ),
        (
            "who is unknown is passed over",
            failing(),
            json!({"fallbacks": [{"a": ["nobody", "a", "c"]}]}),
            "c",
        ),
        (
            "by another name",
            failing(),
            json!({"fallbacks": [{"a": ["alias"]}], "model_group_alias": {"alias": "d"}}),
            "d",
        ),
    ] {
        let simulator = Simulator::start();
        let config = groups(
            &simulator,
            &[
                ("a", first),
                ("b", answers("b")),
                ("c", answers("c")),
                ("d", answers("d")),
                ("x", Behaviour::failing(503)),
                ("y", Behaviour::failing(503)),
            ],
            router,
        );
        let gateway = Gateway::of(&config);
        assert_eq!(
            answered_by(&gateway.master(), json!({})),
            expected,
            "{what}"
        );
        gateway.books_agree();
    }
}

/// The list of `litellm_settings` counts where the router has none.
#[test]
fn lists_of_the_other_section() {
    for (key, first) in [
        ("fallbacks", Behaviour::failing(500)),
        (
            "context_window_fallbacks",
            refusing("context_length_exceeded"),
        ),
        (
            "content_policy_fallbacks",
            refusing("content_policy_violation"),
        ),
        ("default_fallbacks", Behaviour::failing(500)),
    ] {
        let simulator = Simulator::start();
        let list = match key {
            "default_fallbacks" => json!(["b"]),
            _ => json!([{"a": ["b"]}]),
        };
        let config = groups(&simulator, &[("a", first), ("b", answers("b"))], json!({}));
        let gateway = Gateway::of(&config.litellm(key, list));
        assert_eq!(answered_by(&gateway.master(), json!({})), "b", "{key}");
    }
}

#[test]
fn a_request_brings_its_own() {
    let simulator = Simulator::start();
    let config = groups(
        &simulator,
        &[
            ("a", Behaviour::failing(500)),
            ("b", answers("b")),
            ("c", answers("c")),
            ("x", Behaviour::failing(503)),
        ],
        json!({"fallbacks": [{"a": ["b"]}]}),
    );
    let gateway = Gateway::of(&config);
    let master = gateway.master();
    for (fields, expected) in [
        (json!({"fallbacks": ["c"]}), "c"),
        (json!({"fallbacks": ["x", "c"]}), "c"),
        (json!({"fallbacks": [{"a": ["c"]}]}), "c"),
        (
            json!({"fallbacks": [{"model": "c", "temperature": 0}]}),
            "c",
        ),
        (json!({"fallbacks": null}), "b"),
    ] {
        assert_eq!(answered_by(&master, fields.clone()), expected, "{fields}");
    }
    for fields in [
        json!({"fallbacks": []}),
        json!({"fallbacks": [{"b": ["c"]}]}),
        json!({"disable_fallbacks": true}),
        json!({"disable_fallbacks": true, "fallbacks": ["c"]}),
    ] {
        simulator.take();
        master
            .chat(&chat_with("a", fields.clone()))
            .with_status(500);
        assert_eq!(simulator.take().len(), 1, "{fields}");
    }
    for fields in [
        json!({"fallbacks": "c"}),
        json!({"fallbacks": [5]}),
        json!({"fallbacks": [{"a": {"b": "c"}}]}),
        json!({"fallbacks": ["c", {"a": ["b"]}]}),
        json!({"fallbacks": vec!["c"; 51]}),
        json!({"fallbacks": [{"model": "c", "timeout": 1}]}),
        json!({"fallbacks": [{"model": "c", "stream": true}]}),
        json!({"fallbacks": [{"model": "c", "metadata": {}}]}),
        json!({"context_window_fallbacks": {"a": ["b"]}}),
        json!({"disable_fallbacks": "yes"}),
    ] {
        simulator.take();
        let reply = master
            .chat(&chat_with("a", fields.clone()))
            .with_status(400);
        assert!(reply.message().contains("allbacks"), "{fields}");
        assert_eq!(simulator.take().len(), 0, "{fields}");
    }
    // Where a call goes, and with what key, is not for a fallback to say either.
    for fields in [
        json!({"fallbacks": [{"model": "c", "api_base": "http://127.0.0.1:9"}]}),
        json!({"fallbacks": [{"model": "c", "vertex_credentials": "x"}]}),
        json!({"content_policy_fallbacks": [{"a": ["https://elsewhere.example"]}]}),
    ] {
        master
            .chat(&chat_with("a", fields.clone()))
            .with_status(401);
        assert_eq!(simulator.take().len(), 0, "{fields}");
    }
}

/// The body of a fallback is made from the client's bytes: what was changed for the first provider is as it came.
#[test]
fn a_fallback_gets_the_clients_own_request() {
    let simulator = Simulator::start();
    simulator.behave("first", Behaviour::failing(500));
    let config = Config::of([
        Deployment::of(&simulator, "first")
            .group("a")
            .param("temperature", 0.1)
            .param("additional_drop_params", json!(["top_p"])),
        Deployment::of(&simulator, "second").group("b"),
    ])
    .router("num_retries", 0)
    .router(
        "fallbacks",
        json!([{"a": [{"model": "b", "max_tokens": 7, "messages": [{"role": "user", "content": "short"}]}]}]),
    );
    let gateway = Gateway::of(&config);
    let body = chat_with("a", json!({"top_p": 0.5, "user": "u", "fallbacks": null}));
    gateway.master().chat(&body).with_status(200);
    let [first, second]: [Value; 2] = simulator
        .take()
        .into_iter()
        .map(|recorded| serde_json::from_slice(&recorded.body).unwrap())
        .collect::<Vec<_>>()
        .try_into()
        .unwrap();
    assert_eq!(first["model"], "first");
    assert_eq!(
        (&first["temperature"], &first["top_p"]),
        (&json!(0.1), &Value::Null)
    );
    let expected = json!({
        "model": "second",
        "messages": [{"role": "user", "content": "short"}],
        "max_tokens": 7,
        "top_p": 0.5,
        "user": "u",
    });
    assert_eq!(second, expected);
}

/// What is told of an answer, and what it costs, is that of the deployment that gave it.
#[test]
fn the_fallback_is_told_and_paid() {
    let simulator = Simulator::start();
    let usage = json!({"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100});
    simulator.behave("first", Behaviour::failing(500));
    simulator.behave("second", Behaviour::of(json!({"usage": usage})));
    let config = Config::of([
        Deployment::of(&simulator, "first")
            .group("a")
            .priced(1.0, 1.0),
        Deployment::of(&simulator, "second")
            .group("b")
            .priced(0.000001, 0.00001),
    ])
    .router("num_retries", 1)
    .router("fallbacks", json!([{"alias": ["b"]}]))
    .router("model_group_alias", json!({"alias": "a"}));
    let gateway = Gateway::of(&config);
    let key = gateway.key(json!({"max_budget": 1000}));
    for body in [chat("alias"), streamed("alias", json!({}))] {
        let reply = gateway.client(&key.secret).chat(&body).with_status(200);
        for (name, value) in [
            ("x-litellm-attempted-fallbacks", "1"),
            ("x-litellm-attempted-retries", "0"),
            ("x-litellm-model-group", "b"),
            ("x-litellm-model-id", "id-second"),
        ] {
            assert_eq!(reply.must(name), value, "{name}");
        }
        assert_eq!(reply.header("x-litellm-max-retries"), None);
        let model = match reply.header("content-type") {
            Some("application/json") => reply.json()["model"].clone(),
            _ => reply.events()[0]["model"].clone(),
        };
        assert_eq!(model, "b", "the client learns who answered");
    }
    let rows = gateway.rows_when(2);
    for row in &rows {
        assert_eq!(
            (&*row.model_group, &*row.model_id, row.retries),
            ("b", "id-second", 2),
            "two calls of the first, one of the second"
        );
        assert_eq!(row.spend.0, 2_000_000, "2 ¢ per thousand calls");
    }
    gateway.books_agree();
    let logged = gateway.master().get("/spend/logs").with_status(200).json();
    let failed = json!({
        "model_group": "a", "model_id": "id-first", "exception_type": "InternalServerError", "status": 500,
    });
    for row in logged.as_array().unwrap() {
        assert_eq!(row["metadata"]["previous_models"], json!([failed, failed]));
        assert_eq!(row["metadata"]["attempted_retries"], 2);
    }
}

#[test]
fn when_all_fail_the_first_failure_is_told() {
    let simulator = Simulator::start();
    let config = groups(
        &simulator,
        &[
            ("a", Behaviour::failing(429)),
            ("b", Behaviour::failing(500)),
            ("c", Behaviour::failing(401)),
        ],
        json!({"fallbacks": [{"a": ["b", "c"]}], "disable_cooldowns": true}),
    );
    let gateway = Gateway::of(&config);
    for body in [chat("a"), streamed("a", json!({}))] {
        let reply = gateway.master().chat(&body).with_status(429);
        let message = reply.message();
        let (own, trail) = message.split_once("\n\n").unwrap();
        assert!(own.starts_with("litellm.RateLimitError: "), "{own}");
        let start = "LiteLLM: model group 'a' failed with the error above. Fallback to b also failed: litellm.InternalServerError: ";
        assert!(trail.starts_with(start), "{trail}");
        assert!(
            trail.contains(". Fallback to c also failed: litellm.AuthenticationError: "),
            "{trail}"
        );
    }
    let rows = gateway.rows_when(2);
    assert!(
        rows.iter()
            .all(|row| row.http_status == 429 && row.retries == 2),
        "{rows:#?}"
    );
}

#[test]
fn what_a_message_says_of_fallbacks() {
    let simulator = Simulator::start();
    let failing = || Behaviour::failing(500);
    let message = |config: &Config, fields: Value| {
        let gateway = Gateway::of(config);
        let reply: Reply = gateway
            .master()
            .chat(&chat_with("a", fields))
            .with_status(500);
        reply.message()
    };
    let with = |router: Value| groups(&simulator, &[("a", failing()), ("b", failing())], router);
    let none = message(&with(json!({})), json!({}));
    assert!(!none.contains("LiteLLM:"), "{none}");
    let others = with(json!({"fallbacks": [{"b": ["c"]}]}));
    let told = message(&others, json!({}));
    let end = "\n\nLiteLLM: model group 'a' failed with the error above and no fallback model group was found for it, so the \
               request was not retried on another model. Fallbacks are configured for: b.";
    assert!(told.ends_with(end), "{told}");
    assert_eq!(message(&others, json!({"disable_fallbacks": true})), none);
    let silent =
        with(json!({"fallbacks": [{"a": ["b"]}]})).litellm("expose_router_debug_in_errors", false);
    assert_eq!(message(&silent, json!({})), none);
    let none_left = with(json!({"fallbacks": [{"a": ["b"]}], "max_fallbacks": 0}));
    let told = message(&none_left, json!({}));
    assert!(
        told.ends_with("failed with the error above. No fallback was attempted."),
        "{told}"
    );
    let retried = message(&with(json!({"num_retries": 1})), json!({}));
    assert!(
        retried.ends_with(" LiteLLM Retried: 1 times, LiteLLM Max Retries: 1"),
        "{retried}"
    );
}

/// A key's lists bind what it asks for, a request's own fallbacks with it; the configuration's only when that is wanted.
#[test]
fn whose_fallbacks_a_key_may_use() {
    for enforced in [false, true] {
        let simulator = Simulator::start();
        let config = groups(
            &simulator,
            &[
                ("a", Behaviour::failing(500)),
                ("b", answers("b")),
                ("c", answers("c")),
            ],
            json!({"fallbacks": [{"a": ["b", "c"]}]}),
        );
        let gateway = Gateway::of(&config.general("enforce_fallback_model_access", enforced));
        let caller = gateway.caller(json!({"models": ["a", "c"]}));
        let expected = if enforced { "c" } else { "b" };
        assert_eq!(answered_by(&caller, json!({})), expected);
        assert_eq!(answered_by(&caller, json!({"fallbacks": ["c"]})), "c");
        simulator.take();
        for fields in [
            json!({"fallbacks": ["c", "b"]}),
            json!({"content_policy_fallbacks": [{"a": ["b"]}]}),
        ] {
            let reply = caller.chat(&chat_with("a", fields)).with_status(403);
            assert_eq!(reply.error()["type"], "key_model_access_denied");
        }
        assert_eq!(simulator.take().len(), 0);
    }
}

/// A group that cannot take the call is passed over; a caller's own limit is not.
#[test]
fn full_groups_fall_back_and_limits_do_not() {
    let simulator = Simulator::start();
    simulator.behave("a", Behaviour::of(json!({"hold": true})));
    simulator.behave("b", answers("b"));
    let config = Config::of([
        Deployment::of(&simulator, "a").param("max_parallel_requests", 1),
        Deployment::of(&simulator, "b"),
    ])
    .router("fallbacks", json!([{"a": ["b"]}]));
    let gateway = Gateway::of(&config);
    let mut held = gateway.master().send(&chat("a"));
    assert!(simulator.wait_until(crate::harness::SOON, |simulator| simulator.held() == 1));
    let reply = gateway.master().chat(&chat("a")).with_status(200);
    assert_eq!(reply.must("x-litellm-attempted-fallbacks"), "1");
    assert_eq!(reply.json()["model"], "b");
    simulator.behave("b", Behaviour::failing(500));
    let reply = gateway
        .master()
        .chat(&chat_with("a", json!({"num_retries": 0})))
        .with_status(429);
    let own = "Deployment has all max_parallel_requests slots in use.";
    assert!(reply.message().starts_with(own), "{}", reply.message());
    simulator.release();
    held.reply().unwrap().with_status(200);

    let limited = gateway.caller(json!({"rpm_limit": 1}));
    simulator.behave("a", Behaviour::failing(500));
    simulator.behave("b", answers("b"));
    assert_eq!(
        limited.chat(&chat("a")).with_status(200).json()["model"],
        "b",
        "a fallback is no second request"
    );
    simulator.take();
    limited.chat(&chat("a")).with_status(429);
    assert_eq!(simulator.take().len(), 0);
}

/// An answer whose content was filtered is as good as none, where somebody stands ready.
#[test]
fn filtered_answers_fall_back() {
    let filtered = || Behaviour::of(json!({"content": "", "finish_reason": "content_filter"}));
    for (router, expected) in [
        (json!({"content_policy_fallbacks": [{"a": ["b"]}]}), "b"),
        (json!({"default_fallbacks": ["b"]}), "b"),
        (json!({"fallbacks": [{"a": ["b"]}]}), "a"),
        (
            json!({"content_policy_fallbacks": [{"b": ["a"]}], "default_fallbacks": ["b"]}),
            "a",
        ),
        (json!({}), "a"),
    ] {
        let simulator = Simulator::start();
        let config = groups(
            &simulator,
            &[("a", filtered()), ("b", answers("b"))],
            router.clone(),
        );
        let gateway = Gateway::of(&config);
        let reply = gateway.master().chat(&chat("a")).with_status(200);
        assert_eq!(reply.must("x-litellm-model-group"), expected, "{router}");
    }
}

/// A filtered answer is billed by its provider, at its own prices, whatever becomes of the request.
#[test]
fn filtered_answers_are_paid_for() {
    let simulator = Simulator::start();
    let usage = |input: u64, output: u64| json!({"prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output});
    let filtered =
        json!({"content": "", "finish_reason": "content_filter", "usage": usage(1000, 10)});
    simulator.behave("a", Behaviour::of(filtered));
    let of = |name: &str| Deployment::of(&simulator, name);
    let config = Config::of([
        of("a").priced(1e-6, 2e-6),
        of("b").priced(5e-6, 7e-6),
        of("a").id("alone").group("alone").priced(1e-6, 2e-6),
    ])
    .router("num_retries", 0)
    .router(
        "content_policy_fallbacks",
        json!([{"a": ["b"]}, {"alone": ["nobody"]}]),
    )
    .never_cooling();
    let gateway = Gateway::of(&config);
    let a = 1000 * 1_000 + 10 * 2_000;
    let b = 100 * 5_000 + 20 * 7_000;
    let answer = json!({"content": "from b", "usage": usage(100, 20)});
    for (behaviour, model, status, tokens, spend) in [
        (Behaviour::of(answer), "a", 200, 1130, a + b),
        (Behaviour::failing(500), "a", 400, 1010, a),
        (Behaviour::failing(500), "alone", 200, 1010, a),
    ] {
        simulator.behave("b", behaviour);
        let before = gateway.rows().len();
        gateway.master().chat(&chat(model)).with_status(status);
        let row = &gateway.rows_when(before + 1)[0];
        assert_eq!(
            (row.http_status, row.usage.total_tokens(), row.spend.0),
            (status, tokens, spend),
            "{row:#?}"
        );
    }
    gateway.books_agree();
}

/// The bounds over all retries and fallbacks.
#[test]
fn a_request_has_an_end() {
    for (config, calls) in [
        (json!({"num_retries": 1}), 6),
        (json!({"num_retries": 1, "max_attempts": 3}), 3),
        (json!({"num_retries": 1, "max_fallbacks": 1}), 4),
        (json!({"max_attempts": 1}), 1),
        (json!({}), 3),
    ] {
        let simulator = Simulator::start();
        let failing = || Behaviour::failing(500);
        let mut settings = json!({"fallbacks": [{"a": ["b", "c"]}]});
        for (name, value) in config.as_object().unwrap() {
            settings[name] = value.clone();
        }
        // Two deployments a group, so that nobody waits.
        let names = ["a", "b", "c"];
        let deployments = names.iter().flat_map(|group| {
            [0, 1].map(|n| {
                let name = format!("{group}{n}");
                simulator.behave(&name, failing());
                Deployment::of(&simulator, &name).group(group)
            })
        });
        let config = Config::of(deployments.collect::<Vec<_>>()).router("num_retries", 0);
        let config = settings
            .as_object()
            .unwrap()
            .iter()
            .fold(config, |config, (name, value)| {
                config.router(name, value.clone())
            });
        let gateway = Gateway::of(&config);
        gateway.master().chat(&chat("a")).with_status(500);
        assert_eq!(simulator.take().len(), calls, "{settings}");
        let limited = Gateway::of(&config.clone().litellm("num_retries_per_request", 1));
        limited.master().chat(&chat("a")).with_status(500);
        assert_eq!(simulator.take().len(), calls.min(2), "{settings}");
        if settings.get("max_fallbacks").is_none() && calls > 1 {
            let alone = Gateway::of(&config.litellm("max_fallbacks", 0));
            alone.master().chat(&chat("a")).with_status(500);
            let of_one_group = if settings.get("num_retries").is_some() {
                2
            } else {
                1
            };
            assert_eq!(simulator.take().len(), of_one_group, "{settings}");
        }
    }
}

/// The deadline ends a call under way, and no other begins.
#[test]
fn a_request_has_a_deadline() {
    let simulator = Simulator::start();
    let silent = || Behaviour::of(json!({"hang": "before_head"}));
    let config = groups(
        &simulator,
        &[("a", silent()), ("b", silent()), ("c", silent())],
        json!({"fallbacks": [{"a": ["b", "c"]}], "timeout": 0.4, "total_timeout": 0.7}),
    );
    let gateway = Gateway::of(&config);
    for body in [chat("a"), streamed("a", json!({}))] {
        simulator.take();
        let began = Instant::now();
        gateway.master().chat(&body).with_status(408);
        let took = began.elapsed();
        assert!(
            took >= Duration::from_millis(650) && took < Duration::from_millis(1500),
            "{took:?}"
        );
        assert_eq!(simulator.take().len(), 2, "the third had no time left");
    }
}

/// Failures that were never there: what follows one can be rehearsed by whom the configuration allows it.
#[test]
fn rehearsals() {
    let simulator = Simulator::start();
    let router = json!({
        "fallbacks": [{"a": ["b"]}],
        "context_window_fallbacks": [{"a": ["c"]}],
        "content_policy_fallbacks": [{"a": ["d"]}],
        "num_retries": 1,
    });
    let config = groups(
        &simulator,
        &[
            ("a", answers("a")),
            ("b", answers("b")),
            ("c", answers("c")),
            ("d", answers("d")),
        ],
        router,
    );
    let allowed =
        Gateway::of(&config.general("dangerously_allow_mock_testing_request_params", true));
    for (flag, expected) in [
        ("mock_testing_fallbacks", "b"),
        ("mock_testing_context_fallbacks", "c"),
        ("mock_testing_content_policy_fallbacks", "d"),
    ] {
        simulator.take();
        assert_eq!(
            answered_by(&allowed.master(), json!({flag: true})),
            expected
        );
        let calls = simulator.take();
        assert_eq!(calls.len(), 2, "{flag}: only the fallback was called");
        for call in calls {
            let text = String::from_utf8_lossy(&call.body).into_owned();
            assert!(!text.contains("mock_"), "{text}");
        }
        assert_eq!(answered_by(&allowed.master(), json!({flag: false})), "a");
    }
    let reply = allowed
        .master()
        .chat(&chat_with(
            "a",
            json!({"mock_testing_rate_limit_error": true}),
        ))
        .with_status(200);
    assert_eq!(reply.must("x-litellm-attempted-retries"), "1");
    assert_eq!(reply.must("x-litellm-model-group"), "a");
    // Nobody answers for a failure that was only played.
    let played = json!({"mock_testing_fallbacks": true, "disable_fallbacks": true});
    let reply = allowed
        .master()
        .chat(&chat_with("a", played))
        .with_status(500);
    assert!(reply.message().contains("mock"), "{}", reply.message());

    let simulator = Simulator::start();
    let gateway = Gateway::of(&Config::single(&simulator, "a"));
    for flag in ["mock_testing_fallbacks", "mock_testing_rate_limit_error"] {
        let reply = gateway
            .master()
            .chat(&chat_with("a", json!({flag: true})))
            .with_status(400);
        assert_eq!(reply.error()["param"], flag);
    }
    assert_eq!(simulator.take().len(), 0);
}
