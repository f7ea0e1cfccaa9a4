//! G5: a step that panics fails its own request and no other, and gives back what it had reserved.
//!
//! The binary of the tests panics on purpose where `POINTSMAN_FAULTS` says, once SIGUSR2 has armed it (see `src/steps`).

mod once;
mod under_load;
mod visits;

use crate::harness::{Config, Deployment, Gateway, Reply, SOON, Setup, json, until};
use crate::simulator::{Behaviour, Simulator};

/// All places but the one that takes the whole control thread away.
pub const EVERYWHERE: &str = "router.*+deployment.*+gatekeeper.*+port.*+desk.*+http.*+journey.*+spend.*+store.*+budgets.*+\
                              responses.*";

/// What calls of [`config`] cost at most, in dollars: far from any budget.
const PLENTY: f64 = 1_000.0;

/// Groups whose calls visit all that decides: `m` and `chats` answer, `f` with its second deployment, `fallen` with another
/// group. `chats` has no Responses of its own, so that conversations are kept here. Budgets bind the deployments of all.
fn config(simulator: &Simulator) -> Config {
    simulator.behave(
        "m",
        Behaviour::of(json!({"content": "one two three", "chunks": 3})),
    );
    simulator.behave("bad", Behaviour::failing(500));
    let priced = |name| {
        Deployment::of(simulator, name)
            .priced(1e-6, 2e-6)
            .param("max_parallel_requests", 1_000)
    };
    let in_group = |name, group: &str, weight: f64| {
        let deployment = priced(name).group(group).param("weight", weight);
        deployment.id(&format!("id-{group}-{name}"))
    };
    let chats = in_group("m", "chats", 1.0).param("model", "groq/m");
    Config::of([
        priced("m"),
        // As good as always the first.
        in_group("bad", "f", 1e9),
        in_group("m", "f", 1.0),
        in_group("bad", "fallen", 1.0),
        chats,
    ])
    .router("num_retries", 0)
    .router(
        "model_group_retry_policy",
        json!({"f": {"InternalServerErrorRetries": 1}}),
    )
    .router("fallbacks", json!([{"fallen": ["m"]}]))
    .router(
        "provider_budget_config",
        json!({"openai": {"budget_limit": PLENTY, "time_period": "1d"}}),
    )
    .never_cooling()
}

fn gateway(config: &Config, faults: &str) -> Gateway {
    Setup::new(config)
        .env("POINTSMAN_FAULTS", faults)
        .log("info")
        .start()
}

/// Panics begin, or end.
fn toggle(gateway: &Gateway, word: &str) {
    gateway.signal(libc::SIGUSR2);
    until(word, SOON, || {
        gateway.log().contains(&format!("faults: {word}"))
    });
}

/// How many steps have panicked on purpose.
fn strikes(gateway: &Gateway) -> usize {
    gateway.log().matches("a panic on purpose at").count()
}

fn nothing_is_left(gateway: &Gateway) {
    until("nothing is left over", SOON, || {
        gateway.metric("pointsman_open_holds") == Some(0.0)
            && gateway.metric("pointsman_in_flight_requests") == Some(0.0)
            && gateway.metric("pointsman_journal_queue_rows") == Some(0.0)
    });
}

/// An answer that failed, whether by its status or in its stream.
fn is_broken(reply: &Reply) -> bool {
    reply.status >= 500 || reply.text().contains("\"error\":{")
}

/// An error in the caller's form, whether it is the answer or ends a stream.
fn ends_well(reply: &Reply) -> bool {
    let error = |value: &serde_json::Value| {
        value["error"]["message"].is_string() && value["error"]["code"].is_string()
    };
    if reply.status == 200 {
        return reply.events().last().is_some_and(error);
    }
    error(&reply.json())
}
