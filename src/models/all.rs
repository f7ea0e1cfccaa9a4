//! All rows, and what has become of each.

use std::collections::HashMap;
use std::sync::Arc;

use super::stored::StoredModel;
use crate::config::{Loaded, ModelEntry};
use crate::store::ModelRow;
use crate::vault::Vault;

/// See the module. Immutable: another one takes its place.
#[derive(Debug, Default)]
pub struct Models {
    /// Oldest first.
    rows: Vec<Arc<StoredModel>>,
    /// Why a row is left out, by its id.
    problems: HashMap<String, String>,
}

impl Models {
    /// Opens rows. One that is the same as before is not opened again.
    pub fn open(&self, rows: Vec<ModelRow>, vault: &Vault) -> Vec<Arc<StoredModel>> {
        let known: HashMap<&str, &Arc<StoredModel>> =
            self.rows.iter().map(|model| (model.id(), model)).collect();
        let open = |row: ModelRow| match known.get(row.model_id.as_str()) {
            Some(known) if known.row == row => Arc::clone(known),
            _ => Arc::new(StoredModel::open(row, vault)),
        };
        rows.into_iter().map(open).collect()
    }

    /// What a file and these rows are together, as [`Loaded::with_stored`] says.
    pub fn beside(
        file: &Loaded,
        rows: Vec<Arc<StoredModel>>,
        env: &dyn Fn(&str) -> Option<String>,
        check: &dyn Fn(&ModelEntry) -> Result<(), String>,
    ) -> (Loaded, Self) {
        let entries = rows.iter().filter_map(|model| model.entry().ok());
        let (loaded, readings) = file.with_stored(entries, env, check);
        let mut readings = readings.into_iter();
        let mut problems = HashMap::new();
        for model in &rows {
            let problem = match model.entry() {
                Ok(_) => readings.next().and_then(|reading| reading.problem),
                Err(why) => Some(why.to_owned()),
            };
            if let Some(problem) = problem {
                problems.insert(model.id().to_owned(), problem);
            }
        }
        (loaded, Self { rows, problems })
    }

    /// Whether these are the rows.
    pub fn are(&self, rows: &[ModelRow]) -> bool {
        self.rows.iter().map(|model| &model.row).eq(rows)
    }

    pub fn rows(&self) -> &[Arc<StoredModel>] {
        &self.rows
    }

    pub fn find(&self, id: &str) -> Option<&Arc<StoredModel>> {
        self.rows.iter().find(|model| model.id() == id)
    }

    /// Why a row is left out, if it is.
    pub fn problem(&self, id: &str) -> Option<&str> {
        self.problems.get(id).map(String::as_str)
    }

    /// Rows that take no part, each with the reason.
    pub fn left_out(&self) -> impl Iterator<Item = (&Arc<StoredModel>, &str)> {
        let rows = self.rows.iter();
        rows.filter_map(|model| Some((model, self.problem(model.id())?)))
    }

    /// Writes to the log which rows are left out that were not `before`, or for another reason.
    pub fn tell(&self, before: &Self) {
        for (model, problem) in self.left_out() {
            if before.problem(model.id()) != Some(problem) {
                let (id, name) = (model.id(), &model.row.model_name);
                log::error!("the model {id} ({name}) of the database is left out: {problem}");
            }
        }
    }
}
