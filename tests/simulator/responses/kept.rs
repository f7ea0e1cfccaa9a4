//! Responses that are kept, to be read, continued, cancelled and deleted.

use std::collections::HashMap;
use std::sync::Mutex;

use serde_json::{Value, json};

use super::object::{State, object};
use crate::simulator::errors::Refusal;
use crate::simulator::ids::Stamp;
use crate::simulator::record::lock;
use crate::simulator::request::Ask;
use crate::simulator::route::Stored;
use crate::simulator::{Behaviour, proof};

/// One response.
pub struct Kept {
    /// As it is in the end.
    pub response: Value,
    /// All that it answers, and what that followed.
    pub input: Vec<Value>,
    /// Made in the background: it is in progress when it is first asked for, and done when it is asked for again.
    pub pending: u8,
}

/// All that were made; the test's process forgets them with the simulator.
#[derive(Default)]
pub struct Shelf(Mutex<HashMap<String, Kept>>);

/// What is kept of an answer, and its id.
pub fn kept(ask: &Ask, behaviour: &Behaviour, stamp: &Stamp) -> (String, Kept) {
    let whole = object(ask, behaviour, stamp, State::Ended);
    let kept = Kept {
        response: serde_json::from_str(&whole).unwrap_or_default(),
        input: ask.history.clone(),
        pending: if ask.is_in_background() { 1 } else { 0 },
    };
    (format!("resp_{}", stamp.serial), kept)
}

/// A history made short: what users said stays, the rest is one item that only this account's calls can have read.
pub fn compacted(history: &[Value], account: &str, stamp: &Stamp, tokens: usize) -> String {
    let said = history.iter().filter(|item| item["role"] == "user");
    let mut output: Vec<Value> = said.cloned().collect();
    let encrypted = proof::encrypted(account, &format!("{} items", history.len()));
    output.push(json!({"id": format!("cmp_{}", stamp.serial), "type": "compaction", "encrypted_content": encrypted}));
    json!({
        "id": format!("resp_{}", stamp.serial), "object": "response.compaction",
        "created_at": stamp.created.parse::<u64>().unwrap_or_default(), "output": output,
        "usage": {
            "input_tokens": tokens, "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": 8, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": tokens + 8,
        },
    })
    .to_string()
}

// === impl Shelf ===

impl Shelf {
    pub fn keep(&self, id: String, kept: Kept) {
        lock(&self.0).insert(id, kept);
    }

    /// What follows a response that is continued: its input, then its output.
    pub fn history(&self, id: &str) -> Option<Vec<Value>> {
        let shelf = lock(&self.0);
        let kept = shelf.get(id)?;
        let mut history = kept.input.clone();
        history.extend(
            kept.response["output"]
                .as_array()
                .into_iter()
                .flatten()
                .cloned(),
        );
        Some(history)
    }

    /// Whether an output of any of them has this item.
    pub fn has_item(&self, id: &str) -> bool {
        let shelf = lock(&self.0);
        shelf.values().any(|kept| {
            let output = kept.response["output"].as_array();
            output.is_some_and(|items| items.iter().any(|item| item["id"] == id))
        })
    }

    /// Answers what is asked of one.
    pub fn ask(&self, method: &str, id: &str, what: Stored) -> Result<String, Refusal> {
        let mut shelf = lock(&self.0);
        let missing = || {
            let message = format!("Response with id '{id}' not found.");
            Refusal::invalid(404, &message, None, None)
        };
        if method == "DELETE" {
            shelf.remove(id).ok_or_else(missing)?;
            return Ok(json!({"id": id, "object": "response", "deleted": true}).to_string());
        }
        let kept = shelf.get_mut(id).ok_or_else(missing)?;
        Ok(match what {
            Stored::Itself => {
                let response = match kept.pending {
                    0 => kept.response.clone(),
                    _ => kept.unfinished("in_progress"),
                };
                kept.pending = kept.pending.saturating_sub(1);
                response.to_string()
            }
            Stored::Cancel if kept.response["background"] != true => {
                let message = "Cannot cancel a synchronous response.";
                return Err(Refusal::invalid(400, message, None, None));
            }
            Stored::Cancel => {
                if kept.pending > 0 {
                    kept.response = kept.unfinished("cancelled");
                    kept.pending = 0;
                }
                kept.response.to_string()
            }
            Stored::InputItems => {
                let numbered = kept.input.iter().enumerate().rev();
                let data: Vec<Value> = numbered
                    .map(|(at, item)| {
                        let mut item = item.clone();
                        if item["id"].is_null() {
                            item["id"] = json!(format!("msg_{id}{at:02}"));
                        }
                        item
                    })
                    .collect();
                let end = |item: Option<&Value>| item.map(|item| item["id"].clone());
                json!({
                    "object": "list", "first_id": end(data.first()), "last_id": end(data.last()), "has_more": false, "data": data,
                })
                .to_string()
            }
        })
    }
}

impl Kept {
    fn unfinished(&self, status: &str) -> Value {
        let mut response = self.response.clone();
        response["status"] = json!(status);
        response["output"] = json!([]);
        response["usage"] = Value::Null;
        response
    }
}
