//! What checks cost is in the books, and nobody's who calls.

use std::time::{Duration, Instant};

use pointsman::types::{KeyHash, NanoUsd};

use super::{health_when, ids, json};
use crate::harness::{Config, Deployment, Gateway, SOON, Value, chat};
use crate::simulator::{Behaviour, Simulator};

const CHECKER: &str = "litellm-internal-health-check";

/// Ten tokens in and three out, of a cent each.
fn config(simulator: &Simulator) -> Config {
    let usage = json!({"usage": {"prompt_tokens": 10, "completion_tokens": 3, "total_tokens": 13}});
    simulator.behave("well", Behaviour::of(usage));
    simulator.behave("ill", Behaviour::failing(500));
    Config::of([
        Deployment::of(simulator, "well").priced(0.01, 0.01),
        Deployment::of(simulator, "ill").priced(0.01, 0.01),
        Deployment::of(simulator, "picture").info("mode", "image_generation"),
        Deployment::of(simulator, "list").info("mode", "batch"),
        Deployment::of(simulator, "own").param("mock_response", "hello"),
    ])
}

fn rows(gateway: &Gateway, query: &str) -> Vec<Value> {
    let path = format!(
        "/spend/logs/v2?start_date=2020-01-01%2000:00:00&end_date=2099-01-01%2000:00:00{query}"
    );
    let page = gateway.master().get(&path).with_status(200).json();
    page["data"].as_array().expect("rows").clone()
}

#[test]
fn a_check_is_booked_as_nobodys() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&config(&simulator));
    let key = gateway.key(json!({"max_budget": 0.001}));
    let caller = gateway.client(&key.secret);
    let health = caller.get("/health").with_status(200).json();
    assert_eq!(health["healthy_count"], 3, "{health}");
    let booked = gateway.rows_when(2);
    // Failures cost nothing, nor do lists.
    let chat_row = booked.iter().find(|row| &*row.model == "well");
    let chat_row = chat_row.expect("a row of the chat");
    assert_eq!(chat_row.spend, NanoUsd(130_000_000));
    assert_eq!(&*chat_row.call_type, "acompletion");
    assert_eq!(chat_row.key_hash, KeyHash::of(CHECKER));
    assert_eq!(chat_row.team_id.as_deref(), Some(CHECKER));
    assert_eq!(chat_row.user_id, None);
    assert_eq!(&*chat_row.model_group, "well");
    assert_eq!(&*chat_row.model_id, "id-well");
    let picture = booked.iter().find(|row| &*row.model == "picture");
    let picture = picture.expect("a row of the picture");
    assert_eq!(&*picture.call_type, "aimage_generation");
    assert!(picture.cost.unpriced);
    // The key has spent nothing.
    assert_eq!(gateway.key_info(&key)["spend"], 0.0);
    caller.chat(&chat("own")).with_status(200);
    gateway.rows_when(3);
    gateway.books_agree();

    let of_checks = rows(&gateway, &format!("&api_key={CHECKER}"));
    assert_eq!(of_checks.len(), 2);
    for row in &of_checks {
        assert_eq!(row["api_key"], CHECKER);
        assert_eq!(row["team_id"], CHECKER);
        assert_eq!(row["request_tags"], json!([CHECKER]));
        assert_eq!(row["metadata"]["user_api_key_alias"], CHECKER);
    }
    assert_eq!(rows(&gateway, "").len(), 3);
    let others = rows(&gateway, "&exclude_internal_health_checks=true");
    assert_eq!(others.len(), 1);
    assert_eq!(others[0]["model_group"], "own");
    // Of what is not there yet nothing is kept.
    let tried = json!({"litellm_params": {"model": "openai/well", "api_key": "k", "api_base": simulator.base_url()}});
    let tried = gateway.master().post("/health/test_connection", &tried);
    assert_eq!(tried.with_status(200).json()["status"], "success");
    assert_eq!(rows(&gateway, "").len(), 3);
}

/// Rounds book too, and keep no process from its end.
#[test]
fn rounds_are_booked_and_keep_nobody_waiting() {
    let simulator = Simulator::start();
    let config = config(&simulator).general("background_health_checks", true);
    let mut gateway = Gateway::of(&config);
    let health = health_when(&gateway, "the first round", |health| {
        health["healthy_count"] == 3
    });
    assert!(ids(&health, "healthy_endpoints").contains(&"id-well".to_owned()));
    let asked = Instant::now();
    gateway.ask_to_stop();
    assert!(gateway.ended(SOON).success(), "{}", gateway.log());
    assert!(
        asked.elapsed() < Duration::from_secs(4),
        "{:?}",
        asked.elapsed()
    );
    assert_eq!(gateway.rows().len(), 2, "booked on the way out");
    gateway.books_agree();
}
