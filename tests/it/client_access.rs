//! Callers with keys and addresses of their own: refused, unless the configuration says otherwise; never mixed with ours.

use crate::harness::{Config, Deployment, Gateway, PROVIDER_KEY, chat_with, json};
use crate::simulator::Simulator;

const THEIR_KEY: &str = "sk-key-of-a-caller-7c1f";

#[test]
fn nobody_may_by_default() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&Config::single(&simulator, "m"));
    for field in [
        json!({"api_key": THEIR_KEY}),
        json!({"api_base": simulator.base_url()}),
        json!({"base_url": "https://example.com/v1"}),
        json!({"extra_headers": {"x-any": "thing"}}),
    ] {
        let reply = gateway
            .master()
            .chat(&chat_with("m", field.clone()))
            .with_status(401);
        let name = field.as_object().unwrap().keys().next().unwrap().clone();
        let text = format!("Rejected Request: {name} is not allowed in request body.");
        assert!(reply.message().contains(&text), "{}", reply.message());
    }
    assert!(simulator.take().is_empty());
}

/// A caller's address gets a caller's key, and nothing else that was meant for the deployment's own address.
#[test]
fn an_address_of_the_caller_never_meets_a_key_of_ours() {
    let (ours, theirs) = (Simulator::start(), Simulator::start());
    let deployment = Deployment::of(&ours, "m")
        .param("extra_headers", json!({"x-ours": "secret-of-ours"}))
        .param(
            "configurable_clientside_auth_params",
            json!(["api_key", "extra_headers", {"api_base": "http://127\\.0\\.0\\.1:\\d+/v1"}]),
        );
    let gateway = Gateway::of(&Config::of([deployment]).router("num_retries", 0));
    let master = gateway.master();
    let mine = json!({"api_base": format!("{}/", theirs.base_url()), "api_key": THEIR_KEY, "extra_headers": {"X-Theirs": "1"}});
    let reply = master.chat(&chat_with("m", mine)).with_status(200);
    assert_eq!(reply.must("x-litellm-model-api-base"), theirs.base_url());
    let arrived = theirs.take().remove(0);
    let header = |name: &str| {
        let found = arrived.headers.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| value.as_str())
    };
    assert_eq!(
        header("authorization"),
        Some(&*format!("Bearer {THEIR_KEY}"))
    );
    assert_eq!(header("x-theirs"), Some("1"));
    assert_eq!(header("x-ours"), None);
    let fields = arrived.json();
    assert!(fields.get("api_base").is_none() && fields.get("api_key").is_none());
    // Without a key of theirs none is sent.
    let keyless = json!({"api_base": theirs.base_url()});
    master.chat(&chat_with("m", keyless));
    for request in theirs.take() {
        let text = format!("{:?}", request.headers);
        assert!(
            !text.contains(PROVIDER_KEY) && !text.contains("authorization"),
            "{text}"
        );
    }
    assert!(ours.take().is_empty());
    // A key alone goes to our address, in the place of ours.
    let key = json!({"api_key": THEIR_KEY});
    master.chat(&chat_with("m", key)).with_status(200);
    let text = format!("{:?}", ours.take().remove(0).headers);
    assert!(
        text.contains(THEIR_KEY) && text.contains("secret-of-ours") && !text.contains(PROVIDER_KEY)
    );
    let elsewhere = json!({"api_base": format!("{}/more", theirs.base_url())});
    master.chat(&chat_with("m", elsewhere)).with_status(401);
    let rows = gateway.rows_when(3);
    assert!(rows.iter().any(|row| *row.api_base == *theirs.base_url()));
    assert!(!gateway.log().contains(THEIR_KEY));
}

/// Without a pattern only the public internet can be reached, over TLS, whatever a name resolves to.
#[test]
fn addresses_inside_are_out_of_reach() {
    let simulator = Simulator::start();
    let config = Config::single(&simulator, "m").general("allow_client_side_credentials", true);
    let gateway = Gateway::of(&config);
    let port = simulator
        .base_url()
        .rsplit_once(':')
        .unwrap()
        .1
        .trim_end_matches("/v1")
        .to_owned();
    for base in [
        simulator.base_url(),
        format!("https://127.0.0.1:{port}/v1"),
        "https://169.254.169.254/latest/meta-data".to_owned(),
        "https://[::1]/v1".to_owned(),
        "ftp://example.com".to_owned(),
        "https://user:password@example.com/v1".to_owned(),
        "nonsense".to_owned(),
    ] {
        let body = chat_with("m", json!({"api_base": base, "api_key": THEIR_KEY}));
        let reply = gateway.master().chat(&body).with_status(400);
        assert_eq!(reply.error()["param"], "api_base", "{base}");
    }
    // A name that leads inside is found out when it is looked up.
    let body = chat_with(
        "m",
        json!({"api_base": format!("https://localhost:{port}/v1"), "api_key": THEIR_KEY}),
    );
    gateway.master().chat(&body).with_status(500);
    assert!(simulator.take().is_empty());
    for (field, value) in [
        ("api_key", json!(5)),
        ("api_key", json!("two\nlines")),
        ("extra_headers", json!(["a"])),
        ("extra_headers", json!({"host": "elsewhere"})),
        ("extra_headers", json!({"x": 1})),
    ] {
        let body = chat_with("m", json!({field: value}));
        let reply = gateway.master().chat(&body).with_status(400);
        assert_eq!(reply.error()["param"], field);
    }
}

/// What a provider refuses a caller's own key says nothing of ours: others go on being served.
#[test]
fn a_key_of_the_caller_that_fails_is_the_callers_affair() {
    let simulator = Simulator::start();
    simulator.expect_key(Some(PROVIDER_KEY));
    let deployment = Deployment::of(&simulator, "m")
        .param("configurable_clientside_auth_params", json!(["api_key"]));
    let config = Config::of([deployment])
        .router("num_retries", 0)
        .router("allowed_fails", 0);
    let gateway = Gateway::of(&config);
    let master = gateway.master();
    for _ in 0..3 {
        let theirs = chat_with("m", json!({"api_key": THEIR_KEY}));
        master.chat(&theirs).with_status(401);
        master.chat(&chat_with("m", json!({}))).with_status(200);
    }
    let rows = gateway.rows_when(6);
    assert!(rows.iter().all(|row| &*row.model_id == "id-m"));
    // With our key the same failure keeps it away.
    simulator.expect_key(Some("another"));
    master.chat(&chat_with("m", json!({}))).with_status(401);
    master.chat(&chat_with("m", json!({}))).with_status(429);
}
