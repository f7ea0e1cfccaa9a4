//! From what is in force to what shall be: the file and the database's models together, compiled aside, then put in force.

use std::sync::Arc;

use crate::config::{Config, Difference, Loaded, ModelEntry, Outline};
use crate::journey::{InForce, Rejected, Snapshot};
use crate::models::{Models, StoredModel};
use crate::router::{ControlHandle, Earlier, Reload, RoutingTable};
use crate::run::configuration::{self, Environment};
use crate::run::settings;
use crate::store::{ModelRow, Store, StoreError, ask, messages};
use crate::upstream;
use crate::vault::Vault;

/// What a step begins with; nothing else changes while it is under way.
#[derive(Clone)]
pub struct Before {
    pub environment: Arc<Environment>,
    /// What the process was started with.
    pub started: Arc<Outline>,
    /// The configuration file in force.
    pub file: Arc<Loaded>,
    /// The database's models in force.
    pub models: Arc<Models>,
    /// Both together.
    pub loaded: Arc<Loaded>,
    /// Held until the new table is in force: what it shares with them keeps its number.
    pub earlier: Earlier,
    pub control: Arc<ControlHandle>,
    pub in_force: Arc<InForce>,
    pub store: Store,
    pub vault: Arc<Vault>,
}

/// What may be put in force.
pub struct Prepared {
    pub file: Arc<Loaded>,
    pub models: Arc<Models>,
    pub loaded: Loaded,
    pub table: Arc<RoutingTable>,
    pub difference: Difference,
}

impl Before {
    /// Whether the database's models count.
    pub fn stores_models(&self) -> bool {
        self.file.config.general_settings.stored_models.are_on
    }

    /// The rows of the database.
    pub async fn read_rows(&self) -> Result<Vec<ModelRow>, StoreError> {
        ask(&self.store.admin, messages::ReadModels {}).await
    }

    /// A file that was read just now, with the database's models: those in force, when they cannot be read.
    pub async fn with_file(&self, file: Loaded) -> Result<Box<Prepared>, Rejected> {
        let models = if !file.config.general_settings.stored_models.are_on {
            Vec::new()
        } else {
            match self.read_rows().await {
                Ok(rows) => self.models.open(rows, &self.vault),
                Err(error) => {
                    log::error!(
                        "the database's models could not be read; those in force stay: {error}"
                    );
                    self.models.rows().to_vec()
                }
            }
        };
        self.compiled(Arc::new(file), models).await
    }

    /// The file in force with other models.
    pub async fn with_models(
        &self,
        models: Vec<Arc<StoredModel>>,
    ) -> Result<Box<Prepared>, Rejected> {
        self.compiled(self.file.clone(), models).await
    }

    async fn compiled(
        &self,
        file: Arc<Loaded>,
        models: Vec<Arc<StoredModel>>,
    ) -> Result<Box<Prepared>, Rejected> {
        let before = self.clone();
        let work = move || before.compile(file, models);
        let prepared = actix_web::rt::task::spawn_blocking(work).await;
        prepared.map_err(|_| reject("compiling it failed in an unexpected way"))
    }

    fn compile(mut self, file: Arc<Loaded>, models: Vec<Arc<StoredModel>>) -> Box<Prepared> {
        let (loaded, models) = together(&file, models, &self.environment);
        let difference = Difference::between(&self.started, &self.loaded, &loaded);
        if !difference.is_empty() && !Arc::ptr_eq(&file, &self.file) {
            configuration::report(&loaded.diagnostics, &self.environment);
        }
        self.earlier.settings_are_kept = difference.keeps_settings();
        let compile = || RoutingTable::compile_after(&loaded.config, &self.earlier);
        let table = Arc::new(loaded.own_models.during(compile));
        Box::new(Prepared {
            file,
            models: Arc::new(models),
            loaded,
            table,
            difference,
        })
    }

    pub async fn put_in_force(&self, prepared: Box<Prepared>) -> Result<Box<Prepared>, Rejected> {
        let config: &Config = &prepared.loaded.config;
        // What is decided at the start alone is said to be so: the answer names it.
        let strict = self.in_force.load().settings.strict_budgets;
        let snapshot = Snapshot {
            table: prepared.table.clone(),
            settings: settings(config, strict),
            models: prepared.models.clone(),
        };
        prepared.loaded.own_models.lay();
        let in_force = self.in_force.clone();
        let reload = Reload {
            table: prepared.table.clone(),
            publish: Box::new(move || in_force.publish(snapshot)),
        };
        let taken = self.control.router().send(reload).await;
        taken.map_err(|_| reject("the control thread did not take it up; try again"))?;
        Ok(prepared)
    }
}

/// A file and models as one configuration, and what has become of each model.
pub fn together(
    file: &Loaded,
    models: Vec<Arc<StoredModel>>,
    environment: &Environment,
) -> (Loaded, Models) {
    let check = |entry: &ModelEntry| check(file, entry);
    Models::beside(file, models, &|name| environment.get(name), &check)
}

/// Why an entry that could be read cannot be used all the same.
pub fn check(file: &Loaded, entry: &ModelEntry) -> Result<(), String> {
    upstream::check_entry(&file.config, entry).map_err(|error| error.to_string())
}

pub fn reject(complaint: impl ToString) -> Rejected {
    Rejected {
        complaints: vec![complaint.to_string()],
    }
}
