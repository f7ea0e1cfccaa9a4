//! What may be asked for, and what it makes of a row. Pure but for random numbers.

use std::sync::Arc;

use actix::Message;
use serde_json::{Map, Value};

use super::error::ChangeError;
use super::sealed;
use super::stored::StoredModel;
use crate::store::ModelRow;
use crate::store::queries::TeamModel;
use crate::vault::Vault;

/// Longest name or id, in characters.
const LONGEST_NAME: usize = 256;
/// Fields of `model_info` that the gateway knows better.
const OWN: [&str; 7] = [
    "id",
    "db_model",
    "blocked",
    "created_at",
    "created_by",
    "updated_at",
    "updated_by",
];

/// Writes a change down and puts it in force, or neither. Answers the model as it is then; a deleted one as it was.
#[derive(Message)]
#[rtype(result = "Result<Arc<StoredModel>, ChangeError>")]
pub struct ChangeModel {
    pub change: ModelChange,
    /// The id of the user who asks.
    pub by: Option<String>,
    /// Milliseconds since the Unix epoch.
    pub now_ms: i64,
}

/// Have no `Debug`: parameters hold secrets.
pub enum ModelChange {
    Add(NewModel),
    Update { id: String, update: ModelUpdate },
    Delete { id: String },
}

impl ModelChange {
    /// The id of the model; none of one that is added.
    pub fn id(&self) -> &str {
        match self {
            Self::Add(_) => "",
            Self::Update { id, .. } | Self::Delete { id } => id,
        }
    }
}

/// A model to add. Its id is `model_info.id`, else made.
#[derive(Clone)]
pub struct NewModel {
    pub model_name: String,
    pub litellm_params: Map<String, Value>,
    pub model_info: Map<String, Value>,
    /// Paused; `model_info.blocked` says the same.
    pub blocked: Option<bool>,
}

/// What of a model is changed: of the maps the fields that are named.
#[derive(Clone, Default)]
pub struct ModelUpdate {
    pub model_name: Option<String>,
    pub litellm_params: Map<String, Value>,
    pub model_info: Map<String, Value>,
    pub blocked: Option<bool>,
    /// What to do with a field that is null: take it away, or leave it as it is.
    pub null_takes_away: bool,
}

/// A new row.
pub fn added(
    new: NewModel,
    by: Option<String>,
    now_ms: i64,
    vault: &Vault,
) -> Result<StoredModel, ChangeError> {
    let NewModel {
        model_name,
        mut litellm_params,
        mut model_info,
        blocked,
    } = new;
    let id = match model_info.get("id") {
        None | Some(Value::Null) => uuid::Uuid::new_v4().to_string(),
        Some(Value::String(id)) => id.clone(),
        Some(Value::Number(id)) => id.to_string(),
        Some(_) => return Err(ChangeError::invalid("model_info.id", "expected text")),
    };
    check_name("model_info.id", &id)?;
    check_name("model_name", &model_name)?;
    let blocked = blocked.or(paused(&model_info)?).unwrap_or(false);
    litellm_params.retain(|_, value| !value.is_null());
    model_info.retain(|name, value| !value.is_null() && !OWN.contains(&name.as_str()));
    let model_name = match team_of(&model_info)? {
        None => model_name,
        Some(team) => internal_name(&mut model_info, &team, model_name),
    };
    let row = ModelRow {
        litellm_params: sealed(&id, &litellm_params, vault)?,
        model_info: Value::Object(model_info.clone()).to_string(),
        model_id: id,
        model_name,
        blocked,
        created_at: now_ms,
        created_by: by.clone(),
        updated_at: now_ms,
        updated_by: by,
    };
    Ok(StoredModel::new(row, Ok(litellm_params), model_info))
}

/// A row in the place of `known`.
pub fn updated(
    known: &StoredModel,
    update: ModelUpdate,
    by: Option<String>,
    now_ms: i64,
    vault: &Vault,
) -> Result<StoredModel, ChangeError> {
    let ModelUpdate {
        model_name,
        litellm_params,
        model_info,
        blocked,
        null_takes_away,
    } = update;
    let blocked = blocked
        .or(paused(&model_info)?)
        .unwrap_or(known.row.blocked);
    let lay_over = |before: &Map<String, Value>, over: Map<String, Value>| {
        let mut fields = before.clone();
        for (name, value) in over {
            match value {
                Value::Null if null_takes_away => {
                    fields.remove(&name);
                }
                Value::Null => {}
                value => {
                    fields.insert(name, value);
                }
            }
        }
        fields
    };
    let params = known.params.as_ref();
    let params = params.map_err(|why| {
        ChangeError::unusable(&format!("{why}; delete the model and add it again"))
    })?;
    let params = lay_over(params, litellm_params);
    let mut info = lay_over(&known.info, model_info);
    info.retain(|name, _| !OWN.contains(&name.as_str()));
    let model_name = named(known, &mut info, model_name)?;
    let row = ModelRow {
        model_id: known.row.model_id.clone(),
        model_name,
        litellm_params: sealed(known.id(), &params, vault)?,
        model_info: Value::Object(info.clone()).to_string(),
        blocked,
        created_at: known.row.created_at,
        created_by: known.row.created_by.clone(),
        // Two changes within a millisecond must not look like one.
        updated_at: now_ms.max(known.row.updated_at.saturating_add(1)),
        updated_by: by,
    };
    Ok(StoredModel::new(row, Ok(params), info))
}

/// The name after an update. A team's model keeps its internal name: what is renamed is what the team calls it.
fn named(
    known: &StoredModel,
    info: &mut Map<String, Value>,
    asked: Option<String>,
) -> Result<String, ChangeError> {
    if let Some(name) = &asked {
        check_name("model_name", name)?;
    }
    let Some(team) = team_of(info)? else {
        return Ok(asked.unwrap_or_else(|| known.row.model_name.clone()));
    };
    if known.info_text("team_id") == Some(&*team) {
        if let Some(name) = asked {
            info.insert("team_public_model_name".to_owned(), name.into());
        }
        return Ok(known.row.model_name.clone());
    }
    let name = asked.unwrap_or_else(|| known.row.model_name.clone());
    Ok(internal_name(info, &team, name))
}

/// `model_info.team_id`.
fn team_of(info: &Map<String, Value>) -> Result<Option<String>, ChangeError> {
    match info.get("team_id") {
        None => Ok(None),
        Some(Value::String(team)) => Ok(Some(team.clone())),
        Some(_) => Err(ChangeError::invalid("model_info.team_id", "expected text")),
    }
}

/// The name in the routing table of a model that is a team's own, so that no two teams share a group. The team goes on calling
/// it `name` (LiteLLM 1.106.2).
fn internal_name(info: &mut Map<String, Value>, team: &str, name: String) -> String {
    info.entry("team_public_model_name").or_insert(name.into());
    format!("model_name_{team}_{}", uuid::Uuid::new_v4())
}

/// `model_info.blocked`.
fn paused(info: &Map<String, Value>) -> Result<Option<bool>, ChangeError> {
    match info.get("blocked") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(blocked)) => Ok(Some(*blocked)),
        Some(_) => Err(ChangeError::invalid(
            "model_info.blocked",
            "expected true or false",
        )),
    }
}

fn check_name(field: &str, name: &str) -> Result<(), ChangeError> {
    if name.trim().is_empty() {
        return Err(ChangeError::invalid(field, "expected a name, found none"));
    }
    if name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
        let message =
            format!("expected at most {LONGEST_NAME} characters, and no control characters");
        return Err(ChangeError::invalid(field, message));
    }
    Ok(())
}

fn sealed(id: &str, params: &Map<String, Value>, vault: &Vault) -> Result<String, ChangeError> {
    let sealed = sealed::seal(vault, id, params)
        .map_err(|error| ChangeError::NotTaken(error.to_string()))?;
    Ok(Value::Object(sealed).to_string())
}

impl StoredModel {
    /// The team whose own model this is, and what it calls it.
    pub fn team(&self) -> Option<TeamModel> {
        Some(TeamModel {
            team_id: self.info_text("team_id")?.to_owned(),
            public_name: self.info_text("team_public_model_name")?.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::types::Secret;

    fn vault() -> Vault {
        Vault::new(&Secret::new("salt"))
    }

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap_or_default()
    }

    fn add(info: Value) -> Result<StoredModel, ChangeError> {
        let new = NewModel {
            model_name: "m".into(),
            litellm_params: map(json!({"model": "openai/m", "api_key": "sk-secret", "rpm": null})),
            model_info: map(info),
            blocked: None,
        };
        added(new, Some("u".into()), 7, &vault())
    }

    fn update(known: &StoredModel, change: ModelUpdate) -> Result<StoredModel, ChangeError> {
        updated(known, change, Some("v".into()), 7, &vault())
    }

    #[test]
    fn a_row_opens_as_it_was_made() {
        let model =
            add(json!({"id": "a", "blocked": true, "db_model": false, "mode": "chat"})).unwrap();
        assert_eq!((model.id(), model.row.blocked), ("a", true));
        assert!(!format!("{:?}", model.row).contains("sk-secret"));
        let opened = StoredModel::open(model.row.clone(), &vault());
        assert_eq!(
            opened.params,
            Ok(map(json!({"model": "openai/m", "api_key": "sk-secret"})))
        );
        assert_eq!(opened.info, map(json!({"mode": "chat"})));
        assert_eq!(opened.model_info(), model.model_info());
        assert_eq!(model.model_info()["created_at"], "1970-01-01T00:00:00.007Z");
        assert_ne!(add(json!({})).unwrap().id(), add(json!({})).unwrap().id());
        for wrong in [
            json!({"id": ""}),
            json!({"id": [1]}),
            json!({"blocked": "x"}),
            json!({"team_id": 5}),
            json!({"id": "\n"}),
        ] {
            assert!(matches!(add(wrong), Err(ChangeError::Invalid { .. })));
        }
    }

    #[test]
    fn an_update_changes_what_it_names() {
        let known = add(json!({"id": "a", "mode": "chat", "tier": "free"})).unwrap();
        let of = |null_takes_away| ModelUpdate {
            model_name: Some("n".into()),
            litellm_params: map(json!({"rpm": 5, "api_key": null})),
            model_info: map(json!({"tier": null, "id": "b", "blocked": true})),
            null_takes_away,
            ..ModelUpdate::default()
        };
        let kept = update(&known, of(false)).unwrap();
        assert_eq!(
            kept.params,
            Ok(map(
                json!({"model": "openai/m", "api_key": "sk-secret", "rpm": 5})
            ))
        );
        assert_eq!(kept.info, map(json!({"mode": "chat", "tier": "free"})));
        assert_eq!(
            (kept.id(), &*kept.row.model_name, kept.row.blocked),
            ("a", "n", true)
        );
        assert_eq!(
            (kept.row.updated_at, kept.row.created_by.as_deref()),
            (8, Some("u"))
        );
        let cleared = update(&known, of(true)).unwrap();
        assert_eq!(
            cleared.params,
            Ok(map(json!({"model": "openai/m", "rpm": 5})))
        );
        assert_eq!(cleared.info, map(json!({"mode": "chat"})));
    }

    #[test]
    fn what_cannot_be_read_is_not_changed() {
        let other = Vault::new(&Secret::new("other"));
        let known = StoredModel::open(add(json!({"id": "a"})).unwrap().row, &other);
        assert!(known.params.is_err());
        let blocked = ModelUpdate {
            blocked: Some(true),
            ..ModelUpdate::default()
        };
        let refused = update(&known, blocked).unwrap_err();
        assert!(
            refused.to_string().contains("cannot be decrypted"),
            "{refused}"
        );
    }

    #[test]
    fn a_teams_model_has_a_name_of_its_own() {
        let known = add(json!({"id": "a", "team_id": "t"})).unwrap();
        assert!(known.row.model_name.starts_with("model_name_t_"));
        assert_eq!(known.team().unwrap().public_name, "m");
        let renamed = ModelUpdate {
            model_name: Some("n".into()),
            ..ModelUpdate::default()
        };
        let renamed = update(&known, renamed).unwrap();
        assert_eq!(renamed.row.model_name, known.row.model_name);
        assert_eq!(renamed.team().unwrap().public_name, "n");
        let given = ModelUpdate {
            model_info: map(json!({"team_id": "t"})),
            ..ModelUpdate::default()
        };
        let given = update(&add(json!({"id": "b"})).unwrap(), given).unwrap();
        assert_eq!(
            (
                given.team().unwrap().public_name.as_str(),
                given.row.model_name.starts_with("model_name_t_")
            ),
            ("m", true)
        );
    }
}
