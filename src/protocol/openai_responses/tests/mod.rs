//! Fixed vectors, round trips, streams in any order, and answers that cross to the other protocols and back.

mod crossing;
mod requests;
mod round_trips;
mod streams;

use std::sync::Arc;

use super::Asked;
use super::stream::Head;

pub fn head(asked: Asked) -> Head {
    Head {
        id: "resp_1".to_owned(),
        model: "m".to_owned(),
        created: 7,
        service_tier: None,
        asked: Arc::new(asked),
    }
}

pub fn json(bytes: &[u8]) -> serde_json::Value {
    serde_json::from_slice(bytes).expect("JSON")
}
