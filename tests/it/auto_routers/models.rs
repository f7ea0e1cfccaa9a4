//! Complexity routers that ask others: a model how difficult a request is, another one what its words mean; and plans of agents.

use std::time::{Duration, Instant};

use super::{HARD, group, router, saying, vectors};
use crate::harness::{
    Client, Config, Deployment, Gateway, Reply, SOON, Value, chat_with, json, until,
};
use crate::simulator::{Behaviour, Simulator};

/// A router with four tiers, the group `judge` and what its settings say beside them.
fn config(simulator: &Simulator, more: Value) -> Config {
    let mut settings = json!({
        "tiers": {"SIMPLE": "small", "MEDIUM": "medium", "COMPLEX": "large", "REASONING": "huge"},
        "default_model": "other",
    });
    settings
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let names = ["small", "medium", "large", "huge", "other"];
    Config::of(names.map(|name| Deployment::of(simulator, name)))
        .and([
            Deployment::of(simulator, "judge").priced(0.000_001, 0.000_002),
            Deployment::of(simulator, "vectors"),
            router(
                "smart",
                "complexity_router",
                "complexity_router_config",
                settings,
            ),
        ])
        .router("num_retries", 0)
        .never_cooling()
}

fn told(reply: &Reply) -> (String, String) {
    let cause = reply.must("x-litellm-complexity-router-cause");
    (group(reply).to_owned(), cause.to_owned())
}

fn of(group: &str, cause: &str) -> (String, String) {
    (group.to_owned(), cause.to_owned())
}

fn led(client: &Client, text: &str) -> (String, String) {
    told(&client.chat(&saying("smart", text)).with_status(200))
}

#[test]
fn a_model_is_asked() {
    let simulator = Simulator::start();
    let asking = json!({"classifier_type": "llm", "classifier_llm_config": {"model": "judge", "reasoning_effort": "low"}});
    let gateway = Gateway::of(&config(&simulator, asking).litellm("drop_params", true));
    let client = gateway.caller(json!({"models": ["smart"]}));
    simulator.behave_in_turn(
        "judge",
        vec![
            Behaviour::saying("COMPLEX"),
            Behaviour::saying("{\"tier\": \"MEDIUM\"}"),
            Behaviour::saying("I cannot say."),
            Behaviour::failing(500),
        ],
        Behaviour::saying("SIMPLE"),
    );
    let messages = json!([
        {"role": "system", "content": "You sell cars"},
        {"role": "user", "content": "A red one?"},
        {"role": "assistant", "content": "Or a blue one?"},
        {"role": "user", "content": "yes"},
    ]);
    let reply = client
        .chat(&chat_with("smart", json!({"messages": messages})))
        .with_status(200);
    assert_eq!(told(&reply), of("large", "llm_classifier"));
    assert_eq!(reply.header("x-litellm-complexity-router-score"), None);
    let cost: f64 = reply.must("x-litellm-classifier-cost").parse().unwrap();
    assert!(cost > 0.0);
    let asked = simulator.take();
    let shown = asked[0].json();
    assert_eq!(shown["model"], "judge");
    let system = shown["messages"][0]["content"].as_str().unwrap();
    assert!(system.contains("- REASONING: "), "{system}");
    let text = shown["messages"][1]["content"].as_str().unwrap();
    for part in [
        "You sell cars",
        "1. user: A red one?",
        "Current message:\nyes",
    ] {
        assert!(text.contains(part), "{text}");
    }
    assert!(!text.contains("blue"), "the model's own turns are left out");
    assert_eq!(led(&client, "ok"), of("medium", "llm_classifier"));
    // An answer that names no tier, and none at all: the words decide.
    assert_eq!(led(&client, HARD), of("huge", "reasoning_override"));
    assert_eq!(led(&client, "ok"), of("small", "heuristic_scorer"));
    assert_eq!(led(&client, HARD), of("small", "llm_classifier"));
    // Its calls are the caller's, and in the books.
    until("every call has its row", SOON, || {
        let rows = gateway.rows();
        let asked = rows.iter().filter(|row| &*row.model_group == "judge");
        asked.count() >= 4
    });
}

#[test]
fn a_model_that_is_slow_is_not_asked_for_a_while() {
    let simulator = Simulator::start();
    let slow = json!({
        "classifier_type": "llm",
        "classifier_fallback": "default_model",
        "classifier_llm_config": {"model": "judge", "timeout_ms": 300, "circuit_breaker_cooldown_seconds": 1.5},
    });
    let gateway = Gateway::of(&config(&simulator, slow));
    let client = gateway.master();
    simulator.behave_in_turn(
        "judge",
        vec![Behaviour::of(json!({"hang": "before_head"}))],
        Behaviour::saying("COMPLEX"),
    );
    let asked = || {
        let asked = simulator.take();
        asked
            .iter()
            .filter(|one| one.json()["model"] == "judge")
            .count()
    };
    let began = Instant::now();
    assert_eq!(led(&client, "ok"), of("other", "default_model_fallback"));
    assert!(began.elapsed() < Duration::from_secs(3));
    assert_eq!(led(&client, "ok"), of("other", "default_model_fallback"));
    assert_eq!(asked(), 1, "the second request did not ask");
    until("it is asked again", SOON, || {
        led(&client, "ok") == of("large", "llm_classifier")
    });
    assert_eq!(asked(), 1);
    assert_eq!(led(&client, "ok"), of("large", "llm_classifier"));
}

#[test]
fn a_model_is_asked_only_where_words_do_not_say_enough() {
    let simulator = Simulator::start();
    let llm = json!({"model": "judge"});
    let first = json!({
        "classifier_type": "heuristic_first", "heuristic_first_max_tier": "MEDIUM", "classifier_llm_config": llm,
        "tier_labels": {"COMPLEX": "Deep"},
    });
    let mut gateway = Gateway::of(&config(&simulator, first));
    simulator.behave("judge", Behaviour::saying("Deep"));
    let client = gateway.master();
    let silent = "Tell me something nice about the weather in autumn, would you please do so";
    assert_eq!(
        led(&client, "ok"),
        of("small", "heuristic_first_short_circuit")
    );
    assert_eq!(led(&client, silent), of("large", "llm_classifier"));
    assert_eq!(led(&client, HARD), of("large", "llm_classifier"));
    let hybrid = json!({
        "classifier_type": "hybrid", "hybrid_boundary_margin": 0.05, "classifier_llm_config": llm,
        "tier_labels": {"COMPLEX": "Deep"},
    });
    gateway.reload(&config(&simulator, hybrid));
    assert_eq!(led(&client, "ok"), of("small", "hybrid_short_circuit"));
    assert_eq!(
        led(
            &client,
            "Please have a look at this python of mine, it does not do what I want it to"
        ),
        of("large", "llm_classifier"),
        "it scores what MEDIUM begins with"
    );
}

#[test]
fn rules_by_what_their_words_mean() {
    let simulator = Simulator::start();
    let rules = json!({
        "keyword_tier_rules": [
            {"keywords": ["contract", "lawsuit"], "tier": "COMPLEX"},
            {"keywords": ["greeting"], "tier": "MEDIUM"},
        ],
        "semantic_keyword_matching": true,
        "embedding_model": "vectors",
        "match_threshold": 0.8,
    });
    let gateway = Gateway::of(&config(&simulator, rules));
    simulator.behave_in_turn(
        "vectors",
        vec![
            vectors(&[[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]]),
            vectors(&[[0.95, 0.05]]),
            vectors(&[[0.1, 0.9]]),
            vectors(&[[0.7, 0.7]]),
        ],
        Behaviour::failing(500),
    );
    let client = gateway.master();
    assert_eq!(
        led(&client, "He is sued"),
        of("large", "semantic_keyword_match")
    );
    assert_eq!(
        led(&client, "Good day"),
        of("medium", "semantic_keyword_match")
    );
    assert_eq!(
        led(&client, "ok"),
        of("small", "heuristic_scorer"),
        "near to neither"
    );
    assert_eq!(
        led(&client, "a contract"),
        of("large", "literal_keyword_match"),
        "no vector: by its letters"
    );
    let asked = simulator.take();
    let first = asked.iter().find(|one| one.path.ends_with("/embeddings"));
    assert_eq!(
        first.unwrap().json()["input"],
        json!(["contract", "lawsuit", "greeting"])
    );
}

#[test]
fn plans_have_a_least_tier() {
    let simulator = Simulator::start();
    let plans = json!({
        "plan_mode_min_tier": "COMPLEX",
        "plan_mode_patterns": ["<planning>"],
        "session_affinity": true,
    });
    let gateway = Gateway::of(&config(&simulator, plans));
    let client = gateway.master();
    let turn = |text: &str| {
        let said = json!({
            "messages": [{"role": "user", "content": text}],
            "litellm_session_id": "session-of-plans",
        });
        told(&client.chat(&chat_with("smart", said)).with_status(200))
    };
    let reminder = "add a flag <system-reminder>Plan mode is active.</system-reminder>";
    assert_eq!(turn(reminder), of("large", "plan_mode"));
    assert_eq!(
        turn("go"),
        of("small", "session_affinity_pin"),
        "the session stays where it would have been"
    );
    assert_eq!(turn(reminder), of("large", "plan_mode"));
    assert_eq!(led(&client, "a <planning> ok"), of("large", "plan_mode"));
    assert_eq!(
        led(&client, &format!("{HARD} <planning>")),
        of("huge", "reasoning_override"),
        "never less than it would have had"
    );
}

#[test]
fn what_a_model_is_told_can_be_seen() {
    const PATH: &str = "/auto_router/classifier/default_prompt";
    let simulator = Simulator::start();
    let gateway = Gateway::of(&config(&simulator, json!({})));
    let master = gateway.master();
    let told = |reply: Reply| {
        let reply = reply.with_status(200).json();
        reply["system_prompt"].as_str().unwrap().to_owned()
    };
    let usual = told(master.get(PATH));
    assert!(usual.contains("- SIMPLE: ") && usual.contains("the turns before it"));
    let query = "?context_window_size=0&classification_rubric=agentic&tier_labels=%7B%22SIMPLE%22%3A%22Cheap%22%7D";
    let other = told(master.get(&format!("{PATH}{query}")));
    assert!(
        other.contains("- Cheap: ") && other.contains("Examples:\n"),
        "{other}"
    );
    assert!(!other.contains("the turns before it"));
    let own = told(master.post(
        PATH,
        &json!({"classification_prompt": "Sort these.", "classification_examples": "- \"x\": SIMPLE", "tier_labels": {"COMPLEX": "Deep"}}),
    ));
    assert!(
        own.starts_with("Sort these.\n") && own.contains("- Deep: "),
        "{own}"
    );
    for query in [
        "?context_window_size=-1",
        "?classification_rubric=other",
        "?tier_labels=7",
        "?tier_labels=%7B%22SIMPLE%22%3A%22medium%22%7D",
    ] {
        let status = master.get(&format!("{PATH}{query}")).status;
        assert!([400, 422].contains(&status), "{query}: {status}");
    }
    for body in [
        json!({"classification_prompt": " "}),
        json!({"context_window_size": 7_000}),
        json!({"tier_labels": ["x"]}),
        json!({"tier_definitions": [{"name": "own"}]}),
    ] {
        master.post(PATH, &body).with_status(400);
    }
}

#[test]
fn only_what_a_user_says_is_judged() {
    let simulator = Simulator::start();
    let turns = json!({
        "classification_mode": "user_turn",
        "classifier_type": "llm",
        "classifier_llm_config": {"model": "judge"},
    });
    let gateway = Gateway::of(&config(&simulator, turns));
    let client = gateway.master();
    simulator.behave_in_turn(
        "judge",
        vec![Behaviour::saying("COMPLEX")],
        Behaviour::saying("SIMPLE"),
    );
    let call = json!({"role": "assistant", "content": null, "tool_calls": [
        {"id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}},
    ]});
    let result = json!({"role": "tool", "tool_call_id": "c", "content": "42"});
    let turn = |messages: Vec<Value>| {
        let said = json!({"messages": messages, "litellm_session_id": "session-of-turns"});
        told(&client.chat(&chat_with("smart", said)).with_status(200))
    };
    let user = |text: &str| json!({"role": "user", "content": text});
    assert_eq!(turn(vec![user("look")]), of("large", "llm_classifier"));
    for _ in 0..3 {
        assert_eq!(
            turn(vec![user("look"), call.clone(), result.clone()]),
            of("large", "user_turn_continuation")
        );
    }
    assert_eq!(
        turn(vec![user("look"), call, result, user("thanks")]),
        of("small", "llm_classifier")
    );
    assert_eq!(
        led(
            &client,
            "You are coming up with a succinct title for a coding session"
        ),
        of("small", "housekeeping")
    );
    let asked = simulator.take();
    let asked = asked.iter().filter(|one| one.json()["model"] == "judge");
    assert_eq!(asked.count(), 2);
}
