//! A failure at one deployment is tried at another, as long as the client has seen nothing.

use std::time::{Duration, Instant};

use crate::harness::{Config, Deployment, Gateway, chat_with, json, streamed};
use crate::simulator::{Behaviour, Simulator};

/// A group `m` of two deployments: `bad` does as told, `good` answers.
fn pair(simulator: &Simulator, bad: Behaviour, retries: u32) -> Gateway {
    simulator.behave("bad", bad);
    simulator.behave("good", Behaviour::saying("from the good one"));
    let config = Config::of([
        Deployment::of(simulator, "bad")
            .group("m")
            .param("weight", 9),
        Deployment::of(simulator, "good")
            .group("m")
            .param("weight", 1),
    ]);
    Gateway::of(&config.router("num_retries", retries).never_cooling())
}

#[test]
fn another_deployment_answers() {
    let failures = [
        Behaviour::failing(500),
        Behaviour::failing(429),
        Behaviour::failing(401),
        Behaviour::of(json!({"cut_after_bytes": 30})),
        Behaviour::of(json!({"garbage": "not_json"})),
    ];
    for failure in failures {
        let told = format!("{failure:?}");
        let simulator = Simulator::start();
        let gateway = pair(&simulator, failure, 2);
        for body in [chat_with("m", json!({})), streamed("m", json!({}))] {
            for _ in 0..6 {
                let reply = gateway.master().chat(&body).with_status(200);
                assert!(reply.text().contains("good"), "{told}: {}", reply.text());
                assert_eq!(reply.must("x-litellm-model-id"), "id-good", "{told}");
                let retries = reply
                    .must("x-litellm-attempted-retries")
                    .parse::<u32>()
                    .unwrap();
                assert!(retries <= 1, "{told}: {retries}");
            }
        }
        assert!(
            simulator.received("bad") > 0,
            "the weights lead there first"
        );
        let rows = gateway.rows_when(12);
        let retried: usize = rows.iter().map(|row| usize::from(row.retries)).sum();
        assert_eq!(
            retried as u64,
            simulator.received("bad"),
            "one row a request, with its attempts"
        );
        gateway.books_agree();
    }
}

/// Where all of a group are left alone for a while a wait brings nobody: the client hears of the failure now.
#[test]
fn nobody_waits_for_those_that_cool_down() {
    let simulator = Simulator::start();
    let busy = Behaviour::of(json!({"status": 429, "headers": {"retry-after": "40"}}));
    for name in ["one", "other"] {
        simulator.behave(name, busy.clone());
    }
    let members = ["one", "other"].map(|name| Deployment::of(&simulator, name).group("m"));
    let gateway = Gateway::of(&Config::of(members).router("num_retries", 5));
    let asked = Instant::now();
    let body = chat_with("m", json!({}));
    gateway.master().chat(&body).with_status(429);
    assert!(asked.elapsed() < Duration::from_secs(20));
    assert_eq!(simulator.received("one") + simulator.received("other"), 2);
}

#[test]
fn what_fails_everywhere_is_not_tried_again() {
    for status in [400, 404, 422] {
        let simulator = Simulator::start();
        let gateway = pair(&simulator, Behaviour::failing(status), 2);
        simulator.behave("good", Behaviour::failing(status));
        for _ in 0..4 {
            gateway
                .master()
                .chat(&chat_with("m", json!({})))
                .with_status(status);
        }
        assert_eq!(
            simulator.received("good") + simulator.received("bad"),
            4,
            "{status}"
        );
    }
}

#[test]
fn retries_are_counted() {
    for (retries, expected) in [(0, 1), (1, 2)] {
        let simulator = Simulator::start();
        let gateway = pair(&simulator, Behaviour::failing(500), retries);
        simulator.behave("good", Behaviour::failing(503));
        let reply = gateway.master().chat(&chat_with("m", json!({})));
        assert!([500, 503].contains(&reply.status));
        assert_eq!(
            simulator.received("good") + simulator.received("bad"),
            expected
        );
    }
}

/// The header, then the body, then the configuration.
#[test]
fn the_caller_says_how_often() {
    let simulator = Simulator::start();
    let gateway = pair(&simulator, Behaviour::failing(500), 0);
    simulator.behave("good", Behaviour::failing(503));
    gateway
        .master()
        .chat(&chat_with("m", json!({"num_retries": 1})));
    assert_eq!(simulator.take().len(), 2);
    let request = crate::harness::Request::post(
        "/v1/chat/completions",
        chat_with("m", json!({"num_retries": 5})).to_string(),
    );
    gateway
        .master()
        .ask(request.header("x-litellm-num-retries", "1"));
    assert_eq!(simulator.take().len(), 2);
}

/// A lone deployment is tried again after a pause.
#[test]
fn a_passing_failure_passes() {
    let simulator = Simulator::start();
    simulator.behave_in_turn("m", vec![Behaviour::failing(503)], Behaviour::default());
    let gateway =
        Gateway::of(&Config::of([Deployment::of(&simulator, "m")]).router("num_retries", 1));
    let reply = gateway
        .master()
        .chat(&chat_with("m", json!({})))
        .with_status(200);
    assert_eq!(reply.must("x-litellm-attempted-retries"), "1");
    assert_eq!(simulator.received("m"), 2);
}

/// What a policy names is tried again, also where it would not be; a group's own policy replaces the general one.
#[test]
fn retries_by_kind_of_error() {
    for (settings, status, calls) in [
        (
            json!({"retry_policy": {"BadRequestErrorRetries": 1}}),
            400,
            2,
        ),
        (
            json!({"retry_policy": {"BadRequestErrorRetries": 1}}),
            500,
            1,
        ),
        (json!({"retry_policy": {"DefaultRetries": 1}}), 500, 2),
        (json!({"retry_policy": {"DefaultRetries": 1}}), 400, 1),
        (
            json!({"retry_policy": {"InternalServerErrorRetries": 1}, "model_group_retry_policy": {"m": {}}}),
            500,
            1,
        ),
        (
            json!({"model_group_retry_policy": {"m": {"InternalServerErrorRetries": 1}}}),
            500,
            2,
        ),
        (
            json!({"model_group_retry_policy": {"n": {"InternalServerErrorRetries": 1}}}),
            500,
            1,
        ),
    ] {
        let simulator = Simulator::start();
        simulator.behave_by_default(Behaviour::failing(status));
        let deployments = ["bad", "good"].map(|name| Deployment::of(&simulator, name).group("m"));
        let config = Config::of(deployments).router("num_retries", 0);
        let config = settings
            .as_object()
            .unwrap()
            .iter()
            .fold(config, |config, (name, value)| {
                config.router(name, value.clone())
            });
        let gateway = Gateway::of(&config);
        gateway
            .master()
            .chat(&chat_with("m", json!({})))
            .with_status(status);
        assert_eq!(simulator.take().len(), calls, "{status} with {settings}");
        // A request that wants no retries gets none.
        gateway
            .master()
            .chat(&chat_with("m", json!({"num_retries": 0})))
            .with_status(status);
        assert_eq!(simulator.take().len(), 1, "{settings}");
    }
}

/// Between two calls of one deployment: half a second, the configuration's shortest wait, what the provider asks for.
#[test]
fn the_shortest_wait() {
    for (shortest, asked, least, most) in [
        (None, None, 500, 1_400),
        (Some(2), None, 2_000, 2_900),
        (None, Some("1"), 1_000, 1_900),
        (None, Some("3000"), 500, 1_400),
    ] {
        let simulator = Simulator::start();
        let mut failing = Behaviour::failing(429);
        if let Some(asked) = asked {
            failing.headers.insert("retry-after".into(), asked.into());
        }
        simulator.behave_in_turn("m", vec![failing], Behaviour::default());
        let config = Config::single(&simulator, "m").router("num_retries", 1);
        let config = match shortest {
            Some(seconds) => config.router("retry_after", seconds),
            None => config,
        };
        let gateway = Gateway::of(&config);
        gateway
            .master()
            .chat(&chat_with("m", json!({})))
            .with_status(200);
        let calls = simulator.take();
        let waited = calls[1].at - calls[0].at;
        assert!(
            (least..most).contains(&waited.as_millis()),
            "{waited:?} with {shortest:?} and {asked:?}"
        );
    }
}

#[test]
fn a_stream_is_retried_until_its_first_content() {
    let simulator = Simulator::start();
    // The role's chunk has come, no content.
    let gateway = pair(
        &simulator,
        Behaviour::of(json!({"error_mid_stream": {"after_chunks": 0}})),
        2,
    );
    for _ in 0..6 {
        let reply = gateway
            .master()
            .chat(&streamed("m", json!({})))
            .with_status(200);
        assert_eq!(reply.said(), "from the good one");
        let roles = reply
            .events()
            .iter()
            .filter(|event| event["choices"][0]["delta"]["role"] == "assistant")
            .count();
        assert_eq!(roles, 1, "the failed attempt left something behind");
    }
    assert!(simulator.received("bad") > 0);
    let received = simulator.received("good");
    simulator.behave("good", Behaviour::of(json!({"content": "a b c", "chunk_delay_ms": 40, "error_mid_stream": {"after_chunks": 2}})));
    simulator.behave("bad", Behaviour::of(json!({"content": "a b c", "chunk_delay_ms": 40, "error_mid_stream": {"after_chunks": 2}})));
    let before = simulator.received("bad") + received;
    let reply = gateway
        .master()
        .chat(&streamed("m", json!({})))
        .with_status(200);
    assert!(reply.frames().last().unwrap().contains("\"error\""));
    assert_eq!(
        simulator.received("good") + simulator.received("bad"),
        before + 1
    );
}

/// A deployment that is full is passed over, and with all full the client is told so.
#[test]
fn slots_of_a_deployment() {
    let simulator = Simulator::start();
    simulator.behave("m", Behaviour::of(json!({"hold": true})));
    let deployment = Deployment::of(&simulator, "m").param("max_parallel_requests", 2);
    let gateway = Gateway::of(&Config::of([deployment]).router("num_retries", 0));
    let held = [0, 1].map(|_| gateway.master().send(&chat_with("m", json!({}))));
    assert!(simulator.wait_until(crate::harness::SOON, |simulator| simulator.held() == 2));
    let reply = gateway
        .master()
        .chat(&chat_with("m", json!({})))
        .with_status(429);
    let expected = "Deployment has all max_parallel_requests slots in use.";
    assert!(reply.message().contains(expected), "{}", reply.message());
    simulator.release();
    for mut connection in held {
        connection.reply().unwrap().with_status(200);
    }
    simulator.behave("m", Behaviour::default());
    gateway
        .master()
        .chat(&chat_with("m", json!({})))
        .with_status(200);
}
