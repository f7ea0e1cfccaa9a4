//! One group of all deployments, and one of those with larger windows.

use crate::harness::{
    Client, Config, Deployment, Gateway, PROVIDER_KEY, Reply, SOON, Setup, chat, chat_with, json,
    streamed, until,
};
use crate::simulator::{Behaviour, Simulator};

/// A deployment whose window is `tokens`, and which says its name.
fn of_window(simulator: &Simulator, name: &str, tokens: u64) -> Deployment {
    simulator.behave(name, Behaviour::saying(format!("from {name}")));
    Deployment::of(simulator, name).info("max_input_tokens", tokens)
}

/// What a provider says of a prompt that is too long, in words that no code goes with.
fn too_long() -> Behaviour {
    let error = json!({"error": {"message": "the input tokens exceed what this model takes"}});
    Behaviour::of(json!({"status": 400, "body": error}))
}

fn names(client: &Client) -> Vec<String> {
    let models = client.get("/v1/models").with_status(200).json();
    let models = models["data"].as_array().cloned().unwrap_or_default();
    let ids = models.iter().filter_map(|model| model["id"].as_str());
    ids.map(str::to_owned).collect()
}

#[test]
fn every_deployment_is_in_the_group() {
    let simulator = Simulator::start();
    let deployments = || {
        Config::of([
            Deployment::of(&simulator, "a"),
            Deployment::of(&simulator, "b"),
            Deployment::of(&simulator, "vectors").info("mode", "embedding"),
        ])
        .router("routing_strategy", "least-busy")
    };
    for config in [
        deployments().top("auto_mode", true),
        deployments().general("auto_mode", true),
    ] {
        let gateway = Gateway::of(&config);
        let client = gateway.master();
        // Windows are not known: nothing is larger than the smallest.
        assert_eq!(names(&client), ["a", "b", "vectors", "auto"]);
        simulator.take();
        for body in [chat("auto"), streamed("auto", json!({})), chat("auto")] {
            let answered = client.chat(&body).with_status(200);
            assert_eq!(answered.must("x-litellm-model-group"), "auto");
            assert_ne!(answered.must("x-litellm-model-id"), "id-vectors");
        }
        let own = client.chat(&chat("b")).with_status(200);
        assert_eq!(own.must("x-litellm-model-group"), "b");
        let rows = gateway.rows_when(4);
        let of_auto = rows.iter().filter(|row| &*row.model_group == "auto");
        assert_eq!(of_auto.count(), 3);
    }
    let off = Gateway::of(&deployments().top("auto_mode", false));
    assert_eq!(names(&off.master()), ["a", "b", "vectors"]);
}

#[test]
fn a_prompt_that_is_too_long_goes_to_a_larger_window() {
    let simulator = Simulator::start();
    let config = Config::of([
        of_window(&simulator, "small", 8_000).param("rpm", 1_000),
        of_window(&simulator, "large", 32_000),
        of_window(&simulator, "huge", 64_000),
    ])
    .top("auto_mode", true)
    // The smallest alone has a weight, so that it is asked first.
    .router("routing_strategy", "simple-shuffle")
    .router("fallbacks", json!([{"small": ["huge"]}]));
    let mut gateway = Gateway::of(&config);
    let client = gateway.master();
    assert_eq!(
        names(&client),
        ["small", "large", "huge", "auto", "auto-large"]
    );
    simulator.behave("small", too_long());
    for body in [chat("auto"), streamed("auto", json!({}))] {
        let answered = client.chat(&body).with_status(200);
        assert_eq!(answered.must("x-litellm-model-group"), "auto-large");
        assert_eq!(answered.must("x-litellm-attempted-fallbacks"), "1");
        assert_ne!(answered.must("x-litellm-model-id"), "id-small");
    }
    // Other groups have the fallbacks that are written, for this error too.
    let written = client.chat(&chat("small")).with_status(200);
    assert_eq!(written.must("x-litellm-model-group"), "huge");
    // Nobody can take it.
    for name in ["large", "huge"] {
        simulator.behave(name, too_long());
    }
    let refused = client.chat(&chat("auto")).with_status(400);
    assert_eq!(refused.error()["code"], "context_length_exceeded");
    // Of equal windows none is larger.
    let equal = Config::of(["small", "large"].map(|name| of_window(&simulator, name, 8_000)))
        .top("auto_mode", true);
    gateway.reload(&equal);
    assert_eq!(names(&client), ["small", "large", "auto"]);
    client.chat(&chat("auto-large")).with_status(400);
}

#[test]
fn members_of_several_groups_have_one_state() {
    let simulator = Simulator::start();
    let config = Config::of([
        of_window(&simulator, "small", 8_000),
        of_window(&simulator, "large", 32_000),
    ])
    .top("auto_mode", true)
    .router("num_retries", 0);
    let gateway = Gateway::of(&config);
    let client = gateway.master();
    simulator.behave("large", Behaviour::failing(401));
    client.chat(&chat("auto-large")).with_status(401);
    // It is left out of every group that it is in.
    for _ in 0..6 {
        let answered = client.chat(&chat("auto")).with_status(200);
        assert_eq!(answered.must("x-litellm-model-id"), "id-small");
    }
    for name in ["auto-large", "large"] {
        client.chat(&chat(name)).with_status(429);
    }
}

#[test]
fn a_list_of_its_own() {
    let simulator = Simulator::start();
    let base = simulator.base_url();
    let text = format!(
        r#"general_settings: {{master_key: os.environ/LITELLM_MASTER_KEY}}
router_settings: {{routing_strategy: least-busy}}
global_llm_configs:
  - {{provider: DEEPSEEK, model_name: deepseek-chat, api_key: {PROVIDER_KEY}, api_base: '{base}', rpm: 60}}
  - {{model_name: nobodys, api_key: {PROVIDER_KEY}}}
  - provider: NO_SUCH_PROVIDER
    model_name: m
    api_key: {PROVIDER_KEY}
  - {{provider: OPENAI, model_name: gpt-4o, api_key: {PROVIDER_KEY}, api_base: '{base}', rpm: often}}
  - {{custom_provider: hosted_vllm, model_name: llama, api_base: '{base}', litellm_params: {{temperature: 0.5}}}}
"#
    );
    let gateway = Setup::of_text(text).start();
    gateway.plant(PROVIDER_KEY);
    let client = gateway.master();
    assert_eq!(names(&client), ["auto"]);
    let all = client.get("/model/info").with_status(200).json();
    let models: Vec<&str> = all["data"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|model| model["litellm_params"]["model"].as_str())
        .collect();
    assert_eq!(models, ["openai/deepseek-chat", "hosted_vllm/llama"]);
    for _ in 0..4 {
        let answered = client.chat(&chat("auto")).with_status(200);
        assert_eq!(answered.must("x-litellm-model-group"), "auto");
    }
    let log = gateway.log();
    for (line, what) in [
        (5, "expected `provider`"),
        (6, "this model is skipped"),
        (9, "a whole number"),
    ] {
        let told = log
            .lines()
            .any(|text| text.contains(&format!("gateway.yaml:{line}:")) && text.contains(what));
        assert!(told, "line {line}: {what}\n{log}");
    }
}

/// What the file says nothing of is as such gateways have it: a failing deployment is asked three times more.
#[test]
fn defaults_where_the_file_says_nothing() {
    let simulator = Simulator::start();
    let config = || {
        Config::of(["a", "b", "c", "d", "e", "f"].map(|name| Deployment::of(&simulator, name)))
            .top("auto_mode", true)
    };
    simulator.behave_by_default(Behaviour::failing(500));
    for (config, calls) in [
        (config(), 4),
        (config().router("num_retries", 1), 2),
        (config().litellm("num_retries", 0), 1),
    ] {
        let gateway = Gateway::of(&config);
        simulator.take();
        gateway.master().chat(&chat("auto")).with_status(500);
        assert_eq!(simulator.take().len(), calls);
    }
    // Out for a minute.
    let gateway = Gateway::of(&config());
    simulator.behave_by_default(Behaviour::failing(401));
    gateway.master().chat(&chat("a")).with_status(401);
    let refused = gateway.master().chat(&chat("a")).with_status(429);
    assert!(refused.message().contains("60"), "{}", refused.message());
}

#[test]
fn a_group_tells_the_smallest_window_of_its_members() {
    let simulator = Simulator::start();
    let config = Config::of([
        of_window(&simulator, "small", 8_000).info("supports_fast_mode", true),
        of_window(&simulator, "large", 32_000)
            .param("rpm", 7)
            .param("itpm", 50)
            .info("supports_vision", true)
            .info("supports_reasoning", true)
            .param("configurable_clientside_auth_params", json!(["api_key"])),
        of_window(&simulator, "huge", 64_000)
            .param("rpm", 5)
            .info("supports_reasoning", true)
            .info("supports_none_reasoning_effort", true),
    ])
    .top("auto_mode", true);
    let gateway = Gateway::of(&config);
    let all = gateway
        .master()
        .get("/model_group/info")
        .with_status(200)
        .json();
    let of = |name: &str| {
        let groups = all["data"].as_array().unwrap();
        groups
            .iter()
            .find(|group| group["model_group"] == name)
            .unwrap()
            .clone()
    };
    let (auto, large, small) = (of("auto"), of("auto-large"), of("small"));
    for (group, field, expected) in [
        (&auto, "min_input_tokens", json!(8_000.0)),
        (&auto, "max_input_tokens", json!(64_000.0)),
        (&auto, "rpm", json!(12)),
        (&auto, "tpm", json!(null)),
        (&auto, "itpm", json!(50)),
        (&auto, "otpm", json!(null)),
        (&auto, "supports_vision", json!(true)),
        (&auto, "supports_fast_mode", json!(false)),
        (
            &auto,
            "supported_reasoning_efforts",
            json!(["low", "medium", "high"]),
        ),
        (
            &auto,
            "configurable_clientside_auth_params",
            json!(["api_key"]),
        ),
        (&large, "min_input_tokens", json!(32_000.0)),
        (&large, "max_input_tokens", json!(64_000.0)),
        (&small, "min_input_tokens", json!(8_000.0)),
        (&small, "supports_fast_mode", json!(true)),
        (&small, "supported_reasoning_efforts", json!(null)),
        (&small, "configurable_clientside_auth_params", json!(null)),
    ] {
        assert_eq!(group[field], expected, "{} {field}", group["model_group"]);
    }
    let params = auto["supported_openai_params"].as_array().unwrap();
    assert!(params.contains(&json!("temperature")), "{params:?}");
}

#[test]
fn a_call_leaves_one_line() {
    let simulator = Simulator::start();
    let config = Config::of([Deployment::of(&simulator, "a")]).top("auto_mode", true);
    let gateway = Setup::new(&config).log("info").start();
    let client = gateway.master();
    let fields = json!({
        "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}],
    });
    let whole = client
        .chat(&chat_with("auto", fields.clone()))
        .with_status(200);
    let stream = client.chat(&streamed("auto", fields)).with_status(200);
    simulator.behave("a", Behaviour::failing(404));
    let failed = client.chat(&chat("auto")).with_status(404);
    let line = |reply: &Reply| {
        let id = reply.must("x-litellm-call-id").to_owned();
        let mut found = Vec::new();
        until("the call has its line", SOON, || {
            let log = gateway.log();
            found = log
                .lines()
                .filter(|line| line.contains(&id))
                .map(str::to_owned)
                .collect();
            !found.is_empty()
        });
        assert_eq!(found.len(), 1, "{found:?}");
        found.remove(0)
    };
    let whole = line(&whole);
    assert!(
        whole.contains("auto by id-a: 200, messages 2, tools 1, 0."),
        "{whole}"
    );
    assert!(!whole.contains("first chunk"), "{whole}");
    assert!(line(&stream).contains(" s, first chunk 0."));
    assert!(line(&failed).contains("404, messages 1, tools 0, "));
}

/// By the name of any of its groups a call counts towards the limit of its deployment, and with auto mode limits are kept.
#[test]
fn a_limit_counts_in_every_group() {
    let simulator = Simulator::start();
    let config = Config::of([
        of_window(&simulator, "small", 8_000).param("rpm", 100),
        of_window(&simulator, "large", 32_000).param("rpm", 3),
    ])
    .top("auto_mode", true)
    .router("num_retries", 0);
    let gateway = Gateway::of(&config);
    let client = gateway.master();
    for name in ["large", "auto-large", "large"] {
        client.chat(&chat(name)).with_status(200);
    }
    for name in ["auto-large", "large"] {
        client.chat(&chat(name)).with_status(429);
    }
    for _ in 0..5 {
        let answered = client.chat(&chat("auto")).with_status(200);
        assert_eq!(answered.must("x-litellm-model-id"), "id-small");
    }
}
