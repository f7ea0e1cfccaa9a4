//! Another configuration without a restart: read, compared with the one in force, and put in its place as a whole, or not at
//! all.
//!
//! The [`Reloader`] is asked by SIGHUP, by the [`watch`] over the files and by `POST /config/reload`, and for the database's
//! models ([`models`]) by `/model/*` and a clock; one at a time. It tells the control thread, which tells the workers. Calls
//! under way end under what they began with.

mod models;
mod step;
mod trial;
mod watch;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, AsyncContext, AtomicResponse, Context, Handler, WrapFuture};
use actix_rt::signal::unix;

use super::configuration::{self, Environment};
use crate::cli::Options;
use crate::config::{Difference, Loaded, Outline, Severity};
use crate::journey::{InForce, Rejected, ReloadConfig, ReloadStatus};
use crate::models::Models;
use crate::router::{ControlHandle, RoutingTable, Tables};
use crate::store::Store;
use crate::upstream;
use crate::vault::Vault;

use step::{Before, Prepared, reject};
use watch::Look;

pub use models::first as first_models;
pub use watch::Seen;

/// What a [`Reloader`] is made of.
pub struct Reloading {
    pub options: Arc<Options>,
    pub environment: Arc<Environment>,
    /// The configuration file in force.
    pub file: Loaded,
    /// With the database's models.
    pub loaded: Loaded,
    pub models: Arc<Models>,
    pub table: Arc<RoutingTable>,
    pub control: Arc<ControlHandle>,
    pub in_force: Arc<InForce>,
    pub status: Arc<ReloadStatus>,
    /// What the files were when `file` was read.
    pub seen: Seen,
    pub store: Store,
    pub vault: Arc<Vault>,
}

/// See the module. Lives on the main thread.
pub struct Reloader {
    options: Arc<Options>,
    environment: Arc<Environment>,
    file: Arc<Loaded>,
    models: Arc<Models>,
    /// Both together.
    loaded: Arc<Loaded>,
    /// What the process was started with.
    started: Arc<Outline>,
    tables: Tables,
    control: Arc<ControlHandle>,
    in_force: Arc<InForce>,
    status: Arc<ReloadStatus>,
    seen: Seen,
    store: Store,
    vault: Arc<Vault>,
}

impl Reloader {
    pub fn new(reloading: Reloading) -> Self {
        let Reloading {
            options,
            environment,
            file,
            loaded,
            models,
            table,
            control,
            in_force,
            status,
            seen,
            store,
            vault,
        } = reloading;
        Self {
            options,
            environment,
            seen,
            started: Arc::new(file.outline.clone()),
            file: Arc::new(file),
            loaded: Arc::new(loaded),
            models,
            tables: Tables::new(table),
            control,
            in_force,
            status,
            store,
            vault,
        }
    }

    fn look_later(&self, context: &mut Context<Self>) {
        let interval = self.file.config.general_settings.config_watch_interval;
        // Switched off by a reload, it may be switched on by the next.
        let next = if interval.is_zero() {
            Duration::from_secs(5)
        } else {
            interval
        };
        context.notify_later(Look, next);
    }
}

impl Actor for Reloader {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        self.look_later(context);
        self.read_later(context);
        match unix::signal(unix::SignalKind::hangup()) {
            Ok(mut hangup) => {
                let own = context.address();
                actix_rt::spawn(async move {
                    while hangup.recv().await.is_some() {
                        own.do_send(ReloadConfig { by: "SIGHUP" });
                    }
                });
            }
            Err(error) => log::error!("SIGHUP will not reload: {error}"),
        }
    }
}

impl Handler<ReloadConfig> for Reloader {
    /// No other message is handled before this one is done.
    type Result = AtomicResponse<Self, Result<Arc<Difference>, Rejected>>;

    fn handle(&mut self, message: ReloadConfig, _: &mut Self::Context) -> Self::Result {
        let options = self.options.clone();
        let before = self.before();
        // Before they are read: a change in between is news at the next look.
        self.seen = Seen::at(&self.seen.paths());
        let work = async move {
            let environment = before.environment.clone();
            let file = actix_web::rt::task::spawn_blocking(move || read(&options, &environment));
            let (files, file) = file.await.unwrap_or_else(|_| {
                let rejected = reject("reading it failed in an unexpected way");
                (Vec::new(), Err(rejected))
            });
            let prepared = match file {
                Ok(file) => before.with_file(file).await,
                Err(rejected) => Err(rejected),
            };
            let taken = match prepared {
                Ok(prepared) => before.put_in_force(prepared).await,
                Err(rejected) => Err(rejected),
            };
            (files, taken)
        };
        let work = work.into_actor(self);
        let done =
            actix::ActorFutureExt::map(work, move |(files, outcome), reloader: &mut Self, _| {
                // Also those of a file that was refused: it may be one of them that is mended.
                reloader.seen.follow(&files);
                reloader.finish(outcome, message.by)
            });
        AtomicResponse::new(Box::pin(done))
    }
}

impl Reloader {
    fn before(&mut self) -> Before {
        Before {
            environment: self.environment.clone(),
            started: self.started.clone(),
            file: self.file.clone(),
            models: self.models.clone(),
            loaded: self.loaded.clone(),
            earlier: self.tables.earlier(false),
            control: self.control.clone(),
            in_force: self.in_force.clone(),
            store: self.store.clone(),
            vault: self.vault.clone(),
        }
    }

    /// What was prepared is in force.
    fn take(&mut self, prepared: Prepared, by: &str) -> Difference {
        prepared.models.tell(&self.models);
        self.tables.advance(prepared.table);
        self.file = prepared.file;
        self.models = prepared.models;
        self.loaded = Arc::new(prepared.loaded);
        log::info!("configuration reloaded ({by}): {}", prepared.difference);
        prepared.difference
    }

    fn finish(
        &mut self,
        outcome: Result<Box<Prepared>, Rejected>,
        by: &str,
    ) -> Result<Arc<Difference>, Rejected> {
        match outcome {
            Ok(prepared) => {
                self.status.accept();
                Ok(Arc::new(self.take(*prepared, by)))
            }
            Err(rejected) => {
                for complaint in &rejected.complaints {
                    log::error!("{complaint}");
                }
                log::error!("the configuration has errors (above); the one in force stays ({by})");
                self.status.reject(&rejected);
                Err(rejected)
            }
        }
    }
}

/// Reads a file; blocks. Answers the files that belong to it as well.
fn read(options: &Options, environment: &Environment) -> (Vec<PathBuf>, Result<Loaded, Rejected>) {
    match configuration::read(options, environment) {
        Ok(loaded) => (loaded.files.clone(), checked(loaded)),
        Err(error) => (Vec::new(), Err(reject(error))),
    }
}

fn checked(loaded: Loaded) -> Result<Loaded, Rejected> {
    if loaded.has_errors() {
        let errors = loaded.diagnostics.iter();
        let errors = errors.filter(|told| told.severity == Severity::Error);
        return Err(Rejected {
            complaints: errors.map(ToString::to_string).collect(),
        });
    }
    upstream::check(&loaded.config).map_err(reject)?;
    Ok(loaded)
}
