//! A stream costs what is under way of it, however long it gets, translated or not.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::harness::{Config, Deployment, Gateway, chat_with, json, resident};
use crate::simulator::{Behaviour, Simulator};

const CHUNKS: usize = 300;
const CHUNK_BYTES: usize = 100_000;

#[test]
fn nothing_of_a_stream_is_kept() {
    let simulator = Simulator::start();
    let endless = || Behaviour {
        chunks: Some(CHUNKS),
        chunk_bytes: Some(CHUNK_BYTES),
        ..Behaviour::default()
    };
    simulator.behave("m", endless());
    simulator.behave("claude", endless());
    let gateway = Gateway::of(&Config::of([
        Deployment::of(&simulator, "m"),
        Deployment::of(&simulator, "claude").param("model", "anthropic/claude"),
    ]));
    for model in ["m", "claude"] {
        for path in ["/v1/chat/completions", "/v1/messages"] {
            let body = chat_with(model, json!({"stream": true, "max_tokens": 1_000_000}));
            let before = resident(&gateway);
            let has_ended = AtomicBool::new(false);
            let (reply, most) = std::thread::scope(|scope| {
                let watch = scope.spawn(|| {
                    let mut most = before;
                    while !has_ended.load(Ordering::Relaxed) {
                        most = most.max(resident(&gateway));
                        std::thread::sleep(Duration::from_millis(1));
                    }
                    most
                });
                let reply = gateway.master().post(path, &body).with_status(200);
                has_ended.store(true, Ordering::Relaxed);
                (reply, watch.join().unwrap())
            });
            assert!(
                reply.body.len() > CHUNKS * CHUNK_BYTES,
                "{}",
                reply.body.len()
            );
            let grown = most - before;
            assert!(
                grown < CHUNKS * CHUNK_BYTES / 3,
                "{path} of {model}: {grown} bytes more"
            );
        }
    }
}
