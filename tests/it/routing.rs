//! Strategies, limits of deployments, levels, budgets and affinity, as callers meet them.

use crate::harness::{
    Config, Deployment, Gateway, Reply, Request, SOON, Setup, Value, at_once, chat, chat_with,
    json, streamed,
};
use crate::simulator::{Behaviour, Simulator};

/// A group `m` of so many deployments `m0`, `m1` ….
fn group(
    simulator: &Simulator,
    count: usize,
    each: impl Fn(usize, Deployment) -> Deployment,
) -> Config {
    let deployment = |at: usize| Deployment::of(simulator, &format!("m{at}")).group("m");
    Config::of((0..count).map(|at| each(at, deployment(at)))).router("num_retries", 0)
}

fn received(simulator: &Simulator, count: usize) -> Vec<u64> {
    (0..count)
        .map(|at| simulator.received(&format!("m{at}")))
        .collect()
}

fn passed(replies: &[Reply]) -> usize {
    replies.iter().filter(|reply| reply.status == 200).count()
}

#[test]
fn by_how_sure_an_agent_is() {
    let simulator = Simulator::start();
    let kinds = ["cloud-smart", "cloud-fast", "local", "deep"];
    let of_kinds = |kinds: &[&str], args: Value| {
        let config = group(&simulator, kinds.len(), |at, deployment| {
            deployment.info("type", kinds[at])
        });
        config
            .router("routing_strategy", "lar1")
            .router("routing_strategy_args", args)
    };
    let mut gateway = Gateway::of(&of_kinds(&kinds, json!({})));
    let client = gateway.master();
    let to = |said: Value| {
        let body = chat_with("m", json!({"metadata": {"lar1": said}}));
        let reply = client.chat(&body).with_status(200);
        reply.must("x-litellm-model-id").to_owned()
    };
    for (said, expected) in [
        (json!({"confidence": 0.1}), "id-m0"),
        (
            json!({"confidence": 0.9, "evidence": ["UNVERIFIED"]}),
            "id-m0",
        ),
        (json!({"confidence": 0.9, "time": "MEM"}), "id-m1"),
        (json!({"confidence": 0.4}), "id-m1"),
        (json!({}), "id-m2"),
        (json!({"confidence": "very"}), "id-m2"),
        (json!({"confidence": 0.7}), "id-m3"),
    ] {
        assert_eq!(to(said.clone()), expected, "{said}");
    }
    let plain = client.chat(&chat("m")).with_status(200);
    assert_eq!(plain.must("x-litellm-model-id"), "id-m2");
    // Who is not there is not waited for; thresholds may be others.
    let args = json!({"confidence_threshold_low": 0.8, "confidence_threshold_medium": 0.85, "confidence_threshold_high": 0.9});
    gateway.reload(&of_kinds(&["local", "cloud-smart"], args));
    assert_eq!(to(json!({"confidence": 0.7})), "id-m1");
    assert_eq!(to(json!({"confidence": 0.95})), "id-m0");
}

#[test]
fn exactly_the_limits_of_deployments_pass() {
    for strategy in [
        "usage-based-routing",
        "usage-based-routing-v2",
        "latency-based-routing",
    ] {
        let simulator = Simulator::start();
        let config = group(&simulator, 3, |_, deployment| {
            deployment
                .param("rpm", 7)
                .param("max_parallel_requests", 100)
        });
        let config = config.router("routing_strategy", strategy);
        let gateway = Setup::new(&config).workers(4).start();
        let master = gateway.master();
        let replies = at_once(60, |_| master.chat(&chat("m")));
        assert_eq!(passed(&replies), 21, "{strategy}");
        assert_eq!(received(&simulator, 3), [7, 7, 7], "{strategy}");
        let refused = replies.iter().find(|reply| reply.status != 200).unwrap();
        assert_eq!(refused.status, 429);
        let message = refused.message();
        assert!(
            message.starts_with("No deployments available for selected model, Try again in "),
            "{message}"
        );
        assert!(
            message.contains("id-m1 (rpm 7/7, free again in "),
            "{message}"
        );
        let wait: u64 = refused.must("retry-after").parse().unwrap();
        assert!((1..=60).contains(&wait));
    }
}

#[test]
fn limits_bind_other_strategies_when_they_are_told_to() {
    let simulator = Simulator::start();
    let limited = |config: Config| {
        let gateway = Setup::new(&config).workers(2).start();
        let master = gateway.master();
        let replies: Vec<Reply> = (0..6).map(|_| master.chat(&chat("m"))).collect();
        passed(&replies)
    };
    let of = |field: &'static str, limit: u64| {
        group(&simulator, 1, move |_, deployment| {
            deployment.param(field, limit)
        })
    };
    assert_eq!(limited(of("rpm", 4)), 6, "a weight, and slots");
    let enforced = |field, limit| {
        of(field, limit).router(
            "optional_pre_call_checks",
            json!(["enforce_model_rate_limits"]),
        )
    };
    assert_eq!(limited(enforced("rpm", 4)), 4);
    assert_eq!(
        limited(of("rpm", 4).router("enable_pre_call_checks", true)),
        4
    );
    // The simulator counts its answers: each has output, of which the first takes all that is left.
    assert_eq!(limited(enforced("otpm", 1)), 1);
    assert_eq!(
        limited(enforced("itpm", 1)),
        0,
        "a prompt that no minute holds"
    );
    assert!(limited(enforced("tpm", 60)) < 6);
}

#[test]
fn the_cheapest_is_asked_until_its_limit() {
    let simulator = Simulator::start();
    let config = group(&simulator, 3, |at, deployment| {
        let price = [0.000_003, 0.000_001, 0.000_002][at];
        deployment.priced(price, price).param("rpm", 2)
    });
    let gateway = Gateway::of(&config.router("routing_strategy", "cost-based-routing"));
    for _ in 0..5 {
        gateway.master().chat(&chat("m")).with_status(200);
    }
    assert_eq!(received(&simulator, 3), [1, 2, 2]);
}

#[test]
fn the_fastest_is_asked() {
    let simulator = Simulator::start();
    for (name, delay) in [("m0", 150), ("m1", 1), ("m2", 150)] {
        simulator.behave(name, Behaviour::of(json!({"delay_ms": delay})));
    }
    for strategy in ["latency-based-routing", "p2c-ewma"] {
        let config = group(&simulator, 3, |_, deployment| deployment);
        let config = config.router("routing_strategy", strategy);
        let gateway = Setup::new(&config).workers(1).start();
        // Whoever has not answered yet is tried first.
        while received(&simulator, 3).contains(&0) {
            gateway.master().chat(&chat("m")).with_status(200);
        }
        simulator.take();
        for _ in 0..12 {
            gateway.master().chat(&chat("m")).with_status(200);
            gateway
                .master()
                .chat(&streamed("m", json!({})))
                .with_status(200);
        }
        let counts = received(&simulator, 3);
        // Of two taken at random the fast one is one in two of three cases.
        let least = if strategy == "p2c-ewma" { 9 } else { 20 };
        assert!(counts[1] >= least, "{strategy}: {counts:?}");
        simulator.take();
    }
}

#[test]
fn levels_are_asked_one_after_another() {
    let simulator = Simulator::start();
    simulator.behave("m0", Behaviour::failing(500));
    simulator.behave("m1", Behaviour::failing(503));
    let config = group(&simulator, 4, |at, deployment| {
        deployment.param("order", [1, 2, 3, 3][at])
    });
    let config = config.router("num_retries", 1).never_cooling();
    let gateway = Gateway::of(&config);
    let reply = gateway.master().chat(&chat("m")).with_status(200);
    assert!(["id-m2", "id-m3"].contains(&reply.must("x-litellm-model-id")));
    let counts = received(&simulator, 4);
    // Each level with its retries.
    assert_eq!(counts[..2], [2, 2]);
    assert_eq!(counts[2] + counts[3], 1);
    assert_eq!(reply.json()["model"], "m");
    let rows = gateway.rows_when(1);
    assert_eq!(rows[0].retries, 4);
}

#[test]
fn a_failed_level_is_not_a_group_that_failed() {
    let simulator = Simulator::start();
    simulator.behave("m0", Behaviour::failing(400));
    let config = group(&simulator, 2, |at, deployment| {
        deployment.info("order", at as u64)
    });
    let config = config.router("fallbacks", json!([{"m": ["m"]}]));
    let gateway = Gateway::of(&config);
    let reply = gateway.master().chat(&chat("m")).with_status(200);
    assert_eq!(reply.header("x-litellm-attempted-fallbacks"), Some("0"));
    assert_eq!(received(&simulator, 2), [1, 1]);
}

#[test]
fn weighted_failover_asks_everybody_before_another_group() {
    for (weighted, expected) in [(false, 1), (true, 3)] {
        let simulator = Simulator::start();
        simulator.behave_by_default(Behaviour::failing(400));
        let config = group(&simulator, 3, |at, deployment| {
            deployment.param("weight", [5, 3, 1][at])
        });
        let gateway = Gateway::of(&config.router("enable_weighted_failover", weighted));
        gateway.master().chat(&chat("m")).with_status(400);
        let counts = received(&simulator, 3);
        assert_eq!(counts.iter().sum::<u64>(), expected, "{counts:?}");
        assert!(counts.iter().all(|count| *count <= 1));
    }
}

#[test]
fn budgets_of_providers_and_deployments() {
    let simulator = Simulator::start();
    let usage =
        json!({"usage": {"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20}});
    simulator.behave_by_default(Behaviour::of(usage));
    // A call costs 0.02 dollars.
    let priced = |deployment: Deployment| deployment.priced(0.001, 0.001);
    let own = group(&simulator, 2, |at, deployment| match at {
        0 => priced(deployment)
            .param("max_budget", 0.05)
            .param("budget_duration", "1d"),
        _ => priced(deployment).param("weight", 0.000_001),
    });
    let gateway = Gateway::of(&own);
    for _ in 0..6 {
        gateway
            .master()
            .chat(&chat_with("m", json!({"max_tokens": 10})))
            .with_status(200);
    }
    // Three calls pass its budget; who has no weight takes the rest.
    let counts = received(&simulator, 2);
    assert!(counts[1] >= 3, "{counts:?}");
    simulator.take();
    let all = group(&simulator, 1, |_, deployment| priced(deployment)).router(
        "provider_budget_config",
        json!({"openai": {"budget_limit": 0.03, "time_period": "1d"}}),
    );
    let gateway = Gateway::of(&all);
    let replies: Vec<Reply> = (0..4)
        .map(|_| {
            gateway
                .master()
                .chat(&chat_with("m", json!({"max_tokens": 10})))
        })
        .collect();
    assert_eq!(passed(&replies), 2);
    let message = replies[3].message();
    assert!(
        message.starts_with("No deployments available - crossed budget: "),
        "{message}"
    );
    assert!(
        message.contains("id-m0 (budget spent: 0.04 of 0.03 dollars)"),
        "{message}"
    );
    assert_eq!(replies[3].status, 429);
}

#[test]
fn budgets_of_tags() {
    let simulator = Simulator::start();
    let usage =
        json!({"usage": {"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20}});
    simulator.behave_by_default(Behaviour::of(usage));
    let config = group(&simulator, 1, |_, deployment| {
        deployment.priced(0.001, 0.001)
    });
    let budget = json!({"dear": {"max_budget": 0.03, "budget_duration": "1d"}});
    let gateway = Gateway::of(&config.litellm("tag_budget_config", budget));
    let ask = |tag: &str| {
        let body = chat_with("m", json!({"max_tokens": 10}));
        let request = Request::post("/v1/chat/completions", body.to_string());
        gateway
            .master()
            .ask(request.header("x-litellm-tags", tag))
            .status
    };
    assert_eq!(
        [ask("dear"), ask("dear"), ask("dear"), ask("cheap")],
        [200, 200, 429, 200]
    );
}

#[test]
fn limits_beside_the_parameters() {
    let simulator = Simulator::start();
    let text = format!(
        "model_list:\n  - {{model_name: m, itpm: 1, litellm_params: {{model: openai/m, api_base: '{}', api_key: k}}}}\n  \
         - {{model_name: n, otpm: 1, litellm_params: {{model: openai/n, api_base: '{}', api_key: k}}}}\n\
         router_settings: {{optional_pre_call_checks: [enforce_model_rate_limits], num_retries: 0}}\n\
         general_settings: {{master_key: os.environ/LITELLM_MASTER_KEY}}\n",
        simulator.base_url(),
        simulator.base_url(),
    );
    let gateway = Setup::of_text(text).start();
    let status = |model: &str| gateway.master().chat(&chat(model)).status;
    assert_eq!([status("m"), status("n"), status("n")], [429, 200, 429]);
}

#[test]
fn a_routing_group_has_its_own_strategy_and_name() {
    let simulator = Simulator::start();
    simulator.behave_by_default(Behaviour::of(json!({"hold": true})));
    let config = Config::of((0..2).map(|at| Deployment::of(&simulator, &format!("m{at}"))));
    let config = config.router(
        "routing_groups",
        json!([{"group_name": "both", "models": ["m0", "m1"], "routing_strategy": "least-busy"}]),
    );
    let gateway = Gateway::of(&config);
    let held = at_once(8, |_| gateway.master().send(&chat("both")));
    assert!(simulator.wait_until(SOON, |simulator| simulator.held() == 8));
    assert_eq!(
        (simulator.in_flight("m0"), simulator.in_flight("m1")),
        (4, 4)
    );
    simulator.release();
    for mut connection in held {
        connection.reply().unwrap().with_status(200);
    }
    let by_priority = Config::of((0..2).map(|at| Deployment::of(&simulator, &format!("m{at}"))))
        .router(
            "routing_groups",
            json!([{"group_name": "first", "models": ["m0", "m1"], "routing_strategy": "priority",
                "model_priorities": {"m0": 2, "m1": 1}}]),
        );
    simulator.behave_by_default(Behaviour::default());
    let gateway = Gateway::of(&by_priority);
    for _ in 0..4 {
        let reply = gateway.master().chat(&chat("first")).with_status(200);
        assert_eq!(reply.must("x-litellm-model-id"), "id-m1");
    }
}

#[test]
fn calls_of_a_session_stay_together() {
    let simulator = Simulator::start();
    for (strategy, checks, of_group) in [
        ("simple-shuffle", json!(["session_affinity"]), json!({})),
        (
            "simple-shuffle",
            json!([]),
            json!({"m": ["session_affinity"]}),
        ),
        ("cache-affinity", json!([]), json!({})),
    ] {
        let config = group(&simulator, 4, |_, deployment| deployment)
            .router("routing_strategy", strategy)
            .router("optional_pre_call_checks", checks)
            .router("model_group_affinity_config", of_group);
        let gateway = Gateway::of(&config);
        let ask = |session: &str| {
            let request = Request::post("/v1/chat/completions", chat("m").to_string());
            let reply = gateway
                .master()
                .ask(request.header("x-litellm-session-id", session));
            reply.with_status(200).must("x-litellm-model-id").to_owned()
        };
        let mut places = Vec::new();
        for session in 0..12 {
            let session = format!("session-{session}");
            let first = ask(&session);
            assert!((0..3).all(|_| ask(&session) == first), "{strategy}");
            places.push(first);
        }
        places.sort();
        places.dedup();
        assert!(
            places.len() > 1,
            "{strategy}: all sessions are at {places:?}"
        );
    }
}

#[test]
fn calls_of_a_key_or_a_conversation_stay_together() {
    let simulator = Simulator::start();
    let config = |check: &str| {
        let config = group(&simulator, 5, |_, deployment| deployment);
        Gateway::of(&config.router("optional_pre_call_checks", json!([check])))
    };
    let gateway = config("deployment_affinity");
    let place = |reply: Reply| reply.with_status(200).must("x-litellm-model-id").to_owned();
    let caller = gateway.caller(json!({}));
    let first = place(caller.chat(&chat("m")));
    assert!((0..12).all(|_| place(caller.chat(&chat("m"))) == first));
    let gateway = config("prompt_caching");
    let long = "A long beginning that a provider keeps. ".repeat(200);
    for talk in 0..3 {
        let mut messages = vec![json!({"role": "user", "content": format!("{talk} {long}")})];
        let mut places = Vec::new();
        for turn in 0..6 {
            let body = json!({"model": "m", "messages": messages});
            places.push(place(gateway.master().chat(&body)));
            messages.push(json!({"role": "assistant", "content": "Yes."}));
            messages.push(json!({"role": "user", "content": format!("And {turn}?")}));
        }
        places.dedup();
        assert_eq!(places.len(), 1, "{places:?}");
    }
}

#[test]
fn who_is_urgent_is_next() {
    let simulator = Simulator::start();
    let config = group(&simulator, 1, |_, deployment| {
        deployment.param("max_parallel_requests", 1)
    })
    .router("default_priority", 5)
    .router("polling_interval", 0.01);
    let gateway = Setup::new(&config).workers(2).start();
    simulator.behave("m0", Behaviour::of(json!({"hold": true})));
    let first = gateway.master().send(&chat("m"));
    assert!(simulator.wait_until(SOON, |simulator| simulator.held() == 1));
    simulator.behave("m0", Behaviour::default());
    let ask = |user: &str, priority: i64| {
        let body = chat_with("m", json!({"priority": priority, "user": user}));
        gateway.master().send(&body)
    };
    let mut waiting: Vec<_> = [("last", 9), ("default", 5), ("urgent", -1)]
        .into_iter()
        .map(|(user, priority)| {
            let connection = ask(user, priority);
            // That somebody waits in the queue shows nowhere.
            std::thread::sleep(std::time::Duration::from_millis(100));
            connection
        })
        .collect();
    simulator.release();
    for connection in &mut waiting {
        let reply = connection.reply().unwrap().with_status(200);
        assert_eq!(reply.must("x-litellm-request-prioritization-used"), "true");
    }
    drop(first);
    let users: Vec<String> = simulator.take()[1..]
        .iter()
        .map(|received| received.json()["user"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(users, ["urgent", "default", "last"]);
    // Nobody waits longer than it wants to.
    simulator.behave("m0", Behaviour::of(json!({"hold": true})));
    let _held = gateway.master().send(&chat("m"));
    assert!(simulator.wait_until(SOON, |simulator| simulator.held() == 1));
    let late = gateway
        .master()
        .chat(&chat_with("m", json!({"priority": 1, "timeout": 0.2})));
    assert_eq!(late.status, 408);
    assert_eq!(late.message(), "Request timed out while polling queue");
    simulator.release();
}
