//! One deployment for many models: stars in names, and what they stand for.

use crate::harness::{
    Config, Deployment, Gateway, PROVIDER_KEY, Request, Setup, Value, chat, chat_with, json,
    streamed,
};
use crate::simulator::{Behaviour, Simulator};

const CHAT: &str = "/v1/chat/completions";
const EXPLAIN: &str = "x-pointsman-explain";

fn star(simulator: &Simulator, name: &str, model: &str) -> Deployment {
    Deployment::of(simulator, name).param("model", model)
}

/// The model that the provider was asked for last.
fn asked(simulator: &Simulator) -> Value {
    simulator.take().pop().unwrap().json()["model"].clone()
}

#[test]
fn what_a_star_stands_for_is_asked_for() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&Config::of([
        star(&simulator, "openai/*", "openai/*"),
        star(&simulator, "openai/gpt-*", "openai/eu-gpt-*"),
        star(&simulator, "mine-*-*", "openai/*"),
        star(&simulator, "one-*", "openai/only"),
        Deployment::of(&simulator, "openai/gpt-exact"),
    ]));
    let master = gateway.master();
    for (name, model, id) in [
        ("openai/o3", "o3", "id-openai/*"),
        ("openai/org/m", "org/m", "id-openai/*"),
        ("openai/gpt-4o", "eu-gpt-4o", "id-openai/gpt-*"),
        ("gpt-4o", "eu-gpt-4o", "id-openai/gpt-*"),
        (
            "openai/gpt-exact",
            "openai/gpt-exact",
            "id-openai/gpt-exact",
        ),
        ("mine-a-b", "mine-a-b", "id-mine-*-*"),
        ("one-thing", "only", "id-one-*"),
    ] {
        let reply = master.chat(&chat(name)).with_status(200);
        assert_eq!(reply.json()["model"], name);
        assert_eq!(reply.must("x-litellm-model-id"), id);
        assert_eq!(asked(&simulator), model, "{name}");
    }
    let stream = master
        .chat(&streamed("openai/o3", json!({})))
        .with_status(200);
    assert!(
        stream
            .events()
            .iter()
            .all(|event| event["model"] == "openai/o3")
    );
    let message = json!({"model": "openai/o3", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]});
    let reply = master.post("/v1/messages", &message).with_status(200);
    assert_eq!(reply.json()["model"], "openai/o3");
    assert_eq!(asked(&simulator), "o3");
    // Nothing, and what has no place in a row or an address.
    for name in [
        "openai/",
        "openai/a\nb",
        &format!("openai/{}", "x".repeat(600)),
    ] {
        master.chat(&chat(name)).with_status(400);
    }
    assert_eq!(simulator.requests().len(), 0);
}

#[test]
fn each_model_has_its_own_price_and_name() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&Config::of([star(&simulator, "openai/*", "openai/*")]));
    let master = gateway.master();
    let cost = |name: &str| {
        let reply = master.chat(&chat(name)).with_status(200);
        assert_eq!(reply.must("x-litellm-model-group"), name);
        assert_eq!(reply.must("x-litellm-model-name"), name);
        reply.header("x-litellm-response-cost").map(str::to_owned)
    };
    let (small, large) = (cost("openai/gpt-4o-mini"), cost("openai/gpt-4"));
    let number = |cost: &Option<String>| cost.as_ref().unwrap().parse::<f64>().unwrap();
    assert!(
        number(&large) > 20.0 * number(&small),
        "{small:?} {large:?}"
    );
    assert_eq!(cost("openai/of-nobody"), None);
    let mut rows = gateway.rows_when(3);
    rows.sort_by_key(|row| row.started_at);
    let told: Vec<_> = rows
        .iter()
        .map(|row| {
            (
                &*row.model,
                &*row.model_group,
                &*row.model_id,
                row.cost.unpriced,
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("gpt-4o-mini", "openai/gpt-4o-mini", "id-openai/*", false),
            ("gpt-4", "openai/gpt-4", "id-openai/*", false),
            ("of-nobody", "openai/of-nobody", "id-openai/*", true),
        ]
    );
    // Series do not grow with the names that callers think of.
    let metrics = gateway.metrics();
    assert!(metrics.contains("gpt-4o-mini") && !metrics.contains("of-nobody"));
    let asked = |path: &str, body: Value| master.post(path, &body).with_status(200).json();
    let price = asked(
        "/cost/estimate",
        json!({"model": "openai/gpt-4o-mini", "input_tokens": 1000, "output_tokens": 1000}),
    );
    assert_eq!(price["provider"], "openai", "{price}");
    let counted = asked(
        "/utils/token_counter",
        json!({"model": "openai/gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}]}),
    );
    assert_eq!(counted["model_used"], "gpt-4o-mini");
}

/// A budget holds what the model costs that is asked for, not what its neighbour does.
#[test]
fn budgets_hold_the_price_of_the_model() {
    let simulator = Simulator::start();
    let config = Config::of([star(&simulator, "openai/*", "openai/*")])
        .general("budget_enforcement", "strict");
    let gateway = Gateway::of(&config);
    let caller = gateway.caller(json!({"max_budget": 0.001}));
    let ask = |model: &str| {
        caller
            .chat(&chat_with(model, json!({"max_tokens": 100})))
            .status
    };
    assert_eq!(ask("openai/gpt-4o-mini"), 200);
    assert_eq!(ask("openai/gpt-4"), 422);
    assert_eq!(ask("openai/gpt-4o-mini"), 200);
    let config = config.litellm("block_requests_for_models_without_pricing", true);
    let gateway = Gateway::of(&config);
    let master = gateway.master();
    master.chat(&chat("openai/gpt-4o-mini")).with_status(200);
    master.chat(&chat("openai/of-nobody")).with_status(403);
}

#[test]
fn one_model_falls_back_to_another_behind_the_same_star() {
    let simulator = Simulator::start();
    simulator.behave("gpt-bad", Behaviour::failing(500));
    let config = Config::of([star(&simulator, "openai/*", "openai/*")])
        .router("num_retries", 0)
        .router(
            "fallbacks",
            json!([{"openai/gpt-bad": ["openai/gpt-bad", "openai/gpt-good"]}]),
        );
    let gateway = Gateway::of(&config);
    for _ in 0..8 {
        let reply = gateway
            .master()
            .chat(&chat("openai/gpt-bad"))
            .with_status(200);
        assert_eq!(reply.json()["model"], "openai/gpt-good");
        assert_eq!(reply.must("x-litellm-attempted-fallbacks"), "1");
    }
    // It is never left out: one model failing says nothing of the others.
    assert_eq!(simulator.received("gpt-bad"), 8);
}

#[test]
fn an_address_has_the_model_in_it() {
    let simulator = Simulator::start();
    let base = simulator.base_url();
    let base = base.trim_end_matches("/v1");
    let azure = Deployment::at(base, "azure/*")
        .param("model", "azure/*")
        .param("api_version", "2024-10-21");
    let gateway = Gateway::of(&Config::of([azure]));
    gateway.master().chat(&chat("azure/my gpt/4"));
    let path = simulator.take().remove(0).path;
    assert!(
        path.starts_with("/openai/deployments/my%20gpt%2F4/chat"),
        "{path}"
    );
    gateway.master().chat(&chat("azure/..")).with_status(400);
    assert_eq!(simulator.requests().len(), 0);
}

/// A key may be allowed all that a star stands for, or some of it.
#[test]
fn keys_are_allowed_patterns() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&Config::of([star(&simulator, "openai/*", "openai/*")]));
    let caller = gateway.caller(json!({"models": ["openai/gpt-*"]}));
    caller.chat(&chat("openai/gpt-4o")).with_status(200);
    caller.chat(&chat("openai/o3")).with_status(403);
    let of_group = gateway.caller(json!({"models": ["openai/*"]}));
    of_group.chat(&chat("openai/o3")).with_status(200);
    of_group.chat(&chat("o3")).with_status(200);
    gateway
        .caller(json!({"models": ["azure/*"]}))
        .chat(&chat("o3"))
        .with_status(403);
}

/// What a request needs is compared with the model that it asks for, not with the star.
#[test]
fn each_model_has_its_own_window() {
    let simulator = Simulator::start();
    let config = Config::of([star(&simulator, "openai/*", "openai/*")])
        .router("enable_pre_call_checks", true)
        .router(
            "context_window_fallbacks",
            json!([{"openai/gpt-3.5-turbo": ["openai/gpt-4o"]}]),
        )
        .router("num_retries", 0);
    let gateway = Gateway::of(&config);
    let master = gateway.master();
    // Some 20,000 tokens: gpt-4 reads 8,192 of them, gpt-3.5-turbo 16,385, gpt-4o 128,000.
    let prompt = "pointsman ".repeat(10_000);
    let long = |model: &str| {
        let messages = json!([{"role": "user", "content": prompt}]);
        chat_with(model, json!({"messages": messages}))
    };
    let error = master.chat(&long("openai/gpt-4")).with_status(400).error();
    assert_eq!(error["code"], "context_length_exceeded", "{error}");
    assert!(simulator.take().is_empty());
    master.chat(&long("openai/gpt-4o")).with_status(200);
    assert_eq!(asked(&simulator), "gpt-4o");
    let reply = master.chat(&long("openai/gpt-3.5-turbo")).with_status(200);
    assert_eq!(reply.json()["model"], "openai/gpt-4o");
    assert_eq!(simulator.take().len(), 1, "the small one was not asked");
    // What nobody knows anything of may do everything.
    master.chat(&long("openai/of-nobody")).with_status(200);
}

/// Of several providers behind one star those are asked that could have the model.
#[test]
fn who_has_no_such_model_is_not_asked() {
    let (openai, groq) = (Simulator::start(), Simulator::start());
    let named = star(&groq, "*", "*")
        .id("groq")
        .param("custom_llm_provider", "groq")
        .param("weight", 1e-9);
    // Its key is one provider's, and so are its models.
    let own = json!({
        "model_name": "*",
        "litellm_params": {"model": "*", "api_key": PROVIDER_KEY, "weight": 1e9},
        "model_info": {"id": "openai"},
    });
    let written: Value = serde_json::from_str(&Config::of([named]).text()).expect("JSON");
    let list = json!([own, written["model_list"][0]]);
    let config = Config::of([])
        .top("model_list", list)
        .router("num_retries", 0);
    let gateway = Setup::new(&config)
        .env("OPENAI_BASE_URL", &openai.base_url())
        .start();
    let master = gateway.master();
    for _ in 0..4 {
        let by = |name: &str| {
            let reply = master.chat(&chat(name)).with_status(200);
            reply.must("x-litellm-model-id").to_owned()
        };
        assert_eq!(by("gpt-4o"), "openai");
        assert_eq!(by("groq/llama"), "groq");
    }
    let reply = master
        .ask(Request::post(CHAT, chat("groq/llama").to_string()).header(EXPLAIN, "true"))
        .with_status(200);
    let told = reply.must(EXPLAIN);
    assert!(
        told.contains("its provider has no model of this name"),
        "{told}"
    );
}

/// A star alone leads to every provider whose key the environment has, each at its own address.
#[test]
fn a_star_alone_is_every_provider_with_a_key() {
    let (openai, anthropic, groq) = (Simulator::start(), Simulator::start(), Simulator::start());
    let anthropic_base = anthropic.base_url();
    let anthropic_base = anthropic_base.trim_end_matches("/v1");
    let entry =
        json!({"model_name": "*", "litellm_params": {"model": "*"}, "model_info": {"id": "all"}});
    let config = Config::of([])
        .top("model_list", json!([entry]))
        .router("num_retries", 0);
    let keys = [
        "sk-of-openai-91d2",
        "sk-of-anthropic-5b1e",
        "sk-of-groq-77aa",
    ];
    let gateway = Setup::new(&config)
        .env("OPENAI_API_KEY", keys[0])
        .env("OPENAI_BASE_URL", &openai.base_url())
        .env("ANTHROPIC_API_KEY", keys[1])
        .env("ANTHROPIC_BASE_URL", anthropic_base)
        .env("GROQ_API_KEY", keys[2])
        .env("GROQ_API_BASE", &groq.base_url())
        .start();
    keys.iter().for_each(|key| gateway.plant(key));
    let master = gateway.master();
    for (name, simulator, model, key) in [
        ("gpt-4o-mini", &openai, "gpt-4o-mini", keys[0]),
        ("openai/gpt-4o", &openai, "gpt-4o", keys[0]),
        (
            "claude-sonnet-4-5",
            &anthropic,
            "claude-sonnet-4-5",
            keys[1],
        ),
        (
            "anthropic/claude-haiku-4-5",
            &anthropic,
            "claude-haiku-4-5",
            keys[1],
        ),
        (
            "groq/openai/gpt-oss-20b",
            &groq,
            "openai/gpt-oss-20b",
            keys[2],
        ),
    ] {
        let reply = master.chat(&chat(name)).with_status(200);
        assert_eq!(reply.json()["model"], name);
        assert_eq!(reply.must("x-litellm-model-id"), "all");
        let arrived = simulator.take().pop().expect("a call");
        assert_eq!(arrived.json()["model"], model, "{name}");
        let headers = format!("{:?}", arrived.headers);
        assert!(headers.contains(key), "{name}");
        let others = keys.iter().filter(|other| **other != key);
        assert!(
            others.into_iter().all(|other| !headers.contains(other)),
            "{name}"
        );
    }
    let taken = [&openai, &anthropic, &groq].map(|simulator| simulator.take().len());
    assert_eq!(taken, [0; 3]);
    // Nobody's key is there for this one.
    master
        .chat(&chat("mistral/mistral-large-latest"))
        .with_status(400);
    let rows = gateway.rows_when(5);
    let mut providers: Vec<&str> = rows.iter().map(|row| &*row.provider).collect();
    providers.sort_unstable();
    assert_eq!(
        providers,
        ["anthropic", "anthropic", "groq", "openai", "openai"]
    );
    assert!(
        rows.iter().all(|row| row.spend.0 > 0),
        "each has its own price"
    );
}
