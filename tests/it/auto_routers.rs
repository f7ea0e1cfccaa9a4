//! Names that lead each request to a group by what it says.

mod foreseen;
mod models;
mod sessions;

use pointsman::store::{LearntRow, queries};

use crate::harness::{
    Client, Config, Deployment, Gateway, Reply, Request, SOON, Value, chat_with, json, streamed,
    until,
};
use crate::simulator::{Behaviour, Simulator};

const HARD: &str = "Think through it step by step, please";

/// An entry that is no deployment.
fn router(name: &str, kind: &str, field: &str, settings: Value) -> Deployment {
    Deployment::at("", name)
        .param("model", format!("auto_router/{kind}"))
        .param(field, settings)
}

fn saying(model: &str, text: &str) -> Value {
    chat_with(
        model,
        json!({"messages": [{"role": "user", "content": text}]}),
    )
}

fn group(reply: &Reply) -> &str {
    reply.must("x-litellm-model-group")
}

fn ask(client: &Client, body: &Value, header: (&str, &str)) -> Reply {
    let request = Request::post("/v1/chat/completions", body.to_string());
    client.ask(request.header(header.0, header.1))
}

#[test]
fn by_difficulty() {
    let simulator = Simulator::start();
    let tiers = json!({
        "tiers": {
            "SIMPLE": "small",
            "MEDIUM": ["small"],
            "COMPLEX": "large",
            "REASONING": {"model_name": "large", "litellm_params": {"reasoning_effort": "high"}},
        },
        "keyword_tier_rules": [{"keywords": ["contract"], "tier": "COMPLEX"}],
    });
    let config = Config::of([
        Deployment::of(&simulator, "small"),
        Deployment::of(&simulator, "large")
            .param("allowed_openai_params", json!(["reasoning_effort"])),
        router(
            "smart",
            "complexity_router",
            "complexity_router_config",
            tiers,
        ),
    ])
    .router("num_retries", 0)
    .router("model_group_alias", json!({"clever": "smart"}))
    .router(
        "fallbacks",
        json!([{"smart": ["nobody"]}, {"large": ["small"]}]),
    )
    .never_cooling();
    let gateway = Gateway::of(&config);
    let client = gateway.caller(json!({"models": ["smart", "clever"]}));
    for (text, expected, tier, cause) in [
        ("Hello there", "small", "SIMPLE", "heuristic_scorer"),
        (HARD, "large", "REASONING", "reasoning_override"),
        ("This contract", "large", "COMPLEX", "literal_keyword_match"),
        (
            "This contract LITELLM ESCALATE",
            "large",
            "REASONING",
            "literal_keyword_match",
        ),
    ] {
        for body in [
            saying("smart", text),
            saying("clever", text),
            streamed(
                "smart",
                json!({"messages": [{"role": "user", "content": text}]}),
            ),
        ] {
            simulator.take();
            let reply = client.chat(&body).with_status(200);
            assert_eq!(group(&reply), expected, "{text}");
            assert_eq!(
                reply.must("x-litellm-complexity-router-tier"),
                tier,
                "{text}"
            );
            assert_eq!(
                reply.must("x-litellm-complexity-router-cause"),
                cause,
                "{text}"
            );
            let effort = reply.header("x-litellm-complexity-router-reasoning-effort");
            assert_eq!(effort, (tier == "REASONING").then_some("high"), "{text}");
            let sent = simulator.take().remove(0).json();
            assert_eq!(sent["model"], expected);
            assert_eq!(sent["reasoning_effort"] == "high", tier == "REASONING");
        }
    }
    let whole = client
        .chat(&saying("smart", "Hello there"))
        .with_status(200);
    assert_eq!(whole.json()["model"], "smart");
    assert_eq!(whole.must("x-litellm-complexity-router-score"), "-0.150");
    // Who may not ask for the router may not, and who may need not be allowed where it leads.
    gateway
        .caller(json!({"models": ["large"]}))
        .chat(&saying("smart", HARD))
        .with_status(403);
    client.chat(&saying("large", HARD)).with_status(403);
    // Fallbacks are those of the group that was chosen.
    simulator.behave("large", Behaviour::failing(500));
    let reply = client.chat(&saying("smart", HARD)).with_status(200);
    assert_eq!(
        (group(&reply), reply.must("x-litellm-attempted-fallbacks")),
        ("small", "1")
    );
    // It is told like a model.
    let models = client.get("/v1/models").with_status(200).json();
    assert!(
        models["data"]
            .as_array()
            .unwrap()
            .iter()
            .any(|model| model["id"] == "smart")
    );
}

#[test]
fn other_protocols_are_led_too() {
    let simulator = Simulator::start();
    let tiers = json!({"tiers": {"SIMPLE": "small", "REASONING": "large"}});
    let gateway = Gateway::of(&Config::of([
        Deployment::of(&simulator, "small"),
        Deployment::of(&simulator, "large"),
        router(
            "smart",
            "complexity_router",
            "complexity_router_config",
            tiers,
        ),
    ]));
    let client = gateway.master();
    for (path, body) in [
        (
            "/v1/messages",
            json!({"model": "smart", "max_tokens": 9, "messages": [{"role": "user", "content": [{"type": "text", "text": HARD}]}]}),
        ),
        ("/v1/responses", json!({"model": "smart", "input": HARD})),
    ] {
        let reply = client.post(path, &body).with_status(200);
        assert_eq!(group(&reply), "large", "{path}");
    }
}

#[test]
fn by_quality() {
    let simulator = Simulator::start();
    let of_quality = |name: &str, preferences: Value| {
        Deployment::of(&simulator, name).info("litellm_routing_preferences", preferences)
    };
    let settings =
        json!({"available_models": ["cheap", "dear", "lawyer"], "default_model": "cheap"});
    let gateway = Gateway::of(&Config::of([
        of_quality("cheap", json!({"quality_tier": 1})),
        of_quality("dear", json!({"quality_tier": 4})),
        of_quality(
            "lawyer",
            json!({"quality_tier": 2, "keywords": ["contract"]}),
        ),
        router(
            "quality",
            "quality_router",
            "quality_router_config",
            settings,
        ),
    ]));
    let client = gateway.master();
    for (text, expected, via, tier) in [
        ("Hello", "cheap", "quality_tier", "1"),
        (HARD, "dear", "quality_tier", "4"),
        ("my contract", "lawyer", "keyword", "2"),
    ] {
        let reply = client.chat(&saying("quality", text)).with_status(200);
        assert_eq!(group(&reply), expected, "{text}");
        assert_eq!(reply.must("x-litellm-quality-router-model"), expected);
        assert_eq!(reply.must("x-litellm-quality-router-via"), via);
        assert_eq!(reply.must("x-litellm-quality-router-tier"), tier);
        let keyword = reply.header("x-litellm-quality-router-keyword");
        assert_eq!(keyword, (via == "keyword").then_some("contract"));
    }
}

#[test]
fn by_what_was_learnt() {
    let simulator = Simulator::start();
    let of_tier = |name: &str, tier: u8| {
        let preferences = json!({"quality_tier": tier, "strengths": ["writing"]});
        Deployment::of(&simulator, name).info("adaptive_router_preferences", preferences)
    };
    let settings = json!({"available_models": ["cheap", "good"]});
    let mut gateway = Gateway::of(&Config::of([
        of_tier("cheap", 1),
        of_tier("good", 3),
        router(
            "learning",
            "adaptive_router",
            "adaptive_router_config",
            settings,
        )
        .param("adaptive_router_default_model", "cheap"),
    ]));
    let client = gateway.master();
    let floor =
        |floor: &str, body: &Value| ask(&client, body, ("x-litellm-min-quality-tier", floor));
    for _ in 0..10 {
        let reply = floor("3", &saying("learning", "Write a poem")).with_status(200);
        assert_eq!(group(&reply), "good");
        assert_eq!(reply.must("x-litellm-adaptive-router-model"), "good");
    }
    floor("best", &saying("learning", "Write a poem")).with_status(400);
    // Or in its metadata; the header wins.
    let in_metadata = |tier: Value| {
        let messages = json!([{"role": "user", "content": "Write a poem"}]);
        chat_with(
            "learning",
            json!({"messages": messages, "metadata": {"min_quality_tier": tier}}),
        )
    };
    for tier in [json!(3), json!("3")] {
        for _ in 0..5 {
            let reply = client.chat(&in_metadata(tier.clone())).with_status(200);
            assert_eq!(group(&reply), "good");
        }
    }
    client.chat(&in_metadata(json!(9))).with_status(400);
    floor("3", &in_metadata(json!(9))).with_status(200);
    // The user says what the answer before was like; that is learnt of who gave it.
    let conversation = |said: &str| {
        chat_with(
            "learning",
            json!({"messages": [
                {"role": "user", "content": "Write a letter to my aunt"},
                {"role": "assistant", "content": "Dear aunt"},
                {"role": "user", "content": said},
            ]}),
        )
    };
    floor("3", &saying("learning", "Write a letter to my aunt")).with_status(200);
    floor("3", &conversation("Thanks, and now a poem")).with_status(200);
    floor("3", &conversation("That's wrong, once more as an email")).with_status(200);
    let learnt = |gateway: &Gateway| {
        let rows = queries::read_learnt(&mut gateway.database()).unwrap();
        rows.into_iter()
            .map(|row| {
                (
                    row.router,
                    row.model_group,
                    row.request_type,
                    row.good,
                    row.bad,
                )
            })
            .collect::<Vec<_>>()
    };
    gateway.terminate();
    let of = |good, bad| {
        vec![(
            "learning".to_owned(),
            "good".to_owned(),
            "writing".to_owned(),
            good,
            bad,
        )]
    };
    assert_eq!(learnt(&gateway), of(1, 1));
    // What was learnt before is added to.
    gateway.start_again();
    let client = gateway.master();
    let floor =
        |body: &Value| ask(&client, body, ("x-litellm-min-quality-tier", "3")).with_status(200);
    floor(&saying("learning", "Write a letter to my aunt"));
    floor(&conversation("Perfect"));
    gateway.terminate();
    assert_eq!(learnt(&gateway), of(2, 1));
}

#[test]
fn what_others_learnt_counts_too() {
    let simulator = Simulator::start();
    let of_tier = |name: &str, tier: u8| {
        let preferences = json!({"quality_tier": tier});
        Deployment::of(&simulator, name).info("adaptive_router_preferences", preferences)
    };
    let settings = json!({"available_models": ["cheap", "good"]});
    let gateway = Gateway::of(&Config::of([
        of_tier("cheap", 1),
        of_tier("good", 3),
        router(
            "learning",
            "adaptive_router",
            "adaptive_router_config",
            settings,
        ),
    ]));
    let client = gateway.master();
    let led = || {
        let reply = client.chat(&saying("learning", "Write a poem"));
        group(&reply.with_status(200)).to_owned()
    };
    let goods = (0..20).filter(|_| led() == "good").count();
    assert!(goods > 10, "it is expected to be better: {goods}");
    // Another instance on this database has heard much.
    let row = |group: &str, good, bad| LearntRow {
        router: "learning".into(),
        model_group: group.into(),
        request_type: "writing".into(),
        good,
        bad,
    };
    let rows = [row("good", 0, 180), row("cheap", 180, 0)];
    queries::add_learnt(&mut gateway.database(), &rows).unwrap();
    until("that is known here", 2 * SOON, || {
        (0..10).all(|_| led() == "cheap")
    });
}

fn vectors(vectors: &[[f32; 2]]) -> Behaviour {
    let data: Vec<Value> = vectors
        .iter()
        .enumerate()
        .map(|(index, vector)| json!({"object": "embedding", "index": index, "embedding": vector}))
        .collect();
    Behaviour::of(json!({"body": {
        "object": "list", "data": data, "model": "vectors", "usage": {"prompt_tokens": 3, "total_tokens": 3},
    }}))
}

#[test]
fn by_meaning() {
    let simulator = Simulator::start();
    let routes = json!({"routes": [
        {"name": "coder", "utterances": ["how do I sort a list"], "score_threshold": 0.8},
        {"name": "writer", "utterances": ["write a poem"]},
    ]});
    let semantic = |settings: Value| {
        router("meaning", "my_router", "auto_router_config", settings)
            .param("auto_router_default_model", "other")
            .param("auto_router_embedding_model", "vectors")
            .param("auto_router_max_input_chars", 5)
    };
    let deployments =
        || ["coder", "writer", "other", "vectors"].map(|name| Deployment::of(&simulator, name));
    let mut gateway = Gateway::of(&Config::of(
        // As LiteLLM has it: JSON in a text.
        deployments()
            .into_iter()
            .chain([semantic(Value::String(routes.to_string()))]),
    ));
    simulator.behave_in_turn(
        "vectors",
        vec![
            vectors(&[[1.0, 0.0], [0.0, 1.0]]),
            vectors(&[[0.9, 0.1]]),
            vectors(&[[0.1, 0.9]]),
            vectors(&[[-1.0, -1.0]]),
        ],
        Behaviour::failing(500),
    );
    let client = gateway.caller(json!({"models": ["meaning"]}));
    let led = |client: &Client, text: &str| {
        let reply = client.chat(&saying("meaning", text)).with_status(200);
        group(&reply).to_owned()
    };
    assert_eq!(led(&client, "sorting lists in place"), "coder");
    assert_eq!(led(&client, "some verses"), "writer");
    assert_eq!(
        led(&client, "something else"),
        "other",
        "nothing is near enough"
    );
    assert_eq!(led(&client, "anything"), "other", "no vector");
    let asked: Vec<Value> = simulator
        .take()
        .into_iter()
        .filter(|request| request.path.ends_with("/embeddings"))
        .map(|request| request.json()["input"].clone())
        .collect();
    assert_eq!(
        asked[0],
        json!(["how do I sort a list", "write a poem"]),
        "examples once"
    );
    assert_eq!(
        asked[1..4],
        [json!(["sorti"]), json!(["some "]), json!(["somet"])]
    );
    // Its own calls are in the books.
    until("every call has its row", SOON, || {
        let rows = gateway.rows();
        rows.iter()
            .filter(|row| &*row.call_type == "aembedding")
            .count()
            >= 5
    });
    // Routes may be in a file, which is looked after like the configuration.
    let file = gateway.data_dir().join("routes.json");
    let write = |name: &str| {
        let routes = json!({"routes": [{"name": name, "utterances": ["sorting"]}]});
        std::fs::write(&file, routes.to_string()).unwrap();
    };
    write("coder");
    simulator.behave("vectors", vectors(&[[1.0, 0.0]]));
    let from_file = router(
        "meaning",
        "my_router",
        "auto_router_config_path",
        file.to_str().unwrap().into(),
    )
    .param("auto_router_default_model", "other")
    .param("auto_router_embedding_model", "vectors");
    gateway.reload(&Config::of(deployments().into_iter().chain([from_file])));
    let master = gateway.master();
    assert_eq!(led(&master, "sort this"), "coder");
    write("writer");
    until("the file is read again", SOON, || {
        led(&master, "sort this") == "writer"
    });
    // A configuration that cannot be compared leads to the default.
    simulator.behave("vectors", Behaviour::failing(500));
    let more = json!({"routes": [{"name": "coder", "utterances": ["another"]}]});
    gateway.reload(&Config::of(
        deployments().into_iter().chain([semantic(more)]),
    ));
    assert_eq!(led(&gateway.master(), "anything"), "other");
}

/// A router is nobody who could be called: where all that it leads to are routers, or nothing at all, its caller is told so.
#[test]
fn routers_alone_answer_nothing() {
    let simulator = Simulator::start();
    let settings = |group: &str| json!({"tiers": {"SIMPLE": group, "MEDIUM": group, "COMPLEX": group, "REASONING": group}});
    let complexity = |name: &str, group: &str| {
        router(
            name,
            "complexity_router",
            "complexity_router_config",
            settings(group),
        )
    };
    let config = Config::of([
        Deployment::of(&simulator, "small"),
        complexity("nowhere", "nobody"),
        complexity("to-a-router", "nowhere"),
        complexity("both", "both"),
        Deployment::of(&simulator, "both"),
    ])
    .router("num_retries", 0);
    let gateway = Gateway::of(&config);
    let master = gateway.master();
    for name in ["nowhere", "to-a-router"] {
        for (path, body) in [
            ("/v1/chat/completions", saying(name, "Hi")),
            ("/v1/embeddings", json!({"model": name, "input": "Hi"})),
            ("/router/explain", saying(name, "Hi")),
        ] {
            let error = master.post(path, &body).with_status(400).error();
            let text = error["message"].as_str().unwrap_or_default();
            assert!(
                text.contains(&format!("'{name}' has no deployment"))
                    && text.contains("auto router"),
                "{path}: {error}"
            );
            assert_eq!(error["param"], "model");
        }
    }
    assert!(gateway.log().contains("needs nobody, which nobody serves"));
    // Deployments beside a router of the same name are what it may lead to.
    let reply = master.chat(&saying("both", "Hi")).with_status(200);
    assert_eq!(group(&reply), "both");
    assert_eq!(simulator.received("both"), 1);
}
