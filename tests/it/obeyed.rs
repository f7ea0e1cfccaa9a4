//! Fields of the configuration have their effect: those that are not tested with a feature of their own.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use crate::harness::{
    Config, Deployment, Gateway, Request, SOON, Setup, chat, chat_with, eventually, json, streamed,
    until,
};
use crate::simulator::{Behaviour, Simulator};

/// Every place where a time limit may stand ends a call whose provider says nothing.
#[test]
fn time_limits() {
    let simulator = Simulator::start();
    simulator.behave("m", Behaviour::of(json!({"hang": "before_head"})));
    let config = || Config::single(&simulator, "m");
    let with = |name: &str| {
        Config::of([Deployment::of(&simulator, "m").param(name, 0.5)]).router("num_retries", 0)
    };
    for (what, config, body) in [
        ("deployment timeout", with("timeout"), chat("m")),
        (
            "deployment stream_timeout",
            with("stream_timeout"),
            streamed("m", json!({})),
        ),
        ("router timeout", config().router("timeout", 0.5), chat("m")),
        (
            "router stream_timeout",
            config().router("stream_timeout", 0.5),
            streamed("m", json!({})),
        ),
        (
            "request_timeout",
            config().litellm("request_timeout", 0.5),
            chat("m"),
        ),
    ] {
        let gateway = Gateway::of(&config);
        let began = Instant::now();
        let reply = gateway.master().chat(&body);
        assert_eq!(
            reply.status,
            408,
            "{what}: {}",
            String::from_utf8_lossy(&reply.body)
        );
        let took = began.elapsed();
        assert!(
            took >= Duration::from_millis(450) && took < SOON,
            "{what}: {took:?}"
        );
    }
}

/// The deployment's word goes before the router's, the router's before that of litellm_settings.
#[test]
fn retries_at_every_level() {
    let retries = |own: Option<u32>, router: Option<u32>, litellm: Option<u32>| {
        let simulator = Simulator::start();
        simulator.behave_by_default(Behaviour::failing(500));
        let deployment = |name: &str| {
            let deployment = Deployment::of(&simulator, name).group("m");
            match own {
                Some(own) => deployment.param("num_retries", own),
                None => deployment,
            }
        };
        let mut config = Config::of(["a", "b", "c", "d"].map(deployment));
        if let Some(router) = router {
            config = config.router("num_retries", router);
        }
        if let Some(litellm) = litellm {
            config = config.litellm("num_retries", litellm);
        }
        let gateway = Gateway::of(&config);
        gateway.master().chat(&chat("m")).with_status(500);
        simulator.take().len()
    };
    assert_eq!(retries(None, Some(1), Some(3)), 2);
    assert_eq!(retries(None, None, Some(3)), 4);
    assert_eq!(retries(Some(1), Some(3), None), 2);
}

#[test]
fn slots_that_the_router_gives() {
    let simulator = Simulator::start();
    simulator.behave_by_default(Behaviour::of(json!({"hold": true})));
    let own = Deployment::of(&simulator, "own").param("max_parallel_requests", 3);
    let config = Config::of([Deployment::of(&simulator, "m"), own])
        .router("num_retries", 0)
        .router("default_max_parallel_requests", 2);
    let gateway = Gateway::of(&config);
    let master = gateway.master();
    let held = ["m", "m", "own", "own", "own"].map(|model| master.send(&chat(model)));
    assert!(simulator.wait_until(SOON, |simulator| simulator.held() == 5));
    master.chat(&chat("m")).with_status(429);
    master.chat(&chat("own")).with_status(429);
    drop(held);
}

#[test]
fn headers_for_the_provider() {
    let simulator = Simulator::start();
    let deployment = Deployment::of(&simulator, "m")
        .param("organization", "org-7")
        .param("extra_headers", json!({"x-one": "1"}))
        .param("headers", json!({"x-two": 2}));
    let gateway = Gateway::of(&Config::of([deployment]));
    gateway.master().chat(&chat("m")).with_status(200);
    let asked = &simulator.take()[0];
    for (name, value) in [
        ("openai-organization", "org-7"),
        ("x-one", "1"),
        ("x-two", "2"),
    ] {
        assert_eq!(asked.header(name), Some(value), "{name}");
    }
}

/// Each organisation of a list is a deployment of its own.
#[test]
fn organisations_in_a_list() {
    let simulator = Simulator::start();
    let deployment = Deployment::of(&simulator, "m").param("organization", json!(["x", "y"]));
    let gateway = Gateway::of(&Config::of([deployment]));
    let seen = eventually("both are called", SOON, || {
        gateway.master().chat(&chat("m")).with_status(200);
        let seen: HashSet<String> = simulator
            .requests()
            .iter()
            .filter_map(|asked| asked.header("openai-organization").map(str::to_owned))
            .collect();
        (seen.len() == 2).then_some(seen)
    });
    assert_eq!(seen, HashSet::from(["x".to_owned(), "y".to_owned()]));
}

/// Limits beside litellm_params are shares as well.
#[test]
fn shares_beside_the_parameters() {
    for field in ["rpm", "tpm"] {
        let simulator = Simulator::start();
        let entry = |name: &str, share: u64| {
            json!({
                "model_name": "m",
                field: share,
                "litellm_params": {"model": format!("openai/{name}"), "api_base": simulator.base_url(), "api_key": "k"},
            })
        };
        let config = json!({"model_list": [entry("all", 1000), entry("none", 0)]});
        let gateway = Setup::of_text(config.to_string()).start();
        for _ in 0..20 {
            gateway.master().chat(&chat("m")).with_status(200);
        }
        assert_eq!(
            (simulator.received("all"), simulator.received("none")),
            (20, 0),
            "{field}"
        );
    }
}

#[test]
fn a_provider_by_its_field_and_an_address_by_its_other_name() {
    let simulator = Simulator::start();
    let config = json!({"model_list": [{
        "model_name": "m",
        "litellm_params": {
            "model": "meta/llama", "custom_llm_provider": "hosted_vllm", "base_url": simulator.base_url(), "api_key": "k",
        },
    }]});
    let gateway = Setup::of_text(config.to_string()).start();
    gateway.master().chat(&chat("m")).with_status(200);
    assert_eq!(simulator.take()[0].json()["model"], "meta/llama");
}

#[test]
fn a_blocked_deployment_gets_no_calls() {
    let simulator = Simulator::start();
    let config = Config::of([
        Deployment::of(&simulator, "paused")
            .group("m")
            .info("blocked", true),
        Deployment::of(&simulator, "serves").group("m"),
        Deployment::of(&simulator, "alone").info("blocked", true),
    ]);
    let gateway = Gateway::of(&config);
    for _ in 0..20 {
        gateway.master().chat(&chat("m")).with_status(200);
    }
    assert_eq!(simulator.received("paused"), 0);
    let refused = gateway.master().chat(&chat("alone")).with_status(503);
    let text = "Model 'alone' is currently paused";
    assert!(refused.message().starts_with(text), "{}", refused.text());
    // It is known all the same.
    let known = gateway.master().get("/model/info").with_status(200).json();
    let blocked: Vec<bool> = (0..3)
        .map(|at| known["data"][at]["model_info"]["blocked"] == true)
        .collect();
    assert_eq!(blocked, [true, false, true]);
}

/// A key may be allowed a name that several models share.
#[test]
fn groups_of_models() {
    let simulator = Simulator::start();
    let config = Config::of([
        Deployment::of(&simulator, "a").info("access_groups", json!(["beta", "all"])),
        Deployment::of(&simulator, "b").info("access_groups", "beta"),
        Deployment::of(&simulator, "c"),
    ]);
    let gateway = Gateway::of(&config);
    let caller = gateway.caller(json!({"models": ["beta"]}));
    for (model, status) in [("a", 200), ("b", 200), ("c", 403)] {
        caller.chat(&chat(model)).with_status(status);
    }
    let listed = caller.get("/v1/models").with_status(200).json();
    let names: Vec<_> = listed["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|model| model["id"].clone())
        .collect();
    assert_eq!(names, ["a", "b"]);
}

/// What an answer can cost at most follows from how long it can be.
#[test]
fn bounds_of_an_answer() {
    let simulator = Simulator::start();
    for field in ["max_output_tokens", "max_tokens"] {
        let deployment = |name: &str, bound: u64| {
            Deployment::of(&simulator, name)
                .info(field, bound)
                .priced(0.0, 1.0)
        };
        let config = Config::of([deployment("short", 50), deployment("long", 500)])
            .general("budget_enforcement", "strict");
        let gateway = Gateway::of(&config);
        for (model, status) in [("short", 200), ("long", 422)] {
            let caller = gateway.caller(json!({"max_budget": 100}));
            caller.chat(&chat(model)).with_status(status);
        }
    }
}

/// Who the end user is may stand in a header of one's own choice, and may be left out of the books.
#[test]
fn end_users_by_a_header() {
    let simulator = Simulator::start();
    let mappings = json!([{"header_name": "X-Customer", "litellm_user_role": "customer"}]);
    let config = Config::single(&simulator, "m").general("user_header_mappings", mappings);
    for (config, expected) in [
        (config.clone(), Some("ada")),
        (config.litellm("disable_end_user_cost_tracking", true), None),
    ] {
        let gateway = Gateway::of(&config);
        let request = Request::post("/v1/chat/completions", chat("m").to_string());
        gateway
            .master()
            .ask(request.header("x-customer", "ada"))
            .with_status(200);
        assert_eq!(gateway.rows_when(1)[0].end_user.as_deref(), expected);
    }
}

#[test]
fn tags_of_callers_may_be_refused() {
    let simulator = Simulator::start();
    let config = Config::single(&simulator, "m").general("reject_clientside_metadata_tags", true);
    let gateway = Gateway::of(&config);
    let body = chat_with("m", json!({"metadata": {"tags": ["mine"]}}));
    gateway.master().chat(&body).with_status(400);
    gateway.master().chat(&chat("m")).with_status(200);
}

/// Addresses of callers are checked, but for hosts that are named, or where the check is off.
#[test]
fn addresses_of_callers_may_be_allowed() {
    let (ours, theirs) = (Simulator::start(), Simulator::start());
    let config = || Config::single(&ours, "m").general("allow_client_side_credentials", true);
    let hosts = json!([theirs.address().to_string(), "127.0.0.1"]);
    let pattern = json!(["api_key", {"api_base": "http://127\\.0\\.0\\.1:\\d+/v1"}]);
    let by_pattern =
        Config::single(&ours, "m").general("configurable_clientside_auth_params", pattern);
    for (config, status) in [
        (config(), 400),
        (by_pattern, 200),
        (
            config().litellm("user_url_allowed_hosts", hosts.clone()),
            200,
        ),
        (
            config().litellm("provider_url_destination_allowed_hosts", hosts),
            200,
        ),
        (config().litellm("user_url_validation", false), 200),
    ] {
        let gateway = Gateway::of(&config);
        let body = chat_with(
            "m",
            json!({"api_base": theirs.base_url(), "api_key": "sk-theirs"}),
        );
        gateway.master().chat(&body).with_status(status);
    }
}

/// A row that was changed beside the gateway counts when the time is over, and not before.
#[test]
fn how_long_a_key_is_believed() {
    let simulator = Simulator::start();
    for (seconds, is_noticed) in [(0.3, true), (600.0, false)] {
        let config = Config::single(&simulator, "m").general("user_api_key_cache_ttl", seconds);
        let gateway = Setup::new(&config).workers(1).start();
        gateway.team("t", |_| {});
        let caller = gateway.caller(json!({"team_id": "t"}));
        caller.chat(&chat("m")).with_status(200);
        gateway.team("t", |team| team.row.blocked = true);
        if is_noticed {
            until("the block is noticed", SOON, || {
                caller.chat(&chat("m")).status == 401
            });
        } else {
            caller.chat(&chat("m")).with_status(200);
        }
    }
}

#[test]
fn a_database_of_its_own() {
    let simulator = Simulator::start();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("elsewhere.db");
    let url = format!("sqlite://{}", path.display());
    let config = Config::single(&simulator, "m")
        .general("database_url", url)
        .general("database_connection_pool_limit", 1)
        .general("database_connection_timeout", 5);
    let gateway = Gateway::of(&config);
    gateway.caller(json!({})).chat(&chat("m")).with_status(200);
    assert!(path.is_file() && !gateway.data_dir().join("pointsman.db").exists());
}

/// Variables of the file are there for what providers read themselves.
#[test]
fn variables_of_the_file() {
    let simulator = Simulator::start();
    simulator.expect_key(Some("sk-variable-of-the-file-PLANTED"));
    let config = json!({
        "environment_variables": {
            "HOSTED_VLLM_API_BASE": simulator.base_url(),
            "HOSTED_VLLM_API_KEY": "os.environ/OUTSIDE",
        },
        "model_list": [{"model_name": "m", "litellm_params": {"model": "hosted_vllm/m"}}],
    });
    let gateway = Setup::of_text(config.to_string())
        .env("OUTSIDE", "sk-variable-of-the-file-PLANTED")
        .start();
    gateway.plant("sk-variable-of-the-file-PLANTED");
    gateway.master().chat(&chat("m")).with_status(200);
}
