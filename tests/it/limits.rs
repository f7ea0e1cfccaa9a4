//! G1: of any number of concurrent requests against a limit exactly as many pass, and a refused one burns nothing.

use std::time::{Duration, Instant};

use crate::harness::{
    Config, Deployment, Gateway, Key, Reply, SOON, Setup, at_once, chat, chat_with, json, until,
};
use crate::simulator::{Behaviour, Simulator};

fn gateway(simulator: &Simulator) -> Gateway {
    let deployment = Deployment::of(simulator, "m").priced(0.000_001, 0.000_001);
    Setup::new(&Config::of([deployment]).router("num_retries", 0))
        .workers(4)
        .start()
}

fn passed(replies: &[Reply]) -> usize {
    for reply in replies {
        assert!(
            [200, 429].contains(&reply.status),
            "{} {}",
            reply.status,
            String::from_utf8_lossy(&reply.body)
        );
    }
    replies.iter().filter(|reply| reply.status == 200).count()
}

/// A refusal by the limiter, in all its parts.
fn check_refusal(reply: &Reply, descriptor: &str, kind: &str, limit: u64) {
    assert_eq!(
        reply.status,
        429,
        "{}",
        String::from_utf8_lossy(&reply.body)
    );
    let error = reply.error();
    assert_eq!(
        (&error["type"], &error["param"]),
        (&json!("throttling_error"), &json!(null))
    );
    let message = error["message"].as_str().unwrap();
    let start = format!(
        "Rate limit exceeded for {descriptor}. Limit type: {kind}. Current limit: {limit}, Remaining: "
    );
    assert!(message.starts_with(&start), "{message}");
    let reset = reply.must("reset_at");
    assert!(
        message.ends_with(&format!("Limit resets at: {reset}")),
        "{message}"
    );
    assert!(
        reset.ends_with(" UTC") && reset.len() == "2030-01-02 03:04:05 UTC".len(),
        "{reset}"
    );
    assert_eq!(reply.must("rate_limit_type"), kind);
    let wait: u64 = reply.must("retry-after").parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
}

#[test]
fn exactly_the_limit_passes() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let key = gateway.key(json!({"rpm_limit": 37}));
    let caller = gateway.client(&key.secret);
    let replies = at_once(300, |_| caller.chat(&chat("m")));
    assert_eq!(passed(&replies), 37);
    assert_eq!(simulator.received("m"), 37);
    let refused = replies.iter().find(|reply| reply.status == 429).unwrap();
    check_refusal(refused, &format!("api_key: {}", key.hash), "requests", 37);
    gateway.rows_when(37);
}

#[test]
fn team_and_user_are_decided_in_the_same_step() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    gateway.team("t", |team| team.row.rpm_limit = Some(50));
    gateway.user("u", |user| user.rpm_limit = Some(20));
    let keys: Vec<Key> = [
        json!({"user_id": "u"}),
        json!({"rpm_limit": 5}),
        json!({}),
        json!({"user_id": "u"}),
    ]
    .into_iter()
    .map(|mut fields| {
        fields["team_id"] = json!("t");
        gateway.key(fields)
    })
    .collect();
    let callers: Vec<_> = keys.iter().map(|key| gateway.client(&key.secret)).collect();
    let replies = at_once(280, |index| callers[index % 4].chat(&chat("m")));
    let by_key = |own: usize| {
        replies
            .iter()
            .enumerate()
            .filter(move |(at, _)| at % 4 == own)
            .map(|(_, reply)| reply)
    };
    let passed_of = |own: usize| by_key(own).filter(|reply| reply.status == 200).count();
    assert_eq!(passed(&replies), 50, "the team's limit, exactly");
    assert!(passed_of(0) + passed_of(3) <= 20, "the user's");
    assert!(passed_of(1) <= 5, "the key's");
    assert_eq!(simulator.received("m"), 50);
}

/// What one scope refuses must not cost the others: LiteLLM charges the team for call 3, so that call 4 fails.
#[test]
fn a_refused_call_burns_nothing_elsewhere() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    gateway.team("t", |team| team.row.rpm_limit = Some(3));
    let first = gateway.caller(json!({"team_id": "t", "rpm_limit": 2}));
    let second = gateway.caller(json!({"team_id": "t"}));
    first.chat(&chat("m")).with_status(200);
    first.chat(&chat("m")).with_status(200);
    for _ in 0..5 {
        first.chat(&chat("m")).with_status(429);
    }
    second.chat(&chat("m")).with_status(200);
    let refused = second.chat(&chat("m"));
    check_refusal(&refused, "team: t", "requests", 3);
}

#[test]
fn requests_that_never_reach_the_limiter_burn_nothing() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let caller = gateway.caller(json!({"rpm_limit": 2, "models": ["m"]}));
    for body in [
        json!({"model": "m"}),
        chat("other"),
        json!({"model": 7, "messages": []}),
    ] {
        assert!(caller.chat(&body).status < 429);
    }
    caller.chat(&chat("m")).with_status(200);
    caller.chat(&chat("m")).with_status(200);
    caller.chat(&chat("m")).with_status(429);
}

#[test]
fn when_retry_after_is_over_the_next_call_passes() {
    let simulator = Simulator::start();
    let config = Config::single(&simulator, "m");
    let gateway = Setup::new(&config)
        .env("LITELLM_RATE_LIMIT_WINDOW_SIZE", "3")
        .start();
    let caller = gateway.caller(json!({"rpm_limit": 2}));
    let opened = Instant::now();
    caller.chat(&chat("m")).with_status(200);
    caller.chat(&chat("m")).with_status(200);
    let refused = caller.chat(&chat("m")).with_status(429);
    let wait = Duration::from_secs(refused.must("retry-after").parse().unwrap());
    assert!(wait <= Duration::from_secs(3));
    let due = Instant::now() + wait;
    until("the time that was told is over", SOON, || {
        Instant::now() >= due
    });
    caller.chat(&chat("m")).with_status(200);
    assert!(
        opened.elapsed() >= Duration::from_secs(2),
        "the window was shorter than told"
    );
}

#[test]
fn a_limit_of_nothing_blocks_everything() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    for (field, kind) in [
        ("rpm_limit", "requests"),
        ("tpm_limit", "tokens"),
        ("max_parallel_requests", "max_parallel_requests"),
    ] {
        let key = gateway.key(json!({field: 0}));
        let refused = gateway.client(&key.secret).chat(&chat("m"));
        check_refusal(&refused, &format!("api_key: {}", key.hash), kind, 0);
    }
    assert_eq!(simulator.received("m"), 0);
}

#[test]
fn calls_at_the_same_time() {
    let simulator = Simulator::start();
    simulator.behave("m", Behaviour::of(json!({"hold": true})));
    let gateway = gateway(&simulator);
    let key = gateway.key(json!({"max_parallel_requests": 7}));
    let caller = gateway.client(&key.secret);
    for round in [1.0, 2.0] {
        std::thread::scope(|scope| {
            let calls = scope.spawn(|| at_once(60, |_| caller.chat(&chat("m"))));
            assert!(simulator.wait_until(SOON, |simulator| simulator.held() == 7));
            // All others have been refused while these seven are held.
            until("53 are refused", SOON, || {
                gateway.metric("pointsman_refused_requests_total") == Some(round * 53.0)
            });
            simulator.release();
            let replies = calls.join().unwrap();
            assert_eq!(passed(&replies), 7);
            let refused = replies.iter().find(|reply| reply.status == 429).unwrap();
            check_refusal(
                refused,
                &format!("api_key: {}", key.hash),
                "max_parallel_requests",
                7,
            );
        });
    }
    assert_eq!(simulator.peak_in_flight("m"), 7);
}

/// `general_settings.max_parallel_requests` is for keys that have no limit of their own.
#[test]
fn keys_without_a_limit_have_the_general_one() {
    let simulator = Simulator::start();
    simulator.behave("m", Behaviour::of(json!({"hold": true})));
    let gateway = Gateway::of(&Config::single(&simulator, "m").general("max_parallel_requests", 2));
    let common = gateway.caller(json!({}));
    let own = gateway.caller(json!({"max_parallel_requests": 3}));
    let held = [&common, &common, &own, &own, &own].map(|caller| caller.send(&chat("m")));
    assert!(simulator.wait_until(SOON, |simulator| simulator.held() == 5));
    common.chat(&chat("m")).with_status(429);
    own.chat(&chat("m")).with_status(429);
    drop(held);
}

#[test]
fn all_callers_together() {
    let simulator = Simulator::start();
    simulator.behave("m", Behaviour::of(json!({"hold": true})));
    let gateway =
        Gateway::of(&Config::single(&simulator, "m").general("global_max_parallel_requests", 2));
    let callers = [0, 1, 2].map(|_| gateway.caller(json!({})));
    let held = [&callers[0], &callers[1]].map(|caller| caller.send(&chat("m")));
    assert!(simulator.wait_until(SOON, |simulator| simulator.held() == 2));
    let refused = callers[2].chat(&chat("m")).with_status(429);
    assert!(
        refused.message().contains("Hit Global Limit: Limit=2"),
        "{}",
        refused.message()
    );
    assert_eq!(refused.must("retry-after"), "1");
    // Whoever ends makes room for the next, and what was refused has used nothing up.
    drop(held);
    simulator.behave("m", Behaviour::default());
    until("there is room", SOON, || {
        callers[2].chat(&chat("m")).status == 200
    });
}

/// The slots of a deployment are as exact as the limits of a key.
#[test]
fn slots_of_a_deployment_are_exact() {
    let simulator = Simulator::start();
    simulator.behave("m", Behaviour::of(json!({"hold": true})));
    let deployment = Deployment::of(&simulator, "m").param("max_parallel_requests", 5);
    let config = Config::of([deployment]).router("num_retries", 0);
    let gateway = Setup::new(&config).workers(4).start();
    let master = gateway.master();
    std::thread::scope(|scope| {
        let calls = scope.spawn(|| at_once(80, |_| master.chat(&chat("m"))));
        assert!(simulator.wait_until(SOON, |simulator| simulator.held() == 5));
        until("75 are refused", SOON, || {
            gateway.metric("pointsman_refused_requests_total") == Some(75.0)
        });
        simulator.release();
        assert_eq!(passed(&calls.join().unwrap()), 5);
    });
    assert_eq!(simulator.peak_in_flight("m"), 5);
}

/// Tokens are reserved before the call and replaced by what it used: input is counted, output is `max_tokens`.
#[test]
fn tokens_are_reserved() {
    let simulator = Simulator::start();
    simulator.behave(
        "m",
        Behaviour::of(
            json!({"usage": {"prompt_tokens": 10, "completion_tokens": 90, "total_tokens": 100}}),
        ),
    );
    let gateway = gateway(&simulator);
    let key = gateway.key(json!({"tpm_limit": 1000}));
    let caller = gateway.client(&key.secret);
    // Every call reserves somewhat more than 90 and uses 100.
    let body = chat_with("m", json!({"max_tokens": 90}));
    let replies = at_once(100, |_| caller.chat(&body));
    let passed = passed(&replies);
    assert!(
        (8..=10).contains(&passed),
        "{passed} calls of about a hundred tokens within a thousand"
    );
    let refused = replies.iter().find(|reply| reply.status == 429).unwrap();
    check_refusal(refused, &format!("api_key: {}", key.hash), "tokens", 1000);
}

/// What a call did not use is given back.
#[test]
fn unused_tokens_come_back() {
    let simulator = Simulator::start();
    simulator.behave(
        "m",
        Behaviour::of(
            json!({"usage": {"prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 10}}),
        ),
    );
    let gateway = gateway(&simulator);
    let caller = gateway.caller(json!({"tpm_limit": 1000}));
    let body = chat_with("m", json!({"max_tokens": 900}));
    for _ in 0..6 {
        caller.chat(&body).with_status(200);
    }
    simulator.behave("m", Behaviour::failing(500));
    for _ in 0..6 {
        caller.chat(&body).with_status(500);
    }
}

/// A byte count overestimates; what does not fit by the guess is counted exactly before anybody is refused.
#[test]
fn a_guess_refuses_nobody() {
    let simulator = Simulator::start();
    simulator.behave(
        "m",
        Behaviour::of(
            json!({"usage": {"prompt_tokens": 150, "completion_tokens": 1, "total_tokens": 151}}),
        ),
    );
    let gateway = gateway(&simulator);
    let caller = gateway.caller(json!({"tpm_limit": 400}));
    // 4,000 bytes and far fewer tokens: one word that the tokenizer knows, many times, is a token each.
    let prompt = "international ".repeat(250);
    let body =
        json!({"model": "m", "max_tokens": 10, "messages": [{"role": "user", "content": prompt}]});
    caller.chat(&body).with_status(200);
}

#[test]
fn what_is_left_is_told() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let caller = gateway.caller(json!({"rpm_limit": 5, "tpm_limit": 10_000, "max_budget": 2.5}));
    let first = caller.chat(&chat("m")).with_status(200);
    assert_eq!(first.must("x-ratelimit-api_key-limit-requests"), "5");
    assert_eq!(first.must("x-ratelimit-api_key-remaining-requests"), "4");
    assert_eq!(first.must("x-ratelimit-api_key-limit-tokens"), "10000");
    assert_eq!(first.must("x-litellm-key-rpm-limit"), "5");
    assert_eq!(first.must("x-litellm-key-tpm-limit"), "10000");
    assert_eq!(first.must("x-litellm-key-max-budget"), "2.5");
    let second = caller.chat(&chat("m")).with_status(200);
    assert_eq!(second.must("x-ratelimit-api_key-remaining-requests"), "3");
    let unlimited = gateway.caller(json!({})).chat(&chat("m")).with_status(200);
    assert_eq!(unlimited.header("x-ratelimit-api_key-limit-requests"), None);
}
