//! Health, the list of models, metrics, and what is no route.

use crate::harness::{Config, Deployment, Gateway, Request, SOON, chat, json, until};
use crate::simulator::Simulator;

#[test]
fn it_lives_and_is_ready() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&Config::single(&simulator, "m"));
    let anybody = gateway.anonymous();
    for path in ["/health/liveliness", "/health/liveness"] {
        assert_eq!(
            anybody.get(path).with_status(200).json(),
            "I'm alive!",
            "{path}"
        );
    }
    let ready = anybody.get("/health/readiness").with_status(200).json();
    assert_eq!(
        (&ready["status"], &ready["db"]),
        (&json!("healthy"), &json!("connected"))
    );
}

#[test]
fn a_chat_is_answered() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&Config::single(&simulator, "m"));
    for path in ["/v1/chat/completions", "/chat/completions"] {
        let answer = gateway
            .master()
            .post(path, &chat("m"))
            .with_status(200)
            .json();
        assert_eq!(
            answer["choices"][0]["message"]["content"],
            "Hello! How can I help you today?"
        );
        assert_eq!(answer["model"], "m");
    }
    let asked = simulator.take();
    assert_eq!(asked.len(), 2);
    assert!(
        asked
            .iter()
            .all(|request| request.path == "/v1/chat/completions")
    );
}

#[test]
fn models_are_listed_as_openai_lists_them() {
    let simulator = Simulator::start();
    let config = Config::of([
        Deployment::of(&simulator, "zebra"),
        Deployment::of(&simulator, "ape"),
        Deployment::of(&simulator, "ape").id("second"),
    ]);
    let aliases = json!({"default": "ape", "secret": {"model": "ape", "hidden": true}});
    let gateway = Gateway::of(&config.router("model_group_alias", aliases));
    for path in ["/v1/models", "/models"] {
        let list = gateway.master().get(path).with_status(200).json();
        assert_eq!(list["object"], "list");
        let models = list["data"].as_array().unwrap();
        let ids: Vec<_> = models
            .iter()
            .map(|model| model["id"].as_str().unwrap())
            .collect();
        assert_eq!(ids, ["zebra", "ape", "default"], "{path}");
        for model in models {
            assert_eq!(model["object"], "model");
            assert!(
                model["created"].is_u64() && model["owned_by"].is_string(),
                "{model}"
            );
        }
    }
    for alias in ["default", "secret"] {
        let answer = gateway.master().chat(&chat(alias)).with_status(200);
        assert_eq!(
            answer.json()["model"],
            alias,
            "the answer names the model as the client did"
        );
        assert_eq!(simulator.take()[0].json()["model"], "ape");
    }
}

#[test]
fn metrics_count_what_happened() {
    let simulator = Simulator::start();
    let deployment = Deployment::of(&simulator, "m").priced(0.001, 0.002);
    let gateway = Gateway::of(&Config::of([deployment]).router("num_retries", 0));
    let usage = json!({"usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}});
    let mut body = chat("m");
    body["simulate"] = usage;
    gateway.master().chat(&body).with_status(200);
    body["simulate"] = json!({"status": 500});
    gateway.master().chat(&body).with_status(500);
    let value = |name: &str| gateway.metric(name);
    until("both calls are counted", SOON, || {
        value("litellm_proxy_total_requests_metric_total") == Some(2.0)
    });
    assert_eq!(
        value("litellm_proxy_failed_requests_metric_total"),
        Some(1.0)
    );
    assert_eq!(value("litellm_input_tokens_metric_total"), Some(10.0));
    assert_eq!(value("litellm_output_tokens_metric_total"), Some(5.0));
    assert_eq!(value("litellm_spend_metric_total"), Some(0.02));
    for histogram in [
        "litellm_request_total_latency_metric",
        "litellm_overhead_latency_metric",
    ] {
        assert!(
            value(&format!("{histogram}_count")) >= Some(1.0),
            "{histogram}"
        );
    }
}

/// Refusals are counted apart from what an upstream failed.
#[test]
fn metrics_count_refusals() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&Config::single(&simulator, "m"));
    let refused = || {
        gateway
            .metric("pointsman_refused_requests_total")
            .unwrap_or(0.0)
    };
    let mut body = chat("m");
    body["simulate"] = json!({"status": 500});
    gateway.master().chat(&body).with_status(500);
    assert_eq!(refused(), 0.0, "an upstream's failure is no refusal");
    gateway.master().chat(&chat("nothing")).with_status(400);
    gateway
        .caller(json!({"rpm_limit": 0}))
        .chat(&chat("m"))
        .with_status(429);
    assert_eq!(refused(), 2.0);
}

#[test]
fn what_is_no_route() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&Config::single(&simulator, "m"));
    let master = gateway.master();
    let nowhere = master.get("/v1/nowhere").with_status(404);
    assert_eq!(nowhere.json(), json!({"detail": "Not Found"}));
    let wrong_verb = master
        .ask(Request::new("DELETE", "/v1/chat/completions"))
        .with_status(405);
    assert_eq!(wrong_verb.json(), json!({"detail": "Method Not Allowed"}));
}
