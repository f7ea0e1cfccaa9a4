//! Deployment ids, equal to LiteLLM's: spend logs and clients that name a deployment keep working after a move.

use sha2::{Digest, Sha256};

use crate::config::yaml::Entry;
use crate::types::DeploymentId;

use super::python::hashed_text;

/// The id of an entry without `model_info.id`: lower-case hex SHA-256 of the group's name followed by each key and value
/// of `litellm_params` in the order written, after `os.environ/` lookups and before any default, without separators.
pub fn derived(model_name: &str, litellm_params: &[Entry]) -> DeploymentId {
    let mut hash = Sha256::new();
    hash.update(model_name);
    for entry in litellm_params {
        hash.update(&entry.key);
        hash.update(hashed_text(&entry.value));
    }
    let hex: String = hash
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    hex.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::yaml::{Value, parse};

    fn id(group: &str, yaml: &str) -> Option<DeploymentId> {
        match parse(yaml).ok()?.root?.value {
            Value::Map(entries) => Some(derived(group, &entries)),
            _ => None,
        }
    }

    #[test]
    fn ids_are_litellms() {
        for (group, params, expected) in [
            (
                "gpt-4o",
                "model: openai/gpt-4o\napi_key: sk-test",
                "62054d616860c0f79d9693d518c365db070d09a8344366732ff565a9db7e058c",
            ),
            (
                "gpt-4o",
                "model: azure/gpt-4o\napi_base: https://x.example.com\napi_key: k\nrpm: 10\ntimeout: 1.5\ndrop_params: true",
                "dd7772d716116ca83f2fd59282a4793bed9df7058428f5398571196ad027621a",
            ),
            (
                "*",
                "model: openai/*\napi_key: k\ntags: [a, b]\nextra_headers: {x: y, n: 1}",
                "4ab4ffd943ce45be7e7bc1649697c569cb18f6f2abb231600308b8beec2c5d08",
            ),
        ] {
            assert_eq!(id(group, params).as_deref(), Some(expected), "{params}");
        }
        assert_ne!(id("g", "a: 1\nb: 2"), id("g", "b: 2\na: 1"));
    }
}
