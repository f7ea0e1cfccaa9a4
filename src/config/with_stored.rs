//! Models of the database beside those of the file: read as entries of `model_list` are, with the file's credentials and
//! variables, and added behind them. Where both have one of an id the file's counts.

use std::collections::HashSet;

use serde_json::{Map, Value as Json};

use crate::types::DeploymentId;

use super::diagnostic::{Diagnostic, Severity, Sink};
use super::load::Loaded;
use super::model::{ModelEntry, read_one};
use super::resolve::resolve;
use super::variables::exported;
use super::yaml::{Node, Pos};

/// One model of the database. Has no `Debug`: its parameters hold secrets.
pub struct StoredEntry<'a> {
    /// The deployment's id.
    pub id: &'a str,
    pub model_name: &'a str,
    /// Opened: `os.environ/NAME` is looked up here.
    pub litellm_params: &'a Map<String, Json>,
    pub model_info: &'a Map<String, Json>,
}

/// What a model of the database gave.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// Why it is left out.
    pub problem: Option<String>,
    /// What else there is to say; with paths inside the entry, without secrets.
    pub remarks: Vec<Diagnostic>,
}

impl Loaded {
    /// What this file and these models are together. `env` answers what a variable of the environment holds, `check` why an
    /// entry that could be read cannot be used all the same. Answers a [`Reading`] for each model, in their order.
    pub fn with_stored<'a>(
        &self,
        models: impl Iterator<Item = StoredEntry<'a>>,
        env: &dyn Fn(&str) -> Option<String>,
        check: &dyn Fn(&ModelEntry) -> Result<(), String>,
    ) -> (Self, Vec<Reading>) {
        let mut all = self.clone();
        let list = &mut all.config.model_list;
        let of_file: HashSet<DeploymentId> = list.iter().map(|entry| entry.id.clone()).collect();
        let mut readings = Vec::new();
        for model in models {
            let (mut entries, remarks) = self.own_models.during(|| self.read_stored(&model, env));
            let problem = if of_file.contains(model.id) {
                Some(
                    "the configuration file has a deployment with this id, which counts".to_owned(),
                )
            } else {
                unusable(&entries, &remarks)
                    .or_else(|| entries.iter().find_map(|entry| check(entry).err()))
            };
            if problem.is_none() {
                for entry in &mut entries {
                    entry.is_stored = true;
                }
                list.append(&mut entries);
            }
            readings.push(Reading { problem, remarks });
        }
        (all, readings)
    }

    fn read_stored(
        &self,
        model: &StoredEntry<'_>,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> (Vec<ModelEntry>, Vec<Diagnostic>) {
        let env = |name: &str| exported(&self.config.environment_variables, name, env);
        let sink = Sink::new("database");
        let mut info = model.model_info.clone();
        info.insert("id".to_owned(), model.id.into());
        let entry = serde_json::json!({
            "model_name": model.model_name,
            "litellm_params": model.litellm_params,
            "model_info": info,
        });
        let mut node = Node::of_json(&entry, Pos::START);
        resolve(&mut node, "", &env, &sink);
        let common = &self.common;
        let entries = read_one(
            &node,
            "",
            &common.credentials,
            &common.defaults,
            &env,
            &sink,
        );
        (entries, sink.into_diagnostics())
    }
}

/// Why an entry cannot be used, if it cannot: what is an error in a file, or why it is skipped there.
fn unusable(entries: &[ModelEntry], remarks: &[Diagnostic]) -> Option<String> {
    let worst = remarks.iter().max_by_key(|remark| remark.severity)?;
    if worst.severity < Severity::Error && !entries.is_empty() {
        return None;
    }
    // Of a skipped one the last warning says why.
    let mut of_kind = remarks
        .iter()
        .filter(|remark| remark.severity == worst.severity);
    let why = match worst.severity {
        Severity::Error => of_kind.next(),
        _ => of_kind.next_back(),
    }?;
    let place = if why.path.is_empty() { "" } else { ": " };
    let hint = why.suggestion.iter().map(|hint| format!("; {hint}"));
    let message = why.message.trim_start_matches("this model is skipped: ");
    Some(format!(
        "{}{place}{message}{}",
        why.path,
        hint.collect::<String>()
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::Config;

    const FILE: &str = "model_list:\n\
        - {model_name: m, litellm_params: {model: openai/m, api_key: k}, model_info: {id: of-file}}\n\
        credential_list: [{credential_name: c, credential_values: {api_key: sk-named}}]\n\
        environment_variables: {OWN: sk-own}\n\
        general_settings: {store_model_in_db: true}\n\
        router_settings: {fallbacks: [{m: [in-the-database]}], model_group_alias: {a: in-the-database}}\n";

    fn read(models: &[(&str, Json, Json)]) -> (Loaded, Vec<Option<String>>) {
        let env = |name: &str| (name == "KEY").then(|| "sk-env".to_owned());
        let file = Config::from_text("c.yaml", FILE, &env).unwrap();
        assert!(file.diagnostics.is_empty(), "{:?}", file.diagnostics);
        let models = models.iter().map(|(id, params, info)| StoredEntry {
            id,
            model_name: "n",
            litellm_params: params.as_object().unwrap(),
            model_info: info.as_object().unwrap(),
        });
        let check = |entry: &ModelEntry| match &*entry.id {
            "no-tls" => Err("no certificate".to_owned()),
            _ => Ok(()),
        };
        let (all, readings) = file.with_stored(models, &env, &check);
        let problems = readings.into_iter().map(|reading| reading.problem);
        (all, problems.collect())
    }

    #[test]
    fn they_stand_behind_the_files_with_its_credentials_and_variables() {
        let (all, problems) = read(&[
            (
                "1",
                json!({"model": "openai/x", "api_key": "os.environ/KEY", "input_cost_per_token": 1.5e-7}),
                json!({"team": "blue"}),
            ),
            (
                "2",
                json!({"model": "openai/x", "api_key": "os.environ/OWN"}),
                json!({"id": "another"}),
            ),
            (
                "3",
                json!({"model": "openai/x", "litellm_credential_name": "c"}),
                json!({}),
            ),
        ]);
        assert_eq!(problems, [None, None, None]);
        let list = &all.config.model_list;
        let keys: Vec<_> = list
            .iter()
            .map(|entry| entry.api_key.as_ref().unwrap().expose())
            .collect();
        assert_eq!(keys, ["k", "sk-env", "sk-own", "sk-named"]);
        let ids: Vec<_> = list
            .iter()
            .map(|entry| (&*entry.id, entry.is_stored))
            .collect();
        assert_eq!(
            ids,
            [("of-file", false), ("1", true), ("2", true), ("3", true)]
        );
        assert_eq!(list[1].litellm_params.prices[0].decimal, "1.5e-7");
        assert_eq!(
            list[1].model_info.other,
            [("team".to_owned(), json!("blue"))]
        );
    }

    #[test]
    fn what_cannot_be_used_is_left_out_and_told() {
        let (all, problems) = read(&[
            ("of-file", json!({"model": "openai/x"}), json!({})),
            ("1", json!({"model": "openai/x", "rpm": "ten"}), json!({})),
            ("2", json!({"model": "nobody-knows/x"}), json!({})),
            ("3", json!({}), json!({})),
            (
                "4",
                json!({"model": "openai/x", "litellm_credential_name": "d"}),
                json!({}),
            ),
            ("no-tls", json!({"model": "openai/x"}), json!({})),
        ]);
        assert_eq!(all.config.model_list.len(), 1);
        for (problem, part) in problems.iter().zip([
            "the configuration file has a deployment with this id",
            "litellm_params.rpm: expected a whole number",
            "litellm_params.model: ",
            "litellm_params: expected `model`",
            "litellm_params.litellm_credential_name: no entry of `credential_list`",
            "no certificate",
        ]) {
            assert!(
                problem
                    .as_ref()
                    .is_some_and(|problem| problem.contains(part)),
                "{problem:?}"
            );
        }
    }
}
