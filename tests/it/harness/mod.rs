//! What every test stands on: the real binary with a real SQLite file (or PostgreSQL, see [`postgres`]), a client that hides no byte, and patience.
//!
//! A test describes a [`Config`] over a simulator, starts a [`Gateway`] from it and speaks HTTP. Rows that have no route yet
//! (users, teams) are written through the store's own queries. When a gateway is dropped its log, its `/metrics` and its files
//! are searched for every secret the test planted, and its log for panics: no test has to remember that.
//! Nothing here sleeps for a guessed time: conditions are waited for, with a deadline.

mod books;
mod client;
mod config;
mod connection;
mod gateway;
mod load;
pub mod postgres;
mod reply;
mod secrets;
mod wait;

pub use books::{Booked, now_ms};
pub use client::Client;
pub use config::{Config, Deployment};
pub use connection::{Connection, Request};
pub use gateway::{Gateway, Key, MASTER_KEY, Setup};
pub use load::{SetOnDrop, under_load};
pub use reply::{Ended, Reply};
pub use secrets::{PROMPT, PROVIDER_KEY};
pub use wait::{SOON, eventually, until};

pub use serde_json::{Value, json};

/// A chat request with a prompt that must not turn up anywhere it does not belong.
pub fn chat(model: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": PROMPT}]})
}

/// The same with more fields, which replace those of the same name.
pub fn chat_with(model: &str, more: Value) -> Value {
    let mut body = chat(model);
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
    }
    body
}

/// The same, streamed.
pub fn streamed(model: &str, more: Value) -> Value {
    let mut body = chat_with(model, more);
    body["stream"] = json!(true);
    body
}

/// Bytes of memory that a gateway's process has.
pub fn resident(gateway: &Gateway) -> usize {
    let path = format!("/proc/{}/statm", gateway.pid());
    let text = std::fs::read_to_string(path).expect("a running process");
    let pages = text.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    4096 * pages.unwrap_or(0_usize)
}

/// Runs the calls at the same time, each in a thread of its own, and returns what they return, in order.
pub fn at_once<T: Send>(count: usize, call: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let gate = std::sync::Barrier::new(count);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..count)
            .map(|index| {
                let (gate, call) = (&gate, &call);
                scope.spawn(move || {
                    gate.wait();
                    call(index)
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| match thread.join() {
                Ok(value) => value,
                Err(panic) => std::panic::resume_unwind(panic),
            })
            .collect()
    })
}
