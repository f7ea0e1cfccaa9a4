//! Budgets of providers, deployments and tags outlive the process, and reloads.

use crate::harness::postgres::{Schema, Server};
use crate::harness::{
    Config, Deployment, Gateway, Request, SOON, Setup, Value, chat_with, json, until,
};
use crate::simulator::{Behaviour, Simulator};

/// Whose budget it is.
#[derive(Clone, Copy, Debug)]
enum Of {
    Provider,
    Deployment,
    Tag,
}

const ALL: [Of; 3] = [Of::Provider, Of::Deployment, Of::Tag];

/// Each call costs two cents.
fn simulator() -> Simulator {
    let simulator = Simulator::start();
    let usage =
        json!({"usage": {"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20}});
    simulator.behave_by_default(Behaviour::of(usage));
    simulator
}

fn with_budget(simulator: &Simulator, of: Of, limit: f64, length: &str) -> Config {
    let deployment = Deployment::of(simulator, "m").priced(0.001, 0.001);
    let config = |deployment| Config::of([deployment]).router("num_retries", 0);
    match of {
        Of::Provider => config(deployment).router(
            "provider_budget_config",
            json!({"openai": {"budget_limit": limit, "time_period": length}}),
        ),
        Of::Deployment => config(
            deployment
                .param("max_budget", limit)
                .param("budget_duration", length),
        ),
        Of::Tag => config(deployment).litellm(
            "tag_budget_config",
            json!({"dear": {"max_budget": limit, "budget_duration": length}}),
        ),
    }
}

fn body() -> Value {
    chat_with("m", json!({"max_tokens": 10}))
}

/// The status of a call.
fn call(gateway: &Gateway) -> u16 {
    let request = Request::post("/v1/chat/completions", body().to_string());
    let request = request.header("x-litellm-tags", "other,dear");
    gateway.master().ask(request).status
}

/// Spends what there is, dies in between, and finds it spent.
fn survives(simulator: &Simulator, start: impl Fn(&Config) -> Gateway) {
    for of in ALL {
        let mut gateway = start(&with_budget(simulator, of, 0.05, "1d"));
        assert_eq!([call(&gateway), call(&gateway)], [200, 200], "{of:?}");
        // At once: nothing is in the database yet but what the journal brings there.
        gateway.kill();
        gateway.start_again();
        assert_eq!(call(&gateway), 200, "{of:?}: a cent was left");
        assert_eq!(call(&gateway), 429, "{of:?}");
        gateway.kill();
        gateway.start_again();
        assert_eq!(call(&gateway), 429, "{of:?}");
        gateway.terminate();
        gateway.start_again();
        assert_eq!(call(&gateway), 429, "{of:?}");
        gateway.books_agree();
    }
}

#[test]
fn what_was_spent_stays_spent_when_the_process_dies() {
    let simulator = simulator();
    survives(&simulator, |config| Setup::new(config).start());
}

#[test]
fn what_was_spent_stays_spent_in_postgresql() {
    let Some(server) = Server::start() else {
        return;
    };
    let simulator = simulator();
    survives(&simulator, |config| {
        Setup::new(config).start_in(Schema::at(&server.url("")))
    });
}

/// The window goes on where it was: it does not begin anew with the process.
#[test]
fn a_window_ends_when_it_would_have() {
    let simulator = simulator();
    let mut gateway = Gateway::of(&with_budget(&simulator, Of::Provider, 0.01, "6s"));
    let began = std::time::Instant::now();
    assert_eq!(call(&gateway), 200);
    gateway.kill();
    gateway.start_again();
    if began.elapsed().as_secs_f64() < 5.0 {
        assert_eq!(call(&gateway), 429);
    }
    until("the window is over", SOON, || call(&gateway) == 200);
    assert!(began.elapsed().as_secs_f64() >= 5.9);
    gateway.rows_when(2);
    gateway.kill();
    gateway.start_again();
    assert_eq!(call(&gateway), 429, "the next window");
}

#[test]
fn what_comes_back_with_a_reload_has_spent_what_it_had() {
    let simulator = simulator();
    for of in ALL {
        let limited = with_budget(&simulator, of, 0.01, "1d");
        let mut gateway = Gateway::of(&limited);
        assert_eq!([call(&gateway), call(&gateway)], [200, 429], "{of:?}");
        let free = Config::of([Deployment::of(&simulator, "m").priced(0.001, 0.001)]);
        gateway.reload(&free.router("num_retries", 0));
        assert_eq!(call(&gateway), 200, "{of:?}: there is no budget");
        gateway.reload(&limited);
        assert_eq!(call(&gateway), 429, "{of:?}");
        // A window that lasts keeps its end.
        gateway.reload(&with_budget(&simulator, of, 0.01, "2d"));
        assert_eq!(call(&gateway), 429, "{of:?}");
        gateway.kill();
        gateway.start_again();
        assert_eq!(call(&gateway), 429, "{of:?}");
    }
}

/// A call that is under way while budgets come before its own is counted in its own.
#[test]
fn a_reload_moves_no_call_to_another_budget() {
    let simulator = simulator();
    let config = |tags: &[&str]| {
        let rule = json!({"max_budget": 0.01, "budget_duration": "1d"});
        let tags: serde_json::Map<String, Value> = tags
            .iter()
            .map(|tag| ((*tag).to_owned(), rule.clone()))
            .collect();
        let deployment = Deployment::of(&simulator, "m").priced(0.001, 0.001);
        Config::of([deployment])
            .router("num_retries", 0)
            .litellm("tag_budget_config", tags)
    };
    let mut gateway = Gateway::of(&config(&["dear"]));
    let held = chat_with("m", json!({"max_tokens": 10, "simulate": {"hold": true}}));
    let request = Request::post("/v1/chat/completions", held.to_string());
    let mut waiting = gateway.master().connect();
    let request = gateway
        .master()
        .signed(request.header("x-litellm-tags", "dear"));
    waiting.send(&request).expect("a request");
    assert!(simulator.wait_until(SOON, |simulator| simulator.held() == 1));
    gateway.reload(&config(&["aaa", "dear"]));
    simulator.release();
    waiting.reply().expect("an answer").with_status(200);
    let ask = |gateway: &Gateway, tag: &str| {
        let request = Request::post("/v1/chat/completions", body().to_string());
        let request = request.header("x-litellm-tags", tag);
        gateway.master().ask(request).status
    };
    for _ in 0..2 {
        assert_eq!(ask(&gateway, "dear"), 429);
        gateway.kill();
        gateway.start_again();
    }
    assert_eq!(ask(&gateway, "aaa"), 200);
}
