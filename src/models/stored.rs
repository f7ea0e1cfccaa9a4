//! A row with its parameters opened.

use serde_json::{Map, Value, json};

use super::sealed;
use crate::config::StoredEntry;
use crate::store::ModelRow;
use crate::vault::Vault;

/// See the module.
pub struct StoredModel {
    pub row: ModelRow,
    /// `litellm_params`, opened; or why they cannot be read.
    pub params: Result<Map<String, Value>, String>,
    /// `model_info` as it was given.
    pub info: Map<String, Value>,
    /// The same with what the gateway knows of the row.
    shown_info: Map<String, Value>,
}

impl StoredModel {
    pub fn open(row: ModelRow, vault: &Vault) -> Self {
        let params = match serde_json::from_str(&row.litellm_params) {
            Ok(Value::Object(params)) => {
                sealed::open(vault, &row.model_id, &params).map_err(|error| error.to_string())
            }
            _ => Err("litellm_params is no JSON object".to_owned()),
        };
        let info = match serde_json::from_str(&row.model_info) {
            Ok(Value::Object(info)) => info,
            _ => Map::new(),
        };
        Self::new(row, params, info)
    }

    pub(super) fn new(
        row: ModelRow,
        params: Result<Map<String, Value>, String>,
        info: Map<String, Value>,
    ) -> Self {
        let time = |ms: i64| Value::from(crate::auth::iso(ms));
        let mut shown_info = info.clone();
        for (name, value) in [
            ("id", row.model_id.as_str().into()),
            ("db_model", true.into()),
            ("blocked", row.blocked.into()),
            ("created_at", time(row.created_at)),
            ("created_by", json!(row.created_by)),
            ("updated_at", time(row.updated_at)),
            ("updated_by", json!(row.updated_by)),
        ] {
            shown_info.insert(name.to_owned(), value);
        }
        Self {
            row,
            params,
            info,
            shown_info,
        }
    }

    pub fn id(&self) -> &str {
        &self.row.model_id
    }

    /// What is read as an entry of `model_list`.
    pub fn entry(&self) -> Result<StoredEntry<'_>, &str> {
        Ok(StoredEntry {
            id: &self.row.model_id,
            model_name: &self.row.model_name,
            litellm_params: self.params.as_ref().map_err(String::as_str)?,
            model_info: &self.shown_info,
        })
    }

    /// `model_info` with id, times and people.
    pub fn model_info(&self) -> &Map<String, Value> {
        &self.shown_info
    }

    /// A text of `model_info`.
    pub fn info_text(&self, name: &str) -> Option<&str> {
        self.info.get(name)?.as_str()
    }
}

impl std::fmt::Debug for StoredModel {
    /// Never the parameters.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredModel")
            .field("id", &self.row.model_id)
            .field("model_name", &self.row.model_name)
            .finish_non_exhaustive()
    }
}
