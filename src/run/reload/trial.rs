//! What a model would be that is nobody's yet: read with the file's credentials, defaults and variables, and compiled alone.

use std::iter::once;
use std::sync::Arc;

use actix::{Context, Handler, ResponseFuture};

use super::Reloader;
use super::step::check;
use crate::config::{Loaded, ModelEntry, StoredEntry};
use crate::models::TryModel;
use crate::router::{Deployment, RoutingTable};
use crate::run::configuration::Environment;
use crate::types::LedgerId;

impl Handler<TryModel> for Reloader {
    /// Beside other messages: it changes nothing.
    type Result = ResponseFuture<Result<Arc<Deployment>, String>>;

    fn handle(&mut self, asked: TryModel, _: &mut Context<Self>) -> Self::Result {
        let (file, environment) = (self.file.clone(), self.environment.clone());
        let work = move || deployment(&file, &environment, &asked);
        Box::pin(async move {
            let tried = actix_web::rt::task::spawn_blocking(work).await;
            tried.unwrap_or_else(|_| Err("reading it failed in an unexpected way".to_owned()))
        })
    }
}

fn deployment(
    file: &Loaded,
    environment: &Environment,
    asked: &TryModel,
) -> Result<Arc<Deployment>, String> {
    let id = LedgerId::now().to_string();
    let entry = StoredEntry {
        id: &id,
        model_name: "test_connection",
        litellm_params: &asked.litellm_params,
        model_info: &asked.model_info,
    };
    let env = |name: &str| environment.get(name);
    let check = |entry: &ModelEntry| check(file, entry);
    let (mut loaded, readings) = file.with_stored(once(entry), &env, &check);
    if let Some(problem) = readings.into_iter().find_map(|reading| reading.problem) {
        return Err(problem);
    }
    loaded.config.model_list.retain(|entry| entry.is_stored);
    let compile = || RoutingTable::compile(&loaded.config);
    let table = loaded.own_models.during(compile);
    let deployment = table.deployments().next();
    let (_, deployment) = deployment.ok_or("it is no deployment that could be called")?;
    Ok(deployment.clone())
}
