//! A second call beside a stream that says nothing: the first content wins, the other call is ended and paid for.

use std::time::{Duration, Instant};

use crate::harness::{
    Config, Deployment, Gateway, Key, MASTER_KEY, Reply, Request, SOON, Value, chat, json,
    streamed, until,
};
use crate::simulator::{Behaviour, Simulator};

/// A group whose first deployment takes every first call, and another one.
struct Pair {
    gateway: Gateway,
    slow: Simulator,
    quick: Simulator,
}

impl Pair {
    fn with(hedge: Value, more: impl FnOnce(Config) -> Config) -> Self {
        let (slow, quick) = (Simulator::start(), Simulator::start());
        let of = |simulator: &Simulator, id: &str, weight: u32| {
            Deployment::of(simulator, "m")
                .id(id)
                .param("weight", weight)
                .priced(1e-6, 2e-6)
        };
        let config = Config::of([of(&slow, "slow", 1), of(&quick, "quick", 0)])
            .router("num_retries", 0)
            .router("hedge", hedge)
            .never_cooling();
        quick.behave("m", Behaviour::saying("from the quick one"));
        Self {
            gateway: Gateway::of(&more(config)),
            slow,
            quick,
        }
    }

    fn of(hedge: Value) -> Self {
        Self::with(hedge, |config| config)
    }

    fn slow_is(&self, behaviour: Value) {
        self.slow.behave("m", Behaviour::of(behaviour));
    }

    fn calls(&self) -> (usize, usize) {
        (self.slow.take().len(), self.quick.take().len())
    }

    fn ask(&self) -> Reply {
        self.gateway.master().chat(&streamed("m", json!({})))
    }
}

#[test]
fn the_first_content_wins() {
    let pair = Pair::of(json!({"after": 0.15, "max_extra_cost": 1}));
    for (path, more) in [
        (
            "/v1/chat/completions",
            json!({"messages": [{"role": "user", "content": "Hi"}]}),
        ),
        (
            "/v1/messages",
            json!({"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 50}),
        ),
        ("/v1/responses", json!({"input": "Hi", "store": false})),
    ] {
        pair.slow_is(json!({"hang": "after_head"}));
        let mut body = json!({"model": "m", "stream": true});
        let fields = body.as_object_mut().expect("an object");
        fields.extend(more.as_object().expect("an object").clone());
        let began = Instant::now();
        let request = Request::post(path, body.to_string()).key(MASTER_KEY);
        let reply = pair.gateway.anonymous().ask(request).with_status(200);
        let took = began.elapsed();
        assert!(took >= Duration::from_millis(140), "{path}: {took:?}");
        assert!(took < Duration::from_secs(5), "{path}: {took:?}");
        assert!(reply.text().contains("quick "), "{path}: {}", reply.text());
        assert_eq!(reply.must("x-litellm-model-id"), "quick", "{path}");
        assert_eq!(pair.calls(), (1, 1), "{path}");
        // The loser is ended, its slot free.
        until("the slow call ends", SOON, || pair.slow.in_flight("m") == 0);
    }
    let rows = pair.gateway.rows_when(3);
    for row in rows {
        assert_eq!(
            (&*row.model_id, row.http_status, row.retries),
            ("quick", 200, 1)
        );
        assert!(
            row.usage_estimated,
            "what the other one read is a guess: {row:?}"
        );
        let failed = row.read_labels().previous_models;
        assert_eq!(failed.len(), 1, "{failed:?}");
        assert_eq!(
            (
                &*failed[0].model_id,
                &*failed[0].exception_type,
                failed[0].status
            ),
            ("slow", "Hedged", 499)
        );
    }
    pair.gateway.books_agree();
}

/// The first call may still be the quicker one; then the second is the one that is ended. What both cost is one row's.
#[test]
fn both_are_paid_for_once() {
    let pair = Pair::of(json!({"after": 0.1, "max_extra_cost": 1}));
    let usage = json!({"prompt_tokens": 1000, "completion_tokens": 10, "total_tokens": 1010});
    pair.slow_is(json!({"content": "from the slow one", "delay_ms": 400, "usage": usage}));
    pair.quick
        .behave("m", Behaviour::of(json!({"hang": "before_head"})));
    let key: Key = pair.gateway.key(json!({"max_budget": 1.0}));
    let reply = pair
        .gateway
        .client(&key.secret)
        .chat(&streamed("m", json!({})));
    assert_eq!(reply.said(), "from the slow one");
    assert_eq!(pair.calls(), (1, 1));
    until("the second call ends", SOON, || {
        pair.quick.in_flight("m") == 0
    });
    let row = &pair.gateway.rows_when(1)[0];
    assert_eq!(&*row.model_id, "slow");
    let own = 1000 * 1_000 + 10 * 2_000;
    let other = row.usage.prompt_tokens() - 1000;
    assert!(other > 0, "what the second call read: {row:?}");
    assert_eq!(row.spend.0, own + other as i64 * 1_000, "{row:?}");
    until("the key has paid", SOON, || {
        pair.gateway.key_info(&key)["spend"]
            .as_f64()
            .unwrap_or_default()
            > 0.0
    });
    pair.gateway.books_agree();
}

#[test]
fn a_stream_that_speaks_in_time_is_alone() {
    let pair = Pair::of(json!({"after": 5, "max_extra_cost": 1}));
    pair.slow_is(json!({"content": "in time", "delay_ms": 50}));
    assert_eq!(pair.ask().said(), "in time");
    // Whole answers are never hedged.
    pair.slow_is(json!({"content": "whole", "delay_ms": 50}));
    pair.gateway
        .master()
        .chat(&crate::harness::chat("m"))
        .with_status(200);
    assert_eq!(pair.calls(), (2, 0));
    assert!(!pair.gateway.rows_when(2)[0].usage_estimated);
}

/// Second calls cost no more than their share: of ten streams alike one has a second call.
#[test]
fn second_calls_have_an_allowance() {
    let pair = Pair::of(json!({"after": 0.05, "max_extra_cost": 0.1}));
    pair.slow_is(json!({"content": "slow", "delay_ms": 200}));
    for _ in 0..20 {
        assert_eq!(pair.ask().status, 200);
    }
    assert_eq!(pair.calls(), (20, 2));
}

/// With `p95` nobody is hedged until the group's times are known; then who is slower than they were is.
#[test]
fn the_groups_own_times_decide() {
    let pair = Pair::of(json!({"after": "p95", "max_extra_cost": 1}));
    pair.slow_is(json!({"content": "known", "delay_ms": 20}));
    for _ in 0..25 {
        assert_eq!(pair.ask().said(), "known");
    }
    let (slow, quick) = pair.calls();
    assert_eq!(slow, 25);
    assert!(quick <= 5, "{quick} second calls of the first 25");
    pair.slow_is(json!({"hang": "before_head"}));
    let began = Instant::now();
    assert_eq!(pair.ask().said(), "from the quick one");
    assert!(
        began.elapsed() < Duration::from_secs(3),
        "{:?}",
        began.elapsed()
    );
}

/// One of the two may fail: the other one's answer counts. When both do, what comes next is what follows any failure.
#[test]
fn one_or_both_fail() {
    let fallback = Simulator::start();
    fallback.behave("other", Behaviour::saying("from the fallback"));
    let (slow, quick) = (Simulator::start(), Simulator::start());
    let of = |simulator: &Simulator, id: &str, weight: u32| {
        Deployment::of(simulator, "m")
            .id(id)
            .param("weight", weight)
    };
    let config = Config::of([
        of(&slow, "slow", 1),
        of(&quick, "quick", 0),
        Deployment::of(&fallback, "other"),
    ])
    .router("num_retries", 0)
    .router("hedge", json!({"after": 0.1, "max_extra_cost": 1}))
    .router("fallbacks", json!([{"m": ["other"]}]))
    .never_cooling();
    let gateway = Gateway::of(&config);
    let fails = |delay: u64| Behaviour::of(json!({"status": 503, "delay_ms": delay}));
    let speaks =
        |text: &str, delay: u64| Behaviour::of(json!({"content": text, "delay_ms": delay}));
    for (first, second, expected) in [
        (fails(300), speaks("second", 400), "second"),
        (speaks("first", 400), fails(0), "first"),
        (fails(300), fails(0), "from the fallback"),
        (fails(200), fails(300), "from the fallback"),
    ] {
        slow.behave("m", first);
        quick.behave("m", second);
        let reply = gateway.master().chat(&streamed("m", json!({})));
        assert_eq!(reply.said(), expected, "{}", reply.text());
    }
    let rows = gateway.rows_when(4);
    assert!(rows.iter().all(|row| row.http_status == 200), "{rows:#?}");
    gateway.books_agree();
}

/// A client that leaves ends both calls.
#[test]
fn leaving_ends_both() {
    let pair = Pair::of(json!({"after": 0.1, "max_extra_cost": 1}));
    pair.slow_is(json!({"hang": "before_head"}));
    pair.quick
        .behave("m", Behaviour::of(json!({"hang": "before_head"})));
    let connection = pair.gateway.master().send(&streamed("m", json!({})));
    until("both are called", SOON, || {
        (pair.slow.in_flight("m"), pair.quick.in_flight("m")) == (1, 1)
    });
    connection.leave();
    until("both calls end", SOON, || {
        (pair.slow.in_flight("m"), pair.quick.in_flight("m")) == (0, 0)
    });
    assert_eq!(pair.gateway.rows_when(1)[0].http_status, 499);
    pair.gateway.books_agree();
    // Their slots are free again.
    pair.slow_is(json!({"content": "again"}));
    assert_eq!(pair.ask().said(), "again");
}

/// A budget that has no room for two calls has one.
#[test]
fn a_budget_has_no_room_for_two() {
    let pair = Pair::with(json!({"after": 0.05, "max_extra_cost": 1}), |config| {
        config.general("budget_enforcement", "strict")
    });
    pair.slow_is(json!({"content": "alone", "delay_ms": 300}));
    // A call of at most 1,000 tokens holds about 0.002 dollars, two of them more than this budget has.
    let key = pair.gateway.key(json!({"max_budget": 0.003}));
    let body = streamed("m", json!({"max_tokens": 1000}));
    let reply = pair
        .gateway
        .client(&key.secret)
        .chat(&body)
        .with_status(200);
    assert_eq!(reply.said(), "alone");
    assert_eq!(pair.calls(), (1, 0));
    pair.gateway.books_agree();
}

/// Some groups have a rule of their own, or none.
#[test]
fn groups_have_their_own_rule() {
    let pair = Pair::with(json!({"after": 0.05, "max_extra_cost": 1}), |config| {
        config.router("model_group_hedge", json!({"m": false}))
    });
    pair.slow_is(json!({"content": "alone", "delay_ms": 300}));
    assert_eq!(pair.ask().said(), "alone");
    assert_eq!(pair.calls(), (1, 0));
}

/// What is made in the background is not ended with its stream: a second call would make a second answer.
#[test]
fn what_is_made_in_the_background_is_alone() {
    let pair = Pair::of(json!({"after": 0.05, "max_extra_cost": 1}));
    pair.slow_is(json!({"content": "alone", "delay_ms": 500}));
    let body = json!({"model": "m", "input": "Hi", "stream": true, "background": true});
    let reply = pair.gateway.master().post("/v1/responses", &body);
    assert!(reply.with_status(200).text().contains("alone"));
    assert_eq!(pair.calls(), (1, 0));
    pair.gateway.rows_when(1);
}

/// A deployment that fails a second call has failed this request once, however often the other one did.
#[test]
fn each_call_has_failures_of_its_own() {
    let (slow, quick) = (Simulator::start(), Simulator::start());
    let of = |simulator: &Simulator, id: &str, weight: u32| {
        Deployment::of(simulator, "m")
            .id(id)
            .param("weight", weight)
    };
    let config = Config::of([
        of(&slow, "slow", 1),
        of(&quick, "quick", 0)
            .param("max_parallel_requests", 1)
            .info("allowed_fails", 0),
    ])
    .router("num_retries", 1)
    .router("hedge", json!({"after": 1, "max_extra_cost": 1}));
    let gateway = Gateway::of(&config);
    // It fails, and is tried once more because the other one has no slot: then it is slow.
    let in_the_end = Behaviour::of(json!({"content": "in the end", "delay_ms": 3000}));
    slow.behave_in_turn("m", vec![Behaviour::failing(500)], in_the_end);
    let occupied = Behaviour::of(json!({"hold": true}));
    quick.behave_in_turn("m", vec![occupied], Behaviour::failing(500));
    let occupant = gateway.master().send(&chat("quick"));
    assert!(quick.wait_until(SOON, |quick| quick.held() == 1));
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| gateway.master().chat(&streamed("m", json!({}))));
        assert!(slow.wait_until(SOON, |slow| slow.received("m") == 2));
        quick.release();
        let reply = asked.join().expect("an answer").with_status(200);
        assert_eq!(reply.said(), "in the end");
    });
    assert_eq!(quick.received("m"), 2, "the occupant, and a second call");
    until("it has failed too often", SOON, || {
        gateway
            .log()
            .contains("deployment quick of m takes no calls")
    });
    drop(occupant);
}
