//! The simulator as a process, for tests in other languages: `cargo build --example provider-simulator`.
//!
//! Its first line of output is its base URL. Then it answers commands, a line in and a line of JSON out, until its standard
//! input ends, so that it never outlives the test that started it:
//!
//! * `requests`: what it was asked since the last time: `[{number, path, model, headers, body}]`;
//! * `hangups`: who left before the end, from the start on: `[{request, model, after_ms, sent}]`;
//! * `behave MODEL BEHAVIOUR`: answers requests for this model like this from now on, for clients that cannot send `simulate`;
//! * `strict`: refuses chats that OpenAI refuses.

#[path = "mod.rs"]
mod simulator;

use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};

use serde_json::{Value, json};
use simulator::{Hangup, Recorded, Simulator};

fn main() -> io::Result<()> {
    let simulator = Simulator::start();
    say(&simulator.base_url())?;
    for command in io::stdin().lock().lines() {
        let command = command?;
        let answer: Value = match command.trim() {
            command if command.starts_with("behave ") => behave(&simulator, command),
            "strict" => {
                simulator.be_strict(&[]);
                json!({})
            }
            "requests" => simulator.take().iter().map(request).collect(),
            "hangups" => simulator.hangups().iter().map(hangup).collect(),
            other => {
                json!({"error": format!("unknown command {other:?}; known are `requests`, `hangups`, `behave` and `strict`")})
            }
        };
        say(&answer.to_string())?;
    }
    Ok(())
}

fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

fn behave(simulator: &Simulator, command: &str) -> Value {
    let mut words = command.splitn(3, ' ').skip(1);
    let (model, behaviour) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    match serde_json::from_str(behaviour) {
        Ok(behaviour) => {
            simulator.behave(model, behaviour);
            json!({})
        }
        Err(why) => json!({"error": why.to_string()}),
    }
}

fn request(recorded: &Recorded) -> Value {
    let headers: BTreeMap<&str, &str> = recorded
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    json!({
        "number": recorded.number,
        "path": recorded.path,
        "model": recorded.model,
        "headers": headers,
        "body": recorded.json(),
    })
}

fn hangup(hangup: &Hangup) -> Value {
    json!({
        "request": hangup.request,
        "model": hangup.model,
        "after_ms": hangup.after.as_millis() as u64,
        "sent": hangup.sent,
    })
}
