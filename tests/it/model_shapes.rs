//! Lists of models, as each client reads them.

use crate::harness::{Client, Config, Deployment, Gateway, Reply, Request, Value, json};
use crate::simulator::Simulator;

fn gateway(simulator: &Simulator) -> Gateway {
    let large = Deployment::of(simulator, "a")
        .group("claude-large")
        .info("max_input_tokens", 200_000)
        .info("max_output_tokens", 64_000);
    let small = Deployment::of(simulator, "b")
        .group("claude-large")
        .info("max_input_tokens", 100_000);
    let embeds = Deployment::of(simulator, "c")
        .group("vectors")
        .info("mode", "embedding");
    let known = Deployment::of(simulator, "d").group("gpt-5-codex");
    Gateway::of(&Config::of([large, small, embeds, known]))
}

fn ask(client: &Client, path: &str) -> Reply {
    client.ask(Request::get(path).header("anthropic-version", "2023-06-01"))
}

fn ids(page: &Value) -> Vec<&str> {
    let data = page["data"].as_array().expect("a list");
    data.iter()
        .filter_map(|model| model["id"].as_str())
        .collect()
}

#[test]
fn anthropics_clients_get_anthropics_list() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let client = gateway.master();
    let page = ask(&client, "/v1/models?limit=1000")
        .with_status(200)
        .json();
    assert_eq!(ids(&page), ["claude-large", "vectors", "gpt-5-codex"]);
    assert_eq!(
        page["data"][0],
        json!({
            "type": "model",
            "id": "claude-large",
            "display_name": "claude-large",
            "created_at": "1970-01-01T00:00:00Z",
            // Any of the group's deployments may answer.
            "max_input_tokens": 100_000,
            "max_tokens": 64_000,
        })
    );
    assert_eq!(page["has_more"], false);
    assert_eq!(page["first_id"], "claude-large");
    assert_eq!(page["last_id"], "gpt-5-codex");
    let first = ask(&client, "/v1/models?limit=2").json();
    assert_eq!((ids(&first).len(), &first["has_more"]), (2, &json!(true)));
    let rest = ask(&client, "/v1/models?limit=2&after_id=vectors").json();
    assert_eq!(ids(&rest), ["gpt-5-codex"]);
    let before = ask(&client, "/v1/models?limit=1&before_id=gpt-5-codex").json();
    assert_eq!(ids(&before), ["vectors"]);
    // Below `/anthropic` nobody else asks.
    let below = client.get("/anthropic/v1/models").with_status(200).json();
    assert_eq!(ids(&below).len(), 3);
    let one = ask(&client, "/v1/models/claude-large").with_status(200);
    assert_eq!(one.json(), page["data"][0]);
    for (path, status, kind) in [
        ("/v1/models/none", 404, "not_found_error"),
        ("/v1/models?after_id=none", 400, "invalid_request_error"),
        ("/v1/models?limit=0", 422, "invalid_request_error"),
        ("/v1/models?limit=x", 422, "invalid_request_error"),
    ] {
        let error = ask(&client, path).with_status(status).json();
        assert_eq!(
            (&error["type"], &error["error"]["type"]),
            (&json!("error"), &json!(kind))
        );
    }
}

#[test]
fn openais_clients_get_openais_list() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let list = gateway.master().get("/v1/models").with_status(200).json();
    assert_eq!(list["object"], "list");
    assert_eq!(ids(&list).len(), 3);
    gateway
        .master()
        .get("/v1/models/none")
        .with_status(404)
        .error();
}

/// What it has no instructions for it would ask without any, so the catalogue brings some; what it knows is left out.
#[test]
fn codex_gets_its_catalogue() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let path = "/v1/models?client_version=0.169.0";
    let catalogue = gateway.master().get(path).with_status(200).json();
    let models = catalogue["models"].as_array().expect("a list");
    assert_eq!(models.len(), 1, "{catalogue}");
    let model = &models[0];
    assert_eq!(model["slug"], "claude-large");
    assert_eq!(model["context_window"], 100_000);
    assert!(
        model["base_instructions"]
            .as_str()
            .is_some_and(|text| text.len() > 500)
    );
    for field in [
        "supported_reasoning_levels",
        "experimental_supported_tools",
        "input_modalities",
    ] {
        assert!(model[field].is_array(), "{field}");
    }
    for field in [
        "supports_reasoning_summaries",
        "support_verbosity",
        "supports_parallel_tool_calls",
    ] {
        assert!(model[field].is_boolean(), "{field}");
    }
}

#[test]
fn everybody_sees_what_they_may_call() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let caller = gateway.caller(json!({"models": ["vectors"]}));
    assert_eq!(ids(&ask(&caller, "/v1/models").json()), ["vectors"]);
    ask(&caller, "/v1/models/claude-large").with_status(404);
    let catalogue = caller.get("/v1/models?client_version=1").json();
    assert_eq!(catalogue["models"], json!([]));
}
