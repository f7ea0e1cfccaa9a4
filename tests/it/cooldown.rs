//! Deployments that fail are left out for a while, and come back.

use std::time::{Duration, Instant};

use crate::harness::{
    Config, Connection, Deployment, Gateway, Reply, SOON, Setup, Value, chat_with, eventually,
    json, until,
};
use crate::simulator::{Behaviour, Simulator};

/// A group `m` of two deployments, one of which does as told.
fn pair(simulator: &Simulator, bad: Behaviour) -> Config {
    simulator.behave("bad", bad);
    Config::of([
        Deployment::of(simulator, "bad").group("m"),
        Deployment::of(simulator, "good").group("m"),
    ])
    .router("num_retries", 0)
}

/// A group of one.
fn alone(simulator: &Simulator, bad: Behaviour) -> Config {
    simulator.behave("m", bad);
    Config::of([Deployment::of(simulator, "m")]).router("num_retries", 0)
}

fn ask(gateway: &Gateway) -> Reply {
    gateway.master().chat(&chat_with("m", json!({})))
}

/// Calls until the bad one has failed so often.
fn fail(gateway: &Gateway, simulator: &Simulator, times: u64) {
    until("failures", SOON, || {
        ask(gateway);
        simulator.received("bad") >= times
    });
}

/// No call goes to the bad one any more, although it would be as likely as the other.
fn is_left_out(gateway: &Gateway, simulator: &Simulator) {
    let before = simulator.received("bad");
    for _ in 0..16 {
        ask(gateway).with_status(200);
    }
    assert_eq!(
        simulator.received("bad"),
        before,
        "it was called while it cooled down"
    );
}

/// Statuses of calls, one after the other.
fn statuses(gateway: &Gateway, count: usize) -> Vec<u16> {
    (0..count).map(|_| ask(gateway).status).collect()
}

fn failing_with(status: u16, headers: Value) -> Behaviour {
    Behaviour::of(json!({"status": status, "headers": headers}))
}

#[test]
fn a_deployment_is_left_out_and_comes_back() {
    let simulator = Simulator::start();
    let config = pair(&simulator, Behaviour::failing(429)).router("cooldown_time", 1.5);
    let gateway = Setup::new(&config).log("info").start();
    let began = Instant::now();
    fail(&gateway, &simulator, 1);
    is_left_out(&gateway, &simulator);
    let health = gateway
        .master()
        .get("/health?model_id=id-bad")
        .with_status(503)
        .json();
    let bad = &health["unhealthy_endpoints"][0];
    assert_eq!(bad["state"], "cooling", "{bad}");
    let left = bad["cooldown_seconds_left"].as_f64().unwrap_or_default();
    assert!(left > 0.0 && left <= 1.5, "{bad}");
    let metrics = gateway.metrics();
    let labels = |status: &str| {
        let base = simulator.base_url();
        format!(
            "{{api_base=\"{base}\",api_provider=\"openai\"{status},litellm_model_name=\"bad\",model_id=\"id-bad\"}}"
        )
    };
    for line in [
        format!("litellm_deployment_state{} 2", labels("")),
        format!(
            "litellm_deployment_cooled_down_total{} 1",
            labels(",exception_status=\"429\"")
        ),
    ] {
        assert!(metrics.contains(&line), "no {line} in\n{metrics}");
    }
    simulator.behave("bad", Behaviour::saying("well again"));
    let asked = simulator.received("bad");
    until("the deployment is back", SOON, || {
        ask(&gateway).with_status(200);
        simulator.received("bad") > asked
    });
    assert!(
        began.elapsed() >= Duration::from_millis(1500),
        "too early: {:?}",
        began.elapsed()
    );
    until("both ends are told", SOON, || {
        let log = gateway.log();
        log.contains(
            "deployment id-bad of m takes no calls for 1.5 s: it failed with 429 (RateLimitError)",
        ) && log.contains("deployment id-bad of m takes calls again")
    });
    let state = format!("litellm_deployment_state{} 0", labels(""));
    assert!(gateway.metrics().contains(&state));
}

/// `allowed_fails` unset: more than half of at least five calls of a minute.
#[test]
fn the_share_of_failures_decides() {
    let simulator = Simulator::start();
    let config = pair(&simulator, Behaviour::failing(500));
    let gateway = Gateway::of(&config);
    fail(&gateway, &simulator, 5);
    is_left_out(&gateway, &simulator);
    assert_eq!(simulator.received("bad"), 5);
}

#[test]
fn the_environment_moves_the_thresholds() {
    let simulator = Simulator::start();
    let config = pair(&simulator, Behaviour::failing(500));
    let gateway = Setup::new(&config)
        .env("DEFAULT_FAILURE_THRESHOLD_MINIMUM_REQUESTS", "2")
        .env("DEFAULT_FAILURE_THRESHOLD_PERCENT", "0.9")
        .env("DEFAULT_COOLDOWN_TIME_SECONDS", "33")
        .start();
    fail(&gateway, &simulator, 2);
    is_left_out(&gateway, &simulator);
    simulator.behave("good", Behaviour::failing(500));
    ask(&gateway).with_status(500);
    let refusal = eventually("nobody is left", SOON, || {
        Some(ask(&gateway)).filter(|reply| reply.status == 429)
    });
    let wait: u64 = refusal.must("retry-after").parse().expect("seconds");
    assert!((30..=33).contains(&wait), "{wait}");
}

/// What is not passing keeps it away at once; the rest never does, but for a thousand failures in a minute.
#[test]
fn the_only_deployment_of_a_group_goes_on() {
    for (status, is_left_out) in [
        (401, true),
        (402, false),
        (403, false),
        (404, true),
        (408, false),
        (409, false),
        (422, false),
        (429, false),
        (500, false),
        (503, false),
    ] {
        let simulator = Simulator::start();
        let gateway = Gateway::of(&alone(&simulator, Behaviour::failing(status)));
        let then = if is_left_out { 429 } else { status };
        let mut expected = vec![status];
        expected.extend([then; 6]);
        assert_eq!(statuses(&gateway, 7), expected);
        let called = if is_left_out { 1 } else { 7 };
        assert_eq!(simulator.received("m"), called, "{status}");
    }
}

#[test]
fn a_thousand_failures_count_for_the_only_one_too() {
    let simulator = Simulator::start();
    let config = alone(&simulator, Behaviour::failing(500));
    let gateway = Setup::new(&config)
        .env("SINGLE_DEPLOYMENT_TRAFFIC_FAILURE_THRESHOLD", "7")
        .start();
    assert_eq!(
        statuses(&gateway, 9),
        [500, 500, 500, 500, 500, 500, 500, 429, 429]
    );
}

#[test]
fn when_all_cool_down_the_answer_says_when_to_come_back() {
    let simulator = Simulator::start();
    let config = alone(&simulator, failing_with(401, json!({"retry-after": "7"})));
    let gateway = Gateway::of(&config);
    ask(&gateway).with_status(401);
    let reply = ask(&gateway).with_status(429);
    let error = reply.error();
    assert_eq!(
        (&error["type"], &error["code"], &error["param"]),
        (
            &json!("all_deployments_in_cooldown"),
            &json!("429"),
            &Value::Null
        )
    );
    let said = "No deployments available for selected model, Try again in 7 seconds. All deployments for selected model are in \
                cooldown. Passed model=m. pre-call-checks=False, cooldown_list=['id-m'] Passed over: id-m (cooldown for ";
    assert!(reply.message().starts_with(said), "{}", reply.message());
    assert_eq!(reply.must("retry-after"), "7");
    // A refusal of ours burns nothing and leaves no row.
    assert_eq!(gateway.rows_when(1).len(), 1);
    assert_eq!(gateway.metric("pointsman_open_holds"), Some(0.0));
}

#[test]
fn how_long_says_the_deployment_then_the_upstream_then_the_router() {
    let asked = json!({"retry-after": "40"});
    for (headers, of_info, of_params, seconds) in [
        (json!({}), None, None, 20),
        (asked.clone(), None, None, 40),
        (asked.clone(), None, Some(50), 50),
        (asked, Some(60), Some(50), 60),
    ] {
        let simulator = Simulator::start();
        simulator.behave("m", failing_with(401, headers));
        let mut deployment = Deployment::of(&simulator, "m");
        if let Some(time) = of_info {
            deployment = deployment.info("cooldown_time", time);
        }
        if let Some(time) = of_params {
            deployment = deployment.param("cooldown_time", time);
        }
        let config = Config::of([deployment])
            .router("cooldown_time", 20)
            .router("num_retries", 0);
        let gateway = Gateway::of(&config);
        ask(&gateway).with_status(401);
        assert_eq!(
            ask(&gateway).with_status(429).must("retry-after"),
            seconds.to_string()
        );
        // None of it is the provider's business.
        assert!(
            simulator
                .requests()
                .iter()
                .all(|request| !String::from_utf8_lossy(&request.body).contains("cooldown"))
        );
    }
}

#[test]
fn failures_that_are_allowed() {
    let by_class = json!({"InternalServerErrorAllowedFails": 2});
    for (name, of_router) in [
        ("allowed_fails", json!(2)),
        ("allowed_fails_policy", by_class.clone()),
    ] {
        let simulator = Simulator::start();
        let config = alone(&simulator, Behaviour::failing(500)).router(name, of_router);
        assert_eq!(
            statuses(&Gateway::of(&config), 5),
            [500, 500, 500, 429, 429],
            "{name}"
        );
    }
    let simulator = Simulator::start();
    let config = alone(&simulator, Behaviour::failing(500)).litellm("allowed_fails", 2);
    let asked = statuses(&Gateway::of(&config), 5);
    assert_eq!(asked, [500, 500, 500, 429, 429]);
    let asked = statuses(&Gateway::of(&config.router("allowed_fails", 0)), 2);
    assert_eq!(asked, [500, 429], "the router's own wins");
    // Three are LiteLLM's default, and so as good as nothing said.
    let simulator = Simulator::start();
    let config = alone(&simulator, Behaviour::failing(500)).router("allowed_fails", 3);
    assert_eq!(statuses(&Gateway::of(&config), 9), [500; 9]);
}

#[test]
fn a_deployment_allows_failures_of_its_own() {
    let simulator = Simulator::start();
    simulator.behave("bad", Behaviour::failing(500));
    simulator.behave("worse", Behaviour::failing(422));
    let config = Config::of([
        Deployment::of(&simulator, "bad")
            .group("m")
            .info("allowed_fails", 0),
        Deployment::of(&simulator, "good").group("m"),
        Deployment::of(&simulator, "worse").info(
            "allowed_fails_policy",
            json!({"BadRequestErrorAllowedFails": 1}),
        ),
    ])
    .router("num_retries", 0)
    .router("allowed_fails", 1_000);
    let gateway = Gateway::of(&config);
    fail(&gateway, &simulator, 1);
    is_left_out(&gateway, &simulator);
    // A named class counts that otherwise never would.
    let body = chat_with("worse", json!({}));
    let asked: Vec<u16> = (0..3)
        .map(|_| gateway.master().chat(&body).status)
        .collect();
    assert_eq!(asked, [422, 422, 429]);
}

/// However often a request is tried at a deployment, it counts once there.
#[test]
fn retries_of_one_request_count_once() {
    let simulator = Simulator::start();
    simulator.behave("m", failing_with(500, json!({"retry-after": "0.001"})));
    let config = Config::of([Deployment::of(&simulator, "m").param("cooldown_time", 60)])
        .router("allowed_fails", 1)
        .router("num_retries", 2);
    let gateway = Gateway::of(&config);
    assert_eq!(ask(&gateway).status, 500);
    assert_eq!(simulator.received("m"), 3);
    assert_eq!(ask(&gateway).status, 500);
    assert_eq!(
        simulator.received("m"),
        4,
        "the second request's failure is the second that counts"
    );
    assert_eq!(ask(&gateway).status, 429);
}

#[test]
fn cooldowns_can_be_switched_off() {
    let simulator = Simulator::start();
    let config = alone(&simulator, Behaviour::failing(401)).router("disable_cooldowns", true);
    assert_eq!(statuses(&Gateway::of(&config), 4), [401; 4]);
    let config = alone(&simulator, Behaviour::failing(401)).router("cooldown_time", 0);
    assert_eq!(statuses(&Gateway::of(&config), 4), [401; 4]);
}

/// Where every failure of the deployment would cool it down.
fn unforgiving(simulator: &Simulator, behaviour: Behaviour) -> Config {
    alone(simulator, behaviour)
        .router("allowed_fails", 0)
        .router("cooldown_time", 60)
}

#[test]
fn what_is_no_fault_of_the_deployment_does_not_count() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&unforgiving(
        &simulator,
        Behaviour::of(json!({"hang": "before_head"})),
    ));
    // A caller in a hurry.
    let hurried = chat_with("m", json!({"timeout": 0.2}));
    gateway.master().chat(&hurried).with_status(408);
    // A caller who leaves.
    let waiting = gateway.master().send(&chat_with("m", json!({})));
    until("the call is under way", SOON, || {
        simulator.received("m") == 2
    });
    drop(waiting);
    until("it is given up", SOON, || {
        gateway.metric("pointsman_open_holds") == Some(0.0)
    });
    simulator.behave("m", Behaviour::default());
    // What the gateway refuses itself.
    gateway
        .master()
        .chat(&json!({"model": "m"}))
        .with_status(400);
    let limited = gateway.caller(json!({"rpm_limit": 1}));
    let body = chat_with("m", json!({}));
    limited.chat(&body).with_status(200);
    limited.chat(&body).with_status(429);
    assert_eq!(statuses(&gateway, 3), [200; 3]);
}

/// The deployment's own time limit is another matter.
#[test]
fn a_deployment_that_is_too_slow_is_left_out() {
    let simulator = Simulator::start();
    simulator.behave("m", Behaviour::of(json!({"hang": "before_head"})));
    let config = Config::of([Deployment::of(&simulator, "m").param("timeout", 0.2)])
        .router("num_retries", 0)
        .router("allowed_fails", 0);
    assert_eq!(statuses(&Gateway::of(&config), 2), [408, 429]);
}

/// A stream that breaks after its first content counts like any failure.
#[test]
fn a_broken_stream_counts() {
    let simulator = Simulator::start();
    let broken = Behaviour::of(json!({"content": "one two three four", "cut_after_bytes": 700}));
    let gateway = Gateway::of(&unforgiving(&simulator, broken));
    let reply = gateway
        .master()
        .chat(&crate::harness::streamed("m", json!({})))
        .with_status(200);
    assert!(!reply.is_done(), "{}", reply.text());
    assert_eq!(ask(&gateway).status, 429);
}

/// Nothing listens there: LiteLLM never leaves such a deployment out, and another is tried at once anyway.
#[test]
fn no_connection_is_no_reason() {
    let simulator = Simulator::start();
    let config = Config::of([Deployment::at("http://127.0.0.1:1/v1", "m")])
        .router("num_retries", 0)
        .router("allowed_fails", 0);
    let gateway = Gateway::of(&config);
    assert_eq!(statuses(&gateway, 3), [500; 3]);
    drop(simulator);
}

/// With retries the client sees nothing of it, not even while the failing one is found out.
#[test]
fn clients_do_not_notice() {
    let simulator = Simulator::start();
    let config = pair(&simulator, Behaviour::failing(401)).router("num_retries", 2);
    let gateway = Gateway::of(&config);
    assert_eq!(statuses(&gateway, 24), [200; 24]);
    assert_eq!(simulator.received("bad"), 1);
    gateway.books_agree();
}

/// Sends calls, none of which is waited for, until one has reached the bad deployment, which answers none of them.
fn hold_one(gateway: &Gateway, simulator: &Simulator) -> Vec<Connection> {
    simulator.behave("bad", Behaviour::of(json!({"hold": true})));
    let (before, mut sent) = (simulator.received("bad"), Vec::new());
    until("a call tries it", SOON, || {
        let arrived = || simulator.received("bad") + simulator.received("good");
        let others = arrived();
        sent.push(gateway.master().send(&chat_with("m", json!({}))));
        until("it arrives", SOON, || arrived() > others);
        simulator.received("bad") > before
    });
    sent
}

#[test]
fn one_call_finds_out_whether_a_deployment_is_back() {
    for (recovery, is_alone) in [("half-open", true), ("at-once", false)] {
        let simulator = Simulator::start();
        let config = pair(&simulator, Behaviour::failing(429))
            .router("cooldown_time", 1)
            .router("cooldown_recovery", recovery);
        let gateway = Gateway::of(&config);
        fail(&gateway, &simulator, 1);
        let arrived = || simulator.received("bad") + simulator.received("good");
        let before = arrived();
        let held = hold_one(&gateway, &simulator);
        let tried = simulator.received("bad");
        let others: Vec<_> = (0..24)
            .map(|_| gateway.master().send(&chat_with("m", json!({}))))
            .collect();
        until("all have arrived", SOON, || {
            arrived() >= before + (held.len() + others.len()) as u64
        });
        assert_eq!(simulator.received("bad") == tried, is_alone, "{recovery}");
        simulator.release();
        drop((held, others));
        simulator.behave("bad", Behaviour::default());
        let before = simulator.received("bad");
        until("it takes its share again", SOON, || {
            ask(&gateway).with_status(200);
            simulator.received("bad") >= before + 2
        });
    }
}

/// The first call back fails, which alone would begin no cooldown.
#[test]
fn a_failed_trial_is_followed_by_a_longer_cooldown() {
    let simulator = Simulator::start();
    let config = pair(&simulator, Behaviour::failing(429)).router("cooldown_time", 1);
    let gateway = Setup::new(&config).log("info").start();
    fail(&gateway, &simulator, 1);
    simulator.behave("bad", Behaviour::failing(500));
    fail(&gateway, &simulator, 2);
    is_left_out(&gateway, &simulator);
    until("the log tells", SOON, || {
        gateway.log().contains("takes no calls for 2.0 s")
    });
}

/// Others that could take the call are in cooldown themselves: nobody is refused for a trial.
#[test]
fn a_trial_turns_nobody_away() {
    let simulator = Simulator::start();
    let config = pair(&simulator, Behaviour::failing(429)).router("cooldown_time", 1);
    let gateway = Gateway::of(&config);
    fail(&gateway, &simulator, 1);
    let held = hold_one(&gateway, &simulator);
    let asked = json!({"retry-after": "60"});
    simulator.behave("good", failing_with(429, asked));
    ask(&gateway).with_status(429);
    simulator.behave("bad", Behaviour::saying("well"));
    assert_eq!(statuses(&gateway, 3), [200; 3]);
    simulator.release();
    drop(held);
}
