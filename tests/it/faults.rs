//! G5: a step that panics fails its own request and no other, and gives back what it had reserved.
//!
//! The binary of the tests panics on purpose where `POINTSMAN_FAULTS` says, once SIGUSR2 has armed it (see `src/steps`).

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::harness::{
    Client, Config, Deployment, Gateway, Reply, Request, SOON, Setup, at_once, chat, json,
    streamed, until,
};
use crate::simulator::{Behaviour, Simulator};

/// All places but the one that takes the whole control thread away.
pub const EVERYWHERE: &str =
    "router.*+deployment.*+gatekeeper.*+port.*+desk.*+http.*+journey.*+spend.*+store.*+budgets.*";

fn gateway(simulator: &Simulator, faults: &str) -> Gateway {
    let deployment = Deployment::of(simulator, "m").priced(1e-6, 2e-6);
    let config = Config::of([deployment])
        .router("num_retries", 0)
        .never_cooling();
    Setup::new(&config)
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

fn nothing_is_left(gateway: &Gateway) {
    until("nothing is left over", SOON, || {
        gateway.metric("pointsman_open_holds") == Some(0.0)
            && gateway.metric("pointsman_in_flight_requests") == Some(0.0)
            && gateway.metric("pointsman_journal_queue_rows") == Some(0.0)
    });
}

/// One panic at each of these places, and a call of each kind around it.
fn one_panic_at(places: &[&str]) {
    let simulator = Simulator::start();
    simulator.behave(
        "m",
        Behaviour::of(json!({"content": "one two three", "chunks": 3})),
    );
    for place in places {
        let mut gateway = gateway(&simulator, &format!("at={place},count=1"));
        let caller = gateway.caller(json!({"max_budget": 1, "rpm_limit": 1000}));
        toggle(&gateway, "armed");
        let mut failed = 0;
        let struck = || {
            let log = gateway.log();
            log.contains(&format!("on purpose at {place}"))
        };
        let until_when = Instant::now() + SOON;
        while !struck() && Instant::now() < until_when {
            for body in [chat("m"), streamed("m", json!({}))] {
                let reply = caller.chat(&body);
                let is_broken = reply.status >= 500 || reply.text().contains("\"error\"");
                assert!(
                    !is_broken || ends_well(&reply),
                    "{place}: {}: {}",
                    reply.status,
                    reply.text()
                );
                failed += usize::from(is_broken);
            }
            gateway.master().get("/health?model_id=id-m");
            gateway.master().get("/metrics");
        }
        assert!(struck(), "{place} was not visited");
        assert!(failed <= 1, "{place}: {failed} requests failed");
        for body in [chat("m"), streamed("m", json!({}))] {
            let reply = caller.chat(&body).with_status(200);
            assert!(!reply.text().contains("\"error\""), "{}", reply.text());
        }
        nothing_is_left(&gateway);
        gateway.books_agree();
        gateway.terminate();
        gateway.books_agree();
    }
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

#[test]
fn a_panic_where_it_is_decided() {
    one_panic_at(&[
        "router.begin",
        "router.dispatch",
        "router.mailbox",
        "router.learn",
        "deployment.report",
        "gatekeeper.settle",
        "gatekeeper.enroll",
    ]);
}

#[test]
fn a_panic_on_a_worker() {
    one_panic_at(&[
        "port.pump",
        "desk.pump",
        "http.authorise",
        "http.handler",
        "journey.admit",
        "journey.attempt",
        "journey.answered",
        "journey.settle",
        "journey.stream",
    ]);
}

/// A client is told of a panic in the protocol that it speaks.
#[test]
fn a_panic_is_told_in_the_callers_protocol() {
    let simulator = Simulator::start();
    for (place, stream) in [
        ("http.handler", false),
        ("journey.attempt", true),
        ("journey.stream", true),
    ] {
        let gateway = gateway(&simulator, &format!("at={place},count=1"));
        let caller = gateway.caller(json!({}));
        toggle(&gateway, "armed");
        let body = json!({
            "model": "m", "max_tokens": 9, "stream": stream, "messages": [{"role": "user", "content": "Hi"}],
        });
        let reply = caller.post("/v1/messages", &body);
        let error = match reply.status {
            200 => {
                let text = reply.text();
                let (_, data) = text.split_once("event: error\ndata: ").expect(place);
                serde_json::from_str(data.trim_end()).expect("JSON")
            }
            _ => reply.json(),
        };
        assert_eq!(error["type"], "error", "{place}: {error}");
        assert_eq!(error["error"]["type"], "api_error", "{place}: {error}");
        nothing_is_left(&gateway);
    }
}

#[test]
fn a_panic_beside_the_requests() {
    one_panic_at(&[
        "spend.flush",
        "store.query",
        "budgets.tick",
        "gatekeeper.report",
        "gatekeeper.renewals",
        "deployment.describe",
    ]);
}

#[test]
fn panics_everywhere_under_load() {
    let simulator = Simulator::start();
    simulator.record(false);
    let mut gateway = gateway(&simulator, &format!("at={EVERYWHERE},rate=0.01,seed=11"));
    let callers: Vec<Client> = (0..4)
        .map(|_| gateway.caller(json!({"max_budget": 10, "tpm_limit": 100_000_000})))
        .collect();
    toggle(&gateway, "armed");
    let stop = AtomicBool::new(false);
    let counts = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_secs(2));
            stop.store(true, Ordering::Relaxed);
        });
        at_once(12, |number| {
            let caller = &callers[number % callers.len()];
            let body = match number % 3 {
                0 => chat("m"),
                1 => streamed("m", json!({"simulate": {"chunks": 5}})),
                _ => streamed("m", json!({"simulate": {"chunks": 5, "chunk_delay_ms": 2}})),
            };
            let request = Request::post("/v1/chat/completions", body.to_string());
            let request = caller.signed(request);
            let (mut good, mut bad) = (0, 0);
            while !stop.load(Ordering::Relaxed) {
                let reply = caller.connect().ask(&request).expect("an answer");
                if reply.status == 200 && !reply.text().contains("\"error\"") {
                    good += 1;
                } else {
                    assert!(ends_well(&reply), "{}: {}", reply.status, reply.text());
                    bad += 1;
                }
            }
            (good, bad)
        })
    });
    toggle(&gateway, "disarmed");
    let (good, bad) = counts
        .iter()
        .fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1));
    assert!(good > 20 && bad > 0, "{good} answered, {bad} failed");
    for caller in &callers {
        for _ in 0..5 {
            caller.chat(&chat("m")).with_status(200);
        }
    }
    nothing_is_left(&gateway);
    assert!(simulator.wait_until(SOON, |simulator| simulator.in_flight("m") == 0));
    gateway.books_agree();
    gateway.terminate();
    gateway.books_agree();
}

/// Without the thread that decides nothing can go on: the process ends in order and says that it must be started again.
#[test]
fn a_lost_control_thread_ends_the_process() {
    let simulator = Simulator::start();
    let mut gateway = gateway(&simulator, "at=control.thread,count=1");
    gateway.master().chat(&chat("m")).with_status(200);
    toggle(&gateway, "armed");
    let reply = gateway.master().chat(&chat("m"));
    assert!(
        reply.status == 200 || reply.status == 503,
        "{}",
        reply.text()
    );
    let status = gateway.ended(SOON);
    assert_eq!(status.code(), Some(1), "{}", gateway.log());
    assert!(gateway.log().contains("the control thread was lost"));
    gateway.books_agree();
    gateway.start_again();
    gateway.master().chat(&chat("m")).with_status(200);
}
