//! G6: provider keys, virtual keys and prompts appear nowhere but where they belong. Every test looks for them at its end; these
//! look with the most talkative log there is, and at what clients are told.

mod addresses;
mod brought_along;
mod content;

use crate::harness::{
    Config, Deployment, Gateway, MASTER_KEY, PROMPT, PROVIDER_KEY, Reply, Request, Setup, chat,
    chat_with, json, streamed,
};
use crate::simulator::Simulator;

const EXTRA: &str = "extra-header-secret-PLANTED";

fn talkative(simulator: &Simulator) -> Gateway {
    let deployment = Deployment::of(simulator, "m")
        .priced(0.001, 0.001)
        .param("timeout", 1)
        .param("extra_headers", json!({"x-extra": EXTRA}));
    let gateway = Setup::new(&Config::of([deployment]).router("num_retries", 0))
        .log("trace")
        .start();
    gateway.plant(EXTRA);
    gateway
}

/// Calls that go well and calls that go wrong in every way.
fn everything(gateway: &Gateway, key: &str) -> Vec<Reply> {
    let caller = gateway.client(key);
    let moods = [
        json!({}),
        json!({"status": 401}),
        json!({"status": 500, "body": format!("echo: {PROVIDER_KEY}")}),
        json!({"garbage": "not_http"}),
        json!({"garbage": "not_json"}),
        json!({"cut_after_bytes": 20}),
        json!({"hang": "before_head"}),
        json!({"error_mid_stream": {"after_chunks": 1}}),
    ];
    let mut replies = Vec::new();
    for mood in moods {
        replies.push(caller.chat(&chat_with("m", json!({"simulate": mood}))));
        replies.push(caller.chat(&streamed("m", json!({"simulate": mood}))));
    }
    for body in [
        chat("nothing"),
        json!({"model": "m", "messages": PROMPT}),
        json!({"model": "m", "prompt": PROMPT}),
    ] {
        replies.push(caller.chat(&body));
    }
    let broken = format!("{{\"model\":\"m\",\"messages\":[{{\"content\":\"{PROMPT}\"");
    replies.push(caller.ask(Request::post("/v1/chat/completions", broken)));
    replies.push(caller.get("/key/info"));
    replies.push(caller.get("/v1/models"));
    replies.push(caller.get("/metrics"));
    replies.push(gateway.master().get("/spend/logs"));
    replies
}

#[test]
fn nothing_leaks_even_into_the_most_talkative_log() {
    let simulator = Simulator::start();
    simulator.expect_key(Some(PROVIDER_KEY));
    let gateway = talkative(&simulator);
    let key = gateway.key(json!({"key_alias": "alias"}));
    for reply in everything(&gateway, &key.secret) {
        let all = format!(
            "{:?} {}",
            reply.headers,
            String::from_utf8_lossy(&reply.body)
        );
        for secret in [PROVIDER_KEY, MASTER_KEY, key.secret.as_str(), EXTRA, PROMPT] {
            assert!(!all.contains(secret), "{secret} was told: {all}");
        }
    }
    assert!(
        gateway.log().len() > 1000,
        "the log says nothing: this test would find nothing"
    );
}

/// A key by name is the key of a deployment like any other.
#[test]
fn a_named_credential_is_a_secret() {
    let simulator = Simulator::start();
    let named = "sk-by-its-name-4f2d-PLANTED";
    simulator.expect_key(Some(named));
    let config = json!({
        "credential_list": [{
            "credential_name": "shared",
            "credential_values": {"api_key": named, "api_base": simulator.base_url()},
        }],
        "model_list": [{"model_name": "m", "litellm_params": {"model": "openai/m", "litellm_credential_name": "shared"}}],
        "router_settings": {"num_retries": 0},
        "general_settings": {"master_key": "os.environ/LITELLM_MASTER_KEY"},
    });
    let gateway = Setup::of_text(config.to_string()).log("trace").start();
    gateway.plant(named);
    let master = gateway.master();
    master.chat(&chat("m")).with_status(200);
    let echo = json!({"simulate": {"status": 401, "body": {"error": {"message": format!("wrong key {named}")}}}});
    let mut replies = vec![
        master.chat(&chat_with("m", echo)),
        master.chat(&chat_with(
            "m",
            json!({"simulate": {"garbage": "not_json"}}),
        )),
    ];
    for path in [
        "/health",
        "/health/readiness/details",
        "/v1/models",
        "/model/info",
        "/v1/model/info",
        "/model_group/info",
        "/spend/logs",
    ] {
        replies.push(master.get(path));
    }
    for reply in replies {
        assert!(!reply.text().contains(named), "{}", reply.text());
        assert!(!format!("{:?}", reply.headers).contains(named));
    }
}

#[test]
fn a_provider_key_goes_to_its_own_origin_only() {
    let (one, other) = (Simulator::start(), Simulator::start());
    let second = "sk-provider-of-the-other-PLANTED";
    let config = Config::of([
        Deployment::of(&one, "m").id("one"),
        Deployment::of(&other, "m")
            .id("other")
            .param("api_key", second),
    ]);
    let gateway = Gateway::of(&config);
    gateway.plant(second);
    for _ in 0..30 {
        gateway.master().chat(&chat("m")).with_status(200);
    }
    let keys = |simulator: &Simulator| -> std::collections::BTreeSet<String> {
        simulator
            .requests()
            .iter()
            .map(|request| request.header("authorization").unwrap_or("none").to_owned())
            .collect()
    };
    assert_eq!(keys(&one), [format!("Bearer {PROVIDER_KEY}")].into());
    assert_eq!(keys(&other), [format!("Bearer {second}")].into());
}

/// A redirect would carry the key to another host.
#[test]
fn redirects_are_not_followed() {
    let (here, there) = (Simulator::start(), Simulator::start());
    let gateway = Gateway::of(&Config::single(&here, "m"));
    let location = format!("{}/chat/completions", there.base_url());
    for status in [301, 302, 307, 308] {
        let how = json!({"status": status, "body": "moved", "headers": {"location": location}});
        let reply = gateway
            .master()
            .chat(&chat_with("m", json!({"simulate": how})));
        assert_eq!(
            reply.status,
            502,
            "{status}: {}",
            String::from_utf8_lossy(&reply.body)
        );
        assert_eq!(reply.header("location"), None);
    }
    assert_eq!(there.connections(), 0);
}

/// The search at every test's end finds what is there.
#[test]
#[should_panic(expected = "secrets leaked")]
fn the_search_finds_what_is_in_the_log() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&Config::single(&simulator, "m"));
    gateway.plant("listening on");
}

#[test]
#[should_panic(expected = "secrets leaked")]
fn the_search_finds_what_is_in_the_files() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&Config::single(&simulator, "m"));
    gateway.key(json!({"key_alias": "an-alias-to-be-found"}));
    gateway.plant("an-alias-to-be-found");
}

#[test]
#[should_panic(expected = "secrets leaked")]
fn the_search_finds_what_is_in_the_metrics() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&Config::single(&simulator, "m"));
    gateway.plant("pointsman_open_holds");
}
