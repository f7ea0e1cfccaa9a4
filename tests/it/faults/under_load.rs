//! Panics everywhere while all kinds of calls come in at once.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::{
    EVERYWHERE, config, ends_well, gateway, is_broken, nothing_is_left, strikes, toggle, visits,
};
use crate::harness::{
    Client, Deployment, Gateway, Reply, Request, SOON, at_once, chat, chat_with, json, streamed,
    until,
};
use crate::simulator::Simulator;

const CLIENTS: usize = 16;
/// Slots of the group `narrow`: fewer than calls that want one.
const SLOTS: usize = 2;
/// Answers that make a load, and panics that make it a hard one.
const ENOUGH: (usize, usize) = (300, 30);

/// What one client does, again and again; nothing where it waits for no answer.
fn turn(gateway: &Gateway, caller: &Client, number: usize) -> Vec<Reply> {
    let explained = |body: serde_json::Value| {
        let request = Request::post("/v1/chat/completions", body.to_string());
        caller.ask(request.header("x-pointsman-explain", "true"))
    };
    match number % 8 {
        0 => visits::calls(gateway, caller),
        1 => visits::detours(gateway, caller),
        2 => vec![caller.chat(&streamed(
            "m",
            json!({"simulate": {"chunks": 5, "chunk_delay_ms": 2}}),
        ))],
        3 => vec![explained(chat("f"))],
        4 => visits::explanations(gateway, caller),
        5 => vec![caller.post("/v1/responses", &json!({"model": "chats", "input": "Hi"}))],
        6 => {
            gateway.master().get("/health?model_id=id-m");
            let slow = json!({"simulate": {"chunks": 2_000, "chunk_delay_ms": 30}});
            let mut stream = caller.send(&streamed("m", slow));
            let _ = stream.incoming();
            stream.leave();
            Vec::new()
        }
        _ => {
            let body = json!({"priority": number, "simulate": {"delay_ms": 5}});
            vec![caller.chat(&chat_with("narrow", body))]
        }
    }
}

#[test]
fn nothing_leaks_and_nobody_else_notices() {
    let simulator = Simulator::start();
    simulator.record(false);
    let narrow = Deployment::of(&simulator, "m")
        .group("narrow")
        .id("id-narrow")
        .param("max_parallel_requests", SLOTS);
    let config = config(&simulator)
        .and([narrow])
        .router("polling_interval", 0.005);
    let mut gateway = gateway(&config, &format!("at={EVERYWHERE},rate=0.01,seed=11"));
    let callers: Vec<Client> = (0..4)
        .map(|_| gateway.caller(json!({"max_budget": 10, "tpm_limit": 100_000_000})))
        .collect();
    toggle(&gateway, "armed");
    let (stop, good, bad) = (
        AtomicBool::new(false),
        AtomicUsize::new(0),
        AtomicUsize::new(0),
    );
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (answers, panics) = ENOUGH;
            let is_enough =
                || good.load(Ordering::Relaxed) >= answers && strikes(&gateway) >= panics;
            until("there was a load", SOON * 3, || {
                stop.load(Ordering::Relaxed) || is_enough()
            });
            stop.store(true, Ordering::Relaxed);
        });
        at_once(CLIENTS, |number| {
            let caller = &callers[number % callers.len()];
            while !stop.load(Ordering::Relaxed) {
                for reply in turn(&gateway, caller, number) {
                    if !is_broken(&reply) {
                        assert_eq!(reply.status, 200, "{}", reply.text());
                        good.fetch_add(1, Ordering::Relaxed);
                        continue;
                    }
                    if !ends_well(&reply) {
                        stop.store(true, Ordering::Relaxed);
                        panic!("{}: {}", reply.status, reply.text());
                    }
                    bad.fetch_add(1, Ordering::Relaxed);
                }
            }
        })
    });
    toggle(&gateway, "disarmed");
    let (bad, panics) = (bad.into_inner(), strikes(&gateway));
    assert!(
        (1..=panics).contains(&bad),
        "{bad} requests failed by {panics} panics"
    );
    for caller in &callers {
        for group in ["m", "f", "fallen", "chats", "narrow"] {
            caller.chat(&chat(group)).with_status(200);
        }
    }
    nothing_is_left(&gateway);
    assert!(simulator.wait_until(SOON, |simulator| simulator.in_flight("m") == 0));
    // All its slots are there.
    let held = json!({"simulate": {"hold": true}});
    let waiting: Vec<_> = (0..SLOTS)
        .map(|_| callers[0].send(&chat_with("narrow", held.clone())))
        .collect();
    assert!(simulator.wait_until(SOON, |simulator| simulator.held() == SLOTS));
    simulator.release();
    for mut waits in waiting {
        waits.reply().expect("an answer").with_status(200);
    }
    nothing_is_left(&gateway);
    gateway.books_agree();
    gateway.terminate();
    gateway.books_agree();
}
