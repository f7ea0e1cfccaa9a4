//! Everything at once for a while: failing providers, panics, clients that leave, other configurations. At its end nothing is
//! held, memory has not grown, and the books add up.
//!
//! Fifteen seconds, or `POINTSMAN_SOAK_MINUTES`.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::faults::EVERYWHERE;
use crate::harness::{
    Client, Config, Deployment, Gateway, Request, SOON, Setup, Value, chat_with, json, resident,
    streamed, until,
};
use crate::simulator::Simulator;

const CLIENTS: usize = 12;
/// Growth of memory over the second half that is no leak, in KiB: caches that fill, an allocator's moods.
const GROWTH: usize = 24 * 1024;

fn length() -> Duration {
    let minutes = std::env::var("POINTSMAN_SOAK_MINUTES").ok();
    let minutes = minutes.and_then(|minutes| minutes.parse::<f64>().ok());
    minutes.map_or(Duration::from_secs(15), |minutes| {
        Duration::from_secs_f64(minutes * 60.0)
    })
}

/// What providers do to a gateway, one after the other.
fn troubles() -> Vec<Value> {
    vec![
        json!({}),
        json!({"chunks": 8, "chunk_delay_ms": 5}),
        json!({"status": 500}),
        json!({"status": 429, "headers": {"retry-after": "1"}}),
        json!({"cut_after_bytes": 200}),
        json!({"content_bytes": 60_000, "multibyte": true}),
        json!({"delay_ms": 60, "split": "every_byte"}),
        json!({"chunks": 6, "error_mid_stream": {"after_chunks": 3}}),
        json!({"garbage": "not_http"}),
        json!({"no_usage": true, "chunks": 4}),
        json!({"chunks": 5, "silent_after_chunks": 3}),
    ]
}

fn variants(simulator: &Simulator) -> Vec<Config> {
    let group = |names: &[&str], slots: u32| {
        let of = |name: &&str| {
            let deployment = Deployment::of(simulator, name).group("m");
            deployment
                .priced(1e-6, 2e-6)
                .param("max_parallel_requests", slots)
        };
        Config::of(names.iter().map(of))
            .router("timeout", 2)
            .router("cooldown_time", 0.2)
            .router("num_retries", 1)
    };
    vec![
        group(&["a", "b"], 50),
        group(&["b", "c"], 4).router("routing_strategy", "least-busy"),
        group(&["c", "a", "d"], 20),
        group(&["a", "b"], 50).never_cooling(),
    ]
}

/// One client's life: calls, and leaves some of them.
fn calls(caller: &Client, number: usize, stop: &AtomicBool, answered: &AtomicUsize) {
    let troubles = troubles();
    let mut turn = number;
    while !stop.load(Ordering::Relaxed) {
        turn += 1;
        let how = json!({"simulate": troubles[turn * 7 % troubles.len()]});
        let body = if turn.is_multiple_of(2) {
            chat_with("m", how)
        } else {
            streamed("m", how)
        };
        if turn.is_multiple_of(5) {
            // Leaves before the answer, or in the middle of it.
            let mut connection = caller.send(&body);
            if turn.is_multiple_of(10) {
                let _ = connection.incoming();
            }
            connection.leave();
            continue;
        }
        let request = Request::post("/v1/chat/completions", body.to_string());
        let request = caller.signed(request);
        if let Ok(reply) = caller.connect().ask(&request) {
            let is_known = matches!(reply.status, 200 | 408 | 429 | 500 | 502 | 503 | 504);
            assert!(is_known, "{}: {}", reply.status, reply.text());
            answered.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[test]
fn nothing_is_left_over_after_a_hard_time() {
    let simulator = Simulator::start();
    simulator.record(false);
    let variants = variants(&simulator);
    let mut gateway = Setup::new(&variants[0])
        .env(
            "POINTSMAN_FAULTS",
            &format!("at={EVERYWHERE},rate=0.002,seed=3"),
        )
        .log("warn,pointsman::run=info")
        .start();
    let callers: Vec<Client> = (0..4)
        .map(|_| gateway.caller(json!({"max_budget": 1000, "tpm_limit": 1_000_000_000})))
        .collect();
    let (stop, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    let (length, began) = (length(), Instant::now());
    let mut middle = None;
    gateway.signal(libc::SIGUSR2);
    std::thread::scope(|scope| {
        for number in 0..CLIENTS {
            let (caller, stop, answered) = (&callers[number % callers.len()], &stop, &answered);
            scope.spawn(move || calls(caller, number, stop, answered));
        }
        let mut round = 0;
        while began.elapsed() < length {
            round += 1;
            gateway.change_config(&variants[round % variants.len()]);
            gateway.signal(libc::SIGHUP);
            std::thread::sleep(Duration::from_millis(700));
            if middle.is_none() && began.elapsed() > length / 2 {
                middle = Some(resident(&gateway) / 1024);
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    gateway.signal(libc::SIGUSR2);
    let (middle, end) = (middle.unwrap_or_default(), resident(&gateway) / 1024);
    let answered = answered.load(Ordering::Relaxed);
    eprintln!(
        "soak: {answered} answers in {:?}; memory {middle} KiB in the middle, {end} KiB at the end",
        began.elapsed()
    );
    assert!(answered > 50, "{answered} answers are no load");
    assert!(
        end < middle + GROWTH,
        "memory grows: {middle} KiB in the middle, {end} KiB at the end"
    );
    nothing_is_left(&gateway, &simulator);
    gateway.books_agree();
    gateway.terminate();
    gateway.books_agree();
}

fn nothing_is_left(gateway: &Gateway, simulator: &Simulator) {
    until("the last panics are over", SOON, || {
        gateway.master().get("/metrics").status == 200
    });
    for name in [
        "pointsman_open_holds",
        "pointsman_held_usd",
        "pointsman_in_flight_requests",
        "pointsman_journal_queue_rows",
    ] {
        until(&format!("{name} is zero"), SOON, || {
            gateway.metric(name) == Some(0.0)
        });
    }
    for name in ["a", "b", "c", "d"] {
        assert!(
            simulator.wait_until(SOON, |simulator| simulator.in_flight(name) == 0),
            "calls are open at {name}"
        );
    }
}
