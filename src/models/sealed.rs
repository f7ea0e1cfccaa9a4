//! The texts of a model's parameters, sealed one by one: names of fields and numbers stay readable, as in LiteLLM's table.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::vault::{NoRandomness, Purpose, Vault};

/// What our sealed texts begin with.
const OURS: &str = "pointsman:1:";

/// A text that cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "litellm_params.{0} cannot be decrypted: it was encrypted with another salt key (LITELLM_SALT_KEY), or changed since"
)]
pub struct Unreadable(String);

/// `params` with every text sealed for the model `id`.
pub fn seal(
    vault: &Vault,
    id: &str,
    params: &Map<String, Value>,
) -> Result<Map<String, Value>, NoRandomness> {
    let purpose = Purpose::ModelParameter(id.as_bytes());
    let sealed = |text: &str| {
        let sealed = vault.seal(purpose, text.as_bytes())?;
        Ok(format!("{OURS}{}", URL_SAFE_NO_PAD.encode(sealed)))
    };
    let each = params.iter();
    each.map(|(name, value)| Ok((name.clone(), texts(value, &sealed)?)))
        .collect()
}

/// The other way round. Reads what LiteLLM 1.106.2 has encrypted, too.
pub fn open(
    vault: &Vault,
    id: &str,
    params: &Map<String, Value>,
) -> Result<Map<String, Value>, Unreadable> {
    let purpose = Purpose::ModelParameter(id.as_bytes());
    let opened = |text: &str| {
        let plain = match text.strip_prefix(OURS) {
            Some(text) => {
                let sealed = URL_SAFE_NO_PAD.decode(text).ok();
                sealed.and_then(|sealed| vault.open(purpose, &sealed))
            }
            None => vault.open_litellm(text),
        };
        plain
            .and_then(|plain| String::from_utf8(plain).ok())
            .ok_or(())
    };
    let each = params.iter();
    each.map(|(name, value)| {
        let value = texts(value, &opened).map_err(|()| Unreadable(name.clone()))?;
        Ok((name.clone(), value))
    })
    .collect()
}

/// `value` with each text in it changed. JSON that was parsed is no deeper than 128 levels.
fn texts<E>(value: &Value, change: &impl Fn(&str) -> Result<String, E>) -> Result<Value, E> {
    Ok(match value {
        Value::String(text) => Value::String(change(text)?),
        Value::Array(items) => Value::Array(
            items
                .iter()
                .map(|item| texts(item, change))
                .collect::<Result<_, _>>()?,
        ),
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                .map(|(name, field)| Ok((name.clone(), texts(field, change)?)))
                .collect::<Result<_, _>>()?,
        ),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::types::Secret;

    fn vault(key: &str) -> Vault {
        Vault::new(&Secret::new(key))
    }

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap_or_default()
    }

    #[test]
    fn no_text_is_left_and_only_its_own_row_opens_it() {
        let params = map(json!({
            "model": "openai/m", "api_key": "sk-provider", "rpm": 5, "input_cost_per_token": 1e-6,
            "extra_headers": {"x": "secret"}, "tags": ["blue", null, true],
        }));
        let sealed = seal(&vault("a"), "id", &params).unwrap();
        let text = Value::Object(sealed.clone()).to_string();
        for plain in ["openai/m", "sk-provider", "secret", "blue"] {
            assert!(!text.contains(plain), "{text}");
        }
        assert_eq!(
            (&sealed["rpm"], &sealed["input_cost_per_token"]),
            (&json!(5), &json!(1e-6))
        );
        assert_eq!(open(&vault("a"), "id", &sealed), Ok(params));
        for (key, id) in [("b", "id"), ("a", "other")] {
            let error = open(&vault(key), id, &sealed).unwrap_err();
            assert!(
                error
                    .to_string()
                    .starts_with("litellm_params.api_key cannot be decrypted")
            );
        }
    }

    #[test]
    fn rows_of_litellm_are_read() {
        let row = map(json!({
            "api_key": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXcBQ3xQXSuXFpUyFBKVMAADisBK9C4WlCQgetpA0=",
            "aws_secret_access_key": "v2:gcm:AAECAwQFBgcICQoLBMF4m_l2yMnOvaQ8rCEa5u_NZ0OVQ1LboO50zmU=",
        }));
        let opened =
            map(json!({"api_key": "sk-provider-1", "aws_secret_access_key": "sk-provider-1"}));
        assert_eq!(open(&vault("sk-salt"), "id", &row), Ok(opened));
        // A text that nobody has encrypted is not sent to anybody.
        let plain = map(json!({"api_key": "sk-provider-1"}));
        assert!(open(&vault("sk-salt"), "id", &plain).is_err());
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens(texts in prop::collection::vec(".{0,20}", 0..4)) {
            let params = map(json!({"list": texts}));
            let sealed = seal(&vault("k"), "id", &params).unwrap();
            prop_assert_eq!(open(&vault("k"), "id", &sealed), Ok(params));
        }
    }
}
